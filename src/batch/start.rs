//! How a batch begins.

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use dashmap::mapref::entry::Entry;

use super::engine::Engine;
use super::groups::Member;
use super::record::Record;
use super::tree::Batch;
use super::{BatchKey, BatchSpec, errors};
use crate::error::{Error, ErrorCode, Result};
use crate::id::BatchId;
use crate::store::{Budget, Region, now_ms};

/// Longer names are cut from errors and lists by nobody, so they are refused.
const MAX_NAME: usize = 256;

impl Engine {
    /// An id nobody used, which a caller may start a batch with.
    pub(super) fn reserve_id(&self) -> BatchId {
        let id = self.choose_id();
        self.reserved.insert(id);
        id
    }

    fn choose_id(&self) -> BatchId {
        BatchId(self.next_id.fetch_sub(1, Ordering::Relaxed))
    }

    /// Starts a batch.
    ///
    /// # Errors
    /// `BatchExists`; `BatchEnded` or `BatchNotFound` for the parent; `GroupNotFound`; `BatchLimit` for a priority above its
    /// group's; `InvalidArgument`; `StoreFull`.
    pub(super) fn start(&self, root: &Arc<Batch>, spec: BatchSpec, by: &str) -> Result<Arc<Batch>> {
        let chosen = spec.id.is_some();
        let id = self.check(&spec)?;
        let parent = match spec.parent {
            Some(key) => self.find(key)?,
            None => Arc::clone(root),
        };
        let deadline = spec.timeout.map(|timeout| self.deadline(timeout)).transpose()?;
        let member = self.place_in_group(&spec, &parent)?;
        let budget = budget(id, &spec, &parent, member.as_ref());
        let region = self.region(id, budget.clone())?;
        let record = Record {
            key: BatchKey { id, life: region.life },
            parent: parent.key(),
            name: spec.name.map(String::into_boxed_str),
            started_by: by.into(),
            started_ms: now_ms(),
            timeout: spec.timeout,
            max_bytes: spec.max_bytes,
            max_objects: spec.max_objects,
            max_tasks: spec.max_tasks,
            group: member.as_ref().map(|member| Arc::clone(member.group().path())),
            priority: spec.priority,
            no_cleanup: spec.no_cleanup,
            checkpoint_actors: spec.checkpoint_actors,
            latency_sensitive: spec.latency_sensitive || parent.record.latency_sensitive,
            end: OnceLock::new(),
            remains: OnceLock::new(),
        };
        let seq = self.next_seq.fetch_add(1, Ordering::Relaxed);
        let batch = Batch::new(record, seq, deadline, Some(Arc::clone(&parent)), region.region, budget, member);
        self.enter(&batch, &parent)?;
        if chosen {
            self.reserved.remove(&id);
        }
        self.schedule(&batch);
        if batch.end().is_some() {
            // it ended before its deadline was on the agenda
            self.unschedule(&batch);
        }
        Ok(batch)
    }

    /// A root, in the registry.
    pub(super) fn make_root(&self, by: &str) -> Result<Arc<Batch>> {
        let id = self.choose_id();
        let region = self.region(id, None)?;
        let key = BatchKey { id, life: region.life };
        let record = Record {
            key,
            parent: key,
            name: Some("root".into()),
            started_by: by.into(),
            started_ms: now_ms(),
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
            remains: OnceLock::new(),
        };
        let seq = self.next_seq.fetch_add(1, Ordering::Relaxed);
        let root = Batch::new(record, seq, None, None, region.region, None, None);
        self.gcs.create_table(id);
        if let Some(region) = root.region() {
            self.node.attach(region);
        }
        self.live.insert(id, Arc::clone(&root));
        Ok(root)
    }

    /// Makes the batch known, under its parent and by its id, or drops what it has.
    fn enter(&self, batch: &Arc<Batch>, parent: &Batch) -> Result<()> {
        let id = batch.id();
        // whoever finds the batch in the tree and collects it waits for this shard at the end, so that it is never
        // left behind here; and its table and region exist before it can be found
        let slot = match self.live.entry(id) {
            Entry::Vacant(slot) => slot,
            Entry::Occupied(other) => {
                let e = errors::exists(&other.get().record);
                drop(other);
                if let Some(region) = batch.region() {
                    self.store.drop_region(region);
                }
                return Err(e);
            }
        };
        self.gcs.create_table(id);
        if let Some(region) = batch.region() {
            self.node.attach(region);
        }
        if parent.take_in(batch) {
            slot.insert(Arc::clone(batch));
            return Ok(());
        }
        // while the place is ours: another batch of that id would lose its table, and with it its region
        self.gcs.delete_table(id);
        drop(slot);
        Err(errors::ended(&parent.record))
    }

    fn check(&self, spec: &BatchSpec) -> Result<BatchId> {
        if let Some(name) = spec.name.as_ref().filter(|name| name.len() > MAX_NAME) {
            let text = format!("a batch's name has at most {MAX_NAME} bytes of UTF-8, not {}", name.len());
            return Err(Error::new(ErrorCode::InvalidArgument, text));
        }
        if spec.max_tasks == Some(0) {
            let text = "a batch that may run no task at a time runs none ever; leave maxTasks out for no limit";
            return Err(Error::new(ErrorCode::InvalidArgument, text));
        }
        let Some(id) = spec.id else { return Ok(self.choose_id()) };
        if let Some(batch) = self.live.get(&id) {
            return Err(errors::exists(&batch.record));
        }
        if id.0 > 0 || self.reserved.contains(&id) {
            return Ok(id);
        }
        let text = format!(
            "batch id {id}: callers choose ids from 1 to {}; 0 is normal mode, and a negative id must come from \
             newBatchId and be started once",
            i64::MAX
        );
        Err(Error::new(ErrorCode::InvalidArgument, text).batch(id))
    }

    fn deadline(&self, timeout: Duration) -> Result<Instant> {
        let at = Instant::now().checked_add(timeout).ok_or_else(|| {
            let text = format!("a timeout of {} ms is beyond the clock; leave it out for none", timeout.as_millis());
            Error::new(ErrorCode::InvalidArgument, text)
        })?;
        self.mind_deadlines()?;
        Ok(at)
    }

    fn region(&self, id: BatchId, budget: Option<Arc<Budget>>) -> Result<MadeRegion> {
        if self.is_lru() {
            let life = getrandom::u64()
                .map_err(|e| Error::new(ErrorCode::Io, format!("no random numbers from the system: {e}")))?;
            return Ok(MadeRegion { life: life.max(1), region: None });
        }
        let region = self.store.create_region(id, budget).map_err(|e| self.with_holders(e))?;
        Ok(MadeRegion { life: region.base(), region: Some(region) })
    }
}

struct MadeRegion {
    life: u64,
    region: Option<Arc<Region>>,
}

/// A budget where the batch or one it is in has a limit, or it is in a group, which may be given one at any time; none
/// elsewhere.
fn budget(id: BatchId, spec: &BatchSpec, parent: &Batch, member: Option<&Member>) -> Option<Arc<Budget>> {
    // a parent that is in a group has a budget, which counts to the group's
    let outer = parent.budget.clone().or_else(|| member.map(|member| Arc::clone(member.group().budget())));
    if spec.max_bytes.is_none() && spec.max_objects.is_none() && outer.is_none() {
        return None;
    }
    let name = spec.name.as_deref().unwrap_or("");
    Some(Budget::new(id, name, spec.max_bytes, spec.max_objects, outer))
}
