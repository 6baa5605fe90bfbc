//! Address lists of headers (RFC 5322 §3.4 and §4.4), read leniently: what is no address is shown as well as can be.

use super::cost;
use super::record::{AddressRecord, Records, Run, Span};

/// Reads the addresses of an unfolded field and keeps them; no more of them in all than `addresses_max`.
///
/// ```text
/// address-list = (address *("," address)) / obs-addr-list
/// address      = mailbox / group
/// mailbox      = name-addr / addr-spec
/// group        = display-name ":" [group-list] ";" [CFWS]
/// ```
pub(super) fn keep(value: &[u8], addresses_max: usize, text_bytes_max: usize, records: &mut Records) -> Run {
    let from = records.addresses.len();
    let mut list = List { records, addresses_max, text_bytes_max, item: Item::default(), is_in_group: false };
    let mut tokens = Tokens { rest: value, is_spaced: false };
    while let Some(token) = tokens.next() {
        list.token(token);
    }
    list.end_item();
    list.end_group();
    Run::new(from, list.records.addresses.len())
}

struct List<'r> {
    records: &'r mut Records,
    addresses_max: usize,
    text_bytes_max: usize,
    item: Item,
    is_in_group: bool,
}

/// What was read since the last comma.
#[derive(Default)]
struct Item {
    /// Before `<`, or all of it; with spaces before those that had some.
    words: Vec<Word>,
    /// Where in `words` the domain begins, behind the first `@` that is not within `<>`.
    domain_from: Option<usize>,
    /// The last of `words` that does not belong to the one before it: looked for anew at each `@`, it would cost quadratic time.
    tied_from: usize,
    /// The last comment: before RFC 822 it was the name.
    comment: Option<Vec<u8>>,
    angle: Option<Angle>,
}

/// What stands within `<>`.
#[derive(Default)]
struct Angle {
    route: Vec<u8>,
    local: Vec<u8>,
    domain: Option<Vec<u8>>,
    is_closed: bool,
}

struct Word {
    text: Vec<u8>,
    is_spaced: bool,
}

impl List<'_> {
    fn token(&mut self, token: Token) {
        let item = &mut self.item;
        let has_angle = item.angle.is_some();
        match token {
            Token::Comment(text) => item.comment = Some(text),
            token if let Some(angle) = item.angle.as_mut().filter(|angle| !angle.is_closed) => {
                let is_over = matches!(token, Token::Special(b',' | b';')) && !angle.local.is_empty();
                if is_over {
                    // The bracket was forgotten.
                    angle.is_closed = true;
                    self.token(token);
                } else {
                    angle.token(&token);
                }
            }
            Token::Special(b'<') if !has_angle => item.angle = Some(Angle::default()),
            Token::Special(b'@') if !has_angle && item.domain_from.is_none() => {
                item.domain_from = Some(item.words.len());
            }
            Token::Special(b'@') if !has_angle && item.has_next_local() => self.begin_next(),
            Token::Special(b',') => self.end_item(),
            Token::Special(b';') => {
                self.end_item();
                self.end_group();
            }
            Token::Special(b':') if !self.is_in_group && !has_angle => self.begin_group(),
            // It closes nothing.
            Token::Special(b'>') => {}
            Token::Special(octet) => item.word(vec![octet], false),
            Token::Word { text, is_spaced } => item.word(text, is_spaced),
        }
    }

    fn begin_group(&mut self) {
        let item = std::mem::take(&mut self.item);
        let name = phrase(&item.words);
        self.push(None, None, Some(&name), None);
        self.is_in_group = true;
    }

    fn end_group(&mut self) {
        if std::mem::take(&mut self.is_in_group) {
            self.push(None, None, None, None);
        }
    }

    /// The comma before another address was forgotten: what it has before `@` was read already.
    fn begin_next(&mut self) {
        let words = self.item.words.split_off(self.item.tied_from);
        self.end_item();
        self.item = Item { domain_from: Some(words.len()), words, ..Item::default() };
    }

    fn end_item(&mut self) {
        let item = std::mem::take(&mut self.item);
        let Item { mut words, domain_from, comment, angle, tied_from: _ } = item;
        if let Some(angle) = angle {
            let name = match domain_from {
                // Many write an address in the place of the name, without quotes.
                Some(at) => [&phrase(&words[..at])[..], b"@", &phrase(&words[at..])].concat(),
                None => phrase(&words),
            };
            let name = if name.is_empty() { comment } else { Some(name) };
            let route = (!angle.route.is_empty()).then_some(angle.route);
            let domain = angle.domain.unwrap_or_default();
            self.push(name.as_deref(), route.as_deref(), Some(&angle.local), Some(&domain));
            return;
        }
        if words.is_empty() && domain_from.is_none() {
            return;
        }
        let mut domain = words.split_off(domain_from.unwrap_or(words.len()));
        let behind = domain.split_off(domain_len(&domain));
        let domain: Vec<u8> = domain.into_iter().flat_map(|word| word.text).collect();
        let (name, local) = match domain_from {
            None if words.len() > 1 => (phrase(&words), Vec::new()),
            _ => {
                let local = words.split_off(local_from(&words));
                (phrase(&words), local.into_iter().flat_map(|word| word.text).collect())
            }
        };
        let name = if name.is_empty() { phrase(&behind) } else { name };
        let name = if name.is_empty() { comment } else { Some(name) };
        self.push(name.as_deref(), None, Some(&local), Some(&domain));
    }

    fn push(&mut self, name: Option<&[u8]>, adl: Option<&[u8]>, mailbox: Option<&[u8]>, host: Option<&[u8]>) {
        if self.records.addresses.len() >= self.addresses_max {
            return;
        }
        let mut keep = |octets: Option<&[u8]>| {
            octets.map_or(Span::Absent, |octets| self.records.keep(octets, self.text_bytes_max))
        };
        let record =
            AddressRecord { name: keep(name), adl: keep(adl), mailbox: keep(mailbox), host: keep(host) };
        self.records.addresses.push(record);
    }
}

