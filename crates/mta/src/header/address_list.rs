//! The addresses of a field like `From` (RFC 5322 §3.4, groups in it by RFC 6854).
//!
//! ```text
//! address-list = address *("," address)
//! address      = [display-name] "<" addr-spec ">" / addr-spec / display-name ":" [mailbox-list] ";"
//! ```
//!
//! Read strictly where two readers could see two authors: another address in a display name without quotes, words side by side
//! in an address, an address after an address. Comments, and the source routes of old, are read and dropped.

use types::Mailbox;

/// What is no list of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAddresses;

/// The mailboxes in the value of a field, those in groups too, in order. A list may be empty: `undisclosed:;` is.
///
/// # Errors
/// The value is no address-list.
pub fn addresses(value: &[u8]) -> Result<Vec<Mailbox>, NotAddresses> {
    let text = std::str::from_utf8(value).map_err(|_| NotAddresses)?;
    let mut reader = Reader { rest: text };
    let mut found = Vec::new();
    let mut in_group = false;
    loop {
        match reader.entry(in_group)? {
            Entry::Nothing => {}
            Entry::Mailbox(mailbox) => found.push(mailbox),
            Entry::GroupName => {
                in_group = true;
                continue;
            }
        }
        reader.skip_space()?;
        match reader.take() {
            None if !in_group => return Ok(found),
            Some(',') => {}
            Some(';') if in_group => {
                in_group = false;
                reader.skip_space()?;
                match reader.take() {
                    None => return Ok(found),
                    Some(',') => {}
                    Some(_) => return Err(NotAddresses),
                }
            }
            _ => return Err(NotAddresses),
        }
    }
}

enum Entry {
    /// Between two commas, or in an empty group.
    Nothing,
    Mailbox(Mailbox),
    /// And its colon.
    GroupName,
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn entry(&mut self, in_group: bool) -> Result<Entry, NotAddresses> {
        let mut words = Words::default();
        loop {
            self.skip_space()?;
            match self.peek() {
                None | Some(',' | ';') if words.is_empty() => return Ok(Entry::Nothing),
                None | Some(',' | ';') => return Ok(Entry::Mailbox(words.address()?)),
                Some(':') if !in_group && words.is_phrase() => {
                    self.take();
                    return Ok(Entry::GroupName);
                }
                Some('<') => {
                    self.take();
                    let mailbox = self.angle_address()?;
                    return if words.may_name(&mailbox) {
                        Ok(Entry::Mailbox(mailbox))
                    } else {
                        Err(NotAddresses)
                    };
                }
                Some(_) => words.add(self.token()?),
            }
        }
    }

    /// What follows `<`, with an optional route.
    fn angle_address(&mut self) -> Result<Mailbox, NotAddresses> {
        let mut words = Words::default();
        loop {
            self.skip_space()?;
            match self.peek() {
                Some('>') => {
                    self.take();
                    return words.address();
                }
                // obs-route = obs-domain-list ":" (RFC 5322 §4.4)
                Some(':') if words.is_route() => {
                    self.take();
                    words = Words::default();
                }
                Some(',') if words.is_empty() || words.is_route() => {
                    self.take();
                }
                Some(_) => words.add(self.token()?),
                None => return Err(NotAddresses),
            }
        }
    }

    /// A word, a dot, an at, or a domain literal.
    fn token(&mut self) -> Result<Token<'a>, NotAddresses> {
        let len = match self.peek() {
            Some('"') => quoted_len(self.rest, '"')?,
            Some('[') => quoted_len(self.rest, ']')?,
            Some('.' | '@') => 1,
            _ => self.rest.find(|c| !is_atext(c)).unwrap_or(self.rest.len()),
        };
        if len == 0 {
            return Err(NotAddresses);
        }
        let (text, rest) = self.rest.split_at(len);
        self.rest = rest;
        Ok(match text {
            "." => Token::Dot,
            "@" => Token::At,
            word => Token::Word(word),
        })
    }

    /// White space, line ends and comments, nested or not. What a backslash quotes ends no comment.
    fn skip_space(&mut self) -> Result<(), NotAddresses> {
        let mut depth = 0_usize;
        let mut is_quoted = false;
        for (index, c) in self.rest.char_indices() {
            match c {
                _ if is_quoted => is_quoted = false,
                '(' => depth += 1,
                ')' if depth > 0 => depth -= 1,
                '\\' if depth > 0 => is_quoted = true,
                _ if depth > 0 || matches!(c, ' ' | '\t' | '\r' | '\n') => {}
                _ => {
                    self.rest = &self.rest[index..];
                    return Ok(());
                }
            }
        }
        self.rest = "";
        if depth == 0 { Ok(()) } else { Err(NotAddresses) }
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }
}

enum Token<'a> {
    Word(&'a str),
    Dot,
    At,
}

/// What was read of an entry: an address or a display name, which only the end tells.
#[derive(Default)]
struct Words {
    text: String,
    has_at: bool,
    ends_in_word: bool,
    /// Two words stood side by side: in a display name they may.
    is_spaced: bool,
}

