//! One exchange of SASL: carries an [`Exchange`] and what it asks for to an outcome.

use std::net::IpAddr;
use std::sync::Arc;

use sasl::{Exchange, ScramHash, ScramVerifier, Secret, Step, TokenFault};
use store::{Account, Store};

use super::check::{Subject, key};
use super::token::TokenError;
use super::{Authenticator, Login, Refusal, Why};

/// An exchange under way. Dropped, it is over; what was decided has been counted.
pub(crate) struct Attempt {
    authenticator: Arc<Authenticator>,
    exchange: Exchange,
    ip: IpAddr,
    progress: Progress,
    /// Who the client says that it is, once it has.
    name: Option<String>,
}

/// What the client is told next.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "taken apart where it is made")]
pub(crate) enum Outcome {
    /// This, and its answer goes to the next step.
    Challenge(Vec<u8>),
    /// That it is logged in.
    Accepted(Login),
    /// That it is not.
    Refused(Refusal),
}

enum Progress {
    /// Nothing was said.
    New,
    /// Nothing is decided.
    Open,
    /// SCRAM: the client owes its proof.
    Proof { subject: Subject, why: Why, lacks_verifier: bool },
    /// It is decided, and the client owes the answer to a last challenge.
    Decided(Result<Login, Refusal>),
}

impl Attempt {
    pub(super) const fn new(authenticator: Arc<Authenticator>, exchange: Exchange, ip: IpAddr) -> Self {
        Self { authenticator, exchange, ip, progress: Progress::New, name: None }
    }

