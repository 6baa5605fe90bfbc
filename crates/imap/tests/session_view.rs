//! A mailbox that changes at random, and a client that hears of it only what may be told: it always ends with the
//! mailbox's truth, never hears a number that it does not know, and no EXPUNGE where there must be none (RFC 9051 §7.5.1).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]

use std::collections::BTreeMap;
use std::sync::Arc;

use imap::command::{Numbering, SequenceSet, SetRange, SetValue};
use imap::view::{Allowed, Delta, Message, Snapshot, Update, View};
use proptest::prelude::*;
use types::mailstore::{Flags, MailboxId, ModSeq, Uid, UidValidity};
use types::{MailId, Timestamp};

#[derive(Debug, Clone)]
enum Change {
    Add(u8),
    /// Places of all, as parts of 256.
    Remove(Vec<u8>),
    Flag(Vec<u8>, u8),
    /// Every message.
    FlagAll(u8),
    /// Ranges of UIDs from place to place.
    FlagRuns(Vec<u8>, u8),
    Keyword,
    /// The client's session takes the newest state over.
    Advance,
    Tell(Allowed),
}

fn change() -> impl Strategy<Value = Change> {
    let places = || prop::collection::vec(any::<u8>(), 1..6);
    let allowed = prop_oneof![Just(Allowed::All), Just(Allowed::NotExpunge), Just(Allowed::Nothing)];
    prop_oneof![
        3 => (1u8..5).prop_map(Change::Add),
        3 => places().prop_map(Change::Remove),
        3 => (places(), 0u8..32).prop_map(|(places, flags)| Change::Flag(places, flags)),
        1 => (0u8..32).prop_map(Change::FlagAll),
        3 => (places(), 0u8..31).prop_map(|(places, flags)| Change::FlagRuns(places, flags)),
        1 => Just(Change::Keyword),
        4 => Just(Change::Advance),
        4 => allowed.prop_map(Change::Tell),
    ]
}

fn message(uid: u32, modseq: u64) -> Message {
    Message {
        uid: Uid(uid),
        flags: Flags::NONE,
        modseq: ModSeq(modseq),
        size_bytes: 100,
        internal_date: Timestamp::default(),
        saved_at: Timestamp::default(),
        mail_id: MailId::new(Timestamp::default(), u64::from(uid)),
    }
}

fn mailbox(count: u32) -> Snapshot {
    let messages: Vec<Message> = (1..=count).map(|uid| message(uid * 2, 1)).collect();
    let uid_next = Uid(count * 2 + 1);
    Snapshot::new(MailboxId(1), UidValidity(1), uid_next, ModSeq(1), Arc::new([]), &messages)
}

/// What a client makes of what it hears: UIDs are found out by asking, as FETCH would.
struct Client {
    uids: Vec<Uid>,
    flags: BTreeMap<Uid, Flags>,
    keywords: usize,
}

impl Client {
    fn hear(&mut self, updates: &[Update], view: &View, allowed: Allowed) {
        assert!(allowed != Allowed::Nothing || updates.is_empty());
        for update in updates {
            match update {
                Update::Expunged(gone) => {
                    assert_eq!(allowed, Allowed::All, "an EXPUNGE where there must be none");
                    for (seq, uid) in gone {
                        assert_eq!(self.uids.remove(*seq as usize - 1), *uid);
                        self.flags.remove(uid);
                    }
                }
                Update::Exists(exists) => {
                    assert!(*exists as usize > self.uids.len(), "EXISTS must not shrink a mailbox");
                    let first = u32::try_from(self.uids.len()).unwrap() + 1;
                    for seq in first..=*exists {
                        let new = view.message(seq).expect("a new message is there");
                        self.uids.push(new.uid);
                        self.flags.insert(new.uid, new.flags);
                    }
                }
                Update::Keywords => self.keywords = view.snapshot.keywords.len(),
                Update::Flags(seqs) => {
                    for seq in seqs {
                        let uid = self.uids[*seq as usize - 1];
                        let shown = view.message(*seq).expect("flags are told of what is there");
                        assert_eq!(shown.uid, uid, "number {seq}");
                        self.flags.insert(uid, shown.flags);
                    }
                }
            }
        }
    }
}

struct Truth {
    snapshot: Snapshot,
    /// The same without chunks.
    plain: BTreeMap<Uid, Message>,
}

