//! STORE and UID STORE (RFC 9051 §6.4.6), with UNCHANGEDSINCE (RFC 7162 §3.1.3).

use std::sync::Arc;

use types::mailstore::{Flags, ModSeq, Uid};

use super::account::Context;
use super::reply::Reply;
use super::work::{Next, Pending};
use super::{Task, fetch, tell};
use crate::command::{FetchItem, FlagList, Numbering, SequenceSet, StoreHow};
use crate::response::{Response, ResponseCode};
use crate::view::{Allowed, View};

/// A STORE as it was asked.
pub(super) struct Storing {
    numbering: Numbering,
    set: SequenceSet,
    unchanged_since: Option<ModSeq>,
    how: StoreHow,
    silent: bool,
    flags: FlagList,
    /// Messages of the set that are gone.
    missing: bool,
}

impl Storing {
    pub(super) const fn new(
        numbering: Numbering,
        set: SequenceSet,
        unchanged_since: Option<ModSeq>,
        how: StoreHow,
        silent: bool,
        flags: FlagList,
    ) -> Self {
        Self { numbering, set, unchanged_since, how, silent, flags, missing: false }
    }
}

/// Begins STORE: keywords that the mailbox does not have yet get their places first.
pub(super) fn begin(cx: &mut Context<'_>, storing: Storing) -> Next {
    let uid_only = cx.account.enabled.uid_only;
    let Some(mailbox) = &cx.account.mailbox else { return Next::end(Response::SelectFirst) };
    if let Err(reply) = fetch::check_set(mailbox, &storing.set, storing.numbering, uid_only) {
        return Next::end(reply);
    }
    let known = Arc::clone(&mailbox.view.snapshot.keywords);
    if storing.unchanged_since.is_some() {
        cx.account.enable_condstore(cx.out);
    }
    let missing: Vec<String> =
        storing.flags.keywords.iter().filter(|keyword| place(&known, keyword).is_none()).cloned().collect();
    if missing.is_empty() || storing.how == StoreHow::Remove {
        storing.ask(cx, &known)
    } else {
        Next::Ask(Task::AddKeywords(missing), Pending::StoreKeywords(storing))
    }
}

impl Storing {
    /// The keywords have their places, or found no room.
    pub(super) fn keywords(self, cx: &mut Context<'_>, keywords: &[String]) -> Next {
        if self.flags.keywords.iter().any(|keyword| place(keywords, keyword).is_none()) {
            return Next::End(self.allowed(), Response::LimitReached.into());
        }
        self.ask(cx, keywords)
    }

    /// What may be told when it is over.
    pub(super) const fn allowed(&self) -> Allowed {
        fetch::allowed(self.numbering)
    }

    fn ask(mut self, cx: &mut Context<'_>, keywords: &[String]) -> Next {
        let Some(mailbox) = &cx.account.mailbox else { return Next::end(Response::SelectFirst) };
        let ranges = fetch::seqs(mailbox, &self.set, self.numbering);
        let uids = mailbox.view.uids(&ranges);
        self.missing = uids.len() < ranges.iter().map(|(from, to)| (to - from + 1) as usize).sum();
        if uids.is_empty() {
            return Next::End(self.allowed(), self.reply(Vec::new()));
        }
        let named = self.flags.keywords.iter().filter_map(|keyword| place(keywords, keyword));
        let flags = named.filter_map(Flags::keyword).fold(self.flags.system, Flags::with);
        let (add, remove) = match self.how {
            StoreHow::Add => (flags, Flags::NONE),
            StoreHow::Remove => (Flags::NONE, flags),
            StoreHow::Replace => (flags, Flags(u64::MAX).without(flags)),
        };
        let task = Task::Store { uids, add, remove, unchanged_since: self.unchanged_since };
        Next::Ask(task, Pending::Store(self))
    }

