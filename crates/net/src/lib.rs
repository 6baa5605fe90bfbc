//! What a node needs of the network beyond sockets: TLS and what proxies say today; DNS and mail authentication later.
//!
//! Left out on purpose: the sockets themselves and when TLS is begun, which are the session drivers'.

pub mod proxy;
pub mod tls;
