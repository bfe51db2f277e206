//! How objects get into a region: leases.
//!
//! A lease is a piece of a chunk and a block of slots, used by one thread at a time: a put bumps a pointer, copies, and
//! publishes one index entry. A region begins with one lease; when two threads meet in it, it gets one for each of a
//! bounded number of stripes. The lease's memory belongs to whoever is in it, even while the region is dropped (see
//! `handoff.rs`), so that a put needs no fence and a collector waits for nobody.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use super::chunks::Chunk;
use super::handoff::{Handoff, Inside, Refused};
use super::index::{Block, EntryWords};
use super::layout::{ENTRY, Entry, EntryState, PAGE, alignment, footprint};
use super::notify::{Event, EventKind};
use super::pin::Place;
use super::region::{Region, collected};
use super::table::check_size;
use super::types::{Kind, Slot, Source};
use super::unsealed::{Unsealed, Writer};
use crate::error::Result;
use crate::id::ObjectId;

/// Objects larger than this have a run of their own, and are copied outside of the lease.
const LARGE: u64 = 64 << 10;
/// Most pages of a chunk.
const MAX_CHUNK: u64 = (1 << 20) / PAGE;

/// See the module.
#[derive(Default)]
pub(super) struct Lease {
    chunk: Option<Chunk>,
    /// where the next object goes, and the chunk's end
    cursor: u64,
    end: u64,
    /// objects made in the chunk
    made: u64,
    block: Option<Block>,
    /// slots used of the block
    used: u64,
}

/// A lease and what was made through it.
#[repr(align(128))] // two stripes share no cache line, nor a prefetched pair
struct Stripe {
    lease: Handoff<Lease>,
    /// written by whoever is in the lease only
    objects: AtomicU64,
    bytes: AtomicU64,
}

impl Stripe {
    fn new() -> Self {
        Stripe { lease: Handoff::new(Lease::default()), objects: AtomicU64::new(0), bytes: AtomicU64::new(0) }
    }

    /// Objects and bytes made through it.
    fn made(&self) -> (u64, u64) {
        (self.objects.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }

    /// Counts one object; called from within the lease.
    fn count(&self, bytes: u64) {
        self.objects.store(self.objects.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        self.bytes.store(self.bytes.load(Ordering::Relaxed) + bytes, Ordering::Relaxed);
    }
}

/// A region's leases.
pub(super) struct Stripes {
    first: Stripe,
    /// made when two threads met in the first
    rest: OnceLock<Box<[Stripe]>>,
}

fn stripe_count() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    *COUNT.get_or_init(|| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        (2 * cores).next_power_of_two().clamp(4, 64)
    })
}

/// A small number for each thread, so that threads spread over the stripes.
fn thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: Cell<Option<usize>> = const { Cell::new(None) };
    }
    NUMBER.with(|number| match number.get() {
        Some(n) => n,
        None => {
            let n = NEXT.fetch_add(1, Ordering::Relaxed);
            number.set(Some(n));
            n
        }
    })
}

impl Stripes {
    pub(super) fn new() -> Self {
        Stripes { first: Stripe::new(), rest: OnceLock::new() }
    }

    fn all(&self) -> impl Iterator<Item = &Stripe> {
        std::iter::once(&self.first).chain(self.rest.get().map(|r| &**r).unwrap_or_default())
    }

    /// Goes into a lease that is free; `None` once the region is dropped.
    fn enter(&self) -> Option<(&Stripe, Inside<'_, Lease>)> {
        let rest = match self.rest.get() {
            Some(rest) => rest,
            None => match self.first.lease.enter() {
                Ok(inside) => return Some((&self.first, inside)),
                Err(Refused::Closed) => return None,
                Err(Refused::Busy) => self.rest.get_or_init(|| (0..stripe_count()).map(|_| Stripe::new()).collect()),
            },
        };
        let mine = thread_number();
        loop {
            for n in 0..rest.len() {
                let stripe = &rest[(mine + n) & (rest.len() - 1)];
                match stripe.lease.enter() {
                    Ok(inside) => return Some((stripe, inside)),
                    Err(Refused::Closed) => return None,
                    Err(Refused::Busy) => {}
                }
            }
            // more threads in small copies than there are stripes
            std::thread::yield_now();
        }
    }

