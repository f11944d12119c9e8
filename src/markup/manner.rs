//! The attributes of `prosody` and `emphasis` as a [`Manner`].

use super::Manner;

/// The slowest and fastest, of everything together.
const RATES: std::ops::RangeInclusive<f32> = 0.25..=4.0;
/// The lowest and highest, likewise.
const MOST_SEMITONES: f32 = 24.0;
/// Nothing is heard of what is softer.
const SILENT_DB: f32 = -120.0;
const MOST_DB: f32 = 20.0;

const RATE_NAMES: &[(&str, f32)] =
    &[("x-slow", 0.5), ("slow", 0.75), ("medium", 1.0), ("default", 1.0), ("fast", 1.25), ("x-fast", 1.75)];
const PITCH_NAMES: &[(&str, f32)] =
    &[("x-low", -6.0), ("low", -3.0), ("medium", 0.0), ("default", 0.0), ("high", 3.0), ("x-high", 6.0)];
const VOLUME_NAMES: &[(&str, f32)] = &[
    ("silent", SILENT_DB),
    ("x-soft", -12.0),
    ("soft", -6.0),
    ("medium", 0.0),
    ("default", 0.0),
    ("loud", 4.0),
    ("x-loud", 8.0),
];

fn named(names: &[(&str, f32)], value: &str) -> Option<f32> {
    names.iter().find(|(name, _)| *name == value).map(|(_, value)| *value)
}

fn number(text: &str) -> Option<f32> {
    let is_plain = |c: char| c.is_ascii_digit() || matches!(c, '.' | '+' | '-');
    text.parse().ok().filter(|value: &f32| value.is_finite() && text.chars().all(is_plain))
}

fn is_signed(value: &str) -> bool {
    value.starts_with(['+', '-'])
}

/// `rate`: a name, `80%` or `1.2` of the usual; `+20%` of what surrounds it. `None` if it is none of these.
pub(super) fn rate(around: f32, value: &str) -> Option<f32> {
    let rate = match (named(RATE_NAMES, value), value.strip_suffix('%')) {
        (Some(rate), _) => rate,
        (None, Some(percent)) if is_signed(value) => around * (1.0 + number(percent)? / 100.0),
        (None, Some(percent)) => number(percent)? / 100.0,
        (None, None) if is_signed(value) => return None,
        (None, None) => number(value)?,
    };
    (rate > 0.0).then(|| rate.clamp(*RATES.start(), *RATES.end()))
}

/// `pitch`: a name, or `+2st`, `-10%` of what surrounds it.
pub(super) fn pitch(around: f32, value: &str) -> Option<f32> {
    let semitones = match (named(PITCH_NAMES, value), value.strip_suffix("st"), value.strip_suffix('%')) {
        (Some(semitones), ..) => semitones,
        (None, Some(semitones), _) if is_signed(value) => around + number(semitones)?,
        (None, None, Some(percent)) if is_signed(value) => {
            let factor = 1.0 + number(percent)? / 100.0;
            around + 12.0 * factor.max(f32::MIN_POSITIVE).log2()
        }
        _ => return None,
    };
    Some(semitones.clamp(-MOST_SEMITONES, MOST_SEMITONES))
}

/// Whether a pitch is given in hertz, which means something else for every voice.
pub(super) fn is_in_hertz(value: &str) -> bool {
    value.strip_suffix("Hz").is_some_and(|hertz| number(hertz).is_some())
}

/// `volume`: a name, or `+6dB` of what surrounds it.
pub(super) fn volume(around: f32, value: &str) -> Option<f32> {
    let db = match (named(VOLUME_NAMES, value), value.strip_suffix("dB")) {
        (Some(db), _) => db,
        (None, Some(db)) if is_signed(value) => around + number(db)?,
        _ => return None,
    };
    Some(db.clamp(SILENT_DB, MOST_DB))
}

/// `level` of `emphasis`.
pub(super) fn emphasised(around: Manner, level: &str) -> Option<Manner> {
    let (rate, semitones, db) = match level {
        "strong" => (0.85, 2.0, 3.0),
        "moderate" => (0.92, 1.0, 1.5),
        "reduced" => (1.1, -1.0, -3.0),
        "none" => (1.0, 0.0, 0.0),
        _ => return None,
    };
    Some(Manner {
        rate: (around.rate * rate).clamp(*RATES.start(), *RATES.end()),
        pitch_semitones: (around.pitch_semitones + semitones).clamp(-MOST_SEMITONES, MOST_SEMITONES),
        volume_db: (around.volume_db + db).clamp(SILENT_DB, MOST_DB),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_replace_and_signed_values_add() {
        assert_eq!(rate(2.0, "slow"), Some(0.75));
        assert_eq!((rate(2.0, "80%"), rate(2.0, "1.5")), (Some(0.8), Some(1.5)));
        assert_eq!((rate(2.0, "+50%"), rate(2.0, "-50%"), rate(2.0, "9")), (Some(3.0), Some(1.0), Some(4.0)));
        assert_eq!(
            (pitch(1.0, "high"), pitch(1.0, "+2st"), pitch(1.0, "-2.5st")),
            (Some(3.0), Some(3.0), Some(-1.5))
        );
        assert_eq!((pitch(0.0, "+100%"), pitch(0.0, "-100%")), (Some(12.0), Some(-24.0)));
        assert_eq!(
            (volume(-6.0, "loud"), volume(-6.0, "+6dB"), volume(0.0, "+99dB")),
            (Some(4.0), Some(0.0), Some(20.0))
        );
    }

    #[test]
    fn what_is_none_is_refused() {
        for value in ["", "quick", "0%", "-100%", "nan", "inf%", "+0.5", "1e3", "%"] {
            assert_eq!(rate(1.0, value), None, "{value}");
        }
        for value in ["2st", "+st", "200Hz", "10%", "+NaNst"] {
            assert_eq!(pitch(0.0, value), None, "{value}");
        }
        for value in ["6dB", "+6", "11"] {
            assert_eq!(volume(0.0, value), None, "{value}");
        }
        assert!(is_in_hertz("200Hz") && is_in_hertz("+20Hz") && !is_in_hertz("Hz"));
    }

    #[test]
    fn emphasis_adds_to_what_surrounds_it() {
        let strong = emphasised(Manner { volume_db: -6.0, ..Manner::default() }, "strong").unwrap();
        assert_eq!((strong.volume_db, strong.pitch_semitones), (-3.0, 2.0));
        assert_eq!(emphasised(Manner::default(), "very"), None);
    }
}
