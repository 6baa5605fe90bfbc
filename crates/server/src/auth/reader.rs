//! Who reads mail, by IMAP or POP3: how a login is told of, and whether it still holds later.

use store::{Account, AccountId, Store, StoreError};
use tracing::warn;
use types::directory::AccountStatus;
use types::{EventStep, Verdict};

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
    /// It was disabled or removed: the login holds no more.
    Ended,
}

/// The version of the directory at which a session looked at its account last.
#[derive(Debug, Default)]
pub(crate) struct LookedAt(Option<u64>);

impl LookedAt {
    /// Looks at the account where the directory has changed, and once in any case: it may have while the login was on its
    /// way.
    pub(crate) async fn standing(
        &mut self,
        store: &dyn Store,
        account: AccountId,
        name: &str,
    ) -> Result<Standing, StoreError> {
        let version = store.directory_version();
        if self.0 == Some(version) {
            return Ok(Standing::AsBefore);
        }
        let found = store.account(name).await?;
        Ok(match found.filter(|found| found.id == account && is_active(found)) {
            Some(account) => {
                self.0 = Some(version);
                Standing::Active(Box::new(account))
            }
            None => Standing::Ended,
        })
    }
}

pub(crate) fn is_active(account: &Account) -> bool {
    account.settings.status == AccountStatus::Active
}
