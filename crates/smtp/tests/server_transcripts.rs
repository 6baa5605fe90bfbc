//! Plays the transcripts of `tests/server/` against the server machine: in lockstep, an octet at a time, and with
//! all that the client says in one piece.
//!
//! A transcript's lines: `C: text` is sent with CRLF; `C\ text` without a line end, with the escapes `\r`, `\n`,
//! `\0`, `\\` and `\xNN`; `C*N text` sends the text N times with CRLF; `S: text` is a reply line that must begin
//! so; `M: sender recipients... | text` is a message that must have been taken by then, its content with the
//! escapes; `Q: text` is a parameter of MAIL or RCPT that the server was asked about; `tls` is the handshake (octets
//! of the peer between the reply to STARTTLS and it are not for the machine); `closed` says that the server has
//! closed the connection; `reversed` says that the client is the server from here on, and what it said before is for
//! nobody. `config: key value` lines come first.
//!
//! The server behind the machine takes any sender but `refused@example.com`, recipients in example.org but
//! `nobody@example.org` (and `later@example.org` is put off, `moved@` and `forward@` have moved), and every message
//! but one to `full@example.org`. It knows the accounts of the examples of RFC 4954 §4.1; the authentication of
//! `busy` fails for now. It is always 2027-01-01T00:00:00Z.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use smtp::codec::fault::MessageLimits;
use smtp::grammar::reversal::Node;
use smtp::server::{
    AuthNeed, AuthOffer, Config, Extensions, HandTyped, Question, Role, Security, Session, Step, TlsOffer,
    TlsPolicy,
};
use types::{
    AuthParameter, Domain, ForwardPath, Hold, Host, MailId, MailParameters, Reply, ReplyKind, Timestamp,
};

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
    setting: Setting,
    turns: Vec<Turn>,
}

/// The server at the other end.
#[derive(Clone)]
struct Setting {
    config: Config,
    security: Security,
    xclient: bool,
    hello_asked: bool,
    quoted_id: Option<MailId>,
    tls_available: bool,
}

enum Turn {
    Client(Vec<u8>),
    Server(String),
    Message(String),
    Question(String),
    Tls,
    Closed,
    Reversed,
}

impl Transcript {
    fn parse(text: &str) -> Self {
        let mut settings = Setting::new();
        let mut turns = Vec::new();
        for line in text.lines() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            } else if let Some(setting) = line.strip_prefix("config: ") {
                settings.set(setting);
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
            } else if let Some(question) = line.strip_prefix("Q: ") {
                turns.push(Turn::Question(question.to_owned()));
            } else if line == "tls" {
                turns.push(Turn::Tls);
            } else if line == "closed" {
                turns.push(Turn::Closed);
            } else if line == "reversed" {
                turns.push(Turn::Reversed);
            } else {
                panic!("what is this line? {line}");
            }
        }
        Self { setting: settings, turns }
    }

    fn expected(&self) -> String {
        let mut text = String::new();
        for turn in &self.turns {
            match turn {
                Turn::Client(_) => {}
                Turn::Server(reply) => writeln!(text, "S: {reply}").unwrap(),
                Turn::Message(message) => writeln!(text, "M: {message}").unwrap(),
                Turn::Question(question) => writeln!(text, "Q: {question}").unwrap(),
                Turn::Tls => text.push_str("tls\n"),
                Turn::Closed => text.push_str("closed\n"),
                Turn::Reversed => text.push_str("reversed\n"),
            }
        }
        text
    }

    /// What the server says and takes, in the order in which it happens.
    fn play(&self, cut: Cut) -> String {
        let mut player = Player::new(self.setting.clone());
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
    tls_available: bool,
    buffer: Vec<u8>,
    body: Vec<u8>,
    heard: String,
    starting_tls: bool,
    closed: bool,
}

