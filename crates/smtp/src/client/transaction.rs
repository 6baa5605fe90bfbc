//! One message on its way: RSET where an earlier one left something, MAIL, RCPT, then DATA or BDAT.
//!
//! RFC 3030 §2 lets BDAT begin when MAIL and RCPT are answered. [`Way::OneFlight`] does not wait for that, as §4.2 does not
//! wait between chunks: the server has to take and pass over a chunk that it has no use for in any case.
//!
//! With PIPELINING the commands go in groups of at most [`GROUP_MAX`] (RFC 2920 §3.1), so that the replies
//! fit into any socket buffer and a driver that writes before it reads cannot be held up for ever.

use types::{BodyType, EnhancedStatus, ForwardPath, Host, Reply};

use super::body::{Body, Chunks};
use super::config::{Config, Mode, ONE_FLIGHT_BYTES_MAX, Pipelining, Transfer};
use super::event::{Cause, End, Failure, NotTried, Outcome, Report, Stage, Unsupported, Violation};
use super::hello::{Session, Standing};
use super::parameters::{Utf8, check, is_ascii, mail_line, rcpt_line};
use super::wire::{Command, Wire};
use super::{BodyError, Message};
use crate::codec::stuff::Stuffer;

/// Commands that wait for a reply at the same time.
pub(super) const GROUP_MAX: usize = 100;

#[derive(Debug)]
pub(super) struct Transaction {
    message: Message,
    mode: Mode,
    way: Way,
    grouping: Pipelining,
    utf8: Utf8,
    /// One for each forward-path; none while undecided.
    outcomes: Vec<Option<Outcome>>,
    /// The indices of the recipients that get a RCPT.
    plan: Vec<usize>,
    next: Next,
    /// The indices of the recipients that got a 2yz to RCPT and wait for the message.
    accepted: Vec<usize>,
    phase: Phase,
}

/// How the body travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Data,
    /// By BDAT, when the recipients are known.
    Chunks,
    /// By one BDAT, behind the last RCPT.
    OneFlight,
}

/// What is to be written next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Reset,
    Mail,
    /// An index into the plan.
    Rcpt(usize),
    Data,
    Nothing,
}

#[derive(Debug)]
enum Phase {
    Envelope,
    Body(Body),
    Ended,
}

impl Transaction {
    /// Decides what can be decided before a word is said.
    pub(super) fn new(message: Message, session: &mut Session, config: &Config) -> Self {
        let offered = &session.extensions;
        let pipelined = offered.pipelining && config.pipelining == Pipelining::WhereOffered;
        let mut transaction = Self {
            mode: config.mode,
            way: Way::choose(&message, config, offered.chunking, pipelined),
            grouping: if pipelined { Pipelining::WhereOffered } else { Pipelining::Never },
            utf8: Utf8::No,
            outcomes: vec![None; message.envelope.recipients.len()],
            plan: Vec::new(),
            next: Next::Nothing,
            accepted: Vec::new(),
            phase: Phase::Envelope,
            message,
        };
        if let Err(unsupported) = check(&transaction.message, session) {
            transaction.fail_undecided(&local(unsupported));
            return transaction;
        }
        transaction.plan_recipients(session);
        if !transaction.plan.is_empty() {
            session.mails = session.mails.saturating_add(1);
            transaction.next = match session.standing {
                Standing::Clean => Next::Mail,
                Standing::Begun => Next::Reset,
            };
        }
        transaction
    }

    /// Leaves out the recipients that cannot be said to this server, and those that its LIMITS forbid.
    fn plan_recipients(&mut self, session: &mut Session) {
        let envelope = &self.message.envelope;
        let any_utf8 = envelope.parameters.smtputf8
            || !is_ascii(envelope.reverse_path.mailbox())
            || envelope.forward_paths().any(|path| !is_ascii(path.mailbox()));
        if any_utf8 && session.extensions.smtputf8 {
            self.utf8 = Utf8::Yes;
        }
        let limits = session.extensions.limits;
        let rcpt_max = limits.rcpt_max.map_or(usize::MAX, |max| usize::try_from(max).unwrap_or(usize::MAX));
        for (index, path) in envelope.forward_paths().enumerate() {
            self.outcomes[index] = if !is_ascii(path.mailbox()) && self.utf8 == Utf8::No {
                Some(local(Unsupported::SmtpUtf8).into())
            } else if self.plan.len() >= rcpt_max {
                Some(Outcome::NotTried(NotTried::RcptMax))
            } else if !has_room_for_domain(session, path) {
                Some(Outcome::NotTried(NotTried::RcptDomainMax))
            } else {
                self.plan.push(index);
                None
            };
        }
    }

