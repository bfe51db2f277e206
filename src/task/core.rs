//! The table: one state machine. It does nothing to the world but note, as effects, what is to be done.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use hashbrown::HashMap;

use super::actor::Actor;
use super::deadlock::Await;
use super::jobs::JobRun;
use super::record::Record;
use super::table::BatchTable;
use super::types::{Counts, Failure, Order, Run, TaskRef};
use crate::batch::{Batch, BatchKey, Engine};
use crate::error::{Error, ErrorCode, Result};
use crate::id::{BatchId, ObjectId};
use crate::log_limit::LogLimit;
use crate::store::Slab;

/// Who waits for a task to be over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Waiter {
    /// A task that takes a result of it, and in which attempt.
    Task(Run),
    /// A task that takes a put of it: it looks again, unless the put came before.
    Look(Run),
    /// An actor's rebuilding, which replays it next.
    Rebuild { actor: u32, instance: u32 },
}

/// See `Core::todo`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Todo {
    /// Find out what arguments a task waits for.
    Await(TaskRef),
    /// An argument of a waiting task, in this attempt, will never be there.
    Fail(Run, Failure),
    /// See what an actor can do next.
    Advance(u32),
    /// Go on with rebuilding an actor.
    Rebuild { actor: u32, instance: u32 },
    /// Run a task again for those who asked for objects of it.
    Remake(TaskRef),
    /// See whether a batch's records are needed.
    Reconsider(u32),
    /// A batch's last task may be over: its boundary.
    Boundary(u32),
}

/// What workers take before anything else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Urgent {
    Job(u64),
    Replay(TaskRef),
}

/// A value remade from a collected batch, for a dependent's sake.
pub(super) struct Internal {
    pub(super) alias: ObjectId,
    /// The batch in which it lies.
    pub(super) by: u32,
    /// tasks that take it
    pub(super) users: BTreeSet<TaskRef>,
}

/// What is to be done when the lock is released, in this order.
#[derive(Default)]
pub(super) struct Effects {
    /// results that are failures
    pub(super) seals: Vec<(ObjectId, Failure)>,
    /// objects whose sealing is waited for
    pub(super) watches: Vec<ObjectId>,
    /// batches whose end is waited for in vain: those who do are to look again
    pub(super) wakes: Vec<BatchId>,
    /// batches one of whose tasks is over
    pub(super) ends: Vec<Arc<Batch>>,
    /// objects of the table's own that nobody needs
    pub(super) frees: Vec<ObjectId>,
    /// checkpoints that nobody needs, whose place another one of the same actor takes
    pub(super) spares: Vec<(u32, ObjectId)>,
    /// tables that nobody needs
    pub(super) dropped: Vec<BatchTable>,
    pub(super) orders: Vec<Order>,
    /// pieces of work that became ready
    pub(super) ready: u32,
    /// a pending task is over
    pub(super) room: bool,
}

/// Batches that are remembered for the threads that were given up in them.
const MOST_ABANDONED: usize = 1000;
/// Tables that errors know the batch of.
const MOST_DROPPED: usize = 1000;

/// See the module.
pub(super) struct Core {
    pub(super) engine: Arc<Engine>,
    /// serial → a batch's tasks
    pub(super) tables: HashMap<u32, BatchTable>,
    /// batch → its lives that have a table, the live one last
    pub(super) lives: HashMap<BatchId, Vec<u32>>,
    last_serial: u32,
    /// batches with ready tasks of a priority, in turn
    pub(super) turns: BTreeMap<std::cmp::Reverse<i32>, VecDeque<u32>>,
    pub(super) urgent: VecDeque<Urgent>,
    pub(super) jobs: BTreeMap<u64, JobRun>,
    pub(super) last_job: u64,
    /// logged: actors that could not be saved, and checkpoints that could not be restored
    pub(super) unsaved: LogLimit,
    pub(super) unrestored: LogLimit,
    /// task → who waits for it
    pub(super) waiters: HashMap<TaskRef, Vec<Waiter>>,
    /// object that no task makes → tasks that wait for it
    pub(super) watched: HashMap<ObjectId, Vec<Run>>,
    /// what follows from what was done, to be done before the lock is released: one after the other, for a chain of
    /// tasks may be a million long
    pub(super) todo: VecDeque<Todo>,
    /// object of a collected batch → what stands for it
    pub(super) internals: HashMap<ObjectId, Internal>,
    /// objects of collected batches that are wanted → the batch that wants them
    pub(super) wanted: HashMap<ObjectId, u32>,
    /// task of a collected batch that runs again → the batch for which, in which what it takes is made as well
    pub(super) on_behalf: HashMap<TaskRef, u32>,
    /// objects whose failures are just being sealed, and by how many
    pub(super) sealing: HashMap<ObjectId, u32>,
    /// task → objects that are to be there when it is over, and how often it ran for each
    pub(super) asked_for: BTreeMap<TaskRef, Vec<(ObjectId, u32)>>,
    pub(super) actors: BTreeMap<u32, Actor>,
    pub(super) last_actor: u32,
    /// batches whose records are gone and in which threads were given up, the last ones: their counts, and the threads
    pub(super) abandoned: VecDeque<(BatchKey, Counts, Vec<String>)>,
    /// tables that are gone, the last ones → their batches
    pub(super) dropped: BTreeMap<u32, BatchKey>,
    /// actor → why it is dead
    pub(super) dead: BTreeMap<u32, Failure>,
    /// task that is replayed → on whose which instance
    pub(super) replays: HashMap<TaskRef, (u32, u32)>,
    /// slots of the engine, and those that wide tasks have beyond their first
    pub(super) slots: u32,
    pub(super) wide: u32,
    /// a wide task stands first, and waits until others are over: for a moment within `take`
    pub(super) wide_waits: bool,
    /// first runs that are not over
    pub(super) pending: u64,
    pub(super) max_pending: u64,
    /// runs that go on, and those of them that are blocked
    pub(super) running: u64,
    pub(super) blocked: u64,
    pub(super) submitters_wait: bool,
    /// runs that wait until they may submit a task
    pub(super) full_inside: u64,
    /// blocked run → what it waits for, where that is known
    pub(super) awaits: HashMap<TaskRef, Await>,
    /// runs that are not blocked, whose threads wait for something outside of the table
    pub(super) lent: u64,
}

