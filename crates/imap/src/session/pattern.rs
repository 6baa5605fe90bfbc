//! Patterns of LIST and LSUB (RFC 9051 §6.3.9): `*` is anything, `%` anything within one level.

use crate::name::SEPARATOR;

/// Wildcards of one pattern; more of them say nothing that fewer do not.
pub(super) const WILDCARDS_MAX: usize = 32;

/// A reference and a pattern, put together.
pub(super) struct Pattern {
    characters: Vec<char>,
}

impl Pattern {
    /// None where there are more wildcards than [`WILDCARDS_MAX`].
    pub(super) fn new(reference: &str, pattern: &str) -> Option<Self> {
        let mut characters: Vec<char> = Vec::new();
        for character in reference.chars().chain(pattern.chars()) {
            // `**` is `*`, and `*%` and `%*` are too.
            match (characters.last(), character) {
                (Some('*' | '%'), '*') => {
                    characters.pop();
                    characters.push('*');
                }
                (Some('*' | '%'), '%') => {}
                _ => characters.push(character),
            }
        }
        let wildcards = characters.iter().filter(|character| is_wildcard(**character)).count();
        // INBOX is the same in any case (RFC 9051 §5.1), also as the first level of others.
        let level =
            characters.iter().position(|character| *character == SEPARATOR || is_wildcard(*character));
        let first: String = characters[..level.unwrap_or(characters.len())].iter().collect();
        if first.eq_ignore_ascii_case("INBOX") {
            characters.splice(..first.len(), "INBOX".chars());
        }
        (wildcards <= WILDCARDS_MAX).then_some(Self { characters })
    }

    /// Whether names that are but levels above others are asked for too (RFC 9051 §6.3.9).
    pub(super) fn ends_in_level(&self) -> bool {
        self.characters.last() == Some(&'%')
    }

    pub(super) fn has_level(&self) -> bool {
        self.characters.contains(&'%')
    }

    /// Whether it is this name. Follows all ways at once, so that no pattern takes long.
    pub(super) fn matches(&self, name: &str) -> bool {
        self.is(name, |one, other| one == other)
            || (name == "INBOX" && self.is(name, |one, other| one.eq_ignore_ascii_case(&other)))
    }

    fn is(&self, name: &str, same: impl Fn(char, char) -> bool) -> bool {
        let mut places = vec![0];
        self.pass_wildcards(&mut places);
        for character in name.chars() {
            let mut next = Vec::with_capacity(places.len());
            for place in places {
                match self.characters.get(place) {
                    Some('*') => next.push(place),
                    Some('%') if character != SEPARATOR => next.push(place),
                    Some('%') | None => {}
                    Some(wanted) if same(*wanted, character) => next.push(place + 1),
                    Some(_) => {}
                }
            }
            self.pass_wildcards(&mut next);
            places = next;
        }
        places.contains(&self.characters.len())
    }

    /// A wildcard may also be nothing. Two never follow each other.
    fn pass_wildcards(&self, places: &mut Vec<usize>) {
        let behind: Vec<usize> = places
            .iter()
            .filter(|place| self.characters.get(**place).is_some_and(|character| is_wildcard(*character)))
            .map(|place| place + 1)
            .collect();
        places.extend(behind);
        places.sort_unstable();
        places.dedup();
    }
}

const fn is_wildcard(character: char) -> bool {
    matches!(character, '*' | '%')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_matched_as_the_rfc_says() {
        for (pattern, name, expected) in [
            ("*", "a/b", true),
            ("%", "a", true),
            ("%", "a/b", false),
            ("a/%", "a/b", true),
            ("a/%", "a", false),
            ("a/%", "a/b/c", false),
            ("a*", "a", true),
            ("a*c", "a/b/c", true),
            ("a%c", "a/b/c", false),
            ("%/%", "a/b", true),
            ("inbox", "INBOX", true),
            ("inbox/%", "INBOX/a", true),
            ("i%", "INBOX", true),
            ("i%", "Inner", false),
            ("*a*", "xay", true),
            ("", "a", false),
            ("ä%", "äö", true),
            ("*%", "a/b", true),
            ("%*", "a/b", true),
        ] {
            assert_eq!(Pattern::new("", pattern).unwrap().matches(name), expected, "{pattern} {name}");
        }
        assert!(Pattern::new("a/", "b").unwrap().matches("a/b"));
    }

    #[test]
    fn no_pattern_takes_long_and_one_of_many_wildcards_is_refused() {
        let pattern = Pattern::new("", &"*a".repeat(WILDCARDS_MAX)).unwrap();
        assert!(!pattern.matches(&("a".repeat(1000) + "b")));
        assert!(Pattern::new("", &"*a".repeat(WILDCARDS_MAX + 1)).is_none());
        assert!(Pattern::new("", &"*".repeat(10_000)).unwrap().matches("a"));
    }
}
