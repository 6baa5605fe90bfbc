//! Whom a message shows as its author, and whether anything proves it.
//!
//! DMARC takes a signature of the author's organization for the author's own word (RFC 9989 §4.4.1). A list signs whatever it
//! sends: so where `From` names somebody of the list's own organization and nothing proves that, the list's signature would
//! make the forgery pass everywhere. It is not made then.

use mta::admission::authenticity::author_domains;
use store::StoreError;
use types::Domain;

use super::whose::{Choice, above, is_ours, is_vouched_for};
use super::{Author, Poster, Proof};
use crate::authenticity::is_within;
use crate::shared::Shared;

/// Who is shown as the author.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// Whoever it is, it is so.
    Proven,
    /// Somebody of these domains, as far as the message says; none where that cannot be read.
    Said(Vec<Domain>),
}

impl Shown {
    pub(super) fn of(header: &[u8], poster: Poster<'_>) -> Self {
        let is_proven = match poster {
            Poster::Ours { author: Author::Any, .. } | Poster::List { .. } => true,
            Poster::Ours { author, .. } => is_vouched_for(header, author),
            Poster::Stranger { author, .. } => author == Proof::Given,
        };
        if is_proven { Self::Proven } else { Self::Said(author_domains(header).unwrap_or_default()) }
    }

    /// Why this domain may not sign for a list: it would speak for an author whom it does not know.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub(super) async fn lent_by(
        &self,
        shared: &Shared,
        signer: &Domain,
    ) -> Result<Option<Choice>, StoreError> {
        let Self::Said(authors) = self else { return Ok(None) };
        let lent =
            |author: &str| Some(Choice::Unproven { signer: signer.clone(), author: author.to_owned() });
        if authors.is_empty() {
            return Ok(lent("somebody who cannot be read"));
        }
        for author in authors {
            if is_within(signer.ascii(), author.ascii()) {
                return Ok(lent(author.ascii()));
            }
            // Where the organization begins the DNS knows; what is above a domain of ours and ours is within it.
            for domain in above(signer) {
                if is_within(author.ascii(), domain.ascii())
                    && (domain == *signer || is_ours(shared, &domain).await?)
                {
                    return Ok(lent(author.ascii()));
                }
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use mta::admission::Rights;
    use types::ReversePath;
    use types::directory::AccountSettings;

    use super::*;

    #[test]
    fn who_may_send_as_the_author_proves_it_and_nobody_else_does() {
        let settings = AccountSettings::default();
        let ada = Author::Of(Rights {
            account: "ada@example.org",
            settings: &settings,
            subaddress_separator: None,
        });
        let ours = |author| Poster::Ours { author, reverse_path: &ReversePath::Null };
        let stranger = |author| Poster::Stranger { found: None, author };
        let (own, other) = ("From: ada@example.org\r\n", "From: bob@example.net, ada@example.org\r\n");
        for (header, poster, is_proven) in [
            (own, ours(ada), true),
            (other, ours(ada), false),
            (other, ours(Author::Any), true),
            (other, ours(Author::UnlessResent), true),
            ("Resent-From: x@y.example\r\nFrom: bob@example.net\r\n", ours(Author::UnlessResent), false),
            (own, stranger(Proof::Missing), false),
            (own, stranger(Proof::Given), true),
            (own, Poster::List { found: None }, true),
        ] {
            assert_eq!(Shown::of(header.as_bytes(), poster) == Shown::Proven, is_proven, "{header}");
        }
        let said = Shown::of(other.as_bytes(), stranger(Proof::Missing));
        assert_eq!(said, Shown::Said(vec!["example.net".parse().unwrap(), "example.org".parse().unwrap()]));
        assert_eq!(Shown::of(b"From: nobody\r\n", stranger(Proof::Missing)), Shown::Said(Vec::new()));
    }
}
