//! What lasts as long as a login, and what as long as a selected mailbox.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use types::mailstore::{MailboxId, ModSeq, Uid, UidValidity};

use super::notify::{Notify, OwnChange};
use super::{Config, EVENTS_MAX, Event, FolderFacts};
use crate::command::{Access, MailboxName};
use crate::name::NameEncoding;
use crate::response::{Response, ResponseCode};
use crate::view::{Snapshot, View};

/// A login: from here on commands of the authenticated state are taken.
pub(super) struct Account {
    pub(super) enabled: Enabled,
    /// There in the selected state.
    pub(super) mailbox: Option<Mailbox>,
    pub(super) notify: Notify,
    /// Events that wait until they may be told.
    pub(super) events: VecDeque<Event>,
    /// What this session did itself, of which no event came yet.
    pub(super) own: Vec<OwnChange>,
}

/// Extensions that the client turned on (RFC 5161), which change what it is told.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Enabled {
    pub(super) condstore: bool,
    pub(super) qresync: bool,
    pub(super) utf8: bool,
    pub(super) rev2: bool,
    pub(super) uid_only: bool,
    /// METADATA: changes are told though NOTIFY did not ask (RFC 5464 §4.1).
    pub(super) metadata: bool,
}

/// A selected mailbox.
pub(super) struct Mailbox {
    pub(super) name: MailboxName,
    pub(super) access: Access,
    /// Shared with what was asked of the driver while it works.
    pub(super) view: Arc<View>,
    /// `$` (RFC 5182), ascending.
    pub(super) saved: Vec<Uid>,
    /// Messages that this session put here and was not told of yet.
    pub(super) own: Vec<Uid>,
    /// The highest MODSEQ of the FETCH responses.
    pub(super) told_modseq: ModSeq,
    /// The client was told of a HIGHESTMODSEQ that is lower than what it was told by FETCH.
    pub(super) is_held_back: bool,
}

/// What a command has at hand: the login is proof that there is one.
pub(super) struct Context<'a> {
    pub(super) config: &'a Config,
    pub(super) account: &'a mut Account,
    pub(super) out: &'a mut Vec<u8>,
}

impl Account {
    pub(super) fn new() -> Self {
        Self {
            enabled: Enabled::default(),
            mailbox: None,
            notify: Notify::Default,
            events: VecDeque::new(),
            own: Vec::new(),
        }
    }

    /// Turns CONDSTORE on because a command uses it (RFC 7162 §3.1): the client is told where the mailbox stands.
    pub(super) fn enable_condstore(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.enabled.condstore, true) {
            return;
        }
        if let Some(mailbox) = &self.mailbox {
            let code = ResponseCode::HighestModSeq(mailbox.view.snapshot.highest_modseq);
            Response::Fact.untagged_with(Some(&code), "Highest", out);
        }
    }

    /// Notes that this session put messages into a mailbox: where that is the selected one, NOTIFY fetches nothing of them
    /// (RFC 5465 §5.2).
    pub(super) fn put(&mut self, to: &MailboxName, uid_validity: UidValidity, uids: &[Uid]) {
        let fetches = self.notify.selected().new_items.is_some();
        if let Some(mailbox) = &mut self.mailbox
            && fetches
            && mailbox.name == *to
            && mailbox.view.snapshot.uid_validity == uid_validity
        {
            mailbox.own.extend_from_slice(uids);
        }
    }

    /// Notes what this session changed, so that NOTIFY does not tell it (RFC 5465 §5). The selected mailbox goes on under its new
    /// name.
    pub(super) fn did(&mut self, change: OwnChange) {
        if let (OwnChange::Renamed { from, to }, Some(mailbox)) = (&change, &mut self.mailbox)
            && let Some(name) = mailbox.name.renamed(from, to)
        {
            mailbox.name = name;
        }
        let room = EVENTS_MAX.saturating_sub(self.own.len());
        let events = self.notify.events_of(change, &self.own);
        self.own.extend(events.into_iter().take(room));
    }

    /// The selected mailbox goes on under the name that it has now, whoever renamed it, or what is above it.
    pub(super) fn follow(&mut self, folders: &BTreeMap<MailboxId, FolderFacts>) {
        if let Some(mailbox) = &mut self.mailbox
            && let Some(facts) = folders.get(&mailbox.view.snapshot.mailbox)
        {
            mailbox.name.clone_from(&facts.name);
        }
    }

    /// Takes a newer state of the selected mailbox over; says whether it is still the same mailbox.
    pub(super) fn advance(&mut self, newest: Arc<Snapshot>) -> bool {
        let Some(mailbox) = &mut self.mailbox else { return true };
        let known = &mailbox.view.snapshot;
        if newest.mailbox != known.mailbox
            || Arc::ptr_eq(&newest, known)
            || newest.highest_modseq < known.highest_modseq
        {
            return true;
        }
        if newest.uid_validity != known.uid_validity {
            return false;
        }
        Arc::make_mut(&mut mailbox.view).advance(newest);
        true
    }
}

impl Enabled {
    /// How names are written.
    pub(super) const fn names(self) -> NameEncoding {
        if self.has_utf8() { NameEncoding::Utf8 } else { NameEncoding::ModifiedUtf7 }
    }

    /// Whether quoted strings may hold UTF-8.
    pub(super) const fn has_utf8(self) -> bool {
        self.utf8 || self.rev2
    }

    /// Whether messages that are gone are told as VANISHED.
    pub(super) const fn has_vanished(self) -> bool {
        self.qresync || self.uid_only
    }
}
