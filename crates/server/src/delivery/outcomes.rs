//! What the client machine says of a message, in the words of `mta`, which decides what it means.

#[cfg(test)]
mod tests;

use std::fmt;

use mta::convert::NotConvertible;
use mta::outcome::{
    Again, ConnectionTrouble, Diagnostic, Duplicate, Finding, Greylisting, Happening, Missing, Outcome, Step,
    TlsTrouble, judge,
};
use smtp::client::{self, Cause, End, Failure, NotTried, Report, Stage, Unsupported, Violation};
use types::{EnhancedStatus, StatusClass};

/// An outcome for each recipient of a message.
pub(crate) fn of_report(report: &Report) -> Vec<Outcome> {
    let mut accepted_before = 0;
    let outcomes = report.outcomes.iter().map(|outcome| {
        let judged = match outcome {
            client::Outcome::Accepted(reply) => judge(Step::EndOfData, &Happening::Reply(reply)),
            client::Outcome::Temporary(failure) => not_final(of_failure(failure, accepted_before)),
            client::Outcome::Permanent(failure) => of_failure(failure, accepted_before),
            client::Outcome::NotTried(limit) => not_tried(*limit),
        };
        accepted_before += usize::from(was_taken_at_rcpt(outcome));
        judged
    });
    outcomes.collect()
}

/// What a failure means for a recipient, before whom so many were accepted in the same transaction.
pub(crate) fn of_failure(failure: &Failure, accepted_before: usize) -> Outcome {
    let step = step(failure.stage, accepted_before);
    let outcome = match &failure.cause {
        Cause::Reply(reply) => judge(step, &Happening::Reply(reply)),
        Cause::Unsupported(unsupported) => of_unsupported(step, *unsupported),
        Cause::End(end) => of_end(step, end),
    };
    failed(step, outcome)
}

/// What the machine found to be no last word, such as 503 to a message in one flight, is none.
fn not_final(outcome: Outcome) -> Outcome {
    let Outcome::Failed { mut finding, .. } = outcome else { return outcome };
    finding.status.class = StatusClass::PersistentTransient;
    let again = Again::Later { hint: None, greylisting: Greylisting::Unnamed };
    Outcome::Deferred { finding, again, duplicate: Duplicate::Impossible }
}

/// What it means that TLS could not be had.
pub(crate) fn of_tls(trouble: TlsTrouble) -> Outcome {
    judge(Step::StartTls, &Happening::Tls(trouble))
}

/// What it means that the host lacks what the message needs, and that it cannot be converted either, for this reason or
/// because it is too large for it.
pub(crate) fn of_unconverted(missing: Missing, why: Option<NotConvertible>) -> Outcome {
    let mut outcome = judge(Step::Mail, &Happening::Missing(missing));
    if let (Outcome::Failed { finding, .. }, Some(why)) = (&mut outcome, why) {
        finding.status = why.status();
        finding.diagnostic = Diagnostic::Local(format!("{missing}; it cannot be converted: {why}"));
    }
    outcome
}

/// What it means that something of our own failed.
pub(crate) fn of_ours(text: &str) -> Outcome {
    judge(Step::Mail, &Happening::Ours(text))
}

/// What it means that no connection came about.
pub(crate) fn of_connect(error: &std::io::Error) -> Outcome {
    use std::io::ErrorKind;
    let trouble = match error.kind() {
        ErrorKind::ConnectionRefused => ConnectionTrouble::Refused,
        ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::NetworkDown
        | ErrorKind::AddrNotAvailable => ConnectionTrouble::Unreachable,
        ErrorKind::TimedOut => ConnectionTrouble::TimedOut,
        // There is no socket of that name: nobody listens.
        ErrorKind::NotFound => ConnectionTrouble::Refused,
        _ => ConnectionTrouble::Lost,
    };
    judge(Step::Connect, &Happening::Connection(trouble))
}

fn step(stage: Stage, accepted_before: usize) -> Step {
    match stage {
        Stage::Greeting => Step::Greeting,
        Stage::Hello => Step::Hello,
        Stage::StartTls => Step::StartTls,
        Stage::Login => Step::Auth,
        // Between two messages, and RSET before one: the next one has not begun.
        Stage::Reset | Stage::Mail | Stage::Quit | Stage::Idle => Step::Mail,
        Stage::Rcpt => Step::Rcpt { accepted_before },
        Stage::Data | Stage::Body => Step::Data,
        Stage::EndOfData => Step::EndOfData,
    }
}

