//! Dropping a region, and what is left of it while somebody is in one of its leases.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Body, Region};
use crate::store::core::end_life;
use crate::store::lease::{self, Memory};
use crate::store::run::Run;
use crate::store::types::Dropped;

impl Region {
    /// Releases everything: work in the number of runs. The second time, and every time but one, there is nothing left.
    pub(in crate::store) fn drop_all(&self) -> Dropped {
        let core = &self.core;
        if !end_life(&core.arena, self.header, self.generation) {
            return Dropped::default();
        }
        // Under the lock nothing is leased and no stripe is made.
        let (chunks, index, memory, spilled, made, settled, deferred, left) = {
            let mut body = self.body.lock();
            body.closed = true;
            let deferred = body.holds.len() as u64;
            let mut memory = std::mem::take(&mut body.leases);
            // nobody is in a lease for these: they are made under the lock
            let (mut made, mut settled) = (self.placed(), self.placed());
            for n in 0..self.leases.count() {
                let Some(at) = self.leases.at(n) else { continue };
                let idle = lease::close(core, at);
                let (objects, bytes) = lease::made(core, at);
                made = (made.0 + objects, made.1 + bytes);
                if idle {
                    settled = (settled.0 + objects, settled.1 + bytes);
                } else {
                    body.left |= 1 << n;
                    if let Some(left) = memory.get_mut(n as usize) {
                        *body.memory(n) = std::mem::take(left);
                    }
                }
            }
            if body.left == 0 {
                self.retire();
            }
            (
                std::mem::take(&mut body.chunks),
                std::mem::take(&mut body.index),
                memory,
                std::mem::take(&mut body.spilled),
                made,
                settled,
                deferred,
                body.left != 0,
            )
        };
        drop(memory);
        let gone = (self.gone_objects.load(Ordering::Relaxed), self.gone_bytes.load(Ordering::Relaxed));
        if let Some(budget) = &self.budget {
            // What was made through a lease that somebody is in is given back by them. What left before may have been made
            // there: then this is less than nothing for a moment, and the counters wrap back.
            budget.release(settled.1.wrapping_sub(gone.1), settled.0.wrapping_sub(gone.0));
        }
        let (objects, bytes) = (made.0.saturating_sub(gone.0), made.1.saturating_sub(gone.1));
        let slots = index.slots();
        let mut runs = index.into_runs();
        runs.extend(chunks.into_all().filter_map(Arc::into_inner));
        Run::give_back_all(runs);
        self.forget_spilled(spilled);
        let peak_bytes = self.peak.fetch_max(bytes, Ordering::Relaxed).max(bytes);
        let drained = deferred == 0 && !left && self.held.bytes() == 0;
        let dropped = Dropped { objects, bytes, deferred, slots, peak_bytes, left, drained };
        let _ = self.dropped.set(dropped);
        dropped
    }

    /// Settles a lease that was closed while somebody was in, who is out now.
    #[cold]
    pub(in crate::store) fn settle(&self, n: u64) {
        let mut body = self.body.lock();
        let settled = self.settle_locked(&mut body, n);
        drop(body);
        drop(settled);
    }

    /// Gives back to the budget what was made through the lease; its memory goes when no lock is held.
    fn settle_locked(&self, body: &mut Body, n: u64) -> Memory {
        if body.left & 1 << n == 0 {
            return Memory::default(); // somebody else was quicker
        }
        let (objects, bytes) = self.leases.at(n).map_or((0, 0), |at| lease::made(&self.core, at));
        if let Some(budget) = &self.budget {
            budget.release(bytes, objects);
        }
        let memory = std::mem::take(body.memory(n));
        body.left &= !(1 << n);
        if body.left == 0 {
            self.retire();
        }
        memory
    }

    /// Settles what the JVM left behind: its way out of a lease does not tell whether the region was dropped meanwhile.
    /// True when nobody is in a lease of the dropped region any more.
    pub fn sweep(&self) -> bool {
        let mut settled = Vec::new();
        // Under the lock a lease whose bit is set is this region's: without, it might be shut when it is another's.
        let mut body = self.body.lock();
        for n in 0..u128::BITS {
            if body.left & 1 << n != 0
                && let Some(at) = self.leases.at(n.into())
                && lease::shut(&self.core, at)
            {
                settled.push(self.settle_locked(&mut body, n.into()));
            }
        }
        let all = body.left == 0;
        drop(body);
        drop(settled);
        all
    }

    /// The region is dropped and nobody is in a lease of it: its header and its leases may serve others. Called once,
    /// under the region's lock.
    fn retire(&self) {
        self.core.regions.lock().remove(&self.header);
        self.leases.give_back(&self.core);
        self.core.headers.give(self.header);
    }
}
