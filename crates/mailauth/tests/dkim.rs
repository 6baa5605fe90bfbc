//! DKIM signatures that others made, and what is refused of them (RFC 6376, RFC 8301, RFC 8463).

#![allow(clippy::unwrap_used, reason = "a test that fails has to say so")]

mod common;

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::{Zone, run};
use mailauth::dkim::{
    BodyHasher, DkimProblem, DkimResult, SIGNATURES_MAX, Signatures, Signer, SigningKey, Verified,
};
use mailauth::fields;
use types::dns::DnsTrouble;
use types::{Domain, Timestamp};

/// After all of the messages, before the signatures of any that has an end are over.
const NOW_S: u64 = 1_667_862_801;

#[test]
fn messages_with_their_keys_verify_in_every_signature() {
    let Some(folder) = testdata::folder("dkim") else { return };
    for number in 1..=6 {
        let text = read(folder.join(format!("mail-auth/{number:03}.txt")));
        let (records, message) = text.split_once("\n\n").unwrap();
        let records: Vec<(&str, &str)> = records.lines().filter_map(|line| line.split_once(' ')).collect();
        let found = verify(&Zone::with_texts(&records), message.as_bytes());
        assert!(!found.is_empty());
        assert!(found.iter().all(|found| found.result == DkimResult::Pass), "{number}: {found:?}");
    }
}

#[test]
fn mail_of_gmail_verifies() {
    let Some(folder) = testdata::folder("dkim/mimekit") else { return };
    let zone = gmail(&folder);
    for name in ["gmail.msg", "multipart-no-end-boundary.msg", "related.msg", "../dkimpy/test2.message"] {
        let found = verify(&zone, read(folder.join(name)).as_bytes());
        assert_eq!(results(&found), [DkimResult::Pass], "{name}: {found:?}");
        assert_eq!((found[0].domain.as_str(), found[0].rsa_bits), ("gmail.com", Some(2048)), "{name}");
        assert!(!found[0].is_weak());
    }
}

#[test]
fn the_example_of_rfc_8463_verifies_with_both_keys() {
    let Some(folder) = testdata::folder("dkim") else { return };
    let found = verify(&football(), read(folder.join("mimekit/rfc8463-example.msg")).as_bytes());
    assert_eq!(results(&found), [DkimResult::Pass, DkimResult::Pass]);
    assert_eq!((found[0].rsa_bits, found[1].rsa_bits), (None, Some(1024)));
    assert_eq!((found[0].is_weak(), found[1].is_weak()), (false, true));
    assert_eq!(found[0].identity.as_deref(), Some("@football.example.com"));
    assert_eq!(found[0].prefix, "/gCrinpc");
}

#[test]
fn messages_of_dkimpy_verify() {
    let Some(folder) = testdata::folder("dkim/dkimpy") else { return };
    for (name, count) in [("rfc6376.signed.msg", 2), ("rfc6376.signed.rsa.msg", 1)] {
        let found = verify(&football(), read(folder.join(name)).as_bytes());
        assert_eq!(results(&found), vec![DkimResult::Pass; count], "{name}: {found:?}");
    }
    // A signature whose time was taken out of it.
    let found = verify(&football(), read(folder.join("rfc6376.signed.no_t.msg")).as_bytes());
    assert_eq!(found[0].problem, Some(DkimProblem::Signature));
    let exim = Zone::with_texts(&[("sed._domainkey.test.ex", &read(folder.join("eximtest.dns")))]);
    let found = verify(&exim, read(folder.join("ed25519test2.msg")).as_bytes());
    assert_eq!(results(&found), [DkimResult::Pass], "{found:?}");
}

#[test]
fn a_domain_with_a_comment_in_it_is_none() {
    let Some(folder) = testdata::folder("dkim/dkimpy") else { return };
    let zone = Zone::with_texts(&[("test._domainkey.legitimate.com", &read(folder.join("test.txt")))]);
    let found = verify(&zone, read(folder.join("test.message.baddomain")).as_bytes());
    assert_eq!(found[0].problem, Some(DkimProblem::Malformed("a domain that is none")));
    assert_eq!((found[0].result, found[0].domain.as_str()), (DkimResult::Neutral, ""));
    assert!(zone.asked.lock().unwrap().is_empty());
}

