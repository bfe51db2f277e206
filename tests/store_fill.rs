//! How well a store can be filled, and how whole it is afterwards.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod store_support;

use std::sync::Arc;

use raybatch::error::{Error, ErrorCode};
use raybatch::id::BatchId;
use raybatch::store::{Kind, NoFaults, Region, Store};
use store_support::open;

const CAPACITY: u64 = 512 << 20;

/// Numbers that are the same each time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// Batches of mixed sizes, opened and closed so that the store stays as full.
struct Filling {
    store: Arc<Store>,
    open: Vec<Arc<Region>>,
    numbers: Numbers,
    bytes: Vec<u8>,
}

impl Filling {
    fn new() -> Self {
        let store = open(CAPACITY, Arc::new(NoFaults));
        Filling { store, open: Vec::new(), numbers: Numbers(88_172_645_463_325_252), bytes: vec![7; 4 << 20] }
    }

    /// Starts a batch: most are small, some have large objects. An error says for how many bytes there is no room.
    fn start(&mut self, n: i64) -> Result<(), u64> {
        let full = |e: Error| {
            assert_eq!(e.code(), ErrorCode::StoreFull);
            e.figures()[0] as u64
        };
        let region = self.store.create_region(BatchId(n), None).map_err(full)?;
        self.open.push(Arc::clone(&region));
        let (objects, size) = match self.numbers.below(10) {
            0..6 => (1 + self.numbers.below(40), 1 + self.numbers.below(300)),
            6..9 => (1 + self.numbers.below(100), 1 + self.numbers.below(8 << 10)),
            _ => (1 + self.numbers.below(20), 1 + self.numbers.below(256 << 10)),
        };
        for _ in 0..objects {
            region.put(Kind::Bytes, &&self.bytes[..size as usize]).map_err(full)?;
        }
        Ok(())
    }

    /// Drops one of the open batches.
    fn drop_one(&mut self) {
        let n = self.numbers.below(self.open.len() as u64) as usize;
        let region = self.open.swap_remove(n);
        self.store.drop_region(&region);
    }

    fn is_filled(&self, percent: u64) -> bool {
        self.store.used() > CAPACITY / 100 * percent
    }
}

/// Headers are never given back: they must not lie scattered where the next batch wants a large run.
#[test]
fn an_empty_store_is_whole_whatever_it_was_used_for() {
    let mut filling = Filling::new();
    for n in 1..=32_000 {
        // one that finds no room at such a fill is one of those mixed in
        let _ = filling.start(n);
        while filling.is_filled(92) {
            filling.drop_one();
        }
    }
    while !filling.open.is_empty() {
        filling.drop_one();
    }
    filling.store.audit().unwrap();
    let largest = filling.store.stats().largest_free;
    assert!(largest >= CAPACITY / 100 * 95, "{largest} of {CAPACITY}");
}

#[test]
fn nothing_is_refused_up_to_85_percent() {
    let mut filling = Filling::new();
    for n in 1..=20_000 {
        if let Err(needed) = filling.start(n) {
            // what would go beyond is not promised
            let used = filling.store.used();
            assert!(
                used + needed > CAPACITY / 100 * 85,
                "{needed} bytes of batch {n}, with {used} of {CAPACITY} in use"
            );
        }
        while filling.is_filled(85) {
            filling.drop_one();
        }
    }
}
