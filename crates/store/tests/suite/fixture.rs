//! Folders that earlier programs wrote.

use std::path::Path;

/// A copy of one of `tests/fixtures`, which have no view: it is made anew from the log.
pub fn fixture(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    for part in ["log", "bodies"] {
        std::fs::create_dir(folder.path().join(part)).unwrap();
        // A store without large messages has no files of bodies.
        for file in std::fs::read_dir(source.join(part)).into_iter().flatten() {
            let file = file.unwrap();
            std::fs::copy(file.path(), folder.path().join(part).join(file.file_name())).unwrap();
        }
    }
    std::fs::copy(source.join("format"), folder.path().join("format")).unwrap();
    folder
}
