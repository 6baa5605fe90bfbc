//! AUTH at a smart host (RFC 4954).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mta::tls::HopTls;
use sasl::{Exchange, Mechanism, ScramHash, ScramVerifier, Secret, Setup, Step};
use smtp::client::Passwords;

use super::peer::*;
use super::secure::{Authority, GOOD, NAME, try_open, verified};
use crate::delivery::connection::{Begin, Connection, Login, Terms};

const PASSWORD: &str = "open sesame";

fn with_login(terms: Terms, passwords: Passwords) -> Terms {
    let login = Login { user: "ada".to_owned(), password: Secret::new(PASSWORD), passwords };
    Terms { login: Some(login), ..terms }
}

/// Without TLS, and somebody has said that the password may be said all the same.
fn allowed() -> Terms {
    with_login(terms(), Passwords::InClear)
}

fn offering(auth: &str) -> String {
    format!("S: 220 x\nC: EHLO relay.example.org\nS: 250-x\nS: 250 AUTH {auth}")
}

fn encoded(text: &str) -> String {
    STANDARD.encode(text)
}

#[tokio::test(start_paused = true)]
async fn plain_and_login_are_said_where_somebody_allows_it() {
    let plain = encoded("\0ada\0open sesame");
    let script = format!("{}\nC: AUTH PLAIN {plain}\nS: 235 ok", offering("PLAIN LOGIN"));
    let (mut connection, _peer) = open(&allowed(), &script).await;
    assert!(connection.is_reusable());
    let (name, password) = (encoded("ada"), encoded(PASSWORD));
    let script = format!(
        "{}\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: {name}\nS: 334 UGFzc3dvcmQ6\nC: {password}\nS: 235 ok",
        offering("LOGIN")
    );
    let (mut connection, _peer) = open(&allowed(), &script).await;
    assert!(connection.is_reusable());
}

#[tokio::test]
async fn a_password_is_said_within_tls_to_a_verified_server_alone() {
    let authority = Authority::new();
    let server = || authority.server(NAME, GOOD);
    let first = |tls| Terms { begin: Begin::WithTls, ..authority.terms(tls) };
    for offered in ["PLAIN", "LOGIN", "PLAIN LOGIN"] {
        let script = format!("{}\nC: QUIT\nS: 221 bye", offering(offered));
        let clear = refused(&with_login(terms(), Passwords::Protected), &script).await;
        let anybody = with_login(first(HopTls::Required), Passwords::Protected);
        let (anybody, _peer) = try_open(&anybody, "", server(), &script).await;
        for refused in [clear, anybody.unwrap_err()] {
            assert_eq!(word(&refused.outcome), "deferred 4.7.11 next host, duplicate impossible");
        }
    }
    let script = format!("{}\nC: AUTH PLAIN {}\nS: 235 ok", offering("PLAIN"), encoded("\0ada\0open sesame"));
    let terms = with_login(first(verified()), Passwords::Protected);
    let (connection, _peer) = try_open(&terms, "", server(), &script).await;
    assert!(connection.unwrap().is_reusable());
}

/// Plays the server's part of SCRAM-SHA-256 (RFC 7677), with the password or a forged proof.
async fn scram(peer: &mut Peer, verifier: Option<ScramVerifier>) -> Option<()> {
    peer.play(&offering("PLAIN SCRAM-SHA-1 SCRAM-SHA-256")).await;
    let line = peer.line().await?;
    let initial = STANDARD.decode(line.strip_prefix("AUTH SCRAM-SHA-256 ")?).ok()?;
    let setup = Setup {
        host_name: "mx.example.net".to_owned(),
        nonce: [9; 18],
        time_s: 0,
        channel_bindings: Vec::new(),
        fake_salt_key: [1; 32],
    };
    let mut exchange = Exchange::new(Mechanism::ScramSha256, setup);
    let mut step = exchange.start(Some(&initial));
    loop {
        step = match step {
            Step::FetchScram { .. } => exchange.scram(verifier.clone()),
            Step::Challenge(octets) => {
                peer.say(&format!("334 {}\r\n", STANDARD.encode(octets))).await;
                let line = peer.line().await?;
                exchange.respond(&STANDARD.decode(line).ok()?)
            }
            Step::Done(_) => {
                peer.say("235 ok\r\n").await;
                return Some(());
            }
            _ => {
                peer.say("535 5.7.8 no\r\n").await;
                return None;
            }
        };
    }
}

#[tokio::test(start_paused = true)]
async fn scram_comes_before_plain_and_may_go_in_clear_text() {
    let terms = with_login(terms(), Passwords::Protected);
    let verifier = ScramVerifier::new(ScramHash::Sha256, PASSWORD, b"salt", 4096).unwrap();
    let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
    let mut peer = Peer::new(theirs);
    let target = target();
    let (connection, done) =
        tokio::join!(Connection::open(Box::new(ours), &target, &terms), scram(&mut peer, Some(verifier)));
    assert_eq!(done, Some(()));
    assert!(connection.unwrap().is_reusable());
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_defers_for_the_operator_to_mend() {
    let terms = with_login(terms(), Passwords::Protected);
    let verifier = ScramVerifier::new(ScramHash::Sha256, "another", b"salt", 4096).unwrap();
    let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
    let target = target();
    let script = async move { scram(&mut Peer::new(theirs), Some(verifier)).await };
    let (connection, done) = tokio::join!(Connection::open(Box::new(ours), &target, &terms), script);
    assert_eq!(done, None);
    let refused = connection.unwrap_err();
    assert_eq!(word(&refused.outcome), "deferred 4.7.8 next host, duplicate impossible");
}

/// RFC 5802 §5: 235 without a proof is of somebody who does not know the password.
#[tokio::test(start_paused = true)]
async fn a_server_that_lets_in_without_a_proof_gets_no_mail() {
    let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
    let (target, terms) = (target(), allowed());
    let script = async move {
        let mut peer = Peer::new(theirs);
        peer.play(&offering("SCRAM-SHA-256")).await;
        peer.line().await.unwrap();
        peer.play("S: 235 2.7.0 welcome").await;
        assert!(!peer.rest().await.contains("MAIL"));
    };
    let (connection, ()) = tokio::join!(Connection::open(Box::new(ours), &target, &terms), script);
    let refused = connection.unwrap_err();
    assert_eq!(word(&refused.outcome), "deferred 4.7.8 next host, duplicate impossible");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_repeats_the_password_is_kept_nowhere() {
    let plain = encoded("\0ada\0open sesame");
    for said in [PASSWORD.to_owned(), encoded(PASSWORD), plain.clone()] {
        let script = format!(
            "{}\nC: AUTH PLAIN {plain}\nS: 535 5.7.8 {said} is wrong\nC: QUIT\nS: 221 bye",
            offering("PLAIN")
        );
        let refused = refused(&allowed(), &script).await;
        assert_eq!(word(&refused.outcome), "deferred 4.7.8 next host, duplicate impossible");
        let kept = format!("{refused:?}");
        assert!(!kept.contains(&said), "{kept}");
    }
    assert!(!format!("{:?}", allowed()).contains(PASSWORD));
}

#[tokio::test(start_paused = true)]
async fn no_auth_and_none_that_is_known_defer_too() {
    for offered in ["S: 250 x", "S: 250-x\nS: 250 AUTH GSSAPI NTLM"] {
        let script = format!("S: 220 x\nC: EHLO relay.example.org\n{offered}\nC: QUIT\nS: 221 bye");
        let refused = refused(&allowed(), &script).await;
        assert_eq!(word(&refused.outcome), "deferred 4.7.4 next host, duplicate impossible", "{offered}");
    }
}
