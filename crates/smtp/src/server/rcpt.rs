//! RCPT (RFC 5321 §4.1.1.3 and §4.5.3.1.10, RFC 3461 §4, RFC 6531 §3.5, RFC 9422).

use types::{RecipientDsn, Reply, ReplyKind};

use super::{Charset, Session, State, Transaction};
use crate::grammar::command::Rcpt;

impl<R> Session<R> {
    pub(super) fn rcpt_command(&mut self, rcpt: Rcpt) {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::InTransaction(mut transaction) => {
                if let Some(reply) = self.parameter_not_offered(&rcpt) {
                    self.state = State::InTransaction(transaction);
                    return self.refuse(&reply);
                }
                if transaction.rcpt_commands >= self.config.recipients_max {
                    self.state = State::InTransaction(transaction);
                    return self.reply(&ReplyKind::TooManyRecipients.reply());
                }
                transaction.rcpt_commands += 1;
                if needs_utf8(&rcpt) && !transaction.mail.parameters.smtputf8 {
                    self.state = State::InTransaction(transaction);
                    return self.refuse(&ReplyKind::RecipientNotAscii.reply());
                }
                self.state = State::AskedRecipient(transaction, rcpt);
            }
            State::BetweenChunks(chunks) => {
                self.state = State::BetweenChunks(chunks);
                self.bad_sequence("All recipients are named before the first BDAT");
            }
            state => {
                self.state = state;
                self.bad_sequence("Say MAIL FROM first");
            }
        }
    }

    fn parameter_not_offered(&self, rcpt: &Rcpt) -> Option<Reply> {
        if rcpt.has_parameters && !self.hello.as_ref().is_some_and(|hello| hello.verb.is_extended()) {
            // RFC 5321 §4.1.1.11: parameters belong to extensions, and those to EHLO.
            return Some(ReplyKind::ParameterUnknown.with("say EHLO instead of HELO to use any"));
        }
        let RecipientDsn { notify, original_recipient } = &rcpt.dsn;
        match (self.config.extensions.dsn, notify, original_recipient) {
            (true, ..) | (false, None, None) => None,
            (false, Some(_), _) => Some(ReplyKind::ParameterNotOffered.with("NOTIFY")),
            (false, None, Some(_)) => Some(ReplyKind::ParameterNotOffered.with("ORCPT")),
        }
    }
}

impl<R> Transaction<R> {
    /// What a reply to RCPT may hold (RFC 6531 §3.7.4.1): UTF-8 in the address of a 251 or 551 only.
    pub(super) const fn charset(&self, reply: &Reply) -> Charset {
        match reply.code {
            251 | 551 if self.mail.parameters.smtputf8 => Charset::Utf8,
            _ => Charset::Ascii,
        }
    }
}

fn needs_utf8(rcpt: &Rcpt) -> bool {
    let original = rcpt.dsn.original_recipient.as_ref();
    rcpt.forward_path.mailbox().is_some_and(|mailbox| !mailbox.is_ascii())
        || original.is_some_and(|original| !original.address.is_ascii())
}
