//! What of the queue is in memory: which items wait for which site, and who may begin.
//!
//! A value behind one lock, which is never held while somebody waits. It decides, and says what is to be done
//! ([`Effects`]); doing it is for whoever asked.
//!
//! Memory is bounded by the number of items, and shared by a threshold that moves: one destination holds a quarter of
//! the room that is free, a site half of it. However many of them are slow, some room is left for the others, and what
//! is not taken in waits in the store.

mod clock;
mod site;
#[cfg(test)]
mod tests;
mod turns;
mod withhold;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use mta::route::Route;
use mta::shaping;
use store::{Destination, QueueItem, QueueItemId};
use tokio::sync::Notify;
use types::Timestamp;

use super::Fresh;
use super::figures::{Load, SiteFigures};
use super::world::{Asked, Routed, Way};
use site::Site;
pub(super) use site::SiteName;
use withhold::ChangedLately;
pub(super) use withhold::Withheld;

/// What there may be at one time.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    /// Items in memory.
    pub(super) loaded_max: usize,
    /// Connections.
    pub(super) connections_max: usize,
    /// What one site is given, where its rule says nothing else.
    pub(super) site: shaping::Limits,
}

/// An item that is claimed and in memory.
#[derive(Debug, Clone)]
pub(super) struct Loaded {
    pub(super) item: QueueItem,
    pub(super) fresh: Option<Arc<Fresh>>,
    pub(super) loaded_at: Timestamp,
}

/// An item for a worker.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) loaded: Loaded,
    pub(super) routed: Arc<Routed>,
}

/// What is to be done after a change.
#[derive(Debug, Default)]
pub(super) struct Effects {
    /// Claims to be given back to the store.
    pub(super) release: Vec<QueueItemId>,
    /// Destinations whose route is to be found out.
    pub(super) ask: Vec<(Destination, Asked)>,
    /// A worker is to be started for each.
    pub(super) start: Vec<SiteName>,
    /// There is room for what waits in the store.
    pub(super) load: bool,
}

/// What a worker does next.
#[derive(Debug)]
pub(super) enum Turn {
    /// This.
    Work(Box<Job>),
    /// It keeps its connection, and asks again when it is woken.
    Wait(Arc<Notify>),
    /// It asks again then: no more messages may go before.
    Rest(Timestamp),
    /// It ends.
    Leave,
}

/// Whether an item in memory may still be begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    Ready,
    /// Somebody changed it in the store.
    Withdrawn,
    UnderWay,
}

#[derive(Default)]
struct Entry {
    route: Option<(Arc<Routed>, Timestamp)>,
    /// The route is being found out.
    is_asking: bool,
    /// What waits for the route.
    pending: Vec<Loaded>,
    /// Items in memory.
    loaded: usize,
    /// Whether the store has more that is due, as far as is known.
    has_more: bool,
    /// Until when its host has asked for its mail.
    asked_until: Option<Timestamp>,
    used_at: Timestamp,
}

/// All of it.
pub(super) struct Board {
    limits: Limits,
    items: HashMap<QueueItemId, Presence>,
    /// In order, and the sites too: what is done for several of them is done in the same order each time.
    entries: BTreeMap<Destination, Entry>,
    sites: BTreeMap<SiteName, Site>,
    workers: usize,
    /// Sites with work and no connection, because there are as many as there may be: the longest waiting first.
    starving: VecDeque<SiteName>,
    /// Sites that have some and would have more.
    hungry: VecDeque<SiteName>,
    /// Something was left in the store for want of room.
    is_short: bool,
    is_stopping: bool,
    changed_lately: ChangedLately,
    /// What the clock said at the latest.
    latest: Timestamp,
}

/// How long a route is good for; then it is found out anew, beside the work.
const ROUTE_FRESH: Duration = Duration::from_secs(300);
/// The same for one that leads nowhere now.
const ROUTE_TROUBLE_FRESH: Duration = Duration::from_secs(60);
/// How long the wish of a host for its mail lasts (ETRN).
const ASKED_FRESH: Duration = Duration::from_secs(600);
/// How long destinations and sites without work are remembered.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(900);

