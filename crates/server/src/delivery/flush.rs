//! What is tried before its time, because its host or an operator asks for it.
//!
//! Items that wait become due by a settlement of their own, so that a restart forgets nothing. What is in memory at that
//! moment is left alone: it is about to be tried anyway.

use std::sync::Arc;

use store::{
    Destination, Next, QueueItem, QueueItemId, QueueState, QueueStatus, Settled, Settlement, StoreError,
};
use tracing::warn;
use types::Timestamp;

use super::Flush;
use super::fate::Note;
use super::runner::{Runner, Setup};

/// Items of one step.
const ITEMS_PER_STEP: usize = 500;
/// Destinations of one step.
const DESTINATIONS_PER_STEP: usize = 500;
/// Items that are looked at once more.
const SECOND_LOOK_MAX: usize = 10_000;

/// Has it tried.
pub(super) async fn flush(runner: Arc<Runner>, what: Flush) {
    let Some(setup) = runner.setup() else { return };
    let done = match &what {
        Flush::Destination(destination) => one(&runner, setup, destination).await,
        Flush::Subtree(domain) => {
            let below = format!(".{}", domain.ascii());
            let is_meant = |name: &str| name == domain.ascii() || name.ends_with(&below);
            some(&runner, setup, is_meant).await
        }
        Flush::Site(name) => {
            runner.board().resume(&Arc::from(name.as_str()));
            let destinations = runner.board().destinations_of(name);
            let mut done = Ok(());
            for destination in destinations {
                done = done.and(one(&runner, setup, &destination).await);
            }
            done
        }
        Flush::Items(ids) => items(&runner, setup, ids).await,
        Flush::All => some(&runner, setup, |_| true).await,
    };
    if let Err(error) = done {
        warn!(%error, ?what, "not all that was asked for can be tried now");
    }
    runner.wake.notify_one();
}

/// All destinations that are meant.
async fn some(
    runner: &Arc<Runner>,
    setup: &Setup,
    is_meant: impl Fn(&str) -> bool + Send,
) -> Result<(), StoreError> {
    let mut after: Option<Destination> = None;
    loop {
        let page = setup.store.queue_destinations(after.as_ref(), DESTINATIONS_PER_STEP).await?;
        for figures in &page {
            if figures.waiting > 0 && is_meant(figures.destination.as_str()) {
                one(runner, setup, &figures.destination).await?;
            }
        }
        let Some(last) = page.into_iter().next_back() else { return Ok(()) };
        after = Some(last.destination);
    }
}

/// All that waits for one destination.
async fn one(runner: &Arc<Runner>, setup: &Setup, destination: &Destination) -> Result<(), StoreError> {
    let effects = runner.board().asked(destination, setup.world.now());
    runner.apply(effects);
    let mut after: Option<QueueItemId> = None;
    let mut unsure = Vec::new();
    loop {
        let page = setup.store.queue_page(Some(destination), after, ITEMS_PER_STEP).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        unsure.extend(hasten(runner, setup, page).await?);
        // The newest come last, and no more than these can have been in memory.
        let surplus = unsure.len().saturating_sub(SECOND_LOOK_MAX);
        unsure.drain(..surplus);
    }
    if unsure.is_empty() {
        return Ok(());
    }
    // What was put off just then, as nobody had asked.
    runner.until_settled(destination).await;
    for ids in unsure.chunks(ITEMS_PER_STEP) {
        let mut found = Vec::new();
        for id in ids {
            found.extend(item(setup, *id).await?.filter(|item| item.state.attempts == 0));
        }
        hasten(runner, setup, found).await?;
    }
    Ok(())
}

async fn items(runner: &Arc<Runner>, setup: &Setup, ids: &[QueueItemId]) -> Result<(), StoreError> {
    for ids in ids.chunks(ITEMS_PER_STEP) {
        let mut found = Vec::new();
        for id in ids {
            found.extend(item(setup, *id).await?);
        }
        let mut destinations: Vec<_> = found.iter().map(|item| item.destination.clone()).collect();
        destinations.sort();
        destinations.dedup();
        for destination in destinations {
            let effects = runner.board().asked(&destination, setup.world.now());
            runner.apply(effects);
        }
        hasten(runner, setup, found).await?;
    }
    Ok(())
}

/// An item as it is. One that is damaged does not hold up the others.
async fn item(setup: &Setup, id: QueueItemId) -> Result<Option<QueueItem>, StoreError> {
    match setup.store.queue_item(id).await {
        Err(StoreError::Damaged(_)) => Ok(None),
        found => found,
    }
}

/// Makes items due now. Returns those of which that is not sure: they are in memory, or were when they were read, and
/// are put off just then.
async fn hasten(
    runner: &Arc<Runner>,
    setup: &Setup,
    items: Vec<QueueItem>,
) -> Result<Vec<QueueItemId>, StoreError> {
    let now = setup.world.now();
    let mut ahead = Vec::new();
    let mut unsure = Vec::new();
    for item in items {
        let is_due = item.state.status == QueueStatus::Waiting && item.state.due_at <= now;
        if is_due || runner.board().holds(item.id) {
            unsure.push(item.id);
        } else {
            ahead.push(Due { item, at: now, note: None });
        }
    }
    set_due(runner, setup, ahead).await.map(|()| unsure)
}

/// An item that waits, and when it is due.
pub(super) struct Due {
    pub(super) item: QueueItem,
    pub(super) at: Timestamp,
    /// For the trace.
    pub(super) note: Option<Note>,
}

/// Makes items that wait due then, as far as nobody has them in hand.
pub(super) async fn set_due(runner: &Arc<Runner>, setup: &Setup, items: Vec<Due>) -> Result<(), StoreError> {
    let mut settlements = Vec::new();
    let mut adopted = Vec::new();
    let mut notes = Vec::new();
    let session = runner.new_id(setup);
    for Due { item, at, note } in items {
        // Nobody claims it meanwhile: else a settlement of theirs would be fenced, and the message sent twice.
        if item.state.status == QueueStatus::Waiting && runner.board().adopt(&item) {
            adopted.push((item.id, item.destination.clone()));
            notes.push(note.map(|note| (item.id.mail_id, note)));
            let state = QueueState { due_at: at, ..item.state };
            settlements.push(Settlement { id: item.id, revision: item.revision, next: Next::Waits(state) });
        }
    }
    let done = match settlements.is_empty() {
        true => Ok(()),
        false => setup.store.settle(settlements, Vec::new()).await.map(|(settled, _)| {
            for (settled, note) in settled.into_iter().zip(notes) {
                // What somebody else changed meanwhile is due when they say.
                if let (Settled::Done { .. }, Some((mail_id, note))) = (settled, note) {
                    setup.record(session, Some(mail_id), vec![note]);
                }
            }
        }),
    };
    runner.finished(adopted);
    done
}
