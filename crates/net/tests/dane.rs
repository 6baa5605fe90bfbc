//! Chains made for the test, against TLSA records: RFC 7671 §5, RFC 7672 §3.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]

use net::dane::{CHAIN_CERTIFICATES_MAX, DaneError, verify};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, PublicKeyData as _, date_time_ymd,
};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls_pki_types::{CertificateDer, UnixTime};
use sha2::{Digest as _, Sha256, Sha512};
use std::time::Duration;
use types::Domain;
use types::dns::TlsaRecord;

type Authority = CertifiedIssuer<'static, KeyPair>;

/// 2026-11-22, within the dates of every certificate here that says nothing of them.
const NOW: u64 = 1_795_322_124;

fn authority_params(name: &str, path_length: Option<u8>) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca =
        IsCa::Ca(path_length.map_or(BasicConstraints::Unconstrained, BasicConstraints::Constrained));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn root(params: CertificateParams) -> Authority {
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn authority(name: &str) -> Authority {
    root(authority_params(name, None))
}

fn below(issuer: &Authority, params: CertificateParams) -> Authority {
    CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), issuer).unwrap()
}

fn server_params(names: &[&str]) -> CertificateParams {
    let mut params =
        CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

fn signed(issuer: &Authority, params: CertificateParams) -> Certificate {
    params.signed_by(&KeyPair::generate().unwrap(), issuer).unwrap()
}

fn server(issuer: &Authority, names: &[&str]) -> Certificate {
    signed(issuer, server_params(names))
}

/// A record of usage, selector and matching type for what they select of the certificate.
fn record(usage: u8, selector: u8, matching: u8, certificate: &CertificateDer<'_>, key: &[u8]) -> TlsaRecord {
    let selected = if selector == 0 { certificate.as_ref() } else { key };
    let data = match matching {
        0 => selected.to_vec(),
        1 => Sha256::digest(selected).to_vec(),
        _ => Sha512::digest(selected).to_vec(),
    };
    TlsaRecord { usage, selector, matching, data }
}

fn of_authority(authority: &Authority, selector: u8, matching: u8) -> TlsaRecord {
    record(2, selector, matching, authority.der(), &authority.key().subject_public_key_info())
}

fn check_at(
    now: u64,
    records: &[TlsaRecord],
    names: &[&str],
    chain: &[&CertificateDer<'static>],
) -> Result<(), DaneError> {
    let names: Vec<Domain> = names.iter().map(|name| name.parse().unwrap()).collect();
    let chain: Vec<_> = chain.iter().map(|certificate| (*certificate).clone()).collect();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
    verify(records, &names, &chain, now, default_provider().signature_verification_algorithms.all)
}

fn check(
    records: &[TlsaRecord],
    names: &[&str],
    chain: &[&CertificateDer<'static>],
) -> Result<(), DaneError> {
    check_at(NOW, records, names, chain)
}

const MX: &str = "mx.example.com";

#[test]
fn each_selector_and_matching_type_of_usage_3_knows_the_servers_own_certificate() {
    let key = KeyPair::generate().unwrap();
    let certificate = server_params(&[MX]).self_signed(&key).unwrap();
    let other = authority("Other");
    let other = server(&other, &[MX]);
    for selector in 0..=1 {
        for matching in 0..=2 {
            let record = record(3, selector, matching, certificate.der(), &key.subject_public_key_info());
            let records = [record];
            assert_eq!(check(&records, &[MX], &[certificate.der()]), Ok(()), "{records:?}");
            assert_eq!(check(&records, &[MX], &[other.der()]), Err(DaneError::NoMatch), "{records:?}");
            // Only the first certificate is the server's.
            let chain = [other.der(), certificate.der()];
            assert_eq!(check(&records, &[MX], &chain), Err(DaneError::NoMatch), "{records:?}");
        }
    }
}

/// RFC 7672 §3.1.1, §3.2.1.
#[test]
fn neither_names_nor_dates_nor_purposes_matter_for_usage_3() {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["elsewhere.example".to_owned()]).unwrap();
    params.not_before = date_time_ymd(2001, 1, 1);
    params.not_after = date_time_ymd(2002, 1, 1);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).unwrap();
    let record = record(3, 1, 1, certificate.der(), &key.subject_public_key_info());
    assert_eq!(check(&[record], &[MX], &[certificate.der()]), Ok(()));
}

#[test]
fn each_selector_and_matching_type_of_usage_2_knows_an_authority_of_the_chain() {
    let authority = authority("Root");
    let stranger = self::authority("Stranger");
    let certificate = server(&authority, &[MX]);
    for selector in 0..=1 {
        for matching in 0..=2 {
            let records = [of_authority(&authority, selector, matching)];
            let chain = [certificate.der(), authority.der()];
            assert_eq!(check(&records, &[MX], &chain), Ok(()), "{records:?}");
            // The authority is there, and has signed something else.
            let others = server(&stranger, &[MX]);
            let chain = [others.der(), authority.der()];
            assert!(matches!(check(&records, &[MX], &chain), Err(DaneError::Chain(_))), "{records:?}");
        }
    }
}

#[test]
fn an_authority_between_the_root_and_the_server_will_do() {
    let root = authority("Root");
    let middle = below(&root, authority_params("Middle", None));
    let lower = below(&middle, authority_params("Lower", None));
    let certificate = server(&lower, &[MX]);
    let records = [of_authority(&middle, 0, 1)];
    assert_eq!(check(&records, &[MX], &[certificate.der(), lower.der(), middle.der()]), Ok(()));
    // Whatever order the server shows them in, and whatever else it shows.
    let chain = [certificate.der(), root.der(), middle.der(), lower.der()];
    assert_eq!(check(&records, &[MX], &chain), Ok(()));
    // With a link missing the chain does not lead there.
    let chain = [certificate.der(), middle.der()];
    assert!(matches!(check(&records, &[MX], &chain), Err(DaneError::Chain(_))));
}

/// RFC 7671 §5.2.2.
#[test]
fn an_authority_that_the_server_does_not_show_is_known_from_a_whole_certificate_in_the_dns_alone() {
    let root = authority("Root");
    let lower = below(&root, authority_params("Lower", None));
    let certificate = server(&lower, &[MX]);
    let chain = [certificate.der(), lower.der()];
    assert_eq!(check(&[of_authority(&root, 0, 0)], &[MX], &chain), Ok(()));
    for (selector, matching) in [(0, 1), (0, 2), (1, 1), (1, 2)] {
        let records = [of_authority(&root, selector, matching)];
        assert_eq!(check(&records, &[MX], &chain), Err(DaneError::NoMatch), "{selector} {matching}");
    }
}

/// RFC 7671 §5.2.3.
#[test]
fn an_authority_that_is_only_a_key_in_the_dns_must_have_signed_the_topmost_certificate() {
    let root = authority("Root");
    let lower = below(&root, authority_params("Lower", None));
    let certificate = server(&lower, &[MX]);
    let chain = [certificate.der(), lower.der()];
    assert_eq!(check(&[of_authority(&root, 1, 0)], &[MX], &chain), Ok(()));
    let impostor = authority("Root");
    let records = [of_authority(&impostor, 1, 0)];
    assert!(matches!(check(&records, &[MX], &chain), Err(DaneError::Chain(_))));
    // The server's own certificate may be the topmost one.
    let certificate = server(&root, &[MX]);
    assert_eq!(check(&[of_authority(&root, 1, 0)], &[MX], &[certificate.der()]), Ok(()));
    let records = [of_authority(&root, 1, 0)];
    assert!(matches!(check(&records, &["other.example"], &[certificate.der()]), Err(DaneError::Name(_))));
}

/// RFC 7672 §3.2.2.
#[test]
fn usage_2_wants_one_of_the_names() {
    let authority = authority("Root");
    let records = [of_authority(&authority, 0, 1)];
    let of = |has: &[&str], wanted: &[&str]| {
        let certificate = server(&authority, has);
        check(&records, wanted, &[certificate.der(), authority.der()])
    };
    for (has, wanted) in [
        (&["mx.example.com"][..], &["mx.example.com"][..]),
        (&["MX.Example.COM"], &["mx.example.com"]),
        (&["other.example", "mx.example.com"], &["mx.example.com"]),
        // The next hop and what it is an alias of.
        (&["example.com"], &["mx.example.net", "example.com"]),
        (&["example.com"], &["mxbackup.example.net", "exchange.example.org", "example.com"]),
        // §3.2.3: a wildcard stands for the first label.
        (&["*.example.com"], &["mx.example.com"]),
        (&["xn--bcher-kva.example"], &["b\u{fc}cher.example"]),
    ] {
        assert_eq!(of(has, wanted), Ok(()), "{has:?} {wanted:?}");
    }
    for (has, wanted) in [
        (&["mx.example.org"][..], &["mx.example.com"][..]),
        (&["example.com"], &["mx.example.com"]),
        (&["*.example.com"], &["example.com"]),
        (&["*.example.com"], &["a.mx.example.com"]),
        (&["mx*.example.com"], &["mx1.example.com"]),
        (&["*mx.example.com"], &["1mx.example.com"]),
        (&["mx.example.com"], &[]),
    ] {
        assert!(matches!(of(has, wanted), Err(DaneError::Name(_))), "{has:?} {wanted:?}");
    }
}

/// RFC 7672 §3.2.3.
#[test]
fn a_common_name_counts_where_there_is_no_other_name() {
    let authority = authority("Root");
    let records = [of_authority(&authority, 0, 1)];
    let of = |common: &[&str], others: &[&str], wanted: &str| {
        let mut params = server_params(others);
        params.distinguished_name = rcgen::DistinguishedName::new();
        for name in common {
            params.distinguished_name.push(DnType::CommonName, *name);
        }
        let certificate = signed(&authority, params);
        check(&records, &[wanted], &[certificate.der(), authority.der()])
    };
    assert_eq!(of(&["mx.example.com"], &[], "mx.example.com"), Ok(()));
    assert_eq!(of(&["MX.example.com"], &[], "mx.example.com"), Ok(()));
    assert_eq!(of(&["*.example.com"], &[], "mx.example.com"), Ok(()));
    // An address is no name.
    assert_eq!(of(&["mx.example.com"], &["192.0.2.1"], "mx.example.com"), Ok(()));
    for (common, others, wanted) in [
        (&["other.example"][..], &[][..], "mx.example.com"),
        (&["*.example.com"], &[], "example.com"),
        (&["*.example.com"], &[], "a.b.example.com"),
        (&["mx.example.com"], &["other.example"], "mx.example.com"),
        (&["mx.example.com"], &["*.example.org"], "mx.example.com"),
        (&[], &[], "mx.example.com"),
    ] {
        let checked = of(common, others, wanted);
        assert!(matches!(checked, Err(DaneError::Name(_))), "{common:?} {others:?} {checked:?}");
    }
}

/// RFC 7672 §3.1.1 is about usage 3 alone.
#[test]
fn dates_matter_for_usage_2_from_the_server_to_the_authority() {
    let dated = |mut params: CertificateParams, from, to| {
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(to, 1, 1);
        params
    };
    let root = self::root(dated(authority_params("Root", None), 2020, 2040));
    let middle = below(&root, dated(authority_params("Middle", None), 2021, 2035));
    let certificate = signed(&middle, dated(server_params(&[MX]), 2022, 2030));
    let chain = [certificate.der(), middle.der(), root.der()];
    let records = [of_authority(&root, 0, 1)];
    let year = |year: u64| (year - 1970) * 31_557_600;
    for (at, expected) in [
        (2025, Ok(())),
        (2031, Err(DaneError::Expired)),
        (2036, Err(DaneError::Expired)),
        (2041, Err(DaneError::Expired)),
        (2019, Err(DaneError::Expired)),
        (2021, Err(DaneError::Expired)),
    ] {
        assert_eq!(check_at(year(at), &records, &[MX], &chain), expected, "{at}");
    }
    // The authority itself is too old while those below it are not.
    let old = self::root(dated(authority_params("Old", None), 2020, 2024));
    let certificate = server(&old, &[MX]);
    let records = [of_authority(&old, 0, 1)];
    let chain = [certificate.der(), old.der()];
    assert_eq!(check_at(year(2026), &records, &[MX], &chain), Err(DaneError::Expired));
}

/// RFC 7671 §5.2.1.
#[test]
fn the_path_length_of_an_authority_holds() {
    let root = root(authority_params("Root", Some(0)));
    let certificate = server(&root, &[MX]);
    let records = [of_authority(&root, 0, 1)];
    assert_eq!(check(&records, &[MX], &[certificate.der(), root.der()]), Ok(()));
    let middle = below(&root, authority_params("Middle", None));
    let certificate = server(&middle, &[MX]);
    let checked = check(&records, &[MX], &[certificate.der(), middle.der(), root.der()]);
    assert!(matches!(checked, Err(DaneError::Chain(_))), "{checked:?}");
}

#[test]
fn what_is_no_authority_vouches_for_nobody() {
    // A server's certificate that signs another.
    let root = authority("Root");
    let mut params = server_params(&["evil.example"]);
    params.is_ca = IsCa::ExplicitNoCa;
    let no_authority = below(&root, params);
    let certificate = server(&no_authority, &[MX]);
    let chain = [certificate.der(), no_authority.der(), root.der()];
    let checked = check(&[of_authority(&root, 0, 1)], &[MX], &chain);
    assert!(matches!(checked, Err(DaneError::Chain(_))), "{checked:?}");
    // Not even where the records name it.
    let checked = check(&[of_authority(&no_authority, 0, 1)], &[MX], &chain);
    assert!(matches!(checked, Err(DaneError::Chain(_))), "{checked:?}");
}

#[test]
fn a_certificate_that_is_not_for_servers_will_not_do_for_usage_2() {
    let authority = authority("Root");
    let mut params = server_params(&[MX]);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = signed(&authority, params);
    let checked = check(&[of_authority(&authority, 0, 1)], &[MX], &[certificate.der(), authority.der()]);
    assert!(matches!(checked, Err(DaneError::Chain(_))), "{checked:?}");
}

/// The server's own certificate is no authority above itself: such records belong to usage 3.
#[test]
fn usage_2_does_not_know_the_servers_own_certificate() {
    let key = KeyPair::generate().unwrap();
    let certificate = server_params(&[MX]).self_signed(&key).unwrap();
    let record = record(2, 0, 1, certificate.der(), &key.subject_public_key_info());
    assert_eq!(check(&[record], &[MX], &[certificate.der()]), Err(DaneError::NoMatch));
}

/// RFC 7671 §8: during a change of keys one record fits and the other does not.
#[test]
fn one_record_that_fits_is_enough() {
    let (old, new) = (authority("Old"), authority("New"));
    let certificate = server(&new, &[MX]);
    let useless = TlsaRecord { usage: 3, selector: 1, matching: 1, data: vec![0; 32] };
    let records = [useless.clone(), of_authority(&old, 0, 1), of_authority(&new, 0, 1)];
    // The old authority is still shown beside the new one.
    let chain = [certificate.der(), old.der(), new.der()];
    assert_eq!(check(&records, &[MX], &chain), Ok(()));
    assert_eq!(check(&[useless], &[MX], &chain), Err(DaneError::NoMatch));
    assert_eq!(check(&[], &[MX], &chain), Err(DaneError::NoMatch));
}

/// RFC 7672 §3.1.3.
#[test]
fn usages_of_the_public_authorities_fit_nothing() {
    let authority = authority("Root");
    let certificate = server(&authority, &[MX]);
    let chain = [certificate.der(), authority.der()];
    for usage in [0, 1, 4, 255] {
        let records = [
            TlsaRecord { usage, ..of_authority(&authority, 0, 1) },
            TlsaRecord { usage, ..record(3, 0, 1, certificate.der(), &[]) },
        ];
        assert_eq!(check(&records, &[MX], &chain), Err(DaneError::NoMatch), "{usage}");
    }
}

#[test]
fn what_cannot_be_read_and_what_is_too_much_is_refused() {
    let authority = authority("Root");
    let certificate = server(&authority, &[MX]);
    let records = [of_authority(&authority, 0, 1)];
    assert_eq!(check(&records, &[MX], &[]), Err(DaneError::Malformed));
    let garbage = CertificateDer::from(vec![0x30, 3, 1, 2, 3]);
    assert_eq!(check(&records, &[MX], &[&garbage]), Err(DaneError::NoMatch));
    assert!(matches!(check(&records, &[MX], &[&garbage, authority.der()]), Err(DaneError::Chain(_))));
    // A record that holds no certificate where one is due.
    let whole = TlsaRecord { usage: 2, selector: 0, matching: 0, data: garbage.to_vec() };
    assert!(matches!(check(&[whole], &[MX], &[certificate.der()]), Err(DaneError::Chain(_))));
    let key = TlsaRecord { usage: 2, selector: 1, matching: 0, data: garbage.to_vec() };
    assert!(matches!(check(&[key], &[MX], &[certificate.der()]), Err(DaneError::Chain(_))));
    let mut chain = vec![certificate.der()];
    chain.resize(CHAIN_CERTIFICATES_MAX, authority.der());
    assert_eq!(check(&records, &[MX], &chain), Ok(()));
    chain.push(authority.der());
    assert_eq!(check(&records, &[MX], &chain), Err(DaneError::TooMany));
}

/// The certificate and the records of RFC 6698 Appendix C, by software that is not ours.
#[test]
fn the_examples_of_rfc_6698_fit_their_certificate() {
    let Some(folder) = testdata::folder("rfc") else { return };
    let text = std::fs::read_to_string(folder.join("rfc6698.txt")).unwrap();
    let (_, text) = text.split_once("S M Association Data").unwrap();
    let (text, _) = text.split_once("Authors' Addresses").unwrap();
    let mut examples: Vec<(u8, u8, String)> = Vec::new();
    for line in text.lines().filter(|line| line.starts_with("   ")) {
        let words: Vec<_> = line.split_whitespace().collect();
        match words[..] {
            [selector, matching, data] if selector.len() == 1 => {
                examples.push((selector.parse().unwrap(), matching.parse().unwrap(), data.to_owned()));
            }
            [data] => examples.last_mut().unwrap().2.push_str(data),
            _ => {}
        }
    }
    let octets = |hex: &str| -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    };
    let certificate = CertificateDer::from(octets(&examples[0].2));
    let shown = examples.iter().map(|(selector, matching, _)| (*selector, *matching)).collect::<Vec<_>>();
    assert_eq!(shown, [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]);
    for (selector, matching, data) in examples {
        let mut record = TlsaRecord { usage: 3, selector, matching, data: octets(&data) };
        assert_eq!(check(&[record.clone()], &[MX], &[&certificate]), Ok(()), "{selector} {matching}");
        record.data[7] ^= 1;
        assert_eq!(
            check(&[record], &[MX], &[&certificate]),
            Err(DaneError::NoMatch),
            "{selector} {matching}"
        );
    }
}
