//! Which items of the queue are meant.

use std::collections::HashSet;

use store::{DamagedItem, Destination, Queue, QueueItem, QueueItemId, QueueStatus, StoreError};
use types::{Domain, ForwardPath, Host, MailId, Mailbox, ReversePath, Timestamp};

use crate::control::protocol::{ControlError, ErrorKind, QueueFilter, QueueWord, SiteSummary};

/// A [`QueueFilter`] that makes sense.
#[derive(Debug)]
pub(super) struct Selection {
    ids: Vec<String>,
    from: Option<AddressPattern>,
    to: Option<AddressPattern>,
    domain: Option<DomainPattern>,
    site: Option<Site>,
    before: Option<Timestamp>,
    /// In lower case.
    reply: Option<String>,
    status: Option<QueueWord>,
}

/// What a request has found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) items: Vec<QueueItem>,
    /// Those that cannot be read, where nothing but ids was said.
    pub(super) damaged: Vec<DamagedItem>,
    pub(super) next: Option<QueueItemId>,
    pub(super) scanned: u64,
}

/// Which destinations.
#[derive(Debug)]
pub(super) enum DomainPattern {
    One(Destination),
    Below(Domain),
}

#[derive(Debug)]
enum AddressPattern {
    Null,
    Postmaster,
    Domain(Domain),
    One(Box<Mailbox>),
}

/// A site and what is known to go there.
#[derive(Debug)]
struct Site {
    name: String,
    destinations: HashSet<String>,
}

/// Items that one request looks at: some milliseconds.
const SCANNED_MAX: u64 = 5000;
/// Items that are read at one time.
const READ_MAX: usize = 500;

impl Selection {
    pub(super) fn read(filter: QueueFilter, sites: Vec<SiteSummary>) -> Result<Self, ControlError> {
        let QueueFilter { ids, from, to, domain, site, before_ms, reply, status } = filter;
        Ok(Self {
            ids,
            from: from.as_deref().map(AddressPattern::sender).transpose()?,
            to: to.as_deref().map(AddressPattern::recipient).transpose()?,
            domain: domain.as_deref().map(DomainPattern::read).transpose()?,
            site: site.map(|name| Site::new(name, sites)),
            before: before_ms.map(Timestamp::from_millis),
            reply: reply.map(|text| text.to_lowercase()),
            status,
        })
    }

    /// The next of them, up to `limit`, behind `after`.
    pub(super) async fn find(
        &self,
        queue: &dyn Queue,
        after: Option<QueueItemId>,
        limit: usize,
    ) -> Result<Found, ControlError> {
        if !self.ids.is_empty() {
            return self.find_named(queue).await;
        }
        let destination = match &self.domain {
            Some(DomainPattern::One(destination)) => Some(destination),
            _ => None,
        };
        let (mut found, mut after) = (Found::default(), after);
        loop {
            let page = queue.queue_page(destination, after, READ_MAX).await?;
            let is_last = page.len() < READ_MAX;
            for item in page {
                // An id is made before the message is accepted, so all that follow came later.
                if self.before.is_some_and(|before| item.id.mail_id.time() > before) {
                    return Ok(found);
                }
                let id = item.id;
                after = Some(id);
                found.scanned += 1;
                if self.fits(&item) {
                    found.items.push(item);
                }
                if found.items.len() >= limit {
                    found.next = Some(id);
                    return Ok(found);
                }
            }
            if is_last {
                return Ok(found);
            }
            if found.scanned >= SCANNED_MAX {
                found.next = after;
                return Ok(found);
            }
        }
    }

    async fn find_named(&self, queue: &dyn Queue) -> Result<Found, ControlError> {
        let mut found = Found::default();
        for id in &self.ids {
            let Named { items, damaged } = named(queue, id).await?;
            found.scanned += items.len() as u64;
            found.items.extend(items.into_iter().filter(|item| self.fits(item)));
            found.damaged.extend(damaged);
        }
        found.items.sort_by_key(|item| item.id);
        found.items.dedup_by_key(|item| item.id);
        // Nobody knows what they are.
        found.damaged.retain(|_| self.names_ids_alone());
        found.damaged.sort_by_key(|item| item.id);
        found.damaged.dedup_by_key(|item| item.id);
        Ok(found)
    }

    const fn names_ids_alone(&self) -> bool {
        let Self { ids: _, from, to, domain, site, before, reply, status } = self;
        from.is_none()
            && to.is_none()
            && domain.is_none()
            && site.is_none()
            && before.is_none()
            && reply.is_none()
            && status.is_none()
    }

    fn fits(&self, item: &QueueItem) -> bool {
        self.from.as_ref().is_none_or(|pattern| pattern.fits_sender(&item.reverse_path))
            && self.to.as_ref().is_none_or(|pattern| {
                item.state.recipients.iter().any(|to| pattern.fits_recipient(&to.recipient.forward_path))
            })
            && self.domain.as_ref().is_none_or(|pattern| pattern.fits(&item.destination))
            && self.site.as_ref().is_none_or(|site| site.fits(item))
            && self.before.is_none_or(|before| item.received_at <= before)
            && self.reply.as_deref().is_none_or(|text| was_said(item, text))
            && self.status.is_none_or(|status| status == word(&item.state.status))
    }
}

/// What an id means.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub(super) items: Vec<QueueItem>,
    /// Those whose record cannot be read.
    pub(super) damaged: Vec<DamagedItem>,
}

