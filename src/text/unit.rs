//! Units after a number: `5 km`, `60mph`, `21°C`, `30 m/s²`, `10 MB/s`.

use super::abbreviation;
use super::reader::Reader;

/// Symbol, singular, plural. Case matters: `MB` and `Mb`, `g` and `G` differ. Longer symbols first where one begins another.
const UNITS: &[(&str, &str, &str)] = &[
    // Length.
    ("km", "kilometer", "kilometers"),
    ("cm", "centimeter", "centimeters"),
    ("mm", "millimeter", "millimeters"),
    ("µm", "micrometer", "micrometers"),
    ("μm", "micrometer", "micrometers"),
    ("nm", "nanometer", "nanometers"),
    ("m", "meter", "meters"),
    ("mi", "mile", "miles"),
    ("yd", "yard", "yards"),
    ("yds", "yard", "yards"),
    ("ft", "foot", "feet"),
    ("sq ft", "square foot", "square feet"),
    ("sq. ft.", "square foot", "square feet"),
    ("sq m", "square meter", "square meters"),
    ("sq mi", "square mile", "square miles"),
    // Area and volume.
    ("ha", "hectare", "hectares"),
    ("cc", "cubic centimeter", "cubic centimeters"),
    ("L", "liter", "liters"),
    ("l", "liter", "liters"),
    ("dl", "deciliter", "deciliters"),
    ("cl", "centiliter", "centiliters"),
    ("ml", "milliliter", "milliliters"),
    ("mL", "milliliter", "milliliters"),
    ("gal", "gallon", "gallons"),
    ("qt", "quart", "quarts"),
    ("tsp", "teaspoon", "teaspoons"),
    ("tbsp", "tablespoon", "tablespoons"),
    ("fl oz", "fluid ounce", "fluid ounces"),
    // Mass.
    ("kg", "kilogram", "kilograms"),
    ("Kg", "kilogram", "kilograms"),
    ("g", "gram", "grams"),
    ("mg", "milligram", "milligrams"),
    ("µg", "microgram", "micrograms"),
    ("μg", "microgram", "micrograms"),
    ("lb", "pound", "pounds"),
    ("lbs", "pound", "pounds"),
    ("oz", "ounce", "ounces"),
    // Time.
    ("h", "hour", "hours"),
    ("hr", "hour", "hours"),
    ("hrs", "hour", "hours"),
    ("min", "minute", "minutes"),
    ("mins", "minute", "minutes"),
    ("s", "second", "seconds"),
    ("sec", "second", "seconds"),
    ("secs", "second", "seconds"),
    ("ms", "millisecond", "milliseconds"),
    ("µs", "microsecond", "microseconds"),
    ("μs", "microsecond", "microseconds"),
    ("us", "microsecond", "microseconds"),
    ("ns", "nanosecond", "nanoseconds"),
    ("yr", "year", "years"),
    ("yrs", "year", "years"),
    // Speed.
    ("mph", "mile per hour", "miles per hour"),
    ("kph", "kilometer per hour", "kilometers per hour"),
    ("kmh", "kilometer per hour", "kilometers per hour"),
    ("kn", "knot", "knots"),
    ("kts", "knot", "knots"),
    ("rpm", "revolution per minute", "revolutions per minute"),
    ("RPM", "revolution per minute", "revolutions per minute"),
    ("fps", "frame per second", "frames per second"),
    ("bpm", "beat per minute", "beats per minute"),
    ("mpg", "mile per gallon", "miles per gallon"),
    // Temperature and angle.
    ("°C", "degree celsius", "degrees celsius"),
    ("° C", "degree celsius", "degrees celsius"),
    ("ºC", "degree celsius", "degrees celsius"),
    ("℃", "degree celsius", "degrees celsius"),
    ("°F", "degree fahrenheit", "degrees fahrenheit"),
    ("° F", "degree fahrenheit", "degrees fahrenheit"),
    ("ºF", "degree fahrenheit", "degrees fahrenheit"),
    ("℉", "degree fahrenheit", "degrees fahrenheit"),
    ("°K", "kelvin", "kelvin"),
    ("°", "degree", "degrees"),
    ("º", "degree", "degrees"),
    // Data.
    ("KB", "kilobyte", "kilobytes"),
    ("kB", "kilobyte", "kilobytes"),
    ("MB", "megabyte", "megabytes"),
    ("GB", "gigabyte", "gigabytes"),
    ("TB", "terabyte", "terabytes"),
    ("PB", "petabyte", "petabytes"),
    ("KiB", "kibibyte", "kibibytes"),
    ("MiB", "mebibyte", "mebibytes"),
    ("GiB", "gibibyte", "gibibytes"),
    ("TiB", "tebibyte", "tebibytes"),
    ("kb", "kilobit", "kilobits"),
    ("Kb", "kilobit", "kilobits"),
    ("Mb", "megabit", "megabits"),
    ("Gb", "gigabit", "gigabits"),
    ("kbps", "kilobit per second", "kilobits per second"),
    ("Kbps", "kilobit per second", "kilobits per second"),
    ("kbit", "kilobit", "kilobits"),
    ("Mbit", "megabit", "megabits"),
    ("Gbit", "gigabit", "gigabits"),
    ("Mbps", "megabit per second", "megabits per second"),
    ("Gbps", "gigabit per second", "gigabits per second"),
    ("px", "pixel", "pixels"),
    ("MP", "megapixel", "megapixels"),
    ("dpi", "dot per inch", "dots per inch"),
    // Electricity, energy, sound.
    ("V", "volt", "volts"),
    ("mV", "millivolt", "millivolts"),
    ("kV", "kilovolt", "kilovolts"),
    ("mA", "milliamp", "milliamps"),
    ("mAh", "milliamp hour", "milliamp hours"),
    ("Ah", "amp hour", "amp hours"),
    ("W", "watt", "watts"),
    ("mW", "milliwatt", "milliwatts"),
    ("kW", "kilowatt", "kilowatts"),
    ("MW", "megawatt", "megawatts"),
    ("GW", "gigawatt", "gigawatts"),
    ("Wh", "watt hour", "watt hours"),
    ("kWh", "kilowatt hour", "kilowatt hours"),
    ("KWh", "kilowatt hour", "kilowatt hours"),
    ("MWh", "megawatt hour", "megawatt hours"),
    ("\u{3a9}", "ohm", "ohms"),
    ("\u{2126}", "ohm", "ohms"),
    ("k\u{3a9}", "kilohm", "kilohms"),
    ("hp", "horsepower", "horsepower"),
    ("cal", "calorie", "calories"),
    ("kcal", "kilocalorie", "kilocalories"),
    ("kJ", "kilojoule", "kilojoules"),
    ("Hz", "hertz", "hertz"),
    ("kHz", "kilohertz", "kilohertz"),
    ("KHz", "kilohertz", "kilohertz"),
    ("MHz", "megahertz", "megahertz"),
    ("GHz", "gigahertz", "gigahertz"),
    ("THz", "terahertz", "terahertz"),
    ("dB", "decibel", "decibels"),
    ("dBA", "decibel", "decibels"),
    // Pressure and concentration.
    ("Pa", "pascal", "pascals"),
    ("hPa", "hectopascal", "hectopascals"),
    ("kPa", "kilopascal", "kilopascals"),
    ("MPa", "megapascal", "megapascals"),
    ("mbar", "millibar", "millibars"),
    ("mmHg", "millimeter of mercury", "millimeters of mercury"),
    ("psi", "pound per square inch", "pounds per square inch"),
    ("ppm", "part per million", "parts per million"),
    ("ppb", "part per billion", "parts per billion"),
    ("Nm", "newton meter", "newton meters"),
    ("lux", "lux", "lux"),
    ("lm", "lumen", "lumens"),
    // Share.
    ("%", "percent", "percent"),
    ("‰", "per mille", "per mille"),
    ("pct", "percent", "percent"),
    ("pct.", "percent", "percent"),
];

