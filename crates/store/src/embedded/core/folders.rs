//! Transactions of mailboxes themselves: made, renamed, deleted, and their keywords.

use types::Timestamp;
use types::mailstore::MAILBOX_NAME_BYTES_MAX;

use super::super::folder::{MailboxGone, MailboxState, Role};
use super::super::log::Batch;
use super::super::record::{Kind, Lsn};
use super::super::view::Reader;
use super::transact::Done;
use super::transfer::Moving;
use super::{Outcome, State};
use crate::{
    AccountId, Change, HIERARCHY_SEPARATOR, MailboxId, SpecialUse, StoreError, Transfer, UidValidity,
};

/// What has another meaning than other names, and is compared without regard to case (RFC 9051 §5.1).
pub(super) const INBOX: &str = "INBOX";

/// A name as it is written: INBOX as such, also above others.
pub(in super::super) fn canonical(name: &str) -> String {
    match name.split_once(HIERARCHY_SEPARATOR) {
        None if name.eq_ignore_ascii_case(INBOX) => INBOX.to_owned(),
        Some((first, rest)) if first.eq_ignore_ascii_case(INBOX) => {
            format!("{INBOX}{HIERARCHY_SEPARATOR}{rest}")
        }
        _ => name.to_owned(),
    }
}

/// The names above a name, the shortest first.
fn above(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices(HIERARCHY_SEPARATOR).map(|(at, _)| &name[..at])
}

impl State {
    pub(super) fn create_mailbox(
        &mut self,
        (account, name): (AccountId, &str),
        special_use: Option<SpecialUse>,
        at: Timestamp,
        reader: &Reader,
        batch: &mut Batch,
    ) -> Done {
        self.account(account, reader)?.ok_or(StoreError::NoSuchAccount)?;
        let name = canonical(name);
        if name.is_empty() {
            return Err(StoreError::Conflict("a mailbox needs a name".into()));
        }
        may_be_so_long(&name)?;
        if self.folder(account, &name, reader)?.is_some() {
            return Err(StoreError::Conflict(format!("there is a mailbox {name}")));
        }
        if let Some(special_use) = special_use
            && let Some(other) = self.with_special_use(account, special_use, reader)?
        {
            return Err(StoreError::Conflict(format!("{other} is for {special_use} already")));
        }
        let parents = self.missing_above(account, &name, reader)?;
        self.may_have_more(account, parents.len() + 1, reader)?;
        let first = batch.len();
        for parent in parents {
            self.make_mailbox((account, &parent), None, Role::Listed, at, batch);
        }
        let state = self.make_mailbox((account, &name), special_use, Role::Listed, at, batch);
        batch.tie(first);
        Ok(Outcome::Mailbox(state.into()))
    }

    /// Whether an account may have so many mailboxes more. Asked where they are made: of two that come at once both see the other.
    fn may_have_more(&self, account: AccountId, made: usize, reader: &Reader) -> Result<(), StoreError> {
        let max = self.mailboxes_max;
        if made > 0 && self.folder_count(account, reader)?.saturating_add(made) > max {
            return Err(StoreError::Limit(format!("an account has {max} mailboxes at most")));
        }
        Ok(())
    }

