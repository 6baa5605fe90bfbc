//! What an operator asks of the queue and does to it.
//!
//! Whatever is done is durable before it is answered, and stands in the trace of each message. An item may be under way
//! while it is changed: its revision fences off what the runner had begun, and where the runner was faster, the change is
//! made to what it left.

mod act;
mod select;
mod summary;

use store::{BodyStream, Destination, Queue, QueueFigures, QueueItemId, StoreError};
use types::{Event, EventStep, Verdict};

use super::ControlTarget;
use super::protocol::{
    ControlError, DestinationSummary, ErrorKind, QueueFlush, QueueItemSummary, QueuePage, QueueRequest,
    QueueResponse, QueueTotals,
};
use crate::outside::{new_mail_id, now};

pub use act::GivenUp;
pub(super) use act::address;
use select::{DomainPattern, Named, Selection};

/// Items in one response, and in one act.
pub(super) const ITEMS_MAX: usize = 500;
/// Destinations that are looked at for those with the most mail.
const DESTINATIONS_MAX: usize = 20_000;
/// Destinations that are read at one time.
const DESTINATIONS_PAGE: usize = 1000;

pub(super) async fn answer(
    target: &dyn ControlTarget,
    request: QueueRequest,
) -> Result<QueueResponse, ControlError> {
    let queue = target.queue();
    Ok(match request {
        QueueRequest::Figures { destinations } => {
            QueueResponse::Figures(totals(queue, destinations.min(ITEMS_MAX)).await?)
        }
        QueueRequest::Items { filter, after, limit } => {
            let selection = Selection::read(*filter, target.sites().unwrap_or_default())?;
            let after = after.map(|id| select::item_id(&id)).transpose()?;
            let found = selection.find(queue, after, limit.clamp(1, ITEMS_MAX)).await?;
            QueueResponse::Items(QueuePage {
                items: found.items.iter().map(summary::in_list).collect(),
                damaged: found.damaged.iter().map(summary::damaged).collect(),
                next: found.next.map(|id| id.to_string()),
                scanned: found.scanned,
            })
        }
        QueueRequest::Show { id } => QueueResponse::Items(show(queue, &id).await?),
        QueueRequest::Sites => QueueResponse::Sites(target.sites().ok_or_else(not_running)?),
        QueueRequest::Act { act, ids, by } => QueueResponse::Acted(act::act(target, act, &ids, &by).await?),
        QueueRequest::Flush { what, by } => flush(target, what, &by).await?,
    })
}

async fn show(queue: &dyn Queue, id: &str) -> Result<QueuePage, ControlError> {
    let Named { items, damaged } = select::named(queue, id).await?;
    if items.is_empty() && damaged.is_empty() {
        return Err(gone(id));
    }
    // All of them are of one message, which may be long.
    let damage = match items.first() {
        Some(item) => damage(queue, item.id).await?,
        None => None,
    };
    let shown: Vec<_> = items
        .iter()
        .map(|item| QueueItemSummary { damage: damage.clone(), ..summary::whole(item) })
        .collect();
    let scanned = items.len() as u64;
    let damaged = damaged.iter().map(summary::damaged).collect();
    Ok(QueuePage { items: shown, damaged, next: None, scanned })
}

/// Why the message of an item cannot be read, where that is so.
async fn damage(queue: &dyn Queue, id: QueueItemId) -> Result<Option<String>, ControlError> {
    let read = async {
        let mut stream = queue.open_queued(id).await?;
        while !stream.next().await?.is_empty() {}
        Ok(())
    };
    match read.await {
        // It went meanwhile.
        Ok(()) | Err(StoreError::NoSuchMessage) => Ok(None),
        Err(StoreError::Damaged(why)) => Ok(Some(why)),
        Err(error) => Err(error.into()),
    }
}

/// The message of an item.
pub(super) async fn open(queue: &dyn Queue, id: &str) -> Result<Box<dyn BodyStream>, ControlError> {
    let Named { items, damaged } = select::named(queue, id).await?;
    if let ([], [damaged, ..]) = (&items[..], &damaged[..]) {
        return Err(StoreError::Damaged(damaged.why.clone()).into());
    }
    let item = items.first().ok_or_else(|| gone(id))?;
    Ok(queue.open_queued(item.id).await?)
}

async fn totals(queue: &dyn Queue, limit: usize) -> Result<QueueTotals, ControlError> {
    let QueueFigures { waiting, held, destinations } = queue.queue_figures().await?;
    let mut top: Vec<store::DestinationFigures> = Vec::new();
    let (mut after, mut seen): (Option<Destination>, usize) = (None, 0);
    while limit > 0 && seen < DESTINATIONS_MAX {
        let page = queue.queue_destinations(after.as_ref(), DESTINATIONS_PAGE).await?;
        seen += page.len();
        let is_last = page.len() < DESTINATIONS_PAGE;
        after = page.last().map(|figures| figures.destination.clone());
        top.extend(page);
        top.sort_by_key(|figures| std::cmp::Reverse(figures.waiting + figures.held));
        top.truncate(limit);
        if is_last {
            break;
        }
    }
    let top = top.into_iter().map(|figures| DestinationSummary {
        destination: figures.destination.to_string(),
        waiting: figures.waiting,
        held: figures.held,
        due_at: figures.due_at.map(|at| at.to_string()),
    });
    Ok(QueueTotals { waiting, held, destinations, top: top.collect() })
}

async fn flush(
    target: &dyn ControlTarget,
    what: QueueFlush,
    by: &str,
) -> Result<QueueResponse, ControlError> {
    let (about, words) = match &what {
        QueueFlush::All => (None, "all that waits"),
        QueueFlush::Domain { domain } => {
            DomainPattern::read(domain)?;
            (Some(domain.clone()), "what waits for this domain")
        }
        QueueFlush::Site { site } => (Some(site.clone()), "what waits for this site"),
    };
    if !target.flush(&what) {
        return Err(not_running());
    }
    let at = now();
    let reason = format!("{} asks that {words} be tried now", act::operator(by));
    let event = Event::new(at, new_mail_id(at), EventStep::Operator, Verdict::Noted, reason);
    target.store().record(vec![Event { address: about, ..event }]);
    Ok(QueueResponse::Flushed)
}

fn gone(id: &str) -> ControlError {
    let mail_id = id.split('.').next().unwrap_or_default();
    let text = format!("{id} is not in the queue; `posta trace {mail_id}` tells what became of it");
    ControlError::new(ErrorKind::NoSuchMessage, text)
}

fn not_running() -> ControlError {
    ControlError::new(ErrorKind::Unavailable, "no server runs on this data folder, so nothing is being sent")
}
