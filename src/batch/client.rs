//! A client of a store: what callers hold.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Arc, OnceLock};

use dashmap::DashMap;
use hashbrown::DefaultHashBuilder;

use super::{Batch, BatchKey, BatchSpec, BatchStatus, Collected, Engine, Reason, TaskHooks, registry};
use crate::config::Config;
use crate::error::{Error, ErrorCode, Result};
use crate::id::{BatchId, ObjectId};
use crate::store::{Faults, NoFaults, Pin, Store, StoreStats, Subscription, Unsealed};

/// What is the client's own: handle → thing. A handle is an id, so that a stale one is an error and never a crash.
pub(super) type Handles<T> = DashMap<u64, Arc<T>, DefaultHashBuilder>;

/// A connection to a store, with a root batch of its own. All calls are safe from any thread, and none blocks.
///
/// Every call is `Closed` after the client or the store's owner closed.
pub struct Client {
    pub(super) engine: Arc<Engine>,
    owns_store: bool,
    closed: AtomicBool,
    pub(super) number: u64,
    pub(super) root: Arc<Batch>,
    pub(super) normal_base: u64,
    pub(super) normal_slots: AtomicU64,
    pub(super) writers: Handles<Unsealed>,
    pub(super) views: Handles<Pin>,
    pub(super) subscriptions: Handles<Subscription>,
    /// The task room, which lives as long as the store's owner.
    pub(super) tasks: OnceLock<Arc<dyn TaskHooks>>,
}

/// A batch that was just started.
#[derive(Clone, Copy, Debug)]
pub struct Started {
    /// Its id and life.
    pub key: BatchKey,
    /// Where its region's header lies, and the generation of its life; `None` in a store that ignores batches.
    pub region: Option<(u64, u64)>,
}

/// Figures of a store and its batches.
#[derive(Clone, Copy, Debug)]
pub struct ClientStats {
    /// The store's own.
    pub store: StoreStats,
    /// Objects there are.
    pub objects: u64,
    /// Batches not collected yet, roots left out.
    pub live_batches: u64,
}

impl Client {
    /// Opens a store, and is its owner.
    ///
    /// # Errors
    /// `StoreOpen`, `InvalidArgument`.
    pub fn open(config: &Config) -> Result<Arc<Client>> {
        Client::open_with(config, Arc::new(NoFaults))
    }

    /// Opens a store whose system can be made to fail.
    ///
    /// # Errors
    /// As for `open`.
    pub fn open_with(config: &Config, faults: Arc<dyn Faults>) -> Result<Arc<Client>> {
        let engine = Engine::open(config, faults)?;
        Client::new(engine, true).map_err(|e| {
            let text = format!("the store cannot be opened: {}", e.message());
            if e.code() == ErrorCode::StoreFull { Error::new(ErrorCode::StoreOpen, text) } else { e }
        })
    }

    /// Connects to a store that is open in this process.
    ///
    /// # Errors
    /// `StoreConnect`, naming what is open.
    pub fn connect(name: &str) -> Result<Arc<Client>> {
        Client::new(registry::find(name)?, false)
    }

    fn new(engine: Arc<Engine>, owns_store: bool) -> Result<Arc<Client>> {
        let random = || getrandom::u64().map_err(|e| Error::new(ErrorCode::Io, format!("no random numbers: {e}")));
        let normal_base = random()?;
        let root = engine.start_root(if owns_store { "open" } else { "connect" })?;
        Ok(Arc::new(Client {
            number: engine.handle(),
            engine,
            owns_store,
            closed: AtomicBool::new(false),
            root,
            normal_base,
            normal_slots: AtomicU64::new(0),
            writers: DashMap::default(),
            views: DashMap::default(),
            subscriptions: DashMap::default(),
            tasks: OnceLock::new(),
        }))
    }

