//! How a region goes to its file, chunk by chunk, and comes back.
//!
//! A chunk that *rests*, because nobody fills or holds it, is written as it lies. Meanwhile its objects are read as ever.
//! Then, under the region's lock, those that are still the same are said to be in the file, and the chunk goes back. That
//! is the step of `free`, and readers without a lock validate against it in the same way: an entry changes before the
//! chunk is given back. If somebody holds the chunk by then, it stays, and what was written is given up.
//!
//! What is taken back gets a state of its own, in which it is read under a hold only. So an entry that a reader without
//! a lock has seen never comes back once it has changed, which is what the validation rests on.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use parking_lot::MutexGuard;

use super::spilled::{Left, Spilled};
use super::{Body, Region, Seen};
use crate::error::{Error, ErrorCode, Result};
use crate::id::ObjectId;
use crate::store::apart::Apart;
use crate::store::arena::Arena;
use crate::store::chunks::{Chunk, Resting};
use crate::store::copy::Span;
use crate::store::index::find;
use crate::store::journal::{Note, Occasion};
use crate::store::layout::{Entry, EntryState, PAGE, footprint};
use crate::store::pin::Place;
use crate::store::run::Run;
use crate::store::spill::{Segment, Spill, SpillFile, Wanted, checksum, unreadable};
use crate::store::types::{Found, Kind};

/// An object that was spilled, with something that keeps its bytes.
pub(super) struct Fetched {
    pub(super) kind: Kind,
    place: Place,
    pub(super) memory: FetchedMemory,
}

pub(super) enum FetchedMemory {
    /// In the arena. It is read before this is dropped.
    Arena(#[expect(dead_code, reason = "held for its drop")] Option<Chunk>),
    /// Outside of it.
    Apart(Arc<Apart>),
}

impl Fetched {
    pub(super) fn data<'a>(&'a self, arena: &'a Arena) -> Span<'a> {
        match &self.memory {
            FetchedMemory::Arena(_) => self.place.data(arena),
            FetchedMemory::Apart(apart) => apart.data(&self.place),
        }
    }
}

/// An object of a chunk that is being written.
struct Written {
    slot: u64,
    word0: u64,
    entry: Entry,
    place: Place,
}

/// A chunk that is being written, with its objects in the order of its slots.
struct Image {
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
        let (left, file) = {
            let mut body = self.body.lock();
            body.spilled.writing = false;
            (body.spilled.unused(), body.spilled.file.clone())
        };
        if let Some(file) = file {
            file.rest();
        }
        drop(left);
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
        let span = self.core.arena.span(from, to - from);
        // SAFETY: all objects in the chunk are sealed, or gone; nobody fills it; it is held by `resting`. So nobody writes there.
        let bytes = unsafe { span.as_slice() };
        let slots: Arc<[(u64, u64)]> = resting.slots.as_slice().into();
        let count = slots.iter().map(|(_, count)| *count as usize).sum();
        let sums = || {
            let mut sums = vec![0; count];
            let mut objects_left = objects.iter().peekable();
            let all = slots.iter().flat_map(|&(first, count)| (0..count).map(move |n| first.wrapping_add(n)));
            for (slot, sum) in all.zip(&mut sums) {
                if let Some(o) = objects_left.next_if(|o| o.slot == slot) {
                    let at = (o.place.offset - from) as usize;
                    *sum = checksum(self.base, slot, &bytes[at..at + o.place.extent() as usize]);
                }
            }
            sums
        };
        let segment = file.append(bytes, slots.first().map_or(0, |s| s.0), count, &sums)?;
        Ok(self.commit(spill, Image { resting, objects, from }, &file, segment, slots))
    }

