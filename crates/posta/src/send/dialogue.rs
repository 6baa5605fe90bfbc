//! The conversation as one would show it to a student who types the same into telnet: `S:` is the server, `C:`
//! the client, and below each line stands what it means.

use std::io::{IsTerminal, Write};

use smtp::client::{Event, Stage};
use smtp::grammar::reply::harmless;
use types::Reply;

use super::compose::Composed;
use super::explain::{self, Explanation};

/// Lines of a message that are shown; the rest is counted.
const BODY_LINES_SHOWN: usize = 24;
/// Characters of a line that are shown.
const LINE_CHARACTERS_SHOWN: usize = 160;

/// Writes the conversation down as it happens.
pub(crate) struct Dialogue {
    out: Box<dyn Write>,
    paint: Paint,
    body: BodyShown,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Paint {
    Plain,
    Colours,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum BodyShown {
    No,
    Yes,
}

/// Whether a line that begins with a dot is shown with the second dot that DATA gives it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dots {
    Doubled,
    AsTheyAre,
}

#[derive(Clone, Copy)]
enum Colour {
    Server,
    Client,
    Explanation,
}

impl Dialogue {
    /// On the standard output, or on the standard error stream where JSON is the output. Colours only on a
    /// terminal, and not with `NO_COLOR` (no-color.org).
    pub(crate) fn new(json: bool) -> Self {
        let (out, is_terminal): (Box<dyn Write>, bool) = if json {
            (Box::new(std::io::stderr()), std::io::stderr().is_terminal())
        } else {
            (Box::new(std::io::stdout()), std::io::stdout().is_terminal())
        };
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let paint = if is_terminal && !no_colour { Paint::Colours } else { Paint::Plain };
        Self { out, paint, body: BodyShown::No }
    }

    /// Shows one event.
    pub(crate) fn show(&mut self, event: &Event, composed: &Composed) -> std::io::Result<()> {
        match event {
            Event::Said { line, .. } => self.show_command(line, composed)?,
            Event::Heard { stage, reply } => {
                self.show_reply(*stage, reply)?;
                if *stage == Stage::Data && reply.code < 400 {
                    self.show_body(composed, Dots::Doubled)?;
                }
            }
            Event::Finished(_) => self.body = BodyShown::No,
            Event::Ready
            | Event::Unusable(_)
            | Event::StartTls
            | Event::Authenticate { .. }
            | Event::Challenge(_) => {}
            Event::Closed(end) => {
                let text = format!("-- {end}");
                self.line(Colour::Explanation, &text)?;
            }
        }
        self.out.flush()
    }

    /// What TLS agreed on.
    pub(crate) fn show_secured(&mut self, told: &str) -> std::io::Result<()> {
        self.line(Colour::Explanation, &format!("-- {}", shown(told)))?;
        self.out.flush()
    }

    fn show_command(&mut self, line: &str, composed: &Composed) -> std::io::Result<()> {
        self.line(Colour::Client, &format!("C: {}", shown(line)))?;
        if let Some(explanation) = explain::verb(line) {
            self.explain(&explanation)?;
        }
        if line.starts_with("MAIL ") {
            for explanation in explain::parameters(line) {
                self.explain(&explanation)?;
            }
        }
        if line.starts_with("BDAT ") && self.body == BodyShown::No {
            self.show_body(composed, Dots::AsTheyAre)?;
        }
        Ok(())
    }

    fn show_reply(&mut self, stage: Stage, reply: &Reply) -> std::io::Result<()> {
        let enhanced = reply.enhanced.map(|status| format!("{status} ")).unwrap_or_default();
        let mut lines = reply.text.split('\n').enumerate().peekable();
        while let Some((index, line)) = lines.next() {
            let separator = if lines.peek().is_some() { '-' } else { ' ' };
            self.line(Colour::Server, &format!("S: {}{separator}{enhanced}{}", reply.code, shown(line)))?;
            if index == 0 {
                let (meaning, source) = explain::reply(stage, reply);
                self.explain_as(&reply.code.to_string(), meaning, source)?;
                if let Some(status) = reply.enhanced
                    && let Some((meaning, source)) = explain::status(status)
                {
                    self.explain_as(&status.to_string(), meaning, source)?;
                }
            } else if stage == Stage::Hello
                && let Some(explanation) = explain::keyword(line)
            {
                self.explain(&explanation)?;
            }
        }
        Ok(())
    }

