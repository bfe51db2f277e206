//! Regions that go to files and come back.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use raybatch::error::ErrorCode;
use raybatch::id::{BatchId, ObjectId};
use raybatch::store::{
    Budget, Disk, DiskFile, Eviction, FaultPoint, Faults, Found, Kind, LocalDisk, NoFaults, NthFault, ObjectState, Pin,
    Region, Removal, SpillConfig, Store, StoreConfig, TaskLog,
};

struct NoLog;

impl TaskLog for NoLog {
    fn leased(&self, _batch: BatchId, _task: u64, _count: u32) {}
}

/// A store with a folder of its own for spilling.
struct Spilling {
    store: Arc<Store>,
    parent: tempfile::TempDir,
}

/// What is read is taken back as long as less than 70 % of the arena is lent.
const ROOMY: u8 = 80;
/// There is never room to take anything back.
const SHORT: u8 = 1;

fn config(capacity: u64) -> StoreConfig {
    StoreConfig {
        name: "spill".into(),
        capacity,
        path: None,
        warm_reserve: capacity,
        pre_touch: false,
        eviction: Eviction::Batch,
    }
}

fn open_on(high_water: u8, cap: Option<u64>, faults: Arc<dyn Faults>, disk: Arc<dyn Disk>) -> Spilling {
    let parent = tempfile::tempdir().unwrap();
    let spill = SpillConfig { directory: parent.path().join("spill"), capacity: cap, high_water, normal_mode: false };
    let store = Store::open_on(&config(64 << 20), Some((&spill, disk)), Arc::new(NoLog), faults).unwrap();
    Spilling { store, parent }
}

fn open(high_water: u8) -> Spilling {
    open_on(high_water, None, Arc::new(NoFaults), Arc::new(LocalDisk::new(Arc::new(NoFaults))))
}

impl Spilling {
    fn files(&self) -> Vec<PathBuf> {
        let folders = fs::read_dir(self.parent.path().join("spill")).unwrap().flatten();
        let files = folders.flat_map(|folder| fs::read_dir(folder.path()).unwrap().flatten().map(|f| f.path()));
        files.filter(|path| path.extension().is_some_and(|e| e == "spill")).collect()
    }

    fn region(&self, id: i64) -> Arc<Region> {
        self.store.create_region(BatchId(id), None).unwrap()
    }

    /// Nothing is left of anything.
    fn assert_clean(&self) {
        self.store.audit().unwrap();
        let stats = self.store.spill_stats();
        assert_eq!((stats.objects, stats.bytes, stats.files), (0, 0, 0));
        assert_eq!(self.files(), Vec::<PathBuf>::new());
    }
}

fn spill(region: &Arc<Region>) -> u64 {
    region.spill(&mut |_| {}).unwrap()
}

fn id(region: &Region, slot: raybatch::store::Slot) -> ObjectId {
    ObjectId::from_slot(region.batch(), region.base(), slot.slot, slot.index)
}

fn put(region: &Arc<Region>, bytes: &[u8]) -> ObjectId {
    id(region, region.put(Kind::Bytes, &bytes).unwrap())
}

fn with_metadata(region: &Arc<Region>, bytes: &[u8], metadata: &[u8]) -> ObjectId {
    let (slot, unsealed) = region.create(bytes.len() as u64, metadata, Kind::Longs).unwrap();
    unsealed.write(0, &bytes).unwrap();
    unsealed.seal().unwrap();
    id(region, slot)
}

fn get(region: &Region, id: &ObjectId) -> Found<Vec<u8>> {
    let mut out = Vec::new();
    region.get(id, &mut out).unwrap().map(|_| out)
}

fn pin(region: &Arc<Region>, id: &ObjectId) -> Pin {
    match region.pin(id).unwrap() {
        Found::Here(pin) => pin,
        other => panic!("not pinned: {:?}", other.map(|_| ())),
    }
}

/// Bytes that tell one object from another.
fn bytes_of(seed: u64, len: usize) -> Vec<u8> {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..len)
        .map(|_| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            x as u8
        })
        .collect()
}

