//! Transfer encodings (RFC 2045 §6), undone in pieces of any size.
//!
//! Both decoders are lenient as RFC 2045 asks (§6.7 and §6.8): base64 passes over what is none of its characters and ends at
//! its padding; quoted-printable shows an escape that is none as it stands.

/// How the octets of a part were made fit for transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TransferEncoding {
    /// 7bit, 8bit or binary: as they are.
    #[default]
    Identity,
    /// quoted-printable
    QuotedPrintable,
    /// base64
    Base64,
    /// One that is not known here.
    Unknown,
}

impl TransferEncoding {
    /// Of the value of Content-Transfer-Encoding, without white space and comments.
    #[must_use]
    pub fn of(name: &[u8]) -> Self {
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        if is(b"7bit") || is(b"8bit") || is(b"binary") || name.is_empty() {
            Self::Identity
        } else if is(b"quoted-printable") {
            Self::QuotedPrintable
        } else if is(b"base64") {
            Self::Base64
        } else {
            Self::Unknown
        }
    }
}

/// Undoes a transfer encoding.
#[derive(Debug, Clone)]
pub struct Decoder {
    state: State,
}

#[derive(Debug, Clone)]
enum State {
    Identity,
    QuotedPrintable(QuotedPrintable),
    Base64(Base64),
}

impl Decoder {
    /// None for an encoding that is not known.
    #[must_use]
    pub fn new(encoding: TransferEncoding) -> Option<Self> {
        let state = match encoding {
            TransferEncoding::Identity => State::Identity,
            TransferEncoding::QuotedPrintable => State::QuotedPrintable(QuotedPrintable::default()),
            TransferEncoding::Base64 => State::Base64(Base64::default()),
            TransferEncoding::Unknown => return None,
        };
        Some(Self { state })
    }

    /// Decodes octets behind what is in `out`.
    pub fn feed(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        match &mut self.state {
            State::Identity => out.extend_from_slice(octets),
            State::QuotedPrintable(state) => state.feed(octets, out),
            State::Base64(state) => state.feed(octets, out),
        }
    }

    /// What was held back because more could have followed.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        match &mut self.state {
            State::Identity => {}
            State::QuotedPrintable(state) => state.finish(out),
            State::Base64(state) => state.finish(out),
        }
    }
}

/// Of a part that is in memory; none where its encoding is not known.
#[must_use]
pub fn decoded(encoding: TransferEncoding, octets: &[u8]) -> Option<Vec<u8>> {
    let mut decoder = Decoder::new(encoding)?;
    let mut out = Vec::with_capacity(octets.len());
    decoder.feed(octets, &mut out);
    decoder.finish(&mut out);
    Some(out)
}

/// Four characters are three octets.
#[derive(Debug, Clone, Copy, Default)]
struct Base64 {
    /// What the characters since the last whole group say.
    bits: u32,
    characters: u8,
    /// The padding has come: what follows is not looked at.
    is_over: bool,
}

impl Base64 {
    fn feed(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        let mut rest = octets;
        while !self.is_over && !rest.is_empty() {
            if self.characters == 0 {
                rest = whole_groups(rest, out);
            }
            let Some((&octet, behind)) = rest.split_first() else { return };
            rest = behind;
            self.one(octet, out);
        }
    }

    fn one(&mut self, octet: u8, out: &mut Vec<u8>) {
        match SIXES[usize::from(octet)] {
            PADDING if self.characters >= 2 => {
                self.finish(out);
                self.is_over = true;
            }
            PADDING | OTHER => {}
            six => {
                self.bits = self.bits << 6 | u32::from(six);
                self.characters += 1;
                if self.characters == 4 {
                    out.extend_from_slice(&self.bits.to_be_bytes()[1..]);
                    (self.bits, self.characters) = (0, 0);
                }
            }
        }
    }

    /// Two characters that are left are an octet, three are two.
    fn finish(&mut self, out: &mut Vec<u8>) {
        match self.characters {
            2 => out.push((self.bits >> 4) as u8),
            3 => out.extend_from_slice(&((self.bits >> 2) as u16).to_be_bytes()),
            _ => {}
        }
        (self.bits, self.characters) = (0, 0);
    }
}

/// Decodes groups that have nothing between their characters, and returns what stands behind them.
fn whole_groups<'a>(octets: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let mut rest = octets;
    while let Some((group, behind)) = rest.split_first_chunk::<4>() {
        let [a, b, c, d] = group.map(|octet| SIXES[usize::from(octet)]);
        if (a | b | c | d) >= OTHER {
            break;
        }
        let bits = u32::from(a) << 18 | u32::from(b) << 12 | u32::from(c) << 6 | u32::from(d);
        out.extend_from_slice(&bits.to_be_bytes()[1..]);
        rest = behind;
    }
    rest
}

/// No character of base64.
const OTHER: u8 = 64;
/// `=`
const PADDING: u8 = 128;
/// What each octet says.
const SIXES: [u8; 256] = {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut table = [OTHER; 256];
    let mut at = 0;
    while at < alphabet.len() {
        table[alphabet[at] as usize] = at as u8;
        at += 1;
    }
    table[b'=' as usize] = PADDING;
    table
};

/// RFC 2045 §6.7.
#[derive(Debug, Clone, Default)]
struct QuotedPrintable {
    /// `=` and what followed it, or white space that is none where the line ends behind it.
    held: Vec<u8>,
}

/// Octets that are held back at most; more are shown as they stand. White space before the end of a line of 998 octets.
const HELD_MAX: usize = 1000;

