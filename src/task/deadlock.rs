//! Waits that can never end, and what a wait is for.
//!
//! A run that blocks says what it waits for: objects, of which it needs so many, or the end of a batch. Together with what
//! the table knows of tasks that have not begun (their arguments, the order of their caller, the actor they are for) that is
//! a graph of who waits for whom. Each block adds one edge, and only a block can close a cycle: so the graph is searched
//! from the run that is about to block, and nothing is kept up to date in between.
//!
//! A task can go on unless something it needs cannot. A task that runs, or is ready to, can; so can whatever the table does
//! not see through: objects that no task makes, threads that wait elsewhere, waits with a timeout, an actor's rebuilding. Only
//! a wait that cannot end otherwise fails.

use std::collections::VecDeque;
use std::fmt::Write as _;

use hashbrown::{HashMap, HashSet};

use super::core::{Core, Effects};
use super::record::{CREATION, UNWINDING};
use super::state::TaskState;
use super::table::BatchTable;
use super::types::{Awaits, Run, TaskRef};
use crate::batch::{BatchKey, Presence};
use crate::error::{Error, ErrorCode, Result};
use crate::id::{BatchId, ObjectId};

/// A search that meets more tasks gives no verdict.
const MOST_TASKS: usize = 4096;
/// Nor does one of a wait for the end of a batch with more slots for tasks.
const MOST_SLOTS: usize = 1 << 16;
/// As many tasks behind one another a description shows.
const MOST_SHOWN: usize = 8;

/// What a blocked run waits for.
pub(super) struct Await {
    attempt: u32,
    what: What,
}

enum What {
    Objects { ids: Vec<ObjectId>, needed: usize, timed: bool },
    Batch(BatchKey),
}

/// Why a task needs another one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum How {
    /// It is blocked until that one has made an object.
    Result,
    /// It takes an object of that one.
    Argument,
    /// That one runs on its actor.
    Actor,
    /// Its caller submitted that one to the actor before.
    Order,
    /// That one constructs its actor.
    Creation,
    /// It is blocked until the batch of that one is over.
    Batch(BatchKey),
}

/// What a task that cannot go on by itself needs: so many of these.
#[derive(Default)]
struct Needs {
    count: usize,
    of: Vec<(TaskRef, How)>,
}

impl Needs {
    fn all(of: Vec<(TaskRef, How)>) -> Needs {
        Needs { count: of.len(), of }
    }
}

/// What a text says, and the tasks that it names: for whoever knows what they run.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Described {
    /// Tasks are named by the id of their first result.
    pub text: String,
    /// Those that are named.
    pub tasks: Vec<TaskRef>,
}

impl Core {
    /// A run is about to give its cpus up until something is there.
    ///
    /// # Errors
    /// `Deadlock` when it would wait for itself; it is not blocked then.
    pub(super) fn await_in(&mut self, fx: &mut Effects, run: Run, awaits: &Awaits<'_>) -> Result<()> {
        if !self.goes_on(run) {
            return Ok(());
        }
        let what = match *awaits {
            Awaits::Objects { ids, needed, timed } => What::Objects { ids: ids.to_vec(), needed, timed },
            Awaits::Batch(key) => What::Batch(key),
        };
        self.awaits.insert(run.task, Await { attempt: run.attempt, what });
        let Some(cycle) = self.cycle_from(run.task) else { return Ok(()) };
        // an end need not be waited for. A task that waits for one is refused when it is about to block; so where this one does not, the
        // other looks again, and is refused then
        let waits_for_end = matches!(awaits, Awaits::Batch(_));
        let end = cycle.iter().skip(1).find_map(|(task, how)| self.end_awaited(*task, *how));
        if let Some(end) = end.filter(|_| !waits_for_end) {
            fx.wakes.push(end);
            return Ok(());
        }
        self.awaits.remove(&run.task);
        let described = self.describe_cycle(&cycle);
        let tasks = described.tasks.iter().flat_map(|task| [task.serial.into(), task.slot.cast_signed()]);
        Err(Error::new(ErrorCode::Deadlock, described.text).facts(tasks.collect::<Vec<i64>>()))
    }

    /// The batch whose end a task of a cycle waits for.
    fn end_awaited(&self, task: TaskRef, how: How) -> Option<BatchId> {
        match (how, &self.awaits.get(&task)?.what) {
            (How::Batch(_), What::Batch(key)) => Some(key.id),
            _ => None,
        }
    }

