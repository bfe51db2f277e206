//! What a task waits for.

use std::sync::Arc;

use super::core::{Core, Effects, Internal, Todo, Waiter};
use super::record::{ALIASED, CHECKPOINT, CREATION, REPLAY, STRUCK, WANTED};
use super::state::TaskState;
use super::types::{Failure, Run, TaskRef};
use crate::batch::Presence;
use crate::id::ObjectId;
use crate::store::Kind;

/// How often a task is sent back because an argument was lost between its being there and its being read.
const PATIENCE: u32 = 1000;

/// What an argument is found to be.
enum Seen {
    There,
    /// It is of a collected batch, and something stands for it.
    Internal,
    /// This task is at it.
    Waits(TaskRef),
    /// This task has to run again first.
    Lost(TaskRef),
    /// Somebody writes it.
    Written,
    Failed,
    Never(Arc<str>),
}

impl Core {
    /// Has a task that waits register for what is missing. What has to be remade comes next.
    pub(super) fn await_arguments(&mut self, fx: &mut Effects, task: TaskRef) {
        let Some(record) = self.record(task).filter(|r| r.is(TaskState::Waiting)) else { return };
        let run = Run { task, attempt: record.attempt() };
        // not to be run until all were looked at
        record.set_missing(u32::MAX);
        let user = self.beneficiary(task);
        let ids = self.table(task.serial).map(|table| table.arguments(task.slot)).unwrap_or_default();
        let (mut missing, mut aliased) = (0, false);
        for id in &ids {
            match self.look_at(user, id) {
                Seen::There => {}
                Seen::Internal => aliased |= self.use_internal(id),
                Seen::Waits(maker) => {
                    self.waiters.entry(maker).or_default().push(Waiter::Task(run));
                    missing += 1;
                }
                Seen::Lost(maker) => match self.begin_remake(maker) {
                    Ok(()) => {
                        self.waiters.entry(maker).or_default().push(Waiter::Task(run));
                        missing += 1;
                    }
                    Err(why) => return self.todo.push_back(Todo::Fail(run, Failure::Lost(*id, why))),
                },
                Seen::Written => {
                    let waiting = self.watched.entry(*id).or_default();
                    if waiting.is_empty() {
                        fx.watches.push(*id);
                    }
                    waiting.push(run);
                    missing += 1;
                }
                Seen::Failed => return self.todo.push_back(Todo::Fail(run, Failure::Argument(*id))),
                Seen::Never(why) => return self.todo.push_back(Todo::Fail(run, Failure::Lost(*id, why))),
            }
        }
        if let Some(record) = self.record(task) {
            record.set_missing(missing);
            if aliased {
                record.set(ALIASED, true);
            }
        }
        if missing == 0 {
            self.arguments_there(fx, task);
        }
    }

    /// The batch for whose sake a task runs: its own, or, when that is collected, the one that wants what it makes.
    fn beneficiary(&self, task: TaskRef) -> u32 {
        let Some(table) = self.table(task.serial).filter(|t| t.is_collected()) else { return task.serial };
        let returns = table.record(task.slot).map_or(0, |r| r.returns());
        let results = (0..returns).find_map(|index| self.wanted.get(&table.result(task.slot, index)));
        let put = || self.wanted.iter().find(|(id, _)| self.maker(id) == Some(task)).map(|(_, by)| by);
        let actor = || self.replays.get(&task).and_then(|at| self.actors.get(&at.0)).map(|actor| &actor.owner);
        results.or_else(put).or_else(actor).copied().unwrap_or(task.serial)
    }

    /// What an object is to a task that runs for the sake of the batch `user`.
    fn look_at(&mut self, user: u32, id: &ObjectId) -> Seen {
        if self.internals.contains_key(id) {
            return Seen::Internal;
        }
        let maker = self.maker(id);
        let state = maker.and_then(|task| self.record(task)).and_then(|r| r.state());
        if let (Some(task), Some(state)) = (maker, state)
            && !state.is_over()
            && self.is_result(task, id)
            && !self.is_rerun(task)
        {
            return Seen::Waits(task);
        }
        let why: Arc<str> = match self.engine.presence(id) {
            Presence::Sealed(Kind::Failure) => return Seen::Failed,
            Presence::Sealed(_) => return Seen::There,
            Presence::Unsealed => return Seen::Written,
            Presence::Absent if maker.is_none() => return Seen::Written,
            Presence::Absent => "it was not made when its task ran".into(),
            Presence::Freed => "it was freed, evicted or deleted".into(),
            Presence::Gone(e) => e.message().into(),
        };
        let (Some(task), Some(state)) = (maker, state) else { return Seen::Never(why) };
        let collected = self.table(task.serial).is_none_or(|t| t.is_collected());
        match state {
            TaskState::Done => {
                if collected {
                    self.want_for(user, id);
                }
                if self.is_asked_for(task) { Seen::Waits(task) } else { Seen::Lost(task) }
            }
            // its failure is just being sealed
            TaskState::Failed | TaskState::Cancelled if !collected => Seen::Written,
            TaskState::Failed | TaskState::Cancelled => Seen::Never("its task failed".into()),
            _ => {
                if collected {
                    self.want_for(user, id);
                }
                self.want(task);
                Seen::Waits(task)
            }
        }
    }

