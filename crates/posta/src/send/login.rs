//! `--user`: the login.

use std::io::BufRead as _;
use std::path::Path;

use sasl::{Mechanism, Responder, Secret};
use smtp::client::{Client, Passwords};

use super::SendArgs;
use super::input::InputError;

/// Where a password may come from that nobody is to see.
const PASSWORD_VARIABLE: &str = "POSTA_PASSWORD";

/// Who logs in.
#[derive(Debug)]
pub(crate) struct Account {
    user: String,
    password: Secret,
    pub(crate) passwords: Passwords,
}

/// One login under way, or done.
pub(crate) struct Login<'a> {
    account: &'a Account,
    responder: Option<Responder>,
}

impl Account {
    pub(crate) fn new(args: &SendArgs) -> Result<Option<Self>, InputError> {
        let Some(user) = args.user.clone() else { return Ok(None) };
        let password = match &args.password {
            Some(password) => password.clone(),
            None if args.password_stdin => read_line(args)?,
            None => std::env::var(PASSWORD_VARIABLE).unwrap_or_default(),
        };
        if password.is_empty() {
            return Err(InputError::NoPassword { user });
        }
        let passwords = if args.password_in_clear { Passwords::InClear } else { Passwords::Protected };
        Ok(Some(Self { user, password: Secret::new(password), passwords }))
    }

    /// Whose password is known already.
    pub(crate) fn of(user: String, password: String, passwords: Passwords) -> Self {
        Self { user, password: Secret::new(password), passwords }
    }
}

impl<'a> Login<'a> {
    pub(crate) const fn new(account: &'a Account) -> Self {
        Self { account, responder: None }
    }

    /// Begins by the best mechanism that both sides know.
    pub(crate) fn begin(&mut self, offered: &[String], client: &mut Client) {
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
        let Account { user, password, .. } = self.account;
        let responder = Responder::new(mechanism, user, password, &nonce).ok()?;
        client.authenticate(mechanism.name(), responder.initial().as_deref()).ok()?;
        Some(responder)
    }

    pub(crate) fn answer(&mut self, challenge: &[u8], client: &mut Client) {
        match self.responder.as_mut().map(|responder| responder.answer(challenge)) {
            Some(Ok(response)) => client.respond(&response),
            Some(Err(_)) | None => client.cancel_login(),
        }
    }

    /// Whether the server has proved all that it has to.
    pub(crate) fn is_satisfied(&self) -> bool {
        self.responder.as_ref().is_some_and(Responder::is_satisfied)
    }
}

/// The first line of the standard input, which must not be wanted for the message too.
fn read_line(args: &SendArgs) -> Result<String, InputError> {
    let stdin = Path::new("-");
    if args.file.as_deref() == Some(stdin) || args.body.as_deref() == Some("-") {
        return Err(InputError::StdinTwice);
    }
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|error| InputError::File { path: stdin.to_owned(), error })?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
