//! Signatures over what leaves this host: DKIM (RFC 6376, RFC 8463) over what is ours, ARC (RFC 8617) over what strangers sent
//! and an address here sends on.
//!
//! A message is read once, as it comes, over what is stored of it ([`Reading`]); at its end [`sign`] makes each signature that
//! is wanted once, however many destinations there are, and puts it into the header of each item of the queue. What stays here
//! is not signed. [`renewal`] signs anew what had to be converted on its way out.
//!
//! Whose signature: [`whose`]. In the header section the one of RSA stands above that of Ed25519: RFC 8463 §3 leaves the order
//! open, verifiers look from the top, and those that know one algorithm alone know RSA.
//!
//! A signature of RSA takes some 300 µs, in which a thread that serves sessions would serve nobody. So it is made on
//! another thread, which costs some 20 µs, and at most as many are made at one time as there are processors: more would take the
//! processor from those who serve.

mod making;
mod reading;
pub(crate) mod renewal;
mod shown;
mod whose;

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use mailauth::arc::ArcResult;
use mta::admission::Rights;
use store::{NewQueueItem, QueueItem, StoreError};
use tokio::sync::Semaphore;
use types::{Mailbox, ReversePath, Timestamp};

use crate::config::{ArcSeal, Switch, TroubleChoice};
use crate::local_delivery::{By, Leaving};
use crate::shared::Shared;
use making::{Made, Recipe, Work};
pub(crate) use reading::{Content, Reading};
use shown::Shown;
use whose::{Choice, Reach, Signatory};
pub(crate) use whose::{above, is_ours};

/// What signing needs of a node.
#[derive(Debug)]
pub(crate) struct Signing {
    turns: Arc<Semaphore>,
}

/// Who sends a message.
#[derive(Clone, Copy)]
pub(crate) enum Poster<'a> {
    /// Somebody who may send in our name.
    Ours { author: Author<'a>, reverse_path: &'a ReversePath },
    /// Somebody else: nothing vouches for what is only passed on but what was found of it.
    Stranger { found: Option<&'a Found>, author: Proof },
    /// A list, which is shown as the author of what somebody else has written.
    List { found: Option<&'a Found> },
}

/// Whether the checks of a stranger's message prove that it is of the domains in `From`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Proof {
    /// SPF or DKIM vouches for each of them.
    Given,
    /// They do not, or nobody has asked.
    #[default]
    Missing,
}

/// Whom of those who send in our name `From` may name, so that a signature vouches for it.
#[derive(Clone, Copy)]
pub(crate) enum Author<'a> {
    /// Anybody.
    Any,
    /// Those whom this account may send as.
    Of(Rights<'a>),
    /// Whomever it named when the message was submitted, which was checked then, unless that was to send somebody else's mail on.
    UnlessResent,
}

/// What the checks of a stranger's message came to, for a seal.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// `Authentication-Results`, behind the colon.
    pub(crate) results: String,
    /// Of the chain that is there.
    pub(crate) chain: ArcResult,
}

/// What leaves, with its signatures.
pub(crate) struct Signed {
    pub(crate) queue: Vec<NewQueueItem>,
    /// For the trace: about which domain, and what was done.
    pub(crate) notes: Vec<(String, String)>,
}

impl<'a> Poster<'a> {
    /// For a seal.
    const fn found(self) -> Option<&'a Found> {
        match self {
            Self::Stranger { found, .. } | Self::List { found } => found,
            Self::Ours { .. } => None,
        }
    }
}

impl Signing {
    /// For so many at one time as there are processors.
    pub(crate) fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { turns: Arc::new(Semaphore::new(processors)) }
    }

    /// Does what takes long where it holds nobody up. None where it panicked.
    async fn elsewhere<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        // It is never closed.
        let turn = Arc::clone(&self.turns).acquire_owned().await.ok()?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        done.await.ok()
    }
}

