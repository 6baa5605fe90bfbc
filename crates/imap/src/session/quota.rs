//! GETQUOTA and GETQUOTAROOT (RFC 9208): one root, named "", for all of an account.

use super::account::Context;
use super::folders::About;
use super::work::{Next, Pending};
use super::{QuotaFacts, Task};
use crate::command::MailboxName;
use crate::response::{Response, mailbox_name, number, untagged};

/// What ends when the quota is told.
pub(super) struct Asked(&'static str);

/// GETQUOTA.
pub(super) fn get(root: String) -> Next {
    if !root.is_empty() {
        return Next::end(Response::NoSuchQuotaRoot);
    }
    Next::Ask(Task::Quota, Pending::Quota(Asked("GETQUOTA")))
}

/// GETQUOTAROOT: first whether there is such a mailbox.
pub(super) fn get_root(mailbox: MailboxName) -> Next {
    About::QuotaRoot.ask(mailbox)
}

/// There is: all are under the one root.
pub(super) fn root_of(cx: &mut Context<'_>, mailbox: &MailboxName) -> Next {
    let names = cx.account.enabled.names();
    untagged(cx.out, |out| {
        out.extend_from_slice(b"QUOTAROOT ");
        mailbox_name(mailbox, names, out);
        out.extend_from_slice(b" \"\"");
    });
    Next::Ask(Task::Quota, Pending::Quota(Asked("GETQUOTAROOT")))
}

impl Asked {
    /// `* QUOTA "" (STORAGE 10 512)`, in units of 1,024 octets; nothing in the parentheses where there is no limit
    /// (RFC 9208 §4.2.1).
    pub(super) fn answer(self, cx: &mut Context<'_>, facts: QuotaFacts) -> Next {
        untagged(cx.out, |out| {
            out.extend_from_slice(b"QUOTA \"\" (");
            if let Some(limit_bytes) = facts.limit_bytes {
                out.extend_from_slice(b"STORAGE ");
                number(facts.used_bytes.div_ceil(1024), out);
                out.push(b' ');
                number(limit_bytes / 1024, out);
            }
            out.push(b')');
        });
        Next::completed(self.0)
    }
}
