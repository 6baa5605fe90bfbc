use proptest::prelude::*;
use types::directory::key;

use super::*;

/// Of the tests of postsrsd: its key, the time that they pretend, and its hash of four characters.
const KEY: &[u8] = b"tops3cr3t";
const NOW: Timestamp = Timestamp::from_millis(1_577_836_860_000);

fn published() -> Srs {
    Srs { mac: keyed(KEY), hash_chars: 4 }
}

fn ours() -> Domain {
    "example.com".parse().unwrap()
}

fn mailbox(text: &str) -> Mailbox {
    text.parse().unwrap()
}

fn rewritten(sender: &str) -> Mailbox {
    Srs::new(KEY).rewritten(&mailbox(sender), &ours(), NOW).unwrap()
}

fn days_later(days: u64) -> Timestamp {
    Timestamp::from_millis(NOW.millis() + days * DAY_MILLIS)
}

#[test]
fn the_published_addresses_are_written_and_read() {
    for (sender, address) in [
        ("test@otherdomain.com", "SRS0=vmyz=2W=otherdomain.com=test@example.com"),
        ("SRS0=opaque+string@otherdomain.com", "SRS1=chaI=otherdomain.com==opaque+string@example.com"),
        (
            "SRS1=X=thirddomain.com==opaque+string@otherdomain.com",
            "SRS1=JIBX=thirddomain.com==opaque+string@example.com",
        ),
    ] {
        let written = published().rewritten(&mailbox(sender), &ours(), NOW).unwrap();
        assert_eq!(written.to_string(), address);
    }
    for (address, sender) in [
        ("SRS0=XjO9=2V=otherdomain.com=test@example.com", "test@otherdomain.com"),
        ("SRS1=JIBX=thirddomain.com==opaque+string@example.com", "SRS0=opaque+string@thirddomain.com"),
    ] {
        let read = published().original(&mailbox(address), NOW).unwrap();
        assert_eq!(read.to_string(), sender);
    }
}

#[test]
fn an_address_literal_with_the_sign_of_separators_in_it_leads_back() {
    let srs = Srs::new(KEY);
    for sender in ["ada@[x:a=b]", "SRS0=abcd=AB=a.example=ada@[x:a=b]"] {
        assert_eq!(srs.original(&rewritten(sender), NOW).unwrap().to_string(), sender);
    }
}

#[test]
fn an_address_leads_back_for_three_weeks_whatever_the_day_of_the_round() {
    let address = rewritten("ada@elsewhere.example");
    let srs = Srs::new(KEY);
    for days in [0, 1, 21] {
        assert!(srs.original(&address, days_later(days)).is_ok(), "{days}");
    }
    for days in [22, 100, 1000, 1022] {
        assert_eq!(srs.original(&address, days_later(days)), Err(SrsProblem::Expired), "{days}");
    }
    // A clock that was a day ahead.
    assert!(srs.original(&address, Timestamp::from_millis(NOW.millis() - DAY_MILLIS)).is_ok());
    let before = Timestamp::from_millis(NOW.millis() - 2 * DAY_MILLIS);
    assert_eq!(srs.original(&address, before), Err(SrsProblem::Expired));
    // Where the numbers of days begin again.
    let last = Timestamp::from_millis(1023 * DAY_MILLIS);
    let address = srs.rewritten(&mailbox("ada@elsewhere.example"), &ours(), last).unwrap();
    assert!(srs.original(&address, Timestamp::from_millis(1030 * DAY_MILLIS)).is_ok());
}

#[test]
fn what_this_host_has_not_written_leads_nowhere() {
    let srs = Srs::new(KEY);
    for address in [
        "SRS0=AAAAAA=2W=victim.example=user@example.com",
        "SRS0=vmyz=2W=otherdomain.com=test@example.com",
        "SRS0==2W=otherdomain.com=test@example.com",
        "SRS0=2W=otherdomain.com=test@example.com",
        "SRS0=@example.com",
        "SRS0===@example.com",
        "SRS0=====@example.com",
        "SRS1=AAAAAA=victim.example==x@example.com",
        "SRS1=AAAAAA=victim.example@example.com",
        "SRS1=@example.com",
        "ada@example.com",
        // Of another tag: all else is as it was written.
        &rewritten("ada@elsewhere.example").to_string().replace("SRS0", "SRS2"),
    ] {
        assert_eq!(srs.original(&mailbox(address), NOW), Err(SrsProblem::Forged), "{address}");
    }
    let other_key = Srs::new(b"another key");
    assert_eq!(other_key.original(&rewritten("ada@elsewhere.example"), NOW), Err(SrsProblem::Forged));
}

#[test]
fn case_may_change_on_the_way_and_the_host_of_ours_does_not_matter() {
    let address = rewritten("Ada.Lovelace@Elsewhere.Example").to_string();
    for changed in [address.to_lowercase(), address.to_uppercase()] {
        let read = Srs::new(KEY).original(&mailbox(&changed), NOW).unwrap();
        assert_eq!(key(&read), "ada.lovelace@elsewhere.example");
    }
    let (local_part, _) = address.rsplit_once('@').unwrap();
    assert!(Srs::new(KEY).original(&mailbox(&format!("{local_part}@lists.example.org")), NOW).is_ok());
}

