//! Causes that servers name in the text of a reply and not in its code: greylisting, blocklists, DMARC and the
//! like. A table of words finds them; each has a row like that of a code.

mod rows;
mod words;

pub(super) use rows::CAUSES;
use words::{BEATS, WORDS};

/// What made a server refuse or defer a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the table says what each one means, for people")]
pub enum CauseKind {
    Greylisting,
    UserUnknown,
    MailboxFull,
    AccountDisabled,
    RelayDenied,
    SendAs,
    LoginNeeded,
    LoginFailed,
    TlsNeeded,
    Blocklist,
    Dmarc,
    Spf,
    Dkim,
    Unauthenticated,
    ReverseDns,
    Helo,
    Restricted,
    Malware,
    Spam,
    RateLimit,
    TooBig,
    TooManyRecipients,
    SenderDomain,
    DomainUnknown,
    Loop,
    Expired,
    Unreachable,
    DiskFull,
    LineEnds,
}

impl CauseKind {
    /// As programs call it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Greylisting => "greylisting",
            Self::UserUnknown => "user_unknown",
            Self::MailboxFull => "mailbox_full",
            Self::AccountDisabled => "account_disabled",
            Self::RelayDenied => "relay_denied",
            Self::SendAs => "send_as",
            Self::LoginNeeded => "login_needed",
            Self::LoginFailed => "login_failed",
            Self::TlsNeeded => "tls_needed",
            Self::Blocklist => "blocklist",
            Self::Dmarc => "dmarc",
            Self::Spf => "spf",
            Self::Dkim => "dkim",
            Self::Unauthenticated => "unauthenticated",
            Self::ReverseDns => "reverse_dns",
            Self::Helo => "helo",
            Self::Restricted => "restricted",
            Self::Malware => "malware",
            Self::Spam => "spam",
            Self::RateLimit => "rate_limit",
            Self::TooBig => "too_big",
            Self::TooManyRecipients => "too_many_recipients",
            Self::SenderDomain => "sender_domain",
            Self::DomainUnknown => "domain_unknown",
            Self::Loop => "loop",
            Self::Expired => "expired",
            Self::Unreachable => "unreachable",
            Self::DiskFull => "disk_full",
            Self::LineEnds => "line_ends",
        }
    }
}

/// The causes that `text` names, in the order of the table, at most [`CAUSES_IN_TEXT_MAX`].
#[must_use]
pub fn causes_in(text: &str) -> Vec<CauseKind> {
    let text = text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    let mut found: Vec<CauseKind> = WORDS
        .iter()
        .filter(|(_, phrases)| phrases.iter().any(|phrase| names(&text, phrase)))
        .map(|(kind, _)| *kind)
        .collect();
    for (plain, vague) in BEATS {
        if found.contains(plain) {
            found.retain(|kind| kind != vague);
        }
    }
    found.truncate(CAUSES_IN_TEXT_MAX);
    found
}

/// A text that names more than this says nothing clear.
const CAUSES_IN_TEXT_MAX: usize = 2;

/// Whether `phrase` stands in `text` as whole words; one that ends in `*` is the beginning of a word.
fn names(text: &str, phrase: &str) -> bool {
    let (phrase, is_prefix) = phrase.strip_suffix('*').map_or((phrase, false), |prefix| (prefix, true));
    text.match_indices(phrase).any(|(at, found)| {
        let before = text[..at].chars().next_back();
        let after = text[at + found.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && (is_prefix || !after.is_some_and(char::is_alphanumeric))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_alone_and_prefixes_need_not() {
        assert!(names("it is an spf failure", "spf") && !names("spfoo", "spf") && !names("xspf", "spf"));
        assert!(names("greylisted", "greylist*") && !names("not-agreylisted", "greylist*"));
        assert!(names("spf", "spf") && names("(spf)", "spf"));
    }

    #[test]
    fn each_kind_has_one_row_and_words_in_lower_case() {
        assert_eq!(CAUSES.len(), WORDS.len());
        for entry in CAUSES {
            let crate::explain::Key::Cause(kind) = entry.key else { panic!("{}", entry.key) };
            assert_eq!(crate::explain::cause(kind), entry);
            let rows: Vec<_> = WORDS.iter().filter(|(of, _)| *of == kind).collect();
            assert_eq!(rows.len(), 1, "{kind:?}");
            assert!(rows[0].1.iter().all(|phrase| phrase.to_lowercase() == **phrase && !phrase.is_empty()));
        }
    }

    #[test]
    fn a_text_names_its_cause_whatever_its_case_and_line_ends() {
        let rows = [
            ("Recipient address rejected: Greylisted, see https://example.org", CauseKind::Greylisting),
            ("User\r\n    UNKNOWN in virtual mailbox table", CauseKind::UserUnknown),
            ("Relay access denied", CauseKind::RelayDenied),
            (
                "Unauthenticated email from example.org is not accepted due to domain's DMARC policy",
                CauseKind::Dmarc,
            ),
            (
                "Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org",
                CauseKind::Blocklist,
            ),
        ];
        for (text, kind) in rows {
            assert_eq!(causes_in(text).first(), Some(&kind), "{text}");
        }
        assert_eq!(causes_in("2.0.0 OK"), []);
    }
}