    /// The tasks that wait for each other, if the first of them, which is about to block, can never go on.
    fn cycle_from(&self, origin: TaskRef) -> Option<Vec<(TaskRef, How)>> {
        let mut needs: HashMap<TaskRef, Needs> = HashMap::new();
        let mut needed_by: HashMap<TaskRef, Vec<TaskRef>> = HashMap::new();
        let mut able = Vec::new();
        let mut next = VecDeque::from([origin]);
        let mut met: HashSet<TaskRef> = std::iter::once(origin).collect();
        while let Some(task) = next.pop_front() {
            let of = self.needs(task, origin)?;
            if of.count == 0 {
                if task == origin {
                    return None;
                }
                able.push(task);
            }
            for (other, _) in &of.of {
                needed_by.entry(*other).or_default().push(task);
                if met.insert(*other) {
                    next.push_back(*other);
                }
            }
            needs.insert(task, of);
            if met.len() > MOST_TASKS {
                return None;
            }
        }
        while let Some(task) = able.pop() {
            for by in needed_by.remove(&task).unwrap_or_default() {
                let Some(needs) = needs.get_mut(&by).filter(|needs| needs.count > 0) else { continue };
                needs.count -= 1;
                if needs.count == 0 {
                    able.push(by);
                }
            }
        }
        let is_stuck = |task: &TaskRef| needs.get(task).is_some_and(|needs| needs.count > 0);
        if !is_stuck(&origin) {
            return None;
        }
        let mut path: Vec<(TaskRef, How)> = Vec::new();
        let mut task = origin;
        while !path.iter().any(|(before, _)| *before == task) {
            let (other, how) = *needs.get(&task)?.of.iter().find(|(other, _)| is_stuck(other))?;
            path.push((task, how));
            task = other;
        }
        path.push((task, How::Result));
        Some(path)
    }

    /// What a task needs that cannot go on by itself now; nothing for one that can, or of which that is not known. `None`
    /// where it is too much to look at.
    fn needs(&self, task: TaskRef, origin: TaskRef) -> Option<Needs> {
        let none = Some(Needs::default());
        let Some(record) = self.record(task) else { return none };
        match record.state() {
            Some(TaskState::Running) => {
                let Some(of) = self.awaits.get(&task).filter(|a| a.attempt == record.attempt()) else { return none };
                if task != origin && !record.is_blocked() {
                    return none;
                }
                match &of.what {
                    What::Objects { timed: true, .. } if task != origin => none,
                    What::Objects { ids, needed, .. } => Some(self.needs_objects(ids, *needed, origin)),
                    What::Batch(key) => self.needs_end(*key, origin),
                }
            }
            Some(TaskState::Waiting) => self.needs_before(task, origin),
            _ => none,
        }
    }

    fn needs_objects(&self, ids: &[ObjectId], needed: usize, origin: TaskRef) -> Needs {
        let of: Vec<_> = ids.iter().filter_map(|id| Some((self.stuck_maker(id, origin)?, How::Result))).collect();
        let there = ids.len() - of.len();
        Needs { count: needed.saturating_sub(there), of }
    }

    /// The task that an object waits for that is not there, if that cannot go on by itself. What a task puts is there before the
    /// task is over.
    fn stuck_maker(&self, id: &ObjectId, origin: TaskRef) -> Option<TaskRef> {
        let maker = self.maker(id).filter(|maker| !self.is_able(*maker, origin))?;
        (!matches!(self.engine.presence(id), Presence::Sealed(_))).then_some(maker)
    }

    fn needs_end(&self, key: BatchKey, origin: TaskRef) -> Option<Needs> {
        let mut of = Vec::new();
        for table in self.tables.values().filter(|table| table.counts.active > 0) {
            if !is_in(table, key) {
                continue;
            }
            let slots = table.slots();
            if slots.len() > MOST_SLOTS {
                return None;
            }
            let tasks = slots.into_iter().map(|slot| table.task(slot)).filter(|task| !self.is_able(*task, origin));
            of.extend(tasks.map(|task| (task, How::Batch(table.key))));
        }
        Some(Needs::all(of))
    }

