//! Random sequences of operations against a model of plain maps: what is alive, who owns it, what is allowed.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod batch_support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use batch_support::{Calls, config, eventually};
use proptest::prelude::*;
use raybatch::batch::{BatchKey, BatchMemory, BatchSpec, Client, GroupLimit, MemoryReport, Reason, State};
use raybatch::error::ErrorCode;
use raybatch::id::{BatchId, ObjectId};
use raybatch::store::{Kind, Pin};

/// Numbers choose among what there is, modulo its count.
#[derive(Clone, Debug)]
enum Op {
    Start { parent: Option<usize>, id: Option<i64>, group: Option<usize>, max_objects: Option<u64>, no_cleanup: bool },
    Limit { group: usize, max_objects: Option<u64> },
    Put { batch: usize, size: usize },
    PutNormal { size: usize },
    Keep { batch: usize, object: usize },
    Transfer { object: usize, to: usize },
    End { batch: usize, collect: bool, keep: Option<usize> },
    Close { batch: usize },
    DeleteBatch { batch: usize },
    Gc { batch: usize },
    DeleteObject { object: usize },
    Pin { object: usize },
    Unpin { pin: usize },
    Spill,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let n = || 0usize..1000;
    let size = prop_oneof![6 => 0usize..200, 1 => 4000usize..9000, 1 => 65_000usize..70_000];
    let op = prop_oneof![
        3 => (
            prop::option::of(n()),
            prop::option::of(1i64..6),
            prop::option::of(0usize..3),
            prop::option::weighted(0.3, 0u64..8),
            any::<bool>(),
        )
            .prop_map(|(parent, id, group, max_objects, no_cleanup)| Op::Start {
                parent,
                id,
                group,
                max_objects,
                no_cleanup,
            }),
        1 => (0usize..3, prop::option::of(0u64..12)).prop_map(|(group, max_objects)| Op::Limit { group, max_objects }),
        8 => (n(), size.clone()).prop_map(|(batch, size)| Op::Put { batch, size }),
        1 => size.prop_map(|size| Op::PutNormal { size }),
        2 => (n(), n()).prop_map(|(batch, object)| Op::Keep { batch, object }),
        2 => (n(), n()).prop_map(|(object, to)| Op::Transfer { object, to }),
        2 => (n(), any::<bool>(), prop::option::of(n()))
            .prop_map(|(batch, collect, keep)| Op::End { batch, collect, keep }),
        1 => n().prop_map(|batch| Op::Close { batch }),
        1 => n().prop_map(|batch| Op::DeleteBatch { batch }),
        1 => n().prop_map(|batch| Op::Gc { batch }),
        2 => n().prop_map(|object| Op::DeleteObject { object }),
        1 => n().prop_map(|object| Op::Pin { object }),
        1 => n().prop_map(|pin| Op::Unpin { pin }),
        1 => Just(Op::Spill),
    ];
    prop::collection::vec(op, 1..80)
}

/// The groups there are.
const GROUPS: [&str; 3] = ["a", "a/x", "b"];

/// A group, and the one it is in.
fn groups_of(group: usize) -> &'static [usize] {
    [&[0][..], &[1, 0], &[2]][group]
}

/// An owner in the model: `None` is normal mode, 0 the root.
type Owner = Option<usize>;

struct MBatch {
    key: BatchKey,
    parent: Option<usize>,
    group: Option<usize>,
    max_objects: Option<u64>,
    no_cleanup: bool,
    open: bool,
    collected: bool,
    /// object → whom it was given to
    kept: Vec<(usize, usize)>,
}

struct MObject {
    id: ObjectId,
    bytes: Vec<u8>,
    owner: Owner,
    alive: bool,
}

struct World {
    client: Arc<Client>,
    batches: Vec<MBatch>,
    objects: Vec<MObject>,
    pins: Vec<(u64, Arc<Pin>, Vec<u8>)>,
    /// most objects of each group
    limits: [Option<u64>; 3],
    spills: bool,
}

impl World {
    fn new() -> World {
        World::with(&[])
    }

    fn with(more: &[(&str, &str)]) -> World {
        let client = Client::open(&config(&[&[("store.size", "33554432")], more].concat())).unwrap();
        let root = MBatch {
            key: client.root(),
            parent: None,
            group: None,
            max_objects: None,
            no_cleanup: false,
            open: true,
            collected: false,
            kept: vec![],
        };
        GROUPS.iter().for_each(|group| client.open_group(group).unwrap());
        World {
            client,
            batches: vec![root],
            objects: vec![],
            pins: vec![],
            limits: [None; 3],
            spills: !more.is_empty(),
        }
    }

