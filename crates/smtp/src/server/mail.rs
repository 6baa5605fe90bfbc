//! MAIL (RFC 5321 §4.1.1.2, RFC 1870 §6.1, RFC 6531 §3.5).

use types::ReplyKind;

use super::{Session, State};
use crate::grammar::command::{HelloVerb, Mail};

impl<R> Session<R> {
    pub(super) fn mail_command(&mut self, mail: Mail) {
        let Some(hello) = &self.hello else { return self.bad_sequence("Say EHLO first") };
        if !matches!(self.state, State::Idle) {
            return self.bad_sequence("There is a transaction already; RSET ends it");
        }
        if mail.has_parameters && hello.verb == HelloVerb::Helo {
            // RFC 5321 §4.1.1.11: parameters belong to extensions, and those to EHLO.
            return self.refuse(&ReplyKind::ParameterUnknown.with("say EHLO instead of HELO to use any"));
        }
        let size_bytes_max = self.config.message.message_bytes_max;
        if mail.size_bytes.is_some_and(|size| size > size_bytes_max) {
            return self.reply(&ReplyKind::MessageTooBig.with(size_bytes_max));
        }
        if !mail.parameters.smtputf8 && mail.reverse_path.mailbox().is_some_and(|m| !m.is_ascii()) {
            return self.reply(&ReplyKind::SenderNotAscii.reply());
        }
        self.state = State::AskedSender(mail);
    }
}
