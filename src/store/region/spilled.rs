//! What a region has in its spill file. Under the region's lock.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::store::spill::{Segment, SpillFile};

/// See the module.
#[derive(Default)]
pub(super) struct Spilled {
    /// There is one while something lies in it, or is being written.
    pub(super) file: Option<Arc<SpillFile>>,
    /// Segments in which something lies, in the order of the file.
    parts: Vec<Part>,
    /// Objects in them, and their bytes.
    objects: u64,
    bytes: u64,
    /// slot → bytes of metadata, for those that have some
    metadata: HashMap<u64, u64>,
    /// Somebody is writing.
    pub(super) writing: bool,
}

/// A segment, and who lies in it.
pub(super) struct Part {
    pub(super) segment: Segment,
    /// Slots it has checksums of: (the first, how many), in the order of the checksums.
    pub(super) slots: Arc<[(u64, u64)]>,
    /// It was the run of one large object.
    pub(super) single: bool,
    objects: u64,
    /// Somebody is taking it back.
    pub(super) restoring: bool,
}

impl Part {
    /// The place of a slot's checksum.
    pub(super) fn ordinal(&self, slot: u64) -> Option<u64> {
        let mut before = 0;
        for &(first, count) in &*self.slots {
            if slot.wrapping_sub(first) < count {
                return Some(before + slot.wrapping_sub(first));
            }
            before += count;
        }
        None
    }
}

/// A part of a file, or all of it, that nothing lies in any more: its room is given back when this is dropped.
pub(super) struct Left {
    file: Arc<SpillFile>,
    /// `None`: the file goes as a whole
    segment: Option<Segment>,
}

impl Drop for Left {
    fn drop(&mut self) {
        if let Some(segment) = &self.segment {
            self.file.discard(segment);
        }
    }
}

impl Spilled {
    /// Objects, and their bytes.
    pub(super) fn live(&self) -> (u64, u64) {
        (self.objects, self.bytes)
    }

    /// Adds a segment just written, with what of it counts: (slot, bytes, bytes of metadata) of each object.
    pub(super) fn add(
        &mut self,
        segment: Segment,
        slots: Arc<[(u64, u64)]>,
        single: bool,
        objects: impl Iterator<Item = (u64, u64, u64)>,
    ) -> (u64, u64) {
        let (mut count, mut sum) = (0, 0);
        for (slot, bytes, metadata) in objects {
            count += 1;
            sum += bytes;
            if metadata > 0 {
                self.metadata.insert(slot, metadata);
            }
        }
        self.objects += count;
        self.bytes += sum;
        self.parts.push(Part { segment, slots, single, objects: count, restoring: false });
        (count, sum)
    }

    /// True while that is the file: the next one may have segments in the same places.
    pub(super) fn is(&self, file: &Arc<SpillFile>) -> bool {
        self.file.as_ref().is_some_and(|mine| Arc::ptr_eq(mine, file))
    }

    fn place(&self, position: u64) -> Option<usize> {
        let n = self.parts.partition_point(|part| part.segment.image() <= position).checked_sub(1)?;
        self.parts[n].segment.holds(position).then_some(n)
    }

    /// The segment that holds a position of the file.
    pub(super) fn part(&mut self, position: u64) -> Option<&mut Part> {
        let n = self.place(position)?;
        self.parts.get_mut(n)
    }

    /// Bytes of a slot's metadata.
    pub(super) fn metadata(&self, slot: u64) -> u64 {
        self.metadata.get(&slot).copied().unwrap_or(0)
    }

    /// Objects left the segment that holds a position. Tells what nothing lies in any more.
    pub(super) fn leave(
        &mut self,
        position: u64,
        objects: u64,
        bytes: u64,
        slots: impl Iterator<Item = u64>,
    ) -> Option<Left> {
        if !self.metadata.is_empty() {
            for slot in slots {
                self.metadata.remove(&slot);
            }
        }
        self.objects -= objects;
        self.bytes -= bytes;
        let n = self.place(position)?;
        self.parts[n].objects -= objects;
        if self.parts[n].objects > 0 {
            return None;
        }
        let part = self.parts.remove(n);
        let segment = Some(part.segment);
        self.unused().or_else(|| self.file.clone().map(|file| Left { file, segment }))
    }

    /// The file, if nothing lies in it and nobody writes.
    pub(super) fn unused(&mut self) -> Option<Left> {
        if !self.parts.is_empty() || self.writing {
            return None;
        }
        self.file.take().map(|file| Left { file, segment: None })
    }
}
