//! Messages that get there, at once or later.

use std::sync::atomic::Ordering;

use super::world::hosts;
use super::*;
use crate::config::QuotaReply;
use types::directory::AccountSettings;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_relayed_as_it_was_accepted_and_is_gone_from_the_queue() {
    let bench = Bench::start().await;
    let host = bench.world.host("to.example", "192.0.2.1");
    let id = bench.accept(Mail::to(&["bob@to.example", "eve@to.example"])).await;
    bench.until_gone(id).await;
    let taken = host.taken();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].to, ["bob@to.example", "eve@to.example"]);
    assert!(taken[0].message.starts_with("Subject: Lunch\r\n") && taken[0].message.ends_with("one?\r\n"));
    let relayed = bench.trace(id, EventStep::Relayed).await;
    assert_eq!(relayed.len(), 2);
    assert_eq!(relayed[0].address.as_deref(), Some("bob@to.example"));
    assert!(relayed[0].reason.contains("mx.to.example [192.0.2.1]"), "{}", relayed[0].reason);
    assert!(relayed[0].reply.as_deref().is_some_and(|reply| reply.starts_with("250")));
    assert!(bench.inbox("ada@example.org").await.is_empty());
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_deferred_is_tried_again_by_the_schedule_and_not_before() {
    let bench = Bench::start().await;
    let host = bench.world.host("to.example", "192.0.2.1");
    host.answers("bob@to.example", "450 4.2.1 not now");
    let id = bench.accept(Mail::to(&["bob@to.example"])).await;
    let item = bench.until_attempts(id, 1).await;
    // RFC 5321 §4.5.4.1; the default schedule has a quarter of an hour.
    assert_eq!(item.state.due_at, START.plus(15 * MINUTE));
    let last = item.state.recipients[0].last.as_ref().unwrap();
    assert_eq!((last.code, last.status.to_string()), (Some(450), "4.2.1".to_owned()));
    assert_eq!(item.state.last_host.as_deref(), Some("mx.to.example [192.0.2.1]"));
    let postponed = bench.trace(id, EventStep::Postponed).await;
    assert!(postponed[0].reason.contains("in 15 minutes"), "{}", postponed[0].reason);
    host.answers("bob@to.example", "250 2.1.5 ok");
    bench.pass(15 * MINUTE);
    bench.until_gone(id).await;
    assert_eq!(host.taken().len(), 1);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn greylisting_is_waited_for_as_long_as_it_says() {
    let bench = Bench::start().await;
    let host = bench.world.host("to.example", "192.0.2.1");
    host.answers("bob@to.example", "451 4.7.1 Greylisted, please try again in 300 seconds");
    let id = bench.accept(Mail::to(&["bob@to.example"])).await;
    let item = bench.until_attempts(id, 1).await;
    assert_eq!(item.state.due_at, START.plus(5 * MINUTE));
    host.answers("bob@to.example", "250 2.1.5 ok");
    bench.pass(5 * MINUTE);
    bench.until_gone(id).await;
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_host_takes_it_where_the_first_is_down() {
    let bench = Bench::start().await;
    let second = bench.world.host_at("192.0.2.2");
    let route = hosts("a,b", &[("a.to.example", &["192.0.2.1"]), ("b.to.example", &["192.0.2.2"])]);
    bench.world.leads("to.example", route);
    let id = bench.accept(Mail::to(&["bob@to.example"])).await;
    bench.until_gone(id).await;
    assert_eq!(second.taken().len(), 1);
    let attempts = bench.trace(id, EventStep::Attempt).await;
    assert_eq!(attempts[0].address.as_deref(), Some("a.to.example [192.0.2.1]"));
    // The dead one comes last for some minutes, and costs the next message nothing.
    let connects = bench.world.connects.load(Ordering::Relaxed);
    let id = bench.accept(Mail::to(&["bob@to.example"])).await;
    bench.until_gone(id).await;
    assert!(bench.world.connects.load(Ordering::Relaxed) <= connects + 1);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_share_a_connection() {
    let bench = Bench::start_with(|config| config.delivery.connections_per_site_max = 1).await;
    let host = bench.world.host("to.example", "192.0.2.1");
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(bench.accept(Mail::to(&["bob@to.example"])).await);
    }
    for id in ids {
        bench.until_gone(id).await;
    }
    assert_eq!((host.taken().len(), host.connections.load(Ordering::Relaxed)), (20, 1));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_with_many_recipients_goes_in_several_transactions() {
    let bench = Bench::start_with(|config| config.delivery.recipients_per_message_max = 2).await;
    let host = bench.world.host("to.example", "192.0.2.1");
    let names: Vec<String> = (0..5).map(|n| format!("n{n}@to.example")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let id = bench.accept(Mail::to(&names)).await;
    bench.until_gone(id).await;
    let sizes: Vec<usize> = host.taken().iter().map(|taken| taken.to.len()).collect();
    assert_eq!(sizes, [2, 2, 1]);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recipients_over_the_limit_of_the_host_follow_in_a_transaction_of_their_own() {
    let bench = Bench::start().await;
    let host = bench.world.host("to.example", "192.0.2.1");
    // RFC 5321 §4.5.3.1.10.
    host.answers("eve@to.example", "452 4.5.3 Too many recipients");
    let id = bench.accept(Mail::to(&["bob@to.example", "eve@to.example"])).await;
    let item = bench.until_attempts(id, 1).await;
    assert_eq!(host.taken().len(), 1, "she is asked about alone, and refused again");
    assert_eq!(host.mails.lock().unwrap().len(), 2);
    assert_eq!(item.state.recipients.len(), 1);
    host.answers("eve@to.example", "250 2.1.5 ok");
    bench.pass(15 * MINUTE);
    bench.until_gone(id).await;
    assert_eq!(host.taken()[1].to, ["eve@to.example"]);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_may_have_been_taken_is_tried_later_and_the_trace_says_so() {
    let bench = Bench::start().await;
    let host = bench.world.host("to.example", "192.0.2.1");
    *host.breaks_at_end.lock().unwrap() = true;
    let id = bench.accept(Mail::to(&["bob@to.example"])).await;
    bench.until_attempts(id, 1).await;
    // RFC 1047: at no other host at once.
    assert_eq!(host.connections.load(Ordering::Relaxed), 1);
    let postponed = bench.trace(id, EventStep::Postponed).await;
    assert!(postponed[0].reason.contains("comes twice"), "{}", postponed[0].reason);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_there_after_a_restart_and_goes_out() {
    let bench = Bench::start().await;
    let host = bench.world.host("to.example", "192.0.2.1");
    host.answers("bob@to.example", "450 4.2.1 not now");
    let id = bench.accept(Mail::to(&["bob@to.example"])).await;
    bench.until_attempts(id, 1).await;
    let bench = bench.restart().await;
    host.answers("bob@to.example", "250 2.1.5 ok");
    bench.pass(15 * MINUTE);
    bench.until_gone(id).await;
    assert_eq!(host.taken().len(), 1);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_a_domain_that_is_ours_by_now_is_delivered_here() {
    // As after `posta queue redirect` to an address here: our own MX record would make it a loop.
    let bench = Bench::start().await;
    let id = bench.accept(Mail::to(&["ada@example.org"])).await;
    bench.until_gone(id).await;
    let inbox = bench.inbox("ada@example.org").await;
    assert_eq!(inbox.len(), 1);
    assert!(
        inbox[0].contains("Subject: Lunch\r\n") && !inbox[0].contains("multipart/report"),
        "{}",
        inbox[0]
    );
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_time_of_by_runs_on_while_a_message_is_held() {
    // RFC 4865 §5.2 with RFC 2852 §4: of 900 seconds it was held for 600.
    let bench = Bench::start().await;
    let host = bench.world.host("to.example", "192.0.2.1");
    *host.extensions.lock().unwrap() = vec!["DELIVERBY"];
    let parameters = MailParameters {
        hold: Some(types::Hold::For { seconds: 600 }),
        deliver_by: Some(types::DeliverBy { by_s: 900, mode: types::ByMode::Return, trace: false }),
        ..MailParameters::default()
    };
    let mut envelope =
        Envelope::new("<ada@example.org>".parse().unwrap(), ["<bob@to.example>".parse().unwrap()]);
    envelope.parameters = parameters;
    let held = NewQueueItem {
        destination: Destination::named("mail.example.org").unwrap(),
        reverse_path: envelope.reverse_path.clone(),
        header: Bytes::new(),
        recipients: envelope.recipients.clone(),
        due_at: START.plus(10 * MINUTE),
    };
    let accepted = bench.shared.store.accept(Acceptance {
        mail_id: MailId::new(START, 1),
        received_at: START,
        envelope,
        origin: "192.0.2.7 (client.example)".to_owned(),
        body: Body::Memory(vec![Bytes::from_static(b"Subject: Later\r\n\r\nnow\r\n")]),
        deliveries: Vec::new(),
        queue: vec![held],
        claim: QueueClaim::Later,
        idempotency: None,
    });
    accepted.await.unwrap();
    bench.pass(10 * MINUTE);
    bench.until(|| async { !host.taken().is_empty() }).await;
    let mails = host.mails.lock().unwrap().clone();
    assert!(mails[0].contains(" BY=300;R"), "{mails:?}");
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn held_mail_for_a_mailbox_that_is_full_by_then_waits_and_that_of_others_does_not() {
    // RFC 4865 §4: what was promised at RCPT is looked at again when its time has come.
    for (reply, waits) in [(QuotaReply::Temporary, true), (QuotaReply::Permanent, false)] {
        let bench = Bench::start_with(|config| config.policy.quota_reply = reply).await;
        let store = Arc::clone(&bench.shared.store);
        let full = AccountSettings { quota_bytes: Some(10), ..AccountSettings::default() };
        let account = NewAccount { settings: full, ..NewAccount::new("bob@example.org", START) };
        let bob = store.create_account(account).await.unwrap();
        let parameters =
            MailParameters { hold: Some(types::Hold::For { seconds: 60 }), ..MailParameters::default() };
        let to = ["bob@example.org", "ada@example.org"];
        let id = bench.accept(Mail { parameters, ..Mail::to(&to) }).await;
        bench.pass(MINUTE);
        if waits {
            let item = bench.until_attempts(id, 1).await;
            assert_eq!(item.state.recipients.len(), 1);
            assert_eq!(item.state.recipients[0].last.as_ref().unwrap().status.to_string(), "4.2.2");
            assert_eq!(bench.inbox("ada@example.org").await.len(), 1);
            assert!(bench.inbox("bob@example.org").await.is_empty());
            let room = store::AccountChange::Settings(AccountSettings::default());
            store.change_account(bob.id, room).await.unwrap();
            bench.pass(15 * MINUTE);
            bench.until_gone(id).await;
            assert_eq!(bench.inbox("bob@example.org").await.len(), 1);
            assert_eq!(bench.inbox("ada@example.org").await.len(), 1, "it got its copy once");
        } else {
            bench.until_gone(id).await;
            let inbox = bench.inbox("ada@example.org").await;
            let report = inbox.iter().find(|mail| mail.contains("delivery-status")).unwrap();
            assert_eq!(field(&report_fields(report), "Status"), ["5.2.2"]);
            assert_eq!(inbox.len(), 2);
            assert!(bench.inbox("bob@example.org").await.is_empty());
        }
        bench.stop().await;
    }
}
