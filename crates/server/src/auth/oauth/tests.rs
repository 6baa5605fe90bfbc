//! Tokens made here, with keys made here, whose public halves are published in a file or by HTTP on loopback.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::KeyPair;
use serde_json::{Value, json};

use super::*;
use crate::config::{JwksSource, Oauth};

const ISSUER: &str = "https://login.example.org";

/// 2026-11-22, the seconds of which claims are.
const NOW_S: u64 = 1_795_300_000;

fn now() -> Timestamp {
    Timestamp::from_millis(NOW_S * 1000)
}

/// One key of the issuer.
struct Key {
    id: &'static str,
    algorithm: Algorithm,
    private: EncodingKey,
    public: Value,
}

impl Key {
    fn new(id: &'static str, algorithm: Algorithm) -> Self {
        let pair = |kind| KeyPair::generate_for(kind).unwrap();
        let coordinate = |octets: &[u8]| URL_SAFE_NO_PAD.encode(octets);
        let (private, mut public) = match algorithm {
            Algorithm::ES256 | Algorithm::ES384 => {
                let (kind, curve) = if algorithm == Algorithm::ES256 {
                    (&rcgen::PKCS_ECDSA_P256_SHA256, "P-256")
                } else {
                    (&rcgen::PKCS_ECDSA_P384_SHA384, "P-384")
                };
                let key = pair(kind);
                // An uncompressed point: 4, x, y.
                let (x, y) = key.public_key_raw()[1..].split_at((key.public_key_raw().len() - 1) / 2);
                let public = json!({"kty": "EC", "crv": curve, "x": coordinate(x), "y": coordinate(y)});
                (EncodingKey::from_ec_der(&key.serialize_der()), public)
            }
            Algorithm::EdDSA => {
                let key = pair(&rcgen::PKCS_ED25519);
                let public = json!({"kty": "OKP", "crv": "Ed25519", "x": coordinate(key.public_key_raw())});
                (EncodingKey::from_ed_der(&key.serialize_der()), public)
            }
            _ => {
                let private = EncodingKey::from_rsa_der(&rsa_private_key());
                let jwk = jsonwebtoken::jwk::Jwk::from_encoding_key(&private, algorithm).unwrap();
                (private, serde_json::to_value(jwk).unwrap())
            }
        };
        public["kid"] = id.into();
        public["use"] = "sig".into();
        Self { id, algorithm, private, public }
    }

    fn token(&self, claims: &Value) -> Secret {
        let header = Header { kid: Some(self.id.to_owned()), ..Header::new(self.algorithm) };
        Secret::new(jsonwebtoken::encode(&header, claims, &self.private).unwrap())
    }
}

/// PKCS #1, out of the PKCS #8 that is made: version, algorithm, and the key in an OCTET STRING (RFC 5208 §5).
fn rsa_private_key() -> Vec<u8> {
    let pkcs8 = KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap().serialize_der();
    let begin = pkcs8.windows(4).position(|octets| octets[0] == 0x04 && octets[1] == 0x82).unwrap();
    pkcs8[begin + 4..].to_vec()
}

fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "aud": "mail",
        "sub": "1234",
        "email": "ada@example.org",
        "exp": NOW_S + 300,
        "nbf": NOW_S - 10,
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

fn key_set(keys: &[&Key]) -> String {
    json!({ "keys": keys.iter().map(|key| key.public.clone()).collect::<Vec<_>>() }).to_string()
}

fn issuers(jwks: JwksSource) -> Issuers {
    let audience = "mail".to_owned();
    Issuers::new(&[Oauth { issuer: ISSUER.to_owned(), audience, jwks, account_claim: "email".to_owned() }])
}

fn published(folder: &Path, keys: &[&Key]) -> (Issuers, PathBuf) {
    let path = folder.join("jwks.json");
    std::fs::write(&path, key_set(keys)).unwrap();
    (issuers(JwksSource::File(path.clone())), path)
}

