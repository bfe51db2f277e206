//! The store where several meet: writers, deleters, listeners, collectors. Each test is a defect that was found by reading.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use raybatch::id::{BatchId, ObjectId};
use raybatch::store::{Budget, EventKind, Eviction, Found, Kind, NoFaults, Region, Store, StoreConfig, TaskLog};

struct NoLog;
impl TaskLog for NoLog {
    fn leased(&self, _: BatchId, _: u64, _: u32) {}
}

fn open(capacity: u64) -> Arc<Store> {
    let config = StoreConfig {
        name: "races".into(),
        capacity,
        path: None,
        warm_reserve: capacity,
        pre_touch: false,
        eviction: Eviction::Batch,
    };
    Store::open_with(&config, Arc::new(NoLog), Arc::new(NoFaults)).unwrap()
}

fn put(region: &Arc<Region>, bytes: &[u8]) -> ObjectId {
    let slot = region.put(Kind::Bytes, &bytes).unwrap();
    ObjectId::from_slot(region.batch(), region.base(), slot.slot, slot.index)
}

fn normal(n: u64) -> ObjectId {
    ObjectId::new(BatchId(0), n, 0)
}

/// The memory of an unsealed object of the table, then abort: its cell is somebody else's while the hold lives.
#[test]
fn raw_memory_of_an_aborted_object_is_not_given_to_another() {
    let store = open(16 << 20);
    let w = store.table().create(normal(1), BatchId(0), 64, &[], Kind::Bytes).unwrap();
    let raw = w.raw().unwrap();
    w.abort().unwrap();
    store.table().put(normal(2), BatchId(0), Kind::Bytes, &&[7u8; 64][..]).unwrap();
    // SAFETY: the writer's buffer is still reachable, and writes
    unsafe { std::ptr::write_bytes(raw.ptr, 0xEE, 64) };
    let mut out = Vec::new();
    store.table().get(&normal(2), &mut out).unwrap();
    let torn = out != [7u8; 64];
    std::mem::forget(raw.hold); // the next test is of that
    assert!(!torn, "a sealed object was overwritten through another one's buffer");
}

#[test]
fn the_hold_of_an_aborted_object_does_not_count_on_another() {
    let store = open(16 << 20);
    let w = store.table().create(normal(1), BatchId(0), 64, &[], Kind::Bytes).unwrap();
    let raw = w.raw().unwrap();
    w.abort().unwrap();
    store.table().put(normal(2), BatchId(0), Kind::Bytes, &&[7u8; 64][..]).unwrap();
    let pin = match store.table().pin(&normal(2)).unwrap() {
        Found::Here(pin) => pin,
        _ => panic!(),
    };
    store.table().delete(&normal(2)).unwrap(); // deferred: pinned
    drop(raw.hold); // takes away the pin's hold
    let gone = matches!(store.table().state(&normal(2)), Found::Absent);
    std::mem::forget(pin);
    assert!(!gone, "a pinned object went with a stranger's hold");
}

#[test]
fn the_hold_of_an_aborted_object_does_not_underflow_another() {
    let store = open(16 << 20);
    let w = store.table().create(normal(1), BatchId(0), 64, &[], Kind::Bytes).unwrap();
    let raw = w.raw().unwrap();
    w.abort().unwrap();
    store.table().put(normal(2), BatchId(0), Kind::Bytes, &&[7u8; 64][..]).unwrap();
    drop(raw.hold); // holds 0 - 1
}

