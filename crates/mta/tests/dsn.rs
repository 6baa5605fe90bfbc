//! Reports as a whole: golden files, and what a parser that is not ours reads in them. `UPDATE_GOLDEN=1` rewrites the
//! files in `tests/dsn`.

#![allow(clippy::unwrap_used, reason = "a test that fails has to say so")]

use std::borrow::Cow;
use std::path::Path;

use mail_parser::{Message, MessageParser, MimeHeaders, PartType};
use mta::dsn::{
    Action, Addressee, Extent, FULL_BYTES_MAX, HEADER_BYTES_MAX, Language, Notification, Occasion, Original,
    RecipientReport, Remote, Report, compose,
};
use mta::outcome::{Diagnostic, Finding};
use types::{
    BodyType, ByMode, DeliverBy, Domain, DsnReturn, Envelope, EnvelopeRecipient, Hold, Host, MailId, Mailbox,
    Notify, OriginalRecipient, Reply, ReversePath, Timestamp,
};

const NOON: Timestamp = Timestamp::from_millis(1_795_348_800_000);
const HOUR: std::time::Duration = std::time::Duration::from_secs(3600);
const MESSAGE: &str = "Received: from client.example by mail.example.org; Sun, 22 Nov 2026 12:00:00 +0000\r\n\
    From: Ada <ada@example.org>\r\nTo: user@example.net\r\nSubject: Lunch\r\n\
    Message-ID: <lunch@example.org>\r\n\r\nToday at one?\r\n";

/// A report of one message to one recipient, of which each test changes something.
struct Case {
    envelope: Envelope,
    actions: Vec<Action>,
    finding: Finding,
    original: Vec<u8>,
    extent: Extent,
    language: Language,
    addressee: Addressee,
    remote: Option<Domain>,
}

impl Case {
    fn new(sender: &str, recipients: &[&str]) -> Self {
        let paths = recipients.iter().map(|path| path.parse().unwrap());
        let text = "No such user here";
        Self {
            envelope: Envelope::new(sender.parse().unwrap(), paths),
            actions: vec![Action::Failed; recipients.len()],
            finding: said(550, "5.1.1", text),
            original: MESSAGE.into(),
            extent: Extent::Whole,
            language: Language::English,
            addressee: Addressee::Sender,
            remote: "mx.example.net".parse().ok(),
        }
    }

    fn of(action: Action, finding: Finding) -> Self {
        let mut case = Self::new("<ada@example.org>", &["<user@example.net>"]);
        case.actions = vec![action];
        case.finding = finding;
        let notify = Notify::When { success: true, failure: true, delay: true };
        case.envelope.recipients[0].dsn.notify = Some(notify);
        case
    }

    fn compose(&self) -> Option<Report> {
        let host_name = "mail.example.org".parse().unwrap();
        let postmaster: Mailbox = "postmaster@example.org".parse().unwrap();
        let client: Host = "client.example".parse().unwrap();
        let report = |(recipient, action): (&'_ EnvelopeRecipient, &Action)| -> (EnvelopeRecipient, Action) {
            (recipient.clone(), *action)
        };
        let all: Vec<_> = self.envelope.recipients.iter().zip(&self.actions).map(report).collect();
        let recipients: Vec<_> = all
            .iter()
            .map(|(recipient, action)| RecipientReport {
                recipient,
                action: *action,
                occasion: Occasion::Ordinary,
                finding: &self.finding,
                remote: self
                    .remote
                    .as_ref()
                    .map(|name| Remote { name: Some(name), address: "192.0.2.25".parse().unwrap() }),
                last_attempt_at: Some(NOON.plus(HOUR)),
                will_retry_until: Some(NOON.plus(HOUR * 120)),
            })
            .collect();
        compose(&Notification {
            host_name: &host_name,
            postmaster: &postmaster,
            addressee: self.addressee,
            envelope: &self.envelope,
            mail_id: MailId::new(NOON, 1),
            report_id: MailId::new(NOON.plus(HOUR), 2),
            received_at: NOON,
            received_from: Some((&client, "192.0.2.1".parse().unwrap())),
            now: NOON.plus(HOUR),
            recipients: &recipients,
            original: Original { octets: &self.original, extent: self.extent },
            full_bytes_max: FULL_BYTES_MAX,
            language: self.language,
        })
    }
}

