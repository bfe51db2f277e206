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
    /// batch → the runs of its records, in the order of slots
    tables: DashMap<BatchId, Vec<Run>, DefaultHashBuilder>,
    subscribers: RwLock<Arc<[OnDeleted]>>,
}

/// Records of one count, each beginning where the one before ends: a million tasks of one result are one of these.
#[derive(Clone, Copy)]
struct Run {
    /// the first one's task
    first: u64,
    count: u32,
    times: u32,
}

impl Run {
    /// The first slot after it.
    fn end(&self) -> u64 {
        self.first.wrapping_add(u64::from(self.count) * u64::from(self.times))
    }

    /// True for the task of one of its records.
    fn has(&self, task: u64) -> bool {
        let (distance, count) = (task.wrapping_sub(self.first), u64::from(self.count));
        count > 0 && distance.is_multiple_of(count) && distance / count < u64::from(self.times)
    }

    /// Both as one, if `next` goes on where this ends.
    fn joined(&self, next: &Run) -> Option<Run> {
        let times = self.times.checked_add(next.times)?;
        (self.count == next.count && self.count > 0 && self.end() == next.first).then_some(Run { times, ..*self })
    }

    fn records(self) -> impl Iterator<Item = TaskRecord> {
        let Run { first, count, times } = self;
        (0..u64::from(times)).map(move |n| TaskRecord { task: first.wrapping_add(n * u64::from(count)), count })
    }
}

/// Slots count up from a random base and may wrap: less than half of the circle apart, the one behind comes first.
fn behind(a: u64, b: u64) -> bool {
    (a.wrapping_sub(b) as i64) < 0
}

/// How many runs begin at the task or before it: the last of them is the one that may have it.
fn up_to(table: &[Run], task: u64) -> usize {
    table.partition_point(|run| !behind(task, run.first))
}

impl Gcs for EmbeddedGcs {
    fn create_table(&self, batch: BatchId) {
        self.tables.insert(batch, Vec::new());
    }

    fn append(&self, batch: BatchId, record: TaskRecord) {
        let Some(mut table) = self.tables.get_mut(&batch) else { return };
        // two threads may report the blocks they leased in the other order
        let at = up_to(&table, record.task);
        let before = at.checked_sub(1).and_then(|n| table.get(n)).copied();
        if before.is_some_and(|before| before.has(record.task)) {
            return; // told before
        }
        let mut run = Run { first: record.task, count: record.count, times: 1 };
        let (mut from, mut to) = (at, at);
        if let Some(joined) = before.and_then(|before| before.joined(&run)) {
            (run, from) = (joined, at - 1);
        }
        if let Some(joined) = table.get(at).and_then(|next| run.joined(next)) {
            (run, to) = (joined, at + 1);
        }
        if to == from + 1 {
            table[from] = run;
        } else {
            table.splice(from..to, [run]);
        }
    }

    fn table(&self, batch: BatchId) -> Vec<TaskRecord> {
        self.tables.get(&batch).map(|table| table.iter().copied().flat_map(Run::records).collect()).unwrap_or_default()
    }

    fn names(&self, id: &ObjectId) -> bool {
        let Some(table) = self.tables.get(&id.batch) else { return false };
        let run = up_to(&table, id.task).checked_sub(1).and_then(|n| table.get(n));
        run.is_some_and(|run| id.index < run.count && run.has(id.task))
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
    use proptest::prelude::*;

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

    fn runs(gcs: &EmbeddedGcs) -> usize {
        gcs.tables.get(&B).map_or(0, |table| table.len())
    }

    #[test]
    fn a_million_tasks_of_one_result_are_a_handful_of_entries() {
        let gcs = EmbeddedGcs::default();
        gcs.create_table(B);
        let base = u64::MAX - 300_000;
        let first = |n: u64| base.wrapping_add(n);
        // two threads, each with blocks of 256 slots of its own, and a block of puts now and then
        for block in 0..1954u64 {
            for n in 0..256 {
                gcs.append(B, record(first(2 * block * 256 + n), 1));
                gcs.append(B, record(first((2 * block + 1) * 256 + n), 1));
            }
        }
        let puts = 2 * 1954 * 256;
        for n in 0..100 {
            gcs.append(B, record(first(puts + n * 256), 256));
        }
        assert_eq!(runs(&gcs), 2);
        let table = gcs.table(B);
        assert_eq!(table.len(), 1_000_448 + 100);
        assert!(table.iter().zip(0..).all(|(r, n)| *r == record(first(n), 1) || n >= puts));
        for n in [0, 1, 255, 256, 300_000, 300_001, 1_000_447] {
            assert!(gcs.names(&ObjectId::new(B, first(n), 0)), "{n}");
            assert!(!gcs.names(&ObjectId::new(B, first(n), 1)), "{n}");
        }
        assert!(gcs.names(&ObjectId::new(B, first(puts + 256), 255)));
        assert!(!gcs.names(&ObjectId::new(B, first(puts + 1), 0)), "within a block, and none's beginning");
        assert!(!gcs.names(&ObjectId::new(B, first(puts + 100 * 256), 0)));
        assert!(!gcs.names(&ObjectId::new(B, base.wrapping_sub(1), 0)));
        gcs.append(B, record(first(5), 1));
        assert_eq!(gcs.table(B).len(), 1_000_448 + 100, "told twice is told once");
        assert!(gcs.delete_table(B));
        assert_eq!(runs(&gcs), 0);
    }

    proptest! {
        /// Blocks of one count or another, reported in any order, from a base that may wrap: all are named, and nothing
        /// else, and runs are as few as there can be.
        #[test]
        fn runs_say_what_the_records_say(
            counts in prop::collection::vec(prop_oneof![Just(1u32), Just(1), Just(2), Just(5)], 1..60),
            order in prop::collection::vec(any::<prop::sample::Index>(), 60),
            gaps in prop::collection::vec(prop_oneof![9 => Just(0u64), 1 => Just(3)], 60),
            base in prop_oneof![any::<u64>(), (u64::MAX - 40)..u64::MAX],
        ) {
            let mut slot = 0;
            let mut all = Vec::new();
            for (count, gap) in counts.iter().zip(&gaps) {
                slot += gap;
                all.push(record(base.wrapping_add(slot), *count));
                slot += u64::from(*count);
            }
            let gcs = EmbeddedGcs::default();
            gcs.create_table(B);
            let mut left = all.clone();
            for at in &order {
                if !left.is_empty() {
                    gcs.append(B, left.remove(at.index(left.len())));
                }
            }
            prop_assert_eq!(gcs.table(B), all.clone());
            let breaks = all.windows(2).filter(|w| {
                w[0].count != w[1].count || w[0].task.wrapping_add(w[0].count.into()) != w[1].task
            });
            prop_assert_eq!(runs(&gcs), 1 + breaks.count());
            for n in 0..slot + 5 {
                let task = base.wrapping_add(n);
                for index in 0..6 {
                    let named = all.iter().any(|r| r.task == task && index < r.count);
                    prop_assert_eq!(gcs.names(&ObjectId::new(B, task, index)), named);
                }
            }
        }
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
