//! What records are made of.

use std::net::IpAddr;

use types::Domain;

/// What is known of a domain and of the node that takes its mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Whose records they are.
    pub domain: Domain,
    /// Whether it has mail at all.
    pub mail: Mail,
    /// What the node calls itself.
    pub host: Domain,
    /// Under which addresses it is seen from outside; empty where that is not known.
    pub addresses: Vec<IpAddr>,
    /// What others can connect to; none where that is not known.
    pub services: Option<Vec<Offered>>,
    /// With what the domain signs.
    pub keys: Vec<Key>,
    /// The chains of certificates that the node shows, in DER, the host's own first.
    pub certificates: Vec<Vec<Vec<u8>>>,
    /// Where reports of others go.
    pub reports: String,
}

/// Whether a domain has mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mail {
    /// It takes mail and sends some.
    Some,
    /// It neither takes nor sends any.
    None,
}

/// A service that others can connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// As SRV records name it: `submission`, `submissions`, `imap`, `imaps`, `pop3`, `pop3s`.
    pub service: String,
    /// Where it listens.
    pub port: u16,
}

/// The public half of a key of DKIM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// `s=`
    pub selector: String,
    /// What the DNS is to say of it: `v=DKIM1; …`.
    pub record: String,
    /// Where it is on its way.
    pub state: KeyState,
}

/// Where a key is on its way: as the directory says.
pub type KeyState = types::directory::DkimKeyState;

impl Facts {
    /// Whether a name belongs to the domain.
    #[must_use]
    pub fn is_within(&self, name: &str) -> bool {
        let domain = self.domain.ascii();
        name == domain || name.strip_suffix(domain).is_some_and(|below| below.ends_with('.'))
    }

    /// The domain that reports go to, where it is another one.
    #[must_use]
    pub(super) fn reports_domain(&self) -> Option<Domain> {
        let domain: Domain = self.reports.rsplit_once('@')?.1.parse().ok()?;
        (!self.is_within(domain.ascii())).then_some(domain)
    }
}
