//! The object store: an arena of pages, a region for each batch, a side table for the rest.
//!
//! From the ground up: [`extents`] knows which pages are free, [`arena`] maps them and lends them, [`run`] gives them
//! back; [`index`], [`chunks`] and [`lease`] make a [`region`] of them; [`heap`] and [`table`] hold what is in no region.
//! [`pin`] and [`unsealed`] are the reader's and the writer's hold. [`notify`] tells those who wait. A [`slab`] has records
//! that are no objects.
//!
//! The store knows nothing of the life of a batch: it makes regions and drops them.

mod apart;
mod arena;
mod budget;
mod chunks;
mod claims;
mod clock;
mod copy;
mod core;
mod extents;
mod faults;
mod gate;
mod heap;
mod holders;
mod index;
mod journal;
mod layout;
mod lease;
mod leftovers;
#[cfg(all(test, loom))]
mod loom_models;
mod mapping;
mod memory;
mod notify;
mod pin;
mod pressure;
mod region;
mod run;
mod seqlock;
mod share;
mod slab;
mod spill;
mod subscription;
mod sync;
mod system;
mod table;
mod types;
mod unsealed;

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hashbrown::HashMap;
use parking_lot::Mutex;

pub use self::budget::Budget;
pub use self::claims::Claims;
pub use self::clock::now_ms;
pub use self::copy::{Span, SpanMut};
pub use self::core::TaskLog;
pub use self::faults::{FaultPoint, Faults, NoFaults, NthFault};
pub use self::holders::Holders;
pub use self::journal::{Journal, Note, Occasion};
pub use self::lease::number_thread;
pub use self::mapping::Mapping;
pub use self::memory::{StoreMemory, TableMemory};
pub use self::notify::{Event, EventKind, Notifier};
pub use self::pin::{Hold, Pin};
pub use self::pressure::Pressure;
pub use self::region::{Region, RegionMemory};
pub use self::share::{Share, Shares, Standing, Wants};
pub use self::slab::{Record, Slab};
pub use self::spill::{Disk, DiskFile, LocalDisk, SpillConfig, SpillStats};
pub use self::subscription::{SUBSCRIPTION_QUEUE, Subscription};
pub use self::table::{Owner, Table, TableUsage};
pub use self::types::{Dropped, Found, Kind, ObjectInfo, ObjectState, Removal, Sink, Slot, Source, Usage};
pub use self::unsealed::{RawSpan, Unsealed};

use self::arena::Arena;
use self::core::{Core, Records};
use self::layout::{HEADER, LEASE, PAGE};
pub(crate) use self::pressure::HIGH_WATER;
use self::run::Held;
use self::spill::Spill;
pub(crate) use self::system::{cgroups, default_margin, meminfo, read_file};
use crate::error::{Error, ErrorCode, Result};
use crate::id::BatchId;

/// What goes first when memory is short.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Eviction {
    /// Only objects of normal mode are evicted; those of a batch go with the batch.
    #[default]
    Batch,
    /// As the old store did: batches are ignored, whatever was used longest ago goes.
    Lru,
}

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// Its name, for errors and for the system's list of open files.
    pub name: String,
    /// Bytes of the arena.
    pub capacity: u64,
    /// The arena's file; memory without a name if `None`.
    pub path: Option<PathBuf>,
    /// Free bytes that stay with the store, ready for use.
    pub warm_reserve: u64,
    /// Has as much memory allocated at once, when the store is opened.
    pub pre_touch: bool,
    /// What goes first when memory is short.
    pub eviction: Eviction,
}

/// Figures of a store, in bytes unless said.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct StoreStats {
    /// The arena.
    pub capacity: u64,
    /// Pages lent.
    pub used: u64,
    /// Data and metadata of all objects.
    pub live: u64,
    /// Pages lent beyond what lives: index, padding, records of tasks, what leases have not used.
    pub leased: u64,
    /// Free, with memory under it.
    pub warm: u64,
    /// The largest run that could be lent.
    pub largest_free: u64,
    /// Objects there are.
    pub objects: u64,
    /// Objects evicted so far.
    pub evicted_objects: u64,
    /// Their data and metadata.
    pub evicted_bytes: u64,
    /// What the system has allocated.
    pub backed: u64,
    /// Pages of dropped regions that somebody holds still.
    pub draining: u64,
}

