//! The process's own folder of spill files: `<spill directory>/raybatch-<pid>-<random>/`, 0700, with a lock that the
//! system lets go when the process dies. So what lies beside it without a lock is a dead process's, and is removed by
//! whoever opens a store there next; what is locked, or is not ours, is left alone.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use rustix::fs::{FlockOperation, Mode, OFlags};

use super::disk::{Disk, DiskFile};
use super::file::SpillFile;
use super::format::{self, HEADER};
use super::tidier::Tidier;

const PREFIX: &str = "raybatch-";
const NEW_PREFIX: &str = ".raybatch-new-";
const LOCK: &str = "lock";
const LOCK_TEXT: &[u8] = b"raybatch spill folder 1\n";
const SUFFIX: &str = ".spill";
/// Files that are kept open to be read.
const MOST_READERS: usize = 16;
/// Removed files that are open still.
const MOST_CLOSING: usize = 16;

/// See the module.
pub(super) struct SpillDirectory {
    path: PathBuf,
    disk: Arc<dyn Disk>,
    /// Locked while this lives: another one if somebody removed the folder.
    lock: Mutex<File>,
    cap: Option<u64>,
    /// bytes of all files
    used: AtomicU64,
    /// for the names of files
    next: AtomicU64,
    failed_removals: AtomicU64,
    closed: AtomicBool,
    /// files that are open to be read, the last opened last
    readers: Mutex<VecDeque<Weak<SpillFile>>>,
    tidier: Tidier,
    /// removed files that the tidier has yet to close
    closing: AtomicUsize,
}

impl SpillDirectory {
    /// Makes the folder, with those above it, and removes what dead processes left beside it.
    pub(super) fn open(parent: &Path, cap: Option<u64>, disk: Arc<dyn Disk>) -> io::Result<Arc<Self>> {
        DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
        remove_leftovers(parent);
        let random =
            getrandom::u64().map_err(|e| io::Error::other(format!("no random numbers from the system: {e}")))?;
        let path = parent.join(format!("{PREFIX}{}-{random:016x}", std::process::id()));
        let lock = make_folder(&path)?;
        Ok(Arc::new(SpillDirectory {
            path,
            disk,
            lock: Mutex::new(lock),
            cap,
            used: AtomicU64::new(0),
            next: AtomicU64::new(0),
            failed_removals: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            readers: Mutex::default(),
            tidier: Tidier::default(),
            closing: AtomicUsize::new(0),
        }))
    }

    /// Makes a file. If somebody removed the folder, or those above it, it is recreated.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        match self.disk.create(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound && !self.is_closed() => {
                self.recreate().map_err(|e| {
                    io::Error::new(
                        e.kind(),
                        format!("{} is missing, and cannot be recreated: {e}", self.path.display()),
                    )
                })?;
                self.disk.create(path)
            }
            created => created,
        }
    }

    fn recreate(&self) -> io::Result<()> {
        let mut lock = self.lock.lock();
        if self.path.is_dir() {
            return Ok(()); // another thread was first
        }
        if let Some(parent) = self.path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
        }
        *lock = make_folder(&self.path)?;
        log::warn!(
            "spilling: the folder {} was removed by another program; it is recreated, and what lay in it is lost",
            self.path.display()
        );
        Ok(())
    }

    /// Removes all files and the folder: at once, though somebody may hold a closed store for long. What is being
    /// written just now goes when that is over.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        let readers = std::mem::take(&mut *self.readers.lock());
        readers.iter().filter_map(Weak::upgrade).for_each(|file| file.close_reader());
        remove_own(&self.path);
    }

    /// A file was opened to be read: of those that are, the one that was opened first is closed when there are too many, and
    /// all are in a closed store.
    pub(super) fn was_opened(&self, file: &Arc<SpillFile>) {
        let too_many = {
            let mut readers = self.readers.lock();
            readers.retain(|other| !std::ptr::eq(other.as_ptr(), Arc::as_ptr(file)));
            readers.push_back(Arc::downgrade(file));
            if readers.len() > MOST_READERS { readers.pop_front() } else { None }
        };
        if let Some(file) = too_many.as_ref().and_then(Weak::upgrade) {
            file.close_reader();
        }
        if self.is_closed() {
            file.close_reader();
        }
    }

    /// True when no more files may be made.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    pub(super) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    /// Gives room back behind the back of whoever asks.
    pub(super) fn tidier(&self) -> &Tidier {
        &self.tidier
    }

    /// True if a removed file may be left to the tidier to close: there are not too many.
    pub(super) fn begin_closing(&self) -> bool {
        let begin = |n: usize| (n < MOST_CLOSING).then_some(n + 1);
        self.closing.try_update(Ordering::Relaxed, Ordering::Relaxed, begin).is_ok()
    }

    /// It is closed.
    pub(super) fn end_closing(&self) {
        self.closing.fetch_sub(1, Ordering::Relaxed);
    }

    /// A path nobody used.
    pub(super) fn new_path(&self, batch: i64) -> PathBuf {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        let what = if batch == 0 { "table".to_owned() } else { format!("batch-{batch}") };
        self.path.join(format!("{what}-{n}{SUFFIX}"))
    }

    /// Bytes of all files.
    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Files that could not be removed.
    pub(super) fn failed_removals(&self) -> u64 {
        self.failed_removals.load(Ordering::Relaxed)
    }

    /// True where only so many bytes may be in use.
    pub(super) fn is_capped(&self) -> bool {
        self.cap.is_some()
    }

    /// Takes room for a file to grow, within the cap.
    pub(super) fn reserve(&self, bytes: u64) -> io::Result<Room<'_>> {
        let fits = |used: u64| used.checked_add(bytes).filter(|sum| self.cap.is_none_or(|cap| *sum <= cap));
        let reserved = self.used.try_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        reserved.map(|_| Room { directory: self, bytes }).map_err(|used| {
            let cap = self.cap.unwrap_or(u64::MAX);
            let text =
                format!("{bytes} bytes more are over the spill directory's cap of {cap}, of which {used} are in use");
            io::Error::new(io::ErrorKind::StorageFull, text)
        })
    }

    /// Gives room back.
    pub(super) fn release(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Removes a file; one that cannot be removed goes with the folder, or is the next process's to remove.
    pub(super) fn remove(&self, path: &Path) {
        match self.disk.remove(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                self.failed_removals.fetch_add(1, Ordering::Relaxed);
                log::warn!("spilling: {} cannot be removed: {e}", path.display());
            }
            _ => {}
        }
        if self.is_closed() {
            remove_own(&self.path);
        }
    }
}

