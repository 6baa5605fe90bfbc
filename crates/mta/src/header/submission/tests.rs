use types::directory::AccountSettings;

use super::*;

const SETTINGS: &AccountSettings = &AccountSettings {
    quota_bytes: None,
    status: types::directory::AccountStatus::Active,
    send_as: Vec::new(),
    messages_per_hour_max: None,
    message_bytes_max: None,
    recipients_max: None,
    language: None,
};

const ADA: Rights<'static> =
    Rights { account: "ada@example.org", settings: SETTINGS, subaddress_separator: Some('+') };

/// A `From`, a `Date` and a `Message-ID`, so that nothing is missing.
const WHOLE: &str = "From: ada@example.org\r\nDate: x\r\nMessage-ID: <1@example.org>\r\n";

fn facts() -> SubmissionFacts<'static> {
    let now = Timestamp::from_millis(1_795_322_124_250);
    SubmissionFacts {
        now,
        mail_id: MailId::new(now, 7),
        host_name: "mail.example.org",
        smtputf8: false,
        eight_bit: EightBit::Refuse,
        from: FromPolicy::Owned(ADA),
        missing_from: MissingFrom::Refuse,
        submitter: None,
    }
}

fn became(header: &str, facts: &SubmissionFacts<'_>) -> Result<String, String> {
    submission(header.as_bytes(), facts)
        .map(|plan| String::from_utf8(plan.apply(header.as_bytes())).unwrap())
        .map_err(|problem| problem.reply().to_string())
}

#[test]
fn a_message_with_all_its_fields_is_not_changed() {
    let header = format!("{WHOLE}Subject: x\r\n y\r\nTo: bob@example.net\r\n\r\n");
    let plan = submission(header.as_bytes(), &facts()).unwrap();
    assert!(plan.is_unchanged(header.as_bytes()));
    assert_eq!(plan.keep.len(), 1);
    // And the same without an empty line, where there is no body.
    assert!(submission(WHOLE.as_bytes(), &facts()).unwrap().is_unchanged(WHOLE.as_bytes()));
}

#[test]
fn a_missing_date_and_message_id_are_added() {
    let id = facts().mail_id;
    let date = "Date: Sun, 22 Nov 2026 04:35:24 +0000\r\n";
    let message_id = format!("Message-ID: <{id}@mail.example.org>\r\n");
    let from = "From: ada@example.org\r\n";
    let kept_id = "Message-Id: <1@example.org>\r\n";
    for (header, expected) in [
        (from.to_owned(), format!("{date}{message_id}{from}")),
        (format!("{from}\r\n"), format!("{date}{message_id}{from}\r\n")),
        (format!("{from}{kept_id}\r\n"), format!("{date}{from}{kept_id}\r\n")),
        (format!("DATE: x\r\n{from}\r\n"), format!("{message_id}DATE: x\r\n{from}\r\n")),
        (format!("Date:\r\n{from}{kept_id}\r\n"), format!("{date}{from}{kept_id}\r\n")),
        (format!("{from}Message-ID: x\r\nDate: y\r\n\r\n"), format!("{message_id}{from}Date: y\r\n\r\n")),
    ] {
        assert_eq!(became(&header, &facts()), Ok(expected), "{header}");
    }
}

#[test]
fn a_message_id_stays_unless_it_certainly_is_none() {
    for (value, is_id) in [
        (" <1@example.org>\r\n", true),
        ("\r\n <1@example.org>\r\n", true),
        ("<\"a..b\"@[192.0.2.1]>", true),
        ("<a@b@c>", true),
        ("<1@example.org> (added by x)", true),
        ("1@example.org", false),
        ("<1>", false),
        ("<@example.org>", false),
        ("<1@>", false),
        ("<1@example.org", false),
        ("<1 2@example.org>", false),
        ("<1@a> <2@b>", false),
        ("x <1@a>", false),
        ("><", false),
        ("", false),
    ] {
        assert_eq!(is_msg_id(value.as_bytes()), is_id, "{value}");
    }
}

