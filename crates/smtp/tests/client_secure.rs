//! TLS and logins of the client: with the server machine of this crate, and with servers that do what they like
//! (attacks.md 3, 6 and 20).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use std::sync::Arc;

use proptest::prelude::*;
use smtp::client::{
    CHALLENGES_MAX, Certificate, Client, Config, Event, LoginError, LoginPolicy, Message, Outcome, Passwords,
    Security, TlsPolicy, Transcript,
};
use smtp::server::{AuthNeed, Question, Role, Session, Step, TlsOffer, TlsPolicy as ServerPolicy};
use types::{Envelope, ReplyKind, Timestamp};

const PASSWORD: &[u8] = b"\0ada\0open sesame";

fn client(tls: TlsPolicy, login: LoginPolicy) -> Client {
    let hello_name = "client.example".parse().unwrap();
    Client::new(Config { tls, login, transcript: Transcript::On, ..Config::new(hello_name) })
}

fn message() -> Message {
    let envelope = Envelope::new("<a@example.org>".parse().unwrap(), ["<b@example.net>".parse().unwrap()]);
    Message { envelope, size_bytes: Some(3) }
}

fn flush(client: &mut Client) -> Vec<u8> {
    let said = client.transmit().to_vec();
    client.transmitted(said.len());
    said
}

fn say(client: &mut Client, octets: &str) -> Vec<Event> {
    flush(client);
    client.receive(octets.as_bytes());
    std::iter::from_fn(|| client.poll_event()).collect()
}

/// A server that wants TLS and a login, driven as its driver does.
struct Server {
    session: Session<()>,
    buffer: Vec<u8>,
    messages: usize,
    /// TLS is to begin.
    begins_tls: bool,
}

impl Server {
    fn new() -> Self {
        let mut config = support::dialogue::config_of(Role::Submission);
        config.tls = TlsOffer::StartTls;
        config.tls_policy = ServerPolicy::Required;
        config.auth.need = AuthNeed::Required;
        config.auth.mechanisms_clear = Vec::new();
        let mut session = Session::new(Arc::new(config), smtp::server::Security::Clear);
        session.set_now(Timestamp::from_millis(1_798_761_600_000));
        Self { session, buffer: Vec::new(), messages: 0, begins_tls: false }
    }

    fn feed(&mut self, octets: &[u8]) -> Vec<u8> {
        self.buffer.extend_from_slice(octets);
        loop {
            let (consumed, step) = self.session.receive(&self.buffer);
            self.buffer.drain(..consumed);
            match step {
                Step::Input | Step::Reverse | Step::Close => break,
                Step::Answer => self.answer(),
                Step::Body => drop(self.session.take_body()),
                Step::StartTls => {
                    self.begins_tls = true;
                    break;
                }
            }
        }
        std::mem::take(self.session.output())
    }

    fn answer(&mut self) {
        let reply = match self.session.question().unwrap() {
            Question::StartTls => ReplyKind::ReadyForTls.reply(),
            Question::Authenticate { initial_response: None, .. } => return self.session.challenge(b""),
            Question::Authenticate { initial_response: Some(response), .. }
            | Question::AuthenticationResponse(response) => {
                if response == PASSWORD {
                    return self.session.authenticated(&ReplyKind::Authenticated.reply());
                }
                ReplyKind::AuthCredentials.reply()
            }
            Question::Sender(_) => ReplyKind::SenderOk.reply(),
            Question::Recipient(..) => {
                return self.session.accept_recipient(&ReplyKind::RecipientOk.reply(), ());
            }
            Question::Message(_) => {
                drop(self.session.take_body());
                self.messages += 1;
                ReplyKind::MessageAccepted.with("ID")
            }
            _ => ReplyKind::CannotVerify.reply(),
        };
        self.session.answer(&reply);
    }
}