/// Room taken for a file, given back unless it is kept.
#[must_use]
pub(super) struct Room<'a> {
    directory: &'a SpillDirectory,
    bytes: u64,
}

impl Room<'_> {
    /// It is used: whoever does gives it back.
    pub(super) fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.directory.release(self.bytes);
    }
}

impl Drop for SpillDirectory {
    fn drop(&mut self) {
        // all files went before; one whose removal failed is tried once more
        remove_own(&self.path);
    }
}

/// Makes a folder, which takes its name when it is locked: nobody ever sees one of a living process without. Returns its lock.
fn make_folder(path: &Path) -> io::Result<File> {
    let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix(PREFIX));
    let made = path.with_file_name(format!("{NEW_PREFIX}{}", name.unwrap_or_default()));
    DirBuilder::new().mode(0o700).create(&made)?;
    let locked = lock_new(&made.join(LOCK)).and_then(|lock| fs::rename(&made, path).map(|()| lock));
    locked.inspect_err(|_| {
        let _ = fs::remove_file(made.join(LOCK));
        let _ = fs::remove_dir(&made);
    })
}

fn lock_new(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let lock = File::from(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?);
    rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
    lock.write_all_at(LOCK_TEXT, 0)?;
    Ok(lock)
}

/// Removes the folders of processes that are dead.
fn remove_leftovers(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let starts = |prefix: &str| entry.file_name().to_str().is_some_and(|name| name.starts_with(prefix));
        if !(starts(PREFIX) || starts(NEW_PREFIX)) || !is_own_folder(&path) {
            continue;
        }
        if dead(&path.join(LOCK)).is_some() {
            log::info!("spilling: removing {}, which a process left that is gone", path.display());
            remove_own(&path);
        } else if starts(PREFIX) && !path.join(LOCK).exists() {
            // its process ended while it removed the folder: there is none without a lock otherwise. One with files in it stays
            let _ = fs::remove_dir(&path);
        }
    }
}

/// A real folder of this user, closed to others.
fn is_own_folder(path: &Path) -> bool {
    let ours = rustix::process::geteuid().as_raw();
    fs::symlink_metadata(path).is_ok_and(|m| m.is_dir() && m.uid() == ours && m.mode() & 0o077 == 0)
}

/// The lock of a folder whose process is gone, held from here on.
fn dead(lock: &Path) -> Option<File> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(lock, flags, Mode::empty()).ok()?);
    let mut text = [0; LOCK_TEXT.len()];
    file.read_exact_at(&mut text, 0).ok().filter(|()| text == *LOCK_TEXT)?;
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
    Some(file)
}

