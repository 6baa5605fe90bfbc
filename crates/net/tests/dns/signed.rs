//! DNSSEC, checked here.

use std::path::PathBuf;

use hickory_proto::rr::RecordType;
use hickory_proto::serialize::binary::BinEncodable;
use net::dns::{Dns, DnsError, DnsOptions, Trust};
use types::dns::{Lookup, Validation};

use super::server::{Fault, Server};
use super::zones::{Flaw, Signer, Zones};
use super::{domain, ipv4, ipv6, mx, options};

/// A root of the test's own, with `good.example` and a zone for each flaw below it.
struct World {
    server: Server,
    /// With the root's key.
    roots: PathBuf,
    _folder: tempfile::TempDir,
}

const LINES: &[&str] = &[
    "@ MX 10 mx.good.example.",
    "mx A 192.0.2.1",
    "mx AAAA 2001:db8::1",
    "_25._tcp.mx TLSA 3 1 1 0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20",
    "alias CNAME mx.good.example.",
    "outside CNAME a.plain.example.",
    "gone CNAME nothing.good.example.",
    "*.wild A 192.0.2.5",
    "towild CNAME some.wild.good.example.",
    "*.aliases CNAME mx.good.example.",
    "*.gone CNAME nothing.good.example.",
];

const FLAWS: [(&str, Flaw); 6] = [
    ("expired.example", Flaw::Expired),
    ("notyet.example", Flaw::NotYet),
    ("wrongkey.example", Flaw::WrongKey),
    ("missing.example", Flaw::Missing),
    ("otherdata.example", Flaw::OtherData),
    ("wrongds.example", Flaw::WrongDs),
];

fn zones(root: Signer) -> Zones {
    let mut zones = Zones::default();
    zones.add(".", Some(root), &[]);
    zones.add("example", Some(Signer::new(Flaw::None)), &[]);
    zones.add("good.example", Some(Signer::new(Flaw::None)), LINES);
    for (zone, flaw) in FLAWS {
        zones.add(zone, Some(Signer::new(flaw)), &["@ A 192.0.2.1", "@ MX 10 mx.good.example."]);
    }
    zones.add("noproof.example", Some(Signer::new(Flaw::NoProof)), &["a A 192.0.2.1"]);
    zones.add(
        "plain.example",
        None,
        &["@ MX 10 mx.good.example.", "a A 192.0.2.7", "in CNAME mx.good.example."],
    );
    zones
}

async fn world() -> World {
    let root = Signer::new(Flaw::None);
    let key = root.dnskey();
    let folder = tempfile::tempdir().unwrap();
    let roots = folder.path().join("root.key");
    let encoded = key.to_bytes().unwrap();
    let text =
        format!(". IN DNSKEY {} {} {} {}\n", key.flags(), encoded[2], encoded[3], base64(&encoded[4..]));
    std::fs::write(&roots, text).unwrap();
    World { server: Server::start(zones(root), false).await, roots, _folder: folder }
}

impl World {
    fn dns(&self) -> Dns {
        let roots = Some(self.roots.clone());
        Dns::new(&DnsOptions { roots, ..options(&self.server, Trust::Validate) }).unwrap()
    }
}

/// RFC 4648 §4.
fn base64(octets: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in octets.chunks(3) {
        let mut group = [0; 4];
        group[1..=chunk.len()].copy_from_slice(chunk);
        let number = u32::from_be_bytes(group);
        for digit in 0..4 {
            let index = (number >> (18 - 6 * digit)) & 63;
            text.push(if digit <= chunk.len() { DIGITS[index as usize] as char } else { '=' });
        }
    }
    text
}

#[tokio::test]
async fn what_is_signed_from_the_root_on_is_proven() {
    let world = world().await;
    let dns = world.dns();
    assert_eq!(mx(&dns, "good.example").await, "10 mx.good.example.*");
    assert_eq!(ipv4(&dns, "mx.good.example").await, "192.0.2.1*");
    assert_eq!(ipv6(&dns, "mx.good.example").await, "2001:db8::1*");
    assert_eq!(ipv4(&dns, "alias.good.example").await, "192.0.2.1 < mx.good.example*");
    let tlsa = dns.tlsa(25, &domain("mx.good.example")).await;
    assert!(matches!(tlsa, Lookup::Records { validation: Validation::Secure, .. }), "{tlsa:?}");
}

#[tokio::test]
async fn a_name_made_of_a_wildcard_is_proven() {
    let world = world().await;
    let dns = world.dns();
    assert_eq!(ipv4(&dns, "any.wild.good.example").await, "192.0.2.5*");
    assert_eq!(ipv4(&dns, "towild.good.example").await, "192.0.2.5 < some.wild.good.example*");
    assert_eq!(ipv4(&dns, "any.aliases.good.example").await, "192.0.2.1 < mx.good.example*");
    assert_eq!(ipv4(&dns, "any.gone.good.example").await, "no such name");
    assert_eq!(ipv6(&dns, "any.wild.good.example").await, "no data");
}

/// RFC 4035 §5.4.
#[tokio::test]
async fn that_there_is_nothing_is_proven_too() {
    let world = world().await;
    let dns = world.dns();
    assert_eq!(mx(&dns, "mx.good.example").await, "no data");
    assert_eq!(mx(&dns, "nothing.good.example").await, "no such name");
    assert_eq!(mx(&dns, "nothing.example").await, "no such name");
    assert_eq!(ipv4(&dns, "gone.good.example").await, "no such name");
    assert_eq!(mx(&dns, "alias.good.example").await, "no data < mx.good.example");
    assert_eq!(dns.tlsa(26, &domain("mx.good.example")).await, Lookup::NoSuchName);
}

