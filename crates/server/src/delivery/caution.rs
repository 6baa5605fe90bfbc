//! What keeps a message of which the whole process dies from being tried for ever.
//!
//! A panic is caught, and counted against its message ([`super::runner`]). An abort, or memory that has come to its end,
//! leaves nobody who could count. So a file stands in the data folder while the way out runs: where a start finds one,
//! the last end was none that anybody wanted, and for a while each message is marked before it is tried, durably, as if
//! the attempt had failed by a fault of ours; what becomes of it takes the mark away. What is marked at a start was in
//! hand at an end, or failed by a fault of ours before: it is tried alone, so that at the next end few are marked, and
//! then one. After `own_failures_max` such ends in a row it is set aside (attacks.md 23).
//!
//! After an orderly end nothing is marked, and a message costs nothing more than it would.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mta::route::Route;
use store::embedded::disk::{Disk, OpenMode};
use store::{Next, QueueState, QueueStatus, Settled, Settlement};
use tokio::sync::{mpsc, oneshot};
use tracing::warn;
use types::{EventStep, Timestamp, Verdict};

use super::board::{Job, Loaded, SiteName};
use super::fate::Note;
use super::runner::{self, Runner, Setup};
use super::settling::Settling;
use super::world::Way;

/// In the data folder while mail is being sent: how many ends in a row nobody wanted, as a number.
const FILE: &str = "sending";
/// How long messages are marked after one such end; twice as long after each further one, in case it takes that long
/// to come to the message again.
const MARKED_FOR: Duration = Duration::from_secs(10 * 60);
/// The longest.
const MARKED_FOR_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// An end so many times later is no other one of a row.
const ROW_FACTOR: u32 = 4;
/// What is tried alone is alone for so long: then it is slow rather than harmful, and the next one begins.
const ALONE_FOR: Duration = Duration::from_secs(10);
/// More octets than the file has.
const FILE_BYTES_MAX: usize = 20;

/// How careful this run is.
pub(super) struct Caution {
    file: MarkFile,
    /// Ends in a row that nobody wanted.
    ends: u32,
    /// Until when messages are marked.
    until: Timestamp,
    began_at: Timestamp,
    alone: mpsc::UnboundedSender<Alone>,
}

/// What is to be tried by itself. What waits there is bounded by what was in hand at an end.
pub(super) struct Alone {
    site: SiteName,
    job: Box<Job>,
}

/// The file that says that the way out runs.
struct MarkFile {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
}

impl Caution {
    /// Finds out how the last run ended, and says that this one has begun.
    pub(super) fn begin(
        disk: Arc<dyn Disk>,
        folder: &Path,
        now: Timestamp,
    ) -> (Self, mpsc::UnboundedReceiver<Alone>) {
        let file = MarkFile { disk, folder: folder.to_path_buf() };
        let ends = file.read().map_or(0, |ends| ends.saturating_add(1));
        file.write(ends);
        if ends > 0 {
            warn!(ends, "the last run did not end in order: messages are marked while they are tried");
        }
        let (alone, waiting) = mpsc::unbounded_channel();
        let until = if ends == 0 { now } else { now.plus(marked_for(ends)) };
        (Self { file, ends, until, began_at: now, alone }, waiting)
    }

    /// A clock that is put back does not make it longer.
    fn is_on(&self, now: Timestamp) -> bool {
        self.ends > 0 && (self.began_at..self.until).contains(&now)
    }

    /// This run ends in order.
    pub(super) fn end(&self) {
        self.file.remove();
    }
}

/// Ends the row, once nothing bad has happened for long enough.
pub(super) async fn forget(runner: Arc<Runner>) {
    let Some(setup) = runner.setup() else { return };
    let Caution { file, ends, began_at, .. } = &setup.caution;
    if *ends > 0 {
        setup.world.sleep_until(began_at.plus(marked_for(*ends) * ROW_FACTOR)).await;
        file.write(0);
    }
}

/// Marks an item that is about to be tried. Nothing is returned where somebody else sees to it, or nobody.
pub(super) async fn take_in_hand(
    runner: &Arc<Runner>,
    setup: &Setup,
    site: &SiteName,
    job: Box<Job>,
) -> Option<Box<Job>> {
    // What waits for its host is not tried.
    let is_tried = !matches!(job.routed.way, Way::Elsewhere(Route::OnDemand));
    if !is_tried || !setup.caution.is_on(setup.world.now()) {
        return Some(job);
    }
    if job.loaded.item.state.own_failures > 0 {
        // Its receiver lives as long as the runner.
        let _ = setup.caution.alone.send(Alone { site: Arc::clone(site), job });
        return None;
    }
    marked_job(runner, setup, job).await
}

/// As [`take_in_hand`], over a connection that is there.
pub(super) async fn take_over(runner: &Arc<Runner>, setup: &Setup, loaded: Loaded) -> Option<Loaded> {
    if setup.caution.is_on(setup.world.now()) { marked(runner, setup, loaded).await } else { Some(loaded) }
}

/// Tries one after the other what may have ended the process.
pub(super) async fn try_alone(runner: Arc<Runner>, mut waiting: mpsc::UnboundedReceiver<Alone>) {
    let Some(setup) = runner.setup() else { return };
    while let Some(Alone { site, job }) = waiting.recv().await {
        if runner.is_stopping() {
            runner.give_back(&job.loaded.item);
            continue;
        }
        let Some(job) = marked_job(&runner, setup, job).await else { continue };
        let (done, is_done) = oneshot::channel();
        let trying = runner::work_on(Arc::clone(&runner), site, job);
        runner.spawn(async move {
            trying.await;
            let _ = done.send(());
        });
        let _ = tokio::time::timeout(ALONE_FOR, is_done).await;
    }
}

