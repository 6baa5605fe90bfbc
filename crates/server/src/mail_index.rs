//! The index by which texts are found: made in the background for mailboxes that are open.

use types::mailstore::MailboxId;

/// What is to be indexed.
#[derive(Debug, Default)]
pub(crate) struct MailIndex;

impl MailIndex {
    /// Somebody has this mailbox open, or it has new messages.
    pub(crate) const fn wanted(&self, _mailbox: MailboxId) {}
}
