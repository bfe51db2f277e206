//! An actor: its instance, who calls it, and the chain of what ran on it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::types::{ActorSpec, CheckpointPolicy, TaskRef};
use crate::id::ObjectId;

/// The instance that tasks run on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Main {
    /// Its creation has not run yet.
    New,
    /// This one.
    Alive(u32),
    /// It is gone; the next task rebuilds it.
    Lost,
    /// This one is being rebuilt.
    Rebuilding(u32),
}

/// So many tasks since the last checkpoint are remembered,
pub(super) const MOST_LINKS: usize = 4096;
/// of so many batches: each of them holds at least a page of records for it.
pub(super) const MOST_BATCHES: usize = 1024;

/// Tasks between two checkpoints.
#[derive(Default, Debug)]
pub(super) struct Segment {
    /// The state before its first link; `None` for the first segment, which begins with the creation.
    pub(super) checkpoint: Option<ObjectId>,
    /// The checkpoint was taken before this batch's first task.
    pub(super) beginning_of: Option<u32>,
    /// The segment whose last task the checkpoint was taken after.
    pub(super) follows: Option<u32>,
    /// What ran, in order.
    pub(super) links: Vec<TaskRef>,
    /// batch → how many of the links are its
    pub(super) batches: BTreeMap<u32, u32>,
}

/// An instance on its way to a state of the past.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Rebuild {
    pub(super) segment: u32,
    /// The next link to be replayed; `None` until the checkpoint is restored.
    pub(super) next: Option<u32>,
    /// It is done with the link before this one.
    pub(super) until: u32,
    /// It is for this task's result, and dropped then; else it becomes the instance that tasks run on.
    pub(super) scratch_for: Option<TaskRef>,
    /// How often arguments of its creation were waited for.
    pub(super) tries: u32,
}

impl Rebuild {
    pub(super) fn new(segment: u32, until: u32, scratch_for: Option<TaskRef>) -> Self {
        Rebuild { segment, next: None, until, scratch_for, tries: 0 }
    }
}

/// The link with which a segment begins.
pub(super) const FIRST_LINK: Option<u32> = Some(0);

/// Why a state is saved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SaveFor {
    /// The actor's policy.
    Policy,
    /// This batch's boundary.
    Boundary(u32),
    /// This batch's first task comes next.
    Beginning(u32),
}

/// The instance that a creation constructs.
pub(super) const FIRST_INSTANCE: u32 = 1;

/// See the module.
pub(super) struct Actor {
    pub(super) number: u32,
    pub(super) name: Arc<str>,
    pub(super) creation: TaskRef,
    /// The batch it dies with.
    pub(super) owner: u32,
    pub(super) restarts: Option<u32>,
    /// as declared; `None`: as its class says
    declared: Option<bool>,
    pub(super) fault_tolerant: bool,
    pub(super) checkpointable: bool,
    /// More ran on it since its last checkpoint than is remembered: until the next one it cannot be rebuilt.
    pub(super) overgrown: bool,
    pub(super) policy: CheckpointPolicy,
    pub(super) main: Main,
    last_instance: u32,
    /// the task before which a checkpoint was tried last
    pub(super) saved_before: Option<TaskRef>,
    /// caller → its tasks, in order
    pub(super) callers: BTreeMap<u64, VecDeque<TaskRef>>,
    /// callers whose first task may be next, in turn
    pub(super) turns: VecDeque<u64>,
    /// the others: their first task waits for arguments, or for the creation
    parked: BTreeSet<u64>,
    /// the task that is ready or runs on the main instance
    pub(super) at: Option<TaskRef>,
    /// it was killed when what ran on it had returned, and is lost when that is over: why
    pub(super) doomed: Option<Arc<str>>,
    /// the main instance is being saved, for this
    pub(super) saving: Option<SaveFor>,
    /// boundaries that wait to be saved
    pub(super) saves: VecDeque<SaveFor>,
    /// number → segment
    pub(super) segments: BTreeMap<u32, Segment>,
    pub(super) last_segment: u32,
    /// ids of older checkpoints, whose bytes are given up
    pub(super) spares: Vec<ObjectId>,
    /// instance → what is being rebuilt in it
    pub(super) rebuilds: BTreeMap<u32, Rebuild>,
    /// how long the last saving took, and the tasks since
    pub(super) save_nanos: u64,
    pub(super) work_nanos: u64,
    pub(super) work_count: u32,
}

impl Actor {
    pub(super) fn new(number: u32, spec: ActorSpec, owner: u32) -> Self {
        let name =
            if spec.name.is_empty() { format!("actor {number}") } else { format!("actor {number} ({})", spec.name) };
        Actor {
            number,
            name: name.into(),
            creation: spec.creation,
            owner,
            restarts: spec.restarts,
            declared: spec.fault_tolerant,
            fault_tolerant: spec.fault_tolerant.unwrap_or(spec.checkpointable),
            checkpointable: spec.checkpointable,
            overgrown: false,
            policy: spec.policy,
            main: Main::New,
            last_instance: 0,
            saved_before: None,
            callers: BTreeMap::new(),
            turns: VecDeque::new(),
            parked: BTreeSet::new(),
            at: None,
            doomed: None,
            saving: None,
            saves: VecDeque::new(),
            segments: BTreeMap::from([(0, Segment::default())]),
            last_segment: 0,
            spares: Vec::new(),
            rebuilds: BTreeMap::new(),
            save_nanos: 0,
            work_nanos: 0,
            work_count: 0,
        }
    }

    /// What its class says, known when it is constructed.
    pub(super) fn is_checkpointable(&mut self, is: bool) {
        self.checkpointable = is;
        self.fault_tolerant = self.declared.unwrap_or(is);
    }

