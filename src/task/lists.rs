//! What a record has no room for: its further arguments, and the blocks of ids that its task received. They lie in extension
//! records, each of which leads to the one before.

use super::granules::PAGE_RECORDS;
use super::record::{INLINE_ARGUMENTS, IdBlock, MORE_ARGUMENTS, MORE_BLOCKS, Record};
use super::table::BatchTable;
use crate::error::Result;
use crate::id::ObjectId;

impl BatchTable {
    /// A fresh extension record for a task: its number + 1.
    fn extension(&mut self, slot: u64) -> Result<u32> {
        let (page, n) = match self.granules.granule_mut(slot).extension() {
            Some(place) => place,
            None => {
                let page = self.page()?;
                let granule = self.granules.granule_mut(slot);
                granule.add_extensions(page);
                granule.extension().unwrap_or((page, 0))
            }
        };
        Ok(page * PAGE_RECORDS as u32 + n + 1)
    }

    fn extended(&self, number: u32) -> Option<Record<'_>> {
        let n = number.checked_sub(1)?;
        Some(Record(self.slab.record(n / PAGE_RECORDS as u32, n % PAGE_RECORDS as u32)))
    }

    /// Notes the arguments of a task just begun.
    pub(super) fn set_arguments(&mut self, slot: u64, ids: &[ObjectId]) -> Result<()> {
        let more = ids.get(INLINE_ARGUMENTS as usize..).unwrap_or_default();
        let mut newest = 0;
        for five in more.chunks(MORE_ARGUMENTS as usize) {
            let number = self.extension(slot)?;
            if let Some(extension) = self.extended(number) {
                extension.set_before(newest);
                for (n, id) in five.iter().enumerate() {
                    extension.set_more_argument(n as u32, id);
                }
            }
            newest = number;
        }
        if let Some(record) = self.blank(slot) {
            for (n, id) in ids.iter().take(INLINE_ARGUMENTS as usize).enumerate() {
                record.set_inline_argument(n as u32, id);
            }
            record.set_arguments(ids.len() as u32, newest);
        }
        if let Some(takers) = &mut self.takers {
            takers.add(slot, ids);
        }
        Ok(())
    }

    /// The objects a task takes, in order.
    pub(super) fn arguments(&self, slot: u64) -> Vec<ObjectId> {
        let Some(record) = self.record(slot) else { return Vec::new() };
        let (count, mut newest) = record.arguments();
        let mut ids: Vec<_> = (0..count.min(INLINE_ARGUMENTS)).map(|n| record.inline_argument(n)).collect();
        let mut left = count.saturating_sub(INLINE_ARGUMENTS);
        let mut chunks = Vec::new();
        while let Some(extension) = self.extended(newest) {
            let here = if left.is_multiple_of(MORE_ARGUMENTS) { MORE_ARGUMENTS } else { left % MORE_ARGUMENTS };
            chunks.push((0..here).map(|n| extension.more_argument(n)).collect::<Vec<_>>());
            left -= here.min(left);
            newest = extension.before();
        }
        ids.extend(chunks.into_iter().rev().flatten());
        ids
    }

    /// The nth block of ids that a task received.
    pub(super) fn id_block(&self, slot: u64, nth: u32) -> Option<IdBlock> {
        let (count, mut newest) = self.record(slot)?.blocks();
        if nth >= count {
            return None;
        }
        let mut last = (count - 1) / MORE_BLOCKS;
        while last > nth / MORE_BLOCKS {
            newest = self.extended(newest)?.before();
            last -= 1;
        }
        Some(self.extended(newest)?.block(nth % MORE_BLOCKS))
    }

    /// All blocks of ids that a task received, the last ones first.
    pub(super) fn id_blocks(&self, slot: u64) -> Vec<IdBlock> {
        let mut blocks = Vec::new();
        let Some((count, mut newest)) = self.record(slot).map(|record| record.blocks()) else { return blocks };
        let mut here = count - count.saturating_sub(1) / MORE_BLOCKS * MORE_BLOCKS;
        while let Some(extension) = self.extended(newest) {
            blocks.extend((0..here).map(|n| extension.block(n)));
            newest = extension.before();
            here = MORE_BLOCKS;
        }
        blocks
    }

    /// Notes that a task received a block of ids.
    pub(super) fn add_id_block(&mut self, slot: u64, block: IdBlock) -> Result<()> {
        let Some((count, newest)) = self.record(slot).map(|record| record.blocks()) else { return Ok(()) };
        let number = if count.is_multiple_of(MORE_BLOCKS) { self.extension(slot)? } else { newest };
        if let Some(extension) = self.extended(number) {
            if number != newest {
                extension.set_before(newest);
            }
            extension.set_block(count % MORE_BLOCKS, block);
        }
        if let Some(record) = self.record(slot) {
            record.set_blocks(count + 1, number);
        }
        Ok(())
    }
}
