//! `posta list`: mailing lists.

mod member;

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use comfy_table::Cell;
use server::control::{
    AddressDetail, AddressFilter, AddressSummary, DirectoryRequest, DirectoryResponse, ListChange,
    PosterRule, PutMode,
};
use types::directory::{Expandable, FromRewriting, ListBounces};

use crate::directory::{Directory, PlaceArgs, nothing_to_change, number, print_entries, properties, text};
use crate::exit::{Failure, Outcome};
use crate::{alias, data, terminal};

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  posta list add team@example.org --owner ada@example.org --member bob@example.net --description 'The team'
  posta list set team@example.org --posters anyone
  posta list member add team@example.org eve@example.org
  posta list member add team@example.org - < members.txt
  posta list show team@example.org --json")]
pub(crate) enum ListCommand {
    /// Make a list
    Add(PutArgs),
    /// Change a list
    Set(PutArgs),
    /// Show one list with its members
    Show(NameArgs),
    /// List the lists
    List(PlaceArgs),
    /// Remove a list
    Remove(NameArgs),
    /// Who is in a list
    #[command(subcommand)]
    Member(member::MemberCommand),
}

#[derive(Debug, Args)]
pub(crate) struct NameArgs {
    /// The list's address, for example team@example.org
    #[arg(value_name = "ADDRESS")]
    address: String,
    #[command(flatten)]
    place: PlaceArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PutArgs {
    #[command(flatten)]
    name: NameArgs,
    /// Who answers for the list; a new one needs one
    #[arg(long, value_name = "ADDRESS")]
    owner: Option<String>,
    /// Who is in it; more than once for more, `-` reads the standard input. With `set`, instead of all who
    /// were
    #[arg(long = "member", value_name = "ADDRESS|-")]
    members: Vec<String>,
    /// Who may send to it: anyone, members, owner, or addresses with commas between [default for a new list:
    /// members]
    #[arg(long, value_name = "WHO", value_parser = posters)]
    posters: Option<PosterRule>,
    /// Where bounces go: to an address that tells which member it was (verp), or to the owner [default for a
    /// new list: verp]
    #[arg(long, value_name = "WHERE")]
    bounces: Option<Bounces>,
    /// What it is about, in a line
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Whom EXPN tells the members: nobody, members who have logged in, or all who have [default for a new
    /// list: never]
    #[arg(long, value_name = "WHOM")]
    expandable: Option<Expansion>,
    /// Whether copies show the list as their author, who goes to Reply-To: where the author's domain would have them
    /// refused (rewrite-if-needed), always, or never [default for a new list: rewrite-if-needed]
    #[arg(long, value_name = "WHEN")]
    from: Option<Rewriting>,
}

/// Whether From is rewritten, as it is written.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Rewriting {
    RewriteIfNeeded,
    Always,
    Never,
}

/// Where bounces go, as it is written.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Bounces {
    Verp,
    Owner,
}

/// Whom EXPN tells the members, as it is written.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Expansion {
    Never,
    Members,
    Authenticated,
}

impl PutArgs {
    fn change(self) -> Result<ListChange, Failure> {
        Ok(ListChange {
            owner: self.owner,
            members: if self.members.is_empty() { None } else { Some(member::read(self.members)?) },
            posters: self.posters,
            bounces: self.bounces.map(|bounces| match bounces {
                Bounces::Verp => ListBounces::Verp,
                Bounces::Owner => ListBounces::Owner,
            }),
            description: self.description,
            expandable: self.expandable.map(|expansion| match expansion {
                Expansion::Never => Expandable::Never,
                Expansion::Members => Expandable::ToMembers,
                Expansion::Authenticated => Expandable::ToAuthenticated,
            }),
            from: self.from.map(|from| match from {
                Rewriting::RewriteIfNeeded => FromRewriting::IfNeeded,
                Rewriting::Always => FromRewriting::Always,
                Rewriting::Never => FromRewriting::Never,
            }),
        })
    }
}

pub(crate) fn run(command: ListCommand) -> Outcome {
    match command {
        ListCommand::Add(args) => put(args, PutMode::New),
        ListCommand::Set(args) => put(args, PutMode::Replace),
        ListCommand::Show(args) => show(args),
        ListCommand::List(place) => list(&place),
        ListCommand::Remove(NameArgs { address, place }) => {
            let request = DirectoryRequest::AddressRemove { address, kind: AddressFilter::List };
            let removed = Directory::open(&place)?.change(request)?;
            removed.say(&place, &format!("list {} is removed", removed.name))
        }
        ListCommand::Member(command) => member::run(command),
    }
}

