//! How a segment of a region's file comes back into the arena.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use super::{InFile, Written, all_slots};
use crate::store::chunks::Resting;
use crate::store::index::find;
use crate::store::journal::{Note, Occasion};
use crate::store::layout::{Entry, EntryState, PAGE};
use crate::store::pin::Place;
use crate::store::region::{Region, bare};
use crate::store::run::Run;
use crate::store::spill::{Segment, Spill, Sums};

/// One thread takes a segment back at a time: until this is dropped, also by a panic.
struct Restoring<'a>(&'a Region, &'a InFile);

impl Drop for Restoring<'_> {
    fn drop(&mut self) {
        let Restoring(region, found) = self;
        let mut body = region.body.lock();
        if body.spilled.is(&found.file)
            && let Some(part) = body.spilled.part(found.wanted.position).filter(|part| part.segment == found.segment)
        {
            part.restoring = false;
        }
    }
}

impl Region {
    /// Takes a segment back into the arena, all that is whole of it. False when that cannot be, or another thread is at
    /// it: nobody waits for anybody.
    pub(super) fn restore(&self, spill: &Spill, found: &InFile) -> bool {
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
        let _restoring = Restoring(self, found);
        let restored = self.read_back(found, &slots);
        let restored = restored
            .map(|read| read.is_some_and(|(run, whole)| self.take_back(spill, found, run, whole, &slots, single)));
        restored.unwrap_or_else(|e| {
            // the caller reads the one object, and gets the error of that
            spill.failed(&format!("{} cannot be taken back", found.file.path().display()), &e);
            false
        })
    }

    /// The segment's image in a run of its own, and those of its objects that are whole. `None`: no memory.
    fn read_back(&self, found: &InFile, slots: &[(u64, u64)]) -> io::Result<Option<(Run, Vec<Written>)>> {
        let arena = &self.core.arena;
        let segment = &found.segment;
        let Ok(run) = Run::lend(arena, &self.held, segment.len.div_ceil(PAGE)) else { return Ok(None) };
        let mut objects = self.objects_in(segment, slots);
        let mut parts: Vec<_> = objects.iter().map(|o| o.part(0)).collect();
        parts.sort_unstable_by_key(|part| part.at);
        let mut sums = Sums::new(self.base, &parts, slots.iter().map(|(_, count)| *count as usize).sum());
        let span = arena.span_mut(run.offset(), segment.len);
        let written = found.file.read_segment(segment, |at, block| {
            sums.pass(at as u64, block);
            span.write(at, block);
        })?;
        let sums = sums.finish();
        objects.retain(|o| sums.get(o.ordinal).is_some_and(|sum| *sum != 0 && written.get(o.ordinal) == Some(sum)));
        Ok(Some((run, objects)))
    }

    /// The objects that lie in a segment, with their places in its image, in the order of their slots.
    fn objects_in(&self, segment: &Segment, slots: &[(u64, u64)]) -> Vec<Written> {
        let mut objects = Vec::new();
        for (ordinal, slot) in all_slots(slots).enumerate() {
            let Some((word0, Some(entry))) = find(&self.core.arena, self.header, slot).map(|words| words.load()) else {
                continue;
            };
            if entry.state == EntryState::Spilled && segment.holds(entry.offset) {
                let place = Place { offset: entry.offset - segment.image(), ..bare(&entry) };
                objects.push(Written { slot, ordinal, word0, entry, place });
            }
        }
        if objects.iter().any(|o| o.entry.has_metadata) {
            let body = self.body.lock();
            objects.iter_mut().for_each(|o| o.place.metadata = body.spilled.metadata(o.slot));
        }
        objects.retain(|o| o.place.offset + o.place.extent() <= segment.len);
        objects
    }

    /// Has those objects of a segment lie in the arena again that are whole. The others stay in the file.
    fn take_back(
        &self,
        spill: &Spill,
        found: &InFile,
        run: Run,
        whole: Vec<Written>,
        slots: &[(u64, u64)],
        single: bool,
    ) -> bool {
        let arena = &self.core.arena;
        fence(Ordering::Release);
        let mut body = self.body.lock();
        if body.closed || !body.spilled.is(&found.file) {
            return false;
        }
        let (mut count, mut sum) = (0, 0);
        let mut back = Vec::new();
        for o in whole {
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
}
