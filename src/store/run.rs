//! Runs of pages that give themselves back, and the count of who holds how many.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::arena::{Arena, NoRoom};
use super::layout::PAGE;
use super::share::Share;
use crate::id::BatchId;

/// Pages held for one purpose: by a region, by the side table, by the directory of regions.
#[derive(Default)]
pub(crate) struct Held {
    pages: AtomicU64,
    /// whose share of the arena they count to
    share: Option<Arc<Share>>,
    /// batch and base of the region that holds them
    region: Option<(BatchId, u64)>,
}

impl Held {
    /// None yet; what there will be counts to a share as well.
    pub(crate) fn of(share: Option<Arc<Share>>, region: (BatchId, u64)) -> Held {
        Held { pages: AtomicU64::new(0), share, region: Some(region) }
    }

    /// Whose share of the arena they count to.
    pub(crate) fn share(&self) -> Option<&Arc<Share>> {
        self.share.as_ref()
    }

    fn add(&self, arena: &Arena, pages: u64) {
        let before = self.pages.fetch_add(pages, Ordering::AcqRel);
        if let Some(region) = &self.region {
            arena.holders().changed(region, before, before + pages, &self.pages);
        }
        if let Some(share) = &self.share {
            share.add(pages * PAGE);
        }
    }

    fn sub(&self, arena: &Arena, pages: u64) {
        if let Some(share) = &self.share {
            share.sub(pages * PAGE);
        }
        let before = self.pages.fetch_sub(pages, Ordering::AcqRel);
        if let Some(region) = &self.region {
            arena.holders().changed(region, before, before - pages, &self.pages);
        }
    }

    /// Bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.pages.load(Ordering::Acquire) * PAGE
    }
}

/// A run of pages: given back when dropped.
pub(crate) struct Run {
    arena: Arc<Arena>,
    page: u64,
    /// 0 once it was given back
    pages: u64,
    /// A handed-over run changes its holder while others pin it.
    held: Mutex<Arc<Held>>,
}

impl Run {
    /// Borrows pages from the arena.
    pub(crate) fn lend(arena: &Arc<Arena>, held: &Arc<Held>, pages: u64) -> Result<Run, NoRoom> {
        Ok(Run::of(arena, held, arena.lend(pages)?, pages))
    }

    /// Borrows pages that are never given back, and lie together with others of that kind.
    pub(crate) fn lend_for_good(arena: &Arc<Arena>, held: &Arc<Held>, pages: u64) -> Result<Run, NoRoom> {
        Ok(Run::of(arena, held, arena.lend_for_good(pages)?, pages))
    }

    fn of(arena: &Arc<Arena>, held: &Arc<Held>, page: u64, pages: u64) -> Run {
        held.add(arena, pages);
        Run { arena: Arc::clone(arena), page, pages, held: Mutex::new(Arc::clone(held)) }
    }

    /// Cuts the last pages off, as a run of their own.
    pub(crate) fn split_off(&mut self, pages: u64) -> Run {
        debug_assert!(pages < self.pages);
        self.pages -= pages;
        let held = Arc::clone(self.held.get_mut());
        Run { arena: Arc::clone(&self.arena), page: self.page + self.pages, pages, held: Mutex::new(held) }
    }

    /// Where it begins, in bytes.
    pub(crate) fn offset(&self) -> u64 {
        self.page * PAGE
    }

    /// First page.
    pub(crate) fn page(&self) -> u64 {
        self.page
    }

    /// Number of pages.
    pub(crate) fn pages(&self) -> u64 {
        self.pages
    }

    /// Bytes.
    pub(crate) fn len(&self) -> u64 {
        self.pages * PAGE
    }

    /// Counts the run to another holder from now on.
    pub(crate) fn hand_over(&self, to: &Arc<Held>) {
        let mut held = self.held.lock();
        held.sub(&self.arena, self.pages);
        to.add(&self.arena, self.pages);
        *held = Arc::clone(to);
    }

    /// Gives many runs of one arena back in one step.
    pub(crate) fn give_back_all(mut runs: Vec<Run>) {
        let Some(first) = runs.first() else { return };
        let arena = Arc::clone(&first.arena);
        let mut loans: Vec<(u64, u64)> = runs
            .iter_mut()
            .map(|run| {
                let pages = std::mem::take(&mut run.pages);
                run.held.get_mut().sub(&arena, pages);
                (run.page, pages)
            })
            .collect();
        // neighbours join before they reach the free list
        loans.sort_unstable();
        loans.dedup_by(|next, first| {
            let joins = first.0 + first.1 == next.0;
            if joins {
                first.1 += next.1;
            }
            joins
        });
        arena.give_back(&loans);
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if self.pages > 0 {
            self.arena.give_back(&[(self.page, self.pages)]);
            self.held.get_mut().sub(&self.arena, self.pages);
        }
    }
}
