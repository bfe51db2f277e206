//! The life of one batch: one word that says where it is in it, how many of its tasks are active, and what was asked for.
//!
//! ```text
//! 63                16 15      4 3     0
//! ┌───────────────────┬─────────┬───────┐
//! │ active tasks      │ marks   │ state │
//! └───────────────────┴─────────┴───────┘
//! ```
//!
//! All in one word, so that a step sees what it must not miss: the one that completes a batch sees whether it is to be
//! collected; who asks for that sees whether it came too late; a task begins or finds the batch over.

#[cfg(not(loom))]
use std::sync::atomic::{AtomicU64, Ordering};

#[cfg(loom)]
use loom::sync::atomic::{AtomicU64, Ordering};

use super::lifecycle::{Illegal, State, Step, next};

const STATE: u64 = 0xf;
const TASK: u64 = 1 << 16;

/// Something to be remembered of a batch until it is gone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark(u64);

impl Mark {
    /// It has, or had, a batch within it.
    pub(super) const INNER: Mark = Mark(1 << 4);
    /// The task room has something of it, and hears of its collection.
    pub(super) const TASKS: Mark = Mark(1 << 5);
    /// It is to be collected when it is completed.
    pub(super) const COLLECT: Mark = Mark(1 << 6);
    /// What it kept is to be deleted when it is collected.
    pub(super) const DELETE: Mark = Mark(1 << 7);
    /// Somebody waits until it is over.
    pub(super) const WATCHED: Mark = Mark(1 << 8);

    pub(super) const fn and(self, other: Mark) -> Mark {
        Mark(self.0 | other.0)
    }
}

/// What the word said at one moment.
#[derive(Clone, Copy)]
pub(super) struct Word(u64);

impl Word {
    pub(super) fn state(self) -> State {
        State::of((self.0 & STATE) as u8)
    }

    pub(super) fn tasks(self) -> u64 {
        self.0 / TASK
    }

    pub(super) fn has(self, mark: Mark) -> bool {
        self.0 & mark.0 == mark.0
    }

    fn after(self, step: Step) -> Result<Word, Illegal> {
        let state = self.state();
        next(state, step).map(|to| Word(self.0 & !STATE | to as u64)).ok_or(Illegal { state })
    }
}

/// See the module. Changed by steps of the table only.
pub(super) struct Life(AtomicU64);

impl Life {
    /// Waiting.
    pub(super) fn new() -> Life {
        Life(AtomicU64::new(State::Waiting as u64))
    }

    /// Where it is.
    #[inline]
    pub(super) fn state(&self) -> State {
        Word(self.0.load(Ordering::Acquire)).state()
    }

    /// All of it. In one order with the changes: of a parent that ends and then looks at its children, and a child that
    /// completes and then looks at its parent, one sees the other.
    pub(super) fn word(&self) -> Word {
        // loom takes this order for a weaker one, but has the fence
        #[cfg(loom)]
        loom::sync::atomic::fence(Ordering::SeqCst);
        Word(self.0.load(Ordering::SeqCst))
    }

    /// Changes it as `to` says, or not at all. Returns what it was.
    fn change(&self, to: impl Fn(Word) -> Result<Word, Illegal>) -> Result<Word, Illegal> {
        let mut at = self.0.load(Ordering::SeqCst);
        loop {
            match self.0.compare_exchange_weak(at, to(Word(at))?.0, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(was) => return Ok(Word(was)),
                Err(now) => at = now,
            }
        }
    }

    /// Takes a step, if the table has it; of several threads one does.
    pub(super) fn step(&self, step: Step) -> Result<Word, Illegal> {
        self.change(|word| word.after(step))
    }

    /// One more active task. `inside`: submitted by an active task of this batch or of one within it, which an ended
    /// batch takes as well. Its first task is its first work.
    pub(super) fn begin_task(&self, inside: bool) -> Result<(), Illegal> {
        let begun = |word: Word| match word.state() {
            State::Waiting => word.after(Step::FirstWork),
            State::Running => Ok(word),
            State::Ended if inside => Ok(word),
            state => Err(Illegal { state }),
        };
        self.change(|word| Ok(Word((begun(word)?.0 | Mark::TASKS.0) + TASK))).map(|_| ())
    }

    /// One active task less. True when it was the last one of an ended batch.
    pub(super) fn end_task(&self) -> bool {
        let ended = self.change(|word| match word.tasks() {
            0 => Err(Illegal { state: word.state() }),
            _ => Ok(Word(word.0 - TASK)),
        });
        debug_assert!(ended.is_ok(), "a task is over that did not begin");
        ended.is_ok_and(|was| was.tasks() == 1 && was.state() == State::Ended)
    }

