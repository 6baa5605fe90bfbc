//! What becomes of a failure that nobody can be told of.

use store::{QueueState, QueueStatus};
use types::{EventStep, Verdict};

use super::words::later;
use super::{About, Deciding, GRACE, Note};

/// Why nobody can be told now what became of a message.
#[derive(Debug, Clone)]
pub(in crate::delivery) struct Untold {
    /// There is none on the disk, which passes.
    pub(in crate::delivery) is_for_want_of_room: bool,
    pub(in crate::delivery) why: String,
}

/// How an item waits of whose failure nobody could be told: until it is tried once more, and where that never helps,
/// until somebody looks at it. A report that cannot be made is as much a fault of ours as an attempt that cannot be.
pub(in crate::delivery) fn untold_failure(
    about: About<'_>,
    state: QueueState,
    untold: &Untold,
) -> (QueueState, Note) {
    let deciding = Deciding::new(about);
    let (deadline, _) = deciding.terms.deadline(about.schedule);
    let is_over = about.now >= deadline.plus(GRACE);
    let own_failures = state.own_failures.saturating_add(u32::from(!untold.is_for_want_of_room));
    let Untold { why, .. } = untold;
    if is_over || own_failures >= about.own_failures_max {
        let reason = format!("set aside: nobody can be told that it failed: {why}");
        let note = Note::new(EventStep::Held, Verdict::Deferred, reason.clone());
        return (QueueState { status: QueueStatus::Held { reason }, own_failures, ..state }, note);
    }
    let reason = format!("nobody can be told now that it failed: {why}; {}", later(about.now, state.due_at));
    let note = Note::new(EventStep::Reported, Verdict::Deferred, reason);
    (QueueState { own_failures, ..state }, note)
}
