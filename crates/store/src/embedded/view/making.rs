//! What is done when a view that is made anew has all of the log.
//!
//! While it is being made, a message stays that went from its last mailbox: the record that it came into another, written
//! before, may have been carried behind the one that it went, and counts only where the message is known. What is loose at
//! the end goes.

use std::ops::Bound;

use redb::{ReadableTable as _, WriteTransaction};

use super::apply::{Apply, Durable};
use super::read::decode;
use super::{LOOSE, MailRow, View};
use crate::StoreError;

/// Messages in one step.
const STEP_MESSAGES: usize = 10_000;

impl View {
    /// Lets go of messages that are in no mailbox and not in the queue.
    pub(super) fn remove_loose(&self) -> Result<(), StoreError> {
        let mut after: Option<u128> = None;
        loop {
            after = self.change(|txn| Ok((remove_some(txn, self.keys_max, after)?, Durable::Later)))?;
            if after.is_none() {
                return self.change(|txn| {
                    txn.open_table(LOOSE)?.retain(|_, ()| false)?;
                    Ok(((), Durable::Later))
                });
            }
        }
    }
}

/// Returns the last message that was looked at, none where it was the last of all.
fn remove_some(
    txn: &WriteTransaction,
    keys_max: u64,
    after: Option<u128>,
) -> Result<Option<u128>, redb::Error> {
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    let mut keys = Vec::new();
    for item in txn.open_table(LOOSE)?.range::<u128>((from, Bound::Unbounded))?.take(STEP_MESSAGES) {
        keys.push(item?.0.value());
    }
    let mut apply = Apply::new(txn, keys_max)?;
    for key in &keys {
        let row: Option<MailRow> = decode(apply.mails.get(key)?)?;
        let Some(row) = row.filter(|row| row.entries.is_empty()) else { continue };
        if !apply.is_queued(*key, &row)? {
            apply.forget_mail(*key, &row)?;
        }
    }
    // Files of bodies that die here are removed when the view is whole.
    apply.finish()?;
    Ok(keys.last().copied().filter(|_| keys.len() == STEP_MESSAGES))
}