/// `list` that is in a lease when its region is dropped disposes of the lease, but not of what it counts.
#[test]
fn a_list_racing_a_drop_leaves_the_budget_exact() {
    let store = open(64 << 20);
    let parent = Budget::new(BatchId(1), "parent", Some(1 << 40), None, None);
    for rounds in 0..300 {
        let budget = Budget::new(BatchId(2), "child", None, None, Some(Arc::clone(&parent)));
        let region = store.create_region(BatchId(2), Some(budget)).unwrap();
        for _ in 0..10 {
            put(&region, &[1; 100]);
        }
        let stop = AtomicBool::new(false);
        let started = AtomicU64::new(0);
        let dropped = std::thread::scope(|s| {
            s.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let _ = region.list();
                    started.fetch_add(1, Ordering::Relaxed);
                }
            });
            while started.load(Ordering::Relaxed) < 2 {
                std::thread::yield_now();
            }
            let dropped = store.drop_region(&region);
            stop.store(true, Ordering::Relaxed);
            dropped
        });
        assert_eq!((parent.used(), dropped.objects), ((0, 0), 10), "round {rounds}");
    }
}

/// An unsealed object whose writer let go has no holder when it moves to the table.
#[test]
fn a_released_unsealed_object_can_be_sealed_after_it_moved() {
    let store = open(16 << 20);
    let region = store.create_region(BatchId(7), None).unwrap();
    let (slot, w) = region.create(100, &[], Kind::Bytes).unwrap();
    let id = ObjectId::from_slot(region.batch(), region.base(), slot.slot, slot.index);
    w.release().unwrap();
    assert_eq!(region.move_to_table(&id, BatchId(8)).unwrap(), Found::Here(()));
    let sealed = store.table().seal(&id);
    let removed = store.table().remove(&id);
    store.drop_region(&region);
    drop(w);
    assert!(sealed.is_ok(), "{sealed:?}; removing it: {removed:?}; table: {:?}", store.table().usage());
}

/// Somebody waits for an unsealed object that is aborted.
#[test]
fn an_abort_wakes_who_waits() {
    let store = open(16 << 20);
    let woken = Arc::new(AtomicU64::new(0));
    let w2 = Arc::clone(&woken);
    store.notifier().set_waker(Box::new(move |_| {
        w2.fetch_add(1, Ordering::SeqCst);
    }));
    let region = store.create_region(BatchId(7), None).unwrap();
    let (slot, w) = region.create(100, &[], Kind::Bytes).unwrap();
    let id = ObjectId::from_slot(region.batch(), region.base(), slot.slot, slot.index);
    store.notifier().watch(&[id], 1);
    w.abort().unwrap();
    let by_region = woken.load(Ordering::SeqCst);
    let w = store.table().create(normal(5), BatchId(0), 64, &[], Kind::Bytes).unwrap();
    store.notifier().watch(&[normal(5)], 2);
    w.abort().unwrap();
    let by_table = woken.load(Ordering::SeqCst) - by_region;
    assert_eq!((by_region, by_table), (1, 1), "woken by the abort in a region, in the table");
}

/// Eviction for a region's header tells subscribers, and wakes them.
#[test]
fn what_is_evicted_for_a_header_is_told_at_once() {
    let store = open(64 << 10); // 16 pages
    let woken = Arc::new(AtomicU64::new(0));
    let w2 = Arc::clone(&woken);
    store.notifier().set_waker(Box::new(move |_| {
        w2.fetch_add(1, Ordering::SeqCst);
    }));
    let mut n = 0;
    let regions: Vec<_> = (1..=32).map(|n| store.create_region(BatchId(n), None).unwrap()).collect();
    while store.stats().used < 64 << 10 {
        n += 1;
        store.table().put(normal(n), BatchId(0), Kind::Bytes, &&[1u8; 4096][..]).unwrap();
        assert!(n < 100);
    }
    let subscription = store.notifier().subscribe(1, Vec::new);
    while !subscription.poll(1000).unwrap().is_empty() {}
    let before = woken.load(Ordering::SeqCst);
    let region = store.create_region(BatchId(99), None).unwrap();
    let evicted = store.stats().evicted_objects;
    let after = woken.load(Ordering::SeqCst);
    let told = subscription.poll(1000).unwrap().iter().any(|e| e.kind == EventKind::Evicted);
    drop((region, regions));
    assert!(evicted > 0 && told, "the premise: {evicted} evicted");
    assert!(after > before, "an event waits and nobody was woken");
}

