//! The lives of batches that have tasks, as the task room brings them about.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::scope;
use std::time::{Duration, Instant};

use super::super::life::Mark;
use super::super::testing::{Told, World, released, states};
use super::super::{Batch, BatchKey, BatchSpec, Client, Collected, Reason, State, TaskCounts};
use crate::error::ErrorCode;
use crate::id::BatchId;

use State::{Collected as Gone, Completed, Ended, Running, Waiting};

/// Waits for what another thread will do.
fn eventually(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "{what}: not within 20 s");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn c36_a_batch_completes_after_its_last_task_and_tasks_start_further_ones_till_then() {
    let w = World::open();
    let b = w.start();
    assert_eq!(b.state(), Waiting);
    b.take_task(false).unwrap();
    assert_eq!(b.state(), Running);
    let x = w.put(&b, b"x");
    assert_eq!(w.end(&b, true), Collected::PENDING);
    assert_eq!(b.state(), Ended);
    let e = b.take_task(false).unwrap_err();
    assert!(e.code() == ErrorCode::BatchEnded && e.message().contains("was ended by test at"), "{e}");
    // a chain of tasks, each started by the one before
    for _ in 0..5 {
        b.take_task(true).unwrap();
        w.engine.end_task(&b);
        assert_eq!((b.state(), w.over(&b)), (Ended, None));
        assert_eq!(w.get(&x).unwrap().as_deref(), Some(&b"x"[..]), "its own tasks see its objects");
    }
    w.engine.end_task(&b);
    assert_eq!((b.state(), w.over(&b)), (Gone, Some(released(1, 1))));
    assert_eq!(b.take_task(true).unwrap_err().code(), ErrorCode::BatchEnded);
    w.assert_empty();
}

#[test]
fn a_task_that_is_over_before_the_end_is_nothing_to_wait_for() {
    let w = World::open();
    let b = w.busy();
    w.engine.end_task(&b);
    assert_eq!(b.state(), Running);
    assert_eq!(w.end(&b, true), released(0, 0));
    assert_eq!(w.room.told(), [Told::Collecting(b.key()), Told::Collected(b.key())], "no task to tell the end of");
}

#[test]
fn an_end_without_collection_leaves_the_objects_till_they_are_collected() {
    let w = World::open();
    let b = w.busy();
    let x = w.put(&b, b"x");
    assert_eq!(w.end(&b, false), Collected::PENDING);
    let e = w.client.gc(b.key()).unwrap_err();
    assert!(e.code() == ErrorCode::BatchActive && e.message().contains("ended by test"), "{e}");
    w.engine.end_task(&b);
    assert_eq!((b.state(), w.over(&b)), (Completed, Some(Collected::default())));
    assert!(w.get(&x).unwrap().is_some());
    assert_eq!(w.client.gc(b.key()).unwrap(), released(1, 1));
    assert_eq!(w.over(&b), Some(released(1, 1)));
}

#[test]
fn collection_that_is_asked_for_later_follows_the_last_task_too() {
    let w = World::open();
    let b = w.busy();
    w.put(&b, b"x");
    assert_eq!(w.end(&b, false), Collected::PENDING);
    for _ in 0..2 {
        assert_eq!(w.client.close_batch(b.key(), "me").unwrap(), Collected::PENDING);
    }
    w.engine.end_task(&b);
    assert_eq!(w.over(&b), Some(released(1, 1)));
    assert_eq!(w.client.close_batch(b.key(), "me").unwrap(), Collected::default());
    w.assert_empty();
}

#[test]
fn a_close_of_one_that_is_not_to_be_cleaned_up_waits_and_collects_nothing() {
    let w = World::open();
    let b = w.start_as(BatchSpec { no_cleanup: true, ..BatchSpec::default() });
    b.begin_task(false).unwrap();
    assert_eq!(w.client.close_batch(b.key(), "me").unwrap(), Collected::PENDING);
    w.engine.end_task(&b);
    assert_eq!((b.state(), w.over(&b)), (Completed, Some(Collected::default())));
    assert_eq!(w.client.close_batch(b.key(), "me").unwrap(), Collected::default());
}

