//! The arena: one mapped file, its address space reserved once, lent in runs of pages.
//!
//! An address in it is always mapped: to the file where memory was allocated for real (`fallocate`), to zero pages
//! elsewhere. So a stray read (of a reader that will fail its validation) never faults, and memory that cannot be had is
//! an error of `lend`, never a signal. Memory is asked for and given back in strides.
//!
//! Locks: `remap`, then `extents`. Nothing is called with either held but the system.

mod strides;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use memmap2::{MmapOptions, MmapRaw};
use parking_lot::Mutex;
use rustix::fs::{FlockOperation, MemfdFlags, Mode, OFlags, SealFlags};

use super::copy::{Span, SpanMut};
use super::extents::Extents;
use super::faults::{FaultPoint, Faults};
use super::holders::Holders;
use super::layout::{LAYOUT_VERSION, MAGIC, PAGE, STRIDE, WINDOW_PAGES};
use super::leftovers;
use super::pressure::Pressure;
use super::share::TooMuch;
use super::system::{Scarce, SystemMemory};
use crate::error::{Error, ErrorCode, Result};

/// See the module.
pub(crate) struct Arena {
    /// Owns the reservation: unmapped when the last run, pin or buffer is gone.
    map: MmapRaw,
    /// Bytes of the reservation before the arena, which begins at a multiple of a stride: so a stride can be a huge page.
    before: usize,
    len: u64,
    file: File,
    path: Option<PathBuf>,
    extents: Mutex<Extents>,
    /// One bit per stride: set when memory is allocated and the file is mapped there.
    backed: Box<[AtomicU64]>,
    backed_strides: AtomicU64,
    remap: Mutex<Remap>,
    faults: Arc<dyn Faults>,
    /// Where its pages can go nowhere but memory.
    system: Option<SystemMemory>,
    /// The strides from this one on are for what is never given back, which takes little at a time.
    kept_stride: u64,
    holders: Holders,
    /// told of each loan, in a store that spills
    pressure: OnceLock<Arc<Pressure>>,
}

/// Why no pages were lent. Cheap to make, for whoever evicts and tries again; [`Arena::explain`] makes an error of it.
#[derive(Debug)]
pub(crate) struct NoRoom {
    pages: u64,
    cause: Option<io::Error>,
    closed: bool,
    /// nobody asked the system: it was not to be
    too_much: Option<TooMuch>,
}

/// Held while the mapping changes.
struct Remap {
    closed: bool,
}

impl NoRoom {
    /// There may be room, but not for this one.
    pub(crate) fn too_much(pages: u64, why: TooMuch) -> NoRoom {
        NoRoom { pages, cause: None, closed: false, too_much: Some(why) }
    }

    /// What was asked for.
    pub(crate) fn bytes(&self) -> u64 {
        self.pages * PAGE
    }

    /// True if there may be room for others.
    pub(crate) fn is_too_much(&self) -> bool {
        self.too_much.is_some()
    }
}

impl Arena {
    /// As `open_beside`, and takes what memory the system gives.
    #[cfg(test)]
    pub(crate) fn open(capacity: u64, path: Option<&Path>, name: &str, faults: Arc<dyn Faults>) -> Result<Arc<Self>> {
        Arena::open_beside(capacity, path, name, 0, faults)
    }

