//! The lock of the task table, in one place so that shuttle can stand in for it.

#[cfg(not(shuttle))]
pub(super) use parking_lot::Mutex;

#[cfg(shuttle)]
pub(super) use self::modelled::Mutex;

#[cfg(shuttle)]
mod modelled {
    use shuttle::sync::{Mutex as Inner, MutexGuard, TryLockError};

    /// shuttle's, with the face of `parking_lot`'s.
    #[derive(Default)]
    pub(in crate::task) struct Mutex<T>(Inner<T>);

    impl<T> Mutex<T> {
        pub(in crate::task) fn new(value: T) -> Self {
            Mutex(Inner::new(value))
        }

        pub(in crate::task) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
        }

        pub(in crate::task) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            match self.0.try_lock() {
                Ok(guard) => Some(guard),
                Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => None,
            }
        }
    }
}
