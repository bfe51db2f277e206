//! Who runs next.

use std::cmp::Reverse;
use std::time::Instant;

use super::core::{Core, Effects, Urgent};
use super::record::{ALIASED, CHECKPOINT, CREATION, REPLAY, WANTED};
use super::state::{TaskState, TaskStep};
use super::table::BatchTable;
use super::types::{BatchLoad, Order, Run, TaskRef, Work, WorkKind};

/// A bulk is as many tasks as take about this long.
const BULK_NANOS: u64 = 200_000;
/// And at most so many.
const MOST_AT_ONCE: usize = 64;

impl Core {
    /// A task has its arguments, and its turn: it joins its batch's queue.
    pub(super) fn make_ready(&mut self, fx: &mut Effects, task: TaskRef) {
        let Some(table) = self.tables.get_mut(&task.serial) else { return };
        let Some(record) = table.record(task.slot).filter(|r| r.step(TaskStep::Prepare)) else { return };
        let priority = record.priority();
        record.set_queued_before(None);
        table.counts.waiting -= 1;
        table.counts.ready += 1;
        if table.counts.ready == 1 {
            table.ready_since = Some(Instant::now());
        }
        fx.ready += 1;
        self.queue(task, priority);
    }

    fn queue(&mut self, task: TaskRef, priority: i32) {
        let Some(table) = self.tables.get_mut(&task.serial) else { return };
        let mut queues = std::mem::take(&mut table.queues);
        let begins = queues.push(priority, task.slot, |before, slot| {
            if let Some(record) = table.blank(before) {
                record.set_queued_before(Some(slot));
            }
        });
        table.queues = queues;
        if begins && !table.parked.contains(&priority) {
            self.turns.entry(Reverse(priority)).or_default().push_back(task.serial);
        }
    }

    /// A replay has its arguments.
    pub(super) fn ready_replay(&mut self, fx: &mut Effects, task: TaskRef) {
        let Some(table) = self.tables.get_mut(&task.serial) else { return };
        if table.record(task.slot).is_some_and(|r| r.step(TaskStep::Prepare)) {
            table.counts.waiting -= 1;
            table.counts.ready += 1;
            fx.ready += 1;
            self.urgent.push_back(Urgent::Replay(task));
        }
    }

    /// A run that did not begin, or is to begin again.
    pub(super) fn requeue(&mut self, fx: &mut Effects, task: TaskRef) {
        let Some(table) = self.tables.get_mut(&task.serial) else { return };
        let Some(record) = table.record(task.slot).filter(|r| r.step(TaskStep::Retry)) else { return };
        let (priority, replay) = (record.priority(), record.has(REPLAY));
        record.set_queued_before(None);
        table.counts.ready += 1;
        fx.ready += 1;
        if replay {
            self.urgent.push_back(Urgent::Replay(task));
        } else {
            self.queue(task, priority);
        }
    }

    /// Work for a worker: one piece, or a bulk of small ones.
    pub(super) fn take(&mut self, which: Option<u32>, max: usize) -> Vec<Work> {
        while let Some(urgent) = self.urgent.pop_front() {
            if let Some(work) = self.take_urgent(urgent) {
                self.running += 1;
                return vec![work];
            }
        }
        // beside a wide task only as many others run as there are slots left; without one, there are as many as workers
        if self.wide > 0 && self.busy() + u64::from(self.wide) >= u64::from(self.slots) {
            return Vec::new();
        }
        if let Some(serial) = which {
            let highest = self.table(serial).and_then(|t| t.queues.highest());
            let Some(priority) = highest else { return Vec::new() };
            let bulk = self.take_bulk(serial, priority, max);
            self.wide_waits = false;
            if !self.table(serial).is_some_and(|t| t.queues.has(priority)) {
                // it gets in turn again with its next ready task
                if let Some(turns) = self.turns.get_mut(&Reverse(priority)) {
                    turns.retain(|s| *s != serial);
                }
                self.forget_empty(Reverse(priority));
            }
            return bulk;
        }
        let priorities: Vec<_> = self.turns.keys().copied().collect();
        for priority in priorities {
            let turns = self.turns.get(&priority).map_or(0, |turns| turns.len());
            for _ in 0..turns {
                let Some(serial) = self.turns.get_mut(&priority).and_then(|turns| turns.pop_front()) else { break };
                if self.park(serial, priority.0) {
                    continue;
                }
                let bulk = self.take_bulk(serial, priority.0, max);
                let more = self.table(serial).is_some_and(|t| t.queues.has(priority.0));
                if let Some(turns) = self.turns.get_mut(&priority).filter(|_| more) {
                    turns.push_back(serial);
                }
                if !bulk.is_empty() || self.wide_waits {
                    if std::mem::take(&mut self.wide_waits)
                        && let Some(turns) = self.turns.get_mut(&priority)
                    {
                        turns.rotate_right(1); // it stays the next one
                    }
                    self.forget_empty(priority);
                    return bulk;
                }
            }
            self.forget_empty(priority);
        }
        Vec::new()
    }

