//! Reading the view at one moment.

use std::cell::OnceCell;

use redb::{ReadOnlyTable, ReadTransaction, ReadableTable as _};
use types::MailId;

use super::super::directory::LastIds;
use super::super::record::Lsn;
use super::{
    ACCOUNT_MAILBOXES, ACCOUNTS, APPLIED, ENTRIES, EntryRow, EntryState, FILES, FOLDERS, HIDDEN,
    LAST_ACCOUNT, LAST_MAILBOX, LAST_VALIDITY, MAILBOXES, MAILS, META, MailRow, MailboxRow, NAMES, Row,
    SEGMENTS, SegmentRow, VANISHED, lsn_of, malformed, store_error,
};
use crate::{Account, AccountId, MailboxId, MessageEntry, ModSeq, StoreError, Uid, UidValidity};

/// One moment of the view.
pub(in super::super) struct Reader {
    pub(super) txn: ReadTransaction,
    mails: OnceCell<ReadOnlyTable<u128, &'static [u8]>>,
    entries: OnceCell<ReadOnlyTable<(u64, u32), &'static [u8]>>,
}

/// So many messages are passed over on the way to the next that is asked for; from there on it is looked for anew.
const PASSED_MAX: usize = 16;

pub(super) type Found<T> = Result<Option<T>, redb::Error>;

impl Reader {
    pub(super) fn new(txn: ReadTransaction) -> Self {
        Self { txn, mails: OnceCell::new(), entries: OnceCell::new() }
    }

    /// Up to where the log is applied; `None` in an empty view.
    pub(in super::super) fn applied(&self) -> Result<Option<Lsn>, StoreError> {
        found(|| Ok(self.txn.open_table(META)?.get(APPLIED)?.map(|v| lsn_of(v.value()))))
    }

    pub(in super::super) fn account(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        found(|| decode(self.txn.open_table(ACCOUNTS)?.get(id.0)?))
    }

    /// The account of a name in lower case.
    pub(in super::super) fn account_id(&self, name: &str) -> Result<Option<AccountId>, StoreError> {
        found(|| Ok(self.txn.open_table(NAMES)?.get(name)?.map(|id| AccountId(id.value()))))
    }

