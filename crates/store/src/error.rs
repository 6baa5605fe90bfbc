//! What may go wrong in a store.

/// Why the store did not do what it was asked. Nothing was changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// No room: the peer is told 452 and tries again.
    #[error("the store is full: {0}")]
    Full(String),
    /// It could not be done now, for example because a write or a sync failed: the peer is told 451.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// Somebody else was first, or the name is taken.
    #[error("conflict: {0}")]
    Conflict(String),
    /// More than there may be of something.
    #[error("a limit is reached: {0}")]
    Limit(String),
    /// No such account.
    #[error("no such account")]
    NoSuchAccount,
    /// No such mailbox.
    #[error("no such mailbox")]
    NoSuchMailbox,
    /// No message of that UID in the mailbox.
    #[error("no such message")]
    NoSuchMessage,
    /// No such domain in the directory.
    #[error("no such domain")]
    NoSuchDomain,
    /// No such address in the directory.
    #[error("no such address")]
    NoSuchAddress,
    /// Nothing of that name, as an app password.
    #[error("no such entry")]
    NoSuchEntry,
    /// What is on the disk is not what was written.
    #[error("damaged: {0}")]
    Damaged(String),
    /// The data folder is used by another process.
    #[error("the data folder is in use by another process{0}")]
    InUse(String),
    /// The data folder was written by a newer version.
    #[error(
        "the data folder has format version {found}; this program reads up to {known}: start a newer version"
    )]
    NewerFormat {
        /// What the folder says.
        found: u32,
        /// What this program knows.
        known: u32,
    },
}
