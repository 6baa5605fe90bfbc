//! What the machine says of names: its resolvers and its hosts file.
//!
//! The hosts file counts for the addresses of names without a dot alone: a smart host that a container is told about, or
//! a machine of the operator's. A name with a dot belongs to the DNS: an entry that somebody made for a browser must not
//! lead mail elsewhere, and what DNSSEC proves must not be overruled.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// The resolvers that are asked, in the order of preference.
#[derive(Debug)]
pub(super) enum Servers {
    /// By the operator.
    Fixed(Vec<Server>),
    /// As the machine's file says; it is read again when it changes, which it does where networks come and go.
    System(Box<SystemServers>),
}

/// A resolver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    /// Whether what it says of DNSSEC can be believed: it is on this machine, or the operator vouches for it and for the
    /// way to it.
    pub(super) is_trusted: bool,
}

#[derive(Debug)]
pub(super) struct SystemServers {
    path: PathBuf,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    servers: Vec<Server>,
    changed: Option<SystemTime>,
    looked: Instant,
}

/// Names without a dot, and their addresses.
#[derive(Debug, Default)]
pub(super) struct Hosts(HashMap<String, Vec<IpAddr>>);

/// Where the machine names its resolvers.
pub(super) const RESOLV_CONF: &str = "/etc/resolv.conf";
/// Where it names hosts.
pub(super) const HOSTS: &str = "/etc/hosts";
/// Resolvers that are asked at most; the C library asks three.
const SERVERS_MAX: usize = 8;
/// How often it is looked whether the file has changed.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Of either file that is read.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// RFC 1035 §4.2.
const PORT: u16 = 53;

impl Servers {
    /// Those given, or those of the file where none are.
    pub(super) fn new(given: &[SocketAddr], path: &Path) -> Self {
        if !given.is_empty() {
            let vouched_for = |&address: &SocketAddr| Server { address, is_trusted: true };
            return Self::Fixed(given.iter().map(vouched_for).take(SERVERS_MAX).collect());
        }
        let known = Mutex::new(Known::read(path, Instant::now()));
        Self::System(Box::new(SystemServers { path: path.to_owned(), known }))
    }

    /// At least one.
    pub(super) fn list(&self, now: Instant) -> Vec<Server> {
        match self {
            Self::Fixed(servers) => servers.clone(),
            Self::System(system) => {
                let mut known = system.known.lock().unwrap_or_else(PoisonError::into_inner);
                if now.saturating_duration_since(known.looked) >= LOOK_AGAIN {
                    known.looked = now;
                    if changed(&system.path) != known.changed {
                        *known = Known::read(&system.path, now);
                    }
                }
                known.servers.clone()
            }
        }
    }
}

impl Known {
    fn read(path: &Path, looked: Instant) -> Self {
        // Before the content: a change in between is seen the next time.
        let changed = changed(path);
        Self { servers: name_servers(&read(path)), changed, looked }
    }
}

impl Hosts {
    /// Of the machine's file; none where it cannot be read.
    pub(super) fn read(path: &Path) -> Self {
        Self::parse(&read(path))
    }

    fn parse(text: &str) -> Self {
        let mut hosts: HashMap<String, Vec<IpAddr>> = HashMap::new();
        for line in text.lines() {
            let mut words = line.split('#').next().unwrap_or_default().split_ascii_whitespace();
            let Some(Ok(address)) = words.next().map(str::parse) else { continue };
            for name in words.filter(|name| !name.contains('.')) {
                let addresses = hosts.entry(name.to_ascii_lowercase()).or_default();
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
        }
        Self(hosts)
    }

    /// The addresses of a name in lower case; none for a name with a dot.
    pub(super) fn find(&self, name: &str) -> Option<&[IpAddr]> {
        self.0.get(name).map(Vec::as_slice)
    }
}

/// `resolv.conf(5)`: without any it is the resolver of this machine. One elsewhere is trusted where the file says
/// `options trust-ad`, which is there for that.
fn name_servers(text: &str) -> Vec<Server> {
    let mut addresses = Vec::new();
    let mut trusts_all = false;
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            Some("nameserver") => addresses.extend(words.next().and_then(server)),
            Some("options") => trusts_all |= words.any(|word| word == "trust-ad"),
            _ => {}
        }
    }
    if addresses.is_empty() {
        addresses.push(SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)));
    }
    let mut servers: Vec<Server> = Vec::new();
    for address in addresses {
        let is_trusted = trusts_all || address.ip().is_loopback();
        if servers.len() < SERVERS_MAX && servers.iter().all(|server| server.address != address) {
            servers.push(Server { address, is_trusted });
        }
    }
    servers
}

