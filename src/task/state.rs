//! The life of a task: its states, what can happen to it, and one table of what leads where.

/// Where a task is in its life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum TaskState {
    /// Arguments are missing, or it is not its turn on its actor.
    Waiting = 1,
    /// In its batch's queue.
    Ready = 2,
    /// A worker has it.
    Running = 3,
    /// Its results were sealed.
    Done = 4,
    /// It, or an argument of it, failed; its results say why.
    Failed = 5,
    /// Somebody cancelled it; its results say who.
    Cancelled = 6,
}

impl TaskState {
    /// All states, in order.
    pub const ALL: [TaskState; 6] = [
        TaskState::Waiting,
        TaskState::Ready,
        TaskState::Running,
        TaskState::Done,
        TaskState::Failed,
        TaskState::Cancelled,
    ];

    /// The state of that number; `None` for 0, a record that is not used.
    pub(super) fn of(n: u8) -> Option<TaskState> {
        TaskState::ALL.get(usize::from(n).wrapping_sub(1)).copied()
    }

    /// True once it is over, for now or for good.
    #[must_use]
    pub fn is_over(self) -> bool {
        self >= TaskState::Done
    }
}

/// What can happen to a task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TaskStep {
    /// The last argument is there, and it is its turn.
    Prepare,
    /// A worker takes it.
    Take,
    /// It returned.
    Succeed,
    /// It threw for the last time, or an argument failed.
    Fail,
    /// Somebody cancelled it, or its actor died.
    Cancel,
    /// It was to run again, and cannot now; what it did before stands.
    GiveUp,
    /// It is to run again: it threw and may try once more, or its worker gave it back before it began.
    Retry,
    /// Its actor was lost before a worker took it.
    Recall,
    /// An argument that was there is gone.
    LoseArgument,
    /// It is to run again: a result was lost, or its actor is rebuilt.
    Remake,
}

/// The table: where a step leads, or `None` where it must not happen.
#[must_use]
pub fn next(state: TaskState, step: TaskStep) -> Option<TaskState> {
    use TaskState::{Cancelled, Done, Failed, Ready, Running, Waiting};
    Some(match (state, step) {
        (Waiting, TaskStep::Prepare) | (Running, TaskStep::Retry) => Ready,
        (Ready, TaskStep::Take) => Running,
        (Running, TaskStep::Succeed) => Done,
        (Waiting | Running, TaskStep::Fail) => Failed,
        (Waiting | Ready | Running, TaskStep::Cancel) => Cancelled,
        (Waiting, TaskStep::GiveUp) => Done,
        // a failed task of an actor changed its state before it threw, and is replayed as well
        (Ready, TaskStep::Recall) | (Running, TaskStep::LoseArgument) | (Done | Failed, TaskStep::Remake) => Waiting,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: [TaskStep; 10] = [
        TaskStep::Prepare,
        TaskStep::Take,
        TaskStep::Succeed,
        TaskStep::Fail,
        TaskStep::Cancel,
        TaskStep::GiveUp,
        TaskStep::Retry,
        TaskStep::Recall,
        TaskStep::LoseArgument,
        TaskStep::Remake,
    ];

    fn legal(state: TaskState) -> Vec<TaskStep> {
        STEPS.into_iter().filter(|&step| next(state, step).is_some()).collect()
    }

    #[test]
    fn a_waiting_task_gets_ready_or_is_over_before_it_began() {
        assert_eq!(legal(TaskState::Waiting), [TaskStep::Prepare, TaskStep::Fail, TaskStep::Cancel, TaskStep::GiveUp]);
    }

    #[test]
    fn a_ready_task_is_taken_cancelled_or_recalled() {
        assert_eq!(legal(TaskState::Ready), [TaskStep::Take, TaskStep::Cancel, TaskStep::Recall]);
    }

    #[test]
    fn a_running_task_ends_one_way_or_runs_again() {
        let steps = [TaskStep::Succeed, TaskStep::Fail, TaskStep::Cancel, TaskStep::Retry, TaskStep::LoseArgument];
        assert_eq!(legal(TaskState::Running), steps);
    }

    #[test]
    fn what_ran_can_be_remade() {
        assert_eq!(legal(TaskState::Done), [TaskStep::Remake]);
        assert_eq!(legal(TaskState::Failed), [TaskStep::Remake]);
    }

    #[test]
    fn a_cancelled_task_is_over_for_good() {
        assert_eq!(legal(TaskState::Cancelled), []);
    }
}
