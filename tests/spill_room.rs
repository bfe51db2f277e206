//! The room that spill files take, and when it is given back.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use raybatch::id::{BatchId, ObjectId};
use raybatch::store::{
    Disk, DiskFile, Eviction, Found, Kind, LocalDisk, NoFaults, Region, SpillConfig, Store, StoreConfig, TaskLog,
};

const MIB: u64 = 1 << 20;

struct NoLog;

impl TaskLog for NoLog {
    fn leased(&self, _batch: BatchId, _task: u64, _count: u32) {}
}

/// A disk that can be made to refuse.
struct Moody {
    disk: LocalDisk,
    mood: Arc<Mood>,
}

#[derive(Default)]
struct Mood {
    /// It is full until a hole is made.
    full: AtomicBool,
    /// Nothing is allocated beforehand.
    no_allocation: bool,
    allocated: AtomicU64,
    holes: AtomicU64,
}

struct MoodyFile {
    file: Box<dyn DiskFile>,
    mood: Arc<Mood>,
}

impl Moody {
    fn of(mood: &Arc<Mood>) -> Arc<dyn Disk> {
        Arc::new(Moody { disk: LocalDisk::new(Arc::new(NoFaults)), mood: Arc::clone(mood) })
    }

    fn file(&self, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(MoodyFile { file, mood: Arc::clone(&self.mood) })
    }
}

impl Disk for Moody {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(self.disk.create(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(self.disk.open(path)?))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }
}

impl DiskFile for MoodyFile {
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<usize> {
        match self.mood.full.load(Ordering::SeqCst) {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => self.file.write_at(bytes, at),
        }
    }

    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<usize> {
        self.file.read_at(bytes, at)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn allocate(&self, at: u64, len: u64) -> io::Result<()> {
        if self.mood.no_allocation {
            return Err(io::ErrorKind::Unsupported.into());
        }
        self.mood.allocated.fetch_add(len, Ordering::SeqCst);
        self.file.allocate(at, len)
    }

    fn punch(&self, at: u64, len: u64) -> io::Result<()> {
        self.mood.full.store(false, Ordering::SeqCst);
        self.mood.holes.fetch_add(len, Ordering::SeqCst);
        self.file.punch(at, len)
    }
}

struct House {
    store: Arc<Store>,
    parent: tempfile::TempDir,
}

fn open(capacity: Option<u64>, disk: Arc<dyn Disk>) -> House {
    let parent = tempfile::tempdir().unwrap();
    let config = StoreConfig {
        name: "room".into(),
        capacity: 128 * MIB,
        path: None,
        warm_reserve: 128 * MIB,
        pre_touch: false,
        eviction: Eviction::Batch,
    };
    let spill = SpillConfig { directory: parent.path().join("spill"), capacity, high_water: 90, normal_mode: false };
    let store = Store::open_on(&config, Some((&spill, disk)), Arc::new(NoLog), Arc::new(NoFaults)).unwrap();
    House { store, parent }
}

fn bytes_of(n: u64) -> Vec<u8> {
    (0..MIB).map(|i| (n * 31 + i * 7 + i / 251) as u8).collect()
}

impl House {
    fn region(&self, id: i64, objects: u64) -> (Arc<Region>, Vec<ObjectId>) {
        let region = self.store.create_region(BatchId(id), None).unwrap();
        let put = |n| {
            let slot = region.put(Kind::Bytes, &bytes_of(n).as_slice()).unwrap();
            ObjectId::from_slot(region.batch(), region.base(), slot.slot, slot.index)
        };
        let ids = (0..objects).map(put).collect();
        region.spill(&mut |_| {}).unwrap();
        (region, ids)
    }

    fn files(&self) -> Vec<PathBuf> {
        let folders = fs::read_dir(self.parent.path().join("spill")).unwrap().flatten();
        let files = folders.flat_map(|folder| fs::read_dir(folder.path()).unwrap().flatten().map(|f| f.path()));
        files.filter(|path| path.extension().is_some_and(|e| e == "spill")).collect()
    }

