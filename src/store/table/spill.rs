//! How objects of the side table go to files, some at a time, and come back one by one.
//!
//! While it is written an object is held, as by a reader; so it is neither evicted nor moved, and a deletion waits. A file
//! holds what was written together, and goes with the last of it.

use std::io;
use std::sync::Arc;

use super::objects::{Freed, Memory};
use super::{Inner, Table, TableHold};
use crate::error::{Error, ErrorCode, Result};
use crate::id::{BatchId, ObjectId};
use crate::store::apart::Apart;
use crate::store::journal::{Note, Occasion};
use crate::store::layout::footprint;
use crate::store::pin::Place;
use crate::store::spill::{Image, Part, Segment, Spill, SpillFile, Wanted, unreadable};

/// Bytes written to one file, unless a single object has more.
const TOGETHER: u64 = 4 << 20;

/// An object's place in a file.
pub(super) struct Filed {
    spill: Arc<Spill>,
    file: Arc<SpillFile>,
    segment: Segment,
    /// where in the file it lies
    position: u64,
    /// its checksum's place
    ordinal: u64,
    /// what it counts
    bytes: u64,
}

impl Drop for Filed {
    fn drop(&mut self) {
        self.spill.left(1, self.bytes);
    }
}

/// What is to be read of an object that lies in a file.
pub(super) struct InFile {
    file: Arc<SpillFile>,
    segment: Segment,
    wanted: Wanted,
}

impl Filed {
    pub(super) fn locate(&self, place: &Place) -> InFile {
        let wanted =
            Wanted { position: self.position, bytes: place.extent(), slot: self.ordinal, ordinal: self.ordinal };
        InFile { file: Arc::clone(&self.file), segment: self.segment, wanted }
    }
}

/// An object that is being written.
struct Taken {
    table: Arc<Inner>,
    n: u32,
    place: Place,
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut state = self.table.state.lock();
        if let Some(object) = state.get_mut(self.n) {
            object.filing = false;
        }
        self.table.let_go(state, self.n);
    }
}

impl Table {
    /// Objects of normal mode, the least recently used first, with so many bytes at least, or all there are.
    #[must_use]
    pub fn oldest(&self, bytes: u64) -> Vec<ObjectId> {
        let state = self.inner.state.lock();
        let (mut ids, mut sum) = (Vec::new(), 0);
        let mut at = state.oldest;
        while let Some(object) = state.get(at).filter(|_| sum < bytes) {
            ids.push(object.id);
            sum += object.bytes();
            at = object.newer;
        }
        ids
    }

    /// Writes those of the objects that are sealed, in memory, and held by nobody to files, and gives their memory back.
    /// `freed` is told after each file, with no lock held. Returns the bytes that went.
    ///
    /// # Errors
    /// `Io`: what was not written yet stays in memory.
    pub fn spill(&self, ids: &[ObjectId], freed: &mut dyn FnMut(u64)) -> Result<u64> {
        let Some(spill) = &self.inner.spill else { return Ok(0) };
        let mut sum = 0;
        let mut rest = ids;
        while !rest.is_empty() {
            let (taken, after) = self.take_some(rest);
            rest = after;
            if taken.is_empty() {
                continue;
            }
            let bytes = self.write(spill, taken).map_err(|e| {
                spill.failed("objects of no batch's region stay in memory", &e);
                Error::new(ErrorCode::Io, format!("objects cannot be spilled: {e}"))
            })?;
            sum += bytes;
            freed(bytes);
        }
        Ok(sum)
    }

