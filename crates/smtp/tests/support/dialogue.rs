//! A session with its driver, without I/O, that watches over what must hold at every step.

use std::sync::Arc;

use smtp::codec::fault::MessageLimits;
use smtp::server::{
    AuthNeed, AuthOffer, Config, Extensions, HandTyped, Question, Role, Security, Session, Step, TlsOffer,
    TlsPolicy, Turn,
};
use types::{Reply, ReplyKind, Timestamp};

/// A server that takes all senders but `refused@…`, all recipients but `nobody@…`, and all messages but those
/// with `full@…` among their recipients (in LMTP, for those who are not `full@…`). Who proves to be [`SECRET`] has
/// authenticated.
pub struct Dialogue {
    session: Session<()>,
    buffer: Vec<u8>,
    body: Vec<u8>,
    /// Octets taken since the sender was.
    since_mail: Vec<u8>,
    /// How it went so far.
    pub outcome: Outcome,
}

/// What a client has to say to authenticate.
const SECRET: &[u8] = b"\0ada\0open sesame";

/// What came of a dialogue.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// All that the client saw.
    pub output: Vec<u8>,
    /// Reverse-path, forward-paths and content of each message that was taken.
    pub messages: Vec<(String, Vec<String>, Vec<u8>)>,
    pub is_closed: bool,
}

/// Limits so low that short inputs reach them.
pub fn config() -> Config {
    Config {
        host_name: "mail.example.org".to_owned(),
        role: Role::Transfer,
        hand_typed: HandTyped::Refused,
        tls: TlsOffer::None,
        tls_policy: TlsPolicy::Optional,
        auth: AuthOffer::default(),
        extensions: Extensions::default(),
        command_line_bytes_max: 96,
        message: MessageLimits { line_bytes_max: 80, message_bytes_max: 400 },
        recipients_max: 4,
        errors_max: 12,
        idle_commands_max: 24,
        body_chunk_bytes: 32,
    }
}

/// The same with a role, and with all that goes with it.
pub fn config_of(role: Role) -> Config {
    let auth = AuthOffer {
        need: if role == Role::Submission { AuthNeed::Required } else { AuthNeed::Off },
        mechanisms_clear: vec!["PLAIN".to_owned()],
        mechanisms_tls: vec!["PLAIN".to_owned()],
        failures_max: 3,
    };
    let extensions = Extensions {
        dsn: true,
        require_tls: true,
        future_release_max_s: Some(60),
        deliver_by_min_s: Some(60),
        mt_priority: true,
        idempotency_window_s: Some(60),
        etrn: role == Role::Transfer,
        atrn: role == Role::Submission,
        turn: Turn::AfterLogin,
    };
    Config { role, auth, extensions, ..config() }
}

/// What the server says and takes when the client sends `pieces`.
pub fn play(config: &Config, pieces: &[&[u8]]) -> Outcome {
    let mut dialogue = Dialogue::new(config.clone());
    for piece in pieces {
        dialogue.feed(piece);
    }
    dialogue.outcome
}

impl Dialogue {
    pub fn new(config: Config) -> Self {
        let mut session = Session::new(Arc::new(config), Security::Clear);
        session.set_now(Timestamp::from_millis(1_798_761_600_000));
        if session.config().role == Role::Submission {
            session.ask_about_hello();
        }
        let (buffer, body, since_mail) = (Vec::new(), Vec::new(), Vec::new());
        let mut dialogue = Self { session, buffer, body, since_mail, outcome: Outcome::default() };
        dialogue.hear();
        dialogue
    }

    /// The client sends one piece; returns what the server says to it.
    pub fn feed(&mut self, piece: &[u8]) -> String {
        let heard = self.outcome.output.len();
        self.buffer.extend_from_slice(piece);
        while !self.outcome.is_closed {
            let (consumed, step) = self.session.receive(&self.buffer);
            self.since_mail.extend(self.buffer.drain(..consumed));
            if !self.session.is_receiving() {
                self.body.clear();
            }
            match step {
                Step::Input => break,
                Step::Answer => self.answer(),
                Step::Body => {
                    let taken = self.take_body();
                    assert!(taken > 0, "there is nothing to take");
                }
                Step::StartTls | Step::Reverse | Step::Close => self.outcome.is_closed = true,
            }
            self.hear();
        }
        self.hear();
        let held = self.buffer.len();
        assert!(self.outcome.is_closed || held <= self.session.line_bytes_max(), "{held} octets wait unread");
        String::from_utf8(self.outcome.output[heard..].to_vec()).expect("replies are text")
    }

