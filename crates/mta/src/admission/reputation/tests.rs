use std::net::Ipv4Addr;

use types::dns::{DnsTrouble, Lookup, Validation};

use super::*;

const POLICY: ReputationPolicy = ReputationPolicy { reject_at: 10, defer_at: 0, tag_at: 5 };

fn records(answers: &[&str]) -> Lookup<Ipv4Addr> {
    let records = answers.iter().map(|answer| answer.parse().unwrap()).collect();
    Lookup::Records { records, alias_of: None, validation: Validation::Insecure }
}

fn codes(codes: &[&str]) -> Vec<Code> {
    codes.iter().map(|code| code.parse().unwrap()).collect()
}

fn share(zone: &str, weight: i32) -> Share {
    Share {
        zone: zone.to_owned(),
        subject: Subject::Address,
        about: "192.0.2.99".to_owned(),
        proof: Proof::Proven,
        weight,
        codes: vec![Ipv4Addr::new(127, 0, 0, 2)],
        text: None,
    }
}

fn decided(policy: ReputationPolicy, shares: &[Share]) -> String {
    match decide(policy, Stage::Mail, Audience::Others, shares) {
        Judged::Accepted => "accepted".to_owned(),
        Judged::Suspicious(reason) => format!("suspicious: {reason}"),
        Judged::Refused(decision) => decision.reply.to_string(),
    }
}

#[test]
fn lists_are_asked_as_rfc_5782_has_it() {
    // §2.1 and §2.4.
    for (ip, name) in [
        ("192.0.2.99", "99.2.0.192.bad.example.com"),
        ("::ffff:192.0.2.99", "99.2.0.192.bad.example.com"),
        (
            "2001:db8:1:2:3:4:567:89ab",
            "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.bad.example.com",
        ),
    ] {
        assert_eq!(address_question(ip.parse().unwrap(), "bad.example.com"), name);
    }
    // §3.
    let asked = |name: &str| domain_question(name, "bad.example.com");
    assert_eq!(asked("example.NET").as_deref(), Some("example.net.bad.example.com"));
    assert_eq!(asked("example.net.").as_deref(), Some("example.net.bad.example.com"));
    let long = format!("{}.example", "a.".repeat(125).trim_end_matches('.'));
    for none in ["", "localhost", "[192.0.2.1]", "192.0.2.1", "a..b", "a b.example", "ä.example", &long] {
        assert_eq!(asked(none), None, "{none}");
    }
    let label = format!("{}.example", "a".repeat(64));
    assert_eq!(asked(&label), None);
    assert!(asked(&label[1..]).is_some());
}

#[test]
fn test_entries_are_those_of_rfc_5782_section_5() {
    let of = |kind, own| {
        let TestQuestions { listed, unlisted } = test_questions(kind, "l.example", own);
        [listed, unlisted]
    };
    assert_eq!(of(Kind::Ipv4, None), ["2.0.0.127.l.example", "1.0.0.127.l.example"]);
    // ::FFFF:7F00:2 and ::FFFF:7F00:1.
    let nibbles = |last: &str| format!("{last}.0.0.0.0.0.f.7.f.f.f.f.{}l.example", "0.".repeat(20));
    assert_eq!(of(Kind::Ipv6, None), [nibbles("2"), nibbles("1")]);
    assert_eq!(of(Kind::Domain, None), ["test.l.example", "invalid.l.example"]);
    assert_eq!(of(Kind::Domain, Some("dbltest.example")), ["dbltest.example.l.example", "invalid.l.example"]);
}

#[test]
fn a_list_works_that_lists_what_it_must_and_no_more() {
    let (yes, no) = (records(&["127.0.0.2"]), Lookup::NoSuchName);
    let nothing = Lookup::NoData { alias_of: None };
    let trouble = Lookup::Trouble(DnsTrouble::TimedOut);
    assert_eq!(test_result(&yes, &no), TestResult::Sound);
    assert_eq!(test_result(&yes, &nothing), TestResult::Sound);
    let parked = records(&["203.0.113.80"]);
    let refused = records(&["127.255.255.254"]);
    for (listed, unlisted, why) in [
        (&no, &no, "empty or gone"),
        (&yes, &yes, "lists everything"),
        (&no, &yes, "lists everything"),
        (&parked, &parked, "none of 127.0.0.0/8"),
        (&yes, &parked, "none of 127.0.0.0/8"),
        (&refused, &refused, "does not serve this resolver"),
        (&trouble, &yes, "lists everything"),
    ] {
        match test_result(listed, unlisted) {
            TestResult::Unsound(reason) => assert!(reason.contains(why), "{reason}"),
            other => panic!("{listed:?} {unlisted:?}: {other:?}"),
        }
    }
    for (listed, unlisted) in [(&trouble, &no), (&yes, &trouble), (&trouble, &trouble)] {
        assert_eq!(test_result(listed, unlisted), TestResult::Unknown(DnsTrouble::TimedOut));
    }
}

