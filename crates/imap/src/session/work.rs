//! What a session is in the middle of, and what follows.

use std::collections::VecDeque;

use super::account::Context;
use super::append::Appending;
use super::dispatch::Enabling;
use super::folders::{self, About, Listing};
use super::reply::Reply;
use super::{Outcome, Task, copy, expunge, fetch, metadata, notify, quota, search, select, store};
use crate::command::{MailboxName, Tag};
use crate::fetch::{FetchRequest, Fetching};
use crate::view::Allowed;

/// What a session is in the middle of.
pub(super) enum Work {
    /// Commands are read.
    Ready,
    /// The driver owes [`super::Session::secured`].
    StartingTls,
    /// The driver owes [`super::Session::compressed`].
    StartingCompression,
    /// The driver owes [`super::Session::authenticated`].
    LoggingIn(Tag),
    /// The driver owes [`super::Session::challenge`] or [`super::Session::authenticated`].
    SaslDriver(Tag),
    /// The client owes the answer to a challenge.
    SaslClient(Tag),
    /// The client owes DONE.
    Idle(Tag),
    /// The driver owes [`super::Session::done`].
    Asked(Tag, Box<Pending>),
    /// FETCH responses are written.
    Fetching(Box<Writing>),
    /// A message comes.
    Appending(Box<Appending>),
    Closed,
}

/// FETCH responses that are written.
pub(super) struct Writing {
    pub(super) fetching: Fetching,
    /// The driver owes structures or octets.
    pub(super) is_waiting: bool,
    /// What is written behind it.
    pub(super) queue: VecDeque<FetchRequest>,
    pub(super) then: Then,
}

impl Writing {
    /// The command that is in progress.
    pub(super) const fn tag(&self) -> Option<&Tag> {
        match &self.then {
            Then::Fetched(tag, _) | Then::End(tag, ..) | Then::Reply(tag, _) => Some(tag),
            Then::Ready | Then::Idle(_) => None,
        }
    }
}

/// What follows when all is written.
pub(super) enum Then {
    /// The end of FETCH, which depends on what was missing.
    Fetched(Tag, Allowed),
    /// What may be told, then the tagged response.
    End(Tag, Allowed, Reply),
    /// The tagged response alone.
    Reply(Tag, Reply),
    /// Nobody had asked.
    Ready,
    /// The same, within IDLE.
    Idle(Tag),
}

/// What a command wants next.
pub(super) enum Next {
    /// Tell what may be told, and end the command.
    End(Allowed, Reply),
    /// Have the driver do something, and go on with its outcome.
    Ask(Task, Pending),
    /// Write FETCH responses that answer FETCH itself.
    Fetch(Box<FetchRequest>, Allowed),
    /// Write FETCH responses, then end the command.
    Write(Vec<FetchRequest>, Allowed, Reply),
}

impl Next {
    /// The command is over, and everything may be told.
    pub(super) fn end(reply: impl Into<Reply>) -> Self {
        Self::End(Allowed::All, reply.into())
    }

    /// Tells no more than that where the command is over.
    pub(super) fn within(self, allowed: Allowed) -> Self {
        match self {
            Self::End(Allowed::All, reply) => Self::End(allowed, reply),
            other => other,
        }
    }

    /// `OK … completed`, and everything may be told.
    pub(super) fn completed(verb: &'static str) -> Self {
        Self::end(Reply::completed(verb))
    }
}

