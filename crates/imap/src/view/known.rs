//! What one client knows of a mailbox: which messages it was told of, under which numbers.
//!
//! Standards: RFC 9051 §2.3.1.2 (sequence numbers), §7.5.1 (EXPUNGE), §5.2 and §5.5 (what may be told when).

use std::sync::Arc;

use types::mailstore::{ModSeq, Uid};

use super::snapshot::{Message, Snapshot};
use crate::command::{Numbering, SequenceSet, SetRange, SetValue};

/// What one client knows of a mailbox.
///
/// Messages that are gone keep their number until the client is told; those that came get one when it is told.
#[derive(Debug, Clone)]
pub struct View {
    /// The newest state that was taken over.
    pub snapshot: Arc<Snapshot>,
    /// Messages that the client counts: those of the snapshot below `next`, and the ghosts.
    exists: u32,
    /// Messages from this UID on were not told yet.
    next: Uid,
    /// Ascending. Their places do not move while they are here: that is what numbers are kept for.
    ghosts: Vec<Ghost>,
    /// The highest modification sequence before the first of the ghosts went. None where there is no ghost.
    before_ghosts: Option<ModSeq>,
    /// Messages that the client knows, whose flags are others than it was told. Ascending: whole ranges of them come and go
    /// at once.
    changed: Vec<Uid>,
    keywords_told: usize,
}

/// So few messages are put in their places one by one; for more, the whole list is walked once.
const CHANGED_FEW: usize = 8;

/// A message that is gone and that the client still counts.
#[derive(Debug, Clone, Copy)]
struct Ghost {
    uid: Uid,
    /// Its place, from 0, among all that the client counts.
    index: usize,
}

/// What may be told now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowed {
    /// Everything.
    All,
    /// No EXPUNGE: a command is in progress whose answer has sequence numbers (RFC 9051 §7.5.1).
    NotExpunge,
    /// Nothing.
    Nothing,
}

/// What the client is to be told, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Update {
    /// These are gone: numbers descend, so that each is right as the client counts when it reads it.
    Expunged(Vec<(u32, Uid)>),
    /// There are so many now.
    Exists(u32),
    /// The mailbox has more keywords: FLAGS.
    Keywords,
    /// Messages whose flags are others now, ascending, by number as of now.
    Flags(Vec<u32>),
}

impl View {
    /// Of a client that was told of all that there is.
    #[must_use]
    pub fn new(snapshot: Arc<Snapshot>) -> Self {
        let exists = u32::try_from(snapshot.len()).unwrap_or(u32::MAX);
        let (next, keywords_told) = (snapshot.uid_next, snapshot.keywords.len());
        let (ghosts, changed) = (Vec::new(), Vec::new());
        Self { snapshot, exists, next, ghosts, before_ghosts: None, changed, keywords_told }
    }

    /// Messages that the client counts.
    #[must_use]
    pub const fn exists(&self) -> u32 {
        self.exists
    }

    /// The message of a number; none where it is gone, or was never told.
    #[must_use]
    pub fn message(&self, seq: u32) -> Option<&Message> {
        let index = (seq as usize).checked_sub(1)?;
        if seq > self.exists {
            return None;
        }
        match self.ghosts.binary_search_by_key(&index, |ghost| ghost.index) {
            Ok(_) => None,
            Err(before) => self.snapshot.get(index - before),
        }
    }

    /// The UID of a number, also where the message is gone.
    #[must_use]
    pub fn uid(&self, seq: u32) -> Option<Uid> {
        let index = (seq as usize).checked_sub(1)?;
        match self.ghosts.binary_search_by_key(&index, |ghost| ghost.index) {
            Ok(at) => Some(self.ghosts[at].uid),
            Err(_) => self.message(seq).map(|message| message.uid),
        }
    }

    /// The number of a UID; a message that is gone has one until the client is told.
    #[must_use]
    pub fn seq_of(&self, uid: Uid) -> Option<u32> {
        if uid >= self.next {
            return None;
        }
        let index = match self.ghosts.binary_search_by_key(&uid, |ghost| ghost.uid) {
            Ok(at) => self.ghosts[at].index,
            Err(before) => self.snapshot.position(uid).ok()? + before,
        };
        u32::try_from(index + 1).ok()
    }

    /// Whether the client counts a message that is gone.
    #[must_use]
    pub fn is_gone(&self, uid: Uid) -> bool {
        self.ghosts.binary_search_by_key(&uid, |ghost| ghost.uid).is_ok()
    }

    /// The highest UID that the client knows: `*`. Zero where it knows none.
    #[must_use]
    pub fn largest_uid(&self) -> Uid {
        self.uid(self.exists).unwrap_or(Uid(0))
    }

