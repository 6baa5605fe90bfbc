//! Listens in on a connection that a node has opened, so that it is known from outside which message was sent to its
//! last octet, and which answer has come back.

use super::ledger::tag_of;

/// One connection.
#[derive(Debug)]
pub(super) struct Sniffer {
    mode: Mode,
    line: Vec<u8>,
    /// The beginning of the message that goes.
    beginning: Vec<u8>,
    /// How many replies are owed for what was sent, the greeting among them.
    owed: u64,
    /// How many have come.
    come: u64,
    reply: Vec<u8>,
    /// A message that has gone: which reply is about it, and its tag.
    gone: Option<(u64, String)>,
}

#[derive(Debug, Clone, Copy)]
enum Mode {
    Commands,
    /// DATA was said.
    Asked,
    /// How much of CRLF.CRLF has gone.
    Data(usize),
    Chunk {
        left: usize,
        is_last: bool,
    },
}

/// What was heard.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A message has gone to its end.
    Gone(String),
    /// It was answered.
    Answered(String, u16),
}

/// Where the tag stands.
const BEGINNING_BYTES_MAX: usize = 16 * 1024;
const END: &[u8] = b"\r\n.\r\n";

impl Sniffer {
    pub(super) const fn new() -> Self {
        Self {
            mode: Mode::Commands,
            line: Vec::new(),
            beginning: Vec::new(),
            owed: 1,
            come: 0,
            reply: Vec::new(),
            gone: None,
        }
    }

    /// The message of which nobody knows whether it was taken.
    pub(super) fn unanswered(&mut self) -> Option<String> {
        self.gone.take().map(|(_, tag)| tag)
    }

    /// Octets that the node sends.
    pub(super) fn sent(&mut self, octets: &[u8]) -> Vec<Heard> {
        let mut heard = Vec::new();
        let mut rest = octets;
        while let Some((&octet, more)) = rest.split_first() {
            match self.mode {
                Mode::Commands | Mode::Asked => {
                    self.line.push(octet);
                    if octet == b'\n' {
                        self.command(&mut heard);
                    }
                    rest = more;
                }
                Mode::Data(matched) => {
                    self.begins_with(&[octet]);
                    let matched =
                        if octet == END[matched] { matched + 1 } else { usize::from(octet == b'\r') };
                    self.mode = Mode::Data(matched);
                    if matched == END.len() {
                        self.owed += 1;
                        self.ended(&mut heard);
                    }
                    rest = more;
                }
                Mode::Chunk { left, is_last } => {
                    let n = left.min(rest.len());
                    self.begins_with(&rest[..n]);
                    rest = &rest[n..];
                    self.mode = Mode::Chunk { left: left - n, is_last };
                    if left == n {
                        self.chunk_ended(is_last, &mut heard);
                    }
                }
            }
        }
        heard
    }

    /// Octets that the node gets.
    pub(super) fn received(&mut self, octets: &[u8]) -> Option<Heard> {
        let mut heard = None;
        for &octet in octets {
            self.reply.push(octet);
            if octet == b'\n' {
                heard = self.reply_line().or(heard);
            }
        }
        heard
    }

    fn reply_line(&mut self) -> Option<Heard> {
        let line = std::mem::take(&mut self.reply);
        if line.get(3) == Some(&b'-') {
            return None;
        }
        let code = line.get(..3).and_then(|code| std::str::from_utf8(code).ok()?.parse().ok());
        let code: u16 = code.unwrap_or(0);
        self.come += 1;
        if matches!(self.mode, Mode::Asked) && self.come == self.owed {
            // The CRLF before the first dot may be that of the command.
            self.mode = if code == 354 { Mode::Data(2) } else { Mode::Commands };
            self.beginning.clear();
        }
        match &self.gone {
            Some((at, _)) if *at <= self.come => {
                let (_, tag) = self.gone.take()?;
                Some(Heard::Answered(tag, code))
            }
            _ => None,
        }
    }

    fn command(&mut self, heard: &mut Vec<Heard>) {
        let line = String::from_utf8_lossy(&self.line).trim_end().to_ascii_uppercase();
        self.line.clear();
        self.owed += 1;
        self.mode = Mode::Commands;
        if line == "DATA" {
            self.mode = Mode::Asked;
        } else if let Some(rest) = line.strip_prefix("BDAT ") {
            let mut words = rest.split(' ');
            let left = words.next().and_then(|size| size.parse().ok()).unwrap_or(0);
            let is_last = words.next() == Some("LAST");
            self.mode = Mode::Chunk { left, is_last };
            if left == 0 {
                self.chunk_ended(is_last, heard);
            }
        } else if line.starts_with("MAIL ") {
            self.beginning.clear();
        }
    }

    fn begins_with(&mut self, octets: &[u8]) {
        let room = BEGINNING_BYTES_MAX.saturating_sub(self.beginning.len());
        self.beginning.extend_from_slice(&octets[..octets.len().min(room)]);
    }

    fn chunk_ended(&mut self, is_last: bool, heard: &mut Vec<Heard>) {
        self.mode = Mode::Commands;
        if is_last {
            self.ended(heard);
        }
    }

    fn ended(&mut self, heard: &mut Vec<Heard>) {
        self.mode = Mode::Commands;
        let tag = tag_of(&self.beginning).unwrap_or_default();
        self.beginning.clear();
        self.gone = Some((self.owed, tag.clone()));
        heard.push(Heard::Gone(tag));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_heard_to_its_end_and_so_is_its_answer() {
        let mut sniffer = Sniffer::new();
        assert_eq!(sniffer.received(b"220 hello\r\n"), None);
        assert!(sniffer.sent(b"EHLO a\r\n").is_empty());
        assert_eq!(sniffer.received(b"250-b\r\n250 PIPELINING\r\n"), None);
        assert!(sniffer.sent(b"MAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\n").is_empty());
        assert_eq!(sniffer.received(b"250 ok\r\n250 ok\r\n354 go\r\n"), None);
        assert!(sniffer.sent(b"Received: x\r\nMessage-ID: <m1@c>\r\n\r\nhi\r\n..\r\n.\r").is_empty());
        assert_eq!(sniffer.sent(b"\n"), [Heard::Gone("m1@c".into())]);
        assert_eq!(sniffer.received(b"250 o"), None);
        assert_eq!(sniffer.received(b"k\r\n"), Some(Heard::Answered("m1@c".into(), 250)));
        assert_eq!(sniffer.unanswered(), None);
    }

    #[test]
    fn a_chunk_that_is_pipelined_is_answered_by_its_own_reply() {
        let mut sniffer = Sniffer::new();
        sniffer.received(b"220 hello\r\n");
        assert!(sniffer.sent(b"MAIL FROM:<>\r\nBDAT 21 LAST\r\nMessage-ID: <m@c>\r\n\r").is_empty());
        assert_eq!(sniffer.sent(b"\n"), [Heard::Gone("m@c".into())]);
        assert_eq!(sniffer.received(b"250 sender\r\n"), None);
        assert_eq!(sniffer.unanswered(), Some("m@c".into()));
    }
}