/// Whether a recipient got a 2yz to its RCPT. Those before it in the envelope were answered before it.
fn was_taken_at_rcpt(outcome: &client::Outcome) -> bool {
    match outcome {
        client::Outcome::Accepted(_) => true,
        client::Outcome::NotTried(_) => false,
        client::Outcome::Temporary(failure) | client::Outcome::Permanent(failure) => {
            match (failure.stage, &failure.cause) {
                (_, Cause::Unsupported(_)) | (Stage::Reset | Stage::Mail, _) => false,
                // What ended the connection at the RCPT of another is the failure of those before it too.
                (Stage::Rcpt, Cause::Reply(reply)) => reply.code == 421,
                _ => true,
            }
        }
    }
}

/// LIMITS (RFC 9422) left no room: the rest goes in a transaction of its own, over a new connection where only that
/// helps.
fn not_tried(limit: NotTried) -> Outcome {
    let text = match limit {
        NotTried::RcptMax => "the server takes no more recipients in one transaction",
        NotTried::RcptDomainMax => "the server takes no more domains on one connection",
    };
    // RFC 3463 §3.6: X.5.3, too many recipients.
    deferred(EnhancedStatus::transient(5, 3), text, Again::NextTransaction)
}

fn of_unsupported(step: Step, unsupported: Unsupported) -> Outcome {
    let missing = match unsupported {
        Unsupported::Size { .. } => Missing::Size,
        Unsupported::EightBitMime => Missing::EightBitMime,
        Unsupported::BinaryMime => Missing::BinaryMime,
        Unsupported::SmtpUtf8 => Missing::SmtpUtf8,
        Unsupported::RequireTls => Missing::RequireTls,
        Unsupported::VerifiedTls => Missing::TrustedTls,
        Unsupported::DeliverBy => Missing::DeliverBy,
        Unsupported::StartTls => return judge(step, &Happening::Tls(TlsTrouble::NotOffered)),
        // How we log in is for the operator to mend, and no fault of the message. The subjects are those of RFC 4954
        // §6: a mechanism that is too weak, encryption that is required.
        Unsupported::Auth | Unsupported::AuthMechanism => return no_login(4, unsupported),
        Unsupported::AuthInClear => return no_login(11, unsupported),
        Unsupported::AuthExchange => return no_login(8, unsupported),
    };
    judge(step, &Happening::Missing(missing))
}

fn no_login(detail: u16, why: Unsupported) -> Outcome {
    deferred(EnhancedStatus::transient(7, detail), why, Again::NextHost)
}

fn of_end(step: Step, end: &End) -> Outcome {
    match end {
        End::TimedOut(_) => judge(step, &Happening::Connection(ConnectionTrouble::TimedOut)),
        End::Lost | End::Quit => judge(step, &Happening::Connection(ConnectionTrouble::Lost)),
        End::Tls(_) => judge(step, &Happening::Tls(TlsTrouble::Handshake)),
        End::ByServer(reply) | End::RefusedEarly(reply) => judge(step, &Happening::Reply(reply)),
        End::Violation(Violation::Unexpected { reply, .. }) => judge(step, &Happening::Reply(reply)),
        // With replies and commands out of step, a code says nothing about the command that waits.
        End::Violation(Violation::Malformed(_) | Violation::Unsolicited(_) | Violation::BeforeTls) => {
            judge(step, &Happening::Gibberish)
        }
        End::BadBody(fault) => judge(step, &Happening::Ours(&format!("the message cannot be sent: {fault}"))),
        End::Aborted => judge(step, &Happening::Ours("sending was given up")),
    }
}

/// A failure is one, even where its reply alone would let the transaction go on: it came where none was due.
fn failed(step: Step, outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::GoOn | Outcome::Relayed(_) => judge(step, &Happening::Gibberish),
        Outcome::Deferred { .. } | Outcome::Failed { .. } => outcome,
    }
}

fn deferred(status: EnhancedStatus, text: impl fmt::Display, again: Again) -> Outcome {
    let finding = Finding { status, diagnostic: Diagnostic::Local(text.to_string()) };
    Outcome::Deferred { finding, again, duplicate: Duplicate::Impossible }
}
