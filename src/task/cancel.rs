//! How tasks end before their time: they are cancelled, and threads are given up in them.

use super::actor::{FIRST_INSTANCE, Main};
use super::core::{Core, Effects};
use super::record::{CREATION, UNWINDING, WANTED};
use super::state::{TaskState, TaskStep};
use super::types::{Failure, Order, Run, TaskRef};

impl Core {
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
                self.answer_askers(fx, task, true);
                self.resolve(fx, task, true);
                true
            }
            _ => false,
        }
    }

    /// The thread of a cancelled run came back, or was given up.
    pub(super) fn unwound(&mut self, fx: &mut Effects, task: TaskRef, began: bool) {
        self.end_run(fx, task);
        let Some(record) = self.record(task) else { return };
        record.set(UNWINDING, false);
        record.next_attempt();
        let (actor, creation) = (record.actor(), record.has(CREATION));
        self.release_internals(fx, task);
        if actor != 0 {
            if creation {
                // it may have been constructed nevertheless
                fx.orders.push(Order::DropInstance { actor, instance: FIRST_INSTANCE });
            }
            self.method_broken_off(fx, actor, task, began);
        }
        self.settled(fx, task);
    }

    /// A run's thread does not come back.
    pub(super) fn abandon(&mut self, fx: &mut Effects, run: Run, thread: &str) {
        if run.task.serial == 0 {
            return self.abandon_job(fx, run.task.slot, thread);
        }
        let Some(record) = self.record(run.task).filter(|r| r.attempt() == run.attempt) else { return };
        if record.is(TaskState::Running) && self.is_rerun(run.task) {
            self.abandon_rerun(fx, run.task);
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

    /// The thread of a further run does not come back. An instance on which it replayed something is in the middle of it.
    fn abandon_rerun(&mut self, fx: &mut Effects, task: TaskRef) {
        if self.record(task).is_some_and(|r| r.has(WANTED)) {
            self.seal_all(fx, task, &Failure::Cancelled("the thread that made it again was given up".into()));
        }
        let on = self.replays.remove(&task);
        self.over(fx, task, true, 0);
        let Some((number, instance)) = on else { return };
        let why = "a thread that replayed a task on it was given up";
        if self.actors.get(&number).is_some_and(|a| a.main == Main::Rebuilding(instance)) {
            self.lose(fx, number, why);
        } else {
            self.rebuild_failed(fx, number, instance, why);
        }
    }

    /// Cancels all of a batch that is not over, and what is done for its actors.
    pub(super) fn cancel_all(&mut self, fx: &mut Effects, serial: u32, failure: &Failure) {
        self.cancel_jobs_of(fx, serial);
        let Some(table) = self.table(serial).filter(|t| t.counts.active > 0) else { return };
        for slot in table.slots() {
            self.cancel(fx, TaskRef { serial, slot }, failure);
        }
    }

    /// Cancels a task that is not over, and what it and those below it submitted to their batch and is not over. An actor that
    /// one of them made lives on; and a method that runs goes on, for its actor would lose its instance. False when the task
    /// itself is over.
    pub(super) fn cancel_tree(&mut self, fx: &mut Effects, task: TaskRef, by: &str) -> bool {
        if !self.cancel(fx, task, &Failure::Cancelled(format!("cancelled by {by}").into())) {
            return false;
        }
        let failure =
            Failure::Cancelled(format!("cancelled by {by}, with {}, which led to it", self.label(task)).into());
        let mut above = vec![task];
        while let Some(parent) = above.pop() {
            for sub in self.submitted_by(parent) {
                let Some(record) = self.record(sub) else { continue };
                let on_actor = record.actor() != 0 && record.is(TaskState::Running);
                if !on_actor && !record.has(CREATION) {
                    self.cancel(fx, sub, &failure);
                }
                above.push(sub);
            }
        }
        true
    }

    /// The tasks that a task submitted to its own batch.
    fn submitted_by(&self, task: TaskRef) -> Vec<TaskRef> {
        let Some(table) = self.table(task.serial) else { return Vec::new() };
        let blocks = table.id_blocks(task.slot).into_iter().filter(|block| !block.puts);
        let slots = blocks.flat_map(|block| block.first..block.first + u64::from(block.count));
        slots.filter(|slot| table.record(*slot).is_some()).map(|slot| table.task(slot)).collect()
    }
}