#[test]
fn keys_that_are_not_for_the_signature_do_not_verify_it() {
    let Some(folder) = testdata::folder("dkim/dkimpy") else { return };
    let message = read(folder.join("rfc6376.signed.rsa.msg"));
    let good = read(folder.join("test.txt"));
    let key = |text: &str| {
        let zone = Zone::with_texts(&[("test._domainkey.football.example.com", text)]);
        let found = verify(&zone, message.as_bytes());
        (found[0].result, found[0].problem.clone())
    };
    assert_eq!(key(&good), (DkimResult::Pass, None));
    let wrong = |what| (DkimResult::PermError, Some(DkimProblem::WrongKey(what)));
    let malformed = |what| (DkimResult::PermError, Some(DkimProblem::MalformedKey(what)));
    assert_eq!(key(&read(folder.join("badk.txt"))), wrong("it is of another type"));
    assert_eq!(key(&read(folder.join("badversion.txt"))), malformed("it is of another version"));
    assert_eq!(key(&read(folder.join("test_tlsrpt.txt"))), wrong("it is not for mail"));
    assert_eq!(key(&read(folder.join("test_bad.txt"))).0, DkimResult::PermError);
    assert_eq!(key(&good.replace("k=rsa", "k=rsa; h=sha1")), wrong("its hashes are others"));
    assert_eq!(key(&good.replace("k=rsa", "h=sha1:sha256; s=*:tlsrpt")), (DkimResult::Pass, None));
    assert_eq!(key("v=DKIM1; p="), (DkimResult::PermError, Some(DkimProblem::Revoked)));
    assert_eq!(key("v=DKIM1"), malformed("there is no key in it"));
    assert_eq!(key("p=AAAA"), malformed("what is in it is no key"));
    assert_eq!(key("p=MIIBIjA"), malformed("what is in it is no key"));
    assert_eq!(key("p=!"), malformed("it is not base64"));
    assert_eq!(key(&format!("{good};n={}", "x".repeat(9000))), malformed("it is too long"));
    assert_eq!(key(&short_key()), (DkimResult::Policy, Some(DkimProblem::ShortKey(512))));
}

#[test]
fn keys_may_be_written_in_either_form() {
    let Some(folder) = testdata::folder("dkim/dkimpy") else { return };
    let pem = read(folder.join("2048_testkey.key"));
    let signed = signed_by(&SigningKey::rsa_from_pem(&pem).unwrap(), MESSAGE);
    for name in ["2048_testkey_wo_markers.pub.txt", "2048_testkey_wo_markers.pub.rsa.txt"] {
        let zone = Zone::with_texts(&[("sel._domainkey.example.org", &read(folder.join(name)))]);
        let found = verify(&zone, signed.as_bytes());
        assert_eq!((found[0].result, found[0].rsa_bits), (DkimResult::Pass, Some(2048)), "{name}");
    }
}

#[test]
fn where_the_key_is_not_there_or_the_dns_does_not_answer_is_told_apart() {
    let Some(folder) = testdata::folder("dkim/dkimpy") else { return };
    let message = read(folder.join("rfc6376.signed.rsa.msg"));
    let name = "test._domainkey.football.example.com";
    let found = verify(&Zone::default(), message.as_bytes());
    assert_eq!(found[0].result, DkimResult::PermError);
    assert_eq!(found[0].problem, Some(DkimProblem::NoKey(name.to_owned())));
    let mut zone = Zone::default();
    zone.node(name).times_out = true;
    let found = verify(&zone, message.as_bytes());
    assert_eq!(found[0].result, DkimResult::TempError);
    assert_eq!(found[0].problem, Some(DkimProblem::NoAnswer(DnsTrouble::TimedOut)));
}

