//! What a batch, or a group of them, may use: itself and all that is within it.

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::share::Share;
use crate::error::{Error, ErrorCode, Result};
use crate::id::BatchId;

/// No limit.
const NO_LIMIT: u64 = u64::MAX;

/// Whose a budget is.
enum Of {
    Batch(BatchId, String),
    /// A group of batches, by its path.
    Group(String),
}

impl fmt::Display for Of {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Of::Batch(id, name) if name.is_empty() => write!(f, "batch {id}"),
            Of::Batch(id, name) => write!(f, "batch {id} '{name}'"),
            Of::Group(path) => write!(f, "group '{path}'"),
        }
    }
}

/// Limits and use of one batch, or of a group. Use rolls up: whatever is reserved here is reserved by every parent too.
///
/// Reserving is exact, one object at a time: nothing is drawn in advance, so that no put fails while budget is unused.
/// Only batches under a limit, or in a group, which may be given one at any time, have a budget at all; the others pay
/// nothing.
pub struct Budget {
    of: Of,
    max_bytes: AtomicU64,
    max_objects: AtomicU64,
    bytes: AtomicU64,
    objects: AtomicU64,
    /// What the group holds of the arena.
    share: Option<Arc<Share>>,
    parent: Option<Arc<Budget>>,
}

impl Budget {
    /// A budget with nothing used. `name` is how errors call the batch, beside its id.
    #[must_use]
    pub fn new(
        batch: BatchId,
        name: &str,
        max_bytes: Option<u64>,
        max_objects: Option<u64>,
        parent: Option<Arc<Budget>>,
    ) -> Arc<Self> {
        let of = Of::Batch(batch, name.to_owned());
        Arc::new(Budget { of, max_bytes: most(max_bytes), max_objects: most(max_objects), parent, ..Budget::empty() })
    }

    /// That of a group without limits, with its share of the arena.
    #[must_use]
    pub fn of_group(path: &str, share: Arc<Share>, parent: Option<Arc<Budget>>) -> Arc<Self> {
        Arc::new(Budget { of: Of::Group(path.to_owned()), share: Some(share), parent, ..Budget::empty() })
    }

    fn empty() -> Budget {
        Budget {
            of: Of::Group(String::new()),
            max_bytes: most(None),
            max_objects: most(None),
            bytes: AtomicU64::new(0),
            objects: AtomicU64::new(0),
            share: None,
            parent: None,
        }
    }

    /// The share of the innermost group it counts to.
    #[must_use]
    pub fn share(&self) -> Option<&Arc<Share>> {
        self.chain().find_map(|budget| budget.share.as_ref())
    }

    /// The limits of bytes and of objects.
    #[must_use]
    pub fn limits(&self) -> (Option<u64>, Option<u64>) {
        (limit(&self.max_bytes), limit(&self.max_objects))
    }

    /// Limits the bytes from now on. One below what is in use takes nothing away, and refuses what is new.
    pub fn limit_bytes(&self, most: Option<u64>) {
        self.max_bytes.store(most.unwrap_or(NO_LIMIT), Ordering::Relaxed);
    }

    /// Limits the objects, likewise.
    pub fn limit_objects(&self, most: Option<u64>) {
        self.max_objects.store(most.unwrap_or(NO_LIMIT), Ordering::Relaxed);
    }

    /// Bytes and objects in use.
    #[must_use]
    pub fn used(&self) -> (u64, u64) {
        (self.bytes.load(Ordering::Relaxed), self.objects.load(Ordering::Relaxed))
    }

    /// The budget this one counts to.
    #[must_use]
    pub fn parent(&self) -> Option<&Arc<Budget>> {
        self.parent.as_ref()
    }

    /// Takes from this budget and all above it, or from none. Of two that race for the last room of an outer budget the
    /// loser may keep a third from the same room of an inner one for a moment.
    ///
    /// # Errors
    /// `BatchLimit`, naming the batch or the group whose limit it is, with the whole chain's use.
    pub fn reserve(&self, bytes: u64, objects: u64) -> Result<()> {
        // Looked at first: one that does not fit must not take from the inner ones for a moment, where others do fit.
        self.check(|_| (bytes, objects))?;
        for budget in self.chain() {
            if let Err(e) = budget.reserve_here(bytes, objects) {
                self.release_up_to(budget, bytes, objects);
                return Err(self.in_chain(e));
            }
        }
        Ok(())
    }

