//! Giving segments of the log up when little of them is needed.
//!
//! What a segment holds that the log still needs is written again at the log's end, by ordinary transactions, as
//! it is then: messages that live with their items of the queue, changes of items, flags and accounts that nothing later
//! says, the counters of its mailboxes.
//! When that is durable in the view too, the segment goes. So the log alone always suffices to make the view
//! anew, whatever was given up, and a crash at any point leaves at worst the same twice, of which the later counts.
//!
//! A tombstone (that a message was expunged) is needed as long as the segment with the message's record is there:
//! without it, making the view anew would raise the message. The same holds where a crash left a segment behind
//! that was emptied and not yet removed: it may have an older copy of the message. One segment's name is durably
//! gone before the next is looked at.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use types::MailId;

use super::core::{Carry, CarryPart, Op};
use super::directory::{AccountGone, AccountState, EntryChange, EntryKey, KeyAlone, KeyUse, decode_account};
use super::disk::DiskFile;
use super::folder::{MailboxGone, MailboxState, Transferred, TransferredMessage};
use super::queue::{ItemNext, QueueChange, QueuedPart};
use super::record::{BodyPlace, Expunge, FLAGS_MAX, FlagsChange, Kind, Lsn, Message, RECORD_HEADER_LEN};
use super::segments::{Bodies, Record, Scanner, Segments, name_of, unavailable};
use super::shared::Shared;
use super::sync::lock;
use super::view::{Reader, SegmentRow};
use crate::{Account, MailboxId, ModSeq, StoreError, Uid};

/// What reclaiming asks of the rest of the store.
pub(super) struct Hands<'h> {
    /// Commits what is to be carried or let go of.
    pub(super) commit: &'h mut dyn FnMut(Op) -> Result<(), StoreError>,
    /// Makes the view durable with all that is committed.
    pub(super) checkpoint: &'h mut dyn FnMut() -> Result<(), StoreError>,
}

/// Segments that were looked at and are not worth it for now.
#[derive(Debug, Default)]
pub(super) struct Skipped {
    segments: HashSet<u32>,
    /// Those that stay as they are.
    damaged: HashSet<u32>,
    /// The log's last segment then.
    since: u32,
    /// Whether the disk was full then.
    is_full: bool,
}

impl Skipped {
    /// One that cannot be given up for that reason. One that is damaged stays as it is.
    fn add(&mut self, number: u32, error: &StoreError) {
        let damaged = matches!(error, StoreError::Damaged(_));
        let of_these = if damaged { &mut self.damaged } else { &mut self.segments };
        of_these.insert(number);
    }

    /// Has all of them looked at again: less is needed of them by now.
    pub(super) fn clear(&mut self) {
        self.segments.clear();
    }

    /// Has them looked at again where the disk was not as full as it is, or was and is not any more.
    pub(super) fn clear_where_changed(&mut self, is_full: bool) {
        if std::mem::replace(&mut self.is_full, is_full) != is_full {
            self.clear();
        }
    }
}

/// What came of looking for a segment to give up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Search {
    GivenUp,
    Nothing,
    /// Not known before all is cleared away that was in mailboxes that are gone.
    TooEarly,
}

/// Octets that are carried in one transaction, so that others are not kept waiting.
const CARRY_BYTES: usize = 512 * 1024;
/// Tombstones in one record.
const TOMBSTONES_AT_ONCE: usize = 1000;
/// After so many more segments, skipped ones are looked at again.
const SKIP_SEGMENTS: u32 = 16;

