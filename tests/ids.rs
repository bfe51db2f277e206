//! The id layout, against the vectors that the Java tests read as well.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use raybatch::error::ErrorCode;
use raybatch::id::{BatchId, ObjectId};

#[test]
fn golden_vectors() {
    let mut checked = 0;
    for line in include_str!("data/ids.txt").lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let fields: Vec<_> = line.split_whitespace().collect();
        let [batch, task, index, hex] = fields[..] else { panic!("{line}") };
        let task = task.parse::<u64>().or_else(|_| task.parse::<i64>().map(|t| t as u64)).expect(line);
        let index = index.parse::<u32>().or_else(|_| index.parse::<i32>().map(|i| i as u32)).expect(line);
        let id = ObjectId::new(BatchId(batch.parse().expect(line)), task, index);
        assert_eq!(id.to_string(), hex);
        assert_eq!(hex.parse::<ObjectId>().unwrap(), id);
        assert_eq!(ObjectId::from_bytes(&id.to_bytes()), id);
        let bytes: Vec<u8> = (0..20).map(|n| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).unwrap()).collect();
        assert_eq!(id.to_bytes()[..], bytes[..]);
        checked += 1;
    }
    assert!(checked >= 5, "{checked} vectors");
}

#[test]
fn c25_what_is_no_id_is_refused() {
    for text in ["", "00", &"0".repeat(39), &"0".repeat(41), &"g".repeat(40), &format!("+{}", "0".repeat(39))] {
        assert_eq!(text.parse::<ObjectId>().unwrap_err().code(), ErrorCode::InvalidArgument, "{text}");
    }
    assert_eq!(ObjectId::list_from_bytes(&[0; 30]).unwrap_err().code(), ErrorCode::InvalidArgument);
    assert_eq!(ObjectId::list_from_bytes(&[0; 40]).unwrap().len(), 2);
}

#[test]
fn a_slot_is_arithmetic_and_wraps() {
    for base in [1, u64::MAX, u64::MAX - 5, 1 << 63] {
        for slot in [0, 1, 255, 256, 27_000_000] {
            for index in [0, 1, 4095].into_iter().filter(|&i| u64::from(i) <= slot) {
                let id = ObjectId::from_slot(BatchId(3), base, slot, index);
                assert_eq!((id.slot(base), id.index), (slot, index));
            }
        }
    }
}