    /// Takes whatever the limits are: for what is there already.
    pub(crate) fn add(&self, bytes: u64, objects: u64) {
        for budget in self.chain() {
            budget.bytes.fetch_add(bytes, Ordering::Relaxed);
            budget.objects.fetch_add(objects, Ordering::Relaxed);
        }
    }

    /// That there is room here and above for what `comes` to each.
    ///
    /// # Errors
    /// As for `reserve`: nothing is reserved.
    pub(crate) fn check(&self, comes: impl Fn(&Budget) -> (u64, u64)) -> Result<()> {
        for budget in self.chain() {
            let (bytes, objects) = comes(budget);
            budget.check_here(bytes, objects).map_err(|e| self.in_chain(e))?;
        }
        Ok(())
    }

    /// True for itself and those it counts to.
    pub(crate) fn counts_to(&self, other: &Budget) -> bool {
        self.chain().any(|budget| std::ptr::eq(budget, other))
    }

    /// Itself and those it counts to.
    fn chain(&self) -> impl Iterator<Item = &Budget> {
        std::iter::successors(Some(self), |budget| budget.parent.as_deref())
    }

    /// Adds to what a step of the chain said whose put it was, and the whole chain.
    fn in_chain(&self, e: Error) -> Error {
        let e = match (e.batch_id(), &self.of) {
            (None, Of::Batch(id, _)) => e.batch(*id),
            _ => e,
        };
        e.context(&self.text())
    }

    /// As `reserve`, given back unless it is kept: also when what it is for panics.
    pub(crate) fn charge(&self, bytes: u64, objects: u64) -> Result<Charge<'_>> {
        self.reserve(bytes, objects)?;
        Ok(Charge { budget: self, bytes, objects })
    }

    /// Gives back to this budget and all above it.
    pub fn release(&self, bytes: u64, objects: u64) {
        self.chain().for_each(|budget| budget.release_here(bytes, objects));
    }

    fn check_here(&self, bytes: u64, objects: u64) -> Result<()> {
        let (used_bytes, used_objects) = self.used();
        let (max_bytes, max_objects) = self.limits();
        if !fits(used_bytes, bytes, max_bytes) {
            return Err(self.over("bytes", "maxBytes", max_bytes, used_bytes, bytes));
        }
        if !fits(used_objects, objects, max_objects) {
            return Err(self.over("objects", "maxObjects", max_objects, used_objects, objects));
        }
        Ok(())
    }

    fn reserve_here(&self, bytes: u64, objects: u64) -> Result<()> {
        let (max_bytes, max_objects) = self.limits();
        take(&self.bytes, bytes, max_bytes).map_err(|used| self.over("bytes", "maxBytes", max_bytes, used, bytes))?;
        take(&self.objects, objects, max_objects).map_err(|used| {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.over("objects", "maxObjects", max_objects, used, objects)
        })
    }

    fn release_here(&self, bytes: u64, objects: u64) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.objects.fetch_sub(objects, Ordering::Relaxed);
    }

    fn release_up_to(&self, end: &Budget, bytes: u64, objects: u64) {
        for budget in self.chain().take_while(|budget| !std::ptr::eq(*budget, end)) {
            budget.release_here(bytes, objects);
        }
    }

    fn over(&self, what: &str, option: &str, limit: Option<u64>, used: u64, asked: u64) -> Error {
        let limit = limit.unwrap_or(NO_LIMIT);
        let help = match &self.of {
            Of::Batch(..) => format!("free objects, or start the batch with a higher {option}"),
            Of::Group(_) => {
                format!("free objects, end batches of the group, or raise its {option}, which can be done at any time")
            }
        };
        let of = &self.of;
        let text = format!(
            "{of} is at its limit: {asked} {what} more are over {option} = {limit}, of which {used} are in use; {help}."
        );
        let e = Error::new(ErrorCode::BatchLimit, text).facts([limit as i64, used as i64, asked as i64]);
        match &self.of {
            Of::Batch(id, _) => e.batch(*id),
            Of::Group(_) => e,
        }
    }

    /// Use and limit at each step, the outermost first.
    fn text(&self) -> String {
        let steps: Vec<&Budget> = self.chain().collect();
        let mut out = String::new();
        for (depth, budget) in steps.iter().rev().enumerate() {
            let (bytes, objects) = budget.used();
            let (max_bytes, max_objects) = budget.limits();
            let of = |max: Option<u64>| max.map_or_else(String::new, |m| format!(" of {m}"));
            let _ = write!(
                out,
                "\n{:indent$}{}: {bytes}{} bytes, {objects}{} objects",
                "",
                budget.of,
                of(max_bytes),
                of(max_objects),
                indent = 2 + 2 * depth
            );
        }
        out
    }
}

