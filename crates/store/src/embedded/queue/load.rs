//! Reading items of the queue: the view says where in the log they stand.

use types::MailId;

use super::super::record::{Lsn, Message};
use super::super::segments::{Record, damaged};
use super::super::shared::Shared;
use super::super::view::{MailRow, QueueRow, Reader};
use super::{ItemNext, ItemNow, QueueChange};
use crate::{DamagedItem, Destination, QueueItem, QueueItemId, StoreError};

/// What is carried to another segment between finding and reading is there when it is looked for again.
const READ_TRIES: usize = 3;

/// An item as it is; `None` where it is gone.
pub(super) fn item(shared: &Shared, id: QueueItemId) -> Result<Option<QueueItem>, StoreError> {
    for _ in 0..READ_TRIES {
        let reader = shared.view.read()?;
        let Some(row) = reader.queue_row(id)? else { return Ok(None) };
        if let Some(item) = item_at(shared, &reader, id, &row)? {
            return Ok(Some(item));
        }
    }
    Err(StoreError::Damaged(format!("the record of {id} in the queue is missing")))
}

/// Those items of a message that can be read.
pub(super) fn items_of(
    shared: &Shared,
    reader: &Reader,
    mail_id: MailId,
) -> Result<Vec<QueueItem>, StoreError> {
    let mut found = Vec::new();
    for (id, _) in reader.queue_rows_of(mail_id)? {
        match item(shared, id) {
            Ok(item) => found.extend(item),
            Err(StoreError::Damaged(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Those that cannot.
pub(super) fn damaged_of(
    shared: &Shared,
    reader: &Reader,
    mail_id: MailId,
) -> Result<Vec<DamagedItem>, StoreError> {
    let mut found = Vec::new();
    for (id, row) in reader.queue_rows_of(mail_id)? {
        let Err(StoreError::Damaged(why)) = item(shared, id) else { continue };
        let name = reader.destination(row.destination)?.map(|destination| destination.name);
        let destination = name.as_deref().and_then(Destination::named);
        let missing = || StoreError::Damaged(format!("{id} in the queue has no destination"));
        let destination = destination.ok_or_else(missing)?;
        found.push(DamagedItem { id, revision: row.revision, destination, why });
    }
    Ok(found)
}

/// Items, as far as they can be read.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) items: Vec<QueueItem>,
    /// Those whose record is damaged.
    pub(super) damaged: Vec<QueueItemId>,
}

/// The items of these rows; those that are gone meanwhile are left out. One that is damaged is an alarm, and no reason
/// to keep the others back.
pub(super) fn items(
    shared: &Shared,
    reader: &Reader,
    rows: &[(QueueItemId, QueueRow)],
) -> Result<Read, StoreError> {
    let mut read = Read::default();
    for (id, row) in rows {
        let found = match item_at(shared, reader, *id, row) {
            Ok(None) => item(shared, *id),
            found => found,
        };
        match found {
            Ok(item) => read.items.extend(item),
            Err(StoreError::Damaged(why)) => {
                tracing::error!(%id, why, "an item of the queue cannot be read, and is left out");
                read.damaged.push(*id);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

/// An item with its row; `None` where a segment of it is gone.
fn item_at(
    shared: &Shared,
    reader: &Reader,
    id: QueueItemId,
    row: &QueueRow,
) -> Result<Option<QueueItem>, StoreError> {
    let Some((_, record)) = record_of(shared, reader, id)? else { return Ok(None) };
    let message = Message::decode(&record.meta)?;
    let part = message.queue.iter().find(|part| part.part == id.part);
    let part = part.ok_or_else(|| damaged(record.header.lsn, &format!("{id} is not in its message")))?;
    let item = |now: &ItemNow<'_>| part.item(id.mail_id, message.received_at, message.body_len, now);
    if row.record_len == 0 {
        return Ok(Some(item(&part.now)?));
    }
    let Some(record) = shared.segments.record(row.lsn)? else { return Ok(None) };
    Ok(Some(item(&change(&record.meta, id, row.lsn)?)?))
}

/// The record of an item's message; `None` where its segment is gone.
pub(in super::super) fn record_of(
    shared: &Shared,
    reader: &Reader,
    id: QueueItemId,
) -> Result<Option<(MailRow, Record)>, StoreError> {
    let missing = || StoreError::Damaged(format!("{id} is in the queue without its message"));
    let row = reader.mail(id.mail_id)?.ok_or_else(missing)?;
    Ok(shared.segments.record(row.lsn)?.map(|record| (row, record)))
}

/// What a record of an item says that it is.
pub(in super::super) fn change(meta: &[u8], id: QueueItemId, lsn: Lsn) -> Result<ItemNow<'_>, StoreError> {
    match QueueChange::decode(meta)? {
        QueueChange { id: of, next: ItemNext::Now(now) } if of == id => Ok(now),
        _ => Err(damaged(lsn, &format!("it does not say how {id} is"))),
    }
}
