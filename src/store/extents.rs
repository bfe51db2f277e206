//! The free extents of the arena, in pages: pure bookkeeping, no memory.
//!
//! Two views of one set: by start, to join neighbours; by length, to find the best fit. Ties go to the lowest address,
//! so that memory that was used before is used again first.

use std::collections::{BTreeMap, BTreeSet};

/// See the module.
pub(crate) struct Extents {
    /// first page → number of pages; never overlapping, adjacent at the first of the pages kept only
    by_start: BTreeMap<u64, u64>,
    /// (number of pages, first page) of the same extents
    by_len: BTreeSet<(u64, u64)>,
    free: u64,
    /// A run that is not longer than a window never straddles one (a JVM maps the arena window by window).
    window: u64,
    /// The pages from this one on are for what is never given back, so that it lies together: others are lent from there when
    /// nothing else has room for them.
    kept: u64,
}

impl Extents {
    /// All of `pages` free, those from `kept` on for what is never given back.
    pub(crate) fn new(pages: u64, window: u64, kept: u64) -> Self {
        let mut e = Extents { by_start: BTreeMap::new(), by_len: BTreeSet::new(), free: 0, window, kept };
        if pages > 0 {
            e.give(0, pages);
        }
        e
    }

    /// Free pages.
    pub(crate) fn free(&self) -> u64 {
        self.free
    }

    /// Pages of the largest free run.
    pub(crate) fn largest(&self) -> u64 {
        let across = self.across().map_or(0, |(start, end)| end - start);
        self.by_len.last().map_or(0, |&(len, _)| len).max(across)
    }

    /// Takes `pages` from the smallest extent that has room for them, where others than those kept have.
    pub(crate) fn take(&mut self, pages: u64) -> Option<u64> {
        if pages == 0 {
            return None;
        }
        if let Some((start, len, at)) = self.best(pages, self.kept) {
            self.cut(start, len, at, pages);
            return Some(at);
        }
        if let Some((start, end)) = self.across() {
            // as few as possible of those kept
            let at = self.place(start, pages);
            if at + pages <= end && self.take_at(at, pages) {
                return Some(at);
            }
        }
        let (start, len, at) = self.best(pages, u64::MAX)?;
        self.cut(start, len, at, pages);
        Some(at)
    }

    /// Takes `pages` for what is never given back: the highest there are.
    pub(crate) fn take_for_good(&mut self, pages: u64) -> Option<u64> {
        const LOOKED_AT: usize = 64;
        if pages == 0 {
            return None;
        }
        let fits = |(&start, &len): (&u64, &u64)| {
            let at = (start + len).checked_sub(pages).filter(|&at| at >= start)?;
            (self.place(at, pages) == at).then_some((start, len, at))
        };
        let highest = self.by_start.iter().rev().take(LOOKED_AT).find_map(fits);
        let (start, len, at) = highest.or_else(|| self.best(pages, u64::MAX))?;
        self.cut(start, len, at, pages);
        Some(at)
    }

    /// The smallest extent below `to` that has room, and where in it: (its first page, its pages, the place).
    fn best(&self, pages: u64, to: u64) -> Option<(u64, u64, u64)> {
        let mut next = (pages, 0);
        loop {
            let &(len, start) = self.by_len.range(next..).next()?;
            if start >= to {
                next = (len + 1, 0);
                continue;
            }
            let at = self.place(start, pages);
            if at + pages <= start + len {
                return Some((start, len, at));
            }
            next = (len, start + 1);
        }
    }

    /// The free run across the first of the pages kept, if both sides of it are free: from where to where.
    fn across(&self) -> Option<(u64, u64)> {
        let len = self.by_start.get(&self.kept)?;
        let (&start, &before) = self.by_start.range(..self.kept).next_back()?;
        (start + before == self.kept).then_some((start, self.kept + len))
    }

    /// Takes pages of the extent that begins at `start`.
    fn cut(&mut self, start: u64, len: u64, at: u64, pages: u64) {
        self.remove(start, len);
        if at > start {
            self.insert(start, at - start);
        }
        if at + pages < start + len {
            self.insert(at + pages, start + len - at - pages);
        }
    }

