//! SEARCH, SORT and THREAD in one mailbox.

use imap::command::SearchKey;
use imap::search::Found;
use imap::session::{Refusal, SearchKind};
use imap::view::View;
use types::Timestamp;

use crate::shared::Shared;

/// Told now and then how far a search has come: so many messages of so many.
pub(crate) type Progress<'p> = &'p (dyn Fn(u32, u32) + Send + Sync);

/// Looks for messages as one client knows the mailbox. Dropped, it ends.
pub(crate) async fn search(
    _shared: &Shared,
    _view: &View,
    _key: &SearchKey,
    _kind: &SearchKind,
    _now: Timestamp,
    _progress: Progress<'_>,
) -> Result<Found, Refusal> {
    Err(Refusal::Temporary)
}
