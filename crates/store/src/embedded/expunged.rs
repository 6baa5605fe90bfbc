//! What was expunged and can be restored, and letting it go.

use types::Timestamp;

use super::core::PurgeAsked;
use super::folder::Role;
use super::view::{MailboxRow, Reader};
use crate::{Expunged, MailboxId, MessageEntry, StoreError, Uid};

/// A mailbox that is not listed, with the name by which its messages come back.
fn name_of(reader: &Reader, row: &MailboxRow) -> Result<String, StoreError> {
    if let Role::BinOf(of) = row.now.role
        && let Some(origin) = reader.mailbox(of)?.filter(|row| row.now.role.is_listed())
    {
        return Ok(origin.now.name);
    }
    Ok(row.now.name.clone())
}

/// When a message was expunged: a mailbox that was deleted took all of its messages with it.
const fn expunged_at(role: Role, message: &MessageEntry) -> Timestamp {
    match role {
        Role::Deleted(at) => at,
        Role::BinOf(_) | Role::Listed => message.saved_at,
    }
}

/// What can be restored of these mailboxes, oldest first.
pub(super) fn expunged(reader: &Reader, mailboxes: &[MailboxId]) -> Result<Vec<Expunged>, StoreError> {
    let mut all = Vec::new();
    for kept_in in mailboxes {
        let Some(row) = reader.mailbox(*kept_in)?.filter(|row| !row.now.role.is_listed()) else { continue };
        let mailbox_name = name_of(reader, &row)?;
        for mut message in reader.messages(*kept_in, Uid(0), usize::MAX)? {
            message.saved_at = expunged_at(row.now.role, &message);
            all.push(Expunged { kept_in: *kept_in, message, mailbox_name: mailbox_name.clone() });
        }
    }
    all.sort_by_key(|expunged| (expunged.message.saved_at, expunged.kept_in, expunged.message.uid));
    Ok(all)
}

/// Messages of a mailbox that tell whether some of it are due.
const LOOKED_AT_FIRST: usize = 16;

/// What is to be let go: up to `limit` messages that were expunged before a time, the oldest first.
pub(super) fn to_purge(
    reader: &Reader,
    before: Timestamp,
    limit: usize,
) -> Result<Vec<PurgeAsked>, StoreError> {
    let mut mailboxes = Vec::new();
    let mut found = 0;
    for id in reader.hidden()? {
        let Some(row) = reader.mailbox(id)? else { continue };
        let is_due = |message: &MessageEntry| expunged_at(row.now.role, message) < before;
        // In the order of their UIDs they were expunged: where the first are not due, the others are not looked at.
        let first = reader.messages(id, Uid(0), LOOKED_AT_FIRST.min(limit))?;
        if !first.is_empty() && !first.iter().any(is_due) {
            continue;
        }
        let messages = reader.messages(id, Uid(0), limit.saturating_add(1))?;
        let is_all = messages.len() <= limit;
        let mut due: Vec<(Timestamp, Uid)> =
            messages.iter().map(|message| (expunged_at(row.now.role, message), message.uid)).collect();
        let count = due.len();
        due.retain(|(at, _)| *at < before);
        let all_below = Some(row.now.uid_next).filter(|_| is_all && due.len() == count);
        let is_deleted_and_empty = matches!(row.now.role, Role::Deleted(at) if at < before) && count == 0;
        let is_left_over = count == 0 && is_orphaned(reader, row.now.role)?;
        if !due.is_empty() || is_deleted_and_empty || is_left_over {
            found += due.len();
            mailboxes.push((id, due, all_below));
        }
        if found > limit.saturating_mul(8) {
            found = keep_oldest(&mut mailboxes, limit);
        }
    }
    mailboxes.sort_by_key(|(id, due, _)| (due.first().map(|(at, _)| *at), *id));
    Ok(oldest(mailboxes, limit))
}

/// Whether it is for a mailbox that is no more.
fn is_orphaned(reader: &Reader, role: Role) -> Result<bool, StoreError> {
    match role {
        Role::BinOf(of) => Ok(reader.mailbox(of)?.is_none_or(|row| !row.now.role.is_listed())),
        Role::Deleted(_) | Role::Listed => Ok(false),
    }
}

type Due = (MailboxId, Vec<(Timestamp, Uid)>, Option<Uid>);

/// Leaves out what is not among the oldest, so that what is looked through takes little memory however much there is.
/// Returns how many are left: more than `limit` where several went at one time.
fn keep_oldest(mailboxes: &mut [Due], limit: usize) -> usize {
    let mut times: Vec<Timestamp> =
        mailboxes.iter().flat_map(|(_, due, _)| due.iter().map(|(at, _)| *at)).collect();
    let count = times.len();
    if limit >= count {
        return count;
    }
    let (_, until, _) = times.select_nth_unstable(limit);
    for (_, due, all_below) in mailboxes.iter_mut() {
        let count = due.len();
        due.retain(|(at, _)| *at <= *until);
        due.shrink_to_fit();
        *all_below = all_below.filter(|_| due.len() == count);
    }
    mailboxes.iter().map(|(_, due, _)| due.len()).sum()
}

/// The oldest of all, at most so many.
fn oldest(mut mailboxes: Vec<Due>, limit: usize) -> Vec<PurgeAsked> {
    keep_oldest(&mut mailboxes, limit);
    let mut left = limit;
    let asked = mailboxes.into_iter().map(|(mailbox, due, all_below)| {
        let count = due.len();
        let taken: Vec<Uid> = due.into_iter().map(|(_, uid)| uid).take(left).collect();
        left -= taken.len();
        PurgeAsked { mailbox, all_below: all_below.filter(|_| taken.len() == count), uids: taken }
    });
    asked.filter(|asked| !asked.uids.is_empty() || asked.all_below.is_some()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_first_and_no_more_than_were_asked_for() {
        let at = Timestamp::from_millis;
        let mailboxes = || {
            vec![
                (MailboxId(1), vec![(at(1), Uid(1)), (at(4), Uid(2))], Some(Uid(3))),
                (MailboxId(2), vec![(at(2), Uid(1)), (at(3), Uid(2))], None),
            ]
        };
        let taken = |limit| -> Vec<(u64, usize, bool)> {
            let asked = oldest(mailboxes(), limit);
            asked.iter().map(|a| (a.mailbox.0, a.uids.len(), a.all_below.is_some())).collect()
        };
        assert_eq!(taken(9), [(1, 2, true), (2, 2, false)]);
        assert_eq!(taken(3), [(1, 2, true), (2, 1, false)]);
        assert_eq!(taken(2), [(1, 1, false), (2, 1, false)]);
        assert_eq!(taken(1), [(1, 1, false)]);
    }
}
