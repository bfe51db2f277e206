//! The ends of batches under loom: ends, last tasks, who asks for a collection, who waits.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test --release --lib loom_models`.

use std::sync::atomic::{AtomicUsize, Ordering};

use loom::sync::{Arc, Mutex};
use loom::thread;

use super::life::{Life, Mark};
use super::lifecycle::{State, Step};

/// A batch and one within it, as far as their ends go: `Engine::{carry_out_end, complete, collect_ended, end_task}`
/// without objects. What loom need not look at, the counts, are plain atomics.
struct Two {
    outer: Life,
    inner: Life,
    /// the inner one is among the outer one's children: not collected
    listed: Mutex<bool>,
    collected: [AtomicUsize; 2],
    woken: AtomicUsize,
}

const OUTER: usize = 0;
const INNER: usize = 1;

impl Two {
    /// Both with as many active tasks.
    fn start(outer: usize, inner: usize) -> Arc<Two> {
        let two = Two {
            outer: Life::new(),
            inner: Life::new(),
            listed: Mutex::new(true),
            collected: Default::default(),
            woken: AtomicUsize::new(0),
        };
        two.outer.mark(Mark::INNER);
        (0..outer).for_each(|_| two.outer.begin_task(false).unwrap());
        (0..inner).for_each(|_| two.inner.begin_task(false).unwrap());
        Arc::new(two)
    }

    fn life(&self, which: usize) -> &Life {
        if which == OUTER { &self.outer } else { &self.inner }
    }

    fn end(&self, which: usize) {
        if which == OUTER {
            self.end(INNER);
        }
        // refused when somebody was first
        let _ = self.life(which).step(Step::End);
        self.complete(which);
    }

    fn complete(&self, which: usize) {
        let waits = || *self.listed.lock().unwrap() && self.inner.is_unfinished();
        let Some(was) = self.life(which).complete(waits) else { return };
        assert_eq!(was.tasks(), 0);
        if was.has(Mark::COLLECT) {
            self.collect(which);
        } else if was.has(Mark::WATCHED) {
            self.woken.fetch_add(1, Ordering::Relaxed);
        }
        if which == INNER {
            self.complete(OUTER);
        }
    }

    fn collect(&self, which: usize) {
        let mut listed = self.listed.lock().unwrap();
        if *listed {
            assert!(self.inner.state().is_over(), "collected while a task within it is active");
            self.collected[INNER].fetch_add(1, Ordering::Relaxed);
            *listed = false;
        }
        if which == OUTER {
            assert_eq!(self.collected[OUTER].fetch_add(1, Ordering::Relaxed), 0, "once");
        }
    }

    fn collect_ended(&self, which: usize) {
        if !self.life(which).ask(Mark::COLLECT) {
            self.collect(which);
            if which == INNER {
                self.complete(OUTER);
            }
        }
    }

    fn end_task(&self, which: usize) {
        if self.life(which).end_task() {
            self.complete(which);
        }
    }

    fn collections(&self) -> [usize; 2] {
        [OUTER, INNER].map(|which| self.collected[which].load(Ordering::Relaxed))
    }

    fn states(&self) -> [State; 2] {
        [self.outer.state(), self.inner.state()]
    }
}

fn model(check: impl Fn() + Send + Sync + 'static) {
    let mut bounded = loom::model::Builder::new();
    bounded.preemption_bound = Some(3);
    bounded.check(check);
}

/// The end of an outer batch, the last task of the inner one and its own: the last of them collects both.
#[test]
fn loom_models_whatever_comes_last_completes_and_collects() {
    model(|| {
        let two = Two::start(1, 1);
        let (a, b) = (Arc::clone(&two), Arc::clone(&two));
        let ender = thread::spawn(move || {
            a.end(OUTER);
            a.collect_ended(OUTER);
        });
        let task = thread::spawn(move || b.end_task(INNER));
        two.end_task(OUTER);
        ender.join().unwrap();
        task.join().unwrap();
        assert_eq!(two.collections(), [1, 1]);
    });
}

/// Two who end at once, and the inner batch is to be collected on its own: the outer one is over after that.
#[test]
fn loom_models_an_outer_batch_waits_for_the_collection_of_an_inner_one() {
    model(|| {
        let two = Two::start(0, 1);
        let (a, b) = (Arc::clone(&two), Arc::clone(&two));
        let ender = thread::spawn(move || a.end(OUTER));
        let closer = thread::spawn(move || {
            b.end(INNER);
            b.collect_ended(INNER);
        });
        two.end_task(INNER);
        if two.outer.state() == State::Completed && two.inner.word().has(Mark::COLLECT) {
            assert_eq!(two.collections(), [0, 1], "asked for before it was over");
        }
        ender.join().unwrap();
        closer.join().unwrap();
        assert_eq!((two.outer.state(), two.collections()), (State::Completed, [0, 1]));
    });
}

/// A task of an inner batch starts one in the outer, which has none of its own, while that ends.
#[test]
fn loom_models_a_task_from_inside_is_never_refused_nor_overlooked() {
    model(|| {
        let two = Two::start(0, 1);
        let a = Arc::clone(&two);
        let task = thread::spawn(move || {
            a.outer.begin_task(true).unwrap();
            a.end_task(INNER);
            assert!(!a.outer.state().is_over(), "over with an active task");
            a.end_task(OUTER);
        });
        two.end(OUTER);
        task.join().unwrap();
        assert_eq!(two.states(), [State::Completed; 2]);
    });
}

/// Who waits leaves a mark and looks; whoever completes it takes the mark along.
#[test]
fn loom_models_a_watch_sees_the_completion_or_is_woken() {
    model(|| {
        let two = Two::start(1, 0);
        let (a, b) = (Arc::clone(&two), Arc::clone(&two));
        let ender = thread::spawn(move || a.end(OUTER));
        let task = thread::spawn(move || b.end_task(OUTER));
        two.outer.mark(Mark::WATCHED);
        let seen = two.outer.state().is_over();
        ender.join().unwrap();
        task.join().unwrap();
        assert!(seen || two.woken.load(Ordering::Relaxed) == 1);
    });
}
