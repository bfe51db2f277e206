//! The folder of spill files when other programs tidy it up, and what of it stays in the system's cache.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod store_support;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use raybatch::error::ErrorCode;
use raybatch::id::BatchId;
use raybatch::store::{Found, Kind, NoFaults, Region, Slot};
use store_support::{BOUND, Spilling, id, spilling};

/// Nothing is taken back.
const SHORT: u8 = 1;

fn put(region: &Arc<Region>, byte: u8) -> Slot {
    region.put(Kind::Bytes, &&[byte; 3000][..]).unwrap()
}

fn get(region: &Arc<Region>, slot: Slot) -> Result<Vec<u8>, ErrorCode> {
    let mut out = Vec::new();
    match region.get(&id(region, slot), &mut out) {
        Ok(Found::Here(_)) => Ok(out),
        Ok(other) => panic!("{other:?}"),
        Err(e) => Err(e.code()),
    }
}

fn folder(spilling: &Spilling) -> PathBuf {
    fs::read_dir(spilling.parent.path().join("spill")).unwrap().next().unwrap().unwrap().path()
}

#[test]
fn a_folder_that_was_removed_is_recreated() {
    let spilling = spilling(SHORT, Arc::new(NoFaults));
    let store = &spilling.store;
    let (before, after) =
        (store.create_region(BatchId(7), None).unwrap(), store.create_region(BatchId(8), None).unwrap());
    let lost = put(&before, 1);
    assert!(before.spill(&mut |_| {}).unwrap() > 0);
    let was = folder(&spilling);
    fs::remove_dir_all(spilling.parent.path().join("spill")).unwrap();

    let slot = put(&after, 2);
    assert!(after.spill(&mut |_| {}).unwrap() > 0, "{:?}", store.spill_error());
    assert_eq!(folder(&spilling), was);
    assert!(was.join("lock").exists());
    assert_eq!(get(&after, slot), Ok(vec![2; 3000]));
    assert_eq!(get(&before, lost), Err(ErrorCode::SpillCorrupt), "what lay there is lost");
    // one whose file was lost goes on with another
    let next = put(&before, 3);
    assert!(before.spill(&mut |_| {}).unwrap() > 0);
    assert_eq!(get(&before, next), Ok(vec![3; 3000]));
    assert_eq!(get(&before, lost), Err(ErrorCode::SpillCorrupt), "still");
    store.drop_region(&before);
    store.drop_region(&after);
    assert_eq!(store.spill_stats().files, 0);
    store.close();
    assert!(!was.exists(), "it is the store's own, and goes with it");
}

#[test]
fn a_file_that_was_removed_is_recreated() {
    let spilling = spilling(SHORT, Arc::new(NoFaults));
    let region = spilling.store.create_region(BatchId(7), None).unwrap();
    let lost = put(&region, 1);
    assert!(region.spill(&mut |_| {}).unwrap() > 0);
    for file in fs::read_dir(folder(&spilling)).unwrap().flatten().filter(|e| e.path().extension().is_some()) {
        fs::remove_file(file.path()).unwrap();
    }
    let slot = put(&region, 2);
    assert!(region.spill(&mut |_| {}).unwrap() > 0);
    assert_eq!((get(&region, slot), get(&region, lost)), (Ok(vec![2; 3000]), Err(ErrorCode::SpillCorrupt)));
}

#[test]
fn what_was_written_does_not_stay_in_the_systems_cache() {
    let spilling = spilling(SHORT, Arc::new(NoFaults));
    let region = spilling.store.create_region(BatchId(7), None).unwrap();
    for n in 0..2000u32 {
        put(&region, n as u8);
    }
    assert!(region.spill(&mut |_| {}).unwrap() > 0);
    let written = spilling.store.spill_stats().files;
    assert!(written > 5 << 20);
    // at first it begins to write them, later they are on the disk and go
    let asked = || spilling.script.uncached.lock().unwrap().iter().filter(|part| **part == (0, written)).count();
    let end = Instant::now() + BOUND;
    while asked() < 3 {
        assert!(Instant::now() < end, "{:?} of {written}", spilling.script.uncached.lock().unwrap());
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn large_files_leave_the_cache_while_they_are_written() {
    let spilling = spilling(SHORT, Arc::new(NoFaults));
    let region = spilling.store.create_region(BatchId(7), None).unwrap();
    for _ in 0..40 {
        region.put(Kind::Bytes, &&vec![7u8; 1 << 20][..]).unwrap();
    }
    assert!(region.spill(&mut |_| {}).unwrap() > 0);
    let written = spilling.store.spill_stats().files;
    let end = Instant::now() + BOUND;
    loop {
        let mut parts = spilling.script.uncached.lock().unwrap().clone();
        parts.sort_unstable();
        parts.dedup();
        if parts.len() == 2 && parts[1].1 == written {
            assert!(parts[0].0 == 0 && parts.windows(2).all(|w| w[0].1 == w[1].0), "{parts:?}");
            break;
        }
        assert!(Instant::now() < end, "{parts:?} of {written}");
        thread::sleep(Duration::from_millis(5));
    }
}
