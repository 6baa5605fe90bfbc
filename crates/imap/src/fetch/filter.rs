//! HEADER.FIELDS and HEADER.FIELDS.NOT: some fields of a header (RFC 9051 §6.4.5.1).

use std::ops::Deref;

use crate::mime::fields::name_of;

/// Which fields are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// HEADER.FIELDS
    Named,
    /// HEADER.FIELDS.NOT
    Others,
}

/// Takes fields of a header that comes in pieces of any size. The empty line at its end is taken too; a line that is none of
/// a field has no name.
#[derive(Debug, Clone)]
pub(crate) struct HeaderFilter<N> {
    names: N,
    taken: Taken,
    state: State,
    /// The beginning of a line, until it is known which field it is.
    held: Vec<u8>,
    /// Whether the field that was last is taken; lines that it is folded into are as it is.
    is_taken: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// What is held tells which field it is.
    Begins,
    /// The rest of a line.
    Within,
    /// The empty line has come.
    Over,
}

/// Octets of the beginning of a line that are looked at for a colon.
const HELD_MAX: usize = 1000;

impl<T: AsRef<str>, N: Deref<Target = [T]>> HeaderFilter<N> {
    pub(crate) fn new(names: N, taken: Taken) -> Self {
        Self { names, taken, state: State::Begins, held: Vec::new(), is_taken: false }
    }

    pub(crate) fn feed(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        let mut rest = octets;
        while !rest.is_empty() && self.state != State::Over {
            let len = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
            let (piece, behind) = rest.split_at(len);
            rest = behind;
            let ends = piece.ends_with(b"\n");
            if self.state == State::Within {
                if self.is_taken {
                    out.extend_from_slice(piece);
                }
            } else if ends && self.held.is_empty() {
                self.decide(piece, out);
            } else {
                self.held.extend_from_slice(piece);
                if !ends && self.held.len() < HELD_MAX {
                    return;
                }
                self.decide_held(out);
            }
            if self.state != State::Over {
                self.state = if ends { State::Begins } else { State::Within };
            }
        }
    }

    /// The header is over, without an empty line perhaps.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        if !self.held.is_empty() {
            self.decide_held(out);
        }
        self.state = State::Over;
    }

    fn decide_held(&mut self, out: &mut Vec<u8>) {
        let mut line = std::mem::take(&mut self.held);
        self.decide(&line, out);
        line.clear();
        self.held = line;
    }

    /// `line` is one, or the beginning of a long one.
    fn decide(&mut self, line: &[u8], out: &mut Vec<u8>) {
        if matches!(line, b"\r\n" | b"\n") {
            self.state = State::Over;
            self.is_taken = true;
        } else if !matches!(line.first(), Some(b' ' | b'\t')) {
            let line = &line[..line.len().min(HELD_MAX)];
            let is_named = self.names.iter().any(|name| is_of(line, name.as_ref().as_bytes()));
            self.is_taken = is_named == (self.taken == Taken::Named);
        }
        if self.is_taken {
            out.extend_from_slice(line);
        }
    }
}

/// Whether a line is of a field of that name, in any case. Most lines differ from most names in their first letter.
fn is_of(line: &[u8], name: &[u8]) -> bool {
    let lower = |octets: &[u8]| octets.first().map(u8::to_ascii_lowercase);
    let may_be = lower(line) == lower(name)
        && line.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name));
    may_be && name_of(line).is_some_and(|found| found.len() == name.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str =
        "Subject: one\r\n folded\r\nFrom : a@b\r\nnot a field\r\n\tfolded\r\nsubject: two\r\n\r\nbody";

    fn filtered(names: &[&str], taken: Taken) -> String {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let in_pieces = |size| {
            let mut filter = HeaderFilter::new(names.clone(), taken);
            let mut out = Vec::new();
            HEADER.as_bytes().chunks(size).for_each(|piece| filter.feed(piece, &mut out));
            filter.finish(&mut out);
            String::from_utf8(out).unwrap()
        };
        let whole = in_pieces(HEADER.len());
        (1..HEADER.len()).for_each(|size| assert_eq!(in_pieces(size), whole, "in pieces of {size}"));
        whole
    }

    #[test]
    fn fields_are_taken_with_their_folded_lines_and_the_empty_line() {
        assert_eq!(filtered(&["SUBJECT"], Taken::Named), "Subject: one\r\n folded\r\nsubject: two\r\n\r\n");
        assert_eq!(filtered(&["subject"], Taken::Others), "From : a@b\r\nnot a field\r\n\tfolded\r\n\r\n");
        assert_eq!(filtered(&["from"], Taken::Named), "From : a@b\r\n\r\n");
        assert_eq!(filtered(&["x"], Taken::Named), "\r\n");
    }

    #[test]
    fn a_header_without_an_empty_line_gets_none() {
        let mut filter = HeaderFilter::new(vec!["a".to_owned()], Taken::Named);
        let mut out = Vec::new();
        filter.feed(b"a: b", &mut out);
        filter.finish(&mut out);
        assert_eq!(out, b"a: b");
    }
}
