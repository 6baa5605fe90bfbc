//! The runner with the real store, in a world of its own.

mod bounces;
mod flows;
mod hostile;
mod indexing;
mod queueing;
mod racing;
mod world;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use store::embedded::disk::{Disk, RealDisk};
use store::{
    Acceptance, Body, BodyStream, Destination, NewAccount, NewQueueItem, QueueClaim, QueueItem, QueueItemId,
    TraceQuery,
};
use tokio::sync::oneshot;
use types::directory::DomainEntry;
use types::{Envelope, Event, EventStep, MailId, MailParameters, RecipientDsn, ReversePath};

use super::{Flush, Fresh};
use crate::config::{ByteSize, Config};
use crate::node::Node;
use crate::shared::Shared;
use world::{START, TestWorld};

/// A node whose clock and network are the test's.
struct Bench {
    world: Arc<TestWorld>,
    shared: Arc<Shared>,
    stop: oneshot::Sender<()>,
    running: tokio::task::JoinHandle<Result<(), crate::node::NodeError>>,
    data: tempfile::TempDir,
    config: Config,
    mails: std::sync::atomic::AtomicU64,
}

/// A message to be accepted.
struct Mail {
    from: &'static str,
    to: Vec<(String, RecipientDsn)>,
    parameters: MailParameters,
    body: String,
}

/// A minute.
const MINUTE: Duration = Duration::from_secs(60);
/// Items that one message has here, at most.
const ITEMS_MAX: u32 = 16;
/// An hour.
const HOUR: Duration = Duration::from_secs(3600);

impl Bench {
    async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        Self::start_on(Arc::new(RealDisk), change).await
    }

    async fn start_on(disk: Arc<dyn Disk>, change: impl FnOnce(&mut Config)) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut config =
            Config { data: data.path().to_path_buf(), listeners: Vec::new(), ..Config::default() };
        config.host_name = "mail.example.org".parse().unwrap();
        config.store.min_free_bytes = ByteSize(0);
        config.queue.jitter_percent = 0;
        change(&mut config);
        let world = TestWorld::new();
        let bench = Self::open_on(disk, data, config, world).await;
        let domain = DomainEntry::new("example.org".parse().unwrap());
        bench.shared.store.put_domain(domain, store::Put::New).await.unwrap();
        for name in ["ada@example.org", "postmaster@mail.example.org"] {
            bench.shared.store.create_account(NewAccount::new(name, START)).await.unwrap();
        }
        bench
    }

    async fn open(data: tempfile::TempDir, config: Config, world: Arc<TestWorld>) -> Self {
        Self::open_on(Arc::new(RealDisk), data, config, world).await
    }

    async fn open_on(
        disk: Arc<dyn Disk>,
        data: tempfile::TempDir,
        config: Config,
        world: Arc<TestWorld>,
    ) -> Self {
        let (node, shared) =
            Node::start_with(Arc::new(config.clone()), disk, Arc::clone(&world) as _).await.unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(node.run_until(async move {
            let _ = stopped.await;
        }));
        Self { world, shared, stop, running, data, config, mails: std::sync::atomic::AtomicU64::new(0) }
    }

    /// Ends the node.
    async fn stop(self) -> (tempfile::TempDir, Config, Arc<TestWorld>) {
        let Self { shared, stop, running, data, config, world, .. } = self;
        drop(shared);
        let _ = stop.send(());
        running.await.unwrap().unwrap();
        (data, config, world)
    }

    /// Ends the node, and starts it with what it left.
    async fn restart(self) -> Self {
        let (data, config, world) = self.stop().await;
        Self::open(data, config, world).await
    }

    /// Accepts a message as the way in does, an item for each domain.
    async fn accept(&self, mail: Mail) -> MailId {
        let number = self.mails.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let now = super::World::now(&*self.world);
        let mail_id = MailId::new(now, number);
        let reverse_path: ReversePath = mail.from.parse().unwrap();
        let mut envelope = Envelope::new(
            reverse_path.clone(),
            mail.to.iter().map(|(to, _)| format!("<{to}>").parse().unwrap()),
        );
        for (recipient, (_, dsn)) in envelope.recipients.iter_mut().zip(&mail.to) {
            recipient.dsn = dsn.clone();
        }
        envelope.parameters = mail.parameters.clone();
        let terms = mta::schedule::Terms::new(&reverse_path, &mail.parameters, now);
        let mut queue: Vec<NewQueueItem> = Vec::new();
        for recipient in &envelope.recipients {
            let destination = Destination::of(&recipient.forward_path.mailbox().unwrap().host);
            match queue.iter_mut().find(|item| item.destination == destination) {
                Some(item) => item.recipients.push(recipient.clone()),
                None => queue.push(NewQueueItem {
                    destination,
                    reverse_path: reverse_path.clone(),
                    header: Bytes::new(),
                    recipients: vec![recipient.clone()],
                    due_at: terms.released_at(),
                }),
            }
        }
        let body = vec![Bytes::from(mail.body)];
        let has_room = self.shared.delivery.has_room();
        let accepted = self.shared.store.accept(Acceptance {
            mail_id,
            received_at: now,
            envelope: envelope.clone(),
            origin: "192.0.2.7 (client.example)".to_owned(),
            body: Body::Memory(body.clone()),
            deliveries: Vec::new(),
            queue,
            claim: if has_room { QueueClaim::ByCaller } else { QueueClaim::Later },
            idempotency: None,
        });
        let accepted = accepted.await.unwrap();
        let fresh = Fresh { envelope, body: Some(body) };
        self.shared.delivery.take_fresh(accepted.queue, Some(fresh));
        self.shared.delivery.wake();
        mail_id
    }

    /// Waits until something holds; it is asked whenever the runner has settled something.
    async fn until<F: Future<Output = bool>>(&self, holds: impl Fn() -> F) {
        let runner = &self.shared.delivery.runner;
        loop {
            let quiet = runner.quiet.notified();
            tokio::pin!(quiet);
            quiet.as_mut().enable();
            if holds().await {
                return;
            }
            quiet.await;
        }
    }

    /// Waits until nothing of a message is in the queue, and what became of it is in the trace, which is written last.
    async fn until_gone(&self, mail_id: MailId) {
        self.until(|| async { self.items(mail_id).await.is_empty() && !self.is_loaded(mail_id) }).await;
    }

    /// Waits until the only item of a message has had so many attempts, and returns it. The last one is in the trace.
    async fn until_attempts(&self, mail_id: MailId, attempts: u32) -> QueueItem {
        self.until(|| async {
            let has_had = |item: &QueueItem| item.state.attempts >= attempts;
            self.items(mail_id).await.first().is_none_or(has_had) && !self.is_loaded(mail_id)
        })
        .await;
        self.items(mail_id).await.remove(0)
    }

    /// Whether any item of a message is in the runner's memory, where it is until all of an attempt is written down.
    fn is_loaded(&self, mail_id: MailId) -> bool {
        let board = self.shared.delivery.runner.board();
        (1..=ITEMS_MAX).any(|part| board.holds(QueueItemId { mail_id, part }))
    }

    async fn items(&self, mail_id: MailId) -> Vec<QueueItem> {
        self.shared.store.queue_items_of(mail_id).await.unwrap()
    }

    /// Moves the clock, and has the runner look.
    fn pass(&self, time: Duration) {
        self.world.pass(time);
        self.shared.delivery.wake();
    }

    /// The messages in an INBOX, whole.
    async fn inbox(&self, account: &str) -> Vec<String> {
        let store = &self.shared.store;
        let account = store.account(account).await.unwrap().unwrap();
        let mut messages = Vec::new();
        for entry in store.messages(account.inbox, None, 1000).await.unwrap() {
            let mut body = store.open(account.inbox, entry.uid).await.unwrap();
            messages.push(String::from_utf8(read(&mut *body).await).unwrap());
        }
        messages
    }

    /// Waits until the trace tells that of a message: it may come to it a moment after what it tells of.
    async fn until_told(&self, mail_id: MailId, step: EventStep, what: &str) {
        while !self.trace(mail_id, step).await.iter().any(|event| event.reason.contains(what)) {
            tokio::task::yield_now().await;
        }
    }

    /// What the trace has of a message, by step.
    async fn trace(&self, mail_id: MailId, step: EventStep) -> Vec<Event> {
        let query = TraceQuery { id: Some(mail_id), ..TraceQuery::default() };
        let events = self.shared.store.trace(query).await.unwrap();
        events.into_iter().filter(|event| event.mail_id == Some(mail_id) && event.step == step).collect()
    }
}

