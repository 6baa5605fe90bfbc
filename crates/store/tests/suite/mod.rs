//! What every backend of the store must do, written against the traits alone.

#![allow(dead_code, unreachable_pub, reason = "each test binary is a crate of its own and uses a part")]
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

pub mod directory;
pub mod disk;
pub mod dkim;
pub mod drive;
pub mod fixture;
pub mod keys;
pub mod known;
pub mod mail;
pub mod mailboxes;
pub mod queue;

use bytes::Bytes;
use mail::{accept, accept_in, account, id, read_all, text};
use store::{Body, Delivery, Flags, ModSeq, NewAccount, Store, StoreError, Uid};
use types::Timestamp;

/// All cases, on one store that is new.
pub async fn run_all(store: &dyn Store) {
    names_are_compared_without_regard_to_case(store).await;
    an_accepted_message_is_there_once_with_the_same_octets(store).await;
    uids_and_modseqs_ascend_in_the_order_of_commits(store).await;
    one_body_serves_all_its_deliveries(store).await;
    a_mail_id_is_accepted_once(store).await;
    nothing_is_stored_where_one_mailbox_is_missing(store).await;
    a_staged_body_is_read_back(store).await;
    flags_change_and_say_what_changed(store).await;
    expunged_messages_are_gone_and_their_uids_stay_unused(store).await;
    a_stream_stays_readable_after_expunge(store).await;
    what_does_not_exist_is_said_to(store).await;
    messages_are_listed_in_parts(store).await;
    many_at_once_are_each_there_once(store).await;
    mailboxes::run_all(store).await;
    directory::run_all(store).await;
    dkim::run_all(store).await;
    keys::run_all(store).await;
    queue::run_all(store).await;
}

pub async fn names_are_compared_without_regard_to_case(store: &dyn Store) {
    let made = account(store, "Case@example.org").await;
    let again = NewAccount::new("cASE@EXAMPLE.org", Timestamp::from_millis(1));
    assert!(matches!(store.create_account(again).await, Err(StoreError::Conflict(_))));
    assert_eq!(store.account("case@example.ORG").await.unwrap(), Some(made.clone()));
    assert_eq!(store.account("nobody@example.org").await.unwrap(), None);
    assert!(store.accounts().await.unwrap().iter().any(|a| a.name == "Case@example.org"));
    let mailboxes = store.mailboxes(made.id).await.unwrap();
    assert_eq!((mailboxes[0].id, mailboxes[0].name.as_str()), (made.inbox, "INBOX"));
    assert_eq!((mailboxes[0].messages, mailboxes[0].size_bytes, mailboxes[0].uid_next), (0, 0, Uid(1)));
    assert_ne!(mailboxes[0].uid_validity.0, 0);
}

pub async fn an_accepted_message_is_there_once_with_the_same_octets(store: &dyn Store) {
    let inbox = account(store, "same@example.org").await.inbox;
    for (n, size) in
        [0, 1, 7, 8, 4096, 65_536, 65_537, 300_000, 1_048_576, 1_048_577, 3_000_000].iter().enumerate()
    {
        let body = text(n as u64, *size);
        let parts = vec![body.slice(..size / 3), body.slice(size / 3..)];
        let acceptance = mail::acceptance(id(1, n as u64), Body::Memory(parts), &[inbox]);
        let header = acceptance.deliveries[0].header.clone();
        let delivered = store.accept(acceptance).await.unwrap().deliveries;
        assert_eq!(delivered.len(), 1);
        let entries = store.messages(inbox, None, 100).await.unwrap();
        assert_eq!(entries.len(), n + 1);
        let entry = &entries[n];
        assert_eq!((entry.uid, entry.mail_id), (delivered[0].uid, id(1, n as u64)));
        assert_eq!(entry.size_bytes, (header.len() + body.len()) as u64);
        assert_eq!(entry.internal_date, Timestamp::from_millis(1_795_322_124_250));
        let mut expected = header.to_vec();
        expected.extend_from_slice(&body);
        assert!(read_all(store, inbox, entry.uid).await == expected, "size {size}");
        assert!(store.knows(entry.mail_id));
    }
    assert!(!store.knows(id(1, 99)));
}

pub async fn uids_and_modseqs_ascend_in_the_order_of_commits(store: &dyn Store) {
    let owner = account(store, "order@example.org").await;
    let mut last = (Uid(0), ModSeq(0));
    for n in 0..20 {
        let done = accept(store, id(2, n), b"x\r\n", &[owner.inbox]).await.unwrap()[0];
        assert!(done.uid > last.0 && done.modseq > last.1, "{done:?} after {last:?}");
        last = (done.uid, done.modseq);
    }
    let inbox = &store.mailboxes(owner.id).await.unwrap()[0];
    assert!(inbox.uid_next > last.0);
    assert_eq!((inbox.highest_modseq, inbox.messages), (last.1, 20));
}

