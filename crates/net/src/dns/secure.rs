//! DNSSEC, checked here (RFC 4033 §4.7: a stub resolver that validates).
//!
//! The validator asks for keys and for proofs that a zone is not signed; [`Source`] gives it what the resolvers say,
//! stripped of what is no answer, remembered for the next time, and within a budget for each look-up: a hostile zone
//! must not make work without end.

use std::cell::Cell;
use std::path::Path;
use std::pin::Pin;
use std::str::FromStr as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::Stream;
use futures_util::stream::once;
use hickory_net::dnssec::DnssecDnsHandle;
use hickory_net::runtime::TokioRuntimeProvider;
use hickory_net::xfer::{DnsHandle, FirstAnswer};
use hickory_net::{DnsError as Semantic, NetError};
use hickory_proto::dnssec::rdata::DNSSECRData;
use hickory_proto::dnssec::{Proof, TrustAnchors};
use hickory_proto::op::{DnsRequest, DnsRequestOptions, DnsResponse, Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use types::dns::DnsTrouble;

use super::cache::Cache;
use super::found::strip;
use super::upstream::{Flavour, Upstream};
use super::{DnsError, wildcard};

/// Answers whose signatures have been checked.
pub(super) struct Secure {
    handle: DnssecDnsHandle<Source>,
}

/// Where the validator learns what the resolvers say.
#[derive(Clone)]
struct Source {
    upstream: Arc<Upstream>,
    /// Keys and delegations, which are needed again and again.
    known: Arc<Mutex<Cache<(Name, RecordType), Message>>>,
}

/// What one look-up may cost, and what went wrong on its way.
struct Work {
    questions_left: Cell<u32>,
    trouble: Cell<Option<DnsTrouble>>,
}

tokio::task_local! {
    static WORK: Work;
}

/// Questions of the validator for one question of ours: a deep name in zones that are all signed takes about twenty.
const QUESTIONS_MAX: u32 = 64;
/// How deep the validator may go: two steps for each zone above the name.
const DEPTH_MAX: usize = 32;
/// Keys and delegations that are remembered.
const KNOWN_MAX: usize = 4096;
/// For as long at most: a zone that changes its keys has both for longer (RFC 6781 §4.1).
const KNOWN_HOLDS_MAX: Duration = Duration::from_secs(3600);

impl Secure {
    /// With the root's keys, or with those in a file.
    pub(super) fn new(upstream: Arc<Upstream>, roots: Option<&Path>) -> Result<Self, DnsError> {
        let anchors = match roots {
            None => TrustAnchors::default(),
            Some(path) => anchors(path)?,
        };
        let source = Source { upstream, known: Arc::new(Mutex::new(Cache::new(KNOWN_MAX))) };
        Ok(Self { handle: DnssecDnsHandle::with_trust_anchor(source, Arc::new(anchors)) })
    }

    /// The answer, each record with its proof; bogus where a proof that there is nothing is missing.
    pub(super) async fn ask(&self, query: Query) -> Result<Message, DnsTrouble> {
        let work = Work { questions_left: Cell::new(QUESTIONS_MAX), trouble: Cell::new(None) };
        WORK.scope(work, async {
            let mut options = DnsRequestOptions::default();
            options.edns_set_dnssec_ok = true;
            options.max_request_depth = DEPTH_MAX;
            let answer = self.handle.lookup(query.clone(), options).first_answer().await;
            let message = judge(answer, &query).and_then(|message| vouched(message, &query))?;
            if message.answers.iter().any(|record| record.proof == Proof::Bogus) {
                // Keys that could not be had are no forgery: that is told as what it is.
                return Err(hindrance().unwrap_or(DnsTrouble::Bogus));
            }
            Ok(message)
        })
        .await
    }
}

/// What kept the validator from finding out.
fn hindrance() -> Option<DnsTrouble> {
    WORK.with(|work| work.trouble.get())
}

fn judge(answer: Result<DnsResponse, NetError>, query: &Query) -> Result<Message, DnsTrouble> {
    match answer {
        Ok(response) => Ok(response.into_message()),
        Err(NetError::Dns(Semantic::Nsec { response, .. })) if wildcard::is_proven(&response, query) => {
            Ok(response.into_message())
        }
        // Proven in a way that nobody need follow (RFC 9276 §3.2): the zone counts as not signed.
        Err(NetError::Dns(Semantic::Nsec { response, proof: Proof::Insecure, .. })) => {
            Ok(response.into_message())
        }
        Err(NetError::Dns(Semantic::Nsec { .. } | Semantic::DnssecBogus)) => {
            Err(hindrance().unwrap_or(DnsTrouble::Bogus))
        }
        Err(NetError::Timeout) => Err(hindrance().unwrap_or(DnsTrouble::TimedOut)),
        Err(NetError::Dns(_)) => Err(hindrance().unwrap_or(DnsTrouble::ServerFailure)),
        Err(_) => Err(hindrance().unwrap_or(DnsTrouble::Malformed)),
    }
}

/// That there is nothing is believed without a proof where the zone is proven to be unsigned; it must be a zone above
/// the name, since that another one is unsigned says nothing.
fn vouched(message: Message, query: &Query) -> Result<Message, DnsTrouble> {
    let is_answer = message.answers.iter().any(|record| {
        record.name == *query.name()
            && [query.query_type(), RecordType::CNAME].contains(&record.record_type())
    });
    let all_unsigned = !message.authorities.is_empty()
        && message.authorities.iter().all(|record| record.proof == Proof::Insecure);
    if is_answer || !all_unsigned {
        return Ok(message);
    }
    let is_above = |name: &Name| name.zone_of(query.name());
    let mut zones = message.authorities.iter().filter(|record| record.record_type() == RecordType::SOA);
    if zones.any(|record| is_above(&record.name)) {
        Ok(message)
    } else {
        Err(hindrance().unwrap_or(DnsTrouble::Bogus))
    }
}

impl DnsHandle for Source {
    type Response = Pin<Box<dyn Stream<Item = Result<DnsResponse, NetError>> + Send>>;
    type Runtime = TokioRuntimeProvider;

    fn send(&self, request: DnsRequest) -> Self::Response {
        let source = self.clone();
        Box::pin(once(async move {
            let Some(query) = request.queries.first() else { return Err(NetError::NoConnections) };
            let message = source.answer(query).await.map_err(|trouble| {
                // Of several the first is what led to the others.
                let _ = WORK.try_with(|work| work.trouble.set(work.trouble.get().or(Some(trouble))));
                match trouble {
                    DnsTrouble::TimedOut => NetError::Timeout,
                    DnsTrouble::ServerFailure => Semantic::ResponseCode(ResponseCode::ServFail).into(),
                    DnsTrouble::Bogus => Semantic::DnssecBogus.into(),
                    DnsTrouble::Malformed => NetError::Message("an answer that makes no sense"),
                }
            })?;
            Ok(DnsResponse::from_message(message)?)
        }))
    }
}

impl Source {
    async fn answer(&self, query: &Query) -> Result<Message, DnsTrouble> {
        let kind = query.query_type();
        let key = (query.name().to_lowercase(), kind);
        let is_kept = matches!(kind, RecordType::DNSKEY | RecordType::DS | RecordType::NS);
        if is_kept && let Some(message) = self.known().find(&key, Instant::now()) {
            return Ok(message);
        }
        let left =
            WORK.try_with(|work| work.questions_left.replace(work.questions_left.get().saturating_sub(1)));
        if left.is_ok_and(|left| left == 0) {
            return Err(DnsTrouble::Malformed);
        }
        let mut message = self.upstream.ask(query, Flavour::Signed).await?.message;
        strip(&mut message, query);
        first_step(&mut message, query);
        if is_kept {
            let holds = holds(&message);
            self.known().insert(key, message.clone(), size_bytes(&message), holds, Instant::now());
        }
        Ok(message)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Cache<(Name, RecordType), Message>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leaves of a chain of aliases its beginning: proofs that stand in one message for several of its names cannot be told
/// apart, and what an alias leads to is asked for anyway.
fn first_step(message: &mut Message, query: &Query) {
    message.answers.retain(|record| record.name == *query.name());
    let is_answer = |record: &Record| [query.query_type(), RecordType::CNAME].contains(&record.record_type());
    if !message.answers.iter().any(is_answer) {
        return;
    }
    message.metadata.response_code = ResponseCode::NoError;
    // RFC 4035 §3.1.3.3: what is made of a wildcard has to show that nothing is nearer.
    let is_of_wildcard = |record: &Record| match &record.data {
        RData::DNSSEC(DNSSECRData::RRSIG(rrsig)) => rrsig.input().num_labels < record.name.num_labels(),
        _ => false,
    };
    if !message.answers.iter().any(is_of_wildcard) {
        message.authorities.clear();
    }
}

/// The keys in a file, as name servers print them: `example. 3600 IN DNSKEY 257 3 13 …`, where time and class may be
/// left out. A key of the root is one of the name `.`.
pub(super) fn anchors(path: &Path) -> Result<TrustAnchors, DnsError> {
    let failed = |reason: String| DnsError::Roots { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    let records: Vec<_> = text.lines().filter_map(with_time_and_class).collect();
    if records.is_empty() {
        return Err(failed("there is no key in it".to_owned()));
    }
    TrustAnchors::from_str(&(records.join("\n") + "\n")).map_err(|error| failed(error.to_string()))
}

/// One record of a file of keys; none for a line without one.
fn with_time_and_class(line: &str) -> Option<String> {
    let record = line.split(';').next().unwrap_or_default().trim();
    let (name, rest) = record.split_once(char::is_whitespace)?;
    let rest = rest.trim_start();
    Some(match rest.split_whitespace().next() {
        Some("DNSKEY") => format!("{name} 3600 IN {rest}"),
        Some("IN") => format!("{name} 3600 {rest}"),
        _ => record.to_owned(),
    })
}

fn holds(message: &Message) -> Duration {
    let ttl = message.answers.iter().chain(&message.authorities).map(|record| record.ttl).min();
    Duration::from_secs(ttl.unwrap_or(0).into()).min(KNOWN_HOLDS_MAX)
}

/// Roughly: names and signatures are most of it.
fn size_bytes(message: &Message) -> usize {
    256 + 512 * (message.answers.len() + message.authorities.len())
}

impl std::fmt::Debug for Secure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secure")
    }
}
