//! VRFY and EXPN (RFC 5321 §3.5). They may come at any time and change no transaction (§4.1.4).

use types::{Reply, ReplyKind};

use super::{Charset, Session, State};
use crate::grammar::command::Lookup;

/// A question about a name.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) verb: LookupVerb,
    pub(super) argument: String,
    /// What the reply may hold.
    charset: Charset,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LookupVerb {
    Verify,
    Expand,
}

impl<R> Session<R> {
    pub(super) fn lookup_command(&mut self, verb: LookupVerb, lookup: Lookup<'_>) {
        let before = Box::new(std::mem::replace(&mut self.state, State::Idle));
        let charset = if lookup.smtputf8 { Charset::Utf8 } else { Charset::Ascii };
        self.state =
            State::AskedLookup(before, Asked { verb, argument: lookup.argument.to_owned(), charset });
    }

    /// RFC 6531 §3.7.4.2: where the reply needs UTF-8 and the client has not asked for it, 252 says so.
    pub(super) fn answer_lookup(&mut self, asked: &Asked, reply: &Reply) {
        if reply.is_positive() && asked.charset == Charset::Ascii && !reply.text.is_ascii() {
            self.say(&ReplyKind::VerifyNeedsUtf8.reply());
        } else {
            self.say_in(reply, asked.charset);
        }
    }
}
