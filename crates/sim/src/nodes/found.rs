//! What is found at the end: copies of messages and reports, in mailboxes and with peers.

use std::collections::{BTreeMap, BTreeSet};

use store::embedded::Embedded;
use store::{BodyStream, Directory as _, Mailboxes as _, StoreError};
use types::MailId;

use super::ledger::{Taken, field, tag_of};
use super::life::Life;
use super::world::World;

/// All that is found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// By tag and recipient.
    pub(super) copies: BTreeMap<(String, String), Vec<FoundCopy>>,
    /// By their id: one that came twice is one.
    pub(super) reports: BTreeMap<String, Report>,
}

/// One copy of a message.
#[derive(Debug)]
pub(super) struct FoundCopy {
    /// In whose mailbox, or with which peer.
    pub(super) place: String,
    pub(super) octets: Vec<u8>,
}

/// A report.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Report {
    /// The tag of the message that it is about.
    pub(super) about: Option<String>,
    pub(super) failed: BTreeSet<String>,
    pub(super) delayed: BTreeSet<String>,
    /// Where it is.
    pub(super) places: Vec<String>,
}

/// Reads all of it.
///
/// # Errors
/// A store that cannot be read, or whose check finds something.
pub(super) fn find(life: &mut Life<'_>, world: &World) -> Result<Found, String> {
    let mut found = Found::default();
    for node in life.nodes.clone() {
        let name = &world.plan.nodes[node.number].name;
        let store = node.store().ok_or_else(|| format!("{name} is not up at the end"))?;
        let report = store.check().map_err(|error| format!("{name}: the check: {error}"))?;
        if !report.is_clean() {
            return Err(format!("{name}: the check found {:?}", report.findings));
        }
        for account in life.ask("accounts", store.accounts())? {
            let mut uids = BTreeSet::new();
            let entries = life.ask("messages", store.messages(account.inbox, None, usize::MAX))?;
            for entry in entries {
                if !uids.insert(entry.uid) {
                    return Err(format!(
                        "{name}: two messages of {} have the UID {}",
                        account.name, entry.uid
                    ));
                }
                let octets = life.ask("a message", read(&store, account.inbox, entry.uid))?;
                found.add(&account.name, &account.name, octets);
            }
        }
    }
    for Taken { recipients, octets, peer, .. } in &world.state().ledger.taken {
        for recipient in recipients {
            found.add(recipient, peer, octets.clone());
        }
    }
    Ok(found)
}

impl Found {
    fn add(&mut self, recipient: &str, place: &str, octets: Vec<u8>) {
        let tag = tag_of(&octets).unwrap_or_default();
        if let Some(report) = Report::read(&octets) {
            let report = self.reports.entry(tag.clone()).or_insert(report);
            report.places.push(place.to_owned());
        }
        let copy = FoundCopy { place: place.to_owned(), octets };
        self.copies.entry((tag, recipient.to_owned())).or_default().push(copy);
    }

    /// The failure reports about a recipient of a message.
    pub(super) fn failures<'f>(
        &'f self,
        tag: &'f str,
        recipient: &'f str,
    ) -> impl Iterator<Item = (&'f String, &'f Report)> + 'f {
        self.reports.iter().filter(move |(_, report)| {
            report.about.as_deref() == Some(tag) && report.failed.contains(recipient)
        })
    }
}

impl Report {
    /// None where it is something else.
    fn read(octets: &[u8]) -> Option<Self> {
        let kind = field(octets, "content-type")?;
        if !kind.starts_with("multipart/report") {
            return None;
        }
        let mut report = Self { about: field(octets, "in-reply-to"), ..Self::default() };
        let text = String::from_utf8_lossy(octets);
        let mut recipient = None;
        for line in text.lines() {
            if let Some(address) = line.strip_prefix("Final-Recipient: rfc822; ") {
                recipient = Some(address.trim().to_ascii_lowercase());
            } else if let Some(action) = line.strip_prefix("Action: ")
                && let Some(recipient) = recipient.take()
            {
                match action.trim() {
                    "failed" => report.failed.insert(recipient),
                    _ => report.delayed.insert(recipient),
                };
            }
        }
        Some(report)
    }
}

async fn read(store: &Embedded, mailbox: store::MailboxId, uid: store::Uid) -> Result<Vec<u8>, StoreError> {
    let mut stream: Box<dyn BodyStream> = store.open(mailbox, uid).await?;
    let mut octets = Vec::new();
    loop {
        let more = stream.next().await?;
        if more.is_empty() {
            return Ok(octets);
        }
        octets.extend_from_slice(&more);
    }
}

/// All that a node knows of a message, for whoever reads a failure.
pub(super) fn timeline(life: &mut Life<'_>, node: usize, mail_id: MailId) -> Vec<types::Event> {
    use store::Trace as _;
    let Some(store) = life.nodes[node].store() else { return Vec::new() };
    let query = store::TraceQuery { id: Some(mail_id), limit: 1000, ..store::TraceQuery::default() };
    life.ask("the trace", store.trace(query)).unwrap_or_default()
}
