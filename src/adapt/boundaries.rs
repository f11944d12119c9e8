//! Where the phones of the recordings begin and end: a table for people and other programs.

use std::fmt::Write;
use std::path::Path;

use super::pairs::Pair;
use super::{AdaptError, Alignment};
use crate::atomic_file;

/// The table's file.
const TABLE: &str = "alignment.tsv";

/// Writes `alignment.tsv` into `folder`: recording, phone, word, begin and end in seconds of the file; a line a phone.
pub(super) fn save(
    folder: &Path,
    (pairs, alignments): (&[Pair], &[Alignment]),
    hop_seconds: f64,
) -> Result<(), AdaptError> {
    let mut table = "file\tphone\tword\tbegin_s\tend_s\n".to_owned();
    for (pair, alignment) in pairs.iter().zip(alignments) {
        let rows = rows(alignment, pair.start_seconds, hop_seconds);
        for (phone, word, begin_s, end_s) in rows {
            // Writing into a string does not fail.
            let _ = writeln!(table, "{}\t{phone}\t{word}\t{begin_s:.4}\t{end_s:.4}", pair.take.name());
        }
    }
    std::fs::create_dir_all(folder).map_err(AdaptError::io(folder))?;
    let path = folder.join(TABLE);
    atomic_file::write(&path, |file| std::io::Write::write_all(file, table.as_bytes()))
        .map_err(AdaptError::io(&path))
}

/// Phone, word, begin and end; pauses without a frame are left out.
fn rows(
    alignment: &Alignment,
    start_seconds: f64,
    hop_seconds: f64,
) -> impl Iterator<Item = (String, &str, f64, f64)> {
    let timed = &alignment.timed;
    let mut frame = 0u32;
    timed.phones.iter().zip(&timed.durations_frames).filter_map(move |(phone, &frames)| {
        // A frame is named after the instant in its middle, so that a boundary lies half a hop before one.
        let at = |frame: u32| start_seconds + (f64::from(frame) - 0.5).max(0.0) * hop_seconds;
        let (begin_s, end_s) = (at(frame), at(frame + frames));
        frame += frames;
        let word = phone.word.and_then(|word| alignment.words.get(word as usize));
        (frames > 0).then(|| (phone.symbol.to_string(), word.map_or("", String::as_str), begin_s, end_s))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phoneme::Pronouncer;
    use crate::text::normalise;
    use crate::train::features::TimedPhones;

    #[test]
    fn phones_follow_one_another_from_the_start_of_speech() {
        let spoken = Pronouncer::new().pronounce(&normalise("Hi.")).unwrap();
        assert_eq!(spoken.to_string(), "^ HH AY1 .");
        let timed = TimedPhones { phones: spoken.phones, durations_frames: vec![0, 4, 10, 3] };
        let alignment = Alignment { timed, words: vec!["hi".into()], distance: 0.0 };
        let rows: Vec<_> = rows(&alignment, 1.0, 0.01).collect();
        let names: Vec<_> = rows.iter().map(|(phone, word, ..)| (phone.as_str(), *word)).collect();
        assert_eq!(names, [("HH", "hi"), ("AY1", "hi"), (".", "")]);
        let ends = rows.iter().map(|(.., end_s)| *end_s);
        let begins = rows.iter().map(|(.., begin_s, _)| *begin_s);
        for ((begin_s, end_s), want) in begins.zip(ends).zip([(1.0, 1.035), (1.035, 1.135), (1.135, 1.165)]) {
            assert!((begin_s - want.0).abs() < 1e-9 && (end_s - want.1).abs() < 1e-9, "{begin_s} {end_s}");
        }
    }
}
