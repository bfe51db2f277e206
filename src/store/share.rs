//! Who holds how much of the arena, and how much of it is fair: so that nobody can occupy a store that others use, too.
//!
//! Batches may be in groups, and groups within others. The arena is divided evenly among the outermost groups that are
//! *active*, having a batch that lives or holding memory; all that is in no group counts as one of them when it holds
//! something. A group's share is divided in the same way among the groups within it, and its own batches as one more. What
//! somebody does not use of their share is there for all, until memory is short; then whoever is furthest above their share
//! gives first.
//!
//! What a share holds follows from loans, a chunk at a time, not an object. The list of groups within one is locked
//! for a moment only, and nothing is called meanwhile.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::arena::Arena;
use super::layout::PAGE;
use super::run::Held;

/// What a group holds of the arena, with all that is within it.
pub struct Share {
    /// The group's path.
    path: String,
    /// `None` for the whole arena.
    outer: Option<Arc<Share>>,
    within: Mutex<Vec<Weak<Share>>>,
    /// bytes
    held: AtomicU64,
    /// batches that live
    batches: AtomicU64,
    /// a loan was refused that would have been above it
    wants: AtomicBool,
    /// or above what of it is for its own batches
    wants_own: AtomicBool,
}

impl Share {
    fn whole() -> Arc<Share> {
        Arc::new(Share::empty())
    }

    /// A share of this one, for the group of that path.
    #[must_use]
    pub fn part(self: &Arc<Self>, path: &str) -> Arc<Share> {
        let part = Arc::new(Share { path: path.to_owned(), outer: Some(Arc::clone(self)), ..Share::empty() });
        let mut within = self.within.lock();
        within.retain(|other| other.strong_count() > 0);
        within.push(Arc::downgrade(&part));
        part
    }

    fn empty() -> Share {
        Share {
            path: String::new(),
            outer: None,
            within: Mutex::default(),
            held: AtomicU64::new(0),
            batches: AtomicU64::new(0),
            wants: AtomicBool::new(false),
            wants_own: AtomicBool::new(false),
        }
    }

    /// Itself and those it is a part of, the whole arena left out.
    fn chain(&self) -> impl Iterator<Item = &Share> {
        std::iter::successors(Some(self), |share| share.outer.as_deref()).filter(|share| share.outer.is_some())
    }

    pub(crate) fn add(&self, bytes: u64) {
        self.chain().for_each(|share| _ = share.held.fetch_add(bytes, Ordering::Relaxed));
    }

    pub(crate) fn sub(&self, bytes: u64) {
        self.chain().for_each(|share| _ = share.held.fetch_sub(bytes, Ordering::Relaxed));
    }

    /// One more batch lives in it.
    pub fn join(&self) {
        self.chain().for_each(|share| _ = share.batches.fetch_add(1, Ordering::Relaxed));
    }

    /// One less.
    pub fn leave(&self) {
        self.chain().for_each(|share| _ = share.batches.fetch_sub(1, Ordering::Relaxed));
    }

    /// Bytes of the pages that its batches hold, and of what they keep in the side table.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    /// Batches in it that live.
    #[must_use]
    pub fn batches(&self) -> u64 {
        self.batches.load(Ordering::Relaxed)
    }

    fn is_active(&self) -> bool {
        self.batches() > 0 || self.held() > 0
    }

    /// How many of those within are active, and what all within hold.
    fn within(&self) -> (u64, u64) {
        let within = self.within.lock();
        within
            .iter()
            .filter_map(Weak::upgrade)
            .fold((0, 0), |(active, held), share| (active + u64::from(share.is_active()), held + share.held()))
    }
}

/// How a group, or what is in none, stands: by how many bytes it is above its share, or below it, at each step from the
/// outermost group to its own batches. The greater, the sooner it gives.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Standing(Vec<i64>);

impl Standing {
    /// True for the only one there is.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.0.is_empty()
    }

    /// True when it is above its share, or something it is within is.
    #[must_use]
    pub fn is_above(&self) -> bool {
        self.0.iter().any(|above| *above > 0)
    }
}

/// One step of a standing.
struct Step<'a> {
    share: &'a Share,
    /// The batches of the group itself, and not those of groups within it.
    own: bool,
    held: u64,
    fair: u64,
}

/// Who of a group was refused more than their share.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Wants {
    /// The group as a whole: all within it are to give.
    pub all: bool,
    /// Its own batches, which are in no group within it.
    pub own: bool,
}

