//! How batches begin and end, seen from a client.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod batch_support;

use std::time::Duration;

use batch_support::{Calls, eventually, open, open_with};
use raybatch::batch::{BatchKey, BatchSpec, Client, Collected, Reason, State};
use raybatch::error::ErrorCode;
use raybatch::id::{BatchId, ObjectId};
use raybatch::store::{EventKind, Kind};

fn any(id: i64) -> BatchKey {
    BatchKey::any(BatchId(id))
}

#[test]
fn c32_nothing_is_freed_before_the_end_and_the_end_frees_all_but_what_is_kept() {
    let c = open();
    let outer = c.start();
    let x = c.put_bytes(outer, b"x");
    let inner = c.start_in(outer);
    let y = c.put_bytes(inner, b"y");
    let z = c.put_bytes(inner, b"z");
    for (id, bytes) in [(x, b"x"), (y, b"y"), (z, b"z")] {
        c.assert_has(&id, bytes);
    }
    let released = c.end_keeping(inner, &[z]);
    assert_eq!(released, Collected { objects: 1, bytes: 1, deferred: 0, pending: false });
    assert_eq!(c.code_of(&y), ErrorCode::ObjectCollected);
    c.assert_has(&z, b"z");
    c.assert_has(&x, b"x");
    assert_eq!((c.seen(outer).adopted, c.seen(outer).objects, c.seen(inner).kept), (1, 2, 1));
    c.audit().unwrap();
}

#[test]
fn c32_an_end_without_collection_frees_nothing() {
    let c = open();
    let b = c.start_id(7);
    let x = c.put_bytes(b, b"x");
    assert_eq!(c.end_batch(b, false, &[], Reason::Closed, "me").unwrap(), Collected::default());
    assert_eq!(c.state(b), State::Completed);
    c.assert_has(&x, b"x");
    assert_eq!(c.gc(any(7)).unwrap(), Collected { objects: 1, bytes: 1, deferred: 0, pending: false });
    assert_eq!(c.gc(any(7)).unwrap(), Collected::default(), "the second time there is nothing left");
    assert_eq!(c.state(b), State::Collected);
    assert_eq!(c.code_of(&x), ErrorCode::ObjectCollected);
}

#[test]
fn c33_what_is_kept_moves_to_the_parent_and_goes_with_it() {
    let c = open();
    let (outer, other) = (c.start(), c.start());
    let inner = c.start_in(outer);
    let (small, large) = (vec![1; 100], vec![2; 1 << 20]);
    let ids = [c.put_bytes(inner, &small), c.put_bytes(inner, &large)];
    c.transfer(&ids, Some(inner), None).unwrap();
    c.close_batch(inner, "test").unwrap();
    c.assert_has(&ids[0], &small);
    c.assert_has(&ids[1], &large);
    let listed = c.list(Some(outer)).unwrap();
    assert_eq!(listed.iter().map(|o| o.owner).collect::<Vec<_>>(), [outer.id; 2], "ids stay, owners change");
    let released = c.end(outer);
    assert_eq!((released.objects, released.bytes), (2, 100 + (1 << 20)));
    for id in &ids {
        let e = c.bytes(id).unwrap_err();
        assert_eq!(e.code(), ErrorCode::ObjectCollected);
        assert!(e.message().contains(&format!("with batch {}", outer.id)), "the heir is named: {e}");
    }
    c.close_batch(other, "test").unwrap();
    c.audit().unwrap();
    assert_eq!(c.stats().unwrap().objects, 0);
}

#[test]
fn c33_what_an_outermost_batch_keeps_lives_until_its_client_closes() {
    let c = open();
    let b = c.start();
    let x = c.put_bytes(b, b"x");
    c.end_keeping(b, &[x]);
    assert_eq!(c.evict(u64::MAX).unwrap(), 0, "never evicted");
    c.assert_has(&x, b"x");
    assert_eq!(c.seen(c.root()).adopted, 1);
}

