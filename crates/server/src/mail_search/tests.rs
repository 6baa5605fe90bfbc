use imap::command::{SequenceSet, SetRange, SetValue, SortCriterion, SortKey, ThreadAlgorithm};
use imap::search::Column;
use imap::view::{Message, Snapshot};
use store::{Acceptance, Body, Delivery, DerivedKind, Flags, MailboxId, NewAccount, Transfer, UidValidity};
use types::{Envelope, MailId};

use super::order::Cells;
use super::*;
use crate::config::{ByteSize, Config};
use crate::node::Node;
use crate::structures::CellsKey;

const BEGIN: Timestamp = Timestamp::from_millis(1_795_000_000_000);
/// 2026-11-18, the day of [`BEGIN`].
const BEGIN_DAY: i64 = 20_775;
const HOUR_MS: u64 = 3_600_000;

/// A node with one mailbox.
struct Bench {
    node: Node,
    inbox: MailboxId,
    account: store::AccountId,
    _data: tempfile::TempDir,
}

impl Bench {
    async fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut config =
            Config { data: data.path().to_path_buf(), listeners: Vec::new(), ..Config::default() };
        config.host_name = "mail.example.org".parse().unwrap();
        config.store.min_free_bytes = ByteSize(0);
        let node = Node::start(Arc::new(config)).await.unwrap();
        let account = node.store().as_ref();
        let account = store::Directory::create_account(account, NewAccount::new("ada@example.org", BEGIN));
        let account = account.await.unwrap();
        Self { node, inbox: account.inbox, account: account.id, _data: data }
    }

    /// Each message an hour after the one before.
    async fn deliver(&self, n: u64, message: &str) {
        let at = Timestamp::from_millis(BEGIN.millis() + n * HOUR_MS);
        let recipient = "<ada@example.org>".parse().unwrap();
        let envelope = Envelope::new("<sender@example.net>".parse().unwrap(), [recipient]);
        let body = Body::Memory(vec![message.replace('\n', "\r\n").into()]);
        let acceptance = Acceptance {
            deliveries: vec![Delivery {
                header: format!("Return-Path: <bounce-{n}@example.net>\r\n").into(),
                flags: if n % 2 == 1 { Flags::SEEN } else { Flags::NONE },
                ..Delivery::to(self.inbox)
            }],
            ..Acceptance::new(MailId::new(at, n), at, envelope, body)
        };
        self.node.shared().store.accept(acceptance).await.unwrap();
    }

    async fn view_of(&self, mailbox: MailboxId) -> View {
        let entries = self.node.shared().store.messages(mailbox, None, 100_000).await.unwrap();
        let messages: Vec<Message> = entries
            .iter()
            .map(|entry| Message {
                uid: entry.uid,
                flags: entry.flags,
                modseq: entry.modseq,
                size_bytes: entry.size_bytes,
                internal_date: entry.internal_date,
                saved_at: entry.saved_at,
                mail_id: entry.mail_id,
            })
            .collect();
        let next = Uid(messages.last().map_or(1, |message| message.uid.0 + 1));
        let modseq = messages.iter().map(|message| message.modseq).max().unwrap_or(ModSeq(1));
        View::new(Arc::new(Snapshot::new(mailbox, UidValidity(1), next, modseq, Arc::default(), &messages)))
    }

    async fn search_in(&self, view: &View, key: &SearchKey, kind: &SearchKind) -> Result<Found, Refusal> {
        let now = Timestamp::from_millis(BEGIN.millis() + 100 * HOUR_MS);
        search(self.node.shared(), view, key, kind, now, &|_, _| {}).await
    }

    async fn found(&self, key: &SearchKey) -> Vec<u32> {
        let view = self.view_of(self.inbox).await;
        match self.search_in(&view, key, &SearchKind::Search).await.unwrap() {
            Found::Messages(uids, _) => uids.into_iter().map(|uid| uid.0).collect(),
            other => panic!("{other:?}"),
        }
    }

    async fn words_kept(&self) -> usize {
        let store = &self.node.shared().store;
        let entries = store.messages(self.inbox, None, 100_000).await.unwrap();
        let ids: Vec<MailId> = entries.iter().map(|entry| entry.mail_id).collect();
        store.derived(DerivedKind::Words, &ids).await.unwrap().into_iter().flatten().count()
    }

    async fn stop(self) {
        self.node.run_silently_until(std::future::ready(())).await.unwrap();
    }
}

fn body(text: &str) -> SearchKey {
    SearchKey::Body(text.into())
}

fn text(text: &str) -> SearchKey {
    SearchKey::Text(text.into())
}

fn header(name: &str, value: &str) -> SearchKey {
    SearchKey::Header { name: name.into(), value: value.into() }
}

