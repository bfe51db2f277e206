//! Faults of the store, each a test that fails today.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use raybatch::id::{BatchId, ObjectId};
use raybatch::store::{
    Disk, DiskFile, Eviction, Found, Kind, LocalDisk, NoFaults, Region, Slot, SpillConfig, Store, StoreConfig, TaskLog,
};

struct NoLog;
impl TaskLog for NoLog {
    fn leased(&self, _batch: BatchId, _task: u64, _count: u32) {}
}

/// A disk whose next read, once armed, waits until it is let go on.
#[derive(Default)]
struct Turnstile {
    armed: AtomicBool,
    arrived: Mutex<Option<Sender<()>>>,
    go_on: Mutex<Option<Receiver<()>>>,
    panics: AtomicBool,
    discards: AtomicBool,
    writes: AtomicU64,
}

struct SlowDisk(LocalDisk, Arc<Turnstile>);
struct SlowFile(Box<dyn DiskFile>, Arc<Turnstile>);

impl Disk for SlowDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(SlowFile(self.0.create(path)?, Arc::clone(&self.1))))
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(SlowFile(self.0.open(path)?, Arc::clone(&self.1))))
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.remove(path)
    }
}

impl DiskFile for SlowFile {
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<usize> {
        self.1.writes.fetch_add(1, Ordering::SeqCst);
        if at > 0 && self.1.panics.load(Ordering::SeqCst) {
            panic!("a defect while writing");
        }
        if self.1.discards.load(Ordering::SeqCst) {
            return Ok(bytes.len());
        }
        self.0.write_at(bytes, at)
    }
    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<usize> {
        if self.1.armed.swap(false, Ordering::SeqCst) {
            self.1.arrived.lock().unwrap().as_ref().unwrap().send(()).unwrap();
            self.1.go_on.lock().unwrap().as_ref().unwrap().recv().unwrap();
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

fn open(high_water: u8) -> (Arc<Store>, Arc<Turnstile>, tempfile::TempDir) {
    let parent = tempfile::tempdir().unwrap();
    let turnstile = Arc::new(Turnstile::default());
    let disk = Arc::new(SlowDisk(LocalDisk::new(Arc::new(NoFaults)), Arc::clone(&turnstile)));
    let spill = SpillConfig { directory: parent.path().join("spill"), capacity: None, high_water, normal_mode: false };
    let config = StoreConfig {
        name: "review".into(),
        capacity: 64 << 20,
        path: None,
        warm_reserve: 64 << 20,
        pre_touch: false,
        eviction: Eviction::Batch,
    };
    let store = Store::open_on(&config, Some((&spill, disk)), Arc::new(NoLog), Arc::new(NoFaults)).unwrap();
    (store, turnstile, parent)
}

fn id(region: &Region, slot: Slot) -> ObjectId {
    ObjectId::from_slot(region.batch(), region.base(), slot.slot, slot.index)
}

/// The object of a reserved slot, spilled; a reader is in the middle of reading it from its file when it is freed, made
/// again with other bytes, and spilled again. Returns once the reader may go on.
fn remade_while_read<R: Send + 'static>(
    first: &'static [u8],
    again: &'static [u8],
    read: impl FnOnce(&Arc<Region>, &ObjectId) -> R + Send + 'static,
) -> (std::thread::Result<R>, Arc<Store>, Arc<Region>, ObjectId) {
    let (store, turnstile, parent) = open(1);
    std::mem::forget(parent);
    let region = store.create_region(BatchId(7), None).unwrap();
    let slot = Slot { slot: region.reserve_slots(1).unwrap(), index: 0 };
    let object = id(&region, slot);
    assert_eq!(region.put_at(slot, Kind::Bytes, &first).unwrap(), Found::Here(true));
    assert!(region.spill(&mut |_| {}).unwrap() > 0);

    let (arrive, arrived) = channel();
    let (go, go_on) = channel();
    *turnstile.arrived.lock().unwrap() = Some(arrive);
    *turnstile.go_on.lock().unwrap() = Some(go_on);
    turnstile.armed.store(true, Ordering::SeqCst);
    let reader = {
        let region = Arc::clone(&region);
        std::thread::spawn(move || read(&region, &object))
    };
    arrived.recv().unwrap();
    assert!(matches!(region.free(&object).unwrap(), Found::Here(_)));
    assert_eq!(region.put_at(slot, Kind::Bytes, &again).unwrap(), Found::Here(true));
    assert!(region.spill(&mut |_| {}).unwrap() > 0);
    go.send(()).unwrap();
    (reader.join(), store, region, object)
}

static OLD: [u8; 1000] = [1; 1000];
static SHORTER: [u8; 100] = [2; 100];
static LONGER: [u8; 5000] = [2; 5000];

#[test]
fn a_pin_is_of_one_life_of_the_object() {
    let (pinned, _store, _region, _id) =
        remade_while_read(&OLD, &SHORTER, |region, id| match region.pin(id).unwrap() {
            Found::Here(pin) => pin.data().to_vec(),
            other => panic!("{:?}", other.map(|_| ())),
        });
    let bytes = pinned.unwrap();
    assert!(bytes == OLD || bytes == SHORTER, "{} bytes of {}", bytes.len(), bytes[0]);
}

#[test]
fn a_pin_of_an_object_made_longer_meanwhile_can_be_read() {
    let (pinned, _store, _region, _id) = remade_while_read(&OLD, &LONGER, |region, id| match region.pin(id).unwrap() {
        Found::Here(pin) => pin.data().to_vec(),
        other => panic!("{:?}", other.map(|_| ())),
    });
    let bytes = pinned.unwrap();
    assert!(bytes == OLD || bytes == LONGER);
}

#[test]
fn a_kept_object_has_the_bytes_it_was_made_with() {
    let (moved, store, _region, id) = remade_while_read(&OLD, &SHORTER, |region, id| {
        assert_eq!(region.move_to_table(id, BatchId(3)).unwrap(), Found::Here(()));
    });
    moved.unwrap();
    let mut out = Vec::new();
    assert!(matches!(store.table().get(&id, &mut out).unwrap(), Found::Here(_)));
    assert!(out == OLD || out == SHORTER, "{} bytes of {}", out.len(), out[0]);
}

/// A round of spilling that panics (the thread catches that, and goes on) must not exempt its batch for good.
#[test]
fn a_batch_whose_spilling_panicked_can_be_spilled_later() {
    let (store, turnstile, _parent) = open(80);
    let region = store.create_region(BatchId(7), None).unwrap();
    for _ in 0..1000 {
        region.put(Kind::Bytes, &&[7u8; 64][..]).unwrap();
    }
    turnstile.panics.store(true, Ordering::SeqCst);
    let spilling = Arc::clone(&region);
    assert!(std::thread::spawn(move || spilling.spill(&mut |_| {})).join().is_err());
    turnstile.panics.store(false, Ordering::SeqCst);
    assert!(region.spillable() > 0);
    assert!(region.spill(&mut |_| {}).unwrap() > 0, "never again, and {} bytes are counted", store.spill_stats().files);
}

/// While a chunk is gathered for its file, its region is dropped, and the pages of its index are another batch's bytes.
#[test]
fn the_spiller_survives_any_bytes_in_an_index_that_is_gone() {
    const CRAFTED: usize = 1 << 20;
    let mut x = 88_172_645_463_325_252u64;
    let mut next = || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x
    };
    let mut crafted = Vec::with_capacity(CRAFTED);
    while crafted.len() < CRAFTED {
        let offset = next() % (18 << 20) | 1;
        let word0 = offset << 16 | 1 << 15 | 2;
        crafted.extend_from_slice(&word0.to_le_bytes());
        crafted.extend_from_slice(&(64u64 << 32).to_le_bytes());
    }
    let (store, turnstile, _parent) = open(80);
    turnstile.discards.store(true, Ordering::SeqCst);
    let end = Instant::now() + Duration::from_secs(60);
    let mut rounds = 0u64;
    while Instant::now() < end {
        rounds += 1;
        let region = store.create_region(BatchId(7), None).unwrap();
        for _ in 0..200_000 {
            region.put(Kind::Bytes, &&[7u8; 64][..]).unwrap();
        }
        let before = turnstile.writes.load(Ordering::SeqCst);
        let spilling = Arc::clone(&region);
        let spiller = std::thread::spawn(move || spilling.spill(&mut |_| {}).map(|_| ()).is_ok());
        while turnstile.writes.load(Ordering::SeqCst) < before + 8 + next() % 16 {
            std::hint::spin_loop();
        }
        let until = Instant::now() + Duration::from_micros(next() % 1500);
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        store.drop_region(&region);
        let other = store.create_region(BatchId(8), None).unwrap();
        for _ in 0..18 {
            other.put(Kind::Bytes, &&crafted[..]).unwrap();
        }
        assert!(spiller.join().is_ok(), "the spiller panicked in round {rounds}");
        store.drop_region(&other);
    }
    eprintln!("{rounds} rounds");
}

/// Word `n` of the region's first lease, as another process that maps the arena sees it.
fn lease_word(store: &Store, region: &Region, n: usize) -> &'static AtomicU64 {
    let mapping = Box::leak(Box::new(store.mapping()));
    let (base, len) = mapping.window(0).unwrap();
    let at = region.header().0 as usize + 128 + 8 * n;
    assert!(at + 8 <= len);
    unsafe { &*base.add(at).cast::<AtomicU64>() }
}

