//! NOTIFY (RFC 5465): what is told without being asked, of the selected mailbox and of others.

use std::collections::{BTreeMap, BTreeSet};

use types::mailstore::MailboxId;

use super::account::{Account, Context};
use super::reply::Reply;
use super::work::{Next, Pending};
use super::{Event, FolderFacts, Task, folders, list, metadata, status, tell};
use crate::command::{
    EventGroup, FetchItem, MailboxFilter, MailboxName, NotifyCommand, NotifyEvent, StatusItem,
};
use crate::name::SEPARATOR;
use crate::response::{Response, untagged};
use crate::view::Allowed;

/// What the client wants to hear.
pub(super) enum Notify {
    /// It never said NOTIFY: of the selected mailbox, while a command is in progress.
    Default,
    /// Nothing.
    None,
    /// What it said.
    Set(Box<Watching>),
}

/// A NOTIFY SET that holds.
pub(super) struct Watching {
    selected: Option<SelectedEvents>,
    /// Of other mailboxes.
    groups: Vec<EventGroup>,
    /// What the client was last told of them, or could have been.
    folders: BTreeMap<MailboxId, FolderFacts>,
    subscribed: BTreeSet<String>,
}

/// Events of the selected mailbox.
struct SelectedEvents {
    is_delayed: bool,
    /// MessageNew and MessageExpunge, which come together (RFC 5465 §5).
    messages: bool,
    flags: bool,
    new_items: Vec<FetchItem>,
}

/// Which events of the selected mailbox are told.
pub(super) struct Wanted<'a> {
    pub(super) messages: bool,
    pub(super) flags: bool,
    /// What is fetched of new messages.
    pub(super) new_items: Option<&'a [FetchItem]>,
}

/// What this session did itself: NOTIFY should tell nothing of it (RFC 5465 §5). Annotations are left out: one event of them is
/// about several entries, and what had its value already is in none; the store does not answer which these were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OwnChange {
    Created(MailboxName),
    Deleted(MailboxName),
    Renamed { from: MailboxName, to: MailboxName },
    Subscription { mailbox: MailboxName, subscribed: bool },
}

/// A NOTIFY that waits for the state of the mailboxes.
pub(super) struct Setting {
    watching: Option<Watching>,
    status: bool,
}

/// Begins NOTIFY. Which events go with which was looked at by the grammar.
pub(super) fn begin(cx: &mut Context<'_>, command: NotifyCommand) -> Next {
    let (status, groups) = match command {
        NotifyCommand::None => {
            let was_watched = cx.account.is_watching();
            cx.account.notify = Notify::None;
            cx.account.own.clear();
            let setting = Setting { watching: None, status: false };
            return if was_watched {
                Next::Ask(Task::Watch(false), Pending::Notify(setting))
            } else {
                Next::completed("NOTIFY")
            };
        }
        NotifyCommand::Set { status, groups } => (status, groups),
    };
    let (of_selected, groups): (Vec<_>, Vec<_>) = groups.into_iter().partition(is_of_selected);
    let selected = of_selected.into_iter().next().map(SelectedEvents::new);
    let watches = !groups.is_empty();
    let watching = Watching { selected, groups, folders: BTreeMap::new(), subscribed: BTreeSet::new() };
    Next::Ask(Task::Watch(watches), Pending::Notify(Setting { watching: Some(watching), status }))
}

impl Setting {
    /// From here on it holds. What happened before is told first, as by NOOP (RFC 5465 §3.1).
    pub(super) fn answer(
        self,
        cx: &mut Context<'_>,
        folders: Vec<FolderFacts>,
        subscribed: Vec<String>,
    ) -> Next {
        let reply = Reply::completed("NOTIFY");
        let Some(mut watching) = self.watching else { return Next::end(reply) };
        let requests = tell::tell(cx, Allowed::All);
        watching.subscribed = subscribed.into_iter().collect();
        if self.status {
            let selected = selected_name(cx.account);
            for folder in folders.iter().filter(|folder| Some(&folder.name) != selected.as_ref()) {
                let items = watching.first_status(&folder.name, cx.account.enabled.condstore);
                if !items.is_empty() {
                    status::write(folder, &items, cx);
                }
            }
        }
        watching.folders = folders.into_iter().map(|folder| (folder.id, folder)).collect();
        cx.account.follow(&watching.folders);
        cx.account.notify = Notify::Set(Box::new(watching));
        // It was noted for what was told until now.
        cx.account.own.clear();
        if requests.is_empty() { Next::end(reply) } else { Next::Write(requests, Allowed::All, reply) }
    }
}

