//! Objects in slots that were reserved for them, as the results of tasks are.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use raybatch::error::{Error, ErrorCode, Result};
use raybatch::id::{BatchId, ObjectId};
use raybatch::store::{
    Budget, EventKind, Eviction, FaultPoint, Found, Kind, NoFaults, NthFault, ObjectState, Region, Removal, Slab, Slot,
    Source, SpanMut, Store, StoreConfig, TaskLog,
};

const PAGE: u64 = 4096;
/// Slots of an index page.
const SLOTS: u64 = 256;
/// One object of each way of having memory: none, a chunk's, a run of its own.
const SIZES: [usize; 8] = [0, 1, 64, 4097, 65_536, 65_537, 300_000, 3 << 20];

#[derive(Default)]
struct Log(Mutex<Vec<(u64, u32)>>);

impl TaskLog for Log {
    fn leased(&self, _batch: BatchId, task: u64, count: u32) {
        self.0.lock().push((task, count));
    }
}

fn config(capacity: u64) -> StoreConfig {
    StoreConfig {
        name: "place".into(),
        capacity,
        path: None,
        warm_reserve: capacity,
        pre_touch: false,
        eviction: Eviction::Batch,
    }
}

fn open(capacity: u64) -> Arc<Store> {
    Store::open_with(&config(capacity), Arc::new(Log::default()), Arc::new(NoFaults)).unwrap()
}

fn region(store: &Store) -> Arc<Region> {
    store.create_region(BatchId(7), None).unwrap()
}

/// The first of the results of a task whose slots begin there.
fn only(slot: u64) -> Slot {
    Slot { slot, index: 0 }
}

fn id(region: &Region, at: Slot) -> ObjectId {
    ObjectId::from_slot(region.batch(), region.base(), at.slot, at.index)
}

fn put_at(region: &Arc<Region>, at: Slot, bytes: &[u8]) -> Found<bool> {
    region.put_at(at, Kind::Bytes, &bytes).unwrap()
}

fn put(region: &Arc<Region>, bytes: &[u8]) -> Result<Slot> {
    region.put(Kind::Bytes, &bytes)
}

fn get(region: &Region, at: Slot) -> Found<Vec<u8>> {
    let mut out = Vec::new();
    region.get(&id(region, at), &mut out).unwrap().map(|_| out)
}

fn bytes_of(seed: u64, len: usize) -> Vec<u8> {
    (0..len as u64).map(|n| (n.wrapping_mul(seed | 1) >> 3) as u8 ^ seed as u8).collect()
}

/// Fills all memory there is.
fn fill_up(store: &Store) -> Arc<Region> {
    let filler = store.create_region(BatchId(99), None).unwrap();
    for size in [1 << 20, 70_000, PAGE as usize, 64] {
        while put(&filler, &vec![0; size]).is_ok() {}
    }
    assert_eq!(store.stats().largest_free, 0);
    filler
}

/// A source that fails, or panics.
struct Bad {
    len: usize,
    panics: bool,
}

impl Source for Bad {
    fn len(&self) -> usize {
        self.len
    }

    fn copy_to(&self, target: &SpanMut<'_>) -> Result<()> {
        target.write(0, &[0xee]);
        assert!(!self.panics, "as ordered");
        Err(Error::new(ErrorCode::InvalidArgument, "as ordered"))
    }
}

