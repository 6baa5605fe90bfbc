//! The mail transaction: one value, which is there whole or not at all (RFC 5321 §3.3).

use types::{Envelope, EnvelopeRecipient, ForwardPath, RecipientDsn, Reply, ReplyKind};

use super::Role;
use crate::codec::chunk::ChunkChecker;
use crate::grammar::command::Mail;

/// A transaction after MAIL.
#[derive(Debug)]
pub struct Transaction<R> {
    /// What MAIL said.
    pub mail: Mail,
    /// Those that were accepted, in order.
    pub recipients: Vec<Recipient<R>>,
    /// RCPT commands, refused ones too (RFC 9422 counts both).
    pub rcpt_commands: usize,
}

/// An accepted recipient.
#[derive(Debug)]
pub struct Recipient<R> {
    /// As RCPT named it.
    pub forward_path: ForwardPath,
    /// What its sender wants to hear about it.
    pub dsn: RecipientDsn,
    /// What the driver found out about it.
    pub route: R,
}

/// A complete message that nobody has taken responsibility for yet.
#[derive(Debug)]
pub struct Message<R> {
    /// With at least one recipient.
    pub transaction: Transaction<R>,
    /// The last octets of the message, or all of a short one; [`super::Session::take_body`] takes them.
    pub(super) body: Vec<u8>,
    /// Octets of the whole message.
    pub size_bytes: u64,
}

/// A message that comes in chunks.
#[derive(Debug)]
pub(super) struct Chunks<R> {
    pub(super) transaction: Transaction<R>,
    pub(super) checker: ChunkChecker,
    pub(super) body: Vec<u8>,
}

impl<R> Transaction<R> {
    pub(super) const fn new(mail: Mail) -> Self {
        Self { mail, recipients: Vec::new(), rcpt_commands: 0 }
    }

    /// The envelope that goes with the message.
    #[must_use]
    pub fn envelope(&self) -> Envelope {
        Envelope {
            reverse_path: self.mail.reverse_path.clone(),
            recipients: self
                .recipients
                .iter()
                .map(|r| EnvelopeRecipient { forward_path: r.forward_path.clone(), dsn: r.dsn.clone() })
                .collect(),
            parameters: self.mail.parameters.clone(),
        }
    }

    /// RFC 5321 §3.3: 503 where RCPT was never said, 554 where all were refused. In LMTP both are 503 (RFC 2033
    /// §4.2).
    pub(super) fn no_recipients(&self, role: Role) -> Reply {
        match (self.rcpt_commands, role) {
            (0, _) => ReplyKind::NoRecipients.reply(),
            (_, Role::Lmtp) => ReplyKind::LmtpNoValidRecipients.reply(),
            (_, Role::Transfer | Role::Submission | Role::OnDemand) => ReplyKind::NoValidRecipients.reply(),
        }
    }

    /// How many replies the end of the message has: in LMTP one for each accepted recipient (RFC 2033 §4.2).
    pub(super) const fn replies(&self, role: Role) -> usize {
        match role {
            Role::Lmtp => self.recipients.len(),
            Role::Transfer | Role::Submission | Role::OnDemand => 1,
        }
    }
}
