//! What the machine asks of the driver.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use imap::command::{MailboxName, SearchKey};
use imap::mime::Detail;
use imap::search::Found;
use imap::session::{Outcome, Refusal, SearchKind, Structures, Task};
use imap::view::View;
use store::{AccountId, MailboxInfo, StoreError, Uid};
use tokio::time::{Instant, sleep_until};
use tracing::warn;
use types::EventStep;

use super::Driver;
use super::login::{LoggedIn, Selected};
use crate::structures;

/// A client is told of a long task this often (RFC 9585 §3: no more than every 10 seconds).
const PROGRESS_EVERY: Duration = Duration::from_secs(10);
/// A client that is gone has said so by then, where it was sent something.
const GONE_AFTER: Duration = Duration::from_secs(1);
/// Octets of what a client says of itself that the trace keeps.
const CLIENT_ID_BYTES_MAX: usize = 200;

impl Driver {
    /// Does it and tells what came of it; false where the connection is of no more use.
    pub(super) async fn task(&mut self, task: Task) -> bool {
        let mut is_open = true;
        let outcome = match task {
            // What has come together with others is not done, where the login ended meanwhile.
            _ if self.is_over_now().await => Err(Refusal::Temporary),
            Task::Search { view, key, kind } => match self.search(&view, &key, &kind).await {
                Some(_) if self.is_over_now().await => Err(Refusal::Temporary),
                Some(found) => found.map(Outcome::Found),
                None => {
                    is_open = false;
                    Err(Refusal::Temporary)
                }
            },
            task => self.perform(task).await,
        };
        // What the client did itself is known to the machine before it is told that it was done.
        self.tell_mailbox();
        self.session.done(outcome.unwrap_or_else(Outcome::Refused));
        is_open
    }

    async fn perform(&mut self, task: Task) -> Result<Outcome, Refusal> {
        match task {
            Task::Select { mailbox, qresync, .. } => self.select(mailbox, qresync).await,
            Task::Unselect => {
                self.deselect();
                Ok(Outcome::Done)
            }
            Task::Folders => self.folders().await,
            Task::Folder(mailbox) => self.folder(&mailbox).await,
            Task::Create { mailbox, special_use } => self.create(&mailbox, special_use).await,
            Task::Delete(mailbox) => self.delete(&mailbox).await,
            Task::Rename { from, to } => self.rename(&from, &to).await,
            Task::Subscribe(mailbox) => self.subscribe(&mailbox, store::Subscription::On).await,
            Task::Unsubscribe(mailbox) => self.subscribe(&mailbox, store::Subscription::Off).await,
            Task::Store { uids, add, remove, unchanged_since } => {
                self.store_flags(&uids, add, remove, unchanged_since).await
            }
            Task::AddKeywords(names) => self.add_keywords(&names).await,
            Task::Copy { uids, mailbox, moves } => self.copy(&uids, &mailbox, moves).await,
            Task::Expunge { uids } => self.expunge(&uids).await,
            Task::Vanished { since } => self.vanished(since).await,
            Task::Quota => self.quota().await,
            Task::Metadata(mailbox) => self.metadata(mailbox.as_ref()).await,
            Task::SetMetadata { mailbox, entries } => self.set_metadata(mailbox.as_ref(), entries).await,
            Task::Watch(is_on) => self.watch(is_on).await,
            Task::ClientId(fields) => {
                self.timeline.note(EventStep::Hello, client_id(&fields));
                Ok(Outcome::Done)
            }
            // The caller has it.
            Task::Search { .. } => Err(Refusal::Temporary),
        }
    }

    /// Looks for messages, and tells now and then how far it is; none where the client is gone.
    async fn search(
        &mut self,
        view: &View,
        key: &SearchKey,
        kind: &SearchKind,
    ) -> Option<Result<Found, Refusal>> {
        let (done, of) = (AtomicU32::new(0), AtomicU32::new(0));
        let progress = |now: u32, all: u32| {
            done.store(now, Ordering::Relaxed);
            of.store(all, Ordering::Relaxed);
        };
        let now = self.shared.now();
        let shared = Arc::clone(&self.shared);
        let search = crate::mail_search::search(&shared, view, key, kind, now, &progress);
        let mut search = std::pin::pin!(search);
        // Who has closed its side may still read, or is gone: what it is told then says which, a round trip later.
        let mut probes = [Duration::ZERO, GONE_AFTER].into_iter();
        let mut has_ended = false;
        let mut next = Instant::now() + PROGRESS_EVERY;
        loop {
            tokio::select! {
                biased;
                found = &mut search => return Some(found),
                () = self.connection.ended(), if !has_ended => has_ended = true,
                () = sleep_until(next) => {
                    let of = Some(u64::from(of.load(Ordering::Relaxed))).filter(|of| *of > 0);
                    self.session.progress(done.load(Ordering::Relaxed).into(), of);
                    if !self.send().await {
                        return None;
                    }
                    next = Instant::now() + PROGRESS_EVERY;
                }
            }
            if has_ended && let Some(wait) = probes.next() {
                next = Instant::now() + wait;
            }
        }
    }

