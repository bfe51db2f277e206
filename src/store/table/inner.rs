//! What goes on under the side table's lock, and who holds an object of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};

use super::Owner;
use super::objects::{Object, State};
use super::room::Room;
use crate::error::{Error, ErrorCode, Result};
use crate::id::{BatchId, ObjectId};
use crate::store::arena::Arena;
use crate::store::journal::{Note, Occasion};
use crate::store::layout::{MAX_OBJECT, footprint};
use crate::store::notify::{EventKind, Notifier};
use crate::store::pin::Place;
use crate::store::run::Held;
use crate::store::share::Shares;
use crate::store::spill::Spill;
use crate::store::types::{Kind, Removal};

/// What the table shares with the pins and writers in it.
pub(crate) struct Inner {
    pub(super) arena: Arc<Arena>,
    pub(super) notifier: Arc<Notifier>,
    pub(super) held: Arc<Held>,
    pub(super) state: Mutex<State>,
    /// how the arena is divided
    pub(super) shares: Arc<Shares>,
    /// files for what does not fit, if there are any
    pub(super) spill: Option<Arc<Spill>>,
    pub(super) evicted_objects: AtomicU64,
    pub(super) evicted_bytes: AtomicU64,
}

impl Inner {
    /// Memory and an entry for an unsealed object; `None` when there is one of that id.
    pub(super) fn create(
        self: &Arc<Self>,
        id: ObjectId,
        owner: Owner,
        len: u64,
        metadata: u64,
        kind: Kind,
    ) -> Result<Option<(u32, Place)>> {
        let bytes = footprint(len, metadata);
        let mut room: Option<Room> = None;
        loop {
            let mut state = self.state.lock();
            if state.find(&id).is_some() {
                drop(state);
                return Ok(None); // its memory goes after the lock
            }
            let Some((memory, offset)) = room.take().map(Room::take).or_else(|| state.at_once(bytes)) else {
                drop(state);
                room = Some(self.room(owner.share.as_ref(), bytes).map_err(|e| e.object(id))?);
                continue;
            };
            let place = Place { offset, len, metadata };
            let object = Object::new(id, owner, kind, memory, place, false);
            return Ok(Some((state.insert(object), place)));
        }
    }

    pub(super) fn evict(&self, bytes: u64, at_least_one: bool) -> u64 {
        let mut state = self.state.lock();
        self.evict_locked(&mut state, bytes, at_least_one)
    }

    pub(super) fn evict_locked(&self, state: &mut MutexGuard<'_, State>, bytes: u64, at_least_one: bool) -> u64 {
        if at_least_one && self.spill.as_ref().is_some_and(|spill| spill.normal_mode) {
            return 0; // they go to files, not away
        }
        let (mut count, mut freed) = (0, 0);
        let mut claimed = Vec::new();
        while freed < bytes || (at_least_one && count == 0) {
            let oldest = state.oldest;
            if state.get(oldest).is_some_and(|object| self.notifier.claims().has(&object.id)) {
                // a waiter is about to read it
                state.leave_order(oldest);
                claimed.push(oldest);
                continue;
            }
            let Some((object, memory)) = state.remove(oldest) else { break };
            count += 1;
            freed += object.bytes();
            drop(memory);
            self.notifier.post(object.event(EventKind::Evicted));
        }
        claimed.into_iter().for_each(|n| state.touch(n));
        self.evicted_objects.fetch_add(count, Ordering::Relaxed);
        self.evicted_bytes.fetch_add(freed, Ordering::Relaxed);
        if count > 0 {
            let note = Note { objects: count, bytes: freed, ..Note::new(Occasion::Evicted, BatchId::NORMAL) };
            self.notifier.journal().note(|| note);
        }
        if at_least_one { freed.max(count) } else { freed }
    }

    /// Removes now or with the last hold; `hide` lets nobody find it any more meanwhile.
    pub(super) fn doom(&self, mut state: MutexGuard<'_, State>, n: u32, hide: bool) -> Removal {
        if let Some(object) = state.get_mut(n).filter(|o| o.holds > 0) {
            object.doomed = true;
            if object.filing && object.holds == 1 {
                // its memory goes when it is written; for all others it is gone now
                object.hidden = true;
                object.told = true;
                let bytes = object.bytes();
                self.notifier.post(object.event(EventKind::Deleted));
                state.live_bytes -= bytes;
                state.live_objects -= 1;
                drop(state);
                self.notifier.flush();
                return Removal::Done;
            }
            object.hidden |= hide;
            if hide && !object.sealed {
                // for all but its writer it can never be
                self.notifier.post_gone(&object.id);
            }
            drop(state);
            self.notifier.flush();
            return Removal::Deferred;
        }
        self.remove(state, n);
        Removal::Done
    }

