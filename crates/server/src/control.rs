//! How `posta` on the command line asks a running node, and the store where none runs.
//!
//! One implementation of the requests ([`answer`]) over a [`ControlTarget`], two transports: a Unix domain
//! socket `control.sock` in the data folder, which only the owner of the folder may open, and a call within
//! the process. On the socket a request is one line of JSON, and so is a response; the content of a message
//! follows its response as lines of base64.
//!
//! Left out on purpose: access from other machines, and rights: who may read the data folder may do all.

mod answer;
mod client;
mod known;
mod protocol;
mod queue;
mod socket;
mod trace;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use mta::dkim_rotation::{DkimSchedule, DkimSeen};
use store::embedded::{CheckReport, StoreStats};
use store::{Acceptance, Accepted, Queue, QueueItem, QueueItemId, Store, StoreError};
use types::directory::DkimKey;
use types::{Domain, Event, MailId};

use crate::config::Dkim;
use crate::quotas::Quotas;
use crate::secrets::{SecretError, Secrets};
pub(crate) use answer::changing;
pub use answer::{Answer, answer};
pub(crate) use client::reachable;
pub use client::{Client, ClientError};
pub use protocol::{
    AccountChange, AccountDetail, AccountSummary, AddressDetail, AddressFilter, AddressSummary,
    AppPasswordSummary, ControlError, DestinationSummary, DirectoryRequest, DirectoryResponse,
    DkimKeySummary, DomainChange, DomainSummary, ErrorKind, ExpungedSummary, GreylistEntry, GreylistRequest,
    GreylistResponse, LastActive, ListChange, ListStatus, MailboxRequest, MailboxResponse, MailboxSummary,
    MessageSummary, NodeFacts, Password, PosterRule, PutMode, QueueAct, QueueActed, QueueDamaged,
    QueueFilter, QueueFlush, QueueItemSummary, QueueLeft, QueuePage, QueueRequest, QueueResponse,
    QueueTotals, QueueWord, QueuedRecipientSummary, REQUEST_LINE_BYTES_MAX, Request, Response, RotateWhen,
    SearchRequest, Setting, SharedSecret, SiteSummary, SiteWord, Status, TellSender, TransferMode, VERSION,
    WhileUsed, WithMail,
};
pub use queue::GivenUp;
pub use socket::{ControlSocket, Server};
pub use trace::EventSummary;

/// What the requests are about.
#[async_trait]
pub trait ControlTarget: Send + Sync {
    /// Messages and accounts.
    fn store(&self) -> &Arc<dyn Store>;

    /// Messages came into mailboxes by what was asked for.
    fn arrived(&self, _accepted: &[Accepted]) {}

    /// What is running; `None` where nothing is.
    fn status(&self) -> Option<Status>;

    /// What the DNS should say of the host; `None` where nothing runs.
    fn node_facts(&self) -> Option<NodeFacts> {
        None
    }

    /// Whom greylisting remembers; `None` where nothing runs.
    fn greylist(&self, _request: &GreylistRequest) -> Option<GreylistResponse> {
        None
    }

    /// Which domains' mail is taken, besides those in the directory.
    fn local_domains(&self) -> LocalDomains {
        LocalDomains::Unknown
    }

    /// What seals private keys.
    ///
    /// # Errors
    /// Where the master key cannot be used.
    fn secrets(&self) -> Result<Secrets, SecretError>;

    /// How keys of DKIM follow one another.
    fn dkim_schedule(&self) -> DkimSchedule {
        Dkim::default().schedule()
    }

    /// What the DNS was found to have of a key.
    fn dkim_seen(&self, _key: &DkimKey) -> DkimSeen {
        DkimSeen::Unknown
    }

    /// Who else is about to store something, where a quota matters.
    fn quotas(&self) -> &Quotas;

    /// What waits for other hosts.
    fn queue(&self) -> &dyn Queue {
        self.store().as_ref()
    }

    /// Whether a runner takes it to other hosts.
    fn is_running(&self) -> bool {
        self.status().is_some()
    }

    /// Tells the runner, where one is, that somebody has changed these items.
    fn queue_changed(&self, _ids: &[QueueItemId]) {}

    /// Keeps the runner, where one is, from beginning with items while what is returned lives.
    fn withhold(&self, _items: &[QueueItem]) -> Withheld<'_> {
        Withheld::default()
    }

    /// Has the runner try these items now; false where there is none.
    fn start_now(&self, _ids: &[QueueItemId]) -> bool {
        false
    }

    /// Has the runner try what waits now; false where there is none.
    fn flush(&self, _what: &QueueFlush) -> bool {
        false
    }

    /// The sites of the runner; `None` where there is none.
    fn sites(&self) -> Option<Vec<SiteSummary>> {
        None
    }

    /// The reports that are owed where `operator` gives an item up, none where nobody is to be told; and what the trace
    /// is told of them once they are stored.
    ///
    /// # Errors
    /// Where reports cannot be made.
    async fn failure_reports(
        &self,
        _item: &QueueItem,
        _why: GivenUp,
        _operator: &str,
        _session_id: MailId,
    ) -> Result<(Vec<Acceptance>, Vec<Event>), ControlError> {
        let text = "reports are made by a running server; start it, or remove without a report";
        Err(ControlError::new(ErrorKind::Unavailable, text))
    }

    /// Verifies every checksum and cross-reference.
    ///
    /// # Errors
    /// Where the store cannot be read at all.
    async fn check(&self) -> Result<CheckReport, StoreError>;

    /// Figures about the store, by name.
    ///
    /// # Errors
    /// Where the store cannot be read.
    async fn stats(&self) -> Result<StoreStats, StoreError>;
}

/// Items with which nobody begins.
#[derive(Default)]
pub struct Withheld<'a> {
    /// Those among them that are being sent at this moment: they are not withheld.
    pub under_way: Vec<QueueItemId>,
    /// Ends it when it is dropped.
    pub guard: Option<Box<dyn Send + 'a>>,
}

/// What a node takes mail for, besides the domains of its directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocalDomains {
    /// Dev mode: any address of any domain.
    Everything,
    /// Those that the configuration names.
    Listed(Vec<Domain>),
    /// Nothing runs, and nobody has read a configuration.
    Unknown,
}
