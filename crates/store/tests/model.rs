//! The embedded store against a simple model, closed and opened again at random points.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod suite;

use std::collections::BTreeMap;

use proptest::prelude::*;
use store::embedded::{Embedded, Options};
use store::{Flags, MailboxId, Mailboxes as _, Spool as _, Store as _, Uid};
use suite::mail::{acceptance, account, id, read_all, text};

#[derive(Debug, Clone)]
enum Step {
    /// To which of the mailboxes, and octets of the body.
    Accept(u8, usize),
    Flags(usize, u64, u64),
    Expunge(Vec<usize>),
    Reopen,
    /// Reopen without the view.
    Rebuild,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1_u8..8, prop_oneof![0_usize..3000, 3000_usize..30_000]).prop_map(|(to, size)| Step::Accept(to, size)),
        2 => (0_usize..100, 0_u64..32, 0_u64..32).prop_map(|(n, add, remove)| Step::Flags(n, add, remove)),
        3 => prop::collection::vec(0_usize..100, 1..6).prop_map(Step::Expunge),
        1 => Just(Step::Reopen),
        1 => Just(Step::Rebuild),
    ]
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Message {
    n: u64,
    size: usize,
    flags: Flags,
}

type Model = BTreeMap<(MailboxId, Uid), Message>;

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_is_what_the_model_is(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(steps));
    }
}

async fn run(steps: Vec<Step>) {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { segment_bytes: 16 * 1024, body_file_bytes: 20_000, ..Options::at(folder.path()) };
    let mut store = Embedded::open(options.clone()).unwrap();
    let mut mailboxes = Vec::new();
    for name in ["a", "b", "c"] {
        mailboxes.push(account(&store, name).await.inbox);
    }
    let mut model = Model::new();
    for (n, step) in steps.into_iter().enumerate() {
        match step {
            Step::Accept(to, size) => {
                let n = n as u64;
                let chosen: Vec<_> =
                    (0..3).filter(|bit| to & 1 << bit != 0).map(|bit| mailboxes[bit]).collect();
                let body = store::Body::Memory(vec![text(n, size)]);
                for done in store.accept(acceptance(id(1, n), body, &chosen)).await.unwrap().deliveries {
                    let message = Message { n, size, flags: Flags::NONE };
                    assert_eq!(model.insert((done.mailbox, done.uid), message), None);
                }
            }
            Step::Flags(at, add, remove) => {
                let Some((mailbox, uid)) = nth(&model, at) else { continue };
                let message = model.get_mut(&(mailbox, uid)).unwrap();
                let before = message.flags;
                message.flags = before.changed(Flags(add), Flags(remove));
                let changed =
                    store.store_flags(mailbox, &[uid], Flags(add), Flags(remove), None).await.unwrap();
                assert_eq!(changed.changed.len(), usize::from(message.flags != before));
            }
            Step::Expunge(places) => {
                let Some((mailbox, _)) = nth(&model, places[0]) else { continue };
                let uids: Vec<Uid> = places
                    .iter()
                    .filter_map(|at| nth(&model, *at))
                    .filter(|(of, _)| *of == mailbox)
                    .map(|(_, uid)| uid)
                    .collect();
                let mut gone = uids.clone();
                gone.sort();
                gone.dedup();
                assert_eq!(store.expunge(mailbox, &uids, types::Timestamp::default()).await.unwrap(), gone);
                for uid in gone {
                    model.remove(&(mailbox, uid));
                }
            }
            Step::Reopen => {
                drop(store);
                store = Embedded::open(options.clone()).unwrap();
            }
            Step::Rebuild => {
                drop(store);
                std::fs::remove_file(folder.path().join("view.redb")).unwrap();
                store = Embedded::open(options.clone()).unwrap();
            }
        }
    }
    compare(&store, &mailboxes, &model).await;
    let report = store.check().unwrap();
    assert!(report.is_clean(), "{report:?}");
}

fn nth(model: &Model, at: usize) -> Option<(MailboxId, Uid)> {
    model.keys().nth(at % model.len().max(1)).copied()
}

async fn compare(store: &Embedded, mailboxes: &[MailboxId], model: &Model) {
    for mailbox in mailboxes {
        let entries = store.messages(*mailbox, None, usize::MAX).await.unwrap();
        let expected: Vec<_> = model.iter().filter(|((of, _), _)| of == mailbox).collect();
        assert_eq!(entries.len(), expected.len());
        for (entry, ((_, uid), message)) in entries.iter().zip(expected) {
            assert_eq!((entry.uid, entry.mail_id, entry.flags), (*uid, id(1, message.n), message.flags));
            assert!(store.knows(entry.mail_id));
            assert!(read_all(store, *mailbox, *uid).await.ends_with(&text(message.n, message.size)));
        }
    }
}
