//! Which batches depend on which, and when the records of a collected one can go.
//!
//! Batch x depends on y when a task of x took an object of y that y has not given away; when a task of x ran on an actor
//! right after one of y, with no checkpoint between; and when x owns a live, fault tolerant actor whose state since its last
//! checkpoint is in part y's. The first two are noted as they arise, the third is looked up.

use std::collections::{BTreeMap, BTreeSet};

use super::actor::Actor;
use super::core::{Core, Effects, Todo};
use super::table::Edge;
use super::types::Submission;
use crate::store::now_ms;

/// Objects of an edge that are remembered one by one.
const MOST_OBJECTS: usize = 16;

/// Why a batch's records stand: one for each batch that depends on it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeldBy {
    /// The batch.
    pub batch: i64,
    /// It is not collected itself.
    pub live: bool,
    /// The number of the actor through which; 0 for objects.
    pub actor: u32,
    /// What errors call that actor.
    pub actor_name: String,
    /// Since when, in epoch milliseconds.
    pub since_ms: u64,
}

impl Core {
    /// Notes which batches a task's arguments come from.
    pub(super) fn note_uses(&mut self, s: &Submission<'_>) {
        for id in s.arguments {
            let Some(maker) = self.maker(id).filter(|maker| maker.serial != s.task.serial) else { continue };
            let Some(edge) = self.edge(s.task.serial, maker.serial) else { continue };
            if edge.objects.len() < MOST_OBJECTS {
                edge.objects.push(*id);
            } else {
                edge.more_objects = true;
            }
        }
    }

    /// Notes that a task of x ran on an actor after one of y.
    pub(super) fn note_state(&mut self, x: u32, y: u32, actor: u32) {
        if x != y
            && let Some(edge) = self.edge(x, y)
        {
            edge.actors.insert(actor);
        }
    }

    /// A task of x whose turn had come on an actor left it without having run to its end: unless another one of x ran
    /// there right after one of y, x does not depend on y for this actor's sake.
    pub(super) fn unnote_state(&mut self, x: u32, number: u32) {
        let Some(links) = self.actors.get(&number).and_then(|a| a.segment()).map(|s| s.links.as_slice()) else {
            return;
        };
        let Some(y) = links.last().map(|task| task.serial).filter(|y| *y != x) else { return };
        if links.windows(2).any(|two| two[0].serial == y && two[1].serial == x) {
            return;
        }
        self.forget_edge(x, y, number);
        self.todo.push_back(Todo::Reconsider(y));
    }

    /// The chain of an actor with tasks of y is forgotten: nobody depends on y for that one's sake, unless a task of both is in an
    /// older part of it.
    pub(super) fn forget_state(&mut self, y: u32, number: u32) {
        let older = |x: u32| {
            let segments = self.actors.get(&number).map(|actor| actor.segments.values());
            segments.into_iter().flatten().any(|s| s.batches.contains_key(&y) && s.batches.contains_key(&x))
        };
        let Some(edges) = self.tables.get(&y).map(|t| &t.dependents) else { return };
        let through: Vec<u32> = edges.iter().filter(|(_, e)| e.actors.contains(&number)).map(|(x, _)| *x).collect();
        for x in through.into_iter().filter(|x| !older(*x)).collect::<Vec<_>>() {
            self.forget_edge(x, y, number);
        }
    }

    /// x does not depend on y for this actor's sake.
    fn forget_edge(&mut self, x: u32, y: u32, number: u32) {
        let Some(edge) = self.tables.get_mut(&y).and_then(|t| t.dependents.get_mut(&x)) else { return };
        edge.actors.remove(&number);
        if edge.actors.is_empty() && edge.objects.is_empty() && !edge.more_objects {
            if let Some(table) = self.tables.get_mut(&y) {
                table.dependents.remove(&x);
            }
            if let Some(table) = self.tables.get_mut(&x) {
                table.depends_on.remove(&y);
            }
        }
    }

    /// The edge from x to y. Tasks of normal mode have no batch that would end, and hold nothing; nor are they held.
    fn edge(&mut self, x: u32, y: u32) -> Option<&mut Edge> {
        if self.table(x)?.key.id.is_normal() || self.table(y)?.key.id.is_normal() {
            return None;
        }
        self.tables.get_mut(&x)?.depends_on.insert(y);
        let edge = || Edge { since_ms: now_ms(), objects: Vec::new(), more_objects: false, actors: BTreeSet::new() };
        Some(self.tables.get_mut(&y)?.dependents.entry(x).or_insert_with(edge))
    }

