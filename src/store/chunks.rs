//! A region's data chunks, and which of them hold nothing any more.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::layout::PAGE;
use super::run::Run;

/// A chunk: lent to the region, and kept by every pin in it.
pub(crate) type Chunk = Arc<Run>;

/// What is known of a chunk while the region lives.
struct Owned {
    chunk: Chunk,
    /// objects that left it
    gone: u64,
    /// objects that were made in it; unknown while a lessee still fills it
    made: Option<u64>,
    /// it holds one object only, and can be handed over with it
    single: bool,
    /// slots whose objects were put into it, and some others: (the first, how many), once it is retired all of them
    slots: Vec<(u64, u64)>,
}

/// A chunk that nobody fills or holds, and the slots whose objects may be in it.
pub(crate) struct Resting {
    pub(crate) chunk: Chunk,
    pub(crate) slots: Vec<(u64, u64)>,
    pub(crate) single: bool,
}

impl Owned {
    /// Nobody fills it, and nobody else holds it. Who has no hold on a chunk gets one under the region's lock only.
    fn rests(&self, holders: usize) -> bool {
        self.made.is_some() && Arc::strong_count(&self.chunk) == holders
    }
}

/// See the module. Under the region's lock.
#[derive(Default)]
pub(crate) struct Chunks {
    /// first byte → chunk
    by_offset: BTreeMap<u64, Owned>,
    pages: u64,
    most_pages: u64,
}

impl Chunks {
    /// The most pages there were at once: how far the region has grown, though some of it may have been spilled.
    pub(crate) fn most_pages(&self) -> u64 {
        self.most_pages
    }

    /// Bytes of all chunks.
    pub(crate) fn bytes(&self) -> u64 {
        self.pages * PAGE
    }

    /// Adds a chunk that a lessee will fill.
    pub(crate) fn add_leased(&mut self, chunk: &Chunk) {
        self.add(Owned { chunk: Arc::clone(chunk), gone: 0, made: None, single: false, slots: Vec::new() });
    }

    /// Adds the run of one large object.
    pub(crate) fn add_single(&mut self, chunk: &Chunk, slot: u64) {
        self.add(Owned { chunk: Arc::clone(chunk), gone: 0, made: Some(1), single: true, slots: vec![(slot, 1)] });
    }

    /// Adds a chunk of objects that came back from a file.
    pub(crate) fn add_restored(&mut self, resting: Resting, made: u64) {
        let Resting { chunk, slots, single } = resting;
        self.add(Owned { chunk, gone: 0, made: Some(made), single, slots });
    }

    /// Notes that objects of these slots were put into the chunk that begins there.
    pub(crate) fn note_slots(&mut self, offset: u64, first: u64, count: u64) {
        if let Some(owned) = self.by_offset.get_mut(&offset).filter(|_| count > 0) {
            owned.slots.push((first, count));
        }
    }

    /// Notes that an object of a slot that is no lease's was put into the chunk that holds this byte.
    pub(crate) fn note_slot(&mut self, offset: u64, slot: u64) {
        let Some((_, owned)) = self.by_offset.range_mut(..=offset).next_back() else { return };
        if offset >= owned.chunk.offset() + owned.chunk.len() {
            return; // one without bytes
        }
        match owned.slots.last_mut() {
            Some((first, count)) if first.wrapping_add(*count) == slot => *count += 1,
            _ => owned.slots.push((slot, 1)),
        }
    }

    /// First bytes of all chunks.
    pub(crate) fn offsets(&self) -> Vec<u64> {
        self.by_offset.keys().copied().collect()
    }

    /// Bytes of chunks that nobody fills or holds.
    pub(crate) fn resting_bytes(&self) -> u64 {
        self.by_offset.values().filter(|owned| owned.rests(1)).map(|owned| owned.chunk.len()).sum()
    }

    /// The chunk that begins there, if nobody fills or holds it.
    pub(crate) fn resting(&self, offset: u64) -> Option<Resting> {
        let owned = self.by_offset.get(&offset).filter(|owned| owned.rests(1))?;
        Some(Resting { chunk: Arc::clone(&owned.chunk), slots: owned.slots.clone(), single: owned.single })
    }

    /// Takes a chunk out that `resting` told of, if nobody but its caller holds it even now.
    pub(crate) fn take_resting(&mut self, offset: u64) -> Option<Chunk> {
        self.by_offset.get(&offset).filter(|owned| owned.rests(2))?;
        self.take(offset)
    }

    fn add(&mut self, owned: Owned) {
        self.pages += owned.chunk.pages();
        self.most_pages = self.most_pages.max(self.pages);
        self.by_offset.insert(owned.chunk.offset(), owned);
    }

    /// The chunk that holds this byte.
    pub(crate) fn holding(&self, offset: u64) -> Option<&Chunk> {
        let (_, owned) = self.by_offset.range(..=offset).next_back()?;
        (offset < owned.chunk.offset() + owned.chunk.len()).then_some(&owned.chunk)
    }

    /// The lessee is done with it. Returns the chunk if nothing is left in it, to be dropped when no lock is held.
    pub(crate) fn retire(&mut self, offset: u64, made: u64) -> Option<Chunk> {
        let owned = self.by_offset.get_mut(&offset)?;
        owned.made = Some(made);
        self.take_if_empty(offset)
    }

    /// One object left the chunk that holds this byte. Returns the chunk if it was the last one.
    pub(crate) fn leave(&mut self, offset: u64) -> Option<Chunk> {
        let (&start, owned) = self.by_offset.range_mut(..=offset).next_back()?;
        if offset >= start + owned.chunk.len() {
            return None; // handed over before
        }
        owned.gone += 1;
        self.take_if_empty(start)
    }

    /// True for the chunk of a large object that has it to itself.
    pub(crate) fn is_single(&self, offset: u64) -> bool {
        self.by_offset.get(&offset).is_some_and(|owned| owned.single)
    }

    /// Takes the chunk of a large object out, for another owner.
    pub(crate) fn take_single(&mut self, offset: u64) -> Option<Chunk> {
        if !self.by_offset.get(&offset)?.single {
            return None;
        }
        self.take(offset)
    }

    /// Takes all out.
    pub(crate) fn into_all(self) -> impl Iterator<Item = Chunk> {
        self.by_offset.into_values().map(|owned| owned.chunk)
    }

    fn take_if_empty(&mut self, offset: u64) -> Option<Chunk> {
        let owned = self.by_offset.get(&offset)?;
        if owned.made == Some(owned.gone) { self.take(offset) } else { None }
    }

    fn take(&mut self, offset: u64) -> Option<Chunk> {
        let owned = self.by_offset.remove(&offset)?;
        self.pages -= owned.chunk.pages();
        Some(owned.chunk)
    }
}
