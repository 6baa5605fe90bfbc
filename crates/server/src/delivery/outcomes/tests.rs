//! By the RFCs that say what a failure means.

use std::io::ErrorKind;

use mta::outcome::{Again, Duplicate, Outcome, Reach};
use smtp::client::{self, Cause, End, Failure, NotTried, Report, Stage, Unsupported, Violation, WaitFor};
use types::{EnhancedStatus, Reply};

use super::*;

fn reply(code: u16, enhanced: Option<EnhancedStatus>) -> Reply {
    Reply { code, enhanced, text: "text".into() }
}

fn refused(stage: Stage, code: u16) -> client::Outcome {
    Failure::by_reply(stage, reply(code, None)).into()
}

fn accepted() -> client::Outcome {
    client::Outcome::Accepted(reply(250, None))
}

fn ended(stage: Stage, end: End) -> client::Outcome {
    end.failure(stage).into()
}

fn judged(outcomes: Vec<client::Outcome>) -> Vec<Outcome> {
    of_report(&Report { outcomes })
}

fn status(outcome: &Outcome) -> String {
    outcome.finding().unwrap().status.to_string()
}

/// RFC 5321 §4.5.3.1.10: 552 to a RCPT is 452 where the server has taken others before.
#[test]
fn a_552_after_accepted_recipients_asks_for_another_transaction() {
    let outcomes = judged(vec![refused(Stage::Rcpt, 552), accepted(), refused(Stage::Rcpt, 552)]);
    assert!(matches!(&outcomes[0], Outcome::Failed { reach: Reach::Final, .. }), "nobody was before it");
    assert!(matches!(&outcomes[1], Outcome::Relayed(_)));
    assert!(matches!(&outcomes[2], Outcome::Deferred { again: Again::NextTransaction, .. }));
}

/// RFC 3030 §2: 503 to a message in one flight is about the flight.
#[test]
fn what_the_machine_calls_temporary_is_never_a_failure() {
    let failure = Failure::by_reply(Stage::EndOfData, reply(503, Some(EnhancedStatus::permanent(5, 1))));
    let outcomes = judged(vec![client::Outcome::Temporary(failure.clone()), failure.into()]);
    assert!(
        matches!(
            &outcomes[0],
            Outcome::Deferred { again: Again::Later { .. }, duplicate: Duplicate::Impossible, .. }
        ),
        "{outcomes:?}"
    );
    assert_eq!(status(&outcomes[0]), "4.5.1");
    assert!(matches!(&outcomes[1], Outcome::Failed { .. }));
}

/// The recipient before it was taken, and lost with the message later.
#[test]
fn a_recipient_that_failed_after_its_rcpt_was_taken_counts_as_taken() {
    for first in [
        refused(Stage::EndOfData, 554),
        refused(Stage::Data, 451),
        ended(Stage::Body, End::Lost),
        ended(Stage::Rcpt, End::Lost),
        refused(Stage::Rcpt, 421),
    ] {
        let outcomes = judged(vec![first.clone(), refused(Stage::Rcpt, 452)]);
        assert!(matches!(&outcomes[1], Outcome::Deferred { again: Again::NextTransaction, .. }), "{first:?}");
    }
    let unsaid = Failure { stage: Stage::Mail, cause: Cause::Unsupported(Unsupported::SmtpUtf8) };
    for first in [unsaid.into(), client::Outcome::NotTried(NotTried::RcptMax), refused(Stage::Rcpt, 550)] {
        let outcomes = judged(vec![first, refused(Stage::Rcpt, 452)]);
        assert!(matches!(&outcomes[1], Outcome::Deferred { again: Again::Later { .. }, .. }));
    }
}

/// RFC 1047: whether a message was taken is unknown only after its end has gone.
#[test]
fn only_a_loss_after_the_end_of_the_message_may_make_a_duplicate() {
    let ends = [
        End::Lost,
        End::TimedOut(WaitFor::DataDone),
        End::Violation(Violation::Unsolicited(reply(250, None))),
    ];
    for end in ends {
        for stage in [Stage::Mail, Stage::Rcpt, Stage::Data, Stage::Body] {
            let outcome = of_failure(&end.failure(stage), 0);
            assert!(
                matches!(
                    outcome,
                    Outcome::Deferred { again: Again::NextHost, duplicate: Duplicate::Impossible, .. }
                ),
                "{stage:?} {end}"
            );
        }
        let outcome = of_failure(&end.failure(Stage::EndOfData), 0);
        assert!(
            matches!(
                outcome,
                Outcome::Deferred { again: Again::Later { .. }, duplicate: Duplicate::Possible, .. }
            ),
            "{end}"
        );
    }
}

