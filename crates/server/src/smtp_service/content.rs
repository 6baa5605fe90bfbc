//! The start of a message: what has to be known of it before its first octet is stored.

use std::borrow::Cow;

use mailauth::results::is_forged;
use mta::admission::authenticity::author_domains;
use mta::admission::{Client, Role};
use mta::header::{
    EightBit, FromPolicy, HeaderCollector, HeaderProblem, MissingFrom, Plan, Progress, SubmissionFacts,
    joins_trace_fields, submission, without,
};
use mta::{hops, list};
use types::{Domain, MailId, Mailbox, ReversePath, Timestamp};

/// What is asked of the header section.
pub(super) enum Care {
    /// It may be anything; only how it joins the trace fields matters.
    Joint,
    /// All of it is needed: for what submission does to it, or for lists.
    Whole,
}

/// The octets of a message until enough of them are there.
pub(super) enum Head {
    First(Vec<u8>),
    /// With the octets that it may have.
    Whole(HeaderCollector, usize),
    /// It was dealt with.
    Done,
    /// The message is refused at its end; nothing more of it is kept.
    Refused,
}

/// What the header section says.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) hops: usize,
    pub(super) own_hops: usize,
    pub(super) problem: Option<HeaderProblem>,
    /// A list that the message was on before, or an address that has sent it on before.
    pub(super) was_on: Option<Mailbox>,
    /// The domains in `From`, of a message to a list or one that is sent on.
    pub(super) authors: Vec<Domain>,
    /// The header section as it came, where it is asked who sent it.
    pub(super) header: Option<Vec<u8>>,
}

/// What is known of the message beside its octets.
pub(super) struct About<'a> {
    pub(super) role: Role,
    pub(super) client: Client<'a>,
    pub(super) reverse_path: &'a ReversePath,
    pub(super) smtputf8: bool,
    /// The lists that it goes to.
    pub(super) lists: &'a [Mailbox],
    /// It goes to lists alone.
    pub(super) only_lists: bool,
    /// The addresses here that send it on to other hosts.
    pub(super) forwarders: &'a [Mailbox],
    pub(super) now: Timestamp,
    pub(super) mail_id: MailId,
    pub(super) host_name: &'a Domain,
    /// It comes from outside, and it is asked who sent it.
    pub(super) is_verified: bool,
}

impl Head {
    pub(super) fn new(care: &Care, header_bytes_max: usize) -> Self {
        match care {
            Care::Joint => Self::First(Vec::new()),
            Care::Whole => Self::Whole(HeaderCollector::new(header_bytes_max), header_bytes_max),
        }
    }

    /// Takes octets from the front of the message. Gives what is to be stored in their place, once that is known; from
    /// then on `octets` are to be stored as they are.
    pub(super) fn take(
        &mut self,
        octets: &mut Vec<u8>,
        is_all: bool,
        about: &About<'_>,
        findings: &mut Findings,
    ) -> Option<Vec<u8>> {
        match self {
            Self::Done => None,
            Self::Refused => {
                octets.clear();
                None
            }
            Self::First(first) => {
                // Nearly always the first octets are enough.
                if !first.is_empty() {
                    first.append(octets);
                    std::mem::swap(first, octets);
                }
                let joint = joins_trace_fields(octets, is_all);
                if joint == mta::header::Joint::Undecided {
                    std::mem::swap(first, octets);
                    return None;
                }
                findings.hops = hops::received_count(octets);
                *self = Self::Done;
                Some(joint.octets().to_vec())
            }
            Self::Whole(collector, bytes_max) => {
                let len = match collector.push(octets) {
                    Progress::Whole(len) => len,
                    Progress::More if is_all => octets.len(),
                    Progress::More => {
                        octets.clear();
                        return None;
                    }
                    Progress::TooBig => {
                        findings.problem = Some(HeaderProblem::TooBig(*bytes_max));
                        *self = Self::Refused;
                        octets.clear();
                        return None;
                    }
                };
                octets.drain(..len);
                let Self::Whole(collector, _) = std::mem::replace(self, Self::Done) else { return None };
                let header = collector.into_octets();
                match examine(&header, about, findings) {
                    Some(stored) => {
                        // What became body has no author, whatever it looks like.
                        let header = if stored.starts_with(b"\r\n") { Vec::new() } else { header };
                        findings.header = about.is_verified.then_some(header);
                        Some(stored)
                    }
                    None => {
                        *self = Self::Refused;
                        octets.clear();
                        None
                    }
                }
            }
        }
    }
}

/// The header section as it is stored; `None` where the message is refused for it.
fn examine(header: &[u8], about: &About<'_>, findings: &mut Findings) -> Option<Vec<u8>> {
    findings.hops = hops::received_count(header);
    findings.own_hops = hops::received_by_count(header, about.host_name);
    if !about.lists.is_empty() || !about.forwarders.is_empty() {
        findings.authors = author_domains(header).unwrap_or_default();
    }
    let list = about.lists.iter().find(|address| list::was_here(header, address));
    let forwarder = || about.forwarders.iter().find(|address| hops::was_delivered_to(header, address));
    findings.was_on = list.or_else(forwarder).cloned();
    let mut stored = match about.role {
        Role::Submission => match submission(header, &submission_facts(about)) {
            Ok(plan) => plan.apply(header),
            Err(problem) => {
                findings.problem = Some(problem);
                return None;
            }
        },
        Role::Transfer | Role::Lmtp => {
            let header =
                if about.is_verified { without_forged(header, about.host_name) } else { header.into() };
            [joins_trace_fields(&header, true).octets(), &header].concat()
        }
    };
    if about.only_lists {
        // What an earlier list said of itself is no longer true of these copies.
        let plan: Plan = without(&stored, list::REPLACED_FIELDS, String::new());
        if !plan.is_unchanged(&stored) {
            stored = plan.apply(&stored);
        }
    }
    Some(stored)
}

/// Without the fields by which somebody else says what this host has found out (RFC 8601 §5).
fn without_forged<'h>(header: &'h [u8], host_name: &Domain) -> Cow<'h, [u8]> {
    let fields = mailauth::fields(header);
    let is_kept = |field: &&mailauth::Field<'_>| !is_forged(field, host_name.ascii());
    if fields.iter().all(|field| is_kept(&field)) {
        return header.into();
    }
    let len = fields.iter().map(|field| field.raw.len()).sum();
    let kept = fields.iter().filter(is_kept).map(|field| field.raw);
    kept.chain([&header[len..]]).flatten().copied().collect()
}

fn submission_facts<'a>(about: &About<'a>) -> SubmissionFacts<'a> {
    SubmissionFacts {
        now: about.now,
        mail_id: about.mail_id,
        host_name: about.host_name.ascii(),
        smtputf8: about.smtputf8,
        eight_bit: EightBit::Refuse,
        from: match about.client {
            // Who sends mail on keeps its author.
            Client::Authenticated(rights) => FromPolicy::OwnedOrResent(rights),
            Client::TrustedNetwork | Client::Stranger => FromPolicy::Any,
        },
        missing_from: match about.reverse_path {
            ReversePath::Mailbox(mailbox) => MissingFrom::Add(mailbox),
            ReversePath::Null => MissingFrom::Refuse,
        },
        submitter: about.reverse_path.mailbox(),
    }
}
