//! What the simulation knows of batches, tasks, objects and actors, beside the engine.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use raybatch::batch::BatchKey;
use raybatch::id::ObjectId;
use raybatch::task::{Run, TaskKind, TaskRef, Work};

/// A batch; the first one is normal mode.
pub(crate) struct Batch {
    pub(crate) key: BatchKey,
    pub(crate) parent: Option<usize>,
    pub(crate) ended: bool,
    /// Its tasks were cancelled.
    pub(crate) cancelled: bool,
    pub(crate) checkpoint_actors: bool,
    pub(crate) max_tasks: Option<u32>,
    /// It is in the one group there is.
    pub(crate) grouped: bool,
    /// The table's number of it, once it had a task.
    pub(crate) serial: Option<u32>,
}

/// What a task does, beside returning values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    Put,
    /// Submits a task; what that one is, its salt says.
    Sub(u64),
    /// Waits for the nth task it submitted.
    Await(usize),
}

/// A task.
pub(crate) struct Task {
    pub(crate) task: TaskRef,
    pub(crate) batch: usize,
    pub(crate) kind: TaskKind,
    pub(crate) actor: Option<usize>,
    pub(crate) caller: u64,
    /// Objects, by number.
    pub(crate) args: Vec<usize>,
    pub(crate) salt: u64,
    pub(crate) returns: u16,
    pub(crate) retries: u16,
    pub(crate) cpus: u16,
    /// So many of its runs throw.
    pub(crate) throws: u32,
    pub(crate) threw: u32,
    pub(crate) plan: Vec<Step>,
    /// Numbers of its results.
    pub(crate) results: Vec<usize>,
    /// Step of the plan → the object put, or the task submitted, there.
    pub(crate) puts: BTreeMap<usize, usize>,
    pub(crate) subs: BTreeMap<usize, usize>,
    /// nth block → first and count, as it first received it.
    pub(crate) blocks: Vec<(u64, u32)>,
    /// A first run of it ended, and counts.
    pub(crate) accepted: bool,
    /// Somebody did something to it after which it need not succeed.
    pub(crate) touched: bool,
    /// It was rolled back.
    pub(crate) struck: bool,
    /// Runs that were begun.
    pub(crate) runs: u32,
    /// Its values.
    pub(crate) values: Option<Vec<u64>>,
}

/// An object.
pub(crate) struct Object {
    pub(crate) id: ObjectId,
    /// Who made it: a task, or nobody whom the table knows.
    pub(crate) maker: Option<usize>,
    pub(crate) batch: usize,
    /// Whom it belongs to.
    pub(crate) owner: usize,
    pub(crate) value: Option<u64>,
    /// It gave up its bytes at some time, or may have.
    pub(crate) freed: bool,
    /// A writer has it open.
    pub(crate) writer: Option<u64>,
    /// It was aborted.
    pub(crate) aborted: bool,
}

/// An actor.
pub(crate) struct Actor {
    pub(crate) number: u32,
    pub(crate) owner: usize,
    pub(crate) creation: usize,
    pub(crate) fault_tolerant: bool,
    pub(crate) checkpointable: bool,
    /// What the chain so far made of it.
    pub(crate) state: u64,
    /// What ran on it.
    pub(crate) chain: Vec<Link>,
    /// batch → the state before its first task.
    pub(crate) before: BTreeMap<usize, u64>,
    /// Something happened after which it may be dead.
    pub(crate) may_die: bool,
    /// It lost an instance.
    pub(crate) lost: bool,
    /// One of its checkpoints could not be restored: what led to it may be needed once more.
    pub(crate) fell_back: bool,
}

/// What is in an actor's chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Link {
    Task(usize),
    Checkpoint,
}

/// A run under way.
pub(crate) struct Active {
    pub(crate) work: Work,
    pub(crate) stage: usize,
    pub(crate) args: Option<Vec<u64>>,
    /// Values of what it waited for.
    pub(crate) gained: Vec<u64>,
    /// Blocks it asked for: of puts and of tasks, and how much of them it used.
    pub(crate) nth: u32,
    pub(crate) puts: Option<(u64, u32)>,
    pub(crate) tasks: Option<(u64, u32)>,
    pub(crate) blocked: bool,
    pub(crate) no_room: bool,
    /// It asked for what it waits for to be made again.
    pub(crate) asked: bool,
}

/// A worker's thread.
#[derive(Default)]
pub(crate) struct Worker {
    pub(crate) bulk: VecDeque<Work>,
    pub(crate) at: Option<Active>,
}

/// Who waits for an object, outside of tasks.
pub(crate) struct Getter {
    pub(crate) object: usize,
}

/// Runs that were cancelled.
pub(crate) type Doomed = BTreeSet<(TaskRef, u32)>;

pub(crate) fn run_key(run: Run) -> (TaskRef, u32) {
    (run.task, run.attempt)
}