pub async fn one_body_serves_all_its_deliveries(store: &dyn Store) {
    let first = account(store, "one@example.org").await;
    let second = account(store, "two@example.org").await;
    let body = text(3, 5000);
    let delivered = accept(store, id(3, 0), &body, &[first.inbox, second.inbox]).await.unwrap();
    assert_eq!([delivered[0].mailbox, delivered[1].mailbox], [first.inbox, second.inbox]);
    store.expunge(first.inbox, &[delivered[0].uid], types::Timestamp::default()).await.unwrap();
    assert!(store.knows(id(3, 0)));
    let read = read_all(store, second.inbox, delivered[1].uid).await;
    assert!(read.ends_with(&body));
    assert!(read.starts_with(format!("Delivered-To: {}\r\n", second.inbox).as_bytes()));
    store.expunge(second.inbox, &[delivered[1].uid], types::Timestamp::default()).await.unwrap();
    assert!(store.messages(second.inbox, None, 10).await.unwrap().is_empty());
    assert!(!store.knows(id(3, 0)));
}

pub async fn a_mail_id_is_accepted_once(store: &dyn Store) {
    let inbox = account(store, "once@example.org").await.inbox;
    accept(store, id(4, 0), b"first\r\n", &[inbox]).await.unwrap();
    assert!(matches!(accept(store, id(4, 0), b"second\r\n", &[inbox]).await, Err(StoreError::Conflict(_))));
    // Two at the same time: one of them.
    let only = [inbox];
    let (a, b) = tokio::join!(
        accept(store, id(4, 1), b"third\r\n", &only),
        accept(store, id(4, 1), b"fourth\r\n", &only)
    );
    assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
    assert_eq!(store.messages(inbox, None, 10).await.unwrap().len(), 2);
}

pub async fn nothing_is_stored_where_one_mailbox_is_missing(store: &dyn Store) {
    let inbox = account(store, "whole@example.org").await.inbox;
    let missing = store::MailboxId(1 << 40);
    let refused = accept(store, id(5, 0), b"x\r\n", &[inbox, missing]).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    assert!(store.messages(inbox, None, 10).await.unwrap().is_empty());
    assert!(!store.knows(id(5, 0)));
    accept(store, id(5, 0), b"x\r\n", &[inbox]).await.unwrap();
}

pub async fn a_staged_body_is_read_back(store: &dyn Store) {
    let inbox = account(store, "staged@example.org").await.inbox;
    for (n, size) in [0_usize, 10, 200_000, 2_500_000].into_iter().enumerate() {
        let body = text(n as u64, size);
        let mut staged = store.stage().await.unwrap();
        for part in body.chunks(70_001) {
            staged.append(part).await.unwrap();
        }
        assert_eq!(staged.size_bytes(), size as u64);
        let acceptance = mail::acceptance(id(6, n as u64), Body::Staged(staged), &[inbox]);
        let delivered = store.accept(acceptance).await.unwrap().deliveries;
        let read = read_all(store, inbox, delivered[0].uid).await;
        assert!(read.ends_with(&body) && read.len() > size, "size {size}");
    }
    // One that is dropped leaves nothing.
    let mut staged = store.stage().await.unwrap();
    staged.append(b"never accepted").await.unwrap();
    drop(staged);
    assert_eq!(store.messages(inbox, None, 10).await.unwrap().len(), 4);
}

pub async fn flags_change_and_say_what_changed(store: &dyn Store) {
    let inbox = account(store, "flags@example.org").await.inbox;
    let mut acceptance = mail::acceptance(id(7, 0), Body::Memory(vec![Bytes::from_static(b"a")]), &[inbox]);
    acceptance.deliveries[0].flags = Flags::FLAGGED;
    let first = store.accept(acceptance).await.unwrap().deliveries[0];
    let second = accept(store, id(7, 1), b"b", &[inbox]).await.unwrap()[0];
    let uids = [second.uid, first.uid, Uid(999), first.uid];
    let changed = store.store_flags(inbox, &uids, Flags::SEEN, Flags::NONE, None).await.unwrap().changed;
    let both = Flags::SEEN.with(Flags::FLAGGED);
    assert_eq!(changed.iter().collect::<Vec<_>>(), [(first.uid, both), (second.uid, Flags::SEEN)]);
    assert_eq!(
        [first.uid, second.uid, Uid(999)].map(|uid| changed.find(uid)),
        [Some(both), Some(Flags::SEEN), None]
    );
    assert!(changed.modseq > second.modseq);
    let there = store.messages(inbox, None, 10).await.unwrap();
    assert!(there.iter().map(|entry| (entry.uid, entry.flags)).eq(changed.iter()));
    assert!(there.iter().all(|entry| entry.modseq == changed.modseq));
    // What does not change is not said to.
    let again = store.store_flags(inbox, &[first.uid], Flags::SEEN, Flags::NONE, None).await.unwrap();
    assert_eq!(again, store::FlagsStored::default());
    let removed =
        store.store_flags(inbox, &[first.uid], Flags::NONE, Flags::SEEN, None).await.unwrap().changed;
    assert_eq!(removed.find(first.uid), Some(Flags::FLAGGED));
    assert!(removed.modseq > changed.modseq);
    let missing = store::MailboxId(1 << 40);
    let refused = store.store_flags(missing, &[Uid(1)], Flags::SEEN, Flags::NONE, None).await;
    assert_eq!(refused, Err(StoreError::NoSuchMailbox));
}

