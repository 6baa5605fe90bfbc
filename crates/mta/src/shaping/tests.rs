use proptest::prelude::*;
use types::Reply;

use super::*;
use crate::outcome::{ConnectionTrouble, Happening, judge};

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_795_322_124_250 + seconds * 1000)
}

/// Opens as many connections as it may.
fn fill(site: &mut Site, limits: &Limits, now: Timestamp) -> u32 {
    while site.may_open(limits, now) == Permit::Now {
        site.on_open(now);
    }
    site.open
}

fn close_all(site: &mut Site, now: Timestamp) {
    (0..site.open).for_each(|_| site.on_close(now));
}

fn limits() -> Limits {
    Limits { connections_first: 2, connections_max: 20, jitter_percent: 0, ..Limits::default() }
}

/// A site that is suspended since `now`.
fn suspended(limits: &Limits, now: Timestamp) -> Site {
    let mut site = Site::default();
    for _ in 0..limits.suspend_after {
        site.on_open(now);
        site.on_trouble(limits, "no answer", now, 0);
        site.on_close(now);
    }
    site
}

#[test]
fn a_site_that_answers_is_given_more_until_the_ceiling() {
    let (limits, mut site) = (limits(), Site::default());
    assert_eq!(fill(&mut site, &limits, at(0)), 2);
    site.on_answer(&limits, at(1));
    assert_eq!(fill(&mut site, &limits, at(1)), 3);
    for _ in 0..100 {
        site.on_answer(&limits, at(2));
        fill(&mut site, &limits, at(2));
    }
    assert_eq!(site.open, 20);
    assert_eq!(site.may_open(&limits, at(3)), Permit::WhenOneEnds);
    site.on_close(at(3));
    assert_eq!(site.may_open(&limits, at(3)), Permit::Now);
}

#[test]
fn what_is_not_used_does_not_grow() {
    let (limits, mut site) = (limits(), Site::default());
    site.on_open(at(0));
    (0..1000).for_each(|_| site.on_answer(&limits, at(0)));
    assert_eq!(fill(&mut site, &limits, at(0)), 2);
}

#[test]
fn trouble_halves_once_a_round_and_growth_is_slow_from_then_on() {
    let (limits, mut site) = (Limits { suspend_after: 100, ..limits() }, Site::default());
    for _ in 0..100 {
        fill(&mut site, &limits, at(0));
        site.on_answer(&limits, at(0));
    }
    close_all(&mut site, at(0));
    for _ in 0..5 {
        site.on_trouble(&limits, "421 busy", at(1), 0);
    }
    assert_eq!(fill(&mut site, &limits, at(1)), 10);
    site.on_trouble(&limits, "421 busy", at(4), 0);
    close_all(&mut site, at(4));
    assert_eq!(fill(&mut site, &limits, at(4)), 5);
    (0..4).for_each(|_| site.on_answer(&limits, at(5)));
    assert_eq!(fill(&mut site, &limits, at(5)), 5);
    site.on_answer(&limits, at(5));
    assert_eq!(fill(&mut site, &limits, at(5)), 6);
    for round in 0..10 {
        site.on_trouble(&limits, "421 busy", at(10 + 3 * round), 0);
    }
    close_all(&mut site, at(60));
    assert_eq!(fill(&mut site, &limits, at(60)), 1);
}

#[test]
fn a_site_that_does_not_answer_is_left_alone_longer_each_time() {
    let limits = limits();
    let mut site = suspended(&limits, at(0));
    let mut now = at(0);
    for wait in [60, 120, 240, 480, 960, 1800, 1800, 1800] {
        let until = now.plus(Duration::from_secs(wait));
        assert_eq!(site.may_open(&limits, now), Permit::At(until));
        assert_eq!(site.next_change_at(now), Some(until));
        let standing = Standing::Suspended { until, reason: "no answer".to_owned() };
        assert_eq!(site.figures(&limits, now).standing, standing);
        // One connection asks whether it is back.
        now = until;
        assert_eq!(fill(&mut site, &limits, now), 1);
        assert_eq!(site.figures(&limits, now).standing, Standing::Probing);
        site.on_trouble(&limits, "no answer", now, 0);
        site.on_close(now);
    }
}

