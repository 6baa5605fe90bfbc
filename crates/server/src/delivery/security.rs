//! Which TLS a host must show: asks the DNS and the MTA-STS policies for what [`mta::tls`] wants to know, and has the
//! connectors for what it decides.
//!
//! Standards: RFC 7672 §2.2 (where TLSA records are), RFC 8461 §3 (where policies are), RFC 8460 (what is counted).
//!
//! The answer is for one domain at one host: two domains at the same host may ask for different things, so a
//! connection is shared by those alone for which [`HopSecurity::tls`] is the same.

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mta::route::{Found, Hop};
use mta::tls::{
    Facts, HopRefused, HopTls, Listing, Sts, StsMode, TlsPolicy, Tlsa, Why, asks_for_tlsa, decide, settles,
    tlsa_bases, usable,
};
use net::dns::Dns;
use net::mta_sts::{Https, HttpsOptions, Mode, MtaSts, Policy};
use net::tls::{Connector, Observation, Outbound, Roots, TlsError};
use tracing::warn;
use types::dns::{DnsTrouble, Lookup, MxRecord, TlsaRecord};
use types::{Domain, Timestamp};

use super::PolicyHosts;
use super::connection::Handshake;
use super::tls_results::{AppliedPolicy, Counter, Failure, ResultType, TlsResults};
use crate::config::{Config, Switch};
use crate::counts_file::SAVE_EVERY;
use crate::outside::now;

/// What is asked of the DNS.
#[async_trait]
pub(crate) trait Names: Send + Sync {
    /// TLSA records of a port of a host.
    async fn tlsa(&self, port: u16, host: &Domain) -> Lookup<TlsaRecord>;
    /// TXT records, the strings of each joined.
    async fn txt(&self, name: &str) -> Lookup<Vec<u8>>;
    /// MX records.
    async fn mx(&self, domain: &Domain) -> Lookup<MxRecord>;
}

/// What a connection to one host needs for mail to one domain.
#[derive(Debug, Clone)]
pub(crate) struct HopSecurity {
    /// Which TLS it must be.
    pub(crate) tls: HopTls,
    /// What TLS is begun with; none where it is not begun.
    pub(crate) handshake: Option<Handshake>,
    /// Why it is this TLS, in plain words, for the trace.
    pub(crate) why: String,
    /// Is told of each session (RFC 8460); none where there is no domain to report to.
    pub(crate) counter: Option<Counter>,
}

/// A host that may not be used.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// By a policy; [`HopRefused::outcome`] says what that means for the recipients.
    Refused(HopRefused),
    /// A certificate cannot be checked as asked: nobody is trusted here, or a name is none of a host.
    Tls(TlsError),
}

/// Decides for each host. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Security {
    inner: Arc<Inner>,
}

struct Inner {
    names: Arc<dyn Names>,
    outbound: Outbound,
    dane: Switch,
    /// None where MTA-STS is switched off.
    policies: Option<MtaSts>,
    results: TlsResults,
}

/// MTA-STS policies of former runs are in this file of the data folder.
const POLICIES_FILE: &str = "mta-sts";
/// What became of TLS is in this file of the data folder.
const RESULTS_FILE: &str = "tls-results";
/// How often it is looked whether policies are to be read again.
const REFRESH_EVERY: Duration = Duration::from_secs(60 * 60);

impl Security {
    pub(crate) fn new(
        names: Arc<dyn Names>,
        outbound: Outbound,
        dane: Switch,
        policies: Option<MtaSts>,
        results: TlsResults,
    ) -> Self {
        Self { inner: Arc::new(Inner { names, outbound, dane, policies, results }) }
    }

    /// As the configuration asks. Within a runtime it also reads policies again before they expire.
    ///
    /// # Errors
    /// The cryptography does not work.
    pub(crate) fn of(config: &Config, dns: &Dns) -> Result<Self, TlsError> {
        let path = config.data.join(RESULTS_FILE);
        let (results, problem) = TlsResults::open(&path);
        if let Some(problem) = problem {
            warn!(path = %path.display(), %problem, "what became of TLS is counted anew");
        }
        let security = Self::with_policies_in(config, dns, Some(&config.data), results)?;
        security.refresh_from_now_on();
        security.save_from_now_on();
        Ok(security)
    }