/// An id of normal mode that is deleted while a subscription begins, and used again.
#[test]
fn a_subscriber_hears_of_the_second_life_of_an_id() {
    let store = open(16 << 20);
    store.table().put(normal(1), BatchId(0), Kind::Bytes, &&[1u8; 8][..]).unwrap();
    let subscription = store.notifier().subscribe(1, || {
        let list = store.table().list();
        // another thread, just after the list was made
        store.table().delete(&normal(1)).unwrap();
        list
    });
    store.table().put(normal(1), BatchId(0), Kind::Bytes, &&[2u8; 8][..]).unwrap();
    let kinds: Vec<_> = subscription.poll(100).unwrap().iter().map(|e| e.kind).collect();
    assert_eq!(kinds, [EventKind::Sealed, EventKind::Deleted, EventKind::Sealed]);
}

/// Events of one object come in the order in which they happened.
#[test]
fn sealed_comes_before_deleted() {
    let store = open(16 << 20);
    let subscription = store.notifier().subscribe(1, Vec::new);
    for n in 0..2000 {
        std::thread::scope(|s| {
            s.spawn(|| store.table().put(normal(n), BatchId(0), Kind::Bytes, &&[1u8; 8][..]).unwrap());
            loop {
                match store.table().delete(&normal(n)) {
                    Ok(Found::Here(_)) => break,
                    _ => std::hint::spin_loop(),
                }
            }
        });
        let kinds: Vec<_> = subscription.poll(100).unwrap().iter().map(|e| e.kind).collect();
        assert_eq!(kinds, [EventKind::Sealed, EventKind::Deleted], "round {n}");
    }
}

/// A put that is refused further out does not refuse another for a moment.
#[test]
fn no_put_fails_while_budget_is_unused() {
    let outer = Budget::new(BatchId(1), "outer", Some(100), None, None);
    let inner = Budget::new(BatchId(2), "inner", Some(100), None, Some(Arc::clone(&outer)));
    outer.reserve(50, 1).unwrap(); // others have half of it
    let stop = AtomicBool::new(false);
    let failures = std::thread::scope(|s| {
        s.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                assert!(inner.reserve(100, 1).is_err(), "never fits: the outer one has 50 left");
            }
        });
        let mut failures = 0u64;
        for _ in 0..200_000 {
            match inner.reserve(10, 1) {
                Ok(()) => inner.release(10, 1),
                Err(_) => failures += 1,
            }
        }
        stop.store(true, Ordering::Relaxed);
        failures
    });
    assert_eq!(failures, 0, "10 of 50 free bytes refused");
}

/// An object that is sealed while the list is made is in the list.
#[test]
fn a_list_has_what_is_sealed_meanwhile() {
    let store = open(64 << 20);
    for round in 0..100 {
        let region = store.create_region(BatchId(7), None).unwrap();
        let writers: Vec<_> = (0..500).map(|_| region.create(8, &[], Kind::Bytes).unwrap().1).collect();
        std::thread::scope(|s| {
            s.spawn(|| writers.iter().for_each(|w| w.seal().unwrap()));
            for _ in 0..20 {
                assert_eq!(region.list().len(), 500, "round {round}");
            }
        });
        store.drop_region(&region);
    }
}

/// A store that closes removes its own file, not another's that has its name since.
#[test]
fn a_close_removes_only_its_own_file() {
    let path = std::env::temp_dir().join(format!("raybatch-arena-{}", std::process::id()));
    let at = || {
        let config = StoreConfig {
            name: "races".into(),
            capacity: 1 << 20,
            path: Some(path.clone()),
            warm_reserve: 0,
            pre_touch: false,
            eviction: Eviction::Batch,
        };
        Store::open_with(&config, Arc::new(NoLog), Arc::new(NoFaults)).unwrap()
    };
    let a = at();
    std::fs::remove_file(&path).unwrap(); // somebody tidies up /tmp
    let b = at();
    a.close();
    let there = path.exists();
    b.close();
    assert!(there, "the file of another store is gone");
}
