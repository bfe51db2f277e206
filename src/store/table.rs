//! The side table: every object that is in no region. Those of normal mode, which may be evicted, least recently used
//! first; those that a batch keeps from another one; and, when the whole store runs with `lru`, all.
//!
//! One lock guards the table, its allocator and its order of use. Bytes are copied outside of it, under a pin.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hashbrown::HashTable;
use parking_lot::{Mutex, MutexGuard};
use xxhash_rust::xxh3::xxh3_64;

use super::arena::Arena;
use super::chunks::Chunk;
use super::clock::now_ms;
use super::heap::{Cell, Heap, LARGEST_CELL};
use super::layout::{MAX_OBJECT, PAGE, footprint};
use super::notify::{Event, EventKind, Notifier};
use super::pin::{Pin, Place};
use super::run::{Held, Run};
use super::types::{Found, Kind, ObjectInfo, ObjectState, Removal, Sink, Source};
use super::unsealed::{Unsealed, Writer};
use crate::error::{Error, ErrorCode, Result};
use crate::id::{BatchId, ObjectId};

/// No neighbour in the order of use.
const NONE: u32 = u32::MAX;

/// Where an object's bytes are.
enum Memory {
    /// no bytes
    Nowhere,
    Cell(Cell),
    /// a run of its own, perhaps one that a region handed over
    Single(Chunk),
}

struct Object {
    id: ObjectId,
    owner: BatchId,
    memory: Memory,
    offset: u64,
    len: u64,
    metadata: u64,
    kind: Kind,
    sealed: bool,
    /// readers and writers
    holds: u32,
    /// deleted while held: goes with the last hold
    doomed: bool,
    created_ms: u64,
    accessed_ms: u64,
    /// neighbours in the order of use; only objects that may be evicted are in it
    older: u32,
    newer: u32,
    in_order: bool,
}

impl Object {
    fn bytes(&self) -> u64 {
        self.len + self.metadata
    }

    fn place(&self) -> Place {
        Place { offset: self.offset, len: self.len, metadata: self.metadata }
    }

    fn event(&self, kind: EventKind) -> Event {
        Event::object(kind, self.id, self.len, self.metadata)
    }
}

struct State {
    /// id → place in `objects`
    by_id: HashTable<u32>,
    objects: Vec<Option<Object>>,
    unused: Vec<u32>,
    heap: Heap,
    oldest: u32,
    newest: u32,
    live_bytes: u64,
    live_objects: u64,
}

/// See the module.
#[derive(Clone)]
pub struct Table {
    inner: Arc<Inner>,
}

/// What the table shares with the pins and writers in it.
pub(crate) struct Inner {
    arena: Arc<Arena>,
    notifier: Arc<Notifier>,
    held: Arc<Held>,
    state: Mutex<State>,
    evicted_objects: AtomicU64,
    evicted_bytes: AtomicU64,
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

/// Sixteen neighbouring slots share a group of the hash table: objects are made, read and evicted in runs of neighbours,
/// and a miss of the cache for each would be most of the cost.
fn hash_of(id: &ObjectId) -> u64 {
    const GROUP: u64 = 16;
    let slot = id.task.wrapping_add(u64::from(id.index));
    let mut key = [0; 16];
    key[..8].copy_from_slice(&id.batch.0.to_ne_bytes());
    key[8..].copy_from_slice(&(slot / GROUP).to_ne_bytes());
    let block = xxh3_64(&key);
    // the table takes the place from the low bits and a tag from the high ones
    let tag = slot.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((block & !(GROUP - 1)) | (slot % GROUP)) ^ (tag & 0xff00_0000_0000_0000)
}

impl State {
    fn find(&self, id: &ObjectId) -> Option<u32> {
        self.by_id.find(hash_of(id), |&n| self.get(n).is_some_and(|o| o.id == *id)).copied()
    }

    fn get(&self, n: u32) -> Option<&Object> {
        self.objects.get(n as usize)?.as_ref()
    }

    fn get_mut(&mut self, n: u32) -> Option<&mut Object> {
        self.objects.get_mut(n as usize)?.as_mut()
    }

