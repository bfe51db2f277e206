//! The bytes of a spill file. Words are little-endian; all parts begin at a multiple of 8.
//!
//! ```text
//! file header, 64 bytes        segment header, 64 bytes       segment
//!  0  "RAYSPILL"                0  "SEGMENT."                  header
//!  8  version │ header's bytes  8  bytes of its image          image: the objects as they lay in the arena,
//! 16  batch id                 16  slots it has checksums of          padded to 8
//! 24  the batch's base         24  the first of these slots    checksums: a word for each slot, in order
//! 32  process that wrote it    32  zero                               0 where no object of the image is
//! 40  zero                     …
//! 56  checksum of 0…56         56  checksum of 0…56
//! ```
//!
//! A slot's checksum is XXH3 over the object's bytes in the image (its metadata with their length, and its data),
//! seeded with the batch's base and the slot: so bytes that belong to another object are found out as well. Where an
//! object lies in the image its index entry says, which stays in memory.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

pub(super) const HEADER: usize = 64;
const MAGIC: [u8; 8] = *b"RAYSPILL";
const SEGMENT_MAGIC: [u8; 8] = *b"SEGMENT.";
const VERSION: u64 = 1;

/// The checksum of a slot's object.
pub(crate) fn checksum(life: u64, slot: u64, bytes: &[u8]) -> u64 {
    // 0 says that there is none
    xxh3_64_with_seed(bytes, seed(life, slot)).max(1)
}

/// What it is seeded with.
pub(super) fn seed(life: u64, slot: u64) -> u64 {
    life ^ slot.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn header(words: [u64; 6], magic: [u8; 8]) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..8].copy_from_slice(&magic);
    for (n, word) in words.into_iter().enumerate() {
        bytes[8 + n * 8..16 + n * 8].copy_from_slice(&word.to_le_bytes());
    }
    let sum = xxh3_64(&bytes[..56]);
    bytes[56..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// What a file begins with.
pub(super) fn file_header(batch: i64, life: u64) -> [u8; HEADER] {
    let version = VERSION | (HEADER as u64) << 32;
    header([version, batch as u64, life, u64::from(std::process::id()), 0, 0], MAGIC)
}

/// What a segment begins with.
pub(super) fn segment_header(image: u64, slots: u64, first: u64) -> [u8; HEADER] {
    header([image, slots, first, 0, 0, 0], SEGMENT_MAGIC)
}

/// True for what this version, or a later one, has written as the beginning of a file.
pub(super) fn is_file_header(bytes: &[u8; HEADER]) -> bool {
    bytes[..8] == MAGIC && bytes[56..] == xxh3_64(&bytes[..56]).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_told_from_other_bytes() {
        let good = file_header(7, 9);
        assert!(is_file_header(&good));
        assert_eq!((&good[..8], good[8], good[12], good[16], good[24]), (&b"RAYSPILL"[..], 1, 64, 7, 9));
        for n in 0..HEADER {
            let mut bad = good;
            bad[n] ^= 1;
            assert!(!is_file_header(&bad), "byte {n}");
        }
    }

    #[test]
    fn a_checksum_is_of_bytes_in_their_place() {
        let sum = checksum(1, 2, b"abc");
        assert_eq!(sum, checksum(1, 2, b"abc"));
        assert!(
            [checksum(1, 2, b"abd"), checksum(1, 3, b"abc"), checksum(2, 2, b"abc")].iter().all(|&other| other != sum)
        );
    }
}
