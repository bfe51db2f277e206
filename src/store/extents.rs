//! The free extents of the arena, in pages: pure bookkeeping, no memory.
//!
//! Two views of one set: by start, to join neighbours; by length, to find the best fit. Ties go to the lowest address,
//! so that memory that was used before is used again first.

use std::collections::{BTreeMap, BTreeSet};

/// See the module.
pub(crate) struct Extents {
    /// first page → number of pages; never overlapping, adjacent at the end of the pages kept only
    by_start: BTreeMap<u64, u64>,
    /// (number of pages, first page) of the same extents
    by_len: BTreeSet<(u64, u64)>,
    free: u64,
    /// A run that is not longer than a window never straddles one (a JVM maps the arena window by window).
    window: u64,
    /// The first so many pages are for what is never given back, so that it lies together: others are lent from there when
    /// nothing else has room for them.
    kept: u64,
}

impl Extents {
    /// All of `pages` free, the first `kept` of them for what is never given back.
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
        if let Some((start, end)) = self.across().filter(|(start, end)| end - start >= pages) {
            // as few as possible of those kept
            let at = Some(end - pages).filter(|&at| self.place(at, pages) == at).unwrap_or(self.place(start, pages));
            if at + pages <= end {
                self.take_run(at, pages);
                return Some(at);
            }
        }
        let (start, len, first) = self.best(pages, 0)?;
        let last = start + len - pages;
        let at = if self.place(last, pages) == last { last } else { first };
        self.cut(start, len, at, pages);
        Some(at)
    }

    /// Takes `pages` for what is never given back: the lowest of those kept for that, else low ones.
    pub(crate) fn take_for_good(&mut self, pages: u64) -> Option<u64> {
        const LOOKED_AT: usize = 64;
        if pages == 0 {
            return None;
        }
        let fits = |(&start, &len): (&u64, &u64)| {
            let at = self.place(start, pages);
            (at + pages <= start + len).then_some((start, len, at))
        };
        let (start, len, at) = self.by_start.iter().take(LOOKED_AT).find_map(fits).or_else(|| self.best(pages, 0))?;
        self.cut(start, len, at, pages);
        Some(at)
    }

    /// The smallest extent from `from` on that has room, and where in it: (its first page, its pages, the place).
    fn best(&self, pages: u64, from: u64) -> Option<(u64, u64, u64)> {
        let mut next = (pages, from);
        loop {
            let &(len, start) = self.by_len.range(next..).next()?;
            if start < from {
                next = (len, from);
                continue;
            }
            let at = self.place(start, pages);
            if at + pages <= start + len {
                return Some((start, len, at));
            }
            next = (len, start + 1);
        }
    }

    /// The free run across the end of the pages kept, if both sides of it are free: from where to where.
    fn across(&self) -> Option<(u64, u64)> {
        let len = self.by_start.get(&self.kept)?;
        let (&start, &before) = self.by_start.range(..self.kept).next_back()?;
        (start + before == self.kept).then_some((start, self.kept + len))
    }

    /// Takes pages of one extent, or of the two beside the end of the pages kept.
    fn take_run(&mut self, at: u64, pages: u64) {
        let low = pages.min(self.kept.saturating_sub(at));
        for (at, pages) in [(at, low), (at + low, pages - low)] {
            if pages > 0 {
                self.take_at(at, pages);
            }
        }
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
    pub(crate) fn from_largest(&self, pages: u64) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.by_len.range((pages, 0)..).rev().map(|&(len, start)| (start, len))
    }

    /// Takes just these pages if all of them are free.
    pub(crate) fn take_at(&mut self, at: u64, pages: u64) -> bool {
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

    /// Gives pages back that lie on one side of the end of the pages kept, and joins them with what is free there.
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
        let mut e = Extents::new(100, 1 << 18, 0);
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
        let mut e = Extents::new(100, 1 << 18, 10);
        assert_eq!((e.take(90), e.take_for_good(1), e.take_for_good(2)), (Some(10), Some(0), Some(1)));
        e.give(10, 90);
        assert_eq!((e.largest(), e.take(93)), (97, Some(7)), "as few as possible of those kept");
        assert_eq!((e.take(2), e.take_for_good(1), e.free()), (Some(5), Some(3), 1), "from the other end");
        e.give(7, 93);
        assert_eq!((e.take_for_good(2), e.take(90), e.take_for_good(1)), (Some(7), Some(10), Some(4)));
    }

    #[test]
    fn a_run_straddles_no_window_unless_it_is_larger() {
        let mut e = Extents::new(64, 16, 0);
        assert_eq!(e.take(10), Some(0));
        assert_eq!(e.take(10), Some(16));
        assert_eq!(e.take(6), Some(10), "the gap before the window serves a smaller one");
        assert_eq!(e.take(20), Some(26), "larger than a window: anywhere");
    }

    proptest! {
        #[test]
        fn pages_are_lent_once_and_come_back(
            ops in prop::collection::vec((0u8..5, 1u64..40), 1..200), kept in prop::sample::select(vec![0u64, 16, 100]),
        ) {
            let mut e = Extents::new(512, 128, kept);
            let mut lent: Vec<(u64, u64)> = Vec::new();
            for (what, n) in ops {
                if what < 3 {
                    let largest = e.largest();
                    let taken = if what == 0 { e.take_for_good(n) } else { e.take(n) };
                    prop_assert!(what == 0 || kept > 0 || taken.is_none() || n <= largest);
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