    /// Who depends on a batch, and why, just now.
    fn dependents(&self, serial: u32) -> BTreeMap<u32, (u64, Option<u32>)> {
        let mut all = BTreeMap::new();
        let Some(table) = self.table(serial) else { return all };
        for (&by, edge) in &table.dependents {
            // the state of a dead actor is needed by nobody
            let actor = edge.actors.iter().copied().find(|number| self.actors.contains_key(number));
            let objects = edge.more_objects || edge.objects.iter().any(|id| !self.engine.is_kept(id));
            if actor.is_some() || objects {
                all.insert(by, (edge.since_ms, actor));
            }
        }
        for number in &table.used_actors {
            let Some(actor) = self.actors.get(number).filter(|a| a.owner != serial && a.rests_on(serial)) else {
                continue;
            };
            all.entry(actor.owner).or_insert((table.collected_ms.unwrap_or(0), Some(*number)));
        }
        all
    }

    /// Lets go of a collected batch's records if no batch that lives can reach it; and of those that only it held.
    ///
    /// The look goes upwards and stops at the first one that lives. If there is none, all it passed are collected, and
    /// needed by nobody but each other.
    pub(super) fn reconsider(&mut self, fx: &mut Effects, serial: u32) {
        let mut passed = BTreeSet::from([serial]);
        let mut look_at = vec![serial];
        while let Some(at) = look_at.pop() {
            let Some(table) = self.table(at) else { continue };
            let busy = table.counts.active + table.counts.running + table.counts.ready + table.counts.waiting > 0;
            if !table.is_collected() || busy {
                return;
            }
            let further = self.dependents(at).into_keys().filter(|by| passed.insert(*by));
            look_at.extend(further.collect::<Vec<_>>());
        }
        let mut below = BTreeSet::new();
        let mut actors = BTreeSet::new();
        for serial in &passed {
            if let Some(table) = self.table(*serial) {
                below.extend(table.depends_on.iter().copied());
                actors.extend(table.used_actors.iter().copied());
            }
        }
        for serial in &passed {
            self.drop_table(*serial, fx);
        }
        for actor in actors {
            self.prune(fx, actor);
        }
        self.todo.extend(below.difference(&passed).copied().map(Todo::Reconsider));
    }

    /// A batch is collected: its actors die with it, its records go unless somebody depends on them.
    pub(super) fn collected(&mut self, fx: &mut Effects, serial: u32) {
        let Some(table) = self.tables.get_mut(&serial) else { return };
        if table.is_collected() {
            return;
        }
        table.collected_ms = Some(now_ms());
        let ended = table.batch.take().and_then(|batch| batch.why_ended());
        table.boundary = None;
        let owned: Vec<u32> = table.owned_actors.iter().copied().collect();
        let below: Vec<u32> = table.depends_on.iter().copied().collect();
        for number in owned {
            match &ended {
                Some((reason, why)) => self.die_with_batch(fx, number, *reason, why),
                None => self.die(fx, number, "its batch was collected"),
            }
        }
        self.pass_wishes_on(serial);
        self.todo.push_back(Todo::Reconsider(serial));
        self.todo.extend(below.into_iter().map(Todo::Reconsider));
    }

    /// Makes another batch the owner of actors.
    pub(super) fn keep_actor(&mut self, number: u32, to: u32) {
        let Some(actor) = self.actors.get_mut(&number) else { return };
        let from = std::mem::replace(&mut actor.owner, to);
        if let Some(table) = self.tables.get_mut(&from) {
            table.owned_actors.remove(&number);
        }
        if let Some(table) = self.tables.get_mut(&to) {
            table.owned_actors.insert(number);
        }
        // checkpoints lie in the owner's batch: what this one has no more is made anew
        self.todo.push_back(Todo::Advance(number));
    }

    /// Why the records of a collected batch stand.
    pub(super) fn held_by(&self, serial: u32) -> Vec<HeldBy> {
        let Some(_) = self.table(serial).filter(|t| t.is_collected()) else { return Vec::new() };
        let by = |(by, (since_ms, actor)): (u32, (u64, Option<u32>))| {
            let table = self.table(by)?;
            let name =
                |n: u32| self.actors.get(&n).map_or_else(|| format!("actor {n}"), |a: &Actor| a.name.to_string());
            Some(HeldBy {
                batch: table.key.id.0,
                live: !table.is_collected(),
                actor: actor.unwrap_or(0),
                actor_name: actor.map(name).unwrap_or_default(),
                since_ms,
            })
        };
        self.dependents(serial).into_iter().filter_map(by).collect()
    }
}
