//! One mailbox: its newest snapshot.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use imap::view::{Delta, Message, Snapshot};
use store::{Flagging, MailboxId, MailboxInfo, MessageEntry, ModSeq, Store, StoreError, Uid};

/// A mailbox that sessions have open.
#[derive(Debug)]
pub(crate) struct Model {
    mailbox: MailboxId,
    state: Mutex<State>,
    /// One reads at a time; the others wait for what it reads.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    newest: Option<Arc<Snapshot>>,
    /// What was read has all changes up to this one.
    floor: Option<ModSeq>,
    /// What happens while it is read.
    meanwhile: Option<Vec<Delta>>,
    /// Changes were lost.
    is_stale: bool,
    is_gone: bool,
}

/// What changed in one mailbox, in order.
#[derive(Debug, Default)]
pub(super) struct Heard {
    deltas: Vec<Delta>,
    is_lost: bool,
    is_gone: bool,
}

/// Messages that are asked of the store at a time.
const PAGE: usize = 10_000;

impl Heard {
    pub(super) fn messages(&mut self, entries: &[MessageEntry]) {
        self.deltas.push(Delta::Set(entries.iter().map(message).collect()));
    }

    pub(super) fn flagged(&mut self, change: &Flagging) {
        let runs = change.runs.iter().map(|run| (run.first, run.last, run.flags)).collect();
        self.deltas.push(Delta::Flags(change.modseq, runs));
    }

    pub(super) fn gone(&mut self, modseq: ModSeq, uids: Arc<[Uid]>) {
        self.deltas.push(Delta::Gone(modseq, uids));
    }

    pub(super) fn mailbox(&mut self, info: &MailboxInfo) {
        self.deltas.push(Delta::Keywords(info.keywords.clone().into()));
        self.deltas.push(Delta::Mailbox(info.highest_modseq));
    }

    pub(super) const fn mailbox_gone(&mut self) {
        self.is_gone = true;
    }

    pub(super) fn lost(&mut self) {
        self.deltas.clear();
        self.is_lost = true;
    }
}

impl Model {
    pub(super) fn new(mailbox: MailboxId) -> Self {
        Self { mailbox, state: Mutex::default(), reading: tokio::sync::Mutex::default() }
    }

    pub(crate) const fn mailbox(&self) -> MailboxId {
        self.mailbox
    }

    /// The newest snapshot; none where the mailbox is gone.
    pub(crate) fn newest(&self) -> Option<Arc<Snapshot>> {
        let state = self.lock();
        state.newest.clone().filter(|_| !state.is_gone)
    }

    pub(super) fn is_gone(&self) -> bool {
        self.lock().is_gone
    }

    /// Whether it has lost changes, and nobody has read it since.
    pub(super) fn is_stale(&self) -> bool {
        let state = self.lock();
        // Who began to read it may have gone away in the middle.
        !state.is_gone && (state.is_stale || (state.newest.is_some() && state.meanwhile.is_some()))
    }

    pub(super) fn messages(&self) -> usize {
        self.lock().newest.as_ref().map_or(0, |newest| newest.len())
    }

    /// Takes changes over; true where sessions are to hear of it.
    pub(super) fn hear(&self, heard: Heard) -> bool {
        let mut state = self.lock();
        state.is_gone |= heard.is_gone;
        if heard.is_lost {
            // Of what came before, nobody knows what is missing.
            state.is_stale = true;
            return heard.is_gone;
        }
        let floor = state.floor;
        if let Some(meanwhile) = &mut state.meanwhile {
            meanwhile.extend(heard.deltas);
            return heard.is_gone;
        }
        if state.is_stale {
            // Over what is missing they would tell of a mailbox that never was. What is read anew has them.
            return heard.is_gone;
        }
        let Some(newest) = &state.newest else { return heard.is_gone };
        let deltas: Vec<Delta> =
            heard.deltas.into_iter().filter_map(|delta| since(delta, floor, newest)).collect();
        if deltas.is_empty() {
            return heard.is_gone;
        }
        state.newest = Some(Arc::new(newest.with(&deltas)));
        true
    }

    /// Reads the mailbox, unless its snapshot is whole. Where that fails, what was known of it before stays what its sessions
    /// see, unless it is there no more.
    pub(super) async fn read(&self, store: &dyn Store) -> Result<(), StoreError> {
        let _turn = self.reading.lock().await;
        while self.begin()? {
            if self.take_over(read(store, self.mailbox).await)? {
                break;
            }
        }
        Ok(())
    }

    /// Takes over what came of reading it; false where it has to be read once more.
    fn take_over(&self, read: Result<Snapshot, StoreError>) -> Result<bool, StoreError> {
        match read {
            Ok(snapshot) => Ok(self.install(snapshot)),
            Err(why) => {
                self.give_up(&why);
                Err(why)
            }
        }
    }

    /// It could not be read: somebody has to do it later.
    fn give_up(&self, why: &StoreError) {
        let mut state = self.lock();
        state.is_gone |= *why == StoreError::NoSuchMailbox;
        state.meanwhile = None;
        state.is_stale = state.newest.is_some();
    }

