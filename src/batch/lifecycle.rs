//! The life of a batch: its states, what can happen to it, and one table of what leads where.
//!
//! ```text
//! waiting ──first work──▶ running ──end──▶ ended ──last task over──▶ completed ──collect──▶ draining ──last release──▶ collected
//!    └──────────────end──────────────────────▲                           └──collect, nothing held────────────────────────▲
//! ```

/// Where a batch is in its life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum State {
    /// Nothing ran yet.
    Waiting = 0,
    /// It has objects or tasks.
    Running = 1,
    /// No new work from outside; tasks of it, or of a batch within it, are active.
    Ended = 2,
    /// Its last task is over, and so is every batch within it.
    Completed = 3,
    /// Collected, but somebody holds some of its memory.
    Draining = 4,
    /// Gone.
    Collected = 5,
}

impl State {
    /// All states, in order.
    pub const ALL: [State; 6] =
        [State::Waiting, State::Running, State::Ended, State::Completed, State::Draining, State::Collected];

    /// True while it takes new work.
    #[must_use]
    pub fn is_open(self) -> bool {
        self < State::Ended
    }

    /// True once it was collected, drained or not.
    #[must_use]
    pub fn is_collected(self) -> bool {
        self >= State::Draining
    }

    /// True once its last task is over.
    #[must_use]
    pub fn is_over(self) -> bool {
        self >= State::Completed
    }

    pub(super) fn of(n: u8) -> State {
        State::ALL.get(usize::from(n)).copied().unwrap_or(State::Collected)
    }
}

/// What can happen to a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Its first object or task.
    FirstWork,
    /// Ended, for whatever reason.
    End,
    /// The last task of it and of all within it is over.
    LastTask,
    /// Collected; somebody holds some of its memory.
    CollectHeld,
    /// Collected; nobody holds anything.
    CollectFree,
    /// The last hold went.
    Drained,
}

/// The table: where a step leads, or `None` where it must not happen.
#[must_use]
pub fn next(state: State, step: Step) -> Option<State> {
    use State::{Collected, Completed, Draining, Ended, Running, Waiting};
    Some(match (state, step) {
        (Waiting, Step::FirstWork) => Running,
        (Waiting | Running, Step::End) => Ended,
        (Ended, Step::LastTask) => Completed,
        (Completed, Step::CollectHeld) => Draining,
        (Completed, Step::CollectFree) | (Draining, Step::Drained) => Collected,
        _ => return None,
    })
}

/// A step that the state does not allow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Illegal {
    /// The state it was tried in.
    pub state: State,
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: [Step; 6] =
        [Step::FirstWork, Step::End, Step::LastTask, Step::CollectHeld, Step::CollectFree, Step::Drained];

    fn legal(state: State) -> Vec<Step> {
        STEPS.into_iter().filter(|&s| next(state, s).is_some()).collect()
    }

    #[test]
    fn waiting_can_begin_or_end() {
        assert_eq!(legal(State::Waiting), [Step::FirstWork, Step::End]);
    }

    #[test]
    fn running_can_only_end() {
        assert_eq!(legal(State::Running), [Step::End]);
    }

    #[test]
    fn ended_waits_for_its_last_task_and_cannot_be_collected_before() {
        assert_eq!(legal(State::Ended), [Step::LastTask]);
    }

    #[test]
    fn completed_can_only_be_collected() {
        assert_eq!(legal(State::Completed), [Step::CollectHeld, Step::CollectFree]);
    }

    #[test]
    fn draining_can_only_drain() {
        assert_eq!(legal(State::Draining), [Step::Drained]);
    }

    #[test]
    fn nothing_happens_to_a_collected_batch() {
        assert_eq!(legal(State::Collected), []);
    }

    #[test]
    fn no_step_leads_back() {
        for state in State::ALL {
            for step in STEPS {
                assert!(next(state, step).is_none_or(|to| to > state), "{state:?} {step:?}");
            }
        }
    }
}