fn said(code: u16, status: &str, text: &'static str) -> Finding {
    let reply = Reply { code, enhanced: status.parse().ok(), text: Cow::Borrowed(text) };
    Finding { status: status.parse().unwrap(), diagnostic: Diagnostic::Remote(reply) }
}

fn parse(message: &[u8]) -> Message<'_> {
    MessageParser::default().parse(message).unwrap()
}

/// `type/subtype` of the parts of a report, which are all leaves but a returned message.
fn types_of(message: &Message<'_>) -> Vec<String> {
    let PartType::Multipart(parts) = &message.parts[0].body else { panic!("no multipart") };
    parts
        .iter()
        .map(|at| {
            let of = message.parts[usize::try_from(*at).unwrap()].content_type().unwrap();
            format!("{}/{}", of.ctype(), of.subtype().unwrap())
        })
        .collect()
}

/// The decoded octets of a part.
fn body_of(message: &Message<'_>, at: usize) -> Vec<u8> {
    let PartType::Multipart(parts) = &message.parts[0].body else { panic!("no multipart") };
    let part = &message.parts[usize::try_from(parts[at]).unwrap()];
    let offset = |at: u32| usize::try_from(at).unwrap();
    match &part.body {
        // A message within shares the octets of the one around it.
        PartType::Message(_) => {
            message.raw_message[offset(part.raw_body_offset())..offset(part.raw_end_offset())].to_vec()
        }
        _ => part.contents().to_vec(),
    }
}

/// The fields of the second part, unfolded.
fn fields_of(report: &Report) -> String {
    let message = parse(&report.message);
    String::from_utf8(body_of(&message, 1)).unwrap().replace("\r\n ", " ")
}

/// Nothing goes over the wire that could be read in two ways.
fn assert_sound(report: &Report) {
    let message = &report.message;
    assert_eq!(report.envelope.reverse_path, ReversePath::Null, "RFC 3461 §6.1");
    assert!(message.ends_with(b"--\r\n"));
    for line in message.split_inclusive(|b| *b == b'\n') {
        let Some(line) = line.strip_suffix(b"\r\n") else { panic!("a bare LF: {line:?}") };
        assert!(line.len() <= 998 && !line.contains(&b'\r') && !line.contains(&0));
    }
    let is_ascii = message.is_ascii();
    let parameters = &report.envelope.parameters;
    assert!(is_ascii || parameters.body_type == BodyType::EightBitMime);
    let header = &message[..memchr::memmem::find(message, b"\r\n\r\n").unwrap()];
    assert!(header.is_ascii() || parameters.smtputf8);
    let parsed = parse(message);
    let content_type = parsed.content_type().unwrap();
    assert_eq!((content_type.ctype(), content_type.subtype()), ("multipart", Some("report")));
    assert_eq!(content_type.attribute("report-type"), Some("delivery-status"));
    assert_eq!(parsed.header_raw("Auto-Submitted").map(str::trim), Some("auto-replied"));
}

fn golden(name: &str, case: &Case) {
    let report = case.compose().unwrap();
    assert_sound(&report);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/dsn/{name}.eml"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &report.message).unwrap();
    }
    let expected = std::fs::read(&path).unwrap_or_default();
    let (found, expected) = (String::from_utf8_lossy(&report.message), String::from_utf8_lossy(&expected));
    assert!(found == expected, "{name} differs; UPDATE_GOLDEN=1 rewrites it\n{found}");
}

