//! Accounts as values: who they are, what they log in with, and how they are changed.

use std::fmt;

use types::Timestamp;
use types::directory::AccountSettings;

use crate::{AccountId, MailboxId, SpecialUse};

/// One account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Never used again.
    pub id: AccountId,
    /// As it was made; usually an address in the form of [`types::directory::key`].
    pub name: String,
    /// What proves who logs in.
    pub credentials: Credentials,
    /// What it may do.
    pub settings: AccountSettings,
    /// Its INBOX.
    pub inbox: MailboxId,
}

/// What proves who logs in to an account. The default is that nobody can. Nothing of it is shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Credentials {
    /// In PHC string format; empty where there is no password.
    pub argon2id: String,
    /// The verifier of SCRAM-SHA-256 in the text form of RFC 5803.
    pub scram_sha_256: Option<String>,
    /// The verifier of SCRAM-SHA-1 likewise.
    pub scram_sha_1: Option<String>,
    /// The password itself, for CRAM-MD5 and APOP, which need it: only where the account opted in.
    pub shared_secret: Option<String>,
    /// Passwords for one program each, by name.
    pub app_passwords: Vec<AppPassword>,
}

impl Credentials {
    /// Whether there is a password, apart from those of programs.
    #[must_use]
    pub const fn has_password(&self) -> bool {
        !self.argon2id.is_empty()
    }
}

/// A password for one program, made by the server.
#[derive(Clone, PartialEq, Eq)]
pub struct AppPassword {
    /// What the owner calls it; no two of an account have the same.
    pub name: String,
    /// SHA-256 of it. It is random and of 80 bits or more, so a fast hash suffices.
    pub sha256: [u8; 32],
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was used last, to the hour.
    pub last_used_at: Option<Timestamp>,
}

/// An account to be made.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// Usually an address in the form of [`types::directory::key`]; compared without regard to case.
    pub name: String,
    /// What proves who logs in.
    pub credentials: Credentials,
    /// What it may do.
    pub settings: AccountSettings,
    /// For the mailboxes' UIDVALIDITY.
    pub created_at: Timestamp,
    /// Mailboxes beside INBOX. It subscribes to all of them.
    pub mailboxes: Vec<(String, Option<SpecialUse>)>,
}

/// What an account has from the start beside INBOX.
const MAILBOXES: [(&str, SpecialUse); 5] = [
    ("Archive", SpecialUse::Archive),
    ("Drafts", SpecialUse::Drafts),
    ("Junk", SpecialUse::Junk),
    ("Sent", SpecialUse::Sent),
    ("Trash", SpecialUse::Trash),
];

impl NewAccount {
    /// An account that nobody can log in to yet, with nothing special and the usual mailboxes.
    #[must_use]
    pub fn new(name: impl Into<String>, created_at: Timestamp) -> Self {
        let (credentials, settings) = (Credentials::default(), AccountSettings::default());
        let mailboxes = MAILBOXES.iter().map(|(name, special_use)| ((*name).to_owned(), Some(*special_use)));
        Self { name: name.into(), credentials, settings, created_at, mailboxes: mailboxes.collect() }
    }
}

/// A change of an account.
#[derive(Clone, PartialEq, Eq)]
pub enum AccountChange {
    /// Another password: all that follows from one. App passwords stay.
    Credentials {
        /// See [`Credentials::argon2id`].
        argon2id: String,
        /// See [`Credentials::scram_sha_256`].
        scram_sha_256: Option<String>,
        /// See [`Credentials::scram_sha_1`].
        scram_sha_1: Option<String>,
        /// See [`Credentials::shared_secret`].
        shared_secret: Option<String>,
    },
    /// Verifiers that were made of the password of `argon2id` when it was there. They are kept where that is still the
    /// account's; else nothing changes, and [`crate::StoreError::Conflict`] says so.
    ScramVerifiers {
        /// What must be there: see [`Credentials::argon2id`].
        argon2id: String,
        /// See [`Credentials::scram_sha_256`].
        scram_sha_256: String,
        /// See [`Credentials::scram_sha_1`].
        scram_sha_1: String,
    },
    /// Other settings, altogether.
    Settings(AccountSettings),
    /// One more app password. Up to [`APP_PASSWORDS_MAX`] are taken.
    AddAppPassword(AppPassword),
    /// An app password goes.
    RemoveAppPassword {
        /// Which.
        name: String,
    },
    /// An app password was used. That a use is noted within an hour of the last one that was costs nothing, and
    /// changes nothing.
    AppPasswordUsed {
        /// Which.
        name: String,
        /// When.
        at: Timestamp,
    },
}

/// App passwords of one account at most.
pub const APP_PASSWORDS_MAX: usize = 100;

/// What an account has stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Messages in all its mailboxes.
    pub messages: u64,
    /// Octets of them.
    pub size_bytes: u64,
}

/// What becomes of an entry of the directory that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// There must be none.
    New,
    /// There must be one, which goes.
    Replace,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

impl fmt::Debug for AppPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppPassword").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for AccountChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Credentials { .. } => f.write_str("Credentials"),
            Self::ScramVerifiers { .. } => f.write_str("ScramVerifiers"),
            Self::Settings(settings) => f.debug_tuple("Settings").field(settings).finish(),
            Self::AddAppPassword(added) => f.debug_tuple("AddAppPassword").field(added).finish(),
            Self::RemoveAppPassword { name } => f.debug_tuple("RemoveAppPassword").field(name).finish(),
            Self::AppPasswordUsed { name, at } => {
                f.debug_struct("AppPasswordUsed").field("name", name).field("at", at).finish()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_shown_by_debug() {
        let secret = || "s3cret".to_owned();
        let used = AppPassword {
            name: "phone".into(),
            sha256: [0xab; 32],
            created_at: Timestamp::default(),
            last_used_at: None,
        };
        let credentials = Credentials {
            argon2id: secret(),
            scram_sha_256: Some(secret()),
            scram_sha_1: Some(secret()),
            shared_secret: Some(secret()),
            app_passwords: vec![used.clone()],
        };
        let change = AccountChange::Credentials {
            argon2id: secret(),
            scram_sha_256: Some(secret()),
            scram_sha_1: Some(secret()),
            shared_secret: Some(secret()),
        };
        let verifiers = AccountChange::ScramVerifiers {
            argon2id: secret(),
            scram_sha_256: secret(),
            scram_sha_1: secret(),
        };
        for text in [
            format!("{credentials:?}"),
            format!("{change:?}"),
            format!("{used:?}"),
            format!("{verifiers:?}"),
            format!("{:?}", AccountChange::AddAppPassword(used.clone())),
        ] {
            assert!(!text.contains("s3cret") && !text.contains("171"), "{text}");
        }
    }
}