/// Gives up one segment. One that cannot be read, or is damaged, is an error once, and then skipped. One for which there is no
/// room at the log's end is an error where no other can be given up, and is looked at again each time.
pub(super) fn reclaim_one(
    shared: &Shared,
    skipped: &mut Skipped,
    hands: &mut Hands<'_>,
) -> Result<Search, StoreError> {
    let _guard = lock(&shared.reclaiming);
    let head = shared.progress.checkpointed().segment();
    if head >= skipped.since.saturating_add(SKIP_SEGMENTS) {
        skipped.clear();
        skipped.since = head;
    }
    // Where there is no room to carry so much, only what is less is tried.
    let mut live_bytes_max = u64::MAX;
    let mut found_no_room = None;
    loop {
        let reader = shared.view.read()?;
        // What is not cleared away yet counts as in use, and is not: it is looked at when that is done.
        if reader.has_gone()? {
            return Ok(Search::TooEarly);
        }
        let is_left_out = |number, live_bytes| {
            live_bytes >= live_bytes_max
                || skipped.segments.contains(&number)
                || skipped.damaged.contains(&number)
        };
        let Some(Chosen { number, live_bytes, total_bytes }) =
            choose(&reader, &shared.segments, head, is_left_out)?
        else {
            return found_no_room.map_or(Ok(Search::Nothing), Err);
        };
        let plan = plan(shared, &reader, number).inspect_err(|error| skipped.add(number, error))?;
        drop(reader);
        // Flags and counters are not counted as live; where they fill a segment, moving them gains nothing.
        if plan.bytes * 2 > total_bytes {
            skipped.segments.insert(number);
            continue;
        }
        match carry(plan, hands) {
            Ok(()) => {}
            Err(error @ StoreError::Full(_)) => {
                live_bytes_max = live_bytes;
                found_no_room.get_or_insert(error);
                continue;
            }
            Err(error) => {
                if matches!(error, StoreError::Damaged(_)) {
                    skipped.add(number, &error);
                }
                return Err(error);
            }
        }
        (hands.checkpoint)()?;
        let reader = shared.view.read()?;
        if reader.has_gone()? {
            return Ok(Search::TooEarly);
        }
        let live = reader.segments()?.into_iter().find(|(n, _)| *n == number);
        if live.is_some_and(|(_, row)| row.live_bytes > 0) {
            tracing::error!(segment = number, "a segment that was emptied is not empty, and is kept");
            skipped.segments.insert(number);
            continue;
        }
        remove(shared, number)?;
        shared.metrics.segments_reclaimed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        return Ok(Search::GivenUp);
    }
}

/// A segment that may be given up.
struct Chosen {
    number: u32,
    live_bytes: u64,
    total_bytes: u64,
}

/// The segment to give up next: the oldest of which nothing lives, or else the one with the smallest part that does, if that is
/// less than half. `is_left_out` says of its number and its octets that live whether it is none.
fn choose(
    reader: &Reader,
    segments: &Segments,
    head: u32,
    is_left_out: impl Fn(u32, u64) -> bool,
) -> Result<Option<Chosen>, StoreError> {
    let mut best: Option<(u64, Chosen)> = None;
    for (number, SegmentRow { live_bytes, total_bytes, .. }) in reader.segments()? {
        // What is not sealed, applied and durable in the view is needed to bring the view up.
        let is_needed = number >= head || total_bytes == 0 || !segments.contains(number);
        if is_needed || is_left_out(number, live_bytes) {
            continue;
        }
        let chosen = Chosen { number, live_bytes, total_bytes };
        if live_bytes == 0 {
            return Ok(Some(chosen));
        }
        let per_mille = live_bytes * 1000 / total_bytes;
        if per_mille < 500 && best.as_ref().is_none_or(|(least, _)| per_mille < *least) {
            best = Some((per_mille, chosen));
        }
    }
    Ok(best.map(|(_, chosen)| chosen))
}

/// What of a segment is needed further on.
struct Plan {
    file: Arc<dyn DiskFile>,
    items: Vec<(Carry, Option<BodyAt>)>,
    bytes: u64,
}

/// Where the octets of a message that is carried are.
struct BodyAt {
    offset: u64,
    len: usize,
    crc: u32,
}

