//! One attempt to deliver one item: which hosts are asked, in which order, and what they say.
//!
//! Standards: RFC 5321 §5.1 (hosts and addresses in turn), §4.5.4.1 (one transaction for several recipients), RFC 7435
//! (clear text where TLS that nobody insists on does not work), RFC 2852 §4.1.3 (BY= counts down on the way).

mod asked;
pub(super) mod body;
mod line;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mta::outcome::{Again, Outcome, unroutable};
use mta::route::{Itinerary, Protocol, Route};
use types::{ByMode, Envelope, EventStep, Host, MailId, MailParameters, Verdict};

use super::board::{Job, Loaded, SiteName};
use super::conclude;
use super::connection::{Connection, Fate, Outgoing, Refused, Sent, Target};
use super::fate::{Happened, Note, Place, Reached};
use super::outcomes;
use super::runner::{Runner, Setup, in_words, site_note};
use super::world::{HopTerms, Routed, TlsQuestion, Way};
use crate::local_delivery::parameters_of;
use asked::{Asked, Candidate};
use line::{Fit, Open};
pub(super) use line::{Line, note_of, terms};

/// Hosts and addresses that one attempt asks. RFC 5321 §5.1: at least two.
const CANDIDATES_MAX: usize = 12;
/// A host that has others beside it answers within this, or they are tried.
const FAST_CONNECT_TIMEOUT: Duration = Duration::from_secs(8);
/// What waited so long in memory is looked at again before it is sent: somebody may have changed it.
const LOOKED_AT_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// What is attempted, with what it is attempted by.
struct Attempt<'a> {
    runner: &'a Arc<Runner>,
    setup: &'a Setup,
    site: &'a SiteName,
    loaded: &'a Loaded,
    routed: &'a Routed,
    parameters: MailParameters,
    destination: Option<Host>,
    /// What was said, for the trace.
    notes: Vec<Note>,
    session: MailId,
}

/// Attempts an item, and has recorded what became of it.
pub(super) async fn attempt(
    runner: &Arc<Runner>,
    setup: &Setup,
    site: &SiteName,
    job: &Job,
    line: &mut Line,
) {
    let loaded = &job.loaded;
    let item = &loaded.item;
    let now = setup.world.now();
    if now.since(loaded.loaded_at) > LOOKED_AT_AGAIN_AFTER && !is_current(setup, loaded).await {
        setup.store.release(&[item.id]);
        return runner.finished([(item.id, item.destination.clone())]);
    }
    let parameters = match parameters(setup, loaded).await {
        Ok(parameters) => parameters,
        Err(why) => {
            let session = runner.new_id(setup);
            return conclude::conclude(runner, setup, loaded, None, Happened::Ours(why), session).await;
        }
    };
    let mut attempt = Attempt {
        runner,
        setup,
        site,
        loaded,
        routed: &job.routed,
        destination: item.destination.as_str().parse().ok(),
        parameters,
        notes: Vec::new(),
        session: line.session().unwrap_or_else(|| runner.new_id(setup)),
    };
    let happened = match &job.routed.way {
        Way::Here => {
            return conclude::release(runner, setup, loaded, &attempt.parameters, attempt.session).await;
        }
        Way::Elsewhere(Route::OnDemand) if runner.board().is_asked(&item.destination, now) => {
            // Its host has asked since its way was found out: it is taken in anew, and goes out.
            return runner.give_back(item);
        }
        Way::Elsewhere(route) => attempt.by(route, line).await,
    };
    let Attempt { parameters, notes, session, .. } = attempt;
    setup.record(session, Some(item.id.mail_id), notes);
    conclude::conclude(runner, setup, loaded, Some(&parameters), happened, session).await;
}

/// What became of an item over a connection that was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Handed {
    /// All its recipients got it.
    Whole,
    /// Some did.
    InPart,
    Not,
}

