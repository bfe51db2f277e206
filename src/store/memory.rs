//! What all of the arena is used for, to the byte.

use super::Store;
use super::layout::PAGE;

/// Bytes of the arena. `bookkeeping + regions + table + draining + free` is `capacity`, when nothing is going on.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct StoreMemory {
    /// All of it.
    pub capacity: u64,
    /// Superblock, headers, leases, and records that are no objects.
    pub bookkeeping: u64,
    /// Pages of regions that live.
    pub regions: u64,
    /// Pages of the side table.
    pub table: u64,
    /// Pages of dropped regions that somebody holds still.
    pub draining: u64,
    /// Pages lent to nobody.
    pub free: u64,
    /// Of the free ones, those with memory under them.
    pub warm: u64,
    /// The largest run that could be lent.
    pub largest_free: u64,
}

/// Bytes of the side table, unless said. `normal + kept + pinned + unused` is `held`, when nothing is going on.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct TableMemory {
    /// Pages it holds.
    pub held: u64,
    /// Data and metadata of objects of normal mode that nobody holds.
    pub normal: u64,
    /// Data and metadata of objects that batches keep, and nobody holds.
    pub kept: u64,
    /// Data and metadata that readers or writers hold.
    pub pinned: u64,
    /// Of no object: free cells, and padding.
    pub unused: u64,
    /// Data and metadata that lie in files.
    pub spilled: u64,
    /// Objects, a count.
    pub objects: u64,
    /// Those that lie in files, a count.
    pub spilled_objects: u64,
}

impl Store {
    /// Bytes of records that are no objects: a part of `bookkeeping`.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.core.slabs.bytes()
    }

    /// What the arena is used for; exact when nothing is going on.
    #[must_use]
    pub fn memory(&self) -> StoreMemory {
        self.sweep();
        let core = &self.core;
        let (used, backed) = (core.arena.used(), core.arena.backed());
        StoreMemory {
            capacity: core.arena.len(),
            bookkeeping: PAGE + core.headers.bytes() + core.stripes.bytes() + core.slabs.bytes(),
            regions: self.regions().iter().map(|region| region.held.bytes()).sum(),
            table: core.table.usage().held,
            draining: self.draining_bytes(),
            free: core.arena.len() - used,
            warm: backed.saturating_sub(used),
            largest_free: core.arena.largest_free(),
        }
    }
}
