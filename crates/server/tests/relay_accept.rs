//! Mail for other hosts as it comes in: what waits in the queue for whom, what of a sender's wishes goes on with it, and
//! what its sender hears of it (RFC 5321 §3.6 and §3.9, RFC 3461 §5.2, RFC 4865).

#![allow(clippy::unwrap_used, reason = "a test that stops has failed")]

mod common;
#[path = "common/house.rs"]
mod house;

use std::time::Duration;

use common::TestNode;
use house::{
    STRANGER, TRUSTED, Talk, Way, add, alias, fields, house, id_in, inbox, list, logged_in, production, put,
    queue, queued, set, talk,
};
use server::config::{Recipients, Seconds};
use store::{Queue as _, QueueItem, Spool as _, Trace as _, TraceQuery};
use types::directory::{AccountSettings, AddressKind, MovedHandling, Posters};
use types::language::Language;
use types::{DsnReturn, EventStep, Notify, ReversePath, Timestamp};

const ADA: &str = "ada@example.org";
const BOB: &str = "bob@example.org";
const TEXT: &str = "From: ada@example.org\r\nSubject: s\r\n\r\ntext";

async fn server(node: &TestNode) -> Talk {
    talk(node, STRANGER, node.smtp, Way::Clear).await
}

/// `destination reverse-path: recipients`, in the order of their parts.
fn told(items: &[QueueItem]) -> Vec<String> {
    let one = |item: &QueueItem| {
        let recipients: Vec<_> =
            item.state.recipients.iter().map(|queued| queued.recipient.forward_path.to_string()).collect();
        format!("{} {}: {}", item.destination, item.reverse_path, recipients.join(" "))
    };
    items.iter().map(one).collect()
}

/// Says MAIL and each RCPT as they are, and sends a message.
async fn send(talk: &mut Talk, mail: &str, rcpts: &[&str]) -> String {
    let reply = talk.say(&format!("MAIL FROM:{mail}")).await;
    assert!(reply.starts_with("250 "), "{mail}: {reply}");
    for rcpt in rcpts {
        let reply = talk.say(&format!("RCPT TO:{rcpt}")).await;
        assert!(reply.starts_with("25"), "{rcpt}: {reply}");
    }
    assert!(talk.say("DATA").await.starts_with("354 "));
    let reply = talk.say(&format!("{TEXT}\r\n.")).await;
    assert!(reply.starts_with("250 2.0.0"), "{mail} {rcpts:?}: {reply}");
    reply
}

fn notify(success: bool, failure: bool, delay: bool) -> Option<Notify> {
    Some(Notify::When { success, failure, delay })
}

/// The value of a field of a report's second part.
fn status_field<'a>(report: &'a str, name: &str) -> Vec<&'a str> {
    let (_, status) = report.split_once("message/delivery-status").unwrap();
    let values = status.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    values.map(str::trim).collect()
}

#[tokio::test]
async fn a_message_waits_once_for_each_destination_and_local_people_have_it_at_once() {
    let node = house(|_| {}).await;
    let mut ada = logged_in(&node, ADA).await;
    let to = [
        "<you@one.example>",
        "<she@ONE.example>",
        "<he@two.example>",
        "<you@One.Example>",
        "<bob@example.org>",
    ];
    let reply = send(&mut ada, "<ada@example.org>", &to).await;
    let items = queue(&node).await;
    assert_eq!(
        told(&items),
        [
            "one.example <ada@example.org>: <you@one.example> <she@ONE.example>",
            "two.example <ada@example.org>: <he@two.example>"
        ]
    );
    let id = id_in(&reply);
    for item in &items {
        assert!(item.id.mail_id == id && item.header.is_empty() && item.state.attempts == 0, "{item:?}");
        assert_eq!(item.state.due_at, item.received_at, "nothing is waited for");
        let message = queued(&node, item).await;
        // Trace fields of delivery are for whoever delivers (RFC 5321 §4.4).
        assert!(fields(&message, "Return-Path").is_empty() && fields(&message, "Delivered-To").is_empty());
        assert_eq!(fields(&message, "Received").len(), 1, "{message}");
        assert!(message.ends_with("\r\n\r\ntext\r\n"), "{message}");
        assert_eq!(item.size_bytes, message.len() as u64);
    }
    assert_eq!(inbox(&node, BOB).await.len(), 1);
    let query = TraceQuery { id: Some(id), ..TraceQuery::default() };
    let events = node.store().trace(query).await.unwrap();
    for address in ["you@one.example", "she@ONE.example", "he@two.example"] {
        let is_told = |event: &types::Event| {
            event.step == EventStep::Queued && event.address.as_deref() == Some(address)
        };
        assert!(events.iter().any(is_told), "{address}: {events:#?}");
    }
    // What was promised outlasts the process.
    drop(ada);
    let node = node.restart(production).await;
    assert_eq!(told(&queue(&node).await), told(&items));
    node.stop().await;
}

