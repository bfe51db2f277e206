//! Memory for an object of the table, lent with no lock held: the system may have to allocate it, and others would wait.

use std::sync::Arc;

use super::objects::{Memory, State};
use super::{Inner, Owner, Table};
use crate::error::Result;
use crate::store::apart::Apart;
use crate::store::arena::NoRoom;
use crate::store::heap::{Heap, LARGEST_CELL};
use crate::store::layout::PAGE;
use crate::store::pin::Place;
use crate::store::run::Run;
use crate::store::share::Share;

/// See the module. Given back when it is dropped, for which the table's lock must be free.
pub(crate) struct Room {
    table: Arc<Inner>,
    memory: Memory,
    offset: u64,
    bytes: u64,
}

impl Room {
    /// What was asked for.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Copies an object of these lengths to it.
    pub(crate) fn fill(&self, apart: &Apart, place: &Place) {
        apart.copy_to(place, &self.table.arena, &Place { offset: self.offset, ..*place });
    }

    /// Takes it for an object: the memory, and where it lies.
    pub(super) fn take(mut self) -> (Memory, u64) {
        (std::mem::replace(&mut self.memory, Memory::Nowhere), self.offset)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let memory = std::mem::replace(&mut self.memory, Memory::Nowhere);
        if !matches!(memory, Memory::Nowhere) {
            let freed = self.table.state.lock().give_up(memory);
            drop(freed);
        }
    }
}

impl State {
    /// Memory for so many bytes, where none has to be lent for them.
    pub(super) fn at_once(&mut self, bytes: u64) -> Option<(Memory, u64)> {
        match bytes {
            0 => Some((Memory::Nowhere, 0)),
            1..=LARGEST_CELL => self.heap.take(bytes).map(|(cell, offset)| (Memory::Cell(cell), offset)),
            _ => None,
        }
    }
}

impl Inner {
    /// Memory for so many bytes, evicting what it takes.
    ///
    /// # Errors
    /// `StoreFull`.
    pub(super) fn room(self: &Arc<Self>, share: Option<&Arc<Share>>, bytes: u64) -> Result<Room> {
        let mut excess = bytes;
        loop {
            let no_room = match self.try_room(bytes) {
                Ok(room) => return Ok(room),
                Err(no_room) => no_room,
            };
            if bytes > self.arena.len() || !self.shares.may_evict(share, bytes) || self.evict(excess, true) == 0 {
                self.shares.failed(share, bytes);
                return Err(self.arena.explain(&no_room));
            }
            // what was evicted may lie scattered: ask for more each time
            excess = excess.saturating_mul(2);
        }
    }

    /// Memory for so many bytes, if there is any.
    pub(super) fn try_room(self: &Arc<Self>, bytes: u64) -> std::result::Result<Room, NoRoom> {
        let of = |(memory, offset)| Room { table: Arc::clone(self), memory, offset, bytes };
        if bytes > LARGEST_CELL {
            let run = Run::lend(&self.arena, &self.held, bytes.div_ceil(PAGE))?;
            let offset = run.offset();
            return Ok(of((Memory::Single(Arc::new(run)), offset)));
        }
        loop {
            let found = self.state.lock().at_once(bytes);
            if let Some(found) = found {
                return Ok(of(found));
            }
            let slab = Heap::lend(&self.arena, &self.held, bytes)?;
            let too_many = self.state.lock().heap.add(slab, bytes);
            drop(too_many);
        }
    }
}

impl Table {
    /// Memory for an object of so many bytes, to be adopted: see [`Table::adopt`]. Evictions are told with the next flush.
    ///
    /// # Errors
    /// `StoreFull` after evicting what may be.
    pub(crate) fn room(&self, owner: &Owner, bytes: u64) -> Result<Room> {
        self.inner.room(owner.share.as_ref(), bytes)
    }
}
