//! The arena as the JVM maps it: windows of memory.

use std::sync::Arc;

use super::arena::Arena;
use super::core::Core;
use super::layout::{PAGE, WINDOW_PAGES};

/// Keeps the arena's addresses mapped. Whoever reads or writes through it keeps the protocols of regions and leases
/// (`layout.rs`, `gate.rs`, `seqlock.rs`); once the store is closed all reads as zero, and what is written is lost.
pub struct Mapping {
    arena: Arc<Arena>,
}

impl Mapping {
    /// Bytes of a window; the last one may be shorter.
    pub const WINDOW: u64 = WINDOW_PAGES * PAGE;

    pub(super) fn new(core: &Core) -> Self {
        Mapping { arena: Arc::clone(&core.arena) }
    }

    /// Bytes of the arena.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.arena.len()
    }

    /// Address and length of the nth window, valid as long as this is; `None` beyond the last.
    #[must_use]
    pub fn window(&self, n: u64) -> Option<(*mut u8, usize)> {
        let start = n.checked_mul(Self::WINDOW).filter(|start| *start < self.arena.len())?;
        let len = Self::WINDOW.min(self.arena.len() - start);
        Some((self.arena.span_mut(start, len).as_mut_ptr(), len as usize))
    }
}
