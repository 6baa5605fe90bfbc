//! What is asked of the queue and done to it, over both transports, where nothing is sent.

use store::{
    LastWord, Next, Queue as _, QueueItem, QueueItemId, QueueState, QueueStatus, Settlement, Trace as _,
    TraceQuery,
};
use types::{EnhancedStatus, EnvelopeRecipient, Event, EventStep, ForwardPath, Notify, RecipientDsn};

use super::*;

const START_MS: u64 = 1_795_322_124_250;

/// A message for other hosts: its sender, and who gets it at which destination.
struct Mail {
    number: u64,
    from: &'static str,
    to: Vec<(&'static str, Vec<&'static str>)>,
}

fn mail(number: u64, from: &'static str, to: &[(&'static str, &[&'static str])]) -> Mail {
    Mail { number, from, to: to.iter().map(|(destination, to)| (*destination, to.to_vec())).collect() }
}

fn at(number: u64) -> Timestamp {
    Timestamp::from_millis(START_MS + number * 60_000)
}

fn recipient(address: &str) -> EnvelopeRecipient {
    address.parse::<ForwardPath>().unwrap().into()
}

impl Fixture {
    fn enqueue(&self, mail: &Mail) {
        let Mail { number, from, to } = mail;
        let recipients: Vec<_> = to.iter().flat_map(|(_, to)| to).map(|to| recipient(to)).collect();
        let queue = to.iter().map(|(destination, to)| store::NewQueueItem {
            destination: store::Destination::named(destination).unwrap(),
            reverse_path: from.parse().unwrap(),
            header: Bytes::new(),
            recipients: to.iter().map(|to| recipient(to)).collect(),
            due_at: at(*number),
        });
        let acceptance = Acceptance {
            mail_id: MailId::new(at(*number), *number),
            received_at: at(*number),
            envelope: Envelope { recipients, ..Envelope::new(from.parse().unwrap(), []) },
            origin: "a test".to_owned(),
            body: Body::Memory(vec![Bytes::from(format!("Subject: {number}\r\n\r\nhello\r\n"))]),
            deliveries: Vec::new(),
            queue: queue.collect(),
            claim: store::QueueClaim::Later,
            idempotency: None,
        };
        self.runtime.block_on(store::Spool::accept(self.embedded.as_ref(), acceptance)).unwrap();
    }

    fn item(&self, id: &str) -> Option<QueueItem> {
        self.runtime.block_on(self.embedded.queue_item(id.parse().unwrap())).unwrap()
    }

    /// As an attempt leaves it.
    fn tried(&self, id: &str, host: &str, code: u16, text: &str) {
        let item = self.item(id).unwrap();
        let last =
            LastWord { status: EnhancedStatus::transient(2, 2), code: Some(code), text: text.to_owned() };
        let mut state = QueueState { attempts: 1, last_host: Some(host.to_owned()), ..item.state };
        state.recipients[0].last = Some(last);
        self.settle(item.id, item.revision, Next::Waits(state));
    }

    fn settle(&self, id: QueueItemId, revision: u32, next: Next) {
        let settlement = Settlement { id, revision, next };
        self.runtime.block_on(self.embedded.settle(vec![settlement], Vec::new())).unwrap();
    }

    fn events(&self, number: u64) -> Vec<Event> {
        let query = TraceQuery { id: Some(MailId::new(at(number), number)), ..TraceQuery::default() };
        self.runtime.block_on(self.embedded.trace(query)).unwrap()
    }

    /// Five messages for three destinations.
    fn with_mail() -> Self {
        let fixture = Self::new();
        for mail in [
            mail(
                1,
                "<ada@example.org>",
                &[("one.test", &["<x@one.test>", "<y@one.test>"]), ("two.test", &["<z@two.test>"])],
            ),
            mail(2, "<>", &[("one.test", &["<x@one.test>"])]),
            mail(3, "<Bob@Example.Org>", &[("sub.two.test", &["<postmaster@sub.two.test>"])]),
            mail(4, "<eve@example.net>", &[("[192.0.2.1]", &["<w@[192.0.2.1]>"])]),
        ] {
            fixture.enqueue(&mail);
        }
        fixture.tried(&id(1, 2), "mx.two.test [192.0.2.2]", 452, "4.2.2 Mailbox FULL");
        fixture
    }
}

fn id(number: u64, part: u32) -> String {
    format!("{}.{part}", MailId::new(at(number), number))
}

fn ask(client: &mut Client, request: QueueRequest) -> Result<QueueResponse, ErrorKind> {
    match client.ask(Request::Queue(request)) {
        Ok(Response::Queue(response)) => Ok(response),
        Err(ClientError::Control(error)) => Err(error.kind),
        other => panic!("{other:?}"),
    }
}

fn page(client: &mut Client, filter: QueueFilter, after: Option<String>, limit: usize) -> QueuePage {
    match ask(client, QueueRequest::Items { filter: Box::new(filter), after, limit }) {
        Ok(QueueResponse::Items(page)) => page,
        other => panic!("{other:?}"),
    }
}

fn found(client: &mut Client, filter: QueueFilter) -> Vec<String> {
    page(client, filter, None, 500).items.into_iter().map(|item| item.id).collect()
}

fn act(client: &mut Client, act: QueueAct, ids: &[String]) -> Result<QueueActed, ErrorKind> {
    match ask(client, QueueRequest::Act { act, ids: ids.to_vec(), by: "root".to_owned() })? {
        QueueResponse::Acted(acted) => Ok(acted),
        other => panic!("{other:?}"),
    }
}

fn all_done(count: u64) -> QueueActed {
    QueueActed { done: count, left: Vec::new() }
}

#[test]
fn items_are_found_by_all_that_is_said_of_them() {
    let fixture = Fixture::with_mail();
    let text = |text: &str| Some(text.to_owned());
    let filter = QueueFilter::default;
    let rows: Vec<(QueueFilter, Vec<String>)> = vec![
        (filter(), vec![id(1, 1), id(1, 2), id(2, 1), id(3, 1), id(4, 1)]),
        (QueueFilter { from: text("ADA@EXAMPLE.ORG"), ..filter() }, vec![id(1, 1), id(1, 2)]),
        (QueueFilter { from: text("<>"), ..filter() }, vec![id(2, 1)]),
        (QueueFilter { from: text("@example.org"), ..filter() }, vec![id(1, 1), id(1, 2), id(3, 1)]),
        (QueueFilter { to: text("y@one.test"), ..filter() }, vec![id(1, 1)]),
        (QueueFilter { to: text("@ONE.test"), ..filter() }, vec![id(1, 1), id(2, 1)]),
        (QueueFilter { to: text("postmaster"), ..filter() }, vec![id(3, 1)]),
        (QueueFilter { to: text("w@[192.0.2.1]"), ..filter() }, vec![id(4, 1)]),
        (QueueFilter { domain: text("Two.Test"), ..filter() }, vec![id(1, 2)]),
        (QueueFilter { domain: text(".two.test"), ..filter() }, vec![id(3, 1)]),
        (QueueFilter { domain: text("[192.0.2.1]"), ..filter() }, vec![id(4, 1)]),
        (QueueFilter { site: text("MX.two.test"), ..filter() }, vec![id(1, 2)]),
        (QueueFilter { site: text("192.0.2.2"), ..filter() }, vec![id(1, 2)]),
        (QueueFilter { site: text("x.two.test"), ..filter() }, vec![]),
        (QueueFilter { reply: text("mailbox full"), ..filter() }, vec![id(1, 2)]),
        (QueueFilter { reply: text("452"), ..filter() }, vec![id(1, 2)]),
        (QueueFilter { before_ms: Some(at(2).millis()), ..filter() }, vec![id(1, 1), id(1, 2), id(2, 1)]),
        (QueueFilter { status: Some(QueueWord::Held), ..filter() }, vec![]),
        (QueueFilter { ids: vec![id(3, 1), id(1, 1)], ..filter() }, vec![id(1, 1), id(3, 1)]),
        (
            QueueFilter { ids: vec![id(1, 1)[..20].to_owned(), id(1, 2)], ..filter() },
            vec![id(1, 1), id(1, 2)],
        ),
        (QueueFilter { ids: vec![id(1, 1)], from: text("<>"), ..filter() }, vec![]),
        (QueueFilter { from: text("ada@example.org"), domain: text("one.test"), ..filter() }, vec![id(1, 1)]),
    ];
    for (transport, mut client) in fixture.clients() {
        for (filter, expected) in &rows {
            assert_eq!(&found(&mut client, filter.clone()), expected, "{transport}: {filter:?}");
        }
    }
}

#[test]
fn pages_show_each_item_once_in_the_order_of_ids() {
    let fixture = Fixture::with_mail();
    let mut client = fixture.remote();
    for (filter, expected) in [
        (QueueFilter::default(), 5),
        (QueueFilter { from: Some("@example.org".to_owned()), ..QueueFilter::default() }, 3),
        (QueueFilter { domain: Some("one.test".to_owned()), ..QueueFilter::default() }, 2),
    ] {
        let (mut after, mut ids) = (None, Vec::new());
        loop {
            let page = page(&mut client, filter.clone(), after, 1);
            ids.extend(page.items.into_iter().map(|item| item.id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert!(ids.is_sorted() && ids.len() == expected, "{ids:?}");
    }
}

#[test]
fn an_item_is_shown_with_all_that_is_known_of_it() {
    let fixture = Fixture::with_mail();
    for (transport, mut client) in fixture.clients() {
        let show = |client: &mut Client, id: String| match ask(client, QueueRequest::Show { id }) {
            Ok(QueueResponse::Items(page)) => Ok(page.items),
            Err(kind) => Err(kind),
            other => panic!("{other:?}"),
        };
        let items = show(&mut client, id(1, 1)[..20].to_lowercase()).unwrap();
        assert_eq!(items.len(), 2, "{transport}");
        let QueueItemSummary { destination, from, recipients, last_host, attempts, .. } = &items[1];
        assert_eq!((destination.as_str(), from.as_str(), *attempts), ("two.test", "<ada@example.org>", 1));
        assert_eq!(last_host.as_deref(), Some("mx.two.test [192.0.2.2]"));
        assert_eq!(recipients[0].last.as_deref(), Some("452 4.2.2 4.2.2 Mailbox FULL"));
        assert_eq!(show(&mut client, id(9, 1)), Err(ErrorKind::NoSuchMessage));
        assert_eq!(show(&mut client, "x".to_owned()), Err(ErrorKind::BadValue));
        let request = Request::QueueOpen { id: id(1, 1), bytes_max: None };
        assert_eq!(read(&mut client, request).unwrap().1, b"Subject: 1\r\n\r\nhello\r\n");
    }
}

#[test]
fn figures_name_the_destinations_with_the_most_mail_first() {
    let fixture = Fixture::with_mail();
    act(&mut fixture.remote(), QueueAct::Hold { reason: "x".to_owned() }, &[id(2, 1)]).unwrap();
    for (transport, mut client) in fixture.clients() {
        let Ok(QueueResponse::Figures(totals)) = ask(&mut client, QueueRequest::Figures { destinations: 2 })
        else {
            panic!()
        };
        assert_eq!((totals.waiting, totals.held, totals.destinations), (4, 1, 4), "{transport}");
        assert_eq!(totals.top.len(), 2);
        let first = &totals.top[0];
        assert_eq!((first.destination.as_str(), first.waiting, first.held), ("one.test", 1, 1));
    }
}

#[test]
fn what_is_held_is_not_due_before_it_is_released_and_each_act_is_in_the_trace() {
    let fixture = Fixture::with_mail();
    let mut client = fixture.remote();
    let hold = QueueAct::Hold { reason: "abuse\r\nreport".to_owned() };
    assert_eq!(act(&mut client, hold.clone(), &[id(1, 1), id(2, 1)]), Ok(all_done(2)));
    let held = fixture.item(&id(1, 1)).unwrap();
    assert_eq!(held.state.status, QueueStatus::Held { reason: "abuse  report".to_owned() });
    let due = fixture.runtime.block_on(fixture.embedded.claim(
        &held.destination,
        Timestamp::from_millis(u64::MAX),
        10,
        std::time::Duration::from_secs(60),
    ));
    assert_eq!(due.unwrap(), []);
    let again = act(&mut client, hold, &[id(1, 1), id(9, 9)]).unwrap();
    assert_eq!((again.done, again.left.len()), (0, 2));
    assert!(again.left.iter().any(|left| left.why.contains("held already")), "{again:?}");
    let retried = act(&mut client, QueueAct::Retry, &[id(1, 1)]).unwrap();
    assert!(retried.done == 0 && retried.left[0].why.contains("queue release"), "{retried:?}");
    assert_eq!(act(&mut client, QueueAct::Release, &[id(1, 1)]), Ok(all_done(1)));
    let released = fixture.item(&id(1, 1)).unwrap();
    assert_eq!(released.state.status, QueueStatus::Waiting);
    assert!(released.state.due_at > held.state.due_at && released.revision > held.revision);
    let again = act(&mut client, QueueAct::Release, &[id(1, 1)]).unwrap();
    assert_eq!((again.done, again.left[0].why.as_str()), (0, "it is not held"));
    let events = fixture.events(1);
    let told: Vec<_> = events.iter().map(|event| (event.step, event.reason.as_str())).collect();
    assert_eq!(
        told,
        [
            (EventStep::Held, "the operator (root) holds it: abuse  report"),
            (EventStep::Operator, "the operator (root) releases it"),
        ]
    );
}

#[test]
fn what_is_tried_now_is_due_now() {
    let fixture = Fixture::with_mail();
    let item = fixture.item(&id(3, 1)).unwrap();
    let later = QueueState { due_at: Timestamp::from_millis(u64::MAX / 2), ..item.state };
    fixture.settle(item.id, item.revision, Next::Waits(later));
    assert_eq!(act(&mut fixture.remote(), QueueAct::Retry, &[id(3, 1)]), Ok(all_done(1)));
    let item = fixture.item(&id(3, 1)).unwrap();
    assert!(item.state.due_at <= crate::outside::now());
    assert_eq!(fixture.events(3)[0].reason, "the operator (root) wants it tried now");
}

#[test]
fn what_is_removed_is_gone_and_the_trace_says_who_did_it_for_each_recipient() {
    let fixture = Fixture::with_mail();
    let silently = QueueAct::Remove { tell: TellSender::Silently };
    let acted = act(&mut fixture.remote(), silently, &[id(1, 1), id(4, 1)]);
    assert_eq!(acted, Ok(all_done(2)));
    assert!(fixture.item(&id(1, 1)).is_none() && fixture.item(&id(4, 1)).is_none());
    assert!(fixture.item(&id(1, 2)).is_some());
    let events = fixture.events(1);
    let about: Vec<_> = events.iter().map(|event| event.address.as_deref().unwrap()).collect();
    assert_eq!(about, ["x@one.test", "y@one.test"]);
    assert!(events.iter().all(|event| event.step == EventStep::Discarded && event.reason.contains("(root)")));
}

/// RFC 3461 §5.2.7: a report still names the address that the sender knows.
#[test]
fn what_is_redirected_goes_to_one_address_and_begins_anew() {
    let fixture = Fixture::with_mail();
    let item = fixture.item(&id(1, 2)).unwrap();
    let mut state = item.state.clone();
    let never = RecipientDsn { notify: Some(Notify::Never), original_recipient: None };
    state.recipients[0].recipient.dsn = never;
    fixture.settle(item.id, item.revision, Next::Waits(state));
    let mut client = fixture.remote();
    let redirect = |to: &str| QueueAct::Redirect { to: to.to_owned() };
    assert_eq!(act(&mut client, redirect("new@Three.Test"), &[id(1, 2)]), Ok(all_done(1)));
    let item = fixture.item(&id(1, 2)).unwrap();
    assert_eq!((item.destination.as_str(), item.state.attempts), ("three.test", 0));
    let [to] = &item.state.recipients[..] else { panic!("{item:?}") };
    assert_eq!(to.recipient.forward_path.to_string(), "<new@Three.Test>");
    assert_eq!((to.recipient.dsn.notify, &to.last), (Some(Notify::Never), &None));
    let original = to.recipient.dsn.original_recipient.clone().unwrap();
    assert_eq!((original.address_type.as_str(), original.address.as_str()), ("rfc822", "z@two.test"));
    // Once more: the first address stays.
    assert_eq!(act(&mut client, redirect("[192.0.2.9]"), &[id(1, 2)]), Err(ErrorKind::BadValue));
    assert_eq!(act(&mut client, redirect("a@four.test"), &[id(1, 2)]), Ok(all_done(1)));
    let again = fixture.item(&id(1, 2)).unwrap().state.recipients[0].recipient.dsn.clone();
    assert_eq!(again.original_recipient, Some(original));
    assert_eq!(act(&mut client, redirect("b@five.test"), &[id(1, 1)]), Ok(all_done(1)));
    assert_eq!(fixture.item(&id(1, 1)).unwrap().state.recipients.len(), 1);
}

#[test]
fn nothing_is_given_up_where_nobody_can_report_it() {
    let fixture = Fixture::with_mail();
    for (transport, mut client) in fixture.clients() {
        for what in [QueueAct::Expire, QueueAct::Remove { tell: TellSender::WithReport }] {
            let acted = act(&mut client, what, &[id(1, 1)]);
            assert_eq!(acted, Err(ErrorKind::Unavailable), "{transport}");
        }
        assert_eq!(ask(&mut client, QueueRequest::Sites), Err(ErrorKind::Unavailable), "{transport}");
        let flush = QueueRequest::Flush { what: QueueFlush::All, by: String::new() };
        assert_eq!(ask(&mut client, flush), Err(ErrorKind::Unavailable), "{transport}");
    }
    assert_eq!(fixture.item(&id(1, 1)).unwrap().revision, 1);
    assert_eq!(fixture.events(1), []);
}

#[test]
fn what_makes_no_sense_is_said_to_and_changes_nothing() {
    let fixture = Fixture::with_mail();
    let mut client = fixture.remote();
    let text = |text: &str| Some(text.to_owned());
    let filter = QueueFilter::default;
    for wrong in [
        QueueFilter { from: text("nobody"), ..filter() },
        QueueFilter { to: text("<>"), ..filter() },
        QueueFilter { to: text("@"), ..filter() },
        QueueFilter { domain: text("-x-"), ..filter() },
        QueueFilter { domain: text("."), ..filter() },
        QueueFilter { ids: vec!["1".to_owned()], ..filter() },
    ] {
        let request = QueueRequest::Items { filter: Box::new(wrong.clone()), after: None, limit: 1 };
        assert_eq!(ask(&mut client, request), Err(ErrorKind::BadValue), "{wrong:?}");
    }
    assert_eq!(act(&mut client, QueueAct::Retry, &["1".to_owned()]), Err(ErrorKind::BadValue));
    assert_eq!(act(&mut client, QueueAct::Retry, &vec![id(1, 1); 501]), Err(ErrorKind::BadValue));
    assert_eq!(fixture.item(&id(1, 1)).unwrap().revision, 1);
}

/// Octets of a record of the log are no more what was written.
fn damage(mut fixture: Fixture, name: &str) -> Fixture {
    let folder = fixture.folder.path().to_owned();
    if let Some(server) = fixture.server.take() {
        fixture.runtime.block_on(server.stop());
    }
    fixture.runtime.block_on(fixture.embedded.close());
    // Another one takes its place, so that its lock is given up.
    let elsewhere = tempfile::tempdir().unwrap();
    fixture.reopen(elsewhere.path());
    let mut places = 0;
    for entry in std::fs::read_dir(folder.join("log")).unwrap() {
        let path = entry.unwrap().path();
        let mut octets = std::fs::read(&path).unwrap();
        let found: Vec<_> = octets.windows(name.len()).enumerate().collect();
        let found: Vec<_> =
            found.into_iter().filter(|(_, octets)| *octets == name.as_bytes()).map(|(at, _)| at).collect();
        places += found.len();
        found.into_iter().for_each(|at| octets[at] ^= 0x20);
        std::fs::write(&path, octets).unwrap();
    }
    assert!(places > 0, "{name}");
    fixture.reopen(&folder);
    fixture.server = Some(fixture.serve(&folder));
    fixture
}

impl Fixture {
    fn reopen(&mut self, folder: &Path) {
        let _entered = self.runtime.enter();
        let options = Options { path: folder.to_owned(), ..Options::default() };
        self.embedded = Arc::new(Embedded::open(options).unwrap());
    }
}

/// attacks.md 26.
#[test]
fn what_is_damaged_is_shown_as_such_and_can_be_removed() {
    let fixture = damage(Fixture::with_mail(), "postmaster@sub.two");
    for (transport, mut client) in fixture.clients() {
        for name in [id(3, 1), id(3, 1)[..20].to_owned()] {
            let Ok(QueueResponse::Items(page)) = ask(&mut client, QueueRequest::Show { id: name }) else {
                panic!()
            };
            assert_eq!((page.items.len(), page.damaged.len()), (0, 1), "{transport}");
            let damaged = &page.damaged[0];
            assert_eq!((damaged.id.as_str(), damaged.destination.as_str()), (&*id(3, 1), "sub.two.test"));
            assert!(!damaged.why.is_empty());
        }
        let named = QueueFilter { ids: vec![id(3, 1), id(2, 1)], ..QueueFilter::default() };
        let page = page(&mut client, named, None, 10);
        assert_eq!((page.items.len(), page.damaged.len()), (1, 1), "{transport}");
        for what in [QueueAct::Hold { reason: "x".to_owned() }, QueueAct::Retry, QueueAct::Release] {
            let acted = act(&mut client, what, &[id(3, 1)]).unwrap();
            assert_eq!(acted.done, 0);
            assert!(acted.left[0].why.contains("`posta queue remove`"), "{acted:?}");
        }
        let opened = client.read(Request::QueueOpen { id: id(3, 1), bytes_max: None }, |_| Ok(()));
        assert!(opened.is_err());
    }
    let silently = QueueAct::Remove { tell: TellSender::Silently };
    assert_eq!(act(&mut fixture.remote(), silently, &[id(3, 1), id(2, 1)]), Ok(all_done(2)));
    assert_eq!(
        ask(&mut fixture.remote(), QueueRequest::Show { id: id(3, 1) }),
        Err(ErrorKind::NoSuchMessage)
    );
    let event = fixture.events(3).remove(0);
    assert_eq!((event.step, event.address.as_deref()), (EventStep::Discarded, Some("sub.two.test")));
    assert!(event.reason.contains("(root) removes what cannot be read"), "{event:?}");
}

#[test]
fn an_item_whose_message_is_damaged_says_so_and_is_removed_as_any_other() {
    let fixture = damage(Fixture::with_mail(), "Subject: 3");
    let mut client = fixture.remote();
    let Ok(QueueResponse::Items(page)) = ask(&mut client, QueueRequest::Show { id: id(3, 1) }) else {
        panic!()
    };
    assert_eq!((page.items.len(), page.damaged.len()), (1, 0));
    assert!(page.items[0].damage.is_some(), "{page:?}");
    let silently = QueueAct::Remove { tell: TellSender::Silently };
    assert_eq!(act(&mut client, silently, &[id(3, 1)]), Ok(all_done(1)));
}

#[test]
fn a_message_whose_events_are_gone_is_told_of_from_what_the_queue_knows() {
    let fixture = Fixture::with_mail();
    let hold = QueueAct::Hold { reason: "looked at".to_owned() };
    act(&mut fixture.remote(), hold, &[id(1, 1)]).unwrap();
    for (transport, mut client) in fixture.clients() {
        let mail_id = MailId::new(at(1), 1);
        let events = client.trace(TraceQuery { id: Some(mail_id), ..TraceQuery::default() }).unwrap();
        let told: Vec<_> = events
            .iter()
            .map(|event| (event.step, event.address.as_deref(), event.reply.as_deref()))
            .collect();
        assert_eq!(
            told,
            [
                (EventStep::Gap, None, None),
                (EventStep::Sender, Some("ada@example.org"), None),
                // What the trace has yet.
                (EventStep::Held, None, None),
                (EventStep::Held, Some("x@one.test"), None),
                (EventStep::Held, Some("y@one.test"), None),
                (EventStep::Postponed, Some("z@two.test"), Some("452 4.2.2 4.2.2 Mailbox FULL")),
            ],
            "{transport}"
        );
        assert!(events[0].reason.contains("how this message came"), "{events:?}");
        assert!(events[3].reason.contains("not tried yet; held: looked at"), "{events:?}");
        let last = &events[5].reason;
        assert!(last.contains("tried once by mx.two.test [192.0.2.2]; it is due now"), "{last}");
        let since = TraceQuery { id: Some(mail_id), since: Some(at(1)), ..TraceQuery::default() };
        assert!(client.trace(since).unwrap().iter().all(|event| event.step == EventStep::Held));
    }
    let nobody = TraceQuery { id: Some(MailId::new(at(9), 9)), ..TraceQuery::default() };
    assert_eq!(fixture.remote().trace(nobody).unwrap(), []);
}

#[test]
fn a_message_in_a_mailbox_whose_events_are_gone_is_known_to_be_there() {
    let fixture = Fixture::new();
    fixture.add_account("ada@example.org");
    fixture.deliver(1, b"Subject: x\r\n\r\nx\r\n");
    let mail_id = MailId::new(Timestamp::from_millis(START_MS), 1);
    let query = TraceQuery { id: Some(mail_id), ..TraceQuery::default() };
    let events = fixture.remote().trace(query).unwrap();
    let steps: Vec<_> = events.iter().map(|event| event.step).collect();
    assert_eq!(steps, [EventStep::Gap, EventStep::Sender, EventStep::Delivered]);
    assert!(events[2].reason.contains("in a mailbox of this server"), "{events:?}");
}
