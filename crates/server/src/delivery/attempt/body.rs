//! The octets of a message: those that are in memory yet, or those of the store.

use async_trait::async_trait;
use bytes::Bytes;
use store::{BodyStream, StoreError};

use crate::delivery::board::Loaded;
use crate::delivery::runner::Setup;

/// A message that was just accepted, and is in memory.
struct InMemory {
    size_bytes: u64,
    /// The last one first.
    parts: Vec<Bytes>,
}

/// Opens the message of an item.
///
/// # Errors
/// It cannot be read, which is a fault of ours.
pub(in crate::delivery) async fn open(setup: &Setup, loaded: &Loaded) -> Result<Box<dyn BodyStream>, String> {
    let item = &loaded.item;
    if let Some(body) = loaded.fresh.as_ref().and_then(|fresh| fresh.body.as_ref()) {
        let mut parts: Vec<Bytes> = body.iter().rev().filter(|part| !part.is_empty()).cloned().collect();
        if !item.header.is_empty() {
            parts.push(item.header.clone());
        }
        let size_bytes = parts.iter().map(|part| part.len() as u64).sum();
        return Ok(Box::new(InMemory { size_bytes, parts }));
    }
    setup.store.open_queued(item.id).await.map_err(|error| format!("the message cannot be read: {error}"))
}

#[async_trait]
impl BodyStream for InMemory {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    async fn next(&mut self) -> Result<Bytes, StoreError> {
        Ok(self.parts.pop().unwrap_or_default())
    }
}
