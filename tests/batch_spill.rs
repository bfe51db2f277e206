//! Which batches go to files when memory is short, and how a put waits for that.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod batch_support;

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use batch_support::{Calls, config, eventually};
use raybatch::batch::{BatchKey, BatchSpec, Client, Reason};
use raybatch::error::{Error, ErrorCode};
use raybatch::id::{BatchId, ObjectId};
use raybatch::store::{FaultPoint, Faults, NoFaults, NthFault};

/// A client of a store that spills, and who wait for room in it, as Java does.
struct Spilling {
    client: Arc<Client>,
    woken: Arc<(Mutex<HashMap<u64, bool>>, Condvar)>,
    tokens: AtomicU64,
    parent: tempfile::TempDir,
}

const SIZE: u64 = 16 << 20;

fn open(size: u64, more: &[(&str, &str)], faults: Arc<dyn Faults>) -> Spilling {
    let parent = tempfile::tempdir().unwrap();
    let (size, directory) = (size.to_string(), parent.path().to_str().unwrap().to_owned());
    let mut pairs = vec![("store.size", &*size), ("spill.directory", &*directory)];
    pairs.extend_from_slice(more);
    let client = Client::open_with(&config(&pairs), faults).unwrap();
    let woken: Arc<(Mutex<HashMap<u64, bool>>, Condvar)> = Arc::default();
    let waker = Arc::clone(&woken);
    client.store().notifier().set_waker(Box::new(move |token| {
        if let Some(woken) = waker.0.lock().unwrap().get_mut(&token) {
            *woken = true;
        }
        waker.1.notify_all();
    }));
    Spilling { client, woken, tokens: AtomicU64::new(1), parent }
}

impl Spilling {
    /// As Java does it: waits for room at most so long.
    fn waiting<T>(&self, longest: Duration, attempt: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
        match attempt() {
            Err(e) if e.code() == ErrorCode::StoreFull => {}
            other => return other,
        }
        let token = self.tokens.fetch_add(1, Ordering::Relaxed);
        let deadline = Instant::now() + longest;
        self.woken.0.lock().unwrap().insert(token, false);
        let first = self.client.ask_for_room(token)?.unwrap();
        let mut vain = first;
        let result = loop {
            match attempt() {
                Err(e) if e.code() == ErrorCode::StoreFull => {
                    if vain >= first + 2 {
                        break Err(e);
                    }
                    let mut woken = self.woken.0.lock().unwrap();
                    while !woken[&token] {
                        let left = deadline.saturating_duration_since(Instant::now());
                        if left.is_zero() {
                            return Err(e);
                        }
                        woken = self.woken.1.wait_timeout(woken, left).unwrap().0;
                    }
                    woken.insert(token, false);
                    drop(woken);
                    vain = self.client.ask_for_room(token)?.unwrap();
                }
                other => break other,
            }
        };
        self.client.forget_room(token);
        result
    }

    fn put(&self, key: BatchKey, bytes: &[u8]) -> ObjectId {
        self.waiting(Duration::from_secs(60), || self.client.try_put(key, bytes)).unwrap()
    }

    fn start(&self, spec: BatchSpec) -> BatchKey {
        self.client.start_batch(spec, "t").unwrap()
    }

    fn spilled(&self, key: BatchKey) -> u64 {
        self.client.seen(key).spilled
    }

    fn assert_clean(&self) {
        for id in self.client.batches().unwrap() {
            self.client.close_batch(BatchKey::any(id), "t").unwrap();
            if self.client.status(BatchKey::any(id)).unwrap().collected_ms == 0 {
                self.client.gc(BatchKey::any(id)).unwrap();
            }
        }
        eventually("the files are gone", || self.client.store().spill_stats().files == 0);
        assert_eq!(self.client.store().spill_stats().objects, 0);
        let folders = std::fs::read_dir(self.parent.path()).unwrap().flatten();
        assert!(folders.flat_map(|f| std::fs::read_dir(f.path()).unwrap().flatten()).all(|f| f.file_name() == "lock"));
        eventually("nothing drains", || self.client.stats().unwrap().store.draining == 0);
        self.client.audit().unwrap();
    }
}

fn filled(n: u64) -> Vec<u8> {
    (0..100_000u64).map(|at| (n * 31 + at / 64) as u8).collect()
}

