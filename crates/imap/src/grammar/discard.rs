//! Reads away what belongs to a command that was refused: the rest of its lines, and its literals.

use super::GrammarError;
use super::line::{ANNOUNCEMENT_BYTES_MAX, announced};
use super::reader::LiteralSync;
use crate::command::Tag;

/// What is read away.
pub(super) struct Discard {
    /// Octets that may be read away yet.
    budget: u64,
    /// Octets of the literal that is read away.
    literal_bytes: u64,
    /// The last octets of the line that is read away.
    line_end: Vec<u8>,
    /// Said at the end; none where it was said before.
    refusal: Option<(Option<Tag>, GrammarError)>,
}

/// The command is over.
pub(super) enum Discarded {
    /// Nothing is to be said.
    Silently,
    /// This is.
    Refused { tag: Option<Tag>, problem: GrammarError, closes: bool },
}

impl Discard {
    pub(super) const fn new(budget: u64, refusal: Option<(Option<Tag>, GrammarError)>) -> Self {
        Self { budget, literal_bytes: 0, line_end: Vec::new(), refusal }
    }

    /// The line began so.
    pub(super) fn begin_line(&mut self, line: &[u8]) {
        self.line_end.extend_from_slice(line);
        self.cut();
    }

    /// A literal is read away.
    ///
    /// # Errors
    /// Where it is larger than what may be.
    pub(super) const fn literal(&mut self, size_bytes: u64) -> Result<(), GrammarError> {
        if size_bytes > self.budget {
            return Err(GrammarError::Endless);
        }
        self.budget -= size_bytes;
        self.literal_bytes = size_bytes;
        Ok(())
    }

    /// Reads octets; returns how many, and what became of the command once it is over.
    pub(super) fn read(&mut self, input: &[u8]) -> (usize, Option<Discarded>) {
        let mut consumed = 0;
        while consumed < input.len() {
            let rest = &input[consumed..];
            if self.literal_bytes > 0 {
                let octets = usize::try_from(self.literal_bytes).unwrap_or(usize::MAX).min(rest.len());
                self.literal_bytes -= octets as u64;
                consumed += octets;
                continue;
            }
            let line_feed = memchr::memchr(b'\n', rest);
            let octets = line_feed.map_or(rest.len(), |at| at + 1);
            consumed += octets;
            if octets as u64 > self.budget {
                return (consumed, Some(self.over(GrammarError::Endless, true)));
            }
            self.budget -= octets as u64;
            self.line_end.extend_from_slice(&rest[octets.saturating_sub(ANNOUNCEMENT_BYTES_MAX + 2)..octets]);
            self.cut();
            if line_feed.is_some()
                && let Some(discarded) = self.end_of_line()
            {
                return (consumed, Some(discarded));
            }
        }
        (consumed, None)
    }

    fn end_of_line(&mut self) -> Option<Discarded> {
        let line = std::mem::take(&mut self.line_end);
        let Some(line) = line.strip_suffix(b"\r\n") else {
            return Some(self.over(GrammarError::BareLf, true));
        };
        match announced(line) {
            Some(literal) if literal.sync == LiteralSync::NonSynchronizing => {
                self.literal(literal.size_bytes).err().map(|problem| self.over(problem, true))
            }
            // A client that waits for leave to send a literal is told that the command is over.
            _ => Some(match self.refusal.take() {
                Some((tag, problem)) => Discarded::Refused { tag, problem, closes: false },
                None => Discarded::Silently,
            }),
        }
    }

    /// What follows must not be read; what was wrong in the first place is said rather than `problem`.
    fn over(&mut self, problem: GrammarError, closes: bool) -> Discarded {
        let (tag, problem) = self.refusal.take().unwrap_or((None, problem));
        Discarded::Refused { tag, problem, closes }
    }

    /// Keeps as much as tells how a line ends.
    fn cut(&mut self) {
        let excess = self.line_end.len().saturating_sub(ANNOUNCEMENT_BYTES_MAX + 2);
        self.line_end.drain(..excess);
    }
}
