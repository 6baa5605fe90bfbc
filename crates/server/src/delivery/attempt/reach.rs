//! From hosts and addresses to a connection that is ready.
//!
//! Standards: RFC 5321 §5.1 (hosts and addresses in turn), RFC 8305 (the addresses of one host), RFC 7435 §3 (clear text
//! where TLS that nobody insists on does not work).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mta::outcome::Outcome;
use mta::route::{Hop, Itinerary, Protocol};
use mta::tls::HopTls;
use types::Verdict;

use super::asked::{Asked, Candidate};
use super::line::{self, Fit, Line, Open};
use super::race::{Raced, race};
use super::{Afresh, Attempt};
use crate::delivery::connection::{Connection, Refused, Target};
use crate::delivery::fate::{Happened, Place};
use crate::delivery::outcomes;
use crate::delivery::world::{HopTerms, Stream, TlsQuestion};

/// Addresses that one attempt asks. RFC 5321 §5.1: at least two.
const CANDIDATES_MAX: usize = 12;
/// A host that has others behind it answers within this, or they are tried.
const FAST_CONNECT_TIMEOUT: Duration = Duration::from_secs(8);

/// How a host is asked for a connection.
pub(super) struct Ask<'a> {
    pub(super) terms: &'a HopTerms,
    pub(super) protocol: Protocol,
    pub(super) patience: Patience,
}

/// How long an address may take to connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// There are other hosts.
    OthersWait,
    /// There is no other.
    Last,
}

/// Whether a host has heard of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Session,
    Nobody,
}

/// The addresses that said no, each with its outcome.
pub(super) struct Unreached(Vec<(Outcome, Arc<Place>)>);

/// Why there is no session over a connection that was made.
struct Opening {
    outcome: Outcome,
    is_tls: bool,
}

impl Unreached {
    /// What it means for recipients that are open.
    pub(super) fn tell(&self, asked: &mut Asked, recipients: &[usize]) {
        for (outcome, place) in &self.0 {
            asked.trouble(outcome, place);
            asked.some(recipients, outcome, Some(place));
        }
    }
}

