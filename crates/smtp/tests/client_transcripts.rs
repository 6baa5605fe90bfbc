//! Replays the conversations of `tests/client/*.txt` against the client machine.
//!
//! A file is read line by line:
//!
//! ```text
//! First line: the RFC section and what it shows
//! # a remark
//! with: lmtp, chunks, one by one     the configuration; each word is optional
//! send: <from> <to> <to> 8bitmime    the next message, sent as soon as the machine is ready; what stands behind a
//!                                    recipient as notify= and orcpt= belongs to it
//! | text                             a line of its body
//! S: 250 OK                          the server says this
//! C: QUIT                            the client has said this, and nothing before it but the lines above
//! S: (closes)                        the server closes the connection
//! S: (says nothing)                  the timeout passes
//! D: secured                         the driver does this: TLS is on; also: tls failed, authenticate, respond, cancel
//! = <to> accepted 250 OK             what the machine told about the recipient, in order
//! = starttls   = challenge ...       what the machine asks the driver for
//! = unusable ...   = closed ...      other events
//! ```
//!
//! `\r`, `\n`, `\0`, `\e`, and `\s` for a space, in a line stand for those octets. Before the server speaks, the client must have said
//! exactly what the lines above have. Each file is played line by line, octet by octet, and with each run of
//! server lines in one piece; the body is handed over in pieces of each of several sizes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::collections::VecDeque;
use std::path::Path;

use smtp::client::{
    Certificate, Client, Config, Event, LoginPolicy, Message, Mode, Outcome, Passwords, Pipelining, Report,
    Security, TlsPolicy, Transcript, Transfer,
};
use types::{
    AuthParameter, BodyType, ByMode, DeliverBy, DsnReturn, Envelope, EnvelopeRecipient, ForwardPath, Notify,
    OriginalRecipient,
};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Pieces {
    Lines,
    Octets,
    Runs,
}

struct Script {
    config: Config,
    messages: VecDeque<(Message, Vec<u8>)>,
    lines: Vec<(usize, Line)>,
}

#[derive(Debug, Clone, PartialEq)]
enum Line {
    Client(Vec<u8>),
    Server(Vec<u8>),
    ServerCloses,
    ServerSaysNothing,
    Event(String),
    Driver(String),
}

struct Player {
    client: Client,
    messages: VecDeque<(Message, Vec<u8>)>,
    recipients: Vec<String>,
    body: Option<Vec<u8>>,
    piece_bytes: usize,
    said: Vec<u8>,
    events: VecDeque<String>,
    /// What [`Event::Said`] told.
    noted: Vec<String>,
}

#[test]
fn every_transcript_is_followed_however_the_octets_are_cut() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/client");
    let files = testdata::files_below(&folder);
    assert!(files.len() > 20, "transcripts are missing");
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        assert!(text.starts_with("RFC "), "{name} is titled by its section");
        for pieces in [Pieces::Lines, Pieces::Octets, Pieces::Runs] {
            for piece_bytes in [1, 7, 100_000] {
                let script = Script::parse(&text, &name);
                script.play(&format!("{name} ({pieces:?}, body by {piece_bytes})"), pieces, piece_bytes);
            }
        }
    }
}

impl Script {
    fn parse(text: &str, name: &str) -> Self {
        let mut config = Config::new("client.example".parse().unwrap());
        let mut messages: VecDeque<(Message, Vec<u8>)> = VecDeque::new();
        let mut lines = Vec::new();
        for (index, line) in text.lines().enumerate().skip(1) {
            let number = index + 1;
            let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
            match (kind, rest) {
                ("" | "#", _) => {}
                ("with:", words) => words.split(", ").for_each(|word| configure(&mut config, word)),
                ("send:", words) => messages.push_back((message(words), Vec::new())),
                ("|", body) => {
                    let (message, octets) = messages.back_mut().unwrap();
                    octets.extend(unescape(body));
                    if !body.ends_with("\\c") {
                        octets.extend(b"\r\n");
                    }
                    message.size_bytes = Some(octets.len() as u64);
                }
                ("S:", "(closes)") => lines.push((number, Line::ServerCloses)),
                ("S:", "(says nothing)") => lines.push((number, Line::ServerSaysNothing)),
                ("S:", said) => lines.push((number, Line::Server(wire_line(said)))),
                ("C:", said) => lines.push((number, Line::Client(wire_line(said)))),
                ("D:", act) => lines.push((number, Line::Driver(act.to_owned()))),
                ("=", event) => lines.push((number, Line::Event(event.to_owned()))),
                _ => panic!("{name}:{number}: {line}"),
            }
        }
        Self { config, messages, lines }
    }

