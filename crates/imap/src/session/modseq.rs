//! HIGHESTMODSEQ while messages are gone of which the client may not hear yet (RFC 7162 §3.2 and §6).
//!
//! A client with QRESYNC takes the highest MODSEQ that it read for how far it knows the mailbox. Where a VANISHED is held back that
//! is lower, it would never ask for that one again if its connection were lost: it is told how far it may count.

use types::mailstore::ModSeq;

use super::account::Context;
use super::reply::Reply;
use crate::response::{Response, ResponseCode};

/// Adds it to the end of a command: the code belongs to the tagged OK where that has none yet.
pub(super) fn end(cx: &mut Context<'_>, reply: Reply) -> Reply {
    let Some(code) = due(cx).map(ResponseCode::HighestModSeq) else { return reply };
    if reply.has(&code) {
        return reply;
    }
    if reply.has_room() {
        return reply.with(code);
    }
    write(&code, cx);
    reply
}

/// Behind FETCH responses that nobody asked for (NOTIFY with SELECTED-DELAYED): only what the client may not count.
pub(super) fn bound(cx: &mut Context<'_>) {
    if let Some(modseq) = lowered(cx) {
        write(&ResponseCode::HighestModSeq(modseq), cx);
    }
}

fn write(code: &ResponseCode, cx: &mut Context<'_>) {
    Response::Fact.untagged_with(Some(code), "Highest", cx.out);
}

/// What is lower than the client would think; or once nothing is held back any more, what is newest.
fn due(cx: &mut Context<'_>) -> Option<ModSeq> {
    if let Some(lowered) = lowered(cx) {
        return Some(lowered);
    }
    // A client that does not hear of flags does not know them either.
    let hears = cx.account.notify.selected().flags;
    let mailbox = cx.account.mailbox.as_mut()?;
    if !mailbox.is_held_back || !hears || mailbox.view.has_news() {
        return None;
    }
    mailbox.is_held_back = false;
    Some(mailbox.view.snapshot.highest_modseq)
}

fn lowered(cx: &mut Context<'_>) -> Option<ModSeq> {
    let qresync = cx.account.enabled.qresync;
    let mailbox = cx.account.mailbox.as_mut().filter(|_| qresync)?;
    let before = mailbox.view.before_ghosts().filter(|before| mailbox.told_modseq > *before)?;
    mailbox.is_held_back = true;
    Some(before)
}