#[test]
fn reports_are_as_in_the_golden_files() {
    golden("failed", &Case::new("<ada@example.org>", &["<user@example.net>"]));
    let mut full = Case::new("<ada@example.org>", &["<user@example.net>", "<other@example.net>"]);
    full.envelope.parameters.ret = Some(DsnReturn::Full);
    full.envelope.parameters.envelope_id = Some("order 7+8".to_owned());
    full.envelope.recipients[0].dsn.original_recipient = Some(OriginalRecipient {
        address_type: "rfc822".to_owned(),
        address: "First@Example.NET".to_owned(),
    });
    golden("failed_full", &full);
    let waits = || said(450, "4.2.0", "Greylisted, please try again in 300 seconds");
    golden("delayed", &Case::of(Action::Delayed, waits()));
    golden("delayed_es", &Case { language: Language::Spanish, ..Case::of(Action::Delayed, waits()) });
    golden("delayed_de", &Case { language: Language::German, ..Case::of(Action::Delayed, waits()) });
    let several = ["<a@example.net>", "<b@example.net>", "<c@example.net>"];
    golden("failed_de", &Case { language: Language::German, ..Case::new("<ada@example.org>", &several) });
    let taken = || said(250, "2.0.0", "queued as 4711");
    golden("relayed", &Case::of(Action::Relayed, taken()));
    golden("delivered", &Case { remote: None, ..Case::of(Action::Delivered, taken()) });
    golden("expanded", &Case { remote: None, ..Case::of(Action::Expanded, taken()) });
    let mut expired = Case::of(Action::Failed, said(450, "4.2.0", "ignored"));
    expired.finding.diagnostic = Diagnostic::Local("the host did not answer in time".to_owned());
    expired.finding.status = "4.4.1".parse().unwrap();
    golden("expired", &expired);
    let mut orphan = Case::new("<>", &["<user@example.net>"]);
    orphan.addressee = Addressee::Postmaster;
    golden("orphan", &orphan);
    let mut utf8 = Case::new("<ада@пример.example>", &["<用户@example.net>"]);
    utf8.envelope.parameters.smtputf8 = true;
    utf8.original = "From: Ада <ада@пример.example>\r\nSubject: Обед\r\n\r\nВ час?\r\n".into();
    golden("utf8", &utf8);
    golden("utf8_de", &Case { language: Language::German, ..utf8 });
}

/// RFC 2047 where the header section is ASCII, RFC 6532 where the way back is for UTF-8, RFC 3282.
#[test]
fn a_foreign_parser_reads_the_language_of_the_account_and_programs_read_what_they_always_did() {
    let waits = || said(450, "4.2.0", "Greylisted, please try again in 300 seconds");
    let fields = fields_of(&Case::of(Action::Delayed, waits()).compose().unwrap());
    for (language, tag, author, subject, words) in [
        (Language::English, "en", "Mail Delivery System", "Your message is delayed", "By itself, until"),
        (
            Language::Spanish,
            "es",
            "Sistema de entrega de correo",
            "Su mensaje se retrasa",
            "Automáticamente, hasta el",
        ),
        (Language::German, "de", "Mailzustellung", "Ihre Nachricht verzögert sich", "Von selbst, bis"),
    ] {
        for sender in ["<ada@example.org>", "<ада@пример.example>"] {
            let mut case = Case { language, ..Case::of(Action::Delayed, waits()) };
            case.envelope.reverse_path = sender.parse().unwrap();
            let report = case.compose().unwrap();
            assert_sound(&report);
            let message = parse(&report.message);
            assert_eq!(message.subject(), Some(subject));
            assert_eq!(message.from().unwrap().first().unwrap().name(), Some(author));
            let is_in_utf8 = memchr::memmem::find(&report.message, subject.as_bytes()).is_some();
            assert_eq!(is_in_utf8, subject.is_ascii() || report.envelope.parameters.smtputf8);
            let people = message.part(1).unwrap();
            assert_eq!(people.content_language().as_text(), Some(tag));
            let people = String::from_utf8(body_of(&message, 0)).unwrap();
            assert!(people.contains(&format!("{words} 2026-11-27 12:00:00 UTC.")), "{people}");
            assert_eq!(fields_of(&report), fields, "programs read the same in each language");
        }
    }
}