    /// Free extents of so many pages at least, the largest first: (first page, pages).
    pub(crate) fn largest_first(&self, pages: u64) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.by_len.range((pages, 0)..).rev().map(|&(len, start)| (start, len))
    }

    /// Takes just these pages if all of them are free.
    pub(crate) fn take_at(&mut self, at: u64, pages: u64) -> bool {
        if at >= self.kept || at + pages <= self.kept {
            return self.take_on_one_side(at, pages);
        }
        let low = self.kept - at;
        if !self.take_on_one_side(at, low) {
            return false;
        }
        let all = self.take_on_one_side(self.kept, pages - low);
        if !all {
            self.give(at, low);
        }
        all
    }

    fn take_on_one_side(&mut self, at: u64, pages: u64) -> bool {
        let Some((&start, &len)) = self.by_start.range(..=at).next_back() else { return false };
        if at + pages > start + len {
            return false;
        }
        self.cut(start, len, at, pages);
        true
    }

    /// Gives pages back.
    pub(crate) fn give(&mut self, start: u64, pages: u64) {
        if start < self.kept && start + pages > self.kept {
            let low = self.kept - start;
            self.give_one_side(start, low);
            self.give_one_side(self.kept, pages - low);
        } else {
            self.give_one_side(start, pages);
        }
    }

    /// Gives pages back that lie on one side of the first of the pages kept, and joins them with what is free there.
    fn give_one_side(&mut self, mut start: u64, mut pages: u64) {
        if let Some((&before, &len)) = self.by_start.range(..start).next_back() {
            debug_assert!(before + len <= start, "pages {start}+{pages} are free already");
            if before + len == start && start != self.kept {
                self.remove(before, len);
                start = before;
                pages += len;
            }
        }
        if let Some((&after, &len)) = self.by_start.range(start + 1..).next() {
            debug_assert!(start + pages <= after, "pages {start}+{pages} are free already");
            if start + pages == after && after != self.kept {
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
        let mut e = Extents::new(100, 1 << 18, 100);
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
    fn what_is_never_given_back_lies_together() {
        let mut e = Extents::new(100, 1 << 18, 90);
        assert_eq!((e.take(90), e.take_for_good(1), e.take_for_good(2)), (Some(0), Some(99), Some(97)));
        e.give(1, 89);
        assert_eq!((e.largest(), e.take(91)), (96, Some(1)), "as few as possible of those kept");
        assert_eq!((e.take(2), e.take_for_good(1), e.free()), (Some(92), Some(96), 2), "from the other end");
        e.give(1, 91);
        assert_eq!((e.take_for_good(2), e.take(89), e.take_for_good(1)), (Some(94), Some(1), Some(91)));
    }

    #[test]
    fn a_run_straddles_no_window_unless_it_is_larger() {
        let mut e = Extents::new(64, 16, 64);
        assert_eq!(e.take(10), Some(0));
        assert_eq!(e.take(10), Some(16));
        assert_eq!(e.take(6), Some(10), "the gap before the window serves a smaller one");
        assert_eq!(e.take(20), Some(26), "larger than a window: anywhere");
    }

    proptest! {
        #[test]
        fn pages_are_lent_once_and_come_back(
            ops in prop::collection::vec((0u8..5, 1u64..40), 1..200), kept in prop::sample::select(vec![512u64, 496, 400]),
        ) {
            let mut e = Extents::new(512, 128, kept);
            let mut lent: Vec<(u64, u64)> = Vec::new();
            for (what, n) in ops {
                if what < 3 {
                    let largest = e.largest();
                    let taken = if what == 0 { e.take_for_good(n) } else { e.take(n) };
                    prop_assert!(what == 0 || taken.is_none() || n <= largest);
                    if let Some(at) = taken {
                        prop_assert!(lent.iter().all(|&(s, l)| at + n <= s || s + l <= at));
                        prop_assert!(at / 128 == (at + n - 1) / 128);
                        lent.push((at, n));
                    }
                } else if !lent.is_empty() {
                    let (s, l) = lent.swap_remove((n as usize) % lent.len());
                    e.give(s, l);
                }
                prop_assert_eq!(e.free() + lent.iter().map(|l| l.1).sum::<u64>(), 512);
                let largest = e.iter().map(|x| x.1).max().unwrap_or(0);
                prop_assert!(e.largest() >= largest && e.largest() <= 2 * largest.max(1));
                prop_assert!(e.iter().all(|(start, len)| start >= kept || start + len <= kept));
            }
            for (start, len) in lent {
                e.give(start, len);
            }
            prop_assert_eq!(e.largest(), 512);
        }
    }
}
