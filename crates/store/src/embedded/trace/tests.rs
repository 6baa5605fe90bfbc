//! The journal on real files.

use std::path::{Path, PathBuf};

use types::{EventStep, MailId, Timestamp, Verdict};

use super::super::disk::RealDisk;
use super::*;

mod index;

const NOON: u64 = 1_795_348_800_000;
const DAY: u64 = 24 * 60 * 60 * 1000;

fn journal(folder: &Path, options: TraceOptions) -> Journal {
    Journal::new(Arc::new(RealDisk), folder.to_owned(), TraceOptions { min_free_bytes: 0, ..options })
}

fn session(n: u64) -> MailId {
    MailId::new(Timestamp::from_millis(NOON + n), n)
}

fn event(n: u64, reason: &str) -> Event {
    Event::new(Timestamp::from_millis(NOON + n), session(n), EventStep::Connected, Verdict::Noted, reason)
}

fn newest(journal: &Journal, limit: usize) -> Vec<Event> {
    query::run(&journal.snapshot().unwrap(), &TraceQuery { limit, ..TraceQuery::default() })
}

fn reasons(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.reason.as_str()).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    named(folder, "trace")
}

fn named(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder.join("trace")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    files.sort();
    files
}

#[test]
fn what_is_recorded_is_read_at_once_and_by_the_next_process() {
    let folder = tempfile::tempdir().unwrap();
    let events = [event(1, "one"), event(2, "two"), event(3, "three")];
    let first = journal(folder.path(), TraceOptions::default());
    first.record(&events[..2]);
    assert_eq!(newest(&first, 10), events[..2]);
    first.record(&events[2..]);
    first.settle();
    let second = journal(folder.path(), TraceOptions::default());
    assert_eq!(newest(&second, 10), events);
    let more = [event(4, "four")];
    second.record(&more);
    assert_eq!(newest(&second, 2)[1..], [events[2].clone(), more[0].clone()]);
    assert_eq!(files(folder.path()).len(), 1, "the next process goes on in the same file");
    assert_eq!(second.stats().events, 1);
}

#[test]
fn what_happens_after_a_clock_that_was_ahead_is_told_of_the_id_that_it_made() {
    let folder = tempfile::tempdir().unwrap();
    let options = TraceOptions { file_bytes: 4096, ..TraceOptions::default() };
    let journal = journal(folder.path(), options);
    let id = MailId::new(Timestamp::from_millis(NOON + 300 * DAY), 1);
    let told = |at: u64, session_id: MailId, reason: &str| {
        let at = Timestamp::from_millis(at);
        Event::new(at, session_id, EventStep::Relayed, Verdict::Noted, reason)
    };
    let mut accepted = told(NOON + 300 * DAY, id, "accepted");
    accepted.mail_id = Some(id);
    let mut delivered = told(NOON + 1, session(7), "delivered");
    delivered.mail_id = Some(id);
    journal.record(&[accepted]);
    // Files that are full have an index, the last one has none.
    for n in 0..30 {
        journal.record(&[event(n, &"x".repeat(300))]);
        journal.flush().unwrap();
    }
    journal.record(&[delivered]);
    journal.settle();
    let query = TraceQuery { id: Some(id), ..TraceQuery::default() };
    let events = query::run(&journal.snapshot().unwrap(), &query);
    let mut reasons = reasons(&events);
    reasons.retain(|reason| !reason.starts_with('x'));
    reasons.sort_unstable();
    assert_eq!(reasons, ["accepted", "delivered"]);
}

#[test]
fn a_folder_without_a_trace_is_read_and_nothing_is_made_there() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(newest(&journal(folder.path(), TraceOptions::default()), 10), []);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn files_rotate_by_size_and_the_oldest_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let options = TraceOptions { file_bytes: 4096, bytes_max: 20_000, ..TraceOptions::default() };
    let journal = journal(folder.path(), options);
    for n in 0..200 {
        journal.record(&[event(n, &"x".repeat(300))]);
        journal.flush().unwrap();
    }
    let sizes: Vec<_> = files(folder.path()).iter().map(|file| file.metadata().unwrap().len()).collect();
    assert!(sizes.iter().sum::<u64>() <= 20_000 && sizes.len() >= 4, "{sizes:?}");
    assert!(sizes.iter().all(|size| *size <= 4096), "{sizes:?}");
    let kept = newest(&journal, 1000);
    assert!((30..60).contains(&kept.len()), "{}", kept.len());
    assert_eq!(kept.last(), Some(&event(199, &"x".repeat(300))));
    assert!(
        kept.windows(2).all(|pair| pair[0].at.millis() + 1 == pair[1].at.millis()),
        "no gap in what is kept"
    );
}

#[test]
fn a_file_has_no_more_than_a_day_and_goes_when_all_of_it_is_too_old() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path(), TraceOptions { days_max: 3, ..TraceOptions::default() });
    for day in 0..10 {
        for hour in 0..2 {
            journal.record(&[event(day * (DAY + 1) + hour * 3_600_000, &format!("day {day}"))]);
            journal.flush().unwrap();
        }
    }
    let kept = newest(&journal, 100);
    let days: Vec<_> = kept.iter().map(|event| (event.at.millis() - NOON) / DAY).collect();
    assert_eq!(days, [6, 6, 7, 7, 8, 8, 9, 9]);
    assert_eq!(files(folder.path()).len(), 4);
}

