//! Untagged data that nobody asked for (RFC 9051 §5.2, §7): what happened in the selected mailbox, and events.

use std::sync::Arc;

use types::mailstore::{Flags, KEYWORDS_MAX, Uid};

use super::account::{Account, Context, Enabled};
use super::{Event, notify};
use crate::command::{Access, FetchItem};
use crate::fetch::{FetchRequest, ShownAs};
use crate::response::{Response, ResponseCode, flag_list, number, uid_set, untagged};
use crate::view::{Allowed, Snapshot, Update, View};

/// Tells what may be told; FETCH responses are still to be written, one request behind the other.
pub(super) fn tell(cx: &mut Context<'_>, allowed: Allowed) -> Vec<FetchRequest> {
    tell_events(cx);
    let Account { enabled, mailbox, notify, .. } = &mut *cx.account;
    let Some(mailbox) = mailbox else { return Vec::new() };
    let wanted = notify.selected();
    if !wanted.messages || !mailbox.view.has_news() {
        return Vec::new();
    }
    let before = mailbox.view.exists();
    let view = Arc::make_mut(&mut mailbox.view);
    if !wanted.flags {
        view.drop_flags();
    }
    let updates = view.tell(allowed);
    let mut requests = Vec::new();
    let mut known = before;
    for update in updates {
        match update {
            Update::Expunged(gone) => {
                known -= u32::try_from(gone.len()).unwrap_or(known);
                write_expunged(&gone, *enabled, cx.out);
            }
            Update::Exists(exists) => {
                write_exists(exists, cx.out);
                let mut own = std::mem::take(&mut mailbox.own);
                own.sort_unstable();
                if let Some(items) = wanted.new_items {
                    let is_own =
                        |seq: &u32| mailbox.view.uid(*seq).is_some_and(|uid| own.binary_search(&uid).is_ok());
                    let news: Vec<u32> = (known + 1..=exists).filter(|seq| !is_own(seq)).collect();
                    if !news.is_empty() {
                        requests.push(request(&mailbox.view, ranges_of(&news), items.to_vec(), *enabled));
                    }
                }
            }
            Update::Keywords => write_flags(&mailbox.view.snapshot, mailbox.access, cx.out),
            Update::Flags(seqs) => {
                let ranges = ranges_of(&seqs);
                let mut flags = request(&mailbox.view, ranges, vec![FetchItem::Flags], *enabled);
                // RFC 9051 §7.5.2 recommends it, and a command with UID needs it (§6.4.9).
                flags.with_uid = true;
                requests.push(flags);
            }
        }
    }
    requests
}

/// FETCH responses of these items, as the session shows them.
pub(super) fn request(
    view: &Arc<View>,
    ranges: Vec<(u32, u32)>,
    items: Vec<FetchItem>,
    enabled: Enabled,
) -> FetchRequest {
    FetchRequest {
        view: Arc::clone(view),
        ranges,
        items,
        changed_since: None,
        shown: if enabled.uid_only { ShownAs::UidOnly } else { ShownAs::Sequence },
        with_uid: enabled.qresync || enabled.uid_only,
        with_modseq: enabled.condstore,
        flags_changed: false,
        utf8: enabled.has_utf8(),
    }
}

/// Tells that the client's own command removed messages, whatever NOTIFY says.
pub(super) fn tell_expunged(cx: &mut Context<'_>) {
    let Account { enabled, mailbox, .. } = &mut *cx.account;
    let Some(mailbox) = mailbox else { return };
    let gone = Arc::make_mut(&mut mailbox.view).take_ghosts();
    write_expunged(&gone, *enabled, cx.out);
}

/// FLAGS and PERMANENTFLAGS: `\*` only where a mailbox has room for one more keyword.
pub(super) fn write_flags(snapshot: &Snapshot, access: Access, out: &mut Vec<u8>) {
    let all = (0..snapshot.keywords.len()).filter_map(Flags::keyword).fold(Flags::SYSTEM, Flags::with);
    untagged(out, |out| {
        out.extend_from_slice(b"FLAGS ");
        flag_list(all, &snapshot.keywords, out);
    });
    let code = match access {
        Access::ReadOnly => {
            ResponseCode::PermanentFlags { system: Flags::NONE, keywords: Vec::new(), more: false }
        }
        Access::ReadWrite => ResponseCode::PermanentFlags {
            system: Flags::SYSTEM,
            keywords: snapshot.keywords.to_vec(),
            more: snapshot.keywords.len() < KEYWORDS_MAX,
        },
    };
    Response::Fact.untagged_with(Some(&code), "Flags that are kept", out);
}

pub(super) fn write_exists(exists: u32, out: &mut Vec<u8>) {
    untagged(out, |out| {
        number(u64::from(exists), out);
        out.extend_from_slice(b" EXISTS");
    });
}

/// Numbers that ascend, as ranges.
pub(super) fn ranges_of(seqs: &[u32]) -> Vec<(u32, u32)> {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for seq in seqs {
        match ranges.last_mut() {
            Some(last) if last.1 + 1 == *seq => last.1 = *seq,
            _ => ranges.push((*seq, *seq)),
        }
    }
    ranges
}

fn write_expunged(gone: &[(u32, Uid)], enabled: Enabled, out: &mut Vec<u8>) {
    if gone.is_empty() {
        return;
    }
    if enabled.has_vanished() {
        let uids: Vec<Uid> = gone.iter().rev().map(|(_, uid)| *uid).collect();
        return untagged(out, |out| {
            out.extend_from_slice(b"VANISHED ");
            uid_set(&uids, out);
        });
    }
    for (seq, _) in gone {
        untagged(out, |out| {
            number(u64::from(*seq), out);
            out.extend_from_slice(b" EXPUNGE");
        });
    }
}

fn tell_events(cx: &mut Context<'_>) {
    let has_events = !cx.account.events.is_empty();
    while let Some(event) = cx.account.events.pop_front() {
        match event {
            Event::Alert(text) => Response::Alert.untagged_with(None, text, cx.out),
            event => notify::tell(cx, event),
        }
    }
    if has_events {
        // Events come in the order of what happened: what is left led to none.
        cx.account.own.clear();
    }
}
