//! xtext: any octets within the value of a parameter (RFC 3461 §4).
//!
//! ```text
//! xtext   = *( xchar / hexchar )
//! xchar   = any ASCII CHAR between "!" (33) and "~" (126) inclusive, except for "+" and "="
//! hexchar = ASCII "+" immediately followed by two upper case hexadecimal digits
//! ```

/// The octets that `text` stands for; none where it is no xtext. What is not ASCII stands for itself, as where
/// SMTPUTF8 allows it in a parameter (RFC 6531 §3.3, RFC 6533 §3): whoever does not want it looks at the result.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        out.push(match octet {
            b'+' => hex(octets.next()?)? << 4 | hex(octets.next()?)?,
            b'=' => return None,
            33..=126 | 128.. => octet,
            _ => return None,
        });
    }
    Some(out)
}

/// `octets` as xtext.
#[must_use]
pub fn encode(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    for octet in octets {
        match octet {
            b'+' | b'=' | ..=32 | 127.. => {
                text.push('+');
                for digit in [octet >> 4, octet & 15] {
                    text.push(char::from(HEX[usize::from(digit)]));
                }
            }
            octet => text.push(char::from(*octet)),
        }
    }
    text
}

/// The text that `text` stands for, where that is UTF-8 without control characters.
pub(super) fn decode_text(text: &str) -> Option<String> {
    let decoded = String::from_utf8(decode(text)?).ok()?;
    (!decoded.contains(char::is_control)).then_some(decoded)
}

/// The text that `text` stands for, where that is printable ASCII: what ENVID= and ORCPT= may hold, since it is
/// to stand in a header field of a report (RFC 3461 §4.2 and §4.4).
pub(super) fn decode_printable(text: &str) -> Option<String> {
    decode_text(text).filter(|text| text.is_ascii())
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

const HEX: [u8; 16] = *b"0123456789ABCDEF";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xtext_cannot_hold_is_written_with_a_plus_and_two_digits() {
        for (octets, text) in [
            (&b"e=mc2@example.com"[..], "e+3Dmc2@example.com"),
            (b"Bob@Example.COM", "Bob@Example.COM"),
            (b"a+b c", "a+2Bb+20c"),
            (b"\0\xff\r\n\x7f~!", "+00+FF+0D+0A+7F~!"),
            (b"", ""),
        ] {
            assert_eq!(encode(octets), text);
            assert_eq!(decode(text).as_deref(), Some(octets));
        }
    }

    #[test]
    fn what_is_no_xtext_is_refused() {
        for text in ["+", "+4", "+4g", "+3d", "+ 3", "a=b", "a b", "a\tb", "\x7f", "++3D"] {
            assert_eq!(decode(text), None, "{text:?}");
        }
        assert_eq!(decode_text("a+0D+0Ab"), None);
        assert_eq!(decode_text("+FF"), None);
        assert_eq!(decode_text("+C3+BC").as_deref(), Some("ü"));
        assert_eq!(decode_printable("+C3+BC"), None);
        assert_eq!(decode_printable("a+7Fb"), None);
        assert_eq!(decode_printable("a+20b").as_deref(), Some("a b"));
    }
}
