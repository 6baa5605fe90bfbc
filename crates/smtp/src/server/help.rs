//! HELP (RFC 5321 §4.1.1.8).

use std::borrow::Cow;

use types::{Reply, ReplyKind};

use super::{AuthNeed, Role, Session, TlsOffer, is_for_on_demand};
use crate::grammar::command::Verb;

impl<R> Session<R> {
    pub(super) fn help_command(&mut self, about: Option<&str>) {
        let text = match about.map(|word| Verb::named(word.trim())) {
            None => self.general_help(),
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

    fn general_help(&self) -> String {
        let mut text = String::from("This is Posta. Its commands:");
        for verb in Verb::ALL.into_iter().filter(|verb| self.is_here(*verb)) {
            text.push_str("\n  ");
            text.push_str(verb.syntax());
        }
        text.push_str("\nHELP and a verb says more.");
        text
    }

    /// Whether the verb belongs to this listener and this client.
    fn is_here(&self, verb: Verb) -> bool {
        match verb {
            verb if self.config.role == Role::OnDemand && !is_for_on_demand(verb) => false,
            Verb::Bdat => self.config.role != Role::OnDemand,
            Verb::Ehlo | Verb::Helo => self.config.role != Role::Lmtp,
            Verb::Lhlo => self.config.role == Role::Lmtp,
            Verb::StartTls => self.config.tls == TlsOffer::StartTls,
            Verb::Auth => self.config.auth.need != AuthNeed::Off,
            Verb::Xclient => self.xclient_allowed,
            Verb::Etrn => self.config.extensions.etrn,
            Verb::Atrn => self.config.extensions.atrn,
            Verb::Turn => self.offers_turn(),
            _ => true,
        }
    }
}
