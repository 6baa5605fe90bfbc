//! Octets to command lines.
//!
//! A line ends in CRLF (RFC 1939 §3). A bare LF or CR never ends one: whoever reads such lines reads commands
//! that the sender's own gateway may have taken for data. Who types by hand makes CRLF of what is typed (`nc -C`).

/// Octets of one line that are read and thrown away, once it is too long, before the reader gives up on it.
pub const DISCARDED_BYTES_MAX: usize = 64 * 1024;

/// Takes octets until a line is complete. Holds at most one line of the allowed length.
pub struct LineReader {
    line: Vec<u8>,
    line_bytes_max: usize,
    stage: Stage,
}

/// What [`LineReader::read`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// The line is not complete; all of the input was consumed.
    NeedInput,
    /// [`LineReader::line`] is a complete line. It may still hold octets that no command holds.
    Line,
    /// The line is refused.
    Refused(LineError),
}

/// Why a line is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// Longer than allowed. It was thrown away up to its end; what follows can be read.
    #[error("the line is too long")]
    TooLong,
    /// Longer than allowed, and without end. What follows must not be read.
    #[error("the line has no end")]
    Endless,
    /// Ended by a bare LF. What follows must not be read.
    #[error("the line ended in a bare LF")]
    BareLf,
}

enum Stage {
    Collecting,
    /// The line is too long.
    Discarding {
        octets: usize,
        ends_in_cr: bool,
    },
    Complete,
}

impl LineReader {
    /// Lines of at most `line_bytes_max` octets with their CRLF.
    #[must_use]
    pub const fn new(line_bytes_max: usize) -> Self {
        Self { line: Vec::new(), line_bytes_max, stage: Stage::Collecting }
    }

    /// Another limit for the lines that come. The line that was read is forgotten, and with it the memory that a
    /// longer one took.
    pub fn set_line_bytes_max(&mut self, line_bytes_max: usize) {
        if matches!(self.stage, Stage::Complete) {
            self.line = Vec::new();
            self.stage = Stage::Collecting;
        }
        self.line_bytes_max = line_bytes_max;
    }

    /// The complete line without its end, until the next call of [`Self::read`].
    #[must_use]
    pub fn line(&self) -> &[u8] {
        &self.line
    }

    /// Consumes octets to the end of the line, or all of them; returns how many.
    pub fn read(&mut self, input: &[u8]) -> (usize, Reading) {
        if matches!(self.stage, Stage::Complete) {
            self.line.clear();
            self.stage = Stage::Collecting;
        }
        let line_feed = memchr::memchr(b'\n', input);
        self.collect(&input[..line_feed.unwrap_or(input.len())]);
        match (line_feed, &self.stage) {
            (Some(index), _) => (index + 1, self.end_of_line()),
            (None, Stage::Discarding { octets, .. }) if *octets > DISCARDED_BYTES_MAX => {
                (input.len(), Reading::Refused(LineError::Endless))
            }
            (None, _) => (input.len(), Reading::NeedInput),
        }
    }

    fn collect(&mut self, octets: &[u8]) {
        let Some(last) = octets.last() else { return };
        if let Stage::Discarding { octets: count, ends_in_cr } = &mut self.stage {
            *count = count.saturating_add(octets.len());
            *ends_in_cr = *last == b'\r';
            return;
        }
        // The LF is not in the buffer, a CR before it is.
        if self.line.len() + octets.len() < self.line_bytes_max {
            self.line.extend_from_slice(octets);
            return;
        }
        self.stage = Stage::Discarding { octets: octets.len(), ends_in_cr: *last == b'\r' };
        self.line.clear();
    }

