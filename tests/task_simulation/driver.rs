//! The world, and what a driver does to it: batches, tasks, actors, objects; their ends, cancels, losses.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use raybatch::batch::{BatchKey, BatchSpec, Client, GroupLimit, Reason};
use raybatch::config::Config;
use raybatch::error::ErrorCode;
use raybatch::id::{BatchId, ObjectId};
use raybatch::store::Kind;
use raybatch::task::{
    ActorSpec, CheckpointPolicy, Order, Remade, Run, Submission, Submitted, TaskKind, TaskRef, Tasks,
};

use super::model::{Actor, Batch, Doomed, Getter, Object, Step, Task, Worker, run_key};
use super::random::{Random, mix};

/// See the module.
pub(crate) struct World {
    pub(crate) random: Random,
    pub(crate) client: Arc<Client>,
    pub(crate) tasks: Arc<Tasks>,
    pub(crate) slots: u32,
    pub(crate) batches: Vec<Batch>,
    pub(crate) all: Vec<Task>,
    pub(crate) objects: Vec<Object>,
    pub(crate) actors: Vec<Actor>,
    pub(crate) by_ref: BTreeMap<TaskRef, usize>,
    /// (actor, instance) → its state
    pub(crate) instances: BTreeMap<(u32, u32), u64>,
    pub(crate) workers: Vec<Worker>,
    pub(crate) getters: Vec<Getter>,
    pub(crate) doomed: Doomed,
    /// tables whose functions are forgotten
    pub(crate) forgotten: BTreeSet<u32>,
    /// (x, y): a task of batch x took an object of y; ran on an actor right after one of y
    pub(crate) took: BTreeSet<(usize, usize, usize)>,
    pub(crate) followed: BTreeSet<(usize, usize, usize)>,
    pub(crate) with_normal: bool,
    trace: u64,
    loud: bool,
}

/// Bytes of a value: the number, and some more.
pub(crate) fn payload(value: u64) -> Vec<u8> {
    let mut bytes = value.to_le_bytes().to_vec();
    bytes.resize(8 + (value >> 7) as usize % 300, value as u8);
    bytes
}

impl World {
    pub(crate) fn new(seed: u64) -> World {
        let mut random = Random::new(seed);
        let client = Client::open(&Config::sized(8 << 20).unwrap()).unwrap();
        let waker = Arc::downgrade(&client);
        client.store().notifier().set_waker(Box::new(move |token| {
            if let Some(client) = waker.upgrade() {
                client.pass_on(token);
            }
        }));
        let slots = 1 + random.below(4) as u32;
        let pending = if random.percent(20) { 3 + random.below(10) as u64 } else { 1 << 20 };
        let tasks = Tasks::start(&client, slots, pending).unwrap();
        let with_normal = random.percent(50);
        let normal = Batch {
            key: BatchKey::NORMAL,
            parent: None,
            ended: false,
            cancelled: false,
            checkpoint_actors: false,
            max_tasks: None,
            grouped: false,
            serial: None,
        };
        client.open_group("outer/inner").unwrap();
        World {
            random,
            client,
            tasks,
            slots,
            batches: vec![normal],
            all: Vec::new(),
            objects: Vec::new(),
            actors: Vec::new(),
            by_ref: BTreeMap::new(),
            instances: BTreeMap::new(),
            workers: (0..slots).map(|_| Worker::default()).collect(),
            getters: Vec::new(),
            doomed: Doomed::new(),
            forgotten: BTreeSet::new(),
            took: BTreeSet::new(),
            followed: BTreeSet::new(),
            with_normal,
            trace: 0,
            loud: std::env::var("RAYBATCH_TRACE").is_ok(),
        }
    }

    /// Notes what happens, without what differs from run to run.
    pub(crate) fn note(&mut self, what: &str, a: u64, b: u64) {
        if self.loud {
            eprintln!("{what} {a} {b}");
        }
        let text = what.bytes().fold(0, |sum, byte| mix(sum, byte.into()));
        self.trace = mix(mix(mix(self.trace, text), a), b);
    }

    pub(crate) fn traced(&self) -> u64 {
        self.trace
    }