    /// Spill files that this process has open, removed ones too.
    fn open_files(&self) -> usize {
        let mine = |link: PathBuf| link.starts_with(self.parent.path()) && link.to_string_lossy().contains(".spill");
        fs::read_dir("/proc/self/fd").unwrap().flatten().filter(|fd| fs::read_link(fd.path()).is_ok_and(mine)).count()
    }
}

fn check(region: &Region, id: &ObjectId, n: u64) {
    let mut out = Vec::new();
    assert_eq!(region.get(id, &mut out).unwrap().map(|_| ()), Found::Here(()));
    assert!(out == bytes_of(n), "object {n}");
}

fn eventually(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "{what}: not within 20 s");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn room_is_taken_beforehand_for_large_files_and_what_was_not_needed_goes_back() {
    let mood = Arc::new(Mood::default());
    let house = open(None, Moody::of(&mood));
    let (small, _) = house.region(1, 2);
    assert_eq!(mood.allocated.load(Ordering::SeqCst), 0, "it may have ended");
    house.store.drop_region(&small);
    let (large, ids) = house.region(2, 30);
    assert!(mood.allocated.load(Ordering::SeqCst) >= 16 * MIB);
    let file = fs::metadata(&house.files()[0]).unwrap();
    // the file system's own blocks count too
    assert!(file.blocks() * 512 <= file.len() + MIB, "{} blocks for {} bytes", file.blocks(), file.len());
    ids.iter().enumerate().for_each(|(n, id)| check(&large, id, n as u64));
}

#[test]
fn a_disk_that_gives_no_room_beforehand_and_a_capped_folder_do_without() {
    let refuses = Arc::new(Mood { no_allocation: true, ..Mood::default() });
    let counts = Arc::new(Mood::default());
    for (mood, cap) in [(&refuses, None), (&counts, Some(1 << 30))] {
        let house = open(cap, Moody::of(mood));
        let (region, ids) = house.region(1, 10);
        assert_eq!(mood.allocated.load(Ordering::SeqCst), 0);
        ids.iter().enumerate().for_each(|(n, id)| check(&region, id, n as u64));
    }
}

/// What is about to be given back is given back at once when somebody finds the disk full.
#[test]
fn who_finds_the_disk_full_does_not_fail_for_what_is_not_used_any_more() {
    let mood = Arc::new(Mood::default());
    let house = open(None, Moody::of(&mood));
    let (region, ids) = house.region(1, 24);
    ids.iter().take(20).enumerate().for_each(|(n, id)| check(&region, id, n as u64));
    mood.full.store(true, Ordering::SeqCst);
    let (other, others) = house.region(2, 8);
    assert!(mood.holes.load(Ordering::SeqCst) >= 16 * MIB);
    others.iter().enumerate().for_each(|(n, id)| check(&other, id, n as u64));
    ids.iter().enumerate().for_each(|(n, id)| check(&region, id, n as u64));
    house.store.audit().unwrap();
}

#[test]
fn holes_are_made_when_nobody_reads() {
    let mood = Arc::new(Mood::default());
    let house = open(None, Moody::of(&mood));
    let (region, ids) = house.region(1, 24);
    ids.iter().take(20).enumerate().for_each(|(n, id)| check(&region, id, n as u64));
    eventually("a hole", || house.store.spill_stats().files <= 5 * MIB);
    let file = fs::metadata(&house.files()[0]).unwrap();
    assert!(file.blocks() * 512 <= 6 * MIB, "{} blocks", file.blocks());
    // what is read to its end goes as a whole
    let holes = mood.holes.load(Ordering::SeqCst);
    ids.iter().enumerate().for_each(|(n, id)| check(&region, id, n as u64));
    assert_eq!(house.files(), Vec::<PathBuf>::new());
    eventually("it is closed", || house.open_files() == 0);
    assert_eq!(mood.holes.load(Ordering::SeqCst), holes);
}

#[test]
fn of_those_that_are_read_some_stay_open_and_none_that_is_gone() {
    let house = open(None, Arc::new(LocalDisk::new(Arc::new(NoFaults))));
    let all: Vec<_> = (1..=40).map(|id| house.region(id, 3)).collect();
    for (region, ids) in &all {
        check(region, &ids[0], 0);
    }
    assert!((1..=16).contains(&house.open_files()), "{} are open", house.open_files());
    for (region, ids) in &all {
        check(region, &ids[1], 1);
        house.store.drop_region(region);
    }
    assert_eq!(house.files(), Vec::<PathBuf>::new());
    eventually("all are closed", || house.open_files() == 0);
    assert_eq!(house.store.spill_stats().files, 0);
}

#[test]
fn a_closed_store_has_nothing_open() {
    let house = open(None, Arc::new(LocalDisk::new(Arc::new(NoFaults))));
    let (region, ids) = house.region(1, 30);
    check(&region, &ids[0], 0);
    assert!(house.open_files() > 0);
    house.store.close();
    eventually("all are closed, though somebody holds the region", || house.open_files() == 0);
    drop(region);
}