    /// The message as it goes over the wire.
    fn show_body(&mut self, composed: &Composed, dots: Dots) -> std::io::Result<()> {
        self.body = BodyShown::Yes;
        let text = String::from_utf8_lossy(&composed.octets);
        let lines: Vec<&str> = text.lines().collect();
        let mut is_header = true;
        for line in lines.iter().take(BODY_LINES_SHOWN) {
            let is_doubled = dots == Dots::Doubled && line.starts_with('.');
            let dot = if is_doubled { "." } else { "" };
            self.line(Colour::Client, &format!("C: {dot}{}", shown(line)))?;
            if is_header && line.is_empty() {
                is_header = false;
                self.explain(&END_OF_HEADER)?;
            }
            if is_doubled {
                self.explain(&DOT)?;
            }
        }
        let more = lines.len().saturating_sub(BODY_LINES_SHOWN);
        if more > 0 {
            let bytes = composed.octets.len();
            self.line(Colour::Client, &format!("C: [{more} more lines; the message has {bytes} octets]"))?;
        }
        Ok(())
    }

    fn explain(&mut self, explanation: &Explanation) -> std::io::Result<()> {
        self.explain_as(explanation.word, explanation.meaning, explanation.source)
    }

    fn explain_as(&mut self, word: &str, meaning: &str, source: &str) -> std::io::Result<()> {
        self.line(Colour::Explanation, &format!("      {word}: {meaning} ({source})"))
    }

