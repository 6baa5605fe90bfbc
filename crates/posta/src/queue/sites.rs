//! `posta queue sites`.

use server::control::{QueueRequest, QueueResponse, SiteSummary, SiteWord};

use crate::data;
use crate::directory::{PlaceArgs, number, print_entries, text, time};
use crate::exit::Outcome;

pub(super) fn run(place: &PlaceArgs) -> Outcome {
    let mut queue = super::open(place)?;
    let QueueResponse::Sites(sites) = super::ask(&mut queue, QueueRequest::Sites)? else {
        return Err(data::unexpected());
    };
    let nothing = "no mail is on its way to any host";
    let header = ["SITE", "STATE", "CONNECTIONS", "READY", "RELAYED", "FOR", "LAST REPLY"];
    print_entries(place, &sites, nothing, &header, |site| {
        vec![
            text(&site.name),
            text(&state(site)),
            number(format!("{}/{}", site.connections, site.connections_max)),
            number(site.ready),
            number(site.relayed),
            text(&destinations(&site.destinations)),
            text(site.last_replies.first().map_or("", String::as_str)),
        ]
    })
}

fn state(site: &SiteSummary) -> String {
    match (site.state, &site.suspended_until) {
        (SiteWord::Active, _) => "active".to_owned(),
        (SiteWord::Probing, _) => "probing".to_owned(),
        (SiteWord::Suspended, until) => {
            let until = until.as_deref().map(time).unwrap_or_default();
            format!("suspended until {until}: {}", site.reason.as_deref().unwrap_or_default())
        }
    }
}

fn destinations(all: &[String]) -> String {
    match all {
        [] => String::new(),
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    }
}
