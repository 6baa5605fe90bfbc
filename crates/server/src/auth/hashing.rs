//! Password hashing off the threads that serve sessions, a few at a time, with a bounded queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use crate::memory;

/// Argon2 takes tens of milliseconds and about 20 MiB each time: without a bound anybody who can connect could
/// starve the rest.
pub(crate) struct Hashing {
    permits: Arc<Semaphore>,
    concurrent_max: usize,
    /// Running and waiting.
    present: AtomicUsize,
}

/// More are waiting than will be served soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// Those who wait for one that runs: some seconds' work. Whoever comes then is told to come later.
const WAITING_PER_RUNNING_MAX: usize = 64;

impl Hashing {
    pub(crate) fn new(concurrent_max: usize) -> Self {
        let concurrent_max = concurrent_max.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            permits: Arc::new(Semaphore::new(concurrent_max)),
            concurrent_max,
            present: AtomicUsize::new(0),
        }
    }

    /// Does `work` when its turn has come. Whoever goes away while waiting frees the place; work that has begun
    /// keeps its permit to the end, whoever waits for it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Full> {
        let _place = self.enter()?;
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| Full)?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(permit);
            done
        })
        .await;
        memory::give_back_later();
        done.map_err(|_| Full)
    }

    fn enter(&self) -> Result<Place<'_>, Full> {
        let places_max = self.concurrent_max.saturating_mul(1 + WAITING_PER_RUNNING_MAX);
        let place = Place(&self.present);
        if self.present.fetch_add(1, Ordering::Relaxed) >= places_max {
            return Err(Full);
        }
        Ok(place)
    }
}

struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn no_more_run_or_wait_than_the_bounds_say() {
        let hashing = Arc::new(Hashing::new(2));
        let running = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let (release, gate) = mpsc::channel::<()>();
        let gate = Arc::new(std::sync::Mutex::new(gate));
        let mut tasks = Vec::new();
        for _ in 0..2 * (1 + WAITING_PER_RUNNING_MAX) {
            let (hashing, running, most, gate) =
                (Arc::clone(&hashing), Arc::clone(&running), Arc::clone(&most), Arc::clone(&gate));
            tasks.push(tokio::spawn(async move {
                hashing
                    .run(move || {
                        let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                        most.fetch_max(now, Ordering::SeqCst);
                        gate.lock().unwrap().recv().unwrap();
                        running.fetch_sub(1, Ordering::SeqCst);
                    })
                    .await
            }));
            tokio::task::yield_now().await;
        }
        assert_eq!(hashing.run(|| ()).await, Err(Full), "one more than may wait");
        for _ in 0..tasks.len() {
            release.send(()).unwrap();
        }
        for task in tasks {
            assert_eq!(task.await.unwrap(), Ok(()));
        }
        assert!(most.load(Ordering::SeqCst) <= 2);
        assert_eq!(hashing.present.load(Ordering::SeqCst), 0);
        assert_eq!(hashing.run(|| 7).await, Ok(7));
    }

    #[tokio::test]
    async fn who_goes_away_while_waiting_frees_the_place() {
        let hashing = Arc::new(Hashing::new(1));
        let (release, gate) = mpsc::channel::<()>();
        let busy = tokio::spawn({
            let hashing = Arc::clone(&hashing);
            async move { hashing.run(move || gate.recv().unwrap()).await }
        });
        tokio::task::yield_now().await;
        let waiting = tokio::spawn({
            let hashing = Arc::clone(&hashing);
            async move { hashing.run(|| ()).await }
        });
        tokio::task::yield_now().await;
        assert_eq!(hashing.present.load(Ordering::SeqCst), 2);
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        assert_eq!(hashing.present.load(Ordering::SeqCst), 1);
        release.send(()).unwrap();
        assert_eq!(busy.await.unwrap(), Ok(()));
    }
}
