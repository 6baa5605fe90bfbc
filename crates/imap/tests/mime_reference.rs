//! Structures beside those that other programs made of the same messages: the results of mime4j are part of the outside
//! material, as trees of parts and as the decoded content of each. ENVELOPE and BODYSTRUCTURE of some are in a golden file,
//! which `UPDATE_GOLDEN=1` rewrites.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails has to say so")]

mod mime_common;

use std::path::Path;

use imap::mime::{BodyForm, PartPath, StringForm, Structure};
use mime_common::Body;
use roxmltree::Node;

fn compare(node: Node<'_, '_>, body: &Body, at: &Reference<'_>, found: &mut Vec<String>) {
    let children: Vec<Node<'_, '_>> = node.children().filter(|child| child.is_element()).collect();
    let content = children.iter().find(|child| !child.has_tag_name("header"));
    let Some(content) = content else { return found.push("nothing in the reference".to_owned()) };
    match (content.tag_name().name(), body) {
        ("multipart", Body::Multipart { parts, .. }) => {
            // One that is shown where there are none is not there.
            let is_there = |part: &&Body| match part {
                Body::Leaf { path, .. } => at.structure.part(&PartPath(path.clone())).is_some(),
                _ => true,
            };
            let parts: Vec<&Body> = parts.iter().filter(is_there).collect();
            let expected: Vec<_> =
                content.children().filter(|child| child.has_tag_name("body-part")).collect();
            if expected.len() != parts.len() {
                found.push(format!("{} parts, not {}", parts.len(), expected.len()));
            }
            expected.iter().zip(parts).for_each(|(node, part)| compare(*node, part, at, found));
        }
        ("message", Body::Message(within)) => compare(*content, within, at, found),
        ("text-body" | "binary-body", Body::Leaf { path, .. }) => {
            let name = content.attribute("name").unwrap();
            let expected = std::fs::read(at.folder.join(name)).unwrap();
            let Some(decoded) = mime_common::content(at.structure, at.message, path) else {
                return found.push(format!("{path:?}: its encoding is not known"));
            };
            // The reference writes CRLF in text that is encoded, whatever the message has.
            if without_cr(&decoded) != without_cr(&expected) {
                found.push(format!("{path:?}: {} octets, not {} of {name}", decoded.len(), expected.len()));
            }
        }
        (expected, body) => found.push(format!("{body:?}, not {expected}")),
    }
}

struct Reference<'a> {
    folder: &'a Path,
    structure: &'a Structure,
    message: &'a [u8],
}

fn without_cr(octets: &[u8]) -> Vec<u8> {
    octets.iter().copied().filter(|octet| *octet != b'\r').collect()
}

/// Where we differ from mime4j, and why.
const DIFFERENCES: [(&str, &str); 12] = [
    ("bad-newlines-multiple-parts-base64", ENCODED_MESSAGE),
    ("base64encoded-rfc822message", ENCODED_MESSAGE),
    ("base64encoded-rfc822message-nested", ENCODED_MESSAGE),
    ("multi-2gifs-base64", ENCODED_MESSAGE),
    ("malformedHeaderStartsBody-nocrlfcrlf", HEADER_END),
    ("malformedHeaderStartsBody-noheader", HEADER_END),
    ("very-long-boundary", BOUNDARY_SPACE),
    ("weird-boundary", BOUNDARY_SPACE),
    ("very-very-long-boundary", BOUNDARY_SPACE),
    ("frag", BASE64_END),
    ("multi-frag", BASE64_END),
    ("x-gzip64", "an encoding that is not known is not taken for none"),
];
const ENCODED_MESSAGE: &str =
    "a message that is encoded has no parts that octets of the message could be (RFC 2046 §5.2.1)";
const HEADER_END: &str = "a header ends at the empty line, not at a line without a colon";
const BOUNDARY_SPACE: &str = "white space at the end of a boundary is none of it (RFC 2046 §5.1.1)";
const BASE64_END: &str = "what is left of base64 that does not end as it should is decoded";

