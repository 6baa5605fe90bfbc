//! Timelines for the command line: events as JSON, a line each, read like the content of a message, so that a long
//! timeline needs neither a long response nor the same search for each page.

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use store::{BodyStream, Store, StoreError, TraceQuery};
use types::{Event, EventStep, MailId, Timestamp, Verdict};

use super::client::{Client, ClientError};
use super::known::{self, Known};
use super::protocol::{ControlError, ErrorKind, Request};

/// One [`Event`] as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventSummary {
    /// When it was decided, in RFC 3339.
    pub at: String,
    /// The same in milliseconds since the epoch.
    pub at_ms: u64,
    /// The connection; nothing for a gap of the trace itself.
    pub session_id: Option<String>,
    /// The message.
    pub mail_id: Option<String>,
    /// What it was about: see [`EventStep::name`].
    pub step: String,
    /// What was decided: see [`Verdict::name`].
    pub verdict: String,
    /// The sender, recipient or account.
    pub address: Option<String>,
    /// What the peer was told.
    pub reply: Option<String>,
    /// Why.
    pub reason: String,
}

impl From<&Event> for EventSummary {
    fn from(event: &Event) -> Self {
        Self {
            at: event.at.to_string(),
            at_ms: event.at.millis(),
            session_id: (event.step != EventStep::Gap).then(|| event.session_id.to_string()),
            mail_id: event.mail_id.map(|id| id.to_string()),
            step: event.step.name().to_owned(),
            verdict: event.verdict.name().to_owned(),
            address: event.address.clone(),
            reply: event.reply.clone(),
            reason: event.reason.clone(),
        }
    }
}

impl EventSummary {
    /// The event; `None` where a text is not what this version writes.
    fn event(self) -> Option<Event> {
        Some(Event {
            at: Timestamp::from_millis(self.at_ms),
            session_id: match self.session_id {
                Some(id) => id.parse().ok()?,
                None => MailId::from_bytes([0; MailId::BYTES]),
            },
            mail_id: self.mail_id.map(|id| id.parse()).transpose().ok()?,
            // A newer server may know more of them.
            step: EventStep::named(&self.step).unwrap_or(EventStep::Command),
            verdict: Verdict::named(&self.verdict).unwrap_or(Verdict::Noted),
            address: self.address,
            reply: self.reply,
            reason: self.reason,
        })
    }
}

/// Answers [`Request::Trace`].
pub(super) async fn answer(
    store: &dyn Store,
    id: Option<&str>,
    address: Option<String>,
    since_ms: Option<u64>,
    limit: usize,
) -> Result<Box<dyn BodyStream>, ControlError> {
    let id = id.map(str::parse::<MailId>).transpose();
    let id = id.map_err(|error| ControlError::new(ErrorKind::BadValue, error.to_string()))?;
    let since = since_ms.map(Timestamp::from_millis);
    // Who asks for a time or an address asks for events.
    let message = id.filter(|_| address.is_none() && since.is_none());
    let events = store.trace(TraceQuery { id, address, since, limit }).await?;
    let Known { before, after } = match message {
        Some(mail_id) => known::known(store, mail_id, &events).await?,
        None => Known::default(),
    };
    let lines: Vec<u8> = before.iter().chain(&events).chain(&after).flat_map(line).collect();
    Ok(Box::new(Lines(Bytes::from(lines))))
}

fn line(event: &Event) -> Vec<u8> {
    // Strings and numbers are always JSON.
    let mut line = serde_json::to_vec(&EventSummary::from(event)).unwrap_or_default();
    line.push(b'\n');
    line
}

/// What is left to be read.
struct Lines(Bytes);

/// Octets of one piece.
const PIECE_BYTES: usize = 64 * 1024;

#[async_trait]
impl BodyStream for Lines {
    fn size_bytes(&self) -> u64 {
        self.0.len() as u64
    }

    async fn next(&mut self) -> Result<Bytes, StoreError> {
        Ok(self.0.split_to(self.0.len().min(PIECE_BYTES)))
    }
}

