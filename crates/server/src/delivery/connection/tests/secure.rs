//! TLS both ways, with certificates that were made for it.

use std::sync::Arc;

use mta::outcome::TlsTrouble;
use mta::tls::HopTls;
use net::tls::{Connector, Roots, Verification};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::DuplexStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use types::{Domain, MailParameters};

use super::peer::*;
use crate::delivery::connection::dialogue::Shown;
use crate::delivery::connection::{Begin, Connection, Handshake, Refused, Terms};

pub(super) const NAME: &str = "mx.example.net";

/// An authority of our own, and what it vouches for.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

/// Years within which a certificate is good.
pub(super) const GOOD: (i32, i32) = (2020, 2090);
const EXPIRED: (i32, i32) = (2001, 2002);

impl Authority {
    pub(super) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
        Self { issuer: Issuer::new(params, key), folder }
    }

    pub(super) fn server(&self, name: &str, years: (i32, i32)) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(years.0, 1, 1);
        params.not_after = date_time_ymd(years.1, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let chain = vec![CertificateDer::from(certificate.der().to_vec())];
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        Arc::new(config)
    }

    pub(super) fn terms(&self, tls: HopTls) -> Terms {
        let verification = match tls {
            HopTls::Verified { .. } => Verification::Required,
            _ => Verification::Tried,
        };
        let roots = Roots::File(self.folder.path().join("ca.pem"));
        let (config, name) = Connector::new(&roots, verification).unwrap().handshake(NAME).unwrap();
        Terms { tls, handshake: Some(Handshake { config, name }), ..terms() }
    }
}

pub(super) fn verified() -> HopTls {
    HopTls::Verified { names: vec![NAME.parse::<Domain>().unwrap()] }
}

const STARTTLS: &str =
    "S: 220 x\nC: EHLO relay.example.org\nS: 250-x\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go";
const AGAIN: &str = "C: EHLO relay.example.org\nS: 250-x\nS: 250-PIPELINING\nS: 250 REQUIRETLS";

/// A host that begins TLS when the script is over.
async fn accept(
    theirs: DuplexStream,
    script: &str,
    config: Arc<ServerConfig>,
) -> Option<Peer<TlsStream<DuplexStream>>> {
    let mut peer = Peer::new(theirs);
    peer.play(script).await;
    TlsAcceptor::from(config).accept(peer.stream).await.ok().map(Peer::new)
}

pub(super) async fn try_open(
    terms: &Terms,
    script: &str,
    config: Arc<ServerConfig>,
    then: &str,
) -> (Result<Connection, Box<Refused>>, Option<Peer<TlsStream<DuplexStream>>>) {
    let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
    let target = target();
    let host = async move {
        let mut peer = accept(theirs, script, config).await;
        if let Some(peer) = &mut peer {
            peer.play(then).await;
        }
        peer
    };
    tokio::join!(Connection::open(Box::new(ours), &target, terms), host)
}

#[tokio::test]
async fn a_message_goes_within_tls_and_the_log_says_with_whom() {
    let authority = Authority::new();
    let rows = [
        (HopTls::Opportunistic, Shown::Anybody),
        (HopTls::Required, Shown::Anybody),
        (verified(), Shown::Host),
    ];
    for (tls, shown) in rows {
        let terms = authority.terms(tls);
        let (connection, peer) = try_open(&terms, STARTTLS, authority.server(NAME, GOOD), AGAIN).await;
        let (mut connection, mut peer) = (connection.unwrap(), peer.unwrap());
        let script = async {
            peer.play("C: MAIL FROM:<ada@example.org>\nC: RCPT TO:<bob@example.net>\nC: DATA").await;
            peer.play("S: 250 ok\nS: 250 ok\nS: 354 go\n...\nS: 250 ok\nC: QUIT\nS: 221 bye").await;
            peer.ends().await;
        };
        let send = async {
            let sent = connection.send(mail(&["bob"])).await;
            connection.quit().await;
            sent
        };
        let (sent, ()) = tokio::join!(send, script);
        assert_eq!(told(&sent.outcomes), ["relayed 2.0.0"]);
        let encryption = sent.log.tls.unwrap();
        assert_eq!(encryption.shown, shown);
        assert_eq!(encryption.parameters.unwrap().version, "TLS1.3");
    }
}

#[tokio::test]
async fn tls_comes_first_where_the_terms_say_so() {
    let authority = Authority::new();
    let terms = Terms { begin: Begin::WithTls, ..authority.terms(verified()) };
    let (connection, _peer) =
        try_open(&terms, "", authority.server(NAME, GOOD), &format!("S: 220 x\n{AGAIN}")).await;
    assert!(connection.unwrap().is_reusable());
    let (refused, _) = try_open(&terms, "", authority.server("other.example", GOOD), "").await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.tls.unwrap().trouble, TlsTrouble::Certificate);
    assert_eq!(word(&refused.outcome), "deferred 4.7.5 next host, duplicate impossible");
}

#[tokio::test]
async fn a_certificate_that_is_wrong_expired_or_anybodys_gets_no_mail_where_it_has_to_be_right() {
    let (authority, other) = (Authority::new(), Authority::new());
    let wrong =
        [authority.server("other.example", GOOD), authority.server(NAME, EXPIRED), other.server(NAME, GOOD)];
    for config in wrong {
        let (refused, _) = try_open(&authority.terms(verified()), STARTTLS, config.clone(), "").await;
        let refused = refused.unwrap_err();
        assert_eq!(word(&refused.outcome), "deferred 4.7.5 next host, duplicate impossible");
        let failure = refused.tls.unwrap();
        assert_eq!(failure.trouble, TlsTrouble::Certificate, "{}", failure.text);
        assert!(matches!(failure.error, Some(rustls::Error::InvalidCertificate(_))));
        // Where any will do, any does.
        for tls in [HopTls::Opportunistic, HopTls::Required] {
            let (connection, _peer) = try_open(&authority.terms(tls), STARTTLS, config.clone(), AGAIN).await;
            assert_eq!(connection.unwrap().encryption().unwrap().shown, Shown::Anybody);
        }
    }
}