fn plan(shared: &Shared, reader: &Reader, number: u32) -> Result<Plan, StoreError> {
    let file = shared.segments.verify_header(number)?;
    let mut scanner = Scanner::new(Arc::clone(&file), Lsn::first_of(number), Bodies::Skip);
    let rows = reader.segments()?.into_iter();
    let emptied = rows.filter(|(n, row)| *n != number && row.live_bytes == 0 && shared.segments.contains(*n));
    let mut needs = Needs {
        reader,
        segments: &shared.segments,
        oldest_emptied: emptied.map(|(n, _)| n).min(),
        oldest: shared.segments.numbers().into_iter().find(|n| *n != number),
        items: Vec::new(),
        mailboxes: BTreeMap::new(),
        last_ids: false,
    };
    loop {
        let at = scanner.at();
        let Some(record) = scanner.next()? else {
            let what = "a record is not what was written; the segment is kept";
            return Err(super::segments::damaged(at, what));
        };
        if record.header.kind == Kind::Seal {
            break;
        }
        needs.record(&record)?;
    }
    let Needs { mut items, mailboxes, last_ids, .. } = needs;
    items.extend(mailboxes.into_iter().map(|(id, forgotten)| (Carry::Mailbox { id, forgotten }, None)));
    items.extend(last_ids.then_some((Carry::LastIds, None)));
    let bytes = items
        .iter()
        .map(|(item, body)| (item.log_bytes() + body.as_ref().map_or(0, |body| body.len)) as u64)
        .sum();
    Ok(Plan { file, items, bytes })
}

struct Needs<'r> {
    reader: &'r Reader,
    segments: &'r Segments,
    /// The oldest segment of which nothing lives and that is there all the same.
    oldest_emptied: Option<u32>,
    /// The oldest segment but for the one that is given up.
    oldest: Option<u32>,
    items: Vec<(Carry, Option<BodyAt>)>,
    /// Mailboxes that it says something of, and up to where what vanished from them goes with it.
    mailboxes: BTreeMap<MailboxId, ModSeq>,
    /// Whether it says which ids were given.
    last_ids: bool,
}

