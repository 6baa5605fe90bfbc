//! Which TLS a host must show: asks the DNS and the MTA-STS policies for what [`mta::tls`] wants to know, and has the
//! connectors for what it decides.
//!
//! Standards: RFC 7672 §2.2 (where TLSA records are), RFC 8461 §3 (where policies are), RFC 8460 (what is counted).
//!
//! The answer is for one domain at one host: two domains at the same host may ask for different things, so a
//! connection is shared by those alone for which [`HopSecurity::tls`] is the same.

use async_trait::async_trait;
use mta::route::Hop;
use mta::tls::{Facts, HopRefused, HopTls, TlsPolicy, Tlsa, asks_for_tlsa, decide, settles, tlsa_bases};
use net::tls::{Connector, Outbound, TlsError};
use std::sync::Arc;
use types::dns::{Lookup, MxRecord, TlsaRecord};
use types::{Domain, Timestamp};

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

#[async_trait]
impl Names for net::dns::Dns {
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

/// What a connection to one host needs for mail to one domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HopSecurity {
    /// Which TLS it must be.
    pub(crate) tls: HopTls,
    /// Why, in plain words, for the trace.
    pub(crate) why: String,
}

/// Decides for each host. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Security {
    inner: Arc<Inner>,
}

struct Inner {
    names: Arc<dyn Names>,
    outbound: Outbound,
    dane: bool,
}

impl Security {
    pub(crate) fn new(names: Arc<dyn Names>, outbound: Outbound, dane: bool) -> Self {
        Self { inner: Arc::new(Inner { names, outbound, dane }) }
    }

    /// Which TLS `hop`, at this port, must show for mail to `domain`: the domain whose mail servers were asked for, or
    /// the name of a smart host; none where the destination is an address.
    ///
    /// # Errors
    /// Why the host may not be used; [`HopRefused::outcome`] says what that means for the recipients.
    pub(crate) async fn for_hop(
        &self,
        domain: Option<&Domain>,
        hop: &Hop,
        port: u16,
        configured: &TlsPolicy,
        require_tls: bool,
        _now: Timestamp,
    ) -> Result<HopSecurity, HopRefused> {
        let tlsa = self.tlsa(hop, port, configured).await;
        let tlsa = tlsa.as_ref().map(|(base, lookup)| Tlsa { base, lookup });
        let facts =
            Facts { configured, require_tls, next_hop: domain, next_hop_alias: None, hop, tlsa, sts: None };
        let (tls, why) = decide(&facts)?;
        Ok(HopSecurity { tls, why: why.to_string() })
    }

    /// What TLS is begun with; none where it is not begun.
    ///
    /// # Errors
    /// No certificate can be checked as asked: nobody is trusted here, or a name is none of a host.
    pub(crate) fn connector(&self, tls: &HopTls) -> Result<Option<Connector>, TlsError> {
        let outbound = &self.inner.outbound;
        Ok(Some(match tls {
            HopTls::None => return Ok(None),
            HopTls::Opportunistic | HopTls::Required => outbound.any(),
            HopTls::Verified { names } => outbound.verified(names)?,
            HopTls::Dane { records, names } => outbound.dane(records, names)?,
        }))
    }

    /// The first name with proven records, or the one that cannot be asked, and what the DNS says (RFC 7672 §2.2.3).
    async fn tlsa(
        &self,
        hop: &Hop,
        port: u16,
        configured: &TlsPolicy,
    ) -> Option<(Domain, Lookup<TlsaRecord>)> {
        if !self.inner.dane || !asks_for_tlsa(configured, hop) {
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
}
