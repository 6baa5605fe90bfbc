//! Transactions that take messages from one mailbox into another: copied, moved, expunged, restored; and let go for good.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use types::Timestamp;

use super::super::folder::{MailboxState, Role, Transferred as Record, TransferredMessage};
use super::super::log::Batch;
use super::super::record::{Expunge, Kind, Lsn};
use super::super::view::{EntryState, Reader};
use super::folders::{add_keyword, canonical};
use super::state::Known;
use super::transact::Done;
use super::{Outcome, State};
use crate::{Flags, MailboxId, ModSeq, StoreError, Transfer, Transferred, Uid};

/// Messages in one record at most: several are tied.
pub(super) const RECORD_MESSAGES: usize = 10_000;
/// Octets of header fields in one record of a transfer, but for one message's that has more: what is read of a record at a
/// time, and kept of it until it is applied, stays small however much was put on top of each message.
const RECORD_HEADER_BYTES: usize = 1024 * 1024;
/// So many UIDs of a mailbox are never given.
const UIDS_SPARE: u32 = 1024;

/// Copies of one message in one mailbox: each costs as much as there are, which doubling them would make endless.
const COPIES_MAX: usize = 1000;
/// Places of one message in all mailboxes beyond which it is not copied.
const PLACES_MAX: usize = 100_000;

/// A message that is to come into another mailbox.
#[derive(Debug)]
pub(super) struct Moving {
    uid: Uid,
    state: EntryState,
    header: Bytes,
    home: Lsn,
}

/// What is to be transferred.
#[derive(Debug)]
pub(in super::super) struct TransferAsked {
    pub(in super::super) from: MailboxId,
    pub(in super::super) uids: Vec<Uid>,
    pub(in super::super) to: MailboxId,
    pub(in super::super) how: Transfer,
    pub(in super::super) at: Timestamp,
}

/// What of a mailbox is to be let go for good.
#[derive(Debug, Clone)]
pub(in super::super) struct PurgeAsked {
    pub(in super::super) mailbox: MailboxId,
    pub(in super::super) uids: Vec<Uid>,
    /// Whether these were all that were there, with the UID that was next then.
    pub(in super::super) all_below: Option<Uid>,
}

impl State {
    pub(super) fn transfer(&mut self, asked: TransferAsked, reader: &Reader, batch: &mut Batch) -> Done {
        let TransferAsked { from, uids, to, how, at } = asked;
        let lsn = batch.end();
        let account = self.listed(from, lsn, reader)?.account;
        if self.listed(to, lsn, reader)?.account != account {
            return Err(StoreError::Conflict("the mailboxes are of two accounts".into()));
        }
        let moving = self.gather(from, &uids, how, reader, lsn)?;
        if how == Transfer::Copy {
            may_copy(&moving, to, reader)?;
        }
        let first = batch.len();
        let uids = self.place(from, moving, to, how, at, reader, batch)?;
        batch.tie(first);
        Ok(Outcome::Transferred(Transferred { uids }))
    }

    /// Messages of a mailbox as they are, in order.
    pub(super) fn gather(
        &self,
        from: MailboxId,
        uids: &[Uid],
        how: Transfer,
        reader: &Reader,
        lsn: Lsn,
    ) -> Result<Vec<Moving>, StoreError> {
        let mut moving = Vec::with_capacity(uids.len());
        for uid in once(uids) {
            let Some((state, header)) = self.entry_with_header(from, uid, reader)? else { continue };
            let home = match how {
                Transfer::Copy => Lsn(0),
                Transfer::Move => self.home(state.mail_id, reader, lsn)?,
            };
            moving.push(Moving { uid, state, header, home });
        }
        Ok(moving)
    }

