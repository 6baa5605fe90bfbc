//! What follows an attempt: lines in the trace, reports, and the settlement, which is durable before anything is built
//! on it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use store::{Acceptance, Next, QueueClaim, QueueState, Settled, Settlement, StoreError};
use tracing::warn;
use types::{EventStep, MailId, MailParameters, Verdict};

use super::board::Loaded;
use super::fate::{About, Decision, Happened, Note, Reached, Told, Untold, decide, untold_failure};
use super::reports::{self, Made};
use super::runner::{Runner, Setup, Stage};
use super::settling::Settling;
use crate::local_delivery::{self, Rooms};

/// Records what an attempt has led to. It may go on beside the work of who calls.
pub(super) async fn conclude(
    runner: &Arc<Runner>,
    setup: &Setup,
    loaded: &Loaded,
    parameters: Option<&MailParameters>,
    happened: Happened,
    session: MailId,
) {
    let unknown = MailParameters::default();
    let about = about(setup, loaded, parameters.unwrap_or(&unknown));
    let Decision { next, without_reports, told, notes, counts } = decide(about, happened);
    setup.figures.attempted(counts.relayed, counts.waiting, counts.failed);
    if counts.relayed > 0 {
        setup.figures.relayed(setup.world.now().since(loaded.item.received_at));
    }
    setup.record(session, Some(loaded.item.id.mail_id), notes);
    let item = &loaded.item;
    let settlement = Settlement { id: item.id, revision: item.revision, next };
    if !reports::are_due(item, &told) {
        // Nobody waits for it: the connection goes on meanwhile.
        let destination = item.destination.clone();
        let _ = setup.settle.send(Settling { settlement, destination, mail_id: item.id.mail_id, session });
        return;
    }
    let owed = Owed {
        runner: Arc::clone(runner),
        loaded: loaded.clone(),
        session,
        settlement,
        without_reports,
        parameters: about.parameters.clone(),
        what: What::Reports(told),
        _rooms: Rooms::default(),
    };
    runner.spawn(owed.settle());
}

/// Brings a held message, whose time has come, to its recipients here and elsewhere. Those whose mailboxes are full by
/// now wait, as they would at a host that says so.
pub(super) async fn release(
    runner: &Arc<Runner>,
    setup: &Setup,
    loaded: &Loaded,
    parameters: &MailParameters,
    session: MailId,
) {
    let item = &loaded.item;
    let Some(shared) = setup.shared.upgrade() else { return runner.give_back(item) };
    let (rooms, full) = match local_delivery::rooms_of_held(&shared, item).await {
        Ok(found) => found,
        // Without that nobody is known to have room.
        Err(why) => {
            let happened = Happened::Ours(why.to_string());
            return conclude(runner, setup, loaded, Some(parameters), happened, session).await;
        }
    };
    let count = item.state.recipients.len();
    if count > 0 && full.len() == count {
        let reached = Reached { outcome: local_delivery::over_quota_outcome(&shared), place: None };
        let happened = Happened::Tried(vec![reached; count]);
        return conclude(runner, setup, loaded, Some(parameters), happened, session).await;
    }
    let (mut staying, mut going) = (item.state.clone(), loaded.clone());
    for (recipients, is_full) in [(&mut staying.recipients, true), (&mut going.item.state.recipients, false)]
    {
        let mut index = 0..;
        recipients.retain(|_| index.next().is_some_and(|index| full.contains(&index) == is_full));
    }
    let next = if staying.recipients.is_empty() { Next::Gone } else { Next::Waits(staying) };
    let owed = Owed {
        runner: Arc::clone(runner),
        loaded: loaded.clone(),
        session,
        settlement: Settlement { id: item.id, revision: item.revision, next },
        without_reports: None,
        parameters: parameters.clone(),
        what: What::Release(Box::new(going)),
        _rooms: rooms,
    };
    runner.spawn(owed.settle());
}

/// A settlement with messages that have to be stored with it.
struct Owed {
    runner: Arc<Runner>,
    loaded: Loaded,
    session: MailId,
    settlement: Settlement,
    without_reports: Option<QueueState>,
    /// Of MAIL.
    parameters: MailParameters,
    what: What,
    /// Within quotas, until it is stored.
    _rooms: Rooms,
}

enum What {
    Reports(Vec<Told>),
    /// Those recipients who get it now.
    Release(Box<Loaded>),
}

/// Waits between tries to store what has to be stored.
const RETRY_FIRST: Duration = Duration::from_millis(200);
const RETRY_MAX: Duration = Duration::from_secs(30);
/// Tries to store reports.
const TRIES_MAX: u32 = 3;

