//! The thread that makes room: above the high-water mark, and whenever somebody waits for some, it has whole batches
//! written to files until the low-water mark is reached.
//!
//! Whoever is furthest above their fair share of the store gives first: a group, or what is in none. Of what gives, first
//! go objects of normal mode, if they are to be spilled and not evicted; then batches that have ended and are not
//! collected yet (`noCleanup`), then by priority, the lowest first, then those that were used longest ago. Those marked
//! `latencySensitive`, and all within them, never go. Of those who are not above their share
//! only they themselves have to give for what they want beyond it. All have to when memory is short and nobody is above; or,
//! where those who are have nothing to give, when somebody else than they has found no memory.
//!
//! It does not keep its engine alive, and holds no lock while it writes. Those who wait are woken after each chunk that
//! went back, so that a put waits for the writing of about a mebibyte, not for that of a batch.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::Instant;

use hashbrown::HashMap;

use super::ending::nanos_since;
use super::engine::Engine;
use super::groups::Group;
use super::tree::Batch;
use crate::error::{Error, ErrorCode, Result};
use crate::id::BatchId;
use crate::store::{Note, Occasion, Pressure, Share, Standing, Wants};

impl Engine {
    /// Starts the thread, in a store that spills.
    pub(super) fn mind_pressure(&self) -> Result<()> {
        let Some(pressure) = self.store.pressure().cloned() else { return Ok(()) };
        let engine = Weak::clone(&self.me);
        let spiller = crate::threads::spawn("raybatch-spiller", move || run(&engine, &pressure))
            .map_err(|e| Error::new(ErrorCode::StoreOpen, format!("cannot start the thread that spills: {e}")))?;
        *self.spiller.lock() = Some(spiller);
        Ok(())
    }

