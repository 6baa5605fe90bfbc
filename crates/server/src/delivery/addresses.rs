//! What is remembered of single addresses for some minutes: those where nobody answered, those that another address of
//! the same host outran, and those whose TLS does not work (RFC 7435 §3), so that not every message finds it out anew.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use types::Timestamp;

/// All of it.
#[derive(Default)]
pub(super) struct Addresses {
    dead: Memory,
    slow: Memory,
    without_tls: Memory,
}

#[derive(Default)]
struct Memory(Mutex<HashMap<SocketAddr, Timestamp>>);

/// How long an address that does not answer is tried after all others.
const DEAD_FOR: Duration = Duration::from_secs(5 * 60);
/// How long an address that was outrun is tried after the others of its host. A network that swallows what goes by one
/// family would cost each connection a wait (RFC 8305 §4 lets what was learnt before decide).
const SLOW_FOR: Duration = Duration::from_secs(10 * 60);
/// How long an address whose handshake failed is not asked for TLS where nobody insists on it.
const WITHOUT_TLS_FOR: Duration = Duration::from_secs(30 * 60);
/// Addresses that are remembered; past it all are forgotten.
const ADDRESSES_MAX: usize = 10_000;

impl Addresses {
    pub(super) fn is_dead(&self, address: SocketAddr, now: Timestamp) -> bool {
        self.dead.has(address, now)
    }

    pub(super) fn died(&self, address: SocketAddr, now: Timestamp) {
        self.dead.put(address, now.plus(DEAD_FOR));
    }

    pub(super) fn lives(&self, address: SocketAddr) {
        self.dead.remove(address);
        self.slow.remove(address);
    }

    pub(super) fn is_slow(&self, address: SocketAddr, now: Timestamp) -> bool {
        self.slow.has(address, now)
    }

    pub(super) fn was_outrun(&self, address: SocketAddr, now: Timestamp) {
        self.slow.put(address, now.plus(SLOW_FOR));
    }

    pub(super) fn is_without_tls(&self, address: SocketAddr, now: Timestamp) -> bool {
        self.without_tls.has(address, now)
    }

    pub(super) fn has_no_tls(&self, address: SocketAddr, now: Timestamp) {
        self.without_tls.put(address, now.plus(WITHOUT_TLS_FOR));
    }
}

impl Memory {
    fn has(&self, address: SocketAddr, now: Timestamp) -> bool {
        let memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        memory.get(&address).is_some_and(|until| *until > now)
    }

    fn put(&self, address: SocketAddr, until: Timestamp) {
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if memory.len() >= ADDRESSES_MAX {
            memory.clear();
        }
        memory.insert(address, until);
    }

    fn remove(&self, address: SocketAddr) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_of_an_address_ends() {
        let addresses = Addresses::default();
        let address: SocketAddr = "192.0.2.1:25".parse().unwrap();
        let now = Timestamp::from_millis(1_795_322_124_250);
        assert!(!addresses.is_dead(address, now));
        addresses.died(address, now);
        assert!(addresses.is_dead(address, now.plus(DEAD_FOR - Duration::from_millis(1))));
        assert!(!addresses.is_dead(address, now.plus(DEAD_FOR)));
        addresses.was_outrun(address, now);
        assert!(addresses.is_slow(address, now) && !addresses.is_slow(address, now.plus(SLOW_FOR)));
        addresses.lives(address);
        assert!(!addresses.is_dead(address, now) && !addresses.is_slow(address, now));
        assert!(!addresses.is_without_tls(address, now));
    }

    #[test]
    fn the_number_of_addresses_is_bounded() {
        let memory = Memory::default();
        for number in 0..u32::try_from(2 * ADDRESSES_MAX).unwrap() {
            memory.put((std::net::Ipv4Addr::from(number), 25).into(), Timestamp::from_millis(9));
        }
        assert!(memory.0.lock().unwrap().len() <= ADDRESSES_MAX);
    }
}
