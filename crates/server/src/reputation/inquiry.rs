//! What is asked about one message: begun at MAIL, awaited where the decision falls.

use std::net::IpAddr;
use std::sync::Arc;

use mailauth::iprev::{self, Iprev};
use mta::admission::reputation::{Proof, ReputationPolicy, Share, Stage, Subject, worst};
use types::Domain;

use super::lists::{About, What};
use super::refusal;
use crate::authenticity::{NamesUntil, Task};
use crate::shared::Shared;

/// Who says that it sends.
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    pub(crate) ip: IpAddr,
    /// The domain of HELO or EHLO; none of an address.
    pub(crate) helo: Option<String>,
    /// Without angle brackets, with A-labels; empty for the null reverse-path.
    pub(crate) reverse_path: String,
}

/// What SPF, DKIM and DMARC have found out; nothing where they were not asked.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// The domains of `From`, and those of them that DMARC passes for.
    pub(crate) authors: Vec<(Domain, Proof)>,
    /// The domains of signatures that are right.
    pub(crate) signers: Vec<String>,
    /// The organizational domain of the author, where DMARC passes.
    pub(crate) author: Option<String>,
    /// The domain of the reverse-path, where SPF passes for it.
    pub(crate) spf_domain: Option<String>,
    /// The name of the client's address that leads back to it.
    pub(crate) host_name: Option<String>,
    /// The name of HELO, where SPF passes for that.
    pub(crate) is_helo_proven: bool,
    /// What looks odd.
    pub(crate) doubts: Option<String>,
}

/// The questions about one message.
pub(crate) struct Inquiry {
    shared: Arc<Shared>,
    visitor: Arc<Visitor>,
    envelope: Envelope,
}

/// What lists say of the envelope.
enum Envelope {
    /// Nobody has asked yet.
    Unasked,
    Asked(Task<Vec<Share>>),
    Known(Vec<Share>),
}

/// Signers that lists are asked about; a message with more of them is nothing that people send.
const SIGNERS_MAX: usize = 5;

impl Inquiry {
    /// Nothing is asked before [`Inquiry::begin`], or before somebody wants to know.
    pub(crate) fn new(shared: &Arc<Shared>, visitor: Visitor) -> Self {
        Self { shared: Arc::clone(shared), visitor: Arc::new(visitor), envelope: Envelope::Unasked }
    }

    /// Asks in a task of its own.
    pub(crate) fn begin(&mut self) {
        if matches!(self.envelope, Envelope::Unasked) {
            let work = ask_envelope(Arc::clone(&self.shared), Arc::clone(&self.visitor));
            self.envelope = Envelope::Asked(Task::spawn(work));
        }
    }

    pub(crate) fn visitor(&self) -> &Visitor {
        &self.visitor
    }

    /// What lists say of the envelope, and whether that is new.
    pub(crate) async fn envelope(&mut self) -> (&[Share], bool) {
        self.begin();
        let mut is_new = false;
        if let Envelope::Asked(task) = &mut self.envelope {
            // A task that broke down has found nothing out.
            let shares = task.wait().await.unwrap_or_default();
            self.envelope = Envelope::Known(shares);
            is_new = true;
        }
        match &self.envelope {
            Envelope::Known(shares) => (shares, is_new),
            Envelope::Unasked | Envelope::Asked(_) => (&[], is_new),
        }
    }

    /// What lists say of all of the message. What they said of the envelope before is there again, in the light of `known`.
    pub(crate) async fn finish(&mut self, known: &Known) -> Vec<Share> {
        let mut shares = self.envelope().await.0.to_vec();
        for share in &mut shares {
            let is_proven = match share.subject {
                Subject::MailFrom => known.spf_domain.is_some(),
                Subject::Helo => known.is_helo_proven,
                Subject::Address | Subject::Ptr | Subject::From | Subject::Signer => false,
            };
            if is_proven {
                share.proof = Proof::Proven;
            }
        }
        let authors = known.authors.iter().map(|(domain, proof)| About {
            subject: Subject::From,
            what: What::Name(domain.ascii().to_owned()),
            proof: *proof,
        });
        let mut signers = known.signers.clone();
        signers.sort_unstable();
        signers.dedup();
        let signers = signers.into_iter().take(SIGNERS_MAX).map(|domain| About {
            subject: Subject::Signer,
            what: What::Name(domain),
            proof: Proof::Proven,
        });
        let asked: Vec<About> = authors.chain(signers).collect();
        if !asked.is_empty() {
            shares.extend(ask(&self.shared, &asked).await);
        }
        with_text(&self.shared, shares).await
    }
}

