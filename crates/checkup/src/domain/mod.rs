//! The check of a mail domain from outside: whether mail comes in, whether what it sends is believed, and whether others
//! can listen or forge.
//!
//! Standards: RFC 5321 §5 and RFC 7505 (mail hosts), RFC 3207 and RFC 9325 (TLS), RFC 7672 (DANE), RFC 8461 (MTA-STS), RFC
//! 8460 (TLS reports), RFC 7208 (SPF), RFC 6376 (DKIM), RFC 9989 (DMARC), RFC 5782 (DNS lists), RFC 6186 (services).
//!
//! [`check`] asks first where mail goes, and then all the rest at the same time. Each part has a limit of time of its own
//! ([`PART_LIMIT`]); one that is not done by then is told as not found out, and the others stay. What is asked is bounded
//! too: [`HOSTS_MAX`], [`ADDRESSES_MAX`], [`SELECTORS_MAX`], [`LISTS_MAX`], [`RECIPIENTS_MAX`].
//!
//! Left out on purpose: versions of TLS that are too old to be spoken here, so that nobody finds out by this whether a host
//! still takes them.

mod dkim;
mod dmarc;
mod dnsbl;
mod hosts;
mod mx;
mod others;
mod recipients;
mod smtp;
mod spf;
mod sts;
mod summary;
mod tls;
mod tls_rpt;
mod zone;

use std::future::Future;
use std::net::IpAddr;
use std::time::Duration;

use mta::route::AddressPolicy;
use types::{Domain, Mailbox, Timestamp};

use crate::{Finding, Outside, Topic, Verdict};
pub(crate) use dmarc::line as dmarc_line;
pub use summary::Summary;

/// Mail hosts that are looked at; the best come first.
pub const HOSTS_MAX: usize = 10;
/// Addresses of mail hosts that are connected to, in all.
pub const ADDRESSES_MAX: usize = 20;
/// Selectors of DKIM that are given.
pub const SELECTORS_MAX: usize = 50;
/// DNS lists that are asked.
pub const LISTS_MAX: usize = crate::lists::LISTS_MAX;
/// Recipients that are asked for.
pub const RECIPIENTS_MAX: usize = 10;
/// One part of the check takes no longer.
pub const PART_LIMIT: Duration = Duration::from_secs(45);

/// What is to be checked.
#[derive(Debug, Clone)]
pub struct Question {
    /// Whose mail.
    pub domain: Domain,
    /// Where it is sent from, where that is known.
    pub sending_addresses: Vec<IpAddr>,
    /// Selectors of DKIM that must be there.
    pub selectors: Vec<Selector>,
    /// Zones of DNS lists.
    pub lists: Vec<String>,
    /// Addresses that must take mail. Where there is one, a mail host is asked for them.
    pub recipients: Vec<Mailbox>,
    /// Where mail hosts listen: 25.
    pub port: u16,
    /// Which addresses mail hosts may have.
    pub address_policy: AddressPolicy,
    /// The time, for certificates.
    pub now: Timestamp,
}

/// A name under which a key of DKIM has to stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    /// The name.
    pub name: String,
    /// What its record has to say, where that is known.
    pub record: Option<String>,
}

/// One part of the check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Where mail goes.
    Mx,
    /// What the mail hosts say, their names and certificates.
    Hosts,
    /// MTA-STS.
    MtaSts,
    /// Where reports about TLS go.
    TlsRpt,
    /// SPF.
    Spf,
    /// DKIM.
    Dkim,
    /// DMARC.
    Dmarc,
    /// DNS lists.
    Lists,
    /// Services, settings of mail programs, logos.
    Others,
    /// Recipients.
    Recipients,
}

/// Is told how far the check is.
pub trait Progress: Send + Sync {
    /// The part is under way.
    fn begins(&self, part: Part);
    /// The part is done.
    fn ended(&self, part: Part);
}

/// Nobody is told.
impl Progress for () {
    fn begins(&self, _: Part) {}
    fn ended(&self, _: Part) {}
}

