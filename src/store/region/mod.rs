//! A region: all that one batch put into the store, released at once.
//!
//! Locks: `body`, then the registry's and the records', the side table's, then the arena's. A lease (see `lease.rs`) is entered before `body` is locked.
//! Nothing foreign is called with one of them held, except the source of a small put, by whoever is in a lease.

mod change;
mod drop;
mod memory;
mod place;
mod read;
mod spill;
mod spilled;

use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::sync::{Arc, OnceLock};

use hashbrown::{HashMap, HashSet};
use parking_lot::Mutex;

pub use self::memory::RegionMemory;
use self::spilled::Spilled;
use super::budget::Budget;
use super::chunks::Chunks;
use super::core::{Core, begin_life, generation_word};
use super::index::{EntryWords, Index, find};
use super::layout::{
    Entry, EntryState, HEADER_BASE, HEADER_BATCH, HEADER_INLINE, HEADER_OVERFLOW, HEADER_STRIPES, INLINE_PAGES,
    NATIVE_ONLY,
};
use super::lease::{Leases, Memory};
use super::pin::Place;
use super::run::Held;
use super::seqlock::{before_reuse, none_again, still};
use super::types::{Dropped, Found, Usage};
use crate::error::{Error, ErrorCode, Result};
use crate::id::{BatchId, ObjectId};

/// See the module.
pub struct Region {
    pub(super) batch: BatchId,
    pub(super) base: u64,
    /// where its header lies
    pub(super) header: u64,
    /// odd; the header's generation differs once the region is dropped
    generation: u64,
    pub(super) core: Arc<Core>,
    pub(super) budget: Option<Arc<Budget>>,
    pub(super) held: Arc<Held>,
    pub(super) leases: Leases,
    pub(super) body: Mutex<Body>,
    /// objects and bytes made in reserved slots, through no lease's; both written under `body`
    placed_objects: AtomicU64,
    placed_bytes: AtomicU64,
    /// how often an object was sealed again whose bytes had been given up; written under `body`
    refills: AtomicU64,
    /// objects and bytes that left before the drop; both written under `body`
    gone_objects: AtomicU64,
    gone_bytes: AtomicU64,
    peak: AtomicU64,
    /// the round of spilling in which it was used last
    last_used: AtomicU64,
    dropped: OnceLock<Dropped>,
}

/// What changes under the region's lock.
#[derive(Default)]
pub(super) struct Body {
    pub(super) closed: bool,
    pub(super) chunks: Chunks,
    pub(super) index: Index,
    /// the memory of each lease, as far as they have any
    leases: Vec<Memory>,
    /// a bit for each lease that was closed while somebody was in and is not settled yet
    left: u128,
    /// slot → who holds the object
    holds: HashMap<u64, Holds>,
    /// what lies in the region's file
    spilled: Spilled,
    /// slots whose unsealed object moved to the side table; its writer finishes it there
    moved_unsealed: HashSet<u64>,
}

impl Body {
    /// The memory of the nth lease.
    pub(super) fn memory(&mut self, n: u64) -> &mut Memory {
        let n = n as usize;
        if n >= self.leases.len() {
            self.leases.resize_with(n + 1, Memory::default);
        }
        &mut self.leases[n]
    }
}

impl Body {
    /// One more hold on an object.
    pub(super) fn hold(&mut self, slot: u64) {
        self.holds.entry(slot).or_default().count += 1;
    }
}

#[derive(Default)]
struct Holds {
    count: u32,
    /// what becomes of the object with the last hold
    then: Option<EntryState>,
}

/// An entry as it was found in a live region.
struct Seen<'a> {
    words: EntryWords<'a>,
    word0: u64,
    /// `Region::refills`, before
    refills: u64,
    entry: Entry,
}

