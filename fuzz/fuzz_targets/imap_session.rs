//! A session of IMAP says and does the same however its input is cut: before the login and after it, with messages and
//! mailboxes that it changes itself and others change beside it. What waits to be written is bounded, every line is a
//! response, and no command is answered twice.
#![no_main]

#[path = "../../crates/imap/tests/session_driver/mod.rs"]
mod session_driver;

use std::collections::HashMap;

use imap::command::SearchKey;
use imap::search::{Found, HeaderFacts, Threader, make_header_facts};
use imap::session::{
    AppendTask, Config, Event, Login, OUTPUT_BYTES_SOFT_MAX, Outcome, Plaintext, Refusal, SearchKind,
    Security, Step, Task, TlsOffer,
};
use imap::view::View;
use libfuzzer_sys::fuzz_target;
use session_driver::world::{Checked, Folder, World};
use session_driver::{Driver, config};
use types::mailstore::{Flags, SpecialUse, Uid};

/// A response beyond what has to be written out before the next one begins: of so little input and so small mailboxes.
const RESPONSE_BYTES_MAX: usize = 32 * 1024;
/// What the mailboxes hold; more is over the quota.
const MESSAGES_MAX: usize = 100;
const MAILBOX_BYTES_MAX: u64 = 16 * 1024;
/// Keywords of a mailbox.
const KEYWORDS_MAX: usize = 59;

