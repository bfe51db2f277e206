//! A region: all that one batch put into the store, released at once.
//!
//! Locks: `body`, then the side table's, then the arena's. A lease (see `lease.rs`) is entered before `body` is locked.
//! Nothing foreign is called with one of them held, except the source of a small put, by whoever is in a lease.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, MutexGuard};

use super::budget::Budget;
use super::chunks::{Chunk, Chunks};
use super::core::{Core, begin_life, end_life, generation_word};
use super::index::{EntryWords, Index, find};
use super::layout::{
    Entry, EntryState, HEADER_BASE, HEADER_BATCH, HEADER_INLINE, HEADER_OVERFLOW, INLINE_PAGES, footprint,
};
use super::lease::Stripes;
use super::notify::{Event, EventKind};
use super::pin::{Pin, Place};
use super::run::{Held, Run};
use super::seqlock::still;
use super::table::{Adopted, Finish, already_sealed, in_use};
use super::types::{Dropped, Found, Kind, ObjectInfo, ObjectState, Removal, Sink, Usage};
use crate::error::{Error, ErrorCode, Result};
use crate::id::{BatchId, ObjectId};

/// See the module.
pub struct Region {
    pub(super) batch: BatchId,
    pub(super) base: u64,
    /// where its header lies
    pub(super) header: u64,
    /// odd; the header's generation differs once the region is dropped
    generation: u64,
    pub(super) core: Arc<Core>,
    pub(super) budget: Option<Arc<Budget>>,
    pub(super) held: Arc<Held>,
    pub(super) stripes: Stripes,
    pub(super) body: Mutex<Body>,
    /// objects and bytes that left before the drop; both written under `body`
    gone_objects: AtomicU64,
    gone_bytes: AtomicU64,
    peak: AtomicU64,
    dropped: OnceLock<Dropped>,
}

/// What changes under the region's lock.
#[derive(Default)]
pub(super) struct Body {
    pub(super) closed: bool,
    pub(super) chunks: Chunks,
    pub(super) index: Index,
    /// slot → who holds the object
    holds: HashMap<u64, Holds>,
    /// slots whose unsealed object moved to the side table; its writer finishes it there
    moved_unsealed: HashSet<u64>,
}

#[derive(Default)]
struct Holds {
    count: u32,
    /// what becomes of the object with the last hold
    then: Option<EntryState>,
}

/// An entry as it was found in a live region.
struct Seen<'a> {
    words: EntryWords<'a>,
    word0: u64,
    entry: Entry,
}

impl Region {
    pub(super) fn new(core: &Arc<Core>, batch: BatchId, base: u64, budget: Option<Arc<Budget>>) -> Result<Arc<Self>> {
        let header = core.headers.take(core)?;
        let arena = &core.arena;
        arena.word(header + HEADER_BASE).store(base, Ordering::Relaxed);
        arena.word(header + HEADER_BATCH).store(batch.0 as u64, Ordering::Relaxed);
        arena.word(header + HEADER_OVERFLOW).store(0, Ordering::Relaxed);
        for n in 0..INLINE_PAGES / 2 {
            arena.word(header + HEADER_INLINE + n * 8).store(0, Ordering::Relaxed);
        }
        let generation = begin_life(arena, header);
        Ok(Arc::new(Region {
            batch,
            base,
            header,
            generation,
            core: Arc::clone(core),
            budget,
            held: Arc::new(Held::default()),
            stripes: Stripes::new(),
            body: Mutex::new(Body::default()),
            gone_objects: AtomicU64::new(0),
            gone_bytes: AtomicU64::new(0),
            peak: AtomicU64::new(0),
            dropped: OnceLock::new(),
        }))
    }

    /// The batch whose objects these are.
    #[must_use]
    pub fn batch(&self) -> BatchId {
        self.batch
    }

    /// The random base of this life's slots.
    #[must_use]
    pub fn base(&self) -> u64 {
        self.base
    }

    /// The limits it is under, if any.
    #[must_use]
    pub fn budget(&self) -> Option<&Arc<Budget>> {
        self.budget.as_ref()
    }

    /// True once it was dropped.
    #[must_use]
    pub fn is_dropped(&self) -> bool {
        !self.lives()
    }

