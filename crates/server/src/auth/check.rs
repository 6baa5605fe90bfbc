//! From a name and what was brought for it to a verdict, in one order for all mechanisms: may it be looked at; the
//! account; the credentials; the count; the delay.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use sasl::{ScramHash, same_octets};
use store::{Account, AccountChange, AppPassword, Credentials, Store};
use tracing::warn;
use types::Timestamp;
use types::directory::AccountStatus;

use super::delays::{Admitted, Finding, TooMany, Verdict};
use super::{Authenticator, Login, Refusal, Why};
use crate::{account_name, passwords};

/// An attempt that may be looked at, and at whom.
pub(super) struct Subject {
    admitted: Admitted,
    /// The account, where there is one of this name.
    account: Option<Account>,
    /// The one form of the name.
    pub(super) key: String,
}

/// The verifiers of SCRAM that an account lacks.
pub(super) struct NewVerifiers {
    pub(super) scram_sha_256: String,
    pub(super) scram_sha_1: String,
}

/// The use of an app password is noted no more often than this.
const USE_NOTED_AFTER: Duration = Duration::from_secs(60 * 60);

impl Subject {
    pub(super) const fn account(&self) -> Option<&Account> {
        self.account.as_ref()
    }

    /// What is wrong, with the account that there is or is not.
    pub(super) const fn why(&self, why: Why) -> Why {
        if self.account.is_some() { why } else { Why::NoAccount }
    }
}

impl Authenticator {
    /// Whether an attempt at this name is looked at, and at whom.
    pub(super) async fn admit(
        &self,
        store: &Arc<dyn Store>,
        name: &str,
        ip: IpAddr,
    ) -> Result<Subject, Refusal> {
        let key = key(name);
        let admitted = self.admit_as(&key, ip).await?;
        let account = store.account(&key).await.map_err(|_| Refusal::Unavailable("the account"))?;
        Ok(Subject { admitted, account, key })
    }

    /// As [`Self::admit`] for a token, which names its account when it has been checked. Failures are counted apart:
    /// programs send expired tokens as a matter of course.
    pub(super) async fn admit_token(&self, name: &str, ip: IpAddr) -> Result<Subject, Refusal> {
        let key = key(name);
        let admitted = self.admit_as(&format!("token of {key}"), ip).await?;
        Ok(Subject { admitted, account: None, key })
    }

    async fn admit_as(&self, key: &str, ip: IpAddr) -> Result<Admitted, Refusal> {
        let admitted = self.lock_failures().admit(self.now(), ip, key).map_err(too_many)?;
        if !admitted.wait.is_zero() {
            self.wait(admitted.wait).await;
        }
        Ok(admitted)
    }

    /// Counts, and answers as late as the count says. A right password does not help a disabled account, and nobody
    /// is told that it was right.
    pub(super) async fn conclude(
        &self,
        subject: Subject,
        is_right: bool,
        why: Why,
        mechanism: &'static str,
        app_password: Option<String>,
    ) -> Result<Login, Refusal> {
        let Subject { admitted, account, .. } = subject;
        let result = match account {
            Some(account) if is_right => match &account.settings.status {
                AccountStatus::Active => Ok(Login { account, mechanism, app_password }),
                AccountStatus::Disabled { .. } => Err(Refusal::Disabled),
            },
            _ => Err(Refusal::Credentials(why)),
        };
        self.count(admitted, result).await
    }

    async fn count(&self, admitted: Admitted, result: Result<Login, Refusal>) -> Result<Login, Refusal> {
        let finding = if result.is_ok() { Finding::Right } else { Finding::Wrong };
        let verdict = self.lock_failures().conclude(self.now(), admitted, finding);
        match verdict {
            Verdict::Accepted => {}
            Verdict::Refused { delay } => self.wait(delay).await,
            Verdict::TooMany(refused) => return Err(too_many(refused)),
        }
        result
    }

    /// As [`Self::conclude`] for a token that was good: `account` is whose it is.
    pub(super) async fn conclude_token(
        &self,
        subject: Subject,
        found: Result<Account, Why>,
        mechanism: &'static str,
    ) -> Result<Login, Refusal> {
        let Subject { admitted, key, .. } = subject;
        match found {
            Ok(account) => {
                let subject = Subject { admitted, account: Some(account), key };
                self.conclude(subject, true, Why::NoAccount, mechanism, None).await
            }
            Err(why) => self.count(admitted, Err(Refusal::Credentials(why))).await,
        }
    }

