//! A client that believes what it reads, beside others that change its mailbox at random: what it believes is always in
//! step, and no EXPUNGE comes where it would put its numbers out of step (RFC 9051 §7.5.1, RFC 7162 §3.2.10).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]

mod session_driver;

use imap::session::Security;
use proptest::prelude::*;
use session_driver::world::World;
use session_driver::{Driver, config};
use types::mailstore::{Flags, Uid};

#[derive(Debug, Clone)]
enum Act {
    /// By others: a place of all, as a part of 256.
    Deliver,
    Expunge(u8),
    Flag(u8, u8),
    /// By the client.
    Noop,
    Fetch(u8),
    UidFetch(u8),
    Store(u8),
    UidStore(u8),
    Search,
    UidSearch,
    UidSearchByNumber,
    Delete(u8),
    Idle,
}

fn act() -> impl Strategy<Value = Act> {
    let place = any::<u8>;
    prop_oneof![
        3 => Just(Act::Deliver),
        3 => place().prop_map(Act::Expunge),
        2 => (place(), 0u8..32).prop_map(|(place, flags)| Act::Flag(place, flags)),
        2 => Just(Act::Noop),
        2 => place().prop_map(Act::Fetch),
        1 => place().prop_map(Act::UidFetch),
        2 => place().prop_map(Act::Store),
        1 => place().prop_map(Act::UidStore),
        1 => Just(Act::Search),
        1 => Just(Act::UidSearch),
        1 => Just(Act::UidSearchByNumber),
        1 => place().prop_map(Act::Delete),
        1 => Just(Act::Idle),
    ]
}

/// What a client believes: the UIDs that it was told of, at their numbers.
#[derive(Default)]
struct Client {
    messages: Vec<Option<(u32, String)>>,
    /// It said so in its last command.
    may_expunge: bool,
}

impl Client {
    fn read(&mut self, answer: &[u8]) {
        for line in String::from_utf8_lossy(answer).split("\r\n") {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["*", number, "EXISTS"] => {
                    let exists: usize = number.parse().unwrap();
                    assert!(exists >= self.messages.len(), "EXISTS shrinks: {line}");
                    self.messages.resize(exists, None);
                }
                ["*", number, "EXPUNGE"] => {
                    assert!(self.may_expunge, "no EXPUNGE here: {line}");
                    let number: usize = number.parse().unwrap();
                    assert!((1..=self.messages.len()).contains(&number), "no such number: {line}");
                    self.messages.remove(number - 1);
                }
                ["*", "VANISHED", set] => {
                    assert!(self.may_expunge, "no VANISHED here: {line}");
                    for uid in numbers(set) {
                        let at = self.messages.iter().position(|known| known.as_ref().unwrap().0 == uid);
                        self.messages.remove(at.expect("only what the client knows vanishes"));
                    }
                }
                ["*", number, "FETCH", ..] => self.read_fetch(number.parse().unwrap(), line),
                _ => {}
            }
        }
    }

    fn read_fetch(&mut self, number: usize, line: &str) {
        assert!((1..=self.messages.len()).contains(&number), "no such number: {line}");
        let known = &mut self.messages[number - 1];
        if let Some(uid) = line.split("UID ").nth(1) {
            let uid: u32 = uid.split([' ', ')']).next().unwrap().parse().unwrap();
            assert!(known.as_ref().is_none_or(|(known, _)| *known == uid), "another message: {line}");
            known.get_or_insert_with(|| (uid, String::new()));
        }
        if let (Some((_, flags)), Some(told)) = (known, line.split("FLAGS (").nth(1)) {
            *flags = told.split(')').next().unwrap().to_owned();
        }
    }
}

fn numbers(set: &str) -> Vec<u32> {
    let range = |range: &str| {
        let (from, to) = range.split_once(':').unwrap_or((range, range));
        from.parse().unwrap()..=to.parse().unwrap()
    };
    set.split(',').flat_map(range).collect()
}

struct Pair {
    driver: Driver,
    client: Client,
    tag: u32,
    has_qresync: bool,
}

impl Pair {
    fn new(has_qresync: bool, count: u32) -> Self {
        let mut world = World { password: "secret".into(), ..World::default() };
        world.add("INBOX", None);
        let folder = world.folder("INBOX").unwrap();
        for uid in 1..=count {
            folder.deliver(uid * 3, Flags::NONE, Vec::new(), None);
        }
        let driver = Driver::new(config(), Security::Clear, world);
        let mut pair = Self { driver, client: Client::default(), tag: 0, has_qresync };
        pair.say("LOGIN fred secret");
        if has_qresync {
            pair.say("ENABLE QRESYNC");
        }
        pair.say("SELECT INBOX");
        pair.learn();
        pair
    }

    fn say(&mut self, command: &str) {
        self.tag += 1;
        let numbered = ["FETCH", "STORE", "SEARCH", "UID SEARCH 1"];
        self.client.may_expunge = !numbered.iter().any(|verb| command.starts_with(verb));
        let answer = self.driver.feed(format!("{} {command}\r\n", self.tag).as_bytes());
        assert!(!answer.windows(5).any(|octets| octets == b" BAD "), "{command}: {answer:?}");
        self.client.read(&answer);
    }

