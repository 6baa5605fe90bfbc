//! What was made of messages once, so that it need not be made again: their structure, what they are found by.

use async_trait::async_trait;
use bytes::Bytes;
use types::MailId;

use crate::StoreError;

/// What is made of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DerivedKind {
    /// Its MIME structure and envelope.
    Structure,
    /// Its envelope as lists of messages show it. Whoever lists messages asks for all of a mailbox: what is shown by itself is
    /// kept by itself, so that few octets are read for each.
    Envelope,
    /// Its body structure as lists of messages show it.
    BodyStructure,
    /// The fields of its header that lists of messages show.
    Fields,
    /// What is searched and sorted by of its header.
    Header,
    /// By which of its words it may be found.
    Words,
}

impl DerivedKind {
    /// Each of them, as they are declared.
    pub const ALL: [Self; 6] =
        [Self::Structure, Self::Envelope, Self::BodyStructure, Self::Fields, Self::Header, Self::Words];
}

/// What was made of messages, by kind.
pub type DerivedRows = Vec<(DerivedKind, Vec<(MailId, Bytes)>)>;

/// A cache that outlives a restart. Whatever is in it can be made again of the messages: it is not part of any promise, and
/// may be lost or removed at any time.
#[async_trait]
pub trait Derived: Send + Sync {
    /// What is there of these messages, in their order. Many at once cost least.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn derived(&self, kind: DerivedKind, ids: &[MailId]) -> Result<Vec<Option<Bytes>>, StoreError>;

    /// Keeps what was made, of all kinds in one step. Some of what is there of messages that are gone goes by the way.
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::Unavailable`].
    async fn put_derived(&self, rows: DerivedRows) -> Result<(), StoreError>;
}
