//! What the tests inside of the crate share: a store with a task room that writes down what it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::{Batch, BatchKey, BatchSpec, Client, Collected, Engine, Reason, State, TaskCounts, TaskHooks};
use crate::config::Config;
use crate::id::ObjectId;
use crate::store::Kind;

/// What the task room was told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Told {
    Ended(BatchKey, Reason),
    Collecting(BatchKey),
    Collected(BatchKey),
    /// What should not be.
    Fault(&'static str, BatchKey),
}

#[derive(Default)]
pub(crate) struct Room {
    engine: Mutex<std::sync::Weak<Engine>>,
    told: Mutex<Vec<Told>>,
    /// the store closes: batches go with active tasks
    pub(crate) closing: AtomicBool,
}

impl Room {
    /// What it was told since the last time.
    pub(crate) fn told(&self) -> Vec<Told> {
        std::mem::take(&mut self.told.lock())
    }

    fn look(&self, key: BatchKey) -> Option<Arc<Batch>> {
        self.engine.lock().upgrade()?.live(key)
    }

    /// Panics nowhere: it may be called by a client's drop.
    fn check(&self, key: BatchKey, what: &'static str, holds: bool) {
        if !holds {
            self.told.lock().push(Told::Fault(what, key));
        }
    }
}

impl TaskHooks for Room {
    fn ended(&self, key: BatchKey, reason: Reason, _by: &str) {
        self.told.lock().push(Told::Ended(key, reason));
    }

    fn collecting(&self, key: BatchKey) {
        if let Some(batch) = self.look(key) {
            let here = batch.region().is_none_or(|region| !region.is_dropped());
            self.check(key, "its objects went before it was told", here);
            let idle = batch.active_tasks() == 0 || self.closing.load(Ordering::Relaxed);
            self.check(key, "collected with active tasks", idle);
        }
        self.told.lock().push(Told::Collecting(key));
    }

    fn collected(&self, key: BatchKey) {
        if let Some(batch) = self.look(key) {
            let gone = batch.region().is_none_or(|region| region.is_dropped());
            self.check(key, "its objects are there after it was told", gone && batch.state().is_collected());
        }
        self.told.lock().push(Told::Collected(key));
    }

    fn limits_changed(&self) {}

    fn records(&self, _exact: bool) -> Arc<super::tasks::Records> {
        let actor = super::tasks::RecordsFor { number: 7, name: "actor 7 (greedy)".to_owned(), bytes: 4096 };
        Arc::new(super::tasks::Records { actors: vec![actor], batches: Vec::new() })
    }

    fn counts(&self, _key: BatchKey) -> TaskCounts {
        TaskCounts { waiting: 1, ready: 2, running: 3, done: 4, failed: 5, held: 0 }
    }

    fn woken(&self, _token: u64) -> bool {
        false
    }

    fn as_any(self: Arc<Self>) -> Arc<dyn std::any::Any + Send + Sync> {
        self
    }
}

/// A client of a store of 16 MiB.
pub(crate) struct World {
    pub(crate) client: Arc<Client>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) room: Arc<Room>,
    woken: Arc<Mutex<Vec<u64>>>,
}

impl World {
    pub(crate) fn open() -> World {
        World::open_with(&[])
    }

    pub(crate) fn open_with(options: &[(&str, &str)]) -> World {
        let mut pairs: Vec<_> = options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        if !options.iter().any(|(k, _)| *k == "store.size") {
            pairs.push(("store.size".to_owned(), "16777216".to_owned()));
        }
        let client = Client::open(&Config::from_pairs(&pairs).unwrap()).unwrap();
        let engine = Arc::clone(client.engine().unwrap());
        let room = Arc::new(Room::default());
        *room.engine.lock() = Arc::downgrade(&engine);
        let hooks: Arc<dyn TaskHooks> = Arc::clone(&room) as _;
        engine.set_tasks(Arc::downgrade(&hooks));
        let woken = Arc::new(Mutex::new(Vec::new()));
        let wake = Arc::clone(&woken);
        client.store().notifier().set_waker(Box::new(move |token| wake.lock().push(token)));
        World { client, engine, room, woken }
    }

    /// Tokens that were woken since the last time.
    pub(crate) fn woken(&self) -> Vec<u64> {
        std::mem::take(&mut self.woken.lock())
    }

    pub(crate) fn start(&self) -> Arc<Batch> {
        self.start_as(BatchSpec::default())
    }

    pub(crate) fn start_in(&self, parent: &Batch) -> Arc<Batch> {
        self.start_as(BatchSpec { parent: Some(parent.key()), ..BatchSpec::default() })
    }

    pub(crate) fn start_as(&self, spec: BatchSpec) -> Arc<Batch> {
        let key = self.client.start_batch(spec, "test").unwrap();
        self.engine.find(key).unwrap()
    }

    /// A batch with one active task.
    pub(crate) fn busy(&self) -> Arc<Batch> {
        begun(self.start())
    }

    pub(crate) fn busy_in(&self, parent: &Batch) -> Arc<Batch> {
        begun(self.start_in(parent))
    }

    pub(crate) fn put(&self, batch: &Batch, bytes: &[u8]) -> ObjectId {
        let slot = self.client.put(batch.key(), Kind::Bytes, &bytes).unwrap();
        ObjectId::from_slot(batch.id(), batch.key().life, slot.slot, slot.index)
    }

    pub(crate) fn get(&self, id: &ObjectId) -> crate::error::Result<Option<Vec<u8>>> {
        let mut out = Vec::new();
        Ok(self.client.get(id, &mut out)?.map(|_| out))
    }

    pub(crate) fn end(&self, batch: &Batch, collect: bool) -> Collected {
        self.client.end_batch(batch.key(), collect, &[], Reason::Closed, "test").unwrap()
    }

    pub(crate) fn over(&self, batch: &Batch) -> Option<Collected> {
        self.client.batch_over(batch.key()).unwrap()
    }

    /// That nothing is left of any batch but roots, and nothing was wrong on the way.
    pub(crate) fn assert_empty(&self) {
        let faults: Vec<_> = self.room.told().into_iter().filter(|told| matches!(told, Told::Fault(..))).collect();
        assert_eq!(faults, []);
        self.client.audit().unwrap();
        let stats = self.client.stats().unwrap();
        assert_eq!((stats.live_batches, stats.objects), (0, 0));
    }
}

fn begun(batch: Arc<Batch>) -> Arc<Batch> {
    batch.begin_task(false).unwrap();
    batch
}

/// States in a row.
pub(crate) fn states<const N: usize>(batches: [&Batch; N]) -> [State; N] {
    batches.map(Batch::state)
}

/// What one collection released.
pub(crate) fn released(objects: u64, bytes: u64) -> Collected {
    Collected { objects, bytes, ..Collected::default() }
}
