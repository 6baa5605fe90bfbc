//! What the DNS says, as those who decide want to know it.
//!
//! Standards: RFC 1035 and RFC 2308 (no such name and no such data are two answers), RFC 4033 §5 (proven, unsigned and
//! false answers), RFC 2782 (SRV), RFC 6698 (TLSA). Left out on purpose: asking, which is `net::dns`.

use crate::Domain;

/// What the DNS said to one question, aliases followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup<R> {
    /// Records, at least one.
    Records {
        /// In the order of the resolver.
        records: Vec<R>,
        /// Where a CNAME led to.
        alias_of: Option<Domain>,
        /// Whether DNSSEC proves all of it.
        validation: Validation,
    },
    /// The name is there, and has no such record.
    NoData {
        /// Where a CNAME led to.
        alias_of: Option<Domain>,
    },
    /// There is no such name (NXDOMAIN).
    NoSuchName,
    /// No answer now.
    Trouble(DnsTrouble),
}

impl<R> Lookup<R> {
    /// The same answer with something else for each record.
    pub fn map<T>(self, of: impl FnMut(R) -> T) -> Lookup<T> {
        match self {
            Self::Records { records, alias_of, validation } => {
                Lookup::Records { records: records.into_iter().map(of).collect(), alias_of, validation }
            }
            Self::NoData { alias_of } => Lookup::NoData { alias_of },
            Self::NoSuchName => Lookup::NoSuchName,
            Self::Trouble(trouble) => Lookup::Trouble(trouble),
        }
    }

    /// The records; empty where there are none, and where that is not known.
    #[must_use]
    pub fn into_records(self) -> Vec<R> {
        match self {
            Self::Records { records, .. } => records,
            Self::NoData { .. } | Self::NoSuchName | Self::Trouble(_) => Vec::new(),
        }
    }
}

/// An MX record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MxRecord {
    /// Lower is better.
    pub preference: u16,
    /// As DNS software writes it, a dot at the end or not; empty or `.` for the root.
    pub exchange: String,
}

/// An SRV record (RFC 2782).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SrvRecord {
    /// Lower is better.
    pub priority: u16,
    /// A share among those of one priority.
    pub weight: u16,
    /// Of the service at the target.
    pub port: u16,
    /// As DNS software writes it, a dot at the end or not; empty or `.` where the service is not there.
    pub target: String,
}

/// A TLSA record (RFC 6698 §2.1), as the DNS holds it: which numbers mean something is for those who use it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TlsaRecord {
    /// Which certificate of the chain is meant, and whether the public authorities matter too (§2.1.1).
    pub usage: u8,
    /// The whole certificate, or its public key (§2.1.2).
    pub selector: u8,
    /// As it is, or which hash of it (§2.1.3).
    pub matching: u8,
    /// What is compared (§2.1.4).
    pub data: Vec<u8>,
}

/// What DNSSEC says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validation {
    /// Proven.
    Secure,
    /// Not signed, or not validated.
    Insecure,
}

/// Why there is no answer now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DnsTrouble {
    /// SERVFAIL, REFUSED and the like.
    #[error("the name servers of the domain fail")]
    ServerFailure,
    /// Nobody answered.
    #[error("the name servers of the domain do not answer")]
    TimedOut,
    /// DNSSEC disproves it. It counts as no answer, never as an unsigned one.
    #[error("the answer of the name servers does not agree with its signature")]
    Bogus,
    /// What came cannot be read, or is larger than any honest answer.
    #[error("the answer of the name servers makes no sense")]
    Malformed,
}