    /// Who the client says that it is: for the trace, and worth nothing more.
    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// As in IANA's registry.
    pub(crate) const fn mechanism(&self) -> &'static str {
        self.exchange.mechanism().name()
    }

    /// Takes the initial response, where there was one, and then each response, decoded. It may take as long as a
    /// failure is to be answered late.
    pub(crate) async fn step(&mut self, store: &Arc<dyn Store>, input: Option<&[u8]>) -> Outcome {
        match self.advance(store, input).await {
            Ok(outcome) => outcome,
            Err(refusal) => Outcome::Refused(refusal),
        }
    }

    async fn advance(&mut self, store: &Arc<dyn Store>, input: Option<&[u8]>) -> Result<Outcome, Refusal> {
        let progress = std::mem::replace(&mut self.progress, Progress::Open);
        let step = match progress {
            Progress::New => self.exchange.start(input),
            _ => self.exchange.respond(input.unwrap_or_default()),
        };
        match (step, progress) {
            (Step::Challenge(challenge), Progress::Proof { subject, why, .. }) => {
                self.proved(subject, why, challenge).await
            }
            (Step::Refused(sasl::Refusal::Credentials), Progress::Proof { subject, why, lacks_verifier }) => {
                let refused = self.conclude(subject, false, why).await.err();
                match refused.unwrap_or(Refusal::Credentials(why)) {
                    Refusal::Credentials(_) if lacks_verifier => Err(Refusal::TransitionNeeded),
                    refusal => Err(refusal),
                }
            }
            (Step::Done(_) | Step::Refused(_), Progress::Decided(Err(refusal))) => Err(refusal),
            (Step::Done(identity), Progress::Decided(Ok(login))) => {
                // Nobody acts as another account here, whose password would be asked for.
                let is_same = is_same(&identity.authcid, &identity.authzid);
                let other = Err(Refusal::Credentials(Why::OtherIdentity));
                if is_same { Ok(Outcome::Accepted(login)) } else { other }
            }
            (step, _) => self.follow(store, step).await,
        }
    }

    /// Does what the exchange asks for.
    async fn follow(&mut self, store: &Arc<dyn Store>, step: Step) -> Result<Outcome, Refusal> {
        match step {
            Step::Challenge(challenge) => Ok(Outcome::Challenge(challenge)),
            Step::VerifyPassword { authcid, authzid, password } => {
                self.password(store, authcid, &authzid, &password).await
            }
            Step::FetchScram { authcid, hash } => self.scram(store, authcid, hash).await,
            Step::FetchSharedSecret { authcid } => self.shared_secret(store, authcid).await,
            Step::VerifyToken { authcid, token } => self.token(store, authcid, &token).await,
            // What needs no decision of ours lets nobody in.
            Step::Done(_) => Err(Refusal::Malformed),
            Step::Refused(refusal) => Err(refusal_of(refusal)),
        }
    }

    async fn password(
        &mut self,
        store: &Arc<dyn Store>,
        authcid: String,
        authzid: &str,
        password: &Secret,
    ) -> Result<Outcome, Refusal> {
        let is_same = is_same(&authcid, authzid);
        let name = self.name.insert(authcid).clone();
        let mechanism = self.mechanism();
        let authenticator = &self.authenticator;
        let login = authenticator.check_password(store, mechanism, &name, password.reveal(), self.ip).await?;
        if !is_same {
            return Err(Refusal::Credentials(Why::OtherIdentity));
        }
        self.accepted(login, |exchange| exchange.verified(true))
    }

    async fn scram(
        &mut self,
        store: &Arc<dyn Store>,
        authcid: String,
        hash: ScramHash,
    ) -> Result<Outcome, Refusal> {
        let name = self.name.insert(authcid).clone();
        let subject = self.authenticator.admit(store, &name, self.ip).await?;
        let verifier = subject.account().and_then(|account| verifier(account, hash));
        let lacks_verifier =
            verifier.is_none() && subject.account().is_some_and(|account| account.credentials.has_password());
        let why = subject.why(Why::Password);
        let step = match verifier {
            Some(verifier) => self.exchange.scram(Some(verifier)),
            None => self.exchange.scram_unknown(&subject.key),
        };
        let Step::Challenge(challenge) = step else { return Err(Refusal::Malformed) };
        self.progress = Progress::Proof { subject, why, lacks_verifier };
        Ok(Outcome::Challenge(challenge))
    }

    /// The client's proof is right. The count decides before the client hears of it, by the server's proof.
    async fn proved(&mut self, subject: Subject, why: Why, challenge: Vec<u8>) -> Result<Outcome, Refusal> {
        let login = self.conclude(subject, true, why).await?;
        self.progress = Progress::Decided(Ok(login));
        Ok(Outcome::Challenge(challenge))
    }

    async fn shared_secret(&mut self, store: &Arc<dyn Store>, authcid: String) -> Result<Outcome, Refusal> {
        let name = self.name.insert(authcid).clone();
        let subject = self.authenticator.admit(store, &name, self.ip).await?;
        let secret = subject.account().and_then(|account| account.credentials.shared_secret.clone());
        let why = subject.why(if secret.is_some() { Why::Password } else { Why::NoSharedSecret });
        let step = self.exchange.shared_secret(secret.map(Secret::new));
        let login = self.conclude(subject, matches!(step, Step::Done(_)), why).await?;
        Ok(Outcome::Accepted(login))
    }

    async fn token(
        &mut self,
        store: &Arc<dyn Store>,
        authcid: String,
        token: &Secret,
    ) -> Result<Outcome, Refusal> {
        let said = authcid.clone();
        self.name = Some(authcid).filter(|name| !name.is_empty());
        let subject = self.authenticator.admit_token(&said, self.ip).await?;
        let found = match self.authenticator.tokens.account_of(token, self.authenticator.now()).await {
            Err(TokenError::Unavailable) => {
                return Err(Refusal::Unavailable("the keys of the token's issuer"));
            }
            Err(TokenError::Refused(what)) => Err(Why::Token(what)),
            Ok(account) if !is_same(&account, &said) => Err(Why::OtherIdentity),
            Ok(account) => {
                let account = key(&account);
                let found = store.account(&account).await.map_err(|_| Refusal::Unavailable("the account"))?;
                found.ok_or(Why::NoAccount)
            }
        };
        let mechanism = self.mechanism();
        match self.authenticator.conclude_token(subject, found, mechanism).await {
            Ok(login) => {
                let name = login.account.name.clone();
                self.name = Some(name.clone());
                // The name as the client wrote it has been compared.
                self.accepted(login, |exchange| exchange.token(Ok(name)))
            }
            Err(refusal) => match self.exchange.token(Err(TokenFault::Invalid.into())) {
                // One more challenge tells the client why (RFC 7628 §3.2.2).
                Step::Challenge(challenge)
                    if matches!(refusal, Refusal::Credentials(_) | Refusal::Disabled) =>
                {
                    self.progress = Progress::Decided(Err(refusal));
                    Ok(Outcome::Challenge(challenge))
                }
                _ => Err(refusal),
            },
        }
    }

    /// The exchange has to agree.
    fn accepted(
        &mut self,
        login: Login,
        answer: impl FnOnce(&mut Exchange) -> Step,
    ) -> Result<Outcome, Refusal> {
        match answer(&mut self.exchange) {
            Step::Done(_) => Ok(Outcome::Accepted(login)),
            _ => Err(Refusal::Malformed),
        }
    }

    async fn conclude(&self, subject: Subject, is_right: bool, why: Why) -> Result<Login, Refusal> {
        self.authenticator.conclude(subject, is_right, why, self.mechanism(), None).await
    }
}

/// Whether a client that is `authcid` wants to act as nobody else.
fn is_same(authcid: &str, other: &str) -> bool {
    other.is_empty() || key(other) == key(authcid)
}

fn verifier(account: &Account, hash: ScramHash) -> Option<ScramVerifier> {
    let credentials = &account.credentials;
    let text = match hash {
        ScramHash::Sha256 => credentials.scram_sha_256.as_deref(),
        ScramHash::Sha1 => credentials.scram_sha_1.as_deref(),
    };
    text?.parse().ok().filter(|verifier: &ScramVerifier| verifier.hash() == hash)
}

const fn refusal_of(refusal: sasl::Refusal) -> Refusal {
    match refusal {
        sasl::Refusal::Malformed => Refusal::Malformed,
        sasl::Refusal::Credentials => Refusal::Credentials(Why::Password),
        sasl::Refusal::ChannelBinding => Refusal::Credentials(Why::ChannelBinding),
        sasl::Refusal::Unavailable => Refusal::Unavailable("what the mechanism needs"),
    }
}
