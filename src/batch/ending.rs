//! How a batch ends, and how it is collected.

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};
use std::time::Instant;

use hashbrown::HashMap;
use parking_lot::Mutex;

use super::engine::Engine;
use super::life::Mark;
use super::lifecycle::{State, Step};
use super::record::{Kept, Remains};
use super::tree::{Adoption, Batch, upwards};
use super::{BatchKey, Collected, Reason, errors};
use crate::error::{ErrorCode, Result};
use crate::id::{BatchId, ObjectId};
use crate::store::{Event, EventKind, Found, Note, Occasion, Removal, now_ms};

impl Engine {
    /// Ends a batch, all within it first, the newest first. True if this call was the first to.
    ///
    /// One that finds it ended helps whoever is at it, and returns when it is done.
    pub(super) fn end(&self, batch: &Arc<Batch>, reason: Reason, by: &str) -> bool {
        let first = batch.end().is_none() && batch.record.note_end(reason, &batch.record.who(by), now_ms());
        self.carry_out_end(batch, if first && reason.cancels() { Some(reason) } else { None });
        first
    }

    /// Takes what was noted of its end to all within it. `cancels`: tasks of those that had ended before are to be
    /// cancelled as well.
    fn carry_out_end(&self, batch: &Arc<Batch>, cancels: Option<Reason>) {
        let Some(end) = batch.end() else { return };
        let close = |inner: &Batch| {
            // the note comes first: whoever is refused by the closed children finds it
            inner.record.note_end_with(&batch.record, end);
            inner.children.close()
        };
        let mut active = Vec::new();
        upwards(batch, close, |inner| {
            let ended = inner.finish();
            if ended && !inner.is_root() {
                self.tell(EventKind::BatchEnded, inner.id());
                self.note(Occasion::Ended, inner, |note| {
                    note.reason = end.reason as u8;
                    note.by = Some(Arc::clone(&end.by));
                });
            }
            self.complete(inner);
            if (ended || cancels.is_some()) && inner.state() == State::Ended {
                active.push(Arc::clone(inner));
            }
        });
        if !active.is_empty() {
            self.tell_tasks(&active, cancels.unwrap_or(end.reason), &end.by);
        }
    }

    /// Tells the task room of batches that have ended and wait for tasks.
    fn tell_tasks(&self, ended: &[Arc<Batch>], reason: Reason, by: &str) {
        let Some(tasks) = self.tasks() else { return };
        for batch in ended {
            tasks.ended(batch.key(), reason, &errors::why_ended(&batch.record, reason, by));
        }
    }

    /// Has the tasks cancelled that an ended batch waits for. What is to become of its objects stays as it was.
    pub(super) fn cancel_tasks(&self, batch: &Arc<Batch>, reason: Reason, by: &str) {
        let mut active = Vec::new();
        let all = |inner: &Batch| inner.children.all();
        upwards(batch, all, |inner| {
            if inner.state() == State::Ended {
                active.push(Arc::clone(inner));
            }
        });
        self.tell_tasks(&active, reason, by);
    }

    /// Collects a batch that has ended and all within it, at once if it is completed; else that is left to whoever
    /// completes it. With `delete` what it kept goes as well.
    pub(super) fn collect_ended(&self, batch: &Arc<Batch>, delete: bool) -> Collected {
        if batch.life.ask(if delete { Mark::COLLECT.and(Mark::DELETE) } else { Mark::COLLECT }) {
            return Collected::PENDING;
        }
        if delete {
            batch.life.mark(Mark::DELETE);
        }
        let collected = self.collect(batch);
        if delete {
            // somebody else may have collected it, and not seen the mark
            self.delete_kept(batch);
        }
        // it may have waited for this one to be collected
        if let Some(parent) = batch.parent() {
            self.complete(parent);
        }
        collected
    }

    /// Collects a completed batch and all within it, whether they are to be cleaned up or not: an outer batch's end is
    /// the latest end of what is in it. What others collect meanwhile is not counted.
    pub(super) fn collect(&self, batch: &Arc<Batch>) -> Collected {
        self.collect_all(batch, |_| {})
    }

    /// See `collect`. Calls `before` for each, the inner ones first.
    fn collect_all(&self, batch: &Arc<Batch>, before: impl Fn(&Batch)) -> Collected {
        let mut sum = Collected { pending: true, ..Collected::default() };
        upwards(
            batch,
            |inner| inner.children.all(),
            |inner| {
                before(inner);
                let adopted = inner.adopted.lock().take();
                if let Some(adopted) = adopted {
                    let top = Arc::ptr_eq(inner, batch);
                    let within = if top { Collected { pending: false, ..sum } } else { Collected::default() };
                    sum.add(self.collect_one(inner, adopted, within));
                    sum.pending &= !top;
                }
            },
        );
        // somebody else was quicker, and may be at it still
        sum.pending = sum.pending && self.live(batch.key()).is_some();
        self.collected_bytes(sum.bytes);
        sum
    }