impl Owed {
    /// Until it is durable: the hosts have said what they said, and asking them again would make duplicates.
    async fn settle(self) {
        let runner = Arc::clone(&self.runner);
        let Some(setup) = runner.setup() else { return };
        // It is never closed.
        let _turn = runner.reporting.acquire().await;
        let mut wait = RETRY_FIRST;
        for tries in 1.. {
            // What it is made of comes from outside: a fault of ours there must not keep the item from everybody.
            let made = AssertUnwindSafe(self.make(setup)).catch_unwind().await;
            let made = made.unwrap_or_else(|_| Err("a fault of this program".to_owned()));
            let untold = match made {
                Ok(made) => match self.store(setup, made).await {
                    Ok(()) => break,
                    Err(error) => Untold {
                        is_for_want_of_room: matches!(error, StoreError::Full(_)),
                        why: error.to_string(),
                    },
                },
                Err(why) => Untold { is_for_want_of_room: false, why },
            };
            let Untold { why, .. } = &untold;
            warn!(item = %self.loaded.item.id, %why, "what became of a message cannot be recorded now");
            if tries >= TRIES_MAX && self.give_up_on_messages(setup, &untold).await {
                break;
            }
            if *runner.stage.borrow() == Stage::Over {
                return;
            }
            setup.rest(wait).await;
            wait = (wait * 2).min(RETRY_MAX);
        }
        let item = &self.loaded.item;
        runner.finished([(item.id, item.destination.clone())]);
    }

    async fn store(&self, setup: &Setup, made: Made) -> Result<(), StoreError> {
        let Made { acceptances, notes } = made;
        let acceptances = acceptances.into_iter().map(|one| self.claimed(one)).collect();
        match setup.store.settle(vec![self.settlement.clone()], acceptances).await {
            Ok((settled, _)) if settled.first() == Some(&Settled::Fenced) => self.tell_fenced(setup),
            Ok((_, accepted)) => {
                setup.record(self.session, Some(self.loaded.item.id.mail_id), notes);
                if let Some(shared) = setup.shared.upgrade() {
                    shared.mail_index.arrived(&accepted);
                }
                for accepted in accepted {
                    self.runner.take(accepted.queue, None);
                }
                self.runner.wake.notify_one();
            }
            Err(StoreError::Conflict(_)) if self.is_changed(setup).await => self.tell_fenced(setup),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn make(&self, setup: &Setup) -> Result<Made, String> {
        let Some(shared) = setup.shared.upgrade() else { return Err("the node is over".to_owned()) };
        match &self.what {
            What::Reports(told) => reports::make(&self.runner, setup, &shared, &self.loaded, told).await,
            What::Release(going) => {
                reports::release(&self.runner, setup, &shared, going, &self.parameters).await
            }
        }
    }

    /// A report that leaves this host goes at once.
    fn claimed(&self, acceptance: Acceptance) -> Acceptance {
        let claim = if self.runner.has_room() { QueueClaim::ByCaller } else { QueueClaim::Later };
        Acceptance { claim, ..acceptance }
    }

    async fn is_changed(&self, setup: &Setup) -> bool {
        match setup.store.queue_item(self.loaded.item.id).await {
            Ok(found) => found.is_none_or(|found| found.revision != self.loaded.item.revision),
            Err(_) => false,
        }
    }

    fn tell_fenced(&self, setup: &Setup) {
        let reason = "somebody changed it meanwhile: what this attempt came to is not recorded in the queue";
        let note = Note::new(EventStep::Operator, Verdict::Noted, reason.to_owned());
        setup.record(self.session, Some(self.loaded.item.id.mail_id), vec![note]);
    }

    /// Where there is no room for reports, what was relayed is settled all the same, and what failed waits until it can
    /// be told, or until somebody looks at it. A held message that cannot be brought to its recipients is a fault of
    /// ours.
    async fn give_up_on_messages(&self, setup: &Setup, untold: &Untold) -> bool {
        let about = about(setup, &self.loaded, &self.parameters);
        let (next, notes) = match (&self.what, &self.without_reports) {
            (What::Release(_), _) => {
                let Decision { next, notes, .. } = decide(about, Happened::Ours(untold.why.clone()));
                (next, notes)
            }
            (What::Reports(_), Some(state)) => {
                let (state, note) = untold_failure(about, state.clone(), untold);
                (Next::Waits(state), vec![note])
            }
            // Only a courtesy is lost.
            (What::Reports(_), None) => {
                let reason = format!("what is due of it cannot be stored: {}", untold.why);
                let note = Note::new(EventStep::Discarded, Verdict::Noted, reason);
                (self.settlement.next.clone(), vec![note])
            }
        };
        let settlement = Settlement { next, ..self.settlement.clone() };
        let Ok((settled, _)) = setup.store.settle(vec![settlement], Vec::new()).await else { return false };
        if settled.first() == Some(&Settled::Fenced) {
            self.tell_fenced(setup);
        } else {
            setup.record(self.session, Some(self.loaded.item.id.mail_id), notes);
        }
        true
    }
}

fn about<'a>(setup: &'a Setup, loaded: &'a Loaded, parameters: &'a MailParameters) -> About<'a> {
    About {
        item: &loaded.item,
        parameters,
        schedule: &setup.schedule,
        own_failures_max: setup.own_failures_max(),
        now: setup.world.now(),
        random: setup.world.random(),
    }
}
