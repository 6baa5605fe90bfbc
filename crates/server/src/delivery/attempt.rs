//! One attempt to deliver one item: which hosts are asked, in which order, and what they say.
//!
//! Standards: RFC 5321 §5.1 (hosts and addresses in turn), §4.5.4.1 (one transaction for several recipients), RFC 7435
//! (clear text where TLS that nobody insists on does not work), RFC 2852 §4.1.3 (BY= counts down on the way).

mod asked;
pub(super) mod body;
mod line;
mod race;
mod reach;

use std::sync::Arc;
use std::time::Duration;

use mta::outcome::{Again, Outcome, unroutable};
use mta::route::{Protocol, Route};
use smtp::client::Transfer;
use types::{ByMode, Envelope, EventStep, Host, MailId, MailParameters, Verdict};

use super::board::{Job, Loaded, SiteName};
use super::conclude;
use super::connection::{Fate, Outgoing, Sent, Target};
use super::fate::{Happened, Note, Reached};
use super::runner::{Runner, Setup, in_words, site_note};
use super::world::{HopTerms, Routed, Way};
use crate::local_delivery::parameters_of;
use crate::signing::renewal::Renewal;
use asked::{Asked, Candidate};
pub(super) use line::{Line, note_of, terms};
use reach::{Ask, Patience};

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
    /// It waited for its sender (RFC 4865), and is signed as it goes.
    was_held: bool,
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
    let (parameters, was_held) = match parameters(setup, loaded).await {
        Ok(found) => found,
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
        was_held,
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
    let (parameters, was_held) = match parameters(setup, loaded).await {
        Ok(found) if line.is_open() => found,
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
        was_held,
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

/// The parameters of MAIL for this item, and whether it was held for its sender.
async fn parameters(setup: &Setup, loaded: &Loaded) -> Result<(MailParameters, bool), String> {
    let of =
        |envelope: &Envelope| (parameters_of(&loaded.item, envelope), envelope.parameters.hold.is_some());
    if let Some(fresh) = &loaded.fresh {
        return Ok(of(&fresh.envelope));
    }
    match setup.store.envelope(loaded.item.id.mail_id).await {
        Ok(Some((envelope, _))) => Ok(of(&envelope)),
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
        let mut candidates = vec![afresh.candidate];
        let ask = Ask { terms: afresh.terms, protocol: afresh.protocol, patience: Patience::Last };
        if let Err(refused) = self.reach(&mut candidates, &ask, line).await {
            refused.tell(asked, left);
        }
    }

    /// The message for some of the recipients.
    async fn outgoing(&mut self, recipients: &[usize]) -> Result<Outgoing, String> {
        let item = &self.loaded.item;
        let mut body = body::open(self.setup, self.loaded).await?;
        let mut own = item.header.clone();
        if self.was_held {
            let signed = body::sign(self.setup, self.loaded).await?;
            own = [&signed.fields[..], &own[..]].concat().into();
            body = body::prefixed(signed.fields, body);
            let note = |(about, what): (String, String)| Note {
                address: Some(about).filter(|about| !about.is_empty()),
                ..Note::new(EventStep::Signed, Verdict::Noted, what)
            };
            self.notes.extend(signed.notes.into_iter().map(note));
        }
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
        // Who was asked before and did not take it may be at odds with the way in which it came.
        let transfer =
            if item.state.attempts == 0 { Transfer::OneFlightWhereOffered } else { Transfer::Data };
        let renewal = Renewal::of(&self.setup.shared, &own);
        Ok(Outgoing { envelope, body, transfer, renewal })
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
        if let Some(note) = &sent.renewed {
            self.notes.push(Note::new(EventStep::Signed, Verdict::Noted, note.clone()));
        }
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

/// Whether an outcome is better asked about elsewhere, now.
const fn is_for_next_host(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Deferred { again: Again::NextHost, .. })
}
