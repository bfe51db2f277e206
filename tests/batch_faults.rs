//! What a client sees when the system says no, once, at any point.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod batch_support;

use std::sync::Arc;

use batch_support::{Calls, config};
use raybatch::batch::{BatchKey, BatchSpec, Client, Reason};
use raybatch::error::{ErrorCode, Result};
use raybatch::id::ObjectId;
use raybatch::store::{FaultPoint, Kind, NthFault};

/// Something of everything that asks for memory. What it returns has lived through all of it.
fn work(c: &Client) -> Result<Vec<(ObjectId, Vec<u8>)>> {
    let mut alive = Vec::new();
    c.open_group("user/job")?;
    let group = Some("user/job".to_owned());
    let outer = c.start_batch(BatchSpec { max_objects: Some(1000), group, ..BatchSpec::default() }, "t")?;
    let inner = c.start_batch(BatchSpec { parent: Some(outer), ..BatchSpec::default() }, "t")?;
    for (n, size) in [10, 5000, 100_000, 3 << 20].into_iter().enumerate() {
        let bytes = vec![n as u8 + 1; size];
        let id = c.try_put(inner, &bytes)?;
        c.transfer(&[id], Some(inner), None)?;
        alive.push((id, bytes.clone()));
        alive.push((c.try_put(outer, &bytes)?, bytes.clone()));
        let slot = c.put(BatchKey::NORMAL, Kind::Bytes, &&bytes[..])?;
        // (which may be evicted)
        assert!(c.bytes(&c.id_of(BatchKey::NORMAL, slot))?.is_none_or(|found| found == bytes));
        let (writer, _) = c.create(inner, size as u64, b"metadata", Kind::Bytes)?;
        let sealed = c.writer(writer).and_then(|w| w.write(0, &&b"w"[..]).and_then(|()| w.seal()));
        c.drop_writer(writer);
        sealed?;
    }
    c.end_batch(inner, true, &[], Reason::Closed, "t")?;
    for (id, bytes) in &alive {
        c.assert_has(id, bytes);
    }
    Ok(alive)
}

fn clean_up(c: &Client) {
    for id in c.batches().unwrap() {
        c.close_batch(BatchKey::any(id), "t").unwrap();
    }
    let left: Vec<_> = c.list(None).unwrap().iter().map(|o| o.id).collect();
    c.delete(&left).unwrap();
    let stats = c.stats().unwrap();
    assert_eq!((stats.objects, stats.store.live, stats.store.draining), (0, 0, 0));
    for group in c.groups().unwrap() {
        assert_eq!((group.bytes, group.objects, group.held, group.batches), (0, 0, 0, 0), "{}", group.path);
    }
    c.audit().unwrap();
}

#[test]
fn c44_every_run_allocation_and_mapping_fails_once_at_the_nth_call_for_all_n() {
    let options = config(&[("store.size", "33554432"), ("store.warmReserve", "0")]);
    for point in FaultPoint::ALL {
        for nth in 1.. {
            let faults = Arc::new(NthFault::new());
            faults.arm(point, nth);
            let c = match Client::open_with(&options, Arc::clone(&faults) as _) {
                Ok(c) => c,
                Err(e) => {
                    assert_eq!(e.code(), ErrorCode::StoreOpen, "{} {nth}: {e}", point.name());
                    continue;
                }
            };
            let unreached = match work(&c) {
                Ok(_) => faults.armed(point),
                Err(e) => {
                    assert!(matches!(e.code(), ErrorCode::StoreFull | ErrorCode::Io), "{} {nth}: {e}", point.name());
                    false
                }
            };
            faults.arm(point, 0);
            clean_up(&c);
            // and it works as if nothing had been
            work(&c).unwrap();
            clean_up(&c);
            if unreached {
                break;
            }
        }
    }
}

#[test]
fn a_transfer_without_memory_leaves_the_object_where_it_was() {
    let c = Client::open(&config(&[("store.size", "1048576")])).unwrap();
    let (a, b, filler) = (c.start(), c.start(), c.start());
    let ids: Vec<_> = (0..3u8).map(|n| c.put_bytes(a, &[n; 40_000])).collect();
    while c.try_put(filler, &[0; 4096]).is_ok() {}
    let e = c.transfer(&ids, Some(a), Some(b)).unwrap_err();
    assert_eq!((e.code(), e.object_id()), (ErrorCode::StoreFull, Some(ids[0])), "{e}");
    assert!(e.message().contains("most is held by"), "{e}");
    assert_eq!((c.seen(a).objects, c.seen(a).kept, c.seen(b).objects), (3, 0, 0));
    c.end(filler);
    c.transfer(&ids, Some(a), Some(b)).unwrap();
    assert_eq!((c.seen(a).objects, c.seen(b).objects), (0, 3));
    for (n, id) in ids.iter().enumerate() {
        c.assert_has(id, &[n as u8; 40_000]);
    }
    c.audit().unwrap();
}