#[test]
fn a_deletion_takes_what_was_kept_too_when_the_last_task_is_over() {
    let w = World::open();
    let (outer, third) = (w.start(), w.start());
    let b = w.busy_in(&outer);
    let (x, y) = (w.put(&b, b"x"), w.put(&b, b"y"));
    w.client.transfer(&[x, y], Some(b.key()), None).unwrap();
    w.client.transfer(&[y], Some(outer.key()), Some(third.key())).unwrap();
    assert_eq!(w.end(&b, true), Collected::PENDING);
    assert_eq!(w.client.delete_batch(b.key(), "me").unwrap(), Collected::PENDING);
    assert!(w.get(&x).unwrap().is_some());
    w.engine.end_task(&b);
    assert_eq!(b.state(), Gone);
    assert_eq!(w.get(&x).unwrap_err().code(), ErrorCode::ObjectNotFound);
    assert!(w.get(&y).unwrap().is_some(), "given further");
}

#[test]
fn an_outer_batch_completes_after_those_within_it() {
    let w = World::open();
    let outer = w.busy();
    let (idle, inner) = (w.start_in(&outer), w.busy_in(&outer));
    let innermost = w.busy_in(&inner);
    let x = w.put(&idle, b"x");
    assert_eq!(w.end(&outer, true), Collected::PENDING);
    assert_eq!(states([&outer, &idle, &inner, &innermost]), [Ended, Completed, Ended, Ended]);
    for busy in [&outer, &inner] {
        assert_eq!(w.client.gc(busy.key()).unwrap_err().code(), ErrorCode::BatchActive);
    }
    w.engine.end_task(&outer);
    w.engine.end_task(&inner);
    assert_eq!(states([&outer, &inner, &innermost]), [Ended; 3], "they wait for the innermost");
    assert!(w.get(&x).unwrap().is_some(), "an outer batch's tasks may use what is within it");
    w.engine.end_task(&innermost);
    assert_eq!(states([&outer, &idle, &inner, &innermost]), [Gone; 4]);
    assert_eq!(w.over(&outer), Some(released(1, 1)), "with all that is within it");
    assert_eq!(w.over(&inner), Some(released(0, 0)));
    w.assert_empty();
}

#[test]
fn an_inner_batch_is_collected_with_its_own_last_task_and_before_the_outer_is_over() {
    let w = World::open();
    let outer = w.busy();
    let inner = w.busy_in(&outer);
    let x = w.put(&inner, b"x");
    w.client.close_batch(inner.key(), "me").unwrap();
    assert_eq!(w.end(&outer, false), Collected::PENDING);
    w.engine.end_task(&inner);
    assert_eq!(states([&outer, &inner]), [Ended, Gone]);
    assert_eq!(w.get(&x).unwrap_err().code(), ErrorCode::ObjectCollected);
    w.engine.end_task(&outer);
    assert_eq!(outer.state(), Completed);
}

/// An outer batch with no task of its own takes one from a task within it, and waits for it when the inner one is over.
#[test]
fn a_task_of_an_inner_batch_starts_one_in_the_outer() {
    let w = World::open();
    let outer = w.start();
    let inner = w.busy_in(&outer);
    w.end(&outer, true);
    assert_eq!(outer.begin_task(false).unwrap_err().state, Ended);
    outer.begin_task(true).unwrap();
    w.engine.end_task(&inner);
    assert_eq!(states([&outer, &inner]), [Ended, Completed]);
    w.engine.end_task(&outer);
    assert_eq!(states([&outer, &inner]), [Gone; 2]);
}

#[test]
fn ends_and_last_tasks_in_any_order_on_many_threads_collect_once() {
    let w = World::open();
    for round in 0..300 {
        let outer = w.busy();
        let inner = w.busy_in(&outer);
        w.put(&inner, b"x");
        let ends = AtomicUsize::new(0);
        scope(|s| {
            for batch in [&outer, &inner] {
                s.spawn(|| {
                    // a task that starts another one
                    batch.begin_task(true).unwrap();
                    w.engine.end_task(batch);
                    w.engine.end_task(batch);
                });
            }
            for n in 0..3 {
                let (w, ends, batch) = (&w, &ends, if n == 2 { &inner } else { &outer });
                s.spawn(move || {
                    let ended = w.client.end_batch(batch.key(), n != 1, &[], Reason::Closed, "t");
                    ends.fetch_add(usize::from(ended.is_ok() && n < 2), Ordering::Relaxed);
                    w.client.close_batch(batch.key(), "t").unwrap();
                });
            }
        });
        assert_eq!(ends.load(Ordering::Relaxed), 1, "round {round}: one of two ended the outer one");
        assert_eq!(states([&outer, &inner]), [Gone; 2], "round {round}");
        let told = w.room.told();
        for batch in [&outer, &inner] {
            let of = |what: Told| told.iter().filter(|t| **t == what).count();
            assert_eq!((of(Told::Collecting(batch.key())), of(Told::Collected(batch.key()))), (1, 1), "{told:?}");
        }
    }
    w.assert_empty();
}

