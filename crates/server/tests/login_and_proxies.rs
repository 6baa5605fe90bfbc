//! Who is logged in, and who a proxy says that the client is (RFC 4954, XCLIENT, the PROXY protocol), over real sockets:
//! what is told of it and what is not.

#![allow(clippy::unwrap_used, reason = "a test that stops has failed")]

mod common;
#[path = "common/house.rs"]
mod house;

use common::Client;
use house::{
    PASSWORD, PROXY, STRANGER, TRUSTED, Way, auth_plain, fields, from, house, id_in, inbox, logged_in, talk,
    within_tls,
};
use server::config::{Config, Listener, Mode, Service};
use store::{Trace as _, TraceQuery};

const ADA: &str = "ada@example.org";
const BOB: &str = "bob@example.org";
const TEXT: &str = "From: ada@example.org\r\n\r\ntext";

fn each(config: &mut Config, service: Service, change: impl Fn(&mut Listener)) {
    config.listeners.iter_mut().filter(|listener| listener.service == service).for_each(change);
}

#[tokio::test]
async fn starttls_drops_a_login_and_all_that_was_said_before() {
    // In development passwords are taken in clear text on loopback.
    let node = house(|config| {
        config.mode = Mode::Development;
        each(config, Service::Submission, |listener| listener.tls = server::config::TlsChoice::Offered);
    })
    .await;
    let mut clear = Client::over(from(STRANGER, node.submission).await);
    let login = auth_plain(ADA);
    let commands = format!(
        "EHLO client.example\r\n{login}\r\nMAIL FROM:<ada@example.org>\r\nRCPT TO:<bob@example.org>\r\nRSET\r\n\
         STARTTLS\r\n{login}\r\nMAIL FROM:<ada@example.org>\r\nRCPT TO:<bob@example.org>\r\n"
    );
    clear.send(commands.as_bytes()).await;
    for start in ["220 ", "250 ", "235 2.7.0", "250 2.1.0", "250 2.1.5", "250 2.0.0", "220 2.0.0"] {
        clear.expect(start).await;
    }
    // RFC 3207 §4.2 and attacks 3: neither the login before nor the one that was injected counts.
    let mut talk = within_tls(&node, clear.into_inner()).await;
    talk.dialogue(&[
        ("RCPT TO:<bob@example.org>", "503 "),
        ("MAIL FROM:<ada@example.org>", "5"),
        ("EHLO client.example", "250 "),
        ("MAIL FROM:<ada@example.org>", "530 5.7.0"),
        (&login, "235 2.7.0"),
        ("MAIL FROM:<ada@example.org>", "250 "),
    ])
    .await;
    drop(talk);
    node.stop().await;
}

// AUTH under bad input (attacks 7 and 10).

#[tokio::test]
async fn what_is_no_login_is_refused_and_leaves_nobody_logged_in() {
    let node = house(|_| {}).await;
    for (said, starts) in [
        ("AUTH PLAIN !!!!", &["501 5.5.2"][..]),
        ("AUTH PLAIN\r\n*", &["334 ", "501 5.7.0"]),
        ("AUTH PLAIN\r\n!", &["334 ", "501 5.5.2"]),
        ("AUTH PLAIN =", &["5"]),
        ("AUTH PLAIN AAAA", &["5"]),
        ("AUTH PLAIN YWRh", &["501 5.5.2"]),
        ("AUTH", &["501 5.5.4"]),
        ("AUTH NTLM", &["504 5.5.4"]),
        ("AUTH CRAM-MD5", &["504 5.5.4"]),
        ("AUTH LOGIN\r\nYWRhQGV4YW1wbGUub3Jn\r\nd3Jvbmc=", &["334 ", "334 ", "535 5.7.8"]),
        // Two NULs too many, one NUL within the password.
        ("AUTH PLAIN AGFkYUBleGFtcGxlLm9yZwBhAGI=", &["5"]),
        // The next command is not part of a response (attacks 7).
        ("AUTH PLAIN\r\nMAIL FROM:<ada@example.org>", &["334 ", "501 5.5.2"]),
    ] {
        let mut talk = talk(&node, STRANGER, node.submission, Way::StartTls).await;
        talk.send(format!("{said}\r\n").as_bytes()).await;
        for start in starts {
            let heard = talk.reply().await.pop().unwrap();
            assert!(heard.starts_with(start), "{said}: expected {start}, heard {heard}");
        }
        talk.dialogue(&[("MAIL FROM:<ada@example.org>", "530 5.7.0"), (&auth_plain(ADA), "235 ")]).await;
        // RFC 4954 §4: once, and not within a transaction.
        talk.dialogue(&[(&auth_plain(ADA), "503 5.5.1"), ("MAIL FROM:<ada@example.org>", "250 ")]).await;
        talk.dialogue(&[(&auth_plain(ADA), "503 5.5.1"), ("RCPT TO:<bob@example.org>", "250 ")]).await;
    }
    node.stop().await;
}

