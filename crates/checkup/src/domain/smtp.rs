//! Whether mail hosts answer, and who they say they are.

use mailauth::iprev::Iprev;

use super::hosts::{Leads, Met};
use super::mx::MailHost;
use super::{Question, bad, good, notice, unknown, warning, zone};
use crate::{Finding, Topic, Unmet};

/// Whether somebody takes mail there.
pub(super) fn answers(question: &Question, visits: &[(&MailHost, &Met)]) -> Vec<Finding> {
    let is_unheard = |met: &Met| matches!(met.meeting, Err(Unmet::Silence | Unmet::NoWay(_)));
    let is_there = visits.iter().any(|(_, met)| met.meeting.is_ok());
    // Where nobody at all answers, the likelier cause is here: homes and clouds may not connect to port 25.
    if !visits.is_empty() && visits.iter().all(|(_, met)| is_unheard(met)) {
        let says = format!(
            "none of {} answers on port {} from here: either they are down, or this network blocks connections to that \
             port, as most homes and clouds do",
            zone::count(visits.len(), "address"),
            question.port
        );
        let mend = "run this check from a machine that may connect to port 25, for example a mail server";
        return vec![unknown(Topic::Smtp, question.domain.ascii(), says).mend(mend)];
    }
    visits.iter().map(|(host, met)| answer(question, host, met, is_there)).collect()
}

fn answer(question: &Question, host: &MailHost, met: &Met, is_another_there: bool) -> Finding {
    let (name, ip, port) = (host.name.ascii(), met.ip, question.port);
    let lost = if is_another_there { warning } else { bad };
    match &met.meeting {
        Ok(_) => good(Topic::Smtp, name, format!("{name} ({ip}) answers")),
        Err(Unmet::Silence) => {
            let says =
                format!("{name} ({ip}) does not answer on port {port}: mail waits or goes to other hosts");
            lost(Topic::Smtp, name, says).mend(format!(
                "start the mail server at {ip}, let port {port} through its firewall, or remove the address"
            ))
        }
        Err(Unmet::Refused) => {
            let says =
                format!("nobody listens at {name} ({ip}) on port {port}: mail waits or goes to other hosts");
            lost(Topic::Smtp, name, says)
                .mend(format!("start the mail server at {ip}, or remove the address from {name}"))
        }
        Err(Unmet::NoWay(why)) => {
            let says = format!("{name} ({ip}) cannot be reached from here: {why}");
            unknown(Topic::Smtp, name, says).mend("run this check from a machine that has such addresses too")
        }
        Err(Unmet::NoSession(why)) => {
            let says = format!("{name} ({ip}) does not let this machine in: {why}");
            let mend =
                "if others are let in, it is about the address of this machine; else mend the mail server";
            lost(Topic::Smtp, name, says).mend(mend)
        }
    }
}

/// Whether the address has a name that leads back to it: who sends from it is refused by many otherwise.
pub(super) fn reverse(host: &MailHost, met: &Met) -> Option<Finding> {
    let (name, ip) = (host.name.ascii(), met.ip);
    let about = ip.to_string();
    let mend = || {
        let line = zone::line(&zone::reverse_name(ip), "PTR", &format!("{name}."));
        format!("have whoever gave you the address set its name: {line}")
    };
    Some(match &met.reverse {
        Iprev::Pass { name } => {
            good(Topic::Ptr, &about, format!("{ip} has the name {name}, which leads back to it"))
        }
        Iprev::Fail => {
            let says = format!(
                "{ip} has names, and none of them leads back to it: many hosts refuse mail that is sent from there"
            );
            warning(Topic::Ptr, &about, says).mend(mend())
        }
        Iprev::PermError => {
            let says = format!("{ip} has no name in the DNS: many hosts refuse mail that is sent from there");
            warning(Topic::Ptr, &about, says).mend(mend())
        }
        Iprev::TempError => {
            unknown(Topic::Ptr, &about, format!("the DNS does not answer now for the name of {ip}"))
                .mend("try again in some minutes")
        }
    })
}

/// Whether the host calls itself by a name that is its own (RFC 5321 §4.1.1.1, §4.3.1).
pub(super) fn hello(host: &MailHost, met: &Met) -> Option<Finding> {
    let meeting = met.meeting.as_ref().ok()?;
    let (name, ip) = (host.name.ascii(), met.ip);
    let mend = format!("have the mail server at {ip} call itself {name}");
    let Some(hello) = &met.hello else {
        let says = format!(
            "{name} ({ip}) greets without a name: {:?}",
            meeting.greeting.first().map_or("", |line| line)
        );
        return Some(warning(Topic::Hello, name, says).mend(mend));
    };
    let said = &hello.name;
    Some(match hello.leads {
        Leads::Here => {
            good(Topic::Hello, name, format!("{name} ({ip}) calls itself {said}, which has that address"))
        }
        Leads::Elsewhere => {
            let says = format!("{name} ({ip}) calls itself {said}, which has another address");
            notice(Topic::Hello, name, says).mend(mend)
        }
        Leads::Nowhere => {
            let says = format!(
                "{name} ({ip}) calls itself {said}, which has no address: what it sends by that name is refused by many"
            );
            warning(Topic::Hello, name, says).mend(mend)
        }
        Leads::NoName => {
            let says = format!("{name} ({ip}) calls itself {said:?}, which is no whole name of a host");
            warning(Topic::Hello, name, says).mend(mend)
        }
        Leads::Unknown => unknown(
            Topic::Hello,
            name,
            format!("the DNS does not answer now for {said}, as {name} ({ip}) calls itself"),
        ),
    })
}
