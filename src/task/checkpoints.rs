//! When an actor is saved, what its checkpoints stand for, and the boundary of a batch: its last task is over, and its actors are
//! saved before it completes.

use super::actor::{Actor, Main, SaveFor};
use super::core::{Core, Effects, Todo};
use super::jobs::Job;
use super::table::Boundary;
use super::types::{Run, TaskRef};
use crate::id::ObjectId;

impl Core {
    pub(super) fn begin_save(&mut self, fx: &mut Effects, number: u32, instance: u32, save: SaveFor) {
        let Some(actor) = self.actors.get_mut(&number) else { return };
        actor.saving = Some(save);
        self.add_job(fx, Job::Save { actor: number, instance });
    }

    /// The state that a task had saved is stored.
    pub(super) fn checkpoint_stored(&mut self, fx: &mut Effects, run: Run, checkpoint: ObjectId, nanos: u64) {
        let actor = self.record(run.task).filter(|_| self.goes_on(run)).map(|r| r.actor());
        match actor {
            Some(actor) => self.begin_segment(fx, actor, checkpoint, SaveFor::Policy, nanos),
            None => fx.frees.push(checkpoint),
        }
    }

    /// A checkpoint in the order of a caller's tasks is taken, or failed.
    pub(super) fn checkpoint_taken(&mut self, fx: &mut Effects, number: u32, task: TaskRef) {
        if let Some(actor) = self.actors.get_mut(&number)
            && actor.at == Some(task)
        {
            actor.at = None;
        }
        self.meet_doom(fx, number);
        self.todo.push_back(Todo::Advance(number));
    }

    pub(super) fn begin_segment(
        &mut self,
        fx: &mut Effects,
        number: u32,
        checkpoint: ObjectId,
        save: SaveFor,
        nanos: u64,
    ) {
        let Some(actor) = self.actors.get_mut(&number) else { return fx.frees.push(checkpoint) };
        if self.tables.get(&actor.owner).is_none_or(|owner| owner.key.id != checkpoint.batch) {
            // it changed hands while it was saved: the checkpoint would go with its former owner
            return fx.frees.push(checkpoint);
        }
        actor.save_nanos = nanos.max(1);
        let before = actor.last_segment;
        let beginning_of = match save {
            SaveFor::Beginning(serial) => Some(serial),
            _ => None,
        };
        actor.begin_segment(checkpoint, beginning_of);
        let touched: Vec<u32> =
            actor.segments.get(&before).map(|s| s.batches.keys().copied().collect()).unwrap_or_default();
        // whoever rested on these tasks only to rebuild the actor does so no more
        self.todo.extend(touched.into_iter().map(Todo::Reconsider));
        // the older ones were looked at when batches went
        self.prune_segment(fx, number, before);
    }

    /// Drops segments that nobody replays any more: all their tasks are of batches that are gone.
    pub(super) fn prune(&mut self, fx: &mut Effects, number: u32) {
        let Some(actor) = self.actors.get(&number) else { return };
        let older: Vec<u32> = actor.segments.range(..actor.last_segment).map(|(n, _)| *n).collect();
        for segment in older {
            self.prune_segment(fx, number, segment);
        }
    }

    fn prune_segment(&mut self, fx: &mut Effects, number: u32, segment: u32) {
        let Some(segments) = self.actors.get_mut(&number).map(|actor| &mut actor.segments) else { return };
        let Some(it) = segments.get(&segment) else { return };
        let gone = |serial: &u32| self.tables.get(serial).is_none_or(|t| t.key.id.is_normal());
        let begins = it.beginning_of.is_some_and(|b| self.tables.get(&b).is_some_and(|t| !t.is_collected()));
        if !begins
            && it.batches.keys().all(gone)
            && let Some(checkpoint) = segments.remove(&segment).and_then(|s| s.checkpoint)
        {
            self.spare(fx, number, checkpoint);
        }
    }

