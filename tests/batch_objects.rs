//! Objects through a client: where they are found, who owns them, what they may use.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod batch_support;

use std::sync::Arc;
use std::time::Duration;

use batch_support::{Calls, config, eventually, open, open_with};
use raybatch::batch::{BatchKey, BatchSpec, Client, Reason, State};
use raybatch::error::ErrorCode;
use raybatch::id::{BatchId, ObjectId};
use raybatch::store::{EventKind, FaultPoint, Kind, NthFault, ObjectState, Slot};

fn limited(c: &Client, parent: Option<BatchKey>, bytes: Option<u64>, objects: Option<u64>) -> BatchKey {
    let spec =
        BatchSpec { parent, max_bytes: bytes, max_objects: objects, name: Some("q".into()), ..Default::default() };
    c.start_batch(spec, "test").unwrap()
}

#[test]
fn c40_the_put_over_the_limit_fails_names_it_and_loses_nothing() {
    let c = open();
    let outer = limited(&c, None, Some(1000), None);
    let inner = limited(&c, Some(outer), None, Some(3));
    let a = c.put_bytes(outer, &[1; 400]);
    let b = c.put_bytes(inner, &[2; 500]);
    let e = c.try_put(inner, &[3; 200]).unwrap_err();
    assert_eq!((e.code(), e.batch_id()), (ErrorCode::BatchLimit, Some(outer.id)), "children count to parents");
    assert_eq!(e.figures(), [1000, 900, 200]);
    for part in ["maxBytes = 1000", &format!("batch {} 'q': 900 of 1000 bytes", outer.id), "1 of 3 objects"] {
        assert!(e.message().contains(part), "{part}: {e}");
    }
    let d = c.put_bytes(inner, &[4; 100]);
    c.put_bytes(inner, b"");
    let e = c.try_put(inner, b"").unwrap_err();
    assert_eq!(e.batch_id(), Some(inner.id), "{e}");
    assert!(c.create(inner, 1, b"", Kind::Bytes).is_err());
    for (id, bytes) in [(a, vec![1; 400]), (b, vec![2; 500]), (d, vec![4; 100])] {
        c.assert_has(&id, &bytes);
    }
    c.end(inner);
    c.put_bytes(outer, &[5; 600]);
    c.audit().unwrap();
}

#[test]
fn c40_deleted_and_freed_objects_give_their_budget_back() {
    let c = open();
    let b = limited(&c, None, Some(100), Some(1));
    for round in 0..20 {
        let id = c.put_bytes(b, &[0; 100]);
        assert_eq!(c.try_put(b, b"").unwrap_err().code(), ErrorCode::BatchLimit);
        let gone = if round % 2 == 0 { c.delete(&[id]) } else { c.free(&[id]) };
        assert_eq!(gone.unwrap(), 1);
    }
}

#[test]
fn c40_a_kept_object_counts_to_its_keeper_and_no_more_to_its_maker() {
    let c = open();
    let outer = limited(&c, None, Some(1000), None);
    let inner = limited(&c, Some(outer), Some(500), None);
    let ids: Vec<_> = (0..2)
        .map(|_| {
            let id = c.put_bytes(inner, &[1; 500]);
            c.transfer(&[id], Some(inner), None).unwrap();
            id
        })
        .collect();
    assert_eq!(c.try_put(inner, &[1; 1]).unwrap_err().batch_id(), Some(outer.id), "full, and the outer one's limit");
    c.delete(&ids[..1]).unwrap();
    c.put_bytes(inner, &[1; 500]);
    c.end(inner);
    c.put_bytes(outer, &[1; 500]);
    assert!(c.try_put(outer, &[1; 1]).is_err());
    c.end(outer);
    c.audit().unwrap();
}

