//! Messages with a key, which are accepted once; and envelopes, which are read back.

use bytes::Bytes;
use store::{Accepted, Account, Body, Idempotency, Store, StoreError, Uid};
use types::{MailId, Timestamp};

use super::mail::{RECEIVED_AT, acceptance, account, envelope, id, text};

pub async fn run_all(store: &dyn Store) {
    a_message_with_the_same_key_is_accepted_once(store).await;
    keys_of_two_accounts_are_two(store).await;
    an_expired_key_is_a_new_one(store).await;
    a_key_outlives_its_message(store).await;
    a_refused_message_does_not_use_its_key(store).await;
    a_key_goes_with_its_account(store).await;
    of_two_at_once_with_one_key_one_is_stored(store).await;
    the_envelope_is_read_back_while_the_message_lives(store).await;
}

const HOUR_MS: u64 = 3_600_000;

fn later(millis: u64) -> Timestamp {
    Timestamp::from_millis(RECEIVED_AT.millis() + millis)
}

/// Sends a message with a key that is known for an hour, at a time.
async fn send(
    store: &dyn Store,
    mail_id: MailId,
    from: &Account,
    key: &str,
    at: Timestamp,
) -> Result<Accepted, StoreError> {
    let mut acceptance = acceptance(mail_id, Body::Memory(vec![Bytes::from_static(b"x\r\n")]), &[from.inbox]);
    acceptance.received_at = at;
    acceptance.idempotency = Some(Idempotency {
        account: from.id,
        key: key.into(),
        expires_at: Timestamp::from_millis(at.millis() + HOUR_MS),
    });
    store.accept(acceptance).await
}

fn repeated(mail_id: MailId) -> Accepted {
    Accepted { mail_id, repeated: true, deliveries: Vec::new(), queue: Vec::new() }
}

async fn count(store: &dyn Store, of: &Account) -> usize {
    store.messages(of.inbox, None, 100).await.unwrap().len()
}

pub async fn a_message_with_the_same_key_is_accepted_once(store: &dyn Store) {
    let owner = account(store, "key.once@example.org").await;
    let first = send(store, id(30, 0), &owner, "a", RECEIVED_AT).await.unwrap();
    assert_eq!((first.mail_id, first.repeated, first.deliveries.len()), (id(30, 0), false, 1));
    for n in 1..4 {
        let again = send(store, id(30, n), &owner, "a", later(n * 1000)).await.unwrap();
        assert_eq!(again, repeated(id(30, 0)));
        assert!(!store.knows(id(30, n)));
    }
    let before = async |key: &str, at| store.accepted_before(owner.id, key, at).await.unwrap();
    assert_eq!(before("a", later(HOUR_MS - 1)).await, Some(id(30, 0)));
    assert_eq!(before("a", later(HOUR_MS)).await, None);
    assert_eq!(before("A", RECEIVED_AT).await, None);
    assert_eq!(count(store, &owner).await, 1);
    assert!(!send(store, id(30, 5), &owner, "A", RECEIVED_AT).await.unwrap().repeated);
    // A body that was staged for it leaves nothing behind, and is of no use.
    let mut staged = store.stage().await.unwrap();
    staged.append(&text(0, 100_000)).await.unwrap();
    let mut large = acceptance(id(30, 6), Body::Staged(staged), &[owner.inbox]);
    large.idempotency = Some(Idempotency { account: owner.id, key: "a".into(), expires_at: later(HOUR_MS) });
    assert_eq!(store.accept(large).await.unwrap(), repeated(id(30, 0)));
    assert_eq!(count(store, &owner).await, 2);
}

pub async fn keys_of_two_accounts_are_two(store: &dyn Store) {
    let first = account(store, "key.first@example.org").await;
    let second = account(store, "key.second@example.org").await;
    assert!(!send(store, id(31, 0), &first, "a", RECEIVED_AT).await.unwrap().repeated);
    assert!(!send(store, id(31, 1), &second, "a", RECEIVED_AT).await.unwrap().repeated);
    assert_eq!(send(store, id(31, 2), &first, "a", RECEIVED_AT).await.unwrap(), repeated(id(31, 0)));
    assert_eq!(send(store, id(31, 3), &second, "a", RECEIVED_AT).await.unwrap(), repeated(id(31, 1)));
}

