//! The keys of an issuer, read when they are first asked for and again as they change.

use std::time::Duration;

use jsonwebtoken::DecodingKey;
use tokio::sync::Mutex;
use tracing::warn;
use types::Timestamp;

use super::jwk::{KeySet, Wanted};
use super::source;
use crate::auth::token::TokenError;
use crate::config::JwksSource;

/// An issuer's keys.
pub(super) struct Keys {
    source: JwksSource,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    keys: KeySet,
    read_at: Option<Timestamp>,
    tried_at: Option<Timestamp>,
}

/// Keys are read again when they are this old …
const REFRESH_INTERVAL: Duration = Duration::from_secs(60 * 60);
/// … or when a token names one that is not among them, but no more often than this, whatever clients send.
const TRY_INTERVAL: Duration = Duration::from_secs(60);
/// An issuer that cannot be reached is believed for this long; a key that it took back meanwhile is good until then.
const KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);

impl Keys {
    pub(super) fn new(source: JwksSource) -> Self {
        Self { source, state: Mutex::default() }
    }

    /// The keys that may have signed such a token. One asks the issuer; the others wait for its answer.
    pub(super) async fn find(&self, wanted: &Wanted, now: Timestamp) -> Result<Vec<DecodingKey>, TokenError> {
        let mut state = self.state.lock().await;
        let found = state.keys.fitting(wanted);
        let is_older = |at: Option<Timestamp>, age| at.is_none_or(|at| now.since(at) >= age);
        let is_wanted = found.is_empty() || is_older(state.read_at, REFRESH_INTERVAL);
        if !is_wanted || !is_older(state.tried_at, TRY_INTERVAL) {
            return state.answer(found, now);
        }
        state.tried_at = Some(now);
        match source::read(&self.source).await.and_then(|text| Ok(KeySet::parse(&text)?)) {
            Ok(keys) => {
                state.keys = keys;
                state.read_at = Some(now);
            }
            Err(why) => warn!(source = %self.source, %why, "the keys of an issuer of tokens cannot be read"),
        }
        let found = state.keys.fitting(wanted);
        state.answer(found, now)
    }
}

impl State {
    fn answer(&self, found: Vec<DecodingKey>, now: Timestamp) -> Result<Vec<DecodingKey>, TokenError> {
        match self.read_at {
            Some(at) if now.since(at) < KEPT_FOR => Ok(found),
            _ => Err(TokenError::Unavailable),
        }
    }
}
