//! Windows into arena memory, read and written in relaxed atomic words.
//!
//! A reader that validates may copy while the memory is being written for somebody else; what it copied is then thrown
//! away. For that to be sound, every access from Rust is an atomic one, and all are of one size: whole aligned words.
//! Objects begin at a multiple of 8 and are padded to one, so a word at either end never reaches into a neighbour.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

const WORD: usize = 8;
/// Bytes copied at once through a buffer.
const BLOCK: usize = 4096;

/// Memory of a sealed object, for reading.
#[derive(Clone, Copy)]
pub struct Span<'a> {
    ptr: *const u8,
    len: usize,
    arena: PhantomData<&'a AtomicU64>,
}

/// Memory of an object being made, for its one writer.
pub struct SpanMut<'a> {
    ptr: *mut u8,
    len: usize,
    arena: PhantomData<&'a AtomicU64>,
}

/// The aligned word that holds the byte at `ptr`, and the byte's place in it.
///
/// # Safety
/// The aligned word around `ptr` must lie in memory that stays mapped for `'a`.
unsafe fn word_at<'a>(ptr: *const u8) -> (&'a AtomicU64, usize) {
    let inside = ptr as usize % WORD;
    // SAFETY: aligned by the subtraction; mapped by the caller's promise; only accessed atomically by this process.
    (unsafe { &*ptr.sub(inside).cast::<AtomicU64>() }, inside)
}

/// Zeroes bytes at the speed of memory.
///
/// What assembly stores is to the compiler what another process stores, and so no data race with readers that look at
/// memory which is not theirs any more, and validate.
///
/// # Safety
/// `at .. at + len` must be mapped, and nobody else may write it.
#[cfg(all(target_arch = "x86_64", not(miri)))]
unsafe fn zero_bytes(at: *mut u8, len: usize) {
    // SAFETY: the caller's promise; the direction flag is clear in Rust code.
    unsafe {
        std::arch::asm!("rep stosb", inout("rcx") len => _, inout("rdi") at => _, in("al") 0u8,
            options(nostack, preserves_flags));
    }
}

/// As above, in words.
///
/// # Safety
/// As above.
#[cfg(not(all(target_arch = "x86_64", not(miri))))]
unsafe fn zero_bytes(at: *mut u8, len: usize) {
    const ZEROS: [u8; 4096] = [0; 4096];
    // SAFETY: the caller's promise.
    let span = unsafe { SpanMut::new(at, len) };
    for from in (0..len).step_by(ZEROS.len()) {
        span.write(from, &ZEROS[..(len - from).min(ZEROS.len())]);
    }
}

/// How many of `len` bytes from `at` on come before the first aligned word: all if they end before it.
fn edge(at: *const u8, len: usize) -> usize {
    ((at as usize).wrapping_neg() % WORD).min(len)
}

/// Reads bytes that others may write meanwhile: in relaxed atomic words, and single bytes at the ends.
///
/// # Safety
/// `from` must be valid for reads of `out.len()` bytes.
unsafe fn load_foreign(from: *const u8, out: &mut [u8]) {
    let edge = edge(from, out.len());
    let (first, rest) = out.split_at_mut(edge);
    let (words, last) = rest.as_chunks_mut::<WORD>();
    let mut from = from;
    // SAFETY: an atomic byte inside of the range, by the caller's promise.
    let byte = |at: *const u8| unsafe { (*at.cast::<AtomicU8>()).load(Ordering::Relaxed) };
    for b in first {
        *b = byte(from);
        from = from.wrapping_add(1);
    }
    for w in words {
        // SAFETY: a whole word inside of the range, aligned as `edge` says.
        *w = unsafe { (*from.cast::<AtomicU64>()).load(Ordering::Relaxed) }.to_ne_bytes();
        from = from.wrapping_add(WORD);
    }
    for b in last {
        *b = byte(from);
        from = from.wrapping_add(1);
    }
}

/// Writes bytes that others may read or write meanwhile, as `load_foreign` reads them.
///
/// # Safety
/// `to` must be valid for writes of `bytes.len()` bytes.
unsafe fn store_foreign(to: *mut u8, bytes: &[u8]) {
    let (first, rest) = bytes.split_at(edge(to, bytes.len()));
    let (words, last) = rest.as_chunks::<WORD>();
    let mut to = to;
    // SAFETY: an atomic byte inside of the range, by the caller's promise.
    let store = |at: *mut u8, b: u8| unsafe { (*at.cast::<AtomicU8>()).store(b, Ordering::Relaxed) };
    for b in first {
        store(to, *b);
        to = to.wrapping_add(1);
    }
    for w in words {
        // SAFETY: a whole word inside of the range, aligned as `edge` says.
        unsafe { (*to.cast::<AtomicU64>()).store(u64::from_ne_bytes(*w), Ordering::Relaxed) };
        to = to.wrapping_add(WORD);
    }
    for b in last {
        store(to, *b);
        to = to.wrapping_add(1);
    }
}

