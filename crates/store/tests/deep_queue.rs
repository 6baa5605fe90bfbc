//! A queue of a million items: what it takes, how quick the start is, and what it costs the mail of the day. For its
//! figures, not for every run:
//!
//! ```text
//! cargo test -p store --test deep_queue -- --ignored --nocapture
//! ```
//!
//! `POSTA_DEEP_ITEMS` sets how many items. With `POSTA_DEEP_KEEP` the folder stays; `POSTA_DEEP_OPEN=FOLDER` does nothing
//! but to open one, ask and close it, so that its memory is that of a queue that nobody filled. The folder is made under `POSTA_BENCH_DIR`, by default the target folder's.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod suite;

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use store::embedded::{Embedded, Options};
use store::{Acceptance, Body, Next, Queue as _, QueueClaim, Settlement, Spool as _};
use suite::mail::{acceptance, id};
use suite::queue::{LEASE, deferred, gone, later, new_item, to, waits};

const DESTINATIONS: u64 = 1000;

fn items() -> u64 {
    std::env::var("POSTA_DEEP_ITEMS").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000_000)
}

fn message(n: u64, size: usize, due: u64, claim: QueueClaim) -> Acceptance {
    let body = Body::Memory(vec![Bytes::from(vec![b'x'; size])]);
    let queue = vec![new_item(&format!("d{}.example", n % DESTINATIONS), due)];
    Acceptance { queue, claim, ..acceptance(id(1, n), body, &[]) }
}

