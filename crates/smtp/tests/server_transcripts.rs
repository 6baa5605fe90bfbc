//! Plays the transcripts of `tests/server/` against the server machine: in lockstep, an octet at a time, and with
//! all that the client says in one piece.
//!
//! A transcript's lines: `C: text` is sent with CRLF; `C\ text` without a line end, with the escapes `\r`, `\n`,
//! `\0`, `\\` and `\xNN`; `C*N text` sends the text N times with CRLF; `S: text` is a reply line that must begin
//! so; `M: sender recipients... | text` is a message that must have been taken by then, its content with the
//! escapes; `tls` is the handshake (octets of the peer between the reply to STARTTLS and it are not for the machine);
//! `closed` says that the server has closed the connection. `config: key value` lines come first.
//!
//! The server behind the machine takes any sender but `refused@example.com`, recipients in example.org but
//! `nobody@example.org` (and `later@example.org` is put off), and every message but one to `full@example.org`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use smtp::codec::fault::MessageLimits;
use smtp::server::{
    AuthOffer, Config, Extensions, HandTyped, Question, Role, Security, Session, Step, TlsOffer, TlsPolicy,
};
use types::{ForwardPath, Host, ReplyKind};

#[test]
fn every_transcript_goes_as_written_however_its_octets_are_cut() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/server");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 12, "only {} transcripts", files.len());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let transcript = Transcript::parse(&text);
        let expected = transcript.expected();
        for cut in [Cut::Turns, Cut::Octets, Cut::OnePiece] {
            let heard = transcript.play(cut);
            assert!(
                matches(&expected, &heard),
                "{} ({cut:?})\n-- expected --\n{expected}-- heard --\n{heard}",
                file.display()
            );
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Cut {
    Turns,
    Octets,
    OnePiece,
}

struct Transcript {
    config: Config,
    turns: Vec<Turn>,
}

enum Turn {
    Client(Vec<u8>),
    Server(String),
    Message(String),
    Tls,
    Closed,
}

impl Transcript {
    fn parse(text: &str) -> Self {
        let mut config = config();
        let mut turns = Vec::new();
        for line in text.lines() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            } else if let Some(setting) = line.strip_prefix("config: ") {
                set(&mut config, setting);
            } else if let Some(said) = line.strip_prefix("C: ") {
                turns.push(Turn::Client([said.as_bytes(), b"\r\n"].concat()));
            } else if line == "C:" {
                turns.push(Turn::Client(b"\r\n".to_vec()));
            } else if let Some(said) = line.strip_prefix("C\\ ") {
                turns.push(Turn::Client(unescape(said)));
            } else if let Some(said) = line.strip_prefix("C*") {
                let (count, said) = said.split_once(' ').unwrap();
                turns.push(Turn::Client(
                    [&unescape(said)[..], b"\r\n"].concat().repeat(count.parse().unwrap()),
                ));
            } else if let Some(reply) = line.strip_prefix("S: ") {
                turns.push(Turn::Server(reply.to_owned()));
            } else if let Some(message) = line.strip_prefix("M: ") {
                turns.push(Turn::Message(message.to_owned()));
            } else if line == "tls" {
                turns.push(Turn::Tls);
            } else if line == "closed" {
                turns.push(Turn::Closed);
            } else {
                panic!("what is this line? {line}");
            }
        }
        Self { config, turns }
    }

    fn expected(&self) -> String {
        let mut text = String::new();
        for turn in &self.turns {
            match turn {
                Turn::Client(_) => {}
                Turn::Server(reply) => writeln!(text, "S: {reply}").unwrap(),
                Turn::Message(message) => writeln!(text, "M: {message}").unwrap(),
                Turn::Tls => text.push_str("tls\n"),
                Turn::Closed => text.push_str("closed\n"),
            }
        }
        text
    }

    /// What the server says and takes, in the order in which it happens.
    fn play(&self, cut: Cut) -> String {
        let mut player = Player::new(self.config.clone());
        for (index, leg) in self.turns.split(|turn| matches!(turn, Turn::Tls)).enumerate() {
            if index > 0 {
                player.handshake();
            }
            let client = leg.iter().filter_map(|turn| match turn {
                Turn::Client(octets) => Some(octets.as_slice()),
                _ => None,
            });
            match cut {
                Cut::Turns => client.for_each(|octets| player.feed(octets)),
                Cut::Octets => client.flatten().for_each(|octet| player.feed(&[*octet])),
                Cut::OnePiece => player.feed(&client.flatten().copied().collect::<Vec<_>>()),
            }
        }
        player.finish()
    }
}

/// Drives a session as a server would, without any I/O.
struct Player {
    session: Session<()>,
    buffer: Vec<u8>,
    body: Vec<u8>,
    heard: String,
    starting_tls: bool,
    closed: bool,
}

impl Player {
    fn new(config: Config) -> Self {
        let session = Session::new(Arc::new(config), Security::Clear);
        let mut player = Self {
            session,
            buffer: Vec::new(),
            body: Vec::new(),
            heard: String::new(),
            starting_tls: false,
            closed: false,
        };
        player.hear();
        player
    }