#[test]
fn c40_a_transfer_over_the_receivers_limit_moves_nothing() {
    let c = open();
    let (rich, poor) = (c.start(), limited(&c, None, Some(100), None));
    let ids = [c.put_bytes(rich, &[1; 60]), c.put_bytes(rich, &[2; 60])];
    let e = c.transfer(&ids, Some(rich), Some(poor)).unwrap_err();
    assert_eq!((e.code(), e.batch_id()), (ErrorCode::BatchLimit, Some(poor.id)), "{e}");
    assert_eq!((c.seen(rich).objects, c.seen(poor).objects), (2, 0));
    c.transfer(&ids[..1], Some(rich), Some(poor)).unwrap();
    assert!(c.try_put(poor, &[0; 41]).is_err());
    c.put_bytes(poor, &[0; 40]);
    // between two batches of one outer limit nothing is counted twice
    let outer = limited(&c, None, Some(100), None);
    let (a, b) = (c.start_in(outer), c.start_in(outer));
    let id = c.put_bytes(a, &[1; 100]);
    c.transfer(&[id], Some(a), Some(b)).unwrap();
    c.end(a);
    assert!(c.try_put(outer, b"x").is_err());
    c.end(b);
    c.put_bytes(outer, &[1; 100]);
}

#[test]
fn c45_forged_and_foreign_ids_name_nothing() {
    let (c, other) = (open(), open());
    let b = c.start_id(5);
    let theirs = other.start_id(5);
    let foreign = other.put_bytes(theirs, b"theirs");
    let mine = c.put_bytes(b, b"mine");
    let second = c.put_bytes(b, b"second");
    for (id, what) in [
        (foreign, "of another store"),
        (ObjectId::new(second.batch, second.task.wrapping_add(1), second.index - 1), "an alias"),
        (ObjectId::new(mine.batch, mine.task.wrapping_sub(1), 0), "before the first"),
        (ObjectId::new(mine.batch, mine.task, u32::MAX), "far beyond"),
    ] {
        assert_eq!(c.code_of(&id), ErrorCode::ObjectNotFound, "{what}");
        assert_eq!(c.resolve(&id).unwrap_err().code(), ErrorCode::ObjectNotFound, "{what}");
        assert!(!c.contains(&id).unwrap());
        assert!(c.read(&id).is_err() && c.hash(&id).is_err() && c.seal(&id).is_err() && c.abort(&id).is_err());
        assert_eq!(c.delete(&[id]).unwrap() + c.free(&[id]).unwrap(), 0);
        assert!(c.transfer(&[id], Some(b), None).is_err());
    }
    // one that is lent and not made yet may come: it is waited for, and its alias is not
    let pending = ObjectId::new(mine.batch, mine.task, 7);
    assert_eq!(c.bytes(&pending).unwrap(), None);
    c.resolve(&pending).unwrap();
    let alias = ObjectId::new(mine.batch, mine.task.wrapping_add(3), 4);
    assert_eq!(c.resolve(&alias).unwrap_err().code(), ErrorCode::ObjectNotFound);
    c.resolve(&mine).unwrap();
    c.assert_has(&mine, b"mine");
    c.audit().unwrap();
}

#[test]
fn c45_huge_sizes_and_unknown_handles_are_errors() {
    let c = open();
    let b = c.start();
    for size in [1 << 31, u64::MAX, u64::MAX - 7] {
        assert_eq!(c.create(b, size, b"", Kind::Bytes).unwrap_err().code(), ErrorCode::InvalidArgument);
        assert_eq!(c.create(BatchKey::NORMAL, size, b"", Kind::Bytes).unwrap_err().code(), ErrorCode::InvalidArgument);
    }
    assert_eq!(c.writer(99).err().unwrap().code(), ErrorCode::Closed);
    assert_eq!(c.view(99).err().unwrap().code(), ErrorCode::Closed);
    assert_eq!(c.subscription(99).err().unwrap().code(), ErrorCode::Closed);
    c.drop_writer(99);
    c.release_view(99);
    c.unsubscribe(99);
    let (writer, _) = c.create(b, 10, b"", Kind::Bytes).unwrap();
    let open = c.writer(writer).unwrap();
    assert_eq!(open.write(11, &&b"x"[..]).unwrap_err().code(), ErrorCode::OutOfBounds);
    assert_eq!(open.write(u64::MAX, &&b"xy"[..]).unwrap_err().code(), ErrorCode::OutOfBounds);
    c.drop_writer(writer);
    assert_eq!(c.writer(writer).err().unwrap().code(), ErrorCode::Closed, "a stale handle is an error");
    assert!(open.write(0, &&b"x"[..]).is_ok(), "whoever is at it finishes");
    c.audit().unwrap();
}

