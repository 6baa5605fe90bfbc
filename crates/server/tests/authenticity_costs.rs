//! What the checks of who sent a message may cost, and what of them is kept for reports.

#![allow(clippy::unwrap_used, reason = "a test that stops has failed")]

mod common;
#[path = "common/house.rs"]
mod house;
#[path = "common/resolver.rs"]
mod resolver;
#[path = "common/strangers.rs"]
mod strangers;

use std::net::Ipv4Addr;

use house::{fields, inbox};
use resolver::Zone;
use strangers::{node, visit};

const ADA: &str = "ada@example.org";
const SENDER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const TEXT: &str = "From: Bob <bob@sender.example>\r\nSubject: s\r\n\r\ntext";

/// attacks.md 17: each MAIL names another domain, and no message ever comes.
#[tokio::test]
async fn mail_said_again_and_again_asks_the_dns_no_more_until_a_message_comes() {
    let (node, resolver) =
        node(Zone::default().txt("sender.example", "v=spf1 ip4:192.0.2.1 -all"), |_| {}).await;
    let mut talk = visit(&node, SENDER).await;
    for number in 0..50 {
        let mail = format!("MAIL FROM:<x@d{number}.example>");
        talk.dialogue(&[(&mail, "250 "), ("RSET", "250 ")]).await;
    }
    // The message that comes is checked as any other, and so is the one after it.
    for _ in 0..2 {
        assert!(talk.post("<x@sender.example>", &[ADA], TEXT).await.starts_with("250 "));
        let message = inbox(&node, ADA).await.pop().unwrap();
        let results = fields(&message, "Authentication-Results");
        assert!(results[0].contains("spf=pass  smtp.mailfrom=sender.example"), "{results:?}");
    }
    let asked = resolver.asked();
    let made_up = asked.iter().filter(|name| name.starts_with('d') && name.ends_with(".example")).count();
    assert!(made_up <= 10 * 2, "{asked:?}");
    node.stop().await;
}

/// Of every message whose author's domain asks for reports, refused or not, over a restart.
#[tokio::test]
async fn what_aggregate_reports_will_tell_is_counted_and_outlives_the_node() {
    let zone = Zone::default()
        .txt("sender.example", "v=spf1 ip4:192.0.2.1 -all")
        .txt("_dmarc.sender.example", "v=DMARC1; p=reject; rua=mailto:reports@sender.example");
    let (node, resolver) = node(zone, |_| {}).await;
    let mut talk = visit(&node, SENDER).await;
    assert!(talk.post("<x@sender.example>", &[ADA], TEXT).await.starts_with("250 "));
    assert!(talk.post("<x@sender.example>", &[ADA], TEXT).await.starts_with("250 "));
    let mut forger = visit(&node, Ipv4Addr::new(198, 51, 100, 66)).await;
    assert!(forger.post("<x@sender.example>", &[ADA], TEXT).await.starts_with("550 5.7.26"));
    let server = server::config::DnsServer(resolver.address);
    let node = node
        .restart(|config| {
            house::production(config);
            config.dns.servers = vec![server];
        })
        .await;
    let text = std::fs::read_to_string(node.data().join("dmarc-results")).unwrap();
    let days: serde_json::Value = serde_json::from_str(&text).unwrap();
    let policies = &days[0]["domains"]["sender.example"];
    assert_eq!(policies[0]["published"]["policy"], "reject");
    assert_eq!(policies[0]["published"]["reports_to"][0], "mailto:reports@sender.example");
    let rows = policies[0]["rows"].as_array().unwrap();
    let told = |row: &serde_json::Value| {
        let text = |name: &str| row[0][name].as_str().unwrap().to_owned();
        (text("ip"), text("disposition"), row[1].as_u64().unwrap())
    };
    let mut told: Vec<_> = rows.iter().map(told).collect();
    told.sort();
    let expected = [("192.0.2.1", "pass", 2), ("198.51.100.66", "reject", 1)]
        .map(|(ip, done, n)| (ip.to_owned(), done.to_owned(), n));
    assert_eq!(told, expected);
    node.stop().await;
}
