//! Whom a list's copies show as their author.
//!
//! A list of ours puts fields on top and changes nothing that an author's DKIM signature covers, so that mostly the copies stay
//! what they were. Where no such signature vouches for the author's domain, SPF did, or nothing; and SPF of that domain fails
//! at the members' hosts, since it does not name this one. If the domain then has what fails DMARC refused or quarantined,
//! members lose mail, and their hosts' refusals look like dead addresses. In such copies the list stands in `From`:
//!
//! ```text
//! From: Ada Lovelace via engines <engines@lists.example.org>
//! Reply-To: Ada Lovelace <ada@strict.example>
//! X-Original-From: Ada Lovelace <ada@strict.example>
//! ```
//!
//! A `Reply-To` that the author has written stays alone: where replies go is the author's word (RFC 5322 §3.6.2), and
//! `X-Original-From` names the author all the same. `DKIM-Signature` fields are taken off: each covers `From`
//! (RFC 6376 §5.4), so none of them is right any more. ARC sets stay, since nobody may take them off (RFC 8617 §5.1).
//!
//! Standards: RFC 9989 (DMARC) with its §7.4 on lists; the form has none, and is that of Mailman.

use types::Mailbox;
use types::directory::FromRewriting;

use super::fields::phrase;
use crate::admission::authenticity::Wish;
use crate::header::addresses;
use crate::header::field::{Field, FieldsOf};

/// What is known of whose name a message shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorship {
    /// One of ours sends it as one of ours: what leaves this host is signed here.
    Ours,
    /// Of each domain in `From`.
    Checked(Vec<AuthorDomain>),
    /// It was not asked who sent the message.
    Unchecked,
}

/// A domain in `From`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorDomain {
    /// Its name.
    pub domain: String,
    /// What its owner wants done with mail that fails DMARC, test mode reckoned in; none where the DNS does not answer.
    pub wish: Option<Wish>,
    /// Whether a DKIM signature vouches for it that the fields of a list leave right.
    pub is_signed: bool,
}

/// Why the copies of a list with this setting show the list as their author; none where they show who wrote the message.
/// What is not known counts as strict: a copy that names the author in another field is read, one that is refused is not.
#[must_use]
pub fn why_rewritten(setting: FromRewriting, authorship: &Authorship) -> Option<String> {
    match (setting, authorship) {
        (FromRewriting::Never, _) | (FromRewriting::IfNeeded, Authorship::Ours) => None,
        (FromRewriting::Always, _) => Some("the list does so with all messages".to_owned()),
        (FromRewriting::IfNeeded, Authorship::Unchecked) => {
            Some("it was not checked what its author's domain wants".to_owned())
        }
        (FromRewriting::IfNeeded, Authorship::Checked(domains)) => domains.iter().find_map(why_of),
    }
}

fn why_of(author: &AuthorDomain) -> Option<String> {
    let AuthorDomain { domain, wish, is_signed } = author;
    let asked = match wish {
        _ if *is_signed => return None,
        Some(Wish::Nothing) => return None,
        Some(Wish::Quarantine) => "wants what fails DMARC quarantined",
        Some(Wish::Reject) => "wants what fails DMARC refused",
        None => {
            return Some(format!(
                "the DNS does not say now what {domain} wants, and no signature vouches for it"
            ));
        }
    };
    Some(format!("{domain} {asked}, and no signature vouches for it that holds beyond this host"))
}

