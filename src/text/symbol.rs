//! Symbols with a name: `&`, `%`, `#5`, `C++`, `2 × 3`, `π`, `…/…`.

use super::quantity;
use super::reader::{Reader, Spoken};

/// Always said.
const NAMES: &[(char, &str)] = &[
    ('&', "and"),
    ('＆', "and"),
    ('@', "at"),
    ('%', "percent"),
    ('=', "equals"),
    ('\\', "backslash"),
    ('°', "degrees"),
    ('×', "times"),
    ('÷', "divided by"),
    ('±', "plus or minus"),
    ('≤', "less than or equal to"),
    ('≥', "greater than or equal to"),
    ('≠', "not equal to"),
    ('≈', "approximately"),
    ('√', "square root of"),
    ('∞', "infinity"),
    ('∑', "sum"),
    ('∂', "partial"),
    ('∆', "delta"),
    ('§', "section"),
    ('¶', "paragraph"),
    ('©', "copyright"),
    ('№', "number"),
    ('$', "dollar"),
    ('€', "euro"),
    ('£', "pound"),
    ('¥', "yen"),
    ('¢', "cent"),
    ('₹', "rupee"),
    ('²', "squared"),
    ('³', "cubed"),
    ('₀', "zero"),
    ('₁', "one"),
    ('₂', "two"),
    ('₃', "three"),
    ('₄', "four"),
    ('₅', "five"),
    ('₆', "six"),
    ('₇', "seven"),
    ('₈', "eight"),
    ('₉', "nine"),
    ('→', "to"),
    ('⇒', "implies"),
    ('℃', "degrees celsius"),
    ('℉', "degrees fahrenheit"),
    ('µ', "micro"),
    ('\u{2126}', "ohm"),
    ('α', "alpha"),
    ('β', "beta"),
    ('γ', "gamma"),
    ('Γ', "gamma"),
    ('δ', "delta"),
    ('Δ', "delta"),
    ('ε', "epsilon"),
    ('ζ', "zeta"),
    ('η', "eta"),
    ('θ', "theta"),
    ('Θ', "theta"),
    ('κ', "kappa"),
    ('λ', "lambda"),
    ('Λ', "lambda"),
    ('μ', "mu"),
    ('ν', "nu"),
    ('ξ', "xi"),
    ('π', "pi"),
    ('ρ', "rho"),
    ('σ', "sigma"),
    ('Σ', "sigma"),
    ('τ', "tau"),
    ('φ', "phi"),
    ('χ', "chi"),
    ('ψ', "psi"),
    ('ω', "omega"),
    ('\u{3a9}', "omega"),
];
/// Said between numbers only.
const BETWEEN_NUMBERS: &[(char, &str)] = &[
    ('*', "times"),
    ('^', "to the power of"),
    ('<', "less than"),
    ('>', "greater than"),
    ('-', "minus"),
    ('\u{2212}', "minus"),
];

pub(super) fn read(reader: &Reader<'_>, out: &mut Spoken) -> Option<usize> {
    let mark = reader.mark(0)?;
    let touches_word = |ahead: isize| reader.word(ahead).is_some() || reader.number(ahead).is_some();
    match mark {
        '#' if reader.number(1).is_some() => {
            out.words("number");
            let label = quantity::read_label(reader, 1, out);
            return Some(1 + usize::from(label.is_some()));
        }
        // `#A1234`
        '#' if reader.word(1).is_some_and(is_upper) && reader.number(2).is_some() => out.words("number"),
        '#' if reader.word(1).is_some() => out.words(if reader.is_start() { "hashtag" } else { "sharp" }),
        '#' if touches_word(-1) => out.words("sharp"),
        // `C++`, `a + b`; alone at the start of a line it is a bullet.
        '+' if !(reader.starts_line(0) && reader.is_gap(1)) => out.words("plus"),
        // `main.rs`, `2.next`: not the end of a sentence.
        '.' if touches_word(-1) && (reader.number(1).is_some() || reader.word(1).is_some_and(starts_low)) => {
            out.words("dot");
        }
        '~' if reader.mark(1) == Some('/') => out.words("tilde"),
        '.' if reader.mark(1) == Some('/') && reader.is_gap(-1) => out.words("dot"),
        '.' if reader.is_gap(-1) && reader.word(1).is_some_and(|word| starts_low(word) || word == "NET") => {
            out.words("dot");
        }
        ':' if reader.mark(1) == Some('\\') => out.words("colon"),
        '<' | '>' if is_bound(reader) => {
            out.words(if mark == '<' { "less than" } else { "greater than" });
        }
        // `/usr`, `5 / 3`; between words, as in `and/or`, it is silent.
        '/' if between_numbers(reader) => out.words("over"),
        '/' if !touches_word(-1) && touches_word(1) => out.words("slash"),
        '/' if touches_word(-1) && touches_word(1) && is_path(reader) => out.words("slash"),
        _ => {
            let between =
                || BETWEEN_NUMBERS.iter().find(|(sign, _)| *sign == mark && between_numbers(reader));
            let (_, words) = NAMES.iter().find(|(sign, _)| *sign == mark).or_else(between)?;
            out.words(words);
        }
    }
    Some(1)
}

/// `x > 3`, `under <5 minutes`: no bracket, and no line quoted.
fn is_bound(reader: &Reader<'_>) -> bool {
    let is_behind_letter = || reader.word_before().is_some_and(|word| word.chars().count() == 1);
    let is_before_number = reader.is_start() && reader.number(1).is_some() && reader.mark(2) != Some('>');
    is_before_number || reader.is_space(1) && reader.number(2).is_some() && is_behind_letter()
}

fn is_upper(word: &str) -> bool {
    word.chars().all(char::is_uppercase)
}

fn starts_low(word: &str) -> bool {
    word.chars().next().is_some_and(char::is_lowercase)
}

/// True if a number stands on both sides, at most one space away.
fn between_numbers(reader: &Reader<'_>) -> bool {
    let before = if reader.is_space(-1) { -2 } else { -1 };
    if reader.number(before).is_none() {
        return false;
    }
    // `x = -5`, `3 - (4)`
    let after = reader.skip_space(1);
    reader.number(after).is_some() || reader.mark(after) == Some('(')
}

/// True inside `/usr/bin`: a stroke stands before the word on the left.
fn is_path(reader: &Reader<'_>) -> bool {
    reader.mark(-2) == Some('/') || reader.mark(-2) == Some('~')
}
