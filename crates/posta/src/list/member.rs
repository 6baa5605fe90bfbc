//! `posta list member`: who is in a list. What one command says happens as a whole, or not at all.

use std::io::Read as _;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use server::control::{DirectoryRequest, DirectoryResponse};

use crate::directory::{Directory, PlaceArgs, warn};
use crate::exit::{Exit, Failure, Outcome};
use crate::{data, terminal};

/// Octets of addresses that are read: more than one request may have.
const INPUT_BYTES_MAX: u64 = 8 << 20;

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  posta list member add team@example.org eve@example.org bob@example.net
  posta list member add team@example.org - < members.txt
  posta list member remove team@example.org eve@example.org
  posta list member list team@example.org > members.txt")]
pub(crate) enum MemberCommand {
    /// Let addresses join
    Add(ChangeArgs),
    /// Let addresses leave
    Remove(ChangeArgs),
    /// List the members, one on a line
    List {
        /// The list's address
        #[arg(value_name = "LIST")]
        list: String,
        #[command(flatten)]
        place: PlaceArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ChangeArgs {
    /// The list's address
    #[arg(value_name = "LIST")]
    list: String,
    /// Who; `-` reads addresses from the standard input, one on a line, where # begins a comment
    #[arg(value_name = "ADDRESS|-", required = true)]
    addresses: Vec<String>,
    #[command(flatten)]
    place: PlaceArgs,
}

pub(super) fn run(command: MemberCommand) -> Outcome {
    match command {
        MemberCommand::Add(ChangeArgs { list, addresses, place }) => {
            let request = DirectoryRequest::MembersChange { list, add: read(addresses)?, remove: Vec::new() };
            change(
                &place,
                request,
                Words { done: "joined", unchanged: "in it already", missing_is_failure: false },
            )
        }
        MemberCommand::Remove(ChangeArgs { list, addresses, place }) => {
            let request = DirectoryRequest::MembersChange { list, add: Vec::new(), remove: read(addresses)? };
            change(&place, request, Words { done: "left", unchanged: "not in it", missing_is_failure: true })
        }
        MemberCommand::List { list, place } => {
            let members = all(&mut Directory::open(&place)?, &list)?;
            if place.json {
                terminal::print_json(&members)?;
            } else {
                let lines = members.iter().map(|member| format!("{}\n", terminal::line(member)));
                terminal::print(&lines.collect::<String>())?;
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// How a change is told.
struct Words {
    done: &'static str,
    unchanged: &'static str,
    /// Who is to leave and is not there may be a slip of the pen; who is there already does no harm.
    missing_is_failure: bool,
}

fn change(place: &PlaceArgs, request: DirectoryRequest, words: Words) -> Outcome {
    let response = Directory::open(place)?.ask(request)?;
    let DirectoryResponse::MembersChanged {
        name,
        changed,
        unchanged,
        unchanged_first,
        member_count,
        warnings,
    } = response
    else {
        return Err(data::unexpected());
    };
    let exit = if words.missing_is_failure && unchanged > 0 { Exit::Failed } else { Exit::Success };
    if place.json {
        terminal::print_json(&serde_json::json!({
            "name": name,
            "changed": changed,
            "unchanged": unchanged,
            "unchanged_first": unchanged_first,
            "member_count": member_count,
            "warnings": warnings,
        }))?;
        return Ok(exit.into());
    }
    let members = if member_count == 1 { "member" } else { "members" };
    terminal::print(&format!(
        "{changed} {}; {} has {member_count} {members} now\n",
        words.done,
        terminal::line(&name)
    ))?;
    for address in &unchanged_first {
        eprintln!("{} is {}", terminal::line(address), words.unchanged);
    }
    if unchanged > unchanged_first.len() {
        eprintln!("and {} more are {}", unchanged - unchanged_first.len(), words.unchanged);
    }
    warn(&warnings);
    Ok(exit.into())
}

/// Everybody in a list.
pub(super) fn all(directory: &mut Directory, list: &str) -> Result<Vec<String>, Failure> {
    let page = |directory: &mut Directory, after| {
        let list = list.to_owned();
        match directory.ask(DirectoryRequest::Members { list, after })? {
            DirectoryResponse::Members(members) => Ok(members),
            _ => Err(data::unexpected()),
        }
    };
    directory.all(page, Clone::clone)
}

/// The addresses that were named, with those of the standard input where `-` is among them.
pub(super) fn read(addresses: Vec<String>) -> Result<Vec<String>, Failure> {
    let mut read = Vec::with_capacity(addresses.len());
    for address in addresses {
        if address == "-" {
            let mut text = String::new();
            let input = std::io::stdin().lock().take(INPUT_BYTES_MAX).read_to_string(&mut text);
            input.map_err(|error| {
                Failure::new(Exit::BadInput, format_args!("cannot read the addresses: {error}"))
            })?;
            read.extend(lines(&text));
        } else {
            read.push(address);
        }
    }
    Ok(read)
}

/// One address on a line. A `#` begins a comment at the start of a line or after a space: it may stand in a
/// local part.
fn lines(text: &str) -> impl Iterator<Item = String> + '_ {
    text.lines().filter_map(|line| {
        let end = line.find(" #").unwrap_or(line.len());
        let address = line[..end].trim();
        (!address.is_empty() && !address.starts_with('#')).then(|| address.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_members_has_an_address_on_a_line_and_comments() {
        let text = "# the team\nada@example.org\r\n\n  bob@example.net  # on leave\n#eve@example.org\na#b@example.org";
        let expected = ["ada@example.org", "bob@example.net", "a#b@example.org"];
        assert_eq!(lines(text).collect::<Vec<_>>(), expected);
    }
}
