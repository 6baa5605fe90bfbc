//! One's own server, which takes what the provider sends: one command at a time, and its replies as they are.

use std::fmt;
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use smtp::codec::stuff::Stuffer;
use smtp::grammar::command::{Mail, Rcpt};
use smtp::grammar::reply::{Extensions, ReplyParser, SizeOffer};
use smtp::grammar::xtext;
use types::{BodyType, Host, OriginalRecipient, Reply, ReplyKind};

/// Where that server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    Smtp(String),
    Lmtp(String),
    LmtpSocket(PathBuf),
}

/// The connection to it.
pub(super) struct Onward {
    target: Target,
    hello_name: String,
    /// None where it broke off; the next sender makes a new one.
    link: Option<Link>,
    /// A sender was taken, and the transaction is not over.
    in_transaction: bool,
    recipients: usize,
}

struct Link {
    stream: Box<dyn Stream>,
    parser: ReplyParser,
    /// What was read behind the last reply.
    rest: Vec<u8>,
    extensions: Extensions,
}

trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

/// RFC 5321 §4.5.3.2.6, the longest of them: what waits longer is not there any more.
const TIMEOUT: Duration = Duration::from_secs(10 * 60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let address = |text: &str| {
            let port = text.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port);
            match port.map(str::parse::<u16>) {
                Some(Ok(1..)) => Ok(text.to_owned()),
                _ => Err("it is not HOST:PORT, lmtp://HOST:PORT or lmtp:/path".to_owned()),
            }
        };
        if let Some(text) = text.strip_prefix("lmtp://") {
            return address(text).map(Self::Lmtp);
        }
        match text.strip_prefix("lmtp:") {
            Some(path) if path.starts_with('/') => Ok(Self::LmtpSocket(path.into())),
            Some(_) => Err("a path begins with /".to_owned()),
            None => address(text).map(Self::Smtp),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Smtp(address) => f.write_str(address),
            Self::Lmtp(address) => write!(f, "lmtp://{address}"),
            Self::LmtpSocket(path) => write!(f, "lmtp:{}", path.display()),
        }
    }
}

impl Onward {
    /// Connects and says hello.
    pub(super) fn open(target: Target, hello_name: Option<Host>) -> Result<Self> {
        let hello_name = hello_name.map_or_else(|| "[127.0.0.1]".to_owned(), |name| name.to_string());
        let link = Link::open(&target, &hello_name)?;
        Ok(Self { target, hello_name, link: Some(link), in_transaction: false, recipients: 0 })
    }

    /// Whether mail stays on this machine behind it: a promise about its further way (RFC 8689 §4.2.1) is kept there.
    pub(super) const fn is_delivery_here(&self) -> bool {
        matches!(self.target, Target::LmtpSocket(_))
    }

    /// What it offers.
    pub(super) fn extensions(&self) -> Extensions {
        self.link.as_ref().map(|link| link.extensions.clone()).unwrap_or_default()
    }

    /// MAIL; a transaction that was not finished is over.
    pub(super) fn mail(&mut self, mail: &Mail) -> Reply {
        self.told(|onward| {
            if onward.link.is_none() {
                onward.link = Some(Link::open(&onward.target, &onward.hello_name)?);
            } else if onward.in_transaction {
                onward.say("RSET")?;
            }
            onward.in_transaction = true;
            onward.recipients = 0;
            let line = mail_line(mail, &onward.extensions());
            onward.say(&line)
        })
    }

    /// RCPT.
    pub(super) fn rcpt(&mut self, rcpt: &Rcpt) -> Reply {
        self.told(|onward| {
            let line = rcpt_line(rcpt, &onward.extensions());
            let reply = onward.say(&line)?;
            onward.recipients += usize::from(reply.is_positive());
            Ok(reply)
        })
    }

    /// The message. In LMTP there is a reply for each recipient and one to give: the worst, since a message that is sent
    /// again or reported is better than one that is lost.
    pub(super) fn message(&mut self, body: &[u8]) -> Reply {
        self.told(|onward| {
            let recipients = onward.recipients;
            onward.in_transaction = false;
            let is_lmtp = !matches!(onward.target, Target::Smtp(_));
            let Some(link) = &mut onward.link else { return Err(ErrorKind::NotConnected.into()) };
            if link.extensions.chunking {
                link.stream.write_all(format!("BDAT {} LAST\r\n", body.len()).as_bytes())?;
                link.stream.write_all(body)?;
            } else {
                let reply = link.command("DATA")?;
                if reply.code != 354 {
                    return Ok(reply);
                }
                let mut out = Vec::with_capacity(body.len() + body.len() / 64 + 5);
                let mut stuffer = Stuffer::default();
                let stuffed = stuffer.encode(body, &mut out).and_then(|()| stuffer.finish(&mut out));
                // The machine that took it refuses such a body; after 354 there is no way out but to close.
                stuffed.map_err(|fault| Error::new(ErrorKind::InvalidData, fault.to_string()))?;
                link.stream.write_all(&out)?;
            }
            link.stream.flush()?;
            let mut worst = link.reply()?;
            for _ in 1..if is_lmtp { recipients } else { 1 } {
                let reply = link.reply()?;
                if reply.code > worst.code {
                    worst = reply;
                }
            }
            Ok(worst)
        })
    }

