//! What the batches tell the table, and what callers ask of both.

use std::any::Any;
use std::sync::Arc;

use super::core::{Core, Todo};
use super::depends::HeldBy;
use super::recovery::Remade;
use super::table::Boundary;
use super::tasks::{Flags, Happening, OWN_TOKENS, Tasks};
use super::types::{Counts, Failure, Order, TaskRef};
use crate::batch::{BatchKey, Client, Reason, Records, TaskCounts, TaskHooks};
use crate::error::Result;
use crate::id::ObjectId;

impl TaskHooks for Tasks {
    fn ended(&self, key: BatchKey, reason: Reason, why: &str) {
        self.tell(|core, fx| {
            let Some(serial) = core.live(key) else { return };
            let cancelled = reason.cancels().then(|| Failure::BatchEnded(reason, why.into()));
            if let Some(table) = core.table_mut(serial) {
                table.ended = true;
                if table.cancelled.is_none() {
                    table.cancelled.clone_from(&cancelled);
                }
                // who has no time left for tasks has none for checkpoints
                if cancelled.is_some() && table.boundary.is_some() {
                    table.boundary = Some(Boundary::Saving(0));
                }
            }
            core.todo.push_back(Todo::Boundary(serial));
            if let Some(failure) = cancelled {
                core.cancel_all(fx, serial, &failure);
            }
        });
    }

    fn collecting(&self, _key: BatchKey) {}

    fn collected(&self, key: BatchKey) {
        self.tell(|core, fx| {
            if let Some(serial) = core.live(key) {
                core.collected(fx, serial);
            }
        });
    }

    fn counts(&self, key: BatchKey) -> TaskCounts {
        self.tell(|core, _| core.counts(key))
    }

    fn limits_changed(&self) {
        self.tell(|core, fx| {
            if core.has_more() {
                fx.orders.push(Order::Workers);
            }
        });
    }

    fn records(&self, exact: bool) -> Arc<Records> {
        self.records_held(exact)
    }

    fn woken(&self, token: u64) -> bool {
        let ours = token & OWN_TOKENS != 0;
        if ours {
            self.happened(Happening::Woken(token));
        }
        ours
    }

    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

impl Core {
    fn counts(&self, key: BatchKey) -> TaskCounts {
        let Some(table) = self.find_life(key).and_then(|serial| self.table(serial)) else {
            return TaskCounts::default();
        };
        let c = &table.counts;
        TaskCounts {
            waiting: c.waiting,
            ready: c.ready,
            running: c.running,
            done: c.done,
            failed: c.failed + c.cancelled,
            held: table.bytes(),
        }
    }

    /// The table of a life, collected or not.
    pub(super) fn find_life(&self, key: BatchKey) -> Option<u32> {
        let serials = self.lives.get(&key.id)?;
        serials.iter().rev().copied().find(|s| self.table(*s).is_some_and(|t| key.means(t.key.life)))
    }
}

/// What can be seen of a batch's tasks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TaskStatus {
    /// By state.
    pub counts: Counts,
    /// Threads that were given up in its tasks.
    pub abandoned: Vec<String>,
    /// Bytes of its records.
    pub bytes: u64,
    /// Why they stand although the batch is collected.
    pub held_by: Vec<HeldBy>,
}

impl Tasks {
    /// Tells those who run tasks what a call of somebody else left for them.
    pub fn pass_on(&self, flags: Flags) {
        self.alert(flags);
    }

    /// Cancels the task that makes an object, if it is not over, and what it submitted to its batch. `by` says in their failures
    /// who did.
    pub fn cancel(&self, id: &ObjectId, by: &str) -> (bool, Flags) {
        self.ask(|core, fx| core.maker(id).is_some_and(|task| core.cancel_tree(fx, task, by)))
    }

    /// Cancels an actor's tasks that are not over. The actor lives on.
    pub fn cancel_actor(&self, actor: u32, by: &str) -> Flags {
        let failure = Failure::Cancelled(format!("cancelled by {by}, with all of actor {actor}").into());
        self.ask(|core, fx| {
            let Some(actor) = core.actors.get(&actor) else { return };
            let creation = actor.creation;
            let all = actor.at.into_iter().chain(actor.callers.values().flatten().copied());
            let tasks: Vec<TaskRef> = all.filter(|task| *task != creation).collect();
            for task in tasks {
                core.cancel(fx, task, &failure);
            }
        })
        .1
    }

    /// Cancels everything, for a store that closes.
    pub fn cancel_everything(&self, by: &str) -> Flags {
        let failure = Failure::Cancelled(format!("cancelled by {by}, with its store").into());
        self.ask(|core, fx| {
            let mut serials: Vec<u32> = core.tables.keys().copied().collect();
            serials.sort_unstable();
            for serial in serials {
                core.cancel_all(fx, serial, &failure);
            }
        })
        .1
    }

    /// Has lost objects made again.
    pub fn remake(&self, ids: &[ObjectId]) -> (Vec<Remade>, Flags) {
        self.ask(|core, _| ids.iter().map(|id| core.remake(id)).collect())
    }

