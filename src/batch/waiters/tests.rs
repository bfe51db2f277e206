//! What was asked for before a batch ended is there for those who asked, and for nobody longer than they need it.

use super::super::testing::World;
use super::super::{BatchSpec, Reason};
use super::*;
use crate::error::ErrorCode;
use crate::gcs::TaskRecord;
use crate::id::{BatchId, ObjectId};

const TOKEN: u64 = 7;

impl World {
    /// The id of a result that is not there yet.
    fn promised(&self, batch: &Batch) -> ObjectId {
        let first = self.engine.reserve_slots(batch, 1).unwrap();
        let task = batch.key().life.wrapping_add(first);
        self.engine.gcs().append(batch.id(), TaskRecord { task, count: 1 });
        ObjectId::new(batch.id(), task, 0)
    }

    /// A result that `TOKEN` claims, sealed, and not read.
    fn claimed(&self, batch: &Batch, bytes: &[u8]) -> ObjectId {
        let id = self.promised(batch);
        self.client.claim(&[id], TOKEN).unwrap();
        assert_eq!(self.get(&id).unwrap(), None, "to be waited for");
        assert!(self.engine.put_result(&id, Kind::Bytes, &bytes).unwrap());
        id
    }

    fn read(&self, token: u64, id: &ObjectId) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        self.client.get_claimed(token, id, &mut out).unwrap().map(|_| out)
    }

    #[track_caller]
    fn assert_collected(&self, id: &ObjectId) {
        assert_eq!(self.get(id).unwrap_err().code(), ErrorCode::ObjectCollected);
    }

    fn nothing_is_lent(&self) {
        self.client.audit().unwrap();
        let stats = self.client.stats().unwrap().store;
        assert_eq!((stats.draining, stats.objects), (0, 0));
    }
}

#[test]
fn a_claimed_object_is_read_after_its_batch_was_collected() {
    let w = World::open();
    let b = w.start();
    let id = w.claimed(&b, b"one");
    let other = w.promised(&b);
    assert!(w.engine.put_result(&other, Kind::Bytes, &&b"two"[..]).unwrap());
    assert_eq!(w.read(TOKEN, &id), None, "nothing is held before the collection");
    assert_eq!(w.end(&b, true).deferred, 1);
    w.assert_collected(&id);
    assert_eq!(w.read(TOKEN, &id).as_deref(), Some(&b"one"[..]));
    assert_eq!(w.read(TOKEN, &id).as_deref(), Some(&b"one"[..]), "until it is let go");
    assert_eq!(w.read(TOKEN + 1, &id), None, "for those who claimed it");
    assert_eq!(w.read(TOKEN, &other), None, "nobody claimed that one");
    assert!(w.client.stats().unwrap().store.draining > 0);
    w.client.unclaim(None, TOKEN);
    assert_eq!(w.read(TOKEN, &id), None);
    w.nothing_is_lent();
    assert!(w.engine.claims().is_empty());
}

#[test]
fn several_claims_share_an_object_and_end_one_by_one() {
    let w = World::open();
    let b = w.start();
    let (x, y) = (w.claimed(&b, b"x"), w.claimed(&b, b"y"));
    w.client.claim(&[x, y], TOKEN + 1).unwrap();
    w.end(&b, true);
    w.client.unclaim(Some(&[x]), TOKEN);
    assert_eq!((w.read(TOKEN, &x), w.read(TOKEN, &y).as_deref()), (None, Some(&b"y"[..])));
    w.client.unclaim(None, TOKEN);
    assert_eq!(w.read(TOKEN + 1, &x).as_deref(), Some(&b"x"[..]));
    w.client.unclaim(None, TOKEN + 1);
    w.nothing_is_lent();
}

#[test]
fn what_was_kept_is_read_after_its_new_owner_was_collected() {
    let w = World::open();
    let outer = w.start();
    let inner = w.start_in(&outer);
    let id = w.claimed(&inner, b"kept");
    w.client.transfer(&[id], Some(inner.key()), None).unwrap();
    w.end(&inner, true);
    assert_eq!(w.get(&id).unwrap().as_deref(), Some(&b"kept"[..]));
    w.end(&outer, true);
    w.assert_collected(&id);
    assert_eq!(w.read(TOKEN, &id).as_deref(), Some(&b"kept"[..]));
    w.client.unclaim(None, TOKEN);
    w.nothing_is_lent();
}

#[test]
fn what_a_batch_kept_and_deletes_is_read_by_those_who_asked_before() {
    let w = World::open();
    let outer = w.start();
    let inner = w.start_in(&outer);
    let id = w.claimed(&inner, b"kept");
    w.client.transfer(&[id], Some(inner.key()), None).unwrap();
    w.client.delete_batch(inner.key(), "test").unwrap();
    assert_eq!(w.read(TOKEN, &id).as_deref(), Some(&b"kept"[..]));
    w.client.unclaim(None, TOKEN);
    w.end(&outer, true);
    w.nothing_is_lent();
}

