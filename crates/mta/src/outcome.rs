//! What an attempt to deliver means for a recipient: relayed, deferred or failed, by what the other side replied at
//! which step, or by how the connection failed.
//!
//! Standards: RFC 5321 §4.2.1 (the first digit decides), §4.3.2 (which replies a command may have), §4.5.3.1.10 (552
//! that means 452), RFC 2034 and RFC 3463 (enhanced status codes), RFC 1047 (duplicates), RFC 8689 §4.2.1 (REQUIRETLS).
//!
//! Where the basic code and the enhanced one contradict each other, the gentler of the two decides: a try too many
//! costs little, and a message that comes back too early costs its sender much. Only what was taken stays taken, since
//! sending it again would make a duplicate. A reply that the command never has is no answer at all.

mod hint;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use types::{EnhancedStatus, Reply, StatusClass};

use crate::route::Unroutable;
pub(crate) use hint::HINT_MAX;

/// What was under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Opening the connection.
    Connect,
    /// The greeting of the server.
    Greeting,
    /// EHLO, HELO or LHLO.
    Hello,
    /// STARTTLS and the handshake.
    StartTls,
    /// AUTH, at a smart host.
    Auth,
    /// MAIL.
    Mail,
    /// RCPT of this recipient.
    Rcpt {
        /// How many recipients of the same transaction the server took before it.
        accepted_before: usize,
    },
    /// DATA itself, or a BDAT that is not the last.
    Data,
    /// The final dot, or the last BDAT; with LMTP the reply for this recipient.
    EndOfData,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening<'a> {
    /// The server replied.
    Reply(&'a Reply),
    /// What it said is no reply (RFC 5321 §4.2), or more than any reply may be.
    Gibberish,
    /// The connection could not be made, or did not last.
    Connection(ConnectionTrouble),
    /// TLS could not be had as the policy asks.
    Tls(TlsTrouble),
    /// The message needs what this host does not offer; nothing was sent.
    Missing(Missing),
    /// Something of our own failed: a disk, a parser, a body that cannot be sent.
    Ours(&'a str),
}

/// How a connection fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionTrouble {
    /// Nobody listens.
    #[error("the host refuses the connection")]
    Refused,
    /// There is no way to the network or the host.
    #[error("there is no route to the host")]
    Unreachable,
    /// No answer in time.
    #[error("the host did not answer in time")]
    TimedOut,
    /// The other side closed it, or it broke.
    #[error("the connection was lost")]
    Lost,
}

/// Why TLS could not be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TlsTrouble {
    /// The server does not offer STARTTLS, and the policy asks for TLS.
    #[error("the server does not offer TLS, which is required for this destination")]
    NotOffered,
    /// The handshake failed.
    #[error("the TLS handshake failed")]
    Handshake,
    /// The certificate is not what the policy asks for.
    #[error("the certificate of the server is not one that may be trusted for it")]
    Certificate,
}

/// What a message needs and a host does not offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// The message is over the announced SIZE (RFC 1870 §6.1).
    #[error("the message is larger than the server takes")]
    Size,
    /// 8BITMIME, and the message may not be converted (RFC 6152 §3).
    #[error("the message has 8-bit text, and the server does not offer 8BITMIME")]
    EightBitMime,
    /// BINARYMIME with CHUNKING (RFC 3030 §3).
    #[error("the message is binary, and the server does not offer BINARYMIME")]
    BinaryMime,
    /// SMTPUTF8 (RFC 6531 §3.5).
    #[error("an address or a header field is in UTF-8, and the server does not offer SMTPUTF8")]
    SmtpUtf8,
    /// REQUIRETLS (RFC 8689 §4.2.1).
    #[error("the sender asks for TLS on the whole way, and the server does not offer REQUIRETLS")]
    RequireTls,
    /// TLS itself or a certificate that can be checked, for a message with REQUIRETLS (RFC 8689 §4.2.1).
    #[error("the sender asks for TLS on the whole way, and there is none that can be trusted to the server")]
    TrustedTls,
    /// DELIVERBY, for a message with mode R (RFC 2852 §4.1.4.1).
    #[error("the message must come back when it is late, and the server does not offer DELIVERBY")]
    DeliverBy,
}

/// What it means for the recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing yet: the transaction goes on.
    GoOn,
    /// The other host has taken responsibility (RFC 5321 §6.1).
    Relayed(Finding),
    /// Not now.
    Deferred {
        /// Why.
        finding: Finding,
        /// Where and when to try again.
        again: Again,
        /// Whether the other side may have taken the message all the same.
        duplicate: Duplicate,
    },
    /// Not like this.
    Failed {
        /// Why.
        finding: Finding,
        /// Whether other hosts of the destination are to be asked before it is final.
        reach: Reach,
    },
}

