//! Where the store asks the system for something, tests can make it say no.

use std::io;
use std::str::FromStr;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::error::{Error, ErrorCode};

/// A place at which the store depends on the system, or on free memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum FaultPoint {
    /// Creating, opening or sizing the arena's file.
    File = 0,
    /// Reserving the arena's address space.
    Reserve = 1,
    /// Lending a run of pages.
    Run = 2,
    /// Having the system allocate memory for a stride (`fallocate`).
    Commit = 3,
    /// Mapping a stride of the file.
    Map = 4,
    /// Giving a stride back to the system.
    Decommit = 5,
    /// Creating a spill file.
    SpillCreate = 6,
    /// Opening one again.
    SpillOpen = 7,
    /// Writing to one.
    SpillWrite = 8,
    /// Reading from one.
    SpillRead = 9,
    /// Removing one.
    SpillRemove = 10,
    /// Giving a part of one back to the file system.
    SpillPunch = 11,
}

impl FaultPoint {
    /// All points.
    pub const ALL: [FaultPoint; 12] = [
        FaultPoint::File,
        FaultPoint::Reserve,
        FaultPoint::Run,
        FaultPoint::Commit,
        FaultPoint::Map,
        FaultPoint::Decommit,
        FaultPoint::SpillCreate,
        FaultPoint::SpillOpen,
        FaultPoint::SpillWrite,
        FaultPoint::SpillRead,
        FaultPoint::SpillRemove,
        FaultPoint::SpillPunch,
    ];

    /// The name used by tests of other languages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            FaultPoint::File => "file",
            FaultPoint::Reserve => "reserve",
            FaultPoint::Run => "run",
            FaultPoint::Commit => "commit",
            FaultPoint::Map => "map",
            FaultPoint::Decommit => "decommit",
            FaultPoint::SpillCreate => "spill-create",
            FaultPoint::SpillOpen => "spill-open",
            FaultPoint::SpillWrite => "spill-write",
            FaultPoint::SpillRead => "spill-read",
            FaultPoint::SpillRemove => "spill-remove",
            FaultPoint::SpillPunch => "spill-punch",
        }
    }
}

impl FromStr for FaultPoint {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        FaultPoint::ALL.into_iter().find(|p| p.name() == name).ok_or_else(|| {
            let names: Vec<_> = FaultPoint::ALL.iter().map(|p| p.name()).collect();
            Error::new(ErrorCode::InvalidArgument, format!("no fault point {name:?}; there are {}", names.join(", ")))
        })
    }
}

/// Asked before each operation at a [`FaultPoint`].
pub trait Faults: Send + Sync {
    /// # Errors
    /// Any error: the store takes it as the system's answer.
    fn check(&self, point: FaultPoint) -> io::Result<()>;

    /// What memory the system has, in bytes, when a store is about to take `wanted` of it; `None`: what it says itself.
    fn available(&self, wanted: u64) -> Option<u64> {
        let _ = wanted;
        None
    }
}

/// Nothing fails that the system does not fail.
pub struct NoFaults;

impl Faults for NoFaults {
    fn check(&self, _point: FaultPoint) -> io::Result<()> {
        Ok(())
    }
}

/// Fails the nth operation at a point, once.
#[derive(Default)]
pub struct NthFault {
    /// Operations left until the failure, by point; 0 is disarmed.
    left: [AtomicI64; FaultPoint::ALL.len()],
}

impl NthFault {
    /// Disarmed everywhere.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The `nth` operation from now fails (1: the next one); 0 disarms.
    pub fn arm(&self, point: FaultPoint, nth: u64) {
        self.left[point as usize].store(i64::try_from(nth).unwrap_or(i64::MAX), Ordering::SeqCst);
    }

    /// True if the armed failure has not come yet.
    #[must_use]
    pub fn armed(&self, point: FaultPoint) -> bool {
        self.left[point as usize].load(Ordering::SeqCst) > 0
    }
}

impl Faults for NthFault {
    fn check(&self, point: FaultPoint) -> io::Result<()> {
        let left = &self.left[point as usize];
        if left.load(Ordering::Relaxed) <= 0 || left.fetch_sub(1, Ordering::SeqCst) != 1 {
            return Ok(());
        }
        Err(io::Error::other(format!("injected: {}", point.name())))
    }
}
