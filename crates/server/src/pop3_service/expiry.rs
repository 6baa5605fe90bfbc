//! EXPIRE after days (RFC 2449 §6.7) where no session comes: what a client has retrieved goes when its time is over, whether the
//! client ever says QUIT again or not.
//!
//! Left out on purpose: `expire = 0`, which is about one session and its QUIT; accounts that are disabled, whose mail stays as
//! it is; maildrops that a session has just locked, whose messages shall not go while it reads them. For the same reason a
//! maildrop is locked while a step is taken: who logs in at that moment is told so, as if another session had it.

use std::sync::Arc;
use std::time::Duration;

use store::{Account, StoreError};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tracing::{info, warn};
use types::Timestamp;

use super::update::{self, Days};
use crate::auth::is_active;
use crate::config::Pop3Expiry;
use crate::shared::Shared;

/// How often it is looked whether something is due.
const LOOK_EVERY: Duration = Duration::from_secs(60 * 60);
/// Messages of one step: others' changes come between two of them.
const STEP_MAX: usize = 1000;

/// Looks now and every hour, until the node stops; where the configuration gives days.
pub(crate) fn start(shared: &Arc<Shared>) -> Option<JoinHandle<()>> {
    match shared.config.pop3.expire {
        Pop3Expiry::Never | Pop3Expiry::AfterDays(0) => None,
        Pop3Expiry::AfterDays(days) => Some(shared.while_serving(move |shared| async move {
            loop {
                if let Err(error) = look(&shared, Days(days)).await {
                    warn!(%error, "what POP3 keeps for some days could not be looked through");
                }
                sleep(LOOK_EVERY).await;
            }
        })),
    }
}

/// One look at every account.
async fn look(shared: &Shared, days: Days) -> Result<(), StoreError> {
    for account in shared.store.accounts().await?.iter().filter(|account| is_active(account)) {
        // A failure with one account is none of the others.
        match expire(shared, account, days, shared.now()).await {
            Ok(0) => {}
            Ok(messages) => {
                info!(account = %account.name, messages, "messages that POP3 had retrieved are gone by EXPIRE");
            }
            Err(error) => warn!(account = %account.name, %error, "messages could not go by EXPIRE"),
        }
    }
    Ok(())
}