    /// A batch wants an object of a collected one.
    fn want_for(&mut self, user: u32, id: &ObjectId) {
        if self.table(user).is_some_and(|t| !t.is_collected()) {
            self.wanted.insert(*id, user);
        }
    }

    fn is_result(&self, task: TaskRef, id: &ObjectId) -> bool {
        self.table(task.serial).is_some_and(|t| t.result(task.slot, id.index) == *id)
    }

    /// True while it runs for the second time, for somebody's or its actor's sake.
    pub(super) fn is_rerun(&self, task: TaskRef) -> bool {
        self.record(task).is_some_and(|r| r.has(WANTED) || r.has(REPLAY))
    }

    /// Has a run under way that makes a result again keep it.
    pub(super) fn want(&self, task: TaskRef) {
        if let Some(record) = self.record(task).filter(|_| self.is_rerun(task)) {
            record.set(WANTED, true);
        }
    }

    /// True when an actor was asked already to make its results again.
    fn is_asked_for(&self, task: TaskRef) -> bool {
        self.record(task).is_some_and(|r| r.actor() != 0 && r.has(WANTED))
    }

    /// Counts a task among those that take an internal object. False when there is none.
    fn use_internal(&mut self, id: &ObjectId) -> bool {
        let internal = self.internals.get_mut(id);
        let found = internal.is_some();
        internal.into_iter().for_each(|i| i.users += 1);
        found
    }

    /// A task that took internal objects is over.
    pub(super) fn release_internals(&mut self, fx: &mut Effects, task: TaskRef) {
        if !self.record(task).is_some_and(|r| r.has(ALIASED)) {
            return;
        }
        if let Some(record) = self.record(task) {
            record.set(ALIASED, false);
        }
        for id in self.table(task.serial).map(|t| t.arguments(task.slot)).unwrap_or_default() {
            if let Some(internal) = self.internals.get_mut(&id) {
                internal.users = internal.users.saturating_sub(1);
                if internal.users == 0 {
                    fx.frees.push(internal.alias);
                    self.internals.remove(&id);
                }
            }
        }
    }

    /// Notes what stands for an object of a collected batch.
    pub(super) fn add_internal(&mut self, fx: &mut Effects, id: ObjectId, alias: ObjectId) {
        self.wanted.remove(&id);
        if let Some(old) = self.internals.insert(id, Internal { alias, users: 0 }) {
            fx.frees.push(old.alias);
        }
    }

    /// The ids under which a task's arguments are to be read now.
    pub(super) fn read_as(&self, task: TaskRef) -> Vec<ObjectId> {
        let mut ids = self.table(task.serial).map(|t| t.arguments(task.slot)).unwrap_or_default();
        for id in &mut ids {
            if let Some(internal) = self.internals.get(id) {
                *id = internal.alias;
            }
        }
        ids
    }

    /// The last argument is there.
    pub(super) fn arguments_there(&mut self, fx: &mut Effects, task: TaskRef) {
        let Some(record) = self.record(task) else { return };
        if record.has(REPLAY) {
            self.ready_replay(fx, task);
        } else if record.actor() != 0 {
            self.todo.push_back(Todo::Advance(record.actor()));
        } else {
            self.make_ready(fx, task);
        }
    }

