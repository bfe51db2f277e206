//! How tasks end before they end.

use super::core::{Core, Effects};
use super::record::CREATION;
use super::state::TaskState;
use super::types::{Failure, TaskRef};

impl Core {
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
