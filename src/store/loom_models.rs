//! The lock-free protocols under loom: every interleaving, and every value the memory model lets a thread see.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test --release --lib loom_models`.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use loom::thread;

use super::handoff::{Handoff, Refused};
use super::seqlock::{before_reuse, still};

/// Counts its disposals; loom reports a use of the cell by two threads by itself.
struct Value(Arc<AtomicUsize>, u64);

impl Drop for Value {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_handoff_disposes_of_its_value_exactly_once() {
    loom::model(|| {
        let disposals = Arc::new(AtomicUsize::new(0));
        let handoff = Arc::new(Handoff::new(Value(Arc::clone(&disposals), 0)));
        let writers: Vec<_> = (0..2)
            .map(|_| {
                let handoff = Arc::clone(&handoff);
                thread::spawn(move || match handoff.enter() {
                    Ok(mut inside) => {
                        if let Some(value) = inside.value() {
                            value.1 += 1;
                        }
                        drop(inside.leave());
                    }
                    Err(Refused::Busy | Refused::Closed) => {}
                })
            })
            .collect();
        drop(handoff.close());
        for writer in writers {
            writer.join().unwrap();
        }
        assert!(matches!(handoff.enter(), Err(Refused::Closed)));
        assert_eq!(disposals.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn two_closers_dispose_once() {
    loom::model(|| {
        let disposals = Arc::new(AtomicUsize::new(0));
        let handoff = Arc::new(Handoff::new(Value(Arc::clone(&disposals), 0)));
        let other = {
            let handoff = Arc::clone(&handoff);
            thread::spawn(move || drop(handoff.close()))
        };
        {
            let _inside = handoff.enter();
            drop(handoff.close());
        }
        other.join().unwrap();
        assert_eq!(disposals.load(Ordering::SeqCst), 1);
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
