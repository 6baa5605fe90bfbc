//! Collects the header section out of a message that comes in pieces.

use super::field::{is_empty_line, line_len};

/// The header section so far.
#[derive(Debug)]
pub struct HeaderCollector {
    octets: Vec<u8>,
    /// Where the line begins that has not ended yet.
    line_start: usize,
    bytes_max: usize,
}

/// What became of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// All of it belongs to the header section, which goes on.
    More,
    /// The header section is whole, with its empty line. This many octets of the piece belong to it; what follows
    /// is body.
    Whole(usize),
    /// It is longer than its limit. Nothing more is kept of it.
    TooBig,
}

impl HeaderCollector {
    /// For a header section of at most `bytes_max` octets.
    #[must_use]
    pub const fn new(bytes_max: usize) -> Self {
        Self { octets: Vec::new(), line_start: 0, bytes_max }
    }

    /// Takes the next piece of the message. After [`Progress::Whole`] no more may follow.
    pub fn push(&mut self, piece: &[u8]) -> Progress {
        let before = self.octets.len();
        let room = self.bytes_max.saturating_sub(before);
        self.octets.extend_from_slice(&piece[..piece.len().min(room)]);
        while self.octets[self.line_start..].contains(&b'\n') {
            let line = &self.octets[self.line_start..];
            let is_end = is_empty_line(line);
            self.line_start += line_len(line);
            if is_end {
                self.octets.truncate(self.line_start);
                return Progress::Whole(self.line_start - before);
            }
        }
        if piece.len() <= room {
            return Progress::More;
        }
        self.octets = Vec::new();
        self.line_start = 0;
        self.bytes_max = 0;
        Progress::TooBig
    }

    /// What was collected: with its empty line, where there was one.
    #[must_use]
    pub fn into_octets(self) -> Vec<u8> {
        self.octets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collected(message: &[u8], piece_len: usize, bytes_max: usize) -> (Vec<u8>, usize, bool) {
        let mut collector = HeaderCollector::new(bytes_max);
        let mut taken = 0;
        for piece in message.chunks(piece_len) {
            match collector.push(piece) {
                Progress::More => taken += piece.len(),
                Progress::Whole(len) => return (collector.into_octets(), taken + len, true),
                Progress::TooBig => return (collector.into_octets(), taken, false),
            }
        }
        (collector.into_octets(), taken, false)
    }

    #[test]
    fn the_header_section_is_found_however_the_message_is_cut() {
        for (message, header) in [
            ("A: b\r\nC: d\r\n\r\nbody\r\n\r\n", "A: b\r\nC: d\r\n\r\n"),
            ("\r\nbody", "\r\n"),
            ("A: b\n\nbody", "A: b\n\n"),
            ("A: b\r\n", "A: b\r\n"),
            ("A: \r\n \r\n\r\n", "A: \r\n \r\n\r\n"),
            ("", ""),
        ] {
            for piece_len in 1..=message.len().max(1) {
                let (octets, taken, is_whole) = collected(message.as_bytes(), piece_len, 100);
                assert_eq!((octets.as_slice(), taken), (header.as_bytes(), header.len()), "{message:?}");
                assert_eq!(
                    is_whole,
                    header.ends_with("\r\n\r\n") || header.ends_with("\n\n") || header == "\r\n"
                );
            }
        }
    }

    #[test]
    fn a_header_section_of_the_limit_is_taken_and_one_more_octet_is_not() {
        let message = format!("A: {}\r\n\r\nbody", "x".repeat(91));
        for piece_len in [1, 7, 99, 100, 104] {
            assert_eq!(collected(message.as_bytes(), piece_len, 98).1, 98);
            let (octets, _, is_whole) = collected(message.as_bytes(), piece_len, 97);
            assert!(octets.is_empty() && !is_whole);
        }
    }

    #[test]
    fn a_header_section_of_ten_mebibytes_costs_no_more_than_its_limit() {
        let mut collector = HeaderCollector::new(1000);
        let mut told = Progress::More;
        for _ in 0..160 {
            told = collector.push(&[b'x'; 64 * 1024]);
        }
        assert_eq!(told, Progress::TooBig);
        assert!(collector.into_octets().is_empty());
    }
}