#[test]
fn the_ended_go_first_then_by_priority_then_the_least_recently_used() {
    let s = open(SIZE, &[("spill.highWater", "90")], Arc::new(NoFaults));
    let priority = |priority| s.start(BatchSpec { priority, ..BatchSpec::default() });
    let sensitive = s.start(BatchSpec { latency_sensitive: true, priority: -9, ..BatchSpec::default() });
    let inner = s.start(BatchSpec { parent: Some(sensitive), priority: -9, ..BatchSpec::default() });
    let high = priority(5);
    let (older, newer) = (priority(1), priority(1));
    let low = priority(0);
    let ended = s.start(BatchSpec { no_cleanup: true, priority: 9, ..BatchSpec::default() });
    let all = [ended, low, older, newer, high, sensitive, inner];
    let mut made = Vec::new();
    // 1.8 MB each: a little over what lies between the marks, so that each round takes one
    for n in 0..18 {
        for &key in &all {
            made.push((s.put(key, &filled(n)), n));
        }
    }
    s.client.close_batch(ended, "t").unwrap();
    assert!(all.iter().all(|&key| s.spilled(key) == 0), "12.6 MB of 16 are no reason");
    let filler = s.start(BatchSpec { latency_sensitive: true, ..BatchSpec::default() });
    // used in a later round than `older`, in which nothing needs to be spilled
    s.client.ask_for_room(0).unwrap();
    eventually("the round is over", || s.spilled(ended) > 0);
    s.client.assert_has(&made.iter().find(|(id, _)| id.batch == newer.id).unwrap().0, &filled(0));
    for (n, &victim) in all[..5].iter().enumerate() {
        while s.spilled(victim) == 0 {
            let bytes = filled(7);
            if let Ok(id) = s.client.try_put(filler, &bytes) {
                made.push((id, 7));
            }
            assert!(all[n + 1..].iter().all(|&later| s.spilled(later) == 0) || s.spilled(victim) > 0, "{n}");
        }
    }
    assert_eq!((s.spilled(sensitive), s.spilled(inner), s.spilled(filler)), (0, 0, 0));
    for (id, n) in &made {
        s.client.assert_has(id, &filled(*n));
    }
    s.assert_clean();
}

#[test]
fn a_batch_larger_than_memory_is_put_and_read() {
    let s = open(SIZE, &[], Arc::new(NoFaults));
    let key = s.start(BatchSpec::default());
    let ids: Vec<_> = (0..800).map(|n| s.put(key, &filled(n))).collect();
    let small: Vec<_> = (0..20_000u64).map(|n| s.put(key, &n.to_le_bytes().repeat(8))).collect();
    assert!(s.spilled(key) > 50 << 20, "80 MB went through 16");
    for (n, id) in ids.iter().enumerate() {
        s.client.assert_has(id, &filled(n as u64));
    }
    for (n, id) in small.iter().enumerate() {
        s.client.assert_has(id, &(n as u64).to_le_bytes().repeat(8));
    }
    let seen = s.client.seen(key);
    assert_eq!((seen.objects, seen.bytes), (20_800, 800 * 100_000 + 20_000 * 64));
    let collected = s.client.end(key);
    assert_eq!((collected.objects, collected.bytes), (20_800, 800 * 100_000 + 20_000 * 64));
    s.assert_clean();
}

#[test]
fn a_put_that_no_spill_can_make_room_for_is_told_so_before_its_time_is_over() {
    let s = open(SIZE, &[], Arc::new(NoFaults));
    let key = s.start(BatchSpec { latency_sensitive: true, ..BatchSpec::default() });
    let begun = Instant::now();
    let e = loop {
        if let Err(e) = s.waiting(Duration::from_secs(600), || s.client.try_put(key, &filled(1))) {
            break e;
        }
    };
    assert!(begun.elapsed() < Duration::from_secs(300));
    assert_eq!((e.code(), e.figures().len()), (ErrorCode::StoreFull, 3), "{e}");
    let e = s.waiting(Duration::from_secs(600), || s.client.try_put(key, &[0; 17 << 20])).unwrap_err();
    assert_eq!(e.code(), ErrorCode::StoreFull, "it never fits");
    s.assert_clean();
}

