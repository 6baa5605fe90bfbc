//! The record of a domain (§4.7 and §4.8).
//!
//! ```text
//! dmarc-record  = dmarc-version *(dmarc-sep dmarc-tag) [dmarc-sep]
//! dmarc-version = "v" equals %s"DMARC1"
//! dmarc-tag     = 1*ALPHA equals 1*dmarc-value
//! ```
//!
//! What is wrong behind the version counts as not being there, so this is read otherwise than the tags of DKIM.

use crate::dkim::tags::trim;

/// What a domain publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// `p`: for the domain itself. Where it is missing or wrong and there is an address for reports, it is `none` (§4.10.1).
    pub policy: Policy,
    /// `sp`: for domains below it that exist.
    pub subdomain_policy: Option<Policy>,
    /// `np`: for domains below it that do not exist.
    pub non_existent_policy: Option<Policy>,
    /// `adkim`
    pub dkim: Alignment,
    /// `aspf`
    pub spf: Alignment,
    /// `psd`
    pub public_suffix: PublicSuffix,
    /// `t=y`: policies are one step lower than they say.
    pub is_testing: bool,
    /// `rua`: where reports about all mail go, as written, without limits of size.
    pub aggregate_reports: Vec<String>,
    /// `ruf`: where reports about failures go.
    pub failure_reports: Vec<String>,
    /// `fo`: about which failures, as written; `0` where it is not there.
    pub failure_options: String,
}

/// What a domain's owner wants done with mail that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Policy {
    /// Nothing.
    None,
    /// To be taken for suspicious.
    Quarantine,
    /// To be refused.
    Reject,
}

/// How near a domain must be to the author's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Alignment {
    /// Of the same organization.
    Relaxed,
    /// The very same.
    Strict,
}

/// What a domain says about itself as a public suffix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PublicSuffix {
    /// `psd=y`: organizations are the domains right below it.
    Yes,
    /// `psd=n`: it is an organization.
    No,
    /// Nothing.
    Unknown,
}

/// Whose record applies to the author domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// Its own.
    Own,
    /// That of a domain above it.
    Subdomain,
    /// The same, and it does not exist.
    NonExistentSubdomain,
}

/// What a text at `_dmarc` is.
pub(super) enum Text {
    /// No record of DMARC.
    Other,
    /// A record that applies to nothing (§4.10.1).
    Useless,
    Record(Record),
}

impl Text {
    pub(super) fn parse(octets: &[u8]) -> Self {
        let Some(text) = std::str::from_utf8(octets).ok().filter(|text| text.len() <= RECORD_BYTES_MAX)
        else {
            return Self::Other;
        };
        let mut tags = text
            .split(';')
            .filter_map(|tag| tag.split_once('='))
            .map(|(name, value)| (trim(name), trim(value)));
        if !matches!(tags.next(), Some((name, "DMARC1")) if name.eq_ignore_ascii_case("v"))
            || !begins_with_version(text)
        {
            return Self::Other;
        }
        Record::read(tags.take(TAGS_MAX)).map_or(Self::Useless, Self::Record)
    }
}

impl Record {
    /// None where the policies are wrong and nobody wants reports either (§4.10.1). The first of tags of one name counts.
    fn read<'a>(tags: impl Iterator<Item = (&'a str, &'a str)>) -> Option<Self> {
        let tags: Vec<(&str, &str)> = tags.collect();
        let value = |name: &str| {
            tags.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
        };
        let is = |name, wanted: &str| value(name).is_some_and(|value| value.eq_ignore_ascii_case(wanted));
        let alignment = |name| if is(name, "s") { Alignment::Strict } else { Alignment::Relaxed };
        let policies = ["p", "sp", "np"].map(|name| value(name).map(Policy::read));
        let aggregate_reports = addresses(value("rua"));
        let is_wrong = matches!(policies[0], None | Some(None)) || policies.contains(&Some(None));
        if is_wrong && aggregate_reports.is_empty() {
            return None;
        }
        let [policy, subdomain_policy, non_existent_policy] =
            if is_wrong { [None; 3] } else { policies.map(Option::flatten) };
        Some(Self {
            policy: policy.unwrap_or(Policy::None),
            subdomain_policy,
            non_existent_policy,
            dkim: alignment("adkim"),
            spf: alignment("aspf"),
            public_suffix: match () {
                () if is("psd", "y") => PublicSuffix::Yes,
                () if is("psd", "n") => PublicSuffix::No,
                () => PublicSuffix::Unknown,
            },
            is_testing: is("t", "y"),
            aggregate_reports,
            failure_reports: addresses(value("ruf")),
            failure_options: value("fo").unwrap_or("0").to_owned(),
        })
    }

    /// Whether it matters to the policy for a domain below whether that exists.
    pub(super) fn asks_existence(&self) -> bool {
        self.non_existent_policy.is_some_and(|policy| policy != self.for_subdomains())
    }

    /// The policy for the author domain (§4.10.1), one step lower in test mode (§4.7).
    pub(super) fn policy_for(&self, whose: Whose) -> Policy {
        let policy = match whose {
            Whose::Own => self.policy,
            Whose::Subdomain => self.for_subdomains(),
            Whose::NonExistentSubdomain => self.non_existent_policy.unwrap_or_else(|| self.for_subdomains()),
        };
        if self.is_testing { policy.lower() } else { policy }
    }

    fn for_subdomains(&self) -> Policy {
        self.subdomain_policy.unwrap_or(self.policy)
    }
}

impl Policy {
    fn read(value: &str) -> Option<Self> {
        [Self::None, Self::Quarantine, Self::Reject]
            .into_iter()
            .find(|policy| value.eq_ignore_ascii_case(policy.keyword()))
    }

    const fn lower(self) -> Self {
        match self {
            Self::Reject => Self::Quarantine,
            Self::Quarantine | Self::None => Self::None,
        }
    }

    /// As in a record.
    #[must_use]
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }
}

/// The first tag stands at the very beginning.
fn begins_with_version(text: &str) -> bool {
    text.split(';').next().is_some_and(|tag| tag.contains('='))
}

/// URIs with commas between them; `!10m` at the end of one is obsolete and dropped (§4.8).
fn addresses(value: Option<&str>) -> Vec<String> {
    let uris = value.unwrap_or_default().split(',').map(trim);
    let uris = uris.map(|uri| uri.split('!').next().unwrap_or(uri));
    let is_uri = |uri: &&str| {
        let Some((scheme, rest)) = uri.split_once(':') else { return false };
        let is_scheme =
            scheme.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'-' | b'.'));
        !scheme.is_empty()
            && is_scheme
            && !rest.is_empty()
            && uri.bytes().all(|octet| octet.is_ascii_graphic())
    };
    uris.filter(is_uri).take(ADDRESSES_MAX).map(str::to_owned).collect()
}

const RECORD_BYTES_MAX: usize = 8 * 1024;
const TAGS_MAX: usize = 64;
/// Addresses for reports that are kept of a record.
const ADDRESSES_MAX: usize = 10;
