//! What becomes of an object after it was made: sealed, aborted, deleted, freed, moved; and who holds it meanwhile.

use std::sync::atomic::Ordering;

use parking_lot::MutexGuard;

use super::spill::Fetched;
use super::spilled::Left;
use super::{Body, Region, Seen, bare, collected};
use crate::error::{Error, ErrorCode, Result};
use crate::id::ObjectId;
use crate::store::chunks::Chunk;
use crate::store::layout::{EntryState, footprint};
use crate::store::notify::{Event, EventKind};
use crate::store::pin::Place;
use crate::store::table::{Adopted, Finish, Owner, Room, already_sealed, in_use};
use crate::store::types::{Found, Kind, Removal};

/// Memory, or a part of a file, that nothing lies in any more: given back when it is dropped, with no lock held.
#[expect(dead_code, reason = "held for its drop")]
pub(super) enum Gone {
    Chunk(Chunk),
    Spilled(Left),
}

impl Region {
    /// A reader's hold ends.
    pub(in crate::store) fn release(&self, slot: u64, chunk: Option<Chunk>) {
        let mut body = self.body.lock();
        let gone = self.release_locked(&mut body, slot);
        drop(body);
        drop((chunk, gone));
        self.core.notifier.flush();
    }

    /// Ends one hold, and does what waited for the last one.
    fn release_locked(&self, body: &mut MutexGuard<'_, Body>, slot: u64) -> Option<Gone> {
        let holds = body.holds.get_mut(&slot)?;
        holds.count -= 1;
        if holds.count > 0 {
            return None;
        }
        let then = body.holds.remove(&slot)?.then?;
        if body.closed {
            return None;
        }
        match self.see(slot, None) {
            Found::Here(seen) => self.remove_locked(body, slot, &seen, then),
            _ => None,
        }
    }

    /// A writer is done.
    pub(in crate::store) fn finish(&self, slot: u64, id: &ObjectId, place: Place, end: Finish) -> Result<()> {
        let mut body = self.body.lock();
        let result;
        let mut gone = None;
        if body.moved_unsealed.remove(&slot) {
            gone = self.release_locked(&mut body, slot);
            drop(body);
            result = self.core.table.finish_adopted(id, place, end);
        } else if body.closed {
            body.holds.remove(&slot);
            drop(body);
            result = Err(collected(id, self.batch));
        } else {
            result = match self.see(slot, None) {
                Found::Here(seen) if seen.entry.state == EntryState::Created => {
                    match end {
                        Finish::Seal => self.seal_locked(id, &seen, &place),
                        Finish::Abort => gone = self.remove_locked(&mut body, slot, &seen, EntryState::Aborted),
                        Finish::Release => {}
                    }
                    Ok(())
                }
                Found::Dropped => Err(collected(id, self.batch)),
                _ => Err(already_sealed(id)),
            };
            let last = self.release_locked(&mut body, slot);
            drop(body);
            drop(last);
        }
        drop(gone);
        self.core.notifier.flush();
        result
    }

    fn seal_locked(&self, id: &ObjectId, seen: &Seen<'_>, place: &Place) {
        seen.words.change(&seen.entry.with_state(EntryState::Sealed));
        self.core.notifier.post(Event::object(EventKind::Sealed, *id, place.len, place.metadata));
    }

    /// Seals an object whose writer was released.
    ///
    /// # Errors
    /// `ObjectNotFound`, `ObjectSealed`, `ObjectInUse` while its writer is open.
    pub fn seal(&self, id: &ObjectId) -> Result<()> {
        let body = self.body.lock();
        let seen = self.released(&body, id)?;
        self.seal_locked(id, &seen, &self.place(&seen.entry).unwrap_or_else(|| bare(&seen.entry)));
        drop(body);
        self.core.notifier.flush();
        Ok(())
    }

    /// Aborts an object whose writer was released.
    ///
    /// # Errors
    /// As for `seal`.
    pub fn abort(&self, id: &ObjectId) -> Result<()> {
        let mut body = self.body.lock();
        let seen = self.released(&body, id)?;
        let gone = self.remove_locked(&mut body, id.slot(self.base), &seen, EntryState::Aborted);
        drop(body);
        drop(gone);
        self.core.notifier.flush();
        Ok(())
    }

