//! How a region goes to its file, chunk by chunk, and comes back.
//!
//! A chunk that *rests*, because nobody fills or holds it, is written as it lies. Meanwhile its objects are read as ever.
//! Then, under the region's lock, those that are still the same are said to be in the file, and the chunk goes back. That
//! is the step of `free`, and readers without a lock validate against it in the same way: an entry changes before the
//! chunk is given back. If somebody holds the chunk by then, it stays, and what was written is given up.
//!
//! What is taken back gets a state of its own, in which it is read under a hold only. So an entry that a reader without
//! a lock has seen never comes back once it has changed, which is what the validation rests on.

mod restore;

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::MutexGuard;

use super::spilled::{Left, Spilled};
use super::{Body, Region, Seen, bare};
use crate::error::{Error, ErrorCode, Result};
use crate::id::ObjectId;
use crate::store::apart::Apart;
use crate::store::arena::Arena;
use crate::store::chunks::{Chunk, Resting};
use crate::store::copy::Span;
use crate::store::index::find;
use crate::store::layout::{Entry, EntryState, footprint};
use crate::store::pin::Place;
use crate::store::spill::{Image, Part, Segment, Spill, SpillFile, Wanted, unreadable};
use crate::store::types::{Found, Kind};

/// An object that was spilled, with something that keeps its bytes.
pub(super) struct Fetched {
    pub(super) kind: Kind,
    place: Place,
    /// what its entry said
    word0: u64,
    memory: FetchedMemory,
}

enum FetchedMemory {
    /// In the arena. It is read before this is dropped.
    Arena(#[expect(dead_code, reason = "held for its drop")] Option<Chunk>),
    /// Outside of it, read from that file.
    Apart(Arc<Apart>, Arc<SpillFile>),
}

impl Fetched {
    pub(super) fn data<'a>(&'a self, arena: &'a Arena) -> Span<'a> {
        match &self.memory {
            FetchedMemory::Arena(_) => self.place.data(arena),
            FetchedMemory::Apart(apart, _) => apart.data(&self.place),
        }
    }

    /// The bytes that were read from the file, if they are those of the entry as it is under the lock: it says the same, of
    /// the same file. No two objects ever have the same place in one.
    pub(super) fn bytes_of(&self, body: &Body, seen: &Seen<'_>) -> Option<Arc<Apart>> {
        match &self.memory {
            FetchedMemory::Apart(apart, file) if seen.word0 == self.word0 && body.spilled.is(file) => {
                Some(Arc::clone(apart))
            }
            _ => None,
        }
    }
}

/// An object of a chunk that is being written.
struct Written {
    slot: u64,
    /// the place of its checksum
    ordinal: usize,
    word0: u64,
    entry: Entry,
    place: Place,
}

impl Written {
    /// As a part of an image that begins there.
    fn part(&self, from: u64) -> Part {
        Part { at: self.place.offset - from, bytes: self.place.extent(), slot: self.slot, ordinal: self.ordinal }
    }
}

/// A chunk that is being written, with its objects in the order of its slots.
struct Gathered {
    resting: Resting,
    objects: Vec<Written>,
    /// where in the arena it begins
    from: u64,
}

/// Where an object was found in the file.
struct InFile {
    file: Arc<SpillFile>,
    segment: Segment,
    wanted: Wanted,
    word0: u64,
    kind: Kind,
    place: Place,
}

/// One thread writes a region's file at a time: until this is dropped, also by a panic.
struct WritingFile<'a>(&'a Region);

impl Drop for WritingFile<'_> {
    fn drop(&mut self) {
        let (left, file) = {
            let mut body = self.0.body.lock();
            body.spilled.writing = false;
            (body.spilled.unused(), body.spilled.file.clone())
        };
        if let Some(file) = file {
            file.rest();
        }
        drop(left);
    }
}

/// What became of a chunk.
enum Outcome {
    /// So many bytes of the arena went back.
    Gone(u64),
    /// It stays: it is held, an object in it is not sealed, or nothing is in it.
    Stays,
    /// The region was dropped.
    Over,
}

