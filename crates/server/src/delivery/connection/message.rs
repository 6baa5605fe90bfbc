//! One message on its way over a connection.

use std::time::Duration;

use bytes::{Buf as _, Bytes};
use mta::convert::{Converter, NotConvertible, Survey, Takes};
use mta::outcome::Missing;
use smtp::client::{End, Event, Failure, Message, NotTried, Outcome, Report, Stage, Transfer};
use store::BodyStream;
use tokio::time::Instant;
use types::{BodyType, Envelope};

use super::{Connection, Fate, Outgoing, Sent};
use crate::delivery::outcomes;
use crate::signing::renewal::{Renewal, Renewed};

/// The octets of a message, piece by piece.
struct Source {
    body: Content,
    /// What was read and not handed over.
    piece: Bytes,
    /// Octets that were read.
    read_bytes: u64,
    /// Octets that there are.
    size_bytes: u64,
    /// Why it cannot be read to its end.
    failed: Option<String>,
}

enum Content {
    Stored(Box<dyn BodyStream>),
    /// All of it is the piece.
    Converted,
}

/// What the machine told of one message.
#[derive(Default)]
struct Told {
    report: Option<Report>,
    /// How the connection ended.
    end: Option<End>,
}

/// So long after it took a message a host is expected to be there. One that closes idle connections waits longer.
const WARM_FOR: Duration = Duration::from_secs(2);
/// Larger messages are converted on a thread where that holds nobody up.
const CONVERTED_HERE_BYTES_MAX: usize = 512 * 1024;

pub(super) async fn send(connection: &mut Connection, mail: Outgoing) -> Sent {
    let Outgoing { mut envelope, body, transfer, renewal } = mail;
    let mut renewed = None;
    let recipients = envelope.recipients.len();
    let mut source = Source::stored(body);
    connection.begin_message(recipients, source.size_bytes);
    if !connection.client.can_send() {
        return connection.not_begun(recipients);
    }
    if let Some(takes) = connection.needs_conversion(envelope.parameters.body_type) {
        match source.convert(takes, connection.settings.convert_bytes_max, renewal.as_ref()).await {
            Ok((converted, note)) => (source, renewed) = (converted, note),
            Err(Unconverted::Ours(text)) => return connection.ours(recipients, &text),
            Err(Unconverted::Impossible(why)) => {
                let missing = match envelope.parameters.body_type {
                    BodyType::BinaryMime => Missing::BinaryMime,
                    BodyType::SevenBit | BodyType::EightBitMime => Missing::EightBitMime,
                };
                let outcome = outcomes::of_unconverted(missing, why);
                return connection.sent(vec![outcome; recipients], Fate::Theirs);
            }
        }
        envelope.parameters.body_type = match takes {
            Takes::SevenBit => BodyType::SevenBit,
            Takes::EightBit => BodyType::EightBitMime,
        };
    }
    connection.client.set_transfer(connection.transfer(transfer));
    let told = connection.converse(envelope, &mut source).await;
    Sent { renewed, ..connection.judge(recipients, told, &source) }
}

impl Connection {
    fn begin_message(&mut self, recipients: usize, size_bytes: u64) {
        self.log.restart();
        self.timer.restart(self.settings.timeouts.transaction(recipients, size_bytes));
        // An idle connection may have been told its end.
        if self.messages > 0 {
            self.take_what_came();
        }
    }

    /// How a message goes that may go like this. A flight that is lost may have arrived, and one that a host cannot deal
    /// with has to be sent again: it is for a host that is known to be there and to take messages.
    fn transfer(&self, wanted: Transfer) -> Transfer {
        let is_warm = self.took_at.is_some_and(|at| at.elapsed() < WARM_FOR);
        match wanted {
            Transfer::OneFlightWhereOffered if !is_warm => Transfer::Data,
            wanted => wanted,
        }
    }

