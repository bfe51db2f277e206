//! The table with several threads, under shuttle: who submits, works, cancels, ends, wants, and writes what others wait for.
//!
//! Run with `RUSTFLAGS="--cfg shuttle" cargo test --lib --target-dir target/shuttle task::models`. A schedule that fails is
//! printed; `shuttle::replay` with it runs it again.
//!
//! The table's locks are shuttle's, so that threads take turns wherever one is taken; the store's are not, and are never held
//! there. A worker without work sleeps until it is told of some, and a waiter until it is woken: whoever is forgotten
//! sleeps for ever, which shuttle sees.

use std::sync::Arc;

use shuttle::sync::{Condvar, Mutex};
use shuttle::thread::{self, JoinHandle};

use super::tasks::{Flags, Tasks};
use super::types::{
    ActorSpec, CheckpointPolicy, Ending, Outcome, Submission, Submitted, TaskKind, TaskRef, Work, WorkKind,
};
use crate::batch::{BatchKey, BatchSpec, Client, Reason};
use crate::config::Config;
use crate::error::ErrorCode;
use crate::id::{BatchId, ObjectId};
use crate::store::Kind;

/// Schedules of each model.
const SCHEDULES: usize = 1000;

/// Wakes all who sleep.
#[derive(Default)]
struct Bell {
    state: Mutex<Rung>,
    rung: Condvar,
}

#[derive(Clone, Copy, Default)]
struct Rung {
    times: u64,
    closed: bool,
}

impl Bell {
    fn ring(&self) {
        self.state.lock().unwrap().times += 1;
        self.rung.notify_all();
    }

    fn times(&self) -> u64 {
        self.state.lock().unwrap().times
    }

    /// Sleeps until it rings for another time than these; false when it is closed.
    fn sleep(&self, times: u64) -> bool {
        let mut state = self.state.lock().unwrap();
        while state.times == times && !state.closed {
            state = self.rung.wait(state).unwrap();
        }
        !state.closed
    }

    fn close(&self) {
        self.state.lock().unwrap().closed = true;
        self.rung.notify_all();
    }
}

/// A store, its table, and who is told.
#[derive(Clone)]
struct House {
    client: Arc<Client>,
    tasks: Arc<Tasks>,
    bell: Arc<Bell>,
    /// what (actor, instance) count
    counters: Arc<Mutex<std::collections::BTreeMap<(u32, u32), u64>>>,
}

impl House {
    fn open() -> House {
        let client = Client::open(&Config::sized(1 << 20).unwrap()).unwrap();
        let bell = Arc::new(Bell::default());
        let (waker, ring) = (Arc::downgrade(&client), Arc::clone(&bell));
        client.store().notifier().set_waker(Box::new(move |token| {
            if !waker.upgrade().is_some_and(|client| client.pass_on(token)) {
                ring.ring();
            }
        }));
        let tasks = Tasks::start(&client, 2, 100).unwrap();
        let ring = Arc::clone(&bell);
        tasks.on_alert(Box::new(move || ring.ring()));
        House { client, tasks, bell, counters: Arc::default() }
    }

    fn batch(&self) -> BatchKey {
        self.client.start_batch(BatchSpec::default(), "a model").unwrap()
    }

    fn tell(&self, flags: Flags) {
        if flags.ready > 0 || flags.orders {
            self.bell.ring();
        }
    }

    fn block(&self, key: BatchKey) -> (TaskRef, ObjectId) {
        let block = self.tasks.block(&self.client, key, 1).unwrap();
        let task = TaskRef { serial: block.serial, slot: block.first };
        (task, ObjectId::new(key.id, block.base.wrapping_add(block.first), 0))
    }

    /// None when its batch ended before, or one whose object it takes, or its actor died.
    fn submit_as(&self, task: TaskRef, kind: TaskKind, actor: u32, arguments: &[ObjectId]) -> bool {
        let submission = Submission {
            task,
            kind,
            returns: 1,
            retries: 0,
            cpus: 1,
            priority: None,
            actor,
            caller: 1,
            arguments,
            parent: None,
        };
        match self.tasks.submit(&submission) {
            Ok((submitted, flags)) => {
                assert_eq!(submitted, Submitted::Accepted);
                self.tell(flags);
                true
            }
            Err(e) => {
                let known = [ErrorCode::BatchEnded, ErrorCode::ObjectCollected, ErrorCode::ActorDied];
                assert!(known.contains(&e.code()), "{e}");
                false
            }
        }
    }

