//! The UPDATE state (RFC 1939 §6): what becomes of messages that a client has deleted, retrieved, or left for too long.

use pop3::Failure;
use store::{AccountId, Flags, MailboxId, MessageEntry, SpecialUse, StoreError, Transfer, Uid};
use tracing::{info, warn};
use types::{EventStep, Timestamp, Verdict};

use super::login::Opened;
use super::{Driver, failure};
use crate::config::{Pop3Deleted, Pop3Expiry, Switch};
use crate::shared::Shared;

/// Marks messages that POP3 shows no more (`[pop3] deleted = "hide"`), as other servers do.
const HIDDEN: &str = "$POP3Deleted";
/// Marks messages that a client has retrieved, where those go after some days (`[pop3] expire`).
pub(super) const RETRIEVED: &str = "$POP3Retrieved";

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// How long a message stays from when it came (`[pop3] expire`).
#[derive(Debug, Clone, Copy)]
pub(super) struct Days(pub(super) u32);

impl Days {
    pub(super) const fn are_over(self, entry: &MessageEntry, now: Timestamp) -> bool {
        entry.saved_at.millis().saturating_add(self.0 as u64 * DAY_MS) <= now.millis()
    }
}

/// Whether POP3 has deleted a message that is there yet.
pub(super) fn is_hidden(entry: &MessageEntry, keywords: &[String]) -> bool {
    keyword(keywords, HIDDEN).is_some_and(|hidden| entry.flags.contains(hidden))
}

impl Driver {
    pub(super) async fn update(&mut self, deleted: &[usize], retrieved: &[usize]) -> Result<(), Failure> {
        self.check_standing().await?;
        let Some(opened) = &self.opened else { return Ok(()) };
        let session_id = self.peer.session_id;
        match update(&self.shared, opened, deleted, retrieved).await {
            Ok(Updated { gone: 0, .. }) => Ok(()),
            Ok(Updated { gone, expired, how }) => {
                info!(%session_id, mailbox = %opened.mailbox, messages = gone, "messages {how} by POP3");
                let also = if expired > 0 { format!(", {expired} of them by EXPIRE") } else { String::new() };
                self.timeline.note(EventStep::Command, format!("QUIT: {gone} messages {how}{also}"));
                Ok(())
            }
            Err(why) => {
                warn!(%session_id, mailbox = %opened.mailbox, %why, "messages could not be removed");
                let reason = format!("QUIT: messages could not be removed: {why}");
                self.timeline.judged(EventStep::Command, Verdict::Deferred, None, reason);
                Err(failure(&why))
            }
        }
    }
}

struct Updated {
    gone: usize,
    /// Those that no DELE has named.
    expired: usize,
    how: &'static str,
}

/// What was read is marked first: where that fails, nothing is deleted, and the client hears of it.
async fn update(
    shared: &Shared,
    opened: &Opened,
    deleted: &[usize],
    retrieved: &[usize],
) -> Result<Updated, StoreError> {
    let config = &shared.config.pop3;
    let now = shared.now();
    let expired = match config.expire {
        Pop3Expiry::Never => Vec::new(),
        Pop3Expiry::AfterDays(days) => expired(opened, deleted, retrieved, Days(days), now),
    };
    let uids = |indices: &[usize]| -> Vec<Uid> {
        indices.iter().filter_map(|index| opened.entries.get(*index)).map(|entry| entry.uid).collect()
    };
    let kept: Vec<usize> =
        retrieved.iter().copied().filter(|index| expired.binary_search(index).is_err()).collect();
    mark_read(shared, opened, &uids(&kept)).await?;
    let mut going = uids(deleted);
    going.extend(uids(&expired));
    going.sort_unstable();
    let (gone, how) = remove(shared, opened.account, opened.mailbox, &going, now).await?;
    Ok(Updated { gone, expired: expired.len(), how })
}

/// Messages that a client has retrieved, now or before, and whose days are over; by position, ascending.
fn expired(
    opened: &Opened,
    deleted: &[usize],
    retrieved: &[usize],
    days: Days,
    now: Timestamp,
) -> Vec<usize> {
    let mark = keyword(&opened.keywords, RETRIEVED);
    let entries = opened.entries.iter().enumerate();
    let is_due = |(index, entry): &(usize, &MessageEntry)| {
        let was_read =
            retrieved.binary_search(index).is_ok() || mark.is_some_and(|mark| entry.flags.contains(mark));
        was_read && days.are_over(entry, now) && deleted.binary_search(index).is_err()
    };
    entries.filter(is_due).map(|(index, _)| index).collect()
}

async fn mark_read(shared: &Shared, opened: &Opened, uids: &[Uid]) -> Result<(), StoreError> {
    let config = &shared.config.pop3;
    let mut add = if config.mark_seen == Switch::On { Flags::SEEN } else { Flags::NONE };
    if !uids.is_empty() && matches!(config.expire, Pop3Expiry::AfterDays(days) if days > 0) {
        add = add.with(flag(shared, opened.mailbox, RETRIEVED).await?);
    }
    if !uids.is_empty() && add != Flags::NONE {
        shared.store.store_flags(opened.mailbox, uids, add, Flags::NONE, None).await?;
    }
    Ok(())
}

/// How many went, and how. What another program has removed meanwhile is passed over.
pub(super) async fn remove(
    shared: &Shared,
    account: AccountId,
    mailbox: MailboxId,
    uids: &[Uid],
    now: Timestamp,
) -> Result<(usize, &'static str), StoreError> {
    let store = &shared.store;
    if uids.is_empty() {
        return Ok((0, ""));
    }
    match shared.config.pop3.deleted {
        Pop3Deleted::Remove => Ok((store.expunge(mailbox, uids, now).await?.len(), "removed")),
        Pop3Deleted::Trash => {
            let trash = crate::filing::mailbox_for(shared, account, SpecialUse::Trash, now).await?;
            let moved = store.transfer(mailbox, uids, trash, Transfer::Move, now).await?;
            Ok((moved.uids.len(), "moved into the trash"))
        }
        Pop3Deleted::Hide => {
            let hidden = flag(shared, mailbox, HIDDEN).await?;
            let stored = store.store_flags(mailbox, uids, hidden, Flags::NONE, None).await?;
            Ok((stored.changed.len(), "hidden"))
        }
    }
}

/// The place of a keyword, which it gets where it has none.
async fn flag(shared: &Shared, mailbox: MailboxId, name: &str) -> Result<Flags, StoreError> {
    let keywords = shared.store.add_keywords(mailbox, &[name.to_owned()]).await?;
    let no_room = || StoreError::Conflict(format!("the mailbox has too many keywords for {name}"));
    keyword(&keywords, name).ok_or_else(no_room)
}

pub(super) fn keyword(keywords: &[String], name: &str) -> Option<Flags> {
    let place = keywords.iter().position(|keyword| keyword.eq_ignore_ascii_case(name))?;
    Flags::keyword(place)
}