fn ada() -> Result<String, TokenError> {
    Ok("ada@example.org".to_owned())
}

#[tokio::test]
async fn a_token_of_each_algorithm_is_good_with_its_own_key_alone() {
    let folder = tempfile::tempdir().unwrap();
    let algorithms =
        [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA];
    for algorithm in algorithms {
        let (key, other) = (Key::new("one", algorithm), Key::new("one", algorithm));
        let (issuers, _) = published(folder.path(), &[&key]);
        assert_eq!(issuers.account_of(&key.token(&claims()), now()).await, ada(), "{algorithm:?}");
        let forged = issuers.account_of(&other.token(&claims()), now()).await;
        assert_eq!(forged, Err(TokenError::Refused("the token's signature is wrong")), "{algorithm:?}");
    }
}

#[tokio::test]
async fn claims_decide() {
    let folder = tempfile::tempdir().unwrap();
    let key = Key::new("one", Algorithm::ES256);
    let (issuers, _) = published(folder.path(), &[&key]);
    let good = [
        claims(),
        with("aud", json!(["other", "mail"])),
        with("exp", json!(NOW_S - 59)),
        with("exp", json!(NOW_S as f64 + 0.5)),
        with("nbf", json!(NOW_S + 60)),
        without("nbf"),
        with("email_verified", json!(true)),
    ];
    for claims in good {
        assert_eq!(issuers.account_of(&key.token(&claims), now()).await, ada(), "{claims}");
    }
    let bad = [
        (with("iss", json!("https://login.example.net")), "the token is of an issuer that is not configured"),
        (with("iss", json!([ISSUER])), "the token is of an issuer that is not configured"),
        (without("iss"), "the token is of an issuer that is not configured"),
        (with("aud", json!("web")), "the token is meant for somebody else"),
        (with("aud", json!(["web", 1])), "the token is meant for somebody else"),
        (without("aud"), "the token is meant for somebody else"),
        (with("exp", json!(NOW_S - 60)), "the token has expired"),
        (with("exp", json!("never")), "the token has a time that is no number"),
        (without("exp"), "the token has no end"),
        (with("nbf", json!(NOW_S + 61)), "the token is not good yet"),
        (with("email_verified", json!(false)), "the token's issuer has not verified the address"),
        (without("email"), "the token does not name an account"),
        (with("email", json!("")), "the token does not name an account"),
        (with("email", json!(["ada@example.org"])), "the token does not name an account"),
    ];
    for (claims, why) in bad {
        let found = issuers.account_of(&key.token(&claims), now()).await;
        assert_eq!(found, Err(TokenError::Refused(why)), "{claims}");
    }
}

