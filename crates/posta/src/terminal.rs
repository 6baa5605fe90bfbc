//! Text from mail, made safe for a terminal (attacks.md 12): nothing that somebody sends may move the cursor,
//! change a title, run a macro or turn the direction of reading.

use std::borrow::Cow;
use std::io::Write as _;

use serde::Serialize;

use crate::exit::{Failure, output};

/// One line: control characters are written as `\u{1b}`, line ends and tabs as spaces.
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    escape(text, |character| match character {
        '\n' | '\t' => Some(" "),
        '\r' => Some(""),
        _ => None,
    })
}

/// Text of many lines: line ends and tabs stay, other control characters are written as `\u{1b}`.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    escape(text, |character| match character {
        '\n' => Some("\n"),
        '\t' => Some("\t"),
        '\r' => Some(""),
        _ => None,
    })
}

fn escape(text: &str, allowed: impl Fn(char) -> Option<&'static str>) -> Cow<'_, str> {
    if !text.chars().any(is_steering) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match allowed(character) {
            Some(written) => escaped.push_str(written),
            None if is_steering(character) => escaped.extend(character.escape_unicode()),
            None => escaped.push(character),
        }
    }
    Cow::Owned(escaped)
}

/// C0, DEL and C1 controls, line and paragraph separators, and what overrides the direction of text (UAX #9).
const fn is_steering(character: char) -> bool {
    matches!(character, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Writes text to the standard output.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| output(&error))
}

/// Writes a value as one line of JSON. JSON itself leaves C1 controls and direction marks as they are; here they
/// are written as `\u009b`, which means the same to every reader.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string(value)
        .map_err(|error| Failure::new(crate::exit::Exit::Internal, format_args!("no JSON: {error}")))?;
    let mut escaped = String::with_capacity(json.len() + 1);
    for character in json.chars() {
        // serde_json has escaped C0 controls, so these stand in strings.
        if is_steering(character) {
            escaped.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            escaped.push(character);
        }
    }
    escaped.push('\n');
    print(&escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_a_message_steers_the_terminal() {
        let rows = [
            ("plain täxt 漢", "plain täxt 漢"),
            ("\x1b]0;title\x07", "\\u{1b}]0;title\\u{7}"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("a\0b\x7f\x08", "a\\u{0}b\\u{7f}\\u{8}"),
            ("exe.\u{202e}cod", "exe.\\u{202e}cod"),
            ("two\r\nlines\tand tab", "two lines and tab"),
        ];
        for (raw, safe) in rows {
            assert_eq!(line(raw), safe);
            assert!(!text(raw).chars().any(|c| is_steering(c) && c != '\n' && c != '\t'), "{raw:?}");
        }
        assert_eq!(text("two\r\nlines\t."), "two\nlines\t.");
    }
}
