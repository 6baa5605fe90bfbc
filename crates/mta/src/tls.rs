//! Which TLS a host of the route must show before mail goes to it, and which hosts may not be used at all.
//!
//! Standards: RFC 7672 and RFC 7671 (DANE), RFC 8461 (MTA-STS), RFC 8689 (REQUIRETLS), RFC 7435 (opportunistic).
//!
//! What is found out elsewhere are the [`Facts`]: the operator's word, the TLSA records, the MTA-STS policy, the
//! sender's wish. [`decide`] makes one answer of them, in this order:
//!
//! 1. The operator's word, where it is about this destination: no TLS, or a certificate for the names given.
//! 2. DANE. A TLSA lookup that fails takes the host out for now (RFC 7672 §2.1.2). MTA-STS is never asked where DANE
//!    has records that can be used (RFC 8461 §2).
//! 3. MTA-STS in mode `enforce`: a host that is not listed is out, the others must show a certificate for their name.
//! 4. What the operator or the sender asks for at least.
//! 5. TLS where the server offers it.
//!
//! Left out on purpose: the handshake and the certificates themselves (`net::tls`), and one case of RFC 7672 §2.2.2:
//! a host whose name is a proven alias of a name in an unsigned zone is treated as unsigned.

#[cfg(test)]
mod tests;
mod tlsa;

pub use tlsa::{TLSA_RECORDS_MAX, usable};

use std::fmt;

use types::dns::{DnsTrouble, Lookup, TlsaRecord, Validation};
use types::{Domain, EnhancedStatus};

use crate::outcome::{Again, Diagnostic, Duplicate, Finding, Happening, Missing, Outcome, Step, judge};
use crate::route::{Found, Hop};

/// What the operator says of TLS to a destination.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TlsPolicy {
    /// In clear text, whatever the server offers.
    None,
    /// As much as the destination asks for by DANE or MTA-STS, and without that whatever the server offers.
    #[default]
    Opportunistic,
    /// TLS, with any certificate unless the destination asks for more.
    Required,
    /// TLS with a certificate that can be checked.
    Verified {
        /// Names of which the certificate must have one. Where they are empty it is DANE where there is such a thing,
        /// or else the host's own name if something proves it, or else the domain's.
        names: Vec<Domain>,
    },
    /// TLS by TLSA records, and no mail where there are none (RFC 7672 §6).
    Dane,
}

/// What is known of a host and of who wants mail brought there.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Of the operator.
    pub configured: &'a TlsPolicy,
    /// Whether the sender asks for TLS on the whole way (RFC 8689). To be left out where the reverse-path is null
    /// (RFC 8689 §4.2.1).
    pub require_tls: bool,
    /// The domain whose mail servers are asked: that of the recipient, or of a smart host. None for an address.
    pub next_hop: Option<&'a Domain>,
    /// Where the MX lookup of it followed a CNAME to.
    pub next_hop_alias: Option<&'a Domain>,
    /// The host.
    pub hop: &'a Hop,
    /// Its TLSA records; none where [`asks_for_tlsa`] says that they are not asked for, or DANE is switched off.
    pub tlsa: Option<Tlsa<'a>>,
    /// What the MTA-STS policy of `next_hop` says of the host; none where there is none, or none in force.
    pub sts: Option<Sts>,
}

/// What the DNS says of the TLSA records of a host.
#[derive(Debug, Clone, Copy)]
pub struct Tlsa<'a> {
    /// Of [`tlsa_bases`]: the first with proven records, or else the last one.
    pub base: &'a Domain,
    /// What it says.
    pub lookup: &'a Lookup<TlsaRecord>,
}

/// An MTA-STS policy as far as it is about one host (RFC 8461 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sts {
    /// What becomes of hosts that fail it.
    pub mode: StsMode,
    /// Whether it names this one.
    pub listing: Listing,
}

/// Modes of a policy that says something; `none` counts as no policy (RFC 8461 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StsMode {
    /// They get no mail.
    Enforce,
    /// They are told of in reports, and get mail.
    Testing,
}

