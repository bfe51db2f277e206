//! A store with a table of tasks, and a worker that runs functions of numbers by hand.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use raybatch::batch::{BatchKey, BatchSpec, Client, Reason};
use raybatch::config::Config;
use raybatch::error::Error;
use raybatch::id::ObjectId;
use raybatch::store::Kind;
use raybatch::task::{
    ActorSpec, CheckpointPolicy, Ending, Outcome, Run, Submission, Submitted, TaskKind, TaskRef, Tasks, Work, WorkKind,
};

/// What a task does with its arguments and, on an actor, with its state.
pub(crate) type Function = Arc<dyn Fn(&mut i64, &[i64]) -> Result<i64, String> + Send + Sync>;

/// See the module.
pub(crate) struct Lab {
    pub(crate) client: Arc<Client>,
    pub(crate) tasks: Arc<Tasks>,
    functions: HashMap<TaskRef, Function>,
    /// (actor, instance) → its state
    pub(crate) instances: HashMap<(u32, u32), i64>,
    /// runs so far, of each task
    pub(crate) runs: HashMap<TaskRef, u32>,
    caller: u64,
    /// tokens that were woken
    pub(crate) woken: Arc<Mutex<Vec<u64>>>,
}

/// A submitted task and the id of its result.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Made {
    pub(crate) task: TaskRef,
    pub(crate) id: ObjectId,
}

impl Lab {
    pub(crate) fn new(size: u64, slots: u32) -> Lab {
        Lab::with_pending(size, slots, 1 << 21)
    }

    pub(crate) fn with_pending(size: u64, slots: u32, max_pending: u64) -> Lab {
        let client = Client::open(&Config::sized(size).expect("a size")).expect("a store");
        let waker = Arc::downgrade(&client);
        let woken = Arc::new(Mutex::new(Vec::new()));
        let list = Arc::clone(&woken);
        client.store().notifier().set_waker(Box::new(move |token| {
            list.lock().expect("a list").push(token);
            if let Some(client) = waker.upgrade() {
                client.pass_on(token);
            }
        }));
        let tasks = Tasks::start(&client, slots, max_pending).expect("a table");
        Lab {
            client,
            tasks,
            functions: HashMap::new(),
            instances: HashMap::new(),
            runs: HashMap::new(),
            caller: 1,
            woken,
        }
    }

    pub(crate) fn batch(&self) -> BatchKey {
        self.client.start_batch(BatchSpec::default(), "a test").expect("a batch")
    }

    pub(crate) fn batch_of(&self, spec: BatchSpec) -> BatchKey {
        self.client.start_batch(spec, "a test").expect("a batch")
    }

    /// Collects a batch, or has it collected when its last task is over.
    pub(crate) fn close(&self, key: BatchKey) {
        self.client.end_batch(key, true, &[], Reason::Closed, "a test").expect("an end");
    }

    pub(crate) fn function(f: impl Fn(&[i64]) -> i64 + Send + Sync + 'static) -> Function {
        Arc::new(move |_, arguments| Ok(f(arguments)))
    }

    pub(crate) fn method(f: impl Fn(&mut i64, &[i64]) -> i64 + Send + Sync + 'static) -> Function {
        Arc::new(move |state, arguments| Ok(f(state, arguments)))
    }

    /// Callers keep their order on an actor; each has a number.
    pub(crate) fn as_caller(&mut self, caller: u64) {
        self.caller = caller;
    }

    pub(crate) fn submit(&mut self, key: BatchKey, arguments: &[ObjectId], f: Function) -> Made {
        self.try_submit(key, TaskKind::Plain, 0, arguments, f).expect("a task")
    }

    pub(crate) fn call(&mut self, key: BatchKey, actor: u32, arguments: &[ObjectId], f: Function) -> Made {
        self.try_submit(key, TaskKind::Method, actor, arguments, f).expect("a task of an actor")
    }

    pub(crate) fn checkpoint(&mut self, key: BatchKey, actor: u32) -> Made {
        self.try_submit(key, TaskKind::Checkpoint, actor, &[], Lab::function(|_| 0)).expect("a checkpoint")
    }

    pub(crate) fn actor(&mut self, key: BatchKey, policy: CheckpointPolicy, initial: i64) -> u32 {
        self.actor_with(key, policy, initial, &[])
    }

    pub(crate) fn actor_with(
        &mut self,
        key: BatchKey,
        policy: CheckpointPolicy,
        initial: i64,
        arguments: &[ObjectId],
    ) -> u32 {
        let spec = |creation| ActorSpec {
            creation,
            name: "counter".into(),
            restarts: None,
            fault_tolerant: Some(true),
            checkpointable: true,
            policy,
        };
        self.create(key, spec, initial, arguments)
    }

    pub(crate) fn actor_of(&mut self, key: BatchKey, spec: impl FnOnce(TaskRef) -> ActorSpec, initial: i64) -> u32 {
        self.create(key, spec, initial, &[])
    }

    fn create(
        &mut self,
        key: BatchKey,
        spec: impl FnOnce(TaskRef) -> ActorSpec,
        initial: i64,
        arguments: &[ObjectId],
    ) -> u32 {
        let block = self.tasks.block(&self.client, key, 1).expect("a block");
        let task = TaskRef { serial: block.serial, slot: block.first };
        let actor = self.tasks.new_actor(&self.client, spec(task)).expect("an actor");
        self.functions.insert(
            task,
            Lab::method(move |state, _| {
                *state = initial;
                0
            }),
        );
        let submitted = self.tasks.submit(&self.submission(task, TaskKind::Creation, actor, arguments));
        assert_eq!(submitted.expect("a creation").0, Submitted::Accepted);
        actor
    }

