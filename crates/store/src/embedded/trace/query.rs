//! Finding timelines: first which ones are meant, from the newest file back, then all of their events, from the
//! oldest file on. Both passes read the files through one window and keep no more than what is asked for.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::io::ErrorKind;
use std::time::Duration;

use types::{Event, EventStep, MailId, Timestamp};

use super::super::codec::Get;
use super::Snapshot;
use super::event::EventRef;
use super::files::FileInfo;
use super::frame::{Found, FrameHeader, Frames};
use super::index::Key;
use super::pending::gap;
use crate::{TIMELINES_MAX, TRACE_EVENTS_MAX, TraceQuery};

/// Clocks are set back, and a batch is written after its events: so much earlier than asked for is looked, too.
const SLACK: Duration = Duration::from_secs(10 * 60);

/// Octets of memory that a result takes at most.
const RESULT_BYTES_MAX: usize = 32 << 20;

/// Gaps in a result at most.
const GAPS_MAX: usize = 100;

/// What a query means, in the order of time.
pub(super) fn run(snapshot: &Snapshot, query: &TraceQuery) -> Vec<Event> {
    let wanted = Wanted::new(query);
    let mut meant = Newest::new(query.limit.min(TIMELINES_MAX));
    let mut gaps = Gaps::default();
    let keys = query.id.map(|id| [Key::Session(id), Key::Mail(id), Key::Gap]);
    // Of an id all is looked for: a clock that was ahead when it was made says nothing of what came later.
    let from = query.since.unwrap_or_default();
    for index in snapshot.since(from).rev() {
        // A snapshot has its indices.
        let Some(file) = snapshot.files.get(index) else { continue };
        snapshot.each_event(file, from, keys.as_ref().map(|keys| &keys[..]), &mut gaps, |event| {
            if let Some((id, timeline)) = wanted.timeline_of(event) {
                meant.add(event.at, id, timeline);
            }
        });
        if meant.more || (query.id.is_some() && !meant.is_empty()) {
            break;
        }
    }
    if meant.is_empty() {
        let mut gaps = gaps.all();
        gaps.retain(|gap| query.id.is_none_or(|id| gap.at.millis() >= early(id.time())));
        gaps.extend(snapshot.unwritten(gaps.last()));
        return gaps;
    }
    let mut events = collect(snapshot, &Members::of(snapshot, &meant, query.id.is_some()));
    if meant.more
        && let Some(first) = events.first()
    {
        let text = format!("there are older timelines: these are the newest {}", meant.limit);
        events.insert(0, gap(first.at, text));
    }
    events
}

/// All events of the timelines, with the gaps between them.
fn collect(snapshot: &Snapshot, members: &Members) -> Vec<Event> {
    let mut events = VecDeque::new();
    let (mut bytes, mut left_out) = (0, 0_u64);
    let mut gaps = Gaps::default();
    let keys = members.keys();
    for index in snapshot.since(members.from) {
        let Some(file) = snapshot.files.get(index) else { continue };
        snapshot.each_event(file, members.from, Some(&keys), &mut gaps, |event| {
            if !members.contain(event) {
                return;
            }
            bytes += event.size_bytes();
            events.push_back((event.size_bytes(), event.to_event()));
            while events.len() > TRACE_EVENTS_MAX || bytes > RESULT_BYTES_MAX {
                let Some((size, _)) = events.pop_front() else { break };
                bytes -= size;
                left_out += 1;
            }
        });
    }
    let mut events: Vec<Event> = events.into_iter().map(|(_, event)| event).collect();
    events.sort_by_key(|event| event.at);
    if let (Some(first), Some(last)) = (events.first().map(|e| e.at), events.last().map(|e| e.at)) {
        let near = Duration::from_secs(1);
        let gaps = gaps.all();
        events.extend(gaps.into_iter().filter(|gap| gap.at.plus(near) >= first && gap.at <= last.plus(near)));
        events.sort_by_key(|event| event.at);
        if left_out > 0 {
            let text = format!("{left_out} earlier events are left out: ask for fewer timelines");
            events.insert(0, gap(first, text));
        }
    }
    events.extend(snapshot.unwritten(events.last()));
    events
}

/// What is asked for.
struct Wanted {
    id: Option<MailId>,
    address: Option<String>,
    since: Timestamp,
}

/// Whose timeline it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Timeline {
    Session,
    Mail,
}

