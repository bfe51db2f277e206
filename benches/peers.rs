//! The Rust API beside what most would write, and beside what a machine can do: `raybatch`, `dashmap` (a
//! `DashMap<ObjectId, Box<[u8]>>`), `bumpalo` (a region and nothing else: the floor), `memcpy` (into memory that is warm).
//!
//! All go through one trait and one loop: begin; n puts; n gets with the bytes touched; release all. What is named
//! `work/subject/size/count` is one of them, the others being done outside of the time; `cycle` is begin, n puts and
//! release, over and over. `RAYBATCH_BENCH_QUICK` takes fewer samples.
#![allow(clippy::expect_used, missing_docs, reason = "a benchmark that fails is not to go on")]

mod files;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bumpalo::Bump;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dashmap::DashMap;
use raybatch::batch::{BatchKey, BatchSpec, Client};
use raybatch::config::Config;
use raybatch::id::{BatchId, ObjectId};
use raybatch::store::{Kind, Slot};

/// Most bytes that a row moves.
const MOST: usize = 1 << 30;
const STORE: u64 = 3 << 30;

/// Whose speed is measured.
trait Subject {
    fn begin(&mut self, count: usize, size: usize);
    fn put(&mut self, bytes: &[u8]);
    /// Copies the nth object out; returns a byte of it.
    fn get(&self, n: usize, into: &mut Vec<u8>) -> u8;
    fn release(&mut self);
}

struct Raybatch {
    client: Arc<Client>,
    batch: BatchKey,
    slots: Vec<Slot>,
}

impl Raybatch {
    fn new() -> Self {
        let pairs = [("store.size", STORE), ("store.warmReserve", STORE)].map(|(k, v)| (k.to_owned(), v.to_string()));
        let client = Client::open(&Config::from_pairs(&pairs).expect("options")).expect("a store");
        Raybatch { client, batch: BatchKey::NORMAL, slots: Vec::new() }
    }
}

impl Subject for Raybatch {
    fn begin(&mut self, count: usize, _size: usize) {
        self.batch = self.client.start_batch(BatchSpec::default(), "bench").expect("a batch");
        self.slots.clear();
        self.slots.reserve(count);
    }

    fn put(&mut self, bytes: &[u8]) {
        self.slots.push(self.client.put(self.batch, Kind::Bytes, &bytes).expect("room"));
    }

    fn get(&self, n: usize, into: &mut Vec<u8>) -> u8 {
        self.client.get_slot(self.batch, self.slots[n], into).expect("there");
        into[into.len() - 1]
    }

    fn release(&mut self) {
        self.client.close_batch(self.batch, "bench").expect("closed");
    }
}

#[derive(Default)]
struct Bumpalo {
    bump: Bump,
    /// where each lies in `bump`, which is reset only when they are forgotten
    objects: Vec<(*const u8, usize)>,
}

impl Subject for Bumpalo {
    fn begin(&mut self, count: usize, _size: usize) {
        self.objects.reserve(count);
    }

    fn put(&mut self, bytes: &[u8]) {
        let copy = self.bump.alloc_slice_copy(bytes);
        self.objects.push((copy.as_ptr(), copy.len()));
    }

    fn get(&self, n: usize, into: &mut Vec<u8>) -> u8 {
        let (at, len) = self.objects[n];
        into.clear();
        // SAFETY: allocated in `bump` since it was reset last, which forgets it.
        into.extend_from_slice(unsafe { std::slice::from_raw_parts(at, len) });
        into[len - 1]
    }

    fn release(&mut self) {
        self.objects.clear();
        self.bump.reset();
    }
}

#[derive(Default)]
struct Dash {
    map: DashMap<ObjectId, Box<[u8]>>,
    made: u32,
}

impl Subject for Dash {
    fn begin(&mut self, _count: usize, _size: usize) {
        self.made = 0;
    }

    fn put(&mut self, bytes: &[u8]) {
        self.map.insert(ObjectId::new(BatchId(1), 1, self.made), bytes.into());
        self.made += 1;
    }

    fn get(&self, n: usize, into: &mut Vec<u8>) -> u8 {
        let object = self.map.get(&ObjectId::new(BatchId(1), 1, n as u32)).expect("there");
        into.clear();
        into.extend_from_slice(&object);
        into[into.len() - 1]
    }

    fn release(&mut self) {
        self.map.clear();
    }
}

