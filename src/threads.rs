//! The threads that this copy of the library begins. Each ends with what it serves; they are known here so that whoever unloads the
//! library can wait for that.

use std::io;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Between two looks at whether a thread has ended.
const LOOK: Duration = Duration::from_millis(1);

/// Begun, and not joined yet.
static BEGUN: Mutex<Vec<JoinHandle<()>>> = Mutex::new(Vec::new());

/// Begins a thread.
///
/// # Errors
/// What the system says when it has none to give.
pub(crate) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let mut begun = BEGUN.lock();
    join_ended(&mut begun);
    begun.push(Builder::new().name(name.to_owned()).spawn(run)?);
    Ok(())
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
    use std::sync::mpsc::channel;

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
