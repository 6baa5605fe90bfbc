//! What certificates the host has, and where programs find services.

use net::dane::verify_chain;
use types::dns::{Lookup, SrvRecord, TlsaRecord, Validation};

use super::{Checked, Look, State, listed, records, same_name};
use crate::records::{Data, WantedRecord};
use crate::{Finding, Topic, Verdict};

/// The port of mail between servers.
const SMTP: u16 = 25;

pub(super) async fn tlsa(look: &Look<'_>) -> Vec<Checked> {
    let host = &look.facts.host;
    let name = format!("_{SMTP}._tcp.{}", host.ascii());
    let (found, validation) = match look.outside.tlsa(SMTP, host).await {
        Lookup::Records { records, validation, .. } => (records, validation),
        Lookup::Trouble(trouble) => return vec![Checked::unknown(Topic::Dane, &name, trouble)],
        Lookup::NoData { .. } | Lookup::NoSuchName => {
            let missing = |record| {
                Checked::missing(record, Verdict::Notice, "there is no TLSA record")
                    .detail("it helps only where the zone of the host is signed by DNSSEC")
            };
            return look.of(Topic::Dane).map(missing).collect();
        }
    };
    vec![judged(look, &name, &found, validation)]
}

fn judged(look: &Look<'_>, name: &str, found: &[TlsaRecord], validation: Validation) -> Checked {
    let facts = look.facts;
    if facts.certificates.is_empty() {
        let says = "there are TLSA records; whether they fit is not known without the host's certificate";
        return Checked::new(State::Unknown, Finding::new(Topic::Dane, name, Verdict::Unknown, says));
    }
    let names = [facts.host.clone(), facts.domain.clone()];
    // Some clients are shown one certificate and some another: all of them have to fit.
    let misfit =
        facts.certificates.iter().find_map(|chain| verify_chain(found, &names, chain, look.now).err());
    let is_signed = validation == Validation::Secure;
    let remark = "the answer is not proven by DNSSEC, without which senders pass the records over";
    let Some(misfit) = misfit else {
        let says = "the TLSA records fit the certificate of the host";
        if is_signed {
            return Checked::good(Topic::Dane, name, says);
        }
        let finding = Finding::new(Topic::Dane, name, Verdict::Notice, says).detail(remark);
        return Checked::new(State::Matches, finding);
    };
    let verdict = if is_signed { Verdict::Bad } else { Verdict::Warning };
    let says = format!("{misfit}; senders that keep to DANE give the host no mail");
    let found = found.iter().map(|tlsa| format!("found: {}", Data::Tlsa(tlsa.clone()).value()));
    let checked = match look.of(Topic::Dane).next() {
        Some(record) => Checked::differs(record, verdict, says),
        None => Checked::new(State::Differs, Finding::new(Topic::Dane, name, verdict, says)),
    };
    let checked = found.fold(checked, Checked::detail);
    if is_signed { checked } else { checked.detail(remark) }
}

pub(super) async fn srv(look: &Look<'_>) -> Vec<Checked> {
    let mut all = Vec::new();
    for record in look.of(Topic::Srv) {
        if let Data::Srv(wanted) = &record.data {
            all.push(service(look, record, wanted).await);
        }
    }
    all
}

async fn service(look: &Look<'_>, record: &WantedRecord, wanted: &SrvRecord) -> Checked {
    let about = &record.name;
    let found = match records(look.outside.srv(about).await) {
        Ok(found) => found,
        Err(trouble) => return Checked::unknown(Topic::Srv, about, trouble),
    };
    let is_here = wanted.target != ".";
    if found.is_empty() {
        let says = if is_here {
            "there is no record, so programs have to guess where the service is"
        } else {
            "there is no record, so programs may look for a service that is not here"
        };
        return Checked::missing(record, Verdict::Notice, says);
    }
    let is_ours = |srv: &SrvRecord| same_name(&srv.target, &wanted.target) && srv.port == wanted.port;
    let is_none = |srv: &SrvRecord| srv.target.trim_end_matches('.').is_empty();
    match (is_here, found.iter().any(is_ours)) {
        (true, true) => {
            let says = format!("programs find {}, port {}", wanted.target, wanted.port);
            return Checked::good(Topic::Srv, about, says);
        }
        (false, _) if found.iter().all(is_none) => {
            return Checked::good(Topic::Srv, about, "programs are told that the service is not here");
        }
        _ => {}
    }
    let targets: Vec<String> = found.iter().map(|srv| Data::Srv(srv.clone()).value()).collect();
    let leads_here = found.iter().any(|srv| same_name(&srv.target, look.facts.host.ascii()));
    let (verdict, says) = match (is_here, leads_here) {
        (false, true) => {
            (Verdict::Warning, "programs are sent to this host for a service that it does not have")
        }
        (true, true) => (Verdict::Warning, "programs are sent to another port of this host"),
        // Another host may well have what this one has not.
        (false, false) => {
            let says = format!("programs are sent elsewhere: {}", listed(&targets));
            return Checked::new(State::Matches, Finding::new(Topic::Srv, about, Verdict::Notice, says));
        }
        (true, false) => (Verdict::Warning, "programs are sent elsewhere, though the service is here"),
    };
    targets
        .iter()
        .fold(Checked::differs(record, verdict, says), |checked, srv| checked.detail(format!("found: {srv}")))
}
