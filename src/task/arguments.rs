//! What a task waits for.

use std::sync::Arc;

use super::core::{Core, Effects, Todo, Waiter};
use super::record::{CHECKPOINT, CREATION, REPLAY, STRUCK, WANTED};
use super::state::TaskState;
use super::types::{Failure, Run, TaskRef};
use crate::batch::Presence;
use crate::id::ObjectId;
use crate::store::Kind;

/// How often in a row a task is sent back because an argument was lost between its being there and its being read.
const PATIENCE: u32 = 1000;

/// So many that wait for an object may be looked through.
const MANY: usize = 64;

/// What an argument is found to be.
pub(super) enum Seen {
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
        // until it is known how many; for good, if one of them is found to be a failure: its actor must not take it for ready
        record.set_missing(u32::MAX);
        let ids = self.table(task.serial).map(|table| table.arguments(task.slot)).unwrap_or_default();
        let mut missing = 0;
        let user = self.runs_for(task);
        for id in &ids {
            match self.look_at(user, id) {
                Seen::There => {}
                Seen::Internal => self.use_internal(task, id),
                Seen::Waits(maker) => {
                    self.wait_for(fx, run, maker, id);
                    missing += 1;
                }
                Seen::Lost(maker) => match self.begin_remake(maker) {
                    Ok(()) => {
                        self.wait_for(fx, run, maker, id);
                        missing += 1;
                    }
                    Err(why) => return self.todo.push_back(Todo::Fail(run, Failure::Lost(*id, why))),
                },
                Seen::Written => {
                    self.watch_for(fx, run, id);
                    missing += 1;
                }
                Seen::Failed => return self.todo.push_back(Todo::Fail(run, Failure::Argument(*id))),
                Seen::Never(why) => return self.todo.push_back(Todo::Fail(run, Failure::Lost(*id, why))),
            }
        }
        if let Some(record) = self.record(task) {
            record.set_missing(missing);
        }
        if missing == 0 {
            self.arguments_there(fx, task);
        }
    }

    /// Has a task wait for an object that another one makes.
    fn wait_for(&mut self, fx: &mut Effects, run: Run, maker: TaskRef, id: &ObjectId) {
        if self.is_result(maker, id) {
            return self.add_waiter(maker, Waiter::Task(run));
        }
        // a put comes before its task is over, which may itself wait for what this one returns
        self.add_waiter(maker, Waiter::Look(run));
        self.watch_for(fx, run, id);
    }

    fn add_waiter(&mut self, maker: TaskRef, waiter: Waiter) {
        let mut waiting = self.waiters.remove(&maker).unwrap_or_default();
        // those that were cancelled go, now and then
        if waiting.len() >= MANY && waiting.len().is_power_of_two() {
            waiting.retain(|waiter| match waiter {
                Waiter::Task(run) | Waiter::Look(run) => self.waits(*run),
                Waiter::Rebuild { .. } => true,
            });
        }
        waiting.push(waiter);
        self.waiters.insert(maker, waiting);
    }

    fn watch_for(&mut self, fx: &mut Effects, run: Run, id: &ObjectId) {
        let mut waiting = self.watched.remove(id).unwrap_or_default();
        if waiting.is_empty() {
            fx.watches.push(*id);
        }
        // those that were cancelled go, now and then
        if waiting.len() >= MANY && waiting.len().is_power_of_two() {
            waiting.retain(|run| self.waits(*run));
        }
        waiting.push(run);
        self.watched.insert(*id, waiting);
    }

    /// What an object is to a task of the batch `user`.
    pub(super) fn look_at(&mut self, user: u32, id: &ObjectId) -> Seen {
        if let Some(internal) = self.internals.get(id) {
            if matches!(self.engine.presence(&internal.alias), Presence::Sealed(_)) {
                return Seen::Internal;
            }
            self.internals.remove(id);
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
        let collected = maker.is_some_and(|task| self.table(task.serial).is_none_or(|t| t.is_collected()));
        let why: Arc<str> = match self.engine.presence(id) {
            Presence::Sealed(Kind::Failure) => return Seen::Failed,
            Presence::Sealed(_) => return Seen::There,
            Presence::Unsealed => return Seen::Written,
            Presence::Absent if maker.is_none() => return Seen::Written,
            Presence::Absent => "it was not made when its task ran".into(),
            Presence::Freed => "it was freed, evicted or deleted".into(),
            // deleted, or gone with whoever kept it: a further run would make nothing
            Presence::Gone(e) if !collected => return Seen::Never(e.message().into()),
            Presence::Gone(e) => e.message().into(),
        };
        let (Some(task), Some(state)) = (maker, state) else { return Seen::Never(why) };
        if matches!(state, TaskState::Failed | TaskState::Cancelled) {
            return match self.sealing.contains_key(id) {
                true => Seen::Written,
                false => Seen::Never("its task failed, and why was freed, evicted or collected".into()),
            };
        }
        if collected {
            // whom should it be made for? In normal mode nothing is held, nor made so
            if self.table(user).is_none_or(|t| t.is_collected() || t.key.id.is_normal()) {
                return Seen::Never(why);
            }
            self.wanted.insert(*id, user);
            let before = self.on_behalf.insert(task, user);
            if state != TaskState::Done && !before.is_some_and(|by| self.is_alive(by)) {
                self.adopt(task, user);
            }
        }
        if state != TaskState::Done {
            self.want(task);
            Seen::Waits(task)
        } else if self.is_asked_for(task) {
            Seen::Waits(task)
        } else {
            Seen::Lost(task)
        }
    }

    pub(super) fn is_result(&self, task: TaskRef, id: &ObjectId) -> bool {
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

    /// The last argument is there.
    pub(super) fn arguments_there(&mut self, fx: &mut Effects, task: TaskRef) {
        let Some(record) = self.record(task) else { return };
        if record.has(REPLAY) {
            self.ready_replay(fx, task);
        } else if record.actor() != 0 {
            self.look_at_caller(record.actor(), task);
        } else {
            self.make_ready(fx, task);
        }
    }

    /// Tells those who wait for a task that it is over.
    pub(super) fn resolve(&mut self, fx: &mut Effects, task: TaskRef, failed: bool) {
        let Some(waiters) = self.waiters.remove(&task) else { return };
        let first = self.table(task.serial).map(|t| t.result(task.slot, 0));
        for waiter in waiters {
            match waiter {
                Waiter::Rebuild { actor, instance } => self.todo.push_back(Todo::Rebuild { actor, instance }),
                Waiter::Task(run) if failed => {
                    let failure = first.map_or(Failure::Stored, Failure::Argument);
                    self.todo.push_back(Todo::Fail(run, failure));
                }
                Waiter::Task(run) => self.argument_came(fx, run, task),
                Waiter::Look(run) if self.waits(run) => self.look_again(run),
                Waiter::Look(_) => {}
            }
        }
    }

    /// A task cannot run again now. Who waits for what it was to make is told why; if they looked once more, they would ask for
    /// another run.
    pub(super) fn fail_takers(&mut self, maker: TaskRef, failure: &Failure) {
        let why: Arc<str> = match failure {
            Failure::Lost(id, why) => format!("{} needs object {id}, which is lost: {why}", self.label(maker)).into(),
            _ => format!("{} cannot run again: an argument of it failed", self.label(maker)).into(),
        };
        let waiters = self.waiters.remove(&maker).unwrap_or_default();
        let mut others = Vec::new();
        for waiter in waiters {
            match (waiter, self.lacks(&waiter, maker)) {
                (Waiter::Task(run) | Waiter::Look(run), Some(id)) => {
                    self.todo.push_back(Todo::Fail(run, Failure::Lost(id, Arc::clone(&why))));
                }
                _ => others.push(waiter),
            }
        }
        if !others.is_empty() {
            self.waiters.insert(maker, others);
        }
    }

    /// What of a task's a waiting one lacks.
    fn lacks(&self, waiter: &Waiter, maker: TaskRef) -> Option<ObjectId> {
        let (Waiter::Task(run) | Waiter::Look(run)) = waiter else { return None };
        let ids = self.table(run.task.serial).filter(|_| self.waits(*run))?.arguments(run.task.slot);
        let is_there =
            |id: &ObjectId| self.internals.contains_key(id) || matches!(self.engine.presence(id), Presence::Sealed(_));
        ids.into_iter().find(|id| self.maker(id) == Some(maker) && !is_there(id))
    }

    /// One argument of a waiting task is there.
    fn argument_came(&mut self, fx: &mut Effects, run: Run, maker: TaskRef) {
        if !self.waits(run) {
            return;
        }
        let collected = self.table(maker.serial).filter(|t| t.is_collected());
        let only = collected.filter(|t| t.record(maker.slot).is_some_and(|r| r.returns() == 1));
        if let Some(id) = only.map(|t| t.result(maker.slot, 0)) {
            // what it waits for, without a look through what may be a list of many thousands
            self.use_internal(run.task, &id);
        } else if collected.is_some() {
            let ids = self.table(run.task.serial).map(|t| t.arguments(run.task.slot)).unwrap_or_default();
            for id in ids {
                if self.maker(&id) == Some(maker) {
                    self.use_internal(run.task, &id);
                }
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
        // whoever is at it seals it; and who waits for a put hears when its task is over
        let at_it = |task: TaskRef| {
            self.is_rerun(task) || self.record(task).and_then(|r| r.state()).is_some_and(|s| !s.is_over())
        };
        let comes =
            matches!(seen, Presence::Freed) && (self.sealing.contains_key(id) || self.maker(id).is_some_and(at_it));
        if comes || matches!(seen, Presence::Unsealed | Presence::Absent) {
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
                // it came and went: perhaps it can be made again
                Presence::Freed => self.look_again(run),
                Presence::Gone(e) => {
                    self.todo.push_back(Todo::Fail(run, Failure::Lost(*id, e.message().into())));
                }
            }
        }
    }

    /// Has a waiting task look for its arguments anew.
    pub(super) fn look_again(&mut self, run: Run) {
        if let Some(record) = self.record(run.task) {
            // what it registered for before is not for this attempt
            record.next_attempt();
            self.todo.push_back(Todo::Await(run.task));
        }
    }

    /// An argument of a running task is gone: it waits again. It is called after the step was taken.
    pub(super) fn argument_lost(&mut self, fx: &mut Effects, task: TaskRef) {
        let Some(record) = self.record(task) else { return };
        record.set_lost(record.lost() + 1);
        if record.lost() >= PATIENCE {
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
        if !self.rerun(task, WANTED) {
            return Err("its task failed or was cancelled".into());
        }
        self.todo.push_back(Todo::Await(task));
        Ok(())
    }
}
