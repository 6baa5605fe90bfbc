//! XCLIENT, by which a trusted proxy tells who its client is (Postfix's XCLIENT_README).

use super::auth::Authentication;
use super::{Session, State};
use crate::grammar::xclient::{Attribute, Xclient};

impl<R> Session<R> {
    /// From now on EHLO lists XCLIENT, and it is asked about. Only for a client that is trusted.
    pub const fn allow_xclient(&mut self) {
        self.xclient_allowed = true;
    }

    pub(super) fn xclient_command(&mut self, xclient: Box<Xclient>) {
        if matches!(self.state, State::Idle) {
            self.state = State::AskedXclient(xclient);
        } else {
            self.bad_sequence("XCLIENT comes before MAIL");
        }
    }

    /// Answers the question about XCLIENT: what it says is taken. The session is as new, with another greeting, but
    /// for TLS; LOGIN= authenticates, and stays until another one is said.
    pub fn restart_after_xclient(&mut self) {
        let State::AskedXclient(xclient) = &self.state else { return };
        self.authentication = match (&xclient.login, self.authentication) {
            (Some(Attribute::Known(_)), _) | (None, Authentication::Proxied) => Authentication::Proxied,
            _ => Authentication::None,
        };
        self.state = State::Idle;
        self.hello = None;
        self.greet();
    }
}
