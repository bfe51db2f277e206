//! Keeping and transferring: another batch becomes the owner of an object, whose id stays.
//!
//! A move claims the object for its new owner, takes it from the old one, and settles. No lock is held while bytes are
//! copied, and whoever comes in between finds his way:
//!
//! - two moves of an object: the one that finds a claim in the same batch, or the object in its owner's hands no more,
//!   looks again whose it is;
//! - a deletion: it takes the object out of the hands it finds it in, or of those it was given to;
//! - the new owner's collection: it leaves what is on its way, and the move, finding the batch collected, takes the
//!   object away itself.
//!
//! An object that its task has yet to make is *promised*: its maker notes for whom, and whoever makes it moves it there.
//!
//! What an object counts to budgets moves along: it is released from the one chain of budgets and reserved in the other,
//! and as they usually share their outer part, in this order. Limits are checked before. If another put takes the room
//! in between, the object moves nevertheless: a limit may be exceeded by one object, but none is lost.

use std::sync::Arc;

use super::engine::Engine;
use super::record::Kept;
use super::tree::{Batch, Charge, Claim};
use super::{BatchKey, errors};
use crate::error::{Error, ErrorCode, Result};
use crate::id::{BatchId, ObjectId};
use crate::store::{Found, Kind, ObjectState, Removal, Slot};

/// How often one looks again where others are in between for a moment.
const PATIENCE: usize = 1000;

/// Who has an object.
pub(super) enum Owner {
    /// Normal mode.
    Normal,
    /// The batch that made it.
    Maker(Arc<Batch>),
    /// A batch that it was given to.
    Keeper(Arc<Batch>),
    /// Nobody yet: a task of `maker` is to make it, for `holder`.
    Pending { maker: Arc<Batch>, holder: Arc<Batch> },
}

