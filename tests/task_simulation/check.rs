//! What must hold whenever nothing is going on, and when all is over.

use std::collections::BTreeSet;

use raybatch::batch::BatchKey;
use raybatch::task::{TaskKind, Work};

use super::driver::World;
use super::model::Link;

impl World {
    /// Work that was taken keeps the limits.
    pub(crate) fn check_taken(&self, taken: &[Work]) {
        for work in taken {
            let Some(&n) = self.by_ref.get(&work.run.task) else { continue };
            let batch = &self.batches[self.all[n].batch];
            let group = self.client.group("outer").unwrap();
            if let Some(most) = group.max_tasks.filter(|_| batch.grouped) {
                assert!(
                    group.tasks <= most || work.replay || work.instance > 0,
                    "the group runs {} of {most}",
                    group.tasks
                );
            }
            let Some(most) = batch.max_tasks else { continue };
            let running = self.client.status(batch.key).map_or(0, |s| s.tasks_running);
            let blocked = self.workers.iter().filter(|w| w.at.as_ref().is_some_and(|a| a.blocked)).count() as u64;
            assert!(
                running <= u64::from(most) + blocked || work.replay || work.instance > 0,
                "batch runs {running} of {most}"
            );
        }
    }

    /// What a recursive free took that it was not told to.
    pub(crate) fn check_nobody_needs(&self, o: usize, told: &[usize]) {
        if told.contains(&o) {
            return;
        }
        for (n, t) in self.all.iter().enumerate() {
            if t.args.contains(&o) && !self.is_collected(t.batch) {
                assert!(t.accepted || t.touched || self.may_fail(n), "task {n} is to take object {o}, which was freed");
            }
        }
    }

    /// All that can run, runs; then nobody waits.
    pub(crate) fn settle(&mut self) {
        self.note("settle", 0, 0);
        for o in 0..self.objects.len() {
            self.close_writer_of(o, false);
        }
        // in normal mode there is no telling what is gone from what is to come: somebody writes it again
        for o in 0..self.objects.len() {
            self.write_again(o);
        }
        self.look_around();
        self.run_out();
        self.check_rest();
    }

    pub(crate) fn what_is_left(&self) -> String {
        let serials: Vec<i32> = self.batches.iter().filter_map(|b| b.serial).map(u32::cast_signed).collect();
        let active = self.tasks.active(&serials);
        let left: Vec<_> = serials.iter().zip(active).filter(|(_, n)| *n > 0).collect();
        let waiting: Vec<_> = (0..self.all.len())
            .filter(|n| !self.all[*n].accepted && !self.all[*n].touched)
            .map(|n| (n, self.all[n].batch, self.all[n].kind, &self.all[n].args))
            .collect();
        let at: Vec<_> = (0..self.workers.len())
            .filter_map(|w| self.current_run(w))
            .map(|run| (self.by_ref.get(&run.task), run.attempt))
            .collect();
        format!(
            "active {left:?}, not over {waiting:?}, running {at:?}, getters {:?}",
            self.getters.iter().map(|g| g.object).collect::<Vec<_>>()
        )
    }

    fn check_rest(&self) {
        let stands = |w: &World| w.what_is_left();
        assert!(
            self.workers.iter().all(|w| w.at.is_none() && w.bulk.is_empty()),
            "a run waits for ever: {}",
            stands(self)
        );
        let serials: Vec<i32> = self.batches.iter().filter_map(|b| b.serial).map(u32::cast_signed).collect();
        assert!(self.tasks.active(&serials).iter().all(|n| *n == 0), "a task waits for ever: {}", stands(self));
        assert!(self.getters.is_empty(), "somebody waits for ever: {}", stands(self));
        for b in 1..self.batches.len() {
            if self.batches[b].ended {
                assert!(self.client.batch_over(self.batches[b].key).unwrap().is_some(), "batch {b} is never over");
            }
        }
        for (n, t) in self.all.iter().enumerate() {
            for (k, &o) in t.results.iter().enumerate() {
                self.check_object(o);
                let lost =
                    self.objects[o].freed || self.is_collected(self.objects[o].owner) || self.is_collected(t.batch);
                assert!(
                    lost || self.is_there(&self.objects[o].id),
                    "result {k} of task {n} is not there: {:?}",
                    self.look(&self.objects[o].id)
                );
            }
        }
        assert_eq!(self.client.group("outer").unwrap().tasks, 0, "nothing runs in the group");
        self.check_records();
        self.client.audit().unwrap();
    }

