//! Batches: life cycle, tree, ownership, limits, deadlines, memory of what is over; and the clients through which all of
//! it is used.
//!
//! An `Engine` belongs to one open store and is shared by its clients. From the outside in: `client` and `access` are what
//! callers use, `tasks` and `results` what the task room does; `objects` finds what they ask for; `start`, `ending` and
//! `keeping` change the tree; `tree`, `record`, `life`, `lifecycle` and `tombstones` hold it; `groups` are beside it, for those who
//! share a store; `housekeeping` is the thread behind, and `spilling` the one that makes room.
//!
//! # Locks
//!
//! Each is taken before those below it, and none of them while user code, a waker, a subscriber or the task room runs:
//!
//! 1. the registry of open stores;
//! 2. a shard of the live batches (only `start` takes others while it holds one);
//! 3. a shard of the `GC:` tables, and of the node's regions;
//! 4. a shard of a batch's children;
//! 5. what a batch promised, what it owns (`tree::Batch::adopted`), then what it kept;
//! 6. the tombstones;
//! 7. the housekeeping's agenda; the registry of groups;
//! 8. the store's locks.
//!
//! # Ends
//!
//! An end walks the tree twice. Downwards it closes each batch to new inner ones: whoever starts a batch registers it
//! with its parent under the lock that the end takes to close, so that it is either seen by the end or refused. Upwards,
//! innermost and newest first, it takes the step that refuses new work. Both walks can be repeated by anybody: two who
//! end at once help each other and wait for nobody; the one whose record was first is who ended it.
//!
//! # Completion
//!
//! A batch is *completed* when it has ended and no task is active in it or in a batch within it. Its state, its active
//! tasks and what was asked for are one word (`life`), so each of these is one step that either came before another or
//! sees it:
//!
//! - *A task begins* from outside only in an open batch, from inside (submitted by a task active in it or within it) also
//!   in an ended one. So an end either counts the task or refuses it.
//! - *Who looks whether it is over*: whoever ended it, whoever's task was the last one, and whoever completed or collected
//!   a batch within it, going from there to the next outer one. Each changes something first and then looks at all of it,
//!   in one order (`SeqCst`, or the lock of the children), so the last of them sees that nothing is left.
//! - *What it looks at*: first the batches within it, then its own word in the step itself. Those within are closed, and
//!   once over take no tasks; a task of theirs may have begun one here before, and that the step sees. Of all who look,
//!   the step lets one through.
//! - *Who is to collect it* asks in the same word. Either the batch is over, and the asker collects; or the mark is there
//!   before the step that completes it, and whoever takes that step collects. Taking the map of adopted objects is still
//!   the claim: of several collectors one gets it, and he deletes what was kept if he finds a mark for that.
//! - *An outer batch waits* for one within it that is to be collected until it is, and whoever collected it looks at the
//!   outer one again. So an outer batch that is over has nothing of theirs left.
//! - *Who waits for it* leaves a token with the notifier, then the mark, then looks. Either the look sees that it is over,
//!   or the step sees the mark and wakes; a collection wakes all who wait for anything of the batch in any case.
//!
//! A batch without tasks is ended and completed by one walk, as if there were none of this: two steps of the word.
//!
//! A client that closes ends its root, has its tasks cancelled, and asks for the collection of each of its batches. A store
//! that closes waits for nobody: it takes the tasks for over and collects. They go on being counted, and complete nothing.

mod access;
mod client;
mod ending;
mod engine;
mod errors;
mod groups;
mod housekeeping;
mod keeping;
mod life;
mod lifecycle;
#[cfg(all(test, loom))]
mod loom_models;
mod memory;
mod objects;
mod record;
mod registry;
mod results;
mod service;
mod spilling;
mod start;
mod status;
mod tasks;
#[cfg(test)]
mod testing;
mod tombstones;
mod tree;
mod waiters;

use std::time::Duration;

