//! Requests about the directory: domains, accounts, passwords, aliases, moved users and mailing lists.
//!
//! Names and addresses are text here, as a person wrote them; whoever answers reads them, so that the command
//! line and the server say the same about a wrong one. What is listed comes in pages in the order of names
//! (accounts: in the order in which they were made): ask again with the last name as `after` until an empty
//! page comes.

use std::fmt;

use serde::{Deserialize, Serialize};
use types::directory::{Expandable, ListBounces, MovedHandling};

use super::MailboxSummary;

/// What may be asked about the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum DirectoryRequest {
    /// A page of domains: [`DirectoryResponse::Domains`].
    Domains {
        /// Only those behind this one.
        after: Option<String>,
    },
    /// One domain: [`DirectoryResponse::Domain`].
    Domain {
        /// Which.
        domain: String,
    },
    /// Makes or changes a domain: [`DirectoryResponse::Changed`].
    DomainPut {
        /// Whether it is there already.
        put: PutMode,
        /// Which.
        domain: String,
        /// What of it.
        change: DomainChange,
    },
    /// Removes a domain: [`DirectoryResponse::Changed`].
    DomainRemove {
        /// Which.
        domain: String,
        /// Where accounts and addresses still bear its name.
        used: WhileUsed,
    },
    /// One account: [`DirectoryResponse::Account`].
    Account {
        /// Whose.
        account: String,
    },
    /// Makes an account: [`DirectoryResponse::Changed`].
    AccountAdd {
        /// An address.
        account: String,
        /// In clear text; it is hashed by whoever answers.
        password: Password,
        /// Whether the secret that CRAM-MD5 and APOP need is kept.
        shared_secret: SharedSecret,
        /// Where it differs from an account with nothing special.
        change: AccountChange,
    },
    /// Changes rights and limits of an account: [`DirectoryResponse::Changed`].
    AccountSet {
        /// Whose.
        account: String,
        /// What of it.
        change: AccountChange,
    },
    /// Removes an account with its mailboxes: [`DirectoryResponse::Changed`].
    AccountRemove {
        /// Whose.
        account: String,
        /// Where it has mail.
        mail: WithMail,
    },
    /// Sets a password: [`DirectoryResponse::Changed`].
    PasswordSet {
        /// Whose.
        account: String,
        /// In clear text; none leaves the password as it is, which goes with [`SharedSecret::Forbid`] alone.
        password: Option<Password>,
        /// Whether the secret that CRAM-MD5 and APOP need is kept.
        shared_secret: SharedSecret,
    },
    /// Makes a password for one program: [`DirectoryResponse::AppPassword`].
    AppPasswordAdd {
        /// Whose.
        account: String,
        /// What it is called.
        label: String,
    },
    /// Takes such a password back: [`DirectoryResponse::Changed`].
    AppPasswordRevoke {
        /// Whose.
        account: String,
        /// Which.
        label: String,
    },
    /// A page of aliases, moved users and lists: [`DirectoryResponse::Addresses`].
    Addresses {
        /// Which of them.
        kind: AddressFilter,
        /// Only those behind this one.
        after: Option<String>,
    },
    /// An alias, a moved user or a list: [`DirectoryResponse::Address`].
    Address {
        /// Which.
        address: String,
        /// As what.
        kind: AddressFilter,
    },
    /// Makes or replaces an alias: [`DirectoryResponse::Changed`].
    AliasPut {
        /// Whether it is there already.
        put: PutMode,
        /// Which.
        address: String,
        /// Where mail to it goes.
        targets: Vec<String>,
    },
    /// Says that a user has moved: [`DirectoryResponse::Changed`].
    MovedPut {
        /// Whether it is there already.
        put: PutMode,
        /// The old address.
        address: String,
        /// The new one.
        to: String,
        /// What senders are told.
        handling: MovedHandling,
    },
    /// Makes or changes a list: [`DirectoryResponse::Changed`].
    ListPut {
        /// Whether it is there already.
        put: PutMode,
        /// Which.
        address: String,
        /// What of it.
        change: ListChange,
    },
    /// A page of the members of a list: [`DirectoryResponse::Members`].
    Members {
        /// Which list.
        list: String,
        /// Only those behind this one, in the order in which they joined.
        after: Option<String>,
    },
    /// Changes who is in a list, all or nothing: [`DirectoryResponse::MembersChanged`].
    MembersChange {
        /// Which list.
        list: String,
        /// These join.
        add: Vec<String>,
        /// These leave.
        remove: Vec<String>,
    },
    /// Removes an alias, a moved user or a list: [`DirectoryResponse::Changed`].
    AddressRemove {
        /// Which.
        address: String,
        /// As what.
        kind: AddressFilter,
    },
}

