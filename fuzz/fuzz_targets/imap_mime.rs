#![no_main]
//! Structures of messages: whatever comes, they do not depend on the pieces in which it comes, lead to octets of the message
//! alone, survive the store, and have no more parts than they may. What lists show, and what is searched and sorted by, is read as
//! it was made.

use imap::mime::{BodyForm, ListText, StringForm, Structure, StructureLimits, StructureParser, Summary};
use imap::search::{HeaderFacts, make_header_facts};
use libfuzzer_sys::fuzz_target;

/// A text of lists that is longer is not kept.
const LIST_TEXT_BYTES_MAX: usize = 16 << 10;

/// Octets of the longer one of both forms.
fn both(write: impl Fn(StringForm, &mut Vec<u8>)) -> usize {
    let lengths = [StringForm::Ascii, StringForm::Utf8].map(|form| {
        let mut out = Vec::new();
        write(form, &mut out);
        assert!(!out.contains(&0));
        out.len()
    });
    lengths[0].max(lengths[1])
}

fuzz_target!(|octets: &[u8]| {
    let Some((size, message)) = octets.split_first() else { return };
    let structure = Structure::of(message);
    let mut parser = StructureParser::new(StructureLimits::default());
    message.chunks(usize::from(*size).max(1)).for_each(|piece| parser.feed(piece));
    assert_eq!(parser.finish(), structure);
    assert_eq!(Structure::from_bytes(&structure.to_bytes()).as_ref(), Some(&structure));
    assert_eq!(structure.size_bytes, message.len() as u64);
    assert!(structure.parts().count() <= StructureLimits::default().parts_max);
    for part in structure.parts() {
        assert!(part.header().end <= part.body().start && part.body().end <= structure.size_bytes);
        assert_eq!(structure.part(&part.path()).map(|found| found.body()), Some(part.body()));
    }
    let is_kept = |text| Summary::default().with(text, &structure.list_row(text).into()).is_some();
    assert!(is_kept(ListText::Fields));
    let envelopes = both(|form, out| structure.write_envelope(form, out));
    assert_eq!(is_kept(ListText::Envelope), envelopes <= LIST_TEXT_BYTES_MAX);
    let parts = both(|form, out| structure.write_body_structure(BodyForm::BodyStructure, form, out));
    assert_eq!(is_kept(ListText::BodyStructure), parts <= LIST_TEXT_BYTES_MAX);
    let header = &message[..usize::try_from(structure.header_bytes).unwrap_or(usize::MAX).min(message.len())];
    let facts = make_header_facts(header, &structure);
    assert!(HeaderFacts::from_bytes(&facts).is_some());
    drop(Structure::from_bytes(octets));
    for text in ListText::ALL {
        drop(Summary::default().with(text, &octets.to_vec().into()));
    }
    if let Some(facts) = HeaderFacts::from_bytes(octets) {
        assert!(facts.references().count() <= octets.len());
    }
});
