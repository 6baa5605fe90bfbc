//! SELECT, EXAMINE, CLOSE, UNSELECT.
//!
//! Standards: RFC 9051 §6.3.2 and §6.3.3 (RFC 3501 likewise), §6.4.1, §6.4.2; RFC 7162 §3.1.8 and §3.2.5 (QRESYNC);
//! RFC 8474 §4.2 (MAILBOXID); RFC 9586 (UIDONLY).

use std::sync::Arc;

use types::mailstore::{ModSeq, Uid};

use super::account::{Context, Mailbox};
use super::reply::Reply;
use super::tell::{request, write_exists, write_flags};
use super::work::{Next, Pending};
use super::{Selected, Task, expunge, folders, list};
use crate::command::{Access, FetchItem, MailboxName, Numbering, Qresync, SequenceSet};
use crate::response::{Response, ResponseCode, number_set, untagged};
use crate::view::{Allowed, Snapshot, View};

/// SELECT or EXAMINE as it was asked.
pub(super) struct Asked {
    pub(super) mailbox: MailboxName,
    pub(super) said: Option<MailboxName>,
    pub(super) access: Access,
    pub(super) condstore: bool,
    pub(super) qresync: Option<Qresync>,
}

/// SELECT whose mailbox is being opened.
pub(super) struct Selecting {
    mailbox: MailboxName,
    said: Option<MailboxName>,
    access: Access,
    qresync: Option<Qresync>,
}

/// Begins SELECT or EXAMINE. The mailbox that was selected is closed whatever comes of it (RFC 9051 §6.3.2).
pub(super) fn begin(cx: &mut Context<'_>, asked: Asked) -> Next {
    let Asked { mailbox, said, access, condstore, qresync } = asked;
    if qresync.is_some() && !cx.account.enabled.qresync {
        return Next::end(Reply::syntax("QRESYNC must be enabled first"));
    }
    let has_numbers = qresync.as_ref().is_some_and(|known| known.match_data.is_some());
    if cx.account.enabled.uid_only && has_numbers {
        return Next::end(Response::UidRequired);
    }
    if cx.account.mailbox.take().is_some() {
        Response::PreviousClosed.untagged(cx.out);
    }
    cx.account.enabled.condstore |= condstore;
    let task = Task::Select { mailbox: mailbox.clone(), access, qresync: qresync.clone() };
    Next::Ask(task, Pending::Select(Selecting { mailbox, said, access, qresync }))
}

impl Selecting {
    /// Tells what the mailbox is, and what changed in it where QRESYNC asked.
    pub(super) fn selected(self, cx: &mut Context<'_>, selected: Selected) -> Next {
        let Selected { snapshot, vanished } = selected;
        self.describe(cx, &snapshot);
        let view = Arc::new(View::new(snapshot));
        let mailbox = Mailbox {
            name: self.mailbox,
            access: self.access,
            view: Arc::clone(&view),
            saved: Vec::new(),
            own: Vec::new(),
            told_modseq: ModSeq(0),
            is_held_back: false,
        };
        cx.account.mailbox = Some(mailbox);
        let reply = match self.access {
            Access::ReadWrite => Reply::from(Response::Selected),
            Access::ReadOnly => Reply::from(Response::Examined),
        };
        let Some(qresync) = self.qresync else { return Next::end(reply) };
        if qresync.uid_validity != view.snapshot.uid_validity {
            return Next::end(reply);
        }
        let above = matching_uid(&view, &qresync);
        write_vanished(cx, &view, qresync.known_uids.as_ref(), above, vanished);
        let ranges = match &qresync.known_uids {
            Some(known) => view.seqs(known, Numbering::Uid),
            None => all(&view),
        };
        let ranges = changed_since(&view, &ranges, qresync.modseq);
        if ranges.is_empty() {
            return Next::end(reply);
        }
        let mut changed = request(&view, ranges, vec![FetchItem::Flags], cx.account.enabled);
        changed.with_uid = true;
        changed.with_modseq = true;
        Next::Write(vec![changed], Allowed::All, reply)
    }

    /// The untagged data of SELECT, in the order of RFC 9051 §6.3.2.
    fn describe(&self, cx: &mut Context<'_>, snapshot: &Arc<Snapshot>) {
        let enabled = cx.account.enabled;
        let out = &mut *cx.out;
        write_flags(snapshot, self.access, out);
        write_exists(u32::try_from(snapshot.len()).unwrap_or(u32::MAX), out);
        if !enabled.rev2 {
            // RFC 3501 §7.3.2 wants a RECENT; nothing is recent here, since no session can be said to be the first.
            untagged(out, |out| out.extend_from_slice(b"0 RECENT"));
            // It is a message number, which UIDONLY does without (RFC 9586 §3).
            let first = snapshot.first_unseen().filter(|_| !enabled.uid_only);
            if let Some(first) = first.and_then(|place| u32::try_from(place + 1).ok()) {
                Response::Fact.untagged_with(Some(&ResponseCode::Unseen(first)), "First unseen", out);
            }
        }
        let facts = [
            (ResponseCode::UidValidity(snapshot.uid_validity), "UIDs are valid"),
            (ResponseCode::UidNext(snapshot.uid_next), "Next UID"),
            (ResponseCode::HighestModSeq(snapshot.highest_modseq), "Highest"),
            (ResponseCode::MailboxId(folders::id_text(snapshot.mailbox)), "Its id"),
        ];
        for (code, text) in facts {
            Response::Fact.untagged_with(Some(&code), text, out);
        }
        if enabled.rev2 {
            // RFC 9051 §6.3.2: the name as the server has it, and the client's where that is another one.
            untagged(out, |out| {
                list::write_facts("LIST", &[], &self.mailbox, enabled, out);
                list::write_old_name(self.said.as_ref(), enabled, out);
            });
        }
    }
}

