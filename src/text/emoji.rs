//! Emoji with a short name: `🎉` party popper. Others are reported as unspoken.

use super::reader::{Reader, Spoken};

/// Sorted, so that a character is found fast. Names after Unicode CLDR, shortened.
#[rustfmt::skip]
const NAMES: &[(char, &str)] = &[
    ('☀', "sun"), ('☁', "cloud"), ('☎', "telephone"), ('☔', "umbrella"), ('☕', "coffee"), ('☹', "frowning face"),
    ('☺', "smiling face"), ('♥', "heart"), ('♻', "recycling"), ('⚠', "warning"), ('⚡', "high voltage"),
    ('⚽', "soccer ball"), ('⛄', "snowman"), ('✅', "check mark"), ('✈', "airplane"), ('✉', "envelope"),
    ('✋', "raised hand"), ('✌', "victory hand"), ('✓', "check mark"), ('✔', "check mark"), ('✨', "sparkles"),
    ('❄', "snowflake"), ('❌', "cross mark"), ('❓', "question mark"), ('❗', "exclamation mark"), ('❤', "red heart"),
    ('⭐', "star"), ('🌈', "rainbow"), ('🌍', "globe"), ('🌙', "crescent moon"), ('🌞', "sun with face"),
    ('🌟', "glowing star"), ('🌧', "cloud with rain"), ('🌲', "evergreen tree"), ('🌸', "cherry blossom"),
    ('🌹', "rose"), ('🌺', "hibiscus"), ('🌻', "sunflower"), ('🍀', "four leaf clover"), ('🍎', "red apple"),
    ('🍔', "hamburger"), ('🍕', "pizza"), ('🍪', "cookie"), ('🍺', "beer mug"), ('🎁', "wrapped gift"),
    ('🎂', "birthday cake"), ('🎄', "christmas tree"), ('🎈', "balloon"), ('🎉', "party popper"),
    ('🎊', "confetti ball"), ('🎤', "microphone"), ('🎮', "video game"), ('🎯', "bullseye"), ('🎵', "musical note"),
    ('🎶', "musical notes"), ('🎸', "guitar"), ('🏆', "trophy"), ('🏠', "house"), ('🐕', "dog"), ('🐟', "fish"),
    ('🐱', "cat face"), ('🐶', "dog face"), ('👀', "eyes"), ('👇', "pointing down"), ('👈', "pointing left"),
    ('👉', "pointing right"), ('👋', "waving hand"), ('👌', "okay hand"), ('👍', "thumbs up"), ('👎', "thumbs down"),
    ('👏', "clapping hands"), ('👑', "crown"), ('👻', "ghost"), ('💀', "skull"), ('💔', "broken heart"),
    ('💕', "two hearts"), ('💖', "sparkling heart"), ('💙', "blue heart"), ('💚', "green heart"),
    ('💛', "yellow heart"), ('💜', "purple heart"), ('💡', "light bulb"), ('💥', "collision"), ('💩', "pile of poo"),
    ('💪', "flexed biceps"), ('💬', "speech balloon"), ('💯', "hundred points"), ('💰', "money bag"),
    ('💻', "laptop"), ('📅', "calendar"), ('📈', "chart increasing"), ('📉', "chart decreasing"), ('📌', "pushpin"),
    ('📎', "paperclip"), ('📞', "telephone"), ('📢', "loudspeaker"), ('📧', "e mail"), ('📱', "mobile phone"),
    ('📷', "camera"), ('🔊', "loud speaker"), ('🔍', "magnifying glass"), ('🔑', "key"), ('🔒', "locked"),
    ('🔔', "bell"), ('🔥', "fire"), ('🕐', "one o'clock"), ('😀', "grinning face"), ('😁', "beaming face"),
    ('😂', "face with tears of joy"), ('😃', "grinning face"), ('😄', "grinning face"), ('😅', "grinning face with sweat"),
    ('😆', "grinning face"), ('😇', "smiling face with halo"), ('😉', "winking face"), ('😊', "smiling face"),
    ('😋', "face savoring food"), ('😍', "smiling face with heart eyes"), ('😎', "smiling face with sunglasses"),
    ('😏', "smirking face"), ('😐', "neutral face"), ('😔', "pensive face"), ('😘', "face blowing a kiss"),
    ('😛', "face with tongue"), ('😜', "winking face with tongue"), ('😞', "disappointed face"),
    ('😠', "angry face"), ('😡', "angry face"), ('😢', "crying face"), ('😭', "loudly crying face"),
    ('😱', "screaming face"), ('😳', "flushed face"), ('😴', "sleeping face"), ('🙁', "frowning face"),
    ('🙂', "smiling face"), ('🙃', "upside down face"), ('🙄', "face with rolling eyes"), ('🙈', "see no evil monkey"),
    ('🙌', "raising hands"), ('🙏', "folded hands"), ('🚀', "rocket"), ('🚗', "car"), ('🚨', "police light"),
    ('🚫', "prohibited"), ('🤔', "thinking face"), ('🤖', "robot"), ('🤗', "hugging face"), ('🤝', "handshake"),
    ('🤞', "crossed fingers"), ('🤣', "rolling on the floor laughing"), ('🤦', "face palm"), ('🤷', "shrug"),
    ('🥰', "smiling face with hearts"), ('🥳', "partying face"), ('🥺', "pleading face"), ('🧠', "brain"),
];

fn name(c: char) -> Option<&'static str> {
    let at = NAMES.binary_search_by_key(&c, |(emoji, _)| *emoji).ok()?;
    Some(NAMES[at].1)
}

/// True for an emoji with a name.
pub(super) fn has_name(c: char) -> bool {
    name(c).is_some()
}

/// Changes the colour of the emoji before it.
pub(super) fn is_skin_tone(c: char) -> bool {
    matches!(c, '\u{1f3fb}'..='\u{1f3ff}')
}

pub(super) fn read(reader: &Reader<'_>, out: &mut Spoken) -> Option<usize> {
    out.words(name(reader.mark(0)?)?);
    Some(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(NAMES.is_sorted_by(|a, b| a.0 < b.0));
    }
}
