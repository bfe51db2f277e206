//! What tasks of collected batches make again for the sake of batches that live: for which of them, and what stands for it.

use std::collections::{BTreeMap, BTreeSet};

use super::core::{Core, Effects, Internal, Waiter};
use super::record::ALIASED;
use super::types::TaskRef;
use crate::id::ObjectId;

impl Core {
    /// True for a batch that is not collected, nor normal mode.
    pub(super) fn is_alive(&self, serial: u32) -> bool {
        self.table(serial).is_some_and(|t| t.batch.is_some())
    }

    /// A task that was to run again for nobody any more is wanted by this batch: so is what it waits for.
    pub(super) fn adopt(&mut self, task: TaskRef, user: u32) {
        let mut above = vec![task];
        while let Some(task) = above.pop() {
            for id in self.table(task.serial).map(|t| t.arguments(task.slot)).unwrap_or_default() {
                let Some(maker) = self.maker(&id).filter(|maker| self.is_rerun(*maker)) else { continue };
                let collected = self.table(maker.serial).is_some_and(|t| t.is_collected());
                if collected && !self.on_behalf.get(&maker).is_some_and(|by| self.is_alive(*by)) {
                    self.on_behalf.insert(maker, user);
                    self.wanted.insert(id, user);
                    above.push(maker);
                }
            }
        }
    }

    /// The batch for which a task runs: its own, or, for one of a collected batch that runs again, the one that wants it.
    pub(super) fn runs_for(&self, task: TaskRef) -> u32 {
        let collected = self.table(task.serial).is_some_and(|t| t.is_collected());
        self.on_behalf.get(&task).copied().filter(|_| collected).unwrap_or(task.serial)
    }

    /// Nobody wants any more what tasks of collected batches were to make for this one; somebody else may.
    pub(super) fn pass_wishes_on(&mut self, serial: u32) {
        self.internals.retain(|_, internal| internal.by != serial);
        // first: others may run for these
        let mut replays: Vec<TaskRef> = self.replays.keys().copied().collect();
        replays.retain(|task| match self.on_behalf.get(task) {
            Some(by) => *by == serial,
            None => task.serial == serial,
        });
        replays.sort_unstable();
        for task in replays {
            if let Some(user) = self.replays_for(task) {
                self.on_behalf.insert(task, user);
            }
        }
        let mut tasks: Vec<TaskRef> =
            self.on_behalf.iter().filter(|(_, by)| **by == serial).map(|(task, _)| *task).collect();
        // its own that just run again: until now they needed nobody to run for
        if self.table(serial).is_some_and(|t| t.counts.waiting + t.counts.ready + t.counts.running > 0) {
            tasks.extend(self.waiters.keys().filter(|task| task.serial == serial && self.is_rerun(**task)));
        }
        tasks.sort_unstable();
        tasks.dedup();
        let mut theirs: BTreeMap<TaskRef, Vec<ObjectId>> = BTreeMap::new();
        if !tasks.is_empty() {
            let wanted = self.wanted.iter().filter(|(_, by)| **by == serial).map(|(id, _)| *id);
            for (maker, id) in wanted.filter_map(|id| Some((self.maker(&id)?, id))) {
                theirs.entry(maker).or_default().push(id);
            }
        }
        // What was passed on may itself wait for others of these, so they are looked at until none is passed on any more. Whoever
        // waits was mostly submitted later than what it waits for: the last come first.
        let mut left = usize::MAX;
        while tasks.len() < left {
            left = tasks.len();
            tasks = tasks.into_iter().rev().filter(|task| !self.pass_wish_on(serial, *task, &theirs)).collect();
            tasks.reverse();
        }
    }

    /// The same of one task. False when nobody wants it.
    fn pass_wish_on(&mut self, serial: u32, task: TaskRef, wanted: &BTreeMap<TaskRef, Vec<ObjectId>>) -> bool {
        let lives = |w: &Waiter| match w {
            Waiter::Task(run) | Waiter::Look(run) if self.waits(*run) => {
                let user = self.runs_for(run.task);
                self.is_alive(user).then_some(user)
            }
            _ => None,
        };
        let Some(other) = self.waiters.get(&task).and_then(|all| all.iter().find_map(lives)) else { return false };
        self.on_behalf.insert(task, other);
        let theirs = wanted.get(&task).cloned().unwrap_or_default();
        let takers = self.waiters.get(&task).into_iter().flatten().filter_map(|w| match w {
            Waiter::Task(run) if task.serial == serial && self.runs_for(run.task) == other => Some(run.task),
            _ => None,
        });
        let taken: Vec<ObjectId> = takers
            .filter_map(|taker| self.table(taker.serial).map(|t| t.arguments(taker.slot)))
            .flatten()
            .filter(|id| self.maker(id) == Some(task))
            .collect();
        for id in theirs.into_iter().chain(taken) {
            self.wanted.insert(id, other);
        }
        true
    }

    /// Counts a task among those that take an internal object, until it is over.
    pub(super) fn use_internal(&mut self, task: TaskRef, id: &ObjectId) {
        let Some(internal) = self.internals.get_mut(id) else { return };
        internal.users.insert(task);
        if let Some(record) = self.record(task) {
            record.set(ALIASED, true);
        }
    }

    /// A task that took internal objects is over.
    pub(super) fn release_internals(&mut self, fx: &mut Effects, task: TaskRef) {
        if !self.record(task).is_some_and(|r| r.has(ALIASED)) {
            return;
        }
        if let Some(record) = self.record(task) {
            record.set(ALIASED, false);
        }
        for id in self.table(task.serial).map(|t| t.arguments(task.slot)).unwrap_or_default() {
            if let Some(internal) = self.internals.get_mut(&id) {
                internal.users.remove(&task);
                if internal.users.is_empty() {
                    fx.frees.push(internal.alias);
                    self.internals.remove(&id);
                }
            }
        }
    }

    /// Notes what stands for an object of a collected batch.
    pub(super) fn add_internal(&mut self, fx: &mut Effects, by: u32, id: ObjectId, alias: ObjectId) {
        self.wanted.remove(&id);
        if self.table(by).is_none_or(|t| t.is_collected()) {
            return; // it went with the batch in which it lies
        }
        if let Some(old) = self.internals.insert(id, Internal { alias, by, users: BTreeSet::new() }) {
            fx.frees.push(old.alias);
        }
    }

    /// The ids under which a task's arguments are to be read now.
    pub(super) fn read_as(&self, task: TaskRef) -> Vec<ObjectId> {
        let mut ids = self.table(task.serial).map(|t| t.arguments(task.slot)).unwrap_or_default();
        for id in &mut ids {
            if let Some(internal) = self.internals.get(id) {
                *id = internal.alias;
            }
        }
        ids
    }
}
