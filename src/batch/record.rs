//! The record of one life of a batch: what is known from its start on, and what is added when it ends and when it is
//! collected. While the batch lives it is a part of it; afterwards it is what is left.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;

use super::lifecycle::State;
use super::{BatchKey, Collected, Reason};
use crate::id::{BatchId, ObjectId};
use crate::store::Region;

/// See the module.
pub(crate) struct Record {
    pub(crate) key: BatchKey,
    /// The batch it is in; for a root its own key.
    pub(crate) parent: BatchKey,
    pub(crate) name: Option<Box<str>>,
    pub(crate) started_by: Arc<str>,
    pub(crate) started_ms: u64,
    pub(crate) timeout: Option<Duration>,
    pub(crate) max_bytes: Option<u64>,
    pub(crate) max_objects: Option<u64>,
    /// Most of its own tasks that run at a time.
    pub(crate) max_tasks: Option<u32>,
    /// The path of the group it is in.
    pub(crate) group: Option<Arc<str>>,
    pub(crate) priority: i32,
    pub(crate) no_cleanup: bool,
    pub(crate) checkpoint_actors: bool,
    /// Itself, or a batch it is in.
    pub(crate) latency_sensitive: bool,
    /// By whoever ended it first.
    pub(crate) end: OnceLock<End>,
    /// By whoever collected it.
    pub(crate) remains: OnceLock<Remains>,
}

/// The caller that ended a batch, the time and the reason.
#[derive(Clone)]
pub(crate) struct End {
    pub(crate) reason: Reason,
    pub(crate) by: Arc<str>,
    pub(crate) at_ms: u64,
    /// The outer batch whose end ended this one; `None` for one that ended by itself.
    pub(crate) outer: Option<Arc<Record>>,
}

/// What is left of a collected batch.
pub(crate) struct Remains {
    pub(crate) collected_ms: u64,
    /// Slots that were lent: ids below are of this life.
    pub(crate) slots: u64,
    pub(crate) peak_bytes: u64,
    /// What its own collection released, without inner batches.
    pub(crate) released: Collected,
    /// What was released with it of batches within it.
    pub(crate) within: Collected,
    /// What it gave away while it lived.
    pub(crate) kept: Box<[Kept]>,
    /// Its region, while somebody holds memory of it.
    pub(crate) draining: Mutex<Option<Arc<Region>>>,
}

/// An object that was kept, and by whom.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Kept {
    pub(crate) id: ObjectId,
    pub(crate) to: BatchKey,
    /// Of two moves of an object the later has the higher one.
    pub(crate) number: u64,
}

impl End {
    /// The outer batch whose end it was.
    pub(crate) fn outer(&self) -> Option<BatchId> {
        self.outer.as_ref().map(|outer| outer.key.id)
    }
}

impl Record {
    /// Notes its end. False when an earlier end was noted before.
    pub(crate) fn note_end(&self, reason: Reason, by: &Arc<str>, at_ms: u64) -> bool {
        self.end.set(End { reason, by: Arc::clone(by), at_ms, outer: None }).is_ok()
    }

    /// Notes that it ended because an outer batch did. False when an earlier end was noted before.
    pub(crate) fn note_end_with(&self, outer: &Arc<Record>, end: &End) -> bool {
        // the batch that ended by itself is named, however deep this one lies in it
        let outer = Arc::clone(end.outer.as_ref().unwrap_or(outer));
        self.end.set(End { outer: Some(outer), ..end.clone() }).is_ok()
    }

    /// `by`, which is mostly who started it, without a copy then.
    pub(crate) fn who(&self, by: &str) -> Arc<str> {
        if *self.started_by == *by { Arc::clone(&self.started_by) } else { by.into() }
    }

    /// What it gave away, once it is collected.
    pub(crate) fn kept(&self) -> &[Kept] {
        self.remains.get().map_or(&[], |r| &r.kept)
    }

    /// How it gave an object away last, once it is collected.
    pub(crate) fn given(&self, id: &ObjectId) -> Option<Kept> {
        self.kept().iter().rev().find(|kept| kept.id == *id).copied()
    }

    /// Whom to.
    pub(crate) fn heir(&self, id: &ObjectId) -> Option<BatchKey> {
        self.given(id).map(|kept| kept.to)
    }

    /// True for an object that this life, now over, made or had lent a slot for.
    pub(crate) fn made(&self, id: &ObjectId) -> bool {
        let slots = self.remains.get().map_or(0, |r| r.slots);
        id.batch == self.key.id && id.slot(self.key.life) < slots
    }

    /// The state after the collection. Lets go of the region when nobody holds any of its memory.
    pub(crate) fn settled(&self) -> State {
        let Some(remains) = self.remains.get() else { return State::Completed };
        let mut draining = remains.draining.lock();
        if draining.as_ref().is_some_and(|region| region.is_drained()) {
            *draining = None;
        }
        if draining.is_some() { State::Draining } else { State::Collected }
    }
}
