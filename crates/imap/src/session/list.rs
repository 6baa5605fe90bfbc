//! LIST in all its forms, and LSUB.
//!
//! Standards: RFC 9051 §6.3.9, RFC 3501 §6.3.8 and §6.3.9, RFC 5258 (LIST-EXTENDED), RFC 6154 (SPECIAL-USE), RFC 5819
//! (STATUS), RFC 8440 (MYRIGHTS), RFC 9590 (METADATA).

use std::collections::{BTreeMap, BTreeSet};

use super::account::{Context, Enabled};
use super::folders::{Listing, MetadataQueue, absent};
use super::pattern::Pattern;
use super::work::Next;
use super::{FolderFacts, acl, status};
use crate::command::{ListCommand, ListReturn, ListSelection, MailboxName};
use crate::name::SEPARATOR;
use crate::response::{Response, mailbox_name, untagged};

/// Begins LIST.
pub(super) fn begin(cx: &mut Context<'_>, command: ListCommand) -> Next {
    if let [pattern] = &command.patterns[..]
        && pattern.is_empty()
        && !command.is_extended
    {
        // RFC 9051 §6.3.9: the separator, and the root of the reference.
        write_line("LIST", &["\\Noselect"], &MailboxName(String::new()), cx.account.enabled, cx.out);
        return Next::completed("LIST");
    }
    Listing::List(command).ask()
}

/// Begins LSUB.
pub(super) fn begin_lsub(reference: String, pattern: String) -> Next {
    match Pattern::new(&reference, &pattern) {
        Some(pattern) => Listing::Lsub(pattern).ask(),
        None => Next::end(Response::LimitReached),
    }
}

/// Answers LIST.
pub(super) fn answer(
    cx: &mut Context<'_>,
    command: &ListCommand,
    folders: &[FolderFacts],
    subscribed: &[String],
) -> Next {
    let patterns: Option<Vec<Pattern>> =
        command.patterns.iter().map(|pattern| Pattern::new(&command.reference, pattern)).collect();
    let Some(patterns) = patterns else { return Next::end(Response::LimitReached) };
    let tree = Tree::new(folders, subscribed, &command.selection);
    let mut with_metadata = Vec::new();
    for name in tree.names() {
        let Some(shown) = tree.shown(name, &patterns) else { continue };
        let name = MailboxName(name.to_owned());
        let attributes = tree.attributes(&name.0, command, cx.account.enabled);
        write_entry(&attributes, &name, &shown, cx);
        let Some(facts) = tree.existing.get(name.0.as_str()) else { continue };
        for option in &command.returns {
            match option {
                ListReturn::Status(items) => status::write(facts, items, cx),
                ListReturn::MyRights => acl::write_my_rights(&name, cx),
                ListReturn::Metadata(_) => with_metadata.push(name.clone()),
                ListReturn::Subscribed | ListReturn::Children | ListReturn::SpecialUse => {}
            }
        }
    }
    with_metadata.reverse();
    let entries = command.returns.iter().find_map(|option| match option {
        ListReturn::Metadata(entries) => Some(entries.clone()),
        _ => None,
    });
    MetadataQueue { mailboxes: with_metadata, entries: entries.unwrap_or_default() }.ask()
}

/// Answers LSUB: names that are subscribed to; with `%` also the levels above them (RFC 3501 §6.3.9).
pub(super) fn answer_lsub(cx: &mut Context<'_>, pattern: &Pattern, subscribed: &[String]) -> Next {
    let mut shown: BTreeMap<&str, &[&str]> = BTreeMap::new();
    for name in subscribed {
        if pattern.matches(name) {
            shown.insert(name, &[]);
        } else if pattern.has_level() {
            for above in levels_above(name).filter(|above| pattern.matches(above)) {
                shown.entry(above).or_insert(&["\\Noselect"]);
            }
        }
    }
    for name in subscribed.iter().filter(|name| shown.contains_key(name.as_str())).collect::<Vec<_>>() {
        shown.insert(name, &[]);
    }
    for (name, attributes) in shown {
        write_line("LSUB", attributes, &MailboxName(name.to_owned()), cx.account.enabled, cx.out);
    }
    Next::completed("LSUB")
}