pub async fn expunged_messages_are_gone_and_their_uids_stay_unused(store: &dyn Store) {
    let owner = account(store, "expunge@example.org").await;
    let inbox = owner.inbox;
    let mut uids = Vec::new();
    for n in 0..5 {
        uids.push(accept(store, id(8, n), b"x\r\n", &[inbox]).await.unwrap()[0].uid);
    }
    let gone = store
        .expunge(inbox, &[uids[4], uids[1], Uid(999), uids[1]], types::Timestamp::default())
        .await
        .unwrap();
    assert_eq!(gone, [uids[1], uids[4]]);
    assert!(store.expunge(inbox, &[uids[1]], types::Timestamp::default()).await.unwrap().is_empty());
    let left: Vec<_> = store.messages(inbox, None, 10).await.unwrap().into_iter().map(|e| e.uid).collect();
    assert_eq!(left, [uids[0], uids[2], uids[3]]);
    assert!(matches!(store.open(inbox, uids[4]).await.err(), Some(StoreError::NoSuchMessage)));
    let next = accept(store, id(8, 9), b"x\r\n", &[inbox]).await.unwrap()[0];
    assert!(next.uid > uids[4]);
    let info = &store.mailboxes(owner.id).await.unwrap()[0];
    let entries = store.messages(inbox, None, 10).await.unwrap();
    assert_eq!(info.messages, entries.len() as u64);
    assert_eq!(info.size_bytes, entries.iter().map(|e| e.size_bytes).sum::<u64>());
}

pub async fn a_stream_stays_readable_after_expunge(store: &dyn Store) {
    let inbox = account(store, "open@example.org").await.inbox;
    for (n, size) in [(0, 500_000), (1, 2_000_000)] {
        let body = text(n, size);
        let uid = accept(store, id(9, n), &body, &[inbox]).await.unwrap()[0].uid;
        let mut stream = store.open(inbox, uid).await.unwrap();
        let mut read = stream.next().await.unwrap().to_vec();
        store.expunge(inbox, &[uid], types::Timestamp::default()).await.unwrap();
        assert!(store.messages(inbox, None, 10).await.unwrap().is_empty());
        loop {
            let chunk = stream.next().await.unwrap();
            if chunk.is_empty() {
                break;
            }
            read.extend_from_slice(&chunk);
        }
        assert_eq!(read.len() as u64, stream.size_bytes());
        assert!(read.ends_with(&body));
    }
}

pub async fn what_does_not_exist_is_said_to(store: &dyn Store) {
    let missing = store::MailboxId(1 << 40);
    assert_eq!(store.messages(missing, None, 1).await, Err(StoreError::NoSuchMailbox));
    assert_eq!(
        store.expunge(missing, &[Uid(1)], types::Timestamp::default()).await,
        Err(StoreError::NoSuchMailbox)
    );
    assert!(matches!(store.open(missing, Uid(1)).await.err(), Some(StoreError::NoSuchMessage)));
    assert!(store.mailboxes(store::AccountId(1 << 40)).await.unwrap().is_empty());
    assert_eq!(store.fatal_error(), None);
}

pub async fn messages_are_listed_in_parts(store: &dyn Store) {
    let inbox = account(store, "parts@example.org").await.inbox;
    for n in 0..7 {
        accept(store, id(10, n), b"x\r\n", &[inbox]).await.unwrap();
    }
    let mut seen = Vec::new();
    loop {
        let part = store.messages(inbox, seen.last().copied(), 3).await.unwrap();
        if part.is_empty() {
            break;
        }
        assert!(part.len() <= 3);
        seen.extend(part.into_iter().map(|e| e.uid));
    }
    assert_eq!(seen.len(), 7);
    assert!(seen.is_sorted());
    assert!(store.messages(inbox, Some(Uid(u32::MAX)), 3).await.unwrap().is_empty());
}

pub async fn many_at_once_are_each_there_once(store: &dyn Store) {
    let inbox = account(store, "many@example.org").await.inbox;
    let all: Vec<_> = (0..300).map(|n| accept_in(store, id(11, n), text(n, 700), inbox)).collect();
    let mut uids: Vec<Uid> = Vec::new();
    for done in mail::join_all(all).await {
        uids.push(done.unwrap()[0].uid);
    }
    let entries = store.messages(inbox, None, 1000).await.unwrap();
    assert_eq!(entries.len(), 300);
    for (n, uid) in uids.iter().enumerate() {
        let entry = entries.iter().find(|e| e.uid == *uid).unwrap();
        assert_eq!(entry.mail_id, id(11, n as u64));
        assert!(read_all(store, inbox, *uid).await.ends_with(&text(n as u64, 700)));
    }
    uids.sort();
    uids.dedup();
    assert_eq!(uids.len(), 300);
}

/// A delivery whose header fields name its mailbox.
pub fn delivery(mailbox: store::MailboxId) -> Delivery {
    Delivery { header: format!("Delivered-To: {mailbox}\r\n").into(), ..Delivery::to(mailbox) }
}