    /// Tells the machine the structures of messages of the selected mailbox, and the client now and then how far its FETCH is;
    /// false where the connection is of no more use.
    pub(super) async fn structures(&mut self, uids: &[Uid], detail: Detail) -> bool {
        self.look_again().await;
        let Ok(Selected { model, told, .. }) = self.selected() else {
            self.session.structures(vec![None; uids.len()]);
            return true;
        };
        let known: Vec<_> =
            uids.iter().map(|uid| told.find(*uid).map(|message| (*uid, message.mail_id))).collect();
        let there: Vec<_> = known.iter().copied().flatten().collect();
        let (shared, mailbox) = (Arc::clone(&self.shared), model.mailbox());
        let mut making = std::pin::pin!(structures::described(&shared, mailbox, &there, detail));
        let made = loop {
            match tokio::time::timeout(PROGRESS_EVERY, &mut making).await {
                Ok(made) => break made,
                Err(_) => {
                    self.session.progress(0, None);
                    if !self.send().await {
                        return false;
                    }
                }
            }
        };
        let mut made = made.into_iter();
        let all: Structures =
            known.into_iter().map(|known| known.and_then(|_| made.next().flatten())).collect();
        self.session.structures(all);
        true
    }

    /// Who is logged in; the machine asks nothing that needs it before.
    pub(super) fn login(&self) -> Result<&LoggedIn, Refusal> {
        self.login.as_deref().ok_or(Refusal::Cannot)
    }

    /// The mailbox that is selected.
    pub(super) fn selected(&self) -> Result<&Selected, Refusal> {
        self.login()?.selected.as_ref().ok_or(Refusal::NoSuchMailbox)
    }

    /// The account's mailboxes as they are now.
    pub(super) async fn mailboxes(&self) -> Result<Vec<MailboxInfo>, Refusal> {
        let account = self.login()?.account;
        self.shared.store.mailboxes(account).await.map_err(|why| self.refusal(&why))
    }

    /// The account's mailbox of that name; its counters are of some time.
    pub(super) async fn resolve(&self, name: &MailboxName) -> Result<Arc<MailboxInfo>, Refusal> {
        self.own(|mailbox| mailbox.name == name.0).await
    }

    /// The account's mailbox of that name as it is now.
    async fn folder(&self, name: &MailboxName) -> Result<Outcome, Refusal> {
        let mailbox = self.resolve(name).await?;
        let newest = self.shared.store.mailbox(mailbox.id).await.map_err(|why| self.refusal(&why))?;
        Ok(Outcome::Folder(Box::new(super::folders::facts(&newest))))
    }

    /// The account's own mailbox that is meant: no other one is ever used.
    pub(super) async fn own(
        &self,
        is_it: impl Fn(&MailboxInfo) -> bool,
    ) -> Result<Arc<MailboxInfo>, Refusal> {
        let folders = self.login()?.member.mail().folders().await;
        let folders = folders.map_err(|why| self.refusal(&why))?;
        folders.into_iter().find(|mailbox| is_it(mailbox)).ok_or(Refusal::NoSuchMailbox)
    }

    /// Takes over what was committed, so that the machine hears what this session did before it hears that it was done.
    pub(super) fn hear(&self) {
        if let Some(login) = &self.login {
            login.member.mail().hear();
        }
    }

    /// Tells the trace what was done in the account.
    pub(super) fn note(&mut self, step: EventStep, what: String) {
        if let Some(login) = &self.login {
            self.timeline.note_about(step, &login.name, what);
        }
    }

    /// What a client is told where the store refuses. What was not foreseen is told to the operator.
    pub(super) fn refusal(&self, why: &StoreError) -> Refusal {
        let refusal = match why {
            StoreError::NoSuchMailbox => return Refusal::NoSuchMailbox,
            StoreError::NoSuchMessage => return Refusal::MessageGone,
            StoreError::Conflict(_) => return Refusal::Cannot,
            StoreError::Limit(_) => return Refusal::Limit,
            StoreError::Damaged(_) => Refusal::Damaged,
            _ => Refusal::Temporary,
        };
        let session_id = self.peer.session_id;
        let account = self.login.as_ref().map_or(AccountId(0), |login| login.account);
        warn!(%session_id, %account, %why, "the store refuses what an IMAP client asks");
        refusal
    }

    /// Begins to watch all mailboxes, or ends that: then it does not matter which there are. Where it fails all is as before.
    pub(super) async fn watch(&mut self, is_on: bool) -> Result<Outcome, Refusal> {
        // By what held until now.
        self.tell_others().await;
        let was_on = self.login()?.watched.is_some();
        self.login()?.member.ear().listen(is_on);
        let outcome = if is_on {
            self.folders().await
        } else {
            Ok(Outcome::Folders { folders: Vec::new(), subscribed: Vec::new() })
        };
        let watched = match &outcome {
            Ok(Outcome::Folders { folders, .. }) if is_on => {
                Some(folders.iter().map(|folder| (folder.id, folder.name.0.clone())).collect())
            }
            Ok(_) => None,
            Err(_) => {
                // Nobody would know of which mailbox it is.
                self.login()?.member.ear().listen(was_on);
                return outcome;
            }
        };
        if let Some(login) = &mut self.login {
            login.watched = watched;
        }
        outcome
    }
}

/// What a client says of itself, in one line.
fn client_id(fields: &[(String, Option<String>)]) -> String {
    let mut text = String::from("ID:");
    for (name, value) in fields {
        let value = value.as_deref().unwrap_or("NIL");
        let field = format!(" {}={}", name.escape_debug(), value.escape_debug());
        if text.len() + field.len() > CLIENT_ID_BYTES_MAX {
            break;
        }
        text.push_str(&field);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_says_of_itself_is_one_short_line() {
        let fields = [
            ("name".to_owned(), Some("a\r\nb".to_owned())),
            ("os".to_owned(), None),
            ("long".to_owned(), Some("x".repeat(CLIENT_ID_BYTES_MAX))),
        ];
        assert_eq!(client_id(&fields), r"ID: name=a\r\nb os=NIL");
    }
}