    /// Ends the thread, and returns when it has: after the chunk that it writes just now, if any. It may be this very thread that
    /// was the last to hold the engine.
    pub(super) fn join_spiller(&self) {
        if let Some(pressure) = self.store.pressure() {
            pressure.stop();
        }
        let spiller = self.spiller.lock().take();
        if let Some(spiller) = spiller {
            spiller.wait();
        }
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
        let shares = self.store.shares();
        let mut all = false;
        while wanted() {
            let mut made = 0;
            let mut holders = self.holders();
            let spared = loop {
                let (holder, victim) = match self.next(&mut holders, all) {
                    Next::Spill(holder, victim) => (holder, victim),
                    Next::End { spared } => break spared,
                };
                if !wanted() {
                    return true;
                }
                let before = made;
                let spilled = self.spill_one(&victim, pressure, &mut made);
                holder.gave |= made > before;
                // the disk is full, or ill: it is not tried again for every batch there is
                if spilled.is_err() {
                    return made > 0;
                }
            };
            // where those who are above their share hold on to what they have
            all = made == 0 && spared && shares.take_wanting();
            if made == 0 && !all {
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
            self.spill_oldest(u64::MAX, &mut sum)?;
        }
        for batch in self.victims() {
            self.spill(&batch, &mut sum)?;
        }
        Ok(sum)
    }

    /// Writes one batch to its file. Adds to `made` the bytes of memory that go back, also of what fails half-way.
    fn spill(&self, batch: &Batch, made: &mut u64) -> Result<()> {
        let Some(region) = batch.region() else { return Ok(()) };
        let began = self.store.notifier().journal().is_on().then(Instant::now);
        let before = *made;
        let mut freed = |bytes| {
            *made += bytes;
            self.wake_for_room();
        };
        let mut spilled = region.spill(&mut freed);
        if region.is_dropped() {
            // what was being written when it was collected is let go by now
            self.view_released();
        }
        if spilled.is_ok() {
            let adopted: Vec<_> = batch.adopted.lock().iter().flatten().map(|(id, _)| *id).collect();
            spilled = self.store.table().spill(&adopted, &mut freed);
        }
        let bytes = *made - before;
        if bytes > 0 {
            log::debug!("store '{}': batch {} gave {bytes} bytes back", self.name, super::errors::label(&batch.record));
            self.note(Occasion::Spilled, batch, |note| {
                note.bytes = bytes;
                note.nanos = nanos_since(began);
            });
        }
        spilled.map(|_| ())
    }

    /// Writes objects of normal mode to files, as many as there are bytes too many. They go first: in another store they
    /// would be evicted first.
    fn spill_normal_mode(&self, pressure: &Pressure, made: &mut u64) -> Result<()> {
        /// For those who wait though memory is not short: it may lie scattered.
        const LEAST: u64 = 1 << 20;
        if !self.store.spills_normal_mode() {
            return Ok(());
        }
        let bytes = pressure.excess(self.store.used()).max(LEAST);
        self.spill_oldest(bytes, made)
    }

    fn spill_oldest(&self, bytes: u64, made: &mut u64) -> Result<()> {
        let journal = self.store.notifier().journal();
        let began = journal.is_on().then(Instant::now);
        let before = *made;
        let oldest = self.store.table().oldest(bytes);
        let spilled = self.store.table().spill(&oldest, &mut |bytes| {
            *made += bytes;
            self.wake_for_room();
        });
        let bytes = *made - before;
        if bytes > 0 {
            let nanos = nanos_since(began);
            journal.note(|| Note { bytes, nanos, ..Note::new(Occasion::Spilled, BatchId::NORMAL) });
        }
        spilled.map(|_| ())
    }

    fn spill_one(&self, victim: &Victim, pressure: &Pressure, made: &mut u64) -> Result<()> {
        match victim {
            Victim::NormalMode => self.spill_normal_mode(pressure, made),
            Victim::Batch(batch) => self.spill(batch, made),
        }
    }

    /// All who hold something, with what of it may be spilled: what is in no group first.
    fn holders(&self) -> Vec<Holder> {
        let shares = self.store.shares();
        // what is in no group is nobody's outer group
        let rest = shares.take_wants(None);
        let mut all = vec![Holder::new(None, Wants { all: false, own: rest.all || rest.own })];
        all[0].victims.push_back(Victim::NormalMode);
        // group → its place in the list
        let mut places: HashMap<*const Group, usize> = HashMap::new();
        // outer ones come first
        for group in self.groups.all() {
            let outer = group.outer().and_then(|outer| places.get(&Arc::as_ptr(outer)));
            let mut wants = shares.take_wants(Some(group.share()));
            wants.all |= outer.is_some_and(|at| all[*at].wants.all);
            places.insert(Arc::as_ptr(&group), all.len());
            all.push(Holder::new(Some(group), wants));
        }
        for batch in self.victims() {
            let at = match batch.group() {
                None => 0,
                // made since
                Some(group) => *places.entry(Arc::as_ptr(group)).or_insert_with(|| {
                    all.push(Holder::new(Some(Arc::clone(group)), Wants::default()));
                    all.len() - 1
                }),
            };
            all[at].victims.push_back(Victim::Batch(batch));
        }
        all
    }

    /// What is to be spilled next: of whoever is furthest above their share now. See the module for who gives, unless
    /// `all` are to.
    fn next<'a>(&self, holders: &'a mut [Holder], all: bool) -> Next<'a> {
        let shares = self.store.shares();
        let standings: Vec<_> = holders.iter().map(|holder| shares.standing(holder.share())).collect();
        let any_above = standings.iter().any(Standing::is_above);
        let short = self.store.pressure().is_some_and(|pressure| pressure.is_short(self.store.used()));
        let all = all || (short && !any_above);
        let gives = |n: &usize| all || holders[*n].wants.any() || standings[*n].is_above() || standings[*n].is_alone();
        let spared = holders.iter().enumerate().any(|(n, holder)| !holder.victims.is_empty() && !gives(&n));
        // One that gave all it had, and is the furthest above again, fills up faster than others could give. Of equals
        // the first one.
        let may = |n: &usize| gives(n) && (holders[*n].gave || !holders[*n].victims.is_empty());
        let Some(n) = (0..holders.len()).rev().filter(may).max_by_key(|n| &standings[*n]) else {
            return Next::End { spared };
        };
        let holder = &mut holders[n];
        match holder.victims.pop_front() {
            Some(victim) => Next::Spill(holder, victim),
            None => Next::End { spared },
        }
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

/// Something that may be spilled.
enum Victim {
    NormalMode,
    Batch(Arc<Batch>),
}

/// One group's own batches; `None`: what is in no group.
struct Holder {
    group: Option<Arc<Group>>,
    /// In the order in which they are to be spilled.
    victims: VecDeque<Victim>,
    /// It was refused more than its share; or, for all within it, a group it is in was.
    wants: Wants,
    /// Something of it was spilled.
    gave: bool,
}

impl Holder {
    fn new(group: Option<Arc<Group>>, wants: Wants) -> Holder {
        Holder { group, victims: VecDeque::new(), wants, gave: false }
    }

    fn share(&self) -> Option<&Share> {
        self.group.as_ref().map(|group| &**group.share())
    }
}

/// Who gives next.
enum Next<'a> {
    Spill(&'a mut Holder, Victim),
    /// It is time to look again who has what. `spared`: of those who could give, some are not to.
    End {
        spared: bool,
    },
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
