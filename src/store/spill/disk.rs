//! The system's files, as far as spilling needs them.

use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Advice, FallocateFlags, Mode, OFlags};

use crate::store::faults::{FaultPoint, Faults};

/// Where files are made. Tests have one that fails, lies, or is slow.
pub trait Disk: Send + Sync {
    /// Makes a file that was not there, for its owner only.
    ///
    /// # Errors
    /// The system's.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file to read and write, never through a link.
    ///
    /// # Errors
    /// The system's; `NotFound` when it is not there.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Removes a file.
    ///
    /// # Errors
    /// The system's.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Has the system write a part of a file to the disk soon, and not keep in its cache what of it is written already. A hint.
    ///
    /// # Errors
    /// The system's; not every file system can.
    fn uncache(&self, path: &Path, at: u64, len: u64) -> io::Result<()> {
        let _ = (path, at, len);
        Ok(())
    }
}

/// An open file.
pub trait DiskFile: Send + Sync {
    /// Writes some of the bytes; how many.
    ///
    /// # Errors
    /// The system's.
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<usize>;

    /// Reads some bytes; how many, 0 at the end.
    ///
    /// # Errors
    /// The system's.
    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<usize>;

    /// Makes it that long, and gives back what was allocated behind.
    ///
    /// # Errors
    /// The system's.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Takes room for what will be written there, without making the file longer.
    ///
    /// # Errors
    /// The system's; not every file system can.
    fn allocate(&self, at: u64, len: u64) -> io::Result<()>;

    /// Gives the room of a part back; that part reads as zero.
    ///
    /// # Errors
    /// The system's; not every file system can.
    fn punch(&self, at: u64, len: u64) -> io::Result<()>;
}

/// The system's own disks.
pub struct LocalDisk {
    faults: Arc<dyn Faults>,
}

impl LocalDisk {
    /// A disk that fails where `faults` says.
    #[must_use]
    pub fn new(faults: Arc<dyn Faults>) -> Self {
        LocalDisk { faults }
    }

    fn at(&self, path: &Path, more: OFlags) -> io::Result<Box<dyn DiskFile>> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | more;
        let file = File::from(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?);
        Ok(Box::new(LocalFile { file, faults: Arc::clone(&self.faults) }))
    }
}

impl Disk for LocalDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.faults.check(FaultPoint::SpillCreate)?;
        self.at(path, OFlags::CREATE | OFlags::EXCL)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.faults.check(FaultPoint::SpillOpen)?;
        self.at(path, OFlags::empty())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.faults.check(FaultPoint::SpillRemove)?;
        std::fs::remove_file(path)
    }

    fn uncache(&self, path: &Path, at: u64, len: u64) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::open(path, flags, Mode::empty())?;
        Ok(rustix::fs::fadvise(file, at, NonZeroU64::new(len), Advice::DontNeed)?)
    }
}

struct LocalFile {
    file: File,
    faults: Arc<dyn Faults>,
}

impl DiskFile for LocalFile {
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<usize> {
        self.faults.check(FaultPoint::SpillWrite)?;
        self.file.write_at(bytes, at)
    }

    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<usize> {
        self.faults.check(FaultPoint::SpillRead)?;
        self.file.read_at(bytes, at)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn allocate(&self, at: u64, len: u64) -> io::Result<()> {
        Ok(rustix::fs::fallocate(&self.file, FallocateFlags::KEEP_SIZE, at, len)?)
    }

    fn punch(&self, at: u64, len: u64) -> io::Result<()> {
        self.faults.check(FaultPoint::SpillPunch)?;
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        Ok(rustix::fs::fallocate(&self.file, hole, at, len)?)
    }
}