/// Only right behind the digits: elsewhere these are words or letters.
const ATTACHED_ONLY: &[&str] = &["in", "us", "l", "º", "MP", "PB", "kn", "cal"];
/// Units that are English words too.
const ATTACHED_UNITS: &[(&str, &str, &str)] = &[("in", "inch", "inches")];

/// Written with a dot or without.
const DOTTED: &[&str] = &[
    "ft", "gal", "hr", "hrs", "in", "lb", "lbs", "mi", "min", "mins", "oz", "pt", "qt", "sec", "tbsp", "tsp",
    "yd", "yr",
];

/// Exponents behind a length.
const POWERS: &[(&str, &str)] = &[("²", "square"), ("³", "cubic"), ("^2", "square"), ("^3", "cubic")];
/// Exponents below a fraction stroke: per second *squared*.
const POWERS_BELOW: &[(&str, &str)] = &[("²", "squared"), ("³", "cubed"), ("^2", "squared"), ("^3", "cubed")];

/// A unit found behind a number.
pub(super) struct Unit {
    pub singular: String,
    pub plural: String,
    /// How many pieces it takes, the space before it included.
    pub pieces: isize,
}

/// The unit `ahead` pieces from here, behind a number and perhaps one space.
pub(super) fn at(reader: &Reader<'_>, ahead: isize) -> Option<Unit> {
    let start = reader.skip_space(ahead);
    let (symbol, singular, plural) = find(reader, start, start == ahead)?;
    let mut unit = Unit { singular: (*singular).to_owned(), plural: (*plural).to_owned(), pieces: 0 };
    let mut end = start + reader.pieces_in(start, symbol.len())?;
    let rest = reader.rest(end);
    if let Some((sign, power)) = POWERS.iter().find(|(sign, _)| reader.begins(rest, sign)) {
        unit.singular = format!("{power} {singular}");
        unit.plural = format!("{power} {plural}");
        end += reader.pieces_in(end, sign.len())?;
    }
    if reader.mark(end) == Some('/') {
        // `5 km/walk` has no unit below the stroke: then the stroke is not ours.
        if let Some((below, name, _)) = find(reader, end + 1, true) {
            unit.singular = format!("{} per {name}", unit.singular);
            unit.plural = format!("{} per {name}", unit.plural);
            end += 1 + reader.pieces_in(end + 1, below.len())?;
            let rest = reader.rest(end);
            if let Some((sign, power)) = POWERS_BELOW.iter().find(|(sign, _)| reader.begins(rest, sign)) {
                unit.singular = format!("{} {power}", unit.singular);
                unit.plural = format!("{} {power}", unit.plural);
                end += reader.pieces_in(end, sign.len())?;
            }
        }
    }
    // `12 lb. of coffee`
    if DOTTED.contains(symbol) {
        end = abbreviation::end_with_dot(reader, end);
    }
    unit.pieces = end - ahead;
    Some(unit)
}

