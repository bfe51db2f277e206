//! What an actor does next: its tasks one at a time, each caller's in order; its checkpoints; its loss and its death.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::actor::{Actor, FIRST_INSTANCE, MOST_BATCHES, MOST_LINKS, Main, SaveFor};
use super::core::{Core, Effects, Todo};
use super::record::{CHECKPOINT, CREATION};
use super::state::{TaskState, TaskStep};
use super::table::Boundary;
use super::types::{ActorSpec, CheckpointPolicy, Failure, Order, Submission, TaskKind, TaskRef};
use crate::batch::Reason;
use crate::error::{Error, ErrorCode, Result};

/// Dead actors that errors know the reason of.
const MOST_DEAD: usize = 1000;

impl Core {
    /// A new actor; its creation is submitted next.
    pub(super) fn new_actor(&mut self, spec: ActorSpec, owner: u32) -> Result<u32> {
        let serial = spec.creation.serial;
        self.known(serial)?;
        self.last_actor += 1;
        let number = self.last_actor;
        self.actors.insert(number, Actor::new(number, spec, owner));
        if let Some(table) = self.tables.get_mut(&owner) {
            table.owned_actors.insert(number);
        }
        Ok(number)
    }

    /// What the class of an actor says, before its creation is reported as done.
    pub(super) fn actor_made(&mut self, number: u32, checkpointable: bool) {
        if let Some(actor) = self.actors.get_mut(&number) {
            actor.is_checkpointable(checkpointable);
        }
    }

    /// # Errors
    /// `ActorDied`, `InvalidArgument`.
    pub(super) fn check_actor(&self, s: &Submission<'_>) -> Result<()> {
        if s.kind == TaskKind::Plain {
            return Ok(());
        }
        let Some(actor) = self.actors.get(&s.actor) else {
            return Err(match self.dead.get(&s.actor) {
                Some(Failure::ActorEnded(reason, why)) => {
                    Error::new(ErrorCode::ActorDied, &**why).facts([*reason as i64])
                }
                Some(Failure::ActorDied(why)) => Error::new(ErrorCode::ActorDied, &**why),
                _ => Error::new(ErrorCode::ActorDied, format!("actor {} died too long ago to know why", s.actor)),
            });
        };
        if s.kind == TaskKind::Checkpoint && !actor.checkpointable {
            let text = format!("{} cannot be checkpointed: its class does not implement Checkpointable", actor.name);
            return Err(Error::new(ErrorCode::InvalidArgument, text));
        }
        Ok(())
    }

    /// A task of an actor waits for its turn.
    pub(super) fn enqueue(&mut self, task: TaskRef) {
        let Some((actor, caller)) = self.record(task).map(|r| (r.actor(), r.caller())) else { return };
        if let Some(actor) = self.actors.get_mut(&actor) {
            actor.enqueue(caller, task);
        }
    }

    /// The instance a task that was taken is to run on.
    pub(super) fn instance_for(&mut self, task: TaskRef) -> u32 {
        let Some((number, creation)) = self.record(task).map(|r| (r.actor(), r.has(CREATION))) else { return 0 };
        match self.actors.get_mut(&number) {
            Some(actor) if creation => actor.first_instance(),
            Some(Actor { main: Main::Alive(instance), .. }) => *instance,
            _ => 0,
        }
    }