    /// Creates the file and reserves its address space; allocates nothing but the first page. It leaves so many bytes of memory
    /// to other programs.
    pub(crate) fn open_beside(
        capacity: u64,
        path: Option<&Path>,
        name: &str,
        margin: u64,
        faults: Arc<dyn Faults>,
    ) -> Result<Arc<Self>> {
        let fail = |what: &str, e: io::Error| {
            let place = path.map_or_else(|| "in memory".to_owned(), |p| format!("at {}", p.display()));
            Error::new(ErrorCode::StoreOpen, format!("store '{name}' of {capacity} bytes {place}: cannot {what}: {e}"))
        };
        let len = capacity / PAGE * PAGE;
        let file = faults.check(FaultPoint::File).and_then(|()| match path {
            None => memory_file(name, len),
            Some(path) => named_file(path, len),
        });
        let file = file.map_err(|e| fail("create its file", e))?;
        let map = faults
            .check(FaultPoint::Reserve)
            .and_then(|()| MmapOptions::new().len((len + STRIDE) as usize).no_reserve_swap().map_anon())
            .map_err(|e| fail("reserve its address space", e))?;
        let map = MmapRaw::from(map);
        let before = map.as_ptr().align_offset(STRIDE as usize);
        let system = is_memory(&file).then(|| SystemMemory::new(margin));
        let kept = first_kept(len / PAGE);
        let arena = Arc::new(Arena {
            map,
            before,
            len,
            file,
            system,
            kept_stride: kept * PAGE / STRIDE,
            holders: Holders::new(len),
            path: path.map(Path::to_owned),
            extents: Mutex::new(Extents::new(len / PAGE, WINDOW_PAGES, kept)),
            backed: (0..len.div_ceil(STRIDE).div_ceil(64)).map(|_| AtomicU64::new(0)).collect(),
            backed_strides: AtomicU64::new(0),
            remap: Mutex::new(Remap { closed: false }),
            faults,
            pressure: OnceLock::new(),
        });
        let first = arena.extents.lock().take(1);
        debug_assert_eq!(first, Some(0));
        if let Err(e) = arena.back(0, 1) {
            arena.close();
            return Err(fail(
                "allocate its first memory",
                e.cause.unwrap_or_else(|| io::ErrorKind::OutOfMemory.into()),
            ));
        }
        for (at, word) in [MAGIC, LAYOUT_VERSION, PAGE, len].into_iter().enumerate() {
            arena.word(at as u64 * 8).store(word, Ordering::Relaxed);
        }
        Ok(arena)
    }

    /// Bytes.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Regions that hold much of it.
    pub(crate) fn holders(&self) -> &Holders {
        &self.holders
    }

    /// Has each loan told, from now on.
    pub(crate) fn tell(&self, pressure: &Arc<Pressure>) {
        let _ = self.pressure.set(Arc::clone(pressure));
    }

    /// Bytes lent, to somebody or on their way back to the system.
    pub(crate) fn taken(&self) -> u64 {
        self.len - self.extents.lock().free() * PAGE
    }

    /// Bytes lent. Waits for those on their way back to the system, which nobody was lent.
    pub(crate) fn used(&self) -> u64 {
        let _quiet = self.remap.lock();
        self.taken()
    }

    /// Bytes of the largest run that could be lent.
    pub(crate) fn largest_free(&self) -> u64 {
        self.extents.lock().largest() * PAGE
    }

    /// Bytes the system has allocated for the arena.
    pub(crate) fn backed(&self) -> u64 {
        (self.backed_strides.load(Ordering::Relaxed) * STRIDE).min(self.len)
    }

    /// True if `offset .. offset + len` is inside.
    pub(crate) fn contains(&self, offset: u64, len: u64) -> bool {
        offset <= self.len && len <= self.len - offset
    }

    /// The address of an offset that is inside.
    ///
    /// # Safety
    /// `offset` must be at most `len`.
    #[inline(always)]
    unsafe fn at(&self, offset: u64) -> *mut u8 {
        // SAFETY: the reservation is a stride longer than the arena, and `before` is less than one.
        unsafe { self.map.as_mut_ptr().add(self.before + offset as usize) }
    }

    /// The word at a multiple of 8.
    ///
    /// # Panics
    /// When it is not inside, or not aligned: a defect, for every offset is checked where it is read.
    pub(crate) fn word(&self, offset: u64) -> &AtomicU64 {
        assert!(offset.is_multiple_of(8) && self.contains(offset, 8), "word at {offset} of {}", self.len);
        // SAFETY: inside the reservation, which stays mapped while self lives; aligned, since the base is page-aligned;
        // all accesses from Rust are atomic.
        unsafe { &*self.at(offset).cast::<AtomicU64>() }
    }

    /// Some words from a multiple of 8 on.
    ///
    /// # Panics
    /// As `word`.
    pub(crate) fn words<const N: usize>(&self, offset: u64) -> &[AtomicU64; N] {
        assert!(offset.is_multiple_of(8) && self.contains(offset, 8 * N as u64), "words at {offset} of {}", self.len);
        // SAFETY: as for `word`; an array of atomics is laid out as its words are.
        unsafe { &*self.at(offset).cast::<[AtomicU64; N]>() }
    }

