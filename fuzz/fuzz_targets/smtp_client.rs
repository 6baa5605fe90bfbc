//! Whatever a server says: the client gives each recipient of each message exactly one outcome, says a message is
//! accepted only when all of it had gone out, and never sends what could be read in two ways.
#![no_main]

#[path = "../../crates/smtp/tests/support/mod.rs"]
mod support;

use libfuzzer_sys::fuzz_target;
use smtp::client::{
    Certificate, Client, Config, Event, LoginPolicy, Message, Mode, Outcome, Passwords, Pipelining, Security,
    TlsPolicy, Transfer,
};
use smtp::codec::stuff::Stuffer;
use support::pieces;
use types::{BodyType, Envelope};

/// Messages on one connection.
const MESSAGES_MAX: usize = 3;

fuzz_target!(|input: &[u8]| {
    let [choice, first, second, length, input @ ..] = input else { return };
    let (body, said_by_server) = input.split_at(usize::from(*length).min(input.len()));
    let mut config = Config::new("client.example".parse().expect("it is a domain"));
    if choice & 1 != 0 {
        config.mode = Mode::Lmtp;
    }
    if choice & 2 != 0 {
        config.transfer = match second & 1 {
            0 => Transfer::ChunksWhereOffered,
            _ => Transfer::OneFlightWhereOffered,
        };
    }
    if choice & 4 != 0 {
        config.pipelining = Pipelining::Never;
    }
    config.tls = match choice >> 4 & 3 {
        0 | 1 => TlsPolicy::None,
        2 => TlsPolicy::Opportunistic,
        _ => TlsPolicy::Required,
    };
    if choice & 64 != 0 {
        config.login = LoginPolicy::Required(Passwords::Protected);
    }
    let needs_tls = config.tls == TlsPolicy::Required;
    let mut driver = Driver {
        needs_tls,
        certificate: if choice & 128 != 0 { Certificate::Verified } else { Certificate::Unverified },
        client: Client::new(config),
        message: Message {
            // What is known to be short may go in one flight.
            size_bytes: (length & 1 != 0).then_some(body.len() as u64),
            ..message(if choice & 8 != 0 { BodyType::EightBitMime } else { BodyType::SevenBit })
        },
        body: body.to_vec(),
        unsent: None,
        said: Vec::new(),
        sent: 0,
        finished: 0,
        is_over: false,
    };
    driver.turn();
    for piece in pieces(said_by_server, &[*first, *second]) {
        driver.client.receive(piece);
        driver.turn();
    }
    driver.client.lost();
    driver.turn();
    driver.check();
});

struct Driver {
    client: Client,
    needs_tls: bool,
    /// What comes out of a handshake.
    certificate: Certificate,
    message: Message,
    body: Vec<u8>,
    /// What of the body is still to be handed over.
    unsent: Option<Vec<u8>>,
    /// All that went to the server.
    said: Vec<u8>,
    sent: usize,
    finished: usize,
    is_over: bool,
}

impl Driver {
    fn turn(&mut self) {
        loop {
            while let Some(event) = self.client.poll_event() {
                self.on_event(event);
            }
            if self.write_body() {
                continue;
            }
            let count = self.client.transmit().len().min(64);
            if count == 0 {
                return;
            }
            self.said.extend_from_slice(&self.client.transmit()[..count]);
            self.client.transmitted(count);
        }
    }

    fn write_body(&mut self) -> bool {
        let room = self.client.body_room();
        let Some(body) = self.unsent.as_mut().filter(|_| room > 0) else { return false };
        if body.is_empty() {
            self.unsent = None;
            let _the_events_tell = self.client.finish_body();
            return true;
        }
        match self.client.write_body(&body[..room.min(body.len())]) {
            Ok(taken) => drop(body.drain(..taken)),
            Err(_) => self.unsent = None,
        }
        true
    }

    fn on_event(&mut self, event: Event) {
        assert!(!self.is_over, "{event:?} after the end");
        match event {
            Event::Ready if self.sent == MESSAGES_MAX => self.client.quit(),
            Event::Ready if self.needs_tls && self.client.security() == Security::Clear => panic!("in clear"),
            Event::Ready => match self.client.send(self.message.clone()) {
                Ok(()) => {
                    self.sent += 1;
                    self.unsent = Some(self.body.clone());
                }
                Err(_) => self.client.quit(),
            },
            Event::Finished(report) => {
                self.finished += 1;
                assert_eq!(report.outcomes.len(), self.message.envelope.recipients.len());
                if report.outcomes.iter().any(|outcome| matches!(outcome, Outcome::Accepted(_))) {
                    assert_eq!(self.unsent, None, "accepted before it was handed over");
                    assert!(self.went_out(), "accepted before it had gone out");
                }
                self.unsent = None;
            }
            Event::Closed(_) => self.is_over = true,
            Event::StartTls => self.client.secured(self.certificate),
            Event::Authenticate { mechanisms } => {
                let chosen = &mechanisms[0];
                let is_safe = self.client.security() == Security::Tls(Certificate::Verified);
                assert!(is_safe || chosen.starts_with("SCRAM-") || chosen == "CRAM-MD5", "{chosen} in clear");
                self.client.authenticate(chosen, Some(b"\0ada\0secret")).expect("it was offered");
            }
            Event::Challenge(challenge) => self.client.respond(challenge.octets()),
            Event::Unusable(_) | Event::Said { .. } | Event::Heard { .. } => {}
        }
    }

    /// Whether the body went out at least once, by DATA or by BDAT.
    fn went_out(&self) -> bool {
        let mut stuffed = Vec::new();
        let mut stuffer = Stuffer::default();
        let is_text =
            stuffer.encode(&self.body, &mut stuffed).is_ok() && stuffer.finish(&mut stuffed).is_ok();
        let contains = |octets: &[u8]| self.said.windows(octets.len()).any(|window| window == octets);
        is_text && (contains(&stuffed) || contains(b" LAST\r\n"))
    }

    fn check(&self) {
        assert!(self.is_over && self.client.is_closed());
        assert_eq!(self.finished, self.sent, "messages without an outcome");
        for (at, octet) in self.said.iter().enumerate() {
            let is_whole = match octet {
                b'\r' => self.said.get(at + 1).is_none_or(|next| *next == b'\n'),
                b'\n' => at > 0 && self.said[at - 1] == b'\r',
                0 => false,
                _ => true,
            };
            assert!(is_whole, "octet {at} of what was sent can be read in two ways");
        }
    }
}

fn message(body_type: BodyType) -> Message {
    let mut envelope = Envelope::new(
        "<a@example.com>".parse().expect("it is a path"),
        ["<b@example.org>", "<c@example.net>"].map(|path| path.parse().expect("it is a path")),
    );
    envelope.parameters.body_type = body_type;
    Message { envelope, size_bytes: None }
}
