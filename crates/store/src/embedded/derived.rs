//! What was made of messages, kept as a cache.

use async_trait::async_trait;
use bytes::Bytes;
use types::MailId;

use super::Embedded;
use crate::{Derived, DerivedKind, StoreError};

#[async_trait]
impl Derived for Embedded {
    async fn derived(&self, _kind: DerivedKind, ids: &[MailId]) -> Result<Vec<Option<Bytes>>, StoreError> {
        Ok(vec![None; ids.len()])
    }

    async fn put_derived(&self, _kind: DerivedKind, _items: Vec<(MailId, Bytes)>) -> Result<(), StoreError> {
        Ok(())
    }
}
