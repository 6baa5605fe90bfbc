//! Conversations in `tests/transcripts/`, each titled by its section of an RFC, replayed line by line, one octet
//! at a time, cut in two at every place, and fully pipelined.
//!
//! A transcript has a head of settings, a line `---`, and the conversation. Settings: `account NAME PASSWORD`,
//! `message UNIQUE-ID` and its lines after `| ` (`|+ ` is a line without CRLF, with escapes), `login in-use`,
//! `login too-soon`, `login unavailable`, `login disabled`, `commit temporary`, `commit permanent`, `commit login-ended`, `read N temporary`,
//! `read N permanent`, `read N gone`, `read N login-ended`, `errors N`, `login-delay N` in seconds, `expire N` in days, `only with tls` for passwords, `mechanisms clear NAME...`, `mechanisms tls NAME...`, `apop TIMESTAMP`, `stls` where it is offered, `tls` where the connection
//! begins with it, `surrogates` for clients without UTF8. The conversation: `C: ` what the client sends, with CRLF; `C| ` what it sends as
//! it stands, with escapes; `S: ` what comes back for it, to the last line; `<TLS>` the handshake that STLS asked
//! for; `dropped N` the octets that came in clear after STLS; `deleted 1 3` the message-numbers that UPDATE
//! removed, `deleted none`, `not deleted 1` what it was to remove where it failed, or `no update` where it was not reached; `retrieved 2` those that it was told of as read besides; `closed` or `open`. `#` begins a comment.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]

mod common;

use common::{Driver, LoginFault, Outcome, World, config};
use pop3::{Apop, Config, Expire, Failure, Plaintext, Security, TlsOffer, WithoutUtf8};

/// What the client sends at a time, and what comes back for it.
type Exchange = (Vec<u8>, Vec<u8>);

struct Transcript {
    config: Config,
    security: Security,
    world: World,
    greeting: Vec<u8>,
    /// Between two of them is a handshake.
    phases: Vec<Vec<Exchange>>,
    dropped: usize,
    committed: Option<Vec<usize>>,
    refused: Option<Vec<usize>>,
    retrieved: Vec<usize>,
    is_closed: bool,
}

#[test]
fn transcripts_go_as_written_line_by_line_octet_by_octet_and_pipelined() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let files = testdata::files_below(&folder);
    assert!(files.len() >= 20, "the transcripts are in {}", folder.display());
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let transcript = Transcript::parse(&name, &std::fs::read_to_string(&file).unwrap());
        transcript.replay_by_line(&name);
        transcript.replay_in_segments(&name);
    }
}

impl Transcript {
    fn replay_by_line(&self, name: &str) {
        let mut driver = self.driver(&self.world);
        assert_text(name, "greeting", &driver.outcome.output, &self.greeting);
        for (index, phase) in self.phases.iter().enumerate() {
            if index > 0 {
                driver.secure();
            }
            for (client, server) in phase {
                assert!(!driver.outcome.is_closed, "{name}: closed before {}", text(client));
                let answer = driver.feed(client);
                assert_text(name, &text(client), &answer, server);
            }
        }
        assert_eq!(driver.outcome.dropped, self.dropped, "{name}: dropped");
        assert_eq!(driver.outcome.committed, self.committed, "{name}");
        assert_eq!(driver.outcome.refused, self.refused, "{name}");
        assert_eq!(driver.outcome.retrieved, self.retrieved, "{name}: retrieved");
        assert_eq!(driver.outcome.is_closed, self.is_closed, "{name}: closed");
    }

    fn driver(&self, world: &World) -> Driver {
        Driver::with_security(self.config.clone(), world.clone(), self.security)
    }

    /// Plays the phases, each in the segments that `cut` makes of it.
    fn replay(&self, world: &World, phases: &[Vec<u8>], cut: impl Fn(usize, &[u8]) -> Vec<&[u8]>) -> Outcome {
        let mut driver = self.driver(world);
        for (index, octets) in phases.iter().enumerate() {
            if index > 0 {
                driver.secure();
            }
            cut(index, octets).into_iter().for_each(|segment| drop(driver.feed(segment)));
        }
        driver.outcome
    }

