//! Who really sent a message from outside: asked while it comes, told when it is there.
//!
//! ```text
//! MAIL ── SPF of MAIL and HELO, the name of the address ─────────────┐
//! header section ── keys of DKIM and ARC, DMARC records of From ──────┼─ end of data ── DMARC ── mta::admission::authenticity
//! body ── hashed as it comes, in one pass for all signatures ─────────┘
//! ```
//!
//! Standards: those of `mailauth`, which reckons; RFC 8601 §5 (forged fields are removed).
//!
//! Each look-up has a time limit of its own ([`names`]), so that a name that is answered counts, however slow the names are that
//! somebody else has put beside it. What follows from the results is decided in `mta::admission::authenticity`.

mod authorship;
mod counted;
mod findings;
mod known;
mod names;

use std::net::IpAddr;
use std::sync::Arc;

use mailauth::dkim::{BodyHasher, Keys, Signatures};
use mailauth::{arc, dmarc, iprev, spf};
use mta::admission::authenticity::{AuthorProblem, author_domains};
use tokio::task::JoinHandle;
use tokio::time::{Duration, Instant};
use types::{Domain, Timestamp};

use crate::shared::Shared;
pub(crate) use counted::DmarcCounts;
pub(crate) use findings::{Findings, Judgement, is_within};
pub(crate) use names::{NamesUntil, Resolver};

/// DMARC is asked about last, when much of the time may be over; mostly its records are known by then.
const DMARC_TIME: Duration = Duration::from_secs(5);

/// The checks of one message while it comes in.
pub(crate) struct Verification {
    shared: Arc<Shared>,
    sender: Arc<Sender>,
    of_sender: Task<OfSender>,
    content: Option<Content>,
}

/// Who says that it sends.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) ip: IpAddr,
    /// What HELO or EHLO said, with A-labels.
    pub(crate) helo: String,
    /// Without angle brackets, with A-labels; empty for the null reverse-path.
    pub(crate) reverse_path: String,
    pub(crate) now: Timestamp,
}

/// What the DNS says of them.
#[derive(Debug)]
struct OfSender {
    /// Of the reverse-path; where that is null, of HELO (RFC 7208 §2.4).
    spf: spf::Outcome,
    /// Of HELO beside it.
    helo: Option<spf::Outcome>,
    iprev: iprev::Iprev,
}

/// What is known of the message itself.
struct Content {
    authors: Result<Vec<Domain>, AuthorProblem>,
    signatures: Signatures,
    chain: arc::Chain,
    hasher: BodyHasher,
    keys: Task<(Keys, Keys)>,
}

impl Verification {
    /// Begins with what can be asked as soon as MAIL was said.
    pub(crate) fn begin(shared: &Arc<Shared>, sender: Sender) -> Self {
        let sender = Arc::new(sender);
        let of_sender = Task::spawn(check_sender(Arc::clone(shared), Arc::clone(&sender)));
        Self { shared: Arc::clone(shared), sender, of_sender, content: None }
    }

    /// The header section is there, as it came.
    pub(crate) fn read_header(&mut self, header: &[u8]) {
        let fields = mailauth::fields(header);
        let signatures = Signatures::read(&fields, self.sender.now);
        let chain = arc::Chain::read(&fields, self.sender.now);
        let authors = author_domains(header);
        let hasher = BodyHasher::new(signatures.forms().chain(chain.forms()));
        let asked = authors.clone().unwrap_or_default();
        let keys =
            Task::spawn(fetch_keys(Arc::clone(&self.shared), signatures.clone(), chain.clone(), asked));
        self.content = Some(Content { authors, signatures, chain, hasher, keys });
    }

    /// More of the body is there.
    pub(crate) fn push_body(&mut self, octets: &[u8]) {
        if let Some(content) = &mut self.content {
            content.hasher.push(octets);
        }
    }

