//! Messages as one knows them who has read a mailbox.

use std::collections::BTreeMap;
use std::sync::Arc;

use store::{Flags, KnownMessages, MailboxId, ModSeq, Store, Uid};

#[derive(Debug, Clone)]
pub struct Known {
    pub modseq: ModSeq,
    pub messages: BTreeMap<Uid, (Flags, ModSeq)>,
}

impl Known {
    pub async fn of(store: &dyn Store, mailbox: MailboxId) -> Arc<Self> {
        let modseq = store.mailbox(mailbox).await.unwrap().highest_modseq;
        let entries = store.messages(mailbox, None, usize::MAX).await.unwrap();
        let messages = entries.iter().map(|entry| (entry.uid, (entry.flags, entry.modseq))).collect();
        Arc::new(Self { modseq, messages })
    }
}

impl KnownMessages for Known {
    fn highest_modseq(&self) -> ModSeq {
        self.modseq
    }

    fn each(&self, uids: &[Uid], visit: &mut dyn FnMut(Uid, Flags, ModSeq)) {
        for uid in uids {
            if let Some((flags, modseq)) = self.messages.get(uid) {
                visit(*uid, *flags, *modseq);
            }
        }
    }
}