#[tokio::test]
async fn a_message_that_is_refused_leaves_nothing_in_the_queue() {
    let node = house(|_| {}).await;
    let mut ada = logged_in(&node, ADA).await;
    ada.dialogue(&[
        ("MAIL FROM:<ada@example.org>", "250 "),
        ("RCPT TO:<you@one.example>", "250 "),
        ("DATA", "354 "),
        ("From: other@example.net\r\n\r\ntext\r\n.", "550 5.7.1"),
        ("MAIL FROM:<ada@example.org>", "250 "),
        ("RCPT TO:<you@one.example>", "250 "),
        ("RSET", "250 "),
        ("QUIT", "221 "),
    ])
    .await;
    assert_eq!(queue(&node).await, []);
    node.stop().await;
}

#[tokio::test]
async fn a_stranger_relays_nothing_and_a_trusted_network_does() {
    let node = house(|_| {}).await;
    let mut stranger = server(&node).await;
    stranger
        .dialogue(&[
            ("MAIL FROM:<ada@example.org>", "250 "),
            ("RCPT TO:<you@one.example>", "550 5.7.1"),
            // Neither does what looks like a local address (attacks 11).
            ("RCPT TO:<you%one.example@example.org>", "550 5.1.1"),
            ("RCPT TO:<@example.org:you@one.example>", "550 5.7.1"),
            ("DATA", "554 5.5.1"),
            ("RSET", "250 "),
        ])
        .await;
    let mut trusted = talk(&node, TRUSTED, node.smtp, Way::Clear).await;
    send(&mut trusted, "<printer@example.org>", &["<you@one.example>"]).await;
    assert_eq!(told(&queue(&node).await), ["one.example <printer@example.org>: <you@one.example>"]);
    node.stop().await;
}

#[tokio::test]
async fn what_a_sender_asks_of_reports_goes_on_to_the_other_host_as_it_is() {
    let node = house(|_| {}).await;
    let mut ada = logged_in(&node, ADA).await;
    let to = [
        "<you@one.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Yo+2Bu@first.example",
        "<she@one.example> NOTIFY=NEVER",
        "<he@one.example>",
    ];
    let reply = send(&mut ada, "<ada@example.org> RET=HDRS ENVID=q+2B1", &to).await;
    let items = queue(&node).await;
    let dsns: Vec<_> = items[0].state.recipients.iter().map(|queued| &queued.recipient.dsn).collect();
    assert_eq!(dsns[0].notify, notify(true, false, true));
    let original = dsns[0].original_recipient.as_ref().unwrap();
    assert_eq!((&*original.address_type, &*original.address), ("rfc822", "Yo+u@first.example"));
    assert_eq!((dsns[1].notify, &dsns[1].original_recipient), (Some(Notify::Never), &None));
    assert_eq!((dsns[2].notify, &dsns[2].original_recipient), (None, &None));
    let (envelope, _) = node.store().envelope(id_in(&reply)).await.unwrap().unwrap();
    assert_eq!(envelope.parameters.ret, Some(DsnReturn::Headers));
    assert_eq!(envelope.parameters.envelope_id.as_deref(), Some("q+1"));
    // What goes on is reported by who ends it.
    assert_eq!(inbox(&node, ADA).await, Vec::<String>::new());
    node.stop().await;
}

