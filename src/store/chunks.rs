//! A region's data chunks, and which of them hold nothing any more.

use std::collections::BTreeMap;
use std::sync::Arc;

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
}

/// See the module. Under the region's lock.
#[derive(Default)]
pub(crate) struct Chunks {
    /// first byte → chunk
    by_offset: BTreeMap<u64, Owned>,
    pages: u64,
}

impl Chunks {
    /// Pages of all chunks.
    pub(crate) fn pages(&self) -> u64 {
        self.pages
    }

    /// Adds a chunk that a lessee will fill.
    pub(crate) fn add_leased(&mut self, chunk: &Chunk) {
        self.add(Owned { chunk: Arc::clone(chunk), gone: 0, made: None, single: false });
    }

    /// Adds the run of one large object.
    pub(crate) fn add_single(&mut self, chunk: &Chunk) {
        self.add(Owned { chunk: Arc::clone(chunk), gone: 0, made: Some(1), single: true });
    }

    fn add(&mut self, owned: Owned) {
        self.pages += owned.chunk.pages();
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