/// Logs in at [`Server`] with this response and sends a message; returns whether it was accepted, and all that the
/// client told.
fn submit(initial: Option<&[u8]>, response: &[u8], cut: usize) -> (bool, String, Server) {
    let mut server = Server::new();
    let mut client = client(TlsPolicy::Required, LoginPolicy::Required(Passwords::Protected));
    let (mut waiting, mut is_accepted, mut told) = (server.feed(b""), false, String::new());
    for _ in 0..10_000 {
        while let Some(event) = client.poll_event() {
            told.push_str(&format!("{event:?}\n"));
            match event {
                Event::StartTls => {
                    assert!(server.begins_tls && waiting.is_empty());
                    server.session.secured();
                    client.secured(Certificate::Verified);
                }
                Event::Authenticate { .. } => client.authenticate("PLAIN", initial).unwrap(),
                Event::Challenge(_) => client.respond(response),
                Event::Ready if is_accepted => client.quit(),
                Event::Ready => client.send(message()).unwrap(),
                Event::Finished(report) => is_accepted = matches!(report.outcomes[0], Outcome::Accepted(_)),
                _ => {}
            }
        }
        if client.is_closed() {
            break;
        }
        if client.body_room() > 0 {
            client.write_body(b"x\r\n").unwrap();
            client.finish_body().unwrap();
        }
        let said = client.transmit()[..client.transmit().len().min(cut)].to_vec();
        client.transmitted(said.len());
        waiting.extend(server.feed(&said));
        let piece: Vec<u8> = waiting.drain(..waiting.len().min(cut)).collect();
        client.receive(&piece);
    }
    assert!(client.is_closed(), "the conversation does not end");
    (is_accepted, format!("{told}{client:?}"), server)
}

#[test]
fn client_and_server_agree_on_starttls_and_a_login_however_the_octets_are_cut() {
    for cut in [1, 7, 10_000] {
        for (initial, response) in [(Some(PASSWORD), &b""[..]), (None, PASSWORD)] {
            let (is_accepted, told, server) = submit(initial, response, cut);
            assert!(is_accepted && server.messages == 1, "{told}");
            assert_eq!(server.session.security(), smtp::server::Security::Tls);
        }
        let (is_accepted, told, server) = submit(Some(b"\0ada\0wrong"), b"", cut);
        assert!(!is_accepted && server.messages == 0 && told.contains("535"), "{told}");
    }
}

#[test]
fn neither_an_event_nor_debug_shows_a_password() {
    let (_, told, _) = submit(Some(PASSWORD), b"", 10_000);
    // As it is, in base64, and as numbers.
    assert!(told.contains("AUTH PLAIN ****"), "{told}");
    for secret in ["sesame", "AGFkYQBvcGVu", "111, 112, 101, 110"] {
        assert!(!told.contains(secret), "{told}");
    }
    let mut client = client(TlsPolicy::None, LoginPolicy::Required(Passwords::InClear));
    client.receive(b"220 x\r\n");
    say(&mut client, "250-x\r\n250 AUTH PLAIN\r\n");
    client.authenticate("PLAIN", Some(PASSWORD)).unwrap();
    let shown = format!("{client:?}");
    assert!(!shown.contains("65, 71, 70") && !shown.contains("AGFk"), "while it waits to go: {shown}");
}

#[test]
fn a_server_that_never_stops_to_challenge_is_left() {
    let mut client = client(TlsPolicy::None, LoginPolicy::Required(Passwords::InClear));
    client.receive(b"220 x\r\n");
    say(&mut client, "250-x\r\n250 AUTH LOGIN\r\n");
    client.authenticate("LOGIN", None).unwrap();
    for _ in 0..CHALLENGES_MAX {
        assert!(say(&mut client, "334 QQ==\r\n").iter().any(|event| matches!(event, Event::Challenge(_))));
        client.respond(b"x");
    }
    say(&mut client, "334 QQ==\r\n");
    assert_eq!(flush(&mut client), b"*\r\n");
}

#[test]
fn a_login_is_begun_only_when_it_is_wanted_and_by_what_is_offered() {
    let mut client = client(TlsPolicy::None, LoginPolicy::Required(Passwords::Protected));
    assert_eq!(client.authenticate("PLAIN", None), Err(LoginError::NotWanted));
    client.receive(b"220 x\r\n");
    say(&mut client, "250-x\r\n250 AUTH PLAIN CRAM-MD5\r\n");
    for name in ["PLAIN", "SCRAM-SHA-256", "", "CRAM-MD5\r\nMAIL"] {
        assert_eq!(client.authenticate(name, None), Err(LoginError::NotOffered), "{name}");
    }
    client.respond(b"x");
    assert!(client.transmit().is_empty() && client.send(message()).is_err());
    client.authenticate("cram-md5", None).unwrap();
    assert_eq!(client.authenticate("CRAM-MD5", None), Err(LoginError::NotWanted));
    client.respond(b"x");
    client.cancel_login();
    client.secured(Certificate::Verified);
    client.tls_failed("not begun");
    assert_eq!(flush(&mut client), b"AUTH CRAM-MD5\r\n");
    assert_eq!(client.security(), Security::Clear);
}