#[tokio::test]
async fn an_unknown_user_a_wrong_password_and_a_disabled_account_sound_alike() {
    let node = house(|_| {}).await;
    let mut heard = Vec::new();
    for name in ["nobody@example.org", "gone@example.org", "ada@example.org"] {
        let mut talk = talk(&node, STRANGER, node.submission, Way::StartTls).await;
        let wrong = if name.starts_with("gone") {
            auth_plain(name)
        } else {
            use base64::Engine as _;
            let text = base64::engine::general_purpose::STANDARD.encode(format!("\0{name}\0wrong"));
            format!("AUTH PLAIN {text}")
        };
        let reply = talk.say(&wrong).await;
        heard.push(reply.rsplit_once(" [").unwrap().0.to_owned());
        talk.dialogue(&[("MAIL FROM:<ada@example.org>", "530 5.7.0")]).await;
    }
    assert_eq!(heard, vec!["535 5.7.8 Authentication credentials invalid"; 3]);
    node.stop().await;
}

#[tokio::test]
async fn commands_behind_a_login_in_one_segment_are_those_of_who_logged_in() {
    let node = house(|_| {}).await;
    let mut talk = talk(&node, STRANGER, node.submission, Way::StartTls).await;
    let commands = format!(
        "{}\r\nMAIL FROM:<bob@example.org>\r\nMAIL FROM:<ada@example.org>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n",
        auth_plain(ADA)
    );
    talk.send(commands.as_bytes()).await;
    for start in ["235 2.7.0", "553 5.7.1", "250 2.1.0", "250 2.1.5", "354 "] {
        talk.expect(start).await;
    }
    drop(talk);
    node.stop().await;
}

// What the operator can find out, and what nobody can.

#[tokio::test]
async fn a_quoted_id_leads_to_what_happened_and_why() {
    let node = house(|_| {}).await;
    let mut ada = logged_in(&node, ADA).await;
    let accepted = ada.post("<ada@example.org>", &[BOB], TEXT).await;
    let mut refusals = Vec::new();
    for commands in [
        &["MAIL FROM:<bob@example.org>"][..],
        &["MAIL FROM:<ada@example.org>", "RCPT TO:<nobody@example.org>"],
        &["RSET", "NONSENSE"],
        &["VRFY nobody@example.org"],
    ] {
        let mut last = String::new();
        for command in commands {
            last = ada.say(command).await;
        }
        refusals.push(last);
    }
    for reply in refusals {
        let said = reply.rsplit_once(" [").unwrap_or_else(|| panic!("no id: {reply}")).0;
        let query = TraceQuery { id: Some(id_in(&reply)), ..TraceQuery::default() };
        let events = node.store().trace(query).await.unwrap();
        let told =
            events.iter().find(|event| event.reply.as_deref().is_some_and(|text| text.starts_with(said)));
        assert!(told.is_some_and(|event| !event.reason.is_empty()), "{reply}: {events:#?}");
        // Who it was stands beside it.
        assert!(events.iter().any(|event| event.address.as_deref() == Some(ADA)), "{events:#?}");
    }
    let query = TraceQuery { id: Some(id_in(&accepted)), ..TraceQuery::default() };
    let events = node.store().trace(query).await.unwrap();
    for address in [ADA, BOB] {
        assert!(events.iter().any(|event| event.address.as_deref() == Some(address)), "{events:#?}");
    }
    let query = TraceQuery { address: Some("NOBODY@example.org".into()), ..TraceQuery::default() };
    assert!(!node.store().trace(query).await.unwrap().is_empty());
    node.stop().await;
}

