//! `posta route`: where mail for an address would go now, and what stands in its way. It reads the configuration and asks
//! the DNS as a server does, needs no server that runs, and connects to no mail server. The finding is
//! `server::preview`'s; here is how it looks.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};
use server::config::Config;
use server::{Preview, PreviewHost, PreviewOptions, PreviewSkipped, PreviewWay, preview};
use types::Host;

use crate::exit::{Exit, Failure, Outcome};
use crate::terminal;

/// What `posta route` is given.
#[derive(Debug, Args)]
pub(crate) struct RouteArgs {
    /// An address, or what stands behind its `@`: a domain, or an address literal such as [192.0.2.1]
    #[arg(value_name = "ADDRESS")]
    address: String,
    /// The configuration file [default: what holds where there is none]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// For a message whose sender asks for TLS on its whole way (REQUIRETLS)
    #[arg(long)]
    require_tls: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &RouteArgs) -> Outcome {
    let destination = destination(&args.address)?;
    let config = match &args.config {
        Some(path) => crate::config::read(path)?,
        None => Config::default(),
    };
    let options = PreviewOptions { destination, require_tls: args.require_tls };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::new(Exit::Internal, format_args!("no runtime: {error}")))?;
    let found = runtime
        .block_on(preview(config, &options))
        .map_err(|reason| Failure::new(Exit::Config, format_args!("nobody can be asked: {reason}")))?;
    if args.json {
        terminal::print_json(&document(&options.destination, &found))?;
    } else {
        terminal::print(&page(&options.destination, &found))?;
    }
    Ok(match &found.way {
        PreviewWay::None { is_permanent: true, .. } => Exit::Failed.into(),
        PreviewWay::None { is_permanent: false, .. } => Exit::TryLater.into(),
        PreviewWay::Hosts { hosts, .. } if hosts.iter().all(|host| host.tls.is_err()) => {
            Exit::TryLater.into()
        }
        _ => ExitCode::SUCCESS,
    })
}

/// What stands behind the last `@`, or all of it.
fn destination(address: &str) -> Result<Host, Failure> {
    let host = address.trim_end_matches('>').rsplit('@').next().unwrap_or_default();
    host.parse().map_err(|error| {
        let help = "write an address such as ada@example.org, or a domain";
        Failure::with_help(Exit::BadInput, format_args!("{:?}: {error}", terminal::line(address)), help)
    })
}

/// For people.
fn page(destination: &Host, found: &Preview) -> String {
    let mut lines = vec![format!("Mail for {destination}")];
    lines.push(match &found.rule {
        Some(rule) => format!("  rule      [[transport]] match = \"{}\", to = \"{}\"", rule.matches, rule.to),
        None => "  rule      none: what the DNS says".to_owned(),
    });
    match &found.way {
        PreviewWay::Here => {
            lines.truncate(1);
            lines.push("  stays here: the configuration names it among this server's domains".to_owned());
        }
        PreviewWay::Socket(path) => lines.push(format!("  goes to   the LMTP socket {path}")),
        PreviewWay::OnDemand => {
            lines.push("  waits     until its host asks for it (ETRN, ATRN or TURN)".to_owned());
        }
        PreviewWay::Discard => {
            lines.push("  goes      nowhere: it is discarded, and counts as delivered".to_owned())
        }
        PreviewWay::None { status, reason, is_permanent, skipped } => {
            let then = if *is_permanent { "goes back" } else { "waits" };
            lines.push(format!("  {then:<9} {status} {reason}"));
            lines.extend(left_out(skipped));
        }
        PreviewWay::Hosts { hosts, protocol, port, site, skipped } => {
            lines.push(format!("  goes to   the first of these that takes it, by {protocol} on port {port}"));
            for (place, host) in hosts.iter().enumerate() {
                lines.extend(host_lines(place + 1, host));
            }
            lines.extend(left_out(skipped));
            lines.push(format!("  site      {site}"));
        }
    }
    let lines: Vec<_> = lines.iter().map(|line| terminal::line(line).into_owned() + "\n").collect();
    lines.concat()
}

fn host_lines(place: usize, host: &PreviewHost) -> Vec<String> {
    let addresses: Vec<_> = host.addresses.iter().map(ToString::to_string).collect();
    let addresses = addresses.join(", ");
    let mut first = match &host.name {
        Some(name) => format!("  {place:>2}. {name}"),
        None => format!("  {place:>2}. {addresses}"),
    };
    if let Some(preference) = host.preference {
        first.push_str(&format!(" (preference {preference})"));
    }
    let mut lines = vec![first];
    if let Some(alias_of) = &host.alias_of {
        lines.push(format!("      alias     of {alias_of}"));
    }
    if host.name.is_some() {
        lines.push(format!("      addresses {addresses}"));
    }
    let proof = if host.is_proven { "proven by DNSSEC" } else { "not proven by DNSSEC" };
    lines.push(format!("      known by  {}, {proof}", host.found));
    lines.push(match &host.tls {
        Ok(tls) if tls.names.is_empty() => format!("      TLS       {}: {}", tls.level, tls.why),
        Ok(tls) => format!("      TLS       {} ({}): {}", tls.level, tls.names.join(", "), tls.why),
        Err(why) => format!("      not used  {why}"),
    });
    lines
}

fn left_out(skipped: &[PreviewSkipped]) -> Vec<String> {
    skipped.iter().map(|skipped| format!("  left out  {}: {}", skipped.host, skipped.why)).collect()
}

/// For programs.
fn document(destination: &Host, found: &Preview) -> Value {
    let skipped = |skipped: &[PreviewSkipped]| -> Vec<Value> {
        skipped.iter().map(|skipped| json!({ "host": skipped.host, "why": skipped.why })).collect()
    };
    let mut document = match &found.way {
        PreviewWay::Here => json!({ "way": "here" }),
        PreviewWay::Socket(path) => json!({ "way": "socket", "path": path }),
        PreviewWay::OnDemand => json!({ "way": "on-demand" }),
        PreviewWay::Discard => json!({ "way": "discard" }),
        PreviewWay::None { status, reason, is_permanent, skipped: left_out } => json!({
            "way": "none",
            "status": status.to_string(),
            "reason": reason,
            "permanent": is_permanent,
            "skipped": skipped(left_out),
        }),
        PreviewWay::Hosts { hosts, protocol, port, site, skipped: left_out } => json!({
            "way": "hosts",
            "hosts": hosts.iter().map(host_value).collect::<Vec<_>>(),
            "protocol": protocol,
            "port": port,
            "site": site,
            "skipped": skipped(left_out),
        }),
    };
    document["destination"] = destination.to_string().into();
    let rule = found.rule.as_ref();
    document["rule"] = rule.map_or(Value::Null, |rule| json!({ "match": rule.matches, "to": rule.to }));
    document
}

fn host_value(host: &PreviewHost) -> Value {
    let tls = match &host.tls {
        Ok(tls) => json!({ "level": tls.level, "names": tls.names, "why": tls.why }),
        Err(why) => json!({ "refused": why }),
    };
    json!({
        "name": host.name,
        "alias_of": host.alias_of,
        "addresses": host.addresses,
        "preference": host.preference,
        "found": host.found,
        "proven": host.is_proven,
        "tls": tls,
    })
}