/// What is done with the outcome of a task.
pub(super) enum Pending {
    Select(select::Selecting),
    Unselect(&'static str),
    CloseExpunge,
    /// Ends with `OK … completed`.
    Simple(&'static str),
    Enable(Enabling),
    /// The same of what NOTIFY would tell others, with the name as the client wrote it, where that is another one.
    Changing(&'static str, notify::OwnChange, Option<MailboxName>),
    Create(MailboxName, Option<MailboxName>),
    Folders(Box<Listing>),
    Folder(About),
    ListMetadata(Box<folders::MetadataQueue>),
    Search(search::Searching),
    FetchSeen(fetch::Marking),
    FetchVanished(fetch::Asking),
    StoreKeywords(store::Storing),
    Store(store::Storing),
    Copy(copy::Copying),
    Expunge,
    Quota(quota::Asked),
    Metadata(metadata::Asked),
    SetMetadata,
    Notify(notify::Setting),
    Appended(super::append::Appended),
}

impl Pending {
    /// Goes on.
    pub(super) fn resume(self, cx: &mut Context<'_>, outcome: Outcome) -> Next {
        if let Outcome::Refused(refusal) = outcome {
            return self.refused(cx, refusal);
        }
        match (self, outcome) {
            (Self::Select(selecting), Outcome::Selected(selected)) => selecting.selected(cx, *selected),
            (Self::Unselect(verb) | Self::Simple(verb), Outcome::Done) => Next::completed(verb),
            (Self::Enable(enabling), Outcome::Folders { .. }) => enabling.watched(cx, true),
            (Self::CloseExpunge, Outcome::Expunged(_)) => select::leave("CLOSE"),
            (Self::Changing(verb, change, said), Outcome::Done) => {
                folders::write_normalized(cx, &change, said.as_ref());
                cx.account.did(change);
                Next::completed(verb)
            }
            (Self::Create(mailbox, said), Outcome::Created(id)) => {
                let change = notify::OwnChange::Created(mailbox);
                folders::write_normalized(cx, &change, said.as_ref());
                cx.account.did(change);
                folders::created(id)
            }
            (Self::Folders(listing), Outcome::Folders { folders, subscribed }) => {
                listing.answer(cx, &folders, &subscribed)
            }
            (Self::Folder(about), Outcome::Folder(facts)) => about.answer(cx, &facts),
            (Self::ListMetadata(queue), Outcome::Metadata(entries)) => queue.answer(cx, &entries),
            (Self::Search(searching), Outcome::Found(found)) => searching.found(cx, found),
            (Self::FetchSeen(marking), Outcome::Stored { changed, .. }) => marking.seen(cx, &changed),
            (Self::FetchVanished(asking), Outcome::Vanished(uids)) => asking.vanished(cx, uids),
            (Self::StoreKeywords(storing), Outcome::Keywords(keywords)) => storing.keywords(cx, &keywords),
            (Self::Store(storing), Outcome::Stored { changed, modified }) => {
                storing.stored(cx, &changed, &modified)
            }
            (Self::Copy(copying), Outcome::Copied { uid_validity, uids }) => {
                copying.copied(cx, uid_validity, &uids)
            }
            (Self::Expunge, Outcome::Expunged(_)) => expunge::expunged(cx),
            (Self::Quota(asked), Outcome::Quota(facts)) => asked.answer(cx, facts),
            (Self::Metadata(asked), Outcome::Metadata(entries)) => asked.answer(cx, &entries),
            (Self::SetMetadata, Outcome::Done) => Next::completed("SETMETADATA"),
            (Self::Notify(setting), Outcome::Folders { folders, subscribed }) => {
                setting.answer(cx, folders, subscribed)
            }
            (Self::Appended(appended), Outcome::Appended(outcome)) => appended.done(cx, outcome),
            // An answer to another question: nothing that the client did.
            _ => Next::end(crate::response::Response::Unavailable),
        }
    }

    fn refused(self, cx: &mut Context<'_>, refusal: super::Refusal) -> Next {
        match self {
            Self::Enable(enabling) => enabling.watched(cx, false),
            Self::Copy(_) | Self::Appended(_) => Next::end(Reply::of_destination(refusal)),
            Self::Search(searching) => searching.refused(cx, refusal),
            // What CLOSE could not remove stays; the mailbox is left nevertheless.
            Self::CloseExpunge => select::leave("CLOSE"),
            Self::SetMetadata | Self::Metadata(_) => Next::end(metadata::refused(refusal)),
            Self::FetchSeen(marking) => marking.unseen(cx),
            Self::FetchVanished(asking) => Next::End(fetch::allowed(asking.numbering), refusal.into()),
            Self::StoreKeywords(storing) | Self::Store(storing) => {
                Next::End(storing.allowed(), refusal.into())
            }
            _ => Next::end(refusal),
        }
    }
}
