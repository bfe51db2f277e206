//! The tasks of one life of a batch.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use hashbrown::HashMap;

use super::granules::{GRANULE, Granule, Granules, PAGE_RECORDS};
use super::queue::Queues;
use super::record::{IdBlock, Record};
use super::state::TaskState;
use super::takers::Takers;
use super::types::{Counts, Failure, TaskRef};
use crate::batch::{Batch, BatchKey, Group};
use crate::error::Result;
use crate::id::ObjectId;
use crate::store::Slab;

/// Slots of the smallest block of puts.
pub(super) const LEAST_PUTS: u64 = 8;

/// Slots that were reserved and not given out yet.
#[derive(Clone, Copy, Default)]
pub(super) struct Reserve {
    next: u64,
    end: u64,
}

impl Reserve {
    pub(super) fn left(&self) -> u64 {
        self.end - self.next
    }

    /// The granule to go on with; what was left of the last one stays unused.
    pub(super) fn refill(&mut self, first: u64) {
        *self = Reserve { next: first, end: first + GRANULE };
    }

    fn take(&mut self, count: u64) -> u64 {
        let first = self.next;
        self.next += count;
        first
    }
}

/// Why a batch depends on another.
#[derive(Clone, Debug)]
pub(super) struct Edge {
    /// When it first did, in epoch milliseconds.
    pub(super) since_ms: u64,
    /// The objects it took, up to so many; of more, that there were.
    pub(super) objects: Vec<ObjectId>,
    pub(super) more_objects: bool,
    /// The actors whose state it took.
    pub(super) actors: BTreeSet<u32>,
}

/// How far a batch's boundary is: it holds the batch, as a task of it would, until its actors are saved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Boundary {
    /// Its tasks are not over.
    Coming,
    /// So many actors are still to be saved.
    Saving(u32),
}

/// See the module.
pub(super) struct BatchTable {
    pub(super) serial: u32,
    /// For normal mode: id 0, and the client's base.
    pub(super) key: BatchKey,
    /// `None` in normal mode and once it is collected.
    pub(super) batch: Option<Arc<Batch>>,
    pub(super) slab: Slab,
    pub(super) granules: Granules,
    /// slot / 256 → for each 8 slots of puts the slot of the task that received them, + 1
    put_owners: HashMap<u64, Box<[u64; (GRANULE / LEAST_PUTS) as usize]>>,
    /// who takes what, once somebody has asked
    pub(super) takers: Option<Takers>,
    /// pages of the slab whose tasks are forgotten
    free_pages: Vec<u32>,
    pub(super) tasks: Reserve,
    pub(super) puts: Reserve,
    pub(super) queues: Queues,
    /// priorities in which it has no turn, although something stands there: it was at its limit when its turn came
    pub(super) parked: Vec<i32>,
    pub(super) counts: Counts,
    /// of those that run: blocked ones
    pub(super) blocked: u64,
    /// most tasks that run at a time
    pub(super) max_tasks: Option<u32>,
    /// the group its batch is in
    pub(super) group: Option<Arc<Group>>,
    /// it wants its actors checkpointed before its first task on each
    pub(super) checkpoint_actors: bool,
    /// batches it depends on
    pub(super) depends_on: BTreeSet<u32>,
    /// batch → why it depends on this one
    pub(super) dependents: BTreeMap<u32, Edge>,
    /// actors whose chains have tasks of it, and those that are born in it or kept by it
    pub(super) used_actors: BTreeSet<u32>,
    /// fault tolerant actors that ran tasks of it which are in no chain any more
    pub(super) forgotten_on: BTreeSet<u32>,
    pub(super) owned_actors: BTreeSet<u32>,
    /// its end was noted
    pub(super) ended: bool,
    /// why its tasks were cancelled, with its end or after it; `None` while they were not
    pub(super) cancelled: Option<Failure>,
    /// its actors are to be saved when its last task is over, before it completes
    pub(super) boundary: Option<Boundary>,
    /// threads that were given up in its tasks
    pub(super) abandoned: Vec<String>,
    /// when it was collected, in epoch milliseconds
    pub(super) collected_ms: Option<u64>,
    /// nanoseconds of its tasks' last runs, smoothed
    pub(super) pace: u64,
    /// since when it has ready tasks of which none was taken
    pub(super) ready_since: Option<Instant>,
}