#[test]
fn a_reserved_slot_is_empty_until_its_object_is_there_and_that_stays() {
    let store = open(64 << 20);
    let region = region(&store);
    let first = region.reserve_slots(SIZES.len() as u64).unwrap();
    let at = |n: usize| Slot { slot: first + n as u64, index: n as u32 };
    for (n, &size) in SIZES.iter().enumerate() {
        assert_eq!((get(&region, at(n)), region.state(&id(&region, at(n)))), (Found::Absent, Found::Absent));
        let bytes = bytes_of(n as u64, size);
        assert_eq!(region.put_at(at(n), Kind::Ints, &&bytes[..]).unwrap(), Found::Here(true), "{size} bytes");
        assert_eq!(put_at(&region, at(n), b"another"), Found::Here(false), "the first value stays");
        let alias = Slot { slot: at(n).slot, index: n as u32 + 1 };
        assert_eq!(put_at(&region, alias, b"another"), Found::Unknown, "the same slot by another name");
        let Found::Here(pin) = region.pin(&id(&region, at(n))).unwrap() else { panic!("not pinned") };
        assert_eq!((pin.kind(), pin.data().to_vec()), (Kind::Ints, bytes));
    }
    for (n, &size) in SIZES.iter().enumerate() {
        assert_eq!(get(&region, at(n)), Found::Here(bytes_of(n as u64, size)), "{size} bytes");
    }
    let listed: Vec<_> = region.list().iter().map(|o| (o.id, o.size, o.state)).collect();
    let expected = SIZES.iter().enumerate().map(|(n, &s)| (id(&region, at(n)), s as u64, ObjectState::Sealed));
    assert_eq!(listed, expected.collect::<Vec<_>>());
    let usage = region.usage();
    assert_eq!((usage.objects, usage.bytes, usage.pins), (8, SIZES.iter().sum::<usize>() as u64, 0));
    assert_eq!((store.stats().objects, store.stats().live), (8, usage.bytes));
    store.audit().unwrap();
    let dropped = store.drop_region(&region);
    assert_eq!((dropped.objects, dropped.bytes, dropped.drained), (8, usage.bytes, true));
    store.audit().unwrap();
}

#[test]
fn slots_are_reserved_in_whole_pages_one_after_the_other_and_no_put_takes_them() {
    let log = Arc::new(Log::default());
    let store = Store::open_with(&config(64 << 20), Arc::clone(&log) as _, Arc::new(NoFaults)).unwrap();
    let region = region(&store);
    assert_eq!(region.reserve_slots(1).unwrap(), 0);
    let by_put = put(&region, b"by put").unwrap();
    assert_eq!(by_put.slot, SLOTS);
    assert_eq!(log.0.lock().len(), 1, "the log is told of what was leased only");
    // beyond the pages that the header names, and over two runs of the directory
    let many = 2000 * SLOTS;
    let first = region.reserve_slots(many - 1).unwrap();
    assert_eq!((first, region.slots()), (2 * SLOTS, 2 * SLOTS + many));
    assert_eq!(region.reserve_slots(0).unwrap(), first + many, "at least a page");
    for slot in [0, SLOTS - 1, first, first + 16 * SLOTS, first + many - 1, first + many + 7] {
        assert_eq!(put_at(&region, only(slot), &slot.to_le_bytes()), Found::Here(true), "slot {slot}");
    }
    for slot in [0, SLOTS - 1, first, first + 16 * SLOTS, first + many - 1, first + many + 7] {
        assert_eq!(get(&region, only(slot)), Found::Here(slot.to_le_bytes().to_vec()), "slot {slot}");
    }
    for n in 0..2000u64 {
        assert!(put(&region, &n.to_le_bytes()).is_ok());
    }
    assert_eq!(get(&region, by_put), Found::Here(b"by put".to_vec()));
    assert_eq!(region.usage().objects, 2007);
    let leased = log.0.lock().iter().map(|&(_, count)| u64::from(count)).sum::<u64>();
    assert_eq!(leased + many + 2 * SLOTS, region.slots());
    store.audit().unwrap();
    let e = region.reserve_slots(u64::MAX).unwrap_err();
    assert_eq!(e.code(), ErrorCode::StoreFull, "{e}");
    store.drop_region(&region);
    assert_eq!(region.reserve_slots(1).unwrap_err().code(), ErrorCode::ObjectCollected);
    store.audit().unwrap();
}

/// Free memory in pieces of one page each serves for consecutive slots as well.
#[test]
fn slots_are_reserved_in_scattered_memory_or_not_at_all() {
    let store = open(4 << 20);
    let region = region(&store);
    let holes: Vec<_> = (0..50).map(|_| put(&region, &[1; 70_000]).unwrap()).collect();
    let filler = fill_up(&store);
    for at in holes.iter().step_by(2) {
        region.free(&id(&region, *at)).unwrap();
    }
    let before = (region.slots(), store.stats().used);
    let free = store.stats().capacity - before.1;
    let e = region.reserve_slots(free / PAGE * SLOTS + 1).unwrap_err();
    assert_eq!((e.code(), region.slots(), store.stats().used), (ErrorCode::StoreFull, before.0, before.1));
    let count = free / PAGE / 2 * SLOTS;
    assert!(free / 2 > store.stats().largest_free, "the premise: it does not fit into one run");
    let first = region.reserve_slots(count).unwrap();
    for slot in first..first + count {
        assert_eq!(put_at(&region, only(slot), &[]), Found::Here(true));
    }
    assert_eq!(region.list().len() as u64, count + 25);
    store.audit().unwrap();
    store.drop_region(&region);
    store.drop_region(&filler);
    store.audit().unwrap();
}

