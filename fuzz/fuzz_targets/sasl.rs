//! Whatever a client says in a mechanism, nobody is let in whose secret was not found right, and an exchange that has
//! ended stays so. The driver of its tests answers the lookups.
#![no_main]

#[path = "../../crates/sasl/tests/common/mod.rs"]
mod common;

use common::{Driver, Outcome, account};
use libfuzzer_sys::fuzz_target;
use sasl::{Mechanism, ScramVerifier};

/// A challenge holds the client's nonce, and little else that grows.
const CHALLENGE_BYTES_MAX: usize = 2048;

fuzz_target!(|input: &[u8]| {
    let [choice, rest @ ..] = input else { return };
    match Mechanism::ALL.get(usize::from(*choice)) {
        Some(mechanism) => exchange(*mechanism, rest),
        None => verifier(rest),
    }
});

/// Each message has two octets of length before it; behind 0xFF, all is an initial response.
fn exchange(mechanism: Mechanism, mut messages: &[u8]) {
    let account = account("pencil");
    let mut driver = Driver::new(mechanism, &account);
    let mut outcome = match messages {
        [0xFF, initial @ ..] => {
            messages = &[];
            driver.start(Some(initial))
        }
        _ => driver.start(None),
    };
    check(&outcome, &driver);
    while let [high, low, rest @ ..] = messages {
        let octets = usize::from(*high) << 8 | usize::from(*low);
        let (message, after) = rest.split_at(octets.min(rest.len()));
        messages = after;
        let has_ended = !matches!(outcome, Outcome::Challenge(_));
        outcome = driver.respond(message);
        assert!(!has_ended || outcome == Outcome::Refused(sasl::Refusal::Malformed));
        check(&outcome, &driver);
    }
}

fn check(outcome: &Outcome, driver: &Driver<'_>) {
    match outcome {
        Outcome::Challenge(octets) => assert!(octets.len() <= CHALLENGE_BYTES_MAX),
        Outcome::Done(identity) => assert!(driver.found_right && identity.authcid == "user"),
        Outcome::Refused(_) => {}
    }
}

fn verifier(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let Ok(verifier) = text.parse::<ScramVerifier>() else { return };
    assert_eq!(verifier.to_string(), text);
}
