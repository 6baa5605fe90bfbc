//! The reversed connection: the provider is the client, and the machine of the server answers it.

use std::fmt;
use std::io::{ErrorKind, Read as _, Result, Write as _};
use std::sync::Arc;

use serde::Serialize;
use smtp::codec::fault::MessageLimits;
use smtp::server::{
    AuthOffer, Config, Extensions, HandTyped, Question, Role, Security, Session, Step, TlsOffer, TlsPolicy,
};
use types::limits;
use types::{Domain, ForwardPath, Host, Reply, ReplyKind};

use super::onward::{Onward, size_max};
use crate::send::{Channel, our_address};

/// What is taken.
pub(super) struct Rules<'a> {
    /// In our greeting; our address where there is none.
    pub(super) host_name: Option<String>,
    /// Mail for these alone, if there are any.
    pub(super) domains: &'a [Domain],
    pub(super) message_bytes_max: u64,
}

/// Messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(super) struct Tally {
    /// One's own server has them.
    pub(super) fetched: u64,
    /// It refused them, or all recipients of them, for good: the provider tells their senders.
    pub(super) refused: u64,
    /// The provider keeps them.
    pub(super) put_off: u64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fetched {
            1 => f.write_str("1 message fetched")?,
            fetched => write!(f, "{fetched} messages fetched")?,
        }
        for (number, what) in [(self.refused, "refused"), (self.put_off, "put off")] {
            if number > 0 {
                write!(f, ", {number} {what}")?;
            }
        }
        Ok(())
    }
}

const READ_BYTES: usize = 64 * 1024;
/// Octets of a message that gather in the machine before they are taken from it.
const BODY_CHUNK_BYTES: usize = 64 * 1024;
/// The provider is a server that has many messages: nothing stops it but nonsense.
const ERRORS_MAX: u32 = 100;

struct Conversation<'a> {
    session: Session<()>,
    onward: Onward,
    rules: &'a Rules<'a>,
    body: Vec<u8>,
    tally: Tally,
    /// The worst word on a recipient of the transaction, while none was taken.
    worst_recipient: Option<u16>,
}

/// Serves the provider to the end of the connection.
pub(super) fn serve(mut channel: Channel, onward: Onward, rules: &Rules<'_>) -> (Tally, Result<()>) {
    let security = if matches!(channel, Channel::Clear(_)) { Security::Clear } else { Security::Tls };
    let offered = onward.extensions();
    let host_name = rules.host_name.clone().unwrap_or_else(|| our_address(channel.tcp()).to_string());
    let config = Config {
        host_name,
        role: Role::Transfer,
        hand_typed: HandTyped::Refused,
        tls: TlsOffer::None,
        tls_policy: TlsPolicy::Optional,
        auth: AuthOffer::default(),
        extensions: Extensions {
            dsn: offered.dsn,
            require_tls: onward.is_delivery_here(),
            ..Extensions::default()
        },
        command_line_bytes_max: limits::COMMAND_LINE_BYTES_MAX,
        message: MessageLimits {
            line_bytes_max: limits::TEXT_LINE_BYTES_MAX,
            message_bytes_max: size_max(&offered, rules.message_bytes_max),
        },
        recipients_max: limits::RECIPIENTS_MIN,
        errors_max: ERRORS_MAX,
        idle_commands_max: u32::MAX,
        body_chunk_bytes: BODY_CHUNK_BYTES,
    };
    let session = Session::new(Arc::new(config), security);
    let mut conversation = Conversation {
        session,
        onward,
        rules,
        body: Vec::new(),
        tally: Tally::default(),
        worst_recipient: None,
    };
    let ended = conversation.run(&mut channel);
    conversation.note_transaction();
    conversation.onward.quit();
    (conversation.tally, ended)
}

