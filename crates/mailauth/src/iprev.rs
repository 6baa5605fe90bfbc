//! Whether the name of an address leads back to it (RFC 8601 §3).

use std::fmt;
use std::net::IpAddr;

use types::dns::Lookup;

use crate::{Names, is_name};

/// Names of an address that are looked at; RFC 8601 §3 leaves the number open.
pub const NAMES_MAX: usize = 5;

/// The results of RFC 8601 §2.7.3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Iprev {
    /// A name of the address has it among its addresses.
    Pass {
        /// The name, in lower case.
        name: String,
    },
    /// It has names, and none of them leads back.
    Fail,
    /// It has no name.
    PermError,
    /// The DNS does not answer now.
    TempError,
}

/// Looks the address up and its names back.
pub async fn check(names: &dyn Names, ip: IpAddr) -> Iprev {
    let ip = ip.to_canonical();
    let found = match names.ptr(ip).await {
        Lookup::Records { records, .. } => records,
        Lookup::NoData { .. } | Lookup::NoSuchName => return Iprev::PermError,
        Lookup::Trouble(_) => return Iprev::TempError,
    };
    let mut verdict = Iprev::Fail;
    for name in found.into_iter().take(NAMES_MAX) {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        if !is_name(&name) {
            continue;
        }
        match leads_to(names, &name, ip).await {
            Some(true) => return Iprev::Pass { name },
            Some(false) => {}
            None => verdict = Iprev::TempError,
        }
    }
    verdict
}

/// None where the DNS does not answer.
async fn leads_to(names: &dyn Names, name: &str, ip: IpAddr) -> Option<bool> {
    match ip {
        IpAddr::V4(ip) => has(names.ipv4(name).await, &ip),
        IpAddr::V6(ip) => has(names.ipv6(name).await, &ip),
    }
}

fn has<R: PartialEq>(lookup: Lookup<R>, wanted: &R) -> Option<bool> {
    match lookup {
        Lookup::Records { records, .. } => Some(records.contains(wanted)),
        Lookup::NoData { .. } | Lookup::NoSuchName => Some(false),
        Lookup::Trouble(_) => None,
    }
}

impl Iprev {
    /// As it stands in `Authentication-Results`.
    #[must_use]
    pub const fn keyword(&self) -> &'static str {
        match self {
            Self::Pass { .. } => "pass",
            Self::Fail => "fail",
            Self::PermError => "permerror",
            Self::TempError => "temperror",
        }
    }
}

impl fmt::Display for Iprev {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.keyword())
    }
}