    /// Has an actor go on, if it can.
    pub(super) fn advance(&mut self, fx: &mut Effects, number: u32) {
        let Some(actor) = self.actors.get(&number) else { return };
        if actor.at.is_some() || actor.saving.is_some() || matches!(actor.main, Main::Rebuilding(_)) {
            return;
        }
        if let (Some(save), Main::Alive(instance)) = (actor.saves.front().copied(), &actor.main) {
            let instance = *instance;
            if let Some(actor) = self.actors.get_mut(&number) {
                actor.saves.pop_front();
            }
            return self.begin_save(fx, number, instance, save);
        }
        if actor.main == Main::Lost {
            // what cannot be saved is not rebuilt for being saved
            self.drop_saves(number);
        }
        let Some(task) = self.next_of(number) else { return };
        let Some(actor) = self.actors.get(&number) else { return };
        let special = self.record(task).is_some_and(|r| r.has(CREATION) || r.has(CHECKPOINT));
        match &actor.main {
            Main::Lost => return self.begin_rebuild(number),
            Main::Alive(instance) if !special => {
                let instance = *instance;
                let begins = self.table(task.serial).is_some_and(|t| t.checkpoint_actors)
                    && actor.checkpointable
                    && actor.fault_tolerant
                    && !actor.ran(task.serial)
                    && !self.table(task.serial).is_some_and(|t| t.forgotten_on.contains(&number));
                let save = if begins { SaveFor::Beginning(task.serial) } else { SaveFor::Policy };
                // once for each task: what cannot be saved goes on without
                if actor.saved_before != Some(task) && (begins || actor.wants_checkpoint(task.serial)) {
                    if let Some(actor) = self.actors.get_mut(&number) {
                        actor.saved_before = Some(task);
                    }
                    if let Some(table) = self.tables.get_mut(&task.serial).filter(|_| begins) {
                        // the checkpoint goes with it, whether the task runs or not
                        table.used_actors.insert(number);
                    }
                    return self.begin_save(fx, number, instance, save);
                }
            }
            _ => {}
        }
        self.dispatch(fx, number, task);
    }

    /// The next task of an actor whose turn it is and that has its arguments.
    fn next_of(&mut self, number: u32) -> Option<TaskRef> {
        loop {
            let caller = *self.actors.get(&number)?.turns.front()?;
            // those that failed or were cancelled before their turn
            while let Some(task) = self.actors.get(&number)?.callers.get(&caller)?.front().copied() {
                if self.record(task).is_some_and(|r| r.is(TaskState::Waiting)) {
                    break;
                }
                self.actors.get_mut(&number)?.callers.get_mut(&caller)?.pop_front();
            }
            let is_new = self.actors.get(&number)?.main == Main::New;
            let first = self.actors.get(&number)?.callers.get(&caller)?.front().copied();
            let ready = first
                .filter(|task| self.record(*task).is_some_and(|r| r.missing() == 0 && (!is_new || r.has(CREATION))));
            if ready.is_some() {
                return ready;
            }
            let actor = self.actors.get_mut(&number)?;
            if first.is_none() {
                actor.callers.remove(&caller);
                actor.turns.pop_front();
            } else {
                actor.park();
            }
        }
    }

    /// A task of an actor may be the next one now, or make room for the one after it.
    pub(super) fn look_at_caller(&mut self, number: u32, task: TaskRef) {
        let caller = self.record(task).map_or(0, |r| r.caller());
        if let Some(actor) = self.actors.get_mut(&number) {
            actor.unpark(caller);
            self.todo.push_back(Todo::Advance(number));
        }
    }

    /// A task's turn has come.
    fn dispatch(&mut self, fx: &mut Effects, number: u32, task: TaskRef) {
        let caller = self.record(task).map_or(0, |r| r.caller());
        let Some(actor) = self.actors.get_mut(&number) else { return };
        if let Some(tasks) = actor.callers.get_mut(&caller) {
            tasks.pop_front();
            actor.turns.pop_front();
            if tasks.is_empty() {
                actor.callers.remove(&caller);
            } else {
                actor.turns.push_back(caller);
            }
        }
        actor.at = Some(task);
        // a checkpoint's own result is never made again
        let special =
            self.tables.get(&task.serial).and_then(|t| t.record(task.slot)).is_some_and(|r| r.has(CHECKPOINT));
        let before = actor.last_task().filter(|_| !special);
        let (keeps, holds) = (actor.fault_tolerant, actor.policy == CheckpointPolicy::Boundary && actor.checkpointable);
        if let Some(table) = self.tables.get_mut(&task.serial) {
            let is_new = table.used_actors.insert(number);
            if is_new && table.used_actors.len() >= 64 && table.used_actors.len().is_power_of_two() {
                // a batch that lives long uses many, one after the other
                table.used_actors.retain(|number| self.actors.contains_key(number));
            }
            if holds && table.boundary.is_none() && table.batch.as_ref().is_some_and(|b| b.begin_task(true).is_ok()) {
                table.boundary = Some(Boundary::Coming);
            }
        }
        if let Some(before) = before.filter(|_| keeps) {
            self.note_state(task.serial, before.serial, number);
        }
        self.make_ready(fx, task);
    }

