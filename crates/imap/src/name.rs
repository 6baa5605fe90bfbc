//! Names of mailboxes: their two encodings, and which ones there may be.
//!
//! Standards: RFC 3501 §5.1 and §5.1.3 (modified UTF-7), RFC 9051 §5.1 and RFC 6855 §3 (UTF-8), RFC 5198 §2 (NFC).

mod utf7;

use unicode_normalization::{UnicodeNormalization as _, is_nfc};

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
pub use types::mailstore::MAILBOX_NAME_BYTES_MAX as NAME_BYTES_MAX;

/// Why no mailbox has such a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No modified UTF-7, where names are written so.
    #[error("{0}")]
    Utf7(#[from] Utf7Error),
    /// No UTF-8.
    #[error("is not UTF-8")]
    NotUtf8,
    /// Two separators in a row, or one at the beginning or the end; or no name at all.
    #[error("has an empty level")]
    EmptyLevel,
    /// `.` or `..`, which mean something else to file systems and would mislead whoever exports mail to one.
    #[error("has a level that is `.` or `..`")]
    DotLevel,
    /// `%` or `*`, which LIST takes for wildcards, so that no pattern would find the mailbox alone.
    #[error("holds a wildcard of LIST, `%` or `*`")]
    Wildcard,
    /// A control character (RFC 9051 §5.1, RFC 5198 §2), or the end of a line or paragraph.
    #[error("holds a control character")]
    Control,
    /// `#` at the beginning, which names another namespace (RFC 3501 §5.1.2).
    #[error("begins with `#`")]
    Namespace,
    /// Other than [`MailboxName::canonical`] makes it.
    #[error("is not normalised")]
    NotCanonical,
    /// A level of more than [`LEVEL_BYTES_MAX`] octets.
    #[error("has a level of more than {LEVEL_BYTES_MAX} octets")]
    LevelTooLong,
    /// More than [`NAME_BYTES_MAX`] octets.
    #[error("is longer than {NAME_BYTES_MAX} octets")]
    TooLong,
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

    /// In NFC (RFC 9051 §5.1), so that a name is the same mailbox whichever system wrote it, and with INBOX in any case as
    /// `INBOX`, also where it is the first of several levels.
    #[must_use]
    pub fn canonical(name: String) -> Self {
        let name = if is_nfc(&name) { name } else { name.nfc().collect() };
        match name.split_once(SEPARATOR) {
            Some((first, rest)) if is_inbox(first) => Self(format!("INBOX{SEPARATOR}{rest}")),
            None if is_inbox(&name) => Self("INBOX".into()),
            _ => Self(name),
        }
    }

    /// The name after a RENAME, where that is of this mailbox or of one above it. INBOX stays, and what is below it (RFC 9051
    /// §6.3.6).
    pub(crate) fn renamed(&self, from: &Self, to: &Self) -> Option<Self> {
        let below = self.0.strip_prefix(&from.0).filter(|_| from.0 != "INBOX")?;
        let is_moved = below.is_empty() || below.starts_with(SEPARATOR);
        is_moved.then(|| Self(format!("{}{below}", to.0)))
    }

    /// Whether a mailbox may have this name.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn check(&self) -> Result<(), NameError> {
        let name = self.0.as_str();
        if name.len() > NAME_BYTES_MAX {
            return Err(NameError::TooLong);
        }
        if name.starts_with('#') {
            return Err(NameError::Namespace);
        }
        for level in name.split(SEPARATOR) {
            match level {
                "" => return Err(NameError::EmptyLevel),
                "." | ".." => return Err(NameError::DotLevel),
                _ if level.len() > LEVEL_BYTES_MAX => return Err(NameError::LevelTooLong),
                _ => {}
            }
        }
        if name.contains(['%', '*']) {
            return Err(NameError::Wildcard);
        }
        if name.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
            return Err(NameError::Control);
        }
        if Self::canonical(name.to_owned()) == *self { Ok(()) } else { Err(NameError::NotCanonical) }
    }
}

fn is_inbox(level: &str) -> bool {
    level.eq_ignore_ascii_case("INBOX")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> MailboxName {
        MailboxName(text.into())
    }

    #[test]
    fn inbox_is_one_mailbox_in_any_case_and_other_names_keep_theirs() {
        for (text, expected) in [
            ("inbox", "INBOX"),
            ("iNbOx/Sub", "INBOX/Sub"),
            ("Inboxes", "Inboxes"),
            ("Work/inbox", "Work/inbox"),
            ("", ""),
        ] {
            assert_eq!(MailboxName::parse(text.as_bytes(), NameEncoding::ModifiedUtf7), Ok(name(expected)));
        }
    }

    #[test]
    fn a_name_is_the_same_however_its_accents_are_composed_and_encoded() {
        let composed = name("Entw\u{fc}rfe");
        for octets in ["Entw\u{fc}rfe", "Entwu\u{308}rfe"] {
            assert_eq!(MailboxName::parse(octets.as_bytes(), NameEncoding::Utf8), Ok(composed.clone()));
        }
        for octets in ["Entw&APw-rfe", "Entwu&Awg-rfe"] {
            assert_eq!(
                MailboxName::parse(octets.as_bytes(), NameEncoding::ModifiedUtf7),
                Ok(composed.clone())
            );
        }
        assert_eq!(name("Entwu\u{308}rfe").check(), Err(NameError::NotCanonical));
        assert_eq!(name("inbox").check(), Err(NameError::NotCanonical));
    }

    #[test]
    fn octets_of_the_other_encoding_are_no_name() {
        let utf8 = MailboxName::parse("Entwürfe".as_bytes(), NameEncoding::ModifiedUtf7);
        assert_eq!(utf8, Err(NameError::Utf7(Utf7Error::NotPrintable)));
        assert_eq!(MailboxName::parse(b"a\xff", NameEncoding::Utf8), Err(NameError::NotUtf8));
        assert_eq!(MailboxName::parse(b"&APw-", NameEncoding::Utf8), Ok(name("&APw-")));
    }

    #[test]
    fn names_that_mailboxes_may_have_and_those_one_past_each_limit() {
        let level = "x".repeat(LEVEL_BYTES_MAX);
        let longest = format!("{level}/{level}/{level}/{}", "y".repeat(NAME_BYTES_MAX - 3 * 256));
        for text in
            ["INBOX", "a", "a b/c", "Entw\u{fc}rfe", "~x", "a.b", "...", "台北/日本語", &level, &longest]
        {
            assert_eq!(name(text).check(), Ok(()), "{text}");
        }
        for (text, expected) in [
            ("", NameError::EmptyLevel),
            ("/a", NameError::EmptyLevel),
            ("a/", NameError::EmptyLevel),
            ("a//b", NameError::EmptyLevel),
            ("../../etc/passwd", NameError::DotLevel),
            ("a/./b", NameError::DotLevel),
            ("a*", NameError::Wildcard),
            ("%", NameError::Wildcard),
            ("a\0", NameError::Control),
            ("a\r\nb", NameError::Control),
            ("a\u{7f}", NameError::Control),
            ("a\u{85}", NameError::Control),
            ("a\u{2028}", NameError::Control),
            ("#news", NameError::Namespace),
            (&format!("{level}x"), NameError::LevelTooLong),
            (&format!("{longest}y"), NameError::TooLong),
        ] {
            assert_eq!(name(text).check(), Err(expected), "{text:?}");
        }
    }
}
