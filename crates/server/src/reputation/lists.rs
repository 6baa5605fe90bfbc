//! The lists that are asked, and whether they work.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::join_all;
use mailauth::Names;
use mta::admission::reputation::{
    Answer, Fault, Kind, Proof, Share, Subject, TestQuestions, TestResult, address_question, domain_question,
    read, test_questions, test_result, text_of,
};
use tokio::time::{Duration, Instant};
use tracing::{info, warn};
use types::dns::Lookup;

use crate::config::{DnsList, Switch};
use crate::control::ListStatus;
use crate::metrics::Metrics;

/// All lists of the configuration that are asked.
#[derive(Debug, Default)]
pub(crate) struct Lists(Vec<List>);

#[derive(Debug)]
struct List {
    config: DnsList,
    states: [State; Kind::ALL.len()],
    /// When somebody was told last that the list does not work.
    told: Mutex<Option<Instant>>,
}

/// Whether a list works for what it has entries of.
#[derive(Debug, Default)]
struct State {
    tested: Mutex<Option<(Instant, TestResult)>>,
    /// One tests, others wait for what comes of it.
    turn: tokio::sync::Mutex<()>,
}

/// Something that lists are asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct About {
    pub(super) subject: Subject,
    pub(super) what: What,
    pub(super) proof: Proof,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    Ip(IpAddr),
    Name(String),
}

/// How often a list is tested; one that did not answer sooner.
const TEST_EVERY: Duration = Duration::from_secs(4 * 60 * 60);
const TEST_AGAIN: Duration = Duration::from_secs(5 * 60);
/// How often somebody is told that a list does not work.
const TELL_EVERY: Duration = Duration::from_secs(60 * 60);

impl Lists {
    pub(super) fn new(configured: &[DnsList]) -> Self {
        let enabled = configured.iter().filter(|list| list.enabled == Switch::On);
        let list = |config: &DnsList| List {
            config: config.clone(),
            states: <_>::default(),
            told: Mutex::default(),
        };
        Self(enabled.map(list).collect())
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn ask_about(&self, subject: Subject) -> bool {
        self.0.iter().any(|list| list.config.of.0.contains(&subject))
    }

    /// What is known of each.
    pub(crate) fn states(&self) -> Vec<ListStatus> {
        self.0.iter().flat_map(|list| list.kinds().map(|kind| list.state(kind))).collect()
    }

    /// Asks all lists about all of that at once.
    pub(super) async fn ask(&self, names: &dyn Names, metrics: &Metrics, asked: &[About]) -> Vec<Share> {
        let questions = self.0.iter().flat_map(|list| {
            let of_list = asked.iter().filter(|about| list.config.of.0.contains(&about.subject));
            of_list.map(move |about| list.ask(names, metrics, about))
        });
        join_all(questions).await.into_iter().flatten().collect()
    }

    /// What the list of a share has to say about it, where that is to be told.
    pub(super) async fn text(&self, names: &dyn Names, share: &Share) -> Option<String> {
        let what = match share.about.parse() {
            Ok(ip) if matches!(share.subject, Subject::Address) => What::Ip(ip),
            _ => What::Name(share.about.clone()),
        };
        match names.txt(&what.question(&share.zone)?).await {
            Lookup::Records { records, .. } => records.first().and_then(|record| text_of(record)),
            Lookup::NoData { .. } | Lookup::NoSuchName | Lookup::Trouble(_) => None,
        }
    }

    /// Tests what was not tested for long.
    pub(super) async fn test_due(&self, names: &dyn Names, metrics: &Metrics) {
        let due = self.0.iter().flat_map(|list| list.kinds().map(move |kind| (list, kind)));
        join_all(due.map(|(list, kind)| list.test_if_due(names, metrics, kind))).await;
    }
}

impl List {
    fn zone(&self) -> &str {
        self.config.zone.ascii()
    }

    fn kinds(&self) -> impl Iterator<Item = Kind> {
        let of = &self.config.of.0;
        let has_addresses = of.contains(&Subject::Address);
        let has_names = of.iter().any(|subject| *subject != Subject::Address);
        Kind::ALL.into_iter().filter(move |kind| match kind {
            Kind::Ipv4 | Kind::Ipv6 => has_addresses,
            Kind::Domain => has_names,
        })
    }

    fn state(&self, kind: Kind) -> ListStatus {
        let tested = lock(&self.states[kind as usize].tested);
        let (works, problem) = match tested.as_ref().map(|(_, result)| result) {
            None => (None, None),
            Some(TestResult::Sound) => (Some(true), None),
            Some(TestResult::Unsound(why)) => (Some(false), Some(why.clone())),
            Some(TestResult::Unknown(why)) => (Some(false), Some(why.to_string())),
        };
        ListStatus { zone: self.zone().to_owned(), kind: kind.keyword().to_owned(), works, problem }
    }

