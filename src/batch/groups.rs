//! Groups of batches: whose they are, a user's, a job's; what all of a group together may use, and what of the store is
//! their fair share.
//!
//! Groups are a tree beside that of the batches, shared by the clients of a store. An outermost batch may be started in a
//! group; what is within that batch is in the same one. So a batch's use counts along one chain: to the batches it is in, then
//! to its group, then to the groups that one is in. Limits are looked at where something is taken, so they can be changed at
//! any time: one below what is in use takes nothing away.
//!
//! The registry's lock is a leaf of the order, but for the lists of shares: nothing is called with it held.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use parking_lot::Mutex;

use super::client::Client;
use super::engine::Engine;
use super::tree::Batch;
use super::{BatchSpec, errors};
use crate::error::{Error, ErrorCode, Result};
use crate::store::{Budget, Owner, Share, Shares};

/// Bytes of a group's name.
const MAX_NAME: usize = 64;
/// Groups within each other: each put goes through all its batch is in.
const MAX_DEPTH: usize = 8;

/// One limit of a group; `None`: no such limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GroupLimit {
    /// Most bytes of data and metadata.
    Bytes(Option<u64>),
    /// Most objects.
    Objects(Option<u64>),
    /// Most tasks that run at a time. With 0 all wait.
    Tasks(Option<u64>),
    /// The highest priority of a batch, or of a task with one of its own.
    Priority(Option<i32>),
}

/// A group at one moment. Its use is that of all within it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupStatus {
    /// Its name, after those of the groups it is in: `outer/inner`.
    pub path: Arc<str>,
    /// See [`GroupLimit`].
    pub max_bytes: Option<u64>,
    /// See [`GroupLimit`].
    pub max_objects: Option<u64>,
    /// See [`GroupLimit`].
    pub max_tasks: Option<u64>,
    /// See [`GroupLimit`].
    pub max_priority: Option<i32>,
    /// Data and metadata of its objects, in memory or files.
    pub bytes: u64,
    /// Its objects.
    pub objects: u64,
    /// Bytes of the pages of its batches, and of what they keep in the side table.
    pub held: u64,
    /// Bytes of the arena that are its fair share now.
    pub share: u64,
    /// Batches that are not collected.
    pub batches: u64,
    /// Tasks that run and are not blocked.
    pub tasks: u64,
    /// How often a put or create of one of its batches, a result of a task or a keep found no memory: it failed, or waited.
    pub refused: u64,
}

/// See the module.
pub(crate) struct Group {
    path: Arc<str>,
    outer: Option<Arc<Group>>,
    budget: Arc<Budget>,
    share: Arc<Share>,
    /// `u64::MAX`: none
    max_tasks: AtomicU64,
    /// `i64::MAX`: none
    max_priority: AtomicI64,
    /// tasks of its batches that run and are not blocked
    running: AtomicU64,
    /// what failed since there was no memory for it
    refused: AtomicU64,
}

impl Group {
    fn new(path: &str, outer: Option<&Arc<Group>>, whole: &Arc<Share>) -> Arc<Group> {
        let share = outer.map_or(whole, |outer| &outer.share).part(path);
        let budget = Budget::of_group(path, Arc::clone(&share), outer.map(|outer| Arc::clone(&outer.budget)));
        Arc::new(Group {
            path: path.into(),
            outer: outer.cloned(),
            budget,
            share,
            max_tasks: AtomicU64::new(u64::MAX),
            max_priority: AtomicI64::new(i64::MAX),
            running: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        })
    }

    pub(super) fn path(&self) -> &Arc<str> {
        &self.path
    }

    /// The group it is in.
    pub(super) fn outer(&self) -> Option<&Arc<Group>> {
        self.outer.as_ref()
    }

    pub(super) fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    pub(super) fn share(&self) -> &Arc<Share> {
        &self.share
    }

    /// Itself and the groups it is in.
    fn chain(&self) -> impl Iterator<Item = &Group> {
        std::iter::successors(Some(self), |group| group.outer.as_deref())
    }

    /// True when as many tasks of it, or of a group it is in, run as may.
    pub(crate) fn is_at_task_limit(&self) -> bool {
        self.chain().any(|group| group.running.load(Ordering::Relaxed) >= group.max_tasks.load(Ordering::Relaxed))
    }

    /// A task runs, or is blocked no more.
    pub(crate) fn begin_task(&self) {
        self.chain().for_each(|group| _ = group.running.fetch_add(1, Ordering::Relaxed));
    }

    /// A task is over, or blocked.
    pub(crate) fn end_task(&self) {
        self.chain().for_each(|group| _ = group.running.fetch_sub(1, Ordering::Relaxed));
    }

    fn max_priority(&self) -> Option<i32> {
        i32::try_from(self.max_priority.load(Ordering::Relaxed)).ok()
    }

