//! Many messages of a snapshot at once: looked at, and flagged.

use types::mailstore::{Flags, ModSeq, Uid};

use super::{Chunk, Message, Snapshot};

impl Snapshot {
    /// Calls `visit` for those of some UIDs, which ascend, that are there. What follows each other is looked for once.
    pub fn each_of(&self, uids: &[Uid], mut visit: impl FnMut(&Message)) {
        let mut run: &[Message] = &[];
        for uid in uids {
            if run.first().is_none_or(|message| message.uid != *uid) {
                let Ok(place) = self.position(*uid) else { continue };
                run = self.run(place);
            }
            if let Some((message, behind)) = run.split_first() {
                visit(message);
                run = behind;
            }
        }
    }

    /// Sets the flags of messages: ranges of UIDs, ascending. A message with a later number has them, and more, already.
    pub(super) fn flag(&mut self, modseq: ModSeq, runs: &[(Uid, Uid, Flags)]) {
        self.highest_modseq = self.highest_modseq.max(modseq);
        let mut rest = runs;
        for chunk in &mut self.chunks {
            let (Some(first), Some(last)) = (chunk.messages.first(), chunk.messages.last()) else { continue };
            rest = &rest[rest.partition_point(|(_, to, _)| *to < first.uid)..];
            let mut here = &rest[..rest.partition_point(|(from, ..)| *from <= last.uid)];
            if here.is_empty() {
                continue;
            }
            let flagged = chunk.messages.iter().map(|message| {
                while let [(_, to, _), behind @ ..] = here
                    && *to < message.uid
                {
                    here = behind;
                }
                match here.first() {
                    Some((from, _, flags)) if *from <= message.uid && message.modseq < modseq => {
                        Message { flags: *flags, modseq, ..*message }
                    }
                    _ => *message,
                }
            });
            *chunk = Chunk { before: chunk.before, ..Chunk::new(flagged.collect()) };
        }
    }
}
