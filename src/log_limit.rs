//! Log lines that each request may cause: at most one in ten seconds, which says how many of its kind were not logged.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::store::now_ms;

const EACH_MS: u64 = 10_000;

/// One kind of line. Safe for many threads.
#[derive(Default)]
pub(crate) struct LogLimit {
    /// when the last line was logged, in epoch milliseconds; 0 before the first
    last_ms: AtomicU64,
    unlogged: AtomicU64,
}

/// How many lines were not logged since the last one. Shown at the end of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Unlogged(u64);

impl fmt::Display for Unlogged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            n => write!(f, "; {n} of the kind since the last line were not logged"),
        }
    }
}

impl LogLimit {
    /// `None` where no line may be logged now.
    pub(crate) fn admit(&self) -> Option<Unlogged> {
        self.admit_at(now_ms())
    }

    fn admit_at(&self, now_ms: u64) -> Option<Unlogged> {
        let before = self.last_ms.load(Ordering::Relaxed);
        // also when the clock was set back
        let free = before == 0 || now_ms.abs_diff(before) >= EACH_MS;
        if free && self.last_ms.compare_exchange(before, now_ms, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            return Some(Unlogged(self.unlogged.swap(0, Ordering::Relaxed)));
        }
        self.unlogged.fetch_add(1, Ordering::Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_in_ten_seconds_says_how_many_were_left_out() {
        let limit = LogLimit::default();
        let first = limit.admit_at(50_000);
        assert_eq!(first.map(|u| u.to_string()), Some(String::new()));
        assert!((0..7).all(|n| limit.admit_at(50_000 + n * 1000).is_none()));
        let next = limit.admit_at(60_000).map(|u| u.to_string());
        assert_eq!(next.as_deref(), Some("; 7 of the kind since the last line were not logged"));
        assert_eq!(limit.admit_at(70_000), Some(Unlogged(0)));
        assert_eq!(limit.admit_at(10_000), Some(Unlogged(0)), "the clock was set back");
    }
}