    /// Memory for reading; to be validated unless it is pinned.
    ///
    /// # Panics
    /// When it is not inside.
    pub(crate) fn span(&self, offset: u64, len: u64) -> Span<'_> {
        assert!(self.contains(offset, len), "{offset}+{len} of {}", self.len);
        // SAFETY: inside the reservation, which stays mapped while self is borrowed and is a whole number of words.
        unsafe { Span::new(self.at(offset), len as usize) }
    }

    /// Memory for writing, by whoever was lent it.
    ///
    /// # Panics
    /// When it is not inside.
    pub(crate) fn span_mut(&self, offset: u64, len: u64) -> SpanMut<'_> {
        assert!(self.contains(offset, len), "{offset}+{len} of {}", self.len);
        // SAFETY: as for `span`; callers write only to runs lent to them, and give each object's bytes to one writer.
        unsafe { SpanMut::new(self.at(offset), len as usize) }
    }

    /// Lends pages, their memory allocated for real.
    pub(crate) fn lend(&self, pages: u64) -> Result<u64, NoRoom> {
        self.lend_from(pages, Extents::take)
    }

    /// Lends pages that are never given back.
    pub(crate) fn lend_for_good(&self, pages: u64) -> Result<u64, NoRoom> {
        self.lend_from(pages, Extents::take_for_good)
    }

    fn lend_from(&self, pages: u64, take: impl Fn(&mut Extents, u64) -> Option<u64>) -> Result<u64, NoRoom> {
        let no_room = |cause| NoRoom { pages, cause, closed: false, too_much: None };
        self.faults.check(FaultPoint::Run).map_err(|e| no_room(Some(e)))?;
        let mut taken = take(&mut self.extents.lock(), pages);
        if taken.is_none() {
            // Pages on their way back to the system are not free for a moment: wait for that, and look again.
            let _quiet = self.remap.lock();
            taken = take(&mut self.extents.lock(), pages);
        }
        let mut page = taken.ok_or_else(|| no_room(None))?;
        if let Err(e) = self.back(page, pages) {
            let mut extents = self.extents.lock();
            extents.give(page, pages);
            page = self.take_backed(&mut extents, pages).ok_or(e)?;
        }
        if let Some(pressure) = self.pressure.get() {
            pressure.lent(self.taken());
        }
        super::seqlock::before_reuse();
        Ok(page)
    }

    /// Takes runs back, as (first page, pages).
    pub(crate) fn give_back(&self, runs: &[(u64, u64)]) {
        let mut extents = self.extents.lock();
        for &(page, pages) in runs {
            extents.give(page, pages);
        }
    }

    /// `StoreFull` with what was needed and what there is, or `Closed`.
    pub(crate) fn explain(&self, no_room: &NoRoom) -> Error {
        if no_room.closed {
            return Error::new(ErrorCode::Closed, "the store is closed");
        }
        let (free, largest) = {
            let extents = self.extents.lock();
            (extents.free() * PAGE, extents.largest() * PAGE)
        };
        let needed = no_room.pages * PAGE;
        let cause = no_room.cause.as_ref().map_or_else(String::new, |e| format!("; the system said: {e}"));
        let len = self.len;
        let scarce = no_room.cause.as_ref().and_then(|e| e.get_ref()).filter(|e| e.is::<Scarce>());
        let text = match (&no_room.too_much, scarce) {
            (Some(too_much), _) => format!("memory is short: {needed} bytes needed, {free} of {len} free; {too_much}"),
            (None, Some(scarce)) => format!(
                "the store cannot grow: {needed} bytes needed in one run, {free} of {len} free, but {scarce}; end or collect \
                 batches, end other programs, or set a smaller memoryMargin"
            ),
            (None, None) => format!(
                "the store is full: {needed} bytes needed in one run, {free} of {len} free, {largest} in the largest free \
                 run{cause}; end or collect batches, or open a larger store"
            ),
        };
        Error::new(ErrorCode::StoreFull, text).facts([needed as i64, free as i64, largest as i64])
    }

    /// Maps zero pages over everything and gives all memory back. Addresses stay reserved while anybody holds the arena.
    pub(crate) fn close(&self) {
        let mut remap = self.remap.lock();
        if std::mem::replace(&mut remap.closed, true) {
            return;
        }
        if let Err(e) = self.map_zero_pages(0, self.len) {
            log::warn!("the arena could not be unmapped at close: {e}");
        }
        // Holds may keep the mapping, and so the file, for long: its memory goes now.
        if let Err(e) = self.punch(0, self.len) {
            log::debug!("the arena's memory goes with its file: {e}");
        }
        if let Some(path) = &self.path
            && leftovers::is_at(&self.file, path)
            && let Err(e) = std::fs::remove_file(path)
        {
            log::warn!("the arena's file {} could not be removed: {e}", path.display());
        }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        self.close();
    }
}