    /// The batches `b` is in, itself first.
    fn chain(&self, b: usize) -> Vec<usize> {
        std::iter::successors(Some(b), |&at| self.batches[at].parent).collect()
    }

    fn within(&self, outer: usize) -> Vec<usize> {
        (0..self.batches.len()).filter(|&b| self.chain(b).contains(&outer)).collect()
    }

    fn owned(&self, batches: &[usize]) -> Vec<usize> {
        let has = |o: &MObject| o.alive && o.owner.is_some_and(|b| batches.contains(&b));
        (0..self.objects.len()).filter(|&n| has(&self.objects[n])).collect()
    }

    /// True when one more object of `batch` would be over a limit; `source` owns it already.
    fn over_limit(&self, batch: usize, source: Owner) -> bool {
        let inside = |b: usize| source.is_some_and(|s| self.chain(s).contains(&b));
        let over_batch = self.chain(batch).into_iter().filter(|&b| !inside(b)).any(|b| {
            let used = self.owned(&self.within(b)).len() as u64;
            self.batches[b].max_objects.is_some_and(|max| used + 1 > max)
        });
        let groups = |b: usize| self.batches[b].group.map_or(&[][..], groups_of);
        let in_group = |g: &usize| source.is_some_and(|s| groups(s).contains(g));
        over_batch
            || groups(batch).iter().filter(|g| !in_group(g)).any(|&g| {
                let used = self.owned(&self.in_group(g)).len() as u64;
                self.limits[g].is_some_and(|max| used + 1 > max)
            })
    }

    /// The batches of a group and of those within it.
    fn in_group(&self, group: usize) -> Vec<usize> {
        let is = |b: &usize| self.batches[*b].group.is_some_and(|g| groups_of(g).contains(&group));
        (0..self.batches.len()).filter(is).collect()
    }

    fn end(&mut self, b: usize) {
        for inner in self.within(b) {
            self.batches[inner].open = false;
        }
    }

    /// The objects and bytes that go.
    fn collect(&mut self, b: usize) -> (u64, u64) {
        let all: Vec<_> = self.within(b).into_iter().filter(|&b| !self.batches[b].collected).collect();
        let gone = self.owned(&all);
        let bytes = gone.iter().map(|&n| self.objects[n].bytes.len() as u64).sum();
        gone.iter().for_each(|&n| self.objects[n].alive = false);
        all.into_iter().for_each(|b| self.batches[b].collected = true);
        (gone.len() as u64, bytes)
    }

    fn delete_kept(&mut self, b: usize) {
        for (object, to) in self.batches[b].kept.clone() {
            let object = &mut self.objects[object];
            object.alive &= object.owner != Some(to);
        }
    }

    fn give(&mut self, object: usize, to: usize) {
        if let Some(from) = self.objects[object].owner {
            self.batches[from].kept.push((object, to));
        }
        self.objects[object].owner = Some(to);
    }

    /// What keeping an object of `batch` comes to: an error, or perhaps a new owner.
    fn keep(&self, batch: usize, object: usize) -> Result<Option<usize>, ()> {
        let o = &self.objects[object];
        if !o.alive || self.batches[batch].collected {
            return Err(());
        }
        match o.owner {
            None => Ok(None),
            Some(owner) if owner == batch => Ok(self.batches[batch].parent),
            Some(owner) if self.chain(batch).contains(&owner) => Ok(None),
            Some(_) => Err(()),
        }
    }

    fn pick(&self, n: usize) -> Option<usize> {
        (self.batches.len() > 1).then(|| 1 + n % (self.batches.len() - 1))
    }

    fn pick_object(&self, n: usize) -> Option<usize> {
        (!self.objects.is_empty()).then(|| n % self.objects.len())
    }

    fn fill(&self, size: usize) -> Vec<u8> {
        vec![self.objects.len() as u8 ^ 0x5a; size]
    }