impl Region {
    pub(super) fn new(core: &Arc<Core>, batch: BatchId, base: u64, budget: Option<Arc<Budget>>) -> Result<Arc<Self>> {
        let header = core.headers.take(core)?;
        before_reuse();
        let arena = &core.arena;
        arena.word(header + HEADER_BASE).store(base, Ordering::Relaxed);
        arena.word(header + HEADER_BATCH).store(batch.0 as u64, Ordering::Relaxed);
        arena.word(header + HEADER_OVERFLOW).store(0, Ordering::Relaxed);
        for n in 0..INLINE_PAGES / 2 {
            arena.word(header + HEADER_INLINE + n * 8).store(0, Ordering::Relaxed);
        }
        let native_only = if budget.is_some() { NATIVE_ONLY } else { 0 };
        arena.word(header + HEADER_STRIPES).store(native_only, Ordering::Relaxed);
        let leases = Leases::new(core, header);
        let generation = begin_life(arena, header);
        let region = Arc::new(Region {
            batch,
            base,
            header,
            generation,
            core: Arc::clone(core),
            held: Arc::new(Held::of(budget.as_ref().and_then(|budget| budget.share().cloned()), (batch, base))),
            budget,
            leases,
            body: Mutex::new(Body::default()),
            placed_objects: AtomicU64::new(0),
            placed_bytes: AtomicU64::new(0),
            refills: AtomicU64::new(0),
            gone_objects: AtomicU64::new(0),
            gone_bytes: AtomicU64::new(0),
            peak: AtomicU64::new(0),
            last_used: AtomicU64::new(0),
            dropped: OnceLock::new(),
        });
        region.touch();
        Ok(region)
    }

    /// The batch whose objects these are.
    #[must_use]
    pub fn batch(&self) -> BatchId {
        self.batch
    }

    /// The random base of this life's slots.
    #[must_use]
    pub fn base(&self) -> u64 {
        self.base
    }

    /// Where its header lies in the arena, and the generation of its life: the JVM's way in. It ends with the drop.
    #[must_use]
    pub fn header(&self) -> (u64, u64) {
        (self.header, self.generation)
    }

    /// Has the JVM put through the store from now on, which can refuse.
    pub fn put_natively(&self) {
        // The header is another region's once this one has retired, which it does under the lock.
        let body = self.body.lock();
        if !body.closed {
            self.core.arena.word(self.header + HEADER_STRIPES).fetch_or(NATIVE_ONLY, Ordering::Release);
        }
    }

    /// The limits it is under, if any.
    #[must_use]
    pub fn budget(&self) -> Option<&Arc<Budget>> {
        self.budget.as_ref()
    }

    /// True once it was dropped.
    #[must_use]
    pub fn is_dropped(&self) -> bool {
        !self.lives()
    }