    /// What a message of this kind has to become for the host, if it cannot stay as it is.
    fn needs_conversion(&self, body_type: BodyType) -> Option<Takes> {
        let offered = self.client.extensions()?;
        match body_type {
            BodyType::SevenBit => None,
            BodyType::BinaryMime if offered.binarymime && offered.chunking => None,
            BodyType::BinaryMime if offered.eight_bit_mime => Some(Takes::EightBit),
            BodyType::EightBitMime if offered.eight_bit_mime => None,
            BodyType::EightBitMime | BodyType::BinaryMime => Some(Takes::SevenBit),
        }
    }

    /// Drives the machine until every recipient is decided.
    async fn converse(&mut self, envelope: Envelope, source: &mut Source) -> Told {
        let mut told = Told::default();
        let message = Message { envelope, size_bytes: Some(source.size_bytes) };
        if self.client.send(message).is_err() {
            return told;
        }
        loop {
            while let Some(event) = self.client.poll_event() {
                match event {
                    Event::Finished(report) => told.report = Some(report),
                    Event::Heard { stage, reply } => self.log.heard(stage, &reply),
                    Event::Closed(end) => told.end = Some(end),
                    Event::Ready
                    | Event::Unusable(_)
                    | Event::StartTls
                    | Event::Authenticate { .. }
                    | Event::Challenge(_)
                    | Event::Said { .. } => {}
                }
            }
            if told.report.is_some() || self.client.is_closed() {
                return told;
            }
            if self.client.body_room() > 0 {
                source.feed(&mut self.client).await;
            } else {
                self.step().await;
            }
        }
    }

    /// What the machine told, as outcomes.
    fn judge(&mut self, recipients: usize, told: Told, source: &Source) -> Sent {
        let Some(report) = told.report.filter(|report| report.outcomes.len() == recipients) else {
            return self.not_begun(recipients);
        };
        if let Some(end) = &told.end {
            self.log.ended(end);
        }
        if let Some(text) = &source.failed {
            return self.ours(recipients, text);
        }
        if report.outcomes.contains(&Outcome::NotTried(NotTried::RcptDomainMax)) {
            self.is_spent = true;
        }
        let fate = match &told.end {
            Some(End::BadBody(_)) => Fate::Ours,
            Some(end) if self.messages > 0 && report.outcomes.iter().all(|o| is_stale(o, end)) => Fate::Stale,
            _ => Fate::Theirs,
        };
        self.messages = self.messages.saturating_add(1);
        let is_taken = report.outcomes.iter().any(|outcome| matches!(outcome, Outcome::Accepted(_)));
        self.took_at = is_taken.then(Instant::now);
        self.sent(outcomes::of_report(&report), fate)
    }

    /// The connection was gone before the message was begun, or has had as many as the host takes (RFC 9422).
    fn not_begun(&mut self, recipients: usize) -> Sent {
        let mut last = End::Lost;
        while let Some(event) = self.client.poll_event() {
            match event {
                Event::Heard { stage, reply } => self.log.heard(stage, &reply),
                Event::Closed(end) => {
                    self.log.ended(&end);
                    last = end;
                }
                _ => {}
            }
        }
        let outcome = outcomes::of_failure(&last.failure(Stage::Mail), 0);
        // A new connection is what it takes in any case; but one that never carried a message has had its turn.
        let fate = if self.messages > 0 { Fate::Stale } else { Fate::Theirs };
        self.sent(vec![outcome; recipients], fate)
    }

    fn ours(&mut self, recipients: usize, text: &str) -> Sent {
        self.log.ended(text);
        self.sent(vec![outcomes::of_ours(text); recipients], Fate::Ours)
    }

    fn sent(&mut self, outcomes: Vec<mta::outcome::Outcome>, fate: Fate) -> Sent {
        Sent { outcomes, fate, offers: self.offers, log: self.log.take(), renewed: None }
    }
}

/// Whether the connection was gone when the message was to begin: nothing but the end of it was heard.
fn is_stale(outcome: &Outcome, end: &End) -> bool {
    let is_end = matches!(end, End::Lost | End::ByServer(_));
    let is_at_beginning = |failure: &Failure| matches!(failure.stage, Stage::Mail | Stage::Reset);
    is_end && outcome.failure().is_some_and(is_at_beginning)
}