    fn apply(&mut self, op: Op) {
        let c = Arc::clone(&self.client);
        match op {
            Op::Spill => drop(c.spill().unwrap()),
            Op::Limit { group, max_objects } => {
                self.limits[group] = max_objects;
                c.limit_group(GROUPS[group], GroupLimit::Objects(max_objects)).unwrap();
            }
            Op::Start { parent, id, group, max_objects, no_cleanup } => {
                let parent = parent.and_then(|n| self.pick(n)).unwrap_or(0);
                let around = self.batches[parent].group;
                // only what is in the root may choose its group
                let other = parent != 0 && group.is_some() && group != around;
                let group_of = group;
                let group = group.or(around);
                let spec = BatchSpec {
                    id: id.map(BatchId),
                    group: group_of.map(|group| GROUPS[group].to_owned()),
                    parent: Some(self.batches[parent].key),
                    max_objects,
                    no_cleanup,
                    ..BatchSpec::default()
                };
                let taken = id.is_some_and(|id| self.batches.iter().any(|b| !b.collected && b.key.id.0 == id));
                match c.start_batch(spec, "model") {
                    Ok(key) => {
                        assert!(self.batches[parent].open && !taken && !other);
                        let parent = Some(parent);
                        let (open, collected, kept) = (true, false, vec![]);
                        self.batches.push(MBatch {
                            key,
                            parent,
                            group,
                            max_objects,
                            no_cleanup,
                            open,
                            collected,
                            kept,
                        });
                    }
                    Err(e) if taken => assert_eq!(e.code(), ErrorCode::BatchExists, "{e}"),
                    Err(e) if e.code() == ErrorCode::InvalidArgument => assert!(other, "{e}"),
                    Err(e) => assert!(!self.batches[parent].open && e.code() == ErrorCode::BatchEnded, "{e}"),
                }
            }
            Op::Put { batch, size } => {
                let Some(b) = self.pick(batch) else { return };
                let bytes = self.fill(size);
                match c.try_put(self.batches[b].key, &bytes) {
                    Ok(id) => {
                        assert!(self.batches[b].open && !self.over_limit(b, None));
                        self.objects.push(MObject { id, bytes, owner: Some(b), alive: true });
                    }
                    Err(e) if !self.batches[b].open => assert_eq!(e.code(), ErrorCode::BatchEnded, "{e}"),
                    Err(e) => assert!(self.over_limit(b, None) && e.code() == ErrorCode::BatchLimit, "{e}"),
                }
            }
            Op::PutNormal { size } => {
                let bytes = self.fill(size);
                let id = c.put_bytes(BatchKey::NORMAL, &bytes);
                self.objects.push(MObject { id, bytes, owner: None, alive: true });
            }
            Op::Keep { batch, object } => {
                let (Some(b), Some(o)) = (self.pick(batch), self.pick_object(object)) else { return };
                let expected = self.keep(b, o);
                let result = c.transfer(&[self.objects[o].id], Some(self.batches[b].key), None);
                assert_eq!(result.is_ok(), expected.is_ok(), "{result:?}");
                if let Ok(Some(to)) = expected {
                    self.give(o, to);
                }
            }
            Op::Transfer { object, to } => {
                let (Some(to), Some(o)) = (self.pick(to), self.pick_object(object)) else { return };
                let owner = self.objects[o].owner;
                let over = owner != Some(to) && self.over_limit(to, owner);
                let legal = self.objects[o].alive && self.batches[to].open && !over;
                let result = c.transfer(&[self.objects[o].id], None, Some(self.batches[to].key));
                assert_eq!(result.is_ok(), legal, "{result:?}");
                if legal && owner != Some(to) {
                    self.give(o, to);
                }
            }
            Op::End { batch, collect, keep } => {
                let Some(b) = self.pick(batch) else { return };
                let keep = keep.and_then(|n| self.pick_object(n));
                let kept = keep.map(|o| self.keep(b, o));
                let ids: Vec<_> = keep.iter().map(|&o| self.objects[o].id).collect();
                let result = c.end_batch(self.batches[b].key, collect, &ids, Reason::Closed, "model");
                let legal = self.batches[b].open && kept != Some(Err(()));
                assert_eq!(result.is_ok(), legal, "{result:?}");
                if let Ok(released) = result {
                    if let (Some(o), Some(Ok(Some(to)))) = (keep, kept) {
                        self.give(o, to);
                    }
                    self.end(b);
                    let gone = if collect { self.collect(b) } else { (0, 0) };
                    assert_eq!((released.objects, released.bytes), gone);
                }
            }
            Op::Close { batch } => {
                let Some(b) = self.pick(batch) else { return };
                c.close_batch(self.batches[b].key, "model").unwrap();
                self.end(b);
                if !self.batches[b].no_cleanup {
                    self.collect(b);
                }
            }
            Op::DeleteBatch { batch } => {
                let Some(b) = self.pick(batch) else { return };
                c.delete_batch(self.batches[b].key, "model").unwrap();
                self.end(b);
                self.collect(b);
                self.delete_kept(b);
            }
            Op::Gc { batch } => {
                let Some(b) = self.pick(batch) else { return };
                let result = c.gc(self.batches[b].key);
                if self.batches[b].open {
                    assert_eq!(result.unwrap_err().code(), ErrorCode::BatchActive);
                } else {
                    let released = result.unwrap();
                    assert_eq!((released.objects, released.bytes), self.collect(b));
                }
            }
            Op::DeleteObject { object } => {
                let Some(o) = self.pick_object(object) else { return };
                let pinned = self.pins.iter().any(|(_, pin, _)| pin.id() == self.objects[o].id);
                let gone = c.delete(&[self.objects[o].id]).unwrap();
                if pinned {
                    // goes with the last release: until then it may be seen or not
                    self.pins.retain(|(view, pin, bytes)| {
                        assert_eq!(pin.data().to_vec(), *bytes);
                        let stays = pin.id() != self.objects[o].id;
                        if !stays {
                            c.release_view(*view);
                        }
                        stays
                    });
                } else {
                    assert_eq!(gone, u32::from(self.objects[o].alive));
                }
                self.objects[o].alive = false;
            }
            Op::Pin { object } => {
                let Some(o) = self.pick_object(object) else { return };
                if let Ok(Some((view, pin))) = c.read(&self.objects[o].id) {
                    // (or it is on its way out, held by an earlier pin)
                    assert!(
                        self.objects[o].alive || self.pins.iter().any(|(_, pin, _)| pin.id() == self.objects[o].id)
                    );
                    self.pins.push((view, pin, self.objects[o].bytes.clone()));
                }
            }
            Op::Unpin { pin } => {
                if !self.pins.is_empty() {
                    let (view, pin, bytes) = self.pins.swap_remove(pin % self.pins.len());
                    assert_eq!(pin.data().to_vec(), bytes, "what is pinned stays, whatever becomes of its batch");
                    c.release_view(view);
                }
            }
        }
    }

