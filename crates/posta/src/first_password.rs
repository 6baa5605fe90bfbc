//! The password of dev mode's first account: made once, kept in the data folder, said again at each start.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use net::files::{self, OWNER_ONLY};
use server::control::{AccountChange, DirectoryRequest, Password, Request, SharedSecret};

use crate::exit::{Exit, Failure};

/// The account that gets everybody's mail in dev mode.
pub(crate) const FIRST_ACCOUNT: &str = "dev@localhost";

/// A new password.
pub(crate) fn make() -> Result<String, Failure> {
    server::passwords::generate().map_err(|error| Failure::new(Exit::Internal, error))
}

/// Asks for [`FIRST_ACCOUNT`] to be made.
pub(crate) fn account(password: &str) -> Request {
    Request::Directory(DirectoryRequest::AccountAdd {
        account: FIRST_ACCOUNT.to_owned(),
        password: Password::new(password),
        // It lies readable beside the store: CRAM-MD5 and APOP may be tried with it.
        shared_secret: SharedSecret::Allow,
        // It stands for everybody: programs that are tried send as whoever they are meant for.
        change: AccountChange { send_as_add: vec!["*".to_owned()], ..AccountChange::default() },
    })
}

/// Asks for the password of [`FIRST_ACCOUNT`] to be changed.
pub(crate) fn change(password: &str) -> Request {
    Request::Directory(DirectoryRequest::PasswordSet {
        account: FIRST_ACCOUNT.to_owned(),
        password: Some(Password::new(password)),
        shared_secret: SharedSecret::Keep,
    })
}

/// The password that is kept in the folder, if one is.
pub(crate) fn kept(folder: &Path) -> Result<Option<String>, Failure> {
    let path = path(folder);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()).filter(|text| !text.is_empty())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => {
            Err(Failure::new(Exit::Unavailable, format_args!("cannot read {}: {error}", path.display())))
        }
    }
}

/// Keeps a password where only its owner reads it.
pub(crate) fn keep(folder: &Path, password: &str) -> Result<(), Failure> {
    let path = path(folder);
    files::replace(&path, format!("{password}\n").as_bytes(), OWNER_ONLY).map_err(|error| {
        Failure::new(Exit::CannotCreate, format_args!("cannot write {}: {error}", path.display()))
    })
}

fn path(folder: &Path) -> PathBuf {
    folder.join("dev-password")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_password_is_kept_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(kept(folder.path()).unwrap(), None);
        for password in ["first one", "second"] {
            keep(folder.path(), password).unwrap();
            assert_eq!(kept(folder.path()).unwrap().as_deref(), Some(password));
            let mode = std::fs::metadata(path(folder.path())).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