#[test]
fn only_the_owner_gives_away() {
    let c = open();
    let (a, b) = (c.start(), c.start());
    let x = c.put_bytes(a, b"x");
    let e = c.transfer(&[x], Some(b), None).unwrap_err();
    assert_eq!((e.code(), e.object_id()), (ErrorCode::NotOwner, Some(x)));
    assert!(e.message().contains(&format!("belongs to batch {}, not to batch {}", a.id, b.id)), "{e}");
    let inner = c.start_in(a);
    let y = c.put_bytes(inner, b"y");
    assert_eq!(c.transfer(&[y], Some(a), None).unwrap_err().code(), ErrorCode::NotOwner, "nor an outer batch");
    // whoever has it, when nobody is named
    c.transfer(&[x, x, y], None, Some(b)).unwrap();
    assert_eq!((c.seen(a).objects, c.seen(b).objects), (0, 2));
    c.transfer(&[x], Some(b), Some(b)).unwrap();
    c.end(a);
    c.assert_has(&x, b"x");
    c.end_batch(a, true, &[], Reason::Closed, "t").unwrap_err();
    let closed = c.start();
    c.end_batch(closed, false, &[], Reason::Closed, "me").unwrap();
    let e = c.transfer(&[x], Some(b), Some(closed)).unwrap_err();
    assert_eq!(e.code(), ErrorCode::BatchEnded, "{e}");
    assert_eq!(
        c.transfer(&[x], Some(b), Some(BatchKey::any(BatchId(77)))).unwrap_err().code(),
        ErrorCode::BatchNotFound
    );
}

#[test]
fn an_object_of_normal_mode_can_be_given_to_a_batch() {
    let c = open();
    let b = c.start();
    let x = c.put_bytes(BatchKey::NORMAL, b"normal");
    c.transfer(&[x], Some(b), None).unwrap();
    assert_eq!(c.seen(b).objects, 0, "it is outside of every batch");
    c.transfer(&[x], None, Some(b)).unwrap();
    assert_eq!((c.seen(b).adopted, c.evict(u64::MAX).unwrap()), (1, 0));
    c.end(b);
    assert_eq!(c.bytes(&x).unwrap(), None);
}

#[test]
fn an_unsealed_object_is_kept_and_sealed_later() {
    let c = open();
    let outer = c.start();
    for size in [10u64, 1 << 20] {
        let inner = c.start_in(outer);
        let (w, slot) = c.create(inner, size, b"m", Kind::Bytes).unwrap();
        let id = c.id_of(inner, slot);
        c.writer(w).unwrap().write(0, &&b"ab"[..]).unwrap();
        c.transfer(&[id], Some(inner), None).unwrap();
        c.end(inner);
        assert_eq!(c.bytes(&id).unwrap(), None, "not sealed yet");
        c.writer(w).unwrap().seal().unwrap();
        c.drop_writer(w);
        let bytes = c.bytes(&id).unwrap().unwrap();
        assert_eq!((bytes.len() as u64, &bytes[..3]), (size, &b"ab\0"[..]));
    }
    assert_eq!(c.seen(outer).adopted, 2);
    // one that is aborted instead leaves nothing behind, whether its maker lives or not
    for collected in [false, true] {
        let inner = c.start_in(outer);
        let (w, slot) = c.create(inner, 10, b"", Kind::Bytes).unwrap();
        c.transfer(&[c.id_of(inner, slot)], Some(inner), None).unwrap();
        assert_eq!(c.seen(outer).adopted, 3);
        if collected {
            c.end(inner);
        }
        c.writer(w).unwrap().abort().unwrap();
        c.drop_writer(w);
        assert_eq!(c.list(Some(outer)).unwrap().len(), 2);
        assert_eq!(c.delete(&[c.id_of(inner, slot)]).unwrap(), 0);
    }
    assert_eq!(c.seen(outer).adopted, 2);
    c.end(outer);
    c.audit().unwrap();
    assert_eq!(c.stats().unwrap().objects, 0);
}

