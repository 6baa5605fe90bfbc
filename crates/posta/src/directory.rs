//! What `posta domain`, `account`, `password`, `alias` and `list` have in common: how the directory is asked,
//! and how changes, warnings and tables look.

use std::process::ExitCode;

use clap::Args;
use comfy_table::{Cell, CellAlignment, Table, presets};
use serde::Serialize;
use server::control::{Client, DirectoryRequest, DirectoryResponse, Request, Response, Setting};

use crate::cli::DataArg;
use crate::data::{self, WhereNothingIs};
use crate::exit::{Exit, Failure, Outcome};
use crate::{screen, terminal};

/// Where the data is, and how the answer looks.
#[derive(Debug, Clone, Args)]
pub(crate) struct PlaceArgs {
    #[command(flatten)]
    pub(crate) data: DataArg,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// The directory of a running server, or of a store.
pub(crate) struct Directory(Client);

/// What was changed, as JSON too.
#[derive(Debug, Serialize)]
pub(crate) struct Changed {
    pub(crate) name: String,
    pub(crate) warnings: Vec<String>,
}

impl Directory {
    /// To read or change what is there.
    pub(crate) fn open(place: &PlaceArgs) -> Result<Self, Failure> {
        data::client(&data::folder(&place.data)?, WhereNothingIs::Refuse).map(Self)
    }

    /// To make something, which may be the very first.
    pub(crate) fn open_or_make(place: &PlaceArgs) -> Result<Self, Failure> {
        data::client(&data::folder(&place.data)?, WhereNothingIs::MakeStore).map(Self)
    }

    pub(crate) fn ask_anything(&mut self, request: Request) -> Result<Response, Failure> {
        self.0.ask(request).map_err(|error| data::failure(&error))
    }

    /// Asks for the content of a message, and hands it to `take` piece by piece.
    pub(crate) fn read(
        &mut self,
        request: Request,
        take: impl FnMut(&[u8]) -> std::io::Result<()>,
    ) -> Result<u64, Failure> {
        self.0.read(request, take).map_err(|error| data::failure(&error))
    }

    pub(crate) fn ask(&mut self, request: DirectoryRequest) -> Result<DirectoryResponse, Failure> {
        match self.ask_anything(Request::Directory(request))? {
            Response::Directory(response) => Ok(response),
            _ => Err(data::unexpected()),
        }
    }

    /// Asks for something that is answered by what was changed.
    pub(crate) fn change(&mut self, request: DirectoryRequest) -> Result<Changed, Failure> {
        match self.ask(request)? {
            DirectoryResponse::Changed { name, warnings } => Ok(Changed { name, warnings }),
            _ => Err(data::unexpected()),
        }
    }

