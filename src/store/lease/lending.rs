//! What a lease is filled from: blocks of slots and chunks, lent with no lock held.

use std::sync::Arc;

use super::{InLease, begin_chunk, chunk_pages, end_chunk, get, note_slots, set};
use crate::error::Result;
use crate::store::chunks::Chunk;
use crate::store::core::Asks;
use crate::store::layout::{ENTRY, PAGE, lease_word as word};
use crate::store::region::Region;
use crate::store::run::Run;

impl Region {
    /// Leases the next block of slots; and a chunk with it, in one run, for a lease that has none and needs one.
    ///
    /// What is needed is looked up under the lock and lent without it: the system may have to allocate it.
    pub(super) fn lease_slots(&self, inside: &InLease<'_>, bytes: u64) -> Result<()> {
        self.touch();
        inside.posted.set(true); // what may be evicted for it
        let core = &self.core;
        let mut lent: Option<(Run, Option<Run>)> = None;
        let mut directory: Option<Run> = None;
        let (block, chunk) = loop {
            let mut body = self.body.lock();
            if body.closed {
                drop(body);
                return Err(self.gone()); // what was lent goes after the lock
            }
            if let Some(directory) = directory.take() {
                body.index.set_directory(core, self.header, directory);
            }
            let pages = lent.as_ref().map_or_else(|| body.index.wished(), |(run, _)| run.pages());
            if let Some((wished, least)) = body.index.directory_for(pages) {
                drop(body);
                // for pages that were lent already, to a task perhaps
                directory = Some(core.lend_to(Asks::Task, &self.held, wished, least)?);
                continue;
            }
            let Some((run, chunk)) = lent.take() else {
                let begins = bytes > 0 && body.memory(inside.n).chunk.is_none();
                let chunk = if begins { chunk_pages(&body.chunks).max(bytes.div_ceil(PAGE)) } else { 0 };
                drop(body);
                lent = Some(self.lend_block(pages, chunk)?);
                continue;
            };
            note_slots(&mut body, inside);
            let block = body.index.lease(core, self.header, run);
            body.memory(inside.n).block = Some(Arc::clone(&block.run));
            break (block, chunk.map(|chunk| begin_chunk(&mut body, inside, chunk)));
        };
        drop(chunk);
        core.log.leased(self.batch, self.base.wrapping_add(block.first), block.slots as u32);
        let made = get(inside.words, word::MADE);
        set(inside.words, word::BLOCK, made);
        set(inside.words, word::ENTRIES, block.run.offset().wrapping_sub(made * ENTRY));
        set(inside.words, word::FIRST, block.first.wrapping_sub(made));
        set(inside.words, word::LIMIT, made + block.slots);
        Ok(())
    }

    /// Pages of index, and those of a chunk if there are to be any: neighbours, or where memory is short the index alone.
    fn lend_block(&self, pages: u64, chunk: u64) -> Result<(Run, Option<Run>)> {
        if chunk > 0
            && let Ok(mut run) = self.core.lend(&self.held, pages + chunk, pages + chunk)
        {
            let chunk = run.split_off(chunk);
            return Ok((run, Some(chunk)));
        }
        Ok((self.core.lend(&self.held, pages, 1)?, None))
    }

    pub(super) fn lease_chunk(&self, inside: &InLease<'_>, bytes: u64, asks: Asks) -> Result<()> {
        self.touch();
        inside.posted.set(true);
        let pages = chunk_pages(&self.body.lock().chunks);
        let run = self.core.lend_to(asks, &self.held, pages, bytes.div_ceil(PAGE))?;
        let mut body = self.body.lock();
        if body.closed {
            drop(body);
            return Err(self.gone()); // the run goes after the lock
        }
        let old = begin_chunk(&mut body, inside, run);
        drop(body);
        // the old chunk's memory, if nothing lies in it, goes here
        drop(old);
        Ok(())
    }

    /// Has the leases that nobody is in part with their chunks, so that these rest: the next put gets another.
    pub(in crate::store) fn rest(&self) {
        for n in 0..self.leases.count() {
            let Ok(inside) = self.enter_nth(n) else { continue };
            let mut body = self.body.lock();
            if body.closed || body.memory(n).chunk.is_none() {
                continue;
            }
            set(inside.words, word::CURSOR, 0);
            set(inside.words, word::END, 0);
            let ended = end_chunk(&mut body, &inside, None);
            drop(body);
            drop(ended);
        }
    }

    /// A run for one large object. It becomes the region's with the object.
    pub(in crate::store) fn lend_single(&self, bytes: u64, asks: Asks) -> Result<Chunk> {
        self.touch();
        if self.is_dropped() {
            return Err(self.gone());
        }
        let pages = bytes.div_ceil(PAGE);
        self.core.lend_to(asks, &self.held, pages, pages).map(Arc::new)
    }
}