const SIZES: [usize; 11] = [0, 1, 7, 8, 64, 1000, 4096, 65_536, 65_537, 1 << 20, 3 << 20];

#[test]
fn c24_what_was_spilled_reads_as_before_served_or_taken_back() {
    for high_water in [ROOMY, SHORT] {
        let s = open(high_water);
        let region = s.region(7);
        let mut all: HashMap<ObjectId, (Vec<u8>, Vec<u8>)> = HashMap::new();
        for round in 0..3u64 {
            for (n, &size) in SIZES.iter().enumerate() {
                let bytes = bytes_of(round * 100 + n as u64, size);
                all.insert(put(&region, &bytes), (bytes.clone(), Vec::new()));
                all.insert(with_metadata(&region, &bytes, b"about it"), (bytes, b"about it".to_vec()));
            }
            let (before, usage) = (s.store.used(), region.usage());
            let freed = spill(&region);
            assert!(freed > 0 && s.store.used() == before - freed, "the runs went back");
            assert_eq!(s.files().len(), 1, "one batch, one file");
            let after = region.usage();
            assert_eq!((after.objects, after.bytes), (usage.objects, usage.bytes), "they are there as before");
            assert!(after.spilled_objects > 0 && after.held < usage.held);
            s.store.audit().unwrap();
            for (id, (bytes, metadata)) in &all {
                assert_eq!(region.state(id), Found::Here(ObjectState::Sealed));
                assert_eq!(region.size(id), Found::Here((bytes.len() + metadata.len()) as u64));
                assert_eq!(get(&region, id), Found::Here(bytes.clone()), "{} bytes", bytes.len());
                let pin = pin(&region, id);
                assert_eq!((pin.data().to_vec(), pin.metadata().to_vec()), (bytes.clone(), metadata.clone()));
            }
            let listed: HashMap<_, _> = region.list().into_iter().map(|o| (o.id, (o.size, o.metadata))).collect();
            assert_eq!(listed.len(), all.len());
            for (id, (bytes, metadata)) in &all {
                assert_eq!(listed[id], (bytes.len() as u64, metadata.len() as u64));
            }
            assert_eq!(region.scan(0, 10_000).unwrap().len(), all.len());
        }
        let stats = s.store.spill_stats();
        assert_eq!(stats.served > 0, high_water == SHORT);
        assert_eq!(stats.restored_objects > 0, high_water == ROOMY);
        let dropped = s.store.drop_region(&region);
        assert_eq!((dropped.objects, dropped.drained), (all.len() as u64, true));
        s.assert_clean();
        assert_eq!(get(&region, all.keys().next().unwrap()), Found::Dropped);
    }
}

