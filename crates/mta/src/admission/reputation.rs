//! What lists in the DNS say of a client and of the names that it shows: answers go in, a weight and a decision come out.
//!
//! Standards: RFC 5782 (how lists are asked, what answers mean, test entries), RFC 8904 (allow lists), RFC 5321 §4.5.1 (the
//! postmaster is reached, whatever a list says).
//!
//! A list is somebody else's word, and a zone that was sold or parked answers anything. So an answer that no list gives is
//! a fault of the list and never a listing, a list counts once however many of a client's names it knows, and what nobody
//! has proven to be the client's own can be held against it but never speaks for it.
//!
//! Left out on purpose: asking, and how long that may take.

mod answer;
mod code;
mod question;

use types::{ForwardPath, Reply, ReplyKind};

use super::Decision;

pub use answer::{Answer, Fault, TestResult, read, test_result, text_of};
pub use code::{Code, CodeError};
pub use question::{Kind, TestQuestions, address_question, domain_question, test_questions};

/// What a list is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// The client's address.
    Address,
    /// The name of the client's address that leads back to it.
    Ptr,
    /// The name that the client gives itself.
    Helo,
    /// The domain of the reverse-path.
    MailFrom,
    /// The domains in `From`.
    From,
    /// The domains of DKIM signatures that are right.
    Signer,
}

/// Whether a name is the client's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Something vouches for that: the connection, the DNS, a signature, SPF or DMARC.
    Proven,
    /// The client says so.
    Claimed,
}

/// What one list says of one thing that it has listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The list.
    pub zone: String,
    /// What was asked about.
    pub subject: Subject,
    /// The address or name itself.
    pub about: String,
    /// Whether that is the client's.
    pub proof: Proof,
    /// Above zero it speaks against the client, below for it.
    pub weight: i32,
    /// What the list answered.
    pub codes: Vec<std::net::Ipv4Addr>,
    /// What the list has to say to who is listed: printable ASCII ([`text_of`]).
    pub text: Option<String>,
}

/// What the operator chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReputationPolicy {
    /// From this score on mail is refused; never where it is 0.
    pub reject_at: i32,
    /// From this score on it is to come again later; never where it is 0.
    pub defer_at: i32,
    /// From this score on it is taken as suspicious; never where it is 0.
    pub tag_at: i32,
}

/// Whom the mail is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Nobody but a postmaster or abuse desk, who must be reached by those who are listed above all.
    Postmaster,
    /// Somebody else too.
    Others,
}

impl Audience {
    /// Of a message to these.
    pub fn of<'a>(recipients: impl IntoIterator<Item = &'a ForwardPath>) -> Self {
        let is_role = |path: &ForwardPath| match path {
            ForwardPath::Postmaster => true,
            ForwardPath::Mailbox(mailbox) => {
                let local_part = mailbox.local_part.unquoted();
                ["postmaster", "abuse"].iter().any(|role| local_part.eq_ignore_ascii_case(role))
            }
        };
        if recipients.into_iter().all(is_role) { Self::Postmaster } else { Self::Others }
    }
}

/// Where the decision falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Before the greeting.
    Greeting,
    /// At RCPT or at the end of the message.
    Mail,
}

/// What becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judged {
    /// It is taken.
    Accepted,
    /// It is taken as suspicious, for this reason.
    Suspicious(String),
    /// It is not taken, now or at all.
    Refused(Decision),
}

impl Subject {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Address, Self::Ptr, Self::Helo, Self::MailFrom, Self::From, Self::Signer];

    /// As the configuration writes it.
    #[must_use]
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Ptr => "ptr",
            Self::Helo => "helo",
            Self::MailFrom => "mail_from",
            Self::From => "from",
            Self::Signer => "signer",
        }
    }
}

impl Share {
    /// What it adds to the score: nothing where it would speak for a client by a name that anybody can say.
    #[must_use]
    pub fn counted(&self) -> i32 {
        match self.proof {
            Proof::Claimed => self.weight.max(0),
            Proof::Proven => self.weight,
        }
    }

    /// `192.0.2.1 is listed by list.example: why`, for the sender's postmaster.
    fn told(&self) -> String {
        let text = self.text.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
        format!("{} is listed by {}{text}", self.about, self.zone)
    }

    /// For who runs the server: what was asked, what came, what it weighs.
    #[must_use]
    pub fn explained(&self) -> String {
        let codes: Vec<_> = self.codes.iter().map(ToString::to_string).collect();
        let counted = self.counted();
        let why = match (self.weight, counted) {
            (weight, 0) if weight < 0 => ", which does not count, since anybody can say that name",
            _ => "",
        };
        format!(
            "{} lists the {} with {}: {counted:+}{why}",
            self.zone,
            self.subject.keyword(),
            codes.join(", ")
        )
    }
}

/// The sum of what the lists say, each list once: with the heaviest of what it holds against the client, else with the
/// strongest of what speaks for it.
#[must_use]
pub fn score(shares: &[Share]) -> i32 {
    counting(shares).iter().fold(0, |sum, share| sum.saturating_add(share.counted()))
}

/// For each list the share that counts, in the order of the lists.
fn counting(shares: &[Share]) -> Vec<&Share> {
    let mut found: Vec<&Share> = Vec::new();
    for share in shares.iter().filter(|share| share.counted() != 0) {
        match found.iter_mut().find(|other| other.zone == share.zone) {
            Some(other) => {
                if answer::is_heavier(share.counted(), other.counted()) {
                    *other = share;
                }
            }
            None => found.push(share),
        }
    }
    found
}

/// Which of them weighs most against the client, and so is told.
#[must_use]
pub fn worst(shares: &[Share]) -> Option<usize> {
    let worst = counting(shares).into_iter().max_by_key(|share| share.counted())?;
    shares.iter().position(|share| std::ptr::eq(share, worst))
}

/// Decides. The reply names the list that weighs most, and what it has to say.
#[must_use]
pub fn decide(policy: ReputationPolicy, stage: Stage, audience: Audience, shares: &[Share]) -> Judged {
    let counting = counting(shares);
    let score = score(shares);
    let has_reached = |limit: i32| limit > 0 && score >= limit;
    let Some(told) = worst(shares).map(|index| shares[index].told()) else { return Judged::Accepted };
    let parts: Vec<_> = counting.iter().map(|share| share.explained()).collect();
    let because = |limit: i32| format!("the lists add up to {score} of {limit}: {}", parts.join("; "));
    let is_kept_out = audience == Audience::Others;
    if has_reached(policy.reject_at) && is_kept_out {
        let kind = match stage {
            Stage::Greeting => ReplyKind::ListedAtGreeting,
            Stage::Mail => ReplyKind::Listed,
        };
        return refused(kind.with(told), because(policy.reject_at));
    }
    if has_reached(policy.defer_at) && is_kept_out && stage == Stage::Mail {
        return refused(ReplyKind::ListedForNow.with(told), because(policy.defer_at));
    }
    // A postmaster is told what a refusal would have been.
    let limits = [policy.tag_at, policy.defer_at, policy.reject_at];
    let reached = limits.into_iter().filter(|limit| has_reached(*limit)).min();
    match reached {
        Some(limit) => Judged::Suspicious(because(limit)),
        None => Judged::Accepted,
    }
}

fn refused(reply: Reply, reason: String) -> Judged {
    Judged::Refused(Decision::new(reply, reason))
}

#[cfg(test)]
mod tests;
