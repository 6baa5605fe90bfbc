//! What lists in the DNS know of who sends, and greylisting.

use std::time::Duration;

use mta::admission::greylist::{GreylistMode, GreylistPolicy};
use mta::admission::reputation::{Code, ReputationPolicy, Subject};
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use types::Domain;

use super::findings::Findings;
use super::network::Network;
use super::section::{Section, sections};
use super::value::{Fault, Seconds, Text, Value, quoted};
use super::words::{GreylistChoice, ReputationStage, Switch};

sections! {
    /// One list in the DNS that is asked who sends mail from outside (RFC 5782); as many of these tables as are wanted, without
    /// any nobody is asked. Lists have terms of use, and most answer neither busy servers nor public resolvers for nothing: read
    /// them before you name a list (docs/reputation.md).
    struct DnsList {
        /// The zone that is asked, for example `bl.example.org`. It has to be named.
        zone: Zone = Zone("bl.example.org".parse().ok());
        /// What it is asked about, a word or a list of them: `address` of the client, the name of that address which leads back to
        /// it (`ptr`), the name of `helo`, the domain of `mail_from`, those of `from`, and those of the `signer`s whose DKIM
        /// signature is right. The last two need `authenticity.verify`.
        of: Subjects = Subjects(vec![Subject::Address]);
        /// What a listing weighs: above 0 against the sender, below 0 for it. However many of a sender's names are listed, the
        /// list counts once. What anybody can say (HELO, and MAIL and From that nothing vouches for) never counts for a sender.
        weight: Weight = Weight(10);
        /// Which answers are a listing, with a weight of their own where one is written: `"127.0.0.2"`, `"127.0.0.4-7=3"`,
        /// `"127.0.*.3"`, `"127.0.0.&8"` for a bit. Without any, all of 127.0.0.0/8 are but those by which lists refuse to answer.
        codes: Vec<Code> = Vec::new();
        /// A name that the list has for tests in place of `TEST` (RFC 5782 §5), where it is asked about names.
        test_entry: Text = Text(String::new());
        /// `off` leaves the table there and does not ask.
        enabled: Switch = Switch::On;
    }

    /// What becomes of what lists in the DNS say. Those who have logged in, `policy.trusted_networks`, loopback and LMTP are
    /// not asked about, and mail for postmaster and abuse alone is never refused for it.
    struct Reputation {
        /// Mail is refused with 550 5.7.1 from this sum of weights on; 0 is never.
        reject_at: Weight = Weight(10);
        /// Mail is put off with 451 4.7.1 from this sum on; 0 is never.
        defer_at: Weight = Weight(0);
        /// Mail is taken as suspicious from this sum on; 0 is never.
        tag_at: Weight = Weight(5);
        /// Where a client is first refused: at `rcpt`, so that the trace has who wrote to whom and the postmaster is reached; or at
        /// `connect` with 554 5.7.1 in place of the greeting, by lists of addresses alone. What is known later decides later.
        at: ReputationStage = ReputationStage::Rcpt;
        /// Seconds for the answers of all lists together. Who does not answer by then says nothing.
        timeout_s: Seconds = Seconds(5), min 1, "";
        /// Networks that no list is asked about, and that are not greylisted.
        trust: Vec<Network> = Vec::new();
    }

    /// Asking senders who were not seen before to come again (RFC 6647), with 451 4.7.1 at the end of the message. It is off by
    /// default, because it costs each new correspondent a wait, and because DMARC, lists and rates stop most of what it stops.
    struct Greylisting {
        /// `off`; `suspicious` asks those who look like something: on a list, failing SPF or DMARC, or from an address without a
        /// name that leads back to it; `all` asks everybody who is new.
        mode: GreylistChoice = GreylistChoice::Off;
        /// Seconds that a new sender has to wait.
        wait_s: Seconds = Seconds(300), min 60, "";
        /// Seconds after its first attempt within which a sender has to come again.
        retry_within_s: Seconds = Seconds(24 * 60 * 60), min 24 * 60 * 60, "RFC 6647";
        /// Days for which a sender is remembered after its last message.
        remembered_days: u64 = 35, min 1, "";
        /// Messages with which a client has to have come again until it is not asked any more; 0 asks it about each new sender
        /// and recipient.
        client_retries: u64 = 5;
        /// Messages that passed DMARC until the author's domain has a good history and is not asked.
        author_messages: u64 = 5, min 1, "";
        /// Days on which these came, at least.
        author_days: u64 = 3, min 1, "";
        /// Entries that are kept of senders, of clients and of authors each, some hundred octets of memory to each.
        entries_max: usize = 50_000, min 1000, "";
    }
}