    /// Frees objects, and those arguments of their tasks that no unfinished task and no task with a live result needs.
    /// Returns how many gave up their bytes at once.
    ///
    /// # Errors
    /// As for `Client::free`.
    pub fn free_recursive(&self, client: &Client, ids: &[ObjectId]) -> Result<u32> {
        let all = self.tell(|core, _| core.orphans(ids));
        client.free(&all)
    }

    /// Makes another batch (`None`: the parent) the owner of actors of a batch: they die with that one instead. An actor of
    /// another batch stays where it is.
    ///
    /// # Errors
    /// `BatchEnded`, `BatchNotFound`; `NotOwner`; what the transfer of their checkpoints says.
    pub fn keep_actors(&self, client: &Client, actors: &[u32], from: BatchKey, to: Option<BatchKey>) -> Result<()> {
        let from = self.engine.find(from)?;
        let to = match to {
            Some(key) => self.engine.find(key)?,
            None => Arc::clone(from.parent().unwrap_or(&from)),
        };
        for &number in actors {
            let kept = self.tell(|core, _| {
                let mine = core.live(from.key());
                let (owner, checkpoints) = core.checkpoints(number)?;
                (Some(owner) == mine).then_some(checkpoints)
            });
            let Some(checkpoints) = kept else {
                return Err(crate::error::Error::new(
                    crate::error::ErrorCode::NotOwner,
                    format!("actor {number} does not belong to batch {}, or is dead", from.id()),
                )
                .batch(from.id()));
            };
            client.transfer(&checkpoints, Some(from.key()), Some(to.key()))?;
            let moved = self.tell(|core, _| {
                let serial = core.table_of(to.key(), Some(&to))?;
                core.keep_actor(number, serial);
                Ok::<_, crate::error::Error>(())
            });
            moved?;
        }
        Ok(())
    }

    /// Has the actors that a batch used saved when its last task is over, before it completes.
    ///
    /// # Errors
    /// `BatchEnded`, `BatchNotFound`.
    pub fn ask_boundary(&self, key: BatchKey) -> Result<()> {
        let batch = self.engine.find(key)?;
        self.tell(|core, _| {
            if let Some(serial) = core.live(batch.key()) {
                core.ask_boundary(serial);
            }
        });
        Ok(())
    }

    /// Takes the actors a batch used back to the checkpoints at its beginning.
    ///
    /// # Errors
    /// `BatchActive`, `RollbackRefused`, `BatchEnded`.
    pub fn rollback(&self, key: BatchKey) -> Result<Flags> {
        let batch = self.engine.find(key)?;
        let (result, flags) = self.ask(|core, fx| match core.live(batch.key()) {
            Some(serial) => core.rollback(fx, serial),
            None => Ok(()),
        });
        result.map(|()| flags)
    }

    /// What can be seen of a batch's tasks; `None` when there are no records of it, and no thread was given up there.
    pub fn status(&self, key: BatchKey) -> Option<TaskStatus> {
        let of = |core: &mut Core| {
            let Some(serial) = core.find_life(key) else {
                // who was given up there is not forgotten with the records
                let (_, counts, abandoned) =
                    core.abandoned.iter().rev().find(|(k, ..)| k.id == key.id && key.means(k.life))?;
                return Some(TaskStatus {
                    counts: *counts,
                    abandoned: abandoned.clone(),
                    bytes: 0,
                    held_by: Vec::new(),
                });
            };
            let table = core.table(serial)?;
            Some(TaskStatus {
                counts: table.counts,
                abandoned: table.abandoned.clone(),
                bytes: table.bytes(),
                held_by: core.held_by(serial),
            })
        };
        self.tell(|core, _| of(core))
    }

    /// How many tasks of each batch are not over; 0 for one whose records are gone.
    pub fn active(&self, serials: &[i32]) -> Vec<i32> {
        let of = |core: &Core, serial: i32| core.table(serial.cast_unsigned()).map_or(0, |t| t.counts.active);
        self.tell(|core, _| serials.iter().map(|s| of(core, *s).try_into().unwrap_or(i32::MAX)).collect())
    }

    /// True for an actor that is not dead, though it may have to be rebuilt.
    pub fn actor_lives(&self, actor: u32) -> bool {
        self.ask(|core, _| core.actors.contains_key(&actor)).0
    }

    /// Batches there are records of, collected ones included; and actors that live.
    pub fn figures(&self) -> (usize, usize) {
        self.tell(|core, _| (core.tables.len(), core.actors.len()))
    }

    /// The most that wait for one task, cancelled ones included.
    pub fn most_waiters(&self) -> usize {
        self.tell(|core, _| core.waiters.values().map(Vec::len).max().unwrap_or(0))
    }

    /// The most actors that one batch is known to have used, dead ones included.
    pub fn most_used_actors(&self) -> usize {
        self.tell(|core, _| core.tables.values().map(|table| table.used_actors.len()).max().unwrap_or(0))
    }
}
