use types::explain::Action::{Delayed, Delivered, Expanded, Failed, Relayed};

use std::collections::BTreeSet;

use super::encode::{Shape, base64, boundary, quoted_printable, shape};
use super::{words, *};

fn dsn(notify: Option<Notify>) -> RecipientDsn {
    RecipientDsn { notify, original_recipient: None }
}

/// RFC 3461 §5.2.2, §5.2.3, §5.2.5 and §5.2.6.
#[test]
fn who_is_told_is_as_notify_says() {
    let ada: ReversePath = "<ada@example.org>".parse().unwrap();
    let when = |success, failure, delay| Some(Notify::When { success, failure, delay });
    for (notify, expected) in [
        (None, &[Failed, Delayed][..]),
        (Some(Notify::Never), &[]),
        (when(true, false, false), &[Delivered, Relayed, Expanded]),
        (when(false, true, false), &[Failed]),
        (when(false, false, true), &[Delayed]),
        (when(true, true, true), &[Failed, Delayed, Delivered, Relayed, Expanded]),
    ] {
        for action in [Failed, Delayed, Delivered, Relayed, Expanded] {
            let is_wanted = |path, occasion| super::is_wanted(path, &dsn(notify), action, occasion);
            let expected = expected.contains(&action);
            assert_eq!(is_wanted(&ada, Occasion::Ordinary), expected, "{notify:?} {action:?}");
            // RFC 2852 §4.1.4.
            let by = expected || (action == Relayed && notify != Some(Notify::Never));
            assert_eq!(is_wanted(&ada, Occasion::DeliverBy), by, "{notify:?} {action:?}");
            // attacks.md 14: a bounce of a bounce.
            assert!(!is_wanted(&ReversePath::Null, Occasion::Ordinary));
            assert!(!is_wanted(&ReversePath::Null, Occasion::DeliverBy));
        }
    }
}

#[test]
fn lines_that_may_not_be_sent_as_they_are_are_known() {
    for (octets, expected) in [
        (&b""[..], Shape::SevenBit),
        (b"a\r\nb", Shape::SevenBit),
        (b"a\r\n\xC3\xA9\r\n", Shape::EightBit),
        (b"a\nb", Shape::Wild),
        (b"a\rb", Shape::Wild),
        (b"a\r\r\n", Shape::Wild),
        (b"a\0", Shape::Wild),
    ] {
        assert_eq!(shape(octets), expected, "{octets:?}");
    }
    assert_eq!(shape("x".repeat(998).as_bytes()), Shape::SevenBit);
    assert_eq!(shape(format!("a\r\n{}\r\n", "x".repeat(999)).as_bytes()), Shape::Wild);
}

/// RFC 2045 §6.7, RFC 4648 §10.
#[test]
fn what_is_encoded_is_as_the_rfcs_have_it() {
    for (octets, expected) in [
        (&b""[..], ""),
        (b"a=b", "a=3Db"),
        (b"\xC3\xA9", "=C3=A9"),
        (b"a \r\nb\t\r\n", "a=20\r\nb=09\r\n"),
        (b"a\nb\rc", "a=0Ab=0Dc"),
        (b".\r\nFrom x", "=2E\r\n=46rom x"),
    ] {
        assert_eq!(String::from_utf8(quoted_printable(octets)).unwrap(), expected);
    }
    for length in 0..300 {
        for octet in [b'x', b'=', b' ', 0xFF] {
            let quoted = quoted_printable(&vec![octet; length]);
            assert!(quoted.split(|b| *b == b'\n').all(|line| line.len() <= 77), "{octet} {length}");
        }
    }
    for (octets, expected) in
        [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
    {
        assert_eq!(base64(octets.as_bytes()), expected.as_bytes());
    }
    assert_eq!(base64(&[0xFB; 58]).split(|b| *b == b'\n').map(<[u8]>::len).collect::<Vec<_>>(), [77, 4]);
}

/// attacks.md 12.
#[test]
fn a_boundary_is_in_no_part_whatever_the_parts_hold() {
    let id = MailId::new(Timestamp::from_millis(1_795_322_124_250), 7);
    let first = boundary(id, &[]);
    let part = |body: String| Part { fields: String::new(), transfer: Transfer::SevenBit, body: body.into() };
    let mut body = format!("--{first}--\r\n");
    for _ in 0..50 {
        let parts = [part("a".to_owned()), part(body.clone())];
        let boundary = boundary(id, &parts);
        assert!(!body.contains(&boundary) && boundary.len() <= 70, "{boundary}");
        body.push_str(&format!("--{boundary}\r\n"));
    }
}

/// The `{names}` of a text.
fn names(text: &str) -> BTreeSet<&str> {
    text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect()
}

#[test]
fn every_text_is_translated_with_its_names_and_nothing_is_left_over() {
    let counted: Vec<_> = words::COUNTED.iter().map(|counted| counted.one).collect();
    let other = words::COUNTED.iter().map(|counted| counted.other);
    for text in words::ALL.iter().chain(&counted).copied().chain(other) {
        assert_eq!(names(text.en), names(text.es), "{}", text.en);
    }
    let plain: BTreeSet<_> =
        types::explain::texts().chain(words::ALL.iter().copied()).map(|text| text.en).collect();
    let counted: BTreeSet<_> = counted.iter().map(|text| text.en).collect();
    for language in Language::ALL {
        let translations: Vec<_> = language.translations().collect();
        if translations.is_empty() {
            continue;
        }
        let found: BTreeSet<_> = translations.iter().map(|(english, _)| *english).collect();
        let expected: BTreeSet<_> = plain.union(&counted).copied().collect();
        let missing: Vec<_> = expected.difference(&found).collect();
        let left_over: Vec<_> = found.difference(&expected).collect();
        assert!(missing.is_empty() && left_over.is_empty(), "{language}: {missing:#?} {left_over:#?}");
        for (english, forms) in translations {
            assert_eq!(forms.len() > 1, counted.contains(english), "{language}: {english}");
            if let [form] = forms {
                assert_eq!(names(form), names(english), "{language}: {english}");
            }
        }
    }
}

#[test]
fn a_number_of_recipients_takes_the_form_of_its_language() {
    let heading = words::heading(Failed);
    for (language, one, three) in [
        (Language::English, "Your message could not be delivered to:", "these 3 recipients:"),
        (Language::Spanish, "Su mensaje no se pudo entregar a:", "estos 3 destinatarios:"),
        (Language::German, "Ihre Nachricht konnte nicht zugestellt werden an:", "diesen 3 Empfängern nicht"),
    ] {
        assert_eq!(heading.of(language, 1), one);
        assert!(heading.of(language, 3).contains(three), "{language}");
    }
}