impl Wants {
    /// True if anybody was.
    #[must_use]
    pub fn any(self) -> bool {
        self.all || self.own
    }
}

/// Why a loan is refused though there is memory.
#[derive(Debug)]
pub(crate) struct TooMuch {
    whose: String,
    held: u64,
    fair: u64,
    mark: u64,
}

impl fmt::Display for TooMuch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TooMuch { whose, held, fair, mark } = self;
        write!(
            f,
            "{whose} holds {held} bytes, and its fair share is {fair}; of what is lent beyond {mark} bytes nobody gets more \
             who is above their share, since others are below theirs: end or collect batches of the group"
        )
    }
}

/// The whole arena, as it is divided.
pub struct Shares {
    arena: Arc<Arena>,
    /// what the store holds for itself
    bookkeeping: Vec<Arc<Held>>,
    whole: Arc<Share>,
    /// bytes lent beyond which memory is short
    mark: u64,
    /// somebody who is not above their share found no memory
    wanting: AtomicBool,
}

impl Shares {
    pub(crate) fn new(arena: &Arc<Arena>, bookkeeping: Vec<Arc<Held>>, mark: u64) -> Shares {
        Shares { arena: Arc::clone(arena), bookkeeping, whole: Share::whole(), mark, wanting: AtomicBool::new(false) }
    }

    /// What the outermost groups have parts of.
    #[must_use]
    pub fn whole(&self) -> &Arc<Share> {
        &self.whole
    }

    /// Bytes that batches of no group hold, objects of normal mode, and what is kept for no group.
    #[must_use]
    pub fn rest(&self) -> u64 {
        self.holds(&self.whole).saturating_sub(self.whole.within().1)
    }

    /// A group's fair share at this moment, in bytes.
    #[must_use]
    pub fn fair(&self, share: &Share) -> u64 {
        match &share.outer {
            // one that is not active: as if it were
            Some(outer) => self.fair(outer) / (self.parts(outer) + u64::from(!share.is_active())).max(1),
            None => self.arena.len(),
        }
    }

    fn holds(&self, share: &Share) -> u64 {
        if share.outer.is_some() {
            return share.held();
        }
        let bookkeeping: u64 = self.bookkeeping.iter().map(|held| held.bytes()).sum();
        self.arena.taken().saturating_sub(PAGE + bookkeeping)
    }

    /// Among how many it is divided.
    fn parts(&self, share: &Share) -> u64 {
        let (active, held) = share.within();
        active + u64::from(self.holds(share) > held)
    }

    /// From the outermost group to the own batches of this one; `None`: what is in no group.
    fn steps<'a>(&'a self, share: Option<&'a Share>) -> Vec<Step<'a>> {
        let mut chain: Vec<&Share> = share.into_iter().flat_map(Share::chain).collect();
        chain.reverse();
        let mut steps: Vec<_> = (chain.into_iter())
            .map(|share| Step { share, own: false, held: self.holds(share), fair: self.fair(share) })
            .collect();
        let last = share.unwrap_or(&self.whole);
        let (active, within) = last.within();
        if active > 0 {
            let held = self.holds(last).saturating_sub(within);
            let parts = active + u64::from(held > 0);
            steps.push(Step { share: last, own: true, held, fair: self.fair(last) / parts.max(1) });
        }
        steps
    }

    /// How a group's own batches stand; `None`: what is in no group.
    #[must_use]
    pub fn standing(&self, share: Option<&Share>) -> Standing {
        let above = |step: &Step<'_>| step.held as i64 - step.fair as i64;
        Standing(self.steps(share).iter().map(above).collect())
    }

    /// Why so many bytes more are not to be lent to a group. Nothing is refused up to the mark.
    pub(crate) fn refuses(&self, share: Option<&Arc<Share>>, bytes: u64) -> Option<TooMuch> {
        let share = share?;
        if self.arena.taken() + bytes <= self.mark {
            return None;
        }
        self.steps(Some(share)).iter().find(|step| step.held + bytes > step.fair).map(|step| {
            let what = if step.own { "what is in no group within " } else { "" };
            let whose = format!("{what}group '{}'", step.share.path);
            TooMuch { whose, held: step.held, fair: step.fair, mark: self.mark }
        })
    }

    /// True when objects of normal mode may go for so many bytes of this one: not for a group that is above its share, unless
    /// they are above theirs.
    pub(crate) fn may_evict(&self, share: Option<&Arc<Share>>, bytes: u64) -> bool {
        share.is_none() || !self.would_be_above(share, bytes) || self.standing(None).is_above()
    }