    /// Of a task that has not begun: its arguments' tasks, and what comes before it on its actor.
    fn needs_before(&self, task: TaskRef, origin: TaskRef) -> Option<Needs> {
        let (table, record) = (self.table(task.serial)?, self.record(task)?);
        let number = record.actor();
        if number != 0 && self.is_rerun(task) {
            return Some(Needs::default());
        }
        let arguments = table.arguments(task.slot);
        let mut of: Vec<_> =
            arguments.iter().filter_map(|id| Some((self.stuck_maker(id, origin)?, How::Argument))).collect();
        if let Some(actor) = self.actors.get(&number)
            && !record.has(CREATION)
        {
            if actor.main == super::actor::Main::New {
                of.push((actor.creation, How::Creation));
            }
            of.extend(actor.at.map(|at| (at, How::Actor)));
            let before = actor.callers.get(&record.caller()).into_iter().flatten().take_while(|other| **other != task);
            of.extend(before.take(MOST_TASKS).map(|other| (*other, How::Order)));
        }
        of.retain(|(other, _)| *other != task && !self.is_able(*other, origin));
        Some(Needs::all(of))
    }

    /// True for a task that needs nothing to go on, or is over.
    fn is_able(&self, task: TaskRef, origin: TaskRef) -> bool {
        let Some(record) = self.record(task) else { return true };
        match record.state() {
            Some(TaskState::Waiting) => false,
            Some(TaskState::Running) => task != origin && !record.is_blocked(),
            _ => true,
        }
    }

    // ---- in words

    fn describe_cycle(&self, path: &[(TaskRef, How)]) -> Described {
        let mut text = String::from("deadlock: ");
        for (n, pair) in path.windows(2).enumerate() {
            if n > 0 {
                text.push_str("; ");
            }
            text.push_str(&self.step(pair[0].0, pair[0].1, pair[1].0));
        }
        text.push_str(". Take results as arguments instead of waiting for them in a task, or wait outside of the tasks that they need");
        Described { text, tasks: path.iter().map(|(task, _)| *task).collect() }
    }

    fn step(&self, task: TaskRef, how: How, other: TaskRef) -> String {
        let (of, by) = (self.label(task), self.label(other));
        let actor = || {
            let number = self.record(task).map_or(0, |r| r.actor());
            self.actors.get(&number).map_or_else(|| format!("actor {number}"), |actor| actor.name.to_string())
        };
        match how {
            How::Result => format!("{of} waits for a result of {by}"),
            How::Argument => format!("{of} takes a result of {by}"),
            How::Actor => format!("{of} waits for its turn on {}, which runs {by}", actor()),
            How::Order => format!("{of} follows {by} in the order of their caller on {}", actor()),
            How::Creation => format!("{of} waits until {by} has created {}", actor()),
            How::Batch(key) => format!("{of} waits for the end of batch {}, in which {by} is not over", key.id),
        }
    }

    /// How far the making of an object is.
    pub(super) fn describe_object(&self, id: &ObjectId) -> Described {
        let mut said = Described::default();
        match self.maker(id) {
            Some(maker) => self.describe(&mut said, maker),
            None => said.text.push_str(match self.engine.presence(id) {
                Presence::Sealed(_) => "it is sealed",
                Presence::Unsealed => "no task makes it: a writer has created it and not sealed it yet",
                _ => "no task makes it, and it is not created yet, or is not there any more",
            }),
        }
        said
    }

    /// How far tasks of a batch, and of those within it, are that are not over.
    pub(super) fn describe_batch(&self, key: BatchKey) -> Described {
        let mut said = Described::default();
        let mut count = 0;
        let mut serials: Vec<_> = self.tables.values().filter(|table| table.counts.active > 0).collect();
        serials.sort_unstable_by_key(|table| table.serial);
        for table in serials {
            if !is_in(table, key) {
                continue;
            }
            count += table.counts.active;
            for slot in table.slots() {
                let task = table.task(slot);
                let over = self.record(task).is_none_or(|r| r.state().is_none_or(|s| s.is_over()) && !r.has(UNWINDING));
                if over || said.tasks.contains(&task) || said.tasks.len() >= MOST_SHOWN {
                    continue;
                }
                if !said.text.is_empty() {
                    said.text.push_str("; ");
                }
                self.describe(&mut said, task);
            }
        }
        said.text.insert_str(0, &format!("{count} tasks are not over: "));
        said
    }

