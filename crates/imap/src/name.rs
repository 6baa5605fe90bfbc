//! Names of mailboxes: their two encodings, and which ones there may be.
//!
//! Standards: RFC 3501 §5.1 and §5.1.3 (modified UTF-7), RFC 9051 §5.1 and RFC 6855 §3 (UTF-8), RFC 5198 §2 (NFC).

mod utf7;

use crate::command::MailboxName;

pub use utf7::{Utf7Error, from_modified_utf7, to_modified_utf7};

/// How names are written on this connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NameEncoding {
    /// Before ENABLE (RFC 3501 §5.1.3).
    #[default]
    ModifiedUtf7,
    /// After ENABLE IMAP4rev2 or UTF8=ACCEPT.
    Utf8,
}

/// What stands between the levels of a name.
pub const SEPARATOR: char = '/';
/// Octets of one level, in UTF-8: what file systems and other servers take too, so that mail can move there.
pub const LEVEL_BYTES_MAX: usize = 255;
/// Octets of a name, in UTF-8.
pub const NAME_BYTES_MAX: usize = 1000;

/// Why no mailbox has such a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No modified UTF-7, where names are written so.
    #[error("{0}")]
    Utf7(#[from] Utf7Error),
    /// No UTF-8.
    #[error("is not UTF-8")]
    NotUtf8,
}

impl MailboxName {
    /// Reads a name as a client wrote it. Whether a mailbox may have it is not decided.
    ///
    /// # Errors
    /// Octets that are no name in this encoding.
    pub fn parse(octets: &[u8], encoding: NameEncoding) -> Result<Self, NameError> {
        let name = match encoding {
            NameEncoding::ModifiedUtf7 => from_modified_utf7(octets)?,
            NameEncoding::Utf8 => String::from_utf8(octets.to_vec()).map_err(|_| NameError::NotUtf8)?,
        };
        Ok(Self::canonical(name))
    }

    /// With INBOX in any case as `INBOX`, also where it is the first of several levels.
    #[must_use]
    pub fn canonical(name: String) -> Self {
        match name.split_once(SEPARATOR) {
            Some((first, rest)) if first.eq_ignore_ascii_case("INBOX") => {
                Self(format!("INBOX{SEPARATOR}{rest}"))
            }
            None if name.eq_ignore_ascii_case("INBOX") => Self("INBOX".into()),
            _ => Self(name),
        }
    }
}