#[test]
fn the_file_is_its_owners_alone_and_begins_with_its_header() {
    let s = open(SHORT);
    let region = s.region(7);
    put(&region, &[1; 100]);
    spill(&region);
    let file = &s.files()[0];
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(file.file_name().unwrap().to_str().unwrap().starts_with("batch-7-"), "{}", file.display());
    let bytes = fs::read(file).unwrap();
    assert_eq!((&bytes[..8], &bytes[64..72]), (&b"RAYSPILL"[..], &b"SEGMENT."[..]));
    assert_eq!(u64::from_le_bytes(bytes[16..24].try_into().unwrap()), 7, "the batch");
    assert_eq!(&bytes[128..228], [1; 100]);
    let Spilling { store, parent } = s;
    store.close();
    drop((region, store));
    assert_eq!(fs::read_dir(parent.path().join("spill")).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn c29_what_is_pinned_or_unsealed_stays_until_it_is_not() {
    let s = open(ROOMY);
    let region = s.region(1);
    let large = put(&region, &bytes_of(1, 200_000));
    let (slot, unsealed) = region.create(100_000, &[], Kind::Bytes).unwrap();
    let hold = {
        let pin = pin(&region, &large);
        pin.hold()
    };
    assert_eq!(spill(&region), 0, "held by a buffer; being written");
    drop(hold);
    assert!(spill(&region) > 0);
    assert_eq!(region.usage().spilled_objects, 1);
    unsealed.release().unwrap();
    drop(unsealed);
    assert_eq!(spill(&region), 0, "without a writer, but not sealed");
    region.seal(&id(&region, slot)).unwrap();
    assert!(spill(&region) > 0);
    assert_eq!(get(&region, &id(&region, slot)), Found::Here(vec![0; 100_000]));
    s.store.drop_region(&region);
    s.assert_clean();
}

#[test]
fn c28_a_file_goes_with_the_last_object_in_it() {
    let s = open(SHORT);
    let region = s.region(1);
    let budget = Budget::new(BatchId(2), "", Some(1 << 20), None, None);
    let limited = s.store.create_region(BatchId(2), Some(Arc::clone(&budget))).unwrap();
    for region in [&region, &limited] {
        let ids: Vec<_> = (0..50).map(|n| with_metadata(region, &bytes_of(n, 3000), b"m")).collect();
        assert!(spill(region) > 0);
        let pinned = pin(region, &ids[0]);
        assert_eq!(
            region.delete(&ids[0]).unwrap(),
            Found::Here(Removal::Deferred),
            "a pin of what lies in a file is one"
        );
        for (n, id) in ids.iter().enumerate().skip(1) {
            assert_eq!(s.files().len(), 1);
            let removal = if n.is_multiple_of(2) { region.delete(id) } else { region.free(id) };
            assert_eq!(removal.unwrap(), Found::Here(Removal::Done));
            assert_eq!(get(region, id), if n.is_multiple_of(2) { Found::Deleted } else { Found::Freed });
        }
        assert_eq!(pinned.data().to_vec(), bytes_of(0, 3000));
        drop(pinned);
        assert_eq!(s.files(), Vec::<PathBuf>::new());
        assert_eq!((region.usage().objects, region.usage().bytes), (0, 0));
    }
    assert_eq!(budget.used(), (0, 0));
    s.assert_clean();
}

/// Segments whose objects are all gone give their room back while the file lives: where the folder is capped each at once,
/// elsewhere 16 MiB at a time, when nobody reads.
#[test]
fn objects_that_come_and_go_leave_no_heap_of_files() {
    for (cap, most) in [(Some(1 << 30), 0), (None, 16 << 20)] {
        come_and_go(cap, most);
    }
}

fn come_and_go(cap: Option<u64>, most: u64) {
    let s = open_on(ROOMY, cap, Arc::new(NoFaults), Arc::new(LocalDisk::new(Arc::new(NoFaults))));
    let region = s.region(1);
    let stays = put(&region, &bytes_of(9, 100_000));
    let other = put(&region, &bytes_of(8, 500_000));
    spill(&region);
    assert_eq!(get(&region, &other), Found::Here(bytes_of(8, 500_000)));
    let with_one = s.store.spill_stats().files;
    for _ in 0..100 {
        spill(&region);
        assert_eq!(get(&region, &other), Found::Here(bytes_of(8, 500_000)));
        if cap.is_some() {
            assert_eq!(s.store.spill_stats().files, with_one);
        }
    }
    let deadline = Instant::now() + Duration::from_secs(20);
    while s.store.spill_stats().files > with_one + most {
        assert!(Instant::now() < deadline, "what nobody uses is not given back");
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(get(&region, &stays), Found::Here(bytes_of(9, 100_000)));
    s.assert_clean_of(&region);
}

impl Spilling {
    fn assert_clean_of(&self, region: &Arc<Region>) {
        self.store.drop_region(region);
        self.assert_clean();
    }
}

#[test]
fn a_spilled_object_that_is_kept_lives_on_without_the_file() {
    for high_water in [ROOMY, SHORT] {
        let s = open(high_water);
        let region = s.region(1);
        let ids: Vec<_> = SIZES.iter().map(|&n| with_metadata(&region, &bytes_of(n as u64, n), b"kept")).collect();
        spill(&region);
        for id in &ids {
            assert_eq!(region.move_to_table(id, BatchId(9)).unwrap(), Found::Here(()));
            assert_eq!(get(&region, id), Found::Moved);
        }
        assert_eq!(s.store.drop_region(&region).objects, 0);
        for (id, &n) in ids.iter().zip(&SIZES) {
            let Found::Here(pin) = s.store.table().pin(id).unwrap() else { panic!("{n} bytes are not there") };
            assert_eq!((pin.data().to_vec(), pin.metadata().to_vec()), (bytes_of(n as u64, n), b"kept".to_vec()));
            drop(pin);
            s.store.table().remove(id);
        }
        s.assert_clean();
    }
}

fn damage(file: &Path, at: u64) {
    let file = fs::OpenOptions::new().read(true).write(true).open(file).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x40], at).unwrap();
}

#[test]
fn c30_c43_a_damaged_object_is_an_error_of_that_object_alone() {
    for high_water in [ROOMY, SHORT] {
        let s = open(high_water);
        let region = s.region(7);
        let ids: Vec<_> = (0..10).map(|n| put(&region, &bytes_of(n, 5000))).collect();
        let large = put(&region, &bytes_of(99, 100_000));
        spill(&region);
        let file = s.files()[0].clone();
        // somewhere in the middle of the fourth
        let bytes = fs::read(&file).unwrap();
        let at = bytes.windows(16).position(|w| w == &bytes_of(3, 5000)[..16]).unwrap();
        damage(&file, at as u64 + 2000);
        let mut out = Vec::new();
        let e = region.get(&ids[3], &mut out).unwrap_err();
        assert_eq!((e.code(), e.object_id(), e.batch_id()), (ErrorCode::SpillCorrupt, Some(ids[3]), Some(BatchId(7))));
        assert!(e.message().contains(&file.display().to_string()) && e.message().contains("checksum"), "{e}");
        assert_eq!(region.pin(&ids[3]).err().unwrap().code(), ErrorCode::SpillCorrupt);
        assert_eq!(region.move_to_table(&ids[3], BatchId(9)).unwrap_err().code(), ErrorCode::SpillCorrupt);
        for (n, id) in ids.iter().enumerate().filter(|(n, _)| *n != 3) {
            assert_eq!(get(&region, id), Found::Here(bytes_of(n as u64, 5000)), "{n}");
        }
        assert_eq!(get(&region, &large), Found::Here(bytes_of(99, 100_000)));
        assert!(s.store.spill_stats().errors > 0);
        assert_eq!(region.delete(&ids[3]).unwrap(), Found::Here(Removal::Done), "it can be got rid of");
        s.assert_clean_of(&region);
    }
}

#[test]
fn c30_c43_a_truncated_or_missing_file_is_an_error_at_once() {
    for missing in [false, true] {
        let s = open(ROOMY);
        let region = s.region(7);
        let first = put(&region, &bytes_of(1, 100_000));
        let second = put(&region, &bytes_of(2, 100_000));
        spill(&region);
        let file = s.files()[0].clone();
        if missing {
            fs::remove_file(&file).unwrap();
        } else {
            let file = fs::OpenOptions::new().write(true).open(&file).unwrap();
            file.set_len(64 + 64 + 100_000 + 8 + 64 + 50_000).unwrap();
        }
        let mut out = Vec::new();
        let e = region.get(&second, &mut out).unwrap_err();
        assert_eq!(e.code(), ErrorCode::SpillCorrupt);
        assert!(e.message().contains(if missing { "missing" } else { "truncated" }), "{e}");
        match region.get(&first, &mut out) {
            Ok(_) => assert!(!missing && out == bytes_of(1, 100_000)),
            Err(e) => assert!(missing && e.code() == ErrorCode::SpillCorrupt),
        }
        s.assert_clean_of(&region);
    }
}

#[test]
fn a_full_spill_directory_leaves_the_batch_in_memory() {
    let disk = Arc::new(LocalDisk::new(Arc::new(NoFaults)));
    let s = open_on(SHORT, Some(250_000), Arc::new(NoFaults), disk);
    let region = s.region(1);
    let ids: Vec<_> = (0..5).map(|n| put(&region, &bytes_of(n, 100_000))).collect();
    let e = region.spill(&mut |_| {}).unwrap_err();
    assert!(e.code() == ErrorCode::Io && e.message().contains("cap of 250000"), "{e}");
    assert_eq!(region.usage().spilled_objects, 2, "as much as there was room for");
    assert!(s.store.spill_error().unwrap().contains("cap of 250000"));
    for (n, id) in ids.iter().enumerate() {
        assert_eq!(get(&region, id), Found::Here(bytes_of(n as u64, 100_000)));
    }
    region.free(&ids[0]).unwrap();
    assert!(region.spill(&mut |_| {}).is_err());
    assert_eq!(region.usage().spilled_objects, 2, "room that was given back is used");
    s.assert_clean_of(&region);
}

/// Puts, spills, reads, frees, drops, with one failure somewhere: nothing sealed is lost, all sums hold, no file is left.
#[test]
fn c43_c44_every_call_to_the_system_fails_once_at_the_nth_for_all_n() {
    for high_water in [ROOMY, SHORT] {
        for point in FaultPoint::ALL.into_iter().filter(|p| p.name().starts_with("spill") || *p == FaultPoint::Run) {
            for nth in 1.. {
                let faults = Arc::new(NthFault::new());
                let disk = Arc::new(LocalDisk::new(Arc::clone(&faults) as _));
                let s = open_on(high_water, None, Arc::clone(&faults) as _, disk);
                let region = s.region(1);
                let mut all = Vec::new();
                for n in 0..4 {
                    for size in [100, 5000, 70_000, 300_000] {
                        all.push((with_metadata(&region, &bytes_of(n, size), b"mm"), bytes_of(n, size)));
                    }
                }
                faults.arm(point, nth);
                for round in 0..3 {
                    let _ = region.spill(&mut |_| {});
                    for (id, bytes) in &all {
                        let mut out = Vec::new();
                        match region.get(id, &mut out) {
                            Ok(found) => assert!(found == Found::Here(Kind::Longs) && out == *bytes),
                            Err(e) => assert_eq!(e.code(), ErrorCode::Io, "{} {nth}: {e}", point.name()),
                        }
                        s.store.audit().unwrap();
                    }
                    let (gone, _) = all.swap_remove(round);
                    region.free(&gone).unwrap();
                }
                let unreached = faults.armed(point);
                faults.arm(point, 0);
                for (id, bytes) in &all {
                    assert_eq!(get(&region, id), Found::Here(bytes.clone()), "{} {nth}", point.name());
                }
                s.store.drop_region(&region);
                s.store.audit().unwrap();
                let Spilling { store, parent } = s;
                drop((region, store));
                let left = fs::read_dir(parent.path().join("spill")).unwrap().count();
                assert_eq!(left, 0, "{} {nth}: no file is left", point.name());
                if unreached {
                    break;
                }
            }
        }
    }
}

/// A disk that waits before each write until it is told to go on.
struct SlowDisk {
    disk: LocalDisk,
    stopped: Arc<AtomicBool>,
    waiting: Arc<AtomicU64>,
}

struct SlowFile {
    file: Box<dyn DiskFile>,
    stopped: Arc<AtomicBool>,
    waiting: Arc<AtomicU64>,
}

impl SlowDisk {
    fn slow(&self, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(SlowFile { file, stopped: Arc::clone(&self.stopped), waiting: Arc::clone(&self.waiting) })
    }
}

impl Disk for SlowDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.slow(self.disk.create(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.slow(self.disk.open(path)?))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }
}