    /// One hold less; the last takes with it what is doomed.
    pub(super) fn let_go(&self, mut state: MutexGuard<'_, State>, n: u32) {
        let Some(object) = state.get_mut(n) else { return };
        object.holds -= 1;
        if object.holds == 0 && object.doomed {
            self.remove(state, n);
        } else {
            state.touch(n);
        }
    }

    /// Takes an object out, and tells who listens or waits.
    pub(super) fn remove(&self, mut state: MutexGuard<'_, State>, n: u32) {
        let gone = state.remove(n);
        if let Some((object, _)) = &gone {
            if object.told {
                // it was gone for them before
            } else if object.sealed {
                self.notifier.post(object.event(EventKind::Deleted));
            } else {
                self.notifier.post_gone(&object.id);
            }
        }
        drop(state);
        drop(gone);
        self.notifier.flush();
    }

    /// Seals. The event is posted under the lock, so that no later one of the object comes before it.
    pub(super) fn seal_locked(&self, state: &mut MutexGuard<'_, State>, n: u32) {
        let Some(object) = state.get_mut(n) else { return };
        object.sealed = true;
        self.notifier.post(object.event(EventKind::Sealed));
        state.touch(n);
    }

    /// For a writer that is done: seals, aborts, or leaves it unsealed.
    pub(crate) fn finish(&self, n: u32, end: Finish) {
        let mut state = self.state.lock();
        let Some(object) = state.get_mut(n) else { return };
        object.holds -= 1;
        match end {
            Finish::Seal if !object.doomed => self.seal_locked(&mut state, n),
            Finish::Release if !object.doomed => {}
            // a buffer over its memory is reachable still: it goes with that
            _ if object.holds > 0 => {
                object.doomed = true;
                object.hidden = true;
                self.notifier.post_gone(&object.id);
            }
            _ => return self.remove(state, n),
        }
        drop(state);
        self.notifier.flush();
    }
}

/// How a writer ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finish {
    Seal,
    Abort,
    Release,
}

/// An object being copied in: finished on drop.
pub(super) struct Writing<'a> {
    pub(super) table: &'a Inner,
    pub(super) n: u32,
    pub(super) end: Finish,
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.table.finish(self.n, self.end);
    }
}

/// A reader's hold on an object of the table.
pub(crate) struct TableHold {
    pub(super) table: Arc<Inner>,
    pub(super) n: u32,
}

impl TableHold {
    /// One more hold on an object that is held already.
    pub(crate) fn another(table: &Arc<Inner>, n: u32) -> Self {
        if let Some(object) = table.state.lock().get_mut(n) {
            object.holds += 1;
        }
        TableHold { table: Arc::clone(table), n }
    }
}

impl Clone for TableHold {
    fn clone(&self) -> Self {
        TableHold::another(&self.table, self.n)
    }
}

impl Drop for TableHold {
    fn drop(&mut self) {
        self.table.let_go(self.table.state.lock(), self.n);
    }
}

pub(super) fn exists(id: &ObjectId) -> Error {
    Error::new(ErrorCode::ObjectExists, format!("object {id} exists; delete it first, or use another id")).object(*id)
}

pub(super) fn missing(id: &ObjectId) -> Error {
    Error::new(ErrorCode::ObjectNotFound, format!("there is no object {id}")).object(*id)
}

pub(super) fn not_sealed(id: &ObjectId) -> Error {
    Error::new(ErrorCode::ObjectNotSealed, format!("object {id} is not sealed; seal or abort it instead")).object(*id)
}

/// An unsealed object that no writer holds.
pub(super) fn released(state: &State, id: &ObjectId) -> Result<u32> {
    let found = state.find(id).and_then(|n| state.get(n).map(|o| (n, o)));
    match found {
        None => Err(missing(id)),
        Some((_, o)) if o.sealed => Err(already_sealed(id)),
        Some((_, o)) if o.holds > 0 => Err(in_use(id)),
        Some((n, _)) => Ok(n),
    }
}

pub(crate) fn already_sealed(id: &ObjectId) -> Error {
    Error::new(ErrorCode::ObjectSealed, format!("object {id} is sealed already, and immutable")).object(*id)
}

pub(crate) fn in_use(id: &ObjectId) -> Error {
    Error::new(
        ErrorCode::ObjectInUse,
        format!("object {id} has an open writer; seal or abort through it, or release it first"),
    )
    .object(*id)
}

pub(crate) fn check_size(size: u64, metadata: u64) -> Result<()> {
    if size > MAX_OBJECT || metadata > MAX_OBJECT {
        return Err(Error::new(
            ErrorCode::InvalidArgument,
            format!("an object has at most {MAX_OBJECT} bytes of data and of metadata, not {size} and {metadata}"),
        ));
    }
    Ok(())
}