/// RFC 3464 §2.2 and §2.3, RFC 3461 §6.3.
#[test]
fn a_foreign_parser_reads_each_field_as_it_was() {
    let mut case = Case::new("<ada@example.org>", &["<\"a b\"@Example.NET>"]);
    let parameters = &mut case.envelope.parameters;
    parameters.envelope_id = Some("Case (Sensitive)+=ID".to_owned());
    parameters.deliver_by = Some(DeliverBy { by_s: 3600, mode: ByMode::Return, trace: false });
    parameters.hold = Some(Hold::For { seconds: 60 });
    case.envelope.recipients[0].dsn.original_recipient =
        Some(OriginalRecipient { address_type: "RFC822".to_owned(), address: "X+y@example.com".to_owned() });
    let report = case.compose().unwrap();
    assert_sound(&report);
    let fields = fields_of(&report);
    for line in [
        "Original-Envelope-Id: Case (Sensitive)+=ID",
        "Reporting-MTA: dns; mail.example.org",
        "Received-From-MTA: dns; client.example (192.0.2.1)",
        "Arrival-Date: Sun, 22 Nov 2026 12:00:00 +0000",
        "Deliver-By-Date: Sun, 22 Nov 2026 13:00:00 +0000",
        "Future-Release-Request: for;60",
        "Original-Recipient: RFC822; X+y@example.com",
        "Final-Recipient: rfc822; \"a b\"@Example.NET",
        "Action: failed",
        "Status: 5.1.1",
        "Remote-MTA: dns; mx.example.net (192.0.2.25)",
        "Diagnostic-Code: smtp; 550 5.1.1 No such user here",
        "Last-Attempt-Date: Sun, 22 Nov 2026 13:00:00 +0000",
    ] {
        assert!(fields.lines().any(|found| found == line), "{line} is not in\n{fields}");
    }
    assert!(!fields.contains("Will-Retry-Until"), "RFC 3464 §2.3.9");
    let delayed = Case::of(Action::Delayed, said(450, "4.2.0", "wait")).compose().unwrap();
    assert!(fields_of(&delayed).contains("Will-Retry-Until: Fri, 27 Nov 2026 12:00:00 +0000"));
    // RFC 3461 §6.3 (a) and (d): not where they were not given.
    assert!(!fields_of(&delayed).contains("Original-"));
}

#[test]
fn the_report_goes_from_nobody_to_the_sender_who_is_not_told_of_its_fate() {
    let report = Case::new("<ada@bücher.example>", &["<user@example.net>"]).compose().unwrap();
    let Envelope { recipients, parameters, .. } = &report.envelope;
    assert_eq!(recipients.len(), 1);
    assert_eq!(recipients[0].forward_path.to_string(), "<ada@xn--bcher-kva.example>");
    assert_eq!(recipients[0].dsn.notify, Some(Notify::Never));
    assert_eq!((parameters.ret, &parameters.envelope_id, parameters.smtputf8), (None, &None, false));
    let message = parse(&report.message);
    assert_eq!(message.in_reply_to().as_text(), Some("lunch@example.org"));
}

/// attacks.md 14 and 19.
#[test]
fn nobody_is_told_of_the_fate_of_a_report_and_the_postmaster_not_of_their_own() {
    assert_eq!(Case::new("<>", &["<user@example.net>"]).compose(), None);
    let mut orphan = Case::new("<>", &["<user@example.net>"]);
    orphan.addressee = Addressee::Postmaster;
    let report = orphan.compose().unwrap();
    assert_eq!(report.envelope.recipients[0].forward_path.to_string(), "<postmaster@example.org>");
    for own in ["<postmaster@example.org>", "<Postmaster>"] {
        let mut own = Case::new("<>", &[own]);
        own.addressee = Addressee::Postmaster;
        assert_eq!(own.compose(), None);
    }
    orphan.actions = vec![Action::Delayed];
    assert_eq!(orphan.compose(), None);
}

