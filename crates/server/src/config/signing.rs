//! What leaves this host with a signature.

use super::section::sections;
use super::value::Seconds;
use super::words::{ArcSeal, Switch, TroubleChoice};

sections! {
    /// Signatures over what leaves this host (docs/signing.md): mail of those who have logged in, of `policy.trusted_networks` and
    /// of loopback, reports, and what lists send. The keys are those of `posta dkim`; without any nothing is signed.
    struct Signing {
        /// Signing with DKIM (RFC 6376): `on` or `off`.
        sign: Switch = Switch::On;
        /// Seconds after which a signature says that it ends (`x=`); 0 means that it says nothing of an end. What waits in
        /// queues for longer arrives with a signature that counts for nothing.
        expire_s: Seconds = Seconds(0);
        /// What becomes of mail that should be signed while the keys cannot be read or used: `accept`, without a signature, or
        /// `defer` with 451 4.3.0.
        trouble: TroubleChoice = TroubleChoice::Accept;
        /// Whether what strangers send and an address here sends on gets a set of ARC (RFC 8617) with what was found of it:
        /// `off`, or `forwarded`. It needs `authenticity.verify`.
        arc_seal: ArcSeal = ArcSeal::Off;
    }
}
