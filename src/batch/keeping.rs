//! Keeping and transferring: another batch becomes the owner of an object, whose id stays.
//!
//! A move claims the object for its new owner, moves it, and looks whether the new owner was collected meanwhile, in
//! which case it takes the object away itself. So no lock is held while bytes are copied, and no object is left behind.
//!
//! What an object counts to budgets moves along: it is released from the one chain of budgets and reserved in the other,
//! and as they usually share their outer part, in this order. Limits are checked before. If another put takes the room
//! in between, the object moves nevertheless and is not charged: a limit may be exceeded by one object, but none is lost.

use std::sync::Arc;

use super::engine::Engine;
use super::record::Kept;
use super::tree::Batch;
use super::{BatchKey, errors};
use crate::error::{Error, ErrorCode, Result};
use crate::id::{BatchId, ObjectId};
use crate::store::{Found, ObjectState};

/// Who has an object.
pub(super) enum Owner {
    /// Normal mode.
    Normal,
    /// The batch that made it.
    Maker(Arc<Batch>),
    /// A batch that it was given to.
    Keeper(Arc<Batch>),
}

impl Owner {
    fn batch(&self) -> Option<&Arc<Batch>> {
        match self {
            Owner::Normal => None,
            Owner::Maker(batch) | Owner::Keeper(batch) => Some(batch),
        }
    }
}

/// One object that changes hands.
struct Move {
    id: ObjectId,
    owner: Owner,
    target: Arc<Batch>,
    /// Its bytes, where a budget is concerned.
    bytes: u64,
}

impl Engine {
    /// Makes `to` (`None`: the parent of the owner) the owner of objects of `from` (`None`: of whoever has each). An
    /// object of a batch that `from` is in stays where it is.
    ///
    /// All is checked before anything moves. If memory fails on the way, the error names the object; those before it in
    /// the list have moved.
    ///
    /// # Errors
    /// `NotOwner` naming the owner; `BatchEnded` for a batch that is over; `BatchLimit`; `StoreFull`; what the id says.
    pub(super) fn transfer(&self, ids: &[ObjectId], from: Option<BatchKey>, to: Option<BatchKey>) -> Result<()> {
        let from = from.map(|key| self.find(key)).transpose()?;
        let to = to.map(|key| self.find(key)).transpose()?;
        if let Some(target) = to.as_ref().filter(|t| !t.state().is_open()) {
            return Err(errors::ended(&target.record));
        }
        if self.is_lru() {
            return Ok(());
        }
        let mut moves: Vec<Move> = Vec::new();
        for id in ids {
            if moves.iter().any(|m| m.id == *id) {
                continue;
            }
            let owner = self.owner_of(id)?;
            let Some(target) = target(id, &owner, from.as_ref(), to.as_ref())? else { continue };
            let budgeted = target.budget.is_some() || owner.batch().is_some_and(|b| b.budget.is_some());
            let bytes = if budgeted { self.size_of(id, &owner) } else { 0 };
            moves.push(Move { id: *id, owner, target, bytes });
        }
        check_limits(&moves)?;
        moves.into_iter().try_for_each(|m| self.give(m))
    }

    /// Who has the object.
    ///
    /// # Errors
    /// Why nobody does.
    pub(super) fn owner_of(&self, id: &ObjectId) -> Result<Owner> {
        match self.store.table().owner(id) {
            Some(BatchId::NORMAL) => return Ok(Owner::Normal),
            Some(keeper) => {
                let keeper = self.live(BatchKey::any(keeper)).filter(|b| b.owns(id));
                return keeper.map(Owner::Keeper).ok_or_else(|| self.missing(id));
            }
            None => {}
        }
        let maker = self.live(BatchKey::any(id.batch));
        let state = maker.as_ref().and_then(|b| b.region()).map(|region| region.state(id));
        match (maker, state) {
            (Some(maker), Some(Found::Here(_))) => Ok(Owner::Maker(maker)),
            (_, Some(Found::Absent)) => Err(errors::no_object(id, "it was not made yet")),
            (_, Some(Found::Deleted)) => Err(errors::no_object(id, "it was deleted or aborted")),
            (_, Some(Found::Freed)) => Err(errors::lost(id)),
            _ => Err(self.missing(id)),
        }
    }

    fn size_of(&self, id: &ObjectId, owner: &Owner) -> u64 {
        let Owner::Maker(maker) = owner else { return self.store.table().size(id).unwrap_or(0) };
        let Some(region) = maker.region() else { return 0 };
        match region.pin(id) {
            Found::Here(pin) => (pin.data().len() + pin.metadata().len()) as u64,
            // not sealed: rare enough to look through all
            _ => region.list().iter().find(|o| o.id == *id).map_or(0, |o| o.size + o.metadata),
        }
    }

