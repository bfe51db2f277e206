//! The side table: every object that is in no region. Those of normal mode, which may be evicted, least recently used
//! first; those that a batch keeps from another one; and, when the whole store runs with `lru`, all.
//!
//! One lock guards the table, its allocator and its order of use. Bytes are copied outside of it, under a pin.

mod inner;
mod memory;
mod objects;
mod room;
mod spill;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

pub(crate) use self::inner::{Finish, Inner, TableHold, already_sealed, check_size, in_use};
use self::inner::{Writing, exists, missing, not_sealed, released};
use self::objects::{Memory, Object, State};
pub(crate) use self::room::Room;
use super::arena::Arena;
use super::chunks::Chunk;
use super::clock::now_ms;
use super::notify::Notifier;
use super::pin::{Pin, Place};
use super::run::Held;
use super::share::{Share, Shares};
use super::spill::Spill;
use super::types::{Found, Kind, ObjectInfo, ObjectState, Removal, Sink, Source};
use super::unsealed::{Unsealed, Writer};
use crate::error::Result;
use crate::id::{BatchId, ObjectId};

/// See the module.
#[derive(Clone)]
pub struct Table {
    inner: Arc<Inner>,
}

/// Who has an object of the table, and whose share of the arena it counts to.
#[derive(Clone, Default)]
pub struct Owner {
    /// A batch, or normal mode.
    pub batch: BatchId,
    /// That of the batch's group, if it is in one.
    pub share: Option<Arc<Share>>,
}

impl From<BatchId> for Owner {
    /// One in no group.
    fn from(batch: BatchId) -> Owner {
        Owner { batch, share: None }
    }
}

/// What the table holds, in bytes unless said.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct TableUsage {
    /// Objects.
    pub objects: u64,
    /// Their bytes of data and metadata.
    pub bytes: u64,
    /// Pages held.
    pub held: u64,
    /// Objects evicted so far.
    pub evicted_objects: u64,
    /// Their bytes.
    pub evicted_bytes: u64,
}

impl Table {
    pub(crate) fn new(
        arena: &Arc<Arena>,
        notifier: &Arc<Notifier>,
        shares: &Arc<Shares>,
        spill: Option<Arc<Spill>>,
    ) -> Self {
        Table {
            inner: Arc::new(Inner {
                arena: Arc::clone(arena),
                notifier: Arc::clone(notifier),
                held: Arc::new(Held::default()),
                state: Mutex::new(State::new()),
                shares: Arc::clone(shares),
                spill,
                evicted_objects: AtomicU64::new(0),
                evicted_bytes: AtomicU64::new(0),
            }),
        }
    }

    /// Copies bytes into a new sealed object. `owner` 0: it may be evicted.
    ///
    /// # Errors
    /// `ObjectExists`; `StoreFull` after evicting what may be; what the source says.
    pub fn put(&self, id: ObjectId, owner: impl Into<Owner>, kind: Kind, source: &dyn Source) -> Result<()> {
        if self.refill(id, owner, kind, source)? { Ok(()) } else { Err(exists(&id)) }
    }

    /// As `put`, for an object that may be there, or on its way: then nothing changes, and it is false.
    ///
    /// # Errors
    /// `StoreFull` after evicting what may be; what the source says.
    pub fn refill(&self, id: ObjectId, owner: impl Into<Owner>, kind: Kind, source: &dyn Source) -> Result<bool> {
        let len = source.len() as u64;
        check_size(len, 0)?;
        let inner = &self.inner;
        let created = inner.create(id, owner.into(), len, 0, kind);
        inner.notifier.flush(); // evictions
        let Some((n, place)) = created? else { return Ok(false) };
        // the object is ours alone until it is sealed; a source that fails, or panics, leaves nothing behind
        let mut writing = Writing { table: inner, n, end: Finish::Abort };
        source.copy_to(&place.data_mut(&inner.arena))?;
        writing.end = Finish::Seal;
        Ok(true)
    }

    /// Makes an unsealed object.
    ///
    /// # Errors
    /// `ObjectExists`, `InvalidArgument` for more than 2³¹ − 1 bytes, `StoreFull`.
    pub fn create(
        &self,
        id: ObjectId,
        owner: impl Into<Owner>,
        size: u64,
        metadata: &[u8],
        kind: Kind,
    ) -> Result<Unsealed> {
        let meta = metadata.len() as u64;
        check_size(size, meta)?;
        let result = self.inner.create(id, owner.into(), size, meta, kind);
        self.inner.notifier.flush(); // evictions
        let (n, place) = result?.ok_or_else(|| exists(&id))?;
        place.write_metadata(&self.inner.arena, metadata);
        Ok(Unsealed::new(id, kind, place, Writer::Table { table: Arc::clone(&self.inner), n }, &self.inner.arena))
    }