    /// Objects and bytes made so far.
    pub(super) fn made(&self) -> (u64, u64) {
        self.all().map(Stripe::made).fold((0, 0), |sum, made| (sum.0 + made.0, sum.1 + made.1))
    }

    /// Returns when every put that had begun before is over. For those who list, not for collectors.
    pub(super) fn synchronize(&self) {
        for stripe in self.all() {
            while matches!(stripe.lease.enter(), Err(Refused::Busy)) {
                std::thread::yield_now();
            }
        }
    }

    /// Closes all leases. Returns objects and bytes made through those that nobody was in; their memory goes back here,
    /// and whoever is in one of the others settles that one on leaving.
    pub(super) fn close(&self) -> (u64, u64) {
        let idle = self.all().filter(|stripe| stripe.lease.close().is_some());
        idle.fold((0, 0), |(objects, bytes), stripe| {
            let made = stripe.made();
            (objects + made.0, bytes + made.1)
        })
    }
}

/// The use of a lease, until this is dropped. Whoever finds on leaving that the region was dropped meanwhile gives back
/// what was made through the lease, its memory and what it counts to a budget: the collector left both to him.
struct InLease<'a> {
    region: &'a Region,
    stripe: &'a Stripe,
    inside: Option<Inside<'a, Lease>>,
}

impl InLease<'_> {
    #[inline(always)]
    fn lease(&mut self) -> Result<&mut Lease> {
        let gone = || self.region.gone();
        self.inside.as_mut().and_then(Inside::value).ok_or_else(gone)
    }
}

impl InLease<'_> {
    /// Rare, and out of the way of those who find the lease open.
    #[cold]
    fn settle(&self, lease: Lease) {
        drop(lease);
        if let Some(budget) = &self.region.budget {
            let (objects, bytes) = self.stripe.made();
            budget.release(bytes, objects);
        }
    }
}

impl Drop for InLease<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(lease) = self.inside.take().and_then(Inside::leave) {
            self.settle(lease);
        }
    }
}

/// A slot and memory for one object, in a lease, not used yet.
struct Reserved {
    slot: Slot,
    entry_at: u64,
    offset: u64,
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
            let mut inside = self.enter()?;
            let lease = inside.lease()?;
            let at = self.reserve(lease, len, alignment(len))?;
            source.copy_to(&self.core.arena.span_mut(at.offset, len))?;
            let entry = Entry {
                state: EntryState::Sealed,
                kind: kind as u8,
                has_metadata: false,
                offset: at.offset,
                len: len as u32,
                index: at.slot.index,
            };
            self.publish(&mut inside, &at, &entry, len, len)?;
            drop(inside);
            if self.core.notifier.is_awaited() {
                let id = ObjectId::from_slot(self.batch, self.base, at.slot.slot, at.slot.index);
                self.core.notifier.emit(Event::object(EventKind::Sealed, id, len, 0));
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
        let (slot, place, chunk) = self.with_budget(size + meta, || {
            let mut inside = self.enter()?;
            let lease = inside.lease()?;
            let large = bytes > LARGE;
            let mut at = self.reserve(lease, if large { 0 } else { bytes }, 8)?;
            let mut chunk = if bytes == 0 { None } else { lease.chunk.clone() };
            if large {
                let single = self.lend_single(bytes)?;
                at.offset = single.offset();
                chunk = Some(single);
            }
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
            self.publish(&mut inside, &at, &entry, size + meta, if large { 0 } else { bytes })?;
            Ok((at.slot, place, chunk))
        })?;
        // it was made, and counts: if the region went since, so did what it counted
        if !self.hold_for_writer(slot.slot) {
            return Err(self.gone());
        }
        let id = ObjectId::from_slot(self.batch, self.base, slot.slot, slot.index);
        let writer = Writer::Region { region: Arc::clone(self), slot: slot.slot, chunk };
        Ok((slot, Unsealed::new(id, kind, place, writer, &self.core.arena)))
    }

