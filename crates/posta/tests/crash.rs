//! Under load from several senders the server is killed at random moments and started again on the same data.
//! Every message that got 250 is in the mailbox exactly once and unharmed, one whose end was sent but not answered
//! is there at most once, and one that was cut off before its end is not there at all.
//!
//! `POSTA_CRASH_ROUNDS` sets how many times it is killed, `POSTA_CRASH_SEED` repeats the choices of an earlier run
//! (not the moments that the machine's scheduler added). A moment is a number of replies received or of octets
//! written, never a time.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test; a panic is its way to fail")]

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const ROUNDS_DEFAULT: u64 = 60;
const SENDERS: u64 = 4;
const PASSWORD: &str = "crash-secret-7";
/// A server that says nothing for so long is taken for hung, which is a failure too.
const HUNG: Duration = Duration::from_secs(60);

#[test]
fn what_got_250_is_there_exactly_once_after_every_kill() {
    let rounds = from_environment("POSTA_CRASH_ROUNDS").unwrap_or(ROUNDS_DEFAULT);
    let seed = from_environment("POSTA_CRASH_SEED").unwrap_or_else(|| RandomState::new().hash_one(0_u8));
    println!("POSTA_CRASH_SEED={seed} POSTA_CRASH_ROUNDS={rounds}");
    let folder = tempfile::tempdir().expect("a folder for the data");
    let mut random = Random(seed);
    let mut maildrop = Maildrop::default();
    for round in 0..rounds {
        if random.below(8) == 0 {
            kill_while_it_starts(folder.path(), &mut random);
        }
        let server = Server::start(folder.path());
        maildrop.verify(server.pop3, round, random.below(8) == 0);
        maildrop.fates.extend(load_until_killed(server, round, &mut random));
    }
    let server = Server::start(folder.path());
    maildrop.verify(server.pop3, rounds, false);
    server.kill();
    store_is_clean(folder.path());
    let count = |fate: Fate| maildrop.fates.values().filter(|found| **found == fate).count();
    let (accepted, unanswered) = (count(Fate::Accepted), count(Fate::EndSent));
    println!("{accepted} messages accepted, {unanswered} unanswered, {} stored", maildrop.seen.len());
    assert!(accepted as u64 >= rounds, "only {accepted} messages were accepted: the load did not load");
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect("a number"))
}

/// What a sender knows of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Its last octet was never written: it must not be there.
    CutOff,
    /// Its end was written, and no reply came: it may be there once.
    EndSent,
    /// 250: it must be there once.
    Accepted,
}

/// One run of the server.
struct Server {
    process: Child,
    smtp: SocketAddr,
    pop3: SocketAddr,
}

impl Server {
    fn start(folder: &Path) -> Self {
        let mut process = spawn(folder);
        let mut line = String::new();
        let mut output = BufReader::new(process.stdout.take().expect("piped"));
        output.read_line(&mut line).expect("readable");
        let ready: serde_json::Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("not ready: {error} in {line:?}; its log: {}", log_of(folder)));
        let listener = |name: &str| {
            let address = ready["listeners"][name].as_str();
            address.and_then(|address| address.parse().ok()).unwrap_or_else(|| panic!("no {name} in {line}"))
        };
        Self { smtp: listener("smtp"), pop3: listener("pop3"), process }
    }

    fn kill(mut self) {
        self.process.kill().expect("killable");
        self.process.wait().expect("waitable");
    }
}