/// Does with what is due as `[pop3] deleted` says; returns how many went.
async fn expire(shared: &Shared, account: &Account, days: Days, now: Timestamp) -> Result<usize, StoreError> {
    let keywords = shared.store.mailbox(account.inbox).await?.keywords;
    let Some(retrieved) = update::keyword(&keywords, update::RETRIEVED) else { return Ok(0) };
    let (mut gone, mut after) = (0, None);
    loop {
        let page = shared.store.messages(account.inbox, after, STEP_MAX).await?;
        let is_due = |entry: &&store::MessageEntry| {
            entry.flags.contains(retrieved)
                && days.are_over(entry, now)
                && !update::is_hidden(entry, &keywords)
        };
        let due: Vec<_> = page.iter().filter(is_due).map(|entry| entry.uid).collect();
        if !due.is_empty() {
            // Nothing goes from under a session, and none comes meanwhile. Whoever only looks keeps nobody out.
            let Ok(_lock) = shared.maildrops.lock(account.id, Duration::ZERO, now) else { break };
            gone += update::remove(shared, account.id, account.inbox, &due, now).await?.0;
        }
        match page.last() {
            Some(last) if page.len() == STEP_MAX => after = Some(last.uid),
            _ => break,
        }
    }
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use store::{Acceptance, AccountChange, Body, Delivery, Flags, NewAccount, Uid};
    use types::directory::{AccountSettings, AccountStatus};
    use types::{Envelope, MailId};

    use super::*;
    use crate::config::{ByteSize, Config, Pop3Deleted};
    use crate::node::Node;

    const BEGIN: Timestamp = Timestamp::from_millis(1_795_322_124_250);
    const DAYS: Days = Days(30);

    /// Days after the first message came.
    fn day(days: u64) -> Timestamp {
        BEGIN.plus(Duration::from_secs(days * 24 * 60 * 60))
    }

    /// A node with an account.
    async fn start(data: &tempfile::TempDir, deleted: Pop3Deleted) -> (Node, Account) {
        let mut config = Config { data: data.path().into(), listeners: Vec::new(), ..Config::default() };
        config.host_name = "mail.example.org".parse().unwrap();
        config.store.min_free_bytes = ByteSize(0);
        config.pop3.deleted = deleted;
        let node = Node::start(Arc::new(config)).await.unwrap();
        let store = &node.shared().store;
        let account = store.create_account(NewAccount::new("ada@example.org", BEGIN)).await.unwrap();
        (node, account)
    }

    async fn deliver(node: &Node, account: &Account, at: Timestamp) {
        let envelope = Envelope::new("<>".parse().unwrap(), ["<ada@example.org>".parse().unwrap()]);
        let body = Body::Memory(vec![Bytes::from_static(b"Subject: a\r\n\r\n")]);
        let deliveries = vec![Delivery::to(account.inbox)];
        let acceptance = Acceptance { deliveries, ..Acceptance::new(MailId::new(at, 1), at, envelope, body) };
        node.shared().store.accept(acceptance).await.unwrap();
    }

    /// As a session does at QUIT.
    async fn retrieved(node: &Node, account: &Account, uids: &[u32]) {
        let store = &node.shared().store;
        let keywords = store.add_keywords(account.inbox, &[update::RETRIEVED.to_owned()]).await.unwrap();
        let flag = update::keyword(&keywords, update::RETRIEVED).unwrap();
        let uids: Vec<Uid> = uids.iter().copied().map(Uid).collect();
        store.store_flags(account.inbox, &uids, flag, Flags::NONE, None).await.unwrap();
    }

    async fn uids(node: &Node, account: &Account) -> Vec<u32> {
        let entries = node.shared().store.messages(account.inbox, None, 100).await.unwrap();
        entries.iter().map(|entry| entry.uid.0).collect()
    }

    #[tokio::test]
    async fn what_was_retrieved_goes_when_its_days_are_over_without_any_session() {
        let data = tempfile::tempdir().unwrap();
        let (node, account) = start(&data, Pop3Deleted::Remove).await;
        for days in [0, 1, 10] {
            deliver(&node, &account, day(days)).await;
        }
        // Nobody has retrieved anything: a mailbox without the keyword is not looked through.
        assert_eq!(expire(node.shared(), &account, DAYS, day(100)).await.unwrap(), 0);
        retrieved(&node, &account, &[1, 3]).await;
        assert_eq!(expire(node.shared(), &account, DAYS, day(29)).await.unwrap(), 0);
        assert_eq!(expire(node.shared(), &account, DAYS, day(30)).await.unwrap(), 1);
        assert_eq!(
            uids(&node, &account).await,
            [2, 3],
            "what nobody has retrieved stays, and what came later"
        );
        assert_eq!(expire(node.shared(), &account, DAYS, day(40)).await.unwrap(), 1);
        assert_eq!(uids(&node, &account).await, [2]);
        assert_eq!(node.shared().store.expunged(account.id).await.unwrap().len(), 2, "they can be restored");
    }

    #[tokio::test]
    async fn a_maildrop_that_a_session_has_is_left_alone() {
        let data = tempfile::tempdir().unwrap();
        let (node, account) = start(&data, Pop3Deleted::Remove).await;
        deliver(&node, &account, day(0)).await;
        retrieved(&node, &account, &[1]).await;
        let lock = node.shared().maildrops.lock(account.id, Duration::ZERO, day(50)).unwrap();
        assert_eq!(expire(node.shared(), &account, DAYS, day(50)).await.unwrap(), 0);
        drop(lock);
        assert_eq!(expire(node.shared(), &account, DAYS, day(50)).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn what_is_hidden_goes_once_and_stays_in_the_mailbox() {
        let data = tempfile::tempdir().unwrap();
        let (node, account) = start(&data, Pop3Deleted::Hide).await;
        deliver(&node, &account, day(0)).await;
        retrieved(&node, &account, &[1]).await;
        assert_eq!(expire(node.shared(), &account, DAYS, day(30)).await.unwrap(), 1);
        assert_eq!(expire(node.shared(), &account, DAYS, day(31)).await.unwrap(), 0);
        assert_eq!(uids(&node, &account).await, [1]);
    }

    #[tokio::test]
    async fn mail_of_a_disabled_account_stays() {
        let data = tempfile::tempdir().unwrap();
        let (node, account) = start(&data, Pop3Deleted::Remove).await;
        // Long ago, by the clock of the machine.
        deliver(&node, &account, Timestamp::from_millis(1_000_000_000_000)).await;
        retrieved(&node, &account, &[1]).await;
        let store = &node.shared().store;
        for status in [AccountStatus::Disabled { reason: "left".to_owned() }, AccountStatus::Active] {
            assert_eq!(uids(&node, &account).await, [1]);
            let settings = AccountSettings { status, ..account.settings.clone() };
            store.change_account(account.id, AccountChange::Settings(settings)).await.unwrap();
            look(node.shared(), DAYS).await.unwrap();
        }
        assert!(uids(&node, &account).await.is_empty());
    }
}