/// What a server may say, rightly or wrongly.
fn said() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just("250-x\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN SCRAM-SHA-256\r\n".to_owned()),
        2 => Just("250 OK\r\n".to_owned()),
        2 => Just("220 go\r\n".to_owned()),
        1 => Just("220 go\r\n250 injected\r\n".to_owned()),
        2 => Just("334 QUJD\r\n".to_owned()),
        1 => Just("334 \r\n".to_owned()),
        2 => Just("235 welcome\r\n".to_owned()),
        1 => Just("534 not so\r\n".to_owned()),
        1 => Just("354 go\r\n".to_owned()),
        1 => (200_u16..600).prop_map(|code| format!("{code:03} x\r\n")),
        1 => "[ -~\r\n\0]{0,12}",
    ]
}

#[test]
fn a_login_that_the_end_of_the_connection_overtakes_says_nothing() {
    let mut client = client(TlsPolicy::None, LoginPolicy::Required(Passwords::Protected));
    client.receive(b"220 x\r\n");
    flush(&mut client);
    // The reply to EHLO, and one that nobody asked for behind it.
    client.receive(b"250-x\r\n250 AUTH SCRAM-SHA-256\r\n221 bye\r\n");
    let asked =
        std::iter::from_fn(|| client.poll_event()).find(|event| matches!(event, Event::Authenticate { .. }));
    assert!(asked.is_some());
    client.authenticate("SCRAM-SHA-256", Some(b"n,,n=ada,r=abc")).unwrap();
    let rest: Vec<_> = std::iter::from_fn(|| client.poll_event()).collect();
    assert!(matches!(rest[..], [.., Event::Unusable(_), Event::Closed(_)]), "{rest:?}");
    assert_eq!(client.transmit(), b"");
}

#[test]
fn a_mechanism_that_is_offered_twice_and_turned_down_is_not_asked_for_again() {
    let mut client = client(TlsPolicy::None, LoginPolicy::Required(Passwords::Protected));
    client.receive(b"220 x\r\n");
    flush(&mut client);
    client.receive(b"250-x\r\n250 AUTH SCRAM-SHA-256 SCRAM-SHA-256\r\n");
    let asked = std::iter::from_fn(|| client.poll_event()).find_map(|event| match event {
        Event::Authenticate { mechanisms } => Some(mechanisms),
        _ => None,
    });
    assert_eq!(asked, Some(vec!["SCRAM-SHA-256".to_owned()]));
    client.authenticate("SCRAM-SHA-256", Some(b"n,,n=ada,r=abc")).unwrap();
    flush(&mut client);
    client.receive(b"504 5.5.4 not this one\r\n");
    let rest: Vec<_> = std::iter::from_fn(|| client.poll_event()).collect();
    let is_asked = rest.iter().any(|event| matches!(event, Event::Authenticate { .. }));
    assert!(!is_asked && rest.iter().any(|event| matches!(event, Event::Unusable(_))), "{rest:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    /// Whatever the server says: where TLS is required, no address goes in clear text, and no password goes but to a
    /// verified server; each message has its outcome, and there is an end.
    #[test]
    fn nothing_goes_where_it_must_not(
        said in prop::collection::vec(said(), 0..20),
        certificate in prop_oneof![Just(Certificate::Verified), Just(Certificate::Unverified)],
        required in any::<bool>(),
    ) {
        let tls = if required { TlsPolicy::Required } else { TlsPolicy::Opportunistic };
        let mut client = client(tls, LoginPolicy::Required(Passwords::Protected));
        client.receive(b"220 x\r\n");
        let (mut taken, mut finished, mut closed) = (0, 0, 0);
        let mut said = said.into_iter();
        loop {
            while let Some(event) = client.poll_event() {
                match event {
                    Event::StartTls => client.secured(certificate),
                    Event::Authenticate { mechanisms } => {
                        client.authenticate(&mechanisms[0], Some(b"OPEN SESAME")).unwrap();
                    }
                    Event::Challenge(_) => client.respond(b"OPEN SESAME"),
                    Event::Ready if taken < 2 => taken += usize::from(client.send(message()).is_ok()),
                    Event::Ready => client.quit(),
                    Event::Finished(_) => finished += 1,
                    Event::Closed(_) => closed += 1,
                    _ => {}
                }
            }
            let octets = String::from_utf8(flush(&mut client)).unwrap();
            let is_safe = client.security() == Security::Tls(Certificate::Verified);
            prop_assert!(is_safe || !octets.contains("AUTH PLAIN") && !octets.contains("AUTH LOGIN"), "{octets}");
            let is_clear = client.security() == Security::Clear;
            prop_assert!(!(required && is_clear) || !octets.contains("MAIL") && !octets.contains("AUTH"), "{octets}");
            match said.next() {
                Some(octets) => client.receive(octets.as_bytes()),
                None if client.is_closed() => break,
                None => client.lost(),
            }
        }
        prop_assert_eq!((finished, closed), (taken, 1));
    }
}