    /// Writes what may be written now.
    pub(super) fn pump(&mut self, session: &mut Session, wire: &mut Wire) {
        while self.may_write(wire) {
            self.next = match self.next {
                Next::Reset => {
                    wire.command(Command::Reset, "RSET");
                    session.standing = Standing::Clean;
                    Next::Mail
                }
                Next::Mail => {
                    wire.command(Command::Mail, &mail_line(&self.message, session, self.utf8));
                    session.standing = Standing::Begun;
                    Next::Rcpt(0)
                }
                Next::Rcpt(number) => {
                    let index = self.plan[number];
                    let recipient = &self.message.envelope.recipients[index];
                    wire.command(Command::Rcpt(index), &rcpt_line(recipient, session, self.utf8));
                    if number + 1 < self.plan.len() { Next::Rcpt(number + 1) } else { Next::Data }
                }
                Next::Data if self.way != Way::Data => {
                    self.phase =
                        Phase::Body(Body::Chunks(Chunks::new(self.message.envelope.parameters.body_type)));
                    Next::Nothing
                }
                Next::Data => {
                    wire.command(Command::Data, "DATA");
                    Next::Nothing
                }
                Next::Nothing => Next::Nothing,
            };
        }
        if let Phase::Body(Body::Chunks(chunks)) = &mut self.phase
            // A message that is longer than it was said to be waits for the recipients.
            && (self.way == Way::Chunks || chunks.is_complete() || wire.outstanding() == 0)
            && chunks.flush(wire, self.grouping)
        {
            self.end_body(wire);
        }
    }

    fn may_write(&self, wire: &Wire) -> bool {
        let alone = wire.outstanding() == 0;
        let grouped = self.grouping == Pipelining::WhereOffered && wire.outstanding() < GROUP_MAX;
        match self.next {
            Next::Reset | Next::Mail | Next::Rcpt(_) => alone || grouped,
            // The last of a group, before it is known whether anybody was accepted; but once it is known that
            // nobody was, there is nothing to say.
            Next::Data if alone => !self.accepted.is_empty(),
            Next::Data => grouped && self.way != Way::Chunks,
            Next::Nothing => false,
        }
    }

    /// Takes in a reply.
    ///
    /// # Errors
    /// A reply of a class that the command never has.
    pub(super) fn on_reply(
        &mut self,
        command: Command,
        reply: Reply,
        session: &mut Session,
        wire: &mut Wire,
    ) -> Result<(), Violation> {
        let stage = command.stage();
        let is_intermediate = (300..400).contains(&reply.code);
        if is_intermediate != (command == Command::Data) && reply.code < 400 {
            return Err(Violation::Unexpected { stage, reply });
        }
        match command {
            Command::Reset | Command::Mail if reply.code < 400 => {}
            Command::Reset | Command::Mail => self.on_refused(command, reply, session),
            Command::Rcpt(index) => self.on_rcpt(index, reply, session),
            Command::EndOfData | Command::EndOfDataFor(_) if reply.code < 400 && !self.is_undecided() => {
                // It went in one flight, and nobody was to get it.
                return Err(Violation::Unexpected { stage, reply });
            }
            Command::Data if is_intermediate => return self.on_start_mail_input(reply, wire),
            Command::Data => self.fail_undecided(&Failure::by_reply(stage, reply)),
            Command::Chunk => self.on_chunk(reply),
            Command::LoneDot => session.standing = Standing::Clean,
            Command::EndOfData => {
                self.end_session_state(&reply, session);
                for index in std::mem::take(&mut self.accepted) {
                    self.decide(index, self.by_end_of_data(reply.clone()));
                }
            }
            Command::EndOfDataFor(index) => {
                self.end_session_state(&reply, session);
                self.decide(index, self.by_end_of_data(reply));
            }
            Command::Greeting | Command::Hello | Command::StartTls | Command::Auth | Command::Quit => {
                return Err(Violation::Unsolicited(reply));
            }
        }
        Ok(())
    }

