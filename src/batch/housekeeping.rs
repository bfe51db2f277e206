//! The thread behind: ends batches whose time is over, gives memory back to the system, notices drained batches.
//!
//! It starts with the first thing to do, sleeps until the next, and ends with its engine, which it does not keep alive.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::engine::Engine;
use super::tree::Batch;
use super::{BatchKey, Reason};
use crate::error::{Error, ErrorCode, Result};
use crate::id::BatchId;

/// How long after the first signal it tidies up, so that many signals make one round.
const TIDY_AFTER: Duration = Duration::from_millis(100);
/// Bytes collected that make a round worth while.
const WORTH_TIDYING: u64 = 1 << 20;

/// What is to be done, and when.
#[derive(Default)]
pub(crate) struct Agenda {
    plan: Mutex<Plan>,
    changed: Condvar,
    /// Bytes collected since the last signal.
    collected: AtomicU64,
}

#[derive(Default)]
struct Plan {
    /// when a batch's time is over, its id, its life
    deadlines: BTreeSet<(Instant, BatchId, u64)>,
    tidy_at: Option<Instant>,
    started: bool,
    stopped: bool,
}

fn entry(batch: &Batch) -> Option<(Instant, BatchId, u64)> {
    batch.deadline.map(|at| (at, batch.id(), batch.key().life))
}

impl Agenda {
    /// Ends the thread, in its own time.
    pub(super) fn stop(&self) {
        self.plan.lock().stopped = true;
        self.changed.notify_all();
    }

    /// The thread, if it does not run yet.
    fn start(self: &Arc<Self>, plan: &mut MutexGuard<'_, Plan>, engine: &Weak<Engine>) -> Result<()> {
        if plan.started || plan.stopped {
            return Ok(());
        }
        let (agenda, engine) = (Arc::clone(self), Weak::clone(engine));
        crate::threads::spawn("raybatch-keeper", move || agenda.run(&engine))
            .map_err(|e| Error::new(ErrorCode::Io, format!("cannot start the thread that minds timeouts: {e}")))?;
        plan.started = true;
        Ok(())
    }

    fn run(&self, engine: &Weak<Engine>) {
        let mut plan = self.plan.lock();
        while !plan.stopped {
            let now = Instant::now();
            if let Some(&(at, id, life)) = plan.deadlines.first()
                && at <= now
            {
                plan.deadlines.pop_first();
                MutexGuard::unlocked(&mut plan, || guarded(engine, |e| e.expire(BatchKey { id, life })));
            } else if plan.tidy_at.is_some_and(|at| at <= now) {
                plan.tidy_at = None;
                MutexGuard::unlocked(&mut plan, || guarded(engine, Engine::tidy));
            } else {
                match plan.deadlines.first().map(|d| d.0).into_iter().chain(plan.tidy_at).min() {
                    Some(next) => drop(self.changed.wait_until(&mut plan, next)),
                    None => self.changed.wait(&mut plan),
                }
            }
        }
    }
}

/// A defect in one round must not end the thread that all timeouts depend on.
fn guarded(engine: &Weak<Engine>, round: impl FnOnce(&Engine)) {
    if let Some(engine) = engine.upgrade()
        && catch_unwind(AssertUnwindSafe(|| round(&engine))).is_err()
    {
        log::error!("store '{}': the housekeeping panicked and goes on; this is a defect of raybatch", engine.name);
    }
}

impl Engine {
    /// Makes sure that deadlines are minded, before a batch with one is started.
    pub(super) fn mind_deadlines(&self) -> Result<()> {
        self.agenda.start(&mut self.agenda.plan.lock(), &self.me)
    }

    /// Has the batch ended when its time is over.
    pub(super) fn schedule(&self, batch: &Batch) {
        if let Some(entry) = entry(batch) {
            let mut plan = self.agenda.plan.lock();
            plan.deadlines.insert(entry);
            let soonest = plan.deadlines.first() == Some(&entry);
            drop(plan);
            if soonest {
                self.agenda.changed.notify_one();
            }
        }
    }

    /// Forgets its deadline.
    pub(super) fn unschedule(&self, batch: &Batch) {
        if let Some(entry) = entry(batch) {
            self.agenda.plan.lock().deadlines.remove(&entry);
        }
    }

    /// Told of bytes that were collected, it tidies up when they have become many.
    pub(super) fn collected_bytes(&self, bytes: u64) {
        let many = bytes > 0 && self.agenda.collected.fetch_add(bytes, Ordering::Relaxed) + bytes >= WORTH_TIDYING;
        // waking a thread costs more than a small collection: only for something to do
        if (many && (self.store.wants_trim() || self.tombstones.has_draining())) || self.store.wants_sweep() {
            self.tidy_soon();
        }
    }

    /// Told that single objects went, it tidies up when there is free memory to give back.
    pub(super) fn memory_freed(&self) {
        if self.store.wants_trim() {
            self.tidy_soon();
        }
    }

    /// Has the thread look at memory and at draining batches.
    pub(super) fn tidy_soon(&self) {
        self.agenda.collected.store(0, Ordering::Relaxed);
        let mut plan = self.agenda.plan.lock();
        if plan.tidy_at.is_some() || plan.stopped {
            return;
        }
        plan.tidy_at = Some(Instant::now() + TIDY_AFTER);
        let started = self.agenda.start(&mut plan, &self.me);
        drop(plan);
        self.agenda.changed.notify_one();
        if let Err(e) = started {
            log::warn!("store '{}': memory stays with the store for now: {e}", self.name);
        }
    }

    /// A reader let go: perhaps a batch has drained with it.
    pub(super) fn view_released(&self) {
        if self.tombstones.has_draining() && !self.is_closed() {
            self.tidy_soon();
        }
    }

    fn tidy(&self) {
        self.store.sweep();
        if self.store.wants_sweep() {
            self.tidy_soon(); // somebody is in a put still
        }
        self.tombstones.notice_drained();
        if self.store.wants_trim() {
            let bytes = self.store.trim();
            log::debug!("store '{}': gave {bytes} bytes back to the system", self.name);
        }
    }

    /// Ends and collects a batch whose time is over, unless somebody ended it before; then the tasks that it waits for
    /// are cancelled all the same.
    fn expire(&self, key: BatchKey) {
        const BY: &str = "its timeout";
        let Some(batch) = self.live(key) else { return };
        if self.end(&batch, Reason::TimedOut, BY) {
            if let Some(unlogged) = self.timeouts.admit() {
                let label = super::errors::label(&batch.record);
                log::info!("store '{}': batch {label} timed out{unlogged}", self.name);
            }
            self.collect_ended(&batch, false);
        } else {
            self.cancel_tasks(&batch, Reason::TimedOut, BY);
        }
    }
}