async fn marked_job(runner: &Arc<Runner>, setup: &Setup, job: Box<Job>) -> Option<Box<Job>> {
    let Job { loaded, routed } = *job;
    let loaded = marked(runner, setup, loaded).await?;
    Some(Box::new(Job { loaded, routed }))
}

/// The item with its mark, which is in the store alone: whatever becomes of it is told from how it was before. One that
/// has as many as there may be is set aside.
async fn marked(runner: &Arc<Runner>, setup: &Setup, mut loaded: Loaded) -> Option<Loaded> {
    let item = &mut loaded.item;
    let failures = item.state.own_failures;
    if failures >= setup.own_failures_max() {
        set_aside(runner, setup, &loaded);
        return None;
    }
    let state = QueueState { own_failures: failures + 1, ..item.state.clone() };
    let mark = Settlement { id: item.id, revision: item.revision, next: Next::Waits(state) };
    match setup.store.settle(vec![mark], Vec::new()).await {
        Ok((settled, _)) => {
            let Some(Settled::Done { revision }) = settled.first() else {
                // Somebody changed it: it is found again in the store.
                runner.give_back(item);
                return None;
            };
            item.revision = *revision;
        }
        Err(error) => warn!(item = %item.id, %error, "it is tried without a mark"),
    }
    Some(loaded)
}

fn set_aside(runner: &Arc<Runner>, setup: &Setup, loaded: &Loaded) {
    let item = &loaded.item;
    let failures = item.state.own_failures;
    let reason = format!("set aside: the server ended {failures} times while this was on its way");
    let session = runner.new_id(setup);
    let note = Note::new(EventStep::Held, Verdict::Deferred, reason.clone());
    setup.record(session, Some(item.id.mail_id), vec![note]);
    let state = QueueState { status: QueueStatus::Held { reason }, ..item.state.clone() };
    let _ = setup.settle.send(Settling {
        settlement: Settlement { id: item.id, revision: item.revision, next: Next::Waits(state) },
        destination: item.destination.clone(),
        mail_id: item.id.mail_id,
        session,
    });
}

fn marked_for(ends: u32) -> Duration {
    let factor = 1_u32.checked_shl(ends.saturating_sub(1)).unwrap_or(u32::MAX);
    MARKED_FOR.saturating_mul(factor).min(MARKED_FOR_MAX)
}

impl MarkFile {
    /// What it says; nothing where it is not there. What cannot be read stands for an end that nobody wanted.
    fn read(&self) -> Option<u32> {
        let file = match self.disk.open(&self.folder.join(FILE), OpenMode::Existing) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(_) => return Some(0),
        };
        let mut octets = [0; FILE_BYTES_MAX];
        let length = file.read_at(&mut octets, 0).unwrap_or(0);
        let text = std::str::from_utf8(&octets[..length]).unwrap_or_default();
        Some(text.trim().parse().unwrap_or(0))
    }

    /// Where it cannot be written, this run is as careful as it would be, and the next one is not.
    fn write(&self, ends: u32) {
        let written = || {
            let file = self.disk.open(&self.folder.join(FILE), OpenMode::Truncate)?;
            let text = format!("{ends}\n");
            file.write_at(&[IoSlice::new(text.as_bytes())], 0)?;
            file.sync_data()?;
            self.disk.sync_dir(&self.folder)
        };
        let written: io::Result<()> = written();
        if let Err(error) = written {
            warn!(%error, folder = %self.folder.display(), "it cannot be written down that mail is being sent");
        }
    }

    fn remove(&self) {
        let removed = self.disk.remove(&self.folder.join(FILE));
        let removed = removed.and_then(|()| self.disk.sync_dir(&self.folder));
        if let Err(error) = removed {
            warn!(%error, folder = %self.folder.display(), "it cannot be written down that no more mail is sent");
        }
    }
}

#[cfg(test)]
mod tests {
    use store::embedded::disk::RealDisk;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_322_124_250);

    fn begin(folder: &tempfile::TempDir) -> Caution {
        Caution::begin(Arc::new(RealDisk), folder.path(), NOW).0
    }

    #[test]
    fn after_an_orderly_end_nothing_is_marked_and_after_another_all_is_for_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let first = begin(&folder);
        assert!(!first.is_on(NOW));
        first.end();
        let second = begin(&folder);
        assert!(!second.is_on(NOW));
        let after_one = begin(&folder);
        assert!(after_one.is_on(NOW) && after_one.is_on(NOW.plus(MARKED_FOR - Duration::from_secs(1))));
        assert!(!after_one.is_on(NOW.plus(MARKED_FOR)));
        let put_back = Timestamp::from_millis(NOW.millis() - 365 * 24 * 3_600_000);
        assert!(!after_one.is_on(put_back), "nothing is marked for a year");
        let after_two = begin(&folder);
        assert!(after_two.is_on(NOW.plus(MARKED_FOR)) && !after_two.is_on(NOW.plus(MARKED_FOR * 2)));
        after_two.end();
        assert!(!begin(&folder).is_on(NOW));
    }

    #[test]
    fn a_file_that_was_cut_off_stands_for_one_end() {
        let folder = tempfile::tempdir().unwrap();
        for content in ["", "\0\0", "99999999999", "many"] {
            std::fs::write(folder.path().join(FILE), content).unwrap();
            assert_eq!(begin(&folder).ends, 1, "{content:?}");
        }
        std::fs::write(folder.path().join(FILE), u32::MAX.to_string()).unwrap();
        let caution = begin(&folder);
        assert!(caution.is_on(NOW) && !caution.is_on(NOW.plus(MARKED_FOR_MAX)));
    }
}
