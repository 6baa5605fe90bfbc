//! ETRN (RFC 1985).

use super::{Session, State};
use crate::grammar::reversal::Node;

impl<R> Session<R> {
    /// At any time within a session but in a transaction (RFC 1985 §5).
    pub(super) fn etrn_command(&mut self, node: Node) {
        if self.hello.is_none() {
            return self.bad_sequence("Say EHLO first");
        }
        if !matches!(self.state, State::Idle) {
            return self.bad_sequence("ETRN comes before MAIL or after the message");
        }
        self.state = State::AskedEtrn(node);
    }
}
