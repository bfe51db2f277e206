//! The door to the table: takes the lock, asks, and does what follows when the lock is released.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use hashbrown::HashMap;

use super::core::{Core, Effects};
use super::deadlock::Described;
use super::failure;
use super::granules::GRANULE;
use super::record::IdBlock;
use super::sync::Mutex;
use super::table::LEAST_PUTS;
use super::types::{ActorSpec, Awaits, BatchLoad, Order, Run, Submission, Submitted, TaskKind, Work};
use crate::batch::{Batch, BatchKey, Client, Engine, Records};
use crate::error::{Error, ErrorCode, Result};
use crate::gcs::TaskRecord;
use crate::id::ObjectId;
use crate::store::Kind;

/// Tokens of the notifier's that are the table's own.
pub(super) const OWN_TOKENS: u64 = 1 << 62;
/// Orders that need nobody to hurry: so many may wait.
const LEISURELY: usize = 64;

/// What those who run tasks are to know after a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Flags {
    /// Pieces of work became ready: workers may be needed.
    pub ready: u32,
    /// Orders wait.
    pub orders: bool,
}

/// A block of ids for tasks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Blocks {
    /// The table's number of the batch.
    pub serial: u32,
    /// The first slot.
    pub first: u64,
    /// How many.
    pub count: u32,
    /// The base of the batch's slots.
    pub base: u64,
}

/// What happened outside of the table.
pub(super) enum Happening {
    /// The notifier woke this token.
    Woken(u64),
    /// Somebody watches an object: it may have come before.
    Watched(ObjectId),
}

/// The tasks of one open store. All calls are safe from any thread, and none blocks.
pub struct Tasks {
    pub(super) engine: Arc<Engine>,
    core: Mutex<Core>,
    /// What came while somebody had the lock; whoever has it sees to it before or after letting go.
    happenings: Mutex<Vec<Happening>>,
    /// token of the notifier's → the object it is for
    tokens: Mutex<HashMap<u64, ObjectId>>,
    next_token: AtomicU64,
    orders: Mutex<Vec<Order>>,
    /// for whom records are held, as it was then
    pub(super) held: Mutex<Option<(Instant, Arc<Records>)>>,
    /// told when orders wait or work became ready, other than in answer to a call
    alert: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl Tasks {
    /// Starts the table of a store, for as long as the client lives that opened it.
    ///
    /// # Errors
    /// `InvalidArgument` when there is one already, or for no slots.
    pub fn start(client: &Client, slots: u32, max_pending: u64) -> Result<Arc<Tasks>> {
        if slots == 0 || max_pending == 0 {
            return Err(Error::new(ErrorCode::InvalidArgument, "tasks need a slot to run on, and may be pending"));
        }
        let engine = Arc::clone(client.engine()?);
        let tasks = Arc::new(Tasks {
            core: Mutex::new(Core::new(Arc::clone(&engine), slots, max_pending)),
            engine: Arc::clone(&engine),
            happenings: Mutex::new(Vec::new()),
            held: Mutex::new(None),
            tokens: Mutex::new(HashMap::new()),
            next_token: AtomicU64::new(OWN_TOKENS),
            orders: Mutex::new(Vec::new()),
            alert: OnceLock::new(),
        });
        client.keep_tasks(Arc::clone(&tasks) as Arc<dyn crate::batch::TaskHooks>)?;
        Ok(tasks)
    }

    /// The table of the store a client is connected to.
    ///
    /// # Errors
    /// `InvalidArgument` when its owner has started none; `Closed`.
    pub fn of(client: &Client) -> Result<Arc<Tasks>> {
        let hooks = client.engine()?.tasks();
        hooks.and_then(|hooks| hooks.as_any().downcast::<Tasks>().ok()).ok_or_else(|| {
            Error::new(
                ErrorCode::InvalidArgument,
                "the owner of this store runs no tasks; submit through a RayApi that opened it",
            )
        })
    }

    /// Has `alert` called when orders wait or work became ready, other than in answer to a call. The first one counts.
    pub fn on_alert(&self, alert: Box<dyn Fn() + Send + Sync>) {
        let _ = self.alert.set(alert);
    }

    /// Asks the table, and does what follows.
    pub(super) fn ask<R>(&self, question: impl FnOnce(&mut Core, &mut Effects) -> R) -> (R, Flags) {
        let mut fx = Effects::default();
        let mut core = self.core.lock();
        let answer = question(&mut core, &mut fx);
        core.settle(&mut fx);
        core.begin_seals(&fx);
        drop(core);
        let mut flags = self.carry_out(fx);
        flags = self.catch_up(flags);
        (answer, flags)
    }

    /// As `ask`, for whoever is not asked by those who run tasks: they are told.
    pub(super) fn tell<R>(&self, news: impl FnOnce(&mut Core, &mut Effects) -> R) -> R {
        let (answer, flags) = self.ask(news);
        self.alert(flags);
        answer
    }

    pub(super) fn alert(&self, flags: Flags) {
        if (flags.ready > 0 || flags.orders)
            && let Some(alert) = self.alert.get()
        {
            alert();
        }
    }

    /// Something happened outside. Never waits for the lock: whoever has it sees to it.
    pub(super) fn happened(&self, what: Happening) {
        self.happenings.lock().push(what);
        let flags = self.catch_up(Flags::default());
        self.alert(flags);
    }

    /// The table, unless somebody has it just now. Whoever takes it so sees to what happened meanwhile.
    pub(super) fn try_core(&self) -> Option<impl std::ops::DerefMut<Target = Core> + '_> {
        self.core.try_lock()
    }