/// RFC 8725 §2.1: the attacks by way of the header.
#[tokio::test]
async fn no_header_makes_a_token_good() {
    const NOT_TAKEN: &str = "the token is signed in a way that is not taken";
    const MALFORMED: &str = "the token is not in the form of RFC 7519";
    let folder = tempfile::tempdir().unwrap();
    let key = Key::new("one", Algorithm::ES256);
    let (issuers, path) = published(folder.path(), &[&key]);
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let body = encode(&claims());
    // HMAC with the published key as its secret.
    let public = std::fs::read(path).unwrap();
    let header = Header { kid: Some("one".into()), ..Header::new(Algorithm::HS256) };
    let hmac = jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_secret(&public)).unwrap();
    let good = key.token(&claims()).reveal().to_owned();
    let signature = good.rsplit_once('.').unwrap().1;
    let unsigned = |header: Value| format!("{}.{body}.", encode(&header));
    let rows = [
        (hmac, NOT_TAKEN),
        (unsigned(json!({"alg": "none"})), NOT_TAKEN),
        (unsigned(json!({"alg": "None", "kid": "one"})), NOT_TAKEN),
        (unsigned(json!({"alg": "ES256", "kid": "one"})), "the token's signature is wrong"),
        (
            unsigned(json!({"alg": "RS256", "kid": "one"})),
            "the token is signed with a key that its issuer does not publish",
        ),
        (
            unsigned(json!({"alg": "ES256", "crit": ["exp"]})),
            "the token asks for an extension (RFC 7515 §4.1.11)",
        ),
        (unsigned(json!({"kid": "one"})), MALFORMED),
        (
            format!(
                "{}.{}.{signature}",
                encode(&json!({"alg": "ES256", "kid": "one"})),
                encode(&with("email", json!("eve@example.org")))
            ),
            "the token's signature is wrong",
        ),
        (good.replace('.', ""), MALFORMED),
        (format!("{good}.x"), MALFORMED),
        (format!("{good}="), "the token's signature is wrong"),
        (String::new(), MALFORMED),
        ("..".to_owned(), MALFORMED),
        ("a".repeat(TOKEN_BYTES_MAX + 1), "the token is too long"),
    ];
    for (token, why) in rows {
        let found = issuers.account_of(&Secret::new(token.clone()), now()).await;
        assert_eq!(found, Err(TokenError::Refused(why)), "{token}");
    }
    assert_eq!(issuers.account_of(&Secret::new(good), now()).await, ada());
}

#[tokio::test]
async fn only_keys_that_are_for_signatures_of_the_algorithm_count() {
    let folder = tempfile::tempdir().unwrap();
    let mut key = Key::new("one", Algorithm::ES256);
    let token = key.token(&claims());
    for (name, value) in [
        ("use", json!("enc")),
        ("alg", json!("RS256")),
        ("crv", json!("P-384")),
        ("kty", json!("oct")),
        ("kid", json!("two")),
        ("key_ops", json!(["sign"])),
    ] {
        let before = std::mem::replace(&mut key.public[name], value);
        let (issuers, _) = published(folder.path(), &[&key]);
        assert!(issuers.account_of(&token, now()).await.is_err(), "{name}");
        if before.is_null() {
            key.public.as_object_mut().unwrap().remove(name);
        } else {
            key.public[name] = before;
        }
    }
    // A key that nobody knows how to use is passed over (RFC 7517 §5).
    let unknown = json!({"kty": "NEW", "kid": "new"});
    let set = json!({"keys": [unknown, 7, key.public]}).to_string();
    let path = folder.path().join("more.json");
    std::fs::write(&path, set).unwrap();
    assert_eq!(issuers(JwksSource::File(path)).account_of(&token, now()).await, ada());
}

#[tokio::test]
async fn a_new_key_is_found_and_strangers_cannot_make_the_keys_be_read_at_will() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (Key::new("old", Algorithm::ES256), Key::new("new", Algorithm::ES256));
    let (issuers, path) = published(folder.path(), &[&old]);
    assert_eq!(issuers.account_of(&old.token(&claims()), now()).await, ada());
    std::fs::write(&path, key_set(&[&new])).unwrap();
    let later = |seconds| now().plus(Duration::from_secs(seconds));
    let token = new.token(&claims());
    let unknown = TokenError::Refused("the token is signed with a key that its issuer does not publish");
    assert_eq!(issuers.account_of(&token, later(59)).await, Err(unknown), "read a moment ago");
    assert_eq!(issuers.account_of(&token, later(60)).await, ada());
    let taken_back = issuers.account_of(&old.token(&claims()), later(61)).await;
    assert_eq!(taken_back, Err(unknown));
}

