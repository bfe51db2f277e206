//! How an actor's state of now, or of the past, is made again: its last checkpoint before, then a replay of what came after.

use std::sync::Arc;

use super::actor::{Main, Rebuild};
use super::core::{Core, Effects, Todo, Waiter};
use super::record::{REPLAY, WANTED};
use super::restore::TRIES;
use super::state::{TaskState, TaskStep};
use super::types::{Failure, Order, TaskRef};

impl Core {
    /// Asks an actor for a result of the past, on an instance of its own.
    ///
    /// # Errors
    /// Why there will be none.
    pub(super) fn ask_actor(&mut self, task: TaskRef) -> Result<(), Arc<str>> {
        let Some(record) = self.record(task) else { return Err("its task is forgotten".into()) };
        let Some(actor) = self.actors.get_mut(&record.actor()) else { return Err("its actor is dead".into()) };
        let place = self.tables.get(&task.serial).and_then(|t| t.record(task.slot)).and_then(|r| r.place());
        let Some((segment, link)) = place.filter(|(segment, _)| actor.segments.contains_key(segment)) else {
            return Err("its actor is not fault tolerant, or the chain before it is forgotten".into());
        };
        let instance = actor.next_instance();
        let number = actor.number;
        actor.rebuilds.insert(instance, Rebuild::new(segment, link + 1, Some(task)));
        if let Some(record) = self.record(task) {
            record.set(WANTED, true);
        }
        self.todo.push_back(Todo::Rebuild { actor: number, instance });
        Ok(())
    }

    /// An actor whose instance is gone gets another one.
    pub(super) fn begin_rebuild(&mut self, number: u32) {
        let Some(actor) = self.actors.get_mut(&number) else { return };
        let instance = actor.next_instance();
        let segment = actor.last_segment;
        let until = actor.segment().map_or(0, |s| s.links.len() as u32);
        actor.main = Main::Rebuilding(instance);
        actor.rebuilds.insert(instance, Rebuild::new(segment, until, None));
        self.todo.push_back(Todo::Rebuild { actor: number, instance });
    }

    /// The next step of a rebuilding.
    pub(super) fn rebuild_on(&mut self, fx: &mut Effects, number: u32, instance: u32) {
        let Some(actor) = self.actors.get_mut(&number) else { return };
        let Some(rebuild) = actor.rebuilds.get_mut(&instance) else { return };
        let Some(segment) = actor.segments.get(&rebuild.segment) else {
            return self.rebuild_failed(fx, number, instance, "the chain before it is forgotten");
        };
        let Some(next) = rebuild.next else { return self.begin_state(fx, number, instance) };
        let Some(task) = segment.links.get(next as usize).filter(|_| next < rebuild.until).copied() else {
            return self.rebuilt(fx, number, instance);
        };
        let Some(record) = self.record(task) else {
            return self.rebuild_failed(fx, number, instance, "a task of its chain is forgotten");
        };
        // somebody else replays it just now, or it is still at its first run's end
        if !record.state().is_some_and(TaskState::is_over) {
            return self.waiters.entry(task).or_default().push(Waiter::Rebuild { actor: number, instance });
        }
        if !self.rerun(task, REPLAY) {
            // a cancelled task is in no chain
            return self.rebuild_failed(fx, number, instance, "a task of its chain was cancelled");
        }
        self.replays.insert(task, (number, instance));
        // for whom it ran before may be gone
        if self.table(task.serial).is_some_and(|t| t.is_collected())
            && !self.on_behalf.get(&task).is_some_and(|by| self.is_alive(*by))
            && let Some(user) = self.replays_for(task)
        {
            self.on_behalf.insert(task, user);
        }
        self.todo.push_back(Todo::Await(task));
    }

    /// The batch for which a task is replayed whose own is collected: the one that wants a result of the past, or the actor's.
    pub(super) fn replays_for(&self, task: TaskRef) -> Option<u32> {
        let (number, instance) = self.replays.get(&task)?;
        let actor = self.actors.get(number)?;
        let wanted = actor.rebuilds.get(instance)?.scratch_for.map(|wanted| self.runs_for(wanted));
        wanted.filter(|by| self.is_alive(*by)).or(Some(actor.owner))
    }