#[test]
fn a_site_that_is_back_starts_small_and_its_troubles_are_forgotten() {
    let limits = limits();
    let mut site = suspended(&limits, at(0));
    assert_eq!(fill(&mut site, &limits, at(60)), 1);
    site.on_answer(&limits, at(61));
    assert_eq!(site.figures(&limits, at(61)).standing, Standing::Flowing);
    assert_eq!(fill(&mut site, &limits, at(61)), 2);
    for _ in 1..limits.suspend_after {
        site.on_trouble(&limits, "no answer", at(70), 0);
    }
    assert_eq!(site.figures(&limits, at(70)).standing, Standing::Flowing);
    site.on_trouble(&limits, "no answer", at(70), 0);
    assert_eq!(site.next_change_at(at(70)), Some(at(130)));
}

#[test]
fn a_probe_that_ends_without_a_word_is_made_again() {
    let limits = limits();
    let mut site = suspended(&limits, at(0));
    assert_eq!(fill(&mut site, &limits, at(60)), 1);
    site.on_close(at(61));
    assert_eq!(fill(&mut site, &limits, at(61)), 1);
}

#[test]
fn who_asks_that_a_site_be_tried_now_is_heard() {
    let limits = limits();
    let mut site = suspended(&limits, at(0));
    site.resume();
    assert_eq!(fill(&mut site, &limits, at(1)), 1);
    site.on_trouble(&limits, "no answer", at(1), 0);
    site.on_close(at(1));
    assert_eq!(site.next_change_at(at(1)), Some(at(61)));
}

#[test]
fn jitter_makes_a_suspension_longer_by_its_share_at_most() {
    let limits = Limits { jitter_percent: 50, suspend_after: 1, ..limits() };
    for (random, seconds) in [(0, 60), (500, 75), (1000, 90), (1001, 60)] {
        let mut site = Site::default();
        site.on_trouble(&limits, "", at(0), random);
        assert_eq!(site.next_change_at(at(0)), Some(at(seconds)), "{random}");
    }
}

#[test]
fn a_clock_that_is_put_back_suspends_nobody_for_longer() {
    let limits = Limits { messages_per_minute: Some(1), ..limits() };
    let mut site = suspended(&limits, at(100_000));
    site.on_send(&limits, at(100_000));
    assert_eq!(site.may_open(&limits, at(0)), Permit::Now);
    assert_eq!(site.may_send(at(0)), Permit::Now);
    assert_eq!(site.next_change_at(at(0)), None);
}

#[test]
fn a_site_is_forgotten_when_it_rests_and_not_before() {
    let limits = limits();
    let mut site = Site::default();
    assert!(site.is_at_rest(at(0)));
    site.on_open(at(0));
    assert!(!site.is_at_rest(at(100_000)));
    site.on_close(at(10));
    assert!(!site.is_at_rest(at(300)));
    assert!(site.is_at_rest(at(700)));
    let long =
        Limits { suspension_first: Duration::from_secs(3600), suspension_max: Duration::MAX, ..limits };
    let site = suspended(&long, at(0));
    assert!(!site.is_at_rest(at(3599)));
    assert!(site.is_at_rest(at(3600)));
}

#[test]
fn a_reason_is_cut_between_characters() {
    let (limits, mut site) = (limits(), Site::default());
    site.on_trouble(&limits, &"\u{20ac}".repeat(1000), at(0), 0);
    assert_eq!(site.figures(&limits, at(0)).last_trouble.unwrap().reason, "\u{20ac}".repeat(166));
}

