//! What was found, and how bad it is.

use serde::Serialize;

/// One fact with its verdict.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// What it belongs to.
    pub topic: Topic,
    /// Which one: a name, a host, an address, a selector.
    pub about: String,
    /// How bad it is.
    pub verdict: Verdict,
    /// What was found, in one sentence without a full stop.
    pub says: String,
    /// The exact thing to do; where a record is missing, its line in the zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
    /// What the verdict rests on, a line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    /// Of a message: what it costs (above 0) or earns (below 0). 0 of a domain.
    #[serde(skip_serializing_if = "is_zero")]
    pub points: f32,
}

/// How bad it is; the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Good to know; nothing need be done.
    Notice,
    /// Could not be found out.
    Unknown,
    /// Mail gets through, less surely or less safely than it could.
    Warning,
    /// Mail is lost, refused or open to forgery.
    Bad,
}

/// What a finding belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// Mail hosts (RFC 5321 §5).
    Mx,
    /// Addresses of hosts.
    Address,
    /// Names of addresses.
    Ptr,
    /// What a host calls itself (RFC 5321 §4.1.1.1).
    Hello,
    /// RFC 7208.
    Spf,
    /// RFC 6376.
    Dkim,
    /// RFC 9989.
    Dmarc,
    /// RFC 8617.
    Arc,
    /// RFC 8461.
    MtaSts,
    /// RFC 8460.
    TlsRpt,
    /// RFC 7672.
    Dane,
    /// Encryption and certificates.
    Tls,
    /// Lists of addresses and domains in the DNS (RFC 5782).
    Dnsbl,
    /// Where programs find services (RFC 6186, RFC 8314 §5.1).
    Srv,
    /// Where programs find their settings, as they do by habit.
    Autoconfig,
    /// Fields of a message (RFC 5322).
    Header,
    /// Parts of a message (RFC 2045).
    Mime,
    /// What a message says.
    Content,
    /// Links in a message.
    Link,
    /// Leaving a list (RFC 2369, RFC 8058).
    Unsubscribe,
    /// How much there is.
    Size,
    /// Mail taken at a host (RFC 5321 §3.1).
    Smtp,
    /// Addresses that a domain has to have, or that were asked for (RFC 5321 §4.5.1, RFC 2142).
    Recipient,
    /// Whether the DNS is signed (RFC 4033).
    Dnssec,
    /// A logo for mail that is authenticated.
    Bimi,
}

impl Finding {
    /// A finding without a mend, details or points.
    #[must_use]
    pub fn new(topic: Topic, about: impl Into<String>, verdict: Verdict, says: impl Into<String>) -> Self {
        Self {
            topic,
            about: about.into(),
            verdict,
            says: says.into(),
            mend: None,
            details: Vec::new(),
            points: 0.0,
        }
    }

    /// The same with what is to be done.
    #[must_use]
    pub fn mend(self, mend: impl Into<String>) -> Self {
        Self { mend: Some(mend.into()), ..self }
    }

    /// The same with one more detail.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.details.push(detail.into());
        self
    }

    /// The same with what it costs or earns.
    #[must_use]
    pub fn points(self, points: f32) -> Self {
        Self { points, ..self }
    }
}

/// The worst verdict; [`Verdict::Good`] where there is none.
#[must_use]
pub fn worst(findings: &[Finding]) -> Verdict {
    findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Good)
}

impl Verdict {
    /// In one word, as people read it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Notice => "notice",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Bad => "bad",
        }
    }
}

impl Topic {
    /// As a heading for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Mx => "Mail hosts (MX)",
            Self::Address => "Addresses",
            Self::Ptr => "Reverse DNS (PTR)",
            Self::Hello => "HELO name",
            Self::Spf => "SPF",
            Self::Dkim => "DKIM",
            Self::Dmarc => "DMARC",
            Self::Arc => "ARC",
            Self::MtaSts => "MTA-STS",
            Self::TlsRpt => "TLS reports",
            Self::Dane => "DANE",
            Self::Tls => "TLS",
            Self::Dnsbl => "DNS lists",
            Self::Srv => "Services (SRV)",
            Self::Autoconfig => "Settings of mail programs",
            Self::Header => "Header",
            Self::Mime => "MIME",
            Self::Content => "Content",
            Self::Link => "Links",
            Self::Unsubscribe => "Unsubscribing",
            Self::Size => "Size",
            Self::Smtp => "Mail hosts answer (SMTP)",
            Self::Recipient => "Addresses that take mail",
            Self::Dnssec => "DNSSEC",
            Self::Bimi => "BIMI",
        }
    }
}

fn is_zero(points: &f32) -> bool {
    *points == 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_of_several_counts_and_what_is_unknown_is_no_failure() {
        let of = |verdict| Finding::new(Topic::Mx, "example.org", verdict, "something");
        assert_eq!(worst(&[]), Verdict::Good);
        assert_eq!(worst(&[of(Verdict::Unknown), of(Verdict::Notice)]), Verdict::Unknown);
        assert_eq!(worst(&[of(Verdict::Warning), of(Verdict::Unknown)]), Verdict::Warning);
        assert_eq!(worst(&[of(Verdict::Bad), of(Verdict::Good), of(Verdict::Warning)]), Verdict::Bad);
    }
}
