//! The store by itself: regions, the side table, memory.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use raybatch::error::ErrorCode;
use raybatch::id::{BatchId, ObjectId};
use raybatch::store::{
    Budget, Event, EventKind, Eviction, FaultPoint, Found, Kind, NoFaults, NthFault, ObjectState, Region, Removal,
    Store, StoreConfig, TaskLog,
};

struct NoLog;

impl TaskLog for NoLog {
    fn leased(&self, _batch: BatchId, _task: u64, _count: u32) {}
}

fn config(capacity: u64) -> StoreConfig {
    StoreConfig {
        name: "test".into(),
        capacity,
        path: None,
        warm_reserve: capacity,
        pre_touch: false,
        eviction: Eviction::Batch,
    }
}

fn open(capacity: u64) -> Arc<Store> {
    Store::open_with(&config(capacity), Arc::new(NoLog), Arc::new(NoFaults)).unwrap()
}

fn put(region: &Arc<Region>, bytes: &[u8]) -> ObjectId {
    let slot = region.put(Kind::Bytes, &bytes).unwrap();
    ObjectId::from_slot(region.batch(), region.base(), slot.slot, slot.index)
}

fn get(region: &Region, id: &ObjectId) -> Found<Vec<u8>> {
    let mut out = Vec::new();
    region.get(id, &mut out).unwrap().map(|_| out)
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

#[test]
fn what_is_put_is_got_until_the_region_is_dropped() {
    let store = open(256 << 20);
    let region = store.create_region(BatchId(7), None).unwrap();
    let sizes = [0, 1, 7, 8, 64, 1000, 4096, 65_535, 65_536, 65_537, 1 << 20, 9 << 20];
    let ids: Vec<_> = sizes.iter().map(|&n| put(&region, &bytes_of(n as u64, n))).collect();
    for (id, &n) in ids.iter().zip(&sizes) {
        assert_eq!(get(&region, id), Found::Here(bytes_of(n as u64, n)), "{n} bytes");
        let pin = match region.pin(id).unwrap() {
            Found::Here(pin) => pin,
            _ => panic!("not pinned"),
        };
        assert_eq!(pin.data().to_vec(), bytes_of(n as u64, n));
        assert!(pin.metadata().is_empty());
    }
    let usage = region.usage();
    assert_eq!((usage.objects, usage.bytes, usage.pins), (12, sizes.iter().sum::<usize>() as u64, 0));
    store.audit().unwrap();
    let dropped = store.drop_region(&region);
    assert_eq!((dropped.objects, dropped.bytes, dropped.deferred), (12, usage.bytes, 0));
    assert!(ids.iter().all(|id| get(&region, id) == Found::Dropped));
    assert_eq!(store.drop_region(&region).objects, 0, "the second time there is nothing left");
    assert!(region.is_drained());
    store.audit().unwrap();
    assert_eq!(store.stats().used, open(1 << 20).stats().used, "nothing but what an empty store has");
}

#[test]
fn a_million_objects_go_in_some_hundred_runs() {
    let store = open(256 << 20);
    let region = store.create_region(BatchId(1), None).unwrap();
    let mut ids = Vec::new();
    for n in 0..1_000_000u64 {
        let slot = region.put(Kind::Bytes, &&n.to_le_bytes().repeat(8)[..]).unwrap();
        if n % 997 == 0 {
            ids.push((n, ObjectId::from_slot(region.batch(), region.base(), slot.slot, slot.index)));
        }
    }
    for (n, id) in &ids {
        assert_eq!(get(&region, id), Found::Here(n.to_le_bytes().repeat(8)));
    }
    let usage = region.usage();
    let beyond = usage.held as f64 / 1e6 - 64.0;
    assert!(beyond <= 18.0, "{beyond} bytes an object beyond its payload");
    assert_eq!(store.drop_region(&region).objects, 1_000_000);
    store.audit().unwrap();
}

#[test]
fn an_alias_or_a_made_up_id_names_nothing() {
    let store = open(4 << 20);
    let region = store.create_region(BatchId(7), None).unwrap();
    let a = put(&region, b"a");
    let b = put(&region, b"b");
    assert_eq!(get(&region, &b), Found::Here(b"b".to_vec()));
    let alias = ObjectId::new(b.batch, b.task.wrapping_add(1), b.index - 1);
    assert_eq!(get(&region, &alias), Found::Unknown, "the same slot by another name");
    assert_eq!(get(&region, &ObjectId::new(a.batch, a.task, 99)), Found::Absent, "leased, not made yet");
    assert_eq!(get(&region, &ObjectId::new(a.batch, a.task.wrapping_sub(1), 0)), Found::Unknown);
    assert_eq!(get(&region, &ObjectId::new(a.batch, 0, u32::MAX)), Found::Unknown);
}

#[test]
fn an_unsealed_object_is_absent_and_an_aborted_one_gone() {
    let store = open(4 << 20);
    let region = store.create_region(BatchId(7), None).unwrap();
    let (_, writer) = region.create(10, b"meta", Kind::Bytes).unwrap();
    let id = writer.id();
    assert_eq!((get(&region, &id), region.state(&id)), (Found::Absent, Found::Here(ObjectState::Created)));
    assert_eq!(region.seal(&id).unwrap_err().code(), ErrorCode::ObjectInUse);
    assert_eq!(region.delete(&id).unwrap_err().code(), ErrorCode::ObjectNotSealed);
    writer.write(3, &&b"xyz"[..]).unwrap();
    assert_eq!(writer.write(8, &&b"xyz"[..]).unwrap_err().code(), ErrorCode::OutOfBounds);
    writer.seal().unwrap();
    assert_eq!(writer.write(0, &&b"no"[..]).unwrap_err().code(), ErrorCode::ObjectSealed);
    assert_eq!(get(&region, &id), Found::Here(b"\0\0\0xyz\0\0\0\0".to_vec()), "what was not written is zero");
    let Found::Here(pin) = region.pin(&id).unwrap() else { panic!() };
    assert_eq!(pin.metadata().to_vec(), b"meta");
    drop(pin);

    let (_, writer) = region.create(200_000, &[], Kind::Bytes).unwrap();
    let held = region.usage().held;
    writer.abort().unwrap();
    assert_eq!(writer.seal().unwrap_err().code(), ErrorCode::ObjectSealed);
    let id = writer.id();
    drop(writer);
    assert_eq!(get(&region, &id), Found::Deleted);
    assert!(region.usage().held < held - 200_000, "its run went back");

    let (_, writer) = region.create(8, &[], Kind::Bytes).unwrap();
    let id = writer.id();
    drop(writer);
    assert_eq!(get(&region, &id), Found::Absent, "released, not sealed");
    region.seal(&id).unwrap();
    assert_eq!(region.seal(&id).unwrap_err().code(), ErrorCode::ObjectSealed);
    assert_eq!(get(&region, &id), Found::Here(vec![0; 8]));
    store.audit().unwrap();
}

#[test]
fn nobody_sees_an_older_objects_bytes() {
    let store = open(1 << 20);
    for _ in 0..20 {
        let region = store.create_region(BatchId(7), None).unwrap();
        for n in 0..200 {
            put(&region, &bytes_of(n, 1000));
        }
        store.drop_region(&region);
        let region = store.create_region(BatchId(7), None).unwrap();
        let (_, writer) = region.create(100_000, &[], Kind::Bytes).unwrap();
        writer.seal().unwrap();
        assert_eq!(get(&region, &writer.id()), Found::Here(vec![0; 100_000]));
        store.drop_region(&region);
    }
}

#[test]
fn a_deletion_waits_for_the_last_pin() {
    let store = open(4 << 20);
    let region = store.create_region(BatchId(7), None).unwrap();
    let events = store.notifier().subscribe(1, Vec::new);
    let id = put(&region, b"held");
    let Found::Here(first) = region.pin(&id).unwrap() else { panic!() };
    let Found::Here(second) = region.pin(&id).unwrap() else { panic!() };
    assert_eq!(region.delete(&id).unwrap(), Found::Here(Removal::Deferred));
    drop(first);
    assert_eq!(second.data().to_vec(), b"held");
    assert_eq!(region.usage().objects, 1);
    drop(second);
    assert_eq!((get(&region, &id), region.usage().objects), (Found::Deleted, 0));
    let kinds: Vec<_> = events.poll(9).unwrap().iter().map(|e| (e.kind, e.id, e.size)).collect();
    assert_eq!(kinds, [(EventKind::Sealed, id, 4), (EventKind::Deleted, id, 4)]);
}

#[test]
fn a_pin_keeps_its_chunk_when_the_region_goes() {
    let store = open(64 << 20);
    let region = store.create_region(BatchId(7), None).unwrap();
    for n in 0..10_000 {
        put(&region, &bytes_of(n, 100));
    }
    let id = put(&region, &bytes_of(1, 100));
    let large = put(&region, &bytes_of(2, 1 << 20));
    let (Found::Here(pin), Found::Here(large_pin)) = (region.pin(&id).unwrap(), region.pin(&large).unwrap()) else {
        panic!()
    };
    let hold = large_pin.hold();
    drop(large_pin);
    let dropped = store.drop_region(&region);
    assert_eq!((dropped.objects, dropped.deferred), (10_002, 1));
    assert!(!region.is_drained());
    let draining = store.stats().draining;
    assert!(draining > 1 << 20 && draining < 2 << 20, "the pinned chunk and the large run: {draining}");
    store.audit().unwrap();
    let other = store.create_region(BatchId(8), None).unwrap();
    for n in 0..10_000 {
        put(&other, &bytes_of(n + 5, 500));
    }
    assert_eq!(pin.data().to_vec(), bytes_of(1, 100), "its memory was not lent again");
    drop(pin);
    assert!(store.stats().draining >= 1 << 20 && !region.is_drained());
    drop(hold);
    assert!(region.is_drained());
    store.audit().unwrap();
}

#[test]
fn freed_bytes_come_back_when_a_chunk_is_empty() {
    let store = open(64 << 20);
    let region = store.create_region(BatchId(7), None).unwrap();
    let ids: Vec<_> = (0..20_000).map(|n| put(&region, &bytes_of(n, 100))).collect();
    let held = region.usage().held;
    for id in &ids {
        assert_eq!(region.free(id).unwrap(), Found::Here(Removal::Done));
    }
    let after = region.usage();
    assert_eq!((after.objects, after.bytes), (0, 0));
    assert_eq!(after.peak_bytes, 2_000_000);
    assert!(after.held < held / 3, "only the index and the leased chunk are left: {} of {held}", after.held);
    assert!(ids.iter().all(|id| get(&region, id) == Found::Freed));
    store.audit().unwrap();
}

#[test]
fn a_moved_object_survives_its_region_small_or_large_sealed_or_not() {
    let store = open(64 << 20);
    let region = store.create_region(BatchId(7), None).unwrap();
    let owner = BatchId(3);
    let small = put(&region, &bytes_of(1, 100));
    let large = put(&region, &bytes_of(2, 1 << 20));
    let (_, small_writer) = region.create(50, b"m", Kind::Bytes).unwrap();
    let (_, large_writer) = region.create(300_000, &[], Kind::Bytes).unwrap();
    small_writer.write(0, &&bytes_of(3, 20)[..]).unwrap();
    large_writer.write(0, &&bytes_of(4, 300_000)[..]).unwrap();
    for id in [small, large, small_writer.id(), large_writer.id()] {
        assert_eq!(region.move_to_table(&id, owner).unwrap(), Found::Here(()));
        assert_eq!((get(&region, &id), store.table().owner(&id)), (Found::Moved, Some(owner)));
    }
    small_writer.write(20, &&bytes_of(5, 30)[..]).unwrap();
    small_writer.seal().unwrap();
    assert_eq!(store.drop_region(&region).objects, 0);
    large_writer.seal().unwrap();
    let expected = [
        (small, bytes_of(1, 100)),
        (large, bytes_of(2, 1 << 20)),
        (small_writer.id(), [bytes_of(3, 20), bytes_of(5, 30)].concat()),
        (large_writer.id(), bytes_of(4, 300_000)),
    ];
    drop((small_writer, large_writer));
    for (id, bytes) in expected {
        let Found::Here(pin) = store.table().pin(&id).unwrap() else { panic!("{id}") };
        assert_eq!(pin.data().to_vec(), bytes);
        drop(pin);
        assert_eq!(store.table().remove(&id), Found::Here(Removal::Done));
    }
    assert!(region.is_drained());
    store.audit().unwrap();
    assert_eq!(store.stats().live, 0);
}

#[test]
fn a_deleted_object_that_is_held_is_still_there_one_collected_with_its_keeper_is_not() {
    let store = open(4 << 20);
    let table = store.table();
    let [a, b] = [1, 2].map(|n| ObjectId::new(BatchId(9), n, 0));
    for id in [a, b] {
        table.put(id, BatchId(4), Kind::Bytes, &&b"kept"[..]).unwrap();
    }
    let (Found::Here(pin_a), Found::Here(pin_b)) = (table.pin(&a).unwrap(), table.pin(&b).unwrap()) else { panic!() };
    assert_eq!(table.delete(&a).unwrap(), Found::Here(Removal::Deferred));
    assert_eq!(table.remove(&b), Found::Here(Removal::Deferred));
    assert_eq!(table.state(&a), Found::Here(ObjectState::Sealed), "as in Plasma");
    assert!(matches!(table.pin(&b).unwrap(), Found::Absent));
    assert_eq!((table.owner(&b), table.list().len()), (None, 1));
    assert_eq!(pin_b.data().to_vec(), b"kept", "its holder reads on");
    drop((pin_a, pin_b));
    assert_eq!((table.state(&a), table.usage().objects), (Found::Absent, 0));
    store.audit().unwrap();
}

#[test]
fn normal_mode_evicts_what_was_used_longest_ago() {
    let store = open(4 << 20);
    let table = store.table();
    let events = store.notifier().subscribe(1, Vec::new);
    let id = |n: u64| ObjectId::new(BatchId::NORMAL, n, 0);
    for n in 0..100 {
        table.put(id(n), BatchId::NORMAL, Kind::Bytes, &&bytes_of(n, 10_000)[..]).unwrap();
    }
    let mut out = Vec::new();
    table.get(&id(0), &mut out).unwrap();
    let Found::Here(pin) = table.pin(&id(1)).unwrap() else { panic!() };
    assert_eq!(table.evict(25_000), 30_000, "as much as was asked for, never less");
    let gone: Vec<u64> = (0..100).filter(|&n| table.state(&id(n)) == Found::Absent).collect();
    assert_eq!(gone, [2, 3, 4], "0 was read, 1 is pinned");
    for n in 100..1000 {
        table.put(id(n), BatchId::NORMAL, Kind::Bytes, &&bytes_of(n, 10_000)[..]).unwrap();
    }
    assert_eq!(pin.data().to_vec(), bytes_of(1, 10_000));
    assert!(matches!(table.state(&id(999)), Found::Here(_)));
    let evicted = events.poll(usize::MAX).unwrap().iter().filter(|e| e.kind == EventKind::Evicted).count();
    assert_eq!(evicted as u64, store.stats().evicted_objects);
    drop(pin);
    assert!(table.evict(u64::MAX) > 1 << 20);
    assert_eq!(store.stats().live, 0);
    store.audit().unwrap();
}

#[test]
fn a_batch_takes_the_room_of_what_may_be_evicted_and_no_more() {
    let store = open(4 << 20);
    let table = store.table();
    for n in 0..300 {
        table
            .put(ObjectId::new(BatchId::NORMAL, n, 0), BatchId::NORMAL, Kind::Bytes, &&bytes_of(n, 10_000)[..])
            .unwrap();
    }
    table.put(ObjectId::new(BatchId(5), 1, 0), BatchId(4), Kind::Bytes, &&b"kept"[..]).unwrap();
    let region = store.create_region(BatchId(7), None).unwrap();
    let mut ids = Vec::new();
    let full = loop {
        let n = ids.len() as u64;
        match region.put(Kind::Bytes, &&bytes_of(n, 10_000)[..]) {
            Ok(slot) => ids.push(ObjectId::from_slot(region.batch(), region.base(), slot.slot, slot.index)),
            Err(e) => break e,
        }
    };
    assert_eq!(full.code(), ErrorCode::StoreFull);
    assert!(ids.len() > 380, "{}", ids.len());
    assert_eq!(
        (table.usage().objects, store.stats().evicted_objects),
        (1, 300),
        "all of normal mode went, nothing kept"
    );
    for (n, id) in ids.iter().enumerate() {
        assert_eq!(get(&region, id), Found::Here(bytes_of(n as u64, 10_000)), "nothing of a batch was lost");
    }
    store.drop_region(&region);
    store.audit().unwrap();
}

#[test]
fn c18_full_then_one_object_of_the_whole_store() {
    let store = open(8 << 20);
    let region = store.create_region(BatchId(7), None).unwrap();
    let mut ids = Vec::new();
    while let Ok(slot) = region.put(Kind::Bytes, &&bytes_of(1, 3000)[..]) {
        ids.push(ObjectId::from_slot(region.batch(), region.base(), slot.slot, slot.index));
    }
    let live = store.stats().live as f64;
    assert!(store.stats().capacity as f64 <= 1.15 * (live + 16.0 * ids.len() as f64), "{live} of the whole");
    for id in ids.iter().step_by(2) {
        region.delete(id).unwrap();
    }
    store.drop_region(&region);
    let region = store.create_region(BatchId(8), None).unwrap();
    let rest = store.stats().largest_free - 4096;
    assert!(rest > (8 << 20) - 5 * 4096);
    put(&region, &vec![7; rest as usize]);
}

#[test]
fn whole_arena_of_one_size_any_size() {
    for size in [1, 17, 100, 3000, 4097, 9000, 40_000, 65_000, 65_537, 70_000, 200_000, 1_000_000] {
        let store = open(32 << 20);
        let region = store.create_region(BatchId(7), None).unwrap();
        let bytes = bytes_of(1, size);
        let mut n = 0u64;
        while region.put(Kind::Bytes, &&bytes[..]).is_ok() {
            n += 1;
        }
        // padding to 8 is within 16 for any size; the end of the arena is lost to the largest
        let whole = store.stats().capacity as f64;
        let fair = n as f64 * (size as f64 + 16.0);
        let lost_end = if size > 100_000 { size as f64 } else { 0.0 };
        assert!(whole - lost_end <= 1.15 * fair, "{size}: {n} objects, {whole} bytes for {fair}");
    }
}

#[test]
fn budgets_are_exact_and_come_back() {
    let store = open(4 << 20);
    let outer = Budget::new(BatchId(1), "outer", Some(1000), None, None);
    let inner = Budget::new(BatchId(2), "inner", None, Some(3), Some(Arc::clone(&outer)));
    let a = store.create_region(BatchId(1), Some(Arc::clone(&outer))).unwrap();
    let b = store.create_region(BatchId(2), Some(Arc::clone(&inner))).unwrap();
    put(&a, &[0; 500]);
    let x = put(&b, &[0; 400]);
    assert_eq!(b.put(Kind::Bytes, &&[0u8; 101][..]).unwrap_err().code(), ErrorCode::BatchLimit);
    put(&b, &[0; 100]);
    put(&b, &[]);
    assert_eq!(b.put(Kind::Bytes, &&[0u8; 0][..]).unwrap_err().batch_id(), Some(BatchId(2)));
    b.delete(&x).unwrap();
    put(&b, &[0; 300]);
    store.drop_region(&b);
    assert_eq!((outer.used(), inner.used()), ((500, 1), (0, 0)));
}

/// Puts and creations under way when a region is dropped count neither twice nor for ever.
#[test]
fn budgets_are_exact_when_regions_are_dropped_under_their_writers() {
    let store = open(16 << 20);
    let outer = Budget::new(BatchId(1), "outer", Some(1 << 30), None, None);
    for round in 0..400u64 {
        let inner = Budget::new(BatchId(2), "inner", None, Some(1 << 30), Some(Arc::clone(&outer)));
        let region = store.create_region(BatchId(2), Some(Arc::clone(&inner))).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..3u64 {
                let region = &region;
                scope.spawn(move || {
                    for n in 0.. {
                        let made = match (n + thread) % 4 {
                            0 => region.create(100, b"meta", Kind::Bytes).map(|(_, w)| drop(w.seal())),
                            1 => region.create(70_000, &[], Kind::Bytes).map(|(_, w)| drop(w.abort())),
                            _ => region.put(Kind::Bytes, &&[7u8; 50][..]).map(|slot| {
                                let id = ObjectId::from_slot(region.batch(), region.base(), slot.slot, slot.index);
                                if n % 3 == 0 {
                                    let _ = region.delete(&id);
                                }
                            }),
                        };
                        if made.is_err_and(|e| e.code() == ErrorCode::ObjectCollected) {
                            return;
                        }
                    }
                });
            }
            std::thread::sleep(Duration::from_micros(50 * (round % 30)));
            store.drop_region(&region);
        });
        assert_eq!((inner.used(), outer.used()), ((0, 0), (0, 0)), "round {round}");
        assert!(region.is_drained());
    }
    store.audit().unwrap();
}

