//! The bytes of the arena: sizes, words and their fields. All words are little-endian and 8-byte aligned. The JVM reads and
//! writes them too (`MappedRegion.java` has the same numbers, and a test compares them).
//!
//! ```text
//! page 0          superblock: magic, version, page size, capacity; at 64 how many wait or listen
//! runs of pages   region headers, leases (never given back) · index pages · data chunks · slabs · single objects
//!
//! region header, 256 bytes                      lease, 128 bytes
//!   0  generation: odd while the region lives     0  gate: epoch, closed?, busy? (see `gate.rs`)
//!   8  base: the random base of its slots         8  where the next object goes, and the chunk's end
//!  16  batch id                                  24  objects and bytes made through it so far
//!  24  overflow directory: page << 32 | pages    40  objects when its chunk began
//!  32  16 × u32: pages of the first 16 index     48  objects when its block of slots began, and when that is full
//!      pages, 0 for none                         64  the block's entries, and its first slot, less those objects
//!  96  leases beyond the first: offset << 16
//!      | 1 << 15 when the JVM may not put by     index entry, 16 bytes (256 to a page)
//!      itself | how many; 0 for none              0  word 0: offset in the high 48 bits, kind and flags, state
//! 128  the first lease                            8  word 1: data length in the high 32 bits, index in its task
//!
//! object, at its offset
//!   [ metadata length u64 · metadata, padded to 8 ]  if flagged
//!   data
//! ```
//!
//! Objects begin at a multiple of 8, but a small one that was put whole is only aligned as its length is, so that a
//! million objects of 3 bytes take 3 bytes each. Only its lessee writes to a chunk then, one object after the other.
//!
//! Slot `s` of a region has its entry in index page `s / 256`; the directory gives that page's number: the first 16
//! stand in the header, the rest in the overflow directory, a run of u32.

/// Bytes of a page, the unit of runs.
pub(crate) const PAGE: u64 = 4096;
/// Bytes of a stride, the unit in which memory is asked of the system and given back.
pub(crate) const STRIDE: u64 = 2 << 20;
/// Pages of a window: a JVM maps the arena in windows of 1 GiB.
pub(crate) const WINDOW_PAGES: u64 = (1 << 30) / PAGE;
/// The largest object: what a Java array or buffer can address.
pub(crate) const MAX_OBJECT: u64 = i32::MAX as u64;

/// First word of the arena: "RAYBATCH" read as a little-endian word.
pub(crate) const MAGIC: u64 = u64::from_le_bytes(*b"RAYBATCH");
/// Layout version, second word.
pub(crate) const LAYOUT_VERSION: u64 = 2;
/// In the superblock, on a line of its own: how many wait for what a put may make, or listen.
pub(crate) const AWAITED: u64 = 64;

/// Bytes of a region header.
pub(crate) const HEADER: u64 = 256;
pub(crate) const HEADER_GENERATION: u64 = 0;
pub(crate) const HEADER_BASE: u64 = 8;
pub(crate) const HEADER_BATCH: u64 = 16;
pub(crate) const HEADER_OVERFLOW: u64 = 24;
pub(crate) const HEADER_INLINE: u64 = 32;
pub(crate) const HEADER_STRIPES: u64 = 96;
/// In the word of the stripes: the JVM may not put by itself.
pub(crate) const NATIVE_ONLY: u64 = 1 << 15;
pub(crate) const HEADER_LEASE: u64 = 128;
/// Index pages named in the header itself.
pub(crate) const INLINE_PAGES: u64 = 16;

/// Bytes of a lease: two lines, which processors fetch as a pair.
pub(crate) const LEASE: u64 = 128;

/// The words of a lease, by their place in it.
///
/// The nth object made through it (`MADE` being n before) has index `n − BLOCK` in its task, slot `FIRST + n` and its
/// entry at `ENTRIES + n · 16`: the last two are given less what their block began with, and may wrap.
pub(crate) mod lease_word {
    pub(crate) const GATE: usize = 0;
    pub(crate) const CURSOR: usize = 1;
    pub(crate) const END: usize = 2;
    pub(crate) const MADE: usize = 3;
    pub(crate) const BYTES: usize = 4;
    /// `MADE` when the chunk began, one more for each object since that is not in it, and one less for each in it that is
    /// in no slot of the lease. It may wrap.
    pub(crate) const CHUNK: usize = 5;
    pub(crate) const BLOCK: usize = 6;
    pub(crate) const LIMIT: usize = 7;
    pub(crate) const ENTRIES: usize = 8;
    pub(crate) const FIRST: usize = 9;
}

