//! raybatch: a batch-scoped object store for the JVM.
//!
//! Every object belongs to a batch; when the batch ends, all it owns is released at once, and nothing else is.
//!
//! | room | what is in it |
//! |---|---|
//! | [`id`], [`error`], [`config`] | words shared by all rooms |
//! | [`store`] | the arena, a region per batch, the side table, pins; knows nothing of a batch's life |
//! | [`gcs`] | the `GC:<batchId>` tables, behind one trait |
//! | [`node`] | hears that a table was deleted and has the store drop the region |
//! | [`batch`] | life cycle, tree, limits, deadlines, ownership, status; the clients |
//! | [`task`] | tasks, actors and lineage: what waits for what, who runs next, what can be made again |
//! | `jni` | the boundary to Java |
//!
//! A room knows only those below it: `jni → task → batch → node → store`, `batch → gcs`. Only `store` and `jni` hold `unsafe`.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod batch;
pub mod config;
pub mod error;
pub mod gcs;
pub mod id;
mod jni;
mod log_limit;
pub mod node;
pub mod store;
pub mod task;
mod threads;
