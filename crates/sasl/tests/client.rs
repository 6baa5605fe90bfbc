//! A client that is written here, from the RFCs, and shares no code with the server: with the right password it is
//! let in and sees that the server knows it, with any other it is not.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]

mod common;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::{Driver, END_POINT, EXPORTER, Outcome, account, challenge, done};
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use proptest::prelude::*;
use sasl::{Mechanism, Refusal};
use sha1::Sha1;
use sha2::Sha256;

const NONCE: &str = "a-client's-nonce";

/// The client's side of RFC 5802 §3, with what the test changes on it.
struct Client {
    is_sha_256: bool,
    name: String,
    password: String,
    /// With its commas: `n,,`.
    gs2_header: String,
    channel_data: Vec<u8>,
}

/// What the client has learnt, for its proof and for that of the server.
struct Proven {
    message: String,
    server_final: String,
}

impl Client {
    fn new(mechanism: Mechanism, password: &str) -> Self {
        let (gs2_header, channel_data) = match mechanism {
            Mechanism::ScramSha1Plus => ("p=tls-server-end-point,,", END_POINT.to_vec()),
            Mechanism::ScramSha256Plus => ("p=tls-exporter,,", EXPORTER.to_vec()),
            _ => ("n,,", Vec::new()),
        };
        Self {
            is_sha_256: matches!(mechanism, Mechanism::ScramSha256 | Mechanism::ScramSha256Plus),
            name: "user".into(),
            password: password.into(),
            gs2_header: gs2_header.into(),
            channel_data,
        }
    }

    fn first_bare(&self) -> String {
        format!("n={},r={NONCE}", self.name.replace('=', "=3D").replace(',', "=2C"))
    }

    fn first(&self) -> String {
        format!("{}{}", self.gs2_header, self.first_bare())
    }