/// Bytes of an index entry.
pub(crate) const ENTRY: u64 = 16;
/// Slots of an index page.
pub(crate) const SLOTS: u64 = PAGE / ENTRY;

const _: () = assert!(HEADER_INLINE + INLINE_PAGES * 4 <= HEADER_STRIPES && HEADER_LEASE + LEASE <= HEADER);
const _: () = assert!(PAGE.is_multiple_of(HEADER) && PAGE.is_multiple_of(LEASE) && SLOTS == 256);

/// State of an index entry, the lowest byte of its first word. A page is zeroed before it is lent, so 0 is `Empty`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum EntryState {
    /// Reserved; nothing was made there yet.
    Empty = 0,
    /// Created, not sealed.
    Created = 1,
    /// Sealed and immutable.
    Sealed = 2,
    /// Its bytes were given up.
    Freed = 3,
    /// Deleted.
    Deleted = 4,
    /// Owned by another batch now; the side table has it.
    Moved = 5,
    /// Aborted before it was sealed.
    Aborted = 6,
    /// Sealed, and in the region's spill file: there the offset is.
    Spilled = 8,
    /// Sealed, and in the arena again. It is read under a hold only, so that what is read without one never comes back
    /// to an offset that it had left.
    Restored = 9,
}

/// The byte of an entry that is sealed though its bytes were given up before. It is another than `Sealed`, so that the
/// words of the first time never come back, and so that the JVM, which looks at nothing else, leaves it to the native side.
const SEALED_AGAIN: u8 = 7;

impl EntryState {
    /// True for an object that can be read, wherever it lies.
    pub(crate) fn is_sealed(self) -> bool {
        matches!(self, EntryState::Sealed | EntryState::Spilled | EntryState::Restored)
    }

    fn of(word: u64) -> Option<Self> {
        Some(match word as u8 {
            0 => EntryState::Empty,
            1 => EntryState::Created,
            2 | SEALED_AGAIN => EntryState::Sealed,
            3 => EntryState::Freed,
            4 => EntryState::Deleted,
            5 => EntryState::Moved,
            6 => EntryState::Aborted,
            8 => EntryState::Spilled,
            9 => EntryState::Restored,
            _ => return None,
        })
    }
}

const HAS_METADATA: u64 = 1 << 15;
const KIND_SHIFT: u32 = 8;
const KIND_MASK: u64 = 0x7f;

/// An index entry, decoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    pub(crate) state: EntryState,
    pub(crate) kind: u8,
    pub(crate) has_metadata: bool,
    /// Bytes from the start of the arena.
    pub(crate) offset: u64,
    /// Bytes of data.
    pub(crate) len: u32,
    /// The object's index within its task: makes each slot answer to one id only.
    pub(crate) index: u32,
}

impl Entry {
    /// The first word, which publishes the entry.
    pub(crate) fn word0(&self) -> u64 {
        debug_assert!(self.offset < 1 << 48 && u64::from(self.kind) <= KIND_MASK);
        self.offset << 16
            | if self.has_metadata { HAS_METADATA } else { 0 }
            | u64::from(self.kind) << KIND_SHIFT
            | self.state as u64
    }

    /// The first word of a sealed entry that was another object's before, of the same id.
    pub(crate) fn word0_again(&self) -> u64 {
        debug_assert!(self.state == EntryState::Sealed);
        self.word0() & !u64::from(u8::MAX) | u64::from(SEALED_AGAIN)
    }

    /// True for such a word.
    pub(crate) fn is_again(word0: u64) -> bool {
        word0 as u8 == SEALED_AGAIN
    }

    /// The second word.
    pub(crate) fn word1(&self) -> u64 {
        u64::from(self.len) << 32 | u64::from(self.index)
    }

    /// `None` for words that no store writes.
    pub(crate) fn decode(word0: u64, word1: u64) -> Option<Self> {
        Some(Entry {
            state: EntryState::of(word0)?,
            kind: ((word0 >> KIND_SHIFT) & KIND_MASK) as u8,
            has_metadata: word0 & HAS_METADATA != 0,
            offset: word0 >> 16,
            len: (word1 >> 32) as u32,
            index: word1 as u32,
        })
    }