    /// A checkpoint of an actor's past that nobody needs: an id takes 16 bytes of its batch's index for good, so another one of the
    /// actor takes its place.
    fn spare(&self, fx: &mut Effects, number: u32, checkpoint: ObjectId) {
        let reusable = !self.engine.is_lru() && self.is_owners(number, &checkpoint);
        if reusable {
            fx.spares.push((number, checkpoint));
        } else {
            fx.frees.push(checkpoint);
        }
    }

    /// True if a checkpoint lies where its actor's owner has its own objects.
    fn is_owners(&self, number: u32, checkpoint: &ObjectId) -> bool {
        let owner = self.actors.get(&number).and_then(|actor| self.tables.get(&actor.owner));
        owner.is_some_and(|owner| owner.key.id == checkpoint.batch)
    }

    /// The bytes of a checkpoint that nobody needs are given up.
    pub(super) fn add_spare(&mut self, number: u32, checkpoint: ObjectId) {
        if let Some(actor) = self.actors.get_mut(&number) {
            actor.spares.push(checkpoint);
        }
    }

    /// An id for an actor's next checkpoint that another one had.
    pub(super) fn spare_checkpoint(&mut self, owner: u32, number: u32) -> Option<ObjectId> {
        let id = self.actors.get_mut(&number).filter(|actor| actor.owner == owner)?.spares.pop()?;
        self.is_owners(number, &id).then_some(id)
    }

    pub(super) fn drop_saves(&mut self, number: u32) {
        let saves = self.actors.get_mut(&number).map(|a| std::mem::take(&mut a.saves)).unwrap_or_default();
        saves.into_iter().for_each(|save| self.saved(save));
    }

    /// A saving is over, for better or worse.
    pub(super) fn saved(&mut self, save: SaveFor) {
        let SaveFor::Boundary(serial) = save else { return };
        if let Some(table) = self.tables.get_mut(&serial)
            && let Some(Boundary::Saving(left)) = &mut table.boundary
        {
            *left = left.saturating_sub(1);
            self.todo.push_back(Todo::Boundary(serial));
        }
    }

    /// A batch asks for its actors to be saved when its last task is over.
    pub(super) fn ask_boundary(&mut self, serial: u32) {
        if let Some(table) = self.tables.get_mut(&serial)
            && table.boundary.is_none()
            && table.batch.as_ref().is_some_and(|batch| batch.begin_task(true).is_ok())
        {
            table.boundary = Some(Boundary::Coming);
            // its last task may be over already
            self.todo.push_back(Todo::Boundary(serial));
        }
    }

    /// Looks how far a batch's boundary is.
    pub(super) fn boundary(&mut self, fx: &mut Effects, serial: u32) {
        let Some(table) = self.tables.get(&serial).filter(|t| t.ended && t.counts.active == 0) else { return };
        match table.boundary {
            Some(Boundary::Coming) => {
                let actors: Vec<u32> = table.used_actors.iter().copied().collect();
                let rests = |a: &Actor| {
                    a.checkpointable && (a.rests_on(serial) || a.overgrown) && matches!(a.main, Main::Alive(_))
                };
                let actors: Vec<u32> = actors.into_iter().filter(|n| self.actors.get(n).is_some_and(&rests)).collect();
                for number in &actors {
                    if let Some(actor) = self.actors.get_mut(number) {
                        actor.saves.push_back(SaveFor::Boundary(serial));
                    }
                    self.todo.push_back(Todo::Advance(*number));
                }
                if let Some(table) = self.tables.get_mut(&serial) {
                    table.boundary = Some(Boundary::Saving(actors.len() as u32));
                }
                self.todo.push_back(Todo::Boundary(serial));
            }
            Some(Boundary::Saving(0)) => {
                if let Some(table) = self.tables.get_mut(&serial) {
                    table.boundary = None;
                    fx.ends.extend(table.batch.clone());
                }
            }
            _ => {}
        }
    }
}