impl<'a> Span<'a> {
    /// # Safety
    /// `ptr .. ptr + len`, widened to whole words, must stay mapped for `'a`, as arena memory does.
    pub(super) unsafe fn new(ptr: *const u8, len: usize) -> Self {
        Span { ptr, len, arena: PhantomData }
    }

    /// Bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// True for an object of no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Where the bytes are, for a reader outside of Rust (which copies them, and validates after).
    #[must_use]
    pub fn as_ptr(&self) -> *const u8 {
        self.ptr
    }

    /// A part of it.
    ///
    /// # Panics
    /// When the part is not inside.
    #[must_use]
    pub fn part(&self, at: usize, len: usize) -> Span<'a> {
        assert!(at <= self.len && len <= self.len - at, "{at}+{len} is outside of {} bytes", self.len);
        // SAFETY: inside of self, whose promise covers it; the offset stays within the object.
        unsafe { Span::new(self.ptr.add(at), len) }
    }

    /// Copies out.
    ///
    /// # Panics
    /// When the range is not inside.
    pub fn read(&self, at: usize, out: &mut [u8]) {
        let part = self.part(at, out.len());
        let mut ptr = part.ptr;
        let mut out = out;
        while !out.is_empty() {
            // SAFETY: ptr is within part, which is mapped in whole words.
            let (word, inside) = unsafe { word_at(ptr) };
            let bytes = word.load(Ordering::Relaxed).to_ne_bytes();
            let n = out.len().min(WORD - inside);
            let (now, rest) = out.split_at_mut(n);
            now.copy_from_slice(&bytes[inside..inside + n]);
            out = rest;
            // SAFETY: n bytes of part were still to come.
            ptr = unsafe { ptr.add(n) };
            if out.len() >= WORD {
                let (words, rest) = out.as_chunks_mut::<WORD>();
                for w in words.iter_mut() {
                    // SAFETY: ptr is aligned here, since the step above ended at a word's end, and within part.
                    let (word, _) = unsafe { word_at(ptr) };
                    *w = word.load(Ordering::Relaxed).to_ne_bytes();
                    // SAFETY: this word lies within part.
                    ptr = unsafe { ptr.add(WORD) };
                }
                out = rest;
            }
        }
    }

    /// Copies all of it to memory that is not the arena's and that others may use meanwhile, such as a direct buffer of
    /// Java's: not a byte beside the range is written.
    ///
    /// # Safety
    /// `to` must be valid for writes of `self.len()` bytes.
    pub(crate) unsafe fn copy_to_foreign(&self, to: *mut u8) {
        let mut buffer = [0; BLOCK];
        for at in (0..self.len).step_by(BLOCK) {
            let part = &mut buffer[..(self.len - at).min(BLOCK)];
            self.read(at, part);
            // SAFETY: the caller's promise, for this part of the range.
            unsafe { store_foreign(to.add(at), part) };
        }
    }

    /// Copies all of it.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut out = vec![0; self.len];
        self.read(0, &mut out);
        out
    }
}

impl<'a> SpanMut<'a> {
    /// # Safety
    /// As for [`Span::new`]; and nobody else may write this memory for `'a` (others may read it and must validate).
    pub(super) unsafe fn new(ptr: *mut u8, len: usize) -> Self {
        SpanMut { ptr, len, arena: PhantomData }
    }

    /// Bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// True for an object of no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Where the bytes go, for a writer outside of Rust.
    #[must_use]
    pub fn as_mut_ptr(&self) -> *mut u8 {
        self.ptr
    }

