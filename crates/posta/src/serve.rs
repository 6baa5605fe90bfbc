//! `posta serve`: the server that a configuration file describes.

use crate::cli::ServeArgs;
use crate::exit::Outcome;
use crate::{config, node, terminal};

pub(crate) fn run(args: &ServeArgs) -> Outcome {
    let mut config = config::read(&args.config)?;
    let logging = node::start_logging(&mut config.log, &args.log)?;
    let data = config.data.clone();
    node::run(config, logging, async |node| {
        if !args.json {
            return Ok(());
        }
        terminal::print_json(&serde_json::json!({
            "ready": true,
            "data": data,
            "listeners": node::listeners_json(node.listeners()),
        }))
    })
}
