//! What attempts lead to, by RFC 5321 §4.5.4.1, RFC 2852 and RFC 3461.

use bytes::Bytes;
use mta::outcome::{Happening, Step, judge};
use store::QueueItemId;
use types::{ByMode, DeliverBy, MailId};

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_795_322_124_250);
const HOUR: Duration = Duration::from_secs(3600);

fn item(recipients: usize) -> QueueItem {
    let recipients = (0..recipients).map(|n| {
        let path: types::ForwardPath = format!("<n{n}@to.example>").parse().unwrap();
        EnvelopeRecipient::from(path)
    });
    QueueItem {
        id: QueueItemId { mail_id: MailId::new(NOW, 0), part: 1 },
        revision: 1,
        destination: store::Destination::named("to.example").unwrap(),
        reverse_path: "<ada@example.org>".parse().unwrap(),
        header: Bytes::new(),
        received_at: NOW,
        size_bytes: 10,
        priority: 0,
        state: QueueState::new(recipients.collect(), NOW),
    }
}

fn said(code: u16, step: Step) -> Reached {
    let enhanced = match code / 100 {
        2 => EnhancedStatus::success(0, 0),
        4 => EnhancedStatus::transient(2, 1),
        _ => EnhancedStatus::permanent(1, 1),
    };
    let reply = Reply { code, enhanced: Some(enhanced), text: "text".into() };
    Reached { outcome: judge(step, &Happening::Reply(&reply)), place: None }
}

fn rcpt() -> Step {
    Step::Rcpt { accepted_before: 0 }
}

fn decided(item: &QueueItem, parameters: &MailParameters, now: Timestamp, happened: Happened) -> Decision {
    let schedule = Schedule { jitter_percent: 0, ..Schedule::default() };
    decide(About { item, parameters, schedule: &schedule, own_failures_max: 3, now, random: 0 }, happened)
}

fn waits(decision: &Decision) -> &QueueState {
    let Next::Waits(state) = &decision.next else { panic!("{decision:?}") };
    state
}

#[test]
fn each_recipient_has_a_fate_of_its_own() {
    let item = item(3);
    let results = vec![said(250, Step::EndOfData), said(450, rcpt()), said(550, rcpt())];
    let decision = decided(&item, &MailParameters::default(), NOW, Happened::Tried(results));
    let state = waits(&decision);
    assert_eq!((state.attempts, state.recipients.len()), (1, 1));
    assert_eq!(state.recipients[0].recipient.forward_path.to_string(), "<n1@to.example>");
    assert_eq!(state.due_at, NOW.plus(HOUR / 4));
    assert_eq!(decision.counts, Counts { relayed: 1, failed: 1, waiting: 1 });
    let actions: Vec<_> = decision.told.iter().map(|told| told.action).collect();
    assert_eq!(actions, [Action::Relayed, Action::Failed]);
    // Without room for the report, the one that failed waits with the one that waits; the relayed one never comes back.
    let without = decision.without_reports.unwrap();
    let paths: Vec<_> =
        without.recipients.iter().map(|queued| queued.recipient.forward_path.to_string()).collect();
    assert_eq!(paths, ["<n1@to.example>", "<n2@to.example>"]);
}

#[test]
fn a_recipient_without_a_result_waits_and_a_result_without_a_recipient_is_nobodys() {
    let item = item(2);
    let one = vec![said(250, Step::EndOfData)];
    let decision = decided(&item, &MailParameters::default(), NOW, Happened::Tried(one));
    let state = waits(&decision);
    assert_eq!(state.recipients.len(), 1);
    assert_eq!(state.recipients[0].recipient.forward_path.to_string(), "<n1@to.example>");
    let none = decided(&item, &MailParameters::default(), NOW, Happened::Tried(Vec::new()));
    assert_eq!(waits(&none).recipients.len(), 2);
    let three = vec![said(250, Step::EndOfData), said(250, Step::EndOfData), said(550, rcpt())];
    let decision = decided(&item, &MailParameters::default(), NOW, Happened::Tried(three));
    assert_eq!((decision.next, decision.counts.failed), (Next::Gone, 0));
}