impl QuotedPrintable {
    fn feed(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        let mut rest = octets;
        while !rest.is_empty() {
            if self.held.is_empty() {
                let plain = rest.iter().position(|octet| matches!(octet, b'=' | b' ' | b'\t'));
                let (text, behind) = rest.split_at(plain.unwrap_or(rest.len()));
                out.extend_from_slice(text);
                rest = behind;
            }
            let Some((&octet, behind)) = rest.split_first() else { return };
            rest = behind;
            self.one(octet, out);
        }
    }

    fn one(&mut self, octet: u8, out: &mut Vec<u8>) {
        match self.held.first() {
            Some(b'=') => self.escape(octet, out),
            Some(_) => self.white_space(octet, out),
            None if matches!(octet, b'=' | b' ' | b'\t') => self.held.push(octet),
            None => out.push(octet),
        }
    }

    /// Behind white space: at the end of a line it was added on the way (RFC 2045 §6.7 rule 3).
    fn white_space(&mut self, octet: u8, out: &mut Vec<u8>) {
        let ends_with_cr = self.held.last() == Some(&b'\r');
        match octet {
            b'\n' => {
                out.extend_from_slice(if ends_with_cr { b"\r\n" } else { b"\n" });
                self.held.clear();
            }
            b' ' | b'\t' | b'\r' if !ends_with_cr && self.held.len() < HELD_MAX => self.held.push(octet),
            _ => {
                out.append(&mut self.held);
                self.one(octet, out);
            }
        }
    }

    /// Behind `=`: two digits are an octet, the end of a line is nothing, with white space before it (rule 5).
    fn escape(&mut self, octet: u8, out: &mut Vec<u8>) {
        let behind = &self.held[1..];
        match (behind, octet) {
            (_, b'\n') if behind.iter().all(|octet| matches!(octet, b' ' | b'\t' | b'\r')) => {
                self.held.clear()
            }
            ([high], _) if let (Some(high), Some(low)) = (digit(*high), digit(octet)) => {
                out.push(high << 4 | low);
                self.held.clear();
            }
            ([], _) if digit(octet).is_some() => self.held.push(octet),
            (_, b' ' | b'\t' | b'\r')
                if behind.iter().all(|octet| matches!(octet, b' ' | b'\t')) && self.held.len() < HELD_MAX =>
            {
                self.held.push(octet);
            }
            _ => {
                out.append(&mut self.held);
                self.one(octet, out);
            }
        }
    }

    /// White space at the end is dropped, and so is `=`, with which the last line may end.
    fn finish(&mut self, out: &mut Vec<u8>) {
        let is_dropped = match self.held.split_first() {
            Some((b'=', behind)) => behind.iter().all(u8::is_ascii_whitespace),
            _ => true,
        };
        if !is_dropped {
            out.extend_from_slice(&self.held);
        }
        self.held.clear();
    }
}

/// The value of a hexadecimal digit; small ones are none by RFC 2045 §6.7 rule 1, and are read all the same.
pub(super) const fn digit(octet: u8) -> Option<u8> {
    match octet {
        b'0'..=b'9' => Some(octet - b'0'),
        b'A'..=b'F' => Some(octet - b'A' + 10),
        b'a'..=b'f' => Some(octet - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(encoding: TransferEncoding, octets: &[u8]) -> String {
        let whole = decoded(encoding, octets).unwrap();
        for size in 1..octets.len() {
            let mut decoder = Decoder::new(encoding).unwrap();
            let mut out = Vec::new();
            octets.chunks(size).for_each(|piece| decoder.feed(piece, &mut out));
            decoder.finish(&mut out);
            assert_eq!(out, whole, "in pieces of {size}");
        }
        String::from_utf8(whole).unwrap()
    }

    #[test]
    fn quoted_printable_is_read_by_its_rules_and_shows_what_breaks_them() {
        for (encoded, decoded) in [
            ("a=3Db=C3=A4c", "a=bäc"),
            ("a=3db=c3=a4c", "a=bäc"),
            ("soft=\r\nline", "softline"),
            ("soft= \t\r\nline", "softline"),
            ("soft=\nline", "softline"),
            ("space at the end  \t\r\nline", "space at the end\r\nline"),
            ("space at the end  \nline", "space at the end\nline"),
            ("space in  the middle", "space in  the middle"),
            ("no escape =zz, =a, = 4, =", "no escape =zz, =a, = 4, "),
            ("== =\r=41", "== =\rA"),
            ("end with space  ", "end with space"),
            ("ends in an escape=4", "ends in an escape=4"),
            ("a \r b", "a \r b"),
            ("=\r\n", ""),
        ] {
            assert_eq!(text(TransferEncoding::QuotedPrintable, encoded.as_bytes()), decoded, "{encoded:?}");
        }
    }

    #[test]
    fn base64_passes_over_what_is_none_of_it_and_ends_at_its_padding() {
        for (encoded, decoded) in [
            ("SGVsbG8=", "Hello"),
            ("SGVs\r\nbG8=\r\n", "Hello"),
            ("S G!V-s*bG8", "Hello"),
            ("SGVsbG8", "Hello"),
            ("SGVsbA==SGVs", "Hell"),
            ("=SGVs", "Hel"),
            ("SGVsb", "Hel"),
            ("", ""),
        ] {
            assert_eq!(text(TransferEncoding::Base64, encoded.as_bytes()), decoded, "{encoded:?}");
        }
    }

    #[test]
    fn white_space_without_end_is_not_held_back_without_end() {
        let encoded = format!("a{}b", " ".repeat(HELD_MAX * 3));
        assert_eq!(
            decoded(TransferEncoding::QuotedPrintable, encoded.as_bytes()).unwrap(),
            encoded.as_bytes()
        );
    }
}
