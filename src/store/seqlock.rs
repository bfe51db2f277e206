//! The validated read: copy first, then make sure that what was copied was still there.
//!
//! | who | does | order |
//! |---|---|---|
//! | reader | reads the generation, then the entry | acquire, acquire |
//! | reader | checks the bounds, copies (relaxed words) | – |
//! | reader | fence, reads generation and entry again | acquire fence, relaxed |
//! | collector | changes the generation, hands the runs back (through the free list's lock) | release |
//! | next lessee | gets a run (through the same lock), fence, stores | release fence |
//!
//! If the reader copied a word that the next lessee stored, the lessee's fence synchronises with the reader's; the
//! generation changed before the run was handed back, so the reader's second look sees it. The generation lies in
//! memory that is never used for anything else. The same holds for an entry whose bytes are given up while its region
//! lives (`free`): its word changes before the run is handed back.
//!
//! It may be sealed again later, in any memory. For the JVM it has another word than the first time, one that it leaves to
//! the native side. From the second time on a word may come back; so whoever seals one again counts that first, and
//! whoever reads such an entry looks at the count before and after.

use super::sync::{Ordering, Word, fence};

/// True when neither word changed since `generation` and `entry` were read, so that all read in between was theirs.
pub(crate) fn still(generation_word: &impl Word, generation: u64, entry_word: &impl Word, entry: u64) -> bool {
    fence(Ordering::Acquire);
    generation_word.load(Ordering::Relaxed) == generation && entry_word.load(Ordering::Relaxed) == entry
}

/// What `still` needs besides for an entry that was sealed again: `count` was read before it was. Whoever reads the count
/// that belongs to a later sealing sees the entry as it was given up before that, or later; and whoever sees a later
/// sealing sees its count.
pub(crate) fn none_again(count_word: &impl Word, count: u64) -> bool {
    fence(Ordering::Acquire);
    count_word.load(Ordering::Relaxed) == count
}

/// What comes before an entry is sealed again, under the lock under which it was given up.
pub(crate) fn before_again(count: &impl Word) {
    count.store(count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
    // a reader that sees the new length sees that the entry changed
    fence(Ordering::Release);
}

/// What the next lessee of a run does before its first store.
pub(crate) fn before_reuse() {
    fence(Ordering::Release);
}
