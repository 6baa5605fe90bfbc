//! How the process ends: codes that scripts can tell apart, and what is said to the person.

use std::process::ExitCode;

/// The exit codes, as in BSD's `sysexits.h` where one fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It was done.
    Success = 0,
    /// It was looked at and something is wrong, or there is no such thing.
    Failed = 1,
    /// The command line makes no sense.
    Usage = 64,
    /// What was given cannot be used: an address, a file, a header field.
    BadInput = 65,
    /// What is needed is not there: no server, no store, an address in use.
    Unavailable = 69,
    /// The server failed while it ran.
    Internal = 70,
    /// A file or folder cannot be made.
    CannotCreate = 73,
    /// Not now; the same may work later.
    TryLater = 75,
    /// The configuration cannot be used.
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What a subcommand returns.
pub(crate) type Outcome = Result<ExitCode, Failure>;

/// Why a subcommand did not do its work.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) report: miette::Report,
}

impl Failure {
    /// A failure with a text for people.
    pub(crate) fn new(exit: Exit, text: impl std::fmt::Display) -> Self {
        Self { exit, report: miette::miette!("{text}") }
    }

    /// A failure with a text, and what to do about it.
    pub(crate) fn with_help(exit: Exit, text: impl std::fmt::Display, help: impl std::fmt::Display) -> Self {
        Self { exit, report: miette::miette!(help = help.to_string(), "{text}") }
    }
}

/// A failure to write to the standard output. A reader that has gone away, as in `posta … | head`, is none of
/// our business.
pub(crate) fn output(error: &std::io::Error) -> Failure {
    if error.kind() == std::io::ErrorKind::BrokenPipe {
        std::process::exit(Exit::Success as i32);
    }
    Failure::new(Exit::Failed, format_args!("cannot write the output: {error}"))
}
