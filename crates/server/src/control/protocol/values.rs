//! Values of requests about the directory.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A password that no log line shows.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Password(String);

impl Password {
    /// From clear text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The clear text.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// What a change does with a value that may be absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting<T> {
    /// It stays.
    #[default]
    Keep,
    /// There is none from now on.
    Clear,
    /// It is this from now on.
    To(T),
}

impl<T> Setting<T> {
    /// Changes `value`.
    pub(crate) fn apply(self, value: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Clear => *value = None,
            Self::To(new) => *value = Some(new),
        }
    }

    /// The same with a value that was read.
    pub(crate) fn try_map<U, E>(self, read: impl FnOnce(T) -> Result<U, E>) -> Result<Setting<U>, E> {
        Ok(match self {
            Self::Keep => Setting::Keep,
            Self::Clear => Setting::Clear,
            Self::To(value) => Setting::To(read(value)?),
        })
    }
}

/// Whether something is made or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PutMode {
    /// It must not be there.
    New,
    /// It must be there.
    Replace,
}

/// Whether a domain goes although something bears its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhileUsed {
    /// No.
    #[default]
    Refuse,
    /// Yes; accounts and addresses stay.
    Allow,
}

/// Whether an account goes although it has mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WithMail {
    /// No.
    #[default]
    Refuse,
    /// Yes, and the mail with it.
    Remove,
}

/// What becomes of the secret that CRAM-MD5 (RFC 2195) and APOP (RFC 1939 §7) need in a form from which the
/// password can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SharedSecret {
    /// It stays where there is one, with the new password.
    #[default]
    Keep,
    /// It is kept from now on.
    Allow,
    /// It is dropped.
    Forbid,
}