#[test]
fn a_torn_end_is_cut_at_the_next_write_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let whole = {
        let journal = journal(folder.path(), TraceOptions::default());
        journal.record(&[event(1, "one")]);
        journal.flush().unwrap();
        let whole = files(folder.path())[0].metadata().unwrap().len();
        journal.record(&[event(2, "two")]);
        journal.flush().unwrap();
        whole
    };
    let path = &files(folder.path())[0];
    let octets = std::fs::read(path).unwrap();
    for end in usize::try_from(whole).unwrap() + 1..octets.len() {
        std::fs::write(path, &octets[..end]).unwrap();
        let journal = journal(folder.path(), TraceOptions::default());
        let torn = newest(&journal, 10);
        assert_eq!(torn.len(), 2, "cut at {end}: {torn:?}");
        assert_eq!((torn[0].reason.as_str(), torn[1].step), ("one", EventStep::Gap));
        journal.record(&[event(3, "three")]);
        let after = newest(&journal, 10);
        assert_eq!(after.len(), 3, "cut at {end}: {after:?}");
        assert!(after.iter().any(|event| event.step == EventStep::Gap && event.reason.contains("torn")));
        let gone = octets[..end].len() as u64 - whole;
        assert!(after.iter().any(|event| event.reason.contains(&gone.to_string())), "{after:?}");
    }
}

#[test]
fn every_length_of_the_first_file_can_be_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let first = journal(folder.path(), TraceOptions::default());
    first.record(&[event(1, "one")]);
    first.flush().unwrap();
    let path = &files(folder.path())[0];
    let octets = std::fs::read(path).unwrap();
    for end in 0..=octets.len() {
        std::fs::write(path, &octets[..end]).unwrap();
        let journal = journal(folder.path(), TraceOptions::default());
        journal.record(&[event(2, "two")]);
        let events = newest(&journal, 10);
        assert_eq!(events.iter().filter(|event| event.reason == "two").count(), 1, "cut at {end}");
        assert_eq!(events.iter().any(|event| event.reason == "one"), end == octets.len(), "cut at {end}");
    }
}

#[test]
fn damage_in_the_middle_loses_one_frame_and_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let writer = journal(folder.path(), TraceOptions::default());
    let mut starts = Vec::new();
    for n in 1..=3 {
        // What looks like a frame's beginning to a careless reader.
        writer.record(&[event(n, &format!("{n} T\u{fe}\u{1}POSTATRC"))]);
        writer.flush().unwrap();
        starts.push(usize::try_from(files(folder.path())[0].metadata().unwrap().len()).unwrap());
    }
    let path = &files(folder.path())[0];
    let octets = std::fs::read(path).unwrap();
    for at in starts[0]..starts[1] {
        let mut damaged = octets.clone();
        damaged[at] ^= 0x5A;
        std::fs::write(path, &damaged).unwrap();
        let events = newest(&journal(folder.path(), TraceOptions::default()), 10);
        let said: Vec<_> = events.iter().map(|event| (event.step, &event.reason[..1])).collect();
        assert_eq!(said[0], (EventStep::Connected, "1"), "octet {at}");
        assert_eq!(said.last(), Some(&(EventStep::Connected, "3")), "octet {at}");
        assert!(said.len() == 3 && said[1].0 == EventStep::Gap, "octet {at}: {said:?}");
    }
    // Whole frames behind damage are never cut off by going on.
    let on = journal(folder.path(), TraceOptions::default());
    on.record(&[event(4, "4")]);
    assert_eq!(newest(&on, 10).iter().filter(|event| event.step == EventStep::Connected).count(), 3);
}

#[test]
fn a_file_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("trace")).unwrap();
    let newer = folder.path().join("trace/0000000007.trace");
    let content = b"POSTATRC\x02\0\0\0\0\0\0\0something else";
    std::fs::write(&newer, content).unwrap();
    let journal = journal(folder.path(), TraceOptions::default());
    journal.record(&[event(1, "one")]);
    assert_eq!(reasons(&newest(&journal, 10)).last(), Some(&"one"));
    assert_eq!(std::fs::read(&newer).unwrap(), content);
    assert_eq!(files(folder.path()).len(), 2);
}

#[test]
fn what_has_no_room_is_dropped_and_counted_where_it_happened() {
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(folder.path(), TraceOptions { queue_bytes_max: 16_000, ..TraceOptions::default() });
    for n in 0..1000 {
        journal.record(&[event(n, "a reason of some length")]);
    }
    let stats = journal.stats();
    assert_eq!(stats.events, 1000);
    assert!(stats.events_dropped > 500, "{stats:?}");
    journal.flush().unwrap();
    journal.record(&[event(1000, "after")]);
    let events = newest(&journal, 1000);
    let gaps: Vec<_> = events.iter().filter(|event| event.step == EventStep::Gap).collect();
    assert_eq!(gaps.len(), 1);
    assert!(gaps[0].reason.starts_with(&format!("{} events were dropped here", stats.events_dropped)));
    assert_eq!(events.len() as u64, 1000 - stats.events_dropped + 2);
    let at = events.iter().position(|event| event.step == EventStep::Gap).unwrap();
    assert_eq!(reasons(&events[at + 1..]), ["after"]);
    assert_eq!(journal.stats().events_dropped, stats.events_dropped);
}

#[test]
fn many_threads_record_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(journal(folder.path(), TraceOptions::default()));
    let thread = journal.start().unwrap();
    std::thread::scope(|scope| {
        for each in 0..4 {
            let journal = &journal;
            scope.spawn(move || {
                for n in 0..2500 {
                    journal.record(&[event(each, &n.to_string())]);
                }
            });
        }
    });
    journal.stop();
    thread.join().unwrap();
    let events = newest(&journal, 10);
    assert_eq!(events.len(), 10_000);
    for each in 0..4 {
        let of_one = events.iter().filter(|event| event.session_id == session(each));
        assert!(of_one.enumerate().all(|(n, event)| event.reason == n.to_string()), "in their order");
    }
}