    /// One thing happens.
    pub(crate) fn step(&mut self) {
        match self.random.below(200) {
            0..28 => self.submit_any(),
            28..46 => self.call_any(),
            46..52 => self.start(),
            52..55 => self.make_actor(),
            55..61 => self.put(),
            61..64 => self.open_writer(),
            64..67 => self.close_writer(),
            67..73 => self.free(false),
            73..75 => self.free(true),
            75..83 => self.get(),
            83..85 => self.cancel(),
            85..86 => self.cancel_actor(),
            86..88 => self.cancel_batch(),
            88..94 => self.end(),
            94..96 => self.kill(),
            96..99 => self.checkpoint(),
            99..100 => self.evict(),
            100..102 => self.rollback(),
            102..103 => self.keep_actor(),
            103..104 => self.transfer(),
            104..106 => self.abandon(),
            106..108 => self.hand_back(),
            108..109 => self.settle(),
            _ => drop(self.work()),
        }
        self.look_around();
        if self.random.percent(5) {
            self.check_counts();
        }
    }

    // ---- what follows from each call

    /// The table counts what is not over.
    fn check_counts(&self) {
        for (b, batch) in self.batches.iter().enumerate() {
            let Some(serial) = batch.serial else { continue };
            let least =
                self.all.iter().enumerate().filter(|(n, t)| t.batch == b && !t.accepted && !self.may_fail(*n)).count();
            let active = self.tasks.active(&[serial.cast_signed()])[0];
            assert!(
                active as usize >= least,
                "batch {b} has {least} tasks that are not over, and counts {active}: {}",
                self.failures(b)
            );
        }
    }

    /// Carries out orders, and lets those who wait look.
    pub(crate) fn look_around(&mut self) {
        for order in self.tasks.orders() {
            match order {
                Order::Interrupt(run) => {
                    self.doomed.insert(run_key(run));
                    if let Some(&n) = self.by_ref.get(&run.task) {
                        self.all[n].touched = true;
                        self.lose_for(n);
                    }
                }
                Order::Forget(serial) => drop(self.forgotten.insert(serial)),
                Order::DropInstance { actor, instance } => drop(self.instances.remove(&(actor, instance))),
                Order::ForgetFrom(_) | Order::DropActor(_) | Order::Room | Order::Workers => {}
            }
        }
        self.look_for_getters();
    }

    // ---- batches

    fn start(&mut self) {
        if self.batches.len() > 60 {
            return;
        }
        let open: Vec<usize> = self.open_batches().into_iter().filter(|b| *b != 0).collect();
        let parent = if self.random.percent(40) { self.random.pick(&open).copied() } else { None };
        let max_tasks = self.random.percent(20).then(|| 1 + self.random.below(2) as u32);
        let checkpoint_actors = self.random.percent(25);
        let grouped = parent.map_or_else(|| self.random.percent(50), |b| self.batches[b].grouped);
        if self.random.percent(20) {
            let most = self.random.percent(80).then(|| 1 + self.random.below(3) as u64);
            self.client.limit_group("outer", GroupLimit::Tasks(most)).unwrap();
        }
        let spec = BatchSpec {
            parent: parent.map(|b| self.batches[b].key),
            group: (grouped && parent.is_none()).then(|| "outer/inner".to_owned()),
            max_tasks,
            checkpoint_actors,
            priority: self.random.below(3) as i32,
            ..BatchSpec::default()
        };
        let key = self.client.start_batch(spec, "a simulation").unwrap();
        self.note("start", self.batches.len() as u64, 0);
        self.batches.push(Batch {
            key,
            parent,
            ended: false,
            cancelled: false,
            checkpoint_actors,
            max_tasks,
            grouped,
            serial: None,
        });
    }

    /// Batches that can be submitted to: normal mode is one, in some worlds.
    pub(crate) fn open_batches(&self) -> Vec<usize> {
        (usize::from(!self.with_normal)..self.batches.len()).filter(|b| !self.batches[*b].ended).collect()
    }

    fn pick_batch(&mut self) -> Option<usize> {
        let open = self.open_batches();
        self.random.pick(&open).copied()
    }

    /// A batch and all within it.
    pub(crate) fn within(&self, batch: usize) -> Vec<usize> {
        let inside = |mut b: usize| loop {
            if b == batch {
                return true;
            }
            match self.batches[b].parent {
                Some(parent) => b = parent,
                None => return false,
            }
        };
        (1..self.batches.len()).filter(|b| inside(*b)).collect()
    }

