use super::hint::{HINT_MAX, HINT_MIN, wait};
use super::*;

fn reply(code: u16, enhanced: &str, text: &'static str) -> Reply {
    Reply { code, enhanced: enhanced.parse().ok(), text: text.into() }
}

/// One word for an outcome, with the status.
fn in_words(outcome: &Outcome) -> String {
    let word = match outcome {
        Outcome::GoOn => return "go on".to_owned(),
        Outcome::Relayed(_) => "relayed",
        Outcome::Deferred { again: Again::NextHost, .. } => "next host",
        Outcome::Deferred { again: Again::NextTransaction, .. } => "next transaction",
        Outcome::Deferred { again: Again::Later { .. }, .. } => "later",
        Outcome::Failed { reach: Reach::Host, .. } => "failed here",
        Outcome::Failed { reach: Reach::Final, .. } => "failed",
    };
    format!("{word} {}", outcome.finding().map(|finding| finding.status.to_string()).unwrap_or_default())
}

const FIRST: Step = Step::Rcpt { accepted_before: 0 };
const SECOND: Step = Step::Rcpt { accepted_before: 1 };

/// RFC 5321 §4.2.1 and §4.3.2.
#[test]
fn the_first_digit_decides_where_the_codes_agree() {
    for (step, code, enhanced, expected) in [
        (Step::Greeting, 220, "", "go on"),
        (Step::Hello, 250, "", "go on"),
        (Step::StartTls, 220, "2.0.0", "go on"),
        (Step::Auth, 334, "", "go on"),
        (Step::Auth, 235, "2.7.0", "go on"),
        (Step::Mail, 250, "2.1.0", "go on"),
        (FIRST, 250, "2.1.5", "go on"),
        (FIRST, 251, "2.1.5", "go on"),
        (FIRST, 252, "", "go on"),
        (Step::Data, 354, "", "go on"),
        (Step::EndOfData, 250, "2.0.0", "relayed 2.0.0"),
        (Step::EndOfData, 250, "", "relayed 2.0.0"),
        (Step::EndOfData, 299, "", "relayed 2.0.0"),
        (Step::Mail, 451, "", "later 4.0.0"),
        (FIRST, 450, "4.2.0", "later 4.2.0"),
        (FIRST, 550, "5.1.1", "failed 5.1.1"),
        (FIRST, 550, "", "failed 5.0.0"),
        (Step::Data, 554, "5.5.1", "failed 5.5.1"),
        (Step::EndOfData, 554, "5.6.0", "failed 5.6.0"),
        (Step::EndOfData, 452, "4.3.1", "later 4.3.1"),
    ] {
        let reply = reply(code, enhanced, "text");
        assert_eq!(in_words(&judge(step, &Happening::Reply(&reply))), expected, "{step:?} {reply}");
    }
}

#[test]
fn where_the_codes_contradict_each_other_the_gentler_one_decides() {
    for (step, code, enhanced, expected) in [
        (FIRST, 550, "4.2.2", "later 4.2.2"),
        (Step::EndOfData, 554, "4.7.1", "later 4.7.1"),
        (FIRST, 450, "5.1.1", "later 4.1.1"),
        (Step::Mail, 451, "5.7.1", "later 4.7.1"),
        (FIRST, 550, "2.1.5", "failed 5.1.5"),
        (FIRST, 450, "2.0.0", "later 4.0.0"),
        (FIRST, 250, "5.1.1", "go on"),
    ] {
        let reply = reply(code, enhanced, "text");
        assert_eq!(in_words(&judge(step, &Happening::Reply(&reply))), expected, "{step:?} {reply}");
    }
}

/// Sending again what was taken would make a duplicate.
#[test]
fn what_was_taken_stays_taken_whatever_its_enhanced_code_says() {
    for enhanced in ["5.7.1", "4.0.0", ""] {
        let reply = reply(250, enhanced, "ok");
        assert!(
            matches!(judge(Step::EndOfData, &Happening::Reply(&reply)), Outcome::Relayed(_)),
            "{enhanced}"
        );
    }
}

