//! How runs end.

use std::sync::Arc;

use super::core::{Core, Effects, Todo};
use super::jobs::JobEnd;
use super::record::{CHECKPOINT, CREATION, HAD_FAILED, REPLAY, UNWINDING, WANTED};
use super::state::{TaskState, TaskStep};
use super::types::{Ending, Failure, Run, TaskRef};
use crate::batch::Presence;
use crate::error::{Error, ErrorCode};
use crate::id::ObjectId;

/// Where what a run made is to be stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Target {
    /// Under this id, in its batch.
    Result(ObjectId),
    /// In this batch, standing for this object of a collected one.
    Internal(u32, ObjectId),
    /// In this batch, as a checkpoint.
    Checkpoint(u32, u32),
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
        if matches!(ending, Ending::NotBegun | Ending::LostArgument) {
            return Target::Nowhere;
        }
        if run.task.serial == 0 {
            let of = self.job_saves(run.task.slot).filter(|_| ending == Ending::Value);
            return of.map_or(Target::Nowhere, |(owner, actor)| Target::Checkpoint(owner, actor));
        }
        let (Some(table), Some(record)) = (self.table(run.task.serial), self.record(run.task)) else {
            return Target::Nowhere;
        };
        if !record.is(TaskState::Running) || record.attempt() != run.attempt || index >= record.returns() {
            return Target::Nowhere;
        }
        let id = table.result(run.task.slot, index);
        if record.has(CHECKPOINT) && ending == Ending::Value {
            let number = record.actor();
            return self.actors.get(&number).map_or(Target::Nowhere, |actor| Target::Checkpoint(actor.owner, number));
        }
        let wanted = record.has(WANTED);
        let rerun = wanted || record.has(REPLAY);
        let ok = matches!(ending, Ending::Value | Ending::Stored);
        if (rerun && !wanted) || (!ok && record.retries_left() && ending == Ending::Threw) {
            return Target::Nowhere;
        }
        self.place_for(table.is_collected(), id)
    }

    fn place_for(&self, collected: bool, id: ObjectId) -> Target {
        if !collected {
            return Target::Result(id);
        }
        let by = self.wanted.get(&id).filter(|by| self.table(**by).is_some_and(|t| !t.is_collected()));
        by.map_or(Target::Nowhere, |by| Target::Internal(*by, id))
    }

    /// A run has returned. From now on its values may be seen, although the table has not heard of its end: whoever sees
    /// them and then cancels it, or kills its actor, comes too late.
    ///
    /// True if that is new.
    pub(super) fn note_returned(&mut self, run: Run) -> bool {
        let Some(record) = self.record(run.task).filter(|r| self.goes_on(run) && !r.has_returned()) else {
            return false;
        };
        record.set_returned(true);
        true
    }

    /// Nothing of what a run returned could be stored, and it may wait: so nobody comes too late.
    pub(super) fn note_refused(&mut self, run: Run) {
        if let Some(record) = self.record(run.task).filter(|_| self.goes_on(run)) {
            record.set_returned(false);
        }
    }

    /// Where a put of a running task goes.
    pub(super) fn put_target(&self, run: Run, id: &ObjectId) -> Target {
        let goes_on = self.record(run.task).is_some_and(|r| r.is(TaskState::Running) && r.attempt() == run.attempt);
        let Some(table) = self.table(run.task.serial).filter(|_| goes_on) else { return Target::Nowhere };
        self.place_for(table.is_collected(), *id)
    }

    /// Why the tasks of a batch were cancelled, if they were.
    fn cancelled(&self, serial: u32) -> Option<Failure> {
        self.table(serial)?.cancelled.clone()
    }

    /// The error of a call by a run that does not go on.
    pub(super) fn run_is_over(&self, run: Run) -> Error {
        let what = format!("run {} of the task in slot {}", run.attempt, run.task.slot);
        match self.cancelled(run.task.serial) {
            Some(Failure::BatchEnded(reason, why)) => {
                Error::new(ErrorCode::TaskCancelled, format!("{what} was cancelled: {why}")).facts([reason as i64])
            }
            _ => {
                let text = format!("{what} was cancelled, or its thread was given up: its calls have no effect");
                Error::new(ErrorCode::TaskCancelled, text)
            }
        }
    }

    /// A run ended, and what it made is stored.
    pub(super) fn report(&mut self, fx: &mut Effects, report: &Report) {
        let Report { run, mut ending, nanos, stored } = *report;
        if ending == Ending::NotSaveable {
            self.cannot_be_saved(run);
            ending = Ending::ThrewForGood;
        }
        if run.task.serial == 0 {
            let end = JobEnd { ending, stored, nanos, cancelled: false };
            return self.job_reported(fx, run.task.slot, end);
        }
        let Some(record) = self.record(run.task).filter(|r| r.attempt() == run.attempt) else { return };
        if record.has(UNWINDING) {
            return self.unwound(fx, run.task, ending != Ending::NotBegun);
        }
        if !record.is(TaskState::Running) {
            return;
        }
        let actor = record.actor();
        if !matches!(ending, Ending::LostArgument | Ending::NotBegun) {
            record.set_lost(0);
        }
        let cancelled = if ending == Ending::Threw { self.cancelled(run.task.serial) } else { None };
        match ending {
            Ending::NotBegun => {
                self.end_run(fx, run.task);
                self.requeue(fx, run.task);
            }
            // its batch was cancelled when it had returned, and was passed over: it does not run again
            Ending::Threw if actor == 0 && record.retries_left() && cancelled.is_some() => {
                self.seal_all(fx, run.task, &cancelled.unwrap_or(Failure::Stored));
                self.over(fx, run.task, true, nanos);
            }
            Ending::Threw if actor == 0 && record.take_retry() => {
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
                    // until it is known how many: its actor must not take it for ready
                    record.set_missing(1);
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

    /// A run is over for good.
    pub(super) fn over(&mut self, fx: &mut Effects, task: TaskRef, failed: bool, nanos: u64) {
        self.end_run(fx, task);
        let rerun = self.is_rerun(task);
        let Some(table) = self.tables.get_mut(&task.serial) else { return };
        let Some(record) = table.record(task.slot) else { return };
        // what failed the first time has failed, whatever its replay does
        let replayed = record.has(REPLAY);
        let had_failed = record.has(HAD_FAILED);
        let ends_failed = if rerun && replayed { had_failed } else { failed };
        record.step(if ends_failed { TaskStep::Fail } else { TaskStep::Succeed });
        let actor = record.actor();
        let (creation, checkpoint) = (record.has(CREATION), record.has(CHECKPOINT));
        record.set(WANTED, false);
        record.set(REPLAY, false);
        record.set(HAD_FAILED, false);
        if ends_failed {
            table.counts.failed += 1;
        } else {
            table.counts.done += 1;
        }
        table.pace = if table.pace == 0 { nanos.max(1) } else { (table.pace * 7 + nanos) / 8 }.max(1);
        self.answer_askers(fx, task, failed);
        self.resolve(fx, task, failed);
        self.release_internals(fx, task);
        self.on_behalf.remove(&task);
        if replayed {
            self.replayed(fx, task, failed, failed && !had_failed);
        } else if actor != 0 && !rerun {
            if creation {
                self.constructed(fx, actor, task, failed, nanos);
            } else if checkpoint {
                self.checkpoint_taken(fx, actor, task);
            } else {
                self.method_over(fx, actor, task, nanos);
            }
        }
        if rerun {
            self.todo.push_back(Todo::Reconsider(task.serial));
        } else {
            self.settled(fx, task);
        }
    }

    /// A first run is over, with no thread in it any more.
    pub(super) fn settled(&mut self, fx: &mut Effects, task: TaskRef) {
        self.pending = self.pending.saturating_sub(1);
        if self.pending < self.max_pending {
            // all who wait are woken; whoever finds none says so again
            fx.room |= std::mem::take(&mut self.submitters_wait);
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
        if table.counts.active == 0 && table.is_collected() {
            self.todo.push_back(Todo::Reconsider(task.serial));
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
        let collected = table.is_collected();
        let Some(record) = table.record(task.slot) else { return };
        let was_ready = record.is(TaskState::Ready);
        let (replayed, wanted) = (record.has(REPLAY), record.has(WANTED));
        // What is lost for this run may be there for a later one, in another batch's name. In a batch that lives, a result
        // that was asked for says what became of it.
        let stands = rerun && !record.has(HAD_FAILED) && (!wanted || collected);
        let step = if step == TaskStep::Fail && stands { TaskStep::GiveUp } else { step };
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
        match step {
            TaskStep::Cancel => table.counts.cancelled += 1,
            TaskStep::GiveUp => table.counts.done += 1,
            _ => table.counts.failed += 1,
        }
        self.seal_all(fx, task, &failure);
        self.answer_askers(fx, task, true);
        if step == TaskStep::GiveUp {
            self.fail_takers(task, &failure);
        }
        self.resolve(fx, task, true);
        self.release_internals(fx, task);
        self.on_behalf.remove(&task);
        if replayed {
            self.replay_impossible(fx, task, &failure);
        } else if actor != 0 && !rerun {
            self.method_dropped(fx, actor, task, &failure);
        }
        if rerun {
            self.todo.push_back(Todo::Reconsider(task.serial));
        } else {
            self.settled(fx, task);
        }
    }

    /// Those who asked for lost objects of a task look for them when it is over. What was freed again meanwhile, or was put
    /// before they asked, needs another run.
    pub(super) fn answer_askers(&mut self, fx: &mut Effects, task: TaskRef, failed: bool) {
        let Some(asked) = self.asked_for.remove(&task) else { return };
        let mut again = Vec::new();
        for (id, runs) in asked {
            if matches!(self.engine.presence(&id), Presence::Sealed(_) | Presence::Unsealed) {
                continue;
            }
            if !failed && runs < 2 {
                again.push((id, runs + 1));
                continue;
            }
            let why = if failed { "its task failed" } else { "it was not made when its task ran" };
            fx.seals.push((id, Failure::Lost(id, why.into())));
        }
        if again.is_empty() {
            return;
        }
        self.asked_for.insert(task, again);
        self.todo.push_back(Todo::Remake(task));
    }

    /// Has a task run once more for those who asked for objects of it.
    fn remake_for_askers(&mut self, fx: &mut Effects, task: TaskRef) {
        if !self.asked_for.contains_key(&task)
            || !self.record(task).is_some_and(|r| r.is(TaskState::Done))
            || self.is_rerun(task)
        {
            return;
        }
        if let Err(why) = self.begin_remake(task) {
            for (id, _) in self.asked_for.remove(&task).unwrap_or_default() {
                fx.seals.push((id, Failure::Lost(id, Arc::clone(&why))));
            }
        }
    }

    /// Notes which failures are being sealed when the lock is released.
    pub(super) fn begin_seals(&mut self, fx: &Effects) {
        for (id, _) in &fx.seals {
            *self.sealing.entry(*id).or_default() += 1;
        }
    }

    /// They are sealed, or could not be. Returns those that somebody watches still.
    pub(super) fn end_seals(&mut self, seals: &[(ObjectId, Failure)]) -> Vec<ObjectId> {
        for (id, _) in seals {
            if let Some(by) = self.sealing.get_mut(id) {
                *by -= 1;
                if *by == 0 {
                    self.sealing.remove(id);
                }
            }
        }
        seals.iter().map(|(id, _)| *id).filter(|id| self.watched.contains_key(id)).collect()
    }

    /// All results of a task that are not there are this failure.
    pub(super) fn seal_all(&self, fx: &mut Effects, task: TaskRef, failure: &Failure) {
        let Some(table) = self.table(task.serial).filter(|t| !t.is_collected()) else { return };
        let returns = table.record(task.slot).map_or(0, |r| r.returns());
        fx.seals.extend((0..returns).map(|index| (table.result(task.slot, index), failure.clone())));
    }

    /// Does what follows from what was done.
    pub(super) fn settle(&mut self, fx: &mut Effects) {
        while let Some(todo) = self.todo.pop_front() {
            match todo {
                Todo::Await(task) => self.await_arguments(fx, task),
                Todo::Fail(run, failure) => self.fail(fx, run, failure),
                Todo::Advance(actor) => self.advance(fx, actor),
                Todo::Rebuild { actor, instance } => self.rebuild_on(fx, actor, instance),
                Todo::Reconsider(serial) => self.reconsider(fx, serial),
                Todo::Boundary(serial) => self.boundary(fx, serial),
                Todo::Remake(task) => self.remake_for_askers(fx, task),
            }
        }
    }
}