#[tokio::test]
async fn an_alias_abroad_keeps_sender_and_wishes_and_tells_who_was_written_to() {
    let node = house(|_| {}).await;
    alias(&node, "out@example.org", &["you@one.example"]).await;
    let to = "her@one.example".parse().unwrap();
    put(&node, "abroad@example.org", AddressKind::Moved { to, handling: MovedHandling::Forward }).await;
    let mut talk = server(&node).await;
    let rcpts = ["<out@example.org> NOTIFY=SUCCESS,FAILURE", "<abroad@example.org> ORCPT=rfc822;x@y.example"];
    send(&mut talk, "<someone@elsewhere.example> ENVID=e", &rcpts).await;
    let items = queue(&node).await;
    assert_eq!(
        told(&items),
        [
            "one.example <someone@elsewhere.example>: <you@one.example>",
            "one.example <someone@elsewhere.example>: <her@one.example>"
        ]
    );
    // RFC 3461 §5.2.7.2, and §5.2.1 for ORCPT, which the first had none of.
    let dsn = &items[0].state.recipients[0].recipient.dsn;
    assert_eq!(dsn.notify, notify(true, true, false));
    assert_eq!(dsn.original_recipient.as_ref().unwrap().address, "out@example.org");
    let dsn = &items[1].state.recipients[0].recipient.dsn;
    assert_eq!(dsn.original_recipient.as_ref().unwrap().address, "x@y.example");
    let message = queued(&node, &items[0]).await;
    assert_eq!(fields(&message, "Delivered-To"), ["out@example.org"]);
    // It comes back, by a forwarder that was forgotten (attacks 14).
    let reply = talk.post("<someone@elsewhere.example>", &["out@example.org"], message.trim_end()).await;
    assert!(reply.starts_with("554 5.4.6"), "{reply}");
    // To somebody else here it may come.
    assert!(talk.post("<>", &[BOB], message.trim_end()).await.starts_with("250 "));
    assert_eq!(queue(&node).await.len(), 2);
    node.stop().await;
}

#[tokio::test]
async fn what_another_host_sends_back_each_time_goes_out_no_more() {
    // attacks.md 14: two relays that take each other for the way to a host.
    let node = house(|_| {}).await;
    let mut trusted = talk(&node, TRUSTED, node.smtp, Way::Clear).await;
    let came_by = |times: usize| {
        let hop = "Received: from other.example by mail.example.org with ESMTP; Sun, 22 Nov 2026 12:00:00 +0000\r\n";
        format!("{}{TEXT}", hop.repeat(times))
    };
    let reply = trusted.post("<someone@elsewhere.example>", &["you@one.example"], &came_by(10)).await;
    assert!(reply.starts_with("250 "), "{reply}");
    let reply = trusted.post("<someone@elsewhere.example>", &["you@one.example"], &came_by(11)).await;
    assert!(reply.starts_with("554 5.4.6"), "{reply}");
    node.stop().await;
}

#[tokio::test]
async fn an_alias_with_several_targets_is_expanded_and_its_sender_hears_of_that_alone() {
    let node = house(|_| {}).await;
    alias(&node, "both@example.org", &[BOB, "you@one.example"]).await;
    let mut ada = logged_in(&node, ADA).await;
    send(&mut ada, "<ada@example.org>", &["<both@example.org> NOTIFY=SUCCESS,FAILURE"]).await;
    send(&mut ada, "<ada@example.org>", &["<both@example.org> NOTIFY=SUCCESS"]).await;
    send(&mut ada, "<ada@example.org>", &["<both@example.org>"]).await;
    // RFC 3461 §5.2.7.3 (c)
    let notifies: Vec<_> =
        queue(&node).await.iter().map(|item| item.state.recipients[0].recipient.dsn.notify).collect();
    // Ids of one millisecond are in no order.
    assert_eq!(notifies.len(), 3);
    for expected in [notify(false, true, false), Some(Notify::Never), None] {
        assert!(notifies.contains(&expected), "{expected:?}: {notifies:?}");
    }
    assert_eq!(inbox(&node, BOB).await.len(), 3);
    let reports = inbox(&node, ADA).await;
    assert_eq!(reports.len(), 2);
    for report in reports {
        assert_eq!(status_field(&report, "Action"), ["expanded"], "{report}");
        assert_eq!(status_field(&report, "Final-Recipient"), ["rfc822; both@example.org"]);
        assert_eq!(fields(&report, "Return-Path"), ["<>"]);
    }
    node.stop().await;
}