    /// Name and password, as PLAIN, LOGIN, and USER with PASS bring them.
    pub(super) async fn check_password(
        &self,
        store: &Arc<dyn Store>,
        mechanism: &'static str,
        name: &str,
        password: &str,
        ip: IpAddr,
    ) -> Result<Login, Refusal> {
        let subject = self.admit(store, name, ip).await?;
        let why = subject.why(Why::Password);
        let app_password = subject.account().and_then(|account| app_password(&account.credentials, password));
        if let Some(used) = app_password {
            let name = used.name.clone();
            let login = self.conclude(subject, true, why, mechanism, Some(name)).await?;
            note_use(store, &login, &used, self.now());
            return Ok(login);
        }
        let (is_right, new) = self.check_main_password(subject.account(), password).await?;
        let login = self.conclude(subject, is_right, why, mechanism, None).await?;
        match new {
            Some(new) => Ok(Login { account: upgrade(store, login.account, new).await, ..login }),
            None => Ok(login),
        }
    }

    /// The hash of the account's password, or of nobody's, which takes as long. An account without verifiers for
    /// SCRAM is given them now that its password is there (RFC 4954 §6: the transition that 432 asks for).
    async fn check_main_password(
        &self,
        account: Option<&Account>,
        password: &str,
    ) -> Result<(bool, Option<NewVerifiers>), Refusal> {
        let credentials = account.map(|account| &account.credentials);
        let hash = credentials.map(|credentials| credentials.argon2id.clone()).unwrap_or_default();
        let lacks_verifiers = credentials.is_some_and(|credentials| {
            credentials.scram_sha_256.is_none() || credentials.scram_sha_1.is_none()
        });
        let password = password.to_owned();
        let work = move || {
            let is_right = passwords::verify(&password, &hash);
            let new = (is_right && lacks_verifiers).then(|| new_verifiers(&password)).flatten();
            (is_right, new)
        };
        self.hashing.run(work).await.map_err(|_| Refusal::Busy)
    }
}

fn too_many(refused: TooMany) -> Refusal {
    let wait_s = refused.wait.as_secs() + u64::from(refused.wait.subsec_nanos() > 0);
    Refusal::TooManyFailures { wait_s }
}

/// The one form of a name that somebody logs in with. The store compares without regard to case, and so does the
/// count.
pub(super) fn key(name: &str) -> String {
    account_name::meant_by(name).to_lowercase()
}

/// The app password that this is. All are compared, so that the time tells nothing of which.
fn app_password(credentials: &Credentials, password: &str) -> Option<AppPassword> {
    if credentials.app_passwords.is_empty() || password.len() > passwords::PASSWORD_BYTES_MAX {
        return None;
    }
    let sha256 = passwords::app_password_sha256(password);
    let matches = |kept: &AppPassword| same_octets(&kept.sha256, &sha256);
    credentials
        .app_passwords
        .iter()
        .fold(None, |found, kept| if matches(kept) { Some(kept.clone()) } else { found })
}

/// Notes that an app password was used, behind the login's back.
fn note_use(store: &Arc<dyn Store>, login: &Login, used: &AppPassword, at: Timestamp) {
    if used.last_used_at.is_some_and(|last| at.since(last) < USE_NOTED_AFTER) {
        return;
    }
    let (store, account) = (Arc::clone(store), login.account.id);
    let change = AccountChange::AppPasswordUsed { name: used.name.clone(), at };
    tokio::spawn(async move {
        // It may be gone by now; another use will be noted.
        let _ = store.change_account(account, change).await;
    });
}

fn new_verifiers(password: &str) -> Option<NewVerifiers> {
    let verifier = |hash| {
        let made = passwords::scram(hash, password);
        made.inspect_err(|why| warn!(%why, "no verifier for SCRAM could be made")).ok()
    };
    Some(NewVerifiers {
        scram_sha_256: verifier(ScramHash::Sha256)?,
        scram_sha_1: verifier(ScramHash::Sha1)?,
    })
}

/// Keeps new verifiers, where the password is still the one that they were made of. The login does not depend on it.
pub(super) async fn upgrade(store: &Arc<dyn Store>, account: Account, new: NewVerifiers) -> Account {
    let change = AccountChange::ScramVerifiers {
        argon2id: account.credentials.argon2id.clone(),
        scram_sha_256: new.scram_sha_256,
        scram_sha_1: new.scram_sha_1,
    };
    match store.change_account(account.id, change).await {
        Ok(changed) => changed,
        Err(why) => {
            warn!(account = %account.name, %why, "the verifiers for SCRAM could not be kept");
            account
        }
    }
}
