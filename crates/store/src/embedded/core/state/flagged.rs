//! Flags that one transaction changed of many messages: kept as the list that is told to who watches, and not message by
//! message, until the view has them.

use std::sync::Arc;

use super::super::super::record::Lsn;
use super::super::super::view::EntryState;
use super::{At, Known, State, Undo};
use crate::{MailboxId, MessageEntry, Uid};

/// Messages of one mailbox with their new flags.
#[derive(Debug)]
pub(super) struct Flagged {
    mailbox: MailboxId,
    /// Of the first record.
    lsn: Lsn,
    /// Ascending.
    entries: Arc<[MessageEntry]>,
}

/// Fewer messages are kept one by one.
const MESSAGES_MIN: usize = 4;
/// So many lists are kept at most: a message is looked for in each.
const LISTS_MAX: usize = 16;

impl Flagged {
    fn find(&self, mailbox: MailboxId, uid: Uid) -> Option<EntryState> {
        if self.mailbox != mailbox {
            return None;
        }
        let at = self.entries.binary_search_by_key(&uid, |entry| entry.uid).ok()?;
        Some(EntryState::of_message(&self.entries[at]))
    }
}

impl State {
    /// Sets the flags of messages that were there before, ascending by UID.
    pub(in super::super) fn set_flagged(
        &mut self,
        mailbox: MailboxId,
        lsn: Lsn,
        entries: &Arc<[MessageEntry]>,
    ) {
        if entries.len() < MESSAGES_MIN || self.flagged.len() >= LISTS_MAX {
            for entry in entries.iter() {
                self.change_entry(mailbox, entry.uid, lsn, EntryState::of_message(entry));
            }
            return;
        }
        self.flagged.push_back(Flagged { mailbox, lsn, entries: Arc::clone(entries) });
        self.undo.push(Undo::Flagged);
    }

    /// A message as it is, where the view may not have it so yet; within, `None` where it is gone.
    pub(super) fn unapplied_entry(&self, mailbox: MailboxId, uid: Uid) -> Option<Option<EntryState>> {
        let alone: Option<&At<Option<Known>>> =
            if self.entries.is_empty() { None } else { self.entries.get(&(mailbox, uid)) };
        let found = |list: &Flagged| Some((list.lsn, list.find(mailbox, uid)?));
        let of_many = self.flagged.iter().rev().find_map(found);
        match (alone, of_many) {
            (Some((lsn, known)), Some((later, _))) if *lsn >= later => {
                Some(known.as_ref().map(|known| known.state))
            }
            (_, Some((_, state))) => Some(Some(state)),
            (Some((_, known)), None) => Some(known.as_ref().map(|known| known.state)),
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use bytes::Bytes;
    use types::{Envelope, MailId, ReversePath, Timestamp};

    use crate::embedded::{Drive, Embedded, Options};
    use crate::{
        Acceptance, Body, Delivery, Directory as _, Flags, Mailboxes as _, MessageEntry, NewAccount,
        QueueClaim, Spool as _, Uid,
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
    fn a_list_of_flagged_messages_fills_the_backlog_however_short_its_record_is() {
        let folder = tempfile::tempdir().unwrap();
        let backlog_bytes = COUNT as usize * size_of::<MessageEntry>();
        let options = Options { backlog_bytes, drive: Drive::Manual, ..Options::at(folder.path()) };
        let store = Embedded::open(options).unwrap();
        let owner = store.create_account(NewAccount::new("many@example.org", NOW));
        let inbox = committed(&store, owner).unwrap().inbox;
        let message = |n| Acceptance {
            mail_id: MailId::new(NOW, n),
            received_at: NOW,
            envelope: Envelope::new(ReversePath::Null, ["<one@example.org>".parse().unwrap()]),
            origin: String::new(),
            body: Body::Memory(vec![Bytes::from_static(b"x")]),
            deliveries: vec![Delivery {
                mailbox: inbox,
                header: Bytes::new(),
                flags: Flags::NONE,
                internal_date: None,
            }],
            queue: Vec::new(),
            claim: QueueClaim::Later,
            idempotency: None,
        };
        committed(&store, store.append((0..u64::from(COUNT)).map(message).collect(), None)).unwrap();
        store.apply_pending().unwrap();
        assert!(!store.shared.backlog.is_full());
        let uids: Vec<Uid> = (1..=COUNT).map(Uid).collect();
        let asked = store.store_flags(inbox, &uids, Flags::SEEN, Flags::NONE, None);
        assert_eq!(committed(&store, asked).unwrap().changed.len(), uids.len());
        assert!(store.shared.backlog.is_full());
        store.apply_pending().unwrap();
        assert!(!store.shared.backlog.is_full());
    }
}
