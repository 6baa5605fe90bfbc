//! Delivery status notifications: to whom one is due, and what it says.
//!
//! Standards: RFC 3461 (when one is due, and to whom), RFC 3464 (its fields), RFC 6522 (`multipart/report`), RFC 6533
//! (addresses and messages in UTF-8), RFC 3834 (automatic responses), RFC 2852 §5 and RFC 4865 §5.1.2 (their fields),
//! RFC 8689 §5 (REQUIRETLS).
//!
//! A report tells people what happened, who can act and what to do, in their language; programs read the second part;
//! the third returns the message or its header section. Nothing from outside can end a line of it or one of its parts,
//! and it travels without extensions unless the address of the sender itself, or a body that is returned whole, needs
//! one.

mod encode;
mod original;
mod status;
#[cfg(test)]
mod tests;
mod text;
mod words;

pub use types::explain::{Action, Language};

use std::net::IpAddr;

use types::{
    BodyType, Domain, Envelope, EnvelopeRecipient, ForwardPath, Host, MailId, MailParameters, Mailbox,
    Notify, RecipientDsn, ReversePath, Timestamp,
};

use crate::outcome::Finding;
use encode::{Part, Transfer};

/// What there is to report of one message.
#[derive(Debug, Clone, Copy)]
pub struct Notification<'a> {
    /// This host: the reporting MTA.
    pub host_name: &'a Domain,
    /// Who looks after it: the author of the report.
    pub postmaster: &'a Mailbox,
    /// Who is told.
    pub addressee: Addressee,
    /// Of the message.
    pub envelope: &'a Envelope,
    /// The message's id here.
    pub mail_id: MailId,
    /// The report's own.
    pub report_id: MailId,
    /// When the message came.
    pub received_at: Timestamp,
    /// Where it came from: what the client called itself, and its address.
    pub received_from: Option<(&'a Host, IpAddr)>,
    /// Now.
    pub now: Timestamp,
    /// Those to whom something happened. Those who want no report of it are left out here.
    pub recipients: &'a [RecipientReport<'a>],
    /// The message.
    pub original: Original<'a>,
    /// The octets of a message that is returned whole at most (RFC 3461 §6.2).
    pub full_bytes_max: usize,
    /// Of the text for people.
    pub language: Language,
}

/// Who is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressee {
    /// The reverse-path, unless it is null.
    Sender,
    /// The postmaster, of failures that no sender can be told of (RFC 3461 §5.2): a lost report shows that something
    /// is wrong here.
    Postmaster,
}

/// What happened to one recipient.
#[derive(Debug, Clone, Copy)]
pub struct RecipientReport<'a> {
    /// As the message came, with what its sender wants to hear.
    pub recipient: &'a EnvelopeRecipient,
    /// What became of it.
    pub action: Action,
    /// Why it is told.
    pub occasion: Occasion,
    /// Why it became that.
    pub finding: &'a Finding,
    /// The host that was tried last, where one was.
    pub remote: Option<Remote<'a>>,
    /// When that was.
    pub last_attempt_at: Option<Timestamp>,
    /// When it is given up; only with [`Action::Delayed`].
    pub will_retry_until: Option<Timestamp>,
}

/// Why something is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Occasion {
    /// Because it happened, as NOTIFY= says.
    #[default]
    Ordinary,
    /// Because of BY=: a relay that does not know it, or that is to be traced (RFC 2852 §4.1.4).
    DeliverBy,
}

/// A host that was tried.
#[derive(Debug, Clone, Copy)]
pub struct Remote<'a> {
    /// None where there was only an address.
    pub name: Option<&'a Domain>,
    /// The address that was connected to.
    pub address: IpAddr,
}

/// A message that is reported of.
#[derive(Debug, Clone, Copy)]
pub struct Original<'a> {
    /// From its first octet on, with the trace fields of this host or without.
    pub octets: &'a [u8],
    /// Whether that is all of it.
    pub extent: Extent,
}

/// How much of a message is at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All.
    Whole,
    /// The header section at least, or as much of it as [`HEADER_BYTES_MAX`].
    Beginning,
}

/// A report, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// From the null reverse-path (RFC 3461 §6.1), so that no report is ever reported of.
    pub envelope: Envelope,
    /// Header section and body, with CRLF.
    pub message: Vec<u8>,
}

/// Octets of a header section that are returned.
pub const HEADER_BYTES_MAX: usize = 64 * 1024;
/// Octets of a message that are returned whole by default, if its sender asks for them.
pub const FULL_BYTES_MAX: usize = 1024 * 1024;
/// Recipients that one report tells of: who has more makes several.
pub const RECIPIENTS_MAX: usize = 100;

