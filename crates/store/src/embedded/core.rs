//! The committer's work without its thread: transactions in, one batch on stable storage, answers out.
//!
//! Transactions are serial. Each is checked and given its numbers against what is known: the view, and over it
//! what is committed (or tentative in this batch) and not applied yet. Nothing that it decides can conflict.

mod carry;
mod directory;
mod folders;
mod personal;
mod queue;
mod state;
mod told;
mod transact;
mod transfer;

use tokio::sync::oneshot;
use types::{MailId, Timestamp};

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::bodies::BodyFile;
use super::directory::{AccountGone, EntryKey};
use super::folder::{MailboxGone, MailboxState};
use super::log::{AppendError, Batch, Log};
use super::record::{BodyPlace, FlagsChange, Lsn};
use super::shared::Shared;
use super::view::Reader;
use crate::dkim::DkimChange;
use crate::{
    Accepted, Account, AccountChange, AccountId, Change, Flags, FlagsStored, Idempotency, KnownMessages,
    MailboxId, Metadata, ModSeq, NewAccount, Put, QueueItemId, Replaced, Settled, SpecialUse, StoreError,
    Subscription, Transferred, Uid,
};
pub(super) use folders::canonical;
pub(super) use queue::{Settle, SettleItem, SettleNext};
pub(super) use state::State;
pub(super) use transfer::{PurgeAsked, TransferAsked};

/// One change, with who waits for it.
#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) op: Op,
    pub(super) reply: oneshot::Sender<Result<Outcome, StoreError>>,
}

/// What is asked for.
#[derive(Debug)]
pub(super) enum Op {
    Accept(Box<Accept>),
    Settle(Box<Settle>),
    Append {
        messages: Vec<Accept>,
        replaces: Option<Replaced>,
    },
    Flags {
        mailbox: MailboxId,
        uids: Vec<Uid>,
        add: Flags,
        remove: Flags,
        unchanged_since: Option<ModSeq>,
        /// By who asks.
        known: Option<Arc<dyn KnownMessages>>,
    },
    Transfer(TransferAsked),
    Expunge {
        mailbox: MailboxId,
        uids: Vec<Uid>,
        /// Those without them stay.
        flags: Flags,
        at: Timestamp,
    },
    Purge(Vec<PurgeAsked>),
    Restore {
        account: AccountId,
        messages: Vec<(MailboxId, Uid)>,
        at: Timestamp,
    },
    CreateMailbox {
        account: AccountId,
        name: String,
        special_use: Option<SpecialUse>,
        at: Timestamp,
    },
    RenameMailbox {
        account: AccountId,
        from: String,
        to: String,
        at: Timestamp,
    },
    DeleteMailbox {
        mailbox: MailboxId,
        /// Which it must have still.
        name: String,
        at: Timestamp,
    },
    AddKeywords {
        mailbox: MailboxId,
        names: Vec<String>,
    },
    Subscribe {
        account: AccountId,
        name: String,
        subscription: Subscription,
    },
    SetMetadata {
        account: AccountId,
        mailbox: Option<MailboxId>,
        changes: Vec<Metadata>,
    },
    CreateAccount(Box<NewAccount>),
    ChangeAccount {
        account: AccountId,
        change: Box<AccountChange>,
    },
    RemoveAccount(AccountId),
    PutEntry {
        key: EntryKey,
        value: Vec<u8>,
        put: Put,
    },
    RemoveEntry(EntryKey),
    /// The keys of a domain, which are one entry.
    ChangeDkim {
        key: EntryKey,
        change: Box<DkimChange>,
    },
    Carry(Vec<Carry>),
}