/// An address, that of a link with the link's name or number: `fe80::1%2`.
fn server(word: &str) -> Option<SocketAddr> {
    let Some((address, link)) = word.split_once('%') else {
        return Some(SocketAddr::new(word.parse().ok()?, PORT));
    };
    let index = match link.parse() {
        Ok(index) => index,
        Err(_) => {
            read(&Path::new("/sys/class/net").join(link_name(link)?).join("ifindex")).trim().parse().ok()?
        }
    };
    Some(std::net::SocketAddrV6::new(address.parse().ok()?, PORT, 0, index).into())
}

/// The name of a link is part of a path.
fn link_name(link: &str) -> Option<&str> {
    (!link.is_empty() && !link.contains('/') && !link.starts_with('.')).then_some(link)
}

fn changed(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

fn read(path: &Path) -> String {
    let mut octets = Vec::new();
    // A machine without the file is an ordinary machine; what of it was read before an error counts.
    let _ = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut octets));
    String::from_utf8_lossy(&octets).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With a star behind what is trusted.
    fn in_words(servers: &[Server]) -> Vec<String> {
        let word =
            |server: &Server| format!("{}{}", server.address, if server.is_trusted { "*" } else { "" });
        servers.iter().map(word).collect()
    }

    #[test]
    fn name_servers_are_read_as_resolv_conf_5_says() {
        for (text, expected) in [
            ("", vec!["127.0.0.1:53*"]),
            ("search intern.example\noptions ndots:5\n", vec!["127.0.0.1:53*"]),
            ("nameserver 192.0.2.1\nnameserver 2001:db8::1\n", vec!["192.0.2.1:53", "[2001:db8::1]:53"]),
            ("nameserver 192.0.2.1 # one\n\tnameserver\t192.0.2.2\n", vec!["192.0.2.1:53", "192.0.2.2:53"]),
            ("nameserver 192.0.2.1\nnameserver 192.0.2.1\n", vec!["192.0.2.1:53"]),
            (
                "#nameserver 192.0.2.9\n;nameserver 192.0.2.8\nnameserver x\nnameserver\n",
                vec!["127.0.0.1:53*"],
            ),
            ("nameserver fe80::1%3\n", vec!["[fe80::1%3]:53"]),
            ("nameserver fe80::1%../../x\n", vec!["127.0.0.1:53*"]),
            ("nameserver ::1\nnameserver 192.0.2.1\n", vec!["[::1]:53*", "192.0.2.1:53"]),
            ("nameserver 192.0.2.1\noptions edns0 trust-ad\n", vec!["192.0.2.1:53*"]),
        ] {
            assert_eq!(in_words(&name_servers(text)), expected, "{text}");
        }
        let many: String = (0..50).map(|n| format!("nameserver 192.0.2.{n}\n")).collect();
        assert_eq!(name_servers(&many).len(), SERVERS_MAX);
    }

    #[test]
    fn the_hosts_file_names_hosts_without_a_dot_alone() {
        let hosts = Hosts::parse(
            "127.0.0.1 localhost\n10.0.0.5\tRelay relay.example # smart host\nfd00::5 relay\n10.0.0.5 relay\nx y\n\n#10.0.0.9 z",
        );
        let addresses = |name: &str| hosts.find(name).map(|found| found.to_vec());
        let expected: Vec<IpAddr> = vec!["10.0.0.5".parse().unwrap(), "fd00::5".parse().unwrap()];
        assert_eq!(addresses("relay"), Some(expected));
        assert_eq!([addresses("relay.example"), addresses("y"), addresses("z")], [None, None, None]);
    }

    #[test]
    fn a_change_of_the_file_is_seen_at_the_next_look() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("resolv.conf");
        let servers = Servers::new(&[], &path);
        let now = Instant::now();
        assert_eq!(in_words(&servers.list(now)), ["127.0.0.1:53*"]);
        fs::write(&path, "nameserver 192.0.2.7\n").unwrap();
        assert_eq!(in_words(&servers.list(now + LOOK_AGAIN + LOOK_AGAIN)), ["192.0.2.7:53"]);
    }
}