/// What lists say of an address alone, before the greeting.
pub(crate) async fn of_address(shared: &Shared, ip: IpAddr) -> Vec<Share> {
    let shares = ask(shared, &[address(ip)]).await;
    with_text(shared, shares).await
}

/// Asks what will be asked about this address, for the cache alone. It ends by itself within the time limit.
pub(crate) fn ask_early(shared: Arc<Shared>, ip: IpAddr) {
    if shared.reputation.lists.ask_about(Subject::Address) {
        tokio::spawn(async move { ask(&shared, &[address(ip)]).await });
    }
}

const fn address(ip: IpAddr) -> About {
    About { subject: Subject::Address, what: What::Ip(ip), proof: Proof::Proven }
}

async fn ask_envelope(shared: Arc<Shared>, visitor: Arc<Visitor>) -> Vec<Share> {
    let Visitor { ip, helo, reverse_path } = &*visitor;
    let lists = &shared.reputation.lists;
    let named = |subject, name: String, proof| About { subject, what: What::Name(name), proof };
    let mut asked = vec![address(*ip)];
    asked.extend(helo.clone().map(|helo| named(Subject::Helo, helo, Proof::Claimed)));
    let path_domain = reverse_path.rsplit_once('@').map(|(_, domain)| domain.to_owned());
    asked.extend(path_domain.map(|domain| named(Subject::MailFrom, domain, Proof::Claimed)));
    let of_name = async {
        if !lists.ask_about(Subject::Ptr) {
            return Vec::new();
        }
        let names = names(&shared).await;
        match iprev::check(&names, *ip).await {
            Iprev::Pass { name } => {
                let asked = [named(Subject::Ptr, name, Proof::Proven)];
                lists.ask(&names, &shared.metrics, &asked).await
            }
            Iprev::Fail | Iprev::PermError | Iprev::TempError => Vec::new(),
        }
    };
    let (mut shares, of_name) = tokio::join!(biased; ask(&shared, &asked), of_name);
    shares.extend(of_name);
    with_text(&shared, shares).await
}

async fn ask(shared: &Shared, asked: &[About]) -> Vec<Share> {
    let names = names(shared).await;
    // Of networks that are nobody's in particular no list knows anything.
    let is_asked = |about: &&About| match &about.what {
        What::Ip(ip) => is_public(*ip),
        What::Name(_) => true,
    };
    let asked: Vec<About> = asked.iter().filter(is_asked).cloned().collect();
    shared.reputation.lists.ask(&names, &shared.metrics, &asked).await
}

/// The text of the list that a refusal names is asked for, and no other: most mail costs no such question.
async fn with_text(shared: &Shared, mut shares: Vec<Share>) -> Vec<Share> {
    let policy: ReputationPolicy = shared.config.reputation.policy();
    if refusal(policy, Stage::Mail, &shares).is_some()
        && let Some(worst) = worst(&shares).and_then(|index| shares.get_mut(index))
        && worst.text.is_none()
    {
        let names = names(shared).await;
        worst.text = shared.reputation.lists.text(&names, worst).await;
    }
    shares
}

async fn names(shared: &Shared) -> NamesUntil {
    let until = tokio::time::Instant::now() + shared.config.reputation.timeout_s.duration();
    shared.resolver.names_until(&shared.config, until).await
}

fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => !(ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified()),
        IpAddr::V6(ip) => {
            !(ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local() || ip.is_unicast_link_local())
        }
    }
}