    #[inline(always)] // its result is large, and most of a put's cost when it passes through memory
    fn enter(&self) -> Result<InLease<'_>> {
        let (stripe, inside) = self.stripes.enter().ok_or_else(|| self.gone())?;
        Ok(InLease { region: self, stripe, inside: Some(inside) })
    }

    /// Reserves what `make` will count; back if it fails, for then it counted nothing.
    fn with_budget<T>(&self, bytes: u64, make: impl FnOnce() -> Result<T>) -> Result<T> {
        let Some(budget) = &self.budget else { return make() };
        budget.reserve(bytes, 1)?;
        make().inspect_err(|_| budget.release(bytes, 1))
    }

    /// A slot, and so many bytes of the chunk, none if there are to be none.
    #[inline]
    fn reserve(&self, lease: &mut Lease, bytes: u64, align: u64) -> Result<Reserved> {
        if lease.block.as_ref().is_none_or(|b| lease.used == b.slots) {
            self.lease_slots(lease)?;
        }
        let mut offset = lease.cursor.next_multiple_of(align);
        if bytes > 0 && offset + bytes > lease.end {
            self.lease_chunk(lease, bytes)?;
            offset = lease.cursor;
        }
        let Some(block) = &lease.block else { return Err(self.gone()) };
        Ok(Reserved {
            slot: Slot { slot: block.first + lease.used, index: lease.used as u32 },
            entry_at: block.run.offset() + lease.used * ENTRY,
            offset: if bytes > 0 { offset } else { 0 },
        })
    }

    /// Uses what was reserved. The last step that can fail comes first.
    #[inline(always)]
    fn publish(&self, inside: &mut InLease<'_>, at: &Reserved, entry: &Entry, bytes: u64, used: u64) -> Result<()> {
        let stripe = inside.stripe;
        let lease = inside.lease()?;
        EntryWords::at(&self.core.arena, at.entry_at).publish(entry);
        lease.used += 1;
        if used > 0 {
            lease.cursor = at.offset + used;
            lease.made += 1;
        }
        stripe.count(bytes);
        Ok(())
    }

    fn lease_slots(&self, lease: &mut Lease) -> Result<()> {
        let block = {
            let mut body = self.body.lock();
            if body.closed {
                return Err(self.gone());
            }
            body.index.lease(&self.core, &self.held, self.header)
        };
        self.core.notifier.flush(); // what was evicted for it
        let block = block?;
        self.core.log.leased(self.batch, self.base.wrapping_add(block.first), block.slots as u32);
        lease.block = Some(block);
        lease.used = 0;
        Ok(())
    }

    fn lease_chunk(&self, lease: &mut Lease, bytes: u64) -> Result<()> {
        let result = {
            let mut body = self.body.lock();
            if body.closed {
                return Err(self.gone());
            }
            let wished = (body.chunks.pages() / 4).clamp(1, MAX_CHUNK);
            self.core.lend(&self.held, wished, bytes.div_ceil(PAGE)).map(|run| {
                let chunk = Arc::new(run);
                body.chunks.add_leased(&chunk);
                let old = lease.chunk.replace(chunk);
                (old.as_ref().and_then(|old| body.chunks.retire(old.offset(), lease.made)), old)
            })
        };
        self.core.notifier.flush();
        // the old chunk's memory, if nothing is left in it, goes here, after the lock
        drop(result?);
        if let Some(chunk) = &lease.chunk {
            lease.cursor = chunk.offset();
            lease.end = chunk.offset() + chunk.len();
            lease.made = 0;
        }
        Ok(())
    }

    fn lend_single(&self, bytes: u64) -> Result<Chunk> {
        let pages = bytes.div_ceil(PAGE);
        let result = {
            let mut body = self.body.lock();
            if body.closed {
                return Err(self.gone());
            }
            self.core.lend(&self.held, pages, pages).map(|run| {
                let chunk = Arc::new(run);
                body.chunks.add_single(&chunk);
                chunk
            })
        };
        self.core.notifier.flush();
        result
    }

    #[cold]
    fn gone(&self) -> crate::error::Error {
        let none = ObjectId::new(self.batch, self.base, 0);
        collected(&none, self.batch)
    }
}