impl Region {
    /// Writes all that nobody holds to the region's file, and gives its memory back, chunk by chunk; `freed` is told of
    /// each, with no lock held. Returns the bytes that went back. What is put, pinned or unsealed meanwhile stays.
    ///
    /// # Errors
    /// `Io`: what was not written yet stays in memory, as if nothing had been tried.
    pub fn spill(&self, freed: &mut dyn FnMut(u64)) -> Result<u64> {
        let Some(spill) = &self.core.spill else { return Ok(0) };
        self.rest();
        let offsets = {
            let mut body = self.body.lock();
            if body.closed || std::mem::replace(&mut body.spilled.writing, true) {
                return Ok(0);
            }
            body.chunks.offsets()
        };
        let writing = WritingFile(self);
        let mut sum = 0;
        let mut result = Ok(());
        for offset in offsets {
            match self.spill_chunk(spill, offset) {
                Ok(Outcome::Gone(bytes)) => {
                    sum += bytes;
                    freed(bytes);
                }
                Ok(Outcome::Stays) => {}
                Ok(Outcome::Over) => break,
                Err(e) => {
                    spill.failed(&format!("batch {} stays in memory", self.batch), &e);
                    result = Err(Error::new(ErrorCode::Io, format!("batch {} cannot be spilled: {e}", self.batch))
                        .batch(self.batch));
                    break;
                }
            }
        }
        drop(writing);
        result.map(|()| sum)
    }

    /// Bytes of chunks that nobody fills or holds: what a spill could give back, or somewhat more or less.
    #[must_use]
    pub fn spillable(&self) -> u64 {
        self.body.lock().chunks.resting_bytes()
    }

    /// The round of the spilling thread in which it was used last, as far as the native side saw: the JVM's own reads are
    /// not seen. Those who are spilled nevertheless are read through the native side from then on.
    #[must_use]
    pub fn last_used(&self) -> u64 {
        self.last_used.load(Ordering::Relaxed)
    }

    /// It is used now. A load where nothing changes, so that readers share the word.
    #[inline]
    pub(in crate::store) fn touch(&self) {
        if let Some(spill) = &self.core.spill {
            let round = spill.pressure.round();
            if self.last_used.load(Ordering::Relaxed) != round {
                self.last_used.store(round, Ordering::Relaxed);
            }
        }
    }

    fn spill_chunk(&self, spill: &Spill, offset: u64) -> io::Result<Outcome> {
        let (resting, file) = {
            let body = self.body.lock();
            if body.closed {
                return Ok(Outcome::Over);
            }
            let Some(resting) = body.chunks.resting(offset) else { return Ok(Outcome::Stays) };
            (resting, body.spilled.file.clone())
        };
        let Some(objects) = self.objects_of(&resting) else { return Ok(Outcome::Stays) };
        if !self.lives() {
            return Ok(Outcome::Over);
        }
        let file = match file {
            Some(file) => file,
            None => {
                let file = spill.create(self.batch, self.base)?;
                let mut body = self.body.lock();
                if body.closed {
                    return Ok(Outcome::Over);
                }
                body.spilled.file = Some(Arc::clone(&file));
                file
            }
        };
        let from = objects.iter().map(|o| o.entry.offset).min().unwrap_or(offset) / 8 * 8;
        let to = objects.iter().map(|o| o.place.offset + o.place.extent()).max().unwrap_or(from);
        let slots: Arc<[(u64, u64)]> = resting.slots.as_slice().into();
        let count = slots.iter().map(|(_, count)| *count as usize).sum();
        // All objects in the chunk are sealed, or not there any more; nobody fills it; it is held by `resting`. So nobody writes there.
        let memory = self.core.arena.span(from, to - from);
        let parts = objects.iter().map(|o| o.part(from)).collect();
        let segment = file.append(&Image::of(memory, parts, slots.first().map_or(0, |s| s.0), count))?;
        Ok(self.commit(spill, Gathered { resting, objects, from }, &file, segment, slots))
    }