    /// RSET or MAIL was refused, and with it the message for everybody. What was pipelined behind it still gets
    /// its replies.
    fn on_refused(&mut self, command: Command, reply: Reply, session: &mut Session) {
        // A refused MAIL begins nothing; but 503 says that something is begun already (RFC 5321 §4.1.4), as after
        // a refused RSET.
        session.standing = match command {
            Command::Mail if self.is_undecided() && reply.code != 503 => Standing::Clean,
            _ => Standing::Begun,
        };
        self.next = Next::Nothing;
        self.fail_undecided(&Failure::by_reply(command.stage(), reply));
        self.withdraw();
    }

    fn on_rcpt(&mut self, index: usize, reply: Reply, session: &mut Session) {
        if reply.code < 400 {
            session.standing = Standing::Begun;
            self.accepted.push(index);
            return;
        }
        let failure = Failure::by_reply(Stage::Rcpt, reply);
        let outcome = match &failure.cause {
            Cause::Reply(reply) if self.is_too_many_recipients(reply) => Outcome::Temporary(failure),
            _ => failure.into(),
        };
        self.decide(index, outcome);
        self.withdraw();
    }

    /// Where nobody is left for a message that was about to follow, it does not.
    fn withdraw(&mut self) {
        if !self.is_undecided() && matches!(self.phase, Phase::Body(_)) {
            self.phase = Phase::Ended;
        }
    }

    /// RFC 821 had 552 for too many recipients, and a client takes it as 452 in that case (RFC 5321
    /// §4.5.3.1.10). It is that case where somebody was accepted before, and no enhanced status tells of another
    /// (5.2.2, a full mailbox).
    fn is_too_many_recipients(&self, reply: &Reply) -> bool {
        let says_nothing_else = reply.enhanced.is_none_or(|e| e == EnhancedStatus::permanent(5, 3));
        reply.code == 552 && !self.accepted.is_empty() && says_nothing_else
    }

    /// 354.
    fn on_start_mail_input(&mut self, reply: Reply, wire: &mut Wire) -> Result<(), Violation> {
        if self.is_undecided() {
            self.phase = Phase::Body(Body::Data(Stuffer::default()));
            return Ok(());
        }
        // A lone dot ends the data of a message for nobody (RFC 2920 §3.1). Where MAIL was refused and a
        // recipient was not, it could also be an empty message for somebody: then it must not be sent.
        if !self.accepted.is_empty() {
            return Err(Violation::Unexpected { stage: Stage::Data, reply });
        }
        wire.command(Command::LoneDot, ".");
        Ok(())
    }

    /// A refused chunk is the end of the message, and no more are sent (RFC 3030 §2). The server's state is
    /// unknown until RSET.
    fn on_chunk(&mut self, reply: Reply) {
        if reply.code >= 400 {
            self.fail_undecided(&Failure::by_reply(Stage::Body, reply));
            self.phase = Phase::Ended;
        }
    }

    /// After the end of data the server holds nothing any more (RFC 5321 §4.1.1.4); after a failed BDAT that is
    /// not sure (RFC 3030 §2).
    const fn end_session_state(&self, reply: &Reply, session: &mut Session) {
        session.standing = match self.way {
            Way::Chunks | Way::OneFlight if reply.code >= 400 => Standing::Begun,
            _ => Standing::Clean,
        };
    }

    fn by_end_of_data(&self, reply: Reply) -> Outcome {
        match reply.code {
            ..400 => Outcome::Accepted(reply),
            // A server that has taken recipients and then does not know what to do with BDAT is at odds with the flight,
            // not with the message.
            500..=504 if self.way == Way::OneFlight => {
                Outcome::Temporary(Failure::by_reply(Stage::EndOfData, reply))
            }
            _ => Failure::by_reply(Stage::EndOfData, reply).into(),
        }
    }

    pub(super) fn body_room(&self, wire: &Wire) -> usize {
        match &self.phase {
            Phase::Body(body) => body.room(wire),
            Phase::Envelope | Phase::Ended => 0,
        }
    }

