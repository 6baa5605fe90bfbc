//! Getting a policy from its policy host (RFC 8461 §3.3).

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rustls::crypto::aws_lc_rs;
use tokio::sync::Semaphore;
use types::Domain;
use ureq::Agent;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

use crate::tls::{Roots, TlsError};

/// Octets of a policy (§3.3 suggests as much).
pub const POLICY_OCTETS_MAX: usize = 64 * 1024;
/// Policies that are fetched at one time.
pub const FETCHES_MAX: usize = 16;

/// Gets policies: from policy hosts, or in a test from wherever it likes.
#[async_trait]
pub trait Fetch: Send + Sync {
    /// What the policy host of the domain gives.
    ///
    /// # Errors
    /// Why it gives nothing.
    async fn fetch(&self, domain: &Domain) -> Result<Vec<u8>, FetchError>;
}

/// Says where a policy host is.
#[async_trait]
pub trait Addresses: Send + Sync {
    /// Its addresses, those left out that nobody outside may lead us to.
    async fn addresses(&self, host: &Domain) -> Vec<IpAddr>;
}

/// Why a policy host gives no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The name is longer than any name.
    #[error("its policy host would have too long a name")]
    Name,
    /// It has no address, or none that may be used.
    #[error("its policy host has no address")]
    NoAddress,
    /// No connection, or one that breaks.
    #[error("its policy host cannot be reached: {0}")]
    Unreachable(String),
    /// The certificate is not the policy host's.
    #[error("its policy host has no valid certificate: {0}")]
    Certificate(String),
    /// Not in time, or too many others are slow.
    #[error("its policy host takes too long")]
    TimedOut,
    /// Only 200 is an answer; a redirection is none (§3.3).
    #[error("its policy host answers with status {0}")]
    Status(u16),
    /// Not `text/plain` (§3.2).
    #[error("its policy host gives something else than text/plain")]
    MediaType,
    /// Over [`POLICY_OCTETS_MAX`].
    #[error("it is larger than 64 KiB")]
    TooLarge,
}

/// How policy hosts are asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpsOptions {
    /// Who vouches for them.
    pub roots: Roots,
    /// 443 (RFC 8461 §3.3), but for tests.
    pub port: u16,
    /// How long the whole of it may take; RFC 8461 §3.3 suggests at most a minute, and mail waits for it.
    pub timeout: Duration,
}

/// Asks policy hosts by HTTPS: `https://mta-sts.DOMAIN/.well-known/mta-sts.txt`.
pub struct Https {
    agent: Agent,
    known: Known,
    addresses: Arc<dyn Addresses>,
    options: HttpsOptions,
    free: Arc<Semaphore>,
}

/// Where the hosts are that are being asked. The HTTP client looks nothing up by itself, lest it be led to where the
/// node's own rules lead nobody.
#[derive(Debug, Clone, Default)]
struct Known(Arc<Mutex<Places>>);

#[derive(Debug, Default)]
struct Places {
    /// With the number of who asks: one that nobody waits for any more may be followed by another before it ends.
    of_hosts: HashMap<String, (u64, Vec<SocketAddr>)>,
    asked: u64,
}

impl Default for HttpsOptions {
    fn default() -> Self {
        Self { roots: Roots::System, port: 443, timeout: Duration::from_secs(30) }
    }
}

impl Https {
    /// Reads the roots.
    ///
    /// # Errors
    /// A file of roots that was named cannot be used.
    pub fn new(addresses: Arc<dyn Addresses>, options: HttpsOptions) -> Result<Self, TlsError> {
        let roots: Vec<_> = options
            .roots
            .certificates()?
            .iter()
            .map(|certificate| Certificate::from_der(certificate).to_owned())
            .collect();
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(aws_lc_rs::default_provider()))
            .root_certs(RootCerts::from(roots))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .https_only(true)
            .timeout_global(Some(options.timeout))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_response_header_size(HEADER_OCTETS_MAX)
            .max_idle_connections(0)
            .http_status_as_error(false)
            .user_agent("posta")
            .proxy(None)
            .build();
        let known = Known::default();
        let agent = Agent::with_parts(config, DefaultConnector::default(), known.clone());
        Ok(Self { agent, known, addresses, options, free: Arc::new(Semaphore::new(FETCHES_MAX)) })
    }
}

