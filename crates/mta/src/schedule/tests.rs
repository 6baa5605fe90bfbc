use super::*;

const NOON: Timestamp = Timestamp::from_millis(1_795_348_800_000);

fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

fn terms() -> Terms {
    Terms { received_at: NOON, hold: None, deliver_by: None, priority: 0, kind: Kind::Mail }
}

fn by(by_s: i64, mode: ByMode) -> Terms {
    Terms { deliver_by: Some(DeliverBy { by_s, mode, trace: false }), ..terms() }
}

/// When each attempt is until it expires, in minutes since the beginning, without jitter.
fn attempts(schedule: &Schedule, terms: &Terms, advice: Advice) -> (Vec<u64>, Expiry) {
    let mut now = terms.released_at();
    let first_at = now;
    let mut all = vec![now.since(NOON).as_secs() / 60];
    loop {
        let history = History { attempts: u32::try_from(all.len()).unwrap(), first_at };
        match next(schedule, terms, history, advice, now, 0) {
            Next::At(at) => {
                assert!(at >= now.plus(INTERVAL_MIN), "{all:?}");
                now = at;
            }
            Next::Expired(expiry) => return (all, expiry),
        }
        all.push(now.since(NOON).as_secs() / 60);
        assert!(all.len() < 10_000);
    }
}

/// RFC 5321 §4.5.4.1: two attempts in the first hour, then every two or three hours, for four or five days.
#[test]
fn the_default_schedule_is_what_rfc_5321_suggests() {
    let (all, expiry) = attempts(&Schedule::default(), &terms(), Advice::default());
    assert_eq!(all[..8], [0, 15, 45, 105, 165, 285, 465, 705]);
    assert_eq!(all.last(), Some(&(5 * 24 * 60)), "the last attempt is at the deadline itself");
    assert_eq!(expiry, Expiry::Lifetime);
    assert!(all.len() < 50, "{}", all.len());
    assert!(all.windows(2).skip(6).all(|pair| pair[1] - pair[0] <= 240));
}

#[test]
fn greylisting_is_tried_again_within_minutes() {
    let advice = Advice { greylisting: Greylisting::Named, hint: None };
    let (all, _) = attempts(&Schedule::default(), &terms(), advice);
    assert_eq!(all[..4], [0, 6, 16, 46]);
}

#[test]
fn the_word_of_the_other_side_shortens_the_first_waits_alone() {
    let advice = Advice { hint: Some(minutes(2)), greylisting: Greylisting::Unnamed };
    let (all, _) = attempts(&Schedule::default(), &terms(), advice);
    assert_eq!(all[..6], [0, 2, 4, 6, 66, 186], "four attempts by its word, then as planned");
    let advice = Advice { hint: Some(minutes(240)), ..advice };
    let (all, _) = attempts(&Schedule::default(), &terms(), advice);
    assert_eq!(all[..3], [0, 240, 480]);
}

#[test]
fn jitter_comes_after_the_planned_time_and_not_more_than_its_share() {
    let schedule = Schedule::default();
    let history = History { attempts: 2, first_at: NOON };
    let mut seen = std::collections::BTreeSet::new();
    for random in (0..2000).chain([u64::MAX]) {
        let Next::At(at) = next(&schedule, &terms(), history, Advice::default(), NOON, random) else {
            panic!()
        };
        assert!(at >= NOON.plus(minutes(30)) && at <= NOON.plus(minutes(33)), "{random}");
        seen.insert(at);
    }
    assert_eq!(seen.len(), 1001);
    let none = Schedule { jitter_percent: 0, ..schedule };
    let at = next(&none, &terms(), history, Advice::default(), NOON, 777);
    assert_eq!(at, Next::At(NOON.plus(minutes(30))));
}

/// RFC 2852 §4.1.3.
#[test]
fn deliver_by_with_mode_return_ends_when_its_time_is_over() {
    let schedule = Schedule::default();
    let (all, expiry) = attempts(&schedule, &by(3600, ByMode::Return), Advice::default());
    assert_eq!((all, expiry), (vec![0, 15, 45, 60], Expiry::DeliverBy));
    // RFC 2852 §4.1: it does not make a message live longer.
    let week = by(7 * 86_400, ByMode::Return);
    assert_eq!(week.deadline(&schedule), (NOON.plus(schedule.lifetime), Expiry::Lifetime));
    for by_s in [0, -1, i64::MIN] {
        let (all, expiry) = attempts(&schedule, &by(by_s, ByMode::Return), Advice::default());
        assert_eq!((all, expiry), (vec![0], Expiry::DeliverBy), "{by_s}");
    }
}

#[test]
fn deliver_by_with_mode_notify_tells_and_goes_on() {
    let schedule = Schedule::default();
    let terms = by(3600, ByMode::Notify);
    assert_eq!(terms.deadline(&schedule).1, Expiry::Lifetime);
    let notices = terms.notices(&schedule);
    assert_eq!(
        notices,
        [
            Notice { at: NOON.plus(minutes(60)), why: NoticeReason::DeliverBy },
            Notice { at: NOON.plus(minutes(240)), why: NoticeReason::Late },
        ]
    );
    assert_eq!(by(i64::MAX, ByMode::Notify).notices(&schedule).len(), 1);
}