impl DiskFile for SlowFile {
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<usize> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        while self.stopped.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        // and never all at once
        self.file.write_at(&bytes[..bytes.len().min(10_000)], at)
    }

    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<usize> {
        let n = bytes.len().min(7000);
        self.file.read_at(&mut bytes[..n], at)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn allocate(&self, at: u64, len: u64) -> io::Result<()> {
        self.file.allocate(at, len)
    }

    fn punch(&self, at: u64, len: u64) -> io::Result<()> {
        self.file.punch(at, len)
    }
}

/// Runs `meanwhile` while a spill of a region is held up in a write.
fn during_a_spill(high_water: u8, meanwhile: impl FnOnce(&Spilling, &Arc<Region>, &[ObjectId])) -> Spilling {
    let (stopped, waiting) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let disk = LocalDisk::new(Arc::new(NoFaults));
    let disk = Arc::new(SlowDisk { disk, stopped: Arc::clone(&stopped), waiting: Arc::clone(&waiting) });
    let s = open_on(high_water, None, Arc::new(NoFaults), disk);
    let region = s.region(1);
    let ids: Vec<_> = (0..4).map(|n| put(&region, &bytes_of(n, 100_000))).collect();
    let before = put(&region, &bytes_of(50, 70_000));
    stopped.store(true, Ordering::SeqCst);
    std::thread::scope(|scope| {
        let spilling = scope.spawn(|| region.spill(&mut |_| {}));
        while waiting.load(Ordering::SeqCst) == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        meanwhile(&s, &region, &ids);
        stopped.store(false, Ordering::SeqCst);
        spilling.join().unwrap().unwrap();
    });
    if !region.is_dropped() {
        assert_eq!(get(&region, &before), Found::Here(bytes_of(50, 70_000)));
    }
    s.store.drop_region(&region);
    s
}

