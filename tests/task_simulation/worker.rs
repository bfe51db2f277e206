//! Workers: what they take, how far they get with it, what they report.

use raybatch::error::ErrorCode;
use raybatch::id::ObjectId;
use raybatch::store::Kind;
use raybatch::task::{Ending, Outcome, Remade, Run, Submitted, TaskKind, TaskRef, Work, WorkKind};

use super::driver::{World, payload};
use super::model::{Active, Link, Step, run_key};
use super::random::mix;

/// What there is of an object, for a reader.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Seen {
    Value(u64),
    Failure,
    /// Not yet; or, in normal mode, not any more.
    Absent,
    Lost,
    Gone,
}

/// What a run came to when it went a step further.
enum Went {
    On,
    Waits,
    Ended(Ending, Vec<u64>),
}

impl World {
    pub(crate) fn look(&self, id: &ObjectId) -> Seen {
        let mut bytes = Vec::new();
        match self.client.get(id, &mut bytes) {
            Ok(Some(Kind::Failure)) => Seen::Failure,
            Ok(Some(Kind::Null)) => Seen::Value(0),
            Ok(Some(_)) => {
                let value = u64::from_le_bytes(bytes[..8].try_into().unwrap());
                assert!(bytes == payload(value) || bytes.len() == 8, "object {id} is torn");
                Seen::Value(value)
            }
            Ok(None) => Seen::Absent,
            Err(e) if e.code() == ErrorCode::ObjectLost => Seen::Lost,
            Err(_) => Seen::Gone,
        }
    }

    /// A worker does something, if there is one that can. False if none could.
    pub(crate) fn work(&mut self) -> bool {
        let from = self.random.below(self.workers.len());
        for n in 0..self.workers.len() {
            let w = (from + n) % self.workers.len();
            if self.work_as(w) {
                return true;
            }
        }
        false
    }

    fn work_as(&mut self, w: usize) -> bool {
        if self.workers[w].at.is_some() {
            return self.go_on(w);
        }
        if let Some(work) = self.workers[w].bulk.pop_front() {
            self.begin(w, work);
            return true;
        }
        let busy =
            self.workers.iter().filter(|w| !w.bulk.is_empty() || w.at.as_ref().is_some_and(|a| !a.blocked)).count();
        if busy as u32 >= self.slots {
            return false;
        }
        let max = 1 + self.random.below(8);
        let which = if self.random.percent(10) {
            let loads = self.tasks.ready_batches();
            self.random.pick(&loads).map(|load| load.serial)
        } else {
            None
        };
        let (taken, _) = self.tasks.take(which, max);
        if taken.is_empty() {
            return which.is_some();
        }
        self.note("take", w as u64, taken.len() as u64);
        self.check_taken(&taken);
        self.workers[w].bulk.extend(taken);
        true
    }

    fn begin(&mut self, w: usize, work: Work) {
        let task = self.by_ref.get(&work.run.task).copied();
        self.note("begin", task.map_or(u64::MAX, |n| n as u64), work.kind as u64);
        if let Some(n) = task {
            self.all[n].runs += 1;
            assert!(!self.forgotten.contains(&work.run.task.serial), "the function of task {n} is forgotten");
        }
        self.workers[w].at = Some(Active {
            work,
            stage: 0,
            args: None,
            gained: Vec::new(),
            nth: 0,
            puts: None,
            tasks: None,
            blocked: false,
            no_room: false,
            asked: false,
        });
    }

    fn go_on(&mut self, w: usize) -> bool {
        let Some(mut at) = self.workers[w].at.take() else { return false };
        let went = match at.work.kind {
            WorkKind::Save | WorkKind::Restore => self.serve(&at.work),
            _ => self.advance(&mut at),
        };
        match went {
            Went::On => {
                if std::mem::take(&mut at.no_room) {
                    self.give_back(w);
                }
                self.workers[w].at = Some(at);
                true
            }
            Went::Waits => {
                let begins = !at.blocked;
                if begins {
                    // as a worker of Java's does
                    self.give_back(w);
                    self.tasks.blocked(at.work.run, true);
                    at.blocked = true;
                }
                self.workers[w].at = Some(at);
                // another thread takes its place
                if self.workers.iter().all(|w| w.at.is_some() || !w.bulk.is_empty()) {
                    self.workers.push(super::model::Worker::default());
                }
                begins
            }
            Went::Ended(ending, values) => {
                if at.blocked {
                    self.tasks.blocked(at.work.run, false);
                }
                self.report(&at.work, ending, &values);
                true
            }
        }
    }