#[test]
fn a_batch_that_ended_with_an_outer_one_names_it_and_its_reason() {
    let c = open();
    let a = c.start();
    let b = c.start_in(a);
    let d = c.start_in(b);
    c.end_batch(a, true, &[], Reason::TimedOut, "its timeout").unwrap();
    for inner in [b, d] {
        let status = c.seen(inner);
        assert_eq!((status.reason, status.ended_with), (Some(Reason::TimedOut), Some(a.id)));
        let e = c.try_put(inner, b"late").unwrap_err();
        assert_eq!((e.code(), e.figures()), (ErrorCode::BatchEnded, &[Reason::TimedOut as i64][..]));
        let outer = format!("ended with batch {} around it, which timed out", a.id);
        assert!(e.message().contains(&outer), "{e}");
    }
    assert_eq!(c.seen(a).ended_with, None);
    assert!(!c.try_put(a, b"late").unwrap_err().message().contains("around it"));
}

#[test]
fn c34_without_cleanup_a_close_leaves_all_and_a_delete_takes_all_it_kept_too() {
    let c = open();
    let outer = c.start();
    let spec = BatchSpec { parent: Some(outer), no_cleanup: true, ..BatchSpec::default() };
    let b = c.start_batch(spec, "test").unwrap();
    let (x, y) = (c.put_bytes(b, b"x"), c.put_bytes(b, b"y"));
    c.transfer(&[y], Some(b), None).unwrap();
    c.close_batch(b, "test").unwrap();
    c.close_batch(b, "test").unwrap();
    assert_eq!(c.state(b), State::Completed);
    c.assert_has(&x, b"x");
    c.delete_batch(b, "test").unwrap();
    assert_eq!(c.code_of(&x), ErrorCode::ObjectCollected);
    assert_eq!(c.code_of(&y), ErrorCode::ObjectNotFound, "kept, and deleted all the same");
    assert_eq!(c.seen(outer).adopted, 0);
    c.delete_batch(b, "test").unwrap();
    c.audit().unwrap();
}

#[test]
fn c34_a_delete_after_the_close_takes_what_was_kept_unless_it_was_given_further() {
    let c = open();
    let (outer, third) = (c.start(), c.start());
    let b = c.start_in(outer);
    let (x, y) = (c.put_bytes(b, b"x"), c.put_bytes(b, b"y"));
    c.end_keeping(b, &[x, y]);
    c.transfer(&[y], Some(outer), Some(third)).unwrap();
    c.delete_batch(b, "test").unwrap();
    assert_eq!(c.code_of(&x), ErrorCode::ObjectNotFound);
    c.assert_has(&y, b"y");
    c.end(outer);
    c.assert_has(&y, b"y");
    c.end(third);
    assert_eq!(c.code_of(&y), ErrorCode::ObjectCollected);
    c.audit().unwrap();
}

#[test]
fn c34_any_batch_can_be_deleted_while_it_is_open() {
    let c = open();
    let b = c.start();
    let inner = c.start_in(b);
    let x = c.put_bytes(inner, b"x");
    c.delete_batch(b, "test").unwrap();
    assert_eq!((c.state(b), c.state(inner)), (State::Collected, State::Collected));
    assert_eq!(c.code_of(&x), ErrorCode::ObjectCollected);
}

#[test]
fn c35_a_second_end_says_who_ended_it_first_when_and_why() {
    let c = open();
    let b =
        c.start_batch(BatchSpec { id: Some(BatchId(5)), name: Some("job".into()), ..Default::default() }, "a").unwrap();
    std::thread::scope(|s| {
        s.spawn(|| c.end_batch(b, false, &[], Reason::Cancelled, "thread one").unwrap());
    });
    for collected in [false, true] {
        let e = c.end_batch(b, true, &[], Reason::Closed, "thread two").unwrap_err();
        assert_eq!((e.code(), e.batch_id()), (ErrorCode::BatchEnded, Some(BatchId(5))));
        assert!(e.message().contains("batch 5 'job' was cancelled by thread one at 2"), "{e}");
        assert_eq!(e.message().contains("collected at"), collected, "{e}");
        c.gc(b).unwrap();
    }
}

