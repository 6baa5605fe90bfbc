//! The drawn timeline. `UPDATE_GOLDEN=1` writes the golden file anew.

use super::*;

const NOON: u64 = 1_795_348_800_000;

fn id(ms: u64, random: u64) -> MailId {
    MailId::new(Timestamp::from_millis(NOON + ms), random << 40 | 0x1234_5678)
}

fn event(ms: u64, session: MailId, step: EventStep, verdict: Verdict, reason: &str) -> Event {
    Event::new(Timestamp::from_millis(NOON + ms), session, step, verdict, reason)
}

/// A submission with a refusal, one that comes from a stranger, and a gap between them.
fn sample() -> Vec<Event> {
    use EventStep as Step;
    use Verdict::{Accepted, Deferred, Noted, Refused};
    let (one, two) = (id(0, 1), id(5000, 2));
    let (mail, other, third) = (id(230, 3), id(62_000, 4), id(5100, 5));
    vec![
        event(0, one, Step::Connected, Accepted, "from 192.0.2.1:40112 to submission 198.51.100.7:587"),
        event(3, one, Step::Hello, Accepted, "EHLO").about("laptop.example"),
        event(5, one, Step::Tls, Accepted, "STARTTLS").replied("220 2.0.0 Ready to start TLS"),
        event(41, one, Step::Tls, Noted, "TLSv1.3 TLS13_AES_256_GCM_SHA384"),
        event(200, one, Step::Authentication, Refused, "PLAIN with a wrong password")
            .about("ada@example.org")
            .replied("535 5.7.8 Authentication credentials invalid"),
        event(229, one, Step::Authentication, Accepted, "SCRAM-SHA-256, app password \"phone\"")
            .about("ada@example.org"),
        event(230, one, Step::Sender, Accepted, "may send as this address")
            .of_mail(mail)
            .about("ada@example.org"),
        event(231, one, Step::Recipient, Accepted, "an account").of_mail(mail).about("bob@example.org"),
        event(231, one, Step::Recipient, Refused, "no account, alias, list or catch-all has this address")
            .of_mail(mail)
            .about("nobody@example.org")
            .replied(format!("550 5.1.1 No such mailbox here: <nobody@example.org> [{mail}]")),
        event(300, one, Step::Content, Accepted, "4213 octets by DATA").of_mail(mail),
        event(304, one, Step::Stored, Accepted, "synced with 3 others in 2 ms")
            .of_mail(mail)
            .replied(format!("250 2.0.0 Stored as {mail}")),
        event(304, one, Step::Delivered, Accepted, "INBOX, UID 42").of_mail(mail).about("bob@example.org"),
        event(5000, two, Step::Connected, Accepted, "from [2001:db8::25]:51000 to smtp [::]:25"),
        event(5001, two, Step::Hello, Accepted, "EHLO").about("mx.example.net"),
        event(5100, two, Step::Sender, Accepted, "").of_mail(third).about(""),
        event(5101, two, Step::Recipient, Deferred, "the mailbox has 20 MiB of 20 MiB")
            .of_mail(third)
            .about("full@example.org")
            .replied(format!("452 4.2.2 Mailbox is full: <full@example.org> [{third}]")),
        event(
            6000,
            id(0, 0),
            Step::Gap,
            Noted,
            "27 events were dropped here: they came faster than they could be written",
        ),
        event(62_000, one, Step::Sender, Accepted, "may send as this address")
            .of_mail(other)
            .about("ada@example.org"),
        event(
            62_500,
            one,
            Step::Limit,
            Deferred,
            "200 messages in the last hour are the limit of this account",
        )
        .of_mail(other)
        .about("ada@example.org")
        .replied(format!("451 4.7.0 Too many messages, try again in 312 s [{other}]")),
        event(65_005, two, Step::Closed, Noted, "the client said QUIT"),
        event(3_723_000, one, Step::Closed, Noted, "the client went away without QUIT"),
    ]
}

#[test]
fn a_timeline_looks_as_in_the_golden_file() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/trace/timeline.txt");
    let mut text = String::new();
    for width in [100, 60] {
        text.push_str(&format!("== {width} columns ==\n{}", page(&sample(), width, Paint::Plain)));
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(std::path::Path::new(path).parent().unwrap()).unwrap();
        std::fs::write(path, &text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(path).unwrap());
}

#[test]
fn no_line_is_wider_than_the_page() {
    let mut events = sample();
    events.push(
        event(9, id(0, 1), EventStep::Command, Verdict::Refused, &"x".repeat(500)).about("y ".repeat(300)),
    );
    for width in [WIDTH_MIN, 60, 79, 80, WIDTH_MAX] {
        let page = page(&events, width, Paint::Plain);
        let widest = page.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(width), "{widest:?} of {width}\n{page}");
        assert!(page.matches('x').count() >= 500, "nothing is cut off: {page}");
        assert!(page.lines().all(|line| line.trim_end() == line), "{page}");
    }
}

#[test]
fn nothing_from_outside_steers_the_terminal() {
    let hostile = "a\x1b]0;title\x07\u{9b}2J\r\n250 ok\u{202e}\0";
    let session = id(0, 1);
    let events: Vec<_> = EventStep::ALL
        .iter()
        .flat_map(|step| {
            Verdict::ALL
                .iter()
                .map(|verdict| event(1, session, *step, *verdict, hostile).about(hostile).replied(hostile))
        })
        .collect();
    for width in [WIDTH_MIN, WIDTH_MAX] {
        let page = page(&events, width, Paint::Plain);
        let steering = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}');
        assert!(!page.chars().any(steering), "{page:?}");
        assert!(page.lines().all(|line| !line.starts_with("250")), "no line of its own: {page}");
    }
    let coloured = page(&events, WIDTH_MAX, Paint::Colours);
    assert!(!coloured.contains("\x1b]") && coloured.contains("\x1b[31m✗\x1b[0m"));
}

#[test]
fn a_time_since_the_beginning_is_short() {
    let began = Timestamp::from_millis(NOON);
    let rows = [
        (0, "+0 ms"),
        (999, "+999 ms"),
        (1000, "+1.0 s"),
        (59_999, "+59.9 s"),
        (60_000, "+1m 00s"),
        (3_599_999, "+59m 59s"),
        (3_600_000, "+1h 00m"),
        (86_400_000, "+1d 00h"),
    ];
    for (ms, shown) in rows {
        assert_eq!(offset(began, Timestamp::from_millis(NOON + ms)), shown);
    }
    assert_eq!(offset(began, Timestamp::from_millis(0)), "+0 ms", "a clock that was set back");
}

#[test]
fn lines_are_broken_at_spaces_and_long_words_anywhere() {
    assert_eq!(wrap("one two  three", 9), ["one two", "three"]);
    assert_eq!(wrap("one  two", 20), ["one  two"]);
    assert_eq!(wrap("abcdefgh i", 4), ["abcd", "efgh", "i"]);
    assert_eq!(wrap("", 4), [""]);
}
