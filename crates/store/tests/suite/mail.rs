//! Messages and accounts for tests.

use std::future::Future;
use std::pin::Pin;
use std::task::Poll;

use bytes::Bytes;
use store::{Acceptance, Account, Body, Delivered, MailboxId, NewAccount, Store, StoreError, Uid};
use types::{Envelope, MailId, Timestamp};

pub const RECEIVED_AT: Timestamp = Timestamp::from_millis(1_795_322_124_250);

/// The id of message `n` of a test.
pub fn id(test: u64, n: u64) -> MailId {
    MailId::new(RECEIVED_AT, test << 32 | n)
}

/// Octets that differ with the seed.
pub fn text(seed: u64, size: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let octets = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        b' ' + (state % 90) as u8
    });
    octets.take(size).collect()
}

pub fn envelope() -> Envelope {
    Envelope::new("<sender@example.net>".parse().unwrap(), ["<one@example.org>".parse().unwrap()])
}

pub fn acceptance(mail_id: MailId, body: Body, mailboxes: &[MailboxId]) -> Acceptance {
    Acceptance {
        origin: "192.0.2.1 (client.example)".into(),
        deliveries: mailboxes.iter().map(|m| super::delivery(*m)).collect(),
        ..Acceptance::new(mail_id, RECEIVED_AT, envelope(), body)
    }
}

pub async fn accept(
    store: &dyn Store,
    mail_id: MailId,
    body: &[u8],
    mailboxes: &[MailboxId],
) -> Result<Vec<Delivered>, StoreError> {
    let body = Body::Memory(vec![Bytes::copy_from_slice(body)]);
    Ok(store.accept(acceptance(mail_id, body, mailboxes)).await?.deliveries)
}

pub async fn accept_in(
    store: &dyn Store,
    mail_id: MailId,
    body: Bytes,
    mailbox: MailboxId,
) -> Result<Vec<Delivered>, StoreError> {
    Ok(store.accept(acceptance(mail_id, Body::Memory(vec![body]), &[mailbox])).await?.deliveries)
}

pub async fn account(store: &dyn Store, name: &str) -> Account {
    store.create_account(NewAccount::new(name, RECEIVED_AT)).await.unwrap()
}

pub async fn read_all(store: &dyn Store, mailbox: MailboxId, uid: Uid) -> Vec<u8> {
    let mut stream = store.open(mailbox, uid).await.unwrap();
    let mut octets = Vec::new();
    loop {
        let chunk = stream.next().await.unwrap();
        if chunk.is_empty() {
            break;
        }
        octets.extend_from_slice(&chunk);
    }
    assert_eq!(octets.len() as u64, stream.size_bytes());
    octets
}

/// All futures together, on one task.
pub async fn join_all<T>(futures: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut futures: Vec<Pin<Box<_>>> = futures.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(move |cx| {
        for (future, done) in futures.iter_mut().zip(&mut done) {
            if done.is_none()
                && let Poll::Ready(value) = future.as_mut().poll(cx)
            {
                *done = Some(value);
            }
        }
        if done.iter().all(Option::is_some) {
            return Poll::Ready(done.iter_mut().filter_map(Option::take).collect());
        }
        Poll::Pending
    })
    .await
}
