//! Commands that ask for mail which waits: ETRN (RFC 1985 §5) and ATRN (RFC 2645 §5.2.1).
//!
//! ```text
//! etrn  = "ETRN" SP ( node-name / "@" node-name / "#" queue-name )
//! atrn  = "ATRN" [SP domain *("," domain)]
//! domain = sub-domain 1*("." sub-domain)
//! ```
//!
//! Both want names that are fully qualified: a single label is a syntax error.

use std::fmt;

use types::Domain;

use super::command::{CommandError, Verb};

/// What ETRN asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// Mail for this host or domain.
    Domain(Domain),
    /// `@`: mail for this domain and all below it (RFC 1985 §5.3).
    Subtree(Domain),
    /// `#`: a queue, whatever the server calls so (RFC 1985 §5.3).
    Queue(String),
}

/// As in the command.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(domain) => domain.ascii().fmt(f),
            Self::Subtree(domain) => write!(f, "@{}", domain.ascii()),
            Self::Queue(name) => write!(f, "#{name}"),
        }
    }
}

/// RFC 1985 §7 gives ETRN without an argument 500, and one that cannot be read 501.
pub(super) fn etrn(argument: Option<&str>) -> Result<Node, CommandError> {
    let argument = argument.map(str::trim_start).filter(|argument| !argument.is_empty());
    let argument = argument.ok_or(CommandError::NodeMissing)?;
    let node = match argument.split_at_checked(1) {
        Some(("@", name)) => qualified(name).map(Node::Subtree),
        Some(("#", name)) => queue(name).map(Node::Queue),
        _ => qualified(argument).map(Node::Domain),
    };
    node.ok_or(CommandError::Syntax(Verb::Etrn.syntax()))
}

pub(super) fn atrn(argument: Option<&str>) -> Result<Vec<Domain>, CommandError> {
    let Some(argument) = argument else { return Ok(Vec::new()) };
    let domains: Option<Vec<Domain>> = argument.trim_start().split(',').map(qualified).collect();
    domains.ok_or(CommandError::Syntax(Verb::Atrn.syntax()))
}

fn qualified(name: &str) -> Option<Domain> {
    let domain: Domain = name.parse().ok()?;
    domain.ascii().contains('.').then_some(domain)
}

/// RFC 1985 §5.3 leaves the syntax to the server: any word.
fn queue(name: &str) -> Option<String> {
    let is_word = !name.is_empty() && !name.contains(char::is_whitespace);
    is_word.then(|| name.to_owned())
}
