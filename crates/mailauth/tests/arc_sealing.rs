//! Sets that are added to a chain (RFC 8617 §5.1), read by the validator of §5.2, which is tested with chains of others.

#![allow(clippy::unwrap_used, reason = "a test that fails has to say so")]

mod common;

use common::{Zone, run};
use mailauth::arc::{ArcProblem, ArcResult, Chain, INSTANCES_MAX, Outcome, OwnSet, SealError, Sealer};
use mailauth::dkim::{BodyHasher, DkimProblem, Signer, SignerError, SigningKey};
use mailauth::fields;
use types::{Domain, Timestamp};

const MESSAGE: &str = "From: Ada <ada@example.org>\r\nSubject: Lunch\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n\r\nAt noon.\r\n";
const RESULTS: &str = "mail.example.net;\r\n\tspf=pass smtp.mailfrom=example.org;\r\n\tdkim=none";
const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn key() -> SigningKey {
    // Seals are mostly of RSA; the chain is the same with a key that is made at once.
    SigningKey::ed25519_from_seed(&[9; 32]).unwrap()
}

fn seal_as(domain: &str, message: &str, verdict: ArcResult) -> Result<String, SealError> {
    let (header, body) = message.split_once("\r\n\r\n").unwrap();
    let header = format!("{header}\r\n");
    let mut hasher = BodyHasher::new([Sealer::form()]);
    hasher.push(body.as_bytes());
    let (domain, key): (Domain, _) = (domain.parse().unwrap(), key());
    let sealer = Sealer::new(&domain, "sel", &key).unwrap();
    let set = sealer.seal(&fields(header.as_bytes()), &hasher.finish(), RESULTS, verdict, NOW)?;
    Ok(set + message)
}

fn sealed(message: &str, verdict: ArcResult) -> String {
    seal_as("lists.example.net", message, verdict).unwrap()
}

fn verify(message: &str) -> Outcome {
    let record = key().record().unwrap();
    let places = ["sel._domainkey.lists.example.net", "sel._domainkey.forward.example.com"];
    let zone = Zone::with_texts(&places.map(|place| (place, record.as_str())));
    let (header, body) = message.split_once("\r\n\r\n").unwrap();
    let header = format!("{header}\r\n");
    let chain = Chain::read(&fields(header.as_bytes()), NOW);
    let mut hasher = BodyHasher::new(chain.forms());
    hasher.push(body.as_bytes());
    let keys = run(chain.keys(&zone));
    chain.verify(&keys, &hasher.finish())
}

fn result(message: &str) -> (ArcResult, Option<ArcProblem>) {
    let outcome = verify(message);
    (outcome.result, outcome.problem)
}

#[test]
fn a_first_set_says_none_and_a_second_one_pass_and_both_verify() {
    let one = sealed(MESSAGE, ArcResult::None);
    assert!(one.starts_with("ARC-Seal: i=1; a=ed25519-sha256; t=1800000000; cv=none;\r\n"), "{one}");
    assert!(one.contains("\r\nARC-Authentication-Results: i=1; mail.example.net;\r\n\tspf=pass"), "{one}");
    assert_eq!(result(&one), (ArcResult::Pass, None));
    let changed = one.replace("Subject: Lunch", "Subject: [list] Lunch");
    let two = seal_as("forward.example.com", &changed, ArcResult::Pass).unwrap();
    assert!(two.starts_with("ARC-Seal: i=2;") && two.contains("; cv=pass;"), "{two}");
    let outcome = verify(&two);
    assert_eq!(outcome.result, ArcResult::Pass, "{outcome:?}");
    assert_eq!(outcome.sealers, ["lists.example.net", "forward.example.com"]);
}

#[test]
fn what_is_changed_after_a_seal_breaks_it() {
    let one = sealed(MESSAGE, ArcResult::None);
    let changed = |from: &str, to: &str| {
        assert!(one.contains(from), "{from}");
        verify(&one.replace(from, to)).problem
    };
    assert_eq!(changed("noon", "one"), Some(ArcProblem::Message(1, DkimProblem::BodyHash)));
    assert_eq!(changed("Lunch", "Dinner"), Some(ArcProblem::Message(1, DkimProblem::Signature)));
    assert_eq!(changed("spf=pass", "spf=fail"), Some(ArcProblem::Seal(1, DkimProblem::Signature)));
    let another = one.replacen("From:", "From: mallory@example.com\r\nFrom:", 1);
    assert_eq!(verify(&another).problem, Some(ArcProblem::Message(1, DkimProblem::Signature)));
}