    /// The same entry in another state.
    pub(crate) fn with_state(self, state: EntryState) -> Self {
        Entry { state, ..self }
    }
}

/// Bytes an object takes in the arena: its metadata with their length before them, and its data, each padded to 8.
pub(crate) fn footprint(data: u64, metadata: u64) -> u64 {
    let metadata = if metadata == 0 { 0 } else { 8 + metadata.next_multiple_of(8) };
    metadata + data.next_multiple_of(8)
}

/// How the data of an object that is put whole is aligned.
pub(crate) fn alignment(data: u64) -> u64 {
    if data >= 64 { 8 } else { 1 << data.trailing_zeros().min(3) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_reads_as_it_was_written() {
        for state in
            [EntryState::Empty, EntryState::Created, EntryState::Sealed, EntryState::Moved, EntryState::Spilled]
        {
            for (kind, has_metadata, offset, len, index) in
                [(0, false, 0, 0, 0), (10, true, (1 << 48) - 1, u32::MAX, u32::MAX), (3, false, 4096, 64, 7)]
            {
                let e = Entry { state, kind, has_metadata, offset, len, index };
                assert_eq!(Entry::decode(e.word0(), e.word1()), Some(e));
                assert!(!Entry::is_again(e.word0()));
                if state == EntryState::Sealed {
                    assert_eq!(Entry::decode(e.word0_again(), e.word1()), Some(e), "it says the same");
                    assert!(Entry::is_again(e.word0_again()), "in another word");
                }
            }
        }
        assert_eq!(Entry::decode(10, 0), None, "no such state");
        assert_eq!(Entry::decode(0, 0).map(|e| e.state), Some(EntryState::Empty), "a zeroed page is empty");
    }

    /// The JVM's half of this is `MappedLayoutTest`.
    #[test]
    fn the_jvm_has_the_same_numbers() {
        let word = |n: usize| 8 * n as u64;
        let known = [
            ("page", PAGE),
            ("awaited", AWAITED),
            ("header.generation", HEADER_GENERATION),
            ("header.overflow", HEADER_OVERFLOW),
            ("header.inline", HEADER_INLINE),
            ("header.inline_pages", INLINE_PAGES),
            ("header.stripes", HEADER_STRIPES),
            ("header.native_only", NATIVE_ONLY),
            ("header.lease", HEADER_LEASE),
            ("lease.bytes", LEASE),
            ("lease.gate", word(lease_word::GATE)),
            ("lease.cursor", word(lease_word::CURSOR)),
            ("lease.end", word(lease_word::END)),
            ("lease.made", word(lease_word::MADE)),
            ("lease.bytes_made", word(lease_word::BYTES)),
            ("lease.block", word(lease_word::BLOCK)),
            ("lease.limit", word(lease_word::LIMIT)),
            ("lease.entries", word(lease_word::ENTRIES)),
            ("lease.first", word(lease_word::FIRST)),
            ("entry.bytes", ENTRY),
            ("entry.sealed", EntryState::Sealed as u64),
            ("entry.has_metadata", HAS_METADATA),
            ("entry.kind_shift", KIND_SHIFT.into()),
            ("entry.kind_mask", KIND_MASK),
            ("large", super::super::lease::LARGE),
        ];
        let told: Vec<_> = include_str!("../../tests/data/layout.txt")
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split_once(' '))
            .collect();
        let known: Vec<_> = known.iter().map(|(name, value)| (*name, value.to_string())).collect();
        assert_eq!(known.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>(), told);
    }

    #[test]
    fn footprints_are_padded() {
        assert_eq!(footprint(64, 0), 64);
        assert_eq!(footprint(1, 0), 8);
        assert_eq!(footprint(0, 0), 0);
        assert_eq!(footprint(5, 3), 8 + 8 + 8);
    }

    #[test]
    fn small_objects_are_aligned_as_their_length_is() {
        let all: Vec<_> = [0, 1, 2, 3, 4, 6, 8, 12, 40, 63, 65].map(alignment).into();
        assert_eq!(all, [8, 1, 2, 1, 4, 2, 8, 4, 8, 1, 8]);
    }
}
