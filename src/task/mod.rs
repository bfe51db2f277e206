//! Tasks, actors and lineage: which tasks there are, what each waits for, who runs next, what can be made again, and who
//! depends on whom. Those who run them, threads of Java or a test, ask for work and report what came of it.
//!
//! [`Tasks`] is the door: it holds the lock, asks the table what follows, and does it when the lock is released. Behind it,
//! [`core`] is the table; [`submit`], [`arguments`], [`ready`], [`storing`], [`outcome`] and [`cancel`] are the way of a task
//! through it; [`actor`], [`turns`], [`checkpoints`], [`jobs`], [`rebuild`] and [`restore`] are actors; [`depends`] says when
//! records can go, [`wishes`] for whom something of a collected batch is made again. [`held`] sums up whose records there are; [`table`], [`granules`], [`record`], [`lists`] and [`queue`] hold what there is of one batch. The design is in `docs/tasks.md`.

mod actor;
mod arguments;
mod cancel;
mod checkpoints;
mod core;
mod deadlock;
mod depends;
mod failure;
mod granules;
mod held;
mod hooks;
mod jobs;
mod lists;
#[cfg(all(test, shuttle))]
mod models;
mod outcome;
mod queue;
mod ready;
mod rebuild;
mod record;
mod recovery;
mod restore;
mod state;
mod storing;
mod submit;
mod sync;
mod table;
mod takers;
mod tasks;
mod turns;
mod types;
mod wishes;

pub use self::deadlock::Described;
pub use self::depends::HeldBy;
pub use self::hooks::TaskStatus;
pub use self::recovery::Remade;
pub use self::state::{TaskState, TaskStep, next};
pub use self::tasks::{Blocks, Flags, Tasks};
pub use self::types::{
    ActorSpec, Awaits, BatchLoad, CheckpointPolicy, Counts, Ending, Order, Outcome, Run, Submission, Submitted,
    TaskKind, TaskRef, Work, WorkKind,
};
