//! XCLIENT: a trusted proxy says who its client is.

use smtp::grammar::xclient::{Attribute, Xclient};
use smtp::server::Question;
use types::directory::key;
use types::{EventStep, ReplyKind};

use super::Driver;
use super::identity::Identity;
use crate::auth::Grounds;
use crate::shared::Client;

impl Driver {
    /// Takes what is said, whole or not at all.
    pub(super) async fn xclient(&mut self) {
        let Some(Question::Xclient(said)) = self.session.question() else { return };
        let said = said.clone();
        let login = match &said.login {
            Some(Attribute::Known(name)) => match self.account_of(name).await {
                Some(identity) => Some(identity),
                None => {
                    let reply = ReplyKind::XclientDenied.reply();
                    let reason = "XCLIENT names an account that is not there";
                    self.decided("XCLIENT", EventStep::Proxied, Some(name.clone()), &reply, reason);
                    return self.session.answer(&reply);
                }
            },
            _ => None,
        };
        let is_stated = said.login.is_some();
        self.apply(&said);
        if is_stated {
            self.identity = login;
        }
        self.attempt = None;
        self.timeline.note_about(EventStep::Proxied, self.peer.ip(), "the client as XCLIENT says");
        self.session.restart_after_xclient();
        // As whom the proxy itself has logged in says nothing about its clients.
        if !self.session.is_authenticated() {
            self.identity = None;
        }
    }

    fn apply(&mut self, said: &Xclient) {
        self.unproxied.get_or_insert((self.peer.address, self.peer.client));
        if let Some(addr) = &said.addr {
            match addr.known() {
                Some(ip) => {
                    self.peer.address.set_ip(*ip);
                    self.peer.client = Client::Proxied;
                }
                None => self.peer.client = Client::BehindProxy,
            }
        }
        if let Some(port) = said.port.as_ref().and_then(Attribute::known) {
            self.peer.address.set_port(*port);
        }
    }

    async fn account_of(&self, name: &str) -> Option<Identity> {
        let name = name.parse().map_or_else(|_| name.to_owned(), |mailbox| key(&mailbox));
        let version = self.shared.store.directory_version();
        let account = self.shared.store.account(&name).await.ok()??;
        Identity::of(&self.shared, account, Grounds::default(), Some(version)).await.ok()
    }
}