    /// Its last task is over, if it has ended and none is active, neither of it nor within it. Returns what it was; of
    /// all who look one is told, and what was asked for meanwhile is his to carry out.
    ///
    /// `waits_for` tells whether a batch within it is [unfinished](Life::is_unfinished). It is asked first: those within
    /// take no tasks any more once they are over, but a task of theirs may have begun one here before that, which the
    /// step sees then.
    pub(super) fn complete(&self, waits_for: impl FnOnce() -> bool) -> Option<Word> {
        let word = self.word();
        if word.state() != State::Ended || word.tasks() > 0 || (word.has(Mark::INNER) && waits_for()) {
            return None;
        }
        let completed = self.change(|word| match word.tasks() {
            0 => word.after(Step::LastTask),
            _ => Err(Illegal { state: word.state() }),
        });
        completed.ok()
    }

    /// True for one that the batch it is in waits for: it is not over, or it is to be collected, after which it is not
    /// looked at any more.
    pub(super) fn is_unfinished(&self) -> bool {
        let word = self.word();
        !word.state().is_over() || word.has(Mark::COLLECT)
    }

    /// Takes its tasks for over, whatever they do: the store goes. They are counted on.
    pub(super) fn give_up(&self) {
        // refused when there is nothing to give up
        let _ = self.change(|word| word.after(Step::LastTask));
    }

    /// Leaves a mark for whoever completes it. False when it is completed, and whoever asks has to see to it.
    pub(super) fn ask(&self, mark: Mark) -> bool {
        let asked = self.change(|word| match word.state() {
            state if state.is_over() => Err(Illegal { state }),
            _ => Ok(Word(word.0 | mark.0)),
        });
        asked.is_ok()
    }

    /// Leaves a mark. Returns what it was.
    pub(super) fn mark(&self, mark: Mark) -> Word {
        let word = self.word();
        if word.has(mark) { word } else { Word(self.0.fetch_or(mark.0, Ordering::SeqCst)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(steps: &[Step]) -> Life {
        let life = Life::new();
        for step in steps {
            life.step(*step).unwrap();
        }
        life
    }

    #[test]
    fn the_first_task_is_the_first_work() {
        let life = at(&[]);
        life.begin_task(false).unwrap();
        assert_eq!((life.state(), life.word().tasks()), (State::Running, 1));
        assert!(life.word().has(Mark::TASKS));
        assert!(!life.end_task(), "it has not ended");
    }

    #[test]
    fn an_ended_batch_takes_tasks_from_inside_only_and_a_completed_one_none() {
        let life = at(&[]);
        life.begin_task(false).unwrap();
        life.step(Step::End).unwrap();
        assert_eq!(life.begin_task(false), Err(Illegal { state: State::Ended }));
        life.begin_task(true).unwrap();
        assert!(!life.end_task());
        assert!(life.complete(|| false).is_none(), "a task is active");
        assert!(life.end_task(), "the last one");
        assert!(life.complete(|| false).is_some());
        assert!(life.complete(|| false).is_none(), "once");
        for inside in [false, true] {
            assert_eq!(life.begin_task(inside), Err(Illegal { state: State::Completed }));
        }
    }

    #[test]
    fn what_was_asked_for_is_seen_by_whoever_completes_it_or_comes_too_late() {
        let life = at(&[Step::FirstWork, Step::End]);
        assert!(life.ask(Mark::COLLECT.and(Mark::DELETE)));
        let was = life.complete(|| false).unwrap();
        assert!(was.has(Mark::COLLECT) && was.has(Mark::DELETE) && !was.has(Mark::WATCHED));
        assert!(!life.ask(Mark::COLLECT));
        let life = at(&[Step::End]);
        assert!(!life.mark(Mark::WATCHED).has(Mark::WATCHED));
        assert!(life.mark(Mark::WATCHED).has(Mark::WATCHED));
        assert!(life.complete(|| false).unwrap().has(Mark::WATCHED));
    }

    #[test]
    fn tasks_of_a_batch_that_was_given_up_are_counted_on() {
        let life = at(&[]);
        life.begin_task(false).unwrap();
        life.give_up();
        assert_eq!(life.state(), State::Running, "an open batch is not given up");
        life.step(Step::End).unwrap();
        life.give_up();
        assert_eq!((life.state(), life.word().tasks()), (State::Completed, 1));
        assert!(!life.end_task());
        life.step(Step::CollectFree).unwrap();
        assert_eq!((life.state(), life.word().tasks()), (State::Collected, 0));
    }
}