/// `* LIST (\HasNoChildren) "/" INBOX`
pub(super) fn write_line(
    verb: &str,
    attributes: &[&str],
    name: &MailboxName,
    enabled: Enabled,
    out: &mut Vec<u8>,
) {
    untagged(out, |out| write_facts(verb, attributes, name, enabled, out));
}

/// The same without its `*` and its end, where more follows.
pub(super) fn write_facts(
    verb: &str,
    attributes: &[&str],
    name: &MailboxName,
    enabled: Enabled,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(verb.as_bytes());
    out.extend_from_slice(b" (");
    out.extend_from_slice(attributes.join(" ").as_bytes());
    out.extend_from_slice(b") \"/\" ");
    mailbox_name(name, enabled.names(), out);
}

/// ` ("OLDNAME" ("OldMailbox"))`: a name that a mailbox had, or that a client gave it (RFC 9051 §6.3.9.7).
pub(super) fn write_old_name(old_name: Option<&MailboxName>, enabled: Enabled, out: &mut Vec<u8>) {
    let Some(old_name) = old_name else { return };
    out.extend_from_slice(b" (\"OLDNAME\" (");
    mailbox_name(old_name, enabled.names(), out);
    out.extend_from_slice(b"))");
}

/// Tells a client of IMAP4rev2 the name of a mailbox that it has named otherwise (RFC 9051 §6.3.9.7).
pub(super) fn write_normalized(
    attributes: &[&str],
    name: &MailboxName,
    said: Option<&MailboxName>,
    enabled: Enabled,
    out: &mut Vec<u8>,
) {
    if said.is_some() && enabled.rev2 {
        untagged(out, |out| {
            write_facts("LIST", attributes, name, enabled, out);
            write_old_name(said, enabled, out);
        });
    }
}

/// The attribute that says whether there are mailboxes below.
pub(super) fn children(name: &str, existing: &BTreeMap<&str, &FolderFacts>) -> &'static str {
    let below = format!("{name}{SEPARATOR}");
    let next = existing.range(below.as_str()..).next();
    if next.is_some_and(|(next, _)| next.starts_with(&below)) { "\\HasChildren" } else { "\\HasNoChildren" }
}

/// Names of the levels above a name, from the highest.
pub(super) fn levels_above(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices(SEPARATOR).map(|(at, _)| &name[..at])
}

/// Why a name is listed.
struct Shown {
    /// It has others below that meet the selection (RFC 5258 §3.5).
    child_info: Vec<&'static str>,
}

fn write_entry(attributes: &[&str], name: &MailboxName, shown: &Shown, cx: &mut Context<'_>) {
    let enabled = cx.account.enabled;
    untagged(cx.out, |out| {
        write_facts("LIST", attributes, name, enabled, out);
        if !shown.child_info.is_empty() {
            let criteria: Vec<String> =
                shown.child_info.iter().map(|criterion| format!("\"{criterion}\"")).collect();
            out.extend_from_slice(format!(" (\"CHILDINFO\" ({}))", criteria.join(" ")).as_bytes());
        }
    });
}

/// All names that LIST could show, and what it selects of them.
struct Tree<'a> {
    existing: BTreeMap<&'a str, &'a FolderFacts>,
    subscribed: BTreeSet<&'a str>,
    /// Names that meet the selection, whether or not a pattern fits them.
    selected: BTreeSet<&'a str>,
    /// Levels that are above others, and are no mailboxes.
    levels: BTreeSet<&'a str>,
    criteria: Vec<&'static str>,
    is_recursive: bool,
}