/// Whether the sender wants to hear of it (RFC 3461 §5.2, RFC 2852 §4.1.4).
#[must_use]
pub fn is_wanted(reverse_path: &ReversePath, dsn: &RecipientDsn, action: Action, occasion: Occasion) -> bool {
    // RFC 3461 §5.2: never where there is nobody to tell.
    if *reverse_path == ReversePath::Null {
        return false;
    }
    let is_by_relay = occasion == Occasion::DeliverBy && action == Action::Relayed;
    match (dsn.notify, action) {
        (Some(Notify::Never), _) => false,
        _ if is_by_relay => true,
        (None, Action::Failed | Action::Delayed) => true,
        (None, Action::Delivered | Action::Relayed | Action::Expanded) => false,
        (Some(Notify::When { failure, .. }), Action::Failed) => failure,
        (Some(Notify::When { delay, .. }), Action::Delayed) => delay,
        (Some(Notify::When { success, .. }), _) => success,
    }
}

/// The report; none where nobody is to be told. It tells of [`RECIPIENTS_MAX`] recipients at most.
#[must_use]
pub fn compose(notification: &Notification<'_>) -> Option<Report> {
    let addressee = notification.addressee_mailbox()?;
    let recipients: Vec<_> = notification
        .recipients
        .iter()
        .filter(|report| notification.tells_of(report))
        .take(RECIPIENTS_MAX)
        .collect();
    if recipients.is_empty() {
        return None;
    }
    let to = addressee.to_ascii().unwrap_or_else(|| addressee.clone());
    // Where the address of the sender needs SMTPUTF8, the report may use it throughout (RFC 6533 §4.5).
    let reach = if to.is_ascii() { Transfer::SevenBit } else { Transfer::EightBit };
    let mut parts =
        vec![text::part(notification, &recipients), status::part(notification, &recipients, reach)];
    parts.extend(original::part(notification, &recipients, reach));
    let message = message(notification, &recipients, &to, &parts, reach);
    let parameters = MailParameters {
        // A header section in UTF-8 counts as well (RFC 6531 §3.6).
        body_type: if message.is_ascii() { BodyType::SevenBit } else { BodyType::EightBitMime },
        smtputf8: !to.is_ascii(),
        require_tls: notification.envelope.parameters.require_tls,
        ..MailParameters::default()
    };
    // RFC 3461 §6.1: NOTIFY= may be nothing but NEVER.
    let dsn = RecipientDsn { notify: Some(Notify::Never), original_recipient: None };
    let recipients = vec![EnvelopeRecipient { forward_path: ForwardPath::Mailbox(to), dsn }];
    Some(Report { envelope: Envelope { reverse_path: ReversePath::Null, recipients, parameters }, message })
}

impl<'a> Notification<'a> {
    fn addressee_mailbox(&self) -> Option<&'a Mailbox> {
        match self.addressee {
            Addressee::Sender => self.envelope.reverse_path.mailbox(),
            Addressee::Postmaster => Some(self.postmaster),
        }
    }

    fn tells_of(&self, report: &RecipientReport<'_>) -> bool {
        match self.addressee {
            Addressee::Sender => {
                is_wanted(&self.envelope.reverse_path, &report.recipient.dsn, report.action, report.occasion)
            }
            // What cannot be delivered to the postmaster is not told to the postmaster (attacks: reports about
            // reports).
            Addressee::Postmaster => {
                report.action == Action::Failed
                    && report.recipient.forward_path != ForwardPath::Postmaster
                    && report.recipient.forward_path.mailbox() != Some(self.postmaster)
            }
        }
    }
}

/// Header section, and the parts between boundaries.
fn message(
    notification: &Notification<'_>,
    recipients: &[&RecipientReport<'_>],
    to: &Mailbox,
    parts: &[Part],
    reach: Transfer,
) -> Vec<u8> {
    let boundary = encode::boundary(notification.report_id, parts);
    let author = notification.postmaster.to_ascii().unwrap_or_else(|| notification.postmaster.clone());
    let mut fields = vec![
        encode::from(words::SYSTEM.of(notification.language), &author, reach),
        format!("To: <{to}>"),
        encode::subject(text::subject(notification, recipients), reach),
        format!("Date: {}", notification.now.rfc5322()),
        format!("Message-ID: <{}@{}>", notification.report_id, notification.host_name.ascii()),
    ];
    if let Some(id) = original::message_id(notification.original.octets) {
        // RFC 3834 §3.1.6.
        fields.push(format!("In-Reply-To: {id}"));
        fields.push(format!("References: {id}"));
    }
    fields.push("Auto-Submitted: auto-replied".to_owned());
    fields.push("MIME-Version: 1.0".to_owned());
    fields.push(format!(
        "Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"{boundary}\""
    ));
    if parts.iter().any(|part| part.transfer == Transfer::EightBit) {
        fields.push("Content-Transfer-Encoding: 8bit".to_owned());
    }
    let mut message =
        Vec::with_capacity(parts.iter().map(|part| part.body.len() + 200).sum::<usize>() + 1000);
    for field in fields {
        message.extend_from_slice(field.as_bytes());
        message.extend_from_slice(b"\r\n");
    }
    message.extend_from_slice(b"\r\n");
    for part in parts {
        part.write_to(&boundary, &mut message);
    }
    message.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    message
}