#[async_trait]
impl Fetch for Https {
    async fn fetch(&self, domain: &Domain) -> Result<Vec<u8>, FetchError> {
        let host: Domain = format!("mta-sts.{}", domain.ascii()).parse().map_err(|_| FetchError::Name)?;
        // The whole of it, waiting for the others among it, takes that long and no longer.
        let all = async {
            let turn = Arc::clone(&self.free).acquire_owned().await.map_err(|_| FetchError::TimedOut)?;
            let addresses: Vec<_> = self.addresses.addresses(&host).await;
            if addresses.is_empty() {
                return Err(FetchError::NoAddress);
            }
            let port = self.options.port;
            let addresses = addresses.into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
            let (agent, known) = (self.agent.clone(), self.known.clone());
            tokio::task::spawn_blocking(move || {
                // Given back when the thread is free again, whether or not somebody still waits for it.
                let _turn = turn;
                get(&agent, &known, &host, addresses)
            })
            .await
            .unwrap_or_else(|error| Err(FetchError::Unreachable(error.to_string())))
        };
        tokio::time::timeout(self.options.timeout, all).await.unwrap_or(Err(FetchError::TimedOut))
    }
}

fn get(
    agent: &Agent,
    known: &Known,
    host: &Domain,
    addresses: Vec<SocketAddr>,
) -> Result<Vec<u8>, FetchError> {
    let asker = known.insert(host.ascii(), addresses);
    let answer =
        agent.get(format!("https://{}/.well-known/mta-sts.txt", host.ascii())).header("accept", "text/plain");
    let answer = answer.call().map_err(FetchError::from);
    known.remove(host.ascii(), asker);
    let mut answer = answer?;
    if answer.status() != 200 {
        return Err(FetchError::Status(answer.status().as_u16()));
    }
    // §3.2: parameters do not matter.
    let is_plain = answer.body().mime_type().is_some_and(|kind| kind.eq_ignore_ascii_case("text/plain"));
    if !is_plain {
        return Err(FetchError::MediaType);
    }
    // One more than is taken, so that what is just as long is told from what is longer.
    let text = answer.body_mut().with_config().limit(POLICY_OCTETS_MAX as u64 + 1).read_to_vec()?;
    if text.len() > POLICY_OCTETS_MAX { Err(FetchError::TooLarge) } else { Ok(text) }
}

const HEADER_OCTETS_MAX: usize = 16 * 1024;
/// What the HTTP client takes at most.
const ADDRESSES_MAX: usize = 16;

impl Known {
    /// The number of who asks is for [`Known::remove`].
    fn insert(&self, host: &str, addresses: Vec<SocketAddr>) -> u64 {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        places.asked += 1;
        let asker = places.asked;
        places.of_hosts.insert(host.to_owned(), (asker, addresses));
        asker
    }

    /// Those of another asker stay.
    fn remove(&self, host: &str, asker: u64) {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if places.of_hosts.get(host).is_some_and(|(of, _)| *of == asker) {
            places.of_hosts.remove(host);
        }
    }
}

impl Resolver for Known {
    fn resolve(
        &self,
        uri: &Uri,
        _config: &Config,
        _timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().unwrap_or_default();
        let places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, addresses) = places.of_hosts.get(host).ok_or(ureq::Error::HostNotFound)?;
        let mut resolved = self.empty();
        for address in addresses.iter().take(ADDRESSES_MAX) {
            resolved.push(*address);
        }
        Ok(resolved)
    }
}

impl From<ureq::Error> for FetchError {
    fn from(error: ureq::Error) -> Self {
        let certificate = |error: &rustls::Error| match error {
            rustls::Error::InvalidCertificate(_) => Self::Certificate(error.to_string()),
            other => Self::Unreachable(other.to_string()),
        };
        match &error {
            ureq::Error::Timeout(_) => Self::TimedOut,
            ureq::Error::BodyExceedsLimit(_) => Self::TooLarge,
            ureq::Error::HostNotFound => Self::NoAddress,
            ureq::Error::Rustls(error) => certificate(error),
            ureq::Error::Io(io) => match io.get_ref().and_then(|inner| inner.downcast_ref()) {
                Some(error) => certificate(error),
                None => Self::Unreachable(io.to_string()),
            },
            other => Self::Unreachable(other.to_string()),
        }
    }
}

impl fmt::Debug for Https {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Https").field("options", &self.options).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fetch_that_ends_late_leaves_the_addresses_of_the_next_one() {
        let known = Known::default();
        let has = |host: &str| known.0.lock().unwrap().of_hosts.get(host).map(|(_, places)| places.clone());
        let places = |port| vec![SocketAddr::from(([192, 0, 2, 1], port))];
        let timed_out = known.insert("mta-sts.example.org", places(1));
        let next = known.insert("mta-sts.example.org", places(2));
        known.remove("mta-sts.example.org", timed_out);
        assert_eq!(has("mta-sts.example.org"), Some(places(2)));
        known.remove("mta-sts.example.org", next);
        assert_eq!(has("mta-sts.example.org"), None);
    }
}