#[test]
fn deleted_and_freed_objects_say_so() {
    let c = open();
    let b = c.start();
    let ids: Vec<_> = (0..3).map(|_| c.put_bytes(b, b"x")).collect();
    assert_eq!(c.delete(&[ids[0], ids[0]]).unwrap(), 1, "the second time it is not there");
    assert_eq!(c.free(&[ids[1]]).unwrap(), 1);
    let e = c.bytes(&ids[0]).unwrap_err();
    assert!(e.code() == ErrorCode::ObjectNotFound && e.message().contains("deleted"), "{e}");
    let e = c.bytes(&ids[1]).unwrap_err();
    assert!(e.code() == ErrorCode::ObjectLost && e.message().contains("freed"), "{e}");
    let (_, pin) = c.read(&ids[2]).unwrap().unwrap();
    assert_eq!(c.delete(&[ids[2]]).unwrap(), 0, "in use: with the last release");
    assert_eq!(pin.data().to_vec(), b"x");
    let (w, slot) = c.create(b, 1, b"", Kind::Bytes).unwrap();
    let unsealed = c.id_of(b, slot);
    assert_eq!(c.delete(&[unsealed]).unwrap_err().code(), ErrorCode::ObjectNotSealed);
    assert_eq!(c.free(&[unsealed]).unwrap(), 0, "a hint");
    assert_eq!(c.hash(&unsealed).unwrap_err().code(), ErrorCode::ObjectNotSealed);
    c.writer(w).unwrap().seal().unwrap();
    assert!(c.hash(&unsealed).is_ok());
}

#[test]
fn kept_objects_are_deleted_and_read_like_others() {
    let c = open();
    let b = c.start();
    let ids: Vec<_> = (0..3u8).map(|n| c.put_bytes(b, &[n; 50])).collect();
    let hashes: Vec<_> = ids.iter().map(|id| c.hash(id).unwrap()).collect();
    let slots: Vec<_> = ids.iter().map(|id| Slot { slot: id.slot(b.life), index: id.index }).collect();
    c.transfer(&ids, Some(b), None).unwrap();
    assert_eq!(ids.iter().map(|id| c.hash(id).unwrap()).collect::<Vec<_>>(), hashes);
    c.end(b);
    let mut out = Vec::new();
    assert_eq!(c.get_slot(b, slots[2], &mut out).unwrap(), Some(Kind::Bytes));
    assert_eq!(out, [2; 50]);
    let (view, pin) = c.read(&ids[0]).unwrap().unwrap();
    assert_eq!(c.delete(&ids).unwrap(), 2);
    assert_eq!(pin.data().to_vec(), [0; 50]);
    assert_eq!(c.seen(c.root()).adopted, 0);
    drop(pin);
    c.release_view(view);
    for id in &ids {
        assert_eq!(c.code_of(id), ErrorCode::ObjectNotFound);
    }
    c.audit().unwrap();
}

