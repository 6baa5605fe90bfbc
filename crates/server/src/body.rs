//! The message on its way in: in memory as long as the limits allow, on disk beyond them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use store::{Body, StagedBody, Store, StoreError};

/// Memory for messages on their way in, all sessions together.
#[derive(Debug, Clone)]
pub(crate) struct MemoryBudget {
    left: Arc<AtomicU64>,
    per_message_max: u64,
}

/// What was taken of a budget; given back when dropped.
#[derive(Debug)]
struct Lease {
    budget: MemoryBudget,
    bytes: u64,
}

impl MemoryBudget {
    pub(crate) fn new(bytes_max: u64, per_message_max: u64) -> Self {
        Self { left: Arc::new(AtomicU64::new(bytes_max)), per_message_max }
    }
}

impl Lease {
    fn grow(&mut self, bytes: u64) -> bool {
        if self.bytes + bytes > self.budget.per_message_max {
            return false;
        }
        let taken = self
            .budget
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes));
        if taken.is_ok() {
            self.bytes += bytes;
        }
        taken.is_ok()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.budget.left.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

/// Gathers one message.
#[derive(Debug)]
pub(crate) struct Collector {
    content: Content,
    lease: Lease,
}

#[derive(Debug)]
enum Content {
    Memory(Vec<Bytes>),
    Staged(Box<dyn StagedBody>),
    /// It could not be written; the rest is passed over.
    Failed(StoreError),
}

impl Collector {
    pub(crate) fn new(budget: &MemoryBudget) -> Self {
        Self { content: Content::Memory(Vec::new()), lease: Lease { budget: budget.clone(), bytes: 0 } }
    }

    /// Takes octets out of a buffer, and its memory too where they stay in memory. What goes wrong is told at the
    /// end, when the peer can be told too.
    pub(crate) async fn append(&mut self, store: &dyn Store, octets: &mut Vec<u8>) {
        if octets.is_empty() {
            return;
        }
        if let Content::Memory(pieces) = &mut self.content {
            // What is not used of it is held too.
            if self.lease.grow(octets.capacity() as u64) {
                return pieces.push(std::mem::take(octets).into());
            }
            let pieces = std::mem::take(pieces);
            self.content = stage(store, pieces).await.map_or_else(Content::Failed, Content::Staged);
            // Nothing of the message is in memory now.
            let budget = self.lease.budget.clone();
            self.lease = Lease { budget, bytes: 0 };
        }
        if let Content::Staged(body) = &mut self.content
            && let Err(error) = body.append(octets).await
        {
            self.content = Content::Failed(error);
        }
        octets.clear();
    }

    /// The whole message. The memory is given back when the second value is dropped.
    pub(crate) fn finish(self) -> Result<(Body, impl Sized + use<>), StoreError> {
        let body = match self.content {
            Content::Memory(pieces) => Body::Memory(pieces),
            Content::Staged(body) => Body::Staged(body),
            Content::Failed(error) => return Err(error),
        };
        Ok((body, self.lease))
    }
}

async fn stage(store: &dyn Store, pieces: Vec<Bytes>) -> Result<Box<dyn StagedBody>, StoreError> {
    let mut body = store.stage().await?;
    for piece in pieces {
        body.append(&piece).await?;
    }
    Ok(body)
}
