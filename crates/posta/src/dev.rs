//! `posta dev`: a mail server on this machine alone, with no configuration.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use server::config::{Config, DevOptions, Log};
use server::control::{Request, answer};
use server::{Node, StoreTarget};

use crate::cli::DevArgs;
use crate::exit::{Exit, Failure, Outcome};
use crate::password::{self, FIRST_ACCOUNT};
use crate::{data, node, screen, terminal};

pub(crate) fn run(args: DevArgs) -> Outcome {
    let folder = data::folder(&args.data)?;
    make_folder(&folder)?;
    // What is shown to others must not depend on where this was started.
    let folder = std::fs::canonicalize(&folder).unwrap_or(folder);
    let mut log = Log::default();
    node::start_logging(&mut log, &args.log);
    let config = Config::dev(DevOptions { data: folder.clone(), port_offset: args.port_offset, log });
    node::run(config, async |node| {
        let password = first_account(node, &folder, args.password.as_deref()).await?;
        if args.json {
            return terminal::print_json(&serde_json::json!({
                "ready": true,
                "data": folder,
                "account": FIRST_ACCOUNT,
                "password": password,
                "listeners": node::listeners_json(node.listeners()),
            }));
        }
        terminal::print(&screen::dev(node.listeners(), &password, &folder))
    })
}

fn make_folder(folder: &Path) -> Result<(), Failure> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| {
        let text = format!("cannot make the data folder {}: {error}", folder.display());
        Failure::with_help(Exit::CannotCreate, text, "name another one with --data DIR or POSTA_DATA")
    })
}

/// Makes the first account where there is none. Returns its password: the wished one, else the one that is kept
/// in the folder, else a new one.
async fn first_account(node: &Node, folder: &Path, wished: Option<&str>) -> Result<String, Failure> {
    use store::Directory as _;
    let failed = |error: store::StoreError| Failure::new(Exit::Unavailable, error);
    let existing = node.store().account(FIRST_ACCOUNT).await.map_err(failed)?;
    let kept = password::kept(folder)?;
    if let (Some(_), None, Some(kept)) = (&existing, wished, &kept) {
        return Ok(kept.clone());
    }
    let password = match (wished, kept) {
        (Some(wished), _) => wished.to_owned(),
        (None, Some(kept)) => kept,
        (None, None) => password::make()?,
    };
    let name = FIRST_ACCOUNT.to_owned();
    let request = match existing {
        Some(_) => Request::AccountSetPassword { name, password: password.clone() },
        None => Request::AccountAdd { name, password: password.clone() },
    };
    let target = StoreTarget::new(std::sync::Arc::clone(node.store()));
    answer(&target, request).await.map_err(|error| Failure::new(Exit::Failed, error))?;
    password::keep(folder, &password)?;
    Ok(password)
}
