//! SEARCH, SORT and THREAD in one mailbox: what `imap::search` decides, with what is known of messages, a batch at a time.
//!
//! What the mailbox itself knows is judged first, for all messages. Those that are not decided by it are judged in batches, away
//! from the threads that serve everybody: by what is kept of their headers, by the index of words ([`crate::mail_index`]), and who
//! is left is read. So a search takes bounded memory, and whoever drops it waits for one batch at most.

mod batch;
mod order;

use std::sync::Arc;

use imap::command::SearchKey;
use imap::search::{Found, Known, Plan, Sorter, Threader, TooMany, Verdict};
use imap::session::{Refusal, SearchKind};
use imap::view::View;
use store::{Store, StoreError};
use types::Timestamp;
use types::mailstore::{MailboxId, ModSeq, Uid};

use self::batch::{Candidate, found_among};
use self::order::ordered;
use crate::mail_models::snapshot_of;
use crate::shared::Shared;
use crate::structures::{Maker, aside};

/// Told now and then how far a search has come: so many messages of so many.
pub(crate) type Progress<'p> = &'p (dyn Fn(u32, u32) + Send + Sync);

/// Keys times messages that are judged before others get their turn.
const JUDGED_AT_ONCE: usize = 32_768;
/// Messages that are given to one thread together.
const BATCH_MESSAGES: usize = 512;

/// Messages that take some megabytes while they are put in order.
const GIVEN_BACK_FROM: usize = 10_000;

/// Looks for messages as one client knows the mailbox. Dropped, it ends.
pub(crate) async fn search(
    shared: &Shared,
    view: &View,
    key: &SearchKey,
    kind: &SearchKind,
    now: Timestamp,
    progress: Progress<'_>,
) -> Result<Found, Refusal> {
    let plan = Arc::new(Plan::new(key, view, now).map_err(|TooMany| Refusal::Limit)?);
    if !plan.questions().is_empty() {
        // The next search for words is to be faster.
        shared.mail_index.wanted(view.snapshot.mailbox);
    }
    let maker = Maker::of(shared);
    let found = find(&maker, view, &plan, progress).await?;
    let modseq = if plan.asks_modseq() { highest_modseq(view, &found) } else { None };
    let in_order = match kind {
        SearchKind::Search => return Ok(Found::Messages(uids(view, &found), modseq)),
        SearchKind::Sort(criteria) => {
            let sorter = ordered(&maker, view, &found, Sorter::new(criteria)).await?;
            let sorted = aside(async move { sorter.finish() }).await.ok_or(Refusal::Temporary)?;
            Found::Sorted(sorted, modseq)
        }
        SearchKind::Thread(algorithm) => {
            let threader = ordered(&maker, view, &found, Threader::new(*algorithm)).await?;
            let threads = aside(async move { threader.finish() }).await.ok_or(Refusal::Temporary)?;
            Found::Threads(threads)
        }
    };
    if found.len() >= GIVEN_BACK_FROM {
        crate::memory::give_back_later();
    }
    Ok(in_order)
}

/// Why nothing was looked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SearchError {
    /// The mailbox could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It could not be searched.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Looks for messages in a mailbox as it is now, for who asks once and has no session; UIDs, ascending.
pub(crate) async fn search_once(
    store: &Arc<dyn Store>,
    mailbox: MailboxId,
    key: &SearchKey,
    now: Timestamp,
) -> Result<Vec<Uid>, SearchError> {
    let view = View::new(Arc::new(snapshot_of(store.as_ref(), mailbox).await?));
    let plan = Arc::new(Plan::new(key, &view, now).map_err(|TooMany| Refusal::Limit)?);
    let found = find(&Maker::over(store), &view, &plan, &|_, _| {}).await?;
    Ok(uids(&view, &found))
}

/// The numbers of what is looked for, ascending.
async fn find(
    maker: &Maker,
    view: &View,
    plan: &Arc<Plan>,
    progress: Progress<'_>,
) -> Result<Vec<u32>, Refusal> {
    let ranges = plan.candidates(view);
    let of: u32 = ranges.iter().map(|(from, to)| to - from + 1).sum();
    let at_once = (JUDGED_AT_ONCE / plan.keys().max(1)).clamp(16, 4096);
    let mut numbers = ranges.into_iter().flat_map(|(from, to)| from..=to).peekable();
    let mut found = Vec::new();
    let mut done = 0;
    while numbers.peek().is_some() {
        let mut undecided = Vec::new();
        let first_of_chunk = found.len();
        for seq in numbers.by_ref().take(at_once) {
            done += 1;
            // One that is gone has a number as long as the client was not told.
            let Some(message) = view.message(seq) else { continue };
            match plan.judge(&Known::of(message, seq)) {
                Verdict::Yes => found.push(seq),
                Verdict::No => {}
                Verdict::Needs(_) => undecided.push(Candidate { seq, message: *message }),
            }
        }
        let mailbox = view.snapshot.mailbox;
        let decided = done - u32::try_from(undecided.len()).unwrap_or(0);
        let mut judged = 0;
        for candidates in undecided.chunks(BATCH_MESSAGES) {
            let among = found_among(maker.clone(), Arc::clone(plan), mailbox, candidates.to_vec());
            found.extend(aside(among).await.ok_or(Refusal::Temporary)?);
            judged += u32::try_from(candidates.len()).unwrap_or(0);
            progress(decided + judged, of);
        }
        found[first_of_chunk..].sort_unstable();
        tokio::task::yield_now().await;
    }
    Ok(found)
}

fn uids(view: &View, found: &[u32]) -> Vec<Uid> {
    found.iter().filter_map(|seq| view.message(*seq)).map(|message| message.uid).collect()
}

fn highest_modseq(view: &View, found: &[u32]) -> Option<ModSeq> {
    found.iter().filter_map(|seq| view.message(*seq)).map(|message| message.modseq).max()
}

#[cfg(test)]
mod tests;