/// A login is between us and a smart host: its operator mends it, and no sender gets mail back for it.
#[test]
fn no_failure_of_a_login_is_final() {
    for code in [432, 454, 500, 530, 534, 535, 538, 550, 554] {
        let outcome = of_failure(&Failure::by_reply(Stage::Login, reply(code, None)), 0);
        assert!(matches!(outcome, Outcome::Deferred { .. }), "{code}");
    }
    let missing = [
        (Unsupported::Auth, "4.7.4"),
        (Unsupported::AuthMechanism, "4.7.4"),
        (Unsupported::AuthInClear, "4.7.11"),
        (Unsupported::AuthExchange, "4.7.8"),
    ];
    for (unsupported, expected) in missing {
        let failure = Failure { stage: Stage::Login, cause: Cause::Unsupported(unsupported) };
        let outcome = of_failure(&failure, 0);
        assert!(matches!(outcome, Outcome::Deferred { again: Again::NextHost, .. }));
        assert_eq!(status(&outcome), expected);
    }
}

/// What a message needs and the host lacks is final for this host alone; TLS that the policy asks for is never final.
#[test]
fn what_a_host_lacks_is_its_own_matter() {
    let rows = [
        (Unsupported::Size { size_bytes: 2, max: 1 }, "5.3.4"),
        (Unsupported::EightBitMime, "5.6.3"),
        (Unsupported::BinaryMime, "5.6.3"),
        (Unsupported::SmtpUtf8, "5.6.7"),
        (Unsupported::RequireTls, "5.7.30"),
        (Unsupported::VerifiedTls, "5.7.10"),
        (Unsupported::DeliverBy, "5.3.3"),
    ];
    for (unsupported, expected) in rows {
        let outcome = of_failure(&Failure { stage: Stage::Mail, cause: Cause::Unsupported(unsupported) }, 0);
        assert!(matches!(outcome, Outcome::Failed { reach: Reach::Host, .. }), "{unsupported:?}");
        assert_eq!(status(&outcome), expected);
    }
    let no_tls = Failure { stage: Stage::StartTls, cause: Cause::Unsupported(Unsupported::StartTls) };
    let refused = Failure::by_reply(Stage::StartTls, reply(554, None));
    for failure in [no_tls, refused] {
        assert!(matches!(of_failure(&failure, 0), Outcome::Deferred { again: Again::NextHost, .. }));
    }
}

/// A reply that came where none was due is no permission to go on, and no acceptance.
#[test]
fn replies_out_of_step_never_let_a_message_go_on_or_through() {
    let stages = [
        Stage::Greeting,
        Stage::Hello,
        Stage::StartTls,
        Stage::Login,
        Stage::Reset,
        Stage::Mail,
        Stage::Rcpt,
        Stage::Data,
        Stage::Body,
        Stage::EndOfData,
        Stage::Quit,
        Stage::Idle,
    ];
    for stage in stages {
        for code in [200, 220, 250, 334, 354, 399] {
            let ends = [
                End::Violation(Violation::Unsolicited(reply(code, None))),
                End::ByServer(reply(code, None)),
                End::Quit,
                End::Aborted,
            ];
            for end in ends {
                let failure = Failure { stage, cause: Cause::End(Box::new(end.clone())) };
                let outcome = of_failure(&failure, 0);
                assert!(matches!(outcome, Outcome::Deferred { .. }), "{stage:?} {end}");
            }
            let reply = reply(code, None);
            let unexpected = End::Violation(Violation::Unexpected { stage, reply: reply.clone() });
            let outcome = of_failure(&unexpected.failure(stage), 0);
            assert!(matches!(outcome, Outcome::Deferred { .. }), "{stage:?} {code}");
        }
    }
}

#[test]
fn connections_that_do_not_come_about_say_why_and_lead_to_the_next_host() {
    let rows = [
        (ErrorKind::ConnectionRefused, "the host refuses the connection"),
        (ErrorKind::HostUnreachable, "there is no route to the host"),
        (ErrorKind::NetworkUnreachable, "there is no route to the host"),
        (ErrorKind::TimedOut, "the host did not answer in time"),
        (ErrorKind::ConnectionReset, "the connection was lost"),
    ];
    for (kind, text) in rows {
        let outcome = of_connect(&kind.into());
        assert_eq!(outcome.finding().unwrap().diagnostic.to_string(), text);
        assert_eq!(status(&outcome), "4.4.1");
        assert!(matches!(outcome, Outcome::Deferred { again: Again::NextHost, .. }));
    }
}

/// RFC 9422 §4: what the server announced is no failure of the recipient.
#[test]
fn what_limits_left_out_is_tried_again_at_once() {
    for limit in [NotTried::RcptMax, NotTried::RcptDomainMax] {
        let outcomes = judged(vec![accepted(), client::Outcome::NotTried(limit)]);
        assert!(matches!(&outcomes[1], Outcome::Deferred { again: Again::NextTransaction, .. }));
    }
}