    /// Copies an object out.
    ///
    /// # Errors
    /// What the sink says.
    pub fn get(&self, id: &ObjectId, sink: &mut dyn Sink) -> Result<Found<Kind>> {
        match self.pin(id)? {
            Found::Here(pin) => {
                sink.prepare(pin.kind(), pin.data().len())?;
                sink.copy_from(&pin.data())?;
                Ok(Found::Here(pin.kind()))
            }
            other => Ok(other.map(|pin| pin.kind())),
        }
    }

    /// Pins a sealed object. One that was spilled is taken back if there is room, or pinned outside of the arena.
    ///
    /// # Errors
    /// `SpillCorrupt`, `Io`, `StoreFull`, for one that cannot be read back.
    pub fn pin(&self, id: &ObjectId) -> Result<Found<Pin>> {
        let mut state = self.inner.state.lock();
        let Some(n) = state.find(id) else { return Ok(Found::Absent) };
        state.leave_order(n);
        let Some(object) = state.get_mut(n) else { return Ok(Found::Absent) };
        if !object.sealed {
            return Ok(Found::Absent);
        }
        object.holds += 1;
        object.accessed_ms = now_ms();
        let (kind, place) = (object.kind, object.place());
        let (chunk, in_file) = match &object.memory {
            Memory::Single(chunk) => (Some(Arc::clone(chunk)), None),
            Memory::Filed(filed) => (None, Some(filed.locate(&place))),
            Memory::Nowhere | Memory::Cell(_) => (None, None),
        };
        drop(state);
        let hold = TableHold { table: Arc::clone(&self.inner), n };
        let Some(in_file) = in_file else {
            return Ok(Found::Here(Pin::in_table(*id, kind, place, &self.inner.arena, hold, chunk)));
        };
        let place = Place { offset: 0, ..place };
        let bytes = self.read_back(&hold, id, place, &in_file)?;
        Ok(Found::Here(Pin::apart_from_table(*id, kind, place, &self.inner.arena, hold, bytes)))
    }

    /// What the object's state is.
    #[must_use]
    pub fn state(&self, id: &ObjectId) -> Found<ObjectState> {
        let state = self.inner.state.lock();
        match state.find(id).and_then(|n| state.get(n)) {
            Some(o) if o.sealed => Found::Here(ObjectState::Sealed),
            Some(_) => Found::Here(ObjectState::Created),
            None => Found::Absent,
        }
    }

    /// Seals an object whose writer was released.
    ///
    /// # Errors
    /// `ObjectNotFound`, `ObjectSealed`, `ObjectInUse`.
    pub fn seal(&self, id: &ObjectId) -> Result<()> {
        let mut state = self.inner.state.lock();
        let n = released(&state, id)?;
        self.inner.seal_locked(&mut state, n);
        drop(state);
        self.inner.notifier.flush();
        Ok(())
    }

    /// Aborts an object whose writer was released.
    ///
    /// # Errors
    /// As for `seal`.
    pub fn abort(&self, id: &ObjectId) -> Result<()> {
        let state = self.inner.state.lock();
        let n = released(&state, id)?;
        self.inner.remove(state, n);
        Ok(())
    }

    /// Deletes a sealed object; one that is held goes with its last hold.
    ///
    /// # Errors
    /// `ObjectNotSealed`.
    pub fn delete(&self, id: &ObjectId) -> Result<Found<Removal>> {
        let state = self.inner.state.lock();
        match state.find(id).and_then(|n| state.get(n).map(|o| (n, o.sealed))) {
            None => Ok(Found::Absent),
            Some((_, false)) => Err(not_sealed(id)),
            Some((n, true)) => Ok(Found::Here(self.inner.doom(state, n, false))),
        }
    }

    /// Gives up an object's bytes. Without lineage that is a deletion.
    ///
    /// # Errors
    /// As for `delete`.
    pub fn free(&self, id: &ObjectId) -> Result<Found<Removal>> {
        self.delete(id)
    }

    /// Takes a kept object away with the batch that keeps it, sealed or not. One that is held stays for those who hold
    /// it, and is not there for anybody else.
    pub fn remove(&self, id: &ObjectId) -> Found<Removal> {
        let state = self.inner.state.lock();
        match state.find(id) {
            None => Found::Absent,
            Some(n) => Found::Here(self.inner.doom(state, n, true)),
        }
    }

    /// Who owns it; 0 for normal mode.
    #[must_use]
    pub fn owner(&self, id: &ObjectId) -> Option<BatchId> {
        let state = self.inner.state.lock();
        state.find(id).and_then(|n| state.get(n)).map(|o| o.owner)
    }