/// Why a message was not converted.
enum Unconverted {
    /// It cannot be, or is too large for it (none).
    Impossible(Option<NotConvertible>),
    /// It cannot be read.
    Ours(String),
}

impl Source {
    fn stored(body: Box<dyn BodyStream>) -> Self {
        let size_bytes = body.size_bytes();
        Self { body: Content::Stored(body), piece: Bytes::new(), read_bytes: 0, size_bytes, failed: None }
    }

    fn converted(octets: Vec<u8>) -> Self {
        let size_bytes = octets.len() as u64;
        Self {
            body: Content::Converted,
            piece: octets.into(),
            read_bytes: size_bytes,
            size_bytes,
            failed: None,
        }
    }

    /// Hands over as much as the machine takes. A body that is refused becomes the outcome of its recipients.
    async fn feed(&mut self, client: &mut smtp::client::Client) {
        while client.body_room() > 0 {
            if self.piece.is_empty() {
                match self.next().await {
                    Ok(()) if self.piece.is_empty() => {
                        let _is_an_outcome = client.finish_body();
                        return;
                    }
                    Ok(()) => {}
                    Err(text) => {
                        self.failed = Some(text);
                        return client.abort();
                    }
                }
            }
            match client.write_body(&self.piece) {
                Ok(count) => self.piece.advance(count),
                Err(_) => return,
            }
        }
    }

    /// Reads the next piece; an empty one at the end. A message that ends too early must not seem complete.
    async fn next(&mut self) -> Result<(), String> {
        let Content::Stored(body) = &mut self.body else { return Ok(()) };
        self.piece = body.next().await.map_err(|error| format!("the message cannot be read: {error}"))?;
        self.read_bytes += self.piece.len() as u64;
        let is_right = if self.piece.is_empty() {
            self.read_bytes == self.size_bytes
        } else {
            self.read_bytes <= self.size_bytes
        };
        if is_right {
            Ok(())
        } else {
            Err(format!("the message is not the {} octets that it should be", self.size_bytes))
        }
    }

    /// The message as the host takes it (RFC 6152 §3), and what the trace is told of its signatures.
    async fn convert(
        &mut self,
        takes: Takes,
        bytes_max: u64,
        renewal: Option<&Renewal>,
    ) -> Result<(Self, Option<String>), Unconverted> {
        if self.size_bytes > bytes_max {
            return Err(Unconverted::Impossible(None));
        }
        let mut octets = Vec::with_capacity(usize::try_from(self.size_bytes).unwrap_or(0));
        loop {
            self.next().await.map_err(Unconverted::Ours)?;
            if self.piece.is_empty() {
                break;
            }
            octets.extend_from_slice(&self.piece);
        }
        let converted = if octets.len() > CONVERTED_HERE_BYTES_MAX {
            let elsewhere = tokio::task::spawn_blocking(move || converted(octets, takes));
            elsewhere.await.map_err(|error| Unconverted::Ours(format!("the conversion failed: {error}")))?
        } else {
            converted(octets, takes)
        };
        let Converted { octets, is_changed } = converted.map_err(|why| Unconverted::Impossible(Some(why)))?;
        let Some(renewal) = renewal.filter(|_| is_changed) else {
            return Ok((Self::converted(octets), None));
        };
        let Renewed { octets, note } = renewal.sign(octets).await.map_err(Unconverted::Ours)?;
        Ok((Self::converted(octets), Some(note)))
    }
}

/// A message as the host takes it.
struct Converted {
    octets: Vec<u8>,
    is_changed: bool,
}

/// What needs no conversion is best sent as it is: signatures over it stay good.
fn converted(octets: Vec<u8>, takes: Takes) -> Result<Converted, NotConvertible> {
    let mut survey = Survey::new();
    survey.push(&octets);
    let plan = survey.finish(takes)?;
    if !plan.is_needed() {
        return Ok(Converted { octets, is_changed: false });
    }
    let mut converter = Converter::new(plan);
    let mut out = Vec::with_capacity(octets.len() + octets.len() / 3);
    converter.push(&octets, &mut out);
    converter.finish(&mut out);
    Ok(Converted { octets: out, is_changed: true })
}
