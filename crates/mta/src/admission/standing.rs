//! Who the client is, and what that lets it do.

use types::directory::{AccountSettings, AccountStatus, SendAs, key};
use types::{Host, Mailbox};

/// Who the client is.
#[derive(Debug, Clone, Copy)]
pub enum Client<'a> {
    /// Somebody on the Internet.
    Stranger,
    /// A host in a network that the operator trusts to relay.
    TrustedNetwork,
    /// Somebody who has logged in.
    Authenticated(Rights<'a>),
}

/// What an account may do.
#[derive(Debug, Clone, Copy)]
pub struct Rights<'a> {
    /// The account's name, which is its address as a key.
    pub account: &'a str,
    /// Its settings.
    pub settings: &'a AccountSettings,
    /// The separator of its domain: who has `ada@` has `ada+lists@` too.
    pub subaddress_separator: Option<char>,
}

impl<'a> Client<'a> {
    /// Whether mail of this client goes to other hosts. Nothing else opens that way.
    #[must_use]
    pub const fn may_relay(&self) -> bool {
        match self {
            Self::Stranger => false,
            Self::TrustedNetwork | Self::Authenticated(_) => true,
        }
    }

    /// What the account may do, where there is one.
    #[must_use]
    pub const fn rights(&self) -> Option<&Rights<'a>> {
        match self {
            Self::Authenticated(rights) => Some(rights),
            Self::Stranger | Self::TrustedNetwork => None,
        }
    }

    /// The limit of the account, else `configured`.
    pub(super) fn limit<T>(&self, configured: T, of_account: impl Fn(&AccountSettings) -> Option<T>) -> T {
        self.rights().and_then(|rights| of_account(rights.settings)).unwrap_or(configured)
    }
}

impl Rights<'_> {
    /// Whether the account is in use.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.settings.status == AccountStatus::Active
    }

    /// Whether it may name `mailbox` as a sender or an author: its own address, subaddresses of it, and what the
    /// operator allowed beyond that.
    #[must_use]
    pub fn may_send_as(&self, mailbox: &Mailbox) -> bool {
        self.owns(&key(mailbox))
            || self.settings.send_as.iter().any(|allowed| match allowed {
                SendAs::Address(address) => key(address) == key(mailbox),
                SendAs::Domain(domain) => matches!(&mailbox.host, Host::Domain(host) if host == domain),
                SendAs::Anyone => true,
            })
    }

    fn owns(&self, key: &str) -> bool {
        let account = self.account.to_lowercase();
        if key == account {
            return true;
        }
        let Some(separator) = self.subaddress_separator else { return false };
        let Some((local_part, domain)) = key.rsplit_once('@') else { return false };
        let Some((base, _)) = local_part.split_once(separator) else { return false };
        account.rsplit_once('@') == Some((base, domain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(account: &str, separator: Option<char>, send_as: Vec<SendAs>, address: &str) -> bool {
        let settings = AccountSettings { send_as, ..AccountSettings::default() };
        Rights { account, settings: &settings, subaddress_separator: separator }
            .may_send_as(&address.parse().unwrap())
    }

    #[test]
    fn an_account_sends_as_its_own_address_however_that_is_written() {
        for (account, address, expected) in [
            ("ada@example.org", "ada@example.org", true),
            ("ada@example.org", "ADA@Example.ORG", true),
            ("Ada@Example.org", "ada@example.org", true),
            ("ada@example.org", "\"ada\"@example.org", true),
            ("ada@example.org", "ada+lists@example.org", true),
            ("ada@example.org", "\"ada+a b\"@example.org", true),
            ("ada@xn--bcher-kva.example", "ada@bücher.example", true),
            ("ada@example.org", "ada-lists@example.org", false),
            ("ada@example.org", "+ada@example.org", false),
            ("ada@example.org", "ada@example.net", false),
            ("ada@example.org", "adab@example.org", false),
            ("ada@example.org", "bob@example.org", false),
            ("ada@example.org", "\"ada@example.org\"@example.net", false),
            ("ada", "ada@example.org", false),
        ] {
            assert_eq!(may(account, Some('+'), Vec::new(), address), expected, "{account} as {address}");
        }
        assert!(!may("ada@example.org", None, Vec::new(), "ada+lists@example.org"));
        assert!(may("ada@example.org", Some('-'), Vec::new(), "ada-lists@example.org"));
    }

    #[test]
    fn an_account_sends_as_what_the_operator_allowed_and_no_more() {
        let allowed = |text: &str| vec![text.parse::<SendAs>().unwrap()];
        for (send_as, address, expected) in [
            ("sales@example.org", "Sales@example.org", true),
            ("sales@example.org", "sales+x@example.org", false),
            ("sales@example.org", "sales@example.net", false),
            ("@example.org", "anybody@EXAMPLE.org", true),
            ("@example.org", "anybody@sub.example.org", false),
            ("@example.org", "\"a@example.org\"@example.net", false),
            ("*", "anybody@example.com", true),
        ] {
            assert_eq!(may("ada@example.org", Some('+'), allowed(send_as), address), expected, "{send_as}");
        }
    }

    #[test]
    fn a_stranger_is_the_only_one_who_never_relays() {
        let settings = AccountSettings::default();
        let rights = Rights { account: "ada@example.org", settings: &settings, subaddress_separator: None };
        assert!(!Client::Stranger.may_relay());
        assert!(Client::TrustedNetwork.may_relay() && Client::Authenticated(rights).may_relay());
    }
}
