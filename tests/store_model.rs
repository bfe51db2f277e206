//! Random sequences of all that makes and takes objects of one region, beside a model that is a map.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use raybatch::error::ErrorCode;
use raybatch::id::{BatchId, ObjectId};
use raybatch::store::{
    Budget, Eviction, Found, Kind, Pin, Region, Removal, Slot, Store, StoreConfig, TaskLog, Unsealed,
};

const BATCH: BatchId = BatchId(7);
const KEEPER: BatchId = BatchId(8);
/// Bytes a region may have.
const MOST: u64 = 1_200_000;
/// Slots of the block that are used.
const USED: u64 = 12;

struct NoLog;

impl TaskLog for NoLog {
    fn leased(&self, _batch: BatchId, _task: u64, _count: u32) {}
}

#[derive(Clone, Debug)]
enum Op {
    PutAt { n: u64, size: usize },
    Put { size: usize },
    Create { size: usize },
    Finish { seal: bool },
    Free { n: usize },
    Delete { n: usize },
    Move { n: usize },
    Pin { n: usize },
    Unpin { n: usize },
    Reserve,
    Drop,
}

fn sizes() -> impl Strategy<Value = usize> {
    prop_oneof![Just(0), 1usize..200, 1usize..200, 3000usize..9000, 65_530usize..65_545, 100_000usize..400_000]
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        10 => (0..USED, sizes()).prop_map(|(n, size)| Op::PutAt { n, size }),
        4 => sizes().prop_map(|size| Op::Put { size }),
        2 => sizes().prop_map(|size| Op::Create { size }),
        2 => any::<bool>().prop_map(|seal| Op::Finish { seal }),
        8 => any::<usize>().prop_map(|n| Op::Free { n }),
        1 => any::<usize>().prop_map(|n| Op::Delete { n }),
        1 => any::<usize>().prop_map(|n| Op::Move { n }),
        2 => any::<usize>().prop_map(|n| Op::Pin { n }),
        2 => any::<usize>().prop_map(|n| Op::Unpin { n }),
        1 => Just(Op::Reserve),
        1 => Just(Op::Drop),
    ];
    prop::collection::vec(op, 1..150)
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Gone {
    Freed,
    Deleted,
    Moved,
}

struct Object {
    bytes: Vec<u8>,
    sealed: bool,
    pins: usize,
    /// what becomes of it with its last pin
    then: Option<Gone>,
    gone: Option<Gone>,
}

impl Object {
    fn is_there(&self) -> bool {
        self.gone.is_none()
    }
}

struct World {
    store: Arc<Store>,
    region: Arc<Region>,
    budget: Arc<Budget>,
    reserved: u64,
    /// (slot, index) → what is to be there
    objects: BTreeMap<(u64, u32), Object>,
    pins: Vec<((u64, u32), Pin)>,
    writers: Vec<((u64, u32), Unsealed)>,
    /// bytes that moved to the side table and count still
    moved: Vec<(ObjectId, Vec<u8>)>,
    peak: u64,
    lives: u64,
    empty: u64,
}

impl World {
    fn new() -> World {
        let config = StoreConfig {
            name: "model".into(),
            capacity: 32 << 20,
            path: None,
            warm_reserve: 32 << 20,
            pre_touch: false,
            eviction: Eviction::Batch,
        };
        let store = Store::open(&config, Arc::new(NoLog)).unwrap();
        let empty = store.stats().used;
        let (region, budget) = World::region(&store);
        let reserved = region.reserve_slots(USED).unwrap();
        World {
            store,
            region,
            budget,
            reserved,
            objects: BTreeMap::new(),
            pins: Vec::new(),
            writers: Vec::new(),
            moved: Vec::new(),
            peak: 0,
            lives: 0,
            empty,
        }
    }

    fn region(store: &Store) -> (Arc<Region>, Arc<Budget>) {
        let budget = Budget::new(BATCH, "", Some(MOST), Some(30), None);
        (store.create_region(BATCH, Some(Arc::clone(&budget))).unwrap(), budget)
    }

