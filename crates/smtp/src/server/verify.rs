//! VRFY and EXPN (RFC 5321 §3.5). They may come at any time and change no transaction (§4.1.4).

use super::{Session, State};

impl<R> Session<R> {
    pub(super) fn vrfy_command(&mut self, argument: &str) {
        let before = Box::new(std::mem::replace(&mut self.state, State::Idle));
        self.state = State::AskedVerify(before, argument.to_owned());
    }

    pub(super) fn expn_command(&mut self, argument: &str) {
        let before = Box::new(std::mem::replace(&mut self.state, State::Idle));
        self.state = State::AskedExpand(before, argument.to_owned());
    }
}
