//! What is set about the way out: the queue, how mail is sent, whom the DNS is asked of.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use mta::route::{AddressPolicy, Families};
use mta::schedule::{INTERVAL_MIN, Schedule};
use mta::shaping;
use net::dns::check_trust_anchors;
use toml::de::{DeTable, DeValue};
use types::language::{Language, UnknownLanguage};

use super::findings::Findings;
use super::section::{Section as _, sections};
use super::value::{ByteSize, Fault, OptionalFile, Seconds, Value, quoted};
use super::words::{AddressFamilies, DnsTrust, DoubleBounces, OutboundTls, PrivateAddresses, Switch};

sections! {
    /// Mail that waits for other hosts: when it is tried again, and when it goes back.
    struct Queue {
        /// Seconds to wait after the first, the second … attempt; the last one is for all that follow. At least 60 each.
        retry_intervals_s: Vec<Seconds> = seconds(&Schedule::default().intervals);
        /// The same where the other side speaks of greylisting, which wants a second attempt within minutes.
        greylisting_intervals_s: Vec<Seconds> = seconds(&Schedule::default().greylisting_intervals);
        /// Seconds for which a message is tried; then it goes back to its sender.
        lifetime_s: Seconds = Seconds(Schedule::default().lifetime.as_secs()),
            min 4 * 24 * 60 * 60, "RFC 5321 §4.5.4.1";
        /// Seconds for which a report is tried, which has no sender to go back to.
        report_lifetime_s: Seconds = Seconds(Schedule::default().report_lifetime.as_secs()), min 60 * 60, "";
        /// Seconds after which a sender is told that a message is late; 0 for never.
        delay_notice_after_s: Seconds =
            Seconds(Schedule::default().delay_notice_after.map_or(0, |after| after.as_secs()));
        /// By how many percent an attempt may be later than planned, so that what failed together does not come back
        /// together. At most 100.
        jitter_percent: usize = Schedule::default().jitter_percent as usize;
        /// What becomes of a report that cannot be delivered: it goes to the `postmaster`, or `discard`. Either is
        /// recorded.
        double_bounces: DoubleBounces = DoubleBounces::Postmaster;
        /// Attempts in a row that may fail by a fault of this program; then the message is set aside, and waits for
        /// somebody to look at it.
        own_failures_max: usize = 5, min 1, "";
        /// Octets of a message that a report returns whole, where its sender asked for that (RFC 3461 §4.3).
        report_full_bytes_max: ByteSize = ByteSize(mta::dsn::FULL_BYTES_MAX as u64);
        /// The language of reports to senders who have no account here, and to accounts for which none is set: the tag
        /// of one that there are texts in, such as `es`.
        report_language: Language = Language::English;
        /// Messages of the queue in memory at one time; all others wait on the disk.
        loaded_max: usize = 10_000, min 100, "";
    }

    /// How mail is sent to other hosts.
    struct Delivery {
        /// The kinds of addresses that can be reached from here: `both` (IPv6 and IPv4 in turn), `ipv4-first`,
        /// `ipv4` or `ipv6`.
        families: AddressFamilies = AddressFamilies::Both;
        /// Addresses of this machine that connections are made from, those of a kind in turn; without any of a kind
        /// the system chooses.
        source_addresses: Vec<IpAddr> = Vec::new();
        /// Connections at one time. A quarter of them is kept for sites that have none yet.
        connections_max: usize = 500, min 1, "";
        /// Connections at one time to the hosts of one destination, and of all destinations that have the same hosts.
        /// There are fewer while these hosts have trouble.
        connections_per_site_max: usize = 20, min 1, "";
        /// Troubles in a row (no connection, a lost one, a word that asks for less) after which these hosts are left alone
        /// for a while; then one connection finds out whether they are back. At most 100.
        suspend_after: usize = shaping::Limits::default().suspend_after as usize, min 1, "";
        /// Seconds for which they are left alone, the first time; twice as long each time after.
        suspension_first_s: Seconds = Seconds(shaping::Limits::default().suspension_first.as_secs()), min 1, "";
        /// Seconds for which they are left alone at most; a day at most itself.
        suspension_max_s: Seconds = Seconds(shaping::Limits::default().suspension_max.as_secs()), min 1, "";
        /// Messages that are sent on one connection.
        messages_per_connection_max: usize = 1000, min 1, "";
        /// Recipients of one message in one transaction; a message with more is sent in several.
        recipients_per_message_max: usize = 100, min 1, "";
        /// Seconds for a connection to be there; then the host's next address is tried.
        connect_timeout_s: Seconds = Seconds(30), min 1, "";
        /// Seconds for which a connection without mail is kept open for more.
        idle_s: Seconds = Seconds(5);
        /// TLS where neither DANE nor MTA-STS asks for more: `none`, `opportunistic` (where it is offered, whatever
        /// the certificate), `required` (with any certificate), `verified` (with a certificate for the host) or `dane`
        /// (by TLSA records; hosts without them get no mail).
        tls: OutboundTls = OutboundTls::Opportunistic;
        /// Whether TLSA records decide about TLS (RFC 7672), `on` or `off`. They count only where DNSSEC proves them
        /// (`trust` of `[dns]`).
        dane: Switch = Switch::On;
        /// Whether policies of domains decide about TLS (RFC 8461), `on` or `off`.
        mta_sts: Switch = Switch::On;
        /// The port where these policies are fetched by HTTPS; another than 443 is for tests on one machine.
        mta_sts_port: u16 = 443, min 1, "";
        /// Whether the DNS may lead to addresses of private networks: `refused`, `allowed`, or `any` for loopback too,
        /// for tests on one machine. Hosts of a `[[transport]]` may have any address.
        private_addresses: PrivateAddresses = PrivateAddresses::Refused;
        /// The port of mail servers.
        port: u16 = 25, min 1, "";
        /// Octets of a message that is rewritten for a host that takes 7 bits alone (RFC 6152); a larger one goes back.
        conversion_bytes_max: ByteSize = ByteSize::mib(32), min 65_536, "";
    }

    /// Whom the DNS is asked of.
    struct Dns {
        /// Resolvers: IP addresses, with a port where it is not 53. Empty means those of the system.
        servers: Vec<DnsServer> = Vec::new();
        /// Seconds for one answer of one resolver.
        timeout_s: Seconds = Seconds(5), min 1, "";
        /// How often a question is asked.
        attempts: usize = 2, min 1, "";
        /// Who says what DNSSEC proves: the `resolver` (its AD bit; it has to be on this machine or reached by a network
        /// where nobody else speaks), `validate` (this server itself) or `none`, which turns DANE off.
        trust: DnsTrust = DnsTrust::Resolver;
        /// Answers that are remembered.
        cache_entries: usize = 10_000, min 1, "";
        /// A file with trust anchors in place of those of the root (DNSKEY records), for networks with a root of
        /// their own; empty for none. Only with `trust = "validate"`.
        trust_anchors: OptionalFile = OptionalFile(None);
    }
}

