//! What is remembered of collected batches.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hashbrown::HashMap;
use parking_lot::Mutex;

use super::lifecycle::State;
use super::tree::{End, Facts, Kept};
use super::{BatchKey, Collected};
use crate::id::{BatchId, ObjectId};
use crate::store::Region;

/// The record that is left of a batch.
#[derive(Clone)]
pub(crate) struct Tombstone {
    pub(crate) facts: Arc<Facts>,
    pub(crate) end: End,
    pub(crate) collected_ms: u64,
    /// Slots that were lent: ids below are of this life.
    pub(crate) slots: u64,
    pub(crate) peak_bytes: u64,
    /// What its own collection released, without inner batches.
    pub(crate) released: Collected,
    /// What it gave away while it lived.
    pub(crate) kept: Box<[Kept]>,
    /// Its region, while somebody holds memory of it.
    pub(crate) draining: Option<Arc<Region>>,
}

impl Tombstone {
    /// True for an object that this life made, or had lent a slot for.
    pub(crate) fn made(&self, id: &ObjectId) -> bool {
        id.batch == self.facts.key.id && id.slot(self.facts.key.life) < self.slots
    }

    pub(crate) fn state(&self) -> State {
        if self.draining.as_ref().is_some_and(|region| !region.is_drained()) {
            State::Draining
        } else {
            State::Collected
        }
    }
}

/// The last so many collected batches; those of which an object lives on stay longer.
///
/// One lock: a collection holds it for some hundred nanoseconds, and everything else only on its way to an error.
pub(crate) struct Tombstones {
    capacity: usize,
    inner: Mutex<Inner>,
    /// How many regions somebody held memory of when last looked at.
    draining: AtomicUsize,
}

#[derive(Default)]
struct Inner {
    /// id → its lives, the oldest first; nearly always one
    lives: HashMap<BatchId, Vec<Tombstone>>,
    /// the last collected ones, in that order
    order: VecDeque<BatchKey>,
    /// older ones, which had an heir when they were last looked at
    heirs: VecDeque<BatchKey>,
    /// those whose memory somebody held
    draining: Vec<BatchKey>,
}

impl Inner {
    fn get_mut(&mut self, key: BatchKey) -> Option<&mut Tombstone> {
        self.lives.get_mut(&key.id)?.iter_mut().rev().find(|t| key.means(t.facts.key.life))
    }

    fn forget(&mut self, key: BatchKey) {
        if let Some(lives) = self.lives.get_mut(&key.id) {
            lives.retain(|t| t.facts.key != key);
            if lives.is_empty() {
                self.lives.remove(&key.id);
            }
        }
    }

    /// Forgets it, unless it has an heir.
    fn age(&mut self, key: BatchKey, lives_on: &impl Fn(&Kept) -> bool) {
        if self.get_mut(key).is_some_and(|t| t.kept.iter().any(lives_on)) {
            self.heirs.push_back(key);
        } else {
            self.forget(key);
        }
    }
}

impl Tombstones {
    pub(crate) fn new(capacity: usize) -> Tombstones {
        Tombstones { capacity, inner: Mutex::default(), draining: AtomicUsize::new(0) }
    }

    /// Remembers a batch. `lives_on` tells whether a kept object is still there: such a one keeps its batch remembered.
    pub(crate) fn add(&self, tombstone: Tombstone, lives_on: impl Fn(&Kept) -> bool) {
        let key = tombstone.facts.key;
        let mut inner = self.inner.lock();
        if tombstone.draining.is_some() {
            inner.draining.push(key);
            self.draining.store(inner.draining.len(), Ordering::Relaxed);
        }
        inner.lives.entry(key.id).or_default().push(tombstone);
        inner.order.push_back(key);
        while inner.order.len() > self.capacity {
            let Some(oldest) = inner.order.pop_front() else { break };
            inner.age(oldest, &lives_on);
        }
        // one of the older ones is looked at again each time, so that they go in turn when their heirs have
        if let Some(key) = inner.heirs.pop_front() {
            inner.age(key, &lives_on);
        }
    }

