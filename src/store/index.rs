//! A region's index: from a slot to its entry, by arithmetic and one look at the directory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::arena::Arena;
use super::core::Core;
use super::layout::{ENTRY, Entry, HEADER_INLINE, HEADER_OVERFLOW, INLINE_PAGES, PAGE, SLOTS};
use super::run::Run;

/// Directory entries of one page.
const PER_PAGE: u64 = PAGE / 4;
/// Most pages of index leased at once.
const MAX_BLOCK: u64 = 64;

/// The words of an entry.
#[derive(Clone, Copy)]
pub(crate) struct EntryWords<'a> {
    pub(crate) word0: &'a AtomicU64,
    pub(crate) word1: &'a AtomicU64,
}

impl<'a> EntryWords<'a> {
    pub(crate) fn at(arena: &'a Arena, offset: u64) -> Self {
        EntryWords { word0: arena.word(offset), word1: arena.word(offset + 8) }
    }

    /// Both words and what they say; `None` for bytes that are no entry.
    pub(crate) fn load(&self) -> (u64, Option<Entry>) {
        let word0 = self.word0.load(Ordering::Acquire);
        (word0, Entry::decode(word0, self.word1.load(Ordering::Relaxed)))
    }

    /// Publishes an entry where there was none.
    pub(crate) fn publish(&self, entry: &Entry) {
        self.publish_as(entry.word0(), entry);
    }

    /// Publishes an entry where there was one whose bytes were given up.
    pub(crate) fn publish_again(&self, entry: &Entry) {
        self.publish_as(entry.word0_again(), entry);
    }

    fn publish_as(&self, word0: u64, entry: &Entry) {
        self.word1.store(entry.word1(), Ordering::Relaxed);
        self.word0.store(word0, Ordering::Release);
    }

    /// Publishes a change of state; the rest of the entry stays.
    pub(crate) fn change(&self, entry: &Entry) {
        self.word0.store(entry.word0(), Ordering::Release);
    }
}

/// Finds the entry of a slot through the directory in the arena. Any bytes may be found in a region that is gone: all is
/// checked against the arena's bounds, and the caller validates.
pub(crate) fn find(arena: &Arena, header: u64, slot: u64) -> Option<EntryWords<'_>> {
    let number = slot / SLOTS;
    let page = if number < INLINE_PAGES {
        half(arena.word(header + HEADER_INLINE + number / 2 * 8), number)
    } else {
        let overflow = arena.word(header + HEADER_OVERFLOW).load(Ordering::Acquire);
        let (first, pages) = (overflow >> 32, overflow & u64::from(u32::MAX));
        let number = number - INLINE_PAGES;
        if number >= pages * PER_PAGE || !arena.contains(first * PAGE, pages * PAGE) {
            return None;
        }
        half(arena.word(first * PAGE + number / 2 * 8), number)
    };
    if page == 0 || !arena.contains(page * PAGE, PAGE) {
        return None;
    }
    Some(EntryWords::at(arena, page * PAGE + slot % SLOTS * ENTRY))
}

/// One of the two page numbers in a directory word.
fn half(word: &AtomicU64, number: u64) -> u64 {
    word.load(Ordering::Acquire) >> (number % 2 * 32) & u64::from(u32::MAX)
}

/// Sets one of the two. Only one thread at a time writes a directory.
fn set_half(word: &AtomicU64, number: u64, page: u64) {
    let shift = number % 2 * 32;
    let kept = word.load(Ordering::Relaxed) & !(u64::from(u32::MAX) << shift);
    word.store(kept | page << shift, Ordering::Release);
}

/// A block of slots just leased, with the run its entries lie in.
pub(crate) struct Block {
    pub(crate) run: Arc<Run>,
    pub(crate) first: u64,
    pub(crate) slots: u64,
}

