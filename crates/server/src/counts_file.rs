//! Figures that are kept in memory and written to a file of the data folder now and then, so that a restart forgets a minute
//! at most: JSON, one object for each day.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use net::files::{self, OWNER_ONLY};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Duration;

/// How often such a file is written.
pub(crate) const SAVE_EVERY: Duration = Duration::from_secs(60);

/// Where figures are written, and whether they have changed since. Copies are of one file. The default is nowhere.
#[derive(Debug, Clone, Default)]
pub(crate) struct CountsFile {
    path: Option<Arc<Path>>,
    is_changed: Arc<AtomicBool>,
}

impl CountsFile {
    pub(crate) fn at(path: &Path) -> Self {
        Self { path: Some(Arc::from(path)), is_changed: Arc::default() }
    }

    /// Something was counted.
    pub(crate) fn changed(&self) {
        self.is_changed.store(true, Ordering::Relaxed);
    }

    /// Writes what there is to write where something was counted since.
    ///
    /// # Errors
    /// What the system says; it is tried again the next time.
    pub(crate) fn save<T: Serialize>(&self, days: impl FnOnce() -> Vec<T>) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        if !self.is_changed.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        // Strings and numbers alone: there is nothing that JSON cannot say.
        let text = serde_json::to_vec(&days()).unwrap_or_default();
        files::replace(path, &text, OWNER_ONLY).inspect_err(|_| self.changed())
    }
}

/// What is in such a file; nothing where there is none.
///
/// # Errors
/// Why it cannot be used. A file of more than `octets_max` is not read.
pub(crate) fn read<T: DeserializeOwned>(path: &Path, octets_max: u64) -> Result<Vec<T>, String> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.to_string()),
    };
    let mut octets = Vec::new();
    file.take(octets_max + 1).read_to_end(&mut octets).map_err(|error| error.to_string())?;
    if octets.len() as u64 > octets_max {
        return Err("it is larger than any such file".to_owned());
    }
    serde_json::from_slice(&octets).map_err(|error| error.to_string())
}
