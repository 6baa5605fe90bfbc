//! What the end of a line says of what follows it (RFC 7888 §3).

use super::reader::LiteralSync;

/// A literal that follows a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Announced {
    /// Its octets; a number that 64 bits do not hold is the largest one.
    pub(super) size_bytes: u64,
    pub(super) sync: LiteralSync,
}

/// Octets at the end of a line that may announce a literal: twenty digits, braces, `+`, and zeros before.
pub(super) const ANNOUNCEMENT_BYTES_MAX: usize = 32;

/// Whether a line without its CRLF ends in `{n}` or `{n+}`.
pub(super) fn announced(line: &[u8]) -> Option<Announced> {
    let end = &line[line.len().saturating_sub(ANNOUNCEMENT_BYTES_MAX)..];
    let end = end.strip_suffix(b"}")?;
    let (end, sync) = match end.strip_suffix(b"+") {
        Some(end) => (end, LiteralSync::NonSynchronizing),
        None => (end, LiteralSync::Synchronizing),
    };
    let digits = &end[end.iter().rposition(|octet| !octet.is_ascii_digit())? + 1..];
    if digits.is_empty() || end[end.len() - digits.len() - 1] != b'{' {
        return None;
    }
    let size_bytes = digits
        .iter()
        .fold(0_u64, |size, digit| size.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    Some(Announced { size_bytes, sync })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_announced_by_the_last_octets_of_a_line() {
        let announces = |size_bytes, sync| Some(Announced { size_bytes, sync });
        for (line, expected) in [
            (&b"a LOGIN {5}"[..], announces(5, LiteralSync::Synchronizing)),
            (b"{0+}", announces(0, LiteralSync::NonSynchronizing)),
            (b"a x ~{7+}", announces(7, LiteralSync::NonSynchronizing)),
            (b"{18446744073709551615}", announces(u64::MAX, LiteralSync::Synchronizing)),
            (b"{18446744073709551616}", announces(u64::MAX, LiteralSync::Synchronizing)),
            (b"{00000000000000000000000000001}", announces(1, LiteralSync::Synchronizing)),
            (b"{000000000000000000000000000000000000000001}", None),
            (b"{}", None),
            (b"{+}", None),
            (b"{5", None),
            (b"5}", None),
            (b"{5-}", None),
            (b"{5} ", None),
            (b"{-5}", None),
            (b"\"{5}\"", None),
            (b"", None),
            (b"}", None),
        ] {
            assert_eq!(announced(line), expected, "{}", String::from_utf8_lossy(line));
        }
    }
}