/// A resolver. As text its IP address, with the port where that is not 53.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DnsServer(pub SocketAddr);

impl fmt::Display for DnsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.port() == DNS_PORT { self.0.ip().fmt(f) } else { self.0.fmt(f) }
    }
}

const DNS_PORT: u16 = 53;

impl Value for Language {
    fn read(value: &DeValue<'_>) -> Result<Self, Fault> {
        const MEND: &str = "write the tag of a language, for example \"es\"";
        let text = value.as_str().ok_or_else(|| Fault::of_type(value, "a language", MEND))?;
        text.parse().map_err(|error: UnknownLanguage| Fault::new(error.to_string(), MEND))
    }

    fn write(&self) -> String {
        quoted(self.tag())
    }
}

impl Value for DnsServer {
    fn read(value: &DeValue<'_>) -> Result<Self, Fault> {
        const MEND: &str =
            "write an IP address, for example \"127.0.0.1\", \"127.0.0.1:5353\" or \"[::1]:5353\"";
        let text = value.as_str().ok_or_else(|| Fault::of_type(value, "a resolver", MEND))?;
        let with_port = text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, DNS_PORT));
        match with_port.or_else(|_| text.parse()) {
            Ok(address) if address.port() != 0 => Ok(Self(address)),
            _ => Err(Fault::new(format!("{text:?} is no address of a resolver"), MEND)),
        }
    }

    fn write(&self) -> String {
        quoted(&self.to_string())
    }
}

