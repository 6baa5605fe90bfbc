//! What is asked and told of mailboxes and of messages that were expunged.

use serde::{Deserialize, Serialize};
use types::mailstore::SpecialUse;

use super::{MailboxSummary, MessageSummary};

/// What mailboxes are asked; `account: None` is the account that was made first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailboxRequest {
    /// Makes a mailbox, and those above it: [`MailboxResponse::Mailbox`].
    Create {
        /// Whose.
        account: Option<String>,
        /// Its name, with `/` between levels.
        name: String,
        /// What it is for.
        special_use: Option<SpecialUse>,
    },
    /// Gives a mailbox another name, and so those below it: [`MailboxResponse::Done`].
    Rename {
        /// Whose.
        account: Option<String>,
        /// As it is called.
        from: String,
        /// As it is to be called.
        to: String,
    },
    /// Removes a mailbox; its messages are expunged: [`MailboxResponse::Done`].
    Delete {
        /// Whose.
        account: Option<String>,
        /// Its name.
        name: String,
    },
    /// Copies or moves messages into another mailbox of the account: [`MailboxResponse::Transferred`].
    Transfer {
        /// Whose.
        account: Option<String>,
        /// Where they are.
        from: String,
        /// Which.
        uids: Vec<u32>,
        /// Where they are to be.
        to: String,
        /// What becomes of them where they were.
        how: TransferMode,
    },
    /// What was expunged and can be restored, oldest first, some at a time: [`MailboxResponse::Expunged`].
    Expunged {
        /// Whose.
        account: Option<String>,
        /// Only what comes behind this one.
        after: Option<String>,
    },
    /// Brings expunged messages back: [`MailboxResponse::Restored`].
    Restore {
        /// Whose.
        account: Option<String>,
        /// Which, as [`ExpungedSummary::id`] names them; what is no more is passed over.
        messages: Vec<String>,
    },
}

/// What is looked for in a mailbox: all of it has to be there. Texts are compared as IMAP's SEARCH does (docs/search.md).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchRequest {
    /// Whose; none is the account that was made first.
    pub account: Option<String>,
    /// Which mailbox.
    pub mailbox: String,
    /// Anywhere in the header or in the text of parts.
    pub text: Option<String>,
    /// In From.
    pub from: Option<String>,
    /// In To or Cc.
    pub to: Option<String>,
    /// In Subject.
    pub subject: Option<String>,
    /// Only UIDs above this one.
    pub after: Option<u32>,
}

/// What becomes of messages where they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferMode {
    /// They stay.
    Copy,
    /// They go.
    Move,
}

/// What is answered about mailboxes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailboxResponse {
    /// The mailbox as it is now.
    Mailbox(MailboxSummary),
    /// It is so now.
    Done,
    /// UIDs where the messages were and where they are.
    Transferred(Vec<(u32, u32)>),
    /// A page of them; the next one is asked for with the last id, until an empty one comes.
    Expunged(Vec<ExpungedSummary>),
    /// So many are back.
    Restored(usize),
}

/// A message that was expunged and can be restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpungedSummary {
    /// By which it is restored.
    pub id: String,
    /// The mailbox that it was in.
    pub mailbox: String,
    /// When it was expunged, in RFC 3339.
    pub expunged_at: String,
    /// As it was.
    #[serde(flatten)]
    pub message: MessageSummary,
}
