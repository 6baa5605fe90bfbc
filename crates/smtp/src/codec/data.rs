//! The message after DATA: transparency and the end of data (RFC 5321 §4.1.1.4 and §4.5.2).
//!
//! Only `CRLF . CRLF` ends the data. Any other line end is a fault of the message, which is then read to its end
//! and refused; and a line with only a dot whose line ends are not both CRLF is where two readers may disagree
//! about the end: [`Progress::Ambiguous`], after which nothing may be read as a command (attacks: SMTP
//! smuggling).

use memchr::memchr3;

use super::LineEnding;
use super::fault::{Fault, MessageLimits};

/// Takes off transparency and finds the end of data. Keeps no octets of the message.
#[derive(Debug)]
pub struct DataDecoder {
    line_ending: LineEnding,
    limits: MessageLimits,
    state: State,
    line_bytes: usize,
    size_bytes: u64,
    /// Octets consumed, with those that are no part of the message.
    raw_bytes: u64,
    fault: Option<Fault>,
}

/// How far the data has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// All input was consumed and the data goes on.
    More,
    /// The end of data was consumed.
    End,
    /// A line with only a dot, with a line end that is not the session's.
    Ambiguous,
    /// So much came that the message has long been refused, and its end is no longer waited for.
    Endless,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the first octet of a line.
    LineStart(Before),
    /// After the dot at the start of a line.
    Dot(Before),
    /// After that dot and CR.
    DotCr(Before),
    /// Within a line.
    Line,
    /// After CR within a line.
    Cr,
}

/// What ended the line before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// The session's line end.
    LineEnd,
    /// A bare CR or LF, which some readers take for one.
    Bare,
}

impl DataDecoder {
    /// A decoder for one message.
    #[must_use]
    pub const fn new(line_ending: LineEnding, limits: MessageLimits) -> Self {
        Self {
            line_ending,
            limits,
            state: State::LineStart(Before::LineEnd),
            line_bytes: 0,
            size_bytes: 0,
            raw_bytes: 0,
            fault: None,
        }
    }

    /// The first fault of the message, if any: nothing was appended from there on.
    #[must_use]
    pub const fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// Octets of the message so far, as RFC 1870 §2 counts them: line ends as CRLF, without transparency.
    #[must_use]
    pub const fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Appends what `input` holds of the message to `out`, and returns how many octets were consumed: all of
    /// them, or those up to the end of data.
    pub fn decode(&mut self, input: &[u8], out: &mut Vec<u8>) -> (usize, Progress) {
        let room = self.raw_bytes_max() - self.raw_bytes;
        let input = &input[..input.len().min(usize::try_from(room).unwrap_or(usize::MAX))];
        let (consumed, progress) = self.decode_all(input, out);
        self.raw_bytes += consumed as u64;
        match progress {
            Progress::More if self.raw_bytes == self.raw_bytes_max() => (consumed, Progress::Endless),
            progress => (consumed, progress),
        }
    }

    /// Whatever comes counts, also the bare line ends that are no part of the message. A message that is taken
    /// stays below: transparency adds one octet to three at most.
    const fn raw_bytes_max(&self) -> u64 {
        self.limits.message_bytes_max.saturating_mul(2).saturating_add(5)
    }

    fn decode_all(&mut self, input: &[u8], out: &mut Vec<u8>) -> (usize, Progress) {
        let mut at = 0;
        while at < input.len() {
            at += self.plain(&input[at..], out);
            let Some(&octet) = input.get(at) else { break };
            at += 1;
            if let Some(progress) = self.octet(octet, out) {
                return (at, progress);
            }
        }
        (at, Progress::More)
    }