    fn feed(&mut self, octets: &[u8]) {
        self.buffer.extend_from_slice(octets);
        while !self.closed && !self.starting_tls {
            let (consumed, step) = self.session.receive(&self.buffer);
            self.buffer.drain(..consumed);
            if !self.session.is_receiving() {
                self.body.clear();
            }
            match step {
                Step::Input => break,
                Step::Answer => self.answer(),
                Step::Body => self.body.extend(self.session.take_body()),
                Step::StartTls => self.starting_tls = true,
                Step::Close => {
                    self.hear();
                    self.heard.push_str("closed\n");
                    self.closed = true;
                }
            }
            self.hear();
            assert!(self.body.len() <= 300_000, "the message is not bounded");
        }
        assert!(self.closed || self.starting_tls || self.buffer.len() < 4096, "octets pile up unread");
    }

    fn handshake(&mut self) {
        assert!(self.starting_tls, "nobody asked for TLS");
        self.starting_tls = false;
        self.buffer.clear();
        self.heard.push_str("tls\n");
        self.session.secured();
    }

    fn answer(&mut self) {
        self.hear();
        let reply = match self.session.question().unwrap() {
            Question::Sender(mail) if mail.reverse_path.to_string() == "<refused@example.com>" => {
                ReplyKind::NoSuchMailbox.with(&mail.reverse_path)
            }
            Question::Sender(_) => ReplyKind::SenderOk.reply(),
            Question::Verify(_) | Question::Expand(_) => ReplyKind::CannotVerify.reply(),
            Question::StartTls => ReplyKind::ReadyForTls.reply(),
            Question::Authenticate { .. } | Question::AuthenticationResponse(_) => todo!(),
            Question::Xclient(_) => todo!(),
            Question::Recipient(_, rcpt) => match standing(&rcpt.forward_path) {
                Ok(()) => return self.session.accept_recipient(&ReplyKind::RecipientOk.reply(), ()),
                Err(kind) => kind.with(&rcpt.forward_path),
            },
            Question::Message(message) => {
                let transaction = &message.transaction;
                let mut envelope = transaction.mail.reverse_path.to_string();
                for recipient in &transaction.recipients {
                    write!(envelope, " {}", recipient.forward_path).unwrap();
                }
                let size_bytes = message.size_bytes;
                self.body.extend(self.session.take_body());
                assert_eq!(self.body.len() as u64, size_bytes);
                if envelope.contains("full@") {
                    ReplyKind::StorageFull.reply()
                } else {
                    writeln!(self.heard, "M: {envelope} | {}", escape(&self.body)).unwrap();
                    ReplyKind::MessageAccepted.with("ID")
                }
            }
        };
        self.session.answer(&reply);
    }

    fn hear(&mut self) {
        let output = String::from_utf8(std::mem::take(self.session.output())).unwrap();
        for line in output.split_terminator("\r\n") {
            writeln!(self.heard, "S: {line}").unwrap();
        }
    }

    fn finish(self) -> String {
        self.heard
    }
}

fn standing(path: &ForwardPath) -> Result<(), ReplyKind> {
    let ForwardPath::Mailbox(mailbox) = path else { return Ok(()) };
    match (&mailbox.host, mailbox.local_part.as_str()) {
        (Host::Domain(domain), local_part) if domain.ascii() == "example.org" => match local_part {
            "nobody" => Err(ReplyKind::NoSuchMailbox),
            "later" => Err(ReplyKind::LookupFailed),
            _ => Ok(()),
        },
        _ => Err(ReplyKind::RelayDenied),
    }
}

fn config() -> Config {
    Config {
        host_name: "mail.example.org".to_owned(),
        role: Role::Transfer,
        hand_typed: HandTyped::Refused,
        tls: TlsOffer::None,
        tls_policy: TlsPolicy::Optional,
        auth: AuthOffer::default(),
        extensions: Extensions::default(),
        command_line_bytes_max: 512,
        message: MessageLimits { line_bytes_max: 1000, message_bytes_max: 100_000 },
        recipients_max: 100,
        errors_max: 20,
        idle_commands_max: 50,
        body_chunk_bytes: 4096,
    }
}

fn set(config: &mut Config, setting: &str) {
    let (key, value) = setting.split_once(' ').unwrap();
    match key {
        "tls" => config.tls = TlsOffer::StartTls,
        "hand_typed" => config.hand_typed = HandTyped::Allowed,
        "errors_max" => config.errors_max = value.parse().unwrap(),
        "idle_commands_max" => config.idle_commands_max = value.parse().unwrap(),
        "message_bytes_max" => config.message.message_bytes_max = value.parse().unwrap(),
        key => panic!("no setting {key}"),
    }
}

/// Each expected line must be the beginning of what was heard.
fn matches(expected: &str, heard: &str) -> bool {
    expected.lines().count() == heard.lines().count()
        && expected.lines().zip(heard.lines()).all(|(expected, heard)| {
            if expected.starts_with("M: ") { expected == heard } else { heard.starts_with(expected) }
        })
}

fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        if octet != b'\\' {
            out.push(octet);
            continue;
        }
        match octets.next().unwrap() {
            b'r' => out.push(b'\r'),
            b'n' => out.push(b'\n'),
            b'0' => out.push(0),
            b'\\' => out.push(b'\\'),
            b'x' => {
                let hex = [octets.next().unwrap(), octets.next().unwrap()];
                out.push(u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap());
            }
            other => panic!("no escape \\{}", char::from(other)),
        }
    }
    out
}

fn escape(octets: &[u8]) -> String {
    let mut text = String::new();
    for octet in octets {
        match octet {
            b'\r' => text.push_str("\\r"),
            b'\n' => text.push_str("\\n"),
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(*octet)),
            _ => write!(text, "\\x{octet:02x}").unwrap(),
        }
    }
    text
}
