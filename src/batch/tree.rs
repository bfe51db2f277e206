//! A live batch, and its place in the tree.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use parking_lot::Mutex;

use super::BatchKey;
use super::groups::Member;
use super::life::{Life, Mark, Word};
use super::lifecycle::{Illegal, State, Step};
use super::record::{End, Kept, Record};
use crate::id::{BatchId, ObjectId};
use crate::store::{Budget, Region, Usage};

/// What an adopted object was charged to its owner's budget, so that whoever takes it out of the owner's hands gives
/// back just that. `None`: nothing.
pub(crate) type Charge = Option<u64>;

/// How far the adoption of an object is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Adoption {
    /// The move with this number is at it.
    Coming(u64),
    /// Done.
    Owned(Charge),
}

impl Adoption {
    pub(crate) fn charge(self) -> Charge {
        match self {
            Adoption::Coming(_) => None,
            Adoption::Owned(charge) => charge,
        }
    }
}

/// What a claim or its settlement came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Claim {
    /// It is ours.
    Ours,
    /// Another move was first; or, for a settlement, the object has gone on already.
    Others,
    /// The batch is collected.
    Over,
}

/// See the module.
pub(crate) struct Batch {
    pub(crate) record: Arc<Record>,
    /// Position in the order of starts.
    pub(crate) seq: u64,
    pub(super) life: Life,
    /// When its time is over.
    pub(crate) deadline: Option<Instant>,
    /// `None` for a root.
    parent: Option<Arc<Batch>>,
    pub(crate) children: Children,
    pub(crate) budget: Option<Arc<Budget>>,
    /// its place in a group, if it is in one
    pub(super) member: Option<Member>,
    /// `None` when the whole store runs with `lru`.
    region: Option<Arc<Region>>,
    /// With `lru`: the next slot.
    next_slot: AtomicU64,
    /// Objects made in other batches that this one owns now, or is about to. `None` once it is collected.
    ///
    /// Taking the map is the claim to collect: of several threads one gets it.
    pub(crate) adopted: Mutex<Option<HashMap<ObjectId, Adoption>>>,
    /// Objects it gave away, in order.
    pub(crate) kept: Mutex<Vec<Kept>>,
    /// object that its task has yet to make → the batch it was given to. Most batches have none.
    promised: Mutex<Option<Box<HashMap<ObjectId, BatchKey>>>>,
}

impl Batch {
    pub(crate) fn new(
        record: Record,
        seq: u64,
        deadline: Option<Instant>,
        parent: Option<Arc<Batch>>,
        region: Option<Arc<Region>>,
        budget: Option<Arc<Budget>>,
        member: Option<Member>,
    ) -> Arc<Batch> {
        let children = if parent.is_some() { Children::few() } else { Children::many() };
        Arc::new(Batch {
            record: Arc::new(record),
            seq,
            life: Life::new(),
            deadline,
            parent,
            children,
            budget,
            member,
            region,
            next_slot: AtomicU64::new(0),
            adopted: Mutex::new(Some(HashMap::new())),
            kept: Mutex::new(Vec::new()),
            promised: Mutex::new(None),
        })
    }

    pub(crate) fn id(&self) -> BatchId {
        self.record.key.id
    }

    pub(crate) fn key(&self) -> BatchKey {
        self.record.key
    }

    pub(crate) fn state(&self) -> State {
        self.life.state()
    }

    pub(crate) fn parent(&self) -> Option<&Arc<Batch>> {
        self.parent.as_ref()
    }

    pub(crate) fn is_root(&self) -> bool {
        self.parent.is_none()
    }

    pub(crate) fn region(&self) -> Option<&Arc<Region>> {
        self.region.as_ref()
    }

    /// Slots that were taken in this life of a batch without a region.
    pub(crate) fn slots(&self) -> u64 {
        self.next_slot.load(Ordering::Relaxed)
    }

    /// The next slot of a batch without a region.
    pub(crate) fn take_slot(&self) -> u64 {
        self.take_slots(1)
    }

    /// So many consecutive ones: the first.
    pub(crate) fn take_slots(&self, count: u64) -> u64 {
        self.next_slot.fetch_add(count, Ordering::Relaxed)
    }

    pub(crate) fn usage(&self) -> Usage {
        self.region.as_ref().map_or_else(Usage::default, |region| region.usage())
    }