/// RFC 3461 §5.2.8.
#[test]
fn a_report_tells_nothing_of_recipients_of_whom_none_is_due() {
    let mut case = Case::new("<ada@example.org>", &["<a@example.net>", "<b@example.net>", "<c@example.net>"]);
    case.envelope.recipients[1].dsn.notify = Some(Notify::Never);
    case.actions[2] = Action::Relayed;
    let text = String::from_utf8(case.compose().unwrap().message).unwrap();
    assert!(
        text.contains("a@example.net") && !text.contains("b@example.net") && !text.contains("c@example.net")
    );
    case.actions = vec![Action::Relayed; 3];
    assert_eq!(case.compose(), None);
}

/// RFC 3461 §4.3 and §6.2, RFC 8689 §5.
#[test]
fn the_whole_message_returns_only_where_it_was_asked_for_and_can() {
    let whole = || {
        let mut case = Case::of(Action::Failed, said(550, "5.1.1", "no"));
        case.envelope.parameters.ret = Some(DsnReturn::Full);
        case
    };
    let third = |case: &Case| {
        let report = case.compose().unwrap();
        assert_sound(&report);
        types_of(&parse(&report.message))[2].clone()
    };
    let report = whole().compose().unwrap();
    assert_eq!(third(&whole()), "message/rfc822");
    assert_eq!(body_of(&parse(&report.message), 2), MESSAGE.as_bytes());
    let mut changed: Vec<Case> = (0..8).map(|_| whole()).collect();
    changed[0].envelope.parameters.ret = None;
    changed[1].envelope.parameters.ret = Some(DsnReturn::Headers);
    changed[2].actions = vec![Action::Delayed];
    changed[3].extent = Extent::Beginning;
    changed[4].original.extend(vec![b'x'; FULL_BYTES_MAX]);
    changed[5].envelope.parameters.require_tls = true;
    changed[6].envelope.parameters.body_type = BodyType::BinaryMime;
    changed[7].original.extend(b"bare\nline\r\n");
    for case in &changed {
        assert_eq!(third(case), "text/rfc822-headers");
    }
    assert!(changed[5].compose().unwrap().envelope.parameters.require_tls);
}

#[test]
fn eight_bits_travel_as_they_may() {
    let mut case = Case::of(Action::Failed, said(550, "5.1.1", "no"));
    case.envelope.parameters.ret = Some(DsnReturn::Full);
    case.original = "Subject: x\r\n\r\nÜber\r\n".into();
    let report = case.compose().unwrap();
    assert_sound(&report);
    assert_eq!(report.envelope.parameters.body_type, BodyType::EightBitMime);
    assert_eq!(body_of(&parse(&report.message), 2), case.original);
    // RFC 6533 §4.5: to a sender whose address needs no SMTPUTF8 it goes encoded.
    case.envelope.parameters.smtputf8 = true;
    case.original = "Subject: Über\r\n\r\nÜber\r\n".into();
    let report = case.compose().unwrap();
    assert_sound(&report);
    assert!(report.message.is_ascii());
    let parameters = &report.envelope.parameters;
    assert_eq!((parameters.smtputf8, parameters.body_type), (false, BodyType::SevenBit));
    let parsed = parse(&report.message);
    assert_eq!(types_of(&parsed)[2], "message/global");
    case.envelope.parameters.ret = None;
    let report = case.compose().unwrap();
    assert!(report.message.is_ascii());
    let parsed = parse(&report.message);
    assert_eq!(types_of(&parsed)[2], "message/global-headers");
    assert_eq!(body_of(&parsed, 2), "Subject: Über\r\n".as_bytes());
}

