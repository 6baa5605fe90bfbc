//! How much waits for a domain.

use store::{Destination, Queue, StoreError};
use types::Domain;

/// How much waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// Items, each a message for one domain.
    Counted(u64),
    /// Some, and more domains than are counted for a question of somebody outside.
    Many,
    /// The store could not say.
    Unknown,
}

/// Destinations that are read at once.
const PAGE: usize = 1000;
/// Pages that one question may cost.
const PAGES_MAX: usize = 50;

/// What waits for a domain alone. Held items do not count: they go out when the operator releases them.
pub(crate) async fn waiting_for(queue: &dyn Queue, domain: &Domain) -> Result<u64, StoreError> {
    let Some(destination) = Destination::named(domain.ascii()) else { return Ok(0) };
    let before = just_before(&destination);
    let found = queue.queue_destinations(before.as_ref(), 1).await?;
    Ok(found
        .first()
        .filter(|figures| figures.destination == destination)
        .map_or(0, |figures| figures.waiting))
}

/// What waits for a domain and all below it.
pub(crate) async fn waiting_below(queue: &dyn Queue, domain: &Domain) -> Result<Waiting, StoreError> {
    let mut after = None;
    let mut waiting = 0;
    for _ in 0..PAGES_MAX {
        let page = queue.queue_destinations(after.as_ref(), PAGE).await?;
        waiting += page
            .iter()
            .filter(|figures| is_at_or_below(figures.destination.as_str(), domain.ascii()))
            .map(|figures| figures.waiting)
            .sum::<u64>();
        if page.len() < PAGE {
            return Ok(Waiting::Counted(waiting));
        }
        after = page.into_iter().next_back().map(|figures| figures.destination);
        tokio::task::consume_budget().await;
    }
    Ok(Waiting::Many)
}

fn is_at_or_below(destination: &str, domain: &str) -> bool {
    match destination.strip_suffix(domain) {
        Some(below) => below.is_empty() || below.ends_with('.'),
        None => false,
    }
}

/// The name after which no other domain stands but this one: a page that begins there begins with it. Destinations are
/// ordered by their octets, which are in ASCII, and those of a domain end in a letter or a digit. It is one octet longer,
/// which fits: a domain has at most 253.
fn just_before(destination: &Destination) -> Option<Destination> {
    let name = destination.as_str();
    let (at, last) = name.char_indices().next_back()?;
    let before = char::from_u32(u32::from(last).checked_sub(1)?)?;
    Destination::named(&format!("{}{before}\x7f", &name[..at]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_stands_between_a_domain_and_the_name_before_it() {
        let named = |name: &str| Destination::named(name).unwrap();
        for (name, smaller) in [
            ("example.org", "example.orf"),
            ("example.org", "example.orfz.example"),
            ("a.example0", "a.example/"),
            ("example.org", "example.or"),
        ] {
            let before = just_before(&named(name)).unwrap();
            assert!(before < named(name) && before > named(smaller), "{before} {name}");
        }
        let longest = ["a"; 127].join(".");
        assert_eq!(longest.len(), 253);
        assert!(just_before(&named(&longest)).is_some_and(|before| before < named(&longest)));
    }

    #[test]
    fn a_domain_is_below_another_by_whole_labels() {
        for (destination, expected) in [
            ("foo.example", true),
            ("fred.foo.example", true),
            ("a.b.c.d.e.f.g.foo.example", true),
            ("barfoo.example", false),
            ("foo.example.org", false),
            ("example", false),
        ] {
            assert_eq!(is_at_or_below(destination, "foo.example"), expected, "{destination}");
        }
    }
}
