//! An object's bytes outside of the arena: read from a file while there is no room for them inside.

use std::io;
use std::sync::atomic::AtomicU64;

use super::arena::Arena;
use super::copy::Span;
use super::pin::Place;

const WORD: usize = size_of::<AtomicU64>();

/// See the module. Laid out as the object is in the arena: metadata with their length, if there are any, then data.
pub(crate) struct Apart {
    words: Box<[AtomicU64]>,
    len: usize,
}

impl Apart {
    /// Memory for so many bytes, as `fill` fills it. No memory is an error, not an abort.
    pub(crate) fn filled(bytes: u64, fill: impl FnOnce(&mut [u8]) -> io::Result<()>) -> io::Result<Self> {
        let len = usize::try_from(bytes).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let mut words: Vec<AtomicU64> = Vec::new();
        words.try_reserve_exact(len.div_ceil(WORD)).map_err(|_| io::ErrorKind::OutOfMemory)?;
        words.resize_with(len.div_ceil(WORD), AtomicU64::default);
        // SAFETY: the words are initialised, at least `len` bytes, and nobody else has them yet; any bytes are words.
        fill(unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), len) })?;
        Ok(Apart { words: words.into_boxed_slice(), len })
    }

    fn span(&self, at: u64, len: u64) -> Span<'_> {
        // SAFETY: these words live as long as self is borrowed, are whole ones, and are never written.
        let all = unsafe { Span::new(self.words.as_ptr().cast(), self.len) };
        all.part(at as usize, len as usize)
    }

    /// The data of an object of these lengths.
    pub(crate) fn data(&self, place: &Place) -> Span<'_> {
        self.span(place.data_start(), place.len)
    }

    /// Its metadata.
    pub(crate) fn metadata(&self, place: &Place) -> Span<'_> {
        self.span(if place.metadata == 0 { 0 } else { 8 }, place.metadata)
    }

    /// Copies an object of these lengths into the arena, for the writer of that place.
    pub(crate) fn copy_to(&self, place: &Place, arena: &Arena, other: &Place) {
        if place.metadata > 0 {
            other.write_metadata(arena, &self.metadata(place).to_vec());
        }
        other.data_mut(arena).copy_from(self.data(place));
    }
}
