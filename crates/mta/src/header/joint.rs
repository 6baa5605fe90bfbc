//! What has to stand between the trace fields that are put on top of a message and the message itself.

use super::field::{field_name_len, is_empty_line, is_ftext, is_white};

/// How a message joins the trace fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joint {
    /// It begins with a field or with an empty line, or is empty: nothing is needed.
    Fields,
    /// It begins with white space, or with a line that is no field. Below trace fields the one would be read as
    /// more of the last of them, the other by one program as the end of the header section and by the next as
    /// nothing at all. An empty line makes all of it body, for every reader.
    EmptyLine,
    /// It begins with the line `From …` of a mailbox file, which some programs forget to take off. That line is kept
    /// as a field, as other servers do, and the fields behind it stay fields.
    MailboxLine,
    /// Too little of it is there to tell.
    Undecided,
}

impl Joint {
    /// What is written between the trace fields and the message.
    #[must_use]
    pub const fn octets(self) -> &'static [u8] {
        match self {
            Self::Fields | Self::Undecided => b"",
            Self::EmptyLine => b"\r\n",
            Self::MailboxLine => b"X-Mailbox-Line: ",
        }
    }
}

/// How a message that begins with these octets joins the trace fields. They decide as soon as they hold the first
/// line, or [`FIRST_OCTETS_MAX`] octets; `is_all` says that nothing follows them.
#[must_use]
pub fn joins_trace_fields(first: &[u8], is_all: bool) -> Joint {
    let more_may_tell = !is_all && first.len() < FIRST_OCTETS_MAX;
    if first.is_empty() || first == b"\r" {
        return if more_may_tell { Joint::Undecided } else { Joint::Fields };
    }
    if is_empty_line(first) || field_name_len(first).is_some() {
        return Joint::Fields;
    }
    let name_end = first.iter().position(|b| !is_ftext(*b)).unwrap_or(first.len());
    if name_end > 0 && more_may_tell && first[name_end..].iter().all(|b| is_white(*b)) {
        return Joint::Undecided;
    }
    let quotes = first.iter().position(|b| *b != b'>').unwrap_or(first.len());
    if first[quotes..].starts_with(MAILBOX_LINE) { Joint::MailboxLine } else { Joint::EmptyLine }
}

/// Octets that are always enough to decide: a field's name with its colon is on one line, and no line is longer
/// (RFC 5322 §2.1.1).
pub const FIRST_OCTETS_MAX: usize = 998;

const MAILBOX_LINE: &[u8] = b"From ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_first_decides_how_a_message_joins_the_trace_fields() {
        use Joint::{EmptyLine, Fields, MailboxLine};
        for (message, joint) in [
            ("", Fields),
            ("\r\n", Fields),
            ("\r\nbody", Fields),
            ("\n", Fields),
            ("Subject: x\r\n", Fields),
            ("Subject : x\r\n", Fields),
            ("X:", Fields),
            (" for <victim@example.org>;\r\n", EmptyLine),
            ("\tSun, 22 Nov 2026 04:35:24 +0000\r\n", EmptyLine),
            (" \r\n", EmptyLine),
            ("Hello\r\n", EmptyLine),
            ("Hello world: this is no field\r\n", EmptyLine),
            (": x\r\n", EmptyLine),
            ("Hello", EmptyLine),
            ("Übersicht: x\r\n", EmptyLine),
            ("\0", EmptyLine),
            ("\rSubject: x", EmptyLine),
            ("From ada@example.org Sun Nov 22 04:35:24 2026\r\nSubject: x\r\n", MailboxLine),
            (">From ada@example.org Sun Nov 22 04:35:24 2026\r\n", MailboxLine),
            ("From: ada@example.org\r\n", Fields),
            ("From : ada@example.org\r\n", Fields),
            ("Fro m: x\r\n", EmptyLine),
            ("From  ", MailboxLine),
        ] {
            assert_eq!(joins_trace_fields(message.as_bytes(), true), joint, "{message:?}");
            // However little of it has come, the answer is the same or not there yet.
            for len in 0..message.len() {
                let early = joins_trace_fields(&message.as_bytes()[..len], false);
                let whole = joins_trace_fields(message.as_bytes(), true);
                assert!(early == Joint::Undecided || early == whole, "{message:?} at {len}: {early:?}");
            }
        }
    }

    #[test]
    fn a_first_line_that_never_ends_is_decided() {
        assert_eq!(joins_trace_fields(&[b'x'; FIRST_OCTETS_MAX], false), Joint::EmptyLine);
        assert_eq!(joins_trace_fields(&[b'x'; FIRST_OCTETS_MAX - 1], false), Joint::Undecided);
    }

    #[test]
    fn trace_fields_are_read_the_same_whatever_follows_them() {
        let trace = b"Received: from a by b;\r\n Sun, 22 Nov 2026 04:35:24 +0000\r\n";
        for message in [" injected\r\n\r\nbody", "Hello\r\n", "From x\r\nSubject: y\r\n\r\n", "A: b\r\n\r\n"]
        {
            let joint = joins_trace_fields(message.as_bytes(), true);
            let whole = [trace, joint.octets(), message.as_bytes()].concat();
            let first = super::super::field::FieldsOf::new(&whole).next().unwrap();
            assert_eq!(first.range, 0..trace.len(), "{message:?}");
            assert!(super::super::field::FieldsOf::new(&whole).all(|field| field.name.is_some()));
        }
    }
}
