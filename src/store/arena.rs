//! The arena: one mapped file, its address space reserved once, lent in runs of pages.
//!
//! An address in it is always mapped: to the file where memory was allocated for real (`fallocate`), to zero pages
//! elsewhere. So a stray read (of a reader that will fail its validation) never faults, and memory that cannot be had is
//! an error of `lend`, never a signal. Memory is asked for and given back in strides.
//!
//! Locks: `remap`, then `extents`. Nothing is called with either held but the system.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use memmap2::{MmapOptions, MmapRaw};
use parking_lot::Mutex;
use rustix::fs::{FallocateFlags, FlockOperation, MemfdFlags, Mode, OFlags, SealFlags};
use rustix::mm::{Advice, MapFlags, ProtFlags};

use super::copy::{Span, SpanMut};
use super::extents::Extents;
use super::faults::{FaultPoint, Faults};
use super::layout::{LAYOUT_VERSION, MAGIC, PAGE, STRIDE, WINDOW_PAGES};
use super::leftovers;
use super::pressure::Pressure;
use super::share::TooMuch;
use crate::error::{Error, ErrorCode, Result};

/// Strides asked for at once beyond what is needed.
const AHEAD: u64 = 8;

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
    /// Creates the file and reserves its address space; allocates nothing but the first page.
    pub(crate) fn open(capacity: u64, path: Option<&Path>, name: &str, faults: Arc<dyn Faults>) -> Result<Arc<Self>> {
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
        let arena = Arc::new(Arena {
            map,
            before,
            len,
            file,
            path: path.map(Path::to_owned),
            extents: Mutex::new(Extents::new(len / PAGE, WINDOW_PAGES)),
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
        let no_room = |cause| NoRoom { pages, cause, closed: false, too_much: None };
        self.faults.check(FaultPoint::Run).map_err(|e| no_room(Some(e)))?;
        let mut taken = self.extents.lock().take(pages);
        if taken.is_none() {
            // Pages on their way back to the system are not free for a moment: wait for that, and look again.
            let _quiet = self.remap.lock();
            taken = self.extents.lock().take(pages);
        }
        let page = taken.ok_or_else(|| no_room(None))?;
        self.back(page, pages).inspect_err(|_| self.extents.lock().give(page, pages))?;
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
        let text = match &no_room.too_much {
            Some(too_much) => format!("memory is short: {needed} bytes needed, {free} of {len} free; {too_much}"),
            None => format!(
                "the store is full: {needed} bytes needed in one run, {free} of {len} free, {largest} in the largest free \
                 run{cause}; end or collect batches, or open a larger store"
            ),
        };
        Error::new(ErrorCode::StoreFull, text).facts([needed as i64, free as i64, largest as i64])
    }

    fn is_backed(&self, stride: u64) -> bool {
        self.backed[(stride / 64) as usize].load(Ordering::Acquire) & (1 << (stride % 64)) != 0
    }

    /// Has memory allocated and mapped under these pages, and some strides ahead.
    fn back(&self, page: u64, pages: u64) -> Result<(), NoRoom> {
        let first = page * PAGE / STRIDE;
        let last = ((page + pages) * PAGE - 1) / STRIDE;
        if (first..=last).all(|s| self.is_backed(s)) {
            return Ok(());
        }
        let remap = self.remap.lock();
        if remap.closed {
            return Err(NoRoom { pages, cause: None, closed: true, too_much: None });
        }
        let end = self.len.div_ceil(STRIDE);
        let mut stride = first;
        while stride <= last {
            if self.is_backed(stride) {
                stride += 1;
                continue;
            }
            let unbacked = |to: u64| (stride..to).find(|&s| self.is_backed(s)).unwrap_or(to);
            let ahead = unbacked((last + 1 + AHEAD).min(end));
            let needed = unbacked(last + 1);
            stride = match self.commit(stride, ahead) {
                Ok(()) => ahead,
                Err(_) if ahead > needed && self.commit(stride, needed).is_ok() => needed,
                Err(e) => return Err(NoRoom { pages, cause: Some(e), closed: false, too_much: None }),
            };
        }
        Ok(())
    }

    /// Allocates and maps strides `from..to`. Called with `remap` held.
    ///
    /// Memory without a file is mapped first and then populated, which allocates it for real, in huge pages where the
    /// system grants them, and leaves no page to be faulted in later. A file is allocated first: on a disk, populating
    /// could find out too late that there is no room.
    fn commit(&self, from: u64, to: u64) -> io::Result<()> {
        let offset = from * STRIDE;
        let len = (to * STRIDE).min(self.len) - offset;
        self.faults.check(FaultPoint::Commit)?;
        if self.path.is_some() {
            retry(|| rustix::fs::fallocate(&self.file, FallocateFlags::empty(), offset, len))?;
        }
        self.faults.check(FaultPoint::Map)?;
        // SAFETY: the range lies in our own reservation. The zero pages there are replaced in one step by the file's
        // pages; nobody was lent them, and a stray reader validates.
        unsafe {
            rustix::mm::mmap(
                self.at(offset).cast(),
                len as usize,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED | MapFlags::FIXED,
                self.file.as_fd(),
                offset,
            )
        }?;
        if self.path.is_none()
            && let Err(e) = self.populate(offset, len)
        {
            if let Err(e) = self.map_zero_pages(offset, len) {
                log::warn!("memory that could not be allocated could not be unmapped either: {e}");
            }
            let _ = self.punch(offset, len);
            return Err(e);
        }
        for s in from..to {
            self.backed[(s / 64) as usize].fetch_or(1 << (s % 64), Ordering::Release);
        }
        self.backed_strides.fetch_add(to - from, Ordering::Relaxed);
        Ok(())
    }

    /// Has the system allocate memory that is mapped to a file without a name.
    fn populate(&self, offset: u64, len: u64) -> io::Result<()> {
        let advise = |advice| {
            // SAFETY: the range lies in our own reservation, and neither advice changes what is read there.
            retry(|| unsafe { rustix::mm::madvise(self.at(offset).cast(), len as usize, advice) })
        };
        // where the system has none, small pages do
        let _ = advise(Advice::LinuxHugepage);
        match advise(Advice::LinuxPopulateWrite) {
            // Linux before 5.14
            Err(e) if e.raw_os_error() == Some(rustix::io::Errno::INVAL.raw_os_error()) => {
                retry(|| rustix::fs::fallocate(&self.file, FallocateFlags::empty(), offset, len))
            }
            other => other,
        }
    }

    fn punch(&self, offset: u64, len: u64) -> io::Result<()> {
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        retry(|| rustix::fs::fallocate(&self.file, hole, offset, len))
    }

    /// Has so many bytes from the low end on allocated, as far as the system has them: to be used first, and fast.
    pub(crate) fn warm(&self, bytes: u64) {
        let strides = bytes.min(self.len).div_ceil(STRIDE);
        let remap = self.remap.lock();
        for stride in (0..strides).filter(|_| !remap.closed) {
            if !self.is_backed(stride)
                && let Err(e) = self.commit(stride, stride + 1)
            {
                log::warn!("only {} of {bytes} bytes could be touched beforehand: {e}", stride * STRIDE);
                return;
            }
        }
    }

    /// Gives strides that are wholly free back to the system, from the highest address down, until no more than
    /// `reserve` bytes of free memory stay warm. Returns the bytes given back.
    pub(crate) fn trim(&self, reserve: u64) -> u64 {
        // Whoever needs memory mapped waits for one group at most; each costs every running thread an interrupt or two.
        const GROUP: u64 = 2;
        const PAUSE: Duration = Duration::from_millis(1);
        let mut given = 0;
        let mut stride = self.len / STRIDE;
        while stride > 0 {
            let remap = self.remap.lock();
            if remap.closed {
                break;
            }
            let excess = self.backed().saturating_sub(self.taken()).saturating_sub(reserve) / STRIDE;
            if excess == 0 {
                break;
            }
            let to = stride;
            let pages = STRIDE / PAGE;
            // a group of neighbours costs one remapping
            while to - stride < excess.min(GROUP)
                && stride > 0
                && self.is_backed(stride - 1)
                && self.extents.lock().take_at((stride - 1) * pages, pages)
            {
                stride -= 1;
            }
            if stride == to {
                stride -= 1;
                continue;
            }
            match self.decommit(stride, to) {
                Ok(()) => given += (to - stride) * STRIDE,
                Err(e) => log::warn!("memory could not be given back to the system and stays with the store: {e}"),
            }
            self.extents.lock().give(stride * pages, (to - stride) * pages);
            drop(remap);
            std::thread::sleep(PAUSE);
        }
        given
    }

    /// Unmaps and frees strides `from..to`, all of them whole. Called with `remap` held, the pages taken.
    fn decommit(&self, from: u64, to: u64) -> io::Result<()> {
        let offset = from * STRIDE;
        let len = (to - from) * STRIDE;
        self.faults.check(FaultPoint::Decommit)?;
        for s in from..to {
            self.backed[(s / 64) as usize].fetch_and(!(1 << (s % 64)), Ordering::Release);
        }
        self.backed_strides.fetch_sub(to - from, Ordering::Relaxed);
        self.map_zero_pages(offset, len)?;
        self.punch(offset, len)
    }

    fn map_zero_pages(&self, offset: u64, len: u64) -> io::Result<()> {
        // SAFETY: the range lies in our own reservation; addresses stay valid, and read as zero from here on.
        unsafe {
            rustix::mm::mmap_anonymous(
                self.at(offset).cast(),
                len as usize,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE,
            )
        }?;
        Ok(())
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

fn memory_file(name: &str, len: u64) -> io::Result<File> {
    let name: String = name.chars().filter(|c| c.is_ascii_graphic()).take(200).collect();
    let fd = rustix::fs::memfd_create(format!("raybatch-{name}"), MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    rustix::fs::ftruncate(&fd, len)?;
    rustix::fs::fcntl_add_seals(&fd, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(File::from(fd))
}

fn named_file(path: &Path, len: u64) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = loop {
        let file = File::from(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?);
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| io::Error::new(io::ErrorKind::AddrInUse, "another store uses this file"))?;
        // a store that opened beside it may have removed it before it was locked
        if leftovers::is_at(&file, path) {
            break file;
        }
    };
    leftovers::remove(path);
    let meta = file.metadata()?;
    let mut head = [0u8; 8];
    if meta.len() > 0 {
        use std::os::unix::fs::FileExt;
        let left_over = file.read_exact_at(&mut head, 0).is_ok() && u64::from_le_bytes(head) == MAGIC;
        if !left_over {
            let what = "the file exists and is no left-over arena; it is not overwritten";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
        }
    }
    rustix::fs::fchmod(&file, Mode::RUSR | Mode::WUSR)?;
    rustix::fs::ftruncate(&file, 0)?;
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