fn put(args: PutArgs, put: PutMode) -> Outcome {
    let (address, place) = (args.name.address.clone(), args.name.place.clone());
    let change = args.change()?;
    let (mut directory, done) = match put {
        PutMode::Replace if change == ListChange::default() => return Err(nothing_to_change("list set")),
        PutMode::New => (Directory::open_or_make(&place)?, "made"),
        PutMode::Replace => (Directory::open(&place)?, "changed"),
    };
    let changed = directory.change(DirectoryRequest::ListPut { put, address, change })?;
    changed.say(&place, &format!("list {} is {done}", changed.name))
}

fn show(args: NameArgs) -> Outcome {
    let NameArgs { address, place } = args;
    let mut directory = Directory::open(&place)?;
    let request = DirectoryRequest::Address { address, kind: AddressFilter::List };
    let DirectoryResponse::Address(list) = directory.ask(request)? else { return Err(data::unexpected()) };
    let members = member::all(&mut directory, &list.address)?;
    if place.json {
        let mut json = serde_json::to_value(&list).unwrap_or_default();
        json["members"] = members.into();
        terminal::print_json(&json)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut page = properties(&list.address, &rows(&list.kind));
    for member in &members {
        page.push_str(&format!("  member       {}\n", terminal::line(member)));
    }
    terminal::print(&page)?;
    Ok(ExitCode::SUCCESS)
}

fn rows(kind: &AddressDetail) -> Vec<(&'static str, String)> {
    let AddressDetail::List { owner, member_count, posters, bounces, description, expandable, from } = kind
    else {
        return Vec::new();
    };
    vec![
        ("description", description.clone()),
        ("owner", owner.clone()),
        ("posters", posters_text(posters)),
        ("bounces", bounces_text(*bounces).to_owned()),
        ("expandable", expandable_text(*expandable).to_owned()),
        ("from", from_text(*from).to_owned()),
        ("members", member_count.to_string()),
    ]
}

fn list(place: &PlaceArgs) -> Outcome {
    let page = |directory: &mut Directory, after| alias::page(directory, AddressFilter::List, after);
    let lists = Directory::open(place)?.all(page, |list| list.address.clone())?;
    let nothing = "there is no list; `posta list add ADDRESS --owner ADDRESS` makes one";
    print_entries(place, &lists, nothing, &["LIST", "MEMBERS", "OWNER", "POSTERS", "DESCRIPTION"], row)
}

fn row(list: &AddressSummary) -> Vec<Cell> {
    let AddressDetail::List { owner, member_count, posters, description, .. } = &list.kind else {
        return vec![text(&list.address)];
    };
    vec![
        text(&list.address),
        number(member_count),
        text(owner),
        text(&posters_text(posters)),
        text(description),
    ]
}

fn posters_text(posters: &PosterRule) -> String {
    match posters {
        PosterRule::Anyone => "anyone".to_owned(),
        PosterRule::Members => "members".to_owned(),
        PosterRule::Owner => "owner".to_owned(),
        PosterRule::Listed(addresses) => addresses.join(", "),
    }
}

const fn bounces_text(bounces: ListBounces) -> &'static str {
    match bounces {
        ListBounces::Verp => "to an address for each member (verp)",
        ListBounces::Owner => "to the owner",
    }
}

const fn expandable_text(expandable: Expandable) -> &'static str {
    match expandable {
        Expandable::Never => "never",
        Expandable::ToMembers => "for members",
        Expandable::ToAuthenticated => "for everybody who has logged in",
    }
}

const fn from_text(from: FromRewriting) -> &'static str {
    match from {
        FromRewriting::IfNeeded => "rewritten where the author's domain would have copies refused",
        FromRewriting::Always => "always rewritten",
        FromRewriting::Never => "never rewritten",
    }
}

/// `anyone`, `members`, `owner`, or addresses with commas between.
fn posters(text: &str) -> Result<PosterRule, String> {
    match text {
        "anyone" => Ok(PosterRule::Anyone),
        "members" => Ok(PosterRule::Members),
        "owner" => Ok(PosterRule::Owner),
        text if text.contains('@') => {
            Ok(PosterRule::Listed(text.split(',').map(|address| address.trim().to_owned()).collect()))
        }
        _ => Err("`anyone`, `members`, `owner`, or addresses with commas between".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn posters_are_a_word_or_addresses() {
        assert_eq!(posters("members"), Ok(PosterRule::Members));
        let listed = PosterRule::Listed(vec!["a@example.org".to_owned(), "b@example.org".to_owned()]);
        assert_eq!(posters("a@example.org, b@example.org"), Ok(listed));
        assert!(posters("everybody").is_err() && posters("").is_err());
    }
}
