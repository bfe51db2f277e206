//! The objects of the side table and their order of use; no locks, no memory of the arena.

use std::sync::Arc;

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use super::Owner;
use super::spill::Filed;
use crate::id::{BatchId, ObjectId};
use crate::store::chunks::Chunk;
use crate::store::clock::now_ms;
use crate::store::heap::{Cell, Heap};
use crate::store::layout::footprint;
use crate::store::notify::{Event, EventKind};
use crate::store::pin::Place;
use crate::store::run::Run;
use crate::store::share::Share;
use crate::store::types::Kind;

/// No neighbour in the order of use.
const NONE: u32 = u32::MAX;

/// Where an object's bytes are.
pub(super) enum Memory {
    /// no bytes
    Nowhere,
    Cell(Cell),
    /// a run of its own, perhaps one that a region handed over
    Single(Chunk),
    /// in a file
    Filed(Box<Filed>),
}

pub(super) struct Object {
    pub(super) id: ObjectId,
    pub(super) owner: BatchId,
    /// whose share of the arena its memory counts to
    share: Option<Arc<Share>>,
    pub(super) memory: Memory,
    pub(super) offset: u64,
    pub(super) len: u64,
    pub(super) metadata: u64,
    pub(super) kind: Kind,
    pub(super) sealed: bool,
    /// readers and writers
    pub(super) holds: u32,
    /// deleted while held: goes with the last hold
    pub(super) doomed: bool,
    /// gone with the batch that kept it, but for those who hold it
    pub(super) hidden: bool,
    /// one of the holds is of who writes it to a file: nobody outside of the store waits for that
    pub(super) filing: bool,
    /// those who listen have heard that it is gone, and it does not count any more
    pub(super) told: bool,
    pub(super) created_ms: u64,
    pub(super) accessed_ms: u64,
    /// neighbours in the order of use; only objects that may be evicted are in it
    pub(super) older: u32,
    pub(super) newer: u32,
    pub(super) in_order: bool,
}

impl Object {
    /// An object whose memory is at `place`; an unsealed one is held by its writer.
    pub(super) fn new(id: ObjectId, owner: Owner, kind: Kind, memory: Memory, place: Place, sealed: bool) -> Self {
        let now = now_ms();
        Object {
            id,
            owner: owner.batch,
            share: owner.share,
            memory,
            offset: place.offset,
            len: place.len,
            metadata: place.metadata,
            kind,
            sealed,
            holds: u32::from(!sealed),
            doomed: false,
            hidden: false,
            filing: false,
            told: false,
            created_ms: now,
            accessed_ms: now,
            older: NONE,
            newer: NONE,
            in_order: false,
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.len + self.metadata
    }

    /// Gives it to another owner.
    pub(super) fn set_owner(&mut self, owner: Owner) {
        self.hold(false);
        self.owner = owner.batch;
        self.share = owner.share;
        self.hold(true);
    }

    /// Has other memory from now on. Returns what it had.
    pub(super) fn move_to(&mut self, memory: Memory) -> Memory {
        self.hold(false);
        let before = std::mem::replace(&mut self.memory, memory);
        self.hold(true);
        before
    }

    /// Counts its memory to its owner's share, or not any more.
    fn hold(&self, holds: bool) {
        let Some(share) = &self.share else { return };
        let bytes = match self.memory {
            Memory::Cell(_) | Memory::Single(_) => footprint(self.len, self.metadata),
            Memory::Nowhere | Memory::Filed(_) => 0,
        };
        if holds { share.add(bytes) } else { share.sub(bytes) }
    }

    pub(super) fn place(&self) -> Place {
        Place { offset: self.offset, len: self.len, metadata: self.metadata }
    }

    pub(super) fn event(&self, kind: EventKind) -> Event {
        Event::object(kind, self.id, self.len, self.metadata)
    }
}

pub(super) struct State {
    /// id → place in `objects`
    pub(super) by_id: HashTable<u32>,
    pub(super) objects: Vec<Option<Object>>,
    pub(super) unused: Vec<u32>,
    pub(super) heap: Heap,
    pub(super) oldest: u32,
    pub(super) newest: u32,
    pub(super) live_bytes: u64,
    pub(super) live_objects: u64,
}

/// Sixteen neighbouring slots share a group of the hash table: objects are made, read and evicted in runs of neighbours,
/// and a miss of the cache for each would be most of the cost.
pub(super) fn hash_of(id: &ObjectId) -> u64 {
    const GROUP: u64 = 16;
    let slot = id.task.wrapping_add(u64::from(id.index));
    let mut key = [0; 16];
    key[..8].copy_from_slice(&id.batch.0.to_ne_bytes());
    key[8..].copy_from_slice(&(slot / GROUP).to_ne_bytes());
    let block = xxh3_64(&key);
    // the table takes the place from the low bits and a tag from the high ones
    let tag = slot.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((block & !(GROUP - 1)) | (slot % GROUP)) ^ (tag & 0xff00_0000_0000_0000)
}

impl State {
    pub(super) fn new() -> Self {
        State {
            by_id: HashTable::new(),
            objects: Vec::new(),
            unused: Vec::new(),
            heap: Heap::new(),
            oldest: NONE,
            newest: NONE,
            live_bytes: 0,
            live_objects: 0,
        }
    }