    fn would_be_above(&self, share: Option<&Arc<Share>>, bytes: u64) -> bool {
        self.steps(share.map(|share| &**share)).iter().any(|step| step.held + bytes > step.fair)
    }

    /// A loan of so many bytes failed.
    pub(crate) fn failed(&self, share: Option<&Arc<Share>>, bytes: u64) {
        let steps = self.steps(share.map(|share| &**share));
        // whoever is above there is to give, and all within it; not what else is within an outer group that is below its own
        match steps.iter().find(|step| step.held + bytes > step.fair) {
            Some(step) if step.own => step.share.wants_own.store(true, Ordering::Relaxed),
            Some(step) => step.share.wants.store(true, Ordering::Relaxed),
            None => self.wanting.store(true, Ordering::Relaxed),
        }
    }

    /// Takes note of whether a group, what is in none for `None`, was refused more than its share since this was asked last.
    #[must_use]
    pub fn take_wants(&self, share: Option<&Share>) -> Wants {
        let share = share.unwrap_or(&self.whole);
        Wants { all: share.wants.swap(false, Ordering::Relaxed), own: share.wants_own.swap(false, Ordering::Relaxed) }
    }

    /// True if somebody who is not above their share found no memory since this was asked last.
    #[must_use]
    pub fn take_wanting(&self) -> bool {
        self.wanting.swap(false, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::faults::NoFaults;

    const ALL: u64 = 64 * PAGE;

    fn shares() -> Shares {
        let Ok(arena) = Arena::open(ALL, None, "t", Arc::new(NoFaults)) else { panic!("no arena") };
        Shares::new(&arena, Vec::new(), 48 * PAGE)
    }

    #[test]
    fn what_is_active_divides_the_arena_evenly() {
        let shares = shares();
        let (a, b) = (shares.whole().part("a"), shares.whole().part("b"));
        let (x, y) = (a.part("a/x"), a.part("a/y"));
        assert_eq!(shares.fair(&a), ALL, "one that is not active, as if it were the only one that is");
        x.join();
        assert_eq!([&a, &x, &y, &b].map(|share| shares.fair(share)), [ALL, ALL, ALL / 2, ALL / 2]);
        b.add(1);
        assert_eq!([&a, &x, &b].map(|share| shares.fair(share)), [ALL / 2; 3]);
        a.add(1);
        assert_eq!(shares.fair(&x), ALL / 4, "the own batches of a are one beside it");
        x.leave();
        a.sub(1);
        assert_eq!([&a, &b].map(|share| shares.fair(share)), [ALL / 2, ALL]);
        drop(b);
        assert_eq!(shares.fair(&a), ALL, "one that nobody has any more holds nothing");
    }

    #[test]
    fn the_outermost_step_decides_who_is_furthest_above() {
        let shares = shares();
        let (a, b) = (shares.whole().part("a"), shares.whole().part("b"));
        let (x, y) = (a.part("a/x"), a.part("a/y"));
        x.add(30 * PAGE);
        y.add(4 * PAGE);
        b.add(31 * PAGE);
        let standing = |share: &Share| shares.standing(Some(share));
        // a has 34 of 32, b 31; within a, x 30 of 16, y 4
        assert!(standing(&x) > standing(&y) && standing(&y) > standing(&b));
        assert!(standing(&x).is_above() && standing(&y).is_above() && !standing(&b).is_above());
        y.sub(4 * PAGE);
        assert!(standing(&b) > standing(&x) && !standing(&x).is_above(), "31 and 30 of 32");
    }

    #[test]
    fn nothing_is_refused_up_to_the_mark_and_beyond_it_what_would_be_above() {
        let shares = shares();
        let (a, b) = (shares.whole().part("a"), shares.whole().part("b"));
        b.join();
        a.add(40 * PAGE);
        assert!(shares.refuses(Some(&a), 47 * PAGE).is_none(), "the arena itself has lent one page");
        assert!(
            shares.refuses(Some(&a), 48 * PAGE).is_some_and(|why| why.to_string().contains("group 'a' holds 163840"))
        );
        assert!(shares.refuses(Some(&b), 48 * PAGE).is_some(), "more than half");
        b.add(30 * PAGE);
        assert!(shares.refuses(None, 60 * PAGE).is_none(), "what is in no group is not refused");
        assert!(!shares.may_evict(Some(&a), PAGE) && shares.may_evict(Some(&b), 2 * PAGE) && shares.may_evict(None, 1));
    }
}