    /// The name of the mailbox that has a special use.
    fn with_special_use(
        &mut self,
        account: AccountId,
        special_use: SpecialUse,
        reader: &Reader,
    ) -> Result<Option<String>, StoreError> {
        for (name, id) in self.folders(account, reader)? {
            let found = match self.known_mailbox(id) {
                Some(state) => state.special_use,
                None => reader.mailbox(id)?.and_then(|row| row.now.special_use),
            };
            if found == Some(special_use) {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    /// The mailbox of a name, which is made where there is none.
    pub(super) fn mailbox_named(
        &mut self,
        (account, name): (AccountId, &str),
        at: Timestamp,
        reader: &Reader,
        batch: &mut Batch,
    ) -> Result<MailboxId, StoreError> {
        if let Some(id) = self.folder(account, name, reader)? {
            return Ok(id);
        }
        for parent in self.missing_above(account, name, reader)? {
            self.make_mailbox((account, &parent), None, Role::Listed, at, batch);
        }
        Ok(self.make_mailbox((account, name), None, Role::Listed, at, batch).id)
    }

    pub(super) fn missing_above(
        &self,
        account: AccountId,
        name: &str,
        reader: &Reader,
    ) -> Result<Vec<String>, StoreError> {
        let mut missing = Vec::new();
        for parent in above(name) {
            if self.folder(account, parent, reader)?.is_none() {
                missing.push(parent.to_owned());
            }
        }
        Ok(missing)
    }

    /// Makes a mailbox; that its name is free was looked at before.
    pub(super) fn make_mailbox(
        &mut self,
        (account, name): (AccountId, &str),
        special_use: Option<SpecialUse>,
        role: Role,
        at: Timestamp,
        batch: &mut Batch,
    ) -> MailboxState {
        let id = MailboxId(self.next_mailbox);
        self.next_mailbox += 1;
        // RFC 9051 §2.3.1.1 suggests the time; one that was given is never given again, whatever clocks say.
        let now = u32::try_from(at.seconds()).unwrap_or(u32::MAX);
        self.last_validity = UidValidity(now.max(self.last_validity.0.saturating_add(1)));
        let new = MailboxState::new(id, account, self.last_validity, name);
        let state = MailboxState { special_use, role, ..new };
        if role.is_listed() {
            self.set_folder(account, name, batch.end(), Some(id));
            self.tell(account, || Change::Mailbox(super::super::view::Counts::default().info(&state).into()));
        }
        self.log_mailbox(state.clone(), batch);
        state
    }

    /// Writes a mailbox as it is now.
    pub(super) fn log_mailbox(&mut self, state: MailboxState, batch: &mut Batch) {
        let lsn = batch.push(Kind::Mailbox, Vec::new(), |out| state.encode(out));
        self.set_mailbox(state, lsn);
    }

    pub(super) fn rename_mailbox(
        &mut self,
        account: AccountId,
        (from, to): (&str, &str),
        at: Timestamp,
        reader: &Reader,
        batch: &mut Batch,
    ) -> Done {
        let (from, to) = (canonical(from), canonical(to));
        let id = self.folder(account, &from, reader)?.ok_or(StoreError::NoSuchMailbox)?;
        let below = format!("{from}{HIERARCHY_SEPARATOR}");
        if to.is_empty() || to == from || to.starts_with(&below) {
            return Err(StoreError::Conflict(format!("{from} cannot become {to}")));
        }
        // What is below INBOX stays, since INBOX does (RFC 9051 §6.3.6).
        let mut moving = vec![(from.clone(), to.clone(), id)];
        if from != INBOX {
            let folders = self.folders(account, reader)?;
            let children = folders.range(below.clone()..).take_while(|(name, _)| name.starts_with(&below));
            moving.extend(
                children.map(|(name, id)| (name.clone(), format!("{to}{}", &name[from.len()..]), *id)),
            );
        }
        for (_, new, _) in &moving {
            may_be_so_long(new)?;
            if self.folder(account, new, reader)?.is_some() {
                return Err(StoreError::Conflict(format!("there is a mailbox {new}")));
            }
        }
        let parents = self.missing_above(account, &to, reader)?;
        // What had the old name is no more, but for INBOX (RFC 9051 §6.3.6).
        self.may_have_more(account, parents.len() + usize::from(from == INBOX), reader)?;
        let first = batch.len();
        if from == INBOX {
            let messages = self.gather_all(id, reader, batch.end())?;
            for parent in parents {
                self.make_mailbox((account, &parent), None, Role::Listed, at, batch);
            }
            let state = self.make_mailbox((account, &to), None, Role::Listed, at, batch);
            self.place(id, messages, state.id, Transfer::Move, at, reader, batch)?;
            batch.tie(first);
            return Ok(Outcome::Done);
        }
        let mut states = Vec::with_capacity(moving.len());
        for (_, new, id) in &moving {
            let state = self.mailbox(*id, batch.end(), reader)?.clone();
            states.push(MailboxState { name: new.clone(), ..state });
        }
        for parent in parents {
            self.make_mailbox((account, &parent), None, Role::Listed, at, batch);
        }
        for ((old, new, id), state) in moving.into_iter().zip(states) {
            self.set_folder(account, &old, batch.end(), None);
            self.set_folder(account, &new, batch.end(), Some(id));
            self.tell_mailbox(&state, reader);
            self.log_mailbox(state, batch);
        }
        batch.tie(first);
        Ok(Outcome::Done)
    }

    /// All messages of a mailbox, also those that the view does not have yet.
    fn gather_all(&self, id: MailboxId, reader: &Reader, lsn: Lsn) -> Result<Vec<Moving>, StoreError> {
        let mut uids: Vec<_> =
            reader.messages(id, crate::Uid(0), usize::MAX)?.into_iter().map(|entry| entry.uid).collect();
        uids.extend(self.unapplied_uids(id));
        self.gather(id, &uids, Transfer::Move, reader, lsn)
    }

    pub(super) fn delete_mailbox(
        &mut self,
        (id, name): (MailboxId, &str),
        at: Timestamp,
        keep: bool,
        reader: &Reader,
        batch: &mut Batch,
    ) -> Done {
        let state = self.listed(id, batch.end(), reader)?.clone();
        if state.name != name {
            // Another session renamed it meanwhile: it is not the one that was meant.
            return Err(StoreError::NoSuchMailbox);
        }
        if state.name == INBOX {
            return Err(StoreError::Conflict("INBOX stays".into()));
        }
        let bin = match state.bin {
            Some(bin) => Some(self.mailbox(bin, batch.end(), reader)?.clone()),
            None => None,
        };
        let first = batch.len();
        let account = state.account;
        self.set_folder(account, &state.name, batch.end(), None);
        if let Some(bin) = bin {
            // What was expunged from it before can be restored by this name.
            self.log_mailbox(MailboxState { name: state.name.clone(), ..bin }, batch);
        }
        if keep {
            self.log_mailbox(MailboxState { role: Role::Deleted(at), ..state }, batch);
        } else {
            self.drop_mailbox(&state, batch);
        }
        batch.tie(first);
        self.changed.removal = true;
        self.tell(account, || Change::MailboxGone(id));
        Ok(Outcome::Done)
    }

    /// Lets a mailbox go with all that is in it.
    pub(super) fn drop_mailbox(&mut self, state: &MailboxState, batch: &mut Batch) {
        let gone = MailboxGone { account: state.account, mailbox: state.id, since: batch.end() };
        batch.push(Kind::MailboxGone, Vec::new(), |out| gone.encode(out));
        self.set_gone(state.id);
    }

    pub(super) fn add_keywords(
        &mut self,
        id: MailboxId,
        names: &[String],
        reader: &Reader,
        batch: &mut Batch,
    ) -> Done {
        let mut state = self.listed(id, batch.end(), reader)?.clone();
        let before = state.keywords.len();
        for name in names {
            add_keyword(&mut state.keywords, name);
        }
        let keywords = state.keywords.clone();
        if keywords.len() > before {
            self.tell_mailbox(&state, reader);
            self.log_mailbox(state, batch);
        }
        Ok(Outcome::Keywords(keywords))
    }
}

fn may_be_so_long(name: &str) -> Result<(), StoreError> {
    if name.len() > MAILBOX_NAME_BYTES_MAX {
        let text = format!("the name of a mailbox has {MAILBOX_NAME_BYTES_MAX} octets at most");
        return Err(StoreError::Limit(text));
    }
    Ok(())
}

/// The place of a keyword, which is given one where there is room.
pub(super) fn add_keyword(keywords: &mut Vec<String>, name: &str) -> Option<usize> {
    let known = keywords.iter().position(|keyword| keyword.eq_ignore_ascii_case(name));
    if known.is_none() && keywords.len() < types::mailstore::KEYWORDS_MAX {
        keywords.push(name.to_owned());
        return Some(keywords.len() - 1);
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inbox_is_written_in_one_way_and_other_names_as_they_are() {
        for (name, written) in [
            ("inbox", "INBOX"),
            ("InBox/x", "INBOX/x"),
            ("inboxes", "inboxes"),
            ("a/inbox", "a/inbox"),
            ("", ""),
        ] {
            assert_eq!(canonical(name), written);
        }
        assert_eq!(above("a/b/c").collect::<Vec<_>>(), ["a", "a/b"]);
    }

    #[test]
    fn keywords_have_one_place_whatever_their_case_and_no_more_than_there_are() {
        let mut keywords = Vec::new();
        assert_eq!(add_keyword(&mut keywords, "$Junk"), Some(0));
        assert_eq!(add_keyword(&mut keywords, "$JUNK"), Some(0));
        for n in 1..types::mailstore::KEYWORDS_MAX {
            assert_eq!(add_keyword(&mut keywords, &n.to_string()), Some(n));
        }
        assert_eq!(add_keyword(&mut keywords, "more"), None);
        assert_eq!(keywords[0], "$Junk");
    }
}