/// Signs what leaves of a message. Where a key cannot be read or used, it leaves without, unless the configuration wants it to
/// come again.
///
/// # Errors
/// Where a key cannot be read or used, and the message is to come again.
pub(crate) async fn sign(
    shared: &Shared,
    content: Option<&Content>,
    poster: Poster<'_>,
    queue: Vec<Leaving>,
    now: Timestamp,
) -> Result<Signed, StoreError> {
    let Some(content) = content.filter(|_| !queue.is_empty()) else {
        return Ok(Signed { queue: put_on_top(queue, &[], &[]), notes: Vec::new() });
    };
    let mut planner = Planner {
        shared,
        shown: Shown::of(&content.header, poster),
        notes: Vec::new(),
        known: HashMap::new(),
        lists: HashMap::new(),
        trouble: None,
    };
    let author = planner.author(content, poster).await;
    let mut recipes: Vec<Recipe> = Vec::new();
    let mut wanted = Vec::with_capacity(queue.len());
    for leaving in &queue {
        let recipe = planner.recipe(leaving, author.as_ref(), poster).await;
        wanted.push(recipe.map(|recipe| {
            recipes.iter().position(|other| *other == recipe).unwrap_or_else(|| {
                recipes.push(recipe);
                recipes.len() - 1
            })
        }));
    }
    let made = planner.make(content, recipes, poster.found().cloned(), now).await;
    if let (Some(why), TroubleChoice::Defer) = (&planner.trouble, shared.config.signing.trouble) {
        return Err(StoreError::Unavailable(format!("the message cannot be signed: {why}")));
    }
    Ok(Signed { queue: put_on_top(queue, &wanted, &made), notes: planner.notes })
}

/// What a message gets on top that was held for its sender.
#[derive(Default)]
pub(crate) struct OfHeld {
    pub(crate) fields: Bytes,
    /// For the trace: about which domain, and what was done.
    pub(crate) notes: Vec<(String, String)>,
}

/// Signs what goes to another host now that its time has come.
///
/// # Errors
/// As [`sign`].
pub(crate) async fn of_held(
    shared: &Shared,
    content: Option<&Content>,
    item: &QueueItem,
    now: Timestamp,
) -> Result<OfHeld, StoreError> {
    let leaving = NewQueueItem {
        destination: item.destination.clone(),
        reverse_path: item.reverse_path.clone(),
        header: Bytes::new(),
        recipients: Vec::new(),
        due_at: now,
    };
    let poster = Poster::Ours { author: Author::UnlessResent, reverse_path: &item.reverse_path };
    let queue = vec![Leaving { item: leaving, by: By::Sender }];
    let Signed { mut queue, notes } = sign(shared, content, poster, queue, now).await?;
    Ok(OfHeld { fields: queue.pop().map(|item| item.header).unwrap_or_default(), notes })
}

/// Whether a message has to be read for signatures, if any of it leaves: as one that we vouch for, or as one that was verified.
pub(crate) fn is_wanted(shared: &Shared, is_vouched_for: bool, is_verified: bool) -> bool {
    let config = &shared.config.signing;
    let is_sealed = is_verified && config.arc_seal == ArcSeal::Forwarded;
    is_sealed || is_vouched_for && config.sign == Switch::On
}

/// Finds out which signatures are wanted.
struct Planner<'a> {
    shared: &'a Shared,
    shown: Shown,
    notes: Vec<(String, String)>,
    /// Who signs for a domain that was asked for before.
    known: HashMap<String, Option<Signatory>>,
    /// The same, for a list.
    lists: HashMap<String, Option<Signatory>>,
    /// What should have been signed and was not, by a fault of ours.
    trouble: Option<String>,
}

