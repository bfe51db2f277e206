//! What the batches are to the task room: they count its active tasks, and tell it what becomes of them.

use std::any::Any;
use std::sync::{Arc, Weak};

use super::engine::Engine;
use super::life::Mark;
use super::lifecycle::Illegal;
use super::tree::Batch;
use super::{BatchKey, Collected, Reason, errors};
use crate::error::Result;
use crate::id::ObjectId;

/// The task room, as far as batches need it. No lock is held when it is called, and it may call back.
pub(crate) trait TaskHooks: Send + Sync {
    /// A batch was ended, and waits for tasks of its own or of batches within it. For a reason that [cancels], they are
    /// to be cancelled: said once more of a batch that was ended before for another reason.
    ///
    /// A task that began from outside before the end is over then is active already; so if whoever begins tasks does it
    /// under the lock that this call takes, and notes the task under the same hold of it, none is missed.
    ///
    /// `why` says in words which batch ended and how.
    ///
    /// [cancels]: Reason::cancels
    fn ended(&self, key: BatchKey, reason: Reason, why: &str);

    /// A batch is about to be collected: its objects are there still. Only of those that have, or had, tasks, or were
    /// [minded](Batch::mind_tasks) in time.
    fn collecting(&self, key: BatchKey);

    /// A batch was collected: its objects are gone, its id is not free yet. Only of those that have, or had, tasks, or
    /// were [minded](Batch::mind_tasks).
    fn collected(&self, key: BatchKey);

    /// How many tasks of a batch are in which state. Of a collected one, whose records may stand for others' sake, as well.
    fn counts(&self, key: BatchKey) -> TaskCounts;

    /// For whom records of tasks are held. One that is not `exact` may be as old as a second, and costs nothing then. Takes the task
    /// room's lock for short whiles.
    fn records(&self, exact: bool) -> Arc<Records>;

    /// A group's limit of tasks was changed: more may run than did.
    fn limits_changed(&self);

    /// The notifier woke a token: true if it is the task room's.
    fn woken(&self, token: u64) -> bool;

    /// Itself, for whoever knows what it is.
    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

/// Tasks of one batch, by state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct TaskCounts {
    /// For arguments that are not there.
    pub(crate) waiting: u64,
    /// They could run.
    pub(crate) ready: u64,
    /// They run.
    pub(crate) running: u64,
    /// They succeeded.
    pub(crate) done: u64,
    /// They failed, or were cancelled.
    pub(crate) failed: u64,
    /// Bytes of the pages that the records of all of them take.
    pub(crate) held: u64,
}

/// For whom records of tasks are held, the most first, and so many of each at most.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Records {
    /// Fault tolerant actors that may have to be rebuilt: records of collected batches.
    pub actors: Vec<RecordsFor>,
    /// Batches that are not collected: their own, and those of collected batches that made what they took.
    pub batches: Vec<RecordsFor>,
}

/// See [`Records`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordsFor {
    /// The actor's number, or the batch's id.
    pub number: i64,
    /// What errors call it.
    pub name: String,
    /// What is held.
    pub bytes: u64,
}

impl Batch {
    /// One more active task, which is to be ended by [`Engine::end_task`]. `inside`: it was submitted by a task that is
    /// active in this batch, or in one within it, all the while. Takes no lock.
    ///
    /// # Errors
    /// The batch has ended, or for one from inside, it is completed.
    pub(crate) fn begin_task(&self, inside: bool) -> Result<(), Illegal> {
        self.life.begin_task(inside)
    }

    /// Active tasks of its own.
    pub(crate) fn active_tasks(&self) -> u64 {
        self.life.word().tasks()
    }

    /// Has the task room told of this batch's collection though it may never have a task. False when it is collected
    /// and nobody will be told.
    pub(crate) fn mind_tasks(&self) -> bool {
        !self.life.mark(Mark::TASKS).state().is_collected()
    }
}

impl Engine {
    /// Makes the task room known, once; it is not kept alive. Later calls change nothing.
    pub(crate) fn set_tasks(&self, tasks: Weak<dyn TaskHooks>) {
        let _ = self.tasks.set(tasks);
    }

    /// The task room, if there is one.
    pub(crate) fn tasks(&self) -> Option<Arc<dyn TaskHooks>> {
        self.tasks.get().and_then(Weak::upgrade)
    }

    /// A task that [began](Batch::begin_task) is over. The last one of an ended batch completes it, and those it is in as
    /// far as they waited for nothing else, and collects what was to be: hold no lock.
    pub(crate) fn end_task(&self, batch: &Arc<Batch>) {
        if batch.life.end_task() {
            self.complete(batch);
        }
    }

    /// Completes a batch if it has ended and nothing is active in it any more, and then the one it is in likewise. What
    /// was to be collected then is, before the outer one is looked at.
    pub(super) fn complete(&self, batch: &Arc<Batch>) {
        let mut next = Some(batch);
        while let Some(batch) = next {
            let Some(was) = batch.complete() else { return };
            if was.has(Mark::COLLECT) {
                self.collect(batch);
            } else if was.has(Mark::WATCHED) {
                self.store.notifier().wake_batch(batch.id());
            }
            next = batch.parent();
        }
    }

    /// Has `token` woken, once, when the batch is over, as `batch_over` has it. Look after this.
    pub(super) fn watch_batch(&self, key: BatchKey, token: u64) {
        // As a waiter for an object that there never is, whom a collection wakes as it wakes all who wait for one of the
        // batch. The mark has whoever completes it without a collection look for waiters.
        self.store.notifier().watch_placed(&[ObjectId::new(key.id, u64::MAX, u32::MAX)], token);
        if let Some(batch) = self.live(key) {
            batch.life.mark(Mark::WATCHED);
        }
    }

    /// What was released with a batch that is over: completed and, if that was asked for, collected, its id free. `None`
    /// for one that is not.
    ///
    /// # Errors
    /// `BatchNotFound` for an id that nobody started.
    pub(super) fn batch_over(&self, key: BatchKey) -> Result<Option<Collected>> {
        if let Some(batch) = self.live(key) {
            let word = batch.life.word();
            let over = word.state().is_over() && !word.has(Mark::COLLECT) && !batch.is_claimed();
            return Ok(over.then(Collected::default));
        }
        match self.tombstones.find(key).as_ref().and_then(|record| record.remains.get()) {
            Some(remains) => {
                let mut sum = remains.within;
                sum.add(remains.released);
                Ok(Some(sum))
            }
            // collected so long ago that it is forgotten
            None if key.life != 0 => Ok(Some(Collected::default())),
            None => Err(errors::not_found(key.id)),
        }
    }
}

#[cfg(test)]
mod tests;
