//! Which mailbox of an account a message goes into: THE place where that is decided.
//!
//! What wants a message elsewhere than in INBOX is a [`Wish`], the strongest one first: that policy takes it as suspicious,
//! then the subaddress that it was sent to (RFC 5233). Where there are several reasons, one decides. A user's own rules
//! (Sieve) will be asked here, behind suspicion and before the subaddress.
//!
//! A subaddress is written by strangers. So it never leads into a mailbox with a special use, where it could pass for
//! something that the user has sent or thrown away, nor below INBOX; and a mailbox that is made for it has a plain name, on
//! the top level, in an account that has not many yet.

use std::fmt::Write as _;

use types::mailstore::SpecialUse;

/// What the operator has said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilingPolicy {
    /// What a subaddress says.
    pub subaddress: SubaddressHandling,
    /// What becomes of suspicious messages.
    pub suspicious: SuspiciousHandling,
}

/// What a subaddress says about the mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubaddressHandling {
    /// Nothing.
    Ignored,
    /// The mailbox of that name, where there is one.
    Existing,
    /// The mailbox of that name, which is made.
    Made,
}

/// What becomes of messages that policy takes as suspicious.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuspiciousHandling {
    /// They go where others go.
    AsOthers,
    /// They go into the mailbox for junk.
    Junk,
}

/// What is known of one delivery.
#[derive(Debug, Clone, Copy)]
pub struct FilingFacts<'a> {
    /// What stood behind the separator of the address, where a subaddress led to the account.
    pub detail: Option<&'a str>,
    /// Why policy takes the message as suspicious.
    pub suspicion: Option<&'a str>,
    /// Whether it is for the postmaster or the abuse desk, who want to see what others call junk.
    pub is_for_role: bool,
}

/// Where a message wants to be instead of in INBOX.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish<'a> {
    /// With what has this special use.
    Use {
        /// Which.
        special_use: SpecialUse,
        /// Why, for the trace.
        why: &'a str,
    },
    /// In the mailbox that is called as the subaddress.
    Named {
        /// The subaddress.
        detail: &'a str,
        /// Whether it may be made.
        handling: SubaddressHandling,
    },
}

/// A mailbox of the account.
#[derive(Debug, Clone, Copy)]
pub struct Folder<'a> {
    /// Its whole name.
    pub name: &'a str,
    /// What it is for.
    pub special_use: Option<SpecialUse>,
}

/// Where a message goes, and what the trace is told of that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filing {
    /// Into INBOX.
    Inbox {
        /// Why not elsewhere.
        why: String,
    },
    /// Into this one of the mailboxes.
    Existing {
        /// Its place among those that were given.
        index: usize,
        /// Why.
        why: String,
    },
    /// Into one that is to be made.
    Made {
        /// Its name.
        name: String,
        /// What it is for.
        special_use: Option<SpecialUse>,
        /// Why.
        why: String,
    },
}

/// Mailboxes that an account may have while subaddresses make more.
pub const MAILBOXES_MAX: usize = 200;
/// Octets of the name of a mailbox that is made for a subaddress.
pub const MADE_NAME_BYTES_MAX: usize = 64;

/// What wants the message elsewhere than in INBOX; with nothing, no mailbox need be looked at.
#[must_use]
pub fn wish<'a>(policy: FilingPolicy, facts: &FilingFacts<'a>) -> Option<Wish<'a>> {
    if let (Some(why), SuspiciousHandling::Junk, false) =
        (facts.suspicion, policy.suspicious, facts.is_for_role)
    {
        return Some(Wish::Use { special_use: SpecialUse::Junk, why });
    }
    let detail = facts.detail.filter(|detail| !detail.is_empty())?;
    let is_heard = policy.subaddress != SubaddressHandling::Ignored;
    is_heard.then_some(Wish::Named { detail, handling: policy.subaddress })
}

impl Wish<'_> {
    /// Where that is, in an account with these mailboxes.
    #[must_use]
    pub fn place(&self, mailboxes: &[Folder<'_>]) -> Filing {
        match *self {
            Self::Use { special_use, why } => place_of(special_use, why, mailboxes),
            Self::Named { detail, handling } => named(detail, handling, mailboxes),
        }
    }
}

