//! Log lines on the standard error stream: for a reader, or one JSON object each.
//!
//! What is logged never holds a secret or the content of a message; control characters in values that come from
//! outside are escaped by the subscriber, so that a log line can neither be forged nor steer a terminal.

use std::io::IsTerminal as _;

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt;

use crate::config::{Log, LogFormat, LogLevel};

/// Starts logging for the rest of the process. A second call changes nothing.
pub fn start(log: &Log) {
    let builder = fmt().with_writer(std::io::stderr).with_max_level(level(log.level));
    // A subscriber that is set already stays: the first one to start decides.
    let _ = match log.format {
        LogFormat::Human => {
            builder.compact().with_target(false).with_ansi(std::io::stderr().is_terminal()).try_init()
        }
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(true).try_init(),
    };
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
