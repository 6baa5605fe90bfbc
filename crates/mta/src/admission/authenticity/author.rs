//! Whose name a message shows (RFC 5322 §3.6.2, groups by RFC 6854).

use types::{Domain, Host};

use crate::header::addresses;
use crate::header::field::FieldsOf;

/// Domains of one `From` that are looked at; RFC 9989 §11.5 leaves the number to the receiver.
pub const AUTHOR_DOMAINS_MAX: usize = 4;

/// Why it is not plain who wrote a message: different readers would show different authors, and DMARC has no domain to ask
/// (RFC 9989 §11.5).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthorProblem {
    /// RFC 5322 §3.6 wants one.
    #[error("The message has no From")]
    Missing,
    /// And no more than one.
    #[error("The message has more than one From")]
    Repeated,
    /// An empty group, or nothing.
    #[error("From names nobody")]
    Nobody,
    /// There is nothing like an address in it.
    #[error("From cannot be read")]
    Unreadable,
    /// More than [`AUTHOR_DOMAINS_MAX`].
    #[error("From names authors of more than {AUTHOR_DOMAINS_MAX} domains")]
    TooMany,
}

/// The domains of `From`, each once; none where its addresses have literals in their place. `header` is the header section.
///
/// What is no address-list by the grammar, and much of what is sent is none, counts for every domain that stands behind an `@`
/// in it: whichever address a reader shows, its domain was asked.
///
/// # Errors
/// [`AuthorProblem`].
pub fn author_domains(header: &[u8]) -> Result<Vec<Domain>, AuthorProblem> {
    let mut found = FieldsOf::new(header).filter(|field| field.is(header, "From"));
    let from = found.next().ok_or(AuthorProblem::Missing)?;
    if found.next().is_some() {
        return Err(AuthorProblem::Repeated);
    }
    let value = from.value(header);
    let named: Vec<Domain> = match addresses(value) {
        Ok(mailboxes) if mailboxes.is_empty() => return Err(AuthorProblem::Nobody),
        Ok(mailboxes) => mailboxes.iter().filter_map(|mailbox| domain(&mailbox.host)).collect(),
        Err(_) => {
            let named = behind_each_at(&String::from_utf8_lossy(value));
            if named.is_empty() {
                return Err(AuthorProblem::Unreadable);
            }
            named
        }
    };
    let mut domains: Vec<Domain> = Vec::new();
    for domain in named {
        if domains.contains(&domain) {
            continue;
        }
        if domains.len() == AUTHOR_DOMAINS_MAX {
            return Err(AuthorProblem::TooMany);
        }
        domains.push(domain);
    }
    Ok(domains)
}

fn domain(host: &Host) -> Option<Domain> {
    host.domain().cloned()
}

fn behind_each_at(text: &str) -> Vec<Domain> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-');
    let after = text.split('@').skip(1);
    let names = after.map(|rest| rest.trim_start().split(|c: char| !is_part(c)).next().unwrap_or_default());
    names.filter_map(|name| name.trim_matches('.').parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_author_domains_are_those_of_the_one_from() {
        for (header, domains) in [
            ("From: ada@example.org\r\n\r\nFrom: b@evil.example\r\n", &["example.org"][..]),
            ("FROM : \"b@evil.example\" <ada@example.org>\r\n", &["example.org"]),
            ("From: Ada\r\n\t<ada@EXAMPLE.org>, bob@example.org\r\n", &["example.org"]),
            ("From: ada@example.org, <bob@bank.example>\r\n", &["example.org", "bank.example"]),
            ("From: Team: ada@example.org, bob@bank.example;\r\n", &["example.org", "bank.example"]),
            ("From: ada@b\u{fc}cher.example\r\n", &["xn--bcher-kva.example"]),
            ("From: ada@[192.0.2.1]\r\n", &[]),
            // Not by the grammar: whichever address is shown, its domain is asked.
            ("From: Bank bank@bank.example <x@evil.example>\r\n", &["bank.example", "evil.example"]),
            ("From: <x@evil.example> <bank@bank.example>\r\n", &["evil.example", "bank.example"]),
            ("From: [Ext] Ada, Inc. <ada@example.org>\r\n", &["example.org"]),
            ("From: <x@evil.example\r\n", &["evil.example"]),
        ] {
            let found = author_domains(header.as_bytes()).unwrap();
            let found: Vec<_> = found.iter().map(Domain::ascii).collect();
            assert_eq!(found, domains, "{header:?}");
        }
        // A display name in an encoding of old.
        let latin1 = b"From: J\xfcrgen <j@example.org>\r\n";
        assert_eq!(author_domains(latin1).unwrap(), ["example.org".parse().unwrap()]);
    }

    #[test]
    fn where_readers_would_see_different_authors_there_is_none() {
        use AuthorProblem::{Missing, Nobody, Repeated, TooMany, Unreadable};
        for (header, problem) in [
            ("", Missing),
            ("Subject: x\r\n\r\nFrom: ada@example.org\r\n", Missing),
            ("From: ada@example.org\r\nfrom: bank@bank.example\r\n", Repeated),
            ("From : ada@example.org\r\nFrom: ada@example.org\r\n", Repeated),
            ("From: undisclosed:;\r\n", Nobody),
            ("From:\r\n", Nobody),
            ("From: Ada\r\n", Unreadable),
            ("From: @\r\n", Unreadable),
            ("From: a@a.example, a@b.example, a@c.example, a@d.example, a@e.example\r\n", TooMany),
        ] {
            assert_eq!(author_domains(header.as_bytes()), Err(problem), "{header:?}");
        }
    }
}