    /// Makes another batch, or normal mode, the owner. False when there is no such object.
    pub fn set_owner(&self, id: &ObjectId, owner: impl Into<Owner>) -> bool {
        let mut state = self.inner.state.lock();
        let Some(n) = state.find(id) else { return false };
        if let Some(object) = state.get_mut(n) {
            object.set_owner(owner.into());
        }
        state.touch(n);
        true
    }

    /// Its bytes of data and metadata.
    #[must_use]
    pub fn size(&self, id: &ObjectId) -> Option<u64> {
        let state = self.inner.state.lock();
        state.find(id).and_then(|n| state.get(n)).map(Object::bytes)
    }

    /// Evicts least recently used objects until `bytes` of data and metadata went, or nothing is left that may go.
    /// Returns the bytes that went.
    pub fn evict(&self, bytes: u64) -> u64 {
        let freed = self.inner.evict(bytes, false);
        self.inner.notifier.flush();
        freed
    }

    /// As `evict`, for memory: at least one object goes even if it has no bytes. Counts what went, at least 1 each.
    pub(crate) fn make_room(&self, bytes: u64) -> u64 {
        self.inner.evict(bytes, true)
    }

    /// All objects, in no order.
    #[must_use]
    pub fn list(&self) -> Vec<ObjectInfo> {
        let state = self.inner.state.lock();
        let info = |o: &Object| ObjectInfo {
            id: o.id,
            size: o.len,
            metadata: o.metadata,
            state: if o.sealed { ObjectState::Sealed } else { ObjectState::Created },
            references: o.holds,
            created_ms: o.created_ms,
            accessed_ms: o.accessed_ms,
            kind: o.kind,
            owner: o.owner,
        };
        state.objects.iter().flatten().filter(|o| !o.hidden).map(info).collect()
    }

    /// What the table holds.
    #[must_use]
    pub fn usage(&self) -> TableUsage {
        let state = self.inner.state.lock();
        TableUsage {
            objects: state.live_objects,
            bytes: state.live_bytes,
            held: self.inner.held.bytes(),
            evicted_objects: self.inner.evicted_objects.load(Ordering::Relaxed),
            evicted_bytes: self.inner.evicted_bytes.load(Ordering::Relaxed),
        }
    }

    /// Takes a region's object over: its run if it has one of its own, else a copy. An unsealed one is copied when its
    /// writer seals it, into memory that it has now.
    pub(crate) fn adopt(&self, adopted: Adopted) {
        let Adopted { id, owner, kind, place, sealed, written, single, room, copied } = adopted;
        let inner = &self.inner;
        let (memory, offset) = match (single, room) {
            (Some(chunk), _) => {
                chunk.hand_over(&inner.held);
                (Memory::Single(chunk), place.offset)
            }
            (None, Some(room)) => room.take(),
            (None, None) => (Memory::Nowhere, 0),
        };
        if matches!(memory, Memory::Cell(_) | Memory::Single(_))
            && offset != place.offset
            && !copied
            && (sealed || !written)
        {
            place.copy_to(&inner.arena, &Place { offset, ..place });
        }
        let mut object = Object::new(id, owner, kind, memory, Place { offset, ..place }, sealed);
        object.holds = u32::from(written);
        let mut state = inner.state.lock();
        let n = state.insert(object);
        state.touch(n);
    }

    /// For the writer of an adopted object, who wrote it at `source` in its region, and is done.
    pub(crate) fn finish_adopted(&self, id: &ObjectId, source: Place, end: Finish) -> Result<()> {
        let inner = &self.inner;
        let n = {
            let state = inner.state.lock();
            let n = state.find_any(id).ok_or_else(|| missing(id))?;
            let object = state.get(n).ok_or_else(|| missing(id))?;
            if end != Finish::Abort && !object.doomed && source.offset != object.offset {
                source.copy_to(&inner.arena, &object.place());
            }
            n
        };
        inner.finish(n, end);
        Ok(())
    }
}

/// An object on its way from a region to the side table.
pub(crate) struct Adopted {
    pub(crate) id: ObjectId,
    pub(crate) owner: Owner,
    pub(crate) kind: Kind,
    pub(crate) place: Place,
    pub(crate) sealed: bool,
    /// it has a writer still, who holds it
    pub(crate) written: bool,
    /// the run it has to itself
    pub(crate) single: Option<Chunk>,
    /// memory of the table's otherwise, unless it has no bytes
    pub(crate) room: Option<Room>,
    /// its bytes are there
    pub(crate) copied: bool,
}