#[test]
fn slots_are_read_without_their_ids_in_a_batch_and_in_normal_mode() {
    let c = open();
    let b = c.start();
    for key in [b, BatchKey::any(b.id), BatchKey::NORMAL] {
        for n in 0..300u32 {
            let slot = c.put(key, Kind::Ints, &&n.to_le_bytes()[..]).unwrap();
            let mut out = Vec::new();
            assert_eq!(c.get_slot(key, slot, &mut out).unwrap(), Some(Kind::Ints));
            assert_eq!(out, n.to_le_bytes());
            assert_eq!(c.bytes(&c.id_of(key, slot)).unwrap(), Some(out));
        }
    }
    let slot = c.put(b, Kind::Bytes, &&b"x"[..]).unwrap();
    c.end(b);
    let e = c.get_slot(b, slot, &mut Vec::new()).unwrap_err();
    assert_eq!(e.code(), ErrorCode::ObjectCollected);
}

#[test]
fn a_full_store_names_those_who_hold_most() {
    let c = open_with(&[("store.size", "4194304")]);
    let (big, small) = (c.start_id(1), c.start_id(2));
    c.put_bytes(big, &vec![0; 3 << 20]);
    c.put_bytes(small, &vec![0; 200 << 10]);
    let e = c.try_put(small, &vec![0; 1 << 20]).unwrap_err();
    assert_eq!((e.code(), e.batch_id()), (ErrorCode::StoreFull, Some(small.id)));
    let at = |text: &str| e.message().find(text).unwrap_or_else(|| panic!("{text}: {e}"));
    assert!(at("batch 1 (") < at("batch 2 ("), "{e}");
    assert_eq!(e.figures().len(), 3);
    c.end(big);
    c.put_bytes(small, &vec![0; 3 << 20]);
    c.audit().unwrap();
}

#[test]
fn a_put_that_finds_no_memory_is_an_error_and_loses_nothing() {
    let faults = Arc::new(NthFault::new());
    let options = config(&[("store.size", "67108864")]);
    let c = Client::open_with(&options, Arc::clone(&faults) as _).unwrap();
    let b = c.start();
    let kept = c.put_bytes(b, b"kept");
    for point in [FaultPoint::Run, FaultPoint::Commit, FaultPoint::Map] {
        faults.arm(point, 1);
        let result = c.try_put(b, &vec![7; 40 << 20]);
        // the store may find another way, such as a smaller run; if not, it says so
        if let Err(e) = result {
            assert!(matches!(e.code(), ErrorCode::StoreFull | ErrorCode::Io), "{}: {e}", point.name());
        }
        faults.arm(point, 0);
        c.assert_has(&kept, b"kept");
        c.audit().unwrap();
        c.list(Some(b)).unwrap().iter().filter(|o| o.size > 100).for_each(|o| {
            c.delete(&[o.id]).unwrap();
        });
    }
    for point in [FaultPoint::File, FaultPoint::Reserve] {
        let faults = Arc::new(NthFault::new());
        faults.arm(point, 1);
        let e = Client::open_with(&options, faults).err().unwrap();
        assert_eq!(e.code(), ErrorCode::StoreOpen, "{}: {e}", point.name());
    }
}

#[test]
fn a_client_that_leaves_takes_its_own_and_no_more() {
    let owner = open_with(&[("name", "c11-leaves")]);
    let guest = Client::connect("c11-leaves").unwrap();
    assert!(owner.owns_store() && !guest.owns_store());
    let (mine, theirs) = (owner.start(), guest.start());
    let x = owner.put_bytes(mine, b"x");
    let y = guest.put_bytes(theirs, b"y");
    let normal = guest.put_bytes(BatchKey::NORMAL, b"n");
    owner.assert_has(&y, b"y");
    guest.assert_has(&x, b"x");
    let (_, pin) = guest.read(&x).unwrap().unwrap();
    drop(pin);
    guest.close("guest").unwrap();
    guest.close("guest").unwrap();
    assert_eq!(guest.bytes(&x).unwrap_err().code(), ErrorCode::Closed);
    owner.assert_has(&x, b"x");
    owner.assert_has(&normal, b"n");
    assert_eq!(owner.code_of(&y), ErrorCode::ObjectCollected);
    assert_eq!(owner.seen(mine).pins, 0);
    assert_eq!(owner.batches().unwrap(), [mine.id]);
    owner.audit().unwrap();
}

