//! What Java holds numbers of.
//!
//! A handle is never an address and never used again, so a stale or forged one finds nothing. Numbers begin at a
//! random place: those of another copy of the library, or of an earlier process, find nothing either.

use std::cell::{Cell, OnceCell};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use jni::sys::jlong;
use parking_lot::RwLock;

use crate::batch::Client;
use crate::error::{Error, ErrorCode, Result};
use crate::store::{Hold, Journal, Mapping};
use crate::task::Tasks;

/// Open clients.
pub(super) static CLIENTS: LazyLock<Registry<Arc<Client>>> = LazyLock::new(Registry::new);

/// Memory held by direct buffers of Java. They outlive clients and stores.
pub(super) static HOLDS: LazyLock<Registry<Hold>> = LazyLock::new(Registry::new);

/// Arenas that Java has mapped. They outlive clients and stores.
pub(super) static MAPPINGS: LazyLock<Registry<Arc<Mapping>>> = LazyLock::new(Registry::new);

/// What is recorded of stores. They outlive clients and stores, so that the last notes can be read.
pub(super) static JOURNALS: LazyLock<Registry<Arc<Journal>>> = LazyLock::new(Registry::new);

/// Things by their numbers.
pub(super) struct Registry<T> {
    next: AtomicU64,
    /// handle → what it stands for
    entries: RwLock<HashMap<u64, T>>,
    /// Changes whenever something is removed.
    era: AtomicU64,
}

impl<T> Registry<T> {
    fn new() -> Self {
        // Without randomness it begins at 1: the numbers stay unique in this copy of the library.
        let start = getrandom::u64().unwrap_or(0) >> 16;
        Registry { next: AtomicU64::new(start + 1), entries: RwLock::default(), era: AtomicU64::new(0) }
    }

    /// The handle is positive.
    pub(super) fn insert(&self, thing: T) -> jlong {
        let handle = self.next.fetch_add(1, Ordering::Relaxed);
        self.entries.write().insert(handle, thing);
        handle as jlong
    }

    pub(super) fn remove(&self, handle: jlong) -> Option<T> {
        let removed = self.entries.write().remove(&(handle as u64));
        self.era.fetch_add(1, Ordering::Release);
        removed
    }

    pub(super) fn remove_all(&self) -> Vec<T> {
        let all = std::mem::take(&mut *self.entries.write());
        self.era.fetch_add(1, Ordering::Release);
        all.into_values().collect()
    }
}

impl<T: Clone> Registry<T> {
    pub(super) fn get(&self, handle: jlong) -> Option<T> {
        self.entries.read().get(&(handle as u64)).cloned()
    }
}

/// The client that a thread used last.
struct Recent {
    handle: jlong,
    era: u64,
    client: Arc<Client>,
    /// The table of tasks of its store, once it was asked for.
    tasks: OnceCell<Arc<Tasks>>,
}

thread_local! {
    static RECENT: Cell<Option<Recent>> = const { Cell::new(None) };
}

/// Runs `f` with the client of that handle.
///
/// A thread keeps the `Arc` it used last: two threads that put would otherwise count one counter up and down and so pass
/// its cache line to and fro. It is believed only while nothing was removed from the registry. A thread that never calls
/// again keeps a closed client, whose store has given its memory back, until it ends.
///
/// # Errors
/// `Closed` when the handle stands for nothing; else what `f` says.
pub(super) fn with_client<R>(handle: jlong, f: impl FnOnce(&Arc<Client>) -> Result<R>) -> Result<R> {
    with_recent(handle, |recent| f(&recent.client))
}

/// As [`with_client`], with the table of tasks of its store.
///
/// # Errors
/// As for [`Tasks::of`]; `Closed`; what `f` says.
pub(super) fn with_tasks<R>(handle: jlong, f: impl FnOnce(&Arc<Client>, &Tasks) -> Result<R>) -> Result<R> {
    with_recent(handle, |recent| {
        let tasks = match recent.tasks.get() {
            Some(tasks) => {
                recent.client.check_open()?;
                tasks
            }
            None => {
                let tasks = Tasks::of(&recent.client)?;
                recent.tasks.get_or_init(|| tasks)
            }
        };
        f(&recent.client, tasks)
    })
}

fn with_recent<R>(handle: jlong, f: impl FnOnce(&Recent) -> Result<R>) -> Result<R> {
    let era = CLIENTS.era.load(Ordering::Acquire);
    // While `f` runs the cell is empty, so that a call within this one finds nothing half used.
    let recent = RECENT.try_with(Cell::take).ok().flatten().filter(|r| r.handle == handle && r.era == era);
    let recent = match recent {
        Some(recent) => recent,
        None => Recent { handle, era, client: CLIENTS.get(handle).ok_or_else(closed)?, tasks: OnceCell::new() },
    };
    let outcome = f(&recent);
    // Fails only while the thread ends: then nothing is kept.
    let _ = RECENT.try_with(|cell| cell.set(Some(recent)));
    outcome
}

/// As [`with_client`], for what has nothing left to do when the client is closed.
pub(super) fn with_open_client(handle: jlong, f: impl FnOnce(&Arc<Client>) -> Result<()>) -> Result<()> {
    match CLIENTS.get(handle) {
        Some(client) => f(&client),
        None => Ok(()),
    }
}

fn closed() -> Error {
    Error::new(ErrorCode::Closed, "this RayApi is closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_positive_and_never_used_again() {
        let registry = Registry::new();
        let first = registry.insert("first");
        assert!(first > 0);
        assert_eq!(registry.remove(first), Some("first"));
        assert_eq!(registry.remove(first), None);
        let second = registry.insert("second");
        assert_ne!(first, second);
        assert_eq!(registry.get(first), None);
        assert_eq!(registry.get(second), Some("second"));
        assert_eq!(registry.get(-1), None);
        assert_eq!(registry.get(0), None);
    }

    #[test]
    fn an_unknown_client_is_closed() {
        for handle in [0, -1, i64::MAX, i64::MIN] {
            let outcome = with_client(handle, |_| Ok(()));
            assert_eq!(outcome.err().map(|e| e.code()), Some(ErrorCode::Closed));
            assert!(with_open_client(handle, |_| Ok(())).is_ok());
        }
    }
}
