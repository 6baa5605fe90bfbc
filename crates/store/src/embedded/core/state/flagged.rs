//! Flags that were changed and that the view may not have yet: of many messages as the ranges that are told to who watches, and
//! not message by message.
//!
//! Sequence numbers of a mailbox only grow, so of all that is known of a message what has the greatest is what it is.

use super::super::super::record::Lsn;
use super::super::super::view::EntryState;
use super::{State, Undo};
use crate::{FlagRun, Flagging, Flags, MailboxId, ModSeq, Uid};

/// A change of messages of one mailbox.
#[derive(Debug)]
pub(super) struct Flagged {
    mailbox: MailboxId,
    change: Flagging,
}

/// What a message has now.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewFlags {
    flags: Flags,
    modseq: ModSeq,
}

/// Fewer messages are kept one by one.
const MESSAGES_MIN: usize = 4;
/// So many changes are kept as ranges at most: a message is looked for in each.
const LISTS_MAX: usize = 16;

impl State {
    /// Sets the flags of messages that were there before.
    pub(in super::super) fn set_flagged(&mut self, mailbox: MailboxId, lsn: Lsn, change: &Flagging) {
        if change.len() < MESSAGES_MIN || self.flagged.len() >= LISTS_MAX {
            for (uid, flags) in change.iter() {
                let new = NewFlags { flags, modseq: change.modseq };
                let before = self.flags.insert((mailbox, uid), (lsn, new));
                self.undo.push(Undo::Flags((mailbox, uid), before));
            }
            return;
        }
        self.flagged.push_back(Flagged { mailbox, change: change.clone() });
        self.undo.push(Undo::Flagged);
    }

    /// A message with the flags that it has by now.
    pub(super) fn flagged_since(&self, mailbox: MailboxId, uid: Uid, state: EntryState) -> EntryState {
        let alone = self.flags.get(&(mailbox, uid)).map(|(_, new)| *new);
        let lists = self.flagged.iter().filter(|list| list.mailbox == mailbox);
        let of_many = lists.filter_map(|Flagged { change, .. }| {
            Some(NewFlags { flags: change.find(uid)?, modseq: change.modseq })
        });
        match of_many.chain(alone).max_by_key(|new| new.modseq) {
            Some(NewFlags { flags, modseq }) if modseq > state.modseq => {
                EntryState { flags, modseq, ..state }
            }
            _ => state,
        }
    }
}

/// A change of flags while the messages are looked at, ascending.
#[derive(Debug)]
pub(in super::super) struct Changing {
    add: Flags,
    remove: Flags,
    unchanged_since: Option<ModSeq>,
    /// Those that have others now.
    pub(in super::super) runs: Vec<FlagRun>,
    /// Those that changed after `unchanged_since`.
    pub(in super::super) modified: Vec<Uid>,
}

impl Changing {
    pub(in super::super) const fn new(
        (add, remove): (Flags, Flags),
        unchanged_since: Option<ModSeq>,
    ) -> Self {
        Self { add, remove, unchanged_since, runs: Vec::new(), modified: Vec::new() }
    }

    /// Takes in a message as it is.
    pub(in super::super) fn visit(&mut self, uid: Uid, before: Flags, modseq: ModSeq) {
        if self.unchanged_since.is_some_and(|since| modseq > since) {
            self.modified.push(uid);
            return;
        }
        let flags = before.changed(self.add, self.remove);
        if flags == before {
            return;
        }
        match self.runs.last_mut() {
            Some(run) if run.last.0 + 1 == uid.0 && run.flags == flags => run.last = uid,
            _ => self.runs.push(FlagRun { first: uid, last: uid, flags }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use bytes::Bytes;
    use types::{Envelope, MailId, ReversePath, Timestamp};

    use super::super::super::transact::FLAGGED_BYTES;
    use super::super::super::{Carry, Op, Transaction};
    use crate::embedded::record::FlagsChange;
    use crate::embedded::sync::lock;
    use crate::embedded::{Drive, Embedded, Options};
    use crate::{
        Acceptance, Body, Delivery, Directory as _, Flags, Mailboxes as _, NewAccount, Spool as _, Uid,
    };

    const NOW: Timestamp = Timestamp::from_millis(1_795_322_124_250);
    const COUNT: u32 = 300;

    /// Commits what is asked; the view stays behind.
    fn committed<T>(store: &Embedded, asked: impl Future<Output = T>) -> T {
        let mut asked = pin!(asked);
        for _ in 0..8 {
            if let Poll::Ready(done) = asked.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                return done;
            }
            store.commit_pending();
        }
        panic!("it needs the view");
    }

    #[test]
    fn flags_of_many_messages_fill_the_backlog_however_short_their_record_is() {
        let folder = tempfile::tempdir().unwrap();
        let backlog_bytes = COUNT as usize * FLAGGED_BYTES;
        let options = Options { backlog_bytes, drive: Drive::Manual, ..Options::at(folder.path()) };
        let store = Embedded::open(options).unwrap();
        let owner = store.create_account(NewAccount::new("many@example.org", NOW));
        let inbox = committed(&store, owner).unwrap().inbox;
        let message = |n| {
            let envelope = Envelope::new(ReversePath::Null, ["<one@example.org>".parse().unwrap()]);
            let body = Body::Memory(vec![Bytes::from_static(b"x")]);
            let deliveries = vec![Delivery::to(inbox)];
            Acceptance { deliveries, ..Acceptance::new(MailId::new(NOW, n), NOW, envelope, body) }
        };
        committed(&store, store.append((0..u64::from(COUNT)).map(message).collect(), None)).unwrap();
        store.apply_pending().unwrap();
        assert!(!store.shared.backlog.is_full());
        let uids: Vec<Uid> = (1..=COUNT).map(Uid).collect();
        let asked = store.store_flags(inbox, &uids, Flags::SEEN, Flags::NONE, None);
        let changed = committed(&store, asked).unwrap().changed;
        assert_eq!(changed.len(), uids.len());
        assert!(store.shared.backlog.is_full());
        store.apply_pending().unwrap();
        assert!(!store.shared.backlog.is_full());
        // So it is where they are written again.
        let messages = changed.iter().collect();
        let carried = Carry::Flags(FlagsChange { mailbox: inbox, modseq: changed.modseq, messages });
        let (reply, mut answer) = tokio::sync::oneshot::channel();
        let transaction = Transaction { op: Op::Carry(vec![carried]), reply };
        lock(store.manual.as_ref().unwrap()).core.commit(vec![transaction]);
        answer.try_recv().unwrap().unwrap();
        assert!(store.shared.backlog.is_full());
    }
}
