//! What a clock that had jumped ahead has put off until that date: looked for at a start, and when the clock is seen to
//! be put back (attacks.md 25). It is tried when it may be by the clock that is right now.

use std::sync::Arc;
use std::time::Duration;

use mta::schedule::Terms;
use store::{QueueItem, QueueItemId, StoreError};
use tracing::warn;
use types::{EventStep, Hold, MailParameters, Timestamp, Verdict};

use super::fate::{Note, later};
use super::flush::{Due, set_due};
use super::runner::{Runner, Setup};

/// Two clocks of one network differ by so much and nobody has jumped.
pub(super) const JUMP_MIN: Duration = Duration::from_secs(60);
/// Items that are pulled back in one step.
const ITEMS_PER_STEP: usize = 500;

/// Looks through all that waits.
pub(super) async fn pull_back(runner: Arc<Runner>) {
    let Some(setup) = runner.setup() else { return };
    if let Err(error) = all(&runner, setup).await {
        warn!(%error, "what a wrong clock has put off cannot be looked for now");
    }
    runner.wake.notify_one();
}

async fn all(runner: &Arc<Runner>, setup: &Setup) -> Result<(), StoreError> {
    let wait_max = setup.schedule.wait_max();
    let mut after: Option<QueueItemId> = None;
    loop {
        let later_than = setup.world.now().plus(wait_max);
        let (ids, next) = setup.store.queue_ahead(later_than, after).await?;
        for ids in ids.chunks(ITEMS_PER_STEP) {
            some(runner, setup, ids).await?;
        }
        if next.is_none() || runner.is_stopping() {
            return Ok(());
        }
        after = next;
    }
}

async fn some(runner: &Arc<Runner>, setup: &Setup, ids: &[QueueItemId]) -> Result<(), StoreError> {
    let mut items = Vec::new();
    for id in ids {
        let item = match setup.store.queue_item(*id).await {
            Err(StoreError::Damaged(_)) => continue,
            found => found?,
        };
        let Some(item) = item else { continue };
        let envelope = match setup.store.envelope(id.mail_id).await {
            Err(StoreError::Damaged(_)) => continue,
            found => found?,
        };
        let parameters = envelope.map(|(envelope, _)| envelope.parameters).unwrap_or_default();
        let now = setup.world.now();
        if let Some(at) = due(setup, &item, &parameters, now) {
            let reason = format!(
                "its next attempt lay further ahead than it ever should, as by a clock that jumped; {}",
                later(now, at)
            );
            let note = Some(Note::new(EventStep::Postponed, Verdict::Deferred, reason));
            items.push(Due { item, at, note });
        }
    }
    set_due(runner, setup, items).await
}

/// When an item is due that is put off longer than the schedule ever does; none where its time is right.
fn due(setup: &Setup, item: &QueueItem, parameters: &MailParameters, now: Timestamp) -> Option<Timestamp> {
    let state = &item.state;
    let latest = match (state.attempts, parameters.hold) {
        // RFC 4865 §4: at its sender's wish, counted from when it really came.
        (0, Some(Hold::Until(at))) => at.max(now),
        (0, Some(Hold::For { seconds })) => {
            item.received_at.min(now).plus(Duration::from_secs(seconds.into()))
        }
        // What waits for its host is not tried until its time is over.
        (0, None) if item.received_at <= now.plus(JUMP_MIN) => {
            Terms::new(&item.reverse_path, parameters, item.received_at).deadline(&setup.schedule).0
        }
        (0, None) => now,
        _ => now.plus(setup.schedule.wait_max()),
    };
    (state.due_at > latest.plus(JUMP_MIN)).then_some(if state.attempts == 0 { latest.max(now) } else { now })
}