    pub(crate) fn is_collected(&self, batch: usize) -> bool {
        batch != 0 && self.client.status(self.batches[batch].key).is_ok_and(|s| s.state.is_collected())
    }

    fn end(&mut self) {
        let open: Vec<usize> = self.open_batches().into_iter().filter(|b| *b != 0).collect();
        let Some(&batch) = self.random.pick(&open) else { return };
        let key = self.batches[batch].key;
        if self.random.percent(20) {
            self.tasks.ask_boundary(key).unwrap();
        }
        let mut keep = Vec::new();
        if self.random.percent(40) {
            let mine: Vec<usize> = (0..self.objects.len()).filter(|o| self.objects[*o].owner == batch).collect();
            for _ in 0..self.random.below(3) {
                keep.extend(self.random.pick(&mine).copied());
            }
            keep.sort_unstable();
            keep.dedup();
            keep.retain(|o| self.can_move(*o));
        }
        let collect = self.random.percent(75);
        self.note("end", batch as u64, u64::from(collect));
        self.end_now(batch, collect, &keep);
    }

    /// Freed and deleted objects, and those a writer has open, are not given away here.
    fn can_move(&self, object: usize) -> bool {
        let o = &self.objects[object];
        o.id.batch != BatchId::NORMAL && !o.freed && o.writer.is_none() && !o.aborted
    }

    pub(crate) fn end_now(&mut self, batch: usize, collect: bool, keep: &[usize]) {
        let ids: Vec<ObjectId> = keep.iter().map(|o| self.objects[*o].id).collect();
        self.client.end_batch(self.batches[batch].key, collect, &ids, Reason::Closed, "a simulation").unwrap();
        let to = self.batches[batch].parent;
        for &o in keep {
            // whoever the root keeps things for is a batch that never ends: normal mode stands for it
            self.objects[o].owner = to.unwrap_or(0);
        }
        for b in self.within(batch) {
            self.batches[b].ended = true;
        }
    }

    fn cancel_batch(&mut self) {
        let open: Vec<usize> = self.open_batches().into_iter().filter(|b| *b != 0).collect();
        let Some(&batch) = self.random.pick(&open) else { return };
        let key = self.batches[batch].key;
        for b in self.within(batch) {
            self.batches[b].ended = true;
            self.batches[b].cancelled = true;
            for n in 0..self.all.len() {
                if self.all[n].batch == b && !self.all[n].accepted {
                    self.all[n].touched = true;
                }
            }
        }
        let timed_out = self.random.percent(50);
        self.note("cancel batch", batch as u64, u64::from(timed_out));
        if timed_out {
            // what its deadline does, in virtual time
            self.client.end_batch(key, true, &[], Reason::TimedOut, "its deadline").unwrap();
        } else {
            self.client.cancel_batch(key, "a simulation").unwrap();
        }
    }

    fn transfer(&mut self) {
        let open: Vec<usize> = self.open_batches().into_iter().filter(|b| *b != 0).collect();
        let mine: Vec<usize> =
            (0..self.objects.len()).filter(|o| open.contains(&self.objects[*o].owner) && self.can_move(*o)).collect();
        let (Some(&o), Some(&to)) = (self.random.pick(&mine), self.random.pick(&open)) else { return };
        let from = self.objects[o].owner;
        if self.within(to).contains(&from) || to == from {
            return; // it would stay, or goes outwards: an end does that
        }
        let moved =
            self.client.transfer(&[self.objects[o].id], Some(self.batches[from].key), Some(self.batches[to].key));
        self.note("transfer", o as u64, to as u64);
        if moved.is_ok() {
            self.objects[o].owner = to;
        }
    }

    // ---- objects

    fn put(&mut self) {
        let Some(batch) = self.pick_batch() else { return };
        let key = self.batches[batch].key;
        let value = self.random.next();
        let slot = self.client.put(key, Kind::Bytes, &payload(value).as_slice()).unwrap();
        let base = if batch == 0 { self.client.normal_base() } else { key.life };
        let id = ObjectId::from_slot(key.id, base, slot.slot, slot.index);
        self.note("put", batch as u64, self.objects.len() as u64);
        self.add_object(id, None, batch, Some(value));
    }

    pub(crate) fn add_object(&mut self, id: ObjectId, maker: Option<usize>, batch: usize, value: Option<u64>) -> usize {
        self.objects.push(Object { id, maker, batch, owner: batch, value, freed: false, writer: None, aborted: false });
        self.objects.len() - 1
    }