#[test]
fn every_operation_that_can_fail_fails_once_and_nothing_is_lost() {
    // what fails of files is in tests/spill.rs
    let memory = FaultPoint::ALL.into_iter().filter(|point| !format!("{point:?}").starts_with("Spill"));
    for point in memory {
        for nth in 1..200 {
            let faults = Arc::new(NthFault::new());
            faults.arm(point, nth);
            let mut small = config(48 << 20);
            small.warm_reserve = 0;
            let store = match Store::open_with(&small, Arc::new(NoLog), Arc::clone(&faults) as _) {
                Ok(store) => store,
                Err(e) => {
                    assert_eq!(e.code(), ErrorCode::StoreOpen, "{e}");
                    assert!(e.message().contains("injected"), "{e}");
                    continue;
                }
            };
            let used = store.stats().used;
            let mut made = Vec::new();
            let mut failures = 0;
            let region = (0..2).find_map(|_| match store.create_region(BatchId(7), None) {
                Ok(region) => Some(region),
                Err(e) => {
                    assert_eq!(e.code(), ErrorCode::StoreFull);
                    failures += 1;
                    None
                }
            });
            let region = region.expect("fails once only");
            for n in 0..60u64 {
                let bytes = bytes_of(n, [100, 5000, 300_000, 2_000_000][(n % 4) as usize]);
                match region.put(Kind::Bytes, &&bytes[..]) {
                    Ok(slot) => {
                        let id = ObjectId::from_slot(region.batch(), region.base(), slot.slot, slot.index);
                        made.push((id, bytes));
                    }
                    Err(e) => {
                        assert_eq!(e.code(), ErrorCode::StoreFull, "{e}");
                        failures += 1;
                    }
                }
                if n % 7 == 0 {
                    let id = ObjectId::new(BatchId::NORMAL, n, 0);
                    failures += u64::from(store.table().put(id, BatchId(9), Kind::Bytes, &&b"table"[..]).is_err());
                }
            }
            assert!(failures <= 1, "{point:?} {nth}: {failures} failures");
            for (id, bytes) in &made {
                assert_eq!(get(&region, id), Found::Here(bytes.clone()), "{point:?} {nth}");
            }
            store.audit().unwrap();
            store.drop_region(&region);
            store.trim();
            for n in 0..60 {
                store.table().remove(&ObjectId::new(BatchId::NORMAL, n, 0));
            }
            store.audit().unwrap();
            assert!(store.stats().used <= used + 4096, "{point:?} {nth}");
            if faults.armed(point) {
                assert!(nth > 1, "{point:?} is never reached");
                break;
            }
        }
    }
}

