//! SPF: whether a host may send for a domain (RFC 7208; RFC 8616 §4 for addresses that are not ASCII).
//!
//! [`check_host`] is the function of RFC 7208 §4. The engine is our own: it asks the DNS through [`Names`] alone,
//! counts what RFC 7208 §4.6.4 limits, the void lookups too, and keeps which terms it walked through.
//!
//! [`survey`] walks through all branches instead, for people who ask what a record lets in and costs.
//!
//! Limits: [`LOOKUP_TERMS_MAX`], [`VOID_LOOKUPS_MAX`], [`ADDRESS_LOOKUPS_MAX`], [`RECORD_BYTES_MAX`],
//! [`EXPLANATION_BYTES_MAX`]. The limit of time is the caller's, who answers `temperror` when it is over.

mod check;
mod macros;
mod record;
mod survey;
mod walk;

use std::fmt;
use std::net::IpAddr;

use types::Timestamp;
use types::dns::DnsTrouble;

pub use check::check_host;
pub use survey::{Branch, SURVEY_DEPTH_MAX, SURVEY_TERMS_MAX, Survey, Term, TermKind, survey};

use crate::Names;

/// Terms that ask the DNS, in one evaluation (RFC 7208 §4.6.4).
pub const LOOKUP_TERMS_MAX: u32 = 10;
/// Answers without a record, in one evaluation (RFC 7208 §4.6.4 recommends two).
pub const VOID_LOOKUPS_MAX: u32 = 2;
/// Hosts whose addresses are asked for, for one `mx`, `ptr` or `%{p}` (RFC 7208 §4.6.4).
pub const ADDRESS_LOOKUPS_MAX: usize = 10;
/// A longer record is an error: RFC 7208 §3.4 recommends that an answer fits 512 octets.
pub const RECORD_BYTES_MAX: usize = 16 * 1024;
/// A longer explanation is cut (RFC 7208 §6.2): it is to stand in a reply.
pub const EXPLANATION_BYTES_MAX: usize = 400;

/// Who connected, as far as SPF asks.
#[derive(Debug, Clone, Copy)]
pub struct Client<'a> {
    /// Where the connection came from. An IPv4 address in IPv6 clothes counts as the IPv4 address.
    pub ip: IpAddr,
    /// What the last HELO or EHLO said, with A-labels: a name, an address literal or anything else.
    pub helo: &'a str,
    /// This server's name, for explanations (`%{r}`).
    pub receiver: &'a str,
    /// For explanations (`%{t}`).
    pub now: Timestamp,
}

/// Which name is checked (RFC 7208 §2.3 and §2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity<'a> {
    /// The name of HELO or EHLO.
    Helo,
    /// The reverse-path without angle brackets, its domain with A-labels. Empty means `postmaster` at the name of HELO.
    MailFrom(&'a str),
}

/// The results of RFC 7208 §2.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SpfResult {
    /// The domain says nothing, or there is no domain to ask.
    None,
    /// The domain says that it says nothing.
    Neutral,
    /// The host may send for the domain.
    Pass,
    /// It may not.
    Fail,
    /// It probably may not.
    SoftFail,
    /// The DNS does not answer now.
    TempError,
    /// What the domain publishes makes no sense.
    PermError,
}

/// What came out of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The result.
    pub result: SpfResult,
    /// The domain that was checked, as it was given.
    pub domain: String,
    /// Why, where the result is an error.
    pub problem: Option<SpfProblem>,
    /// The directive of the domain's own record that decided, as written there. None where none matched.
    pub mechanism: Option<String>,
    /// What the domain wants to be told to whoever was refused: printable ASCII, of a third party (RFC 7208 §6.2).
    pub explanation: Option<String>,
    /// The terms that asked the DNS or matched, in the order of evaluation.
    pub walked: Vec<Walked>,
    /// How many terms asked the DNS, of [`LOOKUP_TERMS_MAX`].
    pub lookup_terms: u32,
    /// How many answers were empty, of [`VOID_LOOKUPS_MAX`].
    pub void_lookups: u32,
}

/// One term on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walked {
    /// How many `include`s lead here.
    pub depth: u32,
    /// Whose record it stands in.
    pub domain: String,
    /// As written there.
    pub term: String,
    /// Whether it matched. A `redirect` that is followed counts as a match.
    pub is_match: bool,
}

/// Why there is no verdict. The text is for the domain's postmaster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpfProblem {
    /// No answer of the DNS; the result is `temperror`.
    #[error("no answer for {name}: {trouble}")]
    NoAnswer {
        /// What was asked for.
        name: String,
        /// Why there was no answer.
        trouble: DnsTrouble,
    },
    /// More than one record that begins with `v=spf1` (§4.5).
    #[error("{domain} has more than one SPF record")]
    SeveralRecords {
        /// Whose.
        domain: String,
    },
    /// Longer than [`RECORD_BYTES_MAX`].
    #[error("the SPF record of {domain} is too long")]
    RecordTooLong {
        /// Whose.
        domain: String,
    },
    /// A term that is none (§4.6.1).
    #[error("the SPF record of {domain} has a term that makes no sense: {term}")]
    Syntax {
        /// Whose record.
        domain: String,
        /// The term, as written, printable and cut.
        term: String,
    },
    /// What `include` or `redirect` names has no record (§5.2, §6.1).
    #[error("the SPF record of {domain} leads to {target}, which has no SPF record")]
    NoSuchRecord {
        /// Whose record.
        domain: String,
        /// What it names.
        target: String,
    },
    /// More than [`LOOKUP_TERMS_MAX`] (§4.6.4).
    #[error("evaluation of the SPF record takes more than 10 terms that ask the DNS")]
    TooManyLookups,
    /// More than [`VOID_LOOKUPS_MAX`] (§4.6.4).
    #[error("the SPF record leads to more than 2 names that do not exist or have no such record")]
    TooManyVoidLookups,
    /// More than [`ADDRESS_LOOKUPS_MAX`] (§4.6.4).
    #[error("{domain}, which the SPF record asks for its mail hosts, has more than 10")]
    TooManyMailHosts {
        /// Whose hosts.
        domain: String,
    },
}

impl SpfProblem {
    /// The result that it makes.
    #[must_use]
    pub const fn result(&self) -> SpfResult {
        match self {
            Self::NoAnswer { .. } => SpfResult::TempError,
            _ => SpfResult::PermError,
        }
    }
}

impl SpfResult {
    /// As it stands in header fields (RFC 7208 §9.1, RFC 8601 §2.7.2).
    #[must_use]
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Neutral => "neutral",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::SoftFail => "softfail",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

impl fmt::Display for SpfResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.keyword())
    }
}
