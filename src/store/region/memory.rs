//! What a region's memory is used for.

use super::Region;
use crate::store::layout::EntryState;
use crate::store::types::Found;

/// Bytes of a region, unless said. `index + live + pinned + unused` is `held`, when nothing is going on.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct RegionMemory {
    /// Pages it holds.
    pub held: u64,
    /// Pages of its index.
    pub index: u64,
    /// Data and metadata in memory that nobody holds.
    pub live: u64,
    /// Data and metadata in memory that readers or writers hold.
    pub pinned: u64,
    /// In its chunks, but of no object: not filled yet, padding, left by objects that went.
    pub unused: u64,
    /// Data and metadata that lie in its file.
    pub spilled: u64,
    /// Objects, a count.
    pub objects: u64,
    /// Those that lie in its file, a count.
    pub spilled_objects: u64,
    /// Holds of readers and writers, a count.
    pub pins: u64,
}

impl Region {
    /// What its memory is used for; exact when nothing is going on.
    #[must_use]
    pub fn memory(&self) -> RegionMemory {
        let body = self.body.lock();
        if body.closed {
            return RegionMemory::default();
        }
        let (objects, bytes) = self.live();
        let (spilled_objects, spilled) = body.spilled.live();
        let (mut pinned, mut pins) = (0, 0);
        for (&slot, holds) in &body.holds {
            pins += u64::from(holds.count);
            let Found::Here(seen) = self.see(slot, None) else { continue };
            if seen.entry.state != EntryState::Spilled {
                pinned += self.place(&seen.entry).map_or(0, |place| place.len + place.metadata);
            }
        }
        let held = self.held.bytes();
        let chunks = body.chunks.bytes();
        let live = bytes.saturating_sub(spilled).saturating_sub(pinned);
        RegionMemory {
            held,
            index: held.saturating_sub(chunks),
            live,
            pinned,
            unused: chunks.saturating_sub(live + pinned),
            spilled,
            objects,
            spilled_objects,
            pins,
        }
    }
}