/// The disk is full: what is in memory stays there, who has no room is told why, and all works when there is room again.
#[test]
fn c43_a_failing_disk_is_told_and_nothing_is_lost() {
    let s = open(SIZE, &[("spill.capacity", "1000000")], Arc::new(NoFaults));
    let key = s.start(BatchSpec::default());
    let mut ids = Vec::new();
    let e = loop {
        match s.waiting(Duration::from_secs(60), || s.client.try_put(key, &filled(ids.len() as u64))) {
            Ok(id) => ids.push(id),
            Err(e) => break e,
        }
    };
    assert!(e.code() == ErrorCode::StoreFull && e.message().contains("cap of 1000000"), "{e}");
    assert!(ids.len() > 150 && s.spilled(key) >= 900_000);
    for (n, id) in ids.iter().enumerate() {
        s.client.assert_has(id, &filled(n as u64));
    }
    s.client.end(key);
    let key = s.start(BatchSpec::default());
    s.put(key, &filled(1));
    s.assert_clean();
}

/// A disk that takes its time, and now and then refuses.
struct Slow(AtomicU64);

impl Faults for Slow {
    fn check(&self, point: FaultPoint) -> io::Result<()> {
        if point.name().starts_with("spill") {
            let n = self.0.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(Duration::from_micros(n * 7919 % 3000));
            if point == FaultPoint::SpillWrite && n % 50 == 49 {
                return Err(io::Error::other("this time not"));
            }
        }
        Ok(())
    }
}

/// Puts, gets, pins, keeps and ends of batches, five times as much as memory, with a slow disk: none waits for ever.
#[test]
fn c29_no_deadlock_between_get_put_and_spill() {
    let s = open(SIZE, &[], Arc::new(Slow(AtomicU64::new(0))));
    let s = &s;
    let patient = |attempt: &dyn Fn() -> Result<ObjectId, Error>| {
        for _ in 0..100 {
            match s.waiting(Duration::from_secs(60), attempt) {
                Err(e) if e.code() == ErrorCode::StoreFull => std::thread::sleep(Duration::from_millis(1)),
                other => return other.unwrap(),
            }
        }
        panic!("no room after a hundred attempts")
    };
    std::thread::scope(|scope| {
        for thread in 0..4u64 {
            scope.spawn(move || {
                for round in 0..3 {
                    let outer = s.start(BatchSpec { priority: thread as i32, ..BatchSpec::default() });
                    let inner = s.start(BatchSpec { parent: Some(outer), ..BatchSpec::default() });
                    let mut ids = Vec::new();
                    for n in 0..60u64 {
                        let key = if n % 2 == 0 { outer } else { inner };
                        ids.push((patient(&|| s.client.try_put(key, &filled(thread + n))), thread + n));
                        let (id, seed) = ids[(n * 7) as usize % ids.len()];
                        s.client.assert_has(&id, &filled(seed));
                        if n % 9 == 0 {
                            let (view, pin) = s.client.read(&id).unwrap().unwrap();
                            assert_eq!(pin.data().to_vec(), filled(seed));
                            drop(pin);
                            s.client.release_view(view);
                        }
                    }
                    let (kept, seed) = ids[1];
                    patient(&|| s.client.transfer(&[kept], Some(inner), None).map(|()| kept));
                    s.client.end(inner);
                    s.client.assert_has(&kept, &filled(seed));
                    for (id, seed) in ids.iter().filter(|(id, _)| id.batch == outer.id) {
                        s.client.assert_has(id, &filled(*seed));
                    }
                    s.client.end_batch(outer, round != 1, &[], Reason::Closed, "t").unwrap();
                }
            });
        }
    });
    assert!(s.client.store().spill_stats().written_bytes > 0);
    s.assert_clean();
}

