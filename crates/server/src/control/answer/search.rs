//! Messages that hold a text, as IMAP's SEARCH finds them.

use std::sync::Arc;

use imap::command::{SearchKey, SequenceSet, SetRange, SetValue};
use store::{Store, Uid};

use super::find_mailbox;
use crate::control::protocol::{ControlError, ErrorKind, FOUND_MAX, SearchRequest};
use crate::mail_search::{self, SearchError};
use crate::outside::now;

/// UIDs, ascending.
pub(super) async fn answer(store: &Arc<dyn Store>, request: SearchRequest) -> Result<Vec<u32>, ControlError> {
    let mailbox = find_mailbox(store.as_ref(), request.account.as_deref(), &request.mailbox).await?;
    let Some(first) = request.after.unwrap_or(0).checked_add(1) else { return Ok(Vec::new()) };
    let found = mail_search::search_once(store, mailbox.id, &key(&request, first), now()).await;
    let mut found = found.map_err(|error| match error {
        SearchError::Store(error) => error.into(),
        SearchError::Refused(why) => ControlError::new(ErrorKind::Unavailable, why.to_string()),
    })?;
    found.truncate(FOUND_MAX);
    Ok(found.into_iter().map(|Uid(uid)| uid).collect())
}

/// All that is wanted, together, from this UID on.
fn key(request: &SearchRequest, first: u32) -> SearchKey {
    let field =
        |name: &str, value: &str| SearchKey::Header { name: name.to_owned(), value: value.to_owned() };
    let range = SetRange { from: SetValue::Number(first), to: SetValue::Number(u32::MAX) };
    let mut keys = vec![SearchKey::Uid(SequenceSet::Ranges(vec![range]))];
    keys.extend(request.from.iter().map(|text| field("From", text)));
    keys.extend(
        request.to.iter().map(|text| SearchKey::Or(Box::new((field("To", text), field("Cc", text))))),
    );
    keys.extend(request.subject.iter().map(|text| field("Subject", text)));
    keys.extend(request.text.iter().map(|text| SearchKey::Text(text.clone())));
    SearchKey::And(keys)
}