    /// Records of collected batches stand while a live batch depends on them, and no longer.
    fn check_records(&self) {
        let live: BTreeSet<usize> = (1..self.batches.len()).filter(|b| !self.is_collected(*b)).collect();
        let (mut owners, mut perhaps) = (BTreeSet::new(), BTreeSet::new());
        for (a, actor) in self.actors.iter().enumerate().filter(|(_, actor)| actor.fault_tolerant) {
            if !self.is_alive(a) {
                continue;
            }
            let mut since = true;
            for link in actor.chain.iter().rev() {
                match link {
                    Link::Checkpoint => since = false,
                    Link::Task(n) if since => drop(owners.insert((actor.owner, self.all[*n].batch))),
                    Link::Task(n) if actor.fell_back => drop(perhaps.insert((actor.owner, self.all[*n].batch))),
                    Link::Task(_) => break,
                }
            }
        }
        let mut at_most = owners.clone();
        at_most.extend(perhaps);
        // normal mode holds nothing, and is not held
        let took: Vec<_> = self.took.iter().filter(|(x, y, _)| *x != 0 && *y != 0).collect();
        at_most.extend(took.iter().map(|(x, y, _)| (*x, *y)));
        at_most.extend(self.followed.iter().filter(|f| f.0 != 0 && f.1 != 0 && self.is_alive(f.2)).map(|f| (f.0, f.1)));
        let mut at_least = owners;
        at_least.extend(took.iter().filter(|(_, y, o)| self.objects[*o].owner == *y).map(|(x, y, _)| (*x, *y)));
        for b in 1..self.batches.len() {
            if live.contains(&b) || self.batches[b].serial.is_none() {
                continue;
            }
            let stands = self.tasks.status(self.batches[b].key).is_some_and(|s| s.bytes > 0);
            let reached = |edges: &BTreeSet<(usize, usize)>| {
                let mut passed = BTreeSet::from([b]);
                let mut look_at = vec![b];
                while let Some(at) = look_at.pop() {
                    for &(x, _) in edges.iter().filter(|(_, y)| *y == at) {
                        // normal mode: the root, which owns actors that were born there
                        if x == 0 || live.contains(&x) {
                            return true;
                        }
                        if passed.insert(x) {
                            look_at.push(x);
                        }
                    }
                }
                false
            };
            if !reached(&at_most) {
                let all: Vec<_> = (1..self.batches.len())
                    .map(|b| {
                        (
                            b,
                            self.batches[b].key.id,
                            self.tasks.status(self.batches[b].key).map(|s| (s.counts, s.held_by)),
                        )
                    })
                    .collect();
                assert!(!stands, "records of batch {b} stand, and nobody depends on it: {all:#?}");
            }
            if reached(&at_least) {
                assert!(stands, "records of batch {b} are gone, and a live batch depends on it");
            }
        }
    }

    /// Ends everything; then nothing may be left.
    pub(crate) fn finish(&mut self) -> u64 {
        self.settle();
        for b in (1..self.batches.len()).rev() {
            if self.batches[b].ended {
                let _ = self.client.close_batch(self.batches[b].key, "a simulation");
            } else {
                self.end_now(b, true, &[]);
            }
            if self.random.percent(30) {
                self.look_around();
                self.run_out();
            }
        }
        self.look_around();
        self.run_out();
        let born_outside: Vec<u32> = self.actors.iter().filter(|a| a.owner == 0).map(|a| a.number).collect();
        for number in born_outside {
            self.tasks.kill_actor(number, true, "a simulation");
        }
        self.look_around();
        self.run_out();
        let rest = usize::from(self.batches[0].serial.is_some());
        let (tables, actors) = self.tasks.figures();
        let standing: Vec<usize> = (1..self.batches.len())
            .filter(|b| self.tasks.status(self.batches[*b].key).is_some_and(|s| s.bytes > 0))
            .collect();
        assert!(standing.is_empty(), "records are left of {standing:?}");
        assert!(tables <= rest + 1, "{tables} tables are left");
        assert_eq!(actors, 0, "actors are left");
        assert_eq!(self.instances, Default::default(), "instances are left");
        let left: Vec<_> = self.client.list(None).unwrap().iter().map(|o| o.id).collect();
        let foreign: Vec<_> =
            left.iter().filter(|id| !self.objects.iter().any(|o| o.id == **id && (o.owner == 0))).collect();
        assert!(foreign.is_empty(), "objects are left: {foreign:?}");
        self.client.delete(&left).unwrap();
        self.client.audit().unwrap();
        let stats = self.client.stats().unwrap();
        assert_eq!(stats.store.live, 0, "bytes are left");
        let records = self.tasks.status(BatchKey::NORMAL).map_or(0, |s| s.bytes);
        // the side table, where kept objects lie, keeps a page for the next one
        let kept = self.objects.iter().any(|o| o.owner != o.batch);
        if records == 0 && !kept && !self.actors.iter().any(|a| a.owner == 0) {
            // a page of headers, once lent, stays
            assert_eq!(stats.store.used, self.client.memory().unwrap().store.bookkeeping, "pages are left");
        }
        let methods = self.all.iter().filter(|t| t.kind == TaskKind::Method && t.accepted).count();
        self.note("finished", self.all.len() as u64, methods as u64);
        self.traced()
    }
}
