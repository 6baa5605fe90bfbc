//! A visit to a mail host by the client of `posta send`: a greeting, EHLO, STARTTLS, and goodbye. No message is sent.

use std::io::{ErrorKind, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use checkup::{Meeting, Secured, Unmet};
use net::tls::{TlsError, describe};
use smtp::client::{
    Cause, Client, Config, End, Event, Failure, Message, Pipelining, Stage, TlsPolicy, Transcript,
};
use types::{Envelope, ForwardPath, Host, Mailbox, Reply, ReversePath};

use crate::send::{Channel, Timer, Tls, TlsArg, our_address, read_step, write_step};

/// To connect takes no longer than this.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);
/// One answer takes no longer: some hosts let strangers wait before they greet them.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Nothing more is said after that, so that all of a visit is over before [`checkup::domain::PART_LIMIT`].
const VISIT_TIMEOUT: Duration = Duration::from_secs(15);

/// Visits mail hosts.
pub(super) struct Visitor {
    tls: Tls,
    hello_name: Option<Host>,
}

/// What happened so far.
#[derive(Default)]
struct Visit {
    greeting: Option<Reply>,
    ehlo: Option<Reply>,
    starttls: Option<Reply>,
    secured: Option<Secured>,
    /// The reply to MAIL, and those to each RCPT.
    mail: Option<Reply>,
    recipients: Vec<Reply>,
    /// Why there is no session.
    failure: Option<String>,
    end: Option<End>,
}

impl Visitor {
    /// With those of the file, or of this machine, who vouch for servers.
    pub(super) fn new(ca: Option<&Path>, hello_name: Option<Host>) -> Result<Self, TlsError> {
        Ok(Self { tls: Tls::choose(TlsArg::Offered, ca)?, hello_name })
    }

    /// As far as TLS, where it is offered.
    pub(super) fn meet(&self, host: &str, address: SocketAddr) -> Result<Meeting, Unmet> {
        let visit = self.visit(host, address, &[])?;
        let (Some(greeting), Some(ehlo)) = (&visit.greeting, &visit.ehlo) else {
            return Err(visit.unmet());
        };
        if !greeting.is_positive() || !ehlo.is_positive() {
            return Err(visit.unmet());
        }
        let secured = match (visit.secured, visit.starttls, visit.end) {
            (Some(secured), ..) => secured,
            (None, Some(reply), _) if !reply.is_positive() => {
                Secured::Failed(format!("the host says to STARTTLS: {reply}"))
            }
            (None, Some(_), Some(end)) => Secured::Failed(end.to_string()),
            (None, Some(_), None) => Secured::Failed("the host took too long".to_owned()),
            (None, None, _) => Secured::NotOffered,
        };
        Ok(Meeting { greeting: lines(greeting), ehlo: lines(ehlo), secured })
    }

    /// As far as RCPT.
    pub(super) fn ask_recipients(
        &self,
        host: &str,
        address: SocketAddr,
        recipients: &[Mailbox],
    ) -> Result<Vec<Reply>, Unmet> {
        let visit = self.visit(host, address, recipients)?;
        if let Some(refused) = visit.mail.as_ref().filter(|reply| !reply.is_positive()) {
            return Err(Unmet::NoSession(refused.to_string()));
        }
        if visit.recipients.len() == recipients.len() { Ok(visit.recipients) } else { Err(visit.unmet()) }
    }

    fn visit(&self, host: &str, address: SocketAddr, recipients: &[Mailbox]) -> Result<Visit, Unmet> {
        let stream =
            TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).map_err(|error| not_there(&error))?;
        // Commands are short, and each waits for its reply. Where it cannot be set, it is only slower.
        let _only_slower = stream.set_nodelay(true);
        let hello_name = self.hello_name.clone().unwrap_or_else(|| our_address(&stream));
        let client = Client::new(Config {
            pipelining: Pipelining::Never,
            transcript: Transcript::Replies,
            tls: TlsPolicy::Opportunistic,
            ..Config::new(hello_name)
        });
        let mut visit = Visit::default();
        self.converse(host, Channel::Clear(stream), client, recipients, &mut visit);
        Ok(visit)
    }

    fn converse(
        &self,
        host: &str,
        mut channel: Channel,
        mut client: Client,
        recipients: &[Mailbox],
        visit: &mut Visit,
    ) {
        let end = Instant::now() + VISIT_TIMEOUT;
        let mut timer = Timer::new(Some(ANSWER_TIMEOUT));
        loop {
            while let Some(event) = client.poll_event() {
                match event {
                    Event::StartTls => channel = self.secure(host, channel, &mut client, visit),
                    Event::Ready if recipients.is_empty() || !visit.recipients.is_empty() => client.quit(),
                    Event::Ready => {
                        // It cannot fail right after it was said that it can be.
                        let _sent = client.send(question(recipients));
                    }
                    event => visit.note(event),
                }
            }
            // What comes next would be DATA, and has not gone out yet.
            if !recipients.is_empty() && visit.recipients.len() == recipients.len() {
                let _gone_anyway = channel.write_all(b"RSET\r\nQUIT\r\n").and_then(|()| channel.flush());
                return;
            }
            if client.is_closed() || Instant::now() >= end {
                return;
            }
            let step = if client.transmit().is_empty() { read_step } else { write_step };
            if step(&mut channel, &mut client, &mut timer).is_err() {
                client.lost();
            }
        }
    }

    fn secure(&self, host: &str, channel: Channel, client: &mut Client, visit: &mut Visit) -> Channel {
        match channel.secure(&self.tls, host, ANSWER_TIMEOUT) {
            Ok((channel, secured)) => {
                client.secured(secured.certificate);
                visit.secured = Some(self.seen(host, &channel));
                channel
            }
            Err((channel, why)) => {
                visit.secured = Some(Secured::Failed(why.clone()));
                client.tls_failed(&why);
                channel
            }
        }
    }

    /// What the host showed.
    fn seen(&self, host: &str, channel: &Channel) -> Secured {
        let Channel::Tls(stream) = channel else { return Secured::NotOffered };
        let agreed = describe(&stream.conn);
        let chain = stream.conn.peer_certificates().unwrap_or_default();
        Secured::Yes {
            protocol: agreed.as_ref().map_or_else(String::new, |agreed| agreed.version.clone()),
            cipher: agreed.as_ref().map_or_else(String::new, |agreed| agreed.cipher_suite.clone()),
            chain: chain.iter().map(|certificate| certificate.to_vec()).collect(),
            distrust: self.tls.verify(&stream.conn, host).err().map(|error| error.to_string()),
        }
    }
}