impl Board {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            items: HashMap::new(),
            entries: BTreeMap::new(),
            sites: BTreeMap::new(),
            workers: 0,
            starving: VecDeque::new(),
            hungry: VecDeque::new(),
            is_short: false,
            is_stopping: false,
            changed_lately: ChangedLately::default(),
            latest: Timestamp::default(),
        }
    }

    /// Items that may be taken in.
    pub(super) fn room(&self) -> usize {
        if self.is_stopping { 0 } else { self.limits.loaded_max.saturating_sub(self.items.len()) }
    }

    /// Items in memory.
    pub(super) fn loaded(&self) -> usize {
        self.items.len()
    }

    /// Workers, which is connections that are open or being opened.
    pub(super) const fn workers(&self) -> usize {
        self.workers
    }

    /// Whether an item is in memory.
    pub(super) fn holds(&self, id: QueueItemId) -> bool {
        self.items.contains_key(&id)
    }

    /// Takes in what was claimed.
    pub(super) fn add(&mut self, loaded: Loaded, now: Timestamp, effects: &mut Effects) {
        let id = loaded.item.id;
        self.latest = self.latest.max(now);
        if self.items.contains_key(&id) {
            // It was changed while it was here: whoever has it is fenced, gives this claim back too, and it is found
            // again in the store.
            if let Some(entry) = self.entries.get_mut(&loaded.item.destination) {
                entry.has_more = true;
            }
            return;
        }
        if self.changed_lately.is_outdated(&loaded.item) {
            // Somebody was faster than who accepted it: the store knows what it is now.
            effects.load = true;
            return effects.release.push(id);
        }
        let share = self.share();
        let is_full = self.room() == 0;
        let entry = self.entries.entry(loaded.item.destination.clone()).or_default();
        entry.used_at = now;
        if is_full || entry.loaded >= share {
            entry.has_more = true;
            self.is_short |= is_full;
            return effects.release.push(id);
        }
        entry.loaded += 1;
        self.items.insert(id, Presence::Ready);
        let asked = entry.asked(now);
        let is_due = entry.route.as_ref().is_none_or(|(_, until)| *until <= now);
        if is_due && !entry.is_asking {
            entry.is_asking = true;
            effects.ask.push((loaded.item.destination.clone(), asked));
        }
        // An old way is good until the new one is known; that there is none is not: it may be for good, and mended since.
        let known = entry
            .route
            .as_ref()
            .filter(|(routed, _)| !is_due || !matches!(routed.way, Way::Elsewhere(Route::Unroutable { .. })));
        match known.map(|(routed, _)| Arc::clone(routed)) {
            Some(routed) => self.place(Job { loaded, routed }, now, effects),
            None => entry.pending.push(loaded),
        }
    }

    /// An item that is in memory without waiting for its site. False where it is there already.
    pub(super) fn adopt(&mut self, item: &QueueItem) -> bool {
        if self.is_stopping || self.items.contains_key(&item.id) {
            return false;
        }
        self.items.insert(item.id, Presence::UnderWay);
        self.entries.entry(item.destination.clone()).or_default().loaded += 1;
        true
    }

    /// The route of a destination was found out.
    pub(super) fn routed(&mut self, to: &Destination, routed: Routed, now: Timestamp, effects: &mut Effects) {
        let Some(entry) = self.entries.get_mut(to) else { return };
        if entry.asked(now) == Asked::Now && matches!(routed.way, Way::Elsewhere(Route::OnDemand)) {
            // Its host has asked while this was found out: it need not wait for that any more.
            return effects.ask.push((to.clone(), Asked::Now));
        }
        let fresh = match &routed.way {
            Way::Elsewhere(Route::Unroutable { .. }) => ROUTE_TROUBLE_FRESH,
            _ => ROUTE_FRESH,
        };
        let routed = Arc::new(routed);
        entry.route = Some((Arc::clone(&routed), now.plus(fresh)));
        entry.is_asking = false;
        for loaded in std::mem::take(&mut entry.pending) {
            self.place(Job { loaded, routed: Arc::clone(&routed) }, now, effects);
        }
    }

    /// Lets an item wait for its site, or gives it back where that is of no use now.
    fn place(&mut self, job: Job, now: Timestamp, effects: &mut Effects) {
        let name = Arc::clone(&job.routed.site);
        let share = self.room() / 2 + 1;
        let site = self
            .sites
            .entry(Arc::clone(&name))
            .or_insert_with(|| Site::new(Arc::clone(&name), site::limits(&job.routed, &self.limits)));
        if self.is_stopping || site.is_suspended(now) || site.ready() >= share {
            return self.give_back(job, effects);
        }
        site.push(job);
        self.serve(&name, now, effects);
    }

    fn give_back(&mut self, job: Job, effects: &mut Effects) {
        let item = &job.loaded.item;
        self.items.remove(&item.id);
        if let Some(entry) = self.entries.get_mut(&item.destination) {
            entry.loaded = entry.loaded.saturating_sub(1);
            entry.has_more = true;
        }
        effects.release.push(item.id);
    }

    /// An item is settled, or was given back.
    pub(super) fn finished(&mut self, id: QueueItemId, destination: &Destination) -> Effects {
        self.items.remove(&id);
        let share = self.share();
        let mut load = Self::count_down(&mut self.entries, destination, share / 2);
        if self.is_short && self.room() > self.limits.loaded_max / 4 {
            self.is_short = false;
            load = true;
        }
        Effects { load, ..Effects::default() }
    }

    /// True where there is room for more of the destination, and more.
    fn count_down(entries: &mut BTreeMap<Destination, Entry>, destination: &Destination, low: usize) -> bool {
        let Some(entry) = entries.get_mut(destination) else { return false };
        entry.loaded = entry.loaded.saturating_sub(1);
        entry.has_more && entry.loaded <= low
    }

    /// A host of the site answered for a message, whatever it said of it.
    pub(super) fn went_well(&mut self, name: &SiteName, relayed: u64, now: Timestamp) -> Effects {
        let mut effects = Effects::default();
        if let Some(site) = self.sites.get_mut(name) {
            site.went_well(relayed, now);
        }
        self.serve(name, now, &mut effects);
        effects
    }

    /// A site has trouble. Where that suspends it, what waits for it goes back to the store, and the end is returned.
    pub(super) fn went_badly(
        &mut self,
        name: &SiteName,
        reason: &str,
        now: Timestamp,
        random: u64,
    ) -> (Option<Timestamp>, Effects) {
        let mut effects = Effects::default();
        let Some(site) = self.sites.get_mut(name) else { return (None, effects) };
        let suspended_until = site.went_badly(reason, now, random);
        if suspended_until.is_some() {
            for job in site.drain() {
                self.give_back(job, &mut effects);
            }
        }
        (suspended_until, effects)
    }

    /// A reply for people to see.
    pub(super) fn note_reply(&mut self, name: &SiteName, reply: String) {
        if let Some(site) = self.sites.get_mut(name) {
            site.note_reply(reply);
        }
    }

    /// How many due items of a destination are to be claimed now.
    pub(super) fn wants(&mut self, destination: &Destination, now: Timestamp) -> usize {
        let (room, share) = (self.room(), self.share());
        self.is_short |= room == 0;
        let Some(entry) = self.entries.get_mut(destination) else { return room.min(share) };
        if let Some((routed, _)) = &entry.route
            && self.sites.get(&routed.site).is_some_and(|site| site.is_suspended(now))
        {
            return 0;
        }
        entry.has_more = true;
        share.saturating_sub(entry.loaded).min(room)
    }

    /// All that was due of a destination is in memory.
    pub(super) fn has_all(&mut self, destination: &Destination) {
        if let Some(entry) = self.entries.get_mut(destination) {
            entry.has_more = false;
        }
    }

    /// Until when the site of a destination is suspended, and why, where it is.
    pub(super) fn suspension(
        &self,
        destination: &Destination,
        now: Timestamp,
    ) -> Option<(Timestamp, String)> {
        let (routed, _) = self.entries.get(destination)?.route.as_ref()?;
        self.sites.get(&routed.site)?.suspension(now)
    }

    /// When a suspended site may be tried again: the next such time.
    pub(super) fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        self.sites.values().filter_map(|site| site.next_change(now)).min()
    }

    /// Sites that have work and may open again by now.
    pub(super) fn tick(&mut self, now: Timestamp) -> Effects {
        let mut effects = Effects::default();
        let names: Vec<_> =
            self.sites.values().filter(|site| site.ready() > 0).map(|site| Arc::clone(&site.name)).collect();
        for name in names {
            self.serve(&name, now, &mut effects);
        }
        effects
    }

    /// Somebody changed these items in the store.
    pub(super) fn changed(&mut self, ids: &[QueueItemId]) {
        for id in ids {
            if let Some(presence @ Presence::Ready) = self.items.get_mut(id) {
                *presence = Presence::Withdrawn;
            }
            self.changed_lately.add(*id);
        }
    }

    /// The host of a destination has asked for its mail, or an operator has: suspensions end. `asked` where its rule
    /// makes it wait for that.
    pub(super) fn asked(&mut self, destination: &Destination, now: Timestamp) -> Effects {
        let entry = self.entries.entry(destination.clone()).or_default();
        entry.used_at = now;
        entry.asked_until = Some(now.plus(ASKED_FRESH));
        let site = entry.route.as_ref().map(|(routed, _)| Arc::clone(&routed.site));
        // What the DNS says may be another thing now.
        entry.route = None;
        if let Some(site) = site {
            self.resume(&site);
        }
        Effects { load: true, ..Effects::default() }
    }

    /// Whether the host of a destination has asked for its mail lately.
    pub(super) fn is_asked(&self, destination: &Destination, now: Timestamp) -> bool {
        self.entries.get(destination).is_some_and(|entry| entry.asked(now) == Asked::Now)
    }

    /// Whether anything of a destination is in memory.
    pub(super) fn has_loaded(&self, destination: &Destination) -> bool {
        self.entries.get(destination).is_some_and(|entry| entry.loaded > 0)
    }

    /// Ends the suspension of a site.
    pub(super) fn resume(&mut self, name: &SiteName) {
        if let Some(site) = self.sites.get_mut(name) {
            site.resume();
        }
    }

    /// Destinations whose mail a site takes, as far as they are known.
    pub(super) fn destinations_of(&self, name: &str) -> Vec<Destination> {
        let is_of = |entry: &Entry| entry.route.as_ref().is_some_and(|(routed, _)| &*routed.site == name);
        self.entries.iter().filter(|(_, entry)| is_of(entry)).map(|(to, _)| to.clone()).collect()
    }

    /// Nothing is begun any more; what was not begun is to be given back.
    pub(super) fn stop(&mut self) -> Effects {
        self.is_stopping = true;
        let mut effects = Effects::default();
        let mut jobs = Vec::new();
        for site in self.sites.values_mut() {
            jobs.extend(site.drain());
            site.dismiss_all();
        }
        for job in jobs {
            self.give_back(job, &mut effects);
        }
        let pending: Vec<_> =
            self.entries.values_mut().flat_map(|entry| std::mem::take(&mut entry.pending)).collect();
        for loaded in pending {
            self.items.remove(&loaded.item.id);
            effects.release.push(loaded.item.id);
        }
        effects
    }

    /// Forgets destinations and sites that have had no work for long.
    pub(super) fn tidy(&mut self, now: Timestamp) {
        let is_old = |used_at: Timestamp| now.since(used_at) > FORGOTTEN_AFTER;
        self.entries.retain(|_, entry| entry.loaded > 0 || entry.is_asking || !is_old(entry.used_at));
        self.sites.retain(|_, site| !site.is_at_rest(now));
    }

    /// For people, by the name of the site.
    pub(super) fn figures(&self, now: Timestamp) -> Vec<SiteFigures> {
        let mut figures: Vec<_> = self.sites.values().map(|site| site.figures(now)).collect();
        figures.sort_by(|a, b| a.name.cmp(&b.name));
        let at: HashMap<String, usize> =
            figures.iter().enumerate().map(|(at, site)| (site.name.clone(), at)).collect();
        for (destination, entry) in &self.entries {
            let Some((routed, _)) = &entry.route else { continue };
            let Some(site) = at.get(&*routed.site).and_then(|at| figures.get_mut(*at)) else { continue };
            if site.destinations.len() < DESTINATIONS_SHOWN_MAX {
                site.destinations.push(destination.to_string());
            }
        }
        figures
    }

    /// How much there is.
    pub(super) fn load(&self) -> Load {
        Load {
            items: self.items.len(),
            items_max: self.limits.loaded_max,
            connections: self.workers,
            connections_max: self.limits.connections_max,
            connections_of_one_site: self.sites.values().map(|site| site.workers).max().unwrap_or(0),
            connections_of_one_site_max: self.limits.site.connections_max as usize,
            sites: self.sites.len(),
            destinations: self.entries.len(),
        }
    }

    /// What one destination may hold.
    fn share(&self) -> usize {
        let room = self.room();
        if room == 0 { 0 } else { room / 4 + 1 }
    }
}

/// Destinations of a site that are shown.
const DESTINATIONS_SHOWN_MAX: usize = 20;

impl Entry {
    fn asked(&self, now: Timestamp) -> Asked {
        if self.asked_until.is_some_and(|until| until > now) { Asked::Now } else { Asked::Not }
    }
}
