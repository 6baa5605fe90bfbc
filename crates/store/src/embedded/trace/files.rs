//! The files of the trace, and writing to the last of them.
//!
//! Nothing here harms mail: what cannot be written is kept for the next try, and what is not tried in time finds
//! no room in the buffer and is counted.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::super::disk::{Disk, DiskFile, OpenMode};
use super::TraceOptions;
use super::frame::{FILE_HEADER_BYTES, Found, Frames, file_header};
use super::index::{self, Index};
use super::pending::{Batch, gap};

/// One file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileInfo {
    pub(super) number: u64,
    /// When the earliest event of its first frame happened; 0 where that cannot be read.
    pub(super) first_ms: u64,
    /// Octets up to where it is whole.
    pub(super) size_bytes: u64,
    /// Octets of its index; 0 where it has none.
    pub(super) index_bytes: u64,
}

impl FileInfo {
    pub(super) const fn bytes_with_index(&self) -> u64 {
        self.size_bytes + self.index_bytes
    }
}

/// Where the files are.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    disk: Arc<dyn Disk>,
    root: PathBuf,
}

impl Reader {
    fn dir(&self) -> PathBuf {
        self.root.join("trace")
    }

    fn path(&self, number: u64) -> PathBuf {
        self.dir().join(format!("{number:010}.trace"))
    }

    pub(super) fn open(&self, number: u64) -> io::Result<Arc<dyn DiskFile>> {
        self.disk.open(&self.path(number), OpenMode::Existing)
    }

    fn index_path(&self, number: u64) -> PathBuf {
        self.dir().join(format!("{number:010}{INDEX_SUFFIX}"))
    }

    /// The index of a file, where it has one that can be read.
    pub(super) fn index(&self, file: &FileInfo) -> Option<Index> {
        let opened = self.disk.open(&self.index_path(file.number), OpenMode::Existing).ok()?;
        Index::open(opened, file.size_bytes).ok().flatten()
    }
}

/// All files, and the one that is written to.
#[derive(Debug)]
pub(super) struct Files {
    at: Reader,
    options: TraceOptions,
    /// By ascending number; `None` until they were looked for.
    known: Option<Vec<FileInfo>>,
    /// The last of them, once something was written to it.
    current: Option<Arc<dyn DiskFile>>,
    /// Something was written since the last sync.
    unsynced: bool,
    /// What is in the last file may be lost, so the next batch begins another.
    distrusted: bool,
    /// Files up to this number have an index, or cannot have one.
    indexed: u64,
}

const INDEX_SUFFIX: &str = ".index";

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

impl Files {
    pub(super) fn new(disk: Arc<dyn Disk>, root: PathBuf, options: TraceOptions) -> Self {
        Self {
            at: Reader { disk, root },
            options,
            known: None,
            current: None,
            unsynced: false,
            distrusted: false,
            indexed: 0,
        }
    }

    pub(super) fn reader(&self) -> Reader {
        self.at.clone()
    }

    /// The files as they are now.
    pub(super) fn list(&mut self) -> io::Result<Vec<FileInfo>> {
        if let Some(known) = &self.known {
            return Ok(known.clone());
        }
        let names = match self.at.disk.list(&self.at.dir()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            names => names?,
        };
        let mut found = Vec::new();
        for number in names.iter().filter_map(|name| name.strip_suffix(".trace")?.parse().ok()) {
            // A file that cannot be read is a gap for those who read, and no reason to keep nothing more.
            let (first_ms, size_bytes) = self.look_at(number).unwrap_or((0, 0));
            let index_bytes = self.index_bytes(number);
            found.push(FileInfo { number, first_ms, size_bytes, index_bytes });
        }
        found.sort_by_key(|file| file.number);
        self.known = Some(found.clone());
        Ok(found)
    }

    /// When the first frame of a file begins, and the file's length.
    fn look_at(&self, number: u64) -> io::Result<(u64, u64)> {
        let file = self.at.open(number)?;
        let size_bytes = file.size_bytes()?;
        match Frames::of(file, size_bytes).next()? {
            Found::Frame(header, _) => Ok((header.first_ms, size_bytes)),
            _ => Ok((0, size_bytes)),
        }
    }

