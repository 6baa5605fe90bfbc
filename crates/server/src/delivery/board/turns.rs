//! Which site has the next connection, and what its worker does with it.

use std::sync::Arc;

use types::Timestamp;

use super::site::Wants;
use super::{Board, Effects, Presence, SiteName, Turn};

/// Messages after which a worker gives its connection to a site that waits for one.
pub(super) const QUANTUM: usize = 50;
/// This part of all connections is kept for sites that have none yet.
const KEPT_PART: usize = 4;
/// Sites that want more connections and are looked at when one has ended.
const HUNGRY_LOOKS_MAX: usize = 8;

impl Board {
    /// Wakes or starts a worker for a site with work.
    pub(super) fn serve(&mut self, name: &SiteName, now: Timestamp, effects: &mut Effects) {
        let Some(site) = self.sites.get_mut(name) else { return };
        if site.ready() == 0 || site.signal() || !site.may_open(now) {
            return;
        }
        // Some are for sites that have none: however much a few slow ones want, it is not what others wait for.
        let free = self.limits.connections_max.saturating_sub(self.workers);
        let kept = if site.workers == 0 { 0 } else { self.limits.connections_max / KEPT_PART };
        if free > kept {
            self.workers += 1;
            site.opened(now);
            return effects.start.push(Arc::clone(name));
        }
        if site.workers > 0 {
            // It has its share of them, and more only where nobody has none.
            if site.wants == Wants::Nothing {
                site.wants = Wants::More;
                self.hungry.push_back(Arc::clone(name));
            }
        } else if site.wants != Wants::First {
            site.wants = Wants::First;
            self.starving.push_back(Arc::clone(name));
            // An idle connection of another site makes room.
            if let Some(other) = self.sites.values_mut().find(|other| other.has_idle()) {
                other.dismiss();
            }
        }
    }

    /// What a worker of the site does next. `served` is how many messages its connection has had.
    pub(in super::super) fn next(
        &mut self,
        name: &SiteName,
        served: usize,
        now: Timestamp,
    ) -> (Turn, Effects) {
        let mut effects = Effects::default();
        let must_yield = !self.starving.is_empty() && served >= QUANTUM;
        let Some(site) = self.sites.get_mut(name) else { return (Turn::Leave, effects) };
        if self.is_stopping || must_yield || site.must_leave(now) {
            return (Turn::Leave, effects);
        }
        if let Some(until) = site.rests_until(now).filter(|_| site.ready() > 0) {
            return (Turn::Rest(until), effects);
        }
        while let Some(job) = site.pop() {
            let id = job.loaded.item.id;
            match self.items.get_mut(&id) {
                Some(presence @ Presence::Ready) => {
                    *presence = Presence::UnderWay;
                    site.began(now);
                    return (Turn::Work(Box::new(job)), effects);
                }
                _ => {
                    self.items.remove(&id);
                    // Somebody may have claimed it anew, as it was changed, and found it here.
                    effects.release.push(id);
                    effects.load = true;
                    Self::count_down(&mut self.entries, &job.loaded.item.destination, 0);
                }
            }
        }
        if !self.starving.is_empty() {
            return (Turn::Leave, effects);
        }
        (Turn::Wait(site.wait()), effects)
    }

    /// A worker that waited goes on.
    pub(in super::super) fn woke(&mut self, name: &SiteName) {
        if let Some(site) = self.sites.get_mut(name) {
            site.woke();
        }
    }

    /// A worker has ended: its place is for the site that has waited longest.
    pub(in super::super) fn left(&mut self, name: &SiteName, now: Timestamp) -> Effects {
        let mut effects = Effects::default();
        self.workers = self.workers.saturating_sub(1);
        if let Some(site) = self.sites.get_mut(name) {
            site.closed(now);
        }
        while self.workers < self.limits.connections_max
            && let Some(next) = self.starving.pop_front()
        {
            self.serve_again(&next, Wants::First, now, &mut effects);
        }
        // Those that have too many still come back behind the others.
        for _ in 0..self.hungry.len().min(HUNGRY_LOOKS_MAX) {
            if let Some(next) = self.hungry.pop_front() {
                self.serve_again(&next, Wants::More, now, &mut effects);
            }
        }
        self.serve(&Arc::clone(name), now, &mut effects);
        effects
    }

    fn serve_again(&mut self, name: &SiteName, wanted: Wants, now: Timestamp, effects: &mut Effects) {
        if let Some(site) = self.sites.get_mut(name).filter(|site| site.wants == wanted) {
            site.wants = Wants::Nothing;
            self.serve(name, now, effects);
        }
    }
}