impl BatchTable {
    pub(super) fn new(serial: u32, key: BatchKey, batch: Option<Arc<Batch>>, slab: Slab) -> Self {
        let (max_tasks, checkpoint_actors) =
            batch.as_ref().map_or((None, false), |b| (b.max_tasks(), b.checkpoint_actors()));
        let group = batch.as_ref().and_then(|batch| batch.group().cloned());
        BatchTable {
            serial,
            key,
            group,
            batch,
            slab,
            granules: Granules::default(),
            put_owners: HashMap::new(),
            takers: None,
            free_pages: Vec::new(),
            tasks: Reserve::default(),
            puts: Reserve::default(),
            queues: Queues::default(),
            parked: Vec::new(),
            counts: Counts::default(),
            blocked: 0,
            max_tasks,
            checkpoint_actors,
            depends_on: BTreeSet::new(),
            dependents: BTreeMap::new(),
            used_actors: BTreeSet::new(),
            forgotten_on: BTreeSet::new(),
            owned_actors: BTreeSet::new(),
            ended: false,
            cancelled: None,
            boundary: None,
            abandoned: Vec::new(),
            collected_ms: None,
            pace: 0,
            ready_since: None,
        }
    }

    pub(super) fn is_collected(&self) -> bool {
        self.collected_ms.is_some()
    }

    /// True when as many of its tasks run as may, or of its group's. Those that wait for others do not count: they would wait for ever.
    pub(super) fn is_at_limit(&self) -> bool {
        self.max_tasks.is_some_and(|most| self.counts.running.saturating_sub(self.blocked) >= u64::from(most))
            || self.group.as_ref().is_some_and(|group| group.is_at_task_limit())
    }

    /// The id of a result of the task in this slot.
    pub(super) fn result(&self, slot: u64, index: u32) -> ObjectId {
        ObjectId::new(self.key.id, self.key.life.wrapping_add(slot), index)
    }

    pub(super) fn task(&self, slot: u64) -> TaskRef {
        TaskRef { serial: self.serial, slot }
    }

    /// Bytes of its records.
    pub(super) fn bytes(&self) -> u64 {
        self.slab.bytes()
    }

