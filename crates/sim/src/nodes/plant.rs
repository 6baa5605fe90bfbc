//! Bugs that are planted, to see that the simulation finds them. Each stands between a node and its store, or its disk,
//! and breaks one promise.

mod through;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use store::{
    Acceptance, Accepted, Body, Destination, NewQueueItem, Next, QueueClaim, QueueItem, QueueItemId, Settled,
    Settlement, Store, StoreError,
};
use types::{Envelope, MailId, Timestamp};

use self::through::{Lying, Planted};
use super::Plant;

/// An item is removed when it is given to the runner that has just accepted it, and put back only where the attempt
/// fails: a node that dies meanwhile has lost it.
pub const EARLY_REMOVAL: Plant =
    Plant { store: |store| Arc::new(Planted { store, bug: EarlyRemoval::default() }), ..Plant::NONE };

/// One of eight items that are put off is never tried again.
pub const LOST_RETRY: Plant =
    Plant { store: |store| Arc::new(Planted { store, bug: LostRetry }), ..Plant::NONE };

/// Reports are stored before the settlement that they tell of, and not with it: a node that dies in between makes them
/// again.
pub const DOUBLE_BOUNCE: Plant =
    Plant { store: |store| Arc::new(Planted { store, bug: DoubleBounce }), ..Plant::NONE };

/// Claims are not given back.
pub const KEPT_CLAIM: Plant =
    Plant { store: |store| Arc::new(Planted { store, bug: KeptClaim }), ..Plant::NONE };

/// An item that is settled is settled once more by the answer alone: what was put off is removed where a report of one
/// of its recipients goes with it, so that the others get nothing.
pub const FORGOTTEN_RECIPIENTS: Plant =
    Plant { store: |store| Arc::new(Planted { store, bug: ForgottenRecipients }), ..Plant::NONE };

/// 250 is said before the log is on stable storage.
pub const EARLY_ANSWER: Plant = Plant { disk: |disk| Arc::new(Lying(disk)), ..Plant::NONE };

/// What a planted store does otherwise. All else goes through.
#[async_trait]
trait Bug: Send + Sync {
    async fn accept(&self, store: &dyn Store, acceptance: Acceptance) -> Result<Accepted, StoreError> {
        store.accept(acceptance).await
    }

    async fn claim(
        &self,
        store: &dyn Store,
        destination: &Destination,
        due_by: Timestamp,
        limit: usize,
        lease: Duration,
    ) -> Result<Vec<QueueItem>, StoreError> {
        store.claim(destination, due_by, limit, lease).await
    }

    fn release(&self, store: &dyn Store, ids: &[QueueItemId]) {
        store.release(ids);
    }

    async fn settle(
        &self,
        store: &dyn Store,
        settlements: Vec<Settlement>,
        reports: Vec<Acceptance>,
    ) -> Result<(Vec<Settled>, Vec<Accepted>), StoreError> {
        store.settle(settlements, reports).await
    }
}

/// See [`EARLY_REMOVAL`].
#[derive(Default)]
struct EarlyRemoval {
    removed: Mutex<BTreeMap<QueueItemId, Removed>>,
}

/// What is needed to put an item back.
struct Removed {
    item: QueueItem,
    envelope: Envelope,
    body: Vec<Bytes>,
}

#[async_trait]
impl Bug for EarlyRemoval {
    async fn accept(&self, store: &dyn Store, acceptance: Acceptance) -> Result<Accepted, StoreError> {
        let envelope = acceptance.envelope.clone();
        let body = match &acceptance.body {
            Body::Memory(body) => body.clone(),
            Body::Staged(_) => return store.accept(acceptance).await,
        };
        let accepted = store.accept(acceptance).await?;
        for item in &accepted.queue {
            let gone = Settlement { id: item.id, revision: item.revision, next: Next::Gone };
            store.settle(vec![gone], Vec::new()).await?;
            let removed = Removed { item: item.clone(), envelope: envelope.clone(), body: body.clone() };
            self.removed().insert(item.id, removed);
        }
        Ok(accepted)
    }