    /// The same for one question: nothing is read from the data folder, which a server may be using, nor left there.
    ///
    /// # Errors
    /// The cryptography does not work.
    pub(crate) fn passing(config: &Config, dns: &Dns) -> Result<Self, TlsError> {
        Self::with_policies_in(config, dns, None, TlsResults::default())
    }

    fn with_policies_in(
        config: &Config,
        dns: &Dns,
        folder: Option<&Path>,
        results: TlsResults,
    ) -> Result<Self, TlsError> {
        let outbound = Outbound::new(&Roots::System)?;
        let policies = match config.delivery.mta_sts {
            Switch::On => Some(policies(config, dns, folder)?),
            Switch::Off => None,
        };
        Ok(Self::new(Arc::new(dns.clone()), outbound, config.delivery.dane, policies, results))
    }

    /// What became of TLS, for reports.
    #[allow(dead_code, reason = "what sends reports reads it")]
    pub(crate) fn results(&self) -> &TlsResults {
        &self.inner.results
    }

    /// Which TLS `hop`, at this port, must show for mail to `domain`: the domain whose mail servers were asked for, or
    /// the name of a smart host; none where the destination is an address.
    ///
    /// # Errors
    /// Why the host may not be used.
    pub(crate) async fn for_hop(
        &self,
        domain: Option<&Domain>,
        hop: &Hop,
        port: u16,
        configured: &TlsPolicy,
        require_tls: bool,
        now: Timestamp,
    ) -> Result<HopSecurity, Unusable> {
        let tlsa = self.tlsa(hop, port, configured).await;
        let policy = self.policy(domain, configured, tlsa.as_ref(), now).await;
        let next_hop_alias = self.alias(domain, hop, tlsa.as_ref()).await;
        let applied = Applied { domain, hop, tlsa: tlsa.as_ref(), policy: policy.as_deref() };
        let facts = Facts {
            configured,
            require_tls,
            next_hop: domain,
            next_hop_alias: next_hop_alias.as_ref(),
            hop,
            tlsa: tlsa.as_ref().map(|(base, lookup)| Tlsa { base, lookup }),
            sts: applied.sts(),
        };
        let (tls, why) = decide(&facts).map_err(|refused| {
            self.count_refusal(&applied, &refused, now);
            Unusable::Refused(refused)
        })?;
        let (connector, observation) = self.connector(&tls, &why, hop).map_err(Unusable::Tls)?;
        let handshake = connector.map(|connector| handshake(&connector, hop)).transpose();
        let handshake = handshake.map_err(Unusable::Tls)?;
        let counter = applied.counter(&self.inner.results, &why, observation);
        Ok(HopSecurity { tls, handshake, why: why.to_string(), counter })
    }

    /// The first name with proven records, or the one that cannot be asked, and what the DNS says (RFC 7672 §2.2.3).
    async fn tlsa(&self, hop: &Hop, port: u16, configured: &TlsPolicy) -> Option<Asked> {
        if self.inner.dane == Switch::Off || !asks_for_tlsa(configured, hop) {
            return None;
        }
        let mut last = None;
        for base in tlsa_bases(hop) {
            let lookup = self.inner.names.tlsa(port, base).await;
            let is_settled = settles(&lookup);
            last = Some((base.clone(), lookup));
            if is_settled {
                break;
            }
        }
        last
    }

    /// The MTA-STS policy that holds for the domain, where it may come to it.
    async fn policy(
        &self,
        domain: Option<&Domain>,
        configured: &TlsPolicy,
        tlsa: Option<&Asked>,
        now: Timestamp,
    ) -> Option<Arc<Policy>> {
        let (policies, domain) = self.inner.policies.as_ref().zip(domain)?;
        let is_settled = match configured {
            TlsPolicy::None | TlsPolicy::Dane => true,
            TlsPolicy::Verified { names } => !names.is_empty(),
            TlsPolicy::Opportunistic | TlsPolicy::Required => false,
        };
        // RFC 8461 §2: DANE wins, so that it need not be asked what loses.
        let is_dane = tlsa.is_some_and(|(_, lookup)| match lookup {
            Lookup::Records { records, .. } => settles(lookup) && !usable(records).is_empty(),
            Lookup::Trouble(_) => true,
            Lookup::NoData { .. } | Lookup::NoSuchName => false,
        });
        if is_settled || is_dane {
            return None;
        }
        let txt = self.inner.names.txt(&format!("_mta-sts.{}", domain.ascii())).await;
        let found = policies.find(domain, &txt, now).await;
        if let Some(problem) = &found.problem {
            // RFC 8461 §3.3: the administrator is told.
            warn!(domain = domain.ascii(), %problem, "an MTA-STS policy cannot be read");
            let policy = found.policy.as_deref();
            let applied = policy
                .map_or_else(|| AppliedPolicy::none(domain), |policy| AppliedPolicy::sts(domain, policy));
            if let Some(failure) = Failure::of_policy(problem) {
                self.inner.results.failed(domain, applied, failure, now);
            }
        }
        found.policy
    }

