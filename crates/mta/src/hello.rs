//! EHLO and HELO: is the name that the client says for itself refused?
//!
//! RFC 5321 §4.1.4 forbids to refuse mail because the name does not lead to the client's IP address, so nothing is
//! looked up here: a name is refused for what it says alone.

use std::net::IpAddr;

use types::{Domain, Host, Reply, ReplyKind};

use crate::admission::{Client, Role};

/// What is asked of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HelloPolicy {
    /// Nothing.
    Off,
    /// The grammar of RFC 5321 §4.1.2: a domain or an address literal, so no `_`, and no IP address without brackets.
    Syntax,
    /// And that it is a name of the client's: with a dot, not this host's name, not this host's address.
    Strict,
}

/// What is known at EHLO.
#[derive(Debug, Clone, Copy)]
pub struct HelloFacts<'a> {
    /// What is asked.
    pub policy: HelloPolicy,
    /// What the listener is for. Submission takes what programs of users say, which rarely is a name (RFC 6409).
    pub role: Role,
    /// Who says it.
    pub client: Client<'a>,
    /// Where it connects from.
    pub client_ip: IpAddr,
    /// What it says.
    pub host: &'a Host,
    /// This host.
    pub own_name: &'a Domain,
    /// This host's addresses.
    pub own_addresses: &'a [IpAddr],
}

/// The refusal of the name, where it is refused. The session stays as it was (RFC 5321 §4.1.4).
#[must_use]
pub fn refusal(facts: &HelloFacts<'_>) -> Option<Reply> {
    if facts.role != Role::Transfer || !matches!(facts.client, Client::Stranger) || is_own_ip(facts) {
        return None;
    }
    if facts.policy >= HelloPolicy::Syntax
        && let Some(why) = wrong_syntax(facts.host)
    {
        return Some(ReplyKind::ArgumentSyntax.with(why));
    }
    if facts.policy >= HelloPolicy::Strict
        && let Some(why) = not_its_own(facts)
    {
        return Some(ReplyKind::HelloRefused.with(why));
    }
    None
}

/// This host itself may use its own name.
fn is_own_ip(facts: &HelloFacts<'_>) -> bool {
    let ip = facts.client_ip.to_canonical();
    ip.is_loopback() || facts.own_addresses.iter().any(|own| own.to_canonical() == ip)
}

fn wrong_syntax(host: &Host) -> Option<&'static str> {
    let domain = host.domain()?.ascii();
    if domain.contains('_') {
        Some("a host name holds no _ (RFC 5321, section 4.1.2)")
    } else if domain.parse::<IpAddr>().is_ok() {
        Some("an IP address stands in brackets: [192.0.2.1]")
    } else {
        None
    }
}

fn not_its_own(facts: &HelloFacts<'_>) -> Option<&'static str> {
    match facts.host {
        Host::Domain(domain) if domain == facts.own_name => {
            Some("That is the name of this server, not yours")
        }
        Host::Domain(domain) if !domain.ascii().contains('.') => {
            Some("Say a name with a domain, or an address in brackets")
        }
        Host::Domain(domain) if is_localhost(domain) => Some("localhost is not a name of yours here"),
        Host::Domain(_) => None,
        Host::Literal(literal) => {
            let ip = literal.ip()?.to_canonical();
            let is_own = facts.own_addresses.iter().any(|own| own.to_canonical() == ip);
            is_own.then_some("That is the address of this server, not yours")
        }
    }
}

/// RFC 6761 §6.3
fn is_localhost(domain: &Domain) -> bool {
    let name = domain.ascii();
    name == "localhost.localdomain" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(policy: HelloPolicy, role: Role, client_ip: &str, said: &str) -> String {
        let host = if said.starts_with('[') {
            said.parse().unwrap()
        } else {
            Host::Domain(Domain::parse_host_name(said).unwrap())
        };
        let facts = HelloFacts {
            policy,
            role,
            client: Client::Stranger,
            client_ip: client_ip.parse().unwrap(),
            host: &host,
            own_name: &"mail.example.org".parse().unwrap(),
            own_addresses: &["192.0.2.25".parse().unwrap(), "2001:db8::25".parse().unwrap()],
        };
        refusal(&facts).map_or_else(String::new, |reply| reply.to_string())
    }

    #[test]
    fn each_policy_refuses_what_it_says() {
        let underscore = "501 5.5.4 Syntax: a host name holds no _ (RFC 5321, section 4.1.2)";
        let bare_ip = "501 5.5.4 Syntax: an IP address stands in brackets: [192.0.2.1]";
        let own_name = "550 5.7.1 That is the name of this server, not yours";
        let own_ip = "550 5.7.1 That is the address of this server, not yours";
        let one_label = "550 5.7.1 Say a name with a domain, or an address in brackets";
        let localhost = "550 5.7.1 localhost is not a name of yours here";
        for (said, syntax, strict) in [
            ("client.example", "", ""),
            ("win_pc.local", underscore, underscore),
            ("198.51.100.1", bare_ip, bare_ip),
            ("mail.example.org", "", own_name),
            ("MAIL.Example.ORG", "", own_name),
            ("[192.0.2.25]", "", own_ip),
            ("[IPv6:2001:db8::25]", "", own_ip),
            ("[IPv6:::ffff:192.0.2.25]", "", own_ip),
            ("pc", "", one_label),
            ("localhost", "", one_label),
            ("localhost.localdomain", "", localhost),
            // RFC 5321 §4.1.4: what is not the client's is no reason to refuse.
            ("[203.0.113.9]", "", ""),
            ("other.example", "", ""),
        ] {
            for (policy, expected) in
                [(HelloPolicy::Off, ""), (HelloPolicy::Syntax, syntax), (HelloPolicy::Strict, strict)]
            {
                assert_eq!(
                    reply(policy, Role::Transfer, "198.51.100.1", said),
                    expected,
                    "{policy:?} {said}"
                );
            }
        }
    }

    #[test]
    fn users_and_this_host_itself_may_say_anything() {
        for (role, client_ip) in [
            (Role::Submission, "198.51.100.1"),
            (Role::Lmtp, "198.51.100.1"),
            (Role::Transfer, "127.0.0.1"),
            (Role::Transfer, "::1"),
            (Role::Transfer, "192.0.2.25"),
        ] {
            assert_eq!(reply(HelloPolicy::Strict, role, client_ip, "mail.example.org"), "");
        }
    }
}