#[test]
fn c29_reads_and_puts_go_on_during_a_spill() {
    let s = during_a_spill(SHORT, |s, region, ids| {
        for (n, id) in ids.iter().enumerate() {
            assert_eq!(get(region, id), Found::Here(bytes_of(n as u64, 100_000)));
        }
        let pins: Vec<_> = ids.iter().map(|id| pin(region, id)).collect();
        put(region, &[7; 1000]);
        put(region, &[7; 100_000]);
        let other = s.region(2);
        put(&other, &[1; 10]);
        s.store.drop_region(&other);
        // pinned: these stay when the write is over
        assert_eq!(pins.len(), 4);
        std::mem::forget(pins);
    });
    // the forgotten pins keep their memory for ever; the file has gone all the same
    assert_eq!(s.files(), Vec::<PathBuf>::new());
}

#[test]
fn c28_a_free_during_a_spill_counts() {
    let s = during_a_spill(SHORT, |_, region, ids| {
        for id in ids {
            assert_eq!(region.free(id).unwrap(), Found::Here(Removal::Done));
        }
        assert_eq!(region.usage().objects, 1);
    });
    s.assert_clean();
}

#[test]
fn an_object_is_kept_during_a_spill() {
    let s = during_a_spill(SHORT, |s, region, ids| {
        for id in ids {
            assert_eq!(region.move_to_table(id, BatchId(9)).unwrap(), Found::Here(()));
            assert!(matches!(s.store.table().pin(id).unwrap(), Found::Here(_)));
        }
    });
    for object in s.store.table().list() {
        let Found::Here(pin) = s.store.table().pin(&object.id).unwrap() else { panic!("there") };
        assert_eq!(pin.data().len(), 100_000);
        drop(pin);
        s.store.table().remove(&object.id);
    }
    s.assert_clean();
}

