//! Where the data is, and how to ask about it: the node that runs there, or the store itself where none does.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::store::StoreError;
use ::store::embedded::{Embedded, Options};
use server::StoreTarget;
use server::control::{Client, ClientError, ErrorKind};

use crate::cli::DataArg;
use crate::exit::{Exit, Failure};

/// A node that is starting or stopping, or another command, gives the store free within this time.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether a folder without a store gets one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhereNothingIs {
    /// There is nothing to read.
    Refuse,
    /// The first account of a server that was never started.
    MakeStore,
}

/// The folder that is meant.
pub(crate) fn folder(arg: &DataArg) -> Result<PathBuf, Failure> {
    if let Some(folder) = &arg.data {
        return Ok(folder.clone());
    }
    default_folder().ok_or_else(|| {
        let help = "name it with --data DIR or POSTA_DATA";
        Failure::with_help(Exit::Usage, "there is no home folder to keep data in", help)
    })
}

/// The folder of `posta dev` where none is named: `$XDG_DATA_HOME/posta/dev`, else `~/.local/share/posta/dev`.
/// Relative values are ignored, as the XDG base directory specification asks.
pub(crate) fn default_folder() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")))?;
    Some(base.join("posta/dev"))
}

/// Connects to the node that runs on `folder`, or opens the store there.
pub(crate) fn client(folder: &Path, where_nothing_is: WhereNothingIs) -> Result<Client, Failure> {
    match connect_or_open(folder, where_nothing_is)? {
        Ok(client) => Ok(client),
        Err(error) => {
            let text = format!("cannot open the store in {}: {error}", folder.display());
            let exit =
                if matches!(error, StoreError::Damaged(_)) { Exit::Internal } else { Exit::Unavailable };
            Err(Failure::new(exit, text))
        }
    }
}

/// The same, with the store's own error where it is that which does not open.
pub(crate) fn connect_or_open(
    folder: &Path,
    where_nothing_is: WhereNothingIs,
) -> Result<Result<Client, StoreError>, Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(client) = Client::connect(folder).map_err(|error| unreachable_server(folder, &error))? {
            return Ok(Ok(client));
        }
        if where_nothing_is == WhereNothingIs::Refuse && is_empty(folder) {
            let text = format!("there is no mail in {}", folder.display());
            let help = "start `posta dev`, or name another folder with --data DIR or POSTA_DATA";
            return Err(Failure::with_help(Exit::Unavailable, text, help));
        }
        match open(folder) {
            Err(StoreError::InUse(_)) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(20));
            }
            opened => return Ok(opened),
        }
    }
}

/// Opens the store in `folder`, or makes one there; never asks a node.
pub(crate) fn open(folder: &Path) -> Result<Client, StoreError> {
    let unavailable = |error: std::io::Error| StoreError::Unavailable(error.to_string());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(unavailable)?;
    let store = {
        let _entered = runtime.enter();
        // Until the next server says how long; one that keeps nothing lets it go at its start.
        Embedded::open(Options { keep_expunged: true, ..Options::at(folder) })?
    };
    Ok(Client::in_process(runtime, Arc::new(StoreTarget::new(Arc::new(store)))))
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none())
}

fn unreachable_server(folder: &Path, error: &std::io::Error) -> Failure {
    let text = format!("cannot ask the server that runs on {}: {error}", folder.display());
    let help = "only the user who runs the server, and root, may ask it";
    Failure::with_help(Exit::Unavailable, text, help)
}

/// What the other side said, with the exit code that fits.
pub(crate) fn failure(error: &ClientError) -> Failure {
    let exit = match error {
        ClientError::Control(error) => match error.kind {
            ErrorKind::Unavailable | ErrorKind::Full => Exit::Unavailable,
            ErrorKind::BadRequest | ErrorKind::Damaged => Exit::Internal,
            ErrorKind::BadValue
            | ErrorKind::Conflict
            | ErrorKind::NoSuchAccount
            | ErrorKind::NoSuchDomain
            | ErrorKind::NoSuchAddress
            | ErrorKind::NoSuchEntry
            | ErrorKind::NoSuchMailbox
            | ErrorKind::NoSuchMessage => Exit::Failed,
        },
        ClientError::Connection(_) => Exit::Unavailable,
        ClientError::Unexpected => Exit::Internal,
        ClientError::Output(error) => return crate::exit::output(error),
    };
    Failure::new(exit, crate::terminal::line(&error.to_string()))
}

/// For an answer that does not belong to the question.
pub(crate) fn unexpected() -> Failure {
    failure(&ClientError::Unexpected)
}