    fn replay_in_segments(&self, name: &str) {
        let client = |phase: &Vec<Exchange>| phase.iter().flat_map(|(client, _)| client.clone()).collect();
        let phases: Vec<Vec<u8>> = self.phases.iter().map(client).collect();
        let servers = self.phases.iter().flatten().map(|(_, server)| server);
        let expected = Outcome {
            output: std::iter::once(&self.greeting).chain(servers).flatten().copied().collect(),
            committed: self.committed.clone(),
            refused: self.refused.clone(),
            retrieved: self.retrieved.clone(),
            is_closed: self.is_closed,
            consumed: phases.concat().len() - self.dropped,
            dropped: self.dropped,
            is_starting_tls: false,
        };
        for chunk_bytes in [0, 1, 7] {
            let world = World { chunk_bytes, ..self.world.clone() };
            let pipelined = self.replay(&world, &phases, |_, octets| vec![octets]);
            let by_octet = self.replay(&world, &phases, |_, octets| octets.chunks(1).collect());
            for (how, outcome) in [("pipelined", pipelined), ("octet by octet", by_octet)] {
                assert_text(name, how, &outcome.output, &expected.output);
                assert_eq!(outcome, expected, "{name}: {how}");
            }
            for (index, octets) in phases.iter().enumerate() {
                for at in 1..octets.len() {
                    let outcome = self.replay(&world, &phases, |phase, octets| {
                        let (before, after) = octets.split_at(if phase == index { at } else { 0 });
                        vec![before, after]
                    });
                    assert_eq!(outcome, expected, "{name}: part {index} cut after octet {at}");
                }
            }
        }
        if self.is_closed {
            let mut longer = phases;
            longer.last_mut().expect("one phase at least").extend_from_slice(b"NOOP\r\nQUIT\r\n");
            let outcome = self.replay(&self.world, &longer, |_, octets| vec![octets]);
            assert_eq!(outcome, expected, "{name}: nothing is read after the end");
        }
    }