#[tokio::test]
async fn what_is_secret_is_in_no_event() {
    use base64::Engine as _;
    let node = house(|_| {}).await;
    let base64 = |text: String| base64::engine::general_purpose::STANDARD.encode(text);
    let mut ada = logged_in(&node, ADA).await;
    assert!(ada.post("<ada@example.org> XIDEMPOTENCY=my-key", &[BOB], TEXT).await.starts_with("250 "));
    let plain = base64(format!("\0{ADA}\0{PASSWORD}"));
    let login = [base64(ADA.into()), base64(PASSWORD.into())];
    let nearly = format!("{PASSWORD}x");
    let secrets = [
        PASSWORD.to_owned(),
        plain.clone(),
        login[1].clone(),
        base64(format!("\0{ADA}\0{nearly}")),
        base64(nearly.clone()),
    ];
    for commands in [
        vec![format!("AUTH LOGIN {}", login[0]), login[1].clone()],
        vec![format!("AUTH PLAIN {}", secrets[3])],
        vec!["AUTH LOGIN".to_owned(), login[0].clone(), secrets[4].clone()],
        vec![format!("AUTH PLAIN {plain} {plain}")],
        vec![format!("AUTH PLAIN{plain}")],
        vec![format!("AUTH NTLM {plain}")],
        vec![format!("AUTH {plain}")],
        vec![format!("AUTH PLAIN {plain}!")],
        // The response where nobody waits for it, as of a client that is out of step.
        vec![plain.clone()],
        vec![login[1].clone()],
        vec![format!("AUTH PLAIN {plain}"), plain.clone(), format!("AUTH PLAIN {plain}")],
    ] {
        let mut talk = talk(&node, STRANGER, node.submission, Way::StartTls).await;
        for command in &commands {
            talk.say(command).await;
        }
        talk.dialogue(&[("QUIT", "221 ")]).await;
    }
    let mut clear = talk(&node, STRANGER, node.smtp, Way::Clear).await;
    clear.dialogue(&[(&auth_plain(ADA), "538 5.7.11")]).await;
    let query = TraceQuery { limit: 1000, ..TraceQuery::default() };
    let events = node.store().trace(query).await.unwrap();
    assert!(events.len() > 40);
    for event in &events {
        let text = format!("{event:?}");
        for secret in &secrets {
            assert!(!text.contains(secret.trim_end_matches('=')), "{secret}: {text}");
        }
    }
    node.stop().await;
}

// Who the client is, as others say.

#[tokio::test]
async fn xclient_from_a_trusted_proxy_changes_who_the_client_is_and_from_others_nothing() {
    let node = house(|config| {
        config.submission.messages_per_hour_per_address_max = 1;
        for service in [Service::Smtp, Service::Submissions] {
            each(config, service, |listener| listener.xclient_from = vec!["127.0.0.5/32".parse().unwrap()]);
        }
    })
    .await;
    let mut liar = talk(&node, STRANGER, node.smtp, Way::Clear).await;
    liar.dialogue(&[
        ("VRFY bob@example.org", "252 "),
        ("XCLIENT ADDR=127.0.0.2", "550 5.7.1"),
        ("XCLIENT LOGIN=ada@example.org", "550 5.7.1"),
        ("VRFY bob@example.org", "252 "),
    ])
    .await;
    let mut proxy = talk(&node, PROXY, node.smtp, Way::Clear).await;
    proxy
        .dialogue(&[
            ("VRFY bob@example.org", "252 "),
            ("XCLIENT ADDR=127.0.0.2", "220 "),
            ("EHLO client.example", "250 "),
            ("VRFY bob@example.org", "250 "),
            ("XCLIENT ADDR=192.0.2.1", "220 "),
            ("EHLO client.example", "250 "),
            ("VRFY bob@example.org", "252 "),
            ("XCLIENT ADDR=[UNAVAILABLE]", "220 "),
            ("EHLO client.example", "250 "),
            ("VRFY bob@example.org", "252 "),
        ])
        .await;
    // Each client of the proxy has its own number of messages, and the proxy's own is not touched.
    let mut proxy = talk(&node, PROXY, node.submissions, Way::Tls).await;
    for (client, start) in [("192.0.2.1", "250 "), ("192.0.2.1", "451 4.7.1"), ("192.0.2.2", "250 ")] {
        proxy
            .dialogue(&[
                (&format!("XCLIENT ADDR={client} LOGIN=[UNAVAILABLE]"), "220 "),
                ("EHLO client.example", "250 "),
                ("MAIL FROM:<ada@example.org>", "530 5.7.0"),
                (&auth_plain(ADA), "235 "),
                ("MAIL FROM:<ada@example.org>", start),
            ])
            .await;
        if start == "250 " {
            proxy.dialogue(&[("RCPT TO:<bob@example.org>", "250 "), ("DATA", "354 ")]).await;
            assert!(proxy.say(&format!("{TEXT}\r\n.")).await.starts_with("250 2.0.0"));
            let message = inbox(&node, BOB).await.pop().unwrap();
            assert!(fields(&message, "Received")[0].contains(&format!("[{client}]")), "{message}");
        }
    }
    node.stop().await;
}

