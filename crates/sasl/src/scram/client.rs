//! The client's side of SCRAM (RFC 5802 §3, §5 and §7), without channel bindings.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{ITERATIONS_MIN, SALT_BYTES_MAX, ScramHash};
use crate::{PrepareError, Secret, same_octets, saslprep};

/// More iterations than any server has a reason for; a hostile one is not to keep a client busy.
const ITERATIONS_MAX: u32 = 1_000_000;

/// What a client without channel bindings begins with, and its base64.
const GS2_HEADER: &str = "n,,";

pub(crate) struct ScramClient {
    hash: ScramHash,
    password: Secret,
    nonce: String,
    first_bare: String,
    phase: Phase,
}

enum Phase {
    First,
    /// What the server-final-message must hold.
    Last(Vec<u8>),
    /// The server knows a verifier of the password.
    Proved,
    Failed,
}

impl ScramClient {
    pub(crate) fn new(
        hash: ScramHash,
        name: &str,
        password: &Secret,
        nonce: &[u8],
    ) -> Result<Self, PrepareError> {
        let name = saslprep(name)?.replace('=', "=3D").replace(',', "=2C");
        let password = Secret::new(saslprep(password.reveal())?);
        let nonce = STANDARD.encode(nonce);
        let first_bare = format!("n={name},r={nonce}");
        Ok(Self { hash, password, nonce, first_bare, phase: Phase::First })
    }

    /// `client-first-message`
    pub(crate) fn first(&self) -> String {
        format!("{GS2_HEADER}{}", self.first_bare)
    }

    /// Answers a challenge; none where the server breaks the rules or does not know the password.
    pub(crate) fn answer(&mut self, challenge: &[u8]) -> Option<Vec<u8>> {
        let challenge = std::str::from_utf8(challenge).ok()?;
        match std::mem::replace(&mut self.phase, Phase::Failed) {
            Phase::First => self.last(challenge),
            Phase::Last(signature) => {
                let said = challenge.split(',').next()?.strip_prefix("v=")?;
                if !same_octets(&STANDARD.decode(said).ok()?, &signature) {
                    return None;
                }
                self.phase = Phase::Proved;
                Some(Vec::new())
            }
            Phase::Proved | Phase::Failed => None,
        }
    }

    /// Whether the server has proved that it knows a verifier of the password.
    pub(crate) const fn is_proved(&self) -> bool {
        matches!(self.phase, Phase::Proved)
    }

    /// `server-first-message = [reserved-mext ","] nonce "," salt "," iteration-count ["," extensions]`
    fn last(&mut self, server_first: &str) -> Option<Vec<u8>> {
        let mut attributes = server_first.split(',');
        let nonce = attributes.next()?.strip_prefix("r=")?;
        let salt = STANDARD.decode(attributes.next()?.strip_prefix("s=")?).ok()?;
        let iterations = attributes.next()?.strip_prefix("i=")?.parse().ok()?;
        let is_ours = nonce.len() > self.nonce.len() && nonce.starts_with(&self.nonce);
        let is_salt = (1..=SALT_BYTES_MAX).contains(&salt.len());
        if !is_ours || !is_salt || !(ITERATIONS_MIN..=ITERATIONS_MAX).contains(&iterations) {
            return None;
        }
        let hash = self.hash;
        let without_proof = format!("c={},r={nonce}", STANDARD.encode(GS2_HEADER));
        let auth_message = format!("{},{server_first},{without_proof}", self.first_bare);
        let salted = hash.salted(self.password.reveal().as_bytes(), &salt, iterations);
        let client_key = hash.keyed(&salted, b"Client Key");
        let signature = hash.keyed(&hash.digest(&client_key), auth_message.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(key, mask)| key ^ mask).collect();
        let server_key = hash.keyed(&salted, b"Server Key");
        self.phase = Phase::Last(hash.keyed(&server_key, auth_message.as_bytes()));
        Some(format!("{without_proof},p={}", STANDARD.encode(proof)).into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exchange of RFC 7677 §3, whose nonce is no base64 of octets.
    fn example() -> ScramClient {
        let nonce = "rOprNGfwEbeRWgbNEkqO".to_owned();
        let first_bare = format!("n=user,r={nonce}");
        let password = Secret::new("pencil");
        ScramClient { hash: ScramHash::Sha256, password, nonce, first_bare, phase: Phase::First }
    }

    const SERVER_FIRST: &str =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    const SERVER_FINAL: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

    #[test]
    fn the_exchange_of_rfc_7677_3() {
        let mut client = example();
        assert_eq!(client.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let last = client.answer(SERVER_FIRST.as_bytes()).unwrap();
        assert_eq!(
            String::from_utf8(last).unwrap(),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert!(!client.is_proved());
        assert_eq!(client.answer(SERVER_FINAL.as_bytes()), Some(Vec::new()));
        assert!(client.is_proved());
        assert_eq!(client.answer(SERVER_FINAL.as_bytes()), None);
    }

    #[test]
    fn a_server_that_breaks_a_rule_gets_no_proof() {
        let begin = "r=rOprNGfwEbeRWgbNEkqO";
        for first in [
            String::new(),
            format!("{begin},s=QUJD,i=4096"),
            "r=rOprNGfwEbeRWgbNEkq!x,s=QUJD,i=4096".to_owned(),
            format!("{begin}x,s=QUJD,i=4095"),
            format!("{begin}x,s=QUJD,i=1000001"),
            format!("{begin}x,s=QUJD,i=99999999999"),
            format!("{begin}x,s=,i=4096"),
            format!("{begin}x,s=Q!,i=4096"),
            format!("{begin}x,s={},i=4096", STANDARD.encode([0; SALT_BYTES_MAX + 1])),
            format!("m=x,{begin}x,s=QUJD,i=4096"),
            format!("{begin}x"),
            SERVER_FINAL.to_owned(),
        ] {
            let mut client = example();
            assert_eq!(client.answer(first.as_bytes()), None, "{first}");
            assert_eq!(client.answer(SERVER_FINAL.as_bytes()), None, "a second chance after {first}");
        }
        assert_eq!(example().answer(b"\xff"), None);
    }

    #[test]
    fn a_server_that_does_not_know_the_password_proves_nothing() {
        for last in ["v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=", "v=", "v=AAAA", "e=other-error", ""] {
            let mut client = example();
            client.answer(SERVER_FIRST.as_bytes()).unwrap();
            assert_eq!(client.answer(last.as_bytes()), None, "{last}");
            assert!(!client.is_proved());
        }
    }

    #[test]
    fn a_name_is_prepared_and_escaped() {
        let client =
            ScramClient::new(ScramHash::Sha1, "a,b=\u{AA}", &Secret::new("p"), &[0, 16, 131]).unwrap();
        assert_eq!(client.first(), "n,,n=a=2Cb=3Da,r=ABCD");
        assert!(ScramClient::new(ScramHash::Sha1, "a\u{7}", &Secret::new("p"), &[0]).is_err());
        assert!(ScramClient::new(ScramHash::Sha1, "a", &Secret::new(""), &[0]).is_err());
    }
}