/// A message with the list as its author: `header` is its header section with the empty line, and what follows that is kept.
/// None where the list's address would need SMTPUTF8, which the message may not have asked for.
#[must_use]
pub fn with_list_as_author(header: &[u8], list: &Mailbox) -> Option<Vec<u8>> {
    let shown = list.to_ascii()?;
    let fields: Vec<Field> = FieldsOf::new(header).collect();
    let authors: Vec<&Field> = fields.iter().filter(|field| field.is(header, FROM)).collect();
    let author = authors.first().map(|field| field.value(header)).unwrap_or_default();
    let mut from = from_field(author, &shown).into_bytes();
    // What nobody can read as addresses is no place for replies.
    let is_readable = addresses(author).is_ok_and(|mailboxes| !mailboxes.is_empty());
    if is_readable && !fields.iter().any(|field| field.is(header, "Reply-To")) {
        append(&mut from, "Reply-To", author);
    }
    for author in &authors {
        append(&mut from, ORIGINAL_FROM, author.value(header));
    }
    let mut out = Vec::with_capacity(header.len() + from.len());
    let mut is_there = false;
    let mut end = 0;
    for field in &fields {
        end = field.range.end;
        if field.is(header, FROM) {
            if !std::mem::replace(&mut is_there, true) {
                out.extend_from_slice(&from);
            }
        } else if !REMOVED_FIELDS.iter().any(|name| field.is(header, name)) {
            out.extend_from_slice(&header[field.range.clone()]);
        }
    }
    if !is_there {
        out.extend_from_slice(&from);
    }
    out.extend_from_slice(&header[end..]);
    Some(out)
}

const FROM: &str = "From";
const ORIGINAL_FROM: &str = "X-Original-From";
/// What is no longer right, and what somebody else says of an author.
const REMOVED_FIELDS: &[&str] = &["DKIM-Signature", ORIGINAL_FROM];

fn from_field(author: &[u8], list: &Mailbox) -> String {
    let mut words = name_of(author);
    words.push(Word::Text(format!("via {}", list.local_part.unquoted())));
    let mut lines: Vec<String> = Vec::new();
    let mut text = String::new();
    for word in words.into_iter().map(Some).chain([None]) {
        match word {
            Some(Word::Text(more)) => {
                text.push(' ');
                text.push_str(&more);
            }
            word => {
                let phrase = phrase(&std::mem::take(&mut text));
                lines.extend(Some(phrase).filter(|phrase| !phrase.is_empty()));
                lines.extend(word.map(Word::into_text));
            }
        }
    }
    lines.push(format!("<{list}>"));
    let is_short = lines.iter().map(|line| line.len() + 1).sum::<usize>() <= LINE_OCTETS - FROM.len();
    // An encoded word has its line to itself (RFC 2047 §2).
    match lines.iter().any(|line| line.contains("=?")) || !is_short {
        true => format!("{FROM}:\r\n {}\r\n", lines.join("\r\n ")),
        false => format!("{FROM}: {}\r\n", lines.join(" ")),
    }
}

/// A field with the value of another, folded as that was.
fn append(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.push(b':');
    let first_line = memchr::memchr(b'\n', value).unwrap_or(value.len());
    if name.len() + 1 + first_line > LINE_OCTETS_MAX {
        out.extend_from_slice(b"\r\n ");
    } else if !value.starts_with(b" ") && !value.starts_with(b"\t") && !value.starts_with(b"\r\n") {
        out.push(b' ');
    }
    let value = value.trim_ascii_end();
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Octets of a line without its end: what is nice to read, and what there may be (RFC 5322 §2.1.1).
const LINE_OCTETS: usize = 78;
const LINE_OCTETS_MAX: usize = 998;
/// Characters of an author's name.
const NAME_CHARS_MAX: usize = 80;
/// Encoded words of a name, each of 75 octets at most.
const ENCODED_WORDS_MAX: usize = 6;

/// A part of a display name.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    /// As it reads.
    Text(String),
    /// As it stands in the field (RFC 2047 §5).
    Encoded(String),
}

impl Word {
    fn into_text(self) -> String {
        match self {
            Self::Text(text) | Self::Encoded(text) => text,
        }
    }
}