impl Wanted {
    fn new(query: &TraceQuery) -> Self {
        let address = query.address.as_deref().map(|address| {
            let bare = address.strip_prefix('<').and_then(|bare| bare.strip_suffix('>'));
            bare.unwrap_or(address).to_lowercase()
        });
        Self { id: query.id, address, since: query.since.unwrap_or_default() }
    }

    /// The timeline that an event is asked for with, where it is.
    fn timeline_of(&self, event: &EventRef<'_>) -> Option<(MailId, Timeline)> {
        if event.at < self.since {
            return None;
        }
        if self.address.as_deref().is_some_and(|address| !event.is_about(address)) {
            return None;
        }
        match (self.id, event.mail_id) {
            (Some(id), _) if event.session_id == id => Some((id, Timeline::Session)),
            (Some(id), Some(mail_id)) if mail_id == id => Some((id, Timeline::Mail)),
            (Some(_), _) => None,
            (None, Some(mail_id)) if self.address.is_some() => Some((mail_id, Timeline::Mail)),
            (None, _) => Some((event.session_id, Timeline::Session)),
        }
    }
}

/// The timelines in which something happened last.
struct Newest {
    limit: usize,
    found: HashMap<MailId, (Timestamp, Timeline)>,
    by_time: BTreeSet<(Timestamp, MailId)>,
    /// There are others.
    more: bool,
}

impl Newest {
    fn new(limit: usize) -> Self {
        Self { limit, found: HashMap::new(), by_time: BTreeSet::new(), more: false }
    }

    fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    fn add(&mut self, at: Timestamp, id: MailId, timeline: Timeline) {
        if let Some((last, _)) = self.found.get_mut(&id) {
            if at > *last {
                self.by_time.remove(&(*last, id));
                self.by_time.insert((at, id));
                *last = at;
            }
            return;
        }
        self.found.insert(id, (at, timeline));
        self.by_time.insert((at, id));
        if self.found.len() > self.limit
            && let Some((_, oldest)) = self.by_time.pop_first()
        {
            self.found.remove(&oldest);
            self.more = true;
        }
    }
}

/// Which events belong to the timelines.
struct Members {
    sessions: HashSet<MailId>,
    mails: HashSet<MailId>,
    /// Connections of those messages, of which only the events about no message belong.
    around: HashSet<MailId>,
    from: Timestamp,
}

impl Members {
    /// `whole`: whatever time their events say.
    fn of(snapshot: &Snapshot, meant: &Newest, whole: bool) -> Self {
        let of_kind = |kind| {
            let ids = meant.found.iter().filter(move |(_, (_, timeline))| *timeline == kind);
            ids.map(|(id, _)| *id).collect::<HashSet<_>>()
        };
        let (sessions, mails) = (of_kind(Timeline::Session), of_kind(Timeline::Mail));
        let mut around = HashSet::new();
        if let Some(first) = mails.iter().min() {
            let from = if whole { Timestamp::default() } else { first.time() };
            let keys: Vec<Key> = mails.iter().copied().map(Key::Mail).collect();
            for index in snapshot.since(from) {
                let Some(file) = snapshot.files.get(index) else { continue };
                snapshot.each_event(file, from, Some(&keys), &mut Gaps::default(), |event| {
                    // One message is passed on a bounded number of times; this bounds what a broken trace may do.
                    if event.mail_id.is_some_and(|id| mails.contains(&id)) && around.len() < TRACE_EVENTS_MAX
                    {
                        around.insert(event.session_id);
                    }
                });
            }
        }
        let first = sessions.iter().chain(&mails).chain(&around).min().filter(|_| !whole);
        let from = first.map_or(Timestamp::default(), |id| id.time());
        Self { sessions, mails, around, from }
    }

    /// By which their frames are found.
    fn keys(&self) -> Vec<Key> {
        let sessions = self.sessions.iter().copied().map(Key::Session);
        let mails = self.mails.iter().copied().map(Key::Mail);
        let around = self.around.iter().copied().map(Key::Around);
        sessions.chain(mails).chain(around).chain([Key::Gap]).collect()
    }

    fn contain(&self, event: &EventRef<'_>) -> bool {
        self.sessions.contains(&event.session_id)
            || match event.mail_id {
                Some(mail_id) => self.mails.contains(&mail_id),
                None => self.around.contains(&event.session_id),
            }
    }
}

/// What is missing.
#[derive(Default)]
struct Gaps {
    found: Vec<Event>,
    more: u64,
}