    /// What the domain is an alias of: a name that certificates may have too, where an authority vouches for them
    /// (RFC 7672 §3.2.2). The DNS has just said it, and remembers it.
    async fn alias(&self, domain: Option<&Domain>, hop: &Hop, tlsa: Option<&Asked>) -> Option<Domain> {
        let Found::Mx { .. } = hop.found else { return None };
        let Some((_, Lookup::Records { records, .. })) = tlsa else { return None };
        if !records.iter().any(|record| record.usage == DANE_TA) {
            return None;
        }
        match self.inner.names.mx(domain?).await {
            Lookup::Records { alias_of, .. } => alias_of,
            Lookup::NoData { .. } | Lookup::NoSuchName | Lookup::Trouble(_) => None,
        }
    }

    /// What TLS is begun with, and where it shows what a certificate is worth that nobody insists on.
    fn connector(
        &self,
        tls: &HopTls,
        why: &Why,
        hop: &Hop,
    ) -> Result<(Option<Connector>, Option<Observation>), TlsError> {
        let outbound = &self.inner.outbound;
        let connector = match (tls, why, &hop.name) {
            (HopTls::None, ..) => return Ok((None, None)),
            (HopTls::Opportunistic, Why::StsTesting(Listing::Listed), Some(name)) => {
                match outbound.observed(std::slice::from_ref(name)) {
                    Ok((connector, observation)) => return Ok((Some(connector), Some(observation))),
                    // Where nobody is trusted, nothing is to be seen.
                    Err(_) => outbound.any(),
                }
            }
            (HopTls::Opportunistic | HopTls::Required, ..) => outbound.any(),
            (HopTls::Verified { names }, ..) => outbound.verified(names)?,
            (HopTls::Dane { records, names }, ..) => outbound.dane(records, names)?,
        };
        Ok((Some(connector), None))
    }

    /// A host that a policy takes out is a session that did not come to be.
    fn count_refusal(&self, applied: &Applied<'_>, refused: &HopRefused, now: Timestamp) {
        let Some(domain) = applied.domain else { return };
        let result = match refused {
            HopRefused::TlsaLookup(DnsTrouble::Bogus) => ResultType::DnssecInvalid,
            HopRefused::DaneRequired => ResultType::DaneRequired,
            HopRefused::NotListed(_) => ResultType::CertificateHostMismatch,
            // A resolver that fails is no matter of the policy (RFC 8460 §4.3.4), nor is what is asked for here.
            HopRefused::TlsaLookup(_) | HopRefused::NoName | HopRefused::RequireTls => return,
        };
        let failure =
            Failure { result, mx: applied.hop.name.clone(), ip: None, reason: Some(refused.to_string()) };
        let policy = match (result, applied.policy) {
            (ResultType::CertificateHostMismatch, Some(policy)) => AppliedPolicy::sts(domain, policy),
            _ => AppliedPolicy::none(domain),
        };
        self.inner.results.failed(domain, policy, failure, now);
    }

    /// Until the last copy of this is gone, which writes it too.
    fn save_from_now_on(&self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let weak = Arc::downgrade(&self.inner);
        runtime.spawn(async move {
            loop {
                tokio::time::sleep(SAVE_EVERY).await;
                let Some(inner) = weak.upgrade() else { return };
                // It has told what went wrong, and tries again.
                let _ = tokio::task::spawn_blocking(move || inner.save_results()).await;
            }
        });
    }