impl Item {
    fn word(&mut self, text: Vec<u8>, is_spaced: bool) {
        let at = self.words.len();
        self.words.push(Word { text, is_spaced });
        if !is_tied(&self.words, at) {
            self.tied_from = at;
        }
    }

    /// Whether a local part stands behind the domain.
    fn has_next_local(&self) -> bool {
        self.domain_from.is_some_and(|from| self.tied_from > from)
    }
}

impl Angle {
    /// ```text
    /// angle-addr = [CFWS] "<" [obs-route] addr-spec ">" [CFWS]
    /// obs-route  = obs-domain-list ":"
    /// ```
    fn token(&mut self, token: &Token) {
        match token {
            Token::Special(b'>') => self.is_closed = true,
            Token::Special(b'@') if self.domain.is_none() => self.domain = Some(Vec::new()),
            // What came before was the route.
            Token::Special(b':') if self.local.is_empty() && self.domain.is_some() => {
                self.route.push(b'@');
                self.route.extend(self.domain.take().unwrap_or_default());
            }
            Token::Special(b',') if self.local.is_empty() => self.domain.get_or_insert_default().push(b','),
            Token::Special(octet) => self.domain.as_mut().unwrap_or(&mut self.local).push(*octet),
            Token::Word { text, .. } => {
                self.domain.as_mut().unwrap_or(&mut self.local).extend_from_slice(text)
            }
            Token::Comment(_) => {}
        }
    }
}

/// Words with a space where there was white space between them.
fn phrase(words: &[Word]) -> Vec<u8> {
    let mut phrase = Vec::new();
    for word in words {
        cost::count(word.text.len());
        if word.is_spaced && !phrase.is_empty() {
            phrase.push(b' ');
        }
        phrase.extend_from_slice(&word.text);
    }
    phrase
}

/// Where the local part begins in the words before `@`: the last of them, and those that dots tie to it (obs-local-part).
fn local_from(words: &[Word]) -> usize {
    (0..words.len()).rev().find(|at| !is_tied(words, *at)).unwrap_or(0)
}

/// How many of the words behind `@` are the domain: the first of them, and those that dots tie to it (obs-domain).
fn domain_len(words: &[Word]) -> usize {
    (1..words.len()).find(|at| !is_tied(words, *at)).unwrap_or(words.len())
}