    fn check(&self) {
        for o in &self.objects {
            let found = self.client.bytes(&o.id);
            if o.alive {
                assert_eq!(found.unwrap().as_deref(), Some(&o.bytes[..]), "{} lives", o.id);
            } else if !self.pins.iter().any(|(_, pin, _)| pin.id() == o.id) {
                // (one that is held goes with its last release, as in Plasma, and may be seen till then; whoever writes it to a
                // file holds it, too)
                let gone = || !matches!(self.client.bytes(&o.id), Ok(Some(_)));
                if self.spills {
                    eventually("what was deleted while it was written is gone", gone);
                } else {
                    assert!(!matches!(found, Ok(Some(_))), "{} is gone", o.id);
                }
            }
        }
        for (b, batch) in self.batches.iter().enumerate() {
            let status = self.client.status(batch.key).unwrap();
            assert_eq!(status.state.is_open(), batch.open);
            assert_eq!(status.state >= State::Draining, batch.collected);
            if !batch.collected {
                let owned = self.owned(&[b]);
                let bytes: usize = owned.iter().map(|&n| self.objects[n].bytes.len()).sum();
                assert_eq!(
                    (status.objects, status.bytes),
                    (owned.len() as u64, bytes as u64),
                    "batch {}",
                    batch.key.id
                );
            }
        }
        for (g, path) in GROUPS.iter().enumerate() {
            let group = self.client.group(path).unwrap();
            let batches = self.in_group(g);
            let owned = self.owned(&batches);
            let bytes: usize = owned.iter().map(|&n| self.objects[n].bytes.len()).sum();
            let live = batches.iter().filter(|&&b| !self.batches[b].collected).count();
            assert_eq!(
                (group.objects, group.bytes, group.batches),
                (owned.len() as u64, bytes as u64, live as u64),
                "group {path}"
            );
        }
        let live: usize = self.objects.iter().filter(|o| o.alive).map(|o| o.bytes.len()).sum();
        let stats = self.client.stats().unwrap();
        if self.pins.is_empty() {
            assert_eq!(stats.store.live, live as u64);
        }
        // with files a thread of the store's own may be moving something just now
        let deadline = Instant::now() + if self.spills { Duration::from_secs(20) } else { Duration::ZERO };
        while let Err(what) = self.adds_up() {
            assert!(Instant::now() < deadline, "{what}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Each byte of the arena is told once.
    fn adds_up(&self) -> Result<(), String> {
        self.client.audit().map_err(|e| e.to_string())?;
        let report = self.client.memory().unwrap();
        if !report_adds_up(&report) {
            return Err(format!("{report:#?}"));
        }
        for group in &report.groups {
            let inside = |b: &&BatchMemory| {
                b.group
                    .as_deref()
                    .is_some_and(|path| path == &*group.path || path.starts_with(&format!("{}/", group.path)))
            };
            let pages: u64 = report.batches.iter().filter(inside).map(|b| b.region.held).sum();
            let kept: u64 = report.batches.iter().filter(inside).map(|b| b.kept.0 * 8 + b.kept.1).sum();
            // what is kept and lies in files, or is padded, makes a difference; and what drains
            if group.held < pages || (self.pins.is_empty() && group.held > pages + kept) {
                return Err(format!("{group:?} holds {pages} and {kept}"));
            }
        }
        Ok(())
    }

    /// Lets go of all there is: nothing is left of it.
    fn clear(mut self) {
        for (view, pin, bytes) in self.pins.drain(..) {
            assert_eq!(pin.data().to_vec(), bytes);
            drop(pin);
            self.client.release_view(view);
        }
        for b in 1..self.batches.len() {
            self.client.delete_batch(self.batches[b].key, "model").unwrap();
        }
        let left: Vec<_> = self.client.list(None).unwrap().iter().map(|o| o.id).collect();
        self.client.delete(&left).unwrap();
        eventually("all adds up", || self.adds_up().is_ok());
        eventually("nothing drains", || self.client.stats().unwrap().store.draining == 0);
        let stats = self.client.stats().unwrap();
        assert_eq!((stats.objects, stats.store.live, stats.live_batches), (0, 0, 0));
        for path in ["a/x", "a", "b"] {
            eventually("nothing is held", || self.client.group(path).unwrap().held == 0);
            let group = self.client.group(path).unwrap();
            assert_eq!((group.objects, group.bytes, group.held, group.batches), (0, 0, 0, 0), "{path}");
            self.client.remove_group(path).unwrap();
        }
        let spill = self.client.store().spill_stats();
        assert_eq!((spill.objects, spill.bytes), (0, 0));
        // one that was just being made for a batch goes when its maker has seen that the batch did
        eventually("no file is left", || self.client.store().spill_stats().files == 0);
    }
}

fn report_adds_up(report: &MemoryReport) -> bool {
    let (s, t) = (&report.store, &report.table);
    let store = s.bookkeeping + s.regions + s.table + s.draining + s.free == s.capacity;
    let draining = report.draining.iter().map(|b| b.held).sum::<u64>() == s.draining;
    let table = t.held == s.table && t.normal + t.kept + t.pinned + t.unused == s.table;
    let region = |b: &BatchMemory| b.region.index + b.region.live + b.region.pinned + b.region.unused == b.region.held;
    let regions = report.batches.iter().map(|b| b.region.held).sum::<u64>() == s.regions;
    let spilled: u64 = report.batches.iter().map(|b| b.region.spilled).sum();
    store
        && draining
        && table
        && report.batches.iter().all(region)
        && regions
        && spilled + t.spilled == report.spill.bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_does_what_the_model_does(ops in ops()) {
        let mut world = World::new();
        for op in ops {
            world.apply(op);
            world.check();
        }
        world.clear();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// The same, with all that may going to files now and then; it comes back when it is read, or it does not.
    #[test]
    fn it_does_so_with_files_beside_memory(ops in ops(), comes_back in any::<bool>()) {
        let directory = tempfile::tempdir().unwrap();
        let more = [
            ("spill.directory", directory.path().to_str().unwrap()),
            ("spill.normalMode", "spill"),
            ("spill.highWater", if comes_back { "90" } else { "1" }),
        ];
        let mut world = World::with(&more);
        for op in ops {
            world.apply(op);
            world.check();
        }
        world.clear();
    }
}

#[test]
fn a_put_is_of_the_kind_it_was_given() {
    let world = World::new();
    let b = world.client.start();
    let slot = world.client.put(b, Kind::Doubles, &&[0u8; 16][..]).unwrap();
    assert_eq!(world.client.get(&world.client.id_of(b, slot), &mut Vec::new()).unwrap(), Some(Kind::Doubles));
}