#[test]
fn c12_of_sealed_aborted_and_unsealed_ones_a_leaving_client_leaves_the_sealed() {
    let owner = open_with(&[("name", "c12")]);
    let guest = Client::connect("c12").unwrap();
    let ids: Vec<_> = (0..30).map(|n| ObjectId::new(BatchId::NORMAL, 1000 + n, 0)).collect();
    for (n, id) in ids.iter().enumerate() {
        let w = guest.create_with_id(*id, 10, b"", Kind::Bytes).unwrap();
        let writer = guest.writer(w).unwrap();
        match n % 3 {
            0 => writer.seal().unwrap(),
            1 => writer.abort().unwrap(),
            _ if n % 2 == 0 => writer.release().unwrap(),
            _ => continue, // its writer stays open
        }
        drop(writer);
        guest.drop_writer(w);
    }
    guest.close("t").unwrap();
    let left: Vec<_> = ids.iter().map(|id| owner.contains(id).unwrap()).collect();
    assert_eq!(left, (0..30).map(|n| n % 3 == 0).collect::<Vec<_>>());
    let listed = owner.list(Some(BatchKey::NORMAL)).unwrap();
    assert!(listed.len() == 10 && listed.iter().all(|o| o.state == ObjectState::Sealed));
    owner.audit().unwrap();
}

#[test]
fn c13_connecting_to_nothing_says_what_is_open() {
    let _open = open_with(&[("name", "c13-there")]);
    let e = Client::connect("c13-missing").err().unwrap();
    assert_eq!(e.code(), ErrorCode::StoreConnect);
    assert!(e.message().contains("'c13-missing'") && e.message().contains("c13-there"), "{e}");
    let e = Client::open(&config(&[("name", "c13-there"), ("store.size", "1048576")])).err().unwrap();
    assert_eq!(e.code(), ErrorCode::StoreOpen, "a name is one store's");
}

#[test]
fn when_the_owner_closes_everybody_hears_and_is_refused() {
    let owner = open_with(&[("name", "owner-closes")]);
    let guest = Client::connect("owner-closes").unwrap();
    let b = guest.start();
    let x = guest.put_bytes(b, b"x");
    let sub = guest.subscribe(5).unwrap();
    let (wake, woken) = std::sync::mpsc::channel();
    let wake = std::sync::Mutex::new(wake);
    owner.store().notifier().set_waker(Box::new(move |t| wake.lock().unwrap().send(t).unwrap_or(())));
    let pending = ObjectId::new(BatchId::NORMAL, 5, 5);
    guest.watch(&[pending], 9).unwrap();
    owner.close("owner").unwrap();
    assert!(woken.iter().take(2).any(|t| t == 9), "waiters are woken");
    let e = guest.bytes(&x).unwrap_err();
    assert!(e.code() == ErrorCode::Closed && e.message().contains("closed by its owner"), "{e}");
    assert_eq!(guest.start_batch(BatchSpec::default(), "t").unwrap_err().code(), ErrorCode::Closed);
    assert_eq!(Client::connect("owner-closes").err().unwrap().code(), ErrorCode::StoreConnect);
    let subscription = guest.subscription(sub).unwrap();
    let mut last = None;
    while let Some(events) = subscription.poll(1) {
        last = events.first().copied().or(last);
    }
    assert_eq!(last.map(|e| e.kind), Some(EventKind::StoreClosed), "then the subscription is over");
    guest.close("guest").unwrap();
    let again = open_with(&[("name", "owner-closes")]);
    assert_eq!(again.store_name(), "owner-closes");
}