    /// True once it was dropped and nobody holds any of its memory.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.is_dropped() && self.held.bytes() == 0 && self.body.lock().holds.is_empty()
    }

    /// Bytes of the pages that it holds.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.held.bytes()
    }

    /// What it holds.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let (pins, slots, (spilled_objects, spilled_bytes)) = {
            let body = self.body.lock();
            (body.holds.values().map(|h| u64::from(h.count)).sum(), body.index.slots(), body.spilled.live())
        };
        let (objects, bytes) = self.live();
        let peak_bytes = self.peak.fetch_max(bytes, Ordering::Relaxed).max(bytes);
        Usage { objects, bytes, held: self.held.bytes(), peak_bytes, pins, slots, spilled_objects, spilled_bytes }
    }

    /// Objects and bytes there are; none once it is dropped.
    fn live(&self) -> (u64, u64) {
        let (objects, bytes) = self.leases.made(&self.core);
        let placed = self.placed();
        fence(Ordering::Acquire);
        if !self.lives() {
            return (0, 0);
        }
        (
            (objects + placed.0).saturating_sub(self.gone_objects.load(Ordering::Relaxed)),
            (bytes + placed.1).saturating_sub(self.gone_bytes.load(Ordering::Relaxed)),
        )
    }

    /// Objects and bytes made in reserved slots.
    fn placed(&self) -> (u64, u64) {
        (self.placed_objects.load(Ordering::Relaxed), self.placed_bytes.load(Ordering::Relaxed))
    }

    pub(super) fn lives(&self) -> bool {
        generation_word(&self.core.arena, self.header).load(Ordering::Acquire) == self.generation
    }

    /// True when nothing changed since the entry was seen.
    fn still(&self, seen: &Seen<'_>) -> bool {
        still(generation_word(&self.core.arena, self.header), self.generation, seen.words.word0, seen.word0)
            && (!Entry::is_again(seen.word0) || none_again(&self.refills, seen.refills))
    }

    /// The entry of a slot; `index` tells the slot's one id from its aliases.
    fn see(&self, slot: u64, index: Option<u32>) -> Found<Seen<'_>> {
        let arena = &self.core.arena;
        loop {
            if !self.lives() {
                return Found::Dropped;
            }
            let Some(words) = find(arena, self.header, slot) else {
                if !self.lives() {
                    return Found::Dropped;
                }
                return Found::Unknown;
            };
            let refills = self.refills.load(Ordering::Acquire);
            let (word0, entry) = words.load();
            if !still(generation_word(arena, self.header), self.generation, words.word0, word0) {
                continue;
            }
            // bytes that are no entry cannot be in a live region; if they are, no object is there
            let Some(entry) = entry else { return Found::Unknown };
            if Entry::is_again(word0) && !none_again(&self.refills, refills) {
                continue;
            }
            return match entry.state {
                EntryState::Empty => Found::Absent,
                _ if index.is_some_and(|index| index != entry.index) => Found::Unknown,
                EntryState::Created | EntryState::Sealed | EntryState::Spilled | EntryState::Restored => {
                    Found::Here(Seen { words, word0, refills, entry })
                }
                EntryState::Freed => Found::Freed,
                EntryState::Deleted | EntryState::Aborted => Found::Deleted,
                EntryState::Moved => Found::Moved,
            };
        }
    }

    fn see_id(&self, id: &ObjectId) -> Found<Seen<'_>> {
        self.see(id.slot(self.base), Some(id.index))
    }

    fn id(&self, slot: u64, entry: &Entry) -> ObjectId {
        ObjectId::from_slot(self.batch, self.base, slot, entry.index)
    }

    /// Where the object's bytes lie, all of them inside of the arena. To be validated. Not for one that is spilled: see
    /// `place_locked`. `None` for an entry that no store writes: a reader without the lock may meet any bytes.
    fn place(&self, entry: &Entry) -> Option<Place> {
        let arena = &self.core.arena;
        let metadata = match entry.has_metadata {
            false => 0,
            true if entry.offset.is_multiple_of(8) && arena.contains(entry.offset, 8) => {
                arena.word(entry.offset).load(Ordering::Relaxed)
            }
            true => return None,
        };
        let place = Place { metadata, ..bare(entry) };
        place.is_inside(arena).then_some(place)
    }

    /// The error for an entry of a live region that leads nowhere: a defect, or memory that another program wrote.
    #[cold]
    fn broken(&self, slot: u64) -> Error {
        let what = format!("slot {slot} of batch {} points outside of the arena", self.batch);
        Error::new(ErrorCode::Internal, what).batch(self.batch)
    }

    /// What went with the drop.
    #[must_use]
    pub fn dropped(&self) -> Option<Dropped> {
        self.dropped.get().copied()
    }

    /// Slots leased so far: every id of this life has its slot below.
    #[must_use]
    pub fn slots(&self) -> u64 {
        self.body.lock().index.slots()
    }
}

/// Where an entry says that data lie, whatever is there.
fn bare(entry: &Entry) -> Place {
    Place { offset: entry.offset, len: entry.len.into(), metadata: 0 }
}

pub(super) fn collected(id: &ObjectId, batch: BatchId) -> Error {
    Error::new(ErrorCode::ObjectCollected, format!("object {id} went when batch {batch} was collected")).object(*id)
}
