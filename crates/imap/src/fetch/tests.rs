use types::mailstore::{Flags, MailboxId, UidValidity};
use types::{MailId, Timestamp};

use super::*;
use crate::command::{BodyItem, MimePart, PartSection, Partial, Section, SectionText};
use crate::mime::{PartPath, Structure, Summary};
use crate::view::Snapshot;

const DELIVERY: &str = "Return-Path: <a@b>\r\n";
const MESSAGE: &str = "Subject: x\r\nFrom: a@b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\
    Content-Transfer-Encoding: base64\r\n\r\nSGVsbG8=\r\n--b\r\nContent-Transfer-Encoding: x-new\r\n\r\nzz\r\n--b--\r\n";

/// How a driver fails.
#[derive(Clone, Copy, PartialEq)]
enum Fails {
    Never,
    /// Before the first octet of content.
    AtOnce,
    /// Behind the first octet.
    Later,
}

fn request(items: Vec<FetchItem>, message_bytes: usize, count: u32) -> FetchRequest {
    let at = Timestamp::from_millis(1_795_322_124_250);
    let messages: Vec<Message> = (1..=count)
        .map(|number| Message {
            uid: Uid(number * 10),
            flags: Flags::SEEN,
            modseq: ModSeq(u64::from(number)),
            size_bytes: message_bytes as u64,
            internal_date: at,
            saved_at: at,
            mail_id: MailId::new(at, 7),
        })
        .collect();
    let (uid_next, keywords) = (Uid(count * 10 + 1), Arc::from(Vec::<String>::new()));
    let snapshot = Snapshot::new(MailboxId(1), UidValidity(1), uid_next, ModSeq(9), keywords, &messages);
    FetchRequest {
        view: Arc::new(View::new(Arc::new(snapshot))),
        ranges: vec![(1, count)],
        items,
        changed_since: None,
        shown: ShownAs::Sequence,
        with_uid: false,
        with_modseq: false,
        flags_changed: false,
        utf8: false,
    }
}

fn described(structure: &Arc<Structure>, detail: Detail) -> Described {
    match detail {
        Detail::Lists(texts) => {
            let with = |summary: Summary, text| summary.with(text, &structure.list_row(text).into());
            Described::Summary(texts.iter().try_fold(Summary::default(), with).unwrap())
        }
        Detail::Whole | Detail::AtHand => Described::Whole(Arc::clone(structure)),
    }
}

/// What is told, how it ended, and how often content was read.
fn run(request: FetchRequest, message: &str, fails: Fails) -> (String, FetchNext, usize) {
    let octets = [DELIVERY, message].concat();
    let structure = Arc::new(Structure::of(message.as_bytes()));
    let mut fetching = Fetching::new(request);
    let (mut out, mut told, mut reads) = (Vec::new(), Vec::new(), 0);
    loop {
        match fetching.proceed(&mut out) {
            FetchNext::Flush => told.append(&mut out),
            FetchNext::Structures(uids, detail) => {
                fetching.structures(uids.iter().map(|_| Some(described(&structure, detail))).collect());
            }
            FetchNext::Content { from, len, .. } => {
                reads += 1;
                let content = &octets.as_bytes()[from as usize..(from + len) as usize];
                match fails {
                    Fails::Never => content.chunks(7).for_each(|piece| fetching.content(piece, &mut out)),
                    Fails::AtOnce => {}
                    Fails::Later => fetching.content(&content[..1], &mut out),
                }
                fetching.content_end(if fails == Fails::Never { Ok(()) } else { Err(Refusal::Damaged) });
            }
            end => {
                told.append(&mut out);
                return (String::from_utf8(told).unwrap(), end, reads);
            }
        }
    }
}

fn told(items: Vec<FetchItem>) -> (String, FetchNext, usize) {
    run(request(items, DELIVERY.len() + MESSAGE.len(), 1), MESSAGE, Fails::Never)
}

fn body(section: Section, partial: Option<(u64, u64)>, shown_as: MimePart) -> FetchItem {
    let partial = partial.map(|(start, count)| Partial { start, count });
    FetchItem::Content(BodyItem { section, partial, peek: true, shown_as })
}

fn message(text: SectionText) -> FetchItem {
    body(Section::Message(text), None, MimePart::Body)
}

fn part(number: u32, within: PartSection, shown_as: MimePart) -> FetchItem {
    body(Section::Part(PartPath(vec![number]), within), None, shown_as)
}

