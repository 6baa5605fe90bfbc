//! AUTH at a smart host (RFC 4954): which mechanism, and what is said.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sasl::{Mechanism, Responder};
use smtp::client::{Cause, Client, Failure};

use super::Login;

/// One login under way, or done.
pub(super) struct LoginUnderWay<'a> {
    login: &'a Login,
    responder: Option<Responder>,
}

impl<'a> LoginUnderWay<'a> {
    pub(super) const fn new(login: &'a Login) -> Self {
        Self { login, responder: None }
    }

    /// Begins by the best mechanism that both sides know. The machine offers none that would say the password in clear
    /// text.
    pub(super) fn begin(&mut self, offered: &[String], client: &mut Client) {
        self.responder = Responder::MECHANISMS
            .into_iter()
            .filter(|mechanism| offered.iter().any(|name| name == mechanism.name()))
            .find_map(|mechanism| self.begin_by(mechanism, client));
        if self.responder.is_none() {
            client.cancel_login();
        }
    }

    fn begin_by(&self, mechanism: Mechanism, client: &mut Client) -> Option<Responder> {
        let mut nonce = [0; 18];
        getrandom::fill(&mut nonce).ok()?;
        let responder = Responder::new(mechanism, &self.login.user, &self.login.password, &nonce).ok()?;
        client.authenticate(mechanism.name(), responder.initial().as_deref()).ok()?;
        Some(responder)
    }

    pub(super) fn answer(&mut self, challenge: &[u8], client: &mut Client) {
        match self.responder.as_mut().map(|responder| responder.answer(challenge)) {
            Some(Ok(response)) => client.respond(&response),
            Some(Err(_)) | None => client.cancel_login(),
        }
    }

    /// Whether the server has proved all that it has to.
    pub(super) fn is_satisfied(&self) -> bool {
        self.responder.as_ref().is_some_and(Responder::is_satisfied)
    }
}

/// Takes the text out of a refusal that repeats the password: it would be kept with the message.
pub(super) fn without_secret(mut failure: Failure, login: Option<&Login>) -> Failure {
    if let (Cause::Reply(reply), Some(login)) = (&mut failure.cause, login)
        && tells(&reply.text, login)
    {
        reply.text = "(the text holds the password and is not kept)".into();
    }
    failure
}

fn tells(text: &str, login: &Login) -> bool {
    let password = login.password.reveal();
    let plain = format!("\0{}\0{password}", login.user);
    [password.to_owned(), STANDARD.encode(password), STANDARD.encode(plain)]
        .iter()
        .any(|secret| !secret.is_empty() && text.contains(secret.as_str()))
}
