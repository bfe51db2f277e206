//! What the side table's memory is used for.

use super::Table;
use super::objects::Memory;
use crate::store::memory::TableMemory;

impl Table {
    /// What its memory is used for; exact when nothing is going on.
    #[must_use]
    pub fn memory(&self) -> TableMemory {
        let state = self.inner.state.lock();
        let mut m = TableMemory { held: self.inner.held.bytes(), ..TableMemory::default() };
        for object in state.objects.iter().flatten() {
            m.objects += 1;
            let bytes = object.bytes();
            if matches!(object.memory, Memory::Filed(_)) {
                m.spilled_objects += 1;
                m.spilled += bytes;
            } else if object.holds > 0 {
                m.pinned += bytes;
            } else if object.owner.is_normal() {
                m.normal += bytes;
            } else {
                m.kept += bytes;
            }
        }
        m.unused = m.held.saturating_sub(m.normal + m.kept + m.pinned);
        m
    }
}
