//! Content for those who read messages themselves: what CATENATE takes of one (RFC 4469 §3).

use super::filter::{HeaderFilter, Taken};
use crate::command::{PartSection, Section, SectionText};

/// Picks fields of a header out of its octets, as `;SECTION=HEADER.FIELDS (…)` of a URL names them, and of these the part that
/// `;PARTIAL=` does.
#[derive(Debug)]
pub struct PickedFields {
    filter: HeaderFilter<Vec<String>>,
    /// Octets that are passed over still, and those that are taken then.
    skipped: u64,
    left: u64,
}

impl PickedFields {
    /// None where the section is a range of octets.
    #[must_use]
    pub fn of(section: &Section, partial: Option<(u64, Option<u64>)>) -> Option<Self> {
        let (Section::Message(text) | Section::Part(_, PartSection::Message(text))) = section else {
            return None;
        };
        let filter = match text {
            SectionText::HeaderFields(names) => HeaderFilter::new(names.clone(), Taken::Named),
            SectionText::HeaderFieldsNot(names) => HeaderFilter::new(names.clone(), Taken::Others),
            SectionText::All | SectionText::Header | SectionText::Text => return None,
        };
        let (skipped, count) = partial.unwrap_or((0, None));
        Some(Self { filter, skipped, left: count.unwrap_or(u64::MAX) })
    }

    /// The next octets of the header; gives those that are taken.
    #[must_use]
    pub fn feed(&mut self, octets: &[u8]) -> Vec<u8> {
        let mut taken = Vec::new();
        self.filter.feed(octets, &mut taken);
        self.part_of(taken)
    }

    /// There are no more; gives what is taken still.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        let mut taken = Vec::new();
        self.filter.finish(&mut taken);
        self.part_of(taken)
    }

    fn part_of(&mut self, mut octets: Vec<u8>) -> Vec<u8> {
        let skipped = usize::try_from(self.skipped).unwrap_or(usize::MAX).min(octets.len());
        octets.drain(..skipped);
        octets.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.skipped -= skipped as u64;
        self.left -= octets.len() as u64;
        octets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "Subject: one\r\n folded\r\nFrom: a@b\r\nTo: c@d\r\n\r\n";

    fn picked(text: SectionText, partial: Option<(u64, Option<u64>)>) -> String {
        let section = Section::Message(text);
        let in_pieces = |size| {
            let mut fields = PickedFields::of(&section, partial).unwrap();
            let mut taken: Vec<u8> =
                HEADER.as_bytes().chunks(size).flat_map(|piece| fields.feed(piece)).collect();
            taken.extend(fields.finish());
            String::from_utf8(taken).unwrap()
        };
        let whole = in_pieces(HEADER.len());
        (1..HEADER.len()).for_each(|size| assert_eq!(in_pieces(size), whole, "in pieces of {size}"));
        whole
    }

    #[test]
    fn fields_are_picked_and_of_them_a_part() {
        let names = || vec!["SUBJECT".to_owned(), "To".to_owned()];
        let named = "Subject: one\r\n folded\r\nTo: c@d\r\n\r\n";
        assert_eq!(picked(SectionText::HeaderFields(names()), None), named);
        assert_eq!(picked(SectionText::HeaderFieldsNot(names()), None), "From: a@b\r\n\r\n");
        assert_eq!(picked(SectionText::HeaderFields(names()), Some((9, Some(3)))), "one");
        assert_eq!(picked(SectionText::HeaderFields(names()), Some((14, None))), named[14..]);
        assert_eq!(picked(SectionText::HeaderFields(names()), Some((99, Some(1)))), "");
    }

    #[test]
    fn sections_that_are_ranges_are_not_picked() {
        let whole = [Section::Message(SectionText::Header), Section::Message(SectionText::All)];
        assert!(whole.iter().all(|section| PickedFields::of(section, None).is_none()));
    }
}
