//! Items of the queue, as they go over the socket.

use store::{DamagedItem, QueueItem, QueueStatus, QueuedRecipient};

use super::select;
use crate::control::protocol::{QueueDamaged, QueueItemSummary, QueuedRecipientSummary};

/// Recipients of an item in a list.
const LISTED_RECIPIENTS_MAX: usize = 5;
/// Recipients of an item that is shown by itself.
const SHOWN_RECIPIENTS_MAX: usize = 1000;
/// Characters of a text in a list.
const LISTED_TEXT_MAX: usize = 300;
/// Characters of a text elsewhere.
const SHOWN_TEXT_MAX: usize = 2000;

pub(super) fn in_list(item: &QueueItem) -> QueueItemSummary {
    summary(item, LISTED_RECIPIENTS_MAX, LISTED_TEXT_MAX)
}

pub(super) fn whole(item: &QueueItem) -> QueueItemSummary {
    summary(item, SHOWN_RECIPIENTS_MAX, SHOWN_TEXT_MAX)
}

fn summary(item: &QueueItem, recipients_max: usize, text_max: usize) -> QueueItemSummary {
    let state = &item.state;
    let recipients = state.recipients.iter().take(recipients_max);
    QueueItemSummary {
        id: item.id.to_string(),
        mail_id: item.id.mail_id.to_string(),
        destination: item.destination.to_string(),
        from: item.reverse_path.to_string(),
        recipients: recipients.map(|to| recipient(to, text_max)).collect(),
        recipient_count: state.recipients.len(),
        received_at: item.received_at.to_string(),
        size_bytes: item.size_bytes,
        priority: item.priority,
        status: select::word(&state.status),
        reason: match &state.status {
            QueueStatus::Waiting => None,
            QueueStatus::Held { reason } => Some(cut(reason, text_max)),
        },
        due_at: state.due_at.to_string(),
        attempts: state.attempts,
        first_attempt_at: state.first_attempt_at.map(|at| at.to_string()),
        last_attempt_at: state.last_attempt_at.map(|at| at.to_string()),
        last_host: state.last_host.clone(),
        own_failures: state.own_failures,
        notices: state.notices,
        damage: None,
    }
}

pub(super) fn damaged(item: &DamagedItem) -> QueueDamaged {
    QueueDamaged {
        id: item.id.to_string(),
        mail_id: item.id.mail_id.to_string(),
        destination: item.destination.to_string(),
        why: item.why.clone(),
    }
}

fn recipient(to: &QueuedRecipient, text_max: usize) -> QueuedRecipientSummary {
    QueuedRecipientSummary {
        address: super::act::address(&to.recipient.forward_path),
        notify: to.recipient.dsn.notify.map(|notify| notify.to_string()),
        last: to.last.as_ref().map(|last| cut(&last.one_line(), text_max)),
    }
}

fn cut(text: &str, characters_max: usize) -> String {
    match text.char_indices().nth(characters_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
