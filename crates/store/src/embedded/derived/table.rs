//! The tables of the cache: one for each kind, by message.

use bytes::Bytes;
use redb::{Database, ReadableDatabase as _, ReadableTable, Table, TableDefinition};
use types::MailId;

use crate::DerivedKind;

type Definition = TableDefinition<'static, u128, &'static [u8]>;

/// By the name of a table, up to where it was looked whether messages are still there.
pub(super) const SWEPT: TableDefinition<'static, &str, u128> = TableDefinition::new("swept");
pub(super) const META: TableDefinition<'static, &str, u64> = TableDefinition::new("meta");

pub(super) const VERSION_KEY: &str = "version";
/// What is in the rows has versions of its own.
pub(super) const VERSION: u64 = 2;

/// Octets of rows for which room is made before they are read.
const RESERVED_BYTES_MAX: usize = 256 * 1024;
/// Rows that are passed over before the next one is looked for from the root.
const STEPS_MAX: usize = 8;

pub(super) const fn definition(kind: DerivedKind) -> Definition {
    TableDefinition::new(name(kind))
}

const fn name(kind: DerivedKind) -> &'static str {
    match kind {
        DerivedKind::Structure => "structures",
        DerivedKind::Envelope => "envelopes",
        DerivedKind::BodyStructure => "body structures",
        DerivedKind::Fields => "fields",
        DerivedKind::Header => "headers",
        DerivedKind::Words => "words",
    }
}

/// Refuses a database of another version; makes the tables of an empty one.
pub(super) fn check_or_make(database: &Database) -> Result<(), redb::Error> {
    let version = match database.begin_read()?.open_table(META) {
        Ok(meta) => meta.get(VERSION_KEY)?.map(|version| version.value()),
        Err(redb::TableError::TableDoesNotExist(_)) => None,
        Err(other) => return Err(other.into()),
    };
    match version {
        Some(VERSION) => return Ok(()),
        Some(other) => return Err(redb::Error::Corrupted(format!("version {other}"))),
        None => {}
    }
    let mut txn = database.begin_write()?;
    for kind in DerivedKind::ALL {
        txn.open_table(definition(kind))?;
    }
    txn.open_table(SWEPT)?;
    txn.open_table(META)?.insert(VERSION_KEY, VERSION)?;
    txn.set_quick_repair(true);
    Ok(txn.commit()?)
}

/// The rows of `ids`, in their order. They are looked for as they lie in the table: rows that are near to one another are found by
/// going on from one to the next, and ids of one millisecond are in no order.
pub(super) fn get(
    table: &impl ReadableTable<u128, &'static [u8]>,
    ids: &[MailId],
) -> Result<Vec<Option<Bytes>>, redb::Error> {
    let mut wanted: Vec<(u128, usize)> =
        ids.iter().enumerate().map(|(at, id)| (u128::from_be_bytes(id.to_bytes()), at)).collect();
    wanted.sort_unstable();
    let mut values = Vec::new();
    let mut places = vec![None; ids.len()];
    let mut rows = None;
    let mut row = None;
    for (key, at) in wanted {
        let mut steps = if rows.is_none() { STEPS_MAX } else { 0 };
        loop {
            if steps == STEPS_MAX {
                let mut from_here = table.range(key..)?;
                row = from_here.next().transpose()?;
                rows = Some(from_here);
            }
            let is_before =
                row.as_ref().is_some_and(|(at, _): &(redb::AccessGuard<'_, u128>, _)| at.value() < key);
            if !is_before {
                break;
            }
            steps += 1;
            if steps < STEPS_MAX {
                row = rows.as_mut().and_then(Iterator::next).transpose()?;
            }
        }
        places[at] = row.as_ref().filter(|(at, _)| at.value() == key).map(|(_, value)| {
            if values.is_empty() {
                // Rows of a kind are about alike.
                values.reserve((value.value().len() * ids.len()).min(RESERVED_BYTES_MAX));
            }
            let from = values.len();
            values.extend_from_slice(value.value());
            from..values.len()
        });
    }
    // One allocation for all of them.
    let values = Bytes::from(values);
    Ok(places.into_iter().map(|place| place.map(|place| values.slice(place))).collect())
}

/// Looks at the next rows, round and round, and removes those whose message is gone.
pub(super) fn sweep(
    table: &mut Table<'_, u128, &'static [u8]>,
    swept: &mut Table<'_, &'static str, u128>,
    kind: DerivedKind,
    count: usize,
    is_known: &impl Fn(MailId) -> bool,
) -> Result<(), redb::Error> {
    let from = swept.get(name(kind))?.map_or(0, |row| row.value());
    let mut keys = Vec::with_capacity(count);
    for row in table.range(from..)?.take(count) {
        keys.push(row?.0.value());
    }
    let next = if keys.len() < count { 0 } else { keys.last().map_or(0, |last| last + 1) };
    for key in keys {
        if !is_known(MailId::from_bytes(key.to_be_bytes())) {
            table.remove(key)?;
        }
    }
    swept.insert(name(kind), next)?;
    Ok(())
}