pub use self::client::{Client, ClientStats, Started};
pub(crate) use self::engine::Engine;
pub(crate) use self::groups::Group;
pub use self::groups::{GroupLimit, GroupStatus};
pub use self::lifecycle::{Illegal, State, Step, next};
pub use self::memory::{BatchMemory, DrainingBatch, MemoryReport};
pub(crate) use self::results::Presence;
pub use self::status::BatchStatus;
pub use self::tasks::{Records, RecordsFor};
pub(crate) use self::tasks::{TaskCounts, TaskHooks};
pub(crate) use self::tree::Batch;
use crate::id::BatchId;
use crate::store::Dropped;

/// One life of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct BatchKey {
    /// Its id.
    pub id: BatchId,
    /// The random base of its slots; 0 in a question: whichever lives.
    pub life: u64,
}

impl BatchKey {
    /// Normal mode.
    pub const NORMAL: BatchKey = BatchKey { id: BatchId::NORMAL, life: 0 };

    /// The batch of this id, whichever life it is in.
    #[must_use]
    pub const fn any(id: BatchId) -> BatchKey {
        BatchKey { id, life: 0 }
    }

    /// True when it may mean the life with this base.
    #[must_use]
    pub const fn means(&self, life: u64) -> bool {
        self.life == 0 || self.life == life
    }
}

/// How a batch is to be started.
#[derive(Clone, Debug, Default)]
pub struct BatchSpec {
    /// The caller's id, or one reserved before; `None`: the store chooses.
    pub id: Option<BatchId>,
    /// The batch it is in; `None`: the client's root.
    pub parent: Option<BatchKey>,
    /// What errors and lists call it, beside its id.
    pub name: Option<String>,
    /// Ends and collects it after this long.
    pub timeout: Option<Duration>,
    /// Most bytes of data and metadata, in it and all within it.
    pub max_bytes: Option<u64>,
    /// Most objects, likewise.
    pub max_objects: Option<u64>,
    /// Most of its own tasks that run at a time.
    pub max_tasks: Option<u32>,
    /// The path of the group it is in; `None`: its parent's, if that is in one.
    pub group: Option<String>,
    /// The lower, the sooner it is spilled when memory is short; for the rest the scheduler's affair.
    pub priority: i32,
    /// Closing its handle collects nothing.
    pub no_cleanup: bool,
    /// Has a checkpoint taken of an actor before the batch's first task on it.
    pub checkpoint_actors: bool,
    /// Nothing of it, or of what is in it, is written to files: it never waits for a disk.
    pub latency_sensitive: bool,
}

/// Why a batch ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Reason {
    /// Somebody closed or ended it, or a batch it was in.
    Closed = 0,
    /// Its time was over.
    TimedOut = 1,
    /// Somebody cancelled it.
    Cancelled = 2,
    /// Nobody could reach it any more.
    Leaked = 3,
}

impl Reason {
    /// True when its tasks are not to go on.
    #[must_use]
    pub fn cancels(self) -> bool {
        matches!(self, Reason::TimedOut | Reason::Cancelled)
    }

    /// The reason of that number.
    #[must_use]
    pub fn from_number(n: u8) -> Option<Reason> {
        [Reason::Closed, Reason::TimedOut, Reason::Cancelled, Reason::Leaked].get(usize::from(n)).copied()
    }
}

/// What an end or a collection released, inner batches included.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Collected {
    /// Objects.
    pub objects: u64,
    /// Their bytes of data and metadata.
    pub bytes: u64,
    /// Objects that somebody held still: their memory goes with the last release.
    pub deferred: u64,
    /// It is not done: the batch waits for its last task, and whoever completes it collects it if that was asked for; or
    /// another thread is just collecting it. See [`Client::watch_batch`].
    pub pending: bool,
}

impl Collected {
    const PENDING: Collected = Collected { objects: 0, bytes: 0, deferred: 0, pending: true };

    fn add_dropped(&mut self, dropped: Dropped) {
        self.objects += dropped.objects;
        self.bytes += dropped.bytes;
        self.deferred += dropped.deferred;
    }

    fn add(&mut self, other: Collected) {
        self.objects += other.objects;
        self.bytes += other.bytes;
        self.deferred += other.deferred;
    }
}
