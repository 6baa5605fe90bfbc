//! Lets go for good what was expunged some days ago and nobody has brought back.

use std::sync::Arc;
use std::time::Duration;

use store::StoreError;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tracing::{info, warn};
use types::Timestamp;

use crate::shared::Shared;

/// How often it is looked whether something is due.
const LOOK_EVERY: Duration = Duration::from_secs(60 * 60);
/// Messages of one step: others' changes come between two of them.
const STEP_MAX: usize = 1000;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Looks now and every hour, until the node stops.
pub(crate) fn start(shared: &Arc<Shared>) -> JoinHandle<()> {
    shared.while_serving(look_again_and_again)
}

async fn look_again_and_again(shared: Arc<Shared>) {
    loop {
        match purge(&shared).await {
            Ok(0) => {}
            Ok(messages) => info!(messages, "expunged messages are gone for good"),
            Err(error) => warn!(%error, "expunged messages could not be let go"),
        }
        sleep(LOOK_EVERY).await;
    }
}

/// All that is due.
async fn purge(shared: &Shared) -> Result<usize, StoreError> {
    let kept_ms = shared.config.store.expunged_days.saturating_mul(DAY_MS);
    let before = Timestamp::from_millis(shared.now().millis().saturating_sub(kept_ms));
    let mut gone = 0;
    loop {
        let step = shared.store.purge_expunged(before, STEP_MAX).await?;
        gone += step;
        if step < STEP_MAX {
            return Ok(gone);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use store::{
        Acceptance, Account, Body, Delivery, Directory as _, Mailboxes as _, NewAccount, Spool as _, Uid,
    };
    use types::{Envelope, MailId, ReversePath};

    use super::*;
    use crate::config::{ByteSize, Config};
    use crate::node::Node;

    async fn node(data: &std::path::Path, expunged_days: u64) -> Node {
        let mut config = Config { data: data.to_path_buf(), listeners: Vec::new(), ..Config::default() };
        config.host_name = "mail.example.org".parse().unwrap();
        config.store.min_free_bytes = ByteSize(0);
        config.store.expunged_days = expunged_days;
        Node::start(Arc::new(config)).await.unwrap()
    }

    /// A message that is expunged at a time.
    async fn expunged(node: &Node, account: &Account, at: Timestamp) {
        let envelope = Envelope::new(ReversePath::Null, []);
        let body = Body::Memory(vec![Bytes::from_static(b"x\r\n")]);
        let deliveries = vec![Delivery::to(account.inbox)];
        let acceptance =
            Acceptance { deliveries, ..Acceptance::new(MailId::new(at, at.millis()), at, envelope, body) };
        let uid: Uid = node.store().accept(acceptance).await.unwrap().deliveries[0].uid;
        node.store().expunge(account.inbox, &[uid], at).await.unwrap();
    }

    async fn kept(node: &Node, account: &Account) -> usize {
        node.store().expunged(account.id).await.unwrap().len()
    }

    #[tokio::test]
    async fn what_was_expunged_goes_after_its_days_and_at_once_where_there_are_none() {
        let data = tempfile::tempdir().unwrap();
        let first = node(data.path(), 7).await;
        let now = first.shared().now();
        let days_ago = |days: u64| Timestamp::from_millis(now.millis() - days * DAY_MS);
        let new = NewAccount::new("ada@example.org", days_ago(30));
        let account = first.store().create_account(new).await.unwrap();
        for days in [8, 6, 0] {
            expunged(&first, &account, days_ago(days)).await;
        }
        purge(first.shared()).await.unwrap();
        assert_eq!(kept(&first, &account).await, 2, "those of less than seven days");
        first.run_until(async {}).await.unwrap();
        // What was kept before the operator changed that goes too, and nothing more is kept.
        let second = node(data.path(), 0).await;
        purge(second.shared()).await.unwrap();
        assert_eq!(kept(&second, &account).await, 0);
        let later = Timestamp::from_millis(now.millis() + 1);
        expunged(&second, &account, later).await;
        assert_eq!(kept(&second, &account).await, 0);
        assert_eq!(purge(second.shared()).await, Ok(0));
        second.run_until(async {}).await.unwrap();
    }
}