#[test]
fn what_is_signed_verifies_and_what_is_changed_does_not() {
    for key in keys() {
        let zone = zone_of(&key);
        let signed = signed_by(&key, MESSAGE);
        let result = |message: &str| verify(&zone, message.as_bytes())[0].problem.clone();
        assert_eq!(result(&signed), None, "{signed}");
        assert_eq!(result(&signed.replace("Subject: Lunch ", "subject:\r\n\tLunch")), None);
        assert_eq!(result(&format!("{signed}\r\n \r\n")), None);
        assert_eq!(result(&signed.replace("noon", "one")), Some(DkimProblem::BodyHash));
        assert_eq!(result(&signed.replace("Lunch", "Dinner")), Some(DkimProblem::Signature));
        assert_eq!(result(&signed.replace("t=1667862801", "t=1667862800")), Some(DkimProblem::Signature));
    }
}

/// A golden file, which dkimpy verifies with the keys in it. `UPDATE_GOLDEN=1` writes it anew.
#[test]
fn what_is_signed_is_what_others_verify() {
    if testdata::folder("dkim").is_none() {
        return;
    }
    let [rsa, ed25519] = keys();
    let domain: Domain = "example.org".parse().unwrap();
    let with_rsa = sign(&Signer::new(&domain, "rsa", &rsa).unwrap(), MESSAGE);
    let (field, _) = with_rsa.split_once("From: ").unwrap();
    let with_both = sign(&Signer::new(&domain, "ed", &ed25519).unwrap().valid_for(1_000_000_000), MESSAGE);
    let records =
        [("rsa", rsa), ("ed", ed25519)].map(|(name, key)| format!("{name} {}\n", key.record().unwrap()));
    let golden = format!("{}\n{field}{with_both}", records.concat());
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/signed-by-posta.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &golden).unwrap();
    }
    assert_eq!(golden, read(path));
}

#[test]
fn nobody_adds_a_second_field_of_those_that_a_reader_sees() {
    for key in keys() {
        let zone = zone_of(&key);
        let signed = signed_by(&key, MESSAGE);
        for name in
            ["From", "Subject", "To", "Cc", "Date", "Reply-To", "Content-Type", "Message-ID", "References"]
        {
            let above = format!("{name}: something else\r\n{signed}");
            let below = signed.replacen("\r\n\r\n", &format!("\r\n{name}: something else\r\n\r\n"), 1);
            for message in [above, below] {
                let found = verify(&zone, message.as_bytes());
                assert_eq!(found[0].problem, Some(DkimProblem::Signature), "{name}");
            }
        }
    }
}

#[test]
fn a_signature_has_its_time() {
    let [_, key] = keys();
    let zone = zone_of(&key);
    let domain: Domain = "example.org".parse().unwrap();
    let signer = Signer::new(&domain, "sel", &key).unwrap().valid_for(60);
    let signed = sign(&signer, MESSAGE);
    let at = |seconds| verify_at(&zone, signed.as_bytes(), seconds)[0].problem.clone();
    assert_eq!(at(NOW_S), None);
    assert_eq!(at(NOW_S + 59), None);
    assert_eq!(at(NOW_S + 60), Some(DkimProblem::Expired));
    assert_eq!(at(NOW_S - 3600), None);
    assert_eq!(at(NOW_S - 3601), Some(DkimProblem::NotYet));
}

