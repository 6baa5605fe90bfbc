//! Logging in by POP3: USER with PASS, APOP, AUTH; then the maildrop is locked and opened.

use pop3::{Apop, Failure, Login, Maildrop, Password};
use store::{Account, AccountId, MailboxId, MessageEntry, StoreError};
use tracing::{info, warn};
use types::{EventStep, Verdict};

use super::{Driver, failure, update};
use crate::auth::{self, ClientFacts, LOGIN_ENDED, LookedAt, Outcome, Refusal, Standing};
use crate::maildrops::{Closed, MaildropLock};
use crate::shared::Shared;

/// Messages that are asked of the store at a time when a maildrop is opened.
const PAGE: usize = 1000;

/// The maildrop of a session, locked as long as this lives.
pub(super) struct Opened {
    _lock: MaildropLock,
    pub(super) account: AccountId,
    pub(super) name: String,
    pub(super) looked_at: LookedAt,
    pub(super) mailbox: MailboxId,
    /// By position in the maildrop, as they were at the login.
    pub(super) entries: Vec<MessageEntry>,
    /// The mailbox's keywords then.
    pub(super) keywords: Vec<String>,
}

/// The timestamp of one greeting (RFC 1939 §7), where accounts may have a secret for it: random, so that no digest is
/// good twice.
pub(super) fn apop_offer(shared: &Shared) -> Apop {
    if !shared.authenticator.offers_apop() {
        return Apop::Off;
    }
    let (Ok(high), Ok(low)) = (getrandom::u64(), getrandom::u64()) else { return Apop::Off };
    Apop::Timestamp(format!("<{high:016x}{low:016x}@{}>", shared.host_name))
}

impl Driver {
    pub(super) async fn log_in(&mut self, name: &str, password: &Password) -> Login {
        let (store, ip) = (&self.shared.store, self.peer.ip());
        let result = self.shared.authenticator.password(store, name, password.reveal(), ip).await;
        self.enter(result, "PASSWORD", Some(name)).await
    }

    pub(super) async fn apop(&mut self, name: &str, digest: &[u8]) -> Login {
        let Apop::Timestamp(timestamp) = &self.apop else { return Login::Refused };
        let (store, ip) = (&self.shared.store, self.peer.ip());
        let result = self.shared.authenticator.apop(store, name, timestamp, digest, ip).await;
        self.enter(result, "APOP", Some(name)).await
    }

