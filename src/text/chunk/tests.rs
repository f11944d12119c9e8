use super::*;

/// Pushes `text` in parts of `size` bytes, taking chunks after each.
fn run(text: &str, size: usize) -> (Chunker, usize) {
    let mut chunker = Chunker::new(ChunkerConfig::default());
    let mut largest = 0;
    for mut part in text.as_bytes().chunks(size) {
        while !part.is_empty() {
            part = &part[chunker.push(part).unwrap()..];
            while chunker.next_chunk(Pace::PATIENT).is_some() {}
            largest = largest.max(chunker.pending.memory());
        }
    }
    (chunker, largest)
}

#[test]
fn work_grows_with_the_text_and_not_with_the_pushes() {
    // Counts, not clocks: how often something is read or tried, and how many items are looked at.
    for unit in
        ["word ", "The robot, it paid $3.50 on May 3rd at 10:30 p.m. ", "USA 5 ", "a", "1 ", "No. ", "x-"]
    {
        let text = unit.repeat(100_000 / unit.len());
        let (mut work, mut pieces) = (Vec::new(), 0);
        for length in [text.len() / 10, text.len()] {
            let text = &text[..length];
            let (chunker, _) = run(text, 1);
            pieces = super::super::scan::Scanner::scan(text, super::super::Language::English).pieces.len();
            work.push(chunker.pending.attempts + chunker.pending.looks);
        }
        assert!(work[1] <= 11 * work[0] + 100, "{unit:?}: {work:?}");
        let most = 3 * text.len() + 20 * pieces;
        assert!(work[1] <= most, "{unit:?}: {work:?} for {pieces} pieces");
    }
}

#[test]
fn memory_does_not_grow_with_the_text() {
    for unit in ["word ", " ", "a", "1", "\n", "-", "мир", "\u{200b}", "It is 5. ", "\u{301}"] {
        let text = unit.repeat(300_000 / unit.len());
        let (_, small) = run(&text[..text.floor_char_boundary(30_000)], 1000);
        let (_, large) = run(&text, 1000);
        assert!(large <= small + 2000, "{unit:?}: {small} and {large} bytes and pieces");
    }
}