#[test]
fn c35_of_many_who_end_a_batch_one_does() {
    let c = open();
    for _ in 0..100 {
        let b = c.start();
        let inner = c.start_in(b);
        c.put_bytes(inner, b"x");
        let ends = std::thread::scope(|s| {
            let tries: Vec<_> =
                (0..3).map(|_| s.spawn(|| c.end_batch(b, true, &[], Reason::Closed, "t").is_ok())).collect();
            tries.into_iter().map(|t| usize::from(t.join().unwrap())).sum::<usize>()
        });
        assert_eq!(ends, 1);
        assert_eq!((c.state(b), c.state(inner)), (State::Collected, State::Collected));
    }
    c.audit().unwrap();
}

#[test]
fn c37_a_timeout_ends_collects_wakes_and_says_so_later() {
    let c = open();
    let spec = BatchSpec { timeout: Some(Duration::from_millis(30)), ..BatchSpec::default() };
    let b = c.start_batch(spec, "test").unwrap();
    let inner = c.start_in(b);
    let x = c.put_bytes(inner, b"x");
    let (writer, slot) = c.create(inner, 10, b"", Kind::Bytes).unwrap();
    let pending = c.id_of(inner, slot);
    assert_eq!(c.bytes(&pending).unwrap(), None, "a blocked get waits for this one");
    let (wake, woken) = std::sync::mpsc::channel();
    let wake = std::sync::Mutex::new(wake);
    c.store().notifier().set_waker(Box::new(move |token| wake.lock().unwrap().send(token).unwrap_or(())));
    c.watch(&[pending], 77).unwrap();
    assert_eq!(woken.recv_timeout(Duration::from_secs(20)), Ok(77));
    assert_eq!(c.code_of(&pending), ErrorCode::ObjectCollected);
    assert_eq!(c.code_of(&x), ErrorCode::ObjectCollected);
    eventually("collected", || c.state(b) >= State::Draining);
    assert_eq!(c.seen(b).reason, Some(Reason::TimedOut));
    assert_eq!(c.seen(inner).reason, Some(Reason::TimedOut));
    let e = c.try_put(b, b"late").unwrap_err();
    assert_eq!(e.code(), ErrorCode::BatchEnded);
    assert!(e.message().contains("timed out after 30 ms"), "{e}");
    assert!(c.writer(writer).unwrap().seal().is_err());
    c.drop_writer(writer);
    c.audit().unwrap();
}

#[test]
fn c37_a_batch_that_ends_in_time_is_left_alone() {
    let c = open();
    let spec = BatchSpec { timeout: Some(Duration::from_millis(20)), ..BatchSpec::default() };
    let ended = c.start_batch(spec.clone(), "test").unwrap();
    c.end_batch(ended, false, &[], Reason::Closed, "me").unwrap();
    let long = c.start_batch(BatchSpec { timeout: Some(Duration::from_secs(3600)), ..spec.clone() }, "test").unwrap();
    let last = c.start_batch(spec, "test").unwrap();
    eventually("the other's timeout", || c.state(last) == State::Collected);
    assert_eq!((c.state(ended), c.seen(ended).reason), (State::Completed, Some(Reason::Closed)));
    assert_eq!(c.state(long), State::Waiting);
}

#[test]
fn c38_an_inner_batch_uses_outer_objects_and_a_collected_siblings_fail() {
    let c = open();
    let outer = c.start();
    let x = c.put_bytes(outer, b"x");
    let (a, b) = (c.start_in(outer), c.start_in(outer));
    let y = c.put_bytes(a, b"y");
    c.transfer(&[x], Some(b), None).unwrap();
    assert_eq!(c.seen(outer).objects, 1, "to keep an outer object does nothing");
    c.assert_has(&y, b"y");
    c.end(a);
    let e = c.bytes(&y).unwrap_err();
    assert_eq!(e.code(), ErrorCode::ObjectCollected);
    assert!(e.message().contains(&format!("batch {}", a.id)) && e.message().contains("ended by test"), "{e}");
    c.end(b);
    c.assert_has(&x, b"x");
}

