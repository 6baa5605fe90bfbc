//! The record of flags.

use super::super::codec::{Get, Malformed, Put, length};
use crate::{Flags, MailboxId, ModSeq, Uid};

/// The content of a [`Kind::Flags`](super::Kind::Flags) record: flags as they are now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct FlagsChange {
    pub(in super::super) mailbox: MailboxId,
    pub(in super::super) modseq: ModSeq,
    pub(in super::super) messages: Vec<(Uid, Flags)>,
}

/// Messages of one [`Kind::Flags`](super::Kind::Flags) record at most.
pub(in super::super) const FLAGS_MAX: usize = 10_000;

impl FlagsChange {
    /// Messages that follow each other and have the same flags take no more than one: the flags of a whole mailbox are set by
    /// a record that is synced as fast as that of one message.
    pub(in super::super) fn encode(&self, out: &mut Vec<u8>) {
        out.put_u64(self.mailbox.0);
        out.put_u64(self.modseq.0);
        out.put_u32(length(self.runs().count()));
        for run in self.runs() {
            let (first, flags) = run[0];
            out.put_u32(first.0);
            out.put_u32(length(run.len()));
            out.put_u64(flags.0);
        }
    }

    /// How many octets it takes.
    pub(in super::super) fn encoded_bytes(&self) -> usize {
        20 + self.runs().count() * 16
    }

    /// The messages, ascending.
    pub(in super::super) fn uids(&self) -> Vec<Uid> {
        let mut uids: Vec<Uid> = self.messages.iter().map(|(uid, _)| *uid).collect();
        uids.sort_unstable();
        uids
    }

    /// Messages that follow each other and have the same flags.
    fn runs(&self) -> impl Iterator<Item = &[(Uid, Flags)]> {
        self.messages.chunk_by(|before, after| before.0.0 + 1 == after.0.0 && before.1 == after.1)
    }

    pub(in super::super) fn decode(meta: &[u8]) -> Result<Self, Malformed> {
        let mut get = Get(meta);
        let (mailbox, modseq, runs) = (MailboxId(get.u64()?), ModSeq(get.u64()?), get.u32()?);
        let mut messages = Vec::new();
        for _ in 0..runs {
            let (first, count, flags) = (get.u32()?, get.u32()?, Flags(get.u64()?));
            let last = first.checked_add(count.checked_sub(1).ok_or(Malformed)?).ok_or(Malformed)?;
            if messages.len() + count as usize > FLAGS_MAX {
                return Err(Malformed);
            }
            messages.extend((first..=last).map(|uid| (Uid(uid), flags)));
        }
        get.end()?;
        Ok(Self { mailbox, modseq, messages })
    }

    /// The form that version 5 had at first.
    pub(in super::super) fn decode_each(meta: &[u8]) -> Result<Self, Malformed> {
        Self::decode_with(meta, |get| Ok(Flags(get.u64()?)))
    }

    /// The form of versions 1 to 4, which had no keywords.
    pub(in super::super) fn decode_version_4(meta: &[u8]) -> Result<Self, Malformed> {
        Self::decode_with(meta, |get| Ok(Flags(get.u32()?.into())))
    }

    fn decode_with(
        meta: &[u8],
        flags: impl Fn(&mut Get<'_>) -> Result<Flags, Malformed>,
    ) -> Result<Self, Malformed> {
        let mut get = Get(meta);
        let (mailbox, modseq, count) = (MailboxId(get.u64()?), ModSeq(get.u64()?), get.u32()?);
        let messages =
            (0..count).map(|_| Ok((Uid(get.u32()?), flags(&mut get)?))).collect::<Result<_, Malformed>>()?;
        get.end()?;
        Ok(Self { mailbox, modseq, messages })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(messages: &[(u32, u64)]) -> FlagsChange {
        let messages = messages.iter().map(|(uid, flags)| (Uid(*uid), Flags(*flags))).collect();
        FlagsChange { mailbox: MailboxId(7), modseq: ModSeq(9), messages }
    }

    fn encoded(change: &FlagsChange) -> Vec<u8> {
        let mut octets = Vec::new();
        change.encode(&mut octets);
        octets
    }

    #[test]
    fn flags_are_read_as_they_were_written_and_no_part_of_them() {
        let all: Vec<(u32, u64)> = (1..=10_000).map(|uid| (uid, 4)).collect();
        let last = u32::MAX;
        for messages in [
            &[][..],
            &[(5, 1)],
            &[(1, 2), (2, 2), (3, 1), (5, 1), (6, 1 << 63), (last - 1, 2), (last, 2)],
            &all,
        ] {
            let change = change(messages);
            let octets = encoded(&change);
            assert_eq!(octets.len(), change.encoded_bytes());
            assert_eq!(FlagsChange::decode(&octets), Ok(change));
            assert!((0..octets.len()).all(|end| FlagsChange::decode(&octets[..end]).is_err()));
        }
        assert_eq!(encoded(&change(&all)).len(), 36);
    }

    #[test]
    fn flags_of_more_messages_than_a_record_has_are_refused_before_they_take_memory() {
        let runs = |runs: &[(u32, u32)]| {
            let mut octets = encoded(&change(&[]));
            octets.truncate(16);
            octets.put_u32(length(runs.len()));
            for (first, count) in runs {
                octets.put_u32(*first);
                octets.put_u32(*count);
                octets.put_u64(1);
            }
            FlagsChange::decode(&octets).map(|change| change.messages.len())
        };
        assert_eq!(runs(&[(1, 10_000)]), Ok(10_000));
        for refused in
            [&[(1, 10_001)][..], &[(1, 9_999), (20_000, 2)], &[(1, u32::MAX)], &[(1, 0)], &[(u32::MAX, 2)]]
        {
            assert_eq!(runs(refused), Err(Malformed), "{refused:?}");
        }
    }

    #[test]
    fn flags_that_version_5_wrote_at_first_are_read() {
        let mut octets = Vec::new();
        octets.put_u64(7);
        octets.put_u64(9);
        octets.put_u32(2);
        for (uid, flags) in [(3, 1), (4, 1 << 40)] {
            octets.put_u32(uid);
            octets.put_u64(flags);
        }
        assert_eq!(FlagsChange::decode_each(&octets), Ok(change(&[(3, 1), (4, 1 << 40)])));
    }
}
