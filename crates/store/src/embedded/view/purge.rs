//! Clearing away what was in mailboxes that are gone, in steps, so that nobody waits long for the view.
//!
//! Nothing here is in the log: that a mailbox is gone is, and what follows is the same whenever it is done. The last
//! step is durable with all before it. So where nothing is left to be cleared away, what the view says of segments (see
//! [`super::super::reclaim`]) is not ahead of its file.

use redb::ReadableTable as _;

use super::apply::{Applied, Apply, Durable};
use super::{EntryState, GONE, View, malformed};
use crate::{MailboxId, StoreError, Uid};

/// Messages in one step.
const STEP_MESSAGES: usize = 1000;

/// What a step did.
#[derive(Debug)]
pub(in super::super) struct Purged {
    pub(in super::super) applied: Applied,
    /// Whether there is nothing more to do.
    pub(in super::super) done: bool,
}

impl View {
    /// Does one step.
    pub(in super::super) fn purge(&self) -> Result<Purged, StoreError> {
        self.change(|txn| {
            let mut apply = Apply::new(txn, self.keys_max)?;
            let mut gone = txn.open_table(GONE)?;
            let mut left = STEP_MESSAGES;
            while left > 0 {
                let Some(mailbox) = gone.first()?.map(|(id, _)| MailboxId(id.value())) else { break };
                let cleared = apply.clear(mailbox, left)?;
                if cleared < left {
                    gone.remove(mailbox.0)?;
                }
                // One that had nothing costs something, too.
                left -= cleared.max(1);
            }
            let done = gone.first()?.is_none();
            drop(gone);
            let durable = if done { Durable::Yes } else { Durable::Later };
            Ok((Purged { applied: apply.finish()?, done }, durable))
        })
    }
}

impl Apply<'_> {
    /// Removes up to `limit` messages of a mailbox that is gone; returns how many there were.
    fn clear(&mut self, mailbox: MailboxId, limit: usize) -> Result<usize, redb::Error> {
        let mut messages = Vec::new();
        for item in self.entries.range((mailbox.0, 0)..=(mailbox.0, u32::MAX))?.take(limit) {
            let (key, row) = item?;
            let state = EntryState::of_row(row.value()).map_err(malformed)?;
            messages.push((Uid(key.value().1), state.mail_id));
        }
        for (uid, mail_id) in &messages {
            self.entries.remove((mailbox.0, uid.0))?;
            self.unreference(*mail_id, mailbox, *uid)?;
        }
        Ok(messages.len())
    }
}
