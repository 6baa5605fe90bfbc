//! Internationalized addresses (RFC 6531): what the catalogue of EAI tests asks of an address, the test domains that
//! IANA ran in eleven scripts, and names that only look alike.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]

use types::{Domain, ForwardPath, Mailbox, ReversePath};

/// IANA's `example.test` in eleven languages: U-label of the top-level domain, and its A-label as delegated.
const IANA_TEST_DOMAINS: [(&str, &str); 11] = [
    ("إختبار", "xn--kgbechtv"),
    ("آزمایشی", "xn--hgbk6aj7f53bba"),
    ("测试", "xn--0zwm56d"),
    ("測試", "xn--g6w251d"),
    ("испытание", "xn--80akhbyknj4f"),
    ("परीक्षा", "xn--11b5bs3a9aj6g"),
    ("δοκιμή", "xn--jxalpdlp"),
    ("테스트", "xn--9t4b11yi5a"),
    ("טעסט", "xn--deba0ad"),
    ("テスト", "xn--zckzah"),
    ("பரிட்சை", "xn--hlcj6aya9esc7a"),
];

/// Local parts as people have them: ASCII, and the scripts of the domains above, some from right to left.
const LOCAL_PARTS: [&str; 10] =
    ["info", "ابن.سينا", "用户", "用戶", "Пётр", "अजय", "μαρία", "홍길동", "דוד", "josé+tag"];

#[test]
fn the_catalogue_has_the_rows_that_these_tests_stand_for() {
    let Some(folder) = testdata::folder("eai") else { return };
    for (file, rows) in [
        ("MTA.csv", &["EAI-MTA-003", "EAI-MTA-007", "EAI-MTA-008", "EAI-MTA-012", "EAI-MTA-013"][..]),
        ("MSA.csv", &["EAI-MSA-005", "EAI-MSA-006", "EAI-MSA-012", "EAI-MSA-013"]),
        ("MSP.csv", &["EAI-MSP-001", "EAI-MSP-002"]),
    ] {
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        for row in rows {
            assert!(text.lines().any(|line| line.starts_with(row)), "{file} has no {row}");
        }
    }
}

/// EAI-MTA-007, EAI-MTA-008, EAI-MSA-005, EAI-MSA-006, EAI-MSP-001, EAI-MSP-002.
#[test]
fn addresses_in_every_script_are_taken_in_both_paths_and_kept_as_written() {
    for (u_label, a_label) in IANA_TEST_DOMAINS {
        for local_part in LOCAL_PARTS {
            for domain in [format!("example.{u_label}"), format!("example.{a_label}")] {
                let path = format!("<{local_part}@{domain}>");
                assert_eq!(path.parse::<ReversePath>().map(|p| p.to_string()), Ok(path.clone()));
                assert_eq!(path.parse::<ForwardPath>().map(|p| p.to_string()), Ok(path.clone()));
            }
        }
    }
}

/// EAI-MTA-003, EAI-MSA-012, EAI-MSA-013.
#[test]
fn a_domain_has_its_a_label_form_and_equals_it() {
    for (u_label, a_label) in IANA_TEST_DOMAINS {
        let domain: Domain = u_label.parse().unwrap();
        assert_eq!(domain.ascii(), a_label);
        assert_eq!(Ok(domain), a_label.to_uppercase().parse());
        let mailbox: Mailbox = format!("info@Example.{u_label}").parse().unwrap();
        assert!(!mailbox.is_ascii());
        assert_eq!(mailbox.to_ascii().unwrap().to_string(), format!("info@example.{a_label}"));
    }
}

/// EAI-MTA-012, EAI-MTA-013.
#[test]
fn only_a_local_part_that_is_not_ascii_keeps_a_mailbox_from_a_server_without_smtputf8() {
    for local_part in LOCAL_PARTS {
        for domain in ["example.org", "example.xn--zckzah", "example.テスト"] {
            let mailbox: Mailbox = format!("{local_part}@{domain}").parse().unwrap();
            assert_eq!(mailbox.to_ascii().is_some(), local_part.is_ascii(), "{mailbox}");
            assert_eq!(mailbox.is_ascii(), local_part.is_ascii() && domain.is_ascii(), "{mailbox}");
        }
    }
}