fn not(key: SearchKey) -> SearchKey {
    SearchKey::Not(Box::new(key))
}

fn or(a: SearchKey, b: SearchKey) -> SearchKey {
    SearchKey::Or(Box::new((a, b)))
}

const MESSAGES: [&str; 5] = [
    "From: Ada <ada@example.org>\nTo: bob@example.org\nSubject: Lunch\nDate: Tue, 3 Nov 2026 23:30:00 -0800\nMessage-ID: <1@x>\n\nAt noon in the caf\u{e9}?\n",
    "From: Bob <bob@example.org>\nTo: ada@example.org\nCc: eve@example.org\nSubject: Re: Lunch\nDate: Wed, 4 Nov 2026 01:00:00 +0000\nMessage-ID: <2@x>\nIn-Reply-To: <1@x>\n\nYes, at noon.\n",
    "From: Eve <eve@example.org>\nSubject: =?utf-8?q?Rechnung_f=C3=BCr_Oktober?=\nDate: Thu, 5 Nov 2026 12:00:00 +0000\nX-Invoice: 77\nContent-Type: text/html; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n<b>Betrag f=FCr Oktober:</b> 12=20EUR\n",
    "From: list@example.net\nSubject: digest\nMIME-Version: 1.0\nContent-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: inner lunch\n\ntext within\n--b--\n",
    "\nno header at all\n",
];

/// As FETCH EMAILID shows the id of message `n`.
fn email_id(n: u64) -> String {
    let id = MailId::new(Timestamp::from_millis(BEGIN.millis() + n * HOUR_MS), n);
    format!("E{}", u128::from_be_bytes(id.to_bytes()))
}

/// Every key, and the UIDs that it finds.
fn table() -> Vec<(SearchKey, Vec<u32>)> {
    let set = |from, to| SequenceSet::Ranges(vec![SetRange { from: SetValue::Number(from), to }]);
    vec![
        (SearchKey::All, vec![1, 2, 3, 4, 5]),
        (SearchKey::Flag(Flags::SEEN), vec![2, 4]),
        (not(SearchKey::Flag(Flags::SEEN)), vec![1, 3, 5]),
        (SearchKey::Sequence(set(4, SetValue::Largest)), vec![4, 5]),
        (SearchKey::And(vec![SearchKey::Uid(set(2, SetValue::Number(3))), SearchKey::All]), vec![2, 3]),
        (header("from", "ADA@"), vec![1]),
        (header("To", ""), vec![1, 2]),
        (header("CC", "eve"), vec![2]),
        (header("subject", "lunch"), vec![1, 2]),
        (header("Subject", "f\u{fc}r oktober"), vec![3]),
        (header("X-Invoice", "77"), vec![3]),
        (header("X-Invoice", ""), vec![3]),
        (not(header("x-invoice", "")), vec![1, 2, 4, 5]),
        (header("Return-Path", "bounce-3@"), vec![4]),
        (header("message-id", "<2@x>"), vec![2]),
        (body("noon"), vec![1, 2]),
        (body("CAFE"), vec![1]),
        (body("f\u{dc}r oktober:</b> 12 eur"), vec![3]),
        (body("lunch"), vec![4]),
        (body("no"), vec![1, 2, 5]),
        (body(""), vec![1, 2, 3, 4, 5]),
        (text("lunch"), vec![1, 2, 4]),
        (text("bounce-2@example"), vec![3]),
        (text("nowhere to be found"), vec![]),
        (not(text("example.org")), vec![4, 5]),
        (
            or(body("within"), or(header("x-invoice", "77"), SearchKey::Uid(set(5, SetValue::Number(5))))),
            vec![3, 4, 5],
        ),
        (SearchKey::And(vec![body("noon"), header("from", "bob")]), vec![2]),
        (SearchKey::And(vec![text("noon"), not(body("yes"))]), vec![1]),
        // The day as written, not that of UTC.
        (SearchKey::SentOn(20_760), vec![1]),
        (SearchKey::SentBefore(20_762), vec![1, 2]),
        (SearchKey::SentSince(20_761), vec![2, 3]),
        (SearchKey::On(BEGIN_DAY), vec![1, 2, 3, 4, 5]),
        (SearchKey::Before(BEGIN_DAY), vec![]),
        (SearchKey::Older(98 * 3600), vec![1, 2, 3]),
        (SearchKey::Younger(98 * 3600), vec![3, 4, 5]),
        (SearchKey::Larger(10_000), vec![]),
        (SearchKey::Keyword("$Junk".into()), vec![]),
        (SearchKey::EmailId(email_id(2)), vec![3]),
        (SearchKey::EmailId("E1".into()), vec![]),
        (SearchKey::SaveDateSupported, vec![1, 2, 3, 4, 5]),
    ]
}

