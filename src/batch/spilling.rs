//! The thread that makes room: above the high-water mark, and whenever somebody waits for some, it has whole batches
//! written to files until the low-water mark is reached.
//!
//! First go objects of normal mode, if they are to be spilled and not evicted; then batches that have ended and are not collected yet (`noCleanup`), then by priority, the lowest first, then
//! those that were used longest ago. Those marked `latencySensitive`, and all within them, never go.
//!
//! It does not keep its engine alive, and holds no lock while it writes. Those who wait are woken after each chunk that
//! went back, so that a put waits for the writing of about a mebibyte, not for that of a batch.

use std::cmp::Reverse;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::Instant;

use super::ending::nanos_since;
use super::engine::Engine;
use super::tree::Batch;
use crate::error::{Error, ErrorCode, Result};
use crate::id::BatchId;
use crate::store::{Note, Occasion, Pressure};

impl Engine {
    /// Starts the thread, in a store that spills.
    pub(super) fn mind_pressure(&self) -> Result<()> {
        let Some(pressure) = self.store.pressure().cloned() else { return Ok(()) };
        let engine = Weak::clone(&self.me);
        std::thread::Builder::new()
            .name("raybatch-spiller".into())
            .spawn(move || run(&engine, &pressure))
            .map_err(|e| Error::new(ErrorCode::StoreOpen, format!("cannot start the thread that spills: {e}")))?;
        Ok(())
    }

    /// Wakes all who wait for room.
    pub(super) fn wake_for_room(&self) {
        if let Some(pressure) = self.store.pressure() {
            self.store.notifier().wake(pressure.take_waiting());
        }
    }

    /// Spills until there is room. False when some is wanted and none was made.
    fn make_room(&self, pressure: &Pressure) -> bool {
        let wanted = || !self.is_closed() && (pressure.is_short(self.store.used()) || pressure.is_asked());
        while wanted() {
            let mut made = match self.spill_normal_mode(pressure) {
                Ok(bytes) => bytes,
                Err(_) => return false,
            };
            for batch in self.victims() {
                if !wanted() {
                    return true;
                }
                match self.spill(&batch) {
                    Ok(bytes) => made += bytes,
                    // the disk is full, or ill: it is not tried again for every batch there is
                    Err(_) => return made > 0,
                }
            }
            if made == 0 {
                return false;
            }
        }
        true
    }

    /// Writes all that may be spilled to files now, in the calling thread. Returns the bytes of memory that went back.
    ///
    /// # Errors
    /// `Io`; what was not written yet stays in memory.
    pub(super) fn spill_all(&self) -> Result<u64> {
        let mut sum = 0;
        if self.store.spills_normal_mode() {
            sum += self.spill_oldest(u64::MAX)?;
        }
        for batch in self.victims() {
            sum += self.spill(&batch)?;
        }
        Ok(sum)
    }

    /// Writes one batch to its file. Returns the bytes of memory that went back.
    fn spill(&self, batch: &Batch) -> Result<u64> {
        let Some(region) = batch.region() else { return Ok(0) };
        let began = self.store.notifier().journal().is_on().then(Instant::now);
        let bytes = region.spill(&mut |_| self.wake_for_room())?;
        if bytes > 0 {
            log::debug!("store '{}': batch {} gave {bytes} bytes back", self.name, super::errors::label(&batch.record));
        }
        if region.is_dropped() {
            // what was being written when it was collected is let go by now
            self.view_released();
        }
        let adopted: Vec<_> = batch.adopted.lock().iter().flatten().map(|(id, _)| *id).collect();
        let bytes = bytes + self.store.table().spill(&adopted, &mut |_| self.wake_for_room())?;
        if bytes > 0 {
            self.note(Occasion::Spilled, batch, |note| {
                note.bytes = bytes;
                note.nanos = nanos_since(began);
            });
        }
        Ok(bytes)
    }

    /// Writes objects of normal mode to files, as many as there are bytes too many. They go first: in another store they
    /// would be evicted first.
    fn spill_normal_mode(&self, pressure: &Pressure) -> Result<u64> {
        /// For those who wait though memory is not short: it may lie scattered.
        const LEAST: u64 = 1 << 20;
        if !self.store.spills_normal_mode() {
            return Ok(0);
        }
        let bytes = pressure.excess(self.store.used()).max(LEAST);
        self.spill_oldest(bytes)
    }

    fn spill_oldest(&self, bytes: u64) -> Result<u64> {
        let journal = self.store.notifier().journal();
        let began = journal.is_on().then(Instant::now);
        let oldest = self.store.table().oldest(bytes);
        let bytes = self.store.table().spill(&oldest, &mut |_| self.wake_for_room())?;
        if bytes > 0 {
            let nanos = nanos_since(began);
            journal.note(|| Note { bytes, nanos, ..Note::new(Occasion::Spilled, BatchId::NORMAL) });
        }
        Ok(bytes)
    }

    /// Batches that may be spilled, in the order in which they are.
    fn victims(&self) -> Vec<Arc<Batch>> {
        let mut all: Vec<_> = self
            .live
            .iter()
            .filter(|batch| !batch.record.latency_sensitive)
            .filter_map(|batch| {
                let last_used = batch.region()?.last_used();
                let rank = (Reverse(batch.end().is_some()), batch.record.priority, last_used, batch.seq);
                Some((rank, Arc::clone(&batch)))
            })
            .collect();
        all.sort_unstable_by_key(|(rank, _)| *rank);
        all.into_iter().map(|(_, batch)| batch).collect()
    }
}

fn run(engine: &Weak<Engine>, pressure: &Pressure) {
    let mut fruitless = false;
    while pressure.sleep(fruitless) {
        let Some(engine) = engine.upgrade() else { return };
        // a defect in one round must not end the thread that those who wait depend on
        let made = catch_unwind(AssertUnwindSafe(|| engine.make_room(pressure))).unwrap_or_else(|_| {
            log::error!("store '{}': spilling panicked and goes on; this is a defect of raybatch", engine.name);
            false
        });
        fruitless = !made;
        if fruitless {
            pressure.was_fruitless();
        }
        engine.wake_for_room();
    }
}
