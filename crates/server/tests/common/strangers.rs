#![allow(clippy::unwrap_used, reason = "a test that stops has failed")]
//! Clients from anywhere, and a node that asks the DNS about them.

use std::net::Ipv4Addr;

use server::config::{Config, DnsServer, Service, Switch};

use crate::common::{Client, TestNode};
use crate::house::{PROXY, Talk, from, house};
use crate::resolver::{Resolver, Zone};

/// A node that checks who sends, with a resolver that answers from the table; a proxy at [`PROXY`] tells where clients are.
pub(crate) async fn node(zone: Zone, change: impl FnOnce(&mut Config)) -> (TestNode, Resolver) {
    let resolver = zone.serve().await;
    let server = DnsServer(resolver.address);
    let node = house(|config| {
        config.authenticity.verify = Switch::On;
        config.dns.servers = vec![server];
        for listener in &mut config.listeners {
            if listener.service == Service::Smtp {
                listener.proxy_from = vec!["127.0.0.5/32".parse().unwrap()];
            }
        }
        change(config);
    })
    .await;
    (node, resolver)
}

/// A session with a client from there, as a proxy tells it.
pub(crate) async fn visit(node: &TestNode, ip: Ipv4Addr) -> Talk {
    let socket = from(PROXY, node.smtp).await;
    let mut talk: Talk = Client::over(Box::new(socket));
    talk.send(format!("PROXY TCP4 {ip} 198.51.100.7 56324 25\r\n").as_bytes()).await;
    talk.expect("220 ").await;
    assert!(talk.say("EHLO mx.sender.example").await.starts_with("250 "));
    talk
}
