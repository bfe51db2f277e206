//! How objects get into a region: leases.
//!
//! A lease is a piece of a chunk and a block of slots, used by one thread at a time: a put bumps a pointer, copies, and
//! publishes one index entry. A region begins with one lease; when two threads meet in it, it gets one for each of a
//! bounded number of stripes. What a put needs of a lease are words in the arena, so that whoever is in it, Rust or the
//! JVM, does the same with them; the runs behind them are in the region's `body`.
//!
//! The lease's memory belongs to whoever is in it, even while the region is dropped (see `gate.rs`), so that a put needs
//! no fence and a collector waits for nobody.

mod lending;

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use super::chunks::{Chunk, Chunks};
use super::core::{Asks, Core};
use super::gate::{self, Refused};
use super::index::EntryWords;
use super::layout::{
    ENTRY, Entry, EntryState, HEADER_LEASE, HEADER_STRIPES, LEASE, PAGE, alignment, footprint, lease_word as word,
};
use super::notify::{Event, EventKind};
use super::pin::Place;
use super::region::{Body, Region, collected};
use super::run::Run;
use super::seqlock::before_reuse;
use super::table::check_size;
use super::types::{Found, Kind, Slot, Source};
use super::unsealed::{Unsealed, Writer};
use crate::error::Result;
use crate::id::ObjectId;

/// Objects larger than this have a run of their own, and are copied outside of the lease.
pub(super) const LARGE: u64 = 64 << 10;
/// Most pages of a chunk.
const MAX_CHUNK: u64 = (1 << 20) / PAGE;

/// The words of a lease. Only whoever is in it writes any but the gate.
pub(super) type Words = [AtomicU64; (LEASE / 8) as usize];

fn get(words: &Words, at: usize) -> u64 {
    words[at].load(Ordering::Relaxed)
}

fn set(words: &Words, at: usize, value: u64) {
    words[at].store(value, Ordering::Relaxed);
}

/// The runs behind a lease's words.
#[derive(Default)]
pub(super) struct Memory {
    chunk: Option<Chunk>,
    block: Option<Arc<Run>>,
    /// objects that had been made when the chunk began, or its slots were noted last
    noted: u64,
}

/// How many leases a region has beyond the first, once threads meet in it.
pub(super) fn stripe_count() -> u64 {
    static COUNT: OnceLock<u64> = OnceLock::new();
    *COUNT.get_or_init(|| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        (2 * cores).next_power_of_two().clamp(4, 64) as u64
    })
}

thread_local! {
    static NUMBER: Cell<Option<u64>> = const { Cell::new(None) };
}

/// A small number for each thread, so that threads spread over the stripes.
fn thread_number() -> u64 {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NUMBER.with(|number| match number.get() {
        Some(n) => n,
        None => {
            let n = NEXT.fetch_add(1, Ordering::Relaxed) as u64;
            number.set(Some(n));
            n
        }
    })
}

/// Gives this thread another number, for its next puts: that under which the JVM puts for the same thread of its own, so
/// that it is the JVM's lease which gets more room here, and not another.
pub fn number_thread(number: u64) {
    NUMBER.set(Some(number));
}

/// Where a region's leases lie.
pub(super) struct Leases {
    first: u64,
    /// the offset of the stripes, made when two threads met in the first
    stripes: OnceLock<u64>,
}

impl Leases {
    /// Opens the first one of a header whose region begins its life.
    pub(super) fn new(core: &Core, header: u64) -> Self {
        let first = header + HEADER_LEASE;
        begin(core, first);
        Leases { first, stripes: OnceLock::new() }
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        1 + self.stripes.get().map_or(0, |_| stripe_count())
    }

    /// Where the nth lies: 0 is the first, the stripes follow.
    pub(super) fn at(&self, n: u64) -> Option<u64> {
        if n == 0 { Some(self.first) } else { self.stripes.get().map(|stripes| stripes + (n - 1) * LEASE) }
    }

    /// Objects and bytes made through all of them. To be validated: the region may be gone, and the words another's.
    pub(super) fn made(&self, core: &Core) -> (u64, u64) {
        let all = (0..self.count()).filter_map(|n| self.at(n));
        all.map(|at| made(core, at)).fold((0, 0), |sum, made| (sum.0 + made.0, sum.1 + made.1))
    }

    /// Gives the stripes' memory back. Nobody is in any of them, nor comes in.
    pub(super) fn give_back(&self, core: &Core) {
        if let Some(&stripes) = self.stripes.get() {
            core.stripes.give(stripes);
        }
    }
}