/// Attempts an item over the connection that is there, and no other.
pub(super) async fn over(
    runner: &Arc<Runner>,
    setup: &Setup,
    loaded: &Loaded,
    routed: &Routed,
    line: &mut Line,
) -> Handed {
    let item = &loaded.item;
    let session = line.session().unwrap_or_else(|| runner.new_id(setup));
    let parameters = match parameters(setup, loaded).await {
        Ok(parameters) if line.is_open() => parameters,
        Ok(_) => {
            setup.store.release(&[item.id]);
            runner.finished([(item.id, item.destination.clone())]);
            return Handed::Not;
        }
        Err(why) => {
            conclude::conclude(runner, setup, loaded, None, Happened::Ours(why), session).await;
            return Handed::Not;
        }
    };
    let mut attempt = Attempt {
        runner,
        setup,
        site: &routed.site,
        loaded,
        routed,
        destination: None,
        parameters,
        notes: Vec::new(),
        session,
    };
    let mut asked = Asked::new(item.state.recipients.len());
    let happened = match attempt.transact(None, &mut asked, line).await {
        Err(why) if !asked.has_end() => Happened::Ours(why),
        _ => Happened::Tried(asked.into_results()),
    };
    let handed = match &happened {
        Happened::Tried(results) => {
            let is_relayed = |reached: &Reached| matches!(reached.outcome, Outcome::Relayed(_));
            match results.iter().filter(|reached| is_relayed(reached)).count() {
                0 => Handed::Not,
                relayed if relayed == results.len() => Handed::Whole,
                _ => Handed::InPart,
            }
        }
        _ => Handed::Not,
    };
    let Attempt { parameters, notes, .. } = attempt;
    setup.record(session, Some(item.id.mail_id), notes);
    conclude::conclude(runner, setup, loaded, Some(&parameters), happened, session).await;
    handed
}

/// Whether the item is as it was when it was claimed.
async fn is_current(setup: &Setup, loaded: &Loaded) -> bool {
    match setup.store.queue_item(loaded.item.id).await {
        Ok(found) => found.is_some_and(|found| found.revision == loaded.item.revision),
        // Who cannot be asked now will not take the settlement either; that is waited for there.
        Err(_) => true,
    }
}

/// The parameters of MAIL for this item.
async fn parameters(setup: &Setup, loaded: &Loaded) -> Result<MailParameters, String> {
    // What a list or an alias has made of it is told from the envelope alone.
    if let Some(fresh) = loaded.fresh.as_ref().filter(|_| loaded.item.header.is_empty()) {
        return Ok(fresh.parameters.clone());
    }
    match setup.store.envelope(loaded.item.id.mail_id).await {
        Ok(Some((envelope, _))) => Ok(parameters_of(&loaded.item, &envelope)),
        Ok(None) => Err("the envelope of the message is not there".to_owned()),
        Err(error) => Err(format!("the envelope of the message cannot be read: {error}")),
    }
}

