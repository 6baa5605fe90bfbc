//! What is done to items of the queue: found, shown, asked about, done, told.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::process::ExitCode;

use server::control::{
    QueueAct, QueueActed, QueueFilter, QueueFlush, QueueLeft, QueueRequest, QueueResponse, TellSender,
};

use super::select::{self, Matched, progress};
use super::{SelectedArgs, table};
use crate::directory::Directory;
use crate::exit::{Exit, Failure, Outcome};
use crate::{data, terminal};

/// How an act is told.
struct Words {
    /// `remove`
    verb: &'static str,
    /// `removed`
    done: &'static str,
    /// `posta queue remove`
    command: &'static str,
}

/// Items in one request: small enough that the bar moves.
const BATCH: usize = 200;
/// Items to which it was not done that are named.
const LEFT_SHOWN_MAX: usize = 10;

pub(super) fn retry(selected: &SelectedArgs) -> Outcome {
    let filter = selected.filter.filter();
    let words = Words { verb: "try", done: "tried now", command: "posta queue retry" };
    // What has a name of its own needs no list of its items, however many they are.
    let flush = match (selected.all, &filter) {
        (true, filter) if *filter == QueueFilter::default() => Some(QueueFlush::All),
        (_, QueueFilter { domain: Some(domain), .. })
            if filter == QueueFilter { domain: Some(domain.clone()), ..QueueFilter::default() } =>
        {
            Some(QueueFlush::Domain { domain: domain.clone() })
        }
        (_, QueueFilter { site: Some(site), .. })
            if filter == QueueFilter { site: Some(site.clone()), ..QueueFilter::default() } =>
        {
            Some(QueueFlush::Site { site: site.clone() })
        }
        _ => None,
    };
    match flush {
        Some(what) if !selected.dry_run => flush_now(selected, what),
        _ => run(selected, QueueAct::Retry, &words),
    }
}

pub(super) fn hold(selected: &SelectedArgs, reason: String) -> Outcome {
    run(
        selected,
        QueueAct::Hold { reason },
        &Words { verb: "hold", done: "held", command: "posta queue hold" },
    )
}

pub(super) fn release(selected: &SelectedArgs) -> Outcome {
    run(
        selected,
        QueueAct::Release,
        &Words { verb: "release", done: "released", command: "posta queue release" },
    )
}

pub(super) fn remove(selected: &SelectedArgs, is_told: bool) -> Outcome {
    let tell = if is_told { TellSender::WithReport } else { TellSender::Silently };
    run(
        selected,
        QueueAct::Remove { tell },
        &Words { verb: "remove", done: "removed", command: "posta queue remove" },
    )
}

pub(super) fn redirect(selected: &SelectedArgs, to: String) -> Outcome {
    run(
        selected,
        QueueAct::Redirect { to },
        &Words { verb: "redirect", done: "redirected", command: "posta queue redirect" },
    )
}

pub(super) fn expire(selected: &SelectedArgs) -> Outcome {
    run(
        selected,
        QueueAct::Expire,
        &Words { verb: "give up", done: "given up", command: "posta queue expire" },
    )
}

