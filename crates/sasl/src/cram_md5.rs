//! CRAM-MD5 (RFC 2195).

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;

use crate::exchange::{FIELD_BYTES_MAX, Refusal, Setup};
use crate::octets::hexadecimal;
use crate::{Secret, prepare, same_octets};

/// What the client answered: its name, and the digest as it was written.
pub(crate) struct Response {
    pub(crate) authcid: String,
    digest: String,
}

/// What a client answers to a challenge (§2).
pub(crate) fn response(name: &str, secret: &Secret, challenge: &[u8]) -> String {
    format!("{name} {}", digest(secret.reveal().as_bytes(), challenge))
}

/// A `msg-id` of random digits, a timestamp and the host's name (§2).
pub(crate) fn challenge(setup: &Setup) -> String {
    let random = setup.nonce.iter().fold(0_u128, |number, octet| (number << 8) | u128::from(*octet));
    let is_of_a_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let host: String = setup.host_name.chars().map(|c| if is_of_a_host(c) { c } else { '-' }).collect();
    format!("<{random}.{}@{host}>", setup.time_s)
}

impl Response {
    /// The name, a space, and 32 hexadecimal digits in lower case (§2). The name may hold spaces.
    pub(crate) fn parse(octets: &[u8]) -> Result<Self, Refusal> {
        let text = std::str::from_utf8(octets).map_err(|_| Refusal::Malformed)?;
        let (name, digest) = text.rsplit_once(' ').ok_or(Refusal::Malformed)?;
        let is_digest = digest.len() == 32 && digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !is_digest || name.len() > FIELD_BYTES_MAX {
            return Err(Refusal::Malformed);
        }
        Ok(Self { authcid: prepare::name(name)?, digest: digest.to_owned() })
    }

    /// Whether the digest is that of this secret. Without a secret the same work is done, and it is not.
    pub(crate) fn is_made_with(&self, secret: Option<&Secret>, challenge: &str) -> bool {
        let expected = digest(secret.map_or("", Secret::reveal).as_bytes(), challenge.as_bytes());
        // Both sides of `&` are looked at, whatever the first says.
        same_octets(expected.as_bytes(), self.digest.as_bytes())
            & secret.is_some_and(|secret| !secret.reveal().is_empty())
    }
}

fn digest(secret: &[u8], challenge: &[u8]) -> String {
    #[allow(clippy::expect_used, reason = "HMAC takes keys of every length (RFC 2104 §2)")]
    let mac = Hmac::<Md5>::new_from_slice(secret).expect("a key of any length");
    hexadecimal(&mac.chain_update(challenge).finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHALLENGE: &str = "<1896.697170952@postoffice.reston.mci.net>";

    #[test]
    fn the_example_of_rfc_2195_2() {
        let response = Response::parse(b"tim b913a602c7eda7a495b4e6e7334d3890").unwrap();
        assert_eq!(response.authcid, "tim");
        assert!(response.is_made_with(Some(&Secret::new("tanstaaftanstaaf")), CHALLENGE));
        assert!(!response.is_made_with(Some(&Secret::new("tanstaaftanstaag")), CHALLENGE));
        assert!(!response.is_made_with(
            Some(&Secret::new("tanstaaftanstaaf")),
            "<1897.697170952@postoffice.reston.mci.net>"
        ));
        assert!(!response.is_made_with(None, CHALLENGE));
        let secret = Secret::new("tanstaaftanstaaf");
        let said = super::response("tim", &secret, CHALLENGE.as_bytes());
        assert_eq!(said, "tim b913a602c7eda7a495b4e6e7334d3890");
    }

    /// RFC 2202 §2, test cases 2 and 6: a short key, and one longer than a block.
    #[test]
    fn the_keyed_digest_is_hmac_md5() {
        assert_eq!(digest(b"Jefe", b"what do ya want for nothing?"), "750c783e6ab0b503eaa86e310a5db738");
        let text = b"Test Using Larger Than Block-Size Key - Hash Key First";
        assert_eq!(digest(&[0xAA; 80], text), "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd");
    }

    #[test]
    fn the_empty_secret_is_nobodys() {
        let digest = digest(b"", CHALLENGE.as_bytes());
        let response = Response::parse(format!("tim {digest}").as_bytes()).unwrap();
        assert!(!response.is_made_with(None, CHALLENGE));
        assert!(!response.is_made_with(Some(&Secret::new("")), CHALLENGE));
    }

    #[test]
    fn a_challenge_is_a_msg_id_whatever_the_host_is_called() {
        let setup = |host_name: &str, nonce| Setup {
            host_name: host_name.to_owned(),
            nonce,
            time_s: 697_170_952,
            channel_bindings: Vec::new(),
            fake_salt_key: [0; 32],
        };
        let made = challenge(&setup("mail.example", [1; 18]));
        assert!(made.ends_with(".697170952@mail.example>"), "{made}");
        let random = made[1..].split_once('.').unwrap().0;
        assert!(random.len() > 30 && random.bytes().all(|b| b.is_ascii_digit()), "{made}");
        assert_ne!(made, challenge(&setup("mail.example", [2; 18])));
        let hostile = challenge(&setup("a> <b\r\n@é", [0; 18]));
        assert_eq!(hostile, "<0.697170952@a---b---->");
    }

    #[test]
    fn other_responses_are_malformed() {
        let digest = "b913a602c7eda7a495b4e6e7334d3890";
        for response in [
            String::new(),
            digest.to_owned(),
            format!(" {digest}"),
            format!("tim{digest}"),
            format!("tim {digest} "),
            format!("tim {digest}0"),
            format!("tim {}", &digest[1..]),
            format!("tim {}", digest.to_ascii_uppercase()),
            format!("tim {}", digest.replace('b', "g")),
            format!("ti\0m {digest}"),
            format!("{} {digest}", "x".repeat(FIELD_BYTES_MAX + 1)),
            "tim ".to_owned(),
        ] {
            assert!(Response::parse(response.as_bytes()).is_err(), "{response}");
        }
        assert!(Response::parse(&[b"\xFF ", digest.as_bytes()].concat()).is_err());
        let longest = format!("{} {digest}", "x".repeat(FIELD_BYTES_MAX));
        assert!(Response::parse(longest.as_bytes()).is_ok());
        let spaces = Response::parse(format!("two words {digest}").as_bytes()).unwrap();
        assert_eq!(spaces.authcid, "two words");
    }
}
