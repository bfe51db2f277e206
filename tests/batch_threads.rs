//! Readers, writers and collectors on many threads, for a bounded count; in the end nothing is left.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod batch_support;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use batch_support::{Calls, open, open_with};
use raybatch::batch::{BatchKey, BatchSpec, Client, Reason};
use raybatch::error::ErrorCode;
use raybatch::id::{BatchId, ObjectId};
use raybatch::store::Kind;

/// A sequence that differs from thread to thread.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below as u64) as usize
    }
}

/// Bytes that tell which object they are of.
fn bytes_of(tag: u64, len: usize) -> Vec<u8> {
    tag.to_le_bytes().into_iter().cycle().take(8 + len).collect()
}

fn is_whole(bytes: &[u8]) -> bool {
    bytes.iter().enumerate().all(|(n, b)| *b == bytes[n % 8])
}

fn expected(e: ErrorCode) -> bool {
    use ErrorCode::{BatchEnded, BatchLimit, NotOwner, ObjectCollected, ObjectNotFound, StoreFull};
    matches!(e, BatchEnded | BatchLimit | NotOwner | ObjectCollected | ObjectNotFound | StoreFull)
}

#[test]
fn readers_writers_and_collectors_leave_nothing_behind() {
    let c = open_with(&[("store.size", "67108864")]);
    let shared: Mutex<Vec<(BatchKey, ObjectId)>> = Mutex::new(Vec::new());
    let tags = AtomicU64::new(1);
    let writers_left = AtomicU64::new(3);
    std::thread::scope(|s| {
        for t in 0..3u64 {
            let (c, shared, tags, writers_left) = (&c, &shared, &tags, &writers_left);
            s.spawn(move || {
                let mut r = Random(0x1234_5678 + t);
                for _ in 0..200 {
                    let timeout = (r.next(8) == 0).then_some(Duration::from_millis(1));
                    let max_objects = (r.next(4) == 0).then_some(20);
                    let outer =
                        c.start_batch(BatchSpec { timeout, max_objects, ..BatchSpec::default() }, "writer").unwrap();
                    let inner = c.start_batch(BatchSpec { parent: Some(outer), ..BatchSpec::default() }, "writer");
                    let mut ids = Vec::new();
                    for key in [outer].into_iter().chain(inner.as_ref().ok().copied()).cycle().take(30) {
                        let len = [0, 40, 500, 5000, 70_000][r.next(5)];
                        let tag = tags.fetch_add(1, Ordering::Relaxed);
                        match c.try_put(key, &bytes_of(tag, len)) {
                            Ok(id) => {
                                ids.push((key, id));
                                shared.lock().unwrap().push((key, id));
                            }
                            Err(e) => assert!(expected(e.code()), "{e}"),
                        }
                    }
                    for (key, id) in ids {
                        let result = match r.next(6) {
                            0 => c.transfer(&[id], Some(key), None),
                            1 => c.delete(&[id]).map(|_| ()),
                            2 => {
                                let to = shared.lock().unwrap()[..].first().map(|e| e.0);
                                c.transfer(&[id], None, to)
                            }
                            _ => Ok(()),
                        };
                        if let Err(e) = result {
                            assert!(expected(e.code()), "{e}");
                        }
                    }
                    if let Ok(inner) = inner {
                        c.close_batch(inner, "writer").unwrap();
                    }
                    // the other end it as well, at times
                    if r.next(2) == 0 {
                        c.close_batch(outer, "writer").unwrap();
                    }
                }
                writers_left.fetch_sub(1, Ordering::SeqCst);
            });
        }
        for t in 0..2u64 {
            let (c, shared, writers_left) = (&c, &shared, &writers_left);
            s.spawn(move || {
                let mut r = Random(0xabcd + t);
                let mut views = Vec::new();
                while writers_left.load(Ordering::SeqCst) > 0 {
                    let pick = {
                        let shared = shared.lock().unwrap();
                        if shared.is_empty() { None } else { Some(shared[r.next(shared.len())]) }
                    };
                    let Some((key, id)) = pick else { continue };
                    match c.bytes(&id) {
                        Ok(Some(bytes)) => assert!(is_whole(&bytes), "torn"),
                        Ok(None) => {}
                        Err(e) => assert!(expected(e.code()), "{e}"),
                    }
                    if let Ok(Some((view, pin))) = c.read(&id) {
                        assert!(is_whole(&pin.data().to_vec()));
                        views.push((view, pin));
                    }
                    if views.len() > 10 {
                        for (view, pin) in views.drain(..) {
                            assert!(is_whole(&pin.data().to_vec()), "changed under a pin");
                            c.release_view(view);
                        }
                    }
                    if r.next(40) == 0 {
                        c.close_batch(key, "reader").unwrap();
                    }
                    let _ = c.status(key);
                }
                views.into_iter().for_each(|(view, _)| c.release_view(view));
            });
        }
        let (c, writers_left) = (&c, &writers_left);
        s.spawn(move || {
            while writers_left.load(Ordering::SeqCst) > 0 {
                let _ = c.batches().unwrap();
                let _ = c.stats().unwrap();
                let _ = c.list(None).unwrap();
            }
        });
    });
    for id in c.batches().unwrap() {
        c.close_batch(BatchKey::any(id), "test").unwrap();
    }
    let root: Vec<_> = c.list(Some(c.root())).unwrap().iter().map(|o| o.id).collect();
    c.delete(&root).unwrap();
    c.audit().unwrap();
    let stats = c.stats().unwrap();
    assert_eq!((stats.objects, stats.store.live, stats.live_batches, stats.store.draining), (0, 0, 0, 0));
    // what stays lent is headers, as many as there were batches at once
    assert!(stats.store.used < 1 << 20, "{} bytes are lent still", stats.store.used);
}

