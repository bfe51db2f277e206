//! Gives the room of files back behind the back of those who read and collect: the system goes through all that it holds of a
//! file for that, which takes it nearly as long as reading it.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Between two tries of what is to be done later.
const PAUSE: Duration = Duration::from_millis(10);

/// Whether a chore is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Progress {
    Done,
    /// It is to be tried again in a while.
    Later,
}

/// Takes whether it is to be done now in any case.
type Chore = Box<dyn FnMut(bool) -> Progress + Send>;

enum Wish {
    Do(Chore),
    /// All that came before is to be done now; who wishes it waits until the other end is dropped.
    CatchUp(#[allow(dead_code, reason = "it is dropped when all is done")] Sender<()>),
}

/// A thread that is begun with the first chore, and ends when this is dropped and all are done.
#[derive(Default)]
pub(super) struct Tidier {
    wishes: Mutex<Option<Sender<Wish>>>,
}

impl Tidier {
    /// Has something done soon, or does it now where no thread can be had. It must not panic.
    pub(super) fn later(&self, chore: impl FnMut(bool) -> Progress + Send + 'static) {
        let mut wishes = self.wishes.lock();
        if wishes.is_none() {
            *wishes = begin();
        }
        let refused = match &*wishes {
            Some(sender) => sender.send(Wish::Do(Box::new(chore))).err().map(|e| e.0),
            None => Some(Wish::Do(Box::new(chore))),
        };
        drop(wishes);
        if let Some(Wish::Do(mut chore)) = refused {
            chore(true);
        }
    }

    /// Writes, and once more if the disk, or whoever's share of it, is full and there may be room when what was left for later is done.
    ///
    /// # Errors
    /// What writing says.
    pub(super) fn with_room(&self, mut write: impl FnMut() -> io::Result<()>) -> io::Result<()> {
        let written = write();
        let full = |e: &io::Error| matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        if written.as_ref().is_err_and(full) {
            self.catch_up();
            return write();
        }
        written
    }

    /// Returns when all is done that was left to it before.
    fn catch_up(&self) {
        let (done, all_done) = channel();
        match &*self.wishes.lock() {
            Some(sender) => drop(sender.send(Wish::CatchUp(done))),
            None => drop(done),
        }
        // it fails when its other end goes: with the wish, or at once where nothing was left to do
        let _ = all_done.recv();
    }
}

fn begin() -> Option<Sender<Wish>> {
    let (sender, wishes) = channel();
    let began = crate::threads::spawn("raybatch-tidier", move || run(&wishes));
    began.inspect_err(|e| log::warn!("spilling: no thread that gives room back: {e}")).ok().map(|_| sender)
}

fn run(wishes: &Receiver<Wish>) {
    let mut later: VecDeque<Chore> = VecDeque::new();
    let mut tried = Instant::now();
    loop {
        let next = if later.is_empty() {
            wishes.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            wishes.recv_timeout(PAUSE.saturating_sub(tried.elapsed()))
        };
        match next {
            Ok(Wish::Do(mut chore)) => {
                if chore(false) == Progress::Later {
                    later.push_back(chore);
                }
            }
            Ok(Wish::CatchUp(_done)) => hurry(&mut later),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return hurry(&mut later),
        }
        if tried.elapsed() >= PAUSE {
            later.retain_mut(|chore| chore(false) == Progress::Later);
            tried = Instant::now();
        }
    }
}

fn hurry(chores: &mut VecDeque<Chore>) {
    for mut chore in chores.drain(..) {
        chore(true);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn chores_are_done_in_order_and_can_be_waited_for() {
        let tidier = Tidier::default();
        tidier.catch_up();
        let done = Arc::new(AtomicU32::new(0));
        for n in 0..100 {
            let done = Arc::clone(&done);
            tidier.later(move |_| {
                assert_eq!(done.fetch_add(1, Ordering::Relaxed), n);
                Progress::Done
            });
        }
        tidier.catch_up();
        assert_eq!(done.load(Ordering::Relaxed), 100);
    }

    #[test]
    fn what_is_not_ready_is_tried_again_and_done_at_once_in_haste() {
        let tidier = Tidier::default();
        let (told, tries) = channel();
        tidier.later(move |in_haste| {
            told.send(in_haste).expect("somebody listens");
            if in_haste { Progress::Done } else { Progress::Later }
        });
        assert_eq!((tries.recv(), tries.recv()), (Ok(false), Ok(false)));
        tidier.catch_up();
        assert!(tries.iter().any(|in_haste| in_haste));
    }
}