impl Notify {
    /// Whether NOTIFY SET holds.
    pub(super) const fn is_set(&self) -> bool {
        matches!(self, Self::Set(_))
    }

    /// Whether the client never said NOTIFY.
    pub(super) const fn is_default(&self) -> bool {
        matches!(self, Self::Default)
    }

    /// Whether other mailboxes than the selected one are watched.
    pub(super) fn watches_others(&self) -> bool {
        matches!(self, Self::Set(watching) if !watching.groups.is_empty())
    }

    /// The changes of which events will come: levels above a new mailbox are made with it, and where nothing changed
    /// nothing is told. Where the selected mailbox alone is watched there are none. Of what was `noted` events are still to come.
    pub(super) fn events_of(&self, change: OwnChange, noted: &[OwnChange]) -> Vec<OwnChange> {
        let Self::Set(watching) = self else { return Vec::new() };
        if !self.watches_others() {
            return Vec::new();
        }
        let made = |name: &MailboxName| {
            let above = list::levels_above(&name.0).filter(|above| !watching.will_exist(above, noted));
            above.map(|above| OwnChange::Created(MailboxName(above.to_owned()))).collect::<Vec<_>>()
        };
        let (mut changes, change) = match change {
            OwnChange::Created(name) => (made(&name), OwnChange::Created(name)),
            // INBOX stays: what is new is where its messages are (RFC 9051 §6.3.6).
            OwnChange::Renamed { from, to } if from.0 == "INBOX" => (made(&to), OwnChange::Created(to)),
            OwnChange::Renamed { from, to } => (made(&to), OwnChange::Renamed { from, to }),
            OwnChange::Subscription { mailbox, subscribed }
                if watching.is_subscribed(&mailbox, noted) == subscribed =>
            {
                return Vec::new();
            }
            other => (Vec::new(), other),
        };
        changes.push(change);
        changes
    }

    /// What of the selected mailbox is told.
    pub(super) fn selected(&self) -> Wanted<'_> {
        match self {
            Self::Default => Wanted { messages: true, flags: true, new_items: None },
            Self::None => Wanted { messages: false, flags: false, new_items: None },
            Self::Set(watching) => match &watching.selected {
                Some(events) => Wanted {
                    messages: events.messages,
                    flags: events.flags,
                    new_items: Some(&events.new_items[..]).filter(|items| !items.is_empty()),
                },
                None => Wanted { messages: false, flags: false, new_items: None },
            },
        }
    }

    /// What may be told of the selected mailbox while no command is in progress.
    pub(super) fn between_commands(&self) -> Allowed {
        match self {
            Self::Set(watching) => match &watching.selected {
                Some(events) if events.is_delayed => Allowed::NotExpunge,
                Some(_) => Allowed::All,
                None => Allowed::Nothing,
            },
            Self::Default | Self::None => Allowed::Nothing,
        }
    }
}

impl SelectedEvents {
    fn new(group: EventGroup) -> Self {
        let mut selected = Self {
            is_delayed: group.filter == MailboxFilter::SelectedDelayed,
            messages: false,
            flags: false,
            new_items: Vec::new(),
        };
        for event in group.events {
            match event {
                NotifyEvent::MessageNew(items) => {
                    selected.messages = true;
                    selected.new_items = items;
                }
                NotifyEvent::FlagChange => selected.flags = true,
                _ => {}
            }
        }
        selected
    }
}

impl Watching {
    /// Whether an event of a mailbox of this name is told.
    fn wants(&self, name: &MailboxName, is_event: impl Fn(&NotifyEvent) -> bool) -> bool {
        let fits = |filter: &MailboxFilter| match filter {
            MailboxFilter::Selected | MailboxFilter::SelectedDelayed => false,
            // Rules of delivery may lead into any mailbox (RFC 5465 §6.3).
            MailboxFilter::Inboxes | MailboxFilter::Personal => true,
            MailboxFilter::Subscribed => self.subscribed.contains(&name.0),
            MailboxFilter::Mailboxes(names) => names.contains(name),
            MailboxFilter::Subtree(names) => names.iter().any(|top| below(&name.0, &top.0).is_some()),
        };
        self.groups.iter().any(|group| fits(&group.filter) && group.events.iter().any(&is_event))
    }

