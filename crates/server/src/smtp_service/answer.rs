//! The answer to each question, told to the session, to the trace and to the metrics.

use mta::admission::recipient::full as full_mailbox;
use mta::admission::verify::Asked;
use mta::admission::{Client, Decision};
use smtp::server::Question;
use store::StoreError;
use tokio::time::Instant;
use tracing::debug;
use types::{EventStep, Host, Reply, ReplyKind, Timestamp};

use super::acceptor::Acceptor;
use super::identity::{LoginState, standing};
use super::rooms::rooms;
use super::verification::EARLY_VERIFICATIONS_MAX;
use super::{Driver, lookup, recipients, reputation, sender};
use crate::config::Service;
use crate::local_delivery::{Rooms, over_quota_policy};
use crate::tls::Tls;

/// What an event of a command is about.
pub(super) fn step_of(verb: &str) -> EventStep {
    match verb {
        "EHLO" | "HELO" | "LHLO" => EventStep::Hello,
        "STARTTLS" => EventStep::Tls,
        "AUTH" => EventStep::Authentication,
        "MAIL" => EventStep::Sender,
        "RCPT" => EventStep::Recipient,
        "DATA" | "BDAT" => EventStep::Content,
        _ => EventStep::Command,
    }
}

impl Driver {
    /// Decides, then tells the session once.
    pub(super) async fn answer(&mut self) {
        match self.session.question() {
            None => {}
            Some(Question::Hello(_)) => self.hello(),
            Some(Question::Sender(_)) => self.sender().await,
            Some(Question::Recipient(..)) => self.recipient().await,
            Some(Question::Verify(argument)) => {
                let argument = argument.to_owned();
                self.lookup(Asked::Verify, &argument).await;
            }
            Some(Question::Expand(argument)) => {
                let argument = argument.to_owned();
                self.lookup(Asked::Expand, &argument).await;
            }
            Some(Question::Message(_)) => self.message().await,
            Some(Question::StartTls) => self.may_start_tls(),
            Some(Question::Authenticate { .. } | Question::AuthenticationResponse(_)) => {
                self.authenticate().await;
            }
            Some(Question::Xclient(_)) => self.xclient().await,
            Some(Question::Etrn(_)) => self.etrn().await,
            Some(Question::Reverse { .. }) => self.may_reverse().await,
        }
    }

    fn hello(&mut self) {
        let Some(Question::Hello(hello)) = self.session.question() else { return };
        let said = hello.host.to_string();
        let verb = hello.verb.name();
        match self.hello_refusal(&hello.host) {
            None => {
                self.session.set_now(self.shared.now());
                self.session.greeted();
                self.timeline.note_about(EventStep::Hello, said, verb);
            }
            Some(reply) => {
                self.refused(verb, &reply);
                self.timeline.decided(EventStep::Hello, Some(said), &reply, "the name is refused by policy");
                self.session.answer(&reply);
            }
        }
    }

    fn hello_refusal(&self, host: &Host) -> Option<Reply> {
        use crate::config::HelloCheck;
        use mta::hello::{HelloFacts, HelloPolicy, refusal};
        refusal(&HelloFacts {
            policy: match self.shared.config.policy.hello_check {
                HelloCheck::Off => HelloPolicy::Off,
                HelloCheck::Syntax => HelloPolicy::Syntax,
                HelloCheck::Strict => HelloPolicy::Strict,
            },
            role: super::mta_role(self.facts.service),
            client: standing(&self.shared, &self.peer, self.identity.as_ref()),
            client_ip: self.peer.ip(),
            host,
            own_name: &self.shared.config.host_name,
            own_addresses: self.shared.directory.own_addresses(),
        })
    }

    async fn sender(&mut self) {
        let now = self.shared.now();
        self.session.set_now(now);
        self.set_mail(Some(self.shared.new_mail_id(now)));
        let gone = self.refresh_identity().await;
        self.is_repeated = self.came_before(now).await;
        let Some(Question::Sender(mail)) = self.session.question() else { return };
        let address = mail.reverse_path.to_string();
        let Decision { reply, reason } = match gone {
            Some((reply, reason)) => Decision { reply, reason: reason.into() },
            None => {
                let client = standing(&self.shared, &self.peer, self.identity.as_ref());
                let submitter = sender::submitter(&self.facts, &self.peer, self.identity.as_ref());
                let submitter = submitter.filter(|_| !self.is_repeated);
                sender::admit(&self.shared, &self.facts, client, submitter, mail)
            }
        };
        let is_asked_now = reply.is_positive() && self.early_verifications < EARLY_VERIFICATIONS_MAX;
        let verification = if is_asked_now { self.begin_verification(mail) } else { None };
        let mut inquiry = if reply.is_positive() { self.new_inquiry(mail) } else { None };
        if is_asked_now {
            inquiry.iter_mut().for_each(|inquiry| inquiry.begin());
        }
        self.decided("MAIL", EventStep::Sender, Some(address), &reply, reason);
        self.session.answer(&reply);
        if !reply.is_positive() {
            self.set_mail(None);
        }
        self.early_verifications += u32::from(verification.is_some() || inquiry.is_some());
        self.verification = verification;
        self.inquiry = inquiry;
    }