    /// An unsealed object that no writer holds.
    fn released(&self, body: &Body, id: &ObjectId) -> Result<Seen<'_>> {
        if body.closed {
            return Err(collected(id, self.batch));
        }
        match self.see_id(id) {
            Found::Here(seen) if seen.entry.state.is_sealed() => Err(already_sealed(id)),
            Found::Here(_) if body.holds.contains_key(&id.slot(self.base)) => Err(in_use(id)),
            Found::Here(seen) => Ok(seen),
            Found::Dropped => Err(collected(id, self.batch)),
            _ => Err(Error::new(ErrorCode::ObjectNotFound, format!("there is no unsealed object {id}")).object(*id)),
        }
    }

    /// Deletes a sealed object; one that is held goes with its last hold.
    ///
    /// # Errors
    /// `ObjectNotSealed`.
    pub fn delete(&self, id: &ObjectId) -> Result<Found<Removal>> {
        self.take_away(id, EntryState::Deleted)
    }

    /// Gives up a sealed object's bytes; its chunk goes when nothing else is in it.
    ///
    /// # Errors
    /// `ObjectNotSealed`.
    pub fn free(&self, id: &ObjectId) -> Result<Found<Removal>> {
        self.take_away(id, EntryState::Freed)
    }

    fn take_away(&self, id: &ObjectId, then: EntryState) -> Result<Found<Removal>> {
        let slot = id.slot(self.base);
        if self.core.notifier.is_awaited() {
            // whoever put it just now has told of it before the deletion is
            self.synchronize();
        }
        let mut body = self.body.lock();
        if body.closed {
            return Ok(Found::Dropped);
        }
        let seen = match self.see_id(id) {
            Found::Here(seen) => seen,
            other => return Ok(other.map(|_| Removal::Done)),
        };
        if !seen.entry.state.is_sealed() {
            let what = format!("object {id} is not sealed; seal or abort it instead");
            return Err(Error::new(ErrorCode::ObjectNotSealed, what).object(*id));
        }
        if let Some(holds) = body.holds.get_mut(&slot) {
            // a deletion outweighs a hint
            if holds.then != Some(EntryState::Deleted) {
                holds.then = Some(then);
            }
            return Ok(Found::Here(Removal::Deferred));
        }
        let gone = self.remove_locked(&mut body, slot, &seen, then);
        drop(body);
        drop(gone);
        self.core.notifier.flush();
        Ok(Found::Here(Removal::Done))
    }

    /// Marks an entry gone and counts it; returns what that was the last object of, to be dropped after the lock.
    fn remove_locked(&self, body: &mut Body, slot: u64, seen: &Seen<'_>, then: EntryState) -> Option<Gone> {
        let place = self.place_locked(body, slot, &seen.entry).unwrap_or_else(|| bare(&seen.entry));
        let bytes = place.len + place.metadata;
        // the entry changes before its memory can be lent again: a reader that validates sees it
        seen.words.change(&seen.entry.with_state(then));
        self.count_gone(bytes);
        if let Some(budget) = &self.budget
            && then != EntryState::Moved
        {
            budget.release(bytes, 1);
        }
        let id = self.id(slot, &seen.entry);
        match then {
            EntryState::Deleted | EntryState::Freed => {
                self.core.notifier.post(Event::object(EventKind::Deleted, id, place.len, place.metadata));
            }
            EntryState::Aborted => self.core.notifier.post_gone(&id),
            _ => {}
        }
        if footprint(place.len, place.metadata) == 0 {
            None
        } else if seen.entry.state == EntryState::Spilled {
            self.leave_file(body, slot, place.offset, bytes).map(Gone::Spilled)
        } else {
            body.chunks.leave(place.offset).map(Gone::Chunk)
        }
    }

    fn count_gone(&self, bytes: u64) {
        self.peak.fetch_max(self.live().1, Ordering::Relaxed);
        self.gone_objects.fetch_add(1, Ordering::Relaxed);
        self.gone_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Hands an object, sealed or not, to the side table for another owner: its run if it is large, a copy if it is
    /// small. Its id stays. The budget it counts to stays the caller's affair.
    ///
    /// # Errors
    /// `StoreFull`, and for a spilled one as for `pin`: nothing changed.
    pub fn move_to_table(&self, id: &ObjectId, owner: impl Into<Owner>) -> Result<Found<()>> {
        let owner = owner.into();
        let slot = id.slot(self.base);
        let mut fetched: Option<Fetched> = None;
        let mut room: Option<Room> = None;
        loop {
            let mut body = self.body.lock();
            if body.closed {
                return Ok(Found::Dropped);
            }
            let seen = match self.see_id(id) {
                Found::Here(seen) => seen,
                other => return Ok(other.map(|_| ())),
            };
            if body.holds.get(&slot).is_some_and(|h| h.then.is_some()) {
                return Ok(Found::Deleted);
            }
            let kind = Kind::try_from(seen.entry.kind)?;
            let place = self.place_locked(&body, slot, &seen.entry).ok_or_else(|| self.broken(slot))?;
            let bytes = footprint(place.len, place.metadata);
            let spilled = seen.entry.state == EntryState::Spilled;
            // bytes that were read without the lock are another object's if this one was freed and sealed again
            let apart = fetched.as_ref().filter(|_| spilled).and_then(|fetched| fetched.bytes_of(&body, &seen));
            if spilled && apart.is_none() {
                drop(body);
                // what was copied there is of what was fetched before
                drop(room.take());
                fetched = self.fetch(slot, id.index)?;
                continue;
            }
            let takes_run = !spilled && bytes > 0 && body.chunks.is_single(place.offset);
            if !takes_run && room.as_ref().map_or(0, Room::bytes) != bytes {
                drop(body);
                // one of another size, from before, goes first
                drop(room.take());
                let lent = self.core.table.room(&owner, bytes);
                self.core.notifier.flush(); // what was evicted for it
                let lent = lent?;
                if let Some(apart) = &apart {
                    lent.fill(apart, &place);
                }
                room = Some(lent);
                continue;
            }
            let single = if takes_run { body.chunks.take_single(place.offset) } else { None };
            let sealed = seen.entry.state.is_sealed();
            let written = !sealed && body.holds.contains_key(&slot);
            let room = room.take().filter(|_| !takes_run);
            let adopted = Adopted { id: *id, owner, kind, place, sealed, written, single, room, copied: spilled };
            self.core.table.adopt(adopted);
            if written {
                body.moved_unsealed.insert(slot);
            }
            let gone = self.remove_locked(&mut body, slot, &seen, EntryState::Moved);
            drop(body);
            drop(gone);
            self.core.notifier.flush();
            return Ok(Found::Here(()));
        }
    }
}
