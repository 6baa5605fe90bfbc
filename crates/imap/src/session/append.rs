//! APPEND and REPLACE: messages in pieces, one after the other.
//!
//! Standards: RFC 9051 §6.3.12, RFC 3502 (MULTIAPPEND), RFC 4469 (CATENATE), RFC 8508 (REPLACE), RFC 6855 §4 (UTF8), RFC 7888
//! (literals), RFC 4315 §3 (APPENDUID), RFC 7162 §3.2.9 (HIGHESTMODSEQ of what REPLACE removes).

use types::mailstore::Uid;

use super::account::Context;
use super::reply::Reply;
use super::tell::tell_expunged;
use super::work::{Next, Pending, Work};
use super::{AppendOutcome, AppendTask, CatenateUrl, Refusal, Session, Step, expunge, list};
use crate::command::{Access, AppendCommand, MailboxName, Numbering, SetValue, Tag};
use crate::grammar::{AppendReading, LiteralKind, LiteralSync};
use crate::response::{Response, ResponseCode, continuation};

/// An APPEND whose messages come.
pub(super) struct Appending {
    tag: Tag,
    mailbox: MailboxName,
    /// Its name as the client wrote it, where that is another one.
    said: Option<MailboxName>,
    replaces: Option<Uid>,
    /// Octets of messages and parts before.
    before_bytes: u64,
    /// Those of them that belong to the message that comes (CATENATE).
    message_bytes: u64,
    /// The driver owes [`Session::append_checked`] or [`Session::url_taken`].
    checking: Option<Checking>,
    /// What it will be answered, whatever still comes.
    refused: Option<Reply>,
    /// Whether the driver was told of a message.
    has_begun: bool,
}

enum Checking {
    Literal(LiteralSync, u64),
    Url(CatenateUrl),
}

/// An APPEND that is being committed.
pub(super) struct Appended {
    mailbox: MailboxName,
    said: Option<MailboxName>,
    replaces: bool,
}

impl Appending {
    /// Whether the driver owes an answer.
    pub(super) const fn is_waiting(&self) -> bool {
        self.checking.is_some()
    }

    /// Counts octets of the message that comes.
    const fn count(&mut self, size_bytes: u64) {
        self.before_bytes = self.before_bytes.saturating_add(size_bytes);
        self.message_bytes = self.message_bytes.saturating_add(size_bytes);
    }
}

impl Session {
    /// Answers [`AppendTask::Check`].
    pub fn append_checked(&mut self, result: Result<(), Refusal>) {
        let Work::Appending(appending) = &mut self.work else { return };
        let Some(Checking::Literal(sync, size_bytes)) = appending.checking else { return };
        appending.checking = None;
        match result {
            Ok(()) => {
                appending.count(size_bytes);
                self.accept(sync);
            }
            Err(refusal) => self.owed = self.refuse_literal(Reply::of_destination(refusal)),
        }
    }

    /// Answers [`AppendTask::Url`]: so many octets were taken.
    pub fn url_taken(&mut self, result: Result<u64, Refusal>) {
        let size_bytes_max = self.config.append_bytes_max;
        let Work::Appending(appending) = &mut self.work else { return };
        let Some(Checking::Url(url)) = appending.checking.take() else { return };
        let refused = match result {
            Ok(size_bytes) => {
                appending.count(size_bytes);
                // RFC 4469 §4.2.
                (appending.message_bytes > size_bytes_max).then(|| Response::TooBig.into())
            }
            Err(Refusal::BadUrl | Refusal::NoSuchMailbox | Refusal::MessageGone) => {
                Some(Reply::from(Response::BadUrl).with(ResponseCode::BadUrl(url_text(&url))))
            }
            Err(refusal) => Some(refusal.into()),
        };
        if appending.refused.is_none() {
            appending.refused = refused;
        }
    }

    /// Takes a piece. `octets` are those of the reading.
    pub(super) fn append_piece(&mut self, piece: AppendReading, octets: &[u8]) -> Option<Step> {
        if let AppendReading::Begin(command) = piece {
            self.begin_append(command);
            return None;
        }
        let Work::Appending(appending) = &mut self.work else { return None };
        let is_refused = appending.refused.is_some();
        match piece {
            AppendReading::Literal { size_bytes, sync, kind } => self.append_literal(size_bytes, sync, kind),
            AppendReading::End => self.end_append(),
            AppendReading::Begin(_) | AppendReading::LiteralEnd => None,
            _ if is_refused => None,
            AppendReading::Message(message) => {
                appending.has_begun = true;
                appending.message_bytes = 0;
                Some(Step::Append(AppendTask::Begin(message)))
            }
            AppendReading::Octets(count) => {
                let taken = octets[octets.len().saturating_sub(count)..].to_vec();
                Some(Step::Append(AppendTask::Octets(taken)))
            }
            AppendReading::Url(url) => {
                appending.checking = Some(Checking::Url(url.clone()));
                let replaces = appending.replaces;
                Some(Step::Append(AppendTask::Url { url, replaces }))
            }
            AppendReading::MessageEnd => Some(Step::Append(AppendTask::End)),
        }
    }