    /// Whether a message with the key that MAIL names was accepted before: then neither a rate nor a full mailbox stands in its way,
    /// since nothing is stored.
    async fn came_before(&self, now: Timestamp) -> bool {
        let Some(Question::Sender(mail)) = self.session.question() else { return false };
        let key = mail.parameters.idempotency_key.as_ref();
        let (Some(identity), Some(key)) = (&self.identity, key) else { return false };
        let account = identity.account().id;
        matches!(self.shared.store.accepted_before(account, key, now).await, Ok(Some(_)))
    }

    /// Reads what the client may do again, where something in the directory has changed. Where that cannot be, the
    /// client stays who it is, lest it goes on as somebody who never logged in.
    async fn refresh_identity(&mut self) -> Option<(Reply, &'static str)> {
        match self.identity.as_mut()?.refresh(&self.shared).await {
            Ok(LoginState::Holds) => None,
            Ok(LoginState::AccountGone) => {
                Some((ReplyKind::AccountDisabled.reply(), "the account was removed after its login"))
            }
            // RFC 4954 §6: authentication is not in force.
            Ok(LoginState::PasswordRevoked) => {
                let why = "the app password was revoked after the login";
                Some((ReplyKind::LoginRevoked.reply(), why))
            }
            Err(_) => Some((ReplyKind::LookupFailed.reply(), "the directory could not be asked")),
        }
    }

    /// Why the client does not go on with the message that it began: its login has ended meanwhile, or its account was disabled.
    pub(super) async fn stopped(&mut self) -> Option<Decision> {
        if let Some((reply, reason)) = self.refresh_identity().await {
            return Some(Decision { reply, reason: reason.into() });
        }
        let is_active = self.identity.as_ref().is_none_or(|identity| identity.rights().is_active());
        (!is_active).then(|| Decision {
            reply: ReplyKind::AccountDisabled.reply(),
            reason: "the account was disabled after its login".into(),
        })
    }

    async fn recipient(&mut self) {
        let stopped = self.stopped().await;
        let Some(Question::Recipient(transaction, rcpt)) = self.session.question() else { return };
        let client = standing(&self.shared, &self.peer, self.identity.as_ref());
        let address = rcpt.forward_path.to_string();
        let (mut decision, route) = match stopped {
            Some(decision) => (decision, None),
            None => {
                recipients::admit(&self.shared, &self.facts, client, transaction, rcpt, self.is_repeated)
                    .await
            }
        };
        if let (true, Some(inquiry)) = (decision.is_accepted(), &mut self.inquiry) {
            let path = &rcpt.forward_path;
            let refused =
                reputation::refused_recipient(inquiry, path, &self.shared, &mut self.timeline).await;
            decision = refused.unwrap_or(decision);
        }
        let accepted = decision.is_accepted();
        let Decision { reply, reason } = decision;
        self.decided("RCPT", EventStep::Recipient, Some(address), &reply, reason);
        match route {
            Some(route) if accepted => self.session.accept_recipient(&reply, route),
            _ => self.session.answer(&reply),
        }
    }

    async fn lookup(&mut self, asked: Asked, argument: &str) {
        let is_gone = self.refresh_identity().await.is_some();
        let client = match standing(&self.shared, &self.peer, self.identity.as_ref()) {
            Client::Authenticated(rights) if is_gone || !rights.is_active() => Client::Stranger,
            client => client,
        };
        let Decision { reply, reason } = lookup::answer(&self.shared, client, asked, argument).await;
        let verb = match asked {
            Asked::Verify => "VRFY",
            Asked::Expand => "EXPN",
        };
        self.decided(
            verb,
            EventStep::Command,
            Some(argument.to_owned()),
            &reply,
            format!("{verb}: {reason}"),
        );
        self.session.answer(&reply);
    }