#[test]
fn the_task_room_hears_of_ends_that_wait_for_tasks_and_of_collections() {
    let w = World::open();
    let (outer, tiny) = (w.start(), w.start());
    let (idle, inner) = (w.start_in(&outer), w.busy_in(&outer));
    w.end(&tiny, true);
    assert_eq!(w.room.told(), [], "never had a task");
    w.client.end_batch(inner.key(), true, &[], Reason::Closed, "me").unwrap();
    assert_eq!(w.room.told(), [Told::Ended(inner.key(), Reason::Closed)]);
    w.client.end_batch(outer.key(), true, &[], Reason::Cancelled, "me").unwrap();
    let cancelled = [&inner, &outer].map(|b| Told::Ended(b.key(), Reason::Cancelled));
    assert_eq!(w.room.told(), cancelled, "the inner one again, to be cancelled now");
    w.engine.end_task(&inner);
    assert_eq!(w.room.told(), [Told::Collecting(inner.key()), Told::Collected(inner.key())]);
    assert_eq!(states([&outer, &idle]), [Gone; 2]);
}

#[test]
fn a_batch_without_tasks_is_minded_when_asked_for() {
    let w = World::open();
    let b = w.start();
    assert!(b.mind_tasks());
    w.end(&b, true);
    assert_eq!(w.room.told(), [Told::Collecting(b.key()), Told::Collected(b.key())]);
    assert!(!b.mind_tasks(), "it is gone");
}

#[test]
fn a_cancelled_batch_that_had_ended_has_its_tasks_cancelled() {
    let w = World::open();
    let b = w.busy();
    w.end(&b, false);
    w.room.told();
    assert_eq!(w.client.cancel_batch(b.key(), "me").unwrap(), Collected::PENDING);
    assert_eq!(w.room.told(), [Told::Ended(b.key(), Reason::Cancelled)]);
    assert_eq!(b.end().unwrap().reason, Reason::Closed, "why it ended stays");
    w.engine.end_task(&b);
    assert_eq!(b.state(), Gone);
    assert_eq!(w.client.cancel_batch(b.key(), "me").unwrap(), Collected::default());
}

#[test]
fn c37_a_timeout_cancels_the_tasks_and_collects_after_the_last() {
    let w = World::open();
    let spec = BatchSpec { timeout: Some(Duration::from_millis(1)), ..BatchSpec::default() };
    let b = w.start_as(BatchSpec { timeout: Some(Duration::from_millis(30)), ..spec.clone() });
    b.begin_task(false).unwrap();
    let x = w.put(&b, b"x");
    eventually("the timeout", || b.state() == Ended);
    eventually("told", || w.room.told() == [Told::Ended(b.key(), Reason::TimedOut)]);
    assert!(w.get(&x).unwrap().is_some());
    w.engine.end_task(&b);
    assert_eq!(b.state(), Gone);
    // one that was ended in time, but its tasks are not over
    let b = w.start_as(BatchSpec { timeout: Some(Duration::from_millis(100)), ..spec });
    b.begin_task(false).unwrap();
    w.end(&b, false);
    eventually("told", || w.room.told().contains(&Told::Ended(b.key(), Reason::TimedOut)));
    w.engine.end_task(&b);
    assert_eq!(b.state(), Completed, "its objects stay, as was asked for");
}