#[tokio::test]
async fn members_abroad_get_their_copy_from_the_list_and_nothing_of_what_the_poster_asked() {
    let node = house(|_| {}).await;
    list(&node, "news@example.org", Posters::Anyone, &[BOB, "you@one.example", "she@one.example"]).await;
    let mut ada = logged_in(&node, ADA).await;
    let rcpts =
        ["<news@example.org> NOTIFY=SUCCESS ORCPT=rfc822;n@example.org", "<she@one.example> NOTIFY=NEVER"];
    let reply = send(&mut ada, "<ada@example.org> RET=FULL ENVID=e", &rcpts).await;
    let items = queue(&node).await;
    assert_eq!(
        told(&items),
        [
            "one.example <ada@example.org>: <she@one.example>",
            "one.example <news-bounces+you=one.example@example.org>: <you@one.example>"
        ]
    );
    // RFC 3461 §5.2.7.1 (b)
    let recipient = &items[1].state.recipients[0].recipient;
    assert_eq!(recipient.dsn, types::RecipientDsn::default());
    assert_eq!(items[0].state.recipients[0].recipient.dsn.notify, Some(Notify::Never));
    let message = queued(&node, &items[1]).await;
    assert_eq!(fields(&message, "List-Id"), ["A list <news.example.org>"]);
    assert_eq!(fields(&queued(&node, &items[0]).await, "List-Id"), Vec::<String>::new());
    // To the list is final delivery.
    let reports = inbox(&node, ADA).await;
    assert_eq!(reports.len(), 1);
    assert_eq!(status_field(&reports[0], "Action"), ["delivered"]);
    assert_eq!(status_field(&reports[0], "Original-Recipient"), ["rfc822; n@example.org"]);
    assert_eq!(status_field(&reports[0], "Original-Envelope-Id"), ["e"]);
    let query = TraceQuery { id: Some(id_in(&reply)), ..TraceQuery::default() };
    let events = node.store().trace(query).await.unwrap();
    assert!(events.iter().any(|event| event.step == EventStep::Reported), "{events:#?}");
    node.stop().await;
}

// Reports of success (RFC 3461 §5.2.3).

#[tokio::test]
async fn who_asks_hears_that_a_message_was_delivered_and_nobody_else() {
    let node = house(|_| {}).await;
    let mut ada = logged_in(&node, ADA).await;
    let reply = send(
        &mut ada,
        "<ada@example.org>",
        &[
            "<bob@example.org> NOTIFY=SUCCESS ORCPT=rfc822;b@example.org",
            "<carol@example.org> NOTIFY=FAILURE",
            "<friends@example.org> NOTIFY=NEVER",
        ],
    )
    .await;
    let inbox_of_ada = inbox(&node, ADA).await;
    // Her own copy by `friends`, and the report.
    assert_eq!(inbox_of_ada.len(), 2);
    let report = inbox_of_ada.iter().find(|message| message.contains("delivery-status")).unwrap();
    assert_eq!(status_field(report, "Action"), ["delivered"]);
    assert_eq!(status_field(report, "Final-Recipient"), ["rfc822; bob@example.org"]);
    assert_eq!(status_field(report, "Original-Recipient"), ["rfc822; b@example.org"]);
    assert!(status_field(report, "Status")[0].starts_with("2."));
    assert_eq!(fields(report, "Return-Path"), ["<>"]);
    assert_eq!(fields(report, "To"), ["<ada@example.org>"]);
    // The header comes back, and not the text.
    assert!(report.contains("Subject: s") && !report.contains("\r\n\r\ntext\r\n"), "{report}");
    assert!(report.contains(&id_in(&reply).to_string()), "{report}");
    // Nobody is told of a report.
    let mut stranger = server(&node).await;
    send(&mut stranger, "<>", &["<bob@example.org> NOTIFY=SUCCESS"]).await;
    assert_eq!(queue(&node).await, []);
    node.stop().await;
}

#[tokio::test]
async fn who_hears_of_success_hears_it_in_their_language() {
    let node = house(|config| config.queue.report_language = Language::Spanish).await;
    set(&node, ADA, |settings| settings.language = "de-AT".parse().ok()).await;
    let mut ada = logged_in(&node, ADA).await;
    send(&mut ada, "<ada@example.org>", &["<bob@example.org> NOTIFY=SUCCESS"]).await;
    let report = &inbox(&node, ADA).await[0];
    assert_eq!(fields(report, "Subject"), ["Ihre Nachricht wurde zugestellt"]);
    assert!(report.contains("Content-Language: de\r\n"), "{report}");
    assert_eq!(status_field(report, "Action"), ["delivered"]);
    let mut stranger = server(&node).await;
    send(&mut stranger, "<you@one.example>", &["<bob@example.org> NOTIFY=SUCCESS"]).await;
    let report = queued(&node, &queue(&node).await[0]).await;
    assert_eq!(fields(&report, "Subject"), ["Su mensaje fue entregado"]);
    node.stop().await;
}