impl Value for IpAddr {
    fn read(value: &DeValue<'_>) -> Result<Self, Fault> {
        const MEND: &str = "write an IP address, for example \"192.0.2.1\" or \"2001:db8::1\"";
        let text = value.as_str().ok_or_else(|| Fault::of_type(value, "an IP address", MEND))?;
        text.parse().map_err(|_| Fault::new(format!("{text:?} is no IP address"), MEND))
    }

    fn write(&self) -> String {
        quoted(&self.to_string())
    }
}

impl Queue {
    /// When mail is tried again, and when it goes back.
    #[must_use]
    pub fn schedule(&self) -> Schedule {
        let durations = |all: &[Seconds]| all.iter().map(|interval| interval.duration()).collect();
        Schedule {
            intervals: durations(&self.retry_intervals_s),
            greylisting_intervals: durations(&self.greylisting_intervals_s),
            lifetime: self.lifetime_s.duration(),
            report_lifetime: self.report_lifetime_s.duration(),
            delay_notice_after: Some(self.delay_notice_after_s.duration()).filter(|after| !after.is_zero()),
            jitter_percent: u8::try_from(self.jitter_percent).unwrap_or(100).min(100),
        }
    }
}

impl Delivery {
    /// Which kinds of addresses can be reached.
    #[must_use]
    pub const fn families(&self) -> Families {
        match self.families {
            AddressFamilies::Both => Families::Both,
            AddressFamilies::Ipv4First => Families::BothIpv4First,
            AddressFamilies::Ipv4 => Families::Ipv4,
            AddressFamilies::Ipv6 => Families::Ipv6,
        }
    }

    /// What one site is given.
    #[must_use]
    pub fn site_limits(&self) -> shaping::Limits {
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        shaping::Limits {
            connections_max: number(self.connections_per_site_max),
            suspend_after: number(self.suspend_after),
            suspension_first: self.suspension_first_s.duration(),
            suspension_max: self.suspension_max_s.duration(),
            ..shaping::Limits::default()
        }
    }

    /// Where the DNS may lead.
    #[must_use]
    pub const fn address_policy(&self) -> AddressPolicy {
        match self.private_addresses {
            PrivateAddresses::Refused => AddressPolicy::Global,
            PrivateAddresses::Allowed => AddressPolicy::GlobalAndPrivate,
            PrivateAddresses::Any => AddressPolicy::Any,
        }
    }
}