#[test]
fn what_all_recipients_have_got_is_gone() {
    let item = item(2);
    let results = vec![said(250, Step::EndOfData), said(250, Step::EndOfData)];
    let decision = decided(&item, &MailParameters::default(), NOW, Happened::Tried(results));
    assert_eq!(decision.next, Next::Gone);
    assert!(decision.without_reports.is_none());
}

#[test]
fn a_fault_of_ours_never_sends_mail_back_and_ends_in_being_held() {
    let mut item = item(1);
    for failures in 1..=3 {
        // However late it is.
        let now = NOW.plus(HOUR * 24 * 30);
        let decision = decided(&item, &MailParameters::default(), now, Happened::Ours("why".to_owned()));
        assert!(decision.told.is_empty());
        let state = waits(&decision).clone();
        assert_eq!(state.own_failures, failures);
        assert_eq!(matches!(state.status, QueueStatus::Held { .. }), failures == 3);
        assert!(state.due_at > now);
        item.state = state;
    }
    // Any attempt that comes to something counts anew.
    let results = vec![said(450, rcpt())];
    let decision = decided(&item, &MailParameters::default(), NOW, Happened::Tried(results));
    assert_eq!(waits(&decision).own_failures, 0);
}

#[test]
fn what_is_not_tried_costs_no_attempt_and_waits_for_its_site() {
    let item = item(1);
    let until = NOW.plus(HOUR);
    let happened = Happened::NotTried { why: "suspended".to_owned(), until: Some(until) };
    let decision = decided(&item, &MailParameters::default(), NOW, happened);
    let state = waits(&decision);
    assert_eq!((state.attempts, state.due_at), (0, until));
    assert_eq!(decision.notes.len(), 1);
}

#[test]
fn mail_on_demand_is_given_up_when_its_time_is_over() {
    let item = item(1);
    let parameters = MailParameters::default();
    let at = |now| {
        let happened = Happened::NotTried { why: "on demand".to_owned(), until: None };
        decided(&item, &parameters, now, happened)
    };
    let state = waits(&at(NOW)).clone();
    assert_eq!(state.due_at, NOW.plus(HOUR * 4), "its sender is to hear that it waits");
    let late = at(NOW.plus(HOUR * 4));
    assert_eq!(late.told.iter().map(|told| told.action).collect::<Vec<_>>(), [Action::Delayed]);
    assert_eq!(waits(&late).notices, 1);
    let over = at(NOW.plus(HOUR * 24 * 5));
    assert_eq!(over.next, Next::Gone);
    assert_eq!(over.told[0].action, Action::Failed);
}

#[test]
fn a_message_that_was_never_tried_has_a_day_more() {
    // A clock that jumps five days ahead must not send all mail back.
    let item = item(1);
    let now = NOW.plus(HOUR * 24 * 5 + HOUR);
    let happened = Happened::NotTried { why: "suspended".to_owned(), until: Some(now.plus(HOUR)) };
    let decision = decided(&item, &MailParameters::default(), now, happened);
    assert!(matches!(decision.next, Next::Waits(_)));
}

#[test]
fn a_notice_of_delay_is_told_once_and_in_time() {
    let mut item = item(1);
    let parameters = MailParameters::default();
    let tried =
        |item: &QueueItem, now| decided(item, &parameters, now, Happened::Tried(vec![said(450, rcpt())]));
    item.state.attempts = 5;
    item.state.first_attempt_at = Some(NOW);
    let before = tried(&item, NOW.plus(HOUR * 3));
    assert!(before.told.is_empty());
    assert_eq!(waits(&before).due_at, NOW.plus(HOUR * 4), "no later than the notice");
    item.state = waits(&before).clone();
    let at = tried(&item, NOW.plus(HOUR * 4));
    assert_eq!(at.told.len(), 1);
    assert!(at.told[0].will_retry_until.is_some());
    item.state = waits(&at).clone();
    assert!(tried(&item, NOW.plus(HOUR * 8)).told.is_empty());
}

