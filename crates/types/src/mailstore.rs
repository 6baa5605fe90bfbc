//! What messages and mailboxes are known by: the numbers, flags and special uses of IMAP's model (RFC 9051 §2.3), which the
//! store keeps and IMAP shows.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Octets of a mailbox's name, in UTF-8.
pub const MAILBOX_NAME_BYTES_MAX: usize = 1000;

/// Flags of a message as a set (RFC 9051 §2.3.2): system flags, and keywords as the mailbox numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Flags(pub u64);

impl Flags {
    /// None.
    pub const NONE: Self = Self(0);
    /// `\Seen`
    pub const SEEN: Self = Self(1);
    /// `\Answered`
    pub const ANSWERED: Self = Self(2);
    /// `\Flagged`
    pub const FLAGGED: Self = Self(4);
    /// `\Deleted`
    pub const DELETED: Self = Self(8);
    /// `\Draft`
    pub const DRAFT: Self = Self(16);
    /// All that are no keywords.
    pub const SYSTEM: Self = Self(31);

    /// The keyword that has this place in the mailbox's list, below [`KEYWORDS_MAX`].
    #[must_use]
    pub const fn keyword(index: usize) -> Option<Self> {
        if index < KEYWORDS_MAX { Some(Self(1 << (KEYWORDS_FROM + index))) } else { None }
    }

    /// The places of the keywords that are set, ascending.
    pub fn keywords(self) -> impl Iterator<Item = usize> {
        (0..KEYWORDS_MAX).filter(move |index| self.0 >> (KEYWORDS_FROM + index) & 1 == 1)
    }

    /// Whether all of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Those of either.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that are not of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// With `add` set and `remove` cleared; `remove` wins.
    #[must_use]
    pub const fn changed(self, add: Self, remove: Self) -> Self {
        Self((self.0 | add.0) & !remove.0)
    }
}

const KEYWORDS_FROM: usize = 5;
/// Keywords that one mailbox has at most.
pub const KEYWORDS_MAX: usize = 64 - KEYWORDS_FROM;

/// What a mailbox is for (RFC 6154, RFC 8457).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpecialUse {
    /// `\Archive`
    Archive,
    /// `\Drafts`
    Drafts,
    /// `\Important`
    Important,
    /// `\Junk`
    Junk,
    /// `\Sent`
    Sent,
    /// `\Trash`
    Trash,
}

impl SpecialUse {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Archive, Self::Drafts, Self::Important, Self::Junk, Self::Sent, Self::Trash];

    /// As LIST shows it.
    #[must_use]
    pub const fn attribute(self) -> &'static str {
        match self {
            Self::Archive => "\\Archive",
            Self::Drafts => "\\Drafts",
            Self::Important => "\\Important",
            Self::Junk => "\\Junk",
            Self::Sent => "\\Sent",
            Self::Trash => "\\Trash",
        }
    }
}

impl fmt::Display for SpecialUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.attribute()[1..])
    }
}

/// There is no such special use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("special uses are archive, drafts, important, junk, sent and trash")]
pub struct UnknownSpecialUse;

impl FromStr for SpecialUse {
    type Err = UnknownSpecialUse;

    /// With or without the backslash, in any case.
    fn from_str(text: &str) -> Result<Self, UnknownSpecialUse> {
        let name = text.strip_prefix('\\').unwrap_or(text);
        Self::ALL
            .into_iter()
            .find(|r#use| r#use.attribute()[1..].eq_ignore_ascii_case(name))
            .ok_or(UnknownSpecialUse)
    }
}

macro_rules! numbers {
    ($( $(#[doc = $doc:literal])* $name:ident($inner:ty); )*) => { $(
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )* };
}

numbers! {
    /// Names a mailbox in the store; never used again. MAILBOXID (RFC 8474) is made of it.
    MailboxId(u64);
    /// 1 and up, strictly ascending in a mailbox (RFC 9051 §2.3.1.1).
    Uid(u32);
    /// Changes where UIDs were given anew (RFC 9051 §2.3.1.1).
    UidValidity(u32);
    /// Grows with each change in the mailbox (RFC 7162).
    ModSeq(u64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_have_their_places_beside_system_flags() {
        let last = Flags::keyword(KEYWORDS_MAX - 1).unwrap();
        let flags = Flags::SEEN.with(Flags::keyword(0).unwrap()).with(last);
        assert_eq!(flags.keywords().collect::<Vec<_>>(), [0, KEYWORDS_MAX - 1]);
        assert_eq!(flags.without(Flags::SYSTEM).keywords().count(), 2);
        assert_eq!(Flags::keyword(KEYWORDS_MAX), None);
    }

    #[test]
    fn special_uses_are_read_as_they_are_shown() {
        for r#use in SpecialUse::ALL {
            assert_eq!(r#use.attribute().parse(), Ok(r#use));
            assert_eq!(r#use.to_string().to_lowercase().parse(), Ok(r#use));
        }
        assert_eq!("\\All".parse::<SpecialUse>(), Err(UnknownSpecialUse));
        let told = UnknownSpecialUse.to_string();
        assert!(
            SpecialUse::ALL.iter().all(|r#use| told.contains(&r#use.to_string().to_lowercase())),
            "{told}"
        );
    }
}
