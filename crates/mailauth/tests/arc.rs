//! Chains that another program sealed (RFC 8617 §5.2).

#![allow(clippy::unwrap_used, reason = "a test that fails has to say so")]

mod common;

use common::{Zone, run};
use mailauth::arc::{ArcProblem, ArcResult, Chain, INSTANCES_MAX, Outcome};
use mailauth::dkim::{BodyHasher, DkimProblem};
use mailauth::fields;
use types::Timestamp;

const ONE: &str = include_str!("data/arc-1.eml");
const TWO: &str = include_str!("data/arc-2.eml");
const CHANGED: &str = include_str!("data/arc-changed-on-the-way.eml");
const SEALED_AS_BROKEN: &str = include_str!("data/arc-sealed-as-broken.eml");

#[test]
fn chains_of_dkimpy_verify() {
    for (message, sealers) in [
        (ONE, vec!["lists.example.net"]),
        (TWO, vec!["lists.example.net", "forward.example.com"]),
        // What an earlier server passed on may differ from what came: only the newest message signature must hold.
        (CHANGED, vec!["lists.example.net", "forward.example.com"]),
    ] {
        let Some(outcome) = verify(message) else { return };
        assert_eq!((outcome.result, outcome.problem), (ArcResult::Pass, None));
        assert_eq!(outcome.sealers, sealers);
    }
}

#[test]
fn a_message_without_a_chain_has_none() {
    let Some(outcome) = verify("From: a@example.org\r\n\r\n") else { return };
    assert_eq!(outcome, Outcome { result: ArcResult::None, problem: None, sealers: Vec::new() });
}

#[test]
fn a_chain_that_was_sealed_as_broken_stays_so() {
    let Some(problem) = problem(SEALED_AS_BROKEN) else { return };
    assert_eq!(problem, ArcProblem::BrokenBefore(2));
}

#[test]
fn what_was_changed_after_the_last_seal_breaks_the_chain() {
    let Some(found) = problem(&TWO.replace("At noon", "At one")) else { return };
    assert_eq!(found, ArcProblem::Message(2, DkimProblem::BodyHash));
    assert_eq!(
        problem(&TWO.replace("Lunch", "Dinner")),
        Some(ArcProblem::Message(2, DkimProblem::Signature))
    );
    let lied = TWO.replace("i=1; lists.example.net;", "i=1; lists.example.com;");
    assert_eq!(problem(&lied), Some(ArcProblem::Seal(2, DkimProblem::Signature)));
    let lied = ONE.replace("i=1; lists.example.net;", "i=1; lists.example.com;");
    assert_eq!(problem(&lied), Some(ArcProblem::Seal(1, DkimProblem::Signature)));
}

#[test]
fn sets_are_whole_and_in_order() {
    let Some(found) = problem(&without(TWO, "ARC-Authentication-Results: i=1")) else { return };
    assert_eq!(found, ArcProblem::NotWhole(1));
    assert_eq!(problem(&without(TWO, "ARC-Seal: i=2")), Some(ArcProblem::NotWhole(2)));
    assert_eq!(problem(&without(TWO, "ARC-Message-Signature: i=2")), Some(ArcProblem::NotWhole(2)));
    let doubled = format!("ARC-Authentication-Results: i=2; forward.example.com; dkim=pass\r\n{TWO}");
    assert_eq!(problem(&doubled), Some(ArcProblem::NotWhole(2)));
    let first_gone = without(
        &without(&without(TWO, "ARC-Seal: i=1"), "ARC-Message-Signature: i=1"),
        "ARC-Authentication-Results: i=1",
    );
    assert_eq!(problem(&first_gone), Some(ArcProblem::NotWhole(1)));
    assert_eq!(problem(&format!("ARC-Seal: nonsense\r\n{TWO}")), Some(ArcProblem::NotWhole(1)));
    assert_eq!(problem(&ONE.replace("cv=none", "cv=pass")), Some(ArcProblem::NotWhole(1)));
    assert_eq!(
        problem(&ONE.replace("cv=none", "cv=none; h=from")),
        Some(ArcProblem::Seal(1, DkimProblem::Malformed("a list of fields, which a seal has not")))
    );
}

#[test]
fn a_chain_is_at_most_fifty_sets_long() {
    let sets = |count: usize| {
        let set = |n| {
            format!(
                "ARC-Seal: i={n}\r\nARC-Message-Signature: i={n}\r\nARC-Authentication-Results: i={n}; x\r\n"
            )
        };
        (1..=count).map(set).collect::<String>() + "From: a@example.org\r\n\r\n"
    };
    let Some(found) = problem(&sets(INSTANCES_MAX + 1)) else { return };
    assert_eq!(found, ArcProblem::TooLong);
    assert!(matches!(problem(&sets(INSTANCES_MAX)), Some(ArcProblem::Seal(1, _))));
}

fn problem(message: &str) -> Option<ArcProblem> {
    let outcome = verify(message)?;
    assert_eq!(outcome.result, ArcResult::Fail);
    outcome.problem
}

/// None where there is no test material.
fn verify(message: &str) -> Option<Outcome> {
    let key = std::fs::read_to_string(testdata::folder("dkim/dkimpy")?.join("test.txt")).unwrap();
    let places = ["test._domainkey.lists.example.net", "test._domainkey.forward.example.com"];
    let zone = Zone::with_texts(&places.map(|place| (place, key.as_str())));
    let (header, body) = message.split_once("\r\n\r\n").unwrap();
    let header = format!("{header}\r\n");
    let chain = Chain::read(&fields(header.as_bytes()), Timestamp::from_millis(1_900_000_000_000));
    let mut hasher = BodyHasher::new(chain.forms());
    hasher.push(body.as_bytes());
    let keys = run(chain.keys(&zone));
    Some(chain.verify(&keys, &hasher.finish()))
}

/// Without the field that begins so.
fn without(message: &str, field: &str) -> String {
    let start = message.find(field).unwrap_or_else(|| panic!("{field}"));
    let (before, after) = message.split_at(start);
    let lines: Vec<&str> = after.split_inclusive("\r\n").collect();
    let more = lines[1..].iter().take_while(|line| line.starts_with([' ', '\t'])).count();
    format!("{before}{}", lines[1 + more..].concat())
}
