//! What programs look for besides: services (RFC 6186, RFC 8314 §5.1), settings, and a logo (BIMI).

use futures_util::future::join_all;
use mailauth::dmarc::{self, Policy};
use types::dns::Lookup;

use super::mx::Mail;
use super::{Question, good, notice, warning, zone};
use crate::{Finding, Outside, Topic};

/// Services that programs look for, and the ports that they have.
const SERVICES: &[(&str, u16)] = &[
    ("_submissions", 465),
    ("_submission", 587),
    ("_imaps", 993),
    ("_imap", 143),
    ("_pop3s", 995),
    ("_pop3", 110),
];

/// All of it.
pub(super) async fn check(outside: &dyn Outside, question: &Question, mail: &Mail) -> Vec<Finding> {
    let domain = question.domain.ascii();
    let (services, settings, logo) = futures_util::join!(
        services(outside, domain, mail),
        settings(outside, domain),
        logo(outside, question)
    );
    [services, settings, logo].into_iter().flatten().collect()
}

async fn services(outside: &dyn Outside, domain: &str, mail: &Mail) -> Option<Finding> {
    let found = join_all(SERVICES.iter().map(|(service, _)| async move {
        (service, outside.srv(&format!("{service}._tcp.{domain}")).await)
    }))
    .await;
    let (mut lines, mut is_sure) = (Vec::new(), true);
    for (service, lookup) in found {
        match lookup {
            Lookup::Records { records, .. } => lines.extend(records.iter().map(|record| {
                match record.target.trim_end_matches('.') {
                    // RFC 2782: decidedly not there.
                    "" => format!("{service}: not offered"),
                    target => format!("{service}: {target}, port {}", record.port),
                }
            })),
            Lookup::Trouble(_) => is_sure = false,
            Lookup::NoData { .. } | Lookup::NoSuchName => {}
        }
    }
    if lines.is_empty() {
        let line =
            zone::line(&format!("_submissions._tcp.{domain}"), "SRV", &format!("0 1 465 mail.{domain}."));
        let says = "the DNS does not tell mail programs where the services of the domain are (SRV)";
        let is_wanted = is_sure && *mail != Mail::TakesNone;
        return is_wanted.then(|| {
            notice(Topic::Srv, domain, says).mend(format!("for example {line}; the same for _imaps (993)"))
        });
    }
    let mut finding =
        good(Topic::Srv, domain, "the DNS tells mail programs where the services of the domain are (SRV)");
    finding.details = lines;
    Some(finding)
}

/// By habit of widespread programs; no standard has it.
async fn settings(outside: &dyn Outside, domain: &str) -> Option<Finding> {
    let has = |name: &'static str| async move {
        let host = format!("{name}.{domain}");
        let (ipv4, ipv6) = futures_util::join!(outside.ipv4(&host), outside.ipv6(&host));
        let is_there = matches!(ipv4, Lookup::Records { .. }) || matches!(ipv6, Lookup::Records { .. });
        is_there.then_some(host)
    };
    let (one, other) = futures_util::join!(has("autoconfig"), has("autodiscover"));
    let there: Vec<String> = [one, other].into_iter().flatten().collect();
    (!there.is_empty()).then(|| {
        good(
            Topic::Autoconfig,
            domain,
            format!("mail programs may find their settings at {}", there.join(" and ")),
        )
    })
}

/// Told only where there is one.
async fn logo(outside: &dyn Outside, question: &Question) -> Option<Finding> {
    let domain = question.domain.ascii();
    let name = format!("default._bimi.{domain}");
    let Lookup::Records { records, .. } = outside.txt(&name).await else { return None };
    let record = records.iter().find(|record| record.starts_with(b"v=BIMI1"))?;
    let authenticated = dmarc::evaluate(outside, &question.domain, &dmarc::Authenticated::default()).await;
    let finding = if authenticated.policy == Policy::None {
        let says = "the domain has a logo for its mail (BIMI), which nobody shows while DMARC asks for nothing (p=none)";
        warning(Topic::Bimi, &name, says).mend("say p=quarantine or p=reject in the DMARC record")
    } else {
        good(Topic::Bimi, &name, "the domain has a logo for its mail (BIMI)")
    };
    Some(finding.detail(zone::shown(record)))
}