    /// Collects one whose adopted objects were just taken from it; `within`: what went with it of batches within it.
    fn collect_one(&self, batch: &Arc<Batch>, adopted: HashMap<ObjectId, Adoption>, within: Collected) -> Collected {
        let id = batch.id();
        let began = self.store.notifier().journal().is_on().then(Instant::now);
        if batch.life.word().has(Mark::TASKS)
            && let Some(tasks) = self.tasks()
        {
            tasks.collecting(batch.key());
        }
        self.pin_claimed(batch, adopted.keys());
        let mut released = self.release_adopted(batch, adopted);
        // the table's deletion is what the node hears, and has the store drop the region
        self.gcs.delete_table(id);
        let (mut slots, mut peak_bytes, mut draining) = (batch.slots(), 0, None);
        if let Some(region) = batch.region() {
            let dropped = region.dropped().unwrap_or_default();
            released.add_dropped(dropped);
            (slots, peak_bytes) = (dropped.slots, dropped.peak_bytes);
            draining = Some(region).filter(|region| !dropped.drained && !region.is_drained()).cloned();
        }
        let drains = draining.is_some();
        let was = batch.life.step(if drains { Step::CollectHeld } else { Step::CollectFree });
        self.unschedule(batch);
        let remains = Remains {
            collected_ms: now_ms(),
            slots,
            peak_bytes,
            released,
            within,
            // a copy: until the record is among the remembered ones, whoever looks for an heir looks here
            kept: batch.kept.lock().as_slice().into(),
            draining: Mutex::new(draining),
        };
        let _ = batch.record.remains.set(remains);
        // remembered before it is forgotten here: nobody looks for it in vain
        if batch.is_root() {
            self.roots.fetch_sub(1, Ordering::Relaxed);
        } else {
            self.tombstones.add(&batch.record, drains, |kept| self.lives_on(kept));
        }
        if was.is_ok_and(|was| was.has(Mark::DELETE)) {
            self.delete_kept(batch);
        }
        if was.is_ok_and(|was| was.has(Mark::TASKS))
            && let Some(tasks) = self.tasks()
        {
            tasks.collected(batch.key());
        }
        self.live.remove_if(&id, |_, live| Arc::ptr_eq(live, batch));
        if let Some(member) = &batch.member {
            member.leave();
        }
        if let Some(parent) = batch.parent() {
            parent.children.remove(batch);
            self.tell(EventKind::BatchCollected, id);
            self.note(Occasion::Collected, batch, |note| {
                (note.objects, note.bytes) = (released.objects, released.bytes);
                note.nanos = nanos_since(began);
            });
        }
        // whoever waits for an object of it registered, fenced, and looked again before this, or is seen here
        fence(Ordering::SeqCst);
        if self.store.notifier().is_awaited() {
            self.store.notifier().wake_batch(id);
        }
        released
    }

    /// For those who subscribed before: no fence is needed to see them.
    fn tell(&self, what: EventKind, batch: BatchId) {
        if self.store.notifier().is_awaited() {
            self.store.notifier().emit(Event::batch(what, batch));
        }
    }

    /// For whoever records what happens to batches.
    pub(super) fn note(&self, what: Occasion, batch: &Batch, fill: impl FnOnce(&mut Note)) {
        self.store.notifier().journal().note(|| {
            let mut note = Note { name: batch.record.name.clone(), ..Note::new(what, batch.id()) };
            fill(&mut note);
            note
        });
    }

    /// Releases the objects of other batches that it owns: work for each, for they lie in the side table.
    fn release_adopted(&self, batch: &Batch, adopted: HashMap<ObjectId, Adoption>) -> Collected {
        let mut released = Collected::default();
        let table = self.store.table();
        for (id, adoption) in adopted {
            batch.refund(adoption.charge());
            if table.owner(&id) != Some(batch.id()) {
                // on its way here: whoever moves it finds the batch collected, and sees to it
                continue;
            }
            let bytes = table.size(&id).unwrap_or(0);
            if let Found::Here(removal) = table.remove(&id) {
                released.objects += 1;
                released.bytes += bytes;
                released.deferred += u64::from(removal == Removal::Deferred);
            }
        }
        released
    }

    fn lives_on(&self, kept: &Kept) -> bool {
        self.store.table().owner(&kept.id).is_some()
    }

    /// Ends a batch for good, having handed `keep` to its parent.
    ///
    /// # Errors
    /// `BatchEnded` naming who ended it first; `BatchNotFound`; `InvalidArgument` for a root; as for `transfer`.
    pub(super) fn end_batch(
        &self,
        key: BatchKey,
        collect: bool,
        keep: &[ObjectId],
        reason: Reason,
        by: &str,
    ) -> Result<Collected> {
        let batch = self.find_inner(key)?;
        let ended = || errors::ended(&batch.record);
        if batch.end().is_some() {
            return Err(ended());
        }
        if !keep.is_empty() {
            self.transfer(keep, Some(batch.key()), None)?;
        }
        if !self.end(&batch, reason, by) {
            return Err(ended());
        }
        if collect {
            return Ok(self.collect_ended(&batch, false));
        }
        Ok(Collected { pending: !batch.state().is_over(), ..Collected::default() })
    }

