//! Accepting 4 KiB messages durably on a real folder, with 1, 20 and 256 producers: into mailboxes, and into the queue and
//! out of it again.
//!
//! The folder is made under `POSTA_BENCH_DIR`, by default the working folder, since the temporary folder of many
//! machines is in memory and syncs nothing.

#![allow(clippy::expect_used, missing_docs, reason = "a benchmark")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use store::embedded::{Embedded, Options};
use store::{
    Acceptance, Body, Delivery, Destination, Directory as _, Flags, MailboxId, NewAccount, NewQueueItem,
    Next, Queue as _, QueueClaim, Settlement, Spool as _,
};
use types::{Envelope, EnvelopeRecipient, MailId, RecipientDsn, Timestamp};

const BODY_BYTES: usize = 4096;
const MAILBOXES: u64 = 64;

fn folder() -> tempfile::TempDir {
    let under = std::env::var_os("POSTA_BENCH_DIR").unwrap_or_else(|| ".".into());
    tempfile::Builder::new().prefix("bench-store-").tempdir_in(under).expect("a folder")
}

fn acceptance(n: u64, mailbox: MailboxId, body: Bytes) -> Acceptance {
    let now = Timestamp::from_millis(1_795_322_124_250 + n / 50);
    Acceptance {
        mail_id: MailId::new(now, n),
        received_at: now,
        envelope: Envelope::new(
            "<sender@example.net>".parse().expect("a path"),
            ["<recipient@example.org>".parse().expect("a path")],
        ),
        origin: "192.0.2.1 (client.example)".into(),
        body: Body::Memory(vec![body]),
        deliveries: vec![Delivery {
            mailbox,
            header: Bytes::from_static(
                b"Return-Path: <sender@example.net>\r\nDelivered-To: recipient@example.org\r\n",
            ),
            flags: Flags::NONE,
            internal_date: None,
        }],
        queue: Vec::new(),
        claim: store::QueueClaim::Later,
        idempotency: None,
    }
}

/// Accepts `total` messages from `producers` tasks; returns how long it took.
async fn produce(
    store: &Arc<Embedded>,
    next: &Arc<AtomicU64>,
    inboxes: &Arc<Vec<MailboxId>>,
    producers: u64,
    total: u64,
) -> Duration {
    let body = Bytes::from(vec![b'x'; BODY_BYTES]);
    let end = next.load(Ordering::Relaxed) + total;
    let began = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..producers {
        let (store, next, inboxes, body) =
            (Arc::clone(store), Arc::clone(next), Arc::clone(inboxes), body.clone());
        tasks.push(tokio::spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= end {
                    return;
                }
                let mailbox = inboxes[usize::try_from(n).unwrap_or(0) % inboxes.len()];
                store.accept(acceptance(n, mailbox, body.clone())).await.expect("accepted");
            }
        }));
    }
    for task in tasks {
        task.await.expect("no panic");
    }
    began.elapsed()
}

fn accept(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    let mut group = criterion.benchmark_group("accept_4KiB");
    group.sample_size(10).throughput(Throughput::Elements(1));
    for producers in [1, 20, 256] {
        let folder = folder();
        let store = Arc::new(Embedded::open(Options::at(folder.path())).expect("open"));
        let next = Arc::new(AtomicU64::new(0));
        let inboxes = runtime.block_on(async {
            let mut inboxes = Vec::new();
            for n in 0..MAILBOXES {
                let new = NewAccount::new(format!("user{n}@example.org"), Timestamp::from_millis(0));
                inboxes.push(store.create_account(new).await.expect("an account").inbox);
            }
            Arc::new(inboxes)
        });
        group.bench_function(format!("producers_{producers}"), |bencher| {
            bencher.iter_custom(|total| {
                runtime.block_on(produce(&store, &next, &inboxes, producers, total.max(producers)))
            });
        });
        let stats = store.stats().expect("figures");
        println!(
            "{producers} producers: {:.1} transactions a sync, sync {:.0} us on average, {:.0} us at most",
            stats.batch_mean, stats.sync_mean_us, stats.sync_max_us
        );
        runtime.block_on(store.close());
    }
    group.finish();
}

/// A message for one of some destinations, whose item comes back claimed.
fn queued(n: u64, body: Bytes) -> Acceptance {
    let host = format!("d{}.example", n % MAILBOXES);
    let item = NewQueueItem {
        destination: Destination::named(&host).expect("a destination"),
        reverse_path: "<sender@example.net>".parse().expect("a path"),
        header: Bytes::new(),
        recipients: vec![EnvelopeRecipient {
            forward_path: format!("<recipient@{host}>").parse().expect("a path"),
            dsn: RecipientDsn::default(),
        }],
        due_at: Timestamp::from_millis(0),
    };
    let acceptance = acceptance(n, MailboxId(0), body);
    Acceptance { deliveries: Vec::new(), queue: vec![item], claim: QueueClaim::ByCaller, ..acceptance }
}

/// Accepts `total` messages and settles each when it is accepted; returns how long it took.
async fn pass_on(store: &Arc<Embedded>, next: &Arc<AtomicU64>, producers: u64, total: u64) -> Duration {
    let body = Bytes::from(vec![b'x'; BODY_BYTES]);
    let end = next.load(Ordering::Relaxed) + total;
    let began = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..producers {
        let (store, next, body) = (Arc::clone(store), Arc::clone(next), body.clone());
        tasks.push(tokio::spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= end {
                    return;
                }
                let items = store.accept(queued(n, body.clone())).await.expect("accepted").queue;
                let gone = |id| Settlement { id, revision: 1, next: Next::Gone };
                let settlements = items.iter().map(|item| gone(item.id)).collect();
                store.settle(settlements, Vec::new()).await.expect("settled");
            }
        }));
    }
    for task in tasks {
        task.await.expect("no panic");
    }
    began.elapsed()
}

fn relay(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    let mut group = criterion.benchmark_group("accept_and_settle_4KiB");
    group.sample_size(10).throughput(Throughput::Elements(1));
    for producers in [1, 20, 256] {
        let folder = folder();
        let store = Arc::new(Embedded::open(Options::at(folder.path())).expect("open"));
        let next = Arc::new(AtomicU64::new(0));
        group.bench_function(format!("producers_{producers}"), |bencher| {
            bencher.iter_custom(|total| {
                runtime.block_on(pass_on(&store, &next, producers, total.max(producers)))
            });
        });
        runtime.block_on(store.close());
    }
    group.finish();
}

criterion_group!(benches, accept, relay);
criterion_main!(benches);