#[test]
fn a_batch_that_is_collected_during_its_spill_leaves_no_file() {
    let s = during_a_spill(SHORT, |s, region, ids| {
        assert_eq!(s.store.drop_region(region).objects, 5);
        assert_eq!(get(region, &ids[0]), Found::Dropped);
    });
    s.assert_clean();
}

#[test]
fn a_store_is_closed_during_a_spill() {
    let s = during_a_spill(SHORT, |s, region, ids| {
        s.store.close();
        assert_eq!(get(region, &ids[0]), Found::Dropped);
    });
    assert_eq!(s.files(), Vec::<PathBuf>::new());
}

/// Readers without a lock, pins, frees, spills and restores of the same objects, all at once.
#[test]
fn c29_no_torn_read_whatever_goes_on() {
    let s = open_on(20, None, Arc::new(NoFaults), Arc::new(LocalDisk::new(Arc::new(NoFaults))));
    let s = &s;
    for round in 0..6 {
        let region = &s.region(round + 1);
        let ids: Vec<_> = (0..3000u64).map(|n| put(region, &bytes_of(n, 200 + (n % 7) as usize * 400))).collect();
        let (ids, over) = (&ids, &AtomicBool::new(false));
        std::thread::scope(|scope| {
            for reader in 0..2u64 {
                scope.spawn(move || {
                    let mut n = reader * 7;
                    while !over.load(Ordering::Relaxed) {
                        n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                        let at = (n >> 33) as usize % ids.len();
                        let expected = bytes_of(at as u64, 200 + at % 7 * 400);
                        if n & 0x100 == 0 {
                            match get(region, &ids[at]) {
                                Found::Here(bytes) => assert_eq!(bytes, expected, "object {at}"),
                                Found::Freed => assert!(at.is_multiple_of(5)),
                                other => panic!("object {at}: {:?}", other.map(|_| ())),
                            }
                        } else if let Found::Here(pin) = region.pin(&ids[at]).unwrap() {
                            assert_eq!(pin.data().to_vec(), expected, "object {at}");
                        }
                    }
                });
            }
            // memory that is given back is used at once, by somebody else
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let other = s.region(1000);
                    for _ in 0..50 {
                        put(&other, &[0xee; 30_000]);
                    }
                    s.store.drop_region(&other);
                }
            });
            for pass in 0..40 {
                spill(region);
                if pass % 8 == 7 {
                    ids.iter().step_by(5).skip(pass).take(20).for_each(|id| drop(region.free(id)));
                }
            }
            over.store(true, Ordering::Relaxed);
        });
        for (at, id) in ids.iter().enumerate() {
            match get(region, id) {
                Found::Here(bytes) => assert_eq!(bytes, bytes_of(at as u64, 200 + at % 7 * 400)),
                other => assert!(at % 5 == 0 && other == Found::Freed),
            }
        }
        s.store.audit().unwrap();
        s.store.drop_region(region);
    }
    // which of the two is a matter of who comes first
    assert!(s.store.spill_stats().restored_objects + s.store.spill_stats().served > 0);
    s.assert_clean();
}

