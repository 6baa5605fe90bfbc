//! A driver without sockets, for tests of the session.

#![allow(dead_code, reason = "each test uses some of it")]

pub(crate) mod world;

use std::sync::Arc;

use imap::mime::{Described, Detail, ListText, Structure, Summary};
use imap::session::{
    Compression, Config, Event, Login, Outcome, Plaintext, Refusal, Security, Session, Step, TlsOffer,
};
use world::{Checked, World};

/// Feeds a session and does what it asks.
pub(crate) struct Driver {
    pub(crate) session: Session,
    pub(crate) world: World,
    pub(crate) end: End,
    /// Octets that were not consumed.
    rest: Vec<u8>,
    /// Octets of a message that are given at a time.
    pub(crate) chunk_bytes: usize,
}

/// What became of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct End {
    pub(crate) is_closed: bool,
    /// Octets that came in clear behind STARTTLS.
    pub(crate) dropped: usize,
    pub(crate) is_compressed: bool,
}

pub(crate) fn config() -> Config {
    Config {
        host_name: "mail.example".into(),
        tls: TlsOffer::None,
        plaintext: Plaintext::Allowed,
        mechanisms_clear: vec!["PLAIN".into()],
        mechanisms_tls: vec!["PLAIN".into()],
        compression: Compression::Deflate,
        append_bytes_max: 10_000,
        errors_max: 10,
        server_id: vec![("name".into(), "Posta".into())],
    }
}

impl Driver {
    pub(crate) fn new(config: Config, security: Security, world: World) -> Self {
        Self {
            session: Session::new(Arc::new(config), security),
            world,
            end: End::default(),
            rest: Vec::new(),
            chunk_bytes: usize::MAX,
        }
    }

    /// Gives octets, does what is asked, and returns what the client reads.
    pub(crate) fn feed(&mut self, octets: &[u8]) -> Vec<u8> {
        self.rest.extend_from_slice(octets);
        let mut read = Vec::new();
        loop {
            if self.end.is_closed {
                self.rest.clear();
                return read;
            }
            let (consumed, step) = self.session.receive(&self.rest);
            self.rest.drain(..consumed);
            let is_waiting = matches!(step, Step::NeedInput);
            read.append(self.session.output());
            self.step(step, &mut read);
            if is_waiting {
                assert!(self.rest.is_empty(), "all of the input was consumed");
                return read;
            }
        }
    }

    /// The newest state of the selected mailbox is told, as another session left it.
    pub(crate) fn changed(&mut self) -> Vec<u8> {
        if let Some(folder) = self.world.open() {
            let snapshot = folder.snapshot();
            self.session.mailbox_changed(snapshot);
        }
        self.feed(b"")
    }

    pub(crate) fn event(&mut self, event: Event) -> Vec<u8> {
        self.session.event(event);
        self.feed(b"")
    }

    fn step(&mut self, step: Step, read: &mut Vec<u8>) {
        match step {
            Step::NeedInput | Step::Flush | Step::LogOut => {}
            Step::StartTls => {
                self.end.dropped += self.rest.len();
                self.rest.clear();
                self.session.secured();
            }
            Step::StartCompression => {
                self.end.is_compressed = true;
                self.session.compressed();
            }
            Step::LogIn { password, .. } => self.session.authenticated(self.login(&password.0)),
            Step::SaslBegin { initial_response: None, .. } => self.session.challenge(b""),
            Step::SaslBegin { initial_response: Some(secret), .. } | Step::SaslRespond(secret) => {
                let password = secret.0.rsplit(|octet| *octet == 0).next().unwrap_or_default().to_vec();
                self.session.authenticated(self.login(&password));
            }
            Step::Task(task) => {
                let outcome = self.world.task(task);
                self.answer(outcome);
            }
            Step::Structures(uids, detail) => self.describe(uids, detail),
            Step::Content { uid, from, len } => self.content(uid, from, len, read),
            Step::Append(task) => match self.world.append(task) {
                Some(Ok(outcome)) => self.answer(outcome),
                Some(Err(Checked::Literal(checked))) => self.session.append_checked(checked),
                Some(Err(Checked::Url(taken))) => self.session.url_taken(taken),
                None => {}
            },
            Step::Close => self.end.is_closed = true,
        }
    }

    /// Answers [`Step::Structures`].
    pub(crate) fn describe(&mut self, uids: Vec<types::mailstore::Uid>, detail: Detail) {
        if detail == Detail::AtHand && self.world.keeps_nothing {
            return self.session.structures(vec![None; uids.len()]);
        }
        self.world.keeps_nothing = false;
        let folder = self.world.open().expect("a mailbox is selected");
        let of = |uid| folder.messages.iter().find(|(message, _)| message.uid == uid);
        let described = |structure: Structure| match detail {
            Detail::Whole => Described::Whole(Arc::new(structure)),
            // As the store keeps it.
            Detail::Lists(_) | Detail::AtHand => {
                let texts = if let Detail::Lists(texts) = detail { texts } else { ListText::Envelope.into() };
                let with = |summary: Summary, text| summary.with(text, &structure.list_row(text).into());
                let summary = texts.iter().try_fold(Summary::default(), with);
                summary.map_or_else(|| Described::Whole(Arc::new(structure)), Described::Summary)
            }
        };
        let structures = uids.into_iter();
        let structures = structures.map(|uid| of(uid).map(|(_, octets)| described(Structure::of(octets))));
        let structures = structures.collect();
        self.session.structures(structures);
    }

    fn content(&mut self, uid: types::mailstore::Uid, from: u64, len: u64, read: &mut Vec<u8>) {
        let folder = self.world.open().expect("a mailbox is selected");
        let found = folder.messages.iter().find(|(message, _)| message.uid == uid);
        let Some((_, octets)) = found else {
            return self.session.content_end(Err(Refusal::MessageGone));
        };
        let from = usize::try_from(from).unwrap();
        let part = octets[from..from + usize::try_from(len).unwrap()].to_vec();
        for chunk in part.chunks(self.chunk_bytes.min(part.len().max(1))) {
            self.session.content(chunk);
            read.append(self.session.output());
        }
        self.session.content_end(Ok(()));
    }

    pub(crate) fn answer(&mut self, outcome: Outcome) {
        if let Some(folder) = self.world.open() {
            let snapshot = folder.snapshot();
            self.session.mailbox_changed(snapshot);
        }
        self.session.done(outcome);
    }

    fn login(&self, password: &[u8]) -> Login {
        if password == self.world.password.as_bytes() { Login::Ok } else { Login::Refused }
    }
}
