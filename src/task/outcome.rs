//! How runs end.

use super::core::{Core, Effects, Todo, Urgent};
use super::record::{CHECKPOINT, CREATION, HAD_FAILED, REPLAY, UNWINDING, WANTED};
use super::state::{TaskState, TaskStep};
use super::types::{Ending, Failure, Order, Run, TaskRef};
use crate::id::ObjectId;

/// Where what a run made is to be stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Target {
    /// Under this id, in its batch.
    Result(ObjectId),
    /// In this batch, standing for this object of a collected one.
    Internal(u32, ObjectId),
    /// In this batch, as a checkpoint.
    Checkpoint(u32),
    /// Nowhere: it is to run again, nobody wants it, or nobody listens to this run any more.
    Nowhere,
}

/// What the table hears of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Report {
    pub(super) run: Run,
    pub(super) ending: Ending,
    pub(super) nanos: u64,
    /// the checkpoint that was stored, of one the table takes on its own account
    pub(super) stored: Option<ObjectId>,
}

impl Core {
    /// Where the value or failure of a run goes. `index`: which of its results.
    pub(super) fn target(&self, run: Run, ending: Ending, index: u32) -> Target {
        if run.task.serial == 0 {
            return match (self.job_actor(run.task.slot), ending) {
                (Some((owner, true)), Ending::Value) => Target::Checkpoint(owner),
                _ => Target::Nowhere,
            };
        }
        let (Some(table), Some(record)) = (self.table(run.task.serial), self.record(run.task)) else {
            return Target::Nowhere;
        };
        if !record.is(TaskState::Running) || record.attempt() != run.attempt || index >= record.returns() {
            return Target::Nowhere;
        }
        let id = table.result(run.task.slot, index);
        if record.has(CHECKPOINT) && ending == Ending::Value {
            return self.actors.get(&record.actor()).map_or(Target::Nowhere, |actor| Target::Checkpoint(actor.owner));
        }
        let wanted = record.has(WANTED);
        let rerun = wanted || record.has(REPLAY);
        let ok = matches!(ending, Ending::Value | Ending::Stored);
        if (rerun && !wanted) || (!ok && !rerun && record.retries_left() && ending == Ending::Threw) {
            return Target::Nowhere;
        }
        if table.is_collected() {
            return self.wanted.get(&id).map_or(Target::Nowhere, |by| Target::Internal(*by, id));
        }
        Target::Result(id)
    }

    /// A run has returned. From now on its values may be seen, although the table has not heard of its end: whoever sees
    /// them and then cancels it, or kills its actor, comes too late.
    pub(super) fn note_returned(&mut self, run: Run) {
        if let Some(record) = self.record(run.task).filter(|_| self.goes_on(run)) {
            record.set_returned(true);
        }
    }

    /// Where a put of a running task goes.
    pub(super) fn put_target(&self, run: Run, id: &ObjectId) -> Target {
        let goes_on = self.record(run.task).is_some_and(|r| r.is(TaskState::Running) && r.attempt() == run.attempt);
        let Some(table) = self.table(run.task.serial).filter(|_| goes_on) else { return Target::Nowhere };
        if table.is_collected() {
            return self.wanted.get(id).map_or(Target::Nowhere, |by| Target::Internal(*by, *id));
        }
        Target::Result(*id)
    }

    /// A run ended, and what it made is stored.
    pub(super) fn report(&mut self, fx: &mut Effects, report: &Report) {
        let Report { run, mut ending, nanos, stored } = *report;
        if ending == Ending::NotSaveable {
            self.cannot_be_saved(run);
            ending = Ending::ThrewForGood;
        }
        if run.task.serial == 0 {
            if !self.end_job(run) {
                return fx.frees.extend(stored); // its thread was given up
            }
            if ending == Ending::NotBegun {
                self.urgent.push_back(Urgent::Job(run.task.slot));
                fx.ready += 1;
                return;
            }
            let ok = ending == Ending::Value || ending == Ending::Stored;
            return self.job_over(fx, run.task.slot, ok, stored, nanos);
        }
        let Some(record) = self.record(run.task).filter(|r| r.attempt() == run.attempt) else { return };
        if record.has(UNWINDING) {
            return self.unwound(fx, run.task, ending != Ending::NotBegun);
        }
        if !record.is(TaskState::Running) {
            return;
        }
        let rerun = self.is_rerun(run.task);
        let actor = record.actor();
        match ending {
            Ending::NotBegun => {
                self.end_run(fx, run.task);
                self.requeue(fx, run.task);
            }
            Ending::Threw if !rerun && actor == 0 && record.take_retry() => {
                self.end_run(fx, run.task);
                self.requeue(fx, run.task);
            }
            Ending::LostArgument => {
                self.end_run(fx, run.task);
                if let Some(table) = self.tables.get_mut(&run.task.serial) {
                    table.counts.waiting += 1;
                }
                if let Some(record) = self.record(run.task) {
                    record.step(TaskStep::LoseArgument);
                }
                if actor != 0 && !self.replays.contains_key(&run.task) {
                    self.method_given_back(actor, run.task);
                }
                self.argument_lost(fx, run.task);
            }
            Ending::Value | Ending::Stored => self.over(fx, run.task, false, nanos),
            Ending::Threw | Ending::ThrewForGood | Ending::NotSaveable => self.over(fx, run.task, true, nanos),
        }
    }