impl Op {
    /// Octets that it will take in the log, roughly.
    pub(super) fn size_bytes(&self) -> usize {
        match self {
            Self::Accept(accept) => accept.size_bytes(),
            Self::Settle(settle) => settle.size_bytes(),
            Self::Append { messages, .. } => messages.iter().map(Accept::size_bytes).sum(),
            Self::Flags { uids, .. } => 128 + uids.len() * 12,
            Self::Transfer(asked) => 128 + asked.uids.len() * 160,
            Self::Expunge { uids, .. } => 128 + uids.len() * 160,
            Self::Restore { messages, .. } => 128 + messages.len() * 160,
            Self::Purge(asked) => asked.iter().map(|asked| 128 + asked.uids.len() * 12).sum(),
            // How many messages are in it is found when it is done: nothing more is put behind it.
            Self::RenameMailbox { from, .. } if canonical(from) == folders::INBOX => {
                super::committer::BATCH_BYTES
            }
            Self::SetMetadata { changes, .. } => {
                let value = |change: &Metadata| change.value.as_ref().map_or(0, Bytes::len);
                changes.iter().map(|change| 128 + value(change)).sum()
            }
            Self::Carry(items) => items.iter().map(Carry::size_bytes).sum(),
            Self::PutEntry { value, .. } => 128 + value.len(),
            Self::ChangeDkim { change, .. } => 128 + change.size_bytes(),
            _ => 128,
        }
    }
}

/// A message to be accepted, encoded but for its UIDs.
#[derive(Debug)]
pub(super) struct Accept {
    pub(super) mail_id: MailId,
    pub(super) received_at: Timestamp,
    pub(super) deliveries: Vec<AcceptDelivery>,
    pub(super) queue: Vec<AcceptItem>,
    pub(super) meta: Vec<u8>,
    pub(super) body_len: u64,
    /// The body where it goes into the log.
    pub(super) body: Vec<Bytes>,
    /// The body where it has its own file, which goes unless the message is committed.
    pub(super) file: Option<BodyFile>,
    /// Encoded in `meta`, too.
    pub(super) idempotency: Option<Idempotency>,
}

impl Accept {
    fn size_bytes(&self) -> usize {
        self.meta.len() + self.body.iter().map(Bytes::len).sum::<usize>()
    }
}

/// An item of the queue that comes with a message.
#[derive(Debug)]
pub(super) struct AcceptItem {
    pub(super) part: u32,
    pub(super) destination: Arc<str>,
    /// Whether who accepts it has it.
    pub(super) is_claimed: bool,
}

#[derive(Debug, Clone)]
pub(super) struct AcceptDelivery {
    pub(super) mailbox: MailboxId,
    pub(super) header: Bytes,
    pub(super) flags: Flags,
    pub(super) internal_date: Timestamp,
}

/// Something of a segment that is given up, which the log still needs.
#[derive(Debug)]
pub(super) enum Carry {
    Mail {
        mail_id: MailId,
        from: Lsn,
        received_at: Timestamp,
        place: BodyPlace,
        body_len: u64,
        body_crc: u32,
        envelope: Vec<u8>,
        key: Option<(AccountId, String)>,
        /// As its record names them.
        queue: Vec<CarryPart>,
        body: Bytes,
    },
    /// Of one record; those of the messages are looked at again.
    Flags(FlagsChange),
    Tombstones {
        mailbox: MailboxId,
        modseq: ModSeq,
        messages: Vec<(Uid, Lsn)>,
    },
    /// A message that came from another mailbox by the record at that position.
    Transferred {
        mailbox: MailboxId,
        uid: Uid,
        mail_id: MailId,
        from: Lsn,
    },
    Account(AccountId),
    Mailbox {
        id: MailboxId,
        /// What of its history goes with the segment.
        forgotten: ModSeq,
    },
    MailboxGone(MailboxGone),
    /// An entry of the directory; with where it was removed first, that it is gone.
    Entry {
        key: EntryKey,
        since: Option<Lsn>,
    },
    AccountGone(AccountGone),
    LastIds,
    /// The key of a message that is gone.
    Key {
        account: AccountId,
        key: String,
        mail_id: MailId,
    },
    /// The record of an item of the queue, as octets: how it is, or that it is gone.
    Queue {
        id: QueueItemId,
        /// Where it stands; none where the item is gone.
        from: Option<Lsn>,
        meta: Vec<u8>,
    },
}

