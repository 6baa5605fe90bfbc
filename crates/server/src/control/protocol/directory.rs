//! Requests about the directory: domains, accounts, passwords, aliases, moved users and mailing lists.
//!
//! Names and addresses are text here, as a person wrote them; whoever answers reads them, so that the command
//! line and the server say the same about a wrong one. What is listed comes in pages in the order of names
//! (accounts: in the order in which they were made): ask again with the last name as `after` until an empty
//! page comes.

use serde::{Deserialize, Serialize};
use types::directory::{DkimAlgorithm, Expandable, FromRewriting, ListBounces, MovedHandling};

use super::MailboxSummary;
use super::dkim::{DkimKeySummary, LastActive, RotateWhen};
use super::values::{Password, PutMode, Setting, SharedSecret, WhileUsed, WithMail};

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
    /// A page of keys of DKIM by domain and selector: [`DirectoryResponse::DkimKeys`].
    DkimKeys {
        /// Those of one domain; none means of all.
        domain: Option<String>,
        /// Only those behind this [`DkimKeySummary::record_name`].
        after: Option<String>,
    },
    /// One key: [`DirectoryResponse::DkimKeys`] with one.
    DkimKey {
        /// Whose.
        domain: String,
        /// Which.
        selector: String,
    },
    /// Makes keys that follow those that sign: [`DirectoryResponse::DkimRotated`].
    DkimRotate {
        /// Whose.
        domain: String,
        /// Of which kind; none means of each.
        algorithm: Option<DkimAlgorithm>,
        /// When they sign.
        when: RotateWhen,
    },
    /// Takes a key that another program has signed with: [`DirectoryResponse::DkimRotated`].
    DkimImport {
        /// Whose.
        domain: String,
        /// Where its record is.
        selector: String,
        /// The private key in PEM.
        key: Password,
    },
    /// Removes a key: [`DirectoryResponse::Changed`].
    DkimRemove {
        /// Whose.
        domain: String,
        /// Which.
        selector: String,
        /// Where nothing else signs for the domain.
        last: LastActive,
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
    /// By domain and selector.
    DkimKeys(Vec<DkimKeySummary>),
    /// It was done, durably.
    DkimRotated {
        /// Keys that were made, or sign or wait now because of it.
        keys: Vec<DkimKeySummary>,
        /// What does not hold together now, with its mend.
        warnings: Vec<String>,
    },
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
    /// Whether its copies show it as their author.
    pub from: Option<FromRewriting>,
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
    /// Keys with which its mail is signed.
    #[serde(default)]
    pub dkim_active: usize,
    /// Keys whose records are to be published.
    #[serde(default)]
    pub dkim_next: usize,
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
        /// Whether its copies show it as their author.
        #[serde(default)]
        from: FromRewriting,
    },
}
