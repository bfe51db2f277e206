//! What a store leaves of the system's memory to other programs.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod batch_support;
mod store_support;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use batch_support::config as options;
use raybatch::batch::Client;
use raybatch::error::{Error, ErrorCode};
use raybatch::id::BatchId;
use raybatch::store::{FaultPoint, Faults, Kind, Region, Store};
use store_support::{NoLog, config};

const MIB: u64 = 1 << 20;

/// A machine with so much memory, of which stores take some.
struct Machine {
    available: AtomicU64,
    margin: u64,
    asked: AtomicU64,
}

impl Machine {
    fn of(available: u64, margin: u64) -> Arc<Machine> {
        Arc::new(Machine { available: AtomicU64::new(available), margin, asked: AtomicU64::new(0) })
    }
}

impl Faults for Machine {
    fn check(&self, _point: FaultPoint) -> io::Result<()> {
        Ok(())
    }

    fn available(&self, wanted: u64) -> Option<u64> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let available = self.available.load(Ordering::Relaxed);
        if available >= wanted + self.margin {
            self.available.fetch_sub(wanted, Ordering::Relaxed);
        }
        Some(available)
    }
}

fn open(capacity: u64, machine: &Arc<Machine>) -> Result<Arc<Store>, Error> {
    Store::open_beside(&config(capacity), machine.margin, None, Arc::new(NoLog), Arc::clone(machine) as _)
}

fn fill(region: &Arc<Region>) -> Error {
    let bytes = vec![7u8; 300_000];
    loop {
        if let Err(e) = region.put(Kind::Bytes, &&bytes[..]) {
            return e;
        }
    }
}

#[test]
fn a_store_refuses_before_the_margin_is_used() {
    let machine = Machine::of(100 * MIB, 20 * MIB);
    let store = open(256 * MIB, &machine).unwrap();
    let region = store.create_region(BatchId(7), None).unwrap();
    let e = fill(&region);
    assert_eq!(e.code(), ErrorCode::StoreFull);
    let text = e.message();
    assert!(text.contains("of memory are available") && text.contains("20971520 are left to other programs"), "{text}");
    assert!(text.contains("memoryMargin") && text.contains("of 268435456 free"), "{text}");
    let backed = store.stats().backed;
    assert!(backed <= 80 * MIB && backed > 76 * MIB, "{backed}: all but the margin");

    // what it has it uses, wherever that lies
    store.drop_region(&region);
    let asked = machine.asked.load(Ordering::Relaxed);
    let next = store.create_region(BatchId(8), None).unwrap();
    for _ in 0..200 {
        next.put(Kind::Bytes, &&vec![7u8; 300_000][..]).unwrap();
    }
    assert!(machine.asked.load(Ordering::Relaxed) - asked < 10, "it is asked for what is new only");
    machine.available.store(400 * MIB, Ordering::Relaxed);
    assert!(fill(&next).message().contains("the store is full"), "and it grows again when there is more");
}

#[test]
fn free_memory_that_the_store_has_serves_where_the_best_place_has_none() {
    // just enough for what is put first
    let machine = Machine::of(48 * MIB, MIB);
    let store = open(64 * MIB, &machine).unwrap();
    let regions: Vec<_> = (1..4).map(|n| store.create_region(BatchId(n), None).unwrap()).collect();
    let bytes = vec![7u8; 24 * MIB as usize];
    regions[0].put(Kind::Bytes, &&bytes[..]).unwrap();
    regions[1].put(Kind::Bytes, &&bytes[..20 * MIB as usize]).unwrap();
    assert!(machine.available.load(Ordering::Relaxed) < 3 * MIB, "there is no further stride");
    // now the free run at the end is the smaller one, and has no memory
    store.drop_region(&regions[0]);
    for _ in 0..11 {
        regions[2].put(Kind::Bytes, &&bytes[..2 * MIB as usize]).unwrap();
    }
    assert!(store.stats().backed <= 48 * MIB);
    assert_eq!(fill(&regions[2]).code(), ErrorCode::StoreFull);
    assert!(store.stats().backed <= 48 * MIB);
    store.audit().unwrap();
}

#[test]
fn many_stores_together_leave_the_margin() {
    let machine = Machine::of(1000 * MIB, 200 * MIB);
    let stores: Vec<_> = (0..10).map(|_| open(300 * MIB, &machine).unwrap()).collect();
    let regions: Vec<_> = stores.iter().map(|store| store.create_region(BatchId(7), None).unwrap()).collect();
    let bytes = vec![7u8; MIB as usize];
    let mut refused = 0;
    // in turns, until nothing is left for anybody
    while refused < stores.len() {
        refused = regions.iter().filter(|region| region.put(Kind::Bytes, &&bytes[..]).is_err()).count();
        let backed: u64 = stores.iter().map(|store| store.stats().backed).sum();
        assert!(backed <= 800 * MIB, "{backed}");
    }
    let backed: u64 = stores.iter().map(|store| store.stats().backed).sum();
    assert!(backed > 760 * MIB, "{backed}");
    for store in stores {
        store.close();
    }
}

#[test]
fn a_store_for_which_nothing_is_left_is_not_opened() {
    let e = open(64 * MIB, &Machine::of(21 * MIB, 20 * MIB)).err().unwrap();
    assert_eq!(e.code(), ErrorCode::StoreOpen);
    assert!(e.message().contains("memoryMargin"), "{e}");
}

#[test]
fn the_margin_is_an_option_and_0_does_not_look() {
    for (margin, asked) in [("0", false), ("1048576", true)] {
        let machine = Machine::of(u64::MAX, 0);
        let options = options(&[("store.size", "16777216"), ("store.memoryMargin", margin)]);
        let client = Client::open_with(&options, Arc::clone(&machine) as _).unwrap();
        assert_eq!(machine.asked.load(Ordering::Relaxed) > 0, asked, "{margin}");
        client.close("the test").unwrap();
    }
}
