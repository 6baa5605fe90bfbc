//! Making the view anew of a log of several segments.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use types::{EnvelopeRecipient, MailId, RecipientDsn, Timestamp};

use super::super::disk::RealDisk;
use super::super::{Drive, Embedded, Options};
use super::*;
use crate::{
    Acceptance, Body, Destination, NewQueueItem, Next, Queue as _, QueueFigures, QueueItemId, QueueStatus,
    Settlement, Spool as _,
};

const NOW: Timestamp = Timestamp::from_millis(1_795_322_124_250);

fn done<T>(store: &Embedded, asked: impl Future<Output = T>) -> T {
    let mut asked = pin!(asked);
    for _ in 0..10 {
        if let Poll::Ready(done) = asked.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return done;
        }
        store.commit_pending();
        store.apply_pending().unwrap();
    }
    panic!("no answer");
}

fn new_item(destination: &str) -> NewQueueItem {
    NewQueueItem {
        destination: Destination::named(destination).unwrap(),
        reverse_path: "<sender@example.net>".parse().unwrap(),
        header: Bytes::new(),
        recipients: vec![EnvelopeRecipient {
            forward_path: "<one@example.org>".parse().unwrap(),
            dsn: RecipientDsn::default(),
        }],
        due_at: NOW,
    }
}

/// A folder with 40 items for 7 destinations that are put off, held, gone, moved away from one that has none then; and
/// one that never had any that stayed.
fn filled(folder: &Path) -> QueueFigures {
    let options = Options { segment_bytes: 4096, drive: Drive::Manual, ..Options::at(folder) };
    let store = Embedded::open(options).unwrap();
    for n in 0..60 {
        let mail_id = MailId::new(NOW, n);
        let name = if n % 9 == 8 { "none.example".to_owned() } else { format!("d{}.example", n % 7) };
        let envelope = types::Envelope::new(types::ReversePath::Null, ["<one@example.org>".parse().unwrap()]);
        let body = Body::Memory(vec![Bytes::from(vec![b'x'; 200])]);
        let acceptance =
            Acceptance { queue: vec![new_item(&name)], ..Acceptance::new(mail_id, NOW, envelope, body) };
        done(&store, store.accept(acceptance)).unwrap();
        let id = QueueItemId { mail_id, part: 1 };
        let state = done(&store, store.queue_item(id)).unwrap().unwrap().state;
        let due_at = Timestamp::from_millis(NOW.millis() + 1000 * (n * 7 % 13));
        let next = match (n % 9, n % 6) {
            (8, _) => Next::Gone,
            (_, 0) => continue,
            (_, 1) => Next::Waits(store_state(state, NOW, QueueStatus::Held { reason: "looked at".into() })),
            (_, 2) => Next::Moves {
                destination: Destination::named("moved.example").unwrap(),
                state: store_state(state, due_at, QueueStatus::Waiting),
            },
            _ => Next::Waits(store_state(state, due_at, QueueStatus::Waiting)),
        };
        let settlement = Settlement { id, revision: 1, next };
        done(&store, store.settle(vec![settlement], Vec::new())).unwrap();
    }
    assert!(store.check().unwrap().is_clean());
    done(&store, store.queue_figures()).unwrap()
}

fn store_state(state: crate::QueueState, due_at: Timestamp, status: QueueStatus) -> crate::QueueState {
    crate::QueueState { due_at, status, ..state }
}

fn view(folder: &Path) -> Result<View, ViewError> {
    View::open(Arc::new(RealDisk), folder.join("view.redb"), 1 << 20, 10)
}

#[test]
fn in_however_many_runs_the_indices_are_made_they_are_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let figures = filled(folder.path());
    assert!(figures.waiting > 30 && figures.held > 5 && figures.destinations == 8, "{figures:?}");
    let segments = Segments::load(Arc::new(RealDisk), folder.path().join("log")).unwrap();
    for run_items in [1, 2, 7, 1000] {
        std::fs::remove_file(folder.path().join("view.redb")).unwrap();
        let built = build(view(folder.path()).unwrap(), &segments, None, run_items).unwrap();
        let found = built.view.read().unwrap().queue_figures().unwrap();
        assert_eq!(found, figures, "runs of {run_items}");
        drop(built);
        let options = Options { drive: Drive::Manual, ..Options::at(folder.path()) };
        let store = Embedded::open(options).unwrap();
        let report = store.check().unwrap();
        assert!(report.is_clean(), "runs of {run_items}: {report:?}");
    }
}

#[test]
fn a_view_that_was_not_finished_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let figures = filled(folder.path());
    let segments = Segments::load(Arc::new(RealDisk), folder.path().join("log")).unwrap();
    std::fs::remove_file(folder.path().join("view.redb")).unwrap();
    let half = view(folder.path()).unwrap();
    catch_up(&segments, None, None, &|records, end| {
        half.build(records.iter().map(|r| (r.header, r.meta.as_slice())), end)
    })
    .unwrap();
    drop(half);
    assert!(matches!(view(folder.path()), Err(ViewError::Damaged(_))));
    // The next start makes it anew.
    let store = Embedded::open(Options { drive: Drive::Manual, ..Options::at(folder.path()) }).unwrap();
    assert!(store.check().unwrap().is_clean());
    assert_eq!(done(&store, store.queue_figures()).unwrap(), figures);
}
