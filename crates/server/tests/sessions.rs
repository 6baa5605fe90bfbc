//! What a session forgets, and what it does not: logins, proxies, lists and the trace, over real sockets (attacks 3,
//! 10 and 31; design promises 2 and 3).

#![allow(clippy::unwrap_used, reason = "a test that stops has failed")]

mod common;
#[path = "common/house.rs"]
mod house;

use std::time::Duration;

use common::{Client, TestNode};
use house::{
    PASSWORD, PROXY, STRANGER, TRUSTED, Talk, Way, account, add, alias, auth_plain, from, house, id_in,
    inbox, list, logged_in, talk, within_tls,
};
use server::config::{Config, Service};
use store::Directory as _;
use tokio::time::Instant;
use types::directory::{AccountSettings, AccountStatus, Posters};
use types::{EventStep, Verdict};

fn with_proxy(config: &mut Config) {
    for listener in config.listeners.iter_mut().filter(|listener| listener.service == Service::Smtp) {
        listener.xclient_from = vec![format!("{PROXY}/32").parse().unwrap()];
    }
}

async fn steps(node: &TestNode) -> Vec<(EventStep, Verdict, String)> {
    node.trace().await.into_iter().map(|event| (event.step, event.verdict, event.reason)).collect()
}

#[tokio::test]
async fn an_account_that_is_removed_is_not_replaced_by_the_trust_in_its_network() {
    let node = house(|_| {}).await;
    for address in [node.smtp, node.submission] {
        add(&node, "dan@example.org", AccountSettings::default()).await;
        let mut talk = talk(&node, TRUSTED, address, Way::StartTls).await;
        let (login, mail) = (auth_plain("dan@example.org"), "MAIL FROM:<dan@example.org>");
        talk.dialogue(&[(&login, "235 "), (mail, "250 "), ("RSET", "250 ")]).await;
        node.store().remove_account(account(&node, "dan@example.org").await.id).await.unwrap();
        talk.dialogue(&[
            (mail, "550 5.7.13"),
            (mail, "550 5.7.13"),
            ("MAIL FROM:<ada@example.org>", "550 5.7.13"),
            ("VRFY ada@example.org", "252 "),
        ])
        .await;
        // Nor is another account of the same name the one that was logged in to.
        add(&node, "dan@example.org", AccountSettings::default()).await;
        talk.dialogue(&[(mail, "550 5.7.13")]).await;
        node.store().remove_account(account(&node, "dan@example.org").await.id).await.unwrap();
    }
    node.stop().await;
}

#[tokio::test]
async fn as_whom_a_proxy_has_logged_in_its_clients_have_not() {
    let node = house(with_proxy).await;
    let mut talk = talk(&node, PROXY, node.smtp, Way::StartTls).await;
    talk.dialogue(&[
        (&auth_plain("ada@example.org"), "235 "),
        ("VRFY bob@example.org", "250 "),
        ("XCLIENT ADDR=203.0.113.9", "220 "),
        ("EHLO x.example", "250 "),
        ("VRFY bob@example.org", "252 "),
        ("MAIL FROM:<x@example.net>", "250 "),
        ("RCPT TO:<x@elsewhere.example>", "550 5.7.1"),
        ("RSET", "250 "),
    ])
    .await;
    node.stop().await;
}

#[tokio::test]
async fn starttls_drops_what_xclient_said_before() {
    let node = house(with_proxy).await;
    let mut clear = Client::over(from(PROXY, node.smtp).await);
    for (command, reply) in [
        ("", "220 "),
        ("EHLO x.example\r\n", "250 "),
        ("XCLIENT ADDR=127.0.0.2\r\n", "220 "),
        ("EHLO x.example\r\n", "250 "),
        ("VRFY bob@example.org\r\n", "250 "),
        ("STARTTLS\r\n", "220 "),
    ] {
        clear.send(command.as_bytes()).await;
        clear.expect(reply).await;
    }
    let mut talk: Talk = within_tls(&node, clear.into_inner()).await;
    talk.dialogue(&[("EHLO x.example", "250 "), ("VRFY bob@example.org", "252 ")]).await;
    node.stop().await;
}

#[tokio::test]
async fn port_25_is_no_way_round_what_an_account_may_send() {
    let node = house(|config| config.submission.messages_per_hour_per_account_max = 1).await;
    let mut talk = talk(&node, STRANGER, node.smtp, Way::StartTls).await;
    assert!(talk.say(&auth_plain("ada@example.org")).await.starts_with("235 "));
    let to = ["bob@example.org"];
    let refused = talk.post("<ada@example.org>", &to, "From: carol@example.org\r\n\r\ntext").await;
    assert!(refused.starts_with('5'), "{refused}");
    let taken = talk.post("<ada@example.org>", &to, "From: ada@example.org\r\n\r\ntext").await;
    assert!(taken.starts_with("250 "), "{taken}");
    let reply = talk.say("MAIL FROM:<ada@example.org>").await;
    assert!(reply.starts_with("451 4.7.1"), "{reply}");
    assert_eq!(inbox(&node, "bob@example.org").await.len(), 1);
    node.stop().await;
}

