//! Objects in files, for the time that memory is short.
//!
//! [`disk`] is the system behind a small trait, so that tests can have it fail, lie or be slow; [`directory`] is the
//! process's own folder, its lock and its cap; [`mod@format`] the bytes of a file; [`image`] what is written to one at a time;
//! [`mod@file`] writes and reads one, and [`ahead`] has it read once what is read in order, and [`tidier`] gives back what nobody needs any more. Who is
//! spilled and when is for others to say: regions write and restore themselves (`region/spill.rs`), the side table
//! likewise, and the thread that has them do it lives with the batches.

mod ahead;
mod directory;
mod disk;
mod file;
mod format;
mod image;
mod tidier;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use self::ahead::Ahead;
use self::directory::SpillDirectory;
pub use self::disk::{Disk, DiskFile, LocalDisk};
pub(crate) use self::file::{Segment, SpillFile, Wanted};
pub(crate) use self::image::{Image, Part, Sums};
use super::apart::Apart;
use super::pressure::Pressure;
use crate::error::{Error, ErrorCode, Result};
use crate::id::{BatchId, ObjectId};

/// How a store spills.
#[derive(Clone, Debug)]
pub struct SpillConfig {
    /// Where; each process makes a folder of its own in it.
    pub directory: PathBuf,
    /// Most bytes of files; `None`: what the file system has.
    pub capacity: Option<u64>,
    /// Spilling begins when more than this much of the arena is lent, in percent.
    pub high_water: u8,
    /// Objects of normal mode go to files when memory is short; else they are evicted.
    pub normal_mode: bool,
}

/// What was spilled, in bytes unless said.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct SpillStats {
    /// Objects that lie in files now.
    pub objects: u64,
    /// Their data and metadata.
    pub bytes: u64,
    /// The files, with what is not used of them any more.
    pub files: u64,
    /// Objects written so far.
    pub written_objects: u64,
    /// Their bytes.
    pub written_bytes: u64,
    /// Objects taken back into the arena so far.
    pub restored_objects: u64,
    /// Their bytes.
    pub restored_bytes: u64,
    /// Reads that were answered from a file, without taking the object back.
    pub served: u64,
    /// Writes, reads and removals that failed.
    pub errors: u64,
}

/// A store's spilling: its folder, what it has written, what went wrong.
pub(crate) struct Spill {
    directory: Arc<SpillDirectory>,
    pub(crate) pressure: Arc<Pressure>,
    pub(crate) normal_mode: bool,
    counts: Counts,
    last_error: Mutex<Option<String>>,
    ahead: Ahead,
}

#[derive(Default)]
struct Counts {
    objects: AtomicU64,
    bytes: AtomicU64,
    written_objects: AtomicU64,
    written_bytes: AtomicU64,
    restored_objects: AtomicU64,
    restored_bytes: AtomicU64,
    served: AtomicU64,
    errors: AtomicU64,
}

impl Spill {
    /// Makes the folder, and removes what dead processes left beside it.
    pub(crate) fn open(config: &SpillConfig, pressure: Arc<Pressure>, disk: Arc<dyn Disk>) -> Result<Self> {
        let directory = SpillDirectory::open(&config.directory, config.capacity, disk).map_err(|e| {
            let text = format!("cannot spill to {}: {e}; name another spill directory", config.directory.display());
            Error::new(ErrorCode::StoreOpen, text)
        })?;
        Ok(Spill {
            directory,
            pressure,
            normal_mode: config.normal_mode,
            counts: Counts::default(),
            last_error: Mutex::new(None),
            ahead: Ahead::default(),
        })
    }

    /// A new file for objects of one batch, or of the side table for batch 0.
    pub(crate) fn create(&self, batch: BatchId, life: u64) -> io::Result<Arc<SpillFile>> {
        SpillFile::create(&self.directory, batch, life)
    }

    /// Reads one object into memory of its own.
    ///
    /// # Errors
    /// As for [`SpillFile::read`].
    pub(crate) fn read(&self, file: &Arc<SpillFile>, segment: &Segment, wanted: &Wanted) -> io::Result<Apart> {
        self.ahead.read(file, segment, wanted)
    }

    /// Removes all files, and the folder.
    pub(crate) fn close(&self) {
        self.ahead.clear();
        self.directory.close();
    }

    /// Objects went to a file, where they stay until `left`.
    pub(crate) fn wrote(&self, objects: u64, bytes: u64) {
        self.counts.objects.fetch_add(objects, Ordering::Relaxed);
        self.counts.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.counts.written_objects.fetch_add(objects, Ordering::Relaxed);
        self.counts.written_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Objects are in no file any more.
    pub(crate) fn left(&self, objects: u64, bytes: u64) {
        self.counts.objects.fetch_sub(objects, Ordering::Relaxed);
        self.counts.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Objects came back; `left` is told besides.
    pub(crate) fn took_back(&self, objects: u64, bytes: u64) {
        self.counts.restored_objects.fetch_add(objects, Ordering::Relaxed);
        self.counts.restored_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A read was answered from a file.
    pub(crate) fn served(&self) {
        self.counts.served.fetch_add(1, Ordering::Relaxed);
    }

    /// The system refused something: counted, logged, and told to those whose put finds no room.
    pub(crate) fn failed(&self, what: &str, e: &io::Error) {
        self.counts.errors.fetch_add(1, Ordering::Relaxed);
        log::warn!("spilling: {what}: {e}");
        *self.last_error.lock() = Some(format!("{what}: {e}"));
    }

    /// What went wrong last.
    pub(crate) fn last_error(&self) -> Option<String> {
        self.last_error.lock().clone()
    }

    /// Figures.
    pub(crate) fn stats(&self) -> SpillStats {
        let get = |n: &AtomicU64| n.load(Ordering::Relaxed);
        let c = &self.counts;
        SpillStats {
            objects: get(&c.objects),
            bytes: get(&c.bytes),
            files: self.directory.used(),
            written_objects: get(&c.written_objects),
            written_bytes: get(&c.written_bytes),
            restored_objects: get(&c.restored_objects),
            restored_bytes: get(&c.restored_bytes),
            served: get(&c.served),
            errors: get(&c.errors) + self.directory.failed_removals(),
        }
    }
}

/// What is told of an object that could not be read from its file, where it lies still.
pub(crate) fn unreadable(id: &ObjectId, file: &SpillFile, e: &io::Error) -> Error {
    match e.kind() {
        io::ErrorKind::NotFound => corrupt(id, file, "the file is missing"),
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => corrupt(id, file, &e.to_string()),
        io::ErrorKind::OutOfMemory => {
            Error::new(ErrorCode::StoreFull, format!("no memory to read object {id} back")).object(*id)
        }
        _ => Error::new(ErrorCode::Io, format!("object {id} cannot be read back now: {e}; try again")).object(*id),
    }
}

fn corrupt(id: &ObjectId, file: &SpillFile, why: &str) -> Error {
    let text = format!(
        "object {id} of batch {} cannot be read back from {}: {why}; make it again, and look after that disk",
        id.batch,
        file.path().display()
    );
    Error::new(ErrorCode::SpillCorrupt, text).object(*id)
}