    /// A task that returns the sum of what it takes, and one.
    fn submit(&self, key: BatchKey, arguments: &[ObjectId]) -> Option<ObjectId> {
        let Ok(block) = self.tasks.block(&self.client, key, 1) else { return None };
        let task = TaskRef { serial: block.serial, slot: block.first };
        let id = ObjectId::new(key.id, block.base.wrapping_add(block.first), 0);
        self.submit_as(task, TaskKind::Plain, 0, arguments).then_some(id)
    }

    fn actor(&self, key: BatchKey, policy: CheckpointPolicy) -> u32 {
        let (creation, _) = self.block(key);
        let spec = ActorSpec {
            creation,
            name: String::new(),
            restarts: None,
            fault_tolerant: Some(true),
            checkpointable: true,
            policy,
        };
        let actor = self.tasks.new_actor(&self.client, spec).unwrap();
        assert!(self.submit_as(creation, TaskKind::Creation, actor, &[]));
        actor
    }

    /// A task that counts its actor up and returns the count.
    fn count(&self, key: BatchKey, actor: u32) -> Option<ObjectId> {
        let Ok(block) = self.tasks.block(&self.client, key, 1) else { return None };
        let task = TaskRef { serial: block.serial, slot: block.first };
        let id = ObjectId::new(key.id, block.base.wrapping_add(block.first), 0);
        self.submit_as(task, TaskKind::Method, actor, &[]).then_some(id)
    }

    fn read(&self, id: &ObjectId) -> Option<u64> {
        let mut bytes = Vec::new();
        match self.client.get(id, &mut bytes) {
            Ok(Some(Kind::Bytes)) => Some(u64::from_le_bytes(bytes.try_into().unwrap())),
            _ => None,
        }
    }

    fn is_there(&self, id: &ObjectId) -> bool {
        self.client.contains(id).unwrap()
    }

    // ---- threads

    /// A worker, until the bell is closed.
    fn worker(&self) -> JoinHandle<()> {
        let house = self.clone();
        thread::spawn(move || {
            loop {
                let times = house.bell.times();
                house.drop_instances();
                let (bulk, _) = house.tasks.take(None, 2);
                for work in &bulk {
                    house.run(work);
                }
                if bulk.is_empty() && !house.bell.sleep(times) {
                    return;
                }
            }
        })
    }

    fn drop_instances(&self) {
        for order in self.tasks.orders() {
            if let super::types::Order::DropInstance { actor, instance } = order {
                self.counters.lock().unwrap().remove(&(actor, instance));
            }
        }
    }

    fn run(&self, work: &Work) {
        let ids = self.tasks.arguments(work.run);
        let at = (work.actor, work.instance);
        let values: Option<Vec<u64>> = ids.iter().map(|id| self.read(id)).collect();
        thread::yield_now();
        let mut counters = self.counters.lock().unwrap();
        let value = match (work.kind, values) {
            (WorkKind::Save, _) => counters.get(&at).copied(),
            (WorkKind::Construct, _) => {
                counters.insert(at, 0);
                Some(0)
            }
            (WorkKind::Restore, Some(values)) => {
                counters.insert(at, values[0]);
                Some(0)
            }
            (WorkKind::Method, Some(_)) => counters.get_mut(&at).map(|count| {
                *count += 1;
                *count
            }),
            (WorkKind::Run, Some(values)) => Some(values.iter().sum::<u64>() + 1),
            (WorkKind::Run | WorkKind::Method | WorkKind::Restore, None) => {
                drop(counters);
                return self.report(work, Ending::LostArgument, 0);
            }
        };
        drop(counters);
        match value {
            Some(value) => self.report(work, Ending::Value, value),
            None => self.report(work, Ending::ThrewForGood, 0),
        }
    }

    fn report(&self, work: &Work, ending: Ending, value: u64) {
        let kind = if ending == Ending::Value { Kind::Bytes } else { Kind::Failure };
        let bytes = value.to_le_bytes();
        self.tell(self.tasks.complete(&[Outcome { run: work.run, ending, kind, bytes: &bytes, nanos: 1000 }]));
    }

    /// Sleeps until an object is there, or never will be.
    fn wait_for(&self, id: &ObjectId, token: u64) {
        loop {
            let times = self.bell.times();
            self.client.watch(&[*id], token).unwrap();
            if !matches!(self.client.get(id, &mut Vec::new()), Ok(None)) {
                return;
            }
            assert!(self.bell.sleep(times));
        }
    }

    /// Sleeps until a batch is over.
    fn wait_for_batch(&self, key: BatchKey, token: u64) {
        loop {
            let times = self.bell.times();
            self.client.watch_batch(key, token).unwrap();
            if self.client.batch_over(key).unwrap().is_some() {
                return;
            }
            assert!(self.bell.sleep(times));
        }
    }

