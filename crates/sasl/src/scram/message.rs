//! The messages of the client (RFC 5802 §7).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::ScramError;
use crate::exchange::FIELD_BYTES_MAX;

/// Octets of a client's nonce. It comes back in the challenge, so that it must not be without bound.
pub(super) const NONCE_BYTES_MAX: usize = 512;

/// What the client says of channel bindings: `gs2-cbind-flag`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChannelFlag<'a> {
    /// `n`
    ClientCannot,
    /// `y`: the client can, and thinks that the server cannot.
    ServerCannot,
    /// `p=NAME`
    Bound(&'a str),
}

/// `gs2-header = gs2-cbind-flag "," [ authzid ] ","`, and what follows it.
pub(crate) struct Gs2<'a> {
    pub(crate) flag: ChannelFlag<'a>,
    /// Of `a=`, with its escapes; the value of `attribute` where it is another.
    pub(crate) authzid: Option<&'a str>,
    /// With its last comma.
    pub(crate) header: &'a str,
    pub(crate) rest: &'a str,
}

/// ```text
/// client-first-message      = gs2-header client-first-message-bare
/// client-first-message-bare = [reserved-mext ","] username "," nonce ["," extensions]
/// ```
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClientFirst<'a> {
    pub(super) flag: ChannelFlag<'a>,
    /// Without escapes.
    pub(super) authzid: Option<String>,
    /// Without escapes.
    pub(super) username: String,
    pub(super) nonce: &'a str,
    pub(super) gs2_header: &'a str,
    pub(super) bare: &'a str,
}

/// ```text
/// client-final-message               = client-final-message-without-proof "," proof
/// client-final-message-without-proof = channel-binding "," nonce ["," extensions]
/// ```
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClientFinal<'a> {
    pub(super) channel_input: Vec<u8>,
    pub(super) nonce: &'a str,
    pub(super) proof: Vec<u8>,
    pub(super) without_proof: &'a str,
}

impl<'a> Gs2<'a> {
    /// Takes the header off a message. `attributes` are those that may give the authorization identity.
    pub(crate) fn parse(text: &'a str, attributes: &[&str]) -> Option<Self> {
        let (flag, after_flag) = text.split_once(',')?;
        let (authzid, rest) = after_flag.split_once(',')?;
        let flag = match flag {
            "n" => ChannelFlag::ClientCannot,
            "y" => ChannelFlag::ServerCannot,
            _ => ChannelFlag::Bound(flag.strip_prefix("p=").filter(|name| is_channel_binding_name(name))?),
        };
        let authzid = match authzid {
            "" => None,
            _ => Some(attributes.iter().find_map(|attribute| authzid.strip_prefix(attribute))?),
        };
        Some(Self { flag, authzid, header: &text[..text.len() - rest.len()], rest })
    }
}

impl<'a> ClientFirst<'a> {
    pub(super) fn parse(octets: &'a [u8]) -> Result<Self, ScramError> {
        let text = message_text(octets)?;
        let gs2 = Gs2::parse(text, &["a="]).ok_or(ScramError::InvalidEncoding)?;
        let mut attributes = gs2.rest.split(',');
        let first = attributes.next().unwrap_or_default();
        if first.starts_with("m=") {
            return Err(ScramError::ExtensionsNotSupported);
        }
        let username = first.strip_prefix("n=").ok_or(ScramError::InvalidEncoding)?;
        let nonce = attributes.next().and_then(|attribute| attribute.strip_prefix("r="));
        let nonce = nonce.filter(|nonce| is_client_nonce(nonce)).ok_or(ScramError::InvalidEncoding)?;
        attributes.try_for_each(extension)?;
        let unescaped = |name| unescape(name).ok_or(ScramError::InvalidUsernameEncoding);
        Ok(Self {
            flag: gs2.flag,
            authzid: gs2.authzid.map(unescaped).transpose()?,
            username: unescaped(username)?,
            nonce,
            gs2_header: gs2.header,
            bare: gs2.rest,
        })
    }
}

impl<'a> ClientFinal<'a> {
    pub(super) fn parse(octets: &'a [u8]) -> Result<Self, ScramError> {
        let text = message_text(octets)?;
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or(ScramError::InvalidEncoding)?;
        let mut attributes = without_proof.split(',');
        let first = attributes.next().unwrap_or_default();
        if first.starts_with("m=") {
            return Err(ScramError::ExtensionsNotSupported);
        }
        let channel_input = first.strip_prefix("c=").and_then(decoded).ok_or(ScramError::InvalidEncoding)?;
        let nonce = attributes.next().and_then(|attribute| attribute.strip_prefix("r="));
        let nonce = nonce.ok_or(ScramError::InvalidEncoding)?;
        attributes.try_for_each(extension)?;
        let proof = decoded(proof).ok_or(ScramError::InvalidEncoding)?;
        Ok(Self { channel_input, nonce, proof, without_proof })
    }
}

