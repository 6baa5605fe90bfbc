//! Keys of a node: loaded, lost, and following one another, with a DNS and a clock of the test's own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mailauth::{Names, Texts};
use store::{Put, StoredDkimKey};
use types::directory::{DkimAlgorithm, DkimKeyState, DomainEntry};
use types::dns::{DnsTrouble, Lookup, Validation};
use types::{Domain, Timestamp};

use super::making;
use super::rotation::Rotation;
use crate::config::{ByteSize, Config};
use crate::node::Node;
use crate::secrets::Secrets;
use crate::shared::Shared;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const START: Timestamp = Timestamp::from_millis(1_795_322_124_250);

/// Texts by name; trouble where a name has none of either.
#[derive(Default)]
struct Zone(Mutex<HashMap<String, Option<Vec<String>>>>);

impl Zone {
    fn put(&self, name: &str, texts: &[&str]) {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        self.0.lock().unwrap().insert(name.to_owned(), Some(texts));
    }

    fn fail(&self, name: &str) {
        self.0.lock().unwrap().insert(name.to_owned(), None);
    }

    fn names(&self) -> impl Names {
        Texts(|name: &str| match self.0.lock().unwrap().get(name) {
            None => Lookup::NoSuchName,
            Some(None) => Lookup::Trouble(DnsTrouble::TimedOut),
            Some(Some(texts)) => Lookup::Records {
                records: texts.iter().map(|text| text.clone().into_bytes()).collect(),
                alias_of: None,
                validation: Validation::Insecure,
            },
        })
    }
}

/// A node with one domain and a DNS.
struct Bench {
    node: Node,
    zone: Zone,
    rotation: Rotation,
    data: tempfile::TempDir,
}

fn domain() -> Domain {
    "example.org".parse().unwrap()
}

async fn open(data: &tempfile::TempDir) -> Node {
    let mut config = Config { data: data.path().to_path_buf(), listeners: Vec::new(), ..Config::default() };
    config.host_name = "mail.example.org".parse().unwrap();
    config.store.min_free_bytes = ByteSize(0);
    Node::start(Arc::new(config)).await.unwrap()
}

impl Bench {
    async fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let node = open(&data).await;
        node.shared().store.put_domain(DomainEntry::new(domain()), Put::New).await.unwrap();
        Self { node, zone: Zone::default(), rotation: Rotation::default(), data }
    }

    fn shared(&self) -> &Shared {
        self.node.shared()
    }

    /// Puts a key of Ed25519, which costs no time.
    async fn put(&self, selector: &str, state: DkimKeyState, at: Timestamp) -> StoredDkimKey {
        let algorithm = DkimAlgorithm::Ed25519Sha256;
        let secrets = &self.shared().secrets;
        let made = making::make(secrets, &domain(), selector.into(), algorithm, state, at).unwrap();
        self.shared().store.put_dkim_keys(vec![made.clone()]).await.unwrap();
        made
    }

    async fn look(&mut self, after: Duration) {
        let shared = Arc::clone(self.node.shared());
        self.rotation.look(&shared, &self.zone.names(), START.plus(after)).await.unwrap();
    }

    /// Selectors and states.
    async fn states(&self) -> Vec<(String, DkimKeyState)> {
        let keys = self.shared().store.dkim_keys(&domain()).await.unwrap();
        keys.into_iter().map(|stored| (stored.key.selector, stored.key.state)).collect()
    }

    /// Selectors of the keys that sign, and how many cannot.
    async fn signing(&self) -> (Vec<String>, usize) {
        let keys = &self.shared().signing_keys;
        let loaded = keys.of(self.shared(), &domain()).await.unwrap();
        (loaded.iter().map(|key| key.selector.clone()).collect(), keys.unusable(&domain()))
    }
}

fn state(selector: &str, state: DkimKeyState) -> (String, DkimKeyState) {
    (selector.to_owned(), state)
}

use DkimKeyState::{Active, Next, Retired};

#[tokio::test]
async fn a_key_signs_when_the_dns_has_had_its_record_for_an_hour_and_the_old_one_goes_after_the_overlap() {
    let mut bench = Bench::start().await;
    bench.put("old", Active, START).await;
    let next = bench.put("new", Next, START).await;
    let name = next.key.record_name();
    assert_eq!(bench.signing().await.0, ["old"]);
    // Nothing, an old record, two records, no answer: nothing changes, for however long.
    bench.look(DAY).await;
    bench.zone.put(&name, &["v=DKIM1; k=ed25519; p=AAAA"]);
    bench.look(DAY * 2).await;
    bench.zone.put(&name, &[&next.key.record, &next.key.record]);
    bench.look(DAY * 3).await;
    bench.zone.fail(&name);
    bench.look(DAY * 4).await;
    assert_eq!(bench.states().await, [state("new", Next), state("old", Active)]);
    // Seen, gone, and seen again: the hour begins anew. No answer in between does not count.
    let written_otherwise = next.key.record.replace("; ", ";").replace("p=", "p= ");
    bench.zone.put(&name, &[&written_otherwise]);
    bench.look(DAY * 5).await;
    bench.zone.put(&name, &[]);
    bench.look(DAY * 5 + HOUR / 2).await;
    bench.zone.put(&name, &[&written_otherwise]);
    bench.look(DAY * 5 + HOUR).await;
    bench.zone.fail(&name);
    bench.look(DAY * 5 + HOUR * 3 / 2).await;
    bench.zone.put(&name, &[&written_otherwise]);
    bench.look(DAY * 5 + HOUR * 2 - Duration::from_millis(1)).await;
    assert_eq!(bench.signing().await.0, ["old"]);
    bench.look(DAY * 5 + HOUR * 2).await;
    assert_eq!(bench.states().await, [state("new", Active), state("old", Retired)]);
    assert_eq!(bench.signing().await.0, ["new"]);
    bench.look(DAY * 19 + HOUR).await;
    assert_eq!(bench.states().await.len(), 2);
    bench.look(DAY * 19 + HOUR * 2).await;
    assert_eq!(bench.states().await, [state("new", Active)]);
}