    fn play(self, title: &str, pieces: Pieces, piece_bytes: usize) {
        let mut player = Player {
            client: Client::new(self.config),
            messages: self.messages,
            recipients: Vec::new(),
            body: None,
            piece_bytes,
            said: Vec::new(),
            events: VecDeque::new(),
            noted: Vec::new(),
        };
        let mut run = Vec::new();
        for (index, (number, line)) in self.lines.iter().enumerate() {
            let place = format!("{title}:{number}");
            player.turn();
            match line {
                Line::Client(expected) => player.expect_said(expected, &place),
                Line::Server(octets) => {
                    player.expect_silence(&place);
                    run.extend(octets);
                    let goes_on = matches!(self.lines.get(index + 1), Some((_, Line::Server(_))));
                    if pieces != Pieces::Runs || !goes_on {
                        player.hear(&std::mem::take(&mut run), pieces);
                    }
                }
                Line::ServerCloses => {
                    player.expect_silence(&place);
                    player.client.lost();
                }
                Line::ServerSaysNothing => {
                    player.expect_silence(&place);
                    assert!(player.client.wait().is_some(), "{place}: a timeout runs");
                    player.client.timed_out();
                }
                Line::Driver(act) => {
                    player.expect_silence(&place);
                    player.act(act, &place);
                }
                Line::Event(expected) => {
                    let event = player.events.pop_front();
                    assert_eq!(event.as_deref(), Some(expected.as_str()), "{place}");
                }
            }
        }
        player.turn();
        player.expect_silence(&format!("{title}: at the end"));
        assert!(player.events.is_empty(), "{title}: not expected: {:?}", player.events);
        assert!(player.client.is_closed(), "{title}: the connection is not over");
        let told = player.noted.join("\n");
        assert!(
            !told.contains("sesame") && !told.contains("AGFkYQBvcGVu"),
            "{title}: a password is told: {told}"
        );
    }
}

impl Player {
    /// Does all that a driver does between two octets of the server.
    fn turn(&mut self) {
        loop {
            while let Some(event) = self.client.poll_event() {
                self.on_event(event);
            }
            let room = self.client.body_room().min(self.piece_bytes);
            if room > 0
                && let Some(body) = &mut self.body
            {
                if body.is_empty() {
                    self.body = None;
                    let _told_by_the_events = self.client.finish_body();
                } else {
                    let room = room.min(body.len());
                    let taken = self.client.write_body(&body[..room]).unwrap_or(room);
                    body.drain(..taken);
                }
                continue;
            }
            let Some(octet) = self.client.transmit().first() else { return };
            self.said.push(*octet);
            self.client.transmitted(1);
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Ready => match self.messages.pop_front() {
                None => self.client.quit(),
                Some((message, body)) => {
                    self.recipients = message.envelope.forward_paths().map(ToString::to_string).collect();
                    match self.client.send(message) {
                        Ok(()) => self.body = Some(body),
                        Err(error) => {
                            self.events.push_back(format!("not sent: {error}"));
                            self.client.quit();
                        }
                    }
                }
            },
            Event::Finished(Report { outcomes }) => {
                self.body = None;
                assert_eq!(outcomes.len(), self.recipients.len());
                let told = self.recipients.iter().zip(&outcomes);
                self.events.extend(told.map(|(recipient, outcome)| format!("{recipient} {}", text(outcome))));
            }
            Event::Unusable(failure) => self.events.push_back(format!("unusable {failure}")),
            Event::Closed(end) => self.events.push_back(format!("closed {end}")),
            Event::StartTls => self.events.push_back("starttls".to_owned()),
            Event::Authenticate { mechanisms } => {
                self.events.push_back(format!("authenticate {}", mechanisms.join(" ")));
            }
            Event::Challenge(data) => {
                self.events.push_back(format!("challenge {}", data.octets().escape_ascii()));
            }
            Event::Said { line, .. } => self.noted.push(line),
            Event::Heard { .. } => {}
        }
    }

    /// What only a driver can do.
    fn act(&mut self, act: &str, place: &str) {
        match act.split_once(' ').unwrap_or((act, "")) {
            ("secured", "") => self.client.secured(Certificate::Verified),
            ("secured", "unverified") => self.client.secured(Certificate::Unverified),
            ("tls", why) => self.client.tls_failed(why),
            ("authenticate", words) => {
                let (mechanism, initial) = match words.split_once(' ') {
                    Some((mechanism, initial)) => (mechanism, Some(unescape(initial))),
                    None => (words, None),
                };
                self.client.authenticate(mechanism, initial.as_deref()).expect(place);
            }
            ("respond", text) => self.client.respond(&unescape(text)),
            ("cancel", "") => self.client.cancel_login(),
            _ => panic!("{place}: {act}"),
        }
    }

    fn hear(&mut self, octets: &[u8], pieces: Pieces) {
        if pieces == Pieces::Octets {
            octets.iter().for_each(|octet| self.client.receive(&[*octet]));
        } else {
            self.client.receive(octets);
        }
    }

