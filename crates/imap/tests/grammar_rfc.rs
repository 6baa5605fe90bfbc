//! What clients say in the examples of the RFCs is understood, all of it but for what is listed here with its reason.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]

mod grammar_common;

use std::collections::HashSet;

use grammar_common::LIMITS;
use imap::command::{Command, Tagged};
use imap::grammar::{AppendReading, CommandReader, Expected, Reading};

#[test]
fn the_examples_of_the_rfcs_are_understood() {
    let Some(folder) = testdata::folder("rfc") else { return };
    let mut explained = HashSet::new();
    let mut unexplained = Vec::new();
    for (rfc, expected) in RFCS {
        let text = std::fs::read_to_string(folder.join(format!("rfc{rfc}.txt"))).unwrap();
        let mut client = Client::new();
        for line in client_lines(&text) {
            client.say(&line);
        }
        client.end_of_append();
        for (line, problem) in client.refused {
            match EXCEPTIONS.iter().find(|(of, part, _)| of == rfc && stands_in(part, &line)) {
                Some((of, part, _)) => drop(explained.insert((*of, *part))),
                None => unexplained.push(format!("RFC {rfc}: {line}\n    {problem}")),
            }
        }
        assert_eq!(client.understood, *expected, "commands of RFC {rfc}");
    }
    assert!(unexplained.is_empty(), "{}", unexplained.join("\n"));
    let stale: Vec<_> =
        EXCEPTIONS.iter().filter(|(of, part, _)| !explained.contains(&(*of, *part))).collect();
    assert!(stale.is_empty(), "{stale:?}");
}

fn stands_in(part: &str, line: &str) -> bool {
    line.contains(part) && part.is_empty() == line.is_empty()
}

/// RFCs, and how many commands of their examples are understood.
const RFCS: &[(u32, usize)] = &[
    (2177, 6),
    (2342, 17),
    (2971, 2),
    (3501, 60),
    (3502, 3),
    (3691, 1),
    (4314, 27),
    (4315, 5),
    (4469, 5),
    (4731, 9),
    (4959, 6),
    (4978, 4),
    (5032, 1),
    (5161, 4),
    (5182, 26),
    (5256, 6),
    (5258, 26),
    (5267, 5),
    (5464, 10),
    (5465, 5),
    (5530, 20),
    (5819, 1),
    (6154, 12),
    (6851, 1),
    (7162, 56),
    (7888, 2),
    (7889, 4),
    (8438, 4),
    (8440, 2),
    (8457, 4),
    (8474, 22),
    (8508, 4),
    (8514, 3),
    (8970, 9),
    (9051, 181),
    (9208, 8),
];

/// Lines of the examples that are refused, and why.
const EXCEPTIONS: &[(u32, &str, &str)] = &[
    (3501, "A442 XPIG-LATIN", "an experimental command, refused in the example too"),
    (3501, "...very long command line...", "no command"),
    (3501, "...empty line...", "no command"),
    (3501, "A044 BLURDYBLOOP", "a command that does not exist, refused in the example too"),
    (4314, "A006 SELECT TargetMailbox ...", "its parameters are left out"),
    (4959, "(note that there is a space", "a note stands in the line"),
    (4959, "dGVzdAB0ZXN0AHRlc3Q=", "the exchange that the line before should begin"),
    (4959, "", "the exchange that the line before should begin"),
    (5267, "(CONTEXT COUNT)", "CONTEXT is not offered"),
    (5267, "(UPDATE", "CONTEXT is not offered"),
    (5267, "CANCELUPDATE", "CONTEXT is not offered"),
    (
        5464,
        "a SETMETADATA INBOX (/private/comment NIL)",
        "the literal before it is broken over lines, put together here",
    ),
    (5464, "/private/comment /shared/comment", "without the parentheses that §5 asks for"),
    (5465, "b notify set status (selected", "without the parentheses that §8 asks for around events"),
    (5465, "e notify set (selected", "without the parentheses that §8 asks for around events"),
    (5465, "(COUNT UPDATE", "CONTEXT is not offered"),
    (5819, "RECURSIVEMATCH)\"\"", "without a space"),
    (9051, "A442 XPIG-LATIN", "an experimental command, refused in the example too"),
    (9051, "...very long command line...", "no command"),
    (9051, "...empty line...", "no command"),
    (9051, "A044 BLURDYBLOOP", "a command that does not exist, refused in the example too"),
];

