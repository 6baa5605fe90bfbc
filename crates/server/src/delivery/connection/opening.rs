//! From the first octet to where a message may be sent: greeting, TLS, login.

use std::io;

use mta::outcome::{Outcome, TlsTrouble};
use mta::route::Protocol;
use mta::tls::HopTls;
use smtp::client::{
    Cause, Certificate, Client, Config, Event, Failure, LoginPolicy, Mode, Security, Stage, TlsPolicy,
    Transcript, Unsupported,
};
use tokio::time::{Instant, timeout_at};
use types::Host;

use super::channel::Channel;
use super::dialogue::{Encryption, Recorder, Shown};
use super::login::without_secret;
use super::timer::Timer;
use super::{Begin, Connection, Dialogue, Login, Offers, Settings, Target, Terms};
use crate::client_login::ClientLogin;
use crate::delivery::outcomes;
use crate::delivery::world::Stream;

/// A connection over which no message can be sent.
#[derive(Debug)]
pub(crate) struct Refused {
    /// What it means for each message that was to go over it.
    pub(crate) outcome: Outcome,
    /// What was said.
    pub(crate) log: Dialogue,
    /// Why TLS could not be had, where that is the reason. Where it was opportunistic, the host is to be tried again
    /// without it ([`HopTls::None`]), and it is worth remembering (RFC 7435 §3).
    pub(crate) tls: Option<TlsFailure>,
}

/// Why TLS could not be had.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TlsFailure {
    /// What kind of trouble.
    pub(crate) trouble: TlsTrouble,
    /// What the library says, where it is a matter of TLS and no broken connection.
    pub(crate) error: Option<rustls::Error>,
    /// For people.
    pub(crate) text: String,
}

pub(super) async fn open(
    stream: Box<dyn Stream>,
    target: &Target,
    terms: &Terms,
) -> Result<Connection, Box<Refused>> {
    let mut channel = Channel::Clear(stream);
    let mut log = Recorder::new(target);
    let timer = Timer::new(&terms.timeouts, terms.timeouts.opening);
    let security = match &terms.begin {
        Begin::InClear => Security::Clear,
        // RFC 8689 §4.2.1 wants to know who takes the message over. It was we who showed a certificate, and they who knew
        // the password.
        Begin::Encrypted(parameters) => {
            log.encrypted(Encryption { parameters: Some(parameters.clone()), shown: Shown::Login });
            Security::Tls(Certificate::Verified)
        }
        Begin::WithTls => match secure(&mut channel, terms, &mut log, timer.end()).await {
            Ok(certificate) => Security::Tls(certificate),
            Err(failure) => {
                log.ended(&failure.text);
                let outcome = outcomes::of_tls(failure.trouble);
                return Err(Box::new(Refused { outcome, log: log.take(), tls: Some(failure) }));
            }
        },
    };
    let settings = Settings { timeouts: terms.timeouts, convert_bytes_max: terms.convert_bytes_max };
    let mut connection = Connection {
        channel,
        client: Client::new(config(terms, security)),
        timer,
        log,
        settings,
        unflushed: false,
        messages: 0,
        took_at: None,
        is_spent: false,
        offers: Offers::default(),
    };
    match connection.begin(terms).await {
        Ok(()) => Ok(connection),
        Err(mut refused) => {
            connection.part().await;
            refused.log = connection.log.take();
            Err(refused)
        }
    }
}

impl Connection {
    /// Drives the machine until it is ready.
    async fn begin(&mut self, terms: &Terms) -> Result<(), Box<Refused>> {
        let mut login = terms.login.as_ref().map(Login::under_way);
        let mut tls = None;
        loop {
            while let Some(event) = self.client.poll_event() {
                match event {
                    Event::StartTls => tls = self.start_tls(terms).await.err(),
                    Event::Authenticate { mechanisms } => match &mut login {
                        Some(login) => login.begin(&mechanisms, &mut self.client),
                        None => self.client.cancel_login(),
                    },
                    Event::Challenge(challenge) => match &mut login {
                        Some(login) => login.answer(challenge.octets(), &mut self.client),
                        None => self.client.cancel_login(),
                    },
                    Event::Ready if login.as_ref().is_none_or(ClientLogin::is_satisfied) => {
                        self.note_offers();
                        return Ok(());
                    }
                    // A server that lets in without having proved itself is somebody else.
                    Event::Ready => {
                        self.client.abort();
                        let cause = Cause::Unsupported(Unsupported::AuthExchange);
                        return Err(self.refused(Failure { stage: Stage::Login, cause }, terms, tls));
                    }
                    Event::Unusable(failure) => return Err(self.refused(failure, terms, tls)),
                    Event::Heard { stage, reply } => self.log.heard(stage, &reply),
                    Event::Closed(_) | Event::Finished(_) | Event::Said { .. } => {}
                }
            }
            if self.client.is_closed() {
                let end = smtp::client::End::Lost;
                return Err(self.refused(end.failure(Stage::Greeting), terms, tls));
            }
            self.step().await;
        }
    }

