//! Records that are no objects, in pages of the arena: what the store's users keep of each of very many things, and drop
//! all at once.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::Store;
use super::core::Core;
use super::layout::PAGE;
use super::run::Run;
use crate::error::Result;

/// Most pages of a run.
const MAX_RUN: u64 = (1 << 20) / PAGE;

/// Records of 128 bytes, 32 to a page, numbered by page and place. Their memory is the arena's, and counts as used; it
/// goes back in one step when the slab is dropped. Whoever shares a slab orders the accesses to its words.
///
/// Once the store is closed the records read as zero, and what is written is lost.
pub struct Slab {
    core: Arc<Core>,
    runs: Vec<Run>,
    /// page of the slab → page of the arena
    pages: Vec<u32>,
    /// pages of the last run that are in use
    used: u64,
}

/// The words of a record.
pub type Record = [AtomicU64; 16];

impl Slab {
    /// Records in a page.
    pub const RECORDS: u32 = (PAGE / size_of::<Record>() as u64) as u32;

    /// One without pages.
    #[must_use]
    pub fn new(store: &Store) -> Slab {
        Slab { core: Arc::clone(&store.core), runs: Vec::new(), pages: Vec::new(), used: 0 }
    }

    /// Adds a page of records, all zero, and returns its number: they count from 0. May be called with locks held: what is
    /// evicted for it is told with the next call that flushes.
    ///
    /// # Errors
    /// `StoreFull` after evicting what may be: nothing changed.
    pub fn add_page(&mut self) -> Result<u32> {
        let last = self.runs.last().map_or(0, Run::pages);
        if self.used == last {
            self.runs.push(self.core.lend(&self.core.slabs, (2 * last).clamp(1, MAX_RUN), 1)?);
            self.used = 0;
        }
        let page = self.runs.last().map_or(0, Run::page) + self.used;
        self.core.arena.span_mut(page * PAGE, PAGE).zero(0, PAGE as usize);
        self.used += 1;
        self.pages.push(page as u32);
        Ok((self.pages.len() - 1) as u32)
    }

    /// The nth record of a page.
    ///
    /// # Panics
    /// When there is no such record: a defect of the caller's.
    #[must_use]
    pub fn record(&self, page: u32, n: u32) -> &Record {
        assert!(n < Self::RECORDS, "record {n} of {}", Self::RECORDS);
        let page = u64::from(self.pages[page as usize]);
        self.core.arena.words(page * PAGE + u64::from(n) * size_of::<Record>() as u64)
    }

    /// Bytes of the memory it holds.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.runs.iter().map(Run::len).sum()
    }
}

impl Drop for Slab {
    fn drop(&mut self) {
        Run::give_back_all(std::mem::take(&mut self.runs));
    }
}

const _: () = assert!(PAGE.is_multiple_of(size_of::<Record>() as u64) && size_of::<Record>() == 128);