    /// Asks for page after page, with the name of the last entry, until an empty one comes.
    pub(crate) fn all<T>(
        &mut self,
        mut page: impl FnMut(&mut Self, Option<String>) -> Result<Vec<T>, Failure>,
        name: impl Fn(&T) -> String,
    ) -> Result<Vec<T>, Failure> {
        let mut all: Vec<T> = Vec::new();
        loop {
            let next = page(self, all.last().map(&name))?;
            if next.is_empty() {
                return Ok(all);
            }
            all.extend(next);
        }
    }
}

impl Changed {
    /// Says that it is done: as JSON, or `sentence` with warnings behind it.
    pub(crate) fn say(&self, place: &PlaceArgs, sentence: &str) -> Outcome {
        if place.json {
            terminal::print_json(self)?;
        } else {
            terminal::print(&format!("{}\n", terminal::line(sentence)))?;
            warn(&self.warnings);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Tells people what does not hold together; programs find it in the JSON.
pub(crate) fn warn(warnings: &[String]) {
    for warning in warnings {
        eprintln!("warning: {}", terminal::line(warning));
    }
}

/// Prints entries as JSON, or as a table with a line for each; `nothing` where there is none.
pub(crate) fn print_entries<T: Serialize>(
    place: &PlaceArgs,
    entries: &[T],
    nothing: &str,
    header: &[&str],
    row: impl Fn(&T) -> Vec<Cell>,
) -> Outcome {
    if place.json {
        terminal::print_json(&entries)?;
    } else if entries.is_empty() {
        terminal::print(&format!("{nothing}\n"))?;
    } else {
        terminal::print(&table(header, entries.iter().map(row)))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A table without lines.
pub(crate) fn table(header: &[&str], rows: impl Iterator<Item = Vec<Cell>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header.to_vec());
    for row in rows {
        table.add_row(row);
    }
    format!("{}\n", table.trim_fmt())
}

/// A cell of text from the directory.
pub(crate) fn text(text: &str) -> Cell {
    Cell::new(terminal::line(text))
}

/// A cell of a number.
pub(crate) fn number(number: impl std::fmt::Display) -> Cell {
    Cell::new(number).set_alignment(CellAlignment::Right)
}

/// Names and values, a line each, under a heading.
pub(crate) fn properties(heading: &str, rows: &[(&str, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = format!("{}\n", terminal::line(heading));
    for (name, value) in rows {
        text.push_str(&format!("  {name:<width$}  {}\n", terminal::line(value)));
    }
    text
}

/// A point in time in RFC 3339, as people read it.
pub(crate) fn time(rfc3339: &str) -> String {
    rfc3339.get(..16).map_or_else(|| rfc3339.to_owned(), |minutes| minutes.replace('T', " "))
}

/// Nothing was named that could be changed.
pub(crate) fn nothing_to_change(command: &str) -> Failure {
    Failure::with_help(
        Exit::Usage,
        "there is nothing to change",
        format!("`posta {command} --help` shows what can be"),
    )
}

/// `none`, or any text.
#[allow(clippy::unnecessary_wraps, reason = "clap asks for a result")]
pub(crate) fn text_or_none(text: &str) -> Result<Setting<String>, String> {
    Ok(if is_none(text) { Setting::Clear } else { Setting::To(text.to_owned()) })
}

/// `none`, or one character.
pub(crate) fn character_or_none(text: &str) -> Result<Setting<char>, String> {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        _ if is_none(text) => Ok(Setting::Clear),
        (Some(character), None) => Ok(Setting::To(character)),
        _ => Err("one character, or `none`".to_owned()),
    }
}

/// `none` or `default`, or a size.
pub(crate) fn size_or_none(text: &str) -> Result<Setting<u64>, String> {
    if is_none(text) {
        return Ok(Setting::Clear);
    }
    screen::parse_size(text)
        .map(Setting::To)
        .ok_or_else(|| "octets such as 5242880, 500MiB or 5GiB, or `none`".to_owned())
}

/// `none` or `default`, or a number.
pub(crate) fn number_or_none(text: &str) -> Result<Setting<u32>, String> {
    if is_none(text) {
        return Ok(Setting::Clear);
    }
    text.parse().map(Setting::To).map_err(|_| "a whole number, or `default`".to_owned())
}

fn is_none(text: &str) -> bool {
    text == "none" || text == "default"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_a_value_or_none() {
        assert_eq!(size_or_none("none"), Ok(Setting::Clear));
        assert_eq!(size_or_none("5GiB"), Ok(Setting::To(5 << 30)));
        assert!(size_or_none("much").is_err());
        assert_eq!(number_or_none("default"), Ok(Setting::Clear));
        assert_eq!(number_or_none("0"), Ok(Setting::To(0)));
        assert!(number_or_none("-1").is_err());
        assert_eq!(character_or_none("-"), Ok(Setting::To('-')));
        assert!(character_or_none("++").is_err() && character_or_none("").is_err());
        assert_eq!(text_or_none("none"), Ok(Setting::Clear));
    }

    #[test]
    fn properties_stand_under_each_other_and_nothing_steers_the_terminal() {
        let text = properties("a", &[("one", "1".to_owned()), ("longer", "\u{1b}[2J".to_owned())]);
        assert_eq!(text, "a\n  one     1\n  longer  \\u{1b}[2J\n");
    }
}