async fn with_messages() -> Bench {
    let bench = Bench::start().await;
    for (n, message) in (0..).zip(MESSAGES) {
        bench.deliver(n, message).await;
    }
    bench
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_find_what_they_say_whatever_is_known_of_messages() {
    let bench = with_messages().await;
    // At first nothing is known; then what searches left; then all of it.
    for round in ["unknown", "as searches left it", "indexed"] {
        if round == "indexed" {
            crate::mail_index::index_now(bench.node.shared(), bench.inbox).await;
            assert_eq!(bench.words_kept().await, MESSAGES.len());
        }
        for (key, expected) in table() {
            assert_eq!(bench.found(&key).await, expected, "{key:?}, {round}");
        }
    }
    bench.stop().await;
}

#[tokio::test]
async fn one_thread_searches_too() {
    let bench = with_messages().await;
    for (key, expected) in table() {
        assert_eq!(bench.found(&key).await, expected, "{key:?}");
    }
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_found_is_sorted_and_threaded() {
    let bench = with_messages().await;
    let view = bench.view_of(bench.inbox).await;
    let sort = |key, reverse| SearchKind::Sort(vec![SortCriterion { reverse, key }]);
    for (kind, expected) in [
        (sort(SortKey::Subject, false), vec![5, 4, 1, 2, 3]),
        (sort(SortKey::Arrival, true), vec![5, 4, 3, 2, 1]),
        // 23:30 -0800 is the morning after; without a date the arrival counts.
        (sort(SortKey::Date, false), vec![2, 1, 3, 4, 5]),
        (sort(SortKey::Cc, true), vec![2, 1, 3, 4, 5]),
    ] {
        let found = bench.search_in(&view, &SearchKey::All, &kind).await.unwrap();
        assert_eq!(found, Found::Sorted(expected.into_iter().map(Uid).collect(), None), "{kind:?}");
    }
    let threads = SearchKind::Thread(ThreadAlgorithm::References);
    let Found::Threads(threads) = bench.search_in(&view, &SearchKey::All, &threads).await.unwrap() else {
        panic!("no threads");
    };
    let shown: Vec<_> = threads.iter().map(|thread| (thread.uid, thread.children.len())).collect();
    assert_eq!(shown, [(Some(Uid(1)), 1), (Some(Uid(3)), 0), (Some(Uid(4)), 0), (Some(Uid(5)), 0)]);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sorts_again_is_answered_of_what_is_in_memory() {
    let bench = with_messages().await;
    let maker = Maker::of(bench.node.shared());
    let by_date = SearchKind::Sort(vec![SortCriterion { reverse: false, key: SortKey::Date }]);
    let sorted = async |all: &[u32]| {
        let view = bench.view_of(bench.inbox).await;
        let found = bench.search_in(&view, &SearchKey::All, &by_date).await.unwrap();
        assert_eq!(found, Found::Sorted(all.iter().copied().map(Uid).collect(), None));
    };
    let keys = [CellsKey::new(bench.inbox, 0, Column::Date)];
    assert!(maker.cells(&keys)[0].is_empty());
    sorted(&[2, 1, 3, 4, 5]).await;
    let known = maker.cells(&keys);
    assert_eq!(known[0].len(), 5 * (3 + 8));
    // What is there counts, here the first of all dates; what is not, here the last one, is made.
    let row = [&known[0][..3 * 11], &[4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
    maker.keep_cells(&keys, &[row.into()]);
    sorted(&[4, 2, 1, 3, 5]).await;
    bench.deliver(6, "Date: 1 Jan 1971 00:00:00 +0000\n\nold\n").await;
    sorted(&[4, 6, 2, 1, 3, 5]).await;
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_read_is_not_remembered_as_if_it_had_no_header() {
    let bench = with_messages().await;
    let maker = Maker::of(bench.node.shared());
    let view = bench.view_of(bench.inbox).await;
    bench.node.shared().store.expunge(bench.inbox, &[Uid(1)], BEGIN).await.unwrap();
    let threads = SearchKind::Thread(ThreadAlgorithm::References);
    bench.search_in(&view, &SearchKey::All, &threads).await.unwrap();
    let row = maker.cells(&[CellsKey::new(bench.inbox, 0, Column::Thread)]).remove(0);
    assert_eq!([1, 2, 3].map(|uid| Cells::of(&row).get(Uid(uid)).is_some()), [false, true, true]);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_highest_modification_sequence_is_told_where_it_was_asked_for() {
    let bench = with_messages().await;
    let view = bench.view_of(bench.inbox).await;
    let key = SearchKey::And(vec![SearchKey::ModSeq(ModSeq(1)), body("noon")]);
    let expected = view.message(2).unwrap().modseq;
    let found = bench.search_in(&view, &key, &SearchKind::Search).await.unwrap();
    assert_eq!(found, Found::Messages(vec![Uid(1), Uid(2)], Some(expected)));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_go_while_they_are_looked_for_are_not_found() {
    let bench = with_messages().await;
    let view = bench.view_of(bench.inbox).await;
    bench.node.shared().store.expunge(bench.inbox, &[Uid(1)], BEGIN).await.unwrap();
    for key in [body("noon"), header("subject", "lunch")] {
        let found = bench.search_in(&view, &key, &SearchKind::Search).await.unwrap();
        assert_eq!(found, Found::Messages(vec![Uid(2)], None), "{key:?}");
    }
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_are_found_by_what_their_delivery_says_too() {
    let bench = with_messages().await;
    let store = Arc::clone(&bench.node.shared().store);
    assert_eq!(bench.found(&text("bounce-1@")).await, [2]);
    let other = store.create_mailbox(bench.account, "Other", None, BEGIN).await.unwrap();
    store.transfer(bench.inbox, &[Uid(1), Uid(2)], other.id, Transfer::Copy, BEGIN).await.unwrap();
    let view = bench.view_of(other.id).await;
    for _ in 0..2 {
        for (key, expected) in [(text("bounce-1@"), vec![Uid(2)]), (text("noon"), vec![Uid(1), Uid(2)])] {
            let found = bench.search_in(&view, &key, &SearchKind::Search).await.unwrap();
            assert_eq!(found, Found::Messages(expected, None), "{key:?}");
        }
        assert_eq!(bench.found(&text("bounce-1@")).await, [2]);
    }
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_larger_than_is_kept_in_memory_is_searched_to_its_end() {
    let bench = Bench::start().await;
    let filler = "lines and lines of it\n".repeat(150_000);
    bench.deliver(0, &format!("Subject: large\n\n{filler}the very last words\n")).await;
    for _ in 0..2 {
        assert_eq!(bench.found(&body("very last words")).await, [1]);
        assert_eq!(bench.found(&body("very last letters")).await, Vec::<u32>::new());
    }
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_of_too_many_keys_is_refused() {
    let bench = with_messages().await;
    let view = bench.view_of(bench.inbox).await;
    let many = |count, key: &dyn Fn(u32) -> SearchKey| SearchKey::And((0..count).map(key).collect());
    for key in [many(10_000, &|_| SearchKey::All), many(1000, &|n| text(&format!("word {n}")))] {
        let refused = bench.search_in(&view, &key, &SearchKind::Search).await;
        assert_eq!(refused, Err(Refusal::Limit));
    }
    let mut deep = body("noon");
    for _ in 0..100 {
        deep = or(SearchKey::Flag(Flags::DELETED), not(not(deep)));
    }
    assert_eq!(bench.search_in(&view, &deep, &SearchKind::Search).await, Err(Refusal::Limit));
    // A long choice is no deep one.
    let wide = (0..1000).fold(body("noon"), |key, _| or(SearchKey::Flag(Flags::DELETED), key));
    assert_eq!(bench.found(&wide).await, [1, 2]);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_string_is_found_exactly_where_it_is() {
    const WORDS: [&str; 12] = [
        "alpha",
        "Beta",
        "gamma",
        "delta",
        "\u{fc}ber",
        "STRA\u{df}E",
        "noon",
        "no",
        "on",
        "\u{6f22}\u{5b57}",
        "a",
        "zz",
    ];
    let mut state = 12_345_u32;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as usize % below
    };
    let bench = Bench::start().await;
    let mut bodies = Vec::new();
    for n in 0..300 {
        let words: Vec<&str> = (0..random(30)).map(|_| WORDS[random(WORDS.len())]).collect();
        let text = words.join(" ");
        bench.deliver(n, &format!("Subject: {n}\nContent-Type: text/plain; charset=utf-8\n\n{text}\n")).await;
        bodies.push(imap::search::fold(&text));
    }
    for round in 0..2 {
        for _ in 0..60 {
            let of = &bodies[random(bodies.len())];
            let characters: Vec<char> = of.chars().collect();
            let from = random(characters.len() + 1);
            let sought: String = characters[from..].iter().take(random(12)).collect();
            let expected: Vec<u32> =
                (1..).zip(&bodies).filter(|(_, text)| text.contains(&sought)).map(|(uid, _)| uid).collect();
            assert_eq!(bench.found(&body(&sought)).await, expected, "{sought:?}, round {round}");
        }
        crate::mail_index::index_now(bench.node.shared(), bench.inbox).await;
    }
    bench.stop().await;
}
