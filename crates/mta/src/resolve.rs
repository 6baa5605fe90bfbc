//! Where an address leads: to accounts, to lists, to other hosts, or nowhere.
//!
//! A [`Resolver`] says what it wants to know next; whoever holds the directory tells it, until it wants nothing more:
//!
//! ```text
//! let mut resolver = Resolver::new(&forward_path, local);
//! while let Some(lookup) = resolver.wanted() {
//!     let found = /* ask the directory */;
//!     resolver.supply(found);
//! }
//! let resolution = resolver.finish();
//! ```
//!
//! An address of a local domain that this host has written in the place of a sender's ([`crate::srs`]) leads back to that, or
//! nowhere. Any other leads to what stands first in this order:
//!
//! 1. the account of this very name, else the entry of this very address;
//! 2. without its subaddress, the account, else the entry, unless that is a list, which has no subaddresses;
//! 3. the owner of a list, for `NAME-owner`, `NAME-request` and `NAME-bounces`;
//! 4. for `postmaster` and `abuse`, which must be reachable (RFC 5321 §4.5.1, RFC 2142): for `abuse` the postmaster of
//!    its domain, for a postmaster that of this host, for that the account that was made first;
//! 5. the domain's catch-all;
//! 6. where nothing may leave the machine, the account that was made first;
//! 7. nowhere.
//!
//! Aliases lead to several addresses and through one another. An address that comes up again on its own way is a
//! loop; one that comes up twice on different ways is delivered to once (RFC 5321 §3.9). Depth and number of addresses
//! have named limits.

mod search;
#[cfg(test)]
mod tests;

pub use search::Resolver;

use std::fmt::Write as _;
use std::net::IpAddr;

use types::directory::{AddressEntry, DomainEntry, MailingList, MovedHandling};
use types::{Domain, Mailbox, Timestamp};

use crate::srs::{Srs, SrsProblem};

/// What is the same for all addresses.
#[derive(Debug, Clone, Copy)]
pub struct Local<'a> {
    /// This host, whose name always is a local domain: `<Postmaster>` without a domain is there.
    pub host_name: &'a Domain,
    /// Its IP addresses: `user@[192.0.2.1]` is `user@` this host (RFC 5321 §4.1.3).
    pub addresses: &'a [IpAddr],
    /// The account that stands in for a postmaster that nobody else is: the one that was made first.
    pub fallback_account: Option<&'a str>,
    /// What becomes of addresses that lead nowhere or elsewhere.
    pub everything_else: EverythingElse,
    /// What reads addresses that this host has written in the place of senders', and the time; none where it writes none.
    pub srs: Option<(&'a Srs, Timestamp)>,
}

/// What becomes of addresses that lead nowhere or elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EverythingElse {
    /// They are unknown, or foreign.
    Refused,
    /// Mail for each of them, of any domain, goes to the fallback account: nothing leaves the machine.
    ToFallbackAccount,
    /// They are foreign, each by itself: of a domain that nobody made, accounts, aliases and lists are here and all
    /// else is elsewhere. For a development server beside the real one.
    Relayed,
}

/// What the resolver wants to know next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup<'a> {
    /// The domain's entry.
    Domain(&'a Domain),
    /// The account of this name.
    Account(&'a str),
    /// The entry of this address.
    Address(&'a Mailbox),
}

/// What was found: the answer to the last [`Lookup`], of the same kind. `A` is what the caller knows of an account.
#[derive(Debug, Clone)]
pub enum Found<A> {
    /// A domain, or none.
    Domain(Option<DomainEntry>),
    /// An account, or none.
    Account(Option<A>),
    /// An entry, or none.
    Address(Option<AddressEntry>),
}

/// Where an address leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution<A> {
    /// What the address itself is.
    pub addressed: Addressed,
    /// Where it leads, each target once.
    pub targets: Vec<Target<A>>,
    /// Where ways ended that lead nowhere.
    pub dead_ends: Vec<DeadEnd>,
}

/// What the address itself is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addressed {
    /// In a domain that is not ours.
    Foreign,
    /// An account, an alias, a list, or somebody whom a catch-all stands for.
    Local,
    /// The postmaster or abuse desk of a domain of ours, whoever that is.
    Role,
    /// The owner of a list, by one of the list's own addresses.
    ListHelper {
        /// The member whose copy bounced, where the address says so (VERP).
        bounced_member: Option<Mailbox>,
    },
    /// Somebody who is elsewhere now.
    Moved {
        /// The new address.
        to: Mailbox,
        /// Whether mail is sent on.
        handling: MovedHandling,
    },
    /// What stands for the sender of a message that this host has sent on: the way back for its bounces.
    WayBack {
        /// Why it leads nowhere.
        problem: Option<SrsProblem>,
    },
    /// Nobody.
    Missing,
}

