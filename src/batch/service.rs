//! What the task room asks of clients, batches and the store.

use std::sync::Arc;

use super::client::Client;
use super::engine::Engine;
use super::tree::Batch;
use super::{BatchKey, Reason, TaskHooks, errors};
use crate::error::{Error, ErrorCode, Result};
use crate::id::{BatchId, ObjectId};

impl Client {
    /// Has the client keep the task room alive, which hears of its store's batches from now on.
    ///
    /// # Errors
    /// `InvalidArgument` for a client that is not the store's owner, or when there is one; `Closed`.
    pub(crate) fn keep_tasks(&self, tasks: Arc<dyn TaskHooks>) -> Result<()> {
        let engine = self.engine()?;
        let hooks = Arc::downgrade(&tasks);
        if !self.owns_store() || self.tasks.set(tasks).is_err() {
            let text = format!("store '{}' is run by its owner, and its tasks are started once", self.store_name());
            return Err(Error::new(ErrorCode::InvalidArgument, text));
        }
        engine.set_tasks(hooks);
        Ok(())
    }

    /// For whoever is the store's waker: true if this token was the table of tasks', which waits for objects as others do.
    pub fn pass_on(&self, token: u64) -> bool {
        self.engine.woken(token)
    }

    /// The batch that outermost batches are in.
    pub(crate) fn root_batch(&self) -> &Arc<Batch> {
        &self.root
    }

    /// Normal mode, with the base of this client's slots.
    pub(crate) fn normal_key(&self) -> BatchKey {
        BatchKey { id: BatchId::NORMAL, life: self.normal_base() }
    }
}

impl Batch {
    /// True once its end is noted.
    pub(crate) fn has_ended(&self) -> bool {
        self.end().is_some()
    }

    /// Why it ended, and that in words; `None` while it is open.
    pub(crate) fn why_ended(&self) -> Option<(Reason, String)> {
        self.end().map(|end| (end.reason, errors::why_ended(&self.record, end.reason, &end.by)))
    }

    /// As given, for whoever schedules.
    pub(crate) fn priority(&self) -> i32 {
        self.record.priority
    }

    /// Most of its tasks that run at a time.
    pub(crate) fn max_tasks(&self) -> Option<u32> {
        self.record.max_tasks
    }

    /// As `begin_task`.
    ///
    /// # Errors
    /// `BatchEnded`, naming who ended it.
    pub(crate) fn take_task(&self, inside: bool) -> Result<()> {
        self.begin_task(inside).map_err(|_| super::errors::ended(&self.record))
    }

    /// It wants a checkpoint of an actor before its first task on it.
    pub(crate) fn checkpoint_actors(&self) -> bool {
        self.record.checkpoint_actors
    }
}

impl Engine {
    /// Tells whoever waits and listens what was posted while locks were held.
    pub(crate) fn flush(&self) {
        self.store().notifier().flush();
    }

    /// Has a token woken when an object is sealed or can never be. Look for it after this.
    pub(crate) fn watch(&self, id: &ObjectId, token: u64) {
        self.watch_for(&[*id], token);
    }

    /// Passes a token on that the notifier woke: true if it was the task room's.
    pub(crate) fn woken(&self, token: u64) -> bool {
        self.tasks().is_some_and(|tasks| tasks.woken(token))
    }
}
