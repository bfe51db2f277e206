//! The fuzzer's targets without a fuzzer: over the committed corpora, and random variations of them.
//!
//! `RAYBATCH_FUZZ_ROUNDS=1000000 cargo test --release --test fuzz` runs as many for each target. What fails is printed, to be kept
//! in `fuzz/corpus`.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "../fuzz/targets.rs"]
#[expect(unreachable_pub, reason = "a crate of its own under the fuzzer")]
mod targets;

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

/// As many as take a second or two.
const ROUNDS: u64 = 150;

struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

/// Another input, made of one or two.
fn varied(numbers: &mut Numbers, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut data = match corpus.len() {
        0 => Vec::new(),
        n => corpus[numbers.below(n)].clone(),
    };
    for _ in 0..1 + numbers.below(8) {
        let at = numbers.below(data.len() + 1);
        match numbers.below(5) {
            0 => data.truncate(at),
            1 => (0..numbers.below(64)).for_each(|_| data.push(numbers.next() as u8)),
            2 => data.insert(at, numbers.next() as u8),
            3 if !corpus.is_empty() => {
                let other = &corpus[numbers.below(corpus.len())];
                data.truncate(at);
                data.extend_from_slice(&other[numbers.below(other.len())..]);
            }
            _ => {
                if let Some(byte) = data.get_mut(at) {
                    *byte = numbers.next() as u8;
                }
            }
        }
    }
    data
}

fn run(name: &str, target: fn(&[u8])) {
    let rounds: u64 = std::env::var("RAYBATCH_FUZZ_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(ROUNDS);
    let mut seed: u64 = std::env::var("RAYBATCH_FUZZ_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().flatten().map(|entry| entry.path()).collect();
    files.sort();
    let corpus: Vec<Vec<u8>> = files.iter().map(|path| fs::read(path).unwrap()).collect();
    assert!(!corpus.is_empty(), "no corpus in {}", folder.display());
    corpus.iter().for_each(|data| target(data));
    for round in 0..rounds {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let data = varied(&mut Numbers(seed | 1), &corpus);
        let hex: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(catch_unwind(|| target(&data)).is_ok(), "{name}, round {round}: {hex}");
    }
}

#[test]
fn operations() {
    run("operations", targets::operations);
}

#[test]
fn spill_files() {
    run("spill_files", targets::spill_files);
}

#[test]
fn forged_ids() {
    run("forged_ids", targets::forged_ids);
}