    pub(super) fn write_body(&mut self, octets: &[u8], wire: &mut Wire) -> Result<usize, BodyError> {
        match &mut self.phase {
            Phase::Body(body) => body.write(octets, wire),
            Phase::Envelope | Phase::Ended => Err(BodyError::NotWanted),
        }
    }

    pub(super) fn finish_body(&mut self, wire: &mut Wire) -> Result<(), BodyError> {
        match &mut self.phase {
            Phase::Body(Body::Data(stuffer)) => {
                std::mem::take(stuffer).finish(wire.body())?;
                wire.note_said(Stage::EndOfData, ".");
                self.end_body(wire);
                Ok(())
            }
            Phase::Body(Body::Chunks(chunks)) => chunks.finish(),
            Phase::Envelope | Phase::Ended => Err(BodyError::NotWanted),
        }
    }

    /// The end of data is written: it gets one reply, in LMTP one for each accepted recipient in their order
    /// (RFC 2033 §4.2).
    fn end_body(&mut self, wire: &mut Wire) {
        self.phase = Phase::Ended;
        match self.mode {
            Mode::Smtp => wire.await_reply(Command::EndOfData),
            Mode::Lmtp => self.accepted.iter().for_each(|i| wire.await_reply(Command::EndOfDataFor(*i))),
        }
    }

    pub(super) const fn is_in_body(&self) -> bool {
        matches!(self.phase, Phase::Body(_) | Phase::Ended)
    }

    fn is_undecided(&self) -> bool {
        self.outcomes.iter().any(Option::is_none)
    }

    /// Whether every recipient is decided and every reply has come.
    pub(super) fn is_finished(&self, wire: &Wire) -> bool {
        wire.outstanding() == 0 && !self.is_undecided()
    }

    fn decide(&mut self, index: usize, outcome: Outcome) {
        self.outcomes[index].get_or_insert(outcome);
    }

    /// Every recipient without an outcome gets this failure.
    pub(super) fn fail_undecided(&mut self, failure: &Failure) {
        for outcome in &mut self.outcomes {
            outcome.get_or_insert_with(|| failure.clone().into());
        }
    }

    pub(super) fn into_report(self) -> Report {
        let undecided = || End::Aborted.failure(Stage::Idle).into();
        Report { outcomes: self.outcomes.into_iter().map(|o| o.unwrap_or_else(undecided)).collect() }
    }
}

impl Way {
    fn choose(message: &Message, config: &Config, is_chunking: bool, is_pipelined: bool) -> Self {
        let is_binary = message.envelope.parameters.body_type == BodyType::BinaryMime;
        let is_short = message.size_bytes.is_some_and(|size_bytes| size_bytes <= ONE_FLIGHT_BYTES_MAX);
        match config.transfer {
            _ if !is_chunking => Self::Data,
            Transfer::OneFlightWhereOffered if is_short && is_pipelined && config.mode == Mode::Smtp => {
                Self::OneFlight
            }
            // 354 would be one more reply to wait for.
            Transfer::OneFlightWhereOffered if is_short && !is_pipelined => Self::Chunks,
            Transfer::ChunksWhereOffered => Self::Chunks,
            _ if is_binary => Self::Chunks,
            _ => Self::Data,
        }
    }
}

fn local(unsupported: Unsupported) -> Failure {
    Failure { stage: Stage::Mail, cause: Cause::Unsupported(unsupported) }
}

/// Counts the domain of `path` among those of the session, if RCPTDOMAINMAX has room for it.
fn has_room_for_domain(session: &mut Session, path: &ForwardPath) -> bool {
    let Some(max) = session.extensions.limits.rcpt_domain_max else { return true };
    let domain = match path.mailbox().map(|mailbox| &mailbox.host) {
        Some(Host::Domain(domain)) => domain.ascii().to_owned(),
        Some(Host::Literal(literal)) => literal.to_string(),
        None => String::new(),
    };
    if session.rcpt_domains.contains(&domain) {
        return true;
    }
    let has_room = u32::try_from(session.rcpt_domains.len()).is_ok_and(|count| count < max);
    if has_room {
        session.rcpt_domains.insert(domain);
    }
    has_room
}