    /// Whether there is such a mailbox when all events of what was noted have come.
    fn will_exist(&self, name: &str, noted: &[OwnChange]) -> bool {
        let Some((last, noted)) = noted.split_last() else {
            return self.folders.values().any(|folder| folder.name.0 == name);
        };
        match last {
            OwnChange::Created(made) if made.0 == name => true,
            OwnChange::Deleted(gone) if gone.0 == name => false,
            OwnChange::Renamed { from, to } => match (below(name, &to.0), below(name, &from.0)) {
                // What was there already stays there (a level may have been no mailbox).
                (Some(rest), _) => {
                    self.will_exist(&format!("{}{rest}", from.0), noted) || self.will_exist(name, noted)
                }
                (None, Some(_)) => false,
                (None, None) => self.will_exist(name, noted),
            },
            _ => self.will_exist(name, noted),
        }
    }

    /// Whether it is when all events of what was noted have come.
    fn is_subscribed(&self, name: &MailboxName, noted: &[OwnChange]) -> bool {
        let last = noted.iter().rev().find_map(|change| match change {
            OwnChange::Subscription { mailbox, subscribed } if mailbox == name => Some(*subscribed),
            _ => None,
        });
        last.unwrap_or_else(|| self.subscribed.contains(&name.0))
    }

    /// What is below a mailbox follows it, and nothing is told of that (RFC 5465 §5.4).
    fn rename_below(&mut self, from: &MailboxName, to: &MailboxName) {
        for folder in self.folders.values_mut() {
            if let Some(rest) = below(&folder.name.0, &from.0).filter(|rest| !rest.is_empty()) {
                folder.name = MailboxName(format!("{}{rest}", to.0));
            }
        }
    }

    fn wants_new(&self, name: &MailboxName) -> bool {
        self.wants(name, |event| matches!(event, NotifyEvent::MessageNew(_)))
    }

    fn wants_flags(&self, name: &MailboxName) -> bool {
        self.wants(name, |event| *event == NotifyEvent::FlagChange)
    }

    fn wants_names(&self, name: &MailboxName) -> bool {
        self.wants(name, |event| *event == NotifyEvent::MailboxName)
    }

    /// What NOTIFY SET STATUS tells of a mailbox (RFC 5465 §3.1).
    fn first_status(&self, name: &MailboxName, condstore: bool) -> Vec<StatusItem> {
        let mut items = Vec::new();
        if self.wants_new(name) {
            items.extend([StatusItem::UidValidity, StatusItem::UidNext, StatusItem::Messages]);
        }
        if !items.is_empty() && (condstore || self.wants_flags(name)) {
            items.push(StatusItem::HighestModSeq);
        }
        items
    }

    /// What STATUS tells of a mailbox that changed (RFC 5465 §5.1 to §5.3).
    fn changed_status(&self, was: &FolderFacts, is: &FolderFacts, condstore: bool) -> Vec<StatusItem> {
        let mut items = Vec::new();
        let counts = (was.uid_next, was.messages) != (is.uid_next, is.messages);
        if counts && self.wants_new(&is.name) {
            items.extend([StatusItem::UidNext, StatusItem::Messages]);
        }
        let flags = self.wants_flags(&is.name);
        if flags && was.unseen != is.unseen {
            items.push(StatusItem::Unseen);
        }
        if flags && (was.uid_validity != is.uid_validity || (condstore && !counts)) {
            items.push(StatusItem::UidValidity);
        }
        if condstore && was.highest_modseq != is.highest_modseq && (flags || !items.is_empty()) {
            items.push(StatusItem::HighestModSeq);
        }
        // UIDVALIDITY alone says nothing.
        if items == [StatusItem::UidValidity] && was.uid_validity == is.uid_validity {
            items.clear();
        }
        items
    }
}

/// Tells an event, where it was asked for.
pub(super) fn tell(cx: &mut Context<'_>, event: Event) {
    let enabled = cx.account.enabled;
    if let Event::Metadata { mailbox, entries } = &event {
        let wants = match &cx.account.notify {
            Notify::Set(watching) => match mailbox {
                Some(name) => watching.wants(name, |event| *event == NotifyEvent::MailboxMetadataChange),
                None => watching
                    .groups
                    .iter()
                    .any(|group| group.events.contains(&NotifyEvent::ServerMetadataChange)),
            },
            Notify::Default | Notify::None => false,
        };
        // What NOTIFY does not name is not told (RFC 5465 §5), whatever was enabled before.
        if wants || (enabled.metadata && cx.account.notify.is_default()) {
            metadata::write_changed(mailbox.as_ref(), entries, enabled.names(), cx.out);
        }
        return;
    }
    // Taken out while it is used, so that the rest of the account can be.
    let mut watching = match std::mem::replace(&mut cx.account.notify, Notify::None) {
        Notify::Set(watching) => watching,
        other => {
            cx.account.notify = other;
            return;
        }
    };
    match event {
        // Of the selected mailbox nothing is lost.
        Event::Lost if watching.groups.is_empty() => {}
        Event::Lost => return Response::NotificationOverflow.untagged(cx.out),
        Event::Folder { facts, before } => tell_folder(cx, &mut watching, *facts, before),
        Event::FolderGone(name) => {
            watching.folders.retain(|_, folder| folder.name != name);
            if !is_own(cx, &OwnChange::Deleted(name.clone())) {
                if watching.wants_names(&name) {
                    write_list(cx, &watching, &name, None);
                }
                tell_parent(cx, &watching, &name);
            }
        }
        Event::Subscribed { mailbox, subscribed } => {
            let own = OwnChange::Subscription { mailbox: mailbox.clone(), subscribed };
            if subscribed {
                watching.subscribed.insert(mailbox.0.clone());
            }
            let wants = watching.wants(&mailbox, |event| *event == NotifyEvent::SubscriptionChange);
            if !subscribed {
                watching.subscribed.remove(&mailbox.0);
            }
            if !is_own(cx, &own) && wants {
                write_list(cx, &watching, &mailbox, None);
            }
        }
        Event::Metadata { .. } | Event::Alert(_) | Event::SelectedGone => {}
    }
    cx.account.notify = Notify::Set(watching);
}

