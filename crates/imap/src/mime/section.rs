//! Which octets a section is (RFC 9051 §6.4.5.1).

use std::ops::Range;

use super::record::PartKind;
use super::structure::Structure;
use crate::command::{PartSection, Section, SectionText};

/// Where a section of the message itself is, from the first of `delivery_bytes` of header fields on.
pub(super) fn of_message(
    text: &SectionText,
    size_bytes: u64,
    header_bytes: u64,
    delivery_bytes: u64,
) -> Range<u64> {
    match text {
        SectionText::All => 0..delivery_bytes + size_bytes,
        SectionText::Text => delivery_bytes + header_bytes..delivery_bytes + size_bytes,
        _ => 0..delivery_bytes + header_bytes,
    }
}

impl Structure {
    /// Where the octets of a section are, from the first of the delivery's own `delivery_bytes` of header fields on: they
    /// belong to the message as its mailbox has it. Of some header fields only it is the header that they are taken of. None
    /// where the message has no such section.
    #[must_use]
    pub fn section(&self, section: &Section, delivery_bytes: u64) -> Option<Range<u64>> {
        let behind = |range: Range<u64>| range.start + delivery_bytes..range.end + delivery_bytes;
        match section {
            Section::Message(text) => {
                Some(of_message(text, self.size_bytes, self.header_bytes, delivery_bytes))
            }
            Section::Part(path, within) => {
                let Some(part) = self.part(path) else {
                    return self.is_stand_in(path, within).then_some(0..0);
                };
                let range = match within {
                    PartSection::Content => part.body(),
                    PartSection::Mime => part.header(),
                    PartSection::Message(text) => {
                        let message = part.message_part()?;
                        match text {
                            SectionText::All => part.body(),
                            SectionText::Text => message.body(),
                            _ => message.header(),
                        }
                    }
                };
                Some(behind(range))
            }
        }
    }

    /// Whether it is the empty part that BODYSTRUCTURE shows in a multipart that has none.
    fn is_stand_in(&self, path: &super::PartPath, within: &PartSection) -> bool {
        let Some((1, of)) = path.0.split_last() else { return false };
        let multipart = match of {
            [] => Some(self.root()),
            _ => self.part(&super::PartPath(of.to_vec())).map(|part| part.message_part().unwrap_or(part)),
        };
        *within == PartSection::Content
            && multipart.is_some_and(|part| {
                part.record().kind == PartKind::Multipart && part.record().end as usize == part.at + 1
            })
    }
}