/// CLOSE: what is marked `\Deleted` goes, and nothing is told of it.
pub(super) fn close(cx: &mut Context<'_>) -> Next {
    let Some(mailbox) = cx.account.mailbox.take() else { return Next::end(Response::SelectFirst) };
    let uids = match mailbox.access {
        Access::ReadWrite => expunge::deleted(&mailbox.view, None),
        Access::ReadOnly => Vec::new(),
    };
    if uids.is_empty() { leave("CLOSE") } else { Next::Ask(Task::Expunge { uids }, Pending::CloseExpunge) }
}

/// UNSELECT: nothing goes.
pub(super) fn unselect(cx: &mut Context<'_>) -> Next {
    cx.account.mailbox = None;
    leave("UNSELECT")
}

/// Has the driver forget the mailbox.
pub(super) fn leave(verb: &'static str) -> Next {
    Next::Ask(Task::Unselect, Pending::Unselect(verb))
}

/// VANISHED (EARLIER) of the UIDs of `known` (all where there is none) above a UID. Where it is not remembered what went,
/// everything that is not there did (RFC 7162 §3.2.6).
pub(super) fn write_vanished(
    cx: &mut Context<'_>,
    view: &View,
    known: Option<&SequenceSet>,
    above: Uid,
    vanished: Option<Vec<Uid>>,
) {
    let last = Uid(view.snapshot.uid_next.0.saturating_sub(1));
    let known = match known {
        Some(known) => known.ranges(last.0),
        None => vec![(1, last.0)],
    };
    let ranges: Vec<(u32, u32)> =
        known.into_iter().map(|(from, to)| (from.max(above.0 + 1), to.min(last.0))).collect();
    let gone = match vanished {
        Some(uids) => super::tell::ranges_of(&within(&uids, &ranges)),
        None => absent(view, &ranges),
    };
    if gone.is_empty() {
        return;
    }
    untagged(cx.out, |out| {
        out.extend_from_slice(b"VANISHED (EARLIER) ");
        // Ascending ranges, each as the numbers at its ends: `number_set` makes `a:b` of what is contiguous alone.
        for (index, (from, to)) in gone.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            number_set([*from], out);
            if to > from {
                out.push(b':');
                number_set([*to], out);
            }
        }
    });
}

/// Those of ascending ranges of numbers whose message changed after `since`.
pub(super) fn changed_since(view: &View, ranges: &[(u32, u32)], since: ModSeq) -> Vec<(u32, u32)> {
    let each = ranges.iter().flat_map(|(from, to)| *from..=*to);
    let seqs: Vec<u32> =
        each.filter(|seq| view.message(*seq).is_some_and(|message| message.modseq > since)).collect();
    super::tell::ranges_of(&seqs)
}

/// All numbers.
pub(super) fn all(view: &View) -> Vec<(u32, u32)> {
    if view.exists() == 0 { Vec::new() } else { vec![(1, view.exists())] }
}

fn within(uids: &[Uid], ranges: &[(u32, u32)]) -> Vec<u32> {
    let is_within = |uid: u32| {
        let at = ranges.partition_point(|range| range.1 < uid);
        ranges.get(at).is_some_and(|range| range.0 <= uid)
    };
    uids.iter().map(|uid| uid.0).filter(|uid| is_within(*uid)).collect()
}

/// What of ascending ranges no message has as its UID.
fn absent(view: &View, ranges: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let mut gone = Vec::new();
    for (from, to) in ranges.iter().filter(|(from, to)| from <= to) {
        let mut next = *from;
        let (Ok(start) | Err(start)) = view.snapshot.position(Uid(*from));
        let present = (start..).map_while(|index| view.snapshot.get(index)).map(|message| message.uid.0);
        for uid in present.take_while(|uid| uid <= to) {
            if next < uid {
                gone.push((next, uid - 1));
            }
            next = uid + 1;
        }
        if next <= *to {
            gone.push((next, *to));
        }
    }
    gone
}

/// The highest UID up to which the client's sample of numbers and UIDs is right (RFC 7162 §3.2.5.2).
fn matching_uid(view: &View, qresync: &Qresync) -> Uid {
    let Some((seqs, uids)) = &qresync.match_data else { return Uid(0) };
    let numbers = |set: &SequenceSet, most: u32| {
        let ranges = set.ranges(most);
        // A sample: a client that sends a whole mailbox has no use of it.
        ranges.into_iter().flat_map(|(from, to)| from..=to).take(SAMPLE_MAX).collect::<Vec<u32>>()
    };
    let pairs = numbers(seqs, view.exists()).into_iter().zip(numbers(uids, view.largest_uid().0));
    let matching = pairs.take_while(|(seq, uid)| view.uid(*seq) == Some(Uid(*uid)));
    matching.last().map_or(Uid(0), |(_, uid)| Uid(uid))
}

/// Pairs of match data that are looked at.
const SAMPLE_MAX: usize = 10_000;
