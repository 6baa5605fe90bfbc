//! The examples of the RFCs, and each mechanism from its name to its outcome. Those of SCRAM, whose nonces are
//! given, are beside its code.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]

mod common;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::{Account, Driver, Outcome, account, challenge, done, setup};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sasl::{Exchange, Mechanism, Refusal, Step, TokenFault, TokenProblem};

fn decoded(base64: &str) -> Vec<u8> {
    STANDARD.decode(base64.replace(char::is_whitespace, "")).unwrap()
}

#[test]
fn plain_as_in_rfc_4616_4() {
    let account = Account { name: "tim", password: "tanstaaftanstaaf".into(), token: "" };
    let mut without_initial = Driver::new(Mechanism::Plain, &account);
    assert_eq!(without_initial.start(None), challenge(""));
    assert_eq!(without_initial.respond(b"\0tim\0tanstaaftanstaaf"), done("tim", ""));
    let kurt = Account { name: "Kurt", password: "xipj3plmq".into(), token: "" };
    // Whether Kurt may act as Ursel is not this crate's to say; the example says no.
    let initial = Driver::new(Mechanism::Plain, &kurt).start(Some(b"Ursel\0Kurt\0xipj3plmq"));
    assert_eq!(initial, done("Kurt", "Ursel"));
}

#[test]
fn login_asks_twice_and_takes_the_name_at_once() {
    let account = account("pencil");
    let mut asked = Driver::new(Mechanism::Login, &account);
    assert_eq!(asked.start(None), challenge("Username:"));
    assert_eq!(asked.respond(b"user"), challenge("Password:"));
    assert_eq!(asked.respond(b"pencil"), done("user", ""));
    let mut at_once = Driver::new(Mechanism::Login, &account);
    assert_eq!(at_once.start(Some(b"user")), challenge("Password:"));
    assert_eq!(at_once.respond(b"pen"), Outcome::Refused(Refusal::Credentials));
    let mut unknown = Driver::new(Mechanism::Login, &account);
    assert_eq!(unknown.start(Some(b"nobody")), challenge("Password:"));
    assert_eq!(unknown.respond(b"pencil"), Outcome::Refused(Refusal::Credentials));
}

/// The computation of RFC 2195 §2 is tested beside its code, with the challenge of the example.
#[test]
fn cram_md5_takes_the_keyed_digest_of_its_own_challenge_and_no_other() {
    let account = account("tanstaaftanstaaf");
    let answer = |secret: &str, name: &str, change: &str| {
        let mut driver = Driver::new(Mechanism::CramMd5, &account);
        let Outcome::Challenge(challenge) = driver.start(None) else { panic!() };
        let mac = Hmac::<Md5>::new_from_slice(secret.as_bytes()).unwrap();
        let digest = mac.chain_update(&challenge).chain_update(change).finalize().into_bytes();
        let digest: String = digest.iter().map(|octet| format!("{octet:02x}")).collect();
        driver.respond(format!("{name} {digest}").as_bytes())
    };
    assert_eq!(answer("tanstaaftanstaaf", "user", ""), done("user", ""));
    for (secret, name, change) in [
        ("tanstaaf", "user", ""),
        ("tanstaaftanstaaf", "nobody", ""),
        ("", "nobody", ""),
        ("tanstaaftanstaaf", "user", "x"),
    ] {
        assert_eq!(answer(secret, name, change), Outcome::Refused(Refusal::Credentials), "{secret} {name}");
    }
}

#[test]
fn oauthbearer_as_in_rfc_7628_4_1() {
    let of_imap = "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyI
        HZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB";
    let of_smtp =
        "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9NTg3AWF1dGg9QmVhcmVyIHZGOWRmd
        DRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB";
    for message in [of_imap, of_smtp] {
        let mut exchange = Exchange::new(Mechanism::OAuthBearer, setup());
        let step = exchange.start(Some(&decoded(message)));
        let Step::VerifyToken { authcid, token } = step else { panic!("{step:?}") };
        assert_eq!(authcid, "user@example.com");
        assert_eq!(token.reveal(), "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==");
        let step = exchange.token(Ok("user@example.com".into()));
        assert!(matches!(&step, Step::Done(identity) if identity.authzid.is_empty()), "{step:?}");
    }
}

#[test]
fn an_oauthbearer_exchange_that_fails_as_in_rfc_7628_4_3() {
    let query = "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9AQE=";
    let error = "eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIiwic2NvcGUiOiJleGFtcGxl
        X3Njb3BlIiwib3BlbmlkLWNvbmZpZ3VyYXRpb24iOiJodHRwczovL2V4
        YW1wbGUuY29tLy53ZWxsLWtub3duL29wZW5pZC1jb25maWd1cmF0aW9uIn0=";
    let mut exchange = Exchange::new(Mechanism::OAuthBearer, setup());
    let step = exchange.start(Some(&decoded(query)));
    let Step::VerifyToken { authcid, token } = step else { panic!("{step:?}") };
    assert_eq!((authcid.as_str(), token.reveal()), ("user@example.com", ""));
    let step = exchange.token(Err(TokenProblem {
        fault: TokenFault::Invalid,
        scope: Some("example_scope".into()),
        openid_configuration: Some("https://example.com/.well-known/openid-configuration".into()),
    }));
    let Step::Challenge(octets) = step else { panic!("{step:?}") };
    assert_eq!(String::from_utf8(octets).unwrap(), String::from_utf8(decoded(error)).unwrap());
    assert!(matches!(exchange.respond(&decoded("AQ==")), Step::Refused(Refusal::Credentials)));
}