fn words(core: &Core, at: u64) -> &Words {
    core.arena.words(at)
}

/// Empties a lease that nobody is in and opens it.
fn begin(core: &Core, at: u64) {
    let words = words(core, at);
    for word in &words[word::CURSOR..=word::FIRST] {
        word.store(0, Ordering::Relaxed);
    }
    gate::open(&words[word::GATE]);
}

/// Objects and bytes made through one.
pub(super) fn made(core: &Core, at: u64) -> (u64, u64) {
    let words = words(core, at);
    (get(words, word::MADE), get(words, word::BYTES))
}

/// Closes one. True when nobody was in: its memory and what it made are the closer's to settle.
pub(super) fn close(core: &Core, at: u64) -> bool {
    gate::close(&words(core, at)[word::GATE])
}

/// Makes sure that one that was to be closed is; false while somebody is in.
pub(super) fn shut(core: &Core, at: u64) -> bool {
    gate::shut(&words(core, at)[word::GATE])
}

/// The use of a lease, until this is dropped. Whoever finds on leaving that the region was dropped meanwhile settles
/// what was made through the lease: the collector left it to him.
struct InLease<'a> {
    region: &'a Region,
    n: u64,
    words: &'a Words,
    /// Something was posted meanwhile, or may have been, since memory was lent: waiters are woken on leaving. That may be a
    /// call into the JVM, for which nobody is kept out of the lease.
    posted: Cell<bool>,
}

impl Drop for InLease<'_> {
    #[inline]
    fn drop(&mut self) {
        if gate::leave(&self.words[word::GATE]) {
            self.region.settle(self.n);
        }
        if self.posted.get() {
            self.region.core.notifier.flush();
        }
    }
}

/// A slot and memory for one object, in a lease, not used yet.
struct Reserved {
    slot: Slot,
    entry_at: u64,
    offset: u64,
}

/// Pages of the next chunk: the larger the region, the larger the chunk.
fn chunk_pages(chunks: &Chunks) -> u64 {
    (chunks.most_pages() / 4).clamp(1, MAX_CHUNK)
}

/// Has a lease go on in a chunk just lent. Returns the old one, to be dropped when no lock is held.
fn begin_chunk(body: &mut Body, inside: &InLease<'_>, run: Run) -> [Option<Chunk>; 2] {
    let words = inside.words;
    let chunk = Arc::new(run);
    set(words, word::CURSOR, chunk.offset());
    set(words, word::END, chunk.offset() + chunk.len());
    body.chunks.add_leased(&chunk);
    end_chunk(body, inside, Some(chunk))
}

/// Has a lease part with its chunk, if it has one, for another one or for none. Returns as `begin_chunk`.
fn end_chunk(body: &mut Body, inside: &InLease<'_>, next: Option<Chunk>) -> [Option<Chunk>; 2] {
    let words = inside.words;
    note_slots(body, inside);
    let old = std::mem::replace(&mut body.memory(inside.n).chunk, next);
    let made = get(words, word::MADE).wrapping_sub(get(words, word::CHUNK));
    set(words, word::CHUNK, get(words, word::MADE));
    [old.as_ref().and_then(|old| body.chunks.retire(old.offset(), made)), old]
}

/// Notes the slots that were used since the last time with the chunk they belong to: before it ends, and before slots of
/// another block are used for it.
fn note_slots(body: &mut Body, inside: &InLease<'_>) {
    let made = get(inside.words, word::MADE);
    let memory = body.memory(inside.n);
    let noted = std::mem::replace(&mut memory.noted, made);
    if let Some(chunk) = memory.chunk.as_ref().map(|chunk| chunk.offset()) {
        body.chunks.note_slots(chunk, get(inside.words, word::FIRST).wrapping_add(noted), made - noted);
    }
}

