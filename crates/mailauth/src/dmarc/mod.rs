//! DMARC: whether what authenticated a message is of the domain that its author shows, and what that domain wants done with
//! the rest (RFC 9989, after the working group's last draft of it; RFC 7489 where they agree).
//!
//! [`evaluate`] takes the author domain: the one domain of the one `From`, in A-labels. A message without one, or with several,
//! is outside of DMARC (§5.3.1), and refused or not by whoever reads the header section.
//!
//! Instead of a list of public suffixes, the DNS is walked from a domain towards the root (§4.10), in at most
//! [`WALK_QUERIES_MAX`] questions, each name once in an evaluation. An identifier is only walked from where that could align it.
//!
//! Otherwise than RFC 7489: `pct`, `rf` and `ri` are ignored; `t=y` lowers a policy by one step.
//!
//! Left out on purpose: reports. What they need of a record is in [`Record`].

mod record;
mod survey;
mod walk;

use std::fmt;

use types::Domain;
use types::dns::DnsTrouble;

use record::Whose;
pub use record::{Alignment, Policy, PublicSuffix, Record};
pub use survey::{Applies, Counts, Published, Receiver, Step, Survey, Tag, survey};

use crate::Names;
use walk::{Walk, Walker};

/// Questions of one walk (§4.10).
pub const WALK_QUERIES_MAX: usize = 8;
/// DKIM domains that are looked at.
pub const IDENTIFIERS_MAX: usize = crate::dkim::SIGNATURES_MAX;

/// What authenticated the message.
#[derive(Debug, Clone, Copy, Default)]
pub struct Authenticated<'a> {
    /// The domain of the reverse-path, or of HELO where that is empty, if its SPF result is `pass` (§4.4.2).
    pub spf: Option<&'a str>,
    /// The domains (`d=`) of the DKIM signatures that pass (§4.4.1).
    pub dkim: &'a [&'a str],
}

/// The results of RFC 8601 §2.7.8 and RFC 7489 §11.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DmarcResult {
    /// The domain has no record that applies.
    None,
    /// Something aligned authenticates the message.
    Pass,
    /// Nothing does.
    Fail,
    /// The DNS does not answer now, and nothing passes without it.
    TempError,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The result.
    pub result: DmarcResult,
    /// The author domain.
    pub author: Domain,
    /// Where the record stands that applies, without `_dmarc`.
    pub policy_domain: Option<String>,
    /// The author's organizational domain, where a record applies and the DNS answered all the way.
    pub organizational_domain: Option<String>,
    /// What the domain's owner wants done where it fails, test mode reckoned in (§4.7). `None` also where there is no record.
    pub policy: Policy,
    /// The record that applies.
    pub record: Option<Record>,
    /// Whether SPF authenticates the author domain.
    pub is_spf_aligned: bool,
    /// The DKIM domains that do.
    pub dkim_aligned: Vec<String>,
    /// What the DNS did not answer, and why.
    pub trouble: Option<(String, DnsTrouble)>,
}

/// Whether what authenticated the message is of the author's organization (§5.3).
pub async fn evaluate(names: &dyn Names, author: &Domain, authenticated: &Authenticated<'_>) -> Outcome {
    let mut outcome = Outcome::none(author.clone());
    let mut walker = Walker::new(names);
    if let Err(trouble) = fill(&mut walker, &mut outcome, authenticated).await {
        let is_pass = outcome.result == DmarcResult::Pass;
        outcome.trouble = Some(trouble);
        outcome.result = if is_pass { DmarcResult::Pass } else { DmarcResult::TempError };
    }
    outcome
}

type Trouble = (String, DnsTrouble);

async fn fill(
    walker: &mut Walker<'_>,
    outcome: &mut Outcome,
    authenticated: &Authenticated<'_>,
) -> Result<(), Trouble> {
    let author = outcome.author.ascii().trim_end_matches('.').to_owned();
    let walk = walker.walk(&author).await;
    let Some((policy_domain, record)) = walk.policy()? else { return Ok(()) };
    let is_own = policy_domain == author;
    outcome.policy_domain = Some(policy_domain.to_owned());
    outcome.organizational_domain = walk.organizational_domain().ok().map(str::to_owned);
    outcome.record = Some(record.clone());
    let mut trouble = None;
    for domain in authenticated.dkim.iter().take(IDENTIFIERS_MAX) {
        match is_aligned(walker, domain, record.dkim, &walk).await {
            Ok(true) => outcome.dkim_aligned.push(domain.to_ascii_lowercase()),
            Ok(false) => {}
            Err(found) => trouble = Some(found),
        }
    }
    if let Some(domain) = authenticated.spf {
        match is_aligned(walker, domain, record.spf, &walk).await {
            Ok(is_aligned) => outcome.is_spf_aligned = is_aligned,
            Err(found) => trouble = Some(found),
        }
    }
    let is_pass = outcome.is_spf_aligned || !outcome.dkim_aligned.is_empty();
    outcome.result = if is_pass { DmarcResult::Pass } else { DmarcResult::Fail };
    let whose = match () {
        () if is_own => Whose::Own,
        () if record.asks_existence() && !walker.exists(&author).await? => Whose::NonExistentSubdomain,
        () => Whose::Subdomain,
    };
    outcome.policy = record.policy_for(whose);
    trouble.map_or(Ok(()), Err)
}

/// §4.4 and §4.10.2. Only what is within the author's organizational domain can have the same one.
async fn is_aligned(
    walker: &mut Walker<'_>,
    domain: &str,
    alignment: Alignment,
    author: &Walk,
) -> Result<bool, Trouble> {
    let domain = domain.trim_end_matches('.').to_ascii_lowercase();
    if domain == author.start() {
        return Ok(true);
    }
    if alignment == Alignment::Strict {
        return Ok(false);
    }
    let organization = author.organizational_domain()?;
    if !is_within(&domain, organization) {
        return Ok(false);
    }
    Ok(walker.walk(&domain).await.organizational_domain()? == organization)
}

impl Outcome {
    const fn none(author: Domain) -> Self {
        Self {
            result: DmarcResult::None,
            author,
            policy_domain: None,
            organizational_domain: None,
            policy: Policy::None,
            record: None,
            is_spf_aligned: false,
            dkim_aligned: Vec::new(),
            trouble: None,
        }
    }
}

impl DmarcResult {
    /// As it stands in `Authentication-Results`.
    #[must_use]
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::TempError => "temperror",
        }
    }
}

impl fmt::Display for DmarcResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.keyword())
    }
}

/// Whether `name` is `domain` or below it; both in lower case.
fn is_within(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|above| above.is_empty() || above.ends_with('.'))
}
