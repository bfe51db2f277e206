//! What a client does with objects: by id, through writers and views, and by waiting and listening.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::BatchKey;
use super::client::{Client, Handles};
use super::engine::Engine;
use crate::error::{Error, ErrorCode, Result};
use crate::id::{BatchId, ObjectId};
use crate::store::{Kind, ObjectInfo, Pin, SUBSCRIPTION_QUEUE, Sink, Slot, Source, Subscription, Unsealed};

/// Objects of one task of normal mode: as many as an index of 24 bits counts.
const NORMAL_BLOCK: u64 = 1 << 24;

impl Client {
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
        let found = self.engine()?.get(id, sink)?;
        self.check_open().inspect_err(|_| sink.discard())?;
        Ok(found)
    }

    /// As `get`, for what `put` with the same key returned.
    ///
    /// # Errors
    /// As for `get`.
    pub fn get_slot(&self, key: BatchKey, slot: Slot, sink: &mut dyn Sink) -> Result<Option<Kind>> {
        let engine = self.engine()?;
        let found = if key.id.is_normal() {
            engine.get(&self.normal_id(slot), sink)
        } else {
            engine.get_slot(key, slot, sink)
        }?;
        self.check_open().inspect_err(|_| sink.discard())?;
        Ok(found)
    }

    /// Slots and sizes of sealed objects that a batch made and still has, in the order of slots from `from` on, at most
    /// `most` of them; none when there are no more. Those it adopted are not among them.
    ///
    /// # Errors
    /// `BatchEnded` for one that is collected, `BatchNotFound`.
    pub fn scan(&self, key: BatchKey, from: u64, most: usize) -> Result<Vec<(Slot, u64)>> {
        self.engine()?.scan(key, from, most)
    }

    /// Where the header of a batch's region lies, and the generation of its life: for the JVM's own reading and writing.
    /// `None` for a batch that has no region: in normal mode, in a store that ignores batches, or when it is collected.
    ///
    /// # Errors
    /// `Closed`.
    pub fn region(&self, key: BatchKey) -> Result<Option<(u64, u64)>> {
        let batch = self.engine()?.live(key);
        Ok(batch.as_ref().and_then(|batch| batch.region()).map(|region| region.header()))
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
        let hash = self.engine()?.hash(id)?;
        self.check_open()?;
        Ok(hash)
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
        Ok((self.add_writer(engine, unsealed)?, slot))
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
        self.add_writer(engine, unsealed.map_err(|e| engine.with_holders(e))?)
    }

    fn add_writer(&self, engine: &Engine, unsealed: Unsealed) -> Result<u64> {
        if engine.outlives(&unsealed.id(), &self.root) {
            engine.unsealed.insert(unsealed.id(), self.number);
        }
        let handle = engine.handle();
        let (id, unsealed) = (unsealed.id(), Arc::new(unsealed));
        self.writers.insert(handle, Arc::clone(&unsealed));
        // a close that went through the writers before this one was there is seen here
        self.check_open().inspect_err(|_| {
            self.writers.remove(&handle);
            let _ = unsealed.abort();
            engine.writer_done(&id);
            engine.unsealed.remove(&id);
        })?;
        Ok(handle)
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
        self.check_open().inspect_err(|_| drop(self.views.remove(&handle)))?;
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
        let engine = self.engine()?;
        engine.watch_for(ids, token);
        // a close that woke everybody before the token was there is seen here
        self.engine().map(|_| ())
    }

    /// Forgets a token.
    pub fn unwatch(&self, token: u64) {
        self.engine.store.notifier().unwatch(token);
    }

    /// Has `token` woken when room was made, or when none can be, in a store that spills. Try again after this, and before
    /// waiting. Returns how many rounds made no room so far: when two more have, there is none to be had. `None` in a store
    /// that does not spill.
    ///
    /// # Errors
    /// `Closed`.
    pub fn ask_for_room(&self, token: u64) -> Result<Option<u64>> {
        let asked = self.engine()?.store.pressure().map(|pressure| pressure.ask(token));
        // a close that woke everybody before the token was there is seen here
        self.engine().map(|_| asked)
    }

    /// Writes all that may be spilled to files now, however much room there is. Returns the bytes of memory that went back;
    /// 0 in a store that does not spill.
    ///
    /// # Errors
    /// `Closed`; `Io`: what was not written yet stays in memory.
    pub fn spill(&self) -> Result<u64> {
        self.engine()?.spill_all()
    }

    /// Forgets a token that waits for room.
    pub fn forget_room(&self, token: u64) {
        if let Some(pressure) = self.engine.store.pressure() {
            pressure.forget(token);
        }
    }

    /// As [`Client::subscribe_with`], with a queue of [`SUBSCRIPTION_QUEUE`] events.
    ///
    /// # Errors
    /// `Closed`.
    pub fn subscribe(&self, token: u64) -> Result<u64> {
        self.subscribe_with(token, SUBSCRIPTION_QUEUE)
    }

    /// Starts a subscription, whose first events are the objects that exist; `token` is woken when events wait. When more than
    /// `capacity` wait the oldest are dropped.
    ///
    /// # Errors
    /// `Closed`.
    pub fn subscribe_with(&self, token: u64, capacity: usize) -> Result<u64> {
        let engine = self.engine()?;
        let existing = || engine.list(None).unwrap_or_default();
        let subscription = engine.store.notifier().subscribe_with(token, capacity, existing);
        let handle = engine.handle();
        self.subscriptions.insert(handle, subscription);
        self.check_open().inspect_err(|_| self.unsubscribe(handle))?;
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
}

fn by_handle<T>(handles: &Handles<T>, handle: u64, what: &str) -> Result<Arc<T>> {
    handles
        .get(&handle)
        .map(|thing| Arc::clone(&thing))
        .ok_or_else(|| Error::new(ErrorCode::Closed, format!("there is no {what} {handle}: it was closed or released")))
}
