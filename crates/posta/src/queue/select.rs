//! Which items of the queue are meant, and how they are found.

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use server::control::{QueueDamaged, QueueFilter, QueueItemSummary, QueueRequest, QueueResponse, QueueWord};

use crate::data;
use crate::directory::Directory;
use crate::exit::Failure;
use crate::trace::{Since, now};

/// All that is said must fit.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Which")]
pub(crate) struct FilterArgs {
    /// The ids of items, or of messages for all of them
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// The same
    #[arg(long = "id", value_name = "ID")]
    more_ids: Vec<String>,
    /// From whom: an address, @domain, or <> for reports
    #[arg(long, value_name = "ADDRESS")]
    from: Option<String>,
    /// For whom: an address, @domain, or postmaster
    #[arg(long, value_name = "ADDRESS")]
    to: Option<String>,
    /// For which domain, or .domain for all domains below it
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// For which site, by the name that `posta queue sites` shows, or which host was tried last
    #[arg(long, value_name = "HOST")]
    site: Option<String>,
    /// What came so long ago: 90s, 15m, 2h, 3d, 1w, or before a time in UTC such as 2026-11-22T10:00
    #[arg(long, value_name = "TIME")]
    older_than: Option<Since>,
    /// With this text in what a host said last
    #[arg(long, value_name = "TEXT")]
    reply: Option<String>,
    /// What is held
    #[arg(long, conflicts_with = "waiting")]
    held: bool,
    /// What is not held
    #[arg(long)]
    waiting: bool,
}

/// What was found.
pub(super) struct Matched {
    pub(super) ids: Vec<String>,
    /// Those among them that cannot be read.
    pub(super) damaged: Vec<QueueDamaged>,
    /// The first of them.
    pub(super) first: Vec<QueueItemSummary>,
}

/// Items that are asked for at one time.
const PAGE_MAX: usize = 500;
/// Items that are shown before something is done to many.
const PREVIEW_MAX: usize = 10;

impl FilterArgs {
    pub(super) fn filter(&self) -> QueueFilter {
        QueueFilter {
            ids: self.ids.iter().chain(&self.more_ids).cloned().collect(),
            from: self.from.clone(),
            to: self.to.clone(),
            domain: self.domain.clone(),
            site: self.site.clone(),
            before_ms: self.older_than.map(|since| since.from(now()).millis()),
            reply: self.reply.clone(),
            status: match (self.held, self.waiting) {
                (true, _) => Some(QueueWord::Held),
                (_, true) => Some(QueueWord::Waiting),
                _ => None,
            },
        }
    }
}

/// The first `limit` items, and whether there are more.
pub(super) fn first(
    queue: &mut Directory,
    filter: &QueueFilter,
    limit: usize,
) -> Result<(Vec<QueueItemSummary>, bool), Failure> {
    let (mut items, mut after) = (Vec::new(), None);
    let progress = searching(queue, filter)?;
    loop {
        let page = page(queue, filter, after, (limit - items.len()).saturating_add(1).min(PAGE_MAX))?;
        progress.inc(page.scanned);
        items.extend(page.items);
        if items.len() > limit {
            items.truncate(limit);
            return Ok((items, true));
        }
        after = page.next;
        if after.is_none() {
            progress.finish_and_clear();
            return Ok((items, false));
        }
    }
}

/// All of them, by their ids.
pub(super) fn all(queue: &mut Directory, filter: &QueueFilter) -> Result<Matched, Failure> {
    let mut matched = Matched { ids: Vec::new(), damaged: Vec::new(), first: Vec::new() };
    let mut after = None;
    let progress = searching(queue, filter)?;
    loop {
        let page = page(queue, filter, after, PAGE_MAX)?;
        progress.inc(page.scanned);
        matched.ids.extend(page.damaged.iter().map(|item| item.id.clone()));
        matched.damaged.extend(page.damaged);
        for item in page.items {
            matched.ids.push(item.id.clone());
            if matched.first.len() < PREVIEW_MAX {
                matched.first.push(item);
            }
        }
        after = page.next;
        if after.is_none() {
            progress.finish_and_clear();
            return Ok(matched);
        }
    }
}

fn page(
    queue: &mut Directory,
    filter: &QueueFilter,
    after: Option<String>,
    limit: usize,
) -> Result<server::control::QueuePage, Failure> {
    let request = QueueRequest::Items { filter: Box::new(filter.clone()), after, limit };
    match super::ask(queue, request)? {
        QueueResponse::Items(page) => Ok(page),
        _ => Err(data::unexpected()),
    }
}

/// Shown on a terminal, where it takes long enough to be seen.
fn searching(queue: &mut Directory, filter: &QueueFilter) -> Result<ProgressBar, Failure> {
    if filter.ids.is_empty() && filter.domain.is_none() {
        let QueueResponse::Figures(totals) = super::ask(queue, QueueRequest::Figures { destinations: 0 })?
        else {
            return Err(data::unexpected());
        };
        return Ok(progress(totals.waiting + totals.held, "looking through the queue"));
    }
    Ok(ProgressBar::hidden())
}

/// A bar on the standard error stream; nothing where that is no terminal.
pub(super) fn progress(whole: u64, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(whole).with_message(what);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}") {
        bar.set_style(style);
    }
    bar
}