#[test]
fn a_batch_is_started_before_its_parents_end_or_refused_never_left_behind() {
    let c = open();
    for round in 0..300 {
        let outer = c.start();
        let go = AtomicBool::new(false);
        let started = std::thread::scope(|s| {
            let starter = s.spawn(|| {
                while !go.load(Ordering::Acquire) {
                    std::hint::spin_loop();
                }
                let mut started = Vec::new();
                loop {
                    match c.start_batch(BatchSpec { parent: Some(outer), ..BatchSpec::default() }, "starter") {
                        Ok(key) => started.push(key),
                        Err(e) => {
                            assert_eq!(e.code(), ErrorCode::BatchEnded, "{e}");
                            return started;
                        }
                    }
                }
            });
            go.store(true, Ordering::Release);
            (0..round % 7).for_each(|_| std::thread::yield_now());
            c.end_batch(outer, true, &[], Reason::Closed, "ender").unwrap();
            starter.join().unwrap()
        });
        for key in started {
            assert!(!c.state(key).is_open());
        }
        assert!(c.batches().unwrap().is_empty());
    }
    c.audit().unwrap();
}

#[test]
fn one_id_used_by_many_threads_is_one_batch_at_a_time() {
    let c = open();
    let alive = AtomicU64::new(0);
    std::thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| {
                for _ in 0..500 {
                    let spec = BatchSpec { id: Some(BatchId(7)), ..BatchSpec::default() };
                    match c.start_batch(spec, "t") {
                        Ok(key) => {
                            assert_eq!(alive.fetch_add(1, Ordering::SeqCst), 0);
                            let id = c.put_bytes(key, b"mine");
                            c.assert_has(&id, b"mine");
                            alive.fetch_sub(1, Ordering::SeqCst);
                            c.end(key);
                            assert!(c.bytes(&id).is_err());
                        }
                        Err(e) => assert_eq!(e.code(), ErrorCode::BatchExists, "{e}"),
                    }
                }
            });
        }
    });
    c.audit().unwrap();
}

#[test]
fn objects_kept_while_their_keeper_is_collected_are_not_left_behind() {
    let c = open();
    for _ in 0..200 {
        let (from, to) = (c.start(), c.start());
        let ids: Vec<_> = (0..8).map(|n| c.put_bytes(from, &bytes_of(n, 100))).collect();
        std::thread::scope(|s| {
            s.spawn(|| {
                for id in &ids {
                    if let Err(e) = c.transfer(&[*id], Some(from), Some(to)) {
                        assert!(expected(e.code()), "{e}");
                    }
                }
            });
            s.spawn(|| c.close_batch(to, "t").unwrap());
        });
        c.close_batch(from, "t").unwrap();
        assert_eq!(c.stats().unwrap().objects, 0);
    }
    c.audit().unwrap();
}

