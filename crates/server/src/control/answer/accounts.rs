//! Accounts: rights, limits and passwords.

use store::{
    APP_PASSWORDS_MAX, Account, AccountChange as Change, AppPassword, Credentials, NewAccount, Store,
    StoreError,
};
use types::directory::{AccountSettings, AccountStatus, AddressKind, key};
use types::language::{LanguageTag, UnknownLanguage};

use super::directory::{PageSize, changed};
use super::facts::{self, Facts};
use super::{names, summaries};
use crate::control::ControlTarget;
use crate::control::protocol::{
    AccountChange, AccountDetail, AccountSummary, ControlError, DirectoryResponse, ErrorKind, Password,
    Setting, SharedSecret, WithMail,
};
use crate::outside;
use crate::passwords::{self, PasswordError};

/// Rights to send as somebody else that one account may have.
const SEND_AS_MAX: usize = 1000;

/// A page of accounts, in the order in which they were made.
pub(super) async fn list(
    store: &dyn Store,
    after: Option<&str>,
) -> Result<Vec<AccountSummary>, ControlError> {
    let accounts = store.accounts().await?;
    let start = match after {
        // Who was removed meanwhile leaves the reader at the end.
        Some(after) => {
            accounts.iter().position(|account| account.name == after).map_or(accounts.len(), |at| at + 1)
        }
        None => 0,
    };
    let mut size = PageSize::default();
    let mut page = Vec::new();
    for account in accounts.into_iter().skip(start) {
        // Removed meanwhile.
        let Ok(usage) = store.account_usage(account.id).await else { continue };
        let summary = AccountSummary {
            has_password: account.credentials.has_password(),
            messages: usage.messages,
            size_bytes: usage.size_bytes,
            quota_bytes: account.settings.quota_bytes,
            disabled: summaries::disabled(&account.settings.status),
            app_passwords: account.credentials.app_passwords.len(),
            language: account.settings.language.as_ref().map(ToString::to_string),
            name: account.name,
        };
        if !size.has_room_for(&summary) {
            break;
        }
        page.push(summary);
    }
    Ok(page)
}

pub(super) async fn show(store: &dyn Store, account: &str) -> Result<DirectoryResponse, ControlError> {
    let account = super::find_account(store, Some(account)).await?;
    let usage = store.account_usage(account.id).await?;
    let mailboxes = store.mailboxes(account.id).await?;
    let (reached_by, catch_all_of) = references(store, &account.name).await?;
    let settings = account.settings;
    Ok(DirectoryResponse::Account(Box::new(AccountDetail {
        disabled: summaries::disabled(&settings.status),
        has_password: account.credentials.has_password(),
        cram_md5: account.credentials.shared_secret.is_some(),
        messages: usage.messages,
        size_bytes: usage.size_bytes,
        quota_bytes: settings.quota_bytes,
        messages_per_hour_max: settings.messages_per_hour_max,
        message_bytes_max: settings.message_bytes_max,
        recipients_max: settings.recipients_max,
        language: settings.language.as_ref().map(ToString::to_string),
        send_as: settings.send_as.iter().map(ToString::to_string).collect(),
        mailboxes: mailboxes.into_iter().map(summaries::mailbox).collect(),
        app_passwords: account.credentials.app_passwords.iter().map(summaries::app_password).collect(),
        reached_by,
        catch_all_of,
        name: account.name,
    })))
}