    /// Writes a batch behind what is there. After an error nothing of it counts as written, and the same batch
    /// may be tried again.
    pub(super) fn write(&mut self, batch: &mut Batch) -> io::Result<()> {
        if self.at.disk.free_bytes(&self.at.root)? < self.options.min_free_bytes {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let last = self.list()?.last().copied();
        let file = match (self.current.take(), last) {
            (Some(file), Some(last)) if !self.is_due(&last, batch) => file,
            (Some(file), _) => {
                self.sync_file(&*file);
                self.begin(last.map_or(1, |last| last.number + 1), batch)?
            }
            (None, Some(last)) if !self.is_due(&last, batch) => {
                // Where that fails, a new file begins the next time.
                let resumed = self.resume(last, batch);
                self.distrusted = resumed.is_err();
                resumed?
            }
            (None, last) => self.begin(last.map_or(1, |last| last.number + 1), batch)?,
        };
        let Some(last) = self.known.as_mut().and_then(|known| known.last_mut()) else {
            return Err(io::Error::other("the trace has no file"));
        };
        let written = file.write_all_at(batch.sealed(), last.size_bytes);
        self.current = Some(file);
        written?;
        last.size_bytes += batch.len() as u64;
        self.unsynced = true;
        Ok(())
    }

    /// Whether a new file is due: a file has a bounded size, and no more than a day, so that what is too old can
    /// be removed.
    fn is_due(&self, last: &FileInfo, batch: &Batch) -> bool {
        self.distrusted
            || last.size_bytes > FILE_HEADER_BYTES
                && (last.size_bytes + batch.len() as u64 > self.options.file_bytes
                    || last.first_ms > 0 && batch.first_ms().saturating_sub(last.first_ms) > DAY_MS)
    }

    /// Makes the next file, and removes what is too much or too old.
    fn begin(&mut self, number: u64, batch: &Batch) -> io::Result<Arc<dyn DiskFile>> {
        self.at.disk.create_dir_all(&self.at.dir())?;
        // One of an earlier file of that number would be wrong.
        self.remove_index(number);
        let file = self.at.disk.open(&self.at.path(number), OpenMode::Truncate)?;
        file.write_all_at(&file_header(), 0)?;
        self.at.disk.sync_dir(&self.at.dir())?;
        if number == 1 {
            self.at.disk.sync_dir(&self.at.root)?;
        }
        let info =
            FileInfo { number, first_ms: batch.first_ms(), size_bytes: FILE_HEADER_BYTES, index_bytes: 0 };
        self.known.get_or_insert_default().push(info);
        self.distrusted = false;
        self.prune(batch.last_ms());
        Ok(file)
    }

    /// Goes on with the last file of an earlier run. A torn end, as a crash leaves it, is cut off, and a gap says
    /// so; damage with whole frames behind it stays, for readers to pass over.
    fn resume(&mut self, last: FileInfo, batch: &mut Batch) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.at.open(last.number)?;
        let mut frames = Frames::of(Arc::clone(&file), last.size_bytes);
        let (mut whole, mut torn) = (0, 0);
        loop {
            match frames.next()? {
                Found::Frame(..) | Found::Damage(_) => {}
                Found::Tail(octets) => torn = octets,
                Found::End => break,
                Found::Newer => return self.begin(last.number + 1, batch),
            }
            if torn == 0 {
                whole = frames.offset();
            }
        }
        if whole < FILE_HEADER_BYTES {
            // Nothing in it is whole, not even its header.
            file.set_len(0)?;
            file.write_all_at(&file_header(), 0)?;
            whole = FILE_HEADER_BYTES;
        }
        if torn > 0 {
            file.set_len(whole)?;
            tracing::info!(octets = torn, "the end of the trace was torn and is cut off");
            let text =
                format!("the trace was torn here by a crash: its last {torn} octets could not be read");
            batch.push(&gap(types::Timestamp::from_millis(batch.first_ms()), text));
        }
        if let Some(known) = self.known.as_mut().and_then(|known| known.last_mut()) {
            known.size_bytes = whole;
            if whole == FILE_HEADER_BYTES {
                known.first_ms = batch.first_ms();
            }
        }
        self.prune(batch.last_ms());
        Ok(file)
    }

