//! What a seed decides before anything happens: who is there, who sends what, and what goes wrong when.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use types::dns::DnsTrouble;

use crate::random::Random;

/// The world of a seed.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) nodes: Vec<NodePlan>,
    /// The first one is always well and always reached.
    pub(super) peers: Vec<PeerPlan>,
    /// What the DNS has, by domain.
    pub(super) zones: BTreeMap<String, Zone>,
    /// Hosts and their addresses.
    pub(super) hosts: BTreeMap<String, Ipv4Addr>,
    pub(super) messages: Vec<MessagePlan>,
    /// What goes wrong, in the order of time.
    pub(super) troubles: Vec<(Duration, Trouble)>,
    /// From then on nothing goes wrong any more.
    pub(super) heals_at: Duration,
    /// How long a message is tried.
    pub(super) lifetime: Duration,
}

/// One Posta.
#[derive(Debug)]
pub(super) struct NodePlan {
    pub(super) name: String,
    pub(super) domain: String,
    pub(super) ip: Ipv4Addr,
    /// How far its clock is from the others'.
    pub(super) skew_ms: i64,
    /// Another node that takes all of its mail on.
    pub(super) smart_host: Option<usize>,
}

/// A host that is no Posta.
#[derive(Debug)]
pub(super) struct PeerPlan {
    pub(super) domain: String,
    pub(super) host: String,
    pub(super) ip: Ipv4Addr,
    /// Where it listens on the machine that stands for all of them.
    pub(super) port: u16,
    pub(super) manner: Manner,
}

/// How a peer behaves until the world heals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Honest,
    /// Nobody is known before the second attempt.
    Greylisting,
    /// Any reply may be a 4yz.
    Fickle,
    /// Each reply takes its time.
    Tarpit,
    /// What it says is no SMTP.
    Babbling,
    /// It never greets.
    Silent,
    /// The connection breaks at any octet.
    Cutting,
    /// The connection breaks between the end of data and the reply.
    CuttingReply,
    /// 421 at any time.
    Leaving,
    /// It takes a message and says so when nobody waits any more.
    Late,
    /// Nobody listens.
    Refusing,
    /// Nothing answers.
    Unreachable,
    /// 4yz for ever, also when the world is well again.
    Stubborn,
    /// 5yz for ever.
    Forbidding,
}

/// What the DNS has of a domain.
#[derive(Debug)]
pub(super) struct Zone {
    pub(super) mail: Mail,
    /// From when to when it is not to be had, and how.
    pub(super) trouble: Option<(Duration, Duration, DnsTrouble)>,
}

#[derive(Debug)]
pub(super) enum Mail {
    /// Hosts by preference.
    Hosts(Vec<(u16, String)>),
    /// The domain takes no mail (RFC 7505).
    Never,
    /// There is no such domain.
    NoSuchName,
}

/// A message that a client wants to have sent.
#[derive(Debug)]
pub(super) struct MessagePlan {
    pub(super) at: Duration,
    /// To which node it is given.
    pub(super) node: usize,
    /// None is the null reverse-path.
    pub(super) sender: Option<String>,
    pub(super) recipients: Vec<String>,
    pub(super) body_lines: u64,
    pub(super) manner: ClientManner,
}

/// How a client sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClientManner {
    /// One command, one reply.
    InTurn,
    /// All commands at once (RFC 2920).
    Pipelined,
    /// The first connection breaks in the middle of the message.
    BreaksOff,
    /// The first connection is closed after the end of data, and the reply not read.
    HangsUp,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy)]
pub(super) enum Trouble {
    /// A node dies.
    Death { node: usize, moment: Moment, down: Duration, how: Death },
    /// Nothing goes between two machines.
    Partition { a: usize, b: usize, lasts: Duration },
    /// What goes between two machines waits.
    Hold { a: usize, b: usize, lasts: Duration },
    /// The disk takes nothing more.
    Full { node: usize, lasts: Duration, how: Fullness },
    /// A wall clock is set.
    Clock { node: usize, by_ms: i64 },
}