async fn read(body: &mut dyn BodyStream) -> Vec<u8> {
    let mut octets = Vec::new();
    loop {
        let more = body.next().await.unwrap();
        if more.is_empty() {
            return octets;
        }
        octets.extend_from_slice(&more);
    }
}

impl Mail {
    fn to(to: &[&str]) -> Self {
        Self {
            from: "<ada@example.org>",
            to: to.iter().map(|to| ((*to).to_owned(), RecipientDsn::default())).collect(),
            parameters: MailParameters::default(),
            body: "Subject: Lunch\r\nMessage-ID: <lunch@example.org>\r\n\r\nToday at one?\r\n".to_owned(),
        }
    }

    /// With NOTIFY= for all recipients.
    fn notify(mut self, notify: types::Notify) -> Self {
        for (_, dsn) in &mut self.to {
            dsn.notify = Some(notify);
        }
        self
    }
}

/// The fields of the second part of a report (RFC 3464), of all recipients, read by a parser that is not ours.
fn report_fields(message: &str) -> Vec<(String, String)> {
    let message = mail_parser::MessageParser::default().parse(message.as_bytes()).unwrap();
    let part = message
        .parts
        .iter()
        .find(|part| {
            use mail_parser::MimeHeaders as _;
            part.content_type().is_some_and(|kind| kind.subtype() == Some("delivery-status"))
        })
        .unwrap();
    let text = String::from_utf8(part.contents().to_vec()).unwrap().replace("\r\n ", " ");
    let fields = text.lines().filter_map(|line| line.split_once(": "));
    fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The values of one field of a report.
fn field<'a>(fields: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    fields.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
}