/// Bounds of suspensions.
const SUSPEND_AFTER_MAX: usize = 100;
const SUSPENSION_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// What the keys of `[queue]`, `[delivery]` and `[dns]` mean together.
pub(super) fn check(root: &DeTable<'_>, findings: &mut Findings) {
    let mut ignored = Findings::default();
    let read = |name: &str| root.get(name).and_then(|value| value.get_ref().as_table());
    let mut add = |table: &DeTable<'_>, key: &str, what: String, mend: &str| {
        if let Some(value) = table.get(key) {
            findings.add(value.span(), what, mend);
        }
    };
    if let Some(table) = read("queue") {
        let queue = Queue::read(table, &[], &mut ignored);
        for (key, intervals) in [
            ("retry_intervals_s", &queue.retry_intervals_s),
            ("greylisting_intervals_s", &queue.greylisting_intervals_s),
        ] {
            if intervals.is_empty() {
                add(table, key, format!("`{key}` names no time"), "name at least one");
            }
            if intervals.iter().any(|interval| interval.duration() < INTERVAL_MIN) {
                let what = format!("a time of `{key}` is shorter than {} s", INTERVAL_MIN.as_secs());
                add(table, key, what, "nobody is asked more often than once in a minute");
            }
        }
        if queue.jitter_percent > 100 {
            add(table, "jitter_percent", "`jitter_percent` is at most 100".into(), "10 is usual");
        }
        let late = queue.delay_notice_after_s;
        if late >= queue.lifetime_s {
            let what = "nobody is told of a delay after the message went back".to_owned();
            add(table, "delay_notice_after_s", what, "make it shorter than `lifetime_s`, or 0 for never");
        }
    }
    if let Some(table) = read("delivery") {
        let delivery = Delivery::read(table, &[], &mut ignored);
        if delivery.suspend_after > SUSPEND_AFTER_MAX {
            let what = format!("`suspend_after` is at most {SUSPEND_AFTER_MAX}");
            add(table, "suspend_after", what, "4 is usual: a host that is dead is dead for all its mail");
        }
        if delivery.suspension_max_s.duration() > SUSPENSION_MAX {
            let what = format!("`suspension_max_s` is at most {}", SUSPENSION_MAX.as_secs());
            add(table, "suspension_max_s", what, "mail for a host that is back should not wait for days");
        }
        if delivery.suspension_first_s > delivery.suspension_max_s {
            let what = "the first suspension is longer than the longest".to_owned();
            let key = if table.contains_key("suspension_first_s") {
                "suspension_first_s"
            } else {
                "suspension_max_s"
            };
            add(table, key, what, "set `suspension_max_s` to no less than `suspension_first_s`");
        }
        for address in &delivery.source_addresses {
            if let Some((what, mend)) = unreachable_source(*address, delivery.families()) {
                add(table, "source_addresses", what, mend);
            }
        }
    }
    if let Some(table) = read("dns") {
        let dns = Dns::read(table, &[], &mut ignored);
        if dns.trust_anchors.0.is_some() && dns.trust != DnsTrust::Validate {
            let what = "`trust_anchors` are for who validates".to_owned();
            add(table, "trust_anchors", what, "set trust = \"validate\", or remove it");
        } else if let Some(path) = &dns.trust_anchors.0
            && let Err(error) = check_trust_anchors(path)
        {
            let mend = "name a file with DNSKEY records, such as `example. 3600 IN DNSKEY 257 3 13 …`";
            add(table, "trust_anchors", error.to_string(), mend);
        }
    }
    check_dane(root, findings);
}

/// DANE that is asked for must not be turned off elsewhere: no mail would ever leave.
fn check_dane(root: &DeTable<'_>, findings: &mut Findings) {
    let table = |name: &str| root.get(name).and_then(|value| value.get_ref().as_table());
    let says = |table: Option<&DeTable<'_>>, key: &str, word: &str| {
        table.and_then(|table| table.get(key)).is_some_and(|value| value.get_ref().as_str() == Some(word))
    };
    let (what, mend) = if says(table("delivery"), "dane", "off") {
        (
            "`dane = \"off\"` of [delivery] leaves nothing to ask for",
            "set dane = \"on\", or choose another `tls`",
        )
    } else if says(table("dns"), "trust", "none") {
        (
            "TLSA records count only where DNSSEC proves them",
            "set trust of [dns] to \"resolver\" or \"validate\"",
        )
    } else {
        return;
    };
    let rules = root.get("transport").and_then(|value| value.get_ref().as_array());
    let rules = rules.into_iter().flatten().filter_map(|rule| rule.get_ref().as_table());
    for value in table("delivery").into_iter().chain(rules).filter_map(|table| table.get("tls")) {
        if value.get_ref().as_str() == Some("dane") {
            findings.add(value.span(), what, mend);
        }
    }
}

/// Why no connection is made from an address.
pub(super) fn unreachable_source(address: IpAddr, families: Families) -> Option<(String, &'static str)> {
    let is_of_no_use = match families {
        Families::Ipv4 => address.is_ipv6(),
        Families::Ipv6 => address.is_ipv4(),
        Families::Both | Families::BothIpv4First => false,
    };
    if address.is_unspecified() || address.is_multicast() {
        return Some((format!("{address} is no address of a machine"), "name an address of this machine"));
    }
    is_of_no_use.then(|| (format!("`families` leaves {address} out"), "remove one of the two"))
}