impl Needs<'_> {
    fn record(&mut self, record: &Record) -> Result<(), StoreError> {
        match record.header.kind {
            Kind::Message => self.message(record, &Message::decode(&record.meta)?),
            Kind::Flags => self.flags(&FlagsChange::decode(&record.meta)?),
            Kind::FlagsEach => self.flags(&FlagsChange::decode_each(&record.meta)?),
            Kind::FlagsVersion4 => self.flags(&FlagsChange::decode_version_4(&record.meta)?),
            Kind::Transfer => self.transferred(record.header.lsn, &Transferred::decode(&record.meta)?),
            Kind::Expunge => {
                let Expunge { mailbox, modseq, messages } = Expunge::decode(&record.meta)?;
                self.tombstones(record.header.lsn, mailbox, modseq, messages);
                Ok(())
            }
            Kind::AccountVersion1 => self.account_with_inbox(AccountState::decode_version_1(&record.meta)?),
            Kind::AccountVersion4 => self.account_with_inbox(AccountState::decode_version_4(&record.meta)?),
            Kind::Account => self.account(&decode_account(&record.meta)?),
            Kind::Entry => self.entry(&EntryChange::decode(&record.meta)?),
            Kind::AccountGone => {
                self.account_gone(AccountGone::decode(&record.meta)?);
                Ok(())
            }
            Kind::LastIds => {
                self.last_ids = true;
                Ok(())
            }
            Kind::Key => {
                let KeyAlone { mail_id, used } = KeyAlone::decode(&record.meta)?;
                self.key(mail_id, used)
            }
            Kind::Queue => self.queued(record.header.lsn, &record.meta),
            Kind::MailboxVersion4 => {
                self.mailbox(MailboxState::decode_version_4(&record.meta)?.id);
                Ok(())
            }
            Kind::Mailbox => {
                self.mailbox(MailboxState::decode(&record.meta)?.id);
                Ok(())
            }
            Kind::MailboxGone => {
                let gone = MailboxGone::decode(&record.meta)?;
                self.last_ids = true;
                if self.may_be_in_older(gone.since) {
                    self.items.push((Carry::MailboxGone(gone), None));
                }
                Ok(())
            }
            Kind::Seal => Ok(()),
        }
    }

    fn message(&mut self, record: &Record, message: &Message<'_>) -> Result<(), StoreError> {
        message.entries.iter().for_each(|entry| self.mailbox(entry.mailbox));
        let header = record.header;
        match self.reader.mail(message.mail_id)? {
            Some(row) if row.lsn == header.lsn => {}
            // It is elsewhere, with its key.
            Some(_) => return Ok(()),
            None => return message.key.map_or(Ok(()), |used| self.key(message.mail_id, used)),
        }
        let item = Carry::Mail {
            mail_id: message.mail_id,
            from: header.lsn,
            received_at: message.received_at,
            place: message.place,
            body_len: message.body_len,
            body_crc: message.body_crc,
            envelope: message.envelope.to_vec(),
            key: message.key.map(|used| (used.account, used.key.to_owned())),
            queue: message.queue.iter().map(carry_part).collect(),
            body: Bytes::new(),
        };
        let body = (message.place == BodyPlace::Inline).then(|| BodyAt {
            offset: header.lsn.offset() + RECORD_HEADER_LEN as u64 + u64::from(header.meta_len),
            len: header.body_len as usize,
            crc: message.body_crc,
        });
        self.items.push((item, body));
        Ok(())
    }

    fn flags(&mut self, change: &FlagsChange) -> Result<(), StoreError> {
        self.mailbox(change.mailbox);
        let FlagsChange { mailbox, modseq, .. } = *change;
        let mut needed = Vec::new();
        self.reader.each_entry_of(mailbox, &change.uids(), |uid, entry| {
            let entry = entry.filter(|entry| entry.modseq == modseq);
            needed.extend(entry.map(|entry| (uid, entry.flags)));
        })?;
        for messages in needed.chunks(FLAGS_MAX) {
            let change = FlagsChange { mailbox, modseq, messages: messages.to_vec() };
            self.items.push((Carry::Flags(change), None));
        }
        Ok(())
    }

    fn mailbox(&mut self, id: MailboxId) {
        self.mailboxes.entry(id).or_insert(ModSeq(0));
    }

    /// Messages that went from a mailbox, and where their records are.
    fn tombstones(&mut self, at: Lsn, mailbox: MailboxId, modseq: ModSeq, messages: Vec<(Uid, Lsn)>) {
        let all = messages.len();
        let needed: Vec<(Uid, Lsn)> =
            messages.into_iter().filter(|(_, home)| self.may_raise(at, *home)).collect();
        let forgotten = self.mailboxes.entry(mailbox).or_insert(ModSeq(0));
        if needed.len() < all {
            *forgotten = modseq.max(*forgotten);
        }
        for part in needed.chunks(TOMBSTONES_AT_ONCE) {
            self.items.push((Carry::Tombstones { mailbox, modseq, messages: part.to_vec() }, None));
        }
    }

    fn transferred(&mut self, at: Lsn, moved: &Transferred<'_>) -> Result<(), StoreError> {
        self.mailbox(moved.to);
        for TransferredMessage { mail_id, uid, .. } in &moved.messages {
            let entry = self.reader.entry_state(moved.to, *uid)?;
            let is_there = entry.is_some_and(|entry| entry.mail_id == *mail_id);
            // A record of the message that came later names the mailbox.
            if is_there && self.reader.mail_lsn(*mail_id)?.is_some_and(|home| home < at) {
                let item = Carry::Transferred { mailbox: moved.to, uid: *uid, mail_id: *mail_id, from: at };
                self.items.push((item, None));
            }
        }
        if let Some((from, modseq)) = moved.from {
            let messages = moved.messages.iter().map(|message| message.from).collect();
            self.tombstones(at, from, modseq, messages);
        }
        Ok(())
    }

    /// Whether a message's record may stay, or an older copy of it, of which something is gone.
    fn may_raise(&self, tombstone: Lsn, home: Lsn) -> bool {
        let home_stays = home.segment() != tombstone.segment() && self.segments.contains(home.segment());
        let older_copy = self.oldest_emptied.is_some_and(|oldest| oldest < home.segment());
        home_stays || older_copy
    }

    fn queued(&mut self, at: Lsn, meta: &[u8]) -> Result<(), StoreError> {
        let change = QueueChange::decode(meta)?;
        let id = change.id;
        let from = match change.next {
            ItemNext::Gone { home } if self.may_raise(at, home) => None,
            ItemNext::Gone { .. } => return Ok(()),
            ItemNext::Now(_) => {
                let row = self.reader.queue_row(id)?;
                if row.is_none_or(|row| row.lsn != at || row.record_len == 0) {
                    return Ok(());
                }
                Some(at)
            }
        };
        self.items.push((Carry::Queue { id, from, meta: meta.to_vec() }, None));
        Ok(())
    }

    fn account_with_inbox(&mut self, state: AccountState) -> Result<(), StoreError> {
        self.mailbox(state.inbox.id);
        self.account(&state.account)
    }

    fn account(&mut self, said: &Account) -> Result<(), StoreError> {
        // Anything else that is said of it means a later record.
        if self.reader.account(said.id)?.is_some_and(|account| account == *said) {
            self.items.push((Carry::Account(said.id), None));
        }
        Ok(())
    }

    fn entry(&mut self, change: &EntryChange<'_>) -> Result<(), StoreError> {
        let key = EntryKey::from(change.key);
        let now = self.reader.directory(&key)?;
        if now.as_deref() != change.value {
            return Ok(());
        }
        let since = change.value.is_none().then_some(change.since);
        if since.is_none_or(|since| self.may_be_in_older(since)) {
            self.items.push((Carry::Entry { key, since }, None));
        }
        Ok(())
    }

    fn account_gone(&mut self, gone: AccountGone) {
        self.last_ids = true;
        if self.may_be_in_older(gone.since) {
            self.items.push((Carry::AccountGone(gone), None));
        }
    }

    /// Whether what was removed at a position may stand in a segment before it. What stands behind it does not: only
    /// what is there is written again.
    fn may_be_in_older(&self, since: Lsn) -> bool {
        self.oldest.is_some_and(|oldest| oldest < since.segment())
    }

    /// A key of a message that is gone.
    fn key(&mut self, mail_id: MailId, used: KeyUse<'_>) -> Result<(), StoreError> {
        if self.reader.key(used.account, used.key)?.is_some_and(|row| row.mail_id == mail_id) {
            let item = Carry::Key { account: used.account, key: used.key.to_owned(), mail_id };
            self.items.push((item, None));
        }
        Ok(())
    }
}

