//! The first words of a text, as PREVIEW shows them (RFC 8970 §3.3).

use super::words;

/// Characters of a preview at most (RFC 8970 §3.3: 200, never more than 256).
pub(super) const CHARACTERS_MAX: usize = 200;

/// Octets of a decoded text that are looked at.
pub(super) const PLAIN_BYTES: usize = 4 << 10;
/// The same of HTML, which has much before its first word.
pub(super) const HTML_BYTES: usize = 32 << 10;

/// Of plain text.
pub(super) fn of_plain(octets: &[u8], charset: Option<&[u8]>) -> String {
    let mut preview = Preview::default();
    words::to_utf8(charset, octets).chars().for_each(|character| preview.push(character));
    preview.text
}

/// Of HTML: without tags, comments, and what stands in the head, in styles and scripts.
pub(super) fn of_html(octets: &[u8], charset: Option<&[u8]>) -> String {
    let text = words::to_utf8(charset, octets);
    let mut preview = Preview::default();
    let mut rest: &str = &text;
    while let Some(at) = rest.find(['<', '&']) {
        rest[..at].chars().for_each(|character| preview.push(character));
        rest = &rest[at..];
        if preview.characters >= CHARACTERS_MAX {
            break;
        }
        rest = if rest.starts_with('<') {
            behind_tag(rest, &mut preview)
        } else {
            behind_entity(rest, &mut preview)
        };
    }
    rest.chars().for_each(|character| preview.push(character));
    preview.text
}

/// Text with single spaces.
#[derive(Default)]
struct Preview {
    text: String,
    characters: usize,
    is_spaced: bool,
}

impl Preview {
    fn push(&mut self, character: char) {
        if self.characters >= CHARACTERS_MAX {
            return;
        }
        match character {
            _ if character.is_whitespace() => self.is_spaced = self.characters > 0,
            // Senders fill what follows the first words with what is not seen.
            '\u{AD}'
            | '\u{34F}'
            | '\u{61C}'
            | '\u{115F}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{FEFF}' => {}
            _ if character.is_control() => {}
            _ => {
                if std::mem::take(&mut self.is_spaced) {
                    self.text.push(' ');
                    self.characters += 1;
                }
                if self.characters < CHARACTERS_MAX {
                    self.text.push(character);
                    self.characters += 1;
                }
            }
        }
    }
}

/// Behind the tag or comment that `html` begins with; behind all of what is hidden.
fn behind_tag<'a>(html: &'a str, preview: &mut Preview) -> &'a str {
    if let Some(comment) = html.strip_prefix("<!--") {
        return comment.find("-->").map_or("", |at| &comment[at + 3..]);
    }
    if !html[1..].starts_with(|character: char| character.is_ascii_alphabetic() || "/!?".contains(character))
    {
        preview.push('<');
        return &html[1..];
    }
    let name_len = html[1..].find(|character: char| !character.is_ascii_alphanumeric() && character != '/');
    let name = &html[1..name_len.map_or(html.len(), |len| len + 1)];
    let behind = html.find('>').map_or("", |at| &html[at + 1..]);
    let is = |known: &&str| name.eq_ignore_ascii_case(known);
    if HIDDEN.iter().any(is) {
        return behind_end_of(name, behind);
    }
    if !INLINE.iter().any(|known| name.trim_start_matches('/').eq_ignore_ascii_case(known)) {
        preview.push(' ');
    }
    behind
}

/// Behind `</name>`.
fn behind_end_of<'a>(name: &str, html: &'a str) -> &'a str {
    let ends = html.match_indices("</").find(|(at, _)| {
        html.get(at + 2..at + 2 + name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name))
    });
    ends.map_or("", |(at, _)| &html[at..])
}

const HIDDEN: [&str; 4] = ["head", "style", "script", "title"];
/// Tags that do not part words.
const INLINE: [&str; 12] = ["a", "b", "i", "u", "em", "strong", "span", "font", "small", "sub", "sup", "wbr"];

fn behind_entity<'a>(html: &'a str, preview: &mut Preview) -> &'a str {
    let name_len = html[1..].find(|character: char| !character.is_ascii_alphanumeric() && character != '#');
    let end = name_len.map_or(html.len(), |len| len + 1);
    let name = &html[1..end];
    let character = match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" | "emsp" | "ensp" | "thinsp" => Some(' '),
        "zwnj" | "zwj" | "shy" => Some('\u{200B}'),
        "auml" => Some('ä'),
        "ouml" => Some('ö'),
        "uuml" => Some('ü'),
        "szlig" => Some('ß'),
        "eacute" => Some('é'),
        "egrave" => Some('è'),
        "copy" => Some('©'),
        "euro" => Some('€'),
        "hellip" => Some('…'),
        "ndash" => Some('–'),
        "mdash" => Some('—'),
        "rsquo" => Some('’'),
        "lsquo" => Some('‘'),
        "ldquo" => Some('“'),
        "rdquo" => Some('”'),
        _ => numeric(name),
    };
    match character {
        Some(character) => {
            preview.push(character);
            html[end..].strip_prefix(';').unwrap_or(&html[end..])
        }
        None => {
            preview.push('&');
            &html[1..]
        }
    }
}

/// `#228` and `#xE4`.
fn numeric(name: &str) -> Option<char> {
    let digits = name.strip_prefix('#')?;
    let number = match digits.strip_prefix(['x', 'X']) {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => digits.parse(),
    };
    char::from_u32(number.ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_is_shown_as_its_words() {
        for (html, text) in [
            ("<p>Hello <b>wor</b>ld</p><p>Again</p>", "Hello world Again"),
            ("<html><head><title>T</title><style>p{x}</style></head><body>Text", "Text"),
            ("<STYLE type=\"x\">p > a {}</STYLE>Text<!-- hidden > --> more", "Text more"),
            ("a &amp; b&nbsp;c &#228;&#xe4; &unknown; &", "a & b c ää &unknown; &"),
            ("1 < 2 <3 unended <a href=", "1 < 2 <3 unended"),
            ("pre\u{200B}\u{200B}&zwnj;&shy; header", "pre header"),
            ("<style>never ends", ""),
            ("<!doctype html><?xml?>x", "x"),
        ] {
            assert_eq!(of_html(html.as_bytes(), None), text, "{html}");
        }
    }

    #[test]
    fn a_preview_has_single_spaces_and_no_more_than_200_characters() {
        assert_eq!(of_plain(b" \r\n\tHello,\r\n\r\n  world \x07 \r\n", None), "Hello, world");
        let long = of_plain("äb ".repeat(200).as_bytes(), Some(b"utf-8"));
        assert_eq!(long.chars().count(), CHARACTERS_MAX);
        assert_eq!(of_html("ä".repeat(500).as_bytes(), None).chars().count(), CHARACTERS_MAX);
    }
}
