//! Conversations in `tests/transcripts/`, each titled by its section of an RFC, replayed line by line, one octet at a time
//! and fully pipelined.
//!
//! A transcript has a head of settings, a line `---`, and the conversation. Settings: `mailbox NAME [USE]`, `message UID
//! [FLAGS...]` of the mailbox before it and its lines after `| `, `vanished UID MODSEQ`, `modseq N`, `forgets`, `unavailable`, `keeps nothing`,
//! `subscribed NAME`, `password WORD`, `limit OCTETS`, `append max OCTETS`, `keywords N`, `errors N`, `starttls`, `tls`,
//! `only with tls`, `mechanisms clear|tls NAMES...`; `before LINE` is a command that is said before, whose answer does not
//! matter.
//!
//! The conversation: `C: ` what the client sends, with CRLF; `C| ` the same without it, with escapes; `S: ` what comes back
//! for it, `S| ` without CRLF; `~ expunge UIDS`, `~ flags UID FLAGS...`, `~ deliver UID FLAGS...`, `~ deliver UID in NAME`,
//! `~ told NAMES`, `~ subscribe NAME`, `~ gone NAME`, `~ lost`, `~ alert TEXT`, `~ selected gone`, `~ stop`, `~ tls` what happens elsewhere meanwhile,
//! with what is told of it behind; `dropped N`; `compressed`; `closed` or `open` at the end. `#` begins a comment.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]

mod session_driver;

use imap::command::MailboxName;
use imap::session::{Config, Event, Plaintext, Refusal, Security, ShutDown, TlsOffer};
use session_driver::world::World;
use session_driver::{Driver, End, config};
use types::mailstore::{Flags, Uid};

/// What happens, and what comes back for it.
struct Exchange {
    what: What,
    answer: Vec<u8>,
}

enum What {
    Client(Vec<u8>),
    Elsewhere(String),
}

struct Transcript {
    name: String,
    config: Config,
    security: Security,
    world: World,
    before: Vec<String>,
    greeting: Vec<u8>,
    exchanges: Vec<Exchange>,
    end: End,
}

#[test]
fn transcripts_go_as_written_line_by_line_octet_by_octet_and_pipelined() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let files = testdata::files_below(&folder);
    assert!(files.len() >= 30, "the transcripts are in {}", folder.display());
    let mut failed = Vec::new();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if std::panic::catch_unwind(|| replay_in_all_ways(&name, &file)).is_err() {
            failed.push(name);
        }
    }
    assert!(failed.is_empty(), "these did not go as written: {failed:?}");
}

fn replay_in_all_ways(name: &str, file: &std::path::Path) {
    let transcript = Transcript::parse(name, &std::fs::read_to_string(file).unwrap());
    transcript.replay_by_line();
    for chunk_bytes in [1, 7, usize::MAX] {
        transcript.replay("octet by octet", chunk_bytes, |octets| octets.chunks(1).collect());
        transcript.replay("pipelined", chunk_bytes, |octets| vec![octets]);
    }
}

impl Transcript {
    fn driver(&self) -> Driver {
        let mut driver = Driver::new(self.config.clone(), self.security, self.world.clone());
        let greeting = driver.feed(b"");
        if !self.greeting.is_empty() {
            assert_text(&self.name, "greeting", &greeting, &self.greeting);
        }
        for line in &self.before {
            let answer = driver.feed(format!("{line}\r\n").as_bytes());
            let tag = line.split(' ').next().unwrap();
            let end = String::from_utf8_lossy(&answer).into_owned();
            assert!(end.contains(&format!("{tag} OK")), "{}: {line}: {end}", self.name);
        }
        driver
    }

    fn replay_by_line(&self) {
        let mut driver = self.driver();
        for Exchange { what, answer } in &self.exchanges {
            let (shown, read) = match what {
                What::Client(octets) => {
                    assert!(!driver.end.is_closed, "{}: closed before {}", self.name, text(octets));
                    (text(octets), driver.feed(octets))
                }
                What::Elsewhere(what) => (what.clone(), happen(&mut driver, what)),
            };
            assert_text(&self.name, &shown, &read, answer);
        }
        assert_eq!(driver.end, self.end, "{}", self.name);
    }

    /// What the client sends between two things that happen elsewhere, in the segments that `cut` makes of it.
    fn replay(&self, how: &str, chunk_bytes: usize, cut: impl Fn(&[u8]) -> Vec<&[u8]>) {
        let mut driver = self.driver();
        driver.chunk_bytes = chunk_bytes;
        let mut phases: Vec<(Vec<u8>, Vec<u8>, Option<&str>)> = vec![(Vec::new(), Vec::new(), None)];
        for Exchange { what, answer } in &self.exchanges {
            match what {
                What::Client(octets) => {
                    let last = phases.last_mut().unwrap();
                    if last.2.is_some() {
                        phases.push((Vec::new(), Vec::new(), None));
                    }
                    let last = phases.last_mut().unwrap();
                    last.0.extend(octets);
                    last.1.extend(answer);
                }
                What::Elsewhere(what) => phases.push((Vec::new(), answer.clone(), Some(what))),
            }
        }
        for (octets, answer, what) in phases {
            let read = match what {
                Some(what) => happen(&mut driver, what),
                None => cut(&octets).into_iter().flat_map(|segment| driver.feed(segment)).collect(),
            };
            assert_text(&self.name, how, &read, &answer);
        }
        assert_eq!(driver.end, self.end, "{}: {how}", self.name);
    }