    fn line(&mut self, colour: Colour, text: &str) -> std::io::Result<()> {
        let code = match colour {
            Colour::Server => "36",
            Colour::Client => "1",
            Colour::Explanation => "2",
        };
        match self.paint {
            Paint::Plain => writeln!(self.out, "{text}"),
            Paint::Colours => writeln!(self.out, "\x1b[{code}m{text}\x1b[0m"),
        }
    }
}

const END_OF_HEADER: Explanation = Explanation {
    word: "empty line",
    meaning: "ends the header fields; the body follows",
    source: "RFC 5322 §2.1",
};

const DOT: Explanation = Explanation {
    word: "..",
    meaning: "a line that begins with a dot gets a second one, which the server takes off: a dot alone is the end",
    source: "RFC 5321 §4.5.2",
};

/// A line fit for the terminal, cut where it is long.
fn shown(line: &str) -> String {
    let line = harmless(line);
    match line.char_indices().nth(LINE_CHARACTERS_SHOWN) {
        None => line,
        Some((end, _)) => format!("{} [{} more characters]", &line[..end], line[end..].chars().count()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use smtp::client::End;
    use types::{Envelope, ReversePath};

    use super::*;

    struct Page(Sender<Vec<u8>>);

    impl Write for Page {
        fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
            self.0.send(octets.to_vec()).map(|()| octets.len()).map_err(std::io::Error::other)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn page(paint: Paint) -> (Dialogue, Receiver<Vec<u8>>) {
        let (sender, receiver) = channel();
        (Dialogue { out: Box::new(Page(sender)), paint, body: BodyShown::No }, receiver)
    }

    fn read(page: (Dialogue, Receiver<Vec<u8>>)) -> String {
        drop(page.0);
        String::from_utf8(page.1.iter().flatten().collect()).unwrap()
    }

    fn composed(octets: &str) -> Composed {
        let envelope = Envelope::new(ReversePath::Null, []);
        Composed { envelope, octets: octets.replace('\n', "\r\n").into_bytes() }
    }

    fn heard(stage: Stage, code: u16, enhanced: &str, text: &str) -> Event {
        let text = text.to_owned().into();
        Event::Heard { stage, reply: Reply { code, enhanced: enhanced.parse().ok(), text } }
    }

    fn said(stage: Stage, line: &str) -> Event {
        Event::Said { stage, line: line.to_owned() }
    }

    #[test]
    fn a_conversation_is_shown_with_what_each_line_means() {
        let mut page = page(Paint::Plain);
        let composed = composed("Subject: x\n\n.dot\n");
        for event in [
            heard(Stage::Hello, 250, "", "mail.example\nSIZE 1000\nXODD 1"),
            said(Stage::Mail, "MAIL FROM:<a@b.example> SIZE=5"),
            heard(Stage::Mail, 550, "5.7.1", "Not you"),
            said(Stage::Data, "DATA"),
            heard(Stage::Data, 354, "", "Go"),
            said(Stage::EndOfData, "."),
            Event::Closed(End::Quit),
        ] {
            page.0.show(&event, &composed).unwrap();
        }
        let expected = "\
S: 250-mail.example
      250: the greeting is accepted; each further line is an extension that is offered (RFC 5321 §4.1.1.1)
S: 250-SIZE 1000
      SIZE: the largest message taken here, in octets; none or 0 means no fixed limit (RFC 1870)
S: 250 XODD 1
C: MAIL FROM:<a@b.example> SIZE=5
      MAIL: begins a message and says where a report goes if it cannot be delivered (RFC 5321 §4.1.1.2)
      SIZE: how large the message is, so that the server can refuse before it is sent (RFC 1870 §6)
S: 550 5.7.1 Not you
      550: the mailbox cannot be used: there is none of that name, or policy refuses the mail (RFC 5321 §4.2.3)
      5.7.1: this sender may not send this message to this recipient: the commonest refusal, with many causes \
that only the text tells apart (RFC 3463 §3.8)
C: DATA
      DATA: announces the message itself: its header fields, an empty line, its body (RFC 5321 §4.1.1.4)
S: 354 Go
      354: send the message now, and end it with a line that holds only a dot (RFC 5321 §4.3.2)
C: Subject: x
C: 
      empty line: ends the header fields; the body follows (RFC 5322 §2.1)
C: ..dot
      ..: a line that begins with a dot gets a second one, which the server takes off: a dot alone is the end \
(RFC 5321 §4.5.2)
C: .
      .: a line that holds only a dot ends the message; now the server has to answer for it (RFC 5321 §4.1.1.4)
-- the connection was closed by QUIT
";
        assert_eq!(read(page), expected);
    }

    #[test]
    fn long_bodies_and_long_lines_are_cut() {
        let mut page = page(Paint::Plain);
        let composed = composed(&format!("{}\n{}", "x".repeat(1000), "line\n".repeat(100)));
        page.0.show(&heard(Stage::Data, 354, "", "Go"), &composed).unwrap();
        let text = read(page);
        assert!(text.lines().all(|line| line.len() < 200) && text.contains("[840 more characters]"));
        assert!(text.ends_with("C: [77 more lines; the message has 1602 octets]\n"), "{text}");
    }

    #[test]
    fn nothing_that_is_shown_can_steer_the_terminal() {
        let mut page = page(Paint::Plain);
        let composed = composed("Subject: \x1b]0;title\x07\n\u{9b}31m\u{202e}\n");
        page.0.show(&heard(Stage::Data, 354, "", "Go \x1b[2J"), &composed).unwrap();
        let text = read(page);
        assert!(!text.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text:?}");
    }

    #[test]
    fn colours_are_only_for_a_terminal() {
        let shown = |paint| {
            let mut page = page(paint);
            page.0.show(&said(Stage::Quit, "QUIT"), &composed("")).unwrap();
            read(page)
        };
        assert!(shown(Paint::Colours).contains("\x1b[1mC: QUIT\x1b[0m"));
        assert!(!shown(Paint::Plain).contains('\x1b'));
    }
}
