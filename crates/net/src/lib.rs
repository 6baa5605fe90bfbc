//! What a node needs of the network: DNS, TLS, what proxies say today; mail authentication later.
//!
//! Left out on purpose: the sockets of sessions and when TLS is begun, which are the session drivers'.

pub mod dane;
pub mod dns;
pub mod files;
pub mod mta_sts;
pub mod proxy;
pub mod tls;