/// The longest symbol that stands there whole.
fn find(
    reader: &Reader<'_>,
    ahead: isize,
    attached: bool,
) -> Option<&'static (&'static str, &'static str, &'static str)> {
    let text = reader.rest(ahead);
    let stands = |symbol: &str| {
        if !reader.begins(text, symbol) {
            return false;
        }
        let rest = &text[symbol.len()..];
        if rest.is_empty() {
            reader.reach_end();
        }
        let word_goes_on = symbol.ends_with(char::is_alphabetic)
            && rest.starts_with(|c: char| {
                c.is_alphanumeric() && !"²³".contains(c) || c == '\'' || c == '\u{2019}'
            });
        !word_goes_on
    };
    let attached_units = ATTACHED_UNITS.iter().filter(|_| attached);
    UNITS
        .iter()
        .chain(attached_units)
        .filter(|(symbol, ..)| stands(symbol) && (attached || !ATTACHED_ONLY.contains(symbol)))
        .max_by_key(|(symbol, ..)| symbol.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_distinct() {
        for (i, (symbol, singular, plural)) in UNITS.iter().enumerate() {
            assert!(UNITS[i + 1..].iter().all(|(other, ..)| other != symbol), "{symbol} twice");
            let spoken = |words: &str| words.split(' ').all(|w| w.bytes().all(|b| b.is_ascii_lowercase()));
            assert!(spoken(singular) && spoken(plural), "{symbol}");
        }
    }
}
