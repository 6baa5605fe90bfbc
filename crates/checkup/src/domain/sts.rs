//! MTA-STS (RFC 8461), and whether the mail hosts keep what it promises.

use net::mta_sts::{Mode, Policy, PolicyError, PolicyId, RecordError, discover};
use types::dns::{DnsTrouble, Lookup};

use super::hosts::MetHost;
use super::mx::{Mail, MailHost};
use super::{Question, bad, good, notice, warning, zone};
use crate::{Finding, Outside, Secured, Topic};

/// What the domain publishes.
#[derive(Debug)]
pub(super) enum Published {
    /// Nothing.
    None,
    Trouble(DnsTrouble),
    /// A record that counts for nothing.
    Unusable(RecordError),
    /// A record, and no policy, for that reason.
    Unfetched(PolicyId, String),
    /// A record, and a file that is no policy.
    Malformed(PolicyId, PolicyError),
    Policy(PolicyId, Policy),
}

/// A policy that holds shorter protects against nobody who can wait (RFC 8461 §3.2 suggests weeks).
const MAX_AGE_MIN_S: u64 = 24 * 3600;

/// Asks for the record, and for the policy where there is one.
pub(super) async fn find(outside: &dyn Outside, question: &Question) -> Published {
    let domain = &question.domain;
    let records = match outside.txt(&format!("_mta-sts.{}", domain.ascii())).await {
        Lookup::Records { records, .. } => records,
        Lookup::NoData { .. } | Lookup::NoSuchName => return Published::None,
        Lookup::Trouble(trouble) => return Published::Trouble(trouble),
    };
    let id = match discover(&records) {
        Ok(Some(id)) => id,
        Ok(None) => return Published::None,
        Err(error) => return Published::Unusable(error),
    };
    match outside.policy(domain).await {
        Err(why) => Published::Unfetched(id, why),
        Ok(text) => match Policy::parse(&text) {
            Ok(policy) => Published::Policy(id, policy),
            Err(error) => Published::Malformed(id, error),
        },
    }
}

/// What of it is right and wrong.
pub(super) fn judge(
    question: &Question,
    published: &Published,
    mail: &Mail,
    met: &[MetHost],
) -> Vec<Finding> {
    let domain = question.domain.ascii();
    let name = format!("_mta-sts.{domain}");
    let record = zone::txt(&name, &format!("v=STSv1; id={}", question.now.seconds()));
    let file = format!("https://mta-sts.{domain}/.well-known/mta-sts.txt");
    match published {
        Published::None if mail.hosts().is_empty() => Vec::new(),
        Published::None => {
            let says = "the domain has no MTA-STS policy: whoever is on the way can have mail sent without encryption";
            let mend = format!("serve a policy at {file} ({}), then publish {record}", sample(mail));
            vec![notice(Topic::MtaSts, domain, says).mend(mend)]
        }
        Published::Trouble(trouble) => {
            vec![zone::trouble(Topic::MtaSts, domain, "whether the domain has an MTA-STS policy", *trouble)]
        }
        Published::Unusable(error) => {
            let says = format!("{error}, so that the policy counts for nothing");
            vec![bad(Topic::MtaSts, &name, says).mend(record)]
        }
        Published::Unfetched(id, why) => {
            let says =
                format!("the DNS says that there is an MTA-STS policy, and it cannot be fetched: {why}");
            let mend = format!(
                "serve {file} with a certificate for mta-sts.{domain} and the type text/plain, or remove the record {name}"
            );
            vec![bad(Topic::MtaSts, domain, says).mend(mend).detail(format!("id {id}"))]
        }
        Published::Malformed(id, error) => {
            let says = format!("the file at the MTA-STS policy's place is no policy: {error}");
            let mend = format!("serve at {file}: {}", sample(mail));
            vec![bad(Topic::MtaSts, domain, says).mend(mend).detail(format!("id {id}"))]
        }
        Published::Policy(id, policy) => policy_findings(domain, id, policy, mail.hosts(), met),
    }
}

