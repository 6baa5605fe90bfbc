//! The DMARC of a domain, for people: each question of the walk with its answer, which record applies and why, and what is
//! wrong with it tag by tag.
//!
//! [`evaluate`](super::evaluate) reads past what makes no sense, as §4.10.1 says; here it is told.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use types::dns::{DnsTrouble, Lookup, MxRecord};

use super::record::{Text, Whose};
use super::walk::Walker;
use super::{Policy, Record};
use crate::dkim::tags::trim;
use crate::{Names, is_name};

/// What a domain's mail is measured by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// The domain that was asked about.
    pub domain: String,
    /// The walk, in its order.
    pub steps: Vec<Step>,
    /// Where the record stands that applies, without `_dmarc`.
    pub policy_domain: Option<String>,
    /// None where the DNS did not answer all the way.
    pub organizational_domain: Option<String>,
    /// The record that applies.
    pub record: Option<Record>,
    /// Which of its policies.
    pub applies: Applies,
    /// That policy, test mode reckoned in.
    pub policy: Policy,
    /// Who is to get reports and is of another organization, and whether that one wants them.
    pub receivers: Vec<Receiver>,
    /// What the DNS did not answer, and why.
    pub trouble: Option<(String, DnsTrouble)>,
}

/// One question of the walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What was asked for, with `_dmarc`.
    pub name: String,
    /// The texts there.
    pub texts: Vec<Published>,
    /// No answer.
    pub trouble: Option<DnsTrouble>,
}

/// A text at such a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// As published, printable and cut.
    pub text: String,
    /// What it counts as.
    pub counts: Counts,
    /// Its tags, the version too.
    pub tags: Vec<Tag>,
}

/// What a text counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// A record.
    AsRecord,
    /// A record that applies to nothing: policies that make no sense, and nobody wants reports (§4.10.1).
    AsUseless,
    /// No record of DMARC.
    AsOther,
}

/// One tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// As written.
    pub name: String,
    /// As written.
    pub value: String,
    /// What is wrong with it.
    pub problem: Option<&'static str>,
}

/// Which policy applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applies {
    /// None: there is no record.
    Nothing,
    /// `p`: the record is the domain's own.
    Own,
    /// `sp`, or `p` where that is not there: the record is of a domain above.
    ToSubdomain,
    /// `np`, or else as for one that exists: it is of a domain above, and this one does not exist.
    ToNonExistent,
}

/// A host of reports (RFC 9990 §4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// The address, as written.
    pub uri: String,
    /// Where its domain says that it wants them.
    pub asked: String,
    /// None where the DNS did not answer.
    pub is_willing: Option<bool>,
}

/// Looks at a domain as if mail from it had come.
pub async fn survey(names: &dyn Names, domain: &str) -> Survey {
    let domain = domain.trim_end_matches('.').to_ascii_lowercase();
    let noted = Noted { names, steps: Mutex::new(Vec::new()) };
    let mut survey = Survey::none(domain);
    let found = fill(&noted, &mut survey).await;
    survey.trouble = found.err();
    survey.steps = noted.steps.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(record) = &survey.record {
        let owner = survey.organizational_domain.as_deref().or(survey.policy_domain.as_deref());
        let (from, uris) = (owner.unwrap_or_default().to_owned(), all_uris(record));
        for uri in uris {
            if let Some(receiver) = receiver(names, survey.policy_domain.as_deref(), &from, &uri).await {
                survey.receivers.push(receiver);
            }
        }
    }
    survey
}

async fn fill(names: &Noted<'_>, survey: &mut Survey) -> Result<(), super::Trouble> {
    let mut walker = Walker::new(names);
    let walk = walker.walk(&survey.domain).await;
    survey.organizational_domain = walk.organizational_domain().ok().map(str::to_owned);
    let Some((policy_domain, record)) = walk.policy()? else { return Ok(()) };
    survey.policy_domain = Some(policy_domain.to_owned());
    survey.record = Some(record.clone());
    let whose = if policy_domain == survey.domain {
        Whose::Own
    } else if walker.exists(&survey.domain).await? {
        Whose::Subdomain
    } else {
        Whose::NonExistentSubdomain
    };
    survey.applies = match whose {
        Whose::Own => Applies::Own,
        Whose::Subdomain => Applies::ToSubdomain,
        Whose::NonExistentSubdomain => Applies::ToNonExistent,
    };
    survey.policy = record.policy_for(whose);
    // What ended the walk early may have been the organization's own record.
    walk.organizational_domain().map(drop)
}

/// Whether the host of an address takes reports about a domain of somebody else (RFC 9990 §4). None for its own.
async fn receiver(
    names: &dyn Names,
    policy_domain: Option<&str>,
    organization: &str,
    uri: &str,
) -> Option<Receiver> {
    let address = uri.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("mailto:")).map(|_| &uri[7..])?;
    let (_, host) = address.rsplit_once('@')?;
    let host = host.split('?').next().unwrap_or(host).trim_end_matches('.').to_ascii_lowercase();
    if super::is_within(&host, organization) {
        return None;
    }
    let asked = format!("{}._report._dmarc.{host}", policy_domain.unwrap_or(organization));
    let mut is_willing = Some(false);
    if is_name(&asked) {
        is_willing = match names.txt(&asked).await {
            Lookup::Records { records, .. } => Some(records.iter().any(|text| begins_with_version(text))),
            Lookup::NoData { .. } | Lookup::NoSuchName => Some(false),
            Lookup::Trouble(_) => None,
        };
    }
    Some(Receiver { uri: uri.to_owned(), asked, is_willing })
}

