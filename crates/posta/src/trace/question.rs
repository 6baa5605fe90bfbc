//! What is asked for, out of what a person has at hand: an id, an address, or a whole reply with one of them in it.

use store::TraceQuery;
use types::{MailId, Timestamp};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Question {
    Id(MailId),
    Address(String),
    Everything,
}

/// There is neither an id nor an address in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is neither an id nor an address in \"{0}\"")]
pub(super) struct NoQuestion(String);

impl Question {
    /// Of several ids the last one counts, since that is where a reply has its own; an id counts for more than an
    /// address.
    pub(super) fn read(text: &str) -> Result<Self, NoQuestion> {
        let words: Vec<&str> = text
            .split(|c: char| c.is_whitespace() || c == '[' || c == ']')
            .map(bare)
            .filter(|word| !word.is_empty())
            .collect();
        if let Some(id) = words.iter().rev().find_map(|word| word.parse().ok()) {
            return Ok(Self::Id(id));
        }
        if let Some(address) = words.iter().rev().find(|word| word.contains('@')) {
            return Ok(Self::Address((*address).to_owned()));
        }
        match words[..] {
            [] => Ok(Self::Everything),
            // Accounts and greetings have names without an at sign, too.
            [word] => Ok(Self::Address(word.to_owned())),
            _ => Err(NoQuestion(crate::terminal::line(text).into_owned())),
        }
    }

    pub(super) fn query(&self, since: Option<Timestamp>, limit: usize) -> TraceQuery {
        let (id, address) = match self {
            Self::Id(id) => (Some(*id), None),
            Self::Address(address) => (None, Some(address.clone())),
            Self::Everything => (None, None),
        };
        TraceQuery { id, address, since, limit }
    }
}

/// Without what a reply or a sentence puts around a word.
fn bare(word: &str) -> &str {
    const AROUND: &[char] = &['<', '>', '(', ')', '"', '\'', '`', ',', ';', ':', '.', '!', '?'];
    word.trim_matches(AROUND)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01MC8D3T4A0F9Q2XW7ZK";

    #[test]
    fn an_id_is_found_wherever_it_stands() {
        let rows = [
            ID.to_owned(),
            ID.to_lowercase(),
            format!("[{ID}]"),
            format!("550 5.1.1 No such mailbox here: <x@example.org> [{ID}]"),
            format!("550-5.7.1 one [00000000000000000000]\r\n550 5.7.1 two [{ID}]\r\n"),
            format!("250 2.0.0 1234 octets, stored as {ID}."),
            format!("x@example.org[{ID}]"),
        ];
        for text in rows {
            assert_eq!(Question::read(&text), Ok(Question::Id(ID.parse().unwrap())), "{text}");
        }
    }

    #[test]
    fn an_address_is_taken_where_there_is_no_id() {
        let rows = [
            ("Ada@Example.org", "Ada@Example.org"),
            ("<ada@example.org>", "ada@example.org"),
            ("550 5.1.1 No such mailbox here: <x@example.org>", "x@example.org"),
            ("postmaster", "postmaster"),
            (&ID[1..], &ID[1..]),
        ];
        for (text, address) in rows {
            assert_eq!(Question::read(text), Ok(Question::Address(address.to_owned())), "{text}");
        }
    }

    #[test]
    fn nothing_asks_for_everything_and_words_alone_for_nothing() {
        assert_eq!(Question::read(""), Ok(Question::Everything));
        assert_eq!(Question::read(" \n"), Ok(Question::Everything));
        assert!(Question::read("550 5.1.1 No such mailbox here").is_err());
        let error = Question::read("\x1b[2J two words").unwrap_err().to_string();
        assert!(!error.contains('\x1b'), "{error}");
    }
}
