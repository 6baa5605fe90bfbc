//! What the driver is asked, and how it answers.

use types::{Domain, Reply, ReplyKind};

use super::verify::LookupVerb;
use super::{Charset, Hello, Message, Rcpt, Recipient, ReversalVerb, Role, Session, State, Transaction};
use crate::grammar::command::Mail;
use crate::grammar::reversal::Node;
use crate::grammar::xclient::Xclient;

/// What the driver is asked. The answer is a reply; a positive one lets the session go on.
#[derive(Debug)]
pub enum Question<'a, R> {
    /// Is what the client calls itself taken? A positive answer is [`Session::greeted`]. Asked only after
    /// [`Session::ask_about_hello`].
    Hello(&'a Hello),
    /// Is mail from this sender taken?
    Sender(&'a Mail),
    /// Is mail for this recipient taken, given the transaction so far? A positive answer is
    /// [`Session::accept_recipient`].
    Recipient(&'a Transaction<R>, &'a Rcpt),
    /// Does this address exist (VRFY)?
    Verify(&'a str),
    /// Who is on this list (EXPN)?
    Expand(&'a str),
    /// The message is complete; a positive answer takes responsibility for it (RFC 5321 §4.2.5). Whatever the
    /// answer, the transaction ends. In LMTP each recipient has an answer of its own:
    /// [`Session::answer_each`].
    Message(&'a Message<R>),
    /// May TLS begin? 220 or 454.
    StartTls,
    /// The client authenticates; the answer is [`Session::challenge`], [`Session::authenticated`] or a refusal.
    Authenticate {
        /// One of those that are offered now, in upper case.
        mechanism: &'a str,
        /// What it says first, which may be empty.
        initial_response: Option<&'a [u8]>,
    },
    /// The client has answered the challenge; the answer is as for the first question.
    AuthenticationResponse(&'a [u8]),
    /// Is what this proxy says of its client taken? A positive answer is [`Session::restart_after_xclient`].
    Xclient(&'a Xclient),
    /// Is what waits for this node sent now (ETRN)? One of the replies of RFC 1985 §5.1.
    Etrn(&'a Node),
    /// Do client and server change places? After a positive answer the session is over, and
    /// [`super::Step::Reverse`] follows.
    Reverse {
        /// How it was asked.
        verb: ReversalVerb,
        /// The domains whose mail is wanted; none for all of the client's.
        domains: &'a [Domain],
    },
}

impl<R> Session<R> {
    /// What is asked, where [`super::Step::Answer`] is needed.
    #[must_use]
    pub fn question(&self) -> Option<Question<'_, R>> {
        Some(match &self.state {
            State::AskedHello(_, hello) => Question::Hello(hello),
            State::AskedSender(mail) => Question::Sender(mail),
            State::AskedRecipient(transaction, rcpt) => Question::Recipient(transaction, rcpt),
            State::AskedLookup(_, asked) => match asked.verb {
                LookupVerb::Verify => Question::Verify(&asked.argument),
                LookupVerb::Expand => Question::Expand(&asked.argument),
            },
            State::AskedMessage(message) => Question::Message(message),
            State::AskedStartTls(_) => Question::StartTls,
            State::AskedAuthenticate(auth) => Question::Authenticate {
                mechanism: &auth.mechanism,
                initial_response: auth.initial_response.as_ref().map(|data| data.octets()),
            },
            State::AskedResponse(data) => Question::AuthenticationResponse(data.octets()),
            State::AskedXclient(xclient) => Question::Xclient(xclient),
            State::AskedEtrn(node) => Question::Etrn(node),
            State::AskedReversal(asked) => Question::Reverse { verb: asked.verb, domains: &asked.domains },
            _ => return None,
        })
    }

    /// Answers any question, but with an accepted recipient, a challenge, a successful authentication or an
    /// accepted XCLIENT.
    pub fn answer(&mut self, reply: &Reply) {
        match std::mem::replace(&mut self.state, State::Idle) {
            // RFC 5321 §4.1.4: what was before a refused EHLO stays.
            State::AskedHello(before, _) => {
                self.state = *before;
                self.say(reply);
            }
            State::AskedSender(mail) => {
                if reply.is_positive() {
                    self.state = State::InTransaction(Transaction::new(mail));
                }
                self.say(reply);
            }
            State::AskedRecipient(transaction, rcpt) => self.refuse_recipient(transaction, &rcpt, reply),
            State::AskedLookup(before, asked) => {
                self.state = *before;
                self.answer_lookup(&asked, reply);
            }
            State::AskedMessage(message) => {
                let replies = message.transaction.replies(self.config.role);
                self.answer_message(std::iter::repeat_n(reply.clone(), replies));
            }
            State::AskedStartTls(before) => {
                // The transaction goes with all the rest that was learned in clear text (RFC 3207 §4.2); where TLS
                // does not begin, all stays as it was.
                self.state = if reply.is_positive() { State::StartingTls } else { *before };
                self.say(reply);
            }
            State::AskedAuthenticate(_) | State::AskedResponse(_) => self.authentication_failed(reply),
            State::AskedXclient(_) | State::AskedEtrn(_) => self.say(reply),
            State::AskedReversal(_) => {
                self.say(reply);
                if reply.is_positive() {
                    self.state = State::Reversed;
                }
            }
            state => {
                self.state = state;
                self.say(reply);
            }
        }
    }

    /// Answers the question about a recipient: it is taken, and `route` is kept with it.
    pub fn accept_recipient(&mut self, reply: &Reply, route: R) {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::AskedRecipient(mut transaction, rcpt) => {
                let charset = transaction.charset(reply);
                let Rcpt { forward_path, dsn, .. } = rcpt;
                transaction.recipients.push(Recipient { forward_path, dsn, route });
                self.state = State::InTransaction(transaction);
                if reply.code == 251 && charset == Charset::Ascii && !reply.text.is_ascii() {
                    // RFC 6531 §3.7.4.1: a 251 whose address holds UTF-8 becomes a 250 without it.
                    self.say(&ReplyKind::RecipientOk.reply());
                } else {
                    self.say_in(reply, charset);
                }
            }
            state => {
                self.state = state;
                self.say(reply);
            }
        }
    }

    /// Answers the question about a message, in LMTP with a reply for each accepted recipient, in their order
    /// (RFC 2033 §4.2). Where there are too few, the rest is told to try again.
    pub fn answer_each(&mut self, replies: impl IntoIterator<Item = Reply>) {
        let State::AskedMessage(message) = &self.state else { return };
        let due = message.transaction.replies(self.config.role);
        self.state = State::Idle;
        let missing = std::iter::repeat(ReplyKind::StorageFailed.reply());
        self.answer_message(replies.into_iter().chain(missing).take(due));
    }

    fn answer_message(&mut self, replies: impl Iterator<Item = Reply>) {
        for reply in replies {
            if reply.is_positive() {
                self.idle_commands = 0;
            }
            self.say(&reply);
        }
    }

    /// One that is refused for good is an error of the session: who tries names in turn is stopped. Not so who has
    /// authenticated, or hands mail over: their lists are long, and old addresses are among them.
    fn refuse_recipient(&mut self, transaction: Transaction<R>, rcpt: &Rcpt, reply: &Reply) {
        let charset = transaction.charset(reply);
        self.state = State::InTransaction(transaction);
        let may_be_guessing = !self.is_authenticated() && self.config.role != Role::Lmtp;
        if reply.code >= 500 && may_be_guessing && self.is_one_error_too_many() {
            return self.give_up(&ReplyKind::TooManyErrors.reply());
        }
        if reply.code == 551 && charset == Charset::Ascii && !reply.text.is_ascii() {
            // RFC 6531 §3.7.4.1: a 551 whose address holds UTF-8 becomes a 550 without it.
            self.say(&ReplyKind::MailboxMoved.with(&rcpt.forward_path));
        } else {
            self.say_in(reply, charset);
        }
    }
}