impl<'a> Tree<'a> {
    fn new(folders: &'a [FolderFacts], subscribed: &'a [String], selection: &[ListSelection]) -> Self {
        let existing: BTreeMap<&str, &FolderFacts> =
            folders.iter().map(|folder| (folder.name.0.as_str(), folder)).collect();
        let subscribed: BTreeSet<&str> = subscribed.iter().map(String::as_str).collect();
        let by_subscription = selection.contains(&ListSelection::Subscribed);
        let by_use = selection.contains(&ListSelection::SpecialUse);
        let meets = |name: &&str| {
            (!by_subscription || subscribed.contains(name))
                && (!by_use || existing.get(name).is_some_and(|folder| folder.special_use.is_some()))
        };
        let subscribed_names = subscribed.iter().copied().filter(|_| by_subscription);
        let selected: BTreeSet<&str> =
            existing.keys().copied().chain(subscribed_names).filter(meets).collect();
        let below: Vec<&str> = if selection.is_empty() || selection == [ListSelection::Remote] {
            existing.keys().copied().collect()
        } else {
            selected.iter().copied().collect()
        };
        let levels = below.into_iter().flat_map(levels_above).filter(|name| !existing.contains_key(name));
        let levels = levels.collect();
        let named = [(by_subscription, "SUBSCRIBED"), (by_use, "SPECIAL-USE")];
        let criteria = named.into_iter().filter(|(is, _)| *is).map(|(_, name)| name).collect();
        let is_recursive = selection.contains(&ListSelection::RecursiveMatch);
        Self { existing, subscribed, selected, levels, criteria, is_recursive }
    }

    /// INBOX first, then by name.
    fn names(&self) -> impl Iterator<Item = &'a str> {
        let all: BTreeSet<&'a str> =
            self.existing.keys().chain(&self.selected).chain(&self.levels).copied().collect();
        let inbox = all.get("INBOX").copied();
        inbox.into_iter().chain(all.into_iter().filter(|name| *name != "INBOX"))
    }

    /// Whether a name is listed.
    fn shown(&self, name: &str, patterns: &[Pattern]) -> Option<Shown> {
        let fits = |name: &str| patterns.iter().any(|pattern| pattern.matches(name));
        if !fits(name) {
            return None;
        }
        let is_selected = self.selected.contains(name);
        if self.is_recursive {
            let below = format!("{name}{SEPARATOR}");
            let mut selected_below = self
                .selected
                .range(below.as_str()..)
                .take_while(|other| other.starts_with(&below))
                .peekable();
            let has_below = selected_below.peek().is_some();
            // RFC 5258 §3.5: what is told of a child anyway is not told of its parent.
            let is_due = is_selected || selected_below.any(|other| !fits(other));
            let child_info = if has_below { self.criteria.clone() } else { Vec::new() };
            return is_due.then_some(Shown { child_info });
        }
        let is_level = self.criteria.is_empty()
            && self.levels.contains(name)
            && patterns.iter().any(|pattern| pattern.ends_in_level() && pattern.matches(name));
        (is_selected || is_level).then_some(Shown { child_info: Vec::new() })
    }

    fn attributes(&self, name: &str, command: &ListCommand, enabled: Enabled) -> Vec<&'static str> {
        let mut attributes = Vec::new();
        let asks_subscribed = command.returns.contains(&ListReturn::Subscribed)
            || command.selection.contains(&ListSelection::Subscribed);
        if asks_subscribed && self.subscribed.contains(name) {
            attributes.push("\\Subscribed");
        }
        match self.existing.get(name) {
            Some(folder) => {
                attributes.push(children(name, &self.existing));
                attributes.extend(folder.special_use.map(|special_use| special_use.attribute()));
            }
            None => {
                attributes.push(absent(enabled, command.is_extended));
                if children(name, &self.existing) == "\\HasChildren" {
                    attributes.push("\\HasChildren");
                }
            }
        }
        attributes
    }
}
