//! What an account is called: the one form in which addresses that mean the same are the same.

use types::Mailbox;
use types::directory::key;

/// The name of the account for an address.
pub(crate) fn of(mailbox: &Mailbox) -> String {
    key(mailbox)
}

/// The name of the account that somebody means by `written`, be it an address or not.
pub(crate) fn meant_by(written: &str) -> String {
    written.parse().map_or_else(|_| written.to_owned(), |mailbox| of(&mailbox))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_to_write_one_address_name_one_account() {
        let rows = [
            ("ada@example.org", "ada@example.org"),
            ("\"ada\"@example.org", "ada@example.org"),
            ("\"a b\"@example.org", "a b@example.org"),
            ("ada@bücher.example", "ada@xn--bcher-kva.example"),
            ("ada@[192.0.2.1]", "ada@[192.0.2.1]"),
            ("no address", "no address"),
        ];
        for (written, name) in rows {
            assert_eq!(meant_by(written), name);
        }
    }
}