/// An object of normal mode.
fn normal(n: u64) -> ObjectId {
    ObjectId::new(BatchId(0), n, 0)
}

#[test]
fn c24_objects_of_no_region_go_to_files_and_come_back() {
    for high_water in [ROOMY, SHORT] {
        let s = open(high_water);
        let table = s.store.table();
        let mut all = Vec::new();
        for (n, &size) in SIZES.iter().enumerate() {
            for (m, owner) in [BatchId(0), BatchId(9)].into_iter().enumerate() {
                let id = normal((2 * n + m) as u64);
                let bytes = bytes_of(id.task, size);
                let unsealed = table.create(id, owner, size as u64, b"mm", Kind::Ints).unwrap();
                unsealed.write(0, &&bytes[..]).unwrap();
                unsealed.seal().unwrap();
                all.push((id, bytes));
            }
        }
        let ids: Vec<_> = all.iter().map(|(id, _)| *id).collect();
        let (used, usage) = (s.store.used(), table.usage());
        let held = table.pin(&ids[3]).unwrap();
        let Found::Here(pinned) = held else { panic!("pinned") };
        assert!(table.spill(&ids, &mut |_| {}).unwrap() > 0 && s.store.used() < used);
        assert_eq!((table.usage().objects, table.usage().bytes), (usage.objects, usage.bytes));
        assert_eq!(s.store.spill_stats().objects, ids.len() as u64 - 1, "but the one that is pinned");
        drop(pinned);
        s.store.audit().unwrap();
        assert_eq!(table.evict(1 << 30), 0, "what lies in files takes no memory that eviction could give");
        for (id, bytes) in &all {
            let Found::Here(pin) = table.pin(id).unwrap() else { panic!("there") };
            assert_eq!(
                (pin.data().to_vec(), pin.metadata().to_vec(), pin.kind()),
                (bytes.clone(), b"mm".to_vec(), Kind::Ints)
            );
            let hold = pin.hold();
            drop(pin);
            drop(hold);
        }
        let stats = s.store.spill_stats();
        assert_eq!((stats.served > 0, stats.restored_objects > 0), (high_water == SHORT, high_water == ROOMY));
        assert!(table.spill(&ids, &mut |_| {}).is_ok());
        s.store.audit().unwrap();
        let Found::Here(last) = table.pin(&ids[0]).unwrap() else { panic!("there") };
        for id in &ids {
            let expected = if *id == ids[0] { Removal::Deferred } else { Removal::Done };
            assert_eq!(table.delete(id).unwrap(), Found::Here(expected));
        }
        assert_eq!(last.data().to_vec(), all[0].1);
        drop(last);
        assert_eq!((table.usage().objects, table.usage().held), (0, 0));
        s.assert_clean();
    }
}

