//! Who reads mail, by IMAP or POP3: how a login is told of, and whether it still holds later.

use store::{Account, AccountId, AppPassword, Store, StoreError};
use tracing::warn;
use types::directory::AccountStatus;
use types::{EventStep, Timestamp, Verdict};

use super::{Login, Refusal};
use crate::metrics::AuthOutcome;
use crate::shared::{Peer, Shared};
use crate::timeline::Timeline;

/// Counts and traces who was let in.
pub(crate) fn note_login(shared: &Shared, timeline: &mut Timeline, login: &Login, mechanism: &str) {
    shared.metrics.authenticated(mechanism, AuthOutcome::Accepted);
    let name = Some(login.account.name.as_str());
    timeline.judged(EventStep::Authentication, Verdict::Accepted, name, login.reason());
}

/// Counts, logs and traces who was not; `name` is who the client said that it is.
pub(crate) fn note_refusal(
    shared: &Shared,
    timeline: &mut Timeline,
    peer: &Peer,
    refusal: &Refusal,
    mechanism: &str,
    name: Option<&str>,
) {
    let (session_id, peer_ip) = (peer.session_id, peer.ip());
    let why = refusal.reason();
    warn!(%session_id, %peer_ip, account = ?name.unwrap_or_default(), mechanism, %why, "login refused");
    let (outcome, verdict) = if refusal.is_temporary() {
        (AuthOutcome::Unavailable, Verdict::Deferred)
    } else {
        (AuthOutcome::Refused, Verdict::Refused)
    };
    shared.metrics.authenticated(mechanism, outcome);
    timeline.judged(EventStep::Authentication, verdict, name, why);
}

/// What became of an account since its session looked at it last.
#[derive(Debug)]
pub(crate) enum Standing {
    /// Nothing that the directory knows of has changed.
    AsBefore,
    /// It may be used; this is what is set for it now.
    Active(Box<Account>),
    /// It was disabled or removed, or the app password is gone that was logged in with: the login holds no more.
    Ended,
}

/// Why the trace says that a login has ended.
pub(crate) const LOGIN_ENDED: &str = "the account was disabled or removed, or its app password revoked";

/// What a login holds by, as long as that is there: an app password, by its name and when it was made. One that is made anew
/// under the same name is another one. The account's own password and tokens end nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Grounds(Option<(String, Timestamp)>);

impl Grounds {
    pub(crate) fn of(login: &Login) -> Self {
        let app_passwords = &login.account.credentials.app_passwords;
        let name = login.app_password.as_ref();
        let used = name.and_then(|name| app_passwords.iter().find(|kept| kept.name == *name));
        Self(used.map(|used| (used.name.clone(), used.created_at)))
    }

    pub(crate) fn hold(&self, account: &Account) -> bool {
        self.0.as_ref().is_none_or(|(name, created_at)| {
            let is_it = |kept: &AppPassword| kept.name == *name && kept.created_at == *created_at;
            account.credentials.app_passwords.iter().any(is_it)
        })
    }
}

/// The version of the directory at which a session looked at its account last.
#[derive(Debug)]
pub(crate) struct LookedAt {
    version: Option<u64>,
    grounds: Grounds,
}

impl LookedAt {
    /// By who has just logged in: nobody has looked yet.
    pub(crate) fn of(login: &Login) -> Self {
        Self { version: None, grounds: Grounds::of(login) }
    }

    /// Looks at the account where the directory has changed, and once in any case: it may have while the login was on its
    /// way.
    pub(crate) async fn standing(
        &mut self,
        store: &dyn Store,
        account: AccountId,
        name: &str,
    ) -> Result<Standing, StoreError> {
        let version = store.directory_version();
        if self.version == Some(version) {
            return Ok(Standing::AsBefore);
        }
        let found = store.account(name).await?;
        let still_holds =
            |found: &Account| found.id == account && is_active(found) && self.grounds.hold(found);
        Ok(match found.filter(still_holds) {
            Some(account) => {
                self.version = Some(version);
                Standing::Active(Box::new(account))
            }
            None => Standing::Ended,
        })
    }
}

pub(crate) fn is_active(account: &Account) -> bool {
    account.settings.status == AccountStatus::Active
}
