//! What no exchange may be led to: attacks.md row 10.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]

mod common;

use common::{Driver, Outcome, account, challenge, setup};
use proptest::prelude::*;
use sasl::{
    Exchange, FIELD_BYTES_MAX, Mechanism, RESPONSE_BYTES_MAX, Refusal, ScramHash, ScramVerifier, Secret,
    Step, TokenFault,
};

const MALFORMED: Outcome = Outcome::Refused(Refusal::Malformed);

/// A message that each mechanism takes first.
fn first_message(mechanism: Mechanism) -> &'static [u8] {
    match mechanism {
        Mechanism::Plain => b"\0user\0pencil",
        Mechanism::Login => b"user",
        Mechanism::CramMd5 => b"user b913a602c7eda7a495b4e6e7334d3890",
        Mechanism::ScramSha1 | Mechanism::ScramSha256 => b"n,,n=user,r=abc",
        Mechanism::ScramSha1Plus | Mechanism::ScramSha256Plus => b"p=tls-exporter,,n=user,r=abc",
        Mechanism::XOAuth2 => b"user=user\x01auth=Bearer abc\x01\x01",
        Mechanism::OAuthBearer => b"n,a=user,\x01auth=Bearer abc\x01\x01",
    }
}

fn is_malformed(step: &Step) -> bool {
    matches!(step, Step::Refused(Refusal::Malformed))
}

/// Says everything to an exchange that a driver can say.
fn everything(exchange: &mut Exchange) -> Vec<Step> {
    let verifier = ScramVerifier::new(ScramHash::Sha256, "pencil", b"salt", 4096).unwrap();
    vec![
        exchange.start(None),
        exchange.start(Some(b"")),
        exchange.respond(b""),
        exchange.respond(b"\0user\0pencil"),
        exchange.verified(true),
        exchange.scram(Some(verifier)),
        exchange.scram_unknown("user"),
        exchange.shared_secret(Some(Secret::new("pencil"))),
        exchange.token(Ok("user".into())),
        exchange.token(Err(TokenFault::Invalid.into())),
    ]
}

#[test]
fn messages_of_the_wrong_form_are_malformed_in_each_mechanism() {
    let account = account("pencil");
    for mechanism in Mechanism::ALL {
        let good = first_message(mechanism);
        let mut messages = vec![
            Vec::new(),
            b"\0".to_vec(),
            b"\xFF\xFE".to_vec(),
            b"*".to_vec(),
            vec![b'x'; RESPONSE_BYTES_MAX],
            vec![b'x'; RESPONSE_BYTES_MAX + 1],
            vec![0; RESPONSE_BYTES_MAX + 1],
            [good, b"\0"].concat(),
            [good, b"\xC3"].concat(),
            [b"\0", good].concat(),
        ];
        // To LOGIN any text is a name.
        messages.retain(|message| mechanism != Mechanism::Login || message != b"*");
        for message in messages {
            let mut driver = Driver::new(mechanism, &account);
            driver.start(None);
            let outcome = driver.respond(&message);
            assert_eq!(
                outcome,
                MALFORMED,
                "{mechanism:?} {}",
                message[..message.len().min(40)].escape_ascii()
            );
        }
    }
}

#[test]
fn an_initial_response_is_judged_as_one_that_comes_later() {
    let account = account("pencil");
    for mechanism in Mechanism::ALL.into_iter().filter(|mechanism| *mechanism != Mechanism::CramMd5) {
        for message in [first_message(mechanism), b"", b"\0", b"x\0y\0z\0", &[b'x'; RESPONSE_BYTES_MAX + 1]] {
            let mut later = Driver::new(mechanism, &account);
            assert!(matches!(later.start(None), Outcome::Challenge(_)));
            let at_once = Driver::new(mechanism, &account).start(Some(message));
            assert_eq!(at_once, later.respond(message), "{mechanism:?}");
        }
    }
}

#[test]
fn cram_md5_takes_no_initial_response() {
    let account = account("pencil");
    for initial in [&b""[..], first_message(Mechanism::CramMd5)] {
        assert_eq!(Driver::new(Mechanism::CramMd5, &account).start(Some(initial)), MALFORMED);
    }
}

#[test]
fn nothing_lets_anybody_in_after_the_end() {
    for mechanism in Mechanism::ALL {
        let mut exchange = Exchange::new(mechanism, setup());
        let _ = exchange.start(None);
        assert!(is_malformed(&exchange.respond(b"\xFF")));
        for step in everything(&mut exchange) {
            assert!(is_malformed(&step), "{mechanism:?} {step:?}");
        }
    }
    let account = account("pencil");
    let mut driver = Driver::new(Mechanism::Plain, &account);
    assert!(matches!(driver.start(Some(b"\0user\0pencil")), Outcome::Done(_)));
    assert_eq!(driver.respond(b"\0user\0pencil"), MALFORMED);
    for step in everything(&mut driver.exchange) {
        assert!(is_malformed(&step), "{step:?}");
    }
}

