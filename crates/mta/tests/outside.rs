//! The addresses of `From` as others read them: the cases of another parser, and all mail of the corpora.

#![allow(clippy::unwrap_used, reason = "a test that fails has to say so")]

use std::collections::BTreeSet;

use mta::header::addresses;
use mta::header::field::FieldsOf;
use types::Mailbox;

fn read(value: &str) -> Option<Vec<String>> {
    addresses(value.as_bytes()).ok().map(|found| found.iter().map(ToString::to_string).collect())
}

/// Every address in a case of the parser, in order.
fn expected(value: &serde_json::Value, out: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(object) => {
            if let Some(address) = object.get("address").and_then(|address| address.as_str()) {
                out.push(address.to_owned());
            }
            object.values().for_each(|value| expected(value, out));
        }
        serde_json::Value::Array(array) => array.iter().for_each(|value| expected(value, out)),
        _ => {}
    }
}

#[test]
fn what_is_read_at_all_is_read_as_another_parser_reads_it() {
    let Some(folder) = testdata::folder("address") else { return };
    let cases = std::fs::read_to_string(folder.join("mail-parser-address.json")).unwrap();
    let cases: Vec<serde_json::Value> = serde_json::from_str(&cases).unwrap();
    let (mut same, mut refused, mut different) = (0, Vec::new(), Vec::new());
    for case in &cases {
        let header = case["header"].as_str().unwrap();
        let mut theirs = Vec::new();
        expected(&case["expected"], &mut theirs);
        match read(header) {
            Some(ours) if ours == theirs => same += 1,
            // It keeps the obsolete forms, routes and white space, as they are: that is no address.
            Some(_) if theirs.iter().any(|address| address.parse::<Mailbox>().is_err()) => same += 0,
            Some(ours) => different.push((header, ours, theirs.clone())),
            None => refused.push(header),
        }
    }
    // An encoded word in an address is an ordinary local part (RFC 2047 §5); that parser takes it for a name.
    let different: Vec<_> = different.into_iter().map(|(header, ..)| header).collect();
    assert_eq!(different, ["< =?utf-8?q?a?=b@c.d>\n", "<=?utf-8?q?a?=b@c.d>\n"]);
    // The rest of its cases are lists of URLs, groups without an end, two addresses without a comma and the like.
    assert!(same >= 72, "{same} same, refused: {refused:#?}");
}

#[test]
fn the_authors_of_real_mail_are_read_as_another_parser_reads_them() {
    let Some(folder) = testdata::folder("mime") else { return };
    let (mut same, mut refused, mut different) = (0, BTreeSet::new(), Vec::new());
    for file in testdata::files_below(&folder) {
        let message = std::fs::read(&file).unwrap();
        let fields = FieldsOf::new(&message).filter(|field| field.is(&message, "From"));
        let values: Vec<_> = fields.map(|field| field.value(&message).to_vec()).collect();
        let [value] = &values[..] else { continue };
        let Ok(ours) = addresses(value) else {
            refused.insert(String::from_utf8_lossy(value).into_owned());
            continue;
        };
        let parsed = mail_parser::MessageParser::new().parse_headers(&message[..]);
        let theirs: Option<Vec<Mailbox>> = parsed
            .iter()
            .filter_map(|parsed| parsed.from())
            .flat_map(|from| from.iter())
            .filter_map(|address| address.address())
            .map(|address| address.parse().ok())
            .collect();
        match theirs {
            Some(theirs) if ours == theirs => same += 1,
            Some(theirs) => different.push((file, ours, theirs)),
            None => {}
        }
    }
    assert!(different.is_empty(), "{different:#?}");
    assert!(same >= 232, "{same}");
    // What is refused has no address, or two without a comma; files of XML among the corpus aside.
    refused.retain(|value| !value.contains("</field>"));
    let refused: Vec<_> = refused.iter().map(|value| value.trim()).collect();
    assert_eq!(
        refused,
        [
            "Big Bug bb@bug.com",
            "MAILER DAEMON <>",
            "foo",
            "me",
            "tim@powerupdev.com concierge@powerupdev.com",
            "user2"
        ]
    );
}
