//! Log lines on the standard error stream: for a reader, or one JSON object each. Nothing waits until they are read.
//!
//! What is logged never holds a secret or the content of a message. A log line can neither be forged nor steer a
//! terminal: the subscriber escapes control characters, and [`Outside`] what else turns text around.

mod lines;

use std::fmt;
use std::io::IsTerminal as _;
use std::sync::OnceLock;
use std::time::Duration;

use tracing::Level;
use tracing::level_filters::LevelFilter;

use crate::config::{Log, LogFormat, LogLevel};
use lines::{Lines, Written};

/// So long the end of the program waits for lines to be read.
const END_WAIT: Duration = Duration::from_secs(1);
/// What the first call of [`start`] began.
static LINES: OnceLock<Lines> = OnceLock::new();

/// The log of the process. When it is dropped, what was said is written, as far as somebody reads it within a second.
#[derive(Debug)]
#[must_use = "the last lines are lost without it"]
pub struct Logging(Written);

impl Logging {
    /// Says why the program ends, behind all that the log says, and for no longer than the log waits for a reader.
    pub fn end_with(self, why: &str) {
        self.0.push(why.as_bytes());
    }
}

/// Starts logging for the rest of the process. A second call changes nothing.
///
/// # Errors
/// When the system gives no thread for it.
pub fn start(log: &Log) -> std::io::Result<Logging> {
    let (lines, written) = Lines::to(std::io::stderr(), END_WAIT)?;
    // A subscriber that is set already stays: the first one to start decides.
    let lines = LINES.get_or_init(|| lines).clone();
    let builder = tracing_subscriber::fmt().with_writer(lines).with_max_level(level(log.level));
    let _ = match log.format {
        LogFormat::Human => {
            builder.compact().with_target(false).with_ansi(std::io::stderr().is_terminal()).try_init()
        }
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(true).try_init(),
    };
    Ok(Logging(written))
}

/// Lines of the log that are lost, because they could not be written or nobody read them in time.
pub(crate) fn lines_lost() -> u64 {
    LINES.get().map_or(0, Lines::lost)
}

/// A value that somebody else has chosen, for a log line: characters that nobody sees are written as `\u{202e}`.
pub(crate) struct Outside<T>(pub(crate) T);

impl<T: fmt::Display> fmt::Display for Outside<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        for character in self.0.to_string().chars() {
            // Line and paragraph separators, and what turns the direction of text (UAX #9).
            let is_hidden = matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}');
            if is_hidden || character.is_control() {
                write!(f, "{}", character.escape_unicode())?;
            } else {
                f.write_char(character)?;
            }
        }
        Ok(())
    }
}

const fn level(level: LogLevel) -> LevelFilter {
    LevelFilter::from_level(match level {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warn => Level::WARN,
        LogLevel::Info => Level::INFO,
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Trace => Level::TRACE,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_value_from_outside_is_hidden_or_turns_the_line_around() {
        for (value, shown) in [
            ("<用户@example.org>", "<用户@example.org>"),
            ("<a\u{202e}b@example.org>", "<a\\u{202e}b@example.org>"),
            ("\u{2028}\u{2066}\u{200b}\u{1b}\n", "\\u{2028}\\u{2066}\\u{200b}\\u{1b}\\u{a}"),
        ] {
            assert_eq!(Outside(value).to_string(), shown);
        }
    }
}