#[test]
fn inner_batches_hand_over_what_is_claimed_when_the_outer_one_is_collected() {
    let w = World::open();
    let outer = w.start();
    let inner = w.start_in(&outer);
    let id = w.claimed(&inner, b"inner");
    w.end(&outer, true);
    assert_eq!(w.read(TOKEN, &id).as_deref(), Some(&b"inner"[..]));
    w.client.unclaim(None, TOKEN);
    w.nothing_is_lent();
}

#[test]
fn those_who_wait_for_a_cancelled_batch_are_told_of_its_end() {
    let w = World::open();
    for reason in [Reason::Cancelled, Reason::TimedOut] {
        let b = w.start();
        let id = w.claimed(&b, b"late");
        w.client.end_batch(b.key(), true, &[], reason, "test").unwrap();
        assert_eq!(w.read(TOKEN, &id), None);
        w.client.unclaim(None, TOKEN);
    }
    w.nothing_is_lent();
}

#[test]
fn an_object_that_is_never_sealed_is_not_held() {
    let w = World::open();
    let b = w.start();
    let id = w.promised(&b);
    w.client.claim(&[id], TOKEN).unwrap();
    w.end(&b, true);
    assert_eq!(w.read(TOKEN, &id), None);
    assert!(!w.engine.claims().is_empty());
    w.client.unclaim(None, TOKEN);
    assert!(w.engine.claims().is_empty());
    w.nothing_is_lent();
}

#[test]
fn a_client_that_closes_ends_its_claims_and_no_others() {
    let w = World::open();
    let other = Client::connect(w.client.store_name()).unwrap();
    let b = w.start();
    let id = w.claimed(&b, b"one");
    other.claim(&[id], TOKEN + 1).unwrap();
    w.end(&b, true);
    other.close("test").unwrap();
    assert_eq!(other.claim(&[id], TOKEN + 1).unwrap_err().code(), ErrorCode::Closed);
    assert_eq!(w.read(TOKEN, &id).as_deref(), Some(&b"one"[..]));
    assert_eq!(w.read(TOKEN + 1, &id), None);
    w.client.unclaim(None, TOKEN);
    w.nothing_is_lent();
}

#[test]
fn a_spilled_object_is_read_after_its_batch_and_its_file_were_removed() {
    let directory = std::env::temp_dir().join(format!("raybatch-claims-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let w = World::open_with(&[("spill.directory", directory.to_str().unwrap())]);
    let b = w.start_as(BatchSpec::default());
    let bytes = vec![9; 200_000];
    let id = w.claimed(&b, &bytes);
    assert!(w.client.spill().unwrap() > 0);
    assert!(w.client.status(b.key()).unwrap().spilled > 0);
    w.end(&b, true);
    assert_eq!(w.read(TOKEN, &id), Some(bytes));
    w.client.unclaim(None, TOKEN);
    w.nothing_is_lent();
    w.client.close("test").unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn a_claimed_object_of_normal_mode_is_not_evicted_before_it_was_read() {
    let w = World::open();
    let ids = [1, 2, 3].map(|n| ObjectId::new(BatchId::NORMAL, n, 0));
    w.client.claim(&ids[..1], TOKEN).unwrap();
    for id in &ids {
        assert!(w.engine.put_result(id, Kind::Bytes, &&b"bytes"[..]).unwrap());
    }
    w.client.evict(u64::MAX).unwrap();
    assert_eq!(w.get(&ids[0]).unwrap().as_deref(), Some(&b"bytes"[..]));
    assert_eq!((w.get(&ids[1]).unwrap(), w.get(&ids[2]).unwrap()), (None, None));
    w.client.unclaim(None, TOKEN);
    w.client.evict(u64::MAX).unwrap();
    assert_eq!(w.get(&ids[0]).unwrap(), None);
    w.nothing_is_lent();
}

/// A waiter that claims and looks, and a collection, at once: the waiter sees the object or has it kept, or came too late and is
/// told so by the collection that it did not precede.
#[test]
fn a_waiter_that_found_nothing_yet_receives_the_value_whatever_the_collector_does() {
    let w = World::open();
    for round in 0..2000_u64 {
        let b = w.start();
        let id = w.promised(&b);
        let asked = std::sync::Barrier::new(2);
        std::thread::scope(|s| {
            s.spawn(|| {
                asked.wait();
                assert!(w.engine.put_result(&id, Kind::Bytes, &&round.to_le_bytes()[..]).unwrap());
                w.end(&b, true);
            });
            w.client.claim(&[id], round).unwrap();
            let before = w.get(&id).unwrap();
            assert_eq!(before, None);
            asked.wait();
            let value = loop {
                match w.get(&id) {
                    Ok(Some(value)) => break value,
                    Ok(None) => std::hint::spin_loop(),
                    Err(_) => break w.read(round, &id).expect("it is kept"),
                }
            };
            assert_eq!(value, round.to_le_bytes());
        });
        w.client.unclaim(None, round);
    }
    w.nothing_is_lent();
}