#[test]
fn memory_beyond_the_reserve_goes_back_to_the_system_and_can_be_had_again() {
    let mut config = config(64 << 20);
    config.warm_reserve = 8 << 20;
    let store = Store::open(&config, Arc::new(NoLog)).unwrap();
    for round in 0..3 {
        let region = store.create_region(BatchId(7), None).unwrap();
        let ids: Vec<_> = (0..40).map(|n| put(&region, &bytes_of(n, 1 << 20))).collect();
        assert!(ids.iter().enumerate().all(|(n, id)| get(&region, id) == Found::Here(bytes_of(n as u64, 1 << 20))));
        store.drop_region(&region);
        assert!(store.wants_trim());
        let backed = store.stats().backed;
        let given = store.trim();
        assert_eq!(store.stats().backed, backed - given, "round {round}");
        assert!(store.stats().warm <= 10 << 20 && given >= 28 << 20, "round {round}: {given} given back");
        assert!(!store.wants_trim());
        assert_eq!(store.trim(), 0);
    }
}

#[test]
fn a_named_file_is_private_exclusive_and_removed() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("arena");
    let mut at = config(4 << 20);
    at.path = Some(path.clone());
    let store = Store::open(&at, Arc::new(NoLog)).unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let e = Store::open(&at, Arc::new(NoLog)).err().unwrap();
    assert!(e.code() == ErrorCode::StoreOpen && e.message().contains("another store"), "{e}");
    let region = store.create_region(BatchId(1), None).unwrap();
    let id = put(&region, b"on disk");
    assert_eq!(get(&region, &id), Found::Here(b"on disk".to_vec()));
    drop((store, region));
    assert!(!path.exists());

    std::fs::write(&path, "somebody's letters").unwrap();
    let e = Store::open(&at, Arc::new(NoLog)).err().unwrap();
    assert!(e.message().contains("not overwritten"), "{e}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "somebody's letters");
    std::fs::remove_file(&path).unwrap();

    std::os::unix::fs::symlink(dir.path().join("elsewhere"), &path).unwrap();
    let e = Store::open(&at, Arc::new(NoLog)).err().unwrap();
    assert_eq!(e.code(), ErrorCode::StoreOpen);
    assert!(!dir.path().join("elsewhere").exists(), "never through a link");

    at.path = Some(dir.path().join("large"));
    at.capacity = 1 << 50;
    let e = Store::open(&at, Arc::new(NoLog)).err().unwrap();
    assert!(e.message().contains("bytes are free"), "{e}");
    assert!(!dir.path().join("large").exists());
}

