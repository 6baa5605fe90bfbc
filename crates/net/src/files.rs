//! Small files that are replaced as a whole.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// For the owner alone.
pub const OWNER_ONLY: u32 = 0o600;

/// Writes a file under another name, syncs it and gives it its name: whoever reads finds the old octets or the new ones,
/// never half of them and never with other rights, and after a power cut too.
///
/// # Errors
/// What the system says; the file is then as it was.
pub fn replace(path: &Path, octets: &[u8], mode: u32) -> io::Result<()> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = Path::new(&fresh);
    // What a crash left may have other rights.
    match std::fs::remove_file(fresh) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(fresh)?;
    file.write_all(octets)?;
    file.sync_all()?;
    std::fs::rename(fresh, path)?;
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_with_its_rights_whatever_a_crash_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.txt");
        std::fs::write(folder.path().join("secret.txt.new"), "half of it, for everybody").unwrap();
        for text in ["one", "two"] {
            replace(&path, text.as_bytes(), OWNER_ONLY).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, OWNER_ONLY);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left there");
        assert!(replace(&folder.path().join("no/where"), b"x", OWNER_ONLY).is_err());
    }
}
