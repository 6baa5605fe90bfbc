//! What a clock that had jumped ahead has put off until that date: looked for at a start, and when the clock is seen to
//! be put back (attacks.md 25). It is tried when it may be by the clock that is right now.

use std::sync::Arc;
use std::time::Duration;

use mta::schedule::{Schedule, Terms};
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
        if let Some(at) = due(&setup.schedule, &item, &parameters, now) {
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
fn due(
    schedule: &Schedule,
    item: &QueueItem,
    parameters: &MailParameters,
    now: Timestamp,
) -> Option<Timestamp> {
    let state = &item.state;
    // RFC 4865 §4: at its sender's wish, counted from when it really came.
    let held_until = parameters.hold.map(|hold| match hold {
        Hold::Until(at) => at,
        Hold::For { seconds } => item.received_at.min(now).plus(Duration::from_secs(seconds.into())),
    });
    let latest = match held_until {
        _ if state.attempts > 0 => now.plus(schedule.wait_max()),
        Some(until) if until > now => until,
        // What waits for its host, or for its site, is not tried until its time is over.
        _ if item.received_at <= now.plus(JUMP_MIN) => {
            Terms::new(&item.reverse_path, parameters, item.received_at).deadline(schedule).0
        }
        _ => now,
    };
    (state.due_at > latest.plus(JUMP_MIN)).then_some(if state.attempts == 0 { latest.max(now) } else { now })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use store::{Destination, QueueState};
    use types::{EnvelopeRecipient, ForwardPath, MailId};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_322_124_250);
    const HOUR: Duration = Duration::from_secs(3600);
    const DAY: Duration = Duration::from_secs(24 * 3600);

    /// Of a message that came at `received_at`, was never tried and is due at `due_at`.
    fn pulled_back(received_at: Timestamp, hold: Option<Hold>, due_at: Timestamp) -> Option<Timestamp> {
        let path: ForwardPath = "<bob@to.example>".parse().unwrap();
        let item = QueueItem {
            id: QueueItemId { mail_id: MailId::new(received_at, 0), part: 1 },
            revision: 1,
            destination: Destination::named("to.example").unwrap(),
            reverse_path: "<ada@example.org>".parse().unwrap(),
            header: Bytes::new(),
            received_at,
            size_bytes: 10,
            priority: 0,
            state: QueueState::new(vec![EnvelopeRecipient::from(path)], due_at),
        };
        let parameters = MailParameters { hold, ..MailParameters::default() };
        due(&Schedule::default(), &item, &parameters, NOW)
    }

    #[test]
    fn what_waits_for_its_host_until_its_time_is_over_is_left_alone() {
        let yesterday = Timestamp::from_millis(NOW.millis() - 24 * 3_600_000);
        assert_eq!(pulled_back(yesterday, None, yesterday.plus(5 * DAY)), None);
        // Also where its sender had it held before.
        let hold = Some(Hold::For { seconds: 3600 });
        let end = yesterday.plus(5 * DAY + HOUR);
        assert_eq!(pulled_back(yesterday, hold, end), None);
        assert_eq!(pulled_back(yesterday, hold, end.plus(5 * DAY)), Some(end));
    }

    #[test]
    fn what_came_by_a_clock_that_was_ahead_is_tried_now_or_when_its_sender_wants_it() {
        let ahead = NOW.plus(365 * DAY);
        assert_eq!(pulled_back(ahead, None, ahead.plus(HOUR)), Some(NOW));
        let hold = Some(Hold::For { seconds: 3600 });
        assert_eq!(pulled_back(ahead, hold, ahead.plus(HOUR)), Some(NOW.plus(HOUR)));
        let hold = Some(Hold::Until(ahead));
        assert_eq!(pulled_back(NOW, hold, ahead), None);
    }
}