#[test]
fn bcc_is_taken_off_in_every_spelling() {
    for bcc in [
        "Bcc: secret@example.net\r\n",
        "BCC: secret@example.net\r\n",
        "bcc:secret@example.net\r\n",
        "Bcc:\r\n secret@example.net,\r\n\tother@example.net\r\n",
        "Bcc:\r\n",
        "Resent-Bcc: secret@example.net\r\n",
        "Bcc: a@example.net\r\nBcc: b@example.net\r\n",
    ] {
        for header in [format!("{bcc}{WHOLE}\r\n"), format!("{WHOLE}{bcc}\r\n")] {
            assert_eq!(became(&header, &facts()), Ok(format!("{WHOLE}\r\n")), "{header}");
        }
    }
    let header = format!("{WHOLE}X-Bcc: x\r\nBccc: x\r\n\r\nBcc: of the body\r\n");
    assert_eq!(became(&header, &facts()), Ok(header.clone()));
}

#[test]
fn what_two_programs_may_read_in_two_ways_is_refused_and_named() {
    for (fields, reply) in [
        ("Hello\r\n", "Line 4 of the header section is no field: there is no name with a colon"),
        ("Bcc\r\n : x\r\n", "Line 4 of the header section is no field: there is no name with a colon"),
        (": x\r\n", "Line 4 of the header section is no field: there is no name with a colon"),
        ("Bcc : x\r\n", "White space stands before the colon of Bcc"),
        ("X-A: b\r\n \t\r\nX-C: d\r\n", "The field X-A has a folded line of white space alone"),
        ("Subject: ü\r\n", "The field Subject holds octets that are not ASCII, without SMTPUTF8"),
        ("From: bob@example.org\r\n", "The field From stands there more than once"),
        ("FROM: ada@example.org\r\n", "The field From stands there more than once"),
        ("Date: x\r\n", "The field Date stands there more than once"),
        ("message-id: <2@example.org>\r\n", "The field Message-ID stands there more than once"),
        ("Subject: a\r\nSubject: b\r\n", "The field Subject stands there more than once"),
        ("To: a\r\nTo: b\r\n", "The field To stands there more than once"),
        ("Content-Type: a\r\nContent-Type: b\r\n", "The field Content-Type stands there more than once"),
        ("Sender: a b\r\n", "The addresses of Sender cannot be read"),
    ] {
        let header = format!("{WHOLE}{fields}\r\n");
        assert_eq!(became(&header, &facts()), Err(format!("554 5.6.0 {reply}")), "{header}");
    }
    let first = format!(" for us\r\n{WHOLE}\r\n");
    assert!(became(&first, &facts()).unwrap_err().starts_with("554 5.6.0 Line 1 of the header section"));
    assert_eq!(became("\r\nbody", &facts()), Err("554 5.6.0 The message has no From".to_owned()));
}

#[test]
fn a_header_section_in_utf_8_needs_smtputf8_and_is_utf_8_then() {
    let header = format!("{WHOLE}Subject: ü\r\n\r\n");
    assert_eq!(became(&header, &SubmissionFacts { smtputf8: true, ..facts() }), Ok(header.clone()));
    assert_eq!(became(&header, &SubmissionFacts { eight_bit: EightBit::Allow, ..facts() }), Ok(header));
    let latin = [WHOLE.as_bytes(), b"Subject: \xFC\r\n\r\n"].concat();
    let facts = SubmissionFacts { smtputf8: true, ..facts() };
    assert_eq!(submission(&latin, &facts), Err(HeaderProblem::NotUtf8("Subject".to_owned())));
}