    /// The creation ran.
    pub(super) fn constructed(&mut self, fx: &mut Effects, number: u32, task: TaskRef, failed: bool, nanos: u64) {
        if failed {
            let why = format!("its constructor threw; see {}", self.label(task));
            return self.die(fx, number, &why);
        }
        let Some(actor) = self.actors.get_mut(&number) else { return };
        actor.main = Main::Alive(FIRST_INSTANCE);
        actor.unpark_all();
        self.link(fx, number, task, nanos);
        self.meet_doom(fx, number);
        self.todo.push_back(Todo::Advance(number));
    }

    /// More ran on an actor since its last checkpoint than is remembered: none of it is, and no batch is held for it.
    fn forget_chain(&mut self, fx: &mut Effects, number: u32) {
        let Some(actor) = self.actors.get_mut(&number) else { return };
        let Some(segment) = actor.segments.remove(&actor.last_segment) else { return };
        actor.overgrown = true;
        fx.frees.extend(segment.checkpoint);
        for task in segment.links {
            if let Some(record) = self.record(task) {
                record.set_place(None);
            }
        }
        for serial in segment.batches.into_keys() {
            self.forget_state(serial, number);
            self.not_remembered(serial, number);
            self.todo.push_back(Todo::Reconsider(serial));
        }
    }

    /// A task of a batch ran on an actor, and is in no chain: the batch cannot be rolled back there.
    fn not_remembered(&mut self, serial: u32, number: u32) {
        if let Some(table) = self.tables.get_mut(&serial).filter(|t| !t.key.id.is_normal() && !t.is_collected()) {
            table.forgotten_on.insert(number);
        }
    }

    fn link(&mut self, fx: &mut Effects, number: u32, task: TaskRef, nanos: u64) {
        let Some(actor) = self.actors.get_mut(&number) else { return };
        actor.at = None;
        actor.work_nanos = actor.work_nanos.saturating_add(nanos);
        actor.work_count += 1;
        if !actor.fault_tolerant {
            return;
        }
        if actor.is_full() {
            self.forget_chain(fx, number);
        }
        let Some(actor) = self.actors.get_mut(&number).filter(|actor| !actor.overgrown) else {
            return self.not_remembered(task.serial, number);
        };
        let place = actor.add_link(task);
        if let Some(record) = self.record(task) {
            record.set_place(Some(place));
        }
    }

    /// Somebody killed it meanwhile.
    pub(super) fn meet_doom(&mut self, fx: &mut Effects, number: u32) {
        if let Some(why) = self.actors.get_mut(&number).and_then(|actor| actor.doomed.take()) {
            self.lose(fx, number, &why);
        }
    }

    /// A method ran, whether it threw or not: it may have changed the state before.
    pub(super) fn method_over(&mut self, fx: &mut Effects, number: u32, task: TaskRef, nanos: u64) {
        self.link(fx, number, task, nanos);
        self.meet_doom(fx, number);
        self.todo.push_back(Todo::Advance(number));
    }