impl Gaps {
    fn add(&mut self, event: Event) {
        if self.found.len() < GAPS_MAX {
            self.found.push(event);
        } else {
            self.more += 1;
        }
    }

    fn all(mut self) -> Vec<Event> {
        if self.more > 0 {
            let at = self.found.last().map_or(Timestamp::default(), |last| last.at);
            self.found.push(gap(at, format!("there are {} more gaps", self.more)));
        }
        self.found
    }
}

impl Snapshot {
    /// What could not be written yet is missing at the end.
    fn unwritten(&self, last: Option<&Event>) -> Option<Event> {
        let error = self.unwritten.as_ref()?;
        let at = last.map_or(Timestamp::default(), |last| last.at);
        Some(gap(at, format!("the newest events are missing: {error}")))
    }

    /// The indices of the files that may have events of that time or later.
    fn since(&self, from: Timestamp) -> std::ops::Range<usize> {
        let from = early(from);
        // A file ends where the next one begins.
        let next = self.files.iter().skip(1).position(|next| next.first_ms == 0 || next.first_ms >= from);
        next.unwrap_or(self.files.len().saturating_sub(1))..self.files.len()
    }

    /// Shows the events of a file in frames that reach to that time or later, and notes what cannot be read. With keys,
    /// those in frames that have others may be left out.
    fn each_event(
        &self,
        file: &FileInfo,
        from: Timestamp,
        keys: Option<&[Key]>,
        gaps: &mut Gaps,
        show: impl FnMut(&EventRef<'_>),
    ) {
        let last = Timestamp::from_millis(file.first_ms);
        let mut look = Look { number: file.number, from, last, gaps, show };
        let opened = match self.reader.open(file.number) {
            // It was too old and is removed meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => return,
            Err(error) => return look.missing(&format!("it cannot be opened: {error}")),
            Ok(opened) => opened,
        };
        let frames = Frames::of(opened, file.size_bytes);
        let index = keys.and_then(|keys| self.reader.index(file)?.frames(keys).ok().flatten());
        match index {
            Some(offsets) => look.at(frames, offsets),
            None => look.all(frames),
        }
    }
}

/// A look through one file.
struct Look<'l, F> {
    number: u64,
    from: Timestamp,
    /// Until when it has been looked through.
    last: Timestamp,
    gaps: &'l mut Gaps,
    show: F,
}

impl<F: FnMut(&EventRef<'_>)> Look<'_, F> {
    fn all(&mut self, mut frames: Frames) {
        loop {
            match frames.next() {
                Ok(Found::End) => return,
                Ok(Found::Frame(header, octets)) => self.frame(header, octets),
                Ok(Found::Damage(octets)) => self.missing(&format!("{octets} octets are damaged")),
                Ok(Found::Tail(octets)) => {
                    self.missing(&format!("its last {octets} octets are torn or damaged"));
                }
                Ok(Found::Newer) => return self.missing("it was written by a newer version"),
                Err(error) => return self.missing(&format!("it cannot be read: {error}")),
            }
        }
    }

    /// The frames that the index names, which were whole when it was made.
    fn at(&mut self, mut frames: Frames, offsets: BTreeSet<u64>) {
        for offset in offsets {
            match frames.at(offset) {
                Ok(Some((header, octets))) => self.frame(header, octets),
                Ok(None) => self.missing(&format!("what stands at octet {offset} is damaged")),
                Err(error) => return self.missing(&format!("it cannot be read: {error}")),
            }
        }
    }

    fn frame(&mut self, header: FrameHeader, octets: &[u8]) {
        if header.last_ms < early(self.from) {
            return;
        }
        self.last = Timestamp::from_millis(header.last_ms);
        let mut octets = Get(octets);
        while !octets.0.is_empty() {
            match EventRef::decode(&mut octets) {
                Ok(event) if event.step == EventStep::Gap => self.gaps.add(event.to_event()),
                Ok(event) => (self.show)(&event),
                Err(_) => {
                    return self.missing("events that cannot be read, though their checksum agrees");
                }
            }
        }
    }

    fn missing(&mut self, what: &str) {
        self.gaps.add(gap(self.last, format!("file {} of the trace: {what}", self.number)));
    }
}

fn early(from: Timestamp) -> u64 {
    let slack = u64::try_from(SLACK.as_millis()).unwrap_or(u64::MAX);
    from.millis().saturating_sub(slack)
}