#[test]
fn what_is_no_free_slot_stays_as_it_is() {
    let store = open(16 << 20);
    let region = region(&store);
    let first = region.reserve_slots(9).unwrap();
    let [moved, deleted] = [only(first), only(first + 1)];
    for at in [moved, deleted] {
        put_at(&region, at, b"value");
    }
    region.move_to_table(&id(&region, moved), BatchId(8)).unwrap();
    region.delete(&id(&region, deleted)).unwrap();
    let (unsealed, writer) = region.create(5, &[], Kind::Bytes).unwrap();
    let (aborted, other) = region.create(5, &[], Kind::Bytes).unwrap();
    other.abort().unwrap();
    let usage = || (region.usage().objects, region.usage().bytes, region.usage().pins);
    let before = usage();
    for (at, found) in [
        (moved, Found::Moved),
        (deleted, Found::Deleted),
        (aborted, Found::Deleted),
        (unsealed, Found::Here(false)),
        (only(region.slots()), Found::Unknown),
        (only(u64::MAX), Found::Unknown),
        (only(aborted.slot + 1), Found::Unknown),
    ] {
        for size in SIZES {
            assert_eq!(put_at(&region, at, &bytes_of(1, size)), found, "{size} bytes in {at:?}");
        }
    }
    assert_eq!(usage(), before);
    writer.seal().unwrap();
    assert_eq!(put(&region, b"next").unwrap().slot, aborted.slot + 1, "a lease fills its own slots");
    store.audit().unwrap();
    store.drop_region(&region);
    for size in SIZES {
        assert_eq!(put_at(&region, only(first + 2), &bytes_of(1, size)), Found::Dropped);
    }
    store.table().remove(&id(&region, moved));
    store.audit().unwrap();
}

#[test]
fn a_source_that_fails_or_panics_leaves_nothing() {
    let store = open(16 << 20);
    let budget = Budget::new(BatchId(7), "", Some(8 << 20), None, None);
    let region = store.create_region(BatchId(7), Some(Arc::clone(&budget))).unwrap();
    let first = region.reserve_slots(1).unwrap();
    for len in [1, 65_536, 65_537, 1 << 20] {
        let e = region.put_at(only(first), Kind::Bytes, &Bad { len, panics: false }).unwrap_err();
        assert_eq!(e.code(), ErrorCode::InvalidArgument);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _ = region.put_at(only(first), Kind::Bytes, &Bad { len, panics: true });
        }));
        assert!(panicked.is_err());
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _ = region.put(Kind::Bytes, &Bad { len, panics: true });
        }));
        assert!(panicked.is_err() && len > 65_536 || region.usage().objects == 0, "{len} bytes");
    }
    assert_eq!(get(&region, only(first)), Found::Absent);
    let left = region.usage();
    assert_eq!(budget.used(), (left.bytes, left.objects), "what a panic left unsealed counts until its batch goes");
    assert_eq!(put_at(&region, only(first), b"well"), Found::Here(true));
    store.drop_region(&region);
    assert_eq!(budget.used(), (0, 0));
    store.audit().unwrap();
}