fn carry_part(part: &QueuedPart<'_>) -> CarryPart {
    CarryPart {
        part: part.part,
        reverse_path: part.reverse_path.to_owned(),
        header: part.header.to_vec(),
        priority: part.priority,
        due: part.now.due,
        state: part.now.state.to_vec(),
    }
}

fn carry(plan: Plan, hands: &mut Hands<'_>) -> Result<(), StoreError> {
    let mut together = Vec::new();
    let mut bytes = 0;
    for (mut item, body_at) in plan.items {
        if let (Carry::Mail { mail_id, body, .. }, Some(at)) = (&mut item, body_at) {
            let mut octets = vec![0; at.len];
            plan.file
                .read_exact_at(&mut octets, at.offset)
                .map_err(|e| unavailable("read a segment that is given up", &e))?;
            if crc32c::crc32c(&octets) != at.crc {
                return Err(StoreError::Damaged(format!(
                    "the body of message {mail_id}; its segment is kept"
                )));
            }
            *body = octets.into();
        }
        bytes += item.size_bytes();
        together.push(item);
        if bytes >= CARRY_BYTES {
            (hands.commit)(Op::Carry(std::mem::take(&mut together)))?;
            bytes = 0;
        }
    }
    if together.is_empty() { Ok(()) } else { (hands.commit)(Op::Carry(together)) }
}

/// Takes a segment's name away, durably, and keeps the file for another use where nobody reads it and there is room on the disk: a
/// file may be as large as the largest batch, and who waits for room waits for that, too.
fn remove(shared: &Shared, number: u32) -> Result<(), StoreError> {
    let file = shared.segments.forget(number);
    let unread = file.is_none_or(|file| Arc::strong_count(&file) == 1);
    let path = shared.segments.path(number);
    let spare = shared.segments.dir.join(format!("{}.spare", name_of(number)));
    let disk = &shared.disk;
    let recycle = unread && shared.spares.has_room() && !shared.is_full();
    if recycle { disk.rename(&path, &spare) } else { disk.remove(&path) }
        .map_err(|e| unavailable("give a segment up", &e))?;
    sync_names(shared)?;
    if recycle {
        shared.spares.offer(spare);
    }
    shared.view.forget_segment(number)
}

pub(super) fn sync_names(shared: &Shared) -> Result<(), StoreError> {
    shared.disk.sync_dir(&shared.segments.dir).map_err(|e| {
        let error = StoreError::Unavailable(format!("cannot sync the log's folder: {e}"));
        shared.fail(&error);
        error
    })
}