    fn id(&self, key: (u64, u32)) -> ObjectId {
        ObjectId::from_slot(BATCH, self.region.base(), key.0, key.1)
    }

    fn fill(&mut self, size: usize) -> Vec<u8> {
        self.lives += 1;
        (0..size).map(|n| (n as u64 * 31 + self.lives) as u8).collect()
    }

    fn usage(&self) -> (u64, u64) {
        let there = || self.objects.values().filter(|o| o.is_there());
        (there().count() as u64, there().map(|o| o.bytes.len() as u64).sum())
    }

    /// True if the region has room for one more.
    fn fits(&self, size: usize) -> bool {
        let (objects, bytes) = self.usage();
        objects < 30 && (size == 0 || bytes + size as u64 <= MOST)
    }

    fn made(&mut self, key: (u64, u32), bytes: Vec<u8>, sealed: bool) {
        self.objects.insert(key, Object { bytes, sealed, pins: 0, then: None, gone: None });
    }

    /// One that is there, sealed.
    fn pick(&self, n: usize) -> Option<(u64, u32)> {
        let there: Vec<_> = self.objects.iter().filter(|(_, o)| o.is_there() && o.sealed).map(|(k, _)| *k).collect();
        (!there.is_empty()).then(|| there[n % there.len()])
    }

