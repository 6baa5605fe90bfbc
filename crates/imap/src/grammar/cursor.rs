//! A place in the octets of a command, and what can be read from there on: the leaves of the grammar.

use std::borrow::Cow;

use super::{GrammarError, Result};
use crate::command::{MailboxName, Numbering};
use crate::name::NameEncoding;
use crate::response::{is_astring_char, is_atom_char};

/// Octets of a command: its lines, and each literal behind the line that announces it.
pub(super) struct Cursor<'a> {
    octets: &'a [u8],
    at: usize,
    /// The last word of the protocol that was read.
    behind: &'static str,
    names: NameEncoding,
}

/// What stands before the first word of a command.
pub(super) const FIRST: &str = "the tag";

/// A word that is expected, and what it means.
pub(super) type Words<T> = [(&'static str, T)];

impl<'a> Cursor<'a> {
    pub(super) const fn new(octets: &'a [u8], names: NameEncoding) -> Self {
        Self::behind(octets, 0, FIRST, names)
    }

    /// At a place to which another one had come.
    pub(super) const fn behind(
        octets: &'a [u8],
        at: usize,
        behind: &'static str,
        names: NameEncoding,
    ) -> Self {
        Self { octets, at, behind, names }
    }

    pub(super) const fn last_word(&self) -> &'static str {
        self.behind
    }

    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// Goes back to a place that was read already.
    pub(super) const fn back_to(&mut self, at: usize) {
        self.at = at;
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.octets.get(self.at).copied()
    }

    pub(super) fn octet_at(&self, at: usize) -> Option<u8> {
        self.octets.get(at).copied()
    }

    /// Whatever octet comes next.
    pub(super) fn any_octet(&mut self, expected: &'static str) -> Result<u8> {
        let Some(octet) = self.peek() else { return self.expected(expected) };
        self.at += 1;
        Ok(octet)
    }

    fn rest(&self) -> &'a [u8] {
        &self.octets[self.at..]
    }

    pub(super) fn expected<T>(&self, expected: &'static str) -> Result<T> {
        self.expected_at(expected, self.at)
    }

    /// The error that something else stands at a place that was read already.
    pub(super) const fn expected_at<T>(&self, expected: &'static str, at: usize) -> Result<T> {
        Err(GrammarError::Expected { expected, behind: self.behind, at })
    }

    pub(super) fn skip(&mut self, octet: u8) -> bool {
        let is_there = self.peek() == Some(octet);
        self.at += usize::from(is_there);
        is_there
    }

    /// One octet.
    pub(super) fn octet(&mut self, octet: u8, expected: &'static str) -> Result<()> {
        if self.skip(octet) { Ok(()) } else { self.expected(expected) }
    }

    /// One space (RFC 9051 §9: exactly one), where `expected` follows.
    pub(super) fn space(&mut self, expected: &'static str) -> Result<()> {
        if !self.skip(b' ') {
            return self.expected(expected);
        }
        if self.peek() == Some(b' ') { self.expected("one space only") } else { Ok(()) }
    }

    /// The end of the command.
    pub(super) fn end(&self) -> Result<()> {
        if self.at == self.octets.len() { Ok(()) } else { self.expected("the end of the command") }
    }

    fn run(&mut self, belongs: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let length = rest.iter().position(|octet| !belongs(*octet)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// The next word without consuming it; nothing of an atom is left out, so that `ALLX` is not `ALL`.
    fn next_word(&self) -> &'a [u8] {
        let rest = self.rest();
        let is_word = |octet: &u8| is_atom_char(*octet) && !matches!(octet, b'[' | b'<' | b'>');
        &rest[..rest.iter().position(|octet| !is_word(octet)).unwrap_or(rest.len())]
    }

    /// Consumes the next word where it is `word`, in any case.
    pub(super) fn word(&mut self, word: &'static str) -> bool {
        let is_there = self.next_word().eq_ignore_ascii_case(word.as_bytes());
        if is_there {
            self.at += word.len();
            self.behind = word;
        }
        is_there
    }

    /// Consumes the next word where it is one of these.
    pub(super) fn try_words<T: Copy>(&mut self, words: &Words<T>) -> Option<T> {
        let next = self.next_word();
        let (word, meaning) =
            words.iter().find(|(word, _)| next.eq_ignore_ascii_case(word.as_bytes())).copied()?;
        self.at += word.len();
        self.behind = word;
        Some(meaning)
    }

    /// One of these words.
    pub(super) fn words<T: Copy>(&mut self, words: &Words<T>, expected: &'static str) -> Result<T> {
        match self.try_words(words) {
            Some(meaning) => Ok(meaning),
            None => self.expected(expected),
        }
    }

    /// ```text
    /// tag = 1*<any ASTRING-CHAR except "+">
    /// ```
    pub(super) fn tag(&mut self) -> Option<String> {
        let tag = self.run(|octet| is_astring_char(octet) && octet != b'+');
        (!tag.is_empty()).then(|| ascii(tag))
    }

    /// ```text
    /// atom = 1*ATOM-CHAR
    /// ```
    pub(super) fn atom(&mut self, expected: &'static str) -> Result<String> {
        let atom = self.run(is_atom_char);
        if atom.is_empty() { self.expected(expected) } else { Ok(ascii(atom)) }
    }

    /// Digits, as a number of 63 bits (RFC 9051 §9 `number64`).
    pub(super) fn number64(&mut self, expected: &'static str) -> Result<u64> {
        let start = self.at;
        let digits = self.run(|octet| octet.is_ascii_digit());
        let number = digits.iter().try_fold(0_u64, |number, digit| {
            number.checked_mul(10)?.checked_add(u64::from(digit - b'0')).filter(|number| *number >> 63 == 0)
        });
        match number {
            Some(number) if !digits.is_empty() => Ok(number),
            _ => self.expected_at(expected, start),
        }
    }

    /// ```text
    /// nz-number64 = digit-nz *DIGIT
    /// ```
    pub(super) fn nz_number64(&mut self, expected: &'static str) -> Result<u64> {
        if self.peek() == Some(b'0') { self.expected(expected) } else { self.number64(expected) }
    }

    /// A number of 32 bits.
    pub(super) fn number(&mut self, expected: &'static str) -> Result<u32> {
        let start = self.at;
        u32::try_from(self.number64(expected)?).or_else(|_| self.expected_at(expected, start))
    }

    /// ```text
    /// nz-number = digit-nz *DIGIT
    /// ```
    pub(super) fn nz_number(&mut self, expected: &'static str) -> Result<u32> {
        if self.peek() == Some(b'0') { self.expected(expected) } else { self.number(expected) }
    }

    /// ```text
    /// string = quoted / literal
    /// ```
    pub(super) fn string(&mut self, expected: &'static str) -> Result<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'{') => self.literal().map(Cow::Borrowed),
            _ => self.expected(expected),
        }
    }

    /// ```text
    /// astring = 1*ASTRING-CHAR / string
    /// ```
    pub(super) fn astring(&mut self, expected: &'static str) -> Result<Cow<'a, [u8]>> {
        self.string_or_run(is_astring_char, expected)
    }

    /// A string, or a run of octets that may stand without quotes.
    pub(super) fn string_or_run(
        &mut self,
        belongs: impl Fn(u8) -> bool,
        expected: &'static str,
    ) -> Result<Cow<'a, [u8]>> {
        if matches!(self.peek(), Some(b'"' | b'{')) {
            return self.string(expected);
        }
        let run = self.run(belongs);
        if run.is_empty() { self.expected(expected) } else { Ok(Cow::Borrowed(run)) }
    }

    /// ```text
    /// nstring = string / nil
    /// ```
    pub(super) fn nstring(&mut self, expected: &'static str) -> Result<Option<Cow<'a, [u8]>>> {
        if self.word("NIL") { Ok(None) } else { self.string(expected).map(Some) }
    }

    /// An `astring` that is text.
    pub(super) fn text(&mut self, expected: &'static str) -> Result<String> {
        let start = self.at;
        let octets = self.astring(expected)?;
        String::from_utf8(octets.into_owned()).or_else(|_| self.expected_at("a string in UTF-8", start))
    }

    /// ```text
    /// mailbox = "INBOX" / astring
    /// ```
    pub(super) fn mailbox(&mut self) -> Result<MailboxName> {
        self.mailbox_as_said().map(|(mailbox, _)| mailbox)
    }

    /// The same, with what a client that writes UTF-8 wrote, where that is another name.
    pub(super) fn mailbox_as_said(&mut self) -> Result<(MailboxName, Option<MailboxName>)> {
        let behind = self.behind;
        let octets = self.astring("the name of a mailbox")?;
        let mailbox = MailboxName::parse(&octets, self.names)
            .map_err(|problem| GrammarError::Name { problem, behind })?;
        let said = match self.names {
            NameEncoding::Utf8 => String::from_utf8(octets.to_vec()).ok(),
            NameEncoding::ModifiedUtf7 => None,
        };
        let said = said.filter(|said| *said != mailbox.0).map(MailboxName);
        Ok((mailbox, said))
    }

    /// ```text
    /// list-mailbox = 1*list-char / string
    /// list-char    = ATOM-CHAR / list-wildcards / resp-specials
    /// ```
    pub(super) fn list_mailbox(&mut self) -> Result<String> {
        let behind = self.behind;
        let is_list_char = |octet| is_astring_char(octet) || matches!(octet, b'%' | b'*');
        let octets = self.string_or_run(is_list_char, "the pattern of a mailbox")?;
        let name = MailboxName::parse(&octets, self.names);
        name.map(|name| name.0).map_err(|problem| GrammarError::Name { problem, behind })
    }

    /// ```text
    /// quoted      = DQUOTE *QUOTED-CHAR DQUOTE
    /// QUOTED-CHAR = <any TEXT-CHAR except quoted-specials> / "\" quoted-specials / UTF8-2 / UTF8-3 / UTF8-4
    /// ```
    fn quoted(&mut self) -> Result<Cow<'a, [u8]>> {
        let start = self.at + 1;
        let mut content = Cow::Borrowed(&self.octets[start..start]);
        self.at = start;
        loop {
            let plain = self.run(|octet| !matches!(octet, b'"' | b'\\' | b'\r' | b'\n' | 0));
            match &mut content {
                Cow::Borrowed([]) => content = Cow::Borrowed(plain),
                _ => content.to_mut().extend_from_slice(plain),
            }
            match (self.peek(), self.octets.get(self.at + 1)) {
                (Some(b'"'), _) => break,
                (Some(b'\\'), Some(escaped @ (b'"' | b'\\'))) => content.to_mut().push(*escaped),
                (Some(b'\\'), _) => return self.expected("`\"` or `\\` behind a backslash"),
                _ => return self.expected("the end of a quoted string"),
            }
            self.at += 2;
        }
        self.at += 1;
        if std::str::from_utf8(&content).is_err() {
            return self.expected_at("a quoted string in UTF-8", start);
        }
        Ok(content)
    }

    /// ```text
    /// literal = "{" number64 ["+"] "}" CRLF *CHAR8
    /// ```
    fn literal(&mut self) -> Result<&'a [u8]> {
        let start = self.at;
        let literal = self.any_literal()?;
        if memchr::memchr(0, literal).is_some() {
            return self.expected_at("a literal without NUL", start);
        }
        Ok(literal)
    }

    /// ```text
    /// literal8 = "~{" number64 ["+"] "}" CRLF *OCTET
    /// ```
    pub(super) fn literal8(&mut self) -> Result<&'a [u8]> {
        self.octet(b'~', "a literal8")?;
        self.any_literal()
    }

    fn any_literal(&mut self) -> Result<&'a [u8]> {
        let start = self.at;
        let size = self.literal_header()?;
        let rest = self.rest();
        let Some(literal) = usize::try_from(size).ok().and_then(|size| rest.get(..size)) else {
            return Err(GrammarError::LiteralMissing(start));
        };
        self.at += literal.len();
        Ok(literal)
    }

    /// `{n}` or `{n+}`, and CRLF.
    pub(super) fn literal_header(&mut self) -> Result<u64> {
        self.octet(b'{', "a literal")?;
        let size = self.number64("the size of a literal")?;
        self.skip(b'+');
        self.octet(b'}', "`}` behind the size of a literal")?;
        self.octet(b'\r', "the end of the line behind a literal's size")?;
        self.octet(b'\n', "the end of the line behind a literal's size")?;
        Ok(size)
    }

    /// `(` what `read` reads, one space between, `)`: at least one.
    pub(super) fn list<T>(
        &mut self,
        expected: &'static str,
        mut read: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.octet(b'(', expected)?;
        let mut items = vec![read(self)?];
        while !self.skip(b')') {
            self.space("a space or `)`")?;
            items.push(read(self)?);
        }
        Ok(items)
    }

    /// As [`Self::list`], or `()`.
    pub(super) fn list_or_none<T>(
        &mut self,
        expected: &'static str,
        read: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        if self.rest().starts_with(b"()") {
            self.at += 2;
            return Ok(Vec::new());
        }
        self.list(expected, read)
    }

    /// A list in parentheses, or one of what it has.
    pub(super) fn list_or_one<T>(
        &mut self,
        expected: &'static str,
        mut read: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        if self.peek() == Some(b'(') { self.list(expected, read) } else { Ok(vec![read(self)?]) }
    }

    /// Whether a space and `(` come next: parameters of a command (RFC 4466 §2.1). Both are consumed.
    pub(super) fn parameters_follow(&mut self) -> bool {
        let follow = self.rest().starts_with(b" (");
        self.at += if follow { 2 } else { 0 };
        follow
    }

    /// Whether a space and this word come next; both are consumed.
    pub(super) fn word_follows(&mut self, word: &'static str) -> bool {
        if self.peek() != Some(b' ') {
            return false;
        }
        self.at += 1;
        let follows = self.word(word);
        self.at -= usize::from(!follows);
        follows
    }
}

/// What a UID command is about is UIDs; without UID, sequence numbers.
pub(super) const fn set_of(numbering: Numbering) -> &'static str {
    match numbering {
        Numbering::Sequence => "a set of sequence numbers",
        Numbering::Uid => "a set of UIDs",
    }
}

/// Of octets that were read as ASCII.
fn ascii(octets: &[u8]) -> String {
    octets.iter().copied().map(char::from).collect()
}
