#![no_main]
//! Structures of messages: whatever comes, they do not depend on the pieces in which it comes, lead to octets of the message
//! alone, survive the store, and have no more parts than they may.

use imap::mime::{BodyForm, StringForm, Structure, StructureLimits, StructureParser};
use libfuzzer_sys::fuzz_target;

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
    let mut out = Vec::new();
    structure.write_envelope(StringForm::Utf8, &mut out);
    structure.write_body_structure(BodyForm::BodyStructure, StringForm::Ascii, &mut out);
    assert!(!out.contains(&0));
    drop(Structure::from_bytes(octets));
});