#[tokio::test]
async fn a_report_for_a_sender_elsewhere_waits_with_a_null_reverse_path_and_is_never_reported_of() {
    let node = house(|_| {}).await;
    let mut talk = server(&node).await;
    send(&mut talk, "<you@one.example>", &["<bob@example.org> NOTIFY=SUCCESS"]).await;
    let items = queue(&node).await;
    assert_eq!(told(&items), ["one.example <>: <you@one.example>"]);
    assert_eq!(items[0].state.recipients[0].recipient.dsn.notify, Some(Notify::Never));
    let report = queued(&node, &items[0]).await;
    assert_eq!(status_field(&report, "Action"), ["delivered"]);
    let (envelope, _) = node.store().envelope(items[0].id.mail_id).await.unwrap().unwrap();
    assert_eq!(envelope.reverse_path, ReversePath::Null);
    node.stop().await;
}

#[tokio::test]
async fn a_message_that_is_sent_again_with_its_key_is_neither_stored_nor_reported_of_again() {
    let node = house(|_| {}).await;
    let mut ada = logged_in(&node, ADA).await;
    let rcpts = ["<bob@example.org> NOTIFY=SUCCESS", "<you@one.example>"];
    let first = send(&mut ada, "<ada@example.org> XIDEMPOTENCY=k", &rcpts).await;
    let again = send(&mut ada, "<ada@example.org> XIDEMPOTENCY=k", &rcpts).await;
    assert_eq!(id_in(&first), id_in(&again));
    assert_eq!((inbox(&node, ADA).await.len(), inbox(&node, BOB).await.len()), (1, 1));
    assert_eq!(queue(&node).await.len(), 1);
    node.stop().await;
}

#[tokio::test]
async fn a_message_for_more_recipients_than_one_report_tells_of_has_several() {
    let node = house(|_| {}).await;
    let mut ada = logged_in(&node, ADA).await;
    let names: Vec<_> = (0..101).map(|n| format!("<bob+{n}@example.org> NOTIFY=SUCCESS")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    send(&mut ada, "<ada@example.org>", &names).await;
    let mut told: Vec<_> =
        inbox(&node, ADA).await.iter().map(|report| status_field(report, "Action").len()).collect();
    told.sort_unstable();
    assert_eq!(told, [1, 100]);
    assert_eq!(inbox(&node, BOB).await.len(), 1);
    node.stop().await;
}

// FUTURERELEASE (RFC 4865).

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap())
}

#[tokio::test]
async fn a_message_that_its_sender_holds_back_waits_for_everybody_local_people_among_them() {
    let node = house(|_| {}).await;
    let mut ada = logged_in(&node, ADA).await;
    let rcpts =
        ["<you@one.example>", "<bob@example.org> NOTIFY=SUCCESS", "<open@example.org>", "<Postmaster>"];
    let before = now();
    let reply = send(&mut ada, "<ada@example.org> HOLDFOR=3600", &rcpts).await;
    let items = queue(&node).await;
    assert_eq!(
        told(&items),
        [
            "one.example <ada@example.org>: <you@one.example>",
            "mail.example.org <ada@example.org>: <bob@example.org> <open@example.org> <Postmaster>"
        ]
    );
    for item in &items {
        assert_eq!(item.state.due_at, item.received_at.plus(Duration::from_secs(3600)));
        assert!(item.received_at >= before, "{item:?}");
    }
    assert_eq!(items[1].state.recipients[0].recipient.dsn.notify, notify(true, false, false));
    for name in [ADA, BOB, "dev@localhost"] {
        assert_eq!(inbox(&node, name).await, Vec::<String>::new(), "{name}");
    }
    let due = node.store().next_due(Timestamp::from_millis(0)).await.unwrap();
    assert_eq!(due, Some(items[0].state.due_at));
    let query = TraceQuery { id: Some(id_in(&reply)), ..TraceQuery::default() };
    let events = node.store().trace(query).await.unwrap();
    let is_told = |event: &types::Event| event.reason.contains("held until");
    assert!(events.iter().any(is_told), "{events:#?}");
    node.stop().await;
}

#[tokio::test]
async fn a_time_that_is_over_holds_nothing() {
    let node = house(|_| {}).await;
    let mut ada = logged_in(&node, ADA).await;
    send(&mut ada, "<ada@example.org> HOLDUNTIL=2020-01-01T00:00:00Z", &["<bob@example.org>"]).await;
    assert_eq!(inbox(&node, BOB).await.len(), 1);
    assert_eq!(queue(&node).await, []);
    node.stop().await;
}

