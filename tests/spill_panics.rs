//! A panic while a file is written or read undoes what was begun: nothing is exempt for good from being spilled or restored.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod store_support;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

use raybatch::id::BatchId;
use raybatch::store::{Found, Kind, NoFaults, Region, Slot};
use store_support::{Spilling, id, spilling};

fn filled(spilling: &Spilling) -> (Arc<Region>, Vec<Slot>) {
    let region = spilling.store.create_region(BatchId(7), None).unwrap();
    let slots = (0..1000).map(|_| region.put(Kind::Bytes, &&[7u8; 64][..]).unwrap()).collect();
    (region, slots)
}

#[test]
fn a_batch_whose_spilling_panicked_is_spilled_later() {
    let spilling = spilling(80, Arc::new(NoFaults));
    let (region, _) = filled(&spilling);
    spilling.script.panics_in_writes.store(true, Ordering::SeqCst);
    for _ in 0..2 {
        let panics = Arc::clone(&region);
        assert!(thread::spawn(move || panics.spill(&mut |_| {})).join().is_err());
    }
    spilling.script.panics_in_writes.store(false, Ordering::SeqCst);
    assert_eq!(spilling.store.spill_stats().files, 0, "no room is taken by what was not written");
    assert!(region.spillable() > 0);
    assert!(region.spill(&mut |_| {}).unwrap() > 0);
    assert_eq!(spilling.store.spill_stats().objects, 1000);
    spilling.store.drop_region(&region);
    assert_eq!(spilling.store.spill_stats().files, 0);
    spilling.store.audit().unwrap();
}

#[test]
fn a_segment_whose_restoring_panicked_is_restored_later() {
    let spilling = spilling(80, Arc::new(NoFaults));
    let (region, slots) = filled(&spilling);
    assert!(region.spill(&mut |_| {}).unwrap() > 0);
    spilling.script.panics_in_reads.store(true, Ordering::SeqCst);
    let (panics, object) = (Arc::clone(&region), id(&region, slots[3]));
    assert!(thread::spawn(move || panics.pin(&object).map(|_| ())).join().is_err());
    spilling.script.panics_in_reads.store(false, Ordering::SeqCst);
    assert!(matches!(region.pin(&object).unwrap(), Found::Here(pin) if pin.data().to_vec() == [7; 64]));
    assert!(spilling.store.spill_stats().restored_objects > 0, "it was read from the file alone");
    spilling.store.drop_region(&region);
    spilling.store.audit().unwrap();
}