    fn last(&self, server_first: &str) -> Proven {
        let attribute = |name: &str| {
            let found = server_first.split(',').find_map(|attribute| attribute.strip_prefix(name));
            found.unwrap_or_else(|| panic!("{name} in {server_first}"))
        };
        let nonce = attribute("r=");
        assert!(nonce.starts_with(NONCE) && nonce.len() >= NONCE.len() + 18, "{nonce}");
        let (salt, count) = (STANDARD.decode(attribute("s=")).unwrap(), attribute("i=").parse().unwrap());
        let salted = self.hi(self.password.as_bytes(), &salt, count);
        let client_key = self.hmac(&salted, b"Client Key");
        let stored_key = self.hash(&client_key);
        let binding = STANDARD.encode([self.gs2_header.as_bytes(), &self.channel_data].concat());
        let without_proof = format!("c={binding},r={nonce}");
        let auth_message = format!("{},{server_first},{without_proof}", self.first_bare());
        let signature = self.hmac(&stored_key, auth_message.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        let server_key = self.hmac(&salted, b"Server Key");
        let server = STANDARD.encode(self.hmac(&server_key, auth_message.as_bytes()));
        Proven {
            message: format!("{without_proof},p={}", STANDARD.encode(proof)),
            server_final: format!("v={server}"),
        }
    }

    /// The iteration of §2.2, written out.
    fn hi(&self, password: &[u8], salt: &[u8], count: u32) -> Vec<u8> {
        let mut block = self.hmac(password, &[salt, &[0, 0, 0, 1]].concat());
        let mut result = block.clone();
        for _ in 1..count {
            block = self.hmac(password, &block);
            result.iter_mut().zip(&block).for_each(|(result, octet)| *result ^= octet);
        }
        result
    }

    fn hmac(&self, key: &[u8], text: &[u8]) -> Vec<u8> {
        if self.is_sha_256 {
            Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(text).finalize().into_bytes().to_vec()
        } else {
            Hmac::<Sha1>::new_from_slice(key).unwrap().chain_update(text).finalize().into_bytes().to_vec()
        }
    }

    fn hash(&self, text: &[u8]) -> Vec<u8> {
        if self.is_sha_256 { Sha256::digest(text).to_vec() } else { Sha1::digest(text).to_vec() }
    }
}

const SCRAM: [Mechanism; 4] =
    [Mechanism::ScramSha1, Mechanism::ScramSha1Plus, Mechanism::ScramSha256, Mechanism::ScramSha256Plus];

/// Plays the exchange as the client wants it, with its last message changed by `change`.
fn scram(
    mechanism: Mechanism,
    password: &str,
    client: &Client,
    change: impl FnOnce(String) -> String,
) -> Outcome {
    let account = account(password);
    let mut driver = Driver::new(mechanism, &account);
    assert_eq!(driver.start(None), challenge(""));
    let Outcome::Challenge(server_first) = driver.respond(client.first().as_bytes()) else {
        return Outcome::Refused(Refusal::Malformed);
    };
    let proven = client.last(std::str::from_utf8(&server_first).unwrap());
    match driver.respond(change(proven.message).as_bytes()) {
        Outcome::Challenge(server_final) => {
            assert_eq!(server_final, proven.server_final.as_bytes(), "the server proves itself too");
            driver.respond(b"")
        }
        other => other,
    }
}

/// What a test does to the last message of the client.
type Change = fn(String) -> String;

fn unchanged(message: String) -> String {
    message
}

#[test]
fn scram_lets_the_right_password_in_and_no_other() {
    for mechanism in SCRAM {
        let client = Client::new(mechanism, "pencil");
        assert_eq!(scram(mechanism, "pencil", &client, unchanged), done("user", ""), "{mechanism:?}");
        for wrong in ["pencil ", "Pencil", "", "penci"] {
            let client = Client::new(mechanism, wrong);
            let outcome = scram(mechanism, "pencil", &client, unchanged);
            assert_eq!(outcome, Outcome::Refused(Refusal::Credentials), "{mechanism:?} {wrong:?}");
        }
    }
}

#[test]
fn scram_takes_passwords_beyond_ascii_in_their_prepared_form() {
    let client = Client::new(Mechanism::ScramSha256, "1\u{2044}2 \u{e9}");
    let outcome = scram(Mechanism::ScramSha256, "\u{BD}\u{A0}e\u{301}", &client, unchanged);
    assert_eq!(outcome, done("user", ""));
}

#[test]
fn a_name_without_an_account_is_refused_at_the_proof_and_not_before() {
    for mechanism in SCRAM {
        let mut client = Client::new(mechanism, "pencil");
        client.name = "no=body,here".into();
        let outcome = scram(mechanism, "pencil", &client, unchanged);
        assert_eq!(outcome, Outcome::Refused(Refusal::Credentials), "{mechanism:?}");
    }
}

#[test]
fn a_name_without_an_account_sees_the_same_salt_each_time_in_letters_of_any_case() {
    let account = account("pencil");
    let salt = |name: &str| {
        let mut driver = Driver::new(Mechanism::ScramSha256, &account);
        let Outcome::Challenge(first) = driver.start(Some(format!("n,,n={name},r=x").as_bytes())) else {
            panic!()
        };
        String::from_utf8(first).unwrap().split(',').nth(1).unwrap().to_owned()
    };
    assert_eq!(salt("nobody"), salt("nobody"));
    assert_eq!(salt("nobody"), salt("NoBody"));
    assert_ne!(salt("nobody"), salt("nobody2"));
    assert_ne!(salt("nobody"), salt("user"));
    assert_eq!(salt("nobody").len(), salt("user").len());
}

#[test]
fn a_client_that_is_bound_to_another_connection_is_refused() {
    for (header, data) in [
        ("p=tls-exporter,,", END_POINT.to_vec()),
        ("p=tls-exporter,,", [&EXPORTER[..], b"x"].concat()),
        ("p=tls-exporter,,", Vec::new()),
        ("p=tls-server-end-point,,", EXPORTER.to_vec()),
    ] {
        let mut client = Client::new(Mechanism::ScramSha256Plus, "pencil");
        (client.gs2_header, client.channel_data) = (header.into(), data);
        let outcome = scram(Mechanism::ScramSha256Plus, "pencil", &client, unchanged);
        assert_eq!(outcome, Outcome::Refused(Refusal::ChannelBinding), "{header}");
    }
}

#[test]
fn a_header_that_was_changed_on_the_way_is_refused() {
    let mut client = Client::new(Mechanism::ScramSha256, "pencil");
    for other in ["y,,", "n,a=root,", "p=tls-exporter,,"] {
        let change = |message: String| message.replace("c=biws", &format!("c={}", STANDARD.encode(other)));
        let outcome = scram(Mechanism::ScramSha256, "pencil", &client, change);
        assert_eq!(outcome, Outcome::Refused(Refusal::ChannelBinding), "{other}");
    }
    client.gs2_header = "n,a=ro=2Cot,".into();
    assert_eq!(scram(Mechanism::ScramSha256, "pencil", &client, unchanged), done("user", "ro,ot"));
}

#[test]
fn a_last_message_that_is_changed_is_refused() {
    let flipped = |message: String| {
        let (head, proof) = message.rsplit_once(",p=").unwrap();
        let mut proof = STANDARD.decode(proof).unwrap();
        proof[7] ^= 1;
        format!("{head},p={}", STANDARD.encode(proof))
    };
    let cut = |message: String| {
        let (head, proof) = message.rsplit_once(",p=").unwrap();
        let proof = STANDARD.decode(proof).unwrap();
        format!("{head},p={}", STANDARD.encode(&proof[..31]))
    };
    let longer = |message: String| {
        let (head, proof) = message.rsplit_once(",p=").unwrap();
        let proof = [STANDARD.decode(proof).unwrap(), vec![0]].concat();
        format!("{head},p={}", STANDARD.encode(proof))
    };
    let changes: [(Change, Refusal); 7] = [
        (flipped, Refusal::Credentials),
        (cut, Refusal::Credentials),
        (longer, Refusal::Credentials),
        (|message| message.replace(NONCE, "another nonce"), Refusal::Malformed),
        (|message| message.replace(",p=", "x,p="), Refusal::Malformed),
        (|message| message.replace(",p=", ",x=y,p="), Refusal::Credentials),
        (|message| message.replace(",p=", ",m=y,p="), Refusal::Malformed),
    ];
    let client = Client::new(Mechanism::ScramSha256, "pencil");
    for (index, (change, refusal)) in changes.into_iter().enumerate() {
        let outcome = scram(Mechanism::ScramSha256, "pencil", &client, change);
        assert_eq!(outcome, Outcome::Refused(refusal), "change {index}");
    }
}

#[test]
fn success_comes_only_after_the_client_has_seen_the_proof_of_the_server() {
    let account = account("pencil");
    let client = Client::new(Mechanism::ScramSha256, "pencil");
    let mut driver = Driver::new(Mechanism::ScramSha256, &account);
    let Outcome::Challenge(first) = driver.start(Some(client.first().as_bytes())) else { panic!() };
    let proven = client.last(std::str::from_utf8(&first).unwrap());
    assert_eq!(driver.respond(proven.message.as_bytes()), challenge(&proven.server_final));
    assert_eq!(driver.respond(b"x"), Outcome::Refused(Refusal::Malformed));
    assert_eq!(driver.respond(b""), Outcome::Refused(Refusal::Malformed));
}

/// One exchange by a client that knows how, in any mechanism.
fn log_in(mechanism: Mechanism, of_the_account: &str, of_the_client: &str) -> Outcome {
    if SCRAM.contains(&mechanism) {
        let client = Client::new(mechanism, of_the_client);
        return scram(mechanism, of_the_account, &client, unchanged);
    }
    let account = account(of_the_account);
    let mut driver = Driver::new(mechanism, &account);
    match mechanism {
        Mechanism::Plain => driver.start(Some(format!("\0user\0{of_the_client}").as_bytes())),
        Mechanism::Login => match driver.start(Some(b"user")) {
            Outcome::Challenge(_) => driver.respond(of_the_client.as_bytes()),
            other => other,
        },
        Mechanism::CramMd5 => {
            let Outcome::Challenge(challenge) = driver.start(None) else { panic!() };
            let mac = Hmac::<Md5>::new_from_slice(of_the_client.as_bytes()).unwrap();
            let digest = mac.chain_update(challenge).finalize().into_bytes();
            let digest: String = digest.iter().map(|octet| format!("{octet:02x}")).collect();
            driver.respond(format!("user {digest}").as_bytes())
        }
        other => panic!("{other:?} has no password"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_mechanism_lets_in_whoever_has_the_password_and_nobody_else(
        password in "[ -~]{1,40}",
        other in "[ -~]{1,40}",
        mechanism in prop::sample::select(vec![
            Mechanism::Plain, Mechanism::Login, Mechanism::CramMd5, Mechanism::ScramSha1, Mechanism::ScramSha1Plus,
            Mechanism::ScramSha256, Mechanism::ScramSha256Plus,
        ]),
    ) {
        prop_assert_eq!(log_in(mechanism, &password, &password), done("user", ""));
        if other != password {
            prop_assert_eq!(log_in(mechanism, &password, &other), Outcome::Refused(Refusal::Credentials));
        }
    }
}