    pub(super) fn see_to_happenings(&self) {
        let flags = self.catch_up(Flags::default());
        self.alert(flags);
    }

    fn catch_up(&self, mut flags: Flags) -> Flags {
        while !self.happenings.lock().is_empty() {
            // whoever has the lock looks again after letting go
            let Some(mut core) = self.core.try_lock() else { return flags };
            let mut fx = Effects::default();
            let happened = std::mem::take(&mut *self.happenings.lock());
            for what in happened {
                match what {
                    Happening::Woken(token) => {
                        let id = self.tokens.lock().remove(&token);
                        if let Some(id) = id {
                            core.object_came(&mut fx, &id, true);
                        }
                    }
                    Happening::Watched(id) => core.object_came(&mut fx, &id, false),
                }
            }
            core.settle(&mut fx);
            core.begin_seals(&fx);
            drop(core);
            let more = self.carry_out(fx);
            flags = Flags { ready: flags.ready + more.ready, orders: flags.orders || more.orders };
        }
        flags
    }

    /// Does what the table noted. No lock is held.
    fn carry_out(&self, fx: Effects) -> Flags {
        let Effects { seals, watches, wakes, ends, frees, spares, dropped, mut orders, ready, room } = fx;
        for (id, why) in &seals {
            self.seal_failure(id, why);
        }
        if !seals.is_empty() {
            let watched = self.core.lock().end_seals(&seals);
            self.happenings.lock().extend(watched.into_iter().map(Happening::Watched));
        }
        for id in watches {
            self.watch(id);
        }
        if !frees.is_empty() {
            // objects of our own: nobody else knows their ids
            let _ = self.engine.delete(&frees);
        }
        for (actor, id) in spares {
            // their ids may be filled again once their bytes are given up; what is left of one that is held still is deleted then
            let _ = self.engine.free(&[id]);
            self.core.lock().add_spare(actor, id);
        }
        for batch in wakes {
            self.engine.store().notifier().wake_batch(batch);
        }
        for batch in ends {
            self.engine.end_task(&batch);
        }
        drop(dropped);
        self.engine.flush();
        if room {
            orders.push(Order::Room);
        }
        let hurry = orders.iter().any(|order| !matches!(order, Order::Forget(_) | Order::ForgetFrom(_)));
        let mut waiting = self.orders.lock();
        waiting.append(&mut orders);
        Flags { ready, orders: hurry || waiting.len() > LEISURELY }
    }

    fn seal_failure(&self, id: &ObjectId, why: &super::types::Failure) {
        let Some(bytes) = failure::encode(&self.engine, why) else { return };
        let said = self.engine.put_result(id, Kind::Failure, &bytes.as_slice());
        // no room to say why: without bytes it needs none
        if said.is_err() {
            let none: &[u8] = &[];
            if let Err(e) = self.engine.put_result(id, Kind::Failure, &none) {
                log::debug!("object {id} has no one to fail for any more: {e}");
            }
        }
    }

