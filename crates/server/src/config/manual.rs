//! The commented sample and the manual, made from the table of the configuration.

use std::fmt::Write as _;

use super::auth::{Auth, Oauth};
use super::authenticity::Authenticity;
use super::dkim::Dkim;
use super::forwarding::Forwarding;
use super::mailboxes::Mailboxes;
use super::outbound::{Delivery, Dns, Queue};
use super::reputation::{DnsList, Greylisting, Reputation};
use super::section::{Key, Section};
use super::sections::{
    Certificate, Imap, Limits, Listener, Log, Machine, Policy, Pop3, Smtp, Store, Submission, Tls, Trace,
};
use super::signing::Signing;
use super::transport::TransportTable;

/// A file with every key, its meaning and its default, all commented out: used as it is, it changes nothing.
#[must_use]
pub fn sample() -> String {
    let mut text = String::from(
        "# Configuration of Posta, read by `posta serve --config FILE`.\n\
         # Each key stands here with its default; remove the # before one to change it.\n\
         # `posta config check --config FILE` tells whether a file can be used.\n",
    );
    for chapter in chapters() {
        text.push('\n');
        comment(&mut text, chapter.doc);
        if !chapter.heading.is_empty() {
            let _ = writeln!(text, "#{}", chapter.heading);
        }
        for key in chapter.keys {
            text.push('\n');
            comment(&mut text, key.doc);
            if let Some(minimum) = minimum(&key) {
                let _ = writeln!(text, "# {minimum}");
            }
            let _ = writeln!(text, "#{} = {}", key.name, key.default);
        }
    }
    text
}

/// The manual in Markdown.
#[must_use]
pub fn manual() -> String {
    let mut text = String::from(
        "# Configuration\n\n\
         This text is made from the program's own table of keys (`posta config docs`).\n\n\
         `posta serve --config FILE` reads one TOML file. `posta config sample` writes one with every key and its\n\
         default; `posta config check --config FILE` reports all faults of a file with their lines. A key that is\n\
         not listed here is a fault. Sizes are whole numbers of octets or text with a unit (`\"64 KiB\"`,\n\
         `\"50 MiB\"`, `\"2 GiB\"`); names that end in `_s` are seconds.\n\n\
         `posta dev` takes no file: it uses these defaults with loopback listeners, and every address that is no\n\
         account is delivered into the first account, or sent to `--relay HOST:PORT` where that is given.\n",
    );
    for chapter in chapters() {
        let heading = if chapter.heading.is_empty() { "Before any table" } else { chapter.heading };
        let _ = write!(text, "\n## {heading}\n\n");
        for line in chapter.doc {
            let _ = writeln!(text, "{}", line.trim());
        }
        for key in chapter.keys {
            let _ = write!(text, "\n### `{}`\n\n", key.name);
            for line in key.doc {
                let _ = writeln!(text, "{}", line.trim());
            }
            let minimum = minimum(&key).map_or(String::new(), |minimum| format!(" {minimum}"));
            let _ = write!(text, "\nDefault: `{}`.{minimum}\n", key.default);
        }
    }
    text
}

struct Chapter {
    heading: &'static str,
    doc: &'static [&'static str],
    keys: Vec<Key>,
}

fn chapters() -> Vec<Chapter> {
    vec![
        chapter::<Machine>(""),
        chapter::<Listener>("[[listener]]"),
        chapter::<Certificate>("[[certificate]]"),
        chapter::<Tls>("[tls]"),
        chapter::<Smtp>("[smtp]"),
        chapter::<Submission>("[submission]"),
        chapter::<Policy>("[policy]"),
        chapter::<Authenticity>("[authenticity]"),
        chapter::<Dkim>("[dkim]"),
        chapter::<Signing>("[signing]"),
        chapter::<Forwarding>("[forwarding]"),
        chapter::<DnsList>("[[dnsbl]]"),
        chapter::<Reputation>("[reputation]"),
        chapter::<Greylisting>("[greylisting]"),
        chapter::<Queue>("[queue]"),
        chapter::<Delivery>("[delivery]"),
        chapter::<Dns>("[dns]"),
        chapter::<TransportTable>("[[transport]]"),
        chapter::<Auth>("[auth]"),
        chapter::<Oauth>("[[oauth]]"),
        chapter::<Imap>("[imap]"),
        chapter::<Pop3>("[pop3]"),
        chapter::<Mailboxes>("[mailboxes]"),
        chapter::<Limits>("[limits]"),
        chapter::<Store>("[store]"),
        chapter::<Trace>("[trace]"),
        chapter::<Log>("[log]"),
    ]
}

fn chapter<S: Section>(heading: &'static str) -> Chapter {
    Chapter { heading, doc: S::doc(), keys: S::default().keys() }
}

fn comment(text: &mut String, lines: &[&str]) {
    for line in lines {
        let _ = writeln!(text, "# {}", line.trim());
    }
}

fn minimum(key: &Key) -> Option<String> {
    match key.minimum {
        None | Some((0, _)) => None,
        Some((minimum, "")) => Some(format!("At least {minimum}.")),
        Some((minimum, source)) => Some(format!("At least {minimum} ({source}).")),
    }
}