    /// The objects of a chunk, in the order of its slots. `None` if one is not sealed, or there is none.
    fn objects_of(&self, resting: &Resting) -> Option<Vec<Written>> {
        let arena = &self.core.arena;
        let chunk = resting.chunk.offset()..resting.chunk.offset() + resting.chunk.len();
        let mut objects = Vec::new();
        for (ordinal, slot) in all_slots(&resting.slots).enumerate() {
            let Some((word0, Some(entry))) = find(arena, self.header, slot).map(|words| words.load()) else { continue };
            if !chunk.contains(&entry.offset) {
                continue; // a large one, with a run of its own, or one without bytes
            }
            match entry.state {
                EntryState::Created => return None,
                EntryState::Sealed | EntryState::Restored => {
                    // if the region was dropped meanwhile these may be any bytes
                    let place = self.place(&entry)?;
                    if footprint(place.len, place.metadata) > 0 && place.offset + place.extent() <= chunk.end {
                        objects.push(Written { slot, ordinal, word0, entry, place });
                    }
                }
                _ => {}
            }
        }
        (!objects.is_empty()).then_some(objects)
    }

    /// Has those objects that are still the same lie in the file, and gives the chunk back, unless somebody holds it.
    fn commit(
        &self,
        spill: &Spill,
        gathered: Gathered,
        file: &Arc<SpillFile>,
        segment: Segment,
        slots: Arc<[(u64, u64)]>,
    ) -> Outcome {
        let Gathered { resting, objects, from } = gathered;
        let mut body = self.body.lock();
        if body.closed {
            return Outcome::Over;
        }
        let Some(chunk) = body.chunks.take_resting(resting.chunk.offset()) else {
            drop(body);
            file.discard(&segment);
            return Outcome::Stays;
        };
        let mut in_file = Vec::with_capacity(objects.len());
        for o in &objects {
            let Some(words) = find(&self.core.arena, self.header, o.slot) else { continue };
            if words.word0.load(Ordering::Relaxed) != o.word0 {
                continue; // it went, or was kept
            }
            let offset = segment.image() + (o.entry.offset - from);
            // before the chunk can be lent again: a reader that validates sees it
            words.change(&Entry { state: EntryState::Spilled, offset, ..o.entry });
            in_file.push((o.slot, o.place.len + o.place.metadata, o.place.metadata));
        }
        let none = in_file.is_empty();
        if !none {
            let (count, bytes) = body.spilled.add(segment, slots, resting.single, in_file.into_iter());
            spill.wrote(count, bytes);
        }
        drop(body);
        let bytes = chunk.len();
        drop((chunk, resting));
        if none {
            file.discard(&segment);
        }
        Outcome::Gone(bytes)
    }

    /// A sealed object that was spilled, taken back where there is room, else read from the file. `None`: it changed
    /// meanwhile; look again.
    ///
    /// # Errors
    /// `SpillCorrupt` when the file is damaged, truncated or missing; `Io`; `StoreFull`.
    pub(super) fn fetch(&self, slot: u64, index: u32) -> Result<Option<Fetched>> {
        let Some(found) = self.locate(slot, index)? else { return Ok(None) };
        let found = match found {
            Ok(fetched) => return Ok(Some(fetched)),
            Err(in_file) => in_file,
        };
        let Some(spill) = &self.core.spill else { return Ok(None) };
        if self.core.arena.taken() + found.segment.len <= spill.pressure.low() && self.restore(spill, &found) {
            return Ok(None);
        }
        match spill.read(&found.file, &found.segment, &found.wanted) {
            Ok(apart) => {
                spill.served();
                let place = Place { offset: 0, ..found.place };
                let memory = FetchedMemory::Apart(Arc::new(apart), found.file);
                Ok(Some(Fetched { kind: found.kind, place, word0: found.word0, memory }))
            }
            // it is no error that it cannot be read where it does not lie any more
            Err(e) if self.lies_in(slot, index, &found) => {
                let id = ObjectId::from_slot(self.batch, self.base, slot, index);
                spill.failed(&format!("object {id} cannot be read from {}", found.file.path().display()), &e);
                Err(unreadable(&id, &found.file, &e))
            }
            Err(_) => Ok(None),
        }
    }

