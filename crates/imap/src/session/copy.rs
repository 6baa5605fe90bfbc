//! COPY, MOVE and their UID forms (RFC 9051 §6.4.7, RFC 6851, RFC 4315 §3 for COPYUID).

use types::mailstore::{Uid, UidValidity};

use super::account::Context;
use super::reply::Reply;
use super::work::{Next, Pending};
use super::{Task, expunge, fetch, tell};
use crate::command::{MailboxName, Numbering, SequenceSet};
use crate::response::{Response, ResponseCode};

/// A COPY or MOVE that the driver does.
pub(super) struct Copying {
    to: MailboxName,
    moves: bool,
}

impl Copying {
    const fn verb(&self) -> &'static str {
        if self.moves { "MOVE" } else { "COPY" }
    }
}

/// Begins COPY or MOVE: all of the messages, or none.
pub(super) fn begin(
    cx: &mut Context<'_>,
    numbering: Numbering,
    set: &SequenceSet,
    to: MailboxName,
    moves: bool,
) -> Next {
    let uid_only = cx.account.enabled.uid_only;
    let Some(mailbox) = &cx.account.mailbox else { return Next::end(Response::SelectFirst) };
    if let Err(reply) = fetch::check_set(mailbox, set, numbering, uid_only) {
        return Next::end(reply);
    }
    let ranges = fetch::seqs(mailbox, set, numbering);
    let uids = mailbox.view.uids(&ranges);
    let asked: usize = ranges.iter().map(|(from, to)| (to - from + 1) as usize).sum();
    if uids.len() < asked {
        // RFC 2180 §4.4: some are gone; with sequence numbers the client must hear it first.
        return Next::end(Response::MessageGone);
    }
    let copying = Copying { to: to.clone(), moves };
    if uids.is_empty() {
        return Next::completed(copying.verb());
    }
    Next::Ask(Task::Copy { uids, mailbox: to, moves }, Pending::Copy(copying))
}

impl Copying {
    /// COPYUID is with OK; of MOVE before the EXPUNGE responses (RFC 6851 §4.3).
    pub(super) fn copied(self, cx: &mut Context<'_>, uid_validity: UidValidity, uids: &[(Uid, Uid)]) -> Next {
        let reply = Reply::completed(self.verb());
        if uids.is_empty() {
            return Next::end(Response::MessageGone);
        }
        let (from, to): (Vec<Uid>, Vec<Uid>) = uids.iter().copied().unzip();
        cx.account.put(&self.to, uid_validity, &to);
        let code = ResponseCode::CopyUid(uid_validity, from, to);
        if !self.moves {
            return Next::end(reply.with(code));
        }
        Response::Fact.untagged_with(Some(&code), "Moved", cx.out);
        tell::tell_expunged(cx);
        Next::end(expunge::with_modseq(cx, reply))
    }
}
