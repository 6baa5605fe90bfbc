//! Messages that do not get there, and who hears of it.

use types::directory::AccountSettings;
use types::language::Language;
use types::{ByMode, DeliverBy, Notify};

use super::*;
use crate::config::DoubleBounces;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_recipient_is_reported_to_the_sender_and_the_others_get_it() {
    let bench = Bench::start().await;
    let host = bench.world.host("to.example", "192.0.2.1");
    host.answers("bob@to.example", "550 5.1.1 no such user");
    host.answers("sue@to.example", "450 4.2.1 not now");
    let id = bench.accept(Mail::to(&["bob@to.example", "eve@to.example", "sue@to.example"])).await;
    let item = bench.until_attempts(id, 1).await;
    assert_eq!(item.state.recipients.len(), 1, "only what is undecided is left");
    assert_eq!(host.taken()[0].to, ["eve@to.example"]);
    let inbox = bench.inbox("ada@example.org").await;
    assert_eq!(inbox.len(), 1);
    assert!(inbox[0].starts_with("Return-Path: <>\r\n"), "{}", inbox[0]);
    let fields = report_fields(&inbox[0]);
    assert_eq!(field(&fields, "Final-Recipient"), ["rfc822; bob@to.example"]);
    assert_eq!(field(&fields, "Action"), ["failed"]);
    assert_eq!(field(&fields, "Status"), ["5.1.1"]);
    assert_eq!(field(&fields, "Remote-MTA"), ["dns; mx.to.example (192.0.2.1)"]);
    assert_eq!(field(&fields, "Diagnostic-Code"), ["smtp; 550 5.1.1 no such user"]);
    let reported = bench.trace(id, EventStep::Reported).await;
    assert_eq!(reported[0].address.as_deref(), Some("ada@example.org"));
    bench.stop().await;
}

