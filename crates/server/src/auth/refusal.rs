//! Why nobody was logged in: what the client is told, and what the operator is.

use types::{Reply, ReplyKind};

/// One attempt that came to nothing. It carries no secret and nothing that a client said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The mechanism is unknown or not offered.
    UnknownMechanism,
    /// What the client sent is no message of the mechanism.
    Malformed,
    /// The credentials are wrong, or there is no such account: nobody but the operator can tell.
    Credentials(Why),
    /// The account is disabled; the client is told the same as with wrong credentials.
    Disabled,
    /// The policy wants a stronger mechanism.
    WeakMechanism,
    /// The account has no verifier for this mechanism yet; a login with its password makes one.
    TransitionNeeded,
    /// Too many attempts failed; nothing was looked at.
    TooManyFailures {
        /// Until one is looked at again.
        wait_s: u64,
    },
    /// More logins at once than are done.
    Busy,
    /// What the check needs could not be had.
    Unavailable(&'static str),
}

/// What is wrong with credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// No account has the name.
    NoAccount,
    /// The password, or the proof of it, is wrong.
    Password,
    /// The account keeps no secret for CRAM-MD5 and APOP.
    NoSharedSecret,
    /// The client wants to act as somebody else.
    OtherIdentity,
    /// Not the TLS connection that the client thinks it speaks on: somebody may stand between.
    ChannelBinding,
    /// The token: what of it.
    Token(&'static str),
}

impl Refusal {
    /// What an SMTP client is told (RFC 4954 §4 and §6).
    pub(crate) fn reply(&self) -> Reply {
        match self {
            Self::UnknownMechanism => ReplyKind::MechanismNotOffered.reply(),
            Self::Malformed => ReplyKind::AuthMalformed.reply(),
            Self::Credentials(_) | Self::Disabled => ReplyKind::AuthCredentials.reply(),
            Self::WeakMechanism => ReplyKind::AuthMechanismTooWeak.reply(),
            Self::TransitionNeeded => ReplyKind::AuthTransition.reply(),
            // Not 535: a client that is told so asks its user for another password, and it was not looked at.
            Self::TooManyFailures { wait_s } => ReplyKind::AuthTooManyFailures.with(wait_s),
            Self::Busy | Self::Unavailable(_) => ReplyKind::AuthUnavailable.reply(),
        }
    }

    /// What the operator reads in the trace.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::UnknownMechanism => "the mechanism is not offered".into(),
            Self::Malformed => "the client sent no message of the mechanism".into(),
            Self::Credentials(why) => why.reason().into(),
            Self::Disabled => "the credentials are right, and the account is disabled".into(),
            Self::WeakMechanism => "the mechanism is weaker than the policy allows".into(),
            Self::TransitionNeeded => {
                "the account has no verifier for this mechanism yet; a login with PLAIN makes one".into()
            }
            Self::TooManyFailures { wait_s } => {
                format!("too many logins failed from this network; none is looked at for {wait_s} s")
            }
            Self::Busy => "more logins at once than passwords can be checked".into(),
            Self::Unavailable(what) => format!("{what} could not be had"),
        }
    }

    /// Whether the same attempt may succeed later.
    pub(crate) const fn is_temporary(&self) -> bool {
        matches!(self, Self::TooManyFailures { .. } | Self::Busy | Self::Unavailable(_))
    }
}

impl Why {
    const fn reason(self) -> &'static str {
        match self {
            Self::NoAccount => "no account has this name",
            Self::Password => "the password is wrong",
            Self::NoSharedSecret => "the account keeps no secret for CRAM-MD5 and APOP",
            Self::OtherIdentity => "the client wants to act as another account",
            Self::ChannelBinding => "the client speaks on another TLS connection: somebody may stand between",
            Self::Token(what) => what,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_those_of_rfc_4954() {
        let rows = [
            (Refusal::UnknownMechanism, "504 5.5.4"),
            (Refusal::Malformed, "501 5.5.2"),
            (Refusal::Credentials(Why::Password), "535 5.7.8"),
            (Refusal::WeakMechanism, "534 5.7.9"),
            (Refusal::TransitionNeeded, "432 4.7.12"),
            (Refusal::TooManyFailures { wait_s: 17 }, "454 4.7.0"),
            (Refusal::Busy, "454 4.7.0"),
            (Refusal::Unavailable("the account"), "454 4.7.0"),
        ];
        for (refusal, code) in rows {
            let reply = refusal.reply().to_string();
            assert!(reply.starts_with(code), "{refusal:?}: {reply}");
            assert_eq!(refusal.is_temporary(), code.starts_with("454"), "{refusal:?}");
        }
        let reply = Refusal::TooManyFailures { wait_s: 17 }.reply().to_string();
        assert!(reply.contains(" 17 s"), "{reply}");
    }

    #[test]
    fn a_client_cannot_tell_why_credentials_are_refused_and_the_operator_can() {
        let refusals = [
            Refusal::Credentials(Why::NoAccount),
            Refusal::Credentials(Why::Password),
            Refusal::Credentials(Why::NoSharedSecret),
            Refusal::Credentials(Why::OtherIdentity),
            Refusal::Credentials(Why::ChannelBinding),
            Refusal::Disabled,
        ];
        for (index, refusal) in refusals.iter().enumerate() {
            assert_eq!(refusal.reply(), refusals[0].reply());
            assert!(refusals[..index].iter().all(|other| other.reason() != refusal.reason()));
        }
    }
}