    fn end(&self, key: BatchKey) {
        self.client.end_batch(key, true, &[], Reason::Closed, "a model").unwrap();
    }

    /// All is over: the workers go, and nothing is left.
    fn leave(&self, workers: Vec<JoinHandle<()>>) {
        self.bell.close();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
        assert_eq!(self.tasks.figures(), (0, 0));
        self.client.audit().unwrap();
    }
}

fn check(model: impl Fn() + Send + Sync + 'static) {
    shuttle::check_random(model, SCHEDULES);
}

#[test]
fn the_end_of_a_batch_and_its_last_task() {
    check(|| {
        let house = House::open();
        let b = house.batch();
        let workers = vec![house.worker(), house.worker()];
        let x = house.submit(b, &[]).unwrap();
        let (ender, submitter) = (house.clone(), house.clone());
        let ender = thread::spawn(move || ender.end(b));
        let submitter = thread::spawn(move || submitter.submit(b, &[x, x]));
        ender.join().unwrap();
        let _ = submitter.join().unwrap();
        house.wait_for_batch(b, 7);
        house.leave(workers);
    });
}

#[test]
fn a_cancel_and_the_end_of_what_it_cancels() {
    check(|| {
        let house = House::open();
        let b = house.batch();
        let workers = vec![house.worker()];
        let x = house.submit(b, &[]).unwrap();
        let y = house.submit(b, &[x]).unwrap();
        let canceller = house.clone();
        let canceller = thread::spawn(move || canceller.tell(canceller.tasks.cancel(&x, "a model").1));
        house.wait_for(&y, 7);
        canceller.join().unwrap();
        let (of_x, of_y) = (house.read(&x), house.read(&y));
        assert!((of_x, of_y) == (Some(1), Some(2)) || (of_x, of_y) == (None, None), "{of_x:?} {of_y:?}");
        house.end(b);
        house.wait_for_batch(b, 8);
        house.leave(workers);
    });
}

#[test]
fn a_task_and_who_seals_or_aborts_what_it_waits_for() {
    for abort in [false, true] {
        check(move || {
            let house = House::open();
            let b = house.batch();
            let workers = vec![house.worker()];
            let (handle, slot) = house.client.create(b, 8, &[], Kind::Bytes).unwrap();
            let x = ObjectId::from_slot(b.id, b.life, slot.slot, slot.index);
            let writer = house.clone();
            let writer = thread::spawn(move || {
                let unsealed = writer.client.writer(handle).unwrap();
                thread::yield_now();
                if abort {
                    unsealed.abort().unwrap();
                } else {
                    unsealed.write(0, &&41u64.to_le_bytes()[..]).unwrap();
                    unsealed.seal().unwrap();
                }
                drop(unsealed);
                writer.client.drop_writer(handle);
            });
            let submitter = house.clone();
            let submitter = thread::spawn(move || submitter.submit(b, &[x, x]).unwrap());
            let y = house.submit(b, &[x]).unwrap();
            house.wait_for(&y, 7);
            let z = submitter.join().unwrap();
            house.wait_for(&z, 8);
            writer.join().unwrap();
            let expected = if abort { (None, None) } else { (Some(42), Some(83)) };
            assert_eq!((house.read(&y), house.read(&z)), expected);
            house.end(b);
            house.wait_for_batch(b, 9);
            house.leave(workers);
        });
    }
}

#[test]
fn two_who_want_what_a_third_frees() {
    check(|| {
        let house = House::open();
        let b = house.batch();
        let workers = vec![house.worker()];
        let x = house.submit(b, &[]).unwrap();
        let y = house.submit(b, &[x]).unwrap();
        house.wait_for(&y, 7);
        let freer = house.clone();
        let freer = thread::spawn(move || {
            freer.client.free(&[x, y]).unwrap();
            thread::yield_now();
            freer.submit(b, &[y]).unwrap()
        });
        let getters: Vec<_> = [x, y]
            .into_iter()
            .zip([8, 9])
            .map(|(id, token)| {
                let house = house.clone();
                thread::spawn(move || {
                    // as a get of Java's does: it watches, looks, and asks for what is lost
                    loop {
                        let times = house.bell.times();
                        house.client.watch(&[id], token).unwrap();
                        if house.is_there(&id) {
                            return;
                        }
                        house.tell(house.tasks.remake(&[id]).1);
                        if house.is_there(&id) {
                            return;
                        }
                        assert!(house.bell.sleep(times));
                    }
                })
            })
            .collect();
        let z = freer.join().unwrap();
        house.wait_for(&z, 10);
        getters.into_iter().for_each(|getter| getter.join().unwrap());
        assert_eq!(house.read(&z), Some(3));
        house.end(b);
        house.wait_for_batch(b, 11);
        house.leave(workers);
    });
}

