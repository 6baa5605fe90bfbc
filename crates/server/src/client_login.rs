//! AUTH at another server (RFC 4954): which mechanism, and what is said. For a smart host, and for the client programs of
//! the command line.

use sasl::{Mechanism, Responder, Secret};
use smtp::client::Client;

/// One login under way, or done.
#[derive(Debug)]
pub struct ClientLogin<'a> {
    user: &'a str,
    password: &'a Secret,
    responder: Option<Responder>,
}

impl<'a> ClientLogin<'a> {
    /// A login that has not begun.
    #[must_use]
    pub const fn new(user: &'a str, password: &'a Secret) -> Self {
        Self { user, password, responder: None }
    }

    /// Begins by the best mechanism that both sides know. The machine offers none that would say the password where it
    /// must not be said.
    pub fn begin(&mut self, offered: &[String], client: &mut Client) {
        self.responder = Responder::MECHANISMS
            .into_iter()
            .filter(|mechanism| offered.iter().any(|name| name == mechanism.name()))
            .find_map(|mechanism| self.begin_by(mechanism, client));
        if self.responder.is_none() {
            client.cancel_login();
        }
    }

    /// Answers a challenge, or cancels where it is not as it must be.
    pub fn answer(&mut self, challenge: &[u8], client: &mut Client) {
        match self.responder.as_mut().map(|responder| responder.answer(challenge)) {
            Some(Ok(response)) => client.respond(&response),
            Some(Err(_)) | None => client.cancel_login(),
        }
    }

    /// Whether the server has proved all that it has to.
    #[must_use]
    pub fn is_satisfied(&self) -> bool {
        self.responder.as_ref().is_some_and(Responder::is_satisfied)
    }

    fn begin_by(&self, mechanism: Mechanism, client: &mut Client) -> Option<Responder> {
        let mut nonce = [0; 18];
        getrandom::fill(&mut nonce).ok()?;
        let responder = Responder::new(mechanism, self.user, self.password, &nonce).ok()?;
        client.authenticate(mechanism.name(), responder.initial().as_deref()).ok()?;
        Some(responder)
    }
}