impl Truth {
    fn apply(&mut self, delta: Delta) {
        match &delta {
            Delta::Set(messages) => self.plain.extend(messages.iter().map(|message| (message.uid, *message))),
            Delta::Flags(modseq, runs) => {
                for (first, last, flags) in runs.iter() {
                    for (_, message) in self.plain.range_mut(*first..=*last) {
                        (message.flags, message.modseq) = (*flags, *modseq);
                    }
                }
            }
            Delta::Gone(_, uids) => self.plain.retain(|uid, _| !uids.contains(uid)),
            Delta::Keywords(_) | Delta::Mailbox(_) => {}
        }
        self.snapshot = self.snapshot.with(&[delta]);
    }

    fn pick(&self, places: &[u8]) -> Vec<Uid> {
        let mut uids: Vec<Uid> = places
            .iter()
            .filter_map(|place| self.snapshot.get(usize::from(*place) * self.snapshot.len() / 256))
            .map(|message| message.uid)
            .collect();
        uids.sort_unstable();
        uids.dedup();
        uids
    }

    fn change(&mut self, change: &Change) {
        let modseq = ModSeq(self.snapshot.highest_modseq.0 + 1);
        match change {
            Change::Add(count) => {
                let from = self.snapshot.uid_next.0;
                let new = (from..from + u32::from(*count)).map(|uid| message(uid, modseq.0)).collect();
                self.apply(Delta::Set(new));
            }
            Change::Remove(places) => self.apply(Delta::Gone(modseq, self.pick(places).into())),
            Change::Flag(places, flags) => {
                let changed = |uid| Message {
                    flags: Flags(u64::from(*flags)),
                    modseq,
                    ..*self.snapshot.find(uid).expect("picked of what is there")
                };
                self.apply(Delta::Set(self.pick(places).into_iter().map(changed).collect()));
            }
            Change::FlagAll(flags) => {
                let changed =
                    |message: &Message| Message { flags: Flags(u64::from(*flags)), modseq, ..*message };
                self.apply(Delta::Set(self.plain.values().map(changed).collect()));
            }
            Change::FlagRuns(places, flags) => {
                let (picked, mut runs) = (self.pick(places), Vec::new());
                for (number, pair) in picked.chunks_exact(2).enumerate() {
                    // Also where some between them are gone.
                    runs.push((pair[0], pair[1], Flags(u64::from(*flags) + number as u64 % 2)));
                }
                self.apply(Delta::Flags(modseq, runs.into()));
            }
            Change::Keyword => {
                let mut keywords = self.snapshot.keywords.to_vec();
                keywords.push(format!("$K{}", keywords.len()));
                self.apply(Delta::Keywords(keywords.into()));
            }
            Change::Advance | Change::Tell(_) => {}
        }
    }
}

proptest! {
    #[test]
    fn a_client_that_hears_what_may_be_told_ends_with_the_truth(
        count in prop_oneof![0u32..8, 500u32..1200],
        changes in prop::collection::vec(change(), 1..60),
    ) {
        let snapshot = mailbox(count);
        let plain = snapshot.iter().map(|message| (message.uid, *message)).collect();
        let mut truth = Truth { snapshot, plain };
        let mut view = View::new(Arc::new(truth.snapshot.clone()));
        let mut client = Client {
            uids: truth.plain.keys().copied().collect(),
            flags: truth.plain.values().map(|message| (message.uid, message.flags)).collect(),
            keywords: 0,
        };
        for change in changes.iter().chain(&[Change::Advance, Change::Tell(Allowed::All)]) {
            truth.change(change);
            match change {
                Change::Advance => view.advance(Arc::new(truth.snapshot.clone())),
                Change::Tell(allowed) => client.hear(&view.tell(*allowed), &view, *allowed),
                _ => {}
            }
            prop_assert!(truth.snapshot.iter().copied().eq(truth.plain.values().copied()));
            prop_assert_eq!(truth.snapshot.len(), truth.plain.len());
            let unseen = truth.plain.values().position(|message| !message.flags.contains(Flags::SEEN));
            prop_assert_eq!(truth.snapshot.first_unseen(), unseen);
            prop_assert_eq!(view.exists() as usize, client.uids.len());
            for (seq, uid) in (1..).zip(&client.uids) {
                prop_assert_eq!(view.uid(seq), Some(*uid));
                prop_assert_eq!(view.seq_of(*uid), Some(seq));
                prop_assert_eq!(view.message(seq).is_none(), view.is_gone(*uid));
            }
            let all = SequenceSet::Ranges(vec![SetRange { from: SetValue::Number(1), to: SetValue::Largest }]);
            let present = view.uids(&view.seqs(&all, Numbering::Uid));
            let expected: Vec<Uid> = client.uids.iter().copied().filter(|uid| !view.is_gone(*uid)).collect();
            prop_assert_eq!(present, expected);
            // Also where ranges of numbers begin, end and meet at messages that are gone.
            let exists = view.exists();
            let parts = [(1, exists / 3), (exists / 3 + 1, exists / 2), (exists / 2 + 2, exists.saturating_sub(1))];
            let parts: Vec<_> = parts.into_iter().filter(|(from, to)| from <= to).collect();
            let each = parts.iter().flat_map(|(from, to)| *from..=*to);
            let expected: Vec<Uid> = each.filter_map(|seq| view.message(seq)).map(|message| message.uid).collect();
            prop_assert_eq!(view.uids(&parts), expected);
        }
        prop_assert!(!view.has_news());
        prop_assert!(client.uids.iter().eq(truth.plain.keys()));
        prop_assert!(client.flags.values().eq(truth.plain.values().map(|message| &message.flags)));
        prop_assert_eq!(client.keywords, truth.snapshot.keywords.len());
    }
}