    /// The objects of a chunk, in the order of its slots. `None` if one is not sealed, or there is none.
    fn objects_of(&self, resting: &Resting) -> Option<Vec<Written>> {
        let arena = &self.core.arena;
        let chunk = resting.chunk.offset()..resting.chunk.offset() + resting.chunk.len();
        let mut objects = Vec::new();
        for slot in resting.slots.iter().flat_map(|&(first, count)| (0..count).map(move |n| first.wrapping_add(n))) {
            let Some((word0, Some(entry))) = find(arena, self.header, slot).map(|words| words.load()) else { continue };
            if !chunk.contains(&entry.offset) {
                continue; // a large one, with a run of its own, or one without bytes
            }
            match entry.state {
                EntryState::Created => return None,
                EntryState::Sealed | EntryState::Restored => {
                    let place = self.place(&entry);
                    if footprint(place.len, place.metadata) > 0 && place.offset + place.extent() <= chunk.end {
                        objects.push(Written { slot, word0, entry, place });
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
        image: Image,
        file: &Arc<SpillFile>,
        segment: Segment,
        slots: Arc<[(u64, u64)]>,
    ) -> Outcome {
        let Image { resting, objects, from } = image;
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
                Ok(Some(Fetched { kind: found.kind, place, memory: FetchedMemory::Apart(Arc::new(apart)) }))
            }
            Err(e) => match self.see(slot, Some(index)) {
                // it is no error that it cannot be read where it does not lie any more
                Found::Here(seen) if seen.word0 == found.word0 => {
                    Err(self.unreadable(spill, &seen, slot, &found.file, &e))
                }
                _ => Ok(None),
            },
        }
    }

    fn unreadable(&self, spill: &Spill, seen: &Seen<'_>, slot: u64, file: &SpillFile, e: &io::Error) -> Error {
        let id = ObjectId::from_slot(self.batch, self.base, slot, seen.entry.index);
        spill.failed(&format!("object {id} cannot be read from {}", file.path().display()), e);
        unreadable(&id, file, e)
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
        let place = self.place_locked(&body, slot, &seen.entry);
        if seen.entry.state != EntryState::Spilled {
            let memory = FetchedMemory::Arena(body.chunks.holding(place.offset).cloned());
            return Ok(Some(Ok(Fetched { kind, place, memory })));
        }
        let lost = || Error::new(ErrorCode::Internal, format!("slot {slot} of batch {} is in no segment", self.batch));
        let file = body.spilled.file.clone().ok_or_else(lost)?;
        let part = body.spilled.part(place.offset).ok_or_else(lost)?;
        let ordinal = part.ordinal(slot).ok_or_else(lost)?;
        let wanted = Wanted { position: place.offset, bytes: place.extent(), slot, ordinal };
        Ok(Some(Err(InFile { file, segment: part.segment, wanted, word0: seen.word0, kind, place })))
    }

    /// Takes a segment back into the arena, all that is whole of it. False when that cannot be, or another thread is at
    /// it: nobody waits for anybody.
    fn restore(&self, spill: &Spill, found: &InFile) -> bool {
        let (slots, single) = {
            let mut body = self.body.lock();
            if !body.spilled.is(&found.file) {
                return false;
            }
            match body.spilled.part(found.wanted.position) {
                Some(part) if part.segment == found.segment && !part.restoring => {
                    part.restoring = true;
                    (Arc::clone(&part.slots), part.single)
                }
                _ => return false,
            }
        };
        let restored = self
            .read_back(found)
            .map(|read| read.is_some_and(|(run, sums)| self.take_back(spill, found, run, &sums, &slots, single)));
        let mut body = self.body.lock();
        if body.spilled.is(&found.file)
            && let Some(part) = body.spilled.part(found.wanted.position).filter(|part| part.segment == found.segment)
        {
            part.restoring = false;
        }
        drop(body);
        restored.unwrap_or_else(|e| {
            // whoever asked reads the one object, and is told what is wrong with that
            spill.failed(&format!("{} cannot be taken back", found.file.path().display()), &e);
            false
        })
    }

    /// The segment's image in a run of its own. `None`: no memory.
    fn read_back(&self, found: &InFile) -> io::Result<Option<(Run, Vec<u64>)>> {
        let arena = &self.core.arena;
        let Ok(run) = Run::lend(arena, &self.held, found.segment.len.div_ceil(PAGE)) else { return Ok(None) };
        let span = arena.span_mut(run.offset(), found.segment.len);
        let sums = found.file.read_segment(&found.segment, |at, bytes| span.write(at, bytes))?;
        Ok(Some((run, sums)))
    }

    /// Has the objects of a segment lie in the arena again. One whose checksum does not match stays in the file.
    fn take_back(
        &self,
        spill: &Spill,
        found: &InFile,
        run: Run,
        sums: &[u64],
        slots: &[(u64, u64)],
        single: bool,
    ) -> bool {
        let arena = &self.core.arena;
        let segment = &found.segment;
        let image = arena.span(run.offset(), segment.len);
        // SAFETY: the run is ours alone, and was written just before; nobody writes there until it is given back.
        let bytes = unsafe { image.as_slice() };
        let mut good = Vec::new();
        let all = slots.iter().flat_map(|&(first, count)| (0..count).map(move |n| first.wrapping_add(n)));
        for (slot, sum) in all.zip(sums) {
            let Some((word0, Some(entry))) = find(arena, self.header, slot).map(|words| words.load()) else { continue };
            if entry.state != EntryState::Spilled || !segment.holds(entry.offset) {
                continue;
            }
            let at = entry.offset - segment.image();
            let metadata = match bytes.get(at as usize..).and_then(|rest| rest.first_chunk::<8>()) {
                Some(length) if entry.has_metadata => u64::from_le_bytes(*length),
                _ => 0,
            };
            // a damaged length of metadata is outside, or makes the checksum another one
            let place = Place { offset: at, len: entry.len.into(), metadata: metadata.min(segment.len) };
            let object = bytes.get(at as usize..(at + place.extent()) as usize);
            if object.is_some_and(|object| found.file.matches(slot, object, *sum)) {
                good.push(Written { slot, word0, entry, place });
            }
        }
        fence(Ordering::Release);
        let mut body = self.body.lock();
        if body.closed || !body.spilled.is(&found.file) {
            return false;
        }
        let (mut count, mut sum) = (0, 0);
        let mut back = Vec::new();
        for o in good {
            let Some(words) = find(arena, self.header, o.slot) else { continue };
            if words.word0.load(Ordering::Relaxed) != o.word0 {
                continue;
            }
            words.change(&Entry { state: EntryState::Restored, offset: run.offset() + o.place.offset, ..o.entry });
            count += 1;
            sum += o.place.len + o.place.metadata;
            back.push(o.slot);
        }
        if count == 0 {
            return false;
        }
        let single = single && count == 1;
        body.chunks.add_restored(Resting { chunk: Arc::new(run), slots: slots.to_vec(), single }, count);
        let left = body.spilled.leave(found.wanted.position, count, sum, back.into_iter());
        drop(body);
        spill.left(count, sum);
        spill.took_back(count, sum);
        let note = || Note { objects: count, bytes: sum, ..Note::new(Occasion::Restored, self.batch) };
        self.core.notifier.journal().note(note);
        drop(left);
        true
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

    /// Where an object's bytes lie: in the arena, or, if it is spilled, in the file.
    pub(super) fn place_locked(&self, body: &Body, slot: u64, entry: &Entry) -> Place {
        if entry.state != EntryState::Spilled {
            return self.place(entry);
        }
        Place { offset: entry.offset, len: entry.len.into(), metadata: body.spilled.metadata(slot) }
    }

    /// As `place_locked`, for those that hold no lock. `None`: it changed; look again.
    pub(super) fn sizes(&self, slot: u64, seen: &Seen<'_>) -> Option<Place> {
        if seen.entry.state != EntryState::Spilled {
            let place = self.place(&seen.entry);
            return self.still(seen).then_some(place);
        }
        let body: MutexGuard<'_, Body> = self.body.lock();
        self.still(seen).then(|| self.place_locked(&body, slot, &seen.entry))
    }
}