fn spawn(folder: &Path) -> Child {
    let log = File::options().append(true).create(true).open(log_path(folder)).expect("a log");
    Command::new(env!("CARGO_BIN_EXE_posta"))
        .args(["dev", "--port-offset", "auto", "--password", PASSWORD, "--json", "--data"])
        .arg(folder.join("data"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .expect("posta starts")
}

fn log_path(folder: &Path) -> PathBuf {
    folder.join("log")
}

/// The end of what the server said about itself.
fn log_of(folder: &Path) -> String {
    let log = std::fs::read(log_path(folder)).unwrap_or_default();
    String::from_utf8_lossy(&log[log.len().saturating_sub(4000)..]).into_owned()
}

/// Recovery must survive being killed itself.
fn kill_while_it_starts(folder: &Path, random: &mut Random) {
    let mut process = spawn(folder);
    for _ in 0..random.below(5000) {
        std::thread::yield_now();
    }
    process.kill().expect("killable");
    process.wait().expect("waitable");
}

fn store_is_clean(folder: &Path) {
    let checked = Command::new(env!("CARGO_BIN_EXE_posta"))
        .args(["store", "check", "--json", "--data"])
        .arg(folder.join("data"))
        .output()
        .expect("posta store check runs");
    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success(), "{said} {}", String::from_utf8_lossy(&checked.stderr));
}

/// Several senders at once until one of them reaches the moment and kills the server.
fn load_until_killed(server: Server, round: u64, random: &mut Random) -> Vec<(u64, Fate)> {
    let moment = Arc::new(Moment::choose(server.process, random));
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let moment = Arc::clone(&moment);
            let random = Random(random.next());
            let first = (round * SENDERS + sender) * 1_000_000;
            std::thread::spawn(move || {
                Sender { moment, random, next: first, fates: Vec::new() }.run(server.smtp)
            })
        })
        .collect();
    let fates =
        senders.into_iter().flat_map(|sender| sender.join().expect("a sender does not panic")).collect();
    assert!(moment.came.load(Ordering::Acquire), "round {round}: the server ended before it was killed");
    fates
}

/// When the server is killed: the one of the two counts that runs out first.
struct Moment {
    process: Mutex<Child>,
    replies_left: AtomicI64,
    octets_left: AtomicI64,
    came: AtomicBool,
}

impl Moment {
    fn choose(process: Child, random: &mut Random) -> Self {
        let never = i64::MAX / 2;
        let (replies, octets) = if random.below(2) == 0 {
            (random.below(80) + 1, never as u64)
        } else {
            (never as u64, random.below(400_000) + 1)
        };
        Self {
            process: Mutex::new(process),
            replies_left: AtomicI64::new(replies.cast_signed()),
            octets_left: AtomicI64::new(octets.cast_signed()),
            came: AtomicBool::new(false),
        }
    }

    fn accepted(&self) {
        if self.replies_left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.kill();
        }
    }

    /// Writes; where the count of octets runs out on the way, exactly so far, and the server is dead.
    fn write(&self, stream: &mut TcpStream, octets: &[u8]) -> io::Result<()> {
        let length = octets.len() as i64;
        let left = self.octets_left.fetch_sub(length, Ordering::Relaxed);
        if left > 0 && left <= length {
            stream.write_all(&octets[..left as usize])?;
            self.kill();
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        stream.write_all(octets)
    }

    fn kill(&self) {
        let mut process = self.process.lock().expect("not poisoned");
        process.kill().expect("killable");
        process.wait().expect("waitable");
        self.came.store(true, Ordering::Release);
    }
}

/// One client: connection after connection, some messages in each, until the server is gone.
struct Sender {
    moment: Arc<Moment>,
    random: Random,
    next: u64,
    fates: Vec<(u64, Fate)>,
}

impl Sender {
    fn run(mut self, server: SocketAddr) -> Vec<(u64, Fate)> {
        while self.connection(server).is_ok() {}
        self.fates
    }

    fn connection(&mut self, server: SocketAddr) -> io::Result<()> {
        let mut session = Session::open(server)?;
        session.expect(220)?;
        self.moment.write(&mut session.stream, b"EHLO sender.example\r\n")?;
        session.expect(250)?;
        for _ in 0..=self.random.below(6) {
            match self.random.below(3) {
                0 => self.by_data(&mut session)?,
                1 => self.by_data_pipelined(&mut session)?,
                _ => self.by_bdat_pipelined(&mut session)?,
            }
        }
        self.moment.write(&mut session.stream, b"QUIT\r\n")?;
        session.expect(221)
    }

    /// A message and its place in the list of fates.
    fn message(&mut self) -> (usize, Vec<u8>) {
        self.fates.push((self.next, Fate::CutOff));
        self.next += 1;
        (self.fates.len() - 1, message(self.next - 1))
    }

    fn end_of_data(&mut self, session: &mut Session, place: usize) -> io::Result<()> {
        session.expect(250)?;
        self.fates[place].1 = Fate::Accepted;
        self.moment.accepted();
        Ok(())
    }

