//! Cuts a text into pieces: words, digits, spaces, and single marks. What cannot be read at all is set aside.

use super::fold::{Fold, fold};
use super::{MAX_WORD_LETTERS, Unspoken, UnspokenKind};

/// What a piece is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Latin letters, with inner apostrophes and ignorable characters.
    Word,
    /// ASCII digits.
    Number,
    /// White space, or characters left out.
    Space,
    /// White space with an empty line in it.
    Paragraph,
    /// One punctuation mark or symbol.
    Mark,
}

/// A piece of the text, by its byte range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
}

/// The pieces cover the text, but for ignorable characters outside words.
pub(super) struct Scan {
    pub pieces: Vec<Piece>,
    pub unspoken: Vec<Unspoken>,
}

/// Letters of a word too long to be one are taken in parts of this many.
const PART_LETTERS: usize = MAX_WORD_LETTERS / 4;

pub(super) fn scan(text: &str) -> Scan {
    let mut scan = Scan { pieces: Vec::new(), unspoken: Vec::new() };
    let mut rest = text.char_indices().peekable();
    while let Some((start, c)) = rest.next() {
        let after = start + c.len_utf8();
        match fold(c) {
            Fold::Letters(_) => {
                let end = word_end(text, start);
                while rest.next_if(|(at, _)| *at < end).is_some() {}
                push_word(&mut scan.pieces, text, start, end);
            }
            Fold::Digit => {
                let mut end = after;
                while let Some((at, digit)) = rest.next_if(|(_, c)| c.is_ascii_digit()) {
                    end = at + digit.len_utf8();
                }
                scan.pieces.push(Piece { kind: Kind::Number, start, end });
            }
            Fold::Space => push_space(&mut scan.pieces, text, start, after),
            Fold::Ignorable => {}
            Fold::Mark => scan.pieces.push(Piece { kind: Kind::Mark, start, end: after }),
            // One Greek letter is a symbol with a name; a Greek word is another language.
            Fold::Unspoken(UnspokenKind::Script)
                if is_greek(c)
                    && !text[..start].chars().next_back().is_some_and(is_greek)
                    && !rest.peek().is_some_and(|(_, next)| is_greek(*next)) =>
            {
                scan.pieces.push(Piece { kind: Kind::Mark, start, end: after });
            }
            Fold::Unspoken(kind) => {
                push_unspoken(&mut scan.unspoken, kind, start, after);
                push_space(&mut scan.pieces, text, start, after);
            }
        }
    }
    scan
}

/// Where the word that begins at `start` ends: letters, ignorable characters, and apostrophes between letters.
fn word_end(text: &str, start: usize) -> usize {
    let mut end = start;
    let mut apostrophe = false;
    for (at, c) in text[start..].char_indices() {
        match fold(c) {
            Fold::Letters(_) => {
                end = start + at + c.len_utf8();
                apostrophe = false;
            }
            Fold::Ignorable => {}
            Fold::Mark if is_apostrophe(c) && !apostrophe => apostrophe = true,
            _ => break,
        }
    }
    end
}

pub(super) fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '\u{2019}' | '\u{2bc}' | '\u{ff07}')
}

fn is_greek(c: char) -> bool {
    matches!(c, '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}')
}

fn push_word(pieces: &mut Vec<Piece>, text: &str, start: usize, end: usize) {
    let word = &text[start..end];
    // Bytes bound letters from above, so that ordinary words are not counted.
    if word.len() <= MAX_WORD_LETTERS || word.chars().count() <= MAX_WORD_LETTERS {
        pieces.push(Piece { kind: Kind::Word, start, end });
        return;
    }
    let mut from = start;
    for (count, (at, c)) in word.char_indices().enumerate() {
        let at = start + at;
        // A part begins with a letter, as any word does.
        if count > 0 && at > from && count % PART_LETTERS == 0 && matches!(fold(c), Fold::Letters(_)) {
            pieces.push(Piece { kind: Kind::Word, start: from, end: at });
            from = at;
        }
    }
    pieces.push(Piece { kind: Kind::Word, start: from, end });
}

fn push_space(pieces: &mut Vec<Piece>, text: &str, start: usize, end: usize) {
    match pieces.last_mut() {
        Some(last) if matches!(last.kind, Kind::Space | Kind::Paragraph) => {
            // A second line end in one run of white space is an empty line.
            let ends_line = |byte: u8| byte == b'\n';
            let line_ended = || text[last.start..last.end].bytes().any(ends_line);
            if last.kind == Kind::Space && ends_line(text.as_bytes()[start]) && line_ended() {
                last.kind = Kind::Paragraph;
            }
            last.end = end;
        }
        _ => pieces.push(Piece { kind: Kind::Space, start, end }),
    }
}

fn push_unspoken(list: &mut Vec<Unspoken>, kind: UnspokenKind, start: usize, end: usize) {
    match list.last_mut() {
        Some(last) if last.kind == kind && last.source.end == start => last.source.end = end,
        _ => list.push(Unspoken { kind, source: start..end }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<(Kind, &str)> {
        scan(text).pieces.iter().map(|p| (p.kind, &text[p.start..p.end])).collect()
    }

    #[test]
    fn cuts_words_numbers_and_marks() {
        use Kind::*;
        assert_eq!(
            pieces("Don't pay $3, Zoë’s!"),
            [
                (Word, "Don't"),
                (Space, " "),
                (Word, "pay"),
                (Space, " "),
                (Mark, "$"),
                (Number, "3"),
                (Mark, ","),
                (Space, " "),
                (Word, "Zoë’s"),
                (Mark, "!")
            ]
        );
        assert_eq!(
            pieces("the dogs' "),
            [(Word, "the"), (Space, " "), (Word, "dogs"), (Mark, "'"), (Space, " ")]
        );
        assert_eq!(pieces("a \n\t\n b")[1], (Paragraph, " \n\t\n "));
        assert_eq!(pieces("a\nb")[1], (Space, "\n"));
    }

    #[test]
    fn ignorable_characters_do_not_cut_words() {
        assert_eq!(pieces("fast\u{ad}glow\u{200b}").len(), 1);
        assert_eq!(pieces("e\u{301}te\u{301}").len(), 1);
    }

    #[test]
    fn one_greek_letter_is_a_mark() {
        assert_eq!(pieces("π")[0], (Kind::Mark, "π"));
        assert_eq!(pieces("πι")[0], (Kind::Space, "πι"));
    }

    #[test]
    fn long_words_come_in_parts() {
        let text = "a".repeat(10_000);
        let scan = scan(&text);
        assert_eq!(scan.pieces.len(), 10_000 / PART_LETTERS);
        assert!(scan.pieces.iter().all(|p| p.end - p.start <= PART_LETTERS));
        assert_eq!(pieces(&"é".repeat(64)).len(), 1);
        assert_eq!(pieces(&"é".repeat(65)).len(), 5);
    }

    #[test]
    fn sets_aside_what_cannot_be_read() {
        let found = scan("hi 😀😀 мир\u{7}");
        let kinds: Vec<_> = found.unspoken.iter().map(|u| (u.kind, u.source.clone())).collect();
        assert_eq!(
            kinds,
            [(UnspokenKind::Emoji, 3..11), (UnspokenKind::Script, 12..18), (UnspokenKind::Control, 18..19)]
        );
    }
}
