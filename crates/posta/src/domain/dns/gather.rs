//! Where the facts come from: a running server, else a configuration and the store, else the command line.

use checkup::records::{Facts, Key, Mail, Offered};
use server::config::Config;
use server::control::{DirectoryRequest, DirectoryResponse, DkimKeySummary, NodeFacts, Request, Response};
use types::{Domain, Timestamp};

use super::RecordsArgs;
use crate::data;
use crate::directory::{Directory, PlaceArgs};
use crate::exit::{Exit, Failure};
use crate::terminal;

/// The facts, and what to know of them.
pub(super) fn facts(args: &RecordsArgs) -> Result<(Facts, Vec<String>), Failure> {
    let domain = parse(&args.name.domain, "a domain such as example.org")?;
    let reports = match &args.reports {
        Some(reports) if is_address(reports) => reports.clone(),
        Some(reports) => {
            let text = format!("{:?} is no address for reports", terminal::line(reports));
            return Err(Failure::with_help(Exit::BadInput, text, "write one such as postmaster@example.org"));
        }
        None => format!("postmaster@{}", domain.ascii()),
    };
    let mut facts = Facts {
        host: domain.clone(),
        domain,
        mail: if args.no_mail { Mail::None } else { Mail::Some },
        addresses: args.address.clone(),
        services: None,
        keys: Vec::new(),
        certificates: Vec::new(),
        reports,
    };
    if args.no_mail {
        return Ok((facts, Vec::new()));
    }
    let mut notes = Vec::new();
    let config = args.config.as_deref().map(crate::config::read).transpose()?;
    let mut directory = open(args, config.as_ref(), &mut notes)?;
    let node = node(directory.as_mut(), config.as_ref(), &mut notes)?;
    facts.host = host(args, node.as_ref())?;
    fill(&mut facts, node.as_ref(), &mut notes);
    facts.keys = match &mut directory {
        Some(directory) => keys(directory, &facts.domain, &mut notes)?,
        None => Vec::new(),
    };
    Ok((facts, notes))
}

/// For the dates of certificates.
pub(super) fn now() -> Timestamp {
    use server::outside::Outside as _;
    server::outside::System::default().now()
}

/// The directory of the server, or of the store. Who names the host needs neither.
fn open(
    args: &RecordsArgs,
    config: Option<&Config>,
    notes: &mut Vec<String>,
) -> Result<Option<Directory>, Failure> {
    let mut place: PlaceArgs = args.name.place.clone();
    if let (None, Some(config)) = (&place.data.data, config) {
        place.data.data = Some(config.data.clone());
    }
    match Directory::open(&place) {
        Ok(directory) => Ok(Some(directory)),
        Err(failure) if failure.exit == Exit::Unavailable && (args.host.is_some() || config.is_some()) => {
            notes.push(format!("the keys of DKIM are not known: {}", failure.report));
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

/// Of the server that runs, else of the one that the configuration describes.
fn node(
    directory: Option<&mut Directory>,
    config: Option<&Config>,
    notes: &mut Vec<String>,
) -> Result<Option<NodeFacts>, Failure> {
    if let Some(directory) = directory {
        match directory.ask_anything(Request::NodeFacts) {
            Ok(Response::NodeFacts(facts)) => return Ok(Some(facts)),
            Ok(_) => return Err(data::unexpected()),
            // No server runs there.
            Err(failure) if failure.exit == Exit::Unavailable => {}
            Err(failure) => return Err(failure),
        }
    }
    let Some(config) = config else { return Ok(None) };
    let (facts, trouble) = NodeFacts::of_config(config);
    notes.push("no server runs, so this is what the configuration says".to_owned());
    notes.extend(trouble.map(|error| format!("the certificates are not known: {error}")));
    Ok(Some(facts))
}

/// Nobody outside finds a name without a dot.
fn host(args: &RecordsArgs, node: Option<&NodeFacts>) -> Result<Domain, Failure> {
    const HELP: &str = "name the mail host with --host NAME, or a configuration with --config FILE";
    let name = match (&args.host, node) {
        (Some(host), _) => host,
        (None, Some(node)) => &node.host_name,
        (None, None) => {
            return Err(Failure::with_help(Exit::Unavailable, "no server runs that knows its name", HELP));
        }
    };
    let host = parse(name, "a name such as mail.example.org")?;
    if host.ascii().contains('.') {
        return Ok(host);
    }
    let text = format!("{host} is no name that others find in the DNS");
    let help = "set `host_name` in the configuration, or name the mail host with --host NAME";
    Err(Failure::with_help(Exit::BadInput, text, help))
}

fn fill(facts: &mut Facts, node: Option<&NodeFacts>, notes: &mut Vec<String>) {
    let Some(node) = node else {
        let text = "no server runs, so its services, its certificates and its addresses are not known; their records are \
                    left out";
        notes.push(text.to_owned());
        return;
    };
    let offered = |(service, port): &(String, u16)| Offered { service: service.clone(), port: *port };
    facts.services = Some(node.services.iter().map(offered).collect());
    facts.certificates = node.chains();
    if facts.addresses.is_empty() {
        facts.addresses.clone_from(&node.addresses);
    }
    if facts.addresses.is_empty() {
        let text = "the server has no public address of its own; name the one under which others see it with --address IP";
        notes.push(text.to_owned());
    }
}

fn keys(directory: &mut Directory, domain: &Domain, notes: &mut Vec<String>) -> Result<Vec<Key>, Failure> {
    let ascii = domain.ascii();
    let page = |directory: &mut Directory, after: Option<String>| {
        let domain = Some(ascii.to_owned());
        match directory.ask(DirectoryRequest::DkimKeys { domain, after })? {
            DirectoryResponse::DkimKeys(keys) => Ok(keys),
            _ => Err(data::unexpected()),
        }
    };
    let found = match directory.all(page, |key: &DkimKeySummary| key.record_name.clone()) {
        // A domain that the configuration alone names.
        Err(failure) if failure.exit == Exit::Failed => Vec::new(),
        found => found?,
    };
    if found.is_empty() {
        notes.push(format!("nothing signs the mail of {ascii}: `posta dkim rotate {ascii}` makes keys"));
    }
    let key = |key: DkimKeySummary| Key { selector: key.selector, record: key.record, state: key.state };
    Ok(found.into_iter().map(key).collect())
}

fn parse(text: &str, what: &str) -> Result<Domain, Failure> {
    text.trim_end_matches('.').parse().map_err(|error| {
        let text = format!("{:?}: {error}", terminal::line(text));
        Failure::with_help(Exit::BadInput, text, format_args!("write {what}"))
    })
}

/// What can stand in a `mailto:` of a record without being escaped.
fn is_address(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "@.-_+=".contains(c);
    text.chars().all(is_plain) && text.parse::<types::Mailbox>().is_ok()
}
