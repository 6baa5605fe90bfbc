//! What an operator says about where mail goes.

use types::{Domain, EnhancedStatus, Host};

/// A rule of the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// For which destinations.
    pub pattern: Pattern,
    /// What becomes of mail for them.
    pub transport: Transport,
}

/// Which destinations a rule is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// All, address literals among them.
    Everything,
    /// This domain alone.
    Domain(Domain),
    /// All domains below this one, not itself.
    Below(Domain),
}

/// How mail goes on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Transport {
    /// By the destination's own MX records.
    #[default]
    Mx,
    /// By the MX records of another domain.
    MxOf(Domain),
    /// To this host, whatever the DNS says of the destination: a smart host, or a store that speaks LMTP.
    Host {
        /// A name, whose addresses are looked up, or an address.
        host: Host,
        /// Where it listens.
        port: u16,
        /// What it speaks.
        protocol: Protocol,
    },
    /// To an LMTP socket of this machine.
    Socket(String),
    /// Nowhere before its host comes and asks, by ETRN, ATRN or TURN; then by the MX records, or over the connection on
    /// which it asks (RFC 1985, RFC 2645).
    OnDemand,
    /// Nowhere.
    Discard,
    /// Back to the sender, or not now.
    Fail {
        /// Of class 4 or 5.
        status: EnhancedStatus,
        /// What the sender reads.
        text: String,
    },
}

/// What a host speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Protocol {
    /// SMTP.
    #[default]
    Smtp,
    /// LMTP (RFC 2033).
    Lmtp,
}

/// How mail for `destination` goes on: by the rule that fits best, whatever the order of the rules. The domain itself
/// comes before the longest domain above it, and that before everything; among the same the first one.
#[must_use]
pub fn transport<'a>(overrides: &'a [Override], destination: &Host) -> &'a Transport {
    static MX: Transport = Transport::Mx;
    fitting(overrides, |rule| &rule.pattern, destination).map_or(&MX, |rule| &rule.transport)
}

/// As [`transport`], among rules of which more is known.
pub fn fitting<'a, R>(rules: &'a [R], pattern: impl Fn(&R) -> &Pattern, destination: &Host) -> Option<&'a R> {
    let mut best: Option<(usize, &R)> = None;
    for rule in rules {
        let Some(fit) = pattern(rule).fit(destination) else { continue };
        if best.is_none_or(|(other, _)| fit > other) {
            best = Some((fit, rule));
        }
    }
    best.map(|(_, rule)| rule)
}

impl Transport {
    /// How mail goes on once its host has asked for it: what waits for that goes by the MX records, all else as ever.
    #[must_use]
    pub fn when_asked(&self) -> &Self {
        static MX: Transport = Transport::Mx;
        if *self == Self::OnDemand { &MX } else { self }
    }
}

impl Pattern {
    /// How well it fits; none where it does not.
    fn fit(&self, destination: &Host) -> Option<usize> {
        match (self, destination) {
            (Self::Everything, _) => Some(0),
            (Self::Domain(domain), Host::Domain(destination)) => {
                (domain == destination).then_some(usize::MAX)
            }
            (Self::Below(domain), Host::Domain(destination)) => {
                let above = destination.ascii().strip_suffix(domain.ascii())?;
                above.ends_with('.').then_some(domain.ascii().len())
            }
            (Self::Domain(_) | Self::Below(_), Host::Literal(_)) => None,
        }
    }
}