#[test]
fn a_watch_is_woken_once_when_the_batch_is_over() {
    let w = World::open();
    // completed only
    let b = w.busy();
    w.client.watch_batch(b.key(), 1).unwrap();
    w.end(&b, false);
    assert_eq!((w.woken(), w.over(&b)), (vec![], None));
    w.engine.end_task(&b);
    assert_eq!((w.woken(), w.over(&b)), (vec![1], Some(Collected::default())));
    w.client.gc(b.key()).unwrap();
    assert_eq!(w.woken(), []);
    // collected, by its id, together with a second one
    let b = w.busy();
    w.client.watch_batch(BatchKey::any(b.id()), 2).unwrap();
    w.client.watch_batch(b.key(), 3).unwrap();
    w.client.watch_batch(b.key(), 4).unwrap();
    w.client.unwatch(4);
    w.end(&b, true);
    assert_eq!(w.woken(), []);
    w.engine.end_task(&b);
    let mut woken = w.woken();
    woken.sort_unstable();
    assert_eq!((woken, w.over(&b)), (vec![2, 3], Some(released(0, 0))));
    // without tasks, by somebody else's end
    let b = w.start();
    w.client.watch_batch(b.key(), 5).unwrap();
    w.end(&b, false);
    assert_eq!((w.woken(), w.over(&b)), (vec![5], Some(Collected::default())));
    // over before
    w.client.watch_batch(b.key(), 6).unwrap();
    assert_eq!(w.over(&b), Some(Collected::default()), "who looks after registering sees it");
    w.client.unwatch(6);
    assert_eq!(w.client.batch_over(BatchKey::any(BatchId(99))).unwrap_err().code(), ErrorCode::BatchNotFound);
}

/// Whoever registers and then looks either sees that it is over or is woken, on every interleaving.
#[test]
fn no_watch_is_missed() {
    let w = World::open();
    for round in 0..2000u64 {
        let outer = w.busy();
        let b = w.busy_in(&outer);
        let collect = round % 2 == 0;
        let seen = scope(|s| {
            let watcher = s.spawn(|| {
                w.client.watch_batch(outer.key(), round).unwrap();
                w.over(&outer)
            });
            s.spawn(|| w.engine.end_task(&b));
            s.spawn(|| {
                w.end(&outer, collect);
                w.engine.end_task(&outer);
            });
            watcher.join().unwrap()
        });
        assert!(w.over(&outer).is_some(), "round {round}");
        let woken = w.woken();
        assert!(woken == [round] || (woken.is_empty() && seen.is_some()), "round {round}: {woken:?}, {seen:?}");
        w.client.unwatch(round);
        w.client.gc(outer.key()).unwrap();
    }
    w.assert_empty();
}

#[test]
fn an_id_is_free_when_its_batch_is_over() {
    let w = World::open();
    for round in 0..500u64 {
        let b = w.start_as(BatchSpec { id: Some(BatchId(7)), ..BatchSpec::default() });
        b.begin_task(false).unwrap();
        w.end(&b, true);
        scope(|s| {
            s.spawn(|| w.engine.end_task(&b));
            while w.over(&b).is_none() {
                std::thread::yield_now();
            }
            let again = w.client.start_batch(BatchSpec { id: Some(BatchId(7)), ..BatchSpec::default() }, "t");
            w.client.close_batch(again.unwrap(), "t").unwrap();
        });
        assert_eq!(w.over(&b), Some(released(0, 0)), "round {round}");
    }
}

#[test]
fn when_a_deleted_batch_is_over_what_it_kept_is_gone() {
    let w = World::open();
    let outer = w.start();
    for round in 0..500 {
        let b = w.busy_in(&outer);
        let x = w.put(&b, b"x");
        w.client.transfer(&[x], Some(b.key()), None).unwrap();
        w.client.delete_batch(b.key(), "test").unwrap();
        scope(|s| {
            s.spawn(|| w.engine.end_task(&b));
            while w.over(&b).is_none() {
                std::thread::yield_now();
            }
            assert_eq!(w.get(&x).unwrap_err().code(), ErrorCode::ObjectNotFound, "round {round}");
        });
    }
    w.end(&outer, true);
    w.assert_empty();
}