#[test]
fn closing_leaves_pins_readable_as_zeros() {
    let store = open(4 << 20);
    let region = store.create_region(BatchId(7), None).unwrap();
    let id = put(&region, b"data");
    let Found::Here(pin) = region.pin(&id).unwrap() else { panic!() };
    let (_, writer) = region.create(8, &[], Kind::Bytes).unwrap();
    store.close();
    assert_eq!(pin.data().to_vec(), [0; 4]);
    writer.write(0, &&b"12345678"[..]).unwrap();
    assert_eq!(writer.seal().unwrap_err().code(), ErrorCode::ObjectCollected);
    assert_eq!(region.put(Kind::Bytes, &&b"x"[..]).unwrap_err().code(), ErrorCode::ObjectCollected);
}

/// Writers, readers, pinners and deleters in regions that are dropped under their hands, for a bounded count: whatever
/// is read is what was put, and in the end every page is back.
#[test]
fn a_collector_disturbs_nobody() {
    const ROUNDS: u64 = 300;
    let store = open(32 << 20);
    let empty = store.stats().used;
    for round in 0..ROUNDS {
        let region = store.create_region(BatchId(7), None).unwrap();
        let next = AtomicU64::new(0);
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for thread in 0..3u64 {
                let (region, next, stop) = (&region, &next, &stop);
                scope.spawn(move || {
                    let mut mine = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        let n = next.fetch_add(1, Ordering::Relaxed);
                        let len = if n % 50 == 0 { 70_000 } else { (n % 300) as usize };
                        match region.put(Kind::Bytes, &&bytes_of(n, len)[..]) {
                            Ok(slot) => mine.push((n, len, slot)),
                            Err(e) if e.code() == ErrorCode::ObjectCollected => return,
                            Err(e) => {
                                assert_eq!(e.code(), ErrorCode::StoreFull);
                                return;
                            }
                        }
                        let (n, len, slot) = mine[(n as usize * 7) % mine.len()];
                        let id = ObjectId::from_slot(region.batch(), region.base(), slot.slot, slot.index);
                        match get(region, &id) {
                            Found::Here(bytes) => assert!(bytes == bytes_of(n, len), "torn"),
                            Found::Dropped => return,
                            Found::Deleted => {}
                            other => panic!("{other:?}"),
                        }
                        if n % 3 == thread
                            && let Found::Here(pin) = region.pin(&id).unwrap()
                        {
                            assert!(pin.data().to_vec() == bytes_of(n, len), "torn under a pin");
                            if n % 2 == 0 {
                                let _ = region.delete(&id);
                            }
                        }
                    }
                });
            }
            std::thread::sleep(Duration::from_micros(200 * (round % 20)));
            store.drop_region(&region);
            // its memory is used again at once
            let other = store.create_region(BatchId(8), None).unwrap();
            while other.usage().objects < 2000 {
                if other.put(Kind::Bytes, &&[0xee; 256][..]).is_err() {
                    break;
                }
            }
            store.drop_region(&other);
            stop.store(true, Ordering::Relaxed);
        });
        assert!(region.is_drained());
        store.audit().unwrap();
        assert_eq!(store.stats().used, empty, "round {round}");
    }
}

