//! What the arena has of each task: a record of 128 bytes.
//!
//! ```text
//! word  0  state 8 · flags 8 · returns 16 · missing 32      missing: arguments that are not there yet
//!       1  attempt 32 · retries left 16 · cpus 16
//!       2  priority 32 · actor 32
//!       3  caller: of an actor's task, whose order it keeps
//!       5  the next one in its queue: slot + 1, or 0
//!       6  blocks of ids it received 32 · newest extension record with them 32
//!       7  arguments 32 · newest extension record with further ones 32
//!    8-13  two arguments, 3 words each: batch, task, index
//!      14  its place in its actor's chain: segment 32 · link + 1 32; 0 for none
//!       4  1 when its run has returned · how often in a row its run lost an argument 32
//!      15  what its run waits for: 1 blocked, 2 for room for a task that it submits, 4 outside of the table
//!
//! extension of blocks       7 × (first slot, count · puts?), then the extension before
//! extension of arguments    5 × (batch, task, index), then the extension before
//! ```
//!
//! All words are read and written under the table's lock, so that relaxed accesses are plain ones.

use std::sync::atomic::{AtomicU64, Ordering};

use super::state::{TaskState, TaskStep, next};
use crate::id::{BatchId, ObjectId};

/// Arguments in the record itself.
pub(super) const INLINE_ARGUMENTS: u32 = 2;
/// Arguments in an extension.
pub(super) const MORE_ARGUMENTS: u32 = 5;
/// Blocks in an extension.
pub(super) const MORE_BLOCKS: u32 = 7;

/// Somebody wants a result of the run under way, which makes it again.
pub(super) const WANTED: u8 = 1;
/// The run under way replays an actor's chain.
pub(super) const REPLAY: u8 = 1 << 1;
/// It constructs an actor.
pub(super) const CREATION: u8 = 1 << 2;
/// It takes a checkpoint of its actor.
pub(super) const CHECKPOINT: u8 = 1 << 3;
/// Arguments of it are internal objects.
pub(super) const ALIASED: u8 = 1 << 4;
/// It is cancelled, and its thread has not come back.
pub(super) const UNWINDING: u8 = 1 << 5;
/// It failed before it was made to run again.
pub(super) const HAD_FAILED: u8 = 1 << 6;
/// It was rolled back: it cannot be made again.
pub(super) const STRUCK: u8 = 1 << 7;

/// A record's words.
pub(super) type Words = [AtomicU64; 16];

/// A block of ids that a task received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct IdBlock {
    pub(super) first: u64,
    pub(super) count: u32,
    pub(super) puts: bool,
}

/// One record.
#[derive(Clone, Copy)]
pub(super) struct Record<'a>(pub(super) &'a Words);