/// The item of that id, or all of a message.
pub(super) async fn named(queue: &dyn Queue, id: &str) -> Result<Named, ControlError> {
    if let Ok(mail_id) = id.parse::<MailId>() {
        let damaged = queue.damaged_items_of(mail_id).await?;
        return Ok(Named { items: queue.queue_items_of(mail_id).await?, damaged });
    }
    Ok(match one(queue, item_id(id)?).await? {
        Some(Ok(item)) => Named { items: vec![item], ..Named::default() },
        Some(Err(item)) => Named { damaged: vec![item], ..Named::default() },
        None => Named::default(),
    })
}

/// An item, or what is known of it where its record is damaged.
pub(super) async fn one(
    queue: &dyn Queue,
    id: QueueItemId,
) -> Result<Option<Result<QueueItem, DamagedItem>>, ControlError> {
    match queue.queue_item(id).await {
        Ok(item) => Ok(item.map(Ok)),
        Err(StoreError::Damaged(_)) => {
            let damaged = queue.damaged_items_of(id.mail_id).await?;
            Ok(damaged.into_iter().find(|item| item.id == id).map(Err))
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) fn item_id(id: &str) -> Result<QueueItemId, ControlError> {
    id.parse().map_err(|error| bad(format!("{id}: {error}")))
}

pub(super) const fn word(status: &QueueStatus) -> QueueWord {
    match status {
        QueueStatus::Waiting => QueueWord::Waiting,
        QueueStatus::Held { .. } => QueueWord::Held,
    }
}

fn was_said(item: &QueueItem, text: &str) -> bool {
    let last = item.state.recipients.iter().filter_map(|to| to.last.as_ref());
    let held = match &item.state.status {
        QueueStatus::Held { reason } => reason.to_lowercase().contains(text),
        QueueStatus::Waiting => false,
    };
    held || last.into_iter().any(|last| last.one_line().to_lowercase().contains(text))
}

impl DomainPattern {
    pub(super) fn read(text: &str) -> Result<Self, ControlError> {
        let wrong = |error| bad(format!("{text}: {error}"));
        match text.strip_prefix('.') {
            Some(domain) => Ok(Self::Below(domain.parse().map_err(wrong)?)),
            None => Ok(Self::One(Destination::of(&text.parse::<Host>().map_err(wrong)?))),
        }
    }

    fn fits(&self, destination: &Destination) -> bool {
        match self {
            Self::One(one) => one == destination,
            Self::Below(domain) => {
                let suffix = domain.ascii().to_ascii_lowercase();
                destination.as_str().strip_suffix(&suffix).is_some_and(|above| above.ends_with('.'))
            }
        }
    }
}

impl AddressPattern {
    fn sender(text: &str) -> Result<Self, ControlError> {
        if text == "<>" { Ok(Self::Null) } else { Self::read(text, "an address, @domain or <>") }
    }

    fn recipient(text: &str) -> Result<Self, ControlError> {
        if text.eq_ignore_ascii_case("postmaster") {
            return Ok(Self::Postmaster);
        }
        Self::read(text, "an address or @domain")
    }

    fn read(text: &str, expected: &str) -> Result<Self, ControlError> {
        let bare = text.strip_prefix('<').and_then(|text| text.strip_suffix('>')).unwrap_or(text);
        let read = match bare.strip_prefix('@') {
            Some(domain) => domain.parse().map(Self::Domain),
            None => bare.parse().map(|mailbox| Self::One(Box::new(mailbox))),
        };
        read.map_err(|error| bad(format!("{text} is not {expected}: {error}")))
    }

    fn fits_sender(&self, path: &ReversePath) -> bool {
        match path {
            ReversePath::Null => matches!(self, Self::Null),
            ReversePath::Mailbox(mailbox) => self.fits(mailbox),
        }
    }

    fn fits_recipient(&self, path: &ForwardPath) -> bool {
        match path {
            ForwardPath::Postmaster => matches!(self, Self::Postmaster),
            ForwardPath::Mailbox(mailbox) => self.fits(mailbox),
        }
    }

    /// Without regard to case, as people type addresses.
    fn fits(&self, mailbox: &Mailbox) -> bool {
        match self {
            Self::Null => false,
            Self::Postmaster => mailbox.local_part.as_str().eq_ignore_ascii_case("postmaster"),
            Self::Domain(domain) => is_at(mailbox, domain),
            Self::One(one) => {
                let is_same_host = match &one.host {
                    Host::Domain(domain) => is_at(mailbox, domain),
                    host => *host == mailbox.host,
                };
                let wanted = one.local_part.unquoted().to_lowercase();
                is_same_host && mailbox.local_part.unquoted().to_lowercase() == wanted
            }
        }
    }
}

fn is_at(mailbox: &Mailbox, domain: &Domain) -> bool {
    matches!(&mailbox.host, Host::Domain(host) if host.ascii().eq_ignore_ascii_case(domain.ascii()))
}

impl Site {
    fn new(name: String, sites: Vec<SiteSummary>) -> Self {
        let known = sites.into_iter().find(|site| site.name.eq_ignore_ascii_case(&name));
        let destinations = known.map(|site| site.destinations.into_iter().collect()).unwrap_or_default();
        Self { name, destinations }
    }

    fn fits(&self, item: &QueueItem) -> bool {
        // `mx.example.org [192.0.2.1]`: by its name or its address.
        let tried = item.state.last_host.as_deref().unwrap_or_default();
        let is_tried = tried
            .split([' ', '[', ']'])
            .any(|word| !word.is_empty() && word.eq_ignore_ascii_case(&self.name));
        is_tried || self.destinations.contains(item.destination.as_str())
    }
}

fn bad(text: String) -> ControlError {
    ControlError::new(ErrorKind::BadValue, text)
}