struct Client {
    reader: CommandReader,
    /// Within a command: the line is the rest of one.
    within: Within,
    understood: usize,
    refused: Vec<(String, String)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Within {
    Nothing,
    /// A command whose literal comes.
    Command,
    /// AUTHENTICATE or IDLE.
    Exchange,
    /// An APPEND whose message was made up, since RFCs rarely count them right; the lines of the one that they show are
    /// passed over.
    Append,
}

impl Client {
    fn new() -> Self {
        Self {
            reader: CommandReader::new(LIMITS),
            within: Within::Nothing,
            understood: 0,
            refused: Vec::new(),
        }
    }

    fn say(&mut self, line: &str) {
        let begins = begins_command(line.trim_start());
        let line = match self.within {
            Within::Exchange if begins => {
                self.reader.expect(Expected::Command);
                line.trim_start()
            }
            Within::Append if begins => {
                self.end_of_append();
                line.trim_start()
            }
            Within::Append
                if ![" URL", " TEXT", " (", " {", ")"].iter().any(|part| line.starts_with(part)) =>
            {
                return;
            }
            Within::Nothing => line.trim_start(),
            _ => line,
        };
        self.feed(line, format!("{line}\r\n").as_bytes());
    }

    fn end_of_append(&mut self) {
        if self.within == Within::Append {
            self.feed("", b"\r\n");
        }
    }

    fn feed(&mut self, line: &str, octets: &[u8]) {
        let mut rest = octets;
        loop {
            let (consumed, reading) = self.reader.receive(rest);
            rest = &rest[consumed..];
            match reading {
                Reading::NeedInput => return,
                Reading::Continue => self.within = Within::Command,
                Reading::Line(line) if self.within == Within::Exchange && line != b"DONE" => {
                    self.reader.expect(Expected::Line);
                }
                Reading::Line(_) => self.within = Within::Nothing,
                Reading::Refused { problem, .. } => {
                    self.refused.push((line.to_owned(), problem.to_string()));
                    (self.reader, self.within) = (CommandReader::new(LIMITS), Within::Nothing);
                    return;
                }
                Reading::Append(AppendReading::Literal { size_bytes, .. }) => {
                    self.reader.accept_literal();
                    self.within = Within::Append;
                    self.feed(line, &vec![b'x'; usize::try_from(size_bytes).unwrap()]);
                }
                Reading::Append(AppendReading::End) => {
                    self.understood += 1;
                    self.within = Within::Nothing;
                }
                Reading::Append(_) => {}
                Reading::Command(Tagged { command, .. }) => {
                    self.understood += 1;
                    self.within = Within::Nothing;
                    if matches!(command, Command::Authenticate { .. } | Command::Idle) {
                        self.reader.expect(Expected::Line);
                        self.within = Within::Exchange;
                    }
                }
            }
        }
    }
}

/// Whether a line begins with a tag and a word of letters: no line of the messages in the examples does with one of these.
fn begins_command(line: &str) -> bool {
    let Some((tag, rest)) = line.split_once(' ') else { return false };
    let word = rest.split(' ').next().unwrap_or_default().to_ascii_uppercase();
    let commands = [
        "APPEND",
        "REPLACE",
        "UID",
        "LOGIN",
        "SELECT",
        "FETCH",
        "NOOP",
        "LOGOUT",
        "CREATE",
        "LIST",
        "STATUS",
        "CAPABILITY",
    ];
    tag.bytes().all(|octet| octet.is_ascii_alphanumeric()) && commands.contains(&word.as_str())
}

/// What stands behind `C:`, lines that were broken put together.
fn client_lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    // Where the label of the line under construction stands.
    let mut column = None;
    for line in text.lines() {
        let trimmed = line.trim_start();
        let indent = line.len() - trimmed.len();
        let label = trimmed.find("C:").filter(|at| {
            let before = trimmed[..*at].trim_end();
            before.is_empty() || before.starts_with("Example") && before.ends_with(':')
        });
        if let Some(at) = label {
            column = Some(indent + at);
            let said = &trimmed[at + 2..];
            lines.push(said.strip_prefix(' ').unwrap_or(said).to_owned());
        } else if trimmed.is_empty() || trimmed.starts_with("S:") {
            column = None;
        } else if column.is_some_and(|column| indent > column)
            && let Some(last) = lines.last_mut()
        {
            if !last.ends_with(',') {
                last.push(' ');
            }
            last.push_str(trimmed);
        } else {
            column = None;
        }
    }
    lines
}