    /// Saves or restores an instance.
    fn serve(&mut self, work: &Work) -> Went {
        let at = (work.actor, work.instance);
        if work.kind == WorkKind::Save {
            let Some(&state) = self.instances.get(&at) else { return Went::Ended(Ending::Threw, Vec::new()) };
            return Went::Ended(Ending::Value, vec![state]);
        }
        if self.random.percent(5) {
            self.restoring_fails(work.actor);
            let ending = if self.random.percent(70) { Ending::Threw } else { Ending::LostArgument };
            return Went::Ended(ending, Vec::new());
        }
        let ids = self.tasks.arguments(work.run);
        match ids.first().map(|id| self.look(id)) {
            Some(Seen::Value(state)) => {
                self.instances.insert(at, state);
                Went::Ended(Ending::Value, vec![0])
            }
            _ => Went::Ended(Ending::Threw, Vec::new()),
        }
    }

    fn advance(&mut self, at: &mut Active) -> Went {
        let n = self.by_ref[&at.work.run.task];
        if at.args.is_none() {
            let ids = self.tasks.arguments(at.work.run);
            assert_eq!(ids.len(), self.all[n].args.len());
            let mut args = Vec::new();
            for (k, id) in ids.iter().enumerate() {
                match self.look(id) {
                    Seen::Value(value) => {
                        self.check_argument(n, k, value);
                        args.push(value);
                    }
                    Seen::Failure => return Went::Ended(Ending::ThrewForGood, Vec::new()),
                    _ => return Went::Ended(Ending::LostArgument, Vec::new()),
                }
            }
            at.args = Some(args);
            return Went::On;
        }
        let Some(step) = self.all[n].plan.get(at.stage).copied() else { return self.compute(n, at) };
        let gone = |e: &raybatch::error::Error| e.code() == ErrorCode::TaskCancelled;
        match step {
            Step::Put => {
                let (first, index) = match self.id_for(n, at, true) {
                    Ok(id) => id,
                    Err(e) => return self.broken_off(n, &e),
                };
                let value = mix(self.all[n].salt, 1000 + at.stage as u64);
                let stored = self.tasks.put_in_run(at.work.run, first, index, Kind::Bytes, &payload(value).as_slice());
                if let Err(e) = stored {
                    assert!(gone(&e), "{e}");
                    return self.broken_off(n, &e);
                }
                let id = self.id_in(n, first, index);
                self.note_put(n, at.stage, id, value);
            }
            Step::Sub(salt) => {
                let submitted = match self.all[n].subs.get(&at.stage).copied() {
                    Some(sub) => self.submit_again(n, at, sub),
                    None => self.submit_sub(n, at, salt),
                };
                match submitted {
                    Ok(true) => {}
                    Ok(false) => {
                        // what it has not begun is for others, while it waits for room
                        at.no_room = true;
                        return Went::On;
                    }
                    Err(e) => return self.broken_off(n, &e),
                }
            }
            Step::Await(which) => return self.wait_for(n, at, which),
        }
        at.stage += 1;
        Went::On
    }

    /// A cancelled run notices, or a limit stops it, or what it hands on is collected: it throws.
    fn broken_off(&mut self, n: usize, why: &raybatch::error::Error) -> Went {
        assert!(
            matches!(
                why.code(),
                ErrorCode::TaskCancelled
                    | ErrorCode::ActorDied
                    | ErrorCode::BatchEnded
                    | ErrorCode::BatchLimit
                    | ErrorCode::ObjectCollected
            ),
            "{why}"
        );
        self.all[n].touched = true;
        Went::Ended(Ending::ThrewForGood, Vec::new())
    }