#[test]
fn status_counts_tasks() {
    let w = World::open();
    let spec = BatchSpec { max_tasks: Some(3), checkpoint_actors: true, ..BatchSpec::default() };
    let b = w.start_as(spec);
    let seen = |b: &Batch| w.client.status(b.key()).unwrap();
    assert_eq!((seen(&b).max_tasks, seen(&b).checkpoint_actors), (Some(3), true));
    assert_eq!((seen(&b).tasks_active, seen(&b).tasks_done), (0, 0), "never had a task");
    b.begin_task(false).unwrap();
    b.begin_task(false).unwrap();
    let s = seen(&b);
    let counts = TaskCounts {
        waiting: s.tasks_waiting,
        ready: s.tasks_ready,
        running: s.tasks_running,
        done: s.tasks_done,
        failed: s.tasks_failed,
        held: 0,
    };
    assert_eq!(s.tasks_active, 2);
    assert_eq!(counts, TaskCounts { waiting: 1, ready: 2, running: 3, done: 4, failed: 5, held: 0 }, "the task room's");
    let none = BatchSpec { max_tasks: Some(0), ..BatchSpec::default() };
    assert_eq!(w.client.start_batch(none, "t").unwrap_err().code(), ErrorCode::InvalidArgument);
}

#[test]
fn a_client_that_closes_cancels_its_tasks_and_each_batch_goes_with_its_own_last() {
    let w = World::open_with(&[("name", "client-closes")]);
    let other = Client::connect("client-closes").unwrap();
    let find = |parent| {
        let key = other.start_batch(BatchSpec { parent, ..BatchSpec::default() }, "test").unwrap();
        w.engine.find(key).unwrap()
    };
    let (idle, a, b) = (find(None), find(None), find(None));
    let within = find(Some(a.key()));
    for batch in [&a, &b] {
        batch.begin_task(false).unwrap();
        w.put(batch, b"x");
    }
    let (root, mine) = (w.engine.find(other.root()).unwrap(), w.busy());
    other.close("me").unwrap();
    assert_eq!(states([&idle, &within, &a, &b, &root, &mine]), [Gone, Gone, Ended, Ended, Ended, Running]);
    assert_eq!(w.room.told(), [&b, &a, &root].map(|b| Told::Ended(b.key(), Reason::Cancelled)));
    w.engine.end_task(&a);
    assert_eq!(states([&a, &b, &root]), [Gone, Ended, Ended]);
    w.engine.end_task(&b);
    assert_eq!(states([&a, &b, &root, &mine]), [Gone, Gone, Gone, Running]);
    w.engine.end_task(&mine);
    w.end(&mine, true);
    w.assert_empty();
}

#[test]
fn a_store_that_closes_collects_everything_and_tasks_that_are_over_later_do_no_harm() {
    let w = World::open();
    let outer = w.busy();
    let inner = w.busy_in(&outer);
    w.client.close_batch(inner.key(), "me").unwrap();
    w.put(&outer, b"x");
    w.client.watch_batch(outer.key(), 9).unwrap();
    w.room.told();
    w.room.closing.store(true, Ordering::Relaxed);
    w.client.close("me").unwrap();
    assert_eq!(states([&outer, &inner]), [Gone; 2]);
    let told = w.room.told();
    for batch in [&outer, &inner] {
        assert!(told.contains(&Told::Ended(batch.key(), Reason::Cancelled)), "{told:?}");
        assert_eq!(told.iter().filter(|t| **t == Told::Collected(batch.key())).count(), 1, "{told:?}");
        assert_eq!(batch.begin_task(true).unwrap_err().state, Gone);
    }
    assert_eq!(w.woken(), [9]);
    assert_eq!(w.client.batch_over(outer.key()).unwrap_err().code(), ErrorCode::Closed);
    w.engine.end_task(&inner);
    w.engine.end_task(&outer);
    assert_eq!(outer.active_tasks(), 0);
    assert_eq!(w.room.told(), []);
}

#[test]
fn ten_thousand_batches_within_each_other_complete_with_the_innermost_task() {
    let w = World::open();
    let top = w.start();
    let mut at = Arc::clone(&top);
    for _ in 0..10_000 {
        at = w.start_in(&at);
    }
    at.begin_task(false).unwrap();
    w.put(&at, b"x");
    assert_eq!(w.end(&top, true), Collected::PENDING);
    w.engine.end_task(&at);
    assert_eq!(w.over(&top), Some(released(1, 1)));
    w.assert_empty();
}