    /// True for the batches this one is in.
    pub(crate) fn is_within(&self, outer: BatchKey) -> bool {
        let mut at = self.parent();
        while let Some(batch) = at {
            if batch.key() == outer {
                return true;
            }
            at = batch.parent();
        }
        false
    }

    /// Who ended it, if somebody did.
    pub(crate) fn end(&self) -> Option<&End> {
        self.record.end.get()
    }

    /// It has work now. One load when it had before.
    #[inline]
    pub(crate) fn work(&self) -> Result<(), Illegal> {
        if self.state() == State::Running {
            return Ok(());
        }
        match self.life.step(Step::FirstWork) {
            Ok(_) | Err(Illegal { state: State::Running }) => Ok(()),
            Err(illegal) => Err(illegal),
        }
    }

    /// Refuses new work from outside. True if this call did it.
    pub(crate) fn finish(&self) -> bool {
        let ended = self.life.step(Step::End).is_ok();
        if let Some(region) = self.region.as_ref().filter(|_| ended) {
            // the JVM asks here again, and is refused
            region.put_natively();
        }
        ended
    }

    /// Its last task is over, if nothing is active in it: see [`Life::complete`].
    pub(super) fn complete(&self) -> Option<Word> {
        self.life.complete(|| self.children.any(|child| child.life.is_unfinished()))
    }

    /// Takes a batch in. False when this one has ended.
    pub(crate) fn take_in(&self, child: &Arc<Batch>) -> bool {
        // before it is among the children: whoever ends this one closes them first, and finds the mark after that
        self.life.mark(Mark::INNER);
        self.children.add(child)
    }

    /// True once somebody collects it.
    pub(super) fn is_claimed(&self) -> bool {
        self.adopted.lock().is_none()
    }

    /// Claims an object for this batch, for the move `number`.
    pub(crate) fn claim(&self, id: &ObjectId, number: u64) -> Claim {
        match &mut *self.adopted.lock() {
            None => Claim::Over,
            Some(adopted) => match adopted.entry(*id) {
                Entry::Occupied(_) => Claim::Others,
                Entry::Vacant(slot) => {
                    slot.insert(Adoption::Coming(number));
                    Claim::Ours
                }
            },
        }
    }

    /// Gives up the claim of a move that failed.
    pub(crate) fn unclaim(&self, id: &ObjectId, number: u64) {
        if let Some(adopted) = &mut *self.adopted.lock()
            && adopted.get(id) == Some(&Adoption::Coming(number))
        {
            adopted.remove(id);
        }
    }

    /// Ends a move that succeeded, noting what the object is charged.
    pub(crate) fn settle(&self, id: &ObjectId, number: u64, charge: Charge) -> Claim {
        match &mut *self.adopted.lock() {
            None => Claim::Over,
            Some(adopted) => match adopted.get_mut(id) {
                Some(adoption) if *adoption == Adoption::Coming(number) => {
                    *adoption = Adoption::Owned(charge);
                    Claim::Ours
                }
                _ => Claim::Others,
            },
        }
    }

    /// True when it has adopted this object, or is about to.
    pub(crate) fn owns(&self, id: &ObjectId) -> bool {
        self.adopted.lock().as_ref().is_some_and(|adopted| adopted.contains_key(id))
    }

    /// Takes an adopted object out of its hands; `None` when it was not in them.
    pub(crate) fn disown(&self, id: &ObjectId) -> Option<Charge> {
        self.adopted.lock().as_mut()?.remove(id).map(Adoption::charge)
    }

    /// Takes it out, and gives its charge back to the budget. False when it was not in its hands.
    pub(crate) fn forget(&self, id: &ObjectId) -> bool {
        let Some(charge) = self.disown(id) else { return false };
        self.refund(charge);
        true
    }

    /// Gives a charge back to the budget.
    pub(crate) fn refund(&self, charge: Charge) {
        if let (Some(bytes), Some(budget)) = (charge, &self.budget) {
            budget.release(bytes, 1);
        }
    }

    /// Forgets the last note that it gave this away.
    pub(crate) fn unkeep(&self, kept: Kept) {
        let mut all = self.kept.lock();
        if let Some(n) = all.iter().rposition(|k| *k == kept) {
            all.remove(n);
        }
    }

    /// How it gave an object away last.
    pub(crate) fn given(&self, id: &ObjectId) -> Option<Kept> {
        self.kept.lock().iter().rev().find(|k| k.id == *id).copied()
    }