    fn by_data(&mut self, session: &mut Session) -> io::Result<()> {
        for (command, code) in
            [(&b"MAIL FROM:<a@sender.example>\r\n"[..], 250), (b"RCPT TO:<b@crash.example>\r\n", 250)]
        {
            self.moment.write(&mut session.stream, command)?;
            session.expect(code)?;
        }
        self.moment.write(&mut session.stream, b"DATA\r\n")?;
        self.content(session)
    }

    fn by_data_pipelined(&mut self, session: &mut Session) -> io::Result<()> {
        let envelope = b"MAIL FROM:<a@sender.example>\r\nRCPT TO:<b@crash.example>\r\nDATA\r\n";
        self.moment.write(&mut session.stream, envelope)?;
        session.expect(250)?;
        session.expect(250)?;
        self.content(session)
    }

    /// The content in two writes, the second often only its last octet. No line of it begins with a dot.
    fn content(&mut self, session: &mut Session) -> io::Result<()> {
        session.expect(354)?;
        let (place, mut octets) = self.message();
        octets.extend_from_slice(b".\r\n");
        let last = octets.len() as u64 - 1;
        let cut = if self.random.below(4) == 0 { last } else { self.random.below(last) } as usize;
        self.moment.write(&mut session.stream, &octets[..cut])?;
        // From here on the last octet may be written, whatever the write says.
        self.fates[place].1 = Fate::EndSent;
        self.moment.write(&mut session.stream, &octets[cut..])?;
        self.end_of_data(session, place)
    }

    /// Up to four whole transactions in one write (RFC 3030 §4.2, RFC 2920 §3.1).
    fn by_bdat_pipelined(&mut self, session: &mut Session) -> io::Result<()> {
        let mut batch = Vec::new();
        let mut places = Vec::new();
        for _ in 0..=self.random.below(4) {
            let (place, octets) = self.message();
            batch.extend_from_slice(b"MAIL FROM:<a@sender.example>\r\nRCPT TO:<b@crash.example>\r\n");
            batch.extend_from_slice(format!("BDAT {} LAST\r\n", octets.len()).as_bytes());
            batch.extend_from_slice(&octets);
            places.push(place);
        }
        for place in &places {
            self.fates[*place].1 = Fate::EndSent;
        }
        self.moment.write(&mut session.stream, &batch)?;
        for place in places {
            session.expect(250)?;
            session.expect(250)?;
            self.end_of_data(session, place)?;
        }
        Ok(())
    }
}

/// One connection and its replies.
struct Session {
    stream: TcpStream,
    replies: BufReader<TcpStream>,
}

impl Session {
    fn open(server: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(HUNG))?;
        stream.set_write_timeout(Some(HUNG))?;
        Ok(Self { replies: BufReader::new(stream.try_clone()?), stream })
    }

    /// Takes one whole reply. A wrong code is a failure of the test, a lost connection is what it is about.
    fn expect(&mut self, code: u16) -> io::Result<()> {
        loop {
            let line = self.line()?;
            if line.as_bytes().get(3) != Some(&b'-') {
                assert!(line.starts_with(&code.to_string()), "{line:?} instead of {code}");
                return Ok(());
            }
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.replies.read_line(&mut line) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                panic!("the server hangs: nothing came for {HUNG:?}")
            }
            Ok(_) if line.ends_with('\n') => Ok(line),
            Ok(_) => Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) => Err(error),
        }
    }
}

/// The message of a number: always the same, so that what is read back can be compared whole. Most are small, some
/// fill buffers, a few are so large that the store gives them a file of their own.
fn message(number: u64) -> Vec<u8> {
    let mut random = Random(number);
    let size = match random.below(200) {
        0 => 1_100_000 + random.below(300_000),
        1..=20 => random.below(100_000),
        _ => random.below(6000),
    };
    let mut octets = format!("X-Crash-Id: {number}\r\nSubject: crash\r\n\r\n").into_bytes();
    while (octets.len() as u64) < size {
        octets.extend_from_slice(format!("{:016x} {:016x}\r\n", random.next(), random.next()).as_bytes());
    }
    octets
}

