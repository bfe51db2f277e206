//! Bytes that were read from a file without a lock are used only for the object that they were read for.
//!
//! In each test a thread stands in the middle of reading a spilled object from its file. Meanwhile the object is freed, a task
//! seals another one of that id, and that is spilled to a new file, where it lies in the very same place.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod store_support;

use std::io;
use std::sync::Arc;
use std::thread;

use raybatch::id::{BatchId, ObjectId};
use raybatch::store::{Found, Kind, NoFaults, Region, Slot, Store};
use store_support::{BOUND, id, spilling};

static OLD: [u8; 1000] = [1; 1000];
static SHORTER: [u8; 100] = [2; 100];
static LONGER: [u8; 5000] = [2; 5000];

fn replaced_while_read<R: Send + 'static>(
    new: &'static [u8],
    outcome: io::Result<()>,
    read: impl FnOnce(&Arc<Region>, &ObjectId) -> R + Send + 'static,
) -> (R, Arc<Store>, ObjectId) {
    let spilling = spilling(1, Arc::new(NoFaults));
    let region = spilling.store.create_region(BatchId(7), None).unwrap();
    let slot = Slot { slot: region.reserve_slots(1).unwrap(), index: 0 };
    let object = id(&region, slot);
    assert_eq!(region.put_at(slot, Kind::Bytes, &&OLD[..]).unwrap(), Found::Here(true));
    assert!(region.spill(&mut |_| {}).unwrap() > 0);

    let (arrived, go_on) = spilling.script.stop_next_read();
    let reader = {
        let region = Arc::clone(&region);
        thread::spawn(move || read(&region, &object))
    };
    arrived.recv_timeout(BOUND).unwrap();
    assert!(matches!(region.free(&object).unwrap(), Found::Here(_)));
    assert_eq!(region.put_at(slot, Kind::Bytes, &new).unwrap(), Found::Here(true));
    assert!(region.spill(&mut |_| {}).unwrap() > 0);
    go_on.send(outcome).unwrap();
    (reader.join().unwrap(), Arc::clone(&spilling.store), object)
}

fn pinned(region: &Arc<Region>, id: &ObjectId) -> Vec<u8> {
    match region.pin(id).unwrap() {
        Found::Here(pin) => pin.data().to_vec(),
        other => panic!("{:?}", other.map(|_| ())),
    }
}

#[test]
fn a_pin_has_the_bytes_of_one_object() {
    for new in [&SHORTER[..], &LONGER[..]] {
        let (bytes, ..) = replaced_while_read(new, Ok(()), pinned);
        assert!(bytes == OLD || bytes == new, "{} bytes of {}", bytes.len(), bytes[0]);
    }
}

#[test]
fn a_get_has_the_bytes_of_one_object() {
    for new in [&SHORTER[..], &LONGER[..]] {
        let (bytes, ..) = replaced_while_read(new, Ok(()), |region, id| {
            let mut out = Vec::new();
            assert!(matches!(region.get(id, &mut out).unwrap(), Found::Here(Kind::Bytes)));
            out
        });
        assert!(bytes == OLD || bytes == new, "{} bytes of {}", bytes.len(), bytes[0]);
    }
}

#[test]
fn a_kept_object_has_the_bytes_of_one_object() {
    for new in [&SHORTER[..], &LONGER[..]] {
        let (moved, store, id) =
            replaced_while_read(new, Ok(()), |region, id| region.move_to_table(id, BatchId(3)).unwrap());
        assert_eq!(moved, Found::Here(()));
        let mut out = Vec::new();
        assert!(matches!(store.table().get(&id, &mut out).unwrap(), Found::Here(_)));
        assert!(out == OLD || out == new, "{} bytes of {}", out.len(), out[0]);
        assert_eq!(store.table().usage().objects, 1);
    }
}

/// That a file cannot be read is no error of an object that lies in another one by now.
#[test]
fn an_error_is_of_the_file_in_which_the_object_lies() {
    let (bytes, ..) = replaced_while_read(&SHORTER, Err(io::Error::other("injected")), pinned);
    assert!(bytes == SHORTER, "{} bytes of {}", bytes.len(), bytes[0]);
}