/// An item of the queue in the record of a message that is carried.
#[derive(Debug)]
pub(super) struct CarryPart {
    pub(super) part: u32,
    pub(super) reverse_path: String,
    pub(super) header: Vec<u8>,
    pub(super) priority: i8,
    /// When it is due and its state, as the message's record has them.
    pub(super) due: u64,
    pub(super) state: Vec<u8>,
}

impl Carry {
    pub(super) fn size_bytes(&self) -> usize {
        match self {
            Self::Mail { body, envelope, queue, .. } => 256 + body.len() + envelope.len() + queue.len() * 256,
            Self::Queue { meta, .. } => 64 + meta.len(),
            Self::Tombstones { messages, .. } => 64 + messages.len() * 12,
            // Looking at each takes its time, however short the record is.
            Self::Flags(change) => 64 + change.messages.len() * 64,
            _ => 128,
        }
    }

    /// Octets that it takes in the log, roughly.
    pub(super) fn log_bytes(&self) -> usize {
        match self {
            Self::Flags(change) => 64 + change.encoded_bytes(),
            carried => carried.size_bytes(),
        }
    }
}

/// What was done.
#[derive(Debug)]
pub(super) enum Outcome {
    Accepted(Accepted),
    /// One for each settlement, and one for each report.
    Settled(Vec<Settled>, Vec<Accepted>),
    Flags(FlagsStored),
    Transferred(Transferred),
    Uids(Vec<Uid>),
    Count(usize),
    Mailbox(Box<MailboxState>),
    Keywords(Vec<String>),
    Account(Box<Account>),
    Done,
}

/// The log's writer and what it knows.
#[derive(Debug)]
pub(super) struct Core {
    shared: Arc<Shared>,
    log: Log,
    state: State,
    /// How long a sync takes, a running mean.
    sync_time: Duration,
}

/// A transaction that was decided, and waits for its batch.
struct Decided {
    reply: oneshot::Sender<Result<Outcome, StoreError>>,
    result: Result<Outcome, StoreError>,
    /// To be kept if the batch is committed.
    files: Vec<BodyFile>,
}

impl Core {
    pub(super) fn new(shared: Arc<Shared>, log: Log, state: State) -> Self {
        Self { shared, log, state, sync_time: Duration::ZERO }
    }

    /// Commits transactions together and answers each.
    pub(super) fn commit(&mut self, transactions: Vec<Transaction>) {
        match self.begin() {
            Err(error) => {
                for transaction in transactions {
                    // Who asked may have gone away.
                    let _ = transaction.reply.send(Err(error.clone()));
                }
            }
            Ok((reader, batch)) => self.commit_batch(transactions, &reader, batch),
        }
    }

    /// How long a sync takes at present.
    pub(super) const fn sync_time(&self) -> Duration {
        self.sync_time
    }

    fn begin(&mut self) -> Result<(Reader, Batch), StoreError> {
        if let Some(error) = self.shared.failed() {
            return Err(error);
        }
        self.state.prune(self.shared.progress.applied(), &self.shared.lately);
        let reader = self.shared.view.read()?;
        let batch = self.log.begin(Vec::new());
        for seal in self.log.take_seals() {
            self.shared.progress.set_committed(seal.log_end());
            let _ = self.shared.backlog.push(seal, false);
        }
        match batch {
            Ok(batch) => Ok((reader, batch)),
            Err(error) => Err(self.refuse(error)),
        }
    }

    fn commit_batch(&mut self, transactions: Vec<Transaction>, reader: &Reader, mut batch: Batch) {
        let room = self.shared.room();
        let made = self.shared.watchers.made();
        let count = transactions.len();
        let mut decided = Vec::with_capacity(count);
        // Where there is no room nothing is kept that was expunged.
        let is_full = matches!(room, Err(StoreError::Full(_)));
        let keep = self.shared.keep_expunged && !is_full;
        let given = transact::Given { reader, segments: &self.shared.segments, room: &room, keep };
        for Transaction { op, reply } in transactions {
            let marks = (batch.mark(), self.state.mark());
            let (result, files) = self.state.transact(op, &given, &mut batch);
            if result.is_err() {
                batch.back_to(marks.0);
                self.state.back_to(marks.1);
            }
            decided.push(Decided { reply, result, files });
        }
        let mut claimed = Vec::new();
        if !batch.is_empty() {
            match self.log.append(&mut batch) {
                Ok(sync) => {
                    self.shared.metrics.batch(count, sync);
                    self.sync_time = (self.sync_time * 7 + sync) / 8;
                    claimed = self.publish(batch, made);
                }
                Err(error) => {
                    let keep_files = matches!(error, AppendError::Fatal(_));
                    let error = self.refuse(error);
                    self.state.undo();
                    return answer_refused(decided, &error, keep_files);
                }
            }
        }
        for Decided { reply, result, files } in decided {
            files.into_iter().for_each(BodyFile::keep);
            if let Err(Ok(unheard)) = reply.send(result) {
                self.release_unheard(&unheard, &claimed);
            }
        }
    }