/// In the middle of which operation.
#[derive(Debug, Clone, Copy)]
pub(super) enum Moment {
    /// That which comes after so many more.
    Operation(u64),
    /// So many syncs later, and so many operations after the last of them.
    AfterSyncs(u64, u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Death {
    /// The process ends; the machine and its disk stay.
    Killed,
    /// The machine loses its power.
    PowerCut,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fullness {
    /// What is left is what is to stay free.
    Low,
    /// Not one octet more.
    Hard,
}

/// The machine on which peers and clients are.
pub(super) const OUTSIDE: Ipv4Addr = Ipv4Addr::new(10, 2, 0, 1);
/// The machine of the peer that is always well.
pub(super) const HAVEN: Ipv4Addr = Ipv4Addr::new(10, 3, 0, 1);
/// Accounts of each node beside its postmaster.
const ACCOUNTS: u64 = 3;

impl Plan {
    pub(super) fn new(seed: u64) -> Self {
        let random = &mut Random::new(seed);
        let nodes = nodes(random);
        let peers = peers(random);
        let heals_at = minutes(12 + random.below(9));
        let lifetime = minutes(if random.chance(30) { 8 } else { 20 + random.below(15) });
        let zones = zones(&nodes, &peers, heals_at, random);
        let mut hosts = BTreeMap::new();
        hosts.extend(nodes.iter().map(|node| (node.name.clone(), node.ip)));
        hosts.extend(peers.iter().map(|peer| (peer.host.clone(), peer.ip)));
        let messages = messages(&nodes, &peers, heals_at, random);
        let troubles = troubles(nodes.len(), heals_at, random);
        Self { seed, nodes, peers, zones, hosts, messages, troubles, heals_at, lifetime }
    }

    /// The accounts of a node, the postmaster first.
    pub(super) fn accounts(&self, node: usize) -> impl Iterator<Item = String> + '_ {
        let domain = &self.nodes[node].domain;
        let users = (0..ACCOUNTS).map(move |n| format!("u{n}@{domain}"));
        std::iter::once(format!("postmaster@{domain}")).chain(users)
    }

    /// The peer of an address.
    pub(super) fn peer_at(&self, ip: Ipv4Addr) -> Option<&PeerPlan> {
        self.peers.iter().find(|peer| peer.ip == ip)
    }
}

impl Manner {
    /// How it behaves once the world is well again.
    pub(super) const fn healed(self) -> Self {
        match self {
            Self::Stubborn | Self::Forbidding => self,
            _ => Self::Honest,
        }
    }
}

fn nodes(random: &mut Random) -> Vec<NodePlan> {
    let count = 2 + random.below(3);
    let mut nodes = Vec::new();
    for n in 0..count {
        let octet = u8::try_from(n + 1).unwrap_or(u8::MAX);
        let earlier = usize::try_from(random.below(n.max(1))).unwrap_or(0);
        nodes.push(NodePlan {
            name: format!("mx.n{n}.example"),
            domain: format!("n{n}.example"),
            ip: Ipv4Addr::new(10, 1, 0, octet),
            skew_ms: signed(random.below(240_000), 120_000),
            // Only to one that was made before: no two send all of their mail to each other.
            smart_host: (n > 0 && random.chance(25)).then_some(earlier),
        });
    }
    nodes
}

fn peers(random: &mut Random) -> Vec<PeerPlan> {
    const MANNERS: [Manner; 14] = [
        Manner::Honest,
        Manner::Greylisting,
        Manner::Fickle,
        Manner::Tarpit,
        Manner::Babbling,
        Manner::Silent,
        Manner::Cutting,
        Manner::CuttingReply,
        Manner::CuttingReply,
        Manner::Leaving,
        Manner::Late,
        Manner::Refusing,
        Manner::Unreachable,
        Manner::Forbidding,
    ];
    let mut peers = vec![PeerPlan {
        domain: "haven.example".to_owned(),
        host: "mx.haven.example".to_owned(),
        ip: Ipv4Addr::new(10, 9, 0, 1),
        port: 2000,
        manner: Manner::Honest,
    }];
    for n in 1..4 + random.below(5) {
        let octet = u8::try_from(n + 1).unwrap_or(u8::MAX);
        let manner = if random.chance(8) {
            Manner::Stubborn
        } else {
            MANNERS[index(random.below(MANNERS.len() as u64))]
        };
        peers.push(PeerPlan {
            domain: format!("p{n}.example"),
            host: format!("mx.p{n}.example"),
            ip: Ipv4Addr::new(10, 9, 0, octet),
            port: 2000 + u16::from(octet),
            manner,
        });
    }
    peers
}

fn zones(
    nodes: &[NodePlan],
    peers: &[PeerPlan],
    heals_at: Duration,
    random: &mut Random,
) -> BTreeMap<String, Zone> {
    let mut zones = BTreeMap::new();
    let trouble = |random: &mut Random| {
        random.chance(25).then(|| {
            let from = random.below(heals_at.as_secs());
            let kind = if random.chance(50) { DnsTrouble::ServerFailure } else { DnsTrouble::TimedOut };
            let to = (from + 30 + random.below(400)).min(heals_at.as_secs());
            (seconds(from), seconds(to), kind)
        })
    };
    for (n, node) in nodes.iter().enumerate() {
        let mut hosts = vec![(10, node.name.clone())];
        // Another node takes its mail while it is away. Not one that would send it on to where it came from.
        let backup = index(random.below(nodes.len() as u64));
        if backup != n && nodes[backup].smart_host.is_none() && random.chance(50) {
            hosts.push((20, nodes[backup].name.clone()));
        }
        zones.insert(node.domain.clone(), Zone { mail: Mail::Hosts(hosts), trouble: trouble(random) });
    }
    for (n, peer) in peers.iter().enumerate() {
        let mut hosts = vec![(10, peer.host.clone())];
        if n > 0 && random.chance(20) {
            // A host that does not answer comes first.
            hosts.insert(0, (5, format!("dead.p{n}.example")));
        }
        let trouble = if n == 0 { None } else { trouble(random) };
        zones.insert(peer.domain.clone(), Zone { mail: Mail::Hosts(hosts), trouble });
    }
    zones.insert("never.example".to_owned(), Zone { mail: Mail::Never, trouble: None });
    zones.insert("nowhere.example".to_owned(), Zone { mail: Mail::NoSuchName, trouble: None });
    zones
}

fn messages(
    nodes: &[NodePlan],
    peers: &[PeerPlan],
    heals_at: Duration,
    random: &mut Random,
) -> Vec<MessagePlan> {
    let count = 10 + random.below(25);
    let mut messages = Vec::new();
    for _ in 0..count {
        let node = index(random.below(nodes.len() as u64));
        let user = |domain: &str, random: &mut Random| format!("u{}@{domain}", random.below(ACCOUNTS));
        let sender = match random.below(100) {
            0..6 => None,
            6..16 => Some("sender@haven.example".to_owned()),
            16..30 => Some(user(&nodes[index(random.below(nodes.len() as u64))].domain, random)),
            _ => Some(user(&nodes[node].domain, random)),
        };
        let mut recipients = Vec::new();
        for _ in 0..1 + random.below(4) {
            let of_a_peer = &peers[index(random.below(peers.len() as u64))].domain;
            let of_a_node = &nodes[index(random.below(nodes.len() as u64))].domain;
            recipients.push(match random.below(100) {
                0..3 => "somebody@never.example".to_owned(),
                3..6 => "somebody@nowhere.example".to_owned(),
                6..14 => format!("x{}@{of_a_peer}", random.below(3)),
                14..20 => format!("nobody@{of_a_node}"),
                20..50 => user(of_a_node, random),
                50..60 => format!("r{}@haven.example", random.below(3)),
                _ => format!("r{}@{of_a_peer}", random.below(3)),
            });
        }
        recipients.sort();
        recipients.dedup();
        let manner = match random.below(10) {
            0 => ClientManner::BreaksOff,
            1 => ClientManner::HangsUp,
            2..6 => ClientManner::Pipelined,
            _ => ClientManner::InTurn,
        };
        messages.push(MessagePlan {
            at: seconds(20 + random.below(heals_at.as_secs())),
            node,
            sender,
            recipients,
            body_lines: if random.chance(5) { random.below(700) } else { random.below(30) },
            manner,
        });
    }
    messages.sort_by_key(|message| message.at);
    messages
}

fn troubles(nodes: usize, heals_at: Duration, random: &mut Random) -> Vec<(Duration, Trouble)> {
    let mut troubles = Vec::new();
    let count = 4 + random.below(14);
    for _ in 0..count {
        let at = seconds(30 + random.below(heals_at.as_secs() - 60));
        let node = index(random.below(nodes as u64));
        let trouble = match random.below(100) {
            0..50 => {
                let how = if random.chance(50) { Death::Killed } else { Death::PowerCut };
                let moment = match random.below(4) {
                    0 => Moment::Operation(random.below(30)),
                    1 => Moment::Operation(random.below(300)),
                    _ => Moment::AfterSyncs(random.below(20), random.below(4)),
                };
                let down = seconds(1 + random.below(120));
                Trouble::Death { node, moment, down, how }
            }
            50..68 => {
                // One more than there are nodes is the machine of peers and clients.
                let other = index(random.below(nodes as u64 + 1));
                let lasts = seconds(10 + random.below(300));
                Trouble::Partition { a: node, b: other, lasts }
            }
            68..78 => {
                let other = index(random.below(nodes as u64 + 1));
                Trouble::Hold { a: node, b: other, lasts: seconds(5 + random.below(200)) }
            }
            78..90 => {
                let how = if random.chance(50) { Fullness::Low } else { Fullness::Hard };
                Trouble::Full { node, lasts: seconds(10 + random.below(240)), how }
            }
            _ => Trouble::Clock { node, by_ms: signed(random.below(600_000), 300_000) },
        };
        troubles.push((at, trouble));
    }
    troubles.sort_by_key(|(at, _)| *at);
    troubles
}

fn signed(number: u64, middle: i64) -> i64 {
    i64::try_from(number).unwrap_or(0) - middle
}

/// Numbers here are small.
pub(super) fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(0)
}

const fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}