#[test]
fn neither_results_nor_arc_are_among_the_fields_of_a_message_signature_and_signatures_are() {
    let (domain, key): (Domain, _) = ("example.org".parse().unwrap(), key());
    let mut hasher = BodyHasher::new([Signer::form()]);
    hasher.push(b"At noon.\r\n");
    let signer = Signer::new(&domain, "sel", &key).unwrap();
    let (header, _) = MESSAGE.split_once("\r\n\r\n").unwrap();
    let header = format!("{header}\r\n");
    let own = signer.sign(&fields(header.as_bytes()), &hasher.finish(), NOW).unwrap();
    let one = sealed(&format!("Authentication-Results: x; none\r\n{own}{MESSAGE}"), ArcResult::None);
    let listed = one.split("\th=").nth(1).unwrap().split(';').next().unwrap();
    let names: Vec<_> = listed.split(':').map(str::trim).collect();
    assert!(names.contains(&"dkim-signature") && names.contains(&"from"), "{names:?}");
    let of_arc = |name: &&str| name.starts_with("arc-") || name.starts_with("authentication");
    assert!(!names.iter().any(of_arc), "{names:?}");
    assert_eq!(result(&one).0, ArcResult::Pass);
    let gone = one.replace("Authentication-Results: x; none\r\n", "");
    assert_eq!(result(&gone).0, ArcResult::Pass, "others take it off (RFC 8601 §5)");
    assert_eq!(result(&one.replace(&own, "")).0, ArcResult::Fail);
}

#[test]
fn a_chain_that_is_broken_is_sealed_once_over_the_own_set_alone_and_never_again() {
    let broken = sealed(MESSAGE, ArcResult::None).replace("noon", "one");
    assert_eq!(result(&broken).0, ArcResult::Fail);
    let ended = seal_as("forward.example.com", &broken, ArcResult::Fail).unwrap();
    assert!(ended.contains("; cv=fail;"), "{ended}");
    assert_eq!(result(&ended), (ArcResult::Fail, Some(ArcProblem::BrokenBefore(2))));
    // As if it were the only one: with another first set the seal is the same.
    let (set, _) = ended.split_once("ARC-Seal: i=1").unwrap();
    let other = broken.replace("spf=pass", "spf=none");
    let again = seal_as("forward.example.com", &other, ArcResult::Fail).unwrap();
    assert!(again.starts_with(set), "{again}\n{set}");
    assert_eq!(seal_as("lists.example.net", &ended, ArcResult::Fail), Err(SealError::Ended));
}

#[test]
fn a_set_that_is_not_whole_is_counted_and_a_chain_has_fifty_at_most() {
    let lone = format!("ARC-Seal: i=7; cv=pass\r\n{MESSAGE}");
    let sealed = sealed(&lone, ArcResult::Fail);
    assert!(sealed.starts_with("ARC-Seal: i=8;"), "{sealed}");
    let full = format!("ARC-Seal: i={INSTANCES_MAX}; cv=pass\r\n{MESSAGE}");
    assert_eq!(seal_as("lists.example.net", &full, ArcResult::Fail), Err(SealError::Full));
    let over = format!("ARC-Seal: i={}; cv=pass\r\n{MESSAGE}", INSTANCES_MAX + 1);
    assert_eq!(seal_as("lists.example.net", &over, ArcResult::Fail), Err(SealError::Full));
}

#[test]
fn a_message_of_nobody_or_of_several_is_not_sealed() {
    for (message, error) in [
        ("Subject: x\r\n\r\n", SignerError::NoFrom),
        ("From: a@example.org\r\nFrom: b@example.org\r\n\r\n", SignerError::SeveralFrom),
    ] {
        assert_eq!(seal_as("lists.example.net", message, ArcResult::None), Err(SealError::Signer(error)));
    }
    let many = format!("{}{MESSAGE}", "List-Id: <x>\r\n".repeat(600));
    let error = SealError::Signer(SignerError::TooManyFields);
    assert_eq!(seal_as("lists.example.net", &many, ArcResult::None), Err(error));
}

#[test]
fn the_newest_set_tells_what_is_needed_to_make_it_anew() {
    let two = seal_as("forward.example.com", &sealed(MESSAGE, ArcResult::None), ArcResult::Pass).unwrap();
    let (header, _) = two.split_once("\r\n\r\n").unwrap();
    let header = format!("{header}\r\n");
    let set = OwnSet::newest(&fields(header.as_bytes())).unwrap();
    let own = OwnSet {
        domain: "forward.example.com".to_owned(),
        results: RESULTS.to_owned(),
        verdict: ArcResult::Pass,
    };
    assert_eq!(set, own);
    assert_eq!(OwnSet::newest(&fields(b"From: a@example.org\r\n")), None);
}