#[test]
fn ends_go_inwards_first_and_the_newest_first() {
    let c = open();
    let sub = c.subscribe(1).unwrap();
    let a = c.start();
    let (b, d) = (c.start_in(a), c.start_in(a));
    let e = c.start_in(b);
    c.end(a);
    let events = c.subscription(sub).unwrap().poll(100).unwrap();
    let of = |kind| events.iter().filter(|x| x.kind == kind).map(|x| x.id.batch).collect::<Vec<_>>();
    assert_eq!(of(EventKind::BatchEnded), [d.id, e.id, b.id, a.id]);
    assert_eq!(of(EventKind::BatchCollected), [d.id, e.id, b.id, a.id]);
}

#[test]
fn an_outer_end_takes_everything_in_it_cleaned_up_or_not() {
    let c = open();
    let a = c.start();
    let spec = BatchSpec { parent: Some(a), no_cleanup: true, ..BatchSpec::default() };
    let b = c.start_batch(spec, "test").unwrap();
    c.put_bytes(b, b"123");
    c.close_batch(b, "test").unwrap();
    assert_eq!(c.end(a), Collected { objects: 1, bytes: 3, deferred: 0, pending: false });
    assert_eq!(c.state(b), State::Collected);
}

#[test]
fn a_batch_that_is_over_takes_no_work_and_no_inner_batch() {
    let c = open();
    let b = c.start();
    assert_eq!(c.state(b), State::Waiting);
    c.put_bytes(b, b"x");
    assert_eq!(c.state(b), State::Running);
    c.end_batch(b, false, &[], Reason::Closed, "me").unwrap();
    for collected in [false, true] {
        let put = c.try_put(b, b"y").unwrap_err();
        let create = c.create(b, 1, b"", Kind::Bytes).unwrap_err();
        let start = c.start_batch(BatchSpec { parent: Some(b), ..BatchSpec::default() }, "t").unwrap_err();
        for e in [put, create, start] {
            assert_eq!(e.code(), ErrorCode::BatchEnded, "{e}");
            assert!(e.message().contains("ended by me at"), "{e}");
            assert_eq!(e.message().contains("collected at"), collected, "{e}");
        }
        c.gc(b).unwrap();
    }
}

#[test]
fn only_an_ended_batch_is_collected_and_only_a_known_one() {
    let c = open();
    let b = c.start_id(3);
    assert_eq!(c.gc(b).unwrap_err().code(), ErrorCode::BatchActive);
    for e in [
        c.gc(any(4)).unwrap_err(),
        c.end_batch(any(4), true, &[], Reason::Closed, "t").unwrap_err(),
        c.close_batch(any(4), "t").unwrap_err(),
        c.delete_batch(any(4), "t").unwrap_err(),
        c.status(any(4)).unwrap_err(),
        c.try_put(BatchKey { id: BatchId(4), life: 1 }, b"x").unwrap_err(),
        c.bytes(&ObjectId::new(BatchId(4), 1, 0)).unwrap_err(),
    ] {
        assert_eq!((e.code(), e.batch_id()), (ErrorCode::BatchNotFound, Some(BatchId(4))));
    }
    // by handle: a life that is gone is nobody's concern
    c.close_batch(BatchKey { id: BatchId(3), life: b.life ^ 1 }, "t").unwrap();
    c.delete_batch(BatchKey { id: BatchId(4), life: 5 }, "t").unwrap();
    assert_eq!(c.state(b), State::Waiting);
}

#[test]
fn ids_are_chosen_above_zero_or_reserved_first() {
    let c = open();
    let spec = |id| BatchSpec { id: Some(BatchId(id)), ..BatchSpec::default() };
    for id in [0, -1, -99, i64::MIN] {
        let e = c.start_batch(spec(id), "t").unwrap_err();
        assert_eq!(e.code(), if id == c.root().id.0 { ErrorCode::BatchExists } else { ErrorCode::InvalidArgument });
    }
    c.start_id(i64::MAX);
    let reserved = c.new_batch_id().unwrap();
    assert!(reserved.0 < 0);
    let b = c.start_id(reserved.0);
    assert_eq!(c.start_batch(spec(reserved.0), "t").unwrap_err().code(), ErrorCode::BatchExists);
    c.end(b);
    assert_eq!(c.start_batch(spec(reserved.0), "t").unwrap_err().code(), ErrorCode::InvalidArgument, "used once");
    assert!(c.start().id.0 < 0);
}