/// Removes the spill files in a folder, its lock, and the folder. Anything else stays, and the folder with it.
fn remove_own(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let named = entry.file_name().to_str().is_some_and(|name| name.ends_with(SUFFIX));
        if named && is_spill_file(&path) {
            let _ = fs::remove_file(&path);
        }
    }
    // the lock goes last: as long as anything of ours is left, the folder is one of ours
    let empty = fs::read_dir(folder).is_ok_and(|entries| entries.flatten().all(|e| e.file_name() == LOCK));
    if empty {
        let _ = fs::remove_file(folder.join(LOCK));
        let _ = fs::remove_dir(folder);
    }
}

/// Begins as our files do, or was not even begun.
fn is_spill_file(path: &Path) -> bool {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let Ok(fd) = rustix::fs::open(path, flags, Mode::empty()) else { return false };
    let file = File::from(fd);
    let Ok(meta) = file.metadata() else { return false };
    let mut header = [0; HEADER];
    meta.is_file()
        && (meta.len() < HEADER as u64
            || file.read_exact_at(&mut header, 0).is_ok_and(|()| format::is_file_header(&header)))
}

#[cfg(test)]
mod tests {
    use super::super::disk::LocalDisk;
    use super::*;
    use crate::store::faults::NoFaults;

    fn open(parent: &Path) -> Arc<SpillDirectory> {
        SpillDirectory::open(parent, Some(100), Arc::new(LocalDisk::new(Arc::new(NoFaults)))).expect("opens")
    }

    fn folders(parent: &Path) -> Vec<PathBuf> {
        fs::read_dir(parent).expect("there").flatten().map(|e| e.path()).collect()
    }

    #[test]
    fn the_folder_is_the_owners_alone_and_goes_with_the_store() {
        let parent = tempfile::tempdir().expect("temp");
        let inner = parent.path().join("a").join("b");
        let directory = open(&inner);
        let mode = |path: &Path| fs::metadata(path).expect("there").mode() & 0o777;
        assert_eq!((mode(&directory.path), mode(&directory.path.join(LOCK))), (0o700, 0o600));
        drop(directory);
        assert!(folders(&inner).is_empty());
    }

    /// A process that dies leaves its folder without a lock; one that lives has it.
    #[test]
    fn c30_leftovers_of_the_dead_are_removed_and_nothing_else() {
        let parent = tempfile::tempdir().expect("temp");
        let living = open(parent.path());
        let made = |name: &str, lock: &[u8]| {
            let path = parent.path().join(name);
            DirBuilder::new().mode(0o700).create(&path).expect("made");
            fs::write(path.join(LOCK), lock).expect("made");
            path
        };
        let dead = made("raybatch-1-00", LOCK_TEXT);
        fs::write(dead.join("batch-7-0.spill"), format::file_header(7, 9)).expect("made");
        fs::write(dead.join("batch-7-1.spill"), b"").expect("made");
        let not_all_ours = made("raybatch-1-01", LOCK_TEXT);
        fs::write(not_all_ours.join("batch-7-0.spill"), format::file_header(7, 9)).expect("made");
        fs::write(not_all_ours.join("letter.txt"), b"dear").expect("made");
        fs::write(not_all_ours.join("other.spill"), [7; 100]).expect("made");
        let half_removed = parent.path().join("raybatch-1-04");
        DirBuilder::new().mode(0o700).create(&half_removed).expect("made");
        let half_made = made(".raybatch-new-1-05", LOCK_TEXT);
        let somebody_elses = made("raybatch-1-02", b"another program's lock..");
        let named_otherwise = made("backup", LOCK_TEXT);
        std::os::unix::fs::symlink(&named_otherwise, parent.path().join("raybatch-1-03")).expect("made");

        let opened = open(parent.path());
        assert!(!dead.exists() && !half_removed.exists() && !half_made.exists());
        assert!(not_all_ours.join("letter.txt").exists() && not_all_ours.join("other.spill").exists());
        assert!(!not_all_ours.join("batch-7-0.spill").exists());
        assert!(somebody_elses.exists() && named_otherwise.join(LOCK).exists());
        assert!(living.path.exists() && opened.path.exists());
    }

    #[test]
    fn the_cap_holds() {
        let parent = tempfile::tempdir().expect("temp");
        let directory = open(parent.path());
        directory.reserve(60).expect("fits").keep();
        let Err(e) = directory.reserve(41) else { panic!("over") };
        assert!(e.to_string().contains("cap of 100, of which 60"), "{e}");
        directory.release(60);
        assert!(directory.reserve(100).is_ok() && directory.reserve(u64::MAX).is_err());
        assert_eq!(directory.used(), 0, "room that is not kept is given back");
    }
}