    /// Whether each number of a set is one that the client may say (RFC 9051 §9, `seq-number`).
    ///
    /// Deviation: a range to `*` is taken in an empty mailbox too, and above its largest number: many clients ask for all
    /// of a mailbox, or for what is new, without looking whether there is something.
    #[must_use]
    pub fn has_all(&self, set: &SequenceSet) -> bool {
        let is_known = |value| matches!(value, SetValue::Number(number) if number <= self.exists);
        let is_open = |range: &SetRange| [range.from, range.to].contains(&SetValue::Largest);
        match set {
            SequenceSet::Saved => true,
            SequenceSet::Ranges(ranges) => {
                ranges.iter().all(|range| is_open(range) || (is_known(range.from) && is_known(range.to)))
            }
        }
    }

    /// The numbers of a set as ascending ranges of sequence numbers. Of UIDs those that are there: one that is gone, or
    /// never was, is passed over (RFC 9051 §6.4.9). Numbers that the client does not know are left out.
    /// Nothing for [`SequenceSet::Saved`].
    #[must_use]
    pub fn seqs(&self, set: &SequenceSet, numbering: Numbering) -> Vec<(u32, u32)> {
        match numbering {
            Numbering::Sequence => set
                .ranges(self.exists)
                .into_iter()
                .map(|(from, to)| (from.max(1), to.min(self.exists)))
                .filter(|(from, to)| from <= to)
                .collect(),
            Numbering::Uid => {
                let mut seqs = Vec::new();
                for (from, to) in set.ranges(self.largest_uid().0) {
                    let from = self.counted_below(Uid(from));
                    let to = match to.checked_add(1) {
                        Some(end) => self.counted_below(Uid(end)),
                        None => self.exists as usize,
                    };
                    self.push_present(from, to, &mut seqs);
                }
                seqs
            }
        }
    }

    /// UIDs of the messages of ascending ranges of numbers, without those that are gone.
    #[must_use]
    pub fn uids(&self, ranges: &[(u32, u32)]) -> Vec<Uid> {
        let mut uids = Vec::new();
        for (first, last) in self.present(ranges) {
            let ghosts = self.ghosts.partition_point(|ghost| ghost.index < first as usize);
            let (mut at, end) = (first as usize - 1 - ghosts, last as usize - ghosts);
            while at < end {
                let run = self.snapshot.run(at);
                let Some(run) = run.get(..run.len().min(end - at)).filter(|run| !run.is_empty()) else {
                    break;
                };
                uids.extend(run.iter().map(|message| message.uid));
                at += run.len();
            }
        }
        uids
    }

    /// Ascending ranges of numbers without those of messages that are gone.
    #[must_use]
    pub fn present(&self, ranges: &[(u32, u32)]) -> Vec<(u32, u32)> {
        let mut present = Vec::new();
        for (first, last) in ranges {
            let from = first.saturating_sub(1) as usize;
            self.push_present(from, (*last).min(self.exists) as usize, &mut present);
        }
        present
    }

    /// Takes a newer state over. Numbers stay as they are.
    pub fn advance(&mut self, newer: Arc<Snapshot>) {
        let older = std::mem::replace(&mut self.snapshot, newer);
        let newer = &self.snapshot;
        let (mut at_old, mut at_new) = (0, 0);
        let (mut gone, mut changed) = (Vec::new(), Vec::new());
        let known = self.exists as usize - self.ghosts.len();
        while at_old < known {
            let (old, new) = (older.run(at_old), newer.run(at_new));
            if std::ptr::eq(old, new) {
                at_old += old.len();
                at_new += old.len();
                continue;
            }
            // The same messages, as far as both are known.
            let same = old.iter().zip(new).take(known - at_old).take_while(|(was, is)| was.uid == is.uid);
            let mut passed = 0;
            for (was, is) in same {
                if is.flags != was.flags || is.modseq != was.modseq {
                    changed.push(is.uid);
                }
                passed += 1;
            }
            if passed > 0 {
                at_old += passed;
                at_new += passed;
                continue;
            }
            let Some(was) = old.first() else { break };
            match new.first() {
                Some(is) if is.uid < was.uid => at_new += 1,
                _ => {
                    gone.push((was.uid, at_old));
                    at_old += 1;
                }
            }
        }
        if !gone.is_empty() {
            self.before_ghosts.get_or_insert(older.highest_modseq);
        }
        self.add_changed(changed);
        self.add_ghosts(&gone);
    }

    /// Where messages are gone of which the client was not told: a modification sequence that is lower than those with which they
    /// went.
    #[must_use]
    pub const fn before_ghosts(&self) -> Option<ModSeq> {
        self.before_ghosts
    }

    /// What the client is to be told now; afterwards it knows. With [`Allowed::Nothing`], nothing.
    pub fn tell(&mut self, allowed: Allowed) -> Vec<Update> {
        let mut updates = Vec::new();
        if allowed == Allowed::Nothing {
            return updates;
        }
        if allowed == Allowed::All {
            let gone = self.take_ghosts();
            if !gone.is_empty() {
                updates.push(Update::Expunged(gone));
            }
        }
        if let Some(exists) = self.take_new() {
            updates.push(Update::Exists(exists));
        }
        if self.take_keywords() {
            updates.push(Update::Keywords);
        }
        let changed = std::mem::take(&mut self.changed);
        let seqs: Vec<u32> = changed
            .into_iter()
            .filter(|uid| !self.is_gone(*uid))
            .filter_map(|uid| self.seq_of(uid))
            .collect();
        if !seqs.is_empty() {
            updates.push(Update::Flags(seqs));
        }
        updates
    }

