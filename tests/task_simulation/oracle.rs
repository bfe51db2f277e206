//! What values are to be, and what may have failed.

use std::collections::BTreeMap;

use raybatch::task::{Ending, TaskKind, Work, WorkKind};

use super::driver::World;
use super::model::{Link, Task};
use super::worker::Seen;

impl World {
    /// A run of a task ended, and is listened to.
    pub(crate) fn first_run_ends(&mut self, n: usize, work: &Work, ending: Ending, values: &[u64]) {
        let t = &mut self.all[n];
        if t.accepted || work.replay {
            return;
        }
        match ending {
            Ending::NotBegun | Ending::LostArgument => return,
            Ending::Threw if t.kind == TaskKind::Plain => {
                t.threw += 1;
                if t.threw <= t.retries.into() {
                    return;
                }
            }
            Ending::Value | Ending::Stored => {
                t.values = Some(if work.kind == WorkKind::Save { vec![0] } else { values.to_vec() });
            }
            Ending::Threw | Ending::ThrewForGood | Ending::NotSaveable => {}
        }
        t.accepted = true;
        let (results, values) = (t.results.clone(), t.values.clone());
        if let Some(values) = values {
            for (o, value) in results.iter().zip(values) {
                self.objects[*o].value = Some(value);
            }
        }
        let Some(actor) = self.all[n].actor.filter(|_| work.kind != WorkKind::Save) else { return };
        let state = self.instances.get(&(work.actor, work.instance)).copied();
        let batch = self.all[n].batch;
        if work.kind == WorkKind::Construct && matches!(ending, Ending::Threw | Ending::ThrewForGood) {
            self.actors[actor].may_die = true;
            return;
        }
        let a = &mut self.actors[actor];
        let before = a.state;
        if work.kind == WorkKind::Method {
            a.before.entry(batch).or_insert(before);
        }
        a.state = state.unwrap_or(before);
        if let Some(Link::Task(last)) = a.chain.last().copied()
            && a.fault_tolerant
            && self.all[last].batch != batch
        {
            let last = self.all[last].batch;
            self.followed.insert((batch, last, actor));
        }
        self.actors[actor].chain.push(Link::Task(n));
    }

    /// A checkpoint of an actor is stored.
    pub(crate) fn saved(&mut self, number: u32, state: u64) {
        let Some(actor) = self.actors.iter().position(|a| a.number == number) else { return };
        assert_eq!(self.actors[actor].state, state, "actor {number} is saved in another state than its tasks left it");
        self.link_checkpoint(actor);
    }

    /// A checkpoint cannot be restored: what led to it is replayed, if that is remembered.
    pub(crate) fn restoring_fails(&mut self, number: u32) {
        let Some(actor) = self.actors.iter().position(|a| a.number == number) else { return };
        self.actors[actor].may_die = true;
        self.actors[actor].fell_back = true;
        let task = |link: &Link| match link {
            Link::Task(n) => Some(self.all[*n].batch),
            Link::Checkpoint => None,
        };
        // each task depends on the one before, whatever was between them
        let batches: Vec<usize> = self.actors[actor].chain.iter().filter_map(task).collect();
        let pairs = batches.windows(2).filter(|two| two[0] != two[1]).map(|two| (two[1], two[0], actor));
        self.followed.extend(pairs);
    }

    /// A method begins to run: on an instance in the right state?
    pub(crate) fn check_state(&self, n: usize, state: u64) {
        let actor = self.all[n].actor.unwrap();
        let a = &self.actors[actor];
        assert_eq!(state, a.state, "task {n} runs on actor {} in a state that its chain did not lead to", a.number);
    }