    /// Brings messages into another mailbox of the same account, with one new modification sequence in each. Nothing is
    /// changed where it fails.
    #[allow(
        clippy::too_many_arguments,
        reason = "from where, what, to where, how, when; and what every transaction has"
    )]
    pub(super) fn place(
        &mut self,
        from: MailboxId,
        moving: Vec<Moving>,
        to: MailboxId,
        how: Transfer,
        at: Timestamp,
        reader: &Reader,
        batch: &mut Batch,
    ) -> Result<Vec<(Uid, Uid)>, StoreError> {
        if moving.is_empty() {
            return Ok(Vec::new());
        }
        let lsn = batch.end();
        let source = self.mailbox(from, lsn, reader)?.clone();
        let mut target = self.mailbox(to, lsn, reader)?.clone();
        let first_uid = target.uid_next.0;
        let count = u32::try_from(moving.len()).unwrap_or(u32::MAX);
        let Some(next) = first_uid.checked_add(count).filter(|next| *next < u32::MAX - UIDS_SPARE) else {
            return Err(StoreError::Unavailable("the mailbox has no UID left".into()));
        };
        let keywords = Keywords::of(&source, &mut target, &moving);
        let account = target.account;
        let is_listed = target.role.is_listed();
        if keywords.are_new {
            // Nobody is told of one that is kept for a time and not listed.
            if is_listed {
                self.tell_mailbox(&target, reader);
            }
            self.log_mailbox(target.clone(), batch);
        }
        let number = self.mailbox(to, lsn, reader)?;
        number.uid_next = Uid(next);
        let modseq = ModSeq(number.modseq.0 + 1);
        number.modseq = modseq;
        let from_modseq = match how {
            Transfer::Copy => None,
            Transfer::Move => Some(self.next_modseq(from, lsn, reader)?),
        };
        let placed: Vec<(Uid, Moving)> = (first_uid..)
            .map(Uid)
            .zip(moving)
            .map(|(uid, mut moving)| {
                let flags = keywords.map(moving.state.flags);
                moving.state = EntryState { flags, modseq, saved_at: at, ..moving.state };
                (uid, moving)
            })
            .collect();
        let from_with = from_modseq.map(|modseq| (from, modseq));
        for part in records_of(&placed, |(_, moving)| moving.header.len()) {
            self.place_some(from_with, part, (to, modseq), at, batch);
        }
        if is_listed {
            self.tell_messages(account, to, placed.iter().map(|(uid, moving)| (*uid, moving.state)));
        }
        if let Some(modseq) = from_modseq {
            self.changed.removal = true;
            if source.role.is_listed() {
                self.tell_gone(account, from, modseq, placed.iter().map(|(_, moving)| moving.uid));
            }
        }
        Ok(placed.iter().map(|(uid, moving)| (moving.uid, *uid)).collect())
    }

    /// One record, and what is known of its messages then.
    fn place_some(
        &mut self,
        from: Option<(MailboxId, ModSeq)>,
        placed: &[(Uid, Moving)],
        (to, modseq): (MailboxId, ModSeq),
        saved_at: Timestamp,
        batch: &mut Batch,
    ) {
        let messages = placed.iter().map(|(uid, moving)| TransferredMessage {
            mail_id: moving.state.mail_id,
            from: if from.is_some() { (moving.uid, moving.home) } else { (Uid(0), Lsn(0)) },
            uid: *uid,
            flags: moving.state.flags,
            internal_date: moving.state.internal_date,
            header: &moving.header,
        });
        let record = Record { from, to, modseq, saved_at, messages: messages.collect() };
        let lsn = batch.push(Kind::Transfer, Vec::new(), |out| record.encode(out));
        for (uid, moving) in placed {
            let known = Known { state: moving.state, header: moving.header.clone() };
            self.set_entry(to, *uid, lsn, Some(known));
            if let Some((from, _)) = from {
                self.set_entry(from, moving.uid, lsn, None);
            }
        }
    }

    /// Removes messages that have these flags; where they are kept for a time, into the mailbox that is for those.
    pub(super) fn expunge(
        &mut self,
        (id, uids, flags): (MailboxId, &[Uid], Flags),
        at: Timestamp,
        keep: bool,
        reader: &Reader,
        batch: &mut Batch,
    ) -> Done {
        let lsn = batch.end();
        let state = self.listed(id, lsn, reader)?.clone();
        let mut moving = self.gather(id, uids, Transfer::Move, reader, lsn)?;
        moving.retain(|moving| moving.state.flags.contains(flags));
        if moving.is_empty() {
            return Ok(Outcome::Uids(Vec::new()));
        }
        if !keep {
            let gone = moving.iter().map(|moving| (moving.uid, moving.home)).collect();
            return Ok(Outcome::Uids(self.let_go(id, gone, reader, batch)?));
        }
        let first = batch.len();
        let bin = match state.bin {
            Some(bin) => bin,
            None => {
                let bin =
                    self.make_mailbox((state.account, &state.name), None, Role::BinOf(id), at, batch).id;
                self.log_mailbox(MailboxState { bin: Some(bin), ..state }, batch);
                bin
            }
        };
        let moved = self.place(id, moving, bin, Transfer::Move, at, reader, batch)?;
        batch.tie(first);
        Ok(Outcome::Uids(moved.into_iter().map(|(uid, _)| uid).collect()))
    }

    /// Removes messages for good, each with where its record is.
    fn let_go(
        &mut self,
        id: MailboxId,
        messages: Vec<(Uid, Lsn)>,
        reader: &Reader,
        batch: &mut Batch,
    ) -> Result<Vec<Uid>, StoreError> {
        let modseq = self.next_modseq(id, batch.end(), reader)?;
        let (account, is_listed) = {
            let state = self.mailbox(id, batch.end(), reader)?;
            (state.account, state.role.is_listed())
        };
        self.changed.removal = true;
        let uids: Vec<Uid> = messages.iter().map(|(uid, _)| *uid).collect();
        let first = batch.len();
        for part in messages.chunks(RECORD_MESSAGES) {
            let expunge = Expunge { mailbox: id, modseq, messages: part.to_vec() };
            let lsn = batch.push(Kind::Expunge, Vec::new(), |out| expunge.encode(out));
            part.iter().for_each(|(uid, _)| self.set_entry(id, *uid, lsn, None));
        }
        batch.tie(first);
        if is_listed {
            self.tell_gone(account, id, modseq, uids.iter().copied());
        }
        Ok(uids)
    }

    /// Where the record of a message is.
    fn home(&self, mail_id: types::MailId, reader: &Reader, lsn: Lsn) -> Result<Lsn, StoreError> {
        match self.unapplied_mail(mail_id) {
            Some(home) => Ok(home),
            None => Ok(reader.mail_lsn(mail_id)?.unwrap_or(lsn)),
        }
    }

    /// Lets go for good what was expunged before.
    pub(super) fn purge(&mut self, asked: Vec<PurgeAsked>, reader: &Reader, batch: &mut Batch) -> Done {
        let (first, mut count) = (batch.len(), 0);
        for PurgeAsked { mailbox, uids, all_below } in asked {
            let lsn = batch.end();
            let state = match self.mailbox(mailbox, lsn, reader) {
                Err(StoreError::NoSuchMailbox) => continue,
                state => state?.clone(),
            };
            if state.role.is_listed() {
                continue;
            }
            let is_all = all_below == Some(state.uid_next);
            // A mailbox that will not have more is of no use.
            let is_done = is_all
                && match state.role {
                    Role::BinOf(of) => !self.is_listed(of, reader)?,
                    Role::Deleted(_) | Role::Listed => true,
                };
            let mut gone = Vec::new();
            for uid in once(&uids) {
                if let Some(entry) = self.entry(mailbox, uid, reader)? {
                    gone.push((uid, self.home(entry.mail_id, reader, lsn)?));
                }
            }
            count += gone.len();
            if !gone.is_empty() {
                self.let_go(mailbox, gone, reader, batch)?;
            }
            if is_done {
                self.drop_mailbox(&state, batch);
            }
        }
        batch.tie(first);
        Ok(Outcome::Count(count))
    }

    fn is_listed(&mut self, id: MailboxId, reader: &Reader) -> Result<bool, StoreError> {
        match self.known_mailbox(id) {
            Some(state) => Ok(state.role.is_listed() && !self.is_gone(id, reader)?),
            None => Ok(reader.mailbox(id)?.is_some_and(|row| row.now.role.is_listed())),
        }
    }

    /// Brings expunged messages back to where they were.
    pub(super) fn restore(
        &mut self,
        account: crate::AccountId,
        messages: &[(MailboxId, Uid)],
        at: Timestamp,
        reader: &Reader,
        batch: &mut Batch,
    ) -> Done {
        self.account(account, reader)?.ok_or(StoreError::NoSuchAccount)?;
        let lsn = batch.end();
        let mut found = Vec::new();
        let mut asked: BTreeMap<MailboxId, Vec<Uid>> = BTreeMap::new();
        messages.iter().for_each(|(mailbox, uid)| asked.entry(*mailbox).or_default().push(*uid));
        for (mailbox, uids) in asked {
            let state = match self.mailbox(mailbox, lsn, reader) {
                Err(StoreError::NoSuchMailbox) => continue,
                state => state?.clone(),
            };
            if state.account != account || state.role.is_listed() {
                continue;
            }
            let moving = self.gather(mailbox, &uids, Transfer::Move, reader, lsn)?;
            if moving.is_empty() {
                continue;
            }
            let origin = match state.role {
                Role::BinOf(of) if self.is_listed(of, reader)? => Some(of),
                _ => None,
            };
            found.push((mailbox, state.name, origin, moving));
        }
        let (first, mut count) = (batch.len(), 0);
        for (mailbox, name, origin, moving) in found {
            count += moving.len();
            let to = match origin {
                Some(origin) => origin,
                None => self.mailbox_named((account, &canonical(&name)), at, reader, batch)?,
            };
            self.place(mailbox, moving, to, Transfer::Move, at, reader, batch)?;
        }
        batch.tie(first);
        Ok(Outcome::Count(count))
    }
}