/// Whether a policy names a host (RFC 8461 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// One of its patterns fits.
    Listed,
    /// None does.
    Unlisted,
}

/// Which TLS a connection needs before mail goes over it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HopTls {
    /// None.
    None,
    /// Where the server offers it, with any certificate; clear text where it does not, or where the handshake fails.
    Opportunistic,
    /// With any certificate.
    Required,
    /// With a certificate for one of these names that a public authority vouches for.
    Verified {
        /// At least one; the first is asked for in the handshake, unless the host has a name.
        names: Vec<Domain>,
    },
    /// With a certificate that the records tell (RFC 7672 §3).
    Dane {
        /// Only those that can be used, at least one.
        records: Vec<TlsaRecord>,
        /// For usage 2. The first is the TLSA base domain, which is asked for in the handshake (RFC 7671 §10.2).
        names: Vec<Domain>,
    },
}

/// Why it is this TLS, in plain words by [`fmt::Display`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The operator wants none.
    ConfiguredNone,
    /// The operator asks for it.
    ConfiguredRequired,
    /// The operator asks for a certificate that can be checked, for names of their own or not.
    ConfiguredVerified,
    /// TLSA records of this name.
    Dane(Domain),
    /// TLSA records of this name that nobody can use (RFC 7672 §2.2).
    TlsaUnusable(Domain),
    /// MTA-STS, mode `enforce`.
    StsEnforced,
    /// MTA-STS, mode `testing`.
    StsTesting(Listing),
    /// REQUIRETLS.
    RequireTls,
    /// Nobody asks for more.
    Opportunistic,
}

/// Why a host may not be used, now or for this message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HopRefused {
    /// RFC 7672 §2.1.2.
    #[error("whether the host has TLSA records cannot be found out: {0}")]
    TlsaLookup(DnsTrouble),
    /// RFC 7672 §6.
    #[error(
        "DANE is configured to be required for this destination, and the host has no TLSA records to use"
    )]
    DaneRequired,
    /// RFC 8461 §5.
    #[error("the MTA-STS policy of {0} is enforced and does not name this host")]
    NotListed(Domain),
    /// A certificate is to be checked, and there is nothing to check it by.
    #[error("a checked certificate is configured to be required, and there is no name to check it for")]
    NoName,
    /// RFC 8689 §4.2.1: nothing proves that this is a host of the destination, or TLS is not wanted here.
    #[error("the sender asks for TLS on the whole way, and nothing proves that this is the right host")]
    RequireTls,
}

/// Whether TLSA records of the host are to be looked up: only where DNSSEC proves the way to its addresses, since
/// servers of unsigned zones may fail at such questions (RFC 7672 §2.2.2).
#[must_use]
pub fn asks_for_tlsa(configured: &TlsPolicy, hop: &Hop) -> bool {
    let is_settled = match configured {
        TlsPolicy::None => true,
        TlsPolicy::Verified { names } => !names.is_empty(),
        TlsPolicy::Opportunistic | TlsPolicy::Required | TlsPolicy::Dane => false,
    };
    !is_settled && hop.name.is_some() && hop.validation == Validation::Secure
}

/// The names whose TLSA records are looked up one after the other, until one has proven records or cannot be asked
/// (RFC 7672 §2.2.3): what the host's name is an alias of, then the name itself.
#[must_use]
pub fn tlsa_bases(hop: &Hop) -> Vec<&Domain> {
    let expanded = hop.alias_of.as_ref().filter(|alias| hop.name.as_ref() != Some(*alias));
    expanded.into_iter().chain(&hop.name).collect()
}

/// Whether an answer ends the search among [`tlsa_bases`].
#[must_use]
pub const fn settles(lookup: &Lookup<TlsaRecord>) -> bool {
    match lookup {
        Lookup::Records { validation, .. } => matches!(validation, Validation::Secure),
        Lookup::Trouble(_) => true,
        Lookup::NoData { .. } | Lookup::NoSuchName => false,
    }
}