    fn watch(&self, id: ObjectId) {
        let token = self.next_token.fetch_add(1, Ordering::Relaxed);
        self.tokens.lock().insert(token, id);
        self.engine.watch(&id, token);
        self.happenings.lock().push(Happening::Watched(id));
    }

    /// What is to be done by those who run tasks.
    pub fn orders(&self) -> Vec<Order> {
        std::mem::take(&mut *self.orders.lock())
    }

    // ---- ids

    /// A block of ids for tasks that a thread creates in a batch; id 0 for normal mode.
    ///
    /// # Errors
    /// `BatchEnded`, `BatchNotFound`, `StoreFull`.
    pub fn block(&self, client: &Client, key: BatchKey, count: u32) -> Result<Blocks> {
        let count = u64::from(count.clamp(1, GRANULE as u32));
        let (key, batch) = if key.id.is_normal() {
            (client.normal_key(), None)
        } else {
            let batch = self.engine.find(key)?;
            (batch.key(), Some(batch))
        };
        let serial = self.tell(|core, _| core.table_of(key, batch.as_ref()))?;
        loop {
            if let Some(first) = self.tell(|core, fx| core.task_block(fx, serial, count))? {
                return Ok(Blocks { serial, first, count: count as u32, base: key.life });
            }
            let first = self.granule(client, batch.as_deref())?;
            self.tell(|core, _| core.known(serial).map(|t| t.tasks.refill(first)))?;
        }
    }

    /// The nth block of ids of a run, for its tasks or its puts: a re-run receives the same. Returns the first slot and how
    /// many.
    ///
    /// # Errors
    /// `TaskCancelled` when the run is not listened to any more; `StoreFull`.
    pub fn block_of(&self, client: &Client, run: Run, nth: u32, count: u32, puts: bool) -> Result<(u64, u32)> {
        let count = u64::from(count.clamp(1, GRANULE as u32));
        loop {
            let given = self.tell(|core, fx| core.block_of(fx, run, nth, count, puts))?;
            let batch = match given {
                Given::Block(block) => {
                    if puts && let Some(key) = self.key(run.task.serial) {
                        let record = TaskRecord { task: key.life.wrapping_add(block.first), count: block.count };
                        self.engine.gcs().append(key.id, record);
                    }
                    return Ok((block.first, block.count));
                }
                Given::Again(block) => return Ok((block.first, block.count)),
                Given::Reserve(batch) => batch,
            };
            let first = self.granule(client, batch.as_deref())?;
            self.tell(|core, _| {
                core.known(run.task.serial).map(|t| if puts { t.puts.refill(first) } else { t.tasks.refill(first) })
            })?;
        }
    }

    /// As many slots as are reserved at once. In a region they fill a page of the index.
    fn granule(&self, client: &Client, batch: Option<&Batch>) -> Result<u64> {
        let unaligned = match batch {
            Some(batch) if !self.engine.is_lru() => return self.engine.reserve_slots(batch, GRANULE),
            Some(batch) => self.engine.reserve_slots(batch, GRANULE + LEAST_PUTS)?,
            None => client.normal_block(GRANULE + LEAST_PUTS),
        };
        Ok(unaligned.next_multiple_of(LEAST_PUTS))
    }

    pub(super) fn key(&self, serial: u32) -> Option<BatchKey> {
        self.tell(|core, _| core.table(serial).map(|t| t.key))
    }

    // ---- the way of a task

    /// Takes a task into the table.
    ///
    /// # Errors
    /// `BatchEnded`; `ActorDied`; `ObjectCollected` for an argument that went with its batch; `TaskCancelled` of the run that submits
    /// it; `InvalidArgument`; `StoreFull`.
    pub fn submit(&self, submission: &Submission<'_>) -> Result<(Submitted, Flags)> {
        let (submitted, flags) = self.ask(|core, fx| core.submit(fx, submission));
        Ok((submitted.map_err(|e| self.engine.with_holders(e))?, flags))
    }

    /// Work for a worker, and whether there is more. `which`: of this batch only.
    pub fn take(&self, which: Option<u32>, max: usize) -> (Vec<Work>, bool) {
        loop {
            let (taken, flags) = self.ask(|core, _| (core.take(which, max), core.has_more()));
            // asking may have moved something: a method whose actor has to be rebuilt first
            if !taken.0.is_empty() || flags.ready == 0 {
                self.alert(Flags { ready: 0, ..flags });
                return (taken.0, taken.1 || flags.ready > 0);
            }
        }
    }