const DONE: FetchNext = FetchNext::Done { missing: 0, unknown_encoding: false };

#[test]
fn what_stands_in_the_mailbox_is_told_without_reading_anything() {
    let items = vec![
        FetchItem::Flags,
        FetchItem::InternalDate,
        FetchItem::Rfc822Size,
        FetchItem::ModSeq,
        FetchItem::ThreadId,
    ];
    let mut request = request(items, 17, 2);
    request.with_uid = true;
    let (text, end, reads) = run(request, MESSAGE, Fails::Never);
    assert_eq!((end, reads), (DONE, 0));
    assert_eq!(
        text.lines().next().unwrap(),
        "* 1 FETCH (UID 10 FLAGS (\\Seen) INTERNALDATE \"22-Nov-2026 04:35:24 +0000\" RFC822.SIZE 17 MODSEQ (1) THREADID NIL)"
    );
    assert!(text.lines().nth(1).unwrap().starts_with("* 2 FETCH (UID 20 "));
}

#[test]
fn a_client_of_uids_only_reads_uidfetch() {
    let mut request = request(vec![FetchItem::Flags], 17, 1);
    (request.shown, request.with_uid, request.changed_since) = (ShownAs::UidOnly, true, Some(ModSeq(0)));
    request.with_modseq = true;
    assert_eq!(
        run(request.clone(), MESSAGE, Fails::Never).0,
        "* 10 UIDFETCH (FLAGS (\\Seen) MODSEQ (1))\r\n"
    );
    request.changed_since = Some(ModSeq(1));
    assert_eq!(run(request, MESSAGE, Fails::Never).0, "");
}

#[test]
fn the_fields_of_the_delivery_belong_to_the_header_and_the_whole() {
    let whole = [DELIVERY, MESSAGE].concat();
    let (text, end, reads) = told(vec![message(SectionText::All)]);
    assert_eq!((end, reads), (DONE, 1));
    assert_eq!(text, format!("* 1 FETCH (BODY[] {{{}}}\r\n{whole})\r\n", whole.len()));
    let (text, ..) =
        told(vec![message(SectionText::HeaderFields(vec!["Return-Path".into(), "subject".into()]))]);
    let fields = "Return-Path: <a@b>\r\nSubject: x\r\n\r\n";
    assert_eq!(
        text,
        format!("* 1 FETCH (BODY[HEADER.FIELDS (Return-Path subject)] {{{}}}\r\n{fields})\r\n", fields.len())
    );
}

#[test]
fn fields_that_clients_list_messages_by_are_told_without_reading_them() {
    let named = |names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        told(vec![message(SectionText::HeaderFields(names))])
    };
    let (text, end, reads) = named(&["FROM", "subject", "X-Priority"]);
    let fields = "Subject: x\r\nFrom: a@b\r\n\r\n";
    assert_eq!(
        text,
        format!(
            "* 1 FETCH (BODY[HEADER.FIELDS (FROM subject X-Priority)] {{{}}}\r\n{fields})\r\n",
            fields.len()
        )
    );
    assert_eq!((end, reads), (DONE, 0));
    assert_eq!(named(&["Subject", "Delivered-To"]).2, 1);
    assert_eq!(named(&["List-Id"]).2, 1);
    assert_eq!(told(vec![message(SectionText::HeaderFieldsNot(vec!["From".into()]))]).2, 1);
    let mut body = BodyItem {
        section: Section::Message(SectionText::HeaderFields(vec!["Subject".into()])),
        partial: Some(Partial { start: 3, count: 4 }),
        peek: true,
        shown_as: MimePart::Body,
    };
    assert!(told(vec![FetchItem::Content(body.clone())]).0.contains("<3> {4}\r\nject)"));
    body.partial = Some(Partial { start: 300, count: 4 });
    assert!(told(vec![FetchItem::Content(body)]).0.contains("<300> \"\")"));
}