impl Reputation {
    pub(crate) const fn policy(&self) -> ReputationPolicy {
        ReputationPolicy { reject_at: self.reject_at.0, defer_at: self.defer_at.0, tag_at: self.tag_at.0 }
    }
}

impl Greylisting {
    pub(crate) fn policy(&self) -> GreylistPolicy {
        let count = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        GreylistPolicy {
            wait: self.wait_s.duration(),
            retry_within: self.retry_within_s.duration(),
            remembered: Duration::from_secs(self.remembered_days.saturating_mul(24 * 60 * 60)),
            client_retries: count(self.client_retries),
            author_messages: count(self.author_messages),
            author_days: count(self.author_days),
            entries_max: self.entries_max,
        }
    }

    pub(crate) const fn mode(&self) -> GreylistMode {
        match self.mode {
            GreylistChoice::Off => GreylistMode::Off,
            GreylistChoice::Suspicious => GreylistMode::Suspicious,
            GreylistChoice::All => GreylistMode::All,
        }
    }
}

/// A zone. A list without one is not asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Zone(pub Option<Domain>);

impl Zone {
    /// As the DNS has it; empty where there is none.
    #[must_use]
    pub fn ascii(&self) -> &str {
        self.0.as_ref().map_or("", Domain::ascii)
    }
}

impl Value for Zone {
    fn read(value: &DeValue<'_>) -> Result<Self, Fault> {
        Domain::read(value).map(|domain| Self(Some(domain)))
    }

    fn write(&self) -> String {
        quoted(self.ascii())
    }
}

/// What a listing weighs, from -1000 to 1000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weight(pub i32);

const WEIGHT_MAX: i32 = 1000;

impl Value for Weight {
    fn read(value: &DeValue<'_>) -> Result<Self, Fault> {
        const MEND: &str = "write a whole number from -1000 to 1000 without quotes";
        let integer = value.as_integer().ok_or_else(|| Fault::of_type(value, "a whole number", MEND))?;
        match i32::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(weight) if weight.abs() <= WEIGHT_MAX => Ok(Self(weight)),
            _ => Err(Fault::new(format!("{integer} is out of range"), MEND)),
        }
    }

    fn write(&self) -> String {
        self.0.to_string()
    }
}

/// What a list is asked about: a word or a list of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subjects(pub Vec<Subject>);

impl Value for Subjects {
    fn read(value: &DeValue<'_>) -> Result<Self, Fault> {
        let words = Subject::ALL.map(Subject::keyword).join("\", \"");
        let mend = format!("write one of \"{words}\", or several in brackets");
        let one = |value: &DeValue<'_>| {
            let text = value.as_str().ok_or_else(|| Fault::of_type(value, "a word", &mend))?;
            let found = Subject::ALL.into_iter().find(|subject| subject.keyword() == text);
            found.ok_or_else(|| {
                Fault::new(format!("{text:?} is none of the words that may stand here"), mend.clone())
            })
        };
        let Some(array) = value.as_array() else { return one(value).map(|subject| Self(vec![subject])) };
        let mut subjects: Vec<Subject> =
            array.iter().map(|item| one(item.get_ref())).collect::<Result<_, _>>()?;
        subjects.sort_unstable();
        subjects.dedup();
        if subjects.is_empty() { Err(Fault::new("the list is empty", mend)) } else { Ok(Self(subjects)) }
    }

    fn write(&self) -> String {
        let words: Vec<_> = self.0.iter().map(|subject| quoted(subject.keyword())).collect();
        match &words[..] {
            [word] => word.clone(),
            words => format!("[{}]", words.join(", ")),
        }
    }
}

