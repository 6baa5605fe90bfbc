//! AUTH: carries an authentication between the session and the authenticator.

use smtp::server::Question;
use types::{EventStep, ReplyKind};

use super::Driver;
use super::identity::Identity;
use crate::auth::{ClientFacts, Grounds, Login, Outcome, Refusal};
use crate::metrics::AuthOutcome;

impl Driver {
    /// Takes the next step of an authentication. A failure is answered as late as it is to be.
    pub(super) async fn authenticate(&mut self) {
        let input = match self.session.question() {
            Some(Question::Authenticate { mechanism, initial_response }) => {
                let (mechanism, input) = (mechanism.to_owned(), initial_response.map(<[u8]>::to_vec));
                let client = ClientFacts::new(&self.shared, &self.facts, &self.peer, &self.connection);
                match self.shared.authenticator.begin(&mechanism, &client) {
                    Ok(attempt) => self.attempt = Some(Box::new(attempt)),
                    Err(refusal) => return self.login_refused(&mechanism, None, &refusal),
                }
                input
            }
            Some(Question::AuthenticationResponse(response)) => Some(response.to_vec()),
            _ => return,
        };
        let Some(mut attempt) = self.attempt.take() else {
            return self.login_refused("AUTH", None, &Refusal::Malformed);
        };
        match attempt.step(&self.shared.store, input.as_deref()).await {
            Outcome::Challenge(challenge) => {
                self.attempt = Some(attempt);
                self.session.challenge(&challenge);
            }
            Outcome::Accepted(login) => self.logged_in(login).await,
            Outcome::Refused(refusal) => {
                self.login_refused(attempt.mechanism(), attempt.name(), &refusal);
            }
        }
    }

    async fn logged_in(&mut self, login: Login) {
        let grounds = Grounds::of(&login);
        let Login { account, mechanism, app_password } = login;
        let name = account.name.clone();
        match Identity::of(&self.shared, account, grounds, None).await {
            Ok(identity) => {
                self.identity = Some(identity);
                let reply = ReplyKind::Authenticated.reply();
                let with = match app_password {
                    Some(label) => format!("by {mechanism} with the app password {label}"),
                    None => format!("by {mechanism}"),
                };
                self.decided("AUTH", EventStep::Authentication, Some(name), &reply, with);
                self.shared.metrics.authenticated(mechanism, AuthOutcome::Accepted);
                self.session.authenticated(&reply);
            }
            Err(_) => self.login_refused(mechanism, Some(&name), &Refusal::Unavailable("the directory")),
        }
    }

    fn login_refused(&mut self, mechanism: &str, name: Option<&str>, refusal: &Refusal) {
        let reply = refusal.reply();
        let reason = format!("{mechanism}: {}", refusal.reason());
        self.decided("AUTH", EventStep::Authentication, name.map(str::to_owned), &reply, reason);
        let outcome = if refusal.is_temporary() { AuthOutcome::Unavailable } else { AuthOutcome::Refused };
        self.shared.metrics.authenticated(mechanism, outcome);
        self.session.answer(&reply);
    }
}
