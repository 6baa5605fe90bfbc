//! Mailboxes themselves: CREATE, DELETE, RENAME, SUBSCRIBE, NAMESPACE; and what is asked of all of them.
//!
//! Standards: RFC 9051 §6.3.4 to §6.3.8 and §6.3.10, RFC 6154 §3 (CREATE with USE), RFC 8474 §4.1 (MAILBOXID).

use types::mailstore::{MailboxId, SpecialUse};

use super::account::{Context, Enabled};
use super::notify::OwnChange;
use super::reply::Reply;
use super::work::{Next, Pending};
use super::{FolderFacts, Task, acl, list, quota, status};
use crate::command::{ListCommand, MailboxName, StatusItem};
use crate::name::SEPARATOR;
use crate::response::{Response, ResponseCode, object_id, untagged};

/// What is asked of all mailboxes.
pub(super) enum Listing {
    List(ListCommand),
    Lsub(super::pattern::Pattern),
}

impl Listing {
    /// Has the driver find it out.
    pub(super) fn ask(self) -> Next {
        Next::Ask(Task::Folders, Pending::Folders(Box::new(self)))
    }

    /// Answers.
    pub(super) fn answer(self, cx: &mut Context<'_>, folders: &[FolderFacts], subscribed: &[String]) -> Next {
        match self {
            Self::List(command) => list::answer(cx, &command, folders, subscribed),
            Self::Lsub(pattern) => list::answer_lsub(cx, &pattern, subscribed),
        }
    }
}

/// What is asked of one mailbox: clients ask it of each of many in turn.
pub(super) enum About {
    Status(Vec<StatusItem>),
    QuotaRoot,
    Acl(acl::Asked),
}

impl About {
    /// Has the driver find it out.
    pub(super) fn ask(self, mailbox: MailboxName) -> Next {
        Next::Ask(Task::Folder(mailbox), Pending::Folder(self))
    }

    /// There is such a mailbox.
    pub(super) fn answer(self, cx: &mut Context<'_>, facts: &FolderFacts) -> Next {
        match self {
            Self::Status(items) => status::answer(cx, &items, facts),
            Self::QuotaRoot => quota::root_of(cx, &facts.name),
            Self::Acl(asked) => acl::answer(cx, &facts.name, &asked),
        }
    }
}

/// LIST with METADATA: mailboxes whose annotations are still to be told.
pub(super) struct MetadataQueue {
    pub(super) mailboxes: Vec<MailboxName>,
    pub(super) entries: Vec<String>,
}

impl MetadataQueue {
    /// Asks for the next one, or ends LIST.
    pub(super) fn ask(self) -> Next {
        match self.mailboxes.last() {
            Some(mailbox) => {
                Next::Ask(Task::Metadata(Some(mailbox.clone())), Pending::ListMetadata(Box::new(self)))
            }
            None => Next::completed("LIST"),
        }
    }

    pub(super) fn answer(mut self, cx: &mut Context<'_>, entries: &[(String, Vec<u8>)]) -> Next {
        if let Some(mailbox) = self.mailboxes.pop() {
            let names = cx.account.enabled.names();
            super::metadata::write_entries(Some(&mailbox), &self.entries, entries, names, cx.out);
        }
        self.ask()
    }
}

/// CREATE.
pub(super) fn create(
    mailbox: MailboxName,
    said: Option<MailboxName>,
    special_uses: Vec<Result<SpecialUse, String>>,
) -> Next {
    let special_use = match &special_uses[..] {
        [] => None,
        [Ok(special_use)] => Some(*special_use),
        _ => return Next::end(Response::UseTaken),
    };
    if let Err(problem) = mailbox.check() {
        return Next::end(Reply::from(Response::NameUnusable).saying(problem.to_string()));
    }
    Next::Ask(Task::Create { mailbox: mailbox.clone(), special_use }, Pending::Create(mailbox, said))
}

/// It is there.
pub(super) fn created(id: MailboxId) -> Next {
    Next::end(Reply::completed("CREATE").with(ResponseCode::MailboxId(id_text(id))))
}

/// Tells a client of IMAP4rev2 the name of a mailbox that it made, removed or renamed, where it wrote another one
/// (RFC 9051 §6.3.4 to §6.3.6).
pub(super) fn write_normalized(cx: &mut Context<'_>, change: &OwnChange, said: Option<&MailboxName>) {
    let enabled = cx.account.enabled;
    let (name, attributes) = match change {
        OwnChange::Created(name) | OwnChange::Renamed { to: name, .. } => (name, &[][..]),
        OwnChange::Deleted(name) => (name, &[absent(enabled, true)][..]),
        OwnChange::Subscription { .. } => return,
    };
    list::write_normalized(attributes, name, said, enabled, cx.out);
}

/// DELETE. INBOX stays (RFC 9051 §6.3.5).
pub(super) fn delete(mailbox: MailboxName, said: Option<MailboxName>) -> Next {
    if mailbox.0 == "INBOX" {
        return Next::end(Response::Cannot);
    }
    let change = OwnChange::Deleted(mailbox.clone());
    Next::Ask(Task::Delete(mailbox), Pending::Changing("DELETE", change, said))
}

/// RENAME. What RENAME of INBOX does (RFC 9051 §6.3.6) is the driver's; nothing can be moved below itself.
pub(super) fn rename(from: MailboxName, to: MailboxName, said: Option<MailboxName>) -> Next {
    if let Err(problem) = to.check() {
        return Next::end(Reply::from(Response::NameUnusable).saying(problem.to_string()));
    }
    let below = to.0.strip_prefix(&from.0).is_some_and(|rest| rest.starts_with(SEPARATOR));
    if below && from.0 != "INBOX" {
        return Next::end(Response::Cannot);
    }
    let change = OwnChange::Renamed { from: from.clone(), to: to.clone() };
    Next::Ask(Task::Rename { from, to }, Pending::Changing("RENAME", change, said))
}

/// SUBSCRIBE.
pub(super) fn subscribe(mailbox: MailboxName) -> Next {
    let change = OwnChange::Subscription { mailbox: mailbox.clone(), subscribed: true };
    Next::Ask(Task::Subscribe(mailbox), Pending::Changing("SUBSCRIBE", change, None))
}

/// UNSUBSCRIBE
pub(super) fn unsubscribe(mailbox: MailboxName) -> Next {
    let change = OwnChange::Subscription { mailbox: mailbox.clone(), subscribed: false };
    Next::Ask(Task::Unsubscribe(mailbox), Pending::Changing("UNSUBSCRIBE", change, None))
}

/// NAMESPACE (RFC 2342): one, and it is the user's own.
pub(super) fn namespace(cx: &mut Context<'_>) -> Next {
    untagged(cx.out, |out| out.extend_from_slice(b"NAMESPACE ((\"\" \"/\")) NIL NIL"));
    Next::completed("NAMESPACE")
}

/// `F12`, as MAILBOXID shows it.
pub(super) fn id_text(id: MailboxId) -> String {
    let mut text = Vec::new();
    object_id(b'F', u128::from(id.0), &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// Whether a name has to be shown as one that does not exist in the words of RFC 5258, or in those of RFC 3501.
pub(super) const fn absent(enabled: Enabled, is_extended: bool) -> &'static str {
    if is_extended || enabled.rev2 { "\\NonExistent" } else { "\\Noselect" }
}