/// An object store. All calls are safe from any thread.
pub struct Store {
    config: StoreConfig,
    core: Arc<Core>,
    /// dropped regions that somebody held memory of when last looked at
    draining: Mutex<Vec<Arc<Region>>>,
    /// nobody was in a lease of a dropped region when last looked at
    swept: AtomicBool,
}

impl Store {
    /// Opens a store.
    ///
    /// # Errors
    /// `StoreOpen`, naming what the system refused.
    pub fn open(config: &StoreConfig, log: Arc<dyn TaskLog>) -> Result<Arc<Store>> {
        Store::open_with(config, log, Arc::new(NoFaults))
    }

    /// Opens a store whose system can be made to fail.
    ///
    /// # Errors
    /// As for `open`.
    pub fn open_with(config: &StoreConfig, log: Arc<dyn TaskLog>, faults: Arc<dyn Faults>) -> Result<Arc<Store>> {
        Store::open_on(config, None, log, faults)
    }

    /// Opens a store that spills to a disk, if it is given one.
    ///
    /// # Errors
    /// As for `open`; also when no folder can be made there.
    pub fn open_on(
        config: &StoreConfig,
        spill: Option<(&SpillConfig, Arc<dyn Disk>)>,
        log: Arc<dyn TaskLog>,
        faults: Arc<dyn Faults>,
    ) -> Result<Arc<Store>> {
        let ram = meminfo(&read_file("/proc/meminfo").unwrap_or_default(), "MemTotal").unwrap_or(0);
        Store::open_beside(config, default_margin(ram), spill, log, faults)
    }

    /// As `open_on`, for a store that leaves so many bytes of the system's memory to other programs: it takes none where fewer
    /// would be available. With 0 it takes what the system gives, which may then kill a program.
    ///
    /// # Errors
    /// As for `open_on`.
    pub fn open_beside(
        config: &StoreConfig,
        margin: u64,
        spill: Option<(&SpillConfig, Arc<dyn Disk>)>,
        log: Arc<dyn TaskLog>,
        faults: Arc<dyn Faults>,
    ) -> Result<Arc<Store>> {
        const LEAST: u64 = 8 * PAGE;
        if config.capacity < LEAST {
            return Err(Error::new(
                ErrorCode::StoreOpen,
                format!("store '{}': {} bytes are too few; a store has at least {LEAST}", config.name, config.capacity),
            ));
        }
        let arena = Arena::open_beside(config.capacity, config.path.as_deref(), &config.name, margin, faults)?;
        let spill = match spill {
            Some((spill, disk)) => {
                let pressure = Arc::new(Pressure::new(arena.len(), spill.high_water));
                arena.tell(&pressure);
                Some(Arc::new(Spill::open(spill, pressure, disk)?))
            }
            None => None,
        };
        let notifier = Arc::new(Notifier::new(&arena));
        let (headers, stripes) = (Records::new(HEADER), Records::new(LEASE * lease::stripe_count()));
        let slabs = Arc::new(Held::default());
        let mark = match &spill {
            Some(spill) => spill.pressure.high(),
            None => pressure::mark(arena.len(), HIGH_WATER),
        };
        let bookkeeping = vec![Arc::clone(&headers.held), Arc::clone(&stripes.held), Arc::clone(&slabs)];
        let shares = Arc::new(Shares::new(&arena, bookkeeping, mark));
        let table = Table::new(&arena, &notifier, &shares, spill.clone());
        headers.reserve(&arena).and_then(|()| stripes.reserve(&arena)).map_err(|e| {
            Error::new(ErrorCode::StoreOpen, format!("store '{}': no memory to begin with: {e}", config.name))
        })?;
        let regions = Mutex::new(HashMap::new());
        if config.pre_touch {
            arena.warm(config.warm_reserve);
        }
        let core = Core { arena, notifier, table, log, headers, stripes, slabs, regions, shares, spill };
        Ok(Arc::new(Store {
            config: config.clone(),
            core: Arc::new(core),
            draining: Mutex::new(Vec::new()),
            swept: AtomicBool::new(true),
        }))
    }

