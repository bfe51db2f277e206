//! What a batch may use, itself and all that is within it.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, ErrorCode, Result};
use crate::id::BatchId;

/// Limits and use of one batch. Use rolls up: whatever is reserved here is reserved by every parent too.
///
/// Reserving is exact, one object at a time: nothing is drawn in advance, so that no put fails while budget is unused.
/// Only batches under a limit have a budget at all; the others pay nothing.
pub struct Budget {
    batch: BatchId,
    name: String,
    max_bytes: Option<u64>,
    max_objects: Option<u64>,
    bytes: AtomicU64,
    objects: AtomicU64,
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
        Arc::new(Budget {
            batch,
            name: name.to_owned(),
            max_bytes,
            max_objects,
            bytes: AtomicU64::new(0),
            objects: AtomicU64::new(0),
            parent,
        })
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
    /// `BatchLimit`, naming the batch whose limit it is, with the whole chain's use.
    pub fn reserve(&self, bytes: u64, objects: u64) -> Result<()> {
        // Looked at first: one that does not fit must not take from the inner ones for a moment, where others do fit.
        let mut at = Some(self);
        while let Some(budget) = at {
            budget.check_here(bytes, objects).map_err(|e| e.context(&self.chain()))?;
            at = budget.parent.as_deref();
        }
        let mut at = Some(self);
        while let Some(budget) = at {
            if let Err(e) = budget.reserve_here(bytes, objects) {
                self.release_up_to(budget, bytes, objects);
                return Err(e.context(&self.chain()));
            }
            at = budget.parent.as_deref();
        }
        Ok(())
    }

    /// As `reserve`, given back unless it is kept: also when what it is for panics.
    pub(crate) fn charge(&self, bytes: u64, objects: u64) -> Result<Charge<'_>> {
        self.reserve(bytes, objects)?;
        Ok(Charge { budget: self, bytes, objects })
    }

    /// Gives back to this budget and all above it.
    pub fn release(&self, bytes: u64, objects: u64) {
        let mut at = Some(self);
        while let Some(budget) = at {
            budget.release_here(bytes, objects);
            at = budget.parent.as_deref();
        }
    }

    fn check_here(&self, bytes: u64, objects: u64) -> Result<()> {
        let (used_bytes, used_objects) = self.used();
        if !fits(used_bytes, bytes, self.max_bytes) {
            return Err(self.over("bytes", "maxBytes", self.max_bytes, used_bytes, bytes));
        }
        if !fits(used_objects, objects, self.max_objects) {
            return Err(self.over("objects", "maxObjects", self.max_objects, used_objects, objects));
        }
        Ok(())
    }

    fn reserve_here(&self, bytes: u64, objects: u64) -> Result<()> {
        take(&self.bytes, bytes, self.max_bytes)
            .map_err(|used| self.over("bytes", "maxBytes", self.max_bytes, used, bytes))?;
        take(&self.objects, objects, self.max_objects).map_err(|used| {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.over("objects", "maxObjects", self.max_objects, used, objects)
        })
    }

    fn release_here(&self, bytes: u64, objects: u64) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.objects.fetch_sub(objects, Ordering::Relaxed);
    }

    fn release_up_to(&self, end: &Budget, bytes: u64, objects: u64) {
        let mut at = Some(self);
        while let Some(budget) = at.filter(|b| !std::ptr::eq(*b, end)) {
            budget.release_here(bytes, objects);
            at = budget.parent.as_deref();
        }
    }

    fn over(&self, what: &str, option: &str, limit: Option<u64>, used: u64, asked: u64) -> Error {
        let limit = limit.unwrap_or(u64::MAX);
        Error::new(
            ErrorCode::BatchLimit,
            format!(
                "batch {} is at its limit: {asked} {what} more are over {option} = {limit}, of which {used} are in use; \
                 free objects, or start the batch with a higher {option}.",
                self.label()
            ),
        )
        .batch(self.batch)
        .facts([limit as i64, used as i64, asked as i64])
    }

    fn label(&self) -> String {
        if self.name.is_empty() { self.batch.to_string() } else { format!("{} '{}'", self.batch, self.name) }
    }

    /// Use and limit at each step, the outermost first.
    fn chain(&self) -> String {
        let mut steps: Vec<&Budget> = Vec::new();
        let mut at = Some(self);
        while let Some(budget) = at {
            steps.push(budget);
            at = budget.parent.as_deref();
        }
        let mut out = String::new();
        for (depth, budget) in steps.iter().rev().enumerate() {
            let (bytes, objects) = budget.used();
            let of = |max: Option<u64>| max.map_or_else(String::new, |m| format!(" of {m}"));
            let _ = write!(
                out,
                "\n{:indent$}batch {}: {bytes}{} bytes, {objects}{} objects",
                "",
                budget.label(),
                of(budget.max_bytes),
                of(budget.max_objects),
                indent = 2 + 2 * depth
            );
        }
        out
    }
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
}
