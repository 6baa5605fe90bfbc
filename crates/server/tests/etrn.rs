//! Mail for hosts that come and go, through real sockets: ETRN (RFC 1985), ATRN (RFC 2645) and TURN (RFC 821 §3.8).

#![allow(clippy::unwrap_used, reason = "a test that stops has failed")]

mod common;
#[path = "common/house.rs"]
mod house;

use std::net::SocketAddr;

use common::TestNode;
use house::{STRANGER, TRUSTED, Talk, Way, add, auth_plain, fields, house, logged_in, queue, set, talk};
use mta::route::{Pattern, Protocol, Transport};
use server::config::{Config, Etrn, TransportRule, Transports, TurnChoice};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use types::directory::{AccountSettings, SendAs};

const ADA: &str = "ada@example.org";
const CUSTOMER: &str = "customer@example.org";
const TEXT: &str = "From: ada@example.org\r\nSubject: s\r\n\r\ntext";

/// A house with a customer whose domains are `customer.example` and `second.example`.
async fn provider(change: impl FnOnce(&mut Config)) -> TestNode {
    let node = house(change).await;
    let send_as = ["@customer.example", "@second.example"].map(|text| text.parse::<SendAs>().unwrap());
    add(&node, CUSTOMER, AccountSettings { send_as: send_as.to_vec(), ..AccountSettings::default() }).await;
    node
}

async fn send(node: &TestNode, to: &[&str]) {
    let reply = logged_in(node, ADA).await.post("<ada@example.org>", to, TEXT).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
}

/// The same, until all that is in the queue has been looked at and waits to be asked for.
async fn send_and_park(node: &TestNode, to: &[&str]) {
    send(node, to).await;
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    while queue(node).await.iter().any(|item| item.state.due_at == item.received_at) {
        assert!(tokio::time::Instant::now() < deadline, "{:#?}", queue(node).await);
        tokio::task::yield_now().await;
    }
}

/// A session of on-demand mail relay within TLS.
async fn odmr(node: &TestNode, name: &str) -> Talk {
    let mut talk = talk(node, STRANGER, node.odmr, Way::StartTls).await;
    let reply = talk.say(&auth_plain(name)).await;
    assert!(reply.starts_with("235 "), "{reply}");
    talk
}

/// The customer's side of a reversed connection: greets, takes one message after the other, and hands them back.
async fn serve(talk: &mut Talk) -> Vec<String> {
    talk.send(b"220 customer.example ESMTP\r\n").await;
    let mut messages = Vec::new();
    loop {
        let command = talk.line().await;
        let verb = command.split(' ').next().unwrap().to_ascii_uppercase();
        match verb.as_str() {
            "EHLO" => talk.send(b"250-customer.example\r\n250-8BITMIME\r\n250 PIPELINING\r\n").await,
            "MAIL" | "RCPT" => {
                messages.push(command);
                talk.send(b"250 2.0.0 OK\r\n").await;
            }
            "DATA" => {
                talk.send(b"354 go\r\n").await;
                let mut message = String::new();
                loop {
                    match talk.line().await.as_str() {
                        "." => break,
                        line => message.push_str(&format!("{line}\r\n")),
                    }
                }
                messages.push(message);
                talk.send(b"250 2.0.0 taken\r\n").await;
            }
            "QUIT" => {
                talk.send(b"221 2.0.0 bye\r\n").await;
                return messages;
            }
            _ => panic!("not expected: {command:?}"),
        }
    }
}

/// A host that says no to the first connection, and takes mail on the next ones; hands back what it was given.
async fn host_that_was_away() -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let host = tokio::spawn(async move {
        let (mut first, _) = listener.accept().await.unwrap();
        first.write_all(b"421 4.3.2 not now\r\n").await.unwrap();
        drop(first);
        let (next, _) = listener.accept().await.unwrap();
        take_one(next).await
    });
    (address, host)
}

async fn take_one(socket: TcpStream) -> String {
    let mut stream = BufReader::new(socket);
    stream.write_all(b"220 back.example ESMTP\r\n").await.unwrap();
    let (mut message, mut in_data) = (String::new(), false);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap() == 0 {
            return message;
        }
        let reply: &[u8] = match line.as_str() {
            ".\r\n" if in_data => {
                stream.write_all(b"250 2.0.0 taken\r\n").await.unwrap();
                return message;
            }
            line if in_data => {
                message.push_str(line);
                continue;
            }
            "DATA\r\n" => {
                in_data = true;
                b"354 go\r\n"
            }
            _ => b"250 OK\r\n",
        };
        stream.write_all(reply).await.unwrap();
    }
}

/// Until the queue has as many items; the test's own limit of time ends it otherwise.
async fn until_queued(node: &TestNode, items: usize) {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    while queue(node).await.len() != items {
        assert!(tokio::time::Instant::now() < deadline, "{:#?}", queue(node).await);
        tokio::task::yield_now().await;
    }
}