    fn insert(&mut self, object: Object) -> u32 {
        self.live_bytes += object.bytes();
        self.live_objects += 1;
        let hash = hash_of(&object.id);
        let n = match self.unused.pop() {
            Some(n) => n,
            None => {
                self.objects.push(None);
                (self.objects.len() - 1) as u32
            }
        };
        self.objects[n as usize] = Some(object);
        let objects = &self.objects;
        self.by_id.insert_unique(hash, n, |&m| {
            objects.get(m as usize).and_then(Option::as_ref).map_or(0, |o| hash_of(&o.id))
        });
        n
    }

    /// Takes an object out; its memory goes when the returned runs are dropped, after the lock.
    fn remove(&mut self, n: u32) -> Option<(Object, Freed)> {
        self.leave_order(n);
        let mut object = self.objects.get_mut(n as usize)?.take()?;
        if let Ok(entry) = self.by_id.find_entry(hash_of(&object.id), |&m| m == n) {
            entry.remove();
        }
        self.unused.push(n);
        self.live_bytes -= object.bytes();
        self.live_objects -= 1;
        let freed = match std::mem::replace(&mut object.memory, Memory::Nowhere) {
            Memory::Nowhere => Freed::Nothing,
            Memory::Cell(cell) => self.heap.give(cell).map_or(Freed::Nothing, Freed::Slab),
            Memory::Single(chunk) => Freed::Single(chunk),
        };
        Some((object, freed))
    }

    /// Makes it the most recently used, if it may be evicted.
    fn touch(&mut self, n: u32) {
        self.leave_order(n);
        let newest = self.newest;
        let Some(object) = self.get_mut(n) else { return };
        if !object.sealed || object.holds > 0 || !object.owner.is_normal() {
            return;
        }
        object.in_order = true;
        object.older = newest;
        object.newer = NONE;
        match self.get_mut(newest) {
            Some(previous) => previous.newer = n,
            None => self.oldest = n,
        }
        self.newest = n;
    }

    fn leave_order(&mut self, n: u32) {
        let Some(object) = self.get_mut(n).filter(|o| o.in_order) else { return };
        object.in_order = false;
        let (older, newer) = (object.older, object.newer);
        match self.get_mut(older) {
            Some(o) => o.newer = newer,
            None => self.oldest = newer,
        }
        match self.get_mut(newer) {
            Some(o) => o.older = older,
            None => self.newest = older,
        }
    }
}

/// Memory on its way back, dropped when the lock is released.
#[expect(dead_code, reason = "held for its drop")]
enum Freed {
    Nothing,
    Slab(Run),
    Single(Chunk),
}

impl Table {
    pub(crate) fn new(arena: &Arc<Arena>, notifier: &Arc<Notifier>) -> Self {
        Table {
            inner: Arc::new(Inner {
                arena: Arc::clone(arena),
                notifier: Arc::clone(notifier),
                held: Arc::new(Held::default()),
                state: Mutex::new(State {
                    by_id: HashTable::new(),
                    objects: Vec::new(),
                    unused: Vec::new(),
                    heap: Heap::new(),
                    oldest: NONE,
                    newest: NONE,
                    live_bytes: 0,
                    live_objects: 0,
                }),
                evicted_objects: AtomicU64::new(0),
                evicted_bytes: AtomicU64::new(0),
            }),
        }
    }

    /// Copies bytes into a new sealed object. `owner` 0: it may be evicted.
    ///
    /// # Errors
    /// `ObjectExists`; `StoreFull` after evicting what may be; what the source says.
    pub fn put(&self, id: ObjectId, owner: BatchId, kind: Kind, source: &dyn Source) -> Result<()> {
        let len = source.len() as u64;
        check_size(len, 0)?;
        let inner = &self.inner;
        let created = inner.create(id, owner, len, 0, kind);
        inner.notifier.flush(); // evictions
        let (n, place) = created?;
        // the object is ours alone until it is sealed; a source that fails, or panics, leaves nothing behind
        let mut writing = Writing { table: inner, n, end: Finish::Abort };
        source.copy_to(&place.data_mut(&inner.arena))?;
        writing.end = Finish::Seal;
        Ok(())
    }