    /// True if the object lies where it was found.
    fn lies_in(&self, slot: u64, index: u32, found: &InFile) -> bool {
        let body = self.body.lock();
        !body.closed
            && body.spilled.is(&found.file)
            && matches!(self.see(slot, Some(index)), Found::Here(seen) if seen.word0 == found.word0)
    }

    /// Where the object is: in memory, held; or in the file. `None`: it changed.
    fn locate(&self, slot: u64, index: u32) -> Result<Option<Result<Fetched, InFile>>> {
        let mut body = self.body.lock();
        if body.closed {
            return Ok(None);
        }
        let Found::Here(seen) = self.see(slot, Some(index)) else { return Ok(None) };
        if !seen.entry.state.is_sealed() {
            return Ok(None);
        }
        let kind = Kind::try_from(seen.entry.kind)?;
        let place = self.place_locked(&body, slot, &seen.entry).ok_or_else(|| self.broken(slot))?;
        if seen.entry.state != EntryState::Spilled {
            let memory = FetchedMemory::Arena(body.chunks.holding(place.offset).cloned());
            return Ok(Some(Ok(Fetched { kind, place, word0: seen.word0, memory })));
        }
        let lost = || Error::new(ErrorCode::Internal, format!("slot {slot} of batch {} is in no segment", self.batch));
        let file = body.spilled.file.clone().ok_or_else(lost)?;
        let part = body.spilled.part(place.offset).ok_or_else(lost)?;
        let ordinal = part.ordinal(slot).ok_or_else(lost)?;
        let wanted = Wanted { position: place.offset, bytes: place.extent(), slot, ordinal };
        Ok(Some(Err(InFile { file, segment: part.segment, wanted, word0: seen.word0, kind, place })))
    }

    /// An object left the file: it was deleted, freed, or moved.
    pub(super) fn leave_file(&self, body: &mut Body, slot: u64, position: u64, bytes: u64) -> Option<Left> {
        if let Some(spill) = &self.core.spill {
            spill.left(1, bytes);
        }
        body.spilled.leave(position, 1, bytes, std::iter::once(slot))
    }

    /// The region was dropped, and its file goes: one removal.
    pub(super) fn forget_spilled(&self, spilled: Spilled) {
        let (objects, bytes) = spilled.live();
        if let Some(spill) = &self.core.spill {
            spill.left(objects, bytes);
        }
        drop(spilled);
    }

    /// Where an object's bytes lie: in the arena, or, if it is spilled, in the file. `None` as for `place`.
    pub(super) fn place_locked(&self, body: &Body, slot: u64, entry: &Entry) -> Option<Place> {
        if entry.state != EntryState::Spilled {
            return self.place(entry);
        }
        Some(Place { metadata: body.spilled.metadata(slot), ..bare(entry) })
    }

    /// As `place_locked`, for those that hold no lock. `None`: it changed; look again.
    pub(super) fn sizes(&self, slot: u64, seen: &Seen<'_>) -> Option<Place> {
        let bare = bare(&seen.entry);
        if seen.entry.state != EntryState::Spilled {
            let place = self.place(&seen.entry).unwrap_or(bare);
            return self.still(seen).then_some(place);
        }
        let body: MutexGuard<'_, Body> = self.body.lock();
        self.still(seen).then(|| self.place_locked(&body, slot, &seen.entry).unwrap_or(bare))
    }
}

/// The slots of these ranges: (the first, how many).
fn all_slots(ranges: &[(u64, u64)]) -> impl Iterator<Item = u64> {
    ranges.iter().flat_map(|&(first, count)| (0..count).map(move |n| first.wrapping_add(n)))
}

#[cfg(test)]
mod tests;