    fn parse(name: &str, source: &str) -> Self {
        assert!(source.starts_with("# RFC "), "{name} begins with its section");
        let (head, conversation) = source.split_once("\n---\n").expect("a line --- ends the settings");
        let mut world = World { password: "secret".into(), ..World::default() };
        world.add("INBOX", None);
        let mut transcript = Self {
            name: name.to_owned(),
            config: config(),
            security: Security::Clear,
            world,
            before: Vec::new(),
            greeting: Vec::new(),
            exchanges: Vec::new(),
            end: End::default(),
        };
        let mut folder = "INBOX".to_owned();
        for line in head.lines() {
            transcript.setting(line, &mut folder);
        }
        let mut is_ended = false;
        for line in conversation.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            assert!(!is_ended, "{name}: {line} behind the end");
            is_ended = transcript.conversation_line(line);
        }
        assert!(is_ended, "{name} says at its end whether it is closed or open");
        transcript
    }

    fn setting(&mut self, line: &str, folder: &mut String) {
        let world = &mut self.world;
        let number = |word: &str| word.parse::<u64>().unwrap_or_else(|_| panic!("{line}"));
        if let Some(text) = line.strip_prefix("| ").or_else(|| (line == "|").then_some("")) {
            let last = world.folder(folder).unwrap().messages.last_mut().expect("a message");
            last.1.extend_from_slice(format!("{text}\r\n").as_bytes());
            last.0.size_bytes = last.1.len() as u64;
            return;
        }
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["" | "#", ..] => {}
            ["mailbox", name] | ["mailbox", name, _] => {
                let special_use = line.split(' ').nth(2).map(|word| word.parse().unwrap());
                if world.folder(name).is_none() {
                    world.add(name, special_use);
                }
                name.clone_into(folder);
            }
            ["message", uid, ref flags @ ..] => {
                let folder = world.folder(folder).unwrap();
                let flags = folder.flags(flags);
                folder.deliver(uid.parse().unwrap(), flags, Vec::new(), None);
            }
            ["vanished", uid, modseq] => {
                let uid = Uid(uid.parse().unwrap());
                world.folder(folder).unwrap().vanished.push((uid, number(modseq)));
            }
            ["modseq", modseq] => world.folder(folder).unwrap().modseq = number(modseq),
            ["uidnext", uid] => world.folder(folder).unwrap().uid_next = uid.parse().unwrap(),
            ["forgets"] => world.forgets = true,
            ["unavailable"] => world.fault = Some(Refusal::Temporary),
            ["keeps", "nothing"] => world.keeps_nothing = true,
            ["subscribed", name] => drop(world.subscribed.insert(name.to_owned())),
            ["password", word] => word.clone_into(&mut world.password),
            ["limit", octets] => world.limit_bytes = Some(number(octets)),
            ["keywords", count] => world.keywords_max = Some(count.parse().unwrap()),
            ["append", "max", octets] => self.config.append_bytes_max = number(octets),
            ["errors", errors] => self.config.errors_max = errors.parse().unwrap(),
            ["starttls"] => self.config.tls = TlsOffer::StartTls,
            ["tls"] => self.security = Security::Tls,
            ["only", "with", "tls"] => self.config.plaintext = Plaintext::OnlyWithTls,
            ["mechanisms", which, ref names @ ..] => {
                let names = names.iter().map(|name| (*name).to_owned()).collect();
                match which {
                    "clear" => self.config.mechanisms_clear = names,
                    _ => self.config.mechanisms_tls = names,
                }
            }
            ["before", ..] => self.before.push(line["before ".len()..].to_owned()),
            _ => panic!("{}: {line}", self.name),
        }
    }

    fn conversation_line(&mut self, line: &str) -> bool {
        let client = |octets: Vec<u8>| Exchange { what: What::Client(octets), answer: Vec::new() };
        if let Some(text) = line.strip_prefix("C: ").or_else(|| (line == "C:").then_some("")) {
            self.exchanges.push(client(format!("{text}\r\n").into_bytes()));
        } else if let Some(text) = line.strip_prefix("C| ") {
            self.exchanges.push(client(unescaped(text)));
        } else if let Some(what) = line.strip_prefix("~ ") {
            self.exchanges.push(Exchange { what: What::Elsewhere(what.to_owned()), answer: Vec::new() });
        } else if let Some(text) = line.strip_prefix("S: ").or_else(|| (line == "S:").then_some("")) {
            self.server(format!("{text}\r\n").as_bytes());
        } else if let Some(text) = line.strip_prefix("S| ") {
            self.server(&unescaped(text));
        } else if let Some(octets) = line.strip_prefix("dropped ") {
            self.end.dropped = octets.parse().unwrap();
        } else {
            match line {
                "compressed" => self.end.is_compressed = true,
                "closed" | "open" => {
                    self.end.is_closed = line == "closed";
                    return true;
                }
                _ => panic!("{}: {line}", self.name),
            }
        }
        false
    }

    fn server(&mut self, octets: &[u8]) {
        match self.exchanges.last_mut() {
            Some(last) => last.answer.extend_from_slice(octets),
            None => self.greeting.extend_from_slice(octets),
        }
    }
}