    pub(crate) fn rolled_back(&mut self, batch: usize) {
        for actor in 0..self.actors.len() {
            let ran =
                |w: &World, link: &Link| matches!(link, Link::Task(n) if w.all[*n].batch == batch && !w.all[*n].struck);
            if !self.actors[actor].chain.iter().any(|link| ran(self, link)) {
                continue;
            }
            if !self.is_alive(actor) {
                continue;
            }
            let first = self.actors[actor].chain.iter().position(|link| ran(self, link)).unwrap();
            for link in self.actors[actor].chain.split_off(first) {
                if let Link::Task(n) = link {
                    self.all[n].struck = true;
                }
            }
            self.actors[actor].lost = true;
            if let Some(state) = self.actors[actor].before.remove(&batch) {
                self.actors[actor].state = state;
            }
        }
    }

    /// True unless the table says that it is dead.
    pub(crate) fn is_alive(&self, actor: usize) -> bool {
        let a = &self.actors[actor];
        self.tasks.actor_lives(a.number)
    }

    pub(crate) fn gave_up(&mut self, work: &Work) {
        match self.by_ref.get(&work.run.task).copied() {
            Some(n) => {
                self.all[n].touched = true;
                self.lose_for(n);
                // it may have been replayed for the sake of a later one's result, which will not be made then
                let actor = self.all[n].actor.filter(|_| work.replay);
                self.all.iter_mut().filter(|t| actor.is_some() && t.actor == actor).for_each(|t| t.touched = true);
            }
            // a checkpoint that could not be restored; or an instance in whose saving the thread still is
            None => {
                if let Some(a) = self.actors.iter_mut().find(|a| a.number == work.actor) {
                    a.may_die |= work.kind == WorkKind::Restore;
                    a.lost = true;
                }
            }
        }
    }

    // ---- what may have failed

    pub(crate) fn may_fail(&self, n: usize) -> bool {
        self.may_fail_with(n, &mut BTreeMap::new())
    }

    fn may_fail_with(&self, n: usize, known: &mut BTreeMap<usize, bool>) -> bool {
        if let Some(&may) = known.get(&n) {
            return may;
        }
        known.insert(n, false);
        let t = &self.all[n];
        let throws = if t.kind == TaskKind::Plain { t.throws > t.retries.into() } else { t.throws > 0 };
        let may = t.touched
            || throws
            || self.may_lose_arguments(n, known)
            || t.subs.values().any(|sub| {
                t.plan.iter().any(|s| matches!(s, super::model::Step::Await(_))) && self.may_fail_with(*sub, known)
            })
            || t.actor.is_some_and(|a| self.may_be_dead(a, known));
        known.insert(n, may);
        may
    }

    fn may_be_dead(&self, actor: usize, known: &mut BTreeMap<usize, bool>) -> bool {
        let key = usize::MAX - actor;
        if let Some(&may) = known.get(&key) {
            return may;
        }
        known.insert(key, false);
        let a = &self.actors[actor];
        let may = a.may_die
            || self.batches[a.owner].ended
            || a.creation != usize::MAX && self.may_fail_with(a.creation, known)
            || a.lost && self.chain_may_lose_arguments(actor, known);
        known.insert(key, may);
        may
    }

    /// What ran on an actor takes what may not be there when it is replayed.
    fn chain_may_lose_arguments(&self, actor: usize, known: &mut BTreeMap<usize, bool>) -> bool {
        let key = usize::MAX / 2 - actor;
        if let Some(&may) = known.get(&key) {
            return may;
        }
        known.insert(key, false);
        let may = self.actors[actor].chain.iter().any(|link| match link {
            Link::Task(n) => self.may_lose_arguments(*n, known),
            Link::Checkpoint => false,
        });
        known.insert(key, may);
        may
    }

    fn may_lose_arguments(&self, n: usize, known: &mut BTreeMap<usize, bool>) -> bool {
        let t = &self.all[n];
        // nothing is held for tasks of normal mode
        let ended = |o: &usize| self.batches[self.objects[*o].batch].ended;
        t.args.iter().any(|o| self.may_be_lost(*o, known)) || t.batch == 0 && t.args.iter().any(ended)
    }