    fn wait_for(&mut self, n: usize, at: &mut Active, which: usize) -> Went {
        let subs: Vec<usize> = self.all[n].subs.values().copied().collect();
        let Some(&sub) = subs.get(which) else {
            at.stage += 1;
            return Went::On;
        };
        let o = self.all[sub].results[0];
        let id = self.objects[o].id;
        match self.look(&id) {
            Seen::Value(value) => {
                at.gained.push(value);
                at.stage += 1;
                at.asked = false;
                if at.blocked {
                    at.blocked = false;
                    self.tasks.blocked(at.work.run, false);
                }
                Went::On
            }
            Seen::Absent | Seen::Lost if !at.asked => {
                at.asked = true;
                if self.tasks.remake(&[id]).0 == [Remade::Never] {
                    self.all[n].touched = true;
                    return Went::Ended(Ending::ThrewForGood, Vec::new());
                }
                Went::Waits
            }
            // a run that was interrupted does not wait any longer
            Seen::Absent | Seen::Lost if self.doomed.contains(&run_key(at.work.run)) => {
                Went::Ended(Ending::ThrewForGood, Vec::new())
            }
            Seen::Absent | Seen::Lost => Went::Waits,
            Seen::Failure | Seen::Gone => {
                self.all[n].touched = true;
                Went::Ended(Ending::ThrewForGood, Vec::new())
            }
        }
    }

    // ---- ids of what it makes

    /// The next id of a run for a put, or for a task of up to two results: slot and index.
    fn id_for(&mut self, n: usize, at: &mut Active, puts: bool) -> raybatch::error::Result<(u64, u32)> {
        let left = if puts { at.puts } else { at.tasks };
        let (first, used) = match left {
            Some((first, used)) if used < 8 => (first, used),
            _ => {
                let nth = at.nth as usize;
                let (first, count) = self.tasks.block_of(&self.client, at.work.run, at.nth, 8, puts)?;
                at.nth += 1;
                match self.all[n].blocks.get(nth) {
                    Some(before) => assert_eq!(*before, (first, count), "block {nth} of task {n} is another one now"),
                    None => self.all[n].blocks.push((first, count)),
                }
                (first, 0)
            }
        };
        let step = if puts { 1 } else { 2 };
        *(if puts { &mut at.puts } else { &mut at.tasks }) = Some((first, used + step));
        Ok(if puts { (first, used) } else { (first + u64::from(used), 0) })
    }

    fn base_of(&self, batch: usize) -> u64 {
        if batch == 0 { self.client.normal_base() } else { self.batches[batch].key.life }
    }

    fn id_in(&self, n: usize, first: u64, index: u32) -> ObjectId {
        let batch = self.all[n].batch;
        ObjectId::new(self.batches[batch].key.id, self.base_of(batch).wrapping_add(first), index)
    }

    fn note_put(&mut self, n: usize, stage: usize, id: ObjectId, value: u64) {
        if let Some(&o) = self.all[n].puts.get(&stage) {
            return assert_eq!(self.objects[o].id, id, "a re-run puts under the same ids");
        }
        let batch = self.all[n].batch;
        let o = self.add_object(id, Some(n), batch, Some(value));
        self.all[n].puts.insert(stage, o);
    }

