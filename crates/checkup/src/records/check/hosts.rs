//! Mail hosts, their addresses, and the names of those.

use std::net::IpAddr;

use super::{Checked, Look, State, addresses as both, is_public, listed, records, same_name};
use crate::records::WantedRecord;
use crate::{Finding, Topic, Verdict};

/// Hosts of a domain whose addresses are asked for.
const HOSTS_MAX: usize = 10;
/// Addresses of a host whose names are asked for.
const ADDRESSES_MAX: usize = 8;

pub(super) async fn mail_hosts(look: &Look<'_>) -> Vec<Checked> {
    let Some(record) = look.of(Topic::Mx).next() else { return Vec::new() };
    let (domain, host) = (look.facts.domain.ascii(), look.facts.host.ascii());
    let mut found = match records(look.outside.mx(domain).await) {
        Ok(found) => found,
        Err(trouble) => return vec![Checked::unknown(Topic::Mx, domain, trouble)],
    };
    found.sort_by_key(|mx| mx.preference);
    if found.is_empty() {
        return vec![without_mx(look, record).await];
    }
    let names: Vec<String> = found.iter().map(|mx| mx.exchange.trim_end_matches('.').to_owned()).collect();
    if names.iter().any(String::is_empty) {
        let says = "the domain says that it takes no mail (a null MX, RFC 7505); the record below is to take its place";
        return vec![Checked::differs(record, Verdict::Bad, says)];
    }
    let lines =
        found.iter().map(|mx| format!("found: {} {}", mx.preference, mx.exchange.trim_end_matches('.')));
    let checked = match names.iter().position(|name| same_name(name, host)) {
        Some(_) if names.len() == 1 => {
            return vec![Checked::good(Topic::Mx, domain, format!("mail goes to {host}"))];
        }
        Some(place) if found[place].preference == found[0].preference => {
            Checked::good(Topic::Mx, domain, format!("mail goes to {host} and other hosts"))
        }
        Some(_) => {
            let says = format!("{host} takes mail where the hosts before it do not");
            Checked::new(State::Matches, Finding::new(Topic::Mx, domain, Verdict::Notice, says))
        }
        None => elsewhere(look, record, &names).await,
    };
    vec![lines.fold(checked, Checked::detail)]
}

/// RFC 5321 §5.1: without MX records the domain's own addresses count.
async fn without_mx(look: &Look<'_>, record: &WantedRecord) -> Checked {
    let domain = look.facts.domain.ascii();
    let own = both(look.outside.ipv4(domain).await, look.outside.ipv6(domain).await).unwrap_or_default();
    if own.iter().any(|address| look.sending_addresses().contains(address)) {
        let says = "there is no MX record; mail comes only because the domain's own address is this host's";
        return Checked::missing(record, Verdict::Warning, says);
    }
    Checked::missing(record, Verdict::Bad, "there is no MX record, so the domain gets no mail here")
}

/// The host may have other names.
async fn elsewhere(look: &Look<'_>, record: &WantedRecord, names: &[String]) -> Checked {
    let host = look.facts.host.ascii();
    let ours = look.sending_addresses();
    for name in names.iter().take(HOSTS_MAX).filter(|name| mailauth::is_name(name)) {
        let theirs = both(look.outside.ipv4(name).await, look.outside.ipv6(name).await).unwrap_or_default();
        if theirs.iter().any(|address| ours.contains(address)) {
            let says = format!(
                "mail goes to {name}, which has an address of this host; its certificate should have that name"
            );
            return Checked::new(
                State::Matches,
                Finding::new(record.topic, &record.name, Verdict::Notice, says),
            );
        }
    }
    // Beside the others, of the same preference, it would get a part of the mail.
    let says = format!(
        "mail goes to {} and not to {host}; if it is to come here, the record below takes the place of those",
        listed(names)
    );
    Checked::differs(record, Verdict::Bad, says)
}

