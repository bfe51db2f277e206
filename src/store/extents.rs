//! The free extents of the arena, in pages: pure bookkeeping, no memory.
//!
//! Two views of one set: by start, to join neighbours; by length, to find the best fit. Ties go to the lowest address,
//! so that memory that was used before is used again first.

use std::collections::{BTreeMap, BTreeSet};

/// See the module.
pub(crate) struct Extents {
    /// first page → number of pages; never adjacent, never overlapping
    by_start: BTreeMap<u64, u64>,
    /// (number of pages, first page) of the same extents
    by_len: BTreeSet<(u64, u64)>,
    free: u64,
    /// A run that is not longer than a window never straddles one (a JVM maps the arena window by window).
    window: u64,
}

impl Extents {
    /// All of `pages` free.
    pub(crate) fn new(pages: u64, window: u64) -> Self {
        let mut e = Extents { by_start: BTreeMap::new(), by_len: BTreeSet::new(), free: 0, window };
        if pages > 0 {
            e.give(0, pages);
        }
        e
    }

    /// Free pages.
    pub(crate) fn free(&self) -> u64 {
        self.free
    }

    /// Pages of the largest free extent.
    pub(crate) fn largest(&self) -> u64 {
        self.by_len.last().map_or(0, |&(len, _)| len)
    }

    /// Takes `pages` from the smallest extent that has room for them.
    pub(crate) fn take(&mut self, pages: u64) -> Option<u64> {
        if pages == 0 {
            return None;
        }
        let (start, len, at) = self.by_len.range((pages, 0)..).find_map(|&(len, start)| {
            let at = self.place(start, pages);
            (at + pages <= start + len).then_some((start, len, at))
        })?;
        self.remove(start, len);
        if at > start {
            self.insert(start, at - start);
        }
        if at + pages < start + len {
            self.insert(at + pages, start + len - at - pages);
        }
        Some(at)
    }

    /// Takes just these pages if all of them are free.
    pub(crate) fn take_at(&mut self, at: u64, pages: u64) -> bool {
        let Some((&start, &len)) = self.by_start.range(..=at).next_back() else { return false };
        if at + pages > start + len {
            return false;
        }
        self.remove(start, len);
        if at > start {
            self.insert(start, at - start);
        }
        if at + pages < start + len {
            self.insert(at + pages, start + len - at - pages);
        }
        true
    }

    /// Gives pages back.
    pub(crate) fn give(&mut self, mut start: u64, mut pages: u64) {
        if let Some((&before, &len)) = self.by_start.range(..start).next_back() {
            debug_assert!(before + len <= start, "pages {start}+{pages} are free already");
            if before + len == start {
                self.remove(before, len);
                start = before;
                pages += len;
            }
        }
        if let Some((&after, &len)) = self.by_start.range(start + 1..).next() {
            debug_assert!(start + pages <= after, "pages {start}+{pages} are free already");
            if start + pages == after {
                self.remove(after, len);
                pages += len;
            }
        }
        self.insert(start, pages);
    }

    /// The free extents in address order: (first page, pages).
    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.by_start.iter().map(|(&s, &l)| (s, l))
    }

    /// The first place from `start` on where so many pages do not straddle a window needlessly.
    fn place(&self, start: u64, pages: u64) -> u64 {
        if pages > self.window || start / self.window == (start + pages - 1) / self.window {
            start
        } else {
            start.next_multiple_of(self.window)
        }
    }

    fn insert(&mut self, start: u64, pages: u64) {
        self.by_start.insert(start, pages);
        self.by_len.insert((pages, start));
        self.free += pages;
    }

    fn remove(&mut self, start: u64, pages: u64) {
        self.by_start.remove(&start);
        self.by_len.remove(&(pages, start));
        self.free -= pages;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn best_fit_lowest_address_and_joining() {
        let mut e = Extents::new(100, 1 << 18);
        let a = e.take(10).expect("room");
        let b = e.take(20).expect("room");
        let c = e.take(10).expect("room");
        assert_eq!((a, b, c), (0, 10, 30));
        e.give(a, 10);
        e.give(c, 10); // joins the tail
        assert_eq!(e.take(5), Some(0), "the smallest extent that fits");
        e.give(0, 5);
        e.give(b, 20);
        assert_eq!(e.iter().collect::<Vec<_>>(), [(0, 100)]);
        assert_eq!(e.take(101), None);
        assert_eq!(e.take(100), Some(0));
    }

    #[test]
    fn a_run_straddles_no_window_unless_it_is_larger() {
        let mut e = Extents::new(64, 16);
        assert_eq!(e.take(10), Some(0));
        assert_eq!(e.take(10), Some(16));
        assert_eq!(e.take(6), Some(10), "the gap before the window serves a smaller one");
        assert_eq!(e.take(20), Some(26), "larger than a window: anywhere");
    }

    proptest! {
        #[test]
        fn pages_are_lent_once_and_come_back(ops in prop::collection::vec((any::<bool>(), 1u64..40), 1..200)) {
            let mut e = Extents::new(512, 128);
            let mut lent: Vec<(u64, u64)> = Vec::new();
            for (take, n) in ops {
                if take {
                    if let Some(at) = e.take(n) {
                        prop_assert!(lent.iter().all(|&(s, l)| at + n <= s || s + l <= at));
                        prop_assert!(at / 128 == (at + n - 1) / 128);
                        lent.push((at, n));
                    }
                } else if !lent.is_empty() {
                    let (s, l) = lent.swap_remove((n as usize) % lent.len());
                    e.give(s, l);
                }
                prop_assert_eq!(e.free() + lent.iter().map(|l| l.1).sum::<u64>(), 512);
                prop_assert_eq!(e.iter().map(|x| x.1).max().unwrap_or(0), e.largest());
            }
        }
    }
}
