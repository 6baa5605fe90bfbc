//! `posta explain`: what a reply code, an enhanced status code or a whole bounce means, who has to act and what to
//! try next. The texts and the reading of bounces are `types::explain`; here is how they look.

mod frame;
mod json;

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use types::explain::{self, Explanation, Finding, Language, labels};

use crate::exit::{Exit, Failure, Outcome};
use crate::terminal;

/// What `posta explain` is given.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// A code such as 550, 5.7.1 or '550 5.7.26', a reply, or a whole bounce; `-` is the standard input
    #[arg(value_name = "TEXT", required_unless_present_any = ["file", "markdown"])]
    text: Vec<String>,
    /// Read the bounce from a file
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    file: Option<PathBuf>,
    /// The language, as a tag such as `es` or `de-AT` [default: the one of LC_ALL, LC_MESSAGES or LANG]
    #[arg(long, visible_alias = "lang", value_name = "TAG")]
    language: Option<Language>,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Write the reference of all replies in Markdown (docs/replies.md)
    #[arg(long, conflicts_with_all = ["text", "file", "json"])]
    markdown: bool,
}

/// Octets of a bounce that are read: the report itself stands at its beginning.
const INPUT_BYTES_MAX: u64 = 1 << 20;

pub(crate) fn run(args: &ExplainArgs) -> Outcome {
    let language = args.language.unwrap_or_else(language_of_environment);
    if args.markdown {
        terminal::print(&explain::reference(language))?;
        return Ok(ExitCode::SUCCESS);
    }
    let text = input(args)?;
    let explained: Vec<(Finding, Explanation)> = explain::find(&text)
        .into_iter()
        .map(|finding| {
            let explanation = explain::explain(&finding);
            (finding, explanation)
        })
        .collect();
    if args.json {
        terminal::print_json(&json::document(&explained, language))?;
    } else if !explained.is_empty() {
        terminal::print(&frame::page(&explained, language, frame::width(), frame::Paint::of_stdout()))?;
    }
    match (explained.is_empty(), args.json) {
        (false, _) => Ok(ExitCode::SUCCESS),
        (true, true) => Ok(Exit::Failed.into()),
        (true, false) => {
            Err(Failure::with_help(Exit::Failed, labels::NOTHING.of(language), labels::ADVICE.of(language)))
        }
    }
}

fn input(args: &ExplainArgs) -> Result<String, Failure> {
    let mut octets = Vec::new();
    if let Some(path) = &args.file {
        let read =
            std::fs::File::open(path).and_then(|file| file.take(INPUT_BYTES_MAX).read_to_end(&mut octets));
        read.map_err(|error| {
            Failure::new(Exit::BadInput, format_args!("cannot read {}: {error}", path.display()))
        })?;
    } else if args.text == ["-"] {
        let read = std::io::stdin().lock().take(INPUT_BYTES_MAX).read_to_end(&mut octets);
        read.map_err(|error| {
            Failure::new(Exit::BadInput, format_args!("cannot read the standard input: {error}"))
        })?;
    } else {
        return Ok(args.text.join(" "));
    }
    Ok(String::from_utf8_lossy(&octets).into_owned())
}

/// The first of these that is set says it (POSIX.1 §8.2).
fn language_of_environment() -> Language {
    let locale = ["LC_ALL", "LC_MESSAGES", "LANG"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|value| !value.is_empty());
    Language::of_locale(&locale.unwrap_or_default())
}