/// A status and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// For reports: its class is that of the outcome, whatever the reply said.
    pub status: EnhancedStatus,
    /// Who said what.
    pub diagnostic: Diagnostic,
}

/// Who said what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Diagnostic {
    /// The other host.
    Remote(Reply),
    /// We.
    Local(String),
}

/// Where and when to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// At once, in a transaction of its own: the server takes no more recipients in this one.
    NextTransaction,
    /// At the next host or address of the destination now, and by the schedule where none is left.
    NextHost,
    /// By the schedule.
    Later {
        /// After how long the reply says to come back, bounded.
        hint: Option<Duration>,
        /// Whether the text speaks of greylisting.
        greylisting: Greylisting,
    },
}

/// Whether somebody is made to wait because they are new (RFC 6647).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Greylisting {
    /// The reply says so.
    Named,
    /// It does not.
    #[default]
    Unnamed,
}

/// Whether a second try may make a second copy (RFC 1047).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duplicate {
    /// No: the server had not been told of the end of the message, or refused it.
    Impossible,
    /// Yes: the end was sent and no answer came.
    Possible,
}

/// How far a failure reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The recipient, wherever it is tried.
    Final,
    /// This host alone: others are to be tried, and the failure is final where none is left.
    Host,
}

/// What `happening` at `step` means.
#[must_use]
pub fn judge(step: Step, happening: &Happening<'_>) -> Outcome {
    match happening {
        Happening::Reply(reply) => judge_reply(step, reply),
        Happening::Gibberish => violation(step, "the server does not speak SMTP".to_owned()),
        Happening::Connection(trouble) => connection(step, *trouble),
        Happening::Tls(trouble) => {
            // RFC 3463 §3.8: 4.7.5 cryptographic failure, RFC 5248: X.7.10 encryption needed. A policy that cannot be
            // met today may be met tomorrow (RFC 8461 §5, RFC 7672 §2.2): never final.
            let status = match trouble {
                TlsTrouble::NotOffered => EnhancedStatus::transient(7, 10),
                TlsTrouble::Handshake | TlsTrouble::Certificate => EnhancedStatus::transient(7, 5),
            };
            deferred(ours(status, trouble), Again::NextHost, Duplicate::Impossible)
        }
        Happening::Missing(missing) => {
            // A conversion that no host takes off us is no better elsewhere, but another host may offer more.
            Outcome::Failed { finding: ours(missing.status(), missing), reach: Reach::Host }
        }
        Happening::Ours(text) => {
            deferred(ours(EnhancedStatus::transient(3, 0), text), later(), Duplicate::Impossible)
        }
    }
}

/// What it means that a destination has no route.
#[must_use]
pub fn unroutable(reason: &Unroutable) -> Outcome {
    let finding = ours(reason.status(), reason);
    if reason.is_permanent() {
        Outcome::Failed { finding, reach: Reach::Final }
    } else {
        deferred(finding, later(), Duplicate::Impossible)
    }
}

impl Outcome {
    /// What it is by, where it is decided.
    #[must_use]
    pub const fn finding(&self) -> Option<&Finding> {
        match self {
            Self::GoOn => None,
            Self::Relayed(finding) | Self::Deferred { finding, .. } | Self::Failed { finding, .. } => {
                Some(finding)
            }
        }
    }
}

impl Missing {
    const fn status(self) -> EnhancedStatus {
        match self {
            Self::Size => EnhancedStatus::permanent(3, 4),
            Self::EightBitMime | Self::BinaryMime => EnhancedStatus::permanent(6, 3),
            Self::SmtpUtf8 => EnhancedStatus::permanent(6, 7),
            Self::RequireTls => EnhancedStatus::permanent(7, 30),
            Self::TrustedTls => EnhancedStatus::permanent(7, 10),
            Self::DeliverBy => EnhancedStatus::permanent(3, 3),
        }
    }
}

/// On one line, as far as the text itself is.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Remote(reply) => reply.fmt(f),
            Self::Local(text) => f.write_str(text),
        }
    }
}

/// What the reply's code is at this step.
enum Verdict {
    GoOn,
    Taken,
    NotNow,
    Never,
    /// No reply that the command may have.
    Absurd,
}

fn judge_reply(step: Step, reply: &Reply) -> Outcome {
    match verdict(step, reply) {
        Verdict::GoOn => Outcome::GoOn,
        Verdict::Taken => Outcome::Relayed(said(reply, StatusClass::Success)),
        Verdict::NotNow => deferred(
            said(reply, StatusClass::PersistentTransient),
            when(step, reply),
            // A refusal is an answer, whatever became of the connection after it.
            Duplicate::Impossible,
        ),
        Verdict::Never => {
            // RFC 5321 §5.1: what a host says of itself is no word about the others (RFC 7504 §4).
            let is_about_host = matches!(step, Step::Connect | Step::Greeting | Step::Hello);
            let reach = if is_about_host { Reach::Host } else { Reach::Final };
            Outcome::Failed { finding: said(reply, StatusClass::Permanent), reach }
        }
        Verdict::Absurd => violation(step, format!("the server gave a reply that fits nothing: {reply}")),
    }
}

