//! The octets of a message: those that are in memory yet, or those of the store.

use async_trait::async_trait;
use bytes::Bytes;
use store::{BodyStream, StoreError};

use crate::delivery::board::Loaded;
use crate::delivery::runner::Setup;
use crate::signing::{self, Content, OfHeld};

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

/// A message with fields on top.
struct Prefixed {
    fields: Bytes,
    body: Box<dyn BodyStream>,
    size_bytes: u64,
}

/// Signs a message that was held for its sender, now that its time has come. Only who may send in our name has mail held.
///
/// # Errors
/// It cannot be read or signed, which is a fault of ours.
pub(in crate::delivery) async fn sign(setup: &Setup, loaded: &Loaded) -> Result<OfHeld, String> {
    let Some(shared) = setup.shared.upgrade() else { return Err("the node is over".to_owned()) };
    if !loaded.item.header.is_empty() || !signing::is_wanted(&shared, true, false) {
        return Ok(OfHeld::default());
    }
    let mut body = open(setup, loaded).await?;
    let header_bytes_max = shared.config.submission.header_bytes_max.as_usize();
    let content = Content::read(&mut *body, header_bytes_max).await;
    let content = content.map_err(|error| format!("the message cannot be read: {error}"))?;
    let signed = signing::of_held(&shared, content.as_ref(), &loaded.item, setup.world.now()).await;
    signed.map_err(|error| error.to_string())
}

/// The message with these fields on top.
pub(in crate::delivery) fn prefixed(fields: Bytes, body: Box<dyn BodyStream>) -> Box<dyn BodyStream> {
    let size_bytes = body.size_bytes() + fields.len() as u64;
    Box::new(Prefixed { fields, body, size_bytes })
}

#[async_trait]
impl BodyStream for Prefixed {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    async fn next(&mut self) -> Result<Bytes, StoreError> {
        if self.fields.is_empty() { self.body.next().await } else { Ok(std::mem::take(&mut self.fields)) }
    }
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