/// In the background: the answer does not wait for the hosts.
fn flush_now(selected: &SelectedArgs, what: QueueFlush) -> Outcome {
    let mut queue = super::open(&selected.place)?;
    let words = match &what {
        QueueFlush::All => "all that waits is tried now".to_owned(),
        QueueFlush::Domain { domain } => format!("what waits for {domain} is tried now"),
        QueueFlush::Site { site } => format!("what waits for {site} is tried now"),
    };
    match super::ask(&mut queue, QueueRequest::Flush { what, by: operator() })? {
        QueueResponse::Flushed => {}
        _ => return Err(data::unexpected()),
    }
    if selected.place.json {
        terminal::print_json(&serde_json::json!({ "started": true }))?;
    } else {
        terminal::print(&format!("{}\n", terminal::line(&words)))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn run(selected: &SelectedArgs, act: QueueAct, words: &Words) -> Outcome {
    let filter = selected.filter.filter();
    let is_everything = filter == QueueFilter::default();
    if is_everything && !selected.all {
        let help =
            format!("name ids, or say which by --from, --domain and the like; `{} --help`", words.command);
        return Err(Failure::with_help(Exit::Usage, "nothing says which; --all means all there are", help));
    }
    let mut queue = super::open(&selected.place)?;
    let matched = select::all(&mut queue, &filter)?;
    if matched.ids.is_empty() {
        return nothing(selected);
    }
    if selected.dry_run {
        return show(selected, &matched);
    }
    // Who names an item by its id has seen it.
    let is_named =
        filter == QueueFilter { ids: filter.ids.clone(), ..QueueFilter::default() } && !is_everything;
    if !selected.yes && !is_named && !is_agreed(selected, &matched, words)? {
        return Err(Failure::new(Exit::Failed, "nothing was done"));
    }
    let acted = act_on(&mut queue, &act, &matched.ids, words)?;
    tell(selected, &matched, &acted, words)
}

fn nothing(selected: &SelectedArgs) -> Outcome {
    if selected.place.json {
        terminal::print_json(&serde_json::json!({ "matched": 0, "done": 0, "left": [] }))?;
        return Ok(Exit::Failed.into());
    }
    let help = "`posta queue list` shows what waits";
    Err(Failure::with_help(Exit::Failed, "nothing in the queue matches", help))
}

fn show(selected: &SelectedArgs, matched: &Matched) -> Outcome {
    if selected.place.json {
        terminal::print_json(&serde_json::json!({ "matched": matched.ids.len(), "first": matched.first }))?;
    } else {
        terminal::print(&preview(matched))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn preview(matched: &Matched) -> String {
    let Matched { ids, damaged, first } = matched;
    let mut text = if first.is_empty() { String::new() } else { table::items(first) };
    for item in damaged {
        text.push_str(&format!("{} for {}: it cannot be read\n", item.id, terminal::line(&item.destination)));
    }
    let more = ids.len().saturating_sub(first.len() + damaged.len());
    if more > 0 {
        text.push_str(&format!("and {more} more\n"));
    }
    text
}

/// Asks on a terminal; elsewhere nobody can answer.
fn is_agreed(selected: &SelectedArgs, matched: &Matched, words: &Words) -> Result<bool, Failure> {
    let count = items(matched.ids.len());
    let stdin = std::io::stdin();
    if selected.place.json || !stdin.is_terminal() || !std::io::stderr().is_terminal() {
        let text = format!("{count} would be {}", words.done);
        return Err(Failure::with_help(Exit::Usage, text, "--yes does it, --dry-run shows them"));
    }
    let mut stderr = std::io::stderr().lock();
    let asked = write!(stderr, "{}\n{} {count}? [y/N] ", preview(matched), capital(words.verb));
    asked.and_then(|()| stderr.flush()).map_err(|error| crate::exit::output(&error))?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer).map_err(|error| Failure::new(Exit::Failed, error))?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

fn act_on(
    queue: &mut Directory,
    act: &QueueAct,
    ids: &[String],
    words: &Words,
) -> Result<QueueActed, Failure> {
    let mut acted = QueueActed::default();
    let bar = progress(ids.len() as u64, words.done);
    for ids in ids.chunks(BATCH) {
        let request = QueueRequest::Act { act: act.clone(), ids: ids.to_vec(), by: operator() };
        let response = super::ask(queue, request).inspect_err(|_| {
            bar.abandon();
            if acted.done > 0 {
                eprintln!("{} {} before it failed", items(acted.done), words.done);
            }
        })?;
        let QueueResponse::Acted(batch) = response else { return Err(data::unexpected()) };
        acted.done += batch.done;
        acted.left.extend(batch.left);
        bar.inc(ids.len() as u64);
    }
    bar.finish_and_clear();
    Ok(acted)
}

fn tell(selected: &SelectedArgs, matched: &Matched, acted: &QueueActed, words: &Words) -> Outcome {
    let exit = if acted.left.is_empty() { Exit::Success } else { Exit::Failed };
    if selected.place.json {
        terminal::print_json(&serde_json::json!({
            "matched": matched.ids.len(),
            "done": acted.done,
            "left": acted.left,
        }))?;
        return Ok(exit.into());
    }
    terminal::print(&format!("{} {}\n", items(acted.done), words.done))?;
    for QueueLeft { id, why } in acted.left.iter().take(LEFT_SHOWN_MAX) {
        eprintln!("{id}: {}", terminal::line(why));
    }
    if acted.left.len() > LEFT_SHOWN_MAX {
        eprintln!("and {} more", acted.left.len() - LEFT_SHOWN_MAX);
    }
    Ok(exit.into())
}

/// `1 item`, `2 items`
fn items(count: impl std::fmt::Display) -> String {
    let count = count.to_string();
    let noun = if count == "1" { "item" } else { "items" };
    format!("{count} {noun}")
}

fn capital(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

/// Who asks, as far as the environment tells.
fn operator() -> String {
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    named("SUDO_USER").or_else(|| named("USER")).or_else(|| named("LOGNAME")).unwrap_or_default()
}
