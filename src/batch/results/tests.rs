//! Objects under ids that were given out before, as tasks make them.

use std::thread::scope;

use super::super::testing::{World, released};
use super::super::{Batch, BatchSpec, Reason};
use super::*;
use crate::error::ErrorCode;
use crate::gcs::TaskRecord;

impl World {
    /// The id of the first result of a new task of a batch, which has begun.
    fn task(&self, batch: &Batch) -> ObjectId {
        batch.begin_task(false).unwrap();
        let first = self.engine.reserve_slots(batch, 1).unwrap();
        let task = batch.key().life.wrapping_add(first);
        self.engine.gcs().append(batch.id(), TaskRecord { task, count: 1 });
        ObjectId::new(batch.id(), task, 0)
    }

    fn result(&self, id: &ObjectId, bytes: &[u8]) -> Result<bool> {
        self.engine.put_result(id, Kind::Bytes, &bytes)
    }

    /// Puts the result and ends the task.
    fn finish(&self, batch: &Arc<Batch>, id: &ObjectId, bytes: &[u8]) {
        assert!(self.result(id, bytes).unwrap());
        self.engine.end_task(batch);
    }

    fn assert_has(&self, id: &ObjectId, bytes: &[u8]) {
        assert_eq!(self.get(id).unwrap().as_deref(), Some(bytes));
    }

    fn seen(&self, batch: &Batch) -> (u64, u64, u64) {
        let s = self.client.status(batch.key()).unwrap();
        (s.objects, s.adopted, s.kept)
    }
}

fn is(presence: &Presence, text: &str) -> bool {
    format!("{presence:?}").starts_with(text)
}

#[track_caller]
fn assert_presence(w: &World, id: &ObjectId, text: &str) {
    let presence = w.engine.presence(id);
    assert!(is(&presence, text), "{presence:?}, not {text}");
}

#[test]
fn a_result_is_made_once_also_in_a_batch_that_has_ended() {
    let w = World::open();
    let b = w.start();
    let id = w.task(&b);
    assert_presence(&w, &id, "Absent");
    assert_eq!(w.get(&id).unwrap(), None, "to be waited for");
    w.end(&b, true);
    w.client.watch(&[id], 1).unwrap();
    assert!(w.result(&id, b"one").unwrap());
    assert_eq!(w.woken(), [1]);
    assert!(!w.result(&id, b"two").unwrap());
    w.assert_has(&id, b"one");
    assert_presence(&w, &id, "Sealed(Bytes)");
    assert!(!w.engine.is_kept(&id));
    w.engine.end_task(&b);
    assert_eq!(w.over(&b), Some(released(1, 3)));
    assert!(!w.result(&id, b"late").unwrap(), "its batch is collected");
    let Presence::Gone(e) = w.engine.presence(&id) else { panic!("gone") };
    assert_eq!(e.code(), ErrorCode::ObjectCollected);
    assert_eq!(w.engine.reserve_slots(&b, 1).unwrap_err().code(), ErrorCode::BatchEnded);
    w.assert_empty();
}

#[test]
fn a_freed_result_is_made_again_and_a_deleted_one_is_not() {
    let w = World::open();
    let b = w.start();
    let (x, y) = (w.task(&b), w.task(&b));
    for id in [&x, &y] {
        w.finish(&b, id, b"one");
    }
    w.client.free(&[x]).unwrap();
    w.client.delete(&[y]).unwrap();
    assert_presence(&w, &x, "Freed");
    let Presence::Gone(e) = w.engine.presence(&y) else { panic!("gone") };
    assert_eq!(e.code(), ErrorCode::ObjectNotFound);
    assert!(w.result(&x, b"again").unwrap());
    assert!(!w.result(&y, b"again").unwrap());
    w.assert_has(&x, b"again");
}

