//! What is done with no lock held, and in no lease: memory is lent, which the system may have to allocate, and those who wait
//! are woken, by calls into the JVM.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod store_support;

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, Weak};
use std::thread;

use raybatch::id::{BatchId, ObjectId};
use raybatch::store::{FaultPoint, Faults, Found, Kind, Region, Slot, Store};
use store_support::{BOUND, open};

type Probe = Box<dyn Fn() -> bool + Send + Sync>;

/// Has something done, in the middle of each operation at some points, that needs the locks.
#[derive(Default)]
struct Probing {
    probe: Mutex<Option<Arc<Probe>>>,
    probed: AtomicU64,
    stuck: AtomicBool,
}

impl Probing {
    fn set(&self, probe: impl Fn() -> bool + Send + Sync + 'static) {
        *self.probe.lock().unwrap() = Some(Arc::new(Box::new(probe)));
    }
}

/// Whether it is done in another thread, within a bound.
fn done(probe: Arc<Probe>) -> bool {
    let (tell, told) = channel();
    thread::spawn(move || tell.send(probe()));
    told.recv_timeout(BOUND / 10).unwrap_or(false)
}

impl Faults for Probing {
    fn check(&self, point: FaultPoint) -> io::Result<()> {
        if !matches!(point, FaultPoint::Run | FaultPoint::Commit) {
            return Ok(());
        }
        let probe = self.probe.lock().unwrap().clone();
        if let Some(probe) = probe.filter(|_| !self.stuck.load(Ordering::SeqCst)) {
            self.probed.fetch_add(1, Ordering::SeqCst);
            self.stuck.fetch_or(!done(probe), Ordering::SeqCst);
        }
        Ok(())
    }
}

#[test]
fn memory_is_lent_while_others_have_the_regions_and_the_tables_locks() {
    let probing = Arc::new(Probing::default());
    let store = open(64 << 20, Arc::clone(&probing) as _);
    let region = store.create_region(BatchId(7), None).unwrap();
    let (theirs, table) = (Arc::clone(&region), store.table().clone());
    probing.set(move || theirs.slots() < u64::MAX && table.usage().objects < u64::MAX);
    let probed = |what: &str, f: &mut dyn FnMut()| {
        let before = probing.probed.load(Ordering::SeqCst);
        f();
        assert!(probing.probed.load(Ordering::SeqCst) > before, "{what} lends nothing");
        assert!(!probing.stuck.load(Ordering::SeqCst), "{what} lends memory with a lock held");
    };
    let mut small = None;
    probed("the first put", &mut || small = Some(region.put(Kind::Bytes, &&[1u8; 100][..]).unwrap()));
    probed("a put that needs a chunk", &mut || _ = region.put(Kind::Bytes, &&[1u8; 60_000][..]).unwrap());
    let mut large = None;
    probed("a large put", &mut || large = Some(region.put(Kind::Bytes, &&[1u8; 100_000][..]).unwrap()));
    probed("more slots", &mut || (0..300).for_each(|_| _ = region.put(Kind::Bytes, &&[1u8; 1][..]).unwrap()));
    let mut first = 0;
    probed("slots and a directory", &mut || first = region.reserve_slots(256 * 40).unwrap());
    let slot = Slot { slot: first, index: 0 };
    probed("a large result", &mut || _ = region.put_at(slot, Kind::Bytes, &&[1u8; 100_000][..]).unwrap());
    let mut created = None;
    probed("a large object", &mut || created = Some(region.create(200_000, &[], Kind::Bytes).unwrap()));
    drop(created);
    let id = |slot: Slot| ObjectId::from_slot(region.batch(), region.base(), slot.slot, slot.index);
    probed("a keep", &mut || {
        assert_eq!(region.move_to_table(&id(small.unwrap()), BatchId(3)).unwrap(), Found::Here(()));
    });
    let normal = |n| ObjectId::new(BatchId::NORMAL, 5, n);
    probed("a put in normal mode", &mut || {
        store.table().put(normal(0), BatchId::NORMAL, Kind::Bytes, &&[1u8; 9000][..]).unwrap();
    });
    probed("a large one", &mut || {
        store.table().put(normal(1), BatchId::NORMAL, Kind::Bytes, &&[1u8; 90_000][..]).unwrap();
    });
    store.audit().unwrap();
}

/// A put evicts an object that somebody waits for: they are woken when the put has left its lease.
#[test]
fn those_who_wait_are_woken_in_no_lease() {
    let probing = Arc::new(Probing::default());
    let store = open(4 << 20, Arc::clone(&probing) as _);
    let region = store.create_region(BatchId(7), None).unwrap();
    region.put(Kind::Bytes, &&[1u8; 10][..]).unwrap();
    let woken = Arc::new(Mutex::new(Vec::new()));
    let (theirs, noted): (Weak<Region>, _) = (Arc::downgrade(&region), Arc::clone(&woken));
    store.notifier().set_waker(Box::new(move |_| {
        let Some(region) = theirs.upgrade() else { return };
        // goes through all leases
        let passes: Probe = Box::new(move || {
            region.synchronize();
            true
        });
        noted.lock().unwrap().push(done(Arc::new(passes)));
    }));
    fill_normal_mode(&store);
    for (n, put) in [0u32, 100, 70_000, 200_000].into_iter().enumerate() {
        let evicted = store.stats().evicted_objects;
        for m in 0..100_000u64 {
            if store.stats().evicted_objects > evicted {
                break;
            }
            // whatever goes wakes the token
            store.notifier().watch_placed(&all_of_normal_mode(), m);
            match put {
                0 => drop(region.create(60_000, &[], Kind::Bytes).unwrap().1.seal()),
                _ => _ = region.put(Kind::Bytes, &&vec![1u8; put as usize][..]).unwrap(),
            }
            store.notifier().unwatch(m);
        }
        assert!(store.stats().evicted_objects > evicted, "case {n} evicts nothing");
    }
    let woken = woken.lock().unwrap();
    assert!(!woken.is_empty() && woken.iter().all(|passed| *passed), "{woken:?}");
}

const NORMAL: u32 = 64;

fn all_of_normal_mode() -> Vec<ObjectId> {
    (0..NORMAL).map(|n| ObjectId::new(BatchId::NORMAL, 5, n)).collect()
}

fn fill_normal_mode(store: &Arc<Store>) {
    let bytes = vec![1u8; 50_000];
    for id in all_of_normal_mode() {
        store.table().put(id, BatchId::NORMAL, Kind::Bytes, &&bytes[..]).unwrap();
    }
}
