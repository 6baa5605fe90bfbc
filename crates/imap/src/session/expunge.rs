//! EXPUNGE and UID EXPUNGE (RFC 9051 §6.4.3 and §6.4.9, RFC 4315 §2.1).

use types::mailstore::{Flags, Uid};

use super::account::Context;
use super::reply::Reply;
use super::tell;
use super::work::{Next, Pending};
use super::{Task, fetch};
use crate::command::{Numbering, SequenceSet};
use crate::response::{Response, ResponseCode};
use crate::view::View;

/// Begins EXPUNGE, or UID EXPUNGE where there is a set.
pub(super) fn begin(cx: &mut Context<'_>, set: Option<SequenceSet>) -> Next {
    let Some(mailbox) = &cx.account.mailbox else { return Next::end(Response::SelectFirst) };
    let ranges = set.map(|set| fetch::seqs(mailbox, &set, Numbering::Uid));
    let uids = deleted(&mailbox.view, ranges.as_deref());
    if uids.is_empty() { expunged(cx) } else { Next::Ask(Task::Expunge { uids }, Pending::Expunge) }
}

/// They are gone: the client hears it before OK, with the modification sequence where that is due (RFC 7162 §3.2.7).
pub(super) fn expunged(cx: &mut Context<'_>) -> Next {
    tell::tell_expunged(cx);
    Next::end(with_modseq(cx, Reply::completed("EXPUNGE")))
}

/// The end of a command that removed messages of the selected mailbox (RFC 7162 §3.2.7, §3.2.9).
pub(super) fn with_modseq(cx: &Context<'_>, reply: Reply) -> Reply {
    match &cx.account.mailbox {
        Some(mailbox) if cx.account.enabled.qresync => {
            reply.with(ResponseCode::HighestModSeq(mailbox.view.snapshot.highest_modseq))
        }
        _ => reply,
    }
}

/// Messages of ranges of numbers, or all, that the client knows as `\Deleted`.
pub(super) fn deleted(view: &View, ranges: Option<&[(u32, u32)]>) -> Vec<Uid> {
    let all = super::select::all(view);
    let each = ranges.unwrap_or(&all).iter().flat_map(|(from, to)| *from..=*to);
    each.filter_map(|seq| view.message(seq))
        .filter(|message| message.flags.contains(Flags::DELETED))
        .map(|message| message.uid)
        .collect()
}
