//! What happened to batches and to their memory, for whoever records it. Nothing is noted while nobody does.
//!
//! The notifier tells those who wait for objects, and has all puts go through the native side while there are any; a
//! recording that goes on all day must not. So this is a queue of its own, which is looked at now and then.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::now_ms;
use crate::id::BatchId;

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Occasion {
    /// A batch ended.
    Ended = 1,
    /// A batch was collected.
    Collected = 2,
    /// Bytes went to a file.
    Spilled = 3,
    /// Bytes came back from a file.
    Restored = 4,
    /// Objects were evicted.
    Evicted = 5,
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Note {
    /// What.
    pub what: Occasion,
    /// To which batch; 0 for objects of none.
    pub batch: BatchId,
    /// Of an end: why, as `Reason` numbers it.
    pub reason: u8,
    /// Objects concerned; 0 where they are not counted.
    pub objects: u64,
    /// Bytes concerned.
    pub bytes: u64,
    /// How long it took, in nanoseconds; 0 where that is not measured.
    pub nanos: u64,
    /// When it was over, in epoch milliseconds.
    pub at_ms: u64,
    /// The batch's name, if it has one.
    pub name: Option<Box<str>>,
    /// Of an end: who ended it.
    pub by: Option<Arc<str>>,
}

impl Note {
    /// A note of now.
    #[must_use]
    pub fn new(what: Occasion, batch: BatchId) -> Note {
        Note { what, batch, reason: 0, objects: 0, bytes: 0, nanos: 0, at_ms: now_ms(), name: None, by: None }
    }
}

/// See the module.
#[derive(Default)]
pub struct Journal {
    on: AtomicBool,
    notes: Mutex<Notes>,
}

#[derive(Default)]
struct Notes {
    all: VecDeque<Note>,
    /// so many found no room since the last look
    lost: u64,
}

impl Journal {
    /// Notes that nobody has looked at; of more the oldest are lost, and counted.
    const MOST: usize = 1 << 14;

    /// True while somebody records.
    #[inline]
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// Begins to note, anew, or ceases to; what was noted can still be taken.
    pub fn turn(&self, on: bool) {
        if on && !self.is_on() {
            *self.notes.lock() = Notes::default();
        }
        self.on.store(on, Ordering::Relaxed);
    }

    /// Notes what `note` says, if anybody records. Locks of the caller's may be held.
    #[inline]
    pub(crate) fn note(&self, note: impl FnOnce() -> Note) {
        if self.is_on() {
            self.add(note());
        }
    }

    #[cold]
    fn add(&self, note: Note) {
        let mut notes = self.notes.lock();
        if notes.all.len() == Journal::MOST {
            notes.all.pop_front();
            notes.lost += 1;
        }
        notes.all.push_back(note);
    }

    /// Takes up to `max` notes, the oldest first, and how many were lost before.
    pub fn take(&self, max: usize) -> (Vec<Note>, u64) {
        let mut notes = self.notes.lock();
        let n = notes.all.len().min(max);
        (notes.all.drain(..n).collect(), std::mem::take(&mut notes.lost))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_noted_while_nobody_records_and_what_is_too_much_is_counted() {
        let journal = Journal::default();
        journal.note(|| unreachable!("nobody records"));
        journal.turn(true);
        for n in 0..Journal::MOST as i64 + 3 {
            journal.note(|| Note::new(Occasion::Spilled, BatchId(n)));
        }
        journal.turn(false);
        journal.note(|| unreachable!("nobody records any more"));
        let (first, lost) = journal.take(2);
        assert_eq!((first.len(), first[0].batch, lost), (2, BatchId(3), 3));
        let (rest, lost) = journal.take(usize::MAX);
        assert_eq!((rest.len(), lost), (Journal::MOST - 2, 0));
        journal.turn(true);
        journal.note(|| Note::new(Occasion::Spilled, BatchId(1)));
        journal.turn(false);
        journal.turn(true);
        assert_eq!(journal.take(1).0.len(), 0);
    }
}
