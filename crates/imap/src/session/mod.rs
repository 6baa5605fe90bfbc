//! The session machine (RFC 9051 §3): what may be said when, and what is answered.
//!
//! [`Session::receive`] reads commands and has each done by the file that is named as it (`select`, `list`, `store`, …).
//! A handler writes its untagged data and says what is next: end the command, ask the driver, write FETCH responses. What
//! the client is told of others' changes is written in one place (`tell`), at the end of commands, in IDLE, and where NOTIFY
//! asks for it.

mod account;
mod acl;
mod append;
mod capability;
mod config;
mod copy;
mod dispatch;
mod event;
mod expunge;
mod fetch;
mod folders;
mod list;
mod login;
mod metadata;
mod modseq;
mod notify;
mod pattern;
mod quota;
mod reply;
mod search;
mod search_result;
mod select;
mod status;
mod store;
mod task;
mod tell;
mod work;

use std::collections::VecDeque;
use std::sync::Arc;

pub use config::{Compression, Config, Plaintext, Security, TlsOffer};
pub use event::{Event, ShutDown};
pub use metadata::METADATA_VALUE_BYTES_MAX;
pub use task::{
    AppendOutcome, AppendTask, CatenateUrl, FolderFacts, Login, Outcome, QuotaFacts, Refusal, SearchKind,
    Selected, Step, Structures, Task,
};

use self::account::{Account, Context};
use self::reply::Reply;
use self::work::{Next, Then, Work, Writing};
use crate::command::Tag;
use crate::fetch::{FetchNext, FetchRequest, Fetching};
use crate::grammar::{CommandReader, GrammarError, ReaderLimits, Reading};
use crate::response::{Response, ResponseCode, Status, continuation};
use crate::view::{Allowed, Snapshot};

/// From so many octets of output on, the machine reads and writes no more until they are written. It passes this by one
/// response, or by what one call of [`Session::content`] brings.
pub const OUTPUT_BYTES_SOFT_MAX: usize = 32 * 1024;

/// Octets of a command without its literals: sets of many messages are long (RFC 7162 §4 asks for 8,192).
const LINE_BYTES_MAX: usize = 64 * 1024;
/// Octets of the literals of a command.
const LITERALS_BYTES_MAX: usize = 64 * 1024;
/// The same of somebody who has not logged in.
const LITERALS_BYTES_MAX_BEFORE_LOGIN: usize = 8 * 1024;
/// Events that wait to be told; with more of them nothing is watched any more.
const EVENTS_MAX: usize = 1000;

/// One connection.
///
/// The driver writes out [`Self::output`], clears it, and gives [`Self::receive`] what it read; it does what the
/// returned [`Step`] asks, and again. Octets that were not consumed stay with the driver and come first next time. While
/// the driver owes an answer, nothing is consumed. Whatever the machine is told (an answer, [`Self::mailbox_changed`],
/// [`Self::event`], [`Self::shut_down`]), the driver calls [`Self::receive`] next, with nothing where nothing came: only
/// there does the machine go on, and write.
pub struct Session {
    config: Arc<Config>,
    security: Security,
    compression: Compression,
    reader: CommandReader,
    output: Vec<u8>,
    /// None in the not authenticated state.
    account: Option<Box<Account>>,
    work: Work,
    errors: u32,
    /// What an answer of the driver led to.
    owed: Option<Step>,
    /// What ends the session as soon as nothing stands half written.
    ending: Option<Response>,
}

/// What comes of going on with the work.
enum Progress {
    Step(Step),
    /// The driver owes something.
    Waits,
    Again,
    Reads,
}

impl Session {
    /// A session whose output holds the greeting. With [`Security::Tls`] the handshake is done already, as on port 993
    /// (RFC 8314 §3.2).
    #[must_use]
    pub fn new(config: Arc<Config>, security: Security) -> Self {
        let mut output = Vec::new();
        let code = ResponseCode::Capability(capability::before_login(&config, security));
        Response::Greeting.untagged_with(Some(&code), &config.host_name, &mut output);
        let reader = CommandReader::new(limits(&config, LITERALS_BYTES_MAX_BEFORE_LOGIN));
        Self {
            config,
            security,
            compression: Compression::None,
            reader,
            output,
            account: None,
            work: Work::Ready,
            errors: 0,
            owed: None,
            ending: None,
        }
    }

