//! A value used by one thread at a time, that can be taken away while somebody uses it, without waiting.
//!
//! `enter` gives the value to one thread; a second is told that it is busy and goes elsewhere. `close` takes the value
//! for good: at once when nobody is in, otherwise whoever is in gets it on leaving and disposes of it. So a collector
//! never waits for a writer, and no value is disposed of twice or not at all.
//!
//! The word goes `IDLE ⇄ BUSY` by those who enter and leave, and gains `CLOSED` once:
//!
//! | from | enter | leave | close |
//! |---|---|---|---|
//! | idle | busy, in | – | closed, value to the closer |
//! | busy | told busy | idle | busy+closed, value to the one inside |
//! | busy+closed | told closed | closed, value to the leaver | told it was closed |
//! | closed | told closed | – | told it was closed |
//!
//! Orders: entering acquires and leaving releases, so that the value passes from one to the next; `close` does both.

use super::sync::{AtomicU32, Ordering, UnsafeCell, cell_ptr};

const BUSY: u32 = 1;
const CLOSED: u32 = 2;

/// See the module.
pub(crate) struct Handoff<T> {
    word: AtomicU32,
    /// `None` only before the first use is over or after `close`; touched only by the one thread the word lets in.
    value: UnsafeCell<Option<T>>,
}

// SAFETY: the word admits one thread at a time to the value, with acquire on entering and release on leaving, so
// sharing the Handoff moves the value between threads but never shares it: T must be Send, and need not be Sync.
unsafe impl<T: Send> Sync for Handoff<T> {}

/// Why one is not let in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refused {
    /// Somebody is in.
    Busy,
    /// Closed for good.
    Closed,
}

impl<T> Handoff<T> {
    /// Open, and nobody in.
    pub(crate) fn new(value: T) -> Self {
        Handoff { word: AtomicU32::new(0), value: UnsafeCell::new(Some(value)) }
    }

    /// Goes in, if nobody is.
    pub(crate) fn enter(&self) -> Result<Inside<'_, T>, Refused> {
        match self.word.compare_exchange(0, BUSY, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => Ok(Inside { handoff: self, left: false }),
            Err(word) if word & CLOSED != 0 => Err(Refused::Closed),
            Err(_) => Err(Refused::Busy),
        }
    }

    /// Closes for good. `Some` when nobody was in: the caller disposes of the value. `None` when somebody is in, who
    /// will, or when it was closed before.
    pub(crate) fn close(&self) -> Option<T> {
        let before = self.word.fetch_or(CLOSED, Ordering::AcqRel);
        if before != 0 {
            return None;
        }
        // SAFETY: the word went from idle to closed in this one step, so nobody is in and nobody will be let in; the
        // acquire part orders this after the last leave.
        unsafe { (*cell_ptr(&self.value)).take() }
    }
}

/// The right to use the value, until `leave` or drop.
pub(crate) struct Inside<'a, T> {
    handoff: &'a Handoff<T>,
    left: bool,
}

impl<T> Inside<'_, T> {
    /// The value. `None` never happens while inside; callers treat it as closed.
    pub(crate) fn value(&mut self) -> Option<&mut T> {
        // SAFETY: `enter` let this thread in alone, and `leave` consumes self; `&mut self` keeps two calls apart.
        unsafe { (*cell_ptr(&self.handoff.value)).as_mut() }
    }

    /// Goes out. `Some` when it was closed meanwhile: the caller disposes of the value.
    #[inline]
    pub(crate) fn leave(mut self) -> Option<T> {
        self.go()
    }

    #[inline]
    fn go(&mut self) -> Option<T> {
        self.left = true;
        let before = self.handoff.word.fetch_and(!BUSY, Ordering::AcqRel);
        if before & CLOSED == 0 {
            return None;
        }
        // SAFETY: closed while this thread was in: close() left the value to it, nobody enters any more, and a second
        // close() finds CLOSED set and touches nothing.
        unsafe { (*cell_ptr(&self.handoff.value)).take() }
    }
}

impl<T> std::fmt::Debug for Inside<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Inside")
    }
}

impl<T> Drop for Inside<'_, T> {
    fn drop(&mut self) {
        if !self.left {
            drop(self.go());
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn one_at_a_time() {
        let h = Handoff::new(1);
        let mut a = h.enter().expect("free");
        assert_eq!(h.enter().err(), Some(Refused::Busy));
        *a.value().expect("open") += 1;
        assert_eq!(a.leave(), None);
        assert_eq!(h.enter().ok().and_then(|mut i| i.value().copied()), Some(2));
    }

    #[test]
    fn closing_idle_takes_the_value_once() {
        let h = Handoff::new("v");
        assert_eq!(h.close(), Some("v"));
        assert_eq!(h.close(), None);
        assert_eq!(h.enter().err(), Some(Refused::Closed));
    }

    #[test]
    fn closing_a_busy_one_leaves_the_value_to_the_one_inside() {
        let h = Handoff::new("v");
        let inside = h.enter().expect("free");
        assert_eq!(h.close(), None);
        assert_eq!(h.enter().err(), Some(Refused::Closed));
        assert_eq!(inside.leave(), Some("v"));
        assert_eq!(h.close(), None);
    }

    #[test]
    fn a_panic_inside_lets_the_next_one_in_and_loses_nothing() {
        let value = Arc::new(());
        let h = Handoff::new(Arc::clone(&value));
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _inside = h.enter();
            panic!("inside");
        }));
        assert!(result.is_err());
        drop(h.enter().expect("let in again").leave());
        drop(h.close());
        assert_eq!(Arc::strong_count(&value), 1);
    }
}
