//! The sentence templates and word lists behind [`super::SentenceGenerator`]: data only.

/// Word lists and phrases by slot name.
#[rustfmt::skip]
pub(super) const SLOTS: &[(&str, &[&str])] = &[
    ("day", &[
        "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
    ]),
    ("month", &[
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
        "November", "December",
    ]),
    ("date", &[
        "{day}, {month} {nth}", "{month} {nth}, {year}", "the {nth} of {month}", "{month} {nth}",
    ]),
    ("first_name", &[
        "Anna", "Ben", "Carla", "David", "Emily", "Frank", "Grace", "Henry", "Irene", "Jack", "Karen", "Leo",
        "Maria", "Nathan", "Olivia", "Peter", "Rachel", "Samuel", "Teresa", "Victor", "Wendy", "Zoe", "Hugo",
        "Julia", "Oscar", "Susan", "Thomas", "George", "Alice", "Robert", "Laura", "Kevin", "Sarah",
        "Daniel", "Michael", "Elizabeth", "Joseph", "Charles", "Judy", "Roy",
    ]),
    ("last_name", &[
        "Adams", "Baker", "Carter", "Diaz", "Evans", "Fisher", "Garcia", "Hughes", "Jackson", "Kennedy",
        "Lopez", "Miller", "Nelson", "Parker", "Quinn", "Roberts", "Smith", "Taylor", "Walker", "Young",
        "Thompson", "Johnson", "Wright", "Brown", "White",
    ]),
    ("name", &[
        "{first_name}", "{first_name} {last_name}", "mister {last_name}", "doctor {last_name}",
        "miss {last_name}",
    ]),
    ("city", &[
        "Boston", "Chicago", "Denver", "Houston", "London", "Madrid", "Paris", "Seattle", "Toronto",
        "Vienna", "Oslo", "Portland", "Detroit", "Dublin", "Sydney", "Berlin", "Rome", "Tokyo", "Pittsburgh",
        "Atlanta",
    ]),
    ("place", &[
        "the main entrance", "the kitchen", "the loading dock", "the waiting room", "the cafeteria",
        "the gift shop", "the information desk", "the parking garage", "the garden", "the conference room",
        "the charging station", "the rest rooms", "the hallway", "the lobby", "the workshop",
        "the north gate", "the south stairs", "the bedroom", "the living room", "the office",
        "the warehouse", "the pool", "the ticket office", "the baggage claim", "the pharmacy",
        "the emergency exit", "the bus station", "the bridge",
    ]),
    ("object", &[
        "card", "ticket", "key", "phone", "passport", "cup", "box", "package", "receipt", "battery",
        "charger", "chair", "suitcase", "umbrella", "notebook", "letter", "bottle", "tool", "tray", "basket",
        "toy", "jacket", "watch", "shoe", "thing", "vase", "pillow", "towel", "brush", "wheel",
        "measuring tape",
    ]),
    ("objects", &[
        "cards", "tickets", "keys", "cups", "boxes", "packages", "batteries", "chairs", "bottles", "tools",
        "trays", "letters", "oranges", "eggs", "shirts", "wires", "screws", "glasses", "envelopes",
        "blankets", "matches",
    ]),
    ("food", &[
        "coffee", "green tea", "orange juice", "a cheese sandwich", "vegetable soup", "a bowl of rice",
        "fried fish", "chocolate cake", "an apple pie", "a glass of water", "roast chicken",
        "a garden salad", "lemonade", "hot chocolate", "yogurt", "pasta", "a boiled egg", "toast with honey",
        "peach ice cream", "mushroom pizza",
    ]),
    ("adjective", &[
        "red", "blue", "small", "large", "heavy", "empty", "broken", "new", "old", "wooden", "yellow",
        "quiet", "bright", "round", "square", "purple", "narrow", "clean", "usual", "cheap", "thick",
        "smooth", "gray", "fragile",
    ]),
    ("device", &[
        "printer", "camera", "left wheel", "right arm", "screen", "scanner", "heater", "door sensor",
        "elevator", "coffee machine", "washing machine", "air conditioner", "smoke alarm", "microphone",
        "speaker", "pump", "fan", "motor", "network", "vacuum cleaner", "thermostat", "oven", "gripper",
        "radio", "cash drawer",
    ]),
    ("action", &[
        "open the door", "turn off the lights", "start the engine", "close the window", "lower the volume",
        "call a taxi", "check the oven", "water the plants", "lock the gate", "read the next page",
        "play some music", "stop the machine", "set an alarm", "clean the floor", "send the message",
        "print the form", "feed the cat", "measure the voltage", "weigh the luggage", "choose a language",
        "change the filter", "go to {place}", "bring you {food}", "find your {object}",
        "carry the {adjective} {object}",
    ]),
    ("side", &[
        "left", "right", "other side", "far side",
    ]),
    ("turn", &[
        "left", "right",
    ]),
    ("direction", &[
        "north", "south", "east", "west", "northeast", "southwest",
    ]),
    ("length", &[
        "inches", "feet", "yards", "meters", "miles", "kilometers", "steps",
    ]),
    ("duration", &[
        "seconds", "minutes", "hours", "days", "weeks", "months", "years",
    ]),
    ("weather", &[
        "sunny", "cloudy", "rainy", "windy", "foggy", "snowy", "humid", "stormy", "clear", "chilly",
    ]),
    ("mood", &[
        "great", "terrible", "wonderful", "strange", "fair", "amazing", "delicious", "unusual", "useful",
        "absurd",
    ]),
    ("person", &[
        "your mother", "the nurse", "my friend", "the manager", "the driver", "our teacher", "the engineer",
        "somebody", "the judge", "a tourist", "the boy", "your neighbor", "the guard",
    ]),
    ("did", &[
        "is looking for you", "has just arrived", "left a message", "would like to join us", "will be late",
        "asked about the price", "enjoyed the show", "paid for everything", "forgot the password",
        "found your {object}", "just went to {place}",
    ]),
    ("greeting", &[
        "hello", "hi", "good morning", "good afternoon", "good evening", "welcome", "hey", "welcome back",
    ]),
    ("yes", &[
        "yes", "okay", "sure", "of course", "certainly", "all right", "right away", "no problem",
        "yes, please", "very well",
    ]),
    ("no", &[
        "no", "sorry, no", "not yet", "I'm afraid not", "no, thank you", "never", "I don't think so",
    ]),
    ("opinion", &[
        "I think", "I believe", "I'm sure that", "it seems that", "as far as I know,", "to be honest,",
        "they say that", "if I'm not mistaken,",
    ]),
    ("fact", &[
        "the {adjective} {object} is in {place}", "{person} {did}", "the {device} needs a new part",
        "it will be {weather} in {city}", "we've met before", "the museum is closed on {day}",
        "your {object} is {adjective}", "there's enough room for {small} people", "it costs {price}",
        "we can't wait until {day}", "the {device} works again", "nobody lives in {place}",
    ]),
];