    fn open_writer(&mut self) {
        let Some(batch) = self.pick_batch() else { return };
        let key = self.batches[batch].key;
        let value = self.random.next();
        let bytes = payload(value);
        let (handle, slot) = self.client.create(key, bytes.len() as u64, &[], Kind::Bytes).unwrap();
        let base = if batch == 0 { self.client.normal_base() } else { key.life };
        let id = ObjectId::from_slot(key.id, base, slot.slot, slot.index);
        self.note("write", batch as u64, self.objects.len() as u64);
        let o = self.add_object(id, None, batch, Some(value));
        self.objects[o].writer = Some(handle);
    }

    fn close_writer(&mut self) {
        let open: Vec<usize> = (0..self.objects.len()).filter(|o| self.objects[*o].writer.is_some()).collect();
        let Some(&o) = self.random.pick(&open) else { return };
        let abort = self.random.percent(20);
        self.close_writer_of(o, abort);
    }

    /// Somebody who is no task seals what tasks may wait for.
    pub(crate) fn close_writer_of(&mut self, o: usize, abort: bool) {
        let Some(handle) = self.objects[o].writer.take() else { return };
        self.note("close writer", o as u64, u64::from(abort));
        let value = self.objects[o].value.unwrap();
        if let Ok(writer) = self.client.writer(handle) {
            let sealed = !abort && writer.write(0, &payload(value).as_slice()).is_ok() && writer.seal().is_ok();
            if !sealed {
                let _ = writer.abort();
                self.objects[o].aborted = true;
            }
        }
        self.client.drop_writer(handle);
    }

    /// Makes an object of normal mode anew that no task makes.
    pub(crate) fn write_again(&mut self, o: usize) {
        let object = &self.objects[o];
        if !object.id.batch.is_normal() || object.maker.is_some() || self.is_there(&object.id) {
            return;
        }
        let bytes = payload(object.value.unwrap());
        let handle = self.client.create_with_id(object.id, bytes.len() as u64, &[], Kind::Bytes).unwrap();
        self.objects[o].writer = Some(handle);
        self.objects[o].aborted = false;
        self.close_writer_of(o, false);
    }

    fn free(&mut self, recursive: bool) {
        if self.objects.is_empty() {
            return;
        }
        let some: Vec<usize> = (0..=self.random.below(3)).map(|_| self.random.below(self.objects.len())).collect();
        let some: Vec<usize> =
            some.into_iter().filter(|o| self.objects[*o].writer.is_none() && !self.is_needed_inside(*o)).collect();
        let ids: Vec<ObjectId> = some.iter().map(|o| self.objects[*o].id).collect();
        self.note("free", some.first().map_or(0, |o| *o as u64), u64::from(recursive));
        if recursive {
            let before: Vec<bool> = self.objects.iter().map(|o| self.is_there(&o.id)).collect();
            self.tasks.free_recursive(&self.client, &ids).unwrap();
            for (o, was) in before.iter().enumerate() {
                if *was && !self.is_there(&self.objects[o].id) {
                    self.check_nobody_needs(o, &some);
                    self.objects[o].freed = true;
                }
            }
        } else {
            self.client.free(&ids).unwrap();
        }
        for o in some {
            self.objects[o].freed = true;
        }
        self.look_again();
    }

    /// Who waits was woken when an object was sealed, and finds it lost: it asks for it once more.
    fn look_again(&mut self) {
        for at in self.workers.iter_mut().filter_map(|w| w.at.as_mut()) {
            at.asked = false;
        }
    }

    /// A put of a task that runs: what it submits and waits for may need it, and it can be made again only afterwards.
    fn is_needed_inside(&self, o: usize) -> bool {
        let Some(n) = self.objects[o].maker.filter(|n| !self.all[*n].results.contains(&o)) else { return false };
        self.workers.iter().any(|w| w.at.as_ref().is_some_and(|at| at.work.run.task == self.all[n].task))
    }

    fn evict(&mut self) {
        if (0..self.objects.len()).any(|o| self.objects[o].id.batch.is_normal() && self.is_needed_inside(o)) {
            return;
        }
        let there: Vec<usize> = (0..self.objects.len()).filter(|o| self.objects[*o].id.batch.is_normal()).collect();
        let bytes = 1 + self.random.below(2000) as u64;
        self.note("evict", bytes, 0);
        self.client.evict(bytes).unwrap();
        for o in there {
            self.objects[o].freed |= self.objects[o].writer.is_none() && !self.is_there(&self.objects[o].id);
        }
        self.look_again();
    }