    /// Makes an unsealed object.
    ///
    /// # Errors
    /// `ObjectExists`, `InvalidArgument` for more than 2³¹ − 1 bytes, `StoreFull`.
    pub fn create(&self, id: ObjectId, owner: BatchId, size: u64, metadata: &[u8], kind: Kind) -> Result<Unsealed> {
        let meta = metadata.len() as u64;
        check_size(size, meta)?;
        let result = self.inner.create(id, owner, size, meta, kind);
        self.inner.notifier.flush(); // evictions
        let (n, place) = result?;
        place.write_metadata(&self.inner.arena, metadata);
        Ok(Unsealed::new(id, kind, place, Writer::Table { table: Arc::clone(&self.inner), n }, &self.inner.arena))
    }

    /// Copies an object out.
    ///
    /// # Errors
    /// What the sink says.
    pub fn get(&self, id: &ObjectId, sink: &mut dyn Sink) -> Result<Found<Kind>> {
        match self.pin(id) {
            Found::Here(pin) => {
                sink.prepare(pin.kind(), pin.data().len())?;
                sink.copy_from(&pin.data())?;
                Ok(Found::Here(pin.kind()))
            }
            other => Ok(other.map(|pin| pin.kind())),
        }
    }

    /// Pins a sealed object.
    #[must_use]
    pub fn pin(&self, id: &ObjectId) -> Found<Pin> {
        let mut state = self.inner.state.lock();
        let Some(n) = state.find(id) else { return Found::Absent };
        state.leave_order(n);
        let Some(object) = state.get_mut(n) else { return Found::Absent };
        if !object.sealed {
            return Found::Absent;
        }
        object.holds += 1;
        object.accessed_ms = now_ms();
        let chunk = match &object.memory {
            Memory::Single(chunk) => Some(Arc::clone(chunk)),
            _ => None,
        };
        let (kind, place) = (object.kind, object.place());
        drop(state);
        let hold = TableHold { table: Arc::clone(&self.inner), n };
        Found::Here(Pin::in_table(*id, kind, place, &self.inner.arena, hold, chunk))
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
        let event = self.inner.seal_locked(&mut state, n);
        drop(state);
        self.inner.tell(event);
        Ok(())
    }

    /// Aborts an object whose writer was released.
    ///
    /// # Errors
    /// As for `seal`.
    pub fn abort(&self, id: &ObjectId) -> Result<()> {
        let mut state = self.inner.state.lock();
        let n = released(&state, id)?;
        let gone = state.remove(n);
        drop(state);
        drop(gone);
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
            Some((n, true)) => Ok(Found::Here(self.inner.doom(state, n))),
        }
    }

    /// Gives up an object's bytes. Without lineage that is a deletion.
    ///
    /// # Errors
    /// As for `delete`.
    pub fn free(&self, id: &ObjectId) -> Result<Found<Removal>> {
        self.delete(id)
    }

    /// Takes a kept object away with the batch that keeps it, sealed or not; one that is held goes with its last hold.
    pub fn remove(&self, id: &ObjectId) -> Found<Removal> {
        let state = self.inner.state.lock();
        match state.find(id) {
            None => Found::Absent,
            Some(n) => Found::Here(self.inner.doom(state, n)),
        }
    }

    /// Who owns it; 0 for normal mode.
    #[must_use]
    pub fn owner(&self, id: &ObjectId) -> Option<BatchId> {
        let state = self.inner.state.lock();
        state.find(id).and_then(|n| state.get(n)).map(|o| o.owner)
    }