/// The mailbox with a special use, else the one that is called so and has none, else one that is made.
#[must_use]
pub fn place_of(special_use: SpecialUse, why: &str, mailboxes: &[Folder<'_>]) -> Filing {
    let why = why.to_owned();
    if let Some(index) = mailboxes.iter().position(|folder| folder.special_use == Some(special_use)) {
        return Filing::Existing { index, why };
    }
    let name = special_use.to_string();
    match find(&name, mailboxes) {
        Some(index) if mailboxes[index].special_use.is_none() => Filing::Existing { index, why },
        Some(_) => Filing::Inbox { why: format!("{why}; but {name} is for something else") },
        None => Filing::Made { name, special_use: Some(special_use), why },
    }
}

fn named(detail: &str, handling: SubaddressHandling, mailboxes: &[Folder<'_>]) -> Filing {
    let why = format!("by the subaddress {detail}");
    let inbox = |because: &str| {
        let mut why = why.clone();
        if !because.is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(why, ", {because}");
        }
        Filing::Inbox { why }
    };
    let top = detail.split('/').next().unwrap_or_default();
    if top.eq_ignore_ascii_case("INBOX") {
        return inbox(if top == detail { "" } else { "which never leads below INBOX" });
    }
    match find(detail, mailboxes) {
        Some(index) if mailboxes[index].special_use.is_some() => {
            inbox("which never leads into a mailbox with a special use")
        }
        Some(index) => Filing::Existing { index, why },
        None if handling != SubaddressHandling::Made => inbox("for which there is no mailbox"),
        None if !is_plain(detail) => inbox("for which no mailbox is made: the name is not plain"),
        None if mailboxes.len() >= MAILBOXES_MAX => {
            inbox("for which no mailbox is made: the account has many")
        }
        None => Filing::Made { name: detail.to_owned(), special_use: None, why },
    }
}

/// As written, else in any case of letters.
fn find(name: &str, mailboxes: &[Folder<'_>]) -> Option<usize> {
    let exact = mailboxes.iter().position(|folder| folder.name == name);
    exact.or_else(|| {
        let name = name.to_lowercase();
        mailboxes.iter().position(|folder| folder.name.to_lowercase() == name)
    })
}

/// Letters, digits and a little of ASCII, and no name that any file system or client takes for something else.
fn is_plain(name: &str) -> bool {
    (1..=MADE_NAME_BYTES_MAX).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: FilingPolicy =
        FilingPolicy { subaddress: SubaddressHandling::Made, suspicious: SuspiciousHandling::Junk };

    fn folders() -> Vec<Folder<'static>> {
        let folder = |name, special_use| Folder { name, special_use };
        vec![
            folder("INBOX", None),
            folder("Lists", None),
            folder("Lists/Rust", None),
            folder("Größe", None),
            folder("lists2", None),
            folder("LISTS2", None),
            folder("Gesendet", Some(SpecialUse::Sent)),
            folder("Trash", Some(SpecialUse::Trash)),
        ]
    }

    fn filed(detail: &str, handling: SubaddressHandling) -> Filing {
        Wish::Named { detail, handling }.place(&folders())
    }

    #[test]
    fn a_subaddress_leads_into_the_mailbox_of_its_name_in_any_case_of_letters() {
        let rows = [
            ("Lists", 1),
            ("lists", 1),
            ("LISTS", 1),
            ("lists/rust", 2),
            ("größe", 3),
            ("GRÖSSE", 0),
            ("lists2", 4),
            ("LISTS2", 5),
        ];
        for (detail, expected) in rows {
            match filed(detail, SubaddressHandling::Existing) {
                Filing::Existing { index, why } => {
                    assert_eq!((index, why), (expected, format!("by the subaddress {detail}")));
                }
                other => assert_eq!(expected, 0, "{detail}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_stranger_reaches_neither_special_mailboxes_nor_those_below_inbox() {
        let handling = SubaddressHandling::Made;
        for detail in ["gesendet", "Trash", "trash", "inbox", "INBOX", "inbox/x", "Inbox/Lists"] {
            assert!(matches!(filed(detail, handling), Filing::Inbox { .. }), "{detail}");
        }
    }

    #[test]
    fn a_mailbox_that_is_made_has_a_plain_name() {
        let long = "x".repeat(MADE_NAME_BYTES_MAX + 1);
        for detail in ["a/b", "/", "a b", "*", "%", "..", ".a", "-a", "é", "a\u{0}", "a\"", "#news", &long] {
            assert!(matches!(filed(detail, SubaddressHandling::Made), Filing::Inbox { .. }), "{detail}");
        }
        for detail in ["shop", "Shop-2026", "a.b", &long[1..]] {
            let name = detail.to_owned();
            let why = format!("by the subaddress {detail}");
            let made = Filing::Made { name, special_use: None, why };
            assert_eq!(filed(detail, SubaddressHandling::Made), made);
            assert!(matches!(filed(detail, SubaddressHandling::Existing), Filing::Inbox { .. }));
        }
        let many = vec![Folder { name: "x", special_use: None }; MAILBOXES_MAX];
        let wish = Wish::Named { detail: "shop", handling: SubaddressHandling::Made };
        assert!(matches!(wish.place(&many), Filing::Inbox { .. }));
        assert!(matches!(wish.place(&many[1..]), Filing::Made { .. }));
    }

    #[test]
    fn suspicion_goes_before_the_subaddress_and_spares_the_postmaster() {
        let facts = FilingFacts { detail: Some("lists"), suspicion: Some("why"), is_for_role: false };
        let junk = Wish::Use { special_use: SpecialUse::Junk, why: "why" };
        let named = Wish::Named { detail: "lists", handling: SubaddressHandling::Made };
        assert_eq!(wish(POLICY, &facts), Some(junk));
        assert_eq!(wish(POLICY, &FilingFacts { is_for_role: true, ..facts }), Some(named));
        assert_eq!(wish(POLICY, &FilingFacts { suspicion: None, ..facts }), Some(named));
        let off = FilingPolicy { suspicious: SuspiciousHandling::AsOthers, ..POLICY };
        assert_eq!(wish(off, &facts), Some(named));
        let ignored = FilingPolicy { subaddress: SubaddressHandling::Ignored, ..off };
        assert_eq!(wish(ignored, &facts), None);
        assert_eq!(wish(POLICY, &FilingFacts { detail: Some(""), suspicion: None, ..facts }), None);
    }

    #[test]
    fn junk_is_found_by_its_use_then_by_its_name_and_made_where_there_is_none() {
        let folder = |name, special_use| Folder { name, special_use };
        let place = |folders: &[Folder<'_>]| place_of(SpecialUse::Junk, "why", folders);
        let existing = |index| Filing::Existing { index, why: "why".into() };
        let spam = folder("Spam", Some(SpecialUse::Junk));
        assert_eq!(place(&[folder("junk", None), spam]), existing(1));
        assert_eq!(place(&[folder("INBOX", None), folder("junk", None)]), existing(1));
        let made =
            Filing::Made { name: "Junk".into(), special_use: Some(SpecialUse::Junk), why: "why".into() };
        assert_eq!(place(&[folder("INBOX", None)]), made);
        assert!(matches!(place(&[folder("Junk", Some(SpecialUse::Archive))]), Filing::Inbox { .. }));
    }
}