fn most(limit: Option<u64>) -> AtomicU64 {
    AtomicU64::new(limit.unwrap_or(NO_LIMIT))
}

fn limit(most: &AtomicU64) -> Option<u64> {
    Some(most.load(Ordering::Relaxed)).filter(|most| *most != NO_LIMIT)
}

/// What was taken of a budget for something that is not made yet.
pub(crate) struct Charge<'a> {
    budget: &'a Budget,
    bytes: u64,
    objects: u64,
}

impl Charge<'_> {
    /// It was made, and is given back when it goes.
    pub(crate) fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Charge<'_> {
    fn drop(&mut self) {
        self.budget.release(self.bytes, self.objects);
    }
}

/// Adds within a limit; the value before, if that would be over it.
fn take(counter: &AtomicU64, n: u64, max: Option<u64>) -> Result<(), u64> {
    counter.try_update(Ordering::Relaxed, Ordering::Relaxed, |used| fits(used, n, max).then(|| used + n)).map(|_| ())
}

fn fits(used: u64, n: u64, max: Option<u64>) -> bool {
    used.checked_add(n).is_some_and(|sum| n == 0 || max.is_none_or(|max| sum <= max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_or_nothing_up_the_chain() {
        let outer = Budget::new(BatchId(1), "outer", Some(100), None, None);
        let inner = Budget::new(BatchId(2), "", None, Some(2), Some(Arc::clone(&outer)));
        assert!(inner.reserve(60, 1).is_ok());
        let e = inner.reserve(60, 1).expect_err("over the outer one's bytes");
        assert_eq!((e.code(), e.batch_id()), (ErrorCode::BatchLimit, Some(BatchId(1))));
        assert_eq!(e.figures(), [100, 60, 60]);
        assert!(
            e.message().contains("maxBytes = 100") && e.message().contains("\n    batch 2: 60 bytes, 1 of 2 objects"),
            "{e}"
        );
        assert_eq!((inner.used(), outer.used()), ((60, 1), (60, 1)), "nothing was taken");
        assert!(inner.reserve(40, 1).is_ok());
        let e = inner.reserve(0, 1).expect_err("over its own objects");
        assert_eq!(e.batch_id(), Some(BatchId(2)));
        inner.release(100, 2);
        assert_eq!((inner.used(), outer.used()), ((0, 0), (0, 0)));
    }
    #[test]
    fn a_group_is_the_outermost_step_and_its_limit_can_be_changed_at_any_time() {
        let user = Budget { of: Of::Group("user-a".to_owned()), ..Budget::empty() };
        let user = Arc::new(user);
        let job = Budget { of: Of::Group("user-a/job".to_owned()), parent: Some(Arc::clone(&user)), ..Budget::empty() };
        let job = Arc::new(job);
        let batch = Budget::new(BatchId(7), "x", None, None, Some(Arc::clone(&job)));
        assert!(batch.reserve(60, 1).is_ok());
        user.limit_bytes(Some(50));
        assert_eq!(user.used(), (60, 1), "nothing is taken away");
        let e = batch.reserve(1, 1).expect_err("over already");
        assert_eq!((e.code(), e.batch_id()), (ErrorCode::BatchLimit, Some(BatchId(7))), "whose put it was");
        assert_eq!(e.figures(), [50, 60, 1]);
        let lines: Vec<_> = e.message().lines().collect();
        assert!(
            lines[0].starts_with("group 'user-a' is at its limit") && lines[0].contains("raise its maxBytes"),
            "{e}"
        );
        assert_eq!(
            lines[1..],
            [
                "  group 'user-a': 60 of 50 bytes, 1 objects",
                "    group 'user-a/job': 60 bytes, 1 objects",
                "      batch 7 'x': 60 bytes, 1 objects",
            ]
        );
        assert!(batch.reserve(0, 0).is_ok(), "what takes nothing is never refused");
        user.limit_bytes(None);
        job.limit_objects(Some(2));
        assert!(batch.reserve(1, 1).is_ok());
        assert_eq!(batch.reserve(1, 1).expect_err("two of two").figures(), [2, 2, 1]);
    }
}