/// Repeats a call that a signal interrupted.
fn retry(mut call: impl FnMut() -> rustix::io::Result<()>) -> io::Result<()> {
    loop {
        match call() {
            Err(rustix::io::Errno::INTR) => {}
            other => return Ok(other?),
        }
    }
}

/// From which page on an arena's pages are for what is never given back: headers of regions and leases. A batch with one page of
/// index and one of data needs a header of a thirty-second of that.
fn first_kept(pages: u64) -> u64 {
    const PART: u64 = 32;
    let kept = pages - pages / PART;
    // between two strides where that changes little
    if pages / PART >= STRIDE / PAGE { kept / (STRIDE / PAGE) * (STRIDE / PAGE) } else { kept }
}

/// True for a file whose pages can go nowhere but memory.
fn is_memory(file: &File) -> bool {
    const TMPFS: i64 = 0x0102_1994;
    const RAMFS: i64 = 0x8584_58f6;
    const HUGETLBFS: i64 = 0x9584_58f6;
    rustix::fs::fstatfs(file).is_ok_and(|fs| [TMPFS, RAMFS, HUGETLBFS].contains(&fs.f_type))
}

fn memory_file(name: &str, len: u64) -> io::Result<File> {
    let name: String = name.chars().filter(|c| c.is_ascii_graphic()).take(200).collect();
    let fd = rustix::fs::memfd_create(format!("raybatch-{name}"), MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    // nobody else opens it through /proc
    rustix::fs::fchmod(&fd, Mode::RUSR | Mode::WUSR)?;
    rustix::fs::ftruncate(&fd, len)?;
    rustix::fs::fcntl_add_seals(&fd, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(File::from(fd))
}

/// Creates an arena's file. One that a crash left over is removed, and never truncated: another process may still have it mapped,
/// and would be killed by what it reads there.
fn named_file(path: &Path, len: u64) -> io::Result<File> {
    const TRIES: u32 = 16;
    let mut left_over = None;
    for _ in 0..TRIES {
        let file = match open_locked(path)? {
            Some(file) => file,
            None => continue, // somebody removed it meanwhile
        };
        if file.metadata()?.len() == 0 {
            // the lock of the one before is held until nobody can find that any more
            drop(left_over);
            leftovers::remove(path);
            return sized(file, path, len);
        }
        let mut head = [0u8; 8];
        if file.read_exact_at(&mut head, 0).is_err() || u64::from_le_bytes(head) != MAGIC {
            let what = "the file exists and is no left-over arena; it is not overwritten";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
        }
        std::fs::remove_file(path)?;
        left_over = Some(file);
    }
    Err(io::Error::new(io::ErrorKind::AddrInUse, "other programs create and remove this file all the time"))
}

/// Opens a file, creates it if need be, and locks it. `None` if it has that name no more.
fn open_locked(path: &Path) -> io::Result<Option<File>> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| io::Error::new(io::ErrorKind::AddrInUse, "another store uses this file"))?;
    Ok(leftovers::is_at(&file, path).then_some(file))
}

/// Gives an empty file its size.
fn sized(file: File, path: &Path, len: u64) -> io::Result<File> {
    rustix::fs::fchmod(&file, Mode::RUSR | Mode::WUSR)?;
    let fs = rustix::fs::fstatvfs(&file)?;
    let free = fs.f_bavail.saturating_mul(fs.f_frsize);
    let result = if free < len {
        let what = format!("only {free} bytes are free on its file system; name a smaller size or another path");
        Err(io::Error::new(io::ErrorKind::StorageFull, what))
    } else {
        rustix::fs::ftruncate(&file, len).map_err(io::Error::from)
    };
    if let Err(e) = result {
        // ours: empty, and locked by us
        let _ = std::fs::remove_file(path);
        return Err(e);
    }
    Ok(file)
}