    /// A method whose actor was lost after its turn had come waits for another.
    pub(super) fn recall(&mut self, task: TaskRef) {
        let Some(table) = self.tables.get_mut(&task.serial) else { return };
        let Some(actor) = table.record(task.slot).filter(|r| r.step(TaskStep::Recall)).map(|r| r.actor()) else {
            return;
        };
        table.counts.ready -= 1;
        table.counts.waiting += 1;
        self.method_given_back(actor, task);
    }

    /// A method lost an argument before it began.
    pub(super) fn method_given_back(&mut self, number: u32, task: TaskRef) {
        let caller = self.record(task).map_or(0, |r| r.caller());
        if let Some(actor) = self.actors.get_mut(&number) {
            actor.at = None;
            actor.enqueue_first(caller, task);
        }
        self.unnote_state(task.serial, number);
        self.todo.push_back(Todo::Advance(number));
    }

    /// A task of an actor failed or was cancelled before it ran.
    pub(super) fn method_dropped(&mut self, fx: &mut Effects, number: u32, task: TaskRef, failure: &Failure) {
        if self.record(task).is_some_and(|r| r.has(CREATION)) {
            let why = match failure {
                Failure::Cancelled(why) | Failure::BatchEnded(_, why) => format!("its creation was cancelled: {why}"),
                _ => "its creation could not run: an argument failed or is lost".to_owned(),
            };
            return self.die(fx, number, &why);
        }
        let Some(actor) = self.actors.get_mut(&number) else { return };
        if actor.at == Some(task) {
            actor.at = None;
            self.unnote_state(task.serial, number);
        }
        self.look_at_caller(number, task);
    }

    /// A method was cancelled while a worker had it. If it began, nobody knows what state the instance is in.
    pub(super) fn method_broken_off(&mut self, fx: &mut Effects, number: u32, task: TaskRef, began: bool) {
        let Some(actor) = self.actors.get_mut(&number) else { return };
        if actor.at != Some(task) {
            return;
        }
        actor.at = None;
        if actor.main == Main::New {
            return self.die(fx, number, "its creation was cancelled");
        }
        self.unnote_state(task.serial, number);
        match self.actors.get_mut(&number).and_then(|actor| actor.doomed.take()) {
            Some(why) => self.lose(fx, number, &why),
            None if began => self.lose(fx, number, "a task that ran on it was cancelled"),
            None => self.todo.push_back(Todo::Advance(number)),
        }
    }

    /// The instance is gone. The next task rebuilds it, if it may be.
    pub(super) fn lose(&mut self, fx: &mut Effects, number: u32, why: &str) {
        self.let_go(fx, number);
        let Some(actor) = self.actors.get_mut(&number) else { return };
        if !actor.fault_tolerant {
            let why = format!(
                "{why}, and it is not fault tolerant: implement Checkpointable, or declare faultTolerant(true)"
            );
            return self.die(fx, number, &why);
        }
        if actor.overgrown {
            let why = format!(
                "{why}, and it cannot be rebuilt: more than {MOST_LINKS} tasks, or tasks of more than {MOST_BATCHES} batches, \
                 ran on it since its last checkpoint; implement Checkpointable, or checkpoint it more often"
            );
            return self.die(fx, number, &why);
        }
        match &mut actor.restarts {
            Some(0) => {
                let why = format!("{why}, and it has no restarts left");
                return self.die(fx, number, &why);
            }
            Some(left) => *left -= 1,
            None => {}
        }
        self.todo.push_back(Todo::Advance(number));
    }

    /// Has an actor go on without its instance. A task that is just replayed on it ends there: somebody may want its result.
    pub(super) fn let_go(&mut self, fx: &mut Effects, number: u32) {
        let Some(actor) = self.actors.get_mut(&number) else { return };
        let main = std::mem::replace(&mut actor.main, Main::Lost);
        let (Main::Alive(instance) | Main::Rebuilding(instance)) = main else { return };
        let replayed = self.replays.iter().find(|(_, at)| **at == (number, instance)).map(|(task, _)| *task);
        match (replayed, actor.rebuilds.get_mut(&instance)) {
            (Some(task), Some(rebuild)) => {
                rebuild.until = rebuild.next.map_or(0, |next| next + 1);
                rebuild.scratch_for = Some(task);
            }
            _ => {
                actor.rebuilds.remove(&instance);
                fx.orders.push(Order::DropInstance { actor: number, instance });
                self.cancel_jobs(fx, number, Some(instance));
            }
        }
    }