    /// An object that a task asks for may not be there, and cannot be made again.
    fn may_be_lost(&self, o: usize, known: &mut BTreeMap<usize, bool>) -> bool {
        let object = &self.objects[o];
        let gone = object.freed || self.batches[object.owner].ended && object.owner != 0;
        let Some(n) = object.maker else { return gone || object.aborted };
        if self.may_fail_with(n, known) {
            return true;
        }
        if !gone {
            return false;
        }
        let t = &self.all[n];
        let maker_collected = self.batches[t.batch].ended && t.batch != 0;
        t.struck
            || object.owner != object.batch && (maker_collected || object.owner != 0 && self.batches[object.owner].ended)
            // what ran inside of it went with its batch
            || maker_collected && !t.plan.is_empty()
            || matches!(t.kind, TaskKind::Creation | TaskKind::Checkpoint)
            // of an actor's tasks in normal mode, which has no end, only those since its last checkpoint can be replayed
            || t.actor.is_some() && t.batch == 0
            || t.actor.is_some_and(|a| {
                let remembered = self.actors[a].fault_tolerant && !maker_collected;
                !remembered || self.may_be_dead(a, known) || self.chain_may_lose_arguments(a, known)
            })
    }

    /// A lost object whose task can run again, for all that is known.
    pub(crate) fn must_be_there(&self, o: usize) -> bool {
        let object = &self.objects[o];
        let there = !self.batches[object.owner].ended && !self.batches[object.batch].ended;
        let Some(n) = object.maker.filter(|_| there) else {
            return there && !object.freed && !object.aborted;
        };
        !self.may_be_lost(o, &mut BTreeMap::new()) && self.all[n].accepted
    }

    // ---- values

    pub(crate) fn check_argument(&self, n: usize, k: usize, value: u64) {
        let o = self.all[n].args[k];
        assert_eq!(Some(value), self.objects[o].value, "argument {k} (object {o}) of task {n}");
    }

    /// An object that is there says what it should.
    pub(crate) fn check_object(&self, o: usize) {
        let object = &self.objects[o];
        match self.look(&object.id) {
            Seen::Value(value) => assert_eq!(Some(value), object.value, "object {o} of {:?}", object.maker),
            Seen::Failure => {
                let n = object.maker.expect("nobody else fails");
                assert!(
                    self.may_fail(n) || self.may_be_lost(o, &mut BTreeMap::new()),
                    "task {n} failed: {:?}",
                    self.failure_of(o)
                );
            }
            Seen::Absent | Seen::Lost | Seen::Gone => {}
        }
    }

    pub(crate) fn failure_of(&self, o: usize) -> String {
        let mut bytes = Vec::new();
        let _ = self.client.get(&self.objects[o].id, &mut bytes);
        let said = String::from_utf8_lossy(&bytes).into_owned();
        let named = |o: &usize| said.contains(&self.objects[*o].id.to_string());
        let named: Vec<usize> = (0..self.objects.len()).filter(named).collect();
        format!("{said}; objects {named:?}")
    }

    /// Tasks of a batch that have failed, though nobody knows why they should.
    pub(crate) fn failures(&self, batch: usize) -> String {
        let failed = |o: &usize| matches!(self.look(&self.objects[*o].id), Seen::Failure);
        let all = self.all.iter().enumerate().filter(|(n, t)| t.batch == batch && !t.accepted && !self.may_fail(*n));
        let say = |(n, t): (usize, &Task)| (n, t.results.iter().find(|o| failed(o)).map(|o| self.failure_of(*o)));
        format!("{:?}", all.map(say).collect::<Vec<_>>())
    }

    /// Those who wait for objects outside of tasks look once more.
    pub(crate) fn look_for_getters(&mut self) {
        let getters = std::mem::take(&mut self.getters);
        for getter in getters {
            let id = self.objects[getter.object].id;
            match self.look(&id) {
                Seen::Absent | Seen::Lost => self.getters.push(getter),
                Seen::Value(_) | Seen::Failure => self.check_object(getter.object),
                Seen::Gone => {}
            }
        }
    }
}