    pub(crate) fn is_there(&self, id: &ObjectId) -> bool {
        self.client.contains(id).unwrap()
    }

    /// Somebody wants an object, whatever became of it.
    fn get(&mut self) {
        if self.objects.is_empty() {
            return;
        }
        let o = self.random.below(self.objects.len());
        let id = self.objects[o].id;
        self.note("get", o as u64, 0);
        if self.is_there(&id) || self.objects[o].aborted {
            return self.check_object(o);
        }
        if self.tasks.remake(&[id]).0 == [Remade::Coming] {
            self.getters.push(Getter { object: o });
        } else {
            assert!(!self.must_be_there(o), "object {o} of {:?} cannot be made again", self.objects[o].maker);
        }
    }

    // ---- tasks

    /// Arguments of any live batch, rarely of others.
    fn pick_args(&mut self) -> Vec<usize> {
        let live: Vec<bool> = (0..self.batches.len()).map(|b| !self.is_collected(b)).collect();
        let mut args = Vec::new();
        for _ in 0..[0, 1, 1, 2, 2, 3, 9][self.random.below(7)] {
            if self.objects.is_empty() {
                break;
            }
            // mostly new ones
            let back = if self.random.percent(70) { self.objects.len().min(12) } else { self.objects.len() };
            let o = self.objects.len() - 1 - self.random.below(back);
            if live[self.objects[o].batch] {
                args.push(o);
            }
        }
        args
    }

    fn submit_any(&mut self) {
        let Some(batch) = self.pick_batch() else { return };
        let args = self.pick_args();
        let mut plan = Vec::new();
        let mut subs = 0;
        for _ in 0..[0, 0, 0, 1, 2, 5][self.random.below(6)] {
            plan.push(match self.random.below(5) {
                0 | 1 => Step::Put,
                2 | 3 if subs < 3 => {
                    subs += 1;
                    Step::Sub(self.random.next())
                }
                _ if subs > 0 => Step::Await(self.random.below(subs)),
                _ => Step::Put,
            });
        }
        let task = self.new_task(batch, TaskKind::Plain, None, args, plan);
        self.submit(task);
    }

    pub(crate) fn new_task(
        &mut self,
        batch: usize,
        kind: TaskKind,
        actor: Option<usize>,
        args: Vec<usize>,
        plan: Vec<Step>,
    ) -> Task {
        let plain = kind == TaskKind::Plain;
        Task {
            task: TaskRef::default(),
            batch,
            kind,
            actor,
            caller: 1 + self.random.below(3) as u64,
            args,
            salt: self.random.next(),
            returns: if plain && self.random.percent(25) { 2 + self.random.below(2) as u16 } else { 1 },
            retries: if plain { self.random.below(3) as u16 } else { 0 },
            cpus: if self.random.percent(10) { 1 + self.random.below(self.slots as usize) as u16 } else { 1 },
            throws: if kind != TaskKind::Checkpoint && self.random.percent(10) {
                1 + self.random.below(3) as u32
            } else {
                0
            },
            threw: 0,
            plan,
            results: Vec::new(),
            puts: BTreeMap::new(),
            subs: BTreeMap::new(),
            blocks: Vec::new(),
            accepted: false,
            touched: false,
            struck: false,
            runs: 0,
            values: None,
        }
    }

    /// Takes ids for a task, and submits it. The task's number, if it was accepted.
    pub(crate) fn submit(&mut self, mut task: Task) -> Option<usize> {
        let key = self.batches[task.batch].key;
        let block = match self.tasks.block(&self.client, key, task.returns.into()) {
            Ok(block) => block,
            Err(e) => {
                assert_eq!(e.code(), ErrorCode::BatchEnded);
                return None;
            }
        };
        self.batches[task.batch].serial = Some(block.serial);
        task.task = TaskRef { serial: block.serial, slot: block.first };
        match self.try_submit(&task, block.base, None) {
            Ok(Submitted::Accepted) => Some(self.accepted(task, block.base)),
            Ok(Submitted::Full { .. }) => None,
            other => {
                let code = other.expect_err("it is new").code();
                let known = [ErrorCode::BatchEnded, ErrorCode::ActorDied, ErrorCode::ObjectCollected];
                assert!(known.contains(&code), "{code:?}");
                None
            }
        }
    }