pub async fn an_expired_key_is_a_new_one(store: &dyn Store) {
    let owner = account(store, "key.expired@example.org").await;
    send(store, id(32, 0), &owner, "a", RECEIVED_AT).await.unwrap();
    let just_before = send(store, id(32, 1), &owner, "a", later(HOUR_MS - 1)).await.unwrap();
    assert_eq!(just_before, repeated(id(32, 0)));
    assert!(!send(store, id(32, 2), &owner, "a", later(HOUR_MS)).await.unwrap().repeated);
    let again = send(store, id(32, 3), &owner, "a", later(2 * HOUR_MS - 1)).await.unwrap();
    assert_eq!(again, repeated(id(32, 2)));
    assert_eq!(count(store, &owner).await, 2);
}

pub async fn a_key_outlives_its_message(store: &dyn Store) {
    let owner = account(store, "key.outlives@example.org").await;
    send(store, id(33, 0), &owner, "a", RECEIVED_AT).await.unwrap();
    store.expunge(owner.inbox, &[Uid(1)], types::Timestamp::default()).await.unwrap();
    assert_eq!(count(store, &owner).await, 0);
    assert_eq!(store.envelope(id(33, 0)).await.unwrap(), None);
    assert_eq!(send(store, id(33, 1), &owner, "a", RECEIVED_AT).await.unwrap(), repeated(id(33, 0)));
    assert_eq!(count(store, &owner).await, 0);
}

pub async fn a_refused_message_does_not_use_its_key(store: &dyn Store) {
    let owner = account(store, "key.refused@example.org").await;
    let nowhere = Account { inbox: store::MailboxId(1 << 40), ..owner.clone() };
    let refused = send(store, id(34, 0), &nowhere, "a", RECEIVED_AT).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    assert!(!send(store, id(34, 1), &owner, "a", RECEIVED_AT).await.unwrap().repeated);
    let nobody = Account { id: store::AccountId(1 << 40), ..owner };
    assert_eq!(send(store, id(34, 2), &nobody, "a", RECEIVED_AT).await, Err(StoreError::NoSuchAccount));
}

pub async fn a_key_goes_with_its_account(store: &dyn Store) {
    let first = account(store, "key.gone@example.org").await;
    send(store, id(35, 0), &first, "a", RECEIVED_AT).await.unwrap();
    store.remove_account(first.id).await.unwrap();
    let other = account(store, "key.other@example.org").await;
    let late = Account { inbox: other.inbox, ..first };
    assert_eq!(send(store, id(35, 1), &late, "a", RECEIVED_AT).await, Err(StoreError::NoSuchAccount));
    let second = account(store, "key.gone@example.org").await;
    assert!(!send(store, id(35, 2), &second, "a", RECEIVED_AT).await.unwrap().repeated);
}

pub async fn of_two_at_once_with_one_key_one_is_stored(store: &dyn Store) {
    let owner = account(store, "key.race@example.org").await;
    let (a, b) = tokio::join!(
        send(store, id(36, 0), &owner, "a", RECEIVED_AT),
        send(store, id(36, 1), &owner, "a", RECEIVED_AT)
    );
    let (a, b) = (a.unwrap(), b.unwrap());
    assert!(a.repeated != b.repeated, "{a:?} {b:?}");
    assert_eq!(a.mail_id, b.mail_id);
    assert_eq!(count(store, &owner).await, 1);
}

pub async fn the_envelope_is_read_back_while_the_message_lives(store: &dyn Store) {
    let owner = account(store, "envelope@example.org").await;
    for (n, size) in [10, 2_000_000].into_iter().enumerate() {
        let body = Body::Memory(vec![text(n as u64, size)]);
        let mail_id = id(37, n as u64);
        store.accept(acceptance(mail_id, body, &[owner.inbox])).await.unwrap();
        let expected = (envelope(), "192.0.2.1 (client.example)".to_owned());
        assert_eq!(store.envelope(mail_id).await.unwrap(), Some(expected));
        store.expunge(owner.inbox, &[Uid(n as u32 + 1)], types::Timestamp::default()).await.unwrap();
        assert_eq!(store.envelope(mail_id).await.unwrap(), None);
    }
}