/// What is answered about the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DirectoryResponse {
    /// It was done, durably.
    Changed {
        /// The name in its one form.
        name: String,
        /// What does not hold together now, with its mend.
        warnings: Vec<String>,
    },
    /// By name.
    Domains(Vec<DomainSummary>),
    /// One.
    Domain(DomainSummary),
    /// One, with everything.
    Account(Box<AccountDetail>),
    /// It was made; nobody can read it again.
    AppPassword {
        /// Whose.
        name: String,
        /// In clear text.
        password: Password,
    },
    /// By address.
    Addresses(Vec<AddressSummary>),
    /// One.
    Address(AddressSummary),
    /// In the order in which they joined.
    Members(Vec<String>),
    /// It was done, durably.
    MembersChanged {
        /// The list in its one form.
        name: String,
        /// Who joined or left.
        changed: usize,
        /// Who had joined or left before.
        unchanged: usize,
        /// The first of those.
        unchanged_first: Vec<String>,
        /// How many are in it now.
        member_count: usize,
        /// What does not hold together now, with its mend.
        warnings: Vec<String>,
    },
}

/// A password that no log line shows.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Password(String);

impl Password {
    /// From clear text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The clear text.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// What a change does with a value that may be absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting<T> {
    /// It stays.
    #[default]
    Keep,
    /// There is none from now on.
    Clear,
    /// It is this from now on.
    To(T),
}

impl<T> Setting<T> {
    /// Changes `value`.
    pub(crate) fn apply(self, value: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Clear => *value = None,
            Self::To(new) => *value = Some(new),
        }
    }

    /// The same with a value that was read.
    pub(crate) fn try_map<U, E>(self, read: impl FnOnce(T) -> Result<U, E>) -> Result<Setting<U>, E> {
        Ok(match self {
            Self::Keep => Setting::Keep,
            Self::Clear => Setting::Clear,
            Self::To(value) => Setting::To(read(value)?),
        })
    }
}

/// Whether something is made or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PutMode {
    /// It must not be there.
    New,
    /// It must be there.
    Replace,
}

/// Whether a domain goes although something bears its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhileUsed {
    /// No.
    #[default]
    Refuse,
    /// Yes; accounts and addresses stay.
    Allow,
}

/// Whether an account goes although it has mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WithMail {
    /// No.
    #[default]
    Refuse,
    /// Yes, and the mail with it.
    Remove,
}

/// What becomes of the secret that CRAM-MD5 (RFC 2195) and APOP (RFC 1939 §7) need in a form from which the
/// password can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SharedSecret {
    /// It stays where there is one, with the new password.
    #[default]
    Keep,
    /// It is kept from now on.
    Allow,
    /// It is dropped.
    Forbid,
}

/// Which entries are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AddressFilter {
    /// All.
    #[default]
    Any,
    /// Aliases and moved users.
    Alias,
    /// Mailing lists.
    List,
}

/// Changes of a domain.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DomainChange {
    /// Where mail to unknown addresses goes.
    pub catch_all: Setting<String>,
    /// What stands between user and tag in `user+tag@…`.
    pub subaddress_separator: Setting<char>,
}

/// Changes of an account.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AccountChange {
    /// Octets that it may keep.
    pub quota_bytes: Setting<u64>,
    /// The reason for which nobody logs in; none enables the account.
    pub disabled: Setting<String>,
    /// Rights to send as `ada@example.org`, `@example.org` or `*` that it gets.
    pub send_as_add: Vec<String>,
    /// Rights to send as that it loses.
    pub send_as_remove: Vec<String>,
    /// Messages that it may send in an hour; none means the server's default.
    pub messages_per_hour_max: Setting<u32>,
    /// Octets of a message that it may send.
    pub message_bytes_max: Setting<u64>,
    /// Recipients of a message that it may send.
    pub recipients_max: Setting<u32>,
    /// The tag of the language in which its owner is told things (BCP 47); none means the server's.
    pub language: Setting<String>,
}

