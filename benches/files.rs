//! Spilling a batch and reading it back, beside writing and reading plain files of the same bytes in the same folder, front
//! to back. What is read is not in the system's cache: it is forced to the disk and dropped from there before.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use raybatch::batch::{BatchSpec, Client};
use raybatch::config::Config;
use raybatch::store::Kind;

/// Bytes of a batch.
const BYTES: usize = 256 << 20;
const STORE: u64 = 1 << 30;
/// Bytes that the plain file is written and read in.
const BLOCK: usize = 1 << 20;

fn open(directory: &Path) -> Arc<Client> {
    let pairs = [
        ("store.size", STORE.to_string()),
        ("store.warmReserve", STORE.to_string()),
        ("spill.directory", directory.display().to_string()),
        ("spill.highWater", "100".to_owned()),
    ];
    Client::open(&Config::from_pairs(&pairs.map(|(k, v)| (k.to_owned(), v))).expect("options")).expect("a store")
}

/// Has the system forget what it holds of all files below.
fn drop_cache(folder: &Path) {
    for entry in fs::read_dir(folder).expect("there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            drop_cache(&path);
        } else if let Ok(file) = File::open(&path) {
            file.sync_all().expect("to the disk");
            rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).expect("dropped");
        }
    }
}

/// Puts, spills, reads all back. Returns the times of writing and of reading.
fn raybatch(client: &Client, directory: &Path, size: usize) -> (Duration, Duration) {
    let bytes: Vec<u8> = (0..size).map(|n| (n * 31 + n / 256) as u8).collect();
    let batch = client.start_batch(BatchSpec::default(), "bench").expect("a batch");
    let slots: Vec<_> = (0..BYTES / size).map(|_| client.put(batch, Kind::Bytes, &&bytes[..]).expect("room")).collect();
    let writing = Instant::now();
    assert!(client.spill().expect("written") as usize >= BYTES);
    let wrote = writing.elapsed();
    drop_cache(directory);
    let mut into = Vec::with_capacity(size);
    let reading = Instant::now();
    for slot in slots {
        client.get_slot(batch, slot, &mut into).expect("there");
    }
    let read = reading.elapsed();
    client.close_batch(batch, "bench").expect("closed");
    (wrote, read)
}

/// The same bytes in a plain file.
fn plain(directory: &Path, memory: &mut [u8]) -> (Duration, Duration) {
    let path = directory.join("plain");
    let writing = Instant::now();
    let mut file = File::create(&path).expect("a file");
    for block in memory.chunks(BLOCK) {
        file.write_all(block).expect("written");
    }
    drop(file);
    let wrote = writing.elapsed();
    drop_cache(directory);
    let reading = Instant::now();
    let mut file = File::open(&path).expect("a file");
    for block in memory.chunks_mut(BLOCK) {
        file.read_exact(block).expect("read");
    }
    let read = reading.elapsed();
    fs::remove_file(path).expect("removed");
    (wrote, read)
}

/// All rows.
pub(crate) fn rows(criterion: &mut Criterion) {
    // beside what is built, and not in a temporary folder that may be memory
    let directory = tempfile::tempdir_in(std::env::current_dir().expect("a folder").join("target")).expect("a folder");
    let client = open(directory.path());
    let mut memory: Vec<u8> = (0..BYTES).map(|n| (n * 31 + n / 256) as u8).collect();
    for size in [4096, 1 << 20] {
        for (work, reads) in [("spill_write", false), ("spill_read", true)] {
            for subject in ["raybatch", "file"] {
                let mut group = criterion.benchmark_group(format!("{work}/{subject}"));
                group.sample_size(10).throughput(Throughput::Elements((BYTES / size) as u64));
                group.warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_millis(1));
                group.bench_function(BenchmarkId::new(size.to_string(), BYTES / size), |bencher| {
                    bencher.iter_custom(|rounds| {
                        let each = |_| match subject {
                            "raybatch" => raybatch(&client, directory.path(), size),
                            _ => plain(directory.path(), &mut memory),
                        };
                        (0..rounds).map(each).map(|(wrote, read)| if reads { read } else { wrote }).sum()
                    });
                });
                group.finish();
            }
        }
    }
}