/// attacks.md 20.
#[test]
fn a_reply_that_the_command_never_has_is_no_answer() {
    for (step, code) in [
        (Step::Data, 250),
        (Step::Data, 200),
        (Step::Mail, 354),
        (FIRST, 354),
        (Step::EndOfData, 354),
        (Step::EndOfData, 334),
        (Step::Greeting, 354),
        (Step::Data, 300),
        (Step::Mail, 0),
        (FIRST, 199),
        (Step::EndOfData, 600),
        (Step::EndOfData, 999),
    ] {
        let reply = reply(code, "", "go ahead");
        let outcome = judge(step, &Happening::Reply(&reply));
        let Outcome::Deferred { finding, duplicate, .. } = &outcome else {
            panic!("{step:?} {code} {outcome:?}")
        };
        assert_eq!(finding.status.to_string(), "4.5.0");
        assert_eq!(*duplicate == Duplicate::Possible, step == Step::EndOfData, "{step:?} {code}");
    }
    for code in 0..=1100 {
        let reply = reply(code, "", "x");
        let outcome = judge(Step::EndOfData, &Happening::Reply(&reply));
        assert_eq!(matches!(outcome, Outcome::Relayed(_)), (200..300).contains(&code), "{code}");
        let outcome = judge(Step::Data, &Happening::Reply(&reply));
        assert_eq!(outcome == Outcome::GoOn, code == 354, "{code}");
    }
}

/// RFC 5321 §4.5.3.1.10.
#[test]
fn a_552_that_means_too_many_recipients_is_tried_again_at_once_in_another_transaction() {
    for (step, code, enhanced, expected) in [
        (SECOND, 452, "4.5.3", "next transaction 4.5.3"),
        (SECOND, 452, "", "next transaction 4.0.0"),
        (SECOND, 552, "", "next transaction 4.0.0"),
        (SECOND, 552, "5.5.3", "next transaction 4.5.3"),
        (SECOND, 550, "5.5.3", "next transaction 4.5.3"),
        (SECOND, 552, "5.2.2", "failed 5.2.2"),
        (SECOND, 452, "4.3.1", "later 4.3.1"),
        // With nobody before, the next transaction would be the same one again.
        (FIRST, 552, "", "failed 5.0.0"),
        (FIRST, 452, "4.5.3", "later 4.5.3"),
        (SECOND, 421, "4.5.3", "next host 4.5.3"),
    ] {
        let reply = reply(code, enhanced, "text");
        assert_eq!(in_words(&judge(step, &Happening::Reply(&reply))), expected, "{step:?} {reply}");
    }
}

#[test]
fn what_a_host_says_of_itself_leads_to_the_next_host() {
    for (step, code, enhanced, expected) in [
        (Step::Greeting, 421, "4.3.2", "next host 4.3.2"),
        (Step::Greeting, 450, "", "next host 4.0.0"),
        (Step::Greeting, 521, "", "failed here 5.0.0"),
        (Step::Greeting, 554, "5.7.1", "failed here 5.7.1"),
        (Step::Hello, 550, "", "failed here 5.0.0"),
        (FIRST, 421, "", "next host 4.0.0"),
        (Step::EndOfData, 421, "4.3.0", "next host 4.3.0"),
        (Step::StartTls, 454, "4.7.0", "next host 4.7.0"),
        (Step::StartTls, 500, "", "next host 4.0.0"),
    ] {
        let reply = reply(code, enhanced, "text");
        assert_eq!(in_words(&judge(step, &Happening::Reply(&reply))), expected, "{step:?} {reply}");
    }
}

#[test]
fn a_password_that_a_smart_host_does_not_take_sends_no_message_back() {
    for (step, code) in [(Step::Auth, 535), (Step::Auth, 504), (Step::Mail, 530), (FIRST, 530)] {
        let reply = reply(code, "5.7.8", "no");
        let outcome = judge(step, &Happening::Reply(&reply));
        assert!(matches!(outcome, Outcome::Deferred { .. }), "{step:?} {code}");
    }
}