    pub(super) fn find(&self, id: &ObjectId) -> Option<u32> {
        self.by_id.find(hash_of(id), |&n| self.get(n).is_some_and(|o| o.id == *id && !o.hidden)).copied()
    }

    /// Also one that is hidden: for its writer.
    pub(super) fn find_any(&self, id: &ObjectId) -> Option<u32> {
        self.by_id.find(hash_of(id), |&n| self.get(n).is_some_and(|o| o.id == *id)).copied()
    }

    pub(super) fn get(&self, n: u32) -> Option<&Object> {
        self.objects.get(n as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, n: u32) -> Option<&mut Object> {
        self.objects.get_mut(n as usize)?.as_mut()
    }

    pub(super) fn insert(&mut self, object: Object) -> u32 {
        self.live_bytes += object.bytes();
        self.live_objects += 1;
        object.hold(true);
        let hash = hash_of(&object.id);
        let n = match self.unused.pop() {
            Some(n) => n,
            None => {
                self.objects.push(None);
                (self.objects.len() - 1) as u32
            }
        };
        self.objects[n as usize] = Some(object);
        let objects = &self.objects;
        self.by_id.insert_unique(hash, n, |&m| {
            objects.get(m as usize).and_then(Option::as_ref).map_or(0, |o| hash_of(&o.id))
        });
        n
    }

    /// Takes an object out; its memory goes when the returned runs are dropped, after the lock.
    pub(super) fn remove(&mut self, n: u32) -> Option<(Object, Freed)> {
        self.leave_order(n);
        let mut object = self.objects.get_mut(n as usize)?.take()?;
        if let Ok(entry) = self.by_id.find_entry(hash_of(&object.id), |&m| m == n) {
            entry.remove();
        }
        self.unused.push(n);
        if !object.told {
            self.live_bytes -= object.bytes();
            self.live_objects -= 1;
        }
        let memory = object.move_to(Memory::Nowhere);
        let freed = self.give_up(memory);
        Some((object, freed))
    }

    /// Takes memory back; runs and files go when what is returned is dropped, after the lock.
    pub(super) fn give_up(&mut self, memory: Memory) -> Freed {
        match memory {
            Memory::Nowhere => Freed::Nothing,
            Memory::Cell(cell) => self.heap.give(cell).map_or(Freed::Nothing, Freed::Slab),
            Memory::Single(chunk) => Freed::Single(chunk),
            Memory::Filed(filed) => Freed::Filed(filed),
        }
    }

    /// Makes it the most recently used, if it may be evicted.
    pub(super) fn touch(&mut self, n: u32) {
        self.leave_order(n);
        let newest = self.newest;
        let Some(object) = self.get_mut(n) else { return };
        let filed = matches!(object.memory, Memory::Filed(_));
        if !object.sealed || object.holds > 0 || !object.owner.is_normal() || filed {
            return;
        }
        object.in_order = true;
        object.older = newest;
        object.newer = NONE;
        match self.get_mut(newest) {
            Some(previous) => previous.newer = n,
            None => self.oldest = n,
        }
        self.newest = n;
    }

    pub(super) fn leave_order(&mut self, n: u32) {
        let Some(object) = self.get_mut(n).filter(|o| o.in_order) else { return };
        object.in_order = false;
        let (older, newer) = (object.older, object.newer);
        match self.get_mut(older) {
            Some(o) => o.newer = newer,
            None => self.oldest = newer,
        }
        match self.get_mut(newer) {
            Some(o) => o.older = older,
            None => self.newest = older,
        }
    }
}

/// Memory on its way back, dropped when the lock is released.
#[expect(dead_code, reason = "held for its drop")]
pub(super) enum Freed {
    Nothing,
    Slab(Run),
    Single(Chunk),
    Filed(Box<Filed>),
}