#[test]
fn what_a_keeper_freed_is_made_again_as_its_own() {
    let w = World::open();
    let outer = w.start_as(BatchSpec { max_objects: Some(2), ..BatchSpec::default() });
    let (b, other) = (w.start_in(&outer), w.start());
    let id = w.task(&b);
    assert!(w.result(&id, b"one").unwrap());
    w.client.transfer(&[id], Some(b.key()), None).unwrap();
    assert!(w.engine.is_kept(&id));
    assert!(!w.result(&id, b"two").unwrap(), "it is there");
    w.client.free(&[id]).unwrap();
    assert_presence(&w, &id, "Freed");
    assert_eq!(w.seen(&outer), (0, 0, 0));
    assert!(w.result(&id, b"two").unwrap());
    assert_presence(&w, &id, "Sealed(Bytes)");
    assert_eq!((w.seen(&outer), w.seen(&b)), ((1, 1, 0), (0, 0, 1)));
    // back to its maker, and to another one: the last has it
    w.client.transfer(&[id], None, Some(b.key())).unwrap();
    assert!(!w.engine.is_kept(&id));
    w.client.transfer(&[id], None, Some(other.key())).unwrap();
    w.client.free(&[id]).unwrap();
    assert!(w.result(&id, b"three").unwrap());
    assert_eq!((w.seen(&outer).1, w.seen(&b).1, w.seen(&other).1), (0, 0, 1));
    // an object more than the limit is refused, and nothing is left of the attempt
    w.client.transfer(&[id], None, Some(outer.key())).unwrap();
    w.client.free(&[id]).unwrap();
    let (p, _q) = (w.put(&outer, b"p"), w.put(&outer, b"q"));
    assert_eq!(w.result(&id, b"four").unwrap_err().code(), ErrorCode::BatchLimit);
    assert_presence(&w, &id, "Freed");
    w.client.delete(&[p]).unwrap();
    assert!(w.result(&id, b"four").unwrap());
    w.client.free(&[id]).unwrap();
    // its keeper gone, nobody would have it
    w.engine.end_task(&b);
    let (inner, y) = (w.start_in(&other), w.task(&b));
    assert!(w.result(&y, b"y").unwrap());
    w.client.transfer(&[y], None, Some(inner.key())).unwrap();
    w.end(&inner, true);
    assert_presence(&w, &y, "Gone");
    assert!(!w.result(&y, b"again").unwrap());
    w.engine.end_task(&b);
    for batch in [&outer, &other] {
        w.end(batch, true);
    }
    w.assert_empty();
}

#[test]
fn what_is_written_by_hand_or_not_at_all_is_told_apart() {
    let w = World::open();
    let b = w.start();
    let (_, slot) = w.client.create(b.key(), 1, b"", Kind::Bytes).unwrap();
    let id = ObjectId::from_slot(b.id(), b.key().life, slot.slot, slot.index);
    assert_presence(&w, &id, "Unsealed");
    w.client.transfer(&[id], None, Some(w.client.root())).unwrap();
    assert_presence(&w, &id, "Unsealed");
    assert!(w.engine.is_kept(&id));
    let forged = ObjectId::new(b.id(), b.key().life.wrapping_add(1 << 40), 0);
    assert_presence(&w, &forged, "Gone");
    assert!(!w.result(&forged, b"x").unwrap());
    assert_presence(&w, &ObjectId::new(BatchId(99), 1, 0), "Gone");
}

#[test]
fn c34_a_result_is_kept_before_it_is_made_and_goes_to_its_keeper_then() {
    let w = World::open();
    let outer = w.start_as(BatchSpec { max_objects: Some(3), ..BatchSpec::default() });
    let b = w.start_in(&outer);
    let (x, y) = (w.task(&b), w.task(&b));
    w.client.transfer(&[x], Some(b.key()), None).unwrap();
    let ended = w.client.end_batch(b.key(), true, &[y], Reason::Closed, "test").unwrap();
    assert!(ended.pending);
    assert_eq!((w.seen(&b), w.seen(&outer)), ((0, 0, 2), (0, 0, 0)));
    w.finish(&b, &x, b"x");
    assert_eq!((w.seen(&b), w.seen(&outer)), ((0, 0, 2), (1, 1, 0)));
    w.assert_has(&x, b"x");
    w.finish(&b, &y, &[7; 100_000]);
    assert_eq!(w.over(&b), Some(released(0, 0)), "it had nothing of its own any more");
    w.assert_has(&x, b"x");
    w.assert_has(&y, &[7; 100_000]);
    assert_eq!(w.end(&outer, true), released(2, 100_001));
    w.assert_empty();
}

#[test]
fn what_is_kept_before_it_is_made_can_be_given_further_and_only_by_its_keeper() {
    let w = World::open();
    let (outer, third) = (w.start(), w.start());
    let b = w.start_in(&outer);
    let x = w.task(&b);
    w.client.transfer(&[x], Some(b.key()), None).unwrap();
    let e = w.client.transfer(&[x], Some(third.key()), None).unwrap_err();
    assert_eq!(e.code(), ErrorCode::NotOwner, "{e}");
    w.client.transfer(&[x], Some(b.key()), None).unwrap(); // an ancestor's: stays
    w.client.transfer(&[x], Some(outer.key()), Some(third.key())).unwrap();
    assert_eq!((w.seen(&b).2, w.seen(&outer).2), (1, 1));
    w.finish(&b, &x, b"x");
    assert_eq!(w.seen(&third), (1, 1, 0));
    // a deletion of its maker does not reach what was given further
    w.client.delete_batch(b.key(), "test").unwrap();
    w.assert_has(&x, b"x");
    w.client.delete_batch(third.key(), "test").unwrap();
    assert_eq!(w.get(&x).unwrap_err().code(), ErrorCode::ObjectCollected);
}

