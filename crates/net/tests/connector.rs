//! TLS towards servers, in memory: whose certificate is taken, and what it is worth.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]

use std::path::Path;
use std::sync::Arc;

use net::tls::{
    Certificates, Connector, MinimumVersion, Roots, TlsError, Verification, describe, local_ca, server_config,
};
use rustls::{ClientConnection, ServerConfig, ServerConnection};

fn server(folder: &Path) -> (Arc<ServerConfig>, Roots) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let made = local_ca::open(folder, "mail.example.org", i64::try_from(now.as_secs()).unwrap()).unwrap();
    let certificates = Arc::new(Certificates::load(vec![made.server]).unwrap());
    (server_config(certificates, MinimumVersion::default()).unwrap(), Roots::File(made.authority))
}

fn handshake(
    server: &Arc<ServerConfig>,
    mut client: ClientConnection,
) -> Result<ClientConnection, rustls::Error> {
    let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
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
    assert!(!client.is_handshaking());
    Ok(client)
}

#[test]
fn a_server_that_has_to_be_verified_is_taken_by_its_name_and_authority_alone() {
    let (ours, others) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (server, roots) = server(ours.path());
    let connector = Connector::new(&roots, Verification::Required).unwrap();
    for name in ["mail.example.org", "127.0.0.1", "localhost"] {
        let connection = handshake(&server, connector.connect(name).unwrap()).unwrap();
        assert!(connector.verify(&connection, name).is_ok(), "{name}");
        assert_eq!(describe(&connection).unwrap().version, "TLS1.3");
    }
    assert!(handshake(&server, connector.connect("mail.example.com").unwrap()).is_err());
    let (_, strangers) = self::server(others.path());
    let connector = Connector::new(&strangers, Verification::Required).unwrap();
    assert!(handshake(&server, connector.connect("mail.example.org").unwrap()).is_err());
}

#[test]
fn where_anybody_will_do_it_is_still_told_who_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let (server, roots) = server(folder.path());
    let connector = Connector::new(&roots, Verification::Tried).unwrap();
    let known = handshake(&server, connector.connect("mail.example.org").unwrap()).unwrap();
    assert!(connector.verify(&known, "mail.example.org").is_ok());
    let other = handshake(&server, connector.connect("mail.example.com").unwrap()).unwrap();
    assert!(matches!(connector.verify(&other, "mail.example.com"), Err(TlsError::Unverified(_))));
    let strangers = Connector::new(&Roots::System, Verification::Tried).unwrap();
    let unknown = handshake(&server, strangers.connect("mail.example.org").unwrap()).unwrap();
    assert!(matches!(strangers.verify(&unknown, "mail.example.org"), Err(TlsError::Unverified(_))));
}

#[test]
fn roots_that_were_named_have_to_be_some() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("empty.pem");
    std::fs::write(&file, "nothing\n").unwrap();
    for verification in [Verification::Required, Verification::Tried] {
        for path in [file.clone(), folder.path().join("missing.pem")] {
            let refused = Connector::new(&Roots::File(path), verification);
            assert!(matches!(refused, Err(TlsError::File { .. })), "{refused:?}");
        }
    }
    let (_, roots) = server(folder.path());
    let connector = Connector::new(&roots, Verification::Tried).unwrap();
    assert!(matches!(connector.connect("no name"), Err(TlsError::Name(_))));
}