pub(super) async fn add(
    target: &dyn ControlTarget,
    account: &str,
    password: Password,
    shared_secret: SharedSecret,
    change: AccountChange,
) -> Result<DirectoryResponse, ControlError> {
    let store = target.store().as_ref();
    let mailbox = names::own(account)?;
    let name = key(&mailbox);
    let mut settings = AccountSettings::default();
    let mut warnings = apply(change, &name, &mut settings)?;
    let keep = match shared_secret {
        SharedSecret::Allow => passwords::SharedSecret::Keep,
        SharedSecret::Keep | SharedSecret::Forbid => passwords::SharedSecret::Never,
    };
    let credentials = credentials(password, keep).await?;
    warnings.extend(Facts::of(target, facts::Change::None).domain_warning(&mailbox).await?);
    let account = NewAccount { credentials, settings, ..NewAccount::new(name.clone(), outside::now()) };
    match store.create_account(account).await {
        Ok(_) => Ok(changed(name, warnings)),
        Err(StoreError::Conflict(_)) => Err(super::addresses::taken(store, &mailbox).await?),
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn set(
    store: &dyn Store,
    account: &str,
    change: AccountChange,
) -> Result<DirectoryResponse, ControlError> {
    let mut account = super::find_account(store, Some(account)).await?;
    let warnings = apply(change, &account.name, &mut account.settings)?;
    store.change_account(account.id, Change::Settings(account.settings)).await?;
    Ok(changed(account.name, warnings))
}

pub(super) async fn remove(
    store: &dyn Store,
    account: &str,
    mail: WithMail,
) -> Result<DirectoryResponse, ControlError> {
    let account = super::find_account(store, Some(account)).await?;
    let usage = store.account_usage(account.id).await?;
    if usage.messages > 0 && mail == WithMail::Refuse {
        let messages = if usage.messages == 1 { "message" } else { "messages" };
        let text = format!(
            "{} has {} {messages}, which would be gone for good; --with-mail removes them too, `posta account set {} \
             --disable REASON` keeps them",
            account.name, usage.messages, account.name,
        );
        return Err(ControlError::new(ErrorKind::Conflict, text));
    }
    let (reached_by, catch_all_of) = references(store, &account.name).await?;
    store.remove_account(account.id).await?;
    let name = &account.name;
    let mut warnings: Vec<String> =
        reached_by.iter().map(|address| format!("{address} still leads to {name}")).collect();
    warnings.extend(catch_all_of.iter().map(|domain| format!("the catch-all of {domain} is still {name}")));
    Ok(changed(account.name, warnings))
}

pub(super) async fn set_password(
    store: &dyn Store,
    account: &str,
    password: Option<Password>,
    shared_secret: SharedSecret,
) -> Result<DirectoryResponse, ControlError> {
    let account = super::find_account(store, Some(account)).await?;
    let fresh = match (password, shared_secret) {
        (Some(password), _) => credentials(password, kept_secret(&account, shared_secret)).await?,
        (None, SharedSecret::Forbid) => Credentials { shared_secret: None, ..account.credentials },
        (None, SharedSecret::Allow) => {
            return Err(names::bad("CRAM-MD5 needs the password itself, which is not kept: give it again"));
        }
        (None, SharedSecret::Keep) => {
            return Err(names::bad("there is nothing to change: no password is given"));
        }
    };
    let change = Change::Credentials {
        argon2id: fresh.argon2id,
        scram_sha_256: fresh.scram_sha_256,
        scram_sha_1: fresh.scram_sha_1,
        shared_secret: fresh.shared_secret,
    };
    store.change_account(account.id, change).await?;
    Ok(changed(account.name, Vec::new()))
}

pub(super) async fn add_app_password(
    store: &dyn Store,
    account: &str,
    label: &str,
) -> Result<DirectoryResponse, ControlError> {
    let account = super::find_account(store, Some(account)).await?;
    let label = names::some_line("the label", label)?;
    if account.credentials.app_passwords.len() >= APP_PASSWORDS_MAX {
        return Err(names::bad(format!(
            "{} has {APP_PASSWORDS_MAX} passwords for programs already; revoke one first",
            account.name
        )));
    }
    let made = passwords::app_password().map_err(password_error)?;
    let password = Password::new(made.text);
    let kept = AppPassword {
        name: label.clone(),
        sha256: made.sha256,
        created_at: outside::now(),
        last_used_at: None,
    };
    match store.change_account(account.id, Change::AddAppPassword(kept)).await {
        Ok(_) => Ok(DirectoryResponse::AppPassword { name: account.name, password }),
        Err(StoreError::Conflict(_)) => {
            let text =
                format!("{} has a password called {label:?} already; take another label", account.name);
            Err(ControlError::new(ErrorKind::Conflict, text))
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn revoke_app_password(
    store: &dyn Store,
    account: &str,
    label: &str,
) -> Result<DirectoryResponse, ControlError> {
    let account = super::find_account(store, Some(account)).await?;
    let change = Change::RemoveAppPassword { name: label.trim().to_owned() };
    match store.change_account(account.id, change).await {
        Ok(_) => Ok(changed(account.name, Vec::new())),
        Err(StoreError::NoSuchEntry) => {
            let name = account.name;
            let text = format!(
                "{name} has no password called {label:?}; `posta password app list {name}` shows those that are"
            );
            Err(ControlError::new(ErrorKind::NoSuchEntry, text))
        }
        Err(error) => Err(error.into()),
    }
}

fn kept_secret(account: &Account, wished: SharedSecret) -> passwords::SharedSecret {
    match wished {
        SharedSecret::Allow => passwords::SharedSecret::Keep,
        SharedSecret::Keep if account.credentials.shared_secret.is_some() => passwords::SharedSecret::Keep,
        SharedSecret::Keep | SharedSecret::Forbid => passwords::SharedSecret::Never,
    }
}

/// On a thread that no session waits for.
async fn credentials(
    password: Password,
    secret: passwords::SharedSecret,
) -> Result<Credentials, ControlError> {
    let made = tokio::task::spawn_blocking(move || passwords::credentials(password.reveal(), secret)).await;
    made.unwrap_or_else(|panic| Err(PasswordError::System(panic.to_string()))).map_err(password_error)
}

fn password_error(error: PasswordError) -> ControlError {
    let kind = match error {
        PasswordError::System(_) => ErrorKind::Unavailable,
        _ => ErrorKind::BadValue,
    };
    ControlError::new(kind, error.to_string())
}

/// Changes settings; what was wished in vain is a warning.
fn apply(
    change: AccountChange,
    name: &str,
    settings: &mut AccountSettings,
) -> Result<Vec<String>, ControlError> {
    let mut warnings = Vec::new();
    for written in &change.send_as_remove {
        let right = names::send_as(written)?;
        let before = settings.send_as.len();
        settings.send_as.retain(|had| *had != right);
        if settings.send_as.len() == before {
            warnings.push(format!("{name} had no right to send as {right}"));
        }
    }
    for written in &change.send_as_add {
        let right = names::send_as(written)?;
        if !settings.send_as.contains(&right) {
            settings.send_as.push(right);
        }
    }
    if settings.send_as.len() > SEND_AS_MAX {
        return Err(names::bad(format!(
            "an account may send as {SEND_AS_MAX} others at most; grant a domain"
        )));
    }
    match change.disabled {
        Setting::Keep => {}
        Setting::Clear => settings.status = AccountStatus::Active,
        Setting::To(reason) => {
            settings.status = AccountStatus::Disabled { reason: names::one_line("the reason", &reason)? };
        }
    }
    change.quota_bytes.apply(&mut settings.quota_bytes);
    change.messages_per_hour_max.apply(&mut settings.messages_per_hour_max);
    change.message_bytes_max.apply(&mut settings.message_bytes_max);
    change.recipients_max.apply(&mut settings.recipients_max);
    change.language.try_map(language)?.apply(&mut settings.language);
    Ok(warnings)
}

/// A tag that there are texts for; its region and the like are kept.
fn language(written: String) -> Result<LanguageTag, ControlError> {
    let tag = written.parse().ok().filter(|tag: &LanguageTag| tag.language().is_some());
    tag.ok_or_else(|| names::bad(UnknownLanguage { asked: written }.to_string()))
}

/// The addresses that lead straight to an account, and the domains that it is the catch-all of.
async fn references(store: &dyn Store, name: &str) -> Result<(Vec<String>, Vec<String>), ControlError> {
    let mut reached_by = Vec::new();
    for entry in store.addresses().await? {
        let leads_here = match &entry.kind {
            AddressKind::Alias { targets } => targets.iter().any(|target| key(target) == name),
            AddressKind::List(list) => list.members.iter().chain([&list.owner]).any(|who| key(who) == name),
            AddressKind::Moved { to, .. } => key(to) == name,
        };
        if leads_here {
            reached_by.push(entry.address.to_string());
        }
    }
    let domains = store.domains().await?.into_iter();
    let caught = domains.filter(|entry| entry.catch_all.as_ref().is_some_and(|all| key(all) == name));
    Ok((reached_by, caught.map(|entry| entry.domain.ascii().to_owned()).collect()))
}