    /// A worker is done with a job, or was given up in it. False when that was noted before.
    fn end_job(&mut self, run: Run) -> bool {
        let known = self.jobs.contains_key(&run.task.slot);
        if known {
            self.running = self.running.saturating_sub(1);
            self.blocked.remove(&run);
        }
        known
    }

    /// A run is over for good.
    fn over(&mut self, fx: &mut Effects, task: TaskRef, failed: bool, nanos: u64) {
        self.end_run(fx, task);
        let rerun = self.is_rerun(task);
        let Some(table) = self.tables.get_mut(&task.serial) else { return };
        let Some(record) = table.record(task.slot) else { return };
        // what failed the first time has failed, whatever its replay does
        let replayed = record.has(REPLAY);
        let ends_failed = if rerun && replayed { record.has(HAD_FAILED) } else { failed };
        record.step(if ends_failed { TaskStep::Fail } else { TaskStep::Succeed });
        let actor = record.actor();
        let (creation, checkpoint) = (record.has(CREATION), record.has(CHECKPOINT));
        let wanted = record.has(WANTED);
        record.set(WANTED, false);
        record.set(REPLAY, false);
        record.set(HAD_FAILED, false);
        if ends_failed {
            table.counts.failed += 1;
        } else {
            table.counts.done += 1;
        }
        table.pace = if table.pace == 0 { nanos.max(1) } else { (table.pace * 7 + nanos) / 8 }.max(1);
        self.resolve(fx, task, failed);
        self.release_internals(fx, task);
        if replayed {
            self.replayed(fx, task, failed);
        } else if actor != 0 && !rerun {
            if creation {
                self.constructed(fx, actor, task, failed, nanos);
            } else if checkpoint {
                self.checkpoint_taken(actor, task);
            } else {
                self.method_over(fx, actor, task, nanos);
            }
        }
        if self.discarding.remove(&task) && wanted {
            self.todo.push_back(Todo::Remake(task));
        }
        if rerun {
            self.todo.push_back(Todo::Reconsider(task.serial));
        } else {
            self.settled(fx, task);
        }
    }

    /// A first run is over, with no thread in it any more.
    fn settled(&mut self, fx: &mut Effects, task: TaskRef) {
        self.pending = self.pending.saturating_sub(1);
        if self.submitters_wait && self.pending < self.max_pending {
            // who finds it full again says so again
            self.submitters_wait = false;
            fx.room = true;
        }
        self.inactive(fx, task);
    }

    fn inactive(&mut self, fx: &mut Effects, task: TaskRef) {
        let Some(table) = self.tables.get_mut(&task.serial) else { return };
        table.counts.active = table.counts.active.saturating_sub(1);
        fx.ends.extend(table.batch.clone());
        if table.counts.active == 0 && table.boundary.is_some() {
            self.todo.push_back(Todo::Boundary(task.serial));
        }
    }

    /// Has a task that is over wait for a further run.
    pub(super) fn rerun(&mut self, task: TaskRef, why: u8) -> bool {
        let Some(table) = self.tables.get_mut(&task.serial) else { return false };
        let Some(record) = table.record(task.slot) else { return false };
        let had_failed = record.is(TaskState::Failed);
        if !record.step(TaskStep::Remake) {
            return false;
        }
        record.set(why, true);
        record.set(HAD_FAILED, had_failed);
        record.next_attempt();
        if had_failed {
            table.counts.failed -= 1;
        } else {
            table.counts.done -= 1;
        }
        table.counts.waiting += 1;
        true
    }

    /// A waiting task cannot run: an argument failed, or is lost.
    pub(super) fn fail(&mut self, fx: &mut Effects, run: Run, failure: Failure) {
        if !self.waits(run) {
            return;
        }
        self.stop_waiting(fx, run.task, TaskStep::Fail, failure);
    }

    /// A task is over that did not run: it failed or was cancelled before.
    pub(super) fn stop_waiting(&mut self, fx: &mut Effects, task: TaskRef, step: TaskStep, failure: Failure) {
        let rerun = self.is_rerun(task);
        let Some(table) = self.tables.get_mut(&task.serial) else { return };
        let Some(record) = table.record(task.slot) else { return };
        let was_ready = record.is(TaskState::Ready);
        let replayed = record.has(REPLAY);
        if !record.step(step) {
            return;
        }
        // who registered for this attempt is answered now; whoever waits for a later one registers anew
        record.next_attempt();
        record.set(WANTED, false);
        record.set(REPLAY, false);
        record.set(HAD_FAILED, false);
        let actor = record.actor();
        if was_ready {
            table.counts.ready -= 1;
        } else {
            table.counts.waiting -= 1;
        }
        if step == TaskStep::Cancel {
            table.counts.cancelled += 1;
        } else {
            table.counts.failed += 1;
        }
        self.seal_all(fx, task, &failure);
        self.resolve(fx, task, true);
        self.release_internals(fx, task);
        if replayed {
            self.replay_impossible(fx, task, &failure);
        } else if actor != 0 && !rerun {
            self.method_dropped(fx, actor, task, &failure);
        }
        self.discarding.remove(&task);
        if rerun {
            self.todo.push_back(Todo::Reconsider(task.serial));
        } else {
            self.settled(fx, task);
        }
    }