    fn begin_append(&mut self, command: AppendCommand) {
        let AppendCommand { tag, mailbox, said, replaces } = command;
        let (replaces, refused) = match replaces {
            None => (None, None),
            Some((numbering, value)) => match self.replaced(numbering, value) {
                Ok(uid) => (Some(uid), None),
                Err(reply) => (None, Some(reply)),
            },
        };
        let refused = if self.account.is_none() { Some(Response::LoginFirst.into()) } else { refused };
        self.work = Work::Appending(Box::new(Appending {
            tag,
            mailbox,
            said,
            replaces,
            before_bytes: 0,
            message_bytes: 0,
            checking: None,
            refused,
            has_begun: false,
        }));
    }

    /// The message that REPLACE names.
    fn replaced(&self, numbering: Numbering, value: SetValue) -> Result<Uid, Reply> {
        let account = self.account.as_deref();
        let Some(mailbox) = account.and_then(|account| account.mailbox.as_ref()) else {
            return Err(Response::SelectFirst.into());
        };
        if mailbox.access == Access::ReadOnly {
            return Err(Response::MailboxReadOnly.into());
        }
        let uid_only = account.is_some_and(|account| account.enabled.uid_only);
        let view = &mailbox.view;
        let uid = match (numbering, value) {
            (Numbering::Sequence, _) if uid_only => return Err(Response::UidRequired.into()),
            (_, SetValue::Largest) => view.largest_uid(),
            (Numbering::Uid, SetValue::Number(number)) => Uid(number),
            (Numbering::Sequence, SetValue::Number(number)) => match view.uid(number) {
                Some(uid) => uid,
                None => return Err(Reply::syntax("No message has such a number")),
            },
        };
        if view.snapshot.find(uid).is_some() { Ok(uid) } else { Err(Response::MessageGone.into()) }
    }

    fn append_literal(&mut self, size_bytes: u64, sync: LiteralSync, kind: LiteralKind) -> Option<Step> {
        let has_utf8 = self.account.as_deref().is_some_and(|account| account.enabled.utf8);
        let limit = self.config.append_bytes_max;
        let Work::Appending(appending) = &mut self.work else { return None };
        if let Some(reply) = appending.refused.take() {
            return self.refuse_literal(reply);
        }
        if kind == LiteralKind::Utf8 && !has_utf8 {
            return self.refuse_literal(Reply::syntax("UTF8 needs ENABLE UTF8=ACCEPT first"));
        }
        if appending.message_bytes.saturating_add(size_bytes) > limit {
            return self.refuse_literal(Response::TooBig.into());
        }
        appending.checking = Some(Checking::Literal(sync, size_bytes));
        let Appending { mailbox, before_bytes, replaces, .. } = &**appending;
        let (mailbox, before_bytes, replaces) = (mailbox.clone(), *before_bytes, *replaces);
        Some(Step::Append(AppendTask::Check { mailbox, size_bytes, before_bytes, replaces }))
    }

    fn accept(&mut self, sync: LiteralSync) {
        self.reader.accept_literal();
        if sync == LiteralSync::Synchronizing {
            continuation("Go on", &mut self.output);
        }
    }

    /// Ends the command: the reader reads away what still comes of it.
    fn refuse_literal(&mut self, reply: Reply) -> Option<Step> {
        self.reader.refuse_literal();
        self.abandon(reply)
    }

    fn abandon(&mut self, reply: Reply) -> Option<Step> {
        match std::mem::replace(&mut self.work, Work::Ready) {
            Work::Appending(appending) => {
                let has_begun = appending.has_begun;
                self.finish(appending.tag, crate::view::Allowed::All, reply);
                has_begun.then_some(Step::Append(AppendTask::Abandon))
            }
            other => {
                self.work = other;
                None
            }
        }
    }

    fn end_append(&mut self) -> Option<Step> {
        let Work::Appending(appending) = &mut self.work else { return None };
        if let Some(reply) = appending.refused.take() {
            return self.abandon(reply);
        }
        let Work::Appending(appending) = std::mem::replace(&mut self.work, Work::Ready) else { return None };
        let Appending { tag, mailbox, said, replaces, .. } = *appending;
        let appended = Appended { mailbox: mailbox.clone(), said, replaces: replaces.is_some() };
        self.work = Work::Asked(tag, Box::new(Pending::Appended(appended)));
        Some(Step::Append(AppendTask::Commit { mailbox, replaces }))
    }
}

impl Appended {
    /// APPENDUID is with OK; of REPLACE before the EXPUNGE response (RFC 8508 §3.4).
    pub(super) fn done(self, cx: &mut Context<'_>, outcome: AppendOutcome) -> Next {
        cx.account.put(&self.mailbox, outcome.uid_validity, &outcome.uids);
        list::write_normalized(&[], &self.mailbox, self.said.as_ref(), cx.account.enabled, cx.out);
        let code = ResponseCode::AppendUid(outcome.uid_validity, outcome.uids);
        if !self.replaces {
            return Next::end(Reply::completed("APPEND").with(code));
        }
        Response::Fact.untagged_with(Some(&code), "The replacement is there", cx.out);
        tell_expunged(cx);
        // RFC 8508 §4.5: as UID EXPUNGE would have removed it.
        Next::end(expunge::with_modseq(cx, Reply::completed("REPLACE")))
    }
}

/// A URL that means the same as the client's.
fn url_text(url: &CatenateUrl) -> String {
    let mailbox = url.mailbox.as_ref().map(|mailbox| format!("/{}", mailbox.0)).unwrap_or_default();
    format!("{mailbox}/;UID={}", url.uid)
}