#[test]
fn tags_that_make_no_signature_are_refused_before_the_dns_is_asked() {
    let [_, key] = keys();
    let zone = zone_of(&key);
    let signed = signed_by(&key, MESSAGE);
    for (from, to, result) in [
        ("v=1", "v=2", DkimResult::Neutral),
        ("v=1; ", "", DkimResult::Neutral),
        ("a=ed25519-sha256", "a=rsa-sha1", DkimResult::Policy),
        ("a=ed25519-sha256", "a=none", DkimResult::Neutral),
        ("c=relaxed/relaxed", "c=nofws", DkimResult::Neutral),
        ("h=from:from", "h=to", DkimResult::Neutral),
        ("bh=", "bh=AAAA; z=", DkimResult::Neutral),
        ("s=sel", "s=a..b", DkimResult::Neutral),
        ("d=example.org", "d=example.org; d=example.org", DkimResult::Neutral),
        ("t=1667862801", "t=soon", DkimResult::Neutral),
        ("t=1667862801", "t=1667862801; x=1667862801", DkimResult::Neutral),
        ("t=1667862801", "l=-1", DkimResult::Neutral),
        ("t=1667862801", "q=http", DkimResult::Neutral),
    ] {
        assert!(signed.contains(from), "{from}");
        let found = verify(&zone, signed.replacen(from, to, 1).as_bytes());
        assert_eq!(found[0].result, result, "{from} {to} {found:?}");
    }
    assert!(zone.asked.lock().unwrap().is_empty());
}

#[test]
fn an_identity_elsewhere_is_refused_and_one_below_unless_the_key_is_strict() {
    let [_, key] = keys();
    let signed = signed_by(&key, MESSAGE);
    let record = key.record().unwrap();
    let strict = record.replace("v=DKIM1;", "v=DKIM1; t=s:y;");
    let problem = |record: &str, identity: &str| {
        let zone = Zone::with_texts(&[("sel._domainkey.example.org", record)]);
        let signed = signed.replace("s=sel;", &format!("s=sel; i={identity};"));
        let found = verify(&zone, signed.as_bytes());
        assert_eq!(found[0].is_testing, record.contains("t=s:y"));
        found[0].problem.clone()
    };
    // The tag was not signed, so that a signature that is asked for its identity fails later.
    for identity in ["joe@example.org", "@sub.example.org", "@EXAMPLE.org"] {
        assert_eq!(problem(&record, identity), Some(DkimProblem::Signature), "{identity}");
    }
    for identity in
        ["@example.com", "@badexample.org", "example.org", "@org", "@", "a@example.org@example.com"]
    {
        assert_eq!(problem(&record, identity), Some(DkimProblem::Identity), "{identity}");
    }
    assert_eq!(problem(&strict, "@sub.example.org"), Some(DkimProblem::Identity));
    assert_eq!(problem(&strict, "@example.org"), Some(DkimProblem::Signature));
}

/// RFC 8616 §5.
#[test]
fn domains_that_are_not_ascii_are_asked_for_by_their_a_labels() {
    let [_, key] = keys();
    let zone = zone_of(&key);
    let signed =
        signed_by(&key, MESSAGE).replace("d=example.org", "d=Bücher.example").replace("s=sel", "s=sél");
    let found = verify(&zone, signed.as_bytes());
    assert_eq!(
        (found[0].domain.as_str(), found[0].selector.as_str()),
        ("xn--bcher-kva.example", "xn--sl-bja")
    );
    assert_eq!(*zone.asked.lock().unwrap(), ["xn--sl-bja._domainkey.xn--bcher-kva.example"]);
}

#[test]
fn octets_behind_the_signed_length_make_a_signature_that_passes_no_policy() {
    let Some(folder) = testdata::folder("dkim") else { return };
    let zone = Zone::with_texts(&[("test._domainkey.example.org", &read(folder.join("dkimpy/test.txt")))]);
    let message = include_str!("data/signed-with-length.eml");
    let problem = |message: &str| verify_at(&zone, message.as_bytes(), 1_900_000_000)[0].problem.clone();
    assert_eq!(problem(message), None);
    assert_eq!(problem(&format!("{message}More.\r\n")), Some(DkimProblem::Unsigned(7)));
    assert_eq!(problem(message.strip_suffix("Joe\r\n").unwrap()), Some(DkimProblem::TooShort));
    assert_eq!(problem(&message.replace("noon", "once")), Some(DkimProblem::BodyHash));
    let over = message.replace("; l=", "; l=9999999999999999999");
    assert_eq!(problem(&over), Some(DkimProblem::TooShort));
}