    /// That a batch, or a task, of that priority may be in it.
    ///
    /// # Errors
    /// `BatchLimit`, naming the group and those around it with theirs.
    pub(crate) fn check_priority(&self, what: &str, priority: i32) -> Result<()> {
        let Some((group, most)) = self
            .chain()
            .find_map(|group| group.max_priority().filter(|most| priority > *most).map(|most| (group, most)))
        else {
            return Ok(());
        };
        let mut text = format!(
            "{what} with priority {priority} is over maxPriority = {most} of group '{}'; give it a lower one, or raise \
             the group's, which can be done at any time.",
            group.path
        );
        let steps: Vec<&Group> = self.chain().collect();
        for (depth, step) in steps.iter().rev().enumerate() {
            let most = step.max_priority().map_or_else(|| "any priority".to_owned(), |most| format!("at most {most}"));
            text.push_str(&format!("\n{:indent$}group '{}': {most}", "", step.path, indent = 2 + 2 * depth));
        }
        Err(Error::new(ErrorCode::BatchLimit, text).facts([most.into(), most.into(), priority.into()]))
    }

    fn set(&self, limit: GroupLimit) {
        match limit {
            GroupLimit::Bytes(most) => self.budget.limit_bytes(most),
            GroupLimit::Objects(most) => self.budget.limit_objects(most),
            GroupLimit::Tasks(most) => self.max_tasks.store(most.unwrap_or(u64::MAX), Ordering::Relaxed),
            GroupLimit::Priority(most) => {
                self.max_priority.store(most.map_or(i64::MAX, i64::from), Ordering::Relaxed);
            }
        }
    }

    fn status(&self, shares: &Shares) -> GroupStatus {
        let ((max_bytes, max_objects), (bytes, objects)) = (self.budget.limits(), self.budget.used());
        GroupStatus {
            path: Arc::clone(&self.path),
            max_bytes,
            max_objects,
            max_tasks: Some(self.max_tasks.load(Ordering::Relaxed)).filter(|most| *most != u64::MAX),
            max_priority: self.max_priority(),
            bytes,
            objects,
            held: self.share.held(),
            share: shares.fair(&self.share),
            batches: self.share.batches(),
            tasks: self.running.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }
}

/// A batch's place in a group, until it is collected.
pub(crate) struct Member {
    group: Arc<Group>,
    left: AtomicBool,
}

impl Member {
    fn new(group: &Arc<Group>) -> Member {
        group.share.join();
        Member { group: Arc::clone(group), left: AtomicBool::new(false) }
    }

    pub(super) fn group(&self) -> &Arc<Group> {
        &self.group
    }

    /// The batch is collected. The second time nothing happens.
    pub(super) fn leave(&self) {
        if !self.left.swap(true, Ordering::Relaxed) {
            self.group.share.leave();
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.leave();
    }
}

/// The groups of a store.
#[derive(Default)]
pub(crate) struct Groups {
    /// path → the group
    all: Mutex<BTreeMap<Arc<str>, Arc<Group>>>,
}

impl Groups {
    /// The group of that path, made if there is none, as are those it is in.
    fn open(&self, path: &str, whole: &Arc<Share>) -> Result<Arc<Group>> {
        check(path)?;
        let mut all = self.all.lock();
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        let mut last: Option<Arc<Group>> = None;
        for end in ends {
            let path = &path[..end];
            let group = match all.get(path) {
                Some(group) => Arc::clone(group),
                None => {
                    let group = Group::new(path, last.as_ref(), whole);
                    all.insert(Arc::clone(&group.path), Arc::clone(&group));
                    group
                }
            };
            last = Some(group);
        }
        last.ok_or_else(|| not_found(path))
    }

    fn find(&self, path: &str) -> Result<Arc<Group>> {
        self.all.lock().get(path).cloned().ok_or_else(|| not_found(path))
    }

    pub(super) fn all(&self) -> Vec<Arc<Group>> {
        self.all.lock().values().cloned().collect()
    }

    /// A place for a batch in the group of that path.
    fn join(&self, path: &str) -> Result<Member> {
        // under the lock, so that the group is not removed meanwhile
        let all = self.all.lock();
        all.get(path).map(Member::new).ok_or_else(|| not_found(path))
    }

