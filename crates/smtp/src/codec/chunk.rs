//! The message in chunks (RFC 3030 §2): octets that are counted, not searched for an end.

use types::BodyType;

use super::fault::{Fault, MessageLimits};

/// Checks a message that comes by BDAT. What is not BINARYMIME must be lines as after DATA (RFC 3030 §3), so
/// that it can travel on by DATA and be read in one way.
#[derive(Debug)]
pub struct ChunkChecker {
    body_type: BodyType,
    limits: MessageLimits,
    size_bytes: u64,
    line_bytes: usize,
    after_cr: bool,
    fault: Option<Fault>,
}

impl ChunkChecker {
    /// A checker for one message.
    #[must_use]
    pub const fn new(body_type: BodyType, limits: MessageLimits) -> Self {
        Self { body_type, limits, size_bytes: 0, line_bytes: 0, after_cr: false, fault: None }
    }

    /// The first fault, if any.
    #[must_use]
    pub const fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// Octets so far.
    #[must_use]
    pub const fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Whether that many octets more would pass the limit; the fault is recorded then.
    pub fn announce(&mut self, octets: u64) -> bool {
        let passes = self.size_bytes.saturating_add(octets) > self.limits.message_bytes_max;
        if passes {
            self.fail(Fault::TooBig(self.limits.message_bytes_max));
        }
        passes
    }

    /// Takes octets of a chunk.
    pub fn check(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        let room = self.limits.message_bytes_max.saturating_sub(self.size_bytes);
        let within = &octets[..octets.len().min(usize::try_from(room).unwrap_or(usize::MAX))];
        self.size_bytes = self.size_bytes.saturating_add(octets.len() as u64);
        if self.body_type != BodyType::BinaryMime && self.fault.is_none() {
            self.check_lines(within);
        }
        if within.len() < octets.len() {
            self.fail(Fault::TooBig(self.limits.message_bytes_max));
        }
        if self.fault.is_none() {
            out.extend_from_slice(octets);
        }
    }

    /// The last chunk was taken.
    pub fn end(&mut self) {
        if self.after_cr && self.body_type != BodyType::BinaryMime {
            self.fail(Fault::BareCr);
        }
    }

    fn check_lines(&mut self, octets: &[u8]) {
        let mut rest = octets;
        while let Some(&first) = rest.first() {
            if self.after_cr {
                self.after_cr = false;
                if first != b'\n' {
                    return self.fail(Fault::BareCr);
                }
                self.line_bytes = 0;
                rest = &rest[1..];
                continue;
            }
            let special = memchr::memchr3(b'\r', b'\n', 0, rest).unwrap_or(rest.len());
            self.line_bytes += special;
            if self.line_bytes + 2 > self.limits.line_bytes_max {
                return self.fail(Fault::LineTooLong(self.limits.line_bytes_max));
            }
            match rest.get(special) {
                Some(b'\r') => self.after_cr = true,
                Some(b'\n') => return self.fail(Fault::BareLf),
                Some(_) => return self.fail(Fault::Nul),
                None => return,
            }
            rest = &rest[special + 1..];
        }
    }

    fn fail(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: MessageLimits = MessageLimits { line_bytes_max: 1000, message_bytes_max: 5000 };

    /// The fault of `octets`, cut in two at every place: where a chunk ends must not matter.
    fn fault(octets: &[u8], body_type: BodyType) -> Option<Fault> {
        let faults: Vec<_> = (0..=octets.len())
            .map(|cut| {
                let mut checker = ChunkChecker::new(body_type, LIMITS);
                let mut out = Vec::new();
                checker.check(&octets[..cut], &mut out);
                checker.check(&octets[cut..], &mut out);
                checker.end();
                assert!(checker.fault().is_some() || out == octets);
                checker.fault()
            })
            .collect();
        assert!(faults.iter().all(|f| *f == faults[0]), "{octets:?}: {faults:?}");
        faults[0]
    }

    #[test]
    fn lines_in_chunks_follow_the_rules_of_data_unless_binarymime() {
        for (octets, expected) in [
            (&b"a\r\nb\r\n"[..], None),
            (b"", None),
            (b"no line end", None),
            (b"\r\n.\r\n", None),
            (b"a\nb", Some(Fault::BareLf)),
            (b"a\rb", Some(Fault::BareCr)),
            (b"a\r\r\n", Some(Fault::BareCr)),
            (b"a\r", Some(Fault::BareCr)),
            (b"a\0b", Some(Fault::Nul)),
        ] {
            assert_eq!(fault(octets, BodyType::SevenBit), expected, "{octets:?}");
            assert_eq!(fault(octets, BodyType::BinaryMime), None, "{octets:?}");
        }
    }

    #[test]
    fn lines_and_messages_at_the_limit_are_taken_and_one_octet_more_is_not() {
        let line = |n: usize| [vec![b'x'; n - 2], b"\r\n".to_vec()].concat();
        assert_eq!(fault(&line(1000), BodyType::EightBitMime), None);
        assert_eq!(fault(&line(1001), BodyType::EightBitMime), Some(Fault::LineTooLong(1000)));
        assert_eq!(fault(&line(5000), BodyType::BinaryMime), None);
        assert_eq!(fault(&line(5001), BodyType::BinaryMime), Some(Fault::TooBig(5000)));
    }

    #[test]
    fn a_fault_before_the_size_limit_is_the_first_one_however_large_the_chunk_is() {
        let octets = [&b"a\n"[..], &b"x\r\n".repeat(2000)].concat();
        assert_eq!(fault(&octets, BodyType::SevenBit), Some(Fault::BareLf));
        let octets = [&b"x\r\n".repeat(2000)[..], b"a\n"].concat();
        assert_eq!(fault(&octets, BodyType::SevenBit), Some(Fault::TooBig(5000)));
    }
}
