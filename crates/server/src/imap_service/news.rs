//! What other sessions, deliveries and operators change while a client is here.

use std::sync::Arc;

use imap::command::MailboxName;
use imap::session::{Event, ShutDown};
use store::Change;
use tracing::debug;
use types::{EventStep, Verdict};

use super::Driver;
use super::folders::facts;
use crate::auth::LOGIN_ENDED;
use crate::mail_models::News;

impl Driver {
    /// Whether something happened that nobody has looked at.
    pub(super) fn has_news(&self) -> bool {
        self.login.as_ref().is_some_and(|login| login.member.ear().was_woken())
    }

    /// Tells the machine what happened.
    pub(super) async fn tell_news(&mut self) {
        let Some(login) = &self.login else { return };
        if login.member.ear().is_ended() || !self.is_still_allowed().await {
            return self.end_login();
        }
        let Some(login) = &self.login else { return };
        login.member.mail().hear();
        self.tell_mailbox();
        self.tell_others().await;
        self.watch_again().await;
    }

    /// Tells the machine what it was heard of all mailboxes, where they are watched.
    pub(super) async fn tell_others(&mut self) {
        let Some(login) = &mut self.login else { return };
        match login.member.ear().news() {
            None => {}
            Some(News::Lost) => {
                login.watched = None;
                self.session.event(Event::Lost);
            }
            Some(News::Changes(changes, mailboxes)) => {
                for change in changes {
                    self.tell_change(change).await;
                }
                let mailboxes =
                    if self.session.hears_of_mailboxes() { mailboxes } else { Default::default() };
                for mailbox in mailboxes {
                    if let Ok(info) = self.shared.store.mailbox(mailbox).await {
                        let folder = Event::Folder { facts: Box::new(facts(&info)), before: None };
                        self.session.event(folder);
                    }
                }
            }
        }
    }

    /// Whoever enabled METADATA hears of annotations also after some were lost (RFC 5464 §4.4). Where mailboxes cannot be read now it
    /// is tried again with the next command.
    async fn watch_again(&mut self) {
        let is_watching = self.login.as_ref().is_none_or(|login| login.watched.is_some());
        if !is_watching
            && self.session.hears_of_annotations()
            && let Err(refusal) = self.watch(true).await
        {
            debug!(?refusal, "annotations are not watched");
        }
    }

    /// Before a command: what was committed before it came is seen by it.
    pub(super) async fn catch_up(&mut self) {
        if !self.is_still_allowed().await {
            return self.end_login();
        }
        if let Some(login) = &self.login {
            login.member.mail().hear();
            self.tell_mailbox();
            Box::pin(self.watch_again()).await;
        }
    }

    /// Tells the machine the newest state of the selected mailbox, where it has not heard it.
    pub(super) fn tell_mailbox(&mut self) {
        let Some(selected) = self.login.as_mut().and_then(|login| login.selected.as_mut()) else { return };
        match selected.model.newest() {
            Some(newest) if Arc::ptr_eq(&newest, &selected.told) => {}
            Some(newest) => {
                selected.told = Arc::clone(&newest);
                self.session.mailbox_changed(newest);
            }
            None => {
                self.deselect();
                self.session.event(Event::SelectedGone);
            }
        }
    }

    /// The mailbox is watched no longer.
    pub(super) fn deselect(&mut self) {
        self.reading = None;
        if let Some(login) = &mut self.login {
            login.member.ear().select(None);
            login.selected = None;
        }
    }

    /// In the middle of an answer, which may be long: the machine ends the response that it is in, and then says BYE. The store is
    /// asked only where the directory has changed.
    pub(super) async fn look_again(&mut self) {
        if self.login.as_ref().is_some_and(|login| !login.is_over) && !self.is_still_allowed().await {
            self.end_login();
        }
    }

    /// The same before something is done, and before it is told what was found: whether the login is over.
    pub(super) async fn is_over_now(&mut self) -> bool {
        self.look_again().await;
        self.login.as_ref().is_some_and(|login| login.is_over)
    }

    fn end_login(&mut self) {
        let Some(login) = &mut self.login else { return };
        login.is_over = true;
        self.timeline.judged(EventStep::Authentication, Verdict::Refused, Some(&login.name), LOGIN_ENDED);
        self.session.shut_down(ShutDown::LoginEnded);
    }

    async fn tell_change(&mut self, change: Change) {
        let Some(watched) = self.login.as_mut().and_then(|login| login.watched.as_mut()) else { return };
        let event = match change {
            Change::Mailbox(info) => {
                let before = watched.insert(info.id, info.name.clone());
                let before = before.filter(|before| *before != info.name).map(MailboxName);
                Event::Folder { facts: Box::new(facts(&info)), before }
            }
            Change::MailboxGone(mailbox) => match watched.remove(&mailbox) {
                Some(name) => Event::FolderGone(MailboxName(name)),
                None => return,
            },
            Change::Subscription { name, is_subscribed } => {
                Event::Subscribed { mailbox: MailboxName(name), subscribed: is_subscribed }
            }
            Change::Metadata { mailbox, names } => {
                let mailbox = match mailbox {
                    None => None,
                    Some(mailbox) => match watched.get(&mailbox) {
                        Some(name) => Some(MailboxName(name.clone())),
                        None => return,
                    },
                };
                Event::Metadata { mailbox, entries: names }
            }
            Change::Messages { .. }
            | Change::Flags { .. }
            | Change::Gone { .. }
            | Change::Account
            | Change::AccountGone
            | Change::Lost => return,
        };
        self.session.event(event);
    }
}
