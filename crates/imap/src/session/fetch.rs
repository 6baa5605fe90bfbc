//! FETCH and UID FETCH (RFC 9051 §6.4.5): what must happen before [`crate::fetch`] writes the answers.
//!
//! Standards: RFC 7162 §3.1.4 (CHANGEDSINCE) and §3.2.6 (VANISHED), RFC 9394 (PARTIAL), RFC 9586 (UIDONLY).

use std::sync::Arc;

use types::mailstore::{Flags, ModSeq, Uid};

use super::account::{Context, Mailbox};
use super::reply::Reply;
use super::work::{Next, Pending};
use super::{Task, select, tell};
use crate::command::{Access, FetchItem, MimePart, Numbering, PartialRange, SequenceSet, SetRange, SetValue};
use crate::response::Response;
use crate::view::Allowed;

/// A FETCH as it was asked.
pub(super) struct Asking {
    pub(super) numbering: Numbering,
    pub(super) set: SequenceSet,
    pub(super) items: Vec<FetchItem>,
    pub(super) changed_since: Option<ModSeq>,
    pub(super) vanished: bool,
    pub(super) partial: Option<PartialRange>,
}

/// A FETCH that waits until its messages are marked as seen.
pub(super) struct Marking {
    asking: Asking,
    /// Chosen before: what `\Seen` changes has a newer modification sequence, and is no reason to choose it.
    ranges: Vec<(u32, u32)>,
}

/// Begins FETCH.
pub(super) fn begin(cx: &mut Context<'_>, asking: Asking) -> Next {
    let enabled = cx.account.enabled;
    let Some(mailbox) = &cx.account.mailbox else { return Next::end(Response::SelectFirst) };
    if let Err(reply) = check_set(mailbox, &asking.set, asking.numbering, enabled.uid_only) {
        return Next::end(reply);
    }
    if asking.vanished && !enabled.qresync {
        return Next::end(Reply::syntax("QRESYNC must be enabled first"));
    }
    if asking.changed_since.is_some() || asking.items.contains(&FetchItem::ModSeq) {
        cx.account.enable_condstore(cx.out);
    }
    match asking.changed_since {
        Some(since) if asking.vanished => Next::Ask(Task::Vanished { since }, Pending::FetchVanished(asking)),
        _ => asking.look(cx),
    }
}

impl Asking {
    /// What went, before all FETCH responses.
    pub(super) fn vanished(self, cx: &mut Context<'_>, uids: Option<Vec<Uid>>) -> Next {
        if let Some(mailbox) = &cx.account.mailbox {
            let view = Arc::clone(&mailbox.view);
            let set = resolved(mailbox, &self.set);
            select::write_vanished(cx, &view, Some(&set), Uid(0), uids);
        }
        self.look(cx)
    }

    /// Sets `\Seen` where what is asked does that, and writes the answers.
    fn look(self, cx: &mut Context<'_>) -> Next {
        let Some(mailbox) = &cx.account.mailbox else { return Next::end(Response::SelectFirst) };
        let ranges = self.ranges(mailbox);
        if !(sees(&self.items) && mailbox.access == Access::ReadWrite) {
            return self.write(cx, ranges, Seen::Left);
        }
        let unseen: Vec<Uid> = ranges
            .iter()
            .flat_map(|(from, to)| *from..=*to)
            .filter_map(|seq| mailbox.view.message(seq))
            .filter(|message| !message.flags.contains(Flags::SEEN))
            .map(|message| message.uid)
            .collect();
        if unseen.is_empty() {
            return self.write(cx, ranges, Seen::Left);
        }
        let task = Task::Store { uids: unseen, add: Flags::SEEN, remove: Flags::NONE, unchanged_since: None };
        Next::Ask(task, Pending::FetchSeen(Marking { asking: self, ranges }))
    }

    fn write(self, cx: &mut Context<'_>, ranges: Vec<(u32, u32)>, seen: Seen) -> Next {
        let enabled = cx.account.enabled;
        let Some(mailbox) = &cx.account.mailbox else { return Next::end(Response::SelectFirst) };
        let allowed = allowed(self.numbering);
        let mut request = tell::request(&mailbox.view, ranges, self.items, enabled);
        // What was asked for is told; UID comes uncalled only where the command has it.
        request.with_uid = self.numbering == Numbering::Uid || enabled.uid_only;
        request.with_modseq = enabled.condstore && (self.changed_since.is_some() || seen == Seen::Set);
        request.changed_since = self.changed_since;
        request.flags_changed = seen == Seen::Set;
        Next::Fetch(Box::new(request), allowed)
    }