    /// Tells the new flags, or with `.SILENT` the modification sequences where they are wanted.
    pub(super) fn stored(
        self,
        cx: &mut Context<'_>,
        changed: &[(Uid, Flags, ModSeq)],
        modified: &[Uid],
    ) -> Next {
        let enabled = cx.account.enabled;
        let allowed = self.allowed();
        let Some(mailbox) = &mut cx.account.mailbox else { return Next::end(Response::SelectFirst) };
        let view = Arc::make_mut(&mut mailbox.view);
        if view.take_keywords() {
            tell::write_flags(&view.snapshot, mailbox.access, cx.out);
        }
        view.told_flags(changed.iter().map(|(uid, _, modseq)| (*uid, *modseq)));
        // What failed is told with the reason, as RFC 7162 §3.1.3 recommends.
        let newest = view.snapshot.highest_modseq;
        view.told_flags(modified.iter().map(|uid| (*uid, newest)));
        let seq_of = |uid: &Uid| view.seq_of(*uid).filter(|seq| view.message(*seq).is_some());
        let failed: Vec<u32> = modified.iter().filter_map(seq_of).collect();
        // `.SILENT` keeps flags back, and not what CONDSTORE wants to know.
        let item = if self.silent { FetchItem::ModSeq } else { FetchItem::Flags };
        let done: Vec<(u32, u32)> = match (self.silent, enabled.condstore) {
            (true, false) => Vec::new(),
            (true, true) => {
                let seqs: Vec<u32> = changed.iter().filter_map(|(uid, ..)| seq_of(uid)).collect();
                tell::ranges_of(&seqs)
            }
            (false, _) => {
                let all = mailbox.view.present(&fetch::seqs(mailbox, &self.set, self.numbering));
                without(all, &failed)
            }
        };
        let reply = self.reply(self.numbers(&mailbox.view, modified));
        let mut requests = Vec::new();
        for (ranges, item) in [(done, item), (tell::ranges_of(&failed), FetchItem::Flags)] {
            if !ranges.is_empty() {
                let mut request = tell::request(&mailbox.view, ranges, vec![item], enabled);
                request.with_uid |= self.numbering == Numbering::Uid;
                requests.push(request);
            }
        }
        if requests.is_empty() { Next::End(allowed, reply) } else { Next::Write(requests, allowed, reply) }
    }

    /// Messages of `modified` as the command counts them.
    fn numbers(&self, view: &View, modified: &[Uid]) -> Vec<u32> {
        match self.numbering {
            Numbering::Uid => modified.iter().map(|uid| uid.0).collect(),
            Numbering::Sequence => modified.iter().filter_map(|uid| view.seq_of(*uid)).collect(),
        }
    }

    fn reply(&self, modified: Vec<u32>) -> Reply {
        let is_gone = self.missing && self.numbering == Numbering::Sequence;
        match (modified.is_empty(), is_gone) {
            (true, false) => Reply::completed("STORE"),
            (true, true) => Response::MessageGone.into(),
            // RFC 7162 §3.1.3, example 11: MODIFIED may come with NO.
            (false, true) => Reply::from(Response::MessageGone).with(ResponseCode::Modified(modified)),
            (false, false) => Reply::from(Response::StoredInPart).with(ResponseCode::Modified(modified)),
        }
    }
}

/// Ranges of numbers but for some of them; both ascend.
fn without(ranges: Vec<(u32, u32)>, left_out: &[u32]) -> Vec<(u32, u32)> {
    if left_out.is_empty() {
        return ranges;
    }
    let each = ranges.iter().flat_map(|(from, to)| *from..=*to);
    let rest: Vec<u32> = each.filter(|seq| left_out.binary_search(seq).is_err()).collect();
    tell::ranges_of(&rest)
}

/// The place of a keyword, whatever its case (RFC 9051 §2.3.2).
fn place(keywords: &[String], keyword: &str) -> Option<usize> {
    keywords.iter().position(|known| known.eq_ignore_ascii_case(keyword))
}