    async fn settle(
        &self,
        store: &dyn Store,
        settlements: Vec<Settlement>,
        reports: Vec<Acceptance>,
    ) -> Result<(Vec<Settled>, Vec<Accepted>), StoreError> {
        let mut rest = Vec::new();
        let mut reports = reports;
        for settlement in settlements {
            let removed = self.removed().remove(&settlement.id);
            match (removed, settlement.next) {
                (None, next) => rest.push(Settlement { next, ..settlement }),
                (Some(_), Next::Gone) => {}
                (Some(removed), Next::Waits(state) | Next::Moves { state, .. }) => {
                    reports.push(put_back(removed, state));
                }
            }
        }
        let mut stored = Vec::new();
        for report in reports {
            stored.push(store.accept(report).await?);
        }
        let (settled, _) = store.settle(rest, Vec::new()).await?;
        Ok((if settled.is_empty() { vec![Settled::Done { revision: 2 }] } else { settled }, stored))
    }
}

impl EarlyRemoval {
    fn removed(&self) -> std::sync::MutexGuard<'_, BTreeMap<QueueItemId, Removed>> {
        self.removed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The item as another message, as its id was used.
fn put_back(removed: Removed, state: store::QueueState) -> Acceptance {
    let Removed { item, envelope, body } = removed;
    let bits = u64::from(item.id.part) << 40 ^ item.id.mail_id.to_bytes()[15] as u64;
    let recipients = state.recipients.into_iter().map(|queued| queued.recipient).collect();
    Acceptance {
        mail_id: MailId::new(state.due_at, bits),
        received_at: item.received_at,
        envelope,
        origin: String::new(),
        body: Body::Memory(body),
        deliveries: Vec::new(),
        queue: vec![NewQueueItem {
            destination: item.destination,
            reverse_path: item.reverse_path,
            header: item.header,
            recipients,
            due_at: state.due_at,
        }],
        claim: QueueClaim::Later,
        idempotency: None,
    }
}

/// See [`LOST_RETRY`].
struct LostRetry;

/// Longer than any world.
const NEVER: Duration = Duration::from_secs(30 * 24 * 60 * 60);

#[async_trait]
impl Bug for LostRetry {
    async fn settle(
        &self,
        store: &dyn Store,
        mut settlements: Vec<Settlement>,
        reports: Vec<Acceptance>,
    ) -> Result<(Vec<Settled>, Vec<Accepted>), StoreError> {
        for settlement in &mut settlements {
            let is_chosen = settlement.id.mail_id.to_bytes()[15].is_multiple_of(8);
            if let Next::Waits(state) = &mut settlement.next
                && is_chosen
            {
                state.due_at = state.due_at.plus(NEVER);
            }
        }
        store.settle(settlements, reports).await
    }
}

/// See [`DOUBLE_BOUNCE`].
struct DoubleBounce;

#[async_trait]
impl Bug for DoubleBounce {
    async fn settle(
        &self,
        store: &dyn Store,
        settlements: Vec<Settlement>,
        reports: Vec<Acceptance>,
    ) -> Result<(Vec<Settled>, Vec<Accepted>), StoreError> {
        let mut accepted = Vec::new();
        for report in reports {
            accepted.push(store.accept(report).await?);
        }
        let (settled, _) = store.settle(settlements, Vec::new()).await?;
        Ok((settled, accepted))
    }
}

/// See [`KEPT_CLAIM`].
struct KeptClaim;

#[async_trait]
impl Bug for KeptClaim {
    async fn claim(
        &self,
        store: &dyn Store,
        destination: &Destination,
        due_by: Timestamp,
        limit: usize,
        _lease: Duration,
    ) -> Result<Vec<QueueItem>, StoreError> {
        store.claim(destination, due_by, limit, NEVER).await
    }

    fn release(&self, _store: &dyn Store, _ids: &[QueueItemId]) {}
}

/// See [`FORGOTTEN_RECIPIENTS`].
struct ForgottenRecipients;

#[async_trait]
impl Bug for ForgottenRecipients {
    async fn settle(
        &self,
        store: &dyn Store,
        mut settlements: Vec<Settlement>,
        reports: Vec<Acceptance>,
    ) -> Result<(Vec<Settled>, Vec<Accepted>), StoreError> {
        for settlement in &mut settlements {
            if matches!(settlement.next, Next::Waits(_)) && !reports.is_empty() {
                settlement.next = Next::Gone;
            }
        }
        store.settle(settlements, reports).await
    }
}
