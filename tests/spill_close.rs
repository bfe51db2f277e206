//! The thread that spills is over when a store is closed. In a process of its own, which has no other store.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod batch_support;

use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use batch_support::{Calls, config};
use raybatch::batch::Client;
use raybatch::store::{FaultPoint, Faults, Kind};

const BOUND: Duration = Duration::from_secs(30);

/// Threads of this process, by the beginning of their name, which is all that the system keeps.
fn threads(name: &str) -> usize {
    let names = fs::read_dir("/proc/self/task").unwrap().flatten();
    names.filter(|task| fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.starts_with(name))).count()
}

/// Holds up the first write of a file.
struct Slow {
    begun: AtomicBool,
    arrive: Mutex<std::sync::mpsc::Sender<()>>,
    go_on: Mutex<std::sync::mpsc::Receiver<()>>,
}

impl Faults for Slow {
    fn check(&self, point: FaultPoint) -> io::Result<()> {
        if point == FaultPoint::SpillWrite && !self.begun.swap(true, Ordering::SeqCst) {
            self.arrive.lock().unwrap().send(()).unwrap();
            self.go_on.lock().unwrap().recv_timeout(BOUND).unwrap();
        }
        Ok(())
    }
}

#[test]
fn close_returns_when_the_thread_that_spills_is_over() {
    let parent = tempfile::tempdir().unwrap();
    let (arrive, arrived) = channel();
    let (go, go_on) = channel();
    let faults = Slow { begun: AtomicBool::new(false), arrive: Mutex::new(arrive), go_on: Mutex::new(go_on) };
    let directory = parent.path().to_str().unwrap();
    let options = config(&[("store.size", "16777216"), ("spill.directory", directory)]);
    let client = Client::open_with(&options, Arc::new(faults)).unwrap();
    let key = client.start();
    while arrived.try_recv().is_err() {
        // until it is in the middle of writing
        let _ = client.put(key, Kind::Bytes, &&[7u8; 50_000][..]);
    }
    // it has its name by now
    assert_eq!(threads("raybatch-spill"), 1);
    let closing = std::thread::spawn(move || client.close("the test"));
    go.send(()).unwrap();
    closing.join().unwrap().unwrap();
    assert_eq!(threads("raybatch-spill"), 0);
}