#[derive(Default)]
struct Memcpy {
    memory: Vec<u8>,
    at: usize,
    size: usize,
}

impl Subject for Memcpy {
    fn begin(&mut self, count: usize, size: usize) {
        self.memory.resize(count * size, 0);
        (self.at, self.size) = (0, size);
    }

    fn put(&mut self, bytes: &[u8]) {
        self.memory[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    fn get(&self, n: usize, into: &mut Vec<u8>) -> u8 {
        into.clear();
        into.extend_from_slice(&self.memory[n * self.size..(n + 1) * self.size]);
        into[self.size - 1]
    }

    fn release(&mut self) {}
}

#[derive(Clone, Copy, PartialEq)]
enum Work {
    Put,
    Get,
    Cycle,
    Release,
}

/// One round of the loop; returns the time of the part that counts.
fn round(subject: &mut dyn Subject, work: Work, bytes: &[u8], count: usize, into: &mut Vec<u8>) -> Duration {
    let began = Instant::now();
    subject.begin(count, bytes.len());
    let putting = Instant::now();
    for _ in 0..count {
        subject.put(black_box(bytes));
    }
    let put = putting.elapsed();
    let mut got = Duration::ZERO;
    if work == Work::Get {
        let getting = Instant::now();
        for n in 0..count {
            black_box(subject.get(n, into));
        }
        got = getting.elapsed();
    }
    let releasing = Instant::now();
    subject.release();
    match work {
        Work::Put => put,
        Work::Get => got,
        Work::Release => releasing.elapsed(),
        Work::Cycle => began.elapsed(),
    }
}

fn subjects() -> [(&'static str, Box<dyn Subject>); 4] {
    [
        ("raybatch", Box::new(Raybatch::new())),
        ("dashmap", Box::<Dash>::default()),
        ("bumpalo", Box::<Bumpalo>::default()),
        ("memcpy", Box::<Memcpy>::default()),
    ]
}

fn rows(criterion: &mut Criterion) {
    let quick = std::env::var_os("RAYBATCH_BENCH_QUICK").is_some();
    let sizes: &[usize] = if quick { &[64, 1 << 20] } else { &[64, 256, 4096, 1 << 20] };
    for (work, name) in [(Work::Put, "put"), (Work::Get, "get"), (Work::Cycle, "cycle"), (Work::Release, "release")] {
        for (subject, mut it) in subjects() {
            for &size in sizes {
                let count = (MOST / size).min(if quick { 100_000 } else { 1_000_000 }).min(MOST / 4 / size.max(1024));
                row(criterion, &format!("{name}/{subject}"), work, &mut *it, size, count);
            }
        }
    }
    if !quick {
        // 27 million objects: what a request of three hops over 300 neighbours each makes at most
        row(criterion, "release/raybatch", Work::Release, &mut Raybatch::new(), 32, 27_000_000);
        row(criterion, "release/bumpalo", Work::Release, &mut Bumpalo::default(), 32, 27_000_000);
    }
    tiny(criterion);
    files::rows(criterion);
}

fn row(criterion: &mut Criterion, name: &str, work: Work, subject: &mut dyn Subject, size: usize, count: usize) {
    let (bytes, mut into) = (vec![7u8; size], Vec::with_capacity(size));
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10).throughput(Throughput::Elements(count as u64));
    if count > 10_000_000 {
        group.warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_millis(1));
    }
    group.bench_function(BenchmarkId::new(size.to_string(), count), |bencher| {
        bencher.iter_custom(|rounds| (0..rounds).map(|_| round(subject, work, &bytes, count, &mut into)).sum());
    });
    group.finish();
}

/// Start, ten puts, close.
fn tiny(criterion: &mut Criterion) {
    let (mut subject, bytes) = (Raybatch::new(), [7u8; 64]);
    criterion.bench_function("tiny_batch/raybatch/64/10", |bencher| {
        bencher.iter(|| {
            subject.begin(10, 64);
            for _ in 0..10 {
                subject.put(black_box(&bytes));
            }
            subject.release();
        });
    });
}

fn configured() -> Criterion {
    let quick = std::env::var_os("RAYBATCH_BENCH_QUICK").is_some();
    let millis = |full, few| Duration::from_millis(if quick { few } else { full });
    Criterion::default().warm_up_time(millis(500, 100)).measurement_time(millis(2000, 300)).without_plots()
}

criterion_group! {
    name = peers;
    config = configured();
    targets = rows
}
criterion_main!(peers);