#[test]
fn stores_without_a_name_get_one_each() {
    let (a, b) = (open(), open());
    assert_ne!(a.store_name(), b.store_name());
    let guest = Client::connect(a.store_name()).unwrap();
    assert_eq!(guest.store_name(), a.store_name());
    drop(a);
    assert_eq!(guest.batches().unwrap_err().code(), ErrorCode::Closed, "dropping the owner closes the store");
}

#[test]
fn c15_an_id_that_exists_is_refused_and_ids_of_batches_are_not_for_choosing() {
    let c = open();
    let id = ObjectId::new(BatchId::NORMAL, 42, 7);
    let w = c.create_with_id(id, 3, b"", Kind::Bytes).unwrap();
    assert_eq!(c.create_with_id(id, 3, b"", Kind::Bytes).unwrap_err().code(), ErrorCode::ObjectExists);
    c.writer(w).unwrap().seal().unwrap();
    c.drop_writer(w);
    c.assert_has(&id, &[0; 3]);
    let b = c.start_id(9);
    let e = c.create_with_id(ObjectId::new(b.id, b.life, 0), 1, b"", Kind::Bytes).unwrap_err();
    assert_eq!(e.code(), ErrorCode::InvalidArgument);
}

#[test]
fn lists_are_of_one_owner_or_of_all() {
    let c = open();
    let (a, b) = (c.start(), c.start());
    let x = c.put_bytes(a, b"x");
    let y = c.put_bytes(b, b"y");
    let n = c.put_bytes(BatchKey::NORMAL, b"n");
    c.transfer(&[x], Some(a), Some(b)).unwrap();
    let ids = |which| {
        let mut ids: Vec<_> = c.list(which).unwrap().iter().map(|o| o.id).collect();
        ids.sort_unstable();
        ids
    };
    let sorted = |mut ids: Vec<ObjectId>| {
        ids.sort_unstable();
        ids
    };
    assert_eq!(ids(Some(a)), []);
    assert_eq!(ids(Some(b)), sorted(vec![x, y]));
    assert_eq!(ids(Some(BatchKey::NORMAL)), [n]);
    assert_eq!(ids(None), sorted(vec![x, y, n]));
    c.end(b);
    assert_eq!(c.list(Some(b)).unwrap_err().code(), ErrorCode::BatchEnded);
}

#[test]
fn the_old_store_ignores_batches() {
    let c = open_with(&[("eviction", "lru"), ("store.size", "1048576")]);
    let b = c.start_id(6);
    let x = c.put_bytes(b, b"x");
    c.end(b);
    c.assert_has(&x, b"x");
    assert_eq!(c.state(b), State::Collected);
    assert_eq!(c.try_put(b, b"y").unwrap_err().code(), ErrorCode::BatchEnded);
    let more = c.start_id(6);
    for _ in 0..100 {
        c.put_bytes(more, &vec![1; 20 << 10]);
    }
    assert_eq!(c.bytes(&x).unwrap(), None, "evicted like anything else");
    assert!(c.stats().unwrap().store.evicted_objects > 0);
    let e = c.bytes(&ObjectId::new(BatchId(7), 1, 0)).unwrap_err();
    assert_eq!(e.code(), ErrorCode::BatchNotFound);
    c.delete_batch(more, "t").unwrap();
    c.audit().unwrap();
}

#[test]
fn a_waiter_hears_of_the_end_of_its_batch() {
    let c = open();
    let b = c.start();
    let (_, slot) = c.create(b, 1, b"", Kind::Bytes).unwrap();
    let (wake, woken) = std::sync::mpsc::channel();
    let wake = std::sync::Mutex::new(wake);
    c.store().notifier().set_waker(Box::new(move |t| wake.lock().unwrap().send(t).unwrap_or(())));
    c.watch(&[c.id_of(b, slot)], 3).unwrap();
    c.close_batch(b, "t").unwrap();
    assert_eq!(woken.recv_timeout(Duration::from_secs(20)), Ok(3));
    eventually("drained or held by the open writer", || c.state(b) >= State::Draining);
}