fn verdict(step: Step, reply: &Reply) -> Verdict {
    match (reply.code, step) {
        // RFC 5321 §4.3.2: 354 to DATA alone, and nothing else to it that is positive; 334 is inside AUTH.
        (354, Step::Data) | (334, Step::Auth) => Verdict::GoOn,
        (200..=299, Step::EndOfData) => Verdict::Taken,
        (200..=299, Step::Data) => Verdict::Absurd,
        (200..=299, _) => Verdict::GoOn,
        (400..=499, _) => Verdict::NotNow,
        (500..=599, _) if is_not_now_after_all(step, reply) => Verdict::NotNow,
        (500..=599, _) => Verdict::Never,
        _ => Verdict::Absurd,
    }
}

/// 5yz that is better tried again.
fn is_not_now_after_all(step: Step, reply: &Reply) -> bool {
    // What is asked of us by way of AUTH is for the operator to mend, and no fault of the message.
    let is_about_us = step == Step::Auth || matches!(reply.code, 530 | 534 | 535 | 538);
    let says_so = reply.enhanced.is_some_and(|enhanced| enhanced.class == StatusClass::PersistentTransient);
    // A command that is not known while STARTTLS was said: TLS is for the policy to judge.
    is_about_us || says_so || step == Step::StartTls || is_too_many_recipients(step, reply)
}

/// RFC 5321 §4.5.3.1.10: 552 was once the code for 452. 552 5.2.2 is a full mailbox all the same.
fn is_too_many_recipients(step: Step, reply: &Reply) -> bool {
    let Step::Rcpt { accepted_before: 1.. } = step else { return false };
    let names_it = |enhanced: EnhancedStatus| enhanced.subject == 5 && enhanced.detail == 3;
    match reply.code {
        452 | 552 => reply.enhanced.is_none_or(names_it),
        _ => reply.enhanced.is_some_and(names_it),
    }
}

fn when(step: Step, reply: &Reply) -> Again {
    if is_too_many_recipients(step, reply) && reply.code != 421 {
        return Again::NextTransaction;
    }
    let is_about_host =
        matches!(step, Step::Connect | Step::Greeting | Step::Hello | Step::StartTls | Step::Auth);
    // RFC 5321 §3.8: 421 closes the connection at any step; before the recipients it speaks of the host.
    if is_about_host || reply.code == 421 {
        return Again::NextHost;
    }
    let greylisting =
        if hint::names_greylisting(&reply.text) { Greylisting::Named } else { Greylisting::Unnamed };
    Again::Later { hint: hint::wait(&reply.text), greylisting }
}

/// The status of the reply with the class of the outcome: RFC 3463 §2 gives subject and detail a meaning of their own.
fn said(reply: &Reply, class: StatusClass) -> Finding {
    let (subject, detail) = reply.enhanced.map_or((0, 0), |enhanced| (enhanced.subject, enhanced.detail));
    Finding {
        status: EnhancedStatus { class, subject, detail },
        diagnostic: Diagnostic::Remote(reply.clone()),
    }
}

fn connection(step: Step, trouble: ConnectionTrouble) -> Outcome {
    // RFC 3463 §3.5: X.4.1 no answer from host, X.4.2 bad connection.
    let status = match (step, trouble) {
        (Step::Connect, _) => EnhancedStatus::transient(4, 1),
        _ => EnhancedStatus::transient(4, 2),
    };
    let finding = ours(status, trouble);
    if step == Step::EndOfData {
        // Another host at once would make the duplicate surer (RFC 1047).
        return deferred(finding, later(), Duplicate::Possible);
    }
    deferred(finding, Again::NextHost, Duplicate::Impossible)
}

/// RFC 3463 §3.6: X.5.0, some other protocol status.
fn violation(step: Step, text: String) -> Outcome {
    let finding = Finding { status: EnhancedStatus::transient(5, 0), diagnostic: Diagnostic::Local(text) };
    let (again, duplicate) = match step {
        Step::EndOfData => (later(), Duplicate::Possible),
        _ => (Again::NextHost, Duplicate::Impossible),
    };
    deferred(finding, again, duplicate)
}

fn ours(status: EnhancedStatus, text: impl fmt::Display) -> Finding {
    Finding { status, diagnostic: Diagnostic::Local(text.to_string()) }
}

const fn deferred(finding: Finding, again: Again, duplicate: Duplicate) -> Outcome {
    Outcome::Deferred { finding, again, duplicate }
}

const fn later() -> Again {
    Again::Later { hint: None, greylisting: Greylisting::Unnamed }
}
