//! A fixed piece of work, for counting its instructions: `instructions <work>` does one of those named below and prints
//! how many operations it did. What happens in [`measured`] counts; the rest is preparation.
//!
//! `./gradlew instructions` runs it under callgrind and compares with `instructions.txt`.
#![allow(clippy::expect_used, reason = "a piece of work that fails is not to be counted")]

use std::process::ExitCode;
use std::sync::Arc;

use raybatch::batch::{BatchKey, BatchSpec, Client};
use raybatch::config::Config;
use raybatch::store::{Kind, Slot};

const OBJECTS: usize = 20_000;
const TINY: usize = 500;

struct Bench {
    client: Arc<Client>,
    batch: BatchKey,
    slots: Vec<Slot>,
}

impl Bench {
    fn open() -> Bench {
        let client = Client::open(&Config::sized(256 << 20).expect("a size")).expect("a store");
        let mut bench = Bench { client, batch: BatchKey::NORMAL, slots: Vec::with_capacity(OBJECTS) };
        // the first batch pays for what later ones find
        for _ in 0..3 {
            bench.start();
            bench.put(64);
            bench.close();
        }
        bench.start();
        bench
    }

    fn start(&mut self) {
        self.batch = self.client.start_batch(BatchSpec::default(), "bench").expect("a batch");
        self.slots.clear();
    }

    fn close(&mut self) {
        self.client.close_batch(self.batch, "bench").expect("closed");
    }

    fn put(&mut self, size: usize) {
        let bytes = vec![7u8; size];
        let source = &bytes[..];
        for _ in 0..OBJECTS {
            self.slots.push(self.client.put(self.batch, Kind::Bytes, &source).expect("room"));
        }
    }

    fn get(&mut self) {
        let mut bytes = Vec::with_capacity(64);
        for slot in &self.slots {
            self.client.get_slot(self.batch, *slot, &mut bytes).expect("there");
        }
    }

    fn tiny(&mut self) {
        let source = &[7u8; 64][..];
        for _ in 0..TINY {
            self.start();
            for _ in 0..10 {
                self.client.put(self.batch, Kind::Bytes, &source).expect("room");
            }
            self.close();
        }
    }
}

/// What callgrind counts.
#[inline(never)]
fn measured(work: impl FnOnce()) {
    work();
}

fn main() -> ExitCode {
    let mut bench = Bench::open();
    let operations = match std::env::args().nth(1).as_deref() {
        Some("put") => {
            measured(|| bench.put(64));
            OBJECTS
        }
        Some("get") => {
            bench.put(64);
            measured(|| bench.get());
            OBJECTS
        }
        Some("collect") => {
            bench.put(64);
            measured(|| bench.close());
            1
        }
        Some("tiny_batch") => {
            bench.close();
            measured(|| bench.tiny());
            TINY
        }
        other => {
            eprintln!("there is no work {other:?}; there are put, get, collect and tiny_batch");
            return ExitCode::FAILURE;
        }
    };
    println!("operations {operations}");
    ExitCode::SUCCESS
}