#[test]
fn the_sender_is_told_after_four_hours_unless_the_operator_says_never_or_there_is_no_sender() {
    let schedule = Schedule::default();
    assert_eq!(terms().notices(&schedule), [Notice { at: NOON.plus(minutes(240)), why: NoticeReason::Late }]);
    assert_eq!(Terms { kind: Kind::Report, ..by(60, ByMode::Notify) }.notices(&schedule), []);
    assert_eq!(terms().notices(&Schedule { delay_notice_after: None, ..schedule.clone() }), []);
    // What comes back sooner is not reported as late at the same time.
    assert_eq!(terms().notices(&Schedule { lifetime: minutes(240), ..schedule }), []);
}

/// RFC 4865.
#[test]
fn what_is_held_begins_to_live_when_it_is_released() {
    let schedule = Schedule::default();
    for (hold, released_at) in [
        (Hold::For { seconds: 3600 }, NOON.plus(minutes(60))),
        (Hold::Until(NOON.plus(minutes(90))), NOON.plus(minutes(90))),
        (Hold::Until(Timestamp::from_millis(0)), NOON),
        (Hold::Until(Timestamp::from_millis(u64::MAX)), NOON.plus(HOLD_MAX)),
        (Hold::For { seconds: u32::MAX }, NOON.plus(HOLD_MAX)),
    ] {
        let terms = Terms { hold: Some(hold), ..terms() };
        assert_eq!(terms.released_at(), released_at, "{hold:?}");
        assert_eq!(terms.deadline(&schedule).0, released_at.plus(schedule.lifetime));
        assert_eq!(terms.notices(&schedule)[0].at, released_at.plus(minutes(240)));
    }
}

/// RFC 6710 §5.1.
#[test]
fn what_is_urgent_is_tried_more_often() {
    let schedule = Schedule { intervals: vec![minutes(100)], ..Schedule::default() };
    for (priority, expected) in [(9, 55), (4, 80), (0, 100), (-4, 120), (-9, 145)] {
        let (all, _) = attempts(&schedule, &Terms { priority, ..terms() }, Advice::default());
        assert_eq!(all[1], expected, "{priority}");
    }
    let parameters = MailParameters { priority: Some(i8::MAX), ..MailParameters::default() };
    assert_eq!(Terms::new(&ReversePath::Null, &parameters, NOON).priority, 9);
}

/// attacks.md 25: clock jumps in both directions.
#[test]
fn a_clock_that_jumps_neither_gives_up_what_was_not_tried_nor_hammers() {
    let schedule = Schedule::default();
    let future = NOON.plus(Duration::from_secs(30 * DAY));
    // The clock jumped a month ahead before the first attempt.
    let first = History { attempts: 1, first_at: future };
    let Next::At(at) = next(&schedule, &terms(), first, Advice::default(), future, 0) else { panic!() };
    assert_eq!(at, future.plus(minutes(15)));
    let second = History { attempts: 2, first_at: future };
    assert_eq!(next(&schedule, &terms(), second, Advice::default(), at, 0), Next::Expired(Expiry::Lifetime));
    // And back to the beginning of time.
    let past = Timestamp::from_millis(0);
    let next = next(&schedule, &terms(), second, Advice::default(), past, 0);
    assert_eq!(next, Next::At(past.plus(minutes(30))));
}

#[test]
fn an_odd_schedule_neither_panics_nor_hammers() {
    let empty = Schedule { intervals: vec![], greylisting_intervals: vec![], ..Schedule::default() };
    let zero = Schedule { intervals: vec![Duration::ZERO], lifetime: minutes(3), ..Schedule::default() };
    let long = Schedule { intervals: vec![Duration::MAX], jitter_percent: 255, ..Schedule::default() };
    let history = History { attempts: u32::MAX, first_at: NOON };
    for schedule in [empty, zero, long.clone()] {
        let Next::At(at) = next(&schedule, &terms(), history, Advice::default(), NOON, u64::MAX) else {
            panic!()
        };
        assert!(at >= NOON.plus(INTERVAL_MIN) && at <= NOON.plus(schedule.lifetime));
    }
    let endless = Schedule { lifetime: Duration::MAX, ..long };
    let at = next(&endless, &terms(), history, Advice::default(), NOON, u64::MAX);
    assert_eq!(at, Next::At(Timestamp::from_millis(u64::MAX)));
}

#[test]
fn no_wait_is_longer_than_the_longest() {
    let odd = Schedule { intervals: vec![minutes(1)], greylisting_intervals: vec![], ..Schedule::default() };
    let long = Schedule { intervals: vec![Duration::MAX], jitter_percent: 255, ..Schedule::default() };
    let advice = [None, Some(HINT_MAX)].map(|hint| Advice { hint, ..Advice::default() });
    let named = Advice { hint: None, greylisting: Greylisting::Named };
    for schedule in [Schedule::default(), odd, long] {
        for advice in [advice[0], advice[1], named] {
            for attempts in 1..20 {
                let terms = Terms { priority: -9, ..terms() };
                let history = History { attempts, first_at: NOON };
                let Next::At(at) = next(&schedule, &terms, history, advice, NOON, 1000) else { panic!() };
                assert!(at <= NOON.plus(schedule.wait_max()), "{schedule:?} {advice:?} {attempts}");
            }
        }
    }
    assert!(Schedule::default().wait_max() < Duration::from_secs(7 * HOUR));
}