/// Text without NUL, which no value holds.
fn message_text(octets: &[u8]) -> Result<&str, ScramError> {
    let text = std::str::from_utf8(octets).map_err(|_| ScramError::InvalidEncoding)?;
    if text.contains('\0') { Err(ScramError::InvalidEncoding) } else { Ok(text) }
}

/// `attr-val = ALPHA "=" value`. Unknown ones are ignored; one that has its meaning and its place elsewhere is not
/// unknown, and `m` wants to be understood (§5.1).
fn extension(attribute: &str) -> Result<(), ScramError> {
    match attribute.as_bytes() {
        [b'm', b'=', _, ..] => Err(ScramError::ExtensionsNotSupported),
        [b'a' | b'c' | b'e' | b'i' | b'n' | b'p' | b'r' | b's' | b'v', b'=', ..] => {
            Err(ScramError::InvalidEncoding)
        }
        [letter, b'=', _, ..] if letter.is_ascii_alphabetic() => Ok(()),
        _ => Err(ScramError::InvalidEncoding),
    }
}

/// `c-nonce = printable`: one character at least, ASCII, no space, no comma.
fn is_client_nonce(text: &str) -> bool {
    (1..=NONCE_BYTES_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// `cb-name = 1*(ALPHA / DIGIT / "." / "-")`
fn is_channel_binding_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
}

/// `saslname = 1*(value-safe-char / "=2C" / "=3D")`, without its escapes.
pub(crate) fn unescape(text: &str) -> Option<String> {
    if text.is_empty() || text.len() > FIELD_BYTES_MAX || text.contains(['\0', ',']) {
        return None;
    }
    let mut pieces = text.split('=');
    let mut name = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (character, rest) = match piece.get(..2)? {
            "2C" => (',', &piece[2..]),
            "3D" => ('=', &piece[2..]),
            _ => return None,
        };
        name.push(character);
        name.push_str(rest);
    }
    Some(name)
}