/// Whether a word belongs to the one before it.
fn is_tied(words: &[Word], at: usize) -> bool {
    cost::count(1);
    let Some(before) = at.checked_sub(1).map(|before| &words[before]) else { return false };
    !words[at].is_spaced || words[at].text.starts_with(b".") || before.text.ends_with(b".")
}

enum Token {
    /// An atom with its dots, what stood in quotes, or a domain literal with its brackets.
    Word {
        text: Vec<u8>,
        is_spaced: bool,
    },
    Comment(Vec<u8>),
    Special(u8),
}

struct Tokens<'a> {
    rest: &'a [u8],
    /// White space or a comment stood before.
    is_spaced: bool,
}

impl Tokens<'_> {
    fn next(&mut self) -> Option<Token> {
        let spaces = self.rest.iter().take_while(|octet| is_space(**octet)).count();
        cost::count(spaces + 1);
        self.rest = &self.rest[spaces..];
        self.is_spaced |= spaces > 0;
        let first = *self.rest.first()?;
        match first {
            b'(' => {
                let (text, len) = comment(self.rest);
                self.rest = &self.rest[len..];
                self.is_spaced = true;
                Some(Token::Comment(text))
            }
            b'"' => {
                let (text, len) = quoted(self.rest);
                Some(self.word(text, len))
            }
            b'[' => {
                let len =
                    self.rest.iter().position(|octet| *octet == b']').map_or(self.rest.len(), |at| at + 1);
                Some(self.word(self.rest[..len].to_vec(), len))
            }
            b'<' | b'>' | b'@' | b',' | b';' | b':' => {
                self.rest = &self.rest[1..];
                self.is_spaced = false;
                Some(Token::Special(first))
            }
            _ => {
                let is_over = |octet: &u8| is_space(*octet) || b"(\"[<>@,;:".contains(octet);
                let len = self.rest.iter().position(is_over).unwrap_or(self.rest.len());
                Some(self.word(self.rest[..len].to_vec(), len))
            }
        }
    }

    fn word(&mut self, text: Vec<u8>, len: usize) -> Token {
        cost::count(len);
        self.rest = &self.rest[len..];
        Token::Word { text, is_spaced: std::mem::take(&mut self.is_spaced) }
    }
}

/// Octets between words. NUL is none of any text.
pub(super) const fn is_space(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r' | b'\n' | 0)
}

/// The text of a comment that `octets` begin with, comments within it included, and its length; one that does not end goes on
/// to the end.
pub(super) fn comment(octets: &[u8]) -> (Vec<u8>, usize) {
    let mut text = Vec::new();
    let mut depth = 0_usize;
    let mut at = 0;
    while at < octets.len() {
        match octets[at] {
            b'(' => {
                if depth > 0 {
                    text.push(b'(');
                }
                depth += 1;
            }
            b')' => {
                depth -= 1;
                if depth == 0 {
                    cost::count(at);
                    return (text, at + 1);
                }
                text.push(b')');
            }
            b'\\' if at + 1 < octets.len() => {
                at += 1;
                text.push(octets[at]);
            }
            octet => text.push(octet),
        }
        at += 1;
    }
    cost::count(octets.len());
    (text, octets.len())
}