impl Core {
    pub(super) fn new(engine: Arc<Engine>, slots: u32, max_pending: u64) -> Core {
        Core {
            engine,
            tables: HashMap::new(),
            lives: HashMap::new(),
            last_serial: 0,
            turns: BTreeMap::new(),
            urgent: VecDeque::new(),
            jobs: BTreeMap::new(),
            last_job: 0,
            unsaved: LogLimit::default(),
            unrestored: LogLimit::default(),
            waiters: HashMap::new(),
            watched: HashMap::new(),
            todo: VecDeque::new(),
            internals: HashMap::new(),
            wanted: HashMap::new(),
            on_behalf: HashMap::new(),
            sealing: HashMap::new(),
            asked_for: BTreeMap::new(),
            actors: BTreeMap::new(),
            last_actor: 0,
            abandoned: VecDeque::new(),
            dropped: BTreeMap::new(),
            dead: BTreeMap::new(),
            replays: HashMap::new(),
            slots,
            wide: 0,
            wide_waits: false,
            pending: 0,
            max_pending,
            running: 0,
            blocked: 0,
            submitters_wait: false,
            full_inside: 0,
            awaits: HashMap::new(),
            lent: 0,
        }
    }

    /// The table of a life of a batch, made if there is none. `batch` is `None` in normal mode.
    ///
    /// # Errors
    /// `BatchEnded` for one that is collected.
    pub(super) fn table_of(&mut self, key: BatchKey, batch: Option<&Arc<Batch>>) -> Result<u32> {
        let serials = self.lives.entry(key.id).or_default();
        if let Some(serial) = serials.iter().find(|s| self.tables.get(*s).is_some_and(|t| t.key == key)) {
            return Ok(*serial);
        }
        if batch.is_some_and(|batch| !batch.mind_tasks()) {
            return Err(self.engine.gone(key));
        }
        loop {
            self.last_serial = self.last_serial.wrapping_add(1) & (u32::MAX >> 1);
            if self.last_serial != 0 && !self.tables.contains_key(&self.last_serial) {
                break;
            }
        }
        let serial = self.last_serial;
        let slab = Slab::new(self.engine.store());
        let mut table = BatchTable::new(serial, key, batch.cloned(), slab);
        // a task of a batch within it submits to it
        table.ended = batch.is_some_and(|batch| batch.has_ended());
        self.tables.insert(serial, table);
        serials.push(serial);
        Ok(serial)
    }

    /// The table of a batch that lives.
    pub(super) fn live(&self, key: BatchKey) -> Option<u32> {
        let serials = self.lives.get(&key.id)?;
        let means = |t: &BatchTable| !t.is_collected() && key.means(t.key.life);
        serials.iter().rev().copied().find(|s| self.tables.get(s).is_some_and(means))
    }

    pub(super) fn table(&self, serial: u32) -> Option<&BatchTable> {
        self.tables.get(&serial)
    }

    pub(super) fn table_mut(&mut self, serial: u32) -> Option<&mut BatchTable> {
        self.tables.get_mut(&serial)
    }