#[test]
fn answers_that_were_not_asked_for_end_the_exchange() {
    for mechanism in Mechanism::ALL {
        for index in 2..10 {
            let mut exchange = Exchange::new(mechanism, setup());
            assert!(matches!(exchange.start(None), Step::Challenge(_)));
            let answers: [fn(&mut Exchange) -> Step; 8] = [
                |exchange| exchange.start(None),
                |exchange| exchange.start(Some(b"\0user\0pencil")),
                |exchange| exchange.verified(true),
                |exchange| exchange.scram(None),
                |exchange| exchange.scram_unknown("user"),
                |exchange| exchange.shared_secret(Some(Secret::new("x"))),
                |exchange| exchange.token(Ok("user".into())),
                |exchange| exchange.token(Err(TokenFault::Invalid.into())),
            ];
            assert!(is_malformed(&answers[index - 2](&mut exchange)), "{mechanism:?}");
            assert!(is_malformed(&exchange.respond(first_message(mechanism))), "{mechanism:?}");
        }
    }
}

#[test]
fn a_response_while_a_lookup_is_owed_ends_the_exchange() {
    for mechanism in Mechanism::ALL {
        let mut exchange = Exchange::new(mechanism, setup());
        let _ = exchange.start(None);
        let mut step = exchange.respond(first_message(mechanism));
        if let Mechanism::Login = mechanism {
            step = exchange.respond(b"pencil");
        }
        assert!(!matches!(step, Step::Challenge(_) | Step::Done(_) | Step::Refused(_)), "{step:?}");
        assert!(is_malformed(&exchange.respond(first_message(mechanism))), "{mechanism:?}");
        for step in everything(&mut exchange) {
            assert!(is_malformed(&step), "{mechanism:?} {step:?}");
        }
    }
}

#[test]
fn a_verifier_of_the_other_hash_is_none() {
    let mut exchange = Exchange::new(Mechanism::ScramSha256, setup());
    let _ = exchange.start(Some(b"n,,n=user,r=abc"));
    let other = ScramVerifier::new(ScramHash::Sha1, "pencil", b"salt", 4096).unwrap();
    let Step::Challenge(octets) = exchange.scram(Some(other)) else { panic!() };
    assert!(!String::from_utf8(octets).unwrap().contains("s=c2FsdA=="));
}

#[test]
fn a_token_that_is_empty_is_good_for_nobody() {
    for (mechanism, message) in [
        (Mechanism::XOAuth2, &b"user=user\x01auth=\x01\x01"[..]),
        (Mechanism::OAuthBearer, b"n,a=user,\x01auth=\x01\x01"),
    ] {
        let mut exchange = Exchange::new(mechanism, setup());
        assert!(matches!(exchange.start(Some(message)), Step::VerifyToken { .. }));
        assert!(matches!(exchange.token(Ok("user".into())), Step::Challenge(_)));
        assert!(matches!(exchange.respond(b""), Step::Refused(Refusal::Credentials)));
    }
}

#[test]
fn bearer_messages_that_break_a_rule_are_malformed() {
    let account = account("pencil");
    for message in [
        "\x01",
        "n,,",
        "n,,\x01",
        "n,,\x01\x01",
        "n,,\x01auth=Bearer abc\x01",
        "n,,\x01auth=Bearer abc",
        "n,,auth=Bearer abc\x01\x01",
        "n,,\x01auth=Bearer abc\x01\x01\x01",
        "n,,\x01auth=Bearer abc\x01auth=Bearer abc\x01\x01",
        "n,,\x01host=x\x01\x01",
        "n,,\x01AUTH=Bearer abc\x01\x01",
        "n,,\x01auth\x01\x01",
        "n,,\x01=Bearer abc\x01\x01",
        "n,,\x01au th=x\x01auth=Bearer abc\x01\x01",
        "n,,\x01auth=Bearer\x01\x01",
        "n,,\x01auth=Bearer \x01\x01",
        "n,,\x01auth=Bearer a b\x01\x01",
        "n,,\x01auth=Bearer  abc\x01\x01",
        "n,,\x01auth=Bearer ===\x01\x01",
        "n,,\x01auth=Bearer a=b\x01\x01",
        "n,,\x01auth=Bearer a,b\x01\x01",
        "n,,\x01auth=Basic abc\x01\x01",
        "n,,\x01auth=Bearer abc\x01host=\u{e9}\x01\x01",
        "n,,\x01auth=Bearer abc\x01host=a\0b\x01\x01",
        "x,,\x01auth=Bearer abc\x01\x01",
        "p=tls-exporter,,\x01auth=Bearer abc\x01\x01",
        "n,user,\x01auth=Bearer abc\x01\x01",
        "n,a=,\x01auth=Bearer abc\x01\x01",
        "n,a=x=y,\x01auth=Bearer abc\x01\x01",
        "n,a=\u{AD},\x01auth=Bearer abc\x01\x01",
        "user=user\x01auth=Bearer abc\x01\x01",
    ] {
        let outcome = Driver::new(Mechanism::OAuthBearer, &account).start(Some(message.as_bytes()));
        assert_eq!(outcome, MALFORMED, "{message:?}");
    }
    for message in [
        "user=\x01auth=Bearer abc\x01\x01",
        "user=user\x01\x01",
        "user=user\x01auth=Bearer abc\x01",
        "user=user auth=Bearer abc\x01\x01",
        "auth=Bearer abc\x01user=user\x01\x01",
        "User=user\x01auth=Bearer abc\x01\x01",
        "user=us\0er\x01auth=Bearer abc\x01\x01",
        "n,a=user,\x01auth=Bearer abc\x01\x01",
    ] {
        let outcome = Driver::new(Mechanism::XOAuth2, &account).start(Some(message.as_bytes()));
        assert_eq!(outcome, MALFORMED, "{message:?}");
    }
}