/// Whole utterances. What should be heard more often stands here more than once in different words.
#[rustfmt::skip]
pub(super) const TEMPLATES: &[&str] = &[
    // Short answers and greetings.
    "{yes}.", "{no}.", "{greeting}.", "{greeting}!", "{greeting}, {name}.", "{greeting}, {first_name}!",
    "{yes}, {first_name}.", "Thank you.", "Thank you very much!", "Thanks, {first_name}.", "Goodbye.",
    "Goodbye, {name}.", "See you on {day}.", "Bye!", "You're welcome.", "Excuse me.", "Please wait.",
    "One moment, please.", "I'm sorry.", "Sorry, I didn't hear you.", "What?", "Who's there?",
    "Are you sure?", "Ready.", "Done.", "Stop!", "Go ahead.", "Help!", "Really?", "Why not?", "Which one?",
    "Here you are.", "Never mind.", "That's right.", "That's wrong.", "Good luck!", "Cheers!",
    "Congratulations, {first_name}!", "Well done!", "How {mood}!", "What a {mood} idea!",
    "What a {adjective} {object}!", "Happy birthday, {first_name}!", "Good night, {first_name}, sleep well.",
    "It's {mood}, isn't it?", "Nice to meet you, {name}.", "My name is {name}.", "{first_name}?", "{name}.",
    "{adjective} {object}.", "{number}.", "{number}?", "{number}!",
    // Numbers, codes, letters.
    "The code is {digits}.", "Your number is {number}.", "Now serving number {number}.",
    "Press {small} to continue.", "Press {small} for {city}, or {small} for {city}.",
    "The answer is {number}, not {number}.", "{number} plus {number} makes {number}.",
    "That makes {large} in total.", "About {large} people live here.",
    "Room {number} is on the {nth} floor.", "Platform {small}, track {small}.",
    "It weighs {decimal} pounds.", "The voltage is {decimal} volts.", "The result is {decimal}.",
    "{two_digit} percent of the {objects} are {adjective}.", "Battery at {two_digit} percent.",
    "Progress: {two_digit} percent.", "Version {decimal}.", "Call {phone}, please.",
    "My phone number is {phone}.", "Spell it: {letters}.", "{letters}, {digits}.",
    "The letters are {letters}.", "Gate {letter} {small}.", "Seat {two_digit} {letter}.",
    "That's {letters}, as in {city}.", "Error {number} in the {device}.",
    "Count with me: one, two, three, {small}, {small}.",
    "Flight {digits} to {city} is boarding at gate {letter} {small}.", "Your ticket is {letters} {digits}.",
    "Chapter {number}: the {adjective} {object}.", "Page {number} of {number}.",
    "You are the {nth} visitor today.",
    // Time and dates.
    "It's {clock}.", "The time is {clock}.", "It's {clock} now, and the shop closes at {clock}.",
    "The train leaves at {clock}.", "Shall I wake you at {clock}?", "Today is {date}.",
    "Your appointment is on {date}, at {clock}.", "She was born on {date}.",
    "The meeting was moved from {day} to {day}.", "We are open from {day} to {day}.",
    "This was built in {year}.", "In {year}, {name} moved to {city}.",
    "The timer will ring in {small} {duration}.", "Wait {number} {duration}.",
    "The next bus to {city} arrives in {small} minutes.", "See you on {day} at {clock}!",
    "That was {small} {duration} ago.", "On {date}, the {device} was replaced.",
    "It takes {small} {duration} to reach {city}.",
    // Money.
    "That will be {price}, please.", "The {object} costs {price}.", "Your change is {price}.",
    "You have {price} left.", "{small} {objects} for {price}.", "Would you like to pay {price} in cash?",
    "The total is {price}, with tax.", "I paid {price} for this {object}!", "Do you have {price}?",
    "The price of {food} went up by {price}.",
    // Directions and motion.
    "Turn {turn} at the {adjective} house.", "Go straight ahead, then turn {turn}.",
    "{place} is on your {turn}.", "Walk {number} {length} to the {direction}.",
    "Take the stairs to the {nth} floor.", "Follow me to {place}.",
    "Turn {turn}, then {turn}, and you'll see {place}.", "Moving {small} {length} to the {turn}.",
    "I'm going to {place}.", "You'll find the {objects} on the {side} of {place}.",
    "How do I get to {place}?", "The {object} is behind {place}.",
    "Keep {turn}, and take the {nth} exit toward {city}.", "After {number} {length}, head {direction}.",
    "From {place}, it's {small} {length} to {place}.", "Arriving at {place}.",
    "I am between {place} and {place}.",
    // Warnings and state.
    "Warning: the {device} is too hot.", "Caution! The {device} is moving.",
    "Attention, please: {person} {did}.", "Danger! Do not touch the {device}.",
    "Please step back from the {device}.", "The {device} has failed again.",
    "The {device} is working, but the {device} is not.", "Something is wrong with the {device}.",
    "My {device} is stuck.", "Low battery: please bring me to {place}.", "I can't reach the {object}.",
    "The {device} is offline.", "The {device} will restart in {small} {duration}.",
    "Fire alarm! Leave through {place}.", "Obstacle ahead: a {adjective} {object}.",
    "Careful, the {object} is {adjective}!", "Watch your step!", "The {device} measured {decimal} degrees.",
    "Please remove the {object} from {place}.", "Someone is at {place}.", "Emergency stop pressed.",
    // Kiosk and household.
    "Please insert your {object}.", "Please take your {object}, and don't forget your {object}.",
    "Would you like a {object}?", "Your {object} is ready.",
    "Please choose a {adjective} or a {adjective} {object}.", "Scan your {object} at {place}.",
    "Do you want {food}, {food}, or {food}?", "I'd like {food} and {food}, please.",
    "We have {food}, {food}, and {food}.", "Here is {food} for {name}.",
    "Your {food} will be served in {place}.", "Sorry, we're out of {objects}.",
    "Your order has {small} {objects}, {small} {objects}, and {food}.", "Touch the screen to begin.",
    "Please sign here.", "Shall I {action}?", "I will {action}, then I will {action}.",
    "Could you {action}, please?", "Please {action} before {clock}.", "Don't {action}!",
    "First {action}; then {action}.", "{first_name}, can you {action}?", "If you like, I can {action}.",
    "You asked me to {action}.", "I have already tried to {action}.", "Remember to {action} on {day}.",
    "Who will {action}?", "When should I {action}?", "I'll {action} as soon as {person} {did}.",
    "Let me {action} for you.", "Why did you {action}?",
    // Everyday talk.
    "{opinion} {fact}.", "{fact}.", "Did you know that {fact}?", "{fact}, but {fact}.",
    "{fact}, because {fact}.", "If {fact}, we should {action}.", "While you were out, {fact}.",
    "{fact}, and {fact}.", "Is it true that {fact}?", "{person} {did}.",
    "{person} {did}, and {person} {did}.", "{name} {did}.", "Has {name} called from {city}?",
    "Is this your {adjective} {object}?", "Where is my {object}?", "Where are the {adjective} {objects}?",
    "How many {objects} are there in {place}?", "How much is the {adjective} {object}?",
    "What's the weather like in {city}?",
    "It will be {weather} in {city} on {day}, with a high of {two_digit} degrees.",
    "It was {weather} and {weather} all day.",
    "The {objects} are {adjective}, the {objects} are {adjective}, and the {object} is {adjective}.",
    "I found {small} {objects}, {small} {objects}, and a {adjective} {object}.", "Not {objects}: {objects}!",
    "Which do you prefer, {city} or {city}?", "Have you ever been to {city}?",
    "We drove from {city} to {city} in {small} {duration}.",
    "{name} is from {city}, but {name} is from {city}.", "Mix {food} with {food}; it's {mood}.",
    "This is {mood}!", "Oh, that's {mood}!", "Wow, {small} {objects}!",
    "No, not the {adjective} one, the {adjective} one!",
];