impl Region {
    /// Copies bytes into a new sealed object.
    ///
    /// # Errors
    /// `BatchLimit`, `StoreFull`, `ObjectCollected` when the region was dropped, what the source says: nothing was made.
    pub fn put(self: &Arc<Self>, kind: Kind, source: &dyn Source) -> Result<Slot> {
        let len = source.len() as u64;
        if footprint(len, 0) > LARGE {
            let (slot, unsealed) = self.create(len, &[], kind)?;
            unsealed.write(0, source).inspect_err(|_| drop(unsealed.abort()))?;
            unsealed.seal()?;
            return Ok(slot);
        }
        self.with_budget(len, || {
            let inside = self.enter()?;
            let awaited = self.core.notifier.are_puts_awaited();
            let at = self.reserve(&inside, len, alignment(len))?;
            source.copy_to(&self.core.arena.span_mut(at.offset, len))?;
            let entry = Entry {
                state: EntryState::Sealed,
                kind: kind as u8,
                has_metadata: false,
                offset: at.offset,
                len: len as u32,
                index: at.slot.index,
            };
            self.publish(&inside, &at, &entry, len, len);
            if awaited {
                // in the lease: whoever deletes it goes through there before they tell
                let id = ObjectId::from_slot(self.batch, self.base, at.slot.slot, at.slot.index);
                self.core.notifier.post(Event::object(EventKind::Sealed, id, len, 0));
                inside.posted.set(true);
            }
            Ok(at.slot)
        })
    }

    /// Makes an unsealed object.
    ///
    /// # Errors
    /// As for `put`; `InvalidArgument` for more than 2³¹ − 1 bytes.
    pub fn create(self: &Arc<Self>, size: u64, metadata: &[u8], kind: Kind) -> Result<(Slot, Unsealed)> {
        let meta = metadata.len() as u64;
        check_size(size, meta)?;
        let bytes = footprint(size, meta);
        let made = self.with_budget(size + meta, || {
            let inside = self.enter()?;
            let large = bytes > LARGE;
            let mut at = self.reserve(&inside, if large { 0 } else { bytes }, 8)?;
            let single = if large { Some(self.lend_single(bytes, Asks::Put)?) } else { None };
            at.offset = single.as_ref().map_or(at.offset, |single| single.offset());
            let chunk = {
                let mut body = self.body.lock();
                if body.closed {
                    return Err(self.gone());
                }
                // before the entry can be seen, so that it is never taken for one without a writer
                body.hold(at.slot.slot);
                if let Some(single) = &single {
                    body.chunks.add_single(single, at.slot.slot);
                }
                if bytes == 0 { None } else { single.or_else(|| body.memory(inside.n).chunk.clone()) }
            };
            let place = Place { offset: at.offset, len: size, metadata: meta };
            place.write_metadata(&self.core.arena, metadata);
            let entry = Entry {
                state: EntryState::Created,
                kind: kind as u8,
                has_metadata: meta > 0,
                offset: at.offset,
                len: size as u32,
                index: at.slot.index,
            };
            self.publish(&inside, &at, &entry, size + meta, if large { 0 } else { bytes });
            Ok((at.slot, place, chunk))
        });
        self.core.notifier.flush(); // what was evicted for it
        let (slot, place, chunk) = made?;
        let id = ObjectId::from_slot(self.batch, self.base, slot.slot, slot.index);
        let writer = Writer::Region { region: Arc::clone(self), slot: slot.slot, chunk };
        Ok((slot, Unsealed::new(id, kind, place, writer, &self.core.arena)))
    }