    pub(crate) fn try_submit(
        &mut self,
        task: &Task,
        _base: u64,
        parent: Option<Run>,
    ) -> raybatch::error::Result<Submitted> {
        let ids: Vec<ObjectId> = task.args.iter().map(|o| self.objects[*o].id).collect();
        let priority = task.salt.is_multiple_of(5).then_some((task.salt >> 8) as i32 % 3);
        let (submitted, _) = self.tasks.submit(&Submission {
            task: task.task,
            kind: task.kind,
            returns: task.returns,
            retries: task.retries,
            cpus: task.cpus,
            priority,
            actor: task.actor.map_or(0, |a| self.actors[a].number),
            caller: task.caller,
            arguments: &ids,
            parent,
        })?;
        Ok(submitted)
    }

    /// Notes a task that the table took.
    pub(crate) fn accepted(&mut self, mut task: Task, base: u64) -> usize {
        let n = self.all.len();
        let batch = task.batch;
        for index in 0..task.returns {
            let id = ObjectId::new(self.batches[batch].key.id, base.wrapping_add(task.task.slot), index.into());
            task.results.push(self.add_object(id, Some(n), batch, None));
        }
        for &o in &task.args {
            if self.objects[o].maker.is_some() && self.objects[o].batch != batch {
                self.took.insert((batch, self.objects[o].batch, o));
            }
        }
        self.note("submit", n as u64, batch as u64);
        if std::env::var("RAYBATCH_TRACE").is_ok() {
            eprintln!(
                "  task {n} {:?}: args {:?} plan {:?} results {:?} actor {:?}",
                task.kind, task.args, task.plan, task.results, task.actor
            );
        }
        self.by_ref.insert(task.task, n);
        self.all.push(task);
        n
    }

    // ---- actors

    fn make_actor(&mut self) {
        let Some(batch) = self.pick_batch() else { return };
        let Ok(block) = self.tasks.block(&self.client, self.batches[batch].key, 1) else { return };
        self.batches[batch].serial = Some(block.serial);
        let creation = TaskRef { serial: block.serial, slot: block.first };
        let policies = [
            CheckpointPolicy::Never,
            CheckpointPolicy::Boundary,
            CheckpointPolicy::Transition,
            CheckpointPolicy::Every(3),
            CheckpointPolicy::Balanced,
        ];
        let fault_tolerant = self.random.percent(85);
        let checkpointable = self.random.percent(80);
        let policy = *self.random.pick(&policies).unwrap();
        let restarts = self.random.percent(15).then(|| self.random.below(3) as u32);
        let spec = ActorSpec {
            creation,
            name: String::new(),
            restarts,
            fault_tolerant: Some(fault_tolerant),
            checkpointable,
            policy,
        };
        let number = self.tasks.new_actor(&self.client, spec).unwrap();
        self.note("actor", number.into(), batch as u64);
        self.actors.push(Actor {
            number,
            owner: batch,
            creation: usize::MAX,
            fault_tolerant,
            checkpointable,

            state: 0,
            chain: Vec::new(),
            before: BTreeMap::new(),
            may_die: restarts.is_some() || !fault_tolerant,
            lost: false,
            fell_back: false,
        });
        let actor = self.actors.len() - 1;
        let args = self.pick_args();
        let mut task = self.new_task(batch, TaskKind::Creation, Some(actor), args, Vec::new());
        task.task = creation;
        if self.random.percent(80) {
            task.throws = 0;
        }
        let taken = self.try_submit(&task, block.base, None);
        if let Ok(Submitted::Accepted) = taken {
            self.actors[actor].creation = self.accepted(task, block.base);
        } else {
            // nobody constructs it
            self.actors[actor].may_die = true;
            self.tasks.kill_actor(number, true, "a simulation");
        }
    }

    fn call_any(&mut self) {
        if self.actors.is_empty() {
            return;
        }
        let Some(batch) = self.pick_batch() else { return };
        let actor = self.actors.len() - 1 - self.random.below(self.actors.len().min(4));
        let args = if self.random.percent(40) { self.pick_args() } else { Vec::new() };
        let plan = if self.random.percent(15) { vec![Step::Put] } else { Vec::new() };
        let task = self.new_task(batch, TaskKind::Method, Some(actor), args, plan);
        self.submit(task);
    }

