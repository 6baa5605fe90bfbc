//! Handshakes in memory, with rustls as the client.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]

use std::path::Path;
use std::sync::Arc;

use net::tls::{CertificateFiles, Certificates, MinimumVersion, TlsError, local_ca, server_config};
use rustls::crypto::aws_lc_rs;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection, SupportedProtocolVersion};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// Within what certificates of this test are valid.
fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap()
}

fn client_config(authority: &Path, versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// Carries octets to and fro until both sides are done or one refuses.
fn handshake(
    server: &Arc<rustls::ServerConfig>,
    client: &Arc<ClientConfig>,
    name: &str,
) -> Result<(ServerConnection, ClientConnection), rustls::Error> {
    let mut server = ServerConnection::new(Arc::clone(server))?;
    let mut client = ClientConnection::new(Arc::clone(client), name.to_owned().try_into().unwrap())?;
    for _ in 0..10 {
        let mut octets = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut octets).unwrap();
        }
        server.read_tls(&mut &octets[..]).unwrap();
        server.process_new_packets()?;
        octets.clear();
        while server.wants_write() {
            server.write_tls(&mut octets).unwrap();
        }
        client.read_tls(&mut &octets[..]).unwrap();
        client.process_new_packets()?;
    }
    assert!(!server.is_handshaking() && !client.is_handshaking());
    Ok((server, client))
}

#[test]
fn the_development_ca_vouches_for_localhost_and_the_host_and_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let made = local_ca::open(folder.path(), "mail.example.org", now()).unwrap();
    let certificates = Arc::new(Certificates::load(vec![made.server]).unwrap());
    let server = server_config(certificates, MinimumVersion::default()).unwrap();
    let client = client_config(&made.authority, &[&TLS13, &TLS12]);
    for name in ["localhost", "mail.example.org", "127.0.0.1", "::1"] {
        let (connection, _) = handshake(&server, &client, name).unwrap();
        let agreed = net::tls::describe(&connection).unwrap();
        assert_eq!(agreed.version, "TLS1.3");
        assert!(agreed.cipher_suite.starts_with("TLS_AES_"), "{agreed:?}");
    }
    assert!(handshake(&server, &client, "other.example.org").is_err());
}

#[test]
fn the_authority_is_made_once_and_its_key_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let first = local_ca::open(folder.path(), "localhost", now()).unwrap();
    let authority = std::fs::read(&first.authority).unwrap();
    let again = local_ca::open(folder.path(), "localhost", now()).unwrap();
    assert_eq!(std::fs::read(&again.authority).unwrap(), authority);
    for key in [folder.path().join("ca.key"), again.server.key] {
        assert_eq!(std::fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn tls_1_2_is_spoken_unless_1_3_is_the_minimum() {
    let folder = tempfile::tempdir().unwrap();
    let made = local_ca::open(folder.path(), "localhost", now()).unwrap();
    let certificates = Arc::new(Certificates::load(vec![made.server]).unwrap());
    let old_client = client_config(&made.authority, &[&TLS12]);
    let server = server_config(Arc::clone(&certificates), MinimumVersion::Tls12).unwrap();
    let (connection, _) = handshake(&server, &old_client, "localhost").unwrap();
    assert_eq!(net::tls::describe(&connection).unwrap().version, "TLS1.2");
    let server = server_config(certificates, MinimumVersion::Tls13).unwrap();
    assert!(handshake(&server, &old_client, "localhost").is_err());
}

#[test]
fn each_name_gets_its_certificate_and_any_other_the_first() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let one = local_ca::open(folders[0].path(), "one.example", now()).unwrap();
    let two = local_ca::open(folders[1].path(), "two.example", now()).unwrap();
    let certificates = Arc::new(Certificates::load(vec![one.server, two.server]).unwrap());
    let server = server_config(certificates, MinimumVersion::default()).unwrap();
    let (trusts_one, trusts_two) =
        (client_config(&one.authority, &[&TLS13]), client_config(&two.authority, &[&TLS13]));
    assert!(handshake(&server, &trusts_one, "one.example").is_ok());
    assert!(handshake(&server, &trusts_two, "two.example").is_ok());
    assert!(handshake(&server, &trusts_one, "two.example").is_err());
    // Addresses are not sent as names: the first certificate is good for loopback too.
    assert!(handshake(&server, &trusts_one, "127.0.0.1").is_ok());
}

#[test]
fn a_new_certificate_is_used_after_a_reload_and_a_bad_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let made = local_ca::open(folder.path(), "old.example", now()).unwrap();
    let certificates = Arc::new(Certificates::load(vec![made.server.clone()]).unwrap());
    let server = server_config(Arc::clone(&certificates), MinimumVersion::default()).unwrap();
    let client = client_config(&made.authority, &[&TLS13]);
    local_ca::open(folder.path(), "new.example", now()).unwrap();
    assert!(handshake(&server, &client, "new.example").is_err());
    certificates.reload().unwrap();
    assert!(handshake(&server, &client, "new.example").is_ok());
    std::fs::write(&made.server.certificate, "nothing").unwrap();
    assert!(matches!(certificates.reload(), Err(TlsError::File { .. })));
    assert!(handshake(&server, &client, "new.example").is_ok());
}

