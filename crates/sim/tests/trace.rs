//! The trace on a disk that fails, fills up and loses power: mail never notices.

#![allow(clippy::expect_used, reason = "what fails here fails the test")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sim::disk::{Faults, SimDisk};
use sim::drive;
use sim::random::Random;
use store::embedded::{Drive, Embedded, Options, TraceOptions};
use store::{Directory as _, StoreError, Trace as _, TraceQuery};
use types::{Event, EventStep, MailId, Timestamp, Verdict};

const START: u64 = 1_795_348_800_000;

fn open(disk: &SimDisk) -> Result<Embedded, StoreError> {
    open_with(disk, TraceOptions::default())
}

fn open_with(disk: &SimDisk, trace: TraceOptions) -> Result<Embedded, StoreError> {
    Embedded::open(Options {
        disk: Arc::new(disk.clone()),
        drive: Drive::Manual,
        segment_bytes: 64 * 1024,
        min_free_bytes: 0,
        trace: TraceOptions { min_free_bytes: 0, queue_bytes_max: 32 * 1024, ..trace },
        ..Options::at("/data")
    })
}

fn event(n: u64) -> Event {
    let at = Timestamp::from_millis(START + n);
    Event::new(at, MailId::new(at, n), EventStep::Connected, Verdict::Noted, format!("event {n}"))
}

/// The numbers of the events, and how many gaps there are.
fn kept(store: &Embedded) -> (Vec<u64>, usize) {
    let query = TraceQuery { limit: 1000, ..TraceQuery::default() };
    let events = drive::run(store, store.trace(query)).expect("an answer").expect("a trace");
    let (gaps, events): (Vec<_>, Vec<_>) = events.into_iter().partition(|event| event.step == EventStep::Gap);
    (events.iter().map(|event| event.at.millis() - START).collect(), gaps.len())
}

fn trace_folder() -> PathBuf {
    Path::new("/data/trace").to_owned()
}

fn works(store: &Embedded) -> bool {
    matches!(drive::run(store, store.accounts()), Some(Ok(_)))
}

#[test]
fn a_write_that_fails_is_tried_again_and_nothing_is_lost_meanwhile() {
    let disk = SimDisk::new();
    let store = open(&disk).expect("a store");
    store.record(vec![event(1)]);
    assert_eq!(kept(&store), (vec![1], 0));
    disk.set_faults(Faults { fail_writes: Some(trace_folder()), ..Faults::default() });
    store.record(vec![event(2)]);
    // What is there is shown, with the word that there is more.
    assert_eq!(kept(&store), (vec![1], 1));
    store.record(vec![event(3)]);
    assert_eq!(kept(&store), (vec![1], 1));
    assert!(works(&store) && store::Store::fatal_error(&store).is_none());
    assert!(store.trace_stats().write_failures >= 2);
    disk.set_faults(Faults::default());
    assert_eq!(kept(&store), (vec![1, 2, 3], 0));
}

#[test]
fn a_disk_that_stays_full_costs_events_and_says_so_when_there_is_room_again() {
    let disk = SimDisk::new();
    let store = open(&disk).expect("a store");
    store.record(vec![event(0)]);
    store.settle_trace();
    disk.set_faults(Faults { free_bytes: Some(0), capacity_bytes: Some(0), ..Faults::default() });
    for n in 1..=2000 {
        store.record(vec![event(n)]);
        if n % 100 == 0 {
            store.settle_trace();
        }
    }
    let dropped = store.trace_stats().events_dropped;
    assert!(dropped > 0 && works(&store));
    disk.set_faults(Faults::default());
    store.settle_trace();
    store.record(vec![event(3001)]);
    let query = TraceQuery { limit: 1000, ..TraceQuery::default() };
    let events = drive::run(&store, store.trace(query)).expect("an answer").expect("a trace");
    let text = format!("{dropped} events were dropped here");
    assert!(events.iter().any(|event| event.step == EventStep::Gap && event.reason.starts_with(&text)));
    assert_eq!(events.last().map(|event| event.reason.as_str()), Some("event 3001"));
}

#[test]
fn a_sync_that_fails_begins_a_new_file_and_stops_nothing() {
    let disk = SimDisk::new();
    let store = open(&disk).expect("a store");
    store.record(vec![event(1)]);
    disk.set_faults(Faults { fail_syncs: Some(trace_folder()), ..Faults::default() });
    store.settle_trace();
    disk.set_faults(Faults::default());
    store.record(vec![event(2)]);
    store.settle_trace();
    assert_eq!(kept(&store), (vec![1, 2], 0));
    assert_eq!(store.trace_stats().files, 2);
    assert!(store::Store::fatal_error(&store).is_none());
}

