//! Which of a batch's ready tasks is next: a queue for each priority, linked through the records.

use std::cmp::Reverse;
use std::collections::BTreeMap;

/// First and last slot.
#[derive(Clone, Copy)]
struct Line {
    first: u64,
    last: u64,
}

/// See the module.
#[derive(Default)]
pub(super) struct Queues {
    lines: BTreeMap<Reverse<i32>, Line>,
}

impl Queues {
    /// The highest priority in which something stands.
    pub(super) fn highest(&self) -> Option<i32> {
        self.lines.first_key_value().map(|(priority, _)| priority.0)
    }

    /// Puts a task at the end of its line. True if the line was empty. `link` sets which slot comes after another.
    pub(super) fn push(&mut self, priority: i32, slot: u64, link: impl FnOnce(u64, u64)) -> bool {
        match self.lines.get_mut(&Reverse(priority)) {
            Some(line) => {
                link(line.last, slot);
                line.last = slot;
                false
            }
            None => {
                self.lines.insert(Reverse(priority), Line { first: slot, last: slot });
                true
            }
        }
    }

    /// Takes the first task of a line. `next` tells which slot comes after another.
    pub(super) fn pop(&mut self, priority: i32, next: impl FnOnce(u64) -> Option<u64>) -> Option<u64> {
        let line = self.lines.get_mut(&Reverse(priority))?;
        let slot = line.first;
        match next(slot) {
            Some(after) if slot != line.last => line.first = after,
            _ => drop(self.lines.remove(&Reverse(priority))),
        }
        Some(slot)
    }

    /// The first task of a line.
    pub(super) fn first(&self, priority: i32) -> Option<u64> {
        self.lines.get(&Reverse(priority)).map(|line| line.first)
    }

    /// True if a line has something in it.
    pub(super) fn has(&self, priority: i32) -> bool {
        self.lines.contains_key(&Reverse(priority))
    }
}
