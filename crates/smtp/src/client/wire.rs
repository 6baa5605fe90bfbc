//! What goes out, what it waits for, and what is told about it.

use std::collections::VecDeque;

use types::Reply;

use super::config::Transcript;
use super::event::{Event, Stage};
use super::wait::{Wait, WaitFor};

/// Something that a reply answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    Greeting,
    Hello,
    StartTls,
    /// AUTH, a response, or the `*` that cancels.
    Auth,
    Reset,
    Mail,
    /// The index of the recipient.
    Rcpt(usize),
    Data,
    /// The dot after a 354 that no recipient was accepted for (RFC 2920 §3.1).
    LoneDot,
    Chunk,
    /// The final dot or the last BDAT, in SMTP.
    EndOfData,
    /// The same in LMTP, one for each accepted recipient; the index of the recipient.
    EndOfDataFor(usize),
    Quit,
}

pub(super) struct Wire {
    out: Vec<u8>,
    /// Octets at the front of `out` that have gone.
    out_start: usize,
    /// Octets that have gone since the connection began.
    gone: u64,
    awaited: VecDeque<Awaited>,
    events: VecDeque<Event>,
    transcript: Transcript,
    progress: u64,
}

/// A command that waits for its reply.
#[derive(Debug)]
struct Awaited {
    command: Command,
    /// How many octets must have gone before a reply can be its reply.
    ends_at: u64,
}

/// Room that a connection keeps from one message to the next.
const BUFFER_BYTES_KEPT: usize = 16 * 1024;

impl Command {
    pub(super) const fn stage(self) -> Stage {
        match self {
            Self::Greeting => Stage::Greeting,
            Self::Hello => Stage::Hello,
            Self::StartTls => Stage::StartTls,
            Self::Auth => Stage::Login,
            Self::Reset => Stage::Reset,
            Self::Mail => Stage::Mail,
            Self::Rcpt(_) => Stage::Rcpt,
            Self::Data => Stage::Data,
            Self::Chunk => Stage::Body,
            Self::LoneDot | Self::EndOfData | Self::EndOfDataFor(_) => Stage::EndOfData,
            Self::Quit => Stage::Quit,
        }
    }

    const fn wait_for(self) -> WaitFor {
        match self {
            Self::Greeting => WaitFor::Greeting,
            Self::Hello => WaitFor::Hello,
            Self::StartTls => WaitFor::StartTls,
            Self::Auth => WaitFor::Login,
            Self::Reset | Self::Mail => WaitFor::Mail,
            Self::Rcpt(_) => WaitFor::Rcpt,
            Self::Data => WaitFor::Data,
            Self::Chunk => WaitFor::DataBlock,
            Self::LoneDot | Self::EndOfData | Self::EndOfDataFor(_) => WaitFor::DataDone,
            Self::Quit => WaitFor::Quit,
        }
    }
}

/// Without the octets: they may be a password.
impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = f.debug_struct("Wire");
        out.field("unsent", &self.unsent()).field("awaited", &self.awaited).finish_non_exhaustive()
    }
}

impl Wire {
    pub(super) fn new(transcript: Transcript) -> Self {
        Self {
            out: Vec::new(),
            out_start: 0,
            gone: 0,
            awaited: VecDeque::from([Awaited { command: Command::Greeting, ends_at: 0 }]),
            events: VecDeque::new(),
            transcript,
            progress: 0,
        }
    }

    pub(super) fn transmit(&self) -> &[u8] {
        &self.out[self.out_start..]
    }

    pub(super) fn transmitted(&mut self, count: usize) {
        let count = count.min(self.transmit().len());
        if count == 0 {
            return;
        }
        self.out_start += count;
        self.gone += count as u64;
        self.progress += 1;
        if self.out_start == self.out.len() {
            self.out.clear();
            self.out_start = 0;
        }
    }

    /// Octets that have not gone yet.
    pub(super) fn unsent(&self) -> usize {
        self.out.len() - self.out_start
    }

    pub(super) fn is_sending(&self) -> bool {
        self.unsent() > 0
    }

    /// Appends a command line and waits for its reply. `line` has no line end in it: all of its parts are typed
    /// values.
    pub(super) fn command(&mut self, command: Command, line: &str) {
        self.secret_command(command, line, line);
    }

    /// The same for a line with a secret in it; `shown` is what is told of it.
    pub(super) fn secret_command(&mut self, command: Command, line: &str, shown: &str) {
        self.out.extend_from_slice(line.as_bytes());
        self.out.extend_from_slice(b"\r\n");
        self.note_said(command.stage(), shown);
        self.await_reply(command);
    }

    /// The buffer for body octets. They are not noted as said.
    pub(super) const fn body(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// From here on `command` waits for its reply.
    pub(super) fn await_reply(&mut self, command: Command) {
        let ends_at = self.gone + self.unsent() as u64;
        self.awaited.push_back(Awaited { command, ends_at });
    }

    /// How many commands wait for a reply.
    pub(super) fn outstanding(&self) -> usize {
        self.awaited.len()
    }

    /// Whether the end of data has gone and not been answered. What was said before it may be unanswered too.
    pub(super) fn has_said_end(&self) -> bool {
        let is_end = |awaited: &Awaited| awaited.command.stage() == Stage::EndOfData;
        self.awaited.iter().any(|awaited| is_end(awaited) && awaited.ends_at <= self.gone)
    }

    /// What is under way: what the next reply belongs to, if its octets have all gone. An end of data that has
    /// not gone is none, and the server cannot have taken the message; one that has gone may have been taken, whichever
    /// reply comes next.
    pub(super) fn stage(&self) -> Stage {
        if self.has_said_end() {
            return Stage::EndOfData;
        }
        match self.awaited.front() {
            Some(awaited) if awaited.ends_at <= self.gone => awaited.command.stage(),
            Some(awaited) if awaited.command.stage() != Stage::EndOfData => awaited.command.stage(),
            _ => Stage::Body,
        }
    }

    /// A reply came: the command that it answers, unless there is none whose octets have all gone.
    pub(super) fn answered(&mut self) -> Option<Command> {
        self.awaited.pop_front_if(|awaited| awaited.ends_at <= self.gone).map(|awaited| awaited.command)
    }

    pub(super) fn event(&mut self, event: Event) {
        self.events.push_back(event);
    }

    pub(super) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub(super) fn note_said(&mut self, stage: Stage, line: &str) {
        if self.transcript == Transcript::On {
            self.event(Event::Said { stage, line: line.to_owned() });
        }
    }

    pub(super) fn note_reply(&mut self, stage: Stage, reply: &Reply) {
        self.progress += 1;
        if self.transcript != Transcript::Off {
            self.event(Event::Heard { stage, reply: reply.clone() });
        }
    }

    pub(super) fn wait(&self) -> Option<Wait> {
        let wait_for =
            if self.is_sending() { WaitFor::DataBlock } else { self.awaited.front()?.command.wait_for() };
        Some(Wait { wait_for, number: self.progress })
    }

    /// Gives the memory of a large message back: a connection that waits for its next one holds little.
    pub(super) fn release_buffer(&mut self) {
        if self.out.is_empty() && self.out.capacity() > BUFFER_BYTES_KEPT {
            self.out = Vec::new();
        }
    }

    /// Nothing more goes out or is waited for.
    pub(super) fn clear(&mut self) {
        self.out.clear();
        self.out_start = 0;
        self.awaited.clear();
    }
}