    /// Holds some of the objects, as many as go into one file. Returns those that are left as well.
    fn take_some<'a>(&self, ids: &'a [ObjectId]) -> (Vec<Taken>, &'a [ObjectId]) {
        let mut state = self.inner.state.lock();
        let (mut taken, mut sum) = (Vec::new(), 0);
        for (n, id) in ids.iter().enumerate() {
            if sum >= TOGETHER {
                return (taken, &ids[n..]);
            }
            let Some(n) = state.find(id) else { continue };
            let Some(object) = state.get_mut(n) else { continue };
            let in_memory = match &object.memory {
                Memory::Cell(_) => true,
                // nobody has a buffer over it
                Memory::Single(chunk) => Arc::strong_count(chunk) == 1,
                Memory::Nowhere | Memory::Filed(_) => false,
            };
            if in_memory && object.sealed && object.holds == 0 && !object.doomed {
                object.holds = 1;
                object.filing = true;
                let place = object.place();
                state.leave_order(n);
                sum += place.extent();
                taken.push(Taken { table: Arc::clone(&self.inner), n, place });
            }
        }
        (taken, &[])
    }

    /// Writes objects to a file of their own. If that fails, they are let go as they were.
    fn write(&self, spill: &Arc<Spill>, taken: Vec<Taken>) -> io::Result<u64> {
        let arena = &self.inner.arena;
        let life = getrandom::u64().map_err(|e| io::Error::other(format!("no random numbers from the system: {e}")))?;
        let (mut places, mut pieces, mut parts) = (Vec::new(), Vec::new(), Vec::new());
        let mut len = 0;
        // sealed and held: nobody writes there
        for (ordinal, t) in taken.iter().enumerate() {
            let bytes = t.place.extent();
            places.push(len);
            pieces.push((len, arena.span(t.place.offset, bytes)));
            parts.push(Part { at: len, bytes, slot: ordinal as u64, ordinal });
            len += footprint(t.place.len, t.place.metadata);
        }
        let file = spill.create(BatchId::NORMAL, life)?;
        let segment = file.append(&Image::gathered(len, pieces, parts, 0, taken.len()))?;
        file.rest();
        let mut freed = Vec::new();
        let mut bytes = 0;
        {
            let mut state = self.inner.state.lock();
            for (ordinal, (t, &at)) in taken.iter().zip(&places).enumerate() {
                let Some(object) = state.get_mut(t.n) else { continue };
                let held = match &object.memory {
                    Memory::Single(chunk) => Arc::strong_count(chunk) > 1,
                    _ => false,
                };
                if object.holds > 1 || object.doomed || held {
                    continue; // a reader came, or it goes: it stays where it is
                }
                let counts = object.bytes();
                spill.wrote(1, counts);
                bytes += t.place.extent();
                let filed = Filed {
                    spill: Arc::clone(spill),
                    file: Arc::clone(&file),
                    segment,
                    position: segment.image() + at,
                    ordinal: ordinal as u64,
                    bytes: counts,
                };
                let memory = object.move_to(Memory::Filed(Box::new(filed)));
                freed.push(state.give_up(memory));
            }
        }
        drop(freed);
        // the holds go now; and the file, if nothing came to lie in it
        drop(taken);
        Ok(bytes)
    }

    /// Reads a held object from its file, and takes it back into memory where there is room.
    ///
    /// # Errors
    /// `SpillCorrupt`, `Io`, `StoreFull`.
    pub(super) fn read_back(&self, hold: &TableHold, id: &ObjectId, place: Place, at: &InFile) -> Result<Arc<Apart>> {
        let Some(spill) = &self.inner.spill else { return Err(super::inner::missing(id)) };
        let read = spill.read(&at.file, &at.segment, &at.wanted);
        let apart = read.map_err(|e| {
            spill.failed(&format!("object {id} cannot be read from {}", at.file.path().display()), &e);
            unreadable(id, &at.file, &e)
        })?;
        let room = self.inner.arena.taken() + footprint(place.len, place.metadata) <= spill.pressure.low();
        if room && self.take_back(hold, place, &apart) {
            spill.took_back(1, place.len + place.metadata);
            let bytes = place.len + place.metadata;
            let note = || Note { objects: 1, bytes, ..Note::new(Occasion::Restored, id.batch) };
            self.inner.notifier.journal().note(note);
        } else {
            spill.served();
        }
        Ok(Arc::new(apart))
    }

    /// Has the object lie in memory again. False when there is none, or another reader was first.
    fn take_back(&self, hold: &TableHold, place: Place, apart: &Apart) -> bool {
        let inner = &self.inner;
        let Ok(room) = inner.try_room(footprint(place.len, place.metadata)) else { return false };
        room.fill(apart, &place);
        let mut state = inner.state.lock();
        let Some(object) = state.get_mut(hold.n).filter(|object| matches!(object.memory, Memory::Filed(_))) else {
            drop(state);
            return false; // its memory goes after the lock
        };
        let (memory, offset) = room.take();
        object.offset = offset;
        let filed = object.move_to(memory);
        let gone: Freed = state.give_up(filed);
        drop(state);
        drop(gone);
        true
    }
}