#[test]
fn a_large_mailbox_shares_what_did_not_change() {
    let before = mailbox(100_000);
    let changed = Message { flags: Flags::SEEN, modseq: ModSeq(2), ..message(2, 2) };
    let after = before.with(&[Delta::Set([changed].into()), Delta::Set([message(200_001, 3)].into())]);
    assert_eq!(after.len(), 100_001);
    assert_eq!((after.highest_modseq, after.uid_next), (ModSeq(3), Uid(200_002)));
    let shared = before.iter().zip(after.iter()).filter(|(old, new)| std::ptr::eq(*old, *new)).count();
    assert!(shared >= 100_000 - 2 * 512, "{shared} shared");
}

#[test]
fn ranges_that_are_flagged_leave_what_changed_later_and_share_what_is_outside_of_them() {
    let (later, earlier) = (ModSeq(7), ModSeq(5));
    let seen = Message { flags: Flags::SEEN, modseq: later, ..message(2000, 7) };
    let before = mailbox(100_000).with(&[Delta::Set([seen].into())]);
    let runs = [(1001, 1002, 8), (1003, 3999, 4), (4001, 4001, 2), (150_000, 199_999, 1)];
    let runs = runs.map(|(first, last, flags)| (Uid(first), Uid(last), Flags(flags)));
    let after = before.with(&[Delta::Flags(earlier, runs.into())]);
    assert_eq!((after.len(), after.highest_modseq), (100_000, later));
    for (was, is) in before.iter().zip(after.iter()) {
        let run = runs.iter().find(|(first, last, _)| (*first..=*last).contains(&was.uid));
        let expected = match run {
            Some((.., flags)) if was.uid != Uid(2000) => Message { flags: *flags, modseq: earlier, ..*was },
            _ => *was,
        };
        assert_eq!(*is, expected);
    }
    let shared = before.iter().zip(after.iter()).filter(|(old, new)| std::ptr::eq(*old, *new)).count();
    assert!(shared >= 100_000 - 1_500 - 25_000 - 4 * 512, "{shared} shared");
    assert_eq!(after.first_unseen(), Some(0));
    let uids: Vec<Uid> = [1, 2, 2000, 2001, 2002, 2004, 199_999, 200_000, 300_000].map(Uid).into();
    let mut found = Vec::new();
    after.each_of(&uids, |message| found.push(*message));
    assert!(found.iter().eq(uids.iter().filter_map(|uid| after.find(*uid))));
    assert_eq!(found.len(), 5);
}

#[test]
fn what_the_client_did_itself_it_does_not_hear_again() {
    let truth = mailbox(3);
    let mut view = View::new(Arc::new(truth.clone()));
    let changed = Message { flags: Flags::SEEN, ..message(2, 5) };
    view.advance(Arc::new(truth.with(&[Delta::Set([changed].into())])));
    assert!(view.has_news());
    view.told_flags([(Uid(2), ModSeq(4))]);
    assert!(view.has_news(), "it was told of an older state");
    view.told_flags([(Uid(2), ModSeq(5))]);
    assert!(!view.has_news());
    assert_eq!(view.tell(Allowed::All), []);
}

#[test]
fn a_message_that_came_and_went_unheard_was_never_there() {
    let truth = mailbox(1);
    let mut view = View::new(Arc::new(truth.clone()));
    let came = truth.with(&[Delta::Set([message(3, 2)].into())]);
    view.advance(Arc::new(came.clone()));
    view.advance(Arc::new(came.with(&[Delta::Gone(ModSeq(3), [Uid(3)].into())])));
    assert_eq!(view.tell(Allowed::All), []);
}