    /// A part of it.
    ///
    /// # Panics
    /// When the part is not inside.
    #[must_use]
    pub fn part(&self, at: usize, len: usize) -> SpanMut<'a> {
        assert!(at <= self.len && len <= self.len - at, "{at}+{len} is outside of {} bytes", self.len);
        // SAFETY: inside of self, whose promise covers it; both belong to the one writer.
        unsafe { SpanMut::new(self.ptr.add(at), len) }
    }

    /// For reading back.
    #[must_use]
    pub fn as_span(&self) -> Span<'a> {
        // SAFETY: the same memory under the same promise.
        unsafe { Span::new(self.ptr, self.len) }
    }

    /// Copies in.
    ///
    /// # Panics
    /// When the range is not inside.
    pub fn write(&self, at: usize, bytes: &[u8]) {
        let part = self.part(at, bytes.len());
        let mut ptr = part.ptr;
        let mut bytes = bytes;
        while !bytes.is_empty() {
            if !(ptr as usize).is_multiple_of(WORD) || bytes.len() < WORD {
                // SAFETY: ptr is within part, which is mapped in whole words.
                let (word, inside) = unsafe { word_at(ptr) };
                let n = bytes.len().min(WORD - inside);
                let mut merged = word.load(Ordering::Relaxed).to_ne_bytes();
                merged[inside..inside + n].copy_from_slice(&bytes[..n]);
                word.store(u64::from_ne_bytes(merged), Ordering::Relaxed);
                bytes = &bytes[n..];
                // SAFETY: n bytes of part were still to come.
                ptr = unsafe { ptr.add(n) };
                continue;
            }
            let (words, rest) = bytes.as_chunks::<WORD>();
            for w in words {
                // SAFETY: aligned, and this word lies within part.
                let (word, _) = unsafe { word_at(ptr) };
                word.store(u64::from_ne_bytes(*w), Ordering::Relaxed);
                // SAFETY: as above.
                ptr = unsafe { ptr.add(WORD) };
            }
            bytes = rest;
        }
    }

    /// Zeroes `from..to`.
    ///
    /// # Panics
    /// When the range is not inside.
    pub fn zero(&self, from: usize, to: usize) {
        let part = self.part(from, to.saturating_sub(from));
        // SAFETY: the part is mapped, and ours to write.
        unsafe { zero_bytes(part.ptr, part.len) };
    }

    /// Fills all of it from memory that is not the arena's and that others may write meanwhile; then any mixture of what it
    /// was and what it became is copied.
    ///
    /// # Safety
    /// `from` must be valid for reads of `self.len()` bytes.
    pub(crate) unsafe fn copy_from_foreign(&self, from: *const u8) {
        let mut buffer = [0; BLOCK];
        for at in (0..self.len).step_by(BLOCK) {
            let part = &mut buffer[..(self.len - at).min(BLOCK)];
            // SAFETY: the caller's promise, for this part of the range.
            unsafe { load_foreign(from.add(at), part) };
            self.write(at, part);
        }
    }

    /// Copies from another object's memory.
    pub(super) fn copy_from(&self, source: Span<'_>) {
        let mut buffer = [0u8; BLOCK];
        let mut at = 0;
        while at < source.len() {
            let n = (source.len() - at).min(buffer.len());
            source.read(at, &mut buffer[..n]);
            self.write(at, &buffer[..n]);
            at += n;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with_words<R>(n: usize, f: impl FnOnce(SpanMut<'_>) -> R) -> R {
        let words: Vec<AtomicU64> = (0..n).map(|_| AtomicU64::new(u64::MAX)).collect();
        // SAFETY: the vector outlives the call, and only this span writes it.
        f(unsafe { SpanMut::new(words.as_ptr().cast_mut().cast(), n * WORD) })
    }

    #[test]
    #[should_panic(expected = "outside")]
    fn outside_is_refused() {
        with_words(2, |s| s.write(9, &[0; 8]));
    }

    proptest! {
        #[test]
        fn foreign_memory_is_copied_to_the_byte(at in 0usize..24, len in 0usize..9000, start in 0usize..16) {
            let from: Vec<u8> = (0..len + 16).map(|n| (n * 7 % 251) as u8).collect();
            let expected = from[start..start + len].to_vec();
            with_words(1200, |s| {
                let span = s.part(at, len);
                // SAFETY: the vector has so many bytes from there on, and nobody else uses it.
                unsafe { span.copy_from_foreign(from[start..].as_ptr()) };
                assert_eq!(span.as_span().to_vec(), expected);
                let mut to = vec![0xaa; len + 16];
                // SAFETY: as above.
                unsafe { span.as_span().copy_to_foreign(to[start..].as_mut_ptr()) };
                assert_eq!(to[start..start + len], expected[..]);
                assert!(to[..start].iter().chain(&to[start + len..]).all(|&b| b == 0xaa), "a byte beside it was written");
            });
        }

        #[test]
        fn any_range_reads_as_written(at in 0usize..40, bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            with_words(20, |s| {
                s.write(at, &bytes);
                let mut expected = vec![0xff; 160];
                expected[at..at + bytes.len()].copy_from_slice(&bytes);
                assert_eq!(s.as_span().to_vec(), expected);
                let mut out = vec![0; bytes.len()];
                s.as_span().read(at, &mut out);
                assert_eq!(out, bytes);
                s.zero(at, at + bytes.len());
                expected[at..at + bytes.len()].fill(0);
                assert_eq!(s.as_span().to_vec(), expected);
            });
        }
    }
}