    fn take_away(&mut self, key: (u64, u32), then: Gone) {
        let id = self.id(key);
        let removal = if then == Gone::Freed { self.region.free(&id) } else { self.region.delete(&id) };
        let object = self.objects.get_mut(&key).unwrap();
        if object.pins == 0 {
            assert_eq!(removal.unwrap(), Found::Here(Removal::Done));
            object.gone = Some(then);
        } else {
            assert_eq!(removal.unwrap(), Found::Here(Removal::Deferred));
            if object.then != Some(Gone::Deleted) {
                object.then = Some(then);
            }
        }
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::PutAt { n, size } => {
                let (slot, index) = (self.reserved + n, n as u32);
                let bytes = self.fill(size);
                let expected = match self.objects.get(&(slot, index)).map(|o| o.gone) {
                    None | Some(Some(Gone::Freed)) if !self.fits(size) => Err(ErrorCode::BatchLimit),
                    None | Some(Some(Gone::Freed)) => Ok(Found::Here(true)),
                    Some(None) => Ok(Found::Here(false)),
                    Some(Some(Gone::Deleted)) => Ok(Found::Deleted),
                    Some(Some(Gone::Moved)) => Ok(Found::Moved),
                };
                let found = self.region.put_at(Slot { slot, index }, Kind::Bytes, &&bytes[..]);
                assert_eq!(found.map_err(|e| e.code()), expected);
                if expected == Ok(Found::Here(true)) {
                    self.made((slot, index), bytes, true);
                }
            }
            Op::Put { size } => {
                let (bytes, fits) = (self.fill(size), self.fits(size));
                match self.region.put(Kind::Bytes, &&bytes[..]) {
                    Ok(at) if fits => self.made((at.slot, at.index), bytes, true),
                    other => assert_eq!(other.map_err(|e| e.code()), Err(ErrorCode::BatchLimit)),
                }
            }
            Op::Create { size } => {
                let fits = self.fits(size);
                match self.region.create(size as u64, &[], Kind::Bytes) {
                    Ok((at, writer)) if fits => {
                        let bytes = self.fill(size);
                        writer.write(0, &&bytes[..]).unwrap();
                        self.made((at.slot, at.index), bytes, false);
                        self.writers.push(((at.slot, at.index), writer));
                    }
                    Ok(_) => panic!("over the limit"),
                    Err(e) => assert_eq!((e.code(), fits), (ErrorCode::BatchLimit, false)),
                }
            }
            Op::Finish { seal } => {
                let Some((key, writer)) = self.writers.pop() else { return };
                let object = self.objects.get_mut(&key).unwrap();
                if seal {
                    writer.seal().unwrap();
                    object.sealed = true;
                } else {
                    writer.abort().unwrap();
                    object.gone = Some(Gone::Deleted);
                }
            }
            Op::Free { n } => {
                if let Some(key) = self.pick(n) {
                    self.take_away(key, Gone::Freed);
                }
            }
            Op::Delete { n } => {
                if let Some(key) = self.pick(n) {
                    self.take_away(key, Gone::Deleted);
                }
            }
            Op::Move { n } => {
                let Some(key) = self.pick(n) else { return };
                let id = self.id(key);
                let object = self.objects.get_mut(&key).unwrap();
                if object.then.is_some() {
                    assert_eq!(self.region.move_to_table(&id, KEEPER).unwrap(), Found::Deleted);
                    return;
                }
                assert_eq!(self.region.move_to_table(&id, KEEPER).unwrap(), Found::Here(()));
                object.gone = Some(Gone::Moved);
                self.budget.release(object.bytes.len() as u64, 1);
                self.moved.push((id, object.bytes.clone()));
            }
            Op::Pin { n } => {
                let Some(key) = self.pick(n) else { return };
                let Ok(Found::Here(pin)) = self.region.pin(&self.id(key)) else { panic!("not pinned") };
                self.objects.get_mut(&key).unwrap().pins += 1;
                self.pins.push((key, pin));
            }
            Op::Unpin { n } => {
                if self.pins.is_empty() {
                    return;
                }
                let (key, pin) = self.pins.swap_remove(n % self.pins.len());
                let object = self.objects.get_mut(&key).unwrap();
                assert!(pin.data().to_vec() == object.bytes, "under a pin");
                drop(pin);
                object.pins -= 1;
                if object.pins == 0 && object.is_there() {
                    object.gone = object.then;
                }
            }
            Op::Reserve => {
                self.reserved = self.region.reserve_slots(USED).unwrap();
            }
            Op::Drop => self.renew(),
        }
    }

    fn renew(&mut self) {
        let (objects, bytes) = self.usage();
        let dropped = self.store.drop_region(&self.region);
        assert_eq!((dropped.objects, dropped.bytes), (objects, bytes));
        assert_eq!(self.budget.used(), (0, 0));
        let key = Slot { slot: self.reserved, index: 0 };
        assert_eq!(self.region.put_at(key, Kind::Bytes, &&b"late"[..]).unwrap(), Found::Dropped);
        self.store.audit().unwrap();
        let old = Arc::clone(&self.region);
        self.pins.clear();
        self.writers.clear();
        assert!(old.is_drained());
        for (id, bytes) in self.moved.drain(..) {
            let mut out = Vec::new();
            assert!(matches!(self.store.table().get(&id, &mut out).unwrap(), Found::Here(_)) && out == bytes);
            self.store.table().remove(&id);
        }
        assert_eq!(self.store.stats().used, self.empty, "every page is back");
        (self.region, self.budget) = World::region(&self.store);
        self.reserved = self.region.reserve_slots(USED).unwrap();
        self.objects.clear();
        self.peak = 0;
    }

    fn check(&mut self) {
        let (objects, bytes) = self.usage();
        self.peak = self.peak.max(bytes);
        let usage = self.region.usage();
        assert_eq!((usage.objects, usage.bytes, usage.peak_bytes), (objects, bytes, self.peak));
        assert_eq!(usage.pins, (self.pins.len() + self.writers.len()) as u64);
        assert_eq!(self.budget.used(), (bytes, objects));
        assert_eq!(self.store.stats().live, bytes + self.store.table().usage().bytes);
        self.store.audit().unwrap();
        for (key, object) in &self.objects {
            let mut out = Vec::new();
            let found = self.region.get(&self.id(*key), &mut out).unwrap().map(|_| ());
            let expected = match object.gone {
                None if object.sealed => Found::Here(()),
                None => Found::Absent,
                Some(Gone::Freed) => Found::Freed,
                Some(Gone::Deleted) => Found::Deleted,
                Some(Gone::Moved) => Found::Moved,
            };
            assert_eq!(found, expected, "{key:?}");
            assert!(found != Found::Here(()) || out == object.bytes, "{key:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_region_does_what_the_model_does(ops in ops()) {
        let mut world = World::new();
        for op in ops {
            world.apply(op);
            world.check();
        }
        world.renew();
    }
}
