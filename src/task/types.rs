//! What goes into the table of tasks and what comes out of it.

use std::sync::Arc;

use crate::batch::{BatchKey, Reason};
use crate::id::ObjectId;

/// A task: the table's number of one life of a batch, and the slot of its first result.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct TaskRef {
    /// Never used again while anybody may know it.
    pub serial: u32,
    /// Slot of its first result.
    pub slot: u64,
}

/// One run of a task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Run {
    /// The task; serial 0 and a number for what the table does on its own account.
    pub task: TaskRef,
    /// Which of its runs.
    pub attempt: u32,
}

/// What a submitted task is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TaskKind {
    /// A function.
    Plain,
    /// A method of an actor.
    Method,
    /// The constructor of an actor.
    Creation,
    /// A checkpoint of an actor, in the order of its caller's tasks.
    Checkpoint,
}

/// A task to be submitted.
#[derive(Clone, Debug)]
pub struct Submission<'a> {
    /// Where: in a block that was given out before.
    pub task: TaskRef,
    /// What.
    pub kind: TaskKind,
    /// How many values it returns, at least 1.
    pub returns: u16,
    /// How often it may run again after it threw. Methods of actors never do: they changed its state.
    pub retries: u16,
    /// Slots of the engine that it runs on.
    pub cpus: u16,
    /// `None`: its batch's.
    pub priority: Option<i32>,
    /// The actor's number, 0 for none.
    pub actor: u32,
    /// Who calls, for the order of an actor's tasks.
    pub caller: u64,
    /// Objects it takes.
    pub arguments: &'a [ObjectId],
    /// The run that submits it, if one does.
    pub parent: Option<Run>,
}

/// What a run that blocks waits for.
#[derive(Clone, Copy, Debug)]
pub enum Awaits<'a> {
    /// So many of these objects, none of which is sealed.
    Objects {
        /// What is missing.
        ids: &'a [ObjectId],
        /// How many of them the run needs to go on.
        needed: usize,
        /// It goes on without them after some time.
        timed: bool,
    },
    /// The end of a batch, and of all within it.
    Batch(BatchKey),
}

/// What became of a submission.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Submitted {
    /// It is in the table.
    Accepted,
    /// A run submitted it before: it keeps its results.
    Known,
    /// As many tasks are pending as may be; nothing was done.
    Full {
        /// Nothing else can run until the submitter goes on: waiting would be for ever.
        stuck: bool,
    },
}

/// What a worker is to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum WorkKind {
    /// Run the function.
    Run = 0,
    /// Construct the instance.
    Construct = 1,
    /// Run the method on the instance.
    Method = 2,
    /// Save the instance; the value is the checkpoint.
    Save = 3,
    /// Restore the instance from the checkpoint.
    Restore = 4,
}

/// A piece of work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Work {
    /// Goes back with all that is said about it.
    pub run: Run,
    /// What to do.
    pub kind: WorkKind,
    /// Of an actor's.
    pub actor: u32,
    /// Which of the actor's instances.
    pub instance: u32,
    /// The arguments are to be asked for: some have other ids now.
    pub aliased: bool,
    /// Nobody wants the value.
    pub replay: bool,
}

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// Its value comes with it.
    Value,
    /// Its values were stored one by one.
    Stored,
    /// It threw; the failure comes with it.
    Threw,
    /// It threw, and is not to be tried again.
    ThrewForGood,
    /// An actor was to be saved, and cannot be; the failure comes with it.
    NotSaveable,
    /// Its worker did not begin it.
    NotBegun,
    /// An argument was not there any more.
    LostArgument,
}

/// An outcome that a worker reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outcome<'a> {
    /// Of which run.
    pub run: Run,
    /// How it ended.
    pub ending: Ending,
    /// What its value or failure is.
    pub kind: crate::store::Kind,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// How long it ran.
    pub nanos: u64,
}

/// What those who run tasks are to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// Interrupt a run that was cancelled.
    Interrupt(Run),
    /// The records of a batch are gone: its functions can go.
    Forget(u32),
    /// Records of normal mode are gone: those of the 256 slots from this one on.
    ForgetFrom(TaskRef),
    /// An instance of an actor is not needed any more.
    DropInstance {
        /// The actor.
        actor: u32,
        /// Which of its instances.
        instance: u32,
    },
    /// An actor is dead: how it is made need not be known any more.
    DropActor(u32),
    /// There is room for submitters.
    Room,
    /// Workers may be needed.
    Workers,
}

/// When an actor's state is saved by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CheckpointPolicy {
    /// Only when asked.
    Never,
    /// When a batch that used it ends.
    Boundary,
    /// Before a task of another batch than the last.
    Transition,
    /// After so many tasks.
    Every(u32),
    /// At a transition, when the tasks since the last one took eight times as long as that did, or are a thousand.
    Balanced,
}

/// An actor to be made.
#[derive(Clone, Debug)]
pub struct ActorSpec {
    /// The task that constructs it, to be submitted next.
    pub creation: TaskRef,
    /// What errors call it; may be empty.
    pub name: String,
    /// How often it may be rebuilt; `None`: as often as needed.
    pub restarts: Option<u32>,
    /// It is rebuilt when it is lost; `None`: if it is checkpointable.
    pub fault_tolerant: Option<bool>,
    /// Its state can be saved and restored, as far as is known before it is constructed.
    pub checkpointable: bool,
    /// When it is saved.
    pub policy: CheckpointPolicy,
}

/// A batch with ready tasks, for a policy that chooses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchLoad {
    /// The table's number of it.
    pub serial: u32,
    /// Its id.
    pub id: i64,
    /// The highest priority in which it has a ready task.
    pub priority: i32,
    /// Ready tasks.
    pub ready: u64,
    /// Tasks that run.
    pub running: u64,
    /// How long it has had ready tasks and none of them was taken.
    pub waiting_nanos: u64,
}

/// Tasks by state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// For arguments, or for their turn on an actor.
    pub waiting: u64,
    /// In the queue.
    pub ready: u64,
    /// A worker has them; of a cancelled one, its thread has not come back.
    pub running: u64,
    /// They returned.
    pub done: u64,
    /// They, or an argument, failed.
    pub failed: u64,
    /// They were cancelled.
    pub cancelled: u64,
    /// Submitted and not over, or over with a thread still in them.
    pub active: u64,
}

/// Why a task's results are not what it was to return.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Failure {
    /// A caller cancelled it.
    Cancelled(Arc<str>),
    /// Its batch was cancelled or timed out.
    BatchEnded(Reason, Arc<str>),
    /// Its actor is dead.
    ActorDied(Arc<str>),
    /// Its actor died with its batch.
    ActorEnded(Reason, Arc<str>),
    /// This argument is a failure.
    Argument(ObjectId),
    /// This object is lost, and cannot be made again.
    Lost(ObjectId, Arc<str>),
    /// It was stored with the results before.
    Stored,
}
