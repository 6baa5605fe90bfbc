//! Whether others can listen: STARTTLS, certificates (RFC 9325, RFC 9525) and DANE (RFC 7672).

use mta::tls::usable;
use net::dane;
use types::dns::{DnsTrouble, Lookup, TlsaRecord, Validation};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;

use super::hosts::{Met, MetHost};
use super::mx::MailHost;
use super::{Question, bad, good, notice, unknown, warning, zone};
use crate::records::{self, Data};
use crate::{Finding, Secured, Topic};

/// Certificates that are over sooner are warned of: time to find out why they were not renewed.
const EXPIRES_SOON_DAYS: i64 = 21;
/// Shorter RSA keys are refused by many (CA/Browser Forum Baseline Requirements §6.1.5).
const RSA_BITS_MIN: usize = 2048;

/// What a certificate says of itself.
pub(super) struct Shown {
    /// Days until it is over; below zero where it is.
    days_left: i64,
    /// RSA keys that are too short.
    short_key_bits: Option<usize>,
    issuer: String,
}

/// One address of a host.
pub(super) fn session(question: &Question, host: &MailHost, met: &Met) -> Vec<Finding> {
    let Ok(meeting) = &met.meeting else { return Vec::new() };
    let (name, ip) = (host.name.ascii(), met.ip);
    match &meeting.secured {
        Secured::NotOffered => {
            let says = format!(
                "{name} ({ip}) offers no encryption: whoever is on the way reads and changes the mail"
            );
            let mend = format!("give the mail server a certificate for {name}, and turn on STARTTLS");
            vec![warning(Topic::Tls, name, says).mend(mend)]
        }
        Secured::Failed(why) => {
            let says = format!("{name} ({ip}) offers encryption, and it does not work: {why}");
            let mend = "have the mail server speak TLS 1.2 and 1.3 with a certificate that it can read";
            vec![bad(Topic::Tls, name, says).mend(mend)]
        }
        Secured::Yes { protocol, cipher, chain, distrust } => {
            let shown = chain.first().and_then(|der| read(der, question));
            certificate(host, met, &format!("{protocol}, {cipher}"), shown.as_ref(), distrust.as_deref())
        }
    }
}

fn certificate(
    host: &MailHost,
    met: &Met,
    agreed: &str,
    shown: Option<&Shown>,
    distrust: Option<&str>,
) -> Vec<Finding> {
    let (name, ip) = (host.name.ascii(), met.ip);
    let mut findings = Vec::new();
    let renew = format!("get a new certificate for {name}, and have it renewed by itself (ACME)");
    match (distrust, shown) {
        (Some(_), Some(shown)) if shown.days_left < 0 => {
            let says = format!("the certificate of {name} ({ip}) ended {} ago", zone::days(-shown.days_left));
            findings.push(warning(Topic::Tls, name, says).mend(renew));
        }
        (Some(why), _) => {
            let says = format!("the certificate of {name} ({ip}) does not show that it is {name}: {why}");
            let mend = format!(
                "get a certificate for {name} from an authority that everybody trusts, such as one that speaks ACME"
            );
            findings.push(warning(Topic::Tls, name, says).mend(mend));
        }
        (None, Some(shown)) if shown.days_left < EXPIRES_SOON_DAYS => {
            let says = format!("the certificate of {name} ({ip}) ends in {}", zone::days(shown.days_left));
            findings.push(warning(Topic::Tls, name, says).mend(renew));
        }
        (None, shown) => {
            let mut says = format!("{name} ({ip}) offers {agreed} with a certificate of its own name");
            if let Some(shown) = shown {
                says += &format!(", good for {} more, by {}", zone::days(shown.days_left), shown.issuer);
            }
            findings.push(good(Topic::Tls, name, says));
        }
    }
    if let Some(bits) = shown.and_then(|shown| shown.short_key_bits) {
        let says =
            format!("the key of the certificate of {name} ({ip}) has {bits} bits, which others can break");
        findings.push(
            warning(Topic::Tls, name, says)
                .mend(format!("make a key of RSA with {RSA_BITS_MIN} bits, or one of ECDSA")),
        );
    }
    if agreed.starts_with("TLS1.2") {
        let says = format!("{name} ({ip}) speaks TLS 1.2 and not 1.3");
        findings.push(notice(Topic::Tls, name, says));
    }
    findings
}