    /// Whoever kills it: what runs on it is cancelled; `for_good`: it does not come back.
    pub(super) fn kill(&mut self, fx: &mut Effects, number: u32, for_good: bool, by: &str) -> bool {
        let Some(actor) = self.actors.get(&number) else { return false };
        let (at, name) = (actor.at, Arc::clone(&actor.name));
        let why = format!("it was killed by {by}");
        if for_good {
            self.die(fx, number, &why);
            return true;
        }
        let failure = Failure::ActorDied(format!("{name}: {why} while this ran on it").into());
        let runs = at.filter(|task| self.record(*task).is_some_and(|r| r.is(TaskState::Running)));
        match runs {
            // what it did is done, and may have been seen
            Some(task) if self.record(task).is_some_and(|r| r.has_returned()) => {
                if let Some(actor) = self.actors.get_mut(&number) {
                    actor.doomed = Some(why.into());
                }
            }
            // the instance goes when the thread comes back
            Some(task) => {
                if let Some(actor) = self.actors.get_mut(&number) {
                    actor.doomed = Some(why.into());
                }
                self.cancel(fx, task, &failure);
            }
            None if self.actors.get(&number).is_some_and(|a| a.main == Main::New) => {}
            None => self.lose(fx, number, &why),
        }
        true
    }

    /// It is dead: its tasks fail, its chain is not needed any more.
    pub(super) fn die(&mut self, fx: &mut Effects, number: u32, why: &str) {
        self.die_of(fx, number, why, Failure::ActorDied);
    }

    /// As `die`, because the batch ended that owns it.
    pub(super) fn die_with_batch(&mut self, fx: &mut Effects, number: u32, reason: Reason, why: &str) {
        self.die_of(fx, number, why, |text| Failure::ActorEnded(reason, text));
    }

    fn die_of(&mut self, fx: &mut Effects, number: u32, why: &str, failure: impl Fn(Arc<str>) -> Failure) {
        let Some(actor) = self.actors.remove(&number) else { return };
        let failure = failure(format!("{} is dead: {why}", actor.name).into());
        if let Main::Alive(instance) | Main::Rebuilding(instance) = actor.main {
            fx.orders.push(Order::DropInstance { actor: number, instance });
        }
        for &instance in actor.rebuilds.keys() {
            fx.orders.push(Order::DropInstance { actor: number, instance });
        }
        fx.orders.push(Order::DropActor(number));
        for task in actor.at.into_iter().chain(actor.callers.values().flatten().copied()) {
            self.cancel(fx, task, &failure);
        }
        self.dead.insert(number, failure.clone());
        if self.dead.len() > MOST_DEAD {
            self.dead.pop_first();
        }
        self.end_replays(fx, number, &failure);
        self.cancel_jobs(fx, number, None);
        for rebuild in actor.rebuilds.values() {
            if let Some(task) = rebuild.scratch_for {
                self.never(fx, task, why);
            }
        }
        let mut touched = BTreeSet::new();
        for segment in actor.segments.into_values() {
            fx.frees.extend(segment.checkpoint);
            touched.extend(segment.batches.into_keys());
        }
        for save in actor.saves.into_iter().chain(actor.saving) {
            self.saved(save);
        }
        if let Some(table) = self.tables.get_mut(&actor.owner) {
            table.owned_actors.remove(&number);
        }
        self.todo.extend(touched.into_iter().map(Todo::Reconsider));
    }
}
