//! Whose name a message is signed in.
//!
//! DMARC asks for a signature of the author's domain, or of one that has the organization in common with it (RFC 9989 §4.4.1).
//! So the domain of `From` comes first. But a signature vouches: where `From` names somebody whom the account may not
//! send as, which it may when it sends a message on (`Resent-From`), the account's own names are what it is signed with.

use std::sync::Arc;

use mailauth::Field;
use mta::header::addresses;
use store::StoreError;
use types::{Domain, Mailbox, ReversePath};

use super::Author;
use crate::dkim::LoadedKey;
use crate::shared::Shared;

/// A domain that signs, and its keys: at least one.
#[derive(Debug, Clone)]
pub(super) struct Signatory {
    pub(super) domain: Domain,
    pub(super) keys: Arc<[LoadedKey]>,
}

/// Who signs.
#[derive(Debug)]
pub(super) enum Choice {
    Signs(Signatory),
    /// The domain is ours, and has none.
    NoKeys(Domain),
    /// It has keys, and none of them can be used.
    Unusable(Domain),
    /// None of these is ours.
    NotOurs(String),
    /// It would speak for an author of whom nothing is known.
    Unproven {
        signer: Domain,
        author: String,
    },
}

/// Which domains sign for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Itself alone.
    Own,
    /// Itself, or else the nearest one above it.
    Above,
}

/// Within one message a domain has the same keys.
impl PartialEq for Signatory {
    fn eq(&self, other: &Self) -> bool {
        self.domain == other.domain
    }
}

impl Eq for Signatory {}

/// The domains that a message of ours may be signed as, the best first. `header` is the header section.
pub(super) fn candidates(header: &[u8], author: Author<'_>, reverse_path: &ReversePath) -> Vec<Domain> {
    let fields = mailauth::fields(header);
    let named = |name: &str| {
        let mailboxes = vouched_for(&fields, name, author)?;
        let domains: Option<Vec<Domain>> =
            mailboxes.iter().map(|mailbox| mailbox.host.domain().cloned()).collect();
        let mut domains = domains?;
        domains.dedup();
        // Of several authors the one who sends vouches (RFC 5322 §3.6.2).
        (domains.len() == 1).then(|| domains.remove(0))
    };
    let path = reverse_path.mailbox().and_then(|mailbox| mailbox.host.domain()).cloned();
    let account = || match author {
        Author::Of(rights) => rights.account.parse::<Mailbox>().ok()?.host.domain().cloned(),
        Author::Any | Author::UnlessResent => None,
    };
    let mut candidates = Vec::new();
    for domain in [named("From"), named("Sender"), path, account()].into_iter().flatten() {
        if !candidates.contains(&domain) {
            candidates.push(domain);
        }
    }
    candidates
}

/// Whether `From` names those alone whom the author may be.
pub(super) fn is_vouched_for(header: &[u8], author: Author<'_>) -> bool {
    vouched_for(&mailauth::fields(header), "From", author).is_some()
}

