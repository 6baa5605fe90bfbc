//! The provider: greeting, TLS and login as a client, then ATRN.

use std::io::{ErrorKind, Read as _, Write as _};
use std::time::{Duration, Instant};

use smtp::client::{Client, Config, Event, LoginPolicy, Security};
use smtp::grammar::reply::ReplyParser;
use types::{Domain, Reply};

use crate::send::{
    Channel, Connect, ConnectError, Secured, Timer, begin, handshake_timeout, host_of, open, our_address,
    read_step, write_step,
};

/// What the provider says to ATRN.
pub(super) enum Answer {
    /// 250: we are the server now.
    Reversed(Channel),
    /// 453.
    NoMail(Reply),
}

/// Why no mail comes.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error("{0}")]
    Connect(#[from] ConnectError),
    #[error("the login failed: {0}")]
    Login(String),
    #[error("the provider refuses: {0}")]
    Refused(Reply),
    #[error("the connection broke off: {0}")]
    Lost(#[from] std::io::Error),
}

/// RFC 2645 §5.2.1: at least ten minutes, so that the provider can look into its queue.
const ATRN_TIMEOUT: Duration = Duration::from_secs(11 * 60);

/// Connects, logs in and asks for mail.
pub(super) fn ask(connect: &Connect, domains: &[Domain]) -> Result<Answer, Trouble> {
    let (channel, secured) = open(connect).and_then(|stream| begin(stream, connect))?;
    let mut channel = log_in(channel, secured, connect)?;
    let names: Vec<&str> = domains.iter().map(Domain::ascii).collect();
    let line = if names.is_empty() { "ATRN\r\n".to_owned() } else { format!("ATRN {}\r\n", names.join(",")) };
    channel.write_all(line.as_bytes())?;
    channel.flush()?;
    let reply = read_reply(&mut channel)?;
    match reply.code {
        250 => Ok(Answer::Reversed(channel)),
        453 => Ok(Answer::NoMail(reply)),
        _ => Err(Trouble::Refused(reply)),
    }
}

/// The connection of somebody who has logged in.
fn log_in(mut channel: Channel, secured: Option<Secured>, connect: &Connect) -> Result<Channel, Trouble> {
    let Some(account) = &connect.account else { return Err(Trouble::Login("there is no account".into())) };
    let mut client = Client::new(Config {
        pipelining: connect.pipelining,
        security: secured.map_or(Security::Clear, |secured| Security::Tls(secured.certificate)),
        tls: connect.tls.policy(),
        login: LoginPolicy::Required(account.passwords),
        ..Config::new(connect.hello_name.clone().unwrap_or_else(|| our_address(channel.tcp())))
    });
    let mut login = account.login();
    let mut timer = Timer::new(connect.timeout);
    loop {
        while let Some(event) = client.poll_event() {
            match event {
                Event::StartTls => {
                    channel = secure(channel, &mut client, connect);
                }
                Event::Authenticate { mechanisms } => login.begin(&mechanisms, &mut client),
                Event::Challenge(challenge) => login.answer(challenge.octets(), &mut client),
                Event::Ready if login.is_satisfied() => return Ok(channel),
                Event::Ready => {
                    return Err(Trouble::Login("the provider let us in without having proved itself".into()));
                }
                Event::Unusable(failure) => return Err(Trouble::Login(failure.to_string())),
                Event::Closed(_) | Event::Finished(_) | Event::Said { .. } | Event::Heard { .. } => {}
            }
        }
        if client.is_closed() {
            return Err(Trouble::Lost(ErrorKind::ConnectionAborted.into()));
        }
        if client.transmit().is_empty() {
            read_step(&mut channel, &mut client, &mut timer)?;
        } else {
            write_step(&mut channel, &mut client, &mut timer)?;
        }
    }
}

fn secure(channel: Channel, client: &mut Client, connect: &Connect) -> Channel {
    match channel.secure(&connect.tls, host_of(&connect.server), handshake_timeout(connect)) {
        Ok((channel, secured)) => {
            client.secured(secured.certificate);
            channel
        }
        Err((channel, why)) => {
            client.tls_failed(&why);
            channel
        }
    }
}

/// The reply to ATRN, and nothing behind it: whoever speaks then has to wait for our greeting.
fn read_reply(channel: &mut Channel) -> Result<Reply, Trouble> {
    let end = Instant::now() + ATRN_TIMEOUT;
    let mut parser = ReplyParser::default();
    let mut buffer = [0; 4096];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Trouble::Lost(ErrorKind::TimedOut.into()));
        }
        channel.tcp().set_read_timeout(Some(left))?;
        let count = match channel.read(&mut buffer) {
            Ok(0) => return Err(Trouble::Lost(ErrorKind::UnexpectedEof.into())),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        let invalid = |text: String| Trouble::Lost(std::io::Error::new(ErrorKind::InvalidData, text));
        match parser.feed(&buffer[..count]) {
            Ok((taken, Some(reply))) if taken == count => return Ok(reply),
            Ok((_, Some(_))) => return Err(invalid("the provider spoke before it was greeted".into())),
            Ok((_, None)) => {}
            Err(error) => return Err(invalid(error.to_string())),
        }
    }
}
