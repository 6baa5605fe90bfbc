//! Records of mailboxes: as they are now, gone, and messages that came into them from others.
//!
//! A mailbox stands in its record as it is then: the latest counts. That one is gone is a tombstone, which the log needs as
//! long as there are segments from before it (see [`super::reclaim`]).
//!
//! Messages that were copied or moved ([`Transferred`]) stand with all that a mailbox knows of them, so that the record says
//! the same whatever became of those that brought them. It counts where the message is known: where its record was
//! carried forward later, that one names the mailbox, too.

use types::{MailId, Timestamp};

use super::codec::{Get, Malformed, Put, length};
use super::record::Lsn;
use crate::{AccountId, Flags, MailboxId, ModSeq, SpecialUse, Uid, UidValidity};

/// The content of a mailbox's record: what of it does not follow from its messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MailboxState {
    pub(super) id: MailboxId,
    pub(super) account: AccountId,
    pub(super) uid_validity: UidValidity,
    pub(super) uid_next: Uid,
    pub(super) modseq: ModSeq,
    pub(super) name: String,
    pub(super) special_use: Option<SpecialUse>,
    /// At their places, as first written.
    pub(super) keywords: Vec<String>,
    pub(super) role: Role,
    /// Where what is expunged from it is kept, once there was something.
    pub(super) bin: Option<MailboxId>,
    /// The log may have given up what vanished up to here.
    pub(super) forgotten: ModSeq,
}

/// What a mailbox is to its account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It is listed.
    Listed,
    /// It keeps what is expunged from another, which may be gone; its name is that one's then.
    BinOf(MailboxId),
    /// It was deleted, and is kept for a time.
    Deleted(Timestamp),
}

impl Role {
    pub(super) const fn is_listed(self) -> bool {
        matches!(self, Self::Listed)
    }
}

impl MailboxState {
    /// One that is new.
    pub(super) fn new(id: MailboxId, account: AccountId, uid_validity: UidValidity, name: &str) -> Self {
        Self {
            id,
            account,
            uid_validity,
            uid_next: Uid(1),
            modseq: ModSeq(1),
            name: name.to_owned(),
            special_use: None,
            keywords: Vec::new(),
            role: Role::Listed,
            bin: None,
            forgotten: ModSeq(0),
        }
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.put_u64(self.id.0);
        out.put_u64(self.account.0);
        out.put_u32(self.uid_validity.0);
        out.put_u32(self.uid_next.0);
        out.put_u64(self.modseq.0);
        out.put_bytes(self.name.as_bytes());
        out.put_u8(self.special_use.map_or(0, special_use_octet));
        let (role, of) = match self.role {
            Role::Listed => (0, 0),
            Role::BinOf(mailbox) => (1, mailbox.0),
            Role::Deleted(at) => (2, at.millis()),
        };
        out.put_u8(role);
        out.put_u64(of);
        // No mailbox has number 0.
        out.put_u64(self.bin.map_or(0, |bin| bin.0));
        out.put_u64(self.forgotten.0);
        out.put_u32(length(self.keywords.len()));
        self.keywords.iter().for_each(|keyword| out.put_bytes(keyword.as_bytes()));
    }

    pub(super) fn decode(meta: &[u8]) -> Result<Self, Malformed> {
        let mut get = Get(meta);
        let state = Self::get(&mut get)?;
        get.end()?;
        Ok(state)
    }

    pub(super) fn get(get: &mut Get<'_>) -> Result<Self, Malformed> {
        let state = Self::get_version_4(get)?;
        let special_use = match get.u8()? {
            0 => None,
            octet => Some(special_use(octet)?),
        };
        let (role, of) = (get.u8()?, get.u64()?);
        let role = match role {
            0 => Role::Listed,
            1 => Role::BinOf(MailboxId(of)),
            2 => Role::Deleted(Timestamp::from_millis(of)),
            _ => return Err(Malformed),
        };
        let bin = Some(MailboxId(get.u64()?)).filter(|bin| bin.0 != 0);
        let forgotten = ModSeq(get.u64()?);
        let keywords =
            (0..get.u32()?).map(|_| Ok(get.text()?.to_owned())).collect::<Result<_, Malformed>>()?;
        Ok(Self { special_use, keywords, role, bin, forgotten, ..state })
    }

    /// The form that formats 1 to 4 wrote.
    pub(super) fn decode_version_4(meta: &[u8]) -> Result<Self, Malformed> {
        let mut get = Get(meta);
        let state = Self::get_version_4(&mut get)?;
        get.end()?;
        Ok(state)
    }

    /// They did not say what their log gave up: all of it may be.
    pub(super) fn get_version_4(get: &mut Get<'_>) -> Result<Self, Malformed> {
        let (id, account) = (MailboxId(get.u64()?), AccountId(get.u64()?));
        let (uid_validity, uid_next) = (UidValidity(get.u32()?), Uid(get.u32()?));
        let modseq = ModSeq(get.u64()?);
        let new = Self::new(id, account, uid_validity, get.text()?);
        Ok(Self { uid_next, modseq, forgotten: modseq, ..new })
    }
}

const fn special_use_octet(special_use: SpecialUse) -> u8 {
    match special_use {
        SpecialUse::Archive => 1,
        SpecialUse::Drafts => 2,
        SpecialUse::Important => 3,
        SpecialUse::Junk => 4,
        SpecialUse::Sent => 5,
        SpecialUse::Trash => 6,
    }
}

fn special_use(octet: u8) -> Result<SpecialUse, Malformed> {
    SpecialUse::ALL.into_iter().find(|known| special_use_octet(*known) == octet).ok_or(Malformed)
}

/// The record that a mailbox is gone with what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MailboxGone {
    pub(super) account: AccountId,
    pub(super) mailbox: MailboxId,
    /// Where it was removed first.
    pub(super) since: Lsn,
}

