//! Who really sent a message: what is checked, and what is done about it.

use mta::admission::authenticity::{AuthenticityPolicy, DmarcHandling, Handling, TroubleHandling};

use super::section::sections;
use super::value::Seconds;
use super::words::{DmarcChoice, FailureChoice, Switch, TroubleChoice};

sections! {
    /// Who really sent a message: SPF, DKIM, DMARC, ARC and the name of the address, checked for mail from outside on `smtp`
    /// listeners (docs/authenticity.md). Mail of those who have logged in, of `policy.trusted_networks`, from loopback and by LMTP
    /// is not checked.
    struct Authenticity {
        /// `on` or `off`.
        verify: Switch = Switch::On;
        /// Seconds for the answers of the DNS, counted from MAIL for the sender, from the header section for the keys of
        /// signatures; RFC 7208 §4.6.4 recommends 20 or more. What is not known by then is a temporary error.
        timeout_s: Seconds = Seconds(20), min 1, "";
        /// What becomes of mail that fails DMARC: `enforce` does what the domain in From asks for (`p=reject`: 550 5.7.26;
        /// `p=quarantine`: taken and marked as suspicious), `tag` takes it and says so in its header section.
        dmarc: DmarcChoice = DmarcChoice::Enforce;
        /// What becomes of mail whose SPF says `fail`, whatever DMARC says: `accept`, or `reject` with 550 5.7.23, which
        /// refuses much of what others forward.
        spf_fail: FailureChoice = FailureChoice::Accept;
        /// What becomes of mail without a DKIM signature that is right: `accept`, or `reject` with 550 5.7.20.
        no_dkim: FailureChoice = FailureChoice::Accept;
        /// What becomes of mail without a From, with several, or with one that names nobody: `reject` with 554 5.6.0, or
        /// `accept`, with which such mail is no matter of DMARC.
        malformed_from: FailureChoice = FailureChoice::Reject;
        /// What becomes of mail that the DNS leaves open: `accept`, or `defer` with 451 4.7.24 or 451 4.4.3.
        dns_trouble: TroubleChoice = TroubleChoice::Accept;
    }
}

impl Authenticity {
    pub(crate) const fn policy(&self) -> AuthenticityPolicy {
        AuthenticityPolicy {
            dmarc: match self.dmarc {
                DmarcChoice::Enforce => DmarcHandling::AsAsked,
                DmarcChoice::Tag => DmarcHandling::Told,
            },
            spf_fail: handling(self.spf_fail),
            no_dkim: handling(self.no_dkim),
            malformed_from: handling(self.malformed_from),
            trouble: match self.dns_trouble {
                TroubleChoice::Accept => TroubleHandling::Accepted,
                TroubleChoice::Defer => TroubleHandling::Deferred,
            },
        }
    }
}

const fn handling(choice: FailureChoice) -> Handling {
    match choice {
        FailureChoice::Accept => Handling::Accepted,
        FailureChoice::Reject => Handling::Refused,
    }
}