    /// The record of a life; the latest for life 0.
    pub(crate) fn find(&self, key: BatchKey) -> Option<Tombstone> {
        let mut inner = self.inner.lock();
        let tombstone = inner.get_mut(key)?;
        if tombstone.draining.as_ref().is_some_and(|region| region.is_drained()) {
            tombstone.draining = None;
        }
        Some(tombstone.clone())
    }

    /// The life that made an object.
    pub(crate) fn maker(&self, id: &ObjectId) -> Option<Tombstone> {
        self.inner.lock().lives.get(&id.batch)?.iter().rev().find(|t| t.made(id)).cloned()
    }

    /// True when any life of the id is remembered.
    pub(crate) fn knows(&self, id: BatchId) -> bool {
        self.inner.lock().lives.contains_key(&id)
    }

    /// True when a region was still held when last looked at.
    pub(crate) fn has_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed) > 0
    }

    /// Lets go of the regions that nobody holds memory of any more.
    pub(crate) fn notice_drained(&self) {
        let mut inner = self.inner.lock();
        let mut draining = std::mem::take(&mut inner.draining);
        draining.retain(|&key| {
            let Some(tombstone) = inner.get_mut(key) else { return false };
            if tombstone.state() == State::Collected {
                tombstone.draining = None;
            }
            tombstone.draining.is_some()
        });
        self.draining.store(draining.len(), Ordering::Relaxed);
        inner.draining = draining;
    }

    /// How many are remembered.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.inner.lock().lives.values().map(Vec::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Reason;
    use super::*;

    fn tombstone(id: i64, life: u64, kept: &[Kept]) -> Tombstone {
        let key = BatchKey { id: BatchId(id), life };
        let facts = Facts {
            key,
            parent: BatchKey::any(BatchId(-1)),
            name: None,
            started_by: "t".into(),
            started_ms: 1,
            timeout: None,
            max_bytes: None,
            max_objects: None,
            priority: 0,
            no_cleanup: false,
        };
        Tombstone {
            facts: Arc::new(facts),
            end: End { reason: Reason::Closed, by: "t".into(), at_ms: 2 },
            collected_ms: 3,
            slots: 10,
            peak_bytes: 0,
            released: Collected::default(),
            kept: kept.into(),
            draining: None,
        }
    }

    fn key(id: i64, life: u64) -> BatchKey {
        BatchKey { id: BatchId(id), life }
    }

    #[test]
    fn the_last_ones_are_remembered() {
        let all = Tombstones::new(2);
        for id in 1..=3 {
            all.add(tombstone(id, 7, &[]), |_| false);
        }
        assert!(all.find(key(1, 0)).is_none() && all.find(key(2, 7)).is_some() && all.find(key(3, 0)).is_some());
        assert!(all.find(key(3, 8)).is_none(), "another life");
        assert_eq!(all.len(), 2);
        Tombstones::new(0).add(tombstone(1, 1, &[]), |_| false);
    }

    #[test]
    fn lives_of_one_id_are_told_apart_by_their_slots() {
        let all = Tombstones::new(9);
        all.add(tombstone(1, 1000, &[]), |_| false);
        all.add(tombstone(1, 2000, &[]), |_| false);
        let maker = |task| all.maker(&ObjectId::new(BatchId(1), task, 0)).map(|t| t.facts.key.life);
        assert_eq!([maker(1009), maker(1010), maker(2000), maker(999)], [Some(1000), None, Some(2000), None]);
        assert_eq!(all.find(key(1, 0)).unwrap().facts.key.life, 2000, "the latest");
        assert_eq!(all.find(key(1, 1000)).unwrap().facts.key.life, 1000);
    }

    #[test]
    fn one_with_an_heir_stays_until_the_heir_is_gone() {
        let all = Tombstones::new(1);
        let kept = Kept { id: ObjectId::new(BatchId(1), 5, 0), to: key(9, 9) };
        all.add(tombstone(1, 1, &[kept]), |_| true);
        for id in 2..6 {
            all.add(tombstone(id, 1, &[]), |k| *k == kept);
            assert!(all.find(key(1, 1)).is_some());
        }
        all.add(tombstone(6, 1, &[]), |_| false);
        assert!(all.find(key(1, 1)).is_none());
        assert_eq!(all.len(), 1);
    }
}