    /// The record of a task; `None` when there is none in this slot.
    #[inline]
    pub(super) fn record(&self, slot: u64) -> Option<Record<'_>> {
        self.blank(slot).filter(|record| record.state().is_some())
    }

    /// The record in a slot of a task block, used or not.
    #[inline]
    pub(super) fn blank(&self, slot: u64) -> Option<Record<'_>> {
        Some(Record(self.slab.record(self.granules.page(slot)?, (slot % PAGE_RECORDS) as u32)))
    }

    /// The record in a slot that was given out, used or not.
    pub(super) fn given(&self, slot: u64) -> Option<Record<'_>> {
        self.blank(slot).filter(|_| !(self.tasks.next..self.tasks.end).contains(&slot))
    }

    /// The task that made this object, or can: the one whose result it is, or who received the slot for a put.
    pub(super) fn maker(&self, id: &ObjectId) -> Option<u64> {
        let task = id.task.wrapping_sub(self.key.life);
        if let Some(record) = self.record(task) {
            return (id.index < record.returns()).then_some(task);
        }
        let slot = task.wrapping_add(id.index.into());
        let owner = self.put_owners.get(&(slot / GRANULE))?[(slot % GRANULE / LEAST_PUTS) as usize];
        owner.checked_sub(1)
    }

    /// Takes a block of task slots, with records. `None` when the reserve has too few.
    pub(super) fn task_block(&mut self, count: u64) -> Result<Option<u64>> {
        if self.tasks.left() < count {
            return Ok(None);
        }
        let first = self.tasks.next;
        for page in first / PAGE_RECORDS..=(first + count - 1) / PAGE_RECORDS {
            let slot = page * PAGE_RECORDS;
            if self.granules.page(slot).is_none() {
                *self.granules.page_mut(slot) = self.page()? + 1;
            }
        }
        Ok(Some(self.tasks.take(count)))
    }

    /// Takes a block of slots for puts of a task. `None` when the reserve has too few.
    pub(super) fn put_block(&mut self, count: u64, owner: u64) -> Option<u64> {
        let count = count.next_multiple_of(LEAST_PUTS);
        if self.puts.left() < count {
            return None;
        }
        let first = self.puts.take(count);
        for slot in (first..first + count).step_by(LEAST_PUTS as usize) {
            let owners = self.put_owners.entry(slot / GRANULE).or_insert_with(|| Box::new([0; _]));
            owners[(slot % GRANULE / LEAST_PUTS) as usize] = owner + 1;
        }
        Some(first)
    }

    /// An id for an object of the table's own. `None` when the reserve has none left.
    pub(super) fn own_id(&mut self) -> Option<ObjectId> {
        (self.puts.left() >= LEAST_PUTS).then(|| {
            let slot = self.puts.take(LEAST_PUTS);
            self.result(slot, 0)
        })
    }

    /// A page of records, all zero.
    pub(super) fn page(&mut self) -> Result<u32> {
        let Some(page) = self.free_pages.pop() else { return self.slab.add_page() };
        for n in 0..PAGE_RECORDS as u32 {
            self.slab.record(page, n).iter().for_each(|word| word.store(0, Ordering::Relaxed));
        }
        Ok(page)
    }

    /// Forgets tasks of granules before the last so many, if those of one are all over and `may` be forgotten. Looks at a few:
    /// each call comes with tasks of at most one more granule, so that those that can go keep going however many cannot.
    /// Returns the first slots of what is gone.
    pub(super) fn forget_old(&mut self, most: usize, may: impl Fn(Record<'_>) -> bool) -> Vec<u64> {
        /// As long as more than a quarter of them can go, as many go as come.
        const LOOKS: usize = 4;
        let mut gone = Vec::new();
        let may = |record: Record<'_>| record.state().is_some_and(TaskState::is_over) && may(record);
        for _ in 0..LOOKS {
            let Some((first, kept_by)) = self.granules.forgettable(most) else { break };
            let keeps = |slot: &u64| self.record(*slot).is_some_and(|record| !may(record));
            match kept_by.filter(keeps).or_else(|| (first..first + GRANULE).find(keeps)) {
                Some(slot) => self.granules.keep(first, slot),
                None => {
                    self.forget(first);
                    gone.push(first);
                }
            }
        }
        gone
    }

    /// Forgets the tasks of a granule, which are over.
    fn forget(&mut self, first: u64) {
        for slot in first..first + GRANULE {
            match self.record(slot).and_then(|record| record.state()) {
                Some(TaskState::Done) => self.counts.done -= 1,
                Some(TaskState::Failed) => self.counts.failed -= 1,
                Some(TaskState::Cancelled) => self.counts.cancelled -= 1,
                _ => {}
            }
            if self.takers.is_some() {
                let arguments = self.arguments(slot);
                self.takers.iter_mut().for_each(|takers| takers.remove(slot, &arguments));
            }
            for block in self.id_blocks(slot).into_iter().filter(|block| block.puts) {
                self.disown(block);
            }
        }
        self.free_pages.extend(self.granules.take(first).into_iter().flat_map(Granule::into_pages));
    }

    /// Nobody makes the puts of a block any more.
    fn disown(&mut self, block: IdBlock) {
        for slot in (block.first..block.first + u64::from(block.count)).step_by(LEAST_PUTS as usize) {
            let granule = slot / GRANULE;
            let Some(owners) = self.put_owners.get_mut(&granule) else { continue };
            owners[(slot % GRANULE / LEAST_PUTS) as usize] = 0;
            if owners.iter().all(|owner| *owner == 0) {
                self.put_owners.remove(&granule);
            }
        }
    }

    /// The slots of all tasks there are records of, in order.
    pub(super) fn slots(&self) -> Vec<u64> {
        let all = self.granules.starts().flat_map(|first| first..first + GRANULE);
        all.filter(|&slot| self.record(slot).is_some()).collect()
    }
}
