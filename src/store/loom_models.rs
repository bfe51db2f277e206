//! The lock-free protocols under loom: every interleaving, and every value the memory model lets a thread see.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test --release --lib loom_models`.

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicU64, AtomicUsize, Ordering, fence};
use loom::sync::{Arc, Mutex};
use loom::thread;

use super::gate::{self, Refused};
use super::seqlock::{before_again, before_reuse, none_again, still};

/// A lease and what is behind its gate; loom reports a use of the cell by two threads by itself.
struct Lease {
    gate: AtomicU64,
    generation: AtomicU64,
    /// whose it is
    owner: UnsafeCell<u64>,
    /// the region's lock, and whether the lease was left to whoever is in
    left: Mutex<bool>,
    settled: AtomicUsize,
}

impl Lease {
    fn new() -> Arc<Lease> {
        let lease = Lease {
            gate: AtomicU64::new(0),
            generation: AtomicU64::new(1),
            owner: UnsafeCell::new(1),
            left: Mutex::new(false),
            settled: AtomicUsize::new(0),
        };
        gate::open(&lease.gate);
        Arc::new(lease)
    }

    fn lives(&self) -> bool {
        self.generation.load(Ordering::Acquire) == 1
    }

    fn enter(&self) -> Result<(), Refused> {
        gate::enter(&self.gate, || self.lives())
    }

    fn work(&self) {
        // SAFETY: loom itself checks that nobody writes it meanwhile, which is what is to be found out.
        self.owner.with(|owner| assert_eq!(unsafe { *owner }, 1, "in somebody else's lease"));
    }

    /// Gives the memory back; and the lease may serve another region at once.
    fn give_back(&self) {
        // SAFETY: as in `work`; that nobody reads it either.
        self.owner.with_mut(|owner| unsafe { *owner = 2 });
        self.settled.fetch_add(1, Ordering::SeqCst);
        gate::open(&self.gate);
    }

    fn settle(&self) {
        let mut left = self.left.lock().unwrap();
        if std::mem::take(&mut *left) {
            self.give_back();
        }
    }

    fn drop_region(&self) {
        let mut left = self.left.lock().unwrap();
        self.generation.compare_exchange(1, 2, Ordering::AcqRel, Ordering::Relaxed).unwrap();
        if gate::close(&self.gate) {
            self.give_back();
        } else {
            *left = true;
        }
    }

    fn sweep(&self) {
        // under the lock: the gate may be another region's without
        let mut left = self.left.lock().unwrap();
        if *left && gate::shut(&self.gate) {
            *left = false;
            self.give_back();
        }
    }
}

fn rust(lease: &Arc<Lease>) -> thread::JoinHandle<()> {
    let lease = Arc::clone(lease);
    thread::spawn(move || {
        if lease.enter().is_ok() {
            lease.work();
            if gate::leave(&lease.gate) {
                lease.settle();
            }
        }
    })
}

/// As `MappedRegion.java` does it.
fn jvm(lease: &Arc<Lease>) -> thread::JoinHandle<()> {
    let lease = Arc::clone(lease);
    thread::spawn(move || {
        let seen = lease.gate.load(Ordering::Acquire);
        if seen & 3 != 0 || !lease.lives() {
            return;
        }
        if lease.gate.compare_exchange(seen, seen | 1, Ordering::SeqCst, Ordering::Relaxed).is_ok() {
            lease.work();
            // A plain store there. Loom would let it take effect before a `close` that read what it follows, which the
            // atomicity of that step forbids; so here it is a swap that releases.
            lease.gate.swap(seen, Ordering::Release);
            if !lease.lives() {
                lease.sweep();
            }
        }
    })
}

fn settled_once(writers: impl Fn(&Arc<Lease>) -> Vec<thread::JoinHandle<()>> + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    // with more it takes minutes, and none ever found more
    model.preemption_bound = Some(3);
    model.check(move || {
        let lease = Lease::new();
        let writers = writers(&lease);
        lease.drop_region();
        for writer in writers {
            writer.join().unwrap();
        }
        assert_eq!(lease.enter(), Err(Refused::Closed));
        // what the housekeeping does some time later
        lease.sweep();
        assert_eq!(lease.settled.load(Ordering::SeqCst), 1);
    });
}

