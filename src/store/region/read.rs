//! Reading: validated copies, pins, lists.

use std::collections::HashMap;
use std::sync::Arc;

use super::spill::Fetched;
use super::{Region, Seen};
use crate::error::Result;
use crate::id::ObjectId;
use crate::store::layout::{EntryState, footprint};
use crate::store::pin::{Pin, Place};
use crate::store::types::{Found, Kind, ObjectInfo, ObjectState, Sink, Slot};

impl Region {
    /// What the object's state is.
    #[must_use]
    pub fn state(&self, id: &ObjectId) -> Found<ObjectState> {
        self.see_id(id).map(|seen| match seen.entry.state {
            EntryState::Created => ObjectState::Created,
            _ => ObjectState::Sealed,
        })
    }

    /// The object's bytes of data and metadata, sealed or not.
    #[must_use]
    pub fn size(&self, id: &ObjectId) -> Found<u64> {
        loop {
            let seen = match self.see_id(id) {
                Found::Here(seen) => seen,
                other => return other.map(|_| 0),
            };
            if let Some(place) = self.sizes(id.slot(self.base), &seen) {
                return Found::Here(place.len + place.metadata);
            }
        }
    }

    /// Copies an object out, without a lock: what was copied is validated before it is called read.
    ///
    /// # Errors
    /// What the sink says.
    pub fn get(&self, id: &ObjectId, sink: &mut dyn Sink) -> Result<Found<Kind>> {
        self.copy_out(id.slot(self.base), id.index, sink)
    }

    /// As `get`, for a slot that `put` returned.
    ///
    /// # Errors
    /// What the sink says.
    pub fn get_slot(&self, slot: Slot, sink: &mut dyn Sink) -> Result<Found<Kind>> {
        self.copy_out(slot.slot, slot.index, sink)
    }

    fn copy_out(&self, slot: u64, index: u32, sink: &mut dyn Sink) -> Result<Found<Kind>> {
        self.touch();
        loop {
            let seen = match self.see(slot, Some(index)) {
                Found::Here(seen) if seen.entry.state == EntryState::Sealed => seen,
                Found::Here(seen) if seen.entry.state.is_sealed() => match self.copy_held(slot, index, sink)? {
                    Some(kind) => return Ok(Found::Here(kind)),
                    None => continue,
                },
                Found::Here(_) => return Ok(Found::Absent),
                other => return Ok(other.map(|_| Kind::Bytes)),
            };
            let Some(place) = self.place(&seen.entry) else {
                if self.still(&seen) {
                    return Err(self.broken(slot));
                }
                continue;
            };
            if seen.entry.has_metadata && !self.still(&seen) {
                continue;
            }
            let kind = Kind::try_from(seen.entry.kind)?;
            sink.prepare(kind, place.len as usize)?;
            sink.copy_from(&place.data(&self.core.arena))?;
            if self.still(&seen) {
                return Ok(Found::Here(kind));
            }
            sink.discard();
        }
    }

    /// As `copy_out`, of what was spilled, and came back or not. `None`: it changed, look again.
    fn copy_held(&self, slot: u64, index: u32, sink: &mut dyn Sink) -> Result<Option<Kind>> {
        let Some(fetched) = self.fetch(slot, index)? else { return Ok(None) };
        let data = fetched.data(&self.core.arena);
        sink.prepare(fetched.kind, data.len())?;
        sink.copy_from(&data)?;
        Ok(Some(fetched.kind))
    }

    /// Pins a sealed object. One that was spilled is taken back if there is room, or pinned outside of the arena.
    ///
    /// # Errors
    /// `SpillCorrupt`, `Io`, `StoreFull`, for one that cannot be read back.
    pub fn pin(self: &Arc<Self>, id: &ObjectId) -> Result<Found<Pin>> {
        self.touch();
        let slot = id.slot(self.base);
        let mut fetched = None;
        loop {
            let mut body = self.body.lock();
            if body.closed {
                return Ok(Found::Dropped);
            }
            let seen = match self.see_id(id) {
                Found::Here(seen) if seen.entry.state.is_sealed() => seen,
                Found::Here(_) => return Ok(Found::Absent),
                other => return Ok(other.map(|_| unreachable!("no other outcome carries an entry"))),
            };
            let kind = Kind::try_from(seen.entry.kind)?;
            let place = self.place_locked(&body, slot, &seen.entry).ok_or_else(|| self.broken(slot))?;
            let region = Arc::clone(self);
            if seen.entry.state == EntryState::Spilled {
                // bytes that were read without the lock are another object's if this one was freed and sealed again
                let Some(bytes) = fetched.take().and_then(|fetched: Fetched| fetched.bytes_of(&body, &seen)) else {
                    drop(body);
                    fetched = self.fetch(slot, id.index)?;
                    continue;
                };
                body.hold(slot);
                drop(body);
                let place = Place { offset: 0, ..place };
                return Ok(Found::Here(Pin::apart(*id, kind, place, &self.core.arena, region, slot, bytes)));
            }
            body.hold(slot);
            let chunk = body.chunks.holding(place.offset).filter(|_| footprint(place.len, place.metadata) > 0).cloned();
            drop(body);
            return Ok(Found::Here(Pin::in_region(*id, kind, place, &self.core.arena, region, slot, chunk)));
        }
    }

    /// Slots and sizes of sealed objects, in the order of slots from `from` on, at most `most`. `None` once it is
    /// dropped.
    #[must_use]
    pub fn scan(&self, from: u64, most: usize) -> Option<Vec<(Slot, u64)>> {
        let slots = self.slots();
        let mut out = Vec::new();
        for slot in from..slots {
            if out.len() == most {
                break;
            }
            match self.see(slot, None) {
                Found::Here(seen) if seen.entry.state.is_sealed() => {
                    out.push((Slot { slot, index: seen.entry.index }, u64::from(seen.entry.len)));
                }
                Found::Dropped => return None,
                _ => {}
            }
        }
        (!self.is_dropped()).then_some(out)
    }

    /// All objects, in slot order; a put that returned before the call is among them.
    #[must_use]
    pub fn list(&self) -> Vec<ObjectInfo> {
        self.synchronize();
        let (slots, holds) = {
            let body = self.body.lock();
            let holds: HashMap<u64, u32> = body.holds.iter().map(|(&slot, h)| (slot, h.count)).collect();
            (body.index.slots(), holds)
        };
        let mut out = Vec::new();
        for slot in 0..slots {
            let Some((seen, place)) = self.see_whole(slot) else { continue };
            let Ok(kind) = Kind::try_from(seen.entry.kind) else { continue };
            out.push(ObjectInfo {
                id: self.id(slot, &seen.entry),
                size: place.len,
                metadata: place.metadata,
                state: if seen.entry.state.is_sealed() { ObjectState::Sealed } else { ObjectState::Created },
                references: holds.get(&slot).copied().unwrap_or(0),
                created_ms: 0,
                accessed_ms: 0,
                kind,
                owner: self.batch,
            });
        }
        out
    }

    /// The entry of a slot and where its object lies, looked at again for as long as they change: one that is just being
    /// sealed is there all the time.
    fn see_whole(&self, slot: u64) -> Option<(Seen<'_>, Place)> {
        loop {
            let Found::Here(seen) = self.see(slot, None) else { return None };
            if let Some(place) = self.sizes(slot, &seen) {
                return Some((seen, place));
            }
        }
    }
}
