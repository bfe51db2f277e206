//! Stores on disks and systems that tests have under control.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use raybatch::id::{BatchId, ObjectId};
use raybatch::store::{
    Disk, DiskFile, Eviction, Faults, LocalDisk, NoFaults, Region, Slot, SpillConfig, Store, StoreConfig, TaskLog,
};

/// Longer than anything takes that is not stuck.
pub(crate) const BOUND: Duration = Duration::from_secs(30);

pub(crate) struct NoLog;

impl TaskLog for NoLog {
    fn leased(&self, _batch: BatchId, _task: u64, _count: u32) {}
}

pub(crate) fn config(capacity: u64) -> StoreConfig {
    StoreConfig {
        name: "test".into(),
        capacity,
        path: None,
        warm_reserve: capacity,
        pre_touch: false,
        eviction: Eviction::Batch,
    }
}

/// Where a read says that it has come, and hears whether it fails.
type Stop = (Sender<()>, Receiver<io::Result<()>>);

/// What a test does with the next operation of a disk.
#[derive(Default)]
pub(crate) struct Script {
    /// The next read sends, and waits until it receives whether it fails.
    next_read: Mutex<Option<Stop>>,
    pub(crate) panics_in_writes: AtomicBool,
    pub(crate) panics_in_reads: AtomicBool,
    /// From where to where, whatever the file, the system was asked not to keep what was written.
    pub(crate) uncached: Mutex<Vec<(u64, u64)>>,
}

impl Script {
    /// Stops the next read: it is there when the first end receives, and goes on, or fails, when the second sends.
    pub(crate) fn stop_next_read(&self) -> (Receiver<()>, Sender<io::Result<()>>) {
        let (arrive, arrived) = channel();
        let (go, go_on) = channel();
        *self.next_read.lock().unwrap() = Some((arrive, go_on));
        (arrived, go)
    }
}

/// The system's disk, with a script.
pub(crate) struct Scripted(pub(crate) LocalDisk, pub(crate) Arc<Script>);

struct ScriptedFile(Box<dyn DiskFile>, Arc<Script>);

impl Disk for Scripted {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(ScriptedFile(self.0.create(path)?, Arc::clone(&self.1))))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(ScriptedFile(self.0.open(path)?, Arc::clone(&self.1))))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.remove(path)
    }

    fn uncache(&self, path: &Path, at: u64, len: u64) -> io::Result<()> {
        self.1.uncached.lock().unwrap().push((at, at + len));
        self.0.uncache(path, at, len)
    }
}

impl DiskFile for ScriptedFile {
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<usize> {
        // not the header of a file
        assert!(at == 0 || !self.1.panics_in_writes.load(Ordering::SeqCst), "a defect while a segment is written");
        self.0.write_at(bytes, at)
    }

    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<usize> {
        assert!(!self.1.panics_in_reads.load(Ordering::SeqCst), "a defect while a file is read");
        let stop = self.1.next_read.lock().unwrap().take();
        if let Some((arrive, go_on)) = stop {
            arrive.send(()).unwrap();
            go_on.recv_timeout(BOUND).unwrap()?;
        }
        self.0.read_at(bytes, at)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn allocate(&self, at: u64, len: u64) -> io::Result<()> {
        self.0.allocate(at, len)
    }

    fn punch(&self, at: u64, len: u64) -> io::Result<()> {
        self.0.punch(at, len)
    }
}

/// A store that spills, on a disk with a script.
pub(crate) struct Spilling {
    pub(crate) store: Arc<Store>,
    pub(crate) script: Arc<Script>,
    pub(crate) parent: tempfile::TempDir,
}

/// Of 64 MiB; above the high-water mark of so many percent nothing is taken back.
pub(crate) fn spilling(high_water: u8, faults: Arc<dyn Faults>) -> Spilling {
    let parent = tempfile::tempdir().unwrap();
    let script = Arc::new(Script::default());
    let disk = Arc::new(Scripted(LocalDisk::new(Arc::new(NoFaults)), Arc::clone(&script)));
    let spill = SpillConfig { directory: parent.path().join("spill"), capacity: None, high_water, normal_mode: false };
    let store = Store::open_on(&config(64 << 20), Some((&spill, disk)), Arc::new(NoLog), faults).unwrap();
    Spilling { store, script, parent }
}

pub(crate) fn open(capacity: u64, faults: Arc<dyn Faults>) -> Arc<Store> {
    Store::open_with(&config(capacity), Arc::new(NoLog), faults).unwrap()
}

pub(crate) fn id(region: &Region, slot: Slot) -> ObjectId {
    ObjectId::from_slot(region.batch(), region.base(), slot.slot, slot.index)
}