#[test]
fn what_was_freed_is_filled_again_with_other_bytes_as_often_as_one_likes() {
    let store = open(32 << 20);
    let region = region(&store);
    let events = store.notifier().subscribe(1, Vec::new);
    let at = Slot { slot: region.reserve_slots(4).unwrap() + 3, index: 3 };
    let id = id(&region, at);
    let mut told = Vec::new();
    for life in 0..300u64 {
        let bytes = bytes_of(life, SIZES[(life % 7) as usize]);
        assert_eq!(put_at(&region, at, &bytes), Found::Here(true), "life {life}");
        assert_eq!(put_at(&region, at, b"another"), Found::Here(false), "life {life}");
        assert_eq!(get(&region, at), Found::Here(bytes.clone()), "life {life}");
        assert_eq!(region.size(&id), Found::Here(bytes.len() as u64));
        assert_eq!(region.scan(0, 9), Some(vec![(at, bytes.len() as u64)]));
        let Found::Here(pin) = region.pin(&id).unwrap() else { panic!("not pinned") };
        assert_eq!(region.free(&id).unwrap(), Found::Here(Removal::Deferred));
        assert_eq!(put_at(&region, at, b"another"), Found::Here(false), "it is there as long as somebody holds it");
        assert_eq!(pin.data().to_vec(), bytes);
        drop(pin);
        assert_eq!(get(&region, at), Found::Freed);
        let usage = region.usage();
        assert_eq!((usage.objects, usage.bytes), (0, 0));
        told.extend([(EventKind::Sealed, id, bytes.len() as u64), (EventKind::Deleted, id, bytes.len() as u64)]);
    }
    assert_eq!(events.poll(9999).unwrap().iter().map(|e| (e.kind, e.id, e.size)).collect::<Vec<_>>(), told);
    // freed for good, and moved, after more than one life
    assert_eq!(put_at(&region, at, b"last"), Found::Here(true));
    region.move_to_table(&id, BatchId(8)).unwrap();
    assert_eq!(put_at(&region, at, b"another"), Found::Moved);
    let mut out = Vec::new();
    assert!(matches!(store.table().get(&id, &mut out).unwrap(), Found::Here(_)) && out == b"last");
    store.table().remove(&id);
    store.drop_region(&region);
    store.audit().unwrap();
}

/// What a put made, and was freed, may be made again too: no lease will fill its slot.
#[test]
fn what_a_put_made_is_filled_again_when_it_was_freed() {
    let store = open(16 << 20);
    let region = region(&store);
    for size in SIZES {
        let at = put(&region, &bytes_of(1, size)).unwrap();
        region.free(&id(&region, at)).unwrap();
        assert_eq!(put_at(&region, at, &bytes_of(2, size)), Found::Here(true));
        assert_eq!(get(&region, at), Found::Here(bytes_of(2, size)));
    }
    assert_eq!(store.drop_region(&region).objects, 8);
    store.audit().unwrap();
}

#[test]
fn an_object_of_no_bytes_needs_no_memory() {
    let store = open(1 << 20);
    let region = region(&store);
    let first = region.reserve_slots(9).unwrap();
    let filler = fill_up(&store);
    assert_eq!(region.put_at(only(first), Kind::Null, &&[][..]).unwrap(), Found::Here(true));
    for size in [1, 65_536, 65_537] {
        let e = region.put_at(only(first + 1), Kind::Bytes, &&bytes_of(1, size)[..]).unwrap_err();
        assert_eq!(e.code(), ErrorCode::StoreFull, "{e}");
    }
    let mut out = vec![1];
    assert_eq!(region.get_slot(only(first), &mut out).unwrap(), Found::Here(Kind::Null));
    assert!(out.is_empty());
    assert_eq!(region.reserve_slots(1).unwrap_err().code(), ErrorCode::StoreFull);
    store.audit().unwrap();
    store.drop_region(&filler);
    assert_eq!(put_at(&region, only(first + 1), &bytes_of(1, 65_537)), Found::Here(true));
    store.drop_region(&region);
    store.audit().unwrap();
}

#[test]
fn a_budget_is_charged_for_what_is_made_and_not_for_what_is_there() {
    let store = open(16 << 20);
    let outer = Budget::new(BatchId(1), "outer", Some(100_000), None, None);
    let inner = Budget::new(BatchId(7), "", None, Some(3), Some(Arc::clone(&outer)));
    let region = store.create_region(BatchId(7), Some(Arc::clone(&inner))).unwrap();
    let first = region.reserve_slots(9).unwrap();
    let at = |n| only(first + n);
    assert_eq!(put_at(&region, at(0), &[1; 60_000]), Found::Here(true));
    for size in [40_001, 70_000] {
        let e = region.put_at(at(1), Kind::Bytes, &&vec![1; size][..]).unwrap_err();
        assert_eq!((e.code(), e.batch_id()), (ErrorCode::BatchLimit, Some(BatchId(1))), "{e}");
    }
    assert_eq!(put_at(&region, at(1), &[2; 40_000]), Found::Here(true));
    assert_eq!(put_at(&region, at(0), &[3; 70_000]), Found::Here(false), "it is there: no limit is asked");
    assert_eq!(put_at(&region, at(2), &[]), Found::Here(true));
    assert_eq!(region.put_at(at(3), Kind::Null, &&[][..]).unwrap_err().batch_id(), Some(BatchId(7)));
    assert_eq!((outer.used(), inner.used()), ((100_000, 3), (100_000, 3)));
    region.free(&id(&region, at(0))).unwrap();
    assert_eq!(outer.used(), (40_000, 2));
    assert_eq!(put_at(&region, at(0), &[4; 60_000]), Found::Here(true), "again");
    region.delete(&id(&region, at(1))).unwrap();
    assert_eq!(outer.used(), (60_000, 2));
    assert_eq!(put_at(&region, at(1), &[4; 10]), Found::Deleted);
    assert_eq!(outer.used(), (60_000, 2));
    store.drop_region(&region);
    assert_eq!((outer.used(), inner.used()), ((0, 0), (0, 0)));
    assert_eq!(put_at(&region, at(3), &[4; 10]), Found::Dropped);
    assert_eq!((outer.used(), inner.used()), ((0, 0), (0, 0)));
}