/// All that was found, in the order of the parts.
pub async fn check(outside: &dyn Outside, question: &Question, progress: &dyn Progress) -> Vec<Finding> {
    let run = Run { question, progress };
    let mut findings = Vec::new();
    let mail = run.part(Part::Mx, mx::find(outside, question)).await;
    let (mail, found) = match mail {
        Ok(found) => found,
        Err(unknown) => (mx::Mail::Unknown, vec![unknown]),
    };
    findings.extend(found);
    if matches!(mail, mx::Mail::NoDomain) {
        return findings;
    }
    let hosts = mail.hosts();
    let (met, policy, spf, dkim, dmarc, tls_rpt, lists, others, recipients) = futures_util::join!(
        run.part(Part::Hosts, hosts::meet(outside, question, hosts)),
        run.part(Part::MtaSts, sts::find(outside, question)),
        run.findings(Part::Spf, spf::check(outside, question, &mail)),
        run.findings(Part::Dkim, dkim::check(outside, question, &mail)),
        run.findings(Part::Dmarc, dmarc::check(outside, question, &mail)),
        run.findings(Part::TlsRpt, tls_rpt::check(outside, question, &mail)),
        run.findings(Part::Lists, dnsbl::check(outside, question, hosts)),
        run.findings(Part::Others, others::check(outside, question, &mail)),
        run.findings(Part::Recipients, recipients::check(outside, question, hosts)),
    );
    let met = met.unwrap_or_else(|unknown| {
        findings.push(unknown);
        Vec::new()
    });
    findings.extend(hosts::judge(question, hosts, &met));
    match policy {
        Ok(policy) => findings.extend(sts::judge(question, &policy, &mail, &met)),
        Err(unknown) => findings.push(unknown),
    }
    for found in [tls_rpt, spf, dkim, dmarc, lists, others, recipients] {
        findings.extend(found);
    }
    findings
}

/// What each part has in common.
#[derive(Clone, Copy)]
struct Run<'a> {
    question: &'a Question,
    progress: &'a dyn Progress,
}

impl Run<'_> {
    /// # Errors
    /// What is told where it takes too long.
    async fn part<T>(&self, part: Part, work: impl Future<Output = T>) -> Result<T, Finding> {
        self.progress.begins(part);
        let done = tokio::time::timeout(PART_LIMIT, work).await;
        self.progress.ended(part);
        done.map_err(|_| {
            let says = format!("this could not be found out within {} seconds", PART_LIMIT.as_secs());
            unknown(part.topic(), self.question.domain.ascii(), says)
        })
    }

    async fn findings(&self, part: Part, work: impl Future<Output = Vec<Finding>>) -> Vec<Finding> {
        self.part(part, work).await.unwrap_or_else(|unknown| vec![unknown])
    }
}

impl Part {
    /// What is told of it stands there.
    #[must_use]
    pub const fn topic(self) -> Topic {
        match self {
            Self::Mx => Topic::Mx,
            Self::Hosts => Topic::Smtp,
            Self::MtaSts => Topic::MtaSts,
            Self::TlsRpt => Topic::TlsRpt,
            Self::Spf => Topic::Spf,
            Self::Dkim => Topic::Dkim,
            Self::Dmarc => Topic::Dmarc,
            Self::Lists => Topic::Dnsbl,
            Self::Others => Topic::Srv,
            Self::Recipients => Topic::Recipient,
        }
    }
}

fn good(topic: Topic, about: &str, says: impl Into<String>) -> Finding {
    Finding::new(topic, about, Verdict::Good, says)
}

fn notice(topic: Topic, about: &str, says: impl Into<String>) -> Finding {
    Finding::new(topic, about, Verdict::Notice, says)
}

fn warning(topic: Topic, about: &str, says: impl Into<String>) -> Finding {
    Finding::new(topic, about, Verdict::Warning, says)
}

fn bad(topic: Topic, about: &str, says: impl Into<String>) -> Finding {
    Finding::new(topic, about, Verdict::Bad, says)
}

fn unknown(topic: Topic, about: &str, says: impl Into<String>) -> Finding {
    Finding::new(topic, about, Verdict::Unknown, says)
}
