//! Amounts of money: `$3.50`, `£5 million`, `5 €`, `$10-20`, `USD 300`, `50¢`.

use super::number::{Numeral, cardinal};
use super::reader::{Reader, Spoken};
use super::unit;

/// A currency and its hundredth.
struct Currency {
    signs: &'static [&'static str],
    singular: &'static str,
    plural: &'static str,
    cent: &'static str,
    cents: &'static str,
}

const CURRENCIES: &[Currency] = &[
    Currency {
        signs: &["$", "US$", "USD"],
        singular: "dollar",
        plural: "dollars",
        cent: "cent",
        cents: "cents",
    },
    Currency { signs: &["£", "GBP"], singular: "pound", plural: "pounds", cent: "penny", cents: "pence" },
    Currency { signs: &["€", "EUR"], singular: "euro", plural: "euros", cent: "cent", cents: "cents" },
    Currency { signs: &["¥", "JPY", "￥"], singular: "yen", plural: "yen", cent: "", cents: "" },
    Currency { signs: &["₹", "INR"], singular: "rupee", plural: "rupees", cent: "paisa", cents: "paise" },
    Currency { signs: &["₩", "KRW"], singular: "won", plural: "won", cent: "", cents: "" },
    Currency {
        signs: &["₽", "RUB"], singular: "ruble", plural: "rubles", cent: "kopeck", cents: "kopecks"
    },
    Currency { signs: &["₺", "TRY"], singular: "lira", plural: "lira", cent: "", cents: "" },
    Currency { signs: &["₿", "BTC"], singular: "bitcoin", plural: "bitcoins", cent: "", cents: "" },
    Currency {
        signs: &["CHF"],
        singular: "swiss franc",
        plural: "swiss francs",
        cent: "centime",
        cents: "centimes",
    },
    Currency {
        signs: &["C$", "CA$", "CAD"],
        singular: "canadian dollar",
        plural: "canadian dollars",
        cent: "cent",
        cents: "cents",
    },
    Currency {
        signs: &["A$", "AU$", "AUD"],
        singular: "australian dollar",
        plural: "australian dollars",
        cent: "cent",
        cents: "cents",
    },
];

/// Words and letters that multiply an amount. Letters stand right behind the digits or after one space.
const MAGNITUDES: &[(&str, &str)] = &[
    ("hundred", "hundred"),
    ("thousand", "thousand"),
    ("million", "million"),
    ("billion", "billion"),
    ("trillion", "trillion"),
    ("k", "thousand"),
    ("K", "thousand"),
    ("m", "million"),
    ("M", "million"),
    ("mn", "million"),
    ("mm", "million"),
    ("b", "billion"),
    ("B", "billion"),
    ("bn", "billion"),
    ("t", "trillion"),
    ("T", "trillion"),
    ("tn", "trillion"),
];

pub(super) fn read(reader: &Reader<'_>, out: &mut Spoken) -> Option<usize> {
    read_signed(reader, out).or_else(|| {
        out.clear();
        read_trailing(reader, out)
    })
}

/// `$5`, `-$5`, `US$ 5`.
fn read_signed(reader: &Reader<'_>, out: &mut Spoken) -> Option<usize> {
    let minus = matches!(reader.mark(0), Some('-' | '\u{2212}')) && reader.is_start();
    let start = isize::from(minus);
    let (currency, end) = currency_at(reader, start).filter(|_| minus || reader.is_start())?;
    let at = reader.skip_space(end);
    let amount = Numeral::at(reader, at)?;
    if minus {
        out.words("minus");
    }
    let end = read_amount(
        reader,
        &Amount { currency, amount: &amount, end: at + amount.pieces, is_upper: false },
        out,
    );
    usize::try_from(end).ok()
}

/// `5 €`, `300 USD`, `50¢`.
fn read_trailing(reader: &Reader<'_>, out: &mut Spoken) -> Option<usize> {
    let amount = Numeral::at(reader, 0).filter(|_| reader.is_start())?;
    if reader.mark(amount.pieces) == Some('¢') {
        amount.read(out);
        out.words(if amount.is_one() { "cent" } else { "cents" });
        return usize::try_from(amount.pieces + 1).ok();
    }
    let (currency, end) = currency_at(reader, reader.skip_space(amount.pieces))?;
    // `5 $3 bills`: the sign belongs to the number behind it.
    if reader.number(end).is_some() {
        return None;
    }
    read_amount(reader, &Amount { currency, amount: &amount, end: amount.pieces, is_upper: false }, out);
    usize::try_from(end).ok()
}

