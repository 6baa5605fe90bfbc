//! Replies as a client reads them (RFC 5321 §4.2), with enhanced status codes (RFC 2034), and what EHLO offers.
//!
//! ```text
//! Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF
//! Reply-code = %x32-35 %x30-35 %x30-39
//! textstring = 1*(%d09 / %d32-126)
//! ```
//!
//! The peer is hostile until proved otherwise: length, number of lines and total are bounded, and a reply that
//! could be read in two ways (bare CR or LF, NUL, mixed codes) is an error that says so.
//!
//! Deviation: the second digit may be 6–9, because hosts answer 571 and the like; text may be UTF-8 (RFC 6531
//! §3.7.4.2 allows it). Control characters in the text, which the grammar forbids, become `?` and do not fail
//! the mail.

mod extensions;

pub use extensions::{Extensions, SessionLimits, SizeOffer};

use memchr::memchr;
use types::{EnhancedStatus, Reply};

/// Octets of one reply line with its CRLF. A server sends at most 512 (RFC 5321 §4.5.3.1.5), but some send
/// more, and mail is not held up for that.
pub const LINE_BYTES_MAX: usize = 4096;
/// Lines of one reply; the RFC names no number, EHLO and HELP of real hosts stay below 50.
pub const LINES_MAX: usize = 256;
/// Octets of one reply in all.
pub const BYTES_MAX: usize = 64 * 1024;

/// Puts replies together from octets that come in any pieces.
#[derive(Debug, Default)]
pub struct ReplyParser {
    line: Vec<u8>,
    code: Option<u16>,
    text: String,
    lines: usize,
    bytes: usize,
}

/// Why what came is not a reply. The text is for the operator; excerpts hold no control characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// A line without end.
    #[error("a reply line is longer than {LINE_BYTES_MAX} octets")]
    LineTooLong,
    /// A reply without end.
    #[error("a reply has more than {LINES_MAX} lines")]
    TooManyLines,
    /// A reply that is too long in all.
    #[error("a reply is longer than {BYTES_MAX} octets")]
    TooLong,
    /// A line that ended in LF alone.
    #[error("a reply line ends in a bare LF: {0:?}")]
    BareLf(String),
    /// A CR inside a line.
    #[error("a reply line holds a bare CR: {0:?}")]
    BareCr(String),
    /// A NUL inside a line.
    #[error("a reply line holds a NUL: {0:?}")]
    Nul(String),
    /// A line that does not begin with 200–599.
    #[error("a reply line does not begin with a code of 200 to 599: {0:?}")]
    Code(String),
    /// A code that is followed by neither a space nor a hyphen.
    #[error("a reply code is followed by neither space nor hyphen: {0:?}")]
    Separator(String),
    /// Lines of one reply with different codes.
    #[error("the lines of one reply have the codes {first} and {then}")]
    MixedCodes {
        /// Of the first line.
        first: u16,
        /// Of the line that differs.
        then: u16,
    },
}

impl ReplyParser {
    /// Takes octets until one reply is complete; returns how many it took and the reply, if there is one.
    ///
    /// # Errors
    /// What is wrong with the octets. Where the next reply would begin is then unknown, so the connection is of
    /// no more use.
    pub fn feed(&mut self, input: &[u8]) -> Result<(usize, Option<Reply>), ReplyError> {
        let mut taken = 0;
        while let Some(end) = memchr(b'\n', &input[taken..]) {
            self.push(&input[taken..=taken + end])?;
            taken += end + 1;
            if let Some(reply) = self.end_line()? {
                return Ok((taken, Some(reply)));
            }
        }
        self.push(&input[taken..])?;
        Ok((input.len(), None))
    }

    /// Whether octets of an unfinished reply are held.
    #[must_use]
    pub const fn is_mid_reply(&self) -> bool {
        !self.line.is_empty() || self.code.is_some()
    }

