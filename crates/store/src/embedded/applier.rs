//! The applier: brings the view up to the log behind the committer's back, and makes it durable now and then.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::backlog::Duty;
use super::bodies;
use super::recover;
use super::shared::Shared;
use super::sync::lock;
use super::view::{Durable, Purged};
use crate::StoreError;

/// So long at most what was applied waits to be durable in the view. More would only mean more to replay.
pub(super) const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);
/// So often a view that cannot be written is tried again.
const HEAL_INTERVAL: Duration = Duration::from_secs(1);

/// Works until the backlog is stopped and empty.
pub(super) fn run(shared: &Arc<Shared>, after_checkpoint: &dyn Fn()) {
    let mut due = None;
    loop {
        match shared.backlog.duty(due) {
            Duty::Apply => {
                if !apply_or_heal(shared) {
                    return;
                }
                due.get_or_insert_with(|| Instant::now() + CHECKPOINT_INTERVAL);
                if due.is_some_and(|due| due <= Instant::now()) {
                    due = checkpoint_or_heal(shared, after_checkpoint);
                }
            }
            Duty::Checkpoint => due = checkpoint_or_heal(shared, after_checkpoint),
            Duty::Purge => {
                purge_or_heal(shared);
                // What became free is looked at then.
                due.get_or_insert_with(|| Instant::now() + CHECKPOINT_INTERVAL);
            }
            Duty::Stop => {
                checkpoint_or_heal(shared, &|| {});
                shared.view.close(None);
                return;
            }
        }
    }
}

/// Returns when it is to be tried again where it failed: nobody else may ask for it, and room on the disk is made behind it.
fn checkpoint_or_heal(shared: &Arc<Shared>, after: &dyn Fn()) -> Option<Instant> {
    match checkpoint(shared) {
        Ok(()) => {
            after();
            shared.backlog.checkpoint_done();
            None
        }
        Err(error) => {
            tracing::warn!(%error, "the view could not be made durable");
            shared.close_view(&error);
            // Healing is tried again with the next batch, too.
            let _ = heal(shared);
            shared.backlog.checkpoint_failed();
            Some(Instant::now() + HEAL_INTERVAL)
        }
    }
}

fn purge_or_heal(shared: &Arc<Shared>) {
    match purge_step(shared) {
        Ok(true) => {}
        Ok(false) => shared.backlog.want_purge(),
        Err(error) => {
            tracing::warn!(%error, "what was in removed mailboxes could not be cleared away");
            if let Err(error) = heal(shared) {
                tracing::warn!(%error, "the view could not be opened again");
            }
            // Also where the view is well again: what made it fail may be there still.
            shared.backlog.want_purge_at(Instant::now() + HEAL_INTERVAL);
        }
    }
}

/// Clears away some of what was in mailboxes that are gone; true where nothing is left.
pub(super) fn purge_step(shared: &Shared) -> Result<bool, StoreError> {
    match shared.view.purge() {
        Ok(Purged { applied, done }) => {
            shared.progress.set_unsaved(!done);
            bodies::remove_dead(shared, &applied.dead_files);
            Ok(done)
        }
        Err(error) => {
            shared.close_view(&error);
            Err(error)
        }
    }
}

/// False where the store stops before the view could be healed.
fn apply_or_heal(shared: &Arc<Shared>) -> bool {
    let Err(mut error) = apply_pending(shared) else { return true };
    loop {
        tracing::warn!(%error, "the view could not be brought up to the log");
        if shared.backlog.is_stopping() {
            return false;
        }
        std::thread::sleep(HEAL_INTERVAL);
        match heal(shared) {
            Ok(()) => return true,
            Err(again) => error = again,
        }
    }
}

/// Applies all that waits. Where that fails the view is closed, until [`heal`] opens it again.
pub(super) fn apply_pending(shared: &Arc<Shared>) -> Result<(), StoreError> {
    if !shared.view.is_open() {
        return heal(shared);
    }
    let mut batches = shared.backlog.take();
    // What healing has applied already may have come to the backlog after it.
    let applied = shared.progress.applied();
    batches.retain(|batch| batch.log_end() > applied);
    let Some(end) = batches.last().map(super::log::Batch::log_end) else { return Ok(()) };
    let records = batches.iter().flat_map(super::log::Batch::records);
    match shared.view.apply(records, end, Durable::Later) {
        Ok(applied) => {
            shared.progress.set_applied(end);
            bodies::remove_dead(shared, &applied.dead_files);
            if applied.mailboxes_gone {
                shared.backlog.want_purge();
            }
            Ok(())
        }
        Err(error) => {
            shared.close_view(&error);
            Err(error)
        }
    }
}

/// Opens the view again and makes it of the log, which has everything that was taken off the backlog.
pub(super) fn heal(shared: &Arc<Shared>) -> Result<(), StoreError> {
    // Everything that is in the backlog was committed before, so the log has it.
    let until = shared.backlog.give_up(&shared.progress);
    let recovered = recover::bring_up(
        &|| shared.view.open_again(),
        &|| shared.view.discard(),
        &shared.segments,
        Some(until),
    )
    .inspect_err(|error| shared.close_view(error))?;
    shared.view.adopt(&recovered.view);
    shared.progress.set_applied(recovered.end);
    if shared.view.read()?.has_gone()? {
        shared.backlog.want_purge();
    }
    Ok(())
}

/// Makes the view durable.
pub(super) fn checkpoint(shared: &Arc<Shared>) -> Result<(), StoreError> {
    let at = shared.progress.applied();
    // What is cleared away moves no position.
    if at > shared.progress.checkpointed() || shared.progress.is_unsaved() {
        shared.view.apply(std::iter::empty(), at, Durable::Yes)?;
        shared.progress.set_unsaved(false);
        shared.progress.set_checkpointed(at);
        *lock(&shared.metrics.last_checkpoint) = Some(Instant::now());
    }
    Ok(())
}