/// Which TLS the host must show, and why.
///
/// # Errors
/// Why it may not be used.
pub fn decide(facts: &Facts<'_>) -> Result<(HopTls, Why), HopRefused> {
    match facts.configured {
        TlsPolicy::None if facts.require_tls => return Err(HopRefused::RequireTls),
        TlsPolicy::None => return Ok((HopTls::None, Why::ConfiguredNone)),
        TlsPolicy::Verified { names } if !names.is_empty() => {
            return Ok((HopTls::Verified { names: names.clone() }, Why::ConfiguredVerified));
        }
        TlsPolicy::Verified { .. } | TlsPolicy::Opportunistic | TlsPolicy::Required | TlsPolicy::Dane => {}
    }
    let dane = dane(facts)?;
    if let Dane::Usable { base, records } = dane {
        if facts.require_tls && is_behind_alias(facts) {
            return Err(HopRefused::RequireTls);
        }
        if *facts.configured == TlsPolicy::Dane && is_behind_alias(facts) {
            return Err(HopRefused::DaneRequired);
        }
        let names = dane_names(base, facts);
        return Ok((HopTls::Dane { records, names }, Why::Dane(base.clone())));
    }
    if *facts.configured == TlsPolicy::Dane {
        return Err(HopRefused::DaneRequired);
    }
    if let (Some(Sts { mode: StsMode::Enforce, listing }), Some(domain)) = (facts.sts, facts.next_hop) {
        return match (listing, &facts.hop.name) {
            (Listing::Listed, Some(name)) => {
                Ok((HopTls::Verified { names: vec![name.clone()] }, Why::StsEnforced))
            }
            _ => Err(HopRefused::NotListed(domain.clone())),
        };
    }
    if facts.require_tls {
        // RFC 8689 §4.2.1: the host's name must be proven, and in the certificate.
        let name = proven_name(facts).ok_or(HopRefused::RequireTls)?;
        return Ok((HopTls::Verified { names: vec![name.clone()] }, Why::RequireTls));
    }
    match (facts.configured, dane, facts.sts) {
        (TlsPolicy::Verified { .. }, _, _) => {
            let names = verified_names(facts);
            if names.is_empty() {
                return Err(HopRefused::NoName);
            }
            Ok((HopTls::Verified { names }, Why::ConfiguredVerified))
        }
        (_, Dane::Unusable { base }, _) => Ok((HopTls::Required, Why::TlsaUnusable(base.clone()))),
        (TlsPolicy::Required, _, _) => Ok((HopTls::Required, Why::ConfiguredRequired)),
        (_, _, Some(sts)) => Ok((HopTls::Opportunistic, Why::StsTesting(sts.listing))),
        (_, _, None) => Ok((HopTls::Opportunistic, Why::Opportunistic)),
    }
}

/// What TLSA records come to (RFC 7672 §2.2).
enum Dane<'a> {
    Usable { base: &'a Domain, records: Vec<TlsaRecord> },
    Unusable { base: &'a Domain },
    Absent,
}

fn dane<'a>(facts: &Facts<'a>) -> Result<Dane<'a>, HopRefused> {
    let Some(Tlsa { base, lookup }) = facts.tlsa else { return Ok(Dane::Absent) };
    match lookup {
        Lookup::Trouble(trouble) => Err(HopRefused::TlsaLookup(*trouble)),
        Lookup::Records { records, validation: Validation::Secure, .. }
            if facts.hop.validation == Validation::Secure && !records.is_empty() =>
        {
            let records = usable(records);
            Ok(if records.is_empty() { Dane::Unusable { base } } else { Dane::Usable { base, records } })
        }
        Lookup::Records { .. } | Lookup::NoData { .. } | Lookup::NoSuchName => Ok(Dane::Absent),
    }
}