/// The `Content-Language` of a report.
fn language(report: &str) -> &str {
    let found: Vec<_> =
        report.split("\r\n").filter_map(|line| line.strip_prefix("Content-Language: ")).collect();
    let [language] = found[..] else { panic!("{report}") };
    language
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_is_in_the_language_of_the_account_and_else_in_the_configured_one() {
    let bench = Bench::start_with(|config| config.queue.report_language = Language::German).await;
    let store = &bench.shared.store;
    for (from, expected) in [(None, "de"), (Some("es-MX"), "es"), (Some("tlh"), "de")] {
        let account = store.account("ada@example.org").await.unwrap().unwrap();
        let tag = from.map(|tag| tag.parse().unwrap());
        let settings = AccountSettings { language: tag, ..account.settings };
        store.change_account(account.id, store::AccountChange::Settings(settings)).await.unwrap();
        let before = bench.inbox("ada@example.org").await.len();
        let id = bench.accept(Mail::to(&["bob@nowhere.example"])).await;
        bench.until_gone(id).await;
        let inbox = bench.inbox("ada@example.org").await;
        assert_eq!((inbox.len(), language(inbox.last().unwrap())), (before + 1, expected));
    }
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_elsewhere_and_the_postmaster_are_told_in_the_configured_language() {
    let bench = Bench::start_with(|config| config.queue.report_language = Language::Spanish).await;
    let host = bench.world.host("sender.example", "192.0.2.1");
    let mail = Mail { from: "<sue@sender.example>", ..Mail::to(&["bob@nowhere.example"]) };
    let id = bench.accept(mail).await;
    bench.until_gone(id).await;
    bench.until(|| async { !host.taken().is_empty() }).await;
    assert_eq!(language(&host.taken()[0].message), "es");
    let id = bench.accept(Mail { from: "<>", ..Mail::to(&["bob@nowhere.example"]) }).await;
    bench.until_gone(id).await;
    assert_eq!(language(&bench.inbox("postmaster@mail.example.org").await[0]), "es");
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_domain_that_does_not_exist_is_reported_at_once() {
    let bench = Bench::start().await;
    let id = bench.accept(Mail::to(&["bob@nowhere.example"])).await;
    bench.until_gone(id).await;
    let inbox = bench.inbox("ada@example.org").await;
    assert_eq!(field(&report_fields(&inbox[0]), "Status"), ["5.1.2"]);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_wants_no_report_gets_none() {
    let bench = Bench::start().await;
    let id = bench.accept(Mail::to(&["bob@nowhere.example"]).notify(Notify::Never)).await;
    bench.until_gone(id).await;
    assert!(bench.inbox("ada@example.org").await.is_empty());
    assert_eq!(bench.trace(id, EventStep::Failed).await.len(), 1);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn success_is_reported_where_the_next_host_will_not_do_it() {
    let bench = Bench::start().await;
    let (knows, does_not) =
        (bench.world.host("knows.example", "192.0.2.1"), bench.world.host("not.example", "192.0.2.2"));
    *does_not.extensions.lock().unwrap() = vec!["PIPELINING"];
    let wish = Notify::When { success: true, failure: false, delay: false };
    let id = bench.accept(Mail::to(&["bob@knows.example", "eve@not.example"]).notify(wish)).await;
    bench.until_gone(id).await;
    let inbox = bench.inbox("ada@example.org").await;
    assert_eq!(inbox.len(), 1);
    let fields = report_fields(&inbox[0]);
    assert_eq!(field(&fields, "Action"), ["relayed"]);
    assert_eq!(field(&fields, "Final-Recipient"), ["rfc822; eve@not.example"]);
    assert_eq!((knows.taken().len(), does_not.taken().len()), (1, 1));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_that_cannot_be_delivered_goes_to_the_postmaster_and_no_further() {
    let bench = Bench::start().await;
    let id = bench.accept(Mail { from: "<>", ..Mail::to(&["bob@nowhere.example"]) }).await;
    bench.until_gone(id).await;
    let inbox = bench.inbox("postmaster@mail.example.org").await;
    assert_eq!(inbox.len(), 1);
    assert_eq!(field(&report_fields(&inbox[0]), "Action"), ["failed"]);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_to_a_postmaster_whose_mail_goes_on_elsewhere_and_is_refused_there_ends_there() {
    // RFC 5321 §6.1: no notification about problems with notifications, or they would never end.
    let bench = Bench::start_with(|config| config.host_name = "mx.example.net".parse().unwrap()).await;
    let host = bench.world.host("to.example", "192.0.2.1");
    host.answers("bob@to.example", "550 5.1.1 no such user");
    let store = &bench.shared.store;
    let domain = DomainEntry::new("mx.example.net".parse().unwrap());
    store.put_domain(domain, store::Put::New).await.unwrap();
    let kind = types::directory::AddressKind::Alias { targets: vec!["bob@to.example".parse().unwrap()] };
    let address = "postmaster@mx.example.net".parse().unwrap();
    let entry = types::directory::AddressEntry { address, kind };
    store.put_address(entry, store::Put::New).await.unwrap();
    bench.accept(Mail { from: "<>", ..Mail::to(&["bob@nowhere.example"]) }).await;
    let mails = || host.mails.lock().unwrap().len();
    bench
        .until(|| async {
            let figures = bench.shared.store.queue_figures().await.unwrap();
            mails() > 1 || (mails() == 1 && figures.waiting == 0)
        })
        .await;
    assert_eq!(mails(), 1);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_that_cannot_be_delivered_is_discarded_where_that_is_configured_and_recorded() {
    let bench = Bench::start_with(|config| config.queue.double_bounces = DoubleBounces::Discard).await;
    let id = bench.accept(Mail { from: "<>", ..Mail::to(&["bob@nowhere.example"]) }).await;
    bench.until_gone(id).await;
    assert!(bench.inbox("postmaster@mail.example.org").await.is_empty());
    assert_eq!(bench.trace(id, EventStep::Discarded).await.len(), 1);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_for_a_sender_elsewhere_goes_out_by_the_queue() {
    let bench = Bench::start().await;
    let home = bench.world.host("home.example", "192.0.2.9");
    let id = bench.accept(Mail { from: "<zoe@home.example>", ..Mail::to(&["bob@nowhere.example"]) }).await;
    bench.until_gone(id).await;
    bench.until(|| async { !home.taken().is_empty() }).await;
    let taken = home.taken();
    assert_eq!(taken[0].to, ["zoe@home.example"]);
    assert!(home.mails.lock().unwrap()[0].starts_with("MAIL FROM:<>"));
    assert_eq!(field(&report_fields(&taken[0].message), "Action"), ["failed"]);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sender_hears_of_a_delay_once() {
    let bench = Bench::start().await;
    let host = bench.world.host("to.example", "192.0.2.1");
    host.answers("bob@to.example", "450 4.2.1 not now");
    let id = bench.accept(Mail::to(&["bob@to.example"])).await;
    let mut item = bench.until_attempts(id, 1).await;
    while item.state.due_at < START.plus(12 * HOUR) {
        let attempts = item.state.attempts;
        let wait = item.state.due_at.since(super::super::World::now(&*bench.world));
        bench.pass(wait);
        item = bench.until_attempts(id, attempts + 1).await;
    }
    let inbox = bench.inbox("ada@example.org").await;
    assert_eq!(inbox.len(), 1);
    let fields = report_fields(&inbox[0]);
    assert_eq!(field(&fields, "Action"), ["delayed"]);
    assert_eq!(field(&fields, "Status"), ["4.2.1"]);
    assert_eq!(field(&fields, "Will-Retry-Until").len(), 1);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_five_days_it_comes_back_with_what_was_said_last() {
    let bench = Bench::start().await;
    let host = bench.world.host("to.example", "192.0.2.1");
    host.answers("bob@to.example", "450 4.2.1 not now");
    let notify = Notify::When { success: false, failure: true, delay: false };
    let id = bench.accept(Mail::to(&["bob@to.example"]).notify(notify)).await;
    bench.until_attempts(id, 1).await;
    bench.pass(15 * MINUTE);
    bench.until_attempts(id, 2).await;
    bench.pass(5 * 24 * HOUR);
    bench.until_gone(id).await;
    let inbox = bench.inbox("ada@example.org").await;
    assert_eq!(inbox.len(), 1, "{inbox:?}");
    let fields = report_fields(&inbox[0]);
    assert_eq!((field(&fields, "Action"), field(&fields, "Status")), (vec!["failed"], vec!["4.2.1"]));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_whose_time_is_over_comes_back_as_rfc_2852_asks() {
    let bench = Bench::start().await;
    let host = bench.world.host("to.example", "192.0.2.1");
    *host.extensions.lock().unwrap() = vec!["DELIVERBY"];
    host.answers("bob@to.example", "450 4.2.1 not now");
    let mut mail = Mail::to(&["bob@to.example"]);
    mail.parameters.deliver_by = Some(DeliverBy { by_s: 600, mode: ByMode::Return, trace: false });
    let id = bench.accept(mail).await;
    let item = bench.until_attempts(id, 1).await;
    assert_eq!(item.state.due_at, START.plus(10 * MINUTE), "the last attempt is at the deadline");
    bench.pass(10 * MINUTE);
    bench.until_gone(id).await;
    let inbox = bench.inbox("ada@example.org").await;
    let fields = report_fields(&inbox[0]);
    assert_eq!((field(&fields, "Action"), field(&fields, "Status")), (vec!["failed"], vec!["5.4.7"]));
    bench.stop().await;
}