    /// Says goodbye, as well as it goes.
    pub(super) fn quit(&mut self) {
        if let Some(link) = &mut self.link {
            let _gone_anyway = link.command("QUIT");
        }
        self.link = None;
    }

    fn say(&mut self, line: &str) -> Result<Reply> {
        self.link.as_mut().ok_or(ErrorKind::NotConnected)?.command(line)
    }

    /// A reply that can be passed on. Where the connection broke off or ends, it is gone, and the provider may come again.
    fn told(&mut self, work: impl FnOnce(&mut Self) -> Result<Reply>) -> Reply {
        match work(self) {
            Ok(reply) if reply.code != ReplyKind::ShuttingDown.entry().code => reply,
            _ => {
                self.link = None;
                self.in_transaction = false;
                ReplyKind::StorageFailed.reply()
            }
        }
    }
}

impl Link {
    fn open(target: &Target, hello_name: &str) -> Result<Self> {
        let (stream, hello): (Box<dyn Stream>, _) = match target {
            Target::Smtp(address) => (Box::new(connect(address)?), "EHLO"),
            Target::Lmtp(address) => (Box::new(connect(address)?), "LHLO"),
            Target::LmtpSocket(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(TIMEOUT))?;
                stream.set_write_timeout(Some(TIMEOUT))?;
                (Box::new(stream), "LHLO")
            }
        };
        let mut link = Self {
            stream,
            parser: ReplyParser::default(),
            rest: Vec::new(),
            extensions: Extensions::default(),
        };
        let refused = |reply: &Reply| Error::new(ErrorKind::ConnectionRefused, reply.to_string());
        let greeting = link.reply()?;
        if !greeting.is_positive() {
            return Err(refused(&greeting));
        }
        let reply = link.command(&format!("{hello} {hello_name}"))?;
        if !reply.is_positive() {
            return Err(refused(&reply));
        }
        link.extensions = Extensions::parse(&reply);
        Ok(link)
    }

    fn command(&mut self, line: &str) -> Result<Reply> {
        self.stream.write_all(format!("{line}\r\n").as_bytes())?;
        self.stream.flush()?;
        self.reply()
    }

    fn reply(&mut self) -> Result<Reply> {
        let mut buffer = [0; 4096];
        loop {
            let invalid = |error| Error::new(ErrorKind::InvalidData, error);
            let rest = std::mem::take(&mut self.rest);
            let (taken, reply) = self.parser.feed(&rest).map_err(invalid)?;
            self.rest = rest[taken..].to_vec();
            if let Some(reply) = reply {
                return Ok(reply);
            }
            match self.stream.read(&mut buffer)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                count => self.rest.extend_from_slice(&buffer[..count]),
            }
        }
    }
}

fn connect(address: &str) -> Result<TcpStream> {
    use std::net::ToSocketAddrs as _;
    let mut last = Error::from(ErrorKind::NotFound);
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(TIMEOUT))?;
                stream.set_write_timeout(Some(TIMEOUT))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The largest message that it takes.
pub(super) fn size_max(extensions: &Extensions, ours: u64) -> u64 {
    match extensions.size {
        Some(SizeOffer::Max(theirs)) => ours.min(theirs),
        Some(SizeOffer::NoLimit) | None => ours,
    }
}

fn mail_line(mail: &Mail, offered: &Extensions) -> String {
    let mut line = format!("MAIL FROM:{}", mail.reverse_path);
    let parameters = &mail.parameters;
    if let (Some(size_bytes), Some(_)) = (mail.size_bytes, offered.size) {
        line.push_str(&format!(" SIZE={size_bytes}"));
    }
    match parameters.body_type {
        BodyType::SevenBit => {}
        // What it does not offer it may refuse by itself.
        BodyType::EightBitMime => line.push_str(" BODY=8BITMIME"),
        BodyType::BinaryMime => line.push_str(" BODY=BINARYMIME"),
    }
    if parameters.smtputf8 {
        line.push_str(" SMTPUTF8");
    }
    if offered.dsn {
        if let Some(ret) = parameters.ret {
            line.push_str(&format!(" RET={ret}"));
        }
        if let Some(id) = &parameters.envelope_id {
            line.push_str(&format!(" ENVID={}", xtext::encode(id.as_bytes())));
        }
    }
    line
}

fn rcpt_line(rcpt: &Rcpt, offered: &Extensions) -> String {
    let mut line = format!("RCPT TO:{}", rcpt.forward_path);
    if offered.dsn {
        if let Some(notify) = rcpt.dsn.notify {
            line.push_str(&format!(" NOTIFY={notify}"));
        }
        if let Some(OriginalRecipient { address_type, address }) = &rcpt.dsn.original_recipient {
            line.push_str(&format!(" ORCPT={address_type};"));
            // Outside ASCII only where SMTPUTF8 was said (RFC 6533 §3), and then as it is.
            for character in address.chars() {
                match u8::try_from(character) {
                    Ok(octet @ 0..=0x7f) => line.push_str(&xtext::encode(&[octet])),
                    _ => line.push(character),
                }
            }
        }
    }
    line
}