    fn answer(&mut self) {
        let reply = match self.session.question().expect("it has a question") {
            Question::Verify(_) | Question::Expand(_) => ReplyKind::CannotVerify.reply(),
            Question::Sender(mail) => {
                self.since_mail.clear();
                let needs_auth = self.session.config().auth.need == AuthNeed::Required;
                assert!(!needs_auth || self.session.is_authenticated(), "mail from nobody");
                decide(&mail.reverse_path.to_string(), "refused@", ReplyKind::SenderOk)
            }
            Question::Recipient(transaction, rcpt) => {
                assert!(transaction.recipients.len() < self.session.config().recipients_max);
                let reply = decide(&rcpt.forward_path.to_string(), "nobody@", ReplyKind::RecipientOk);
                if reply.is_positive() {
                    return self.session.accept_recipient(&reply, ());
                }
                reply
            }
            Question::Message(_) => return self.message(),
            Question::StartTls => ReplyKind::ReadyForTls.reply(),
            Question::Authenticate { initial_response: None, .. } => return self.session.challenge(b"Who?"),
            Question::Authenticate { initial_response: Some(response), .. }
            | Question::AuthenticationResponse(response) => {
                assert_eq!(self.session.config().role, Role::Submission, "nobody offered it");
                assert!(!self.session.is_authenticated(), "twice");
                if response == SECRET {
                    return self.session.authenticated(&ReplyKind::Authenticated.reply());
                }
                ReplyKind::AuthCredentials.reply()
            }
            Question::Xclient(_) => panic!("nobody may say XCLIENT"),
            Question::Etrn(node) => ReplyKind::QueueEmpty.with(node),
            Question::Reverse { verb, domains } => {
                assert!(self.session.is_authenticated(), "{} before AUTH", verb.name());
                let is_ours = domains.iter().all(|domain| domain.ascii() == "example.org");
                if is_ours {
                    ReplyKind::Reversing.reply()
                } else {
                    ReplyKind::ReversalRefused.with("not yours")
                }
            }
            Question::Hello(hello) if hello.host.domain().is_some() => return self.session.greeted(),
            Question::Hello(_) => ReplyKind::HelloRefused.with("A domain, please"),
        };
        self.session.answer(&reply);
    }

    fn message(&mut self) {
        self.take_body();
        let message = self.session.message().expect("it asks about one");
        assert_eq!(self.body.len() as u64, message.size_bytes);
        assert!(message.size_bytes <= self.session.config().message.message_bytes_max);
        let envelope = message.transaction.envelope();
        assert!(!envelope.recipients.is_empty(), "a message for nobody");
        let said = self.since_mail.to_ascii_uppercase();
        let is_said = |verb: &[u8]| said.windows(verb.len()).any(|window| window == verb);
        assert!(is_said(b"DATA") || is_said(b"BDAT"), "a message without DATA or BDAT");
        let recipients: Vec<String> = envelope.forward_paths().map(ToString::to_string).collect();
        let body = std::mem::take(&mut self.body);
        let (full, taken): (Vec<_>, Vec<_>) =
            recipients.iter().cloned().partition(|recipient| recipient.contains("full@"));
        let is_lmtp = self.session.config().role == Role::Lmtp;
        if full.is_empty() || is_lmtp && !taken.is_empty() {
            self.outcome.messages.push((envelope.reverse_path.to_string(), taken, body));
        }
        if !is_lmtp {
            let kind = if full.is_empty() { ReplyKind::MessageAccepted } else { ReplyKind::StorageFull };
            return self.session.answer(&kind.with("ID"));
        }
        self.session.answer_each(recipients.iter().map(|recipient| {
            let is_full = recipient.contains("full@");
            if is_full { ReplyKind::StorageFull.reply() } else { ReplyKind::MessageAccepted.with("ID") }
        }));
    }

    fn take_body(&mut self) -> usize {
        let taken = self.session.take_body();
        let chunk_bytes = self.session.config().body_chunk_bytes;
        assert!(taken.len() <= 2 * chunk_bytes, "{} octets of the message gathered", taken.len());
        self.body.extend_from_slice(&taken);
        let length = taken.len();
        // With its octets in it: none may turn up again.
        self.session.give_back(taken);
        length
    }

    fn hear(&mut self) {
        let output = self.session.output();
        for line in output.split_inclusive(|b| *b == b'\n') {
            let text = line.strip_suffix(b"\r\n").expect("a reply line ends in CRLF");
            assert!(line.len() <= 512 && text.iter().all(|b| matches!(b, b'\t' | b' '..=b'~')), "{line:?}");
            assert!(matches!(text, [b'2'..=b'5', b'0'..=b'5', b'0'..=b'9', b' ' | b'-', ..]), "{line:?}");
        }
        self.outcome.output.append(output);
    }
}

/// The refusal names the path, as those of a server do.
fn decide(path: &str, refused: &str, positive: ReplyKind) -> Reply {
    if path.contains(refused) { ReplyKind::NoSuchMailbox.with(path) } else { positive.reply() }
}
