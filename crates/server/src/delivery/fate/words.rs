//! Times and findings as people say them.

use std::time::Duration;

use mta::outcome::Finding;
use types::Timestamp;

/// `next attempt in 15 minutes, 2026-11-22T12:15:00.000Z`
pub(crate) fn later(now: Timestamp, at: Timestamp) -> String {
    format!("next attempt in {}, at {at}", span(at.since(now)))
}

/// `given up in 5 days`
pub(super) fn time_left(now: Timestamp, deadline: Timestamp) -> String {
    format!("given up in {}", span(deadline.since(now)))
}

/// On one line, with its status where no host gave one.
pub(in crate::delivery) fn one_line(finding: &Finding) -> String {
    let text = finding.diagnostic.to_string().replace(['\r', '\n'], " ");
    match &finding.diagnostic {
        mta::outcome::Diagnostic::Remote(_) => text,
        mta::outcome::Diagnostic::Local(_) => format!("{} {text}", finding.status),
    }
}

/// In the largest unit of which there are two at least.
fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let (number, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7200 => (seconds / 60, "minute"),
        7200..172_800 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    if number == 1 { format!("1 {unit}") } else { format!("{number} {unit}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_as_people_say_them() {
        for (seconds, expected) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (119, "119 seconds"),
            (900, "15 minutes"),
            (7199, "119 minutes"),
            (7200, "2 hours"),
            (172_799, "47 hours"),
            (432_000, "5 days"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), expected);
        }
    }
}