#[test]
fn a_torn_end_that_cannot_be_cut_stays_and_a_new_file_begins() {
    let disk = SimDisk::new();
    let store = open(&disk).expect("a store");
    store.record(vec![event(1)]);
    store.settle_trace();
    disk.set_faults(Faults { fail_writes: Some(trace_folder()), ..Faults::default() });
    store.record(vec![event(2)]);
    store.settle_trace();
    let disk = disk.process_killed();
    drop(store);
    let store = open(&disk).expect("a store");
    disk.set_faults(Faults { fail_set_len: Some(trace_folder()), ..Faults::default() });
    store.record(vec![event(3)]);
    store.settle_trace();
    assert!(works(&store));
    let (events, gaps) = kept(&store);
    assert_eq!((events, gaps), (vec![1, 3], 1));
    assert_eq!(store.trace_stats().files, 2);
}

#[test]
fn after_a_power_cut_what_was_settled_is_there_and_the_trace_goes_on() {
    let (mut cuts, mut lost) = (0, 0);
    for seed in 0..400_u64 {
        let mut random = Random::new(seed);
        let disk = SimDisk::new();
        let store = open(&disk).expect("a store");
        disk.cut_after(random.below(60));
        let mut settled = 0;
        let mut recorded = 0;
        while !disk.is_cut() && recorded < 200 {
            for _ in 0..=random.below(5) {
                recorded += 1;
                store.record(vec![event(recorded)]);
            }
            match random.below(4) {
                0 => {
                    store.settle_trace();
                    // The operation that the cut interrupts has not settled anything.
                    if !disk.is_cut() {
                        settled = recorded;
                    }
                }
                _ => drop(kept_or_cut(&store)),
            }
        }
        drop(store);
        let disk = disk.restore(&mut random);
        let store = open(&disk).expect("what a power cut left opens");
        let (before, _) = kept(&store);
        let whole: Vec<u64> = (1..=settled).collect();
        assert!(before.starts_with(&whole), "seed {seed}: settled {settled}, found {before:?}");
        assert!(before.iter().all(|n| *n <= recorded), "seed {seed}: nothing that was never recorded");
        store.record(vec![event(1000)]);
        let (after, _) = kept(&store);
        assert_eq!(after[..after.len() - 1], before, "seed {seed}: going on loses nothing");
        assert_eq!(after.last(), Some(&1000), "seed {seed}");
        cuts += 1;
        lost += usize::from((before.len() as u64) < recorded);
    }
    assert!(cuts == 400 && lost > 50, "the cuts do hurt: {lost} of {cuts}");
}

#[test]
fn an_index_that_a_power_cut_left_hides_nothing() {
    let options = TraceOptions { file_bytes: 500, ..TraceOptions::default() };
    let mut indices = 0;
    for seed in 0..200_u64 {
        let mut random = Random::new(seed);
        let disk = SimDisk::new();
        let store = open_with(&disk, options).expect("a store");
        disk.cut_after(random.below(120));
        let mut recorded = 0;
        while !disk.is_cut() && recorded < 200 {
            recorded += 1;
            store.record(vec![event(recorded)]);
            if random.chance(50) {
                store.settle_trace();
            }
        }
        drop(store);
        let disk = disk.restore(&mut random);
        let store = open_with(&disk, options).expect("what a power cut left opens");
        let (all, _) = kept(&store);
        // First with what is left of the indices, then with those that were made anew.
        for _ in 0..2 {
            for n in &all {
                let query = TraceQuery { id: Some(event(*n).session_id), ..TraceQuery::default() };
                let found = drive::run(&store, store.trace(query)).expect("an answer").expect("a trace");
                let found: Vec<_> = found.iter().filter(|event| event.step != EventStep::Gap).collect();
                assert_eq!(found, [&event(*n)], "seed {seed}");
            }
            store.settle_trace();
            indices += usize::from(disk.content(Path::new("/data/trace/0000000001.index")).is_some());
        }
    }
    assert!(indices > 200, "{indices}");
}

/// As [`kept`], on a disk that may have no power any more.
fn kept_or_cut(store: &Embedded) -> Option<usize> {
    let query = TraceQuery { limit: 1000, ..TraceQuery::default() };
    drive::run(store, store.trace(query))?.ok().map(|events| events.len())
}
