//! Places for connections, in all and by network.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Connections that may be turned away at one time; past that they are closed without a word.
const TURNED_AWAY_MAX: usize = 100;

/// Counts connections, in all and by network.
#[derive(Debug)]
pub(crate) struct Admission {
    connections_max: usize,
    per_address_max: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    turned_away: usize,
    by_network: HashMap<IpAddr, usize>,
}

/// A connection's place; dropped, it is free again.
#[derive(Debug)]
pub(crate) struct Place {
    admission: Arc<Admission>,
    counted: Counted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counted {
    /// As one of those that are turned away.
    TurnedAway,
    /// In all.
    InAll,
    /// In all and for its network.
    ForNetwork(IpAddr),
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There are as many connections as there may be.
    Full,
    /// The client's network has as many as it may have.
    FullForAddress,
    /// And there is nobody left to say so.
    Silent,
}

impl Admission {
    pub(crate) fn new(connections_max: usize, per_address_max: usize) -> Self {
        Self { connections_max, per_address_max, open: Mutex::default() }
    }

    /// A place, or why there is none with a place to say so. A client without a network (on a Unix domain socket, or
    /// behind a proxy that has not told its address yet) counts in all alone.
    pub(crate) fn admit(self: &Arc<Self>, ip: Option<IpAddr>) -> Result<Place, (Refusal, Option<Place>)> {
        let place = |counted| Place { admission: Arc::clone(self), counted };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let refusal = if open.all >= self.connections_max {
            Refusal::Full
        } else if ip.is_none_or(|ip| self.take_share(&mut open, network_of(ip))) {
            open.all += 1;
            return Ok(place(ip.map_or(Counted::InAll, |ip| Counted::ForNetwork(network_of(ip)))));
        } else {
            Refusal::FullForAddress
        };
        if open.turned_away >= TURNED_AWAY_MAX {
            return Err((Refusal::Silent, None));
        }
        open.turned_away += 1;
        Err((refusal, Some(place(Counted::TurnedAway))))
    }

    fn take_share(&self, open: &mut Open, network: IpAddr) -> bool {
        let from_network = open.by_network.entry(network).or_default();
        let has_share = *from_network < self.per_address_max;
        *from_network += usize::from(has_share);
        if *from_network == 0 {
            open.by_network.remove(&network);
        }
        has_share
    }
}

impl Place {
    /// Counts the connection for its client's network too, now that it is known. The place stays where that has no
    /// share left, to say so.
    pub(crate) fn count_for(&mut self, ip: IpAddr) -> Result<(), Refusal> {
        let network = network_of(ip);
        let mut open = self.admission.open.lock().unwrap_or_else(PoisonError::into_inner);
        if self.counted != Counted::InAll || !self.admission.take_share(&mut open, network) {
            return Err(Refusal::FullForAddress);
        }
        self.counted = Counted::ForNetwork(network);
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.admission.open.lock().unwrap_or_else(PoisonError::into_inner);
        match self.counted {
            Counted::TurnedAway => open.turned_away -= 1,
            Counted::InAll => open.all -= 1,
            Counted::ForNetwork(network) => {
                open.all -= 1;
                if let Some(count) = open.by_network.get_mut(&network) {
                    *count -= 1;
                    if *count == 0 {
                        open.by_network.remove(&network);
                    }
                }
            }
        }
    }
}

/// What counts as one address: of IPv6 a network of 64 bits, which is the least that one customer gets (RFC 6177).
pub(crate) fn network_of(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_ipv6_is_one_address_and_an_address_of_ipv4_is_itself() {
        for (ip, network) in [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:3::1", "2001:db8:1:3::"),
        ] {
            assert_eq!(network_of(ip.parse().unwrap()), network.parse::<IpAddr>().unwrap());
        }
    }

    #[test]
    fn a_network_has_its_share_and_a_place_that_is_given_back_can_be_had_again() {
        let admission = Arc::new(Admission::new(3, 2));
        let admit = |ip: &str| admission.admit(Some(ip.parse().unwrap()));
        let first = admit("2001:db8::1");
        let second = admit("2001:db8::2");
        assert!(first.is_ok() && second.is_ok());
        assert!(matches!(admit("2001:db8::3"), Err((Refusal::FullForAddress, Some(_)))));
        let third = admit("192.0.2.1");
        assert!(third.is_ok());
        assert!(matches!(admit("192.0.2.2"), Err((Refusal::Full, Some(_)))));
        drop(second);
        assert!(admit("2001:db8::3").is_ok());
        drop((first, third));
        let open = admission.open.lock().unwrap();
        assert!(open.all == 0 && open.turned_away == 0 && open.by_network.is_empty(), "{open:?}");
    }

    #[test]
    fn a_connection_behind_a_proxy_takes_its_share_once_its_client_is_known() {
        let admission = Arc::new(Admission::new(3, 1));
        let ip = IpAddr::from([192, 0, 2, 1]);
        let mut first = admission.admit(None).unwrap();
        let mut second = admission.admit(None).unwrap();
        assert_eq!(first.count_for(ip), Ok(()));
        assert_eq!(first.count_for(ip), Err(Refusal::FullForAddress), "it is counted once");
        assert_eq!(second.count_for(ip), Err(Refusal::FullForAddress));
        drop(first);
        assert_eq!(second.count_for(ip), Ok(()));
        drop(second);
        let open = admission.open.lock().unwrap();
        assert!(open.all == 0 && open.by_network.is_empty(), "{open:?}");
    }

    #[test]
    fn past_a_hundred_that_are_turned_away_at_one_time_connections_are_closed_without_a_word() {
        let admission = Arc::new(Admission::new(0, 1));
        let ip = Some(IpAddr::from([192, 0, 2, 1]));
        let turned_away: Vec<_> = (0..TURNED_AWAY_MAX).map(|_| admission.admit(ip)).collect();
        assert!(turned_away.iter().all(|refused| matches!(refused, Err((_, Some(_))))));
        assert!(matches!(admission.admit(ip), Err((Refusal::Silent, None))));
        drop(turned_away);
        assert!(matches!(admission.admit(ip), Err((Refusal::Full, Some(_)))));
    }
}