/// What a second process would leave behind that is killed in a put: between publishing its entry and counting it, in
/// the order of `Region::publish`.
#[test]
fn a_writer_killed_after_publishing_leaves_a_sealed_object_sealed() {
    let (store, _turnstile, _parent) = open(80);
    let region = store.create_region(BatchId(7), None).unwrap();
    region.put(Kind::Bytes, &&[1u8; 64][..]).unwrap();
    let words: Vec<u64> = (1..10).map(|n| lease_word(&store, &region, n).load(Ordering::SeqCst)).collect();
    let sealed = region.put(Kind::Bytes, &&[2u8; 64][..]).unwrap();
    for (n, word) in words.iter().enumerate() {
        lease_word(&store, &region, n + 1).store(*word, Ordering::SeqCst);
    }
    let next = region.put(Kind::Bytes, &&[3u8; 64][..]).unwrap();
    let mut out = Vec::new();
    region.get_slot(sealed, &mut out).unwrap();
    assert_eq!((out[0], sealed == next), (2, false), "a sealed object changed");
}

/// Killed inside of a lease: it stays busy for good.
#[test]
fn a_writer_killed_in_a_lease_holds_up_nobody() {
    let (store, _turnstile, _parent) = open(80);
    let region = store.create_region(BatchId(7), None).unwrap();
    region.put(Kind::Bytes, &&[1u8; 64][..]).unwrap();
    lease_word(&store, &region, 0).fetch_or(1, Ordering::SeqCst);
    region.put(Kind::Bytes, &&[1u8; 64][..]).unwrap();
    let listing = Arc::clone(&region);
    let (done, listed) = channel();
    std::thread::spawn(move || {
        listing.synchronize();
        let _ = done.send(());
    });
    let waits = listed.recv_timeout(Duration::from_secs(2)).is_err();
    store.drop_region(&region);
    for _ in 0..5 {
        store.sweep();
    }
    assert_eq!(
        (waits, store.wants_sweep(), region.is_drained()),
        (false, false, true),
        "waits, swept for ever, drained"
    );
}