/// attacks.md 21: never downgraded to an unsigned answer.
#[tokio::test]
async fn a_false_signature_is_bogus() {
    let world = world().await;
    let dns = world.dns();
    for (zone, flaw) in FLAWS {
        assert_eq!(ipv4(&dns, zone).await, "Bogus", "{flaw:?}");
        if flaw != Flaw::OtherData {
            assert_eq!(mx(&dns, zone).await, "Bogus", "{flaw:?}");
        }
    }
}

/// attacks.md 21: whoever is on the way may not make things disappear.
#[tokio::test]
async fn that_there_is_nothing_without_a_proof_is_bogus() {
    let world = world().await;
    let dns = world.dns();
    assert_eq!(ipv4(&dns, "a.noproof.example").await, "192.0.2.1*");
    assert_eq!(ipv4(&dns, "nothing.noproof.example").await, "Bogus");
    assert_eq!(mx(&dns, "a.noproof.example").await, "Bogus");
    assert_eq!(
        dns.tlsa(25, &domain("a.noproof.example")).await,
        Lookup::Trouble(types::dns::DnsTrouble::Bogus)
    );
}

/// The SOA record of another zone, which is rightly unsigned, vouches for nothing here.
#[tokio::test]
async fn a_zone_elsewhere_that_is_unsigned_does_not_make_this_one_so() {
    let world = world().await;
    let dns = world.dns();
    for (host, zone, expected) in
        [("mx.good.example", "plain.example", "Bogus"), ("a.plain.example", "plain.example", "no such name")]
    {
        world.server.fault(host, RecordType::A, Fault::NothingOf(zone));
        assert_eq!(ipv4(&dns, host).await, expected, "{host}");
    }
}

/// RFC 4035 §5.2.
#[tokio::test]
async fn a_zone_that_its_parent_proves_to_be_unsigned_is_only_unsigned() {
    let world = world().await;
    let dns = world.dns();
    assert_eq!(mx(&dns, "plain.example").await, "10 mx.good.example.");
    assert_eq!(ipv4(&dns, "a.plain.example").await, "192.0.2.7");
    assert_eq!(ipv4(&dns, "nothing.plain.example").await, "no such name");
    assert_eq!(mx(&dns, "a.plain.example").await, "no data");
}

/// RFC 7672 §2.1.3: as weak as the weakest part.
#[tokio::test]
async fn an_alias_is_proven_where_both_ends_are() {
    let world = world().await;
    let dns = world.dns();
    assert_eq!(ipv4(&dns, "outside.good.example").await, "192.0.2.7 < a.plain.example");
    assert_eq!(ipv4(&dns, "in.plain.example").await, "192.0.2.1 < mx.good.example");
}

/// What cannot be had is no forgery, and no proof either.
#[tokio::test]
async fn keys_that_cannot_be_had_are_told_as_what_they_are() {
    let world = world().await;
    world.server.fault(
        "good.example",
        RecordType::DNSKEY,
        Fault::Code(hickory_proto::op::ResponseCode::ServFail),
    );
    assert_eq!(ipv4(&world.dns(), "mx.good.example").await, "ServerFailure");
    world.server.mend();
    assert_eq!(ipv4(&world.dns(), "mx.good.example").await, "192.0.2.1*");
}

#[tokio::test]
async fn keys_are_asked_for_once() {
    let world = world().await;
    let dns = world.dns();
    assert_eq!(ipv4(&dns, "mx.good.example").await, "192.0.2.1*");
    let first = world.server.asked();
    assert!(first.contains(&"udp good.example. DNSKEY".to_owned()), "{first:?}");
    assert_eq!(ipv6(&dns, "mx.good.example").await, "2001:db8::1*");
    assert_eq!(world.server.asked(), ["udp mx.good.example. AAAA"]);
}

/// RFC 6840 §5.9: the resolver hands on what it finds false, so that it is seen here why.
#[tokio::test]
async fn the_resolver_is_asked_for_signatures_and_not_for_its_word() {
    let world = world().await;
    assert_eq!(ipv4(&world.dns(), "mx.good.example").await, "192.0.2.1*");
    for request in world.server.requests() {
        assert!(request.metadata.checking_disabled, "{request}");
        assert!(request.edns.as_ref().is_some_and(|edns| edns.flags().dnssec_ok), "{request}");
    }
}

#[tokio::test]
async fn another_root_proves_nothing() {
    let (world, other) = (world().await, world().await);
    let roots = Some(other.roots.clone());
    let dns = Dns::new(&DnsOptions { roots, ..options(&world.server, Trust::Validate) }).unwrap();
    assert_eq!(ipv4(&dns, "mx.good.example").await, "Bogus");
    // And so does the root of the Internet.
    let dns = super::dns(&world.server, Trust::Validate);
    assert_eq!(ipv4(&dns, "mx.good.example").await, "Bogus");
}

#[tokio::test]
async fn a_file_without_a_key_of_a_root_is_refused() {
    let world = world().await;
    let folder = tempfile::tempdir().unwrap();
    for text in [
        None,
        Some(""),
        Some("; nothing\n"),
        Some("example. IN A 192.0.2.1\n"),
        Some(". IN DNSKEY 257 3 15 !\n"),
    ] {
        let path = folder.path().join("root.key");
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
        }
        let roots = Some(path.clone());
        let refused = Dns::new(&DnsOptions { roots, ..options(&world.server, Trust::Validate) });
        let Err(DnsError::Roots { path: named, .. }) = refused else { panic!("{text:?}") };
        assert_eq!(named, path);
    }
}