#[test]
fn an_answer_that_no_list_gives_is_never_a_listing() {
    for answer in ["203.0.113.1", "0.0.0.0", "126.255.255.255", "128.0.0.1", "10.0.0.2"] {
        let found = read(&[], 5, &records(&["127.0.0.2", answer]));
        assert_eq!(found, Answer::Broken(Fault::Outside(answer.parse().unwrap())));
    }
    for answer in ["127.255.255.252", "127.255.255.254", "127.255.255.255", "127.0.0.1", "127.0.0.255"] {
        let found = read(&[], 5, &records(&[answer]));
        assert_eq!(found, Answer::Broken(Fault::NotServed(answer.parse().unwrap())));
    }
    let many: Vec<Ipv4Addr> = (0..5000_u32).map(|n| Ipv4Addr::from_bits(0x7f01_0000 + n)).collect();
    let many = Lookup::Records { records: many, alias_of: None, validation: Validation::Insecure };
    assert_eq!(read(&[], 5, &many), Answer::Broken(Fault::TooMany(5000)));
    assert_eq!(read(&[], 5, &Lookup::Trouble(DnsTrouble::Bogus)), Answer::Trouble(DnsTrouble::Bogus));
    assert_eq!(read(&[], 5, &Lookup::NoSuchName), Answer::NotListed);
}

#[test]
fn codes_say_which_answers_count_and_how_much() {
    let codes = codes(&["127.0.0.2-3", "127.0.0.4=2", "127.0.0.10-11=-1", "127.0.1.&8=7", "127.9.*.3"]);
    for (answers, weight) in [
        (&["127.0.0.2"][..], Some(5)),
        (&["127.0.0.4"], Some(2)),
        (&["127.0.0.4", "127.0.0.3"], Some(5)),
        (&["127.0.0.10", "127.0.0.4"], Some(2)),
        (&["127.0.0.11"], Some(-1)),
        (&["127.0.1.14"], Some(7)),
        (&["127.0.1.6"], None),
        (&["127.9.200.3"], Some(5)),
        (&["127.0.0.5"], None),
    ] {
        let found = match read(&codes, 5, &records(answers)) {
            Answer::Listed { weight, .. } => Some(weight),
            Answer::NotListed => None,
            other => panic!("{other:?}"),
        };
        assert_eq!(found, weight, "{answers:?}");
    }
}

#[test]
fn codes_are_written_as_they_are_read_and_nothing_else_is_one() {
    for text in ["127.0.0.2", "127.0.0.2-11", "127.0.*.3=-2", "127.0.0.&64=4", "127.*.*.*=0"] {
        assert_eq!(text.parse::<Code>().unwrap().to_string(), text);
    }
    for (text, error) in [
        ("", CodeError::Octet),
        ("127.0.0", CodeError::Address),
        ("127.0.0.2.3", CodeError::Address),
        ("10.0.0.2", CodeError::Network),
        ("*.0.0.2", CodeError::Network),
        ("127.0.0.256", CodeError::Octet),
        ("127.0.0.+2", CodeError::Octet),
        ("127.0.0.9-4", CodeError::Octet),
        ("127.0.0.&0", CodeError::Octet),
        ("127.0.0.2=", CodeError::Weight),
        ("127.0.0.2=heavy", CodeError::Weight),
        ("127.0.0.2=1001", CodeError::Weight),
    ] {
        assert_eq!(text.parse::<Code>(), Err(error), "{text}");
    }
}

