//! Which regions hold much of the arena: known at any time, so that a refusal can name them however many others there are.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::layout::PAGE;
use crate::id::BatchId;

/// What part of the arena is much: so no more than this many can have as much at a time.
const MOST: u64 = 256;

/// See the module. The lock is a leaf.
pub struct Holders {
    least_pages: u64,
    /// batch and base of each
    large: Mutex<Vec<(BatchId, u64)>>,
}

impl Holders {
    pub(crate) fn new(arena_bytes: u64) -> Holders {
        Holders { least_pages: (arena_bytes / PAGE / MOST).max(1), large: Mutex::default() }
    }

    /// From so many bytes on a region is one of them.
    #[must_use]
    pub fn least(&self) -> u64 {
        self.least_pages * PAGE
    }

    /// Batch and base of each region that holds as much, in no order; dropped ones included, while readers hold their memory.
    #[must_use]
    pub fn large(&self) -> Vec<(BatchId, u64)> {
        self.large.lock().clone()
    }

    /// The pages that a region holds have changed.
    #[inline]
    pub(crate) fn changed(&self, region: &(BatchId, u64), before: u64, after: u64, pages: &AtomicU64) {
        if (before < self.least_pages) != (after < self.least_pages) {
            self.note(region, pages);
        }
    }

    /// The last of those who note a change sees all of them.
    #[cold]
    fn note(&self, region: &(BatchId, u64), pages: &AtomicU64) {
        let mut large = self.large.lock();
        let at = large.iter().position(|it| it == region);
        match (at, pages.load(Ordering::Acquire) >= self.least_pages) {
            (None, true) => large.push(*region),
            (Some(at), false) => _ = large.swap_remove(at),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_hold_much_are_known_while_they_do() {
        let holders = Holders::new(1024 * PAGE);
        assert_eq!(holders.least(), 4 * PAGE);
        let pages = AtomicU64::new(0);
        let set = |now: u64| {
            let before = pages.swap(now, Ordering::AcqRel);
            holders.changed(&(BatchId(7), 9), before, now, &pages);
            holders.large()
        };
        assert_eq!(set(3), []);
        assert_eq!(set(4), [(BatchId(7), 9)]);
        assert_eq!(set(900), [(BatchId(7), 9)]);
        assert_eq!(set(0), []);
        assert_eq!(Holders::new(PAGE).least(), PAGE, "of a tiny arena");
    }
}