/// Until the one item of the queue has been tried, and waits again.
async fn until_attempted(node: &TestNode) {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    while !matches!(queue(node).await.as_slice(), [item] if item.state.attempts == 1) {
        assert!(tokio::time::Instant::now() < deadline, "{:#?}", queue(node).await);
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn etrn_tells_whom_it_may_concern_how_much_waits() {
    let node = provider(|_| {}).await;
    let to = ["you@customer.example", "you@a.net.example", "she@b.net.example", "he@net.example"];
    // Nobody has asked yet, so all of it waits.
    let mut trusted = talk(&node, TRUSTED, node.smtp, Way::Clear).await;
    trusted
        .dialogue(&[
            ("ETRN customer.example", "251 2.0.0 OK, no messages waiting for node customer.example"),
            ("ETRN @net.example", "251 "),
            ("ETRN example.org", "459 4.7.1 Node example.org not allowed"),
            ("ETRN mail.example.org", "459 "),
            ("ETRN #nothing", "459 "),
            ("ETRN", "500 5.5.2"),
            ("ETRN com", "501 5.5.4"),
        ])
        .await;
    send(&node, &to).await;
    let mut stranger = talk(&node, STRANGER, node.smtp, Way::Clear).await;
    stranger.dialogue(&[("ETRN customer.example", "530 5.7.0")]).await;
    let mut ada = logged_in(&node, ADA).await;
    ada.dialogue(&[
        ("ETRN @net.example", "459 4.7.1"),
        ("ETRN #nothing", "459 "),
        ("MAIL FROM:<ada@example.org>", "250 "),
        ("ETRN customer.example", "503 "),
    ])
    .await;
    node.stop().await;
}

#[tokio::test]
async fn etrn_is_not_there_where_it_is_off_and_anyone_asks_only_for_what_waits() {
    let node = provider(|config| config.policy.etrn = Etrn::Off).await;
    let mut trusted = talk(&node, TRUSTED, node.smtp, Way::Clear).await;
    trusted.dialogue(&[("ETRN customer.example", "502 "), ("TURN", "502 5.5.1 TURN is off")]).await;
    node.stop().await;

    let node = provider(|config| {
        config.policy.etrn = Etrn::Anyone;
        let domain = Pattern::Domain("customer.example".parse().unwrap());
        config.transports = Transports::new(vec![TransportRule::new(domain, Transport::OnDemand)]);
    })
    .await;
    let mut stranger = talk(&node, STRANGER, node.smtp, Way::Clear).await;
    stranger
        .dialogue(&[
            ("ETRN customer.example", "251 "),
            ("ETRN other.example", "459 "),
            // Whoever could log in is told so.
            ("ETRN @customer.example", "530 5.7.0"),
            ("ETRN #customer.example", "530 5.7.0"),
        ])
        .await;
    node.stop().await;
}

#[tokio::test]
async fn etrn_brings_what_was_put_off_to_a_host_that_is_back() {
    let (address, host) = host_that_was_away().await;
    let node = provider(|config| {
        let to = Transport::Host {
            host: format!("[{}]", address.ip()).parse().unwrap(),
            port: address.port(),
            protocol: Protocol::Smtp,
        };
        let domain = Pattern::Domain("back.example".parse().unwrap());
        config.transports = Transports::new(vec![TransportRule::new(domain, to)]);
    })
    .await;
    send(&node, &["you@back.example"]).await;
    until_attempted(&node).await;
    let mut trusted = talk(&node, TRUSTED, node.smtp, Way::Clear).await;
    let reply = trusted.say("ETRN back.example").await;
    assert_eq!(reply, "253 2.0.0 OK, 1 pending message for node back.example started");
    let message = host.await.unwrap();
    assert!(message.ends_with("\r\n\r\ntext\r\n"), "{message}");
    until_queued(&node, 0).await;
    node.stop().await;
}

#[tokio::test]
async fn a_host_is_not_started_again_and_again() {
    let node = provider(|_| {}).await;
    send(&node, &["you@customer.example"]).await;
    let mut trusted = talk(&node, TRUSTED, node.smtp, Way::Clear).await;
    let mut last = String::new();
    for _ in 0..8 {
        last = trusted.say("ETRN @customer.example").await;
        if last.starts_with("458 ") {
            break;
        }
        assert!(last.starts_with("25"), "{last}");
    }
    assert!(last.starts_with("458 4.7.0") || queue(&node).await.is_empty(), "{last}");
    node.stop().await;
}

#[tokio::test]
async fn atrn_hands_the_mail_of_the_accounts_domains_over_on_the_same_connection() {
    let node = provider(|_| {}).await;
    send_and_park(&node, &["you@customer.example", "she@second.example", "he@third.example"]).await;
    send_and_park(&node, &["you@customer.example"]).await;
    let mut customer = odmr(&node, CUSTOMER).await;
    assert_eq!(customer.say("ATRN").await, "250 2.0.0 OK now reversing the connection");
    let taken = serve(&mut customer).await;
    let mut recipients: Vec<_> = taken.iter().filter(|line| line.starts_with("RCPT")).collect();
    recipients.sort();
    let to = |address: &str| format!("RCPT TO:<{address}>");
    assert_eq!(
        recipients,
        [&to("she@second.example"), &to("you@customer.example"), &to("you@customer.example")]
    );
    let messages: Vec<_> = taken.iter().filter(|text| text.contains("\r\n\r\n")).collect();
    assert_eq!(messages.len(), 3);
    for message in messages {
        assert!(message.ends_with("\r\n\r\ntext\r\n"), "{message}");
        assert_eq!(fields(message, "Received").len(), 1, "{message}");
    }
    until_queued(&node, 1).await;
    assert_eq!(queue(&node).await[0].destination.as_str(), "third.example");
    // RFC 2645 §5.2.1: nothing is left.
    let mut customer = odmr(&node, CUSTOMER).await;
    assert!(customer.say("ATRN").await.starts_with("453 4.0.0 You have no mail"));
    assert!(customer.say("QUIT").await.starts_with("221 "));
    node.stop().await;
}

#[tokio::test]
async fn atrn_gives_nobody_the_mail_of_others() {
    let node = provider(|_| {}).await;
    send_and_park(&node, &["you@customer.example", "he@third.example"]).await;
    set(&node, "robot@example.org", |settings| settings.send_as = vec![SendAs::Anyone]).await;
    let mut stranger = talk(&node, STRANGER, node.odmr, Way::StartTls).await;
    stranger
        .dialogue(&[
            ("ATRN", "530 5.7.0"),
            ("ATRN customer.example", "530 5.7.0"),
            ("MAIL FROM:<a@example.net>", "502 "),
            ("ETRN customer.example", "502 "),
        ])
        .await;
    // The right to send as anyone is no right to anyone's mail, and the account's own address none to its domain.
    for name in [ADA, "robot@example.org"] {
        let mut other = odmr(&node, name).await;
        other
            .dialogue(&[
                ("ATRN", "450 4.7.1"),
                ("ATRN customer.example", "450 4.7.1"),
                ("ATRN example.org", "450 4.7.1"),
            ])
            .await;
    }
    let mut customer = odmr(&node, CUSTOMER).await;
    customer
        .dialogue(&[
            ("ATRN customer.example,third.example", "450 4.7.1"),
            ("ATRN sub.customer.example", "450 4.7.1"),
            ("ATRN second.example", "453 "),
            ("ATRN localname", "501 "),
        ])
        .await;
    // Rights are read again: they were taken away meanwhile.
    set(&node, CUSTOMER, |settings| settings.send_as.clear()).await;
    customer.dialogue(&[("ATRN customer.example", "450 4.7.1")]).await;
    assert_eq!(queue(&node).await.len(), 2);
    node.stop().await;
}

#[tokio::test]
async fn a_customer_that_breaks_off_leaves_its_mail_where_it_was() {
    let node = provider(|_| {}).await;
    send_and_park(&node, &["you@customer.example"]).await;
    let mut customer = odmr(&node, CUSTOMER).await;
    assert!(customer.say("ATRN customer.example").await.starts_with("250 "));
    customer.send(b"220 customer.example ESMTP\r\n").await;
    assert!(customer.line().await.starts_with("EHLO "));
    customer.send(b"250 customer.example\r\n").await;
    let line = customer.line().await;
    assert!(line.starts_with("MAIL FROM:<ada@example.org>"), "{line:?}");
    drop(customer);
    until_attempted(&node).await;
    // It comes again, and gets it.
    let mut customer = odmr(&node, CUSTOMER).await;
    assert!(customer.say("ATRN customer.example").await.starts_with("250 "));
    let taken = serve(&mut customer).await;
    assert!(taken.iter().any(|text| text.ends_with("\r\n\r\ntext\r\n")), "{taken:?}");
    until_queued(&node, 0).await;
    node.stop().await;
}

#[tokio::test]
async fn turn_is_for_who_has_logged_in_within_tls_where_the_operator_turned_it_on() {
    let node = provider(|config| config.policy.turn = TurnChoice::AfterLogin).await;
    send_and_park(&node, &["you@customer.example"]).await;
    let mut clear = talk(&node, STRANGER, node.smtp, Way::Clear).await;
    clear.dialogue(&[("TURN", "530 5.7.0")]).await;
    let mut customer = talk(&node, STRANGER, node.smtp, Way::StartTls).await;
    customer.dialogue(&[("TURN", "530 5.7.0")]).await;
    assert!(customer.say(&auth_plain(CUSTOMER)).await.starts_with("235 "));
    assert!(customer.say("TURN").await.starts_with("250 "));
    let taken = serve(&mut customer).await;
    assert!(taken.iter().any(|line| line == "RCPT TO:<you@customer.example>"), "{taken:?}");
    until_queued(&node, 0).await;
    node.stop().await;
}
