//! Finds what is due in the store, and takes in as much of it as there is room for.
//!
//! A destination whose site is suspended, or that has its share of the room, is passed over by one look at it, however
//! much waits for it (attacks.md 24). So that mail for a site that is down for days is given up in time, and its senders
//! hear of the delay, what has been due for some minutes is put off by the schedule as if it had been tried, a little at
//! a time.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use store::{Destination, StoreError};
use tracing::warn;
use types::Timestamp;

use super::board::{Effects, Loaded};
use super::conclude;
use super::far_ahead;
use super::fate::Happened;
use super::runner::{Runner, Setup, Stage};

/// How long a claim is good for. On one node nobody else could take it.
pub(super) const LEASE: Duration = Duration::from_secs(6 * 60 * 60);
/// Destinations of one look.
const DESTINATIONS_PER_PAGE: usize = 100;
/// Items that are claimed at once.
const ITEMS_PER_CLAIM: usize = 500;
/// Without any reason the store is looked at this often.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);
/// The same after something was accepted that there was no room for.
const SHORT_INTERVAL: Duration = Duration::from_millis(250);
/// Between two looks, so that many reasons for one are one.
const PAUSE: Duration = Duration::from_millis(10);
/// How long something has been due before it is put off.
const PUT_OFF_AFTER: Duration = Duration::from_secs(5 * 60);
/// Items that are put off in one look.
const PUT_OFF_MAX: usize = 200;
/// Destinations that cannot be read in one look, before it is over.
const FAILED_MAX: usize = 8;
/// Between looks while something is put off.
const PUT_OFF_INTERVAL: Duration = Duration::from_secs(1);

/// Until the runner is over.
pub(super) async fn run(runner: Arc<Runner>) {
    let Some(setup) = runner.setup() else { return };
    let mut stage = runner.stage.subscribe();
    runner.spawn(far_ahead::pull_back(Arc::clone(&runner)));
    loop {
        if runner.is_stopping() {
            return;
        }
        let is_clock_back = runner.board().is_clock_back(setup.world.now());
        if is_clock_back {
            warn!("the clock was put back");
            runner.spawn(far_ahead::pull_back(Arc::clone(&runner)));
        }
        let again_at = match look(&runner, setup).await {
            Ok(at) => at,
            Err(error) => {
                warn!(%error, "the queue cannot be read now");
                setup.world.now().plus(Duration::from_secs(5))
            }
        };
        tokio::select! {
            biased;
            _ = stage.wait_for(|stage| *stage != Stage::Running) => return,
            () = runner.wake.notified() => {}
            () = setup.world.sleep_until(again_at) => {}
            // The clock may be put back before then.
            () = tokio::time::sleep(LOOK_INTERVAL) => {}
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Takes in what is due; returns when to look again.
async fn look(runner: &Arc<Runner>, setup: &Setup) -> Result<Timestamp, StoreError> {
    let now = setup.world.now();
    let was_short = runner.is_short.swap(false, Ordering::Relaxed);
    let effects = {
        let mut board = runner.board();
        board.tidy(now);
        board.tick(now)
    };
    runner.apply(effects);
    let mut after: Option<(Timestamp, Destination)> = None;
    let mut put_off = 0;
    let mut failed = 0;
    loop {
        let page = setup.store.destinations_due(now, after.as_ref(), DESTINATIONS_PER_PAGE).await?;
        for (due_at, destination) in &page {
            if let Err(error) = take_in(runner, setup, destination, now).await {
                // What cannot be read of one destination does not hold up the others.
                warn!(%error, %destination, "what waits for a destination cannot be read now");
                failed += 1;
                if failed >= FAILED_MAX {
                    return Err(error);
                }
            }
            if due_at.plus(PUT_OFF_AFTER) <= now && put_off < PUT_OFF_MAX {
                put_off += put_off_some(runner, setup, destination, now).await?;
            }
        }
        let is_last = page.len() < DESTINATIONS_PER_PAGE;
        after = page.into_iter().next_back();
        if is_last || after.is_none() || runner.board().room() == 0 || runner.is_stopping() {
            break;
        }
    }
    let mut again_at = now.plus(if was_short { SHORT_INTERVAL } else { LOOK_INTERVAL });
    if put_off > 0 {
        again_at = again_at.min(now.plus(PUT_OFF_INTERVAL));
    }
    let changes = runner.board().next_change(now);
    let due = setup.store.next_due(now).await?;
    Ok([changes, due].into_iter().flatten().fold(again_at, Timestamp::min))
}

/// Claims as much of a destination as there is room for.
async fn take_in(
    runner: &Arc<Runner>,
    setup: &Setup,
    destination: &Destination,
    now: Timestamp,
) -> Result<(), StoreError> {
    let wanted = runner.board().wants(destination, now).min(ITEMS_PER_CLAIM);
    if wanted == 0 {
        return Ok(());
    }
    let items = setup.store.claim(destination, now, wanted, LEASE).await?;
    let mut effects = Effects::default();
    {
        let mut board = runner.board();
        if items.len() < wanted {
            board.has_all(destination);
        }
        for item in items {
            board.add(Loaded { item, fresh: None, loaded_at: now }, now, &mut effects);
        }
    }
    runner.apply(effects);
    Ok(())
}

/// Puts off what has been due for some time and cannot be tried because its site is suspended.
async fn put_off_some(
    runner: &Arc<Runner>,
    setup: &Setup,
    destination: &Destination,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let Some((until, why)) = runner.board().suspension(destination, now) else { return Ok(0) };
    let due_by = Timestamp::from_millis(now.millis().saturating_sub(millis(PUT_OFF_AFTER)));
    let items = setup.store.claim(destination, due_by, PUT_OFF_MAX, LEASE).await?;
    let count = items.len();
    let session = runner.new_id(setup);
    for item in items {
        if !runner.board().adopt(&item) {
            continue;
        }
        let loaded = Loaded { item, fresh: None, loaded_at: now };
        let envelope = setup.store.envelope(loaded.item.id.mail_id).await;
        let parameters = envelope
            .ok()
            .flatten()
            .map(|(envelope, _)| crate::local_delivery::parameters_of(&loaded.item, &envelope));
        let why = format!("the site is suspended: {why}");
        let happened = Happened::NotTried { why, until: Some(until) };
        conclude::conclude(runner, setup, &loaded, parameters.as_ref(), happened, session).await;
    }
    Ok(count)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