/// Its message says `user=` where the grammar has `a=`.
#[test]
fn an_oauthbearer_exchange_over_smtp_that_fails_as_in_rfc_7628_4_4() {
    let message = "bix1c2VyPXNvbWV1c2VyQGV4YW1wbGUuY29tLAFhdXRoPUJlYXJl
       ciB2RjlkZnQ0cW1UYzJOdmIzUmxja0JoZEhSaGRtbHpkR0V1WTI5dENnPT0BAQ==";
    let mut exchange = Exchange::new(Mechanism::OAuthBearer, setup());
    let step = exchange.start(Some(&decoded(message)));
    assert!(
        matches!(&step, Step::VerifyToken { authcid, .. } if authcid == "someuser@example.com"),
        "{step:?}"
    );
    let step = exchange.token(Err(TokenFault::Invalid.into()));
    assert!(
        matches!(&step, Step::Challenge(octets) if octets == br#"{"status":"invalid_token"}"#),
        "{step:?}"
    );
    assert!(matches!(exchange.respond(&decoded("AQ==")), Step::Refused(Refusal::Credentials)));
}

#[test]
fn xoauth2_in_the_form_that_google_documents() {
    let message =
        b"user=someuser@example.com\x01auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\x01\x01";
    let mut exchange = Exchange::new(Mechanism::XOAuth2, setup());
    assert!(matches!(exchange.start(None), Step::Challenge(empty) if empty.is_empty()));
    let step = exchange.respond(message);
    let Step::VerifyToken { authcid, token } = step else { panic!("{step:?}") };
    assert_eq!(authcid, "someuser@example.com");
    assert_eq!(token.reveal(), "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg");
    let scope = Some("https://mail.example/".into());
    let problem = TokenProblem { scope, ..TokenFault::Invalid.into() };
    let Step::Challenge(octets) = exchange.token(Err(problem)) else { panic!() };
    let error = r#"{"status":"401","schemes":"Bearer","scope":"https://mail.example/"}"#;
    assert_eq!(String::from_utf8(octets).unwrap(), error);
    assert!(matches!(exchange.respond(b""), Step::Refused(Refusal::Credentials)));
}

#[test]
fn a_token_for_another_account_says_as_whom_the_client_wants_to_act() {
    for (asked, account, authzid) in [("user", "user", ""), ("other", "user", "other"), ("", "user", "")] {
        let mut exchange = Exchange::new(Mechanism::OAuthBearer, setup());
        let header = if asked.is_empty() { "n,,".to_owned() } else { format!("y,a={asked},") };
        let _ = exchange.start(Some(format!("{header}\x01auth=bEARER abc\x01\x01").as_bytes()));
        let step = exchange.token(Ok(account.into()));
        let Step::Done(identity) = step else { panic!("{step:?}") };
        assert_eq!((identity.authcid.as_str(), identity.authzid.as_str()), (account, authzid));
    }
}

#[test]
fn each_fault_of_a_token_has_its_status_and_its_refusal() {
    for (fault, bearer, google, refusal) in [
        (TokenFault::Invalid, "invalid_token", "401", Refusal::Credentials),
        (TokenFault::InsufficientScope, "insufficient_scope", "403", Refusal::Credentials),
        (TokenFault::Unavailable, "temporarily_unavailable", "503", Refusal::Unavailable),
    ] {
        for (mechanism, message, status) in [
            (Mechanism::OAuthBearer, &b"n,,\x01auth=Bearer abc\x01\x01"[..], bearer),
            (Mechanism::XOAuth2, b"user=user\x01auth=Bearer abc\x01\x01", google),
        ] {
            let mut exchange = Exchange::new(mechanism, setup());
            let _ = exchange.start(Some(message));
            let Step::Challenge(octets) = exchange.token(Err(fault.into())) else { panic!() };
            let error = String::from_utf8(octets).unwrap();
            assert!(error.starts_with(&format!("{{\"status\":\"{status}\"")), "{error}");
            // Whatever the client says to it.
            let Step::Refused(refused) = exchange.respond(b"\x01 or anything else") else { panic!() };
            assert_eq!(refused, refusal);
        }
    }
}

#[test]
fn what_is_configured_cannot_break_the_json_of_an_error() {
    let mut exchange = Exchange::new(Mechanism::XOAuth2, setup());
    let _ = exchange.start(Some(b"user=user\x01auth=Bearer abc\x01\x01"));
    let problem = TokenProblem {
        fault: TokenFault::Invalid,
        scope: Some("a\"b\\c\r\n\u{1b}\u{e9}d".into()),
        openid_configuration: Some("\"".into()),
    };
    let Step::Challenge(octets) = exchange.token(Err(problem)) else { panic!() };
    let error = r#"{"status":"401","schemes":"Bearer","scope":"a\"b\\cd","openid-configuration":"\""}"#;
    assert_eq!(String::from_utf8(octets).unwrap(), error);
}