impl Visit {
    fn note(&mut self, event: Event) {
        match event {
            Event::Heard { stage: Stage::Greeting, reply } => self.greeting = Some(reply),
            // What it said in clear text is what it says to strangers.
            Event::Heard { stage: Stage::Hello, reply } if self.secured.is_none() => self.ehlo = Some(reply),
            Event::Heard { stage: Stage::StartTls, reply } => self.starttls = Some(reply),
            Event::Heard { stage: Stage::Mail, reply } => self.mail = Some(reply),
            Event::Heard { stage: Stage::Rcpt, reply } => self.recipients.push(reply),
            Event::Unusable(Failure { cause: Cause::Reply(reply), .. }) => {
                self.failure = Some(reply.to_string());
            }
            Event::Unusable(failure) => self.failure = Some(failure.to_string()),
            Event::Closed(end) => self.end = Some(end),
            _ => {}
        }
    }

    fn unmet(self) -> Unmet {
        // Some networks answer for each host on port 25 and let nobody through; a mail host says something.
        if self.greeting.is_none() {
            return Unmet::Silence;
        }
        let end = self.end.map(|end| end.to_string());
        let refused = self.failure.or(end);
        Unmet::NoSession(refused.unwrap_or_else(|| "it takes too long to answer".to_owned()))
    }
}

fn question(recipients: &[Mailbox]) -> Message {
    let recipients = recipients.iter().cloned().map(ForwardPath::Mailbox);
    Message { envelope: Envelope::new(ReversePath::Null, recipients), size_bytes: None }
}

fn lines(reply: &Reply) -> Vec<String> {
    reply.text.split('\n').map(|line| format!("{} {line}", reply.code)).collect()
}

fn not_there(error: &std::io::Error) -> Unmet {
    match error.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => Unmet::Silence,
        ErrorKind::ConnectionRefused => Unmet::Refused,
        _ => Unmet::NoWay(error.to_string()),
    }
}