    /// Tells those who wait for a task that it is over.
    pub(super) fn resolve(&mut self, fx: &mut Effects, task: TaskRef, failed: bool) {
        let Some(waiters) = self.waiters.remove(&task) else { return };
        let first = self.table(task.serial).map(|t| t.result(task.slot, 0));
        let mut last = None;
        for waiter in waiters {
            match waiter {
                Waiter::Rebuild { actor, instance } => self.todo.push_back(Todo::Rebuild { actor, instance }),
                Waiter::Task(run) if failed => {
                    let failure = first.map_or(Failure::Stored, Failure::Argument);
                    self.todo.push_back(Todo::Fail(run, failure));
                }
                // one that takes several objects of it, or one twice, is here as often
                Waiter::Task(run) => {
                    self.argument_came(fx, run, task, last.replace(run) != Some(run));
                }
            }
        }
    }

    /// One argument of a waiting task is there. `first`: of those that this task made.
    fn argument_came(&mut self, fx: &mut Effects, run: Run, maker: TaskRef, first: bool) {
        if !self.waits(run) {
            return;
        }
        if first && self.table(maker.serial).is_some_and(|t| t.is_collected()) {
            let ids = self.table(run.task.serial).map(|t| t.arguments(run.task.slot)).unwrap_or_default();
            let mut aliased = false;
            for id in ids.iter().filter(|id| self.maker(id) == Some(maker)).copied().collect::<Vec<_>>() {
                aliased |= self.use_internal(&id);
            }
            if let Some(record) = self.record(run.task).filter(|_| aliased) {
                record.set(ALIASED, true);
            }
        }
        self.one_less_missing(fx, run);
    }

    fn one_less_missing(&mut self, fx: &mut Effects, run: Run) {
        let Some(record) = self.record(run.task) else { return };
        let missing = record.missing().saturating_sub(1);
        record.set_missing(missing);
        if missing == 0 {
            self.arguments_there(fx, run.task);
        }
    }

    /// True while the task waits in this attempt.
    pub(super) fn waits(&self, run: Run) -> bool {
        self.record(run.task).is_some_and(|r| r.is(TaskState::Waiting) && r.attempt() == run.attempt)
    }

    /// A watched object was sealed, or can never be. `again`: nobody watches it any more, should it not be there.
    pub(super) fn object_came(&mut self, fx: &mut Effects, id: &ObjectId, again: bool) {
        let Some(runs) = self.watched.remove(id) else { return };
        let seen = self.engine.presence(id);
        if matches!(seen, Presence::Unsealed | Presence::Absent) {
            fx.watches.extend(again.then_some(*id));
            self.watched.insert(*id, runs);
            return;
        }
        for run in runs {
            if !self.waits(run) {
                continue;
            }
            match &seen {
                Presence::Sealed(Kind::Failure) => self.todo.push_back(Todo::Fail(run, Failure::Argument(*id))),
                Presence::Sealed(_) => self.one_less_missing(fx, run),
                Presence::Unsealed | Presence::Absent => {}
                Presence::Freed => {
                    let failure = Failure::Lost(*id, "it was freed before it was read".into());
                    self.todo.push_back(Todo::Fail(run, failure));
                }
                Presence::Gone(e) => {
                    self.todo.push_back(Todo::Fail(run, Failure::Lost(*id, e.message().into())));
                }
            }
        }
    }

    /// An argument of a running task is gone: it waits again. It is called after the step was taken.
    pub(super) fn argument_lost(&mut self, fx: &mut Effects, task: TaskRef) {
        let Some(record) = self.record(task) else { return };
        record.set_missing(u32::MAX);
        if record.attempt() >= PATIENCE {
            let run = Run { task, attempt: record.attempt() };
            let lost = self.table(task.serial).and_then(|t| t.arguments(task.slot).first().copied());
            let why =
                "arguments of its task were lost again and again before they were read; open a larger store".into();
            return self.todo.push_back(Todo::Fail(run, lost.map_or(Failure::Stored, |id| Failure::Lost(id, why))));
        }
        self.release_internals(fx, task);
        self.todo.push_back(Todo::Await(task));
    }

    /// Has a task that is over run again, for a result of it.
    ///
    /// # Errors
    /// Why it cannot.
    pub(super) fn begin_remake(&mut self, task: TaskRef) -> Result<(), Arc<str>> {
        let Some(record) = self.record(task) else { return Err("its task is forgotten".into()) };
        if record.has(STRUCK) {
            return Err("its batch was rolled back".into());
        }
        if record.has(CREATION) || record.has(CHECKPOINT) {
            return Err("only its actor's rebuilding makes it again".into());
        }
        if record.actor() != 0 {
            return self.ask_actor(task);
        }
        self.rerun(task, WANTED);
        self.todo.push_back(Todo::Await(task));
        Ok(())
    }
}