pub(super) async fn addresses(look: &Look<'_>) -> Vec<Checked> {
    let host = look.facts.host.ascii();
    let found = match &look.seen.addresses {
        Ok(found) => found,
        Err(trouble) => return vec![Checked::unknown(Topic::Address, host, *trouble)],
    };
    if found.is_empty() {
        return missing_addresses(look);
    }
    let mut all = Vec::new();
    if let Some(alias_of) = &look.seen.alias_of {
        let says = format!(
            "the name is another name (CNAME) of {alias_of}, which the name of a mail host must not be"
        );
        let finding = Finding::new(Topic::Address, host, Verdict::Warning, says)
            .mend("put address records in the place of the CNAME record (RFC 2181 §10.3)");
        all.push(Checked::new(State::Differs, finding));
    }
    let hidden: Vec<&IpAddr> = found.iter().filter(|address| !is_public(**address)).collect();
    if !hidden.is_empty() {
        let says = format!("{} cannot be reached from outside", listed(&hidden));
        let finding = Finding::new(Topic::Address, host, Verdict::Bad, says)
            .mend("take this address out of the zone, or put the public one in its place");
        all.push(Checked::new(State::Differs, finding));
    }
    all.extend(look.of(Topic::Address).filter_map(|record| absent(look, record, found)));
    if all.is_empty() {
        all.push(Checked::good(Topic::Address, host, format!("the host is at {}", listed(found))));
    }
    all
}

fn missing_addresses(look: &Look<'_>) -> Vec<Checked> {
    let says = "the host has no address, so nobody can reach it";
    let known: Vec<Checked> =
        look.of(Topic::Address).map(|record| Checked::missing(record, Verdict::Bad, says)).collect();
    if !known.is_empty() {
        return known;
    }
    let finding = Finding::new(Topic::Address, look.facts.host.ascii(), Verdict::Bad, says)
        .mend("give it an A record with its public address, and an AAAA record where it has IPv6");
    vec![Checked::new(State::Missing, finding)]
}

/// An address that the node has and the DNS does not tell of.
fn absent(look: &Look<'_>, record: &WantedRecord, found: &[IpAddr]) -> Option<Checked> {
    let address: IpAddr = record.data.value().parse().ok()?;
    if found.contains(&address) {
        return None;
    }
    let shares = look.facts.addresses.iter().any(|ours| found.contains(ours));
    let says = if shares {
        format!(
            "{address} of this host is not among its addresses in the DNS; mail sent from there looks forged"
        )
    } else {
        format!("the name leads to {} and not to {address}", listed(found))
    };
    Some(Checked::differs(record, Verdict::Warning, says))
}

pub(super) async fn names(look: &Look<'_>) -> Vec<Checked> {
    let mut all = Vec::new();
    for address in look.sending_addresses().into_iter().take(ADDRESSES_MAX) {
        all.push(name_of(look, address).await);
    }
    all
}

async fn name_of(look: &Look<'_>, address: IpAddr) -> Checked {
    let (host, about) = (look.facts.host.ascii(), address.to_string());
    let found = match records(look.outside.ptr(address).await) {
        Ok(found) => found,
        Err(trouble) => return Checked::unknown(Topic::Ptr, &about, trouble),
    };
    if found.iter().any(|name| same_name(name, host)) {
        return Checked::good(Topic::Ptr, &about, format!("its name is {host}"));
    }
    let (state, says) = if found.is_empty() {
        (State::Missing, "the address has no name; many receivers take no mail from it".to_owned())
    } else {
        let names: Vec<&str> = found.iter().map(|name| name.trim_end_matches('.')).collect();
        (State::Differs, format!("its name is {}, while the host calls itself {host}", listed(&names)))
    };
    let verdict = if found.is_empty() { Verdict::Bad } else { Verdict::Warning };
    let mend = format!("have whoever gave you {address} set its name (PTR) to {host}");
    Checked::new(state, Finding::new(Topic::Ptr, about, verdict, says).mend(mend))
}