    fn submission<'a>(&self, task: TaskRef, kind: TaskKind, actor: u32, arguments: &'a [ObjectId]) -> Submission<'a> {
        let caller = self.caller;
        Submission {
            task,
            kind,
            returns: 1,
            retries: 0,
            cpus: 1,
            priority: None,
            actor,
            caller,
            arguments,
            parent: None,
        }
    }

    pub(crate) fn try_submit(
        &mut self,
        key: BatchKey,
        kind: TaskKind,
        actor: u32,
        arguments: &[ObjectId],
        f: Function,
    ) -> Result<Made, Error> {
        let block = self.tasks.block(&self.client, key, 1)?;
        let task = TaskRef { serial: block.serial, slot: block.first };
        self.functions.insert(task, f);
        self.tasks.submit(&self.submission(task, kind, actor, arguments))?;
        Ok(Made { task, id: ObjectId::new(key.id, block.base.wrapping_add(block.first), 0) })
    }

    pub(crate) fn take(&self) -> Option<Work> {
        self.tasks.take(None, 1).0.first().copied()
    }

    /// Reads a number; `None` when it is not there.
    pub(crate) fn read(&self, id: &ObjectId) -> Option<i64> {
        let mut bytes = Vec::new();
        match self.client.get(id, &mut bytes) {
            Ok(Some(Kind::Failure)) => None,
            Ok(Some(_)) => Some(i64::from_le_bytes(bytes.try_into().expect("a number"))),
            _ => None,
        }
    }

    /// What a failed object says: its tag, and the text behind it.
    pub(crate) fn failure(&self, id: &ObjectId) -> Option<(u8, String)> {
        let mut bytes = Vec::new();
        match self.client.get(id, &mut bytes) {
            Ok(Some(Kind::Failure)) if !bytes.is_empty() => {
                let text = String::from_utf8_lossy(&bytes[1..]).into_owned();
                Some((bytes[0], text))
            }
            _ => None,
        }
    }

    /// Runs a piece of work to its end.
    pub(crate) fn run(&mut self, work: &Work) {
        *self.runs.entry(work.run.task).or_default() += 1;
        let at = (work.actor, work.instance);
        let outcome = match work.kind {
            WorkKind::Save => Ok(self.instances[&at]),
            WorkKind::Restore => {
                let checkpoint = self.tasks.arguments(work.run)[0];
                let state = self.read(&checkpoint).expect("a checkpoint");
                self.instances.insert(at, state);
                Ok(0)
            }
            WorkKind::Run | WorkKind::Construct | WorkKind::Method => {
                let ids = self.tasks.arguments(work.run);
                let arguments: Option<Vec<i64>> = ids.iter().map(|id| self.read(id)).collect();
                let Some(arguments) = arguments else { return self.report(work.run, Ending::LostArgument, 0) };
                let f = Arc::clone(&self.functions[&work.run.task]);
                f(self.instances.entry(at).or_default(), &arguments)
            }
        };
        match outcome {
            Ok(value) => self.report(work.run, Ending::Value, value),
            Err(what) => self.throw(work.run, &what),
        }
    }

    pub(crate) fn report(&self, run: Run, ending: Ending, value: i64) {
        let bytes = value.to_le_bytes();
        self.tasks.complete(&[Outcome { run, ending, kind: Kind::Bytes, bytes: &bytes, nanos: 1000 }]);
    }

    pub(crate) fn throw(&self, run: Run, what: &str) {
        let mut bytes = vec![1];
        bytes.extend_from_slice(what.as_bytes());
        self.tasks.complete(&[Outcome { run, ending: Ending::Threw, kind: Kind::Failure, bytes: &bytes, nanos: 1000 }]);
    }

    /// Runs all there is to run.
    pub(crate) fn run_all(&mut self) {
        while let Some(work) = self.take() {
            self.run(&work);
        }
    }

    /// Bytes the store has lent.
    pub(crate) fn used(&self) -> u64 {
        self.client.stats().expect("open").store.used
    }
}

/// A task that takes nothing and returns one value, to be submitted otherwise than the laboratory does it.
pub(crate) fn plain(task: TaskRef) -> Submission<'static> {
    Submission {
        task,
        kind: TaskKind::Plain,
        returns: 1,
        retries: 0,
        cpus: 1,
        priority: None,
        actor: 0,
        caller: 1,
        arguments: &[],
        parent: None,
    }
}

/// A task that makes 1.
pub(crate) fn one(lab: &mut Lab, key: BatchKey) -> Made {
    lab.submit(key, &[], Lab::function(|_| 1))
}

/// A task that adds its arguments up.
pub(crate) fn sum(lab: &mut Lab, key: BatchKey, arguments: &[ObjectId]) -> Made {
    lab.submit(key, arguments, Lab::function(|a| a.iter().sum()))
}

/// A task of an actor that counts.
pub(crate) fn increment(lab: &mut Lab, key: BatchKey, actor: u32) -> Made {
    let method = |state: &mut i64, _: &[i64]| {
        *state += 1;
        *state
    };
    lab.call(key, actor, &[], Lab::method(method))
}
