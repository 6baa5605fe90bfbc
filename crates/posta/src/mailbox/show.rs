//! `posta mailbox show`.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use server::control::ClientError;

use super::command::MailboxArg;
use super::content::{self, Content};
use crate::exit::{Exit, Failure, Outcome};
use crate::{data, screen, terminal};

/// Octets of a message that are read to be shown decoded.
const SHOWN_BYTES_MAX: u64 = 32 << 20;

/// How a message is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// The main header fields and the text, decoded.
    Reader,
    /// The same as one JSON object.
    Json,
    /// Every octet as it is stored.
    Raw,
}

pub(crate) fn run(mailbox: &MailboxArg, uid: u32, form: Form) -> Outcome {
    match form {
        Form::Raw => raw(mailbox, uid),
        Form::Reader | Form::Json => decoded(mailbox, uid, form),
    }
}

/// Into a pipe or a file: exactly what is stored. On a terminal control characters are escaped all the same.
fn raw(mailbox: &MailboxArg, uid: u32) -> Outcome {
    let mut client = super::client(&mailbox.data)?;
    let mut stdout = std::io::stdout().lock();
    let is_terminal = stdout.is_terminal();
    let read = client.read(super::open(mailbox, uid, None), |octets| {
        if is_terminal {
            // A character that lies across two pieces is shown as unreadable; the octets are for pipes.
            stdout.write_all(terminal::text(&String::from_utf8_lossy(octets)).as_bytes())
        } else {
            stdout.write_all(octets)
        }
    });
    read.map_err(|error| failure(mailbox, uid, &error))?;
    stdout.flush().map_err(|error| crate::exit::output(&error))?;
    Ok(ExitCode::SUCCESS)
}

fn failure(mailbox: &MailboxArg, uid: u32, error: &ClientError) -> Failure {
    if !super::is_gone(error) {
        return data::failure(error);
    }
    let mailbox = terminal::line(&mailbox.mailbox);
    let text = format_args!("there is no message {uid} in {mailbox}");
    Failure::with_help(Exit::Failed, text, "`posta mailbox list` shows the numbers of those that are")
}

fn decoded(mailbox: &MailboxArg, uid: u32, form: Form) -> Outcome {
    let mut client = super::client(&mailbox.data)?;
    let mut message = Vec::new();
    let read = client.read(super::open(mailbox, uid, Some(SHOWN_BYTES_MAX)), |octets| {
        message.extend_from_slice(octets);
        Ok(())
    });
    let size_bytes = read.map_err(|error| failure(mailbox, uid, &error))?;
    let content = content::content(&message);
    if form == Form::Json {
        let mut value = serde_json::to_value(&content).unwrap_or_default();
        if let Some(object) = value.as_object_mut() {
            object.insert("n".to_owned(), uid.into());
            object.insert("size_bytes".to_owned(), size_bytes.into());
        }
        terminal::print_json(&value)?;
    } else {
        terminal::print(&for_reader(&content, size_bytes))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn for_reader(content: &Content, size_bytes: u64) -> String {
    let date = content.heading.date.as_deref().unwrap_or_default();
    let fields = [
        ("From", content.heading.from.as_str()),
        ("To", &content.heading.to),
        ("Cc", &content.cc),
        ("Subject", &content.heading.subject),
        ("Date", date),
        ("Message-ID", &content.message_id),
    ];
    let mut text = String::new();
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        text.push_str(&format!("{name:<11} {}\n", terminal::line(value)));
    }
    text.push_str(&format!("{:<11} {}\n", "Size", screen::size(size_bytes)));
    for attachment in &content.attachments {
        let name = if attachment.name.is_empty() { "without a name" } else { &attachment.name };
        text.push_str(&format!(
            "{:<11} {} ({}, {})\n",
            "Attachment",
            terminal::line(name),
            terminal::line(&attachment.media_type),
            screen::size(attachment.size_bytes as u64),
        ));
    }
    text.push('\n');
    text.push_str(&terminal::text(&content.text));
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}