#[test]
fn the_author_must_be_one_that_the_account_may_write_as() {
    let rest = "Date: x\r\nMessage-ID: <1@example.org>\r\n\r\n";
    let may_not = |address: &str| Err(format!("550 5.7.1 The account may not write as <{address}>"));
    for (fields, expected) in [
        ("From: Ada <ADA@example.org>\r\n", Ok(())),
        ("From: ada+x@example.org\r\n", Ok(())),
        ("From: Bob <bob@example.org>\r\n", may_not("bob@example.org")),
        ("From: \"ada@example.org\" <bob@example.org>\r\n", may_not("bob@example.org")),
        ("From: ada@example.org,\r\n bob@example.org\r\n", may_not("bob@example.org")),
        ("From: group: bob@example.org;\r\n", may_not("bob@example.org")),
        ("From: ada@example.org\r\nSender: bob@example.org\r\n", may_not("bob@example.org")),
        ("From: bob@example.org\r\nResent-From: ada@example.org\r\n", may_not("bob@example.org")),
        (
            "From: ada@example.org <bob@example.org>\r\n",
            Err("554 5.6.0 The addresses of From cannot be read".to_owned()),
        ),
        ("From: nobody:;\r\n", Err("554 5.6.0 From names nobody".to_owned())),
        ("From:\r\n", Err("554 5.6.0 From names nobody".to_owned())),
        ("From: ada\r\n", Err("554 5.6.0 The addresses of From cannot be read".to_owned())),
    ] {
        let header = format!("{fields}{rest}");
        assert_eq!(became(&header, &facts()).map(drop), expected, "{header}");
    }
    let resent = |by: &str| format!("Resent-From: {by}\r\nFrom: bob@example.org\r\n{rest}");
    let lenient = SubmissionFacts { from: FromPolicy::OwnedOrResent(ADA), ..facts() };
    assert!(became(&resent("ada@example.org"), &lenient).is_ok());
    assert_eq!(became(&resent("eve@example.org"), &lenient).map(drop), may_not("eve@example.org"));
    let any = SubmissionFacts { from: FromPolicy::Any, ..facts() };
    assert!(became(&format!("From: bob@example.org\r\n{rest}"), &any).is_ok());
}

#[test]
fn several_authors_have_a_sender() {
    let header = "From: ada@example.org, ada+x@example.org\r\nDate: x\r\nMessage-ID: <1@a.example>\r\n\r\n";
    assert_eq!(
        became(header, &facts()),
        Err("554 5.6.0 From names several authors, and there is no Sender".to_owned())
    );
    let ada = "ada@example.org".parse().unwrap();
    let known = SubmissionFacts { submitter: Some(&ada), ..facts() };
    assert_eq!(became(header, &known), Ok(format!("Sender: ada@example.org\r\n{header}")));
    let with_sender = format!("Sender: ada@example.org\r\n{header}");
    assert_eq!(became(&with_sender, &known), Ok(with_sender.clone()));
}

#[test]
fn a_missing_from_is_added_where_policy_says_so() {
    let header = "Date: x\r\nMessage-ID: <1@example.org>\r\n\r\n";
    let ada = "ada@bücher.example".parse().unwrap();
    let facts = SubmissionFacts { missing_from: MissingFrom::Add(&ada), ..facts() };
    assert_eq!(became(header, &facts), Ok(format!("From: ada@xn--bcher-kva.example\r\n{header}")));
    // Which is no way round the rule for Sender.
    let with_sender = format!("Sender: bob@example.org\r\n{header}");
    let refused = "550 5.7.1 The account may not write as <bob@example.org>";
    assert_eq!(became(&with_sender, &facts), Err(refused.to_owned()));
}

#[test]
fn a_thousand_fields_are_taken_and_a_million_are_refused_early() {
    let header = |count: usize| format!("{WHOLE}{}\r\n", "X: y\r\n".repeat(count - 3));
    assert!(became(&header(FIELDS_MAX), &facts()).is_ok());
    let refused = Err("554 5.6.0 The header section has more than 1000 fields".to_owned());
    assert_eq!(became(&header(FIELDS_MAX + 1), &facts()), refused);
    assert_eq!(became(&header(1_000_000), &facts()), refused);
}

#[test]
fn a_header_section_over_its_limit_is_552() {
    assert_eq!(
        HeaderProblem::TooBig(262_144).reply().to_string(),
        "552 5.3.4 The header section is larger than the 262144 octets that are taken here"
    );
}

#[test]
fn nothing_that_is_refused_puts_its_octets_into_the_reply() {
    let header = format!("{WHOLE}X\u{1b}[2J: y\r\n\r\n");
    let reply = became(&header, &facts()).unwrap_err();
    assert!(reply.chars().all(|c| !c.is_control()), "{reply}");
}
