//! Command lines out of octets (RFC 5321 §2.3.8 and §4.5.3.1.4).

use memchr::memchr;

use super::{AUTH_LINE_BYTES_MAX, AuthNeed, Config, HandTyped};
use crate::codec::LineEnding;

/// Finds lines; keeps no octets: what is no whole line yet stays with the driver.
#[derive(Debug)]
pub(super) struct LineReader {
    hand_typed: HandTyped,
    line_bytes_max: usize,
    /// Those of AUTH and of its responses are longer.
    auth_line_bytes_max: usize,
    /// Decided by the first line.
    line_ending: Option<LineEnding>,
    /// Octets passed over of a line that is too long, and its limit.
    discarded: Option<(usize, usize)>,
}

/// What lines are waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listening {
    ForCommands,
    /// The answer to a SASL challenge.
    ForResponse,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// No line end yet.
    Partial,
    /// A line, without its end.
    Complete(&'a [u8]),
    /// A line over this limit, passed over.
    TooLong(usize),
    /// A line with a bare CR, or any CR in a hand-typed session.
    HoldsCr,
    /// A line that ended in bare LF where that is not allowed.
    BareLf,
    /// A line over this limit that goes on and on.
    Endless(usize),
}

/// Octets that are passed over in search of the end of a line.
const DISCARD_BYTES_MAX: usize = 64 * 1024;

impl LineReader {
    pub(super) const fn new(config: &Config) -> Self {
        let line_bytes_max = config.command_line_bytes_max;
        let auth_line_bytes_max = match config.auth.need {
            AuthNeed::Off => line_bytes_max,
            AuthNeed::Offered | AuthNeed::Required if line_bytes_max > AUTH_LINE_BYTES_MAX => line_bytes_max,
            AuthNeed::Offered | AuthNeed::Required => AUTH_LINE_BYTES_MAX,
        };
        let hand_typed = config.hand_typed;
        Self { hand_typed, line_bytes_max, auth_line_bytes_max, line_ending: None, discarded: None }
    }

    /// For lines that end in CRLF whatever came before.
    pub(super) const fn strict(config: &Config) -> Self {
        Self { hand_typed: HandTyped::Refused, line_ending: Some(LineEnding::Crlf), ..Self::new(config) }
    }

    pub(super) fn line_ending(&self) -> LineEnding {
        self.line_ending.unwrap_or(LineEnding::Crlf)
    }

    /// Octets of the longest line.
    pub(super) fn line_bytes_max(&self) -> usize {
        self.line_bytes_max.max(self.auth_line_bytes_max)
    }

    /// The next line of `input`, and how many octets it took.
    pub(super) fn read<'a>(&mut self, input: &'a [u8], listening: Listening) -> (usize, Line<'a>) {
        let Some(lf) = memchr(b'\n', input) else { return self.partial(input, listening) };
        let consumed = lf + 1;
        let (text, ended_by) = match input[..lf].split_last() {
            Some((b'\r', text)) => (text, LineEnding::Crlf),
            _ => (&input[..lf], LineEnding::Lf),
        };
        if self.line_ending.is_none() {
            let hand_typed = ended_by == LineEnding::Lf && self.hand_typed == HandTyped::Allowed;
            self.line_ending = Some(if hand_typed { LineEnding::Lf } else { LineEnding::Crlf });
        }
        let discarded = self.discarded.take();
        let limit = discarded.map_or_else(|| self.limit(input, listening), |(_, limit)| limit);
        let too_long = discarded.is_some() || consumed > limit;
        let discarded = discarded.map_or(0, |(octets, _)| octets);
        let line = match (self.line_ending(), ended_by) {
            // As where it comes in pieces.
            _ if discarded.saturating_add(text.len()) > DISCARD_BYTES_MAX => Line::Endless(limit),
            (LineEnding::Crlf, LineEnding::Lf) => Line::BareLf,
            (LineEnding::Lf, LineEnding::Crlf) => Line::HoldsCr,
            _ if too_long => Line::TooLong(limit),
            _ if memchr(b'\r', text).is_some() => Line::HoldsCr,
            _ => Line::Complete(text),
        };
        (consumed, line)
    }

    fn partial(&mut self, input: &[u8], listening: Listening) -> (usize, Line<'static>) {
        let limit = self.discarded.map_or_else(|| self.limit(input, listening), |(_, limit)| limit);
        if input.len() < limit && self.discarded.is_none() {
            return (0, Line::Partial);
        }
        // A CR at the end may belong to the line end that comes; it stays.
        let kept = usize::from(input.last() == Some(&b'\r'));
        let consumed = input.len() - kept;
        let discarded = self.discarded.map_or(0, |(octets, _)| octets).saturating_add(consumed);
        self.discarded = Some((discarded, limit));
        (consumed, if discarded > DISCARD_BYTES_MAX { Line::Endless(limit) } else { Line::Partial })
    }

    /// RFC 4954 §4: the lines of an authentication may be longer than others.
    fn limit(&self, input: &[u8], listening: Listening) -> usize {
        const AUTH: &[u8] = b"AUTH ";
        let is_auth = listening == Listening::ForResponse
            || input.get(..AUTH.len()).is_some_and(|head| head.eq_ignore_ascii_case(AUTH));
        if is_auth { self.auth_line_bytes_max } else { self.line_bytes_max }
    }
}
