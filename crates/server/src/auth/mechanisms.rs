//! Which mechanisms are offered where.

use sasl::Mechanism;

use crate::listener::ClearPasswords;

/// What the octets of an exchange go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    /// TLS.
    Tls,
    /// Whoever is between can read it.
    Clear,
    /// It never leaves this machine.
    ClearOnLoopback,
}

impl Channel {
    /// Before TLS, or where there is none.
    pub(crate) const fn without_tls(clear_passwords: ClearPasswords) -> Self {
        match clear_passwords {
            ClearPasswords::Allowed => Self::ClearOnLoopback,
            ClearPasswords::Refused => Self::Clear,
        }
    }
}

/// Whether the mechanism may be used there. What sends a secret that can be used again needs TLS (RFC 4954 §4), or
/// must stay within the machine; channel bindings need TLS.
pub(crate) const fn is_offered(mechanism: Mechanism, channel: Channel) -> bool {
    match channel {
        Channel::Tls => true,
        Channel::Clear => !mechanism.sends_secret() && !mechanism.binds_channel(),
        Channel::ClearOnLoopback => !mechanism.binds_channel(),
    }
}

/// Whether there is anything to check it with.
pub(crate) const fn needs_issuer(mechanism: Mechanism) -> bool {
    matches!(mechanism, Mechanism::XOAuth2 | Mechanism::OAuthBearer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_clear_text_stay_within_the_machine() {
        let offered = |channel| {
            Mechanism::ALL
                .into_iter()
                .filter(|mechanism| is_offered(*mechanism, channel))
                .map(Mechanism::name)
                .collect::<Vec<_>>()
        };
        assert_eq!(offered(Channel::Clear), ["SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5"]);
        assert_eq!(offered(Channel::Tls).len(), Mechanism::ALL.len());
        let on_loopback = offered(Channel::ClearOnLoopback);
        assert!(on_loopback.contains(&"PLAIN") && !on_loopback.iter().any(|name| name.ends_with("-PLUS")));
    }
}