#[test]
fn a_session_of_one_listener_is_not_resumed_at_another() {
    let folder = tempfile::tempdir().unwrap();
    let made = local_ca::open(folder.path(), "localhost", now()).unwrap();
    let certificates = Arc::new(Certificates::load(vec![made.server]).unwrap());
    let here = server_config(Arc::clone(&certificates), MinimumVersion::default()).unwrap();
    let there = server_config(certificates, MinimumVersion::default()).unwrap();
    let client = client_config(&made.authority, &[&TLS13]);
    let kind = |server: &Arc<rustls::ServerConfig>| {
        handshake(server, &client, "localhost").unwrap().1.handshake_kind().unwrap()
    };
    assert_eq!(kind(&here), rustls::HandshakeKind::Full);
    assert_eq!(kind(&here), rustls::HandshakeKind::Resumed);
    assert_eq!(kind(&there), rustls::HandshakeKind::Full);
}

#[test]
fn what_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let made = local_ca::open(folder.path(), "localhost", now()).unwrap();
    let missing = folder.path().join("missing.pem");
    let error =
        Certificates::load(vec![CertificateFiles { certificate: missing.clone(), ..made.server.clone() }]);
    assert!(error.unwrap_err().to_string().contains("missing.pem"));
    let other_key = folder.path().join("ca.key");
    let error = Certificates::load(vec![CertificateFiles { key: other_key, ..made.server.clone() }]);
    assert!(matches!(error, Err(TlsError::Mismatch { .. })));
    assert!(matches!(Certificates::load(Vec::new()), Err(TlsError::NoCertificate)));
    std::fs::write(&missing, "").unwrap();
    let error = Certificates::load(vec![CertificateFiles { certificate: missing, ..made.server }]);
    assert!(error.unwrap_err().to_string().contains("there is none in it"));
}

#[test]
fn both_ends_of_a_connection_come_to_the_same_channel_bindings_and_those_of_another_to_others() {
    let folder = tempfile::tempdir().unwrap();
    let made = local_ca::open(folder.path(), "mail.example.org", now()).unwrap();
    let certificates = Arc::new(Certificates::load(vec![made.server]).unwrap());
    let server = server_config(Arc::clone(&certificates), MinimumVersion::default()).unwrap();
    let client = client_config(&made.authority, &[&TLS13]);
    let bindings = || {
        let (server, client) = handshake(&server, &client, "localhost").unwrap();
        let exporter =
            client.export_keying_material([0_u8; 32], b"EXPORTER-Channel-Binding", Some(b"")).unwrap();
        let seen = client.peer_certificates().unwrap()[0].to_vec();
        let shown = certificates.shown_to(server.server_name()).unwrap();
        assert_eq!(shown.as_ref(), seen);
        let bindings = net::tls::channel_bindings(&server, Some(&shown));
        assert_eq!(bindings[0].name, "tls-exporter");
        assert_eq!(bindings[0].data, exporter);
        assert_eq!((bindings[1].name, bindings[1].data.len()), ("tls-server-end-point", 32));
        bindings
    };
    let (one, other) = (bindings(), bindings());
    assert_ne!(one[0], other[0]);
    assert_eq!(one[1], other[1]);
}

#[test]
fn tls_1_2_is_bound_to_the_certificate_alone_and_a_handshake_that_is_not_done_to_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let made = local_ca::open(folder.path(), "mail.example.org", now()).unwrap();
    let certificates = Arc::new(Certificates::load(vec![made.server]).unwrap());
    let config = server_config(Arc::clone(&certificates), MinimumVersion::default()).unwrap();
    let client = client_config(&made.authority, &[&TLS12]);
    let (server, _) = handshake(&config, &client, "localhost").unwrap();
    let shown = certificates.shown_to(None).unwrap();
    let names: Vec<_> =
        net::tls::channel_bindings(&server, Some(&shown)).iter().map(|binding| binding.name).collect();
    assert_eq!(names, ["tls-server-end-point"]);
    assert!(net::tls::channel_bindings(&server, None).is_empty());
    let unfinished = ServerConnection::new(config).unwrap();
    assert!(net::tls::channel_bindings(&unfinished, Some(&shown)).is_empty());
}
