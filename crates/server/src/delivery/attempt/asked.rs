//! What the hosts said so far, recipient by recipient.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use mta::outcome::{Again, Outcome, Reach, Step};
use mta::route::{Hop, Protocol};
use mta::shaping::is_about_site;

use super::is_for_next_host;
use super::line::name_of;
use crate::delivery::connection::{Offers, Target};
use crate::delivery::fate::{Place, Reached, one_line};

/// A host that may be asked, at one address.
pub(super) struct Candidate<'a> {
    /// None for a socket of this machine.
    pub(super) hop: Option<&'a Hop>,
    pub(super) target: Target,
}

impl Candidate<'_> {
    pub(super) const fn address(&self) -> Option<SocketAddr> {
        match &self.target {
            Target::Tcp { address, .. } => Some(*address),
            Target::Unix(_) => None,
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.address().map_or(0, |address| address.port())
    }

    /// Whether both are addresses of one host.
    pub(super) fn is_beside(&self, other: &Self) -> bool {
        self.hop.zip(other.hop).is_some_and(|(ours, theirs)| std::ptr::eq(ours, theirs))
    }

    /// Where it is, before anything was said.
    pub(super) fn place(&self, protocol: Protocol) -> Place {
        let name = match &self.target {
            Target::Tcp { name, .. } => name.clone(),
            Target::Unix(_) => None,
        };
        let address: Option<IpAddr> = self.target.ip();
        let text = name_of(&self.target);
        Place { name, address, text, protocol, offers: Offers::default(), tls: None }
    }
}

/// What the hosts said so far.
pub(super) struct Asked {
    results: Vec<Result>,
    /// A host answered for the message in some way that is not about itself.
    is_answered: bool,
    trouble: Option<String>,
    relayed: u64,
    /// The last host refuses all that is left for a reason of its own.
    is_refused_by_host: bool,
}

enum Result {
    /// Nobody was asked.
    Open,
    /// Somebody was, and another host may say something else.
    Tentative(Reached),
    Final(Reached),
}

impl Asked {
    pub(super) fn new(recipients: usize) -> Self {
        Self {
            results: (0..recipients).map(|_| Result::Open).collect(),
            is_answered: false,
            trouble: None,
            relayed: 0,
            is_refused_by_host: false,
        }
    }

    /// Recipients that are to be asked about.
    pub(super) fn open(&self) -> Vec<usize> {
        let is_open = |result: &Result| !matches!(result, Result::Final(_));
        (0..self.results.len()).filter(|at| is_open(&self.results[*at])).collect()
    }

    pub(super) fn is_done(&self) -> bool {
        self.results.iter().all(|result| matches!(result, Result::Final(_)))
    }

    /// Whether any recipient is decided.
    pub(super) fn has_end(&self) -> bool {
        self.results.iter().any(|result| matches!(result, Result::Final(_)))
    }

    pub(super) const fn is_answered(&self) -> bool {
        self.is_answered
    }

    pub(super) const fn is_refused_by_host(&self) -> bool {
        self.is_refused_by_host
    }

    pub(super) const fn relayed(&self) -> u64 {
        self.relayed
    }

    /// What the site has trouble with, where it has.
    pub(super) fn site_trouble(&self) -> Option<String> {
        self.trouble.clone()
    }

    /// There was no session with a host.
    pub(super) fn trouble(&mut self, outcome: &Outcome, place: &Place) {
        if is_about_site(Step::Greeting, outcome)
            && let Some(finding) = outcome.finding()
        {
            self.trouble = Some(format!("{}: {}", place.text, one_line(finding)));
        }
    }

    /// The same for all that are open.
    pub(super) fn all(&mut self, outcome: &Outcome, place: Option<&Arc<Place>>) {
        self.some(&self.open(), outcome, place);
    }

    pub(super) fn some(&mut self, recipients: &[usize], outcome: &Outcome, place: Option<&Arc<Place>>) {
        for at in recipients {
            self.put(*at, Reached { outcome: outcome.clone(), place: place.cloned() });
        }
    }

    /// What a host said of these. Returns those that it wants in a transaction of their own.
    pub(super) fn batch(
        &mut self,
        recipients: &[usize],
        outcomes: &[Outcome],
        place: &Arc<Place>,
    ) -> Vec<usize> {
        let mut again = Vec::new();
        self.is_refused_by_host = true;
        for (at, outcome) in recipients.iter().zip(outcomes) {
            let reached = Reached { outcome: outcome.clone(), place: Some(Arc::clone(place)) };
            match outcome {
                Outcome::Deferred { again: Again::NextTransaction, .. } => again.push(*at),
                Outcome::Relayed(_) => self.relayed += 1,
                Outcome::GoOn | Outcome::Deferred { .. } | Outcome::Failed { .. } => {}
            }
            if is_about_site(Step::Mail, outcome) {
                let finding = outcome.finding().map(one_line).unwrap_or_default();
                self.trouble = Some(format!("{}: {finding}", place.text));
            } else {
                self.is_answered = true;
            }
            self.is_refused_by_host &= matches!(outcome, Outcome::Failed { reach: Reach::Host, .. });
            self.put(*at, reached);
        }
        again
    }