#[test]
fn by_with_mode_n_is_told_when_its_time_is_over_and_tried_on() {
    // RFC 2852 §4.1.3.
    let mut item = item(1);
    let by = DeliverBy { by_s: 1800, mode: ByMode::Notify, trace: false };
    let parameters = MailParameters { deliver_by: Some(by), ..MailParameters::default() };
    let first = decided(&item, &parameters, NOW, Happened::Tried(vec![said(450, rcpt())]));
    item.state = waits(&first).clone();
    let now = NOW.plus(HOUR / 2);
    let second = decided(&item, &parameters, now, Happened::Tried(vec![said(450, rcpt())]));
    assert_eq!(second.told[0].action, Action::Delayed);
    assert_eq!(second.told[0].finding.status, EnhancedStatus::transient(4, 7));
    assert!(matches!(second.next, Next::Waits(_)));
}

#[test]
fn a_relay_that_knows_dsn_is_left_to_report_and_one_that_knows_no_by_is_told_of() {
    let item = item(1);
    let relayed = |offers, by: Option<DeliverBy>| {
        let place = Place { offers, ..Place::unknown() };
        let reached = Reached { place: Some(Arc::new(place)), ..said(250, Step::EndOfData) };
        let parameters = MailParameters { deliver_by: by, ..MailParameters::default() };
        let decision = decided(&item, &parameters, NOW, Happened::Tried(vec![reached]));
        decision.told.iter().map(|told| (told.action, told.occasion)).collect::<Vec<_>>()
    };
    let offers = |dsn, deliver_by| Offers { dsn, deliver_by };
    let by = |trace| Some(DeliverBy { by_s: 600, mode: ByMode::Notify, trace });
    assert!(relayed(offers(true, false), None).is_empty());
    assert_eq!(relayed(offers(false, false), None), [(Action::Relayed, Occasion::Ordinary)]);
    // RFC 2852 §4.1.4.
    assert_eq!(relayed(offers(true, false), by(false)), [(Action::Relayed, Occasion::DeliverBy)]);
    assert!(relayed(offers(true, true), by(false)).is_empty());
    assert_eq!(relayed(offers(true, true), by(true)), [(Action::Relayed, Occasion::DeliverBy)]);
}

#[test]
fn what_is_discarded_is_gone_and_told_to_the_trace_alone() {
    let item = item(2);
    let happened = Happened::Discarded("by the rule".to_owned());
    let decision = decided(&item, &MailParameters::default(), NOW, happened);
    assert_eq!(decision.next, Next::Gone);
    assert!(decision.told.is_empty());
    assert_eq!(decision.notes.iter().filter(|note| note.step == EventStep::Discarded).count(), 2);
}

#[test]
fn a_failure_that_can_never_be_told_is_set_aside_and_one_without_room_waits_its_time() {
    let schedule = Schedule { jitter_percent: 0, ..Schedule::default() };
    let parameters = MailParameters::default();
    let untold = |is_for_want_of_room| Untold { is_for_want_of_room, why: "why".to_owned() };
    let mut item = item(1);
    let mut now = NOW;
    let round = |item: &mut QueueItem, now: Timestamp, is_for_want_of_room| {
        let about =
            About { item, parameters: &parameters, schedule: &schedule, own_failures_max: 3, now, random: 0 };
        let without = decide(about, Happened::Tried(vec![said(550, rcpt())])).without_reports.unwrap();
        let (state, note) = untold_failure(about, without, &untold(is_for_want_of_room));
        item.state = state;
        note.step
    };
    for failures in 1..3 {
        assert_eq!(round(&mut item, now, false), EventStep::Reported);
        assert_eq!((item.state.own_failures, &item.state.status), (failures, &QueueStatus::Waiting));
        now = item.state.due_at;
    }
    assert_eq!(round(&mut item, now, false), EventStep::Held);
    assert!(
        matches!(&item.state.status, QueueStatus::Held { reason } if reason.contains("nobody can be told"))
    );
    // A full disk is not counted, and not waited for without end either.
    item.state = QueueState { status: QueueStatus::Waiting, own_failures: 0, ..item.state.clone() };
    for day in 0..=5 {
        assert_eq!(round(&mut item, NOW.plus(HOUR * 24 * day), true), EventStep::Reported, "day {day}");
        assert_eq!(item.state.own_failures, 0);
    }
    assert_eq!(round(&mut item, NOW.plus(HOUR * 24 * 6), true), EventStep::Held);
}
