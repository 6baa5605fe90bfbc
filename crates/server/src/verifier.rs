//! Checks passwords without letting many at once take all processors and memory.

use store::Account;
use tokio::sync::Semaphore;

use crate::{memory, passwords};

/// Argon2 takes tens of milliseconds and about 20 MiB each time: more than this many at once would let anybody
/// who can connect starve the rest.
const CONCURRENT_MAX: usize = 2;

/// Verifies passwords, a few at a time.
pub(crate) struct Verifier {
    permits: Semaphore,
}

impl Verifier {
    pub(crate) fn new() -> Self {
        Self { permits: Semaphore::new(CONCURRENT_MAX) }
    }

    /// Whether `password` is the account's. Without an account the same work is done, so that the time tells
    /// nobody whether it exists.
    pub(crate) async fn verify(&self, account: Option<&Account>, password: &str) -> bool {
        let Ok(_permit) = self.permits.acquire().await else { return false };
        let hash = account.map(|account| account.credentials.argon2id.clone()).unwrap_or_default();
        let password = password.to_owned();
        let verified = tokio::task::spawn_blocking(move || passwords::verify(&password, &hash)).await;
        memory::give_back_later();
        verified.unwrap_or(false)
    }
}
