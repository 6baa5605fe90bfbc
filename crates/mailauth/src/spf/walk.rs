//! The way through the records of one evaluation, and what it may cost (RFC 7208 §4.6).

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;

use types::dns::{Lookup, MxRecord};

use super::macros::{DomainSpec, MacroString, Values};
use super::record::{BadTerm, Directive, Mechanism, Prefixes, Record, printable, same_ipv4, same_ipv6};
use super::{ADDRESS_LOOKUPS_MAX, LOOKUP_TERMS_MAX, RECORD_BYTES_MAX, VOID_LOOKUPS_MAX};
use super::{SpfProblem, SpfResult, Walked};
use crate::{Names, is_name};

/// One evaluation: what was counted and what was met.
pub(super) struct Walk<'a> {
    pub(super) names: &'a dyn Names,
    values: Values<'a>,
    pub(super) lookup_terms: u32,
    pub(super) void_lookups: u32,
    pub(super) walked: Vec<Walked>,
    /// The names of the client's address that lead back to it, once asked for.
    validated: Option<Vec<String>>,
}

/// How the record of a domain ended.
pub(super) struct Verdict {
    pub(super) result: SpfResult,
    pub(super) problem: Option<SpfProblem>,
    pub(super) mechanism: Option<String>,
    /// Of the record that decided, which is not the first one's where that was redirected (§6.2).
    pub(super) explanation: Option<DomainSpec>,
    /// Whose record decided.
    pub(super) domain: String,
}

impl<'a> Walk<'a> {
    pub(super) const fn new(names: &'a dyn Names, values: Values<'a>) -> Self {
        Self { names, values, lookup_terms: 0, void_lookups: 0, walked: Vec::new(), validated: None }
    }