#[tokio::test]
async fn a_postmaster_whose_accounts_are_disabled_is_reached_beside_others() {
    let node = house(|_| {}).await;
    let left = AccountSettings {
        status: AccountStatus::Disabled { reason: "left".into() },
        ..AccountSettings::default()
    };
    add(&node, "left@example.org", left).await;
    alias(&node, "postmaster@example.org", &["gone@example.org", "left@example.org"]).await;
    let mut talk = talk(&node, STRANGER, node.smtp, Way::Clear).await;
    let to = ["bob@example.org", "postmaster@example.org"];
    assert!(talk.post("<x@example.net>", &to, "Subject: x\r\n\r\ntext").await.starts_with("250 "));
    for name in ["bob", "gone", "left"] {
        assert_eq!(inbox(&node, &format!("{name}@example.org")).await.len(), 1, "{name}");
    }
    node.stop().await;
}

#[tokio::test]
async fn lists_in_lists_by_many_ways_are_posted_to_once() {
    let node = house(|_| {}).await;
    let name = |level: usize, number: usize| format!("l{level}-{number}@example.org");
    for level in 0..8 {
        for number in 0..8 {
            let members: Vec<_> = match level {
                7 => vec!["ada@example.org".to_owned(), "bob@example.org".to_owned()],
                _ => (0..8).map(|number| name(level + 1, number)).collect(),
            };
            let members: Vec<_> = members.iter().map(String::as_str).collect();
            list(&node, &name(level, number), Posters::Anyone, &members).await;
        }
    }
    let mut talk = talk(&node, STRANGER, node.smtp, Way::Clear).await;
    // Eight to the power of seven ways lead to each of the two.
    let reply = talk.post("<x@example.net>", &[&name(0, 0)], "Subject: x\r\n\r\ntext").await;
    assert!(reply.starts_with("250 "), "{reply}");
    for name in ["ada@example.org", "bob@example.org"] {
        assert_eq!(inbox(&node, name).await.len(), 1);
    }
    node.stop().await;
}

#[tokio::test]
async fn the_trace_tells_of_copies_that_were_stored_and_of_no_others() {
    let node = house(|_| {}).await;
    let mut talk = logged_in(&node, "ada@example.org").await;
    let mut said = Vec::new();
    for _ in 0..2 {
        let mail = "<ada@example.org> XIDEMPOTENCY=once";
        let reply = talk.post(mail, &["bob@example.org"], "From: ada@example.org\r\n\r\ntext").await;
        said.push(id_in(&reply));
    }
    assert_eq!(said[0], said[1]);
    let events = node.trace().await;
    let delivered = events.iter().filter(|event| event.step == EventStep::Delivered);
    assert_eq!(delivered.map(|event| event.mail_id).collect::<Vec<_>>(), [Some(said[0])]);

    list(&node, "empty@example.org", Posters::Anyone, &[]).await;
    let to = ["bob@example.org", "empty@example.org"];
    let reply = talk.post("<ada@example.org>", &to, "From: ada@example.org\r\n\r\ntext").await;
    assert!(reply.starts_with("250 "), "{reply}");
    let events = node.trace().await;
    let about = |address: &str| {
        let of_mail = events.iter().filter(|event| event.mail_id == Some(id_in(&reply)));
        let mut about = of_mail.filter(|event| event.step == EventStep::Delivered);
        about.find(|event| event.address.as_deref() == Some(address)).map(|event| event.reason.clone())
    };
    assert_eq!(about("bob@example.org").as_deref(), Some("into INBOX"));
    assert_eq!(about("empty@example.org").as_deref(), Some("no copy: the list leads to nobody"));
    node.stop().await;
}

#[tokio::test]
async fn sessions_of_pop3_are_in_the_trace_from_their_start_to_their_end() {
    let node = house(|_| {}).await;
    let mut talk = Client::connect(node.pop3).await;
    talk.send(format!("USER ada@example.org\r\nPASS {PASSWORD}\r\nQUIT\r\n").as_bytes()).await;
    for _ in 0..4 {
        talk.expect("+OK").await;
    }
    talk.expect_end().await;
    let found = steps(&node).await;
    let expected = [
        (EventStep::Connected, Verdict::Noted, "from 127.0.0.1 to pop3"),
        (
            EventStep::Authentication,
            Verdict::Accepted,
            "logged in by PASSWORD with the app password \"tests\"",
        ),
        (EventStep::Closed, Verdict::Noted, "by QUIT"),
    ];
    assert_eq!(found, expected.map(|(step, verdict, reason)| (step, verdict, reason.to_owned())));

    let talk = Client::connect(node.pop3).await;
    drop(talk);
    // The end comes when the node sees it.
    let ended = async {
        loop {
            let found = steps(&node).await;
            if found.iter().any(|(_, _, reason)| reason == "the client closed the connection without QUIT") {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    ended.await;
    node.stop().await;
}

#[tokio::test]
async fn a_handshake_that_never_comes_does_not_hold_up_the_stop() {
    let node = house(|_| {}).await;
    let mut smtp = Client::connect(node.smtp).await;
    smtp.expect("220 ").await;
    smtp.send(b"EHLO x.example\r\nSTARTTLS\r\n").await;
    smtp.expect("250 ").await;
    smtp.expect("220 ").await;
    let mut pop3 = Client::connect(node.pop3).await;
    pop3.expect("+OK").await;
    pop3.send(b"STLS\r\n").await;
    pop3.expect("+OK").await;
    tokio::time::pause();
    let began = Instant::now();
    node.stop().await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}
