//! The ends of batches under loom: every interleaving of ends, last tasks, and who asks for a collection or waits.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test --release --lib loom_models`.

use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread;

use super::life::{Life, Mark};
use super::lifecycle::{State, Step};

/// A batch, as far as its ends go: `Engine::{carry_out_end, complete, collect_ended, end_task}` without objects.
struct Batch {
    life: Life,
    parent: Option<Arc<Batch>>,
    /// those within it that are not collected
    children: Mutex<Vec<Arc<Batch>>>,
    collected: AtomicUsize,
    woken: AtomicUsize,
}

fn start(parent: Option<&Arc<Batch>>) -> Arc<Batch> {
    let batch = Arc::new(Batch {
        life: Life::new(),
        parent: parent.cloned(),
        children: Mutex::new(Vec::new()),
        collected: AtomicUsize::new(0),
        woken: AtomicUsize::new(0),
    });
    if let Some(parent) = parent {
        parent.life.mark(Mark::INNER);
        parent.children.lock().unwrap().push(Arc::clone(&batch));
    }
    batch
}

impl Batch {
    fn end(&self) {
        let children = self.children.lock().unwrap().clone();
        children.iter().for_each(|child| child.end());
        // refused when somebody was first
        let _ = self.life.step(Step::End);
        self.complete();
    }

    fn complete(&self) {
        let mut next = Some(self);
        while let Some(batch) = next {
            let waits = || batch.children.lock().unwrap().iter().any(|child| child.life.is_unfinished());
            let Some(was) = batch.life.complete(waits) else { return };
            assert_eq!(was.tasks(), 0);
            if was.has(Mark::COLLECT) {
                batch.collect();
            } else if was.has(Mark::WATCHED) {
                batch.woken.fetch_add(1, Ordering::SeqCst);
            }
            next = batch.parent.as_deref();
        }
    }

    fn collect(&self) {
        let children = std::mem::take(&mut *self.children.lock().unwrap());
        for child in children {
            assert!(child.life.state().is_over(), "collected while a task within it is active");
            child.collected.fetch_add(1, Ordering::SeqCst);
        }
        assert_eq!(self.collected.fetch_add(1, Ordering::SeqCst), 0, "once");
        if let Some(parent) = &self.parent {
            parent.children.lock().unwrap().retain(|child| !std::ptr::eq(&**child, self));
        }
    }

    fn collect_ended(&self) {
        if !self.life.ask(Mark::COLLECT) {
            self.collect();
            if let Some(parent) = &self.parent {
                parent.complete();
            }
        }
    }

    fn end_task(&self) {
        if self.life.end_task() {
            self.complete();
        }
    }

    fn collections(&self) -> usize {
        self.collected.load(Ordering::SeqCst)
    }
}

/// The end of an outer batch, the last task of the inner one and its own: the last of them collects both.
#[test]
fn loom_models_whatever_comes_last_completes_and_collects() {
    loom::model(|| {
        let outer = start(None);
        let inner = start(Some(&outer));
        for batch in [&outer, &inner] {
            batch.life.begin_task(false).unwrap();
        }
        let (o, i) = (Arc::clone(&outer), Arc::clone(&inner));
        let ender = thread::spawn(move || {
            o.end();
            o.collect_ended();
        });
        let task = thread::spawn(move || i.end_task());
        outer.end_task();
        ender.join().unwrap();
        task.join().unwrap();
        assert_eq!((outer.collections(), inner.collections()), (1, 1));
    });
}

/// Two who end at once, and the inner batch is to be collected on its own: the outer one is over after that.
#[test]
fn loom_models_an_outer_batch_waits_for_the_collection_of_an_inner_one() {
    loom::model(|| {
        let outer = start(None);
        let inner = start(Some(&outer));
        inner.life.begin_task(false).unwrap();
        let (o, i) = (Arc::clone(&outer), Arc::clone(&inner));
        let ender = thread::spawn(move || o.end());
        let closer = thread::spawn(move || {
            i.end();
            i.collect_ended();
        });
        inner.end_task();
        if outer.life.state() == State::Completed && inner.life.word().has(Mark::COLLECT) {
            // asked for before it was over
            assert_eq!(inner.collections(), 1);
        }
        ender.join().unwrap();
        closer.join().unwrap();
        assert_eq!((outer.life.state(), inner.collections()), (State::Completed, 1));
    });
}

/// A task of an inner batch starts one in the outer, which has none of its own, while that ends.
#[test]
fn loom_models_a_task_from_inside_is_never_refused_nor_overlooked() {
    loom::model(|| {
        let outer = start(None);
        let inner = start(Some(&outer));
        inner.life.begin_task(false).unwrap();
        let (o, i) = (Arc::clone(&outer), Arc::clone(&inner));
        let task = thread::spawn(move || {
            o.life.begin_task(true).unwrap();
            i.end_task();
            assert!(!o.life.state().is_over(), "over with an active task");
            o.end_task();
        });
        outer.end();
        task.join().unwrap();
        assert_eq!((outer.life.state(), inner.life.state()), (State::Completed, State::Completed));
    });
}

/// Who waits leaves a mark and looks; the one that completes it takes the mark along.
#[test]
fn loom_models_a_watch_sees_the_completion_or_is_woken() {
    loom::model(|| {
        let batch = start(None);
        batch.life.begin_task(false).unwrap();
        let (e, t) = (Arc::clone(&batch), Arc::clone(&batch));
        let ender = thread::spawn(move || e.end());
        let task = thread::spawn(move || t.end_task());
        batch.life.mark(Mark::WATCHED);
        let seen = batch.life.state().is_over();
        ender.join().unwrap();
        task.join().unwrap();
        assert!(seen || batch.woken.load(Ordering::SeqCst) == 1);
    });
}