    /// All results of a task that are not there are this failure.
    fn seal_all(&self, fx: &mut Effects, task: TaskRef, failure: &Failure) {
        let Some(table) = self.table(task.serial).filter(|t| !t.is_collected()) else { return };
        let returns = table.record(task.slot).map_or(0, |r| r.returns());
        fx.seals.extend((0..returns).map(|index| (table.result(task.slot, index), failure.clone())));
    }

    /// Cancels a task that is not over. False when it is.
    pub(super) fn cancel(&mut self, fx: &mut Effects, task: TaskRef, failure: &Failure) -> bool {
        let Some(record) = self.record(task) else { return false };
        if self.is_rerun(task) {
            return false;
        }
        match record.state() {
            Some(TaskState::Waiting | TaskState::Ready) => {
                self.stop_waiting(fx, task, TaskStep::Cancel, failure.clone());
                true
            }
            Some(TaskState::Running) if !record.has_returned() => {
                record.step(TaskStep::Cancel);
                record.set(UNWINDING, true);
                let run = Run { task, attempt: record.attempt() };
                if let Some(table) = self.tables.get_mut(&task.serial) {
                    table.counts.cancelled += 1;
                }
                fx.orders.push(Order::Interrupt(run));
                self.seal_all(fx, task, failure);
                self.resolve(fx, task, true);
                true
            }
            _ => false,
        }
    }

    /// The thread of a cancelled run came back, or was given up.
    fn unwound(&mut self, fx: &mut Effects, task: TaskRef, began: bool) {
        self.end_run(fx, task);
        let Some(record) = self.record(task) else { return };
        record.set(UNWINDING, false);
        record.next_attempt();
        let actor = record.actor();
        self.release_internals(fx, task);
        if actor != 0 {
            self.method_broken_off(fx, actor, task, began);
        }
        self.settled(fx, task);
    }

    /// A run's thread does not come back.
    pub(super) fn abandon(&mut self, fx: &mut Effects, run: Run, thread: &str) {
        if run.task.serial == 0 {
            if self.end_job(run) {
                self.job_over(fx, run.task.slot, false, None, 0);
            }
            return;
        }
        let Some(record) = self.record(run.task).filter(|r| r.attempt() == run.attempt) else { return };
        if record.is(TaskState::Running) && self.is_rerun(run.task) {
            self.seal_all(fx, run.task, &Failure::Cancelled("the thread that made it again was given up".into()));
            self.over(fx, run.task, true, 0);
        } else {
            if record.is(TaskState::Running) {
                record.set_returned(false);
                self.cancel(fx, run.task, &Failure::Cancelled("its thread was given up".into()));
            }
            if !self.record(run.task).is_some_and(|r| r.has(UNWINDING)) {
                return;
            }
            self.unwound(fx, run.task, true);
        }
        if let Some(table) = self.tables.get_mut(&run.task.serial) {
            table.abandoned.push(thread.to_owned());
        }
    }

    /// Cancels all of a batch that is not over.
    pub(super) fn cancel_all(&mut self, fx: &mut Effects, serial: u32, failure: &Failure) {
        let Some(table) = self.table(serial).filter(|t| t.counts.active > 0) else { return };
        for slot in table.slots() {
            self.cancel(fx, TaskRef { serial, slot }, failure);
        }
    }

    /// Its last run threw away what somebody wants.
    fn remake_results(&mut self, fx: &mut Effects, task: TaskRef) {
        if !self.record(task).and_then(|r| r.state()).is_some_and(TaskState::is_over) || self.is_rerun(task) {
            return;
        }
        if let Err(why) = self.begin_remake(task) {
            self.never(fx, task, &why);
        }
    }

    /// Does what follows from what was done.
    pub(super) fn settle(&mut self, fx: &mut Effects) {
        while let Some(todo) = self.todo.pop_front() {
            match todo {
                Todo::Await(task) => self.await_arguments(fx, task),
                Todo::Fail(run, failure) => self.fail(fx, run, failure),
                Todo::Advance(actor) => self.advance(fx, actor),
                Todo::Rebuild { actor, instance } => self.rebuild_on(fx, actor, instance),
                Todo::Remake(task) => self.remake_results(fx, task),
                Todo::Reconsider(serial) => self.reconsider(fx, serial),
                Todo::Boundary(serial) => self.boundary(fx, serial),
            }
        }
    }
}
