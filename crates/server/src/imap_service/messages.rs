//! The selected mailbox: opened, and its messages flagged, copied, moved and removed.

use std::sync::Arc;

use imap::command::{MailboxName, Qresync};
use imap::session::{Outcome, Refusal, Selected as Opened};
use store::{Flags, MailboxId, ModSeq, StoreError, Transfer, Uid, Vanished};
use tracing::info;
use types::EventStep;

use super::Driver;
use super::login::Selected;
use crate::mail_models::Known;
use crate::metrics::ImapChange;

impl Driver {
    pub(super) async fn select(
        &mut self,
        name: MailboxName,
        qresync: Option<Qresync>,
    ) -> Result<Outcome, Refusal> {
        // Where it cannot be opened, none is selected (RFC 9051 §6.3.2).
        self.deselect();
        let mailbox = self.resolve(&name).await?.id;
        let login = self.login()?;
        // What changes from now on wakes this session.
        login.member.ear().select(Some(mailbox));
        let model = login.member.mail().open(mailbox).await.map_err(|why| self.refusal(&why))?;
        let told = model.newest().ok_or(Refusal::NoSuchMailbox)?;
        let vanished = match qresync {
            Some(known) if known.uid_validity == told.uid_validity => {
                self.gone_since(mailbox, known.modseq).await?
            }
            _ => None,
        };
        self.shared.mail_index.wanted(mailbox);
        self.note(EventStep::Command, format!("{:?} is open: {} messages", name.0, told.len()));
        if let Some(login) = &mut self.login {
            login.selected = Some(Selected { model, name: name.0, told: Arc::clone(&told) });
        }
        Ok(Outcome::Selected(Box::new(Opened { snapshot: told, vanished })))
    }

    pub(super) async fn store_flags(
        &self,
        uids: &[Uid],
        add: Flags,
        remove: Flags,
        unchanged_since: Option<ModSeq>,
    ) -> Result<Outcome, Refusal> {
        let model = &self.selected()?.model;
        let newest = model.newest().ok_or(Refusal::NoSuchMailbox)?;
        let (store, known) = (&self.shared.store, Arc::new(Known(newest)));
        let stored = store.store_flags_of(model.mailbox(), uids, (add, remove), unchanged_since, known).await;
        let stored = stored.map_err(|why| self.refusal(&why))?;
        // The flags that are told are those of the model.
        Box::pin(self.login()?.member.mail().hear_of(model)).await;
        self.shared.metrics.imap.changed(ImapChange::Flagged, stored.changed.len());
        let modseq = stored.changed.modseq;
        Ok(Outcome::Stored {
            changed: stored.changed.iter().map(|(uid, flags)| (uid, flags, modseq)).collect(),
            modified: stored.modified,
        })
    }

    pub(super) async fn add_keywords(&self, names: &[String]) -> Result<Outcome, Refusal> {
        let mailbox = self.selected()?.model.mailbox();
        let keywords = self.shared.store.add_keywords(mailbox, names).await;
        let keywords = keywords.map_err(|why| self.refusal(&why))?;
        self.hear();
        Ok(Outcome::Keywords(keywords.into()))
    }

    pub(super) async fn copy(
        &mut self,
        uids: &[Uid],
        to: &MailboxName,
        moves: bool,
    ) -> Result<Outcome, Refusal> {
        let from = self.selected()?.model.mailbox();
        let to_mailbox = self.resolve(to).await?;
        let (how, verb) = if moves { (Transfer::Move, "MOVE") } else { (Transfer::Copy, "COPY") };
        // Until it is done, so that nobody else is given the same room.
        let _room = if moves {
            None
        } else {
            let told = &self.selected()?.told;
            let size_bytes = uids.iter().filter_map(|uid| told.find(*uid)).map(|message| message.size_bytes);
            self.room_for(size_bytes.sum(), 0).await?
        };
        let transferred = self.shared.store.transfer(from, uids, to_mailbox.id, how, self.shared.now()).await;
        let transferred = transferred.map_err(|why| match why {
            // The mailbox that is selected is there, or the session ends: it is the other one that went.
            StoreError::NoSuchMailbox => Refusal::NoSuchMailbox,
            why => self.refusal(&why),
        })?;
        self.hear();
        let messages = transferred.uids.len();
        let change = if moves { ImapChange::Moved } else { ImapChange::Copied };
        self.shared.metrics.imap.changed(change, messages);
        let name = self.selected()?.name.clone();
        self.note(EventStep::Command, format!("{verb} of {messages} messages from {name:?} to {:?}", to.0));
        Ok(Outcome::Copied { uid_validity: to_mailbox.uid_validity, uids: transferred.uids })
    }

    /// Removes those messages that are `\Deleted` still: another client may have changed its mind.
    pub(super) async fn expunge(&mut self, uids: &[Uid]) -> Result<Outcome, Refusal> {
        let selected = self.selected()?;
        let (mailbox, name) = (selected.model.mailbox(), selected.name.clone());
        if uids.is_empty() {
            return Ok(Outcome::Expunged(Vec::new()));
        }
        let gone = self.shared.store.expunge_flagged(mailbox, uids, Flags::DELETED, self.shared.now()).await;
        let gone = gone.map_err(|why| self.refusal(&why))?;
        self.hear();
        if gone.is_empty() {
            return Ok(Outcome::Expunged(gone));
        }
        let (session_id, messages) = (self.peer.session_id, gone.len());
        self.shared.metrics.imap.changed(ImapChange::Expunged, messages);
        info!(%session_id, %mailbox, messages, "messages removed by IMAP");
        self.note(EventStep::Command, format!("EXPUNGE of {messages} messages in {name:?}"));
        Ok(Outcome::Expunged(gone))
    }

    pub(super) async fn vanished(&self, since: ModSeq) -> Result<Outcome, Refusal> {
        let mailbox = self.selected()?.model.mailbox();
        Ok(Outcome::Vanished(self.gone_since(mailbox, since).await?))
    }

    async fn gone_since(&self, mailbox: MailboxId, since: ModSeq) -> Result<Option<Vec<Uid>>, Refusal> {
        match self.shared.store.vanished(mailbox, since).await.map_err(|why| self.refusal(&why))? {
            Vanished::These(uids) => Ok(Some(uids)),
            Vanished::Forgotten => Ok(None),
        }
    }
}