#[test]
fn a_chunk_is_given_back_when_all_in_it_left_however_they_came() {
    let store = open(64 << 20);
    let region = region(&store);
    let first = region.reserve_slots(20_000).unwrap();
    let mut all = Vec::new();
    for n in 0..20_000 {
        assert_eq!(put_at(&region, only(first + n), &bytes_of(n, 100)), Found::Here(true));
        all.push(only(first + n));
        if n % 3 == 0 {
            all.push(put(&region, &bytes_of(n, 100)).unwrap());
        }
        if n % 1000 == 0 {
            all.push(put(&region, &[]).unwrap());
            assert_eq!(put_at(&region, Slot { slot: first + n, index: 0 }, &[]), Found::Here(false));
        }
    }
    let held = region.usage().held;
    for at in &all {
        assert_eq!(region.free(&id(&region, *at)).unwrap(), Found::Here(Removal::Done));
    }
    let after = region.usage();
    assert_eq!((after.objects, after.bytes), (0, 0));
    assert!(after.held < held / 3, "only the index and the leased chunk are left: {} of {held}", after.held);
    store.audit().unwrap();
    // and the last one when the lessee goes on
    let at = |n| only(first + n);
    for n in 0..50 {
        assert_eq!(put_at(&region, at(n), &[1; 60_000]), Found::Here(true));
        region.free(&id(&region, at(n))).unwrap();
    }
    assert!(region.usage().held <= after.held + (1 << 20));
    store.drop_region(&region);
    store.audit().unwrap();
}

#[test]
fn who_waits_for_a_reserved_object_is_woken() {
    const ROUNDS: u64 = 2000;
    let store = open(16 << 20);
    let woken = Arc::new(AtomicU64::new(0));
    let last = Arc::clone(&woken);
    store.notifier().set_waker(Box::new(move |token| last.store(token, Ordering::SeqCst)));
    let region = region(&store);
    let first = region.reserve_slots(ROUNDS).unwrap();
    for round in 1..=ROUNDS {
        let at = only(first + round % 50);
        if round > 50 {
            region.free(&id(&region, at)).unwrap();
        }
        std::thread::scope(|scope| {
            scope.spawn(|| assert_eq!(put_at(&region, at, &round.to_le_bytes()), Found::Here(true)));
            store.notifier().watch(&[id(&region, at)], round);
            // whoever registers and looks again misses nothing
            if matches!(region.state(&id(&region, at)), Found::Here(_)) {
                store.notifier().unwatch(round);
                return;
            }
            let begun = Instant::now();
            while woken.load(Ordering::SeqCst) != round {
                assert!(begun.elapsed().as_secs() < 20, "round {round}: nobody woke it");
                std::thread::yield_now();
            }
        });
        assert_eq!(get(&region, at), Found::Here(round.to_le_bytes().to_vec()));
    }
}

