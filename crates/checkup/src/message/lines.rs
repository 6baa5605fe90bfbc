//! The octets: line ends, lengths, what may not be in a message at all (RFC 5322 §2.1, RFC 5321 §4.5.3.1).

use super::{Letter, Oddity};
use crate::{Finding, Topic, Verdict};

pub(super) fn check(letter: &Letter<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for oddity in &letter.oddities {
        findings.push(Finding::new(Topic::Size, "file", Verdict::Notice, oddity.says()));
    }
    let counted = Counted::of(letter.octets);
    findings.extend(counted.findings(!letter.oddities.contains(&Oddity::LineFeeds)));
    findings.push(size(letter.octets.len()));
    findings
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Counted {
    bare_cr: usize,
    bare_lf: usize,
    nul: usize,
    long: usize,
    longest: usize,
    /// The number of the first line that is too long, from 1.
    first_long: usize,
}

impl Counted {
    fn of(octets: &[u8]) -> Self {
        let mut counted = Self::default();
        let mut line_starts = 0;
        let mut number = 1;
        for (at, octet) in octets.iter().enumerate() {
            match octet {
                b'\n' if at > 0 && octets[at - 1] == b'\r' => {
                    counted.line(at - 1 - line_starts, number);
                    line_starts = at + 1;
                    number += 1;
                }
                b'\n' => counted.bare_lf += 1,
                b'\r' if octets.get(at + 1) != Some(&b'\n') => counted.bare_cr += 1,
                0 => counted.nul += 1,
                _ => {}
            }
        }
        counted.line(octets.len() - line_starts, number);
        counted
    }

    fn line(&mut self, length: usize, number: usize) {
        self.longest = self.longest.max(length);
        if length > LINE_OCTETS_MAX {
            self.long += 1;
            if self.first_long == 0 {
                self.first_long = number;
            }
        }
    }

    fn findings(&self, is_as_sent: bool) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut bad = |about: &str, says: String, mend: &str| {
            findings.push(Finding::new(Topic::Size, about, Verdict::Bad, says).mend(mend).points(2.0));
        };
        let ends = "end every line with CR LF, and encode what is no text";
        if self.bare_cr > 0 {
            bad("line ends", format!("{} CR without LF, which servers refuse", self.bare_cr), ends);
        }
        if self.bare_lf > 0 && is_as_sent {
            bad("line ends", format!("{} LF without CR, which servers refuse", self.bare_lf), ends);
        }
        if self.nul > 0 {
            bad(
                "NUL",
                format!("{} octets of zero, which no message may have", self.nul),
                "encode what is no text in base64",
            );
        }
        if self.long > 0 {
            let says = format!(
                "{} lines are longer than {LINE_OCTETS_MAX} octets, the first is line {}, the longest has {}",
                self.long, self.first_long, self.longest
            );
            bad("line length", says, "encode the part in quoted-printable or base64; fold long fields");
        }
        findings
    }
}

fn size(octets: usize) -> Finding {
    let about = "message";
    let mib = octets / (1024 * 1024);
    if octets > SIZE_REFUSED {
        let says = format!("it has {mib} MiB, more than most receivers take");
        return Finding::new(Topic::Size, about, Verdict::Bad, says)
            .mend("send a link in place of the file")
            .points(2.0);
    }
    if octets > SIZE_LARGE {
        let says = format!("it has {mib} MiB, more than some receivers take");
        return Finding::new(Topic::Size, about, Verdict::Warning, says)
            .mend("send a link in place of the file")
            .points(0.5);
    }
    Finding::new(Topic::Size, about, Verdict::Good, format!("it has {} KiB", octets.div_ceil(1024)))
}

/// RFC 5322 §2.1.1, without CR LF.
const LINE_OCTETS_MAX: usize = 998;
/// What the largest providers take, encoded.
const SIZE_REFUSED: usize = 25 * 1024 * 1024;
/// What many companies take.
const SIZE_LARGE: usize = 10 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_message_may_have_is_counted() {
        let of = |text: &[u8]| {
            let counted = Counted::of(text);
            (counted.bare_cr, counted.bare_lf, counted.nul, counted.long)
        };
        assert_eq!(of(b"a\r\nb\r\n"), (0, 0, 0, 0));
        assert_eq!(of(b"a\rb\nc\0\r\n\r"), (2, 1, 1, 0));
        assert_eq!(of(b"\n"), (0, 1, 0, 0));
        let line = |length: usize| [b"x".repeat(length), b"\r\n".to_vec()].concat();
        assert_eq!(of(&line(998)), (0, 0, 0, 0));
        assert_eq!(of(&line(999)), (0, 0, 0, 1));
        assert_eq!(of(&b"x".repeat(999)), (0, 0, 0, 1));
        let counted = Counted::of(&[line(3), line(1200), line(1000)].concat());
        assert_eq!((counted.first_long, counted.longest), (2, 1200));
    }
}