impl Value for Code {
    fn read(value: &DeValue<'_>) -> Result<Self, Fault> {
        const MEND: &str = "write an answer of the list, for example \"127.0.0.2\" or \"127.0.0.4-7=3\"";
        let text = value.as_str().ok_or_else(|| Fault::of_type(value, "an answer", MEND))?;
        text.parse().map_err(|error| Fault::new(format!("{text:?}: {error}"), MEND))
    }

    fn write(&self) -> String {
        quoted(&self.to_string())
    }
}

/// All `[[dnsbl]]` tables.
pub(super) fn lists(root: &DeTable<'_>, findings: &mut Findings) -> Vec<DnsList> {
    const MEND: &str = "write [[dnsbl]] on a line of its own, once for each list";
    let Some(value) = root.get("dnsbl") else { return Vec::new() };
    let Some(array) = value.get_ref().as_array() else {
        findings.add(value.span(), "`dnsbl` is a list of tables", MEND);
        return Vec::new();
    };
    let mut lists: Vec<DnsList> = Vec::new();
    for value in array.iter() {
        let Some(table) = value.get_ref().as_table() else {
            findings.add(value.span(), "`dnsbl` is a list of tables", MEND);
            continue;
        };
        if !table.contains_key("zone") {
            findings.add(value.span(), "the list has no `zone`", "add a line zone = \"…\"");
        }
        let list = DnsList::read(table, &[], findings);
        if table.contains_key("zone") && lists.iter().any(|other| other.zone == list.zone) {
            let span = table.get("zone").map_or(value.span(), Spanned::span);
            let what = format!("{:?} is there twice", list.zone.ascii());
            findings.add(span, what, "write all that it is asked about into one table");
        }
        lists.push(list);
    }
    lists
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    #[test]
    fn lists_their_codes_and_what_becomes_of_them_are_read() {
        let text = r#"
            [[dnsbl]]
            zone = "bl.example.org"
            [[dnsbl]]
            zone = "names.example.org"
            of = ["signer", "helo", "helo"]
            weight = -3
            codes = ["127.0.0.2-11", "127.0.0.&8=4"]
            enabled = "off"
            [reputation]
            at = "connect"
            defer_at = 7
            trust = ["192.0.2.0/24"]
            [greylisting]
            mode = "suspicious"
            wait_s = 60
        "#;
        let config = Config::parse("posta.toml", text).unwrap();
        let [first, second] = &config.dnsbl[..] else { panic!("{:?}", config.dnsbl) };
        assert_eq!(first.zone.ascii(), "bl.example.org");
        assert_eq!((&first.of.0[..], first.weight), (&[Subject::Address][..], Weight(10)));
        assert_eq!((&second.of.0[..], second.weight), (&[Subject::Helo, Subject::Signer][..], Weight(-3)));
        assert_eq!(second.codes[1].to_string(), "127.0.0.&8=4");
        assert_eq!(config.reputation.policy(), ReputationPolicy { reject_at: 10, defer_at: 7, tag_at: 5 });
        assert_eq!(config.greylisting.mode(), GreylistMode::Suspicious);
        assert_eq!(config.greylisting.policy().wait, Duration::from_secs(60));
        assert!(Config::default().dnsbl.is_empty(), "nobody is asked by default");
        assert_eq!(Config::default().greylisting.mode(), GreylistMode::Off);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let list = |rest: &str| format!("[[dnsbl]]\nzone = \"a.example\"\n{rest}");
        for (text, what) in [
            ("[[dnsbl]]\nweight = 1".to_owned(), "the list has no `zone`"),
            ("[dnsbl]\nzone = \"a.example\"".to_owned(), "`dnsbl` is a list of tables"),
            (list("of = \"sender\""), "\"sender\" is none of the words"),
            (list("of = []"), "the list is empty"),
            (list("weight = 5000"), "5000 is out of range"),
            (list("codes = [\"10.0.0.1\"]"), "answers of lists begin with 127"),
            (list("") + &list(""), "\"a.example\" is there twice"),
            ("[greylisting]\nretry_within_s = 600".to_owned(), "`retry_within_s` must be at least 86400"),
        ] {
            let error = Config::parse("posta.toml", &text).expect_err(&text);
            let found: Vec<_> = error.findings().map(|(_, finding)| finding.what.clone()).collect();
            assert!(found.iter().any(|found| found.contains(what)), "{text}: {found:?}");
        }
    }
}
