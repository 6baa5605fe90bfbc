//! What the text of a reply says about when to come back. It is from outside: it may shorten or lengthen the wait for
//! the next attempt within bounds, and nothing else.

use std::time::Duration;

use types::explain::{CauseKind, causes_in};

/// The least wait that a reply can ask for.
pub(super) const HINT_MIN: Duration = Duration::from_secs(60);
/// The longest wait that a reply can ask for.
pub(crate) const HINT_MAX: Duration = Duration::from_secs(4 * 60 * 60);
/// Octets of a text that are looked at.
const TEXT_BYTES_MAX: usize = 1000;

pub(super) fn names_greylisting(text: &str) -> bool {
    causes_in(cut(text)).contains(&CauseKind::Greylisting)
}

/// The wait that the text names: `300 seconds`, `in 5 minutes`, `00:04:59`. Only where it speaks of a wait at all.
pub(super) fn wait(text: &str) -> Option<Duration> {
    let text = cut(text).to_ascii_lowercase();
    if !["again", "retry", "wait", "greylist", "graylist", "come back", "later"]
        .iter()
        .any(|word| text.contains(word))
    {
        return None;
    }
    let words: Vec<&str> = text
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == ':'))
        .map(|word| word.trim_matches(':'))
        .filter(|word| !word.is_empty())
        .collect();
    let seconds = words
        .iter()
        .enumerate()
        .find_map(|(at, word)| clock(word).or_else(|| amount(word, words.get(at + 1).copied())))?;
    Some(Duration::from_secs(seconds).clamp(HINT_MIN, HINT_MAX))
}

/// `300s`, or `300` before a unit.
fn amount(word: &str, next: Option<&str>) -> Option<u64> {
    let digits = word.len() - word.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = word.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let unit = if unit.is_empty() { next? } else { unit };
    let seconds = match unit {
        "s" | "sec" | "secs" | "second" | "seconds" => 1,
        "m" | "min" | "mins" | "minute" | "minutes" => 60,
        "h" | "hour" | "hours" => 60 * 60,
        _ => return None,
    };
    Some(number.saturating_mul(seconds))
}

/// `hh:mm:ss`, as some greylisting servers write what is left.
fn clock(word: &str) -> Option<u64> {
    let parts: Vec<u64> = word
        .split(':')
        .map(|part| if part.len() == 2 { part.parse().ok() } else { None })
        .collect::<Option<_>>()?;
    let [hours, minutes, seconds] = parts[..] else { return None };
    Some(hours * 3600 + minutes * 60 + seconds)
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