    async fn message(&mut self) {
        let began = Instant::now();
        self.take_body().await;
        let stopped = self.stopped().await;
        // Until the message is stored, or is not.
        let rooms = self.rooms_of_each().await;
        let late = match &rooms {
            Ok(rooms) => self.late_refusals(rooms).await,
            Err(_) => Vec::new(),
        };
        let reply = match (self.incoming.take(), self.session.message()) {
            _ if let Some(Decision { reply, reason }) = stopped => {
                self.timeline.decided(EventStep::Content, None, &reply, reason);
                reply
            }
            _ if let Err(why) = &rooms => {
                let reply = ReplyKind::StorageFailed.reply();
                self.timeline.decided(EventStep::Content, None, &reply, why.to_string());
                reply
            }
            (Some(incoming), Some(message)) => {
                let to = Acceptor {
                    shared: &self.shared,
                    facts: &self.facts,
                    peer: &self.peer,
                    identity: self.identity.as_ref(),
                    transaction: &message.transaction,
                    size_bytes: message.size_bytes,
                    late: &late,
                    withholds_reports: false,
                };
                incoming.accept(to, &mut self.timeline).await
            }
            _ => ReplyKind::StorageFailed.reply(),
        };
        debug!(session_id = %self.peer.session_id, reply = %reply, "message answered");
        if reply.is_positive() {
            self.early_verifications = 0;
            self.shared.metrics.accepted(self.facts.service, began.elapsed());
        } else {
            self.refused("MESSAGE", &reply);
        }
        self.timeline.set_due();
        if late.iter().all(Option::is_none) {
            self.session.answer(&reply);
        } else {
            self.session
                .answer_each(late.into_iter().map(|refusal| refusal.unwrap_or_else(|| reply.clone())));
        }
    }

    /// In LMTP, what room there is for the message that came.
    async fn rooms_of_each(&self) -> Result<Rooms, StoreError> {
        match self.session.message() {
            Some(message) if self.facts.service == Service::Lmtp => {
                rooms(&self.shared, &message.transaction, message.size_bytes).await
            }
            _ => Ok(Rooms::default()),
        }
    }

    /// In LMTP, where each recipient is answered for, what is said of those for whom the message is not taken after
    /// all, now that its size is known (RFC 2033 §4.2).
    async fn late_refusals(&mut self, rooms: &Rooms) -> Vec<Option<Reply>> {
        if self.facts.service != Service::Lmtp {
            return Vec::new();
        }
        let Some(message) = self.session.message() else { return Vec::new() };
        let client = standing(&self.shared, &self.peer, self.identity.as_ref());
        let mut late = Vec::new();
        let mut decided = Vec::new();
        for recipient in &message.transaction.recipients {
            let decision = recipients::admit_late(
                &self.shared,
                &self.facts,
                client,
                &message.transaction.mail,
                &recipient.forward_path,
                message.size_bytes,
            )
            .await;
            let decision = if decision.is_accepted() && rooms.is_full(&recipient.route) {
                full_mailbox(&recipient.forward_path, over_quota_policy(&self.shared))
            } else {
                decision
            };
            let refusal = (!decision.is_accepted()).then_some(decision);
            late.push(refusal.as_ref().map(|Decision { reply, .. }| reply.clone()));
            decided.extend(refusal.map(|decision| (recipient.forward_path.to_string(), decision)));
        }
        for (address, Decision { reply, reason }) in decided {
            self.decided("MESSAGE", EventStep::Recipient, Some(address), &reply, reason);
        }
        late
    }

    fn may_start_tls(&mut self) {
        self.tls_permit = self.shared.tls.as_ref().and_then(Tls::may_begin);
        let (reply, reason) = match self.tls_permit {
            Some(_) => (ReplyKind::ReadyForTls.reply(), "TLS begins"),
            None => (ReplyKind::TlsUnavailable.reply(), "there are as many handshakes as there may be"),
        };
        self.decided("STARTTLS", EventStep::Tls, None, &reply, reason);
        self.session.answer(&reply);
    }

    /// Notes a decision that is answered with `reply`.
    pub(super) fn decided(
        &mut self,
        verb: &str,
        step: EventStep,
        address: Option<String>,
        reply: &Reply,
        reason: impl Into<String>,
    ) {
        debug!(session_id = %self.peer.session_id, peer_ip = %self.peer.ip(), verb, reply = %reply, "answered");
        if !reply.is_positive() {
            self.refused(verb, reply);
        }
        self.timeline.decided(step, address, reply, reason);
    }

    fn refused(&self, verb: &str, reply: &Reply) {
        self.shared.metrics.refused(verb, reply.code);
    }
}