/// The currency whose sign is there, and where the sign ends.
fn currency_at(reader: &Reader<'_>, ahead: isize) -> Option<(&'static Currency, isize)> {
    let rest = reader.rest(ahead);
    let signs =
        CURRENCIES.iter().flat_map(|currency| currency.signs.iter().map(move |sign| (currency, sign)));
    let (currency, sign) =
        signs.filter(|(_, sign)| reader.begins(rest, sign)).max_by_key(|(_, sign)| sign.len())?;
    let end = ahead + reader.pieces_in(ahead, sign.len())?;
    Some((currency, end))
}

/// `a $5 bill`: an article before the amount, and a word behind it.
fn is_attribute(reader: &Reader<'_>, end: isize) -> bool {
    reader.word_before().is_some_and(|word| matches!(word, "a" | "A" | "an"))
        && reader.is_space(end)
        && reader.word(end + 1).is_some()
}

struct Amount<'a> {
    currency: &'static Currency,
    amount: &'a Numeral<'a>,
    /// Where the numeral ends.
    end: isize,
    /// True for the upper end of a range.
    is_upper: bool,
}

/// Writes the amount, with a magnitude or a range behind it, and returns where it ends.
fn read_amount(reader: &Reader<'_>, money: &Amount<'_>, out: &mut Spoken) -> isize {
    let Amount { currency, amount, mut end, is_upper } = *money;
    let space = reader.skip_space(end);
    let magnitude = reader.word(space).and_then(|word| {
        let (name, magnitude) = MAGNITUDES.iter().find(|(name, _)| *name == word)?;
        // `$5 m` is unusual, `$5 k` a typing error: a single letter stands close.
        (name.len() > 1 || space == end).then_some(*magnitude)
    });
    if let Some(magnitude) = magnitude {
        amount.read(out);
        out.words(magnitude);
        out.words(if is_attribute(reader, space + 1) { currency.singular } else { currency.plural });
        return space + 1;
    }
    // `$5-10`, `$5–$10`; a longer chain is none.
    if let (Some('-' | '\u{2013}'), false) = (reader.mark(end), is_upper) {
        let at = currency_at(reader, end + 1).map_or(end + 1, |(_, at)| at);
        if let Some(upper) = Numeral::at(reader, at) {
            amount.read(out);
            out.words("to");
            let upper = Amount { currency, amount: &upper, end: at + upper.pieces, is_upper: true };
            return read_amount(reader, &upper, out);
        }
    }
    match amount.fraction {
        Some(cents) if cents.len() == 2 && !currency.cents.is_empty() => {
            read_with_cents(currency, &amount.whole, cents, out);
        }
        _ => {
            amount.read(out);
            let is_singular = amount.is_one() || is_attribute(reader, end);
            out.words(if is_singular { currency.singular } else { currency.plural });
        }
    }
    // `$5/hour`, `$3/kg`
    if reader.mark(end) == Some('/') {
        let per = unit::at(reader, end + 1).map(|unit| (unit.singular, unit.pieces));
        let per = per.or_else(|| reader.word(end + 1).map(|word| (word.to_lowercase(), 1)));
        if let Some((name, pieces)) = per.filter(|(name, _)| name.is_ascii()) {
            out.words("per");
            out.words(&name);
            end += 1 + pieces;
        }
    }
    end
}

fn read_with_cents(currency: &Currency, whole: &str, cents: &str, out: &mut Spoken) {
    let (no_whole, no_cents) = (whole.bytes().all(|b| b == b'0'), cents == "00");
    if !no_whole || no_cents {
        cardinal(whole, out);
        out.words(if whole == "1" { currency.singular } else { currency.plural });
    }
    if !no_cents {
        if !no_whole {
            out.words("and");
        }
        cardinal(cents, out);
        out.words(if cents == "01" { currency.cent } else { currency.cents });
    }
}