/// Two writers and a collector: the lease's memory is given back once, and nobody is in it then. It serves another region
/// at once, and nobody of the old one gets in.
#[test]
fn a_lease_of_two_rust_threads_is_settled_once() {
    settled_once(|lease| vec![rust(lease), rust(lease)]);
}

#[test]
fn a_lease_of_rust_and_the_jvm_is_settled_once() {
    settled_once(|lease| vec![rust(lease), jvm(lease)]);
}

#[test]
fn a_lease_of_two_jvm_threads_is_settled_once() {
    settled_once(|lease| vec![jvm(lease), jvm(lease)]);
}

/// A put looks for waiters while it is in the lease; who comes to wait goes through the lease, and then looks for the
/// object. No put is missed by both.
#[test]
fn a_put_sees_the_waiter_or_is_seen() {
    loom::model(|| {
        let gate_word = Arc::new(AtomicU64::new(0));
        let (awaited, entry) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let told = Arc::new(AtomicU64::new(0));
        let putter = {
            let (gate_word, awaited, entry, told) =
                (Arc::clone(&gate_word), Arc::clone(&awaited), Arc::clone(&entry), Arc::clone(&told));
            thread::spawn(move || {
                if gate::enter(&*gate_word, || true).is_err() {
                    // the waiter is in: it goes in by another lease, or when that one is out
                    told.store(1, Ordering::SeqCst);
                    return;
                }
                let awaited = awaited.load(Ordering::Relaxed) > 0;
                entry.store(1, Ordering::Release);
                gate::leave(&*gate_word);
                if awaited {
                    told.store(1, Ordering::SeqCst);
                }
            })
        };
        awaited.fetch_add(1, Ordering::SeqCst);
        while gate::enter(&*gate_word, || true) == Err(Refused::Busy) {
            thread::yield_now();
        }
        gate::leave(&*gate_word);
        let seen = entry.load(Ordering::Acquire) == 1;
        putter.join().unwrap();
        assert!(seen || told.load(Ordering::SeqCst) == 1);
    });
}

/// A reader copies two words of an object while its region is dropped, the memory is lent again through the free list's
/// lock, and the next lessee writes its own. What validates is the old object, whole.
#[test]
fn a_validated_read_is_never_of_the_next_lessee() {
    loom::model(|| {
        let generation = Arc::new(AtomicU64::new(1));
        let entry = Arc::new(AtomicU64::new(2));
        let data = Arc::new([AtomicU64::new(10), AtomicU64::new(11)]);
        let free = Arc::new(loom::sync::Mutex::new(false));

        let collector = {
            let (generation, free) = (Arc::clone(&generation), Arc::clone(&free));
            thread::spawn(move || {
                generation.compare_exchange(1, 2, Ordering::AcqRel, Ordering::Relaxed).unwrap();
                *free.lock().unwrap() = true;
            })
        };
        let lessee = {
            let (data, free) = (Arc::clone(&data), Arc::clone(&free));
            thread::spawn(move || {
                if *free.lock().unwrap() {
                    before_reuse();
                    data[0].store(20, Ordering::Relaxed);
                    data[1].store(21, Ordering::Relaxed);
                }
            })
        };
        if generation.load(Ordering::Acquire) == 1 {
            let seen = entry.load(Ordering::Acquire);
            let copy = [data[0].load(Ordering::Relaxed), data[1].load(Ordering::Relaxed)];
            if still(&*generation, 1, &*entry, seen) {
                assert_eq!(copy, [10, 11]);
            }
        }
        collector.join().unwrap();
        lessee.join().unwrap();
    });
}

/// The same for an object that is freed while its region lives: its entry changes before its chunk is lent again.
#[test]
fn a_validated_read_is_never_of_a_freed_object() {
    loom::model(|| {
        let generation = Arc::new(AtomicU64::new(1));
        let entry = Arc::new(AtomicU64::new(2));
        let data = Arc::new(AtomicU64::new(10));
        let free = Arc::new(loom::sync::Mutex::new(false));
        let other = {
            let (entry, data, free) = (Arc::clone(&entry), Arc::clone(&data), Arc::clone(&free));
            thread::spawn(move || {
                entry.store(3, Ordering::Release);
                *free.lock().unwrap() = true;
                if *free.lock().unwrap() {
                    before_reuse();
                    data.store(20, Ordering::Relaxed);
                }
            })
        };
        let seen = entry.load(Ordering::Acquire);
        if seen == 2 {
            let copy = data.load(Ordering::Relaxed);
            if still(&*generation, 1, &*entry, seen) {
                assert_eq!(copy, 10);
            }
        }
        other.join().unwrap();
    });
}

