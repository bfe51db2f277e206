//! What can be seen of a batch.

use std::sync::Arc;
use std::time::Duration;

use super::engine::Engine;
use super::life::Mark;
use super::lifecycle::State;
use super::record::{End, Record};
use super::tree::Batch;
use super::{BatchKey, Reason, TaskCounts};
use crate::error::Result;
use crate::id::BatchId;

/// One batch, live or remembered. Times are epoch milliseconds, 0 for not yet.
#[derive(Clone, Debug)]
pub struct BatchStatus {
    /// Its id and life.
    pub key: BatchKey,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Where it is in its life.
    pub state: State,
    /// Why it ended.
    pub reason: Option<Reason>,
    /// Objects it owns, adopted ones included; once it is collected, those that were released with it.
    pub objects: u64,
    /// Their bytes of data and metadata.
    pub bytes: u64,
    /// Bytes of the pages of its region, and of its tasks' records.
    pub held: u64,
    /// Bytes of its objects that lie in files, which are among `bytes`.
    pub spilled: u64,
    /// The most bytes its region ever had.
    pub peak_bytes: u64,
    /// Holds of readers and writers on its region's objects.
    pub pins: u64,
    /// When it started.
    pub started_ms: u64,
    /// When it ended.
    pub ended_ms: u64,
    /// When it was collected.
    pub collected_ms: u64,
    /// The batch it is in.
    pub parent: BatchId,
    /// Its tasks that are not over.
    pub tasks_active: u64,
    /// Its tasks that wait for arguments.
    pub tasks_waiting: u64,
    /// Its tasks that could run.
    pub tasks_ready: u64,
    /// Its tasks that run.
    pub tasks_running: u64,
    /// Its tasks that succeeded.
    pub tasks_done: u64,
    /// Its tasks that failed, or were cancelled.
    pub tasks_failed: u64,
    /// For whoever schedules.
    pub priority: i32,
    /// Its time limit.
    pub timeout: Option<Duration>,
    /// Its limit of bytes.
    pub max_bytes: Option<u64>,
    /// Its limit of objects.
    pub max_objects: Option<u64>,
    /// Its limit of own tasks that run at a time.
    pub max_tasks: Option<u32>,
    /// The path of the group it is in.
    pub group: Option<Arc<str>>,
    /// Objects it gave away.
    pub kept: u64,
    /// Objects of other batches that it owns.
    pub adopted: u64,
    /// Closing its handle collects nothing.
    pub no_cleanup: bool,
    /// A checkpoint is taken of an actor before its first task on it.
    pub checkpoint_actors: bool,
    /// Who started it.
    pub started_by: String,
    /// The caller that ended it.
    pub ended_by: Option<String>,
    /// The outer batch whose end ended it.
    pub ended_with: Option<BatchId>,
    /// The batches in it that are not collected, the oldest first.
    pub children: Vec<BatchId>,
}

impl BatchStatus {
    fn of(record: &Record) -> BatchStatus {
        BatchStatus {
            key: record.key,
            name: record.name.as_deref().map(str::to_owned),
            state: State::Waiting,
            reason: None,
            objects: 0,
            bytes: 0,
            held: 0,
            spilled: 0,
            peak_bytes: 0,
            pins: 0,
            started_ms: record.started_ms,
            ended_ms: 0,
            collected_ms: 0,
            parent: record.parent.id,
            tasks_active: 0,
            tasks_waiting: 0,
            tasks_ready: 0,
            tasks_running: 0,
            tasks_done: 0,
            tasks_failed: 0,
            priority: record.priority,
            timeout: record.timeout,
            max_bytes: record.max_bytes,
            max_objects: record.max_objects,
            max_tasks: record.max_tasks,
            group: record.group.clone(),
            kept: 0,
            adopted: 0,
            no_cleanup: record.no_cleanup,
            checkpoint_actors: record.checkpoint_actors,
            started_by: record.started_by.to_string(),
            ended_by: None,
            ended_with: None,
            children: Vec::new(),
        }
    }
}

impl Engine {
    /// What can be seen of a batch.
    ///
    /// # Errors
    /// `BatchNotFound`.
    pub(super) fn status(&self, key: BatchKey) -> Result<BatchStatus> {
        if let Some(batch) = self.live(key) {
            return Ok(self.status_of_live(&batch));
        }
        match self.tombstones.find(key) {
            Some(record) => {
                let mut status = status_of_collected(&record);
                // its records stand as long as a batch that lives depends on them
                status.held += self.tasks().map_or(0, |tasks| tasks.counts(status.key).held);
                Ok(status)
            }
            None => Err(super::errors::not_found(key.id)),
        }
    }

    fn status_of_live(&self, batch: &Batch) -> BatchStatus {
        let usage = batch.usage();
        let (adopted, adopted_bytes) = self.adopted_usage(batch);
        // before the reason: who ends it writes the reason first, so that a batch that is seen ended has one
        let state = batch.state();
        let end = batch.end();
        let tasks = self.task_counts(batch);
        BatchStatus {
            state,
            reason: end.map(|end| end.reason),
            objects: usage.objects + adopted,
            bytes: usage.bytes + adopted_bytes,
            held: usage.held + tasks.held,
            spilled: usage.spilled_bytes,
            peak_bytes: usage.peak_bytes,
            pins: usage.pins,
            tasks_active: batch.active_tasks(),
            tasks_waiting: tasks.waiting,
            tasks_ready: tasks.ready,
            tasks_running: tasks.running,
            tasks_done: tasks.done,
            tasks_failed: tasks.failed,
            ended_ms: end.map_or(0, |end| end.at_ms),
            kept: batch.kept.lock().len() as u64,
            adopted,
            ended_by: end.map(|end| end.by.to_string()),
            ended_with: end.and_then(End::outer),
            children: batch.children.all().iter().map(|child| child.id()).collect(),
            ..BatchStatus::of(&batch.record)
        }
    }

    /// Tasks of a live batch, by state.
    pub(super) fn task_counts(&self, batch: &Batch) -> TaskCounts {
        if !batch.life.word().has(Mark::TASKS) {
            return TaskCounts::default();
        }
        self.tasks().map_or_else(TaskCounts::default, |tasks| tasks.counts(batch.key()))
    }

    /// Ids of all that is not collected, roots left out, the oldest first.
    pub(super) fn batches(&self) -> Vec<BatchId> {
        let mut all: Vec<_> = self.live.iter().filter(|b| !b.is_root()).map(|b| (b.seq, b.id())).collect();
        all.sort_unstable();
        all.into_iter().map(|(_, id)| id).collect()
    }
}

fn status_of_collected(record: &Record) -> BatchStatus {
    let mut status = BatchStatus { state: record.settled(), ..BatchStatus::of(record) };
    if let Some(end) = record.end.get() {
        status.reason = Some(end.reason);
        status.ended_ms = end.at_ms;
        status.ended_by = Some(end.by.to_string());
        status.ended_with = end.outer();
    }
    if let Some(remains) = record.remains.get() {
        let usage = remains.draining.lock().as_ref().map(|region| region.usage()).unwrap_or_default();
        status.objects = remains.released.objects;
        status.bytes = remains.released.bytes;
        status.held = usage.held;
        status.peak_bytes = remains.peak_bytes;
        status.pins = usage.pins;
        status.collected_ms = remains.collected_ms;
        status.kept = remains.kept.len() as u64;
    }
    status
}
