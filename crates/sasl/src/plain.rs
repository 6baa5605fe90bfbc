//! PLAIN (RFC 4616).

use crate::exchange::{FIELD_BYTES_MAX, Identity, Refusal};
use crate::{Secret, prepare};

/// Takes the one message apart.
///
/// ```text
/// message = [authzid] UTF8NUL authcid UTF8NUL passwd
/// authcid = authzid = passwd = 1*SAFE    ; MUST accept up to 255 octets
/// ```
/// A password that cannot be prepared is the password of nobody (§2: "verification SHALL fail").
pub(crate) fn message(octets: &[u8]) -> Result<(Identity, Secret), Refusal> {
    let text = std::str::from_utf8(octets).map_err(|_| Refusal::Malformed)?;
    let fields: Vec<&str> = text.splitn(4, '\0').collect();
    let [authzid, authcid, password] = fields[..] else { return Err(Refusal::Malformed) };
    if fields.iter().any(|field| field.len() > FIELD_BYTES_MAX) || authcid.is_empty() || password.is_empty() {
        return Err(Refusal::Malformed);
    }
    let identity =
        Identity { authcid: prepare::name(authcid)?, authzid: prepare::authorization_identity(authzid)? };
    Ok((identity, prepared_password(password)?))
}

/// A password as it was said, as it is compared.
pub(crate) fn prepared_password(text: &str) -> Result<Secret, Refusal> {
    crate::saslprep(text).map(Secret::new).map_err(|_| Refusal::Credentials)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(octets: &[u8]) -> Result<(String, String, String), Refusal> {
        let (identity, password) = message(octets)?;
        Ok((identity.authzid, identity.authcid, password.reveal().to_owned()))
    }

    fn three(authzid: &str, authcid: &str, password: &str) -> Result<(String, String, String), Refusal> {
        Ok((authzid.to_owned(), authcid.to_owned(), password.to_owned()))
    }

    #[test]
    fn the_messages_of_rfc_4616_4() {
        assert_eq!(parsed(b"\0tim\0tanstaaftanstaaf"), three("", "tim", "tanstaaftanstaaf"));
        assert_eq!(parsed(b"Ursel\0Kurt\0xipj3plmq"), three("Ursel", "Kurt", "xipj3plmq"));
    }

    #[test]
    fn fields_are_prepared() {
        let octets = "I\u{AD}X\0\u{2168}\0p\u{A0}w\u{AA}".as_bytes();
        assert_eq!(parsed(octets), three("IX", "IX", "p wa"));
    }

    #[test]
    fn fields_of_the_longest_length_are_taken_and_one_octet_more_is_not() {
        let longest = "x".repeat(FIELD_BYTES_MAX);
        assert_eq!(
            parsed(format!("{longest}\0{longest}\0{longest}").as_bytes()),
            three(&longest, &longest, &longest)
        );
        for message in [format!("{longest}x\0a\0b"), format!("a\0{longest}x\0b"), format!("a\0b\0{longest}x")]
        {
            assert_eq!(parsed(message.as_bytes()), Err(Refusal::Malformed));
        }
    }

    #[test]
    fn other_messages_are_malformed() {
        for octets in [
            &b""[..],
            b"\0",
            b"\0\0",
            b"tim",
            b"tim\0",
            b"\0tim",
            b"\0tim\0",
            b"\0\0password",
            b"tim\0\0password",
            b"\0tim\0pass\0word",
            b"\0tim\0password\0",
            b"\0\0tim\0password",
            b"\0ti\xFFm\0password",
            b"\0tim\0pass\xC0\x80word",
            b"\0tim\0\xED\xA0\x80",
            "\0\u{AD}\0password".as_bytes(),
            "\u{AD}\0tim\0password".as_bytes(),
            b"\0t\nim\0password",
        ] {
            assert_eq!(parsed(octets), Err(Refusal::Malformed), "{}", octets.escape_ascii());
        }
    }

    #[test]
    fn a_password_that_cannot_be_prepared_is_nobodys() {
        for password in ["\u{AD}", "a\u{7}", "\u{1F600}"] {
            assert_eq!(parsed(format!("\0tim\0{password}").as_bytes()), Err(Refusal::Credentials));
        }
    }
}