    /// A host takes these in no transaction: they wait.
    pub(super) fn give_up_on(&mut self, recipients: &[usize]) {
        for at in recipients {
            let Some(result) = self.results.get_mut(*at) else { continue };
            if let Result::Tentative(reached) = std::mem::replace(result, Result::Open) {
                *result = Result::Final(reached);
            }
        }
    }

    pub(super) fn into_results(self) -> Vec<Reached> {
        self.results
            .into_iter()
            .map(|result| match result {
                Result::Final(reached) | Result::Tentative(reached) => reached,
                Result::Open => Reached { outcome: Outcome::GoOn, place: None },
            })
            .collect()
    }

    fn put(&mut self, at: usize, reached: Reached) {
        let Some(result) = self.results.get_mut(at) else { return };
        let is_tentative = is_for_next_host(&reached.outcome)
            || matches!(
                reached.outcome,
                Outcome::Failed { reach: Reach::Host, .. }
                    | Outcome::Deferred { again: Again::NextTransaction, .. }
                    | Outcome::GoOn
            );
        if !is_tentative {
            *result = Result::Final(reached);
            return;
        }
        // Of what is not final, "not now" outlives "never at this host": that host may be asked again, and this one
        // was not the only one.
        let is_deferred = |reached: &Reached| matches!(reached.outcome, Outcome::Deferred { .. });
        match result {
            Result::Final(_) => {}
            Result::Tentative(before) if is_deferred(before) && !is_deferred(&reached) => {}
            Result::Open | Result::Tentative(_) => *result = Result::Tentative(reached),
        }
    }
}

#[cfg(test)]
mod tests {
    use mta::outcome::{ConnectionTrouble, Happening, judge};
    use types::{EnhancedStatus, Reply};

    use super::*;

    fn said(code: u16, step: Step) -> Outcome {
        let enhanced = match code {
            ..400 => EnhancedStatus::success(0, 0),
            452 => EnhancedStatus::transient(5, 3),
            400..500 => EnhancedStatus::transient(0, 0),
            _ => EnhancedStatus::permanent(0, 0),
        };
        judge(step, &Happening::Reply(&Reply { code, enhanced: Some(enhanced), text: "text".into() }))
    }

    fn lost() -> Outcome {
        judge(Step::Connect, &Happening::Connection(ConnectionTrouble::Refused))
    }

    fn place() -> Arc<Place> {
        let target = Target::Unix("/run/lmtp".into());
        Arc::new(Candidate { hop: None, target }.place(Protocol::Lmtp))
    }

    #[test]
    fn what_one_host_refuses_for_itself_is_deferred_while_another_cannot_be_reached() {
        let greeting = said(554, Step::Greeting);
        for order in [[&greeting, &lost()], [&lost(), &greeting]] {
            let mut asked = Asked::new(1);
            for outcome in order {
                asked.all(outcome, None);
            }
            assert!(!asked.is_done());
            assert!(matches!(asked.into_results()[0].outcome, Outcome::Deferred { .. }));
        }
        let mut asked = Asked::new(1);
        asked.all(&greeting, None);
        asked.all(&greeting, None);
        assert!(matches!(asked.into_results()[0].outcome, Outcome::Failed { .. }));
    }

    #[test]
    fn recipients_over_a_limit_of_the_host_are_asked_again_as_long_as_some_are_taken() {
        let mut asked = Asked::new(3);
        let too_many = said(452, Step::Rcpt { accepted_before: 1 });
        let taken = said(250, Step::EndOfData);
        let again = asked.batch(&[0, 1, 2], &[taken.clone(), too_many.clone(), too_many.clone()], &place());
        assert_eq!((again, asked.open(), asked.relayed()), (vec![1, 2], vec![1, 2], 1));
        let again = asked.batch(&[1, 2], &[too_many.clone(), too_many], &place());
        asked.give_up_on(&again);
        assert!(asked.is_done() && asked.is_answered());
        let results = asked.into_results();
        assert!(matches!(results[0].outcome, Outcome::Relayed(_)));
        assert!(matches!(results[1].outcome, Outcome::Deferred { .. }));
    }

    #[test]
    fn a_final_word_is_not_changed_by_a_later_host() {
        let mut asked = Asked::new(2);
        asked.batch(&[0, 1], &[said(550, Step::Rcpt { accepted_before: 0 }), lost()], &place());
        asked.all(&lost(), None);
        let results = asked.into_results();
        assert!(matches!(results[0].outcome, Outcome::Failed { reach: Reach::Final, .. }));
        assert!(matches!(results[1].outcome, Outcome::Deferred { .. }));
    }

    #[test]
    fn a_host_that_cannot_be_reached_is_trouble_of_the_site_and_a_refusal_is_not() {
        let mut asked = Asked::new(1);
        asked.trouble(&lost(), &place());
        assert!(!asked.is_answered() && asked.site_trouble().is_some());
        let mut asked = Asked::new(1);
        asked.batch(&[0], &[said(550, Step::Mail)], &place());
        assert!(asked.is_answered() && asked.site_trouble().is_none());
        let mut asked = Asked::new(1);
        asked.batch(&[0], &[said(421, Step::Mail)], &place());
        assert!(!asked.is_answered() && asked.site_trouble().is_some());
    }
}
