//! The DNS as `mailauth` asks it, until a time limit.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use async_trait::async_trait;
use mailauth::Names;
use net::dns::Dns;
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout_at};
use tracing::error;
use types::dns::{DnsTrouble, Lookup, MxRecord};

use crate::config::Config;
use crate::delivery::dns_options;

/// A resolver whose cache is its own: names that strangers make up never push out what the way out needs.
#[derive(Debug, Default)]
pub(crate) struct Resolver {
    /// Made when the first message comes from outside. None where it cannot be made.
    dns: OnceCell<Option<Dns>>,
}

/// Answers that come in time. Each name that is not answered by then is trouble; what is in the cache is known at any time.
pub(crate) struct NamesUntil {
    dns: Option<Dns>,
    until: Instant,
}

impl Resolver {
    pub(crate) async fn names_until(&self, config: &Config, until: Instant) -> NamesUntil {
        let made = self.dns.get_or_init(|| async {
            let options = dns_options(&config.dns);
            // It reads files of the system.
            let made = tokio::task::spawn_blocking(move || Dns::new(&options)).await;
            let refused =
                |error: &dyn std::fmt::Display| error!(%error, "the DNS cannot be asked who sent a message");
            match made {
                Ok(made) => made.inspect_err(|error| refused(error)).ok(),
                Err(error) => {
                    refused(&error);
                    None
                }
            }
        });
        NamesUntil { dns: made.await.clone(), until }
    }

    pub(super) async fn names_from_now(&self, config: &Config) -> NamesUntil {
        self.names_until(config, Instant::now() + config.authenticity.timeout_s.duration()).await
    }
}

impl NamesUntil {
    async fn in_time<R>(&self, answer: impl Future<Output = Lookup<R>> + Send) -> Lookup<R> {
        // The answer is looked for before the clock is.
        timeout_at(self.until, answer).await.unwrap_or(Lookup::Trouble(DnsTrouble::TimedOut))
    }
}

const NO_RESOLVER: DnsTrouble = DnsTrouble::ServerFailure;

#[async_trait]
impl Names for NamesUntil {
    async fn txt(&self, name: &str) -> Lookup<Vec<u8>> {
        let Some(dns) = &self.dns else { return Lookup::Trouble(NO_RESOLVER) };
        self.in_time(dns.txt(name)).await
    }

    async fn ipv4(&self, name: &str) -> Lookup<Ipv4Addr> {
        let Some(dns) = &self.dns else { return Lookup::Trouble(NO_RESOLVER) };
        self.in_time(dns.ipv4_at(name)).await
    }

    async fn ipv6(&self, name: &str) -> Lookup<Ipv6Addr> {
        let Some(dns) = &self.dns else { return Lookup::Trouble(NO_RESOLVER) };
        self.in_time(dns.ipv6_at(name)).await
    }

    async fn mx(&self, name: &str) -> Lookup<MxRecord> {
        let Some(dns) = &self.dns else { return Lookup::Trouble(NO_RESOLVER) };
        self.in_time(dns.mx_at(name)).await
    }

    async fn ptr(&self, address: IpAddr) -> Lookup<String> {
        let Some(dns) = &self.dns else { return Lookup::Trouble(NO_RESOLVER) };
        self.in_time(dns.ptr(address)).await.map(|domain| domain.ascii().to_owned())
    }
}