impl Player {
    fn new(setting: Setting) -> Self {
        let mut session = Session::new(Arc::new(setting.config), setting.security);
        session.set_now(Timestamp::from_millis(1_798_761_600_000));
        if setting.hello_asked {
            session.ask_about_hello();
        }
        if setting.xclient {
            session.allow_xclient();
        }
        if let Some(id) = setting.quoted_id {
            session.quote_id(id);
        }
        let mut player = Self {
            session,
            tls_available: setting.tls_available,
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
                Step::Reverse => {
                    self.hear();
                    self.heard.push_str("reversed\n");
                    self.buffer.clear();
                    self.closed = true;
                }
                Step::Close => {
                    self.hear();
                    self.heard.push_str("closed\n");
                    self.closed = true;
                }
            }
            self.hear();
            assert!(self.body.len() <= 300_000, "the message is not bounded");
        }
        assert!(
            self.closed || self.starting_tls || self.buffer.len() <= self.session.line_bytes_max(),
            "octets pile up unread"
        );
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
            Question::Hello(hello) if hello.host.to_string() == "refused.example" => {
                ReplyKind::HelloRefused.with("Not you")
            }
            Question::Hello(_) => return self.session.greeted(),
            Question::Sender(mail) => {
                for question in parameters(&mail.parameters) {
                    writeln!(self.heard, "Q: {question}").unwrap();
                }
                if mail.reverse_path.to_string() == "<refused@example.com>" {
                    ReplyKind::NoSuchMailbox.with(&mail.reverse_path)
                } else {
                    ReplyKind::SenderOk.reply()
                }
            }
            Question::Verify(name) if name.starts_with("joerg") => {
                ReplyKind::Verified.with("Jörg <jörg@example.org>")
            }
            Question::Verify(_) | Question::Expand(_) => ReplyKind::CannotVerify.reply(),
            Question::Recipient(_, rcpt) => {
                if let Some(notify) = rcpt.dsn.notify {
                    writeln!(self.heard, "Q: NOTIFY={notify}").unwrap();
                }
                if let Some(original) = &rcpt.dsn.original_recipient {
                    writeln!(self.heard, "Q: ORCPT={};{}", original.address_type, original.address).unwrap();
                }
                match standing(&rcpt.forward_path) {
                    Ok(reply) => return self.session.accept_recipient(&reply, ()),
                    Err(reply) => reply,
                }
            }
            Question::Message(_) => return self.message(),
            Question::StartTls if self.tls_available => ReplyKind::ReadyForTls.reply(),
            Question::StartTls => ReplyKind::TlsUnavailable.reply(),
            Question::Authenticate { mechanism, initial_response } => match (mechanism, initial_response) {
                ("CRAM-MD5", None) => {
                    return self.session.challenge(b"<4192942341.12828472@sourcefour.andrew.cmu.edu>");
                }
                ("CRAM-MD5", Some(_)) => ReplyKind::AuthMalformed.reply(),
                (_, None) => return self.session.challenge(b""),
                ("EXTERNAL", Some(b"")) => return self.accept_login(),
                (_, Some(response)) => match refusal_of_login(response) {
                    Some(reply) => reply,
                    None => return self.accept_login(),
                },
            },
            Question::AuthenticationResponse(response) => match refusal_of_login(response) {
                Some(reply) => reply,
                None => return self.accept_login(),
            },
            Question::Etrn(Node::Domain(domain)) => match domain.ascii() {
                "innosoft.example" => ReplyKind::QueueEmpty.with(domain),
                "mysoft.example" => {
                    ReplyKind::QueuePendingCounted.with("14 pending messages for node mysoft.example")
                }
                "uu.example" => ReplyKind::QueueNotStarted.with(domain),
                "foo.bar" => ReplyKind::NodeNotAllowed.with("foo.bar not allowed: Unable to resolve name."),
                _ => ReplyKind::QueueStarted.with(domain),
            },
            Question::Etrn(node @ Node::Subtree(_)) => ReplyKind::QueuePending.with(node),
            Question::Etrn(node) => ReplyKind::QueueStarted.with(node),
            Question::Reverse { verb, domains } => {
                let names: Vec<&str> = domains.iter().map(Domain::ascii).collect();
                writeln!(self.heard, "Q: {} {}", verb.name(), names.join(",")).unwrap();
                match names.first() {
                    Some(&"busy.example") => ReplyKind::ReversalUnavailable.reply(),
                    Some(&"empty.example") => ReplyKind::NoMailWaits.reply(),
                    Some(&"other.example") => {
                        ReplyKind::ReversalRefused.with("the account has no access to other.example")
                    }
                    _ => ReplyKind::Reversing.reply(),
                }
            }
            Question::Xclient(xclient) if xclient.addr.is_none() => ReplyKind::HostRefused.with("Who?"),
            Question::Xclient(_) => return self.session.restart_after_xclient(),
        };
        self.session.answer(&reply);
    }

    fn accept_login(&mut self) {
        self.session.authenticated(&ReplyKind::Authenticated.reply());
    }

    fn message(&mut self) {
        self.body.extend(self.session.take_body());
        let message = self.session.message().unwrap();
        assert_eq!(self.body.len() as u64, message.size_bytes);
        let transaction = &message.transaction;
        let mut envelope = transaction.mail.reverse_path.to_string();
        let mut replies = Vec::new();
        for recipient in &transaction.recipients {
            let is_full = recipient.forward_path.to_string().contains("full@");
            if !is_full {
                write!(envelope, " {}", recipient.forward_path).unwrap();
            }
            replies.push(if is_full {
                ReplyKind::StorageFull.reply()
            } else {
                ReplyKind::MessageAccepted.with("ID")
            });
        }
        if replies.iter().any(types::Reply::is_positive) {
            writeln!(self.heard, "M: {envelope} | {}", escape(&self.body)).unwrap();
        }
        self.session.answer_each(replies);
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

/// Nothing where the login is right.
fn refusal_of_login(response: &[u8]) -> Option<Reply> {
    match response {
        b"test\0test\x001234" | b"rjs3 ec3a59fed395aba1ec6367c4f4b41ac0" => None,
        b"\0busy\x001234" => Some(ReplyKind::AuthUnavailable.reply()),
        _ => Some(ReplyKind::AuthCredentials.reply()),
    }
}

/// What the server keeps of the parameters of MAIL.
fn parameters(parameters: &MailParameters) -> Vec<String> {
    let auth = parameters.auth.as_ref().map(|auth| match auth {
        AuthParameter::Unknown => "AUTH=<>".to_owned(),
        AuthParameter::Mailbox(mailbox) => format!("AUTH={mailbox}"),
    });
    let hold = parameters.hold.map(|hold| match hold {
        Hold::For { seconds } => format!("HOLDFOR={seconds}"),
        Hold::Until(at) => format!("HOLDUNTIL={at}"),
    });
    [
        parameters.require_tls.then(|| "REQUIRETLS".to_owned()),
        parameters.ret.map(|ret| format!("RET={ret}")),
        parameters.envelope_id.as_ref().map(|id| format!("ENVID={id}")),
        auth,
        hold,
        parameters.deliver_by.map(|by| format!("BY={by}")),
        parameters.priority.map(|priority| format!("MT-PRIORITY={priority}")),
        parameters.idempotency_key.as_ref().map(|key| format!("XIDEMPOTENCY={key}")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn standing(path: &ForwardPath) -> Result<Reply, Reply> {
    let ForwardPath::Mailbox(mailbox) = path else { return Ok(ReplyKind::RecipientOk.reply()) };
    match (&mailbox.host, mailbox.local_part.as_str()) {
        (Host::Domain(domain), local_part) if domain.ascii() == "example.org" => match local_part {
            "nobody" => Err(ReplyKind::NoSuchMailbox.with(path)),
            "later" => Err(ReplyKind::LookupFailed.reply()),
            "moved" => Err(ReplyKind::MailboxMovedTo.with("<jörg@example.net>")),
            "forward" => Ok(ReplyKind::RecipientForwarded.with("<jörg@example.net>")),
            _ => Ok(ReplyKind::RecipientOk.reply()),
        },
        _ => Err(ReplyKind::RelayDenied.with(path)),
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

impl Setting {
    fn new() -> Self {
        Self {
            config: config(),
            security: Security::Clear,
            xclient: false,
            hello_asked: false,
            quoted_id: None,
            tls_available: true,
        }
    }

    fn set(&mut self, setting: &str) {
        let (key, value) = setting.split_once(' ').unwrap();
        let config = &mut self.config;
        let words = || value.split(' ').map(str::to_owned).collect();
        match key {
            "role" if value == "submission" => config.role = Role::Submission,
            "role" if value == "lmtp" => config.role = Role::Lmtp,
            "role" if value == "on_demand" => config.role = Role::OnDemand,
            "tls" if value == "unavailable" => {
                config.tls = TlsOffer::StartTls;
                self.tls_available = false;
            }
            "tls" => config.tls = TlsOffer::StartTls,
            "tls_policy" => config.tls_policy = TlsPolicy::Required,
            "security" => self.security = Security::Tls,
            "auth" if value == "required" => config.auth.need = AuthNeed::Required,
            "auth" => config.auth.need = AuthNeed::Offered,
            "mechanisms_clear" => config.auth.mechanisms_clear = words(),
            "mechanisms_tls" => config.auth.mechanisms_tls = words(),
            "auth_failures_max" => config.auth.failures_max = value.parse().unwrap(),
            "dsn" => config.extensions.dsn = true,
            "require_tls" => config.extensions.require_tls = true,
            "future_release_max_s" => config.extensions.future_release_max_s = Some(value.parse().unwrap()),
            "deliver_by_min_s" => config.extensions.deliver_by_min_s = Some(value.parse().unwrap()),
            "mt_priority" => config.extensions.mt_priority = true,
            "idempotency_window_s" => config.extensions.idempotency_window_s = Some(value.parse().unwrap()),
            "etrn" => config.extensions.etrn = true,
            "atrn" => config.extensions.atrn = true,
            "turn" => config.extensions.turn = smtp::server::Turn::AfterLogin,
            "xclient" => self.xclient = true,
            "hello_asked" => self.hello_asked = true,
            "quoted_id" => self.quoted_id = Some(value.parse().unwrap()),
            "hand_typed" => config.hand_typed = HandTyped::Allowed,
            "errors_max" => config.errors_max = value.parse().unwrap(),
            "idle_commands_max" => config.idle_commands_max = value.parse().unwrap(),
            "message_bytes_max" => config.message.message_bytes_max = value.parse().unwrap(),
            key => panic!("no setting {key}"),
        }
    }
}

/// Each expected line must be the beginning of what was heard.
fn matches(expected: &str, heard: &str) -> bool {
    expected.lines().count() == heard.lines().count()
        && expected.lines().zip(heard.lines()).all(|(expected, heard)| {
            if expected.starts_with("M: ") || expected.starts_with("Q: ") {
                expected == heard
            } else {
                heard.starts_with(expected)
            }
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