    /// Ends and collects all its batches, releases its pins, aborts what it did not seal. Active tasks of them are
    /// cancelled, and a batch that has some is collected after the last. An owner then closes the store, whatever is
    /// active, and every other client hears of it. The second time nothing happens.
    ///
    /// # Errors
    /// None now; for what may fail later.
    pub fn close(&self, by: &str) -> Result<()> {
        if self.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let engine = &self.engine;
        if engine.claims().release_client(Some(self.number)) {
            engine.view_released();
        }
        for writer in drain(&self.writers) {
            // one that was sealed or released before says so, which is fine
            let _ = writer.abort();
            engine.writer_done(&writer.id());
        }
        let unsealed: Vec<_> = engine.unsealed.iter().filter(|e| *e.value() == self.number).map(|e| *e.key()).collect();
        for id in unsealed {
            engine.unsealed.remove(&id);
            let _ = engine.abort(&id);
        }
        drop(drain(&self.views));
        engine.end_root(&self.root, by);
        if self.owns_store {
            engine.close(by);
        } else {
            // whoever waits through this client looks again, and finds it closed
            engine.store.notifier().wake_all();
            engine.wake_for_room();
        }
        for subscription in drain(&self.subscriptions) {
            engine.store.notifier().unsubscribe(&subscription);
        }
        Ok(())
    }

    /// The engine, for a call.
    #[inline]
    pub(crate) fn engine(&self) -> Result<&Arc<Engine>> {
        if self.closed.load(Ordering::Acquire) || self.engine.is_closed() {
            return Err(self.closed_error());
        }
        Ok(&self.engine)
    }

    /// For what was copied without a lock on anything: an owner that closed the store meanwhile mapped zeros over it.
    ///
    /// # Errors
    /// `Closed`.
    pub fn check_open(&self) -> Result<()> {
        fence(Ordering::Acquire);
        self.engine().map(|_| ())
    }

    #[cold]
    fn closed_error(&self) -> Error {
        let text = if self.closed.load(Ordering::Acquire) {
            format!("this client of store '{}' is closed", self.engine.name)
        } else {
            format!("store '{}' was closed by its owner", self.engine.name)
        };
        Error::new(ErrorCode::Closed, text)
    }

    /// True for the one that opened the store.
    #[must_use]
    pub fn owns_store(&self) -> bool {
        self.owns_store
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        &self.engine.store
    }

    /// Its name, given or chosen.
    #[must_use]
    pub fn store_name(&self) -> &str {
        &self.engine.name
    }

    /// The parent of its outermost batches.
    #[must_use]
    pub fn root(&self) -> BatchKey {
        self.root.key()
    }

    /// The random base of the slots of its puts in normal mode.
    #[must_use]
    pub fn normal_base(&self) -> u64 {
        self.normal_base
    }

    /// A fresh negative id, reserved until it is started.
    ///
    /// # Errors
    /// `Closed`.
    pub fn new_batch_id(&self) -> Result<BatchId> {
        Ok(self.engine()?.reserve_id())
    }

    /// Starts a batch; `by` says in errors who did.
    ///
    /// # Errors
    /// `BatchExists` while its id is live; `BatchEnded` or `BatchNotFound` for the parent; `GroupNotFound`; `BatchLimit` for a
    /// priority above its group's; `InvalidArgument`; `StoreFull`.
    pub fn start_batch(&self, spec: BatchSpec, by: &str) -> Result<BatchKey> {
        self.start_mapped(spec, by).map(|started| started.key)
    }

    /// As `start_batch`, telling where the batch's region is mapped.
    ///
    /// # Errors
    /// As for `start_batch`.
    pub fn start_mapped(&self, spec: BatchSpec, by: &str) -> Result<Started> {
        let batch = self.engine()?.start(&self.root, spec, by)?;
        Ok(Started { key: batch.key(), region: batch.region().map(|region| region.header()) })
    }

