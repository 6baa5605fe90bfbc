//! How often waiting mail may be asked for. A host that is down is not to be called again and again because somebody
//! else says so (RFC 1985 §8), and a customer that polls without pause is told to wait (RFC 2645 §5.2.1).

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mta::rate::{Rate, Windows};
use types::Timestamp;

use crate::admission::network_of;

/// Counts over all sessions.
pub(crate) struct Limits {
    nodes: Mutex<Windows<String>>,
    networks: Mutex<Windows<IpAddr>>,
    accounts: Mutex<Windows<String>>,
}

const WINDOW: Duration = Duration::from_secs(60);
/// Starts of one node in a minute, whoever asks: a host that comes up tells us once for each of its names.
const STARTS_PER_NODE_MAX: u32 = 6;
/// ETRN commands in a minute of one network that is not trusted: as many names as a small provider has customers.
const COMMANDS_PER_NETWORK_MAX: u32 = 60;
/// ATRN and TURN commands of one account in a minute.
const REVERSALS_PER_ACCOUNT_MAX: u32 = 10;
/// Nodes, networks and accounts that are counted at one time: some 250 octets each.
const KEYS_MAX: usize = 4096;

impl Default for Limits {
    fn default() -> Self {
        Self {
            nodes: Mutex::new(Windows::new(WINDOW, KEYS_MAX)),
            networks: Mutex::new(Windows::new(WINDOW, KEYS_MAX)),
            accounts: Mutex::new(Windows::new(WINDOW, KEYS_MAX)),
        }
    }
}

impl Limits {
    /// Counts one ETRN of a client that is not trusted.
    pub(crate) fn may_ask(&self, client_ip: IpAddr, now: Timestamp) -> bool {
        take(&self.networks, &network_of(client_ip), COMMANDS_PER_NETWORK_MAX, now)
    }

    /// Counts one start of a node.
    pub(crate) fn may_start(&self, node: &str, now: Timestamp) -> bool {
        take(&self.nodes, &node.to_ascii_lowercase(), STARTS_PER_NODE_MAX, now)
    }

    /// Counts one reversal.
    pub(crate) fn may_reverse(&self, account: &str, now: Timestamp) -> bool {
        take(&self.accounts, &account.to_owned(), REVERSALS_PER_ACCOUNT_MAX, now)
    }
}

fn take<K: Ord + Clone>(windows: &Mutex<Windows<K>>, key: &K, limit: u32, now: Timestamp) -> bool {
    windows.lock().unwrap_or_else(PoisonError::into_inner).take(key, limit, now) == Rate::Within
}
