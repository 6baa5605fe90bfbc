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
            Event::Ready | Event::Unusable(_) => {}
            Event::Closed(end) => {
                let text = format!("-- {end}");
                self.line(Colour::Explanation, &text)?;
            }
        }
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
                self.explain(&explain::reply(stage, reply))?;
                if let Some(status) = reply.enhanced
                    && let Some(Explanation { meaning, source, .. }) = explain::status(status)
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
