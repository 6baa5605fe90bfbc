//! The examples of the RFCs, octet by octet, and the channel bindings.

use super::*;
use crate::{Exchange, Step};

fn setup(channel_bindings: Vec<ChannelBinding>) -> Setup {
    Setup {
        host_name: "mail.example".into(),
        nonce: [7; 18],
        time_s: 0,
        channel_bindings,
        fake_salt_key: [9; 32],
    }
}

fn verifier(hash: ScramHash, password: &str, salt_base64: &str) -> ScramVerifier {
    use base64::Engine;
    let salt = base64::engine::general_purpose::STANDARD.decode(salt_base64).unwrap();
    ScramVerifier::new(hash, password, &salt, 4096).unwrap()
}

#[track_caller]
fn challenge(step: Step) -> String {
    let Step::Challenge(octets) = step else { panic!("{step:?}") };
    String::from_utf8(octets).unwrap()
}

#[test]
fn the_example_of_rfc_5802_5() {
    let mut exchange =
        Exchange::with_server_nonce(Mechanism::ScramSha1, setup(Vec::new()), "3rfcNHYJY1ZVvWVs7j");
    assert_eq!(challenge(exchange.start(None)), "");
    let step = exchange.respond(b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL");
    let Step::FetchScram { authcid, hash: ScramHash::Sha1 } = step else { panic!("{step:?}") };
    assert_eq!(authcid, "user");
    assert_eq!(
        challenge(exchange.scram(Some(verifier(ScramHash::Sha1, "pencil", "QSXCR+Q6sek8bf92")))),
        "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096"
    );
    let last = b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=";
    assert_eq!(challenge(exchange.respond(last)), "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=");
    let step = exchange.respond(b"");
    let Step::Done(identity) = step else { panic!("{step:?}") };
    assert_eq!(identity, Identity { authcid: "user".into(), authzid: String::new() });
}

#[test]
fn the_example_of_rfc_7677_3() {
    let mut exchange = Exchange::with_server_nonce(
        Mechanism::ScramSha256,
        setup(Vec::new()),
        "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
    );
    let step = exchange.start(Some(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"));
    assert!(matches!(step, Step::FetchScram { hash: ScramHash::Sha256, .. }), "{step:?}");
    assert_eq!(
        challenge(exchange.scram(Some(verifier(ScramHash::Sha256, "pencil", "W22ZaJ0SNY7soEsUEjb6gQ==")))),
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    );
    let last = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    assert_eq!(challenge(exchange.respond(last)), "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    assert!(matches!(exchange.respond(b""), Step::Done(_)));
}

#[test]
fn a_verifier_goes_to_its_text_form_and_back() {
    for hash in [ScramHash::Sha1, ScramHash::Sha256] {
        let verifier = ScramVerifier::new(hash, "pencil", b"salt", 4096).unwrap();
        let text = verifier.to_string();
        assert!(text.starts_with(&format!("{}$4096:c2FsdA==$", hash.mechanism_name())), "{text}");
        assert_eq!(text.parse(), Ok(verifier.clone()));
        assert!(verifier.is_of("pencil") && !verifier.is_of("Pencil") && !verifier.is_of(""));
    }
}

/// Keys that were computed from RFC 7677 §3's password and salt by another program (Python's hashlib and hmac).
#[test]
fn the_text_form_is_the_one_that_other_servers_keep() {
    let text = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:\
                wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
    assert_eq!(verifier(ScramHash::Sha256, "pencil", "W22ZaJ0SNY7soEsUEjb6gQ==").to_string(), text);
}

#[test]
fn other_texts_are_no_verifiers() {
    let good = ScramVerifier::new(ScramHash::Sha1, "pencil", b"salt", 4096).unwrap().to_string();
    assert!(good.parse::<ScramVerifier>().is_ok());
    let (head, keys) = good.rsplit_once('$').unwrap();
    for text in [
        String::new(),
        "SCRAM-SHA-1".into(),
        head.to_owned(),
        format!("{head}$"),
        format!("{head}${}", keys.split_once(':').unwrap().0),
        format!("{good}="),
        format!("{good}$"),
        format!(" {good}"),
        format!("{good}\n"),
        good.replace("SHA-1", "SHA-256"),
        good.replace("SHA-1", "SHA-512"),
        good.replace("SCRAM", "scram"),
        good.replace("4096", "+4096"),
        good.replace("4096", "04096"),
        good.replace("4096", "4294967296"),
        good.replace("4096", ""),
        good.replace("c2FsdA==", "c2FsdA"),
        good.replace("c2FsdA==", "c2 sdA=="),
    ] {
        assert_eq!(text.parse::<ScramVerifier>(), Err(VerifierError::Syntax), "{text}");
    }
    assert_eq!(good.replace("4096", "4095").parse::<ScramVerifier>(), Err(VerifierError::Iterations));
    assert_eq!(good.replace("c2FsdA==", "").parse::<ScramVerifier>(), Err(VerifierError::Salt));
}

#[test]
fn salt_iterations_and_password_have_their_limits() {
    let made = |password: &str, salt: &[u8], iterations| {
        ScramVerifier::new(ScramHash::Sha256, password, salt, iterations).map(|_| ())
    };
    assert_eq!(made("x", &[1; SALT_BYTES_MAX], ITERATIONS_MIN), Ok(()));
    assert_eq!(made("x", &[1; SALT_BYTES_MAX + 1], ITERATIONS_MIN), Err(VerifierError::Salt));
    assert_eq!(made("x", b"", ITERATIONS_MIN), Err(VerifierError::Salt));
    assert_eq!(made("x", b"salt", ITERATIONS_MIN - 1), Err(VerifierError::Iterations));
    for password in ["", "a\0b", "\u{1F600}"] {
        assert!(matches!(made(password, b"salt", ITERATIONS_MIN), Err(VerifierError::Password(_))));
    }
    const { assert!(ITERATIONS >= ITERATIONS_MIN && FAKE_SALT_BYTES <= SALT_BYTES_MAX) };
}

#[test]
fn a_verifier_does_not_print_its_keys() {
    let verifier = ScramVerifier::new(ScramHash::Sha256, "pencil", b"salt", 4096).unwrap();
    let text = verifier.to_string();
    let keys = text.rsplit('$').next().unwrap();
    let printed = format!("{verifier:?}");
    assert!(keys.split(':').all(|key| !printed.contains(key)), "{printed}");
}

/// RFC 5802 §6, row by row: the flag, the mechanism, what the connection has, and what comes of it.
#[test]
fn channel_flags_are_judged_by_mechanism_and_connection() {
    use Mechanism::{ScramSha256, ScramSha256Plus};
    use ScramError::{
        ChannelBindingNotSupported, ChannelBindingsDontMatch, ServerDoesSupportChannelBinding,
        UnsupportedChannelBindingType,
    };
    let tls = || vec![ChannelBinding { name: "tls-exporter", data: vec![1; 32] }];
    for (flag, mechanism, bindings, error) in [
        ("n", ScramSha256, Vec::new(), None),
        ("n", ScramSha256, tls(), None),
        ("y", ScramSha256, Vec::new(), None),
        ("y", ScramSha256, tls(), Some(ServerDoesSupportChannelBinding)),
        ("p=tls-exporter", ScramSha256, Vec::new(), Some(ChannelBindingNotSupported)),
        ("p=tls-exporter", ScramSha256, tls(), Some(ChannelBindingNotSupported)),
        ("n", ScramSha256Plus, tls(), Some(ChannelBindingsDontMatch)),
        ("n", ScramSha256Plus, Vec::new(), Some(ChannelBindingsDontMatch)),
        ("y", ScramSha256Plus, tls(), Some(ServerDoesSupportChannelBinding)),
        ("y", ScramSha256Plus, Vec::new(), Some(ChannelBindingsDontMatch)),
        ("p=tls-exporter", ScramSha256Plus, tls(), None),
        ("p=tls-exporter", ScramSha256Plus, Vec::new(), Some(UnsupportedChannelBindingType)),
        ("p=tls-unique", ScramSha256Plus, tls(), Some(UnsupportedChannelBindingType)),
        ("p=tls-server-end-point", ScramSha256Plus, tls(), Some(UnsupportedChannelBindingType)),
        ("p=TLS-EXPORTER", ScramSha256Plus, tls(), Some(UnsupportedChannelBindingType)),
    ] {
        let mut exchange = Exchange::new(mechanism, setup(bindings));
        let step = exchange.start(Some(format!("{flag},,n=user,r=abc").as_bytes()));
        assert_eq!(exchange.scram_error(), error, "{flag} {mechanism:?}");
        match step {
            Step::FetchScram { .. } => assert_eq!(error, None, "{flag} {mechanism:?}"),
            Step::Refused(refusal) => assert_eq!(refusal, Refusal::ChannelBinding, "{flag} {mechanism:?}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn errors_have_the_names_of_rfc_5802_7() {
    for (error, name) in [
        (ScramError::InvalidEncoding, "invalid-encoding"),
        (ScramError::ExtensionsNotSupported, "extensions-not-supported"),
        (ScramError::InvalidProof, "invalid-proof"),
        (ScramError::ChannelBindingsDontMatch, "channel-bindings-dont-match"),
        (ScramError::ServerDoesSupportChannelBinding, "server-does-support-channel-binding"),
        (ScramError::ChannelBindingNotSupported, "channel-binding-not-supported"),
        (ScramError::UnsupportedChannelBindingType, "unsupported-channel-binding-type"),
        (ScramError::InvalidUsernameEncoding, "invalid-username-encoding"),
    ] {
        assert_eq!(error.to_string(), name);
    }
}

#[test]
fn a_made_up_salt_is_the_same_each_time_and_another_for_each_name_hash_and_server() {
    let fake = |hash, key: &[u8; 32], name| ScramVerifier::fake(hash, key, name);
    let one = fake(ScramHash::Sha256, &[9; 32], "user");
    assert_eq!(one, fake(ScramHash::Sha256, &[9; 32], "user"));
    let salt = |verifier: &ScramVerifier| verifier.salt_base64();
    for other in [
        fake(ScramHash::Sha256, &[9; 32], "user2"),
        fake(ScramHash::Sha1, &[9; 32], "user"),
        fake(ScramHash::Sha256, &[8; 32], "user"),
    ] {
        assert_ne!(salt(&one), salt(&other));
    }
    let real = ScramVerifier::new(ScramHash::Sha256, "x", &[1; FAKE_SALT_BYTES], ITERATIONS).unwrap();
    assert_eq!((salt(&one).len(), one.iterations()), (salt(&real).len(), real.iterations()));
}