impl Attempt<'_> {
    async fn by(&mut self, route: &Route, line: &mut Line) -> Happened {
        let recipients = self.loaded.item.state.recipients.len();
        match route {
            Route::Hosts(itinerary) => self.ask_hosts(itinerary, line).await,
            Route::Socket(path) => {
                let target = Target::Unix(path.into());
                let candidates = vec![Candidate { hop: None, target }];
                self.ask_in_turn(candidates, Protocol::Lmtp, line).await
            }
            Route::OnDemand => Happened::NotTried {
                why: "it waits until its host asks for it (ETRN, ATRN)".to_owned(),
                until: None,
            },
            Route::Discard => {
                Happened::Discarded(format!("by the rule for {}", self.loaded.item.destination))
            }
            Route::Unroutable { reason, .. } => {
                let reached = Reached { outcome: unroutable(reason), place: None };
                Happened::Tried(vec![reached; recipients])
            }
        }
    }

    /// Hosts in their order, the addresses of each in theirs; those that did not answer lately come last.
    async fn ask_hosts(&mut self, itinerary: &Itinerary, line: &mut Line) -> Happened {
        let now = self.setup.world.now();
        let mut candidates: Vec<_> = itinerary
            .hops
            .iter()
            .flat_map(|hop| {
                hop.addresses.iter().map(move |ip| {
                    let address = SocketAddr::new(*ip, itinerary.port);
                    let target = Target::Tcp { address, name: hop.name.clone() };
                    Candidate { hop: Some(hop), target }
                })
            })
            .collect();
        candidates.sort_by_key(|candidate| match &candidate.target {
            Target::Tcp { address, .. } => self.runner.addresses.is_dead(*address, now),
            Target::Unix(_) => false,
        });
        candidates.truncate(CANDIDATES_MAX);
        // A connection that is there already comes first.
        if let Some(at) = candidates.iter().position(|candidate| line.leads_to(&candidate.target)) {
            candidates[..=at].rotate_right(1);
        }
        self.ask_in_turn(candidates, itinerary.protocol, line).await
    }

    async fn ask_in_turn(
        &mut self,
        candidates: Vec<Candidate<'_>>,
        protocol: Protocol,
        line: &mut Line,
    ) -> Happened {
        let mut asked = Asked::new(self.loaded.item.state.recipients.len());
        let mut passed_over: Option<&mta::route::Hop> = None;
        let count = candidates.len();
        for (number, candidate) in candidates.iter().enumerate() {
            if asked.is_done() || self.is_too_late() {
                break;
            }
            // What a host says of itself holds for all its addresses.
            if candidate.hop.is_some_and(|hop| passed_over.is_some_and(|other| std::ptr::eq(other, hop))) {
                continue;
            }
            let terms = match self.terms(candidate).await {
                Ok(terms) => terms,
                Err((outcome, why)) => {
                    self.note(&candidate.target, format!("not used: {why}"), &outcome);
                    asked.all(&outcome, None);
                    passed_over = candidate.hop;
                    continue;
                }
            };
            let is_last = number + 1 == count;
            if let Err((outcome, place)) = self.reach(candidate, &terms, protocol, is_last, line).await {
                asked.trouble(&outcome, &place);
                asked.all(&outcome, Some(&place));
                continue;
            }
            let again = Afresh { candidate, terms: &terms, protocol };
            match self.transact(Some(again), &mut asked, line).await {
                Ok(()) => {}
                Err(why) => {
                    line.close(self.setup).await;
                    if !asked.has_end() {
                        return Happened::Ours(why);
                    }
                    asked.all(&outcomes::of_ours(&why), None);
                    break;
                }
            }
            if asked.is_refused_by_host() {
                passed_over = candidate.hop;
            }
        }
        self.judge_site(&asked);
        Happened::Tried(asked.into_results())
    }

    /// RFC 2852 §4.1.3: what has to come back when its time is over is not begun after it.
    fn is_too_late(&self) -> bool {
        self.parameters.deliver_by.is_some_and(|by| by.mode == ByMode::Return)
            && self.loaded.item.state.attempts > 0
            && self.by_left_s().is_some_and(|left| left <= 0)
    }

    /// What is left of BY=.
    fn by_left_s(&self) -> Option<i64> {
        let by = self.parameters.deliver_by?;
        let passed = self.setup.world.now().since(self.loaded.item.received_at).as_secs();
        Some(by.by_s.saturating_sub(i64::try_from(passed).unwrap_or(i64::MAX)))
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

    /// A connection that is ready: the one that is there, or a new one.
    async fn reach(
        &mut self,
        candidate: &Candidate<'_>,
        terms: &HopTerms,
        protocol: Protocol,
        is_last: bool,
        line: &mut Line,
    ) -> Result<(), (Outcome, Arc<Place>)> {
        let fit = Fit { target: &candidate.target, tls: &terms.tls, rule: &self.routed.rule };
        if line.is_fit(&fit, self.setup.config.delivery.messages_per_connection_max) {
            return Ok(());
        }
        line.close(self.setup).await;
        let limit = self.setup.config.delivery.connect_timeout_s.duration();
        let limit = if is_last { limit } else { limit.min(FAST_CONNECT_TIMEOUT) };
        let now = self.setup.world.now();
        let without_tls = terms.tls.allows_clear_text()
            && candidate.address().is_some_and(|address| self.runner.addresses.is_without_tls(address, now));
        let mut terms_now = if without_tls { HopTerms::none() } else { terms.clone() };
        loop {
            let refused = match self.open(candidate, &terms_now, protocol, limit).await {
                Ok(connection) => {
                    let open = Open::new(connection, candidate, terms, self.routed, protocol, self.session);
                    line.set(open, self.setup);
                    return Ok(());
                }
                Err(refused) => refused,
            };
            let place = Arc::new(candidate.place(protocol));
            let Opening { outcome, is_tls } = refused;
            if is_tls && terms_now.tls.allows_clear_text() && terms_now.tls != mta::tls::HopTls::None {
                // RFC 7435 §3: TLS that nobody insists on must not keep mail back.
                if let Some(address) = candidate.address() {
                    self.runner.addresses.has_no_tls(address, now);
                }
                terms_now = HopTerms::none();
                continue;
            }
            return Err((outcome, place));
        }
    }

    async fn open(
        &mut self,
        candidate: &Candidate<'_>,
        terms: &HopTerms,
        protocol: Protocol,
        limit: Duration,
    ) -> Result<Connection, Opening> {
        let setup = self.setup;
        self.session = self.runner.new_id(setup);
        let source = line::source(setup, &self.routed.rule, &candidate.target);
        let connecting = tokio::time::timeout(limit, setup.world.connect(&candidate.target, source)).await;
        let now = setup.world.now();
        let stream = match connecting.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())) {
            Ok(stream) => stream,
            Err(error) => {
                let outcome = outcomes::of_connect(&error);
                if let Some(address) = candidate.address() {
                    self.runner.addresses.died(address, now);
                }
                self.note(&candidate.target, "no connection".to_owned(), &outcome);
                return Err(Opening { outcome, is_tls: false });
            }
        };
        if let Some(address) = candidate.address() {
            self.runner.addresses.lives(address);
        }
        let counter = terms.counter.as_ref();
        let terms = line::terms(setup, &self.routed.rule, terms, protocol);
        let opened = Connection::open(stream, &candidate.target, &terms).await;
        if let Some(counter) = counter {
            counter.opened(&opened, candidate.target.ip(), setup.world.now());
        }
        match opened {
            Ok(connection) => Ok(connection),
            Err(refused) => {
                let Refused { outcome, log, tls } = *refused;
                self.notes.push(line::note_of(&log, "no session", Verdict::Deferred));
                Err(Opening { outcome, is_tls: tls.is_some() })
            }
        }
    }

    /// All transactions with one host. Where its connection ends early there is another, as far as `again` says how.
    ///
    /// # Errors
    /// A fault of our own.
    async fn transact(
        &mut self,
        mut again: Option<Afresh<'_>>,
        asked: &mut Asked,
        line: &mut Line,
    ) -> Result<(), String> {
        let mut left = asked.open();
        let transaction_max = self.setup.config.delivery.recipients_per_message_max.max(1);
        while !left.is_empty() {
            let size = transaction_max.min(left.len());
            let Some(open) = line.open() else { break };
            let mail = self.outgoing(&left[..size]).await?;
            let sent = open.connection.send(mail).await;
            let place = line.sent(&sent);
            if sent.fate == Fate::Stale
                && let Some(afresh) = again.take()
            {
                // It was gone when we came: nothing is said of the host by that.
                self.reach_again(&afresh, &left, asked, line).await;
                continue;
            }
            self.note_sent(&sent);
            if sent.fate == Fate::Ours {
                let why = sent.outcomes.iter().find_map(Outcome::finding);
                return Err(why.map_or_else(|| "unknown".to_owned(), |why| why.diagnostic.to_string()));
            }
            let put_off = asked.batch(&left[..size], &sent.outcomes, &place);
            left.drain(..size);
            if put_off.len() < size {
                left.extend(put_off);
            } else {
                // It takes none of them: they wait.
                asked.give_up_on(&put_off);
            }
            if !line.is_reusable() {
                let is_over = left.is_empty() || !asked.has_end();
                line.close(self.setup).await;
                match again.as_ref().filter(|_| !is_over) {
                    Some(afresh) => self.reach_again(afresh, &left, asked, line).await,
                    None => break,
                }
            }
        }
        Ok(())
    }

    /// Another connection to the same host for those that are left.
    async fn reach_again(&mut self, afresh: &Afresh<'_>, left: &[usize], asked: &mut Asked, line: &mut Line) {
        line.close(self.setup).await;
        let Afresh { candidate, terms, protocol } = *afresh;
        if let Err((outcome, place)) = self.reach(candidate, terms, protocol, true, line).await {
            asked.trouble(&outcome, &place);
            asked.some(left, &outcome, Some(&place));
        }
    }

    /// The message for some of the recipients.
    async fn outgoing(&self, recipients: &[usize]) -> Result<Outgoing, String> {
        let item = &self.loaded.item;
        let body = body::open(self.setup, self.loaded).await?;
        let mut parameters = self.parameters.clone();
        if let (Some(by), Some(left)) = (&mut parameters.deliver_by, self.by_left_s()) {
            by.by_s = left;
        }
        let recipients = recipients.iter().filter_map(|at| item.state.recipients.get(*at));
        let envelope = Envelope {
            reverse_path: item.reverse_path.clone(),
            recipients: recipients.map(|queued| queued.recipient.clone()).collect(),
            parameters,
        };
        Ok(Outgoing { envelope, body })
    }

    /// Tells the site's state from what its hosts did.
    fn judge_site(&self, asked: &Asked) {
        let now = self.setup.world.now();
        if asked.is_answered() {
            let effects = self.runner.board().went_well(self.site, asked.relayed(), now);
            return self.runner.apply(effects);
        }
        let Some(reason) = asked.site_trouble() else { return };
        let random = self.setup.world.random();
        let (until, effects) = self.runner.board().went_badly(self.site, &reason, now, random);
        self.runner.apply(effects);
        if let Some(until) = until {
            let reason = format!("suspended until {}: {reason}", in_words(until));
            let note = site_note(Verdict::Deferred, self.site, reason);
            self.setup.record(self.session, None, vec![note]);
            self.runner.wake.notify_one();
        }
    }

    fn note(&mut self, target: &Target, what: String, outcome: &Outcome) {
        let finding = outcome.finding().map(super::fate::one_line);
        let mut note = Note::new(EventStep::Attempt, Verdict::Deferred, what);
        note.address = Some(line::name_of(target));
        note.reply = finding.clone();
        self.notes.push(note);
        if let Some(finding) = finding {
            self.runner.board().note_reply(self.site, finding);
        }
    }

    /// What is no plain success is told with all that was said.
    fn note_sent(&mut self, sent: &Sent) {
        let is_plain = sent.outcomes.iter().all(|outcome| matches!(outcome, Outcome::Relayed(_)));
        if is_plain {
            return;
        }
        self.notes.push(line::note_of(&sent.log, "", Verdict::Noted));
        let reply = sent.outcomes.iter().find(|outcome| !matches!(outcome, Outcome::Relayed(_)));
        if let Some(finding) = reply.and_then(Outcome::finding) {
            self.runner.board().note_reply(self.site, super::fate::one_line(finding));
        }
    }
}

/// How a connection to the same host is made once more.
#[derive(Clone, Copy)]
struct Afresh<'a> {
    candidate: &'a Candidate<'a>,
    terms: &'a HopTerms,
    protocol: Protocol,
}

/// Why there is no connection.
struct Opening {
    outcome: Outcome,
    is_tls: bool,
}

/// Whether an outcome is better asked about elsewhere, now.
const fn is_for_next_host(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Deferred { again: Again::NextHost, .. })
}
