//! What an operator does to items while the runner runs: nothing of it is sent meanwhile, so that what the operator was
//! told is so.

use mta::dsn::{Action, Occasion};
use mta::outcome::{Diagnostic, Finding};
use store::{Acceptance, QueueItem, QueueItemId, QueuedRecipient};
use types::EnhancedStatus;

use super::Delivery;
use super::board::{Loaded, Withheld};
use super::fate::{Note, Told, finding_of};
use super::reports::{self, Made};
use crate::control::GivenUp;

/// Items with which the runner does not begin while this lives.
pub(crate) struct Withholding<'a> {
    delivery: &'a Delivery,
    adopted: Vec<QueueItem>,
    /// Those that are being sent at this moment.
    pub(crate) under_way: Vec<QueueItemId>,
}

impl Delivery {
    /// Keeps items from being begun, as far as they are not.
    pub(crate) fn withhold(&self, items: &[QueueItem]) -> Withholding<'_> {
        let mut withholding = Withholding { delivery: self, adopted: Vec::new(), under_way: Vec::new() };
        let mut board = self.runner.board();
        for item in items {
            match board.withhold(item) {
                Withheld::Adopted => withholding.adopted.push(item.clone()),
                Withheld::Withdrawn => {}
                Withheld::UnderWay => withholding.under_way.push(item.id),
            }
        }
        withholding
    }

    /// The reports that are owed where an item is given up before its time, and what the trace is told of them.
    ///
    /// # Errors
    /// They cannot be made now.
    pub(crate) async fn failure_reports(
        &self,
        item: &QueueItem,
        why: GivenUp,
        operator: &str,
    ) -> Result<(Vec<Acceptance>, Vec<Note>), String> {
        let setup = self.runner.setup().ok_or("mail is not being sent yet")?;
        let shared = setup.shared.upgrade().ok_or("the server is about to stop")?;
        let told = item.state.recipients.iter().map(|queued| Told {
            recipient: queued.recipient.clone(),
            action: Action::Failed,
            occasion: Occasion::Ordinary,
            finding: finding(queued, why, operator),
            place: None,
            last_attempt_at: item.state.last_attempt_at,
            will_retry_until: None,
        });
        let told: Vec<Told> = told.collect();
        if !reports::are_due(item, &told) {
            return Ok((Vec::new(), Vec::new()));
        }
        let loaded = Loaded { item: item.clone(), fresh: None, loaded_at: setup.world.now() };
        let Made { acceptances, notes } = reports::make(&self.runner, setup, &shared, &loaded, &told).await?;
        Ok((acceptances, notes))
    }
}

impl Drop for Withholding<'_> {
    fn drop(&mut self) {
        let adopted = std::mem::take(&mut self.adopted);
        self.delivery.runner.finished(adopted.into_iter().map(|item| (item.id, item.destination)));
    }
}

/// What a report says of a recipient: where an operator has ended its time, the status of the last attempt stays, as
/// where it ends by itself (RFC 3464 §2.3.3).
fn finding(queued: &QueuedRecipient, why: GivenUp, operator: &str) -> Finding {
    let (status, text) = match (why, &queued.last) {
        (GivenUp::Expired, Some(last)) => return finding_of(last),
        (GivenUp::Expired, None) => (
            EnhancedStatus::permanent(4, 7),
            format!("{operator} has ended the time within which it is tried"),
        ),
        (GivenUp::Removed, _) => {
            (EnhancedStatus::permanent(7, 0), format!("{operator} has removed it from the queue"))
        }
    };
    Finding { status, diagnostic: Diagnostic::Local(text) }
}