#[tokio::test]
async fn an_issuer_that_cannot_be_reached_is_believed_for_a_day() {
    let folder = tempfile::tempdir().unwrap();
    let key = Key::new("one", Algorithm::ES256);
    let (issuers, path) = published(folder.path(), &[&key]);
    let late = with("exp", json!(NOW_S + 1_000_000));
    assert_eq!(issuers.account_of(&key.token(&late), now()).await, ada());
    std::fs::remove_file(&path).unwrap();
    let later = |hours: u64| now().plus(Duration::from_secs(hours * 60 * 60));
    assert_eq!(issuers.account_of(&key.token(&late), later(2)).await, ada());
    assert_eq!(issuers.account_of(&key.token(&late), later(24)).await, Err(TokenError::Unavailable));
    // What was never there is no better.
    let nowhere = super::tests::issuers(JwksSource::File(path));
    assert_eq!(nowhere.account_of(&key.token(&late), now()).await, Err(TokenError::Unavailable));
}

/// A server of HTTP that answers each request with the same octets, and counts.
fn http_server(answer: Vec<u8>) -> (JwksSource, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let source = JwksSource::Url(format!("http://{}/keys", listener.local_addr().unwrap()));
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    // It ends with the test's process.
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let mut request = Vec::new();
            let mut octet = [0];
            while !request.ends_with(b"\r\n\r\n") && socket.read(&mut octet).unwrap() == 1 {
                request.push(octet[0]);
                // A handshake of TLS is no request.
                if request[0] == 0x16 {
                    break;
                }
            }
            if request[0] == 0x16 {
                continue;
            }
            assert!(request.starts_with(b"GET /keys HTTP/1.1\r\n"));
            counted.fetch_add(1, Ordering::SeqCst);
            // Who has read enough goes away.
            let _ = socket.write_all(&answer);
        }
    });
    (source, requests)
}

fn http(status: &str, fields: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{fields}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")
        .into_bytes()
}

#[tokio::test]
async fn keys_are_fetched_by_http_once_for_many_logins() {
    let key = Key::new("one", Algorithm::RS256);
    let (source, requests) = http_server(http("200 OK", "", &key_set(&[&key])));
    let issuers = Arc::new(issuers(source));
    let token = key.token(&claims());
    let logins = (0..20).map(|_| {
        let (issuers, token) = (Arc::clone(&issuers), token.clone());
        tokio::spawn(async move { issuers.account_of(&token, now()).await })
    });
    for login in logins.collect::<Vec<_>>() {
        assert_eq!(login.await.unwrap(), ada());
    }
    assert_eq!(requests.load(Ordering::SeqCst), 1);
    let hour = now().plus(Duration::from_secs(60 * 60));
    let late = key.token(&with("exp", json!(NOW_S + 10_000)));
    assert_eq!(issuers.account_of(&late, hour).await, ada());
    assert_eq!(requests.load(Ordering::SeqCst), 2, "each hour");
}

#[tokio::test]
async fn what_is_no_answer_with_keys_is_none() {
    let key = Key::new("one", Algorithm::ES256);
    let (elsewhere, asked) = http_server(http("200 OK", "", &key_set(&[&key])));
    // TLS is begun, with a server that does not speak it.
    let JwksSource::Url(url) = &elsewhere else { panic!("no URL") };
    let secure = issuers(JwksSource::Url(url.replace("http://", "https://")));
    assert_eq!(secure.account_of(&key.token(&claims()), now()).await, Err(TokenError::Unavailable));
    let answers = [
        http("404 Not Found", "", &key_set(&[&key])),
        http("302 Found", &format!("Location: {elsewhere}\r\n"), ""),
        http("200 OK", "", "<html>"),
        http("200 OK", "", "{\"keys\": {}}"),
        http("200 OK", "", &format!("{}{}", key_set(&[&key]), " ".repeat(256 * 1024))),
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{".to_vec(),
        b"what".to_vec(),
        Vec::new(),
    ];
    for answer in answers {
        let shown = answer[..answer.len().min(60)].escape_ascii().to_string();
        let (source, _) = http_server(answer);
        let found = issuers(source).account_of(&key.token(&claims()), now()).await;
        assert_eq!(found, Err(TokenError::Unavailable), "{shown}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0, "no redirect is followed");
}