    /// Goes into a lease that is free; a region in which two threads meet gets more of them.
    #[inline(always)] // most of a put's cost is when its result passes through memory
    fn enter(&self) -> Result<InLease<'_>> {
        if self.leases.stripes.get().is_none() {
            match self.enter_nth(0) {
                Ok(inside) => return Ok(inside),
                Err(Refused::Closed) => return Err(self.gone()),
                Err(Refused::Busy) => self.make_stripes()?,
            }
        }
        self.enter_stripe()
    }

    fn enter_nth(&self, n: u64) -> Result<InLease<'_>, Refused> {
        let at = self.leases.at(n).ok_or(Refused::Closed)?;
        let words = words(&self.core, at);
        gate::enter(&words[word::GATE], || self.lives())?;
        before_reuse(); // the chunk may have been lent to another thread, which fenced for itself only
        Ok(InLease { region: self, n, words, posted: Cell::new(false) })
    }

    fn enter_stripe(&self) -> Result<InLease<'_>> {
        let (mine, count) = (thread_number(), stripe_count());
        loop {
            for n in 0..count {
                match self.enter_nth(1 + (mine + n) % count) {
                    Ok(inside) => return Ok(inside),
                    Err(Refused::Closed) => return Err(self.gone()),
                    Err(Refused::Busy) => {}
                }
            }
            // more threads in small copies than there are stripes
            std::thread::yield_now();
        }
    }

    #[cold]
    fn make_stripes(&self) -> Result<()> {
        let core = &self.core;
        let stripes = core.stripes.take(core)?;
        let body = self.body.lock();
        if body.closed || self.leases.stripes.get().is_some() {
            drop(body);
            core.stripes.give(stripes);
            return if self.is_dropped() { Err(self.gone()) } else { Ok(()) };
        }
        for n in 0..stripe_count() {
            begin(core, stripes + n * LEASE);
        }
        let _ = self.leases.stripes.set(stripes);
        // told to the JVM when all is ready; under the lock, so that no other region's header is written
        core.arena.word(self.header + HEADER_STRIPES).fetch_or(stripes << 16 | stripe_count(), Ordering::Release);
        drop(body);
        Ok(())
    }

    /// Returns when every put that had begun before is over. For those who list or wait, not for collectors.
    pub fn synchronize(&self) {
        for n in 0..self.leases.count() {
            while matches!(self.enter_nth(n), Err(Refused::Busy)) {
                std::thread::yield_now();
            }
        }
    }

    /// Reserves what `make` will count; back if it fails, for then it counted nothing.
    fn with_budget<T>(&self, bytes: u64, make: impl FnOnce() -> Result<T>) -> Result<T> {
        self.with_budget_if(bytes, make, |_| true)
    }

    /// As `with_budget`; `made` tells whether it counted.
    pub(super) fn with_budget_if<T>(
        &self,
        bytes: u64,
        make: impl FnOnce() -> Result<T>,
        made: impl FnOnce(&T) -> bool,
    ) -> Result<T> {
        let Some(budget) = &self.budget else { return make() };
        let charge = budget.charge(bytes, 1)?;
        let result = make()?;
        if made(&result) {
            charge.keep();
        }
        Ok(result)
    }

    /// A slot, and so many bytes of the chunk, none if there are to be none.
    #[inline]
    fn reserve(&self, inside: &InLease<'_>, bytes: u64, align: u64) -> Result<Reserved> {
        let words = inside.words;
        if get(words, word::MADE) == get(words, word::LIMIT) {
            self.lease_slots(inside, bytes)?;
        }
        let offset = if bytes > 0 { self.room(inside, bytes, align, Asks::Put)? } else { 0 };
        let made = get(words, word::MADE);
        let index = (made - get(words, word::BLOCK)) as u32;
        Ok(Reserved {
            slot: Slot { slot: get(words, word::FIRST).wrapping_add(made), index },
            entry_at: get(words, word::ENTRIES).wrapping_add(made * ENTRY),
            offset,
        })
    }

    /// Where the next so many bytes of the chunk are.
    #[inline(always)]
    fn room(&self, inside: &InLease<'_>, bytes: u64, align: u64, asks: Asks) -> Result<u64> {
        let words = inside.words;
        let offset = get(words, word::CURSOR).next_multiple_of(align);
        if offset + bytes <= get(words, word::END) {
            return Ok(offset);
        }
        self.lease_chunk(inside, bytes, asks)?;
        Ok(get(words, word::CURSOR))
    }

    /// Has `make` make an object in so many bytes of a lease's chunk, and in a slot that is not the lease's, a task's. The
    /// bytes are used if it did.
    pub(super) fn with_room(
        &self,
        bytes: u64,
        align: u64,
        make: impl FnOnce(u64) -> Result<Found<bool>>,
    ) -> Result<Found<bool>> {
        let inside = self.enter()?;
        let offset = self.room(&inside, bytes, align, Asks::Task)?;
        let made = make(offset)?;
        if made == Found::Here(true) {
            set(inside.words, word::CURSOR, offset + bytes);
            // one object more is in the chunk than the lease made
            set(inside.words, word::CHUNK, get(inside.words, word::CHUNK).wrapping_sub(1));
        }
        Ok(made)
    }

    /// Uses what was reserved.
    #[inline(always)]
    fn publish(&self, inside: &InLease<'_>, at: &Reserved, entry: &Entry, bytes: u64, used: u64) {
        let words = inside.words;
        EntryWords::at(&self.core.arena, at.entry_at).publish(entry);
        set(words, word::MADE, get(words, word::MADE) + 1);
        if used > 0 {
            set(words, word::CURSOR, at.offset + used);
        } else {
            set(words, word::CHUNK, get(words, word::CHUNK).wrapping_add(1));
        }
        set(words, word::BYTES, get(words, word::BYTES) + bytes);
    }

    #[cold]
    pub(super) fn gone(&self) -> crate::error::Error {
        let none = ObjectId::new(self.batch, self.base, 0);
        collected(&none, self.batch)
    }
}