    /// A task was replayed. `differs`: it failed, which it had not before.
    pub(super) fn replayed(&mut self, fx: &mut Effects, task: TaskRef, failed: bool, differs: bool) {
        let Some((number, instance)) = self.replays.remove(&task) else { return };
        let actor = self.actors.get_mut(&number);
        let Some((creation, rebuild)) = actor.and_then(|a| Some((a.creation, a.rebuilds.get_mut(&instance)?))) else {
            return fx.orders.push(Order::DropInstance { actor: number, instance });
        };
        if failed && task == creation {
            return self.rebuild_failed(fx, number, instance, "its constructor threw");
        }
        if !differs {
            rebuild.next = rebuild.next.map(|n| n + 1);
            return self.todo.push_back(Todo::Rebuild { actor: number, instance });
        }
        // going on would make another state than those saw who used it
        rebuild.tries += 1;
        if rebuild.tries <= TRIES {
            return self.rebuild_anew(number, instance);
        }
        let why = format!("{} fails whenever it is replayed, and did not fail before", self.label(task));
        self.rebuild_failed(fx, number, instance, &why);
    }

    /// A task cannot be replayed: an argument is lost.
    pub(super) fn replay_impossible(&mut self, fx: &mut Effects, task: TaskRef, failure: &Failure) {
        let Some((number, instance)) = self.replays.remove(&task) else { return };
        let why = match failure {
            Failure::Lost(id, why) => format!("{} needs object {id}, which is lost: {why}", self.label(task)),
            _ => format!("an argument of {} failed", self.label(task)),
        };
        self.rebuild_failed(fx, number, instance, &why);
    }

    fn rebuilt(&mut self, fx: &mut Effects, number: u32, instance: u32) {
        let Some(actor) = self.actors.get_mut(&number) else { return };
        let Some(rebuild) = actor.rebuilds.remove(&instance) else { return };
        if let Some(task) = rebuild.scratch_for {
            fx.orders.push(Order::DropInstance { actor: number, instance });
            if self.record(task).is_none_or(|r| r.has(WANTED) && r.state().is_some_and(TaskState::is_over)) {
                self.never(fx, task, "the chain before it is forgotten");
            }
        } else {
            actor.main = Main::Alive(instance);
            self.todo.push_back(Todo::Advance(number));
        }
    }

    pub(super) fn rebuild_failed(&mut self, fx: &mut Effects, number: u32, instance: u32, why: &str) {
        let Some(actor) = self.actors.get_mut(&number) else { return };
        let Some(rebuild) = actor.rebuilds.remove(&instance) else { return };
        fx.orders.push(Order::DropInstance { actor: number, instance });
        match rebuild.scratch_for {
            None => self.die(fx, number, &format!("it cannot be rebuilt: {why}")),
            Some(task) => self.never(fx, task, why),
        }
    }

    /// A result that was asked for will not be made again.
    pub(super) fn never(&mut self, fx: &mut Effects, task: TaskRef, why: &str) {
        let wanted = self.record(task).is_some_and(|r| r.has(WANTED));
        if let Some(record) = self.record(task) {
            record.set(WANTED, false);
        }
        self.on_behalf.remove(&task);
        for (id, _) in self.asked_for.remove(&task).unwrap_or_default() {
            fx.seals.push((id, Failure::Lost(id, why.into())));
        }
        let table = self.table(task.serial);
        let first = table.map(|table| table.result(task.slot, 0));
        if let Some(table) = table.filter(|table| wanted && !table.is_collected()) {
            let returns = table.record(task.slot).map_or(0, |r| r.returns());
            let why: Arc<str> = why.into();
            let lost = |index| {
                (table.result(task.slot, index), Failure::Lost(table.result(task.slot, index), Arc::clone(&why)))
            };
            fx.seals.extend((0..returns).map(lost));
        }
        for waiter in self.waiters.remove(&task).unwrap_or_default() {
            match (waiter, first) {
                (Waiter::Task(run) | Waiter::Look(run), Some(first)) => {
                    self.todo.push_back(Todo::Fail(run, Failure::Lost(first, why.into())))
                }
                // its records are gone: whoever waits finds out which argument is lost with them
                (Waiter::Task(run) | Waiter::Look(run), None) if self.waits(run) => self.look_again(run),
                (Waiter::Task(_) | Waiter::Look(_), None) => {}
                (Waiter::Rebuild { actor, instance }, _) => self.todo.push_back(Todo::Rebuild { actor, instance }),
            }
        }
    }

    /// An actor is dead: what waits to be replayed on it will not be.
    pub(super) fn end_replays(&mut self, fx: &mut Effects, number: u32, failure: &Failure) {
        let mut tasks: Vec<TaskRef> =
            self.replays.iter().filter(|(_, at)| at.0 == number).map(|(task, _)| *task).collect();
        tasks.sort_unstable();
        for task in tasks {
            let step = match self.record(task).and_then(|r| r.state()) {
                Some(TaskState::Waiting) => TaskStep::Fail,
                Some(TaskState::Ready) => TaskStep::Cancel,
                // it ends by itself, on an instance that nobody needs
                _ => continue,
            };
            self.stop_waiting(fx, task, step, failure.clone());
        }
    }
}