#[test]
fn a_failed_connection_is_tried_elsewhere_and_later() {
    use ConnectionTrouble::{Lost, Refused, TimedOut, Unreachable};
    for (step, trouble, expected) in [
        (Step::Connect, Refused, "next host 4.4.1"),
        (Step::Connect, Unreachable, "next host 4.4.1"),
        (Step::Connect, TimedOut, "next host 4.4.1"),
        (Step::Greeting, TimedOut, "next host 4.4.2"),
        (Step::Mail, Lost, "next host 4.4.2"),
        (Step::Data, Lost, "next host 4.4.2"),
        (Step::EndOfData, Lost, "later 4.4.2"),
    ] {
        let outcome = judge(step, &Happening::Connection(trouble));
        assert_eq!(in_words(&outcome), expected);
        let Outcome::Deferred { duplicate, .. } = outcome else { panic!() };
        assert_eq!(duplicate == Duplicate::Possible, step == Step::EndOfData);
    }
    assert_eq!(in_words(&judge(Step::Greeting, &Happening::Gibberish)), "next host 4.5.0");
    assert_eq!(in_words(&judge(Step::Connect, &Happening::Ours("disk"))), "later 4.3.0");
}

/// RFC 8461 §5 and RFC 7672 §2.2: mail waits. RFC 8689 §4.2.1: mail comes back.
#[test]
fn tls_that_a_policy_asks_for_is_waited_for_and_tls_that_the_sender_asks_for_is_not() {
    for trouble in [TlsTrouble::NotOffered, TlsTrouble::Handshake, TlsTrouble::Certificate] {
        let outcome = judge(Step::StartTls, &Happening::Tls(trouble));
        assert!(matches!(outcome, Outcome::Deferred { again: Again::NextHost, .. }), "{trouble}");
    }
    for (missing, expected) in [
        (Missing::RequireTls, "failed here 5.7.30"),
        (Missing::TrustedTls, "failed here 5.7.10"),
        (Missing::Size, "failed here 5.3.4"),
        (Missing::EightBitMime, "failed here 5.6.3"),
        (Missing::BinaryMime, "failed here 5.6.3"),
        (Missing::SmtpUtf8, "failed here 5.6.7"),
        (Missing::DeliverBy, "failed here 5.3.3"),
    ] {
        assert_eq!(in_words(&judge(Step::Mail, &Happening::Missing(missing))), expected);
    }
}

#[test]
fn the_wait_that_a_text_names_is_taken_within_bounds() {
    for (text, expected) in [
        ("Greylisted, please try again in 300 seconds", Some(300)),
        ("try again in 5 minutes", Some(300)),
        ("Greylisting in action, please come back in 00:04:59", Some(299)),
        ("wait 10min before retry", Some(600)),
        ("retry in 2 hours", Some(7200)),
        ("try again in 1 second", Some(HINT_MIN.as_secs())),
        ("try again in 99999999999999999999 seconds", None),
        ("try again in 18446744073709551615 hours", Some(HINT_MAX.as_secs())),
        ("try again later", None),
        ("mailbox full: 300 seconds of video", None),
        ("try 3 times again", None),
        ("wait 99:99:99", Some(HINT_MAX.as_secs())),
        ("", None),
    ] {
        assert_eq!(wait(text).map(|wait| wait.as_secs()), expected, "{text}");
    }
    assert_eq!(wait(&format!("{}é again in 300 seconds", "x".repeat(999))), None);
}

#[test]
fn greylisting_is_known_by_its_words() {
    for (text, expected) in
        [("Greylisted, see https://example.org", Greylisting::Named), ("mailbox busy", Greylisting::Unnamed)]
    {
        let reply = reply(450, "4.2.0", text);
        let outcome = judge(FIRST, &Happening::Reply(&reply));
        let Outcome::Deferred { again: Again::Later { greylisting, .. }, .. } = outcome else { panic!() };
        assert_eq!(greylisting, expected);
    }
}