    fn ranges(&self, mailbox: &Mailbox) -> Vec<(u32, u32)> {
        let ranges = seqs(mailbox, &self.set, self.numbering);
        let ranges = match self.changed_since {
            Some(since) => select::changed_since(&mailbox.view, &ranges, since),
            None => ranges,
        };
        match self.partial {
            Some(partial) => part_of(&ranges, partial),
            None => ranges,
        }
    }
}

impl Marking {
    /// They are seen.
    pub(super) fn seen(self, cx: &mut Context<'_>, changed: &[(Uid, Flags, ModSeq)]) -> Next {
        if let Some(mailbox) = &mut cx.account.mailbox {
            let view = Arc::make_mut(&mut mailbox.view);
            view.told_flags(changed.iter().map(|(uid, _, modseq)| (*uid, *modseq)));
        }
        self.asking.write(cx, self.ranges, Seen::Set)
    }

    /// They could not be marked: the client gets what it asked for nevertheless.
    pub(super) fn unseen(self, cx: &mut Context<'_>) -> Next {
        self.asking.write(cx, self.ranges, Seen::Left)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Set,
    Left,
}

/// How FETCH ends.
pub(super) fn reply(missing: u32, unknown_encoding: bool) -> Reply {
    if unknown_encoding {
        Response::UnknownEncoding.into()
    } else if missing > 0 {
        Response::MessageGone.into()
    } else {
        Reply::completed("FETCH")
    }
}

/// What may be told at the end of a command whose answer has numbers of this kind (RFC 9051 §7.5.1).
pub(super) const fn allowed(numbering: Numbering) -> Allowed {
    match numbering {
        Numbering::Sequence => Allowed::NotExpunge,
        Numbering::Uid => Allowed::All,
    }
}

/// Whether a client may name messages so now.
pub(super) fn check_set(
    mailbox: &Mailbox,
    set: &SequenceSet,
    numbering: Numbering,
    uid_only: bool,
) -> Result<(), Reply> {
    match numbering {
        Numbering::Uid => Ok(()),
        Numbering::Sequence if uid_only => Err(Response::UidRequired.into()),
        Numbering::Sequence if !mailbox.view.has_all(set) => {
            Err(Reply::syntax("No message has such a number"))
        }
        Numbering::Sequence => Ok(()),
    }
}

/// The sequence numbers of a set, `$` resolved.
pub(super) fn seqs(mailbox: &Mailbox, set: &SequenceSet, numbering: Numbering) -> Vec<(u32, u32)> {
    match set {
        SequenceSet::Saved => mailbox.view.seqs(&resolved(mailbox, set), Numbering::Uid),
        SequenceSet::Ranges(_) => mailbox.view.seqs(set, numbering),
    }
}

/// A set with `$` as the UIDs that were saved.
pub(super) fn resolved(mailbox: &Mailbox, set: &SequenceSet) -> SequenceSet {
    match set {
        SequenceSet::Saved => {
            let uids: Vec<u32> = mailbox.saved.iter().map(|uid| uid.0).collect();
            SequenceSet::Ranges(
                tell::ranges_of(&uids)
                    .into_iter()
                    .map(|(from, to)| SetRange { from: SetValue::Number(from), to: SetValue::Number(to) })
                    .collect(),
            )
        }
        SequenceSet::Ranges(_) => set.clone(),
    }
}

/// The places of a PARTIAL among numbers.
pub(super) fn part_of(ranges: &[(u32, u32)], partial: PartialRange) -> Vec<(u32, u32)> {
    let count: u32 = ranges.iter().map(|(from, to)| to - from + 1).sum();
    let Some((first, last)) = places(count, partial) else { return Vec::new() };
    let mut before = 0;
    let mut part = Vec::new();
    for (from, to) in ranges {
        let length = to - from + 1;
        // Places `before + 1 ..= before + length` are here.
        let (low, high) = (first.max(before + 1), last.min(before + length));
        if low <= high {
            part.push((from + (low - before - 1), from + (high - before - 1)));
        }
        before += length;
    }
    part
}

/// The places, from 1, that a PARTIAL of so many means; none where there are none.
pub(super) fn places(count: u32, partial: PartialRange) -> Option<(u32, u32)> {
    if partial.first > count {
        return None;
    }
    let last = partial.last.min(count);
    Some(if partial.from_end { (count - last + 1, count - partial.first + 1) } else { (partial.first, last) })
}

/// Whether a FETCH of this sets `\Seen`.
fn sees(items: &[FetchItem]) -> bool {
    items.iter().any(|item| match item {
        FetchItem::Content(body) => !body.peek && body.shown_as != MimePart::Rfc822Header,
        _ => false,
    })
}