fn seconds(durations: &[Duration]) -> Vec<Seconds> {
    durations.iter().map(|duration| Seconds(duration.as_secs())).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn faults(text: &str) -> Vec<(usize, String, String)> {
        let error = Config::parse("posta.toml", text).expect_err(text);
        error.findings().map(|(line, finding)| (line, finding.what.clone(), finding.mend.clone())).collect()
    }

    #[test]
    fn what_is_not_set_is_the_schedule_that_rfc_5321_suggests() {
        assert_eq!(Config::default().queue.schedule(), Schedule::default());
        let config = Config::parse("posta.toml", "[queue]\ndelay_notice_after_s = 0").unwrap();
        assert_eq!(config.queue.schedule().delay_notice_after, None);
    }

    #[test]
    fn what_is_not_set_is_how_sites_are_treated_by_default() {
        let limits = Config::default().delivery.site_limits();
        assert_eq!(limits, shaping::Limits::default());
    }

    const ANCHOR: &str = "example. DNSKEY 257 3 13 \
        Tb61H2bMGE4z43qWsm/7o5k+MJKlEXfWlKpwfK2dOTTRL4riDJ4sxq1FahoYMYxCays4LU2VlLoSwNcO0WICfw==";

    #[test]
    fn every_key_of_the_way_out_can_be_set() {
        let folder = tempfile::tempdir().unwrap();
        let anchors = folder.path().join("anchors");
        std::fs::write(&anchors, format!("; ours\n\n{ANCHOR}\n")).unwrap();
        let text = r#"
            [queue]
            retry_intervals_s = [60, 3600]
            greylisting_intervals_s = [120]
            lifetime_s = 345600
            report_lifetime_s = 86400
            delay_notice_after_s = 7200
            jitter_percent = 100
            double_bounces = "discard"
            own_failures_max = 3
            report_full_bytes_max = "64 KiB"
            report_language = "de-AT"
            loaded_max = 500
            [delivery]
            families = "ipv4-first"
            source_addresses = ["192.0.2.1", "2001:db8::1"]
            connections_max = 10
            connections_per_site_max = 2
            suspend_after = 7
            suspension_first_s = 10
            suspension_max_s = 86400
            messages_per_connection_max = 3
            recipients_per_message_max = 4
            connect_timeout_s = 5
            idle_s = 0
            tls = "verified"
            dane = "off"
            mta_sts = "off"
            mta_sts_port = 8443
            private_addresses = "allowed"
            port = 2525
            conversion_bytes_max = "1 MiB"
            [dns]
            servers = ["127.0.0.1", "[::1]:5353"]
            timeout_s = 1
            attempts = 3
            trust = "validate"
            cache_entries = 7
            trust_anchors = "ANCHORS"
        "#;
        let text = text.replace("ANCHORS", anchors.to_str().unwrap());
        let config = Config::parse("posta.toml", &text).unwrap();
        let minutes = |all: &[u64]| all.iter().map(|n| Duration::from_secs(n * 60)).collect::<Vec<_>>();
        let schedule = config.queue.schedule();
        assert_eq!(schedule.intervals, minutes(&[1, 60]));
        assert_eq!(schedule.greylisting_intervals, minutes(&[2]));
        assert_eq!(schedule.lifetime, Duration::from_secs(4 * 24 * 60 * 60));
        assert_eq!(schedule.report_lifetime, Duration::from_secs(24 * 60 * 60));
        assert_eq!(schedule.delay_notice_after, Some(Duration::from_secs(7200)));
        assert_eq!(schedule.jitter_percent, 100);
        assert_eq!(config.queue.double_bounces, DoubleBounces::Discard);
        assert_eq!(config.queue.report_language, Language::German);
        assert_eq!(config.delivery.families(), Families::BothIpv4First);
        assert_eq!(config.delivery.address_policy(), AddressPolicy::GlobalAndPrivate);
        assert_eq!(config.delivery.port, 2525);
        assert_eq!((config.delivery.dane, config.delivery.mta_sts), (Switch::Off, Switch::Off));
        assert_eq!(config.delivery.mta_sts_port, 8443);
        let limits = config.delivery.site_limits();
        assert_eq!((limits.connections_max, limits.suspend_after), (2, 7));
        let spans = [limits.suspension_first, limits.suspension_max].map(|span| span.as_secs());
        assert_eq!(spans, [10, 86_400]);
        let servers: Vec<_> = config.dns.servers.iter().map(|server| server.0.to_string()).collect();
        assert_eq!(servers, ["127.0.0.1:53", "[::1]:5353"]);
        assert_eq!(config.dns.trust_anchors.0, Some(anchors));
    }

    #[test]
    fn what_does_not_fit_the_way_out_is_named_with_its_mend() {
        for (text, line, what, mend) in [
            ("[queue]\nlifetime_s = 345599", 2, "at least 345600 (RFC 5321 §4.5.4.1)", "432000"),
            ("[queue]\nretry_intervals_s = []", 2, "names no time", "at least one"),
            ("[queue]\nretry_intervals_s = [60, 59]", 2, "shorter than 60 s", "once in a minute"),
            ("[queue]\ngreylisting_intervals_s = [0]", 2, "shorter than 60 s", "once in a minute"),
            ("[queue]\njitter_percent = 101", 2, "at most 100", "10"),
            ("[queue]\ndelay_notice_after_s = 432000", 2, "after the message went back", "0 for never"),
            ("[queue]\ndouble_bounces = 'drop'", 2, "none of the words", "\"discard\""),
            ("[delivery]\nsource_addresses = ['mail.example.org']", 2, "no IP address", "192.0.2.1"),
            ("[delivery]\nsource_addresses = ['0.0.0.0']", 2, "no address of a machine", "this machine"),
            (
                "[delivery]\nfamilies = 'ipv6'\nsource_addresses = ['192.0.2.1']",
                3,
                "leaves 192.0.2.1 out",
                "",
            ),
            ("[delivery]\nsuspend_after = 0", 2, "at least 1", "4"),
            ("[delivery]\nsuspend_after = 101", 2, "at most 100", "4 is usual"),
            ("[delivery]\nsuspension_max_s = 86401", 2, "at most 86400", "should not wait"),
            ("[delivery]\nsuspension_max_s = 59", 2, "longer than the longest", "no less than"),
            (
                "[delivery]\nsuspension_max_s = 70\nsuspension_first_s = 71",
                3,
                "longer than the longest",
                "no less than",
            ),
            ("[queue]\nreport_language = 'tlh'", 2, "there are in en (English)", "\"es\""),
            ("[delivery]\nport = 65536", 2, "out of range", "65535"),
            ("[delivery]\nport = 0", 2, "at least 1", "25"),
            ("[delivery]\ndane = true", 2, "of type boolean", "\"on\""),
            ("[delivery]\ntls = 'dane'\ndane = 'off'", 2, "leaves nothing to ask for", "dane = \"on\""),
            ("[dns]\ntrust = 'none'\n[delivery]\ntls = 'dane'", 4, "only where DNSSEC proves", "validate"),
            (
                "[dns]\ntrust = 'none'\n[[transport]]\nmatch = 'a.example'\nto = 'mx'\ntls = 'dane'",
                6,
                "only where DNSSEC proves",
                "\"resolver\"",
            ),
            ("[dns]\nservers = ['localhost']", 2, "no address of a resolver", "127.0.0.1"),
            ("[dns]\ntrust_anchors = 'a'", 2, "for who validates", "validate"),
            ("[dns]\ntrust = 'validate'\ntrust_anchors = '/dev/null'", 3, "no key in it", "DNSKEY"),
        ] {
            let faults = faults(text);
            assert_eq!(faults.len(), 1, "{text}: {faults:?}");
            let (at, found, mended) = &faults[0];
            assert!(*at == line && found.contains(what) && mended.contains(mend), "{text}: {faults:?}");
        }
    }
}