    /// Until the last copy of this is gone.
    fn refresh_from_now_on(&self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let weak = Arc::downgrade(&self.inner);
        runtime.spawn(async move {
            loop {
                tokio::time::sleep(REFRESH_EVERY).await;
                let Some(inner) = weak.upgrade() else { return };
                let Some(policies) = &inner.policies else { return };
                for (domain, problem) in policies.refresh(now()).await {
                    warn!(domain = domain.ascii(), %problem, "an MTA-STS policy is not refreshed");
                }
            }
        });
    }
}

impl Inner {
    fn save_results(&self) {
        if let Err(error) = self.results.save() {
            warn!(%error, "what became of TLS cannot be written to the data folder");
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.save_results();
    }
}

/// Whose TLSA records were asked for, and the answer.
type Asked = (Domain, Lookup<TlsaRecord>);

const DANE_TA: u8 = 2;

/// The policies of a domain, as they are about one host.
struct Applied<'a> {
    domain: Option<&'a Domain>,
    hop: &'a Hop,
    tlsa: Option<&'a Asked>,
    policy: Option<&'a Policy>,
}

impl Applied<'_> {
    fn sts(&self) -> Option<Sts> {
        let policy = self.policy?;
        let mode = match policy.mode {
            Mode::Enforce => StsMode::Enforce,
            Mode::Testing => StsMode::Testing,
            Mode::None => return None,
        };
        let is_listed = self.hop.name.as_ref().is_some_and(|name| policy.names(name));
        Some(Sts { mode, listing: if is_listed { Listing::Listed } else { Listing::Unlisted } })
    }

    /// Counts sessions under the policy that decided, or that is tested.
    fn counter(&self, results: &TlsResults, why: &Why, observation: Option<Observation>) -> Option<Counter> {
        let domain = self.domain?;
        let (policy, flaw) = match (why, self.tlsa, self.policy) {
            (Why::Dane(_), Some((base, Lookup::Records { records, .. })), _) => {
                (AppliedPolicy::tlsa(base, records), None)
            }
            (Why::TlsaUnusable(_), Some((base, Lookup::Records { records, .. })), _) => {
                (AppliedPolicy::tlsa(base, records), Some(ResultType::TlsaInvalid))
            }
            (Why::StsTesting(Listing::Unlisted), _, Some(policy)) => {
                (AppliedPolicy::sts(domain, policy), Some(ResultType::CertificateHostMismatch))
            }
            (Why::StsTesting(Listing::Listed) | Why::StsEnforced, _, Some(policy)) => {
                (AppliedPolicy::sts(domain, policy), None)
            }
            // The operator's word is no policy of the domain.
            _ => (AppliedPolicy::none(domain), None),
        };
        Some(results.counter(domain, policy, self.hop.name.as_ref(), observation, flaw))
    }
}

/// Asked for by the host's name; an address is not asked for (RFC 6066 §3).
fn handshake(connector: &Connector, hop: &Hop) -> Result<Handshake, TlsError> {
    let name = match &hop.name {
        Some(name) => name.ascii().to_owned(),
        None => hop.addresses.first().map(ToString::to_string).unwrap_or_default(),
    };
    let (config, name) = connector.handshake(&name)?;
    Ok(Handshake { config, name })
}

fn policies(config: &Config, dns: &Dns, folder: Option<&Path>) -> Result<MtaSts, TlsError> {
    let families = config.delivery.families();
    let hosts = PolicyHosts { dns: dns.clone(), families, policy: config.delivery.address_policy() };
    let options = HttpsOptions { port: config.delivery.mta_sts_port, ..HttpsOptions::default() };
    let fetch = Https::new(Arc::new(hosts), options)?;
    let file = folder.map(|folder| folder.join(POLICIES_FILE));
    let (policies, problem) = MtaSts::open(Arc::new(fetch), file, now());
    if let Some(problem) = problem {
        warn!(%problem, "MTA-STS policies of former runs are fetched anew");
    }
    Ok(policies)
}

#[async_trait]
impl Names for Dns {
    async fn tlsa(&self, port: u16, host: &Domain) -> Lookup<TlsaRecord> {
        Self::tlsa(self, port, host).await
    }

    async fn txt(&self, name: &str) -> Lookup<Vec<u8>> {
        Self::txt(self, name).await
    }

    async fn mx(&self, domain: &Domain) -> Lookup<MxRecord> {
        Self::mx(self, domain).await
    }
}
