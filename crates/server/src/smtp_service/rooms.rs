//! Room within the quotas of accounts for a message that has come, whose size is known now.
//!
//! In SMTP it is looked for before the message is judged, and taken behind everything else that decides about it: what is never
//! stored, and takes long to be judged, keeps nobody from the room that there is. In LMTP, whose clients are servers of ours, each recipient is answered for
//! (RFC 2033 §4.2), and who has room is known before that.

use std::sync::Arc;

use mta::admission::Decision;
use mta::admission::recipient::{OverQuota, full as full_mailbox};
use smtp::server::Transaction;
use store::StoreError;
use tracing::error;
use types::ReplyKind;

use super::acceptor::Acceptor;
use super::sender::released_at;
use crate::config::Service;
use crate::directory::Route;
use crate::local_delivery::{Limits, Rooms, over_quota_policy};
use crate::shared::Shared;

/// Room in the mailboxes that the recipients of a message lead to. What is held until later takes it then.
///
/// # Errors
/// Where the store does not say how much is in an account.
pub(super) async fn rooms(
    shared: &Shared,
    transaction: &Transaction<Arc<Route>>,
    size_bytes: u64,
) -> Result<Rooms, StoreError> {
    let now = shared.now();
    if released_at(&transaction.mail, now) > now {
        return Ok(Rooms::default());
    }
    let limits = Limits::of(transaction.recipients.iter().map(|recipient| &*recipient.route));
    let taken = Rooms::take(shared, limits, size_bytes).await;
    taken.inspect_err(
        |why| error!(%why, "it is not known how much is in an account: the message is to come again"),
    )
}

/// The same for a message of SMTP, where one reply is for all recipients, until it is stored.
///
/// # Errors
/// Why it is not taken. Where only some have no room, they get it all the same, unless its size was announced: whoever comes
/// again with that is told at RCPT who has none.
pub(super) async fn rooms_of_all(to: &Acceptor<'_>) -> Result<Rooms, Decision> {
    if to.facts.service == Service::Lmtp {
        return Ok(Rooms::default());
    }
    let rooms = match rooms(to.shared, to.transaction, to.size_bytes).await {
        Ok(rooms) => rooms,
        Err(why) => {
            let reason = why.to_string().into();
            return Err(Decision { reply: ReplyKind::StorageFailed.reply(), reason });
        }
    };
    let recipients = &to.transaction.recipients;
    let full: Vec<_> = recipients.iter().filter(|recipient| rooms.is_full(&recipient.route)).collect();
    let Some(first) = full.first() else { return Ok(rooms) };
    let was_announced = to.transaction.mail.size_bytes.is_some_and(|said| said >= to.size_bytes);
    if full.len() == recipients.len() {
        Err(full_mailbox(&first.forward_path, over_quota_policy(to.shared)))
    } else if was_announced {
        Err(full_mailbox(&first.forward_path, OverQuota::Defer))
    } else {
        Ok(rooms)
    }
}
