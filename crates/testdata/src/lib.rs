//! Finds the outside test material (RFC texts, mail corpora, address cases), which is not part of the project.
//!
//! It lies where `POSTA_TEST_DATA` says, by default in `../shared/data` beside the checkout. Where it is missing,
//! a test in CI (`CI=true`) fails; on a user's machine it says that it was skipped and why.

use std::path::{Path, PathBuf};

/// The folder `name` of the test material, or nothing where there is none and the test is to be skipped.
///
/// # Panics
/// Where the material is missing and `CI` is set: a test that CI skips proves nothing.
#[must_use]
pub fn folder(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("POSTA_TEST_DATA").map_or_else(default_root, PathBuf::from);
    let folder = root.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    let why = format!(
        "the test material {} is not there; set POSTA_TEST_DATA to the folder that holds '{name}'",
        folder.display()
    );
    assert!(std::env::var_os("CI").is_none(), "{why}");
    eprintln!("SKIPPED: {why}");
    None
}

/// All files below `folder`, sorted, so that a test reads them in the same order everywhere.
#[must_use]
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

fn default_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data")
}