    fn parse(name: &str, source: &str) -> Self {
        assert!(source.starts_with("# RFC "), "{name} begins with its section");
        let (head, conversation) = source.split_once("\n---\n").expect("a line --- ends the settings");
        let mut transcript = Self {
            config: config(),
            security: Security::Clear,
            world: World::default(),
            greeting: Vec::new(),
            phases: vec![Vec::new()],
            dropped: 0,
            committed: None,
            refused: None,
            retrieved: Vec::new(),
            is_closed: false,
        };
        head.lines().for_each(|line| transcript.setting(name, line));
        let mut is_ended = false;
        for line in conversation.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            is_ended |= transcript.conversation_line(name, line);
        }
        assert!(is_ended, "{name} says at its end whether it is closed or open");
        transcript
    }

    fn setting(&mut self, name: &str, line: &str) {
        let number = |word: &str| word.parse().unwrap_or_else(|_| panic!("{name}: {line}"));
        if let Some(text) = line.strip_prefix("| ").or_else(|| (line == "|").then_some("")) {
            let message = &mut self.world.messages.last_mut().expect("a message").1;
            message.extend_from_slice(text.as_bytes());
            return message.extend_from_slice(b"\r\n");
        }
        if let Some(text) = line.strip_prefix("|+ ") {
            return self.world.messages.last_mut().expect("a message").1.extend(unescaped(text));
        }
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["" | "#", ..] => {}
            ["account", account, password] => self.world.account = Some((account.into(), password.into())),
            ["message", unique_id] => self.world.messages.push((unique_id.into(), Vec::new())),
            ["login", "in-use"] => self.world.login = Some(LoginFault::InUse),
            ["login", "too-soon"] => self.world.login = Some(LoginFault::TooSoon),
            ["login", "disabled"] => self.world.login = Some(LoginFault::Disabled),
            ["login", "unavailable"] => self.world.login = Some(LoginFault::Unavailable),
            ["commit", what] => self.world.commit = Some(failure(what)),
            ["read", octets, what] => self.world.read = Some((number(octets), failure(what))),
            ["login-delay", seconds] => self.config.login_delay_s = number(seconds) as u64,
            ["expire", days] => {
                self.config.expire = Expire::AfterDays(number(days).try_into().unwrap());
            }
            ["errors", errors] => self.config.errors_max = number(errors).try_into().unwrap(),
            ["only", "with", "tls"] => self.config.plaintext = Plaintext::OnlyWithTls,
            ["mechanisms", "clear", ref names @ ..] => {
                self.config.mechanisms_clear = names.iter().map(|name| (*name).to_owned()).collect();
            }
            ["mechanisms", "tls", ref names @ ..] => {
                self.config.mechanisms_tls = names.iter().map(|name| (*name).to_owned()).collect();
            }
            ["apop", timestamp] => self.config.apop = Apop::Timestamp(timestamp.into()),
            ["stls"] => self.config.tls = TlsOffer::Stls,
            ["tls"] => self.security = Security::Tls,
            ["surrogates"] => self.config.without_utf8 = WithoutUtf8::Surrogate,
            _ => panic!("{name}: {line}"),
        }
    }

    fn conversation_line(&mut self, name: &str, line: &str) -> bool {
        if let Some(text) = line.strip_prefix("C: ") {
            self.phase().push((format!("{text}\r\n").into_bytes(), Vec::new()));
        } else if let Some(text) = line.strip_prefix("C| ") {
            self.phase().push((unescaped(text), Vec::new()));
        } else if let Some(text) = line.strip_prefix("S: ").or_else(|| (line == "S:").then_some("")) {
            let server = self.server();
            server.extend_from_slice(text.as_bytes());
            server.extend_from_slice(b"\r\n");
        } else if let Some(text) = line.strip_prefix("S| ") {
            self.server().extend(unescaped(text));
        } else if let Some(octets) = line.strip_prefix("dropped ") {
            self.dropped = octets.parse().unwrap();
        } else if let Some(numbers) = line.strip_prefix("deleted ") {
            self.committed = Some(indices(if numbers == "none" { "" } else { numbers }));
        } else if let Some(numbers) = line.strip_prefix("not deleted ") {
            self.refused = Some(indices(numbers));
        } else if let Some(numbers) = line.strip_prefix("retrieved ") {
            self.retrieved = indices(numbers);
        } else {
            match line {
                "<TLS>" => self.phases.push(Vec::new()),
                "no update" => self.committed = None,
                "closed" | "open" => {
                    self.is_closed = line == "closed";
                    return true;
                }
                _ => panic!("{name}: {line}"),
            }
        }
        false
    }

    fn phase(&mut self) -> &mut Vec<Exchange> {
        self.phases.last_mut().expect("one phase at least")
    }

    /// What the server says next: only the first phase may begin with it.
    fn server(&mut self) -> &mut Vec<u8> {
        match &mut self.phases[..] {
            [first] if first.is_empty() => &mut self.greeting,
            phases => &mut phases.last_mut().and_then(|phase| phase.last_mut()).expect("C: before S:").1,
        }
    }
}

/// Of message-numbers.
fn indices(numbers: &str) -> Vec<usize> {
    numbers.split_whitespace().map(|number| number.parse::<usize>().unwrap() - 1).collect()
}

fn failure(what: &str) -> Failure {
    match what {
        "temporary" => Failure::Temporary,
        "permanent" => Failure::Permanent,
        "gone" => Failure::Gone,
        "login-ended" => Failure::LoginEnded,
        _ => panic!("{what}"),
    }
}

/// `\r`, `\n`, `\\`, `\xHH`, and `\*N(c)` for N times c.
fn unescaped(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\\') {
        out.extend_from_slice(before.as_bytes());
        rest = &escape[1..];
        match escape.as_bytes()[0] {
            b'r' => out.push(b'\r'),
            b'n' => out.push(b'\n'),
            b'\\' => out.push(b'\\'),
            b'x' => {
                out.push(u8::from_str_radix(&rest[..2], 16).unwrap());
                rest = &rest[2..];
            }
            b'*' => {
                let (count, after) = rest.split_once('(').unwrap();
                let (octets, after) = after.split_once(')').unwrap();
                out.extend(octets.repeat(count.parse().unwrap()).bytes());
                rest = after;
            }
            other => panic!("\\{}", char::from(other)),
        }
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

fn text(octets: &[u8]) -> String {
    let shown = octets.escape_ascii().to_string();
    shown.replace("\\r\\n", "\\r\\n\n")
}

#[track_caller]
fn assert_text(name: &str, at: &str, found: &[u8], expected: &[u8]) {
    assert!(found == expected, "{name}, {at}\nfound:\n{}\nexpected:\n{}", text(found), text(expected));
}