#[test]
fn waiters_are_woken_once_and_late_subscribers_told_all() {
    let store = open(4 << 20);
    let woken = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let log = Arc::clone(&woken);
    store.notifier().set_waker(Box::new(move |token| log.lock().push(token)));
    let region = store.create_region(BatchId(7), None).unwrap();
    let first = put(&region, b"1");
    let (_, writer) = region.create(1, &[], Kind::Bytes).unwrap();
    store.notifier().watch(&[writer.id()], 5);
    store.notifier().watch(&[writer.id()], 6);
    store.notifier().unwatch(6);
    let events = store.notifier().subscribe(9, || region.list());
    writer.seal().unwrap();
    region.delete(&first).unwrap();
    store.notifier().emit(Event::batch(EventKind::BatchEnded, BatchId(7)));
    let told: Vec<_> = events.poll(99).unwrap().iter().map(|e| (e.kind, e.id)).collect();
    let batch = ObjectId::new(BatchId(7), 0, 0);
    assert_eq!(
        told,
        [
            (EventKind::Sealed, first),
            (EventKind::Sealed, writer.id()),
            (EventKind::Deleted, first),
            (EventKind::BatchEnded, batch)
        ]
    );
    store.notifier().unsubscribe(&events);
    assert_eq!(events.poll(1), None);
    let woken = woken.lock().clone();
    assert_eq!(woken.iter().filter(|&&t| t == 5).count(), 1);
    assert!(woken.contains(&9) && !woken.contains(&6));
}
