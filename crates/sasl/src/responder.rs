//! The client's side of SASL: what one who logs in says. PLAIN, LOGIN, SCRAM-SHA-256, SCRAM-SHA-1, and CRAM-MD5, which
//! RFC 2645 §5.1.2 wants of everybody.

use std::fmt;

use crate::cram_md5;
use crate::scram::ScramClient;
use crate::{Mechanism, PrepareError, Secret};

/// One login, by one mechanism.
pub struct Responder(State);

enum State {
    Plain(String, Secret),
    /// What is left to be said, the last first.
    Login(Vec<Secret>),
    Scram(ScramClient),
    /// Once.
    CramMd5(Option<(String, Secret)>),
}

/// Why there is no answer to a challenge: the server does not keep to the mechanism, or does not know the password.
/// The login is to be cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server's part of the login is not as it must be")]
pub struct BadChallenge;

/// Why a login cannot be begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResponderError {
    /// Not one of [`Responder::MECHANISMS`].
    #[error("this mechanism is not known here")]
    Unknown,
    /// The name or the password cannot be one.
    #[error("the name or the password: {0}")]
    Text(#[from] PrepareError),
}

impl Responder {
    /// What can be spoken, those first that tell the server and the way least; but CRAM-MD5, which many servers offer to
    /// accounts that have no verifier for it, where nothing else can be.
    pub const MECHANISMS: [Mechanism; 5] = [
        Mechanism::ScramSha256,
        Mechanism::ScramSha1,
        Mechanism::Plain,
        Mechanism::Login,
        Mechanism::CramMd5,
    ];

    /// Begins a login as `name`. `nonce` is random.
    ///
    /// # Errors
    /// [`ResponderError`].
    pub fn new(
        mechanism: Mechanism,
        name: &str,
        password: &Secret,
        nonce: &[u8; 18],
    ) -> Result<Self, ResponderError> {
        Ok(Self(match (mechanism, mechanism.scram_hash()) {
            // A NUL would end the field. Both may be sent unprepared: the server prepares them (RFC 4616 §2).
            (Mechanism::Plain | Mechanism::Login, _) if [name, password.reveal()].concat().contains('\0') => {
                return Err(PrepareError::Prohibited.into());
            }
            (Mechanism::Plain, _) => State::Plain(name.to_owned(), password.clone()),
            (Mechanism::Login, _) => State::Login(vec![password.clone(), Secret::new(name)]),
            (Mechanism::CramMd5, _) => State::CramMd5(Some((name.to_owned(), password.clone()))),
            (Mechanism::ScramSha1 | Mechanism::ScramSha256, Some(hash)) => {
                State::Scram(ScramClient::new(hash, name, password, nonce)?)
            }
            _ => return Err(ResponderError::Unknown),
        }))
    }

    /// What is said before any challenge, if the mechanism has it.
    #[must_use]
    pub fn initial(&self) -> Option<Vec<u8>> {
        match &self.0 {
            State::Plain(name, password) => Some(format!("\0{name}\0{}", password.reveal()).into_bytes()),
            State::Login(_) | State::CramMd5(_) => None,
            State::Scram(scram) => Some(scram.first().into_bytes()),
        }
    }

    /// Answers a challenge.
    ///
    /// # Errors
    /// [`BadChallenge`].
    pub fn answer(&mut self, challenge: &[u8]) -> Result<Vec<u8>, BadChallenge> {
        match &mut self.0 {
            State::Plain(..) => Err(BadChallenge),
            // Whatever the server asks, name and password are what comes, in this order: the texts of its challenges
            // differ from server to server.
            State::Login(left) => {
                left.pop().map(|text| text.reveal().as_bytes().to_vec()).ok_or(BadChallenge)
            }
            State::Scram(scram) => scram.answer(challenge).ok_or(BadChallenge),
            State::CramMd5(login) => {
                let (name, password) = login.take().ok_or(BadChallenge)?;
                Ok(cram_md5::response(&name, &password, challenge).into_bytes())
            }
        }
    }

    /// Whether the server has shown all that the mechanism asks of it. A server that says that the login has
    /// succeeded before this is true is an impostor.
    #[must_use]
    pub const fn is_satisfied(&self) -> bool {
        match &self.0 {
            State::Plain(..) | State::Login(_) | State::CramMd5(_) => true,
            State::Scram(scram) => scram.is_proved(),
        }
    }
}

