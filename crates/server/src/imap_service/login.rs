//! Logging in by IMAP: LOGIN (RFC 9051 §6.2.3) and AUTHENTICATE (§6.2.2).

use std::collections::BTreeMap;
use std::sync::Arc;

use imap::command::Secret;
use imap::session::Login;
use imap::view::Snapshot;
use store::{AccountId, MailboxId};
use tokio::time::Instant;
use tracing::info;
use types::EventStep;

use super::Driver;
use crate::auth::{self, ClientFacts, LookedAt, Outcome, Refusal, Standing};
use crate::mail_models::{Member, Model};

/// Who is logged in, and what is open.
pub(super) struct LoggedIn {
    pub(super) account: AccountId,
    pub(super) name: String,
    pub(super) quota_bytes: Option<u64>,
    /// Among the sessions of the account.
    pub(super) member: Member,
    pub(super) selected: Option<Selected>,
    /// Names of mailboxes as the client was told them, where it watches them all (NOTIFY).
    pub(super) watched: Option<BTreeMap<MailboxId, String>>,
    looked_at: LookedAt,
    /// The client may be here no longer, and is about to be told.
    pub(super) is_over: bool,
}

/// The mailbox that is selected.
pub(super) struct Selected {
    pub(super) model: Arc<Model>,
    pub(super) name: String,
    /// What the machine was told last.
    pub(super) told: Arc<Snapshot>,
}

impl LoggedIn {
    pub(super) fn mailbox(&self) -> Option<MailboxId> {
        self.selected.as_ref().map(|selected| selected.model.mailbox())
    }
}

impl Driver {
    pub(super) async fn log_in(&mut self, name: &str, password: &Secret) {
        let login = match std::str::from_utf8(&password.0) {
            Ok(password) => {
                let (store, ip) = (&self.shared.store, self.peer.ip());
                let result = self.shared.authenticator.password(store, name, password, ip).await;
                self.enter(result, "PASSWORD", Some(name))
            }
            Err(_) => self.refused(&Refusal::Malformed, "PASSWORD", Some(name)),
        };
        self.session.authenticated(login);
    }

    pub(super) async fn sasl_begin(&mut self, mechanism: &str, initial_response: Option<&Secret>) {
        let client = ClientFacts::new(&self.shared, &self.facts, &self.peer, &self.connection);
        match self.shared.authenticator.begin(mechanism, &client) {
            Ok(attempt) => {
                self.attempt = Some(attempt);
                self.sasl_respond(initial_response).await;
            }
            Err(refusal) => {
                let login = self.refused(&refusal, mechanism, None);
                self.session.authenticated(login);
            }
        }
    }

    pub(super) async fn sasl_respond(&mut self, response: Option<&Secret>) {
        let Some(mut attempt) = self.attempt.take() else {
            // The session gives no response without a challenge before it.
            return self.session.authenticated(Login::Malformed);
        };
        let response = response.map(|response| response.0.as_slice());
        let result = match attempt.step(&self.shared.store, response).await {
            Outcome::Challenge(challenge) => {
                self.session.challenge(&challenge);
                self.attempt = Some(attempt);
                return;
            }
            Outcome::Accepted(login) => Ok(login),
            Outcome::Refused(refusal) => Err(refusal),
        };
        let login = self.enter(result, attempt.mechanism(), attempt.name());
        self.session.authenticated(login);
    }

    /// RFC 8437
    pub(super) fn log_out(&mut self) {
        (self.login, self.append, self.reading, self.attempt) = (None, None, None, None);
        self.strange_since = Instant::now();
        self.timeline.note(EventStep::Authentication, "logged out by UNAUTHENTICATE");
    }

    /// Lets in whom the authenticator has. `name` is who the client said that it is.
    fn enter(&mut self, result: Result<auth::Login, Refusal>, mechanism: &str, name: Option<&str>) -> Login {
        let login = match result {
            Ok(login) => login,
            Err(refusal) => return self.refused(&refusal, mechanism, name),
        };
        auth::note_login(&self.shared, &mut self.timeline, &login, mechanism);
        let looked_at = LookedAt::of(&login);
        let account = login.account;
        let (session_id, peer_ip) = (self.peer.session_id, self.peer.ip());
        info!(%session_id, %peer_ip, account = %account.name, mechanism, "logged in");
        self.login = Some(Box::new(LoggedIn {
            account: account.id,
            quota_bytes: account.settings.quota_bytes,
            name: account.name,
            member: self.shared.mail_models.join(&self.shared.store, account.id, &self.shared.stage),
            selected: None,
            watched: None,
            looked_at,
            is_over: false,
        }));
        Login::Ok
    }

    fn refused(&mut self, refusal: &Refusal, mechanism: &str, name: Option<&str>) -> Login {
        auth::note_refusal(&self.shared, &mut self.timeline, &self.peer, refusal, mechanism, name);
        match refusal {
            Refusal::Malformed => Login::Malformed,
            Refusal::TooManyFailures { .. } => Login::TooSoon,
            _ if refusal.is_temporary() => Login::Unavailable,
            // A disabled account is as one that does not exist, for who knows its password too.
            _ => Login::Refused,
        }
    }

    /// Whether who logged in may still be here.
    pub(super) async fn is_still_allowed(&mut self) -> bool {
        let Some(login) = &mut self.login else { return true };
        match login.looked_at.standing(&*self.shared.store, login.account, &login.name).await {
            Ok(Standing::Active(account)) => {
                login.quota_bytes = account.settings.quota_bytes;
                true
            }
            Ok(Standing::Ended) => false,
            // Where it is not known whether it may, the next command asks again.
            Ok(Standing::AsBefore) | Err(_) => true,
        }
    }
}