impl Conversation<'_> {
    fn run(&mut self, channel: &mut Channel) -> Result<()> {
        channel.tcp().set_read_timeout(Some(limits::SERVER_COMMAND_TIMEOUT))?;
        channel.tcp().set_write_timeout(Some(limits::SERVER_COMMAND_TIMEOUT))?;
        let mut buffer = Vec::new();
        loop {
            let (consumed, step) = self.session.receive(&buffer);
            buffer.drain(..consumed);
            if !self.session.is_receiving() {
                self.body.clear();
            }
            match step {
                Step::Input => {
                    send(channel, self.session.output())?;
                    if read(channel, &mut buffer)? == 0 {
                        return Err(ErrorKind::UnexpectedEof.into());
                    }
                }
                Step::Body => self.take_body(),
                Step::Answer => self.answer(),
                // Neither is offered.
                Step::StartTls | Step::Reverse => return Err(ErrorKind::Unsupported.into()),
                Step::Close => {
                    send(channel, self.session.output())?;
                    return if self.session.has_quit() {
                        Ok(())
                    } else {
                        Err(ErrorKind::ConnectionAborted.into())
                    };
                }
            }
        }
    }

    fn take_body(&mut self) {
        let octets = self.session.take_body();
        self.body.extend_from_slice(&octets);
        self.session.give_back(octets);
    }

    fn answer(&mut self) {
        let reply = match self.session.question() {
            Some(Question::Sender(mail)) => {
                let mail = mail.clone();
                self.note_transaction();
                let reply = self.onward.mail(&mail);
                self.worst_recipient = (!reply.is_positive()).then_some(reply.code);
                reply
            }
            Some(Question::Recipient(_, rcpt)) => {
                let reply = if self.is_ours(&rcpt.forward_path) {
                    let rcpt = rcpt.clone();
                    self.onward.rcpt(&rcpt)
                } else {
                    ReplyKind::RelayDenied.with(&rcpt.forward_path)
                };
                if reply.is_positive() {
                    return self.session.accept_recipient(&reply, ());
                }
                self.worst_recipient = self.worst_recipient.max(Some(reply.code));
                reply
            }
            Some(Question::Message(_)) => {
                self.take_body();
                let body = std::mem::take(&mut self.body);
                let reply = self.onward.message(&body);
                self.worst_recipient = None;
                self.count(&reply);
                reply
            }
            Some(Question::Verify(_) | Question::Expand(_)) => ReplyKind::CannotVerify.reply(),
            _ => ReplyKind::CommandNotImplemented.with("That"),
        };
        self.session.answer(&reply);
    }

    fn is_ours(&self, path: &ForwardPath) -> bool {
        let domains = self.rules.domains;
        match path.mailbox().map(|mailbox| &mailbox.host) {
            _ if domains.is_empty() => true,
            Some(Host::Domain(domain)) => domains.contains(domain),
            Some(Host::Literal(_)) => false,
            // Every host has its postmaster (RFC 5321 §4.5.1).
            None => true,
        }
    }

    fn count(&mut self, reply: &Reply) {
        match reply.code {
            ..400 => self.tally.fetched += 1,
            400..500 => self.tally.put_off += 1,
            _ => self.tally.refused += 1,
        }
    }

    /// A transaction that came to no message, since its sender or all its recipients were refused.
    fn note_transaction(&mut self) {
        match self.worst_recipient.take() {
            None => {}
            Some(..500) => self.tally.put_off += 1,
            Some(_) => self.tally.refused += 1,
        }
    }
}

fn send(channel: &mut Channel, output: &mut Vec<u8>) -> Result<()> {
    channel.write_all(output)?;
    output.clear();
    channel.flush()
}

fn read(channel: &mut Channel, buffer: &mut Vec<u8>) -> Result<usize> {
    let start = buffer.len();
    buffer.resize(start + READ_BYTES, 0);
    let read = loop {
        match channel.read(&mut buffer[start..]) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => break read,
        }
    };
    buffer.truncate(start + read.as_ref().map_or(0, |count| *count));
    read
}
