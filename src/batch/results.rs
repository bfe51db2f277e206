//! What tasks make: objects under ids that were given out before, and what is known of them.
//!
//! A result goes where its id says, to the region of the batch that its task is of; once that batch gave it away and it
//! was freed there, to the one that keeps it. In normal mode, and in a store that ignores batches, to the side table.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::client::Client;
use super::engine::Engine;
use super::keeping::is_unsealed;
use super::tree::{Batch, Claim};
use super::{BatchKey, errors};
use crate::error::{Error, Result};
use crate::id::{BatchId, ObjectId};
use crate::store::{Found, Kind, ObjectState, Region, Sink, Slot, Source, Span};

/// What there is of an object.
#[derive(Debug)]
pub(crate) enum Presence {
    /// It is there, and of this kind.
    Sealed(Kind),
    /// Somebody writes it.
    Unsealed,
    /// Not made yet. In normal mode, and in a store that ignores batches, also: not there any more.
    Absent,
    /// Its bytes were given up: its task can make it again.
    Freed,
    /// There will never be one: why.
    Gone(Error),
}

/// Learns an object's kind, and copies nothing.
struct Glance;

impl Sink for Glance {
    fn prepare(&mut self, _kind: Kind, _len: usize) -> Result<()> {
        Ok(())
    }

    fn copy_from(&mut self, _source: &Span<'_>) -> Result<()> {
        Ok(())
    }
}

impl Client {
    /// Consecutive slots of normal mode that no put takes; returns the first. The ids of a task with the first `n` of
    /// them are `(0, normal_base + first, 0..n)`.
    pub(crate) fn normal_block(&self, count: u64) -> u64 {
        self.normal_slots.fetch_add(count, Ordering::Relaxed)
    }
}

impl Engine {
    /// Consecutive slots of a batch, at least so many, for [`put_result`](Engine::put_result): returns the first one. No
    /// put takes them, and the batch's `GC:` table does not know of them.
    ///
    /// # Errors
    /// `StoreFull`; `BatchEnded` for a batch that is collected.
    pub(crate) fn reserve_slots(&self, batch: &Batch, count: u64) -> Result<u64> {
        match batch.region() {
            Some(region) => region.reserve_slots(count).map_err(|e| self.refused(batch, e)),
            None => Ok(batch.take_slots(count)),
        }
    }

    /// Seals an object under an id that was given out for it, also in a batch that has ended: the first value stays.
    /// False when nothing was done: it is there, or on its way; it was deleted; or its batch is collected, or whoever
    /// kept it is. One that was given away before it was made goes where it is to.
    ///
    /// # Errors
    /// `BatchLimit`, `StoreFull`, `InvalidArgument` for more than 2³¹ − 1 bytes, what the source says.
    pub(crate) fn put_result(&self, id: &ObjectId, kind: Kind, source: &dyn Source) -> Result<bool> {
        if id.batch.is_normal() || self.is_lru() {
            let put = self.store.table().refill(*id, BatchId::NORMAL, kind, source);
            return put.map_err(|e| self.with_holders(e));
        }
        let Some(maker) = self.live(BatchKey::any(id.batch)) else { return Ok(false) };
        let Some(region) = maker.region() else { return Ok(false) };
        let slot = Slot { slot: id.slot(region.base()), index: id.index };
        match region.put_at(slot, kind, source).map_err(|e| self.refused(&maker, e))? {
            Found::Here(made) => {
                if made {
                    self.keep_promise(&maker, id);
                }
                Ok(made)
            }
            Found::Moved => self.refill(&maker, id, kind, source),
            _ => Ok(false),
        }
    }

    /// Seals an object again that its maker gave away and that was freed since, as its keeper's.
    fn refill(&self, maker: &Batch, id: &ObjectId, kind: Kind, source: &dyn Source) -> Result<bool> {
        let Some(keeper) = self.last_keeper(maker, id) else { return Ok(false) };
        let number = self.handle();
        if keeper.claim(id, number) != Claim::Ours {
            // it is there; or its keeper is collected
            return Ok(false);
        }
        let table = self.store.table();
        let charge = keeper.budget.as_ref().map(|_| source.len() as u64);
        let reserved = keeper.budget.as_ref().map_or(Ok(()), |budget| budget.reserve(source.len() as u64, 1));
        let made = reserved.and_then(|()| {
            let made = table.refill(*id, keeper.as_owner(), kind, source);
            if !matches!(made, Ok(true)) {
                keeper.refund(charge);
            }
            made
        });
        if matches!(made, Ok(true)) {
            self.settle(&keeper, id, number, charge);
        } else {
            keeper.unclaim(id, number);
        }
        made.map_err(|e| self.not_kept(&keeper, e))
    }

    /// Who has an object that a live batch made and gave away; `None` when that one is collected.
    fn last_keeper(&self, maker: &Batch, id: &ObjectId) -> Option<Arc<Batch>> {
        self.live(self.last_hands(maker.given(id)?))
    }

    /// What there is of an object.
    pub(crate) fn presence(&self, id: &ObjectId) -> Presence {
        if id.batch.is_normal() || self.is_lru() {
            return self.presence_in_table(id).unwrap_or(Presence::Absent);
        }
        let maker = self.live(BatchKey::any(id.batch));
        let gone = || Presence::Gone(self.missing(id));
        let Some((maker, region)) = maker.as_ref().and_then(|b| b.region().map(|region| (b, region))) else {
            return self.presence_in_table(id).unwrap_or_else(gone);
        };
        match presence_in(region, id) {
            Found::Here(presence) => presence,
            Found::Absent => Presence::Absent,
            Found::Freed => Presence::Freed,
            Found::Deleted => Presence::Gone(errors::no_object(id, "it was deleted or aborted")),
            Found::Moved => self
                .presence_in_table(id)
                .unwrap_or_else(|| if self.last_keeper(maker, id).is_some() { Presence::Freed } else { gone() }),
            // of an earlier life; or it went just now
            Found::Unknown | Found::Dropped => self.presence_in_table(id).unwrap_or_else(gone),
        }
    }

    fn presence_in_table(&self, id: &ObjectId) -> Option<Presence> {
        let table = self.store.table();
        match table.get(id, &mut Glance) {
            Ok(Found::Here(kind)) => Some(Presence::Sealed(kind)),
            Ok(_) => is_unsealed(&table.state(id)).then_some(Presence::Unsealed),
            Err(e) => Some(Presence::Gone(e)),
        }
    }

    /// True when another batch than its maker owns the object: it has no lineage once its maker is collected.
    pub(crate) fn is_kept(&self, id: &ObjectId) -> bool {
        match self.store.table().owner(id) {
            None | Some(BatchId::NORMAL) => false,
            Some(owner) if owner != id.batch => true,
            // given back to its maker, or to a later life of that id
            Some(owner) => {
                let batch = self.live(BatchKey::any(owner));
                batch.as_ref().and_then(|b| b.region()).is_none_or(|region| region.state(id) != Found::Moved)
            }
        }
    }
}

/// What a region knows of an object.
fn presence_in(region: &Region, id: &ObjectId) -> Found<Presence> {
    loop {
        match region.get(id, &mut Glance) {
            Ok(Found::Absent) => {}
            Ok(other) => return other.map(Presence::Sealed),
            Err(e) => return Found::Here(Presence::Gone(e)),
        }
        match region.state(id) {
            // sealed just now
            Found::Here(ObjectState::Sealed) => {}
            other => return other.map(|_| Presence::Unsealed),
        }
    }
}

#[cfg(test)]
mod tests;