/// What lies in the maildrop, as far as it was read, and all that should.
#[derive(Default)]
struct Maildrop {
    fates: HashMap<u64, Fate>,
    /// Numbers of all messages ever found.
    seen: HashSet<u64>,
    /// Unique ids ever found: none is given twice (RFC 1939 §7).
    ids_used: HashSet<String>,
    /// Unique ids that must be found again.
    ids_live: HashSet<String>,
}

impl Maildrop {
    /// Reads what is new and holds it against the fates; each message is read once in all.
    fn verify(&mut self, server: SocketAddr, round: u64, empty_it: bool) {
        let mut pop3 = Pop3::login(server);
        let listed = pop3.unique_ids();
        let ids: HashSet<&String> = listed.iter().map(|(_, id)| id).collect();
        assert_eq!(ids.len(), listed.len(), "round {round}: a unique id is listed twice");
        for id in &self.ids_live {
            assert!(ids.contains(id), "round {round}: the message {id} was there and is lost");
        }
        for (position, id) in &listed {
            if self.ids_live.contains(id) {
                continue;
            }
            assert!(self.ids_used.insert(id.clone()), "round {round}: the unique id {id} is used again");
            self.ids_live.insert(id.clone());
            self.take(&pop3.retrieve(*position), round);
        }
        for (number, fate) in &self.fates {
            assert!(
                *fate != Fate::Accepted || self.seen.contains(number),
                "round {round}: message {number} got 250 and is not there"
            );
        }
        if empty_it {
            for (position, _) in &listed {
                pop3.command(&format!("DELE {position}"));
            }
            self.ids_live.clear();
        }
        pop3.command("QUIT");
    }

    fn take(&mut self, stored: &[u8], round: u64) {
        let text = String::from_utf8_lossy(stored);
        let number = text
            .lines()
            .find_map(|line| line.strip_prefix("X-Crash-Id: "))
            .and_then(|number| number.parse().ok())
            .unwrap_or_else(|| {
                panic!("round {round}: a message without its id: {:?}", &text[..text.len().min(500)])
            });
        assert!(self.seen.insert(number), "round {round}: message {number} is there twice");
        assert!(stored.ends_with(&message(number)), "round {round}: message {number} is not what was sent");
        match self.fates.get(&number) {
            Some(Fate::Accepted | Fate::EndSent) => {}
            fate => panic!("round {round}: message {number} is there, and its sender says {fate:?}"),
        }
    }
}

/// A POP3 client for what is needed here.
struct Pop3(Session);

impl Pop3 {
    fn login(server: SocketAddr) -> Self {
        let mut pop3 = Self(Session::open(server).expect("POP3 listens"));
        pop3.ok();
        pop3.command("USER dev@localhost");
        pop3.command(&format!("PASS {PASSWORD}"));
        pop3
    }

    fn ok(&mut self) {
        let line = self.0.line().expect("an answer");
        assert!(line.starts_with("+OK"), "{line:?} instead of +OK");
    }

    fn command(&mut self, command: &str) {
        self.0.stream.write_all(format!("{command}\r\n").as_bytes()).expect("writable");
        self.ok();
    }

    fn unique_ids(&mut self) -> Vec<(u64, String)> {
        self.command("UIDL");
        let listed = String::from_utf8(self.multi_line()).expect("ASCII");
        let entry = |line: &str| {
            let (position, id) = line.split_once(' ').expect("a number and an id");
            (position.parse().expect("a number"), id.to_owned())
        };
        listed.lines().map(entry).collect()
    }

    fn retrieve(&mut self, position: u64) -> Vec<u8> {
        self.command(&format!("RETR {position}"));
        self.multi_line()
    }

    /// Lines up to the one with only a dot, without the dots that were put in front (RFC 1939 §3).
    fn multi_line(&mut self) -> Vec<u8> {
        let mut octets = Vec::new();
        loop {
            let start = octets.len();
            self.0.replies.by_ref().read_until(b'\n', &mut octets).expect("an answer");
            match &octets[start..] {
                b".\r\n" => {
                    octets.truncate(start);
                    return octets;
                }
                [b'.', ..] => {
                    octets.remove(start);
                }
                line => assert!(line.ends_with(b"\r\n"), "the answer ends before its end"),
            }
        }
    }
}

/// SplitMix64: enough for choices, and the same ones for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}