/// None where it cannot be read.
fn read(der: &[u8], question: &Question) -> Option<Shown> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let now = i64::try_from(question.now.seconds()).ok()?;
    let bits = match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => Some(key.key_size()),
        _ => None,
    };
    let common_name = certificate.issuer().iter_common_name().next().and_then(|name| name.as_str().ok());
    Some(Shown {
        days_left: (certificate.validity().not_after.timestamp() - now).div_euclid(DAY_S),
        short_key_bits: bits.filter(|bits| *bits < RSA_BITS_MIN),
        issuer: common_name.unwrap_or("an authority without a name").to_owned(),
    })
}

/// Whether the certificates of a host are those that the DNS tells.
pub(super) fn dane(question: &Question, host: &MailHost, met: &MetHost) -> Option<Finding> {
    let name = host.name.ascii();
    match &met.tlsa {
        Lookup::Records { records, validation, .. } => {
            if *validation != Validation::Secure || !host.is_proven {
                let says = format!(
                    "{name} has TLSA records, and nothing proves them here (DNSSEC), so that they may count for nothing"
                );
                let mend = "ask a name server that proves what it says, by --dns or by --dnssec; if it says the same, sign the \
                            zones of the domain and of its mail hosts";
                return Some(unknown(Topic::Dane, name, says).mend(mend));
            }
            Some(proven(question, host, met, records))
        }
        Lookup::NoData { .. } | Lookup::NoSuchName => {
            // DANE is for hosts that the DNS proves; others are told about DNSSEC already.
            if !host.is_proven {
                return None;
            }
            let says = format!(
                "{name} has no TLSA records (DANE), by which others would know its certificate for sure"
            );
            let found = notice(Topic::Dane, name, says);
            Some(match wanted(question, met) {
                Some(line) => found.mend(line),
                None => found,
            })
        }
        // RFC 7672 §2.1.2: who does DANE sends nothing there then.
        Lookup::Trouble(trouble) if host.is_proven || *trouble == DnsTrouble::Bogus => {
            let says = format!(
                "the DNS does not answer for the TLSA records of {name}, so that whoever does DANE sends no mail there: {trouble}"
            );
            let mend = format!(
                "have the name servers of {name} answer for _{}._tcp.{name} TLSA, if only that there is none",
                question.port
            );
            Some(bad(Topic::Dane, name, says).mend(mend))
        }
        Lookup::Trouble(trouble) => {
            Some(zone::trouble(Topic::Dane, name, "whether the host has TLSA records", *trouble))
        }
    }
}

fn proven(question: &Question, host: &MailHost, met: &MetHost, records: &[TlsaRecord]) -> Finding {
    let name = host.name.ascii();
    let mend = wanted(question, met).unwrap_or_else(|| {
        format!(
            "publish a record of usage 3, selector 1, matching type 1 at _{}._tcp.{}",
            question.port,
            met.tlsa_base.ascii()
        )
    });
    let records = usable(records);
    if records.is_empty() {
        let says = format!("{name} has TLSA records, and none of them is of a kind that counts for mail");
        return warning(Topic::Dane, name, says).mend(mend);
    }
    let names = [met.tlsa_base.clone(), host.name.clone(), question.domain.clone()];
    let mut seen = 0;
    for session in &met.sessions {
        let Ok(meeting) = &session.meeting else { continue };
        let refused = match &meeting.secured {
            Secured::Yes { chain, .. } => {
                dane::verify_chain(&records, &names, chain, question.now).err().map(|why| why.to_string())
            }
            Secured::NotOffered => Some("it offers no encryption".to_owned()),
            Secured::Failed(why) => Some(why.clone()),
        };
        if let Some(why) = refused {
            let says = format!(
                "{name} ({}) is not the host of its TLSA records, so that whoever does DANE sends no mail there: {why}",
                session.ip
            );
            return bad(Topic::Dane, name, says).mend(mend);
        }
        seen += 1;
    }
    if seen == 0 {
        return unknown(
            Topic::Dane,
            name,
            format!("{name} has TLSA records, and was not met, so they could not be compared"),
        );
    }
    good(Topic::Dane, name, format!("the certificate of {name} is that of its TLSA records"))
}

/// The record for the key that the host shows (RFC 7671 §5.1: its own key, by SHA-256).
fn wanted(question: &Question, met: &MetHost) -> Option<String> {
    let chain = met.sessions.iter().find_map(|session| match &session.meeting.as_ref().ok()?.secured {
        Secured::Yes { chain, .. } => chain.first(),
        _ => None,
    })?;
    let name = format!("_{}._tcp.{}", question.port, met.tlsa_base.ascii());
    Some(records::line(&name, &Data::Tlsa(dane::record_of(chain)?)))
}

const DAY_S: i64 = 24 * 3600;
