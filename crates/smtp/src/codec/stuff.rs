//! The way of a message out: transparency for DATA (RFC 5321 §4.5.2), and the check of line ends that BDAT
//! shares with it.
//!
//! What leaves here can be read in one way only. A bare CR, a bare LF or a NUL is refused, not repaired: one
//! server takes it for the end of a line and another does not, and that is how mail is smuggled. Whoever has
//! such text repairs it before (`posta send` does), or sends it as BINARYMIME.

use memchr::memchr3;

/// Follows the line ends of a message that comes in pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LineCheck {
    place: Place,
    bytes: u64,
}

/// Encodes a message for DATA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stuffer {
    check: LineCheck,
}

/// What stands in a message that no line of text may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("octet {offset} of the message is {octet}")]
pub struct LineFault {
    /// Octets before the fault.
    pub offset: u64,
    /// What it is.
    pub octet: BadOctet,
}

/// The kinds of [`LineFault`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadOctet {
    /// A CR without LF.
    #[error("a CR without LF")]
    BareCr,
    /// An LF without CR.
    #[error("an LF without CR")]
    BareLf,
    /// A NUL.
    #[error("a NUL")]
    Nul,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Place {
    #[default]
    LineStart,
    MidLine,
    AfterCr,
}

impl LineCheck {
    /// Goes over the next octets.
    ///
    /// # Errors
    /// The first octet that no line of text may hold.
    pub fn check(&mut self, input: &[u8]) -> Result<(), LineFault> {
        let mut at = 0;
        while at < input.len() {
            let run = memchr3(b'\r', b'\n', 0, &input[at..]).unwrap_or(input.len() - at);
            if run > 0 {
                self.take_text(run)?;
                at += run;
            }
            if let Some(octet) = input.get(at) {
                self.take_special(*octet)?;
                at += 1;
            }
        }
        Ok(())
    }

    /// The message is over.
    ///
    /// # Errors
    /// It ended in CR.
    pub const fn finish(&self) -> Result<(), LineFault> {
        match self.place {
            Place::AfterCr => {
                Err(LineFault { offset: self.bytes.saturating_sub(1), octet: BadOctet::BareCr })
            }
            Place::LineStart | Place::MidLine => Ok(()),
        }
    }

    /// `run` octets, one or more, that are neither CR, LF nor NUL.
    const fn take_text(&mut self, run: usize) -> Result<(), LineFault> {
        if let Err(fault) = self.finish() {
            return Err(fault);
        }
        self.place = Place::MidLine;
        self.bytes += run as u64;
        Ok(())
    }

    const fn take_special(&mut self, octet: u8) -> Result<(), LineFault> {
        let bad = match (octet, self.place) {
            (b'\n', Place::AfterCr) => {
                self.place = Place::LineStart;
                self.bytes += 1;
                return Ok(());
            }
            (_, Place::AfterCr) => return self.finish(),
            (b'\r', _) => {
                self.place = Place::AfterCr;
                self.bytes += 1;
                return Ok(());
            }
            (b'\n', _) => BadOctet::BareLf,
            _ => BadOctet::Nul,
        };
        Err(LineFault { offset: self.bytes, octet: bad })
    }
}

impl Stuffer {
    /// Appends `input` to `out` with a dot before each line that begins with one.
    ///
    /// # Errors
    /// The first octet that no line of text may hold. `out` then ends somewhere in the message: the end of data
    /// must not follow.
    pub fn encode(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), LineFault> {
        let mut rest = input;
        while !rest.is_empty() {
            if self.check.place == Place::LineStart && rest[0] == b'.' {
                out.push(b'.');
            }
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
            let (line, after) = rest.split_at(end);
            self.check.check(line)?;
            out.extend_from_slice(line);
            rest = after;
        }
        Ok(())
    }

    /// Appends the end of data. A message that does not end in CRLF gets one (RFC 5321 §4.1.1.4).
    ///
    /// # Errors
    /// The message ended in CR.
    pub fn finish(self, out: &mut Vec<u8>) -> Result<(), LineFault> {
        self.check.finish()?;
        if self.check.place == Place::MidLine {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b".\r\n");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(pieces: &[&[u8]]) -> Result<Vec<u8>, LineFault> {
        let (mut stuffer, mut out) = (Stuffer::default(), Vec::new());
        for piece in pieces {
            stuffer.encode(piece, &mut out)?;
        }
        stuffer.finish(&mut out)?;
        Ok(out)
    }

    #[test]
    fn a_dot_is_added_to_each_line_that_begins_with_one() {
        let rows: &[(&[u8], &[u8])] = &[
            (b"", b".\r\n"),
            (b"a", b"a\r\n.\r\n"),
            (b"a\r\n", b"a\r\n.\r\n"),
            (b".", b"..\r\n.\r\n"),
            (b".\r\n", b"..\r\n.\r\n"),
            (b"..a\r\n", b"...a\r\n.\r\n"),
            (b"a.\r\n.b\r\n", b"a.\r\n..b\r\n.\r\n"),
            (b"\r\n.\r\n", b"\r\n..\r\n.\r\n"),
            (b"\r\n\r\n", b"\r\n\r\n.\r\n"),
        ];
        for (message, wire) in rows {
            assert_eq!(encode(&[message]).as_deref(), Ok(*wire));
            let octets: Vec<&[u8]> = message.chunks(1).collect();
            assert_eq!(encode(&octets).as_deref(), Ok(*wire));
        }
    }

    #[test]
    fn bare_cr_bare_lf_and_nul_are_refused_where_they_stand() {
        let rows: &[(&[u8], u64, BadOctet)] = &[
            (b"\n", 0, BadOctet::BareLf),
            (b"a\n", 1, BadOctet::BareLf),
            (b"a\r\n\n", 3, BadOctet::BareLf),
            (b"a\n.\n", 1, BadOctet::BareLf),
            (b"a\n.\r\n", 1, BadOctet::BareLf),
            (b"\r", 0, BadOctet::BareCr),
            (b"a\rb", 1, BadOctet::BareCr),
            (b"a\r\r\n", 1, BadOctet::BareCr),
            (b"a\r\0", 1, BadOctet::BareCr),
            (b"a\r\n.\r.\r\n", 4, BadOctet::BareCr),
            (b"a\0b", 1, BadOctet::Nul),
            (b"a\r\n.\0\r\n", 4, BadOctet::Nul),
        ];
        for (message, offset, octet) in rows {
            let expected = LineFault { offset: *offset, octet: *octet };
            assert_eq!(encode(&[message]), Err(expected), "{message:?}");
            let octets: Vec<&[u8]> = message.chunks(1).collect();
            assert_eq!(encode(&octets), Err(expected), "{message:?}");
        }
    }
}
