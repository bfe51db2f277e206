//! The gate of a lease: it admits one thread at a time, of Rust or of the JVM, and can be closed without waiting.
//!
//! `enter` lets one thread in; a second is told that it is busy and goes elsewhere. `close` shuts the gate for good: if
//! nobody is in, what is behind it is the closer's; otherwise it is left to whoever is in, who finds out on leaving. So
//! a collector never waits for a writer, and nothing is disposed of twice or not at all.
//!
//! The gate is one word in the arena: an epoch, and two flags. Its memory serves one region after the other and is never
//! used for anything else. Each opening begins a new epoch.
//!
//! | from | enter | leave | close |
//! |---|---|---|---|
//! | open | busy, in | – | closed, all is the closer's |
//! | busy | told busy | open | busy+closed, all is left to the one inside |
//! | busy+closed | told closed | closed, all is the leaver's | told that it was closed |
//! | closed | told closed | – | told that it was closed |
//!
//! The JVM leaves by storing the word it had read before it entered, for half the price: that may undo a close, which
//! it does not see then. So where a drop found somebody in, the store's housekeeping sweeps: it has the lease `shut` once
//! nobody is in, and gives back what was left. Nobody enters meanwhile, the region being dropped, but those who had made
//! sure of it before; and they leave.
//!
//! Who enters reads the word, then makes sure that the region lives, and then swaps just that word for a busy one. If
//! the gate was closed meanwhile, and even serves another region by now, the word has changed: nobody ever enters the
//! lease of a region that is not theirs.
//!
//! Orders: entering acquires and leaving releases, so that what is behind the gate passes from one to the next; `close`
//! does both.

use super::sync::{Ordering, Word};

const BUSY: u64 = 1;
const CLOSED: u64 = 2;
const EPOCH: u64 = 4;

/// Why one is not let in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refused {
    /// Somebody is in.
    Busy,
    /// Closed for good, or never that region's.
    Closed,
}

/// Opens a gate that is closed or was never used.
pub(crate) fn open(word: &impl Word) {
    let epoch = word.load(Ordering::Relaxed) & !(BUSY | CLOSED);
    word.store(epoch.wrapping_add(EPOCH), Ordering::Release);
}

/// Goes in, if nobody is. `lives` tells whether the region does whose gate this is.
#[inline(always)]
pub(crate) fn enter(word: &impl Word, lives: impl FnOnce() -> bool) -> Result<(), Refused> {
    let seen = word.load(Ordering::Acquire);
    if seen & CLOSED != 0 || !lives() {
        return Err(Refused::Closed);
    }
    if seen & BUSY != 0 {
        return Err(Refused::Busy);
    }
    match word.compare_exchange(seen, seen | BUSY, Ordering::Acquire, Ordering::Relaxed) {
        Ok(_) => Ok(()),
        Err(now) if now & CLOSED != 0 || now / EPOCH != seen / EPOCH => Err(Refused::Closed),
        Err(_) => Err(Refused::Busy),
    }
}

/// Goes out. True when the gate was closed meanwhile: what is behind it is the leaver's to dispose of.
#[inline(always)]
pub(crate) fn leave(word: &impl Word) -> bool {
    word.fetch_and(!BUSY, Ordering::AcqRel) & CLOSED != 0
}

/// Makes sure that a gate is closed and nobody is in, after a `close` that found somebody in. False while somebody is.
pub(crate) fn shut(word: &impl Word) -> bool {
    let seen = word.load(Ordering::Acquire);
    seen & BUSY == 0 && word.compare_exchange(seen, seen | CLOSED, Ordering::AcqRel, Ordering::Relaxed).is_ok()
}

/// Closes for good. True when nobody was in: what is behind it is the closer's to dispose of. False when it is left to
/// whoever is in, or when it was closed before.
pub(crate) fn close(word: &impl Word) -> bool {
    word.fetch_or(CLOSED, Ordering::AcqRel) & (BUSY | CLOSED) == 0
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    fn opened() -> AtomicU64 {
        let word = AtomicU64::new(0);
        open(&word);
        word
    }

    #[test]
    fn one_is_let_in_at_a_time() {
        let word = opened();
        assert_eq!(enter(&word, || true), Ok(()));
        assert_eq!(enter(&word, || true), Err(Refused::Busy));
        assert!(!leave(&word));
        assert_eq!(enter(&word, || true), Ok(()));
    }

    #[test]
    fn closing_an_open_one_leaves_all_to_the_closer() {
        let word = opened();
        assert!(close(&word));
        assert!(!close(&word), "only once");
        assert_eq!(enter(&word, || true), Err(Refused::Closed));
    }

    #[test]
    fn closing_a_busy_one_leaves_all_to_the_one_inside() {
        let word = opened();
        assert_eq!(enter(&word, || true), Ok(()));
        assert!(!close(&word));
        assert_eq!(enter(&word, || true), Err(Refused::Closed));
        assert!(leave(&word));
        assert!(!close(&word));
        assert!(shut(&word), "it is");
    }

    #[test]
    fn one_that_was_left_without_looking_is_shut_afterwards() {
        let word = opened();
        let before = word.load(Ordering::Relaxed);
        assert_eq!(enter(&word, || true), Ok(()));
        assert!(!close(&word));
        assert!(!shut(&word), "somebody is in");
        word.store(before, Ordering::Release);
        assert_eq!(enter(&word, || false), Err(Refused::Closed));
        assert!(shut(&word));
        assert!(shut(&word), "as often as one likes");
        assert_eq!(enter(&word, || true), Err(Refused::Closed));
    }

    #[test]
    fn a_gate_that_was_opened_again_does_not_let_those_in_who_saw_it_before() {
        let word = opened();
        let reopened = || {
            close(&word);
            open(&word);
            true
        };
        assert_eq!(enter(&word, reopened), Err(Refused::Closed));
        assert_eq!(enter(&word, || false), Err(Refused::Closed), "the region does not live");
        assert_eq!(enter(&word, || true), Ok(()));
    }
}