    /// Takes the octets at the front of `input` that belong to the message as they are, whole lines and parts of
    /// them, and copies them at once: almost all of almost all mail. Returns how many there were.
    fn plain(&mut self, input: &[u8], out: &mut Vec<u8>) -> usize {
        let mut at_line_start = match self.state {
            State::LineStart(Before::LineEnd) => true,
            State::Line => false,
            _ => return 0,
        };
        if self.line_ending == LineEnding::Lf {
            return 0;
        }
        let input = &input[..input.len().min(self.octets_to_first_fault_of_size())];
        let mut end = 0;
        while end < input.len() && !(at_line_start && input[end] == b'.') {
            let special = memchr3(b'\r', b'\n', 0, &input[end..]).map_or(input.len(), |n| end + n);
            self.count_line(special - end);
            at_line_start = at_line_start && special == end;
            end = special;
            if !input[end..].starts_with(b"\r\n") {
                break;
            }
            end += 2;
            at_line_start = true;
            self.line_bytes = 0;
        }
        self.state = if at_line_start { State::LineStart(Before::LineEnd) } else { State::Line };
        self.append(&input[..end], out);
        end
    }

    /// So that the first fault is the same wherever the input is cut.
    fn octets_to_first_fault_of_size(&self) -> usize {
        if self.fault.is_some() {
            return usize::MAX;
        }
        let room = self.limits.message_bytes_max.saturating_sub(self.size_bytes).saturating_add(1);
        usize::try_from(room).unwrap_or(usize::MAX)
    }

    /// One octet where its meaning hangs on the state.
    fn octet(&mut self, octet: u8, out: &mut Vec<u8>) -> Option<Progress> {
        let crlf = self.line_ending == LineEnding::Crlf;
        match (self.state, octet) {
            (State::LineStart(before), b'.') => self.state = State::Dot(before),
            (State::Dot(Before::LineEnd), b'\r') if crlf => self.state = State::DotCr(Before::LineEnd),
            (State::Dot(before), b'\r') => self.state = State::DotCr(before),
            (State::Dot(Before::LineEnd), b'\n') if !crlf => return Some(Progress::End),
            (State::Dot(_), b'\n') => return Some(Progress::Ambiguous),
            (State::DotCr(Before::LineEnd), b'\n') if crlf => return Some(Progress::End),
            // CR alone after the dot: some readers end the line there.
            (State::DotCr(_), _) => return Some(Progress::Ambiguous),
            (State::Cr, b'\n') if crlf => self.end_line(out),
            (State::Cr, _) => return self.bare_cr(octet, out),
            (_, b'\r') => self.state = State::Cr,
            (_, b'\n') if crlf => self.bare(Fault::BareLf),
            (_, b'\n') => self.end_line(out),
            (_, octet) => {
                if octet == 0 {
                    self.fail(Fault::Nul);
                }
                self.state = State::Line;
                self.count_line(1);
                self.append(&[octet], out);
            }
        }
        None
    }

    /// The CR before `octet` was bare.
    fn bare_cr(&mut self, octet: u8, out: &mut Vec<u8>) -> Option<Progress> {
        self.bare(Fault::BareCr);
        if octet == b'\n' {
            // Hand-typed sessions end lines in LF alone: CR before it is refused, but it ends the line.
            self.state = State::LineStart(Before::Bare);
            return None;
        }
        self.octet(octet, out)
    }

    fn bare(&mut self, fault: Fault) {
        self.fail(fault);
        self.line_bytes = 0;
        self.state = State::LineStart(Before::Bare);
    }

    fn end_line(&mut self, out: &mut Vec<u8>) {
        self.state = State::LineStart(Before::LineEnd);
        self.append(b"\r\n", out);
        self.line_bytes = 0;
    }

    fn count_line(&mut self, octets: usize) {
        self.line_bytes += octets;
        // The limit counts the CRLF.
        if self.line_bytes + 2 > self.limits.line_bytes_max {
            self.fail(Fault::LineTooLong(self.limits.line_bytes_max));
        }
    }

    fn append(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        self.size_bytes = self.size_bytes.saturating_add(octets.len() as u64);
        if self.size_bytes > self.limits.message_bytes_max {
            self.fail(Fault::TooBig(self.limits.message_bytes_max));
        }
        if self.fault.is_none() {
            out.extend_from_slice(octets);
        }
    }

    fn fail(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }
}

#[cfg(test)]
#[path = "data_tests.rs"]
mod tests;
