//! The command line of `posta mailbox`.

use clap::{Args, Subcommand};
use types::mailstore::SpecialUse;

use crate::cli::DataArg;
use crate::directory::PlaceArgs;

/// Which mailbox.
#[derive(Debug, Clone, Args)]
pub(crate) struct MailboxArg {
    #[command(flatten)]
    pub(crate) data: DataArg,
    /// Whose mailbox [default: the first account's]
    #[arg(long, value_name = "NAME")]
    pub(crate) account: Option<String>,
    /// Which mailbox
    #[arg(long, value_name = "NAME", default_value = "INBOX")]
    pub(crate) mailbox: String,
}

/// Whose mailboxes, and how the answer looks.
#[derive(Debug, Clone, Args)]
pub(crate) struct OwnerArgs {
    /// Whose mailboxes [default: the first account's]
    #[arg(long, value_name = "NAME")]
    pub(crate) account: Option<String>,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

/// What is looked for: all of it has to be there.
#[derive(Debug, Clone, Args)]
pub(crate) struct SearchArgs {
    /// Anywhere in the header or in the text of parts, decoded, in any case of letters
    #[arg(value_name = "TEXT", required_unless_present_any = ["from", "to", "subject"])]
    pub(crate) text: Option<String>,
    /// In the author's name and address
    #[arg(long, value_name = "TEXT")]
    pub(crate) from: Option<String>,
    /// In the names and addresses that it is written to
    #[arg(long, value_name = "TEXT")]
    pub(crate) to: Option<String>,
    /// In the subject
    #[arg(long, value_name = "TEXT")]
    pub(crate) subject: Option<String>,
    /// In all mailboxes of the account
    #[arg(long, conflicts_with = "mailbox")]
    pub(crate) everywhere: bool,
}

/// Messages that are to be somewhere else.
#[derive(Debug, Clone, Args)]
pub(crate) struct TransferArgs {
    /// Their numbers in the list
    #[arg(value_name = "N", required = true)]
    pub(crate) uids: Vec<u32>,
    /// The mailbox that they go into
    #[arg(long, value_name = "NAME")]
    pub(crate) to: String,
    #[command(flatten)]
    pub(crate) mailbox: MailboxArg,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  posta mailbox folders --account ada@example.org
  posta mailbox list --mailbox Junk
  posta mailbox search --everywhere invoice
  posta mailbox move 3 4 --mailbox Junk --to INBOX
  posta mailbox restore --all")]
pub(crate) enum MailboxCommand {
    /// List the mailboxes of an account: what they hold, and what they are for
    Folders {
        #[command(flatten)]
        owner: OwnerArgs,
    },
    /// List the messages of a mailbox
    List {
        #[command(flatten)]
        mailbox: MailboxArg,
        /// Only the newest so many
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one message
    Show {
        /// Its number in the list
        #[arg(value_name = "N")]
        uid: u32,
        #[command(flatten)]
        mailbox: MailboxArg,
        /// As JSON
        #[arg(long, conflicts_with = "raw")]
        json: bool,
        /// Every octet as it is stored
        #[arg(long)]
        raw: bool,
    },
    /// List the messages that hold a text
    Search {
        #[command(flatten)]
        what: SearchArgs,
        #[command(flatten)]
        mailbox: MailboxArg,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Copy messages into another mailbox of the account
    Copy(TransferArgs),
    /// Move messages into another mailbox of the account
    Move(TransferArgs),
    /// Remove messages; `restore` brings them back for some days
    Remove {
        /// Their numbers in the list
        #[arg(value_name = "N", required = true)]
        uids: Vec<u32>,
        #[command(flatten)]
        mailbox: MailboxArg,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// List what was removed, or bring it back into the mailboxes that it was in
    Restore {
        /// What is to come back, as the list names it; without any, this is the list
        #[arg(value_name = "ID", conflicts_with = "all")]
        ids: Vec<String>,
        /// All that there is
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        owner: OwnerArgs,
    },
    /// Make a mailbox, and those above it
    Create {
        /// Its name, with / between levels
        #[arg(value_name = "NAME")]
        name: String,
        /// What it is for: archive, drafts, important, junk, sent or trash
        #[arg(long = "for", value_name = "USE")]
        special_use: Option<SpecialUse>,
        #[command(flatten)]
        owner: OwnerArgs,
    },
    /// Give a mailbox another name, and so those below it
    Rename {
        /// As it is called
        #[arg(value_name = "FROM")]
        from: String,
        /// As it is to be called
        #[arg(value_name = "TO")]
        to: String,
        #[command(flatten)]
        owner: OwnerArgs,
    },
    /// Remove a mailbox with its messages; `restore` brings those back for some days
    Delete {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        owner: OwnerArgs,
    },
}
