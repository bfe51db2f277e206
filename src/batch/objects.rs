//! Where an object is, and what is done with it there.

use std::fmt::Write as _;
use std::sync::Arc;

use xxhash_rust::xxh3::Xxh3;

use super::engine::Engine;
use super::keeping::{Owner, is_unsealed};
use super::tree::{Adoption, Batch};
use super::{BatchKey, errors};
use crate::error::{Error, ErrorCode, Result};
use crate::id::{BatchId, ObjectId};
use crate::store::{
    Found, Kind, ObjectInfo, ObjectState, Pin, Region, Removal, Sink, Slot, Source, Span, Table, Unsealed,
};

/// A place to look for an object.
pub(super) enum Spot<'a> {
    Table(&'a Table),
    Region(&'a Arc<Region>),
}

impl Engine {
    /// Looks for an object where it may be. `None`: not sealed yet, or, in normal mode, not there.
    ///
    /// # Errors
    /// Why there will never be one.
    fn look<T>(&self, id: &ObjectId, mut at: impl FnMut(Spot<'_>) -> Result<Found<T>>) -> Result<Option<T>> {
        let table = self.store.table();
        if !id.batch.is_normal() && !self.is_lru() {
            let batch = self.live(BatchKey::any(id.batch));
            if let Some(region) = batch.as_ref().and_then(|b| b.region()) {
                match at(Spot::Region(region))? {
                    Found::Here(found) => return Ok(Some(found)),
                    Found::Absent => return Ok(None),
                    Found::Deleted => return Err(errors::no_object(id, "it was deleted or aborted")),
                    Found::Freed => return Err(errors::lost(id)),
                    // kept by another batch, in this life or an earlier one; or it went just now
                    Found::Moved | Found::Unknown | Found::Dropped => {}
                }
            }
        }
        if let Found::Here(found) = at(Spot::Table(table))? {
            return Ok(Some(found));
        }
        if id.batch.is_normal() || is_unsealed(&table.state(id)) {
            return Ok(None);
        }
        if self.is_lru() && (self.live.contains_key(&id.batch) || self.tombstones.knows(id.batch)) {
            return Ok(None);
        }
        Err(self.missing(id))
    }

    /// Why there is no such object, neither in a region nor in the side table.
    pub(super) fn missing(&self, id: &ObjectId) -> Error {
        if id.batch.is_normal() {
            return errors::no_object(id, "it was never made, or it was deleted or evicted");
        }
        let live = self.live(BatchKey::any(id.batch));
        if let Some(batch) = &live {
            if let Some(given) = batch.given(id) {
                return self.heir_lost(id, self.last_hands(given));
            }
            if batch.region().is_some_and(|region| region.is_dropped()) {
                return errors::collected(id, &batch.record);
            }
        }
        if let Some(maker) = self.tombstones.maker(id) {
            return match maker.given(id) {
                Some(given) => self.heir_lost(id, self.last_hands(given)),
                None => errors::collected(id, &maker),
            };
        }
        if live.is_some() || self.tombstones.knows(id.batch) {
            let why = format!("batch {} never made it: the id is of another store, an alias, or made up", id.batch);
            return errors::no_object(id, &why);
        }
        errors::not_found(id.batch)
    }

    /// Why a kept object is gone.
    pub(super) fn heir_lost(&self, id: &ObjectId, keeper: BatchKey) -> Error {
        match self.tombstones.find(keeper) {
            Some(record) => errors::collected(id, &record),
            None => errors::no_object(id, &format!("batch {} had been given it, and it was deleted", keeper.id)),
        }
    }

    pub(crate) fn get(&self, id: &ObjectId, sink: &mut dyn Sink) -> Result<Option<Kind>> {
        self.look(id, |spot| match spot {
            Spot::Table(table) => table.get(id, sink),
            Spot::Region(region) => region.get(id, sink),
        })
    }

    /// As `get`, for what a put of this life returned.
    pub(super) fn get_slot(&self, key: BatchKey, slot: Slot, sink: &mut dyn Sink) -> Result<Option<Kind>> {
        let live = self.live(key);
        if let Some(region) = live.as_ref().and_then(|b| b.region())
            && let Found::Here(kind) = region.get_slot(slot, sink)?
        {
            return Ok(Some(kind));
        }
        let life = live.as_ref().map_or(key.life, |b| b.key().life);
        self.get(&ObjectId::from_slot(key.id, life, slot.slot, slot.index), sink)
    }

    pub(super) fn pin(&self, id: &ObjectId) -> Result<Option<Pin>> {
        self.look(id, |spot| match spot {
            Spot::Table(table) => table.pin(id),
            Spot::Region(region) => region.pin(id),
        })
    }

    pub(super) fn state(&self, id: &ObjectId) -> Result<Option<ObjectState>> {
        self.look(id, |spot| {
            Ok(match spot {
                Spot::Table(table) => table.state(id),
                Spot::Region(region) => region.state(id),
            })
        })
    }

    /// True if it is sealed and there.
    pub(super) fn contains(&self, id: &ObjectId) -> bool {
        matches!(self.state(id), Ok(Some(ObjectState::Sealed)))
    }

    /// That an id from outside may name an object: one there is, or one that a task still can make.
    pub(super) fn resolve(&self, id: &ObjectId) -> Result<()> {
        if self.state(id)?.is_some() || id.batch.is_normal() || self.is_lru() || self.gcs.names(id) {
            return Ok(());
        }
        Err(errors::no_object(id, &format!("no task of batch {} has it among its results", id.batch)))
    }

    /// XXH3 of data and metadata.
    pub(super) fn hash(&self, id: &ObjectId) -> Result<u64> {
        let Some(pin) = self.pin(id)? else {
            return Err(match self.state(id)? {
                Some(_) => {
                    let text = format!("object {id} is not sealed, so that its content is not known yet");
                    Error::new(ErrorCode::ObjectNotSealed, text).object(*id)
                }
                None => errors::no_object(id, "it was never made, or it was deleted or evicted"),
            });
        };
        let mut hash = Xxh3::new();
        update(&mut hash, &pin.data());
        update(&mut hash, &pin.metadata());
        Ok(hash.digest())
    }

    /// Copies bytes into a new sealed object of a batch.
    pub(super) fn put(&self, key: BatchKey, kind: Kind, source: &dyn Source) -> Result<Slot> {
        let batch = self.find(key)?;
        self.work(&batch)?;
        let result = match batch.region() {
            Some(region) => region.put(kind, source),
            None => {
                let (slot, id) = lru_slot(&batch);
                self.store.table().put(id, BatchId::NORMAL, kind, source).map(|()| slot)
            }
        };
        result.map_err(|e| self.refused(&batch, e))
    }

    /// Makes an unsealed object of a batch.
    pub(super) fn create(&self, key: BatchKey, size: u64, metadata: &[u8], kind: Kind) -> Result<(Slot, Unsealed)> {
        let batch = self.find(key)?;
        self.work(&batch)?;
        let result = match batch.region() {
            Some(region) => region.create(size, metadata, kind),
            None => {
                let (slot, id) = lru_slot(&batch);
                let unsealed = self.store.table().create(id, BatchId::NORMAL, size, metadata, kind);
                unsealed.map(|unsealed| (slot, unsealed))
            }
        };
        result.map_err(|e| self.refused(&batch, e))
    }

    /// What a batch's failed put is told.
    pub(super) fn refused(&self, batch: &Batch, e: Error) -> Error {
        match e.code() {
            // it ended between the check and the put
            ErrorCode::ObjectCollected => errors::ended(&batch.record),
            ErrorCode::StoreFull => {
                batch.note_refused();
                self.with_holders(e.batch(batch.id()))
            }
            _ => e,
        }
    }

    /// Adds to `StoreFull` that records of tasks hold much, and for whom.
    fn with_records(&self, e: Error) -> Error {
        /// What part of the arena is much.
        const MUCH: u64 = 8;
        const SHOWN: usize = 3;
        let bytes = self.store.records();
        if bytes < self.store.config().capacity / MUCH {
            return e;
        }
        let held = self.tasks().map(|tasks| tasks.records(false)).unwrap_or_default();
        let mut all: Vec<_> = held.actors.iter().chain(&held.batches).collect();
        all.sort_by_key(|it| std::cmp::Reverse(it.bytes));
        let mut text = format!("; {bytes} bytes are records of tasks");
        for (n, it) in all.iter().take(SHOWN).enumerate() {
            let comma = if n == 0 { ", held for " } else { ", " };
            let _ = write!(text, "{comma}{} ({} bytes)", it.name, it.bytes);
        }
        e.context(&text)
    }

    /// Adds to `StoreFull` the batches that hold most, and records of tasks that hold much.
    pub(crate) fn with_holders(&self, e: Error) -> Error {
        const SHOWN: usize = 3;
        if e.code() != ErrorCode::StoreFull {
            return e;
        }
        let e = self.with_records(e);
        let e = match self.store.spill_error() {
            Some(failed) => e.context(&format!("; spilling failed last: {failed}")),
            None => e,
        };
        // those that hold little are not looked at: a refusal costs the same however many there are
        let known = self.store.holders().large();
        let known = known.into_iter().filter_map(|(id, life)| self.live(BatchKey { id, life }));
        let mut holders: Vec<_> = known.filter_map(|b| Some((b.region()?.held(), b))).collect();
        holders.sort_unstable_by_key(|(held, _)| std::cmp::Reverse(*held));
        if holders.is_empty() {
            let open = self.live.len();
            if open == 0 || self.is_lru() {
                return e;
            }
            let least = self.store.holders().least();
            return e.context(&format!("; {open} batches are open, and each of them holds less than {least} bytes"));
        }
        let mut text = String::from("; most is held by ");
        for (n, (held, batch)) in holders.iter().take(SHOWN).enumerate() {
            let comma = if n == 0 { "" } else { ", " };
            let _ = write!(text, "{comma}batch {} ({held} bytes)", errors::label(&batch.record));
        }
        e.context(&text)
    }

    /// Deletes sealed objects. Tells how many went at once; missing ones are skipped.
    pub(crate) fn delete(&self, ids: &[ObjectId]) -> Result<u32> {
        // an unsealed one is an error before anything goes
        if let Some(id) = ids.iter().find(|id| self.is_unsealed(id)) {
            let text = format!("object {id} is not sealed; seal or abort it instead");
            return Err(Error::new(ErrorCode::ObjectNotSealed, text).object(*id));
        }
        self.take_away(ids, |spot, id| match spot {
            Spot::Table(table) => table.delete(id),
            Spot::Region(region) => region.delete(id),
        })
    }

    /// Gives up the bytes of objects, as a hint: what cannot be freed now is left alone.
    pub(crate) fn free(&self, ids: &[ObjectId]) -> Result<u32> {
        self.take_away(ids, |spot, id| {
            let result = match spot {
                Spot::Table(table) => table.free(id),
                Spot::Region(region) => region.free(id),
            };
            match result {
                Err(e) if e.code() == ErrorCode::ObjectNotSealed => Ok(Found::Absent),
                other => other,
            }
        })
    }

    fn take_away(&self, ids: &[ObjectId], how: impl Fn(Spot<'_>, &ObjectId) -> Result<Found<Removal>>) -> Result<u32> {
        let mut gone = 0;
        for id in ids {
            let mut removal = match self.region_with(id).as_ref().and_then(|b| b.region()) {
                Some(region) => how(Spot::Region(region), id)?,
                None => Found::Moved,
            };
            if removal == Found::Moved {
                removal = self.with_keeper(id, || how(Spot::Table(self.store.table()), id))?;
            }
            gone += u32::from(removal == Found::Here(Removal::Done));
        }
        self.memory_freed();
        Ok(gone)
    }

    /// Evicts from the side table.
    pub(super) fn evict(&self, bytes: u64) -> u64 {
        let evicted = self.store.table().evict(bytes);
        self.memory_freed();
        evicted
    }

    /// Does what removes an object from the side table, and then takes it out of the hands of the batch that kept it.
    fn with_keeper(&self, id: &ObjectId, remove: impl FnOnce() -> Result<Found<Removal>>) -> Result<Found<Removal>> {
        let owner = self.store.table().owner(id);
        let removal = remove()?;
        if let (Some(owner), Found::Here(_)) = (owner.filter(|o| !o.is_normal()), &removal) {
            self.take_from(BatchKey::any(owner), id);
        }
        Ok(removal)
    }

    /// Takes an object that is gone out of the hands of the batch that kept it, or of whom that one gave it to just now.
    fn take_from(&self, keeper: BatchKey, id: &ObjectId) {
        // two batches may have given it to each other and back
        const MOST_HANDS: usize = 8;
        let mut next = Some(keeper);
        for _ in 0..MOST_HANDS {
            let Some(key) = next else { return };
            next = match self.live(key) {
                Some(keeper) if keeper.forget(id) => return,
                Some(keeper) => keeper.heir(id),
                // collected meanwhile: what it gave away is remembered
                None => self.tombstones.find(key).and_then(|record| record.heir(id)),
            };
        }
    }

    /// The live batch in whose region the object is, or was.
    fn region_with(&self, id: &ObjectId) -> Option<Arc<Batch>> {
        if id.batch.is_normal() {
            return None;
        }
        let batch = self.live(BatchKey::any(id.batch))?;
        let elsewhere = matches!(batch.region()?.state(id), Found::Moved | Found::Unknown | Found::Dropped);
        (!elsewhere).then_some(batch)
    }

    pub(super) fn is_unsealed(&self, id: &ObjectId) -> bool {
        is_unsealed(&match self.region_with(id).as_ref().and_then(|b| b.region()) {
            Some(region) => region.state(id),
            None => self.store.table().state(id),
        })
    }

    /// Seals an object whose writer was released.
    pub(super) fn seal(&self, id: &ObjectId) -> Result<()> {
        match self.region_with(id).as_ref().and_then(|b| b.region()) {
            Some(region) => region.seal(id),
            None => self.in_table(id)?.seal(id),
        }
    }

    /// Aborts an object whose writer was released.
    pub(super) fn abort(&self, id: &ObjectId) -> Result<()> {
        if let Some(region) = self.region_with(id).as_ref().and_then(|b| b.region()) {
            return region.abort(id);
        }
        let table = self.in_table(id)?;
        self.with_keeper(id, || table.abort(id).map(|()| Found::Here(Removal::Done))).map(|_| ())
    }

    fn in_table(&self, id: &ObjectId) -> Result<&Table> {
        let table = self.store.table();
        if table.owner(id).is_some() { Ok(table) } else { Err(self.missing(id)) }
    }

    /// A writer is done: if it aborted an object that had been kept meanwhile, its keeper hears of it.
    pub(super) fn writer_done(&self, id: &ObjectId) {
        if id.batch.is_normal() || self.region_with(id).is_some() || self.store.table().owner(id).is_some() {
            return;
        }
        let heir = match self.live(BatchKey::any(id.batch)).and_then(|batch| batch.heir(id)) {
            Some(heir) => Some(heir),
            None => self.tombstones.maker(id).and_then(|record| record.heir(id)),
        };
        if let Some(heir) = heir {
            self.take_from(heir, id);
        }
    }

    /// Has a token woken, once, when one of these is sealed or can never be: who looks for them after this misses nothing.
    pub(super) fn watch_for(&self, ids: &[ObjectId], token: u64) {
        if self.are_placed(ids) {
            return self.store.notifier().watch_placed(ids, token);
        }
        self.store.notifier().watch(ids, token);
        self.synchronize(ids);
    }

    /// True if no put into a lease makes any of these.
    fn are_placed(&self, ids: &[ObjectId]) -> bool {
        let mut last = None;
        ids.iter().filter(|id| !id.batch.is_normal()).all(|id| {
            if last.as_ref().is_none_or(|(batch, _)| *batch != id.batch) {
                last = Some((id.batch, self.live(BatchKey::any(id.batch))));
            }
            let region = last.as_ref().and_then(|(_, batch)| batch.as_ref()?.region());
            region.is_some_and(|region| region.is_placed(id))
        })
    }

    /// Returns when every put is over that had begun before and may be of one of these.
    fn synchronize(&self, ids: &[ObjectId]) {
        let mut last = None;
        for id in ids.iter().filter(|id| !id.batch.is_normal()) {
            if last != Some(id.batch)
                && let Some(batch) = self.live(BatchKey::any(id.batch))
                && let Some(region) = batch.region()
            {
                region.synchronize();
            }
            last = Some(id.batch);
        }
    }

    /// Slots and sizes of sealed objects that a batch made and still has, in the order of slots from `from` on, at most
    /// `most` of them.
    pub(super) fn scan(&self, key: BatchKey, from: u64, most: usize) -> Result<Vec<(Slot, u64)>> {
        let batch = self.find(key)?;
        if let Some(region) = batch.region() {
            return region.scan(from, most).ok_or_else(|| self.gone(key));
        }
        let made = self.store.table().list().into_iter().filter(|o| o.id.batch == batch.id());
        let sealed = made.filter(|o| o.state == ObjectState::Sealed);
        let slot = |o: &ObjectInfo| Slot { slot: o.id.slot(batch.key().life), index: o.id.index };
        let mut all: Vec<_> = sealed.map(|o| (slot(&o), o.size)).filter(|(slot, _)| slot.slot >= from).collect();
        all.sort_unstable_by_key(|(slot, _)| slot.slot);
        all.truncate(most);
        Ok(all)
    }

    /// Objects of one batch, normal mode, or all.
    pub(super) fn list(&self, which: Option<BatchKey>) -> Result<Vec<ObjectInfo>> {
        let mut table = self.store.table().list();
        let Some(key) = which else {
            let batches: Vec<_> = self.live.iter().map(|b| Arc::clone(&b)).collect();
            for region in batches.iter().filter_map(|b| b.region()) {
                table.extend(region.list());
            }
            return Ok(table);
        };
        if self.is_lru() {
            if !key.id.is_normal() {
                self.find(key)?;
            }
            table.retain(|o| o.id.batch == key.id);
            return Ok(table);
        }
        if key.id.is_normal() {
            table.retain(|o| o.owner.is_normal());
            return Ok(table);
        }
        let batch = self.find(key)?;
        let mut objects = batch.region().map(|region| region.list()).unwrap_or_default();
        table.retain(|o| o.owner == key.id);
        objects.append(&mut table);
        Ok(objects)
    }

    /// Bytes of objects it adopted.
    pub(super) fn adopted_usage(&self, batch: &Batch) -> (u64, u64) {
        let owned = |adoption: &Adoption| matches!(adoption, Adoption::Owned(_));
        let adopted = batch.adopted.lock();
        let ids: Vec<_> = adopted.iter().flatten().filter(|(_, a)| owned(a)).map(|(id, _)| *id).collect();
        drop(adopted);
        let table = self.store.table();
        ids.iter().filter_map(|id| table.size(id)).fold((0, 0), |(n, bytes), size| (n + 1, bytes + size))
    }

    /// True when no batch of the client that created it takes the object along when the client goes.
    pub(super) fn outlives(&self, id: &ObjectId, root: &Batch) -> bool {
        match self.owner_of(id) {
            Ok(Owner::Maker(batch) | Owner::Keeper(batch) | Owner::Pending { holder: batch, .. }) => {
                batch.key() != root.key() && !batch.is_within(root.key())
            }
            Ok(Owner::Normal) => true,
            Err(_) => false,
        }
    }
}

/// The next slot of a batch in a store that ignores batches, and its object's id.
fn lru_slot(batch: &Batch) -> (Slot, ObjectId) {
    let slot = batch.take_slot();
    (Slot { slot, index: 0 }, ObjectId::from_slot(batch.id(), batch.key().life, slot, 0))
}

fn update(hash: &mut Xxh3, span: &Span<'_>) {
    let mut buffer = [0; 16 << 10];
    let mut at = 0;
    while at < span.len() {
        let n = buffer.len().min(span.len() - at);
        span.read(at, &mut buffer[..n]);
        hash.update(&buffer[..n]);
        at += n;
    }
}
