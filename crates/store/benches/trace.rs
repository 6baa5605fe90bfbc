//! What recording an event costs the session that records it, and what finding a timeline costs.
//!
//! `cargo bench -p store --bench trace`; the folder that is written to is below POSTA_BENCH_DIR.

#![allow(clippy::expect_used, missing_docs, reason = "a benchmark")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use store::embedded::{Embedded, Options};
use store::{Trace as _, TraceQuery};
use types::{Event, EventStep, MailId, Timestamp, Verdict};

fn folder() -> tempfile::TempDir {
    let under = std::env::var_os("POSTA_BENCH_DIR").unwrap_or_else(|| ".".into());
    tempfile::Builder::new().prefix("bench-trace-").tempdir_in(under).expect("a folder")
}

/// What a session tells of one message that it accepts.
fn message(n: u64) -> Vec<Event> {
    let at = Timestamp::from_millis(1_795_322_124_250 + n / 10);
    let (session, mail) = (MailId::new(at, n / 8), MailId::new(at, n));
    let event = |step, reason: &str| Event::new(at, session, step, Verdict::Accepted, reason).of_mail(mail);
    vec![
        event(EventStep::Sender, "").about("sender@example.net").replied("250 2.1.0 Ok"),
        event(EventStep::Recipient, "an account").about("recipient@example.org").replied("250 2.1.5 Ok"),
        event(EventStep::Content, "4213 octets by DATA"),
        event(EventStep::Stored, "").replied(format!("250 2.0.0 Ok, stored as {mail}")),
        event(EventStep::Delivered, "INBOX").about("recipient@example.org"),
    ]
}

const EVENTS: u64 = 5;

fn record(criterion: &mut Criterion) {
    let folder = folder();
    let store = Embedded::open(Options::at(folder.path())).expect("open");
    let mut group = criterion.benchmark_group("trace");
    group.throughput(Throughput::Elements(EVENTS));
    group.bench_function("record_5_events", |bencher| {
        let mut n = 0;
        bencher.iter_custom(|total| {
            let mut spent = Duration::ZERO;
            for _ in 0..total {
                let events = message(n);
                n += 1;
                let began = Instant::now();
                store.record(black_box(events));
                spent += began.elapsed();
                // So that nothing is dropped, which would be cheaper.
                if n.is_multiple_of(5000) {
                    store.settle_trace();
                }
            }
            spent
        });
    });
    group.finish();
    let stats = store.trace_stats();
    println!("{} events, {} dropped, {} octets", stats.events, stats.events_dropped, stats.file_bytes);
}

fn find(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    let folder = folder();
    let store = Embedded::open(Options::at(folder.path())).expect("open");
    for n in 0..400_000 {
        store.record(message(n));
        if n % 5000 == 0 {
            store.settle_trace();
        }
    }
    store.settle_trace();
    println!("{} octets in {} files", store.trace_stats().file_bytes, store.trace_stats().files);
    let mut group = criterion.benchmark_group("trace_of_2M_events");
    group.sample_size(10);
    let mut ask = |name: &str, query: &TraceQuery| {
        group.bench_function(name, |bencher| {
            bencher.iter(|| runtime.block_on(store.trace(query.clone())).expect("a trace"));
        });
    };
    let at = |n: u64| MailId::new(Timestamp::from_millis(1_795_322_124_250 + n / 10), n);
    ask("newest_20", &TraceQuery::default());
    ask("newest_id", &TraceQuery { id: Some(at(399_999)), ..TraceQuery::default() });
    ask("oldest_id", &TraceQuery { id: Some(at(0)), ..TraceQuery::default() });
    let address = Some("nobody@example.org".to_owned());
    ask("unknown_address", &TraceQuery { address, ..TraceQuery::default() });
    let indices = std::fs::read_dir(folder.path().join("trace")).expect("a trace").map_while(Result::ok);
    for path in indices.map(|entry| entry.path()).filter(|path| path.extension() == Some("index".as_ref())) {
        std::fs::remove_file(path).expect("an index");
    }
    ask("newest_id_without_indices", &TraceQuery { id: Some(at(399_999)), ..TraceQuery::default() });
    ask("oldest_id_without_indices", &TraceQuery { id: Some(at(0)), ..TraceQuery::default() });
    group.finish();
}

criterion_group!(benches, record, find);
criterion_main!(benches);