    /// Who asked is gone: what came back claimed nobody has, of all that the batch claims.
    fn release_unheard(&self, unheard: &Outcome, claimed: &[QueueItemId]) {
        let accepted = match unheard {
            Outcome::Accepted(accepted) => std::slice::from_ref(accepted),
            Outcome::Settled(_, reports) => reports,
            _ => return,
        };
        // One that came before belongs to another.
        let new: Vec<MailId> = accepted.iter().filter(|a| !a.repeated).map(|a| a.mail_id).collect();
        let ids: Vec<QueueItemId> =
            claimed.iter().copied().filter(|item| new.contains(&item.mail_id)).collect();
        self.shared.release(&ids);
    }

    /// Lets readers and the applier know of a batch that is on stable storage. Returns the items that it claims.
    /// Who watches since later than `made` is told that it may have missed something.
    fn publish(&mut self, batch: Batch, made: u64) -> Vec<QueueItemId> {
        let end = batch.end();
        let changed = self.state.settle(end);
        let is_queue = changed.queue();
        {
            let mut lately = self.shared.lately.lock();
            changed.mails.iter().for_each(|id| lately.stored(*id, end));
            changed.settled.iter().for_each(|id| lately.changed(id.mail_id, end));
        }
        for mailbox in &changed.mailboxes {
            self.shared.progress.touch_mailbox(*mailbox, end);
        }
        if changed.folders {
            self.shared.progress.touch_folders(end);
        }
        if changed.personal {
            self.shared.progress.touch_personal(end);
        }
        if changed.directory {
            self.shared.progress.touch_directory(end);
        }
        if changed.removal {
            self.shared.progress.touch_removal(end);
        }
        if is_queue {
            for destination in &changed.destinations {
                self.shared.progress.touch_destination(destination, end);
            }
            self.shared.progress.touch_queue(end);
            self.shared.claims.accepted(&changed.claimed);
            self.shared.claims.changed(&changed.settled, end, self.shared.progress.applied());
        }
        self.shared.progress.set_committed(end);
        let taken = self.shared.backlog.push(batch, !changed.claimed.is_empty());
        // What was taken before may be seen to wait; of what was not, nobody is ever going to see anything.
        let is_seen = changed.gone_since.is_some_and(|since| since < taken);
        if is_seen || !changed.destinations.is_empty() {
            self.shared.progress.touch_waiting(end);
        }
        let told = changed.told.into_iter().map(|(account, told)| (account, Change::from(told))).collect();
        self.shared.watchers.tell(told, made, &changed.unheard);
        changed.claimed
    }

    fn refuse(&self, error: AppendError) -> StoreError {
        match error {
            AppendError::Refused(error) => {
                tracing::warn!(%error, "a batch was refused");
                error
            }
            AppendError::Fatal(error) => {
                self.shared.fail(&error);
                error
            }
        }
    }
}

/// Tells all of a batch that it was refused. A body file stays only where it is not known whether its record is
/// on the disk; if it is not, the next start removes the file.
fn answer_refused(decided: Vec<Decided>, error: &StoreError, keep_files: bool) {
    for Decided { reply, files, .. } in decided {
        if keep_files {
            files.into_iter().for_each(BodyFile::keep);
        }
        // Also what was found in conflict is told this: it may have been with another of the batch.
        let _ = reply.send(Err(error.clone()));
    }
}
