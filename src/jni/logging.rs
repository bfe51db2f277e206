//! Where log records go: to standard error as `RAYBATCH_LOG` says, or to Java when it asks for them.
//!
//! Whoever logs may hold locks, so Java is never called from there: records pass through a bounded queue to one thread, which there is
//! while a client is open. When the queue is full they are dropped, and counted.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use jni::sys::jint;
use log::{LevelFilter, Log, Metadata, Record};
use parking_lot::{Mutex, RwLock};

use super::java::java;
use super::threads::with_java;
use crate::error::{Error, ErrorCode, Result};
use crate::threads;

const QUEUE: usize = 1024;

struct Line {
    level: jint,
    target: String,
    message: String,
}

struct Logger {
    /// As `RAYBATCH_LOG` says; `None` without it.
    stderr: Option<env_logger::Logger>,
    /// The least severe level that Java wants, as a `LevelFilter`.
    java: AtomicU8,
    /// While a client is open and Java wants any.
    queue: RwLock<Option<SyncSender<Line>>>,
    /// Open clients, and those that are about to be. What changes the queue holds it.
    clients: Mutex<usize>,
    dropped: AtomicU64,
}

static LOGGER: OnceLock<Logger> = OnceLock::new();

impl Logger {
    fn wanted_by_java(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() as u8 <= self.java.load(Ordering::Relaxed)
    }

    fn most_verbose(&self) -> LevelFilter {
        let java = level(self.java.load(Ordering::Relaxed).into()).unwrap_or(LevelFilter::Off);
        self.stderr.as_ref().map_or(LevelFilter::Off, |l| l.filter()).max(java)
    }

    fn to_java(&self, record: &Record<'_>) {
        let queue = self.queue.read();
        let Some(queue) = &*queue else { return };
        let line = Line {
            level: record.level() as jint,
            target: record.target().to_owned(),
            message: record.args().to_string(),
        };
        if let Err(TrySendError::Full(_)) = queue.try_send(line) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.stderr.as_ref().is_some_and(|l| l.enabled(metadata)) || self.wanted_by_java(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if let Some(stderr) = &self.stderr {
            stderr.log(record);
        }
        if self.wanted_by_java(record.metadata()) {
            self.to_java(record);
        }
    }

    fn flush(&self) {
        if let Some(stderr) = &self.stderr {
            stderr.flush();
        }
    }
}

/// Makes this the process's logger, if it has none. Once per copy of the library.
pub(super) fn install() {
    let logger = LOGGER.get_or_init(|| Logger {
        stderr: std::env::var("RAYBATCH_LOG")
            .ok()
            .map(|filter| env_logger::Builder::new().parse_filters(&filter).build()),
        java: AtomicU8::new(0),
        queue: RwLock::default(),
        clients: Mutex::default(),
        dropped: AtomicU64::new(0),
    });
    if log::set_logger(logger).is_ok() {
        log::set_max_level(logger.most_verbose());
    }
}

/// Sends Java the records of that level and above: 0 none, 1 errors, … 5 all.
///
/// # Errors
/// `InvalidArgument` for another number.
pub(super) fn to_java(number: jint) -> Result<()> {
    let filter = level(number)
        .ok_or_else(|| Error::new(ErrorCode::InvalidArgument, format!("a log level is 0 to 5, not {number}")))?;
    let Some(logger) = LOGGER.get() else { return Ok(()) };
    logger.java.store(filter as u8, Ordering::Relaxed);
    log::set_max_level(logger.most_verbose());
    let clients = logger.clients.lock();
    logger.begin_if_needed(*clients);
    Ok(())
}

/// An open client, for as long as it is one: with the last of them the log thread ends.
pub(super) fn client_opens() {
    let Some(logger) = LOGGER.get() else { return };
    let mut clients = logger.clients.lock();
    *clients += 1;
    logger.begin_if_needed(*clients);
}

/// It has closed, or could not be opened.
pub(super) fn client_closed() {
    let Some(logger) = LOGGER.get() else { return };
    let mut clients = logger.clients.lock();
    *clients = clients.saturating_sub(1);
    if *clients == 0 {
        // the thread passes on what is in the queue, and ends
        *logger.queue.write() = None;
    }
}

/// Java is not there any more.
pub(super) fn rest() {
    let Some(logger) = LOGGER.get() else { return };
    logger.java.store(0, Ordering::Relaxed);
    log::set_max_level(logger.most_verbose());
    *logger.clients.lock() = 0;
    *logger.queue.write() = None;
}

impl Logger {
    fn begin_if_needed(&'static self, clients: usize) {
        if clients == 0 || self.java.load(Ordering::Relaxed) == 0 || self.queue.read().is_some() {
            return;
        }
        let (sender, receiver) = sync_channel(QUEUE);
        match threads::spawn("raybatch-log", move || deliver(&receiver, self)) {
            Ok(_) => *self.queue.write() = Some(sender),
            Err(e) => eprintln!("raybatch: no thread for log records: {e}"),
        }
    }
}

fn level(number: jint) -> Option<LevelFilter> {
    use LevelFilter::{Debug, Error, Info, Off, Trace, Warn};
    [Off, Error, Warn, Info, Debug, Trace].get(usize::try_from(number).ok()?).copied()
}

/// The log thread.
fn deliver(queue: &Receiver<Line>, logger: &Logger) {
    for line in queue {
        let dropped = logger.dropped.swap(0, Ordering::Relaxed);
        let outcome = java().map(|java| {
            with_java(|env| {
                env.with_local_frame(8, |env| {
                    if dropped > 0 {
                        let text = format!("{dropped} log records were dropped: more came than could be passed on");
                        java.log(env, 2, module_path!(), &text)?;
                    }
                    java.log(env, line.level, &line.target, &line.message)
                })
            })
        });
        if !matches!(outcome, Ok(Ok(()))) {
            eprintln!("raybatch: {}: {}", line.target, line.message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_of_java() {
        assert_eq!(level(0), Some(LevelFilter::Off));
        assert_eq!(level(1), Some(LevelFilter::Error));
        assert_eq!(level(5), Some(LevelFilter::Trace));
        assert_eq!((level(6), level(-1)), (None, None));
    }
}