/// Of two that fill one slot, while a third drops the region, one does at most; and all sums are right.
#[test]
fn two_fill_a_slot_while_a_third_drops_the_region() {
    const ROUNDS: u64 = 600;
    let store = open(16 << 20);
    let used = store.stats().used;
    let outer = Budget::new(BatchId(1), "outer", Some(1 << 30), None, None);
    let mut in_time = 0;
    for round in 0..ROUNDS {
        let inner = Budget::new(BatchId(7), "", None, None, Some(Arc::clone(&outer)));
        let region = store.create_region(BatchId(7), Some(Arc::clone(&inner))).unwrap();
        let first = region.reserve_slots(4).unwrap();
        let made = AtomicU64::new(0);
        let start = std::sync::Barrier::new(3);
        let dropped = std::thread::scope(|scope| {
            for thread in 0..2u64 {
                let (region, made, start) = (&region, &made, &start);
                scope.spawn(move || {
                    start.wait();
                    for n in 0..4 {
                        let bytes = bytes_of(thread, [0, 64, 5000, 70_000][(round % 4) as usize]);
                        match put_at(region, only(first + n), &bytes) {
                            Found::Here(true) => {
                                made.fetch_add(1, Ordering::SeqCst);
                            }
                            Found::Here(false) | Found::Dropped => {}
                            other => panic!("{other:?}"),
                        }
                    }
                });
            }
            start.wait();
            for _ in 0..round % 64 * 20 {
                std::hint::spin_loop();
            }
            store.drop_region(&region)
        });
        in_time += dropped.objects;
        assert_eq!(dropped.objects, made.load(Ordering::SeqCst), "round {round}");
        assert_eq!((inner.used(), outer.used()), ((0, 0), (0, 0)), "round {round}");
        store.sweep();
        assert!(region.is_drained(), "round {round}");
        store.audit().unwrap();
    }
    assert!(in_time > 0 && in_time < 4 * ROUNDS, "the premise: {in_time} of {} came in time", 4 * ROUNDS);
    assert!(store.stats().used <= used + 64 * PAGE, "but for leases");
}

/// A slot is freed and filled again and again, each time at the same place, which others used meanwhile; whoever reads it
/// reads one life's bytes.
#[test]
fn a_reader_never_sees_two_lives_of_an_object() {
    const LIVES: u64 = 5000;
    let store = open(4 << 20);
    let region = region(&store);
    let at = only(region.reserve_slots(1).unwrap());
    let (stop, read) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    match get(&region, at) {
                        Found::Here(bytes) => {
                            assert!(matches!(bytes.len(), 66_000 | 67_000), "torn length {}", bytes.len());
                            assert!(bytes[0] != 0xff && bytes.iter().all(|b| *b == bytes[0]), "torn");
                            read.fetch_add(1, Ordering::Relaxed);
                        }
                        Found::Absent | Found::Freed => {}
                        other => panic!("{other:?}"),
                    }
                }
            });
        }
        for life in 0..LIVES {
            let bytes = [(life % 200) as u8; 67_000];
            assert_eq!(put_at(&region, at, &bytes[..66_000 + (life % 2 * 1000) as usize]), Found::Here(true));
            if life % 16 == 0 {
                let (before, begun) = (read.load(Ordering::Relaxed), Instant::now());
                while read.load(Ordering::Relaxed) == before && begun.elapsed().as_secs() < 10 {
                    std::thread::yield_now();
                }
            }
            region.free(&id(&region, at)).unwrap();
            let other = store.create_region(BatchId(8), None).unwrap();
            put(&other, &[0xff; 67_000]).unwrap();
            store.drop_region(&other);
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(read.load(Ordering::Relaxed) >= LIVES / 16);
    store.audit().unwrap();
}

#[test]
fn the_side_table_fills_what_is_not_there_and_leaves_what_is() {
    let store = open(1 << 20);
    let (table, id) = (store.table(), ObjectId::new(BatchId(7), 5, 0));
    let refill = |bytes: &[u8]| table.refill(id, BatchId(8), Kind::Bytes, &bytes);
    assert!(refill(b"first").unwrap());
    assert!(!refill(b"second").unwrap());
    assert!(!refill(&[0; 2 << 20]).unwrap(), "what is there needs no memory");
    let mut out = Vec::new();
    assert!(matches!(table.get(&id, &mut out).unwrap(), Found::Here(_)) && out == b"first");
    assert_eq!(table.put(id, BatchId(8), Kind::Bytes, &&b"x"[..]).unwrap_err().code(), ErrorCode::ObjectExists);
    table.free(&id).unwrap();
    assert_eq!(refill(&[0; 2 << 20]).unwrap_err().code(), ErrorCode::StoreFull);
    assert!(table.refill(id, BatchId(8), Kind::Bytes, &Bad { len: 9, panics: false }).is_err());
    assert!(refill(b"third").unwrap(), "freed, and filled again");
    assert_eq!((table.owner(&id), table.usage().objects), (Some(BatchId(8)), 1));
    let unsealed = ObjectId::new(BatchId(7), 6, 0);
    let writer = table.create(unsealed, BatchId(8), 3, &[], Kind::Bytes).unwrap();
    assert!(!table.refill(unsealed, BatchId(8), Kind::Bytes, &&b"x"[..]).unwrap(), "on its way");
    drop(writer);
    store.audit().unwrap();
}