/// Without secrets.
impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            State::Plain(..) => "Responder(PLAIN)",
            State::Login(_) => "Responder(LOGIN)",
            State::Scram(_) => "Responder(SCRAM)",
            State::CramMd5(_) => "Responder(CRAM-MD5)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Exchange, ScramHash, ScramVerifier, Setup, Step};

    fn responder(mechanism: Mechanism, password: &str) -> Responder {
        Responder::new(mechanism, "ada=,", &Secret::new(password), &[7; 18]).unwrap()
    }

    /// A login with the server's side of this crate, where the password is "open sesame".
    fn is_let_in(mechanism: Mechanism, password: &str) -> bool {
        let setup = Setup {
            host_name: "mail.example.org".to_owned(),
            nonce: [9; 18],
            time_s: 0,
            channel_bindings: Vec::new(),
            fake_salt_key: [1; 32],
        };
        let mut exchange = Exchange::new(mechanism, setup);
        let mut responder = responder(mechanism, password);
        let mut step = exchange.start(responder.initial().as_deref());
        for _ in 0..10 {
            step = match step {
                Step::Challenge(octets) => match responder.answer(&octets) {
                    Ok(response) => exchange.respond(&response),
                    Err(BadChallenge) => return false,
                },
                Step::VerifyPassword { authcid, password, .. } => {
                    exchange.verified(authcid == "ada=," && password.reveal() == "open sesame")
                }
                Step::FetchScram { authcid, hash } => {
                    assert_eq!(authcid, "ada=,");
                    exchange.scram(ScramVerifier::new(hash, "open sesame", b"salt", 4096).ok())
                }
                Step::FetchSharedSecret { authcid } => {
                    assert_eq!(authcid, "ada=,");
                    exchange.shared_secret(Some(Secret::new("open sesame")))
                }
                Step::Done(identity) => {
                    assert_eq!(identity.authcid, "ada=,");
                    return responder.is_satisfied();
                }
                _ => return false,
            };
        }
        panic!("the login does not end")
    }

    #[test]
    fn both_sides_understand_one_another_by_every_mechanism() {
        for mechanism in Responder::MECHANISMS {
            assert!(is_let_in(mechanism, "open sesame"), "{mechanism:?}");
            assert!(!is_let_in(mechanism, "open sesam"), "{mechanism:?}");
        }
    }

    #[test]
    fn a_challenge_too_many_is_not_answered() {
        let mut login = responder(Mechanism::Login, "pw");
        assert_eq!(login.answer(b"Username:").unwrap(), b"ada=,");
        assert_eq!(login.answer(b"anything").unwrap(), b"pw");
        assert_eq!(login.answer(b"more"), Err(BadChallenge));
        assert_eq!(responder(Mechanism::Plain, "pw").answer(b""), Err(BadChallenge));
        let mut cram = responder(Mechanism::CramMd5, "pw");
        assert!(cram.answer(b"<1@example.org>").is_ok());
        assert_eq!(cram.answer(b"<1@example.org>"), Err(BadChallenge));
    }

    #[test]
    fn what_cannot_be_begun_is_told_and_no_secret_is_printed() {
        let begin = |mechanism, password| {
            Responder::new(mechanism, "ada", &Secret::new(password), &[0; 18]).map(|_| ()).unwrap_err()
        };
        assert_eq!(begin(Mechanism::XOAuth2, "pw"), ResponderError::Unknown);
        assert_eq!(begin(Mechanism::ScramSha256Plus, "pw"), ResponderError::Unknown);
        assert_eq!(begin(Mechanism::Plain, "p\0w"), PrepareError::Prohibited.into());
        for mechanism in Responder::MECHANISMS {
            let printed = format!("{:?}", responder(mechanism, "s3cret"));
            assert!(!printed.contains("s3cret") && !printed.contains("ada"), "{printed}");
        }
        assert!(
            !responder(Mechanism::ScramSha256, "pw").is_satisfied(),
            "before the server has proved anything"
        );
        assert_eq!(Mechanism::ScramSha256.scram_hash(), Some(ScramHash::Sha256));
    }
}