/// By RFC 5321 §3.8 and §4.2.1, and RFC 3463 §3.4 and §3.5.
#[test]
fn what_speaks_of_the_site_is_told_from_what_speaks_of_the_message() {
    let reply = |line: &str| {
        let mut words = line.splitn(3, ' ');
        let code = words.next().unwrap().parse().unwrap();
        let enhanced = words.next().unwrap().parse().ok();
        Reply { code, enhanced, text: words.next().unwrap().to_owned().into() }
    };
    let rcpt = Step::Rcpt { accepted_before: 0 };
    for (step, text, expected) in [
        (Step::Greeting, "554 5.7.1 go away", true),
        (Step::Greeting, "421 4.3.2 later", true),
        (Step::Hello, "550 5.7.1 bad name", true),
        (Step::Mail, "421 4.7.0 too many messages", true),
        (Step::Mail, "451 4.4.5 busy", true),
        (Step::Mail, "451 4.3.2 maintenance", true),
        (Step::Mail, "550 5.7.1 not from you", false),
        (rcpt, "450 4.2.0 greylisted", false),
        (rcpt, "452 4.2.2 full", false),
        (rcpt, "550 5.1.1 nobody", false),
        (Step::EndOfData, "250 2.0.0 taken", false),
        (Step::EndOfData, "451 4.3.0 disk", false),
        (Step::EndOfData, "554 5.6.0 spam", false),
    ] {
        let reply = reply(text);
        let outcome = judge(step, &Happening::Reply(&reply));
        assert_eq!(is_about_site(step, &outcome), expected, "{text}");
    }
    for trouble in [ConnectionTrouble::Refused, ConnectionTrouble::TimedOut, ConnectionTrouble::Lost] {
        for step in [Step::Connect, Step::Greeting, Step::Mail, Step::EndOfData] {
            let outcome = judge(step, &Happening::Connection(trouble));
            assert!(is_about_site(step, &outcome), "{trouble} {step:?}");
        }
    }
    let ours = judge(Step::EndOfData, &Happening::Ours("disk"));
    assert!(!is_about_site(Step::EndOfData, &ours));
}

/// What may happen to a site.
#[derive(Debug, Clone, Copy)]
enum Event {
    Open,
    Close,
    Send,
    Answer,
    Trouble,
    Resume,
}

proptest! {
    /// The limits hold whatever happens, in any order; and whatever happened, there is a way on: a connection may be
    /// opened now, or at a time that is told, or one is open.
    #[test]
    fn limits_hold_and_nothing_stands_still_for_ever(
        steps in prop::collection::vec((prop::sample::select(vec![
            Event::Open, Event::Open, Event::Close, Event::Send, Event::Answer, Event::Trouble, Event::Resume,
        ]), 0_u64..90, any::<u64>()), 0..300),
        rate in prop::option::of(1_u32..200),
        connections_max in 0_u32..10,
    ) {
        let limits = Limits { connections_max, messages_per_minute: rate, ..Limits::default() };
        let mut site = Site::default();
        let mut seconds = 0;
        let mut sent: Vec<u64> = Vec::new();
        for (event, step, random) in steps {
            seconds += step;
            let now = at(seconds);
            match event {
                Event::Open if site.may_open(&limits, now) == Permit::Now => site.on_open(now),
                Event::Close if site.open > 0 => site.on_close(now),
                Event::Send if site.open > 0 && site.may_send(now) == Permit::Now => {
                    site.on_send(&limits, now);
                    sent.push(now.millis());
                }
                Event::Answer if site.open > 0 => site.on_answer(&limits, now),
                Event::Trouble if site.open > 0 => site.on_trouble(&limits, "x", now, random),
                Event::Resume => site.resume(),
                _ => {}
            }
            prop_assert!(site.open <= connections_max.max(1));
            if let Some(rate) = rate {
                let window = sent.iter().filter(|at| **at + 60_000 > now.millis()).count();
                prop_assert!(window <= rate as usize);
            }
            match site.may_open(&limits, now) {
                Permit::Now => {}
                Permit::WhenOneEnds => prop_assert!(site.open > 0),
                Permit::At(later) => {
                    prop_assert!(later > now && Some(later) == site.next_change_at(now));
                    prop_assert!(site.may_open(&limits, later) == Permit::Now || site.open > 0);
                    let longest = limits.suspension_max.mul_f64(1.2);
                    prop_assert!(later.since(now) <= longest);
                }
            }
        }
    }
}