    fn push(&mut self, octets: &[u8]) -> Result<(), ReplyError> {
        if self.line.len() + octets.len() > LINE_BYTES_MAX {
            return Err(ReplyError::LineTooLong);
        }
        self.bytes += octets.len();
        if self.bytes > BYTES_MAX {
            return Err(ReplyError::TooLong);
        }
        self.line.extend_from_slice(octets);
        Ok(())
    }

    /// The line in `self.line` is complete; returns the reply if it was the last of one.
    fn end_line(&mut self) -> Result<Option<Reply>, ReplyError> {
        let line = std::mem::take(&mut self.line);
        let ReplyLine { code, separator, text } = ReplyLine::parse(&line)?;
        self.lines += 1;
        if self.lines > LINES_MAX {
            return Err(ReplyError::TooManyLines);
        }
        match self.code {
            None => self.code = Some(code),
            Some(first) if first != code => return Err(ReplyError::MixedCodes { first, then: code }),
            Some(_) => self.text.push('\n'),
        }
        self.text.push_str(&harmless(&String::from_utf8_lossy(text)));
        if separator == Separator::MoreLines {
            return Ok(None);
        }
        let (enhanced, text) = split_enhanced(code, std::mem::take(self).text);
        Ok(Some(Reply { code, enhanced, text: text.into() }))
    }
}

/// Text of the other side, fit for a terminal and a log: control characters and those that turn the direction of
/// writing become `?`, TAB becomes a space.
#[must_use]
pub fn harmless(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            c if c.is_control() => '?',
            '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '?',
            c => c,
        })
        .collect()
}

struct ReplyLine<'a> {
    code: u16,
    separator: Separator,
    text: &'a [u8],
}

#[derive(PartialEq, Eq)]
enum Separator {
    MoreLines,
    LastLine,
}

impl<'a> ReplyLine<'a> {
    /// Reads one line, which ends in LF.
    fn parse(line: &'a [u8]) -> Result<Self, ReplyError> {
        let Some(content) = line.strip_suffix(b"\r\n") else {
            return Err(ReplyError::BareLf(excerpt(line)));
        };
        if memchr(b'\r', content).is_some() {
            return Err(ReplyError::BareCr(excerpt(content)));
        }
        if memchr(0, content).is_some() {
            return Err(ReplyError::Nul(excerpt(content)));
        }
        let Some((&[hundreds @ b'2'..=b'5', tens @ b'0'..=b'9', ones @ b'0'..=b'9'], rest)) =
            content.split_first_chunk::<3>()
        else {
            return Err(ReplyError::Code(excerpt(content)));
        };
        let code = [hundreds, tens, ones].iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
        match rest {
            [] => Ok(Self { code, separator: Separator::LastLine, text: b"" }),
            [b' ', text @ ..] => Ok(Self { code, separator: Separator::LastLine, text }),
            [b'-', text @ ..] => Ok(Self { code, separator: Separator::MoreLines, text }),
            _ => Err(ReplyError::Separator(excerpt(content))),
        }
    }
}

/// The beginning of a line, for an error.
fn excerpt(line: &[u8]) -> String {
    const EXCERPT_BYTES: usize = 60;
    let end = line.iter().position(|b| *b == b'\n').unwrap_or(line.len()).min(EXCERPT_BYTES);
    harmless(&String::from_utf8_lossy(&line[..end]))
}

/// Takes the status off the lines that begin with it. It counts only where its class is that of the code
/// (RFC 2034 §4); that the server announced it is not asked for, because relays in front of it may hide EHLO.
fn split_enhanced(code: u16, text: String) -> (Option<EnhancedStatus>, String) {
    let word = text.split([' ', '\n']).next().unwrap_or_default();
    let Ok(status) = word.parse::<EnhancedStatus>() else { return (None, text) };
    if u16::from(status.class.digit()) != code / 100 {
        return (None, text);
    }
    let lines: Vec<&str> = text
        .split('\n')
        .map(|line| match line.strip_prefix(word) {
            Some("") => "",
            Some(rest) => rest.strip_prefix(' ').unwrap_or(line),
            None => line,
        })
        .collect();
    (Some(status), lines.join("\n"))
}