impl Record<'_> {
    fn word(&self, n: usize) -> u64 {
        self.0[n].load(Ordering::Relaxed)
    }

    fn set_word(&self, n: usize, value: u64) {
        self.0[n].store(value, Ordering::Relaxed);
    }

    fn field(&self, n: usize, shift: u32, bits: u32) -> u64 {
        self.word(n) >> shift & (u64::MAX >> (64 - bits))
    }

    fn set_field(&self, n: usize, shift: u32, bits: u32, value: u64) {
        let mask = (u64::MAX >> (64 - bits)) << shift;
        self.set_word(n, self.word(n) & !mask | (value << shift & mask));
    }

    /// `None` when no task has it.
    pub(super) fn state(&self) -> Option<TaskState> {
        TaskState::of(self.word(0) as u8)
    }

    pub(super) fn is(&self, state: TaskState) -> bool {
        self.word(0) as u8 == state as u8
    }

    /// Gives the record to a task that waits.
    #[expect(clippy::too_many_arguments, reason = "a record is what it is")]
    pub(super) fn begin(
        &self,
        flags: u8,
        returns: u16,
        retries: u16,
        cpus: u16,
        priority: i32,
        actor: u32,
        caller: u64,
    ) {
        for n in 1..16 {
            self.set_word(n, 0);
        }
        self.set_word(0, TaskState::Waiting as u64 | u64::from(flags) << 8 | u64::from(returns) << 16);
        self.set_word(1, u64::from(retries) << 32 | u64::from(cpus) << 48);
        self.set_word(2, u64::from(priority.cast_unsigned()) | u64::from(actor) << 32);
        self.set_word(3, caller);
    }

    /// Takes a step of the table; false where it has none.
    pub(super) fn step(&self, step: TaskStep) -> bool {
        let Some(to) = self.state().and_then(|state| next(state, step)) else { return false };
        self.set_field(0, 0, 8, to as u64);
        true
    }

    pub(super) fn has(&self, flag: u8) -> bool {
        self.field(0, 8, 8) as u8 & flag != 0
    }

    pub(super) fn set(&self, flag: u8, on: bool) {
        let flags = self.field(0, 8, 8) as u8;
        self.set_field(0, 8, 8, u64::from(if on { flags | flag } else { flags & !flag }));
    }

    pub(super) fn returns(&self) -> u32 {
        self.field(0, 16, 16) as u32
    }

    pub(super) fn missing(&self) -> u32 {
        self.field(0, 32, 32) as u32
    }

    pub(super) fn set_missing(&self, missing: u32) {
        self.set_field(0, 32, 32, missing.into());
    }

    pub(super) fn attempt(&self) -> u32 {
        self.field(1, 0, 32) as u32
    }

    /// A new run: what comes from those before is not listened to any more.
    pub(super) fn next_attempt(&self) -> u32 {
        let attempt = self.attempt().wrapping_add(1);
        self.set_field(1, 0, 32, attempt.into());
        attempt
    }

    /// Takes one of the retries left; false when there is none.
    pub(super) fn take_retry(&self) -> bool {
        let left = self.field(1, 32, 16);
        if left > 0 {
            self.set_field(1, 32, 16, left - 1);
        }
        left > 0
    }

    pub(super) fn retries_left(&self) -> bool {
        self.field(1, 32, 16) > 0
    }

    pub(super) fn cpus(&self) -> u32 {
        self.field(1, 48, 16) as u32
    }

    pub(super) fn priority(&self) -> i32 {
        (self.field(2, 0, 32) as u32).cast_signed()
    }

    /// 0 for none.
    pub(super) fn actor(&self) -> u32 {
        self.field(2, 32, 32) as u32
    }

    pub(super) fn caller(&self) -> u64 {
        self.word(3)
    }

    /// True once its run has returned, and its values may be seen: it cannot be cancelled any more.
    pub(super) fn has_returned(&self) -> bool {
        self.field(4, 0, 1) != 0
    }

    pub(super) fn set_returned(&self, returned: bool) {
        self.set_field(4, 0, 1, returned.into());
    }

    /// How often in a row its run found an argument gone.
    pub(super) fn lost(&self) -> u32 {
        self.field(4, 32, 32) as u32
    }

    pub(super) fn set_lost(&self, lost: u32) {
        self.set_field(4, 32, 32, lost.into());
    }

    /// The slot of the next one in its queue.
    pub(super) fn queued_before(&self) -> Option<u64> {
        self.word(5).checked_sub(1)
    }

    pub(super) fn set_queued_before(&self, slot: Option<u64>) {
        self.set_word(5, slot.map_or(0, |slot| slot + 1));
    }

    pub(super) fn blocks(&self) -> (u32, u32) {
        (self.field(6, 0, 32) as u32, self.field(6, 32, 32) as u32)
    }

    pub(super) fn set_blocks(&self, count: u32, newest: u32) {
        self.set_word(6, u64::from(count) | u64::from(newest) << 32);
    }

    pub(super) fn arguments(&self) -> (u32, u32) {
        (self.field(7, 0, 32) as u32, self.field(7, 32, 32) as u32)
    }

    pub(super) fn set_arguments(&self, count: u32, newest: u32) {
        self.set_word(7, u64::from(count) | u64::from(newest) << 32);
    }

    pub(super) fn inline_argument(&self, n: u32) -> ObjectId {
        self.id(8 + 3 * n as usize)
    }

    pub(super) fn set_inline_argument(&self, n: u32, id: &ObjectId) {
        self.set_id(8 + 3 * n as usize, id);
    }

    /// Segment and link of its actor's chain.
    pub(super) fn place(&self) -> Option<(u32, u32)> {
        let link = self.field(14, 0, 32) as u32;
        link.checked_sub(1).map(|link| (self.field(14, 32, 32) as u32, link))
    }

    pub(super) fn set_place(&self, place: Option<(u32, u32)>) {
        self.set_word(14, place.map_or(0, |(segment, link)| u64::from(segment) << 32 | u64::from(link + 1)));
    }

    /// True while its run has given its slots up.
    pub(super) fn is_blocked(&self) -> bool {
        self.field(15, 0, 1) != 0
    }

    pub(super) fn set_blocked(&self, blocked: bool) {
        self.set_field(15, 0, 1, blocked.into());
    }

    /// True while others have its cpus, for its thread waits for something outside of the table.
    pub(super) fn is_lent(&self) -> bool {
        self.field(15, 2, 1) != 0
    }

    pub(super) fn set_lent(&self, lent: bool) {
        self.set_field(15, 2, 1, lent.into());
    }

    /// True while its run waits until it may submit a task.
    pub(super) fn waits_for_room(&self) -> bool {
        self.field(15, 1, 1) != 0
    }

    pub(super) fn set_waits_for_room(&self, waits: bool) {
        self.set_field(15, 1, 1, waits.into());
    }

    fn id(&self, at: usize) -> ObjectId {
        ObjectId::new(BatchId(self.word(at).cast_signed()), self.word(at + 1), self.word(at + 2) as u32)
    }

    fn set_id(&self, at: usize, id: &ObjectId) {
        self.set_word(at, id.batch.0.cast_unsigned());
        self.set_word(at + 1, id.task);
        self.set_word(at + 2, id.index.into());
    }

    // ---- as an extension

    pub(super) fn before(&self) -> u32 {
        self.word(15) as u32
    }

    pub(super) fn set_before(&self, extension: u32) {
        self.set_word(15, extension.into());
    }

    pub(super) fn more_argument(&self, n: u32) -> ObjectId {
        self.id(3 * n as usize)
    }

    pub(super) fn set_more_argument(&self, n: u32, id: &ObjectId) {
        self.set_id(3 * n as usize, id);
    }

    pub(super) fn block(&self, n: u32) -> IdBlock {
        let second = self.word(2 * n as usize + 1);
        IdBlock { first: self.word(2 * n as usize), count: second as u32, puts: second >> 32 != 0 }
    }

    pub(super) fn set_block(&self, n: u32, block: IdBlock) {
        self.set_word(2 * n as usize, block.first);
        self.set_word(2 * n as usize + 1, u64::from(block.count) | u64::from(block.puts) << 32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_do_not_touch_each_other() {
        let words = Words::default();
        let record = Record(&words);
        assert_eq!(record.state(), None);
        record.begin(CREATION, 7, 3, 2, -5, 9, 42);
        record.set_missing(u32::MAX);
        record.set_queued_before(Some(0));
        record.set_blocks(1, 2);
        record.set_arguments(3, 4);
        record.set_place(Some((5, 6)));
        let id = ObjectId::new(BatchId(-3), u64::MAX, u32::MAX);
        record.set_inline_argument(1, &id);
        assert_eq!(record.next_attempt(), 1);
        assert!(record.take_retry() && record.has(CREATION) && !record.has(WANTED));
        record.set(WANTED, true);
        record.set(CREATION, false);
        assert_eq!((record.state(), record.returns(), record.missing()), (Some(TaskState::Waiting), 7, u32::MAX));
        assert_eq!((record.attempt(), record.cpus(), record.priority(), record.actor()), (1, 2, -5, 9));
        assert_eq!((record.caller(), record.queued_before()), (42, Some(0)));
        assert_eq!((record.blocks(), record.arguments(), record.place()), ((1, 2), (3, 4), Some((5, 6))));
        assert_eq!(record.inline_argument(1), id);
        assert!(record.has(WANTED) && !record.has(CREATION));
        assert!(!record.step(TaskStep::Take) && record.step(TaskStep::Prepare) && record.is(TaskState::Ready));
        assert_eq!((record.take_retry(), record.take_retry(), record.take_retry()), (true, true, false));
    }

    #[test]
    fn extensions_hold_what_they_say() {
        let words = Words::default();
        let extension = Record(&words);
        for n in 0..MORE_BLOCKS {
            extension.set_block(n, IdBlock { first: u64::MAX - u64::from(n), count: n, puts: n % 2 == 0 });
        }
        extension.set_before(u32::MAX);
        for n in 0..MORE_BLOCKS {
            assert_eq!(extension.block(n), IdBlock { first: u64::MAX - u64::from(n), count: n, puts: n % 2 == 0 });
        }
        assert_eq!(extension.before(), u32::MAX);
        for n in 0..MORE_ARGUMENTS {
            extension.set_more_argument(n, &ObjectId::new(BatchId(n.into()), 1, n));
        }
        assert_eq!(extension.before(), u32::MAX);
        assert_eq!(extension.more_argument(4), ObjectId::new(BatchId(4), 1, 4));
    }
}
