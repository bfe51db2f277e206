//! What is written as a segment, and the checksums of the objects in it, which are made block by block as the bytes pass.
//!
//! The bytes lie in memory that is shared, so that they are copied out of it before anything else is done with them: no
//! slice ever refers to it.

use xxhash_rust::xxh3::Xxh3;

use super::format::{checksum, seed};
use crate::store::copy::Span;

/// An object of an image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// Where in the image it begins.
    pub(crate) at: u64,
    pub(crate) bytes: u64,
    pub(crate) slot: u64,
    /// The place of its checksum in the segment.
    pub(crate) ordinal: usize,
}

/// The bytes of a segment.
pub(crate) struct Image<'a> {
    len: u64,
    /// memory and where in the image it lies, in that order; what lies between is zero
    pieces: Vec<(u64, Span<'a>)>,
    /// in the order of the image
    parts: Vec<Part>,
    /// the first slot that has a checksum, and how many have
    pub(super) first: u64,
    pub(super) count: usize,
}

impl<'a> Image<'a> {
    /// An image of memory as it lies.
    pub(crate) fn of(memory: Span<'a>, parts: Vec<Part>, first: u64, count: usize) -> Self {
        Image::gathered(memory.len() as u64, vec![(0, memory)], parts, first, count)
    }

    /// An image of `len` bytes of several pieces of memory, each with its place, in the order of the places.
    pub(crate) fn gathered(
        len: u64,
        pieces: Vec<(u64, Span<'a>)>,
        mut parts: Vec<Part>,
        first: u64,
        count: usize,
    ) -> Self {
        parts.sort_unstable_by_key(|part| part.at);
        Image { len, pieces, parts, first, count }
    }

    /// Bytes.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// For the checksums of its objects.
    pub(super) fn sums(&self, life: u64) -> Sums<'_> {
        Sums::new(life, &self.parts, self.count)
    }

    /// Copies the bytes from `at` on, as many as there is room for.
    pub(super) fn read(&self, at: u64, out: &mut [u8]) {
        let end = at + out.len() as u64;
        let mut filled = at;
        let from = self.pieces.partition_point(|(place, piece)| place + piece.len() as u64 <= at);
        for (place, piece) in self.pieces[from..].iter().take_while(|(place, _)| *place < end) {
            let (start, stop) = ((*place).max(filled), (place + piece.len() as u64).min(end));
            if stop <= start {
                continue;
            }
            out[(filled - at) as usize..(start - at) as usize].fill(0);
            let part = piece.part((start - place) as usize, (stop - start) as usize);
            part.read(0, &mut out[(start - at) as usize..(stop - at) as usize]);
            filled = stop;
        }
        out[(filled - at) as usize..].fill(0);
    }
}

/// Checksums of the objects of an image, whose bytes pass by in order.
pub(crate) struct Sums<'a> {
    life: u64,
    /// in the order of the image
    parts: &'a [Part],
    /// the first one that has not passed
    next: usize,
    /// of the one that has passed in part
    open: Option<Box<Xxh3>>,
    sums: Vec<u64>,
}

impl<'a> Sums<'a> {
    /// Of `count` slots; 0 where no object is.
    pub(crate) fn new(life: u64, parts: &'a [Part], count: usize) -> Self {
        Sums { life, parts, next: 0, open: None, sums: vec![0; count] }
    }

    /// The next bytes, which lie at `at`.
    pub(crate) fn pass(&mut self, at: u64, block: &[u8]) {
        let end = at + block.len() as u64;
        while let Some(part) = self.parts.get(self.next).filter(|part| part.at < end) {
            let part_end = part.at + part.bytes;
            let (from, to) = (part.at.max(at), part_end.min(end));
            let bytes = block.get((from - at) as usize..to.saturating_sub(at) as usize).unwrap_or_default();
            let sum = if part.at >= at && part_end <= end {
                checksum(self.life, part.slot, bytes)
            } else {
                let seed = seed(self.life, part.slot);
                let hash = self.open.get_or_insert_with(|| Box::new(Xxh3::with_seed(seed)));
                hash.update(bytes);
                if part_end > end {
                    return;
                }
                hash.digest().max(1)
            };
            self.open = None;
            if let Some(known) = self.sums.get_mut(part.ordinal) {
                *known = sum;
            }
            self.next += 1;
        }
    }

    /// All of them, when the last bytes have passed.
    pub(crate) fn finish(self) -> Vec<u64> {
        self.sums
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    #[test]
    fn blocks_of_any_size_give_the_same_bytes_and_checksums() {
        let words: Vec<AtomicU64> =
            (0..64).map(|n: u64| AtomicU64::new(n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
        // SAFETY: whole words, which outlive the span.
        let memory = unsafe { Span::new(words.as_ptr().cast(), 512) };
        let part = |at, bytes, ordinal| Part { at, bytes, slot: 7 + ordinal as u64, ordinal };
        let parts = vec![part(300, 200, 1), part(0, 3, 0), part(8, 280, 3)];
        let pieces = vec![(0, memory.part(0, 290)), (300, memory.part(300, 200))];
        let image = Image::gathered(520, pieces, parts.clone(), 7, 4);
        let mut expected = memory.to_vec();
        expected.resize(520, 0);
        expected[290..300].fill(0);
        expected[500..].fill(0);
        for size in [1, 7, 8, 64, 299, 520, 1000] {
            let mut sums = image.sums(5);
            let mut all = Vec::new();
            for at in (0..520).step_by(size) {
                let mut block = vec![0xaa; size.min(520 - at)];
                image.read(at as u64, &mut block);
                sums.pass(at as u64, &block);
                all.extend_from_slice(&block);
            }
            assert_eq!(all, expected, "blocks of {size}");
            let sums = sums.finish();
            for part in &parts {
                let bytes = &expected[part.at as usize..(part.at + part.bytes) as usize];
                assert_eq!(sums[part.ordinal], checksum(5, part.slot, bytes), "blocks of {size}");
            }
            assert_eq!(sums[2], 0, "no object is there");
        }
    }

    #[test]
    fn parts_that_lie_over_each_other_or_outside_panic_nowhere() {
        let part = |at, bytes, ordinal| Part { at, bytes, slot: 0, ordinal };
        let parts = [part(0, 100, 0), part(10, 5, 1), part(12, 200, 9), part(90, 1 << 40, 2)];
        for size in [1, 16, 128] {
            let mut sums = Sums::new(1, &parts, 3);
            for at in (0..128).step_by(size) {
                sums.pass(at as u64, &vec![1; size]);
            }
            assert_eq!(sums.finish().len(), 3);
        }
    }
}
