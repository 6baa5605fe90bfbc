//! STATUS (RFC 9051 §6.3.11), with the items of RFC 7162, RFC 8438, RFC 9208, RFC 7889 and RFC 8474.

use super::FolderFacts;
use super::account::Context;
use super::folders::{About, id_text};
use super::work::Next;
use crate::command::{MailboxName, StatusItem};
use crate::response::{mailbox_name, number, untagged};

/// Begins STATUS. Asking for HIGHESTMODSEQ turns CONDSTORE on (RFC 7162 §3.1).
pub(super) fn begin(cx: &mut Context<'_>, mailbox: MailboxName, items: Vec<StatusItem>) -> Next {
    if items.contains(&StatusItem::HighestModSeq) {
        cx.account.enable_condstore(cx.out);
    }
    About::Status(items).ask(mailbox)
}

/// Answers STATUS.
pub(super) fn answer(cx: &mut Context<'_>, items: &[StatusItem], facts: &FolderFacts) -> Next {
    write(facts, items, cx);
    Next::completed("STATUS")
}

/// `* STATUS INBOX (MESSAGES 17)`
pub(super) fn write(facts: &FolderFacts, items: &[StatusItem], cx: &mut Context<'_>) {
    let names = cx.account.enabled.names();
    let append_bytes_max = cx.config.append_bytes_max;
    untagged(cx.out, |out| {
        out.extend_from_slice(b"STATUS ");
        mailbox_name(&facts.name, names, out);
        out.push(b' ');
        for (index, item) in items.iter().enumerate() {
            out.push(if index == 0 { b'(' } else { b' ' });
            let (word, value) = match item {
                StatusItem::Messages => ("MESSAGES ", facts.messages),
                // Nothing is recent: see `select`.
                StatusItem::Recent => ("RECENT ", 0),
                StatusItem::UidNext => ("UIDNEXT ", u64::from(facts.uid_next.0)),
                StatusItem::UidValidity => ("UIDVALIDITY ", u64::from(facts.uid_validity.0)),
                StatusItem::Unseen => ("UNSEEN ", facts.unseen),
                StatusItem::Deleted => ("DELETED ", facts.deleted),
                StatusItem::DeletedStorage => ("DELETED-STORAGE ", facts.deleted_bytes),
                StatusItem::Size => ("SIZE ", facts.size_bytes),
                StatusItem::HighestModSeq => ("HIGHESTMODSEQ ", facts.highest_modseq.0),
                StatusItem::AppendLimit => ("APPENDLIMIT ", append_bytes_max),
                StatusItem::MailboxId => {
                    out.extend_from_slice(format!("MAILBOXID ({})", id_text(facts.id)).as_bytes());
                    continue;
                }
            };
            out.extend_from_slice(word.as_bytes());
            number(value, out);
        }
        if items.is_empty() {
            out.push(b'(');
        }
        out.push(b')');
    });
}