    fn give(&self, m: Move) -> Result<()> {
        let Move { id, owner, target, bytes } = m;
        if !target.adopt(id, None) {
            return Err(errors::ended(&target.record));
        }
        let record = Kept { id, to: target.key() };
        if let Some(batch) = owner.batch() {
            batch.kept.lock().push(record);
        }
        let charged = match self.move_object(&id, &owner, &target) {
            Ok(charged) => charged,
            Err(e) => {
                target.disown(&id);
                if let Some(batch) = owner.batch() {
                    batch.kept.lock().retain(|k| *k != record);
                }
                return Err(e);
            }
        };
        let source = owner.batch().and_then(|b| b.budget.as_ref());
        if let (Some(budget), Some((bytes, objects))) = (source, charged.of(bytes)) {
            budget.release(bytes, objects);
        }
        if let Some(budget) = &target.budget
            && budget.reserve(bytes, 1).is_ok()
            && !target.set_charge(&id, bytes)
        {
            budget.release(bytes, 1);
        }
        if target.adopted.lock().is_none() {
            self.store.table().remove(&id);
        }
        Ok(())
    }

    /// Moves it, and tells what it was charged where it was.
    fn move_object(&self, id: &ObjectId, owner: &Owner, target: &Batch) -> Result<Charged> {
        match owner {
            Owner::Maker(maker) => {
                let moved = match maker.region() {
                    Some(region) => {
                        region.move_to_table(id, target.id()).map_err(|e| self.with_holders(e.object(*id)))?
                    }
                    None => Found::Dropped,
                };
                match moved {
                    Found::Here(()) => Ok(Charged::Yes),
                    Found::Moved => Err(self.owner_of(id).map_or_else(|e| e, |now| not_owner(id, &now, maker))),
                    Found::Freed => Err(errors::lost(id)),
                    Found::Deleted | Found::Absent => Err(errors::no_object(id, "it was deleted or aborted")),
                    Found::Dropped | Found::Unknown => Err(self.missing(id)),
                }
            }
            Owner::Keeper(keeper) => {
                let charge = keeper.disown(id).ok_or_else(|| self.missing(id))?;
                if !self.store.table().set_owner(id, target.id()) {
                    return Err(self.missing(id));
                }
                Ok(charge.map_or(Charged::No, Charged::Bytes))
            }
            Owner::Normal => {
                if !self.store.table().set_owner(id, target.id()) {
                    return Err(self.missing(id));
                }
                Ok(Charged::No)
            }
        }
    }
}

/// What an object counted to its owner's budget.
enum Charged {
    No,
    /// As a region's object does: its bytes.
    Yes,
    Bytes(u64),
}

impl Charged {
    fn of(&self, bytes: u64) -> Option<(u64, u64)> {
        match self {
            Charged::No => None,
            Charged::Yes => Some((bytes, 1)),
            Charged::Bytes(bytes) => Some((*bytes, 1)),
        }
    }
}

/// Whom the object goes to; `None`: it stays.
fn target(
    id: &ObjectId,
    owner: &Owner,
    from: Option<&Arc<Batch>>,
    to: Option<&Arc<Batch>>,
) -> Result<Option<Arc<Batch>>> {
    let Some(has) = owner.batch() else {
        // an object of normal mode is outside of every batch; given by name, it goes where it is told
        return Ok(if from.is_some() { None } else { to.cloned() });
    };
    if let Some(from) = from
        && !Arc::ptr_eq(has, from)
    {
        return if from.is_within(has.key()) { Ok(None) } else { Err(not_owner(id, owner, from)) };
    }
    let target = to.or_else(|| has.parent());
    Ok(target.filter(|target| !Arc::ptr_eq(target, has)).cloned())
}

fn not_owner(id: &ObjectId, owner: &Owner, from: &Batch) -> Error {
    let has = owner.batch().map_or_else(|| "normal mode".to_owned(), |b| format!("batch {}", errors::label(&b.record)));
    let from = errors::label(&from.record);
    let text = format!("object {id} belongs to {has}, not to batch {from}, which can give away only what it owns");
    Error::new(ErrorCode::NotOwner, text).object(*id)
}

/// That each new owner, and each batch it is in which the old owner is not in, has room for what it gets.
fn check_limits(moves: &[Move]) -> Result<()> {
    for (n, m) in moves.iter().enumerate() {
        // each target once, for all it gets
        if m.target.budget.is_none() || moves[..n].iter().any(|other| Arc::ptr_eq(&other.target, &m.target)) {
            continue;
        }
        let mut at = Some(&m.target);
        while let Some(batch) = at {
            let comes = |m: &&Move| {
                let inside = m.owner.batch().is_some_and(|o| Arc::ptr_eq(o, batch) || o.is_within(batch.key()));
                !inside
            };
            let new = moves.iter().filter(|other| Arc::ptr_eq(&other.target, &m.target)).filter(comes);
            let (bytes, objects) = new.fold((0, 0), |(b, n), m| (b + m.bytes, n + 1));
            if let Some(budget) = &batch.budget
                && objects > 0
            {
                let (used_bytes, used_objects) = budget.used();
                let over = |max: Option<u64>, used: u64, more: u64| max.is_some_and(|max| used + more > max);
                if over(batch.record.max_bytes, used_bytes, bytes)
                    || over(batch.record.max_objects, used_objects, objects)
                {
                    // the budget says it best
                    budget.reserve(bytes, objects)?;
                    budget.release(bytes, objects);
                }
            }
            at = batch.parent();
        }
    }
    Ok(())
}

/// True for an object that is made and not sealed.
pub(super) fn is_unsealed(state: &Found<ObjectState>) -> bool {
    matches!(state, Found::Here(ObjectState::Created))
}
