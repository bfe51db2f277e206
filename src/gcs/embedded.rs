//! The tables in this process.

use std::sync::Arc;

use dashmap::DashMap;
use hashbrown::DefaultHashBuilder;
use parking_lot::RwLock;

use super::{Gcs, OnDeleted, TaskRecord};
use crate::id::{BatchId, ObjectId};

/// The control store within one process.
#[derive(Default)]
pub struct EmbeddedGcs {
    /// batch → its records by task, in the order of slots
    tables: DashMap<BatchId, Vec<TaskRecord>, DefaultHashBuilder>,
    subscribers: RwLock<Arc<[OnDeleted]>>,
}

/// Slots count up from a random base and may wrap: less than half of the circle apart, the one behind comes first.
fn behind(a: u64, b: u64) -> bool {
    (a.wrapping_sub(b) as i64) < 0
}

impl Gcs for EmbeddedGcs {
    fn create_table(&self, batch: BatchId) {
        self.tables.insert(batch, Vec::new());
    }

    fn append(&self, batch: BatchId, record: TaskRecord) {
        let Some(mut table) = self.tables.get_mut(&batch) else { return };
        // two threads may report the blocks they leased in the other order
        let at = table.iter().rposition(|r| behind(r.task, record.task)).map_or(0, |n| n + 1);
        table.insert(at, record);
    }

    fn table(&self, batch: BatchId) -> Vec<TaskRecord> {
        self.tables.get(&batch).map(|t| t.clone()).unwrap_or_default()
    }

    fn names(&self, id: &ObjectId) -> bool {
        let Some(table) = self.tables.get(&id.batch) else { return false };
        let at = table.partition_point(|r| behind(r.task, id.task));
        table.get(at).is_some_and(|r| r.task == id.task && id.index < r.count)
    }

    fn delete_table(&self, batch: BatchId) -> bool {
        if self.tables.remove(&batch).is_none() {
            return false;
        }
        let subscribers = Arc::clone(&self.subscribers.read());
        for on_deleted in &*subscribers {
            on_deleted(batch);
        }
        true
    }

    fn subscribe(&self, on_deleted: OnDeleted) {
        let mut subscribers = self.subscribers.write();
        *subscribers = subscribers.iter().cloned().chain([on_deleted]).collect();
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;
    use crate::gcs::table_name;

    const B: BatchId = BatchId(7);

    fn record(task: u64, count: u32) -> TaskRecord {
        TaskRecord { task, count }
    }

    #[test]
    fn records_name_their_objects_across_the_wrap_of_slots() {
        let gcs = EmbeddedGcs::default();
        gcs.create_table(B);
        let base = u64::MAX - 4;
        for (first, count) in [(0, 4), (12, 8), (4, 8)] {
            gcs.append(B, record(base.wrapping_add(first), count));
        }
        let tasks: Vec<_> = gcs.table(B).iter().map(|r| r.task.wrapping_sub(base)).collect();
        assert_eq!(tasks, [0, 4, 12]);
        let named = |slot: u64, index| gcs.names(&ObjectId::new(B, base.wrapping_add(slot), index));
        assert!(named(0, 0) && named(0, 3) && named(4, 7) && named(12, 7));
        assert!(!named(0, 4) && !named(1, 0) && !named(20, 0) && !named(12, u32::MAX));
    }

    #[test]
    fn a_deletion_is_told_once_and_late_records_are_ignored() {
        let gcs = EmbeddedGcs::default();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ears = Arc::clone(&heard);
        gcs.subscribe(Arc::new(move |batch| ears.lock().push(batch)));
        gcs.create_table(B);
        assert!(gcs.delete_table(B));
        assert!(!gcs.delete_table(B));
        gcs.append(B, record(1, 1));
        assert!(gcs.table(B).is_empty());
        assert_eq!(*heard.lock(), [B]);
        assert_eq!(table_name(B), "GC:7");
    }
}