#[test]
fn c30_a_store_opened_beside_a_dead_ones_files_removes_them() {
    let s = open(SIZE, &[], Arc::new(NoFaults));
    let dead = s.parent.path().join("raybatch-1-0000");
    std::fs::create_dir(&dead).unwrap();
    std::fs::set_permissions(&dead, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    std::fs::write(dead.join("lock"), "raybatch spill folder 1\n").unwrap();
    let directory = s.parent.path().to_str().unwrap();
    let other = Client::open(&config(&[("store.size", "1000000"), ("spill.directory", directory)])).unwrap();
    assert!(!dead.exists());
    let key = s.start(BatchSpec::default());
    let ids: Vec<_> = (0..200).map(|n| s.put(key, &filled(n))).collect();
    s.client.assert_has(&ids[0], &filled(0));
    other.close("t").unwrap();
    s.client.assert_has(&ids[1], &filled(1));
    s.assert_clean();
}

#[test]
fn a_spill_directory_that_cannot_be_made_is_refused_at_open() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let directory = file.path().join("inside").to_str().unwrap().to_owned();
    let e = Client::open(&config(&[("store.size", "1000000"), ("spill.directory", &directory)])).err().unwrap();
    assert!(e.code() == ErrorCode::StoreOpen && e.message().contains(&directory), "{e}");
}

/// Every call to the system fails once, at the nth time, while memory is short: nothing sealed is lost.
#[test]
fn c43_c44_the_thread_that_spills_outlives_every_failure() {
    for point in FaultPoint::ALL.into_iter().filter(|p| p.name().starts_with("spill")) {
        for nth in [1, 2, 3, 5, 8, 13, 40] {
            let faults = Arc::new(NthFault::new());
            let s = open(4 << 20, &[], Arc::clone(&faults) as _);
            let key = s.start(BatchSpec { id: Some(BatchId(5)), ..BatchSpec::default() });
            faults.arm(point, nth);
            let ids: Vec<_> = (0..60).map(|n| s.put(key, &filled(n))).collect();
            for (n, id) in ids.iter().enumerate() {
                match s.client.bytes(id) {
                    Ok(found) => assert_eq!(found, Some(filled(n as u64))),
                    Err(e) => assert_eq!(e.code(), ErrorCode::Io, "{} {nth}: {e}", point.name()),
                }
            }
            faults.arm(point, 0);
            for (n, id) in ids.iter().enumerate() {
                s.client.assert_has(id, &filled(n as u64));
            }
            s.client.end(key);
            if point != FaultPoint::SpillRemove && point != FaultPoint::SpillPunch {
                s.assert_clean();
            }
        }
    }
}

#[test]
fn what_a_batch_keeps_is_spilled_with_it() {
    let s = open(SIZE, &[], Arc::new(NoFaults));
    let outer = s.start(BatchSpec { priority: -1, ..BatchSpec::default() });
    let inner = s.start(BatchSpec { parent: Some(outer), ..BatchSpec::default() });
    let kept: Vec<_> = (0..30).map(|n| s.put(inner, &filled(n))).collect();
    let small: Vec<_> = (0..30).map(|n| s.put(inner, &filled(n)[..500])).collect();
    s.client.end_batch(inner, true, &[kept.clone(), small.clone()].concat(), Reason::Closed, "t").unwrap();
    let other = s.start(BatchSpec { priority: 5, latency_sensitive: true, ..BatchSpec::default() });
    let before = s.client.stats().unwrap().store.used;
    let made: Vec<_> = (0..130).map(|n| s.put(other, &filled(n))).collect();
    eventually("spilled", || s.client.store().spill_stats().objects >= 60);
    assert!(s.client.stats().unwrap().store.used < before + 130 * 102_400);
    for (n, (large, small)) in kept.iter().zip(&small).enumerate() {
        s.client.assert_has(large, &filled(n as u64));
        s.client.assert_has(small, &filled(n as u64)[..500]);
    }
    for (n, id) in made.iter().enumerate() {
        s.client.assert_has(id, &filled(n as u64));
    }
    s.assert_clean();
}

#[test]
fn c26_objects_of_normal_mode_are_evicted_or_spilled_as_configured() {
    for (mode, lost) in [("evict", true), ("spill", false)] {
        let s = open(SIZE, &[("spill.normalMode", mode)], Arc::new(NoFaults));
        let ids: Vec<_> = (0..400).map(|n| s.put(BatchKey::NORMAL, &filled(n))).collect();
        let there = ids.iter().filter(|id| s.client.contains(id).unwrap()).count();
        assert_eq!(there < 400, lost, "{mode}: {there}");
        for (n, id) in ids.iter().enumerate() {
            assert!(s.client.bytes(id).unwrap().is_none_or(|bytes| bytes == filled(n as u64)));
        }
        s.client.delete(&ids).unwrap();
        s.assert_clean();
    }
}