/// Changes of a list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ListChange {
    /// Who answers for it; a new list needs one.
    pub owner: Option<String>,
    /// Who is in it, in the place of those who were.
    pub members: Option<Vec<String>>,
    /// Who may send to it.
    pub posters: Option<PosterRule>,
    /// Where bounces of its copies go.
    pub bounces: Option<ListBounces>,
    /// What it is about, in a line.
    pub description: Option<String>,
    /// Whom EXPN tells the members.
    pub expandable: Option<Expandable>,
}

/// Who may send to a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PosterRule {
    /// The world.
    Anyone,
    /// Who is in it, and its owner.
    Members,
    /// Its owner alone.
    Owner,
    /// These, and its owner.
    Listed(Vec<String>),
}

/// One domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainSummary {
    /// As it was made.
    pub domain: String,
    /// Where mail to unknown addresses goes.
    pub catch_all: Option<String>,
    /// What stands between user and tag.
    pub subaddress_separator: Option<char>,
    /// Accounts in it.
    pub accounts: usize,
    /// Aliases and moved users in it.
    pub aliases: usize,
    /// Lists in it.
    pub lists: usize,
}

/// One account, with everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountDetail {
    /// Its name, an address.
    pub name: String,
    /// Why nobody logs in, where it is disabled.
    pub disabled: Option<String>,
    /// Whether it has a password of its own, besides those for programs.
    pub has_password: bool,
    /// Whether the password goes for CRAM-MD5 and APOP.
    pub cram_md5: bool,
    /// In all its mailboxes.
    pub messages: u64,
    /// Octets of them.
    pub size_bytes: u64,
    /// Octets that it may keep.
    pub quota_bytes: Option<u64>,
    /// Messages that it may send in an hour; none means the server's default.
    pub messages_per_hour_max: Option<u32>,
    /// Octets of a message that it may send; none means the listener's limit.
    pub message_bytes_max: Option<u64>,
    /// Recipients of a message that it may send; none means the listener's limit.
    pub recipients_max: Option<u32>,
    /// The tag of the language in which its owner is told things (BCP 47); none means the server's.
    #[serde(default)]
    pub language: Option<String>,
    /// As whom it may send, besides its own name: `ada@example.org`, `@example.org`, `*`.
    pub send_as: Vec<String>,
    /// INBOX first.
    pub mailboxes: Vec<MailboxSummary>,
    /// In the order in which they were made.
    pub app_passwords: Vec<AppPasswordSummary>,
    /// Aliases, moved users and lists that lead straight to it.
    pub reached_by: Vec<String>,
    /// Domains whose mail to unknown addresses it gets.
    pub catch_all_of: Vec<String>,
}

/// A password for one program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppPasswordSummary {
    /// What it is called.
    pub label: String,
    /// In RFC 3339.
    pub created_at: String,
    /// In RFC 3339, to about an hour.
    pub last_used_at: Option<String>,
}

/// An alias, a moved user or a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressSummary {
    /// Its address.
    pub address: String,
    /// What it is.
    #[serde(flatten)]
    pub kind: AddressDetail,
}

/// What an [`AddressSummary`] is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum AddressDetail {
    /// Another name.
    Alias {
        /// Where mail to it goes.
        targets: Vec<String>,
    },
    /// A user who has moved.
    Moved {
        /// Where to.
        to: String,
        /// What senders are told.
        handling: MovedHandling,
    },
    /// A mailing list.
    List {
        /// Who answers for it.
        owner: String,
        /// How many are in it.
        member_count: usize,
        /// Who may send to it.
        posters: PosterRule,
        /// Where bounces of its copies go.
        bounces: ListBounces,
        /// What it is about.
        description: String,
        /// Whom EXPN tells the members.
        expandable: Expandable,
    },
}
