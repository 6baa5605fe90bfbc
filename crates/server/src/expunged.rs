//! Lets go for good what was expunged some days ago and nobody has brought back.

use std::sync::Arc;
use std::time::Duration;

use store::StoreError;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tracing::{info, warn};
use types::Timestamp;

use crate::shared::Shared;

/// How often it is looked whether something is due.
const LOOK_EVERY: Duration = Duration::from_secs(60 * 60);
/// Messages of one step: others' changes come between two of them.
const STEP_MAX: usize = 1000;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Looks now and every hour, until the node stops.
pub(crate) fn start(shared: &Arc<Shared>) -> JoinHandle<()> {
    shared.while_serving(look_again_and_again)
}

async fn look_again_and_again(shared: Arc<Shared>) {
    loop {
        match purge(&shared).await {
            Ok(0) => {}
            Ok(messages) => info!(messages, "expunged messages are gone for good"),
            Err(error) => warn!(%error, "expunged messages could not be let go"),
        }
        sleep(LOOK_EVERY).await;
    }
}

/// All that is due.
async fn purge(shared: &Shared) -> Result<usize, StoreError> {
    let kept_ms = shared.config.store.expunged_days.saturating_mul(DAY_MS);
    let before = Timestamp::from_millis(shared.now().millis().saturating_sub(kept_ms));
    let mut gone = 0;
    loop {
        let step = shared.store.purge_expunged(before, STEP_MAX).await?;
        gone += step;
        if step < STEP_MAX {
            return Ok(gone);
        }
    }
}