#[test]
fn an_actor_that_is_killed_while_it_counts() {
    check(|| {
        let house = House::open();
        let b = house.batch();
        let workers = vec![house.worker(), house.worker()];
        let actor = house.actor(b, CheckpointPolicy::Never);
        let first = house.count(b, actor).unwrap();
        house.wait_for(&first, 6);
        let killer = house.clone();
        let killer = thread::spawn(move || killer.tell(killer.tasks.kill_actor(actor, false, "a model").1));
        let second = house.count(b, actor).unwrap();
        let third = house.count(b, actor).unwrap();
        house.wait_for(&third, 7);
        killer.join().unwrap();
        let last = house.count(b, actor).unwrap();
        house.wait_for(&last, 8);
        let counts: Vec<_> = [first, second, third, last].iter().filter_map(|id| house.read(id)).collect();
        assert!(counts.len() >= 3, "one kill costs one task: {counts:?}");
        assert_eq!(counts, (1..=counts.len() as u64).collect::<Vec<_>>());
        house.end(b);
        house.wait_for_batch(b, 9);
        house.leave(workers);
    });
}

#[test]
fn two_batches_on_one_actor_end_at_once() {
    check(|| {
        let house = House::open();
        let home = house.batch();
        let workers = vec![house.worker()];
        let actor = house.actor(home, CheckpointPolicy::Boundary);
        let batches = [house.batch(), house.batch()];
        let users: Vec<_> = batches
            .into_iter()
            .map(|b| {
                let house = house.clone();
                thread::spawn(move || {
                    let counts = [house.count(b, actor), house.count(b, actor)];
                    house.end(b);
                    counts.iter().flatten().count()
                })
            })
            .collect();
        let counted: usize = users.into_iter().map(|user| user.join().unwrap()).sum();
        house.wait_for_batch(batches[0], 7);
        house.wait_for_batch(batches[1], 8);
        let last = house.count(home, actor).unwrap();
        house.wait_for(&last, 9);
        assert_eq!(house.read(&last), Some(counted as u64 + 1));
        house.end(home);
        house.wait_for_batch(home, 10);
        house.leave(workers);
    });
}

#[test]
fn a_batch_that_is_cancelled_while_it_gets_more() {
    check(|| {
        let house = House::open();
        let b = house.batch();
        let workers = vec![house.worker()];
        let x = house.submit(b, &[]).unwrap();
        let (canceller, submitter) = (house.clone(), house.clone());
        let canceller = thread::spawn(move || canceller.client.cancel_batch(b, "a model").unwrap());
        let submitter = thread::spawn(move || {
            let y = submitter.submit(b, &[x]);
            let z = y.and_then(|y| submitter.submit(b, &[y, x]));
            z.inspect(|z| submitter.wait_for(z, 7))
        });
        submitter.join().unwrap();
        canceller.join().unwrap();
        house.wait_for_batch(b, 8);
        house.leave(workers);
    });
}

#[test]
fn a_dependent_and_the_end_of_what_it_depends_on() {
    check(|| {
        let house = House::open();
        let (a, b) = (house.batch(), house.batch());
        let workers = vec![house.worker()];
        let x = house.submit(a, &[]).unwrap();
        house.wait_for(&x, 7);
        let (ender, submitter) = (house.clone(), house.clone());
        let ender = thread::spawn(move || ender.end(a));
        let submitter = thread::spawn(move || submitter.submit(b, &[x]));
        // it was taken note of before the records went; or before the object did, and found that gone; or it was refused
        if let Some(y) = submitter.join().unwrap() {
            house.wait_for(&y, 8);
            assert!(matches!(house.read(&y), Some(2) | None));
        }
        ender.join().unwrap();
        house.end(b);
        house.wait_for_batch(b, 9);
        house.leave(workers);
    });
}

#[test]
fn normal_mode_is_no_batch_and_keeps_its_records() {
    check(|| {
        let house = House::open();
        let workers = vec![house.worker(), house.worker()];
        let key = BatchKey { id: BatchId::NORMAL, life: 0 };
        let threads: Vec<_> = (0..2)
            .map(|n| {
                let house = house.clone();
                thread::spawn(move || {
                    let x = house.submit(key, &[]).unwrap();
                    let y = house.submit(key, &[x]).unwrap();
                    house.wait_for(&y, 7 + n);
                    assert_eq!(house.read(&y), Some(2));
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        house.bell.close();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
        assert_eq!(house.tasks.figures().0, 1);
        house.client.audit().unwrap();
    });
}