#[test]
fn c30_a_damaged_object_of_no_region_is_an_error_of_its_own() {
    let s = open(SHORT);
    let table = s.store.table();
    for n in 0..3 {
        table.put(normal(n), BatchId(0), Kind::Bytes, &&bytes_of(n, 5000)[..]).unwrap();
    }
    table.spill(&[normal(0), normal(1), normal(2)], &mut |_| {}).unwrap();
    let file = s.files()[0].clone();
    let at = fs::read(&file).unwrap().windows(16).position(|w| w == &bytes_of(1, 5000)[..16]).unwrap();
    damage(&file, at as u64 + 7);
    let e = table.pin(&normal(1)).err().unwrap();
    assert!(e.code() == ErrorCode::SpillCorrupt && e.object_id() == Some(normal(1)), "{e}");
    let mut out = Vec::new();
    for n in [0, 2] {
        assert_eq!(table.get(&normal(n), &mut out).unwrap(), Found::Here(Kind::Bytes));
        assert_eq!(out, bytes_of(n, 5000));
    }
    for n in 0..3 {
        assert_eq!(table.delete(&normal(n)).unwrap(), Found::Here(Removal::Done));
    }
    s.assert_clean();
}

#[test]
fn c43_objects_of_no_region_outlive_every_failure() {
    for point in FaultPoint::ALL.into_iter().filter(|p| p.name().starts_with("spill") || *p == FaultPoint::Run) {
        for nth in 1.. {
            let faults = Arc::new(NthFault::new());
            let disk = Arc::new(LocalDisk::new(Arc::clone(&faults) as _));
            let s = open_on(ROOMY, None, Arc::clone(&faults) as _, disk);
            let table = s.store.table();
            let ids: Vec<_> = (0..8).map(normal).collect();
            for id in &ids {
                table.put(*id, BatchId(0), Kind::Bytes, &&bytes_of(id.task, 1000 << id.task)[..]).unwrap();
            }
            faults.arm(point, nth);
            for _ in 0..2 {
                let _ = table.spill(&ids[..4], &mut |_| {});
                let _ = table.spill(&ids[4..], &mut |_| {});
                for id in &ids {
                    let mut out = Vec::new();
                    match table.get(id, &mut out) {
                        Ok(found) => {
                            assert!(found == Found::Here(Kind::Bytes) && out == bytes_of(id.task, 1000 << id.task))
                        }
                        Err(e) => assert_eq!(e.code(), ErrorCode::Io, "{} {nth}: {e}", point.name()),
                    }
                    s.store.audit().unwrap();
                }
            }
            let unreached = faults.armed(point);
            faults.arm(point, 0);
            for id in &ids {
                assert_eq!(table.delete(id).unwrap(), Found::Here(Removal::Done));
            }
            s.store.audit().unwrap();
            assert_eq!(s.store.spill_stats().objects, 0);
            if unreached {
                break;
            }
        }
    }
}
