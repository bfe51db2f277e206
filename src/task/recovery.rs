//! What callers ask about what is past: lost objects, arguments nobody needs, batches to be rolled back.

use std::collections::BTreeSet;

use super::actor::Main;
use super::core::{Core, Effects, Todo, no_table};
use super::record::{IdBlock, Record, STRUCK, UNWINDING, WANTED};
use super::state::TaskState;
use super::table::BatchTable;
use super::tasks::Given;
use super::types::{Order, Run, TaskRef};
use crate::batch::Presence;
use crate::error::{Error, ErrorCode, Result};
use crate::id::{BatchId, ObjectId};

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
        let Core { tables, actors, engine, dropped, .. } = self;
        let table = tables.get_mut(&serial).ok_or_else(|| no_table(engine, dropped, serial))?;
        if table.key.id.is_normal() {
            let in_chain = |record: Record<'_>, (segment, _)| {
                actors.get(&record.actor()).is_some_and(|actor| actor.segments.contains_key(&segment))
            };
            let may = |record: Record<'_>| {
                let needed = record.place().is_some_and(|place| in_chain(record, place)) || record.has(WANTED);
                !needed && !record.has(UNWINDING)
            };
            let gone = table.forget_old(NORMAL_GRANULES, may);
            fx.orders.extend(gone.into_iter().map(|slot| Order::ForgetFrom(TaskRef { serial, slot })));
        }
        table.task_block(count)
    }

    /// The nth block of ids of a run.
    pub(super) fn block_of(&mut self, fx: &mut Effects, run: Run, nth: u32, count: u64, puts: bool) -> Result<Given> {
        if !self.goes_on(run) {
            return Err(self.run_is_over(run));
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
                return Err(self.run_is_over(run)); // it asks for more than its first run did, of a collected batch
            }
            return Ok(Given::Reserve(table.batch.clone()));
        };
        let block = IdBlock { first, count: count as u32, puts };
        table.add_id_block(slot, block)?;
        Ok(Given::Block(block))
    }

    /// A run gives its slots up, or takes them again.
    pub(super) fn blocked(&mut self, fx: &mut Effects, run: Run, blocked: bool) {
        if self.record(run.task).is_some_and(|r| r.attempt() == run.attempt) {
            self.end_loan(run.task);
        }
        // what the table does on its own account restores and saves: that it waits is nobody's concern
        let Some(table) = self.tables.get_mut(&run.task.serial) else { return };
        let Some(record) = table.record(run.task.slot).filter(|r| r.attempt() == run.attempt) else { return };
        // one whose thread was given up, and comes back, counts no more
        let runs = record.is(TaskState::Running) || record.has(UNWINDING);
        if !runs || record.is_blocked() == blocked {
            return;
        }
        record.set_blocked(blocked);
        if record.waits_for_room() {
            // it counts among the blocked now, not twice; one that goes on asks again, or waits for room no more
            if blocked {
                self.full_inside = self.full_inside.saturating_sub(1);
            } else {
                record.set_waits_for_room(false);
            }
        }
        let cpus = record.cpus();
        if blocked {
            self.blocked += 1;
            table.blocked += 1;
            if let Some(group) = &table.group {
                group.end_task();
            }
            self.wide -= (cpus - 1).min(self.wide);
            self.unpark(run.task.serial);
            if !self.turns.is_empty() || !self.urgent.is_empty() {
                fx.orders.push(Order::Workers);
            }
        } else {
            self.blocked = self.blocked.saturating_sub(1);
            table.blocked = table.blocked.saturating_sub(1);
            if let Some(group) = &table.group {
                group.begin_task();
            }
            self.wide += cpus - 1;
            self.awaits.remove(&run.task);
        }
    }

    /// A run's thread waits for something outside of the table: its cpus are lent to others until it ends or goes on. It counts
    /// to the limits of its batch and group as before.
    pub(super) fn lend(&mut self, fx: &mut Effects, run: Run) {
        let lends = |r: &Record<'_>| !r.is_blocked() && !r.is_lent();
        let Some(record) = self.record(run.task).filter(|r| self.goes_on(run) && lends(r)) else { return };
        record.set_lent(true);
        let cpus = record.cpus();
        self.lent += 1;
        self.wide -= (cpus - 1).min(self.wide);
        if self.has_more() {
            fx.orders.push(Order::Workers);
        }
    }

    /// A run uses the cpus again that were lent, or waits for something in the table now, or is over.
    pub(super) fn end_loan(&mut self, task: TaskRef) {
        if let Some(record) = self.record(task).filter(Record::is_lent) {
            record.set_lent(false);
            let cpus = record.cpus();
            self.lent = self.lent.saturating_sub(1);
            self.wide += cpus - 1;
        }
    }

    /// Has an object that is lost made again.
    pub(super) fn remake(&mut self, id: &ObjectId) -> Remade {
        let absent = match self.engine.presence(id) {
            Presence::Sealed(_) => return Remade::Here,
            Presence::Unsealed => return Remade::Coming,
            Presence::Absent => true,
            Presence::Freed => false,
            // it was deleted, or went with its batch or with whoever kept it: a further run would make nothing
            Presence::Gone(_) => return Remade::Never,
        };
        let Some(task) = self.maker(id) else { return Remade::Never };
        if self.table(task.serial).is_none_or(|t| t.is_collected()) {
            return Remade::Never;
        }
        let Some(state) = self.record(task).and_then(|r| r.state()) else { return Remade::Never };
        match state {
            TaskState::Done if self.is_rerun(task) => {}
            TaskState::Done => {
                if self.begin_remake(task).is_err() {
                    return Remade::Never;
                }
            }
            // what it has yet to make comes by itself
            _ if !state.is_over() && absent && !self.is_rerun(task) && self.is_result(task, id) => {
                return Remade::Coming;
            }
            TaskState::Waiting | TaskState::Ready | TaskState::Running => self.want(task),
            // its failure is being sealed, or it was freed
            TaskState::Failed | TaskState::Cancelled => {
                return if self.sealing.contains_key(id) { Remade::Coming } else { Remade::Never };
            }
        }
        let asked = self.asked_for.entry(task).or_default();
        match asked.iter_mut().find(|(other, _)| other == id) {
            // whoever asks again has had it meanwhile, and freed it
            Some((_, runs)) => *runs = 1,
            None => asked.push((*id, 1)),
        }
        Remade::Coming
    }

    /// Objects, and the arguments of their tasks that nobody needs any more: those of which every task that takes them is
    /// over and has no live result. An argument's own arguments follow.
    pub(super) fn orphans(&mut self, ids: &[ObjectId]) -> Vec<ObjectId> {
        let mut freed: BTreeSet<ObjectId> = BTreeSet::new();
        let mut next: Vec<ObjectId> = ids.to_vec();
        while let Some(id) = next.pop() {
            if !freed.insert(id) {
                continue;
            }
            let Some(task) = self.maker(&id) else { continue };
            let arguments = self.table(task.serial).map(|table| table.arguments(task.slot)).unwrap_or_default();
            for argument in arguments {
                if !freed.contains(&argument) && !self.is_needed(&argument, &freed) {
                    next.push(argument);
                }
            }
        }
        freed.into_iter().collect()
    }

    /// True if a task takes an object that is not over, or has a result that is not freed; or if the run that put it goes on,
    /// which may itself wait for whoever takes it.
    fn is_needed(&mut self, id: &ObjectId, freed: &BTreeSet<ObjectId>) -> bool {
        let goes_on = |r: Record<'_>| !r.state().is_some_and(TaskState::is_over) && !r.has_returned();
        if self.maker(id).is_some_and(|task| !self.is_result(task, id) && self.record(task).is_some_and(goes_on)) {
            return true;
        }
        // a batch whose tasks take what another one's make depends on it; but nobody knows of normal mode, and of puts
        let maker = self.maker(id).and_then(|task| self.table(task.serial)).filter(|t| !t.key.id.is_normal());
        let normal = self.lives.get(&BatchId::NORMAL).into_iter().flatten().copied();
        let users =
            maker.map(|t| std::iter::once(t.serial).chain(t.dependents.keys().copied()).chain(normal).collect());
        let users: Vec<u32> = users.unwrap_or_else(|| self.tables.keys().copied().collect());
        let Core { tables, engine, .. } = self;
        let live = |table: &BatchTable, slot| {
            let Some(record) = table.record(slot) else { return false };
            // what has returned may have been seen, though the table has not heard of its end
            if !record.state().is_some_and(TaskState::is_over) && !record.has_returned() {
                return true;
            }
            (0..record.returns()).map(|index| table.result(slot, index)).any(|result| {
                !freed.contains(&result) && matches!(engine.presence(&result), Presence::Sealed(_) | Presence::Unsealed)
            })
        };
        users.into_iter().any(|serial| {
            tables.get_mut(&serial).is_some_and(|table| {
                table.index_takers();
                table.is_taken(id, live)
            })
        })
    }

    /// The checkpoints of actors: objects of their owner's batch.
    pub(super) fn checkpoints(&self, actor: u32) -> Option<(u32, Vec<ObjectId>)> {
        let actor = self.actors.get(&actor)?;
        // one that is lost will be missed when it is to be restored
        let there = |id: &ObjectId| matches!(self.engine.presence(id), Presence::Sealed(_));
        Some((actor.owner, actor.segments.values().filter_map(|s| s.checkpoint).filter(there).collect()))
    }

    /// Takes the actors a batch used back to the checkpoints at its beginning.
    ///
    /// # Errors
    /// `BatchActive` while tasks of it are not over; `RollbackRefused` naming the actor, and why.
    pub(super) fn rollback(&mut self, fx: &mut Effects, serial: u32) -> Result<()> {
        let table = self.table(serial).ok_or_else(|| no_table(&self.engine, &self.dropped, serial))?;
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
            let forgotten = self.table(serial).is_some_and(|t| t.forgotten_on.contains(&number));
            if actor.fault_tolerant && !forgotten && !actor.ran(serial) {
                continue;
            }
            let refused = |why: &str| {
                let text = format!("batch {id} cannot be rolled back on {}: {why}", actor.name);
                Error::new(ErrorCode::RollbackRefused, text).batch(id)
            };
            if !actor.fault_tolerant {
                return Err(refused("it is not fault tolerant: nobody knows what ran on it"));
            }
            if forgotten {
                return Err(refused("more ran on it without a checkpoint than is remembered"));
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
        self.let_go(fx, number);
        for task in struck {
            if let Some(record) = self.record(task) {
                record.set(STRUCK, true);
                record.set_place(None);
            }
            // nothing leads to its results any more
            if self.record(task).is_some_and(|r| r.has(WANTED) && r.state().is_some_and(TaskState::is_over)) {
                self.never(fx, task, "its batch was rolled back");
            }
        }
        self.todo.push_back(Todo::Advance(number));
    }
}
