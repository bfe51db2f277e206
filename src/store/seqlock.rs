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
//! lives (`free`): its word changes before the run is handed back, and never changes back.

use super::sync::{Ordering, Word, fence};

/// True when neither word changed since `generation` and `entry` were read, so that all read in between was theirs.
pub(crate) fn still(generation_word: &impl Word, generation: u64, entry_word: &impl Word, entry: u64) -> bool {
    fence(Ordering::Acquire);
    generation_word.load(Ordering::Relaxed) == generation && entry_word.load(Ordering::Relaxed) == entry
}

/// What the next lessee of a run does before its first store.
pub(crate) fn before_reuse() {
    fence(Ordering::Release);
}