    /// A task's state, and those of the tasks that it needs.
    fn describe(&self, said: &mut Described, from: TaskRef) {
        let mut task = from;
        for n in 0..MOST_SHOWN {
            if said.tasks.contains(&task) {
                return;
            }
            said.tasks.push(task);
            if n > 0 {
                said.text.push_str("; ");
            }
            let needs = self.needs(task, task).unwrap_or_default();
            let others = || needs.of.iter().filter(|(other, _)| *other != task);
            let first = others().find(|(_, how)| *how == How::Actor).or_else(|| others().next());
            match first.filter(|_| needs.count > 0) {
                Some((other, how)) => {
                    said.text.push_str(&self.step(task, *how, *other));
                    task = *other;
                }
                None => {
                    let (state, other) = self.state_in_words(task);
                    let _ = write!(said.text, "{} {state}", self.label(task));
                    said.tasks.extend(other);
                    return;
                }
            }
        }
    }

    /// What a task does or waits for, and the other task that this names.
    fn state_in_words(&self, task: TaskRef) -> (String, Option<TaskRef>) {
        let Some(record) = self.record(task) else { return ("is forgotten".to_owned(), None) };
        let text = match record.state() {
            Some(TaskState::Ready) if self.table(task.serial).is_some_and(|t| t.is_at_limit()) => {
                "is ready; as many tasks of its batch, or its group, run as may".to_owned()
            }
            Some(TaskState::Ready) => "is ready, and waits for a cpu".to_owned(),
            Some(TaskState::Running) => self.running_in_words(task),
            Some(TaskState::Waiting) => return self.waiting_in_words(task),
            _ if record.has(UNWINDING) => "was cancelled, and its thread has not come back yet".to_owned(),
            _ => "is over".to_owned(),
        };
        (text, None)
    }

    fn running_in_words(&self, task: TaskRef) -> String {
        let awaits = self.awaits.get(&task).map(|of| &of.what);
        match awaits.filter(|_| self.record(task).is_some_and(|r| r.is_blocked())) {
            Some(What::Objects { ids, .. }) => {
                let first = ids.first().map(ToString::to_string).unwrap_or_default();
                format!("runs, and waits for {} objects, the first is {first}", ids.len())
            }
            Some(What::Batch(key)) => format!("runs, and waits for the end of batch {}", key.id),
            None if self.record(task).is_some_and(|r| r.is_blocked()) => {
                "runs, and waits for memory, capacity or another thread".to_owned()
            }
            None if self.record(task).is_some_and(|r| r.is_lent()) => {
                "runs, and its thread waits for another one".to_owned()
            }
            None => "runs".to_owned(),
        }
    }

    fn waiting_in_words(&self, task: TaskRef) -> (String, Option<TaskRef>) {
        let ids = self.table(task.serial).map(|t| t.arguments(task.slot)).unwrap_or_default();
        if let Some(id) = ids.iter().find(|id| !matches!(self.engine.presence(id), Presence::Sealed(_))) {
            let maker = self
                .maker(id)
                .filter(|maker| self.record(*maker).and_then(|r| r.state()).is_some_and(|s| !s.is_over()));
            return match maker {
                Some(maker) => {
                    // one that waits itself is described in its own turn, if at all: chains can be long
                    let waits = self.record(maker).is_some_and(|r| r.is(TaskState::Waiting));
                    let state = if waits { "waits".to_owned() } else { self.state_in_words(maker).0 };
                    (format!("takes a result of {}, which {state}", self.label(maker)), Some(maker))
                }
                None => (format!("takes object {id}, which no task makes and nobody has sealed yet"), None),
            };
        }
        let number = self.record(task).map_or(0, |r| r.actor());
        match self.actors.get(&number) {
            Some(actor) => match actor.at {
                Some(at) => (format!("waits for its turn on {}, which runs {}", actor.name, self.label(at)), Some(at)),
                None => (format!("waits for its turn on {}", actor.name), None),
            },
            None => ("waits".to_owned(), None),
        }
    }
}

/// True for a batch, and for those within it.
fn is_in(table: &BatchTable, key: BatchKey) -> bool {
    let is_it = key.id == table.key.id && key.means(table.key.life);
    is_it || table.batch.as_ref().is_some_and(|batch| batch.is_within(key))
}