fuzz_target!(|input: &[u8]| {
    let [choice, first, second, length, input @ ..] = input else { return };
    let (message, input) = input.split_at(usize::from(*length).min(input.len()));
    let config = Config {
        tls: if choice & 1 != 0 { TlsOffer::StartTls } else { TlsOffer::None },
        plaintext: if choice & 2 != 0 { Plaintext::OnlyWithTls } else { Plaintext::Allowed },
        ..config()
    };
    let input = if choice & 4 == 0 {
        input.to_vec()
    } else {
        [b"z LOGIN fred secret\r\ny SELECT INBOX\r\n", input].concat()
    };
    let play = |pieces: &[&[u8]]| {
        let security = if choice & 8 != 0 { Security::Tls } else { Security::Clear };
        let mut driver = Driver::new(config.clone(), security, world(message, choice & 16 != 0));
        driver.chunk_bytes = usize::from(*first) + 1;
        Play { driver, has_others: choice & 32 != 0, tasks: 0, said: Vec::new() }.play(pieces)
    };
    let whole = play(&[&input]);
    assert!(whole.said.starts_with(b"* OK [CAPABILITY IMAP4rev1 "));
    responses_are_whole(&whole.said, &input);
    let mut lengths = [usize::from(*first) + 1, usize::from(*second) + 1].into_iter().cycle();
    let (mut pieces, mut rest) = (Vec::new(), &input[..]);
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(lengths.next().unwrap_or(1).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    let cut = play(&pieces);
    // What came with STARTTLS is dropped, which depends on what came with it.
    if whole.driver.end.dropped == 0 && cut.driver.end.dropped == 0 {
        assert_eq!(cut.said, whole.said);
        assert_eq!(cut.driver.end.is_closed, whole.driver.end.is_closed);
        assert_eq!(
            format!("{:?}", cut.driver.world.folders),
            format!("{:?}", whole.driver.world.folders),
            "what is kept"
        );
    }
});

/// An INBOX with a message of the input and others, and two mailboxes more.
fn world(message: &[u8], forgets: bool) -> World {
    let mut world = World {
        password: "secret".into(),
        forgets,
        limit_bytes: Some(MAILBOX_BYTES_MAX),
        ..World::default()
    };
    world.add("INBOX", None);
    world.add("Sent", Some(SpecialUse::Sent));
    world.add("Sent/below", None);
    if let Some(inbox) = world.folder("INBOX") {
        inbox.deliver(1, Flags::SEEN, message.to_vec(), None);
        inbox.deliver(
            4,
            Flags::NONE,
            b"Subject: two\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n.\r\n--b--\r\n"
                .to_vec(),
            None,
        );
        inbox.deliver(5, Flags::NONE, Vec::new(), None);
    }
    world
}

/// A driver that answers every step, whatever is asked.
struct Play {
    driver: Driver,
    /// Others change the mailbox after every few tasks.
    has_others: bool,
    tasks: u32,
    said: Vec<u8>,
}

impl Play {
    fn play(mut self, pieces: &[&[u8]]) -> Self {
        self.feed(b"");
        for piece in pieces {
            self.feed(piece);
        }
        self
    }

    fn feed(&mut self, mut rest: &[u8]) {
        while !self.driver.end.is_closed {
            let (consumed, step) = self.driver.session.receive(rest);
            rest = &rest[consumed..];
            let has_output = self.write();
            match step {
                Step::NeedInput => {
                    assert!(rest.is_empty(), "{} octets were not consumed", rest.len());
                    assert!(self.said.ends_with(b"\r\n"), "half a line was said");
                    return;
                }
                Step::Flush => assert!(has_output || consumed > 0, "nothing goes on"),
                Step::StartTls => {
                    self.driver.end.dropped += rest.len();
                    rest = b"";
                    self.driver.session.secured();
                }
                step => self.step(step),
            }
        }
    }

    /// Writes out what there is.
    fn write(&mut self) -> bool {
        let output = self.driver.session.output();
        assert!(output.len() <= OUTPUT_BYTES_SOFT_MAX + RESPONSE_BYTES_MAX, "{} octets wait", output.len());
        let has_output = !output.is_empty();
        self.said.append(output);
        has_output
    }

    fn step(&mut self, step: Step) {
        let session = &mut self.driver.session;
        match step {
            Step::NeedInput | Step::Flush | Step::StartTls | Step::LogOut => {}
            Step::StartCompression => session.compressed(),
            Step::LogIn { password, .. } => session.authenticated(login(&password.0)),
            Step::SaslBegin { initial_response: None, .. } => session.challenge(b""),
            Step::SaslBegin { initial_response: Some(secret), .. } | Step::SaslRespond(secret) => {
                let password = secret.0.rsplit(|octet| *octet == 0).next().unwrap_or_default();
                session.authenticated(login(password));
            }
            Step::Task(task) => self.task(task),
            Step::Structures(uids, detail) => self.driver.describe(uids, detail),
            Step::Content { uid, from, len } => self.content(uid, from, len),
            Step::Append(task) => self.append(task),
            Step::Close => self.driver.end.is_closed = true,
        }
    }

    fn task(&mut self, task: Task) {
        self.tasks += 1;
        if self.has_others {
            self.others();
        }
        let world = &mut self.driver.world;
        let outcome = match task {
            Task::Search { view, key, kind } => match world.open() {
                Some(folder) => Outcome::Found(found(folder, &view, &key, &kind)),
                None => Outcome::Refused(Refusal::Temporary),
            },
            Task::Copy { .. } | Task::Create { .. } if is_full(world) => Outcome::Refused(Refusal::OverQuota),
            Task::Delete(mailbox) => {
                let selected = world.open().is_some_and(|folder| folder.name == mailbox.0);
                let outcome = world.task(Task::Delete(mailbox));
                if selected {
                    world.selected = None;
                    self.driver.session.event(Event::SelectedGone);
                }
                outcome
            }
            task => world.task(task),
        };
        self.driver.answer(outcome);
    }

    /// What another session does, after so many tasks.
    fn others(&mut self) {
        let (number, is_full) = (self.tasks, is_full(&self.driver.world));
        let Some(folder) = self.driver.world.open() else { return };
        let first = folder.messages.first().map(|(message, _)| message.uid);
        match (number % 4, first) {
            (1, _) if !is_full => {
                folder.deliver(folder.uid_next, Flags::NONE, b"a: b\r\n\r\nc\r\n".to_vec(), None);
            }
            (2, Some(uid)) => drop(folder.store(&[uid], Flags::FLAGGED, Flags::SEEN, None)),
            (3, Some(uid)) => folder.expunge(&[uid]),
            _ => {}
        }
    }

    fn content(&mut self, uid: Uid, from: u64, len: u64) {
        let place = |number: u64| usize::try_from(number).expect("it is a place of a message");
        let message = self.driver.world.open().and_then(|folder| {
            let found = folder.messages.iter().find(|(message, _)| message.uid == uid);
            found.map(|(_, octets)| octets[place(from)..][..place(len)].to_vec())
        });
        let Some(octets) = message else {
            return self.driver.session.content_end(Err(Refusal::MessageGone));
        };
        for chunk in octets.chunks(self.driver.chunk_bytes) {
            self.driver.session.content(chunk);
            self.write();
        }
        self.driver.session.content_end(Ok(()));
    }

    fn append(&mut self, task: AppendTask) {
        let world = &mut self.driver.world;
        if let AppendTask::Commit { mailbox, .. } = &task {
            // A store finds no place for more keywords, and drops them.
            let known = world.folder(&mailbox.0).map_or(0, |folder| folder.keywords.len());
            let mut places = KEYWORDS_MAX.saturating_sub(known);
            for (keywords, ..) in &mut world.appended {
                keywords.truncate(places);
                places -= keywords.len();
            }
        }
        let is_check = matches!(task, AppendTask::Check { .. });
        match world.append(task) {
            Some(Ok(outcome)) => self.driver.answer(outcome),
            Some(Err(Checked::Literal(Ok(())))) if is_check && is_full(&self.driver.world) => {
                self.driver.session.append_checked(Err(Refusal::OverQuota));
            }
            Some(Err(Checked::Literal(checked))) => self.driver.session.append_checked(checked),
            Some(Err(Checked::Url(taken))) => self.driver.session.url_taken(taken),
            None => {}
        }
    }
}

fn login(password: &[u8]) -> Login {
    if password == b"secret" { Login::Ok } else { Login::Refused }
}

fn is_full(world: &World) -> bool {
    let messages = || world.folders.iter().flat_map(|folder| &folder.messages);
    messages().count() > MESSAGES_MAX
        || messages().map(|(message, _)| message.size_bytes).sum::<u64>() > MAILBOX_BYTES_MAX
        || world.folders.len() > MESSAGES_MAX
}

/// Every second message that the session knows, or all of them: the machine takes what it is told.
fn found(folder: &Folder, view: &View, key: &SearchKey, kind: &SearchKind) -> Found {
    let is_found = |uid: Uid| view.seq_of(uid).is_some() && (*key == SearchKey::All || uid.0 % 2 == 0);
    let matching = || folder.messages.iter().filter(|(message, _)| is_found(message.uid));
    let uids = matching().map(|(message, _)| message.uid);
    let modseq = matching().map(|(message, _)| message.modseq).max();
    let modseq = modseq.filter(|_| format!("{key:?}").contains("ModSeq("));
    match kind {
        SearchKind::Search => Found::Messages(uids.collect(), modseq),
        SearchKind::Sort(_) => Found::Sorted(uids.rev().collect(), modseq),
        SearchKind::Thread(algorithm) => {
            let mut threader = Threader::new(*algorithm);
            for (message, octets) in matching() {
                let structure = imap::mime::Structure::of(octets);
                let header = usize::try_from(structure.header_bytes).unwrap_or(0);
                let facts = make_header_facts(&octets[..header], &structure);
                threader.push(message, &HeaderFacts::from_bytes(&facts).expect("it was just made"));
            }
            Found::Threads(threader.finish())
        }
    }
}

/// What is said are responses, each in a line with its literals; and what is tagged answers a command that was said, once.
fn responses_are_whole(said: &[u8], input: &[u8]) {
    let mut tags: HashMap<&[u8], usize> = HashMap::new();
    for line in input.split(|octet| *octet == b'\n') {
        let end = line.iter().position(|octet| b" \r".contains(octet)).unwrap_or(line.len());
        *tags.entry(&line[..end]).or_default() += 1;
    }
    let mut rest = said;
    while !rest.is_empty() {
        let word = rest.iter().position(|octet| *octet == b' ').expect("a response has a space");
        let (word, after) = rest.split_at(word);
        rest = after_response(after);
        if word == b"*" || word == b"+" {
            continue;
        }
        let left = tags.get_mut(word).unwrap_or_else(|| panic!("{} was not said", word.escape_ascii()));
        *left = left.checked_sub(1).unwrap_or_else(|| panic!("{} is answered twice", word.escape_ascii()));
    }
}

/// What stands behind a response.
fn after_response(mut rest: &[u8]) -> &[u8] {
    loop {
        let end = rest.windows(2).position(|pair| pair == b"\r\n").expect("a response ends");
        let (line, after) = (&rest[..end], &rest[end + 2..]);
        let digits = line.strip_suffix(b"}").and_then(|line| line.rsplit(|octet| *octet == b'{').next());
        let size = digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<usize>().ok());
        match size {
            Some(size) => rest = after.get(size..).expect("a literal is whole"),
            None => return after,
        }
    }
}