/// RFC 7672 §3.2.2: the TLSA base domain, then the domain that the mail is for, then what that is an alias of.
fn dane_names(base: &Domain, facts: &Facts<'_>) -> Vec<Domain> {
    let mut names = vec![base.clone()];
    for name in [facts.next_hop, facts.next_hop_alias].into_iter().flatten() {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// The host's name, where something other than an unsigned MX record says that it is a host of the destination:
/// DNSSEC, MTA-STS, the operator, or the destination itself being the host (RFC 7672 §1.3.2, RFC 8689 §4.2.1).
fn proven_name<'a>(facts: &Facts<'a>) -> Option<&'a Domain> {
    let is_proven = match facts.hop.found {
        Found::Mx { .. } => {
            facts.hop.validation == Validation::Secure
                || facts.sts.is_some_and(|sts| sts.listing == Listing::Listed)
        }
        Found::ImplicitMx => !is_behind_alias(facts),
        Found::Configured => true,
        Found::Literal => false,
    };
    facts.hop.name.as_ref().filter(|_| is_proven)
}

/// Whether the host is what a domain without MX records is an alias of. Nothing tells then whether the alias itself is
/// proven: enough for DANE that nobody asked for, not for DANE that is required (RFC 7672 §2.2.1, §6).
fn is_behind_alias(facts: &Facts<'_>) -> bool {
    facts.hop.found == Found::ImplicitMx && facts.hop.name.as_ref() != facts.next_hop
}

fn verified_names(facts: &Facts<'_>) -> Vec<Domain> {
    let proven = proven_name(facts);
    let domain = facts.next_hop.filter(|domain| proven != Some(*domain));
    proven.into_iter().chain(domain).cloned().collect()
}

impl HopTls {
    /// Whether mail may go in clear text where the server offers no TLS, or the handshake fails.
    #[must_use]
    pub const fn allows_clear_text(&self) -> bool {
        matches!(self, Self::None | Self::Opportunistic)
    }

    /// Whether the handshake proves who the server is.
    #[must_use]
    pub const fn authenticates(&self) -> bool {
        matches!(self, Self::Verified { .. } | Self::Dane { .. })
    }
}

impl HopRefused {
    /// For reports (RFC 3463).
    #[must_use]
    pub const fn status(&self) -> EnhancedStatus {
        match self {
            Self::TlsaLookup(DnsTrouble::Bogus) => EnhancedStatus::transient(7, 0),
            Self::TlsaLookup(_) => EnhancedStatus::transient(4, 3),
            Self::DaneRequired | Self::NotListed(_) | Self::NoName => EnhancedStatus::transient(7, 5),
            Self::RequireTls => EnhancedStatus::permanent(7, 10),
        }
    }

    /// What it means for the recipient, as far as this host goes. A policy that fails today may be mended tomorrow
    /// (RFC 8461 §5); only what the sender asks for is final (RFC 8689 §4.2.1).
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        if *self == Self::RequireTls {
            return judge(Step::Connect, &Happening::Missing(Missing::TrustedTls));
        }
        let finding = Finding { status: self.status(), diagnostic: Diagnostic::Local(self.to_string()) };
        Outcome::Deferred { finding, again: Again::NextHost, duplicate: Duplicate::Impossible }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConfiguredNone => f.write_str("the configuration asks for no TLS to this destination"),
            Self::ConfiguredRequired => f.write_str("the configuration asks for TLS, with any certificate"),
            Self::ConfiguredVerified => {
                f.write_str("the configuration asks for TLS with a certificate that can be checked")
            }
            Self::Dane(base) => {
                write!(f, "the DNS proves which certificates {base} has (DANE)")
            }
            Self::TlsaUnusable(base) => {
                write!(f, "{base} has TLSA records, and none that can be used: TLS with any certificate")
            }
            Self::StsEnforced => {
                f.write_str("the MTA-STS policy of the domain asks for a certificate that can be checked")
            }
            Self::StsTesting(Listing::Listed) => {
                f.write_str("the MTA-STS policy of the domain is only tested: TLS where the server offers it")
            }
            Self::StsTesting(Listing::Unlisted) => f.write_str(
                "the MTA-STS policy of the domain does not name the host and is only tested: TLS where the server \
                 offers it",
            ),
            Self::RequireTls => f.write_str("the sender asks for TLS on the whole way (REQUIRETLS)"),
            Self::Opportunistic => {
                f.write_str("nobody asks for more: TLS where the server offers it, with any certificate")
            }
        }
    }
}
