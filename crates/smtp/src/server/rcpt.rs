//! RCPT (RFC 5321 §4.1.1.3 and §4.5.3.1.10, RFC 6531 §3.5, RFC 9422).

use types::ReplyKind;

use super::{Session, State};
use crate::grammar::command::Rcpt;

impl<R> Session<R> {
    pub(super) fn rcpt_command(&mut self, rcpt: Rcpt) {
        let recipients_max = self.config.recipients_max;
        match std::mem::replace(&mut self.state, State::Idle) {
            State::InTransaction(mut transaction) => {
                let is_full = transaction.rcpt_commands >= recipients_max;
                let needs_utf8 = rcpt.forward_path.mailbox().is_some_and(|m| !m.is_ascii());
                if is_full {
                    self.reply(&ReplyKind::TooManyRecipients.reply());
                } else if needs_utf8 && !transaction.mail.parameters.smtputf8 {
                    transaction.rcpt_commands += 1;
                    self.reply(&ReplyKind::RecipientNotAscii.reply());
                } else {
                    transaction.rcpt_commands += 1;
                    self.state = State::AskedRecipient(transaction, rcpt);
                    return;
                }
                self.state = State::InTransaction(transaction);
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
}