/// The display name of the first author, else the local part of that address. Of several authors it says that there are more.
fn name_of(from: &[u8]) -> Vec<Word> {
    let mailboxes = addresses(from).unwrap_or_default();
    let mut words = display_name(&String::from_utf8_lossy(from));
    if words.is_empty() {
        words.extend(mailboxes.first().map(|first| Word::Text(shortened(&first.local_part.unquoted()))));
    }
    if mailboxes.len() > 1 {
        words.push(Word::Text("and others".to_owned()));
    }
    words
}

/// What stands before the first `<`, without quotes and comments.
fn display_name(from: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut rest = from.trim_start();
    while let Some(c) = rest.chars().next() {
        let (len, text) = match c {
            '<' => return within_limits(words),
            ',' | ';' => return Vec::new(),
            // The name of a group.
            ':' => {
                words.clear();
                (1, None)
            }
            '(' => (comment_len(rest), None),
            '"' => {
                let (len, text) = quoted(rest);
                (len, Some(text))
            }
            _ => {
                let is_end = |c: char| c.is_whitespace() || matches!(c, '<' | ',' | ';' | ':' | '(' | '"');
                let len = rest.find(is_end).unwrap_or(rest.len());
                (len, Some(rest[..len].to_owned()))
            }
        };
        words.extend(text.filter(|text| !text.is_empty()).map(|text| {
            if c != '"' && is_encoded_word(&text) { Word::Encoded(text) } else { Word::Text(text) }
        }));
        rest = rest[len..].trim_start();
    }
    Vec::new()
}

fn within_limits(words: Vec<Word>) -> Vec<Word> {
    let mut chars = NAME_CHARS_MAX;
    let mut encoded = ENCODED_WORDS_MAX;
    let mut kept = Vec::new();
    for word in words {
        match word {
            Word::Text(text) if chars > 0 => {
                let text: String = text.chars().take(chars).collect();
                chars -= text.chars().count();
                kept.push(Word::Text(text));
            }
            Word::Encoded(word) if encoded > 0 => {
                encoded -= 1;
                kept.push(Word::Encoded(word));
            }
            Word::Text(_) | Word::Encoded(_) => break,
        }
    }
    kept
}

fn shortened(text: &str) -> String {
    text.chars().take(NAME_CHARS_MAX).collect()
}

/// `"=?" charset "?" encoding "?" encoded-text "?="`, 75 octets at most (RFC 2047 §2), of which a phrase allows these.
fn is_encoded_word(text: &str) -> bool {
    let Some(inner) = text.strip_prefix("=?").and_then(|text| text.strip_suffix("?=")) else { return false };
    let is_phrase_char = |b: u8| b.is_ascii_alphanumeric() || b"!*+-/=_".contains(&b);
    let mut parts = inner.split('?');
    let (charset, encoding, content) = (parts.next(), parts.next(), parts.next());
    text.len() <= 75
        && parts.next().is_none()
        && charset.is_some_and(|charset| {
            !charset.is_empty() && charset.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_:*.".contains(&b))
        })
        && encoding.is_some_and(|encoding| matches!(encoding, "q" | "Q" | "b" | "B"))
        && content.is_some_and(|content| content.bytes().all(is_phrase_char))
}

/// Octets of a comment, nested or not, or of all where it has no end.
fn comment_len(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut is_quoted = false;
    for (index, c) in text.char_indices() {
        match c {
            _ if is_quoted => is_quoted = false,
            '\\' => is_quoted = true,
            '(' => depth += 1,
            ')' if depth == 1 => return index + 1,
            ')' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

/// Octets of a quoted string, and what it reads.
fn quoted(text: &str) -> (usize, String) {
    let mut read = String::new();
    let mut is_quoted = false;
    for (index, c) in text.char_indices().skip(1) {
        match c {
            '\\' if !is_quoted => is_quoted = true,
            '"' if !is_quoted => return (index + 1, read.trim().to_owned()),
            c => {
                is_quoted = false;
                read.push(if c.is_control() { ' ' } else { c });
            }
        }
    }
    (text.len(), read)
}

#[cfg(test)]
mod tests;
