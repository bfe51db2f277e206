//! A client of a store: what callers hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use dashmap::DashMap;
use hashbrown::DefaultHashBuilder;

use super::engine::Engine;
use super::tree::Batch;
use super::{BatchKey, BatchSpec, BatchStatus, Collected, Reason, registry};
use crate::config::Config;
use crate::error::{Error, ErrorCode, Result};
use crate::id::{BatchId, ObjectId};
use crate::store::{
    Faults, Kind, NoFaults, ObjectInfo, Pin, Sink, Slot, Source, Store, StoreStats, Subscription, Unsealed,
};

/// What is the client's own: handle → thing. A handle is an id, so that a stale one is an error and never a crash.
type Handles<T> = DashMap<u64, Arc<T>, DefaultHashBuilder>;

/// A connection to a store, with a root batch of its own. All calls are safe from any thread, and none blocks.
///
/// Every call is `Closed` after the client or the store's owner closed.
pub struct Client {
    engine: Arc<Engine>,
    owns_store: bool,
    closed: AtomicBool,
    number: u64,
    root: Arc<Batch>,
    normal_base: u64,
    normal_slots: AtomicU64,
    writers: Handles<Unsealed>,
    views: Handles<Pin>,
    subscriptions: Handles<Subscription>,
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

/// Objects of one task of normal mode: as many as an index of 24 bits counts.
const NORMAL_BLOCK: u64 = 1 << 24;

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
        }))
    }

    /// Ends and collects all its batches, releases its pins, aborts what it did not seal; an owner then closes the
    /// store, and every other client hears of it. The second time nothing happens.
    ///
    /// # Errors
    /// None now; for what may fail later.
    pub fn close(&self, by: &str) -> Result<()> {
        if self.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let engine = &self.engine;
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
        }
        for subscription in drain(&self.subscriptions) {
            engine.store.notifier().unsubscribe(&subscription);
        }
        Ok(())
    }

    /// The engine, for a call.
    #[inline]
    fn engine(&self) -> Result<&Engine> {
        if self.closed.load(Ordering::Acquire) || self.engine.is_closed() {
            return Err(self.closed_error());
        }
        Ok(&self.engine)
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
    /// `BatchExists` while its id is live; `BatchEnded` or `BatchNotFound` for the parent; `InvalidArgument`; `StoreFull`.
    pub fn start_batch(&self, spec: BatchSpec, by: &str) -> Result<BatchKey> {
        self.engine()?.start(&self.root, spec, by)
    }

    /// Ends a batch for good, all within it first; before that hands `keep` to its parent, after that collects it if
    /// asked to. Returns what was released.
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

    /// Ends a batch if it is open, collects it unless it is not to be cleaned up. A life that is gone is fine.
    ///
    /// # Errors
    /// `BatchNotFound` for an id nobody started; `InvalidArgument` for a root.
    pub fn close_batch(&self, key: BatchKey, by: &str) -> Result<()> {
        self.engine()?.close_batch(key, by)
    }

    /// Ends, collects, and deletes what it kept, unless the keeper has given it away. A life that is gone is fine.
    ///
    /// # Errors
    /// As for `close_batch`.
    pub fn delete_batch(&self, key: BatchKey, by: &str) -> Result<()> {
        self.engine()?.delete_batch(key, by)
    }

    /// Collects an ended batch. Zeros when it was before.
    ///
    /// # Errors
    /// `BatchActive` while it is open; `BatchNotFound`; `InvalidArgument` for a root.
    pub fn gc(&self, key: BatchKey) -> Result<Collected> {
        self.engine()?.gc(key)
    }

    /// The batch if it is open, else the nearest open one it is in; `None`, normal mode, where that is a root.
    ///
    /// # Errors
    /// `Closed`.
    pub fn open_ancestor(&self, key: BatchKey) -> Result<Option<BatchKey>> {
        Ok(self.engine()?.open_ancestor(key))
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

    /// Copies bytes into a new sealed object of a batch; of normal mode for id 0.
    ///
    /// Its id is `(batch, base + slot − index, index)`, where the base is the batch's life, or `normal_base`.
    ///
    /// # Errors
    /// `BatchEnded`, `BatchNotFound`, `BatchLimit` with the chain of limits, `StoreFull` with those who hold most; what
    /// the source says.
    pub fn put(&self, key: BatchKey, kind: Kind, source: &dyn Source) -> Result<Slot> {
        let engine = self.engine()?;
        if !key.id.is_normal() {
            return engine.put(key, kind, source);
        }
        let slot = self.normal_slot();
        let table = engine.store.table();
        table.put(self.normal_id(slot), BatchId::NORMAL, kind, source).map_err(|e| engine.with_holders(e))?;
        Ok(slot)
    }

    fn normal_slot(&self) -> Slot {
        let slot = self.normal_slots.fetch_add(1, Ordering::Relaxed);
        Slot { slot, index: (slot % NORMAL_BLOCK) as u32 }
    }

    fn normal_id(&self, slot: Slot) -> ObjectId {
        ObjectId::from_slot(BatchId::NORMAL, self.normal_base, slot.slot, slot.index)
    }

    /// Copies an object out. `None`: not sealed yet, or, in normal mode, not there.
    ///
    /// # Errors
    /// `ObjectCollected`, `ObjectNotFound`, `ObjectLost`, `BatchNotFound`; what the sink says.
    pub fn get(&self, id: &ObjectId, sink: &mut dyn Sink) -> Result<Option<Kind>> {
        self.engine()?.get(id, sink)
    }

    /// As `get`, for what `put` with the same key returned.
    ///
    /// # Errors
    /// As for `get`.
    pub fn get_slot(&self, key: BatchKey, slot: Slot, sink: &mut dyn Sink) -> Result<Option<Kind>> {
        let engine = self.engine()?;
        if key.id.is_normal() { engine.get(&self.normal_id(slot), sink) } else { engine.get_slot(key, slot, sink) }
    }

    /// True if it is sealed and there.
    ///
    /// # Errors
    /// `Closed`.
    pub fn contains(&self, id: &ObjectId) -> Result<bool> {
        Ok(self.engine()?.contains(id))
    }

    /// Checks an id that came from outside: it names an object, or one that a task can still make.
    ///
    /// # Errors
    /// As for `get`.
    pub fn resolve(&self, id: &ObjectId) -> Result<()> {
        self.engine()?.resolve(id)
    }

    /// Deletes sealed objects; one that is in use goes with its last release. Missing ones are skipped. Returns how many
    /// went at once.
    ///
    /// # Errors
    /// `ObjectNotSealed`: nothing was deleted.
    pub fn delete(&self, ids: &[ObjectId]) -> Result<u32> {
        self.engine()?.delete(ids)
    }

    /// Gives up the bytes of objects, as a hint. Returns how many gave theirs up at once.
    ///
    /// # Errors
    /// `Closed`.
    pub fn free(&self, ids: &[ObjectId]) -> Result<u32> {
        self.engine()?.free(ids)
    }

    /// Makes `to` (`None`: the parent of the owner) the owner of objects of `from` (`None`: of whoever has them). One
    /// that belongs to a batch `from` is in stays there. All is checked first; when memory fails on the way, those named
    /// before the error's object have moved.
    ///
    /// # Errors
    /// `NotOwner` naming the owner; `BatchEnded`, `BatchNotFound` for a batch; `BatchLimit`; `StoreFull`; as for `get`.
    pub fn transfer(&self, ids: &[ObjectId], from: Option<BatchKey>, to: Option<BatchKey>) -> Result<()> {
        self.engine()?.transfer(ids, from, to)
    }

    /// Evicts least recently used objects of normal mode, until so many bytes went or none is left that may go.
    ///
    /// # Errors
    /// `Closed`.
    pub fn evict(&self, bytes: u64) -> Result<u64> {
        Ok(self.engine()?.evict(bytes))
    }

    /// A 64-bit hash (XXH3) of data and metadata.
    ///
    /// # Errors
    /// `ObjectNotSealed`; as for `get`.
    pub fn hash(&self, id: &ObjectId) -> Result<u64> {
        self.engine()?.hash(id)
    }

    /// Objects that a batch owns (id 0: normal mode), or all there are.
    ///
    /// # Errors
    /// `BatchEnded` for one that is collected, `BatchNotFound`.
    pub fn list(&self, which: Option<BatchKey>) -> Result<Vec<ObjectInfo>> {
        self.engine()?.list(which)
    }

    /// Makes an unsealed object in a batch, or in normal mode for id 0. Returns its writer's handle.
    ///
    /// # Errors
    /// As for `put`; `InvalidArgument` for more than 2³¹ − 1 bytes.
    pub fn create(&self, key: BatchKey, size: u64, metadata: &[u8], kind: Kind) -> Result<(u64, Slot)> {
        let engine = self.engine()?;
        let (slot, unsealed) = if key.id.is_normal() {
            let slot = self.normal_slot();
            let table = engine.store.table();
            let unsealed = table.create(self.normal_id(slot), BatchId::NORMAL, size, metadata, kind);
            (slot, unsealed.map_err(|e| engine.with_holders(e))?)
        } else {
            engine.create(key, size, metadata, kind)?
        };
        Ok((self.add_writer(engine, unsealed), slot))
    }

    /// Makes an unsealed object of normal mode under the caller's id. Returns its writer's handle.
    ///
    /// # Errors
    /// `ObjectExists`; `InvalidArgument` for an id of a batch, whose ids the store chooses, or for more than 2³¹ − 1
    /// bytes; `StoreFull`.
    pub fn create_with_id(&self, id: ObjectId, size: u64, metadata: &[u8], kind: Kind) -> Result<u64> {
        let engine = self.engine()?;
        if !id.batch.is_normal() {
            let text = format!("object {id} is in batch {}: callers choose ids only in normal mode, batch 0", id.batch);
            return Err(Error::new(ErrorCode::InvalidArgument, text).object(id));
        }
        let unsealed = engine.store.table().create(id, BatchId::NORMAL, size, metadata, kind);
        Ok(self.add_writer(engine, unsealed.map_err(|e| engine.with_holders(e))?))
    }

    fn add_writer(&self, engine: &Engine, unsealed: Unsealed) -> u64 {
        if engine.outlives(&unsealed.id(), &self.root) {
            engine.unsealed.insert(unsealed.id(), self.number);
        }
        let handle = engine.handle();
        self.writers.insert(handle, Arc::new(unsealed));
        handle
    }

    /// The writer of that handle.
    ///
    /// # Errors
    /// `Closed` when there is none.
    pub fn writer(&self, handle: u64) -> Result<Arc<Unsealed>> {
        self.engine()?;
        by_handle(&self.writers, handle, "writer")
    }

    /// Lets go of a writer; what was not sealed or aborted stays unsealed. Idempotent.
    pub fn drop_writer(&self, handle: u64) {
        let Some((_, writer)) = self.writers.remove(&handle) else { return };
        let id = writer.id();
        drop(writer);
        if self.engine.is_closed() {
            return;
        }
        self.engine.writer_done(&id);
        if !self.engine.is_unsealed(&id) {
            self.engine.unsealed.remove(&id);
        }
    }

    /// Seals an object whose writer was released.
    ///
    /// # Errors
    /// `ObjectSealed`, `ObjectInUse` while a writer is open, as for `get`.
    pub fn seal(&self, id: &ObjectId) -> Result<()> {
        let engine = self.engine()?;
        engine.seal(id)?;
        engine.unsealed.remove(id);
        Ok(())
    }

    /// Aborts an object whose writer was released.
    ///
    /// # Errors
    /// As for `seal`.
    pub fn abort(&self, id: &ObjectId) -> Result<()> {
        let engine = self.engine()?;
        engine.abort(id)?;
        engine.unsealed.remove(id);
        Ok(())
    }

    /// Pins a sealed object until its view is released. `None` as in `get`.
    ///
    /// # Errors
    /// As for `get`.
    pub fn read(&self, id: &ObjectId) -> Result<Option<(u64, Arc<Pin>)>> {
        let engine = self.engine()?;
        let Some(pin) = engine.pin(id)? else { return Ok(None) };
        let (handle, pin) = (engine.handle(), Arc::new(pin));
        self.views.insert(handle, Arc::clone(&pin));
        Ok(Some((handle, pin)))
    }

    /// The view of that handle.
    ///
    /// # Errors
    /// `Closed` when there is none.
    pub fn view(&self, handle: u64) -> Result<Arc<Pin>> {
        self.engine()?;
        by_handle(&self.views, handle, "view")
    }

    /// Ends a view. Idempotent.
    pub fn release_view(&self, handle: u64) {
        if let Some((_, pin)) = self.views.remove(&handle) {
            drop(pin);
            self.engine.view_released();
        }
    }

    /// Has `token` woken, once, when one of the objects is sealed or can never be. Look for them after this.
    ///
    /// # Errors
    /// `Closed`.
    pub fn watch(&self, ids: &[ObjectId], token: u64) -> Result<()> {
        self.engine()?.store.notifier().watch(ids, token);
        // a close that woke everybody before the token was there is seen here
        self.engine().map(|_| ())
    }

    /// Forgets a token.
    pub fn unwatch(&self, token: u64) {
        self.engine.store.notifier().unwatch(token);
    }

    /// Starts a subscription, whose first events are the objects that exist; `token` is woken when events wait.
    ///
    /// # Errors
    /// `Closed`.
    pub fn subscribe(&self, token: u64) -> Result<u64> {
        let engine = self.engine()?;
        let subscription = engine.store.notifier().subscribe(token, || engine.list(None).unwrap_or_default());
        let handle = engine.handle();
        self.subscriptions.insert(handle, subscription);
        Ok(handle)
    }

    /// The subscription of that handle. It can be emptied after the store's owner closed; its last event says so.
    ///
    /// # Errors
    /// `Closed` when there is none.
    pub fn subscription(&self, handle: u64) -> Result<Arc<Subscription>> {
        let subscription = by_handle(&self.subscriptions, handle, "subscription")?;
        if self.engine.is_closed() {
            subscription.close();
        }
        Ok(subscription)
    }

    /// Ends a subscription. Idempotent.
    pub fn unsubscribe(&self, handle: u64) {
        if let Some((_, subscription)) = self.subscriptions.remove(&handle) {
            self.engine.store.notifier().unsubscribe(&subscription);
        }
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

fn by_handle<T>(handles: &Handles<T>, handle: u64, what: &str) -> Result<Arc<T>> {
    handles
        .get(&handle)
        .map(|thing| Arc::clone(&thing))
        .ok_or_else(|| Error::new(ErrorCode::Closed, format!("there is no {what} {handle}: it was closed or released")))
}