    pub(super) async fn sasl_begin(&mut self, mechanism: &str, initial_response: Option<&[u8]>) {
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

    pub(super) async fn sasl_respond(&mut self, response: Option<&[u8]>) {
        let Some(mut attempt) = self.attempt.take() else {
            // The session gives no response without a challenge before it.
            return self.session.authenticated(Login::Malformed);
        };
        let result = match attempt.step(&self.shared.store, response).await {
            Outcome::Challenge(challenge) => {
                self.session.challenge(&challenge);
                self.attempt = Some(attempt);
                return;
            }
            Outcome::Accepted(login) => Ok(login),
            Outcome::Refused(refusal) => Err(refusal),
        };
        let login = self.enter(result, attempt.mechanism(), attempt.name()).await;
        self.session.authenticated(login);
    }

    /// Opens the maildrop for who was let in. `name` is who the client said that it is.
    async fn enter(
        &mut self,
        result: Result<auth::Login, Refusal>,
        mechanism: &str,
        name: Option<&str>,
    ) -> Login {
        let (session_id, peer_ip) = (self.peer.session_id, self.peer.ip());
        let login = match result {
            Ok(login) => login,
            Err(refusal) => return self.refused(&refusal, mechanism, name),
        };
        auth::note_login(&self.shared, &mut self.timeline, &login, mechanism);
        let account = &login.account;
        let delay = self.shared.config.pop3.login_delay_s.duration();
        let lock = match self.shared.maildrops.lock(account.id, delay, self.shared.now()) {
            Ok(lock) => lock,
            Err(Closed::InUse) => {
                self.deferred(account, "another session has the maildrop");
                return Login::InUse;
            }
            Err(Closed::TooSoon) => {
                self.deferred(account, format!("less than {} s after the last login", delay.as_secs()));
                return Login::TooSoon;
            }
        };
        match self.open(&login, lock).await {
            Ok(maildrop) => {
                let messages = maildrop.messages.len();
                info!(%session_id, %peer_ip, account = %account.name, mechanism, messages, "logged in");
                Login::Ok(maildrop)
            }
            Err(why) => {
                warn!(%session_id, %peer_ip, account = %account.name, %why, "the maildrop cannot be opened");
                Login::Unavailable
            }
        }
    }

    fn refused(&mut self, refusal: &Refusal, mechanism: &str, name: Option<&str>) -> Login {
        auth::note_refusal(&self.shared, &mut self.timeline, &self.peer, refusal, mechanism, name);
        match refusal {
            Refusal::Malformed => Login::Malformed,
            _ if refusal.is_temporary() => Login::Unavailable,
            // A disabled account is as one that does not exist, for who knows its password too.
            _ => Login::Refused,
        }
    }

    fn deferred(&mut self, account: &Account, why: impl Into<String>) {
        self.timeline.judged(EventStep::Authentication, Verdict::Deferred, Some(&account.name), why);
    }

    /// Where a command comes: whose login holds no more keeps nobody else out of the maildrop. The store is asked only where the
    /// directory has changed.
    pub(super) async fn look_again(&mut self) {
        if matches!(self.check_standing().await, Err(Failure::LoginEnded)) {
            self.opened = None;
            self.session.end_login();
        }
    }

    /// Whether who logged in may still have the maildrop: read again before a message is shown, and before anything is
    /// changed.
    pub(super) async fn check_standing(&mut self) -> Result<(), Failure> {
        let Some(opened) = &mut self.opened else { return Ok(()) };
        let store = &*self.shared.store;
        match opened.looked_at.standing(store, opened.account, &opened.name).await {
            Ok(Standing::AsBefore | Standing::Active(_)) => Ok(()),
            Ok(Standing::Ended) => {
                let name = Some(opened.name.as_str());
                self.timeline.judged(EventStep::Authentication, Verdict::Refused, name, LOGIN_ENDED);
                Err(Failure::LoginEnded)
            }
            Err(error) => Err(failure(&error)),
        }
    }

    /// The INBOX as it stands now. Unique-ids are UIDVALIDITY and UID: they never name another message.
    async fn open(&mut self, login: &auth::Login, lock: MaildropLock) -> Result<Maildrop, StoreError> {
        let account = &login.account;
        let mailboxes = self.shared.store.mailboxes(account.id).await?;
        let inbox = mailboxes.iter().find(|mailbox| mailbox.id == account.inbox);
        let inbox = inbox.ok_or(StoreError::NoSuchMailbox)?;
        let (uid_validity, keywords) = (inbox.uid_validity, inbox.keywords.clone());
        let mut entries: Vec<MessageEntry> = Vec::new();
        let mut after = None;
        loop {
            let page = self.shared.store.messages(account.inbox, after, PAGE).await?;
            let is_last = page.len() < PAGE;
            after = page.last().map(|entry| entry.uid).or(after);
            entries.extend(page.into_iter().filter(|entry| !update::is_hidden(entry, &keywords)));
            if is_last {
                break;
            }
        }
        let message = |entry: &MessageEntry| pop3::Message {
            size_bytes: entry.size_bytes,
            unique_id: format!("{uid_validity}.{}", entry.uid),
        };
        let messages = entries.iter().map(message).collect();
        self.opened = Some(Opened {
            _lock: lock,
            account: account.id,
            name: account.name.clone(),
            looked_at: LookedAt::of(login),
            mailbox: account.inbox,
            entries,
            keywords,
        });
        Ok(Maildrop { messages })
    }
}
