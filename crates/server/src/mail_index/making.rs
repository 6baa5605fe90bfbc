//! Making the index in the background.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use imap::search::{HeaderFacts, Reading, Scope, Signing, folded_header};
use store::{DerivedKind, MessageEntry, StoreError};
use tokio::time::{Instant, sleep};
use tracing::debug;
use types::MailId;
use types::mailstore::{MailboxId, Uid};

use super::{Errand, WordsRow};
use crate::shared::{Shared, Stage};
use crate::structures::{Kept, Maker, aside};

/// Messages that are looked at together.
const BATCH_MESSAGES: usize = 128;
/// Where so many messages a second are being accepted, indexing waits.
const BUSY_MESSAGES_PER_S: u64 = 50;
/// How long it waits before it looks again.
const BUSY_WAIT: Duration = Duration::from_secs(1);

/// Indexes what is wanted, until the node stops.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut stage = shared.stage.clone();
    tokio::select! {
        biased;
        _ = stage.wait_for(|stage| *stage > Stage::Serving) => {}
        () = index_all(&shared) => {}
        () = shared.mail_index.memory().age() => {}
    }
}

async fn index_all(shared: &Shared) {
    let mut pace = Pace::of(shared);
    loop {
        let woken = shared.mail_index.woken.notified();
        let Some(Errand { mailbox, after, is_known_before }) = shared.mail_index.next() else {
            woken.await;
            // Mail that comes in a burst is left to come.
            pace = Pace::of(shared);
            sleep(BUSY_WAIT).await;
            continue;
        };
        match index(shared, mailbox, after, &mut pace).await {
            Ok(Some(to)) if is_known_before => shared.mail_index.looked_through(mailbox, to),
            Ok(_) => {}
            Err(error) => debug!(%mailbox, %error, "a mailbox could not be indexed"),
        }
    }
}

/// Indexes the messages of a mailbox behind `after`; returns the last one.
async fn index(
    shared: &Shared,
    mailbox: MailboxId,
    after: Option<Uid>,
    pace: &mut Pace,
) -> Result<Option<Uid>, StoreError> {
    let maker = Maker::over(&shared.store);
    let mut last = after;
    loop {
        pace.wait_while_busy(shared).await;
        let entries = shared.store.messages(mailbox, last, BATCH_MESSAGES).await?;
        let Some(newest) = entries.last() else { return Ok(last) };
        last = Some(newest.uid);
        let begun = Instant::now();
        let made = aside(index_batch(maker.clone(), mailbox, entries)).await;
        if made.is_some_and(|made| made > 0) {
            // Others have at least as much of the processor.
            sleep(begun.elapsed()).await;
        }
    }
}

/// How much mail was accepted, and when that was looked at.
struct Pace {
    accepted: u64,
    at: Instant,
}

impl Pace {
    fn of(shared: &Shared) -> Self {
        Self { accepted: accepted(shared), at: Instant::now() }
    }

    /// While much mail comes, everything is left to it.
    async fn wait_while_busy(&mut self, shared: &Shared) {
        while self.at.elapsed() >= BUSY_WAIT {
            let accepted = accepted(shared);
            let came = accepted.saturating_sub(self.accepted);
            let is_busy = came >= BUSY_MESSAGES_PER_S * self.at.elapsed().as_secs();
            *self = Self { accepted, at: Instant::now() };
            if is_busy {
                sleep(BUSY_WAIT).await;
            }
        }
    }
}

/// Messages that were accepted, by SMTP, LMTP and IMAP.
fn accepted(shared: &Shared) -> u64 {
    shared.messages.load(Ordering::Relaxed) + shared.mail_index.arrived.load(Ordering::Relaxed)
}

/// Makes what is missing of these messages; returns of how many something was.
async fn index_batch(maker: Maker, mailbox: MailboxId, entries: Vec<MessageEntry>) -> usize {
    let ids: Vec<MailId> = entries.iter().map(|entry| entry.mail_id).collect();
    let words = maker.kept(DerivedKind::Words, &ids).await;
    let facts = maker.kept(DerivedKind::Header, &ids).await;
    let mut kept = Kept::default();
    let mut made = 0;
    for ((entry, words), facts) in entries.iter().zip(words).zip(facts) {
        let row = words.as_ref().and_then(|row| WordsRow::from_bytes(row));
        let is_known = row.as_ref().is_some_and(|row| row.signature(mailbox, entry.uid).is_some());
        // Rows of another version too are made anew.
        let has_facts = facts.is_some_and(|row| HeaderFacts::from_bytes(&row).is_some());
        if is_known && has_facts {
            continue;
        }
        let Some(read) = maker.read(mailbox, entry.uid).await else { continue };
        kept.note(entry.mail_id, &read);
        let header_end = usize::try_from(read.delivery_header_bytes).unwrap_or(usize::MAX);
        let header = folded_header(&read.head[..header_end.min(read.head.len())]);
        let mut reading =
            Reading::new(&[], Scope::Content, &read.structure, read.delivery_header_bytes, Signing::On);
        if read.is_whole {
            reading.feed(&read.head);
        } else if let Err(error) = feed_all(&maker, mailbox, entry.uid, &mut reading).await {
            debug!(%mailbox, uid = %entry.uid, %error, "a message could not be indexed");
            continue;
        }
        if let (_, Some(signature)) = reading.finish() {
            // Of other deliveries of it something may be known already.
            let row = row.unwrap_or_else(|| WordsRow::new(&signature));
            kept.put(DerivedKind::Words, entry.mail_id, row.with(mailbox, entry.uid, &header).to_bytes());
        }
        made += 1;
        kept.settle(&maker).await;
    }
    maker.keep(kept).await;
    made
}

async fn feed_all(
    maker: &Maker,
    mailbox: MailboxId,
    uid: Uid,
    reading: &mut Reading<'_>,
) -> Result<(), StoreError> {
    let mut stream = maker.store.open(mailbox, uid).await?;
    loop {
        let octets = stream.next().await?;
        if octets.is_empty() {
            return Ok(());
        }
        reading.feed(&octets);
    }
}

/// Indexes a mailbox for a test.
#[cfg(test)]
pub(crate) async fn index_now(shared: &Shared, mailbox: MailboxId) {
    let mut pace = Pace::of(shared);
    index(shared, mailbox, None, &mut pace).await.unwrap();
}
