//! What is remembered of collected batches.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use parking_lot::Mutex;

use super::BatchKey;
use super::lifecycle::State;
use super::record::{Kept, Record};
use crate::id::{BatchId, ObjectId};

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
    /// id → its lives
    lives: HashMap<BatchId, Lives>,
    /// the last collected ones, in that order
    order: VecDeque<Arc<Record>>,
    /// older ones, which had an heir when they were last looked at
    heirs: VecDeque<Arc<Record>>,
    /// those whose memory somebody held
    draining: Vec<Arc<Record>>,
}

/// The collected lives of one id.
struct Lives {
    latest: Arc<Record>,
    /// the oldest first; mostly none
    earlier: VecDeque<Arc<Record>>,
}

impl Lives {
    /// The latest first.
    fn all(&self) -> impl Iterator<Item = &Arc<Record>> {
        std::iter::once(&self.latest).chain(self.earlier.iter().rev())
    }
}

impl Inner {
    fn insert(&mut self, record: &Arc<Record>) {
        match self.lives.entry(record.key.id) {
            Entry::Vacant(slot) => {
                slot.insert(Lives { latest: Arc::clone(record), earlier: VecDeque::new() });
            }
            Entry::Occupied(mut lives) => {
                let lives = lives.get_mut();
                lives.earlier.push_back(std::mem::replace(&mut lives.latest, Arc::clone(record)));
            }
        }
    }

    fn forget(&mut self, record: &Arc<Record>) {
        let Entry::Occupied(mut entry) = self.lives.entry(record.key.id) else { return };
        let lives = entry.get_mut();
        if lives.earlier.front().is_some_and(|oldest| Arc::ptr_eq(oldest, record)) {
            lives.earlier.pop_front();
        } else if !Arc::ptr_eq(&lives.latest, record) {
            lives.earlier.retain(|r| !Arc::ptr_eq(r, record));
        } else if let Some(before) = lives.earlier.pop_back() {
            lives.latest = before;
        } else {
            entry.remove();
        }
    }

    /// Forgets it, unless it has an heir.
    fn age(&mut self, record: Arc<Record>, lives_on: &impl Fn(&Kept) -> bool) {
        if record.kept().iter().any(lives_on) {
            self.heirs.push_back(record);
        } else {
            self.forget(&record);
        }
    }
}

impl Tombstones {
    pub(crate) fn new(capacity: usize) -> Tombstones {
        Tombstones { capacity, inner: Mutex::default(), draining: AtomicUsize::new(0) }
    }

    /// Remembers a collected batch. `lives_on` tells whether a kept object is still there: such a one keeps its batch
    /// remembered.
    pub(crate) fn add(&self, record: &Arc<Record>, drains: bool, lives_on: impl Fn(&Kept) -> bool) {
        let mut inner = self.inner.lock();
        if drains {
            inner.draining.push(Arc::clone(record));
            self.draining.store(inner.draining.len(), Ordering::Relaxed);
        }
        inner.insert(record);
        inner.order.push_back(Arc::clone(record));
        while inner.order.len() > self.capacity {
            let Some(oldest) = inner.order.pop_front() else { break };
            inner.age(oldest, &lives_on);
        }
        // one of the older ones is looked at again each time, so that they go in turn when their heirs have
        if let Some(record) = inner.heirs.pop_front() {
            inner.age(record, &lives_on);
        }
    }

    /// The record of a life; the latest for life 0.
    pub(crate) fn find(&self, key: BatchKey) -> Option<Arc<Record>> {
        self.inner.lock().lives.get(&key.id)?.all().find(|r| key.means(r.key.life)).cloned()
    }

    /// The life that made an object.
    pub(crate) fn maker(&self, id: &ObjectId) -> Option<Arc<Record>> {
        self.inner.lock().lives.get(&id.batch)?.all().find(|r| r.made(id)).cloned()
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
        inner.draining.retain(|record| record.settled() == State::Draining);
        self.draining.store(inner.draining.len(), Ordering::Relaxed);
    }

    /// How many are remembered.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.inner.lock().lives.values().map(|lives| lives.all().count()).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use super::super::Collected;
    use super::super::record::Remains;
    use super::*;

    fn record(id: i64, life: u64, kept: &[Kept]) -> Arc<Record> {
        let remains = Remains {
            collected_ms: 3,
            slots: 10,
            peak_bytes: 0,
            released: Collected::default(),
            within: Collected::default(),
            kept: kept.into(),
            draining: Mutex::new(None),
        };
        Arc::new(Record {
            key: BatchKey { id: BatchId(id), life },
            parent: BatchKey::any(BatchId(-1)),
            name: None,
            started_by: "t".into(),
            started_ms: 1,
            timeout: None,
            max_bytes: None,
            max_objects: None,
            max_tasks: None,
            group: None,
            priority: 0,
            no_cleanup: false,
            checkpoint_actors: false,
            latency_sensitive: false,
            end: OnceLock::new(),
            remains: OnceLock::from(remains),
        })
    }

    fn key(id: i64, life: u64) -> BatchKey {
        BatchKey { id: BatchId(id), life }
    }

    #[test]
    fn the_last_ones_are_remembered() {
        let all = Tombstones::new(2);
        for id in 1..=3 {
            all.add(&record(id, 7, &[]), false, |_| false);
        }
        assert!(all.find(key(1, 0)).is_none() && all.find(key(2, 7)).is_some() && all.find(key(3, 0)).is_some());
        assert!(all.find(key(3, 8)).is_none(), "another life");
        assert_eq!(all.len(), 2);
        Tombstones::new(0).add(&record(1, 1, &[]), false, |_| false);
    }

    #[test]
    fn lives_of_one_id_are_told_apart_by_their_slots() {
        let all = Tombstones::new(9);
        all.add(&record(1, 1000, &[]), false, |_| false);
        all.add(&record(1, 2000, &[]), false, |_| false);
        let maker = |task| all.maker(&ObjectId::new(BatchId(1), task, 0)).map(|t| t.key.life);
        assert_eq!([maker(1009), maker(1010), maker(2000), maker(999)], [Some(1000), None, Some(2000), None]);
        assert_eq!(all.find(key(1, 0)).unwrap().key.life, 2000, "the latest");
        assert_eq!(all.find(key(1, 1000)).unwrap().key.life, 1000);
    }

    #[test]
    fn one_with_an_heir_stays_until_the_heir_is_gone() {
        let all = Tombstones::new(1);
        let kept = Kept { id: ObjectId::new(BatchId(1), 5, 0), to: key(9, 9), number: 1 };
        all.add(&record(1, 1, &[kept]), false, |_| true);
        for id in 2..6 {
            all.add(&record(id, 1, &[]), false, |k| *k == kept);
            assert!(all.find(key(1, 1)).is_some());
        }
        all.add(&record(6, 1, &[]), false, |_| false);
        assert!(all.find(key(1, 1)).is_none());
        assert_eq!(all.len(), 1);
    }
}
