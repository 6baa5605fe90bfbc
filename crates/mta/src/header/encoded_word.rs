//! Text beyond ASCII in a header field, as encoded words (RFC 2047).

use std::fmt::Write as _;

/// `text` as encoded words with the Q encoding, each of whole characters and on a line of its own. They may stand in
/// any text and in any phrase (RFC 2047 §5). `column` is how many octets stand on the line before the first one.
pub(crate) fn encoded_words(text: &str, column: usize) -> String {
    let mut words: Vec<String> = vec![String::new()];
    for c in text.chars() {
        let mut encoded = String::new();
        let mut octets = [0; 4];
        for octet in c.encode_utf8(&mut octets).bytes() {
            match octet {
                b' ' => encoded.push('_'),
                _ if octet.is_ascii_alphanumeric() => encoded.push(char::from(octet)),
                _ => {
                    // Writing to a String cannot fail.
                    let _ = write!(encoded, "={octet:02X}");
                }
            }
        }
        // A further line begins with a space.
        let before = if words.len() == 1 { column.max(1) } else { 1 };
        let room = (LINE_OCTETS_MAX - MARKS).saturating_sub(before);
        match words.last_mut() {
            Some(word) if word.len() + encoded.len() <= room => word.push_str(&encoded),
            _ => words.push(encoded),
        }
    }
    let words: Vec<_> = words.iter().map(|word| format!("{BEGIN}{word}{END}")).collect();
    words.join("\r\n ")
}

const BEGIN: &str = "=?utf-8?Q?";
const END: &str = "?=";
const MARKS: usize = BEGIN.len() + END.len();
/// Octets of a line with an encoded word, of which the word itself has at most 75 (RFC 2047 §2).
const LINE_OCTETS_MAX: usize = 76;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_an_encoded_word_is_as_long_as_rfc_2047_allows() {
        for column in [0, 1, 9, 40] {
            for text in ["ü".repeat(200), "Zustellung verzögert ".repeat(12), "用".to_owned()] {
                let line = format!("{}{}", "x".repeat(column), encoded_words(&text, column));
                for line in line.split("\r\n") {
                    assert!(line.len() <= 76 && line.ends_with("?="), "{line}");
                }
            }
        }
        assert_eq!(encoded_words("Bücher, alle", 9), "=?utf-8?Q?B=C3=BCcher=2C_alle?=");
    }
}