    /// Ends it if it is open, and collects it unless it is not to be cleaned up. With a reason that cancels, tasks that
    /// it waits for are cancelled, also when it had ended before. One that is gone is fine.
    ///
    /// # Errors
    /// `BatchNotFound` for an id nobody ever started, `InvalidArgument` for a root.
    pub(super) fn close_batch(&self, key: BatchKey, reason: Reason, by: &str) -> Result<Collected> {
        let Some(batch) = self.unless_gone(key)? else { return Ok(Collected::default()) };
        if !self.end(&batch, reason, by) && reason.cancels() {
            self.cancel_tasks(&batch, reason, by);
        }
        if !batch.record.no_cleanup {
            return Ok(self.collect_ended(&batch, false));
        }
        Ok(Collected { pending: !batch.state().is_over(), ..Collected::default() })
    }

    /// Ends, collects, and deletes what it kept and the keeper still has. One that is gone is fine.
    ///
    /// # Errors
    /// As for `close_batch`.
    pub(super) fn delete_batch(&self, key: BatchKey, by: &str) -> Result<Collected> {
        if let Some(batch) = self.unless_gone(key)? {
            self.end(&batch, Reason::Closed, by);
            return Ok(self.collect_ended(&batch, true));
        }
        if let Some(record) = self.tombstones.find(key) {
            self.delete_all(record.kept());
        }
        Ok(Collected::default())
    }

    /// The batch; `None` for a life that is over and gone, which is no error for who closes it.
    fn unless_gone(&self, key: BatchKey) -> Result<Option<Arc<Batch>>> {
        match self.find_inner(key) {
            Ok(batch) => Ok(Some(batch)),
            Err(e) if e.code() == ErrorCode::InvalidArgument => Err(e),
            Err(e) if key.life == 0 && e.code() == ErrorCode::BatchNotFound => Err(e),
            Err(_) => Ok(None),
        }
    }

    /// Deletes what a collected batch kept and the keeper still has.
    fn delete_kept(&self, batch: &Batch) {
        let kept = batch.kept.lock().clone();
        self.delete_all(&kept);
    }

    fn delete_all(&self, kept: &[Kept]) {
        for kept in kept {
            if self.live(kept.to).is_some_and(|keeper| keeper.forget(&kept.id)) {
                if self.claims().has(&kept.id) {
                    self.pin_for_claims(&kept.id);
                }
                self.store.table().remove(&kept.id);
            }
        }
    }

    /// Collects an ended batch; zeros when it was before.
    ///
    /// # Errors
    /// `BatchActive` for one that is open or has tasks still; `BatchNotFound`, `InvalidArgument` for a root.
    pub(super) fn gc(&self, key: BatchKey) -> Result<Collected> {
        match self.find_inner(key) {
            Ok(batch) => {
                if batch.end().is_none() {
                    return Err(errors::active(&batch.record));
                }
                self.carry_out_end(&batch, None);
                if !batch.state().is_over() {
                    return Err(errors::has_tasks(&batch.record));
                }
                Ok(self.collect_ended(&batch, false))
            }
            Err(e) if e.code() == ErrorCode::BatchEnded => Ok(Collected::default()),
            Err(e) => Err(e),
        }
    }

    /// Ends a root and all within it, cancels their tasks, and collects each as soon as it is completed.
    pub(super) fn end_root(&self, root: &Arc<Batch>, by: &str) {
        self.cancel_root(root, by);
        if root.state().is_over() {
            self.collect(root);
        } else {
            // one by one: those without tasks wait for nobody
            let all = |inner: &Batch| inner.children.all();
            upwards(root, all, |inner| {
                self.collect_ended(inner, false);
            });
        }
    }

    /// Ends a root and all within it, and collects them, whatever their tasks do: the store goes.
    pub(super) fn drop_root(&self, root: &Arc<Batch>, by: &str) {
        self.cancel_root(root, by);
        self.collect_all(root, |inner| inner.life.give_up());
    }

    fn cancel_root(&self, root: &Arc<Batch>, by: &str) {
        root.record.note_end(Reason::Closed, &root.record.who(by), now_ms());
        self.carry_out_end(root, Some(Reason::Cancelled));
    }
}

/// Nanoseconds since then, as a figure; 0 for what was not measured.
pub(super) fn nanos_since(began: Option<Instant>) -> u64 {
    began.map_or(0, |began| began.elapsed().as_nanos().try_into().unwrap_or(u64::MAX))
}
