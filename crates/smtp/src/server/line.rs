//! Command lines out of octets (RFC 5321 §2.3.8 and §4.5.3.1.4).

use memchr::memchr;

use super::HandTyped;
use crate::codec::LineEnding;

/// Finds lines; keeps no octets: what is no whole line yet stays with the driver.
#[derive(Debug)]
pub(super) struct LineReader {
    hand_typed: HandTyped,
    line_bytes_max: usize,
    /// Decided by the first line.
    line_ending: Option<LineEnding>,
    /// Octets passed over of a line that is too long.
    discarded_bytes: Option<usize>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// No line end yet.
    Partial,
    /// A line, without its end.
    Complete(&'a [u8]),
    /// A line over the limit, passed over.
    TooLong,
    /// A line with a bare CR, or any CR in a hand-typed session.
    HoldsCr,
    /// A line that ended in bare LF where that is not allowed.
    BareLf,
    /// A line that goes on and on.
    Endless,
}

/// Octets that are passed over in search of the end of a line.
const DISCARD_BYTES_MAX: usize = 64 * 1024;

impl LineReader {
    pub(super) const fn new(hand_typed: HandTyped, line_bytes_max: usize) -> Self {
        Self { hand_typed, line_bytes_max, line_ending: None, discarded_bytes: None }
    }

    /// For lines that end in CRLF whatever came before.
    pub(super) const fn strict(line_bytes_max: usize) -> Self {
        Self { line_ending: Some(LineEnding::Crlf), ..Self::new(HandTyped::Refused, line_bytes_max) }
    }

    pub(super) fn line_ending(&self) -> LineEnding {
        self.line_ending.unwrap_or(LineEnding::Crlf)
    }

    /// The next line of `input`, and how many octets it took.
    pub(super) fn read<'a>(&mut self, input: &'a [u8]) -> (usize, Line<'a>) {
        let Some(lf) = memchr(b'\n', input) else { return self.partial(input) };
        let consumed = lf + 1;
        let (text, ended_by) = match input[..lf].split_last() {
            Some((b'\r', text)) => (text, LineEnding::Crlf),
            _ => (&input[..lf], LineEnding::Lf),
        };
        if self.line_ending.is_none() {
            let hand_typed = ended_by == LineEnding::Lf && self.hand_typed == HandTyped::Allowed;
            self.line_ending = Some(if hand_typed { LineEnding::Lf } else { LineEnding::Crlf });
        }
        let discarded = self.discarded_bytes.take();
        let too_long = discarded.is_some() || consumed > self.line_bytes_max;
        let line = match (self.line_ending(), ended_by) {
            // As where it comes in pieces.
            _ if discarded.unwrap_or(0).saturating_add(text.len()) > DISCARD_BYTES_MAX => Line::Endless,
            (LineEnding::Crlf, LineEnding::Lf) => Line::BareLf,
            (LineEnding::Lf, LineEnding::Crlf) => Line::HoldsCr,
            _ if too_long => Line::TooLong,
            _ if memchr(b'\r', text).is_some() => Line::HoldsCr,
            _ => Line::Complete(text),
        };
        (consumed, line)
    }

    fn partial(&mut self, input: &[u8]) -> (usize, Line<'static>) {
        if input.len() < self.line_bytes_max && self.discarded_bytes.is_none() {
            return (0, Line::Partial);
        }
        // A CR at the end may belong to the line end that comes; it stays.
        let kept = usize::from(input.last() == Some(&b'\r'));
        let consumed = input.len() - kept;
        let discarded = self.discarded_bytes.unwrap_or(0).saturating_add(consumed);
        self.discarded_bytes = Some(discarded);
        (consumed, if discarded > DISCARD_BYTES_MAX { Line::Endless } else { Line::Partial })
    }
}