    /// A batch of which as many tasks run as may is not looked at again until one of them ends or waits. False for another.
    fn park(&mut self, serial: u32, priority: i32) -> bool {
        let Some(table) = self.tables.get_mut(&serial).filter(|table| is_at_own_limit(table)) else { return false };
        if table.queues.has(priority) {
            table.parked.push(priority);
        }
        true
    }

    /// A task of a batch ended, or waits for others.
    pub(super) fn unpark(&mut self, serial: u32) {
        let Some(table) = self.tables.get_mut(&serial).filter(|t| !t.parked.is_empty() && !is_at_own_limit(t)) else {
            return;
        };
        for priority in std::mem::take(&mut table.parked) {
            if table.queues.has(priority) {
                self.turns.entry(Reverse(priority)).or_default().push_back(serial);
            }
        }
    }

    /// Runs that use their cpus.
    fn busy(&self) -> u64 {
        self.running.saturating_sub(self.blocked + self.lent)
    }

    /// True when a worker is free, and there is something for it.
    pub(super) fn can_run_more(&self) -> bool {
        let busy = self.busy() + u64::from(self.wide);
        if busy >= u64::from(self.slots) {
            return false;
        }
        if !self.urgent.is_empty() {
            return true;
        }
        for (priority, serials) in &self.turns {
            if let Some(table) = serials.iter().filter_map(|s| self.table(*s)).find(|t| !t.is_at_limit()) {
                // a wide one waits, and all behind it
                let first = table.queues.first(priority.0).and_then(|slot| table.record(slot));
                let first = first.filter(|r| r.is(TaskState::Ready));
                return first.is_none_or(|r| r.cpus() == 1 || busy + u64::from(r.cpus()) <= u64::from(self.slots));
            }
        }
        false
    }

    /// True when something is ready that may run as soon as a cpu is free.
    pub(super) fn has_ready(&self) -> bool {
        !self.urgent.is_empty()
            || self.turns.values().flatten().any(|s| self.table(*s).is_some_and(|t| !t.is_at_limit()))
    }

    /// Notes whether a run waits until it may submit a task.
    pub(super) fn wait_for_room(&mut self, run: Run, waits: bool) {
        let Some(record) = self.record(run.task).filter(|r| r.attempt() == run.attempt && r.waits_for_room() != waits)
        else {
            return;
        };
        record.set_waits_for_room(waits);
        // one that is blocked is counted as that
        let blocked = record.is_blocked();
        if waits {
            self.full_inside += u64::from(!blocked);
        } else {
            self.full_inside = self.full_inside.saturating_sub(u64::from(!blocked));
        }
    }

    /// True when somebody else could be given work.
    pub(super) fn has_more(&self) -> bool {
        !self.urgent.is_empty() || !self.turns.is_empty()
    }

    fn forget_empty(&mut self, priority: Reverse<i32>) {
        if self.turns.get(&priority).is_some_and(|turns| turns.is_empty()) {
            self.turns.remove(&priority);
        }
    }

    fn take_urgent(&mut self, urgent: Urgent) -> Option<Work> {
        match urgent {
            Urgent::Job(number) => self.take_job(number),
            Urgent::Replay(task) => {
                let (actor, instance) = *self.replays.get(&task)?;
                let work = self.begin_run(task, instance)?;
                self.wide += self.record(task).map_or(0, |r| r.cpus() - 1);
                Some(Work { actor, ..work })
            }
        }
    }