    /// Batches that have ready tasks.
    pub fn ready_batches(&self) -> Vec<BatchLoad> {
        self.tell(|core, _| core.ready_batches())
    }

    /// The ids under which a run's arguments are to be read; of a restore, its checkpoint's.
    pub fn arguments(&self, run: Run) -> Vec<ObjectId> {
        let read = |core: &mut Core, _: &mut Effects| match run.task.serial {
            0 => core.job_checkpoint(run.task.slot).into_iter().collect(),
            _ => core.read_as(run.task),
        };
        self.tell(read)
    }

    /// A run gives its slots up while it waits, or takes them again.
    pub fn blocked(&self, run: Run, blocked: bool) -> Flags {
        self.ask(|core, fx| core.blocked(fx, run, blocked)).1
    }

    /// As [`blocked`](Tasks::blocked) with true, of a run that waits for what the table knows of.
    ///
    /// # Errors
    /// `Deadlock`, naming the tasks, when the run would wait for itself: it is not blocked then. The figures are serial and
    /// slot of each task that is named.
    pub fn block_on(&self, run: Run, awaits: &Awaits<'_>) -> Result<Flags> {
        let (outcome, flags) = self.ask(|core, fx| {
            core.await_in(fx, run, awaits)?;
            core.blocked(fx, run, true);
            Ok(())
        });
        outcome.map(|()| flags)
    }

    /// A run's thread waits for something that the table does not know of: its cpus are lent to others until the run ends or
    /// goes on.
    pub fn lend(&self, run: Run) -> Flags {
        self.ask(|core, fx| core.lend(fx, run)).1
    }

    /// True when something is ready that may run as soon as a cpu is free.
    pub fn has_ready(&self) -> bool {
        self.ask(|core, _| core.has_ready()).0
    }

    /// How far the making of an object is, in words.
    pub fn describe_object(&self, id: &ObjectId) -> Described {
        self.tell(|core, _| core.describe_object(id))
    }

    /// Which tasks of a batch are not over, and what they wait for, in words.
    pub fn describe_batch(&self, key: BatchKey) -> Described {
        self.tell(|core, _| core.describe_batch(key))
    }

    /// A run's thread does not come back; `thread` is its name.
    pub fn abandon(&self, run: Run, thread: &str) -> Flags {
        self.ask(|core, fx| core.abandon(fx, run, thread)).1
    }

    // ---- actors

    /// Makes an actor, whose creation is submitted next. It dies with the batch of its creation, or, in normal mode, with
    /// the client.
    ///
    /// # Errors
    /// `BatchEnded`.
    pub fn new_actor(&self, client: &Client, spec: ActorSpec) -> Result<u32> {
        let root = client.root_batch();
        let make = |core: &mut Core, _: &mut Effects| {
            let normal = core.known(spec.creation.serial)?.key.id.is_normal();
            let owner = if normal { core.table_of(root.key(), Some(root))? } else { spec.creation.serial };
            core.new_actor(spec, owner)
        };
        self.tell(make)
    }

    /// An actor is constructed, and what it is says whether its state can be saved: so if nothing else was declared, whether it is
    /// fault tolerant. Before its creation's outcome is reported.
    pub fn actor_made(&self, actor: u32, checkpointable: bool) {
        self.tell(|core, _| core.actor_made(actor, checkpointable));
    }

    /// Kills an actor. `for_good`: it is dead; else the next task rebuilds it. False when it was dead.
    pub fn kill_actor(&self, actor: u32, for_good: bool, by: &str) -> (bool, Flags) {
        self.ask(|core, fx| core.kill(fx, actor, for_good, by))
    }

    /// Submits a checkpoint, in the order of its caller's tasks.
    ///
    /// # Errors
    /// As for `submit`; `InvalidArgument` for an actor that cannot be saved.
    pub fn checkpoint(&self, submission: &Submission<'_>) -> Result<(Submitted, Flags)> {
        debug_assert_eq!(submission.kind, TaskKind::Checkpoint);
        self.submit(submission)
    }
}

/// What a request for a block came to.
pub(super) enum Given {
    Block(IdBlock),
    /// It had that one before.
    Again(IdBlock),
    /// The batch's slots are used up: reserve more.
    Reserve(Option<Arc<Batch>>),
}