    /// All of the message is there. None where a check has broken down, which is no fault of the message.
    pub(crate) async fn finish(mut self) -> Option<Findings> {
        if self.content.is_none() {
            self.read_header(b"");
        }
        let Self { shared, sender, of_sender, content } = self;
        let Content { authors, signatures, chain, hasher, keys } = content?;
        let OfSender { spf, helo, iprev } = of_sender.join().await?;
        let (dkim_keys, arc_keys) = keys.join().await?;
        let bodies = hasher.finish();
        let dkim = signatures.verify(&dkim_keys, &bodies);
        let arc = chain.verify(&arc_keys, &bodies);
        let passed = dkim.iter().filter(|verified| verified.result == mailauth::dkim::DkimResult::Pass);
        let signers: Vec<&str> = passed.map(|verified| verified.domain.as_str()).collect();
        let kept_by_lists = signatures.cover_none_of(mta::list::REPLACED_FIELDS);
        let sent_by = (spf.result == spf::SpfResult::Pass).then_some(spf.domain.as_str());
        let authenticated = dmarc::Authenticated { spf: sent_by, dkim: &signers };
        let names = shared.resolver.names_until(&shared.config, Instant::now() + DMARC_TIME).await;
        let mut dmarc = Vec::new();
        for author in authors.iter().flatten() {
            dmarc.push(dmarc::evaluate(&names, author, &authenticated).await);
        }
        let unread_signatures = signatures.unread();
        let from = authors.err();
        let receiver = shared.host_name.clone();
        Some(Findings {
            sender,
            receiver,
            spf,
            helo,
            iprev,
            dkim,
            unread_signatures,
            arc,
            dmarc,
            from,
            allowed_by: Vec::new(),
            kept_by_lists,
        })
    }
}

async fn check_sender(shared: Arc<Shared>, sender: Arc<Sender>) -> OfSender {
    let names = shared.resolver.names_from_now(&shared.config).await;
    let client =
        spf::Client { ip: sender.ip, helo: &sender.helo, receiver: &shared.host_name, now: sender.now };
    let helo = async {
        let has_path = !sender.reverse_path.is_empty();
        if has_path { Some(spf::check_host(&names, &client, spf::Identity::Helo).await) } else { None }
    };
    let (spf, helo, iprev) = tokio::join!(
        biased;
        spf::check_host(&names, &client, sender.identity()),
        helo,
        iprev::check(&names, sender.ip)
    );
    OfSender { spf, helo, iprev }
}

/// The keys; and DMARC as if nothing vouched for the message, so that its records are known when they are needed: what a stranger
/// does to the time of the other checks cannot keep the author's domain from being heard.
async fn fetch_keys(
    shared: Arc<Shared>,
    signatures: Signatures,
    chain: arc::Chain,
    authors: Vec<Domain>,
) -> (Keys, Keys) {
    let names = shared.resolver.names_from_now(&shared.config).await;
    let records = async {
        for author in &authors {
            dmarc::evaluate(&names, author, &dmarc::Authenticated::default()).await;
        }
    };
    let (dkim, arc, ()) = tokio::join!(biased; signatures.keys(&names), chain.keys(&names), records);
    (dkim, arc)
}

impl Sender {
    /// What SPF is asked about.
    fn identity(&self) -> spf::Identity<'_> {
        match self.reverse_path.as_str() {
            "" => spf::Identity::Helo,
            path => spf::Identity::MailFrom(path),
        }
    }
}

/// Work that ends when nobody waits for it any more.
pub(crate) struct Task<T>(JoinHandle<T>);

impl<T: Send + 'static> Task<T> {
    pub(crate) fn spawn(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self(tokio::spawn(work))
    }

    /// None where it panicked.
    async fn join(mut self) -> Option<T> {
        self.wait().await
    }

    /// The same for who may give up waiting; not to be asked again once it has answered.
    pub(crate) async fn wait(&mut self) -> Option<T> {
        (&mut self.0).await.ok()
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
