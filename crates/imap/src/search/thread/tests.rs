use types::mailstore::{Flags, ModSeq};
use types::{MailId, Timestamp};

use super::*;
use crate::search::fold::fold;
use crate::search::header_facts;
use crate::search::sent_date::SentDate;
use crate::search::subject::BaseSubject;

/// A message: sent then, its subject, its id, and what it refers to.
type Row<'r> = (i64, &'r str, &'r str, &'r str);

/// Threads of messages with UIDs from 1, as THREAD writes them.
fn threads(algorithm: ThreadAlgorithm, rows: &[Row<'_>]) -> String {
    made(algorithm, rows).iter().map(shown).collect()
}

fn made(algorithm: ThreadAlgorithm, rows: &[Row<'_>]) -> Vec<Thread> {
    let mut threader = Threader::new(algorithm);
    for (uid, (sent, subject, id, references)) in (1..).zip(rows) {
        let at = Timestamp::from_millis(0);
        let message = Message {
            uid: Uid(uid),
            flags: Flags::NONE,
            modseq: ModSeq(1),
            size_bytes: 1,
            internal_date: at,
            saved_at: at,
            mail_id: MailId::new(at, u64::from(uid)),
        };
        let base = BaseSubject::of(subject);
        let folded = fold(&base.text);
        let mut packed = Vec::new();
        for id in references.split(' ').filter(|id| !id.is_empty()) {
            header_facts::write(id.as_bytes(), &mut packed);
        }
        let header = HeaderFacts {
            sent: Some(SentDate { seconds: *sent, day: 0 }),
            base_subject: folded.as_bytes(),
            is_reply_or_forward: base.is_reply_or_forward,
            message_id: id.as_bytes(),
            references: &packed,
            ..HeaderFacts::default()
        };
        threader.push(&message, &header);
    }
    threader.finish()
}

/// RFC 5256 §5: `thread-list`.
fn shown(thread: &Thread) -> String {
    format!("({})", members(thread))
}

fn members(thread: &Thread) -> String {
    let mut out = thread.uid.map(|uid| uid.to_string()).unwrap_or_default();
    match &thread.children[..] {
        [] => {}
        [only] => {
            if !out.is_empty() {
                out.push(' ');
            }
            out.push_str(&members(only));
        }
        several => {
            if !out.is_empty() {
                out.push(' ');
            }
            several.iter().for_each(|child| out.push_str(&shown(child)));
        }
    }
    out
}

fn by_references(rows: &[Row<'_>]) -> String {
    threads(ThreadAlgorithm::References, rows)
}

#[test]
fn ordered_subject_has_no_grandchildren() {
    let rows = [
        (5, "one", "a", ""),
        (1, "two", "b", ""),
        (9, "Re: one", "c", "a"),
        (7, "RE: One", "d", "c"),
        (0, "Fwd: two", "e", ""),
    ];
    assert_eq!(threads(ThreadAlgorithm::OrderedSubject, &rows), "(5 2)(1 (4)(3))");
}

#[test]
fn a_chain_of_answers_is_a_chain() {
    let rows = [(1, "s", "a", ""), (2, "Re: s", "b", "a"), (3, "Re: s", "c", "a b"), (4, "Re: s", "d", "a")];
    assert_eq!(by_references(&rows), "(1 (2 3)(4))");
}

#[test]
fn answers_to_what_was_not_found_are_siblings() {
    assert_eq!(by_references(&[(1, "x", "a", "gone"), (2, "y", "b", "gone")]), "((1)(2))");
    // A dummy with one child goes.
    assert_eq!(by_references(&[(1, "x", "a", "gone"), (2, "y", "b", "a")]), "(1 2)");
    // Dummies below others go, too.
    assert_eq!(
        by_references(&[(1, "x", "a", ""), (2, "y", "b", "a gone"), (3, "y", "c", "a gone")]),
        "(1 (2)(3))"
    );
}

#[test]
fn messages_that_refer_to_one_another_make_no_loop() {
    assert_eq!(by_references(&[(1, "x", "a", "b"), (2, "y", "b", "a")]), "(2 1)");
    assert_eq!(by_references(&[(1, "x", "a", "a")]), "(1)");
    assert_eq!(by_references(&[(1, "x", "a", "c b"), (2, "y", "b", "a c"), (3, "z", "c", "b a")]), "(3 2 1)");
}

#[test]
fn of_messages_with_one_id_the_first_has_it() {
    assert_eq!(by_references(&[(1, "x", "a", ""), (2, "y", "a", ""), (3, "z", "c", "a")]), "(1 3)(2)");
    assert_eq!(by_references(&[(1, "x", "", ""), (2, "y", "", "")]), "(1)(2)");
}

#[test]
fn the_last_reference_of_a_message_counts_more_than_what_others_say() {
    // The second says that `b` answers `a`; `b` itself says that it answers nothing.
    assert_eq!(by_references(&[(1, "x", "a", ""), (2, "z", "c", "a b"), (3, "y", "b", "")]), "(1)(3 2)");
    // Whoever comes first is right about the links of others.
    assert_eq!(
        by_references(&[(1, "w", "d", "a b c"), (2, "x", "a", ""), (3, "z", "c", "a b"), (4, "y", "b", "a")]),
        "(2 4 3 1)"
    );
}

#[test]
fn threads_of_one_subject_are_merged() {
    // A reply goes below what it answers, also where it came and was sent before.
    assert_eq!(by_references(&[(1, "Re: s", "a", ""), (2, "s", "b", "")]), "(2 1)");
    // Two of a kind become siblings.
    assert_eq!(by_references(&[(1, "s", "a", ""), (2, "S", "b", "")]), "((1)(2))");
    assert_eq!(by_references(&[(1, "s", "a", ""), (2, "s", "b", ""), (3, "s", "c", "")]), "((1)(2)(3))");
    assert_eq!(
        by_references(&[(1, "Re: s", "a", ""), (2, "Re: s", "b", ""), (3, "s", "c", "")]),
        "(3 (1)(2))"
    );
    // Into a dummy goes everything.
    assert_eq!(
        by_references(&[(1, "s", "a", "gone"), (2, "s", "b", "gone"), (3, "s", "c", "")]),
        "((1)(2)(3))"
    );
    assert_eq!(
        by_references(&[(1, "s", "a", "g"), (2, "s", "b", "g"), (3, "s", "c", "h"), (4, "s", "d", "h")]),
        "((1)(2)(3)(4))"
    );
    // Nobody belongs together for having no subject.
    assert_eq!(by_references(&[(1, "", "a", ""), (2, "Re:", "b", "")]), "(1)(2)");
}

#[test]
fn siblings_and_threads_are_in_the_order_in_which_they_were_sent() {
    let rows =
        [(30, "x", "a", ""), (9, "y", "b", "a"), (5, "z", "c", "a"), (20, "w", "d", ""), (5, "v", "e", "a")];
    assert_eq!(by_references(&rows), "(4)(1 (3)(5)(2))");
    // A dummy counts as its first child.
    assert_eq!(by_references(&[(3, "x", "a", ""), (9, "y", "b", "g"), (1, "z", "c", "g")]), "((3)(2))(1)");
}

#[test]
fn a_chain_that_is_too_deep_is_told_flat() {
    let ids: Vec<String> = (0..5000).map(|n| format!("id{n}")).collect();
    let rows: Vec<Row<'_>> = (0..ids.len())
        .map(|n| (n.try_into().unwrap(), "s", &*ids[n], if n == 0 { "" } else { &*ids[n - 1] }))
        .collect();
    let threads = made(ThreadAlgorithm::References, &rows);
    let (mut depth, mut count, mut level) = (0, 0, threads.iter().collect::<Vec<_>>());
    while !level.is_empty() {
        depth += 1;
        count += level.iter().filter(|thread| thread.uid.is_some()).count();
        level = level.into_iter().flat_map(|thread| &thread.children).collect();
    }
    assert_eq!((depth, count), (THREAD_DEPTH_MAX + 1, ids.len()));
}

#[test]
fn references_that_are_made_to_take_long_do_not() {
    // Each message names the end and the beginning of a chain in turn, which would be looked through each time.
    let chain: Vec<String> = (0..2000).map(|n| format!("c{n}")).collect();
    let hostile = ["c1999 c0"; 100].join(" ");
    let names: Vec<String> = (0..20_000).map(|n| format!("h{n}")).collect();
    let mut rows: Vec<Row<'_>> = vec![(0, "s", "c0", "")];
    rows.extend((1..2000).map(|n| (0, "s", &*chain[n], &*chain[n - 1])));
    rows.extend(names.iter().map(|name| (0, "s", &**name, &*hostile)));
    let threads = made(ThreadAlgorithm::References, &rows);
    assert!(!threads.is_empty());
}