fn begins_with_version(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let (name, value) = text.split(';').next().and_then(|tag| tag.split_once('=')).unwrap_or_default();
    trim(name).eq_ignore_ascii_case("v") && trim(value) == "DMARC1"
}

fn all_uris(record: &Record) -> Vec<String> {
    let mut uris: Vec<String> = Vec::new();
    for uri in record.aggregate_reports.iter().chain(&record.failure_reports) {
        if !uris.contains(uri) {
            uris.push(uri.clone());
        }
    }
    uris
}

impl Survey {
    const fn none(domain: String) -> Self {
        Self {
            domain,
            steps: Vec::new(),
            policy_domain: None,
            organizational_domain: None,
            record: None,
            applies: Applies::Nothing,
            policy: Policy::None,
            receivers: Vec::new(),
            trouble: None,
        }
    }
}

impl Published {
    /// Reads a text as it stands at `_dmarc`.
    #[must_use]
    pub fn read(octets: &[u8]) -> Self {
        let text = String::from_utf8_lossy(octets);
        let counts = match Text::parse(octets) {
            Text::Record(_) => Counts::AsRecord,
            Text::Useless => Counts::AsUseless,
            Text::Other => Counts::AsOther,
        };
        let tags = if counts == Counts::AsOther { Vec::new() } else { tags(&text) };
        Self { text: text.chars().take(TEXT_SHOWN_MAX).collect(), counts, tags }
    }
}

fn tags(text: &str) -> Vec<Tag> {
    let mut tags: Vec<Tag> = Vec::new();
    for spec in text.split(';').take(TAGS_SHOWN_MAX) {
        if trim(spec).is_empty() {
            continue;
        }
        let (name, value) = spec.split_once('=').unwrap_or((spec, ""));
        let (name, value) = (trim(name), trim(value));
        let problem = if !spec.contains('=') {
            Some("there is no `=` in it, so that it counts for nothing")
        } else if tags.iter().any(|other| other.name.eq_ignore_ascii_case(name)) {
            Some("it is there already, and the first one counts")
        } else {
            problem(&name.to_ascii_lowercase(), value)
        };
        tags.push(Tag { name: name.to_owned(), value: value.to_owned(), problem });
    }
    tags
}

/// §4.7: what each tag may say.
fn problem(name: &str, value: &str) -> Option<&'static str> {
    let is_one_of = |wanted: &[&str]| wanted.iter().any(|one| value.eq_ignore_ascii_case(one));
    match name {
        "v" => None,
        "p" | "sp" | "np" if !is_one_of(&["none", "quarantine", "reject"]) => {
            Some("it is none of `none`, `quarantine` and `reject`, and makes all policies of the record void")
        }
        "adkim" | "aspf" if !is_one_of(&["r", "s"]) => Some("it is neither `r` nor `s`, and counts as `r`"),
        "psd" if !is_one_of(&["y", "n", "u"]) => Some("it is none of `y`, `n` and `u`, and counts as `u`"),
        "t" if !is_one_of(&["y", "n"]) => Some("it is neither `y` nor `n`, and counts as `n`"),
        "fo" if !value.split(':').all(|one| matches!(trim(one), "0" | "1" | "d" | "s")) => {
            Some("it has something else than `0`, `1`, `d` and `s`")
        }
        "rua" | "ruf" if !value.split(',').all(is_address) => {
            Some("not each part of it is an address with `mailto:` before it")
        }
        "pct" if value != "100" => {
            Some("it was dropped from DMARC: it is ignored by most, who take it for 100")
        }
        "pct" | "rf" | "ri" => Some("it was dropped from DMARC, and says nothing any more"),
        "p" | "sp" | "np" | "adkim" | "aspf" | "psd" | "t" | "fo" | "rua" | "ruf" => None,
        _ => Some("no such tag is known, and it is ignored"),
    }
}

fn is_address(uri: &str) -> bool {
    let uri = trim(uri).split('!').next().unwrap_or_default();
    let is_mail = uri.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("mailto:"));
    is_mail && uri[7..].split_once('@').is_some_and(|(local, host)| !local.is_empty() && is_name(host))
}

/// Notes the questions of the walk, which each are for the text at one name.
struct Noted<'n> {
    names: &'n dyn Names,
    steps: Mutex<Vec<Step>>,
}

#[async_trait]
impl Names for Noted<'_> {
    async fn txt(&self, name: &str) -> Lookup<Vec<u8>> {
        let found = self.names.txt(name).await;
        let mut step = Step { name: name.to_owned(), texts: Vec::new(), trouble: None };
        match &found {
            Lookup::Records { records, .. } => {
                step.texts = records.iter().take(TEXTS_SHOWN_MAX).map(|text| Published::read(text)).collect();
            }
            Lookup::NoData { .. } | Lookup::NoSuchName => {}
            Lookup::Trouble(trouble) => step.trouble = Some(*trouble),
        }
        self.steps.lock().unwrap_or_else(PoisonError::into_inner).push(step);
        found
    }
    async fn ipv4(&self, name: &str) -> Lookup<Ipv4Addr> {
        self.names.ipv4(name).await
    }
    async fn ipv6(&self, name: &str) -> Lookup<Ipv6Addr> {
        self.names.ipv6(name).await
    }
    async fn mx(&self, name: &str) -> Lookup<MxRecord> {
        self.names.mx(name).await
    }
    async fn ptr(&self, address: IpAddr) -> Lookup<String> {
        self.names.ptr(address).await
    }
}

/// Characters of one text that are kept.
const TEXT_SHOWN_MAX: usize = 1000;
/// Texts at one name that are kept.
const TEXTS_SHOWN_MAX: usize = 10;
/// Tags of one text that are kept.
const TAGS_SHOWN_MAX: usize = 64;