    fn end_of_line(&mut self) -> Reading {
        match std::mem::replace(&mut self.stage, Stage::Complete) {
            Stage::Discarding { ends_in_cr: true, .. } => Reading::Refused(LineError::TooLong),
            Stage::Collecting | Stage::Complete if self.line.pop() == Some(b'\r') => Reading::Line,
            _ => Reading::Refused(LineError::BareLf),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings(reader: &mut LineReader, mut input: &[u8]) -> Vec<(String, Reading)> {
        let mut found = Vec::new();
        while !input.is_empty() {
            let (consumed, reading) = reader.read(input);
            let line = if reading == Reading::Line { reader.line() } else { b"" };
            found.push((String::from_utf8_lossy(line).into_owned(), reading));
            input = &input[consumed..];
        }
        found
    }

    fn line(text: &str) -> (String, Reading) {
        (text.into(), Reading::Line)
    }

    fn refused(error: LineError) -> (String, Reading) {
        (String::new(), Reading::Refused(error))
    }

    #[test]
    fn lines_end_in_crlf_and_a_bare_cr_ends_none() {
        let mut reader = LineReader::new(255);
        assert_eq!(
            readings(&mut reader, b"NOOP\r\n\r\nA\rB\r\n\r\r\nQ"),
            [line("NOOP"), line(""), line("A\rB"), line("\r"), (String::new(), Reading::NeedInput)]
        );
        assert_eq!(readings(&mut reader, b"UIT\r"), [(String::new(), Reading::NeedInput)]);
        assert_eq!(readings(&mut reader, b"\n"), [line("QUIT")]);
    }

    #[test]
    fn a_bare_lf_is_refused_in_the_first_line_and_in_any_other() {
        for (input, before) in
            [(&b"NOOP\n"[..], vec![]), (b"NO\rOP\n", vec![]), (b"NOOP\r\n\n", vec![line("NOOP")])]
        {
            let mut expected = before;
            expected.push(refused(LineError::BareLf));
            assert_eq!(readings(&mut LineReader::new(255), input), expected);
        }
    }

    #[test]
    fn a_line_of_the_allowed_length_is_taken_and_one_octet_more_is_not() {
        let mut reader = LineReader::new(255);
        for (octets, expected) in [(253, Reading::Line), (254, Reading::Refused(LineError::TooLong))] {
            let input = format!("{}\r\n", "x".repeat(octets));
            assert_eq!(reader.read(input.as_bytes()), (input.len(), expected));
        }
        assert_eq!(readings(&mut reader, b"NOOP\r\n"), [line("NOOP")]);
    }

    #[test]
    fn another_limit_holds_for_the_next_line_and_gives_the_memory_back() {
        let mut reader = LineReader::new(8);
        assert_eq!(readings(&mut reader, b"NOOP\r\n"), [line("NOOP")]);
        reader.set_line_bytes_max(16);
        let long = "x".repeat(14);
        assert_eq!(readings(&mut reader, format!("{long}\r\n").as_bytes()), [line(&long)]);
        reader.set_line_bytes_max(8);
        assert_eq!((reader.line().len(), reader.line.capacity()), (0, 0));
        let found = readings(&mut reader, b"0123456\r\nNOOP\r\n");
        assert_eq!(found, [refused(LineError::TooLong), line("NOOP")]);
    }

    #[test]
    fn an_overlong_line_is_refused_by_its_end_too() {
        let mut reader = LineReader::new(8);
        let expected = [(String::new(), Reading::NeedInput), refused(LineError::BareLf)];
        let mut found = readings(&mut reader, b"0123456789");
        found.extend(readings(&mut reader, b"0123456789\n"));
        assert_eq!(found, expected);
    }

    #[test]
    fn a_line_without_end_is_given_up_in_bounded_memory() {
        let mut reader = LineReader::new(255);
        let chunk = [b'x'; 1000];
        let mut total = 0;
        while reader.read(&chunk).1 == Reading::NeedInput {
            total += chunk.len();
            assert!(total <= DISCARDED_BYTES_MAX + 2 * chunk.len());
            assert!(reader.line.capacity() <= 1024);
        }
        assert!(total >= DISCARDED_BYTES_MAX - chunk.len());
    }
}