/// Whether each of the messages can be in that mailbox, or in any, once more. What the view does not have yet is not counted.
fn may_copy(moving: &[Moving], to: MailboxId, reader: &Reader) -> Result<(), StoreError> {
    let mut copies: HashMap<types::MailId, usize> = HashMap::with_capacity(moving.len());
    for Moving { state, .. } in moving {
        use std::collections::hash_map::Entry;
        let copies = match copies.entry(state.mail_id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let places = reader.mail(state.mail_id)?.map_or_else(Vec::new, |row| row.entries);
                let is_everywhere = places.len() >= PLACES_MAX;
                let there = places.iter().filter(|(mailbox, _)| *mailbox == to).count();
                new.insert(if is_everywhere { COPIES_MAX } else { there })
            }
        };
        if *copies >= COPIES_MAX {
            let text = format!("message {} is in a mailbox {COPIES_MAX} times at most", state.mail_id);
            return Err(StoreError::Conflict(text));
        }
        *copies += 1;
    }
    Ok(())
}

/// What becomes of keywords that have other places elsewhere.
struct Keywords {
    /// Flags of one mailbox, with what they are in the other; those without room there are none.
    places: Vec<(Flags, Flags)>,
    is_same: bool,
    /// Whether the other mailbox has more than before.
    are_new: bool,
}