/// The runs of the index and of its directory; written under the region's lock.
#[derive(Default)]
pub(crate) struct Index {
    runs: Vec<Arc<Run>>,
    /// outgrown directories: readers may still be in them
    retired: Vec<Run>,
    overflow: Option<Run>,
    pages: u64,
    /// (first page, page after the last) of the slots that no lease has, in their order; no two are neighbours
    reserved: Vec<(u64, u64)>,
}

impl Index {
    /// Slots leased so far.
    pub(crate) fn slots(&self) -> u64 {
        self.pages * SLOTS
    }

    /// How many pages the next block is to have: the larger the region, the larger the block.
    pub(crate) fn wished(&self) -> u64 {
        (self.pages / 4).clamp(1, MAX_BLOCK)
    }

    /// Pages of a larger directory, as wished and at least, if so many more pages of index need one.
    pub(crate) fn directory_for(&self, more: u64) -> Option<(u64, u64)> {
        let needed = (self.pages + more).saturating_sub(INLINE_PAGES).div_ceil(PER_PAGE);
        let have = self.overflow.as_ref().map_or(0, Run::pages);
        (needed > have).then(|| (needed.max(have * 2), needed))
    }

    /// Goes on with a larger directory, just lent for it.
    pub(crate) fn set_directory(&mut self, core: &Core, header: u64, new: Run) {
        if self.overflow.as_ref().is_some_and(|old| old.pages() >= new.pages()) {
            return;
        }
        let arena = &core.arena;
        let span = arena.span_mut(new.offset(), new.len());
        let mut from = 0;
        if let Some(old) = &self.overflow {
            span.part(0, old.len() as usize).copy_from(arena.span(old.offset(), old.len()));
            from = old.len() as usize;
        }
        span.zero(from, span.len());
        arena.word(header + HEADER_OVERFLOW).store(new.page() << 32 | new.pages(), Ordering::Release);
        self.retired.extend(self.overflow.replace(new));
    }

    /// Leases the next block, in a run just lent for it. The directory is large enough.
    pub(crate) fn lease(&mut self, core: &Core, header: u64, run: Run) -> Block {
        let first = self.slots();
        let run = self.add(core, header, run);
        Block { first, slots: run.pages() * SLOTS, run }
    }

    /// Reserves consecutive slots that no lease will fill, in runs just lent for them. Returns the first. The directory is large
    /// enough.
    pub(crate) fn reserve(&mut self, core: &Core, header: u64, runs: Vec<Run>) -> u64 {
        let first = self.pages;
        for run in runs {
            self.add(core, header, run);
        }
        match self.reserved.last_mut() {
            Some(last) if last.1 == first => last.1 = self.pages,
            _ => self.reserved.push((first, self.pages)),
        }
        first * SLOTS
    }

    /// True for a slot that was reserved, and not leased.
    pub(crate) fn is_reserved(&self, slot: u64) -> bool {
        let page = slot / SLOTS;
        let after = self.reserved.partition_point(|&(first, _)| first <= page);
        after > 0 && page < self.reserved[after - 1].1
    }

    /// Adds the pages of a run, zeroed, to the directory, which has room for them.
    fn add(&mut self, core: &Core, header: u64, run: Run) -> Arc<Run> {
        core.arena.span_mut(run.offset(), run.len()).zero(0, run.len() as usize);
        for n in 0..run.pages() {
            let number = self.pages + n;
            let word = match &self.overflow {
                Some(overflow) if number >= INLINE_PAGES => {
                    core.arena.word(overflow.offset() + (number - INLINE_PAGES) / 2 * 8)
                }
                _ => core.arena.word(header + HEADER_INLINE + number / 2 * 8),
            };
            set_half(word, number, run.page() + n);
        }
        self.pages += run.pages();
        let run = Arc::new(run);
        self.runs.push(Arc::clone(&run));
        run
    }

    /// Takes all runs out: those nobody else holds, to be given back together; the others go with their holders.
    pub(crate) fn into_runs(self) -> Vec<Run> {
        let mut out = self.retired;
        out.extend(self.overflow);
        out.extend(self.runs.into_iter().filter_map(Arc::into_inner));
        out
    }
}
