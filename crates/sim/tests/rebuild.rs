//! The power fails while the view is made anew of the log.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use sim::disk::SimDisk;
use sim::drive::run;
use sim::random::Random;
use store::embedded::disk::Disk as _;
use store::embedded::{Drive, Embedded, Options};
use store::{
    Acceptance, Body, Destination, NewQueueItem, Next, Queue as _, QueueItem, Settlement, Spool as _,
    StoreError,
};
use types::{Envelope, EnvelopeRecipient, MailId, RecipientDsn, ReversePath, Timestamp};

const NOW: Timestamp = Timestamp::from_millis(1_795_322_124_250);

fn open(disk: &SimDisk) -> Result<Embedded, StoreError> {
    Embedded::open(Options {
        segment_bytes: 4096,
        min_free_bytes: 0,
        disk: Arc::new(disk.clone()),
        drive: Drive::Manual,
        ..Options::at("/data")
    })
}

fn message(n: u64) -> Acceptance {
    let recipient =
        EnvelopeRecipient { forward_path: "<b@far.example>".parse().unwrap(), dsn: RecipientDsn::default() };
    let envelope = Envelope::new(ReversePath::Null, ["<b@far.example>".parse().unwrap()]);
    let body = Body::Memory(vec![Bytes::from(vec![b'x'; 500])]);
    Acceptance {
        queue: vec![NewQueueItem {
            destination: Destination::named(&format!("d{}.example", n % 5)).unwrap(),
            reverse_path: ReversePath::Null,
            header: Bytes::new(),
            recipients: vec![recipient],
            due_at: NOW,
        }],
        ..Acceptance::new(MailId::new(NOW, n), NOW, envelope, body)
    }
}

fn items(store: &Embedded) -> Vec<QueueItem> {
    run(store, store.queue_page(None, None, usize::MAX)).unwrap().unwrap()
}

/// A store with 30 items, of which some were put off, and without a view.
fn without_a_view() -> (SimDisk, Vec<QueueItem>) {
    let disk = SimDisk::new();
    let store = open(&disk).unwrap();
    for n in 0..40 {
        run(&store, store.accept(message(n))).unwrap().unwrap();
    }
    for item in items(&store) {
        let mut state = item.state.clone();
        state.due_at = NOW.plus(std::time::Duration::from_secs(item.id.mail_id.to_bytes()[15].into()));
        let next = match item.state.recipients.len() + usize::from(item.id.mail_id.to_bytes()[15] % 4) {
            1 => Next::Gone,
            2 => continue,
            _ => Next::Waits(state),
        };
        let settlement = Settlement { id: item.id, revision: 1, next };
        run(&store, store.settle(vec![settlement], Vec::new())).unwrap().unwrap();
    }
    let expected = items(&store);
    drop(store);
    let disk = disk.process_killed();
    disk.remove(Path::new("/data/view.redb")).unwrap();
    disk.sync_dir(Path::new("/data")).unwrap();
    (disk, expected)
}

#[test]
fn power_may_be_cut_at_any_point_while_the_view_is_made_anew() {
    let (whole, expected) = without_a_view();
    assert_eq!(expected.len(), 30);
    let mut cuts = 0;
    loop {
        let disk = whole.process_killed();
        disk.cut_after(cuts);
        let opened = open(&disk);
        let is_cut = disk.is_cut();
        drop(opened);
        let disk = disk.restore(&mut Random::new(cuts));
        let store = open(&disk).unwrap_or_else(|error| panic!("cut after {cuts}: {error}"));
        let report = store.check().unwrap();
        assert!(report.is_clean(), "cut after {cuts}: {report:?}");
        assert_eq!(items(&store), expected, "cut after {cuts}");
        if !is_cut {
            break;
        }
        cuts += 1;
    }
    assert!(cuts > 20, "{cuts}");
}
