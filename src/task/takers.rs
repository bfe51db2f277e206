//! Which tasks of a batch take an object. Only a recursive free asks: the index is made when it first does.

use std::collections::VecDeque;

use hashbrown::HashMap;

use super::table::BatchTable;
use crate::id::ObjectId;

/// See the module.
#[derive(Default)]
pub(super) struct Takers {
    /// object → slots of the tasks that take it
    tasks: HashMap<ObjectId, VecDeque<u64>>,
}

impl Takers {
    pub(super) fn add(&mut self, slot: u64, arguments: &[ObjectId]) {
        for id in arguments {
            self.tasks.entry(*id).or_default().push_back(slot);
        }
    }

    /// A task is forgotten.
    pub(super) fn remove(&mut self, slot: u64, arguments: &[ObjectId]) {
        for id in arguments {
            let Some(slots) = self.tasks.get_mut(id) else { continue };
            slots.retain(|other| *other != slot);
            if slots.is_empty() {
                self.tasks.remove(id);
            }
        }
    }
}

impl BatchTable {
    /// Makes the index of who takes what, if there is none.
    pub(super) fn index_takers(&mut self) {
        if self.takers.is_some() {
            return;
        }
        let mut takers = Takers::default();
        for slot in self.slots() {
            takers.add(slot, &self.arguments(slot));
        }
        self.takers = Some(takers);
    }

    /// True if some task that takes an object is `live`. Those that are not are looked at last the next time: as tasks end one
    /// after the other, each is passed once.
    pub(super) fn is_taken(&mut self, id: &ObjectId, live: impl Fn(&BatchTable, u64) -> bool) -> bool {
        let Some(mut slots) = self.takers.as_mut().and_then(|takers| takers.tasks.remove(id)) else { return false };
        let found = slots.iter().position(|slot| live(self, *slot));
        slots.rotate_left(found.unwrap_or(0));
        if let Some(takers) = &mut self.takers {
            takers.tasks.insert(*id, slots);
        }
        found.is_some()
    }
}
