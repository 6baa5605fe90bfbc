use std::sync::Arc;

use types::mailstore::{MailboxId, Uid, UidValidity};

use super::*;
use crate::mime::Structure;
use crate::search::{SignatureMaker, make_header_facts};
use crate::view::Snapshot;

const NOW_S: u64 = 1_795_000_000;

fn message(uid: u32, flags: Flags) -> Message {
    let at = Timestamp::from_millis((NOW_S - 10) * 1000);
    Message {
        uid: Uid(uid),
        flags,
        modseq: ModSeq(7),
        size_bytes: 1000,
        internal_date: at,
        saved_at: Timestamp::from_millis(86_400_000 * 3),
        mail_id: MailId::new(at, u64::from(uid)),
    }
}

fn view() -> View {
    let keyword = Flags::keyword(1).unwrap_or_default();
    let messages = [message(3, Flags::SEEN), message(5, keyword), message(9, Flags::NONE)];
    let keywords: Arc<[String]> = ["$First".to_owned(), "$Second".to_owned()].into();
    let snapshot = Snapshot::new(MailboxId(1), UidValidity(1), Uid(10), ModSeq(7), keywords, &messages);
    View::new(Arc::new(snapshot))
}

fn plan(key: &SearchKey) -> Plan {
    Plan::new(key, &view(), Timestamp::from_millis(NOW_S * 1000)).unwrap()
}

/// Judged by what the mailbox knows: numbers of those that are it, and of those of which more must be known.
fn judged(key: &SearchKey) -> (Vec<u32>, Vec<u32>) {
    let (view, plan) = (view(), plan(key));
    let verdict = |seq: &u32| plan.judge(&Known::of(view.message(*seq).unwrap(), *seq));
    let is = |verdict: Verdict| verdict == Verdict::Yes;
    let needs = |verdict: Verdict| matches!(verdict, Verdict::Needs(_));
    let which = |wanted: &dyn Fn(Verdict) -> bool| (1..=3).filter(|seq| wanted(verdict(seq))).collect();
    (which(&is), which(&needs))
}

fn header(name: &str, value: &str) -> SearchKey {
    SearchKey::Header { name: name.into(), value: value.into() }
}

fn body(text: &str) -> SearchKey {
    SearchKey::Body(text.into())
}

#[test]
fn what_the_mailbox_knows_decides() {
    for (key, expected) in [
        (SearchKey::Flag(Flags::SEEN), vec![1]),
        (SearchKey::Keyword("$SECOND".into()), vec![2]),
        (SearchKey::Keyword("$first".into()), vec![]),
        (SearchKey::Keyword("unheard-of".into()), vec![]),
        (SearchKey::Recent, vec![]),
        (SearchKey::Larger(999), vec![1, 2, 3]),
        (SearchKey::Larger(1000), vec![]),
        (SearchKey::Smaller(1000), vec![]),
        (SearchKey::Smaller(1001), vec![1, 2, 3]),
        (SearchKey::Smaller(0), vec![]),
        // RFC 5032 §2: both include the target time.
        (SearchKey::Older(10), vec![1, 2, 3]),
        (SearchKey::Older(11), vec![]),
        (SearchKey::Younger(10), vec![1, 2, 3]),
        (SearchKey::Younger(9), vec![]),
        (SearchKey::SavedOn(3), vec![1, 2, 3]),
        (SearchKey::SavedBefore(3), vec![]),
        (SearchKey::SavedSince(4), vec![]),
        (SearchKey::ModSeq(ModSeq(7)), vec![1, 2, 3]),
        (SearchKey::ModSeq(ModSeq(8)), vec![]),
        (SearchKey::ThreadId("T1".into()), vec![]),
        (SearchKey::And(vec![]), vec![1, 2, 3]),
        (body(""), vec![1, 2, 3]),
    ] {
        assert_eq!(judged(&key), (expected, vec![]), "{key:?}");
    }
}

#[test]
fn nothing_is_looked_up_of_a_message_that_is_decided() {
    let seen = || SearchKey::Flag(Flags::SEEN);
    assert_eq!(judged(&SearchKey::And(vec![body("x"), seen()])), (vec![], vec![1]));
    assert_eq!(judged(&SearchKey::Or(Box::new((body("x"), seen())))), (vec![1], vec![2, 3]));
    let not = SearchKey::Not(Box::new(SearchKey::And(vec![body("x"), seen()])));
    assert_eq!(judged(&not), (vec![2, 3], vec![1]));
}

#[test]
fn what_is_cheap_is_asked_for_first() {
    let view = view();
    let message = view.message(1).unwrap();
    let structure = Structure::of(b"Subject: about\r\n\r\n");
    let facts = make_header_facts(b"Subject: about\r\n\r\n", &structure);
    let facts = HeaderFacts::from_bytes(&facts).unwrap();
    let mut maker = SignatureMaker::new();
    maker.feed(b"SOME OTHER TEXT");
    let bits = maker.finish();
    let signature = Signature::new(&bits, &[]);
    let with =
        |header: bool, words| Known { header: header.then_some(&facts), words, ..Known::of(message, 1) };
    let key = SearchKey::And(vec![body("text"), header("X-Other", "y"), header("Subject", "about")]);
    let plan = plan(&key);
    assert_eq!(plan.judge(&with(false, Words::NotLookedUp)), Verdict::Needs(Need::Header));
    assert_eq!(plan.judge(&with(true, Words::NotLookedUp)), Verdict::Needs(Need::Words));
    assert_eq!(plan.judge(&with(true, Words::Unknown)), Verdict::Needs(Need::Fields));
    // The signature has nothing of X-Other.
    assert_eq!(plan.judge(&with(true, Words::Signature(&signature))), Verdict::No);
    let answers = Answers(
        plan.questions().iter().map(|question| (question.place != Place::Body).then_some(true)).collect(),
    );
    let known = Known { answers: Some(&answers), ..with(true, Words::Unknown) };
    assert_eq!(plan.judge(&known), Verdict::Needs(Need::Content));
    let answers = Answers(vec![Some(true); plan.questions().len()]);
    assert_eq!(plan.judge(&Known { answers: Some(&answers), ..with(true, Words::Unknown) }), Verdict::Yes);
}

#[test]
fn a_short_string_asks_nothing_of_the_signature() {
    let view = view();
    let known = Known::of(view.message(1).unwrap(), 1);
    assert_eq!(plan(&body("no")).judge(&known), Verdict::Needs(Need::Content));
    assert_eq!(plan(&body("noo")).judge(&known), Verdict::Needs(Need::Words));
}

#[test]
fn only_what_a_set_names_is_looked_at() {
    use crate::command::{SequenceSet, SetRange, SetValue};
    let range = |from, to| SetRange { from: SetValue::Number(from), to: SetValue::Number(to) };
    let set = |ranges: &[SetRange]| SequenceSet::Ranges(ranges.to_vec());
    let view = view();
    let uids = SearchKey::Uid(set(&[range(4, 6)]));
    assert_eq!(plan(&uids).candidates(&view), [(2, 2)]);
    let numbers = SearchKey::Sequence(set(&[range(1, 3)]));
    assert_eq!(plan(&SearchKey::And(vec![numbers, uids.clone(), body("x")])).candidates(&view), [(2, 2)]);
    assert_eq!(plan(&SearchKey::Not(Box::new(uids))).candidates(&view), [(1, 3)]);
}