#[tokio::test]
async fn a_login_that_a_trusted_proxy_tells_has_the_rights_of_the_account() {
    let node = house(|config| {
        each(config, Service::Submissions, |listener| {
            listener.xclient_from = vec!["127.0.0.5/32".parse().unwrap()];
        });
    })
    .await;
    let mut proxy = talk(&node, PROXY, node.submissions, Way::Tls).await;
    proxy
        .dialogue(&[
            ("XCLIENT ADDR=192.0.2.1 LOGIN=nobody@example.org", "550 "),
            ("MAIL FROM:<ada@example.org>", "530 5.7.0"),
            ("XCLIENT ADDR=192.0.2.1 LOGIN=gone@example.org", ""),
            ("EHLO client.example", "250 "),
            ("MAIL FROM:<gone@example.org>", "5"),
            ("XCLIENT ADDR=192.0.2.1 LOGIN=ada@example.org", "220 "),
            ("EHLO client.example", "250 "),
            ("MAIL FROM:<bob@example.org>", "553 5.7.1"),
            ("MAIL FROM:<ada@example.org>", "250 "),
            ("RSET", "250 "),
            ("XCLIENT LOGIN=[UNAVAILABLE]", "220 "),
            ("EHLO client.example", "250 "),
            ("MAIL FROM:<ada@example.org>", "530 5.7.0"),
        ])
        .await;
    node.stop().await;
}

#[tokio::test]
async fn the_proxy_protocol_from_a_trusted_proxy_changes_who_the_client_is_and_from_others_nothing() {
    let node = house(|config| {
        each(config, Service::Smtp, |listener| listener.proxy_from = vec!["127.0.0.5/32".parse().unwrap()]);
    })
    .await;
    let header = |client: &str| format!("PROXY TCP4 {client} 198.51.100.7 56324 25\r\n");
    for (client, start) in [("127.0.0.2", "250 "), ("192.0.2.1", "252 "), ("127.0.0.5", "252 ")] {
        let mut talk = Client::over(from(PROXY, node.smtp).await);
        talk.send(header(client).as_bytes()).await;
        talk.expect("220 ").await;
        talk.send(b"EHLO client.example\r\nVRFY bob@example.org\r\n").await;
        talk.expect("250 ").await;
        talk.expect(start).await;
    }
    // From anybody else it is a command that does not exist, and nothing is believed (attacks 8).
    let mut liar = Client::over(from(STRANGER, node.smtp).await);
    liar.expect("220 ").await;
    liar.send(header("127.0.0.2").as_bytes()).await;
    liar.expect("500 ").await;
    liar.send(b"EHLO client.example\r\nVRFY bob@example.org\r\n").await;
    liar.expect("250 ").await;
    liar.expect("252 ").await;
    // A trusted network is trusted, and not what it says of others.
    let mut trusted = Client::over(from(TRUSTED, node.smtp).await);
    trusted.expect("220 ").await;
    trusted.send(header("192.0.2.1").as_bytes()).await;
    trusted.expect("500 ").await;
    node.stop().await;
}
