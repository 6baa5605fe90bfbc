//! Whoever takes a message at its end: from whom, for whom, and what the log says of it.

use std::sync::Arc;

use mta::admission::Decision;
use smtp::server::{Recipient, Transaction};
use store::{Accepted, StoreError};
use tracing::{error, info, warn};
use types::{EventStep, MailId, Notify, RecipientDsn, Reply};

use super::identity::Identity;
use crate::directory::Route;
use crate::listener::ListenerFacts;
use crate::local_delivery::Addressee;
use crate::logging::Outside;
use crate::shared::{Peer, Shared};
use crate::timeline::Timeline;

/// Whoever takes a message, and from whom.
#[derive(Clone, Copy)]
pub(super) struct Acceptor<'a> {
    pub(super) shared: &'a Shared,
    pub(super) facts: &'a ListenerFacts,
    pub(super) peer: &'a Peer,
    pub(super) identity: Option<&'a Identity>,
    pub(super) transaction: &'a Transaction<Arc<Route>>,
    pub(super) size_bytes: u64,
    /// For each recipient, in LMTP, the reply of those for whom it is not taken after all.
    pub(super) late: &'a [Option<Reply>],
    /// Nobody is told what becomes of it, whatever was asked for.
    pub(super) withholds_reports: bool,
}

/// What is asked for a recipient whose sender is to hear nothing.
pub(super) static UNREPORTED: RecipientDsn =
    RecipientDsn { notify: Some(Notify::Never), original_recipient: None };

impl Acceptor<'_> {
    /// Whether it is taken for this recipient.
    pub(super) fn is_for(&self, index: usize) -> bool {
        !matches!(self.late.get(index), Some(Some(_)))
    }

    /// Those for whom it is taken.
    pub(super) fn addressees(&self) -> Vec<Addressee<'_>> {
        let is_for = |(index, _): &(usize, _)| self.is_for(*index);
        let recipients = self.transaction.recipients.iter().enumerate().filter(is_for);
        recipients
            .map(|(_, Recipient { forward_path, dsn, route })| {
                let dsn = if self.withholds_reports { &UNREPORTED } else { dsn };
                Addressee { forward_path, dsn, route }
            })
            .collect()
    }
}

/// Says why a message is not taken; gives what is answered.
pub(super) fn refused(decision: Decision, mail_id: MailId, timeline: &mut Timeline) -> Reply {
    let Decision { reply, reason } = decision;
    info!(%mail_id, reply = %reply, %reason, "message refused");
    timeline.decided(EventStep::Content, None, &reply, reason);
    reply
}

pub(super) fn log(committed: &Result<Option<Accepted>, StoreError>, mail_id: MailId, to: &Acceptor<'_>) {
    let session_id = to.peer.session_id;
    let peer_ip = to.peer.ip();
    let reverse_path = Outside(&to.transaction.mail.reverse_path);
    let recipients = to.transaction.recipients.len();
    match committed {
        Ok(Some(_)) => info!(%session_id, %peer_ip, %mail_id, %reverse_path, recipients, "message accepted"),
        Ok(None) => {
            info!(%session_id, %peer_ip, %mail_id, %reverse_path, recipients, "message refused: for nobody")
        }
        Err(StoreError::Full(why)) => {
            warn!(%session_id, %peer_ip, %mail_id, %why, "message refused: no room (452)");
        }
        Err(why) => error!(%session_id, %peer_ip, %mail_id, %why, "message refused: not stored (451)"),
    }
}