#[test]
fn every_allocation_fails_once_and_nothing_is_lost() {
    for point in FaultPoint::ALL {
        for nth in 1..300 {
            let faults = Arc::new(NthFault::new());
            faults.arm(point, nth);
            let mut small = config(48 << 20);
            small.warm_reserve = 0;
            let store = match Store::open_with(&small, Arc::new(Log::default()), Arc::clone(&faults) as _) {
                Ok(store) => store,
                Err(e) => {
                    assert_eq!(e.code(), ErrorCode::StoreOpen, "{e}");
                    continue;
                }
            };
            let used = store.stats().used;
            let mut failures = 0;
            let budget = Budget::new(BatchId(7), "", Some(1 << 30), None, None);
            let region = twice(&mut failures, || store.create_region(BatchId(7), Some(Arc::clone(&budget))), || {});
            let mut slab = Slab::new(&store);
            let mut made = Vec::new();
            for n in 0..30u64 {
                let slots = region.slots();
                let reserve = || region.reserve_slots(1 + n * 256);
                let first = twice(&mut failures, reserve, || assert_eq!(region.slots(), slots));
                for size in [0, 100, 5000, 300_000] {
                    let bytes = bytes_of(n, size);
                    let at = only(first + size as u64 % 255);
                    for life in 0..2 {
                        if life > 0 {
                            region.free(&id(&region, at)).unwrap();
                        }
                        let before = (region.usage().bytes, region.usage().objects);
                        let fill = || region.put_at(at, Kind::Bytes, &&bytes[..]);
                        let found = twice(&mut failures, fill, || {
                            assert_eq!((region.usage().bytes, region.usage().objects), before);
                            assert_eq!(budget.used(), before);
                        });
                        assert_eq!(found, Found::Here(true), "{point:?} {nth}");
                    }
                    made.push((at, bytes));
                }
                let key = ObjectId::new(BatchId::NORMAL, n, 0);
                let refill = || store.table().refill(key, BatchId(9), Kind::Bytes, &&b"table"[..]);
                assert!(twice(&mut failures, refill, || {}));
                for _ in 0..n {
                    let pages = slab.bytes();
                    let page = match slab.add_page() {
                        Ok(page) => page,
                        Err(e) => {
                            assert_eq!((e.code(), slab.bytes()), (ErrorCode::StoreFull, pages));
                            failures += 1;
                            slab.add_page().unwrap()
                        }
                    };
                    assert_eq!(slab.record(page, 0)[0].fetch_add(n + 1, Ordering::Relaxed), 0);
                }
            }
            assert!(failures <= 1, "{point:?} {nth}: {failures} failures");
            for (at, bytes) in &made {
                assert_eq!(get(&region, *at), Found::Here(bytes.clone()), "{point:?} {nth}");
            }
            let usage = region.usage();
            assert_eq!((usage.objects, budget.used()), (120, (usage.bytes, 120)));
            store.audit().unwrap();
            store.drop_region(&region);
            drop(slab);
            store.trim();
            for n in 0..30 {
                store.table().remove(&ObjectId::new(BatchId::NORMAL, n, 0));
            }
            store.audit().unwrap();
            assert_eq!((store.stats().used, budget.used()), (used, (0, 0)), "{point:?} {nth}");
            if faults.armed(point) {
                break;
            }
        }
    }
}

/// Does it again when it failed, once `check` found that nothing had changed.
fn twice<T>(failures: &mut u64, act: impl Fn() -> Result<T>, check: impl Fn()) -> T {
    match act() {
        Ok(done) => done,
        Err(e) => {
            assert_eq!(e.code(), ErrorCode::StoreFull, "{e}");
            *failures += 1;
            check();
            act().unwrap()
        }
    }
}
