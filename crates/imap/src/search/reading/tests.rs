use super::*;
use crate::search::{Needle, Signature};

const MESSAGE: &str = concat!(
    "From: =?utf-8?q?J=C3=BCrgen?= <j@example.org>\r\n",
    "Subject: Folded\r\n subject line\r\n",
    "X-Tag: one\r\n",
    "X-Tag: two\r\n",
    "MIME-Version: 1.0\r\n",
    "Content-Type: multipart/mixed; boundary=b\r\n",
    "\r\n",
    "preamble-text\r\n",
    "--b\r\n",
    "Content-Type: text/plain; charset=iso-8859-1\r\n",
    "Content-Transfer-Encoding: quoted-printable\r\n",
    "\r\n",
    "Gr=FC=DFe aus K=\r\n",
    "=F6ln, sagt der Autor.\r\n",
    "--b\r\n",
    "Content-Type: text/html; charset=utf-8; name=page.html\r\n",
    "Content-Transfer-Encoding: base64\r\n",
    "\r\n",
    // <p>Zw\u{f6}lf Boxk\u{e4}mpfer</p>
    "PHA+WnfDtmxmIEJveGvDpG1wZmVyPC9wPg==\r\n",
    "--b\r\n",
    "Content-Type: application/octet-stream\r\n",
    "\r\n",
    "binary-octets\r\n",
    "--b\r\n",
    "Content-Type: message/rfc822\r\n",
    "Content-Description: what was sent on\r\n",
    "\r\n",
    "Subject: inner =?utf-8?b?w7xiZXI=?= subject\r\n",
    "\r\n",
    "inner body\r\n",
    "--b--\r\n",
);
const DELIVERY: &str = "Return-Path: <bounce@example.net>\r\nDelivered-To: me@example.org\r\n";

fn question(place: Place, text: &str) -> Question {
    Question::new(place, text)
}

fn fields(name: &str, text: &str) -> Question {
    question(Place::Fields(name.into()), text)
}

/// Reads the message in pieces of a size.
fn read(
    questions: &[Question],
    scope: Scope,
    signing: Signing,
    size: usize,
) -> (Vec<Option<bool>>, Option<Vec<u8>>) {
    let structure = Structure::of(MESSAGE.as_bytes());
    let mut reading = Reading::new(questions, scope, &structure, DELIVERY.len() as u64, signing);
    let whole = [DELIVERY, MESSAGE].concat();
    whole.as_bytes().chunks(size).for_each(|piece| reading.feed(piece));
    let (answers, signature) = reading.finish();
    (answers.0, signature)
}

fn table() -> Vec<(Question, bool)> {
    let (body, text) = (Place::Body, Place::Text);
    vec![
        (fields("subject", "FOLDED SUBJECT"), true),
        (fields("subject", "inner"), false),
        (fields("from", "jürgen <J@"), true),
        (fields("x-tag", "two"), true),
        (fields("x-tag", "onetwo"), false),
        (fields("x-tag", ""), true),
        (fields("x-other", ""), false),
        (fields("delivered-to", "me@"), true),
        (fields("content-description", ""), false),
        (question(body.clone(), "grüße aus köln"), true),
        (question(body.clone(), "autor"), true),
        (question(body.clone(), "zwölf boxkämpfer</p>"), true),
        (question(body.clone(), "inner über subject"), true),
        (question(body.clone(), "INNER BODY"), true),
        (question(body.clone(), "octets"), false),
        (question(body.clone(), "preamble"), false),
        (question(body.clone(), "folded"), false),
        (question(body.clone(), "page.html"), false),
        (question(body.clone(), "PHA+"), false),
        // One string is in one text: none begins in a part and ends in the next.
        (question(body, "autor.\r\n<p>"), false),
        (question(text.clone(), "folded subject"), true),
        (question(text.clone(), "subject: folded"), true),
        (question(text.clone(), "page.html"), true),
        (question(text.clone(), "what was sent on"), true),
        (question(text.clone(), "bounce@example.net"), true),
        (question(text.clone(), "boundary=b"), true),
        (question(text.clone(), "köln"), true),
        (question(text, "nowhere at all"), false),
    ]
}

#[test]
fn strings_are_found_where_people_would_read_them() {
    let (questions, expected): (Vec<_>, Vec<_>) = table().into_iter().unzip();
    let whole = DELIVERY.len() + MESSAGE.len();
    for size in [whole, 1, 2, 3, 7, 64, 100] {
        let (answers, _) = read(&questions, Scope::Content, Signing::Off, size);
        for ((question, expected), answer) in questions.iter().zip(&expected).zip(answers) {
            assert_eq!(answer, Some(*expected), "{question:?} in pieces of {size}");
        }
    }
}

#[test]
fn the_header_alone_answers_what_is_asked_of_fields() {
    let (questions, expected): (Vec<_>, Vec<_>) = table().into_iter().unzip();
    let (answers, _) = read(&questions, Scope::Fields, Signing::Off, 50);
    for ((question, expected), answer) in questions.iter().zip(expected).zip(answers) {
        match question.place {
            Place::Fields(_) => assert_eq!(answer, Some(expected), "{question:?}"),
            // What the header shows is known; what it does not show may be further down.
            _ => assert!(answer.is_none() || answer == Some(true) && expected, "{question:?}"),
        }
    }
}

#[test]
fn the_signature_denies_nothing_that_is_found() {
    let (questions, expected): (Vec<_>, Vec<_>) = table().into_iter().unzip();
    let (_, whole) = read(&[], Scope::Content, Signing::On, 10_000);
    let whole = whole.unwrap();
    for size in [1, 5, 33] {
        assert_eq!(read(&[], Scope::Content, Signing::On, size).1.as_ref(), Some(&whole));
    }
    let beside = folded_header(DELIVERY.as_bytes());
    let signature = Signature::new(&whole, &beside);
    for (question, _) in questions.iter().zip(expected).filter(|(_, is_found)| *is_found) {
        assert!(question.may_be_in(&signature), "{question:?}");
    }
    assert!(!signature.may_have(Needle::new("nowhere at all").folded().as_bytes()));
    assert!(!signature.may_have(Needle::new("binary-octets").folded().as_bytes()));
}

#[test]
fn who_has_all_answers_need_not_read_on() {
    let questions = [question(Place::Text, "folded")];
    let structure = Structure::of(MESSAGE.as_bytes());
    let mut reading = Reading::new(&questions, Scope::Content, &structure, 0, Signing::Off);
    let (header, rest) = MESSAGE.split_at(MESSAGE.find("\r\n\r\n").unwrap() + 4);
    assert!(!reading.is_done());
    reading.feed(header.as_bytes());
    // The last field is searched when the header has ended.
    reading.feed(&rest.as_bytes()[..1]);
    assert!(reading.is_done());
    assert_eq!(reading.finish().0, Answers(vec![Some(true)]));
}

#[test]
fn a_field_without_end_takes_bounded_memory_and_linear_time() {
    let head = b"X-Long: ";
    let message = [&head[..], &vec![b'a'; 8 * 1024 * 1024], b"\r\n\r\nbody\r\n"].concat();
    let structure = Structure::of(&message);
    let questions = [fields("x-long", "aaa"), question(Place::Body, "body")];
    let mut reading = Reading::new(&questions, Scope::Content, &structure, 0, Signing::Off);
    for piece in message.chunks(64 * 1024) {
        reading.feed(piece);
        assert!(reading.open.as_ref().is_none_or(|open| open.held.len() <= FIELD_BYTES_MAX + 64 * 1024));
    }
    assert_eq!(reading.finish().0, Answers(vec![Some(true), Some(true)]));
}
