//! What it takes to read what lies in files, when there is no room to take it back.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use raybatch::id::{BatchId, ObjectId};
use raybatch::store::{
    Eviction, FaultPoint, Faults, Found, Kind, LocalDisk, NoFaults, Region, SpillConfig, Store, StoreConfig, TaskLog,
};

struct NoLog;

impl TaskLog for NoLog {
    fn leased(&self, _batch: BatchId, _task: u64, _count: u32) {}
}

/// Counts calls that read.
#[derive(Default)]
struct Reads(AtomicU64);

impl Faults for Reads {
    fn check(&self, point: FaultPoint) -> io::Result<()> {
        self.0.fetch_add(u64::from(point == FaultPoint::SpillRead), Ordering::Relaxed);
        Ok(())
    }
}

impl Reads {
    fn during(&self, what: impl FnOnce()) -> u64 {
        let before = self.0.load(Ordering::Relaxed);
        what();
        self.0.load(Ordering::Relaxed) - before
    }
}

/// A store that never takes anything back, with a folder of its own.
fn open(reads: &Arc<Reads>) -> (Arc<Store>, tempfile::TempDir) {
    let parent = tempfile::tempdir().unwrap();
    let config = StoreConfig {
        name: "reads".into(),
        capacity: 64 << 20,
        path: None,
        warm_reserve: 64 << 20,
        pre_touch: false,
        eviction: Eviction::Batch,
    };
    let spill =
        SpillConfig { directory: parent.path().join("spill"), capacity: None, high_water: 1, normal_mode: false };
    let disk = Arc::new(LocalDisk::new(Arc::clone(reads) as Arc<dyn Faults>));
    let store = Store::open_on(&config, Some((&spill, disk)), Arc::new(NoLog), Arc::new(NoFaults)).unwrap();
    (store, parent)
}

fn bytes_of(n: usize) -> Vec<u8> {
    (0..200).map(|i| (n * 31 + i * 7) as u8).collect()
}

const MANY: usize = 40_000;

/// A batch of many small objects, in its file.
fn spilled(store: &Arc<Store>) -> (Arc<Region>, Vec<ObjectId>) {
    let region = store.create_region(BatchId(1), None).unwrap();
    let ids = (0..MANY)
        .map(|n| {
            let slot = region.put(Kind::Bytes, &bytes_of(n).as_slice()).unwrap();
            ObjectId::from_slot(region.batch(), region.base(), slot.slot, slot.index)
        })
        .collect();
    region.spill(&mut |_| {}).unwrap();
    (region, ids)
}

fn check(region: &Region, ids: &[ObjectId], n: usize) {
    let mut out = Vec::new();
    let found = region.get(&ids[n], &mut out).unwrap();
    assert_eq!(found.map(|_| ()), Found::Here(()));
    assert_eq!(out, bytes_of(n), "object {n}");
}

#[test]
fn who_reads_in_order_reads_each_part_of_the_file_once() {
    let reads = Arc::new(Reads::default());
    let (store, _folder) = open(&reads);
    let (region, ids) = spilled(&store);
    let calls = reads.during(|| (0..MANY).for_each(|n| check(&region, &ids, n)));
    assert_eq!(store.spill_stats().served, MANY as u64, "nothing was taken back");
    assert!(calls < MANY as u64 / 20, "{calls} reads for {MANY} objects");
}

#[test]
fn who_reads_here_and_there_reads_no_more_than_asked_for() {
    let reads = Arc::new(Reads::default());
    let (store, _folder) = open(&reads);
    let (region, ids) = spilled(&store);
    // over and over, in no order
    let some: Vec<usize> = (0..2000).map(|n| n * 7919 % MANY).collect();
    let calls = reads.during(|| some.iter().for_each(|n| check(&region, &ids, *n)));
    assert_eq!(calls, 2 * some.len() as u64, "its bytes and its checksum");
}

#[test]
fn several_who_read_at_once_read_what_was_written() {
    let reads = Arc::new(Reads::default());
    let (store, _folder) = open(&reads);
    let (region, ids) = spilled(&store);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (region, ids) = (&region, &ids);
            scope.spawn(move || (0..MANY / 4).for_each(|n| check(region, ids, (thread * 9973 + n * 3) % MANY)));
        }
        // meanwhile other objects go, and with them parts of the file
        scope.spawn(|| {
            let other = store.create_region(BatchId(2), None).unwrap();
            for n in 0..2000 {
                other.put(Kind::Bytes, &bytes_of(n).as_slice()).unwrap();
            }
            other.spill(&mut |_| {}).unwrap();
            store.drop_region(&other);
        });
    });
    store.drop_region(&region);
    store.audit().unwrap();
    assert_eq!(store.spill_stats().files, 0);
}

/// What was read before the file was damaged may be told from memory; what is told is never what was not written.
#[test]
fn a_file_damaged_between_two_reads_never_gives_other_bytes() {
    let reads = Arc::new(Reads::default());
    let (store, folder) = open(&reads);
    let (region, ids) = spilled(&store);
    check(&region, &ids, 0);
    let files = std::fs::read_dir(folder.path().join("spill")).unwrap().flatten();
    let file = files
        .flat_map(|f| std::fs::read_dir(f.path()).unwrap().flatten())
        .map(|f| f.path())
        .find(|path| path.extension().is_some_and(|e| e == "spill"))
        .unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    let half = bytes.len() / 2;
    bytes[half..].fill(0xee);
    std::fs::write(&file, bytes).unwrap();
    let mut damaged = 0;
    for (n, id) in ids.iter().enumerate() {
        let mut out = Vec::new();
        match region.get(id, &mut out) {
            Ok(found) => {
                assert_eq!(found.map(|_| ()), Found::Here(()));
                assert_eq!(out, bytes_of(n), "object {n}");
            }
            Err(e) => {
                assert_eq!(e.code(), raybatch::error::ErrorCode::SpillCorrupt, "{e}");
                damaged += 1;
            }
        }
    }
    assert!((MANY / 4..MANY).contains(&damaged), "{damaged} of {MANY}");
}