#[test]
fn addresses_of_every_form_are_read_back_as_they_were() {
    for sender in [
        "ada+tag=x=y@elsewhere.example",
        "\"a b\"@elsewhere.example",
        "\"a@b\\\"\\\\\"@elsewhere.example",
        "\"\"@elsewhere.example",
        // Whose meaning looks like a quoted string itself.
        "\"\\\"\\\"\"@elsewhere.example",
        "用户@bücher.example",
        "ada@[192.0.2.1]",
        "ada@[IPv6:2001:db8::1]",
        "srs0@elsewhere.example",
        "SRS1=x@elsewhere.example",
        "bounces+1234-5678=ada.lovelace@e.example",
    ] {
        let address = rewritten(sender);
        let read = Srs::new(KEY).original(&address, NOW).unwrap();
        assert_eq!(key(&read), key(&mailbox(sender)), "{address}");
        assert!(is_rewritten(&address), "{address}");
    }
}

#[test]
fn what_others_have_rewritten_goes_back_to_the_first_of_them_alone() {
    let srs = Srs::new(KEY);
    for (sender, back) in [
        ("SRS0=HHH=TT=a.example=ada@first.example", "SRS0=HHH=TT=a.example=ada@first.example"),
        ("srs0+HHH=TT=a.example=ada@first.example", "SRS0+HHH=TT=a.example=ada@first.example"),
        ("SRS1=GGG=first.example==HHH=TT=a=b@second.example", "SRS0=HHH=TT=a=b@first.example"),
        ("SRS1-GGG=first.example=-HHH=TT=a=b@second.example", "SRS0-HHH=TT=a=b@first.example"),
    ] {
        let address = rewritten(sender);
        assert!(address.local_part.as_str().starts_with("SRS1="), "{address}");
        assert_eq!(srs.original(&address, NOW).unwrap().to_string(), back);
    }
}

#[test]
fn a_local_part_has_64_octets_and_not_one_more() {
    let srs = Srs::new(KEY);
    let sender = |length| mailbox(&format!("{}@elsewhere.example", "a".repeat(length)));
    let written = srs.rewritten(&sender(31), &ours(), NOW).unwrap();
    assert_eq!(written.local_part.as_str().len(), 64);
    assert!(srs.original(&written, NOW).is_ok());
    assert_eq!(srs.rewritten(&sender(32), &ours(), NOW), Err(TooLong));
}

#[test]
fn only_the_form_of_ours_is_taken_for_one() {
    for (address, expected) in [
        ("srs0=x@example.org", true),
        ("SRS1=x@example.org", true),
        ("\"SRS0=x y\"@example.org", true),
        ("SRS0@example.org", false),
        ("srs0-team@example.org", false),
        ("SRS2=x@example.org", false),
        ("用户用户@example.org", false),
    ] {
        assert_eq!(is_rewritten(&mailbox(address)), expected, "{address}");
    }
}

#[test]
fn the_key_is_not_shown() {
    assert!(!format!("{:?}", Srs::new(b"tops3cr3t")).contains("116"));
    assert_eq!(format!("{:?}", Srs::new(b"tops3cr3t")), "Srs { .. }");
}

proptest! {
    #[test]
    fn what_fits_is_read_back(
        local_part in "[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]{1,12}(\\.[a-z0-9=+]{1,8}){0,2}",
        quoted in "\"([ !#-\\[\\]-~]|\\\\[ -~]){0,12}\"",
        domain in "[a-z0-9]{1,8}(\\.[a-z]{2,6}){1,2}",
        is_quoted: bool,
        day in 0_u64..40_000,
    ) {
        let local_part = if is_quoted { quoted } else { local_part };
        let sender = mailbox(&format!("{local_part}@{domain}"));
        let now = Timestamp::from_millis(day * DAY_MILLIS);
        let srs = Srs::new(KEY);
        if let Ok(address) = srs.rewritten(&sender, &ours(), now) {
            let read = srs.original(&address, now).unwrap();
            let is_foreign = address.local_part.unquoted().starts_with("SRS1");
            prop_assert!(is_foreign || key(&read) == key(&sender), "{} {}", address, read);
        }
    }

    #[test]
    fn a_changed_octet_is_refused(at in 0_usize..64, by in 1_u8..=255) {
        let address = rewritten("ada.lovelace@elsewhere.example");
        let mut octets = address.local_part.as_str().as_bytes().to_vec();
        let at = at % octets.len();
        octets[at] ^= by;
        let is_same = octets.eq_ignore_ascii_case(address.local_part.as_str().as_bytes());
        let changed = String::from_utf8(octets).ok();
        let changed = changed.and_then(|local_part| format!("{local_part}@example.com").parse().ok());
        // What is no address is refused before.
        if let Some(changed) = changed {
            prop_assert_eq!(Srs::new(KEY).original(&changed, NOW).is_ok(), is_same, "{}", changed);
        }
    }
}
