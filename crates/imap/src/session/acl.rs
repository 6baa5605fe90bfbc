//! MYRIGHTS, GETACL, LISTRIGHTS (RFC 4314): whoever is logged in owns all mailboxes that are seen, and has all rights. ACL
//! is not listed as a capability, since nobody else can be given any.

use super::account::Context;
use super::folders::About;
use super::work::Next;
use crate::command::MailboxName;
use crate::response::{astring, mailbox_name, untagged};

/// All rights of RFC 4314 §2.1 but `a`: lists of rights cannot be changed.
const RIGHTS: &str = "lrswipkxte";

/// What was asked.
pub(super) enum Asked {
    MyRights,
    Acl,
    Rights(String),
}

/// MYRIGHTS.
pub(super) fn my_rights(mailbox: MailboxName) -> Next {
    About::Acl(Asked::MyRights).ask(mailbox)
}

/// GETACL.
pub(super) fn get(mailbox: MailboxName) -> Next {
    About::Acl(Asked::Acl).ask(mailbox)
}

/// LISTRIGHTS.
pub(super) fn list(mailbox: MailboxName, identifier: String) -> Next {
    About::Acl(Asked::Rights(identifier)).ask(mailbox)
}

/// There is such a mailbox.
pub(super) fn answer(cx: &mut Context<'_>, mailbox: &MailboxName, asked: &Asked) -> Next {
    let names = cx.account.enabled.names();
    match asked {
        Asked::MyRights => {
            write_my_rights(mailbox, cx);
            Next::completed("MYRIGHTS")
        }
        Asked::Acl => {
            untagged(cx.out, |out| {
                out.extend_from_slice(b"ACL ");
                mailbox_name(mailbox, names, out);
                out.extend_from_slice(b" owner ");
                out.extend_from_slice(RIGHTS.as_bytes());
            });
            Next::completed("GETACL")
        }
        Asked::Rights(identifier) => {
            untagged(cx.out, |out| {
                out.extend_from_slice(b"LISTRIGHTS ");
                mailbox_name(mailbox, names, out);
                out.push(b' ');
                astring(identifier.as_bytes(), out);
                // What is always granted, and nothing that could be.
                out.push(b' ');
                out.extend_from_slice(if identifier == "owner" { RIGHTS.as_bytes() } else { b"\"\"" });
            });
            Next::completed("LISTRIGHTS")
        }
    }
}

/// `* MYRIGHTS INBOX lrs…`
pub(super) fn write_my_rights(mailbox: &MailboxName, cx: &mut Context<'_>) {
    let names = cx.account.enabled.names();
    untagged(cx.out, |out| {
        out.extend_from_slice(b"MYRIGHTS ");
        mailbox_name(mailbox, names, out);
        out.push(b' ');
        out.extend_from_slice(RIGHTS.as_bytes());
    });
}
