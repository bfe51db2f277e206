//! How a batch ends, and how it is collected.

use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use hashbrown::HashMap;
use parking_lot::Mutex;

use super::engine::Engine;
use super::lifecycle::Step;
use super::record::{Kept, Remains};
use super::tree::{Adoption, Batch, upwards};
use super::{BatchKey, Collected, Reason, errors};
use crate::error::{ErrorCode, Result};
use crate::id::{BatchId, ObjectId};
use crate::store::{Event, EventKind, Found, Removal, now_ms};

impl Engine {
    /// Ends a batch, all within it first, the newest first. True if this call was the first to.
    ///
    /// One that finds it ended helps whoever is at it, and returns when it is done.
    pub(super) fn end(&self, batch: &Arc<Batch>, reason: Reason, by: &str) -> bool {
        let first = batch.end().is_none() && batch.record.note_end(reason, &batch.record.who(by), now_ms());
        let Some(end) = batch.end() else { return false };
        let close = |inner: &Batch| {
            // the note comes first: whoever is refused by the closed children finds it
            inner.record.note_end(end.reason, &end.by, end.at_ms);
            inner.children.close()
        };
        upwards(batch, close, |inner| {
            if inner.finish() && !inner.is_root() {
                self.tell(EventKind::BatchEnded, inner.id());
            }
        });
        first
    }

    /// Collects an ended batch and all within it, whether they are to be cleaned up or not: an outer batch's end is the
    /// latest end of what is in it. What others collect meanwhile is not counted.
    pub(super) fn collect(&self, batch: &Arc<Batch>) -> Collected {
        let mut sum = Collected::default();
        upwards(
            batch,
            |inner| inner.children.all(),
            |inner| {
                let adopted = inner.adopted.lock().take();
                if let Some(adopted) = adopted {
                    let own = self.collect_one(inner, adopted);
                    sum.objects += own.objects;
                    sum.bytes += own.bytes;
                    sum.deferred += own.deferred;
                }
            },
        );
        self.collected_bytes(sum.bytes);
        sum
    }

    fn collect_one(&self, batch: &Arc<Batch>, adopted: HashMap<ObjectId, Adoption>) -> Collected {
        let id = batch.id();
        let mut released = self.release_adopted(batch, adopted);
        // the table's deletion is what the node hears, and has the store drop the region
        self.gcs.delete_table(id);
        let (mut slots, mut peak_bytes, mut draining) = (batch.slots(), 0, None);
        if let Some(region) = batch.region() {
            let dropped = region.dropped().unwrap_or_default();
            released.add(dropped);
            (slots, peak_bytes) = (dropped.slots, dropped.peak_bytes);
            draining = Some(region).filter(|region| !dropped.drained && !region.is_drained()).cloned();
        }
        let drains = draining.is_some();
        let _ = batch.life.step(if drains { Step::CollectHeld } else { Step::CollectFree });
        self.unschedule(batch);
        let remains = Remains {
            collected_ms: now_ms(),
            slots,
            peak_bytes,
            released,
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
        self.live.remove_if(&id, |_, live| Arc::ptr_eq(live, batch));
        if let Some(parent) = batch.parent() {
            parent.children.remove(batch);
            self.tell(EventKind::BatchCollected, id);
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
        Ok(if collect { self.collect(&batch) } else { Collected::default() })
    }

    /// Ends it if it is open, and collects it unless it is not to be cleaned up. One that is gone is fine.
    ///
    /// # Errors
    /// `BatchNotFound` for an id nobody ever started, `InvalidArgument` for a root.
    pub(super) fn close_batch(&self, key: BatchKey, by: &str) -> Result<()> {
        match self.find_inner(key) {
            Ok(batch) => {
                self.end(&batch, Reason::Closed, by);
                if !batch.record.no_cleanup {
                    self.collect(&batch);
                }
                Ok(())
            }
            Err(e) if e.code() == ErrorCode::InvalidArgument => Err(e),
            Err(e) if key.life == 0 && e.code() == ErrorCode::BatchNotFound => Err(e),
            Err(_) => Ok(()),
        }
    }

    /// Ends, collects, and deletes what it kept and the keeper still has. One that is gone is fine.
    ///
    /// # Errors
    /// As for `close_batch`.
    pub(super) fn delete_batch(&self, key: BatchKey, by: &str) -> Result<()> {
        let mut key = key;
        match self.find_inner(key) {
            Ok(batch) => {
                key = batch.key();
                self.end(&batch, Reason::Closed, by);
                self.collect(&batch);
            }
            Err(e) if e.code() == ErrorCode::InvalidArgument => return Err(e),
            Err(e) if key.life == 0 && e.code() == ErrorCode::BatchNotFound => return Err(e),
            Err(_) => {}
        }
        let Some(record) = self.tombstones.find(key) else { return Ok(()) };
        for kept in record.kept() {
            if self.live(kept.to).is_some_and(|keeper| keeper.forget(&kept.id)) {
                self.store.table().remove(&kept.id);
            }
        }
        Ok(())
    }

    /// Collects an ended batch; zeros when it was before.
    ///
    /// # Errors
    /// `BatchActive`, `BatchNotFound`, `InvalidArgument` for a root.
    pub(super) fn gc(&self, key: BatchKey) -> Result<Collected> {
        match self.find_inner(key) {
            Ok(batch) => {
                let Some(end) = batch.end() else { return Err(errors::active(&batch.record)) };
                self.end(&batch, end.reason, &end.by);
                Ok(self.collect(&batch))
            }
            Err(e) if e.code() == ErrorCode::BatchEnded => Ok(Collected::default()),
            Err(e) => Err(e),
        }
    }
}