#[test]
fn limits_hold_for_many_threads_and_no_put_fails_while_there_is_room() {
    let c = open();
    const MAX: u64 = 1000;
    let b = c.start_batch(BatchSpec { max_objects: Some(MAX), ..BatchSpec::default() }, "t").unwrap();
    let made = AtomicU64::new(0);
    std::thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| {
                while c.try_put(b, b"x").is_ok() {
                    made.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(made.load(Ordering::Relaxed), MAX);
    assert_eq!(c.seen(b).objects, MAX);
}

#[test]
fn closing_a_store_that_is_at_work_refuses_and_crashes_nothing() {
    for round in 0..20u64 {
        let c = open();
        let guest = Client::connect(c.store_name()).unwrap();
        std::thread::scope(|s| {
            for client in [&c, &guest, &guest] {
                s.spawn(move || {
                    loop {
                        let result = client.start_batch(BatchSpec::default(), "t").and_then(|b| {
                            let id = client.try_put(b, &[7; 3000])?;
                            client.bytes(&id)?;
                            client.put(BatchKey::NORMAL, Kind::Bytes, &&[1u8; 100][..])?;
                            let pin = client.read(&id)?;
                            client.close_batch(b, "t")?;
                            drop(pin);
                            Ok(())
                        });
                        match result.map_err(|e| e.code()) {
                            Ok(()) | Err(ErrorCode::BatchEnded | ErrorCode::ObjectCollected | ErrorCode::StoreFull) => {
                            }
                            Err(code) => {
                                assert_eq!(code, ErrorCode::Closed);
                                return;
                            }
                        }
                    }
                });
            }
            std::thread::sleep(Duration::from_millis(round));
            c.close("test").unwrap();
        });
    }
}

#[test]
fn what_objects_count_to_limits_is_given_back_however_they_go() {
    const MAX: u64 = 100_000;
    let c = open_with(&[("store.size", "67108864")]);
    let outer =
        c.start_batch(BatchSpec { max_objects: Some(MAX), max_bytes: Some(1 << 30), ..Default::default() }, "t");
    let outer = outer.unwrap();
    let given: Mutex<Vec<(BatchKey, ObjectId)>> = Mutex::new(Vec::new());
    std::thread::scope(|s| {
        for t in 0..4u64 {
            let (c, given) = (&c, &given);
            s.spawn(move || {
                let mut r = Random(0x51_7cc1 + t);
                for _ in 0..300 {
                    let b = c.start_in(outer);
                    for n in 0..10 {
                        let id = c.put_bytes(b, &bytes_of(n, 100));
                        given.lock().unwrap().push((b, id));
                    }
                    for _ in 0..20 {
                        let (from, id, to) = {
                            let given = given.lock().unwrap();
                            let (from, id) = given[r.next(given.len())];
                            (from, id, given[given.len() - 1 - r.next(given.len().min(40))].0)
                        };
                        let result = match r.next(4) {
                            0 => c.delete(&[id]).map(|_| ()),
                            1 => c.transfer(&[id], None, None),
                            2 => c.transfer(&[id], Some(from), None),
                            _ => c.transfer(&[id], None, Some(to)),
                        };
                        if let Err(e) = result {
                            assert!(expected(e.code()), "{e}");
                        }
                    }
                    c.close_batch(b, "t").unwrap();
                }
            });
        }
    });
    let left: Vec<_> = c.list(None).unwrap().iter().map(|o| o.id).collect();
    assert_eq!(c.seen(outer).objects + c.seen(c.root()).objects, left.len() as u64);
    c.delete(&left).unwrap();
    assert_eq!((c.seen(outer).adopted, c.seen(c.root()).adopted), (0, 0));
    for _ in 0..MAX {
        c.put_bytes(outer, b"");
    }
    let e = c.try_put(outer, b"").unwrap_err();
    assert_eq!(e.figures(), [MAX as i64, MAX as i64, 1], "{e}");
    assert!(e.message().contains(": 0 of 1073741824 bytes"), "{e}");
}