fn rss_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// Has many at work on numbers from `from` on.
async fn many<F: Future<Output = ()> + Send>(
    from: u64,
    count: u64,
    work: impl Fn(u64) -> F + Clone + Send + 'static,
) -> Duration {
    let next = Arc::new(AtomicU64::new(from));
    let began = Instant::now();
    let tasks: Vec<_> = (0..256)
        .map(|_| {
            let (next, work) = (Arc::clone(&next), work.clone());
            tokio::spawn(async move {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= from + count {
                        return;
                    }
                    work(n).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    began.elapsed()
}

/// What is accepted and gone again, messages a second.
async fn of_the_day(store: &Arc<Embedded>, from: u64) -> f64 {
    const COUNT: u64 = 40_000;
    let at_work = Arc::clone(store);
    let took = many(from, COUNT, move |n| {
        let store = Arc::clone(&at_work);
        async move {
            let accepted = store.accept(message(n, 4096, 0, QueueClaim::ByCaller)).await.unwrap();
            let gone = |id| Settlement { id, revision: 1, next: Next::Gone };
            let settlements = accepted.queue.iter().map(|item| gone(item.id)).collect();
            store.settle(settlements, Vec::new()).await.unwrap();
        }
    });
    f64::from(u32::try_from(COUNT).unwrap()) / took.await.as_secs_f64()
}

fn opened(options: &Options, what: &str) -> Arc<Embedded> {
    let began = Instant::now();
    let store = Embedded::open(options.clone()).unwrap();
    println!("open, {what}: {:.3} s, RSS {} MiB", began.elapsed().as_secs_f64(), rss_mib());
    Arc::new(store)
}

fn told<T>(what: &str, began: Instant, value: T) -> T {
    println!("{what}: {:.2} ms", began.elapsed().as_secs_f64() * 1000.0);
    value
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "for its figures"]
async fn a_million_items_take_little_and_cost_the_mail_of_the_day_nothing() {
    if let Some(folder) = std::env::var_os("POSTA_DEEP_CHILD") {
        return until_killed(PathBuf::from(folder)).await;
    }
    if let Some(folder) = std::env::var_os("POSTA_DEEP_OPEN") {
        let store = opened(&Options::at(folder), "by itself");
        ask(&store).await;
        println!("RSS {} MiB", rss_mib());
        let next = 1000 * items();
        println!("accepted and settled: {:.0}/s, RSS {} MiB", of_the_day(&store, next).await, rss_mib());
        return store.close().await;
    }
    let under = std::env::var_os("POSTA_BENCH_DIR").unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").into());
    let mut folder = tempfile::tempdir_in(under).unwrap();
    folder.disable_cleanup(std::env::var_os("POSTA_DEEP_KEEP").is_some());
    let options = Options::at(folder.path());
    let count = items();
    let store = opened(&options, "new");
    let empty = [of_the_day(&store, 10 * count).await, of_the_day(&store, 11 * count).await];
    println!("accepted and settled, empty queue: {empty:.0?}/s");
    fill(&store, count).await;
    let deep = [of_the_day(&store, 12 * count).await, of_the_day(&store, 13 * count).await];
    println!("accepted and settled, deep queue: {deep:.0?}/s, RSS {} MiB", rss_mib());
    ask(&store).await;
    store.close().await;
    drop(store);

    let store = opened(&options, "after a clean stop");
    assert_eq!(store.queue_figures().await.unwrap().waiting, count);
    store.close().await;
    drop(store);

    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--nocapture"])
        .env("POSTA_DEEP_CHILD", folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.contains("under load")));
    child.kill().unwrap();
    child.wait().unwrap();
    let store = opened(&options, "after it was killed under load");
    assert!(store.queue_figures().await.unwrap().waiting >= count);
    store.close().await;
    drop(store);

    std::fs::remove_file(folder.path().join("view.redb")).unwrap();
    let store = opened(&options, "without the view");
    assert!(store.queue_figures().await.unwrap().waiting >= count);
    store.close().await;
}

async fn fill(store: &Arc<Embedded>, count: u64) {
    let at_work = Arc::clone(store);
    let took = many(0, count, move |n| {
        let store = Arc::clone(&at_work);
        async move {
            store.accept(message(n, 300, n % 100_000, QueueClaim::Later)).await.unwrap();
        }
    });
    println!("{count} accepted in {:.1} s, RSS {} MiB", took.await.as_secs_f64(), rss_mib());
    // All of them are tried once, and wait on.
    let at_work = Arc::clone(store);
    let took = many(0, DESTINATIONS, move |n| {
        let store = Arc::clone(&at_work);
        async move {
            let name = to(&format!("d{n}.example"));
            loop {
                let items = store.claim(&name, later(100_000), 100, LEASE).await.unwrap();
                let settlements: Vec<_> = items
                    .iter()
                    .map(|item| waits(item, deferred(item, 1_000_000 + item.state.due_at.millis() % 100_000)))
                    .collect();
                if settlements.is_empty() {
                    return;
                }
                store.settle(settlements, Vec::new()).await.unwrap();
            }
        }
    });
    println!("claimed and put off in {:.1} s, RSS {} MiB", took.await.as_secs_f64(), rss_mib());
    store.settled().await.unwrap();
    let stats = store.stats().unwrap();
    assert_eq!(stats.queue_waiting, count);
    println!(
        "the view has {} octets an item, the log {}",
        stats.view_bytes / count,
        (stats.log_live_bytes + stats.log_dead_bytes) / count
    );
}

async fn ask(store: &Arc<Embedded>) {
    let at = Instant::now();
    told("figures", at, store.queue_figures().await.unwrap());
    let at = Instant::now();
    told("1,000 destinations", at, store.queue_destinations(None, 1000).await.unwrap());
    let at = Instant::now();
    let page = told("a page of 100", at, store.queue_page(None, None, 100).await.unwrap());
    let at = Instant::now();
    told("the next", at, store.queue_page(None, page.last().map(|item| item.id), 100).await.unwrap());
    let name = to("d17.example");
    let at = Instant::now();
    told("a page of 100 of a destination", at, store.queue_page(Some(&name), None, 100).await.unwrap());
    let at = Instant::now();
    if let Some(item) = page.last() {
        told("one item", at, store.queue_item(item.id).await.unwrap());
    }
    let at = Instant::now();
    told(
        "the first 100 destinations due",
        at,
        store.destinations_due(later(u64::MAX / 2), None, 100).await.unwrap(),
    );
    let at = Instant::now();
    told("when the next is due", at, store.next_due(later(0)).await.unwrap());
    let at = Instant::now();
    told("the same, with everything due", at, store.next_due(later(1_090_000)).await.unwrap());
    let at = Instant::now();
    let items = store.claim(&name, later(u64::MAX / 2), 100, LEASE).await.unwrap();
    told("claiming 100", at, ());
    store.release(&items.iter().map(|item| item.id).collect::<Vec<_>>());
}

/// What the process does that is killed.
async fn until_killed(folder: PathBuf) {
    let store = Arc::new(Embedded::open(Options::at(folder)).unwrap());
    let at_work = Arc::clone(&store);
    many(100 * items(), u64::MAX / 2, move |n| {
        let store = Arc::clone(&at_work);
        async move {
            let accepted = store.accept(message(n, 4096, 0, QueueClaim::ByCaller)).await.unwrap();
            let item = &accepted.queue[0];
            let settlement = if n % 2 == 0 { gone(item) } else { waits(item, deferred(item, 2_000_000)) };
            store.settle(vec![settlement], Vec::new()).await.unwrap();
            if n % 100_000 == 50_000 {
                println!("under load");
            }
        }
    })
    .await;
}