    /// The record of `domain` and those that it includes. Boxed, since it calls itself; [`LOOKUP_TERMS_MAX`] bounds how deep.
    pub(super) fn check(
        &mut self,
        domain: String,
        depth: u32,
    ) -> Pin<Box<dyn Future<Output = Verdict> + Send + '_>> {
        Box::pin(async move {
            let mut verdict = Verdict::new(domain);
            match self.follow(&mut verdict, depth).await {
                Ok(result) => verdict.result = result,
                Err(problem) => {
                    verdict.result = problem.result();
                    verdict.problem = Some(problem);
                    verdict.mechanism = None;
                }
            }
            verdict
        })
    }

    /// The record, and those to which it is redirected.
    async fn follow(&mut self, verdict: &mut Verdict, depth: u32) -> Result<SpfResult, SpfProblem> {
        let Some(mut record) = fetch_record(self.names, &verdict.domain).await.record? else {
            return Ok(SpfResult::None);
        };
        loop {
            for directive in &record.directives {
                if self.is_match(directive, &verdict.domain, depth).await? {
                    verdict.mechanism = Some(directive.text.clone());
                    verdict.explanation = record.explanation;
                    return Ok(directive.qualifier);
                }
            }
            let Some(redirect) = record.redirect else { return Ok(SpfResult::Neutral) };
            self.count_term()?;
            let domain = std::mem::take(&mut verdict.domain);
            let target = self.target(&redirect, &domain).await?.unwrap_or_default();
            self.walked.push(Walked {
                depth,
                domain: domain.clone(),
                term: format!("redirect={target}"),
                is_match: true,
            });
            record = fetch_record(self.names, &target)
                .await
                .record?
                .ok_or_else(|| SpfProblem::NoSuchRecord { domain, target: target.clone() })?;
            verdict.domain = target;
        }
    }

    async fn is_match(
        &mut self,
        directive: &Directive,
        domain: &str,
        depth: u32,
    ) -> Result<bool, SpfProblem> {
        let asks = directive.mechanism.asks();
        let place = self.walked.len();
        if asks {
            self.count_term()?;
            self.note(directive, domain, depth, false);
        }
        let is_match = match &directive.mechanism {
            Mechanism::All => true,
            Mechanism::Ip(network) => network.contains(self.values.ip),
            Mechanism::Include(spec) => self.includes(spec, domain, depth).await?,
            Mechanism::A(spec, prefixes) => self.a(spec.as_ref(), *prefixes, domain).await?,
            Mechanism::Mx(spec, prefixes) => self.mx(spec.as_ref(), *prefixes, domain).await?,
            Mechanism::Ptr(spec) => self.ptr(spec.as_ref(), domain).await?,
            Mechanism::Exists(spec) => self.exists(spec, domain).await?,
        };
        match self.walked.get_mut(place) {
            Some(walked) if asks => walked.is_match = is_match,
            _ if is_match => self.note(directive, domain, depth, true),
            _ => {}
        }
        Ok(is_match)
    }

    /// §5.2: only what passes there matches here.
    async fn includes(&mut self, spec: &DomainSpec, domain: &str, depth: u32) -> Result<bool, SpfProblem> {
        let target = self.target(spec, domain).await?.unwrap_or_default();
        let verdict = self.check(target, depth.saturating_add(1)).await;
        match (verdict.result, verdict.problem) {
            (_, Some(problem)) => Err(problem),
            (SpfResult::None, None) => {
                Err(SpfProblem::NoSuchRecord { domain: printable(domain.as_bytes()), target: verdict.domain })
            }
            (result, None) => Ok(result == SpfResult::Pass),
        }
    }

    /// §5.3
    async fn a(
        &mut self,
        spec: Option<&DomainSpec>,
        prefixes: Prefixes,
        domain: &str,
    ) -> Result<bool, SpfProblem> {
        let Some(target) = self.target_or_domain(spec, domain).await? else { return Ok(false) };
        let hit = self.has_address(&target, prefixes).await;
        self.counted(&target, hit)
    }

    /// §5.4
    async fn mx(
        &mut self,
        spec: Option<&DomainSpec>,
        prefixes: Prefixes,
        domain: &str,
    ) -> Result<bool, SpfProblem> {
        let Some(target) = self.target_or_domain(spec, domain).await? else { return Ok(false) };
        let hosts = match self.names.mx(&target).await {
            Lookup::Records { records, .. } => records,
            lookup => return self.counted(&target, lookup.map_found(|_: Vec<MxRecord>| false)),
        };
        if hosts.len() > ADDRESS_LOOKUPS_MAX {
            return Err(SpfProblem::TooManyMailHosts { domain: target });
        }
        // The limit is one of terms (§4.6.4): hosts without an address of the client's family count once, if none has one.
        let mut hit = Hit::Void;
        for host in hosts {
            let host = host.exchange.strip_suffix('.').unwrap_or(&host.exchange);
            // A null MX (RFC 7505) has no address, and is not asked for one.
            if !is_name(host) {
                continue;
            }
            match self.has_address(host, prefixes).await {
                Hit::Found(true) => return Ok(true),
                Hit::Found(false) => hit = Hit::Found(false),
                Hit::Void => {}
                Hit::Trouble(trouble) => return self.counted(host, Hit::Trouble(trouble)),
            }
        }
        self.counted(&target, hit)
    }

    /// §5.5
    async fn ptr(&mut self, spec: Option<&DomainSpec>, domain: &str) -> Result<bool, SpfProblem> {
        let Some(target) = self.target_or_domain(spec, domain).await? else { return Ok(false) };
        self.find_validated().await?;
        Ok(self.validated().iter().any(|name| is_within(name, &target)))
    }

    /// §5.7: always by IPv4.
    async fn exists(&mut self, spec: &DomainSpec, domain: &str) -> Result<bool, SpfProblem> {
        let Some(target) = self.target(spec, domain).await? else { return Ok(false) };
        let hit = self.names.ipv4(&target).await.map_found(|_| true);
        self.counted(&target, hit)
    }

    async fn has_address(&self, host: &str, prefixes: Prefixes) -> Hit {
        match self.values.ip {
            IpAddr::V4(ip) => {
                let same = |found: Vec<_>| found.into_iter().any(|other| same_ipv4(ip, other, prefixes.ipv4));
                self.names.ipv4(host).await.map_found(same)
            }
            IpAddr::V6(ip) => {
                let same = |found: Vec<_>| found.into_iter().any(|other| same_ipv6(ip, other, prefixes.ipv6));
                self.names.ipv6(host).await.map_found(same)
            }
        }
    }

    /// Names of the client's address that have it among their addresses; asked for once. Trouble only makes them fewer.
    async fn find_validated(&mut self) -> Result<(), SpfProblem> {
        if self.validated.is_some() {
            return Ok(());
        }
        let names = match self.names.ptr(self.values.ip).await {
            Lookup::Records { records, .. } => records,
            Lookup::Trouble(_) => Vec::new(),
            Lookup::NoData { .. } | Lookup::NoSuchName => {
                self.count_void()?;
                Vec::new()
            }
        };
        let mut validated = Vec::new();
        for name in names.into_iter().take(ADDRESS_LOOKUPS_MAX) {
            let name = name.strip_suffix('.').unwrap_or(&name).to_ascii_lowercase();
            if is_name(&name) && matches!(self.has_address(&name, WHOLE).await, Hit::Found(true)) {
                validated.push(name);
            }
        }
        self.validated = Some(validated);
        Ok(())
    }

    fn validated(&self) -> &[String] {
        self.validated.as_deref().unwrap_or_default()
    }

    async fn target_or_domain(
        &mut self,
        spec: Option<&DomainSpec>,
        domain: &str,
    ) -> Result<Option<String>, SpfProblem> {
        match spec {
            Some(spec) => self.target(spec, domain).await,
            None => Ok(Some(domain.to_owned())),
        }
    }

    /// The name that a domain-spec makes. None where the DNS cannot have it.
    pub(super) async fn target(
        &mut self,
        spec: &DomainSpec,
        domain: &str,
    ) -> Result<Option<String>, SpfProblem> {
        if spec.wants_validated_name() {
            self.count_term()?;
            self.find_validated().await?;
        }
        Ok(spec.target(&self.values_for(domain)))
    }

    /// The text that an explanation makes.
    pub(super) async fn expand(&mut self, string: &MacroString, domain: &str) -> Option<String> {
        if string.wants_validated_name() {
            self.count_term().ok()?;
            self.find_validated().await.ok()?;
        }
        string.expand(&self.values_for(domain))
    }

    /// `%{p}` is the domain itself before a name below it before any other (§7.3).
    fn values_for<'v>(&'v self, domain: &'v str) -> Values<'v> {
        let validated = self.validated();
        let validated_name = validated
            .iter()
            .find(|name| name.eq_ignore_ascii_case(domain))
            .or_else(|| validated.iter().find(|name| is_within(name, domain)))
            .or_else(|| validated.first());
        Values { domain, validated_name: validated_name.map(String::as_str), ..self.values }
    }

    fn note(&mut self, directive: &Directive, domain: &str, depth: u32, is_match: bool) {
        self.walked.push(Walked { depth, domain: domain.to_owned(), term: directive.text.clone(), is_match });
    }

    const fn count_term(&mut self) -> Result<(), SpfProblem> {
        self.lookup_terms += 1;
        if self.lookup_terms > LOOKUP_TERMS_MAX { Err(SpfProblem::TooManyLookups) } else { Ok(()) }
    }

    const fn count_void(&mut self) -> Result<(), SpfProblem> {
        self.void_lookups += 1;
        if self.void_lookups > VOID_LOOKUPS_MAX { Err(SpfProblem::TooManyVoidLookups) } else { Ok(()) }
    }

    fn counted(&mut self, name: &str, hit: Hit) -> Result<bool, SpfProblem> {
        match hit {
            Hit::Found(is_match) => Ok(is_match),
            Hit::Void => self.count_void().map(|()| false),
            Hit::Trouble(trouble) => Err(SpfProblem::NoAnswer { name: name.to_owned(), trouble }),
        }
    }
}

