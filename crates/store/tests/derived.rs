//! What is derived of messages and kept: a cache, which may be lost and must never be wrong.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod suite;

use bytes::Bytes;
use store::embedded::{Drive, Embedded, Options};
use store::{Body, Derived as _, DerivedKind, Directory as _, Mailboxes as _, NewAccount, Spool as _};
use suite::mail::{RECEIVED_AT, acceptance};
use types::MailId;

fn open(folder: &tempfile::TempDir) -> Embedded {
    Embedded::open(Options::at(folder.path())).unwrap()
}

async fn with_messages(store: &Embedded, count: u64) -> Vec<MailId> {
    let inbox = store.create_account(NewAccount::new("a@example.org", RECEIVED_AT)).await.unwrap().inbox;
    let mut ids = Vec::new();
    for n in 0..count {
        let mail_id = MailId::new(RECEIVED_AT, n);
        let body = Body::Memory(vec![Bytes::from_static(b"Subject: s\r\n\r\n")]);
        store.accept(acceptance(mail_id, body, &[inbox])).await.unwrap();
        ids.push(mail_id);
    }
    ids
}

async fn put(store: &Embedded, kind: DerivedKind, id: MailId, value: &'static [u8]) {
    store.put_derived(vec![(kind, vec![(id, Bytes::from_static(value))])]).await.unwrap();
}

#[tokio::test]
async fn what_was_kept_is_there_after_a_clean_close() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let ids = with_messages(&store, 2).await;
    assert_eq!(store.derived(DerivedKind::Words, &ids).await.unwrap(), [None, None]);
    put(&store, DerivedKind::Words, ids[1], b"words").await;
    put(&store, DerivedKind::Structure, ids[1], b"structure").await;
    put(&store, DerivedKind::Words, ids[1], b"other words").await;
    store.close().await;
    assert!(store.derived(DerivedKind::Words, &ids).await.is_err());
    drop(store);
    let store = open(&folder);
    let words = Some(Bytes::from_static(b"other words"));
    assert_eq!(store.derived(DerivedKind::Words, &ids).await.unwrap(), [None, words.clone()]);
    // In whatever order it is asked.
    assert_eq!(
        store.derived(DerivedKind::Words, &[ids[1], ids[0], ids[1]]).await.unwrap(),
        [words.clone(), None, words]
    );
    assert_eq!(store.derived(DerivedKind::Header, &ids).await.unwrap(), [None, None]);
}

#[tokio::test]
async fn a_damaged_file_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let ids = with_messages(&store, 1).await;
    put(&store, DerivedKind::Words, ids[0], b"words").await;
    store.close().await;
    drop(store);
    let path = folder.path().join("derived.redb");
    let whole = std::fs::read(&path).unwrap();
    let noise: Vec<u8> = (0..whole.len()).map(|n| ((n * 7919) >> 3) as u8).collect();
    for damaged in [&noise[..], &whole[..whole.len() / 2], b"x", b""] {
        std::fs::write(&path, damaged).unwrap();
        let store = open(&folder);
        assert_eq!(store.derived(DerivedKind::Words, &ids).await.unwrap(), [None]);
        put(&store, DerivedKind::Words, ids[0], b"anew").await;
        let anew = Some(Bytes::from_static(b"anew"));
        assert_eq!(store.derived(DerivedKind::Words, &ids).await.unwrap(), [anew]);
        assert_eq!(store.messages(account_inbox(&store).await, None, 10).await.unwrap().len(), 1);
        store.close().await;
    }
}

async fn account_inbox(store: &Embedded) -> store::MailboxId {
    store.account("a@example.org").await.unwrap().unwrap().inbox
}

#[tokio::test]
async fn what_is_of_no_message_goes_as_others_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let ids = with_messages(&store, 1).await;
    let strangers: Vec<MailId> = (0..1000).map(|n| MailId::new(RECEIVED_AT, 77 << 32 | n)).collect();
    let items = strangers.iter().map(|id| (*id, Bytes::from_static(b"of nobody"))).collect();
    store.put_derived(vec![(DerivedKind::Header, items)]).await.unwrap();
    for _ in 0..20 {
        put(&store, DerivedKind::Header, ids[0], b"kept").await;
    }
    let left = store.derived(DerivedKind::Header, &strangers).await.unwrap();
    assert_eq!(left.into_iter().flatten().count(), 0);
    assert!(store.derived(DerivedKind::Header, &ids).await.unwrap()[0].is_some());
}

#[tokio::test]
async fn many_are_found_whether_they_lie_close_or_far_apart() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let ids = with_messages(&store, 300).await;
    let value = |n: usize| Bytes::from(n.to_le_bytes().to_vec());
    let items = ids.iter().enumerate().filter(|(n, _)| n % 3 != 0).map(|(n, id)| (*id, value(n))).collect();
    store.put_derived(vec![(DerivedKind::Structure, items)]).await.unwrap();
    for step in [1, 2, 7, 8, 9, 10, 50, 299] {
        let places: Vec<usize> = (0..ids.len()).step_by(step).collect();
        let asked: Vec<MailId> = places.iter().map(|n| ids[*n]).collect();
        let expected: Vec<_> = places.iter().map(|n| (n % 3 != 0).then(|| value(*n))).collect();
        assert_eq!(store.derived(DerivedKind::Structure, &asked).await.unwrap(), expected, "every {step}");
    }
}

#[tokio::test]
async fn a_store_of_which_nobody_asks_it_has_no_file_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(Options { drive: Drive::Manual, ..Options::at(folder.path()) }).unwrap();
    store.close().await;
    assert!(!folder.path().join("derived.redb").exists());
}