    fn expect_said(&mut self, expected: &[u8], place: &str) {
        let end = expected.len().min(self.said.len());
        let said: Vec<u8> = self.said.drain(..end).collect();
        assert_eq!(said.escape_ascii().to_string(), expected.escape_ascii().to_string(), "{place}");
    }

    fn expect_silence(&self, place: &str) {
        assert!(
            self.said.is_empty(),
            "{place}: the client also said {:?}",
            self.said.escape_ascii().to_string()
        );
    }
}

fn text(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Accepted(reply) => format!("accepted {reply}"),
        Outcome::Temporary(failure) => {
            format!("temporary {} at {:?}: {failure}", failure.enhanced_status(), failure.stage)
        }
        Outcome::Permanent(failure) => {
            format!("permanent {} at {:?}: {failure}", failure.enhanced_status(), failure.stage)
        }
        Outcome::NotTried(limit) => format!("not tried {limit:?}"),
    }
}

fn configure(config: &mut Config, word: &str) {
    match word {
        "lmtp" => config.mode = Mode::Lmtp,
        "chunks" => config.transfer = Transfer::ChunksWhereOffered,
        "one flight" => config.transfer = Transfer::OneFlightWhereOffered,
        "one by one" => config.pipelining = Pipelining::Never,
        "transcript" => config.transcript = Transcript::On,
        "tls offered" => config.tls = TlsPolicy::Opportunistic,
        "tls required" => config.tls = TlsPolicy::Required,
        "tls from the start" => config.security = Security::Tls(Certificate::Verified),
        "login" => config.login = LoginPolicy::Required(Passwords::Protected),
        "login in clear" => config.login = LoginPolicy::Required(Passwords::InClear),
        _ => panic!("with: {word}"),
    }
}

fn message(words: &str) -> Message {
    let mut words = words.split(' ');
    let mut envelope = Envelope::new(words.next().unwrap().parse().unwrap(), []);
    for word in words {
        match word {
            "8bitmime" => envelope.parameters.body_type = BodyType::EightBitMime,
            "binary" => envelope.parameters.body_type = BodyType::BinaryMime,
            "smtputf8" => envelope.parameters.smtputf8 = true,
            "requiretls" => envelope.parameters.require_tls = true,
            word => match word.split_once('=') {
                Some((keyword, value)) if !word.starts_with('<') => parameter(&mut envelope, keyword, value),
                _ => envelope.recipients.push(word.parse::<ForwardPath>().unwrap().into()),
            },
        }
    }
    Message { envelope, size_bytes: None }
}

fn parameter(envelope: &mut Envelope, keyword: &str, value: &str) {
    let parameters = &mut envelope.parameters;
    let text = String::from_utf8(unescape(value)).unwrap();
    match keyword {
        "ret" => parameters.ret = Some(if value == "full" { DsnReturn::Full } else { DsnReturn::Headers }),
        "envid" => parameters.envelope_id = Some(text),
        "auth" if value == "<>" => parameters.auth = Some(AuthParameter::Unknown),
        "auth" => parameters.auth = Some(AuthParameter::Mailbox(value.parse().unwrap())),
        "priority" => parameters.priority = value.parse().ok(),
        "return-in" | "notify-in" => {
            let mode = if keyword == "return-in" { ByMode::Return } else { ByMode::Notify };
            parameters.deliver_by = Some(DeliverBy { by_s: value.parse().unwrap(), mode, trace: false });
        }
        "notify" => last(envelope).dsn.notify = Some(notify(value)),
        "orcpt" => {
            let (address_type, address) = text.split_once(';').unwrap();
            let (address_type, address) = (address_type.to_owned(), address.to_owned());
            last(envelope).dsn.original_recipient = Some(OriginalRecipient { address_type, address });
        }
        _ => panic!("{keyword}={value}"),
    }
}

fn last(envelope: &mut Envelope) -> &mut EnvelopeRecipient {
    envelope.recipients.last_mut().unwrap()
}

fn notify(value: &str) -> Notify {
    let is = |word: &str| value.split(',').any(|said| said == word);
    if is("never") {
        return Notify::Never;
    }
    Notify::When { success: is("success"), failure: is("failure"), delay: is("delay") }
}

/// A line with its CRLF, unless it ends in `\c`.
fn wire_line(text: &str) -> Vec<u8> {
    let mut octets = unescape(text);
    if !text.ends_with("\\c") {
        octets.extend(b"\r\n");
    }
    octets
}

fn unescape(text: &str) -> Vec<u8> {
    text.replace("\\s", " ")
        .replace("\\r", "\r")
        .replace("\\n", "\n")
        .replace("\\0", "\0")
        .replace("\\e", "\x1b")
        .replace("\\c", "")
        .into_bytes()
}