    /// Makes another batch, or normal mode, the owner. False when there is no such object.
    pub fn set_owner(&self, id: &ObjectId, owner: BatchId) -> bool {
        let mut state = self.inner.state.lock();
        let Some(n) = state.find(id) else { return false };
        if let Some(object) = state.get_mut(n) {
            object.owner = owner;
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
        state.objects.iter().flatten().map(info).collect()
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
    /// writer seals it, into memory reserved now.
    pub(crate) fn adopt(&self, adopted: Adopted<'_>) -> Result<()> {
        let Adopted { id, owner, kind, place, sealed, single } = adopted;
        let inner = &self.inner;
        let mut state = inner.state.lock();
        let (memory, offset) = match single {
            Some(chunk) => {
                chunk.hand_over(&inner.held);
                (Memory::Single(Arc::clone(chunk)), place.offset)
            }
            None => {
                let bytes = footprint(place.len, place.metadata);
                let (memory, offset) = inner.reserve(&mut state, bytes)?;
                if sealed {
                    place.copy_to(&inner.arena, &Place { offset, ..place });
                }
                (memory, offset)
            }
        };
        let now = now_ms();
        let n = state.insert(Object {
            id,
            owner,
            memory,
            offset,
            len: place.len,
            metadata: place.metadata,
            kind,
            sealed,
            holds: u32::from(!sealed),
            doomed: false,
            created_ms: now,
            accessed_ms: now,
            older: NONE,
            newer: NONE,
            in_order: false,
        });
        state.touch(n);
        Ok(())
    }

    /// For the writer of an adopted object, who wrote it at `source` in its region, and is done.
    pub(crate) fn finish_adopted(&self, id: &ObjectId, source: Place, end: Finish) -> Result<()> {
        let inner = &self.inner;
        let n = {
            let state = inner.state.lock();
            let n = state.find(id).ok_or_else(|| missing(id))?;
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
pub(crate) struct Adopted<'a> {
    pub(crate) id: ObjectId,
    pub(crate) owner: BatchId,
    pub(crate) kind: Kind,
    pub(crate) place: Place,
    pub(crate) sealed: bool,
    /// the run it has to itself
    pub(crate) single: Option<&'a Chunk>,
}

impl Inner {
    fn create(&self, id: ObjectId, owner: BatchId, len: u64, metadata: u64, kind: Kind) -> Result<(u32, Place)> {
        let mut state = self.state.lock();
        if state.find(&id).is_some() {
            return Err(Error::new(
                ErrorCode::ObjectExists,
                format!("object {id} exists; delete it first, or use another id"),
            )
            .object(id));
        }
        let (memory, offset) = self.reserve(&mut state, footprint(len, metadata)).map_err(|e| e.object(id))?;
        let now = now_ms();
        let object = Object {
            id,
            owner,
            memory,
            offset,
            len,
            metadata,
            kind,
            sealed: false,
            holds: 1,
            doomed: false,
            created_ms: now,
            accessed_ms: now,
            older: NONE,
            newer: NONE,
            in_order: false,
        };
        let place = object.place();
        Ok((state.insert(object), place))
    }

    /// Memory for so many bytes, evicting what it takes.
    fn reserve(&self, state: &mut MutexGuard<'_, State>, bytes: u64) -> Result<(Memory, u64)> {
        if bytes == 0 {
            return Ok((Memory::Nowhere, 0));
        }
        let mut room = bytes;
        loop {
            let attempt = if bytes <= LARGEST_CELL {
                state.heap.take(&self.arena, &self.held, bytes).map(|(cell, offset)| (Memory::Cell(cell), offset))
            } else {
                Run::lend(&self.arena, &self.held, bytes.div_ceil(PAGE)).map(|run| {
                    let offset = run.offset();
                    (Memory::Single(Arc::new(run)), offset)
                })
            };
            match attempt {
                Ok(memory) => return Ok(memory),
                Err(e) if self.evict_locked(state, room, true) == 0 => return Err(self.arena.explain(&e)),
                // what went may lie scattered: ask for more each time
                Err(_) => room = room.saturating_mul(2),
            }
        }
    }

    fn evict(&self, bytes: u64, at_least_one: bool) -> u64 {
        let mut state = self.state.lock();
        self.evict_locked(&mut state, bytes, at_least_one)
    }

    fn evict_locked(&self, state: &mut MutexGuard<'_, State>, bytes: u64, at_least_one: bool) -> u64 {
        let (mut count, mut freed) = (0, 0);
        while freed < bytes || (at_least_one && count == 0) {
            let oldest = state.oldest;
            let Some((object, memory)) = state.remove(oldest) else { break };
            count += 1;
            freed += object.bytes();
            drop(memory);
            self.notifier.post(object.event(EventKind::Evicted));
        }
        self.evicted_objects.fetch_add(count, Ordering::Relaxed);
        self.evicted_bytes.fetch_add(freed, Ordering::Relaxed);
        if at_least_one { freed.max(count) } else { freed }
    }

    /// Removes now or with the last hold.
    fn doom(&self, mut state: MutexGuard<'_, State>, n: u32) -> Removal {
        if let Some(object) = state.get_mut(n).filter(|o| o.holds > 0) {
            object.doomed = true;
            return Removal::Deferred;
        }
        let gone = state.remove(n);
        drop(state);
        self.tell(gone.map(|(object, _memory)| object.event(EventKind::Deleted)));
        Removal::Done
    }

    fn seal_locked(&self, state: &mut MutexGuard<'_, State>, n: u32) -> Option<Event> {
        let object = state.get_mut(n)?;
        object.sealed = true;
        let event = object.event(EventKind::Sealed);
        state.touch(n);
        Some(event)
    }

    /// For a writer that is done: seals, aborts, or leaves it unsealed.
    pub(crate) fn finish(&self, n: u32, end: Finish) {
        let mut state = self.state.lock();
        let Some(object) = state.get_mut(n) else { return };
        object.holds -= 1;
        let doomed = object.doomed;
        let event = match end {
            Finish::Seal if !doomed => self.seal_locked(&mut state, n),
            Finish::Release if !doomed => None,
            _ => {
                let gone = state.remove(n);
                drop(state);
                drop(gone);
                return;
            }
        };
        drop(state);
        self.tell(event);
    }

    fn tell(&self, event: Option<Event>) {
        if let Some(event) = event {
            self.notifier.post(event);
        }
        self.notifier.flush();
    }
}

/// How a writer ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finish {
    Seal,
    Abort,
    Release,
}

/// An object being copied in: finished on drop.
struct Writing<'a> {
    table: &'a Inner,
    n: u32,
    end: Finish,
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.table.finish(self.n, self.end);
    }
}

/// A reader's hold on an object of the table.
pub(crate) struct TableHold {
    table: Arc<Inner>,
    n: u32,
}

impl TableHold {
    /// One more hold on an object that is held already.
    pub(crate) fn another(table: &Arc<Inner>, n: u32) -> Self {
        if let Some(object) = table.state.lock().get_mut(n) {
            object.holds += 1;
        }
        TableHold { table: Arc::clone(table), n }
    }
}

impl Clone for TableHold {
    fn clone(&self) -> Self {
        TableHold::another(&self.table, self.n)
    }
}

impl Drop for TableHold {
    fn drop(&mut self) {
        let mut state = self.table.state.lock();
        let Some(object) = state.get_mut(self.n) else { return };
        object.holds -= 1;
        if object.holds == 0 && object.doomed {
            let gone = state.remove(self.n);
            drop(state);
            self.table.tell(gone.map(|(object, _memory)| object.event(EventKind::Deleted)));
        } else {
            state.touch(self.n);
        }
    }
}

fn missing(id: &ObjectId) -> Error {
    Error::new(ErrorCode::ObjectNotFound, format!("there is no object {id}")).object(*id)
}

fn not_sealed(id: &ObjectId) -> Error {
    Error::new(ErrorCode::ObjectNotSealed, format!("object {id} is not sealed; seal or abort it instead")).object(*id)
}

/// An unsealed object that no writer holds.
fn released(state: &State, id: &ObjectId) -> Result<u32> {
    let found = state.find(id).and_then(|n| state.get(n).map(|o| (n, o)));
    match found {
        None => Err(missing(id)),
        Some((_, o)) if o.sealed => Err(already_sealed(id)),
        Some((_, o)) if o.holds > 0 => Err(in_use(id)),
        Some((n, _)) => Ok(n),
    }
}

pub(crate) fn already_sealed(id: &ObjectId) -> Error {
    Error::new(ErrorCode::ObjectSealed, format!("object {id} is sealed already, and immutable")).object(*id)
}

pub(crate) fn in_use(id: &ObjectId) -> Error {
    Error::new(
        ErrorCode::ObjectInUse,
        format!("object {id} has an open writer; seal or abort through it, or release it first"),
    )
    .object(*id)
}

pub(crate) fn check_size(size: u64, metadata: u64) -> Result<()> {
    if size > MAX_OBJECT || metadata > MAX_OBJECT {
        return Err(Error::new(
            ErrorCode::InvalidArgument,
            format!("an object has at most {MAX_OBJECT} bytes of data and of metadata, not {size} and {metadata}"),
        ));
    }
    Ok(())
}
