//! Handshakes with servers of every kind, by what a policy asks of them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]

use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use net::tls::{Connector, HandshakeFailure, HandshakeFault, Outbound, Roots, TlsError};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PublicKeyData as _,
    date_time_ymd,
};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConnection, ServerConfig, ServerConnection, SupportedProtocolVersion, version};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest as _, Sha256};
use types::Domain;
use types::dns::TlsaRecord;

/// A public authority, and what it signs.
struct World {
    _folder: tempfile::TempDir,
    roots: PathBuf,
    authority: CertifiedIssuer<'static, KeyPair>,
}

struct Server {
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "Public authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let roots = folder.path().join("roots.pem");
        std::fs::write(&roots, authority.pem()).unwrap();
        Self { _folder: folder, roots, authority }
    }

    fn outbound(&self) -> Outbound {
        Outbound::new(&Roots::File(self.roots.clone())).unwrap()
    }

    fn server(&self, name: &str) -> Server {
        self.server_until(name, 2999)
    }

    fn server_until(&self, name: &str, year: i32) -> Server {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_after = date_time_ymd(year, 1, 1);
        let certificate = params.signed_by(&key, &self.authority).unwrap();
        Server { chain: vec![certificate.der().clone(), self.authority.der().clone()], key }
    }
}

impl Server {
    fn by_itself(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
        Self { chain: vec![certificate.der().clone()], key }
    }

    /// `3 1 1`.
    fn record(&self) -> TlsaRecord {
        let data = Sha256::digest(self.key.subject_public_key_info()).to_vec();
        TlsaRecord { usage: 3, selector: 1, matching: 1, data }
    }

    fn config(&self, version: &'static SupportedProtocolVersion) -> Arc<ServerConfig> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), key)
            .unwrap();
        Arc::new(config)
    }
}

/// The handshake in memory. Gives the name that the server was asked for.
fn converse(
    client: &mut ClientConnection,
    config: Arc<ServerConfig>,
) -> Result<Option<String>, rustls::Error> {
    let mut server = ServerConnection::new(config).unwrap();
    while client.is_handshaking() || server.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut wire.as_slice()).unwrap();
        // What the server makes of a client that gave up does not matter.
        let _ = server.process_new_packets();
        let mut wire = Vec::new();
        server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut wire.as_slice()).unwrap();
        client.process_new_packets()?;
    }
    client.writer().write_all(b"EHLO\r\n").unwrap();
    let mut wire = Vec::new();
    client.write_tls(&mut wire).unwrap();
    server.read_tls(&mut wire.as_slice()).unwrap();
    server.process_new_packets()?;
    let mut heard = [0; 6];
    server.reader().read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"EHLO\r\n");
    Ok(server.server_name().map(str::to_owned))
}

fn shake(connector: &Connector, server: &Server, host: &str) -> Result<Option<String>, HandshakeFailure> {
    let mut results = [&version::TLS12, &version::TLS13].map(|version| {
        let mut client = connector.connect(host).unwrap();
        converse(&mut client, server.config(version)).map_err(|error| HandshakeFailure::from(&error))
    });
    // Both versions come to the same.
    assert_eq!(results[0], results[1]);
    std::mem::replace(&mut results[0], Ok(None))
}

fn names(names: &[&str]) -> Vec<Domain> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn fault(result: Result<Option<String>, HandshakeFailure>) -> Option<HandshakeFault> {
    result.err().map(|failure| failure.kind)
}

const MX: &str = "mx.example.com";

#[test]
fn any_certificate_will_do_where_nothing_asks_for_more() {
    let world = World::new();
    let connector = world.outbound().any();
    for server in [world.server(MX), world.server("other.example"), Server::by_itself(MX)] {
        assert_eq!(shake(&connector, &server, MX), Ok(Some(MX.to_owned())));
    }
    let old = world.server_until(MX, 2001);
    assert_eq!(shake(&connector, &old, MX), Ok(Some(MX.to_owned())));
    // An address is not asked for (RFC 6066 §3).
    assert_eq!(shake(&connector, &world.server(MX), "192.0.2.1"), Ok(None));
}

#[test]
fn a_verified_server_has_one_of_the_names_from_somebody_who_is_trusted() {
    let world = World::new();
    let connector = world.outbound().verified(&names(&[MX, "example.com"])).unwrap();
    // The host is asked for by its name, whatever names will do (RFC 8461 §7.1).
    assert_eq!(shake(&connector, &world.server(MX), MX), Ok(Some(MX.to_owned())));
    assert_eq!(shake(&connector, &world.server("example.com"), MX), Ok(Some(MX.to_owned())));
    assert_eq!(shake(&connector, &world.server("*.example.com"), MX), Ok(Some(MX.to_owned())));
    for (server, expected) in [
        (world.server("other.example"), HandshakeFault::CertificateName),
        (world.server_until(MX, 2001), HandshakeFault::CertificateExpired),
        (Server::by_itself(MX), HandshakeFault::CertificateUntrusted),
    ] {
        assert_eq!(fault(shake(&connector, &server, MX)), Some(expected));
    }
    let nobody = world.outbound().verified(&[]).unwrap();
    assert_eq!(fault(shake(&nobody, &world.server(MX), MX)), Some(HandshakeFault::CertificateName));
}