    /// A task submits another one to its own batch. False: there is no room just now.
    fn submit_sub(&mut self, n: usize, at: &mut Active, salt: u64) -> raybatch::error::Result<bool> {
        let before = (at.tasks, at.nth);
        let (slot, _) = self.id_for(n, at, false)?;
        let batch = self.all[n].batch;
        // what it takes: one of its own arguments, of its puts or of what its other tasks return
        let mut args = self.all[n].args.clone();
        args.extend(self.all[n].puts.values().copied());
        let others: Vec<usize> = self.all[n].subs.values().map(|sub| self.all[*sub].results[0]).collect();
        args.extend(others);
        args.retain(|o| (salt >> (o % 60)) & 1 == 0);
        let live: Vec<usize> = (0..self.actors.len())
            .filter(|a| self.all[n].kind == TaskKind::Plain && salt % 6 == *a as u64 % 6)
            // one that has yet to be constructed may wait for this very task
            .filter(|a| self.all.get(self.actors[*a].creation).is_some_and(|c| c.accepted))
            .collect();
        let actor = live.last().copied();
        let kind = if actor.is_some() { TaskKind::Method } else { TaskKind::Plain };
        let plan = if salt.is_multiple_of(4) && actor.is_none() {
            vec![Step::Put, Step::Sub(mix(salt, 5))]
        } else {
            Vec::new()
        };
        let mut task = self.new_task(batch, kind, actor, args, plan);
        task.returns = if actor.is_none() { 1 + (salt >> 9) as u16 % 2 } else { 1 };
        task.caller = mix(self.all[n].salt, 3);
        task.task = TaskRef { serial: at.work.run.task.serial, slot };
        match self.try_submit(&task, 0, Some(at.work.run))? {
            Submitted::Accepted => {
                let base = self.base_of(batch);
                let sub = self.accepted(task, base);
                self.all[n].subs.insert(at.stage, sub);
                Ok(true)
            }
            Submitted::Known => panic!("task {n} submits for the first time"),
            Submitted::Full { stuck: true } => {
                Err(raybatch::error::Error::new(ErrorCode::BatchLimit, "nothing else can run"))
            }
            Submitted::Full { stuck: false } => {
                (at.tasks, at.nth) = before;
                Ok(false)
            }
        }
    }

    /// A re-run submits what its first run did: that keeps its results.
    fn submit_again(&mut self, n: usize, at: &mut Active, sub: usize) -> raybatch::error::Result<bool> {
        let (slot, _) = self.id_for(n, at, false)?;
        let task = TaskRef { serial: at.work.run.task.serial, slot };
        assert_eq!(self.all[sub].task, task, "a re-run submits under the same ids");
        let ids: Vec<ObjectId> = self.all[sub].args.iter().map(|o| self.objects[*o].id).collect();
        let s = &self.all[sub];
        let (submitted, _) = self.tasks.submit(&raybatch::task::Submission {
            task,
            kind: s.kind,
            returns: s.returns,
            retries: s.retries,
            cpus: s.cpus,
            priority: None,
            actor: s.actor.map_or(0, |a| self.actors[a].number),
            caller: s.caller,
            arguments: &ids,
            parent: Some(at.work.run),
        })?;
        assert_eq!(submitted, Submitted::Known);
        Ok(true)
    }

    // ---- ends

    /// The values of a run, and what it does to its actor.
    fn compute(&mut self, n: usize, at: &Active) -> Went {
        let key = (at.work.actor, at.work.instance);
        let args = at.args.clone().unwrap_or_default();
        let t = &self.all[n];
        let mut sum = args.iter().chain(&at.gained).fold(t.salt, |sum, v| mix(sum, *v));
        let creation = t.kind == TaskKind::Creation;
        if t.kind == TaskKind::Method {
            let Some(&state) = self.instances.get(&key) else { return Went::Ended(Ending::Threw, Vec::new()) };
            if !at.work.replay && !t.accepted && !self.doomed.contains(&run_key(at.work.run)) {
                self.check_state(n, state);
            }
            sum = mix(sum, state);
            self.instances.insert(key, mix(sum, 1));
        } else if creation && self.all[n].throws == 0 {
            self.instances.insert(key, mix(sum, 1));
        }
        let values: Vec<u64> =
            (0..self.all[n].returns).map(|index| if creation { 0 } else { mix(sum, 2 + u64::from(index)) }).collect();
        let t = &self.all[n];
        let throws = if t.kind == TaskKind::Plain { t.threw < t.throws } else { t.throws > 0 };
        if throws {
            return Went::Ended(Ending::Threw, values);
        }
        if values.len() == 1 && !t.salt.is_multiple_of(3) {
            return Went::Ended(Ending::Value, values);
        }
        if !at.work.replay {
            for (index, value) in values.iter().enumerate() {
                let kind = if creation { Kind::Null } else { Kind::Bytes };
                let bytes = if creation { Vec::new() } else { payload(*value) };
                self.tasks.put_result(at.work.run, index as u32, kind, &bytes.as_slice()).unwrap();
            }
        }
        Went::Ended(Ending::Stored, values)
    }