#[test]
fn a_batch_waits_for_thousands_within_it() {
    let w = World::open_with(&[("store.size", "67108864")]);
    let top = w.start();
    let all: Vec<_> = (0..5000).map(|_| w.busy_in(&top)).collect();
    w.end(&top, false);
    for batch in &all {
        assert_eq!(top.state(), Ended);
        w.engine.end_task(batch);
        assert_eq!(batch.state(), Completed);
    }
    assert_eq!(top.state(), Completed);
    w.client.gc(top.key()).unwrap();
    w.assert_empty();
}

#[test]
fn in_a_store_that_ignores_batches_they_live_alike() {
    let w = World::open_with(&[("eviction", "lru")]);
    let outer = w.start();
    let inner = w.busy_in(&outer);
    let x = w.put(&inner, b"x");
    assert_eq!(w.end(&outer, true), Collected::PENDING);
    assert_eq!(w.client.gc(outer.key()).unwrap_err().code(), ErrorCode::BatchActive);
    w.engine.end_task(&inner);
    assert_eq!((outer.state(), w.over(&outer)), (Gone, Some(released(0, 0))));
    assert!(w.get(&x).unwrap().is_some(), "end and collection release nothing");
    assert_eq!(w.room.told().len(), 4);
}

/// Threads that start, use, end, cancel and collect batches within each other at random: whatever happens, each is
/// collected once, never with an active task in it (the room looks), and nothing is left.
#[test]
fn random_lives_on_many_threads_leave_nothing() {
    const ROUNDS: usize = 150;
    let w = World::open_with(&[("store.size", "67108864")]);
    for round in 0..ROUNDS {
        let top = w.start();
        let (a, b) = (w.start_in(&top), w.start_in(&top));
        let c = w.start_in(&a);
        let all = [&top, &a, &b, &c];
        scope(|s| {
            for t in 0..3usize {
                let (w, mut seed) = (&w, ((round * 3 + t) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
                s.spawn(move || {
                    let mut next = move |below: usize| {
                        seed ^= seed << 13;
                        seed ^= seed >> 7;
                        seed ^= seed << 17;
                        (seed % below as u64) as usize
                    };
                    let mut active: Vec<&Arc<Batch>> = Vec::new();
                    for _ in 0..40 {
                        let batch = all[next(4)];
                        match next(10) {
                            0..4 => {
                                let inside =
                                    active.iter().any(|at| Arc::ptr_eq(at, batch) || at.is_within(batch.key()));
                                match batch.begin_task(inside) {
                                    Ok(()) => active.push(batch),
                                    Err(e) => assert!(!inside && e.state >= Ended, "{inside} {e:?}"),
                                }
                            }
                            4..8 if !active.is_empty() => w.engine.end_task(active.swap_remove(next(active.len()))),
                            8 if next(8) == 0 => {
                                let (collect, reason) = (next(2) == 0, [Reason::Closed, Reason::Cancelled][next(2)]);
                                let _ = w.client.end_batch(batch.key(), collect, &[], reason, "t");
                            }
                            9 if next(8) == 0 => drop(w.client.close_batch(batch.key(), "t")),
                            _ => {
                                let _ = w.client.gc(batch.key());
                            }
                        }
                    }
                    active.into_iter().for_each(|batch| w.engine.end_task(batch));
                });
            }
        });
        assert!(all.iter().all(|b| b.active_tasks() == 0));
        for batch in all.iter().filter(|b| b.end().is_some()) {
            assert!(batch.state().is_over(), "round {round}: ended, and all tasks are over");
        }
        w.client.close_batch(top.key(), "t").unwrap();
        assert_eq!(states(all.map(|b| &**b)), [Gone; 4], "round {round}");
        let told = w.room.told();
        assert!(!told.iter().any(|t| matches!(t, Told::Fault(..))), "round {round}: {told:?}");
        for batch in all {
            let times = told.iter().filter(|t| **t == Told::Collected(batch.key())).count();
            assert_eq!(times, usize::from(batch.life.word().has(Mark::TASKS)), "round {round}: {told:?}");
        }
    }
    w.assert_empty();
}