/// RFC 6533 §3 and §4.1.
#[test]
fn addresses_in_utf_8_are_written_as_the_sender_can_read_them() {
    let mut case = Case::new("<ада@пример.example>", &["<用户@example.net>"]);
    let xtext = "\\x{7528}\\x{6237}@example.net";
    case.envelope.recipients[0].dsn.original_recipient =
        Some(OriginalRecipient { address_type: "utf-8".to_owned(), address: xtext.to_owned() });
    let fields = fields_of(&case.compose().unwrap());
    assert!(fields.contains(&format!("Final-Recipient: utf-8; {xtext}\r\n")), "{fields}");
    assert!(fields.contains(&format!("Original-Recipient: utf-8; {xtext}\r\n")), "{fields}");
    case.envelope.parameters.smtputf8 = true;
    for sender in ["<ада@пример.example>", "<ada@example.org>"] {
        case.envelope.reverse_path = sender.parse().unwrap();
        let report = case.compose().unwrap();
        assert_sound(&report);
        assert_eq!(types_of(&parse(&report.message))[1], "message/global-delivery-status");
        let fields = fields_of(&report);
        assert!(fields.contains("Final-Recipient: utf-8; 用户@example.net\r\n"), "{fields}");
        assert!(fields.contains("Original-Recipient: utf-8; 用户@example.net\r\n"), "{fields}");
    }
}

/// attacks.md 12 and 20.
#[test]
fn nothing_from_outside_ends_a_line_or_a_part() {
    const HOSTILE: &str = "no\r\n\r\n.\r\nAction: delivered\r\n--=_x--\u{0}\u{1b}[2J\u{202e}\u{85}é";
    let boundary = format!("=_{}", MailId::new(NOON.plus(HOUR), 2));
    let clean = Case::new("<ada@example.org>", &["<user@example.net>"]);
    let expected = types_of(&parse(&clean.compose().unwrap().message));
    for long in [1, 200] {
        let text = HOSTILE.repeat(long) + &format!("\r\n--{boundary}--\r\n");
        for remote in [true, false] {
            let mut case = Case::new("<ada@example.org>", &["<user@example.net>"]);
            case.finding.diagnostic = if remote {
                Diagnostic::Remote(Reply { code: 550, enhanced: None, text: Cow::Owned(text.clone()) })
            } else {
                Diagnostic::Local(text.clone())
            };
            case.envelope.parameters.envelope_id = Some(text.clone());
            case.envelope.recipients[0].dsn.original_recipient =
                Some(OriginalRecipient { address_type: text.clone(), address: text.clone() });
            case.original =
                format!("Subject: x\r\n--{boundary}--\r\n--{boundary}\r\nMessage-ID: <a@b>\r\n c\r\n\r\n")
                    .into();
            let report = case.compose().unwrap();
            assert_sound(&report);
            let parsed = parse(&report.message);
            assert_eq!(types_of(&parsed), expected);
            assert!(parsed.header_raw("In-Reply-To").is_none());
            let fields = fields_of(&report);
            assert_eq!(fields.lines().filter(|line| line.starts_with("Action:")).count(), 1, "{fields}");
            assert_eq!(
                fields.split("\r\n\r\n").count(),
                2,
                "one group for the message, one for the recipient"
            );
            let people = String::from_utf8(body_of(&parsed, 0)).unwrap();
            let is_bad = |c: char| (c.is_control() && !matches!(c, '\r' | '\n')) || c == '\u{202e}';
            assert!(!people.contains(is_bad), "{people:?}");
        }
    }
}

#[test]
fn a_long_header_section_is_cut_between_fields() {
    let mut case = Case::new("<ada@example.org>", &["<user@example.net>"]);
    case.original = "X-Long: a\r\n\tb\r\n".repeat(10_000).into();
    let report = case.compose().unwrap();
    assert_sound(&report);
    assert!(report.message.len() < HEADER_BYTES_MAX + 10_000);
    assert!(body_of(&parse(&report.message), 2).ends_with(b"X-Long: a\r\n\tb\r\n"));
    for odd in [&b""[..], b"\r\nbody", b"no colon", b"\xFF\xFE\r\n\r\n"] {
        case.original = odd.to_vec();
        assert_sound(&case.compose().unwrap());
    }
    case.original = vec![b'x'; 200_000];
    assert_sound(&case.compose().unwrap());
}
