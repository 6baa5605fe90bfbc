//! Mail that is sent on.

use types::Domain;

use super::section::sections;
use super::words::Switch;

sections! {
    /// Mail that aliases, catch-alls and users who moved send on to other hosts (docs/forwarding.md).
    struct Forwarding {
        /// Whether the reverse-path of what strangers send is rewritten by SRS where it is sent on: `on` or `off`. Without that
        /// SPF fails at the next host, since the sender's domain does not name this one, and large receivers refuse such mail
        /// or take it for junk. Bounces come back here and go on to the sender; addresses that were rewritten before lead
        /// back with `off` too.
        srs: Switch = Switch::On;
        /// The domain of rewritten reverse-paths, one of this server's. Empty means that of the address that sends on.
        srs_domain: Option<Domain> = None;
    }
}
