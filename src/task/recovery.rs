//! What callers ask about what is past: lost objects, arguments nobody needs, batches to be rolled back.

use std::collections::BTreeSet;

use super::actor::Main;
use super::core::{Core, Effects, Todo};
use super::record::{IdBlock, Record, STRUCK, UNWINDING, WANTED};
use super::state::TaskState;
use super::tasks::{Given, over};
use super::types::{Order, Run, TaskRef};
use crate::batch::Presence;
use crate::error::{Error, ErrorCode, Result};
use crate::id::ObjectId;

/// Normal mode remembers the tasks of so many times 256 slots.
const NORMAL_GRANULES: usize = 1024;

/// What becomes of a lost object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Remade {
    /// It is there.
    Here = 0,
    /// It is being made: wait for it.
    Coming = 1,
    /// Nothing can make it.
    Never = 2,
}

impl Core {
    /// True while a run is listened to.
    pub(super) fn goes_on(&self, run: Run) -> bool {
        self.record(run.task).is_some_and(|r| r.is(TaskState::Running) && r.attempt() == run.attempt)
    }

    /// A block of ids for tasks. Normal mode has no batch that would end: of what is over there only so much is kept in
    /// mind, and what is evicted later than that is lost.
    pub(super) fn task_block(&mut self, fx: &mut Effects, serial: u32, count: u64) -> Result<Option<u64>> {
        let Core { tables, actors, .. } = self;
        let table = tables.get_mut(&serial).ok_or_else(|| Core::no_task(TaskRef { serial, slot: 0 }))?;
        if table.key.id.is_normal() {
            let may = |record: Record<'_>| match record.place() {
                Some((segment, _)) => {
                    actors.get(&record.actor()).is_none_or(|actor| !actor.segments.contains_key(&segment))
                }
                None => !record.has(WANTED) && !record.has(UNWINDING),
            };
            if let Some(first) = table.forget_oldest(NORMAL_GRANULES, may) {
                fx.orders.push(Order::ForgetFrom(TaskRef { serial, slot: first }));
            }
        }
        table.task_block(count)
    }

    /// The nth block of ids of a run.
    pub(super) fn block_of(&mut self, fx: &mut Effects, run: Run, nth: u32, count: u64, puts: bool) -> Result<Given> {
        if !self.goes_on(run) {
            return Err(over(run));
        }
        let slot = run.task.slot;
        let table = self.known(run.task.serial)?;
        // a run that asks for another kind than its first did is not the same: it goes on with blocks of its own
        if let Some(block) = table.id_block(slot, nth).filter(|block| block.puts == puts) {
            return Ok(Given::Again(block));
        }
        let first = if puts { table.put_block(count, slot) } else { self.task_block(fx, run.task.serial, count)? };
        let table = self.known(run.task.serial)?;
        let Some(first) = first else {
            if table.is_collected() {
                return Err(over(run)); // it asks for more than its first run did, of a batch that is gone
            }
            return Ok(Given::Reserve(table.batch.clone()));
        };
        let block = IdBlock { first, count: count as u32, puts };
        table.add_id_block(slot, block)?;
        Ok(Given::Block(block))
    }

    /// A run gives its slots up, or takes them again.
    pub(super) fn blocked(&mut self, fx: &mut Effects, run: Run, blocked: bool) {
        let more = self.record(run.task).map_or(0, |r| r.cpus().saturating_sub(1));
        if blocked {
            // one that was given up has given its slots back
            if self.is_counted(run) && self.blocked.insert(run) {
                self.wide -= more.min(self.wide);
            }
            if !self.turns.is_empty() || !self.urgent.is_empty() {
                fx.orders.push(Order::Workers);
            }
        } else if self.blocked.remove(&run) {
            self.wide += more;
        }
    }

    /// True while a run counts among those that go on: also one that was cancelled and has not come back.
    fn is_counted(&self, run: Run) -> bool {
        match run.task.serial {
            0 => self.jobs.contains_key(&run.task.slot),
            _ => self
                .record(run.task)
                .is_some_and(|r| r.attempt() == run.attempt && (r.is(TaskState::Running) || r.has(UNWINDING))),
        }
    }

    /// Has an object that is lost made again.
    pub(super) fn remake(&mut self, id: &ObjectId) -> Remade {
        let gone = match self.engine.presence(id) {
            Presence::Sealed(_) => return Remade::Here,
            Presence::Unsealed => return Remade::Coming,
            Presence::Absent => false,
            Presence::Freed => return self.remake_freed(id),
            // a kept object that was freed, or one of a batch that is collected
            Presence::Gone(_) => true,
        };
        let Some(task) = self.maker(id) else { return Remade::Never };
        if gone && self.table(task.serial).is_none_or(|t| t.is_collected()) {
            return Remade::Never;
        }
        match self.record(task).and_then(|r| r.state()) {
            Some(TaskState::Done) if self.is_rerun(task) => Remade::Coming,
            Some(TaskState::Done) => self.begin_remake(task).map_or(Remade::Never, |()| Remade::Coming),
            Some(TaskState::Waiting | TaskState::Ready | TaskState::Running) => {
                self.want(task);
                Remade::Coming
            }
            // their results say so, or are about to
            Some(TaskState::Failed | TaskState::Cancelled) => Remade::Coming,
            None => Remade::Never,
        }
    }

    /// Has an object made again whose bytes were given up: a value, or what a failed task said.
    fn remake_freed(&mut self, id: &ObjectId) -> Remade {
        let Some(task) = self.maker(id) else { return Remade::Never };
        match self.record(task).and_then(|r| r.state()) {
            Some(TaskState::Done | TaskState::Failed) if self.is_rerun(task) => Remade::Coming,
            Some(TaskState::Done | TaskState::Failed) => {
                self.begin_remake(task).map_or(Remade::Never, |()| Remade::Coming)
            }
            Some(TaskState::Cancelled) | None => Remade::Never,
            Some(TaskState::Waiting | TaskState::Ready | TaskState::Running) => {
                self.want(task);
                Remade::Coming
            }
        }
    }

    /// Objects, and the arguments of their tasks that nobody needs any more: those of which every task that takes them is
    /// over and has no live result. An argument's own arguments follow.
    pub(super) fn orphans(&self, ids: &[ObjectId]) -> Vec<ObjectId> {
        let mut freed: BTreeSet<ObjectId> = BTreeSet::new();
        let mut next: Vec<ObjectId> = ids.to_vec();
        while let Some(id) = next.pop() {
            if !freed.insert(id) {
                continue;
            }
            let Some(task) = self.maker(&id) else { continue };
            let Some(table) = self.table(task.serial) else { continue };
            for argument in table.arguments(task.slot) {
                if !freed.contains(&argument) && !self.is_needed(&argument, &freed) {
                    next.push(argument);
                }
            }
        }
        freed.into_iter().collect()
    }

    /// True if a task that takes the object is not over, or has a result that is not freed.
    fn is_needed(&self, id: &ObjectId, freed: &BTreeSet<ObjectId>) -> bool {
        let Some(home) = self.lives.get(&id.batch) else { return true };
        let mut serials: BTreeSet<u32> = home.iter().copied().collect();
        serials.extend(home.iter().filter_map(|s| self.table(*s)).flat_map(|t| t.dependents.keys().copied()));
        serials.iter().filter_map(|s| self.table(*s)).any(|table| {
            table.slots().into_iter().any(|slot| {
                let takes = table.arguments(slot).contains(id);
                takes && self.is_live(TaskRef { serial: table.serial, slot }, freed)
            })
        })
    }

    fn is_live(&self, task: TaskRef, freed: &BTreeSet<ObjectId>) -> bool {
        let (Some(table), Some(record)) = (self.table(task.serial), self.record(task)) else { return false };
        if !record.state().is_some_and(TaskState::is_over) {
            return true;
        }
        (0..record.returns()).map(|index| table.result(task.slot, index)).any(|result| {
            !freed.contains(&result)
                && matches!(self.engine.presence(&result), Presence::Sealed(_) | Presence::Unsealed)
        })
    }

    /// The checkpoints of actors: objects of their owner's batch.
    pub(super) fn checkpoints(&self, actor: u32) -> Option<(u32, Vec<ObjectId>)> {
        let actor = self.actors.get(&actor)?;
        Some((actor.owner, actor.segments.values().filter_map(|s| s.checkpoint).collect()))
    }

    /// Takes the actors a batch used back to the checkpoints at its beginning.
    ///
    /// # Errors
    /// `BatchActive` while tasks of it are not over; `RollbackRefused` naming the actor, and why.
    pub(super) fn rollback(&mut self, fx: &mut Effects, serial: u32) -> Result<()> {
        let table = self.table(serial).ok_or_else(|| Core::no_task(TaskRef { serial, slot: 0 }))?;
        let id = table.key.id;
        if table.counts.active > 0 {
            let text = format!(
                "batch {id} has {} tasks that are not over; wait for them, or cancel them",
                table.counts.active
            );
            return Err(Error::new(ErrorCode::BatchActive, text).batch(id));
        }
        let used: Vec<u32> = table.used_actors.iter().copied().filter(|n| self.actors.contains_key(n)).collect();
        let mut back = Vec::new();
        for number in used {
            let Some(actor) = self.actors.get(&number) else { continue };
            let refused = |why: &str| {
                let text = format!("batch {id} cannot be rolled back on {}: {why}", actor.name);
                Error::new(ErrorCode::RollbackRefused, text).batch(id)
            };
            if !actor.fault_tolerant {
                return Err(refused("it is not fault tolerant, so that nobody knows what ran on it"));
            }
            if !actor.ran(serial) {
                continue;
            }
            let beginning = actor.segments.iter().find(|(_, s)| s.beginning_of == Some(serial)).map(|(n, _)| *n);
            let Some(beginning) = beginning else {
                return Err(refused("there is no checkpoint of its beginning; start it with checkpointActors"));
            };
            if actor.at.is_some() || actor.saving.is_some() || matches!(actor.main, Main::New) {
                return Err(refused("a task of another batch runs on it"));
            }
            let others = actor.segments.range(beginning..).any(|(_, s)| s.batches.keys().any(|b| *b != serial));
            if others {
                return Err(refused("another batch used it since"));
            }
            back.push((number, beginning));
        }
        for (number, beginning) in back {
            self.take_back(fx, number, beginning);
        }
        Ok(())
    }

    fn take_back(&mut self, fx: &mut Effects, number: u32, beginning: u32) {
        let Some(actor) = self.actors.get_mut(&number) else { return };
        let mut later = actor.segments.split_off(&(beginning + 1));
        let mut struck = Vec::new();
        if let Some(first) = actor.segments.get_mut(&beginning) {
            struck.append(&mut first.links);
            first.batches.clear();
        }
        for segment in later.values_mut() {
            struck.append(&mut segment.links);
            fx.frees.extend(segment.checkpoint);
        }
        actor.last_segment = beginning;
        if let Main::Alive(instance) | Main::Rebuilding(instance) = actor.main {
            actor.rebuilds.remove(&instance);
            fx.orders.push(Order::DropInstance { actor: number, instance });
        }
        actor.main = Main::Lost;
        for link in struck {
            if let Some(record) = self.record(link.task) {
                record.set(STRUCK, true);
                record.set_place(None);
            }
        }
        self.todo.push_back(Todo::Advance(number));
    }
}