#[test]
fn parts_and_their_content_are_what_mime4j_found() {
    let mut compared = 0;
    let mut all = Vec::new();
    for name in ["mime/mime4j-testmsgs", "mime/mimetools-testmsgs"] {
        let Some(folder) = testdata::folder(name) else { return };
        for file in testdata::files_below(&folder) {
            if file.extension().is_none_or(|extension| extension != "msg") {
                continue;
            }
            let message = std::fs::read(&file).unwrap();
            let stem = file.file_stem().unwrap().to_str().unwrap().to_owned();
            let tree = std::fs::read_to_string(folder.join(format!("{stem}_decoded.xml"))).unwrap();
            let tree = roxmltree::Document::parse(&tree).unwrap();
            let structure = Structure::of(&message);
            let mut found = Vec::new();
            let reference = Reference { folder: &folder, structure: &structure, message: &message };
            compare(tree.root_element(), &mime_common::body(&structure), &reference, &mut found);
            let explained = DIFFERENCES.iter().any(|(name, _)| *name == stem);
            match (found.is_empty(), explained) {
                (true, true) => all.push(format!("{stem}: no difference any more")),
                (false, false) => all.extend(found.iter().map(|found| format!("{stem}: {found}"))),
                _ => {}
            }
            compared += 1;
        }
    }
    assert!(compared >= 80, "{compared}");
    assert!(all.is_empty(), "{}", all.join("\n"));
}

/// Messages of every kind: addresses, charsets, continuations, nesting, and what is broken.
const GOLDEN: [&str; 30] = [
    "mime4j-testmsgs/bad-newlines-multiple-parts.msg",
    "mime4j-testmsgs/base64encoded-rfc822message.msg",
    "mime4j-testmsgs/boundary-name-clash.msg",
    "mime4j-testmsgs/ending-boundaries.msg",
    "mime4j-testmsgs/example.msg",
    "mimetools-testmsgs/2002_06_12_doublebound.msg",
    "mimetools-testmsgs/ak-0696.msg",
    "mimetools-testmsgs/german-qp.msg",
    "mimetools-testmsgs/jt-0498.msg",
    "mimetools-testmsgs/multi-frag.msg",
    "mimetools-testmsgs/x-gzip64.msg",
    "python-test_email/msg_01.txt",
    "python-test_email/msg_02.txt",
    "python-test_email/msg_05.txt",
    "python-test_email/msg_07.txt",
    "python-test_email/msg_08.txt",
    "python-test_email/msg_11.txt",
    "python-test_email/msg_14.txt",
    "python-test_email/msg_16.txt",
    "python-test_email/msg_21.txt",
    "python-test_email/msg_25.txt",
    "python-test_email/msg_28.txt",
    "python-test_email/msg_29.txt",
    "python-test_email/msg_30.txt",
    "python-test_email/msg_32.txt",
    "python-test_email/msg_35.txt",
    "python-test_email/msg_38.txt",
    "python-test_email/msg_42.txt",
    "python-test_email/msg_43.txt",
    "python-test_email/msg_45.txt",
];

#[test]
fn envelopes_and_body_structures_are_as_they_were_reviewed() {
    let Some(folder) = testdata::folder("mime") else { return };
    let mut golden = Vec::new();
    for name in GOLDEN {
        let structure = Structure::of(&std::fs::read(folder.join(name)).unwrap());
        golden.extend(format!("{name}\n").into_bytes());
        structure.write_envelope(StringForm::Ascii, &mut golden);
        golden.push(b'\n');
        structure.write_body_structure(BodyForm::BodyStructure, StringForm::Ascii, &mut golden);
        golden.extend(b"\n\n");
        // A client reads them.
        mime_common::envelope(&structure);
        mime_common::body(&structure);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mime_golden.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &golden).unwrap();
    }
    assert!(
        std::fs::read(&path).unwrap() == golden,
        "{} differs; UPDATE_GOLDEN=1 rewrites it",
        path.display()
    );
}
