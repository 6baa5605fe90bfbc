//! HELP (RFC 5321 §4.1.1.8).

use std::borrow::Cow;

use types::{Reply, ReplyKind};

use super::Session;
use crate::grammar::command::Verb;

impl<R> Session<R> {
    pub(super) fn help_command(&mut self, about: Option<&str>) {
        let text = match about.map(|word| Verb::named(word.trim())) {
            None => general(),
            Some(Some(verb)) => format!("{}: {}\nSyntax: {}", verb.name(), verb.meaning(), verb.syntax()),
            // RFC 5321 §4.3.2 gives HELP 502 and 504 for what it does not know.
            Some(None) => {
                return self.refuse(
                    &ReplyKind::ParameterNotImplemented.with("HELP knows no such verb; HELP lists them"),
                );
            }
        };
        self.reply(&Reply { text: Cow::Owned(text), ..ReplyKind::Help.reply() });
    }
}

fn general() -> String {
    let mut text = String::from("This is Posta. Its commands:");
    for verb in Verb::ALL {
        text.push_str("\n  ");
        text.push_str(verb.syntax());
    }
    text.push_str("\nHELP and a verb says more.");
    text
}