#[tokio::test]
async fn holding_is_offered_to_users_alone_within_the_limit_of_the_operator() {
    let node = house(|config| config.submission.hold_max_s = Seconds(3600)).await;
    for (address, way, offered) in [
        (node.smtp, Way::StartTls, false),
        (node.submission, Way::StartTls, true),
        (node.submissions, Way::Tls, true),
    ] {
        let mut talk = talk(&node, TRUSTED, address, way).await;
        talk.send(b"EHLO client.example\r\n").await;
        let offers = talk.reply().await;
        let found = offers.iter().find(|line| line[4..].starts_with("FUTURERELEASE "));
        assert_eq!(found.is_some(), offered, "{address}: {offers:?}");
        if let Some(line) = found {
            // §3: max-future-release-interval and max-future-release-date-time.
            let values: Vec<_> = line[4..].split(' ').collect();
            assert!(values.len() == 3 && values[1] == "3600" && values[2].contains('T'), "{line}");
        }
    }
    let mut ada = logged_in(&node, ADA).await;
    // §4.2 (7) to (11), §5.2.2.
    ada.dialogue(&[
        ("MAIL FROM:<ada@example.org> HOLDFOR=3601", "501 5.5.4"),
        ("MAIL FROM:<ada@example.org> HOLDFOR=0", "501 5.5.4"),
        ("MAIL FROM:<ada@example.org> HOLDFOR=x", "501 5.5.4"),
        ("MAIL FROM:<ada@example.org> HOLDUNTIL=2100-01-01T00:00:00Z", "501 5.5.4"),
        ("MAIL FROM:<ada@example.org> HOLDUNTIL=tomorrow", "501 5.5.4"),
        ("MAIL FROM:<ada@example.org> HOLDFOR=60 HOLDFOR=60", "501 5.5.4"),
        ("MAIL FROM:<ada@example.org> HOLDFOR=60 HOLDUNTIL=2030-01-01T00:00:00Z", "501 5.5.4"),
        ("MAIL FROM:<ada@example.org> HOLDFOR=3600 BY=600;N", "501 5.5.4"),
        ("MAIL FROM:<ada@example.org> HOLDFOR=3600", "250 "),
        ("RSET", "250 "),
    ])
    .await;
    // §4.2 (2): not even to who has logged in elsewhere.
    let mut smtp = talk(&node, TRUSTED, node.smtp, Way::StartTls).await;
    smtp.dialogue(&[("MAIL FROM:<ada@example.org> HOLDFOR=60", "555 5.5.4")]).await;
    drop((ada, smtp));
    let node = node
        .restart(|config| {
            production(config);
            config.submission.hold_max_s = Seconds(0);
        })
        .await;
    let mut ada = logged_in(&node, ADA).await;
    ada.dialogue(&[("MAIL FROM:<ada@example.org> HOLDFOR=60", "555 5.5.4")]).await;
    node.stop().await;
}

// Development beside a real server (`posta dev --relay`).

#[tokio::test]
async fn with_a_relay_in_development_what_is_no_account_waits_for_the_relay() {
    let node = TestNode::start(|config| {
        let mut house = config.clone();
        production(&mut house);
        config.transports = house.transports;
        config.recipients = Recipients::Relay;
        config.policy.trusted_networks = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    add(&node, "me@shop.example", AccountSettings::default()).await;
    let mut talk = server(&node).await;
    let rcpts = [
        "<dev@localhost>",
        "<me@shop.example>",
        "<you@shop.example>",
        "<postmaster@one.example>",
        "<Postmaster>",
    ];
    send(&mut talk, "<a@b.example>", &rcpts).await;
    assert_eq!(
        told(&queue(&node).await),
        [
            "shop.example <a@b.example>: <you@shop.example>",
            "one.example <a@b.example>: <postmaster@one.example>"
        ]
    );
    assert_eq!(inbox(&node, "me@shop.example").await.len(), 1);
    assert_eq!(inbox(&node, "dev@localhost").await.len(), 1);
    node.stop().await;
}

#[tokio::test]
async fn without_a_relay_in_development_nothing_leaves() {
    let node = TestNode::start(|_| {}).await;
    let mut talk = server(&node).await;
    let rcpts = ["<you@one.example>", "<postmaster@two.example>", "<x@[192.0.2.1]>"];
    send(&mut talk, "<you@one.example>", &rcpts).await;
    assert_eq!(queue(&node).await, []);
    assert_eq!(inbox(&node, "dev@localhost").await.len(), 1);
    node.stop().await;
}