    /// Removes the oldest files while all together are too large, or while the next one is too old as well. The
    /// last one stays.
    fn prune(&mut self, now_ms: u64) {
        let oldest_ms = now_ms.saturating_sub(u64::from(self.options.days_max) * DAY_MS);
        let Some(mut known) = self.known.take() else { return };
        let mut total: u64 = known.iter().map(FileInfo::bytes_with_index).sum();
        // The file that has just begun is going to be as large as the others.
        let bytes_max = self.options.bytes_max.saturating_sub(self.options.file_bytes);
        while let [first, next, ..] = known[..] {
            let too_old = next.first_ms > 0 && next.first_ms < oldest_ms;
            if total <= bytes_max && !too_old {
                break;
            }
            match self.at.disk.remove(&self.at.path(first.number)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(%error, "an old file of the trace cannot be removed");
                    break;
                }
                _ => {}
            }
            self.remove_index(first.number);
            total -= first.bytes_with_index();
            known.remove(0);
        }
        self.known = Some(known);
    }

    /// Makes what was written durable. A sync that failed may have lost what it was about, and would not say so
    /// again, so a new file begins.
    pub(super) fn sync(&mut self) {
        if !std::mem::take(&mut self.unsynced) {
            return;
        }
        if let Some(file) = self.current.take() {
            self.distrusted = !self.sync_file(&*file);
            self.current = Some(file);
        }
    }

    fn sync_file(&mut self, file: &dyn DiskFile) -> bool {
        self.unsynced = false;
        match file.sync_data() {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, "the trace cannot be synced");
                false
            }
        }
    }

    pub(super) const fn is_unsynced(&self) -> bool {
        self.unsynced
    }
}

/// Indices of files that are written no more.
impl Files {
    /// Makes one index that is missing or damaged; false where all are there that can be.
    pub(super) fn index_next(&mut self) -> io::Result<bool> {
        let files = self.list()?;
        let Some((_, closed)) = files.split_last() else { return Ok(false) };
        let Some(file) = closed.iter().find(|file| file.number > self.indexed) else { return Ok(false) };
        // It is tried once: what cannot be made now is made after the next start.
        self.indexed = file.number;
        if self.at.index(file).is_some_and(|index| index.is_whole().unwrap_or(false)) {
            return Ok(true);
        }
        let made = self.make_index(file)?;
        if let Some(known) = self.known.iter_mut().flatten().find(|known| known.number == file.number) {
            known.index_bytes = made;
        }
        Ok(true)
    }

    /// Returns its octets; 0 where the file cannot have one.
    fn make_index(&self, file: &FileInfo) -> io::Result<u64> {
        let Some(octets) = index::build(self.at.open(file.number)?, file.size_bytes)? else { return Ok(0) };
        if self.at.disk.free_bytes(&self.at.root)? < self.options.min_free_bytes {
            return Err(io::ErrorKind::StorageFull.into());
        }
        // What a crash leaves of it is not what its checksums say, and is made anew.
        let index = self.at.disk.open(&self.at.index_path(file.number), OpenMode::Truncate)?;
        index.write_all_at(&octets, 0)?;
        Ok(octets.len() as u64)
    }

    fn index_bytes(&self, number: u64) -> u64 {
        let index = self.at.disk.open(&self.at.index_path(number), OpenMode::Existing);
        index.and_then(|index| index.size_bytes()).unwrap_or(0)
    }

    fn remove_index(&self, number: u64) {
        match self.at.disk.remove(&self.at.index_path(number)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, "an index of the trace cannot be removed");
            }
            _ => {}
        }
    }
}