    fn checkpoint(&mut self) {
        let some: Vec<usize> = (0..self.actors.len()).filter(|a| self.actors[*a].checkpointable).collect();
        let (Some(&actor), Some(batch)) = (self.random.pick(&some), self.pick_batch()) else { return };
        let task = self.new_task(batch, TaskKind::Checkpoint, Some(actor), Vec::new(), Vec::new());
        self.submit(task);
    }

    fn kill(&mut self) {
        if self.actors.is_empty() {
            return;
        }
        let actor = self.random.below(self.actors.len());
        let for_good = self.random.percent(15);
        self.actors[actor].lost = true;
        let creation = self.actors[actor].creation;
        if for_good || self.all.get(creation).is_none_or(|c| !c.accepted) {
            self.actors[actor].may_die = true;
        }
        self.note("kill", actor as u64, u64::from(for_good));
        self.tasks.kill_actor(self.actors[actor].number, for_good, "a simulation");
    }

    fn cancel_actor(&mut self) {
        if self.actors.is_empty() {
            return;
        }
        let actor = self.random.below(self.actors.len());
        let creation = self.actors[actor].creation;
        for n in 0..self.all.len() {
            if self.all[n].actor == Some(actor) && !self.all[n].accepted && n != creation {
                self.all[n].touched = true;
            }
        }
        self.actors[actor].lost = true;
        self.note("cancel actor", actor as u64, 0);
        self.tasks.cancel_actor(self.actors[actor].number, "a simulation");
    }

    fn cancel(&mut self) {
        let waiting: Vec<usize> = (0..self.all.len()).filter(|n| !self.all[*n].accepted).collect();
        let Some(&n) = self.random.pick(&waiting) else { return };
        let result = self.all[n].results[0];
        self.all[n].touched = true;
        self.lose_for(n);
        // and what it submitted
        let mut above = vec![n];
        while let Some(parent) = above.pop() {
            let subs: Vec<usize> = self.all[parent].subs.values().copied().collect();
            for &sub in &subs {
                self.all[sub].touched |= !self.all[sub].accepted;
            }
            above.extend(subs);
        }
        self.note("cancel", n as u64, 0);
        self.tasks.cancel(&self.objects[result].id, "a simulation");
    }

    /// A task of an actor is broken off, perhaps in the middle.
    pub(crate) fn lose_for(&mut self, n: usize) {
        if let Some(actor) = self.all[n].actor {
            self.actors[actor].lost = true;
            self.actors[actor].may_die |= self.actors[actor].creation == n;
        }
    }

    fn keep_actor(&mut self) {
        let open = self.open_batches();
        let some: Vec<usize> = (0..self.actors.len()).filter(|a| open.contains(&self.actors[*a].owner)).collect();
        let Some(&actor) = self.random.pick(&some).filter(|a| self.actors[**a].owner != 0) else { return };
        let from = self.actors[actor].owner;
        let to = self.batches[from].parent;
        self.note("keep actor", actor as u64, from as u64);
        let kept = self.tasks.keep_actors(&self.client, &[self.actors[actor].number], self.batches[from].key, None);
        match kept {
            Ok(()) => self.actors[actor].owner = to.unwrap_or(0),
            Err(e) => assert!(e.code() == ErrorCode::NotOwner, "it can only be dead: {e}"),
        }
    }

    fn rollback(&mut self) {
        let open: Vec<usize> = self.open_batches().into_iter().filter(|b| *b != 0).collect();
        let some: Vec<usize> = open.into_iter().filter(|b| self.batches[*b].checkpoint_actors).collect();
        let Some(&batch) = self.random.pick(&some) else { return };
        let done = self.tasks.rollback(self.batches[batch].key);
        self.note("rollback", batch as u64, u64::from(done.is_ok()));
        match done {
            Ok(_) => self.rolled_back(batch),
            Err(e) => assert!(matches!(e.code(), ErrorCode::BatchActive | ErrorCode::RollbackRefused), "{e}"),
        }
    }

    /// How long a virtual run took.
    pub(crate) fn nanos(&mut self) -> u64 {
        Duration::from_micros(1 + self.random.below(300) as u64).as_nanos() as u64
    }
}