#[test]
fn items_that_lie_near_one_another_are_read_once_and_told_as_they_were_asked() {
    let items = vec![
        part(1, PartSection::Content, MimePart::Body),
        part(1, PartSection::Mime, MimePart::Body),
        part(1, PartSection::Content, MimePart::Binary),
        FetchItem::BinarySize(PartPath(vec![1])),
        body(Section::Part(PartPath(vec![1]), PartSection::Content), Some((1, 3)), MimePart::Binary),
        body(Section::Part(PartPath(vec![1]), PartSection::Content), Some((99, 3)), MimePart::Body),
        part(9, PartSection::Content, MimePart::Body),
    ];
    let (text, end, reads) = told(items);
    assert_eq!((end, reads), (DONE, 1));
    assert_eq!(
        text,
        "* 1 FETCH (BODY[1] {8}\r\nSGVsbG8= BODY[1.MIME] {37}\r\nContent-Transfer-Encoding: base64\r\n\r\n \
         BINARY[1] {5}\r\nHello BINARY.SIZE[1] 5 BINARY[1]<1> {3}\r\nell BODY[1]<99> \"\" BODY[9] NIL)\r\n"
    );
}

#[test]
fn an_encoding_that_is_not_known_is_told_at_the_end() {
    let (text, end, _) =
        told(vec![part(2, PartSection::Content, MimePart::Binary), FetchItem::BinarySize(PartPath(vec![2]))]);
    assert_eq!(text, "* 1 FETCH (BINARY[2] NIL)\r\n");
    assert_eq!(end, FetchNext::Done { missing: 0, unknown_encoding: true });
    let (text, ..) = told(vec![FetchItem::BinarySize(PartPath(vec![2]))]);
    assert_eq!(text, "* 1 FETCH (UID 10)\r\n");
}

#[test]
fn large_content_streams_and_a_large_header_is_read_twice() {
    let fields = "X-Long: y\r\n".repeat(20_000);
    let large = format!("{fields}Content-Transfer-Encoding: base64\r\n\r\n{}", "QUJD\r\n".repeat(20_000));
    let size = DELIVERY.len() + large.len();
    let (text, end, reads) =
        run(request(vec![part(1, PartSection::Content, MimePart::Binary)], size, 1), &large, Fails::Never);
    assert_eq!((end, reads), (DONE, 1));
    assert_eq!(text, format!("* 1 FETCH (BINARY[1] {{60000}}\r\n{})\r\n", "ABC".repeat(20_000)));
    let items = vec![message(SectionText::HeaderFields(vec!["x-long".into()]))];
    let (text, end, reads) = run(request(items, size, 1), &large, Fails::Never);
    assert_eq!((end, reads), (DONE, 2));
    let expected = format!("{fields}\r\n");
    assert_eq!(
        text,
        format!("* 1 FETCH (BODY[HEADER.FIELDS (x-long)] {{{}}}\r\n{expected})\r\n", expected.len())
    );
}

#[test]
fn what_cannot_be_read_is_nil_before_its_first_octet_and_the_end_behind_it() {
    let size = DELIVERY.len() + MESSAGE.len();
    let (text, end, _) = run(request(vec![message(SectionText::All)], size, 1), MESSAGE, Fails::AtOnce);
    assert_eq!(
        (text.as_str(), end),
        ("* 1 FETCH (BODY[] NIL)\r\n", FetchNext::Done { missing: 1, unknown_encoding: false })
    );
    let (_, end, _) = run(request(vec![message(SectionText::All)], size, 1), MESSAGE, Fails::Later);
    assert_eq!(end, FetchNext::Broken);
    let items = vec![message(SectionText::Header), message(SectionText::Text)];
    let (text, end, _) = run(request(items, size, 1), MESSAGE, Fails::Later);
    assert_eq!(text, "* 1 FETCH (BODY[HEADER] NIL BODY[TEXT] NIL)\r\n");
    assert_eq!(end, FetchNext::Done { missing: 1, unknown_encoding: false });
}

#[test]
fn structures_are_asked_for_by_the_hundred_and_one_that_is_missing_is_counted() {
    let mut fetching = Fetching::new(request(vec![FetchItem::Envelope], 17, 200));
    let mut out = Vec::new();
    let FetchNext::Structures(uids, Detail::Lists(_)) = fetching.proceed(&mut out) else { panic!() };
    assert_eq!(uids.len(), STRUCTURES);
    fetching.structures(vec![None; uids.len()]);
    let FetchNext::Structures(uids, Detail::Lists(_)) = fetching.proceed(&mut out) else { panic!() };
    assert_eq!(uids.len(), 200 - STRUCTURES);
    fetching.structures(vec![None; uids.len()]);
    assert_eq!(fetching.proceed(&mut out), FetchNext::Done { missing: 200, unknown_encoding: false });
    assert_eq!((out.len(), fetching.progress()), (0, (200, 200)));
}
