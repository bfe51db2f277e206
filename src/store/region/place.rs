//! Objects in slots that were given out beforehand: the results of tasks.
//!
//! The slots are reserved when the task is made, long before there is an object, so a waiter has an id to wait for. The
//! object is sealed there once; and once more when its bytes were given up since, and the task ran again. What is there
//! already stays. All of that is decided under `body`, so two that race for a slot never both fill it, and none fills
//! one of a region that is dropped. Such an object has its memory from a lease's chunk as any other, but counts beside
//! the leases.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Region;
use crate::error::Result;
use crate::id::ObjectId;
use crate::store::chunks::Chunk;
use crate::store::core::Asks;
use crate::store::index::find;
use crate::store::layout::{Entry, EntryState, PAGE, SLOTS, alignment, footprint};
use crate::store::lease::LARGE;
use crate::store::notify::{Event, EventKind};
use crate::store::run::Run;
use crate::store::seqlock::before_again;
use crate::store::table::check_size;
use crate::store::types::{Found, Kind, Slot, Source};

impl Region {
    /// Reserves at least so many consecutive slots, whole index pages of them, that no put will take: for `put_at`.
    /// Returns the first one. The log is not told.
    ///
    /// # Errors
    /// `StoreFull`, `ObjectCollected` when the region was dropped: nothing was reserved.
    pub fn reserve_slots(&self, count: u64) -> Result<u64> {
        let reserved = self.reserve_pages(count.div_ceil(SLOTS).max(1));
        self.core.notifier.flush(); // what was evicted for it
        reserved
    }

    /// As `lease_slots`, what is needed is lent without the lock.
    fn reserve_pages(&self, pages: u64) -> Result<u64> {
        let mut lent: Option<Vec<Run>> = None;
        let mut directory: Option<Run> = None;
        loop {
            let mut body = self.body.lock();
            if body.closed {
                drop(body);
                return Err(self.gone()); // what was lent goes after the lock
            }
            if let Some(directory) = directory.take() {
                body.index.set_directory(&self.core, self.header, directory);
            }
            let Some(runs) = lent.take() else {
                drop(body);
                lent = Some(self.lend_index(pages)?);
                continue;
            };
            if let Some((wished, least)) = body.index.directory_for(pages) {
                drop(body);
                directory = Some(self.core.lend_to(Asks::Task, &self.held, wished, least)?);
                lent = Some(runs);
                continue;
            }
            return Ok(body.index.reserve(&self.core, self.header, runs));
        }
    }

    /// True for an object in a slot that was reserved: no put makes it.
    #[must_use]
    pub fn is_placed(&self, id: &ObjectId) -> bool {
        let body = self.body.lock();
        !body.closed && body.index.is_reserved(id.slot(self.base))
    }

    /// So many pages, in as few runs as there are.
    fn lend_index(&self, pages: u64) -> Result<Vec<Run>> {
        let most = self.core.arena.len() / PAGE;
        let mut runs = Vec::new();
        let mut left = pages.min(most + 1);
        while left > 0 {
            let run = self.core.lend_to(Asks::Task, &self.held, left, if left > most { left } else { 1 })?;
            left -= run.pages();
            runs.push(run);
        }
        Ok(runs)
    }

    /// Copies bytes into a sealed object in a reserved slot, if there is none, or its bytes were given up. False: there is
    /// one, sealed or not, and it stays as it is. Every other outcome says why there can be none; `Unknown` also that
    /// nobody reserved the slot.
    ///
    /// # Errors
    /// `BatchLimit`, `StoreFull` (never for an object of no bytes), `InvalidArgument` for more than 2³¹ − 1 bytes, what
    /// the source says: nothing was made.
    pub fn put_at(self: &Arc<Self>, slot: Slot, kind: Kind, source: &dyn Source) -> Result<Found<bool>> {
        let len = source.len() as u64;
        check_size(len, 0)?;
        // What is there needs neither memory nor a budget.
        match self.see(slot.slot, Some(slot.index)) {
            Found::Absent | Found::Freed => {}
            other => return Ok(other.map(|_| false)),
        }
        let filled =
            self.with_budget_if(len, || self.fill(slot, kind, source, len), |found| *found == Found::Here(true));
        self.core.notifier.flush();
        match filled {
            Err(_) if self.is_dropped() => Ok(Found::Dropped),
            other => other,
        }
    }

    fn fill(&self, slot: Slot, kind: Kind, source: &dyn Source, len: u64) -> Result<Found<bool>> {
        let made = |offset| Entry {
            state: EntryState::Sealed,
            kind: kind as u8,
            has_metadata: false,
            offset,
            len: len as u32,
            index: slot.index,
        };
        let copy = |offset| source.copy_to(&self.core.arena.span_mut(offset, len));
        let bytes = footprint(len, 0);
        if bytes == 0 {
            copy(0)?;
            Ok(self.seal_at(slot.slot, made(0), None))
        } else if bytes > LARGE {
            let single = self.lend_single(bytes, Asks::Task)?;
            copy(single.offset())?;
            Ok(self.seal_at(slot.slot, made(single.offset()), Some(&single)))
        } else {
            self.with_room(len, alignment(len), |offset| {
                copy(offset)?;
                Ok(self.seal_at(slot.slot, made(offset), None))
            })
        }
    }

    /// Publishes a whole object, if its slot is free for one.
    fn seal_at(&self, slot: u64, entry: Entry, single: Option<&Chunk>) -> Found<bool> {
        let mut body = self.body.lock();
        if body.closed {
            return Found::Dropped;
        }
        let again = match self.see(slot, Some(entry.index)) {
            Found::Absent if body.index.is_reserved(slot) => false,
            Found::Absent => return Found::Unknown, // a lease's, which will fill it
            Found::Freed => true,
            other => return other.map(|_| false),
        };
        let Some(words) = find(&self.core.arena, self.header, slot) else { return Found::Unknown };
        match single {
            Some(single) => body.chunks.add_single(single, slot),
            None => body.chunks.note_slot(entry.offset, slot),
        }
        if again {
            before_again(&self.refills);
            words.publish_again(&entry);
        } else {
            words.publish(&entry);
        }
        self.placed_objects.fetch_add(1, Ordering::Relaxed);
        self.placed_bytes.fetch_add(entry.len.into(), Ordering::Relaxed);
        // under the lock, so that no later event of the object comes before it
        let id = ObjectId::from_slot(self.batch, self.base, slot, entry.index);
        self.core.notifier.post(Event::object(EventKind::Sealed, id, entry.len.into(), 0));
        Found::Here(true)
    }
}
