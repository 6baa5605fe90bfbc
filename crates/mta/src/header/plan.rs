//! What of a header section stays, and what is added.

use std::ops::Range;

use super::field::FieldsOf;

/// What becomes of a header section: the added fields, then the ranges of it that are kept, in order. Ranges that
/// touch are one, so that a header section from which nothing is taken is one range.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Fields to put on top, each line ended by CRLF.
    pub add: String,
    /// What of the section stays, its empty line among it.
    pub keep: Vec<Range<usize>>,
}

impl Plan {
    pub(super) fn keep(&mut self, range: Range<usize>) {
        match self.keep.last_mut() {
            _ if range.is_empty() => {}
            Some(last) if last.end == range.start => last.end = range.end,
            _ => self.keep.push(range),
        }
    }

    /// The header section as it becomes.
    #[must_use]
    pub fn apply(&self, header: &[u8]) -> Vec<u8> {
        let kept = self.keep.iter().filter_map(|range| header.get(range.clone()));
        self.add.as_bytes().iter().chain(kept.flatten()).copied().collect()
    }

    /// Whether nothing changes.
    #[must_use]
    pub fn is_unchanged(&self, header: &[u8]) -> bool {
        let is_whole = match &self.keep[..] {
            [range] => *range == (0..header.len()),
            ranges => ranges.is_empty() && header.is_empty(),
        };
        is_whole && self.add.is_empty()
    }
}

/// The plan that takes off each field of these names and puts `add` on top: what a list does to its copies. `header`
/// is the header section with its empty line; what follows that is kept too.
#[must_use]
pub fn without(header: &[u8], names: &[&str], add: String) -> Plan {
    let mut plan = Plan { add, keep: Vec::new() };
    let mut end = 0;
    for field in FieldsOf::new(header) {
        end = field.range.end;
        if !names.iter().any(|name| field.is(header, name)) {
            plan.keep(field.range);
        }
    }
    plan.keep(end..header.len());
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_taken_off_with_their_folded_lines_and_others_put_on_top() {
        let header = b"A: 1\r\nList-Id: x\r\n <y>\r\nLIST-POST : z\r\nB: 2\r\n\r\nList-Id: body";
        let plan = without(header, &["List-Id", "List-Post"], "X: new\r\n".to_owned());
        assert_eq!(plan.apply(header), b"X: new\r\nA: 1\r\nB: 2\r\n\r\nList-Id: body");
        assert_eq!(plan.keep.len(), 2);
        assert!(!plan.is_unchanged(header));
    }

    #[test]
    fn a_header_section_that_stays_is_one_range() {
        for header in [&b"A: 1\r\nB: 2\r\n\r\n"[..], b"", b"\r\n", b"no field"] {
            let plan = without(header, &["C"], String::new());
            assert!(plan.is_unchanged(header) && plan.keep.len() <= 1);
            assert_eq!(plan.apply(header), header);
        }
    }
}