    /// How it was opened.
    #[must_use]
    pub fn config(&self) -> &StoreConfig {
        &self.config
    }

    /// Who waits and who listens.
    #[must_use]
    pub fn notifier(&self) -> &Notifier {
        &self.core.notifier
    }

    /// Objects that are in no region.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.core.table
    }

    /// How the arena is divided among groups of batches.
    #[must_use]
    pub fn shares(&self) -> &Shares {
        &self.core.shares
    }

    /// Regions that hold much of the arena.
    #[must_use]
    pub fn holders(&self) -> &Holders {
        self.core.arena.holders()
    }

    /// Makes a region with a random base for its slots.
    ///
    /// # Errors
    /// `StoreFull`; `Io` when the system has no random numbers.
    pub fn create_region(&self, batch: BatchId, budget: Option<Arc<Budget>>) -> Result<Arc<Region>> {
        let region = Region::new(&self.core, batch, random_base()?, budget);
        self.core.notifier.flush(); // what was evicted for its header
        let region = region?;
        self.core.regions.lock().insert(region.header, Arc::clone(&region));
        Ok(region)
    }

    /// Regions that live.
    fn regions(&self) -> Vec<Arc<Region>> {
        self.core.regions.lock().values().filter(|region| !region.is_dropped()).cloned().collect()
    }

    /// The whole arena, for a reader and writer outside of Rust that keeps its protocols.
    #[must_use]
    pub fn mapping(&self) -> Mapping {
        Mapping::new(&self.core)
    }

    /// Releases a region: work in the number of its runs, not of its objects. Zeros when it was dropped before.
    pub fn drop_region(&self, region: &Arc<Region>) -> Dropped {
        let dropped = region.drop_all();
        if dropped.left {
            self.swept.store(false, Ordering::Relaxed);
        }
        if !dropped.drained && !region.is_drained() {
            let mut draining = self.draining.lock();
            draining.retain(|r| !r.is_drained());
            draining.push(Arc::clone(region));
        }
        dropped
    }

    /// Settles leases of dropped regions that somebody was in when they were dropped. For the background.
    pub fn sweep(&self) {
        if !self.swept.swap(true, Ordering::Relaxed) {
            let left: Vec<_> = self.core.regions.lock().values().filter(|r| r.is_dropped()).cloned().collect();
            // all of them: each is asked once
            if left.iter().filter(|region| !region.sweep()).count() > 0 {
                self.swept.store(false, Ordering::Relaxed);
            }
        }
    }

    /// True when there is something for `sweep`.
    #[must_use]
    pub fn wants_sweep(&self) -> bool {
        !self.swept.load(Ordering::Relaxed)
    }

    /// Figures; exact when nothing is going on.
    #[must_use]
    pub fn stats(&self) -> StoreStats {
        self.sweep();
        let arena = &self.core.arena;
        let table = self.core.table.usage();
        let regions = self.regions();
        let (mut live, mut objects) = (table.bytes, table.objects);
        for region in regions {
            let usage = region.usage();
            live += usage.bytes;
            objects += usage.objects;
        }
        let (used, backed) = (arena.used(), arena.backed());
        StoreStats {
            capacity: arena.len(),
            used,
            live,
            leased: used.saturating_sub(live.saturating_sub(self.spill_stats().bytes)),
            warm: backed.saturating_sub(used),
            largest_free: arena.largest_free(),
            objects,
            evicted_objects: table.evicted_objects,
            evicted_bytes: table.evicted_bytes,
            backed,
            draining: self.draining_bytes(),
        }
    }

    fn draining_bytes(&self) -> u64 {
        self.draining().iter().map(|region| region.held.bytes()).sum()
    }

    /// Dropped regions that somebody holds memory of.
    pub(crate) fn draining(&self) -> Vec<Arc<Region>> {
        let mut draining = self.draining.lock();
        draining.retain(|r| !r.is_drained());
        draining.clone()
    }

    /// Checks that every page lent is accounted for. Meaningful when nothing is going on.
    ///
    /// # Errors
    /// `Internal`, with the sums.
    pub fn audit(&self) -> Result<()> {
        self.sweep();
        let regions: u64 = self.regions().iter().map(|r| r.held.bytes()).sum();
        let table = self.core.table.usage().held;
        let headers = self.core.headers.bytes() + self.core.stripes.bytes();
        let slabs = self.core.slabs.bytes();
        let draining = self.draining_bytes();
        let used = self.core.arena.used();
        if PAGE + headers + regions + table + slabs + draining == used {
            return Ok(());
        }
        Err(Error::new(
            ErrorCode::Internal,
            format!(
                "the store's sums do not add up: {used} bytes lent, but {PAGE} of superblock + {headers} of headers and leases + \
                 {regions} of regions + {table} of the side table + {slabs} of slabs + {draining} draining"
            ),
        ))
    }

    /// What those sleep on that wait for room, in a store that spills.
    #[must_use]
    pub fn pressure(&self) -> Option<&Arc<Pressure>> {
        self.core.spill.as_ref().map(|spill| &spill.pressure)
    }

    /// Figures of spilling; zeros in a store that does not.
    #[must_use]
    pub fn spill_stats(&self) -> SpillStats {
        self.core.spill.as_ref().map(|spill| spill.stats()).unwrap_or_default()
    }

    /// True when objects of normal mode go to files, too.
    #[must_use]
    pub fn spills_normal_mode(&self) -> bool {
        self.core.spill.as_ref().is_some_and(|spill| spill.normal_mode)
    }

    /// What spilling failed with last.
    #[must_use]
    pub fn spill_error(&self) -> Option<String> {
        self.core.spill.as_ref().and_then(|spill| spill.last_error())
    }

    /// Pages lent, in bytes, and those on their way back to the system: at no cost.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.core.arena.taken()
    }

    /// True when more free memory is warm than the reserve, by a stride at least.
    #[must_use]
    pub fn wants_trim(&self) -> bool {
        let arena = &self.core.arena;
        arena.backed().saturating_sub(arena.taken()) >= self.config.warm_reserve.saturating_add(layout::STRIDE)
    }

    /// Gives free memory beyond the reserve back to the system. Returns how much. For the background.
    pub fn trim(&self) -> u64 {
        self.core.arena.trim(self.config.warm_reserve)
    }

    /// Maps zero pages over the arena and gives its memory back. Pins and holds that are left read zeros.
    pub fn close(&self) {
        if let Some(spill) = &self.core.spill {
            spill.pressure.stop();
        }
        for region in self.regions() {
            self.drop_region(&region);
        }
        self.core.arena.close();
        // whoever is in a lease still writes to zero pages, and finds nothing to settle
        self.core.regions.lock().clear();
        if let Some(spill) = &self.core.spill {
            spill.close();
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.close();
    }
}

/// Random and not zero, which stands for "whichever lives" elsewhere. Each thread asks the system for many at once: a
/// system call for each would be a tenth of the cost of a tiny batch.
fn random_base() -> Result<u64> {
    const MANY: usize = 64;
    thread_local! {
        static DRAWN: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
    }
    let base: Result<u64> = DRAWN.with_borrow_mut(|drawn| {
        if drawn.is_empty() {
            let mut bytes = [[0u8; 8]; MANY];
            getrandom::fill(bytes.as_flattened_mut())
                .map_err(|e| Error::new(ErrorCode::Io, format!("no random numbers from the system: {e}")))?;
            drawn.extend(bytes.map(u64::from_ne_bytes));
        }
        Ok(drawn.pop().unwrap_or(1))
    });
    base.map(|base| base.max(1))
}
