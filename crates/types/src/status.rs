//! Enhanced status codes (RFC 3463; registered values RFC 5248).

use std::fmt;
use std::str::FromStr;

/// `class "." subject "." detail` (RFC 3463 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnhancedStatus {
    /// What became of it.
    pub class: StatusClass,
    /// 0–999: what it is about.
    pub subject: u16,
    /// 0–999: what happened.
    pub detail: u16,
}

/// The first number of an enhanced status code (RFC 3463 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StatusClass {
    /// 2: done.
    Success,
    /// 4: not now.
    PersistentTransient,
    /// 5: never like this.
    Permanent,
}

impl EnhancedStatus {
    /// `2.subject.detail`
    #[must_use]
    pub const fn success(subject: u16, detail: u16) -> Self {
        Self { class: StatusClass::Success, subject, detail }
    }

    /// `4.subject.detail`
    #[must_use]
    pub const fn transient(subject: u16, detail: u16) -> Self {
        Self { class: StatusClass::PersistentTransient, subject, detail }
    }

    /// `5.subject.detail`
    #[must_use]
    pub const fn permanent(subject: u16, detail: u16) -> Self {
        Self { class: StatusClass::Permanent, subject, detail }
    }
}

impl StatusClass {
    /// 2, 4 or 5.
    #[must_use]
    pub const fn digit(self) -> u8 {
        match self {
            Self::Success => 2,
            Self::PersistentTransient => 4,
            Self::Permanent => 5,
        }
    }
}

impl fmt::Display for EnhancedStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class.digit(), self.subject, self.detail)
    }
}

/// ```text
/// status-code = class "." subject "." detail
/// class       = "2" / "4" / "5"
/// subject     = 1*3digit
/// detail      = 1*3digit
/// ```
/// RFC 3463 §2 allows no leading zero; the parser refuses one.
impl FromStr for EnhancedStatus {
    type Err = EnhancedStatusError;

    fn from_str(text: &str) -> Result<Self, EnhancedStatusError> {
        let mut parts = text.split('.');
        let class = match parts.next() {
            Some("2") => StatusClass::Success,
            Some("4") => StatusClass::PersistentTransient,
            Some("5") => StatusClass::Permanent,
            _ => return Err(EnhancedStatusError),
        };
        let subject = number(parts.next())?;
        let detail = number(parts.next())?;
        match parts.next() {
            None => Ok(Self { class, subject, detail }),
            Some(_) => Err(EnhancedStatusError),
        }
    }
}

fn number(text: Option<&str>) -> Result<u16, EnhancedStatusError> {
    let text = text.ok_or(EnhancedStatusError)?;
    let digits = (1..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if !digits || (text.len() > 1 && text.starts_with('0')) {
        return Err(EnhancedStatusError);
    }
    text.parse().map_err(|_| EnhancedStatusError)
}

/// The text is no enhanced status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an enhanced status code looks like 5.7.1: class 2, 4 or 5, then two numbers of one to three digits")]
pub struct EnhancedStatusError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_and_written_as_rfc_3463_has_them() {
        for text in ["2.0.0", "4.4.2", "5.7.1", "5.7.26", "5.999.999"] {
            assert_eq!(text.parse::<EnhancedStatus>().map(|s| s.to_string()).as_deref(), Ok(text));
        }
        for text in
            ["", "5", "5.7", "5.7.", "3.0.0", "5.7.1.2", "5.07.1", "5.7.1000", "5.+7.1", "05.7.1", "5.7.1 "]
        {
            assert_eq!(text.parse::<EnhancedStatus>(), Err(EnhancedStatusError), "{text}");
        }
    }
}