    pub(super) fn next_instance(&mut self) -> u32 {
        self.last_instance += 1;
        self.last_instance
    }

    /// The one that its creation constructs, however often that is taken.
    pub(super) fn first_instance(&mut self) -> u32 {
        self.last_instance = self.last_instance.max(FIRST_INSTANCE);
        FIRST_INSTANCE
    }

    pub(super) fn enqueue(&mut self, caller: u64, task: TaskRef) {
        let tasks = self.callers.entry(caller).or_default();
        if tasks.is_empty() {
            self.turns.push_back(caller);
        }
        tasks.push_back(task);
    }

    /// Puts a task back where it was taken.
    pub(super) fn enqueue_first(&mut self, caller: u64, task: TaskRef) {
        let tasks = self.callers.entry(caller).or_default();
        if tasks.is_empty() || self.parked.remove(&caller) {
            self.turns.push_front(caller);
        }
        tasks.push_front(task);
    }

    /// The first caller's first task can not be next: it is not looked at until something has changed.
    pub(super) fn park(&mut self) {
        self.parked.extend(self.turns.pop_front());
    }

    /// Something has changed for a caller's first task.
    pub(super) fn unpark(&mut self, caller: u64) {
        if self.parked.remove(&caller) {
            self.turns.push_back(caller);
        }
    }

    /// Or for all of them.
    pub(super) fn unpark_all(&mut self) {
        self.turns.extend(std::mem::take(&mut self.parked));
    }

    pub(super) fn segment(&self) -> Option<&Segment> {
        self.segments.get(&self.last_segment)
    }

    /// True when the last segment remembers as much as it may.
    pub(super) fn is_full(&self) -> bool {
        self.segment().is_some_and(|s| s.links.len() >= MOST_LINKS || s.batches.len() >= MOST_BATCHES)
    }

    /// Adds a link at the end. Returns its place.
    pub(super) fn add_link(&mut self, task: TaskRef) -> (u32, u32) {
        let segment = self.segments.entry(self.last_segment).or_default();
        segment.links.push(task);
        *segment.batches.entry(task.serial).or_default() += 1;
        (self.last_segment, segment.links.len() as u32 - 1)
    }

    /// Begins a segment at a checkpoint.
    pub(super) fn begin_segment(&mut self, checkpoint: ObjectId, beginning_of: Option<u32>) {
        let follows = Some(self.last_segment);
        self.last_segment += 1;
        let segment = Segment { checkpoint: Some(checkpoint), beginning_of, follows, ..Segment::default() };
        self.segments.insert(self.last_segment, segment);
        self.overgrown = false;
        (self.work_nanos, self.work_count) = (0, 0);
    }

    /// Makes a segment and the one before it one, under its own number. Returns the checkpoint between them, and the place of
    /// the last link before it; `None` when nothing is before it.
    pub(super) fn join_before(&mut self, number: u32) -> Option<(Option<ObjectId>, Option<usize>)> {
        let before = self.segments.get(&number)?.follows?;
        let earlier = self.segments.remove(&before)?;
        let (offset, is_last) = (earlier.links.len(), number == self.last_segment);
        for rebuild in self.rebuilds.values_mut() {
            if rebuild.segment == before {
                rebuild.segment = number;
            } else if rebuild.segment == number {
                rebuild.next = rebuild.next.map(|next| next + offset as u32);
                rebuild.until += offset as u32;
            }
        }
        if is_last {
            self.work_count = self.work_count.saturating_add(offset as u32);
        }
        let segment = self.segments.get_mut(&number)?;
        segment.links.splice(0..0, earlier.links);
        for (batch, links) in earlier.batches {
            *segment.batches.entry(batch).or_default() += links;
        }
        segment.beginning_of = earlier.beginning_of;
        segment.follows = earlier.follows;
        Some((std::mem::replace(&mut segment.checkpoint, earlier.checkpoint), offset.checked_sub(1)))
    }

    /// The task that ran last since the last checkpoint.
    pub(super) fn last_task(&self) -> Option<TaskRef> {
        self.segment()?.links.last().copied()
    }

    /// True if what this batch did to it must be done again to rebuild it.
    pub(super) fn rests_on(&self, serial: u32) -> bool {
        self.fault_tolerant && self.segment().is_some_and(|s| s.batches.contains_key(&serial))
    }

    /// True if any of its segments has a task of the batch.
    pub(super) fn ran(&self, serial: u32) -> bool {
        self.segments.values().any(|s| s.batches.contains_key(&serial))
    }

    /// True when its policy wants a checkpoint before a task of that batch.
    pub(super) fn wants_checkpoint(&self, serial: u32) -> bool {
        /// A checkpoint is worth so many times its cost.
        const WORTH: u64 = 8;
        /// Longer replays than that are never risked.
        const MOST: u32 = 1000;
        if self.overgrown {
            return self.checkpointable && !matches!(self.policy, CheckpointPolicy::Never | CheckpointPolicy::Boundary);
        }
        let Some(last) = self.last_task().filter(|_| self.checkpointable) else { return false };
        let transition = last.serial != serial;
        match self.policy {
            CheckpointPolicy::Never | CheckpointPolicy::Boundary => false,
            _ if self.is_full() => true,
            CheckpointPolicy::Transition => transition,
            CheckpointPolicy::Every(n) => self.work_count >= n.max(1),
            CheckpointPolicy::Balanced => {
                let due = if self.save_nanos == 0 {
                    u64::from(self.work_count) >= WORTH
                } else {
                    self.work_nanos >= self.save_nanos.saturating_mul(WORTH)
                };
                self.work_count >= MOST || (transition && due)
            }
        }
    }
}
