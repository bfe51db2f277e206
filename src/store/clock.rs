//! Wall-clock milliseconds, cheaply.

use rustix::time::{ClockId, clock_gettime};

/// Epoch milliseconds, to the accuracy of the kernel's tick (1 to 10 ms).
#[must_use]
pub fn now_ms() -> u64 {
    let t = clock_gettime(ClockId::RealtimeCoarse);
    (t.tv_sec as u64).wrapping_mul(1000) + t.tv_nsec as u64 / 1_000_000
}
