//! The login at a smart host, and what of it must not be told.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use smtp::client::{Cause, Failure};

use super::Login;
use crate::client_login::ClientLogin;

impl Login {
    /// The login, before it has begun.
    pub(super) fn under_way(&self) -> ClientLogin<'_> {
        ClientLogin::new(&self.user, &self.password)
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