impl MailboxGone {
    pub(super) fn encode(self, out: &mut Vec<u8>) {
        out.put_u64(self.account.0);
        out.put_u64(self.mailbox.0);
        out.put_u64(self.since.0);
    }

    pub(super) fn decode(meta: &[u8]) -> Result<Self, Malformed> {
        let mut get = Get(meta);
        let gone =
            Self { account: AccountId(get.u64()?), mailbox: MailboxId(get.u64()?), since: Lsn(get.u64()?) };
        get.end()?;
        Ok(gone)
    }
}

/// The content of a record of messages that came into a mailbox from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Transferred<'a> {
    /// Where they went, and the modification sequence of that; none where they stayed.
    pub(super) from: Option<(MailboxId, ModSeq)>,
    pub(super) to: MailboxId,
    pub(super) modseq: ModSeq,
    pub(super) saved_at: Timestamp,
    pub(super) messages: Vec<TransferredMessage<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TransferredMessage<'a> {
    pub(super) mail_id: MailId,
    /// Its UID where it was, and the record of the message then: see [`super::record::Expunge`]. Nothing where it stayed.
    pub(super) from: (Uid, Lsn),
    pub(super) uid: Uid,
    pub(super) flags: Flags,
    pub(super) internal_date: Timestamp,
    pub(super) header: &'a [u8],
}

impl<'a> Transferred<'a> {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let (from, from_modseq) = self.from.unwrap_or((MailboxId(0), ModSeq(0)));
        out.put_u64(from.0);
        out.put_u64(from_modseq.0);
        out.put_u64(self.to.0);
        out.put_u64(self.modseq.0);
        out.put_u64(self.saved_at.millis());
        out.put_u32(length(self.messages.len()));
        for message in &self.messages {
            out.put(&message.mail_id.to_bytes());
            out.put_u32(message.from.0.0);
            out.put_u64(message.from.1.0);
            out.put_u32(message.uid.0);
            out.put_u64(message.flags.0);
            out.put_u64(message.internal_date.millis());
            out.put_bytes(message.header);
        }
    }

    pub(super) fn decode(meta: &'a [u8]) -> Result<Self, Malformed> {
        let mut get = Get(meta);
        let (from, from_modseq) = (MailboxId(get.u64()?), ModSeq(get.u64()?));
        let (to, modseq) = (MailboxId(get.u64()?), ModSeq(get.u64()?));
        let saved_at = Timestamp::from_millis(get.u64()?);
        let messages = (0..get.u32()?)
            .map(|_| {
                Ok(TransferredMessage {
                    mail_id: get.id()?,
                    from: (Uid(get.u32()?), Lsn(get.u64()?)),
                    uid: Uid(get.u32()?),
                    flags: Flags(get.u64()?),
                    internal_date: Timestamp::from_millis(get.u64()?),
                    header: get.bytes()?,
                })
            })
            .collect::<Result<_, Malformed>>()?;
        get.end()?;
        let from = Some((from, from_modseq)).filter(|(from, _)| from.0 != 0);
        Ok(Self { from, to, modseq, saved_at, messages })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_is_read_as_it_was_written_and_no_part_of_one() {
        let new = MailboxState::new(MailboxId(9), AccountId(7), UidValidity(3), "Work/Now");
        let states =
            [Role::Listed, Role::BinOf(MailboxId(4)), Role::Deleted(Timestamp::from_millis(5))].map(|role| {
                MailboxState {
                    uid_next: Uid(40),
                    modseq: ModSeq(50),
                    special_use: Some(SpecialUse::Junk),
                    keywords: vec!["$Forwarded".into(), "Häßlich".into()],
                    role,
                    bin: Some(MailboxId(11)),
                    forgotten: ModSeq(17),
                    ..new.clone()
                }
            });
        for state in states.into_iter().chain([new]) {
            let mut octets = Vec::new();
            state.encode(&mut octets);
            assert_eq!(MailboxState::decode(&octets), Ok(state));
            assert!((0..octets.len()).all(|end| MailboxState::decode(&octets[..end]).is_err()));
        }
        let gone = MailboxGone { account: AccountId(7), mailbox: MailboxId(9), since: Lsn::new(3, 80) };
        let mut octets = Vec::new();
        gone.encode(&mut octets);
        assert_eq!(MailboxGone::decode(&octets), Ok(gone));
        assert!((0..octets.len()).all(|end| MailboxGone::decode(&octets[..end]).is_err()));
        for from in [None, Some((MailboxId(1), ModSeq(2)))] {
            let message = TransferredMessage {
                mail_id: MailId::new(Timestamp::from_millis(4), 4),
                from: (Uid(3), Lsn::new(1, 32)),
                uid: Uid(8),
                flags: Flags(1 << 63 | 1),
                internal_date: Timestamp::from_millis(6),
                header: b"Delivered-To: x\r\n",
            };
            let messages = vec![message.clone(), TransferredMessage { uid: Uid(9), header: b"", ..message }];
            let (to, modseq) = (MailboxId(5), ModSeq(6));
            let moved = Transferred { from, to, modseq, saved_at: Timestamp::from_millis(7), messages };
            let mut octets = Vec::new();
            moved.encode(&mut octets);
            assert_eq!(Transferred::decode(&octets), Ok(moved));
            assert!((0..octets.len()).all(|end| Transferred::decode(&octets[..end]).is_err()));
        }
    }

    #[test]
    fn every_special_use_has_an_octet_of_its_own() {
        for known in SpecialUse::ALL {
            assert_eq!(special_use(special_use_octet(known)), Ok(known));
        }
        assert_eq!((special_use(0), special_use(7)), (Err(Malformed), Err(Malformed)));
    }
}
