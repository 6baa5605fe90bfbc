//! `posta dev`: a mail server on this machine alone, with no configuration.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;

use ::store::Directory as _;
use server::config::{Config, DevOptions, Log};
use server::control::{ClientError, ErrorKind, Request, answer};
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
    prepare(&folder, args.password.as_deref())?;
    let mut log = Log::default();
    node::start_logging(&mut log, &args.log);
    let config = Config::dev(DevOptions { data: folder.clone(), port_offset: args.port_offset, log });
    node::run(config, async |node| {
        let (catch_all, password) = first_account(node, &folder).await?;
        if args.json {
            return terminal::print_json(&serde_json::json!({
                "ready": true,
                "data": folder,
                "account": FIRST_ACCOUNT,
                "password": password,
                "ca": node.authority(),
                "listeners": node::listeners_json(node.listeners()),
            }));
        }
        terminal::print(&screen::dev(node.listeners(), &catch_all, &password, &folder, node.authority()))
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
    let password = match (wished, password::kept(folder)?) {
        (None, Some(_)) => return Ok(()),
        // To hash it again would take time and memory for nothing.
        (Some(wished), Some(kept)) if wished == kept => return Ok(()),
        (Some(wished), _) => wished.to_owned(),
        (None, None) => password::make()?,
    };
    let mut client = data::open(folder).map_err(|error| {
        let text = format!("cannot open the data folder {}: {error}", folder.display());
        Failure::new(Exit::Unavailable, text)
    })?;
    let name = || FIRST_ACCOUNT.to_owned();
    let made = client.ask(Request::AccountAdd { name: name(), password: password.clone() });
    match made {
        Err(ClientError::Control(error)) if error.kind == ErrorKind::Conflict => {
            client.ask(Request::AccountSetPassword { name: name(), password: password.clone() })
        }
        made => made,
    }
    .map_err(|error| data::failure(&error))?;
    password::keep(folder, &password)
}

/// The name of the account that gets everybody's mail, and the password of [`FIRST_ACCOUNT`]. That account is
/// made again where the store was removed and the password stayed.
async fn first_account(node: &Node, folder: &Path) -> Result<(String, String), Failure> {
    let failed = |error: ::store::StoreError| Failure::new(Exit::Unavailable, error);
    let Some(password) = password::kept(folder)? else {
        return Err(Failure::new(Exit::Internal, "the password of the first account has gone"));
    };
    if node.store().account(FIRST_ACCOUNT).await.map_err(failed)?.is_none() {
        let request = Request::AccountAdd { name: FIRST_ACCOUNT.to_owned(), password: password.clone() };
        let target = StoreTarget::new(Arc::clone(node.store()));
        answer(&target, request).await.map_err(|error| Failure::new(Exit::Failed, error))?;
    }
    let accounts = node.store().accounts().await.map_err(failed)?;
    let catch_all = accounts.into_iter().next().map_or_else(|| FIRST_ACCOUNT.to_owned(), |first| first.name);
    Ok((catch_all, password))
}