    /// Whether it has to be read; from now on what happens meanwhile is kept.
    fn begin(&self) -> Result<bool, StoreError> {
        let mut state = self.lock();
        if state.is_gone {
            return Err(StoreError::NoSuchMailbox);
        }
        // Whoever read it last may have gone away in the middle.
        if state.newest.is_some() && !state.is_stale && state.meanwhile.is_none() {
            return Ok(false);
        }
        state.meanwhile = Some(Vec::new());
        state.is_stale = false;
        Ok(true)
    }

    /// Takes over what was read, and what happened meanwhile; false where some of that was lost.
    fn install(&self, read: Snapshot) -> bool {
        let mut state = self.lock();
        if state.is_stale {
            return false;
        }
        let floor = Some(read.highest_modseq);
        let meanwhile = state.meanwhile.take().unwrap_or_default();
        let deltas: Vec<Delta> =
            meanwhile.into_iter().filter_map(|delta| since(delta, floor, &read)).collect();
        state.floor = floor;
        state.newest = Some(Arc::new(if deltas.is_empty() { read } else { read.with(&deltas) }));
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What of a change is new to who has read everything up to `floor`.
fn since(delta: Delta, floor: Option<ModSeq>, snapshot: &Snapshot) -> Option<Delta> {
    match delta {
        Delta::Set(messages) => {
            if messages.iter().all(|message| Some(message.modseq) > floor) {
                return Some(Delta::Set(messages));
            }
            let new: Arc<[Message]> =
                messages.iter().filter(|message| Some(message.modseq) > floor).copied().collect();
            (!new.is_empty()).then_some(Delta::Set(new))
        }
        Delta::Flags(modseq, runs) => (Some(modseq) > floor).then_some(Delta::Flags(modseq, runs)),
        Delta::Gone(modseq, uids) => (Some(modseq) > floor).then_some(Delta::Gone(modseq, uids)),
        Delta::Keywords(keywords) => {
            (keywords.len() > snapshot.keywords.len()).then_some(Delta::Keywords(keywords))
        }
        Delta::Mailbox(modseq) => (modseq > snapshot.highest_modseq).then_some(Delta::Mailbox(modseq)),
    }
}

/// The mailbox as it is. What comes while it is read is not in it: its changes are heard.
pub(crate) async fn read(store: &dyn Store, mailbox: MailboxId) -> Result<Snapshot, StoreError> {
    let info = store.mailbox(mailbox).await?;
    let mut messages: Vec<Message> = Vec::with_capacity(usize::try_from(info.messages).unwrap_or(0));
    loop {
        let after = messages.last().map(|message| message.uid);
        let page = store.messages(mailbox, after, PAGE).await?;
        messages.extend(page.iter().filter(|entry| entry.uid < info.uid_next).map(message));
        if page.len() < PAGE || page.last().is_none_or(|entry| entry.uid >= info.uid_next) {
            break;
        }
    }
    Ok(Snapshot::new(
        mailbox,
        info.uid_validity,
        info.uid_next,
        info.highest_modseq,
        info.keywords.into(),
        &messages,
    ))
}

fn message(entry: &MessageEntry) -> Message {
    Message {
        uid: entry.uid,
        flags: entry.flags,
        modseq: entry.modseq,
        size_bytes: entry.size_bytes,
        internal_date: entry.internal_date,
        saved_at: entry.saved_at,
        mail_id: entry.mail_id,
    }
}

#[cfg(test)]
mod tests {
    use store::{Flags, UidValidity};
    use types::{MailId, Timestamp};

    use super::*;

    fn message(uid: u32, modseq: u64, flags: Flags) -> Message {
        let at = Timestamp::default();
        let (uid, modseq) = (Uid(uid), ModSeq(modseq));
        Message {
            uid,
            flags,
            modseq,
            size_bytes: 1,
            internal_date: at,
            saved_at: at,
            mail_id: MailId::new(at, u64::from(uid.0)),
        }
    }

    fn snapshot(next: u32, highest: u64, messages: &[Message]) -> Snapshot {
        let keywords: Arc<[String]> = [].into();
        Snapshot::new(MailboxId(7), UidValidity(1), Uid(next), ModSeq(highest), keywords, messages)
    }

    fn heard(deltas: Vec<Delta>) -> Heard {
        Heard { deltas, ..Heard::default() }
    }

    fn set(messages: &[Message]) -> Delta {
        Delta::Set(messages.into())
    }

    fn uids(model: &Model) -> Vec<(u32, Flags)> {
        model.newest().unwrap().iter().map(|message| (message.uid.0, message.flags)).collect()
    }

    #[test]
    fn what_changes_while_a_mailbox_is_read_is_neither_lost_nor_doubled() {
        let model = Model::new(MailboxId(7));
        assert!(model.begin().unwrap());
        // One was in what is read, the others came after it.
        assert!(!model.hear(heard(vec![
            set(&[message(1, 5, Flags::NONE)]),
            set(&[message(2, 6, Flags::NONE)]),
            set(&[message(1, 7, Flags::SEEN)]),
            Delta::Gone(ModSeq(4), [Uid(1)].into()),
        ])));
        assert!(model.install(snapshot(2, 5, &[message(1, 5, Flags::FLAGGED)])));
        assert_eq!(uids(&model), [(1, Flags::SEEN), (2, Flags::NONE)]);
        assert!(!model.begin().unwrap());
        // What was told late, of before the reading, changes nothing.
        assert!(!model.hear(heard(vec![set(&[message(1, 5, Flags::NONE)])])));
        assert!(!model.hear(heard(vec![Delta::Gone(ModSeq(5), [Uid(1)].into())])));
        assert!(model.hear(heard(vec![Delta::Gone(ModSeq(8), [Uid(1)].into())])));
        assert_eq!(uids(&model), [(2, Flags::NONE)]);
        assert_eq!(model.newest().unwrap().highest_modseq, ModSeq(8));
    }

    #[test]
    fn a_mailbox_of_which_changes_were_lost_is_read_again_and_again_until_none_are() {
        let model = Model::new(MailboxId(7));
        let lost = || Heard { is_lost: true, ..Heard::default() };
        assert!(model.begin().unwrap());
        model.hear(lost());
        assert!(!model.install(snapshot(2, 5, &[message(1, 5, Flags::NONE)])));
        assert!(model.begin().unwrap());
        assert!(model.install(snapshot(2, 6, &[message(1, 6, Flags::SEEN)])));
        assert!(!model.is_stale() && !model.begin().unwrap());
        model.hear(lost());
        assert!(model.is_stale() && model.begin().unwrap());
    }

    #[test]
    fn who_goes_away_in_the_middle_of_reading_leaves_it_to_the_next() {
        let model = Model::new(MailboxId(7));
        assert!(model.begin().unwrap());
        model.hear(heard(vec![set(&[message(1, 5, Flags::NONE)])]));
        // The reader is gone.
        assert!(model.begin().unwrap());
        assert!(model.install(snapshot(2, 5, &[message(1, 5, Flags::NONE)])));
        assert_eq!(uids(&model), [(1, Flags::NONE)]);
    }

    /// As if the store had answered so.
    fn read_as(model: &Model, read: Result<Snapshot, StoreError>) -> Result<bool, StoreError> {
        assert!(model.begin()?);
        model.take_over(read)
    }

    #[test]
    fn a_mailbox_that_cannot_be_read_anew_is_what_it_was_until_it_can() {
        let model = Model::new(MailboxId(7));
        assert_eq!(read_as(&model, Ok(snapshot(2, 5, &[message(1, 5, Flags::NONE)]))), Ok(true));
        model.hear(Heard { is_lost: true, ..Heard::default() });
        assert!(read_as(&model, Err(StoreError::Unavailable("a read failed".into()))).is_err());
        assert_eq!(uids(&model), [(1, Flags::NONE)]);
        assert!(model.is_stale(), "it is to be read again");
        // What comes before it was read is not put over what is missing.
        assert!(!model.hear(heard(vec![set(&[message(3, 9, Flags::NONE)])])));
        assert_eq!((uids(&model).len(), model.newest().unwrap().highest_modseq), (1, ModSeq(5)));
        let now = [message(1, 5, Flags::NONE), message(2, 7, Flags::NONE), message(3, 9, Flags::NONE)];
        assert_eq!(read_as(&model, Ok(snapshot(4, 9, &now))), Ok(true));
        assert!(!model.is_stale());
        assert_eq!(uids(&model), [(1, Flags::NONE), (2, Flags::NONE), (3, Flags::NONE)]);
    }

    #[test]
    fn a_mailbox_that_is_not_there_when_it_is_read_anew_is_gone() {
        let model = Model::new(MailboxId(7));
        assert_eq!(read_as(&model, Ok(snapshot(1, 1, &[]))), Ok(true));
        model.hear(Heard { is_lost: true, ..Heard::default() });
        assert_eq!(read_as(&model, Err(StoreError::NoSuchMailbox)), Err(StoreError::NoSuchMailbox));
        assert!(model.newest().is_none() && !model.is_stale());
    }

    #[test]
    fn who_goes_away_in_the_middle_of_reading_anew_leaves_it_to_be_mended() {
        let model = Model::new(MailboxId(7));
        assert!(model.begin().unwrap() && model.install(snapshot(1, 1, &[])));
        model.hear(Heard { is_lost: true, ..Heard::default() });
        assert!(model.begin().unwrap());
        assert!(model.is_stale());
    }

    #[test]
    fn a_mailbox_that_is_gone_has_no_snapshot_and_is_not_read() {
        let model = Model::new(MailboxId(7));
        assert!(model.begin().unwrap() && model.install(snapshot(1, 1, &[])));
        assert!(model.hear(Heard { is_gone: true, ..Heard::default() }));
        assert!(model.newest().is_none());
        assert_eq!(model.begin(), Err(StoreError::NoSuchMailbox));
    }
}
