//! Batches and clients where several meet: starts, ends, closes, readers. Each test is a defect that was found by reading.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod batch_support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use batch_support::{Calls, open, open_with};
use raybatch::batch::{BatchKey, BatchSpec, Client, Reason};
use raybatch::error::ErrorCode;
use raybatch::id::BatchId;
use raybatch::store::Kind;

/// A start that is refused, for its parent ended, takes its table back while the id is still its own.
#[test]
fn a_refused_start_does_not_take_another_batch_of_that_id_away() {
    let c = open();
    let p = c.start();
    c.end_batch(p, false, &[], Reason::Closed, "test").unwrap();
    let stop = AtomicBool::new(false);
    let mut rounds = 0u64;
    std::thread::scope(|s| {
        s.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let spec = BatchSpec { id: Some(BatchId(5)), parent: Some(p), ..BatchSpec::default() };
                let _ = c.start_batch(spec, "refused");
            }
        });
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            while rounds < 3000 {
                let spec = BatchSpec { id: Some(BatchId(5)), ..BatchSpec::default() };
                let Ok(key) = c.start_batch(spec, "test") else { continue };
                rounds += 1;
                for n in 0..20u8 {
                    let put = c.try_put(key, &[n; 100]);
                    assert!(put.is_ok(), "round {rounds}: {put:?}");
                    let id = put.unwrap();
                    let got = c.bytes(&id);
                    assert!(matches!(&got, Ok(Some(b)) if *b == [n; 100]), "round {rounds}: {got:?}");
                }
                c.close_batch(key, "test").unwrap();
            }
        }));
        stop.store(true, Ordering::Relaxed);
        if let Err(e) = result {
            std::panic::resume_unwind(e);
        }
    });
    c.audit().unwrap();
}

/// What is created while a client closes does not stay.
#[test]
fn a_create_racing_a_close_leaves_nothing() {
    let owner = open_with(&[("name", "b2")]);
    for rounds in 0..300u64 {
        let c = Client::connect("b2").unwrap();
        std::thread::scope(|s| {
            let c2 = Arc::clone(&c);
            s.spawn(move || while c2.create(BatchKey::NORMAL, 100, &[], Kind::Bytes).is_ok() {});
            let c3 = Arc::clone(&c);
            s.spawn(move || {
                while c3.subscribe(0).is_ok_and(|h| {
                    c3.unsubscribe(h);
                    true
                }) {}
            });
            std::thread::sleep(Duration::from_micros(50 + rounds % 50));
            c.close("test").unwrap();
        });
        drop(c);
        let left = owner.list(Some(BatchKey::NORMAL)).unwrap();
        assert!(left.is_empty(), "round {rounds}: {} unsealed objects left for good: {:?}", left.len(), left[0]);
    }
}

/// A waiter for a kept, unsealed object whose keeper is collected.
#[test]
fn the_end_of_the_keeper_wakes_who_waits() {
    let c = open();
    let woken = Arc::new(AtomicU64::new(0));
    let w2 = Arc::clone(&woken);
    c.store().notifier().set_waker(Box::new(move |_| {
        w2.fetch_add(1, Ordering::SeqCst);
    }));
    let outer = c.start();
    let inner = c.start_in(outer);
    let (w, slot) = c.create(inner, 100, &[], Kind::Bytes).unwrap();
    let id = c.id_of(inner, slot);
    c.transfer(&[id], Some(inner), None).unwrap();
    c.close_batch(inner, "test").unwrap();
    c.watch(&[id], 77).unwrap();
    assert_eq!(c.bytes(&id).unwrap(), None, "not sealed yet");
    c.close_batch(outer, "test").unwrap();
    assert!(c.bytes(&id).is_err(), "it can never be");
    let by_end = woken.load(Ordering::SeqCst);
    c.drop_writer(w);
    let by_writer = woken.load(Ordering::SeqCst) - by_end;
    assert!(by_end + by_writer > 0, "nobody woke the waiter");
}

/// An unsealed object that was released, kept and is left by its client.
#[test]
fn a_released_and_kept_object_goes_with_its_keeper() {
    let c = open();
    let b = c.start();
    let inner = c.start_in(b);
    let (w, slot) = c.create(inner, 1000, &[], Kind::Bytes).unwrap();
    let id = c.id_of(inner, slot);
    c.writer(w).unwrap().release().unwrap();
    c.drop_writer(w);
    c.transfer(&[id], Some(inner), None).unwrap();
    c.close_batch(inner, "test").unwrap();
    let sealed = c.seal(&id);
    c.close_batch(b, "test").unwrap();
    let objects = c.stats().unwrap().objects;
    assert!(sealed.is_ok() && objects == 0, "{sealed:?}, {objects} objects left");
}

/// A get that races the close of the store says Closed, or has the bytes.
#[test]
fn a_get_racing_the_close_has_no_made_up_bytes() {
    for rounds in 0..40u64 {
        let c = open();
        let id = c.put_bytes(BatchKey::NORMAL, &vec![0xFF; 4 << 20]);
        std::thread::scope(|s| {
            let t = s.spawn(|| {
                while let Ok(got) = c.bytes(&id) {
                    let got = got.expect("there");
                    let zeros = got.iter().filter(|b| **b != 0xFF).count();
                    assert_eq!(zeros, 0, "round {rounds}: that many bytes are not the object's, and no error");
                }
            });
            std::thread::sleep(Duration::from_micros(3000 + rounds % 50 * 37));
            c.close("test").unwrap();
            if let Err(e) = t.join() {
                std::panic::resume_unwind(e);
            }
        });
    }
}

/// What can never fit evicts nothing.
#[test]
fn a_request_larger_than_the_store_evicts_nothing() {
    let c = open();
    for _ in 0..100 {
        c.put_bytes(BatchKey::NORMAL, &[1; 10_000]);
    }
    assert_eq!(c.create(BatchKey::NORMAL, 1 << 30, &[], Kind::Bytes).unwrap_err().code(), ErrorCode::StoreFull);
    let left = c.stats().unwrap().objects;
    let b = c.start();
    assert_eq!(c.create(b, 1 << 30, &[], Kind::Bytes).unwrap_err().code(), ErrorCode::StoreFull);
    assert_eq!((left, c.stats().unwrap().objects), (100, 100), "objects left of 100");
}