    /// Ends a batch for good, all within it first; before that hands `keep` to its parent, after that collects it if
    /// asked to. Returns what was released; `pending` if tasks are active, after the last of which that will be done.
    ///
    /// # Errors
    /// `BatchEnded`, naming who ended it first, when and why; `BatchNotFound`; `InvalidArgument` for a root; as for
    /// `transfer`.
    pub fn end_batch(
        &self,
        key: BatchKey,
        collect: bool,
        keep: &[ObjectId],
        reason: Reason,
        by: &str,
    ) -> Result<Collected> {
        self.engine()?.end_batch(key, collect, keep, reason, by)
    }

    /// Ends a batch if it is open, collects it unless it is not to be cleaned up. A life that is gone is fine. Returns as
    /// `end_batch`.
    ///
    /// # Errors
    /// `BatchNotFound` for an id nobody started; `InvalidArgument` for a root.
    pub fn close_batch(&self, key: BatchKey, by: &str) -> Result<Collected> {
        self.engine()?.close_batch(key, Reason::Closed, by)
    }

    /// As `close_batch`, and has the tasks cancelled that it waits for, also when it was ended before.
    ///
    /// # Errors
    /// As for `close_batch`.
    pub fn cancel_batch(&self, key: BatchKey, by: &str) -> Result<Collected> {
        self.engine()?.close_batch(key, Reason::Cancelled, by)
    }

    /// Ends, collects, and deletes what it kept, unless the keeper has given it away. A life that is gone is fine.
    /// Returns as `end_batch`.
    ///
    /// # Errors
    /// As for `close_batch`.
    pub fn delete_batch(&self, key: BatchKey, by: &str) -> Result<Collected> {
        self.engine()?.delete_batch(key, by)
    }

    /// Collects an ended batch. Zeros when it was before.
    ///
    /// # Errors
    /// `BatchActive` while it is open, or a task of it or of a batch within it is active; `BatchNotFound`;
    /// `InvalidArgument` for a root.
    pub fn gc(&self, key: BatchKey) -> Result<Collected> {
        self.engine()?.gc(key)
    }

    /// Has `token` woken, once, when a batch is over: its last task and those of all within it, and its collection if that
    /// was asked for. Ask `batch_over` after this. `unwatch` forgets it.
    ///
    /// # Errors
    /// `Closed`.
    pub fn watch_batch(&self, key: BatchKey, token: u64) -> Result<()> {
        self.engine()?.watch_batch(key, token);
        // a close that woke everybody before the token was there is seen here
        self.engine().map(|_| ())
    }

    /// What was released with a batch that is over, by whoever collected it; `None` for one that is not.
    ///
    /// # Errors
    /// `BatchNotFound` for an id that nobody started.
    pub fn batch_over(&self, key: BatchKey) -> Result<Option<Collected>> {
        self.engine()?.batch_over(key)
    }

    /// One batch, live or remembered.
    ///
    /// # Errors
    /// `BatchNotFound`.
    pub fn status(&self, key: BatchKey) -> Result<BatchStatus> {
        self.engine()?.status(key)
    }

    /// All batches of the store not collected yet, roots left out, the oldest first.
    ///
    /// # Errors
    /// `Closed`.
    pub fn batches(&self) -> Result<Vec<BatchId>> {
        Ok(self.engine()?.batches())
    }

    /// Figures.
    ///
    /// # Errors
    /// `Closed`.
    pub fn stats(&self) -> Result<ClientStats> {
        let engine = self.engine()?;
        let store = engine.store.stats();
        let roots = engine.roots.load(Ordering::Relaxed);
        Ok(ClientStats { store, objects: store.objects, live_batches: engine.live.len().saturating_sub(roots) as u64 })
    }

    /// Walks the store and checks its sums. Meaningful when nothing is going on.
    ///
    /// # Errors
    /// `Internal`.
    pub fn audit(&self) -> Result<()> {
        self.engine()?.store.audit()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.close("its client going");
    }
}

fn drain<T>(handles: &Handles<T>) -> Vec<Arc<T>> {
    let keys: Vec<u64> = handles.iter().map(|e| *e.key()).collect();
    keys.iter().filter_map(|key| handles.remove(key)).map(|(_, thing)| thing).collect()
}