/// Who is named in the only field of that name, where the author may be all of them.
fn vouched_for(fields: &[Field<'_>], name: &str, author: Author<'_>) -> Option<Vec<Mailbox>> {
    let is_resent = || fields.iter().any(|field| field.is("Resent-From") || field.is("Resent-Sender"));
    let may_be = |mailbox: &Mailbox| match author {
        Author::Any => true,
        Author::Of(rights) => rights.may_send_as(mailbox),
        Author::UnlessResent => !is_resent(),
    };
    let mut found = fields.iter().filter(|field| field.is(name));
    let only = found.next().filter(|_| found.next().is_none())?;
    let mailboxes = addresses(only.value).ok()?;
    mailboxes.iter().all(may_be).then_some(mailboxes)
}

/// The first of them that can sign: itself, or else the nearest domain above it, which is aligned with it all the same.
///
/// # Errors
/// The store cannot be read.
pub(super) async fn choose(
    shared: &Shared,
    candidates: &[Domain],
    reach: Reach,
) -> Result<Choice, StoreError> {
    let labels = match reach {
        Reach::Own => 1,
        Reach::Above => LABELS_MAX,
    };
    let mut without_keys = None;
    for candidate in candidates {
        for domain in above(candidate).take(labels) {
            let keys = shared.signing_keys.of(shared, &domain).await?;
            if !keys.is_empty() {
                return Ok(Choice::Signs(Signatory { domain, keys }));
            }
            if shared.signing_keys.unusable(&domain) > 0 {
                return Ok(Choice::Unusable(domain));
            }
            if without_keys.is_none() && is_ours(shared, &domain).await? {
                without_keys = Some(domain);
            }
        }
    }
    Ok(match without_keys {
        Some(domain) => Choice::NoKeys(domain),
        None => Choice::NotOurs(candidates.iter().map(Domain::to_string).collect::<Vec<_>>().join(", ")),
    })
}

pub(crate) async fn is_ours(shared: &Shared, domain: &Domain) -> Result<bool, StoreError> {
    Ok(shared.config.host_name == *domain || shared.directory.domain(&*shared.store, domain).await?.is_some())
}

/// A domain, and those above it.
pub(crate) fn above(domain: &Domain) -> impl Iterator<Item = Domain> {
    std::iter::successors(Some(domain.clone()), parent).take(LABELS_MAX)
}

/// The domain above, unless that is a top-level domain.
fn parent(domain: &Domain) -> Option<Domain> {
    let (_, above) = domain.ascii().split_once('.')?;
    above.contains('.').then(|| above.parse().ok())?
}

/// Names that are asked about for one domain.
const LABELS_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use mta::admission::Rights;
    use types::directory::AccountSettings;

    use super::*;

    fn named(header: &str, author: Author<'_>, path: &str) -> Vec<String> {
        let candidates = candidates(header.as_bytes(), author, &path.parse().unwrap());
        candidates.iter().map(Domain::to_string).collect()
    }

    #[test]
    fn the_author_comes_first_then_the_sender_the_reverse_path_and_the_account() {
        let settings = AccountSettings::default();
        let ada = Rights { account: "ada@example.org", settings: &settings, subaddress_separator: Some('+') };
        let of_ada = Author::Of(ada);
        let resent = "Resent-From: ada@example.org\r\nFrom: ceo@bank.example\r\n";
        for (header, author, path, expected) in [
            (
                "From: Ada <ada@example.org>\r\n",
                Author::Any,
                "<x@example.net>",
                &["example.org", "example.net"][..],
            ),
            (
                "From: a@one.example, b@two.example\r\nSender: s@three.example\r\n",
                Author::Any,
                "<>",
                &["three.example"],
            ),
            ("From: a@one.example, b@one.example\r\n", Author::Any, "<>", &["one.example"]),
            ("From: a@one.example\r\nFrom: b@two.example\r\n", Author::Any, "<b@p.example>", &["p.example"]),
            ("From: a@[192.0.2.1]\r\n", Author::Any, "<>", &[]),
            ("Subject: x\r\n", of_ada, "<>", &["example.org"]),
            ("From: ada+tag@example.org\r\n", of_ada, "<>", &["example.org"]),
            // Sent on by Ada: nobody vouches for who is said to have written it.
            (resent, of_ada, "<>", &["example.org"]),
            (resent, Author::UnlessResent, "<ada@example.org>", &["example.org"]),
            ("From: bob@example.net\r\n", Author::UnlessResent, "<>", &["example.net"]),
        ] {
            assert_eq!(named(header, author, path), expected, "{header}");
        }
    }

    #[test]
    fn the_domain_above_is_never_a_top_level_domain() {
        let above = |text: &str| parent(&text.parse().unwrap()).map(|domain| domain.to_string());
        assert_eq!(above("a.b.example"), Some("b.example".to_owned()));
        assert_eq!(above("b.example"), None);
        assert_eq!(above("localhost"), None);
    }
}