    /// True once it was dropped and nobody holds any of its memory.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.is_dropped() && self.held.bytes() == 0 && self.body.lock().holds.is_empty()
    }

    /// What it holds.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let (pins, slots) = {
            let body = self.body.lock();
            (body.holds.values().map(|h| u64::from(h.count)).sum(), body.index.slots())
        };
        let (objects, bytes) = if self.is_dropped() { (0, 0) } else { self.live() };
        let peak_bytes = self.peak.fetch_max(bytes, Ordering::Relaxed).max(bytes);
        Usage { objects, bytes, held: self.held.bytes(), peak_bytes, pins, slots }
    }

    fn live(&self) -> (u64, u64) {
        let (objects, bytes) = self.stripes.made();
        (
            objects.saturating_sub(self.gone_objects.load(Ordering::Relaxed)),
            bytes.saturating_sub(self.gone_bytes.load(Ordering::Relaxed)),
        )
    }

    fn lives(&self) -> bool {
        generation_word(&self.core.arena, self.header).load(Ordering::Acquire) == self.generation
    }

    /// True when nothing changed since the entry was seen.
    fn still(&self, seen: &Seen<'_>) -> bool {
        still(generation_word(&self.core.arena, self.header), self.generation, seen.words.word0, seen.word0)
    }

    /// The entry of a slot; `index` tells the slot's one id from its aliases.
    fn see(&self, slot: u64, index: Option<u32>) -> Found<Seen<'_>> {
        let arena = &self.core.arena;
        loop {
            if !self.lives() {
                return Found::Dropped;
            }
            let Some(words) = find(arena, self.header, slot) else {
                if !self.lives() {
                    return Found::Dropped;
                }
                return Found::Unknown;
            };
            let (word0, entry) = words.load();
            if !still(generation_word(arena, self.header), self.generation, words.word0, word0) {
                continue;
            }
            // bytes that are no entry cannot be in a live region; if they are, no object is there
            let Some(entry) = entry else { return Found::Unknown };
            return match entry.state {
                EntryState::Empty => Found::Absent,
                _ if index.is_some_and(|index| index != entry.index) => Found::Unknown,
                EntryState::Created | EntryState::Sealed => Found::Here(Seen { words, word0, entry }),
                EntryState::Freed => Found::Freed,
                EntryState::Deleted | EntryState::Aborted => Found::Deleted,
                EntryState::Moved => Found::Moved,
            };
        }
    }

    fn see_id(&self, id: &ObjectId) -> Found<Seen<'_>> {
        self.see(id.slot(self.base), Some(id.index))
    }

    fn id(&self, slot: u64, entry: &Entry) -> ObjectId {
        ObjectId::from_slot(self.batch, self.base, slot, entry.index)
    }

    /// Where the object's bytes lie. To be validated.
    fn place(&self, entry: &Entry) -> Place {
        let arena = &self.core.arena;
        let metadata = if entry.has_metadata && arena.contains(entry.offset, 8) {
            arena.word(entry.offset).load(Ordering::Relaxed)
        } else {
            0
        };
        Place { offset: entry.offset, len: u64::from(entry.len), metadata }
    }

    /// What the object's state is.
    #[must_use]
    pub fn state(&self, id: &ObjectId) -> Found<ObjectState> {
        self.see_id(id).map(|seen| match seen.entry.state {
            EntryState::Sealed => ObjectState::Sealed,
            _ => ObjectState::Created,
        })
    }

    /// Copies an object out, without a lock: what was copied is validated before it is called read.
    ///
    /// # Errors
    /// What the sink says.
    pub fn get(&self, id: &ObjectId, sink: &mut dyn Sink) -> Result<Found<Kind>> {
        self.copy_out(id.slot(self.base), Some(id.index), sink)
    }

    /// As `get`, for a slot that `put` returned.
    ///
    /// # Errors
    /// What the sink says.
    pub fn get_slot(&self, slot: u64, sink: &mut dyn Sink) -> Result<Found<Kind>> {
        self.copy_out(slot, None, sink)
    }

    fn copy_out(&self, slot: u64, index: Option<u32>, sink: &mut dyn Sink) -> Result<Found<Kind>> {
        loop {
            let seen = match self.see(slot, index) {
                Found::Here(seen) if seen.entry.state == EntryState::Sealed => seen,
                Found::Here(_) => return Ok(Found::Absent),
                other => return Ok(other.map(|_| Kind::Bytes)),
            };
            let place = self.place(&seen.entry);
            if !place.is_inside(&self.core.arena) || (seen.entry.has_metadata && !self.still(&seen)) {
                continue;
            }
            let kind = Kind::try_from(seen.entry.kind)?;
            sink.prepare(kind, place.len as usize)?;
            sink.copy_from(&place.data(&self.core.arena))?;
            if self.still(&seen) {
                return Ok(Found::Here(kind));
            }
        }
    }

    /// Pins a sealed object.
    #[must_use]
    pub fn pin(self: &Arc<Self>, id: &ObjectId) -> Found<Pin> {
        let slot = id.slot(self.base);
        let mut body = self.body.lock();
        if body.closed {
            return Found::Dropped;
        }
        let seen = match self.see_id(id) {
            Found::Here(seen) if seen.entry.state == EntryState::Sealed => seen,
            Found::Here(_) => return Found::Absent,
            other => return other.map(|_| unreachable!("no other outcome carries an entry")),
        };
        let Ok(kind) = Kind::try_from(seen.entry.kind) else { return Found::Unknown };
        let place = self.place(&seen.entry);
        let chunk = body.chunks.holding(place.offset).filter(|_| footprint(place.len, place.metadata) > 0).cloned();
        body.holds.entry(slot).or_default().count += 1;
        drop(body);
        Found::Here(Pin::in_region(*id, kind, place, &self.core.arena, Arc::clone(self), slot, chunk))
    }

    /// A reader's hold ends.
    pub(super) fn release(&self, slot: u64, chunk: Option<Chunk>) {
        let mut body = self.body.lock();
        let gone = self.release_locked(&mut body, slot);
        drop(body);
        drop((chunk, gone));
        self.core.notifier.flush();
    }

    /// Ends one hold, and does what waited for the last one.
    fn release_locked(&self, body: &mut MutexGuard<'_, Body>, slot: u64) -> Option<Chunk> {
        let holds = body.holds.get_mut(&slot)?;
        holds.count -= 1;
        if holds.count > 0 {
            return None;
        }
        let then = body.holds.remove(&slot)?.then?;
        if body.closed {
            return None;
        }
        match self.see(slot, None) {
            Found::Here(seen) => self.remove_locked(body, slot, &seen, then),
            _ => None,
        }
    }

    /// A writer's hold begins. False when the region was dropped meanwhile.
    pub(super) fn hold_for_writer(&self, slot: u64) -> bool {
        let mut body = self.body.lock();
        if !body.closed {
            body.holds.entry(slot).or_default().count += 1;
        }
        !body.closed
    }

    /// A writer is done.
    pub(super) fn finish(&self, slot: u64, id: &ObjectId, place: Place, end: Finish) -> Result<()> {
        let mut body = self.body.lock();
        let result;
        let mut gone = None;
        if body.moved_unsealed.remove(&slot) {
            gone = self.release_locked(&mut body, slot);
            drop(body);
            result = self.core.table.finish_adopted(id, place, end);
        } else if body.closed {
            body.holds.remove(&slot);
            drop(body);
            result = Err(collected(id, self.batch));
        } else {
            result = match self.see(slot, None) {
                Found::Here(seen) if seen.entry.state == EntryState::Created => {
                    match end {
                        Finish::Seal => self.seal_locked(id, &seen, &place),
                        Finish::Abort => gone = self.remove_locked(&mut body, slot, &seen, EntryState::Aborted),
                        Finish::Release => {}
                    }
                    Ok(())
                }
                Found::Dropped => Err(collected(id, self.batch)),
                _ => Err(already_sealed(id)),
            };
            let last = self.release_locked(&mut body, slot);
            drop(body);
            drop(last);
        }
        drop(gone);
        self.core.notifier.flush();
        result
    }

    fn seal_locked(&self, id: &ObjectId, seen: &Seen<'_>, place: &Place) {
        seen.words.change(&seen.entry.with_state(EntryState::Sealed));
        self.core.notifier.post(Event::object(EventKind::Sealed, *id, place.len, place.metadata));
    }

    /// Seals an object whose writer was released.
    ///
    /// # Errors
    /// `ObjectNotFound`, `ObjectSealed`, `ObjectInUse` while its writer is open.
    pub fn seal(&self, id: &ObjectId) -> Result<()> {
        let body = self.body.lock();
        let seen = self.released(&body, id)?;
        self.seal_locked(id, &seen, &self.place(&seen.entry));
        drop(body);
        self.core.notifier.flush();
        Ok(())
    }

    /// Aborts an object whose writer was released.
    ///
    /// # Errors
    /// As for `seal`.
    pub fn abort(&self, id: &ObjectId) -> Result<()> {
        let mut body = self.body.lock();
        let seen = self.released(&body, id)?;
        let gone = self.remove_locked(&mut body, id.slot(self.base), &seen, EntryState::Aborted);
        drop(body);
        drop(gone);
        Ok(())
    }

    /// An unsealed object that no writer holds.
    fn released(&self, body: &Body, id: &ObjectId) -> Result<Seen<'_>> {
        if body.closed {
            return Err(collected(id, self.batch));
        }
        match self.see_id(id) {
            Found::Here(seen) if seen.entry.state == EntryState::Sealed => Err(already_sealed(id)),
            Found::Here(_) if body.holds.contains_key(&id.slot(self.base)) => Err(in_use(id)),
            Found::Here(seen) => Ok(seen),
            Found::Dropped => Err(collected(id, self.batch)),
            _ => Err(Error::new(ErrorCode::ObjectNotFound, format!("there is no unsealed object {id}")).object(*id)),
        }
    }

    /// Deletes a sealed object; one that is held goes with its last hold.
    ///
    /// # Errors
    /// `ObjectNotSealed`.
    pub fn delete(&self, id: &ObjectId) -> Result<Found<Removal>> {
        self.take_away(id, EntryState::Deleted)
    }

    /// Gives up a sealed object's bytes; its chunk goes when nothing else is in it.
    ///
    /// # Errors
    /// `ObjectNotSealed`.
    pub fn free(&self, id: &ObjectId) -> Result<Found<Removal>> {
        self.take_away(id, EntryState::Freed)
    }

    fn take_away(&self, id: &ObjectId, then: EntryState) -> Result<Found<Removal>> {
        let slot = id.slot(self.base);
        let mut body = self.body.lock();
        if body.closed {
            return Ok(Found::Dropped);
        }
        let seen = match self.see_id(id) {
            Found::Here(seen) => seen,
            other => return Ok(other.map(|_| Removal::Done)),
        };
        if seen.entry.state != EntryState::Sealed {
            let what = format!("object {id} is not sealed; seal or abort it instead");
            return Err(Error::new(ErrorCode::ObjectNotSealed, what).object(*id));
        }
        if let Some(holds) = body.holds.get_mut(&slot) {
            // a deletion outweighs a hint
            if holds.then != Some(EntryState::Deleted) {
                holds.then = Some(then);
            }
            return Ok(Found::Here(Removal::Deferred));
        }
        let gone = self.remove_locked(&mut body, slot, &seen, then);
        drop(body);
        drop(gone);
        self.core.notifier.flush();
        Ok(Found::Here(Removal::Done))
    }

    /// Marks an entry gone and counts it; returns the chunk if that was its last object, to be dropped after the lock.
    fn remove_locked(&self, body: &mut Body, slot: u64, seen: &Seen<'_>, then: EntryState) -> Option<Chunk> {
        let place = self.place(&seen.entry);
        let bytes = place.len + place.metadata;
        // the entry changes before its memory can be lent again: a reader that validates sees it
        seen.words.change(&seen.entry.with_state(then));
        self.count_gone(bytes);
        if let Some(budget) = &self.budget
            && then != EntryState::Moved
        {
            budget.release(bytes, 1);
        }
        if matches!(then, EntryState::Deleted | EntryState::Freed) {
            let id = self.id(slot, &seen.entry);
            self.core.notifier.post(Event::object(EventKind::Deleted, id, place.len, place.metadata));
        }
        if footprint(place.len, place.metadata) == 0 { None } else { body.chunks.leave(place.offset) }
    }

    fn count_gone(&self, bytes: u64) {
        self.peak.fetch_max(self.live().1, Ordering::Relaxed);
        self.gone_objects.fetch_add(1, Ordering::Relaxed);
        self.gone_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Hands an object, sealed or not, to the side table for another owner: its run if it is large, a copy if it is
    /// small. Its id stays. The budget it counts to stays the caller's affair.
    ///
    /// # Errors
    /// `StoreFull`: nothing changed.
    pub fn move_to_table(&self, id: &ObjectId, owner: BatchId) -> Result<Found<()>> {
        let slot = id.slot(self.base);
        let mut body = self.body.lock();
        if body.closed {
            return Ok(Found::Dropped);
        }
        let seen = match self.see_id(id) {
            Found::Here(seen) => seen,
            other => return Ok(other.map(|_| ())),
        };
        if body.holds.get(&slot).is_some_and(|h| h.then.is_some()) {
            return Ok(Found::Deleted);
        }
        let sealed = seen.entry.state == EntryState::Sealed;
        let place = self.place(&seen.entry);
        let single = body.chunks.take_single(place.offset).filter(|_| footprint(place.len, place.metadata) > 0);
        let kind = Kind::try_from(seen.entry.kind)?;
        let adopted = Adopted { id: *id, owner, kind, place, sealed, single: single.as_ref() };
        if let Err(e) = self.core.table.adopt(adopted) {
            if let Some(chunk) = &single {
                body.chunks.add_single(chunk);
            }
            drop(body);
            self.core.notifier.flush();
            return Err(e);
        }
        if !sealed {
            body.moved_unsealed.insert(slot);
        }
        let gone = self.remove_locked(&mut body, slot, &seen, EntryState::Moved);
        drop(body);
        drop(gone);
        self.core.notifier.flush();
        Ok(Found::Here(()))
    }

    /// All objects, in slot order; a put that returned before the call is among them.
    #[must_use]
    pub fn list(&self) -> Vec<ObjectInfo> {
        self.stripes.synchronize();
        let (slots, holds) = {
            let body = self.body.lock();
            let holds: HashMap<u64, u32> = body.holds.iter().map(|(&slot, h)| (slot, h.count)).collect();
            (body.index.slots(), holds)
        };
        let mut out = Vec::new();
        for slot in 0..slots {
            let Found::Here(seen) = self.see(slot, None) else { continue };
            let place = self.place(&seen.entry);
            let Ok(kind) = Kind::try_from(seen.entry.kind) else { continue };
            if !self.still(&seen) {
                continue;
            }
            out.push(ObjectInfo {
                id: self.id(slot, &seen.entry),
                size: place.len,
                metadata: place.metadata,
                state: if seen.entry.state == EntryState::Sealed { ObjectState::Sealed } else { ObjectState::Created },
                references: holds.get(&slot).copied().unwrap_or(0),
                created_ms: 0,
                accessed_ms: 0,
                kind,
                owner: self.batch,
            });
        }
        out
    }

    /// Releases everything: work in the number of runs. The second time, and every time but one, there is nothing left.
    pub(super) fn drop_all(&self) -> Dropped {
        let core = &self.core;
        if !end_life(&core.arena, self.header, self.generation) {
            return Dropped::default();
        }
        self.stripes.close();
        let (chunks, index, deferred) = {
            let mut body = self.body.lock();
            body.closed = true;
            let deferred = body.holds.len() as u64;
            (std::mem::take(&mut body.chunks), std::mem::take(&mut body.index), deferred)
        };
        let (objects, bytes) = self.live();
        self.peak.fetch_max(bytes, Ordering::Relaxed);
        if let Some(budget) = &self.budget {
            budget.release(bytes, objects);
        }
        let mut runs = index.into_runs();
        runs.extend(chunks.into_all().filter_map(Arc::into_inner));
        Run::give_back_all(runs);
        core.headers.give(self.header);
        let dropped = Dropped { objects, bytes, deferred };
        let _ = self.dropped.set(dropped);
        dropped
    }

    /// What went with the drop.
    #[must_use]
    pub fn dropped(&self) -> Option<Dropped> {
        self.dropped.get().copied()
    }

    /// Slots leased so far: every id of this life has its slot below.
    #[must_use]
    pub fn slots(&self) -> u64 {
        self.body.lock().index.slots()
    }
}

pub(super) fn collected(id: &ObjectId, batch: BatchId) -> Error {
    Error::new(ErrorCode::ObjectCollected, format!("object {id} went when batch {batch} was collected")).object(*id)
}