#[tokio::test]
async fn an_old_key_gets_a_successor_by_schedule_and_signs_on() {
    let mut bench = Bench::start().await;
    bench.put("old", Active, START).await;
    bench.look(DAY * 179).await;
    assert_eq!(bench.states().await, [state("old", Active)]);
    bench.look(DAY * 180).await;
    let states = bench.states().await;
    assert_eq!(states.iter().map(|(_, state)| *state).collect::<Vec<_>>(), [Next, Active]);
    assert!(states[0].0.starts_with("ed-20"), "{states:?}");
    bench.look(DAY * 1000).await;
    assert_eq!(bench.states().await, states);
    let text = bench.shared().metrics.text(None).unwrap();
    assert!(text.contains("posta_dkim_keys_waiting 1\n"), "{text}");
    assert!(text.contains("posta_dkim_keys_unusable 0\n"), "{text}");
}

#[tokio::test]
async fn without_its_master_key_a_node_starts_and_signs_with_nothing_that_was_sealed() {
    let mut bench = Bench::start().await;
    bench.put("lost", Active, START).await;
    bench.put("waits", Next, START).await;
    assert_eq!(bench.signing().await, (vec!["lost".to_owned()], 0));
    let Bench { node, data, .. } = bench;
    node.run_until(std::future::ready(())).await.unwrap();
    std::fs::remove_file(data.path().join(Secrets::FILE)).unwrap();
    let node = open(&data).await;
    bench = Bench { node, zone: Zone::default(), rotation: Rotation::default(), data };
    assert_eq!(bench.signing().await, (Vec::new(), 1));
    // What cannot be opened does not follow either, even where its record is there.
    let waits = bench.shared().store.dkim_keys(&domain()).await.unwrap().pop().unwrap();
    bench.zone.put(&waits.key.record_name(), &[&waits.key.record]);
    bench.look(DAY).await;
    bench.look(DAY * 2).await;
    assert_eq!(bench.states().await, [state("lost", Active), state("waits", Next)]);
    assert!(bench.shared().metrics.text(None).unwrap().contains("posta_dkim_keys_unusable 1\n"));
    // A key that is sealed with what is there now signs beside it.
    bench.put("other", Active, START).await;
    assert_eq!(bench.signing().await, (vec!["other".to_owned()], 1));
}

#[tokio::test]
async fn who_is_not_ours_has_no_keys_and_a_change_is_seen_at_once() {
    let bench = Bench::start().await;
    assert_eq!(bench.signing().await, (Vec::new(), 0));
    bench.put("s", Active, START).await;
    let first = bench.shared().signing_keys.of(bench.shared(), &domain()).await.unwrap();
    assert_eq!(first.len(), 1);
    // Another change of the directory: nothing is opened again.
    let other: Domain = "other.example".parse().unwrap();
    bench.shared().store.put_domain(DomainEntry::new(other.clone()), Put::New).await.unwrap();
    let again = bench.shared().signing_keys.of(bench.shared(), &domain()).await.unwrap();
    assert!(Arc::ptr_eq(&first, &again));
    bench.shared().store.remove_domain(&domain()).await.unwrap();
    assert_eq!(bench.signing().await, (Vec::new(), 0), "the keys are there, the domain is not");
    assert!(bench.shared().signing_keys.of(bench.shared(), &other).await.unwrap().is_empty());
}

#[tokio::test]
async fn nothing_of_a_private_key_is_in_the_data_folder() {
    let bench = Bench::start().await;
    let made = bench.put("s", Active, START).await;
    let secret = bench.shared().secrets.open("dkim s example.org", made.secret.as_bytes()).unwrap();
    assert_eq!(secret.len(), 32);
    let Bench { node, data, .. } = bench;
    node.run_until(std::future::ready(())).await.unwrap();
    let mut folders = vec![data.path().to_path_buf()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else if entry.file_type().unwrap().is_file() {
                files += 1;
                let octets = std::fs::read(entry.path()).unwrap();
                assert!(!octets.windows(8).any(|part| *part == secret[..8]), "{:?}", entry.path());
            }
        }
    }
    assert!(files > 3);
}