#[test]
fn a_server_of_tlsa_records_is_asked_for_by_their_base_domain_and_no_authority_matters() {
    let world = World::new();
    let server = Server::by_itself("whatever.example");
    let connector = world.outbound().dane(&[server.record()], &names(&[MX, "example.com"])).unwrap();
    // RFC 7671 §10.2, where the host is an alias of the base domain.
    assert_eq!(shake(&connector, &server, "alias.example.org"), Ok(Some(MX.to_owned())));
    let impostor = world.server(MX);
    assert_eq!(fault(shake(&connector, &impostor, MX)), Some(HandshakeFault::CertificateUntrusted));
    let failure = shake(&connector, &impostor, MX).unwrap_err();
    assert_eq!(failure.text, "no TLSA record fits the certificates of the server");
}

#[test]
fn an_authority_of_tlsa_records_vouches_for_the_names() {
    let world = World::new();
    let data = Sha256::digest(world.authority.der()).to_vec();
    let record = TlsaRecord { usage: 2, selector: 0, matching: 1, data };
    let connector = world.outbound().dane(&[record], &names(&[MX, "example.com"])).unwrap();
    assert_eq!(fault(shake(&connector, &world.server(MX), MX)), None);
    assert_eq!(fault(shake(&connector, &world.server("example.com"), MX)), None);
    for (server, expected) in [
        (world.server("other.example"), HandshakeFault::CertificateName),
        (world.server_until(MX, 2001), HandshakeFault::CertificateExpired),
        (Server::by_itself(MX), HandshakeFault::CertificateUntrusted),
    ] {
        assert_eq!(fault(shake(&connector, &server, MX)), Some(expected));
    }
}

/// A chain from the authority with a key that somebody else has: the signature of the handshake tells.
#[test]
fn a_certificate_without_its_key_is_worth_nothing() {
    let world = World::new();
    let victim = world.server(MX);
    let thief = world.server(MX);
    let outbound = world.outbound();
    let records = [victim.record()];
    for connector in [
        outbound.any(),
        outbound.verified(&names(&[MX])).unwrap(),
        outbound.dane(&records, &names(&[MX])).unwrap(),
        outbound.observed(&names(&[MX])).unwrap().0,
    ] {
        for version in [&version::TLS12, &version::TLS13] {
            let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(thief.key.serialize_der()));
            let key = default_provider().key_provider.load_private_key(key).unwrap();
            let stolen = rustls::sign::CertifiedKey::new(victim.chain.clone(), key);
            let resolver = Arc::new(rustls::sign::SingleCertAndKey::from(stolen));
            let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
                .with_protocol_versions(&[version])
                .unwrap()
                .with_no_client_auth()
                .with_cert_resolver(resolver);
            let mut client = connector.connect(MX).unwrap();
            let failed = converse(&mut client, Arc::new(config)).unwrap_err();
            assert_eq!(failed, rustls::Error::InvalidCertificate(rustls::CertificateError::BadSignature));
        }
    }
}

/// RFC 8461 §5, `testing`.
#[test]
fn a_policy_that_is_tested_takes_every_certificate_and_notes_what_it_is_worth() {
    let world = World::new();
    let (connector, observation) = world.outbound().observed(&names(&[MX])).unwrap();
    assert_eq!(observation.take(), None);
    for (server, expected) in [
        (world.server(MX), None),
        (world.server("other.example"), Some(HandshakeFault::CertificateName)),
        (world.server_until(MX, 2001), Some(HandshakeFault::CertificateExpired)),
        (Server::by_itself(MX), Some(HandshakeFault::CertificateUntrusted)),
    ] {
        assert!(shake(&connector, &server, MX).is_ok());
        let seen = observation.take().unwrap();
        assert_eq!(seen.err().map(|failure| failure.kind), expected);
        assert_eq!(observation.take(), None);
    }
}

#[test]
fn where_nobody_is_trusted_nothing_is_verified_and_clear_roots_are_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    for path in [empty, folder.path().join("missing.pem")] {
        assert!(matches!(Outbound::new(&Roots::File(path)), Err(TlsError::File { .. })));
    }
}

#[test]
fn records_without_a_name_are_a_mistake() {
    let world = World::new();
    let record = Server::by_itself(MX).record();
    assert!(matches!(world.outbound().dane(&[record], &[]), Err(TlsError::Name(_))));
}

#[test]
fn a_handshake_fails_by_the_connection_or_by_tls_and_each_is_told() {
    let failure = HandshakeFailure::from(&io::Error::from(io::ErrorKind::ConnectionReset));
    assert_eq!(failure.kind, HandshakeFault::Connection);
    let inner = rustls::Error::InvalidCertificate(rustls::CertificateError::Expired);
    let failure = HandshakeFailure::from(&io::Error::new(io::ErrorKind::InvalidData, inner));
    assert_eq!(failure.kind, HandshakeFault::CertificateExpired);
    assert!(failure.kind.is_certificate());
    let inner = rustls::Error::PeerIncompatible(rustls::PeerIncompatible::Tls12NotOffered);
    let failure = HandshakeFailure::from(&io::Error::new(io::ErrorKind::InvalidData, inner));
    assert_eq!(failure.kind, HandshakeFault::Handshake);
}
