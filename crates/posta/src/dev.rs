//! `posta dev`: a mail server on this machine alone, with no configuration.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;

use ::store::Directory as _;
use server::config::{Config, DevOptions, Log};
use server::control::{ClientError, ErrorKind, answer};
use server::{Node, StoreTarget};

use crate::cli::DevArgs;
use crate::exit::{Exit, Failure, Outcome};
use crate::first_password::{self, FIRST_ACCOUNT};
use crate::screen::Dev;
use crate::{data, node, screen, terminal};

pub(crate) fn run(args: DevArgs) -> Outcome {
    let folder = data::folder(&args.data)?;
    make_folder(&folder)?;
    // What is shown to others must not depend on where this was started.
    let folder = std::fs::canonicalize(&folder).unwrap_or(folder);
    prepare(&folder, args.password.as_deref())?;
    let mut log = Log::default();
    let logging = node::start_logging(&mut log, &args.log)?;
    let relay = args.relay.clone();
    let config = Config::dev(DevOptions {
        data: folder.clone(),
        port_offset: args.port_offset,
        relay: relay.clone(),
        log,
    });
    node::run(config, logging, async |node| {
        let password = first_account(node, &folder).await?;
        if args.json {
            return terminal::print_json(&serde_json::json!({
                "ready": true,
                "data": folder,
                "account": FIRST_ACCOUNT,
                "password": password,
                "ca": node.authority(),
                "relay": relay.map(|relay| relay.to_string()),
                "listeners": node::listeners_json(node.listeners()),
            }));
        }
        terminal::print(&screen::dev(&Dev {
            listeners: node.listeners(),
            password: &password,
            folder: &folder,
            authority: node.authority(),
            relay: relay.as_ref(),
        }))
    })
}

fn make_folder(folder: &Path) -> Result<(), Failure> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| {
        let text = format!("cannot make the data folder {}: {error}", folder.display());
        Failure::with_help(Exit::CannotCreate, text, "name another one with --data DIR or POSTA_DATA")
    })
}

/// Makes the first account, or sets its password, before anything listens: the first message must not come too
/// early. Where a password is kept and none is wished, both were done at an earlier start.
fn prepare(folder: &Path, wished: Option<&str>) -> Result<(), Failure> {
    let password = match (wished, first_password::kept(folder)?) {
        (None, Some(_)) => return Ok(()),
        // To hash it again would take time and memory for nothing.
        (Some(wished), Some(kept)) if wished == kept => return Ok(()),
        (Some(wished), _) => wished.to_owned(),
        (None, None) => first_password::make()?,
    };
    let mut client = data::open(folder).map_err(|error| {
        let text = format!("cannot open the data folder {}: {error}", folder.display());
        Failure::new(Exit::Unavailable, text)
    })?;
    match client.ask(first_password::account(&password)) {
        Err(ClientError::Control(error)) if error.kind == ErrorKind::Conflict => {
            client.ask(first_password::change(&password))
        }
        made => made,
    }
    .map_err(|error| data::failure(&error))?;
    first_password::keep(folder, &password)
}

/// The password of [`FIRST_ACCOUNT`]. That account is made again where the store was removed and the password stayed.
async fn first_account(node: &Node, folder: &Path) -> Result<String, Failure> {
    let failed = |error: ::store::StoreError| Failure::new(Exit::Unavailable, error);
    let Some(password) = first_password::kept(folder)? else {
        return Err(Failure::new(Exit::Internal, "the password of the first account has gone"));
    };
    if node.store().account(FIRST_ACCOUNT).await.map_err(failed)?.is_none() {
        let target = StoreTarget::new(Arc::clone(node.store()));
        answer(&target, first_password::account(&password))
            .await
            .map_err(|error| Failure::new(Exit::Failed, error))?;
    }
    Ok(password)
}