impl Keywords {
    fn of(source: &MailboxState, target: &mut MailboxState, moving: &[Moving]) -> Self {
        let used = moving.iter().fold(Flags::NONE, |used, moving| used.with(moving.state.flags));
        let before = target.keywords.len();
        let mut places = Vec::new();
        for place in used.keywords() {
            let Some(flag) = Flags::keyword(place) else { continue };
            let name = source.keywords.get(place);
            let there = name.and_then(|name| add_keyword(&mut target.keywords, name));
            places.push((flag, there.and_then(Flags::keyword).unwrap_or(Flags::NONE)));
        }
        let is_same = places.iter().all(|(here, there)| here == there);
        Self { places, is_same, are_new: target.keywords.len() > before }
    }

    fn map(&self, flags: Flags) -> Flags {
        if self.is_same {
            return flags;
        }
        let system = Flags(flags.0 & Flags::SYSTEM.0);
        let found = self.places.iter().filter(|(here, _)| flags.contains(*here));
        found.fold(system, |flags, (_, there)| flags.with(*there))
    }
}

/// What is put into records, cut so that each has no more messages and octets than one should.
fn records_of<T>(mut placed: &[T], octets: impl Fn(&T) -> usize) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let mut sum = 0;
        let fits = placed.iter().take(RECORD_MESSAGES).take_while(|one| {
            let is_first = sum == 0;
            sum += octets(one);
            is_first || sum <= RECORD_HEADER_BYTES
        });
        let (part, rest) = placed.split_at(fits.count());
        placed = rest;
        (!part.is_empty()).then_some(part)
    })
}

/// Each UID once, in order.
pub(super) fn once(uids: &[Uid]) -> Vec<Uid> {
    let mut uids = uids.to_vec();
    uids.sort_unstable();
    uids.dedup();
    uids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_messages_is_bounded_by_their_number_and_by_their_octets() {
        let cut =
            |sizes: &[usize]| -> Vec<usize> { records_of(sizes, |size| *size).map(<[_]>::len).collect() };
        const MAX: usize = RECORD_HEADER_BYTES;
        assert_eq!(cut(&[]), [0; 0]);
        assert_eq!(cut(&[MAX / 2, MAX / 2, 1]), [2, 1]);
        assert_eq!(cut(&[MAX * 2, MAX * 2, 0]), [1, 1, 1]);
        assert_eq!(cut(&[0, 0, MAX * 2, 1]), [3, 1], "what is empty before takes no record");
        assert_eq!(cut(&vec![10; RECORD_MESSAGES + 1]), [RECORD_MESSAGES, 1]);
    }
}
