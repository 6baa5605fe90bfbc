//! SEARCH, SORT, THREAD and their UID forms: what is asked of the driver. How results are told is in `search_result`.
//!
//! Standards: RFC 9051 §6.4.4, RFC 4731 and RFC 5267 (RETURN), RFC 5182 (`$`), RFC 5256 (SORT, THREAD), RFC 7162 §3.1.5
//! (MODSEQ), RFC 9394 (PARTIAL).

use std::sync::Arc;

use types::mailstore::Uid;

use super::account::{Context, Mailbox};
use super::search_result::{self, Result};
use super::work::{Next, Pending};
use super::{Refusal, SearchKind, Task, fetch};
use crate::command::{Charset, Command, Numbering, ReturnOption, ReturnOptions, SearchKey, SequenceSet, Tag};
use crate::response::Response;
use crate::search::Found;
use crate::session::reply::Reply;
use crate::view::Allowed;

/// A SEARCH that the driver does.
pub(super) struct Searching {
    tag: Tag,
    verb: &'static str,
    numbering: Numbering,
    options: Option<ReturnOptions>,
    allowed: Allowed,
}

/// Begins SEARCH, SORT or THREAD. Another command ends here as one that is not known.
pub(super) fn begin(cx: &mut Context<'_>, tag: Tag, command: Command) -> Next {
    let (verb, numbering, options, charset, key, kind) = match command {
        Command::Search { numbering, options, charset, key } => {
            ("SEARCH", numbering, options, charset, key, SearchKind::Search)
        }
        Command::Sort { numbering, options, criteria, charset, key } => {
            ("SORT", numbering, options, charset, key, SearchKind::Sort(criteria))
        }
        Command::Thread { numbering, algorithm, charset, key } => {
            ("THREAD", numbering, None, charset, key, SearchKind::Thread(algorithm))
        }
        _ => return Next::end(Response::CommandUnknown),
    };
    let uid_only = cx.account.enabled.uid_only;
    let Some(mailbox) = &mut cx.account.mailbox else { return Next::end(Response::SelectFirst) };
    if charset == Charset::Unknown {
        if saves(options.as_ref()) {
            mailbox.saved = Vec::new();
        }
        return Next::end(Response::BadCharset);
    }
    let mailbox = &*mailbox;
    let keys = match Keys::look(mailbox, &key) {
        Ok(keys) => keys,
        Err(reply) => return Next::end(reply),
    };
    if uid_only && (keys.has_numbers || numbering == Numbering::Sequence) {
        return Next::end(Response::UidRequired);
    }
    let key = resolved(mailbox, key);
    let view = Arc::clone(&mailbox.view);
    if keys.has_modseq {
        cx.account.enable_condstore(cx.out);
    }
    let allowed = match numbering {
        // RFC 9051 §7.5.1: numbers in the keys keep EXPUNGE away from UID SEARCH too.
        Numbering::Uid if !keys.has_numbers => Allowed::All,
        _ => Allowed::NotExpunge,
    };
    let searching = Searching { tag, verb, numbering, options, allowed };
    Next::Ask(Task::Search { view, key, kind }, Pending::Search(searching))
}

impl Searching {
    /// Tells what was found, and keeps it where SAVE asked for it.
    pub(super) fn found(self, cx: &mut Context<'_>, found: Found) -> Next {
        let enabled = cx.account.enabled;
        let Some(mailbox) = &mut cx.account.mailbox else { return Next::end(Response::SelectFirst) };
        let reply = Reply::completed(self.verb);
        let (uids, modseq, is_sorted) = match found {
            Found::Threads(threads) => {
                search_result::write_threads(&mailbox.view, &threads, self.numbering, cx.out);
                return Next::End(self.allowed, reply);
            }
            Found::Messages(uids, modseq) => (uids, modseq, false),
            Found::Sorted(uids, modseq) => (uids, modseq, true),
        };
        let result =
            Result { view: &mailbox.view, tag: &self.tag, uids: &uids, modseq, numbering: self.numbering };
        match &self.options {
            Some(options) => {
                result.write_extended(options, cx.out);
                if saves(Some(options)) {
                    mailbox.saved = search_result::saved(&uids, options);
                }
            }
            // IMAP4rev2 has no SEARCH response, SORT keeps its own (RFC 9051 §6.4.4 and appendix E).
            None if enabled.rev2 && !is_sorted => {
                let all = ReturnOptions { options: vec![ReturnOption::All] };
                result.write_extended(&all, cx.out);
            }
            None => result.write(self.verb, cx.out),
        }
        Next::End(self.allowed, reply)
    }

    /// What was to be saved is nothing (RFC 5182 §2.1).
    pub(super) fn refused(self, cx: &mut Context<'_>, refusal: Refusal) -> Next {
        if let Some(mailbox) = &mut cx.account.mailbox
            && saves(self.options.as_ref())
        {
            mailbox.saved = Vec::new();
        }
        Next::End(self.allowed, refusal.into())
    }
}

/// Whether `$` is what is found; every NO of such a command empties it, and no BAD changes it (RFC 5182 §2.1).
fn saves(options: Option<&ReturnOptions>) -> bool {
    options.is_some_and(|options| options.options.contains(&ReturnOption::Save))
}

/// What the machine must know of keys.
struct Keys {
    has_numbers: bool,
    has_modseq: bool,
}

impl Keys {
    fn look(mailbox: &Mailbox, key: &SearchKey) -> std::result::Result<Self, Reply> {
        let mut keys = Self { has_numbers: false, has_modseq: false };
        let mut rest = vec![key];
        while let Some(key) = rest.pop() {
            match key {
                SearchKey::And(keys) => rest.extend(keys),
                SearchKey::Or(pair) => rest.extend([&pair.0, &pair.1]),
                SearchKey::Not(key) => rest.push(key),
                SearchKey::Sequence(SequenceSet::Saved) => {}
                SearchKey::Sequence(set) => {
                    keys.has_numbers = true;
                    fetch::check_set(mailbox, set, Numbering::Sequence, false)?;
                }
                SearchKey::ModSeq(_) => keys.has_modseq = true,
                _ => {}
            }
        }
        Ok(keys)
    }
}

/// The key with `$` as the UIDs that were saved. Depth is bounded by the grammar.
fn resolved(mailbox: &Mailbox, key: SearchKey) -> SearchKey {
    match key {
        SearchKey::And(keys) => SearchKey::And(keys.into_iter().map(|key| resolved(mailbox, key)).collect()),
        SearchKey::Or(pair) => {
            let (first, second) = *pair;
            SearchKey::Or(Box::new((resolved(mailbox, first), resolved(mailbox, second))))
        }
        SearchKey::Not(key) => SearchKey::Not(Box::new(resolved(mailbox, *key))),
        SearchKey::Sequence(SequenceSet::Saved) | SearchKey::Uid(SequenceSet::Saved) => {
            match fetch::resolved(mailbox, &SequenceSet::Saved) {
                SequenceSet::Ranges(ranges) if ranges.is_empty() => SearchKey::Not(Box::new(SearchKey::All)),
                set => SearchKey::Uid(set),
            }
        }
        other => other,
    }
}

/// Sorted and once each.
pub(super) fn ascending(mut uids: Vec<Uid>) -> Vec<Uid> {
    uids.sort_unstable();
    uids.dedup();
    uids
}
