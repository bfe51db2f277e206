//! How an instance gets the state that its rebuilding begins with: its class is constructed, and takes a checkpoint over. A
//! checkpoint that is lost, or cannot be read, is as if it had not been taken: what led to it is replayed instead, as far as
//! that is remembered.

use super::actor::FIRST_LINK;
use super::arguments::Seen;
use super::core::{Core, Effects, Todo, Waiter};
use super::jobs::{Job, JobEnd};
use super::record::Record;
use super::state::TaskState;
use super::types::{Ending, Order, TaskRef};
use crate::batch::Presence;
use crate::id::ObjectId;

/// How often an instance is begun anew whose arguments are lost again, or not made by the run that made them before, or on
/// which a task fails that did not fail before.
pub(super) const TRIES: u32 = 8;

impl Core {
    /// A rebuilding begins.
    pub(super) fn begin_state(&mut self, fx: &mut Effects, number: u32, instance: u32) {
        let Some(actor) = self.actors.get_mut(&number) else { return };
        let Some(rebuild) = actor.rebuilds.get_mut(&instance) else { return };
        let Some(checkpoint) = actor.segments.get(&rebuild.segment).and_then(|segment| segment.checkpoint) else {
            rebuild.next = FIRST_LINK;
            return self.todo.push_back(Todo::Rebuild { actor: number, instance });
        };
        let (creation, tries) = (actor.creation, rebuild.tries);
        if let Some(why) = self.is_lost(&checkpoint) {
            return self.fall_back(fx, number, instance, checkpoint, &why);
        }
        let waits = tries < TRIES && self.remake_arguments_of(creation, number, instance);
        if let Some(rebuild) = self.actors.get_mut(&number).and_then(|a| a.rebuilds.get_mut(&instance)) {
            if waits {
                rebuild.tries += 1;
                return;
            }
            rebuild.next = FIRST_LINK;
        }
        self.add_job(fx, Job::Restore { actor: number, instance, checkpoint });
    }

    /// Why a checkpoint cannot be read; `None` if it is there.
    fn is_lost(&self, checkpoint: &ObjectId) -> Option<String> {
        let why = match self.engine.presence(checkpoint) {
            Presence::Sealed(_) => return None,
            Presence::Gone(e) => e.message().to_owned(),
            _ => "it was freed, evicted or deleted".to_owned(),
        };
        Some(format!("its checkpoint {checkpoint} is lost: {why}"))
    }

    /// Has those arguments of an actor's creation made again that were freed since: it is constructed anew. True if that is
    /// to be waited for. What lies in a collected batch is none of these: whoever constructs it has copies, or has not.
    fn remake_arguments_of(&mut self, creation: TaskRef, actor: u32, instance: u32) -> bool {
        let ids = self.table(creation.serial).map(|t| t.arguments(creation.slot)).unwrap_or_default();
        for id in ids {
            let lives = |maker: &TaskRef| self.table(maker.serial).is_some_and(|t| !t.is_collected());
            let Some(maker) = self.maker(&id).filter(lives) else { continue };
            let comes = match self.look_at(creation.serial, &id) {
                Seen::Waits(_) => true,
                Seen::Lost(maker) => self.begin_remake(maker).is_ok(),
                Seen::Written => !self.record(maker).and_then(|r: Record<'_>| r.state()).is_none_or(TaskState::is_over),
                _ => false,
            };
            if comes {
                self.waiters.entry(maker).or_default().push(Waiter::Rebuild { actor, instance });
                return true;
            }
        }
        false
    }

    /// A checkpoint was restored, or could not be.
    pub(super) fn restored(&mut self, fx: &mut Effects, job: Job, end: &JobEnd) {
        let Job::Restore { actor: number, instance, checkpoint } = job else { return };
        let Some(rebuild) = self.actors.get_mut(&number).and_then(|a| a.rebuilds.get_mut(&instance)) else {
            // nobody waits for it any more
            return fx.orders.push(Order::DropInstance { actor: number, instance });
        };
        if end.ok() {
            return self.todo.push_back(Todo::Rebuild { actor: number, instance });
        }
        if end.cancelled {
            return self.rebuild_failed(fx, number, instance, "it was cancelled while its checkpoint was restored");
        }
        rebuild.tries += 1;
        let again = end.ending == Ending::LostArgument && rebuild.tries <= TRIES;
        let why = match self.is_lost(&checkpoint) {
            Some(why) => why,
            // of its creation
            None if again => return self.rebuild_anew(number, instance),
            None if end.ending == Ending::LostArgument => {
                "its checkpoint could not be restored: an argument of its creation is lost".to_owned()
            }
            None => format!("its checkpoint {checkpoint} could not be restored"),
        };
        self.fall_back(fx, number, instance, checkpoint, &why);
    }

    pub(super) fn rebuild_anew(&mut self, number: u32, instance: u32) {
        if let Some(rebuild) = self.actors.get_mut(&number).and_then(|a| a.rebuilds.get_mut(&instance)) {
            rebuild.next = None;
            self.todo.push_back(Todo::Rebuild { actor: number, instance });
        }
    }

    /// A rebuilding goes on from what was before its checkpoint.
    fn fall_back(&mut self, fx: &mut Effects, number: u32, instance: u32, checkpoint: ObjectId, why: &str) {
        let Some(actor) = self.actors.get(&number) else { return };
        let Some(rebuild) = actor.rebuilds.get(&instance) else { return };
        let Some(segment) = actor.segments.get(&rebuild.segment) else {
            return self.rebuild_failed(fx, number, instance, &format!("{why}, and what came after it is forgotten"));
        };
        if segment.checkpoint != Some(checkpoint) {
            // another one found it out before
            return self.rebuild_anew(number, instance);
        }
        let Some(before) = segment.follows.and_then(|n| actor.segments.get(&n)) else {
            return self.rebuild_failed(fx, number, instance, &format!("{why}, and what led to it is forgotten"));
        };
        if let Some(task) = before.links.iter().find(|task| self.record(**task).is_none()) {
            let task = self.label(*task);
            return self.rebuild_failed(fx, number, instance, &format!("{why}, and so is {task}, which led to it"));
        }
        if let Some(unlogged) = self.unrestored.admit() {
            log::warn!("{}: {why}; what led to it is replayed{unlogged}", actor.name);
        }
        self.drop_checkpoint(fx, number, instance);
        self.rebuild_anew(number, instance);
    }

    /// The tasks before a checkpoint and those after it are one segment again.
    fn drop_checkpoint(&mut self, fx: &mut Effects, number: u32, instance: u32) {
        let Some(actor) = self.actors.get_mut(&number) else { return };
        let Some(segment) = actor.rebuilds.get(&instance).map(|rebuild| rebuild.segment) else { return };
        let Some((checkpoint, seam)) = actor.join_before(segment) else { return };
        fx.frees.extend(checkpoint);
        let links = actor.segments.get(&segment).map(|s| s.links.clone()).unwrap_or_default();
        for (n, task) in links.iter().enumerate() {
            if let Some(record) = self.record(*task) {
                record.set_place(Some((segment, n as u32)));
            }
        }
        // the first task after it has taken the state of the last one before it
        if let Some([y, x]) = seam.and_then(|n| links.get(n..n + 2)) {
            self.note_state(x.serial, y.serial, number);
        }
    }
}