impl Planner<'_> {
    /// Who signs for the author.
    async fn author(&mut self, content: &Content, poster: Poster<'_>) -> Option<Signatory> {
        let Poster::Ours { author, reverse_path } = poster else { return None };
        if !self.is_on() {
            return None;
        }
        let candidates = whose::candidates(&content.header, author, reverse_path);
        // Nobody vouches for an author by being somewhere below the author's domain.
        let reach = if self.shown == Shown::Proven { Reach::Above } else { Reach::Own };
        let choice = whose::choose(self.shared, &candidates, reach).await;
        self.chosen(choice)
    }

    /// Whether DKIM is asked for, and not ARC alone.
    fn is_on(&self) -> bool {
        self.shared.config.signing.sign == Switch::On
    }

    /// Who signs for an address here.
    async fn of_address(&mut self, address: &Mailbox) -> Option<Signatory> {
        let domain = address.host.domain()?;
        if let Some(known) = self.known.get(domain.ascii()) {
            return known.clone();
        }
        let choice = whose::choose(self.shared, std::slice::from_ref(domain), Reach::Above).await;
        let chosen = self.chosen(choice);
        self.known.insert(domain.ascii().to_owned(), chosen.clone());
        chosen
    }

    /// Who signs for a list, where that is not the author's signatory too.
    async fn of_list(&mut self, address: &Mailbox, author: Option<&Signatory>) -> Option<Signatory> {
        let domain = address.host.domain()?.ascii().to_owned();
        if let Some(known) = self.lists.get(&domain) {
            return known.clone();
        }
        let signatory = self.of_address(address).await.filter(|signatory| Some(signatory) != author);
        let chosen = match signatory {
            None => None,
            Some(signatory) => match self.shown.lent_by(self.shared, &signatory.domain).await {
                Ok(None) => Some(signatory),
                Ok(Some(choice)) => self.chosen(Ok(choice)),
                Err(error) => self.chosen(Err(error)),
            },
        };
        self.lists.insert(domain, chosen.clone());
        chosen
    }

    fn chosen(&mut self, choice: Result<Choice, StoreError>) -> Option<Signatory> {
        let (result, about, why) = match choice {
            Ok(Choice::Signs(signatory)) => return Some(signatory),
            Ok(Choice::NoKeys(domain)) => {
                let why = format!("{domain} has no keys: posta dkim rotate {domain} makes them");
                ("no_keys", domain.to_string(), why)
            }
            Ok(Choice::NotOurs(named)) if named.is_empty() => {
                ("not_ours", String::new(), "it names no domain".to_owned())
            }
            Ok(Choice::NotOurs(named)) => {
                ("not_ours", named.clone(), format!("no domain of this server is named by it, but {named}"))
            }
            Ok(Choice::Unproven { signer, author }) => {
                let why = format!("From names {author}, and nothing proves that it is from there");
                ("unproven", signer.to_string(), why)
            }
            Ok(Choice::Unusable(domain)) => {
                let why = format!("the keys of {domain} cannot be opened");
                self.trouble = Some(why.clone());
                ("failed", domain.to_string(), why)
            }
            Err(error) => {
                let why = format!("the keys cannot be read: {error}");
                self.trouble = Some(why.clone());
                ("failed", String::new(), why)
            }
        };
        self.shared.metrics.signed("dkim", result);
        self.note(about, format!("not signed: {why}"));
        None
    }

    /// The signatures of one item; none where it has none.
    async fn recipe(
        &mut self,
        leaving: &Leaving,
        author: Option<&Signatory>,
        poster: Poster<'_>,
    ) -> Option<Recipe> {
        let mut signatories: Vec<Signatory> = author.into_iter().cloned().collect();
        let mut above = Bytes::new();
        let mut seal = None;
        if let By::List(address) = &leaving.by
            && self.is_on()
        {
            above = leaving.item.header.clone();
            signatories.extend(self.of_list(address, author).await);
        }
        if let (By::List(address) | By::Forwarder(address), Some(_)) = (&leaving.by, poster.found())
            && self.shared.config.signing.arc_seal == ArcSeal::Forwarded
        {
            seal = self.of_address(address).await;
        }
        let is_wanted = !signatories.is_empty() || seal.is_some();
        is_wanted.then_some(Recipe { above, signatories, seal })
    }

    /// The fields of each recipe.
    async fn make(
        &mut self,
        content: &Content,
        recipes: Vec<Recipe>,
        found: Option<Found>,
        now: Timestamp,
    ) -> Vec<String> {
        let count = recipes.len();
        if count == 0 {
            return Vec::new();
        }
        let expire_s = self.shared.config.signing.expire_s.duration().as_secs();
        let work = Work { content: content.clone(), recipes, found, now, expire_s };
        let made = self.shared.signing.elsewhere(move || work.make()).await;
        let made = made.unwrap_or_else(|| (0..count).map(|_| Made::broken_off()).collect());
        made.into_iter().map(|made| self.told(made)).collect()
    }

    /// The fields; what is to be told of them is.
    fn told(&mut self, made: Made) -> String {
        for (method, result) in made.counts {
            self.shared.metrics.signed(method, result);
        }
        for (about, what) in made.notes {
            self.note(about, what);
        }
        self.trouble = self.trouble.take().or(made.trouble);
        made.fields
    }

    fn note(&mut self, about: String, what: String) {
        let note = (about, what);
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

/// The items with the fields that were made for them. Those of a list have much in common, which is kept once.
fn put_on_top(queue: Vec<Leaving>, wanted: &[Option<usize>], made: &[String]) -> Vec<NewQueueItem> {
    let mut headers: HashMap<(usize, Bytes), Bytes> = HashMap::new();
    let wanted = wanted.iter().copied().chain(std::iter::repeat(None));
    let signed = queue.into_iter().zip(wanted).map(|(Leaving { mut item, .. }, recipe)| {
        let Some((recipe, fields)) = recipe.and_then(|recipe| Some((recipe, made.get(recipe)?))) else {
            return item;
        };
        let header = headers.entry((recipe, item.header.clone()));
        let header = header.or_insert_with(|| [fields.as_bytes(), &item.header[..]].concat().into());
        item.header = header.clone();
        item
    });
    signed.collect()
}
