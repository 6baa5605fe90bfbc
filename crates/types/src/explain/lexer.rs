//! Finds reply codes and enhanced status codes in a text that people, servers and mail programs have written,
//! wrapped and quoted. A number alone is a code only where the place says so: `250 messages` is none.

use crate::EnhancedStatus;

/// A code in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    /// Octets from the beginning of the text.
    pub(super) start: usize,
    /// One past its last octet.
    pub(super) end: usize,
    pub(super) code: Option<u16>,
    pub(super) status: Option<EnhancedStatus>,
    /// `550-`: more lines of the same reply follow (RFC 5321 §4.2.1).
    pub(super) continues: bool,
}

/// All codes of `text`, in their order, at most [`TOKENS_MAX`].
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let only_codes = text.len() <= 200
        && text.chars().all(|c| c.is_ascii_digit() || c.is_whitespace() || ",;.-/".contains(c));
    let mut tokens: Vec<Token> = Vec::new();
    let mut at = 0;
    while at < text.len() && tokens.len() < TOKENS_MAX {
        let token = token_at(text, at).filter(|token| {
            let is_reply = token.code.zip(token.status).is_some_and(|(code, status)| agree(code, status));
            only_codes || is_reply || is_place_of_a_code(text, token, tokens.last())
        });
        match token {
            Some(token) => {
                at = token.end;
                tokens.push(token);
            }
            None => at += 1,
        }
    }
    tokens
}

/// A text with more is not looked through to its end.
const TOKENS_MAX: usize = 1000;

/// Octets before a code that are looked at, so that the work grows with the text and not with its square.
const LINE_BYTES_LOOKED_BACK: usize = 200;

/// Whether the first digits say the same.
pub(super) fn agree(code: u16, status: EnhancedStatus) -> bool {
    code / 100 == u16::from(status.class.digit())
}

fn token_at(text: &str, at: usize) -> Option<Token> {
    let bytes = text.as_bytes();
    let before = at.checked_sub(1).map(|before| bytes[before]);
    if before.is_some_and(|b| b.is_ascii_alphanumeric() || b".-/_@%+$".contains(&b) || b >= 0x80) {
        return None;
    }
    // Of a time of day.
    if before == Some(b':') && at >= 2 && bytes[at - 2].is_ascii_digit() {
        return None;
    }
    if let Some((status, end)) = status_at(text, at) {
        return Some(Token { start: at, end, code: None, status: Some(status), continues: false });
    }
    let code = code_at(bytes, at)?;
    let end = at + 3;
    let continues = bytes.get(end) == Some(&b'-');
    let gap = bytes[end..].iter().take_while(|b| b" -,#(\t".contains(b)).count();
    match status_at(text, end + gap) {
        Some((status, status_end)) if gap > 0 && gap <= 4 => {
            let closing = usize::from(bytes.get(status_end) == Some(&b')'));
            Some(Token {
                start: at,
                end: status_end + closing,
                code: Some(code),
                status: Some(status),
                continues,
            })
        }
        // `550-1234` is a range or a telephone number.
        _ if continues && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) => None,
        _ => Some(Token { start: at, end, code: Some(code), status: None, continues }),
    }
}

/// `Reply-code = %x32-35 %x30-35 %x30-39` (RFC 5321 §4.2), and those beyond that some servers use.
fn code_at(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + 3)?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let code = digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
    let is_of_the_grammar = (200..600).contains(&code) && code / 10 % 10 <= 5;
    if !is_of_the_grammar && super::code(code).is_none() {
        return None;
    }
    let ends = match (bytes.get(at + 3), bytes.get(at + 4)) {
        (None, _) => true,
        (Some(b'.' | b':' | b','), Some(next)) => !next.is_ascii_alphanumeric(),
        (Some(next), _) => next.is_ascii_whitespace() || b"-.,;:)]'\"#<(".contains(next),
    };
    ends.then_some(code)
}

