//! The control store: a table `GC:<batchId>` of the tasks of each batch, and with them of its objects.
//!
//! One record `(task, count)` names the ids `(batch, task, 0..count)`, so that a table of millions of objects is some
//! thousand records. Deleting a table is what makes a node drop the batch's region: the store is told by those who
//! subscribed, not by those who deleted. The embedded tables live in this process; a remote control store can stand
//! behind the same trait.

mod embedded;

use std::sync::Arc;

pub use self::embedded::EmbeddedGcs;
use crate::id::{BatchId, ObjectId};

/// One task of a batch: it may make the ids `(batch, task, 0..count)`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TaskRecord {
    /// The task's own 64 bits.
    pub task: u64,
    /// Slots it reserved.
    pub count: u32,
}

/// Told of a deleted table.
pub type OnDeleted = Arc<dyn Fn(BatchId) + Send + Sync>;

/// The control store.
pub trait Gcs: Send + Sync {
    /// Makes an empty table for a batch.
    fn create_table(&self, batch: BatchId);

    /// Adds a record; without a table it is dropped, for then the batch is gone.
    fn append(&self, batch: BatchId, record: TaskRecord);

    /// The records of a batch, in the order they came.
    fn table(&self, batch: BatchId) -> Vec<TaskRecord>;

    /// True if a record names the object.
    fn names(&self, id: &ObjectId) -> bool;

    /// Deletes a table and tells the subscribers; false when there was none.
    fn delete_table(&self, batch: BatchId) -> bool;

    /// Has `on_deleted` told of every table that is deleted from now on.
    fn subscribe(&self, on_deleted: OnDeleted);
}

/// The name of a batch's table.
#[must_use]
pub fn table_name(batch: BatchId) -> String {
    format!("GC:{batch}")
}