#[test]
fn of_a_hundred_signatures_ten_are_looked_at_and_one_key_is_asked_for_once() {
    let [_, key] = keys();
    let zone = zone_of(&key);
    let signed = signed_by(&key, MESSAGE);
    let (field, _) = signed.split_once("\r\nFrom").unwrap();
    let message = format!("{field}\r\n").repeat(99) + &signed;
    let header = message.split("\r\n\r\n").next().unwrap();
    let signatures = Signatures::read(&fields(header.as_bytes()), now(NOW_S));
    assert_eq!(signatures.unread(), 90);
    let found = verify(&zone, message.as_bytes());
    assert_eq!(results(&found), [DkimResult::Pass; SIGNATURES_MAX]);
    assert_eq!(zone.asked.lock().unwrap().len(), 1);
}

#[test]
fn a_body_may_come_in_pieces_of_any_length() {
    let Some(folder) = testdata::folder("dkim") else { return };
    let message = crlf(&read(folder.join("mimekit/related.msg")));
    let (header, body) = message.split_once("\r\n\r\n").unwrap();
    let header = format!("{header}\r\n");
    let fields = fields(header.as_bytes());
    let signatures = Signatures::read(&fields, now(NOW_S));
    let keys = run(signatures.keys(&gmail(&folder.join("mimekit"))));
    for length in [1, 2, 3, 7, 4095, 4096, 4097] {
        let mut hasher = BodyHasher::new(signatures.forms());
        body.as_bytes().chunks(length).for_each(|piece| hasher.push(piece));
        assert_eq!(results(&signatures.verify(&keys, &hasher.finish())), [DkimResult::Pass], "{length}");
    }
}

/// Empty, of white space alone, without an end of the last line, of octets that are no text; all simple and all relaxed.
/// Left out is white space at the end of a last line without a line end: dkimpy keeps it, RFC 6376 §3.4.4 does not.
#[test]
fn odd_bodies_have_the_hashes_that_dkimpy_finds() {
    let Some(folder) = testdata::folder("dkim/dkimpy") else { return };
    let zone = Zone::with_texts(&[("test._domainkey.example.org", &read(folder.join("test.txt")))]);
    let messages: Vec<&[u8]> =
        include_bytes!("data/odd-bodies.txt").split(|octet| *octet == b'\x0c').collect();
    assert_eq!(messages.len(), 30);
    for message in messages {
        let header_ends = message.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        let (header, body) = message.split_at(header_ends);
        let signatures = Signatures::read(&fields(header), now(1_900_000_000));
        let keys = run(signatures.keys(&zone));
        for length in [1, 2, 100] {
            let mut hasher = BodyHasher::new(signatures.forms());
            body.chunks(length).for_each(|piece| hasher.push(piece));
            let found = signatures.verify(&keys, &hasher.finish());
            assert_eq!(results(&found), [DkimResult::Pass], "{} {found:?}", body.escape_ascii());
        }
    }
}

