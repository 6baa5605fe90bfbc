//! Putting in order what was found: SORT and THREAD.
//!
//! Of each message they need a few octets, the cells of some columns ([`Column`]), which never change while it is in its mailbox.
//! Those that were made stay in memory, by the mailbox and 256 UIDs that follow one another, so that a mailbox that is sorted again
//! and again, as a web mailer does with every click, is not read each time.
//!
//! ```text
//! row  = *cell
//! cell = low length *OCTET    ; the low octet of the UID, the octets as u16, little-endian
//! ```

use bytes::Bytes;
use imap::search::{Column, HeaderFacts, Sorter, Threader};
use imap::session::Refusal;
use imap::view::{Message, View};
use types::mailstore::{MailboxId, Uid};

use super::BATCH_MESSAGES;
use super::batch::{TOGETHER, facts_of};
use crate::structures::{CellsKey, Maker, aside};

/// What puts messages in order.
pub(super) trait Order: Send + 'static {
    fn reserve(&mut self, count: usize);
    fn columns(&self) -> &[Column];
    fn push(&mut self, message: &Message, cells: &[&[u8]]);
}

macro_rules! orders {
    ($($order:ty),*) => {$(
        impl Order for $order {
            fn reserve(&mut self, count: usize) {
                Self::reserve(self, count);
            }

            fn columns(&self) -> &[Column] {
                Self::columns(self)
            }

            fn push(&mut self, message: &Message, cells: &[&[u8]]) {
                self.push_cells(message, cells);
            }
        }
    )*};
}

orders!(Sorter, Threader);

/// Gives what was found to `order`.
pub(super) async fn ordered<O: Order>(
    maker: &Maker,
    view: &View,
    found: &[u32],
    mut order: O,
) -> Result<O, Refusal> {
    order.reserve(found.len());
    for seqs in found.chunks(BATCH_MESSAGES) {
        let messages: Vec<Message> = seqs.iter().filter_map(|seq| view.message(*seq)).copied().collect();
        let pushed = push_all(maker.clone(), view.snapshot.mailbox, messages, order);
        order = aside(pushed).await.ok_or(Refusal::Temporary)?;
    }
    Ok(order)
}

async fn push_all<O: Order>(maker: Maker, mailbox: MailboxId, messages: Vec<Message>, mut order: O) -> O {
    let columns = order.columns().to_vec();
    for group in messages.chunk_by(|one, next| group_of(one.uid) == group_of(next.uid)) {
        let rows = rows_of(&maker, mailbox, &columns, group).await;
        let rows: Vec<Cells<'_>> = rows.iter().map(|row| Cells::of(row)).collect();
        let mut cells = Vec::with_capacity(rows.len());
        for message in group {
            cells.clear();
            cells.extend(rows.iter().map(|row| row.get(message.uid).unwrap_or_default()));
            order.push(message, &cells);
        }
    }
    order
}

/// Those whose cells are in one row.
const fn group_of(uid: Uid) -> u32 {
    uid.0 >> u8::BITS
}

/// A row for each column, with the cells of all of these messages, which are of one group. What is missing is made.
async fn rows_of(maker: &Maker, mailbox: MailboxId, columns: &[Column], group: &[Message]) -> Vec<Bytes> {
    let Some(first) = group.first() else { return Vec::new() };
    let key = |column: &Column| CellsKey::new(mailbox, group_of(first.uid), *column);
    let keys: Vec<CellsKey> = columns.iter().map(key).collect();
    let known = maker.cells(&keys);
    let here: Vec<Cells<'_>> = known.iter().map(|row| Cells::of(row)).collect();
    let is_missing = |message: &&Message| here.iter().any(|cells| cells.get(message.uid).is_none());
    let missing: Vec<Message> = group.iter().filter(is_missing).copied().collect();
    if missing.is_empty() {
        return known;
    }
    let mut rows: Vec<Vec<u8>> = known.iter().map(|row| row.to_vec()).collect();
    let push = |rows: &mut [Vec<u8>], message: &Message, facts: &HeaderFacts<'_>| {
        for ((column, row), cells) in columns.iter().zip(rows).zip(&here) {
            if cells.get(message.uid).is_none() {
                push_cell(row, message.uid, |out| column.write(message, facts, out));
            }
        }
    };
    let mut unread = Vec::new();
    for messages in missing.chunks(TOGETHER) {
        let facts = facts_of(maker, mailbox, messages).await;
        for (message, facts) in messages.iter().zip(&facts) {
            match facts.as_ref().and_then(|facts| HeaderFacts::from_bytes(facts)) {
                Some(facts) => push(&mut rows, message, &facts),
                None => unread.push(message),
            }
        }
    }
    let whole: Vec<Bytes> = rows.iter().map(|row| Bytes::copy_from_slice(row)).collect();
    maker.keep_cells(&keys, &whole);
    if unread.is_empty() {
        return whole;
    }
    // One that cannot be read now may be read by the next who asks.
    for message in unread {
        push(&mut rows, message, &HeaderFacts::default());
    }
    rows.into_iter().map(Bytes::from).collect()
}

fn push_cell(row: &mut Vec<u8>, uid: Uid, write: impl FnOnce(&mut Vec<u8>)) {
    row.push(low(uid));
    let length_at = row.len();
    row.extend_from_slice(&[0, 0]);
    let from = row.len();
    write(row);
    // No column has cells as long as that; one that had would be cut.
    row.truncate(from + usize::from(u16::MAX));
    let length = u16::try_from(row.len() - from).unwrap_or(u16::MAX);
    row[length_at..from].copy_from_slice(&length.to_le_bytes());
}

const fn low(uid: Uid) -> u8 {
    uid.0.to_le_bytes()[0]
}

/// The cells of a row, by the low octets of UIDs.
pub(super) struct Cells<'r>(Vec<Option<&'r [u8]>>);

impl<'r> Cells<'r> {
    pub(super) fn of(row: &'r [u8]) -> Self {
        let mut cells = vec![None; 1 << u8::BITS];
        let mut rest = row;
        while let Some(([low, length @ ..], behind)) = rest.split_first_chunk::<3>()
            && let Some((cell, behind)) = behind.split_at_checked(u16::from_le_bytes(*length).into())
        {
            cells[usize::from(*low)] = Some(cell);
            rest = behind;
        }
        Self(cells)
    }

    pub(super) fn get(&self, uid: Uid) -> Option<&'r [u8]> {
        self.0[usize::from(low(uid))]
    }
}