    /// As many ready tasks of a batch as are worth a trip.
    fn take_bulk(&mut self, serial: u32, priority: i32, max: usize) -> Vec<Work> {
        self.wide_waits = false;
        let Some(table) = self.table(serial) else { return Vec::new() };
        let worth = BULK_NANOS.checked_div(table.pace).unwrap_or(1).clamp(1, MOST_AT_ONCE as u64) as usize;
        let most = if self.wide > 0 { 1 } else { worth.min(max).max(1) };
        let mut bulk = Vec::with_capacity(most);
        while bulk.len() < most {
            let slots = u64::from(self.slots);
            let busy = self.busy() + u64::from(self.wide);
            let Some(table) = self.tables.get_mut(&serial) else { break };
            if table.is_at_limit() {
                break; // it is looked at again with each task that ends
            }
            let mut queues = std::mem::take(&mut table.queues);
            let first = queues.first(priority);
            // one that was cancelled meanwhile stands in the queue still
            let record = first.and_then(|slot| table.record(slot)).filter(|r| r.is(TaskState::Ready));
            let cpus = record.map_or(1, |r| r.cpus());
            // a wide one at the head waits until others are over, and nobody overtakes it meanwhile
            let fits = busy + u64::from(cpus) <= slots;
            let slot = if first.is_some() && (cpus == 1 || (bulk.is_empty() && fits)) {
                queues.pop(priority, |slot| table.blank(slot).and_then(|r| r.queued_before()))
            } else {
                None
            };
            table.queues = queues;
            let Some(slot) = slot else {
                self.wide_waits = first.is_some() && bulk.is_empty();
                break;
            };
            let task = TaskRef { serial, slot };
            if !self.record(task).is_some_and(|r| r.is(TaskState::Ready)) {
                continue;
            }
            let instance = self.instance_for(task);
            if instance == 0 && self.record(task).is_some_and(|r| r.actor() != 0) {
                self.recall(task);
                continue;
            }
            if let Some(work) = self.begin_run(task, instance) {
                self.running += 1;
                bulk.push(work);
            }
            if cpus > 1 {
                self.wide += cpus - 1;
                break;
            }
        }
        if let Some(table) = self.tables.get_mut(&serial).filter(|_| !bulk.is_empty()) {
            table.ready_since = (table.counts.ready > 0).then(Instant::now);
        }
        bulk
    }

    fn begin_run(&mut self, task: TaskRef, instance: u32) -> Option<Work> {
        let table = self.tables.get_mut(&task.serial)?;
        let record = table.record(task.slot).filter(|r| r.step(TaskStep::Take))?;
        let attempt = record.next_attempt();
        let kind = if record.has(CREATION) {
            WorkKind::Construct
        } else if record.has(CHECKPOINT) {
            WorkKind::Save
        } else if record.actor() != 0 {
            WorkKind::Method
        } else {
            WorkKind::Run
        };
        let work = Work {
            run: Run { task, attempt },
            kind,
            actor: record.actor(),
            instance,
            aliased: record.has(ALIASED),
            replay: record.has(REPLAY) && !record.has(WANTED),
        };
        table.counts.ready -= 1;
        table.counts.running += 1;
        if let Some(group) = &table.group {
            group.begin_task();
        }
        Some(work)
    }

    /// A run is over: what it took of the engine is free.
    pub(super) fn end_run(&mut self, fx: &mut Effects, task: TaskRef) {
        self.free_slots(fx, task);
        self.unpark(task.serial);
    }

    fn free_slots(&mut self, fx: &mut Effects, task: TaskRef) {
        self.end_loan(task);
        self.running = self.running.saturating_sub(1);
        let Some(table) = self.tables.get_mut(&task.serial) else { return };
        let at_limit = table.is_at_limit();
        table.counts.running -= 1;
        // it may run again: then nobody has seen anything of that run
        if let Some(record) = table.record(task.slot) {
            record.set_returned(false);
        }
        let cpus = table.record(task.slot).map_or(1, |r| r.cpus());
        let more = table.queues.highest().is_some();
        if let Some(record) = table.record(task.slot).filter(|r| r.waits_for_room()) {
            record.set_waits_for_room(false);
            self.full_inside = self.full_inside.saturating_sub(u64::from(!record.is_blocked()));
        }
        // one that ends while it is blocked, as its thread is given up, has given its slots up before
        if let Some(record) = table.record(task.slot).filter(|r| r.is_blocked()) {
            record.set_blocked(false);
            table.blocked = table.blocked.saturating_sub(1);
            self.blocked = self.blocked.saturating_sub(1);
            self.awaits.remove(&task);
        } else {
            if let Some(group) = &table.group {
                group.end_task();
            }
            self.wide -= (cpus - 1).min(self.wide);
        }
        // of a group others may have waited
        let more = more || (table.group.is_some() && !self.turns.is_empty());
        if cpus > 1 || (at_limit && more) {
            fx.orders.push(Order::Workers);
        }
    }

    /// Batches that have ready tasks, for a policy of the user's.
    pub(super) fn ready_batches(&self) -> Vec<BatchLoad> {
        let mut serials: Vec<u32> = self.turns.values().flatten().copied().collect();
        serials.sort_unstable();
        serials.dedup();
        let load = |serial: u32| {
            let table = self.table(serial)?;
            (!table.is_at_limit()).then_some(BatchLoad {
                serial,
                id: table.key.id.0,
                priority: table.queues.highest()?,
                ready: table.counts.ready,
                running: table.counts.running,
                waiting_nanos: table.ready_since.map_or(0, |at| at.elapsed().as_nanos().try_into().unwrap_or(u64::MAX)),
            })
        };
        serials.into_iter().filter_map(load).collect()
    }
}

/// True when as many of a batch's tasks run as it allows itself.
fn is_at_own_limit(table: &BatchTable) -> bool {
    table.max_tasks.is_some_and(|most| table.counts.running.saturating_sub(table.blocked) >= u64::from(most))
}