    async fn start_tls(&mut self, terms: &Terms) -> Result<(), TlsFailure> {
        // What was said in clear text after 220 has closed it.
        if self.client.is_closed() {
            return Ok(());
        }
        let secured = secure(&mut self.channel, terms, &mut self.log, self.timer.end()).await;
        match &secured {
            Ok(certificate) => self.client.secured(*certificate),
            Err(failure) => self.client.tls_failed(&failure.text),
        }
        secured.map(drop)
    }

    fn note_offers(&mut self) {
        if let Some(extensions) = self.client.extensions() {
            self.offers = Offers { dsn: extensions.dsn, deliver_by: extensions.deliver_by_min_s.is_some() };
        }
    }

    fn refused(&mut self, failure: Failure, terms: &Terms, tls: Option<TlsFailure>) -> Box<Refused> {
        let failure = without_secret(failure, terms.login.as_ref());
        self.log.ended(&failure);
        let outcome = match &tls {
            Some(failure) => outcomes::of_tls(failure.trouble),
            None => outcomes::of_failure(&failure, 0),
        };
        let tls = tls.or_else(|| not_offered(&failure));
        Box::new(Refused { outcome, log: self.log.dialogue().clone(), tls })
    }
}

/// TLS that was never begun, for whoever counts such failures (RFC 8460 §4.3.1).
fn not_offered(failure: &Failure) -> Option<TlsFailure> {
    let is_it = matches!(
        (failure.stage, &failure.cause),
        (_, Cause::Unsupported(Unsupported::StartTls)) | (Stage::StartTls, Cause::Reply(_))
    );
    is_it.then(|| TlsFailure { trouble: TlsTrouble::NotOffered, error: None, text: failure.to_string() })
}

/// The handshake, and what it shows.
async fn secure(
    channel: &mut Channel,
    terms: &Terms,
    log: &mut Recorder,
    end: Instant,
) -> Result<Certificate, TlsFailure> {
    let Some(handshake) = &terms.handshake else {
        let text = "there are no means for a handshake".to_owned();
        return Err(TlsFailure { trouble: TlsTrouble::Handshake, error: None, text });
    };
    let limit = end.min(Instant::now() + terms.timeouts.handshake);
    let secured = channel.secure(handshake.config.clone(), handshake.name.clone());
    match timeout_at(limit, secured).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Err(TlsFailure::by(&error)),
        Err(_) => {
            let text = "the handshake took too long".to_owned();
            return Err(TlsFailure { trouble: TlsTrouble::Handshake, error: None, text });
        }
    }
    let (shown, certificate) = match &terms.tls {
        HopTls::Verified { .. } => (Shown::Host, Certificate::Verified),
        HopTls::Dane { .. } => (Shown::Dane, Certificate::Verified),
        HopTls::None | HopTls::Opportunistic | HopTls::Required => (Shown::Anybody, Certificate::Unverified),
    };
    let parameters = channel.tls().and_then(|connection| net::tls::describe(connection));
    log.encrypted(Encryption { parameters, shown });
    Ok(certificate)
}

impl TlsFailure {
    fn by(error: &io::Error) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).cloned();
        let trouble = match &inner {
            Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => {
                TlsTrouble::Certificate
            }
            _ => TlsTrouble::Handshake,
        };
        let text = inner.as_ref().map_or_else(|| error.to_string(), ToString::to_string);
        Self { trouble, error: inner, text }
    }
}

fn config(terms: &Terms, security: Security) -> Config {
    Config {
        mode: match terms.protocol {
            Protocol::Smtp => Mode::Smtp,
            Protocol::Lmtp => Mode::Lmtp,
        },
        transcript: Transcript::Replies,
        security,
        tls: match terms.tls {
            HopTls::None => TlsPolicy::None,
            HopTls::Opportunistic => TlsPolicy::Opportunistic,
            HopTls::Required | HopTls::Verified { .. } | HopTls::Dane { .. } => TlsPolicy::Required,
        },
        login: terms.login.as_ref().map_or(LoginPolicy::None, |login| LoginPolicy::Required(login.passwords)),
        ..Config::new(Host::Domain(terms.hello_name.clone()))
    }
}
