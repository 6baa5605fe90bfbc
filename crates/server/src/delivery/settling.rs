//! Records what became of items, many at a time: while one group is written, the next comes together.

use std::sync::Arc;
use std::time::Duration;

use store::{Destination, Settled, Settlement};
use tokio::sync::{Semaphore, mpsc};
use tracing::warn;
use types::{EventStep, MailId, Verdict};

use super::fate::Note;
use super::runner::{Runner, Setup};

/// A settlement without reports.
#[derive(Debug)]
pub(super) struct Settling {
    pub(super) settlement: Settlement,
    pub(super) destination: Destination,
    pub(super) mail_id: MailId,
    pub(super) session: MailId,
}

/// Settlements of one group.
const GROUP_MAX: usize = 256;
/// Groups at one time: while the store syncs one, it takes the next.
const GROUPS_MAX: usize = 4;
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(10);

/// Until the runner is over. What waits is bounded by the items in memory.
pub(super) async fn run(runner: Arc<Runner>, mut unsettled: mpsc::UnboundedReceiver<Settling>) {
    let turns = Arc::new(Semaphore::new(GROUPS_MAX));
    loop {
        // It is never closed.
        let Ok(turn) = Arc::clone(&turns).acquire_owned().await else { return };
        let mut group = Vec::new();
        if unsettled.recv_many(&mut group, GROUP_MAX).await == 0 {
            return;
        }
        let group_runner = Arc::clone(&runner);
        runner.spawn(async move {
            settle(group_runner, group).await;
            drop(turn);
        });
    }
}

/// The hosts have what they have: it is tried until it is recorded, and none of it is sent again meanwhile.
async fn settle(runner: Arc<Runner>, group: Vec<Settling>) {
    let Some(setup) = runner.setup() else { return };
    let mut wait = RETRY_FIRST;
    let settled = loop {
        let settlements = group.iter().map(|one| one.settlement.clone()).collect();
        match setup.store.settle(settlements, Vec::new()).await {
            Ok((settled, _)) => break settled,
            Err(error) => {
                warn!(%error, items = group.len(), "what became of messages cannot be recorded now");
                setup.rest(wait).await;
                wait = (wait * 2).min(RETRY_MAX);
            }
        }
    };
    for (one, settled) in group.iter().zip(settled) {
        if settled == Settled::Fenced {
            tell_fenced(setup, one);
        }
    }
    runner.finished(group.into_iter().map(|one| (one.settlement.id, one.destination)));
}

fn tell_fenced(setup: &Setup, one: &Settling) {
    let reason = "somebody changed it meanwhile: what this attempt came to is not recorded in the queue";
    let note = Note::new(EventStep::Operator, Verdict::Noted, reason.to_owned());
    setup.record(one.session, Some(one.mail_id), vec![note]);
}