    fn report(&mut self, work: &Work, ending: Ending, values: &[u64]) {
        let run = work.run;
        let task = self.by_ref.get(&run.task).copied();
        let counts = !self.doomed.contains(&run_key(run));
        self.note("report", task.map_or(u64::MAX, |n| n as u64), ending as u64);
        let nanos = self.nanos();
        let bytes = match ending {
            Ending::Value if values == [0] => Vec::new(),
            Ending::Value if work.kind == WorkKind::Save => values[0].to_le_bytes().to_vec(),
            Ending::Value => payload(values[0]),
            _ => b"\x01it threw".to_vec(),
        };
        let kind = match ending {
            Ending::Value if values == [0] => Kind::Null,
            Ending::Value => Kind::Bytes,
            _ => Kind::Failure,
        };
        // what the oracle makes of it, before anybody can see it
        if let Some(n) = task.filter(|_| counts) {
            self.first_run_ends(n, work, ending, values);
        }
        let saved = work.kind == WorkKind::Save && ending == Ending::Value && counts;
        if saved {
            self.saved(work.actor, values[0]);
        }
        self.tasks.complete(&[Outcome { run, ending, kind, bytes: &bytes, nanos }]);
    }

    /// A worker gives back what it has not begun.
    fn give_back(&mut self, w: usize) {
        let unbegun: Vec<Work> = self.workers[w].bulk.drain(..).collect();
        for work in &unbegun {
            self.note("give back", self.by_ref.get(&work.run.task).map_or(u64::MAX, |n| *n as u64), 0);
        }
        let outcomes: Vec<Outcome<'_>> = unbegun
            .iter()
            .map(|work| Outcome { run: work.run, ending: Ending::NotBegun, kind: Kind::Null, bytes: &[], nanos: 0 })
            .collect();
        self.tasks.complete(&outcomes);
    }

    pub(crate) fn hand_back(&mut self) {
        let w = self.random.below(self.workers.len());
        if !self.workers[w].bulk.is_empty() {
            self.give_back(w);
        }
    }

    /// A thread does not come back. Java gives up only those that were cancelled; the table need not rely on it.
    pub(crate) fn abandon(&mut self) {
        let busy: Vec<usize> = (0..self.workers.len()).filter(|w| self.workers[*w].at.is_some()).collect();
        let Some(&w) = self.random.pick(&busy) else { return };
        let run = self.workers[w].at.as_ref().unwrap().work.run;
        if !self.doomed.contains(&run_key(run)) && self.random.percent(70) {
            return;
        }
        let at = self.workers[w].at.take().unwrap();
        self.give_back(w);
        self.gave_up(&at.work);
        self.note("abandon", self.by_ref.get(&run.task).map_or(u64::MAX, |n| *n as u64), 0);
        self.tasks.abandon(run, "a thread");
        self.doomed.insert(run_key(run));
        if self.random.percent(30) {
            // it comes back nevertheless
            if at.blocked {
                self.tasks.blocked(run, false);
            }
            self.tasks.complete(&[Outcome {
                run,
                ending: Ending::Value,
                kind: Kind::Bytes,
                bytes: &payload(666),
                nanos: 1,
            }]);
        }
    }

    /// Runs what there is until nothing is left to be run.
    pub(crate) fn run_out(&mut self) {
        let mut idle = 0;
        let mut rounds = 0u64;
        while idle < 4 {
            idle = if self.work() { 0 } else { idle + 1 };
            self.look_around();
            rounds += 1;
            assert!(rounds < 400_000, "it goes on for ever: {}", self.what_is_left());
        }
    }

    pub(crate) fn link_checkpoint(&mut self, actor: usize) {
        self.actors[actor].chain.push(Link::Checkpoint);
    }

    pub(crate) fn current_run(&self, w: usize) -> Option<Run> {
        self.workers[w].at.as_ref().map(|at| at.work.run)
    }
}
