//! The address cases of isemail (tests.xml and tests-original.xml) against `Mailbox`.
//!
//! isemail reads RFC 5322 addresses and sorts them into categories; an address may stand in an envelope where its
//! category says that it is valid, valid but for DNS, or valid with elements that are unusual in SMTP. Where
//! Posta says otherwise, `docs/addresses.md` has a row that says why, and there is no other row.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]

use std::collections::BTreeMap;
use std::path::Path;

use types::Mailbox;

const FILES: [(&str, usize); 2] = [("tests.xml", 164), ("tests-original.xml", 279)];

/// A difference: where the case is, the address, isemail's verdict and ours.
type Row = (String, [String; 3]);

struct Case {
    /// For example `tests.xml 32`.
    name: String,
    /// Without the stand-ins for control characters.
    address: String,
    /// As isemail has it.
    written: String,
    diagnosis: String,
    category: String,
}

#[test]
fn verdicts_differ_from_isemails_exactly_where_the_document_says_so() {
    let Some(folder) = testdata::folder("address") else { return };
    let meta = std::fs::read_to_string(folder.join("meta.xml")).unwrap();
    let smtp_valid = valid_for_smtp(&meta);
    let mut found = BTreeMap::new();
    for (file, count) in FILES {
        let cases = cases(file, &std::fs::read_to_string(folder.join(file)).unwrap());
        assert_eq!(cases.len(), count, "{file}");
        for case in cases {
            let ours = case.address.parse::<Mailbox>();
            if ours.is_ok() != smtp_valid(&case) {
                let verdict = match ours {
                    Ok(_) => "taken".to_owned(),
                    Err(error) => format!("refused: {error}"),
                };
                found.insert(case.name, [case.written, case.diagnosis, verdict]);
            }
        }
    }
    let documented: BTreeMap<_, _> = documented_rows().into_iter().collect();
    assert_eq!(found, documented, "left is what the tests found, right is the table in docs/addresses.md");
}

/// What isemail's diagnoses mean for an envelope, from their category in `meta.xml`: some cases carry another
/// category than their diagnosis has there.
fn valid_for_smtp(meta: &str) -> impl Fn(&Case) -> bool {
    let meta = roxmltree::Document::parse(meta).unwrap();
    let diagnoses = meta.descendants().find(|node| node.has_tag_name("Diagnoses")).unwrap();
    let categories: BTreeMap<String, String> = diagnoses
        .children()
        .filter(|node| node.has_tag_name("item"))
        .map(|item| (item.attribute("id").unwrap().to_owned(), child(item, "category")))
        .collect();
    assert_eq!(categories.len(), 52, "the diagnoses of meta.xml");
    move |case| {
        let category = &categories[&case.diagnosis];
        // RFC 5321 §4.1.3 deprecates `::` for one group, but RFC 4291 §2.2 has it, and both must be read: isemail
        // says so in the description of this diagnosis.
        let is_deprecated_ipv6 = case.diagnosis == "ISEMAIL_RFC5321_IPV6DEPRECATED";
        assert!(is_deprecated_ipv6 || category == &case.category, "{}", case.name);
        is_deprecated_ipv6
            || ["ISEMAIL_VALID_CATEGORY", "ISEMAIL_DNSWARN", "ISEMAIL_RFC5321"].contains(&category.as_str())
    }
}

fn cases(file: &str, source: &str) -> Vec<Case> {
    let document = roxmltree::Document::parse(source).unwrap();
    let tests = document.descendants().filter(|node| node.has_tag_name("test"));
    let case = |test: roxmltree::Node<'_, '_>| {
        let written = child(test, "address");
        Case {
            name: format!("{file} {}", test.attribute("id").unwrap()),
            address: written.chars().map(control_character).collect(),
            written,
            diagnosis: child(test, "diagnosis"),
            category: child(test, "category"),
        }
    };
    tests.map(case).collect()
}

/// U+2400 and up stand for the control characters.
fn control_character(c: char) -> char {
    match c as u32 {
        symbol @ 0x2400..=0x241F => char::from_u32(symbol - 0x2400).unwrap(),
        _ => c,
    }
}

fn child(node: roxmltree::Node<'_, '_>, name: &str) -> String {
    let child = node.children().find(|child| child.has_tag_name(name)).expect(name);
    child.text().unwrap_or_default().to_owned()
}

/// The rows of the table below the heading that names isemail.
fn documented_rows() -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/addresses.md");
    let document = std::fs::read_to_string(path).unwrap();
    let section = document.split("\n## ").find(|section| section.starts_with("isemail")).unwrap();
    let lines = section.lines().filter(|line| line.starts_with('|')).skip(2);
    lines
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            let [case, address, isemail, ours, why] = cells[..] else { panic!("five cells: {line}") };
            assert!(why.contains("RFC "), "the reason names its RFC: {line}");
            let plain = |cell: &str| cell.trim_matches('`').to_owned();
            (case.to_owned(), [plain(address), plain(isemail), ours.to_owned()])
        })
        .collect()
}