    pub(super) fn record(&self, task: TaskRef) -> Option<Record<'_>> {
        self.tables.get(&task.serial)?.record(task.slot)
    }

    /// The task that makes or made an object, in whichever life of its batch.
    pub(super) fn maker(&self, id: &ObjectId) -> Option<TaskRef> {
        let serials = self.lives.get(&id.batch)?;
        serials.iter().rev().find_map(|s| {
            let table = self.tables.get(s)?;
            table.maker(id).map(|slot| table.task(slot))
        })
    }

    /// Takes a table out of the books.
    pub(super) fn drop_table(&mut self, serial: u32, fx: &mut Effects) {
        self.end_wishes(fx, serial);
        let Some(table) = self.tables.remove(&serial) else { return };
        self.dropped.insert(serial, table.key);
        if self.dropped.len() > MOST_DROPPED {
            self.dropped.pop_first();
        }
        if let Some(serials) = self.lives.get_mut(&table.key.id) {
            serials.retain(|s| *s != serial);
            if serials.is_empty() {
                self.lives.remove(&table.key.id);
            }
        }
        for on in &table.depends_on {
            if let Some(other) = self.tables.get_mut(on) {
                other.dependents.remove(&serial);
            }
        }
        for by in table.dependents.keys() {
            if let Some(other) = self.tables.get_mut(by) {
                other.depends_on.remove(&serial);
            }
        }
        if !self.wanted.is_empty() {
            self.wanted.retain(|_, by| *by != serial);
        }
        if !self.internals.is_empty() {
            // nobody takes them: whoever would is not a dependent any more
            let maker = |object: &ObjectId| object.batch == table.key.id && table.maker(object).is_some();
            let left: Vec<_> = self.internals.extract_if(|object, i| i.users.is_empty() && maker(object)).collect();
            fx.frees.extend(left.into_iter().map(|(_, i)| i.alias));
        }
        self.on_behalf.retain(|task, _| task.serial != serial);
        self.asked_for.retain(|task, _| task.serial != serial);
        if !table.abandoned.is_empty() {
            self.remember_abandoned(table.key, table.counts, table.abandoned.clone());
        }
        fx.orders.push(Order::Forget(serial));
        fx.dropped.push(table);
    }

    /// What is just being made again on an actor will not be found any more. Only normal mode waits for it: others depend on
    /// the batch.
    fn end_wishes(&mut self, fx: &mut Effects, serial: u32) {
        let Some(table) = self.tables.get(&serial) else { return };
        let actors = table.used_actors.iter().filter_map(|number| self.actors.get(number));
        let wanted = actors.flat_map(|actor| actor.rebuilds.values()).filter_map(|rebuild| rebuild.scratch_for);
        let wanted: Vec<TaskRef> = wanted.filter(|task| task.serial == serial).collect();
        for task in wanted {
            self.never(fx, task, "its batch was collected");
        }
    }

    fn remember_abandoned(&mut self, key: BatchKey, counts: Counts, threads: Vec<String>) {
        self.abandoned.push_back((key, counts, threads));
        if self.abandoned.len() > MOST_ABANDONED {
            self.abandoned.pop_front();
        }
    }

    /// A thread was given up in something that was done for a batch, which may be collected.
    pub(super) fn note_abandoned(&mut self, key: BatchKey, thread: &str) {
        if let Some(table) = self.find_life(key).and_then(|serial| self.tables.get_mut(&serial)) {
            return table.abandoned.push(thread.to_owned());
        }
        match self.abandoned.iter_mut().rev().find(|(k, ..)| *k == key) {
            Some((_, _, threads)) => threads.push(thread.to_owned()),
            None => self.remember_abandoned(key, Counts::default(), vec![thread.to_owned()]),
        }
    }

    /// How errors and failures name a task.
    pub(super) fn label(&self, task: TaskRef) -> String {
        match self.table(task.serial) {
            Some(table) => format!("task {} of batch {}", table.result(task.slot, 0), table.key.id),
            None => format!("task in slot {} of a batch that is gone", task.slot),
        }
    }

    /// The table, for what cannot be without.
    ///
    /// # Errors
    /// `BatchEnded` when it is gone.
    pub(super) fn known(&mut self, serial: u32) -> Result<&mut BatchTable> {
        let Core { tables, engine, dropped, .. } = self;
        tables.get_mut(&serial).ok_or_else(|| no_table(engine, dropped, serial))
    }
}

/// That there is no table, or none any more: who ended its batch, if that is remembered.
pub(super) fn no_table(engine: &Engine, dropped: &BTreeMap<u32, BatchKey>, serial: u32) -> Error {
    match dropped.get(&serial) {
        Some(key) => engine.gone(*key),
        None => {
            Error::new(ErrorCode::BatchEnded, format!("there is no table {serial}: its batch was collected long ago"))
        }
    }
}
