//! What is set about mailboxes: which one a message goes into, and how long POP3 leaves it there.

use toml::de::DeValue;

use super::section::sections;
use super::value::{Fault, Value, quoted};
use super::words::{SubaddressFolder, Switch};

sections! {
    /// Which mailbox of an account a message goes into (docs/mailboxes.md).
    struct Mailboxes {
        /// What a subaddress says, `lists` in `ada+lists@example.org`: nothing (`ignore`), the mailbox of that name, in any
        /// case of letters, where there is one (`existing`), or the mailbox of that name, which is made where there is none
        /// (`create`). Anybody can write a subaddress: mailboxes with a special use, as Sent and Trash, are never meant.
        subaddress: SubaddressFolder = SubaddressFolder::Ignore;
        /// Whether mail that is taken as suspicious, by DMARC or by `[reputation]`, goes into the mailbox for junk, which is
        /// made where there is none; else it goes where it would go without that.
        junk: Switch = Switch::On;
    }
}

/// How long a message stays that a POP3 client has retrieved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pop3Expiry {
    /// As long as nobody deletes it.
    Never,
    /// So many days from when it came.
    AfterDays(u32),
}

impl Value for Pop3Expiry {
    fn read(value: &DeValue<'_>) -> Result<Self, Fault> {
        const MEND: &str = "write \"never\", or a number of days without quotes, for example 30";
        if value.as_str() == Some("never") {
            return Ok(Self::Never);
        }
        if !value.is_integer() {
            return Err(Fault::of_type(value, "\"never\" or a number of days", MEND));
        }
        let days = u64::read(value)?;
        let days = u32::try_from(days).map_err(|_| Fault::new(format!("{days} days are too many"), MEND))?;
        Ok(Self::AfterDays(days))
    }

    fn write(&self) -> String {
        match self {
            Self::Never => quoted("never"),
            Self::AfterDays(days) => days.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Pop3Deleted, Pop3Expiry, SubaddressFolder, Switch};

    #[test]
    fn what_is_set_about_mailboxes_is_read() {
        let text = "[mailboxes]\nsubaddress = 'create'\njunk = 'off'\n[pop3]\nexpire = 30\ndeleted = 'hide'\n\
                    mark_seen = 'on'\nlogin_delay_s = 60\n[store]\nexpunged_days = 0\n";
        let config = Config::parse("posta.toml", text).unwrap();
        assert_eq!(
            (config.mailboxes.subaddress, config.mailboxes.junk),
            (SubaddressFolder::Create, Switch::Off)
        );
        assert_eq!(config.pop3.expire, Pop3Expiry::AfterDays(30));
        assert_eq!((config.pop3.deleted, config.pop3.mark_seen), (Pop3Deleted::Hide, Switch::On));
        assert_eq!((config.pop3.login_delay_s.0, config.store.expunged_days), (60, 0));
        let config = Config::parse("posta.toml", "[pop3]\nexpire = 'never'").unwrap();
        assert_eq!(config.pop3, crate::config::Pop3::default());
    }

    #[test]
    fn an_expiry_that_is_neither_a_word_nor_days_is_a_fault() {
        for value in ["'soon'", "-1", "4294967296", "true"] {
            let text = format!("[pop3]\nexpire = {value}");
            assert!(Config::parse("posta.toml", &text).is_err(), "{value}");
        }
    }
}