/// An object's words, and the count of sealings again.
struct Lives {
    generation: AtomicU64,
    count: AtomicU64,
    entry: AtomicU64,
    len: AtomicU64,
    data: AtomicU64,
}

/// One life of an object after the other at the same place, which others use in between; the second has the entry `again`,
/// the first has `first`. What validates is one life's length and bytes. Without `bytes` there are none the second time,
/// and so no memory either, before whose reuse there would be a fence.
fn one_life_is_read(first: u64, again: u64, bytes: bool) {
    loom::model(move || {
        let lives = Arc::new(Lives {
            generation: AtomicU64::new(1),
            count: AtomicU64::new(0),
            entry: AtomicU64::new(first),
            len: AtomicU64::new(10),
            data: AtomicU64::new(10),
        });
        let other = {
            let lives = Arc::clone(&lives);
            thread::spawn(move || {
                lives.entry.store(3, Ordering::Release);
                if bytes {
                    before_reuse();
                    lives.data.store(99, Ordering::Relaxed);
                    before_reuse();
                    lives.data.store(20, Ordering::Relaxed);
                }
                before_again(&lives.count);
                lives.len.store(20, Ordering::Relaxed);
                lives.entry.store(again, Ordering::Release);
            })
        };
        let count = lives.count.load(Ordering::Acquire);
        let seen = lives.entry.load(Ordering::Acquire);
        if seen != 3 {
            let read = (lives.len.load(Ordering::Relaxed), lives.data.load(Ordering::Relaxed));
            if still(&lives.generation, 1, &lives.entry, seen) && (seen == 2 || none_again(&lives.count, count)) {
                let lives = [(first, (10, 10)), (again, (20, if bytes { 20 } else { 10 }))];
                assert!(lives.contains(&(seen, read)), "{seen}: {read:?}");
            }
        }
        other.join().unwrap();
    });
}

#[test]
fn an_object_that_is_sealed_again_is_not_taken_for_the_first() {
    one_life_is_read(2, 7, true);
    one_life_is_read(2, 7, false);
}

#[test]
fn an_object_that_is_sealed_again_at_the_same_place_is_not_taken_for_the_one_before() {
    one_life_is_read(7, 7, true);
    one_life_is_read(7, 7, false);
}

/// An entry is published with what it points to.
#[test]
fn a_sealed_entry_shows_all_that_was_written_before() {
    loom::model(|| {
        let (word0, word1, data) =
            (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let writer = {
            let (word0, word1, data) = (Arc::clone(&word0), Arc::clone(&word1), Arc::clone(&data));
            thread::spawn(move || {
                data.store(7, Ordering::Relaxed);
                word1.store(8, Ordering::Relaxed);
                word0.store(1, Ordering::Release);
            })
        };
        if word0.load(Ordering::Acquire) == 1 {
            assert_eq!((word1.load(Ordering::Relaxed), data.load(Ordering::Relaxed)), (8, 7));
        }
        writer.join().unwrap();
    });
}

/// A waiter that claims and then looks, and a sealer whose batch is collected right after: either the waiter finds the object, or
/// the collector sees the claim.
#[test]
fn a_waiter_finds_the_object_or_its_claim_is_seen() {
    loom::model(|| {
        let entry = Arc::new(AtomicU64::new(0));
        let claims = Arc::new(AtomicU64::new(0));
        let waiter = {
            let (entry, claims) = (Arc::clone(&entry), Arc::clone(&claims));
            thread::spawn(move || {
                claims.fetch_add(1, Ordering::SeqCst);
                fence(Ordering::SeqCst);
                entry.load(Ordering::Acquire) != 0
            })
        };
        entry.store(1, Ordering::Release);
        fence(Ordering::SeqCst);
        let seen = claims.load(Ordering::SeqCst) != 0;
        assert!(waiter.join().unwrap() || seen, "the value would be lost");
    });
}
