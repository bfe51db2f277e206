//! How a task gets into the table.

use super::core::{Core, Effects, Todo};
use super::record::{CHECKPOINT, CREATION};
use super::state::TaskState;
use super::tasks::over;
use super::types::{Run, Submission, Submitted, TaskKind, TaskRef};
use crate::batch::Presence;
use crate::error::{Error, ErrorCode, Result};
use crate::gcs::TaskRecord;
use crate::id::{BatchId, ObjectId};

impl Core {
    /// Takes a task into the table.
    ///
    /// # Errors
    /// `BatchEnded`, `InvalidArgument`, `ActorDied`, `ObjectCollected`, `TaskCancelled`, `StoreFull`.
    pub(super) fn submit(&mut self, fx: &mut Effects, s: &Submission<'_>) -> Result<Submitted> {
        let TaskRef { serial, slot } = s.task;
        let slots = self.slots;
        // a thread that was given up, or has not noticed that its task is cancelled
        let late = s.parent.filter(|run| !self.goes_on(*run));
        let table = self.known(serial)?;
        let Some(blank) = table.given(slot) else {
            let text = format!("slot {slot} is in no block of tasks of batch {}", table.key.id);
            return Err(Error::new(ErrorCode::InvalidArgument, text).batch(table.key.id));
        };
        if blank.state().is_some() {
            return Ok(Submitted::Known);
        }
        if let Some(run) = late {
            return Err(over(run));
        }
        // each of its results has a slot
        let taken = |n| table.given(slot + n).is_none_or(|record| record.state().is_some());
        if (1..u64::from(s.returns)).any(taken) {
            let text =
                format!("{} results from slot {slot} on have no room in a block of batch {}", s.returns, table.key.id);
            return Err(Error::new(ErrorCode::InvalidArgument, text).batch(table.key.id));
        }
        if u32::from(s.cpus) > slots {
            let text = format!("a task that takes {} slots never runs here: there are {slots}", s.cpus);
            return Err(Error::new(ErrorCode::InvalidArgument, text).batch(table.key.id));
        }
        if table.is_collected() {
            // its records stand for others' sake
            let key = table.key;
            return Err(self.engine.gone(key));
        }
        self.check_actor(s)?;
        self.check_arguments(s)?;
        if self.pending >= self.max_pending {
            self.submitters_wait = true;
            if let Some(run) = s.parent.filter(|run| self.goes_on(*run)) {
                self.wait_for_room(run, true);
            }
            // all that run wait for the like, or for others, and nobody is free to run what is ready
            let stuck = s.parent.is_some() && self.running <= self.blocked + self.full_inside && !self.can_run_more();
            if let Some(run) = s.parent.filter(|_| stuck) {
                self.wait_for_room(run, false); // it is told so, and goes on
            }
            return Ok(Submitted::Full { stuck });
        }
        if let Some(run) = s.parent {
            self.wait_for_room(run, false);
        }
        let inside = s.parent.is_some_and(|run| self.is_inside(run, serial));
        let table = self.known(serial)?;
        let priority = s.priority.unwrap_or_else(|| table.batch.as_ref().map_or(0, |b| b.priority()));
        if let (Some(priority), Some(group)) = (s.priority, &table.group) {
            group.check_priority("a task", priority)?;
        }
        let flags = match s.kind {
            TaskKind::Plain | TaskKind::Method => 0,
            TaskKind::Creation => CREATION,
            TaskKind::Checkpoint => CHECKPOINT,
        };
        if let Some(batch) = &table.batch {
            batch.take_task(inside)?;
        }
        let retries = if s.actor == 0 { s.retries } else { 0 };
        if let Some(record) = table.blank(slot) {
            record.begin(flags, s.returns.max(1), retries, s.cpus.max(1), priority, s.actor, s.caller);
        }
        if let Err(e) = table.set_arguments(slot, s.arguments) {
            self.unsubmit(fx, s.task);
            return Err(e);
        }
        table.counts.waiting += 1;
        table.counts.active += 1;
        let key = table.key;
        self.pending += 1;
        let record = TaskRecord { task: key.life.wrapping_add(slot), count: u32::from(s.returns.max(1)) };
        self.engine.gcs().append(key.id, record);
        self.note_uses(s);
        if s.actor != 0 {
            self.enqueue(s.task);
        }
        self.todo.push_back(Todo::Await(s.task));
        Ok(Submitted::Accepted)
    }

    /// Whoever takes an object of a collected batch is told at once, unless something stands for it or its task is remembered.
    ///
    /// # Errors
    /// `ObjectCollected`.
    fn check_arguments(&self, s: &Submission<'_>) -> Result<()> {
        let own = self.table(s.task.serial).map(|t| t.key.id);
        // in normal mode nothing is made again that was collected
        let stands = |id: &ObjectId| {
            !own.is_some_and(BatchId::is_normal)
                && (self.internals.contains_key(id) || self.maker(id).is_some_and(|task| self.record(task).is_some()))
        };
        for id in s.arguments.iter().filter(|id| Some(id.batch) != own && !id.batch.is_normal()) {
            match self.engine.presence(id) {
                Presence::Gone(e) if e.code() == ErrorCode::ObjectCollected && !stands(id) => return Err(e),
                _ => {}
            }
        }
        Ok(())
    }

    /// Takes back what a submission began that failed.
    fn unsubmit(&mut self, fx: &mut Effects, task: TaskRef) {
        let Some(table) = self.table(task.serial) else { return };
        if let Some(record) = table.blank(task.slot) {
            record.0[0].store(0, std::sync::atomic::Ordering::Relaxed);
        }
        fx.ends.extend(table.batch.clone());
    }

    /// True for a run of a task that is active in this batch or in one within it.
    pub(super) fn is_inside(&self, run: Run, serial: u32) -> bool {
        let goes_on = self.record(run.task).is_some_and(|r| r.is(TaskState::Running) && r.attempt() == run.attempt);
        let Some(outer) = self.table(serial).filter(|_| goes_on) else { return false };
        run.task.serial == serial
            || self
                .table(run.task.serial)
                .and_then(|t| t.batch.as_ref())
                .is_some_and(|inner| inner.is_within(outer.key))
    }
}