/// Base64 in its canonical form (§2.1), of one octet at least.
fn decoded(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok().filter(|octets| !octets.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_first_messages_are_taken_apart() {
        let first = ClientFirst::parse(b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL").unwrap();
        assert_eq!((first.flag, first.authzid), (ChannelFlag::ClientCannot, None));
        assert_eq!((first.username.as_str(), first.nonce), ("user", "fyko+d2lbbFgONRv9qkxdawL"));
        assert_eq!((first.gs2_header, first.bare), ("n,,", "n=user,r=fyko+d2lbbFgONRv9qkxdawL"));
        let all = "p=tls-exporter,a=a=2Cb=3D,n=\u{fc}=3D=2C,r=!~=,x=y,Z=\u{fc}=";
        let first = ClientFirst::parse(all.as_bytes()).unwrap();
        assert_eq!(first.flag, ChannelFlag::Bound("tls-exporter"));
        assert_eq!(first.authzid.as_deref(), Some("a,b="));
        assert_eq!((first.username.as_str(), first.nonce), ("\u{fc}=,", "!~="));
        assert_eq!(first.gs2_header, "p=tls-exporter,a=a=2Cb=3D,");
    }

    #[test]
    fn client_first_messages_that_break_a_rule_are_refused_for_it() {
        use ScramError::{ExtensionsNotSupported, InvalidEncoding, InvalidUsernameEncoding};
        for (message, error) in [
            (&b""[..], InvalidEncoding),
            (b"n", InvalidEncoding),
            (b"n,", InvalidEncoding),
            (b"n,,", InvalidEncoding),
            (b"n=user,r=x", InvalidEncoding),
            (b"n,n=user,r=x", InvalidEncoding),
            (b"N,,n=user,r=x", InvalidEncoding),
            (b"x,,n=user,r=x", InvalidEncoding),
            (b"F,n,,n=user,r=x", InvalidEncoding),
            (b"p,,n=user,r=x", InvalidEncoding),
            (b"p=,,n=user,r=x", InvalidEncoding),
            (b"p=tls unique,,n=user,r=x", InvalidEncoding),
            (b"n,user,n=user,r=x", InvalidEncoding),
            (b"n,A=user,n=user,r=x", InvalidEncoding),
            (b"n,a=,n=user,r=x", InvalidUsernameEncoding),
            (b"n,a=x=y,n=user,r=x", InvalidUsernameEncoding),
            (b"n,,m=x,n=user,r=x", ExtensionsNotSupported),
            (b"n,,n=user,m=x,r=x", InvalidEncoding),
            (b"n,,n=user,r=x,m=x", ExtensionsNotSupported),
            (b"n,,r=x,n=user", InvalidEncoding),
            (b"n,,n=user", InvalidEncoding),
            (b"n,,n=user,", InvalidEncoding),
            (b"n,,n=user,r=", InvalidEncoding),
            (b"n,,n=user,r=a b", InvalidEncoding),
            (b"n,,n=user,r=\x7f", InvalidEncoding),
            ("n,,n=user,r=\u{fc}".as_bytes(), InvalidEncoding),
            (b"n,,n=user,r=x,", InvalidEncoding),
            (b"n,,n=user,r=x,x", InvalidEncoding),
            (b"n,,n=user,r=x,x=", InvalidEncoding),
            (b"n,,n=user,r=x,1=y", InvalidEncoding),
            (b"n,,n=user,r=x,r=y", InvalidEncoding),
            (b"n,,n=user,r=x,p=eA==", InvalidEncoding),
            (b"n,,n=,r=x", InvalidUsernameEncoding),
            (b"n,,n==,r=x", InvalidUsernameEncoding),
            (b"n,,n=a=2,r=x", InvalidUsernameEncoding),
            (b"n,,n=a=2c,r=x", InvalidUsernameEncoding),
            (b"n,,n=a=3d,r=x", InvalidUsernameEncoding),
            (b"n,,n=a=41,r=x", InvalidUsernameEncoding),
            ("n,,n=a=2\u{fc},r=x".as_bytes(), InvalidUsernameEncoding),
            (b"n,,n=us\0er,r=x", InvalidEncoding),
            (b"n,,n=us\xFFer,r=x", InvalidEncoding),
        ] {
            assert_eq!(ClientFirst::parse(message), Err(error), "{}", message.escape_ascii());
        }
    }

    #[test]
    fn a_nonce_and_a_name_of_the_longest_length_are_taken_and_one_octet_more_is_not() {
        let parsed = |name: usize, nonce: usize| {
            let message = format!("n,,n={},r={}", "u".repeat(name), "r".repeat(nonce));
            ClientFirst::parse(message.as_bytes()).map(|_| ())
        };
        assert_eq!(parsed(FIELD_BYTES_MAX, NONCE_BYTES_MAX), Ok(()));
        assert_eq!(parsed(FIELD_BYTES_MAX + 1, 1), Err(ScramError::InvalidUsernameEncoding));
        assert_eq!(parsed(1, NONCE_BYTES_MAX + 1), Err(ScramError::InvalidEncoding));
    }

    #[test]
    fn client_final_messages_are_taken_apart() {
        let message = b"c=biws,r=abc,x=y,p=AAEC";
        let last = ClientFinal::parse(message).unwrap();
        assert_eq!((&last.channel_input[..], last.nonce), (&b"n,,"[..], "abc"));
        assert_eq!((last.proof, last.without_proof), (vec![0, 1, 2], "c=biws,r=abc,x=y"));
    }

    #[test]
    fn client_final_messages_that_break_a_rule_are_refused_for_it() {
        use ScramError::{ExtensionsNotSupported, InvalidEncoding};
        for (message, error) in [
            (&b""[..], InvalidEncoding),
            (b"c=biws", InvalidEncoding),
            (b"c=biws,r=abc", InvalidEncoding),
            (b"c=biws,p=AAEC", InvalidEncoding),
            (b"r=abc,c=biws,p=AAEC", InvalidEncoding),
            (b"c=,r=abc,p=AAEC", InvalidEncoding),
            (b"c=biw,r=abc,p=AAEC", InvalidEncoding),
            (b"c=bi ws,r=abc,p=AAEC", InvalidEncoding),
            (b"c=eA=,r=abc,p=AAEC", InvalidEncoding),
            (b"c=eB==,r=abc,p=AAEC", InvalidEncoding),
            (b"m=x,c=biws,r=abc,p=AAEC", ExtensionsNotSupported),
            (b"c=biws,r=abc,m=x,p=AAEC", ExtensionsNotSupported),
            (b"c=biws,r=abc,p=AAEC,x=y", InvalidEncoding),
            (b"c=biws,r=abc,p=AAEC,p=AAEC", InvalidEncoding),
            (b"c=biws,r=abc,p=", InvalidEncoding),
            (b"c=biws,r=abc,p=AAE", InvalidEncoding),
            (b"c=biws,r=abc,,p=AAEC", InvalidEncoding),
            (b"c=biws,r=abc,n=user,p=AAEC", InvalidEncoding),
            (b"c=biws,r=a\0c,p=AAEC", InvalidEncoding),
            (b"c=biws,r=a\xFFc,p=AAEC", InvalidEncoding),
        ] {
            assert_eq!(ClientFinal::parse(message), Err(error), "{}", message.escape_ascii());
        }
    }
}