    /// Consumes octets until it needs the driver or more octets; returns how many it consumed, and what it wants.
    pub fn receive(&mut self, input: &[u8]) -> (usize, Step) {
        let mut consumed = 0;
        loop {
            if self.output.len() >= OUTPUT_BYTES_SOFT_MAX {
                return (consumed, Step::Flush);
            }
            match self.go_on() {
                Progress::Step(step) => return (consumed, step),
                Progress::Waits => return (consumed, Step::NeedInput),
                Progress::Again => continue,
                Progress::Reads => {}
            }
            let rest = &input[consumed..];
            let (octets, reading) = self.reader.receive(rest);
            consumed += octets;
            if reading == Reading::NeedInput {
                return (consumed, Step::NeedInput);
            }
            if let Some(step) = self.read(reading, &rest[..octets]) {
                return (consumed, step);
            }
        }
    }

    /// What is to be written to the client. The driver clears it when it has written it.
    pub const fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Answers [`Step::StartCompression`].
    pub fn compressed(&mut self) {
        if matches!(self.work, Work::StartingCompression) {
            self.compression = Compression::Deflate;
            self.work = Work::Ready;
        }
    }

    /// Answers [`Step::Task`] and [`AppendTask::Commit`].
    pub fn done(&mut self, outcome: Outcome) {
        match std::mem::replace(&mut self.work, Work::Ready) {
            Work::Asked(tag, pending) => {
                let next = self.context().map(|mut cx| pending.resume(&mut cx, outcome));
                self.owed = next.and_then(|next| self.apply(tag, next));
            }
            other => self.work = other,
        }
    }

    /// Answers [`Step::Structures`].
    pub fn structures(&mut self, structures: Structures) {
        if let Work::Fetching(writing) = &mut self.work {
            writing.fetching.structures(structures);
            writing.is_waiting = false;
        }
    }

    /// Takes octets that [`Step::Content`] asked for. The driver writes the output out where it has grown beyond
    /// [`OUTPUT_BYTES_SOFT_MAX`] before it gives more.
    pub fn content(&mut self, octets: &[u8]) {
        if let Work::Fetching(writing) = &mut self.work {
            writing.fetching.content(octets, &mut self.output);
        }
    }

    /// Says that all octets came, or that they cannot be read.
    pub fn content_end(&mut self, result: Result<(), Refusal>) {
        if let Work::Fetching(writing) = &mut self.work {
            writing.fetching.content_end(result);
            writing.is_waiting = false;
        }
    }

    /// The newest state of the selected mailbox; told to the client when that is allowed, at once in IDLE. Where the
    /// driver did a [`Task`] that changed the mailbox, it says this before [`Self::done`], so that the client does not
    /// hear twice of what it did.
    pub fn mailbox_changed(&mut self, snapshot: Arc<Snapshot>) {
        if let Some(account) = &mut self.account
            && !account.advance(snapshot)
        {
            self.ending = Some(Response::MailboxGone);
        }
    }

