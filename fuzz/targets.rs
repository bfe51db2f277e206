//! What a fuzzer runs: each target takes any bytes, and panics for a defect only.
//!
//! `cargo +nightly fuzz run TARGET` runs one under libFuzzer; `tests/fuzz.rs` runs all of them, without a fuzzer, over the corpora
//! in `fuzz/corpus` and random variations of those.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use raybatch::batch::{BatchKey, BatchSpec, Client};
use raybatch::config::Config;
use raybatch::error::ErrorCode;
use raybatch::id::{BatchId, ObjectId};
use raybatch::store::{
    Disk, DiskFile, Eviction, Found, Kind, NoFaults, Pin, Region, Slot, SpillConfig, Store, StoreConfig, TaskLog,
    Unsealed,
};

struct NoLog;

impl TaskLog for NoLog {
    fn leased(&self, _batch: BatchId, _task: u64, _count: u32) {}
}

/// Numbers out of the fuzzer's bytes; zeros when they are used up.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn short(&mut self) -> u64 {
        u64::from(self.byte()) << 8 | u64::from(self.byte())
    }

    fn long(&mut self) -> u64 {
        (0..8).fold(0, |n, _| n << 8 | u64::from(self.byte()))
    }

    fn below(&mut self, n: usize) -> usize {
        self.short() as usize % n.max(1)
    }
}

type Files = Arc<Mutex<HashMap<PathBuf, Arc<Mutex<Vec<u8>>>>>>;

/// Files in memory.
#[derive(Clone, Default)]
struct MemoryDisk(Files);

struct MemoryFile(Arc<Mutex<Vec<u8>>>);