#[test]
fn what_nobody_is_there_to_have_any_more_goes_with_its_maker() {
    let w = World::open();
    let (b, other) = (w.start(), w.start());
    let x = w.task(&b);
    w.client.transfer(&[x], Some(b.key()), Some(other.key())).unwrap();
    w.end(&other, true);
    let e = w.client.transfer(&[x], None, Some(w.client.root())).unwrap_err();
    assert_eq!(e.code(), ErrorCode::ObjectCollected, "{e}");
    w.finish(&b, &x, b"x");
    assert_eq!(w.end(&b, true), released(1, 1));
    w.assert_empty();
}

#[test]
fn a_full_store_makes_a_failure_of_what_was_to_be_kept() {
    let w = World::open_with(&[("store.size", "1048576")]);
    let (b, filler) = (w.start(), w.start());
    let (x, y) = (w.task(&b), w.task(&b));
    w.client.transfer(&[x, y], Some(b.key()), None).unwrap();
    let fill = |size| while w.client.put(filler.key(), Kind::Bytes, &&vec![0; size][..]).is_ok() {};
    // room in the region for a small object more, in the side table for none
    assert!(w.result(&x, &[1; 3000]).unwrap());
    fill(4096);
    fill(0);
    assert!(w.result(&y, &[1; 100]).unwrap());
    w.assert_has(&x, &[1; 3000]);
    assert_presence(&w, &y, "Sealed(Failure)");
    assert!(w.engine.is_kept(&y));
    w.end(&b, true);
    assert_eq!(w.get(&y).unwrap().as_deref(), Some(&[][..]), "no words: there was no memory");
    w.end(&filler, true);
    w.client.audit().unwrap();
}

/// A keep that races the result's making: it is moved once, by one of both.
#[test]
fn a_keep_and_the_making_at_once_lose_nothing() {
    let w = World::open();
    let outer = w.start();
    for round in 0..1000 {
        let b = w.start_in(&outer);
        let x = w.task(&b);
        scope(|s| {
            s.spawn(|| w.finish(&b, &x, b"x"));
            s.spawn(|| w.client.transfer(&[x], Some(b.key()), None).unwrap());
        });
        assert_eq!((w.seen(&b), w.seen(&outer)), ((0, 0, 1), (1, 1, 0)), "round {round}");
        w.client.delete_batch(b.key(), "test").unwrap();
        assert_eq!(w.seen(&outer), (0, 0, 0), "round {round}");
    }
    w.end(&outer, true);
    w.assert_empty();
}

/// Frees that race those who make it again.
#[test]
fn frees_and_refills_of_a_kept_result_leave_no_object_without_an_owner() {
    let w = World::open();
    let outer = w.start();
    let b = w.start_in(&outer);
    let x = w.task(&b);
    assert!(w.result(&x, b"x").unwrap());
    w.client.transfer(&[x], Some(b.key()), None).unwrap();
    for round in 0..2000 {
        scope(|s| {
            for _ in 0..2 {
                s.spawn(|| w.client.free(&[x]).unwrap());
            }
            s.spawn(|| w.result(&x, b"again").unwrap());
        });
        let there = u64::from(w.get(&x).is_ok());
        assert_eq!(w.seen(&outer), (there, there, 0), "round {round}");
    }
    w.engine.end_task(&b);
    w.end(&outer, true);
    w.assert_empty();
}

#[test]
fn normal_mode_and_a_store_that_ignores_batches_have_results_in_the_side_table() {
    for options in [&[][..], &[("eviction", "lru")][..]] {
        let w = World::open_with(options);
        let first = w.client.normal_block(3);
        let next = w.client.put(super::BatchKey::NORMAL, Kind::Bytes, &&b"put"[..]).unwrap();
        assert_eq!(next.slot, first + 3, "no put takes one of the block");
        let id = ObjectId::new(BatchId::NORMAL, w.client.normal_base().wrapping_add(first), 2);
        assert_presence(&w, &id, "Absent");
        assert!(w.result(&id, b"one").unwrap());
        assert!(!w.result(&id, b"two").unwrap());
        assert_presence(&w, &id, "Sealed(Bytes)");
        w.client.evict(u64::MAX).unwrap();
        assert_presence(&w, &id, "Absent");
        assert!(w.result(&id, b"two").unwrap(), "evicted, and made again");
        assert!(!w.engine.is_kept(&id));
    }
    let w = World::open_with(&[("eviction", "lru")]);
    let b = w.start();
    let id = w.task(&b);
    assert_eq!(w.put(&b, b"put").slot(b.key().life), id.slot(b.key().life) + 1);
    w.end(&b, true);
    w.finish(&b, &id, b"one");
    w.assert_has(&id, b"one");
}
