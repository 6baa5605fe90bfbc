//! MAIL (RFC 5321 §4.1.1.2, RFC 1870 §6.1, RFC 6531 §3.5), and whether its parameters are offered.

use types::{AuthParameter, ByMode, DeliverBy, Hold, MailParameters, Reply, ReplyKind, Timestamp};

use super::{AuthNeed, Role, Security, Session, State};
use crate::grammar::command::Mail;

impl<R> Session<R> {
    pub(super) fn mail_command(&mut self, mail: Mail) {
        let Some(hello) = &self.hello else { return self.say_hello_first() };
        if !matches!(self.state, State::Idle) {
            return self.bad_sequence("There is a transaction already; RSET ends it");
        }
        if mail.has_parameters && !hello.verb.is_extended() {
            // RFC 5321 §4.1.1.11: parameters belong to extensions, and those to EHLO.
            return self.refuse(&ReplyKind::ParameterUnknown.with("say EHLO instead of HELO to use any"));
        }
        if let Some(keyword) = self.not_offered(&mail.parameters) {
            return self.refuse(&ReplyKind::ParameterNotOffered.with(keyword));
        }
        if let Some(reply) = self.impossible_time(&mail.parameters) {
            return self.refuse(&reply);
        }
        let size_bytes_max = self.config.message.message_bytes_max;
        if mail.size_bytes.is_some_and(|size| size > size_bytes_max) {
            return self.reply(&ReplyKind::MessageTooBig.with(size_bytes_max));
        }
        let auth_is_ascii = match &mail.parameters.auth {
            Some(AuthParameter::Mailbox(mailbox)) => mailbox.is_ascii(),
            Some(AuthParameter::Unknown) | None => true,
        };
        let sender_is_ascii = mail.reverse_path.mailbox().is_none_or(types::Mailbox::is_ascii);
        if !(mail.parameters.smtputf8 || sender_is_ascii && auth_is_ascii) {
            return self.reply(&ReplyKind::SenderNotAscii.reply());
        }
        self.state = State::AskedSender(mail);
    }

    fn say_hello_first(&mut self) {
        self.bad_sequence(match self.config.role {
            Role::Lmtp => "Say LHLO first",
            Role::Transfer | Role::Submission | Role::OnDemand => "Say EHLO first",
        });
    }

    /// A parameter whose extension is not listed now.
    fn not_offered(&self, parameters: &MailParameters) -> Option<&'static str> {
        let extensions = &self.config.extensions;
        let offered = [
            ("RET", parameters.ret.is_none() || extensions.dsn),
            ("ENVID", parameters.envelope_id.is_none() || extensions.dsn),
            // RFC 4954 §5: also where the client has not authenticated.
            ("AUTH", parameters.auth.is_none() || self.config.auth.need != AuthNeed::Off),
            ("REQUIRETLS", !parameters.require_tls || self.offers_require_tls()),
            ("FUTURERELEASE", parameters.hold.is_none() || self.future_release().is_some()),
            ("BY", parameters.deliver_by.is_none() || extensions.deliver_by_min_s.is_some()),
            ("MT-PRIORITY", parameters.priority.is_none() || extensions.mt_priority),
            (
                "XIDEMPOTENCY",
                parameters.idempotency_key.is_none() || extensions.idempotency_window_s.is_some(),
            ),
        ];
        offered.into_iter().find(|(_, is_fine)| !is_fine).map(|(keyword, _)| keyword)
    }

    /// RFC 8689 §2: the session itself must employ TLS.
    pub(super) fn offers_require_tls(&self) -> bool {
        self.config.extensions.require_tls && self.security == Security::Tls
    }

    /// Seconds for which messages are held at most, and what time it is. RFC 4865 §4.2: for submission only.
    pub(super) fn future_release(&self) -> Option<(u32, Timestamp)> {
        match self.config.role {
            Role::Submission => self.config.extensions.future_release_max_s.zip(self.now),
            Role::Transfer | Role::Lmtp | Role::OnDemand => None,
        }
    }

    /// RFC 4865 §4.2 and §5.2.2, RFC 2852 §3. A time that is over holds nothing, and is no error: clocks differ.
    fn impossible_time(&self, parameters: &MailParameters) -> Option<Reply> {
        let min_s = self.config.extensions.deliver_by_min_s.unwrap_or(0);
        let by_s = parameters.deliver_by.map(|by| by.by_s);
        if let Some(DeliverBy { by_s, mode: ByMode::Return, .. }) = parameters.deliver_by
            && by_s < i64::from(min_s)
        {
            return Some(ReplyKind::DeliverByTooSoon.with(min_s));
        }
        let (max_s, now) = self.future_release()?;
        let hold_millis = match parameters.hold? {
            Hold::For { seconds } => u64::from(seconds) * 1000,
            Hold::Until(at) => at.millis().saturating_sub(now.millis()),
        };
        if hold_millis > u64::from(max_s) * 1000 {
            return Some(ReplyKind::HoldTooLong.with(max_s));
        }
        let by_millis = u64::try_from(by_s?).unwrap_or(0) * 1000;
        (hold_millis > by_millis).then(|| ReplyKind::HoldPastDeliverBy.reply())
    }
}