fn status_at(text: &str, at: usize) -> Option<(EnhancedStatus, usize)> {
    let rest = text.as_bytes().get(at..)?;
    let length = rest.iter().take_while(|b| b.is_ascii_digit() || **b == b'.').count();
    let word = std::str::from_utf8(&rest[..length]).ok()?;
    // The full stop of a sentence is not part of it.
    let word = word.strip_suffix('.').unwrap_or(word);
    let follows = rest.get(length).copied();
    if follows.is_some_and(|b| b.is_ascii_alphabetic() || b"_@/%".contains(&b) || b >= 0x80) {
        return None;
    }
    Some((word.parse().ok()?, at + word.len()))
}

/// Words after which a number is a code.
const HERALDS: &[&str] = &[
    "answered",
    "code",
    "codes",
    "código",
    "dsn",
    "error",
    "errors",
    "got",
    "lmtp",
    "replied",
    "reply",
    "respuesta",
    "response",
    "returned",
    "said",
    "smtp",
    "status",
    "with",
];

/// Whether a code may stand where `token` stands: at the beginning of a line that does not go on with a sentence,
/// after a sign such as `:` or `'`, or after a word such as `error`.
fn is_place_of_a_code(text: &str, token: &Token, previous: Option<&Token>) -> bool {
    if token.code.is_none() && token.status.is_some_and(|status| status.subject > 7) {
        return false; // The version of some program.
    }
    let mut start = token.start.saturating_sub(LINE_BYTES_LOOKED_BACK);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    let before = &text[start..token.start];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let is_first_of_line = before[line_start..].trim_matches([' ', '\t', '>', '|', '<', '-', '*']).is_empty();
    let trimmed = before.trim_end();
    let Some(last) = trimmed.chars().next_back() else { return true };
    if is_first_of_line {
        let is_paragraph = before[trimmed.len()..].matches('\n').count() > 1;
        let follows_reply = previous.is_some_and(|previous| {
            previous.continues
                && token.start - previous.end < 600
                && !text[previous.end..token.start].trim_end().contains("\n\n")
        });
        return is_paragraph || follows_reply || !(last.is_alphanumeric() || last == ',');
    }
    if ":;'\"(<>=#|]".contains(last) {
        return true;
    }
    let word = trimmed.rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_lowercase();
    last.is_alphanumeric() && HERALDS.contains(&word.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        tokens(text)
            .iter()
            .map(|token| {
                let code = token.code.map(|code| code.to_string());
                let status = token.status.map(|status| status.to_string());
                [code, status].into_iter().flatten().collect::<Vec<_>>().join(" ")
            })
            .collect()
    }

    #[test]
    fn codes_are_found_where_servers_write_them() {
        let rows: &[(&str, &[&str])] = &[
            ("550", &["550"]),
            ("550 5.7.26", &["550 5.7.26"]),
            ("550-5.7.26 text", &["550 5.7.26"]),
            ("550 #5.1.1 text", &["550 5.1.1"]),
            ("550 (5.1.1) text", &["550 5.1.1"]),
            ("451 4.7.1, 554", &["451 4.7.1", "554"]),
            ("5.7.1", &["5.7.1"]),
            ("host mx.example[192.0.2.1] said: 550 No such user", &["550"]),
            ("Remote Server returned '554 5.2.2 full'", &["554 5.2.2"]),
            ("It failed with error 553.", &["553"]),
            ("Status: 4.4.7 (expired)", &["4.4.7"]),
            ("dsn=5.1.1, status=bounced", &["5.1.1"]),
            ("<<< 452 4.2.2 full\n<<< 503 5.0.0 Need RCPT", &["452 4.2.2", "503 5.0.0"]),
            ("550-one\n550-two\n550 three", &["550", "550", "550"]),
            ("sorry. (#5.7.17)", &["5.7.17"]),
            ("571 not wanted", &["571"]),
        ];
        for (text, codes) in rows {
            assert_eq!(found(text), *codes, "{text}");
        }
    }

    #[test]
    fn other_numbers_are_no_codes() {
        for text in [
            "there are 250 messages for you",
            "the list\nhas 550 members",
            "the list of\n550 members",
            "[192.0.2.250]",
            "mail.example 450/tcp",
            "Exim 4.96.2 and Postfix 2.10.1",
            "5.50.4522.1200",
            "call 550-1234",
            "x550 550x 5500 0550",
            "5.1",
            "3.1.1",
            "id 2.550",
            "user250@example.org",
            "",
            "200:300",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
    }
}