/// What stands in the quotes that `octets` begin with, and their length; one that does not end goes on to the end.
pub(super) fn quoted(octets: &[u8]) -> (Vec<u8>, usize) {
    let mut text = Vec::new();
    let mut at = 1;
    while at < octets.len() {
        match octets[at] {
            b'"' => return (text, at + 1),
            b'\\' if at + 1 < octets.len() => {
                at += 1;
                text.push(octets[at]);
            }
            octet => text.push(octet),
        }
        at += 1;
    }
    (text, octets.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: &str) -> String {
        let mut records = Records::default();
        let run = keep(value.as_bytes(), 1000, 10_000, &mut records);
        let show = |span| match records.get(span) {
            Some(octets) => String::from_utf8(octets.to_vec()).unwrap(),
            None => "NIL".to_owned(),
        };
        let all: Vec<String> = records.addresses[run.from as usize..run.to as usize]
            .iter()
            .map(|address| [address.name, address.adl, address.mailbox, address.host].map(show).join("|"))
            .collect();
        all.join(" / ")
    }

    #[test]
    fn addresses_are_read_as_rfc_5322_and_its_elders_write_them() {
        for (value, expected) in [
            ("a@b.example", "NIL|NIL|a|b.example"),
            ("A B <a@b.example>, \"C, D\" <c@d>", "A B|NIL|a|b.example / C, D|NIL|c|d"),
            ("a@b (A B)", "A B|NIL|a|b"),
            ("A (comment) B <a@b>", "A B|NIL|a|b"),
            ("\"A \\\"x\\\" B\" <a@b>", "A \"x\" B|NIL|a|b"),
            ("=?utf-8?q?=C3=A4?= <a@b>", "=?utf-8?q?=C3=A4?=|NIL|a|b"),
            ("J. R. Smith <j@r>", "J. R. Smith|NIL|j|r"),
            ("<@one,@two:a@b>", "NIL|@one,@two|a|b"),
            ("Group: a@b, C <c@d>;", "NIL|NIL|Group|NIL / NIL|NIL|a|b / C|NIL|c|d / NIL|NIL|NIL|NIL"),
            ("undisclosed-recipients:;", "NIL|NIL|undisclosed-recipients|NIL / NIL|NIL|NIL|NIL"),
            ("A Group:a@b", "NIL|NIL|A Group|NIL / NIL|NIL|a|b / NIL|NIL|NIL|NIL"),
            ("\"john doe\"@b", "NIL|NIL|john doe|b"),
            ("john . doe @ b . example", "NIL|NIL|john.doe|b.example"),
            ("a@[192.0.2.1]", "NIL|NIL|a|[192.0.2.1]"),
            ("root", "NIL|NIL|root|"),
            ("No Address", "No Address|NIL||"),
            ("John Doe john@b", "John Doe|NIL|john|b"),
            ("John <john@b, Jane <jane@b>", "John|NIL|john|b / Jane|NIL|jane|b"),
            ("<>", "NIL|NIL||"),
            ("a@b@c", "NIL|NIL|a|b@c"),
            ("a@b.example <c@d>", "a@b.example|NIL|c|d"),
            ("a@b c@d", "NIL|NIL|a|b / NIL|NIL|c|d"),
            ("a@b c@d e@f g@h", "NIL|NIL|a|b / NIL|NIL|c|d / NIL|NIL|e|f / NIL|NIL|g|h"),
            ("x y@b c@d@e f", "x|NIL|y|b / f|NIL|c|d@e"),
            ("a@ b c@d", "NIL|NIL|a|b / NIL|NIL|c|d"),
            ("a@b c@ d@e", "NIL|NIL|a|b / NIL|NIL|c|d@e"),
            ("a@b c . c@d, e@f", "NIL|NIL|a|b / NIL|NIL|c.c|d / NIL|NIL|e|f"),
            ("a@b John Doe", "John Doe|NIL|a|b"),
            ("<Undisclosed-Recipient:@b;>", "NIL|NIL|Undisclosed-Recipient:|b"),
            ("a@b>", "NIL|NIL|a|b"),
            (", ,a@b,,", "NIL|NIL|a|b"),
            ("", ""),
            (" \t", ""),
            ("ä@ö.example", "NIL|NIL|ä|ö.example"),
            ("a@b (unended", "unended|NIL|a|b"),
            ("\"unended <a@b>", "NIL|NIL|unended <a@b>|"),
        ] {
            assert_eq!(shown(value), expected, "{value}");
        }
    }

    /// With quadratic time it does not end within an hour.
    #[test]
    fn a_flood_of_at_signs_is_read_in_linear_time() {
        let count = 512 << 10;
        for (flood, local) in [
            (["a", &"@".repeat(count)].concat(), "a"),
            ("\"x\"@".repeat(count), "x"),
            (["a@b ", &"c@".repeat(count)].concat(), "a"),
        ] {
            let mut records = Records::default();
            let run = keep(flood.as_bytes(), 1000, 10_000, &mut records);
            let first = records.addresses[run.from as usize].mailbox;
            assert_eq!(records.get(first), Some(local.as_bytes()));
        }
    }

    #[test]
    fn a_list_ends_where_there_are_enough() {
        let mut records = Records::default();
        let run = keep("a@b,".repeat(100).as_bytes(), 10, 10_000, &mut records);
        assert_eq!(run, Run { from: 0, to: 10 });
    }
}
