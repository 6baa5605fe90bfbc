//! Multi-line responses: octets of a message to lines on the wire (RFC 1939 §3).
//!
//! A dot that begins a line is doubled, so that no line of a message is taken for the end. A line begins after
//! CRLF, and here also after a bare LF, which mail that came as BINARYMIME may hold: a client that reads LF as a
//! line end would otherwise take `LF . CRLF` inside the message for its end, and the rest for responses. Such a
//! client takes the doubled dot away again; one that knows CRLF alone sees one more dot on that line. A bare CR
//! begins no line in any client known.

/// Doubles dots and ends the response. One value for each response.
#[derive(Debug, Clone)]
pub struct MultiLine {
    ending: Ending,
}

/// How what was sent so far ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// Nothing was sent, or the last octets are CRLF.
    CrLf,
    /// The last octet is an LF without CR.
    Lf,
    Cr,
    Text,
}

/// Whether more of the message is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Yes, unless the message is at its end.
    More,
    /// No: TOP has its lines.
    Enough,
}

/// Finds the end of what TOP sends: the header, the blank line, and some lines of the body.
#[derive(Debug, Clone)]
pub struct Excerpt {
    /// Lines that may still go out; none while the header lasts.
    body_lines_left: Option<u64>,
    body_lines: u64,
    line: Line,
}

/// The line that is being read, as far as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Empty,
    Cr,
    Text,
}

impl Default for MultiLine {
    fn default() -> Self {
        Self::new()
    }
}

impl MultiLine {
    /// At the start of a response's lines.
    #[must_use]
    pub const fn new() -> Self {
        Self { ending: Ending::CrLf }
    }

    /// Appends octets of the message to `out`.
    pub fn push(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        let (Some(first), Some(last)) = (octets.first(), octets.last()) else { return };
        out.reserve(octets.len() + 8);
        if *first == b'.' && matches!(self.ending, Ending::CrLf | Ending::Lf) {
            out.push(b'.');
        }
        let mut sent = 0;
        for line_feed in memchr::memmem::find_iter(octets, b"\n.") {
            out.extend_from_slice(&octets[sent..=line_feed]);
            out.push(b'.');
            sent = line_feed + 1;
        }
        out.extend_from_slice(&octets[sent..]);
        let after_cr = match octets {
            [.., before, _] => *before == b'\r',
            _ => self.ending == Ending::Cr,
        };
        self.ending = match last {
            b'\n' if after_cr => Ending::CrLf,
            b'\n' => Ending::Lf,
            b'\r' => Ending::Cr,
            _ => Ending::Text,
        };
    }

    /// Ends the response with `.` CRLF, after a CRLF where the message did not end in one.
    pub fn finish(self, out: &mut Vec<u8>) {
        if self.ending != Ending::CrLf {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b".\r\n");
    }
}

impl Excerpt {
    /// For `TOP msg body_lines`.
    #[must_use]
    pub const fn new(body_lines: u64) -> Self {
        Self { body_lines_left: None, body_lines, line: Line::Empty }
    }

    /// How many of `octets` belong to the excerpt, and whether more of the message may.
    pub fn measure(&mut self, octets: &[u8]) -> (usize, Flow) {
        if self.body_lines_left == Some(0) {
            return (0, Flow::Enough);
        }
        let mut begin = 0;
        for line_feed in memchr::memchr_iter(b'\n', octets) {
            self.extend_line(&octets[begin..line_feed]);
            self.end_line();
            begin = line_feed + 1;
            if self.body_lines_left == Some(0) {
                return (begin, Flow::Enough);
            }
        }
        self.extend_line(&octets[begin..]);
        (octets.len(), Flow::More)
    }

    fn extend_line(&mut self, octets: &[u8]) {
        self.line = match (self.line, octets) {
            (line, []) => line,
            (Line::Empty, [b'\r']) => Line::Cr,
            _ => Line::Text,
        };
    }

    fn end_line(&mut self) {
        let is_blank = self.line != Line::Text;
        self.line = Line::Empty;
        self.body_lines_left = match self.body_lines_left {
            Some(left) => Some(left.saturating_sub(1)),
            None if is_blank => Some(self.body_lines),
            None => None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(chunks: &[&str]) -> String {
        let (mut lines, mut out) = (MultiLine::new(), Vec::new());
        for chunk in chunks {
            lines.push(chunk.as_bytes(), &mut out);
        }
        lines.finish(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn dots_that_begin_a_line_are_doubled_and_the_end_is_a_line_of_its_own() {
        for (message, wire) in [
            ("", ".\r\n"),
            ("a\r\n", "a\r\n.\r\n"),
            ("a", "a\r\n.\r\n"),
            (".", "..\r\n.\r\n"),
            (".\r\n", "..\r\n.\r\n"),
            ("..\r\n", "...\r\n.\r\n"),
            ("a.b\r\n.c\r\n.\r\n", "a.b\r\n..c\r\n..\r\n.\r\n"),
            ("a\n.\r\nb\r\n", "a\n..\r\nb\r\n.\r\n"),
            ("a\n.\nb", "a\n..\nb\r\n.\r\n"),
            ("a\r.\r\n", "a\r.\r\n.\r\n"),
            ("a\n", "a\n\r\n.\r\n"),
            ("a\r", "a\r\r\n.\r\n"),
            ("\r\n.", "\r\n..\r\n.\r\n"),
        ] {
            assert_eq!(encoded(&[message]), wire, "{message:?}");
            let single: Vec<&str> = message.split("").collect();
            assert_eq!(encoded(&single), wire, "{message:?} octet by octet");
        }
    }

    #[test]
    fn top_ends_after_the_header_the_blank_line_and_the_lines_asked_for() {
        const MESSAGE: &str = "A: 1\r\nB: 2\r\n\r\none\r\n\r\nthree\r\nlast";
        for (body_lines, expected) in [
            (0, "A: 1\r\nB: 2\r\n\r\n"),
            (1, "A: 1\r\nB: 2\r\n\r\none\r\n"),
            (2, "A: 1\r\nB: 2\r\n\r\none\r\n\r\n"),
            (3, "A: 1\r\nB: 2\r\n\r\none\r\n\r\nthree\r\n"),
            (4, MESSAGE),
            (u64::MAX, MESSAGE),
        ] {
            for chunk_bytes in [1, 2, 3, 1000] {
                let mut excerpt = Excerpt::new(body_lines);
                let mut taken = Vec::new();
                for chunk in MESSAGE.as_bytes().chunks(chunk_bytes) {
                    let (octets, _) = excerpt.measure(chunk);
                    taken.extend_from_slice(&chunk[..octets]);
                }
                assert_eq!(String::from_utf8(taken).unwrap(), expected, "TOP 1 {body_lines}");
            }
        }
    }

    #[test]
    fn a_message_of_headers_alone_is_all_header_and_one_without_headers_all_body() {
        assert_eq!(Excerpt::new(0).measure(b"A: 1\r\nB: 2\r\n"), (12, Flow::More));
        assert_eq!(Excerpt::new(1).measure(b"\r\none\r\ntwo\r\n"), (7, Flow::Enough));
        assert_eq!(Excerpt::new(1).measure(b"A: 1\n\none\ntwo\n"), (10, Flow::Enough));
        assert_eq!(Excerpt::new(0).measure(b"A: 1\r\n\r\r\nB: 2\r\n\r\nbody"), (17, Flow::Enough));
    }
}
