//! What a node needs of the network beyond sockets: TLS today; DNS and mail authentication later.
//!
//! Left out on purpose: the sockets themselves and when TLS is begun, which are the session drivers'.

pub mod tls;