fn policy_findings(
    domain: &str,
    id: &PolicyId,
    policy: &Policy,
    hosts: &[MailHost],
    met: &[MetHost],
) -> Vec<Finding> {
    let renewed = format!("change the file, then publish another id at _mta-sts.{domain} (it is {id} now)");
    let mut findings = vec![match policy.mode {
        Mode::Enforce => {
            good(Topic::MtaSts, domain, "the domain has an MTA-STS policy that has to be kept (mode enforce)")
        }
        Mode::Testing => {
            let says = "the domain has an MTA-STS policy that is only tested: hosts that fail it get mail all the same";
            notice(Topic::MtaSts, domain, says)
                .mend(format!("when the reports are clean, say \"mode: enforce\" in the policy; {renewed}"))
        }
        Mode::None => notice(Topic::MtaSts, domain, "the domain gives its MTA-STS policy up (mode none)"),
    }];
    if let Some(first) = findings.first_mut() {
        first.details = policy.lines();
        first.details.push(format!("id: {id}"));
    }
    if policy.mode == Mode::None {
        return findings;
    }
    let is_enforced = policy.mode == Mode::Enforce;
    let worse = if is_enforced { bad } else { warning };
    for host in hosts.iter().filter(|host| !policy.names(&host.name)) {
        let name = host.name.ascii();
        let then = if is_enforced {
            "who keeps the policy sends it no mail"
        } else {
            "it would get no mail if the policy were enforced"
        };
        let says = format!("the MTA-STS policy does not name the mail host {name}: {then}");
        findings.push(
            worse(Topic::MtaSts, name, says)
                .mend(format!("add the line \"mx: {name}\" to the policy; {renewed}")),
        );
    }
    for (host, met) in hosts.iter().zip(met).filter(|(host, _)| policy.names(&host.name)) {
        findings.extend(broken(host, met, is_enforced, worse));
    }
    for pattern in policy.mx.iter().filter(|pattern| {
        !hosts.iter().any(|host| Policy { mx: vec![(*pattern).clone()], ..policy.clone() }.names(&host.name))
    }) {
        let says = format!("the MTA-STS policy names {pattern}, which is no mail host of the domain");
        findings.push(notice(Topic::MtaSts, domain, says));
    }
    if policy.max_age.as_secs() < MAX_AGE_MIN_S {
        let says = format!(
            "the MTA-STS policy holds for {} seconds only, so that it protects against nobody who can wait",
            policy.max_age.as_secs()
        );
        findings.push(
            warning(Topic::MtaSts, domain, says)
                .mend(format!("say \"max_age: 604800\" or more in the policy; {renewed}")),
        );
    }
    findings
}

/// A host that is named and does not show what the policy asks for (RFC 8461 §4.2).
fn broken(
    host: &MailHost,
    met: &MetHost,
    is_enforced: bool,
    worse: fn(Topic, &str, String) -> Finding,
) -> Option<Finding> {
    let name = host.name.ascii();
    let why = met.sessions.iter().find_map(|session| match &session.meeting.as_ref().ok()?.secured {
        Secured::Yes { distrust, .. } => distrust.clone(),
        Secured::NotOffered => Some("it offers no encryption".to_owned()),
        Secured::Failed(why) => Some(why.clone()),
    })?;
    let then = if is_enforced {
        "who keeps the policy sends it no mail"
    } else {
        "it would get no mail if the policy were enforced"
    };
    let says = format!("{name} does not show what the MTA-STS policy asks for, and {then}: {why}");
    Some(
        worse(Topic::MtaSts, name, says)
            .mend(format!("give {name} a certificate for its name from an authority that everybody trusts")),
    )
}

/// A policy for these hosts, on one line.
fn sample(mail: &Mail) -> String {
    let hosts: String = mail.hosts().iter().map(|host| format!("mx: {}\\n", host.name.ascii())).collect();
    format!("\"version: STSv1\\nmode: testing\\n{hosts}max_age: 604800\\n\"")
}