/// The one SPF record of a domain, and its text where there is one alone.
pub(super) struct Fetched {
    pub(super) text: Option<Vec<u8>>,
    /// None where there is none, or no such domain can be.
    pub(super) record: Result<Option<Record>, SpfProblem>,
}

/// §4.3 to §4.5.
pub(super) async fn fetch_record(names: &dyn Names, name: &str) -> Fetched {
    let mut fetched = Fetched { text: None, record: Ok(None) };
    let is_literal = name.starts_with('[') || name.parse::<IpAddr>().is_ok();
    if !is_name(name) || !name.contains('.') || is_literal {
        return fetched;
    }
    let texts = match names.txt(name).await {
        Lookup::Records { records, .. } => records,
        Lookup::NoData { .. } | Lookup::NoSuchName => return fetched,
        Lookup::Trouble(trouble) => {
            fetched.record = Err(SpfProblem::NoAnswer { name: name.to_owned(), trouble });
            return fetched;
        }
    };
    let mut records = texts.into_iter().filter(|text| Record::terms_of(text).is_some());
    let Some(text) = records.next() else { return fetched };
    let domain = printable(name.as_bytes());
    fetched.record = match Record::terms_of(&text) {
        _ if records.next().is_some() => Err(SpfProblem::SeveralRecords { domain }),
        Some(terms) if terms.len() > RECORD_BYTES_MAX => Err(SpfProblem::RecordTooLong { domain }),
        Some(terms) => {
            let record = Record::parse(terms);
            record.map(Some).map_err(|BadTerm(term)| SpfProblem::Syntax { domain, term })
        }
        None => Ok(None),
    };
    fetched.text = Some(text);
    fetched
}

impl Verdict {
    const fn new(domain: String) -> Self {
        Self { result: SpfResult::None, problem: None, mechanism: None, explanation: None, domain }
    }
}

/// What an answer means for a term.
enum Hit {
    Found(bool),
    Void,
    Trouble(types::dns::DnsTrouble),
}

trait MapFound<R> {
    fn map_found(self, is_match: impl FnOnce(Vec<R>) -> bool) -> Hit;
}

impl<R> MapFound<R> for Lookup<R> {
    fn map_found(self, is_match: impl FnOnce(Vec<R>) -> bool) -> Hit {
        match self {
            Self::Records { records, .. } => Hit::Found(is_match(records)),
            Self::NoData { .. } | Self::NoSuchName => Hit::Void,
            Self::Trouble(trouble) => Hit::Trouble(trouble),
        }
    }
}

/// Whether `name` is `domain` or below it.
pub(super) fn is_within(name: &str, domain: &str) -> bool {
    let Some(cut) = name.len().checked_sub(domain.len()) else { return false };
    let Some((above, tail)) = name.split_at_checked(cut) else { return false };
    tail.eq_ignore_ascii_case(domain) && (above.is_empty() || above.ends_with('.'))
}

const WHOLE: Prefixes = Prefixes { ipv4: 32, ipv6: 128 };
