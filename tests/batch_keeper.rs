//! The thread behind a store; alone in its process, for it counts threads.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod batch_support;

use std::time::Duration;

use batch_support::{Calls, eventually, open};
use raybatch::batch::{BatchSpec, State};

/// Threads of that name in this process.
fn keepers() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|t| std::fs::read_to_string(t.ok()?.path().join("comm")).ok());
    names.filter(|name| name.trim() == "raybatch-keeper").count()
}

#[test]
fn it_starts_with_the_first_thing_to_do_and_ends_with_its_store() {
    let spec = |ms| BatchSpec { timeout: Some(Duration::from_millis(ms)), ..BatchSpec::default() };
    let (a, b) = (open(), open());
    a.end(a.start());
    assert_eq!(keepers(), 0, "nothing to do yet");
    let long = a.start_batch(spec(3_600_000), "test").unwrap();
    let short = a.start_batch(spec(1), "test").unwrap();
    b.start_batch(spec(3_600_000), "test").unwrap();
    eventually("one for each store", || keepers() == 2);
    eventually("the shorter one first", || a.state(short) == State::Collected);
    assert_eq!(a.state(long), State::Waiting);
    a.close("test").unwrap();
    eventually("gone with its store", || keepers() == 1);
    drop(b);
    eventually("gone with its last client, closed or not", || keepers() == 0);
}

#[test]
fn a_timeout_beyond_the_clock_is_refused() {
    let c = open();
    let spec = BatchSpec { timeout: Some(Duration::MAX), ..BatchSpec::default() };
    assert!(c.start_batch(spec, "test").unwrap_err().message().contains("beyond the clock"));
    assert!(c.batches().unwrap().is_empty());
}