    /// Whether there is something that the client was not told.
    #[must_use]
    pub fn has_news(&self) -> bool {
        !self.ghosts.is_empty()
            || !self.changed.is_empty()
            || self.snapshot.keywords.len() > self.keywords_told
            || self.snapshot.len() + self.ghosts.len() > self.exists as usize
    }

    /// The client was told of the flags of messages, ascending by UID, as they were at these modification sequences.
    pub fn told_flags(&mut self, told: impl IntoIterator<Item = (Uid, ModSeq)>) {
        let mut told = told.into_iter().peekable();
        let Self { snapshot, changed, .. } = self;
        changed.retain(|uid| {
            while told.next_if(|(other, _)| other < uid).is_some() {}
            let Some((_, modseq)) = told.next_if(|(other, _)| other == uid) else { return true };
            // They may have changed again.
            snapshot.highest_modseq > modseq
                && snapshot.find(*uid).is_some_and(|message| message.modseq > modseq)
        });
    }

    /// Flags that changed are not told: the client asked not to hear of them (RFC 5465 §5.3).
    pub fn drop_flags(&mut self) {
        self.changed.clear();
    }

    /// Messages that are gone, as if the client had been told of them; numbers as of [`Update::Expunged`].
    pub fn take_ghosts(&mut self) -> Vec<(u32, Uid)> {
        let ghosts = std::mem::take(&mut self.ghosts);
        self.before_ghosts = None;
        self.exists -= u32::try_from(ghosts.len()).unwrap_or(0);
        let number = |ghost: &Ghost| (u32::try_from(ghost.index + 1).unwrap_or(u32::MAX), ghost.uid);
        ghosts.iter().rev().map(number).collect()
    }

    /// Whether there are keywords that the client was not told of; afterwards it was.
    pub fn take_keywords(&mut self) -> bool {
        let count = self.snapshot.keywords.len();
        std::mem::replace(&mut self.keywords_told, count) < count
    }

    fn take_new(&mut self) -> Option<u32> {
        let exists = u32::try_from(self.snapshot.len() + self.ghosts.len()).unwrap_or(u32::MAX);
        self.next = self.snapshot.uid_next;
        let before = std::mem::replace(&mut self.exists, exists);
        (exists != before).then_some(exists)
    }

    /// Messages that the client counts whose UID is lower.
    fn counted_below(&self, uid: Uid) -> usize {
        let uid = uid.min(self.next);
        let (Ok(present) | Err(present)) = self.snapshot.position(uid);
        present + self.ghosts.partition_point(|ghost| ghost.uid < uid)
    }

    /// Adds the places `from..to` as numbers, without ghosts.
    fn push_present(&self, mut from: usize, to: usize, seqs: &mut Vec<(u32, u32)>) {
        let mut push = |from: usize, to: usize| {
            if from < to
                && let (Ok(first), Ok(last)) = (u32::try_from(from + 1), u32::try_from(to))
            {
                match seqs.last_mut() {
                    Some(before) if before.1 + 1 == first => before.1 = last,
                    _ => seqs.push((first, last)),
                }
            }
        };
        let ghosts = self.ghosts.partition_point(|ghost| ghost.index < from);
        for ghost in self.ghosts[ghosts..].iter().take_while(|ghost| ghost.index < to) {
            push(from, ghost.index);
            from = ghost.index + 1;
        }
        push(from, to);
    }

    /// Adds messages that are gone, ascending, with their places among those that were there.
    fn add_ghosts(&mut self, gone: &[(Uid, usize)]) {
        if gone.is_empty() {
            return;
        }
        let mut all = Vec::with_capacity(self.ghosts.len() + gone.len());
        let mut older = self.ghosts.iter().copied().peekable();
        let mut passed = 0;
        for (uid, place) in gone {
            while let Some(ghost) = older.next_if(|ghost| ghost.uid < *uid) {
                all.push(ghost);
                passed += 1;
            }
            all.push(Ghost { uid: *uid, index: place + passed });
        }
        all.extend(older);
        self.ghosts = all;
        self.changed.retain(|uid| gone.binary_search_by_key(uid, |(uid, _)| *uid).is_err());
    }

    /// Adds messages that have other flags, ascending.
    fn add_changed(&mut self, changed: Vec<Uid>) {
        if self.changed.last() < changed.first() {
            self.changed.extend(changed);
        } else if changed.len() <= CHANGED_FEW {
            for uid in changed {
                if let Err(place) = self.changed.binary_search(&uid) {
                    self.changed.insert(place, uid);
                }
            }
        } else {
            self.changed.extend(changed);
            // Two ranges that ascend: little more than a merge.
            self.changed.sort();
            self.changed.dedup();
        }
    }
}