/// One end of the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target<A> {
    /// What it is.
    pub leads_to: LeadsTo<A>,
    /// How the address led here: itself first, the target's address last.
    pub path: Vec<PathStep>,
}

/// What an address leads to in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeadsTo<A> {
    /// A mailbox here.
    Account {
        /// Its name.
        name: String,
        /// What the caller knows of it.
        account: A,
        /// What stood behind the separator, where a subaddress led here (RFC 5233).
        detail: Option<String>,
    },
    /// A list, whose members [`Resolver::of_members`] finds.
    List {
        /// Its address.
        address: Mailbox,
        /// Its entry.
        list: Box<MailingList>,
    },
    /// An address at another host.
    Foreign(Mailbox),
}

/// An address on the way, and why the way came by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathStep {
    /// The address.
    pub address: Mailbox,
    /// Why the way came by it.
    pub by: By,
}

/// Why a way comes by an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The mail is addressed to it.
    Addressed,
    /// An alias names it.
    Alias,
    /// It is the address without its subaddress.
    Subaddress,
    /// It is where somebody moved to.
    Moved,
    /// It is the owner of the list.
    ListHelper,
    /// It is a member of the list.
    Member,
    /// It stands in for the postmaster or the abuse desk.
    Role,
    /// It is the catch-all of the domain, or of all domains.
    CatchAll,
    /// It is the sender that the address was written for.
    WayBack,
}

/// The end of a way that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadEnd {
    /// Why.
    pub why: DeadEndReason,
    /// How the address led here.
    pub path: Vec<PathStep>,
}

/// Why a way leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeadEndReason {
    /// Nobody has this address.
    Missing,
    /// Who had it moved, and mail is not sent on.
    Moved,
    /// The address was on its own way before, or a list's owner is the list.
    Loop,
    /// Over [`DEPTH_MAX`].
    TooDeep,
    /// Over [`TARGETS_MAX`] or [`MEMBERS_MAX`]: nothing of the rest was looked at.
    TooMany,
}

/// Addresses on one way.
pub const DEPTH_MAX: usize = 10;
/// Addresses that one address may lead to, those on the way among them.
pub const TARGETS_MAX: usize = 1000;
/// Addresses that the members of one list may lead to.
pub const MEMBERS_MAX: usize = 100_000;

impl<A> Resolution<A> {
    /// The accounts that it leads to.
    pub fn accounts(&self) -> impl Iterator<Item = &A> {
        self.targets.iter().filter_map(|target| match &target.leads_to {
            LeadsTo::Account { account, .. } => Some(account),
            LeadsTo::List { .. } | LeadsTo::Foreign(_) => None,
        })
    }

    /// The lists that it leads to.
    pub fn lists(&self) -> impl Iterator<Item = (&Mailbox, &MailingList)> {
        self.targets.iter().filter_map(|target| match &target.leads_to {
            LeadsTo::List { address, list } => Some((address, &**list)),
            LeadsTo::Account { .. } | LeadsTo::Foreign(_) => None,
        })
    }

    /// The addresses at other hosts that it leads to.
    pub fn foreign(&self) -> impl Iterator<Item = &Mailbox> {
        self.targets.iter().filter_map(|target| match &target.leads_to {
            LeadsTo::Foreign(mailbox) => Some(mailbox),
            LeadsTo::Account { .. } | LeadsTo::List { .. } => None,
        })
    }

    /// Whether a way ended for this reason.
    #[must_use]
    pub fn has_dead_end(&self, why: DeadEndReason) -> bool {
        self.dead_ends.iter().any(|dead_end| dead_end.why == why)
    }
}

impl By {
    const fn word(self) -> &'static str {
        match self {
            Self::Addressed => "",
            Self::Alias => "alias",
            Self::Subaddress => "subaddress",
            Self::Moved => "moved",
            Self::ListHelper => "list owner",
            Self::Member => "member",
            Self::Role => "role",
            Self::CatchAll => "catch-all",
            Self::WayBack => "way back",
        }
    }
}

/// A way as the trace tells it: `sales@example.org → ada@example.org (alias)`.
#[must_use]
pub fn in_words(path: &[PathStep]) -> String {
    let mut out = String::new();
    for step in path {
        // Writing to a String cannot fail.
        let _ = match step.by {
            By::Addressed => write!(out, "{}", step.address),
            by => write!(out, " → {} ({})", step.address, by.word()),
        };
    }
    out
}