impl Disk for MemoryDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = Arc::new(Mutex::new(Vec::new()));
        match self.0.lock().unwrap().insert(path.to_owned(), Arc::clone(&file)) {
            None => Ok(Box::new(MemoryFile(file))),
            Some(_) => Err(io::ErrorKind::AlreadyExists.into()),
        }
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let found = self.0.lock().unwrap().get(path).cloned();
        Ok(Box::new(MemoryFile(found.ok_or(io::ErrorKind::NotFound)?)))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.lock().unwrap().remove(path).map(|_| ()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl DiskFile for MemoryFile {
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<usize> {
        let (mut file, at) = (self.0.lock().unwrap(), at as usize);
        let len = file.len().max(at + bytes.len());
        file.resize(len, 0);
        file[at..at + bytes.len()].copy_from_slice(bytes);
        Ok(bytes.len())
    }

    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<usize> {
        let file = self.0.lock().unwrap();
        let from = file.get(at as usize..).unwrap_or_default();
        let n = from.len().min(bytes.len());
        bytes[..n].copy_from_slice(&from[..n]);
        Ok(n)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.lock().unwrap().resize(len as usize, 0);
        Ok(())
    }

    fn allocate(&self, _at: u64, _len: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn punch(&self, at: u64, len: u64) -> io::Result<()> {
        let mut file = self.0.lock().unwrap();
        let end = file.len().min((at + len) as usize);
        file[(at as usize).min(end)..end].fill(0);
        Ok(())
    }
}

fn open(high_water: u8) -> (Arc<Store>, MemoryDisk, PathBuf) {
    let disk = MemoryDisk::default();
    // the folder is the system's own; its files are not
    let directory = std::env::temp_dir().join("raybatch-fuzz");
    let spill = SpillConfig { directory: directory.clone(), capacity: None, high_water, normal_mode: true };
    let config = StoreConfig {
        name: "fuzz".into(),
        capacity: 4 << 20,
        path: None,
        warm_reserve: 4 << 20,
        pre_touch: false,
        eviction: Eviction::Batch,
    };
    let store =
        Store::open_beside(&config, 0, Some((&spill, Arc::new(disk.clone()))), Arc::new(NoLog), Arc::new(NoFaults));
    (store.expect("a store"), disk, directory)
}

/// The bytes of the nth object.
fn pattern(n: u64, len: usize) -> Vec<u8> {
    (0..len).map(|i| (n * 31 + i as u64 * 7 + i as u64 / 251) as u8).collect()
}

fn id(region: &Region, slot: Slot) -> ObjectId {
    ObjectId::from_slot(region.batch(), region.base(), slot.slot, slot.index)
}

/// What the model knows of an object.
struct Known {
    id: ObjectId,
    bytes: Vec<u8>,
    region: usize,
    /// It was freed or deleted.
    removed: bool,
}

/// Random sequences of a store's operations, compared with a plain list.
pub fn operations(data: &[u8]) {
    const MOST: usize = 200;
    let mut input = Input(data);
    let (store, ..) = open(50 + input.byte() % 50);
    let mut regions: Vec<(Arc<Region>, bool)> = Vec::new();
    let mut all: Vec<Known> = Vec::new();
    let mut pins: Vec<(Pin, Vec<u8>)> = Vec::new();
    let mut writers: Vec<Unsealed> = Vec::new();
    for n in 0..MOST as u64 {
        if input.is_over() {
            break;
        }
        let op = input.byte() % 12;
        if regions.is_empty() || op == 0 {
            match store.create_region(BatchId(1 + n as i64), None) {
                Ok(region) => regions.push((region, true)),
                Err(e) => assert_eq!(e.code(), ErrorCode::StoreFull),
            }
            continue;
        }
        let at = input.below(regions.len());
        let region = Arc::clone(&regions[at].0);
        let lives = regions[at].1;
        let object = input.below(all.len());
        match op {
            1..4 => {
                let len = [input.below(100), input.below(5000), input.below(200_000)][usize::from(op) - 1];
                let bytes = pattern(n, len);
                match region.put(Kind::Bytes, &&bytes[..]) {
                    Ok(slot) => all.push(Known { id: id(&region, slot), bytes, region: at, removed: false }),
                    Err(e) => assert!(!lives || e.code() == ErrorCode::StoreFull, "{e}"),
                }
            }
            4 => {
                let (bytes, metadata) = (pattern(n, input.below(70_000)), pattern(n, input.below(90)));
                if let Ok((slot, writer)) = region.create(bytes.len() as u64, &metadata, Kind::Bytes) {
                    writer.write(0, &&bytes[..]).expect("its own memory");
                    match input.byte() % 3 {
                        0 => drop(writer.abort()),
                        1 => writers.push(writer),
                        _ if writer.seal().is_ok() => {
                            all.push(Known { id: id(&region, slot), bytes, region: at, removed: false });
                        }
                        _ => {}
                    }
                }
            }
            5 => {
                let first = region.reserve_slots(1);
                if let Ok(slot) = first {
                    let (slot, bytes) = (Slot { slot, index: 0 }, pattern(n, input.below(80_000)));
                    if let Ok(Found::Here(true)) = region.put_at(slot, Kind::Bytes, &&bytes[..]) {
                        all.push(Known { id: id(&region, slot), bytes, region: at, removed: false });
                    }
                }
            }
            6 => drop(region.spill(&mut |_| {})),
            7 => {
                let dropped = store.drop_region(&region);
                assert!(lives || dropped.objects == 0);
                regions[at].1 = false;
            }
            8 => drop(pins.pop()),
            _ if all.is_empty() => {}
            9 => {
                let known = &mut all[object];
                let (region, _) = &regions[known.region];
                if let Ok(Found::Here(_)) = region.free(&known.id) {
                    known.removed = true;
                }
            }
            10 => {
                let known = &all[object];
                let (region, lives) = &regions[known.region];
                match region.pin(&known.id) {
                    Ok(Found::Here(pin)) => {
                        assert!(*lives && pin.data().to_vec() == known.bytes);
                        pins.push((pin, known.bytes.clone()));
                    }
                    Ok(_) => assert!(known.removed || !lives),
                    Err(e) => assert_eq!(e.code(), ErrorCode::StoreFull),
                }
            }
            _ => {
                let known = &all[object];
                let (region, lives) = &regions[known.region];
                let mut out = Vec::new();
                match region.get(&known.id, &mut out) {
                    Ok(Found::Here(_)) => assert!(*lives && out == known.bytes),
                    Ok(_) => assert!(known.removed || !lives),
                    Err(e) => panic!("{e}"),
                }
            }
        }
    }
    for (pin, bytes) in pins {
        assert!(pin.data().to_vec() == bytes, "a pinned object changed");
    }
    drop(writers);
    for (region, _) in &regions {
        store.drop_region(region);
    }
    store.audit().expect("the sums add up");
    assert_eq!((store.spill_stats().objects, store.spill_stats().bytes), (0, 0));
    store.close();
}

/// Files that a disk or another program changed: what is read is what was written, or an error says that it is not.
pub fn spill_files(data: &[u8]) {
    let mut input = Input(data);
    let (store, disk, _) = open(if input.byte() & 1 == 0 { 1 } else { 90 });
    let region = store.create_region(BatchId(7), None).expect("an empty store");
    let mut all = Vec::new();
    for n in 0..1 + input.below(30) as u64 {
        let bytes = pattern(n, [40, 3000, 90_000][input.below(3)]);
        let metadata = pattern(n, input.below(3) * 20);
        let Ok((slot, writer)) = region.create(bytes.len() as u64, &metadata, Kind::Bytes) else { break };
        writer.write(0, &&bytes[..]).expect("its own memory");
        writer.seal().expect("it lives");
        all.push((id(&region, slot), bytes, metadata));
    }
    region.spill(&mut |_| {}).expect("a disk that works");
    let files: Vec<_> = disk.0.lock().unwrap().values().cloned().collect();
    for file in &files {
        let mut file = file.lock().unwrap();
        for _ in 0..input.byte() % 16 {
            let at = input.long() as usize % file.len().max(1);
            match (input.byte() % 4, file.get_mut(at)) {
                (0, _) => file.truncate(at),
                (1, _) => {
                    let end = file.len().min(at + 64);
                    file[at..end].fill(input.byte());
                }
                (_, Some(byte)) => *byte ^= input.byte(),
                _ => {}
            }
        }
    }
    for (id, bytes, metadata) in &all {
        for _ in 0..2 {
            match region.pin(id) {
                Ok(Found::Here(pin)) => {
                    assert!(pin.data().to_vec() == *bytes && pin.metadata().to_vec() == *metadata, "{id} changed");
                }
                Ok(other) => panic!("{id}: {:?}", other.map(|_| ())),
                Err(e) => assert!(matches!(e.code(), ErrorCode::SpillCorrupt | ErrorCode::StoreFull), "{e}"),
            }
            let mut out = Vec::new();
            if let Ok(Found::Here(_)) = region.get(id, &mut out) {
                assert!(out == *bytes, "{id} changed");
            }
        }
        if input.byte() & 3 == 0
            && let Ok(Found::Here(())) = region.move_to_table(id, BatchId(3))
        {
            let mut out = Vec::new();
            assert!(matches!(store.table().get(id, &mut out), Ok(Found::Here(_))) && out == *bytes);
            store.table().remove(id);
        }
    }
    store.drop_region(&region);
    store.audit().expect("the sums add up");
    assert_eq!(store.spill_stats().objects, 0);
    store.close();
}

/// Ids and slots as they come from outside: whatever they say, objects that they do not name stay as they are.
pub fn forged_ids(data: &[u8]) {
    let mut input = Input(data);
    let options = [("store.size", "2097152"), ("store.memoryMargin", "0")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    let client = Client::open(&Config::from_pairs(&options).expect("options")).expect("a store");
    let start = || client.start_batch(BatchSpec::default(), "fuzz").expect("starts");
    let (ours, theirs) = (start(), start());
    let put = |key: BatchKey, n: u64| {
        let slot = client.put(key, Kind::Bytes, &&pattern(n, 50)[..]).expect("room");
        (ObjectId::from_slot(key.id, key.life, slot.slot, slot.index), pattern(n, 50))
    };
    let all: Vec<_> = (0..10).map(|n| put(if n % 2 == 0 { ours } else { theirs }, n)).collect();
    let mut views = Vec::new();
    for _ in 0..100 {
        if input.is_over() {
            break;
        }
        let known = all[input.below(all.len())].0;
        let mut forged = known;
        match input.byte() % 6 {
            0 => forged.task = forged.task.wrapping_add(1 << (input.byte() % 64)),
            1 => forged.index = forged.index.wrapping_add(1 << (input.byte() % 32)),
            // an alias of a slot
            2 => {
                let by = u32::from(input.byte());
                forged = ObjectId::new(known.batch, known.task.wrapping_add(by.into()), known.index.wrapping_sub(by));
            }
            3 => forged.batch = BatchId(input.long() as i64),
            4 => forged = ObjectId::new(BatchId(input.long() as i64), input.long(), input.long() as u32),
            _ => forged.task = input.long(),
        }
        if all.iter().any(|(id, _)| *id == forged) {
            continue;
        }
        let key = BatchKey { id: forged.batch, life: input.long() };
        let slot = Slot { slot: input.long() >> (input.byte() % 64), index: input.long() as u32 };
        let mut out = Vec::new();
        match input.byte() % 14 {
            0 => assert!(!matches!(client.get(&forged, &mut out), Ok(Some(_)))),
            1 => assert!(!client.contains(&forged).unwrap_or(false)),
            2 => assert!(!matches!(client.delete(&[forged]), Ok(1..))),
            3 => assert!(!matches!(client.free(&[forged]), Ok(1..))),
            4 => assert!(!matches!(client.read(&forged), Ok(Some(_)))),
            5 => drop(client.transfer(&[forged], Some(key), Some(theirs))),
            6 => drop(client.get_slot(key, slot, &mut out)),
            7 => {
                if let Ok(Some(_)) = client.get_slot(ours, slot, &mut out) {
                    assert!(all.iter().any(|(id, bytes)| id.batch == ours.id && *bytes == out));
                }
            }
            8 => drop(client.scan(ours, slot.slot, 1000)),
            9 => drop(client.hash(&forged)),
            10 => drop((client.seal(&forged), client.abort(&forged))),
            11 => drop((client.resolve(&forged), client.list(Some(key)))),
            12 => {
                client.release_view(input.long());
                drop((client.view(input.long()), client.writer(input.long())));
            }
            _ => {
                if let Ok(Some((view, _))) = client.read(&known) {
                    views.push(view);
                }
            }
        }
    }
    for (id, bytes) in &all {
        let mut out = Vec::new();
        assert!(
            matches!(client.get(id, &mut out), Ok(Some(Kind::Bytes))) && out == *bytes,
            "{id} was changed through another id"
        );
    }
    views.into_iter().for_each(|view| client.release_view(view));
    client.store().audit().expect("the sums add up");
    client.close("fuzz").expect("closes");
}