impl Words {
    fn add(&mut self, token: Token<'_>) {
        match token {
            Token::Word(word) => {
                self.is_spaced |= self.ends_in_word;
                self.ends_in_word = true;
                self.text.push_str(word);
            }
            Token::Dot => {
                self.ends_in_word = false;
                self.text.push('.');
            }
            Token::At => {
                self.ends_in_word = false;
                self.has_at = true;
                self.text.push('@');
            }
        }
    }

    const fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    const fn is_phrase(&self) -> bool {
        !self.is_empty() && !self.has_at
    }

    /// Whether it may be the display name of `mailbox`. Deviation: many programs write the address itself there,
    /// without the quotes that it needs; as it is the same address, everybody reads the same.
    fn may_name(self, mailbox: &Mailbox) -> bool {
        !self.has_at || self.address().as_ref() == Ok(mailbox)
    }

    fn is_route(&self) -> bool {
        self.text.starts_with('@')
    }

    fn address(self) -> Result<Mailbox, NotAddresses> {
        if self.is_spaced { Err(NotAddresses) } else { self.text.parse().map_err(|_| NotAddresses) }
    }
}

/// Octets until the `end` that is not quoted, with it.
fn quoted_len(text: &str, end: char) -> Result<usize, NotAddresses> {
    let mut is_quoted = false;
    for (index, c) in text.char_indices().skip(1) {
        match c {
            _ if is_quoted => is_quoted = false,
            '\\' => is_quoted = true,
            c if c == end => return Ok(index + 1),
            _ => {}
        }
    }
    Err(NotAddresses)
}

/// RFC 5322 §3.2.3 and RFC 6532 §3.2
fn is_atext(c: char) -> bool {
    !c.is_ascii() || c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Option<Vec<String>> {
        addresses(value.as_bytes()).ok().map(|found| found.iter().map(ToString::to_string).collect())
    }

    /// The forms of RFC 5322 §3.4 and Appendix A.1, A.5 and A.6.
    #[test]
    fn the_addresses_of_each_form_are_read() {
        for (value, expected) in [
            (" ada@example.org\r\n", &["ada@example.org"][..]),
            (" Ada Lovelace <ada@example.org>\r\n", &["ada@example.org"]),
            ("\"Joe Q. Public\" <john.q.public@example.com>", &["john.q.public@example.com"]),
            ("Joe Q. Public <john.q.public@example.com>", &["john.q.public@example.com"]),
            ("=?utf-8?q?J=C3=BCrgen?= <j@example.org>", &["j@example.org"]),
            ("Jürgen <j@example.org>", &["j@example.org"]),
            (
                "<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>",
                &["boss@nil.test", "sysservices@example.net"],
            ),
            (
                "A Group:Ed Jones <joe@where.test>,joe@where.test,John <jdoe@one.test>;",
                &["joe@where.test", "joe@where.test", "jdoe@one.test"],
            ),
            ("Undisclosed recipients:;", &[]),
            ("(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;", &[]),
            ("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", &["pete@silly.test"]),
            (
                "Mary Smith <@node.test,@b.test:mary@example.net>, , jdoe@test  . example",
                &["mary@example.net", "jdoe@test.example"],
            ),
            ("\"ceo@bank.example\" <ada@example.org>", &["ada@example.org"]),
            ("\"a b\"@example.org", &["\"a b\"@example.org"]),
            ("ada@[192.0.2.1]", &["ada@[192.0.2.1]"]),
            ("ada@example.org <ada@example.org>", &["ada@example.org"]),
            ("用户@bücher.example", &["用户@bücher.example"]),
            ("a:b@example.org;, c@example.org", &["b@example.org", "c@example.org"]),
            ("", &[]),
        ] {
            let expected: Vec<_> = expected.iter().map(ToString::to_string).collect();
            assert_eq!(read(value), Some(expected), "{value}");
        }
    }

    #[test]
    fn what_two_readers_may_read_in_two_ways_is_refused() {
        for value in [
            "ceo@bank.example <ada@example.org>",
            "<ceo@bank.example> <ada@example.org>",
            "ada@example.org ceo@bank.example",
            "Ada Lovelace ada@example.org",
            "<ada@example.org",
            "ada@example.org>",
            "<ada@example.org>>",
            "<<ada@example.org>>",
            "<ada@example.org> x",
            "a: b: c@example.org;;",
            "a: b@example.org",
            "a@example.org;",
            "a:b@example.org; c@example.org",
            "\"ada@example.org",
            "(ada@example.org",
            "(a\\)ada@example.org",
            "ada@example.org)",
            "ada@",
            "@example.org",
            "ada",
            "<>",
            "<@a.example:>",
            "ada@example..org",
            "ada@\"example\".org",
            "\"a\".b@example.org",
            "a\\b@example.org",
        ] {
            assert_eq!(read(value), None, "{value}");
        }
        assert_eq!(addresses(b"\xFF@example.org"), Err(NotAddresses));
    }

    #[test]
    fn a_hundred_thousand_brackets_take_no_depth() {
        for value in ["(".repeat(100_000), format!("{}{}", "(".repeat(100_000), ")".repeat(100_000))] {
            let _ = addresses(value.as_bytes());
        }
        let many = "a@example.org,".repeat(10_000);
        assert_eq!(addresses(many.as_bytes()).map(|found| found.len()), Ok(10_000));
    }
}
