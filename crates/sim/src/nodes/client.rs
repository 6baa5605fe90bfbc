//! Clients that give messages to nodes. Only what was answered 250 counts; otherwise they try again, with a message of
//! its own tag.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use turmoil::net::TcpStream;

use super::ledger::{Promise, Sent};
use super::plan::ClientManner;
use super::world::World;
use crate::random::Random;

/// Sends one message of the plan.
pub(super) async fn send(world: Arc<World>, number: usize) {
    let plan = &world.plan.messages[number];
    let mut random = world.random(5_000_000 + number as u64);
    tokio::time::sleep(plan.at).await;
    for attempt in 0..ATTEMPTS_MAX {
        let tag = format!("m{number}.{attempt}@client.example");
        let manner = match plan.manner {
            ClientManner::BreaksOff | ClientManner::HangsUp if attempt > 0 => ClientManner::InTurn,
            manner => manner,
        };
        let octets = message(&tag, plan.sender.as_deref(), plan.body_lines, &mut random);
        let mut attempted = Attempt { world: &world, number, manner, tag, octets };
        let done = tokio::time::timeout(PATIENCE, attempted.run(&mut random)).await;
        match done {
            Ok(Ok(Outcome::Promised | Outcome::Refused)) => return,
            Ok(Ok(Outcome::NotNow) | Err(_)) | Err(_) => {}
        }
        tokio::time::sleep(Duration::from_secs(15 + random.below(75))).await;
    }
}

const ATTEMPTS_MAX: usize = 30;
/// For all of one connection.
const PATIENCE: Duration = Duration::from_secs(300);

enum Outcome {
    Promised,
    /// For good.
    Refused,
    NotNow,
}

struct Attempt<'w> {
    world: &'w World,
    number: usize,
    manner: ClientManner,
    tag: String,
    octets: Vec<u8>,
}

/// Replies of one connection.
struct Replies {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Attempt<'_> {
    async fn run(&mut self, random: &mut Random) -> io::Result<Outcome> {
        let plan = &self.world.plan.messages[self.number];
        let node = &self.world.plan.nodes[plan.node];
        let stream = TcpStream::connect((node.ip, 25)).await?;
        let mut replies = Replies { stream, buffer: Vec::new() };
        replies.expect(220).await?;
        replies.say("EHLO client.example\r\n").await?;
        replies.expect(250).await?;
        let mut commands = vec![format!("MAIL FROM:<{}>\r\n", plan.sender.as_deref().unwrap_or_default())];
        commands.extend(plan.recipients.iter().map(|recipient| format!("RCPT TO:<{recipient}>\r\n")));
        let mut codes = Vec::new();
        if self.manner == ClientManner::Pipelined {
            commands.push("DATA\r\n".to_owned());
            replies.say(&commands.concat()).await?;
            for _ in &commands {
                codes.push(replies.next().await?.0);
            }
        } else {
            for command in &commands {
                replies.say(command).await?;
                codes.push(replies.next().await?.0);
            }
            replies.say("DATA\r\n").await?;
            codes.push(replies.next().await?.0);
        }
        let taken = |(recipient, code): (&String, &u16)| (*code == 250).then(|| recipient.clone());
        let recipients: Vec<_> = plan.recipients.iter().zip(&codes[1..]).filter_map(taken).collect();
        if codes.last() != Some(&354) {
            let is_for_good = codes[1..=plan.recipients.len()].iter().all(|code| *code >= 500);
            return Ok(if is_for_good { Outcome::Refused } else { Outcome::NotNow });
        }
        self.content(&mut replies, recipients, random).await
    }

    async fn content(
        &mut self,
        replies: &mut Replies,
        recipients: Vec<String>,
        random: &mut Random,
    ) -> io::Result<Outcome> {
        let stuffed = stuffed(&self.octets);
        if self.manner == ClientManner::BreaksOff {
            let some = usize::try_from(random.below(stuffed.len() as u64)).unwrap_or(0);
            replies.stream.write_all(&stuffed[..some]).await?;
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let plan = &self.world.plan.messages[self.number];
        let sent = Sent {
            node: plan.node,
            sender: plan.sender.clone(),
            recipients,
            octets: self.octets.clone(),
            promise: Promise::Unknown,
        };
        self.world.state().ledger.sent.insert(self.tag.clone(), sent);
        // In pieces, so that nodes die and connections break within a message.
        for piece in stuffed.chunks(1 + usize::try_from(random.below(4000)).unwrap_or(0)) {
            replies.stream.write_all(piece).await?;
        }
        replies.say(".\r\n").await?;
        if self.manner == ClientManner::HangsUp {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let (code, text) = replies.next().await?;
        let mail_id = text.rsplit(' ').next().and_then(|id| id.parse().ok());
        let promise = match (code, mail_id) {
            (250, Some(mail_id)) => Promise::Made { mail_id },
            (250, None) => {
                self.world.fail(format!("250 without an id: {text}"));
                Promise::Unknown
            }
            _ => Promise::None,
        };
        if let Some(sent) = self.world.state().ledger.sent.get_mut(&self.tag) {
            sent.promise = promise;
        }
        // What is said afterwards changes nothing.
        let _ = replies.say("QUIT\r\n").await;
        Ok(match code {
            250 => Outcome::Promised,
            500.. => Outcome::Refused,
            _ => Outcome::NotNow,
        })
    }
}

impl Replies {
    async fn say(&mut self, text: &str) -> io::Result<()> {
        self.stream.write_all(text.as_bytes()).await
    }

    async fn expect(&mut self, code: u16) -> io::Result<()> {
        let (said, text) = self.next().await?;
        if said == code { Ok(()) } else { Err(io::Error::other(text)) }
    }

    /// The next reply: its code and its last line.
    async fn next(&mut self) -> io::Result<(u16, String)> {
        loop {
            while let Some(end) = self.buffer.iter().position(|octet| *octet == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                if line.as_bytes().get(3) != Some(&b'-') {
                    let code = line.get(..3).and_then(|code| code.parse().ok());
                    return Ok((code.ok_or_else(|| io::Error::other(line.clone()))?, line));
                }
            }
            let mut octets = [0; 1024];
            let n = self.stream.read(&mut octets).await?;
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.buffer.extend_from_slice(&octets[..n]);
        }
    }
}

fn message(tag: &str, sender: Option<&str>, lines: u64, random: &mut Random) -> Vec<u8> {
    let from = sender.unwrap_or("nobody@client.example");
    let mut text = format!(
        "Message-ID: <{tag}>\r\nFrom: <{from}>\r\nSubject: simulated\r\n\
         Date: Sun, 22 Nov 2026 04:35:24 +0000\r\n\r\n"
    );
    for _ in 0..lines {
        // Lines of dots are what stuffing is for.
        match random.below(12) {
            0 => text.push('.'),
            1 => text.push_str("..two"),
            _ => text.push_str(&format!("{:x}", random.number()).repeat(1 + (lines % 4) as usize)),
        }
        text.push_str("\r\n");
    }
    text.into_bytes()
}

/// With a dot more before each line that begins with one (RFC 5321 §4.5.2).
fn stuffed(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len() + 16);
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        if line.starts_with(b".") {
            out.push(b'.');
        }
        out.extend_from_slice(line);
    }
    out
}