#[test]
fn the_hashes_of_empty_bodies_are_those_of_rfc_6376() {
    let [_, key] = keys();
    for (body, bh) in [
        ("", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
        ("\r\n \t\r\n\r\n", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
    ] {
        let signed = signed_by(&key, &format!("From: a@example.org\r\n\r\n{body}"));
        assert!(signed.contains(&format!("bh={bh}")), "{body:?} {signed}");
    }
}

#[test]
fn short_keys_and_messages_without_an_author_are_not_signed() {
    let Some(folder) = testdata::folder("dkim/dkimpy") else { return };
    let short = SigningKey::rsa_from_pem(&read(folder.join("1024_testkey.key")));
    assert_eq!(
        short.err().map(|error| error.to_string()).as_deref(),
        Some("this is no private key of RSA of 2048 bits or more")
    );
    let [rsa, _] = keys();
    assert_eq!(format!("{rsa:?}"), "SigningKey(RsaSha256)");
    let domain: Domain = "example.org".parse().unwrap();
    assert!(Signer::new(&domain, "a b", &rsa).is_err());
    let signer = Signer::new(&domain, "sel", &rsa).unwrap();
    let bodies = BodyHasher::new([Signer::form()]).finish();
    assert!(signer.sign(&fields(b"To: a@example.org\r\n"), &bodies, now(NOW_S)).is_err());
    assert!(signer.sign(&fields(b"From: a@b\r\n"), &BodyHasher::new([]).finish(), now(NOW_S)).is_err());
}

fn now(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn read(path: PathBuf) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn crlf(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\n', "\r\n")
}

fn verify(zone: &Zone, message: &[u8]) -> Vec<Verified> {
    verify_at(zone, message, NOW_S)
}

fn verify_at(zone: &Zone, message: &[u8], seconds: u64) -> Vec<Verified> {
    let message = crlf(std::str::from_utf8(message).unwrap());
    let (header, body) = message.split_once("\r\n\r\n").unwrap();
    let header = format!("{}\r\n", header.trim_start());
    let signatures = Signatures::read(&fields(header.as_bytes()), now(seconds));
    let mut hasher = BodyHasher::new(signatures.forms());
    hasher.push(body.as_bytes());
    let keys = run(signatures.keys(zone));
    signatures.verify(&keys, &hasher.finish())
}

fn results(found: &[Verified]) -> Vec<DkimResult> {
    found.iter().map(|found| found.result).collect()
}

fn gmail(folder: &std::path::Path) -> Zone {
    let pem = read(folder.join("gmail.pub"));
    let key: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    Zone::with_texts(&[("20120113._domainkey.gmail.com", &format!("k=rsa; p={key}"))])
}

/// RFC 8463 §A.2.
fn football() -> Zone {
    let folder = testdata::folder("dkim/mail-auth").unwrap();
    let text = read(folder.join("001.txt"));
    let records: Vec<(&str, &str)> = text.lines().take(2).filter_map(|line| line.split_once(' ')).collect();
    Zone::with_texts(&records)
}

/// An RSA key of 512 bits, right or not: it proves nothing.
fn short_key() -> String {
    let mut der =
        b"\x30\x5c\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\0\x03\x4b\0\x30\x48\x02\x41\0"
            .to_vec();
    der.extend([0xb3; 64]);
    der.extend(b"\x02\x03\x01\0\x01");
    format!("v=DKIM1; p={}", STANDARD.encode(der))
}

/// RSA and Ed25519.
fn keys() -> [SigningKey; 2] {
    let folder = testdata::folder("dkim/dkimpy").unwrap();
    let rsa = SigningKey::rsa_from_pem(&read(folder.join("2048_testkey_PKCS8.key"))).unwrap();
    [rsa, SigningKey::ed25519_from_seed(&[7; 32]).unwrap()]
}

fn zone_of(key: &SigningKey) -> Zone {
    Zone::with_texts(&[("sel._domainkey.example.org", &key.record().unwrap())])
}

fn signed_by(key: &SigningKey, message: &str) -> String {
    let domain: Domain = "example.org".parse().unwrap();
    sign(&Signer::new(&domain, "sel", key).unwrap(), message)
}

fn sign(signer: &Signer<'_>, message: &str) -> String {
    let (header, body) = message.split_once("\r\n\r\n").unwrap();
    let mut hasher = BodyHasher::new([Signer::form()]);
    hasher.push(body.as_bytes());
    let header = format!("{header}\r\n");
    let field = signer.sign(&fields(header.as_bytes()), &hasher.finish(), now(NOW_S)).unwrap();
    assert!(field.lines().all(|line| line.len() <= 78), "{field}");
    format!("{field}{message}")
}

const MESSAGE: &str = "From: Joe <joe@example.org>\r\nTo: Sue <sue@example.net>\r\nSubject: Lunch \r\n\
    Date: Sun, 22 Nov 2026 04:35:24 +0000\r\nMessage-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n\
    Content-Type: text/plain\r\n\r\nAt  noon?\r\n\r\nJoe\r\n";
