//! Records in slabs: what the table of tasks stands on.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use raybatch::error::ErrorCode;
use raybatch::id::{BatchId, ObjectId};
use raybatch::store::{EventKind, Eviction, Kind, Slab, Store, StoreConfig, TaskLog};

const PAGE: u64 = 4096;

struct NoLog;

impl TaskLog for NoLog {
    fn leased(&self, _batch: BatchId, _task: u64, _count: u32) {}
}

fn open(capacity: u64) -> Arc<Store> {
    let config = StoreConfig {
        name: "slab".into(),
        capacity,
        path: None,
        warm_reserve: capacity,
        pre_touch: false,
        eviction: Eviction::Batch,
    };
    Store::open(&config, Arc::new(NoLog)).unwrap()
}

#[test]
fn a_slab_grows_by_pages_of_zeroed_records_and_goes_at_once() {
    let store = open(64 << 20);
    let empty = store.stats().used;
    // memory that others wrote to
    let dirty = store.create_region(BatchId(9), None).unwrap();
    while dirty.put(Kind::Bytes, &&[0xee; 1 << 20][..]).is_ok() {}
    store.drop_region(&dirty);
    let mut slab = Slab::new(&store);
    assert_eq!((slab.bytes(), store.stats().used), (0, empty));
    let mut most = 0;
    for n in 0..3000u32 {
        assert_eq!(slab.add_page().unwrap(), n, "numbered from 0");
        most = most.max(slab.bytes() - u64::from(n) * PAGE);
        for r in 0..Slab::RECORDS {
            let record = slab.record(n, r);
            assert!(record.iter().all(|word| word.load(Ordering::Relaxed) == 0), "record {r} of page {n}");
            record.iter().zip(0..).for_each(|(w, i)| w.store(u64::from(n * 100 + r) << 8 | i, Ordering::Relaxed));
        }
    }
    assert!(most <= 1 << 20, "no more than a run is unused: {most}");
    let records: HashSet<_> = (0..3000)
        .flat_map(|n| (0..Slab::RECORDS).map(move |r| (n, r)))
        .map(|(n, r)| {
            let record = slab.record(n, r);
            assert!(record.iter().zip(0..).all(|(w, i)| w.load(Ordering::Relaxed) == u64::from(n * 100 + r) << 8 | i));
            std::ptr::from_ref(record) as usize
        })
        .collect();
    assert_eq!(records.len(), 3000 * 32, "each has its own memory");
    store.audit().unwrap();
    let stats = store.stats();
    assert_eq!((stats.used - empty, stats.live), (slab.bytes(), 0));
    assert_eq!(stats.leased, stats.used);
    let mut other = Slab::new(&store);
    other.add_page().unwrap();
    drop(slab);
    assert_eq!(store.stats().used, empty + PAGE);
    store.audit().unwrap();
    drop(other);
    assert_eq!(store.stats().used, empty);
    store.audit().unwrap();
}

#[test]
fn a_slab_takes_what_pages_there_are_evicts_what_may_be_and_says_when_there_are_none() {
    let store = open(1 << 20);
    let events = store.notifier().subscribe(1, Vec::new);
    for n in 0..10 {
        let id = ObjectId::new(BatchId::NORMAL, n, 0);
        store.table().put(id, BatchId::NORMAL, Kind::Bytes, &&vec![1; 65_537][..]).unwrap();
    }
    let mut slab = Slab::new(&store);
    let e = loop {
        if let Err(e) = slab.add_page() {
            break e;
        }
    };
    assert_eq!(e.code(), ErrorCode::StoreFull, "{e}");
    assert_eq!((store.stats().evicted_objects, store.stats().largest_free), (10, 0));
    let told = events.poll(99).unwrap();
    assert_eq!(told.iter().filter(|e| e.kind == EventKind::Evicted).count(), 10);
    slab.record(0, 31)[15].store(1, Ordering::Relaxed);
    store.audit().unwrap();
    drop(slab);
    store.audit().unwrap();
}

#[test]
fn a_slab_of_a_closed_store_reads_as_zero() {
    let store = open(4 << 20);
    let mut slab = Slab::new(&store);
    slab.add_page().unwrap();
    slab.record(0, 3)[5].store(7, Ordering::Relaxed);
    store.close();
    assert_eq!(slab.record(0, 3)[5].load(Ordering::Relaxed), 0);
    slab.record(0, 3)[5].store(7, Ordering::Relaxed);
    drop(slab);
    store.audit().unwrap();
    let mut slab = Slab::new(&store);
    drop(store);
    let _ = slab.add_page();
    drop(slab);
}

#[test]
#[should_panic(expected = "record 32")]
fn there_are_32_records_in_a_page() {
    let store = open(1 << 20);
    let mut slab = Slab::new(&store);
    slab.add_page().unwrap();
    slab.add_page().unwrap();
    let _ = slab.record(0, 32);
}
