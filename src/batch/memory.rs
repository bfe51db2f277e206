//! The truth about memory: the whole arena, by batch and by what it is used for.

use std::sync::Arc;

use super::BatchKey;
use super::client::Client;
use super::engine::Engine;
use super::groups::GroupStatus;
use super::lifecycle::State;
use super::tasks::Records;
use super::tree::Batch;
use crate::error::Result;
use crate::id::BatchId;
use crate::store::{Region, RegionMemory, SpillStats, StoreMemory, TableMemory, now_ms};

/// The arena at one moment. Its parts add up when nothing is going on: those of `store` to the capacity, the batches'
/// `held` to `store.regions`, each batch's parts to its `held`, and the table's to its own.
#[derive(Clone, Debug)]
pub struct MemoryReport {
    /// When it was made, in epoch milliseconds.
    pub at_ms: u64,
    /// The arena.
    pub store: StoreMemory,
    /// Of its bookkeeping, records of tasks, and for whom.
    pub records: (u64, Arc<Records>),
    /// Objects that are in no region: those of normal mode, and those that were kept.
    pub table: TableMemory,
    /// Files.
    pub spill: SpillStats,
    /// Groups, an outer one before those within it.
    pub groups: Vec<GroupStatus>,
    /// All that is not collected, roots included, the oldest first.
    pub batches: Vec<BatchMemory>,
    /// Batches that are collected, and whose memory somebody holds still: together `store.draining`.
    pub draining: Vec<DrainingBatch>,
}

/// A collected batch of a report.
#[derive(Clone, Debug)]
pub struct DrainingBatch {
    /// Its id and life.
    pub key: BatchKey,
    /// Its name, if it had one and is remembered.
    pub name: Option<String>,
    /// The path of the group it was in, likewise.
    pub group: Option<Arc<str>>,
    /// Who started it, likewise.
    pub started_by: Option<String>,
    /// When it started, likewise; 0 for one that is forgotten.
    pub started_ms: u64,
    /// Pages that are held still.
    pub held: u64,
    /// Holds of readers and writers, a count.
    pub pins: u64,
}

/// One batch of a report.
#[derive(Clone, Debug)]
pub struct BatchMemory {
    /// Its id and life.
    pub key: BatchKey,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// The batch it is in; itself for a root.
    pub parent: BatchId,
    /// A client's root.
    pub is_root: bool,
    /// Where it is in its life.
    pub state: State,
    /// When it started, in epoch milliseconds.
    pub started_ms: u64,
    /// Who started it.
    pub started_by: String,
    /// The path of the group it is in.
    pub group: Option<Arc<str>>,
    /// The lower, the sooner it is spilled.
    pub priority: i32,
    /// It is never spilled.
    pub latency_sensitive: bool,
    /// Its region's memory.
    pub region: RegionMemory,
    /// Objects of other batches that it keeps, and their bytes, which are the table's.
    pub kept: (u64, u64),
}

impl Client {
    /// What the arena is used for.
    ///
    /// # Errors
    /// `Closed`.
    pub fn memory(&self) -> Result<MemoryReport> {
        let engine = self.engine()?;
        let mut live: Vec<_> = engine.live.iter().map(|batch| Arc::clone(&batch)).collect();
        live.sort_unstable_by_key(|batch| batch.seq);
        let of = |batch: &Batch| BatchMemory {
            key: batch.key(),
            name: batch.record.name.as_deref().map(str::to_owned),
            parent: batch.record.parent.id,
            is_root: batch.is_root(),
            state: batch.state(),
            started_ms: batch.record.started_ms,
            started_by: batch.record.started_by.to_string(),
            group: batch.record.group.clone(),
            priority: batch.record.priority,
            latency_sensitive: batch.record.latency_sensitive,
            region: batch.region().map(|region| region.memory()).unwrap_or_default(),
            kept: engine.adopted_usage(batch),
        };
        Ok(MemoryReport {
            at_ms: now_ms(),
            store: engine.store.memory(),
            records: (engine.store.records(), engine.tasks().map(|tasks| tasks.records(true)).unwrap_or_default()),
            table: engine.store.table().memory(),
            spill: engine.store.spill_stats(),
            groups: engine.group_statuses(),
            batches: live.iter().map(|batch| of(batch)).collect(),
            draining: engine.store.draining().iter().map(|region| draining(engine, region)).collect(),
        })
    }
}

fn draining(engine: &Engine, region: &Region) -> DrainingBatch {
    let key = BatchKey { id: region.batch(), life: region.base() };
    let record = engine.tombstones.find(key);
    let record = record.as_deref();
    let usage = region.usage();
    DrainingBatch {
        key,
        name: record.and_then(|r| r.name.as_deref()).map(str::to_owned),
        group: record.and_then(|r| r.group.clone()),
        started_by: record.map(|r| r.started_by.to_string()),
        started_ms: record.map_or(0, |r| r.started_ms),
        held: usage.held,
        pins: usage.pins,
    }
}