fn tell_folder(
    cx: &mut Context<'_>,
    watching: &mut Watching,
    facts: FolderFacts,
    before: Option<MailboxName>,
) {
    let name = facts.name.clone();
    let Some(was) = watching.folders.insert(facts.id, facts.clone()) else {
        if is_own(cx, &OwnChange::Created(name.clone())) {
            return;
        }
        if watching.wants_names(&name) {
            write_list(cx, watching, &name, before.as_ref());
        }
        return tell_parent(cx, watching, &name);
    };
    if was.name != name {
        watching.rename_below(&was.name, &name);
        cx.account.follow(&watching.folders);
        let own = OwnChange::Renamed { from: was.name.clone(), to: name.clone() };
        if !is_own(cx, &own) && watching.wants_names(&name) {
            write_list(cx, watching, &name, Some(&was.name));
        }
    }
    if selected_name(cx.account).as_ref() == Some(&name) {
        return;
    }
    let items = watching.changed_status(&was, &facts, cx.account.enabled.condstore);
    if !items.is_empty() {
        status::write(&facts, &items, cx);
    }
}

/// Whether this session did it. Each change has one event.
fn is_own(cx: &mut Context<'_>, change: &OwnChange) -> bool {
    let own = &mut cx.account.own;
    let at = own.iter().position(|own| own == change);
    at.map(|at| own.remove(at)).is_some()
}

/// The level above is affected too: it may have others below it now, or none (RFC 5465 §5.4).
fn tell_parent(cx: &mut Context<'_>, watching: &Watching, name: &MailboxName) {
    let Some((above, _)) = name.0.rsplit_once(SEPARATOR) else { return };
    let above = MailboxName(above.to_owned());
    if watching.wants_names(&above) {
        write_list(cx, watching, &above, None);
    }
}

/// `* LIST () "/" "NewMailbox" ("OLDNAME" ("OldMailbox"))`
fn write_list(cx: &mut Context<'_>, watching: &Watching, name: &MailboxName, old_name: Option<&MailboxName>) {
    let enabled = cx.account.enabled;
    let existing: BTreeMap<&str, &FolderFacts> =
        watching.folders.values().map(|folder| (folder.name.0.as_str(), folder)).collect();
    let mut attributes = Vec::new();
    if watching.subscribed.contains(&name.0) {
        attributes.push("\\Subscribed");
    }
    match existing.get(name.0.as_str()) {
        Some(folder) => {
            attributes.push(list::children(&name.0, &existing));
            attributes.extend(folder.special_use.map(|special_use| special_use.attribute()));
        }
        None => attributes.push(folders::absent(enabled, true)),
    }
    untagged(cx.out, |out| {
        list::write_facts("LIST", &attributes, name, enabled, out);
        list::write_old_name(old_name, enabled, out);
    });
}

/// What of a name is behind that of a mailbox at or above it: nothing, or a separator and the rest.
fn below<'n>(name: &'n str, top: &str) -> Option<&'n str> {
    name.strip_prefix(top).filter(|rest| rest.is_empty() || rest.starts_with(SEPARATOR))
}

fn selected_name(account: &Account) -> Option<MailboxName> {
    account.mailbox.as_ref().map(|mailbox| mailbox.name.clone())
}

fn is_of_selected(group: &EventGroup) -> bool {
    matches!(group.filter, MailboxFilter::Selected | MailboxFilter::SelectedDelayed)
}