#[test]
fn weights_add_up_to_what_becomes_of_the_mail() {
    assert_eq!(decided(POLICY, &[]), "accepted");
    assert_eq!(decided(POLICY, &[share("a.example", 4)]), "accepted");
    assert_eq!(
        decided(POLICY, &[share("a.example", 6)]),
        "suspicious: the lists add up to 6 of 5: a.example lists the address with 127.0.0.2: +6"
    );
    assert_eq!(
        decided(POLICY, &[share("a.example", 4), share("b.example", 6)]),
        "550 5.7.1 Refused for a bad reputation (DNSBL): 192.0.2.99 is listed by b.example"
    );
    let defer = ReputationPolicy { defer_at: 7, ..POLICY };
    assert_eq!(
        decided(defer, &[share("a.example", 8)]),
        "451 4.7.1 Too bad a reputation (DNSBL) to be taken now; try again later: 192.0.2.99 is listed by a.example"
    );
    // Without limits lists are only told of.
    let none = ReputationPolicy { reject_at: 0, defer_at: 0, tag_at: 0 };
    assert_eq!(decided(none, &[share("a.example", 999)]), "accepted");
    // Sums have an end.
    assert!(
        decided(POLICY, &[share("a.example", i32::MAX), share("b.example", i32::MAX)]).starts_with("550")
    );
}

#[test]
fn an_allow_list_takes_away_what_others_hold_against_somebody() {
    assert_eq!(score(&[share("a.example", 10), share("w.example", -4)]), 6);
    assert!(decided(POLICY, &[share("a.example", 10), share("w.example", -4)]).starts_with("suspicious"));
    assert_eq!(decided(POLICY, &[share("w.example", -100)]), "accepted");
}

#[test]
fn a_name_that_anybody_can_say_never_speaks_for_him() {
    for subject in [Subject::Helo, Subject::MailFrom, Subject::From] {
        let claimed = Share { subject, proof: Proof::Claimed, ..share("w.example", -20) };
        assert_eq!(score(&[share("a.example", 10), claimed.clone()]), 10);
        let explained = claimed.explained();
        assert!(explained.contains("does not count"), "{explained}");
        let against = Share { weight: 10, ..claimed };
        assert_eq!(score(&[against]), 10);
    }
}

#[test]
fn a_list_counts_once_with_what_weighs_most() {
    let of = |subject, weight| Share { subject, ..share("a.example", weight) };
    assert_eq!(score(&[of(Subject::Helo, 4), of(Subject::MailFrom, 6), of(Subject::Ptr, 4)]), 6);
    assert_eq!(score(&[of(Subject::Address, -3), of(Subject::Signer, -5)]), -5);
    assert_eq!(score(&[of(Subject::Address, -9), of(Subject::Signer, 2)]), 2);
}

#[test]
fn the_postmaster_is_reached_whatever_a_list_says() {
    for policy in [POLICY, ReputationPolicy { tag_at: 0, defer_at: 3, ..POLICY }] {
        let judged = decide(policy, Stage::Mail, Audience::Postmaster, &[share("a.example", 50)]);
        assert!(matches!(judged, Judged::Suspicious(_)), "{judged:?}");
    }
}

#[test]
fn before_the_greeting_the_code_is_554_and_nothing_waits() {
    let shares = [Share { text: Some("see https://a.example/".into()), ..share("a.example", 10) }];
    let Judged::Refused(decision) = decide(POLICY, Stage::Greeting, Audience::Others, &shares) else {
        panic!("it is not refused");
    };
    assert_eq!(
        decision.reply.to_string(),
        "554 5.7.1 No mail is taken from you for a bad reputation (DNSBL): 192.0.2.99 is listed by a.example: \
         see https://a.example/"
    );
    let defer = ReputationPolicy { defer_at: 3, ..POLICY };
    let judged = decide(defer, Stage::Greeting, Audience::Others, &[share("a.example", 4)]);
    assert!(matches!(judged, Judged::Suspicious(_)), "{judged:?}");
}

#[test]
fn the_text_of_a_list_is_printable_and_has_an_end() {
    assert_eq!(text_of(b" why \r\n250 OK\x1b[2J\0").as_deref(), Some("why ??250 OK?(2J?"));
    assert_eq!(text_of("é".as_bytes()).as_deref(), Some("??"));
    assert_eq!(text_of(&[b'x'; 70_000]).unwrap().len(), 200);
    assert_eq!(text_of(b"  "), None);
    assert_eq!(text_of(b""), None);
}
