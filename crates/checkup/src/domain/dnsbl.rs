//! DNS lists (RFC 5782): whether the mail hosts, what sends, and the domain itself stand on lists that were named.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::mx::MailHost;
use super::{ADDRESSES_MAX, Question};
use crate::lists::{self, Subject};
use crate::{Finding, Outside};

/// All lists.
pub(super) async fn check(outside: &dyn Outside, question: &Question, hosts: &[MailHost]) -> Vec<Finding> {
    let mut addresses: BTreeSet<IpAddr> = question.sending_addresses.iter().copied().collect();
    addresses.extend(hosts.iter().flat_map(|host| &host.addresses));
    let addresses = addresses.into_iter().take(2 * ADDRESSES_MAX).map(Subject::Address);
    let domain = question.domain.ascii();
    let subjects: Vec<Subject> = addresses.chain([Subject::Domain(domain.to_owned())]).collect();
    let found = lists::check(outside, &question.lists, &subjects).await;
    let lists = question.lists.iter().zip(found).map(|(list, found)| {
        super::hosts::gathered(domain, &format!("nothing of it is on the list {list}"), found)
    });
    lists.flatten().collect()
}