    /// A client that counts by UID asks what is new before it lets go of anything.
    fn learn(&mut self) {
        if self.client.messages.contains(&None) {
            self.say("FETCH 1:* (UID FLAGS)");
        }
    }

    /// A number that the client believes in.
    fn number(&self, place: u8) -> Option<usize> {
        let count = self.client.messages.len();
        (count > 0).then(|| usize::from(place) * count / 256 + 1)
    }

    fn uid(&self, place: u8) -> Option<u32> {
        self.number(place).and_then(|number| self.client.messages[number - 1].as_ref()).map(|(uid, _)| *uid)
    }

    fn elsewhere(&mut self, act: &Act) {
        let folder = self.driver.world.open().unwrap();
        let pick = |place: u8| {
            let index = usize::from(place) * folder.messages.len() / 256;
            folder.messages.get(index).map(|(message, _)| message.uid)
        };
        match act {
            Act::Expunge(place) => {
                let uids: Vec<Uid> = pick(*place).into_iter().collect();
                folder.expunge(&uids);
            }
            Act::Flag(place, flags) => {
                let uids: Vec<Uid> = pick(*place).into_iter().collect();
                let flags = Flags(u64::from(*flags));
                folder.store(&uids, flags, Flags::SYSTEM.without(flags), None);
            }
            _ => {
                folder.deliver(folder.uid_next, Flags::NONE, Vec::new(), None);
            }
        }
        self.client.may_expunge = false;
        let told = self.driver.changed();
        assert!(told.is_empty(), "nothing is told while no command is in progress");
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Deliver | Act::Expunge(_) | Act::Flag(..) => return self.elsewhere(act),
            Act::Noop => self.say("NOOP"),
            Act::Fetch(place) => {
                let Some(number) = self.number(*place) else { return };
                self.say(&format!("FETCH {number}:* (UID FLAGS)"));
            }
            Act::UidFetch(place) => {
                let Some(uid) = self.uid(*place) else { return };
                self.say(&format!("UID FETCH {uid}:* (FLAGS)"));
            }
            Act::Store(place) => {
                let Some(number) = self.number(*place) else { return };
                self.say(&format!("STORE {number} +FLAGS (\\Flagged)"));
            }
            Act::UidStore(place) => {
                let Some(uid) = self.uid(*place) else { return };
                self.say(&format!("UID STORE {uid} -FLAGS (\\Flagged)"));
            }
            Act::Search => self.say("SEARCH ALL"),
            Act::UidSearch => self.say("UID SEARCH ALL"),
            Act::UidSearchByNumber => {
                if self.number(0).is_some() {
                    self.say("UID SEARCH 1");
                }
            }
            Act::Delete(place) => {
                let Some(uid) = self.uid(*place) else { return };
                self.say(&format!("UID STORE {uid} +FLAGS.SILENT (\\Deleted)"));
                self.learn();
                self.say("EXPUNGE");
            }
            Act::Idle => {
                self.say("IDLE");
                let answer = self.driver.feed(b"DONE\r\n");
                self.client.read(&answer);
            }
        }
        if self.has_qresync {
            self.learn();
        }
    }
}

proptest! {
    #[test]
    fn a_client_stays_in_step_whatever_others_do(
        has_qresync in any::<bool>(),
        count in 0u32..12,
        acts in prop::collection::vec(act(), 1..50),
    ) {
        let mut pair = Pair::new(has_qresync, count);
        acts.iter().for_each(|act| pair.act(act));
        pair.say("NOOP");
        pair.learn();
        let truth: Vec<(u32, String)> = pair.driver.world.open().unwrap().messages.iter().map(|(message, _)| {
            let names = [
                (Flags::ANSWERED, "\\Answered"),
                (Flags::FLAGGED, "\\Flagged"),
                (Flags::DELETED, "\\Deleted"),
                (Flags::SEEN, "\\Seen"),
                (Flags::DRAFT, "\\Draft"),
            ];
            let set: Vec<&str> =
                names.iter().filter(|(flag, _)| message.flags.contains(*flag)).map(|(_, name)| *name).collect();
            (message.uid.0, set.join(" "))
        }).collect();
        // What was deleted without a word is known to the client that did it.
        let believed: Vec<(u32, String)> =
            pair.client.messages.iter().map(|known| known.clone().expect("all are known")).collect();
        prop_assert_eq!(believed, truth);
    }

    #[test]
    fn no_octets_make_a_session_stop(octets in prop::collection::vec(any::<u8>(), 0..300), logged_in in any::<bool>()) {
        let mut world = World { password: "secret".into(), ..World::default() };
        world.add("INBOX", None);
        let mut driver = Driver::new(config(), Security::Clear, world);
        if logged_in {
            driver.feed(b"z LOGIN fred secret\r\ny SELECT INBOX\r\n");
        }
        driver.feed(&octets);
        driver.feed(b"\r\n");
    }
}