    /// Whether the client is in IDLE: whoever waits for it waits 30 minutes (RFC 9051 §5.4).
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        matches!(self.work, Work::Idle(_))
    }

    /// Whether somebody is logged in.
    #[must_use]
    pub const fn is_logged_in(&self) -> bool {
        self.account.is_some()
    }

    /// Ends the session with BYE as soon as nothing stands half written; the next step is then [`Step::Close`].
    pub fn shut_down(&mut self, why: ShutDown) {
        self.ending = Some(match why {
            ShutDown::Stopping => Response::Stopping,
            ShutDown::TimedOut => Response::TimedOut,
            ShutDown::TooManyErrors => Response::TooManyErrors,
            ShutDown::TooManySessions => Response::TooManyConnections,
            ShutDown::LoginEnded => Response::LoginEnded,
            ShutDown::Unavailable => Response::StoreUnavailable,
        });
    }

    /// Tells the client that a long task goes on (RFC 9585); the driver says it every ten seconds or so. How far a FETCH is
    /// the machine knows itself, and tells it between two responses only.
    pub fn progress(&mut self, done: u64, of: Option<u64>) {
        let (tag, done, of) = match &self.work {
            Work::Asked(tag, _) => (tag, done, of),
            Work::Fetching(writing) if writing.fetching.is_between_messages() => {
                let Some(tag) = writing.tag() else { return };
                let (done, of) = writing.fetching.progress();
                (tag, u64::from(done), Some(u64::from(of)))
            }
            _ => return,
        };
        // RFC 9585 §4: what is to be reached is always more than what is.
        let of = of.filter(|of| *of > done);
        let code = ResponseCode::InProgress(Some((tag.0.clone(), done, of)));
        Response::InProgress.untagged_with(Some(&code), "", &mut self.output);
    }

    fn context(&mut self) -> Option<Context<'_>> {
        let account = self.account.as_deref_mut()?;
        Some(Context { config: &self.config, account, out: &mut self.output })
    }

    /// Goes on with what the session is in the middle of.
    fn go_on(&mut self) -> Progress {
        if let Some(step) = self.owed.take() {
            return Progress::Step(step);
        }
        match &mut self.work {
            // A BYE would be taken for a part of the response that is being written: that is ended first.
            Work::Fetching(writing) if self.ending.is_some() && !writing.fetching.is_between_messages() => {
                writing.fetching.end_behind_message();
            }
            _ => {
                if let Some(response) = self.ending.take() {
                    return self.close(response);
                }
            }
        }
        match &mut self.work {
            Work::Closed => Progress::Step(Step::Close),
            Work::StartingTls => Progress::Step(Step::StartTls),
            Work::StartingCompression => Progress::Step(Step::StartCompression),
            Work::LoggingIn(_) | Work::SaslDriver(_) | Work::Asked(..) => Progress::Waits,
            Work::SaslClient(_) => Progress::Reads,
            Work::Appending(appending) if appending.is_waiting() => Progress::Waits,
            Work::Appending(_) => Progress::Reads,
            Work::Fetching(_) => self.write_fetch(),
            Work::Ready | Work::Idle(_) => self.tell_unasked(),
        }
    }

    /// Ends the session; where nothing could be read of it any more, without a word.
    fn close(&mut self, response: Response) -> Progress {
        if !matches!(self.work, Work::Closed | Work::StartingTls | Work::StartingCompression) {
            response.untagged(&mut self.output);
        }
        self.work = Work::Closed;
        Progress::Again
    }

    /// In IDLE everything is told at once; between commands what NOTIFY asked for.
    fn tell_unasked(&mut self) -> Progress {
        let is_idle = self.is_idle();
        let Some(mut cx) = self.context() else { return Progress::Reads };
        let allowed = if is_idle { Allowed::All } else { cx.account.notify.between_commands() };
        if !is_idle && !cx.account.notify.is_set() {
            return Progress::Reads;
        }
        let requests = tell::tell(&mut cx, allowed);
        let then = match &self.work {
            Work::Idle(tag) => Then::Idle(tag.clone()),
            _ => Then::Ready,
        };
        if requests.is_empty() {
            return Progress::Reads;
        }
        self.write(requests, then);
        Progress::Again
    }

    fn write_fetch(&mut self) -> Progress {
        let Work::Fetching(writing) = &mut self.work else { return Progress::Again };
        if writing.is_waiting {
            return Progress::Waits;
        }
        match writing.fetching.proceed(&mut self.output) {
            FetchNext::Flush => Progress::Step(Step::Flush),
            FetchNext::Structures(uids, detail) => {
                writing.is_waiting = true;
                Progress::Step(Step::Structures(uids, detail))
            }
            FetchNext::Content { uid, from, len } => {
                writing.is_waiting = true;
                Progress::Step(Step::Content { uid, from, len })
            }
            FetchNext::Done { .. } if self.ending.is_some() => Progress::Again,
            FetchNext::Done { missing, unknown_encoding } => {
                self.fetched(missing, unknown_encoding);
                Progress::Again
            }
            FetchNext::Broken => {
                self.work = Work::Closed;
                Progress::Again
            }
        }
    }

    fn fetched(&mut self, missing: u32, unknown_encoding: bool) {
        let Work::Fetching(writing) = &mut self.work else { return };
        if let Some(mailbox) = self.account.as_mut().and_then(|account| account.mailbox.as_mut()) {
            mailbox.told_modseq = mailbox.told_modseq.max(writing.fetching.told_modseq());
        }
        if let Some(request) = writing.queue.pop_front() {
            writing.fetching = Fetching::new(request);
            return;
        }
        let Work::Fetching(writing) = std::mem::replace(&mut self.work, Work::Ready) else { return };
        match writing.then {
            Then::Fetched(tag, allowed) => {
                let reply = fetch::reply(missing, unknown_encoding);
                self.finish(tag, allowed, reply);
            }
            Then::End(tag, allowed, reply) => self.finish(tag, allowed, reply),
            Then::Reply(tag, reply) => self.end(&tag, reply),
            Then::Ready => {
                if let Some(mut cx) = self.context() {
                    modseq::bound(&mut cx);
                }
            }
            Then::Idle(tag) => self.work = Work::Idle(tag),
        }
    }

    /// Does what a command wants next.
    fn apply(&mut self, tag: Tag, next: Next) -> Option<Step> {
        match next {
            Next::End(allowed, reply) => self.finish(tag, allowed, reply),
            Next::Ask(task, pending) => {
                self.work = Work::Asked(tag, Box::new(pending));
                return Some(Step::Task(task));
            }
            Next::Fetch(request, allowed) => self.write(vec![*request], Then::Fetched(tag, allowed)),
            Next::Write(requests, allowed, reply) => {
                self.write(requests, Then::End(tag, allowed, reply));
            }
        }
        None
    }

    /// Tells what may be told, then says the tagged response.
    fn finish(&mut self, tag: Tag, allowed: Allowed, reply: Reply) {
        self.work = Work::Ready;
        let requests = match self.context() {
            Some(mut cx) => tell::tell(&mut cx, allowed),
            None => Vec::new(),
        };
        if requests.is_empty() {
            self.end(&tag, reply);
        } else {
            self.write(requests, Then::Reply(tag, reply));
        }
    }

    /// Says the tagged response of a command that may have told of messages.
    fn end(&mut self, tag: &Tag, reply: Reply) {
        let reply = match self.context() {
            Some(mut cx) => modseq::end(&mut cx, reply),
            None => reply,
        };
        self.reply(tag, &reply);
    }

    fn write(&mut self, requests: Vec<FetchRequest>, then: Then) {
        let mut queue = VecDeque::from(requests);
        if let Some(first) = queue.pop_front() {
            let fetching = Fetching::new(first);
            self.work = Work::Fetching(Box::new(Writing { fetching, is_waiting: false, queue, then }));
        }
    }

    fn reply(&mut self, tag: &Tag, reply: &Reply) {
        reply.write(tag, &mut self.output);
        self.count(reply.status());
    }

    /// Counts what was refused: BAD always, NO where nobody is logged in. Success of a login forgets it.
    fn count(&mut self, status: Status) {
        match status {
            Status::Bad => self.errors += 1,
            Status::No if self.account.is_none() => self.errors += 1,
            Status::Ok if self.account.is_some() => self.errors = 0,
            _ => {}
        }
        if self.errors >= self.config.errors_max {
            self.ending = Some(Response::TooManyErrors);
        }
    }

    /// Takes what was read. `octets` are those of the reading.
    fn read(&mut self, reading: Reading, octets: &[u8]) -> Option<Step> {
        match reading {
            Reading::NeedInput => None,
            Reading::Continue => {
                continuation("Go on", &mut self.output);
                None
            }
            Reading::Command(tagged) => self.command(tagged),
            Reading::Line(line) => self.line(&line),
            Reading::Append(piece) => self.append_piece(piece, octets),
            Reading::Refused { tag, problem, closes } => self.refuse(tag, &problem, closes),
        }
    }

    fn refuse(&mut self, tag: Option<Tag>, problem: &GrammarError, closes: bool) -> Option<Step> {
        let was = std::mem::replace(&mut self.work, Work::Ready);
        let tag = match &was {
            Work::Idle(tag) | Work::SaslClient(tag) => Some(tag.clone()),
            _ => tag,
        };
        if closes {
            self.work = Work::Closed;
            Response::OutOfStep.untagged_with(None, problem, &mut self.output);
        } else {
            let (response, code) = problem.response();
            match tag {
                Some(tag) => response.tagged_with(&tag, code.as_ref(), problem, &mut self.output),
                None => response.untagged_with(code.as_ref(), problem, &mut self.output),
            }
            self.count(response.entry().status);
        }
        matches!(was, Work::Appending(_)).then_some(Step::Append(AppendTask::Abandon))
    }

    fn line(&mut self, line: &[u8]) -> Option<Step> {
        match std::mem::replace(&mut self.work, Work::Ready) {
            Work::SaslClient(tag) => self.sasl_line(tag, line),
            Work::Idle(tag) if line.eq_ignore_ascii_case(b"DONE") => {
                self.finish(tag, Allowed::All, Reply::completed("IDLE"));
                None
            }
            Work::Idle(tag) => {
                self.reply(&tag, &Response::DoneExpected.into());
                None
            }
            other => {
                self.work = other;
                None
            }
        }
    }
}

fn limits(config: &Config, literals_bytes_max: usize) -> ReaderLimits {
    ReaderLimits {
        line_bytes_max: LINE_BYTES_MAX,
        literals_bytes_max,
        append_bytes_max: config.append_bytes_max,
    }
}