    async fn ask(&self, names: &dyn Names, metrics: &Metrics, about: &About) -> Option<Share> {
        let zone = self.zone();
        let question = about.what.question(zone)?;
        if !self.works(names, metrics, about.what.kind()).await {
            return None;
        }
        let found = read(&self.config.codes, self.config.weight.0, &names.ipv4(&question).await);
        metrics.asked_list(zone, keyword(&found));
        match found {
            Answer::Listed { weight, codes } => Some(Share {
                zone: zone.to_owned(),
                subject: about.subject,
                about: about.what.to_string(),
                proof: about.proof,
                weight,
                codes,
                text: None,
            }),
            Answer::Broken(fault) => {
                self.tell(&fault);
                None
            }
            Answer::NotListed | Answer::Trouble(_) => None,
        }
    }

    /// One line an hour, however many ask.
    fn tell(&self, fault: &Fault) {
        let mut told = lock(&self.told);
        if told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            *told = Some(Instant::now());
            warn!(zone = self.zone(), %fault, "a list in the DNS does not work, and what it says does not count");
        }
    }

    /// By its last test; who comes before the first waits for that.
    async fn works(&self, names: &dyn Names, metrics: &Metrics, kind: Kind) -> bool {
        let state = &self.states[kind as usize];
        let is_tested = lock(&state.tested).is_some();
        if !is_tested {
            self.test_if_due(names, metrics, kind).await;
        }
        matches!(&*lock(&state.tested), Some((_, TestResult::Sound)))
    }

    async fn test_if_due(&self, names: &dyn Names, metrics: &Metrics, kind: Kind) {
        let state = &self.states[kind as usize];
        let _turn = state.turn.lock().await;
        let before = lock(&state.tested).clone();
        let is_due = match &before {
            None => true,
            Some((at, TestResult::Unknown(_))) => at.elapsed() >= TEST_AGAIN,
            Some((at, TestResult::Sound | TestResult::Unsound(_))) => at.elapsed() >= TEST_EVERY,
        };
        if !is_due {
            return;
        }
        let own = Some(self.config.test_entry.0.as_str()).filter(|entry| !entry.is_empty());
        let TestQuestions { listed, unlisted } = test_questions(kind, self.zone(), own);
        let (listed, unlisted) = tokio::join!(biased; names.ipv4(&listed), names.ipv4(&unlisted));
        let result = test_result(&listed, &unlisted);
        let before = before.map(|(_, result)| result);
        // A list that worked and does not answer now may answer the next question.
        let kept = match (&before, &result) {
            (Some(TestResult::Sound), TestResult::Unknown(_)) => TestResult::Sound,
            _ => result,
        };
        if before.as_ref() != Some(&kept) {
            self.tell_test(kind, &kept);
        }
        metrics.tested_list(self.zone(), kind.keyword(), kept == TestResult::Sound);
        *lock(&state.tested) = Some((Instant::now(), kept));
    }

    fn tell_test(&self, kind: Kind, result: &TestResult) {
        let (zone, kind_word) = (self.zone(), kind.keyword());
        match result {
            TestResult::Sound => info!(zone, kind = kind_word, "a list in the DNS works"),
            // Most lists of addresses have none of IPv6.
            TestResult::Unsound(why) if kind == Kind::Ipv6 => {
                info!(zone, kind = kind_word, %why, "a list in the DNS is not asked");
            }
            TestResult::Unsound(why) => {
                warn!(zone, kind = kind_word, %why, "a list in the DNS does not work and is not asked");
            }
            TestResult::Unknown(why) => {
                warn!(zone, kind = kind_word, %why, "a list in the DNS does not answer and is not asked");
            }
        }
    }
}

impl What {
    fn question(&self, zone: &str) -> Option<String> {
        match self {
            Self::Ip(ip) => Some(address_question(*ip, zone)),
            Self::Name(name) => domain_question(name, zone),
        }
    }

    const fn kind(&self) -> Kind {
        match self {
            Self::Ip(ip) => Kind::of(*ip),
            Self::Name(_) => Kind::Domain,
        }
    }
}

impl std::fmt::Display for What {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ip(ip) => ip.to_canonical().fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

const fn keyword(answer: &Answer) -> &'static str {
    match answer {
        Answer::Listed { .. } => "listed",
        Answer::NotListed => "not_listed",
        Answer::Broken(_) => "broken",
        Answer::Trouble(_) => "trouble",
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it is held.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