#[test]
fn names_of_the_longest_length_are_taken_and_one_octet_more_is_not() {
    let account = account("pencil");
    for (octets, is_taken) in [(FIELD_BYTES_MAX, true), (FIELD_BYTES_MAX + 1, false)] {
        let name = "n".repeat(octets);
        for (mechanism, message) in [
            (Mechanism::Plain, format!("\0{name}\0x")),
            (Mechanism::Login, name.clone()),
            (Mechanism::CramMd5, format!("{name} b913a602c7eda7a495b4e6e7334d3890")),
            (Mechanism::ScramSha256, format!("n,,n={name},r=x")),
            (Mechanism::XOAuth2, format!("user={name}\x01auth=Bearer x\x01\x01")),
            (Mechanism::OAuthBearer, format!("n,a={name},\x01auth=Bearer x\x01\x01")),
        ] {
            let mut driver = Driver::new(mechanism, &account);
            driver.start(None);
            assert_eq!(driver.respond(message.as_bytes()) != MALFORMED, is_taken, "{mechanism:?} {octets}");
        }
    }
}

#[test]
fn an_unknown_name_and_a_wrong_password_get_the_same() {
    let account = account("pencil");
    for (mechanism, unknown, wrong) in [
        (Mechanism::Plain, &b"\0nobody\0pencil"[..], &b"\0user\0pencil2"[..]),
        (
            Mechanism::CramMd5,
            b"nobody b913a602c7eda7a495b4e6e7334d3890",
            b"user b913a602c7eda7a495b4e6e7334d3890",
        ),
        (
            Mechanism::OAuthBearer,
            b"n,a=nobody,\x01auth=Bearer abc\x01\x01",
            b"n,a=user,\x01auth=Bearer abd\x01\x01",
        ),
    ] {
        let answer = |message: &[u8]| {
            let mut driver = Driver::new(mechanism, &account);
            driver.start(None);
            driver.respond(message)
        };
        assert_eq!(answer(unknown), answer(wrong), "{mechanism:?}");
    }
    assert_eq!(Driver::new(Mechanism::Login, &account).start(Some(b"nobody")), challenge("Password:"));
}

#[test]
fn nothing_prints_what_was_said() {
    let secrets = ["pencil", "s3cret-token"];
    for (mechanism, message) in [
        (Mechanism::Plain, &b"\0user\0pencil"[..]),
        (Mechanism::OAuthBearer, b"n,,\x01auth=Bearer s3cret-token\x01\x01"),
        (Mechanism::XOAuth2, b"user=user\x01auth=Bearer s3cret-token\x01\x01"),
    ] {
        let mut exchange = Exchange::new(mechanism, setup());
        let step = exchange.start(Some(message));
        let printed = format!("{exchange:?} {exchange:#?} {step:?} {step:#?}");
        assert!(secrets.iter().all(|secret| !printed.contains(secret)), "{printed}");
    }
    let printed = format!("{:?}", setup());
    assert!(
        ["250", "0xFA", "90, 90", "225, 225"].iter().all(|octets| !printed.contains(octets)),
        "{printed}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_octets_end_in_bounded_answers_and_never_in_success(
        mechanism in prop::sample::select(Mechanism::ALL.to_vec()),
        responses in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..5),
        has_initial in any::<bool>(),
    ) {
        let account = account("a password that no random octets are");
        let mut driver = Driver::new(mechanism, &account);
        let mut responses = responses.into_iter();
        let initial = has_initial.then(|| responses.next()).flatten();
        let mut outcome = driver.start(initial.as_deref());
        for response in responses {
            match &outcome {
                Outcome::Challenge(octets) => prop_assert!(octets.len() < 2048),
                Outcome::Done(identity) => prop_assert!(false, "{identity:?}"),
                Outcome::Refused(_) => {}
            }
            outcome = driver.respond(&response);
        }
        prop_assert!(!matches!(outcome, Outcome::Done(_)));
    }
}
