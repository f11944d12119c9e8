//! Bytes become text; what is not UTF-8 is replaced.

use std::str;

/// Makes valid text of bytes that come in parts: each part of a bad sequence becomes U+FFFD, wherever the parts are cut.
#[derive(Debug, Clone, Default)]
pub struct Utf8Repair {
    /// The first bytes of a character whose others have not come.
    partial: [u8; 4],
    partial_bytes: usize,
}

impl Utf8Repair {
    /// Appends what the bytes say to `text`, and calls `repaired` with the byte of `text` where something was replaced.
    pub fn push(&mut self, mut bytes: &[u8], text: &mut String, mut repaired: impl FnMut(usize)) {
        while self.partial_bytes > 0 {
            let Some((&byte, rest)) = bytes.split_first() else { return };
            self.partial[self.partial_bytes] = byte;
            match str::from_utf8(&self.partial[..=self.partial_bytes]) {
                Ok(character) => {
                    text.push_str(character);
                    self.partial_bytes = 0;
                    bytes = rest;
                }
                Err(error) if error.error_len().is_none() => {
                    self.partial_bytes += 1;
                    bytes = rest;
                }
                // The byte belongs to the next character.
                Err(_) => self.finish(text, &mut repaired),
            }
        }
        for part in bytes.utf8_chunks() {
            text.push_str(part.valid());
            let bad = part.invalid();
            let may_go_on = str::from_utf8(bad).is_err_and(|error| error.error_len().is_none());
            let is_last = bad.as_ptr_range().end == bytes.as_ptr_range().end;
            if may_go_on && is_last {
                self.partial_bytes = bad.len();
                self.partial[..bad.len()].copy_from_slice(bad);
            } else if !bad.is_empty() {
                repaired(text.len());
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
    }

    /// Ends the text: a character that has not come whole is replaced.
    pub fn finish(&mut self, text: &mut String, mut repaired: impl FnMut(usize)) {
        if self.partial_bytes > 0 {
            repaired(text.len());
            text.push(char::REPLACEMENT_CHARACTER);
            self.partial_bytes = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn repair(parts: &[&[u8]]) -> (String, Vec<usize>) {
        let (mut repair, mut text, mut places) = (Utf8Repair::default(), String::new(), Vec::new());
        for part in parts {
            repair.push(part, &mut text, |at| places.push(at));
        }
        repair.finish(&mut text, |at| places.push(at));
        (text, places)
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_parts_are_as_the_standard_library_has_them(
            bytes in prop::collection::vec(
                prop_oneof![any::<u8>(), prop::sample::select(b"\xf0\x9f\xa4\x96\xe2\x82\xac\xc3\xa9a\xed\xa0".to_vec())],
                0..40,
            ),
            cuts in prop::collection::vec(0usize..40, 0..6),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let parts: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            let (text, places) = repair(&parts);
            prop_assert_eq!(&text, &String::from_utf8_lossy(&bytes));
            let replaced = text.matches(char::REPLACEMENT_CHARACTER).count();
            prop_assert!(places.len() <= replaced);
            prop_assert_eq!(places.is_empty(), std::str::from_utf8(&bytes).is_ok());
            prop_assert!(places.iter().all(|&at| text[at..].starts_with(char::REPLACEMENT_CHARACTER)));
        }
    }

    #[test]
    fn a_bad_byte_is_replaced_and_said() {
        assert_eq!(repair(&[b"good \xff", b"\xfe morning \xe2\x82"]).1, [5, 8, 20]);
        assert_eq!(repair(&[b"\xe2\x82", b"A"]), ("\u{fffd}A".into(), vec![0]));
        assert_eq!(repair(&[b"\xe2\x82", b"", b"\xac"]), ("€".into(), vec![]));
        assert_eq!(repair(&["\u{fffd}".as_bytes()]).1, [0; 0], "one that was there is no repair");
    }
}
