//! A driver without a store: it answers the steps of an exchange for one account.
#![allow(dead_code, unreachable_pub, reason = "a module of several tests, each of which uses its part")]

use sasl::{
    ChannelBinding, Exchange, ITERATIONS_MIN, Identity, Mechanism, Refusal, ScramVerifier, Secret, Setup,
    Step, TokenFault, TokenProblem,
};

/// What the directory holds.
pub struct Account {
    pub name: &'static str,
    pub password: String,
    pub token: &'static str,
}

/// What comes of a message, when all lookups are done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Challenge(Vec<u8>),
    Done(Identity),
    Refused(Refusal),
}

pub struct Driver<'a> {
    pub exchange: Exchange,
    account: &'a Account,
    /// Whether a password or token was found right, or the mechanism itself has to see to that.
    pub found_right: bool,
}

pub const EXPORTER: [u8; 32] = [0xE1; 32];
pub const END_POINT: [u8; 32] = [0xE2; 32];

pub fn account(password: &str) -> Account {
    Account { name: "user", password: password.into(), token: "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==" }
}

pub fn setup() -> Setup {
    Setup {
        host_name: "mail.example".into(),
        nonce: [0x5A; 18],
        time_s: 697_170_952,
        channel_bindings: vec![
            ChannelBinding { name: "tls-exporter", data: EXPORTER.to_vec() },
            ChannelBinding { name: "tls-server-end-point", data: END_POINT.to_vec() },
        ],
        fake_salt_key: [0xFA; 32],
    }
}

impl<'a> Driver<'a> {
    pub fn new(mechanism: Mechanism, account: &'a Account) -> Self {
        let found_right = !mechanism.sends_secret();
        Self { exchange: Exchange::new(mechanism, setup()), account, found_right }
    }

    pub fn start(&mut self, initial: Option<&[u8]>) -> Outcome {
        let step = self.exchange.start(initial);
        self.settle(step)
    }

    pub fn respond(&mut self, response: &[u8]) -> Outcome {
        let step = self.exchange.respond(response);
        self.settle(step)
    }

    fn settle(&mut self, mut step: Step) -> Outcome {
        let account = self.account;
        loop {
            step = match step {
                Step::Challenge(octets) => return Outcome::Challenge(octets),
                Step::Done(identity) => return Outcome::Done(identity),
                Step::Refused(refusal) => return Outcome::Refused(refusal),
                Step::VerifyPassword { authcid, password, .. } => {
                    let expected = sasl::saslprep(&account.password);
                    let is_right = authcid == account.name
                        && expected.is_ok_and(|expected| expected == password.reveal());
                    self.found_right |= is_right;
                    self.exchange.verified(is_right)
                }
                Step::FetchScram { authcid, hash } => {
                    let made =
                        || ScramVerifier::new(hash, &account.password, b"sixteen octets..", ITERATIONS_MIN);
                    self.exchange.scram((authcid == account.name).then(made).and_then(Result::ok))
                }
                Step::FetchSharedSecret { authcid } => {
                    let secret = || Secret::new(account.password.clone());
                    self.exchange.shared_secret((authcid == account.name).then(secret))
                }
                Step::VerifyToken { token, .. } => {
                    let problem = TokenProblem {
                        fault: TokenFault::Invalid,
                        scope: Some("https://mail.example/".into()),
                        openid_configuration: None,
                    };
                    let is_good = token.reveal() == account.token;
                    self.found_right |= is_good;
                    self.exchange.token(if is_good { Ok(account.name.to_owned()) } else { Err(problem) })
                }
            };
        }
    }
}

pub fn challenge(text: &str) -> Outcome {
    Outcome::Challenge(text.as_bytes().to_vec())
}

pub fn done(authcid: &str, authzid: &str) -> Outcome {
    Outcome::Done(Identity { authcid: authcid.into(), authzid: authzid.into() })
}