impl Client {
    /// The timelines that a query means: see [`store::Trace::trace`].
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn trace(&mut self, query: TraceQuery) -> Result<Vec<Event>, ClientError> {
        let request = Request::Trace {
            id: query.id.map(|id| id.to_string()),
            address: query.address,
            since_ms: query.since.map(Timestamp::millis),
            limit: query.limit,
        };
        let (mut events, mut rest) = (Vec::new(), Vec::new());
        let mut malformed = false;
        self.read(request, |octets| {
            rest.extend_from_slice(octets);
            let whole = rest.iter().rposition(|octet| *octet == b'\n').map_or(0, |end| end + 1);
            for line in rest[..whole].split(|octet| *octet == b'\n').filter(|line| !line.is_empty()) {
                match serde_json::from_slice(line).ok().and_then(EventSummary::event) {
                    Some(event) => events.push(event),
                    None => malformed = true,
                }
            }
            rest.drain(..whole);
            Ok(())
        })?;
        if malformed || !rest.is_empty() { Err(ClientError::Unexpected) } else { Ok(events) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use store::embedded::{Embedded, Options};

    use super::super::{ControlTarget, Server};
    use super::*;
    use crate::StoreTarget;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
    }

    fn event(n: u64) -> Event {
        let at = Timestamp::from_millis(1_795_348_800_000 + n);
        Event::new(at, MailId::new(at, n % 7), EventStep::Recipient, Verdict::Refused, "naïve \"reason\"\n")
            .of_mail(MailId::new(at, n))
            .about("x@example.org")
            .replied("550 5.1.1 No such mailbox here: <x@example.org>")
    }

    #[test]
    fn an_event_survives_json_and_a_gap_has_no_session() {
        let gap = Event::new(
            Timestamp::from_millis(5),
            MailId::from_bytes([0; 16]),
            EventStep::Gap,
            Verdict::Noted,
            "",
        );
        for event in [event(1), gap] {
            let json = serde_json::to_string(&EventSummary::from(&event)).unwrap();
            let read: EventSummary = serde_json::from_str(&json).unwrap();
            assert_eq!(read.session_id.is_none(), event.step == EventStep::Gap);
            assert_eq!(read.event(), Some(event));
        }
    }

    #[test]
    fn long_timelines_come_whole_over_both_transports() {
        let folder = tempfile::tempdir().unwrap();
        let (runtime, other) = (runtime(), runtime());
        let (store, server) = {
            let _entered = runtime.enter();
            let store = Arc::new(Embedded::open(Options::at(folder.path())).unwrap());
            let target: Arc<dyn ControlTarget> = Arc::new(StoreTarget::new(Arc::clone(&store)));
            (store, Server::start(folder.path(), target).unwrap())
        };
        let events: Vec<_> = (0..5000).map(event).collect();
        store::Trace::record(&*store, events.clone());
        let target: Arc<dyn ControlTarget> = Arc::new(StoreTarget::new(Arc::clone(&store)));
        let remote = Client::connect(folder.path()).unwrap().expect("a server listens");
        for mut client in [remote, Client::in_process(other, target)] {
            let all =
                TraceQuery { limit: 10_000, address: Some("x@example.org".into()), ..TraceQuery::default() };
            let found = client.trace(all).unwrap();
            assert_eq!(found.len(), 1001, "a thousand timelines, and the word that there are more");
            assert_eq!(found[1..], events[4000..]);
            let one = TraceQuery { id: events[17].mail_id, ..TraceQuery::default() };
            assert_eq!(client.trace(one).unwrap(), events[17..18]);
            let since = TraceQuery { since: Some(Timestamp::from_millis(u64::MAX)), ..TraceQuery::default() };
            assert_eq!(client.trace(since).unwrap(), []);
        }
        runtime.block_on(server.stop());
    }

    #[test]
    fn what_is_no_id_is_said_to_be_none() {
        let folder = tempfile::tempdir().unwrap();
        let runtime = runtime();
        let _entered = runtime.enter();
        let store = Embedded::open(Options::at(folder.path())).unwrap();
        let answered = runtime.block_on(answer(&store, Some("nonsense"), None, None, 1));
        assert_eq!(answered.err().map(|error| error.kind), Some(ErrorKind::BadValue));
    }
}