    /// Whom to.
    pub(crate) fn heir(&self, id: &ObjectId) -> Option<BatchKey> {
        self.given(id).map(|kept| kept.to)
    }

    /// Whom an object is for that its task has yet to make.
    pub(crate) fn promised(&self, id: &ObjectId) -> Option<BatchKey> {
        self.promised.lock().as_ref()?.get(id).copied()
    }

    /// Promises an object that its task has yet to make to another batch. False when it is not `from` that it is for now.
    pub(crate) fn promise(&self, id: &ObjectId, from: &Batch, to: &Batch) -> bool {
        let mut promised = self.promised.lock();
        let has = promised.as_ref().and_then(|all| all.get(id)).copied().unwrap_or(self.key());
        if has == from.key() {
            promised.get_or_insert_default().insert(*id, to.key());
        }
        has == from.key()
    }

    /// Takes the promise out, for whoever keeps it.
    pub(crate) fn take_promise(&self, id: &ObjectId) -> Option<BatchKey> {
        self.promised.lock().as_mut()?.remove(id)
    }
}

/// A chain of parents may be long: it is taken apart link by link, not by recursion.
impl Drop for Batch {
    fn drop(&mut self) {
        let mut next = self.parent.take();
        while let Some(mut parent) = next.and_then(Arc::into_inner) {
            next = parent.parent.take();
        }
    }
}

/// The open and the uncollected batches within a batch. A root has many and threads that start and end them at once, so
/// its children are spread over several locks.
pub(crate) struct Children {
    first: Mutex<Shard>,
    rest: Box<[Mutex<Shard>]>,
}

#[derive(Default)]
struct Shard {
    /// Set by an end: no more children.
    closed: bool,
    /// order of start → batch
    batches: HashMap<u64, Arc<Batch>>,
}

impl Children {
    fn few() -> Children {
        Children { first: Mutex::default(), rest: Box::default() }
    }

    fn many() -> Children {
        const SHARDS: usize = 16;
        Children { first: Mutex::default(), rest: (1..SHARDS).map(|_| Mutex::default()).collect() }
    }

    fn shard(&self, seq: u64) -> &Mutex<Shard> {
        match seq as usize % (self.rest.len() + 1) {
            0 => &self.first,
            n => &self.rest[n - 1],
        }
    }

    fn shards(&self) -> impl Iterator<Item = &Mutex<Shard>> {
        std::iter::once(&self.first).chain(&self.rest)
    }

    /// Adds a batch. False when the parent has ended.
    fn add(&self, child: &Arc<Batch>) -> bool {
        let mut shard = self.shard(child.seq).lock();
        if shard.closed {
            return false;
        }
        shard.batches.insert(child.seq, Arc::clone(child));
        true
    }

    pub(crate) fn remove(&self, child: &Batch) {
        self.shard(child.seq).lock().batches.remove(&child.seq);
    }

    /// True if it is so for one of them.
    fn any(&self, what: impl Fn(&Batch) -> bool) -> bool {
        self.shards().any(|shard| shard.lock().batches.values().any(|batch| what(batch)))
    }

    /// All, the oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<Batch>> {
        self.collect(|_| {})
    }

    /// Takes no more, and tells those there are, the oldest first.
    pub(crate) fn close(&self) -> Vec<Arc<Batch>> {
        self.collect(|shard| shard.closed = true)
    }

    fn collect(&self, each: impl Fn(&mut Shard)) -> Vec<Arc<Batch>> {
        let mut all = Vec::new();
        for shard in self.shards() {
            let mut shard = shard.lock();
            each(&mut shard);
            if !shard.batches.is_empty() {
                all.extend(shard.batches.values().cloned());
            }
        }
        all.sort_unstable_by_key(|b| b.seq);
        all
    }
}

/// Calls `up` for all within a batch and then for itself: the inner before the outer, the newer before the older. Before,
/// on the way down, `down` is called for each and tells its children, oldest first.
pub(crate) fn upwards(top: &Arc<Batch>, down: impl Fn(&Batch) -> Vec<Arc<Batch>>, mut up: impl FnMut(&Arc<Batch>)) {
    let mut stack = down(top);
    // most batches have no inner ones
    if !stack.is_empty() {
        let mut order = Vec::new();
        stack.reverse();
        while let Some(batch) = stack.pop() {
            stack.extend(down(&batch).into_iter().rev());
            order.push(batch);
        }
        order.iter().rev().for_each(&mut up);
    }
    up(top);
}