#[test]
fn a_live_id_is_refused_and_a_collected_one_begins_a_new_life() {
    let c = open();
    let spec = || BatchSpec { id: Some(BatchId(8)), ..BatchSpec::default() };
    let first = c.start_id(8);
    let old = c.put_bytes(first, b"old");
    let e = c.start_batch(spec(), "t").unwrap_err();
    assert!(e.code() == ErrorCode::BatchExists && e.message().contains("end it before"), "{e}");
    c.end_batch(first, false, &[], Reason::Closed, "t").unwrap();
    let e = c.start_batch(spec(), "t").unwrap_err();
    assert!(e.code() == ErrorCode::BatchExists && e.message().contains("not collected yet"), "{e}");
    c.gc(first).unwrap();
    let second = c.start_id(8);
    assert_ne!(first.life, second.life);
    let new = c.put_bytes(second, b"new");
    let e = c.bytes(&old).unwrap_err();
    assert_eq!(e.code(), ErrorCode::ObjectCollected, "an old reference never names a new object: {e}");
    c.assert_has(&new, b"new");
    assert_eq!(c.try_put(first, b"x").unwrap_err().code(), ErrorCode::BatchEnded, "the old handle");
    assert_eq!(c.seen(first).state, State::Collected);
    assert_eq!(c.seen(any(8)).key, second, "by id alone, the one that lives");
}

#[test]
fn what_an_earlier_life_kept_is_found_while_a_later_one_lives() {
    let c = open();
    let first = c.start_id(8);
    let kept = c.put_bytes(first, b"kept");
    c.end_keeping(first, &[kept]);
    let second = c.start_id(8);
    c.assert_has(&kept, b"kept");
    let again = c.put_bytes(second, b"again");
    c.end(second);
    c.assert_has(&kept, b"kept");
    assert_eq!(c.code_of(&again), ErrorCode::ObjectCollected);
    c.delete_batch(first, "t").unwrap();
    assert_eq!(c.code_of(&kept), ErrorCode::ObjectNotFound);
}

#[test]
fn batches_are_listed_oldest_first_without_roots() {
    let c = open();
    let a = c.start();
    let b = c.start_id(5);
    let d = c.start_in(b);
    assert_eq!(c.batches().unwrap(), [a.id, b.id, d.id]);
    let seen = c.seen(b);
    assert_eq!((seen.parent, seen.children), (c.root().id, vec![d.id]));
    assert_eq!(c.seen(d).parent, b.id);
    assert_eq!(c.stats().unwrap().live_batches, 3);
    c.end(b);
    assert_eq!(c.batches().unwrap(), [a.id]);
}

#[test]
fn status_tells_what_was_given_and_what_became_of_it() {
    let c = open();
    let spec = BatchSpec {
        id: Some(BatchId(9)),
        name: Some("nine".into()),
        timeout: Some(Duration::from_secs(60)),
        max_bytes: Some(1000),
        max_objects: Some(10),
        priority: -3,
        no_cleanup: true,
        ..BatchSpec::default()
    };
    let b = c.start_batch(spec, "starter").unwrap();
    c.put_bytes(b, &[0; 100]);
    let s = c.seen(b);
    assert_eq!((s.name.as_deref(), s.timeout, s.priority), (Some("nine"), Some(Duration::from_secs(60)), -3));
    assert_eq!((s.max_bytes, s.max_objects, s.no_cleanup), (Some(1000), Some(10), true));
    assert_eq!((s.objects, s.bytes, s.peak_bytes, s.reason), (1, 100, 100, None));
    assert!(s.held >= 4096 && s.started_ms > 0 && s.ended_ms == 0 && s.collected_ms == 0);
    c.end_batch(b, true, &[], Reason::Leaked, "ender").unwrap();
    let s = c.seen(b);
    assert_eq!((s.state, s.reason, s.started_by.as_str()), (State::Collected, Some(Reason::Leaked), "starter"));
    assert_eq!((s.ended_by.as_deref(), s.objects, s.bytes, s.peak_bytes), (Some("ender"), 1, 100, 100));
    assert!(s.ended_ms >= s.started_ms && s.collected_ms >= s.ended_ms && s.held == 0);
}

