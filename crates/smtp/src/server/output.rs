//! Replies on their way out, and what the machine refuses by itself.

use types::limits::REPLY_LINE_BYTES_MAX;
use types::{MailId, Reply, ReplyKind};

use super::{Role, Session, State};

/// What the machine refused by itself, without a question to the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What it was about; [`NO_VERB`] where the line was no command.
    pub verb: &'static str,
    /// What the client was told, without the id.
    pub reply: Reply,
}

/// Which characters a reply may hold (RFC 6531 §3.7.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Charset {
    Ascii,
    Utf8,
}

/// The verb of a line that is no command.
pub(super) const NO_VERB: &str = "unknown";

/// Refusals that gather until the driver takes them. Those past it are not told: a driver that does not ask needs
/// no memory for them.
const REFUSALS_MAX: usize = 64;

impl<R> Session<R> {
    /// What has to be sent to the peer; the driver empties it.
    pub const fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// What the machine refused by itself since the last call. Nothing of an authentication is in it.
    pub fn take_refusals(&mut self) -> Vec<Refusal> {
        std::mem::take(&mut self.refusals)
    }

    /// From now on the last line of each reply from 400 on ends in ` [ID]`, so that a person can quote it.
    pub const fn quote_id(&mut self, id: MailId) {
        self.quoted_id = Some(id);
    }

    /// Ends the session with a reply, for example at a timeout (421).
    pub fn close(&mut self, reply: &Reply) {
        if !matches!(self.state, State::Quit | State::Closed | State::Reversed) {
            self.say(reply);
            self.state = State::Closed;
        }
    }

    pub(super) fn greet(&mut self) {
        let kind = match self.config.role {
            Role::Lmtp => ReplyKind::LmtpGreeting,
            Role::OnDemand => ReplyKind::OnDemandGreeting,
            Role::Transfer | Role::Submission => ReplyKind::Greeting,
        };
        self.say(&kind.with(&self.config.host_name));
    }

    /// Writes an answer of the driver.
    pub(super) fn say(&mut self, reply: &Reply) {
        self.say_in(reply, Charset::Ascii);
    }

    /// RFC 6531 §3.7.4: what is not ASCII may stand in 251, 551 and replies to VRFY and EXPN only, and there only
    /// where the client has asked for it.
    pub(super) fn say_in(&mut self, reply: &Reply, charset: Charset) {
        let start = self.output.len();
        reply.write_to(&mut self.output);
        if charset == Charset::Ascii {
            let reply = &mut self.output[start..];
            reply.iter_mut().filter(|octet| !octet.is_ascii()).for_each(|octet| *octet = b'?');
        }
        if let Some(id) = self.quoted_id.filter(|_| reply.code >= 400) {
            self.append_to_last_line(start, &format!(" [{id}]"));
        }
    }

    /// Where there is no room in the line, its text is cut.
    fn append_to_last_line(&mut self, start: usize, text: &str) {
        let mut end = self.output.len() - 2;
        let line = self.output[start..end]
            .iter()
            .rposition(|octet| *octet == b'\n')
            .map_or(start, |at| start + at + 1);
        end = end.min(line + REPLY_LINE_BYTES_MAX - 2 - text.len());
        // Not within a character (RFC 3629 §3: those octets that go on with one begin with the bits 10).
        while self.output[end] & 0xC0 == 0x80 {
            end -= 1;
        }
        self.output.truncate(end);
        self.output.extend_from_slice(text.as_bytes());
        self.output.extend_from_slice(b"\r\n");
    }

    /// Writes a reply of the machine's own.
    pub(super) fn reply(&mut self, reply: &Reply) {
        self.note(reply);
        self.say(reply);
    }

    /// Writes a reply of the machine's own as often as said, as LMTP wants it.
    pub(super) fn reply_each(&mut self, reply: &Reply, times: usize) {
        if times > 0 {
            self.note(reply);
        }
        (0..times).for_each(|_| self.say(reply));
    }

    /// A reply to a command that breaks the protocol. The session's state stays, unless there were too many.
    pub(super) fn refuse(&mut self, reply: &Reply) {
        if self.is_one_error_too_many() {
            self.note(reply);
            self.give_up(&ReplyKind::TooManyErrors.reply());
        } else {
            self.reply(reply);
        }
    }

    pub(super) fn bad_sequence(&mut self, what_to_do: &'static str) {
        self.refuse(&ReplyKind::BadSequence.with(what_to_do));
    }

    /// Counts an error.
    pub(super) fn is_one_error_too_many(&mut self) -> bool {
        self.errors = self.errors.saturating_add(1);
        self.errors > self.config.errors_max
    }

    /// Closes the session by the machine's own decision.
    pub(super) fn give_up(&mut self, reply: &Reply) {
        self.note(reply);
        self.close(reply);
    }

    fn note(&mut self, reply: &Reply) {
        if !reply.is_positive() && self.refusals.len() < REFUSALS_MAX {
            self.refusals.push(Refusal { verb: self.verb, reply: reply.clone() });
        }
    }
}
