//! `--user`: the login.

use std::io::BufRead as _;
use std::path::Path;

use sasl::Secret;
use server::client_login::ClientLogin;
use smtp::client::Passwords;

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

    /// The login, before it has begun.
    pub(crate) fn login(&self) -> ClientLogin<'_> {
        ClientLogin::new(&self.user, &self.password)
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