/// Something happens that this client did not do.
fn happen(driver: &mut Driver, what: &str) -> Vec<u8> {
    let uids = |words: &[&str]| words.iter().map(|word| Uid(word.parse().unwrap())).collect::<Vec<_>>();
    match what.split(' ').collect::<Vec<_>>()[..] {
        ["expunge", ref words @ ..] => {
            driver.world.open().unwrap().expunge(&uids(words));
            driver.changed()
        }
        ["flags", uid, ref flags @ ..] => {
            let folder = driver.world.open().unwrap();
            let flags = folder.flags(flags);
            folder.store(&uids(&[uid]), flags, Flags(u64::MAX).without(flags), None);
            driver.changed()
        }
        ["deliver", uid, "in", name] => {
            let folder = driver.world.folder(name).unwrap();
            folder.deliver(uid.parse().unwrap(), Flags::NONE, Vec::new(), None);
            let facts = Box::new(driver.world.facts(name).unwrap());
            driver.event(Event::Folder { facts, before: None })
        }
        ["deliver", uid, ref flags @ ..] => {
            let folder = driver.world.open().unwrap();
            let flags = folder.flags(flags);
            folder.deliver(uid.parse().unwrap(), flags, b"Subject: new\r\n\r\n".to_vec(), None);
            driver.changed()
        }
        ["create", name] => {
            driver.world.add(name, None);
            let facts = Box::new(driver.world.facts(name).unwrap());
            driver.event(Event::Folder { facts, before: None })
        }
        // At once, as they are, whoever made them so; those that are not there are made, those behind `-` are gone, and to
        // those behind `+` somebody subscribed.
        ["told", ref names @ ..] => {
            for name in names {
                if let Some(gone) = name.strip_prefix('-') {
                    driver.session.event(Event::FolderGone(MailboxName(gone.to_owned())));
                    continue;
                }
                if let Some(mailbox) = name.strip_prefix('+') {
                    let mailbox = MailboxName(mailbox.to_owned());
                    driver.session.event(Event::Subscribed { mailbox, subscribed: true });
                    continue;
                }
                if driver.world.folder(name).is_none() {
                    driver.world.add(name, None);
                }
                let facts = Box::new(driver.world.facts(name).unwrap());
                driver.session.event(Event::Folder { facts, before: None });
            }
            driver.feed(b"")
        }
        ["rename", from, to] => {
            to.clone_into(&mut driver.world.folder(from).unwrap().name);
            let facts = Box::new(driver.world.facts(to).unwrap());
            driver.event(Event::Folder { facts, before: Some(MailboxName(from.to_owned())) })
        }
        ["subscribe", name] => {
            driver.event(Event::Subscribed { mailbox: MailboxName(name.to_owned()), subscribed: true })
        }
        ["gone", name] => driver.event(Event::FolderGone(MailboxName(name.to_owned()))),
        ["metadata", name, entry] => driver.event(Event::Metadata {
            mailbox: Some(MailboxName(name.to_owned())),
            entries: vec![entry.to_owned()],
        }),
        ["lost"] => driver.event(Event::Lost),
        ["alert", ref words @ ..] => driver.event(Event::Alert(words.join(" "))),
        ["selected", "gone"] => driver.event(Event::SelectedGone),
        // The handshake is done: what came before it in clear is not read behind it.
        ["tls"] => Vec::new(),
        ["stop"] => {
            driver.session.shut_down(ShutDown::Stopping);
            driver.feed(b"")
        }
        _ => panic!("{what}"),
    }
}

fn assert_text(name: &str, what: &str, actual: &[u8], expected: &[u8]) {
    assert!(
        actual == expected,
        "{name}: {what}\n--- answered\n{}\n--- expected\n{}",
        text(actual),
        text(expected)
    );
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).replace("\r\n", "\n")
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        let escaped = match (octet, if octet == b'\\' { rest.next() } else { None }) {
            (b'\\', Some(b'r')) => b'\r',
            (b'\\', Some(b'n')) => b'\n',
            (b'\\', Some(b'0')) => 0,
            (b'\\', Some(other)) => other,
            (other, _) => other,
        };
        octets.push(escaped);
    }
    octets
}
