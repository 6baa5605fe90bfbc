//! `posta mailbox search`: reads every message, so it needs neither a server nor an index, and takes its time. Of each, no more is
//! read than what is looked for may stand in.

use std::process::ExitCode;

use comfy_table::Cell;
use serde::Serialize;
use server::control::{Client, MessageSummary};

use super::command::{MailboxArg, SearchArgs};
use super::content::{self, Content, Heading};
use super::list::{cut, newest};
use super::{folders, show};
use crate::directory::{number, table, text, time};
use crate::exit::{Failure, Outcome};
use crate::{data, terminal};

/// A message that was found; with `--json` one element of the array.
#[derive(Serialize)]
struct Hit {
    mailbox: String,
    /// What `posta mailbox show` takes.
    n: u32,
    #[serde(flatten)]
    heading: Heading,
    #[serde(flatten)]
    summary: MessageSummary,
}

/// Octets of a message that are read where nothing but its header is looked at.
const HEADER_BYTES_MAX: u64 = 256 << 10;

/// What is looked for, in small letters.
struct Wanted {
    text: Option<String>,
    from: Option<String>,
    to: Option<String>,
    subject: Option<String>,
}

pub(super) fn run(what: &SearchArgs, mailbox: &MailboxArg, json: bool) -> Outcome {
    let mut client = super::client(&mailbox.data)?;
    let wanted = Wanted::of(what);
    let mailboxes = if what.everywhere {
        let all = folders::all(&mut client, mailbox.account.as_deref())?;
        all.into_iter().map(|found| MailboxArg { mailbox: found.name, ..mailbox.clone() }).collect()
    } else {
        vec![mailbox.clone()]
    };
    let mut hits = Vec::new();
    for mailbox in &mailboxes {
        search(&mut client, mailbox, &wanted, &mut hits)?;
    }
    if json {
        terminal::print_json(&hits)?;
    } else if hits.is_empty() {
        terminal::print("nothing found\n")?;
    } else {
        let header = ["MAILBOX", "N", "DATE (UTC)", "FROM", "SUBJECT"];
        terminal::print(&table(&header, hits.iter().map(row)))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn search(
    client: &mut Client,
    mailbox: &MailboxArg,
    wanted: &Wanted,
    hits: &mut Vec<Hit>,
) -> Result<(), Failure> {
    let (summaries, _) = newest(client, mailbox, usize::MAX)?;
    for summary in summaries {
        let mut message = Vec::new();
        let request = super::open(mailbox, summary.uid, Some(wanted.bytes_max()));
        let read = client.read(request, |octets| {
            message.extend_from_slice(octets);
            Ok(())
        });
        match read {
            Ok(_) => {}
            Err(error) if super::is_gone(&error) => continue,
            Err(error) => return Err(data::failure(&error)),
        }
        let content = content::content(&message);
        if wanted.is_in(&content) {
            let (mailbox, n) = (mailbox.mailbox.clone(), summary.uid);
            hits.push(Hit { mailbox, n, heading: content.heading, summary });
        }
    }
    Ok(())
}

fn row(hit: &Hit) -> Vec<Cell> {
    let date = hit.heading.date.as_deref().unwrap_or(&hit.summary.delivered_at);
    vec![
        text(&hit.mailbox),
        number(hit.n),
        text(&time(date)),
        text(&cut(&hit.heading.from, 40)),
        text(&cut(&hit.heading.subject, 80)),
    ]
}

impl Wanted {
    fn of(what: &SearchArgs) -> Self {
        let small = |text: &Option<String>| text.as_ref().map(|text| text.to_lowercase());
        Self {
            text: small(&what.text),
            from: small(&what.from),
            to: small(&what.to),
            subject: small(&what.subject),
        }
    }

    /// How much of a message has to be read.
    fn bytes_max(&self) -> u64 {
        if self.text.is_some() { show::SHOWN_BYTES_MAX } else { HEADER_BYTES_MAX }
    }

    fn is_in(&self, content: &Content) -> bool {
        let Content { heading, cc, message_id, text, .. } = content;
        let has = |wanted: &Option<String>, fields: &[&str]| {
            let Some(wanted) = wanted else { return true };
            fields.iter().any(|field| field.to_lowercase().contains(wanted))
        };
        has(&self.from, &[&heading.from])
            && has(&self.to, &[&heading.to, cc])
            && has(&self.subject, &[&heading.subject])
            && has(&self.text, &[&heading.from, &heading.to, cc, &heading.subject, message_id, text])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_wanted_has_to_be_there_decoded_and_in_any_case_of_letters() {
        let message =
            b"From: =?utf-8?q?J=C3=9Crgen?= <j@example.org>\r\nTo: a@b.example\r\nCc: c@d.example\r\n\
                        Subject: Invoice 7\r\nContent-Transfer-Encoding: base64\r\n\r\nVGhlIFN1bQ==\r\n";
        let content = content::content(message);
        let none = || Wanted { text: None, from: None, to: None, subject: None };
        let some = |text: &str| Some(text.to_lowercase());
        assert!(Wanted { from: some("jürgen"), to: some("C@D"), ..none() }.is_in(&content));
        assert!(Wanted { subject: some("INVOICE"), text: some("the sum"), ..none() }.is_in(&content));
        assert!(Wanted { text: some("a@b.example"), ..none() }.is_in(&content));
        assert!(!Wanted { subject: some("invoice"), text: some("VGhlIFN1"), ..none() }.is_in(&content));
        assert!(!Wanted { from: some("invoice"), ..none() }.is_in(&content));
    }
}