#[test]
fn labels_of_idna_2008_that_2003_read_otherwise_are_kept_apart() {
    // RFC 5894 §7.2: the four deviation characters; the A-labels are their Punycode.
    for (label, a_label, other) in [
        ("faß", "xn--fa-hia", "fass"),
        ("βόλος", "xn--nxasmm1c", "βόλοσ"),
        ("نامه\u{200C}ای", "xn--mgba3gch31f060k", "نامهای"),
        ("ශ\u{DCA}\u{200D}ර\u{DD3}", "xn--10cl1a0b660p", "ශ\u{DCA}ර\u{DD3}"),
    ] {
        let domain: Domain = format!("{label}.example").parse().unwrap();
        assert_eq!(domain.ascii(), format!("{a_label}.example"), "{label}");
        assert_ne!(Ok(domain), format!("{other}.example").parse(), "{label}");
    }
}

#[test]
fn joiners_without_their_context_are_refused() {
    for label in ["a\u{200C}b", "a\u{200D}b", "\u{200D}", "نامه\u{200D}ای"] {
        assert!(format!("{label}.example").parse::<Domain>().is_err(), "{label:?}");
    }
}

#[test]
fn names_that_look_alike_never_equal_one_another() {
    for (name, look_alike) in [
        ("paypal", "раураl"),
        ("paypal", "pаypal"),
        ("apple", "аррӏе"),
        ("google", "gооgle"),
        ("scope", "ѕсоре"),
        ("l0cal", "lоcal"),
        ("bücher", "bưcher"),
        ("strasse", "straße"),
        ("kk", "κκ"),
    ] {
        let domain = |name: &str| format!("{name}.example").parse::<Domain>().expect(name);
        assert_ne!(domain(name), domain(look_alike));
        assert!(domain(look_alike).ascii().starts_with("xn--"), "its A-label gives {look_alike} away");
    }
}

#[test]
fn text_that_mapping_would_turn_into_an_ascii_name_is_no_name() {
    for text in [
        "ｌｏｃａｌｈｏｓｔ",
        "localhos\u{AD}t",
        "\u{2060}localhost",
        "local\u{200B}host",
        "ℓocalhost",
        "𝓁ocalhost",
        "ⓛocalhost",
        "localhoſt",
        "example。org",
        "example．org",
        "example｡org",
        "１９２.0.2.1",
        "\u{212A}elvin",
        "\u{212B}ngstrom",
        "İstanbul",
        "ẞ",
    ] {
        assert!(text.parse::<Domain>().is_err(), "{text:?} is read as {:?}", text.parse::<Domain>());
        assert!(format!("dev@{text}").parse::<Mailbox>().is_err(), "{text:?}");
    }
}

#[test]
fn local_parts_that_differ_in_octets_are_different_mailboxes() {
    let mailbox = |text: &str| text.parse::<Mailbox>().unwrap();
    assert_ne!(mailbox("jos\u{E9}@example.org"), mailbox("jose\u{301}@example.org"));
    assert_ne!(mailbox("dev@example.org"), mailbox("ｄｅｖ@example.org"));
    assert_ne!(mailbox("Dev@example.org"), mailbox("dev@example.org"));
}

#[test]
fn the_limits_of_local_part_and_label_count_octets_not_characters() {
    // 21 characters of three octets and one of one are 64.
    let local_part = format!("{}a", "用".repeat(21));
    assert!(format!("{local_part}@example.org").parse::<Mailbox>().is_ok());
    assert!(format!("{local_part}a@example.org").parse::<Mailbox>().is_err());
    // The limit of 63 is that of the A-label (RFC 5890 §2.3.2.1).
    let longest = (1..64).take_while(|count| "ä".repeat(*count).parse::<Domain>().is_ok()).last().unwrap();
    assert_eq!("ä".repeat(longest).parse::<Domain>().unwrap().ascii().len(), 63);
}

#[test]
fn control_characters_of_unicode_are_in_no_address() {
    for control in ('\0'..='\x1F').chain('\u{7F}'..='\u{9F}') {
        for text in [
            format!("a{control}b@example.org"),
            format!("\"a{control}b\"@example.org"),
            format!("\"a\\{control}b\"@example.org"),
            format!("a@exam{control}ple.org"),
            format!("a@bü{control}cher.org"),
            format!("a@[Tag:a{control}b]"),
        ] {
            assert!(text.parse::<Mailbox>().is_err(), "{text:?}");
        }
    }
}