#[tokio::test]
async fn a_handshake_that_fails_says_so_and_the_caller_may_come_again_without() {
    let authority = Authority::new();
    // An alert (RFC 8446 §6): protocol_version, as of hosts that have old versions alone; and no TLS at all.
    let answers: [&[u8]; 3] = [b"\x15\x03\x01\x00\x02\x02\x46", b"220 what?\r\n", b""];
    for answer in answers {
        let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
        let terms = authority.terms(HopTls::Opportunistic);
        let target = target();
        let host = async move {
            let mut peer = Peer::new(theirs);
            peer.play(STARTTLS).await;
            // The client's part of the handshake has come.
            peer.octets(5).await;
            tokio::io::AsyncWriteExt::write_all(&mut peer.stream, answer).await.unwrap();
            tokio::io::AsyncWriteExt::shutdown(&mut peer.stream).await.unwrap();
            peer.rest().await;
        };
        let (refused, ()) = tokio::join!(Connection::open(Box::new(ours), &target, &terms), host);
        let refused = refused.unwrap_err();
        assert_eq!(refused.tls.unwrap().trouble, TlsTrouble::Handshake);
        assert_eq!(word(&refused.outcome), "deferred 4.7.5 next host, duplicate impossible");
    }
}

#[tokio::test(start_paused = true)]
async fn tls_that_is_not_offered_or_refused_is_done_without_only_where_that_is_allowed() {
    let authority = Authority::new();
    let scripts = [
        "S: 220 x\nC: EHLO relay.example.org\nS: 250 x",
        "S: 220 x\nC: EHLO relay.example.org\nS: 250-x\nS: 250 STARTTLS\nC: STARTTLS\nS: 454 4.7.0 not now",
    ];
    for script in scripts {
        let (mut connection, _peer) = open(&authority.terms(HopTls::Opportunistic), script).await;
        assert!(connection.is_reusable() && connection.encryption().is_none());
        for tls in [HopTls::Required, verified()] {
            let script = format!("{script}\nC: QUIT\nS: 221 bye");
            let refused = refused(&authority.terms(tls), &script).await;
            assert_eq!(refused.tls.unwrap().trouble, TlsTrouble::NotOffered);
            assert!(word(&refused.outcome).starts_with("deferred 4.7."), "{}", word(&refused.outcome));
        }
    }
}

/// RFC 3207 §6: what somebody on the way puts behind the 220 is never read as the server's.
#[tokio::test(start_paused = true)]
async fn octets_in_clear_text_behind_the_220_end_the_connection() {
    let authority = Authority::new();
    for tls in [HopTls::Opportunistic, verified()] {
        let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
        let terms = authority.terms(tls);
        let target = target();
        let host = async move {
            let mut peer = Peer::new(theirs);
            peer.play("S: 220 x\nC: EHLO relay.example.org\nS: 250-x\nS: 250 STARTTLS\nC: STARTTLS").await;
            peer.say("220 go\r\n250-evil\r\n250 AUTH PLAIN\r\n").await;
            peer.ends().await;
        };
        let (refused, ()) = tokio::join!(Connection::open(Box::new(ours), &target, &terms), host);
        assert_eq!(word(&refused.unwrap_err().outcome), "deferred 4.5.0 next host, duplicate impossible");
    }
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_takes_for_ever_is_given_up() {
    let authority = Authority::new();
    let terms = authority.terms(HopTls::Required);
    let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
    let mut peer = Peer::new(theirs);
    let target = target();
    let script = format!("{STARTTLS}\nhang");
    let (refused, took) = tokio::select! {
        opened = timed(Connection::open(Box::new(ours), &target, &terms)) => opened,
        () = peer.play(&script) => unreachable!(),
    };
    assert_eq!(refused.unwrap_err().tls.unwrap().trouble, TlsTrouble::Handshake);
    assert_eq!(took, terms.timeouts.handshake);
}

/// RFC 8689 §4.2.1.
#[tokio::test]
async fn requiretls_goes_to_a_verified_host_that_promises_it_and_to_no_other() {
    let authority = Authority::new();
    let parameters = || MailParameters { require_tls: true, ..MailParameters::default() };
    let server = || authority.server(NAME, GOOD);
    let (connection, peer) = try_open(&authority.terms(verified()), STARTTLS, server(), AGAIN).await;
    let (mut connection, mut peer) = (connection.unwrap(), peer.unwrap());
    let script = async {
        peer.play("C: MAIL FROM:<ada@example.org> REQUIRETLS\nC: RCPT TO:<bob@example.net>\nC: DATA").await;
        peer.play("S: 250 ok\nS: 250 ok\nS: 354 go\n...\nS: 250 ok").await;
    };
    let (sent, ()) = tokio::join!(connection.send(mail_with(parameters(), TEXT)), script);
    assert_eq!(told(&sent.outcomes), ["relayed 2.0.0"]);
    let unpromised = "C: EHLO relay.example.org\nS: 250 x";
    for (tls, then, outcome) in
        [(HopTls::Required, AGAIN, "failed 5.7.10 Host"), (verified(), unpromised, "failed 5.7.30 Host")]
    {
        let (connection, _peer) = try_open(&authority.terms(tls), STARTTLS, server(), then).await;
        let sent = connection.unwrap().send(mail_with(parameters(), TEXT)).await;
        assert_eq!(told(&sent.outcomes), [outcome]);
    }
}
