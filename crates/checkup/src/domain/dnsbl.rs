//! DNS lists (RFC 5782): whether the mail hosts, what sends, and the domain itself stand on lists that were named.
//!
//! A list is believed after its test entries say what they must (§5): one that answers for everything, or for nothing, since
//! it does not serve this name server, would tell falsehoods.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use futures_util::future::join_all;
use types::dns::Lookup;

use super::mx::MailHost;
use super::{ADDRESSES_MAX, LISTS_MAX, Question, bad, good, unknown, zone};
use crate::{Finding, Outside, Topic};

/// What a list says of one entry.
enum Entry {
    Listed(Vec<Ipv4Addr>),
    NotListed,
    Unknown(String),
}

/// What a list is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Kinds {
    ipv4: bool,
    ipv6: bool,
    domains: bool,
}

/// All lists.
pub(super) async fn check(outside: &dyn Outside, question: &Question, hosts: &[MailHost]) -> Vec<Finding> {
    let mut addresses: BTreeSet<IpAddr> = question.sending_addresses.iter().copied().collect();
    addresses.extend(hosts.iter().flat_map(|host| &host.addresses));
    let addresses: Vec<IpAddr> = addresses.into_iter().take(2 * ADDRESSES_MAX).collect();
    let lists = question.lists.iter().take(LISTS_MAX);
    let found = join_all(lists.map(|list| one(outside, question, list, &addresses))).await;
    found.into_iter().flatten().collect()
}

async fn one(outside: &dyn Outside, question: &Question, list: &str, addresses: &[IpAddr]) -> Vec<Finding> {
    let list = list.trim_end_matches('.');
    let kinds = kinds(outside, list).await;
    if kinds == Kinds::default() {
        let says = format!(
            "the list {list} does not answer for its test entries, so that what it says counts for nothing"
        );
        let mend = "ask it by a name server of your own: many lists answer no public ones; or see whether it still exists";
        return vec![unknown(Topic::Dnsbl, list, says).mend(mend)];
    }
    let wanted =
        addresses.iter().filter(|ip| if ip.to_canonical().is_ipv4() { kinds.ipv4 } else { kinds.ipv6 });
    let mut entries: Vec<(String, String)> =
        wanted.map(|ip| (ip.to_string(), format!("{}.{list}", zone::reversed(*ip)))).collect();
    if kinds.domains {
        let domain = question.domain.ascii();
        entries.push((domain.to_owned(), format!("{domain}.{list}")));
    }
    let found = join_all(entries.iter().map(|(about, name)| judge(outside, list, about, name))).await;
    super::hosts::gathered(question.domain.ascii(), &format!("nothing of it is on the list {list}"), found)
}

/// RFC 5782 §5: by its test entries.
async fn kinds(outside: &dyn Outside, list: &str) -> Kinds {
    // Of IPv6 it is ::FFFF:7F00:2, nibble by nibble, though it reads as an IPv4 address elsewhere.
    let ipv6 = |last: u8| format!("{last}.0.0.0.0.0.f.7.f.f.f.f.{}", vec!["0"; 20].join("."));
    let ask = |entry: String| async move { entry_of(outside, &format!("{entry}.{list}")).await };
    let (listed4, not4, listed6, not6, listed_domain, not_domain) = futures_util::join!(
        ask("2.0.0.127".to_owned()),
        ask("1.0.0.127".to_owned()),
        ask(ipv6(2)),
        ask(ipv6(1)),
        ask("test".to_owned()),
        ask("invalid".to_owned()),
    );
    let works = |listed: &Entry, not: &Entry| matches!((listed, not), (Entry::Listed(_), Entry::NotListed));
    Kinds {
        ipv4: works(&listed4, &not4),
        ipv6: works(&listed6, &not6),
        domains: works(&listed_domain, &not_domain),
    }
}

async fn judge(outside: &dyn Outside, list: &str, about: &str, name: &str) -> Finding {
    if !mailauth::is_name(name) {
        return unknown(Topic::Dnsbl, about, format!("{about} is too long a name for the list {list}"));
    }
    match entry_of(outside, name).await {
        Entry::NotListed => good(Topic::Dnsbl, about, format!("{about} is not on the list {list}")),
        Entry::Unknown(why) => unknown(
            Topic::Dnsbl,
            about,
            format!("whether {about} is on the list {list} could not be found out: {why}"),
        ),
        Entry::Listed(codes) => {
            let codes: Vec<String> = codes.iter().map(ToString::to_string).collect();
            let says = format!(
                "{about} is on the list {list} ({}): hosts that use it refuse mail from there",
                codes.join(", ")
            );
            let mend =
                format!("see at the list's web page why and how to be taken off; {name} TXT often says it");
            let mut finding = bad(Topic::Dnsbl, about, says).mend(mend);
            // RFC 5782 §2.1: why, and often where to read more.
            if let Lookup::Records { records, .. } = outside.txt(name).await {
                finding.details = records.iter().take(TEXTS_MAX).map(|text| zone::shown(text)).collect();
            }
            finding
        }
    }
}

async fn entry_of(outside: &dyn Outside, name: &str) -> Entry {
    match outside.ipv4(name).await {
        Lookup::Records { records, .. } => {
            // By habit, lists tell who may not ask them by an address at the end of 127/8.
            if records.iter().any(|ip| matches!(ip.octets(), [127, 255, 255, _])) {
                return Entry::Unknown("the list does not serve this name server".to_owned());
            }
            // RFC 5782 §2.1: other addresses are those of a domain that somebody else has taken.
            if !records.iter().all(Ipv4Addr::is_loopback) {
                return Entry::Unknown("the list answers with what is no answer of a list".to_owned());
            }
            Entry::Listed(records)
        }
        Lookup::NoData { .. } | Lookup::NoSuchName => Entry::NotListed,
        Lookup::Trouble(trouble) => Entry::Unknown(trouble.to_string()),
    }
}

/// Texts of one entry that are told.
const TEXTS_MAX: usize = 3;