impl Owner {
    fn batch(&self) -> Option<&Arc<Batch>> {
        match self {
            Owner::Normal => None,
            Owner::Maker(batch) | Owner::Keeper(batch) | Owner::Pending { holder: batch, .. } => Some(batch),
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
        moves.into_iter().try_for_each(|m| self.carry_out(m, from.as_ref(), to.as_ref()))
    }

    /// Makes one move, as often as it takes.
    fn carry_out(&self, mut m: Move, from: Option<&Arc<Batch>>, to: Option<&Arc<Batch>>) -> Result<()> {
        for _ in 0..PATIENCE {
            if self.give(&m)? {
                return Ok(());
            }
            // somebody else moves it just now: look again
            std::thread::yield_now();
            m.owner = self.owner_of(&m.id)?;
            match target(&m.id, &m.owner, from, to)? {
                Some(target) => m.target = target,
                None => return Ok(()),
            }
        }
        let text = format!("object {} is moved by others all the time; let one of them give it away", m.id);
        Err(Error::new(ErrorCode::NotOwner, text).object(m.id))
    }

    /// Who has the object.
    ///
    /// # Errors
    /// Why nobody does.
    pub(super) fn owner_of(&self, id: &ObjectId) -> Result<Owner> {
        // an object that is on its way from one keeper to another is in nobody's hands for a moment
        for _ in 0..PATIENCE {
            match self.store.table().owner(id) {
                Some(BatchId::NORMAL) => return Ok(Owner::Normal),
                Some(keeper) => match self.live(BatchKey::any(keeper)).filter(|b| b.owns(id)) {
                    Some(keeper) => return Ok(Owner::Keeper(keeper)),
                    None => std::thread::yield_now(),
                },
                None => break,
            }
        }
        let maker = self.live(BatchKey::any(id.batch));
        let state = maker.as_ref().and_then(|b| b.region()).map(|region| region.state(id));
        match (maker, state) {
            (Some(maker), Some(Found::Here(_))) => Ok(Owner::Maker(maker)),
            (Some(maker), Some(Found::Absent)) if self.gcs.names(id) => match maker.promised(id) {
                None => Ok(Owner::Pending { holder: Arc::clone(&maker), maker }),
                Some(key) => match self.live(key) {
                    Some(holder) => Ok(Owner::Pending { maker, holder }),
                    None => Err(self.heir_lost(id, key)), // it went before the object was made
                },
            },
            (_, Some(Found::Absent)) => Err(errors::no_object(id, "it was not made yet")),
            (_, Some(Found::Deleted)) => Err(errors::no_object(id, "it was deleted or aborted")),
            (_, Some(Found::Freed)) => Err(errors::lost(id)),
            _ => Err(self.missing(id)),
        }
    }

    /// Whose an object was last that was given away so: live or not.
    pub(super) fn last_hands(&self, given: Kept) -> BatchKey {
        let mut last = given;
        loop {
            let next = match self.live(last.to) {
                Some(keeper) => keeper.given(&last.id),
                None => self.tombstones.find(last.to).and_then(|keeper| keeper.given(&last.id)),
            };
            // two batches may have given it to each other and back: a later move leads on
            match next.filter(|next| next.number > last.number) {
                Some(next) => last = next,
                None => return last.to,
            }
        }
    }

    fn size_of(&self, id: &ObjectId, owner: &Owner) -> u64 {
        let Owner::Maker(maker) = owner else { return self.store.table().size(id).unwrap_or(0) };
        match maker.region().map(|region| region.size(id)) {
            Some(Found::Here(bytes)) => bytes,
            _ => 0,
        }
    }

    /// Makes the move. False when another one was first.
    fn give(&self, m: &Move) -> Result<bool> {
        match &m.owner {
            Owner::Pending { maker, holder } => Ok(self.promise(m, maker, holder)),
            _ => self.hand_over(m, true),
        }
    }

    /// Takes the object from its owner, which notes that if it has not yet, and gives it to its new one. False when
    /// another move was first.
    fn hand_over(&self, m: &Move, note: bool) -> Result<bool> {
        let Move { id, owner, target, bytes } = m;
        let number = self.handle();
        match target.claim(id, number) {
            Claim::Ours => {}
            Claim::Others => return Ok(false),
            Claim::Over => return Err(errors::ended(&target.record)),
        }
        // known before it moves, for whoever looks for it
        let kept = Kept { id: *id, to: target.key(), number };
        let noted = owner.batch().filter(|_| note);
        if let Some(batch) = noted {
            batch.kept.lock().push(kept);
        }
        let taken = self.take_over(id, owner, target, *bytes);
        let Ok(Some(freed)) = taken else {
            target.unclaim(id, number);
            if let Some(batch) = noted {
                batch.unkeep(kept);
            }
            return taken.map(|_| false);
        };
        if let Some(batch) = owner.batch() {
            batch.refund(freed);
        }
        let charge = target.budget.as_ref().map(|budget| {
            budget.add(*bytes, 1);
            *bytes
        });
        self.settle(target, id, number, charge);
        Ok(true)
    }

    /// Ends a move, or a refill, that succeeded.
    pub(super) fn settle(&self, target: &Batch, id: &ObjectId, number: u64, charge: Charge) {
        let table = self.store.table();
        match target.settle(id, number, charge) {
            // deleted in between, by somebody who took it for one of normal mode
            Claim::Ours if table.owner(id).is_none() => drop(target.forget(id)),
            Claim::Ours => {}
            Claim::Others => target.refund(charge),
            Claim::Over => {
                target.refund(charge);
                if table.owner(id) == Some(target.id()) {
                    table.remove(id);
                }
            }
        }
    }

    /// Notes whom an object is for that its task has yet to make. False when it was given to another one meanwhile.
    fn promise(&self, m: &Move, maker: &Arc<Batch>, holder: &Batch) -> bool {
        let kept = Kept { id: m.id, to: m.target.key(), number: self.handle() };
        holder.kept.lock().push(kept);
        if !maker.promise(&m.id, holder, &m.target) {
            holder.unkeep(kept);
            return false;
        }
        // whoever made it just now looked for a promise after that, and found this one, or none
        if maker.region().is_some_and(|region| region.state(&m.id) != Found::Absent) {
            self.keep_promise(maker, &m.id);
        }
        true
    }

    /// Moves an object that was just made to the batch it was promised to, if it was.
    ///
    /// Where memory fails, a failure without words moves in its place: it takes none, and whoever waits for the object
    /// hears of it. If its new owner is collected, it stays and goes with its maker.
    pub(super) fn keep_promise(&self, maker: &Arc<Batch>, id: &ObjectId) {
        let Some(target) = maker.take_promise(id).and_then(|key| self.live(key)) else { return };
        let owner = Owner::Maker(Arc::clone(maker));
        let bytes = if target.budget.is_some() || maker.budget.is_some() { self.size_of(id, &owner) } else { 0 };
        let mut m = Move { id: *id, owner, target, bytes };
        let Err(e) = self.hand_over(&m, false) else { return };
        if let Some(unlogged) = self.unkept.admit() {
            log::warn!("object {id} cannot be kept by batch {}: {e}{unlogged}", errors::label(&m.target.record));
        }
        if let (ErrorCode::StoreFull, Some(region)) = (e.code(), maker.region())
            && let Ok(Found::Here(Removal::Done)) = region.free(id)
        {
            let slot = Slot { slot: id.slot(region.base()), index: id.index };
            let failed = region.put_at(slot, Kind::Failure, &&[][..]);
            m.bytes = 0;
            let said = matches!(failed, Ok(Found::Here(true))) && self.hand_over(&m, false).is_ok();
            if !said && let Some(unlogged) = self.lost.admit() {
                log::error!("object {id} is lost: there is no memory for it, nor for saying so{unlogged}");
            }
        }
    }

    /// What is told of an object for which there is no memory where it is to be.
    pub(super) fn not_kept(&self, target: &Batch, e: Error) -> Error {
        if e.code() == ErrorCode::StoreFull {
            target.note_refused();
        }
        self.with_holders(e)
    }

    /// Takes it from its owner; tells what it was charged there. `None` when the owner has it no more.
    fn take_over(&self, id: &ObjectId, owner: &Owner, target: &Batch, bytes: u64) -> Result<Option<Charge>> {
        match owner {
            Owner::Maker(maker) => {
                let moved = match maker.region() {
                    Some(region) => {
                        region.move_to_table(id, target.as_owner()).map_err(|e| self.not_kept(target, e.object(*id)))?
                    }
                    None => Found::Dropped,
                };
                match moved {
                    Found::Here(()) => Ok(Some(Some(bytes))),
                    Found::Moved => Ok(None),
                    Found::Freed => Err(errors::lost(id)),
                    Found::Deleted | Found::Absent => Err(errors::no_object(id, "it was deleted or aborted")),
                    Found::Dropped | Found::Unknown => Err(self.missing(id)),
                }
            }
            Owner::Keeper(keeper) => {
                let Some(charge) = keeper.disown(id) else { return Ok(None) };
                if !self.store.table().set_owner(id, target.as_owner()) {
                    // deleted just now, by somebody who did not find it in the keeper's hands any more
                    keeper.refund(charge);
                    return Err(self.missing(id));
                }
                Ok(Some(charge))
            }
            Owner::Normal => {
                if !self.store.table().set_owner(id, target.as_owner()) {
                    return Err(self.missing(id));
                }
                Ok(Some(None))
            }
            // promised, not taken
            Owner::Pending { .. } => Ok(None),
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

/// That each new owner, and each batch and group it is in which the old owner is not in, has room for what it gets.
fn check_limits(moves: &[Move]) -> Result<()> {
    for (n, m) in moves.iter().enumerate() {
        let Some(budget) = &m.target.budget else { continue };
        // each target once, for all it gets
        if moves[..n].iter().any(|other| Arc::ptr_eq(&other.target, &m.target)) {
            continue;
        }
        budget.check(|step| {
            let from = |m: &Move| m.owner.batch().and_then(|owner| owner.budget.clone());
            let comes = |m: &&Move| {
                Arc::ptr_eq(&m.target, &moves[n].target) && !from(m).is_some_and(|from| from.counts_to(step))
            };
            moves.iter().filter(comes).fold((0, 0), |(bytes, objects), m| (bytes + m.bytes, objects + 1))
        })?;
    }
    Ok(())
}

/// True for an object that is made and not sealed.
pub(super) fn is_unsealed(state: &Found<ObjectState>) -> bool {
    matches!(state, Found::Here(ObjectState::Created))
}
