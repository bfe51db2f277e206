//! What the clients of one store share.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use dashmap::{DashMap, DashSet};
use hashbrown::DefaultHashBuilder;
use parking_lot::Mutex;

use super::groups::Groups;
use super::housekeeping::Agenda;
use super::tombstones::Tombstones;
use super::{Batch, BatchKey, TaskHooks, errors, registry};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::gcs::{EmbeddedGcs, Gcs, TaskRecord};
use crate::id::{BatchId, ObjectId};
use crate::log_limit::LogLimit;
use crate::node::Node;
use crate::store::{Event, EventKind, Eviction, Faults, LocalDisk, Store, TaskLog};

/// Writes what the store leases into the tables.
struct LeaseLog(Arc<dyn Gcs>);

impl TaskLog for LeaseLog {
    fn leased(&self, batch: BatchId, task: u64, count: u32) {
        self.0.append(batch, TaskRecord { task, count });
    }
}

/// See the module.
pub(crate) struct Engine {
    /// For what must not keep it alive.
    pub(super) me: Weak<Engine>,
    pub(super) name: String,
    pub(super) store: Arc<Store>,
    pub(super) gcs: Arc<dyn Gcs>,
    pub(super) node: Arc<Node>,
    /// id → the batch that is not collected yet, roots included
    pub(super) live: DashMap<BatchId, Arc<Batch>, DefaultHashBuilder>,
    pub(super) roots: AtomicUsize,
    pub(super) tombstones: Tombstones,
    pub(super) agenda: Arc<Agenda>,
    /// logged: batches that timed out, objects that could not be kept, those that are lost by that
    pub(super) timeouts: LogLimit,
    pub(super) unkept: LogLimit,
    pub(super) lost: LogLimit,
    pub(super) groups: Groups,
    /// The next id of the store's choosing; counts down.
    pub(super) next_id: AtomicI64,
    /// Ids told to callers and not started yet.
    pub(super) reserved: DashSet<BatchId, DefaultHashBuilder>,
    pub(super) next_seq: AtomicU64,
    /// The next handle of a writer, view, subscription or client.
    next_handle: AtomicU64,
    /// unsealed object that no batch of its creator takes along → the client that created it
    pub(super) unsealed: DashMap<ObjectId, u64, DefaultHashBuilder>,
    /// The task room, once there is one.
    pub(super) tasks: OnceLock<Weak<dyn TaskHooks>>,
    /// The thread that spills, in a store that does.
    pub(super) spiller: Mutex<Option<crate::threads::Ended>>,
    closed: AtomicBool,
}

impl Engine {
    /// Opens a store.
    pub(super) fn open(config: &Config, faults: Arc<dyn Faults>) -> Result<Arc<Engine>> {
        registry::open(config.name.as_deref(), |name| {
            let gcs: Arc<dyn Gcs> = Arc::new(EmbeddedGcs::default());
            let log = Arc::new(LeaseLog(Arc::clone(&gcs)));
            let disk = Arc::new(LocalDisk::new(Arc::clone(&faults)));
            let spill = config.spill.as_ref().map(|spill| (spill, disk as _));
            let store = Store::open_beside(&config.store(name)?, config.margin(), spill, log, faults)?;
            let node = Node::start(&store, &*gcs);
            let engine = Arc::new_cyclic(|me| Engine {
                me: me.clone(),
                name: name.to_owned(),
                store,
                gcs,
                node,
                live: DashMap::default(),
                roots: AtomicUsize::new(0),
                tombstones: Tombstones::new(config.tombstones),
                agenda: Arc::default(),
                timeouts: LogLimit::default(),
                unkept: LogLimit::default(),
                lost: LogLimit::default(),
                groups: Groups::default(),
                next_id: AtomicI64::new(-1),
                reserved: DashSet::default(),
                next_seq: AtomicU64::new(0),
                next_handle: AtomicU64::new(1),
                unsealed: DashMap::default(),
                tasks: OnceLock::new(),
                spiller: Mutex::default(),
                closed: AtomicBool::new(false),
            });
            engine.mind_pressure()?;
            Ok(engine)
        })
    }

    /// Where the objects are.
    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// The `GC:` tables.
    pub(crate) fn gcs(&self) -> &Arc<dyn Gcs> {
        &self.gcs
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// True when batches are ignored, as the old store did.
    pub(crate) fn is_lru(&self) -> bool {
        self.store.config().eviction == Eviction::Lru
    }

    /// A number used for nothing else.
    pub(crate) fn handle(&self) -> u64 {
        self.next_handle.fetch_add(1, Ordering::Relaxed)
    }

    /// The batch, if it is not collected yet.
    pub(crate) fn live(&self, key: BatchKey) -> Option<Arc<Batch>> {
        let batch = self.live.get(&key.id)?;
        key.means(batch.record.key.life).then(|| Arc::clone(&batch))
    }

    /// The batch, for an operation that only one which is not collected can do.
    ///
    /// # Errors
    /// `BatchEnded` for one that is remembered; `BatchNotFound`.
    pub(crate) fn find(&self, key: BatchKey) -> Result<Arc<Batch>> {
        self.live(key).ok_or_else(|| self.gone(key))
    }

    /// As `find`, for what may not be done to a root.
    ///
    /// # Errors
    /// `InvalidArgument` for a root, and as for `find`.
    pub(crate) fn find_inner(&self, key: BatchKey) -> Result<Arc<Batch>> {
        let batch = self.find(key)?;
        if batch.is_root() { Err(errors::root(key.id)) } else { Ok(batch) }
    }

    pub(crate) fn gone(&self, key: BatchKey) -> Error {
        match self.tombstones.find(key) {
            Some(record) => errors::ended(&record),
            None => errors::not_found(key.id),
        }
    }

    /// The batch as one that takes work.
    ///
    /// # Errors
    /// `BatchEnded`.
    #[inline]
    pub(super) fn work(&self, batch: &Batch) -> Result<()> {
        batch.work().map_err(|_| errors::ended(&batch.record))
    }

    /// A client's root: live and at work from the start.
    pub(super) fn start_root(&self, by: &str) -> Result<Arc<Batch>> {
        let root = self.make_root(by)?;
        let _ = root.work();
        self.roots.fetch_add(1, Ordering::Relaxed);
        Ok(root)
    }

    /// Closes the store: everything is collected, everybody woken. The second time nothing happens.
    pub(super) fn close(&self, by: &str) {
        if self.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        let roots: Vec<_> = self.live.iter().filter(|b| b.is_root()).map(|b| Arc::clone(&b)).collect();
        for root in roots {
            self.drop_root(&root, by);
        }
        self.store.notifier().emit(Event::batch(EventKind::StoreClosed, BatchId::NORMAL));
        self.store.notifier().wake_all();
        self.claims().release_client(None);
        self.agenda.stop();
        registry::remove(&self.name, self);
        self.join_spiller();
        self.store.close();
        self.wake_for_room();
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close("the last client going");
    }
}