    pub(in super::super) fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        found(|| {
            let table = self.txn.open_table(ACCOUNTS)?;
            let mut accounts = Vec::new();
            for item in table.iter()? {
                accounts.push(Account::decode(item?.1.value()).map_err(malformed)?);
            }
            Ok(accounts)
        })
    }

    /// The ids of an account's mailboxes.
    pub(in super::super) fn account_mailboxes(&self, id: AccountId) -> Result<Vec<MailboxId>, StoreError> {
        found(|| {
            let table = self.txn.open_table(ACCOUNT_MAILBOXES)?;
            table.range((id.0, 0)..=(id.0, u64::MAX))?.map(|item| Ok(MailboxId(item?.0.value().1))).collect()
        })
    }

    /// The mailbox of a name that is listed.
    pub(in super::super) fn folder(
        &self,
        account: AccountId,
        name: &str,
    ) -> Result<Option<MailboxId>, StoreError> {
        found(|| Ok(self.txn.open_table(FOLDERS)?.get((account.0, name))?.map(|id| MailboxId(id.value()))))
    }

    /// The mailboxes of an account that are listed, by name.
    pub(in super::super) fn folders(
        &self,
        account: AccountId,
    ) -> Result<Vec<(String, MailboxId)>, StoreError> {
        found(|| {
            let table = self.txn.open_table(FOLDERS)?;
            table
                .range((account.0, "")..(account.0 + 1, ""))?
                .map(|item| {
                    let (key, id) = item?;
                    Ok((key.value().1.to_owned(), MailboxId(id.value())))
                })
                .collect()
        })
    }

    /// How many mailboxes of an account are listed.
    pub(in super::super) fn folder_count(&self, account: AccountId) -> Result<usize, StoreError> {
        found(|| {
            let table = self.txn.open_table(FOLDERS)?;
            let mut listed = table.range((account.0, "")..(account.0 + 1, ""))?;
            listed.try_fold(0, |count, item| item.map(|_| count + 1).map_err(redb::Error::from))
        })
    }

    /// Mailboxes that are not listed.
    pub(in super::super) fn hidden(&self) -> Result<Vec<MailboxId>, StoreError> {
        found(|| {
            let table = self.txn.open_table(HIDDEN)?;
            table.iter()?.map(|item| Ok(MailboxId(item?.0.value()))).collect()
        })
    }

    /// Ranges of UIDs that went from a mailbox after a modification sequence.
    pub(in super::super) fn vanished(
        &self,
        mailbox: MailboxId,
        since: ModSeq,
    ) -> Result<Vec<(Uid, Uid)>, StoreError> {
        found(|| {
            let table = self.txn.open_table(VANISHED)?;
            let from = (mailbox.0, since.0.saturating_add(1), 0);
            table
                .range(from..(mailbox.0 + 1, 0, 0))?
                .map(|item| {
                    let (key, last) = item?;
                    Ok((Uid(key.value().2), Uid(last.value())))
                })
                .collect()
        })
    }

    /// Mailboxes, ranges of UIDs and how many ranges each has.
    pub(in super::super) fn each_vanished(&self, mut visit: impl FnMut(MailboxId)) -> Result<(), StoreError> {
        found(|| {
            for item in self.txn.open_table(VANISHED)?.iter()? {
                visit(MailboxId(item?.0.value().0));
            }
            Ok(())
        })
    }

    pub(in super::super) fn mailbox(&self, id: MailboxId) -> Result<Option<MailboxRow>, StoreError> {
        found(|| decode(self.txn.open_table(MAILBOXES)?.get(id.0)?))
    }

    pub(in super::super) fn entry(
        &self,
        mailbox: MailboxId,
        uid: Uid,
    ) -> Result<Option<EntryRow>, StoreError> {
        found(|| decode(self.entries_table()?.get((mailbox.0, uid.0))?))
    }

    /// Without its header fields.
    pub(in super::super) fn entry_state(
        &self,
        mailbox: MailboxId,
        uid: Uid,
    ) -> Result<Option<EntryState>, StoreError> {
        found(|| {
            let row = self.entries_table()?.get((mailbox.0, uid.0))?;
            row.map(|row| EntryState::of_row(row.value()).map_err(malformed)).transpose()
        })
    }

    /// Calls `visit` for each of some UIDs, which ascend, with the message that is there. Those that are near each other are
    /// found by going on, and not from the root of the tree.
    pub(in super::super) fn each_entry_of(
        &self,
        mailbox: MailboxId,
        uids: &[Uid],
        mut visit: impl FnMut(Uid, Option<EntryState>),
    ) -> Result<(), StoreError> {
        found(|| {
            let (Some(first), Some(last)) = (uids.first(), uids.last()) else { return Ok(()) };
            let table = self.entries_table()?;
            let from = |uid: &Uid| table.range((mailbox.0, uid.0)..=(mailbox.0, last.0));
            let mut range = from(first)?;
            let mut next = range.next().transpose()?;
            for uid in uids {
                let mut passed = 0;
                while next.as_ref().is_some_and(|(key, _)| key.value().1 < uid.0) {
                    if passed == PASSED_MAX {
                        range = from(uid)?;
                    }
                    passed += 1;
                    next = range.next().transpose()?;
                }
                let there = next.as_ref().filter(|(key, _)| key.value().1 == uid.0);
                let state = there.map(|(_, row)| EntryState::of_row(row.value()).map_err(malformed));
                visit(*uid, state.transpose()?);
            }
            Ok(())
        })
    }

    fn entries_table(&self) -> Result<&ReadOnlyTable<(u64, u32), &'static [u8]>, redb::Error> {
        if let Some(table) = self.entries.get() {
            return Ok(table);
        }
        let table = self.txn.open_table(ENTRIES)?;
        Ok(self.entries.get_or_init(|| table))
    }

    /// Messages of a mailbox with a UID of `from` or more, in order.
    pub(in super::super) fn messages(
        &self,
        mailbox: MailboxId,
        from: Uid,
        limit: usize,
    ) -> Result<Vec<MessageEntry>, StoreError> {
        found(|| {
            self.entries_table()?
                .range((mailbox.0, from.0)..=(mailbox.0, u32::MAX))?
                .take(limit)
                .map(|item| {
                    let (key, row) = item?;
                    let state = EntryState::of_row(row.value()).map_err(malformed)?;
                    Ok(state.message(Uid(key.value().1)))
                })
                .collect()
        })
    }

    pub(in super::super) fn mail(&self, id: MailId) -> Result<Option<MailRow>, StoreError> {
        found(|| decode(self.mails()?.get(u128::from_be_bytes(id.to_bytes()))?))
    }

    /// Where the record of a message is.
    pub(in super::super) fn mail_lsn(&self, id: MailId) -> Result<Option<Lsn>, StoreError> {
        found(|| {
            let row = self.mails()?.get(u128::from_be_bytes(id.to_bytes()))?;
            row.map(|row| MailRow::lsn_of_row(row.value()).map_err(malformed)).transpose()
        })
    }

    /// Whether the message is in some mailbox or in the queue. One whose mailboxes are all gone is not, though it may
    /// have a row.
    pub(in super::super) fn lives(&self, id: MailId) -> Result<bool, StoreError> {
        let Some(row) = self.mail(id)? else { return Ok(false) };
        for (mailbox, _) in &row.entries {
            if self.mailbox(*mailbox)?.is_some() {
                return Ok(true);
            }
        }
        self.is_queued(id, &row)
    }

    /// Whether there is a row of the message.
    pub(in super::super) fn has_mail(&self, id: MailId) -> Result<bool, StoreError> {
        found(|| Ok(self.mails()?.get(u128::from_be_bytes(id.to_bytes()))?.is_some()))
    }

    pub(super) fn mails(&self) -> Result<&ReadOnlyTable<u128, &'static [u8]>, redb::Error> {
        if let Some(table) = self.mails.get() {
            return Ok(table);
        }
        let table = self.txn.open_table(MAILS)?;
        Ok(self.mails.get_or_init(|| table))
    }

    /// Every body file that is referred to, with its message.
    pub(in super::super) fn files(&self) -> Result<Vec<(u64, MailId)>, StoreError> {
        found(|| {
            let table = self.txn.open_table(FILES)?;
            table
                .iter()?
                .map(|item| {
                    let (number, id) = item?;
                    Ok((number.value(), MailId::from_bytes(id.value().to_be_bytes())))
                })
                .collect()
        })
    }

    pub(in super::super) fn segments(&self) -> Result<Vec<(u32, SegmentRow)>, StoreError> {
        found(|| {
            let table = self.txn.open_table(SEGMENTS)?;
            table
                .iter()?
                .map(|item| {
                    let (number, row) = item?;
                    Ok((number.value(), SegmentRow::decode(row.value()).map_err(malformed)?))
                })
                .collect()
        })
    }

    /// The greatest ids that were given: of an account and of a mailbox, and the greatest UIDVALIDITY.
    pub(in super::super) fn last_ids(&self) -> Result<LastIds, StoreError> {
        found(|| {
            let meta = self.txn.open_table(META)?;
            let gone = |key: &str| Ok::<_, redb::Error>(meta.get(key)?.map_or(0, |id| id.value()));
            let account = self.txn.open_table(ACCOUNTS)?.last()?.map_or(0, |(id, _)| id.value());
            let mailbox = self.txn.open_table(MAILBOXES)?.last()?.map_or(0, |(id, _)| id.value());
            let validity = u32::try_from(gone(LAST_VALIDITY)?).unwrap_or(u32::MAX);
            Ok(LastIds {
                account: AccountId(account.max(gone(LAST_ACCOUNT)?)),
                mailbox: MailboxId(mailbox.max(gone(LAST_MAILBOX)?)),
                uid_validity: UidValidity(validity),
            })
        })
    }

    /// Calls `visit` for every message.
    pub(in super::super) fn each_mail(
        &self,
        mut visit: impl FnMut(MailId, MailRow),
    ) -> Result<(), StoreError> {
        found(|| {
            for item in self.mails()?.iter()? {
                let (id, row) = item?;
                let row = MailRow::decode(row.value()).map_err(malformed)?;
                visit(MailId::from_bytes(id.value().to_be_bytes()), row);
            }
            Ok(())
        })
    }

    /// Calls `visit` for every mailbox.
    pub(in super::super) fn each_mailbox(
        &self,
        mut visit: impl FnMut(MailboxId, MailboxRow),
    ) -> Result<(), StoreError> {
        found(|| {
            for item in self.txn.open_table(MAILBOXES)?.iter()? {
                let (id, row) = item?;
                visit(MailboxId(id.value()), MailboxRow::decode(row.value()).map_err(malformed)?);
            }
            Ok(())
        })
    }

    /// Calls `visit` for every entry of every mailbox.
    pub(in super::super) fn each_entry(
        &self,
        mut visit: impl FnMut(MailboxId, Uid, EntryState),
    ) -> Result<(), StoreError> {
        found(|| {
            for item in self.entries_table()?.iter()? {
                let (key, row) = item?;
                let (mailbox, uid) = key.value();
                visit(MailboxId(mailbox), Uid(uid), EntryState::of_row(row.value()).map_err(malformed)?);
            }
            Ok(())
        })
    }

    /// The number of messages.
    pub(in super::super) fn mail_count(&self) -> Result<u64, StoreError> {
        use redb::ReadableTableMetadata as _;
        found(|| Ok(self.mails()?.len()?))
    }
}

pub(super) fn found<T>(read: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, StoreError> {
    // A damaged page may make redb panic; who reads is told, and the store goes on.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(redb::Error::Corrupted("a page that cannot be read".into())))
        .map_err(store_error)
}

pub(super) fn decode<R: Row>(guard: Option<redb::AccessGuard<'_, &'static [u8]>>) -> Found<R> {
    guard.map(|row| R::decode(row.value()).map_err(malformed)).transpose()
}
