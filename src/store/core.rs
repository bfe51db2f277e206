//! What regions, the side table and pins share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hashbrown::HashMap;
use parking_lot::Mutex;

use super::arena::{Arena, NoRoom};
use super::layout::{HEADER_GENERATION, PAGE};
use super::notify::Notifier;
use super::region::Region;
use super::run::{Held, Run};
use super::share::Shares;
use super::spill::Spill;
use super::table::Table;
use crate::error::{Error, Result};
use crate::id::BatchId;

/// Told of each block of slots that is leased: ids `(batch, task, 0..count)`.
pub trait TaskLog: Send + Sync {
    /// Called with no lock held that the log could need.
    fn leased(&self, batch: BatchId, task: u64, count: u32);
}

/// See the module.
pub(crate) struct Core {
    pub(crate) arena: Arc<Arena>,
    pub(crate) notifier: Arc<Notifier>,
    pub(crate) table: Table,
    pub(crate) log: Arc<dyn TaskLog>,
    pub(crate) headers: Records,
    /// leases of regions in which threads meet
    pub(crate) stripes: Records,
    /// pages of all slabs
    pub(crate) slabs: Arc<Held>,
    /// where its header lies → a region that lives, or in one of whose leases somebody still is
    pub(crate) regions: Mutex<HashMap<u64, Arc<Region>>>,
    /// how the arena is divided
    pub(crate) shares: Arc<Shares>,
    /// files for what does not fit, if it has any
    pub(crate) spill: Option<Arc<Spill>>,
}

/// Who asks for memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Asks {
    /// A put: told that there is none, it can wait until some was made.
    Put,
    /// A task, whose result is there, and would be lost; or its submission.
    Task,
    /// The store itself, for records that are never given back.
    Records,
}

impl Core {
    /// Borrows pages: as many as wished for, or fewer when memory is short, but never fewer than `least`. What may be
    /// evicted is, before `least` is refused.
    ///
    /// When memory is short, a group of batches that is above its share of it gets no more.
    pub(crate) fn lend(&self, held: &Arc<Held>, wished: u64, least: u64) -> Result<Run> {
        self.lend_to(Asks::Put, held, wished, least)
    }

    /// As `lend`, by who asks.
    pub(crate) fn lend_to(&self, asks: Asks, held: &Arc<Held>, wished: u64, least: u64) -> Result<Run> {
        let mut pages = wished.max(least);
        // files make room for what cannot wait
        let may_refuse = asks != Asks::Task || self.spill.is_none();
        loop {
            let lent = match self.shares.refuses(held.share().filter(|_| may_refuse), pages * PAGE) {
                Some(why) => Err(NoRoom::too_much(pages, why)),
                None if asks == Asks::Records => Run::lend_for_good(&self.arena, held, pages),
                None => Run::lend(&self.arena, held, pages),
            };
            let no_room = match lent {
                Ok(run) => return Ok(run),
                Err(no_room) => no_room,
            };
            if pages > least {
                pages = (pages / 2).max(least);
            } else if pages * PAGE > self.arena.len()
                || !self.shares.may_evict(held.share(), pages * PAGE)
                || self.table.make_room(pages * PAGE) == 0
            {
                return Err(self.refuse(held, &no_room));
            }
        }
    }

    #[cold]
    fn refuse(&self, held: &Held, no_room: &NoRoom) -> Error {
        self.shares.failed(held.share(), no_room.bytes());
        if let Some(spill) = self.spill.as_ref().filter(|_| no_room.is_too_much()) {
            // nothing more is lent, which would have told it
            spill.pressure.raise();
        }
        self.arena.explain(no_room)
    }
}

/// Records of one size, in memory that is never used for anything else: so their first words can be read at any time.
pub(crate) struct Records {
    unit: u64,
    pub(crate) held: Arc<Held>,
    state: Mutex<RecordState>,
}

#[derive(Default)]
struct RecordState {
    /// offsets of records that nobody uses
    free: Vec<u64>,
    /// never given back before the store goes
    blocks: Vec<Run>,
}

impl Records {
    /// None yet. `unit` is a record's size in bytes: it divides a page, or is a whole number of them.
    pub(crate) fn new(unit: u64) -> Self {
        debug_assert!(PAGE.is_multiple_of(unit) || unit.is_multiple_of(PAGE));
        Records { unit, held: Arc::new(Held::default()), state: Mutex::default() }
    }

    /// Reserves the first ones, at the low end of an arena that is just opened.
    pub(crate) fn reserve(&self, arena: &Arc<Arena>) -> Result<()> {
        let first = Run::lend(arena, &self.held, self.unit.div_ceil(PAGE)).map_err(|e| arena.explain(&e))?;
        self.add(&mut self.state.lock(), arena, first);
        Ok(())
    }

    /// Pages held, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.held.bytes()
    }

    /// The offset of a record that nobody uses, as its last user left it, zeroed if there was none.
    pub(crate) fn take(&self, core: &Core) -> Result<u64> {
        loop {
            if let Some(offset) = self.state.lock().free.pop() {
                return Ok(offset);
            }
            // not under the lock, for making room takes others
            let least = self.unit.div_ceil(PAGE);
            let wished = (self.bytes() / PAGE).clamp(1, 64).next_multiple_of(least);
            let block = core.lend_to(Asks::Records, &self.held, wished, least)?;
            self.add(&mut self.state.lock(), &core.arena, block);
        }
    }

    /// Takes a record back.
    pub(crate) fn give(&self, offset: u64) {
        self.state.lock().free.push(offset);
    }

    fn add(&self, state: &mut RecordState, arena: &Arc<Arena>, block: Run) {
        arena.span_mut(block.offset(), block.len()).zero(0, block.len() as usize);
        state.free.extend((0..block.len() / self.unit).rev().map(|n| block.offset() + n * self.unit));
        state.blocks.push(block);
    }
}

/// The generation word of a header.
pub(crate) fn generation_word(arena: &Arena, header: u64) -> &AtomicU64 {
    arena.word(header + HEADER_GENERATION)
}

/// Makes the generation odd, for a new life, and tells it.
pub(crate) fn begin_life(arena: &Arena, header: u64) -> u64 {
    generation_word(arena, header).fetch_add(1, Ordering::AcqRel) + 1
}

/// Ends the life `generation`; false when it was over.
pub(crate) fn end_life(arena: &Arena, header: u64, generation: u64) -> bool {
    generation_word(arena, header)
        .compare_exchange(generation, generation + 1, Ordering::AcqRel, Ordering::Relaxed)
        .is_ok()
}
