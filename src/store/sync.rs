//! The atomics and cells of the lock-free parts, in one place so that loom can stand in for them.

#[cfg(not(loom))]
pub(crate) use std::{
    cell::UnsafeCell,
    sync::atomic::{AtomicU32, Ordering, fence},
};

#[cfg(loom)]
pub(crate) use loom::{
    cell::UnsafeCell,
    sync::atomic::{AtomicU32, Ordering, fence},
};

/// `UnsafeCell::with_mut` of loom, for the standard cell as well.
#[cfg(not(loom))]
pub(crate) fn cell_ptr<T>(cell: &UnsafeCell<T>) -> *mut T {
    cell.get()
}

/// Tells loom of the access and hands out the pointer.
#[cfg(loom)]
pub(crate) fn cell_ptr<T>(cell: &UnsafeCell<T>) -> *mut T {
    cell.with_mut(|p| p)
}
