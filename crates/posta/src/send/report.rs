//! What became of the message, for people and as JSON.

use miette::Diagnostic;
use serde::Serialize;
use smtp::client::{Cause, Failure, NotTried, Outcome, Stage};
use types::{EnhancedStatus, Reply};

use super::compose::Composed;
use crate::exit::{self, Exit};
use crate::terminal;

/// The result for all recipients.
#[derive(Debug, Serialize)]
pub(crate) struct Report<'a> {
    server: &'a str,
    from: String,
    size_bytes: usize,
    accepted: usize,
    refused: usize,
    recipients: Vec<Recipient>,
}

#[derive(Debug, Serialize)]
struct Recipient {
    address: String,
    /// `accepted`, `temporary`, `permanent` or `not_tried`.
    outcome: &'static str,
    /// Which command it came to: `rcpt`, `end_of_data` …
    stage: Option<&'static str>,
    /// Of the server's reply, if it was one.
    code: Option<u16>,
    enhanced: Option<String>,
    text: String,
}

/// The result where nothing was sent at all.
#[derive(Debug, Serialize)]
pub(crate) struct Unsent {
    accepted: usize,
    error: String,
    help: Option<String>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(server: &'a str, composed: &Composed, outcomes: &[Outcome]) -> Self {
        let paths = composed.envelope.forward_paths();
        let recipients: Vec<Recipient> =
            paths.zip(outcomes).map(|(path, outcome)| Recipient::new(path.to_string(), outcome)).collect();
        let accepted = recipients.iter().filter(|recipient| recipient.outcome == "accepted").count();
        Self {
            server,
            from: composed.envelope.reverse_path.to_string(),
            size_bytes: composed.octets.len(),
            accepted,
            refused: recipients.len() - accepted,
            recipients,
        }
    }

    /// All accepted, some refused for good, or some to be tried later.
    pub(crate) fn exit(&self) -> Exit {
        let any = |outcome: &str| self.recipients.iter().any(|recipient| recipient.outcome == outcome);
        if any("permanent") {
            Exit::Failed
        } else if any("temporary") || any("not_tried") {
            Exit::TryLater
        } else {
            Exit::Success
        }
    }

    pub(crate) fn print_json(&self) -> Result<(), exit::Failure> {
        terminal::print_json(self)
    }

    /// A line for each recipient; after a dialogue, set apart from it.
    pub(crate) fn print_text(&self, after_dialogue: bool) -> Result<(), exit::Failure> {
        let mut text = if after_dialogue { "\n".to_owned() } else { String::new() };
        for Recipient { address, outcome, text: reason, .. } in &self.recipients {
            let verdict = match *outcome {
                "accepted" => "accepted",
                "permanent" => "REFUSED",
                "temporary" => "NOT NOW",
                _ => "NOT TRIED",
            };
            text.push_str(&terminal::line(&format!("{verdict} {address}: {reason}")));
            text.push('\n');
        }
        terminal::print(&text)
    }
}

impl Recipient {
    fn new(address: String, outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Accepted(reply) => Self {
                address,
                outcome: "accepted",
                stage: Some(stage_name(Stage::EndOfData)),
                code: Some(reply.code),
                enhanced: reply.enhanced.map(|status| status.to_string()),
                text: reply.to_string(),
            },
            Outcome::Temporary(failure) => Self::failed(address, "temporary", failure),
            Outcome::Permanent(failure) => Self::failed(address, "permanent", failure),
            Outcome::NotTried(limit) => Self {
                address,
                outcome: "not_tried",
                stage: None,
                code: None,
                enhanced: None,
                text: match limit {
                    NotTried::RcptMax => "the server's LIMITS leave no room for more recipients".to_owned(),
                    NotTried::RcptDomainMax => {
                        "the server's LIMITS leave no room for more domains".to_owned()
                    }
                },
            },
        }
    }

    fn failed(address: String, outcome: &'static str, failure: &Failure) -> Self {
        let (code, enhanced): (_, Option<EnhancedStatus>) = match &failure.cause {
            Cause::Reply(Reply { code, enhanced, .. }) => (Some(*code), *enhanced),
            Cause::Unsupported(_) | Cause::End(_) => (None, Some(failure.enhanced_status())),
        };
        Self {
            address,
            outcome,
            stage: Some(stage_name(failure.stage)),
            code,
            enhanced: enhanced.map(|status| status.to_string()),
            text: failure.to_string(),
        }
    }
}

impl Unsent {
    pub(crate) fn new(error: &impl Diagnostic) -> Self {
        Self { accepted: 0, error: error.to_string(), help: error.help().map(|help| help.to_string()) }
    }

    pub(crate) fn print(&self) -> Result<(), exit::Failure> {
        terminal::print_json(self)
    }
}

const fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Greeting => "greeting",
        Stage::Hello => "hello",
        Stage::StartTls => "starttls",
        Stage::Login => "auth",
        Stage::Reset => "reset",
        Stage::Mail => "mail",
        Stage::Rcpt => "rcpt",
        Stage::Data => "data",
        Stage::Body => "body",
        Stage::EndOfData => "end_of_data",
        Stage::Quit => "quit",
        Stage::Idle => "idle",
    }
}