impl Attempt<'_> {
    /// Hosts in their order, the addresses of each in theirs; those that did not answer lately come last.
    pub(super) async fn ask_hosts(&mut self, itinerary: &Itinerary, line: &mut Line) -> Happened {
        let now = self.setup.world.now();
        let addresses = &self.runner.addresses;
        let mut candidates = Vec::new();
        for hop in &itinerary.hops {
            let mut own: Vec<_> =
                hop.addresses.iter().map(|ip| SocketAddr::new(*ip, itinerary.port)).collect();
            own.sort_by_key(|address| addresses.is_slow(*address, now));
            candidates.extend(own.into_iter().map(|address| {
                let target = Target::Tcp { address, name: hop.name.clone() };
                Candidate { hop: Some(hop), target }
            }));
        }
        candidates.sort_by_key(|candidate: &Candidate<'_>| {
            candidate.address().is_some_and(|address| addresses.is_dead(address, now))
        });
        candidates.truncate(CANDIDATES_MAX);
        // A connection that is there already comes first.
        if let Some(at) = candidates.iter().position(|candidate| line.leads_to(&candidate.target)) {
            candidates[..=at].rotate_right(1);
        }
        self.ask_in_turn(candidates, itinerary.protocol, line).await
    }

    pub(super) async fn ask_in_turn(
        &mut self,
        candidates: Vec<Candidate<'_>>,
        protocol: Protocol,
        line: &mut Line,
    ) -> Happened {
        let mut asked = Asked::new(self.loaded.item.state.recipients.len());
        let mut passed_over: Option<&Hop> = None;
        let hosts: Vec<_> = candidates.chunk_by(|one, next| one.is_beside(next)).collect();
        for (number, host) in hosts.iter().enumerate() {
            if asked.is_done() || self.is_too_late() {
                break;
            }
            let mut left: Vec<&Candidate<'_>> = host.iter().collect();
            let Some(first) = left.first().copied() else { continue };
            // What a host says of itself holds for all its addresses.
            if first.hop.is_some_and(|hop| passed_over.is_some_and(|other| std::ptr::eq(other, hop))) {
                continue;
            }
            let terms = match self.terms(first).await {
                Ok(terms) => terms,
                Err((outcome, why)) => {
                    self.note(&first.target, format!("not used: {why}"), &outcome);
                    asked.all(&outcome, None);
                    passed_over = first.hop;
                    continue;
                }
            };
            let is_last = number + 1 == hosts.len();
            let patience = if is_last { Patience::Last } else { Patience::OthersWait };
            let ask = Ask { terms: &terms, protocol, patience };
            while !left.is_empty() && !asked.is_done() && !self.is_too_late() {
                match self.ask(&mut left, &ask, &mut asked, line).await {
                    Ok(Progress::Session) if asked.is_refused_by_host() => {
                        passed_over = first.hop;
                        break;
                    }
                    Ok(Progress::Session | Progress::Nobody) => {}
                    Err(why) if !asked.has_end() => return Happened::Ours(why),
                    Err(why) => {
                        asked.all(&outcomes::of_ours(&why), None);
                        self.judge_site(&asked);
                        return Happened::Tried(asked.into_results());
                    }
                }
            }
        }
        self.judge_site(&asked);
        Happened::Tried(asked.into_results())
    }

    /// One connection to a host, and what goes over it. Its addresses that were asked are not `left`.
    ///
    /// # Errors
    /// A fault of our own.
    async fn ask<'c>(
        &mut self,
        left: &mut Vec<&'c Candidate<'c>>,
        ask: &Ask<'_>,
        asked: &mut Asked,
        line: &mut Line,
    ) -> Result<Progress, String> {
        let (candidate, unreached) = match self.reach(left, ask, line).await {
            Ok((candidate, unreached)) => (Some(candidate), unreached),
            Err(unreached) => (None, unreached),
        };
        let open = asked.open();
        unreached.tell(asked, &open);
        let Some(candidate) = candidate else { return Ok(Progress::Nobody) };
        let again = Afresh { candidate, terms: ask.terms, protocol: ask.protocol };
        let transacted = self.transact(Some(again), asked, line).await;
        if transacted.is_err() {
            line.close(self.setup).await;
        }
        transacted.map(|()| Progress::Session)
    }

    /// What TLS the host has to show.
    async fn terms(&self, candidate: &Candidate<'_>) -> Result<HopTerms, (Outcome, String)> {
        let Some((hop, destination)) = candidate.hop.zip(self.destination.as_ref()) else {
            return Ok(HopTerms::none());
        };
        // RFC 8689 §4.2.1: a report is delivered all the same.
        let has_sender = self.loaded.item.reverse_path != types::ReversePath::Null;
        let question = TlsQuestion {
            rule: &self.routed.rule,
            destination,
            hop,
            port: candidate.port(),
            require_tls: self.parameters.require_tls && has_sender,
        };
        self.setup.world.tls(question).await.map_err(|refusal| (refusal.outcome, refusal.why))
    }

    /// A connection that is ready: the one that is there, or a new one to the address that answers first. It, and those
    /// that said no before, are taken out of `left`.
    ///
    /// # Errors
    /// None of those that were asked.
    pub(super) async fn reach<'c>(
        &mut self,
        left: &mut Vec<&'c Candidate<'c>>,
        ask: &Ask<'_>,
        line: &mut Line,
    ) -> Result<(&'c Candidate<'c>, Unreached), Unreached> {
        let messages_max = self.setup.config.delivery.messages_per_connection_max;
        let is_fit = |candidate: &&Candidate<'_>| {
            let fit = Fit { target: &candidate.target, tls: &ask.terms.tls, rule: &self.routed.rule };
            line.is_fit(&fit, messages_max)
        };
        if let Some(at) = left.iter().position(is_fit) {
            return Ok((left.remove(at), Unreached(Vec::new())));
        }
        line.close(self.setup).await;
        let mut unreached = Unreached(Vec::new());
        let won = self.connect(left, ask, &mut unreached).await;
        let Some((candidate, stream)) = won else { return Err(unreached) };
        left.retain(|other| !std::ptr::eq(*other, candidate));
        match self.open(candidate, stream, ask).await {
            Ok(connection) => {
                let open =
                    Open::new(connection, candidate, ask.terms, self.routed, ask.protocol, self.session);
                line.set(open, self.setup);
                Ok((candidate, unreached))
            }
            Err(outcome) => {
                unreached.0.push((outcome, Arc::new(candidate.place(ask.protocol))));
                Err(unreached)
            }
        }
    }

    /// Connects to the address that answers first. Those that said no are not `left`.
    async fn connect<'c>(
        &mut self,
        left: &mut Vec<&'c Candidate<'c>>,
        ask: &Ask<'_>,
        unreached: &mut Unreached,
    ) -> Option<(&'c Candidate<'c>, Box<dyn Stream>)> {
        let setup = self.setup;
        self.session = self.runner.new_id(setup);
        let limit = setup.config.delivery.connect_timeout_s.duration();
        let limit = match ask.patience {
            Patience::Last => limit,
            Patience::OthersWait => limit.min(FAST_CONNECT_TIMEOUT),
        };
        let candidates = std::mem::take(left);
        let rule = &self.routed.rule;
        let mut connections = Vec::with_capacity(candidates.len());
        for Candidate { target, .. } in &candidates {
            connections.push(setup.world.connect(target, line::source(setup, rule, target)));
        }
        let Raced { won, failed, outrun } = race(connections, limit).await;
        let now = setup.world.now();
        let addresses = &self.runner.addresses;
        for address in outrun.iter().filter_map(|number| candidates[*number].address()) {
            addresses.was_outrun(address, now);
        }
        for (number, error) in &failed {
            let candidate = candidates[*number];
            if let Some(address) = candidate.address() {
                addresses.died(address, now);
            }
            let outcome = outcomes::of_connect(error);
            self.note(&candidate.target, "no connection".to_owned(), &outcome);
            unreached.0.push((outcome, Arc::new(candidate.place(ask.protocol))));
        }
        let has_failed = |number: usize| failed.iter().any(|(other, _)| *other == number);
        left.extend(
            (0..candidates.len()).filter(|number| !has_failed(*number)).map(|number| candidates[number]),
        );
        let (number, stream) = won?;
        if let Some(address) = candidates[number].address() {
            addresses.lives(address);
        }
        Some((candidates[number], stream))
    }

    /// A session over the connection. Where TLS that nobody insists on does not work, over another one without it
    /// (RFC 7435 §3): it must not keep mail back.
    async fn open(
        &mut self,
        candidate: &Candidate<'_>,
        stream: Box<dyn Stream>,
        ask: &Ask<'_>,
    ) -> Result<Connection, Outcome> {
        let now = self.setup.world.now();
        let address = candidate.address();
        let is_without_tls = |address| self.runner.addresses.is_without_tls(address, now);
        if ask.terms.tls.allows_clear_text() && address.is_some_and(is_without_tls) {
            let opened = self.begin(candidate, stream, &HopTerms::none(), ask.protocol).await;
            return opened.map_err(|opening| opening.outcome);
        }
        let refused = match self.begin(candidate, stream, ask.terms, ask.protocol).await {
            Ok(connection) => return Ok(connection),
            Err(refused) => refused,
        };
        let is_optional = ask.terms.tls.allows_clear_text() && ask.terms.tls != HopTls::None;
        if !refused.is_tls || !is_optional {
            return Err(refused.outcome);
        }
        if let Some(address) = address {
            self.runner.addresses.has_no_tls(address, now);
        }
        let mut unreached = Unreached(Vec::new());
        let again = self.connect(&mut vec![candidate], ask, &mut unreached).await;
        let Some((_, stream)) = again else {
            return Err(unreached.0.pop().map_or(refused.outcome, |(outcome, _)| outcome));
        };
        let opened = self.begin(candidate, stream, &HopTerms::none(), ask.protocol).await;
        opened.map_err(|opening| opening.outcome)
    }

    async fn begin(
        &mut self,
        candidate: &Candidate<'_>,
        stream: Box<dyn Stream>,
        terms: &HopTerms,
        protocol: Protocol,
    ) -> Result<Connection, Opening> {
        let setup = self.setup;
        let counter = terms.counter.as_ref();
        let terms = line::terms(setup, &self.routed.rule, terms, protocol);
        let opened = Connection::open(stream, &candidate.target, &terms).await;
        if let Some(counter) = counter {
            counter.opened(&opened, candidate.target.ip(), setup.world.now());
        }
        opened.map_err(|refused| {
            let Refused { outcome, log, tls } = *refused;
            self.notes.push(line::note_of(&log, "no session", Verdict::Deferred));
            Opening { outcome, is_tls: tls.is_some() }
        })
    }
}
