//! Modified UTF-7 (RFC 3501 §5.1.3): printable ASCII stands for itself, `&-` for `&`, all else is UTF-16 in a base64 of
//! its own between `&` and `-`.

/// Why octets are no modified UTF-7. There is one way to write each name, and all others are refused: else two names that
/// look alike would be one mailbox for one client and two for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Utf7Error {
    /// An octet that is not printable ASCII.
    #[error("holds octets that are not printable ASCII")]
    NotPrintable,
    /// `&` without its `-`.
    #[error("holds `&` without the `-` that ends it")]
    Unterminated,
    /// Characters that are no base64 here, a number of them that makes no whole characters, or bits left over.
    #[error("holds base64 that is not whole")]
    Base64,
    /// Half of a pair of surrogates.
    #[error("holds half of a character")]
    Surrogate,
    /// What stands for itself was encoded, or two encoded runs follow each other.
    #[error("encodes what it must write plainly")]
    Needless,
}

/// Reads modified UTF-7.
///
/// # Errors
/// The first thing that it must not hold.
pub fn from_modified_utf7(octets: &[u8]) -> Result<String, Utf7Error> {
    let mut name = String::with_capacity(octets.len());
    let mut rest = octets;
    let mut behind_run = false;
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        match octet {
            b'&' => {
                let end = memchr::memchr(b'-', rest).ok_or(Utf7Error::Unterminated)?;
                let (run, after) = (&rest[..end], &rest[end + 1..]);
                rest = after;
                if run.is_empty() {
                    name.push('&');
                    behind_run = false;
                    continue;
                }
                if behind_run {
                    return Err(Utf7Error::Needless);
                }
                decode_run(run, &mut name)?;
                behind_run = true;
            }
            b' '..=b'~' => {
                name.push(char::from(octet));
                behind_run = false;
            }
            _ => return Err(Utf7Error::NotPrintable),
        }
    }
    Ok(name)
}

/// Writes modified UTF-7.
#[must_use]
pub fn to_modified_utf7(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    let mut run: Vec<u16> = Vec::new();
    for character in name.chars() {
        if !stands_for_itself(character) {
            run.extend_from_slice(character.encode_utf16(&mut [0; 2]));
            continue;
        }
        encode_run(&mut run, &mut encoded);
        encoded.push(character);
        if character == '&' {
            encoded.push('-');
        }
    }
    encode_run(&mut run, &mut encoded);
    encoded
}

const fn stands_for_itself(character: char) -> bool {
    matches!(character, ' '..='~')
}

fn decode_run(run: &[u8], name: &mut String) -> Result<(), Utf7Error> {
    let mut units = Vec::with_capacity(run.len() * 3 / 8);
    let (mut bits, mut held) = (0_u32, 0);
    for &octet in run {
        bits = bits << 6 | sextet(octet).ok_or(Utf7Error::Base64)?;
        held += 6;
        if held >= 16 {
            held -= 16;
            // Sixteen bits, of at most 22 that are held.
            units.push((bits >> held & 0xffff) as u16);
            bits &= (1 << held) - 1;
        }
    }
    if held >= 6 || bits != 0 {
        return Err(Utf7Error::Base64);
    }
    for character in char::decode_utf16(units) {
        let character = character.map_err(|_| Utf7Error::Surrogate)?;
        if stands_for_itself(character) {
            return Err(Utf7Error::Needless);
        }
        name.push(character);
    }
    Ok(())
}

fn encode_run(run: &mut Vec<u16>, encoded: &mut String) {
    if run.is_empty() {
        return;
    }
    encoded.push('&');
    let (mut bits, mut held) = (0_u32, 0);
    let mut push = |value: u32| encoded.push(char::from(ALPHABET[(value & 63) as usize]));
    for unit in run.drain(..) {
        bits = bits << 16 | u32::from(unit);
        held += 16;
        while held >= 6 {
            held -= 6;
            push(bits >> held);
        }
        bits &= (1 << held) - 1;
    }
    if held > 0 {
        push(bits << (6 - held));
    }
    encoded.push('-');
}

fn sextet(octet: u8) -> Option<u32> {
    Some(u32::from(match octet {
        b'A'..=b'Z' => octet - b'A',
        b'a'..=b'z' => octet - b'a' + 26,
        b'0'..=b'9' => octet - b'0' + 52,
        b'+' => 62,
        b',' => 63,
        _ => return None,
    }))
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written_alike() {
        for (name, encoded) in [
            ("", ""),
            ("INBOX", "INBOX"),
            // RFC 3501 §5.1.3
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("☺!", "&Jjo-!"),
            ("台北日本語", "&U,BTF2XlZyyKng-"),
            ("&", "&-"),
            ("&&", "&-&-"),
            ("a&b", "a&-b"),
            ("☺&☺", "&Jjo-&-&Jjo-"),
            ("-☺-", "-&Jjo--"),
            // Above 16 bits, as two surrogates.
            ("😀", "&2D3eAA-"),
            ("\u{10ffff}", "&2,,f,w-"),
            // What is not printable is encoded, whether or not a mailbox may have it.
            ("\0", "&AAA-"),
            ("\u{7f}", "&AH8-"),
            ("a\r\nb", "a&AA0ACg-b"),
        ] {
            assert_eq!(to_modified_utf7(name), encoded);
            assert_eq!(from_modified_utf7(encoded.as_bytes()).as_deref(), Ok(name));
        }
    }

    #[test]
    fn what_could_be_written_in_another_way_is_refused() {
        for (encoded, expected) in [
            ("&", Utf7Error::Unterminated),
            ("&Jjo", Utf7Error::Unterminated),
            ("a&Jjo!", Utf7Error::Unterminated),
            // RFC 3501 §5.1.3: neither `&Jjo!` nor a superfluous shift.
            ("&Jjo!-", Utf7Error::Base64),
            ("&U,BTFw-&ZeVnLIqe-", Utf7Error::Needless),
            // Printable characters, `&` among them.
            ("&AGE-", Utf7Error::Needless),
            ("&ACY-", Utf7Error::Needless),
            ("&Jjo-&AGE-", Utf7Error::Needless),
            ("&AC8ALgAuAC8-", Utf7Error::Needless),
            // The alphabet of other base64, its padding, and white space.
            ("&Jj/-", Utf7Error::Base64),
            ("&Jjo=-", Utf7Error::Base64),
            ("&Jj o-", Utf7Error::Base64),
            // Too few or too many sextets, and bits that are left over.
            ("&J-", Utf7Error::Base64),
            ("&Jj-", Utf7Error::Base64),
            ("&JjoA-", Utf7Error::Base64),
            ("&Jjp-", Utf7Error::Base64),
            // Surrogates alone, in the wrong order, and split by what stands for itself.
            ("&2D0-", Utf7Error::Surrogate),
            ("&3gA-", Utf7Error::Surrogate),
            ("&3gDYPQ-", Utf7Error::Surrogate),
            ("&2D0-x&3gA-", Utf7Error::Surrogate),
            ("a\tb", Utf7Error::NotPrintable),
            ("\u{7f}", Utf7Error::NotPrintable),
            ("Entw\u{fc}rfe", Utf7Error::NotPrintable),
        ] {
            assert_eq!(from_modified_utf7(encoded.as_bytes()), Err(expected), "{encoded}");
        }
    }
}