#[test]
fn a_pinned_object_stays_readable_and_its_batch_drains_with_the_last_release() {
    let c = open();
    let b = c.start();
    let x = c.put_bytes(b, b"held");
    let (view, pin) = c.read(&x).unwrap().unwrap();
    assert_eq!(c.seen(b).pins, 1);
    let released = c.end(b);
    assert_eq!(released, Collected { objects: 1, bytes: 4, deferred: 1, pending: false });
    assert_eq!((c.state(b), c.seen(b).pins), (State::Draining, 1));
    assert_eq!(pin.data().to_vec(), b"held");
    assert_eq!(c.code_of(&x), ErrorCode::ObjectCollected);
    c.audit().unwrap();
    drop(pin);
    c.release_view(view);
    c.release_view(view);
    assert_eq!(c.state(b), State::Collected);
    assert_eq!(c.stats().unwrap().store.draining, 0);
    c.audit().unwrap();
}

#[test]
fn tombstones_are_as_many_as_asked_for_and_longer_while_an_heir_lives() {
    let c = open_with(&[("tombstones", "2")]);
    let first = c.start();
    let (kept, gone) = (c.put_bytes(first, b"k"), c.put_bytes(first, b"g"));
    c.end_keeping(first, &[kept]);
    let others: Vec<_> = (0..5)
        .map(|_| {
            let b = c.start();
            c.end(b);
            b
        })
        .collect();
    assert_eq!(c.code_of(&gone), ErrorCode::ObjectCollected, "remembered for its heir's sake");
    assert_eq!(c.status(others[0]).unwrap_err().code(), ErrorCode::BatchNotFound);
    assert!(c.status(others[4]).is_ok());
    c.delete(&[kept]).unwrap();
    for _ in 0..3 {
        c.end(c.start());
    }
    assert_eq!(c.code_of(&gone), ErrorCode::BatchNotFound, "its heir is gone, and so is it");
}

#[test]
fn a_root_ends_with_its_client_only() {
    let c = open();
    let root = c.root();
    for e in [
        c.end_batch(root, true, &[], Reason::Closed, "t").unwrap_err(),
        c.close_batch(root, "t").unwrap_err(),
        c.delete_batch(root, "t").unwrap_err(),
        c.gc(root).unwrap_err(),
    ] {
        assert_eq!(e.code(), ErrorCode::InvalidArgument);
    }
    assert_eq!(c.state(root), State::Running);
}

#[test]
fn ten_thousand_batches_within_each_other_end_as_one() {
    let c = open();
    let top = c.start();
    let mut at = top;
    for _ in 0..10_000 {
        at = c.start_in(at);
    }
    let x = c.put_bytes(at, b"x");
    assert_eq!(c.end(top).objects, 1);
    assert_eq!(c.code_of(&x), ErrorCode::ObjectCollected);
    assert!(c.batches().unwrap().is_empty());
    c.audit().unwrap();
}

#[test]
fn memory_of_a_collected_batch_goes_back_to_the_system_by_itself() {
    let c: std::sync::Arc<Client> = open_with(&[("store.size", "67108864"), ("store.warmReserve", "0")]);
    let b = c.start();
    c.put_bytes(b, &vec![1; 32 << 20]);
    c.end(b);
    let few = |c: &Client| c.stats().unwrap().store.backed < 16 << 20;
    assert!(!few(&c), "not at once");
    eventually("given back", || few(&c) && c.audit().is_ok());
}