    fn remove(&self, path: &str) -> Result<()> {
        let mut all = self.all.lock();
        let group = all.get(path).ok_or_else(|| not_found(path))?;
        let batches = group.share.batches();
        let within = (all.range::<str, _>((Bound::Excluded(path), Bound::Unbounded)))
            .take_while(|(other, _)| other.starts_with(path))
            .find(|(other, _)| other.as_bytes().get(path.len()) == Some(&b'/'));
        if batches > 0 || within.is_some() {
            let why = match within {
                Some((inner, _)) if batches == 0 => format!("group '{inner}' is within it; remove that first"),
                _ => format!("{batches} batches in it are not collected; end and collect them first"),
            };
            return Err(Error::new(ErrorCode::GroupActive, format!("group '{path}' cannot be removed: {why}")));
        }
        all.remove(path);
        Ok(())
    }
}

fn check(path: &str) -> Result<()> {
    let invalid = |why: String| Err(Error::new(ErrorCode::InvalidArgument, why));
    let mut names = 0;
    for name in path.split('/') {
        names += 1;
        if name.is_empty() || name.len() > MAX_NAME {
            return invalid(format!(
                "a group's name has 1 to {MAX_NAME} bytes of UTF-8 and no '/', unlike '{name}' in '{path}'"
            ));
        }
    }
    if names > MAX_DEPTH {
        return invalid(format!("at most {MAX_DEPTH} groups lie within each other, and not {names} as in '{path}'"));
    }
    Ok(())
}

fn not_found(path: &str) -> Error {
    let text = format!("there is no group '{path}' in this store: it was never made, or it was removed; make it first");
    Error::new(ErrorCode::GroupNotFound, text)
}

impl Engine {
    /// The place of a batch that is to be started: in the group that is said, or its parent's.
    ///
    /// # Errors
    /// `GroupNotFound`; `InvalidArgument` for another group than that of the batch around it; `BatchLimit` for its priority.
    pub(super) fn place_in_group(&self, spec: &BatchSpec, parent: &Batch) -> Result<Option<Member>> {
        let member = match (spec.group.as_deref(), parent.group()) {
            (None, None) => return Ok(None),
            (None, Some(group)) => Member::new(group),
            (Some(path), Some(group)) if *path == *group.path => Member::new(group),
            (Some(path), None) if parent.is_root() => self.groups.join(path)?,
            (Some(path), group) => {
                let group = group.map_or_else(|| "no group".to_owned(), |group| format!("group '{}'", group.path));
                let text = format!(
                    "a batch within batch {} is in {group} as that one is, and not in group '{path}': its use counts to \
                     the batches it is in, and with them to their group; start it outside of that batch, in the root",
                    errors::label(&parent.record)
                );
                return Err(Error::new(ErrorCode::InvalidArgument, text).batch(parent.id()));
            }
        };
        member.group.check_priority("a batch", spec.priority)?;
        Ok(Some(member))
    }

    /// All groups, an outer one before those within it.
    pub(super) fn group_statuses(&self) -> Vec<GroupStatus> {
        self.groups.all().iter().map(|group| group.status(self.store.shares())).collect()
    }
}

impl Batch {
    /// The group it is in.
    pub(crate) fn group(&self) -> Option<&Arc<Group>> {
        self.member.as_ref().map(|member| &member.group)
    }

    /// There was no memory for something of it.
    #[cold]
    pub(super) fn note_refused(&self) {
        for group in self.group().into_iter().flat_map(|group| group.chain()) {
            group.refused.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// As the owner of an object in the side table.
    pub(super) fn as_owner(&self) -> Owner {
        Owner { batch: self.id(), share: self.group().map(|group| Arc::clone(&group.share)) }
    }
}

impl Client {
    /// Makes sure that there is a group of that path, as `outer/inner`. It stays until it is removed, or the store closes.
    ///
    /// # Errors
    /// `InvalidArgument` for a path that is none; `Closed`.
    pub fn open_group(&self, path: &str) -> Result<()> {
        let engine = self.engine()?;
        engine.groups.open(path, engine.store.shares().whole()).map(|_| ())
    }

    /// Changes one limit of a group, from now on.
    ///
    /// # Errors
    /// `GroupNotFound`, `Closed`.
    pub fn limit_group(&self, path: &str, limit: GroupLimit) -> Result<()> {
        let engine = self.engine()?;
        engine.groups.find(path)?.set(limit);
        if let (GroupLimit::Tasks(_), Some(tasks)) = (limit, engine.tasks()) {
            tasks.limits_changed();
        }
        Ok(())
    }

    /// A group at this moment.
    ///
    /// # Errors
    /// `GroupNotFound`, `Closed`.
    pub fn group(&self, path: &str) -> Result<GroupStatus> {
        let engine = self.engine()?;
        Ok(engine.groups.find(path)?.status(engine.store.shares()))
    }

    /// All groups of the store, an outer one before those within it.
    ///
    /// # Errors
    /// `Closed`.
    pub fn groups(&self) -> Result<Vec<GroupStatus>> {
        Ok(self.engine()?.group_statuses())
    }

    /// Removes a group that nothing is in.
    ///
    /// # Errors
    /// `GroupActive` while a batch in it is not collected, or a group is within it; `GroupNotFound`; `Closed`.
    pub fn remove_group(&self, path: &str) -> Result<()> {
        self.engine()?.groups.remove(path)
    }
}
