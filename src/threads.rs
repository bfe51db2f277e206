//! The threads that this copy of the library begins. Each ends with what it serves; they are known here so that whoever unloads the
//! library can wait for that.

use std::io;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{Builder, JoinHandle, ThreadId};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Between two looks at whether a thread has ended.
const LOOK: Duration = Duration::from_millis(1);

/// Begun, and not joined yet.
static BEGUN: Mutex<Vec<JoinHandle<()>>> = Mutex::new(Vec::new());

/// For a caller that waits for one thread.
pub(crate) struct Ended {
    thread: ThreadId,
    /// The thread drops the other end last.
    end: Receiver<()>,
}

impl Ended {
    /// Returns when the thread's work is over, at once in the thread itself.
    pub(crate) fn wait(&self) {
        if self.thread != std::thread::current().id() {
            let _ = self.end.recv();
        }
    }
}

/// Begins a thread.
///
/// # Errors
/// What the system says when it has none to give.
pub(crate) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<Ended> {
    let (working, end) = channel();
    let mut begun = BEGUN.lock();
    join_ended(&mut begun);
    let handle = Builder::new().name(name.to_owned()).spawn(move || {
        // dropped after the work, also where that panics
        let _working = working;
        run();
    })?;
    let thread = handle.thread().id();
    begun.push(handle);
    Ok(Ended { thread, end })
}

/// Waits until all have ended but the calling one; false when some have not by then.
pub(crate) fn join_all(patience: Duration) -> bool {
    let end = Instant::now() + patience;
    loop {
        let mut begun = BEGUN.lock();
        join_ended(&mut begun);
        if begun.is_empty() {
            return true;
        }
        drop(begun);
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(LOOK);
    }
}

fn join_ended(begun: &mut Vec<JoinHandle<()>>) {
    while let Some(ended) = begun.iter().position(JoinHandle::is_finished) {
        // one that panicked has said so
        let _ = begun.swap_remove(ended).join();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_goes_on_is_waited_for() {
        let (end, ended) = channel::<()>();
        spawn("raybatch-test", move || {
            let _ = ended.recv();
        })
        .expect("begins");
        assert!(!join_all(Duration::from_millis(5)));
        drop(end);
        // other tests of this process have threads, too
        while BEGUN.lock().iter().any(|t| t.thread().name() == Some("raybatch-test") && !t.is_finished()) {
            std::thread::yield_now();
        }
    }
}
